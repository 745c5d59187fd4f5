# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `run` on real hosts."""

from __future__ import annotations

import base64
import json
import time
import typing as t

import pytest
import yaml

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import render
from tests.lab.fixtures import in_full
from tests.lab.host import Host

# The process of a task, as opposed to the one that watches over it in the background.
MODULE = "^[^ ]*python[^ ]* [^ ]*AnsiballZ_run.py"


# Makes a scope of a process that has ended.
LEAVE_SCOPE = """
import os, subprocess, sys
pid = os.fork() or os._exit(0)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
call = ["busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"]
ask = ["StartTransientUnit", "ssa(sv)a(sa(sv))", sys.argv[1], "fail", "1", "PIDs", "au", "1", str(pid), "0"]
subprocess.run(call + ask, check=True)
"""


def run(host: Host, command: t.Any, **args: t.Any) -> dict[str, t.Any]:
    """One task; keywords of `Host.ansible` go in `how`."""
    how = args.pop("how", {})
    return host.ansible("pidone.systemd.run", {"command": command, **args}, **how)


def ran(host: Host, command: t.Any, **args: t.Any) -> dict[str, t.Any]:
    result = run(host, command, **args)
    assert not result["failed"], result["msg"]
    return result


def version(host: Host) -> int:
    return int(host.run("systemctl --version", check=True).stdout.split()[1])


def left_behind(host: Host) -> str:
    """Transient units with a made-up name, loaded or on disk, and processes of theirs."""
    line = "systemctl list-units --all --no-legend --plain 'ansible-run-*'; find /run/systemd/transient -name '*ansible-run-*'"
    return host.run(line).stdout


def nothing_left(host: Host) -> None:
    deadline = time.monotonic() + 60
    while left_behind(host):
        assert time.monotonic() < deadline, left_behind(host)


