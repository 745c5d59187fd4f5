# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that changes nothing leaves no trace: it writes nothing, makes nothing, takes no lock and runs no program."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.attacks import kill_points
from tests.attacks.bad_inputs import MODULES

if t.TYPE_CHECKING:
    from tests.lab.fixtures import Lab
    from tests.lab.host import Host

Task = tuple[str, dict[str, t.Any]]

_TREE = "/srv/st-tree"
_UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy={}.target\n"
_SERVICE = _UNIT.format("multi-user")
_USER = {"scope": "user", "user": "deploy"}
#: Where only a program can tell: those that look and change nothing, by the beginning of their tasks' names.
_LOOKS = {
    "journal_info": ("journalctl",),
    "unit_info, diagnosis": ("journalctl",),
    "security_info": ("systemd-analyze",),
    "credential": ("systemd-creds",),
    "run": ("systemd --dump", "systemd-analyze"),
    "init_handover": ("dpkg-divert --truename", "dpkg-query --search", "systemd --dump", "systemd-analyze"),
}
_LOOKS_AT_TREES = ("systemctl --root=/srv/st-tree is-enabled", "systemctl --root=/srv/st-tree list-unit-files")
# Of tasks that have a record: whether there is one is looked up by who keeps others out.
_KEEPS_OTHERS_OUT = ("fcntl.flock", "os.mkdir /run/pidone.systemd", "os.truncate ", "os.chmod /var/lib/pidone.systemd")
_LINES = [{"type": "d", "path": "%t/st-made", "mode": "0700"}, {"type": "f", "path": "%t/st-made/file", "argument": "st"}]
#: Tasks that make something; when they are run again there is nothing to do.
_TASKS: dict[str, Task] = {
    "unit_file": ("unit_file", {"name": "st-a.service", "content": _SERVICE, "enabled": True, "started": True}),
    "unit_file, drop-in": (
        "unit_file",
        {"name": "st-a.service", "dropin": "10-st", "sections": {"Service": {"Nice": "1"}}, "on_change": "restart"},
    ),
    "unit_file, absent": ("unit_file", {"name": "st-none.service", "state": "absent"}),
    "unit_file, user": (
        "unit_file",
        {"name": "st-a.service", "content": _UNIT.format("default"), "enabled": True, "started": True, **_USER},
    ),
    "unit_file, tree": ("unit_file", {"name": "st-a.service", "content": _SERVICE, "enabled": True, "root": _TREE}),
    "unit": ("unit", {"name": ["st-a.service"], "state": "started", "enabled": True}),
    "unit, preset": ("unit", {"name": ["st-a.service"], "preset": True}),
    "unit, frozen": ("unit", {"name": ["st-a.service"], "state": "thawed"}),
    "unit, pulled in": ("unit", {"name": ["st-a.service"], "add_wants": ["rescue.target"]}),
    "unit_action": ("unit_action", {"name": ["systemd-logind.service"], "log_level": "notice"}),
    "unit_file, reverted": ("unit_file", {"name": "cron.service", "state": "reverted"}),
    "unit, masked": ("unit", {"name": ["st-masked.service"], "masked": True}),
    "unit, user": ("unit", {"name": ["st-a.service"], "state": "started", "enabled": True, **_USER}),
    "unit, tree": ("unit", {"name": ["st-a.service"], "enabled": True, "root": _TREE}),
    "timer": ("timer", {"name": "st-b", "OnCalendar": "daily", "command": "/bin/true"}),
    "timer, purge": (
        "timer",
        {
            "timers": [{"name": f"st-p{number}", "OnCalendar": "daily", "command": "/bin/true"} for number in range(3)],
            "marker": "st",
            "purge": True,
        },
    ),
    "timer, absent": ("timer", {"name": "st-none", "state": "absent"}),
    "timer, user": ("timer", {"name": "st-b", "OnCalendar": "daily", "command": "/bin/true", **_USER}),
    "timer, tree": ("timer", {"name": "st-b", "OnCalendar": "daily", "command": "/bin/true", "root": _TREE}),
    "resource_control": ("resource_control", {"name": ["st-a.service"], "properties": {"TasksMax": 77}}),
    "resource_control, until the reboot": (
        "resource_control",
        {"name": ["st-b.service"], "properties": {"CPUWeight": 50}, "persist": "runtime"},
    ),
    "resource_control, user": ("resource_control", {"name": ["st-a.service"], "properties": {"TasksMax": 77}, **_USER}),
    "manager": ("manager", {"environment": {"ST_A": "1", "ST_B": None}, "log_level": "notice", "default_target": "multi-user"}),
    "manager, user": ("manager", {"environment": {"ST_A": "1"}, **_USER}),
    "configuration": ("configuration", {"name": "system", "settings": {"Manager": {"DefaultTimeoutStartSec": "99s"}}, "purge": True}),
    "needs_restart": ("needs_restart", {}),
    "needs_restart, user": ("needs_restart", _USER),
    "user_manager": ("user_manager", {"name": ["root", "nosudo"]}),
    "credential": ("credential", {"name": "st", "content": "secret", "unit": "st-a.service"}),
    "tmpfiles": ("tmpfiles", {"name": "st", "lines": _LINES, "apply": True, "purge": "unused"}),
    "tmpfiles, absent": ("tmpfiles", {"name": "st-none", "state": "absent"}),
    "tmpfiles, user": ("tmpfiles", {"name": "st", "lines": _LINES, "apply": True, **_USER}),
    "tmpfiles, tree": ("tmpfiles", {"name": "st", "lines": _LINES, "apply": True, "root": _TREE}),
    "sysusers": ("sysusers", {"name": "st", "lines": [{"type": "u", "name": "st-user"}], "apply": True, "purge": True}),
    "unit_set": (
        "unit_set",
        {
            "name": "st",
            "files": [{"path": "/srv/st-env", "content": "A=1\n", "mode": "0600"}],
            "units": [
                {
                    "name": "st-s@.service",
                    "content": _SERVICE,
                    "instances": 2,
                    "enabled": True,
                    "state": "started",
                    "restart_on": ["/srv/st-env", "1"],
                    "properties": {"TasksMax": 77},
                },
                {"name": "st-a.service", "dropins": {"20-st": {"Service": {"Nice": "1"}}}, "on_change": "restart"},
                {"name": "st-s.timer", "sections": {"Timer": {"OnCalendar": "*-12-24 03:00", "Unit": "st-b.service"}}, "state": "started"},
            ],
        },
    ),
    "unit_set, absent": ("unit_set", {"name": "st-none", "state": "absent"}),
    "unit_set, user": ("unit_set", {"name": "st", "units": [{"name": "st-c.service", "content": _UNIT.format("default"), "state": "started"}], **_USER}),
    "unit_set, tree": ("unit_set", {"name": "st", "units": [{"name": "st-c.service", "content": _SERVICE, "enabled": True}], "root": _TREE}),
    "run": ("run", {"name": "st-run", "command": ["/bin/sleep", "infinity"], "wait": False}),
    "run, later": ("run", {"name": "st-later", "command": ["/bin/true"], "on_calendar": ["*-12-24 03:00"]}),
    "run, created": ("run", {"command": ["/bin/true"], "creates": "/etc/passwd"}),
    "run, user": ("run", {"name": "st-run", "command": ["/bin/sleep", "infinity"], "wait": False, **_USER}),
}
#: Tasks that read only.
_READ: dict[str, Task] = {
    "journal_info": ("journal_info", {"unit": ["st-a.service"], "lines": 5}),
    "journal_info, counted": ("journal_info", {"unit": ["st-a.service"], "invocation": "-1"}),
    "manager_info": ("manager_info", {"unit_times": True}),
    "manager_info, user": ("manager_info", _USER),
    "needs_restart_info": ("needs_restart_info", {}),
    "needs_restart_info, user": ("needs_restart_info", _USER),
    "security_info": ("security_info", {"name": ["st-a.service"]}),
    "service_handover_info": ("service_handover_info", {"name": ["*"]}),
    "service_import_info": ("service_import_info", {"source": "runit"}),
    "timer_info": ("timer_info", {"name": ["*"]}),
    "timer_info, user": ("timer_info", {"name": ["*"], **_USER}),
    "timer_info, tree": ("timer_info", {"name": ["*"], "root": _TREE}),
    "unit_info": ("unit_info", {"name": ["st-*"], "properties": ["MemoryCurrent"], "processes": True}),
    "unit_info, diagnosis": ("unit_info", {"name": ["st-*", "st-masked.service"], "diagnosis": True, "sockets": True, "listeners": True}),
    "unit_info, user": ("unit_info", {"name": ["st-*"], **_USER}),
}
#: On hosts that boot something else, what has another host afterwards, and what does its work on the controller.
_ELSEWHERE = ("init_handover", "reboot", "service_handover", "service_import_plan", "service_migration_report")

