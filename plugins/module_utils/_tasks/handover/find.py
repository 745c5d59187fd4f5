# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a task as they are found on the host, before anything is planned."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._sources.nobody import Nobody
from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Service
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import tidy
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.item import Item
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.moving import Moving, UnitWish
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.options import (
    Given,
    GivenUnit,
    check_service,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import UNDER_WAY, Record

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Supervisor
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.item import Task


class Finder:
    """Looks for services: who supervises them, and what is known of them from earlier runs."""

    def __init__(self, task: Task) -> None:
        self._task = task
        # Services that an earlier run left half way, and which are taken on though they are not listed.
        self.resumed: list[str] = []

    def items(self) -> list[Item]:
        """The services that are listed, and those that an interrupted run left behind.

        :raises BadInput: one cannot be moved as it is, or is there twice.
        """
        items = [self._item(given) for given in [*self._task.given, *self._interrupted()]]
        _check_distinct(items)
        return items

    def _interrupted(self) -> list[Given]:
        """Services that an earlier run left half way and that are not listed, since they may look like unused by now."""
        listed = {given.name for given in self._task.given}
        found = []
        for name in self._task.records.names():
            record = self._task.records.load(name) if name not in listed else None
            if record is None or record.phase not in UNDER_WAY:
                continue
            if (record.phase == "giving_back") != self._task.giving_back:
                self._task.warnings.append(
                    f"{name} was left half way to {'its old supervisor' if not self._task.giving_back else 'systemd'} by an "
                    "interrupted run; name it in `services` to have it ended"
                )
                continue
            self.resumed.append(name)
            entry = {**record.entry, "name": name, "source": record.source, "definition": {"path": record.path}}
            found.append(check_service(entry, f"the record of {name}"))
        return found

    def _item(self, given: Given) -> Item:
        name, where = given.name, f"services: {given.name}"
        record = self._task.records.load(name)
        record = record or Record(name, {"phase": ""})
        supervisor = self._supervisor(given, record)
        problems = supervisor.problems()
        if problems:
            raise BadInput(f"{where}: {problems[0]}")
        units = given.units or ([GivenUnit(given.packaged, None)] if given.packaged else [])
        wishes = [UnitWish(one.name, None if one.content is None else tidy(one.content)) for one in units]
        moving = Moving(name, supervisor, record, wishes)
        moving.expected = self._task.source(supervisor.source).expected(supervisor.path)
        moving.accept = {*self._task.params["accept"], *given.accept}
        moving.settle, moving.listen = self._task.settle / 1e6, self._task.listen
        if not self._task.giving_back:
            self._files(moving, given)
            record.entry = {
                "units": [unit._asdict() for unit in wishes],
                "dropins": [one._asdict() for one in given.dropins],
                "accept": given.accept,
            }
        item = Item(moving)
        if not moving.units and not self._task.giving_back:
            why = (
                "was refused by the translation and has no units" if given.translation == "refused" else "has no units"
            )
            raise BadInput(
                f"{where} {why}; write a unit by hand and give it in `units` (a name alone for one that is on the host), "
                "or leave the service out"
            )
        return item

    def _supervisor(self, given: Given, record: Record) -> Supervisor:
        """Who supervises a service, by its source; what the record keeps for the one is nothing to another."""
        name, begun = given.name, record.phase in UNDER_WAY
        kept = bool(record.phase) and (begun or self._task.giving_back)
        source = self._task.source((record.source if kept else "") or given.source or str(self._task.params["source"]))
        first, then = (record.path, given.path) if kept and self._task.giving_back else (given.path, record.path)
        path = os.path.realpath(first or then or source.place(name))
        memo = record.memo if record.source in ("", source.name) else {}
        service = Service(name, path, given.links, given.state, begun)
        return source.supervisor(service, memo, durable) or Nobody(service, source.name, memo)

    def _files(self, moving: Moving, given: Given) -> None:
        directory = self._task.params["directory"].rstrip("/")
        for unit in moving.units:
            if unit.content is not None:
                moving.files[f"{directory}/{unit.name}"] = unit.content
        for dropin in given.dropins:
            moving.files[f"{directory}/{dropin.unit}.d/{dropin.name}"] = tidy(dropin.content)


def _check_distinct(items: t.Sequence[Item]) -> None:
    names: dict[str, str] = {}
    for item in items:
        for what in [f"service {item.moving.name}", *(f"unit {name}" for name in item.moving.unit_names)]:
            if what in names:
                raise BadInput(
                    f"services: {what} is there twice, of {names[what]} and {item.moving.name}; each can be only once"
                )
            names[what] = item.moving.name
