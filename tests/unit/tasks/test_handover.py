# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared, in which order services go, and what is kept of them."""

from __future__ import annotations

import copy
import errno
import itertools
import json
import os
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._observe.expected import Expected
from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import KINDS, compare, missing_sockets
from ansible_collections.pidone.systemd.plugins.module_utils._sources import load, names
from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Service
from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.supervisor import ServiceDirectory
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued, Job, UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover import back as way_back
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover import steps, units
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.execute import Execution
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.item import Item
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.moving import Moving, UnitWish
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.order import Edge, arrange, edges_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Record, Records

BEFORE: dict[str, t.Any] = {
    "pid": 100,
    "started": 1,
    "command": ["web", "-p", "80"],
    "program": "/usr/bin/web",
    "uid": 33,
    "user": "www-data",
    "gid": 33,
    "group": "www-data",
    "group_ids": [8, 33],
    "groups": ["mail", "www-data"],
    "cwd": "/srv",
    "root": "/",
    "environment": ["PATH", "PWD", "LANG_OF_APP"],
    "umask": "0022",
    "limits": {"NOFILE": ["1024", "4096"], "CORE": ["0", "unlimited"]},
    "nice": 0,
    "cgroup": "/system.slice/runit.service",
    "session": 90,
    "process_group": 90,
    "stdio": ["/dev/null", "pipe:[1]", "pipe:[1]"],
    "sockets": ["tcp 0.0.0.0:80", "unix /run/web.sock"],
    "processes": 2,
}
UNDER_SYSTEMD: dict[str, t.Any] = {
    "pid": 200,
    "command": ["/usr/bin/web", "-p", "80"],
    "environment": ["PATH", "LANG_OF_APP", "INVOCATION_ID", "JOURNAL_STREAM", "USER"],
    "cgroup": "/system.slice/web.service",
    "session": 200,
    "process_group": 200,
    "stdio": ["/dev/null", "socket:[2]", "socket:[2]"],
}


def after(**changed: t.Any) -> dict[str, t.Any]:
    return {**copy.deepcopy(BEFORE), **UNDER_SYSTEMD, **changed}


def test_what_systemd_does_to_every_service_is_expected() -> None:
    found = compare(BEFORE, after())
    assert all(one["expected"] and not one["worse"] for one in found)
    assert [one["what"] for one in found] == ["command", "environment", "cgroup", "session", "stdout", "stderr"]
    assert compare(BEFORE, copy.deepcopy(BEFORE)) == []


WORSE: list[tuple[str, dict[str, t.Any]]] = [
    ("command", {"command": ["web", "-p", "81"]}),
    ("command", {"command": ["web", "-p"]}),
    ("command", {"command": ["/usr/bin/web", "-p", "/80"]}),
    ("program", {"program": "/usr/bin/other"}),
    ("user", {"uid": 0, "user": "root"}),
    ("group", {"gid": 0, "group": "root", "group_ids": [8], "groups": ["mail"]}),
    ("groups", {"group_ids": [33], "groups": ["www-data"]}),
    ("groups", {"group_ids": [4, 8, 33], "groups": ["adm", "mail", "www-data"]}),
    ("cwd", {"cwd": "/"}),
    ("root", {"root": "/srv"}),
    ("environment", {"environment": ["PATH", "INVOCATION_ID"]}),
    ("umask", {"umask": "0000"}),
    ("limits", {"limits": {"NOFILE": ["1024", "2048"], "CORE": ["0", "unlimited"]}}),
    ("limits", {"limits": {"NOFILE": ["1024", "4096"], "CORE": ["0", "0"]}}),
    ("nice", {"nice": -3}),
    ("sockets", {"sockets": ["tcp 0.0.0.0:80"]}),
    ("sockets", {"sockets": ["tcp 127.0.0.1:80", "unix /run/web.sock"]}),
]


@pytest.mark.parametrize(("what", "changed"), WORSE)
def test_worse(what: str, changed: dict[str, t.Any]) -> None:
    (one,) = (each for each in compare(BEFORE, after(**changed)) if each["worse"])
    assert one["what"] == what
    assert one["expected"] is False
    accepted = compare(BEFORE, after(**changed), accept={what})
    assert [each["what"] for each in accepted if not each["expected"]][:1] == [what]
    assert not any(each["worse"] for each in accepted)


def test_every_kind_can_be_worse_and_be_accepted() -> None:
    assert {what for what, _changed in WORSE} == set(KINDS)


