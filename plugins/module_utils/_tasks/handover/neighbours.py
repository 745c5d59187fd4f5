# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services have to do with each other: in which order they go, and who would be left behind or started too early."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.order import Edge, arrange, edges_of

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.item import Item, Task


_STARTS = ("Wants", "Upholds", "Requires", "BindsTo")
_PULLS = (*_STARTS, "Requisite", "After", "Before")


def arranged(task: Task, items: t.Sequence[Item], manager: UnitManager) -> tuple[list[list[Item]], list[Edge]]:
    """The items in groups, in the order in which they go, and what orders them.

    :raises BadInput: starting one would start what runs under the old supervisor, and stays there.
    """
    owner = {unit: item.moving.name for item in items for unit in item.moving.unit_names}
    pulls = _pulls(items, manager)
    known = {status.id for status in manager.status(list(owner)) if status.load_state != "not-found"}
    edges = edges_of(pulls, owner, known, task.giving_back)
    if not task.giving_back:
        _check_others(items, pulls, owner, manager)
        for name, source in task.sources.items():
            going = [item.moving.supervisor for item in items if item.moving.supervisor.source == name]
            task.warnings += source.left_behind(going)
    by_name = {item.moving.name: item for item in items}
    return [[by_name[name] for name in group] for group in arrange(list(by_name), edges)], edges


def _pulls(items: t.Sequence[Item], manager: UnitManager) -> dict[str, dict[str, list[str]]]:
    """What the units say of other units: from their text, or from systemd where it has read them."""
    found: dict[str, dict[str, list[str]]] = {}
    loaded = []
    for item in items:
        for unit in item.moving.units:
            if unit.content is None:
                loaded.append(unit.name)
                continue
            text = parse(unit.content)
            found[unit.name] = {key: text.words("Unit", key) for key in _PULLS}
    values = iter(manager.properties([(object_path(name), UNIT, key) for name in loaded for key in _PULLS]))
    for name in loaded:
        found[name] = {key: list(next(values) or ()) for key in _PULLS}
    return found


def _check_others(
    items: t.Sequence[Item],
    pulls: t.Mapping[str, t.Mapping[str, t.Sequence[str]]],
    owner: t.Mapping[str, str],
    manager: UnitManager,
) -> None:
    """Refuse to start what would start, as its dependency, a service that runs under the old supervisor."""
    wanted: dict[str, str] = {}
    for item in items:
        for unit in item.moving.unit_names if item.moving.start else ():
            for key in _STARTS:
                for other in pulls[unit].get(key, ()):
                    if other not in owner and other.endswith(".service"):
                        wanted.setdefault(other, item.moving.name)
    for status in manager.status(list(wanted)):
        if status.load_state != "loaded" or not is_down(status.active_state):
            continue
        name = wanted[status.id]
        (item,) = (one for one in items if one.moving.name == name)
        beside = item.moving.supervisor.beside(status.id[: -len(".service")])
        if beside:
            raise BadInput(
                f"services: {name}: starting {item.moving.main} would start {status.id} too, which runs under "
                f"{item.moving.supervisor.source} as {beside}; hand both over in one task"
            )
