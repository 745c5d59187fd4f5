# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is mounted where in the namespace of a process (mountinfo of proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
import typing as t

_ESCAPED = re.compile(r"\\([0-7]{3})")
# Lines of that many bytes have tens of thousands of mounts.
_LIMIT = 64 * 1024 * 1024


class Mounted(t.NamedTuple):
    """A mount: the device (`8:1`), the path in its file system that is mounted, and whether it may only be read."""

    device: str
    root: str
    point: str
    read_only: bool


def parse_mounts(text: str) -> list[Mounted]:
    """All mounts of a mountinfo; of those on one point the last one hides the others."""
    found = []
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) < 6:
            continue
        root, point = (_ESCAPED.sub(lambda part: chr(int(part.group(1), 8)), word) for word in words[3:5])
        found.append(Mounted(words[2], root, point, "ro" in words[5].split(",")))
    return found


def at(mounts: t.Sequence[Mounted], point: str) -> Mounted | None:
    """What is seen at a mount point; None where nothing is mounted there, or something else hides it."""
    found = None
    for mount in mounts:
        if mount.point == point:
            found = mount
        elif f"{point}/".startswith(f"{mount.point.rstrip('/')}/"):
            # Something above it, mounted later.
            found = None
    return found


def origin(mounts: t.Sequence[Mounted], path: str) -> tuple[str, str]:
    """The device and the path in its file system that a path without links stands for; empty where it is on none."""
    best = None
    for mount in mounts:
        if f"{path}/".startswith(f"{mount.point.rstrip('/')}/") and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    if best is None:
        return "", ""
    below = path[len(best.point.rstrip("/")) :].strip("/")
    return best.device, f"{best.root.rstrip('/')}/{below}".rstrip("/") or "/"


def mounts_of(pid: int | str) -> list[Mounted]:
    """All mounts that a process sees.

    :raises OSError: there is no such process, or it may not be looked at.
    """
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return parse_mounts(file.read(_LIMIT))


def has_own_namespace(pid: int) -> bool:
    """Whether a process has another mount namespace than systemd.

    :raises OSError: as for `mounts_of`.
    """
    return os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/1/ns/mnt")


def backing_files(device: str) -> list[str]:
    """The image files that a device stands for: a loop device, a partition of one, or what the device mapper makes of it."""
    place = os.path.realpath(f"/sys/dev/block/{device}")
    found = []
    for folder in (place, os.path.dirname(place)):
        try:
            with open(f"{folder}/loop/backing_file", encoding="utf-8", errors="surrogateescape") as file:
                found.append(file.read(8192).rstrip("\n"))
        except OSError:
            continue
    try:
        below = os.listdir(f"{place}/slaves")
    except OSError:
        below = []
    for name in below[:16]:
        try:
            with open(f"/sys/class/block/{name}/dev", encoding="ascii") as file:
                found += backing_files(file.read(64).strip())
        except OSError:
            continue
    return found