@pytest.mark.parametrize(
    "changed",
    [
        {"limits": {"NOFILE": ["1024", "524288"], "CORE": ["0", "unlimited"]}},
        {"limits": {"NOFILE": ["unlimited", "unlimited"], "CORE": ["0", "unlimited"]}},
        {"environment": ["PATH", "LANG_OF_APP", "MORE"]},
        {"sockets": ["tcp 0.0.0.0:80", "tcp 0.0.0.0:81", "unix /run/web.sock"]},
    ],
)
def test_more_is_told_and_no_reason_to_go_back(changed: dict[str, t.Any]) -> None:
    (one,) = (each for each in compare(BEFORE, after(**changed)) if not each["expected"])
    assert not one["worse"]


def test_an_environment_that_cannot_be_seen_is_not_compared() -> None:
    assert "environment" not in [one["what"] for one in compare(BEFORE, after(environment=[]))]
    assert "environment" not in [one["what"] for one in compare({**BEFORE, "environment": []}, after())]


def test_own_group_among_the_others_is_the_same() -> None:
    assert not [one for one in compare(BEFORE, after(group_ids=[8], groups=["mail"])) if not one["expected"]]


def test_the_service_directory_is_no_choice_of_the_service() -> None:
    before = {**BEFORE, "cwd": "/etc/sv/web"}
    assert all(one["expected"] for one in compare(before, after(cwd="/"), expected=Expected("/etc/sv/web", "that is its")))
    assert any(one["worse"] for one in compare(before, after(cwd="/srv"), expected=Expected("/etc/sv/web", "that is its")))
    assert any(one["worse"] for one in compare(before, after(cwd="/"), expected=Expected("/etc/sv/other")))


@pytest.mark.parametrize("source", names())
def test_what_follows_from_the_source_is_expected(source: str) -> None:
    """Its directory and what it hands down; of another source, or without one, their loss is a reason to go back."""
    before = {**BEFORE, "cwd": "/etc/sv/web", "environment": [*BEFORE["environment"], "SVDIR", "RUNLEVEL"]}
    now = after(cwd="/")
    told = compare(before, now, expected=load(source).expected("/etc/sv/web"))
    assert not any(one["worse"] for one in told)
    assert [one["reason"] for one in told if one["what"] == "cwd"] == ["it was in the service directory, where runsv starts everything"]
    assert {one["what"] for one in compare(before, now) if one["worse"]} == {"cwd", "environment"}


