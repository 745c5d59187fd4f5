# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that are awaited while systemd is replaced by a new process of its own."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusUnreachable, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import renewal as module
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import Manager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Job

JOBS = [Job(number, f"/job/{number}", f"{number}.service", "start") for number in (1, 2, 3)]


class Connection:
    """Tells that some jobs ended, and is then closed or waits for ever."""

    is_bus = False
    who = "systemd"
    default_timeout = 90.0
    all_until = float("inf")
    owner, moves = None, 0
    known: t.ClassVar[dict[str, str]] = {}
    property_types: t.ClassVar[dict[str, str]] = {}

    def __init__(self, ended: dict[int, str], queue: t.Sequence[int] = (), closes: bool = False) -> None:
        self.ended, self.queue, self.closes = ended, queue, closes
        self.closed = False
        self.signals: list[t.Any] = []

    def want(self, member: str, path: str | None = None) -> list[t.Any]:
        return self.signals

    def is_dead(self) -> bool:
        return self.closed

    def end_of_call(self, begun: float) -> float:
        return begun + self.default_timeout

    def call(self, call: t.Any, deadline: float | None = None) -> t.Any:
        return self.call_many([call])[0]

    def call_many(self, calls: t.Sequence[t.Any], deadline: float | None = None) -> list[t.Any]:
        return [self.answer(call) for call in calls]

    def answer(self, call: t.Any) -> t.Any:
        if call.member == "ListJobs":
            return ([(number, f"{number}.service", "start", "running", "/", "/") for number in self.queue],)
        assert call.member == "Get"
        # What became of the units of jobs that nobody saw ending.
        states = {"_31_2eservice": "active", "_32_2eservice": "active", "_33_2eservice": "active"}
        value = {"ActiveState": states.get(call.path.rpartition("/")[2]), "Version": "257", "ReloadResult": "exit-code"}
        return (("s", value[call.body[1]]),) if call.body[1] in value else CallFailed("e.None", "none")

    def wait(self, until: t.Callable[[], bool], deadline: float, what: str) -> None:
        self.signals += [("/", (number, "/", f"{number}.service", how)) for number, how in self.ended.items()]
        if not until() and self.closes:
            self.closed = True
            raise BusUnreachable("the bus closed the connection")

    def close(self) -> None:
        self.closed = True


def connected(connection: t.Any) -> Manager:
    return Manager(t.cast("t.Any", connection))


def test_jobs_are_followed_in_the_new_process() -> None:
    old, new = Connection({1: "failed"}, closes=True), Connection({3: "done"}, queue=[3])
    manager = connected(old)
    answers: list[Manager | BusUnreachable] = [BusUnreachable("not yet"), connected(new)]
    tries = iter(answers)

    def again() -> Manager:
        it = next(tries)
        if isinstance(it, BusUnreachable):
            raise it
        return it

    manager.connect_again = again
    # The second one ended while nobody could hear of it: its unit is up.
    assert manager.wait_for_jobs(JOBS, time.monotonic() + 60) == {1: "failed", 2: "done", 3: "done"}
    assert manager.connection is t.cast("t.Any", new)
    assert old.closed


def test_a_process_that_never_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NEW_PROCESS", 0.2)

    def again() -> t.NoReturn:
        raise BusUnreachable("no such socket")

    manager = connected(Connection({}, closes=True))
    for connect_again in (None, again):
        manager.connect_again = connect_again
        with pytest.raises(BusUnreachable, match="run the task again"):
            manager.wait_for_jobs(JOBS, time.monotonic() + 60)
