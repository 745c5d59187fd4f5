# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts of other init systems, and reboots."""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.host import Host
from tests.lab.nspawn import NspawnHost

#: The first process of each kind, and how it says what it supervises.
FIRST = {"runit": "runit", "runit-run": "systemd", "sysvinit": "init"}


@pytest.mark.lab_kinds("runit", "runit-run", "sysvinit")
def test_boots_the_right_init(host: Host) -> None:
    assert host.run("cat /proc/1/comm").stdout.strip() == FIRST[host.kind.name]
    assert host.run("sudo -n id -un", user="deploy").stdout.strip() == "root"
    assert host.ansible("ansible.builtin.ping")["ping"] == "pong"
    listening = host.run("ss -Hltn", check=True).stdout
    for port in (22, 6379, 11211):
        assert f":{port} " in listening


@pytest.mark.lab_kinds("runit")
def test_runit_supervises(host: Host) -> None:
    for service in ("ssh", "cron", "dbus", "socklog-unix"):
        assert host.run(["sv", "check", service], check=True).stdout.startswith(f"ok: run: {service}")


@pytest.mark.lab_kinds("runit-run")
def test_runsvdir_under_systemd(host: Host) -> None:
    host.write("/etc/sv/labtest/run", "#!/bin/sh\nexec sleep 1000\n", mode=0o755)
    host.run("ln -s /etc/sv/labtest /etc/service/labtest", check=True)
    host.run("for i in 1 2 3 4 5 6 7 8 9; do sv status labtest | grep ^run && exit; sleep 1; done; exit 1", check=True)
    assert "runit.service" in host.run("cat /proc/$(cat /etc/sv/labtest/supervise/pid)/cgroup", check=True).stdout
    host.run("rm /etc/service/labtest; sleep 6; rm -r /etc/sv/labtest")


def _boot_id(host: Host) -> str:
    return host.read("/proc/sys/kernel/random/boot_id")


@pytest.mark.parametrize("kind", ["trixie", "bullseye"])
def test_reboot(fresh: t.Callable[[str], NspawnHost], kind: str) -> None:
    host = fresh(kind)
    host.write("/etc/kept", "yes")
    host.write("/run/lost", "yes")
    before = _boot_id(host)
    host.reboot()
    assert host.first_process() == "systemd"
    assert _boot_id(host) != before
    assert host.exists("/etc/kept")
    assert not host.exists("/run/lost")


def test_ansible_reboots_it(fresh: t.Callable[[str], NspawnHost]) -> None:
    host = fresh("trixie")
    before = _boot_id(host)
    assert host.ansible("ansible.builtin.reboot", timeout=60)["rebooted"] is True
    assert _boot_id(host) != before


@pytest.mark.parametrize(("kind", "first"), [("runit", "runit"), ("sysvinit", "init")])
def test_the_same_root_boots_systemd_and_goes_back(fresh: t.Callable[[str], NspawnHost], kind: str, first: str) -> None:
    host = fresh(kind)
    assert host.first_process() == first
    host.reboot(init="systemd")
    assert host.first_process() == "systemd"
    assert host.run("systemctl is-active ssh cron").stdout.split() == ["active", "active"]
    host.reboot(init=None)
    assert host.first_process() == first


def test_a_host_changes_its_init_by_its_packages(fresh: t.Callable[[str], NspawnHost]) -> None:
    host = fresh("runit")
    apt = "DEBIAN_FRONTEND=noninteractive apt-get -y --allow-remove-essential"
    host.run(f"{apt} update && {apt} install systemd-sysv runit-init-", check=True)
    host.reboot()
    assert host.first_process() == "systemd"
    host.run(f"{apt} install runit-init systemd-sysv-", check=True)
    host.reboot()
    assert host.first_process() == "runit"
