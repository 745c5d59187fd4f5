# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `unit_set` on real hosts."""

from __future__ import annotations

import typing as t

import pytest

from tests import contract
from tests.attacks.bad_inputs_on_host import ModulesOnHost
from tests.contract import invocation, show
from tests.lab.fixtures import every_version, in_full
from tests.lab.host import Host

Result = dict[str, t.Any]

SYSTEM = "/etc/systemd/system"
RECORDS = "/var/lib/pidone.systemd/sets/system"
INSTALL = {"WantedBy": "multi-user.target"}


# What runs the module on each host.
_MODULES: dict[str, ModulesOnHost] = {}


@pytest.fixture(scope="module", autouse=True)
def modules(host: Host) -> t.Iterator[None]:
    with ModulesOnHost(host) as found:
        _MODULES[host.name] = found
        yield


def task(host: Host, check: bool = False, **args: t.Any) -> Result:
    """Run `unit_set` once for the set of the tests; the result, failed or not."""
    answer = _MODULES[host.name]("unit_set", {"name": "us", **args}, check, watch=False, seconds=60)
    result: Result | None = answer["result"]
    assert result is not None, answer["output"]
    return {"failed": False, **result}


def good(host: Host, **args: t.Any) -> Result:
    result = task(host, **args)
    assert not result["failed"], result["msg"]
    return result


def snapshot(host: Host, identity: bool = True) -> str:
    return contract.picture(host, "us-*", identity, f"cat {RECORDS}/*.json 2>/dev/null; cat /etc/us/* 2>/dev/null")


def converge(host: Host, **args: t.Any) -> Result:
    """Plan, do, and do again."""

    def told(result: Result) -> object:
        keys = ("name", "changed", "before", "after", "why", "purged")
        return [[unit.get(key) for key in keys] for unit in result["units"]], result["files"]

    return contract.converge(lambda check: task(host, check, **args), lambda: snapshot(host), told)


def refused(host: Host, *words: str, **args: t.Any) -> None:
    contract.refused(lambda check: task(host, check, **args), lambda: snapshot(host), *words)


def service(seconds: int = 1000000, **more: t.Any) -> dict[str, t.Any]:
    return {"Service": {"ExecStart": f"/bin/sleep {seconds}"}, "Install": INSTALL, **more}


def states(host: Host, *names: str) -> list[str]:
    return host.run("systemctl is-active " + " ".join(names)).stdout.split()


@pytest.fixture(autouse=True)
def clean(host: Host) -> t.Iterator[None]:
    yield
    host.run(
        f"systemctl stop 'us-*' 2>/dev/null; rm -rf {SYSTEM}/us-* {SYSTEM}/*.wants/us-* {RECORDS} /etc/us /srv/us; "
        "systemctl daemon-reload; systemctl reset-failed 'us-*' 2>/dev/null; true"
    )


