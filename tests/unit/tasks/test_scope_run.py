# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in scopes: what is read of the scope when the command is over."""

from __future__ import annotations

import os
import signal
import time
import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run import scope
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.request import Request
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.scope import RunInScope


@pytest.mark.parametrize("result", ["success", "timeout", None])
def test_whether_time_was_over_is_for_systemd_to_say(result: str | None) -> None:
    told: dict[str, t.Any] = {"Result": result, "InvocationID": b"\1" * 16, "CPUUsageNSec": 5, "MemoryPeak": 2**64 - 1}
    manager = SimpleNamespace(properties=lambda wanted: [told.get(name) for _path, _face, name in wanted])
    outcome = SimpleNamespace(facts={})
    step = RunInScope(t.cast(t.Any, SimpleNamespace(name="a.scope")), {}, t.cast(t.Any, outcome))
    assert step._read(Context(manager)) is (result == "timeout")
    assert outcome.facts["invocation_id"] == "01" * 16
    assert outcome.facts["resources"]["CPUUsageNSec"] == 5
    assert outcome.facts["resources"]["MemoryPeak"] is None


PARAMS: dict[str, t.Any] = {
    **dict.fromkeys(("run_as", "run_as_group", "user", "working_directory", "environment")),
    "expand_argument_vars": False,
    "scope": "system",
}


@pytest.fixture
def ends() -> t.Iterator[dict[str, int]]:
    null = os.open(os.devnull, os.O_RDWR)
    yield {"stdout": null, "stderr": null}
    os.close(null)


def gone(pid: int) -> bool:
    """Whether there is no such child any more."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def test_a_command_that_never_becomes_ready(monkeypatch: pytest.MonkeyPatch, ends: dict[str, int]) -> None:
    monkeypatch.setattr(scope, "_STARTING", 0.2)
    monkeypatch.setattr(scope, "_become", lambda *args: time.sleep(100))
    command = scope._Command(Request("a.scope", "", False, ["/bin/true"]), PARAMS, ends)
    assert "was not ready within 0.2 s" in command.problem
    command.kill()
    assert gone(command.pid)


def test_a_command_that_dies_before_it_is_ready(monkeypatch: pytest.MonkeyPatch, ends: dict[str, int]) -> None:
    monkeypatch.setattr(scope, "_become", lambda *args: os.kill(os.getpid(), signal.SIGKILL))
    command = scope._Command(Request("a.scope", "", False, ["/bin/true"]), PARAMS, ends)
    assert "ended before it could be begun" in command.problem
    command.kill()


class Silent:
    """A connection to a manager that answers nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def call_many(self, calls: t.Sequence[t.Any], deadline: float) -> t.NoReturn:
        self.asked += [call.member for call in calls]
        raise BusTimeout("nothing came")

    def wait(self, until: t.Callable[[], bool], deadline: float) -> None:
        time.sleep(0.005)
        if not until():
            raise BusTimeout("nothing came")


def test_time_is_over_also_where_systemd_does_not_answer(monkeypatch: pytest.MonkeyPatch, ends: dict[str, int]) -> None:
    for name in ("_GRACE", "_STOPPING"):
        monkeypatch.setattr(scope, name, 0.05)
    request = Request("a.scope", "", False, ["/bin/sleep", "100"])
    request.timeout = 0.05
    command = scope._Command(request, PARAMS, ends)
    assert not command.problem
    command.begin()
    assert not command.problem
    connection = Silent()
    manager = SimpleNamespace(connection=connection, watch_unit=lambda name: [])
    step = RunInScope(request, PARAMS, t.cast(t.Any, SimpleNamespace(facts={})))
    assert step._wait(Context(manager), command, time.monotonic()) is True
    assert connection.asked == ["StopUnit"]
    assert gone(command.pid)
    assert command.facts()["signal"] == "SIGKILL"
