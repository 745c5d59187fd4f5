# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `resource_control` decides, what it writes, how it goes back, and what a trial makes of what it sees."""

from __future__ import annotations

import functools
import os
import signal
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import ending_in_order
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.properties import (
    ControlDirectories,
    SetProperties,
    Setting,
    control_files,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import canonical
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text import store as unit_values
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import UnitFiles, parse_lines
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.resources import trial as trial_module
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.resources.plan import (
    UNSET,
    Host,
    Subject,
    decide,
    plan_resources,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.resources.task import wanted_from
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.resources.trial import Trial, TrialFailed

INFINITY = 2**64 - 1
NAME = "app@1.service"
KEYS = ("CPUQuota", "MemoryMax", "IPAddressDeny", "TasksMax")


def status(name: str = NAME, active: str = "active", sub: str = "running") -> UnitStatus:
    return UnitStatus(name, "", "loaded", active, sub, "", f"/{name}", 0, "", "/")


class Disk:
    """Directories of unit files below a temporary one."""

    def __init__(self, root: Path) -> None:
        self.etc = f"{root}/etc/system.control"
        self.run = f"{root}/run/system.control"
        self.transient = f"{root}/run/transient"
        self.mine = f"{root}/etc/system"
        self.vendor = f"{root}/usr/system"
        self.paths = [self.etc, self.run, self.transient, self.mine, self.vendor]
        for path in self.paths:
            Path(path).mkdir(parents=True)
        self.directories = ControlDirectories(self.etc, self.run, self.transient)

    def write(self, path: str, *lines: str, section: str = "Service") -> str:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("\n".join([f"[{section}]", *lines, ""]))
        return path

    def drop_in(self, directory: str, file: str, *lines: str, folder: str = NAME) -> str:
        return self.write(f"{directory}/{folder}.d/{file}", *lines)

    def host(self, **defaults: t.Any) -> Host:
        return Host(UnitFiles(self.paths, KEYS), self.directories, defaults, "252")

    def subject(self, host: Host, state: UnitStatus | None = None, **live: t.Any) -> Subject:
        found = {"CPUQuota": INFINITY, "MemoryMax": INFINITY, "IPAddressDeny": (), "TasksMax": 100, **live}
        it = Subject(state or status(), found, "")
        it.fragment = host.files.fragment(it.id)
        it.texts = host.files.assignments(it.id)
        it.lasting = host.files.assignments(it.id, lasting=True)
        return it

    def all(self) -> dict[str, str]:
        return {
            str(path): path.read_text() for top in self.paths for path in sorted(Path(top).rglob("*")) if path.is_file()
        }


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(unit_values, "is_volatile", lambda path: path.startswith(f"{tmp_path}/run/"))
    return Disk(tmp_path)


class TestFiles:
    """What systemd would read."""

    def test_order(self, disk: Disk) -> None:
        disk.write(f"{disk.vendor}/app@.service", "MemoryMax=1")
        disk.drop_in(disk.mine, "90-late.conf", "MemoryMax=2")
        disk.drop_in(disk.etc, "50-MemoryMax.conf", "MemoryMax=3")
        disk.drop_in(disk.run, "50-MemoryMax.conf", "MemoryMax=4")
        disk.drop_in(disk.run, "60-x.conf", "MemoryMax=5")
        disk.drop_in(disk.vendor, "10-template.conf", "MemoryMax=6", folder="app@.service")
        disk.drop_in(disk.mine, "20-all.conf", "MemoryMax=7", folder="service")
        disk.drop_in(disk.mine, "no-drop-in.txt", "MemoryMax=8")
        files = UnitFiles(disk.paths, KEYS)
        assert [a.text for a in files.assignments(NAME)["MemoryMax"]] == ["1", "6", "7", "3", "5", "2"]
        assert [a.text for a in files.assignments(NAME, lasting=True)["MemoryMax"]] == ["1", "6", "7", "3", "2"]
        # What is hidden comes to light.
        gone = {f"{disk.etc}/{NAME}.d/50-MemoryMax.conf"}
        assert [a.text for a in files.assignments(NAME, gone=gone)["MemoryMax"]] == ["1", "6", "7", "4", "5", "2"]
        put = f"{disk.run}/{NAME}.d/55-y.conf"
        found = files.assignments(NAME, put=put, lines=[("MemoryMax", "9")])["MemoryMax"]
        assert [a.text for a in found] == ["1", "6", "7", "3", "9", "5", "2"]
        assert files.assignments("other.service")["MemoryMax"][0].text == "7"

    def test_prefixes(self, disk: Disk) -> None:
        for folder in ("a-b-c.service", "a-b-.service", "a-.service", "a.service", "b.service"):
            disk.drop_in(disk.mine, f"{folder}.conf", f"MemoryMax={folder}", folder=folder)
        found = UnitFiles(disk.paths, KEYS).assignments("a-b-c.service")["MemoryMax"]
        assert [a.text for a in found] == ["a-.service", "a-b-.service", "a-b-c.service"]

    def test_other_names(self, disk: Disk) -> None:
        disk.drop_in(disk.mine, "10.conf", "MemoryMax=1", folder="ssh.service")
        disk.drop_in(disk.mine, "20.conf", "MemoryMax=2", folder="sshd.service")
        files = UnitFiles(disk.paths, KEYS)
        files.aliases["ssh.service"] = ["sshd.service"]
        assert [a.text for a in files.assignments("ssh.service")["MemoryMax"]] == ["1", "2"]
        assert files.drop_ins("ssh.service", put=f"{disk.etc}/ssh.service.d/15.conf").keys() == {
            "10.conf",
            "15.conf",
            "20.conf",
        }

    def test_syntax(self) -> None:
        text = "[Unit]\nMemoryMax=1\n[Service]\n# MemoryMax=2\n MemoryMax = 3 \nIPAddressDeny=any \\\n# no\n localhost\nX=1\n"
        assert parse_lines(text, "Service", KEYS) == [("MemoryMax", "3"), ("IPAddressDeny", "any localhost")]

    @pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
    def test_lines_end_where_systemd_ends_them(self, char: str) -> None:
        text = f"[Service]\n# a{char}MemoryMax=1\nIPAddressDeny=any{char}MemoryMax=2\rMemoryMax=3\n"
        assert parse_lines(text, "Service", KEYS) == [("IPAddressDeny", f"any{char}MemoryMax=2"), ("MemoryMax", "3")]


class TestDecisions:
    """What has to be done about one property."""

    def decide(self, disk: Disk, persist: str = "true", wanted: t.Any = 5, live: int = INFINITY) -> t.Any:
        host = disk.host()
        return decide(disk.subject(host, MemoryMax=live), "MemoryMax", wanted, persist, host)

    def test_nothing_to_do(self, disk: Disk) -> None:
        disk.write(f"{disk.mine}/app@.service", "MemoryMax=5")
        for persist in ("true", "runtime", "false"):
            assert self.decide(disk, persist, live=5) is None

    def test_live_only_is_not_enough(self, disk: Disk) -> None:
        assert self.decide(disk, "false", live=5) is None
        assert self.decide(disk, "runtime", live=5).set
        disk.drop_in(disk.run, "50-MemoryMax.conf", "MemoryMax=5")
        assert self.decide(disk, "runtime", live=5) is None
        assert self.decide(disk, "true", live=5).set

    def test_lost_live_value(self, disk: Disk) -> None:
        disk.drop_in(disk.etc, "50-MemoryMax.conf", "MemoryMax=5")
        assert self.decide(disk, "true", live=6).set

    def test_own_leftovers_go_where_they_would_win(self, disk: Disk) -> None:
        scale = disk.drop_in(disk.etc, "50-MemoryMaxScale.conf", "MemoryMax=50%")
        assert self.decide(disk).remove == (scale,)

    def test_files_read_later(self, disk: Disk) -> None:
        late = disk.drop_in(disk.mine, "90-late.conf", "MemoryMax=7")
        with pytest.raises(BadInput, match=f"properties: MemoryMax: {late} sets it too for {NAME}"):
            self.decide(disk)
        decision = self.decide(disk, "runtime")
        assert decision.set
        assert late in decision.warning
        # Done once, it is left at that.
        disk.drop_in(disk.run, "50-MemoryMax.conf", "MemoryMax=5")
        assert self.decide(disk, "runtime", live=5) is None

    def test_unset(self, disk: Disk) -> None:
        assert self.decide(disk, wanted=UNSET) is None
        disk.write(f"{disk.mine}/app@.service", "MemoryMax=9")
        lasting = disk.drop_in(disk.etc, "50-MemoryMax.conf", "MemoryMax=5")
        volatile = disk.drop_in(disk.run, "50-MemoryMax.conf", "MemoryMax=6")
        disk.drop_in(disk.etc, "50-MemoryMaxOther.conf", "[Service]")
        decision = self.decide(disk, wanted=UNSET, live=5)
        assert (decision.value, decision.set, set(decision.remove)) == (9, False, {lasting, volatile})
        # Until the next boot: what lasts is what the files say.
        decision = self.decide(disk, "runtime", UNSET, live=6)
        assert (decision.value, decision.remove) == (5, (volatile,))
        decision = self.decide(disk, "false", UNSET, live=6)
        assert (decision.value, decision.set, decision.remove) == (5, True, ())

    def test_defaults_of_the_manager(self, disk: Disk) -> None:
        host = disk.host(TasksMax=100)
        assert decide(disk.subject(host), "TasksMax", UNSET, "true", host) is None
        assert decide(disk.subject(host, TasksMax=7), "TasksMax", UNSET, "true", host) is not None
        # A version that does not tell: what is not known is not changed.
        host = disk.host()
        assert decide(disk.subject(host, TasksMax=7), "TasksMax", UNSET, "true", host) is None

    def test_specifiers_are_not_read(self, disk: Disk) -> None:
        disk.write(f"{disk.mine}/app@.service", "MemoryMax=%i")
        assert self.decide(disk, wanted=UNSET) is None
        assert self.decide(disk, live=5).set

    def test_transient_units(self, disk: Disk) -> None:
        disk.write(f"{disk.transient}/{NAME}", "MemoryMax=5")
        assert self.decide(disk, "true", live=5) is None
        with pytest.raises(BadInput, match="persist: .* was made at run time"):
            self.decide(disk, "true", 6, live=5)
        assert self.decide(disk, "runtime", 6, live=5).set

    def test_units_that_are_down(self, disk: Disk) -> None:
        host = disk.host()
        idle = disk.subject(host, status(active="inactive", sub="dead"))
        with pytest.raises(BadInput, match="persist: .* would forget CPUQuota at once"):
            plan_resources([idle], {"CPUQuota": 200_000}, "false", host)
        with pytest.raises(BadInput, match="trial: .* start it first"):
            plan_resources([idle], {"CPUQuota": 200_000}, "true", host, lambda tried: Step())
        assert plan_resources([idle], {"CPUQuota": 200_000}, "true", host).changed
        # Nothing to change, nothing to try.
        assert not plan_resources([idle], {"CPUQuota": INFINITY}, "true", host, lambda tried: Step()).changed


class TestPlans:
    """The steps."""

    class Watch(Step):
        counts = False

        def describe(self) -> str:
            return "watch"

    def plan(
        self, disk: Disk, wanted: dict[str, t.Any], persist: str = "true", trial: bool = False, **live: t.Any
    ) -> Plan:
        host = disk.host()
        watch = (lambda tried: self.Watch()) if trial else None
        return plan_resources([disk.subject(host, **live)], wanted, persist, host, watch)

    def test_steps(self, disk: Disk) -> None:
        gone = disk.drop_in(disk.etc, "50-MemoryMax.conf", "MemoryMax=5")
        wanted = {"CPUQuota": 200_000, "MemoryMax": UNSET}
        back = [f"remove {gone}", "daemon-reload"]
        assert self.plan(disk, wanted, MemoryMax=5).describe() == [
            f"take back MemoryMax of {NAME}",
            f"set CPUQuota of {NAME} for good",
            *back,
        ]
        plan = self.plan(disk, wanted, trial=True, MemoryMax=5)
        assert plan.describe() == [
            f"set CPUQuota, MemoryMax of {NAME} until the next daemon-reload",
            "watch",
            f"set CPUQuota of {NAME} for good",
            *back,
        ]
        tried = self.plan(disk, {"CPUQuota": 200_000}, trial=True).describe()
        assert tried[2:] == [f"set CPUQuota of {NAME} for good", f"daemon-reload if {NAME} needs it"]
        for persist, lasts in (("true", "for good"), ("runtime", "until the next boot")):
            told = self.plan(disk, {"CPUQuota": 200_000}, persist).describe()
            assert told == [f"set CPUQuota of {NAME} {lasts}", f"daemon-reload if {NAME} needs it"]
        assert plan.changes[0].before == "CPUQuota=infinity, MemoryMax=5"
        assert plan.changes[0].after == "CPUQuota=20%, MemoryMax=infinity (for good)"
        only_live = [f"set CPUQuota of {NAME} until the next daemon-reload", "watch"]
        assert self.plan(disk, {"CPUQuota": 200_000}, "false", trial=True).describe() == only_live

    def test_what_waits_for_the_next_start_is_told(self, disk: Disk) -> None:
        plan = self.plan(disk, {"SocketBindDeny": canonical("SocketBindDeny", "any")}, SocketBindDeny=())
        assert plan.warnings == [f"SocketBindDeny takes effect when {NAME} is started next"]

    def test_limits_that_nobody_enforces_are_told(self, disk: Disk) -> None:
        host = disk.host()
        subject = disk.subject(host)
        subject.kernel = dict.fromkeys(subject.live, (None, None))
        wanted = {"MemoryMax": 5 << 20, "CPUQuota": 200_000, "IPAddressDeny": canonical("IPAddressDeny", "any"), "TasksMax": UNSET}
        for controllers, missing in (({"cpu", "memory"}, []), ({"cpu"}, ["MemoryMax"]), (set(), ["MemoryMax", "CPUQuota"]), (None, [])):
            host.controllers = controllers
            known = {name: value for name, value in wanted.items() if name in subject.live}
            told = plan_resources([subject], known, "true", host).warnings
            assert [text.split()[2] for text in told if text.startswith("nothing enforces")] == missing
        tried = plan_resources([subject], {"MemoryMax": 5 << 20}, "true", host, lambda tried: self.Watch())
        assert not tried.warnings
        host.controllers = frozenset()
        tried = plan_resources([subject], {"MemoryMax": 5 << 20}, "true", host, lambda tried: self.Watch())
        assert "a trial says nothing of it" in tried.warnings[0]

    def test_limits_below_what_is_in_use_are_told(self, disk: Disk) -> None:
        host = disk.host()
        subject = disk.subject(host)
        subject.kernel = dict.fromkeys(subject.live, (None, None))
        subject.in_use = {"MemoryMax": 63 << 20, "CPUQuota": None}.get
        told = plan_resources([subject], {"MemoryMax": 30 << 20, "CPUQuota": 200_000}, "true", host).warnings
        assert len(told) == 1 and told[0].startswith(f"MemoryMax=30M is less than what {NAME} uses now (63M); ")
        assert not plan_resources([subject], {"MemoryMax": 63 << 20}, "true", host).warnings
        assert not plan_resources([subject], {"MemoryMax": UNSET}, "true", host).warnings

    def test_what_would_not_last_is_told(self, disk: Disk) -> None:
        plan = self.plan(disk, {"CPUQuota": 200_000}, CPUQuota=200_000)
        assert plan.changes[0].before == "CPUQuota=20% (infinity in files)"


class FakeManager(NoManager):
    """SetUnitProperties as systemd does it: values kept, drop-ins written, some of them wrongly."""

    runs, offline = True, False

    def __init__(self, disk: Disk, refuse: str = "") -> None:
        self.disk = disk
        self.refuse = refuse
        self.values: dict[tuple[str, str], t.Any] = {}
        self.reloads = 0
        # Units whose files systemd would read again, before and once drop-ins were written.
        self.stale: set[str] = set()
        self.becomes_stale: set[str] = set()

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        assert {name for _path, _interface, name in wanted} <= {"NeedDaemonReload"}
        stale = {object_path(name) for name in self.stale}
        return [path in stale for path, _interface, _name in wanted]

    def set_properties(self, wanted: t.Any, runtime: bool) -> list[CallFailed | None]:
        answers: list[CallFailed | None] = []
        self.stale |= self.becomes_stale
        for unit, properties in wanted:
            if unit == self.refuse:
                answers.append(CallFailed("org.freedesktop.DBus.Error.InvalidArgs", "Value out of range"))
                continue
            for name, (_signature, value) in properties:
                self.values[unit, name] = value
                key = "CPUQuota" if name == "CPUQuotaPerSecUSec" else name
                # The decimals of a quota are lost, and a list is not begun anew.
                text = (
                    f"{value // 10000}%"
                    if key == "CPUQuota"
                    else "192.0.2.1"
                    if isinstance(value, list)
                    else str(value)
                )
                self.disk.drop_in(
                    self.disk.run if runtime else self.disk.etc, f"50-{key}.conf", f"{key}={text}", folder=unit
                )
            answers.append(None)
        return answers

    def reload(self, timeout: float | None = None) -> None:
        self.reloads += 1


class Fails(Step):
    def describe(self) -> str:
        return "fail"

    def apply(self, ctx: Context) -> bool:
        raise SystemdError("no")


class TestSetting:
    """Values set, drop-ins put right, and the way back."""

    def settings(self, disk: Disk, directory: str, *names: str) -> list[Setting]:
        after = {
            "CPUQuota": canonical("CPUQuota", "20.5%"),
            "MemoryMax": 512,
            "IPAddressDeny": canonical("IPAddressDeny", "192.0.2.1"),
        }
        before = {"CPUQuota": 100_000, "MemoryMax": 1024, "IPAddressDeny": ()}
        return [Setting(name, directory, disk.run, before, after) for name in names or (NAME,)]

    def test_put_right(self, disk: Disk) -> None:
        manager = FakeManager(disk)
        step = SetProperties(self.settings(disk, disk.etc), "persistent")
        assert carry_out(Plan([step]), Context(manager))
        files = disk.all()
        assert list(files) == [
            f"{disk.etc}/{NAME}.d/50-{key}.conf" for key in ("CPUQuota", "IPAddressDeny", "MemoryMax")
        ]
        quota, deny, memory = files.values()
        assert quota.splitlines()[1:] == ["[Service]", "CPUQuota=20.5%"]
        assert deny.splitlines()[1:] == ["[Service]", "IPAddressDeny=", "IPAddressDeny=192.0.2.1"]
        # What is right already is left as systemd wrote it.
        assert memory == "[Service]\nMemoryMax=512\n"

    def test_times_are_kept(self, disk: Disk) -> None:
        """Systemd would ask for a daemon-reload if a drop-in were newer than what it wrote."""
        manager = FakeManager(disk)
        written = {}
        original = manager.set_properties

        def set_properties(wanted: t.Any, runtime: bool) -> t.Any:
            answer = original(wanted, runtime)
            written.update({path: Path(path).stat().st_mtime_ns for path in disk.all()})
            return answer

        manager.set_properties = set_properties  # type: ignore[method-assign]
        SetProperties(self.settings(disk, disk.etc), "persistent").apply(Context(manager))
        assert written == {path: Path(path).stat().st_mtime_ns for path in disk.all()}

    def test_live_leaves_no_files(self, disk: Disk) -> None:
        kept = disk.drop_in(disk.run, "50-MemoryMax.conf", "MemoryMax=77")
        before = disk.all()
        manager = FakeManager(disk)
        SetProperties(self.settings(disk, disk.run), "live").apply(Context(manager))
        assert disk.all() == before
        assert manager.values[NAME, "MemoryMax"] == 512
        assert list(before) == [kept]

    @pytest.mark.parametrize(("before", "after", "reloads"), [(False, True, 1), (True, True, 0), (False, False, 0)])
    def test_systemd_reads_again_what_it_takes_for_newer(
        self, disk: Disk, before: bool, after: bool, reloads: int
    ) -> None:
        """Its own drop-ins only: what others have changed meanwhile is theirs to have read."""
        manager = FakeManager(disk)
        manager.stale, manager.becomes_stale = ({NAME} if before else set()), ({NAME} if after else set())
        made = plan_resources([disk.subject(disk.host())], {"MemoryMax": 512}, "runtime", disk.host())
        assert carry_out(made, Context(manager))
        assert manager.reloads == reloads

    def test_what_a_reload_would_undo_is_not_followed_by_one(self, disk: Disk) -> None:
        disk.drop_in(disk.mine, "90-late.conf", "MemoryMax=7")
        manager = FakeManager(disk)
        manager.becomes_stale = {NAME}
        made = plan_resources([disk.subject(disk.host())], {"MemoryMax": 512}, "runtime", disk.host())
        assert carry_out(made, Context(manager))
        assert manager.reloads == 0 and "until the next daemon-reload only" in made.warnings[0]

    @pytest.mark.parametrize("mode", ["live", "runtime", "persistent"])
    def test_way_back(self, disk: Disk, mode: str) -> None:
        disk.drop_in(disk.run, "50-MemoryMax.conf", "MemoryMax=77")
        disk.drop_in(disk.etc, "50-MemoryMax.conf", "MemoryMax=78")
        before = disk.all()
        manager = FakeManager(disk)
        step = SetProperties(self.settings(disk, disk.etc if mode == "persistent" else disk.run), mode)
        with pytest.raises(SystemdError) as caught:
            carry_out(Plan([step, Fails()]), Context(manager), rollback=True)
        assert disk.all() == before
        assert not Path(f"{disk.etc}/other.d").exists()
        assert manager.values == {
            (NAME, "CPUQuotaPerSecUSec"): 100_000,
            (NAME, "MemoryMax"): 1024,
            (NAME, "IPAddressDeny"): [],
        }
        assert caught.value.data["rolled_back"] == [f"CPUQuota, MemoryMax, IPAddressDeny of {NAME} as before"]
        assert manager.reloads == 0

    def test_one_of_many_refuses(self, disk: Disk) -> None:
        manager = FakeManager(disk, refuse="b.service")
        step = SetProperties(self.settings(disk, disk.etc, "a.service", "b.service"), "persistent")
        with pytest.raises(SystemdError) as caught:
            carry_out(Plan([step]), Context(manager), rollback=True)
        assert "cannot set CPUQuota, MemoryMax, IPAddressDeny of b.service: Value out of range" in caught.value.msg
        assert "failed to put back" not in caught.value.msg
        assert disk.all() == {}
        assert not Path(disk.etc).exists()
        assert manager.values["a.service", "MemoryMax"] == 1024

    @pytest.mark.parametrize(
        ("system", "says"),
        [
            ({"f_flag": os.ST_RDONLY}, "is read-only; make it writable"),
            ({"f_bavail": 0}, "is full; make room there"),
            ({"f_favail": 0}, "has no inodes left; make room there"),
            ({}, "; see what it says in its journal"),
        ],
        ids=["read-only", "full", "no inodes", "unknown"],
    )
    def test_why_nothing_was_written(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch, system: dict[str, int], says: str
    ) -> None:
        """systemd answers that all is well where its drop-in could not be written."""
        facts = types.SimpleNamespace(**{"f_flag": 0, "f_bavail": 1, "f_files": 1, "f_favail": 1, **system})
        monkeypatch.setattr(os, "statvfs", lambda path: facts)
        manager = FakeManager(disk)
        monkeypatch.setattr(disk, "drop_in", lambda *args, **options: None)
        with pytest.raises(SystemdError) as caught:
            carry_out(
                Plan([SetProperties(self.settings(disk, disk.etc), "persistent")]), Context(manager), rollback=True
            )
        assert f"systemd did not write {disk.etc}/{NAME}.d/50-CPUQuota.conf" in caught.value.msg
        assert says in caught.value.msg
        assert "failed to put back" not in caught.value.msg
        assert manager.values[NAME, "MemoryMax"] == 1024

    def test_names_of_drop_ins(self) -> None:
        assert control_files("CPUQuota")[0] == "50-CPUQuota.conf"
        assert control_files("CPUQuotaPeriodSec")[0] == "50-CPUQuotaPeriodSec.conf"
        assert control_files("IODeviceLatencyTargetSec")[0] == "50-IODeviceLatencyTargetUSec.conf"
        assert "50-MemoryMaxScale.conf" in control_files("MemoryMax")


class WatchedManager(NoManager):
    """Units whose state and control group a script changes at each look."""

    scope = "system"
    uid = None

    def __init__(self, script: list[t.Callable[[], None]]) -> None:
        self.script = script
        self.state = ("active", "running")
        self.restarts = 0
        self.result = "success"
        self.restart = "no"
        self.changes: list[t.Any] = []

    def watch_unit(self, name: str) -> list[t.Any]:
        return self.changes

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        if self.script:
            self.script.pop(0)()
        return [status(name, *self.state) for name in names]

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        return [{"NRestarts": self.restarts, "Result": self.result, "Restart": self.restart}.get(name) for _path, _face, name in wanted]

    def all_properties(self, wanted: t.Sequence[t.Any]) -> list[dict[str, t.Any]]:
        return [{"ActiveState": self.state[0], "SubState": self.state[1]}, {"Result": self.result}]


class TestTrial:
    """What is seen and what comes of it."""

    @pytest.fixture
    def group(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path = tmp_path / "group"
        path.mkdir()
        (path / "memory.events").write_text("low 0\nhigh 3\nmax 5\noom 1\noom_kill 1\n")
        (path / "cpu.stat").write_text("usage_usec 100\nnr_periods 10\nnr_throttled 10\nthrottled_usec 5\n")
        (path / "cpu.max").write_text("20000 100000\n")
        (path / "pids.events").write_text("max 2\n")
        (path / "memory.pressure").write_text(
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull avg10=0 total=7\n"
        )
        monkeypatch.setattr(trial_module, "cgroup_directory", lambda group, owner: str(path))
        return path

    def run(
        self, *script: t.Callable[[WatchedManager], None], seconds: float = 0.4, **limits: t.Any
    ) -> dict[str, t.Any]:
        manager = WatchedManager([])
        manager.script = [functools.partial(act, manager) for act in script]
        properties = ("CPUQuota", "MemoryMax", "TasksMax")
        step = Trial(
            [(NAME, "/x", properties)],
            {"seconds": seconds, "told": "400ms", "throttled": 0.5, "stalled": 0.2, **limits},
        )
        step.apply(Context(manager))
        found: dict[str, t.Any] = step.observed[NAME]
        return found

    def fails(self, *script: t.Callable[[WatchedManager], None], **limits: t.Any) -> TrialFailed:
        with pytest.raises(TrialFailed) as caught:
            self.run(*script, **limits)
        return caught.value

    def test_what_was_before_does_not_count(self, group: Path) -> None:
        seen = self.run()
        assert seen["memory_events"] == {"low": 0, "high": 0, "max": 0, "oom": 0, "oom_kill": 0}
        assert (seen["throttled"], seen["stalled"], seen["restarts"], seen["tasks_refused"]) == ("0%", "0%", 0, 0)
        assert seen["seconds"] >= 0.4

    def test_killed_for_want_of_memory(self, group: Path) -> None:
        def kill(manager: WatchedManager) -> None:
            (group / "memory.events").write_text("low 0\nhigh 3\nmax 9\noom 2\noom_kill 3\n")

        error = self.fails(lambda manager: None, kill, seconds=30)
        assert "the trial of 400ms failed after 0." in error.msg
        assert f"{NAME}: the kernel killed a process of it 2 times for want of memory" in error.msg
        assert error.data["trial"][NAME]["memory_events"]["max"] == 4
        assert error.data["trial"][NAME]["reasons"]

    def test_a_new_control_group_begins_at_nothing(self, group: Path) -> None:
        def restart(manager: WatchedManager) -> None:
            (group / "memory.events").write_text("low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n")
            fresh = group.with_name("fresh")
            group.rename(group.with_name("old"))
            fresh.mkdir()
            for file in group.with_name("old").iterdir():
                (fresh / file.name).write_text(file.read_text())
            (fresh / "pids.events").write_text("max 0\n")
            (fresh / "cpu.stat").write_text("usage_usec 1\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n")
            fresh.rename(group)

        assert self.run(lambda manager: None, restart)["memory_events"]["oom_kill"] == 0

    def test_no_tasks_left(self, group: Path) -> None:
        error = self.fails(lambda manager: t.cast("None", (group / "pids.events").write_text("max 3\n")), seconds=30)
        assert "could not make a process or thread once (TasksMax" in error.msg

    def test_restarts(self, group: Path) -> None:
        def restart(manager: WatchedManager) -> None:
            manager.restarts += 1

        assert "it was restarted once" in self.fails(restart, seconds=30).msg

    def test_down(self, group: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def die(manager: WatchedManager) -> None:
            manager.state, manager.result = ("failed", "failed"), "oom-kill"

        error = self.fails(die, seconds=30)
        assert "it did not stay up: it is failed (failed), Result: oom-kill" in error.msg
        assert error.data["failures"][0]["unit"] == NAME
        # The control group went with the unit, and its counters.
        assert error.data["trial"][NAME]["memory_events"]["oom_kill"] == 1

    def test_a_death_that_a_restart_hides(self, group: Path) -> None:
        """All that can be asked is of the new process."""

        def die(manager: WatchedManager) -> None:
            manager.restarts += 1
            service = {"Result": "oom-kill", "ExecMainCode": 2, "ExecMainStatus": 9, "InvocationID": b""}
            unit = {"ActiveState": "activating", "SubState": "auto-restart", "Job": (0, "/"), "InvocationID": b"\1" * 16}
            for face, values in (("Service", service), ("Unit", unit)):
                told = {key: ("?", value) for key, value in values.items()}
                manager.changes.append(("/", (f"org.freedesktop.systemd1.{face}", told, [])))

        manager = WatchedManager([])
        manager.restart = "on-failure"
        manager.script = [lambda: None, functools.partial(die, manager)]
        limits = {"seconds": 30, "told": "30s", "throttled": 0.5, "stalled": 0.2}
        step = Trial([(NAME, "/x", ("MemoryMax",))], limits)
        with pytest.raises(TrialFailed) as caught:
            step.apply(Context(manager))
        error, seen = caught.value, caught.value.data["trial"][NAME]
        assert (seen["result"], seen["signal"], seen["memory_events"]["oom_kill"]) == ("oom-kill", "SIGKILL", 1)
        assert "the kernel killed a process of it once for want of memory" in error.msg
        assert "it was activating (auto-restart), Result: oom-kill, its main process was killed by SIGKILL" in error.msg
        assert error.data["failures"][0]["signal"] == "SIGKILL"

    def test_throttled(self, group: Path) -> None:
        def throttle(manager: WatchedManager) -> None:
            (group / "cpu.stat").write_text("usage_usec 200\nnr_periods 20\nnr_throttled 14\nthrottled_usec 9\n")

        error = self.fails(throttle)
        assert "CPUQuota held it up in" in error.msg
        assert self.run(throttle, throttled=1.0)["throttled_usec"] == 0

    def test_signals(self, group: Path) -> None:
        def signals(manager: WatchedManager) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        with ending_in_order(Context(None)), pytest.raises(SystemdError, match="interrupted by SIGTERM"):
            self.run(lambda manager: None, signals, seconds=30)

    def test_stalled(self, group: Path) -> None:
        def stall(manager: WatchedManager) -> None:
            (group / "memory.pressure").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=201000\n")

        # Pressure alone is not of the limit's making.
        assert self.run(lambda manager: None, stall)["stalled"] != "0%"
        (group / "memory.pressure").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n")

        def hit(manager: WatchedManager) -> None:
            stall(manager)
            (group / "memory.events").write_text("low 0\nhigh 3\nmax 9\noom 1\noom_kill 1\n")

        assert "it waited for memory in" in self.fails(hit).msg


def test_options() -> None:
    assert wanted_from({"CPUQuota": "20%", "MemoryMax": None}) == {"CPUQuota": 200_000, "MemoryMax": UNSET}
    with pytest.raises(BadInput, match="did you mean CPUQuota"):
        wanted_from({"cpu_quota": "20%"})
    with pytest.raises(BadInput, match="Delegate: systemd cannot change it on a loaded unit"):
        wanted_from({"Delegate": True})
    with pytest.raises(BadInput, match="properties: there are none"):
        wanted_from({})