@every_version
def test_a_tier(host: Host) -> None:
    """Made, found as wanted, become another, removed: each once planned, done, and done again."""
    tier: dict[str, t.Any] = {
        "files": [{"path": "/etc/us/env", "content": "US_A=first\n", "mode": "0600"}],
        "units": [
            {
                "name": "us-w@.service",
                "sections": service(Unit={"Description": "Worker %i"}),
                "instances": 3,
                "enabled": True,
                "state": "started",
                "restart_on": ["/etc/us/env"],
            },
            {
                "name": "us-front.service",
                "sections": service(Unit={"After": "us-w@1.service us-w@2.service"}),
                "dropins": {"nice": {"Service": {"Nice": 5}}},
                "state": "started",
            },
            {"name": "us-never.service", "masked": True},
        ],
    }
    made = converge(host, **tier)
    assert made["changed"]
    assert made["steps"].count("daemon-reload") == 1
    names = [f"us-w@{n}.service" for n in (1, 2, 3)]
    assert states(host, *names, "us-front") == ["active"] * 4
    assert show(host, "us-front", "Nice") == {"Nice": "5"}
    assert host.run("systemctl is-enabled us-w@3 us-never").stdout.split() == ["enabled", "masked"]
    assert host.run("stat -c %a /etc/us/env").stdout.strip() == "600"
    # What not everybody may read is in no diff, and no log.
    assert "US_A=first" not in str(made)
    assert host.run("journalctl --no-pager | grep -c US_A=first").stdout.strip() == "0"
    began = {name: invocation(host, name) for name in (*names, "us-front.service")}

    # One more worker, one less: those that stay are not touched.
    tier["units"][0]["instances"] = [1, 3, "new"]
    converge(host, **tier)
    assert states(host, "us-w@2", "us-w@new") == ["inactive", "active"]
    assert host.run(f"ls {SYSTEM}/multi-user.target.wants | grep us-w").stdout.split() == [
        "us-w@1.service",
        "us-w@3.service",
        "us-w@new.service",
    ]
    assert {name: invocation(host, name) for name in ("us-w@1.service", "us-w@3.service", "us-front.service")} == {
        name: began[name] for name in ("us-w@1.service", "us-w@3.service", "us-front.service")
    }

    # What a unit is made of has changed, and what it shall be restarted for.
    tier["files"][0]["content"] = "US_A=second\n"
    tier["units"][1]["dropins"]["nice"]["Service"]["Nice"] = 6
    changed = converge(host, **tier)
    why = {unit["name"]: unit.get("why") for unit in changed["units"]}
    assert why["us-w@1.service"] == ["/etc/us/env"]
    assert why["us-front.service"] == [f"{SYSTEM}/us-front.service.d/nice.conf"]
    assert show(host, "us-front", "Nice") == {"Nice": "6"}
    assert invocation(host, "us-w@3.service") != began["us-w@3.service"]

    # What is not listed any more goes; the mask too.
    del tier["units"][1:]
    less = converge(host, **tier)
    assert {unit["name"] for unit in less["units"] if unit.get("purged")} == {"us-front.service", "us-never.service"}
    assert states(host, "us-front", "us-w@1") == ["inactive", "active"]
    assert not host.exists(f"{SYSTEM}/us-never.service")

    gone = converge(host, state="absent")
    assert gone["changed"]
    assert states(host, *names) == ["inactive"] * 3
    assert host.run(f"find {SYSTEM} /etc/us {RECORDS} -name 'us-*' -o -name '*.json' -o -name env").stdout == ""


@every_version
def test_a_failure_leaves_all_as_it_was(host: Host) -> None:
    good(host, units=[{"name": "us-a.service", "sections": service(), "enabled": True, "state": "started"}])
    host.run("systemctl start us-a", check=True)
    before = snapshot(host, False)
    failed = task(
        host,
        rollback=True,
        units=[
            {"name": "us-b.service", "sections": service(), "dropins": {"x": {"Service": {"Nice": 1}}}, "state": "started", "enabled": True},
            {"name": "us-dies.service", "content": "[Service]\nExecStart=/nope\n", "state": "started"},
        ],
        verify="nothing",
    )
    assert failed["failed"]
    assert "us-dies.service" in failed["msg"]
    assert "rolled back" in failed["msg"]
    host.run("systemctl reset-failed 'us-*'")
    contract.is_same(before, snapshot(host, False), "what failed was not taken back")
    assert states(host, "us-a", "us-b") == ["active", "inactive"]


