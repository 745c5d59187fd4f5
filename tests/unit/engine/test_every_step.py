# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of step fails half way, by the system and by a defect: one clear error, and what was begun is undone.

A new kind of step needs a place here where it can fail.
"""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import typing as t
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from ansible_collections.pidone.systemd.plugins import module_utils
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools
from ansible_collections.pidone.systemd.plugins.module_utils._engine.node_was import Node, NodeWas, look_for
from ansible_collections.pidone.systemd.plugins.module_utils._engine.probe import Probe
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.options import Mount

PREFIX = "ansible_collections.pidone.systemd.plugins.module_utils."


class Bench:
    """What steps are made of, and where the fault comes from: `manager`, and what stands in for the rest."""

    def __init__(self, folder: Path) -> None:
        self.manager = MagicMock(root="", offline=False)
        self.manager.link_directories.return_value = []
        self.manager.environment.return_value, self.manager.manager_property.return_value = {}, "info"
        self.tools = FileTools(lambda path, check: False)
        self.folder = folder
        self.file = str(folder / "file")
        self.link = str(folder / "link")
        self.tool = MagicMock()
        self.init, self.records, self.supervisor = MagicMock(), MagicMock(), MagicMock()
        self.supervisor.now.return_value = MagicMock(running=False, pid=0)
        self.record = MagicMock(
            files={self.file: None}, masked=["a.service"], enabled=["a.service"], active=[], written={}, units=[]
        )
        self.moving = MagicMock(before=None, unit_names=["a.service"], enable=["a.service"], start=["a.service"])
        self.moving.name, self.moving.record, self.moving.supervisor = "a", self.record, self.supervisor
        self.request = MagicMock(
            timer="a.timer", shown="a", command_line="/bin/a", captured=[], output_limit=10, stdin=None, properties=[]
        )
        self.request.name = "a.service"

    @property
    def saved(self) -> Saved:
        """The file as it is."""
        return t.cast(Saved, Saved.of(self.file))

    @property
    def node(self) -> Node:
        """The same, as what is at a path."""
        return t.cast(Node, look_for(self.file, content=True))

    @property
    def tree(self) -> str:
        """A tree with a user."""
        etc = self.folder / "etc"
        if not etc.is_dir():
            etc.mkdir()
            (etc / "passwd").write_text("a:x:1:1::/:/bin/sh\n")
            (etc / ".pwd.lock").touch(0o600)
        return str(self.folder)

    @property
    def of_service(self) -> tuple[t.Any, t.Any]:
        """What each step of a handover is given."""
        return self.moving, self.records


class Place(t.NamedTuple):
    """How a step is made, and where it fails.

    :param fails: an attribute of the bench's parts (`manager.reload`), or `MODULE:NAME` of a function that it calls.
    :param without: functions that its undo calls and that are another's: `MODULE:NAME`.
    """

    make: t.Callable[[t.Any, Bench], Step]
    fails: str
    without: tuple[str, ...] = ()


_FILES = "_engine.files"
_LINES = "_tasks.configuration_lines.steps"
_HANDOVER = "_tasks.handover.steps"
_BACK = "_tasks.handover.back"
_LOGIND = (
    "_systemd.logind:set_linger", "_systemd.logind:lingers", "_dbus.carrier:import_jeepney"
)  # fmt: skip
_JOBS: tuple[str, tuple[str, ...], tuple[str, ...]] = ("start", ("a.service",), ())


def _node_was(bench: Bench) -> NodeWas:
    """What is noted before something is made."""
    return NodeWas(f"{bench.folder}/x", None, Node("directory", 0o755, os.geteuid(), os.getegid()))


PLACES: dict[str, Place] = {
    "_engine.steps.Reload": Place(lambda cls, b: cls(), "manager.reload"),
    "_engine.steps.ReloadIfStale": Place(lambda cls, b: cls(["a.service"]), "manager.properties"),
    "_engine.steps.UnitFileLinks": Place(
        lambda cls, b: cls("enable", ["a.service"], [str(b.folder)]), "manager.enable"
    ),
    "_engine.steps.ResetFailed": Place(lambda cls, b: cls(["a.service"]), "manager.reset_failed"),
    "_engine.steps.Jobs": Place(lambda cls, b: cls(*_JOBS), "manager.enqueue"),
    "_engine.steps.JobsTogether": Place(lambda cls, b: cls({"a.service": "start", "b.service": "restart"}), "manager.enqueue"),
    "_engine.steps.Settle": Place(
        lambda cls, b: cls(step("_engine.steps.Jobs")(*_JOBS), 0.0, "0 s"), "manager.status"
    ),
    "_engine.files.WriteFile": Place(
        lambda cls, b: cls(f"{b.folder}/new.d/x.conf", b"x", None, b.tools), f"{_FILES}:replace"
    ),
    "_engine.files.SetAttributes": Place(lambda cls, b: cls(b.file, b.saved, b.tools), "tools.attributes"),
    "_engine.files.RemoveFile": Place(lambda cls, b: cls(b.file, b.saved, b.tools), f"{_FILES}:remove"),
    "_engine.files.RemoveDirectory": Place(lambda cls, b: cls(f"{b.folder}/a.d"), f"{_FILES}:remove_empty"),
    "_engine.files.RemoveLinks": Place(lambda cls, b: cls({b.link: "nowhere"}), f"{_FILES}:remove"),
    "_tasks.unit.scripts.ScriptLinks": Place(lambda cls, b: cls("enable", ["/etc/init.d/a"]), "_tasks.unit.scripts:run_program"),
    f"{_LINES}.Apply": Place(
        lambda cls, b: cls(b.tool, ["--create"], ["d /x"], [f"{b.folder}/x"], [_node_was(b)], list), "tool.do"
    ),
    f"{_LINES}.Sweep": Place(lambda cls, b: cls(b.tool, "--clean", ["d /x"], [b.file]), "tool.do"),
    f"{_LINES}.RemoveMade": Place(lambda cls, b: cls({b.file: b.node}), f"{_LINES}:remove_node"),
    f"{_LINES}.RemoveTrees": Place(lambda cls, b: cls([f"{b.folder}/a.d"]), f"{_LINES}:_remove_tree"),
    f"{_LINES}.RemoveAccounts": Place(
        lambda cls, b: cls(b.tree, {"passwd": ["a:x:1:1::/:/bin/sh"]}, []), f"{_LINES}:change_accounts"
    ),
    "_tasks.unit.steps.AddDependency": Place(
        lambda cls, b: cls("Wants", "b.target", ["a.service"], [str(b.folder)]), "manager.add_dependency"
    ),
    "_engine.freezer.Freeze": Place(lambda cls, b: cls(["a.service"], True), "manager.ask"),
    "_engine.service_log.SetServiceLog": Place(
        lambda cls, b: cls("a.service", "org.example.A", "LogLevel", "info", "debug"),
        "_engine.service_log:write_log",
        ("_engine.service_log:read_log",),
    ),
    "_tasks.unit_action.steps.Signal": Place(lambda cls, b: cls(["a.service"], 15, "SIGTERM", "all", None), "manager.tell"),
    "_tasks.unit_action.steps.Clean": Place(lambda cls, b: cls({"a.service": ["state"]}), "manager.tell"),
    "_tasks.unit_action.steps.MountInto": Place(
        lambda cls, b: cls("a.service", Mount("bind[0]", "/a", "/b", False, False)), "manager.tell"
    ),
    "_tasks.unit_file.linked.LinkFile": Place(
        lambda cls, b: cls(f"{b.folder}/a.service", "/opt/a.service", "a.service", str(b.folder)), "_tasks.unit_file.linked:put_link"
    ),
    "_tasks.manager.task.CancelJobs": Place(lambda cls, b: cls({7: "a.service"}), "manager.ask"),
    "_tasks.manager.task.SetDefaultTarget": Place(
        lambda cls, b: cls("b.target", [str(b.folder)]), "manager.set_default_target"
    ),
    "_tasks.manager.task.SetEnvironment": Place(lambda cls, b: cls({}, {"A": "1"}, []), "manager.change_environment"),
    "_tasks.manager.task.SetLogging": Place(
        lambda cls, b: cls("LogLevel", "info", "debug"), "manager.set_manager_property"
    ),
    "_engine.read_again.Reexecute": Place(lambda cls, b: cls(), "manager.call"),
    "_tasks.needs_restart.steps.RestartTogether": Place(lambda cls, b: cls(["a.service"]), "manager.list_units"),
    "_tasks.needs_restart.steps.ReexecuteUsers": Place(
        lambda cls, b: cls([1000]), "_tasks.needs_restart.steps:users_read_again"
    ),
    "_tasks.manager.task.Isolate": Place(lambda cls, b: cls("a.target"), "manager.enqueue"),
    "_tasks.configuration.steps.WriteSettings": Place(
        lambda cls, b: cls(f"{b.folder}/new.d/x.conf", b"x", None, b.tools, False, None), f"{_FILES}:replace"
    ),
    "_tasks.configuration.steps.RemoveSettings": Place(
        lambda cls, b: cls(b.file, b.saved, b.tools, None), f"{_FILES}:remove"
    ),
    "_tasks.configuration.steps.FollowFiles": Place(lambda cls, b: cls("LogLevel", "info"), "manager.set_manager_property"),
    "_tasks.configuration.steps.ReloadDaemon": Place(lambda cls, b: cls("a.service"), "manager.enqueue"),
    "_tasks.configuration.steps.HangUp": Place(lambda cls, b: cls(("a.service",)), "manager.call"),
    "_tasks.configuration.steps.UsersReadAgain": Place(
        lambda cls, b: cls(False), "_tasks.configuration.steps:users_read_again"
    ),
    "_tasks.configuration.steps.SeeWhatIsSaid": Place(
        lambda cls, b: cls(b.file, [], "a.service", 0.0), "_tasks.configuration.steps:sync_journal"
    ),
    "_tasks.reboot.task.Request": Place(
        lambda cls, b: cls(MagicMock(method="reboot", before=0.0), (None, None), True), "_tasks.reboot.task:open_logind"
    ),
    "_tasks.user_manager.task.SetLinger": Place(
        lambda cls, b: cls({"root": 0}, True, None), "_tasks.user_manager.task:set_linger", _LOGIND
    ),
    "_tasks.user_manager.task.ForgetLinger": Place(
        lambda cls, b: cls(["a"]), "_tasks.user_manager.task:linger_files"
    ),
    "_tasks.user_manager.task.AwaitManagers": Place(
        lambda cls, b: cls({"a": 1}, None), "_tasks.user_manager.task:wait_for"
    ),
    "_engine.properties.SetProperties": Place(lambda cls, b: cls([], "persistent"), "manager.set_properties"),
    "_engine.properties.RemoveDropIns": Place(lambda cls, b: cls([b.file]), "_engine.properties:remove"),
    "_tasks.resources.trial.Trial": Place(lambda cls, b: cls([], {"seconds": 0, "told": "0 s"}), "manager.properties"),
    "_engine.probe.ProbeUnits": Place(
        lambda cls, b: cls({"a.service": Probe.of({"socket": f"{b.folder}/none"}, "probe")}), "manager.status"
    ),
    "_engine.remember.Remember": Place(
        lambda cls, b: cls(f"{b.folder}/sets/a.json", b"{}", "write it down"), "_engine.remember:replace"
    ),
    "_engine.timers.StartAnew": Place(lambda cls, b: cls([], str(b.folder), b.tools), "manager.enqueue"),
    "_engine.timers.Hold": Place(lambda cls, b: cls([]), "manager.enqueue"),
    "_engine.timers.Touch": Place(lambda cls, b: cls(b.file, b.saved), "os:utime"),
    "_tasks.run.service.StartTimer": Place(
        lambda cls, b: cls(b.request, MagicMock()), "_tasks.run.service:start_transient"
    ),
    "_tasks.run.service.RunService": Place(
        lambda cls, b: cls(b.request, lambda: b.manager, MagicMock()), "manager.watch_unit"
    ),
    "_tasks.run.scope.RunInScope": Place(
        lambda cls, b: cls(b.request, {}, MagicMock(facts={})), "_tasks.run.scope:_Command"
    ),
    "_tasks.run.scope.EndScope": Place(lambda cls, b: cls("a.scope"), "manager.enqueue"),
    "_tasks.init.steps.Keep": Place(lambda cls, b: cls(b.record, "begun"), "record.save"),
    "_tasks.init.steps.PutBack": Place(lambda cls, b: cls(b.record), "_tasks.init.steps:restore"),
    "_tasks.init.steps.RemoveTrial": Place(lambda cls, b: cls(), "manager.enqueue"),
    "_tasks.init.steps.RemoveTrialFiles": Place(lambda cls, b: cls(), "_tasks.init.steps:remove_trial"),
    "_tasks.init.switch.SwitchInit": Place(lambda cls, b: cls(b.init), "init.keep"),
    "_tasks.init.switch.ChooseSystemd": Place(lambda cls, b: cls(b.init), "init.choose_systemd"),
    "_tasks.init.switch.GoBack": Place(lambda cls, b: cls(b.init), "init.choose_old"),
    "_tasks.init.switch.Forget": Place(lambda cls, b: cls(b.init), "init.forget"),
    "_tasks.handover.steps.LetGo": Place(
        lambda cls, b: cls(*b.of_service, b.tools), "records.save", (f"{_HANDOVER}:restore", "_tasks.handover.units:remove")
    ),
    "_tasks.handover.steps.UnmaskUnits": Place(
        lambda cls, b: cls(*b.of_service), f"{_HANDOVER}:is_masked", (f"{_HANDOVER}:mask_again",)
    ),
    "_tasks.handover.steps.EnableUnits": Place(lambda cls, b: cls(*b.of_service), "manager.enable"),
    "_tasks.handover.steps.StartUnits": Place(lambda cls, b: cls(b.moving), "manager.enqueue"),
    "_tasks.handover.steps.Compare": Place(lambda cls, b: cls(*b.of_service), f"{_HANDOVER}:look_at_unit"),
    "_tasks.handover.steps.Finish": Place(lambda cls, b: cls(*b.of_service), "records.save"),
    "_tasks.handover.back.StopUnits": Place(lambda cls, b: cls(*b.of_service), f"{_BACK}:look_at_unit"),
    "_tasks.handover.back.TakeUnits": Place(
        lambda cls, b: cls(*b.of_service, b.tools), "manager.unit_file_states", (f"{_BACK}:is_masked",)
    ),
    "_tasks.handover.back.GiveBack": Place(
        lambda cls, b: cls(*b.of_service), f"{_BACK}:give_back"
    ),
    "_tasks.handover.back.SeeItBack": Place(lambda cls, b: cls(*b.of_service), f"{_BACK}:see_it_restored"),
}
# What others have in common, or what does nothing by itself, and why.
NO_PLACE = {
    "_engine.files._FileStep": "the common part of others",
    "_tasks.handover.moving.OfService": "the common part of others",
    "_engine.bring_about._PutBack": "is never carried out: it tells in check mode what comes first",
    "_tasks.resources.plan._Expected": "is never carried out: it tells in check mode what comes of earlier tasks",
    "_engine.undo_log.TakenOver": "is never carried out: it was, by an interrupted task",
    "_tasks.handover.steps.PutUnits": "its files are written before all plans",
}


def kinds() -> dict[str, type[Step]]:
    """Every class of steps, by the name of its module and its own."""
    for module in pkgutil.walk_packages(module_utils.__path__, PREFIX):
        importlib.import_module(module.name)
    found: dict[str, type[Step]] = {}
    left: list[type[Step]] = [Step]
    while left:
        for kind in left.pop().__subclasses__():
            if kind.__module__.startswith(PREFIX):
                found[f"{kind.__module__[len(PREFIX) :]}.{kind.__qualname__}"] = kind
            left.append(kind)
    return found


def step(name: str) -> type[t.Any]:
    """A class of steps by its name."""
    module, _dot, kind = name.rpartition(".")
    return t.cast("type[t.Any]", getattr(importlib.import_module(PREFIX + module), kind))


def test_each_kind_has_a_place_where_it_fails() -> None:
    assert kinds().keys() == PLACES.keys() | NO_PLACE.keys()


class Before(Step):
    """A step that goes well, and is undone."""

    def __init__(self) -> None:
        super().__init__(("before",))
        self.was_undone = 0

    def describe(self) -> str:
        return "do what comes before"

    def apply(self, ctx: Context) -> bool:
        return True

    def undo(self, ctx: Context) -> None:
        self.was_undone += 1


class Fault:
    """Fails at the first call and then does nothing."""

    def __init__(self, error: Exception) -> None:
        self.error, self.calls = error, 0

    def __call__(self, *args: object, **options: object) -> t.Any:
        self.calls += 1
        if self.calls == 1:
            raise self.error
        return MagicMock()


def install(bench: Bench, where: str, stand_in: t.Any, patched: pytest.MonkeyPatch) -> None:
    """Put a stand-in where a step looks for what it calls."""
    module, colon, name = where.partition(":")
    if colon:
        target = importlib.import_module(module if module == "os" else PREFIX + module)
        patched.setattr(target, name, stand_in)
        return
    part, _dot, name = where.partition(".")
    setattr(getattr(bench, part), name, stand_in)


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """What is in a directory."""
    found = {}
    for path in folder.rglob("*"):
        text = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[str(path)] = (path.lstat().st_mode, text)
    return found


ERRORS = {
    "the system": (OSError(errno.ENOSPC, "No space left on device", "/nowhere"), "No space left on device"),
    "a defect": (RuntimeError("nobody thought of that"), "nobody thought of that"),
}


@pytest.mark.parametrize("by", ERRORS)
@pytest.mark.parametrize("name", PLACES)
def test_it_fails_by_one_clear_error_and_all_is_undone(
    name: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("before")
    (tmp_path / "a.d").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    place, (error, says) = PLACES[name], ERRORS[by]
    bench, first, fault = Bench(tmp_path), Before(), Fault(error)
    made = place.make(step(name), bench)
    before = tree(tmp_path)
    install(bench, place.fails, fault, monkeypatch)
    for where in place.without:
        install(bench, where, MagicMock(return_value=False), monkeypatch)

    with pytest.raises(SystemdError) as caught:
        carry_out(Plan([first, made]), Context(bench.manager, 1.0), rollback=True)

    assert fault.calls, "it did not come to the fault"
    message = caught.value.msg
    assert says in message
    assert "Traceback" not in message
    # What could not be done is named.
    assert "cannot :" not in message
    assert first.was_undone == 1
    assert caught.value.data["changed"] is False
    assert not [told for told in caught.value.data["rolled_back"] if "failed to put back" in told]
    assert tree(tmp_path) == before
    assert ("defect" in caught.value.data) is (by == "a defect")