def test_paths_of_scripts_are_told_apart(tmp_path: Path) -> None:
    for name in ("a/run", "b/run"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    before = {**BEFORE, "command": ["/bin/sh", "./run"], "cwd": str(tmp_path / "a")}

    def worse(script: str) -> list[str]:
        command = ["/bin/sh", script]
        return [one["what"] for one in compare(before, after(command=command, cwd=before["cwd"])) if one["worse"]]

    assert worse(str(tmp_path / "a/run")) == []
    assert worse(str(tmp_path / "b/run")) == ["command"]


def test_ports_that_the_host_chose() -> None:
    ports = (32768, 60999)
    before = {**BEFORE, "sockets": ["tcp 0.0.0.0:40000", "tcp 0.0.0.0:50000", "udp 0.0.0.0:41000", "unix /tmp/w.100"]}
    # One port has another in its place; the other has not, and so was chosen by somebody.
    now = after(sockets=["tcp 0.0.0.0:40001", "tcp 0.0.0.0:50000", "unix /tmp/w.200"])
    assert missing_sockets(before, now, ports) == []
    assert all(one["expected"] for one in compare(before, now, ephemeral=ports))
    now = after(sockets=["tcp 0.0.0.0:50000"])
    assert missing_sockets(before, now, ports) == ["tcp 0.0.0.0:40000"]


# -- order


def pulls(**directives: str) -> dict[str, list[str]]:
    return {key: value.split() for key, value in directives.items()}


OWNER = {"x.service": "x", "y.service": "y"}


def test_who_wants_goes_before_the_wanted_is_known() -> None:
    said = {"x.service": pulls(Wants="y.service other.service", After="y.service"), "y.service": {}}
    assert edges_of(said, OWNER, ()) == [Edge("x", "y", apart=True)]
    assert arrange(["y", "x"], edges_of(said, OWNER, ())) == [["x"], ["y"]]
    # Known to systemd, it would be started with x.
    assert arrange(["x", "y"], edges_of(said, OWNER, {"y.service"})) == [["y", "x"]]
    assert arrange(["x", "y"], edges_of(said, OWNER, {"y.service"}, back=True)) == [["y", "x"]]


def test_the_required_goes_first_and_comes_back_last() -> None:
    said = {
        "x.service": pulls(Requires="y.service", After="y.service", Wants="y.service"),
        "y.service": pulls(Before="x.service"),
    }
    assert edges_of(said, OWNER, ()) == [Edge("y", "x")]
    assert edges_of(said, OWNER, (), back=True) == [Edge("x", "y")]


def test_order_alone_holds_nobody_back() -> None:
    assert edges_of({"x.service": pulls(After="y.service")}, OWNER, ()) == [Edge("y", "x", soft=True)]
    assert edges_of({"x.service": pulls(Before="y.service")}, OWNER, ()) == [Edge("x", "y", soft=True)]
    assert edges_of({"x.service": pulls(After="y.service")}, OWNER, (), back=True) == [Edge("x", "y", soft=True)]


def test_arrange() -> None:
    assert arrange([], []) == []
    assert arrange(["b", "a"], []) == [["b", "a"]]
    assert arrange(["a", "b", "c"], [Edge("c", "b"), Edge("b", "a")]) == [["c", "b", "a"]]
    chain = [Edge("c", "b", True), Edge("b", "a", True), Edge("d", "a")]
    assert arrange(["a", "b", "c", "d"], chain) == [["c", "d"], ["b"], ["a"]]
    # Circles: nothing is lost.
    circle = [Edge("a", "b"), Edge("b", "c"), Edge("c", "a")]
    assert sorted(itertools.chain(*arrange(["a", "b", "c"], circle))) == ["a", "b", "c"]


# -- records


def test_records(tmp_path: Path) -> None:
    records = Records(str(tmp_path / "handover"))
    assert records.names() == []
    assert records.load("web") is None
    records.hold()
    with pytest.raises(SystemdError, match="another handover"):
        Records(records.directory).hold()
    record = Record("web", {"phase": "begun", "source": "runit", "memo": {"links": {"/etc/service/web": "../sv/web"}}})
    records.save(record)
    assert os.stat(tmp_path / "handover" / "web.json").st_mode & 0o077 == 0
    assert records.names() == ["web"]
    loaded = records.load("web")
    assert loaded is not None
    assert loaded.as_data() == record.as_data()
    assert loaded.memo == {"links": {"/etc/service/web": "../sv/web"}}
    records.forget("web")
    records.forget("web")
    assert records.names() == []
    records.release()
    Records(records.directory).hold()


@pytest.mark.parametrize("place", ["file", "directory", "above"])
def test_a_record_that_others_can_write_is_not_trusted(tmp_path: Path, place: str) -> None:
    records = Records(str(tmp_path / "state" / "handover"))
    records.save(Record("web"))
    assert records.load("web") is not None
    path = {"file": Path(records.path("web")), "directory": Path(records.directory), "above": tmp_path / "state"}[place]
    path.chmod(path.stat().st_mode | 0o020)
    with pytest.raises(SystemdError, match="is not trusted") as caught:
        records.load("web")
    assert f"write {path} " in caught.value.msg


def test_a_record_is_a_file_of_its_own(tmp_path: Path) -> None:
    records = Records(str(tmp_path))
    records.save(Record("web"))
    os.symlink("web.json", records.path("link"))
    os.mkfifo(records.path("fifo"), 0o600)
    os.mkdir(records.path("directory"), 0o700)
    for name in ("link", "fifo", "directory"):
        with pytest.raises(SystemdError, match=rf"{name}\.json"):
            records.load(name)


def test_a_record_is_replaced_whole_and_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = Records(str(tmp_path / "a" / "handover"))
    records.save(Record("web", {"phase": "begun"}))
    assert os.stat(records.directory).st_mode & 0o777 == 0o700
    synced: list[str] = []
    monkeypatch.setattr(durable, "sync_directory", synced.append)
    records.forget("web")
    records.save(Record("web", {"phase": "begun"}))
    assert synced == [records.directory] * 2
    # A killed run left this.
    Path(f"{records.directory}/.web.json.0123abcd.pidone-tmp").touch()

    def full(path: str, *_more: t.Any) -> t.NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(durable.os, "fsync", full)
        with pytest.raises(OSError):
            records.save(Record("web", {"phase": "handed_over"}))
    assert t.cast(Record, records.load("web")).phase == "begun"
    assert os.listdir(records.directory) == ["web.json"]


OF_RECORDS: list[dict[str, t.Any]] = [
    {"files": {"/x": 5}}, {"written": {"/x": None}}, {"units": "x"}, {"units": [5]}, {"path": 5}, {"before": "x"}, {"source": 5},
]  # fmt: skip
OF_MEMOS: list[dict[str, t.Any]] = [{"links": []}, {"links": {"x": "y"}}, {"was": []}, {"held_down": "yes"}]


@pytest.mark.parametrize(
    ("version", "field"),
    [
        *itertools.product((1, 2), OF_RECORDS),
        *((1, field) for field in OF_MEMOS),
        *((2, {"memo": field}) for field in OF_MEMOS),
        (2, {"memo": []}),
    ],
)
def test_a_damaged_record_is_told(tmp_path: Path, version: int, field: dict[str, t.Any]) -> None:
    records = Records(str(tmp_path))
    records.write("web", field, version)
    with pytest.raises(SystemdError, match="record of an earlier handover of web is damaged"):
        # What is the supervisor's own, that one sees.
        ServiceDirectory(Service("web", "/x", [], {}, True), "runit", t.cast(Record, records.load("web")).memo, durable, {})


@pytest.mark.parametrize("content", ["", "[]", "{", '{"version": 99}', "[" * 100_000])
def test_a_record_that_cannot_be_read_is_no_reason_to_begin_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "web.json").write_text(content)
    with pytest.raises(SystemdError, match=r"web\.json"):
        Records(str(tmp_path)).load("web")


