# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which units need no daemon-reload for sure, for many units at once: the files tell, without systemd."""

from __future__ import annotations

import os
import stat
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import template_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import ENTRIES, list_small

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# Times of files are those of the kernel's last tick, which is 10 ms at most before the true time.
_TICK = 11_000  # microseconds
# So many directories of unit files no manager has.
_DIRECTORIES = 100
# Directories that nobody but systemd writes to, while it runs; units that have files there are left to systemd.
_OF_SYSTEMD = ("transient", "system.control", "user.control", "generator", "generator.early", "generator.late")


def surely_fresh(manager: UnitManager, names: t.Sequence[str]) -> set[str]:
    """Those of the units for which NeedDaemonReload is surely false.

    They are so if nothing at all changed in any directory of unit files since systemd began to read them last. What is not
    in the answer may be fresh all the same: ask systemd. So it is with
    old versions (247 is one), which do not tell since when.

    Times of change (`st_ctime`) are looked at, which, unlike those of modification, cannot be set back.

    :param manager: a Manager.
    :param names: full names of units, as systemd calls them.
    """
    loaded, monotonic, paths = manager.manager_properties(
        ["UnitsLoadTimestamp", "UnitsLoadTimestampMonotonic", "UnitPath"]
    )
    if not loaded or not monotonic or not paths:
        return set()
    # The same moment by the clock as it was then, and as it is now; the earlier one, should the clock have been set.
    since = min(loaded, (time.time_ns() - time.monotonic_ns()) // 1000 + monotonic) - _TICK
    ask: set[str] = set()
    seen: set[str] = set()
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        try:
            if len(seen) > _DIRECTORIES:
                return set()
            if os.path.basename(path) in _OF_SYSTEMD:
                ask.update(name[:-2] if name.endswith(".d") else name for name in list_small(path))
            elif _changed(path, since, ask):
                return set()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, SystemdError):
            return set()
    return {name for name in names if name not in ask and template_of(name) not in ask}


def _changed(directory: str, since: int, ask: set[str], is_dropins: bool = False) -> bool:
    """Whether a directory of unit files, or anything in it that units are made of, may have changed since then.

    :param since: microseconds since the epoch.
    :param ask: names of units are added to it that have links to nowhere.
    :param is_dropins: it is a directory of drop-ins, in which systemd looks for files alone.
    """
    if os.stat(directory).st_ctime_ns // 1000 >= since:
        return True
    with os.scandir(directory) as entries:
        for number, entry in enumerate(entries):
            if number >= ENTRIES:
                # A user's manager may name any directory.
                return True
            name = entry.name
            # Links that enable units are no part of them.
            if name.endswith((".wants", ".requires", ".upholds")):
                continue
            try:
                found = entry.stat()
            except FileNotFoundError:
                ask.add(name)
                continue
            if stat.S_ISDIR(found.st_mode):
                if name.endswith(".d") and not is_dropins and _changed(entry.path, since, ask, True):
                    return True
            elif stat.S_ISREG(found.st_mode) and found.st_ctime_ns // 1000 >= since:
                return True
    return False
