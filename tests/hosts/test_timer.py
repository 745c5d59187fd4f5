# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules `timer` and `timer_info` on real hosts."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
import typing as t

import pytest
import yaml

from ansible_collections.pidone.systemd.plugins.filter import cron_to_calendar
from tests import contract
from tests.contract import invocation, show
from tests.lab.fixtures import every_version
from tests.lab.host import Host

pytestmark = every_version

SYSTEM = "/etc/systemd/system"
STAMPS = "/var/lib/systemd/timers"
USERS_UNITS = "/home/deploy/.config/systemd/user"

# What no version of systemd has a part in.
one_version = pytest.mark.lab_kinds("trixie")


def task(host: Host, check: bool = False, diff: bool = False, **args: t.Any) -> dict[str, t.Any]:
    """Run `timer` once; the result, failed or not."""
    return host.ansible("pidone.systemd.timer", args, check=check, diff=diff)


def good(host: Host, **args: t.Any) -> dict[str, t.Any]:
    """Run `timer` once; it has to succeed."""
    result = task(host, **args)
    assert not result["failed"], result["msg"]
    return result


def converge(host: Host, **args: t.Any) -> dict[str, t.Any]:
    """Plan, do, and do again; check mode knows what becomes of each timer."""
    keys = ("name", "changed", "state", "before", "after", "files", "unit", "path", "service_path", "enabled")

    def told(result: dict[str, t.Any]) -> object:
        return [[timer.get(key) for key in keys] for timer in result["timers"]]

    return contract.converge(lambda check: task(host, check, True, **args), lambda: snapshot(host), told)


def refused(host: Host, *words: str, both: bool = True, **args: t.Any) -> None:
    """The task fails, in check mode with the same words or (not `both`) with a warning, and changes nothing."""
    if not both:
        before = snapshot(host)
        planned = task(host, check=True, **args)
        contract.has_no_traceback(planned)
        assert not planned["failed"], planned["msg"]
        assert any(all(word in warning for word in words) for warning in planned["warnings"]), planned["warnings"]
        assert snapshot(host) == before
    checks = (True, False) if both else (False,)
    contract.refused(lambda check: task(host, check, **args), lambda: snapshot(host), *words, checks=checks)


def snapshot(host: Host, identity: bool = True) -> str:
    """All unit files, links and stamps, their contents and times, and what the timers do."""
    return contract.picture(host, "tm-*", identity)


def info(host: Host, **args: t.Any) -> list[dict[str, t.Any]]:
    result = host.ansible("pidone.systemd.timer_info", args)
    assert not result["failed"], result["msg"]
    assert not result["changed"]
    timers: list[dict[str, t.Any]] = result["timers"]
    return timers


