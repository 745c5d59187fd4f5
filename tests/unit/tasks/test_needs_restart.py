# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `needs_restart` decides and plans, whose the processes are, and how marks become jobs."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._observe.outdated import Process
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import MANAGER_PATH
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.marks import restart_marked
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued, Job, UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart import read, steps
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.decide import Service, decide
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.info import tell
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.plan import Wish, plan_restarts
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.read import Found, Group
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.task import wish_from

LIBRARY = "/usr/lib/libx.so.1"


def service(name: str = "a.service", **facts: t.Any) -> Service:
    return Service(name, **{"pids": (10,), **facts})


@pytest.mark.parametrize(
    ("each", "options", "remedy", "reason"),
    [
        (service(), {}, "restart", ""),
        (service("ssh.service", kill_mode="process", main_pid=10), {"own": "ssh.service"}, "restart", ""),
        (service(kind="notify", dependents=frozenset({"b.service", "multi-user.target"})), {}, "restart", ""),
        # The table.
        (service("dbus.service"), {}, "reboot", "lose its connection"),
        (service("systemd-logind.service"), {}, "reboot", "sessions"),
        (service("gdm3.service"), {}, "manual", "graphical"),
        (service("getty@tty1.service"), {}, "login", "logged out"),
        (service("docker.service"), {}, "manual", "containers"),
        (service("docker.service"), {"include": ["docker*"]}, "restart", ""),
        (service("docker.service"), {"include": ["docker*"], "exclude": ["*.service"]}, "manual", "excluded"),
        (service("packagekit.service"), {}, "wait", "installing"),
        (service("docker-registry.service"), {}, "restart", ""),
        # What has something run once.
        (service(kind="oneshot"), {}, "manual", "begin anew"),
        (service(kind="oneshot"), {"include": ["a.service"]}, "restart", ""),
        (service(kind="oneshot", active_state="activating"), {"include": ["*"]}, "wait", "begin anew"),
        (service(active_state="activating"), {}, "wait", "activating"),
        (service(active_state="deactivating"), {}, "wait", "deactivating"),
        (service(transient=True), {}, "wait", "systemd-run"),
        (service(transient=True), {"include": ["a*"]}, "restart", ""),
        (service(triggered_by=("a.timer",)), {}, "wait", "a.timer"),
        (service(triggered_by=("a.socket", "a.path")), {}, "restart", ""),
        # What cannot be, or would do no good.
        (service(refuses=True), {"include": ["*"]}, "reboot", "RefuseManualStop="),
        (service(kill_mode="process", main_pid=9), {"include": ["*"]}, "wait", "KillMode=process"),
        (service(kill_mode="mixed", main_pid=9), {}, "restart", ""),
        (service(), {"own": "a.service", "include": ["*"]}, "manual", "this task"),
        # What would go with it.
        (service(dependents=frozenset({"dbus.service"})), {}, "manual", "dbus.service"),
        (service(dependents=frozenset({"docker.service"})), {"include": ["docker.service"]}, "restart", ""),
        (service(dependents=frozenset({"b.service"})), {"exclude": ["b.*"]}, "manual", "b.service"),
        (service(dependents=frozenset({"session-1.scope"})), {"include": ["*"]}, "manual", "session-1.scope"),
        (service(dependents=frozenset({"user@7.service"})), {}, "manual", "user@7.service"),
    ],
)  # fmt: skip
def test_what_puts_a_service_right(each: Service, options: dict[str, t.Any], remedy: str, reason: str) -> None:
    found = decide(each, **options)
    assert found.remedy == remedy
    assert reason in found.reason
    assert bool(found.reason) is (remedy != "restart")


def group(name: str, uid: int = -1, *paths: str) -> Group:
    return Group(name, f"/{name}", [Process(10, max(uid, 0), "x", f"/{name}", paths or (LIBRARY,))], uid)


def found(*services: Service, managers: t.Sequence[Group] = (), own: str = "") -> Found:
    return Found([(each, group(each.name)) for each in services], list(managers), [], [], [], 0, own)


INIT, USER = group("init.scope"), group("user@7.service", 7)