# Runs a module; tells on standard error whatever it opens for writing, makes, removes, renames, locks and runs.
_WATCH = f"""
import importlib, json, os, sys
sys.path.insert(0, {kill_points.BASE!r})
sys.dont_write_bytecode = True
import ansible.module_utils.basic as basic
done = []
def watch(event, args):
    if event == "open":
        if isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and args[0] != os.devnull:
            done.append(f"open {{args[0]}}")
    elif event == "subprocess.Popen":
        done.append("program " + " ".join([os.path.basename(args[1][0]), *args[1][1:]]))
    elif event in ("fcntl.flock", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"):
        done.append(event)
    elif event in ("os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.setxattr",
                   "os.symlink", "os.truncate", "os.utime"):
        done.append(f"{{event}} {{args[0]}}")
module, args = json.loads(sys.stdin.read())
basic._ANSIBLE_ARGS = json.dumps({{"ANSIBLE_MODULE_ARGS": args}}).encode()
basic._ANSIBLE_PROFILE = "legacy"
main = importlib.import_module("ansible_collections.pidone.systemd.plugins.modules." + module).main
sys.addaudithook(watch)
try:
    main()
finally:
    print(json.dumps(done), file=sys.stderr)
"""


class Watched:
    """Modules on a host, each with what it leaves."""

    def __init__(self, host: Host) -> None:
        self.host = host
        kill_points.install(host)
        host.write("/srv/st-watch.py", _WATCH)

    def __call__(self, task: Task) -> tuple[dict[str, t.Any], list[str]]:
        done = self.host.run(["python3", "/srv/st-watch.py"], input=json.dumps(task))
        lines = done.stdout.splitlines()
        assert lines, done.stderr[-2000:]
        return json.loads(lines[-1]), json.loads(done.stderr.splitlines()[-1])


