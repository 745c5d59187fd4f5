# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of the units of a file from task to task: what they have read of what they are restarted for, and whether they were found well."""

from __future__ import annotations

import functools
import hashlib
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import places_of
from ansible_collections.pidone.systemd.plugins.module_utils._engine.remember import Remember
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_up
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import Record
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import (
    Need,
    file_source,
    need_of,
    questionable,
    read_after,
    read_triggers,
    started_when,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Step
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import UnitEntry
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import Source
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.options import Asked
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import Place

# Characters of a file's name that is told from others by them; longer ones are by a digest.
_LONGEST = 200
_STARTS = ("start", "restart", "try-restart")


class Memory:
    """What is remembered, for the units that a file applies to. Where nothing runs it is left as it is.

    :param units: those that are loaded.
    :raises SystemdError: what is remembered, or what is to be watched, cannot be read.
    """

    def __init__(self, asked: Asked, place: Place, manager: UnitManager, units: t.Sequence[Unit]) -> None:
        self._asked = asked
        self._units = list(units)
        self._path = "" if manager.offline else path_of_memory(asked, place)
        self._asks = bool(self._path) and not asked.absent and bool(asked.restart_on or asked.reload_on)
        found = Record.read(self._path, place.tree) if self._path else None
        self._before = found.text() if found else b""
        self._record = found or Record.new(asked.name)
        digest = self._record.digest
        look = functools.partial(file_source, tree=place.tree, digest=digest)
        self._restart_on, self._reload_on = (
            read_triggers(items if self._asks else (), option, place.session.home, "", digest, look)
            for option, items in (("restart_on", asked.restart_on), ("reload_on", asked.reload_on))
        )
        questions = [each.id for each in self._units if is_up(each.active_state) and self._asks_since(each)]
        self._since = started_when(manager, questions)

    def _entry(self, unit: Unit) -> UnitEntry:
        empty: UnitEntry = {"owned": False, "made": [], "on_change": "", "loaded": {}, "reloaded": {}}
        return self._record.units.get(unit.id, empty)

    def _asks_since(self, unit: Unit) -> bool:
        entry = self._entry(unit)
        return questionable(self._restart_on, entry["loaded"]) or questionable(self._reload_on, entry["reloaded"])

    def need(self, unit: Unit, files: t.Sequence[str]) -> Need:
        """What a unit that is up needs.

        :param files: its files that are new to it.
        """
        since = self._since.get(unit.id)
        return need_of(self._asked.on_change, files, self._restart_on, self._reload_on, self._entry(unit), since)

    def unproven(self) -> list[str]:
        """The units that are up and have not been found well by the task that started them last."""
        return [each.id for each in self._units if is_up(each.active_state) and self._entry(each).get("unproven")]

    def steps(self, jobs: t.Mapping[str, str], probed: t.Sequence[str]) -> tuple[list[Step], list[Step]]:
        """The steps that come first and last of a plan.

        :param jobs: unit -> the type of the job that it gets.
        :param probed: the units that have to answer a probe.
        """
        if not self._path:
            return [], []
        name = self._asked.name if self._asked.dropin is None else f"{self._asked.dropin} of {self._asked.name}"
        first: list[Step] = []
        last: list[Step] = []
        now = self._before
        if probed:
            # A task that fails leaves them running, and the next one would find all as it shall be.
            begun = self._record.copy()
            for each in self._units:
                if each.id in probed:
                    begun.units[each.id] = {**self._entry(each), "unproven": True}
            if begun.text() != now:
                now = begun.text()
                first.append(Remember(self._path, now, f"write down that {name} has to be probed", counts=False, stays=True))
        final = Record(self._record.name, self._record.salt)
        final.units = {each.id: self._after(each, jobs.get(each.id, "")) for each in self._units} if self._asks else {}
        text = None if final.is_empty else final.text()
        if (text or b"") != now:
            last.append(Remember(self._path, text, f"write down what {name} is restarted for" if text else f"forget what was known of {name}"))
        return first, last

    def _after(self, unit: Unit, job: str) -> UnitEntry:
        entry = self._entry(unit)
        # What is down reads all of it when somebody starts it.
        starts = not is_up(unit.active_state) or job in _STARTS

        def after(sources: t.Mapping[str, Source], known: t.Mapping[str, str]) -> dict[str, str]:
            return read_after(sources, known, starts, ())

        return {
            "owned": False, "made": [], "on_change": "",
            "loaded": after(self._restart_on, entry["loaded"]), "reloaded": after(self._reload_on, entry["reloaded"]),
        }  # fmt: skip


def path_of_memory(asked: Asked, place: Place) -> str:
    """Where it is: a file for each unit file and drop-in, beside the undo logs of its manager.

    :returns: an empty text where nothing is to be remembered by who may write nowhere.
    :raises SystemdError: something is.
    """
    places = places_of(place.session)
    if places is None:
        if not asked.restart_on and not asked.reload_on and asked.probe is None:
            return ""
        raise SystemdError(
            "not permitted to write units of the system; this needs root, so add `become: true` to the task or play, or use "
            "`scope: user` for units of your own"
        )
    # No unit's name ends as a drop-in's does, and none of these as `-runtime`.
    name = asked.name if asked.dropin is None else f"{asked.name}.d-{asked.dropin}"
    name = name if len(name) <= _LONGEST else hashlib.sha256(name.encode()).hexdigest()
    return f"{places.state}/unit_file/{places.name}/{name}{'-runtime' if asked.runtime else ''}.json"
