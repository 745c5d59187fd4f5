# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reboots, as far as they can be planned: options, who may forbid one, which units are expected back, and which are worse."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import shutdown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.shutdown import Logind, Seen
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.reboot import task
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.reboot.options import (
    ARGUMENTS,
    Options,
    read_options,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.reboot.units import (
    Facts,
    Worse,
    compare,
    expected,
    reason,
)

DEFAULTS: dict[str, t.Any] = {name: each.get("default") for name, each in ARGUMENTS.items()}


def options(**params: t.Any) -> Options:
    return read_options({**DEFAULTS, **params})


def test_options_are_seconds() -> None:
    found = options(reboot_timeout="300", connect_timeout="5s", pre_reboot_delay="5min", settle="2s", ignore_units=["a", "b@*"])
    assert (found.timeout, found.connect_timeout, found.before, found.settle) == (300.0, 5.0, 300.0, 2.0)
    assert found.ignored == ["a.service", "b@*"]
    assert (options().timeout, options().before, options().connect_timeout) == (600.0, 0.0, None)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"reboot_timeout": "0"}, "reboot_timeout: is less than a second"),
        ({"connect_timeout": "10ms"}, "connect_timeout: is less than a second"),
        ({"reboot_timeout": "infinity"}, "reboot_timeout: is more than a year"),
        ({"pre_reboot_delay": "2y"}, "pre_reboot_delay: is more than a year"),
        ({"settle": "10min"}, "settle: is not less than `reboot_timeout`"),
        ({"post_reboot_delay": "5s", "reboot_timeout": "5s"}, "post_reboot_delay: is not less"),
        ({"reboot_timeout": "soon"}, "reboot_timeout: 'soon' is not a time span"),
        ({"removes": "x"}, "removes: 'x' is not absolute"),
        ({"msg": "a\nb"}, "msg: .* holds a line break"),
        ({"ignore_units": ["a", "a/b"]}, r"ignore_units\[1\]: 'a/b' holds a slash"),
        ({"test_command": ""}, "test_command: is empty"),
    ],
)
def test_options_that_nobody_can_mean(params: dict[str, t.Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        options(**params)


FILE = "/etc/systemd/system/a.service"


@pytest.mark.parametrize(
    ("name", "facts", "is_expected"),
    [
        ("a.service", Facts(FILE, False, False, True, ""), True),
        # started by hand: that it is lost is to be told
        ("a.service", Facts(FILE, False, False, False, ""), True),
        ("a.service", Facts(FILE, False, True, False, ""), False),
        ("a.service", Facts(FILE, False, True, True, ""), True),
        ("a.service", Facts(FILE, False, False, False, "org.a"), False),
        ("a.service", Facts(FILE, False, False, True, "org.a"), True),
        ("a.service", Facts(FILE, True, False, True, ""), False),
        ("a.mount", Facts("", False, False, True, ""), False),
        ("a.mount", Facts("/run/systemd/generator/a.mount", False, False, True, ""), True),
        ("a.service", Facts("/run/systemd/system/a.service", False, False, True, ""), False),
        ("user@1.service", Facts("/lib/systemd/system/user@.service", False, False, True, ""), True),
        ("user@2.service", Facts("/lib/systemd/system/user@.service", False, False, True, ""), False),
        ("user-runtime-dir@2.service", Facts("/lib/systemd/system/x", False, False, True, ""), False),
    ],
)
def test_what_is_expected_back(name: str, facts: Facts, is_expected: bool) -> None:
    assert expected(name, facts, lambda uid: uid == "1") is is_expected


def unit(name: str, active: str, sub: str = "", load: str = "loaded", job: int = 0) -> UnitStatus:
    return UnitStatus(name, "", load, active, sub, "", f"/{name}", job, "start" if job else "", "/")


def test_what_is_worse() -> None:
    before: t.Any = {"active": ["a.service", "b.service", "c.timer", "d.service", "e.service"], "failed": ["old.service"]}
    named = [
        unit("a.service", "active"), unit("b.service", "inactive"), unit("c.timer", "reloading"), unit("d.service", "failed"),
        unit("e.service", "activating"),
    ]  # fmt: skip
    loaded = [*named, unit("old.service", "failed"), unit("new.mount", "failed"), unit("x@1.service", "failed")]
    worse = compare(before, loaded, named, [])
    assert [each.id for each in worse.lost] == ["d.service", "b.service", "e.service"]
    assert [each.id for each in worse.failed] == ["new.mount", "x@1.service"]
    worse = compare(before, loaded, named, ["x@*.service", "[bd].service", "new.mount", "e.service"])
    assert not worse


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        (unit("a.service", "inactive"), True),
        (unit("a.service", "failed"), True),
        (unit("a.service", "inactive", job=5), False),
        (unit("a.service", "activating", "start"), False),
        # it is started again and again
        (unit("a.service", "activating", "auto-restart"), True),
        (unit("a.service", "activating", "auto-restart-queued"), True),
    ],
)
def test_what_may_still_get_better(status: UnitStatus, settled: bool) -> None:
    assert Worse([status], []).settled is settled
    assert Worse([], [status]).settled is settled


