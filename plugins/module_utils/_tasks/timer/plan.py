# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what timers are and what is wanted of them to steps; no I/O."""

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
    WriteFile,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import (
    Jobs,
    Reload,
    ResetFailed,
    UnitFileLinks,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import Held
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.options import TimerWish
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.state import TimerFile, TimerState
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.steps import Hold, StartAnew, Touch, held_by
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import job_for
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit


def plan_timers(
    states: t.Sequence[TimerState], directories: t.Sequence[str], tools: FileTools, offline: bool = False
) -> Plan:
    """The steps that bring timers from what they are to what is wished: for all of them together one reload, one job each.

    A new schedule is no reason to run the service. But systemd reckons the next elapse from the last one, or from when the
    timer was activated, and so finds that the new calendar should have elapsed, already when it reloads. So such a timer is
    stopped before, and systemd is made to count from now on (`StartAnew`, `Touch`).

    :param directories: where links of unit files are made, for good and until the reboot.
    """
    write: list[Step] = []
    remove: list[Step] = []
    remove_last: list[Step] = []
    stop: list[str] = []
    hold: list[tuple[str, str]] = []
    hold_stamps: list[str] = []
    start: list[str] = []
    enable: list[str] = []
    disable: list[str] = []
    failed: list[str] = []
    touch: list[Step] = []
    anew: list[tuple[TimerWish, str]] = []
    unlink: dict[str, str] = {}
    leftovers: list[Step] = []
    stale = False
    plan = Plan()
    for state in states:
        wish, name = state.wish, state.wish.name
        after: list[str] = []
        for file in state.touched:
            plan.file_diffs.append(_file_diff(file))
            if file.link:
                unlink[file.path] = file.link
            elif file.wanted is None:
                # What bears the marker goes last: as long as it is there, purge finds what is left of a timer.
                which = remove_last if file.name == name else remove
                which.append(RemoveFile(file.path, t.cast(Saved, file.before), tools))
            else:
                write.append(WriteFile(file.path, file.wanted.encode("utf-8", "surrogateescape"), file.before, tools))
        if state.leftover:
            leftovers.append(RemoveDirectory(state.leftover))
        changed = bool(state.touched or state.leftover)
        stale = stale or state.stale or state.stale_service
        if wish.absent:
            if changed or state.links or state.stamp:
                if state.up:
                    stop.append(name)
                if state.status and state.status.active_state == "failed":
                    failed.append(name)
                unlink.update(state.links)
                if state.stamp:
                    remove.append(RemoveFile(*state.stamp, tools))
                plan.changes.append(Change(name, state.describe(), "removed"))
            continue
        wanted = set(state.wanted_links)
        if wish.enabled and not wanted.issubset(state.links):
            enable.append(name)
            changed = True
        if wish.enabled and state.installs_elsewhere and state.links.keys() - wanted:
            # Links that [Install] no longer asks for; those that others made are made no more either.
            disable.append(name)
            enable += [name] if wanted and name not in enable else []
            changed = True
        if not wish.enabled and state.links:
            disable.append(name)
            changed = True
        enabled = state.will_be_enabled
        if wish.enabled and not enabled:
            plan.warnings.append(f"{name}: cannot be enabled, as its [Install] section is empty")
        if not offline:
            job = job_of(state)
            if job == "stop":
                stop.append(name)
            elif job == "restart":
                has_stamp = os.path.exists(state.stamp_path)
                hold.append((name, "" if has_stamp else state.stamp_path))
                # One that is not persistent any more has it from before, and whatever is in it.
                if has_stamp and (state.missed or not wish.persistent):
                    hold_stamps.append(state.stamp_path)
            if job == "restart" and state.missed and state.stamp:
                touch.append(Touch(*state.stamp))
            counts_from_boot = job == "restart" and wish.since_boot and not state.never_ran
            if job in ("start", "restart") and (state.held or counts_from_boot or (state.missed and not state.stamp)):
                anew.append((wish, state.stamp_path))
            elif job in ("start", "restart"):
                start.append(name)
            will = {"stop": "inactive", "start": "active", "restart": "active, by restart"}
            if job:
                after.append(will[job])
            elif state.status:
                after.append(f"{state.status.active_state} ({state.status.sub_state})")
            changed = changed or bool(job)
        after.append("enabled" if enabled else "disabled")
        after += [f"{file.name} {_verb(file)}" for file in state.touched if file.before or file.wanted is None]
        after += [f"{state.leftover} removed"] if state.leftover else []
        if changed:
            plan.changes.append(Change(name, state.describe(), ", ".join(after)))
    links = [
        UnitFileLinks(verb, names, directories) for verb, names in (("disable", disable), ("enable", enable)) if names
    ]
    if unlink:
        remove.insert(0, RemoveLinks(unlink))
    remove += remove_last
    stops: list[Step] = [Jobs("stop", stop, stop)] if stop else []
    holds: list[Step] = []
    if hold:
        # Before their files become others: whatever has systemd read them meanwhile (daemon-reexec) would have them elapse.
        holds.append(Hold([Held(name, held_by(directories[1], name), True, stamp) for name, stamp in hold], hold_stamps))
    plan.steps = [*holds, *write, *stops, *remove, *touch, *links]
    if anew:
        # It reloads for all.
        plan.steps.append(StartAnew(anew, directories[1], tools))
    elif not offline and (write or remove or links or stale):
        plan.steps.append(Reload(counts=stale))
    if failed:
        plan.steps.append(ResetFailed(failed))
    if start:
        plan.steps.append(Jobs("start", start))
    plan.steps += leftovers
    return plan


def needs_a_run(state: TimerState) -> bool:
    """Whether spans since the last run are what it goes on with, and ones since the boot are to bring about the first."""
    wish = state.wish
    keys = {key for key, _span in wish.spans}
    relative = {"OnUnitActiveSec", "OnUnitInactiveSec"} & keys
    return wish.since_boot and bool(relative) and not wish.calendars and "OnActiveSec" not in keys


def job_of(state: TimerState) -> str | None:
    """The job that a timer which shall be there needs."""
    wish = state.wish
    unit = Unit(wish.name, state.status)
    if wish.started is False:
        return job_for(unit, "stopped")
    job = job_for(unit, "started") if wish.started else None
    return "restart" if job is None and state.up and state.schedule_changed else job


def _verb(file: TimerFile) -> str:
    return "removed" if file.wanted is None else "rewritten"


def _file_diff(file: TimerFile) -> dict[str, str]:
    before = file.before.content.decode("utf-8", "replace") if file.before else ""
    return {"before": before, "after": file.wanted or "", "before_header": file.path, "after_header": file.path}
