# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs files that are not on the disk any more: real processes, and a /proc that is written here."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._observe import outdated
from ansible_collections.pidone.systemd.plugins.module_utils._observe.outdated import (
    cgroup_of,
    find_outdated,
    in_container,
    unit_of,
)

SLEEP = shutil.which("sleep") or "/bin/sleep"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of tests are below /tmp, which does not count otherwise; and wherever the tests run is no container."""
    monkeypatch.setattr(outdated, "_NO_FILES", outdated.re.compile(rb"/memfd:"))
    monkeypatch.setattr(outdated, "in_container", lambda cgroup: False)


class Running(t.NamedTuple):
    pid: int
    program: str


@pytest.fixture
def running(tmp_path: Path) -> t.Iterator[Running]:
    """A process that runs a program of its own."""
    program = tmp_path / "daemon"
    shutil.copy(SLEEP, program)
    with subprocess.Popen([str(program), "100"]) as process:
        while os.readlink(f"/proc/{process.pid}/exe") != str(program):
            time.sleep(0.001)
        yield Running(process.pid, str(program))
        process.kill()


def files(pid: int) -> tuple[str, ...]:
    """Those of a process that it runs and that are gone."""
    return next((each.files for each in find_outdated().processes if each.pid == pid), ())


@pytest.mark.usefixtures("there")
def test_a_program_that_is_replaced_and_one_that_is_removed(running: Running) -> None:
    assert files(running.pid) == ()
    shutil.copy(SLEEP, f"{running.program}.new")
    os.rename(f"{running.program}.new", running.program)
    assert files(running.pid) == (running.program,)
    os.unlink(running.program)
    assert files(running.pid) == (running.program,)
    (found,) = [each for each in find_outdated(os.geteuid()).processes if each.pid == running.pid]
    assert (found.uid, found.comm) == (os.geteuid(), "daemon")
    assert found.cgroup == cgroup_of("/proc/self")
    # Of another user it is not.
    assert not [each for each in find_outdated(54321).processes if each.pid == running.pid]


def test_what_lies_in_temporary_directories_does_not_count(running: Running) -> None:
    if not running.program.startswith("/tmp/"):
        pytest.skip("temporary files are elsewhere")
    os.unlink(running.program)
    assert files(running.pid) == ()


@pytest.mark.usefixtures("there")
def test_no_time_is_left() -> None:
    with pytest.raises(SystemdError, match="timeout: "):
        find_outdated(deadline=time.monotonic() - 1)


class Proc:
    """A /proc of processes that are made up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "self/ns").mkdir(parents=True)
        (folder / "self/ns/pid").symlink_to("pid:[1]")

    def add(self, pid: int, maps: str, cgroup: str = "0::/system.slice/a.service", space: str = "pid:[1]", name: str = "a") -> None:
        base = self.folder / str(pid)
        (base / "ns").mkdir(parents=True)
        (base / "map_files").mkdir()
        (base / "maps").write_text(maps)
        (base / "cgroup").write_text(cgroup + "\n")
        (base / "status").write_text(f"Name:\t{name}\nUid:\t7\t8\t9\t10\n")
        (base / "ns/pid").symlink_to(space)
        (base / "root").symlink_to("/")

    def maps(self, pid: int, where: str, target: str | Path) -> None:
        """What the kernel says is mapped at an address."""
        (self.folder / str(pid) / "map_files" / where).symlink_to(target)

    def found(self) -> dict[int, tuple[str, ...]]:
        return {each.pid: each.files for each in find_outdated(proc=str(self.folder)).processes}


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path / "proc")


def line(path: str, inode: int = 1, rights: str = "r-xp", where: str = "7f00-7f10") -> str:
    return f"{where} {rights} 00000000 fd:00 {inode}                     {path}\n"


@pytest.mark.parametrize(
    ("maps", "found"),
    [
        (line("/usr/lib/liba.so.1 (deleted)"), ("/usr/lib/liba.so.1",)),
        (line("/srv/app/bin (deleted)") + line("/srv/app/bin (deleted)"), ("/srv/app/bin",)),
        # Data, such as a journal or a catalogue of messages.
        (line("/usr/share/a.mo (deleted)", rights="r--p"), ()),
        (line("/usr/lib/liba.so.1 (deleted)", rights="rw-p"), ()),
        *(
            (line(f"{path} (deleted)"), ())
            for path in (
                "/memfd:jit", "/SYSV00000000", "/dev/zero", "/dev/shm/x", "/tmp/x.so", "/var/tmp/x.so", "/run/user/1/orcexec.Ab1",
                "/home/a/orcexec.Ab12", "/home/a/.cache/JNA/temp/jna123.tmp", "/home/a/#1234", "/[aio]", "/home/a/.nfs0001",
            )
        ),
        ("7f00-7f10 r-xp 00000000 00:00 0                          [vdso]\n", ()),
        ("7f00-7f10 r-xp 00000000 00:00 0 \n", ()),
        # Elsewhere than where root alone mounts, numbers do not count.
        (line("/home/a/none", 99), ()),
        (line("/usr/lib/x\\012y (deleted)"), ("/usr/lib/x\ny",)),
        (line("/home/a/b (deleted) (deleted)"), ("/home/a/b (deleted)",)),
        ("nonsense\n\n\0", ()),
    ],
)  # fmt: skip
def test_what_counts(proc: Proc, maps: str, found: tuple[str, ...]) -> None:
    proc.add(10, maps)
    assert proc.found() == ({10: found} if found else {})