@pytest.mark.parametrize(
    ("status", "file_state", "missing", "unmet", "ran", "says"),
    [
        (unit("a.service", "inactive", load="not-found"), "", [], False, False, "has no unit file any more"),
        (unit("a.service", "inactive", load="masked"), "masked", [], False, False, "is masked"),
        (unit("a.service", "inactive", load="bad-setting"), "", [], False, False, "cannot be loaded (bad-setting)"),
        (unit("a.service", "failed"), "enabled", [], False, True, "has failed"),
        (unit("a.service", "activating", "auto-restart"), "enabled", [], False, True, "is activating (auto-restart)"),
        (unit("a.service", "inactive"), "enabled", ["b.service"], False, False, "was not started, because b.service, which it requires"),
        (unit("a.service", "inactive"), "enabled", [], True, False, "was skipped: a condition"),
        (unit("a.service", "inactive"), "enabled", [], False, True, "was started, and has ended"),
        (unit("a.service", "inactive"), "disabled", [], False, False, "nothing starts it at boot (it is disabled)"),
        (unit("a.service", "inactive"), "enabled", [], False, False, "was not started, though it is enabled"),
    ],
)
def test_why(status: UnitStatus, file_state: str, missing: list[str], unmet: bool, ran: bool, says: str) -> None:
    assert says in reason(status, file_state, missing, unmet, ran)


# -- whether it may be


def test_a_slice_is_not_why_something_is_down() -> None:
    """That of a template's instances is down because they are."""
    asked: list[str] = []

    def status(names: list[str]) -> list[UnitStatus]:
        asked.extend(names)
        return [unit(name, "active" if name == "c.service" else "inactive") for name in names]

    needs = [["system-a.slice", "b.socket", "c.service"], None, []]
    manager = types.SimpleNamespace(properties=lambda wanted: needs, status=status)
    assert task._missing(t.cast(t.Any, manager), "/a") == ["b.socket"]
    assert asked == ["b.socket", "c.service"]


def inhibitor(mode: str = "block", who: str = "backup") -> t.Any:
    return {"who": who, "why": "a backup runs", "mode": mode, "user": "root", "pid": 7}


QUIET = Seen([], None, False, "yes")


@pytest.mark.parametrize(
    ("params", "state", "seen", "says"),
    [
        ({}, "running", QUIET, ""),
        ({}, "running", None, ""),
        ({}, "stopping", None, "is shutting down already"),
        ({}, "running", QUIET._replace(prepares=True), "is shutting down already"),
        ({"pre_reboot_delay": "5min"}, "running", None, "pre_reboot_delay: only logind can plan"),
        ({}, "running", QUIET._replace(inhibitors=[inhibitor()]), r"inhibited by backup \(user root, process 7\): a backup runs; wait"),
        ({}, "running", QUIET._replace(inhibitors=[inhibitor("block-weak")]), "inhibited by backup"),
        ({}, "running", QUIET._replace(inhibitors=[inhibitor("delay")]), ""),
        ({"ignore_inhibitors": True}, "running", QUIET._replace(inhibitors=[inhibitor()]), ""),
        ({}, "running", QUIET._replace(inhibitors=[inhibitor()] * 7), "and 2 more; wait"),
    ],
)
def test_who_may_forbid_it(params: dict[str, t.Any], state: str, seen: Seen | None, says: str) -> None:
    if not says:
        assert task._check(options(**params), state, seen, False) == []
        return
    with pytest.raises(SystemdError, match=says):
        task._check(options(**params), state, seen, False)
    if not says.startswith("pre_reboot_delay"):
        (warning,) = task._check(options(**params), state, seen, True)
        assert warning.startswith("as it is now, the task would fail: cannot reboot")


def test_whoever_may_not_is_told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "become_hint", lambda: "; add become")
    with pytest.raises(SystemdError, match="not permitted to reboot; add become"):
        task._check(options(), "running", QUIET._replace(permitted="challenge"), True)
    assert task._check(options(), "running", QUIET, True) == []


@pytest.mark.parametrize(("delay", "says"), [("0", "which this one comes before"), ("1min", "in the place of which")])
def test_a_shutdown_that_is_planned_is_told(delay: str, says: str) -> None:
    seen = QUIET._replace(planned={"type": "poweroff", "usec": 1796055953148528})
    (warning,) = task._check(options(pre_reboot_delay=delay), "running", seen, False)
    assert says in warning
    assert "(poweroff)" in warning


