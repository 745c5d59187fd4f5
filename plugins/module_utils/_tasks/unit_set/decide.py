# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions about a set, by what is listed, recorded and read; no I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import Record
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Item


def check_names(items: t.Mapping[str, Item], ids: t.Mapping[str, str]) -> None:
    """Refuse a unit that is listed by two of its names.

    :param items: names of the units that belong to the set -> the entry that says what becomes of them.
    :param ids: name -> what systemd calls the unit.
    :raises BadInput: naming both.
    """
    seen: dict[str, str] = {}
    for name, item in items.items():
        other = seen.setdefault(ids[name], name)
        if other != name:
            raise BadInput(
                f"{item.where}name: {name} is the same unit as {other}, which is listed in {items[other].where[:-1]}; make one entry of the two"
            )


def check_owner(item: Item, name: str, owner: str, known: str = "") -> None:
    """Refuse a unit that belongs to another set, unless it is taken over.

    :param known: the name by which the other set has it, if it is another.
    """
    if not item.take_over:
        told = f"{name} is {known}, which" if known and known != name else name
        raise BadInput(
            f"{item.where}name: {told} belongs to the set {owner}; take it off there first, or take it over with `take_over: true`"
        )


def check_owners(items: t.Sequence[Item], owners: t.Mapping[str, str]) -> set[str]:
    """The units that are taken over from other sets.

    :param owners: unit -> the set that it belongs to.
    :raises BadInput: a unit belongs to another set.
    """
    taken = set()
    for item in items:
        for name in {item.name, *item.targets} if item.owns else ():
            if name in owners:
                check_owner(item, name, owners[name])
                taken.add(name)
    return taken


def find_cycle(after: t.Mapping[str, t.Iterable[str]]) -> list[str]:
    """Units that wait for each other, the first one again at the end; empty where none do.

    :param after: unit -> the units that it waits for.
    """
    done: set[str] = set()
    for first in after:
        way: list[str] = []
        on_way: set[str] = set()
        todo: list[tuple[str, bool]] = [(first, True)]
        while todo:
            name, enters = todo.pop()
            if not enters:
                on_way.discard(way.pop())
                done.add(name)
            elif name in on_way:
                return [*way[way.index(name) :], name]
            elif name not in done and name in after:
                way.append(name)
                on_way.add(name)
                todo.append((name, False))
                todo += [(other, True) for other in after[name]]
    return []


def check_order(after: t.Mapping[str, t.Iterable[str]]) -> None:
    """Refuse units of a set that wait for each other.

    :raises BadInput: naming them, in their order.
    """
    cycle = find_cycle(after)
    if cycle:
        told = ", ".join(f"{one} after {other}" for one, other in zip(cycle, cycle[1:]))
        raise BadInput(
            f"units: {short(cycle[:-1], 5)} wait for each other to be started ({told}), so systemd would leave one of them out; "
            "take off one of the After= or Before= (a socket, timer or path is before what it starts, and a target after what it wants)"
        )


def purged_units(record: Record, wanted: t.Container[str]) -> list[str]:
    """Units of the record that the set does not have any more."""
    return [name for name in record.units if name not in wanted]