def test_no_restart_is_lost(host: Host) -> None:
    """Nor made twice."""
    unit: dict[str, t.Any] = {
        "name": "us-a.service",
        "sections": service(),
        "state": "started",
        "restart_on": ["/etc/us/conf", "version 1"],
    }
    good(host, units=[unit])
    began = invocation(host, "us-a.service")
    host.write("/etc/us/conf", "1")
    assert good(host, units=[unit])["units"][0]["why"] == ["/etc/us/conf"]
    assert invocation(host, "us-a.service") != began
    assert not good(host, units=[unit])["changed"]

    # Somebody has restarted it already.
    host.write("/etc/us/conf", "2")
    host.run("sleep 0.05; systemctl restart us-a", check=True)
    began = invocation(host, "us-a.service")
    converge(host, units=[unit])
    assert invocation(host, "us-a.service") == began

    # A text is another one; what it was is nowhere on the host.
    unit["restart_on"] = ["/etc/us/conf", "version 2"]
    assert converge(host, units=[unit])["units"][0]["why"] == ["restart_on"]
    assert invocation(host, "us-a.service") != began
    assert host.run(f"grep -r 'version 2' /var/lib/pidone.systemd {SYSTEM}").stdout == ""

    # A task that failed before it came to the restart, and left its files: the next one makes up for it.
    began = invocation(host, "us-a.service")
    changed: list[dict[str, t.Any]] = [{**unit, "sections": service(2000000)}]
    dies = {"name": "us-0.service", "content": "[Service]\nType=oneshot\nExecStart=/bin/false\n", "state": "started"}
    changed[0]["sections"]["Unit"] = {"After": "us-0.service", "Requires": "us-0.service"}
    assert task(host, units=[dies, *changed])["failed"]
    host.run("systemctl reset-failed 'us-*'")
    changed[0]["sections"].pop("Unit")
    good(host, units=changed)
    assert invocation(host, "us-a.service") != began
    assert "2000000" in host.run("systemctl show -P ExecStart us-a").stdout
    assert host.run("pgrep -f 'sleep 2000000'").returncode == 0


def test_reload_on(host: Host) -> None:
    """Also as users run it, whose options are packed on the way."""
    sections = service()
    sections["Service"]["ExecReload"] = "/bin/touch /etc/us/reloaded"
    unit = {"name": "us-a.service", "sections": sections, "state": "started", "reload_on": ["/etc/us/conf"]}
    files = [{"path": "/etc/us/conf", "content": "1"}]
    good(host, units=[unit], files=files)
    began = invocation(host, "us-a.service")
    assert not host.exists("/etc/us/reloaded")
    files[0]["content"] = "2"
    played = host.ansible("pidone.systemd.unit_set", {"name": "us", "units": [unit], "files": files}, check=True, diff=True)
    told = converge(host, units=[unit], files=files)
    assert {key: played[key] for key in ("changed", "steps", "diff")} == {key: told[key] for key in ("changed", "steps", "diff")}
    assert "reload us-a.service" in told["steps"]
    assert host.exists("/etc/us/reloaded")
    assert invocation(host, "us-a.service") == began


def test_two_sets(host: Host) -> None:
    """A unit belongs to one of them; drop-ins of it may be many's."""
    mine = [{"name": "us-a.service", "sections": service(), "state": "started"}]
    good(host, units=mine)
    began = invocation(host, "us-a.service")
    other = {"name": "us2", "units": mine}
    refused(host, "us-a.service", "belongs to the set us", "take_over", **other)
    refused(host, "us-a.service", "belongs to the set us", name="us2", units=[{"name": "us-a.service", "state": "stopped"}])
    drop_in = {"dropins": {"x": {"Unit": {"Description": "other"}}}, "on_change": "nothing"}
    both: dict[str, t.Any] = {"name": "us2", "units": [{"name": "us-a.service", **drop_in}]}
    converge(host, **both)
    converge(host, name="us2", units=[{**both["units"][0], **mine[0], "take_over": True}])
    assert invocation(host, "us-a.service") == began
    # The first one has nothing any more, and what it removes is not this.
    converge(host, state="absent")
    assert states(host, "us-a") == ["active"]
    converge(host, name="us2", state="absent")
    assert states(host, "us-a") == ["inactive"]


def test_what_others_wrote_stays(host: Host) -> None:
    host.write(f"{SYSTEM}/us-b.service", "[Service]\nExecStart=/bin/sleep 1000000\n[Install]\nWantedBy=multi-user.target\n")
    host.run("systemctl daemon-reload; systemctl start us-b", check=True)
    refused(host, "which this set has not written", "take_over", units=[{"name": "us-b.service", "sections": service()}])
    units: list[dict[str, t.Any]] = [
        {"name": "us-b.service", "enabled": True, "state": "started", "dropins": {"x": {"Service": {"Nice": 4}}}},
        {"name": "us-a.service", "sections": service(), "state": "started"},
    ]
    good(host, units=units)
    assert show(host, "us-b", "Nice") == {"Nice": "4"}
    # One of the set's files was changed by hand.
    host.run(f"echo '# mine' >>{SYSTEM}/us-a.service", check=True)
    left = good(host, state="absent")
    assert f"{SYSTEM}/us-a.service is left as it is" in str(left["warnings"])
    assert states(host, "us-a", "us-b") == ["active", "active"]
    assert show(host, "us-b", "Nice", "UnitFileState") == {"Nice": "0", "UnitFileState": "disabled"}
    assert not host.exists(f"{SYSTEM}/us-b.service.d")