# -- asking for it


class Bus:
    """A connection to a logind that knows some calls."""

    def __init__(self, **answers: t.Any) -> None:
        self.known: dict[str, str] = {}
        self.property_types: dict[str, str] = {}
        self.calls: list[tuple[t.Any, ...]] = []
        self.answers = answers

    def call_many(self, calls: t.Sequence[t.Any]) -> list[t.Any]:
        replies = []
        for call in calls:
            self.calls.append((call.member, *call.body))
            answer = self.answers.get(call.body[-1] if call.member == "Get" else call.member, ())
            replies.append(answer(*call.body) if callable(answer) else answer)
        return replies


def failed(name: str) -> CallFailed:
    return CallFailed(f"org.freedesktop.{name}", "it says no")


ASKED: t.Any = {
    "reboot": (("reboot", False), [("RebootWithFlags", 1)]),
    "kexec": (("kexec", False), [("RebootWithFlags", 3)]),
    "soft-reboot": (("soft-reboot", False), [("RebootWithFlags", 5)]),
    "past inhibitors": (("reboot", True), [("RebootWithFlags", 16)]),
}


@pytest.mark.parametrize(("asked", "calls"), ASKED.values(), ids=ASKED)
def test_how_it_is_asked_for(asked: tuple[str, bool], calls: list[t.Any]) -> None:
    bus = Bus()
    assert Logind(t.cast(t.Any, bus)).reboot(asked[0], "bye", asked[1])
    assert bus.calls == [("SetWallMessage", "bye", True), *calls]


def test_a_delay_is_for_logind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "time", types.SimpleNamespace(time=lambda: 1000.0))
    bus = Bus()
    assert Logind(t.cast(t.Any, bus)).reboot("soft-reboot", "bye", False, 60.0)
    assert bus.calls == [("SetWallMessage", "bye", True), ("ScheduleShutdown", "soft-reboot", 1060000000)]


def test_older_versions() -> None:
    none = failed("DBus.Error.UnknownMethod")
    bus = Bus(RebootWithFlags=none)
    assert Logind(t.cast(t.Any, bus)).reboot("reboot", "", False)
    assert bus.calls[1:] == [("RebootWithFlags", 1), ("Reboot", False)]
    # systemd itself has to do the others
    assert not Logind(t.cast(t.Any, Bus(RebootWithFlags=none))).reboot("kexec", "", False)
    bus = Bus(RebootWithFlags=lambda flags: failed("DBus.Error.InvalidArgs") if flags & 16 else ())
    assert Logind(t.cast(t.Any, bus)).reboot("kexec", "", True)
    assert bus.calls[1:] == [("RebootWithFlags", 18), ("RebootWithFlags", 2)]


@pytest.mark.parametrize(("uid", "is_logind"), [(0, False), (1000, True)])
def test_root_may_ignore_them_without_polkit(monkeypatch: pytest.MonkeyPatch, uid: int, is_logind: bool) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    logind = Logind(t.cast(t.Any, Bus(RebootWithFlags=failed("DBus.Error.InteractiveAuthorizationRequired"))))
    if is_logind:
        with pytest.raises(SystemdError, match="not permitted to reboot"):
            logind.reboot("reboot", "", True)
    else:
        assert not logind.reboot("reboot", "", True)
    with pytest.raises(SystemdError, match="not permitted to reboot"):
        logind.reboot("reboot", "", False)


def test_what_logind_knows() -> None:
    listed = [("shutdown:sleep", "w", "y", "block", 4242424, 9), ("sleep", "x", "z", "block", 0, 8)]
    bus = Bus(
        ListInhibitors=(listed,), ScheduledShutdown=(("(st)", ("reboot", 5)),), PreparingForShutdown=(("b", True),), CanReboot=("yes",),
    )  # fmt: skip
    seen = Logind(t.cast(t.Any, bus)).look()
    assert seen is not None
    assert seen.inhibitors == [{"who": "w", "why": "y", "mode": "block", "user": "4242424", "pid": 9}]
    assert (seen.planned, seen.prepares, seen.permitted) == ({"type": "reboot", "usec": 5}, True, "yes")
    for usec in (0, 2**64 - 1):
        bus.answers["ScheduledShutdown"] = (("(st)", ("", usec)),)
        seen = Logind(t.cast(t.Any, bus)).look()
        assert seen is not None
        assert seen.planned is None


