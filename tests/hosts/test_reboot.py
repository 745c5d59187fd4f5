# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `reboot` on hosts that really reboot; each test has its own."""

from __future__ import annotations

import subprocess
import time
import typing as t

import pytest

from tests.contract import Result, has_no_traceback
from tests.lab import runner
from tests.lab.fixtures import in_full
from tests.lab.nspawn import NspawnHost

Fresh = t.Callable[[str], NspawnHost]
MODULE = "pidone.systemd.reboot"
SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
# It is up as long as a file of this boot is there.
ONLY_NOW = "[Service]\nExecStart=/bin/sh -c 'test -e /run/rb-now || { echo it is gone; exit 3; }; exec sleep infinity'\n[Install]\nWantedBy=multi-user.target\n"
# Kept by a process that goes on.
INHIBIT = "systemd-run --quiet --unit rb-inhibits systemd-inhibit --what=shutdown --who=backup --why='a backup runs' --mode={mode} sleep 1000"
WAIT = "for i in $(seq 600); do systemd-inhibit --list | grep -q backup && break; sleep 0.05; done"


def reboot(host: NspawnHost, check: bool = False, keywords: dict[str, t.Any] | None = None, **args: t.Any) -> Result:
    """The task; whatever comes of it has no traceback."""
    result = host.ansible(MODULE, args, check=check, keywords=keywords, timeout=200)
    has_no_traceback(result)
    host.disconnect()
    return result


