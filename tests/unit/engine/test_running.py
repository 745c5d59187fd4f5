# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps on what runs, with their way back: frozen units, logs of services, units that others pull in, signals."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine import service_log
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, LeftAlone, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.freezer import Freeze, FreezerWas
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.steps import AddDependency
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.options import Mount
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.steps import Clean, MountInto, Signal


class Fails(Step):
    def describe(self) -> str:
        return "fail"

    def apply(self, ctx: Context) -> bool:
        raise SystemdError("it failed")


class Manager(NoManager):
    """Units that can be frozen; `states` are FreezerState and ActiveState of each."""

    offline = False
    runs = True

    def __init__(self, *names: str) -> None:
        self.states = {name: ["running", "active"] for name in names}
        self.answers: dict[str, t.Any] = {}
        self.calls: list[Call] = []

    def ask(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        self.calls += calls
        replies = []
        for call in calls:
            name = call.body[0]
            replies.append(self.answers.get(name, ()))
            if not isinstance(replies[-1], CallFailed) and call.member in ("FreezeUnit", "ThawUnit"):
                self.states[name][0] = "frozen" if call.member == "FreezeUnit" else "running"
        return replies

    tell = ask

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        at = {"FreezerState": 0, "ActiveState": 1}
        by_path = {f"/org/freedesktop/systemd1/unit/{name.replace('.', '_2e')}": name for name in self.states}
        return [self.states[by_path[path]][at[what]] if what in at else "success" for path, _face, what in wanted]

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        return [UnitStatus(name, "", "loaded", self.states[name][1], "x", "", "/", 0, "", "/") for name in names]

    def revive(self, deadline: float | None = None) -> bool:
        return True

    @property
    def frozen(self) -> list[str]:
        return [name for name, (state, _active) in self.states.items() if state == "frozen"]


def rolled_back(manager: NoManager, *steps: Step) -> str:
    """What is said of steps that are taken back, since one of them, or what comes after them, fails."""
    with pytest.raises(SystemdError) as caught:
        carry_out(Plan([*steps, Fails()]), Context(manager), rollback=True)
    return caught.value.msg.partition("rolled back: ")[2]


GONE = CallFailed("org.freedesktop.systemd1.NoSuchProcess", "no process")
REFUSED = CallFailed("org.freedesktop.DBus.Error.InvalidArgs", "no")


def test_frozen_and_thawed_again() -> None:
    manager = Manager("a.service", "b.service")
    steps = [Freeze(["a.service", "b.service"], True)]
    assert carry_out(Plan(steps), Context(manager)) and manager.frozen == ["a.service", "b.service"]
    manager = Manager("a.service", "b.service")
    assert rolled_back(manager, *steps) == "a.service, b.service thawed again"
    assert manager.frozen == []


def test_one_that_cannot_be_frozen() -> None:
    manager = Manager("a.service", "b.service")
    manager.answers["b.service"] = REFUSED
    with pytest.raises(SystemdError, match="cannot freeze b.service: no") as caught:
        carry_out(Plan([Freeze(["a.service", "b.service"], True)]), Context(manager))
    assert caught.value.data["changed"]
    assert rolled_back(manager, Freeze(["a.service", "b.service"], True))
    assert manager.frozen == []


def test_what_somebody_else_has_thawed_or_stopped_is_left() -> None:
    manager = Manager("a.service", "b.service", "c.service")
    manager.states["a.service"] = ["frozen", "active"]
    manager.states["c.service"] = ["running", "inactive"]
    FreezerWas(["a.service", "b.service"], True).undo(Context(manager))
    assert [call.member for call in manager.calls] == ["ThawUnit"] and manager.frozen == []
    # What was frozen before a thaw is again, but not what is down by now.
    FreezerWas(["b.service", "c.service"], False).undo(Context(manager))
    assert manager.frozen == ["b.service"]
    with pytest.raises(ValueError, match="no list of names"):
        FreezerWas.from_data({"names": "a.service", "frozen": True})


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """How a service logs."""
    found = {"LogLevel": "info", "LogTarget": "auto"}

    def write(_manager: t.Any, _unit: str, _bus: str, name: str, value: str, _timeout: float) -> None:
        found[name] = value

    monkeypatch.setattr(service_log, "read_log", lambda *_arguments: dict(found))
    monkeypatch.setattr(service_log, "write_log", write)
    return found


def test_the_log_of_a_service(log: dict[str, str]) -> None:
    made = ("a.service", "org.example.A", "LogLevel", "info", "debug")
    assert carry_out(Plan([service_log.SetServiceLog(*made)]), Context(Manager("a.service")))
    assert log["LogLevel"] == "debug"
    log["LogLevel"] = "info"
    assert rolled_back(Manager("a.service"), service_log.SetServiceLog(*made)) == "LogLevel of a.service as it was"
    assert log["LogLevel"] == "info"
    log["LogLevel"] = "err"
    with pytest.raises(LeftAlone, match="changed by somebody else"):
        service_log.ServiceLogWas(*made).undo(Context(Manager("a.service")))
    # A process that has ended took it along.
    manager = Manager("a.service")
    manager.states["a.service"][1] = "inactive"
    service_log.ServiceLogWas(*made).undo(Context(manager))
    assert log["LogLevel"] == "err"


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("u", 7, "7"),
        ("s", "info\n@@ b.service", r"'info\\n@@ b.service'"),
        ("s", "\x1b[2J", r"'\\x1b\[2J'"),
        ("s", "x" * 65, "'x+'"),
    ],
)
def test_a_service_that_says_more_than_how_it_logs(monkeypatch: pytest.MonkeyPatch, kind: str, value: t.Any, told: str) -> None:
    """What it says would be in the diff."""

    class Bus:
        def __enter__(self) -> t.Any:
            return self

        def __exit__(self, *exc: object) -> None:
            pass

        def call_many(self, calls: t.Sequence[Call]) -> list[t.Any]:
            return [((kind, value),) for _call in calls]

    monkeypatch.setattr(service_log, "import_jeepney", lambda: None)
    monkeypatch.setattr(service_log, "on_bus_of", lambda *_arguments: Bus())
    with pytest.raises(SystemdError, match=f"a.service says that its LogLevel is {told}, which LogControl1 does not have"):
        service_log.read_log(Manager(), "a.service", "org.example.A", 1.0)
    kind, value = "s", "info"
    assert service_log.read_log(Manager(), "a.service", "org.example.A", 1.0) == {"LogLevel": "info", "LogTarget": "info"}