@pytest.fixture(scope="module")
def watched(lab: Lab) -> t.Iterator[Watched]:
    """A host on which everything is as all of the tasks want it."""
    host = lab(kill_points.KIND, "steady")
    host.run("loginctl enable-linger deploy; loginctl disable-linger nosudo; systemctl start user@1000", check=True)
    tree = f"mkdir -p {_TREE}/etc/systemd/system {_TREE}/usr/lib/systemd/system {_TREE}/var/lib/systemd"
    host.run(f"{tree}; echo ID=st >{_TREE}/etc/os-release; mkdir -p {_TREE}/bin; cp /bin/true {_TREE}/bin/true", check=True)
    host.run("for each in multi-user timers; do echo '[Unit]' >" + _TREE + "/usr/lib/systemd/system/$each.target; done", check=True)
    # Something to revert, of a unit that none of the other tasks is about.
    host.write("/etc/systemd/system/cron.service.d/st.conf", "[Service]\nNice=1\n")
    host.run("systemctl daemon-reload", check=True)
    found = Watched(host)
    for name, task in _TASKS.items():
        result, _traces = found(task)
        assert not result.get("failed"), (name, result)
    assert not host.exists("/etc/systemd/system/cron.service.d")
    # The locks and the directories of earlier tasks are there by now.
    assert host.exists("/run/pidone.systemd/system.lock")
    yield found
    host.run(
        "systemctl disable --now st-a.service st-b.timer 'st-*.timer'; systemctl stop 'st-*'; rm -rf /etc/systemd/system/st-* "
        "/etc/systemd/system/*/st-* /etc/systemd/system.control/st-* /run/systemd/system.control/st-* /srv/st-* "
        "/var/lib/pidone.systemd/sets; "
        "loginctl disable-linger root; systemctl unset-environment ST_A; systemctl log-level info; systemctl daemon-reload"
    )