def boot_id(host: NspawnHost) -> str:
    """What differs from boot to boot; without a connection that may be to the last one."""
    done = subprocess.run([*host.enter_command(), "cat", "/proc/sys/kernel/random/boot_id"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def put(host: NspawnHost, **units: str) -> None:
    """Services that are enabled and run."""
    for name, text in units.items():
        host.write(f"/etc/systemd/system/rb-{name}.service", text)
    names = " ".join(f"rb-{name}" for name in units)
    host.run(f"touch /run/rb-now; systemctl daemon-reload; systemctl enable -q {names}; systemctl start {names}", check=True)


def test_one_after_the_other_until_one_is_worse(fresh: Fresh) -> None:
    """The first host comes back whole, the second has lost two services, the third is left alone."""
    hosts = [fresh("bookworm"), fresh("trixie"), fresh("bookworm")]
    for host in hosts:
        put(host, stays=SLEEP)
    whole, worse, left = hosts
    put(worse, dies=ONLY_NOW)
    worse.write("/etc/systemd/system/rb-by-hand.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    worse.run("systemctl daemon-reload; systemctl start rb-by-hand", check=True)
    before = [boot_id(host) for host in hosts]

    task = {"name": "reboot", MODULE: {}}
    play = [{"hosts": "all", "gather_facts": False, "serial": 1, "tasks": [task]}]
    played = runner.playbook(play, hosts, timeout=200)
    assert played.rc != 0

    done = played.task("reboot", whole.name).result
    assert (done["changed"], done["rebooted"], done["worse"], done["state"]) == (True, True, [], "running")
    assert done["boot_id"] == boot_id(whole) != before[0]
    assert done["elapsed"] > 0
    failed = played.task("reboot", worse.name)
    assert failed.status == "failed"
    has_no_traceback(failed.result)
    found = failed.result
    assert (found["phase"], found["rebooted"], found["state"]) == ("comparing", True, "degraded")
    assert found["worse"] == ["rb-dies.service", "rb-by-hand.service"]
    assert "rb-dies.service has failed" in found["msg"]
    assert "it is gone" in found["msg"], "the log says why"
    assert "rb-by-hand.service was not started: nothing starts it at boot" in found["msg"]
    assert [each["unit"] for each in found["failures"]] == found["worse"]
    assert (found["failures"][0]["exit_code"], found["failures"][1]["active_state"]) == (3, "inactive")
    assert boot_id(worse) != before[1]
    assert left.name not in {result.host for result in played.results}
    assert boot_id(left) == before[2]


@pytest.mark.parametrize(
    ("kind", "method"),
    [("trixie", "soft-reboot"), *(pytest.param(kind, "reboot", marks=in_full) for kind in ("bullseye", "bookworm", "trixie"))],
)
def test_inhibitors(fresh: Fresh, kind: str, method: str) -> None:
    """They are told and respected; asked to, it reboots all the same, each version in its own way. A soft reboot restarts all but the kernel."""
    host = fresh(kind)
    put(host, stays=SLEEP)
    args: dict[str, t.Any] = {"method": method, "removes": "/run/reboot-required"}
    assert not reboot(host, **args)["changed"]
    host.run(f"touch /run/reboot-required; {INHIBIT.format(mode='block')}; {WAIT}", check=True)
    before, was = boot_id(host), host.run("systemctl show -P InvocationID rb-stays", check=True).stdout
    words = ("is inhibited by backup (user root, process ", "): a backup runs; wait for that, or set `ignore_inhibitors: true`")
    planned = reboot(host, check=True, **args)
    assert (planned["changed"], planned["rebooted"], planned["steps"]) == (True, False, [method])
    (inhibitor,) = planned["inhibitors"]
    assert {**inhibitor, "pid": 0} == {"who": "backup", "why": "a backup runs", "mode": "block", "user": "root", "pid": 0}
    assert all(word in planned["warnings"][0] for word in words)
    refused = reboot(host, **args)
    assert (refused["failed"], refused["changed"], refused["phase"]) == (True, False, "look")
    assert all(word in refused["msg"] for word in words)
    assert boot_id(host) == before and host.run("systemctl show -P InvocationID rb-stays", check=True).stdout == was
    done = reboot(host, ignore_inhibitors=True, settle="300ms", **args)
    assert not done["failed"], done["msg"]
    assert done["inhibitors"][0]["who"] == "backup"
    assert (done["rebooted"], done["method"], done["worse"]) == (True, method, [])
    assert done["boot_id"] == boot_id(host)
    assert (done["boot_id"] == before) is (method == "soft-reboot")
    assert host.run("systemctl show -P InvocationID rb-stays", check=True).stdout != was
    if method == "soft-reboot":
        count = host.run("busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager SoftRebootsCount")
        assert count.stdout.split() == ["u", "1"]


@in_full
def test_a_host_that_does_not_come_back(fresh: Fresh) -> None:
    host = fresh("bookworm")
    before = boot_id(host)
    host.run("systemctl disable -q ssh; systemctl mask -q ssh", check=True)
    began = time.monotonic()
    found = reboot(host, reboot_timeout="5s", test_command="true")
    assert time.monotonic() - began < 30
    assert (found["failed"], found["phase"], found["changed"], found["rebooted"]) == (True, "coming back", True, False)
    assert f"{host.name} does not answer, " in found["msg"]
    assert boot_id(host) != before


@in_full
def test_users_are_told(fresh: Fresh) -> None:
    """Of a reboot that is planned, too; the shutdown that was planned before it is told, and does not come."""
    host = fresh("bookworm")
    host.run("shutdown -P +60 later", check=True)
    command = [*host.ssh_command("deploy", "-tt", "-o", "ControlPath=none"), "cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as session:
        host.run("for i in $(seq 600); do who | grep -q deploy && break; sleep 0.1; done", check=True)
        done = reboot(host, pre_reboot_delay="2s", msg="The cellar is flooded")
        told = session.communicate(timeout=30)[0]
    assert not done["failed"], done["msg"]
    assert done["steps"] == ["reboot in 2s"]
    assert done["scheduled_shutdown"]["type"] == "poweroff"
    assert "a shutdown (poweroff) is scheduled for " in done["warnings"][0]
    assert "The cellar is flooded" in told


@in_full
@pytest.mark.parametrize("kind", ["bullseye", "bookworm", "trixie"])
def test_a_host_without_logind(fresh: Fresh, kind: str) -> None:
    host = fresh(kind)
    put(host, stays=SLEEP)
    host.run("systemctl mask -q --now systemd-logind.service", check=True)
    before = boot_id(host)
    found = reboot(host, pre_reboot_delay="1min")
    assert "pre_reboot_delay: only logind can plan a reboot" in found["msg"]
    done = reboot(host)
    assert not done["failed"], done["msg"]
    assert done["boot_id"] == boot_id(host) != before


@in_full
def test_a_host_that_does_not_end(fresh: Fresh) -> None:
    """Neither its services, then, after the reboot, nor its startup."""
    host = fresh("bookworm")
    slow = "[Unit]\nAfter=ssh.service\n[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 20\n"
    host.write("/etc/systemd/system/rb-slow.service", slow)
    late = "[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\nTimeoutStartSec=infinity\n[Install]\nWantedBy=multi-user.target\n"
    host.write("/etc/systemd/system/rb-late.service", late)
    host.run("systemctl daemon-reload; systemctl enable -q rb-late; systemctl start rb-slow", check=True)
    before, old = boot_id(host), host.leader()
    found = reboot(host, reboot_timeout="5s")
    assert (found["failed"], found["phase"], found["rebooted"]) == (True, "going down", False)
    assert "is still shutting down; give it more time in `reboot_timeout`" in found["msg"]
    again = reboot(host)
    assert "the host is shutting down already" in again["msg"]
    assert boot_id(host) == before
    deadline = time.monotonic() + 60
    while host.leader() in (0, old):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    host.disconnect()
    host.wait_ssh(30)
    found = reboot(host, reboot_timeout="8s", ignore_units=["rb-slow"])
    assert (found["failed"], found["phase"], found["rebooted"]) == (True, "starting", True)
    assert "what it waits for: rb-late.service (start)" in found["msg"]


@in_full
def test_other_ways_to_the_host(fresh: Fresh) -> None:
    """As a user with sudo, without pipelining; as one who may not; and not in the background."""
    host = fresh("bookworm")
    done = host.ansible(MODULE, {}, remote_user="deploy", become=True, pipelining=False, timeout=200)
    assert not done["failed"], done["msg"]
    assert done["rebooted"]
    host.disconnect()
    refused = host.ansible(MODULE, {}, remote_user="nosudo")
    assert refused["failed"]
    assert "not permitted to reboot; this needs root" in refused["msg"]
    background = reboot(host, keywords={"async": 60, "poll": 1})
    assert background["failed"]
    assert "async" in background["msg"]


# kexec_file_load(2) has no function in libc, and the image has no kexec(8).
LOAD = """
import ctypes, os
kernel, initrd = os.open("/run/rb-vmlinuz", os.O_RDONLY), os.open("/run/rb-initrd", os.O_RDONLY)
line = open("/proc/cmdline", "rb").read().strip() + b" rb.kexec\\0"
libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(320, kernel, initrd, len(line), line, 0):
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


@in_full
@pytest.mark.lab_kinds("vm")
def test_kexec(host: t.Any) -> None:
    """The machine starts the same kernel once more, without qemu's help: it is told by a word of its command line."""
    refused = host.ansible(MODULE, {"method": "kexec"}, timeout=200)
    assert "method: no kernel is loaded" in refused["msg"]
    for name in ("vmlinuz", "initrd"):
        with open(host.directory / name, "rb") as source:
            command = [*host.ssh_command("root"), f"cat > /run/rb-{name}"]
            subprocess.run(command, stdin=source, check=True, timeout=300)
    host.write("/run/rb-load.py", LOAD)
    host.run("python3 /run/rb-load.py && rm /run/rb-*", check=True, timeout=300)
    before = host.read("/proc/sys/kernel/random/boot_id").strip()
    result = host.ansible(MODULE, {"method": "kexec", "reboot_timeout": 500}, timeout=600)
    assert not result["failed"], result["msg"]
    host.disconnect()
    assert result["boot_id"] == host.read("/proc/sys/kernel/random/boot_id").strip() != before
    assert "rb.kexec" in host.read("/proc/cmdline")


@in_full
@pytest.mark.lab_kinds("vm")
def test_a_machine(host: t.Any) -> None:
    """Its root is the image anew after each boot."""
    before = host.read("/proc/sys/kernel/random/boot_id").strip()
    result = host.ansible(MODULE, {"reboot_timeout": 500}, timeout=600)
    assert not result["failed"], result["msg"]
    assert result["boot_id"] != before
    host.disconnect()
    assert host.read("/proc/sys/kernel/random/boot_id").strip() == result["boot_id"]