# -- steps, with a supervisor and a manager that are not there


class World:
    """A host on which one service is defined: who runs it, and what would be wrong."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.link = directory / "scanned" / "web"
        self.link.parent.mkdir()
        self.link.symlink_to("../sv/web")
        (directory / "sv" / "web").mkdir(parents=True)
        self.unit = directory / "units" / "web.service"
        self.unit.parent.mkdir()
        self.old = True
        self.known = False
        self.new = "inactive"
        self.enabled = False
        self.copies: list[int] = []
        # Whether the old process does not end when it is told to.
        self.stubborn = False

    def look(self) -> None:
        # runsvdir starts what is linked.
        self.copies.append(int(self.old) + (self.new == "active"))


class Supervised:
    path = ""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path = str(world.directory / "sv" / "web")
        self.log = None
        self.source = "runit"
        self.held = False

    def is_supervised(self) -> bool:
        return self.world.old

    def status(self) -> dict[str, t.Any]:
        if self.world.link.is_symlink() and not self.held:
            self.world.old = True
            self.world.look()
        running = self.world.old
        return {"supervised": running, "running": running, "pid": None, "since": 0, "wanted": "up", "once": False}

    def control(self, commands: bytes) -> None:
        """Whoever is told to be up is up already."""

    def leave(self) -> None:
        assert not self.world.link.is_symlink(), "would be started again"
        self.world.old = self.world.stubborn

    def lock(self) -> bool:
        self.held = not self.world.old
        return self.held

    def unlock(self) -> None:
        self.held = False

    def wait(self, what: t.Callable[[dict[str, t.Any]], bool], deadline: float) -> bool:
        return what({**self.status(), "pid": 1})


def a_supervisor(world: World, memo: dict[str, t.Any] | None = None, files: t.Any = durable) -> ServiceDirectory:
    """A service directory half way, under a runsv that is not there."""
    path = str(world.directory / "sv" / "web")
    found = ServiceDirectory(Service("web", path, [], {}, True), "runit", {} if memo is None else memo, files, {})
    found.supervised = t.cast(t.Any, Supervised(world))
    return found


class Manager(NoManager):
    def __init__(self, world: World, fails: bool) -> None:
        self.world = world
        self.fails = fails

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        return [UnitStatus(name, "", "loaded", self.world.new, "", "", "", 0, "", "") for name in names]

    def properties(self, wanted: t.Sequence[t.Any]) -> list[t.Any]:
        return [None for _one in wanted]

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        return ["enabled" if self.world.unit.exists() else "" for _name in names]

    def reload(self, timeout: float | None = None) -> None:
        self.world.known = self.world.unit.exists()

    def enable(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        assert self.world.unit.exists()
        assert not self.world.link.is_symlink(), "both would start with the host"
        self.world.enabled = True
        return [LinkChange("symlink", "link", "")]

    def disable(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        self.world.enabled = False
        return [LinkChange("unlink", "link", "")]

    def link_directories(self) -> list[str]:
        return []

    def reset_failed(self, names: t.Sequence[str]) -> None:
        """Nothing is kept of failures."""

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Enqueued]:
        for _name, kind in wanted:
            if kind == "start":
                assert self.world.known, "systemd does not know the unit"
                self.world.new = "failed" if self.fails else "active"
            else:
                self.world.new = "inactive"
            self.world.look()
        return [Enqueued(name, Job(number, "", name, kind)) for number, (name, kind) in enumerate(wanted)]

    def wait_for_jobs(self, jobs: t.Sequence[Job], deadline: float) -> dict[int, str]:
        return {job.id: "failed" if self.fails and job.type == "start" else "done" for job in jobs}


class Killed(BaseException):
    """Stands for SIGKILL: no step catches it, and nothing is undone."""


class Broken(OSError):
    """What the operating system says of a disk that is read-only."""

    def __init__(self) -> None:
        super().__init__(errno.EROFS, "Read-only file system")


def run(
    world: World,
    records: Records,
    back: bool = False,
    fails: bool = False,
    kill_at: int = 0,
    break_at: int = 0,
) -> int:
    """One run of the steps for the service, from the record that is there; returns how many points there were.

    :param kill_at: the point at which the process is gone.
    :param break_at: the number of the thing that is not done, because of an OSError.
    """
    record = records.load("web")
    if record is None:
        record = Record("web", {"path": str(world.directory / "sv" / "web"), "source": "runit"})
        was = {"running": True, "wanted": "up", "supervised": True, "enabled": True}
        record.memo = {"links": {str(world.link): "../sv/web"}, "was": was}
        record.units, record.enabled = ["web.service"], ["web.service"]
        record.files, record.written = {str(world.unit): None}, {str(world.unit): "[Service]\n"}
    files = SimpleNamespace(make_link=durable.make_link, remove_link=durable.remove_link, remove=durable.remove)
    directory = a_supervisor(world, record.memo, files)
    moving = Moving("web", directory, record, [UnitWish("web.service", "[Service]\n")])
    moving.main, moving.enable, moving.start = "web.service", ["web.service"], ["web.service"]
    moving.files = dict(record.written)
    tools = FileTools(lambda _path, _check: False)
    manager = Manager(world, fails)
    ctx = Context(manager, 1.0)
    count = tries = 0

    def point() -> None:
        nonlocal count
        count += 1
        world.look()
        if count == kill_at:
            raise Killed

    patched: list[tuple[t.Any, str, t.Any]] = []
    for holder, name in (
        *((files, name) for name in ("make_link", "remove_link", "remove")),
        *((steps, name) for name in ("WriteFile", "remove")),
        (way_back, "WriteFile"),
        (units, "WriteFile"),
        *((records, name) for name in ("save", "forget")),
        *((directory.supervised, name) for name in ("leave", "lock", "unlock")),
        *((manager, name) for name in ("reload", "enable", "disable", "enqueue")),
    ):
        original = getattr(holder, name)

        def call(*args: t.Any, _original: t.Any = original, **kwargs: t.Any) -> t.Any:
            nonlocal tries
            tries += 1
            if tries == break_at:
                raise Broken
            result = _original(*args, **kwargs)
            point()
            return result

        patched.append((holder, name, original))
        setattr(holder, name, call)
    try:
        if back:
            record.phase = "giving_back"
            records.save(record)
            each: list[t.Any] = [way_back.StopUnits(moving, records), way_back.TakeUnits(moving, records, tools)]
            each += [way_back.GiveBack(moving, records), way_back.SeeItBack(moving, records)]
        else:
            record.phase = "begun"
            records.save(record)
            put = steps.PutUnits(moving, records, tools)
            put.write(ctx)
            manager.reload()
            each = [
                steps.LetGo(moving, records, tools),
                put,
                steps.EnableUnits(moving, records),
                steps.StartUnits(moving),
            ]
            each += [steps.Compare(moving, records), steps.Finish(moving, records)]
        carry_out(Plan(each), ctx, True)
    except SystemdError as error:
        assert fails or break_at
        assert not any(told.startswith("failed") for told in error.data["rolled_back"]), error.msg
        assert moving.restored is not back, error.msg
        if break_at:
            assert "Read-only file system" in error.msg
            raise
        records.forget("web")
    finally:
        for holder, name, original in patched:
            setattr(holder, name, original)
        if directory.supervised.lock.__self__.held:  # type: ignore[attr-defined]
            # The kernel gives back what a dead process held.
            directory.release()
    return count


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(steps.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(ServiceDirectory, "_see_it_run", lambda _directory, _deadline: 1)
    monkeypatch.setattr(steps, "StartUnits", _Start)
    return World(tmp_path)


class _Start(steps.StartUnits):
    """Without what asks systemd why it failed."""

    def _fail(self, ctx: Context, bad: t.Any) -> t.NoReturn:
        raise SystemdError("failed")


def is_old(world: World) -> bool:
    return (
        world.old
        and world.new != "active"
        and world.link.is_symlink()
        and not world.unit.exists()
        and not world.enabled
    )


def is_new(world: World) -> bool:
    return (
        not world.old
        and world.new == "active"
        and not world.link.is_symlink()
        and world.unit.exists()
        and world.enabled
    )


#: More than there are points in any run; the test sees to that.
MOST = 25


@pytest.mark.parametrize("kill_at", range(MOST))
@pytest.mark.parametrize(("back", "fails"), [(False, False), (False, True), (True, False)])
def test_killed_anywhere_and_run_again(world: World, kill_at: int, back: bool, fails: bool) -> None:
    records = Records(str(world.directory / "records"))
    records.hold()
    if back:
        run(world, records)
        assert is_new(world)
    killed = False
    try:
        points = run(world, records, back, fails, kill_at)
        assert points < kill_at or not kill_at
        assert (14 if fails else 7) <= points < MOST
    except Killed:
        killed = True
    if killed or fails:
        run(world, records, back, fails)
    assert is_old(world) if back or fails else is_new(world)
    assert max(world.copies) <= 1, "two copies at once"
    record = records.load("web")
    assert (record.phase if record else None) == (None if back or fails else "handed_over")


# -- records of version 1, as a host has them on which that version was killed in each phase

RECORDS_OF_VERSION_1 = Path(__file__).parent / "records_of_version_1"


def of_version_1(world: World, records: Records, phase: str) -> None:
    """Put a record of version 1 where the task looks, and the world in the state that it had when that was written."""
    text = (RECORDS_OF_VERSION_1 / f"{phase}.json").read_text()
    for path, here in (
        ("/etc/runit/runsvdir/svmanaged/web", world.link),
        ("/etc/systemd/system/web.service", world.unit),
        ("/etc/sv/web", world.directory / "sv" / "web"),
    ):
        assert f'"{path}"' in text
        text = text.replace(f'"{path}"', f'"{here}"')
    # Nobody is there who could listen.
    text = text.replace('"tcp 127.0.0.1:8181"', "")
    Path(records.path("web")).write_text(text)
    world.old = False
    world.link.unlink()
    if phase != "giving_back":
        world.unit.write_text(json.loads(text)["written"][str(world.unit)])
        world.known = True
    if phase == "handed_over":
        world.new, world.enabled = "active", True


@pytest.mark.parametrize("kill_at", range(12))
@pytest.mark.parametrize(
    ("phase", "back", "fails"),
    [
        ("begun", False, False),
        ("begun", False, True),
        ("begun", True, False),
        ("handed_over", True, False),
        ("giving_back", True, False),
        ("giving_back", False, False),
        ("giving_back", False, True),
    ],
)
def test_records_of_version_1_are_gone_on_from(world: World, phase: str, back: bool, fails: bool, kill_at: int) -> None:
    """Resumed, rolled back and given back; also if that is killed in its turn, and so goes on from a record of today."""
    records = Records(str(world.directory / "records"))
    records.hold()
    of_version_1(world, records, phase)
    assert t.cast(t.Any, records.read("web"))["version"] == 1
    try:
        assert run(world, records, back, fails, kill_at) >= 5
    except Killed:
        left = records.read("web")
        assert left is None or (left["version"] == 2 and left["memo"]["links"] and "links" not in left)
        run(world, records, back, fails)
    assert is_old(world) if back or fails else is_new(world)
    assert max(world.copies) <= 1, "two copies at once"
    record = records.load("web")
    assert (record.phase if record else None) == (None if back or fails else "handed_over")


@pytest.mark.parametrize("break_at", range(2, 8))
def test_a_service_of_version_1_that_cannot_be_given_back_stays(world: World, break_at: int) -> None:
    records = Records(str(world.directory / "records"))
    records.hold()
    of_version_1(world, records, "handed_over")
    with pytest.raises(SystemdError, match="Read-only file system"):
        run(world, records, back=True, break_at=break_at)
    assert is_new(world)
    assert max(world.copies) <= 1, "two copies at once"


def test_what_version_1_held_down_is_let_go(world: World) -> None:
    """It was killed with its file `down` in the directory of a service that was down; nobody else would remove that."""
    records = Records(str(world.directory / "records"))
    records.hold()
    text = (RECORDS_OF_VERSION_1 / "giving_back_held_down.json").read_text()
    of_version_1(world, records, "giving_back")
    data = {**json.loads(Path(records.path("web")).read_text()), **{key: json.loads(text)[key] for key in ("was", "held_down")}}
    assert data["held_down"] is True and data["was"]["wanted"] == "down"
    Path(records.path("web")).write_text(json.dumps(data))
    down = world.directory / "sv" / "web" / "down"
    down.touch()
    run(world, records, back=True)
    assert world.link.is_symlink() and not down.exists()
    assert records.names() == []


def test_what_cannot_go_on_puts_a_record_of_version_1_back_as_it_was(world: World) -> None:
    records = Records(str(world.directory / "records"))
    records.hold()
    of_version_1(world, records, "handed_over")
    before = records.read("web")
    item = an_item(world, "handed_over", {}, {})
    item.kept = records.read("web")
    records.save(item.moving.record)
    Execution(a_task(records, True), t.cast(t.Any, Manager(world, False)))._unwrite([item])
    assert records.read("web") == before


@pytest.mark.parametrize("break_at", range(1, MOST))
@pytest.mark.parametrize("back", [False, True])
def test_a_disk_that_takes_nothing_at_any_point(world: World, break_at: int, back: bool) -> None:
    second = world.link.parent / "again"
    second.symlink_to("../sv/web")
    records = Records(str(world.directory / "records"))
    records.hold()
    if back:
        run(world, records)
    try:
        points = run(world, records, back, break_at=break_at)
    except SystemdError:
        assert is_new(world) if back else is_old(world)
    except Broken:
        # Before anything was begun, which is for the task to tidy; see below.
        assert world.old is not back and world.link.is_symlink() is not back
    else:
        assert 5 < points < break_at
    assert max(world.copies, default=0) <= 1, "two copies at once"
    assert second.is_symlink()


def test_of_two_links_the_second_cannot_be_removed(world: World) -> None:
    second = world.link.parent / "again"
    second.symlink_to("../sv/web")
    record = Record("web", {"path": str(world.directory / "sv" / "web"), "source": "runit", "phase": "begun"})
    record.memo = {
        "links": {str(world.link): "../sv/web", str(second): "../sv/web"},
        "was": {"running": True, "wanted": "up", "supervised": True},
    }
    files = SimpleNamespace(make_link=durable.make_link, remove_link=durable.remove_link)
    moving = Moving("web", a_supervisor(world, record.memo, files), record, [])
    records = Records(str(world.directory / "records"))
    records.hold()
    original = durable.remove_link

    def unlink(path: str) -> None:
        if path == str(second):
            raise Broken
        original(path)

    files.remove_link = unlink
    step = steps.LetGo(moving, records, FileTools(lambda _path, _check: False))
    with pytest.raises(SystemdError, match="Read-only file system") as caught:
        carry_out(Plan([step]), Context(Manager(world, False), 1.0), True)
    assert caught.value.data["rolled_back"] == ["web runs under runit again"]
    assert world.link.is_symlink() and second.is_symlink() and world.old


def test_one_file_that_cannot_be_taken_back_does_not_keep_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(world.unit.parent / name) for name in ("a.service", "b.service", "c.service")]
    for path in paths:
        Path(path).touch()
    original = units.remove

    def remove(path: str) -> bool:
        if path == paths[1]:
            raise Broken
        return original(path)

    monkeypatch.setattr(units, "remove", remove)
    record = Record("web", {"files": dict.fromkeys(paths)})
    with pytest.raises(OSError, match="Read-only"):
        units.take_back_files(record, FileTools(lambda _path, _check: False), Context(Manager(world, False)))
    assert [os.path.exists(path) for path in paths] == [False, True, False]


def an_item(world: World, phase: str, files: dict[str, str], before: dict[str, str | None]) -> Item:
    """A service as a task has it after planning; `before` are the files that its record knows."""
    record = Record("web", {"phase": phase, "path": str(world.directory / "sv" / "web"), "files": before})
    moving = Moving("web", a_supervisor(world), record, [])
    moving.files = files
    return Item(moving)


def a_task(records: Records, giving_back: bool = False) -> t.Any:
    """A task of which nothing was asked yet but this, as `Execution` needs it."""
    task: t.Any = SimpleNamespace(
        records=records, giving_back=giving_back, timeout=1.0, warnings=[], params={"rollback": True}
    )
    return task


@pytest.mark.parametrize("phase", ["", "handed_over", "begun"])
def test_files_that_cannot_be_written_leave_all_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """Also where they are only other files for a service that was handed over long ago: its units and record stay."""
    first, second = world.unit, world.unit.parent / "web.socket"
    first.write_text("old")
    records = Records(str(world.directory / "records"))
    records.hold()
    if phase:
        kept = Record("web", {"phase": phase, "files": {str(first): None}, "written": {str(first): "old"}})
        records.save(kept)
    before: dict[str, str | None] = {str(first): None if phase else "old", str(second): None}
    item = an_item(world, phase, {str(first): "new", str(second): "new"}, before)
    item.put = steps.PutUnits(item.moving, records, FileTools(lambda _path, _check: False))
    item.plan = Plan([item.put] if phase == "handed_over" else [item.put, item.put])
    item.moving.record.written = {str(first): "new"}
    original = steps.WriteFile.apply

    def write(step: steps.WriteFile, ctx: Context) -> bool:
        if step.names == (str(second),):
            raise Broken
        return original(step, ctx)

    monkeypatch.setattr(steps.WriteFile, "apply", write)
    assert Execution(a_task(records), t.cast(t.Any, Manager(world, False)))._write([item]) == []
    assert "Read-only file system" in item.message
    assert item.outcome == ("failed" if phase == "begun" else "back")
    assert not second.exists()
    # What was begun is taken back; what was handed over is what runs.
    assert first.exists() is (phase != "begun")
    assert not first.exists() or first.read_text() == "old"
    left = records.load("web")
    assert (left.phase if left else "") == phase
    assert left is None or left.written == {str(first): "old"}


@pytest.mark.parametrize("giving_back", [False, True])
def test_records_that_cannot_be_written_stop_all_before_it_begins(
    world: World, monkeypatch: pytest.MonkeyPatch, giving_back: bool
) -> None:
    records = Records(str(world.directory / "records"))
    records.hold()
    phase = "handed_over" if giving_back else ""
    items = [an_item(world, phase, {}, {}), an_item(world, phase, {}, {})]
    items[1].moving.record.name = items[1].moving.name = "other"
    if giving_back:
        for item in items:
            records.save(item.moving.record)
    original = records.save

    def save(record: Record) -> None:
        if record.name == "other":
            raise Broken
        original(record)

    monkeypatch.setattr(records, "save", save)
    assert Execution(a_task(records, giving_back), t.cast(t.Any, Manager(world, False)))._write(items) == []
    assert [item.outcome for item in items] == ["back", "back"]
    assert records.names() == (["other", "web"] if giving_back else [])
    assert all(t.cast(Record, records.load(name)).phase == "handed_over" for name in records.names())


def test_a_handover_that_cannot_be_noted_is_taken_back_as_one_that_was_begun(world: World) -> None:
    records = Records(str(world.directory / "records"))
    item = an_item(world, "begun", {}, {})
    Path(records.directory).write_text("no directory")
    with pytest.raises(OSError):
        steps.Finish(item.moving, records).apply(Context(None))
    assert item.moving.record.phase == "begun"


def test_a_process_that_ends_when_it_is_to_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    moving = Moving("web", t.cast(t.Any, None), Record("web"), [])
    before = {"sockets": ["tcp 0.0.0.0:80"], "session": 10}
    monkeypatch.setattr(steps.processes, "is_running", lambda pid, _started: True)
    monkeypatch.setattr(steps.processes, "sockets_of", lambda pids: ["tcp 0.0.0.0:80"])

    def kill(pid: int, _signal: int) -> None:
        raise ProcessLookupError(errno.ESRCH, "No such process")

    monkeypatch.setattr(steps.os, "kill", kill)
    stat = steps.processes.Stat(21, "x", "S", 1, 1, 10, 0, 5)
    steps.LetGo(moving, t.cast(t.Any, None), t.cast(t.Any, None))._end_listeners([stat], t.cast(t.Any, before))
    assert moving.notes == []


def test_what_does_not_stop_stays(world: World) -> None:
    world.stubborn = True
    records = Records(str(world.directory / "records"))
    records.hold()
    run(world, records, fails=True)
    assert is_old(world)
    assert world.known is False
    assert max(world.copies) == 1


def test_what_outlives_its_service_and_still_listens_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"sockets": ["tcp 0.0.0.0:80"], "session": 10}
    moving = Moving("web", t.cast(t.Any, None), Record("web"), [])
    moving.before = t.cast(t.Any, before)
    listening = {21: ["tcp 0.0.0.0:80"], 22: ["tcp 0.0.0.0:80"], 23: []}
    killed: list[int] = []
    now = [0.0]

    def kill(pid: int, _signal: int) -> None:
        killed.append(pid)
        listening.clear()

    monkeypatch.setattr(steps.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(steps.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(steps.processes, "is_running", lambda pid, _started: pid in listening)
    monkeypatch.setattr(
        steps.processes, "sockets_of", lambda pids: sorted({one for pid in pids for one in listening.get(pid, ())})
    )
    monkeypatch.setattr(steps.os, "kill", kill)
    # 22 leads a session of its own, such as somebody's login
    stats = [
        steps.processes.Stat(pid, "x", "S", 1, 1, session, 0, 5) for pid, session in ((21, 10), (22, 22), (23, 10))
    ]
    steps.LetGo(moving, t.cast(t.Any, None), t.cast(t.Any, None))._wait_for_sockets(stats, 100.0)
    assert killed == [21]
    assert 5.0 <= now[0] < 6.0
    assert "(21) still listened" in moving.notes[0]

    listening[24], before["sockets"] = [], []
    moving.notes.clear()
    left = steps.processes.Stat(24, "worker", "S", 1, 1, 10, 0, 5)
    steps.LetGo(moving, t.cast(t.Any, None), t.cast(t.Any, None))._wait_for_sockets([left], 100.0)
    assert moving.notes == ["1 of its processes did not end with it and live on, beside its unit: 24 (worker)"]
    assert killed == [21], "what does not stand in the way is told, and left alone"


def test_a_runsvdir_ends_with_all_that_it_supervises(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[t.Any] = []
    supervised = t.cast(t.Any, SimpleNamespace(log=None, control=told.append, is_supervised=lambda: False, lock=lambda: True))
    directory = ServiceDirectory(Service("runsvdir-alice", "/none", [], {}, False), "runit", {}, durable, {})
    directory.supervised = supervised
    monkeypatch.setattr(steps.os, "kill", lambda pid, number: told.append((pid, number.name)))
    directory.stop(0.0, t.cast(t.Any, {"program": "/usr/bin/runsvdir", "pid": 7}))
    assert told == [b"o", (7, "SIGHUP")], (
        "not SIGTERM, which leaves its runsv behind, nor before it would be started again"
    )
