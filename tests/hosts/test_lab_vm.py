# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's virtual machine does what the other hosts cannot: resource control has effects there."""

from __future__ import annotations

import pytest

from tests.lab.fixtures import in_full
from tests.lab.host import Host

pytestmark = [pytest.mark.lab_kinds("vm")]


def test_is_a_host_like_the_others(host: Host) -> None:
    assert host.run("systemctl is-system-running", check=True).stdout.strip() == "running"
    assert host.run("sudo -n id -un", user="deploy").stdout.strip() == "root"
    assert host.ansible("ansible.builtin.ping")["ping"] == "pong"


def test_controllers(host: Host) -> None:
    controllers = set(host.read("/sys/fs/cgroup/cgroup.controllers").split())
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= controllers
    run = "systemd-run --wait --pipe --quiet -p CPUQuota=20% -p MemoryMax=64M -p TasksMax=7"
    shown = host.run(
        f"{run} sh -c 'cd /sys/fs/cgroup/$(cut -d: -f3 /proc/self/cgroup); cat cpu.max memory.max pids.max'", check=True
    )
    assert shown.stdout.split() == ["20000", "100000", str(64 << 20), "7"]


def test_memory_limit_kills(host: Host) -> None:
    eat = "python3 -c 'x = bytearray(200 << 20)'"
    assert host.run(f"systemd-run --wait --quiet -p MemoryMax=600M {eat}").returncode == 0
    assert host.run(f"systemd-run --wait --quiet -p MemoryMax=50M {eat}").returncode != 0


def test_address_filter(host: Host) -> None:
    connect = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/22'"
    assert host.run(f"systemd-run --wait --quiet {connect}").returncode == 0
    assert host.run(f"systemd-run --wait --quiet -p IPAddressDeny=any timeout 3 {connect}").returncode != 0


def test_block_device(host: Host) -> None:
    run = "systemd-run --wait --pipe --quiet -p 'IOReadBandwidthMax=/dev/vda 1M'"
    shown = host.run(f"{run} sh -c 'cat /sys/fs/cgroup/$(cut -d: -f3 /proc/self/cgroup)/io.max'", check=True).stdout
    assert "rbps=1000000" in shown


@in_full
def test_ansible_reboots_it(host: Host) -> None:
    before = host.read("/proc/sys/kernel/random/boot_id")
    assert host.ansible("ansible.builtin.reboot", {"reboot_timeout": 500}, timeout=600)["rebooted"] is True
    assert host.read("/proc/sys/kernel/random/boot_id") != before
