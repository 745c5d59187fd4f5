# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the host would boot another kernel than the one that runs, as far as a look at /boot and /lib/modules tells."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable, list_small

_REQUIRED = "/run/reboot-required"


class Kernel(t.NamedTuple):
    """`running` is the release of the kernel that runs, `newest` that of the newest one of its kind that is installed, None where
    that is not to be seen; `outdated` says whether the kernel that runs is neither that nor is as it was when it was booted, and is
    None where nothing is to be seen, as in containers."""

    running: str
    newest: str | None
    outdated: bool | None


def look_at_kernel(root: str = "", running: str = "", booted: float = 0.0) -> Kernel:
    """What runs, and what is installed.

    :param root: where to look, for tests; so are the release that runs, and when it was booted, in seconds since 1970.
    """
    running = running or os.uname().release
    images = [name[len("vmlinuz-") :] for name in _names(f"{root}/boot") if name.startswith("vmlinuz-")]
    modules = [name for name in _names(f"{root}/lib/modules") if os.path.lexists(f"{root}/lib/modules/{name}/modules.dep")]
    own_kind = [each for each in {*images, *modules} if _kind(each) == _kind(running)]
    if running not in own_kind:
        # Where there are others, its files were removed; where there are none, it is somebody else's kernel, as in a container.
        return Kernel(running, max(own_kind, key=_version, default=None), True if own_kind else None)
    newest = max(own_kind, key=_version)
    return Kernel(running, newest, newest != running or _is_newer(f"{root}/boot/vmlinuz-{running}", booted or _booted()))


def wants_reboot(root: str = "") -> bool:
    """Whether a package has left word that the host is to be rebooted (of Debian and its kin)."""
    return os.path.lexists(root + _REQUIRED)


def _names(directory: str) -> list[str]:
    try:
        return list_small(directory)
    except Unreadable:
        return []


def _kind(release: str) -> str:
    """What tells kernels of one kind from others: `amd`, `cloudamd`, `rtamd`, `elx`."""
    return re.sub("[^a-z]", "", release)


def _version(release: str) -> list[tuple[int, str]]:
    """What releases of one kind are ordered by, as rpm and dpkg do it: a number is later than a word or the end in its place.

    So `4.18.0-193.1.2.el8_2` is later than `4.18.0-193.el8`.
    """
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.findall("[0-9]+|[a-zA-Z]+", release)]


def _is_newer(path: str, booted: float) -> bool:
    """Whether a file was put in its place after the host was booted."""
    try:
        return booted > 0 and os.stat(path).st_ctime > booted
    except OSError:
        return False


def _booted() -> float:
    try:
        with open("/proc/stat", encoding="ascii", errors="replace") as file:
            return next((float(line.split()[1]) for line in file if line.startswith("btime ")), 0.0)
    except (OSError, ValueError, IndexError):
        return 0.0