def wait_for(host: Host, line: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while host.run(line).returncode:
        assert time.monotonic() < deadline, f"not in time: {line}\n{host.run('systemctl list-units --all').stdout}"
        time.sleep(0.2)


class TestService:
    """A command that is waited for."""

    def test_all_that_comes_back(self, host: Host) -> None:
        script = 'read line; echo "$line $GREETING"; pwd; id -un; id -gn; echo oops >&2; cat /proc/self/cgroup'
        result = ran(
            host,
            ["sh", "-c", script],
            stdin="first",
            environment={"GREETING": "hello  world", "GONE": None},
            working_directory="/var/tmp",
            run_as="nobody",
            run_as_group="adm",
            slice="rt-some",
            description="What it is",
            properties={"Nice": 5, "IPAccounting": True},
        )
        assert result["changed"]
        lines = result["stdout"].split("\n")
        assert lines[:4] == ["first hello  world", "/var/tmp", "nobody", "adm"]
        assert f"/rt.slice/rt-some.slice/{result['name']}" in result["stdout"]
        assert result["stderr"] == "oops"
        assert (result["rc"], result["signal"], result["result"]) == (0, None, "success")
        assert result["job"]["result"] == "done"
        assert 0 < result["run_time"] < 5
        assert result["started_at"] < result["ended_at"]
        assert 0 < result["resources"]["CPUUsageNSec"] < 5e9
        assert len(result["invocation_id"]) == 32
        nothing_left(host)

    def test_output_without_loss(self, host: Host) -> None:
        # More than a pipe holds, opened anew by another user, not UTF-8, and with somebody else holding the pipes at the end.
        script = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo late > /dev/stdout; printf '\\377\\n' > /dev/stderr; echo e >&2"
        result = ran(host, ["sh", "-c", script], run_as="nobody", strip_empty_ends=False)
        assert result["stdout"] == "x" * 3000000 + "\nlate\n"
        assert result["stderr"] == "\ufffd\ne\n"
        assert base64.b64decode(result["stderr_base64"]) == b"\xff\ne\n"
        assert "stdout_base64" not in result
        result = ran(host, ["sh", "-c", "echo here; sleep 2 & exit 0"], properties={"KillMode": "process"})
        assert result["stdout"] == "here"
        assert result["run_time"] < 1.5

    @pytest.mark.lab_kinds("bookworm")
    def test_output_without_end(self, host: Host) -> None:
        script = "head -c 60000000 /dev/zero | tr '\\0' '\\377'; echo done >&2"
        result = ran(host, ["sh", "-c", script], output_limit="1M")
        assert len(base64.b64decode(result["stdout_base64"])) == 1 << 20
        assert result["stdout_dropped"] == 60000000 - (1 << 20)
        assert result["stderr"] == "done" and "stderr_dropped" not in result
        assert any("stdout is cut" in text and "output_limit" in text for text in result["warnings"])
        # Who goes on printing into the pipe after the service has ended is not waited for.
        result = ran(host, ["sh", "-c", "printf 'y\\ny\\ny\\n'; yes & exit 0"], properties={"KillMode": "process"}, timeout="20s")
        assert "y\ny\ny" in result["stdout"]

    @pytest.mark.lab_kinds("bookworm")
    def test_secrets_are_not_logged(self, host: Host) -> None:
        args: dict[str, t.Any] = {"stdin": "rt-s3cret", "environment": {"A": "rt-s3cret"}}
        result = ran(host, ["sh", "-c", "cat", "rt-argument"], name="rt-secret", **args)
        assert result["stdout"] == "rt-s3cret"
        assert "rt-s3cret" not in str(result["invocation"]["module_args"]["stdin"])
        result = ran(host, ["sh", "-c", "true", "rt-argument"], on_active="5h", name="rt-secret")
        shown = host.run("systemctl list-units --all 'rt-secret*'; systemctl stop rt-secret.timer", check=True).stdout
        assert "rt-argument" not in shown and "sh (run by pidone.systemd)" in shown
        keywords = {"no_log": True}
        run(
            host,
            ["sh", "-c", "cat", "rt-quiet"],
            stdin="rt-quiet",
            environment={"A": "rt-quiet"},
            how={"keywords": keywords},
        )
        logged = host.run("journalctl --sync; journalctl --no-pager -o export", check=True).stdout
        assert "Invoked with" in logged and "rt-secret" in logged
        assert not [line for line in logged.splitlines() if "rt-s3cret" in line and "environment" not in line]
        # ansible-core logs the options of a task without `no_log`, and journald of who logs its command line.
        assert not [line for line in logged.splitlines() if "rt-quiet" in line and not line.startswith("_CMDLINE=")]

    def test_own_streams_are_left_alone(self, host: Host) -> None:
        result = ran(host, "echo x", properties={"StandardOutput": "file:/run/rt-out", "StandardInputText": "y"})
        assert result["stdout"] is None
        assert host.run("cat /run/rt-out; rm /run/rt-out").stdout == "x\n"
        assert ran(host, "cat", properties={"StandardInput": "data", "StandardInputText": "a b"})["stdout"] == "a b"

    def test_arguments_stay_as_they_are(self, host: Host) -> None:
        words = ["$HOME", "${HOME}", "$$", "%n", "a  b", "'q' \"p\"", "\\x41", "line\nbreak", "ü", "", "*", "@"]
        result = ran(host, ["printf", "<%s>", *words])
        assert result["stdout"] == "".join(f"<{word}>" for word in words)
        expanded = ran(host, ["echo", "${A}"], environment={"A": "x  y"}, expand_argument_vars=True)
        assert expanded["stdout"] == "x  y"
        assert ran(host, "echo 'a  b' c|d")["stdout"] == "a  b c|d"

    def test_failures(self, host: Host) -> None:
        result = run(host, ["sh", "-c", "echo before; echo why >&2; exit 3"])
        assert result["failed"] and result["changed"]
        assert (result["rc"], result["result"], result["stdout"]) == (3, "exit-code", "before")
        assert "exited with status 3" in result["msg"] and "why" in result["msg"] and result["name"] in result["msg"]
        result = run(host, ["sh", "-c", "kill -KILL $$"])
        assert result["failed"]
        assert (result["rc"], result["signal"]) == (-9, "SIGKILL")
        assert "killed by SIGKILL" in result["msg"]
        good = ran(host, ["sh", "-c", "exit 3"], properties={"SuccessExitStatus": 3})
        assert good["rc"] == 3
        how = {"keywords": {"failed_when": "false"}}
        assert run(host, "false", how=how)["rc"] == 1
        nothing_left(host)

    def test_killed_is_failed(self, host: Host) -> None:
        """Also by those signals that a service may be ended with, and where somebody else stops the unit."""
        for name in ("TERM", "HUP", "INT", "PIPE", "USR1"):
            result = run(host, ["sh", "-c", f"kill -{name} $$"], properties={"IgnoreSIGPIPE": False})
            assert result["failed"] and f"was killed by SIG{name}" in result["msg"], result
            assert (result["signal"], result["result"]) == (f"SIG{name}", "signal")
        listed = {"SuccessExitStatus": "SIGTERM 143"}
        assert ran(host, ["sh", "-c", "kill -TERM $$"], properties=listed)["signal"] == "SIGTERM"
        halting = "{}; echo begun; (sleep 0.5; systemctl stop rt-halted.{}) & sleep 60 & wait; echo whole"
        for properties in ({}, {"Type": "oneshot"}):
            result = run(host, ["sh", "-c", halting.format(":", "service")], name="rt-halted", properties=properties)
            assert result["failed"] and result["stdout"] == "begun"
            assert "was killed by SIGTERM, as its unit was stopped meanwhile" in result["msg"]
        for kind in ("service", "scope"):
            result = run(host, ["sh", "-c", halting.format("trap 'exit 0' TERM", kind)], name="rt-halted", unit_type=kind)
            assert result["failed"] and (result["rc"], result["stdout"]) == (0, "begun")
            assert "had not ended when its unit was stopped" in result["msg"]
        good = ran(host, ["sh", "-c", halting.format("trap 'exit 143' TERM", "service")], name="rt-halted", properties=listed)
        assert good["rc"] == 143
        # One that is held for done is run again the next time.
        for _again in range(2):
            result = run(host, ["sh", "-c", "kill -TERM $$"], name="rt-killed", remain_after_exit=True)
            assert result["failed"] and "was killed by SIGTERM" in result["msg"]
        nothing_left(host)

    def test_what_systemd_cannot_run(self, host: Host) -> None:
        host.run("mkdir -p /run/rt-dir; chmod 700 /run/rt-dir", check=True)
        result = run(host, "true", run_as="nobody", working_directory="/run/rt-dir")
        assert result["failed"]
        assert result["failures"][0]["exit_status"] == "CHDIR"
        assert "200/CHDIR" in result["msg"]
        result = run(host, "true", properties={"ExecStartPre": ["sh -c 'echo not today; exit 9'"]})
        assert result["failed"]
        assert result["failures"][0]["failed_setting"] == "ExecStartPre"
        assert "exited with status 9" in result["msg"] and "not today" in result["msg"]
        host.write("/run/rt-script", "#!/nowhere\n", 0o755)
        result = run(host, "/run/rt-script", wait=False)
        assert result["failed"] and "203/EXEC" in result["msg"]
        host.run("rm -r /run/rt-dir /run/rt-script", check=True)
        nothing_left(host)

    def test_timeout(self, host: Host) -> None:
        result = run(host, ["sh", "-c", "echo begun; sleep 61"], timeout="1s")
        assert result["failed"]
        assert "did not end within 1s" in result["msg"] and "begun" in result["msg"]
        assert (result["result"], result["stdout"], result["signal"]) == ("timeout", "begun", "SIGTERM")
        assert 0.9 < result["run_time"] < 5
        # systemd's own limits say nothing of the time that attempts take together
        result = run(host, ["sh", "-c", "sleep 0.3; exit 1"], timeout="1s",
                     properties={"Restart": "always", "RestartSec": "100ms", "StartLimitIntervalSec": 0})  # fmt: skip
        assert result["failed"] and "did not end within 1s" in result["msg"]
        assert result["restarts"] > 1
        result = run(host, "sleep 61", timeout="1s", properties={"Type": "oneshot"})
        assert result["failed"] and result["result"] == "timeout" and "within 1s" in result["msg"]
        result = run(host, "sleep 61", properties={"Type": "notify", "TimeoutStartSec": "500ms"})
        assert result["failed"] and "start failed" in result["msg"] and "Result: timeout" in result["msg"]
        nothing_left(host)

    def test_restarts(self, host: Host) -> None:
        script = "echo try; test -e /run/rt-again || { touch /run/rt-again; exit 1; }"
        result = ran(host, ["sh", "-c", script], properties={"Restart": "on-failure", "RestartSec": 0})
        assert (result["stdout"], result["restarts"], result["rc"]) == ("try\ntry", 1, 0)
        host.run("rm /run/rt-again", check=True)

    def test_conditions(self, host: Host) -> None:
        result = ran(host, "touch /run/rt-never", properties={"ConditionPathExists": "/rt-none"})
        assert not result["changed"]
        assert result["rc"] is None
        assert not host.exists("/run/rt-never")

    def test_creates_removes_and_check_mode(self, host: Host) -> None:
        host.run("rm -rf /run/rt-made", check=True)
        args: dict[str, t.Any] = {"creates": "/run/rt-m*e", "working_directory": "/run"}
        planned = run(host, "touch rt-made", how={"check": True, "diff": True}, **args)
        assert planned["changed"] and not host.exists("/run/rt-made")
        done = run(host, "touch rt-made", how={"diff": True}, **args)
        assert (planned["steps"], planned["diff"]) == (done["steps"], done["diff"])
        assert "ran touch rt-made" in done["diff"][0]["prepared"]
        for check in (True, False):
            again = run(host, "touch rt-made", how={"check": check}, **args)
            assert not again["changed"] and not again["failed"]
            assert "/run/rt-m*e exists" in again["msg"]
        removed = ran(host, "rm rt-made", removes="rt-made", working_directory="/run")
        assert removed["changed"]
        assert not ran(host, "rm rt-made", removes="rt-made", working_directory="/run")["changed"]

    def test_check_mode_takes_what_an_earlier_task_would_make(self, host: Host) -> None:
        result = run(host, "/opt/rt-none", run_as="rt-none", working_directory="/rt-none", how={"check": True})
        assert result["changed"] and not result["failed"]
        assert len(result["warnings"]) == 3

    def test_named(self, host: Host) -> None:
        args: dict[str, t.Any] = {"name": "rt-named", "wait": False, "environment": {"A": "1"}}
        try:
            first = ran(host, "sleep 1011", **args)
            assert first["changed"] and first["name"] == "rt-named.service" and first["job"]["result"] == "done"
            pid = host.run("systemctl show rt-named -p MainPID --value", check=True).stdout
            again = ran(host, "sleep 1011", **args)
            assert not again["changed"] and again["sub_state"] == "running"
            assert not ran(host, "sleep 1011", **{**args, "wait": True, "timeout": None})["changed"]
            for other in ({"environment": {"A": "2"}}, {"properties": {"Nice": 1}}):
                refused = run(host, "sleep 1011", **{**args, **other})
                assert refused["failed"] and not refused["changed"]
                assert "name: rt-named.service is there already" in refused["msg"]
            assert host.run("systemctl show rt-named -p MainPID --value", check=True).stdout == pid
        finally:
            host.run("systemctl stop rt-named")
        result = run(host, "true", name="ssh.service")
        assert result["failed"] and "name: there is a unit ssh.service" in result["msg"]

    def test_once_per_boot(self, host: Host) -> None:
        try:
            first = ran(host, "echo hi", name="rt-once", remain_after_exit=True)
            assert first["changed"] and first["stdout"] == "hi"
            again = ran(host, "echo hi", name="rt-once", remain_after_exit=True)
            assert not again["changed"]
            assert (again["sub_state"], again["rc"]) == ("exited", 0)
        finally:
            host.run("systemctl stop rt-once")
        # One that failed and was kept is no obstacle.
        assert run(host, "false", name="rt-once", collect=False)["failed"]
        assert host.run("systemctl is-failed rt-once").stdout.strip() == "failed"
        result = ran(host, "true", name="rt-once")
        assert result["steps"][0] == "reset-failed rt-once.service"


class TestTimer:
    """Commands for later."""

    def test_waits_and_is_known_again(self, host: Host) -> None:
        args: dict[str, t.Any] = {"name": "rt-later", "on_active": "5h", "properties": {"CPUWeight": 20}}
        try:
            planned = run(host, "touch /run/rt-x", how={"check": True, "diff": True}, **args)
            done = run(host, "touch /run/rt-x", how={"diff": True}, **args)
            assert not done["failed"], done["msg"]
            for key in ("changed", "steps", "diff", "name", "timer"):
                assert planned[key] == done[key], key
            assert done["timer"] == "rt-later.timer"
            left = host.run("systemctl show rt-later.timer -p NextElapseUSecMonotonic --value", check=True).stdout
            assert left.strip() not in ("", "0", "infinity")
            assert done["next_elapse"] > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 17000))
            for check in (True, False):
                again = run(host, "touch /run/rt-x", how={"check": check}, **args)
                assert not again["failed"] and not again["changed"], again
            assert again["next_elapse"][:18] == done["next_elapse"][:18]
            other = run(host, "touch /run/rt-x", **{**args, "on_active": "4h"})
            assert other["failed"] and "rt-later.timer is there already" in other["msg"]
            taken = run(host, "true", name="rt-later")
            assert taken["failed"] and "rt-later" in taken["msg"]
        finally:
            host.run("systemctl stop rt-later.timer")
        assert host.run("systemctl list-units --all --no-legend 'rt-later*'").stdout == ""

    def test_runs_and_is_gone(self, host: Host) -> None:
        words = ["$HOME", "%n", "a  b", "q\"'", "line\nbreak"]
        command = ["sh", "-c", 'printf "<%s>" "$@" > /run/rt-fired', "sh", *words]
        result = ran(host, command, on_active="1s", timer_properties={"AccuracySec": "1ms"})
        host.run("systemctl daemon-reload", check=True)
        wait_for(host, "test -s /run/rt-fired")
        assert host.read("/run/rt-fired") == "".join(f"<{word}>" for word in words)
        wait_for(host, f"! systemctl list-units --all --no-legend | grep -q {result['timer'].partition('.')[0]}")
        nothing_left(host)
        host.run("rm /run/rt-fired", check=True)

    def test_all_triggers(self, host: Host) -> None:
        args = {
            "on_boot": "30d",
            "on_startup": "31d",
            "on_unit_active": "2h",
            "on_unit_inactive": "3h 30min",
            "on_calendar": ["*-*-* 02:30", "Mon 2030-01-01 UTC"],
            "timer_properties": {"RandomizedDelaySec": "10min", "WakeSystem": False, "RemainAfterElapse": True},
        }
        ran(host, "true", name="rt-all", **args)
        try:
            shown = host.run("systemctl show rt-all.timer -p TimersMonotonic -p TimersCalendar").stdout
            for words in ("OnBootUSec=4w 2d", "OnStartupUSec=1month 13h", "OnUnitActiveUSec=2h", "OnUnitInactiveUSec=3h 30min",
                          "OnCalendar=*-*-* 02:30:00", "OnCalendar=Mon 2030-01-01 00:00:00 UTC"):  # fmt: skip
                assert words in shown, shown
            assert not ran(host, "true", name="rt-all.timer", **args)["changed"]
        finally:
            host.run("systemctl stop rt-all.timer")

    @pytest.mark.lab_kinds("bookworm")
    def test_no_trigger_is_none_by_accident(self, host: Host) -> None:
        empties: list[dict[str, t.Any]] = [{"on_active": ""}, {"on_calendar": []}, {"on_calendar": [""]}]
        for empty in empties:
            for check in (True, False):
                result = run(host, "touch /run/rt-at-once", how={"check": check}, **empty)
                assert result["failed"] and "is empty" in result["msg"], result
        result = run(host, "touch /run/rt-at-once", on_unit_active="1h")
        assert result["failed"] and "on_unit_active: counts from a run" in result["msg"]
        assert not host.exists("/run/rt-at-once")