def wait_until(host: Host, condition: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while host.run(condition).returncode:
        assert time.monotonic() < deadline, condition
        time.sleep(0.1)


def when(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.fixture
def name(host: Host, request: pytest.FixtureRequest) -> t.Iterator[str]:
    """A name for the test's timers; whatever is called so is gone afterwards."""
    stem = "tm-" + re.sub(r"[^a-z0-9]+", "-", request.node.originalname.lower())[5:35].strip("-") + "x"
    yield stem
    host.run(
        f"systemctl stop '{stem}*' 2>/dev/null; "
        f"rm -rf {SYSTEM}/{stem}* {SYSTEM}/*.wants/{stem}* {STAMPS}/stamp-{stem}* /etc/systemd/user/{stem}* /tmp/{stem}*; "
        f"systemctl daemon-reload; systemctl reset-failed '{stem}*' 2>/dev/null; true"
    )


class TestOneTimer:
    def test_nightly(self, host: Host, name: str) -> None:
        """The whole life of a timer: made, found as wanted, told otherwise, removed."""
        options: dict[str, t.Any] = {
            "name": name,
            "description": "Clean up",
            "OnCalendar": ["*-*-* 03:00", "Sat 12:00 Europe/Berlin"],
            "RandomizedDelaySec": "20min",
            "FixedRandomDelay": True,
            "Persistent": True,
            "command": ["/bin/sh", "-c", "echo \"$@\" '100%'", "sh", "a b", 'c"d'],
            "service": {"User": "deploy", "MemoryMax": "200M", "ProtectSystem": "strict", "Environment": {"A": "b c"}},
            "next": 5,
        }
        done = converge(host, **options)
        assert done["steps"] == [
            f"write {SYSTEM}/{name}.timer", f"write {SYSTEM}/{name}.service", f"enable {name}.timer", "daemon-reload",
            f"start {name}.timer",
        ]  # fmt: skip
        (timer,) = done["timers"]
        assert (timer["active_state"], timer["sub_state"], timer["enabled"]) == ("active", "waiting", True)
        assert timer["unit"] == f"{name}.service"
        assert len(timer["next_elapses"]) == 5
        delay = when(timer["next_elapse"]) - when(timer["next_elapses"][0])
        assert dt.timedelta(0) <= delay <= dt.timedelta(minutes=20)
        told = host.run(
            f'date -d @$(date -d "$(systemctl show {name}.timer -p NextElapseUSecRealtime --value)" +%s) -Is -u'
        )
        assert abs(when(told.stdout.strip()) - when(timer["next_elapse"])) <= dt.timedelta(seconds=1)
        assert host.run(f"systemctl is-enabled {name}.timer").stdout.strip() == "enabled"
        assert host.exists(f"{STAMPS}/stamp-{name}.timer")

        # The same in other words, and then something else.
        same = {
            **options,
            "OnCalendar": ["Sat *-*-* 12:00:00 Europe/Berlin", "*-*-* 03:00:00"],
            "RandomizedDelaySec": "1200",
        }
        assert good(host, **same)["changed"] is False
        before = invocation(host, f"{name}.timer")
        done = converge(host, **{**options, "OnCalendar": "2098-01-01 05:00 UTC"})
        assert done["steps"] == [
            f"stop {name}.timer", f"rewrite {SYSTEM}/{name}.timer", "daemon-reload", f"start {name}.timer",
        ]  # fmt: skip
        assert invocation(host, f"{name}.timer") != before
        assert done["timers"][0]["next_elapses"] == ["2098-01-01T05:00:00Z"]
        delay = when(done["timers"][0]["next_elapse"]) - when("2098-01-01T05:00:00Z")
        assert dt.timedelta(0) <= delay <= dt.timedelta(minutes=20)

        # The run as it was asked for.
        host.run(f"systemctl start {name}.service", check=True)
        said = host.run(f"journalctl --sync; journalctl -q -o cat -u {name}.service").stdout
        assert 'a b c"d 100%' in said
        (found,) = info(host, name=name, next=2)
        assert found["last_run"]["result"] == "success"
        assert (found["last_run"]["exit_code"], found["last_run"]["exit_status"]) == ("exited", 0)
        assert (found["marker"], found["Persistent"], found["FixedRandomDelay"]) == ("default", True, True)
        assert found["RandomizedDelayUSec"] == 1_200_000_000
        assert found["triggers"][0]["calendar"] == "2098-01-01 05:00:00 UTC"

        done = converge(host, name=name, state="absent")
        assert f"remove {STAMPS}/stamp-{name}.timer" in done["steps"]
        assert host.run(f"find /etc /run/systemd /var/lib/systemd -name '*{name}*'").stdout == ""
        assert show(host, f"{name}.timer", "LoadState") == {"LoadState": "not-found"}

    def test_it_fires(self, host: Host, name: str) -> None:
        """A timer that elapses after a second; its run is not disturbed by a change, nor by the removal."""
        host.write(f"/tmp/{name}", "")
        options: dict[str, t.Any] = {
            "name": name,
            "OnActiveSec": "1s",
            "AccuracySec": "10ms",
            "command": f"/bin/sh -c 'echo ran >> /tmp/{name}; exec sleep 100010'",
        }
        planned = task(host, check=True, **options)
        soon = when(planned["timers"][0]["next_elapse"]) - dt.datetime.now(dt.UTC)
        assert abs(soon) < dt.timedelta(seconds=3)
        good(host, **options)
        wait_until(host, f"grep -q ran /tmp/{name}")
        wait_until(host, f"systemctl show {name}.service -p ActiveState --value | grep -qx activating")
        again = good(host, **options)
        assert again["changed"] is False
        assert again["timers"][0]["sub_state"] == "running"
        last = when(again["timers"][0]["last_elapse"])
        assert dt.timedelta(0) < dt.datetime.now(dt.UTC) - last < dt.timedelta(seconds=60)
        (found,) = info(host, name=name)
        assert (found["sub_state"], found["unit_active_state"]) == ("running", "activating")
        assert found["last_run"]["exit_code"] is None
        assert found["triggers"][0] == {"type": "OnActiveSec", "timespan": "1s", "usec": 1_000_000, "next_elapse": None}

        run = invocation(host, f"{name}.service")
        done = good(host, **{**options, "OnActiveSec": "2h", "command": "/bin/true"})
        assert f"start {name}.timer" in done["steps"]
        assert when(done["timers"][0]["next_elapse"]) - dt.datetime.now(dt.UTC) > dt.timedelta(hours=1)
        assert invocation(host, f"{name}.service") == run
        good(host, name=name, state="absent")
        assert show(host, f"{name}.service", "ActiveState", "InvocationID") == {
            "ActiveState": "activating",
            "InvocationID": run,
        }
        host.run("pkill -f 'sleep 10001[0]'", check=True)
        wait_until(host, f"systemctl show {name}.service -p LoadState,ActiveState | grep -q inactive")

    def test_no_run_because_of_a_change(self, host: Host, name: str) -> None:
        """A span since the boot is over: a start elapses at once, a change of something else does not."""
        options: dict[str, t.Any] = {"name": name, "OnBootSec": "1us", "OnUnitActiveSec": "1h", "command": "/bin/true"}
        good(host, **options)
        wait_until(host, f"systemctl show {name}.service -p ExecMainExitTimestampMonotonic | grep -qv '=0$'")
        before = invocation(host, f"{name}.service")
        done = converge(host, **{**options, "OnUnitActiveSec": "2h"})
        assert done["steps"] == [
            f"stop {name}.timer",
            f"rewrite {SYSTEM}/{name}.timer",
            f"start {name}.timer, to count from now",
        ]
        time.sleep(0.3)
        assert invocation(host, f"{name}.service") == before
        assert when(done["timers"][0]["next_elapse"]) - dt.datetime.now(dt.UTC) > dt.timedelta(minutes=90)

    def test_first_run_of_what_counts_from_runs(self, host: Host, name: str) -> None:
        """The span since the boot is over, and there was no run that the other one could count from."""
        good(host, name=name, OnCalendar="2099-01-01", command="/bin/true")
        wanted = {"OnBootSec": "1us", "OnUnitActiveSec": "1h", "RandomizedDelaySec": 0}
        good(host, name=name, command="/bin/true", **wanted)
        wait_until(host, f"systemctl show {name}.service -p ExecMainExitTimestampMonotonic | grep -qv '=0$'")
        assert info(host, name=name)[0]["next_elapse"] is not None

    def test_elapse_after_the_year_9999(self, host: Host, name: str) -> None:
        (timer,) = converge(host, name=name, OnActiveSec="9000y", command="/bin/true")["timers"]
        assert (timer["sub_state"], timer["next_elapse"]) == ("waiting", None)
        assert info(host, name=name)[0]["next_elapse"] is None

    def test_no_run_because_of_a_new_calendar(self, host: Host, name: str) -> None:
        """Its time of today has passed since the last elapse, which to systemd is a run missed when it reloads."""
        host.write(f"/tmp/{name}", "")
        # The first task of a host takes longer than the others.
        info(host)
        soon = host.run("date -d '+6 seconds' +%H:%M:%S", check=True).stdout.strip()
        options: dict[str, t.Any] = {
            "name": name,
            "AccuracySec": "1us",
            "command": ["/bin/sh", "-c", f"echo ran >> /tmp/{name}"],
        }
        good(host, **options, OnCalendar=soon)
        wait_until(host, f"grep -q ran /tmp/{name}")
        time.sleep(2)
        passed = host.run("date -d '-1 second' +%H:%M:%S", check=True).stdout.strip()
        done = converge(host, **options, OnCalendar=passed)
        assert done["steps"] == [
            f"stop {name}.timer",
            f"rewrite {SYSTEM}/{name}.timer",
            f"start {name}.timer, to count from now",
        ]
        assert not host.exists(f"/run/systemd/system/{name}.timer.d")
        (found,) = info(host, name=name)
        assert [trigger["calendar"] for trigger in found["triggers"]] == [f"*-*-* {passed}"]
        time.sleep(0.3)
        assert host.read(f"/tmp/{name}") == "ran\n"
        # Nor when it was down meanwhile.
        good(host, **options, OnCalendar=passed, started=False)
        good(host, **options, OnCalendar=passed)
        time.sleep(0.3)
        assert host.read(f"/tmp/{name}") == "ran\n"
        # Nor of one that makes up for missed runs: it has missed none.
        good(host, **options, OnCalendar="2100-01-01", Persistent=True)
        host.run(f"touch -d '1 hour ago' {STAMPS}/stamp-{name}.timer", check=True)
        passed = host.run("date -d '30 minutes ago' +%H:%M", check=True).stdout.strip()
        done = good(host, **options, OnCalendar=passed, Persistent=True)
        assert f"touch {STAMPS}/stamp-{name}.timer" in done["steps"]
        time.sleep(0.3)
        assert host.read(f"/tmp/{name}") == "ran\n"
        assert host.run(f"systemctl is-enabled {name}.timer").stdout.strip() == "enabled"

    def test_missed_runs_are_made_up_for(self, host: Host, name: str) -> None:
        """Systemd takes the time of the stamp for the last elapse: a day ago is a run missed."""
        options: dict[str, t.Any] = {"name": name, "OnCalendar": "daily", "Persistent": True, "command": "/bin/true"}
        good(host, **{**options, "started": False})
        host.run(f"mkdir -p {STAMPS}; touch -d '2 days ago' {STAMPS}/stamp-{name}.timer", check=True)
        planned = task(host, check=True, **options)["timers"][0]["next_elapse"]
        assert abs(when(planned) - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=10)
        result = good(host, **options)
        assert result["steps"] == [f"start {name}.timer"]
        wait_until(host, f"systemctl show {name}.service -p ExecMainExitTimestampMonotonic | grep -qv '=0$'")
        last = when(good(host, **options)["timers"][0]["last_elapse"])
        assert dt.datetime.now(dt.UTC) - last < dt.timedelta(seconds=60)

    @one_version
    def test_existing_unit(self, host: Host, name: str) -> None:
        host.write(f"{SYSTEM}/{name}-job.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
        options: dict[str, t.Any] = {"name": name, "OnCalendar": "daily", "description": "x"}
        good(host, **options, command="/bin/true")
        done = converge(host, **options, unit=f"{name}-job")
        assert f"remove {SYSTEM}/{name}.service" in done["steps"]
        assert show(host, f"{name}.timer", "Unit", "Triggers")["Triggers"] == f"{name}-job.service"
        assert done["timers"][0]["unit"] == f"{name}-job.service"
        good(host, name=name, state="absent")
        assert host.exists(f"{SYSTEM}/{name}-job.service")
        # One that systemd cannot load can be started by no timer.
        host.write(f"{SYSTEM}/{name}-bad.service", "[Service]\nType=oneshot\n")
        refused(host, f"unit: systemd cannot load {name}-bad.service", **options, unit=f"{name}-bad")
        # A service of somebody else by the same name is not replaced, unless that is meant.
        host.write(f"{SYSTEM}/{name}.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
        refused(host, "name: there is a", f"unit: {name}.service", **options, command="/bin/true")
        converge(host, **options, unit=name)
        assert good(host, **options, command="/bin/true", force=True)["changed"]
        assert "ExecStart=/bin/true" in host.read(f"{SYSTEM}/{name}.service")

    def test_enabled_and_started(self, host: Host, name: str) -> None:
        options: dict[str, t.Any] = {"name": name, "OnCalendar": "daily", "command": "/bin/true"}
        done = converge(host, **options, enabled=False, started=False)
        assert done["timers"][0]["after"] == "inactive (dead), disabled"
        assert done["timers"][0]["next_elapse"] is None
        assert good(host, **options, enabled=False)["steps"] == [f"start {name}.timer"]
        assert good(host, **options)["steps"] == [f"enable {name}.timer", "daemon-reload"]
        good(host, **options, timer={"Install": {"WantedBy": ["basic.target", "timers.target"]}})
        assert host.run(f"ls {SYSTEM}/*.wants/{name}.timer | wc -l").stdout.strip() == "2"
        done = converge(host, **options, timer={"Install": {"WantedBy": "basic.target"}})
        assert (
            host.run(f"ls {SYSTEM}/*.wants/{name}.timer").stdout.strip() == f"{SYSTEM}/basic.target.wants/{name}.timer"
        )
        good(host, **options, enabled=False, started=False)
        assert host.run(f"ls {SYSTEM}/*.wants/{name}.timer").stdout == ""

    @pytest.mark.lab_kinds("bullseye", "trixie")
    def test_newer_directives(self, host: Host, name: str) -> None:
        """MemoryZSwapMax came with 253: refused where it is not known, or left out."""
        options: dict[str, t.Any] = {"name": name, "OnCalendar": "daily", "command": "/bin/true"}
        options["service"] = {"MemoryZSwapMax": "1G", "TasksMax": 7}
        if host.kind.name == "trixie":
            assert "MemoryZSwapMax=1G" in converge(host, **options, unsupported="drop")["diff"][1]["after"]
            return
        refused(host, "service:", "MemoryZSwapMax", "nothing has been written", **options)
        done = converge(host, **options, unsupported="drop")
        assert any("[Service] MemoryZSwapMax=" in warning for warning in done["warnings"])
        assert "TasksMax=7" in host.read(f"{SYSTEM}/{name}.service")
        assert "MemoryZSwapMax" not in host.read(f"{SYSTEM}/{name}.service")

    def test_interrupted_before_the_reload(self, host: Host, name: str) -> None:
        """Files that are right, but that systemd has not read: it is told to, and the timer begins anew."""
        options: dict[str, t.Any] = {"name": name, "OnCalendar": "daily", "command": "/bin/true"}
        good(host, **options)
        host.run(f"sleep 0.02; sed -i s/daily/2098-01-01/ {SYSTEM}/{name}.timer", check=True)
        done = converge(host, **{**options, "OnCalendar": "2098-01-01"})
        assert done["steps"] == [f"stop {name}.timer", "daemon-reload", f"start {name}.timer"]
        assert info(host, name=name)[0]["triggers"][0]["calendar"] == "2098-01-01 00:00:00"

    def test_rollback(self, host: Host, name: str) -> None:
        options: dict[str, t.Any] = {"name": name, "OnCalendar": "daily", "command": "/bin/true"}
        good(host, **options)
        before = snapshot(host, identity=False)
        asserting = {"Unit": {"AssertPathExists": f"/nowhere/{name}"}}
        result = task(host, name=name, OnCalendar="hourly", command="/bin/false", timer=asserting, rollback=True)
        assert result["failed"]
        assert not result["changed"]
        assert f"/nowhere/{name}" in result["msg"]
        for kind in ("timer", "service"):
            assert f"{SYSTEM}/{name}.{kind} as it was" in result["rolled_back"]
        assert snapshot(host, identity=False) == before
        assert f"{name}.timer" in before
        assert good(host, **options)["changed"] is False


class TestManyTimers:
    def test_list_and_purge(self, host: Host, name: str) -> None:
        def timers(*letters: str, **more: t.Any) -> list[dict[str, t.Any]]:
            return [
                {"name": f"{name}-{x}", "OnCalendar": "daily", "command": f"/bin/echo {x}", **more} for x in letters
            ]

        host.write(f"{SYSTEM}/{name}-z.timer", "[Timer]\nOnCalendar=daily\n")
        good(host, marker="other", timers=timers("y"))
        done = converge(host, marker=name, timers=timers("a", "b", "c"), purge=True)
        assert done["steps"][-3:] == [
            f"enable {name}-a.timer, {name}-b.timer, {name}-c.timer", "daemon-reload",
            f"start {name}-a.timer, {name}-b.timer, {name}-c.timer",
        ]  # fmt: skip
        mixed = [*timers("a"), *timers("b", OnCalendar="hourly"), {"name": f"{name}-d", "state": "absent"}]
        done = converge(host, marker=name, timers=mixed, purge=True, next=1)
        assert [(timer["name"][-7:-6], timer["changed"], timer.get("purged")) for timer in done["timers"]] == [
            ("a", False, None), ("b", True, None), ("d", False, None), ("c", True, True),
        ]  # fmt: skip
        assert [timer["name"] for timer in info(host, marker=name)] == [f"{name}-a.timer", f"{name}-b.timer"]
        # Without purge, and with another marker, others stay.
        assert good(host, marker=name, timers=[])["changed"] is False
        assert good(host, marker=f"{name}-2", timers=[], purge=True)["changed"] is False
        good(host, marker=name, timers=[], purge=True)
        assert {timer["name"]: timer["marker"] for timer in info(host, name=f"{name}-*")} == {
            f"{name}-y.timer": "other", f"{name}-z.timer": None,
        }  # fmt: skip

    @one_version
    def test_forty(self, host: Host, name: str) -> None:
        """So many that freshness is looked up in the files; the second run of `converge` has to find them fresh."""
        timers = [
            {"name": f"{name}-{n}", "OnCalendar": f"2098-01-01 00:{n}", "command": f"/bin/echo {n}"} for n in range(40)
        ]
        converge(host, timers=timers)
        host.run(f"sleep 0.02; sed -i s/:7$/:8/ {SYSTEM}/{name}-7.timer", check=True)
        timers[7]["OnCalendar"] = "2098-01-01 00:8"
        assert converge(host, timers=timers)["steps"] == [
            f"stop {name}-7.timer",
            "daemon-reload",
            f"start {name}-7.timer",
        ]
        assert good(host, timers=[{**timer, "state": "absent"} for timer in timers])["changed"]


@one_version
def test_crontab(host: Host, name: str) -> None:
    """The example of the filter `cron_to_calendar`: a crontab's jobs as timers."""
    example = yaml.safe_load(cron_to_calendar.EXAMPLES)[2]
    text = json.dumps(example).replace("crontab of app", name).replace("app-cron-", f"{name}-").replace("user='app'", "user='deploy'")
    task = json.loads(text)
    crontab = f"# jobs\nMAILTO=\n30 6 1,15 * fri echo 50\\% > /tmp/{name}\n@reboot true\n*/10 * * * * true\n0 1 * * fri-mon never\n"
    play = [{"hosts": "all", "gather_facts": False, "vars": {"crontab": {"stdout": crontab}}, "tasks": [task]}]
    assert host.playbook(play).ok().changed == 1
    assert host.playbook(play).ok().changed == 0
    timers = info(host, name=f"{name}-*")
    assert [timer["name"] for timer in timers] == [f"{name}-3.timer", f"{name}-5.timer"]
    assert {trigger["calendar"] for trigger in timers[0]["triggers"]} == {"*-*-01,15 06:30:00", "Fri *-*-* 06:30:00"}
    host.run(f"systemctl start {name}-3.service", check=True)
    assert host.read(f"/tmp/{name}") == "50%\n"
    assert host.run(f"stat -c %U /tmp/{name}").stdout.strip() == "deploy"


class TestScopes:
    def test_user(self, host: Host, name: str) -> None:
        options: dict[str, t.Any] = {"name": name, "scope": "user", "user": "deploy"}
        wanted: dict[str, t.Any] = {**options, "OnCalendar": "daily", "Persistent": True, "command": "/bin/true"}
        host.run(
            "loginctl enable-linger deploy; until [ -S /run/user/$(id -u deploy)/systemd/private ]; do sleep 0.1; done"
        )
        try:
            done = converge(host, **wanted)
            assert done["timers"][0]["path"] == f"{USERS_UNITS}/{name}.timer"
            assert done["timers"][0]["active_state"] == "active"
            owners = host.run(f"stat -c %U {USERS_UNITS}/{name}.*").stdout.split()
            assert owners == ["deploy", "deploy"]
            assert info(host, **options)[0]["next_elapse"] == done["timers"][0]["next_elapse"]
            stamp = f"/home/deploy/.local/share/systemd/timers/stamp-{name}.timer"
            assert host.exists(stamp)
            converge(host, **options, state="absent")
            assert not host.exists(stamp)
        finally:
            host.run(
                "loginctl disable-linger deploy; rm -rf /home/deploy/.config/systemd /home/deploy/.local", check=True
            )

    @one_version
    def test_tree_and_all_users(self, host: Host, name: str) -> None:
        wanted: dict[str, t.Any] = {"name": name, "OnCalendar": "*:0/7", "OnBootSec": "90", "command": "/bin/job"}
        host.run("mkdir -p /srv/tm/etc /srv/tm/bin /srv/tm/var/lib/systemd/timers", check=True)
        try:
            refused(host, "command:", "/bin/job", both=False, **wanted, root="/srv/tm")
            host.write("/srv/tm/bin/job", "", mode=0o755)
            done = converge(host, **wanted, root="/srv/tm", next=1)
            assert done["timers"][0]["after"] == "enabled"
            assert "next_elapse" not in done["timers"][0]
            assert any("midnight" in warning for warning in done["warnings"])
            (found,) = info(host, root="/srv/tm", name=f"{name}*")
            assert found["triggers"] == [
                {"type": "OnCalendar", "calendar": "*-*-* *:00/7:00"},
                {"type": "OnBootSec", "timespan": "1min 30s", "usec": 90_000_000},
            ]
            assert (found["enabled"], found["unit"], found["AccuracyUSec"]) == (True, f"{name}.service", 60_000_000)
            host.write(f"/srv/tm{STAMPS}/stamp-{name}.timer", "")
            good(host, name=name, state="absent", root="/srv/tm")
            assert host.run(f"find /srv/tm -name '*{name}*'").stdout == ""
            refused(host, "started:", "nothing runs", **wanted, root="/srv/tm", started=True)
        finally:
            host.run("rm -rf /srv/tm", check=True)
        wanted["command"] = "/bin/true"
        assert good(host, **wanted, scope="global")["timers"][0]["path"] == f"/etc/systemd/user/{name}.timer"
        assert good(host, **wanted, scope="global")["changed"] is False
        assert good(host, name=name, state="absent", scope="global")["changed"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("args", "words"),
        [
            ({"OnCalendar": "Mon..Fri 8:70"}, ["OnCalendar: 'Mon..Fri 8:70'", "at character"]),
            ({"service": {"MemoryMaxx": "1G"}}, ["service: tm-bad.service", "did you mean MemoryMax=?"]),
            ({"service": {"Unit": {"After": "network"}}}, ["service: tm-bad.service", "did you mean network.target?"]),
            ({"timer": {"AccuracySecs": 1}}, ["timer: tm-bad.timer", "AccuracySec"]),
        ],
    )
    @one_version
    def test_refused(self, host: Host, args: dict[str, t.Any], words: list[str]) -> None:
        good_ones = {"name": "tm-bad", "OnCalendar": "daily", "command": "/bin/true"}
        refused(host, *words, **{key: value for key, value in {**good_ones, **args}.items() if value is not None})

    @one_version
    def test_a_user_who_is_not_there(self, host: Host) -> None:
        args = {"name": "tm-bad", "OnCalendar": "daily", "command": "/bin/true", "scope": "user", "user": "nobody-here"}
        refused(host, "user", "nobody-here", both=False, **args)

    def test_one_of_many_and_nothing_is_written(self, host: Host) -> None:
        first = {"name": "tm-first", "OnCalendar": "daily", "command": "/bin/true"}
        refused(host, "timers[1].OnCalendar: 'x'", timers=[first, {**first, "name": "tm-bad", "OnCalendar": "x"}])
        second = {**first, "name": "tm-bad", "service": {"CPUWeight": "much"}}
        refused(
            host, "timers[1].service: tm-bad.service", "CPUWeight", "nothing has been written", timers=[first, second]
        )

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            ({"command": "/opt/tm/none --all"}, ["command:", "/opt/tm/none"]),
            ({"service": {"User": "tm-nobody"}}, ["service:", "User=tm-nobody"]),
            (
                {"service": {"IOReadBandwidthMax": ["/ 1M", "/dev/tm-none 5M"]}},
                ["service: IOReadBandwidthMax: there is no device /dev/tm-none"],
            ),
            ({"command": None, "unit": "tm-none"}, ["unit: there is no unit tm-none.service"]),
        ],
    )
    @one_version
    def test_what_an_earlier_task_may_make(self, host: Host, args: dict[str, t.Any], words: list[str]) -> None:
        good_ones = {"name": "tm-bad", "OnCalendar": "daily", "command": "/bin/true"}
        options = {key: value for key, value in {**good_ones, **args}.items() if value is not None}
        refused(host, *words, both=False, **options)

    @one_version
    def test_without_permission(self, host: Host) -> None:
        args = {"name": "tm-bad", "OnCalendar": "daily", "command": "/bin/true"}
        for check in (True, False):
            result = host.ansible("pidone.systemd.timer", args, check=check, remote_user="nosudo")
            assert result["failed"]
            assert "become: true" in result["msg"]


class TestInfo:
    def test_all_timers(self, host: Host) -> None:
        timers = {timer["name"]: timer for timer in info(host, next=1)}
        listed = host.run("systemctl list-timers --all --no-legend --plain | grep -o '[^ ]*\\.timer'").stdout.split()
        assert set(listed) <= set(timers)
        clean = timers["systemd-tmpfiles-clean.timer"]
        assert [trigger["type"] for trigger in clean["triggers"]] == ["OnUnitActiveSec", "OnBootSec"]
        assert {trigger["usec"] for trigger in clean["triggers"]} == {86_400_000_000, 900_000_000}
        assert (clean["unit"], clean["marker"], clean["active"]) == ("systemd-tmpfiles-clean.service", None, True)
        (missing,) = info(host, name="tm-none")
        assert (missing["exists"], missing["triggers"], missing["next_elapse"]) == (False, [], None)