def test_bad_sets(host: Host) -> None:
    a, b = ({"name": f"us-{n}.service", "sections": service(Unit={"After": f"us-{o}.service"})} for n, o in ("ab", "ba"))
    refused(host, "us-a.service", "us-b.service", "wait for each other", units=[a, b])
    refused(host, "Nicee", "Nice", units=[{"name": "us-a.service", "dropins": {"x": {"Service": {"Nicee": 1}}}}])
    refused(host, "listed already", units=[a, a])
    refused(host, "units[0].instances", "no template", units=[{**a, "instances": 2}])
    refused(host, "where unit files are", files=[{"path": f"{SYSTEM}/us-x.service", "content": ""}])
    refused(host, "state: absent", units=[])
    t_, t_1 = {"name": "us-t@.service", "sections": service(), "instances": [1]}, {"name": "us-t@1.service"}
    refused(host, "us-t@1.service.d", "Nicee", units=[t_, {**t_1, "dropins": {"x": {"Service": {"Nicee": 1}}}}])
    for nice in (1, 2):
        wanted = [{**t_, "state": "started"}, {**t_1, "dropins": {"x": {"Service": {"Nice": nice}}}}]
        converge(host, verify="strict", units=wanted)
        assert show(host, "us-t@1", "ActiveState", "Nice") == {"ActiveState": "active", "Nice": str(nice)}
    # Units of one set may name each other before they are there.
    good(host, verify="strict", units=[{**a, "sections": service(Unit={"Requires": "us-b.service"})}, {**b, "sections": service()}])


def test_what_goes_is_in_nobodys_way(host: Host) -> None:
    """A drop-in and a unit get other names, a mask of the set's own makes way: what goes counts neither in checks nor for links."""
    start = {"Service": {"ExecStart": "/bin/sleep 1000000"}}
    content = "[Unit]\nDescription=x\n[Install]\nWantedBy=multi-user.target\n"
    old: dict[str, t.Any] = {"name": "us-a.service", "content": content, "enabled": True, "state": "started"}
    mask = {"name": "us-m.service", "masked": True}
    good(host, units=[{**old, "dropins": {"start": start}}, mask])
    # With both of them it would have two ExecStart=, and be refused.
    converge(host, units=[{**old, "dropins": {"begin": start}}, {"name": "us-m.service", "sections": service(), "state": "started"}])
    assert states(host, "us-a", "us-m") == ["active", "active"]
    converge(host, units=[{**old, "dropins": {"begin": start}}, mask])
    assert states(host, "us-a", "us-m") == ["active", "inactive"]
    new = {"name": "us-b.service", "sections": service(Install={**INSTALL, "Alias": "us-a.service"}), "enabled": True, "state": "started"}
    converge(host, units=[new])
    assert show(host, "us-a.service", "Id", "ActiveState") == {"Id": "us-b.service", "ActiveState": "active"}
    # And back: what is another name of the unit that goes is the unit then.
    converge(host, units=[{"name": "us-a.service", "sections": service(Install=INSTALL), "enabled": True, "state": "started"}])
    assert show(host, "us-a.service", "Id", "ActiveState") == {"Id": "us-a.service", "ActiveState": "active"}
    assert states(host, "us-b") == ["inactive"]
    converge(host, units=[new])
    # Another set that asks for it by its other name asks for the same unit.
    refused(host, "us-a.service is us-b.service, which belongs to the set us", name="us2", units=[{"name": "us-a.service", "state": "stopped"}])
    converge(host, state="absent")
    assert host.run(f"find {SYSTEM} {RECORDS} -name 'us-*' -o -name '*.json'").stdout == ""


