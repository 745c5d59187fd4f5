# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' managers that are not there yet, and those that are there no more."""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.host import Host

USER = "fu-app"
WHOSE = {"scope": "user", "user": USER}
SECTIONS = {"Service": {"ExecStart": "/bin/sleep 1009"}, "Install": {"WantedBy": "default.target"}}


def tasks(**options: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """A play of tasks for the user, by name; those whose name holds a dot are as they are."""
    found = []
    for name, given in options.items():
        module, _dash, _rest = name.partition("__")
        found.append({"name": name, f"pidone.systemd.{module}": given})
    return [{"hosts": "all", "gather_facts": False, "become": True, "tasks": found}]


DEPLOY = tasks(
    user_manager={"name": USER},
    unit_file={"name": "fu-app", "sections": SECTIONS, "activate": True, **WHOSE},
    unit_file__dropin={"name": "fu-app", "dropin": "10-x", "sections": {"Unit": {"Description": "x"}}, **WHOSE},
    unit={"name": "fu-app", "state": "started", "enabled": True, **WHOSE},
    timer={"name": "fu-tick", "OnCalendar": "daily", "command": "/bin/true", **WHOSE},
    resource_control={"name": "fu-app", "properties": {"CPUWeight": 50}, **WHOSE},
    run={"command": ["/bin/true"], "name": "fu-run", **WHOSE},
    run__at={"command": ["/bin/true"], "name": "fu-at", "on_active": "1h", **WHOSE},
    manager={"environment": {"FU_A": "1"}, **WHOSE},
    configuration={"name": "user", "settings": {"Manager": {"DefaultTimeoutStartSec": "99s"}}, **WHOSE},
    unit_info={"name": ["fu-app"], "properties": ["MainPID"], "processes": True, "dependencies": True, **WHOSE},
    timer_info={**WHOSE},
    manager_info={"unit_times": True, **WHOSE},
    journal_info={"unit": "fu-app", **WHOSE},
)
DEPLOY[0]["tasks"].insert(0, {"name": "user", "ansible.builtin.user": {"name": USER}})
UNDO = tasks(
    timer={"name": "fu-tick", "state": "absent", **WHOSE},
    timer__purge={"timers": [], "purge": True, **WHOSE},
    unit={"name": "fu-app", "state": "stopped", "enabled": False, **WHOSE},
    unit__masked={"name": "fu-app", "masked": False, **WHOSE},
    resource_control={"name": "fu-app", "properties": {"CPUWeight": None}, **WHOSE},
    unit_file__dropin={"name": "fu-app", "dropin": "10-x", "state": "absent", **WHOSE},
    unit_file={"name": "fu-app", "state": "absent", "enabled": False, "started": False, **WHOSE},
    manager={"environment": {"FU_A": None}, **WHOSE},
    configuration={"name": "user", "state": "absent", **WHOSE},
    user_manager={"name": USER, "linger": False},
)
STOP = f"loginctl disable-linger {USER}; systemctl stop user@$(id -u {USER})"


@pytest.fixture
def own(host: Host) -> t.Iterator[Host]:
    yield host
    host.run(f"{STOP}; userdel -r {USER}; rm -f /var/lib/systemd/linger/{USER}")


def test_check_mode_foretells_the_first_deployment(own: Host) -> None:
    """Neither the user nor the manager is there; what check mode says is what the real run does."""
    planned = own.playbook(DEPLOY, "--check", "--diff").ok()
    warnings = planned.task("unit_file").result["warnings"]
    assert "taken for made by an earlier task: user fu-app, with the home directory /home/fu-app" in str(warnings)
    assert not own.exists("/home/fu-app")
    done = own.playbook(DEPLOY, "--diff").ok()
    # A unit file with `activate` has the unit up already, which check mode cannot see in a file that is not written.
    differ = {a.task for a, b in zip(planned.results, done.results) if a.changed is not b.changed}
    assert differ == {"unit"}
    steps = {result.task: result.result.get("steps") for result in done.results}
    for result in planned.results:
        if result.task in ("unit_file", "unit_file__dropin", "timer", "manager", "configuration"):
            assert result.result["steps"] == steps[result.task], result.task
    again = own.playbook(DEPLOY).ok()
    assert {result.task for result in again.results if result.changed} == {"run"}
    assert {result.task for result in own.playbook(DEPLOY, "--check").ok().results if result.changed} == {"run"}


@pytest.mark.lab_kinds("bookworm")
def test_check_mode_where_only_the_manager_is_missing(own: Host) -> None:
    own.playbook(DEPLOY).ok()
    own.run(STOP, check=True)
    planned = own.playbook(DEPLOY, "--check").ok()
    assert f"taken for started by an earlier task: the service manager of user {USER}" in str(planned.task("run").result["warnings"])
    found = planned.task("unit_info").result["units"][0]
    assert found["exists"]
    assert found["enabled"]
    assert found["fragment_path"] == f"/home/{USER}/.config/systemd/user/fu-app.service"
    assert f"/home/{USER}/.config/systemd/user/fu-app.service.d/10-x.conf" in found["dropin_paths"]
    assert not planned.task("unit_file__dropin").changed
    (timer,) = [each for each in planned.task("timer_info").result["timers"] if each["name"] == "fu-tick.timer"]
    assert timer["marker"]


@pytest.mark.lab_kinds("bookworm")
def test_a_real_run_says_what_is_missing(own: Host) -> None:
    for task in DEPLOY[0]["tasks"][2:]:
        module = next(key for key in task if key != "name")
        assert f"there is no user '{USER}' on this host" in own.ansible(module, task[module])["msg"]
    own.run(f"useradd -m {USER}", check=True)
    for task in DEPLOY[0]["tasks"][2:-1]:
        module = next(key for key in task if key != "name")
        if task["name"] in ("unit_file__dropin", "configuration"):
            # They write a file, which the manager reads when it starts.
            continue
        result = own.ansible(module, task[module])
        assert f"the service manager of user {USER} is not running" in result["msg"]
        assert "pidone.systemd.user_manager and `linger: true`" in result["msg"]


@pytest.mark.lab_kinds("bookworm")
def test_undoing_where_the_user_is_gone(own: Host) -> None:
    own.run(f"mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/{USER}", check=True)
    done = own.playbook(UNDO).ok()
    # The next user of that name would have lingered.
    assert {result.task for result in done.results if result.changed} == {"user_manager"}
    assert not own.exists(f"/var/lib/systemd/linger/{USER}")
    assert own.playbook(UNDO).ok().changed == 0
    assert own.playbook(UNDO, "--check").ok().changed == 0


def test_undoing_where_the_manager_is_gone(own: Host) -> None:
    """What is left of it in the home directory goes all the same, links included."""
    own.playbook(DEPLOY).ok()
    own.run(STOP, check=True)
    planned = own.playbook(UNDO[:1], "--check").ok()
    done = own.playbook(UNDO).ok()
    changed = {result.task for result in done.results if result.changed}
    assert changed == {"timer", "unit", "resource_control", "unit_file__dropin", "unit_file", "configuration"}
    assert {result.task for result in planned.results if result.changed} - {"timer__purge"} == changed
    assert "daemon-reload" not in str([result.result.get("steps") for result in done.results])
    left = own.run(f"find /home/{USER}/.config /home/{USER}/.local/share -name 'fu-*' 2>/dev/null").stdout
    assert not left
    assert own.playbook(UNDO).ok().changed == 0
    own.run(f"userdel -r {USER}", check=True)
    assert own.playbook(UNDO).ok().changed == 0


@pytest.mark.lab_kinds("bookworm")
def test_limits_of_a_unit_that_is_gone(host: Host) -> None:
    """What systemd keeps of a unit that was removed waits for the next one of that name."""
    host.write("/etc/systemd/system/fu-gone.service", "[Service]\nExecStart=/bin/sleep 1009\n")
    host.run("systemctl daemon-reload", check=True)
    options = {"name": "fu-gone", "properties": {"MemoryMax": "1G", "CPUQuota": "20%"}}
    assert host.ansible("pidone.systemd.resource_control", options)["changed"]
    host.run("rm /etc/systemd/system/fu-gone.service; systemctl daemon-reload", check=True)
    options["properties"] = {"MemoryMax": None, "CPUQuota": None}
    assert host.ansible("pidone.systemd.resource_control", options, check=True)["changed"]
    done = host.ansible("pidone.systemd.resource_control", options)
    assert done["changed"]
    assert not host.exists("/etc/systemd/system.control/fu-gone.service.d")
    assert not host.ansible("pidone.systemd.resource_control", options)["changed"]
    # Limits of a unit that is not there are still refused.
    options["properties"] = {"MemoryMax": "1G"}
    assert "there is no unit fu-gone.service" in host.ansible("pidone.systemd.resource_control", options)["msg"]
    planned = host.ansible("pidone.systemd.resource_control", options, check=True)
    assert planned["changed"]
    assert planned["steps"] == ["set MemoryMax of fu-gone.service"]
