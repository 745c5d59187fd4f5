# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes with a file: the file itself, jobs of units that will have none, links that would lead to nothing."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveDirectory,
    RemoveFile,
    RemoveLinks,
    file_diff,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs, Reload, ResetFailed
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import leads_to, read_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import is_template, object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit, read
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.memory import Memory
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import FileChange
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.read import affected_units, is_stale

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.options import Asked
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import Place


def remove_file(asked: Asked, place: Place, tools: FileTools, before: Saved | None) -> FileChange:
    """The file removed, or the link in its place, or what an earlier removal left of its directory."""
    if before is not None:
        return FileChange([RemoveFile(place.path, before, tools)], [file_diff(place.path, before, "")], True)
    target = place.tree.target(place.path)
    if target:
        if target == "/dev/null" and asked.dropin is None:
            told = f"{asked.name} is masked; it has no unit file at {place.path} to remove"
            return FileChange([], warnings=[told])
        return FileChange([RemoveLinks({place.path: target})], wrote=True)
    directory = os.path.dirname(place.path)
    if asked.dropin is not None and place.is_empty_directory(directory):
        return FileChange([RemoveDirectory(directory)])
    return FileChange([])


def plan_removal(asked: Asked, place: Place, manager: UnitManager, steps: list[Step]) -> tuple[Plan, list[Unit]]:
    """The plan for a unit that will have no file at all any more."""
    (unit,) = read(manager, [asked.name])
    affected = affected_units(asked, place, manager, unit)
    plan = Plan()
    stop: list[Step] = []
    if asked.on_change != "nothing" or asked.params["on_change"] is None:
        mine = [each for each in affected if steps or each.load_state == "not-found"]
        up = [each for each in mine if not is_down(each.active_state)]
        if up:
            # What systemd makes by itself (-.slice, system.slice, -.mount) is there without a file too.
            lasting = manager.properties([(object_path(each.id), UNIT, "Perpetual") for each in up])
            up = [each for each, perpetual in zip(up, lasting) if not perpetual]
        if up:
            # Also units that run although their file is long gone, which to a plan for states do not exist.
            names = [each.id for each in up]
            stop = [Jobs("stop", names, names)]
            plan.changes = [
                Change(each.name, f"{each.active_state} ({each.sub_state})", "inactive, removed") for each in up
            ]
    left = leftovers(asked, place, manager)
    failed = [each.id for each in affected if each.active_state == "failed" and steps]
    plan.steps = [*stop, *steps, *left]
    stale = not manager.offline and not steps and is_stale(asked, place, manager, unit, affected)
    reload = asked.params["daemon_reload"]
    if not manager.offline and (reload == "always" or (reload == "auto" and (steps or left or stale))):
        plan.steps.append(Reload(counts=reload == "always" or stale))
    if failed and not manager.offline:
        plan.steps.append(ResetFailed(failed))
    plan.steps += Memory(asked, place, manager, []).steps({}, [])[1]
    if plan.changed and asked.name not in [change.name for change in plan.changes]:
        plan.changes.insert(0, Change(asked.name, unit.describe(), "removed"))
    return plan, [unit]


def leftovers(asked: Asked, place: Place, manager: UnitManager) -> list[Step]:
    """Steps for what would point to nothing: links that enable the unit or are other names of it, its empty directory."""
    directories = manager.link_directories()
    steps: list[Step] = []
    own = place.own_instances() if is_template(asked.name) else set()
    links = {
        path: target
        for path, target in read_links(directories, tree=place.tree).items()
        if path != place.path
        and target != "/dev/null"
        and leads_to(path, target, asked.name)
        and own.isdisjoint((os.path.basename(path), os.path.basename(target)))
    }
    if links:
        steps.append(RemoveLinks(links))
    directory = f"{place.path}.d"
    if place.is_empty_directory(directory):
        steps.append(RemoveDirectory(directory))
    return steps
