# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: every kind boots, is reachable in every way the other tests rely on, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.lab import network, registry
from tests.lab.fixtures import every_version
from tests.lab.host import Host

pytestmark = every_version

VERSIONS = {"bullseye": 247, "bookworm": 252, "trixie": 257}


def test_boots_the_right_systemd(fresh: t.Callable[[str], Host], host: Host) -> None:
    # On the one that tests share, units of other tests may have failed.
    own = fresh(host.kind.name)
    version = own.run("systemctl --version", check=True).stdout.split()[1]
    assert int(version) == VERSIONS[own.kind.name]
    assert own.run("systemctl is-system-running --wait").stdout.strip() == "running"
    assert own.run("hostname").stdout.strip() == own.name
    assert own.run(["python3", "-c", "import jeepney"]).returncode == 1


def test_users(host: Host) -> None:
    assert host.run("id -un", user="deploy").stdout.strip() == "deploy"
    assert host.run("sudo -n id -un", user="deploy").stdout.strip() == "root"
    assert host.run("sudo -n id -un", user="nosudo").returncode != 0
    call = "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Reload"
    refused = host.run(call, user="nosudo")
    assert refused.returncode != 0
    assert "nteractive authentication required" in refused.stderr


def test_own_network(host: Host) -> None:
    inside = host.run("ip -4 -o address show dev host0", check=True).stdout
    assert f"{host.address}/24" in inside
    outer = subprocess.run(["ip", "-4", "-o", "address"], capture_output=True, text=True, check=True).stdout
    assert host.address not in outer


def test_neighbours_stay_where_they_are(host: Host, fresh: t.Callable[[str], Host]) -> None:
    def gateway() -> str:
        return Path(f"/sys/class/net/{network.BRIDGE}/address").read_text().strip()

    before = gateway()
    third = int(host.address.split(".")[2])
    assert before == f"02:70:64:{third:02x}:00:01"
    fresh(host.kind.name)
    assert gateway() == before
    prefix = host.address.rpartition(".")[0]
    assert f"{prefix}.1 dev host0 lladdr {before}" in host.run("ip neigh", check=True).stdout


def test_files(host: Host) -> None:
    host.write("/srv/lab test/it's", "one\ntwo\n", mode=0o600, owner="deploy")
    assert host.read("/srv/lab test/it's") == "one\ntwo\n"
    assert host.run(["stat", "-c", "%a %U", "/srv/lab test/it's"]).stdout == "600 deploy\n"
    host.run(["rm", "-r", "/srv/lab test"], check=True)
    assert not host.exists("/srv/lab test")
    with pytest.raises(FileNotFoundError):
        host.read("/srv/lab test/it's")


@pytest.mark.parametrize("pipelining", [True, False])
def test_ansible(host: Host, pipelining: bool) -> None:
    assert host.ansible("ansible.builtin.ping", {"data": "here"}, pipelining=pipelining)["ping"] == "here"
    done = host.ansible(
        "ansible.builtin.command", {"cmd": "id -un"}, remote_user="deploy", become=True, pipelining=pipelining
    )
    assert (done["stdout"], done["changed"], done["failed"]) == ("root", True, False)
    failed = host.ansible("ansible.builtin.command", {"cmd": "false"}, pipelining=pipelining)
    assert (failed["failed"], failed["rc"]) == (True, 1)


def test_ansible_check_and_diff(host: Host) -> None:
    args = {"path": "/srv/lab-check", "state": "directory"}
    done = host.ansible("ansible.builtin.file", args, check=True, diff=True)
    assert done["changed"] is True
    assert done["diff"]["after"]["state"] == "directory"
    assert not host.exists("/srv/lab-check")


def test_playbook(host: Host) -> None:
    run = host.playbook(
        """
        - hosts: all
          gather_facts: false
          tasks:
            - name: One
              ansible.builtin.command: echo {{ word }}
            - name: Two
              ansible.builtin.fail: {msg: as meant}
        """,
        "-e",
        "word=hello",
    )
    assert run.rc == 2
    assert run.task("One").result["stdout"] == "hello"
    assert run.task("Two").status == "failed"
    assert run.changed == 1


@pytest.mark.lab_kinds("trixie")
def test_nothing_is_left(fresh: t.Callable[[str], Host], host: Host) -> None:
    extra = fresh(host.kind.name)
    assert extra.run("true").returncode == 0
    extra.remove()
    assert not extra.directory.exists()
    spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
    assert network.namespace(extra.name) not in spaces
    assert network.namespace(host.name) in spaces
    mounts = Path("/proc/self/mountinfo").read_text()
    assert str(extra.directory) not in mounts
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{extra.state['cgroup']}"))
    assert not extra.alive()
    assert host.alive()
    assert extra.name not in registry.hosts()
