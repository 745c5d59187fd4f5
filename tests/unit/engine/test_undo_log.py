# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written down before a change, and what the next task makes of it."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import select
import signal
import threading
import time
import typing as t
from contextlib import nullcontext
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine import bring_about as module
from ansible_collections.pidone.systemd.plugins.module_utils._engine import way_back
from ansible_collections.pidone.systemd.plugins.module_utils._engine.accounts_were import AccountsWere
from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import Places, bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved, replace, replace_link, tidy
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveFile,
    RemoveLinks,
    WriteFile,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.freezer import FreezerWas
from ansible_collections.pidone.systemd.plugins.module_utils._engine.lock import Busy, Lock
from ansible_collections.pidone.systemd.plugins.module_utils._engine.node_was import Node, NodeWas
from ansible_collections.pidone.systemd.plugins.module_utils._engine.remember import Remember
from ansible_collections.pidone.systemd.plugins.module_utils._engine.service_log import ServiceLogWas
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs, UnitFileLinks
from ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log import UndoLog, boot_id, load
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.absent import AbsentManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued, Job
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.manager.task import SetEnvironment, SetLogging
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.user_manager.task import SetLinger

TOOLS = FileTools(lambda path, check: False)


def at_once(session: object) -> t.ContextManager[None]:
    """Stands for `Session.reading`, for managers that need no time."""
    return nullcontext()


class Manager(NoManager):
    """As much of a manager as plans and ways back need; what is asked of it is in `log`."""

    offline, runs = False, True

    def __init__(self) -> None:
        self.log: list[str] = []

    def reload(self, timeout: float | None = None) -> None:
        self.log.append("reload")

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Enqueued]:
        self.log += [f"{kind} {name}" for name, kind in wanted]
        return [Enqueued(name, Job(number, "", name, kind)) for number, (name, kind) in enumerate(wanted)]

    def wait_for_jobs(self, jobs: t.Sequence[t.Any], deadline: float) -> dict[int, str]:
        return {job.id: "done" for job in jobs}

    def reset_failed(self, names: t.Sequence[str]) -> None:
        self.log.append(f"reset {' '.join(names)}")

    def status(self, names: t.Sequence[str]) -> list[t.Any]:
        return [type("Status", (), {"id": name, "active_state": "active", "sub_state": "running"})() for name in names]


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours may run after it."""


class Dies(Step):
    """A step in which the process is killed."""

    def describe(self) -> str:
        return "die"

    def apply(self, ctx: Context) -> bool:
        raise Killed


class Fails(Step):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def describe(self) -> str:
        return "fail"

    def apply(self, ctx: Context) -> bool:
        raise self._error


class Host:
    """A session and a module over directories of the test's own."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places = Places("system", f"{directory}/run", f"{directory}/state")
        monkeypatch.setattr(module, "places_of", lambda session: self.places)
        self.warned: list[str] = []
        self.manager = Manager()

    def module(self, check_mode: bool = False, **params: t.Any) -> t.Any:
        made = type("Module", (), {})()
        made.check_mode, made._diff, made._name, made.params = check_mode, True, "unit_file", params
        made.warn, made.without_hidden = self.warned.append, lambda: params
        return made

    def task(
        self, steps: t.Callable[[], list[Step]], rollback: bool = False, check: bool = False, **params: t.Any
    ) -> bool:
        session = type("Session", (), {"reading": at_once, "manager": self.manager, "timeout": 5.0, "down": False})()
        changes = [Change("a", "", "")]
        made = self.module(check, **params)
        return bring_about(made, session, lambda: Plan(steps(), changes), rollback)[2]

    def logs(self) -> list[str]:
        return [path for directory in self.places.logs for path in Path(directory).glob("*")]  # type: ignore[misc]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def picture(directory: Path) -> dict[str, t.Any]:
    """Every file and link below a directory, with content or target, and mode."""
    found: dict[str, t.Any] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        elif path.is_file():
            found[str(path)] = (path.read_bytes(), path.stat().st_mode)
        else:
            found[str(path)] = "directory"
    return found