class TestScope:
    """A command that is a child of the task's process."""

    def test_runs_in_a_scope(self, host: Host) -> None:
        result = ran(
            host,
            ["sh", "-c", "cat; grep ^0: /proc/self/cgroup; id -un; pwd; echo $A >&2; sleep 301 & sleep 0.2"],
            unit_type="scope",
            stdin="in",
            run_as="nobody",
            working_directory="/var/tmp",
            environment={"A": "b c"},
            properties={"MemoryMax": "100M"},
        )
        lines = result["stdout"].split("\n")
        assert lines == ["in", f"0::/system.slice/{result['name']}", "nobody", "/var/tmp"]
        assert result["stderr"] == "b c"
        assert result["rc"] == 0 and result["run_time"] > 0.2
        assert result["resources"]["CPUUsageNSec"] > 0
        assert host.run("pgrep -f '^sleep 301'").returncode == 1
        nothing_left(host)

    def test_failures(self, host: Host) -> None:
        result = run(host, ["sh", "-c", "echo x; exit 7"], unit_type="scope")
        assert result["failed"] and result["rc"] == 7 and "exited with status 7" in result["msg"]
        result = run(host, ["sh", "-c", "echo x; sleep 61"], unit_type="scope", timeout="1s")
        assert result["failed"] and "did not end within 1s" in result["msg"] and result["stdout"] == "x"
        scope = "systemd-run --quiet --scope --unit rt-taken sleep 1031 </dev/null >/dev/null 2>&1 &"
        host.run(scope, check=True)
        wait_for(host, "pgrep -f '^[^ ]*sleep 1031'")
        result = run(host, "true", unit_type="scope", name="rt-taken")
        assert result["failed"] and "name: rt-taken.scope is there already" in result["msg"]
        assert host.run("pgrep -f '[s]leep 1031'").returncode == 0
        host.run("systemctl stop rt-taken.scope", check=True)
        # As after a task that was killed just after it had asked for its scope: the process had ended by the time that systemd took it in.
        host.run(["python3", "-c", LEAVE_SCOPE, "rt-left.scope"], check=True)
        assert host.run("systemctl is-active rt-left.scope").stdout.strip() == "active"
        checked = run(host, "echo next", unit_type="scope", name="rt-left", how={"check": True})
        assert checked["steps"][0] == "stop rt-left.scope, in which nothing runs any more"
        assert host.run("systemctl is-active rt-left.scope").stdout.strip() == "active"
        assert ran(host, "echo next", unit_type="scope", name="rt-left")["stdout"] == "next"
        result = run(host, "true", unit_type="scope", properties={"ProtectSystem": "strict"})
        assert result["failed"] and "ProtectSystem" in result["msg"] and "[Service]" in result["msg"]
        nothing_left(host)