@pytest.mark.parametrize(
    ("there", "wish", "planned"),
    [
        (found(), Wish(), []),
        (found(service("b.service"), service()), Wish(), ["restart a.service, b.service"]),
        (found(service(), service("dbus.service")), Wish(), ["restart a.service"]),
        (found(service(), service("b.service")), Wish(name=["b*"]), ["restart b.service"]),
        (found(service(), service("b.service")), Wish(exclude=["b*"]), ["restart a.service"]),
        (found(service(stale=True)), Wish(), ["daemon-reload", "restart a.service"]),
        # What is not restarted needs no reload.
        (found(service("dbus.service", stale=True)), Wish(), []),
        (
            found(service(stale=True), managers=[INIT, USER]),
            Wish(settle=1.0, settle_told="1s"),
            ["daemon-reexec", "restart a.service", "watch for 1s", "daemon-reexec of user@7.service"],
        ),
        (found(managers=[INIT, USER]), Wish(reexec=False), ["daemon-reexec of user@7.service"]),
        (found(managers=[INIT, USER]), Wish(user_managers=False), ["daemon-reexec"]),
        (found(service(), own="a.service"), Wish(), []),
    ],
)
def test_plans(there: Found, wish: Wish, planned: list[str]) -> None:
    plan = plan_restarts(there, wish, {})
    assert plan.describe() == planned
    assert plan.changed is bool(planned)


def test_a_diff_names_file_and_package_as_text() -> None:
    there = Found([(service(), group("a.service", -1, LIBRARY, "/srv/\x1b[2J\n"))], [], [], [], [], 0, "")
    (change,) = plan_restarts(there, Wish(), {LIBRARY: "libx1"}).changes
    assert change == ("a.service", f"runs replaced {LIBRARY} (libx1), /srv/\\x1b[2J\\n", "restarted")


def test_what_is_told_is_text_and_bounded() -> None:
    processes = [Process(pid, 1, "\x1b[2J\n" * 99, "/\x1b", (f"/{pid}\n" + "x" * 9999,)) for pid in range(999)]
    there = Found([], [], [], [], [Group("\x1b", "/\x1b\n", processes)], 0, "")
    (told,) = tell(there, {})["others"]
    assert (told["n_processes"], told["n_files"]) == (999, 999)
    assert (len(told["processes"]), len(told["files"])) == (100, 50)
    texts = [told["name"], told["cgroup"], *(f["path"] for f in told["files"]), *(p["comm"] for p in told["processes"])]
    assert all(text.isprintable() and len(text) <= 500 for text in texts)


class Session:
    """What `find` is given."""

    deadline = 1e18

    def __init__(self, manager: t.Any, owner: int | None = None) -> None:
        self.manager, self.owner = manager, owner


class Manager(NoManager):
    """A manager that knows some units."""

    offline = absent = False
    scope = "system"

    def __init__(self, base: str = "", **units: dict[str, t.Any]) -> None:
        self.base = base
        self.units = {name.replace("__", "@").replace("_", "."): facts for name, facts in units.items()}

    def manager_property(self, name: str) -> t.Any:
        return {"ControlGroup": self.base}[name]

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        paths = {object_path(name): facts for name, facts in self.units.items()}
        return [paths.get(path, {}).get(name) for path, _face, name in wanted]

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        down = {name for name, facts in self.units.items() if facts.get("ActiveState") == "inactive"}
        return [UnitStatus(n, "", "loaded", "inactive" if n in down else "active", "", "", "", 0, "", "") for n in names]


def look(
    monkeypatch: pytest.MonkeyPatch, manager: Manager, processes: t.Sequence[tuple[int, str]], owner: int | None = None, own: str = "/x"
) -> Found:
    everyone = [Process(pid, owner or 0, "x", cgroup, (LIBRARY,)) for pid, cgroup in processes]
    monkeypatch.setattr(read, "find_outdated", lambda uid, deadline: read_found(everyone))
    monkeypatch.setattr(read, "cgroup_of", lambda base: own)
    monkeypatch.setattr(read, "_parent", lambda pid: 1 if pid == 70 else 70)
    monkeypatch.setattr(read.os, "geteuid", lambda: 0)
    return read.find(t.cast(t.Any, Session(manager, owner)))


def read_found(processes: list[Process]) -> t.Any:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.outdated import Outdated

    return Outdated(processes, 0)


