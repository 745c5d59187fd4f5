# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cgroup per host in the outer cgroup2 hierarchy: hosts stay apart, and killing one kills exactly it.

Without it, systemd-nspawn would put every host's PID 1 into the same ``/payload``. The mounts are left as they are; where
no writable cgroup2 hierarchy is mounted, all this does nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path


def _mounts() -> list[tuple[str, Path]]:
    """Type (``cgroup2``, or ``cgroup`` for the first version) and mount point of the outer machine's hierarchies."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _sep, rest = line.partition(" - ")
        found.append((rest.split()[0], Path(fields.split()[4])))
    return [mount for mount in found if mount[0] in ("cgroup", "cgroup2")]


def hierarchy() -> Path | None:
    """Mount point of the outer machine's cgroup2 hierarchy, if it is there and writable."""
    points = (point for kind, point in _mounts() if kind == "cgroup2" and os.access(point / "cgroup.procs", os.W_OK))
    return next(points, None)


def _path(name: str) -> Path | None:
    top = hierarchy()
    return top / name if top else None


def names(prefix: str) -> list[str]:
    """What follows *prefix* in the names of the cgroups that begin with it, in whichever hierarchy."""
    found = {path.name[len(prefix) :] for _kind, point in _mounts() for path in point.glob(f"{prefix}*")}
    return sorted(found)


def enter(name: str) -> None:
    """Make the cgroup *name* and move this process there."""
    path = _path(name)
    if path:
        path.mkdir(exist_ok=True)
        (path / "cgroup.procs").write_text(str(os.getpid()))


def kill_below(name: str) -> None:
    """Kill what is left in the cgroups below *name* (not in it) and remove them."""
    path = _path(name)
    if path and path.is_dir():
        for child in path.iterdir():
            if child.is_dir():
                _end(child)


def end(name: str) -> None:
    """Kill everything in the cgroup *name* and remove it, also where systemd-nspawn made one of that name.

    It does so in the hierarchy of systemd that a machine with cgroups of the first version has beside (name=systemd).
    """
    path = _path(name)
    if path and path.is_dir():
        _end(path)
    for kind, point in _mounts():
        if kind == "cgroup":
            _remove_empty(point / name)


def _end(path: Path, timeout: float = 5.0) -> None:
    (path / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + timeout
    while "populated 1" in (path / "cgroup.events").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    for folder, _dirs, _files in os.walk(path, topdown=False):
        os.rmdir(folder)


def _remove_empty(path: Path) -> None:
    """Remove the cgroup at *path*, if there is one, as far as nothing runs in it."""
    for folder, _dirs, _files in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