@pytest.mark.lab_kinds("bookworm")
def test_what_can_be_no_value(host: Host) -> None:
    """Refused in check mode too, by the option's name."""
    cases: list[tuple[str, dict[str, t.Any]]] = [
        ("run_as:", {"run_as": "99999999999"}),
        ("run_as:", {"run_as": "a\nb"}),
        ("run_as:", {"run_as": "99999999999", "unit_type": "scope"}),
        ("properties: ''", {"properties": {"": 1}}),
        ("slice:", {"slice": "x.service"}),
        ("creates:", {"creates": ""}),
        ("environment:", {"environment": {"A\nB": "c"}}),
        ("environment: A:", {"environment": {"A": "\x01"}}),
        ("description:", {"description": "a\0b"}),
    ]
    for words, args in cases:
        for check in (True, False):
            result = run(host, "true", how={"check": check}, **args)
            assert result["failed"] and not result.get("changed") and result["msg"].startswith(words), (args, result)
            assert "Traceback" not in str(result)
    # What an earlier task may make is no error in check mode.
    for user, told in (("54321", "there is no user '54321'"), ("²", "'²' cannot be the name of a user")):
        result = run(host, "true", run_as=user, unit_type="scope")
        assert result["failed"] and result["msg"].startswith(f"run_as: {told}"), result["msg"]


