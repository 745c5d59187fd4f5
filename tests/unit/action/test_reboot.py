# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of `reboot`: how it waits for a host, and what it says where the host does something else."""

from __future__ import annotations

import json
import signal
import time
import types
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.pidone.systemd.plugins.action import reboot as plugin
from ansible_collections.pidone.systemd.plugins.plugin_utils._within import OutOfTime, within

BOOT = {"id": "old 5", "userspace": 7}
UNITS = {"active": ["a.service"], "failed": []}
LOOK: dict[str, t.Any] = {"changed": True, "needed": True, "boot": BOOT, "units": UNITS, "inhibitors": [], "steps": ["reboot"]}
REQUESTED: dict[str, t.Any] = {"changed": True, "needed": True, "steps": ["reboot"]}
DOWN = AnsibleConnectionFailure("ssh: connect to host web1 port 22: No route to host")
OLD = {"boot": BOOT, "old": True, "state": "running", "stopping": False}
STOPPING = {**OLD, "state": "stopping", "stopping": True}
NEW: dict[str, t.Any] = {
    "boot": {"id": "new 6", "userspace": 8}, "old": False, "state": "running", "finished": True, "lost": [], "newly_failed": [],
}  # fmt: skip
Answer = dict[str, t.Any] | BaseException


class Host:
    """A host that answers in turn, the last answer for ever, on a clock that passes only where somebody waits."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *after: Answer, look: Answer | None = None, request: Answer | None = None
    ) -> None:
        self.now = 1000.0
        self.patch = monkeypatch
        self.look, self.request, self.after = look or LOOK, request or REQUESTED, list(after)
        self.asked: list[dict[str, t.Any]] = []
        self.times: list[float] = []
        self.resets = 0
        self.commands: list[Answer] = []
        self.options: dict[str, t.Any] = {"timeout": 10, "ssh_extra_args": ""}
        self.seen_options: list[dict[str, t.Any]] = []

    def answer(self, task_vars: t.Any, in_background: bool = False, beside: t.Any = None) -> dict[str, t.Any]:
        asked = json.loads(beside["reboot"])
        self.asked.append(asked)
        self.times.append(self.now)
        self.seen_options.append(dict(self.options))
        if asked["phase"] == "after":
            found = self.after.pop(0) if len(self.after) > 1 else self.after[0]
            self.now += 0.2
        else:
            found = self.look if asked["phase"] == "look" else self.request
        if isinstance(found, BaseException):
            raise found
        return t.cast("dict[str, t.Any]", json.loads(json.dumps(found)))

    def run(self, check: bool = False, transport: str = "ssh", **args: t.Any) -> dict[str, t.Any]:
        task = types.SimpleNamespace(action="pidone.systemd.reboot", args=args, async_val=0, check_mode=check)
        connection = types.SimpleNamespace(
            _shell=types.SimpleNamespace(tmpdir=None), transport=transport, reset=self.reset, has_native_async=False,
            get_option=self.options.__getitem__, set_option=self.options.__setitem__,
        )  # fmt: skip
        action = plugin.ActionModule(task, connection, None, None, None)
        self.patch.setattr(action, "answer", self.answer)
        self.patch.setattr(action, "_low_level_execute_command", self.execute)
        self.patch.setattr(plugin, "time", types.SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep))
        found = action.run(task_vars={"inventory_hostname": "web1"})
        assert self.options == {"timeout": 10, "ssh_extra_args": ""}, "the connection is left as it was"
        return found

    def reset(self) -> None:
        self.resets += 1

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds

    def execute(self, command: str, sudoable: bool) -> dict[str, t.Any]:
        found = self.commands.pop(0) if len(self.commands) > 1 else self.commands[0]
        if isinstance(found, BaseException):
            raise found
        return found


def failing(found: dict[str, t.Any], phase: str, *words: str) -> None:
    assert (found.get("failed"), found.get("phase")) == (True, phase), found
    for word in words:
        assert word in found["msg"], found["msg"]


def test_a_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, STOPPING, DOWN, DOWN, NEW)
    found = host.run(connect_timeout="3")
    assert not found.get("failed"), found
    assert (found["changed"], found["rebooted"], found["boot_id"], found["worse"]) == (True, True, "new", [])
    assert (found["state"], found["inhibitors"], found["steps"], found["method"]) == ("running", [], ["reboot"], "reboot")
    assert found["elapsed"] == pytest.approx(host.now - 1000, abs=0.1)
    assert [asked["phase"] for asked in host.asked] == ["look", "request", *["after"] * 4]
    assert {"boot": BOOT, "units": UNITS}.items() <= host.asked[-1].items()
    # each attempt is told what is left of the one deadline
    left = [asked["seconds"] for asked in host.asked[2:]]
    assert left == sorted(left, reverse=True)
    assert left[-1] == pytest.approx(600 - (host.times[-1] - 1000) - 1)
    assert host.resets >= 4, "whatever was connected to the old boot is forgotten"
    for options in host.seen_options[2:]:
        assert options["timeout"] == 3
        assert "ServerAliveInterval" in options["ssh_extra_args"]
    assert "needed" not in found
    assert "boot" not in found


def test_attempts_are_soon_and_not_often(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, *[DOWN] * 20, NEW)
    host.run()
    pauses = [after - before - 0.2 for before, after in zip(host.times[2:], host.times[3:])]
    assert pauses[0] < 1
    assert max(pauses) == pytest.approx(3.0)


def test_a_host_that_goes_down_before_it_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = {"failed": True, "module_stdout": "", "module_stderr": "Terminated", "msg": "MODULE FAILURE", "rc": 143}
    for request in (DOWN, killed, {"failed": True, "msg": "interrupted by SIGTERM", "requested": True}, OutOfTime()):
        found = Host(monkeypatch, DOWN, NEW, request=request).run()
        assert found["rebooted"], found


def test_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, request={"failed": True, "msg": "cannot reboot: it is inhibited", "requested": False})
    found = host.run()
    failing(found, "request", "cannot reboot: it is inhibited")
    assert (found["changed"], found["rebooted"]) == (False, False)
    assert len(host.asked) == 2


def test_it_never_goes_down(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, OLD)
    found = host.run()
    failing(found, "going down", "web1 did not go down, ", "systemd says `running`", "canceled")
    assert not found["rebooted"]
    assert 30 < found["elapsed"] < 40, "nobody waits ten minutes for what does not begin"


def test_it_takes_too_long_to_go_down(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, STOPPING)
    found = host.run(reboot_timeout="90s")
    failing(found, "going down", "web1 did not go down, 1min 30s after", "still shutting down; give it more time in `reboot_timeout`")
    assert found["elapsed"] == pytest.approx(90, abs=1)


def test_it_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, STOPPING, DOWN)
    found = host.run(reboot_timeout="2min")
    failing(found, "coming back", "web1 does not answer, 2min after", "No route to host")
    assert found["elapsed"] == pytest.approx(120, abs=1)


def test_the_boot_of_before_answers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, DOWN, DOWN, OLD)
    found = host.run()
    failing(found, "coming back", "answers again, but with the boot of before", "`running`", "No route to host")
    assert not found["rebooted"]
    assert found["elapsed"] < 60


def test_startup_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    late = {**NEW, "state": "starting", "finished": False, "jobs": ["slow.service (start)"]}
    found = Host(monkeypatch, DOWN, late).run()
    failing(found, "starting", "web1 has booted", "`starting`", "slow.service (start)", "`reboot_timeout`")
    assert found["rebooted"]


def test_units_are_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    worse = {
        **NEW, "state": "degraded", "lost": ["a.service"], "newly_failed": ["b.service"], "report": "a.service has failed\n  unit  failed",
        "failures": [{"unit": "a.service", "reason": "has failed"}],
    }  # fmt: skip
    found = Host(monkeypatch, DOWN, worse).run()
    failing(found, "comparing", "2 units are worse than before", "`ignore_units`\na.service has failed\n  unit  failed")
    assert (found["rebooted"], found["changed"], found["worse"]) == (True, True, ["a.service", "b.service"])
    assert found["failures"][0]["unit"] == "a.service"


def test_it_goes_down_once_more_during_startup(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Host(monkeypatch, DOWN, DOWN, AnsibleError("timeout"), NEW).run()["rebooted"]


def test_delays_are_before_and_within_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, NEW)
    host.run(pre_reboot_delay="5min", post_reboot_delay="20s", reboot_timeout="60s")
    assert host.times[2] == pytest.approx(1000 + 300 + 20.5)
    assert host.asked[2]["seconds"] == pytest.approx(60 - 20.5 - 1)


@pytest.mark.parametrize(
    ("commands", "says"),
    [
        ([{"rc": 0}], ""),
        ([{"rc": 7, "stdout": "", "stderr": "no\nnot yet\n"}, DOWN, {"rc": 0}], ""),
        ([{"rc": 7, "stdout": "x", "stderr": "no\nnot yet\n"}], "it ended with 7, and said not yet"),
    ],
)
def test_a_command_has_to_succeed(monkeypatch: pytest.MonkeyPatch, commands: list[t.Any], says: str) -> None:
    host = Host(monkeypatch, NEW)
    host.commands = commands
    found = host.run(test_command="curl x", reboot_timeout="60s")
    if says:
        failing(found, "test_command", "web1 has booted, and `test_command` does not succeed", says)
        assert found["elapsed"] < 61
        assert found["rebooted"]
    else:
        assert not found.get("failed"), found


def test_check_mode_only_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, look={**LOOK, "inhibitors": [{"who": "w", "why": "y", "mode": "block", "user": "root", "pid": 1}]})
    found = host.run(check=True)
    assert (found["changed"], found["rebooted"], found["steps"]) == (True, False, ["reboot"])
    assert found["inhibitors"][0]["who"] == "w"
    assert len(host.asked) == 1


def test_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, look={"changed": False, "needed": False, "msg": "not rebooted, since there is no /x"})
    found = host.run(removes="/x")
    assert (found["changed"], found["rebooted"], found["msg"]) == (False, False, "not rebooted, since there is no /x")
    assert len(host.asked) == 1


def test_the_controller_is_not_rebooted(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch)
    found = host.run(transport="local")
    assert found["failed"]
    assert "would reboot the controller" in found["msg"]
    assert host.asked == []


def test_bad_options_are_told_before_the_host_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch)
    found = host.run(reboot_timeout="soon")
    assert found["failed"]
    assert "reboot_timeout: 'soon' is not a time span" in found["msg"]
    with pytest.raises(AnsibleError, match="nonsense"):
        host.run(nonsense=1)
    assert host.asked == []


def test_other_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be told how long it may take, and has nothing to forget."""
    host = Host(monkeypatch, DOWN, NEW)

    def nothing(*_given: t.Any) -> t.Any:
        raise AttributeError("it has none")

    monkeypatch.setattr(host, "reset", nothing)
    found = host.run(transport="machinectl", connect_timeout="4")
    assert found["rebooted"]
    assert host.seen_options[-1] == {"timeout": 4, "ssh_extra_args": ""}


# -- an end in time


def test_what_ends_in_time() -> None:
    with within(5.0):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_hangs() -> None:
    began = time.monotonic()
    with pytest.raises(OutOfTime), within(0.05):
        time.sleep(10)
    assert time.monotonic() - began < 5
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_of_before_goes_off_all_the_same() -> None:
    class Alarm(Exception):
        pass

    def ring(_number: int, _frame: t.Any) -> None:
        raise Alarm

    former = signal.signal(signal.SIGALRM, ring)
    try:
        for left in (0.02, 0.2):
            signal.setitimer(signal.ITIMER_REAL, left)
            with pytest.raises(Alarm):
                try:
                    with within(0.1):
                        time.sleep(10)
                except OutOfTime:
                    time.sleep(10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
