# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The managers of containers that systemd-machined knows, with users of their own and without."""

from __future__ import annotations

import typing as t

import pytest

from tests.containers import USERS_OF_ITS_OWN, leader, start, stop
from tests.hosts.test_documentation import GUIDE, tasks_of_the_guide
from tests.lab.fixtures import in_full
from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("machines")

# Nothing else is started, not even a bus, which takes a moment only.
ALONE = "[Unit]\nDefaultDependencies=no\n"
UNITS = {
    "default.target": f"{ALONE}Wants=mc-fails.service mc.timer mc-busy.service\nAllowIsolate=yes\n",
    "mc-fails.service": f"{ALONE}[Service]\nType=oneshot\nExecStart=false\n",
    "mc-busy.service": f"{ALONE}[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
    "mc-idle.service": "[Service]\nExecStart=true\n[Install]\nAlias=mc-other.service\n",
    "mc.timer": f"{ALONE}[Timer]\nOnCalendar=*-01-01\nUnit=mc-fails.service\n",
    "mc-many@.service": "[Service]\nExecStart=true\n[Install]\nWantedBy=multi-user.target\n",
}


def inside(host: Host, name: str) -> str:
    """What has a command run in a container, as its root."""
    return f"nsenter --target {leader(host, name)} --all --setuid 0 --setgid 0"


@pytest.fixture(scope="module")
def containers(host: Host) -> t.Iterator[list[str]]:
    """Two that have booted, with units that the host does not have."""
    names = ["mc-other", "mc-web"]
    for name, text in UNITS.items():
        host.write(f"/srv/mc-units/{name}", text)
    host.run("mkdir -p /srv/mc-units/mc-busy.service.d; echo '[Unit]\nDescription=Busy' > /srv/mc-units/mc-busy.service.d/a.conf", check=True)
    for name in names:
        own = ["--bind-ro=/srv/mc-units:/etc/systemd/system"]
        start(host, name, options=own + list(USERS_OF_ITS_OWN if name == "mc-web" else ()))
    for name in names:
        host.run(f"until machinectl show {name} >/dev/null 2>&1; do sleep 0.1; done", check=True)
        host.run(f"until {inside(host, name)} systemctl is-failed -q mc-fails; do sleep 0.1; done", check=True)
        host.run(f"{inside(host, name)} systemctl start mc.timer mc-busy.service", check=True)
    yield names
    stop(host, *names)
    host.run("rm -r /srv/mc-units")


def test_units(host: Host, containers: list[str]) -> None:
    wanted = ["mc-*", "mc-many@.service", "mc-none"]
    result = host.ansible(
        "pidone.systemd.unit_info",
        {"machine": "mc-web", "name": wanted, "properties": ["Result", "MainPID"], "processes": True, "dependencies": True},
    )
    assert not result["failed"], result["msg"]
    units = {unit["name"]: unit for unit in result["units"]}
    assert set(units) == {"mc-busy.service", "mc-fails.service", "mc-idle.service", "mc-many@.service", "mc-none.service"}
    at = "/etc/systemd/system"
    busy = units["mc-busy.service"]
    assert (busy["active"], busy["enabled"], busy["description"]) == (True, False, "Busy")
    assert (busy["fragment_path"], busy["dropin_paths"]) == (f"{at}/mc-busy.service", [f"{at}/mc-busy.service.d/a.conf"])
    # As the container sees it.
    assert [process["pid"] for process in busy["processes"]] == [busy["properties"]["MainPID"]]
    assert busy["processes"][0]["command"] == "sleep infinity"
    assert busy["dependencies"]["WantedBy"] == ["default.target"]
    assert (units["mc-fails.service"]["failed"], units["mc-fails.service"]["properties"]["Result"]) == (True, "exit-code")
    assert (units["mc-idle.service"]["active_state"], units["mc-idle.service"]["unit_file_state"]) == ("inactive", "disabled")
    assert (units["mc-many@.service"]["exists"], units["mc-many@.service"]["unit_file_state"]) == (True, "disabled")
    assert "fragment_path" not in units["mc-many@.service"]
    assert not units["mc-none.service"]["exists"]
    on_host = host.ansible("pidone.systemd.unit_info", {"name": ["mc-busy"]})
    assert not on_host["units"][0]["exists"]


def test_all_of_them(host: Host, containers: list[str]) -> None:
    """Also those with which machined cannot help."""
    host.run("systemd-run -q --unit=mc-vm sleep infinity", check=True)
    register = "busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager RegisterMachine sayssus"
    number = host.run("systemctl show -P MainPID mc-vm", check=True).stdout.strip()
    host.run(f'{register} mc-vm 0 lab vm {number} ""', check=True)
    try:
        everything: dict[str, t.Any] = {}
        for module, args in [
            ("unit_info", {"states": ["failed"], "name": ["mc-*"]}), ("timer_info", {"name": ["mc*"]}), ("manager_info", {})
        ]:  # fmt: skip
            result = host.ansible(f"pidone.systemd.{module}", {"machine": "*", **args})
            assert not result["failed"], result["msg"]
            assert [(each["machine"], each["answered"]) for each in result["managers"]] == [(name, True) for name in containers]
            everything[module] = result
        assert [(unit["machine"], unit["name"]) for unit in everything["unit_info"]["units"]] == [(name, "mc-fails.service") for name in containers]
        for timer in everything["timer_info"]["timers"]:
            assert (timer["name"], timer["unit"], timer["active"]) == ("mc.timer", "mc-fails.service", True)
            assert timer["next_elapse"].endswith("Z") and timer["last_run"]["result"] == "exit-code"
            assert "marker" not in timer
        for each in everything["manager_info"]["managers"]:
            assert each["manager"]["virtualization"] == "systemd-nspawn"
            assert "mc-fails.service" in each["manager"]["failed_units"]
        refused = host.ansible("pidone.systemd.unit_info", {"machine": "mc-vm"})
        assert refused["failed"] and "machine: 'mc-vm' is of the class 'vm'" in refused["msg"], refused
    finally:
        host.run("systemctl stop mc-vm")


@in_full
@pytest.mark.parametrize("machine", ["mc-web", "*"])
def test_what_is_wrong_with_the_task(host: Host, containers: list[str], machine: str) -> None:
    """It is told once, whoever finds it."""
    result = host.ansible("pidone.systemd.unit_info", {"machine": machine, "properties": ["Nonsense"], "name": ["mc-busy"]})
    assert result["failed"] and result["msg"].startswith("properties: 'Nonsense' is no property"), result


def test_no_such_machine(host: Host, containers: list[str]) -> None:
    result = host.ansible("pidone.systemd.unit_info", {"machine": "mc-none"})
    assert result["failed"] and "machine: 'mc-none' is no machine that runs; `machinectl list`" in result["msg"], result


@in_full
def test_a_manager_that_executes_itself_anew(host: Host, containers: list[str]) -> None:
    """Its private socket stays, and so does who listens there."""
    host.run(f"{inside(host, 'mc-other')} systemctl daemon-reexec", check=True)
    result = host.ansible("pidone.systemd.manager_info", {"machine": "mc-other"})
    assert not result["failed"], result["msg"]
    assert "mc-fails.service" in result["manager"]["failed_units"]


@in_full
def test_the_guide(host: Host, containers: list[str]) -> None:
    tasks = tasks_of_the_guide(GUIDE.parent / "guide_managers.rst")
    assert len(tasks) > 2
    done = host.playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}]).ok()
    assert "mc-web: mc-fails.service" in done.text()
