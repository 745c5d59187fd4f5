# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that changes nothing leaves no trace: it writes nothing, makes nothing, takes no lock and runs no program."""

from __future__ import annotations

import json
import typing as t

from tests.attacks import kill_points

if t.TYPE_CHECKING:
    from tests.lab.fixtures import Lab

_SERVICE = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
_TASKS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "unit_file": ("unit_file", {"name": "st-a.service", "content": _SERVICE, "enabled": True, "started": True}),
    "unit": ("unit", {"name": ["st-a.service"], "state": "started", "enabled": True}),
    "timer": ("timer", {"name": "st-b", "OnCalendar": "daily", "command": "/bin/true"}),
    "resource_control": ("resource_control", {"name": ["st-a.service"], "properties": {"TasksMax": 77}}),
    "manager": ("manager", {"environment": {"ST_A": "1"}}),
    "user_manager": ("user_manager", {"name": ["root"]}),
}

# Runs a module; tells on standard error whatever it opens for writing, makes, removes, renames, locks and runs.
_WATCH = f"""
import importlib, json, os, sys
sys.path.insert(0, {kill_points.BASE!r})
sys.dont_write_bytecode = True
import ansible.module_utils.basic as basic
done = []
def watch(event, args):
    if event == "open":
        if isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            done.append(f"open {{args[0]}}")
    elif event in ("fcntl.flock", "os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen"):
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


def test_who_changes_nothing_leaves_no_trace(lab: Lab) -> None:
    host = lab(kill_points.KIND, "steady")
    kill_points.install(host)
    host.write("/srv/st-watch.py", _WATCH)

    def run(task: tuple[str, dict[str, t.Any]]) -> tuple[dict[str, t.Any], list[str]]:
        done = host.run(["python3", "/srv/st-watch.py"], input=json.dumps(task))
        return json.loads(done.stdout), json.loads(done.stderr.splitlines()[-1])

    try:
        for task in _TASKS.values():
            result, _traces = run(task)
            assert not result.get("failed"), result
        # The locks and the directories of earlier tasks are there by now.
        assert host.exists("/run/pidone.systemd/system.lock")
        for name, task in _TASKS.items():
            result, traces = run(task)
            assert result["changed"] is False, (name, result)
            assert traces == [], name
        # The watch does see what a change leaves.
        assert "fcntl.flock" in run(("unit", {"name": ["st-a.service"], "state": "stopped"}))[1]
    finally:
        host.run(
            "systemctl disable --now st-a.service st-b.timer; rm -f /etc/systemd/system/st-* /srv/st-watch.py; "
            "rm -rf /etc/systemd/system.control/st-*; loginctl disable-linger root; systemctl unset-environment ST_A; "
            "rm -f /etc/systemd/system.conf.d/*ST*; systemctl daemon-reload"
        )