OF_USER = "/user.slice/user-7.slice/user@7.service"


def test_whose_processes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(
        a_service={"ControlGroup": "/system.slice/a.service", "ActiveState": "active", "RequiredBy": ["b.service", "c.service"]},
        b_service={"BoundBy": ["d.service"]},
        c_service={"ActiveState": "inactive"},
        # Another one has that name by now.
        x_service={"ControlGroup": "/other.slice/x.service"},
        user__7_service={"MainPID": 70},
    )
    seen = look(
        monkeypatch,
        manager,
        [
            (1, "/init.scope"),
            (10, "/system.slice/a.service"),
            (11, "/system.slice/a.service/below"),
            (12, "/system.slice/x.service"),
            (13, "/system.slice/unknown.service"),
            (14, "/user.slice/user-7.slice/session-3.scope"),
            (15, "/system.slice/b.scope"),
            (16, "/odd"),
            (70, f"{OF_USER}/init.scope"),
            (71, f"{OF_USER}/init.scope"),
            (72, f"{OF_USER}/app.slice/mine.service"),
            # Whatever it is called there.
            (73, f"{OF_USER}/app.slice/evil.service/system.slice/a.service"),
            (74, f"{OF_USER}/system.slice/a.service"),
        ],
        own="/system.slice/cron.service",
    )
    ((a, its),) = seen.services
    assert (a.name, a.pids, a.dependents) == ("a.service", (10, 11), frozenset({"b.service", "d.service"}))
    assert [process.pid for process in its.processes] == [10, 11]
    assert [(each.name, each.uid, len(each.processes)) for each in seen.managers] == [("init.scope", -1, 1), ("user@7.service", 7, 1)]
    assert [(each.name, [p.pid for p in each.processes]) for each in seen.sessions] == [("session-3.scope", [14]), ("user@7.service", [71])]
    assert [(each.name, each.cgroup) for each in seen.of_users] == [
        ("mine.service", f"{OF_USER}/app.slice/mine.service"),
        ("evil.service", f"{OF_USER}/app.slice/evil.service"),
        ("a.service", f"{OF_USER}/system.slice/a.service"),
    ]
    assert [each.name for each in seen.others] == ["b.scope", "", "x.service", "unknown.service"]
    assert seen.own == "cron.service"


def test_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager(OF_USER, mine_service={"ControlGroup": f"{OF_USER}/app.slice/mine.service", "ActiveState": "active"})
    seen = look(
        monkeypatch,
        manager,
        [
            (70, f"{OF_USER}/init.scope"),
            (71, f"{OF_USER}/init.scope"),
            (72, f"{OF_USER}/app.slice/mine.service"),
            (73, "/user.slice/user-7.slice/session-3.scope"),
            # One of the system's, that works as this user.
            (74, "/system.slice/mine.service"),
        ],
        owner=7,
    )
    assert [each[0].name for each in seen.services] == ["mine.service"]
    assert [[p.pid for p in each.processes] for each in seen.managers] == [[70]]
    assert [[p.pid for p in each.processes] for each in seen.sessions] == [[71], [73]]
    assert [each.cgroup for each in seen.others] == ["/system.slice/mine.service"]


def test_only_root_sees_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read.os, "geteuid", lambda: 7)
    monkeypatch.setattr(read.os, "getuid", lambda: 7)
    with pytest.raises(read.NotPermitted, match="become: true"):
        read.find(t.cast(t.Any, Session(Manager())))