class TestManagers:
    """Other managers than the system's over its bus."""

    @pytest.fixture
    def user(self, host: Host) -> t.Iterator[str]:
        host.run("useradd -m rt-user", check=True)
        assert not host.ansible("pidone.systemd.user_manager", {"name": "rt-user"})["failed"]
        yield "rt-user"
        host.run(
            "loginctl disable-linger rt-user; systemctl stop user@$(id -u rt-user); "
            "for i in $(seq 600); do pgrep -u rt-user >/dev/null || break; sleep 0.1; done; userdel -r rt-user"
        )

    def test_of_a_user(self, host: Host, user: str) -> None:
        script = "cat; id -un; grep ^0: /proc/self/cgroup; echo x > /dev/stderr"
        for unit_type in ("service", "scope"):
            result = ran(host, ["sh", "-c", script], scope="user", user=user, stdin="in", unit_type=unit_type)
            lines = result["stdout"].split("\n")
            assert lines[:2] == ["in", user]
            assert "/user@" in lines[2] and result["name"] in lines[2]
            assert result["stderr"] == "x"
            assert result["resources"]["CPUUsageNSec"] > 0
        refused = run(host, "true", scope="user", user=user, run_as="nobody")
        assert refused["failed"] and "run_as:" in refused["msg"]

    def test_without_a_bus(self, host: Host, fresh: t.Callable[[str], Host]) -> None:
        host = fresh(host.kind.name)
        host.run("systemctl stop dbus.socket dbus.service", check=True)
        result = run(host, ["sh", "-c", "cat; echo e > /dev/stderr; exit 5"], stdin="in")
        assert (result["rc"], result["stdout"], result["stderr"], result["result"]) == (5, "in", "e", "exit-code")
        assert "exited with status 5" in result["msg"]
        assert ran(host, ["sh", "-c", "sleep 0.2; echo good"])["stdout"] == "good"
        assert ran(host, "echo scoped", unit_type="scope")["stdout"] == "scoped"
        assert run(host, "sleep 60", timeout="1s")["result"] == "timeout"
        host.write("/run/rt-script", "#!/nowhere\n", 0o755)
        for wait in (True, False):
            result = run(host, "/run/rt-script", wait=wait)
            assert result["failed"] and "could not be run" in result["msg"]
        nothing_left(host)
        # What a command does to the bus, and to systemd, does not keep its end from being known.
        host.run("systemctl start dbus.socket", check=True)
        script = (
            "systemctl stop dbus.socket dbus.service; systemctl start dbus.socket; sleep 0.3; "
            "systemctl daemon-reexec; sleep 0.5; systemctl daemon-reload; echo still here; exit 6"
        )
        result = run(host, ["sh", "-c", script])
        assert (result["rc"], result["stdout"]) == (6, "still here"), result["msg"]
        nothing_left(host)

    def test_without_permission(self, host: Host) -> None:
        result = run(host, "true", how={"remote_user": "nosudo"})
        assert result["failed"] and not result["changed"]
        assert "become: true" in result["msg"]


class TestInterruption:
    """The task's process ends before the command does."""

    def begin(self, host: Host, command: t.Any, **args: t.Any) -> str:
        """Begin a task in the background; returns the ids of its processes, but that of the one that holds them all."""
        how = {"keywords": {"async": 100, "poll": 0}}
        run(host, command, how=how, **args)
        wait_for(host, "test -e /run/rt-begun")
        pids = host.run(f"pgrep -f '{MODULE}'", check=True).stdout.split()
        assert pids
        return " ".join(pids)

    @pytest.fixture(autouse=True)
    def _tidy(self, host: Host) -> t.Iterator[None]:
        yield
        host.run("rm -f /run/rt-begun /run/rt-go /run/rt-ended")

    def test_asked_to_end(self, host: Host) -> None:
        pids = self.begin(host, ["sh", "-c", "touch /run/rt-begun; exec sleep 1021"])
        host.run(f"kill -TERM {pids}", check=True)
        wait_for(host, "! pgrep -f '^sleep 1021'")
        wait_for(host, f"! pgrep -f '{MODULE}'")
        nothing_left(host)

    def test_killed(self, host: Host) -> None:
        script = "touch /run/rt-begun; until test -e /run/rt-go; do sleep 0.1; done; touch /run/rt-ended"
        pids = self.begin(host, ["sh", "-c", script])
        host.run(f"kill -KILL {pids}", check=True)
        assert "ansible-run-" in left_behind(host)
        host.run("touch /run/rt-go", check=True)
        wait_for(host, "test -e /run/rt-ended")
        wait_for(host, "! systemctl list-units --all --no-legend | grep -q ansible-run-")
        nothing_left(host)

    @pytest.mark.parametrize("unit_type", ["service", "scope"])
    def test_killed_and_time_is_over(self, host: Host, unit_type: str) -> None:
        # It says itself that it is still there after the task's end, and is asked as soon as that has come.
        script = "touch /run/rt-begun; until test -e /run/rt-go; do sleep 0.1; done; touch /run/rt-ended; exec sleep 1022"
        pids = self.begin(host, ["sh", "-c", script], timeout="5s", unit_type=unit_type)
        host.run(f"kill -KILL {pids}; touch /run/rt-go; until test -e /run/rt-ended; do sleep 0.1; done", check=True, timeout=30)
        wait_for(host, "! pgrep -f '^sleep 1022'")
        wait_for(host, "! systemctl list-units --all --no-legend | grep -q ansible-run-")
        nothing_left(host)


@pytest.mark.lab_kinds("vm")
class TestResources:
    """What a command used, where there are all controllers."""

    @in_full
    def test_memory_and_io(self, host: Host) -> None:
        eat = ["python3", "-c", "x = bytearray(60 << 20)"]
        result = ran(host, eat, properties={"IPAccounting": True})
        assert 60 << 20 < result["resources"]["MemoryPeak"] < 120 << 20
        assert result["resources"]["CPUUsageNSec"] > 0
        assert (result["resources"]["IPIngressBytes"], result["resources"]["IPEgressBytes"]) == (0, 0)
        result = ran(host, eat, unit_type="scope")
        assert 60 << 20 < result["resources"]["MemoryPeak"] < 120 << 20
        read = ["dd", "if=/dev/vda", "of=/dev/null", "bs=1M", "count=2", "iflag=direct"]
        result = ran(host, read, properties={"IOAccounting": True})
        assert result["resources"]["IOReadBytes"] == 2 << 20

    def test_memory_is_over(self, host: Host) -> None:
        result = run(host, ["python3", "-c", "x = bytearray(200 << 20)"], properties={"MemoryMax": "40M"})
        assert result["failed"]
        assert (result["result"], result["signal"]) == ("oom-kill", "SIGKILL")
        assert "not enough memory" in result["msg"]
        assert result["resources"]["MemoryPeak"] <= 40 << 20


