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
    file_diff,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import (
    Jobs,
    Reload,
    ResetFailed,
    UnitFileLinks,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.timers import Hold, StartAnew, Touch, held_by
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import Held
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.options import TimerWish
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.state import TimerFile, TimerState
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
    plan = Plan()
    lot = _Lot(directories, tools, offline)
    for state in states:
        plan.file_diffs += [file_diff(file.path, file.before, file.wanted or "") for file in state.touched]
        lot.add_files(state)
        if state.wish.absent:
            if lot.add_absent(state):
                plan.changes.append(Change(state.wish.name, state.describe(), "removed"))
            continue
        links = lot.add_links(state)
        job = None if offline else lot.add_job(state)
        if state.wish.enabled and not state.will_be_enabled:
            plan.warnings.append(f"{state.wish.name}: cannot be enabled, as its [Install] section is empty")
        if links or job or state.touched or state.leftover:
            plan.changes.append(Change(state.wish.name, state.describe(), ", ".join(_after(state, job, offline))))
    plan.steps = lot.steps()
    return plan


class _Lot:
    """What is to be done for many timers, each kind of it at once for all."""

    def __init__(self, directories: t.Sequence[str], tools: FileTools, offline: bool) -> None:
        self._directories, self._tools, self._offline = directories, tools, offline
        self._write: list[Step] = []
        self._remove: list[Step] = []
        # What bears the marker goes last: as long as it is there, purge finds what is left of a timer.
        self._remove_last: list[Step] = []
        self._leftovers: list[Step] = []
        # Links that go: path -> target.
        self._unlink: dict[str, str] = {}
        self._enable: list[str] = []
        self._disable: list[str] = []
        self._stop: list[str] = []
        self._start: list[str] = []
        self._failed: list[str] = []
        # Timers that begin anew, each with the stamp that is made for it meanwhile, or nothing; and stamps that there are.
        self._hold: list[tuple[str, str]] = []
        self._hold_stamps: list[str] = []
        self._touch: list[Step] = []
        self._anew: list[tuple[TimerWish, str]] = []
        self._stale = False

    def add_files(self, state: TimerState) -> None:
        """Files that are written or removed."""
        for file in state.touched:
            if file.link:
                self._unlink[file.path] = file.link
            elif file.wanted is None:
                which = self._remove_last if file.name == state.wish.name else self._remove
                which.append(RemoveFile(file.path, t.cast(Saved, file.before), self._tools))
            else:
                content = file.wanted.encode("utf-8", "surrogateescape")
                self._write.append(WriteFile(file.path, content, file.before, self._tools))
        if state.leftover:
            self._leftovers.append(RemoveDirectory(state.leftover))
        self._stale = self._stale or state.stale or state.stale_service

    def add_absent(self, state: TimerState) -> bool:
        """All else of a timer that shall be gone; returns whether anything of it is there."""
        if not (state.touched or state.leftover or state.links or state.stamp):
            return False
        if state.up:
            self._stop.append(state.wish.name)
        if state.status and state.status.active_state == "failed":
            self._failed.append(state.wish.name)
        self._unlink.update(state.links)
        if state.stamp:
            self._remove.append(RemoveFile(*state.stamp, self._tools))
        return True

    def add_links(self, state: TimerState) -> bool:
        """Links by which a timer is enabled; returns whether these become others."""
        wish, wanted = state.wish, set(state.wanted_links)
        changed = False
        if wish.enabled and not wanted.issubset(state.links):
            self._enable.append(wish.name)
            changed = True
        if wish.enabled and state.installs_elsewhere and state.links.keys() - wanted:
            # Links that [Install] no longer asks for; those that others made are made no more either.
            self._disable.append(wish.name)
            self._enable += [wish.name] if wanted and wish.name not in self._enable else []
            changed = True
        if not wish.enabled and state.links:
            self._disable.append(wish.name)
            changed = True
        return changed

    def add_job(self, state: TimerState) -> str | None:
        """The job that a timer needs; returns it."""
        wish, job = state.wish, job_of(state)
        if job == "stop":
            self._stop.append(wish.name)
        elif job == "restart":
            has_stamp = os.path.exists(state.stamp_path)
            self._hold.append((wish.name, "" if has_stamp else state.stamp_path))
            # One that is not persistent any more has it from before, and whatever is in it.
            if has_stamp and (state.missed or not wish.persistent):
                self._hold_stamps.append(state.stamp_path)
            if state.missed and state.stamp:
                self._touch.append(Touch(*state.stamp))
        counts_from_boot = job == "restart" and wish.since_boot and not state.never_ran
        if job in ("start", "restart"):
            if state.held or counts_from_boot or (state.missed and not state.stamp):
                self._anew.append((wish, state.stamp_path))
            else:
                self._start.append(wish.name)
        return job

    def steps(self) -> list[Step]:
        """All of it, in order."""
        steps: list[Step] = []
        if self._hold:
            # Before their files become others: whatever has systemd read them meanwhile (daemon-reexec) would have them elapse.
            held = [Held(name, held_by(self._directories[1], name), True, stamp) for name, stamp in self._hold]
            steps.append(Hold(held, self._hold_stamps))
        steps += self._write
        if self._stop:
            steps.append(Jobs("stop", self._stop, self._stop))
        remove = [*([RemoveLinks(self._unlink)] if self._unlink else []), *self._remove, *self._remove_last]
        links = [
            UnitFileLinks(verb, names, self._directories)
            for verb, names in (("disable", self._disable), ("enable", self._enable))
            if names
        ]
        steps += [*remove, *self._touch, *links]
        if self._anew:
            # It reloads for all.
            steps.append(StartAnew(self._anew, self._directories[1], self._tools))
        elif not self._offline and (self._write or remove or links or self._stale):
            steps.append(Reload(counts=self._stale))
        if self._failed:
            steps.append(ResetFailed(self._failed))
        if self._start:
            steps.append(Jobs("start", self._start))
        return [*steps, *self._leftovers]


def _after(state: TimerState, job: str | None, offline: bool) -> list[str]:
    """What becomes of a timer, in words."""
    told: list[str] = []
    if job:
        told.append({"stop": "inactive", "start": "active", "restart": "active, by restart"}[job])
    elif state.status and not offline:
        told.append(f"{state.status.active_state} ({state.status.sub_state})")
    told.append("enabled" if state.will_be_enabled else "disabled")
    told += [f"{file.name} {_verb(file)}" for file in state.touched if file.before or file.wanted is None]
    told += [f"{state.leftover} removed"] if state.leftover else []
    return told


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
