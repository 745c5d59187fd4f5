# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task tells of each timer: as it is now or, in check mode, as it would be."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.elapses import (
    iso,
    now_usec,
    read_elapses,
    upcoming_of,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.elapses import Elapses
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.state import TimerState
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.task import Task


def report(task: Task, manager: UnitManager, states: t.Sequence[TimerState], plan: Plan) -> list[dict[str, t.Any]]:
    """Each timer as it is now or, in check mode, as it would be."""
    planned = task.module.check_mode
    changes = {change.name: change for change in plan.changes}
    done = bool(plan.steps) and not planned
    if done and not manager.offline:
        names = [state.wish.name for state in states]
        for state, status in zip(states, manager.status(names)):
            state.status = status
    asked = [] if manager.offline else [s for s in states if s.up and not s.wish.absent]
    if planned:
        # Of those that would change, systemd does not know yet.
        asked = [s for s in asked if s.wish.name not in changes]
    elapses = read_elapses(manager, {s.wish.name: s.status.sub_state for s in asked if s.status}) if asked else {}
    now = now_usec()
    return [_entry(task, state, changes.get(state.wish.name), elapses.get(state.wish.name), now) for state in states]


def _entry(task: Task, state: TimerState, change: Change | None, elapses: Elapses | None, now: int) -> dict[str, t.Any]:
    wish = state.wish
    entry: dict[str, t.Any] = {
        "name": wish.name,
        "changed": change is not None,
        "state": "absent" if wish.absent else "present",
    }
    if wish.purged:
        entry["purged"] = True
    if change is not None:
        entry["before"], entry["after"] = change.before, change.after
        entry["files"] = [file.path for file in state.touched]
    if wish.absent:
        return entry
    entry["unit"] = wish.unit
    entry["path"] = state.files[0].path
    if wish.service_sections is not None:
        entry["service_path"] = f"{task.directory}/{wish.service}"
    entry["enabled"] = state.will_be_enabled
    if not task.offline:
        if state.status is not None:
            entry["active_state"] = state.status.active_state
            entry["sub_state"] = state.status.sub_state
        planned = task.module.check_mode and change is not None
        expected = _estimate(state, now) if planned and wish.started else None
        entry["next_elapse"] = iso(elapses.next if elapses else expected)
        entry["last_elapse"] = iso(elapses.last if elapses else None)
    if task.params["next"]:
        entry["next_elapses"] = [iso(usec) for usec in upcoming_of(wish.calendars, task.params["next"], now)]
    return entry


def _estimate(state: TimerState, now: int) -> int | None:
    """When a timer would elapse that is started now, as far as it can be told."""
    import time

    wish = state.wish
    missed_since = None
    if wish.persistent and not state.up:
        try:
            missed_since = min(int(os.stat(state.stamp_path).st_mtime * 1e6), now)
        except OSError:
            pass
    times = upcoming_of(wish.calendars, 1, now if missed_since is None else missed_since)
    boot = now - time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    for key, span in wish.spans:
        if key in ("OnActiveSec", "OnBootSec"):
            times.append((now if key == "OnActiveSec" else boot) + span)
    return max(min(times), now) if times else None