# Directives with the version from which on they are compared, and values that are not the default.
PROPERTIES: list[tuple[int, str, t.Any]] = [
    (0, "Documentation", ["man:true(1)", "https://example.com/a"]),
    (0, "After", "ssh.service network.target"),
    (0, "Wants", ["network.target"]),
    (0, "OnFailure", "rescue.target"),
    (0, "RequiresMountsFor", "/var/tmp"),
    (0, "StartLimitIntervalSec", "1h"),
    (0, "StartLimitBurst", 7),
    (0, "FailureActionExitStatus", 3),
    (0, "ConditionPathExists", ["!/rt-none", "|/etc/passwd"]),
    (0, "AssertPathIsDirectory", "/etc"),
    (0, "Restart", "on-abnormal"),
    (0, "RestartSec", "1min 5s"),
    (0, "TimeoutStartSec", "infinity"),
    (0, "TimeoutStopSec", 33),
    (0, "TimeoutAbortSec", "44s"),
    (0, "WatchdogSec", "5h"),
    (0, "RuntimeMaxSec", "1d"),
    (0, "SuccessExitStatus", "3 TEMPFAIL SIGKILL"),
    (0, "RestartPreventExitStatus", ["1 2", "SIGUSR1"]),
    (0, "RestartForceExitStatus", 255),
    (0, "OOMPolicy", "kill"),
    (0, "FileDescriptorStoreMax", 4),
    (0, "ExecStartPre", ["/bin/true 'a  b' ${HOME}", "-/bin/false"]),
    (0, "ExecStartPost", ["+/bin/true", "!/bin/true a"]),
    (0, "ExecStop", ":/bin/echo $HOME"),
    (0, "ExecStopPost", "@/bin/true other name"),
    (0, "KillMode", "mixed"),
    (0, "KillSignal", "SIGINT"),
    (0, "FinalKillSignal", "RTMIN+3"),
    (0, "SendSIGHUP", True),
    (0, "User", "nobody"),
    (0, "Group", "adm"),
    (0, "SupplementaryGroups", "tty disk"),
    (0, "WorkingDirectory", "-/rt-none"),
    (0, "UMask", "0027"),
    (0, "Environment", ["A=1", "B=two words", "C=quo'te\"s"]),
    (0, "PassEnvironment", "LANG LC_ALL"),
    (0, "UnsetEnvironment", "LANG"),
    (0, "EnvironmentFile", ["-/rt-none", "-/rt-other"]),
    (0, "Nice", -3),
    (0, "OOMScoreAdjust", 100),
    (0, "CPUSchedulingPolicy", "batch"),
    (0, "CPUSchedulingResetOnFork", True),
    (0, "CPUAffinity", "0"),
    (0, "IOSchedulingClass", "best-effort"),
    (0, "IOSchedulingPriority", 6),
    (0, "TimerSlackNSec", "50us"),
    (248, "CoredumpFilter", "private-anonymous shared-huge"),
    (0, "LimitNOFILE", "1000:2000"),
    (0, "LimitCORE", "1M"),
    (0, "LimitCPU", "1min"),
    (0, "LimitRTTIME", "1s"),
    (0, "LimitNICE", "+5"),
    (0, "LimitMEMLOCK", "infinity"),
    (0, "SyslogIdentifier", "rt-ident"),
    (0, "SyslogLevel", "debug"),
    (0, "SyslogFacility", "local3"),
    (0, "LogLevelMax", "warning"),
    (0, "LogRateLimitIntervalSec", "10s"),
    (0, "LogRateLimitBurst", 5),
    (253, "LogFilterPatterns", "~secret"),
    (0, "StandardOutput", "append:/run/rt-append"),
    (0, "StandardError", "null"),
    (0, "StandardInputData", "aGVsbG8="),
    (0, "StandardInput", "data"),
    (0, "CapabilityBoundingSet", "~CAP_SYS_ADMIN CAP_NET_ADMIN"),
    (0, "AmbientCapabilities", "CAP_NET_BIND_SERVICE"),
    (0, "SecureBits", "keep-caps noroot-locked"),
    (0, "NoNewPrivileges", True),
    (0, "ProtectSystem", "full"),
    (0, "ProtectHome", True),
    (0, "ProtectProc", "invisible"),
    (0, "PrivateTmp", True),
    (0, "PrivateDevices", "yes"),
    (0, "ProtectKernelTunables", True),
    (0, "ProtectControlGroups", True),
    (0, "ProtectClock", 1),
    (0, "ProtectHostname", True),
    (0, "RestrictSUIDSGID", True),
    (0, "RestrictNamespaces", "~user net"),
    (0, "RestrictAddressFamilies", "AF_UNIX AF_INET"),
    (0, "SystemCallFilter", ["@system-service", "~@privileged @resources"]),
    (0, "SystemCallErrorNumber", "EPERM"),
    (0, "SystemCallArchitectures", "native"),
    (0, "LockPersonality", True),
    (0, "MemoryDenyWriteExecute", True),
    (0, "ReadWritePaths", ["/var/tmp", "-/rt-none"]),
    (0, "ReadOnlyPaths", "/usr /bin"),
    (0, "InaccessiblePaths", "-/rt-none"),
    (0, "TemporaryFileSystem", ["/media:ro,size=1M", "/mnt"]),
    (0, "BindPaths", "/var/tmp"),
    (0, "BindReadOnlyPaths", ["/usr/share:/opt:norbind", "-/rt-none:/srv"]),
    (0, "MountFlags", "slave"),
    (0, "RuntimeDirectory", "rt-a rt-b/c"),
    (0, "RuntimeDirectoryMode", "0700"),
    (0, "RuntimeDirectoryPreserve", "restart"),
    (0, "StateDirectory", ["rt-state"]),
    (250, "CacheDirectory", "rt-cache:rt-link"),
    (0, "KeyringMode", "private"),
    (0, "IgnoreSIGPIPE", False),
    (0, "UtmpIdentifier", "rtid"),
    (0, "TTYVHangup", True),
    (250, "SetCredential", "cred:some data"),
    (250, "LoadCredential", "other:/etc/hostname"),
    (250, "ExitType", "cgroup"),
    (251, "OnSuccess", "rescue.target"),
    (253, "OpenFile", "/etc/passwd:pw:read-only"),
    (254, "RestartSteps", 3),
    (254, "RestartMaxDelaySec", "1h"),
    (254, "RestartMode", "direct"),
    (257, "PrivateUsers", "identity"),
    (0, "CPUQuota", "20%"),
    (0, "MemoryMax", "100M"),
    (0, "TasksMax", 77),
    (0, "IPAddressDeny", "any"),
]
# What differs by nature between a unit with a file and one without, or says what became of it.
OWN = (
    "Id Names Description FragmentPath Transient UnitFileState UnitFilePreset InvocationID NeedDaemonReload ControlGroup "
    "CollectMode SourcePath DropInPaths ExecStart ExecStartEx Type LogExtraFields LoadState CanFreeze "
    "StateChangeTimestamp StateChangeTimestampMonotonic LogsDirectoryMode ControlGroupId ExecMainStartTimestamp "
    "ActiveState SubState MemoryCurrent TasksCurrent ActiveEnterTimestamp Result MemoryPeak ExecMainHandoffTimestamp"
).split()


UNORDERED = "After Before TriggeredBy Requires Wants RequiresMountsFor WantsMountsFor IPAddressDeny".split()