@pytest.mark.parametrize("name", ["DBus.Error.ServiceUnknown", "DBus.Error.Spawn.ChildExited", "DBus.Error.FileExists"])
def test_a_host_without_logind(name: str) -> None:
    none = failed(name)
    bus = Bus(ListInhibitors=none, ScheduledShutdown=none, PreparingForShutdown=none, CanReboot=none)
    assert Logind(t.cast(t.Any, bus)).look() is None


@pytest.mark.parametrize("name", ["AccessDenied", "NoReply"])
def test_a_logind_that_refuses(name: str) -> None:
    none = failed(f"DBus.Error.{name}")
    bus = Bus(ListInhibitors=none, ScheduledShutdown=none, PreparingForShutdown=none, CanReboot=none)
    with pytest.raises(SystemdError, match="(not permitted to|cannot) ask logind who inhibits"):
        Logind(t.cast(t.Any, bus)).look()


# -- after


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(task, "time", types.SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        self.now += seconds


WORSE, STARTS = Worse([unit("a.service", "inactive")], []), Worse([unit("a.service", "inactive", job=1)], [])
WELL = Worse([], [])


@pytest.mark.parametrize(
    ("settle", "seen", "worse", "took"),
    [
        ("0", [(0, WELL)], False, (0.0, 0.0)),
        # what nobody starts is given some seconds, and no more
        ("0", [(0, WORSE)], True, (3.0, 4.1)),
        ("0", [(0, WORSE), (2.0, WELL)], False, (2.0, 3.1)),
        ("0", [(0, STARTS), (20.0, WELL)], False, (20.0, 21.1)),
        ("0", [(0, STARTS)], True, (60.0, 61.1)),
        ("5s", [(0, WELL)], False, (5.0, 6.1)),
        # a service that dies again
        ("5s", [(0, WELL), (2.0, WORSE)], True, (5.0, 7.2)),
        ("5s", [(0, WELL), (2.0, WORSE), (3.0, WELL)], False, (8.0, 10.2)),
    ],
)
def test_how_long_units_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, settle: str, seen: list[tuple[float, Worse]], worse: bool, took: tuple[float, float]
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(task, "look_after", lambda *_given: [found for since, found in seen if clock.now >= since][-1])
    found = task._settled(t.cast(t.Any, None), options(settle=settle), t.cast(t.Any, {}), 60.0)
    assert bool(found) is worse
    assert took[0] <= clock.now <= took[1]


class Manager:
    """A manager that comes to the end of startup some time."""

    def __init__(self, clock: Clock, until: float, userspace: int = 2) -> None:
        self.clock, self.until, self.userspace = clock, until, userspace

    def manager_property(self, name: str) -> t.Any:
        if name == "SystemState":
            return "running" if self.clock.now >= self.until else "starting"
        return self.userspace

    def manager_properties(self, names: t.Sequence[str]) -> list[t.Any]:
        return [self.manager_property(name) for name in names]

    def list_jobs(self) -> list[dict[str, t.Any]]:
        return [
            {"unit": "slow.service", "type": "start", "state": "running"},
            {"unit": "b.service", "type": "start", "state": "waiting"},
        ]


@pytest.mark.parametrize(
    ("method", "boot", "userspace", "is_old"),
    [
        ("reboot", "a 1", 2, False), ("reboot", "b 1", 1, True), ("reboot", "b 1", 2, True), ("kexec", "b 1", 1, True),
        ("soft-reboot", "b 1", 1, True), ("soft-reboot", "b 1", 2, False), ("soft-reboot", "a 1", 1, False),
    ],
)  # fmt: skip
def test_which_boot_it_is(monkeypatch: pytest.MonkeyPatch, method: str, boot: str, userspace: int, is_old: bool) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(task, "boot_id", lambda: boot)
    monkeypatch.setattr(task, "_prepares", lambda: True)
    monkeypatch.setattr(task, "look_after", lambda *_given: WELL)
    found = task.after(t.cast(t.Any, Manager(clock, 0.0, userspace)), options(method=method), {"id": "b 1", "userspace": 1}, t.cast(t.Any, {}), 9)
    assert found["old"] is is_old
    assert found.get("stopping") is (True if is_old else None)


@pytest.mark.parametrize(("until", "finished"), [(8.0, True), (100.0, False)])
def test_startup_is_waited_for(monkeypatch: pytest.MonkeyPatch, until: float, finished: bool) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(task, "boot_id", lambda: "new")
    monkeypatch.setattr(task, "look_after", lambda *_given: WELL)
    found = task.after(t.cast(t.Any, Manager(clock, until)), options(), {"id": "old", "userspace": 1}, t.cast(t.Any, {}), 30.0)
    assert found["finished"] is finished
    assert found.get("jobs") == (None if finished else ["slow.service (start)"])
    assert clock.now <= 31.0