def test_a_link_by_which_another_pulls_it_in(tmp_path: Path) -> None:
    class Links(Manager):
        def add_dependency(
            self, kind: str, target: str, names: t.Sequence[str], runtime: bool = False, force: bool = False
        ) -> list[LinkChange]:
            folder = tmp_path / f"{target}.{kind.lower()}"
            folder.mkdir()
            for name in names:
                (folder / name).symlink_to(f"/lib/{name}")
            return [LinkChange("symlink", str(folder / name), f"/lib/{name}") for name in names]

    step = AddDependency("Requires", "m.target", ["a.service"], [str(tmp_path)])
    assert step.describe() == "add-requires m.target a.service"
    ctx = Context(Links("a.service"))
    assert carry_out(Plan([step]), ctx) and len(ctx.links) == 1
    assert (tmp_path / "m.target.requires/a.service").is_symlink()
    (tmp_path / "m.target.requires/a.service").unlink()
    (tmp_path / "m.target.requires").rmdir()
    told = rolled_back(Links("a.service"), AddDependency("Wants", "m.target", ["a.service"], [str(tmp_path)]))
    assert told == "a.service no longer pulled in by m.target; daemon-reload"
    assert list(tmp_path.iterdir()) == []


def test_signals_for_what_has_ended_meanwhile() -> None:
    manager = Manager("a.service", "b.service")
    manager.answers["b.service"] = GONE
    step = Signal(["a.service", "b.service"], 38, "SIGRTMIN+4", "main", 7)
    assert step.describe() == "send SIGRTMIN+4 with 7 to the main process of a.service, b.service"
    assert carry_out(Plan([step]), Context(manager)) and step.idle == {"b.service"}
    assert manager.calls[0].body == ("a.service", "main", 38, 7) and manager.calls[0].member == "QueueSignalUnit"
    assert not carry_out(Plan([Signal(["b.service"], 1, "SIGHUP", "all", None)]), Context(manager))
    manager.answers["a.service"] = REFUSED
    with pytest.raises(SystemdError, match="cannot send SIGHUP to a.service: no"):
        carry_out(Plan([Signal(["a.service", "b.service"], 1, "SIGHUP", "all", None)]), Context(manager))


def test_cleaning_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager("a.service")
    assert carry_out(Plan([Clean({"a.service": ["state"]})]), Context(manager))
    monkeypatch.setattr(manager, "properties", lambda wanted: ["exit-code" for _each in wanted])
    with pytest.raises(SystemdError, match=r"could not clean a.service \(exit-code\)"):
        carry_out(Plan([Clean({"a.service": ["state"]})]), Context(manager))
    cleaning = UnitStatus("a.service", "", "loaded", "maintenance", "cleaning", "", "/", 0, "", "/")
    monkeypatch.setattr(manager, "status", lambda names: [cleaning])
    with pytest.raises(SystemdError, match="a.service is not clean yet"):
        carry_out(Plan([Clean({"a.service": ["state"]})]), Context(manager, timeout=0.01))


@pytest.mark.parametrize(("mkdir", "hint"), [(False, True), (True, False)])
def test_a_mount_that_fails(mkdir: bool, hint: bool) -> None:
    manager = Manager("a.service")
    manager.answers["a.service"] = REFUSED
    step = MountInto("a.service", Mount("mount_image[1]", "/srv/a.raw", "/opt/a", True, mkdir))
    assert step.describe() == "mount the image /srv/a.raw to /opt/a of a.service, read-only"
    with pytest.raises(SystemdError, match="cannot mount the image") as caught:
        carry_out(Plan([step]), Context(manager))
    assert ("set `mkdir: true` in mount_image[1]" in caught.value.msg) is hint


@pytest.mark.parametrize("read_only", [True, False])
def test_an_image_that_shall_be_read_only(read_only: bool) -> None:
    """Its file systems are mounted so, which systemd is told beside that the mount shall be so."""
    manager = Manager("a.service")
    assert carry_out(Plan([MountInto("a.service", Mount("mount_image[0]", "/srv/a.raw", "/opt/a", read_only, True))]), Context(manager))
    (call,) = manager.calls
    assert call.body[:5] == ("a.service", "/srv/a.raw", "/opt/a", read_only, True)
    assert (("root", "ro") in call.body[5], bool(call.body[5])) == (read_only, read_only)
