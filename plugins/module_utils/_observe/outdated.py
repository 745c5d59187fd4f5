# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes still run programs and libraries that have been removed or replaced since, read from /proc (proc(5)).

One look at the mappings of each process that can be executed. Three things tell that what is mapped is not what is on the disk:

- The kernel says so: ` (deleted)` is behind the name. So it is for what dpkg, rpm and all others replace, which rename the new
  file over the old one. The kernel's word holds for other mount namespaces too, and no file system is asked.
- Below directories that only root has mounted anything in, another inode is at the path. Numbers in `maps` are those of the file
  system below where there is an overlay, or Btrfs, and not what stat(2) tells. So they only raise a suspicion; both sides are then
  asked the same way, by `map_files` and by the path from the process's own root.
- Whose names are nobody's files (memfd, shared memory, devices), or come and go by design (temporary files of JIT compilers), does
  not count.

What stands in `maps` may be chosen by a hostile user: names are no more than text here, and nothing is opened by them.
"""

from __future__ import annotations

import os
import re
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

# The address range, device:inode, and name of a mapping that may be executed. A line break in a name is `\012` there.
_MAPPED = re.compile(rb"^(\w+-\w+) ..x. \w+ \w+:\w+ (\d+) +(/.+)$", re.MULTILINE)
_DELETED = b" (deleted)"
# Nobody's files: memory that bears a name, and what programs write to run it once.
_NO_FILES = re.compile(
    rb"/(?:memfd:|SYSV|dev/|tmp/|var/tmp/|run/|\[aio\]|anon_hugepage|drm\b|i915|.*/(?:#\d+|orcexec\.\w+|jna\d+\.tmp|\.nfs\w+)"
    rb"(?: \(deleted\))?$)",
    re.DOTALL,
)
# Where only root mounts, so that a look at a path cannot be made to hang by anybody else.
_SYSTEM = (b"/usr/", b"/lib", b"/bin/", b"/sbin/", b"/opt/")
# Bytes of `maps` that are read of one process: Linux has 65,530 mappings in it at most, unless told otherwise.
_LARGEST = 16 << 20
# Files that are kept of a process, and bytes of the names of all; of what comes after that, one for each process is kept.
_FILES, _NAMES = 200, 32 << 20
# Mappings that are remembered.
_REMEMBERED = 100_000
# By their cgroups: processes that are the matter of whoever has made the container or the virtual machine.
_CONTAINER = re.compile(
    r"(?:^|/)(?:machine\.slice|kubepods[^/]*|docker|lxc|lxc\.(?:payload|monitor)[^/]*|libpod_parent|garden)/"
    r"|/(?:machine-[^/]*|(?:docker|libpod|libpod-conmon|crio|crio-conmon|cri-containerd|nerdctl)-[0-9a-f]{12,64})\.scope(?:/|$)"
    r"|/systemd-nspawn@[^/]*\.service(?:/|$)"
)
# Types of units that have processes.
_TYPES = ("service", "scope", "socket", "mount", "swap")


class Process(t.NamedTuple):
    """A process that runs what is not on the disk any more.

    `uid` is its effective user; `comm` and the paths in `files`, each once, are whatever the process has chosen; `cgroup` is where
    it is, from the root of the hierarchy.
    """

    pid: int
    uid: int
    comm: str
    cgroup: str
    files: tuple[str, ...]


class Outdated(t.NamedTuple):
    """All of them, in the order of their numbers, but for those of containers, of which it is told how many there are."""

    processes: list[Process]
    in_containers: int


def find_outdated(uid: int | None = None, deadline: float = float("inf"), proc: str = "/proc") -> Outdated:
    """Look through the processes of the host, but for this one.

    :param uid: those of this user only.
    :param deadline: on the clock of `time.monotonic()`.
    :raises SystemdError: it is over before all have been looked at.
    """
    found, in_containers = [], 0
    own = str(os.getpid())
    look = _Look(proc)
    for pid in sorted((name for name in os.listdir(proc) if name.isdigit()), key=int):
        if pid == own or (uid is not None and _owner(f"{proc}/{pid}") != uid):
            continue
        if time.monotonic() > deadline:
            raise SystemdError("timeout: not all processes could be looked at in time; give more time")
        files = look.at(pid)
        if not files:
            continue
        cgroup, status = cgroup_of(f"{proc}/{pid}"), _status(f"{proc}/{pid}")
        if not status or not cgroup:
            # It has ended meanwhile.
            continue
        if look.is_foreign(pid):
            in_containers += 1
            continue
        if uid is None or status[0] == uid:
            found.append(Process(int(pid), status[0], status[1], cgroup, files))
    return Outdated(found, in_containers)


class _Look:
    """What was found out of mappings so far, most of which many processes share."""

    def __init__(self, proc: str) -> None:
        self._proc = proc
        # (inode, path) -> whether that is what is at the path.
        self._known: dict[tuple[bytes, bytes], bool] = {}
        self._names = 0
        self._namespace = _link(f"{proc}/self/ns/pid")

    def at(self, pid: str) -> tuple[str, ...]:
        """The paths of what a process runs and is not on the disk any more, each once, in the order of their mappings."""
        found: dict[bytes, None] = {}
        known, foreign = self._known, None
        for where, inode, path in _MAPPED.findall(_read(f"{self._proc}/{pid}/maps")):
            if path.endswith(_DELETED):
                if not _NO_FILES.match(path) and not self._bears_the_word(inode, path):
                    found[path[: -len(_DELETED)]] = None
                continue
            if not path.startswith(_SYSTEM):
                continue
            right = known.get((inode, path))
            if right is None:
                if len(known) >= _REMEMBERED:
                    known.clear()
                right = known[inode, path] = _inode(_unescaped(path)) == int(inode)
            if right or foreign or _NO_FILES.match(path):
                continue
            if foreign is None:
                foreign = self.is_foreign(pid)
            if not foreign and self._is_another(pid, where, path):
                found[path] = None
        kept = list(found)[: _FILES if self._names < _NAMES else 1]
        self._names += sum(map(len, kept))
        return tuple(os.fsdecode(_unescaped(path)) for path in kept)

    @staticmethod
    def _bears_the_word(inode: bytes, path: bytes) -> bool:
        """Whether a file is there, and is named so."""
        return path.startswith(_SYSTEM) and _inode(_unescaped(path)) == int(inode)

    def _is_another(self, pid: str, where: bytes, path: bytes) -> bool:
        """Whether what is at the path, as the process sees it, is another file than the one that is mapped."""
        base = f"{self._proc}/{pid}"
        try:
            mapped = os.stat(f"{base}/map_files/{where.decode('ascii')}")
            there = os.stat(os.fsencode(f"{base}/root") + _unescaped(path))
        except OSError:
            # Who may not look there does not know. Where nothing is at the path, it lies in a file system that is mounted no more.
            return False
        return (mapped.st_dev, mapped.st_ino) != (there.st_dev, there.st_ino)

    def is_foreign(self, pid: str) -> bool:
        """Whether the process is one of a container: by its cgroup, or as it has both processes and a tree of its own."""
        base = f"{self._proc}/{pid}"
        if in_container(cgroup_of(base)):
            return True
        namespace = _link(f"{base}/ns/pid")
        if not namespace or namespace == self._namespace:
            return False
        try:
            return not os.path.samestat(os.stat(f"{base}/root"), os.stat("/"))
        except OSError:
            return False


def unit_of(cgroup: str) -> tuple[str, str]:
    """The unit that a cgroup belongs to, and the way from there to the cgroup; the former is empty where it is in none.

    The way begins at the root of the hierarchy, where nobody but systemd makes cgroups, and ends at the first that is no slice:
    whatever is below may be the work of those to whom it is delegated, and of any name.
    """
    parts = cgroup.strip("/").split("/")
    for at, part in enumerate(parts):
        # A unit whose name would be that of a file of cgroups has `_` before it (cg_escape() of systemd).
        name = part[1:] if part.startswith("_") else part
        kind = name.rpartition(".")[2]
        if kind == "slice":
            continue
        return (name if kind in _TYPES else "", "/".join(parts[at + 1 :]))
    return "", ""


def in_container(cgroup: str) -> bool:
    """Whether the processes there are a container's or a virtual machine's."""
    return _CONTAINER.search(cgroup) is not None


def cgroup_of(base: str) -> str:
    """The cgroup of a process by its directory in /proc, in the hierarchy that is systemd's; empty where it has ended."""
    unified = other = ""
    for line in _read(f"{base}/cgroup").decode("utf-8", "replace").splitlines():
        number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        if number == "0":
            unified = path
        elif controllers == "name=systemd":
            other = path
    # The one that systemd does not use has everybody at its root.
    return other if unified in ("", "/") and other else unified


def _read(path: str) -> bytes:
    """What is in a file of /proc; what can be read of it where the process ends meanwhile, or may not be looked at."""
    parts: list[bytes] = []
    size = 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        while size < _LARGEST:
            part = os.read(descriptor, 1 << 17)
            if not part:
                break
            parts.append(part)
            size += len(part)
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return b"".join(parts)


def _status(base: str) -> tuple[int, str] | None:
    """The effective user and the name of a process; None where it has ended."""
    name, uid = "", -1
    for line in _read(f"{base}/status").splitlines():
        key, _colon, value = line.partition(b":")
        if key == b"Name":
            name = value.strip().decode("utf-8", "replace")
        elif key == b"Uid":
            uid = int(value.split()[1])
            break
    return None if uid < 0 else (uid, name)


def _owner(path: str) -> int:
    try:
        return os.stat(path).st_uid
    except OSError:
        return -1


def _inode(path: bytes) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return -1


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _unescaped(path: bytes) -> bytes:
    return path.replace(b"\\012", b"\n") if b"\\" in path else path