def _undisturbing(name: str, traces: list[str]) -> list[str]:
    """What a task leaves, but for programs that only look."""
    looks = _LOOKS_AT_TREES if name.endswith(", tree") else _LOOKS.get(name, _LOOKS.get(name.partition(",")[0], ()))
    return [each for each in traces if not each.startswith(tuple(f"program {look}" for look in looks))]


def _recorded(name: str, traces: list[str]) -> list[str]:
    """The same of a task that has a record."""
    return [
        each
        for each in _undisturbing(name, traces)
        if not each.startswith(_KEEPS_OTHERS_OUT) and not (each.startswith("open ") and (each.endswith(".lock") or "/proc/self/fd/" in each))
    ]


def test_every_module_is_looked_at() -> None:
    assert {module for module, _args in [*_TASKS.values(), *_READ.values()]} | {*_ELSEWHERE} == {*MODULES}


@kill_points.group(1)
@pytest.mark.parametrize("name", _TASKS)
def test_who_changes_nothing_leaves_no_trace(watched: Watched, name: str) -> None:
    result, traces = watched(_TASKS[name])
    assert not result.get("failed"), result
    assert result["changed"] is False, result
    assert _undisturbing(name, traces) == []


@kill_points.group(1)
@pytest.mark.parametrize("name", _READ)
def test_who_reads_leaves_no_trace(watched: Watched, name: str) -> None:
    result, traces = watched(_READ[name])
    assert not result.get("failed"), result
    assert result["changed"] is False
    assert _undisturbing(name, traces) == []


@kill_points.group(1)
def test_what_leaves_a_trace_is_seen(watched: Watched) -> None:
    """Of every kind: of the lock, of a file, of a program."""
    seen = watched(("unit_file", {"name": "st-seen.service", "content": _SERVICE}))[1]
    assert "fcntl.flock" in seen
    assert any(each.startswith("os.rename") and each.endswith("st-seen.service") for each in seen) or any(
        "/st-seen.service" in each or ".st-seen.service" in each for each in seen
    )
    assert any(each.startswith("open ") and each.endswith((".undo", ".undo.new")) for each in seen)
    assert any(each.startswith("program ") for each in seen)


_RUNIT_UNIT = {"name": "st-ho.service", "content": "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n"}


@pytest.mark.xdist_group("runit-run")
def test_a_service_that_was_handed_over(lab: Lab) -> None:
    """Handed over already, and given back already: nothing is written, not even a record."""
    host = lab("runit-run", "steady")
    host.write("/etc/sv/st-ho/run", "#!/bin/sh\nexec sleep 1000\n", mode=0o755)
    host.run("ln -sfn /etc/sv/st-ho /etc/service/st-ho", check=True)
    host.run("for i in $(seq 600); do sv status st-ho | grep ^run: && exit; sleep 0.2; done; exit 1", check=True)
    run = Watched(host)
    args = {"services": [{"name": "st-ho", "units": [_RUNIT_UNIT]}], "settle": "0"}
    for state in ("handed_over", "given_back"):
        done, traces = run(("service_handover", {**args, "state": state}))
        assert done["changed"], done
        assert traces
        again, traces = run(("service_handover", {**args, "state": state}))
        assert again["changed"] is False, again
        # That the old supervisor is there is seen by opening its pipe.
        assert _recorded("service_handover", traces) == [], state


@pytest.mark.xdist_group("runit")
def test_a_host_that_is_prepared(lab: Lab) -> None:
    host = lab("runit", "steady")
    run = Watched(host)
    back: Task = ("init_handover", {"state": "given_back"})
    result, traces = run(back)
    assert result["changed"] is False, result
    assert _recorded("init_handover", traces) == []
    prepared: Task = ("init_handover", {"state": "prepared", "services": [], "trial": "10min"})
    result, traces = run(prepared)
    assert result["changed"], result
    assert traces
    result, traces = run(prepared)
    assert result["changed"] is False, result
    assert _recorded("init_handover", traces) == []
    assert run(back)[0]["changed"]
