# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the plans of many services are carried out together: files first, then each service, and the way back of each for itself."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, explained
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import runs
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import UNDER_WAY
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.steps import LetGo, PutUnits, StartUnits

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.item import Item, Task
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.order import Edge


class Execution:
    """Carries the plans of all services out, those that wait for their time side by side, and sees to it that none is left half way."""

    def __init__(self, task: Task, manager: UnitManager) -> None:
        self._task = task
        self._manager = manager
        # Whether links of units became others.
        self._relinked = False

    def run(self, groups: t.Sequence[t.Sequence[Item]], edges: t.Sequence[Edge]) -> None:
        """Move the services, group by group; what became of each is noted in the item."""
        import signal

        # Whether anybody still listens is no reason to stop half way.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stayed: set[str] = set()
        pending: list[Item] = []
        for group in groups:
            going = [item for item in group if not self._has_to_stay(item, edges, stayed)]
            going = self._write(going)
            for item in group:
                first = {edge.first for edge in edges if edge.then == item.moving.name and not edge.soft}
                waits = any(other.moving.name in first for other in pending)
                self._end(pending, stayed, all_of_them=waits)
                if item in going and not self._has_to_stay(item, edges, stayed):
                    if self._move(item):
                        pending.append(item)
                elif item in going and item.put is not None:
                    # Somebody in front of it stayed behind after its files had been written.
                    self._unwrite([item])
                if item not in pending and item.outcome not in ("handed_over", "given_back", "already"):
                    stayed.add(item.moving.name)
            self._end(pending, stayed, all_of_them=True)
        if self._relinked:
            # So that systemd knows what is enabled.
            self._manager.reload()

    def _end(self, pending: list[Item], stayed: set[str], all_of_them: bool) -> None:
        """End what was started: what has been watched for long enough or is not up, or all."""
        for item in list(pending):
            if all_of_them or self._is_over(item):
                pending.remove(item)
                self._watch(item)
                if item.outcome not in ("handed_over", "given_back", "already"):
                    stayed.add(item.moving.name)

    def _is_over(self, item: Item) -> bool:
        if self._task.giving_back:
            return time.monotonic() >= item.began + item.moving.supervisor.patience
        start = next((step for step in item.plan.steps if isinstance(step, StartUnits)), None)
        if start is None or time.monotonic() >= start.ended + item.moving.settle:
            return True
        return not all(runs(status) for status in self._manager.status(item.moving.start))

    def _has_to_stay(self, item: Item, edges: t.Sequence[Edge], stayed: t.Container[str]) -> bool:
        for edge in edges:
            if edge.then == item.moving.name and edge.first in stayed and not edge.soft:
                item.outcome = "waiting"
                why = "which needs it" if edge.apart else "which it needs"
                item.message = f"stays where it is, because {edge.first}, {why}, does"
                return True
        return False

    def _move(self, item: Item) -> bool:
        """Take a service from where it is and start it where it shall be; returns whether that went well so far."""
        item.ctx = Context(self._manager, self._task.timeout)
        item.began = time.monotonic()
        try:
            carry_out(item.plan, item.ctx, bool(self._task.params["rollback"]))
        except SystemdError as e:
            self._failed(item, e)
            self._close(item)
            return False
        return True

    def _watch(self, item: Item) -> None:
        """See whether what was started stays up and is what it was; if not, all of it is undone."""
        try:
            carry_out(item.watch, t.cast(Context, item.ctx), bool(self._task.params["rollback"]), item.plan.steps)
        except SystemdError as e:
            self._failed(item, e)
        else:
            item.outcome = self._done(item)
        self._close(item)

    def _close(self, item: Item) -> None:
        ctx = t.cast(Context, item.ctx)
        item.seconds = round(time.monotonic() - item.began, 3)
        item.moving.supervisor.release()
        self._task.warnings += ctx.warnings
        self._relinked = self._relinked or bool(ctx.links)

    def _done(self, item: Item) -> str:
        if self._task.giving_back:
            return "given_back"
        return "handed_over" if any(not isinstance(s, PutUnits) for s in item.plan.steps) else "already"

    def _write(self, items: t.Sequence[Item]) -> list[Item]:
        """Records first, then all files, then one reload; returns the items that can go on."""
        going, put = list(items), [item for item in items if item.put is not None]
        ctx = Context(self._manager, self._task.timeout)
        begun: list[Item] = []
        try:
            for item in going:
                record = item.moving.record
                item.kept = self._task.records.read(record.name)
                if self._task.giving_back:
                    record.phase = "giving_back"
                elif record.phase != "handed_over" or len(item.plan.steps) > 1:
                    record.phase = "begun"
                begun.append(item)
                self._task.records.save(record)
        except Exception as e:
            self._unwrite(begun)
            self._stop_at(going, explained(e, f"write the records of what is done in {self._task.records.directory}"))
            return []
        if not put:
            return going
        try:
            for item in put:
                t.cast(PutUnits, item.put).write(ctx)
            self._manager.reload()
        except Exception as e:
            self._unwrite(put)
            self._stop_at(put, explained(e, "write the unit files of the services"))
            return [item for item in going if item not in put]
        return going

    def _stop_at(self, items: t.Sequence[Item], error: SystemdError) -> None:
        """Note that nothing was begun with these, because of an error."""
        for item in items:
            # One that an earlier run has begun may be nowhere at all.
            under_way = item.kept is not None and item.kept.get("phase") in UNDER_WAY
            item.outcome = "failed" if under_way or item.outcome == "failed" else "back"
            item.message = "\n".join([error.msg, *([item.message] if item.message else [])])

    def _unwrite(self, items: t.Sequence[Item]) -> None:
        """Make files and records of these what they were before this run, as far as that can be done."""
        ctx = Context(self._manager, self._task.timeout)
        for item in items:
            name = item.moving.name
            try:
                if item.put is not None:
                    item.put.undo(ctx)
                if item.kept is None:
                    self._task.records.forget(name)
                else:
                    self._task.records.put_back(name, item.kept)
            except Exception as e:
                item.outcome, item.message = "failed", explained(e, f"put back the files of {name}").msg
        if ctx.stale or any(item.put is not None for item in items):
            try:
                self._manager.reload()
            except SystemdError as e:
                self._task.warnings.append(f"systemd has not read its unit files again: {e.msg}")

    def _failed(self, item: Item, error: SystemdError) -> None:
        moving = item.moving
        # `restored` is whether the old supervisor has it, which is what the way back leads to, or away from.
        there = moving.restored != self._task.giving_back
        if not self._task.giving_back and not any(isinstance(step, LetGo) for step in item.plan.steps):
            # It had no supervisor to begin with.
            there = True
        stuck = any(told.startswith("failed to put back") for told in error.data.get("rolled_back", ()))
        back = bool(self._task.params["rollback"]) and there and not stuck
        item.outcome = "back" if back else "failed"
        item.message = error.msg
        item.failure = error.data
        try:
            if back and not self._task.giving_back:
                self._task.records.forget(moving.name)
            elif back:
                moving.record.phase = "handed_over"
                self._task.records.save(moving.record)
        except OSError as e:
            # The service is where it was; the next run finds a handover that was begun, and looks.
            self._task.warnings.append(explained(e, f"update the record of {moving.name}").msg)