def test_another_file_at_the_path(proc: Proc) -> None:
    """The kernel does not call it deleted, and the numbers differ: what tells is whether both are one file, asked the same way."""
    inode = os.stat(SLEEP).st_ino
    path = os.path.realpath(SLEEP)
    proc.add(10, line(path, inode))
    # As below an overlay.
    proc.add(11, line(path, inode + 1))
    proc.maps(11, "7f00-7f10", path)
    proc.add(12, line(path, inode + 1))
    proc.maps(12, "7f00-7f10", "/etc/passwd")
    # Nobody may look, or nothing is there: it is not known.
    proc.add(13, line(path, inode + 1))
    proc.add(14, line("/usr/lib/none", 3))
    proc.maps(14, "7f00-7f10", "/etc/passwd")
    # A file that is there, and named so.
    proc.add(15, line("/usr/lib/none (deleted)", 3))
    assert proc.found() == {12: (path,), 15: ("/usr/lib/none",)}


def test_names_of_a_hostile_user_are_bounded(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    many = "".join(line(f"/home/a/{number:04}{'x' * 90} (deleted)") for number in range(1000))
    monkeypatch.setattr(outdated, "_NAMES", 30_000)
    for pid in range(10, 16):
        proc.add(pid, many)
    assert [len(files) for files in proc.found().values()] == [200, 200, 1, 1, 1, 1]


def test_a_file_that_is_named_as_if_it_were_gone(proc: Proc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "a (deleted)"
    named.touch()
    monkeypatch.setattr(outdated, "_SYSTEM", (os.fsencode(tmp_path),))
    monkeypatch.setattr(outdated, "_NO_FILES", outdated.re.compile(rb"/memfd:"))
    proc.add(10, line(str(named), named.stat().st_ino))
    assert proc.found() == {}
    named.unlink()
    assert proc.found() == {10: (str(tmp_path / "a"),)}


def test_containers_are_counted(proc: Proc, tmp_path: Path) -> None:
    gone = line("/usr/lib/liba.so.1 (deleted)")
    proc.add(10, gone, "0::/system.slice/docker-0123456789abcdef.scope")
    # By processes and a tree of its own.
    proc.add(11, gone, "0::/system.slice/docker.service/x", "pid:[2]")
    (proc.folder / "11/root").unlink()
    (proc.folder / "11/root").symlink_to(tmp_path)
    # A service with processes of its own alone (PrivatePIDs=).
    proc.add(12, gone, space="pid:[2]")
    found = find_outdated(proc=str(proc.folder))
    assert ([each.pid for each in found.processes], found.in_containers) == ([12], 2)


def test_what_a_process_is_told_by(proc: Proc) -> None:
    proc.add(10, line("/usr/bin/a (deleted)"), name="a\\nb \x1b[2J")
    (found,) = find_outdated(proc=str(proc.folder)).processes
    assert found == (10, 8, "a\\nb \x1b[2J", "/system.slice/a.service", ("/usr/bin/a",))
    # It has ended between two looks.
    (proc.folder / "10/status").unlink()
    assert not find_outdated(proc=str(proc.folder)).processes


@pytest.mark.parametrize(
    ("text", "cgroup"),
    [
        ("0::/system.slice/a.service", "/system.slice/a.service"),
        ("1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service", "/system.slice/a.service"),
        # The hierarchy that systemd does not use.
        ("9:name=systemd:/\n0::/system.slice/a.service", "/system.slice/a.service"),
        ("9:name=systemd:/system.slice/a.service\n3:cpu:/x\n0::/", "/system.slice/a.service"),
        ("0::/", "/"),
        ("0::/a:b/c", "/a:b/c"),
        ("", ""),
    ],
)
def test_cgroups(tmp_path: Path, text: str, cgroup: str) -> None:
    (tmp_path / "cgroup").write_text(text + "\n")
    assert cgroup_of(str(tmp_path)) == cgroup


@pytest.mark.parametrize(
    ("cgroup", "unit", "below"),
    [
        ("/system.slice/a.service", "a.service", ""),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", ""),
        ("/system.slice/a.service/payload/x", "a.service", "payload/x"),
        ("/init.scope", "init.scope", ""),
        ("/user.slice/user-1.slice/session-2.scope", "session-2.scope", ""),
        ("/user.slice/user-1.slice/user@1.service/app.slice/ssh.service", "user@1.service", "app.slice/ssh.service"),
        ("/user.slice/user-1.slice/user@1.service/system.slice/ssh.service", "user@1.service", "system.slice/ssh.service"),
        ("/system.slice/_memory.service", "memory.service", ""),
        ("/-.slice/x.mount", "x.mount", ""),
        ("/something/system.slice/ssh.service", "", "system.slice/ssh.service"),
        ("/../ssh.service", "", "ssh.service"),
        ("/", "", ""),
        ("", "", ""),
    ],
)
def test_units_of_cgroups(cgroup: str, unit: str, below: str) -> None:
    assert unit_of(cgroup) == (unit, below)


@pytest.mark.parametrize(
    ("cgroup", "is_one"),
    [
        ("/machine.slice/machine-a.scope/payload/system.slice/ssh.service", True),
        ("/machine.slice/libpod-conmon-0123456789ab.scope", True),
        ("/machine.slice/systemd-nspawn@a.service/payload", True),
        ("/system.slice/docker-0123456789abcdef.scope", True),
        ("/docker/0123456789abcdef", True),
        ("/kubepods.slice/kubepods-burstable.slice/cri-containerd-0123456789ab.scope", True),
        ("/lxc.payload.a/system.slice/ssh.service", True),
        ("/user.slice/user-1.slice/user@1.service/user.slice/libpod-0123456789ab.scope/container", True),
        ("/system.slice/docker.service", False),
        ("/system.slice/docker-proxy.service", False),
        ("/system.slice/machine-check.service", False),
        ("/system.slice/ssh.service", False),
        ("/init.scope", False),
    ],
)
def test_containers(cgroup: str, is_one: bool) -> None:
    assert in_container(cgroup) is is_one
