# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd tells of the units that a file applies to, before a plan is made."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import is_template, object_path, prefix_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_up
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import since_when

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.options import Asked
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import Place


def affected_units(asked: Asked, place: Place, manager: UnitManager, unit: Unit) -> list[Unit]:
    """The loaded units that the file applies to: the unit, or the instances of a template, or all with a prefix."""
    if manager.offline:
        return []
    if is_template(asked.name):
        pattern = asked.name.replace("@.", "@*.")
    elif asked.dropin is not None and prefix_of(asked.name).endswith("-"):
        pattern = asked.name.replace("-.", "-*.")
    else:
        return [unit]
    found = [status for status in sorted(manager.list_units([pattern])) if status.load_state != "not-found"]
    # A template's drop-ins apply to instances with a file of their own as well; its file does not.
    own = place.own_instances() if found and asked.dropin is None else ()
    return [Unit(status.id, status) for status in found if status.id not in own]


def is_stale(asked: Asked, place: Place, manager: UnitManager, unit: Unit, affected: t.Sequence[Unit]) -> bool:
    """Whether systemd has not read the files as they are, since an earlier run did not get to its reload.

    NeedDaemonReload alone is not enough: old versions miss a first drop-in and a file in a better directory, and of a link systemd
    looks at the time of the file that it leads to, which may be older than the one before.
    """
    loaded = [each for each in affected if each.status]
    wanted = [
        (object_path(each.id), UNIT, what)
        for each in loaded
        for what in ("NeedDaemonReload", "FragmentPath", "DropInPaths")
    ]
    values = manager.properties(wanted)
    # Of drop-ins, systemd tells the path without links: ~/.config may be one.
    paths = {place.path, f"{os.path.realpath(os.path.dirname(place.path))}/{os.path.basename(place.path)}"}
    if asked.src:
        # Of a link, systemd tells what it leads to, or the link, depending on the version.
        paths.add(asked.src)
        if loaded and _was_linked_since(manager, place.path):
            return True
    unseen = False
    for index, each in enumerate(loaded):
        need, fragment, dropins = values[3 * index : 3 * index + 3]
        seen = not paths.isdisjoint((fragment, *(dropins or ())))
        if each.load_state == "masked" and asked.dropin is not None:
            # It reads none, and with one NeedDaemonReload is always true.
            continue
        if need or (seen and asked.absent and not asked.reverted):
            return True
        if asked.dropin is not None:
            hidden = any(_is_hidden_by(place.path, dropin) for dropin in dropins or ())
            unseen = unseen or (each.load_state == "loaded" and not seen and not hidden)
        else:
            # An instance may have a file of its own beside its template's.
            mine = not fragment or os.path.basename(fragment) == asked.name
            unseen = unseen or (each.load_state in ("loaded", "not-found") and mine and not seen)
    if not unseen or asked.absent or place.paths.shadows(place.place):
        return False
    # A user's manager may have been told to look elsewhere (XDG_CONFIG_HOME).
    return place.paths.directory(asked.runtime) in manager.unit_path()


def _was_linked_since(manager: UnitManager, path: str) -> bool:
    """Whether a link was made after systemd last read all files; old versions (247 is one), which do not tell since when, tell its file instead."""
    loaded, monotonic = manager.manager_properties(["UnitsLoadTimestamp", "UnitsLoadTimestampMonotonic"])
    try:
        made = os.lstat(path).st_ctime
    except OSError:
        return False
    # A link from the future says nothing.
    now = time.time()
    return bool(loaded and monotonic) and since_when(loaded, monotonic, now, time.monotonic()) < made <= now


def _is_hidden_by(path: str, dropin: str) -> bool:
    """Whether a unit's drop-in takes the place of ours: one of the same name that is for fewer units.

    Such as that of `app@1.service.d` for that of `app@.service.d`, and `a-b.service.d` for `a-.service.d`.
    """
    (directory, name), (own_directory, own_name) = os.path.split(dropin), os.path.split(path)
    return name == own_name and len(os.path.basename(directory)) > len(os.path.basename(own_directory))


def older_than_the_file(asked: Asked, place: Place, manager: UnitManager, affected: t.Sequence[Unit]) -> set[str]:
    """The units that have been up since before the file was written: somebody else wrote it, or did not get to the restart."""
    up = [each for each in affected if is_up(each.active_state)]
    if manager.offline or asked.on_change == "nothing" or asked.absent or not up:
        return set()
    try:
        written = os.stat(place.path).st_mtime
        if asked.src:
            # Also of a link that leads to an older file.
            written = max(written, os.lstat(place.path).st_mtime)
    except OSError:
        return set()
    now = time.time()
    # The one becomes another when a unit leaves being down, the other by each reload too.
    since = "InactiveExitTimestamp" if asked.on_change == "restart" else "StateChangeTimestamp"
    wanted = [(object_path(each.id), UNIT, name) for each in up for name in (since, f"{since}Monotonic")]
    times = iter(manager.properties(wanted))
    older = set()
    for each, told, monotonic in zip(up, times, times):
        # A file from the future says nothing.
        if since_when(told, monotonic, now, time.monotonic()) < written <= now:
            older.add(each.id)
    return older


def old_install(asked: Asked, place: Place) -> list[tuple[str, str]]:
    text = place.tree.read_text(place.path)
    if text is None:
        found = place.paths.find(asked.name) if asked.dropin is None else None
        text = place.tree.read_text(found) if found else None
    text = text or ""
    return parse(text).meaning().get("Install", [])