def shown(host: Host, name: str) -> dict[str, str]:
    """What systemctl shows of a service, as far as it can be compared with another one."""
    text = host.run(f"systemctl show {name}.service", check=True).stdout.replace(name, "NAME")
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    for key in UNORDERED:
        values[key] = " ".join(sorted({*values.get(key, "").split()} - {"NAME.timer"}))
    return {key: value for key, value in values.items() if key not in OWN and "Timestamp" not in key}


class TestProperties:
    """Typed conversions, against what systemd makes of the same directives in a unit file."""

    def test_as_in_a_unit_file(self, host: Host) -> None:
        here = version(host)
        wanted = {name: value for since, name, value in PROPERTIES if since <= here}
        unit = ("Documentation After Wants On Requires Job Start Failure Condition Assert").split()
        sections: dict[str, dict[str, t.Any]] = {"Unit": {}, "Service": {"ExecStart": "/bin/true"}}
        for name, value in wanted.items():
            section = "Unit" if any(name.startswith(word) for word in unit) else "Service"
            sections[section][name] = value
        host.write("/run/systemd/system/rt-file.service", render(sections))
        host.run("systemctl daemon-reload", check=True)
        try:
            # A timer keeps it loaded, and keeps it from being run.
            result = run(host, "true", name="rt-bus", on_active="1d", properties=wanted)
            assert not result["failed"], result["msg"]
            of_file, of_bus = shown(host, "rt-file"), shown(host, "rt-bus")
            of_file["ExecStop"] = of_file["ExecStop"].replace("$HOME", "$$HOME")  # the same without the prefix
            of_file["ExecStopEx"] = of_bus["ExecStopEx"]
            assert of_bus == of_file
            # A reload reads what was written of it.
            host.run("systemctl daemon-reload", check=True)
            assert shown(host, "rt-bus") == of_bus
        finally:
            host.run("systemctl stop rt-bus.timer; rm -f /run/systemd/system/rt-file.service; systemctl daemon-reload")

    def test_every_directive_of_this_version_is_known(self, host: Host) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import exec as exec_properties
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import (
            resource as resource_properties,
        )
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import parse_table

        binary = "$(ls /usr/lib/systemd/systemd /lib/systemd/systemd 2>/dev/null | head -n 1)"
        table = parse_table(host.run(f"{binary} --dump-configuration-items", check=True).stdout)
        unknown = [
            name
            for section in ("Unit", "Service", "Scope", "Timer")
            for name in table[section]
            if not exec_properties.is_known(name) and not resource_properties.is_resource_property(name)
        ]
        assert unknown == []


BAD: list[tuple[dict[str, t.Any], list[str]]] = [
    ({"command": "rt-none"}, ["command:", "'rt-none'", "/usr/bin"]),
    ({"command": "/opt/rt-none x"}, ["command:", "/opt/rt-none"]),
    ({"command": "/etc/passwd"}, ["command:", "not executable"]),
    ({"command": "bin/true"}, ["command:", "absolute"]),
    ({"run_as": "rt-none"}, ["run_as:", "'rt-none'", "create it"]),
    ({"run_as_group": "rt-none"}, ["run_as_group:", "'rt-none'"]),
    ({"working_directory": "/rt-none"}, ["working_directory:", "/rt-none"]),
    ({"working_directory": "/etc/passwd"}, ["working_directory:", "no directory"]),
    ({"name": "a/b"}, ["name:", "slash"]),
    ({"name": "rt@.service"}, ["name:", "template"]),
    ({"timeout": "5 parsecs"}, ["timeout:", "character 3"]),
    ({"on_active": "soon"}, ["on_active:", "'soon'"]),
    ({"on_calendar": ["daily", "Foo *-*-*"]}, ["on_calendar", "Foo"]),
    ({"on_active": "1h", "timer_properties": {"Accuracy": 1}}, ["timer_properties: Accuracy", "AccuracySec"]),
    ({"on_active": "1h", "properties": {"WakeSystem": True}}, ["properties: WakeSystem", "timer_properties"]),
    ({"properties": {"MemroyMax": "1G"}}, ["properties: MemroyMax", "did you mean MemoryMax?"]),
    ({"properties": {"MemoryMax": "1X"}}, ["MemoryMax", "1X"]),
    ({"properties": {"ListenStream": "80"}}, ["properties: ListenStream", "[Socket]"]),
    ({"properties": {"ExecStart": "/bin/true"}}, ["properties: ExecStart", "`command`"]),
    ({"properties": {"RootImageOptions": "x"}}, ["properties: RootImageOptions", "unit_file"]),
    ({"scope": "global"}, ["scope:", "global"]),
    ({"user": "root"}, ["user:", "scope: user"]),
]


@pytest.mark.lab_kinds("bookworm")
def test_bad_input(host: Host) -> None:
    tasks = [
        {"name": str(args), "pidone.systemd.run": {"command": "true", **args}, "ignore_errors": True}
        for args, dummy in BAD
    ]
    play = host.playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}])
    for args, words in BAD:
        task = play.task(str(args))
        result = task.result
        assert task.status == "ignored", args
        assert not result.get("changed"), args
        assert not [word for word in words if word not in result["msg"]], result["msg"]
        assert "Traceback" not in str(result)


# What the hosts of the examples' readers have.
SETTING = """
set -e
useradd -m app; useradd postgres
mkdir -p /opt/app/bin /srv/app/etc /srv/restore /etc/app
for name in reindex import set-password report rebuild-cache warm-up fetch; do
    printf '#!/bin/sh\\necho "%s $*"\\n' $name > /opt/app/bin/$name
done
printf '#!/bin/sh\\necho "$*"\\n' > /usr/bin/podman
printf '#!/bin/sh\\ncat\\n' > /usr/bin/psql
chmod 0755 /opt/app/bin/* /usr/bin/podman /usr/bin/psql
echo 'select 1' | gzip > /srv/restore/dump.sql.gz
echo differs > /srv/app/etc/x
loginctl enable-linger app
i=0
while ! test -S /run/user/$(id -u app)/systemd/private; do sleep 0.1; i=$((i + 1)); test $i -lt 100; done
"""