def test_drop_ins_for_many(host: Host) -> None:
    host.write(f"{SYSTEM}/us-b.service", "[Service]\nExecStart=/bin/sleep 1000000\n")
    units = [
        {"name": "us-.service", "dropins": {"a": {"Service": {"Nice": 7}}}, "on_change": "restart"},
        {"name": "timer", "dropins": {"us-b": {"Timer": {"AccuracySec": "7s"}}}},
    ]
    host.run("systemctl daemon-reload; systemctl start us-b", check=True)
    made = converge(host, units=units)
    assert "try-restart us-b.service" in made["steps"]
    assert host.run("cat /proc/$(systemctl show -P MainPID us-b)/stat | cut -d' ' -f19").stdout.strip() == "7"
    assert show(host, "systemd-tmpfiles-clean.timer", "AccuracyUSec") == {"AccuracyUSec": "7s"}
    converge(host, state="absent")
    assert not host.exists(f"{SYSTEM}/timer.d")


def test_a_tree(host: Host) -> None:
    host.run("mkdir -p /srv/us/etc/systemd/system /srv/us/usr/lib/systemd/system; touch /srv/us/etc/os-release", check=True)
    units = [{"name": "us-t@.service", "sections": service(), "instances": ["a"], "enabled": True}]
    files = [{"path": "/etc/us/conf", "content": "1"}]
    converge(host, root="/srv/us", units=units, files=files)
    found = "cd /srv/us; find . -name 'us*' ! -type d -o -name conf | sort"
    assert host.run(found).stdout.split() == [
        "./etc/systemd/system/multi-user.target.wants/us-t@a.service",
        "./etc/systemd/system/us-t@.service",
        "./etc/us/conf",
        "./var/lib/pidone.systemd/sets/system/us.json",
    ]
    refused(host, "state", "root", root="/srv/us", units=[{**units[0], "state": "started"}])
    converge(host, root="/srv/us", state="absent")
    assert host.run(found).stdout == ""


def test_limits(host: Host) -> None:
    """They are in force from the start, and a change of them restarts nothing."""
    unit: dict[str, t.Any] = {
        "name": "us-l@.service",
        "sections": service(),
        "instances": ["a"],
        "state": "started",
        "properties": {"MemoryMax": "200M", "TasksMax": 50},
    }
    names = ("MemoryMax", "TasksMax", "NeedDaemonReload")
    converge(host, units=[unit])
    began = invocation(host, "us-l@a.service")
    assert show(host, "us-l@a.service", *names) == dict(zip(names, (str(200 << 20), "50", "no")))
    unit["properties"] = {"MemoryMax": "300M"}
    told = converge(host, units=[unit])
    assert any(step.startswith("tell MemoryMax, TasksMax") for step in told["steps"]), told["steps"]
    found = show(host, "us-l@a.service", *names)
    assert (found["MemoryMax"], found["NeedDaemonReload"]) == (str(300 << 20), "no")
    assert found["TasksMax"] == show(host, "cron.service", "TasksMax")["TasksMax"]
    del unit["properties"]
    converge(host, units=[unit])
    assert show(host, "us-l@a.service", "MemoryMax") == {"MemoryMax": "infinity"}
    assert invocation(host, "us-l@a.service") == began


@in_full
@pytest.mark.lab_kinds("vm")
def test_limits_are_the_kernels(host: Host) -> None:
    """Where it has all controllers: who takes more memory than that is killed, the set is not there then, and it is with enough of it."""
    program = "/usr/bin/python3 -c 'import time; taken = b\"x\" * (100 << 20); time.sleep(9999)'"
    unit: dict[str, t.Any] = {
        "name": "us-m.service",
        "sections": {"Service": {"ExecStart": program}, "Install": INSTALL},
        "state": "started",
        "enabled": True,
        "properties": {"MemoryMax": "60M", "MemorySwapMax": 0},
    }
    failed = task(host, units=[unit], settle="20s", rollback=True)
    assert failed["failed"] and failed["rolled_back"], failed
    assert "oom-kill" in failed["msg"]
    assert not host.exists(f"{SYSTEM}/us-m.service")
    unit["properties"]["MemoryMax"] = "300M"
    converge(host, units=[unit])
    unit["properties"]["MemoryMax"] = "400M"
    began = invocation(host, "us-m.service")
    converge(host, units=[unit])
    assert invocation(host, "us-m.service") == began
    group = show(host, "us-m.service", "ControlGroup")["ControlGroup"]
    assert host.read(f"/sys/fs/cgroup{group}/memory.max").strip() == str(400 << 20)
    converge(host, state="absent")