class Marking(NoManager):
    """A manager that keeps marks, and makes jobs of them.

    :param knows: whether it knows marks.
    :param marked: units that somebody else has marked.
    :param refuses: units that get no job by their marks.
    """

    def __init__(self, knows: bool = True, marked: t.Sequence[str] = (), refuses: t.Sequence[str] = (), fails: bool = False) -> None:
        self.knows, self.refuses, self.fails = knows, refuses, fails
        self.marks = {name: ["needs-restart"] if name in marked else [] for name in ("a.service", "b.service", "z.service")}
        self.singly: list[tuple[str, str]] = []
        self._removed: list[t.Any] = []

    def list_units(self, patterns: t.Sequence[str] = (), states: t.Sequence[str] = ()) -> list[UnitStatus]:
        return [UnitStatus(name, "", "loaded", "active", "running", "", name, 0, "", "") for name in self.marks]

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        return [self.marks[path] if self.knows else None for path, _face, _name in wanted]

    def set_properties(self, wanted: t.Any, runtime: bool) -> list[CallFailed | None]:
        assert runtime
        for name, ((_property, (signature, marks)),) in wanted:
            assert signature == "as"
            self.marks[name] = marks
        return [CallFailed("no", "no") if self.fails else None for _each in wanted]

    def _hold_code(self) -> None: ...

    def watch_jobs(self) -> None: ...

    def tell(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        (call,) = calls
        assert call.member == "EnqueueMarkedJobs"
        self.made = [name for name, marks in self.marks.items() if marks and name not in self.refuses]
        if self.refuses:
            return [CallFailed("org.freedesktop.DBus.Error.Failed", "some")]
        # The first one has ended before anybody asks.
        self._removed.append(("path", (100, "object", self.made[0], "done")))
        return [([f"{MANAGER_PATH}/job/{100 + at}" for at in range(len(self.made))],)]

    def list_jobs(self) -> list[dict[str, t.Any]]:
        return [{"id": 100 + at, "unit": name} for at, name in enumerate(self.made)][1:]

    def _job(self, path: str, name: str, kind: str, begun: float) -> Job:
        return Job(int(path.rpartition("/")[2]), path, name, kind)

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Enqueued]:
        self.singly += wanted
        return [Enqueued(name, Job(1, "", name, kind)) for name, kind in wanted]


NAMES = ["b.service", "a.service"]


def test_marks_become_jobs() -> None:
    manager = Marking()
    made = restart_marked(manager, NAMES)
    assert [(each.unit, each.job.id if each.job else 0) for each in made] == [("b.service", 101), ("a.service", 100)]
    assert manager.singly == []


@pytest.mark.parametrize(
    "manager", [Marking(knows=False), Marking(marked=["z.service"]), Marking(refuses=["a.service"]), Marking(fails=True)]
)
def test_what_gets_no_job_by_its_mark_gets_one_by_itself(manager: Marking) -> None:
    made = restart_marked(manager, NAMES)
    assert [each.unit for each in made] == NAMES
    assert manager.singly == [(name, "try-restart") for name in NAMES]
    if manager.fails:
        assert not any(manager.marks.values())


def test_marks_of_our_own_are_no_reason() -> None:
    """They are left by a task that was killed before it came to the jobs."""
    manager = Marking(marked=["a.service"])
    restart_marked(manager, NAMES)
    assert manager.singly == []


def test_start_limits_are_for_what_dies() -> None:
    assert steps.RestartTogether(["a.service"]).unlimited


@pytest.mark.parametrize(("failed", "changed"), [(0, True), (1, True), (2, False)])
def test_a_user_has_no_task_fail(monkeypatch: pytest.MonkeyPatch, failed: int, changed: bool) -> None:
    monkeypatch.setattr(steps, "users_read_again", lambda *args: ["it hangs"] * failed)
    ctx = Context(None)
    assert steps.ReexecuteUsers([7, 8]).apply(ctx) is changed
    assert ctx.warnings == ["it hangs"] * failed


OPTIONS: dict[str, t.Any] = {"name": ["*"], "exclude": [], "include": [], "reexec": True, "user_managers": True, "settle": "1s"}


def test_options() -> None:
    wish = wish_from({**OPTIONS, "name": ["a", "b@*"], "exclude": ["c.service"]})
    assert (wish.name, wish.exclude, wish.settle, wish.settle_told) == (["a.service", "b@*"], ["c.service"], 1.0, "1s")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": []}, "^name: the list is empty"),
        ({"name": ["a", "b/c"]}, r"^name\[1\]: 'b/c' holds a slash"),
        ({"exclude": [""]}, r"^exclude\[0\]: '' is not a unit name"),
        ({"include": ["a"], "exclude": ["a.service"]}, "^include: a.service is in `exclude` too"),
        ({"settle": "infinity"}, "^settle: infinity would never end"),
        ({"settle": "soon"}, "^settle: "),
    ],
)
def test_options_that_cannot_be(options: dict[str, t.Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        wish_from({**OPTIONS, **options})