def test_a_task_that_ends_leaves_nothing(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "units" / "a.service.d" / "b.conf"
    assert host.task(lambda: [WriteFile(str(path), b"new", None, TOOLS)])
    assert path.read_bytes() == b"new"
    assert host.logs() == []


def test_a_task_that_changes_nothing_writes_nothing(host: Host, tmp_path: Path) -> None:
    assert not host.task(list)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_task_is_put_back_by_the_next(host: Host, tmp_path: Path) -> None:
    """All kinds of notes on files, in one task; the one that comes next is another one."""
    units = tmp_path / "units"
    (units / "x.wants").mkdir(parents=True)
    (units / "old").write_bytes(b"old")
    (units / "old").chmod(0o640)
    (units / "gone").write_bytes(b"gone")
    (units / "x.wants" / "u").symlink_to("/u")
    before = picture(units)

    def steps() -> list[Step]:
        return [
            WriteFile(f"{units}/new.d/deep/f", b"new", None, TOOLS),
            WriteFile(f"{units}/old", b"changed", Saved.of(f"{units}/old"), FileTools(TOOLS.attributes, backup=True)),
            RemoveFile(f"{units}/gone", t.cast(Saved, Saved.of(f"{units}/gone")), TOOLS),
            RemoveLinks({f"{units}/x.wants/u": "/u"}),
            Dies(),
        ]

    with pytest.raises(Killed):
        host.task(steps)
    assert picture(units) != before
    assert len(host.logs()) == 1
    assert host.task(list, other=1)
    assert picture(units) == before
    assert host.logs() == []
    assert "reload" in host.manager.log
    (warning,) = host.warned
    assert "cut short" in warning
    assert f"{units}/old as it was" in warning
    assert not host.task(list, other=1)


def test_the_same_task_ends_as_if_it_had_never_been_killed(host: Host, tmp_path: Path) -> None:
    """A rollback of the second run goes back to what was before the first: the old file is not lost."""
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    path.write_bytes(b"v1")

    def steps(last: Step) -> list[Step]:
        return [WriteFile(str(path), b"v2", Saved.of(str(path)), TOOLS), last]

    with pytest.raises(Killed):
        host.task(lambda: steps(Dies()), rollback=True)
    assert path.read_bytes() == b"v2"
    with pytest.raises(SystemdError):
        host.task(lambda: steps(Fails(SystemdError("no"))), rollback=True)
    assert path.read_bytes() == b"v1"


def test_what_others_changed_since_is_left_alone(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    path.write_bytes(b"v1")
    with pytest.raises(Killed):
        host.task(lambda: [WriteFile(str(path), b"v2", Saved.of(str(path)), TOOLS), Dies()])
    path.write_bytes(b"somebody's")
    host.task(list)
    assert path.read_bytes() == b"somebody's"
    assert "somebody else" in host.warned[0]
    assert host.logs() == []


def test_what_a_kill_left_beside_a_file_is_removed(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "units" / ("n" * 250)
    path.parent.mkdir()

    def replace_and_die(*words: t.Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, "replace", replace_and_die)
        patch.setattr(
            "ansible_collections.pidone.systemd.plugins.module_utils._engine.durable.remove", lambda path: True
        )
        host.task(lambda: [WriteFile(str(path), b"x", None, TOOLS)])
    assert len(list(path.parent.iterdir())) == 1
    stranger = path.parent / ".other.0123abcd.pidone-tmp"
    stranger.write_text("another's")
    host.task(list)
    assert list(path.parent.iterdir()) == [stranger]


def test_restarts_are_owed_to_other_tasks_and_left_to_the_same(host: Host) -> None:
    steps: t.Callable[[], list[Step]] = lambda: [Jobs("restart", ["a.service"], ["a.service"]), Dies()]  # noqa: E731
    with pytest.raises(Killed):
        host.task(steps, name="a")
    host.manager.log.clear()
    assert host.task(lambda: [Jobs("restart", ["a.service"], ["a.service"])], name="a")
    assert host.manager.log.count("restart a.service") == 1
    assert "try-restart a.service" not in host.manager.log
    with pytest.raises(Killed):
        host.task(steps, name="a")
    host.manager.log.clear()
    assert host.task(list, name="other")
    assert host.manager.log.count("try-restart a.service") == 1
    # However often it was started before.
    assert host.manager.log[host.manager.log.index("try-restart a.service") - 1] == "reset a.service"


def test_what_was_started_is_stopped_only_if_the_same_task_fails(host: Host) -> None:
    with pytest.raises(Killed):
        host.task(lambda: [Jobs("start", ["a.service"]), Dies()], rollback=True)
    host.manager.log.clear()
    with pytest.raises(SystemdError):
        host.task(lambda: [Fails(SystemdError("no"))], rollback=True)
    assert host.manager.log == ["reload", "stop a.service", "reset a.service"]


def test_what_a_task_is_going_to_have_stays_with_what_it_has_started(host: Host, tmp_path: Path) -> None:
    """Else nobody would know who has started it: whatever comes next, unless that is the same task and fails."""
    record, written = tmp_path / "records" / "sets" / "web.json", tmp_path / "records" / "own.json"

    def steps(content: bytes, last: Step) -> list[Step]:
        return [
            Remember(str(record), content, "begin", stays=True),
            Remember(str(written), content, "write down what is undone"),
            Jobs("start", ["a.service"]),
            last,
        ]

    others: list[dict[str, t.Any]] = [{}, {"other": 1}]
    for params in others:
        with pytest.raises(Killed):
            host.task(lambda: steps(b"a", Dies()), rollback=True)
        assert written.exists()
        host.manager.log.clear()
        host.task(list, **params)
        assert (record.read_bytes(), written.exists()) == (b"a", False)
        assert host.manager.log == ["reload"]
        assert host.logs() == []
        assert str(record) not in host.warned[-1]
    # From here on it is of the task before.
    with pytest.raises(Killed):
        host.task(lambda: steps(b"b", Dies()), rollback=True)
    with pytest.raises(Killed):
        host.task(lambda: steps(b"c", Dies()), rollback=True)
    assert record.read_bytes() == b"c"
    with pytest.raises(SystemdError):
        host.task(lambda: steps(b"d", Fails(SystemdError("no"))), rollback=True)
    assert record.read_bytes() == b"a"


def test_a_record_of_nothing_leaves_no_directory(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "records" / "sets" / "web.json"

    def steps(last: Step) -> list[Step]:
        return [Remember(str(record), b"a", "begin", stays=True), last]

    def dies(path: str, content: bytes) -> None:
        (record.parent / ".web.json.0123abcd.pidone-tmp").write_bytes(content)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("ansible_collections.pidone.systemd.plugins.module_utils._engine.remember.replace", dies)
        host.task(lambda: steps(Dies()))
    assert record.parent.exists()
    host.task(list, other=1)
    assert not record.parent.parent.exists()
    # Nothing was started by then, or what was up was restarted.
    for last in (Dies(), Jobs("restart", ["a.service"], ["a.service"])):
        with pytest.raises(Killed):
            host.task(lambda last=last: [*steps(last), Dies()])  # type: ignore[misc]
        host.task(list, other=1)
        assert not record.parent.parent.exists()
    # The same task had, and fails when it is run again.
    with pytest.raises(Killed):
        host.task(lambda: [*steps(Jobs("start", ["a.service"])), Dies()], rollback=True)
    with pytest.raises(SystemdError):
        host.task(lambda: [Fails(SystemdError("no"))], rollback=True)
    assert not record.parent.parent.exists()


def test_what_was_taken_over_twice_is_undone_backwards(host: Host) -> None:
    """It was down before the first of three tasks, which started it; the second one restarted it."""
    with pytest.raises(Killed):
        host.task(lambda: [Jobs("start", ["a.service"]), Dies()], rollback=True)
    with pytest.raises(Killed):
        host.task(lambda: [Jobs("restart", ["a.service"], ["a.service"]), Dies()], rollback=True)
    host.manager.log.clear()
    with pytest.raises(SystemdError):
        host.task(lambda: [Jobs("restart", ["a.service"], ["a.service"]), Fails(SystemdError("no"))], rollback=True)
    assert host.manager.log[-2:] == ["stop a.service", "reset a.service"]


def test_what_was_stopped_for_a_while_comes_up_again(host: Host) -> None:
    """Whatever comes next, and after a failure without a rollback too."""

    def steps(last: Step) -> list[Step]:
        stop = Jobs("stop", ["a.timer"], ["a.timer"])
        stop.for_now = True
        return [stop, last]

    with pytest.raises(Killed):
        host.task(lambda: steps(Dies()))
    host.manager.log.clear()
    host.task(list)
    assert "start a.timer" in host.manager.log
    host.manager.log.clear()
    with pytest.raises(SystemdError) as caught:
        host.task(lambda: steps(Fails(OSError(28, "No space left on device", "/x"))))
    assert host.manager.log == ["stop a.timer", "reset a.timer", "start a.timer"]
    assert "make room" in caught.value.msg
    assert "brought a.timer up again" in caught.value.msg


def test_after_a_reboot_only_what_lasts_is_put_back(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    with pytest.raises(Killed):
        host.task(
            lambda: [WriteFile(str(path), b"x", None, TOOLS), Jobs("restart", ["a.service"], ["a.service"]), Dies()]
        )
    host.manager.log.clear()
    monkeypatch.setattr(
        "ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log.boot_id", lambda: "next"
    )
    host.task(list)
    assert not path.exists()
    assert not any("a.service" in line for line in host.manager.log)


def test_check_mode_says_so_and_does_nothing(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    with pytest.raises(Killed):
        host.task(lambda: [WriteFile(str(path), b"x", None, TOOLS), Dies()])
    before = picture(tmp_path)
    assert host.task(list, check=True)
    assert picture(tmp_path) == before


def test_a_torn_last_line_is_of_something_that_had_not_begun(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    with pytest.raises(Killed):
        host.task(lambda: [WriteFile(str(path), b"x", None, TOOLS), Dies()])
    (log,) = host.logs()
    with open(log, "ab") as file:
        file.write(b'{"kind": "file", "pa')
    found = load(str(log))
    assert found is not None
    assert [note.kind for note in found.notes] == ["file"]


@pytest.mark.parametrize(
    "content", [b"[]\n", b"{}\n", b'{"version": 2, "boot": ""}\n', b"\xff\n", b'{"version": 1, "boot": ""}\n{}\n']
)
def test_a_damaged_log_is_one_clear_error(host: Host, content: bytes) -> None:
    directory = Path(host.places.logs[0])
    directory.mkdir(parents=True)
    log = directory / "system.undo"
    log.write_bytes(content)
    with pytest.raises(SystemdError, match=r"cannot make sense of .*system\.undo.*remove"):
        host.task(list)
    assert log.exists()


def test_a_log_of_somebody_else_is_not_believed(host: Host) -> None:
    directory = Path(host.places.logs[0])
    directory.mkdir(parents=True)
    log = directory / "system.undo"
    log.write_text('{"version": 1, "boot": ""}\n')
    log.chmod(0o666)
    with pytest.raises(SystemdError, match="not a file that only this user can have written"):
        host.task(list)
    log.unlink()
    log.symlink_to("/etc/passwd")
    with pytest.raises(SystemdError, match="cannot read"):
        host.task(list)
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(SystemdError, match="not a file"):
        host.task(list)


def test_a_log_moves_where_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full /var must not keep anybody from a task that makes room."""
    from ansible_collections.pidone.systemd.plugins.module_utils._engine import undo_log

    write, full = undo_log._write, f"{tmp_path}/full"

    def no_room(descriptor: int, text: str) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(full) and "second" in text:
            os.write(descriptor, b"{")
            raise OSError(28, "No space left on device")
        write(descriptor, text)

    monkeypatch.setattr(undo_log, "_write", no_room)
    log = UndoLog([full, f"{tmp_path}/run"], "system.undo", {"module": "unit", "task": ""})
    log.add(way_back.DirectoryWas("/first", False))
    assert log.path.startswith(full)
    log.add(way_back.DirectoryWas("/second", False))
    assert log.path.startswith(f"{tmp_path}/run")
    assert list(Path(full).iterdir()) == []
    log.add(way_back.DirectoryWas("/second third", False))
    found = load(log.path)
    assert found is not None
    assert len(found.notes) == 3
    log.forget()
    assert list((tmp_path / "run").iterdir()) == []


def _sync_fails(monkeypatch: pytest.MonkeyPatch, *places: str) -> None:
    """Have directories of logs be synced in vain, once each."""
    from ansible_collections.pidone.systemd.plugins.module_utils._engine import undo_log

    sync, left = undo_log.sync_directory, list(places)

    def fail_once(path: str) -> None:
        if path in left:
            left.remove(path)
            raise OSError(5, "Input/output error")
        sync(path)

    monkeypatch.setattr(undo_log, "sync_directory", fail_once)


def test_a_log_that_was_put_in_place_in_vain_is_not_heeded_later(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was renamed, and its directory could not be synced: all of it is written elsewhere, and none of it stays here."""
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    path.write_bytes(b"v1")
    _sync_fails(monkeypatch, host.places.logs[0])
    tools = FileTools(TOOLS.attributes, backup=True)
    assert host.task(lambda: [WriteFile(str(path), b"v2", Saved.of(str(path)), tools)])
    assert host.logs() == []
    assert not host.task(list)
    assert host.warned == []
    assert [each.read_bytes() for each in sorted(path.parent.iterdir())] == [b"v2", b"v1"]


def test_a_log_that_was_put_in_place_in_vain_anywhere_is_not_heeded_later(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    _sync_fails(monkeypatch, *host.places.logs)
    with pytest.raises(SystemdError, match="Input/output error"):
        host.task(lambda: [WriteFile(str(path), b"v2", None, TOOLS)])
    assert not path.exists()
    assert host.logs() == []


def test_nothing_is_changed_where_a_log_of_no_use_would_stay(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    unlink, stale = os.unlink, f"{host.places.logs[0]}/system.undo"

    def refuse(where: t.Any, **options: t.Any) -> None:
        if where == stale:
            raise OSError(30, "Read-only file system", where)
        unlink(where, **options)

    monkeypatch.setattr(os, "unlink", refuse)
    _sync_fails(monkeypatch, host.places.logs[0])
    with pytest.raises(SystemdError, match=f"cannot remove {stale}.*Read-only file system"):
        host.task(lambda: [WriteFile(str(path), b"v2", None, TOOLS)])
    assert not path.exists()


def test_nothing_is_changed_where_nothing_can_be_written_down(host: Host, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the way")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "undo").write_text("and another")
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    with pytest.raises(SystemdError) as caught:
        host.task(lambda: [WriteFile(str(path), b"x", None, TOOLS)])
    assert not path.exists()
    assert all(place in caught.value.msg for place in host.places.logs)
    assert "make room there" in caught.value.msg


def test_notes_say_the_same_after_a_round_through_the_file(tmp_path: Path) -> None:
    saved = Saved(b"\xff\0text", 0o640, 0, 0, (1, 2), b"label")
    notes: list[way_back.Note] = [
        way_back.FileWas("/a\udcff", saved, b"x"),
        way_back.FileWas("/a", None, None),
        way_back.AttributesWere("/a", saved._replace(content=b"")),
        way_back.DirectoryWas("/d", True),
        way_back.LinkWas("/l", "/t"),
        way_back.LinksWere(["/e"], {"/e/a": "/a"}, ["a.service"]),
        way_back.JobsWere(["a.service"], "restart", ["b.service"], True),
        way_back.PropertiesWere(
            {"a.service": [("IPAddressDeny", ("a(iayu)", [(2, b"\x7f\0\0\1", 8)])), ("CPUWeight", ("t", 5))]},
            {"/f": saved, "/g": None},
        ),
        way_back.DropInsWere({"/f": saved, "/g": None}),
        way_back.EnvironmentWas({"A": "1", "B": None}, {"A": None, "B": "\udcff"}),
        way_back.SettingWas("LogLevel", "info", "debug"),
        way_back.LingerWas({"deploy": 1000}, True),
        way_back.ReadAgain("signal", "systemd-logind.service"),
        NodeWas("/n", Node("file", 0o640, 1, 2, content=b"\xff\0"), Node("link", 0o777, 0, 0, "/t\udcff")),
        NodeWas("/n", None, Node("character device", 0o600, 0, 0, device=259)),
        FreezerWas(["a.service"], True),
        ServiceLogWas("a.service", "org.example.A", "LogLevel", "info", "debug"),
        way_back.RecordWas("/a/b", None, b"x", ["/a"]),
        AccountsWere("/tree", ["a"], ["g"], [("a", "g")], {"passwd": ["b:x:1:1::/:/bin/sh"]}, [("b", "g")]),
    ]
    assert {note.kind for note in notes} == way_back.KINDS.keys() | {"node", "accounts", "freezer", "service-log"}
    log = UndoLog([str(tmp_path)], "x.undo", {"module": "unit", "task": ""})
    for note in notes:
        log.add(note)
    found = load(log.path)
    assert found is not None
    assert [note.as_data() for note in found.notes] == [note.as_data() for note in notes]
    properties = t.cast(t.Any, found.notes[7])
    assert properties._values == t.cast(t.Any, notes[7])._values


def test_the_oldest_note_says_what_a_unit_was() -> None:
    """A task started it, was killed, and was killed again after it had restarted it: it was down before all that."""
    ctx = Context(Manager())
    notes = [way_back.JobsWere([], "restart", ["a.service"]), way_back.JobsWere(["a.service", "b.service"], "restart", [])]
    for note in reversed(notes):
        note.undo(ctx)
    assert ctx.bring_up == [("b.service", "restart")]
    assert t.cast(Manager, ctx.manager).log == ["stop a.service", "reset a.service"]


def test_links_of_a_killed_task_are_those_of_its_units(tmp_path: Path) -> None:
    (tmp_path / "m.wants").mkdir()
    (tmp_path / "m.wants" / "kept.service").symlink_to("/u/kept.service")
    before = {f"{tmp_path}/m.wants/kept.service": "/u/kept.service"}
    note = way_back.LinksWere([str(tmp_path)], before, ["a@1.service"])
    (tmp_path / "m.wants" / "a@1.service").symlink_to("/u/a@.service")
    (tmp_path / "m.wants" / "others.service").symlink_to("/u/others.service")
    note.undo(Context(Manager()))
    assert sorted(path.name for path in (tmp_path / "m.wants").iterdir()) == ["kept.service", "others.service"]


def test_a_stale_temporary_link_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "l.pidone-tmp").symlink_to("/x")
    replace_link(f"{tmp_path}/l", "/y")
    assert os.readlink(tmp_path / "l") == "/y"
    tidy(f"{tmp_path}/l")


def test_a_new_file_is_never_more_open_than_it_shall_be(tmp_path: Path) -> None:
    modes: list[int] = []

    def attributes(path: str, check: bool) -> bool:
        modes.append(os.stat(path).st_mode & 0o777)
        os.chmod(path, 0o600)
        return True

    WriteFile(f"{tmp_path}/f", b"secret", None, FileTools(attributes, given=("mode",))).apply(Context(Manager()))
    assert modes == [0o600]


def test_a_file_that_could_not_be_written_counts_as_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk it cannot be written again, and need not be."""
    path = tmp_path / "f"
    path.write_bytes(b"v1")
    step = WriteFile(str(path), b"v2", Saved.of(str(path)), FileTools(TOOLS.attributes, backup=True))

    def no_room(*words: t.Any, **more: t.Any) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("ansible_collections.pidone.systemd.plugins.module_utils._engine.durable.replace", no_room)
    monkeypatch.setattr("ansible_collections.pidone.systemd.plugins.module_utils._engine.files.replace", no_room)
    with pytest.raises(SystemdError):
        step.apply(Context(Manager()))
    step.undo(Context(Manager()))
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_a_guarded_task_that_is_killed_is_put_back_at_once(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    path.write_bytes(b"v1")

    class KillsItself(Step):
        def describe(self) -> str:
            return "be killed"

        def apply(self, ctx: Context) -> bool:
            os.kill(os.getpid(), signal.SIGKILL)
            return True

    steps: list[Step] = [WriteFile(str(path), b"v2", Saved.of(str(path)), TOOLS), KillsItself()]
    reading, writing = os.pipe()
    task = os.fork()
    if not task:
        session = type(
            "Session",
            (),
            {
                "reading": at_once,
                "manager": host.manager,
                "timeout": 5.0,
                "down": False,
                "connect": lambda self: Manager(),
            },
        )()
        os.close(reading)
        bring_about(host.module(), session, lambda: Plan(steps, [Change("a", "", "")]), rollback=True, guarded=True)
        os._exit(1)
    os.close(writing)
    # What waits for the task's output is not kept waiting by its guardian.
    assert os.read(reading, 1) == b""
    assert os.WIFSIGNALED(os.waitpid(task, 0)[1])
    deadline = time.monotonic() + 60
    while (path.read_bytes() != b"v1" or host.logs()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.read_bytes() == b"v1"
    assert host.logs() == []


def test_a_guarded_task_that_ends_well_is_left_as_it_is(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "f"
    session = type("Session", (), {"reading": at_once, "manager": host.manager, "timeout": 5.0, "down": False})()
    plan = Plan([WriteFile(str(path), b"v2", None, TOOLS)], [Change("a", "", "")])
    assert bring_about(host.module(), session, lambda: plan, guarded=True)[2]
    os.wait()
    assert path.read_bytes() == b"v2"


def test_what_is_owed_is_owed_until_it_is_paid(host: Host, tmp_path: Path) -> None:
    """Also where the task that puts things back is killed itself, before it has carried out anything."""
    units = tmp_path / "units"
    units.mkdir()

    def steps() -> list[Step]:
        write = WriteFile(f"{units}/f", b"v2", Saved.of(f"{units}/f"), TOOLS)
        return [write, Jobs("restart", ["a.service"], ["a.service"]), Jobs("start", ["b.service"]), Dies()]

    (units / "f").write_bytes(b"v1")
    with pytest.raises(Killed):
        host.task(steps, name="a")

    def die() -> list[Step]:
        assert (units / "f").read_bytes() == b"v1"
        raise Killed

    for dummy in range(2):
        with pytest.raises(Killed):
            host.task(die, name="a")
    host.manager.log.clear()
    with pytest.raises(SystemdError):
        host.task(lambda: [Fails(SystemdError("no"))], rollback=True, name="a")
    assert "stop b.service" in host.manager.log
    assert host.manager.log.count("try-restart a.service") + host.manager.log.count("restart a.service") >= 1
    assert host.logs() == []
    with pytest.raises(Killed):
        host.task(steps, name="a")
    host.manager.log.clear()
    assert host.task(list, name="other")
    assert host.manager.log.count("try-restart a.service") == 1
    assert host.logs() == []


@pytest.mark.parametrize("rollback", [True, False])
def test_a_signal_in_a_rollback_does_not_end_it(host: Host, tmp_path: Path, rollback: bool) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    path.write_bytes(b"v1")

    class HangsUpLater(Step):
        for_now = True

        def describe(self) -> str:
            return "hang up while it is undone"

        def apply(self, ctx: Context) -> bool:
            return True

        def undo(self, ctx: Context) -> None:
            os.kill(os.getpid(), signal.SIGHUP)

    def steps() -> list[Step]:
        write = WriteFile(str(path), b"v2", Saved.of(str(path)), TOOLS)
        write.for_now = True
        return [write, HangsUpLater(), Fails(SystemdError("no"))]

    with pytest.raises(SystemdError, match="no"):
        host.task(steps, rollback=rollback)
    assert path.read_bytes() == b"v1"
    assert host.logs() == []


def test_a_log_that_cannot_be_removed_says_that_it_is_of_no_use(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    unlink = os.unlink

    def refuse(where: t.Any, **options: t.Any) -> None:
        if str(where).endswith(".undo"):
            raise OSError(30, "Read-only file system", where)
        unlink(where, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        assert host.task(lambda: [WriteFile(str(path), b"v2", None, TOOLS)])
    assert len(host.logs()) == 1
    host.task(list)
    assert path.read_bytes() == b"v2"
    assert host.logs() == []
    assert host.warned == []


# -- two at once


def _hold(path: str, ready: t.Any, let_go: t.Any) -> None:
    lock = Lock(path)
    lock.acquire(5, "pidone.systemd.timer")
    ready.set()
    let_go.wait(30)


@pytest.fixture
def holder(host: Host) -> t.Iterator[t.Any]:
    context = multiprocessing.get_context("fork")
    ready, let_go = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(host.places.lock, ready, let_go))
    process.start()
    assert ready.wait(10)
    yield process, let_go
    let_go.set()
    process.join()


def test_who_waits_in_vain_is_told_for_whom(host: Host, holder: t.Any, tmp_path: Path) -> None:
    path = tmp_path / "f"
    process, _let_go = holder
    session = type("Session", (), {"reading": at_once, "manager": host.manager, "timeout": 0.2, "down": False})()
    with pytest.raises(Busy, match=rf"pidone\.systemd\.timer, process {process.pid}, since .*`timeout`"):
        bring_about(host.module(), session, lambda: Plan([WriteFile(str(path), b"x", None, TOOLS)]))
    assert not path.exists()


def test_who_changes_nothing_does_not_wait(host: Host, holder: t.Any) -> None:
    session = type("Session", (), {"reading": at_once, "manager": host.manager, "timeout": 0.01, "down": False})()
    assert bring_about(host.module(), session, Plan)[2] is False


def test_who_changes_nothing_does_not_wait_for_what_is_written_down(host: Host, holder: t.Any, tmp_path: Path) -> None:
    """A task that is at work has its log there; whoever finds all as it is wanted goes on, and who does not waits."""
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    directory = Path(host.places.logs[0])
    log = UndoLog([str(directory)], "system.undo", {"module": "unit", "task": "", "rollback": False})
    path.write_bytes(b"new")
    log.add(way_back.FileWas(str(path), None, b"new"))
    session = type("Session", (), {"reading": at_once, "manager": host.manager, "timeout": 0.05, "down": False})()
    assert bring_about(host.module(), session, Plan)[2] is False
    assert path.exists()
    with pytest.raises(Busy):
        bring_about(host.module(), session, lambda: Plan([WriteFile(str(path), b"x", None, TOOLS)]))
    process, let_go = holder
    let_go.set()
    process.join()
    assert host.task(list)
    assert not path.exists()


def _killed_while_at_work(host: Host, path: Path) -> None:
    """Have a task write a file and be killed, with its log in place."""
    task = os.fork()
    if not task:
        log = UndoLog(host.places.logs, "system.undo", {"module": "unit", "task": "", "rollback": False})
        log.add(way_back.FileWas(str(path), None, b"new"))
        path.write_bytes(b"new")
        os.kill(os.getpid(), signal.SIGKILL)
    # It is still there as a zombie, and dead all the same.
    os.waitid(os.P_PID, task, os.WEXITED | os.WNOWAIT)


def test_what_a_killed_task_made_is_not_taken_for_lasting_while_somebody_takes_it_back(
    host: Host, holder: t.Any, tmp_path: Path
) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    _killed_while_at_work(host, path)
    session = type("Session", (), {"reading": at_once, "manager": host.manager, "timeout": 0.05, "down": False})()
    with pytest.raises(Busy):
        bring_about(host.module(), session, Plan)
    plan, _ctx, changed = bring_about(host.module(check_mode=True), session, Plan)
    assert (plan.describe(), changed) == (["put back what an interrupted task had begun"], True)
    os.wait()


def test_a_task_waits_for_the_guardian_of_a_killed_one(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is as wanted when it looks, and is taken back after that: by a process that is slower than the next task."""
    path, its_pid = tmp_path / "units" / "f", tmp_path / "guardian"
    path.parent.mkdir()
    path.write_bytes(b"v1")

    def make_plan(*more: Step) -> Plan:
        before = Saved.of(str(path))
        assert before is not None
        write = [] if before.content == b"v2" else [WriteFile(str(path), b"v2", before, TOOLS)]
        return Plan([*write, *more], [Change("a", "", "")])

    def connect(session: object) -> Manager:
        """In the guardian: stop, once the lock is taken."""
        from ansible_collections.pidone.systemd.plugins.module_utils._engine import undo_log

        put_back = undo_log.put_back

        def slowly(*words: t.Any) -> t.Any:
            its_pid.with_suffix(".new").write_text(str(os.getpid()))
            its_pid.with_suffix(".new").rename(its_pid)
            os.kill(os.getpid(), signal.SIGSTOP)
            return put_back(*words)

        monkeypatch.setattr(undo_log, "put_back", slowly)
        return Manager()

    class KillsItself(Dies):
        def apply(self, ctx: Context) -> bool:
            os.kill(os.getpid(), signal.SIGKILL)
            return True

    facts = {"reading": at_once, "manager": host.manager, "timeout": 60.0, "down": False, "connect": connect}
    session = type("Session", (), facts)()
    task = os.fork()
    if not task:
        bring_about(host.module(), session, lambda: make_plan(KillsItself()), guarded=True)
        os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(task, 0)[1])
    deadline = time.monotonic() + 60
    while not its_pid.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    guardian = int(its_pid.read_text())
    while _state(guardian) != "T" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.read_bytes() == b"v2"

    is_on_its_way, changed = threading.Event(), []

    def waits(seconds: float) -> None:
        is_on_its_way.set()
        select.select([], [], [], seconds)

    def run_next() -> None:
        changed.append(bring_about(host.module(), session, make_plan)[2])
        is_on_its_way.set()

    monkeypatch.setattr(
        "ansible_collections.pidone.systemd.plugins.module_utils._engine.lock.time",
        type("Time", (), {"monotonic": time.monotonic, "time": time.time, "sleep": staticmethod(waits)}),
    )
    following = threading.Thread(target=run_next)
    following.start()
    assert is_on_its_way.wait(20)
    os.kill(guardian, signal.SIGCONT)
    following.join()
    deadline = time.monotonic() + 60
    while _state(guardian) not in "ZX" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.read_bytes() == b"v2"
    assert changed == [True]
    assert host.logs() == []


def _state(pid: int) -> str:
    """The state of a process as /proc has it, one letter; X where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "X"


def test_what_was_taken_back_while_a_task_looked_is_looked_at_again(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    path.write_bytes(b"new")
    seen: list[bool] = []

    def make_plan() -> Plan:
        seen.append(path.exists())
        if len(seen) == 1:
            # Somebody else takes back what a killed task made, start to end.
            other = Lock(host.places.lock)
            other.acquire(1, "unit")
            path.unlink()
            other.release()
        return Plan() if seen[-1] else Plan([WriteFile(str(path), b"new", None, TOOLS)])

    session = type("Session", (), {"reading": at_once, "manager": host.manager, "timeout": 10.0, "down": False})()
    assert bring_about(host.module(), session, make_plan)[2] is True
    assert path.read_bytes() == b"new"


def test_who_had_to_wait_looks_again(host: Host, holder: t.Any, tmp_path: Path) -> None:
    _process, let_go = holder
    looked: list[int] = []

    def make_plan() -> Plan:
        looked.append(1)
        let_go.set()
        return Plan([WriteFile(str(tmp_path / "f"), b"x", None, TOOLS)])

    session = type("Session", (), {"reading": at_once, "manager": host.manager, "timeout": 10.0, "down": False})()
    assert bring_about(host.module(), session, make_plan)[2] is True
    assert len(looked) == 2


def test_who_was_overtaken_between_looking_and_acting_looks_again(host: Host, tmp_path: Path) -> None:
    looked: list[int] = []

    def make_plan() -> Plan:
        looked.append(1)
        if len(looked) == 1:
            other = Lock(host.places.lock)
            other.acquire(1, "unit")
            other.release()
        return Plan([WriteFile(str(tmp_path / "f"), b"x", None, TOOLS)])

    session = type("Session", (), {"reading": at_once, "manager": host.manager, "timeout": 10.0, "down": False})()
    bring_about(host.module(), session, make_plan)
    assert len(looked) == 2


@pytest.mark.parametrize(
    "said", [b"", b"\xff", b"[]", b'{"module": 5}', b'{"module": "\\u001b[2J{{ x }}", "pid": 1, "since": 1e400}']
)
def test_what_a_holder_says_of_itself_is_not_believed(tmp_path: Path, said: bytes) -> None:
    path = tmp_path / "l"
    path.write_bytes(said)
    held = os.open(path, os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(Busy) as caught:
        Lock(str(path)).acquire(0.01, "unit")
    os.close(held)
    assert caught.value.msg.startswith("another task")
    assert "\x1b" not in caught.value.msg


# -- what was written down by somebody else


@pytest.mark.parametrize(
    "note",
    [
        '{"kind": "file", "path": "/a\\u0000b", "before": null, "digest": null}',
        '{"kind": "file", "path": "units/a.service", "before": null, "digest": null}',
        '{"kind": "links", "directories": [1], "before": {}, "names": [], "root": ""}',
        '{"kind": "links", "directories": [], "before": [], "names": [], "root": ""}',
        '{"kind": "links", "directories": [], "before": {"/a": 1}, "names": [], "root": ""}',
        '{"kind": "jobs", "up": [{}], "again": "start", "down": [], "for_now": false, "anew": []}',
        '{"kind": "jobs", "up": "abc", "again": "start", "down": [], "for_now": false, "anew": []}',
        '{"kind": "jobs", "up": [], "again": "start", "down": [], "for_now": false, "anew": [[1, 2, 3, 4]]}',
        '{"kind": "drop-ins", "files": []}',
        '{"kind": "environment", "before": {"A": 1}, "digests": {}}',
        '{"kind": "environment", "before": {"A": "\\u0000"}, "digests": {}}',
        '{"kind": "environment", "before": [], "digests": {}}',
        '{"kind": "setting", "name": "ConfirmSpawn", "before": "", "after": ""}',
        '{"kind": "linger", "users": [], "on": true}',
        '{"kind": "linger", "users": {"a": "x"}, "on": true}',
        '{"kind": "properties", "values": [], "volatile": {}}',
        pytest.param("[" * 100_000, id="deep"),
        "1",
    ],
)
def test_a_forged_note_is_one_clear_error(host: Host, note: str) -> None:
    directory = Path(host.places.logs[0])
    directory.mkdir(parents=True)
    log = directory / "system.undo"
    line = note.replace("{", '{"lasting": true, ', 1)
    log.write_text(f'{{"version": 1, "boot": "", "since": 0}}\n{line}\n')
    with pytest.raises(SystemdError, match=r"cannot make sense of .*system\.undo.*remove") as caught:
        host.task(list)
    assert len(caught.value.msg) < 1000


@pytest.mark.parametrize("since", ['"x"', "[]", "1e400", "1e300", "null"])
def test_a_forged_time_is_one_clear_error(host: Host, since: str) -> None:
    directory = Path(host.places.logs[0])
    directory.mkdir(parents=True)
    (directory / "system.undo").write_text(f'{{"version": 1, "boot": "", "since": {since}}}\n')
    with pytest.raises(SystemdError, match="cannot make sense of"):
        host.task(list)


def test_a_note_that_cannot_be_undone_does_not_keep_the_others_from_it(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    with pytest.raises(Killed):
        host.task(lambda: [WriteFile(str(path), b"x", None, TOOLS), Dies()])
    (log,) = host.logs()
    saved = {"content": "", "mode": 420, "uid": 1 << 80, "gid": 0, "times": [0, 0], "label": None}
    forged = {"kind": "attributes", "lasting": True, "path": str(tmp_path / "other"), "before": saved}
    (tmp_path / "other").write_bytes(b"")
    with open(log, "a", encoding="ascii") as file:
        file.write(json.dumps(forged) + "\n")
    with pytest.raises(SystemdError, match="cannot all be put back"):
        host.task(list)
    assert not path.exists()


def test_a_users_log_that_is_too_large_is_not_taken_in(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Path(host.places.logs[0])
    directory.mkdir(parents=True)
    log = directory / "system.undo"
    log.write_text('{"version": 1, "boot": "", "since": 0}\n' + "[]\n" * 1000)
    monkeypatch.setattr("ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log._LIMIT", 1000)
    monkeypatch.setattr("ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log._USERS_LIMIT", 1000)
    with pytest.raises(SystemdError, match="too large"):
        host.task(list)


def test_hosts_that_share_a_home_directory_have_logs_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that is at work on another host, where its lock is, must not be taken for one that was cut short."""
    monkeypatch.undo()
    session = type("Session", (), {"scope": "user", "root": None, "uid": 1 << 30, "home": "/home/u"})()
    here = module.places_of(session)
    monkeypatch.setattr(module, "_machine", lambda: "another")
    there = module.places_of(session)
    assert here is not None
    assert there is not None
    assert here.state == there.state
    assert here.name != there.name


def test_a_container_that_was_booted_again_is_told_by_its_first_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The kernel's boot_id is the same in all containers, whenever they begin."""
    import builtins

    stat = tmp_path / "stat"
    own_open = builtins.open

    def fake_open(path: t.Any, *words: t.Any, **more: t.Any) -> t.Any:
        return own_open(stat if path == "/proc/1/stat" else path, *words, **more)

    monkeypatch.setattr(builtins, "open", fake_open)
    found = []
    for began in (7, 7, 8):
        stat.write_text(f"1 (a) b) S {' '.join(map(str, range(100, 118)))} {began} 0 0\n")
        found.append(boot_id())
    assert found[0] == found[1] != found[2]


def test_a_unit_that_cannot_come_up_any_more_keeps_nobody_from_mending_it(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stopped by a task that was cut short is started; where that fails, it is told, and the next task goes on."""
    with pytest.raises(Killed):
        host.task(lambda: [Jobs("stop", ["a.service"], ["a.service"]), Dies()])
    monkeypatch.setattr(host.manager, "enqueue", lambda wanted: [Enqueued(name, error=CallFailed("x", "no such unit")) for name, _kind in wanted])
    host.task(list, name="other")
    assert any("a.service did not come up again" in line for line in host.warned)
    assert host.logs() == []


def test_the_directories_of_logs_are_nobody_elses_whatever_the_umask_is(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    former = os.umask(0)
    try:
        with pytest.raises(Killed):
            host.task(lambda: [WriteFile(str(path), b"x", None, TOOLS), Dies()])
    finally:
        os.umask(former)
    for each in (host.places.state, host.places.logs[0]):
        assert Path(each).stat().st_mode & 0o022 == 0


# -- a tree in which somebody else is at work


def _tree_host(host: Host, tmp_path: Path) -> tuple[Path, Path]:
    units, victim = tmp_path / "tree" / "units", tmp_path / "victim"
    units.mkdir(parents=True)
    victim.mkdir()
    host.manager.root = str(tmp_path / "tree")
    host.manager.offline = True
    return units, victim


def _swap(units: Path, victim: Path) -> None:
    units.rename(units.with_name("before"))
    units.symlink_to(victim)


def test_a_killed_task_of_a_tree_is_not_undone_outside_of_it(host: Host, tmp_path: Path) -> None:
    """What was in the tree before would be written where a link leads that is put there after the kill."""
    units, victim = _tree_host(host, tmp_path)
    path = units / "a.service"
    path.write_bytes(b"of the tree")
    made = units / "a.service.d" / "b.conf"
    with pytest.raises(Killed):
        host.task(
            lambda: [
                RemoveFile(str(path), Saved.of(str(path)), TOOLS),
                WriteFile(str(made), b"x", None, TOOLS),
                RemoveLinks({str(units / "link"): "/etc/shadow"}),
                Dies(),
            ]
        )
    _swap(units, victim)
    (victim / "a.service.d").mkdir()
    (victim / "a.service.d" / "b.conf").write_bytes(b"x")
    before = picture(victim)
    host.task(list)
    assert picture(victim) == before
    assert any("has put a link on the way" in line for line in host.warned)


@pytest.mark.parametrize("rollback", [True, False])
def test_a_step_in_a_tree_does_not_follow_what_was_swapped(host: Host, tmp_path: Path, rollback: bool) -> None:
    units, victim = _tree_host(host, tmp_path)
    path = units / "a.service"
    path.write_bytes(b"of the tree")
    (victim / "a.service").write_bytes(b"of the host")

    class Swaps(Step):
        def describe(self) -> str:
            return "swap"

        def apply(self, ctx: Context) -> bool:
            _swap(units, victim)
            return True

    def steps() -> list[Step]:
        first = [WriteFile(str(path), b"new", Saved.of(str(path)), TOOLS)] if rollback else []
        return [*first, Swaps(), RemoveFile(str(path), None, TOOLS)]

    with pytest.raises(SystemdError, match="has put a link on the way"):
        host.task(steps, rollback=rollback)
    assert (victim / "a.service").read_bytes() == b"of the host"
    assert len(list(victim.iterdir())) == 1


# -- the disk


def test_many_files_are_written_down_at_once(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is waited for once for all of them, and a kill before the last one is undone all the same."""
    units = tmp_path / "units"
    units.mkdir()
    written: list[str] = []

    def write(descriptor: int, text: str) -> None:
        written.append(text)
        os.write(descriptor, text.encode())

    monkeypatch.setattr("ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log._write", write)
    paths = [units / f"{number}.timer" for number in range(20)]
    paths[19].write_bytes(b"old")

    def steps() -> list[Step]:
        files: list[Step] = [WriteFile(str(path), b"new", Saved.of(str(path)), TOOLS) for path in paths]
        return [*files[:10], Dies(), *files[10:]]

    with pytest.raises(Killed):
        host.task(steps)
    assert len(written) == 1
    assert written[0].count('"file"') == 10
    host.task(list)
    assert [path.name for path in units.iterdir()] == ["19.timer"]
    assert paths[19].read_bytes() == b"old"


def test_what_was_foretold_and_never_came_is_left_as_it_is(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was only to be written is not written again for having been looked at."""
    units = tmp_path / "units"
    units.mkdir()
    paths = [units / "a.timer", units / "b.timer"]
    for path in paths:
        path.write_bytes(b"old")

    def die(*words: t.Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("ansible_collections.pidone.systemd.plugins.module_utils._engine.files.replace", die)
        with pytest.raises(Killed):
            host.task(lambda: [WriteFile(str(path), b"new", Saved.of(str(path)), TOOLS) for path in paths])
    for path in paths:
        os.utime(path, ns=(1, path.stat().st_mtime_ns))
    before = [path.stat().st_ino for path in paths]
    host.task(list)
    assert [path.stat().st_ino for path in paths] == before
    assert host.logs() == []


def test_a_directory_is_listed_once_for_all_that_is_put_back(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = tmp_path / "units"
    units.mkdir()
    paths = [units / f"{number}.timer" for number in range(30)]
    with pytest.raises(Killed):
        host.task(lambda: [*(WriteFile(str(path), b"new", None, TOOLS) for path in paths), Dies()])
    listed: list[str] = []
    own = os.listdir

    def listdir(path: t.Any) -> list[str]:
        listed.append(str(path))
        return own(path)

    monkeypatch.setattr(os, "listdir", listdir)
    host.task(list)
    assert listed.count(str(units)) == 1
    assert list(units.iterdir()) == []


# -- signals


@pytest.mark.parametrize("rollback", [True, False])
def test_a_lost_connection_ends_in_order(host: Host, tmp_path: Path, rollback: bool) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    path.write_bytes(b"v1")

    class HangsUp(Step):
        def describe(self) -> str:
            return "hang up"

        def apply(self, ctx: Context) -> bool:
            os.kill(os.getpid(), signal.SIGHUP)
            raise AssertionError

    def steps() -> list[Step]:
        return [WriteFile(str(path), b"v2", Saved.of(str(path)), TOOLS), HangsUp()]

    former = signal.getsignal(signal.SIGHUP)
    with pytest.raises(SystemdError, match="interrupted by SIGHUP") as caught:
        host.task(steps, rollback=rollback)
    assert signal.getsignal(signal.SIGHUP) is former
    if rollback:
        assert "as it was" in caught.value.msg
        assert host.logs() == []
    else:
        host.task(list)
    assert path.read_bytes() == b"v1"


def test_the_same_task_is_told_by_a_hash_that_holds_no_secret_options(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    with pytest.raises(Killed):
        host.task(lambda: [WriteFile(str(path), b"x", None, TOOLS), Dies()], stdin="s3cret", name="a")
    (log,) = host.logs()
    header = json.loads(Path(log).read_text().splitlines()[0])
    assert "s3cret" not in json.dumps(header)
    assert Path(log).stat().st_mode & 0o077 == 0


def test_links_are_noted_before_systemd_is_asked(tmp_path: Path) -> None:
    order: list[str] = []

    class Asked(Manager):
        def enable(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
            order.append("enable")
            return []

    ctx = Context(Asked())
    ctx.undo_log = type("Log", (), {"add": lambda self, note: order.append(note.kind)})()
    UnitFileLinks("enable", ["a.service"], [str(tmp_path)]).apply(ctx)
    assert order == ["links", "enable"]


def test_replace_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")

    def refuse(temporary: str) -> None:
        raise OSError(1, "Operation not permitted")

    with pytest.raises(OSError, match="not permitted"):
        replace(f"{tmp_path}/f", b"new", refuse)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"old"}


# -- what the manager itself was


class Settings(Manager):
    """A manager with an environment and a log level, each change of which is in `log`."""

    def __init__(self, level: str, **environment: str) -> None:
        super().__init__()
        self.level = self.configured = level
        self.set_over_bus, self.variables = False, environment

    def environment(self) -> dict[str, str]:
        return dict(self.variables)

    def change_environment(self, unset: t.Sequence[str], assign: dict[str, str]) -> None:
        self.log.append(f"unset {sorted(unset)} set {assign}")
        self.variables = {k: v for k, v in {**self.variables, **assign}.items() if k not in unset}

    def manager_property(self, name: str) -> str:
        assert name == "LogLevel"
        return self.level

    def set_manager_property(self, name: str, value: str) -> None:
        assert name == "LogLevel"
        self.set_over_bus = bool(value)
        self.level = value or self.configured


def test_a_killed_task_of_the_manager_itself_is_put_back(host: Host) -> None:
    """What was set, unset and never there; the log holds no value that is set."""
    host.manager = manager = Settings("info", KEPT="k", OLD="o", GONE="g")
    before = manager.environment()

    def steps() -> list[Step]:
        now = manager.environment()
        return [
            SetEnvironment(now, {"OLD": "secret-of-new", "NEW": "secret-too"}, ["GONE"]),
            SetLogging("LogLevel", manager.level, "debug"),
            Dies(),
        ]

    with pytest.raises(Killed):
        host.task(steps)
    assert manager.environment() == {"KEPT": "k", "OLD": "secret-of-new", "NEW": "secret-too"}
    (log,) = host.logs()
    assert "secret" not in Path(log).read_text()
    assert host.task(list, other=1)
    assert (manager.environment(), manager.level, manager.set_over_bus) == (before, "info", False)
    assert "environment variables" in host.warned[0]
    assert "LogLevel as it was" in host.warned[0]


def test_what_others_set_since_is_left_alone(host: Host) -> None:
    host.manager = manager = Settings("info", A="1")
    with pytest.raises(Killed):
        host.task(
            lambda: [
                SetEnvironment(manager.environment(), {"A": "2", "B": "2"}, []),
                SetLogging("LogLevel", "info", "debug"),
                Dies(),
            ]
        )
    manager.variables["B"], manager.level = "somebody's", "err"
    host.task(list)
    assert (manager.environment(), manager.level) == ({"A": "1", "B": "somebody's"}, "err")
    assert host.warned[0].count("somebody else") == 2
    assert host.logs() == []


def test_what_was_foretold_of_the_manager_and_never_came_is_no_change(host: Host) -> None:
    host.manager = manager = Settings("info", A="1")
    with pytest.raises(Killed):
        host.task(lambda: [SetEnvironment({"A": "1"}, {"A": "2"}, []), SetLogging("LogLevel", "info", "debug"), Dies()])
    manager.variables["A"], manager.level = "1", "info"
    manager.log.clear()
    host.task(list)
    assert manager.log == ["reload"]


@pytest.mark.parametrize(
    ("on", "same", "expected"),
    [
        # What runs is stopped by nobody; what was turned off comes back, unless it is to be turned off again.
        (True, False, []),
        (True, True, []),
        (False, False, [([1000], True)]),
        (False, True, []),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_lingering(host: Host, monkeypatch: pytest.MonkeyPatch, on: bool, same: bool, expected: t.Any, fails: bool) -> None:
    """A task that was killed after logind did it; the same one, run again and rolled back, ends as before both."""
    lingering = {"deploy": not on}
    calls: list[t.Any] = []

    def set_linger(uids: t.Sequence[int], to: bool, jeepney: t.Any) -> None:
        calls.append((list(uids), to))
        lingering["deploy"] = to

    base = "ansible_collections.pidone.systemd.plugins.module_utils."
    monkeypatch.setattr(f"{base}_tasks.user_manager.task.set_linger", set_linger)
    monkeypatch.setattr(f"{base}_systemd.logind.set_linger", set_linger)
    monkeypatch.setattr(f"{base}_systemd.logind.lingers", lingering.__getitem__)
    monkeypatch.setattr(f"{base}_dbus.carrier.import_jeepney", lambda: None)
    monkeypatch.setattr(f"{base}_systemd.accounts.user_entry", lambda name: type("Entry", (), {"pw_uid": 1000})())
    with pytest.raises(Killed):
        host.task(lambda: [SetLinger({"deploy": 1000}, on, None), Dies()])
    calls.clear()
    last: list[Step] = [Fails(SystemdError("no"))] if fails else []
    options: dict[str, t.Any] = {} if same else {"other": 1}
    try:
        host.task(lambda: list(last), rollback=True, **options)
    except SystemdError:
        assert fails
    assert calls == (expected or ([([1000], not on)] if fails and same else []))
    assert host.logs() == []
    if on and not same:
        assert "deploy lingers since" in host.warned[0]


def test_what_a_users_manager_ran_is_gone_with_it(host: Host, tmp_path: Path) -> None:
    """The manager of a user was killed with the task, and does not run when the next one comes: files are put back all the same."""
    path = tmp_path / "units" / "f"
    path.parent.mkdir()
    host.manager = manager = Settings("info", A="1")
    with pytest.raises(Killed):
        host.task(
            lambda: [
                Jobs("stop", ["a.service"], up=["a.service"]),
                SetEnvironment(manager.environment(), {"A": "2"}, []),
                SetLogging("LogLevel", "info", "debug"),
                WriteFile(str(path), b"x", None, TOOLS),
                Dies(),
            ]
        )
    host.manager = t.cast(t.Any, AbsentManager(str(tmp_path), 1000))
    assert host.task(list, other=1)
    assert not path.exists()
    assert host.logs() == []


def test_a_link_and_what_was_removed_are_on_the_disk_before_they_are_forgotten(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut must not bring back what a task has removed, when nobody knows of that any more."""
    done: list[str] = []
    fsync, unlink, rename = os.fsync, os.unlink, os.replace

    def watched_fsync(descriptor: int) -> None:
        done.append(f"sync {os.readlink(f'/proc/self/fd/{descriptor}')}")
        fsync(descriptor)

    def watched_unlink(path: t.Any, **more: t.Any) -> None:
        unlink(path, **more)
        done.append(f"unlink {path}")

    def watched_replace(source: t.Any, target: t.Any, **more: t.Any) -> None:
        rename(source, target, **more)
        done.append(f"replace {target}")

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "unlink", watched_unlink)
    monkeypatch.setattr(os, "replace", watched_replace)
    replace_link(f"{tmp_path}/l", "/y")
    assert done == [f"replace {tmp_path}/l", f"sync {tmp_path}"]
    units = tmp_path / "units"
    units.mkdir()
    (units / "gone").write_bytes(b"gone")
    (units / "link").symlink_to("/x")
    done.clear()
    saved = t.cast(Saved, Saved.of(f"{units}/gone"))
    host.task(lambda: [RemoveFile(f"{units}/gone", saved, TOOLS), RemoveLinks({f"{units}/link": "/x"})])
    log = next(each for each in done if each.startswith("unlink") and each.endswith(".undo"))
    last = max(done.index(f"unlink {units}/gone"), done.index(f"unlink {units}/link"))
    assert f"sync {units}" in done[last : done.index(log)]
    # And when it is put back.
    with pytest.raises(Killed):
        host.task(lambda: [WriteFile(f"{units}/new", b"new", None, TOOLS), Dies()])
    done.clear()
    host.task(list, other=1)
    log = next(each for each in done if each.startswith("unlink") and each.endswith(".undo"))
    assert f"sync {units}" in done[done.index(f"unlink {units}/new") : done.index(log)]


def test_a_task_that_has_no_log_removes_what_a_killed_one_left_beside_its_file(tmp_path: Path) -> None:
    """Tasks with records of their own (handovers) come again to the same file, and nobody else looks there."""
    path = tmp_path / "a.service"
    (tmp_path / ".a.service.0123abcd.pidone-tmp").write_text("half")
    (tmp_path / ".b.service.0123abcd.pidone-tmp").write_text("somebody's")
    WriteFile(str(path), b"whole", None, TOOLS).apply(Context(Manager()))
    assert sorted(os.listdir(tmp_path)) == [".b.service.0123abcd.pidone-tmp", "a.service"]