def test_a_timer_is_no_reason_to_run(host: Host) -> None:
    job = {"name": "us-t.service", "content": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo ran >>/etc/us/ran'\n"}
    timer = {"name": "us-t.timer", "enabled": True, "state": "started"}
    host.run("mkdir -p /etc/us", check=True)
    # Half a day and half a year away, so that none is due while the test runs.
    hour, month = (int(word) for word in host.run("date -d '12 hours' +%k; date +%m").stdout.split())
    daily, yearly = f"*-*-* {hour:02}:30", f"*-{(month + 5) % 12 + 1:02}-15 03:00"
    for sections in (
        {"OnCalendar": yearly},
        {"OnCalendar": daily},
        {"OnCalendar": daily, "Persistent": True},
        {"OnCalendar": [daily, yearly], "Persistent": True},
        {"OnCalendar": yearly, "OnBootSec": "1s"},
    ):
        converge(host, units=[job, {**timer, "sections": {"Timer": sections, "Install": {"WantedBy": "timers.target"}}}])
        assert states(host, "us-t.timer", "us-t.service") == ["active", "inactive"]
        # What it may have started would be seen by the next change at the latest.
        assert not host.exists("/etc/us/ran"), sections


def test_probes(host: Host) -> None:
    unit: dict[str, t.Any] = {"name": "us-p@.service", "sections": service(), "instances": ["a", "b"], "state": "started"}
    # It leaves a line for each try.
    probe = {"command": ["sh", "-c", "echo %i >>/etc/us.tries; test -e /etc/us/%i"], "timeout": "1s", "interval": "100ms"}
    host.run("rm -f /etc/us.tries; mkdir -p /etc/us; touch /etc/us/a", check=True)
    before = snapshot(host, False)
    failed = task(host, units=[{**unit, "probe": probe}], rollback=True)
    assert failed["failed"]
    assert "us-p@b.service runs, but did not answer its probe" in failed["msg"]
    assert str(failed["probe"]["tries"]) == host.run("grep -c b /etc/us.tries").stdout.strip()
    contract.is_same(before, snapshot(host, False), "what failed was not taken back")
    # One that answers after a while.
    unit["sections"]["Service"]["ExecStartPost"] = "-/bin/sh -c '(sleep 1; touch /etc/us/b) &'"
    assert "probe us-p@a.service, us-p@b.service" in good(host, units=[{**unit, "probe": {**probe, "timeout": "10s"}}])["steps"]
    # A oneshot that has ended well is none that died.
    once = {"command": ["sh", "-c", "test -e /etc/us/once || { touch /etc/us/once; exit 1; }"], "interval": "10ms"}
    oneshot = {"name": "us-o.service", "sections": {"Service": {"Type": "oneshot", "ExecStart": "/bin/true"}}, "state": "started"}
    good(host, units=[{**oneshot, "probe": once}])
    assert states(host, "us-o") == ["inactive"]
    assert host.exists("/etc/us/once")
    # Without a rollback it runs on, and is not taken for well by the next task.
    host.run("rm /etc/us/b", check=True)
    unit["sections"]["Service"].pop("ExecStartPost")
    for dummy in range(2):
        assert "did not answer its probe" in task(host, units=[{**unit, "probe": probe}])["msg"]
    assert states(host, "us-p@a", "us-p@b") == ["active", "active"]
    began = invocation(host, "us-p@b.service")
    host.run("touch /etc/us/b", check=True)
    converge(host, units=[{**unit, "probe": probe}])
    assert invocation(host, "us-p@b.service") == began
    host.run("rm /etc/us.tries", check=True)
    refused(host, "units[0].probe", "give one of", units=[{**unit, "probe": {}}])
    refused(host, "units[0].probe.tcp", "no address", units=[{**unit, "probe": {"tcp": "nowhere"}}])