@pytest.mark.lab_kinds("trixie")
def test_examples(host: Host, fresh: t.Callable[[str], Host]) -> None:
    from ansible_collections.pidone.systemd.plugins.modules.run import EXAMPLES

    own = fresh(host.kind.name)
    own.run(SETTING, check=True)
    tasks = yaml.safe_load(EXAMPLES)
    for task in tasks:
        task.pop("no_log", None)
    play = [{"hosts": "all", "gather_facts": False, "vars": {"app_password": "secret"}, "tasks": tasks}]
    played = own.playbook(play).ok()
    printed = {result.task: result.result.get("stdout") for result in played.results}
    assert printed["A pipe needs a shell"] == "select 1"
    assert printed["As a service of a user, from root"] == "image prune --force"
    assert played.task("A finding is no failure").result["rc"] == 1
    again = own.playbook(play).ok()
    assert not again.task("Every night, until the next boot").changed
    assert not again.task("Once per boot").changed


def test_systemd_refuses_a_value(host: Host) -> None:
    result = run(host, "true", properties={"ProtectSystem": "some"})
    assert result["failed"] and not result["changed"]
    assert "ProtectSystem" in result["msg"] and "nothing was started" in result["msg"]
    nothing_left(host)


# Directive -> its property on D-Bus where that has another name, and values with what means something to some directive.
WORDED: dict[str, tuple[str, list[str]]] = {
    "SyslogIdentifier": ("", [r"a\x41b", '"q"']),
    "Description": ("", [r"a\x41b \n", '"q" x']),
    "Wants": ("", [r"rt-a\x2db.service rt-c.service"]),
    "After": ("", [r"dev-disk-by\x2dlabel-a\x5cx20b.device"]),
    "Documentation": ("", [r"http://a/\x41", '"http://a/b" man:x(1)']),
    "RequiresMountsFor": ("", [r"/a\x41 /b", r'"/a b" /c\ d']),
    "ReadWritePaths": ("", [r"/a\x41 /b", r'"/a b" /c\ d', '-/x "-/y z"', "+/srv"]),
    "ExecSearchPath": ("", [r"/a\x41:/b", "/a /b"]),
    "ExecPaths": ("", [r"/a\x41 '/b c'"]),
    "UnsetEnvironment": ("", [r"A\x41 B", r'"A=b\nc" D']),
    "PassEnvironment": ("", [r"A\x41 B", '"A" B']),
    "Environment": ("", [r'A=\x41\n "B=c d"']),
    "RuntimeDirectory": ("", ["a b", '"a b" c', "a:b"]),
    "BindPaths": ("", [r"/a\x41:/b", '"/a b":/c', '"/a b:/c d"', r"/a\:b:/c -/d", "/a:/b:norbind /c"]),
    "TemporaryFileSystem": ("", [r"/a\x41:ro", '"/a b":ro,size=1M', '"/a b:ro"', "/a /b:ro"]),
    "SetCredential": ("", [r"a:x\x41\ny\x00", r'a:"q" r', r"a\x41:b", "a:b:c"]),
    "LoadCredential": ("", [r"a:/x\x41", r"a\x41:/b"]),
    "StandardInputText": ("StandardInputData", [r"x\x41\ty\\", '"q"']),
    "LogExtraFields": ("", [r'A=\x41\n "B=c d"']),
    "LogFilterPatterns": ("", [r"a\x41", r"~b\d", '"q"']),
    "WorkingDirectory": ("", ["/a b", "~"]),
    "RootDirectory": ("", [r"/a\x41"]),
    "EnvironmentFile": ("EnvironmentFiles", [r"/a\x41", "-/x y"]),
    "OpenFile": ("", [r"/a\x41:n:read-only"]),
    "ImportCredential": ("", [r"a\x41*", "a b"]),
    "AppArmorProfile": ("", [r"-a\x41 b"]),
    "NetworkNamespacePath": ("", [r"/a\x41", "/a b"]),
    "RebootArgument": ("", [r"a\x41 b"]),
}
IN_UNIT = ("Description", "Wants", "After", "Documentation", "RequiresMountsFor", "RebootArgument")


def told(host: Host, unit: str, directives: t.Iterable[str]) -> dict[str, t.Any]:
    """What systemd has for the directives of a service; what it adds of itself is left out."""
    path = f"/org/freedesktop/systemd1/unit/{unit.replace('-', '_2d')}_2eservice"
    found: dict[str, t.Any] = {}
    for name in directives:
        face = f"org.freedesktop.systemd1.{'Unit' if name in IN_UNIT else 'Service'}"
        line = f"busctl --json=short get-property org.freedesktop.systemd1 {path} {face} {WORDED[name][0] or name}"
        value = json.loads(host.run(line, check=True).stdout)["data"]
        if name in ("Wants", "After", "LogExtraFields", "RequiresMountsFor"):
            own = ("sys", "-.", "basic", "/var/tmp", "rt-sent.timer")
            value = sorted(each for each in value if not str(each).startswith(own) and each[:8] != list(b"PIDONE_S"))
        found[name] = value
    return found


def test_values_are_those_of_a_unit_file(host: Host) -> None:
    """Each directive has its own rules for quotes, backslashes and colons: systemd reads the same text from a file."""
    known = host.run("/lib/systemd/systemd --dump-configuration-items", check=True).stdout
    names = [name for name in WORDED if f"\n{name}=" in known]
    assert len(names) > 20
    for turn in range(max(len(values) for _bus, values in WORDED.values())):
        given = {name: WORDED[name][1][turn] for name in names if turn < len(WORDED[name][1])}
        if version(host) < 249 and given.get("RuntimeDirectory") == "a:b":
            del given["RuntimeDirectory"]
        if turn and "RootDirectory" in given:
            del given["RootDirectory"]
        sections = {"Unit": "", "Service": "ExecStart=/bin/true\n"}
        for name, value in given.items():
            sections["Unit" if name in IN_UNIT else "Service"] += f"{name}={value}\n"
        host.write("/run/systemd/system/rt-filed.service", "".join(f"[{key}]\n{text}" for key, text in sections.items()))
        host.run("systemctl daemon-reload", check=True)
        try:
            ran(host, "/bin/true", name="rt-sent", on_active="5h", properties=given)
            assert told(host, "rt-sent", given) == told(host, "rt-filed", given)
        finally:
            host.run("systemctl stop rt-sent.timer; rm /run/systemd/system/rt-filed.service; systemctl daemon-reload")
    printed = ran(host, ["sh", "-c", "cat $CREDENTIALS_DIRECTORY/a"], properties={"SetCredential": r"a:x\x41\ny"})
    assert printed["stdout"] == "xA\ny"
    refused = run(host, "true", properties={"SetCredential": r"a:\q"})
    assert refused["failed"] and "SetCredential" in refused["msg"] and "is no escape" in refused["msg"]
