# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of real processes."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._observe import processes

CHILD = """
import os, resource, socket, sys, time
os.chdir(sys.argv[1])
os.umask(0o027)
os.nice(3)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
if os.fork() == 0:
    inner = socket.socket(); inner.bind(("127.0.0.1", 0)); inner.listen()
    print("child", inner.getsockname()[1], flush=True)
    time.sleep(100)
if os.fork() == 0:
    os.setsid()
    other = socket.socket(); other.bind(("127.0.0.1", 0)); other.listen()
    print("other", other.getsockname()[1], flush=True)
    time.sleep(100)
tcp = socket.socket(socket.AF_INET6); tcp.bind(("::1", 0)); tcp.listen()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("127.0.0.1", 0))
unix = socket.socket(socket.AF_UNIX); unix.bind("own.sock"); unix.listen()
plain = socket.socket(); plain.bind(("127.0.0.1", 0))
print("tcp", tcp.getsockname()[1], flush=True)
print("udp", udp.getsockname()[1], flush=True)
print("ready 0", flush=True)
time.sleep(100)
"""


class Child(t.NamedTuple):
    pid: int
    ports: dict[str, str]


@pytest.fixture
def child(tmp_path: Path) -> t.Iterator[Child]:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "SECRET": "value"},
        start_new_session=True,
    ) as process:
        assert process.stdout
        ports: dict[str, str] = {}
        while not {"ready", "child", "other"} <= ports.keys():
            what, number = process.stdout.readline().split()
            ports[what] = number
        family = processes.family(process.pid)
        yield Child(process.pid, ports)
        for pid in reversed(family):
            os.kill(pid, signal.SIGKILL)


def test_snapshot(child: Child, tmp_path: Path) -> None:
    found = processes.snapshot(child.pid)
    assert found is not None
    assert found["command"] == [sys.executable, "-c", CHILD, str(tmp_path)]
    assert found["program"] == os.path.realpath(sys.executable)
    assert (found["uid"], found["gid"]) == (os.geteuid(), os.getegid())
    assert found["group_ids"] == sorted(os.getgroups())
    assert (found["cwd"], found["root"]) == (str(tmp_path), "/")
    assert {"PATH", "SECRET"} <= set(found["environment"])
    assert "value" not in str(found["environment"])
    assert (found["umask"], found["nice"]) == ("0027", os.nice(0) + 3)
    assert found["limits"]["NOFILE"] == ["100", "200"]
    assert found["limits"]["CORE"] == [
        "unlimited" if limit == resource.RLIM_INFINITY else str(limit)
        for limit in resource.getrlimit(resource.RLIMIT_CORE)
    ]
    assert found["session"] == found["process_group"] == child.pid
    assert found["sockets"] == sorted(
        [
            f"tcp 127.0.0.1:{child.ports['child']}",
            f"tcp [::1]:{child.ports['tcp']}",
            f"udp 127.0.0.1:{child.ports['udp']}",
            "unix own.sock",
        ]
    )
    # What has a session of its own is not the service any more, though it descends from it.
    assert len(processes.family(child.pid)) == 3
    assert found["processes"] == 2


@pytest.mark.parametrize(("arguments", "told"), [(["cat"], True), (["web: main process of /etc/web.conf"], False)])
def test_what_a_program_has_written_over_is_not_told(arguments: list[str], told: bool) -> None:
    # nginx, sshd and redis show a text in place of their arguments.
    with subprocess.Popen(arguments, executable="/bin/cat", stdin=subprocess.PIPE, env={"SOME": "value"}) as process:
        found = processes.snapshot(process.pid)
        assert found is not None
        assert found["command"] == arguments
        assert found["environment"] == (["SOME"] if told else [])
        process.kill()


def test_a_process_that_is_gone() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        while (stat := processes.read_stat(process.pid)) is not None and stat.state != "Z":
            time.sleep(0.01)
        assert processes.snapshot(process.pid) is None
        assert not processes.is_running(process.pid)
    assert processes.read_stat(process.pid) is None
    assert processes.family(process.pid) == [process.pid]


def test_it_is_the_same_process() -> None:
    stat = processes.read_stat(os.getpid())
    assert stat is not None
    assert stat.parent == os.getppid()
    assert processes.is_running(os.getpid(), stat.started)
    assert not processes.is_running(os.getpid(), stat.started + 1)


def test_names_of_processes_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    fields = " ".join(str(number) for number in range(4, 53))
    (tmp_path / "7" / "stat").write_text(f"7 (a) b (c)) S {fields}\n")
    stat = processes.read_stat(7, str(tmp_path))
    assert stat is not None
    assert (stat.name, stat.state, stat.parent, stat.started) == ("a) b (c)", "S", 4, 22)


def test_addresses() -> None:
    assert processes._address("0100007F:0050") == "127.0.0.1:80"
    assert processes._address("00000000000000000000000000000000:01BB") == "[::]:443"
    assert processes._address("00000000000000000000000001000000:0016") == "[::1]:22"


def test_cgroups(tmp_path: Path) -> None:
    for pid, text in {
        1: "0::/init.scope\n",
        2: "1:name=systemd:/system.slice/web.service\n",
        3: "0::/system.slice/web.service/sub\n",
        4: "0::/system.slice/web.service2\n",
    }.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(text)
    assert sorted(processes.in_cgroup("/system.slice/web.service", str(tmp_path))) == [2, 3]


def test_sockets_in_no_network_of_ours(tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert f"tcp 127.0.0.1:{port}" in processes.sockets_of([os.getpid()])
        assert processes.sockets_of([os.getpid()], str(tmp_path)) == []
