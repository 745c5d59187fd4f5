# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timed trial of resource limits: units are watched under them, and what is seen decides whether they stay."""

from __future__ import annotations

import os
import select
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.deaths import Deaths
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.cgroup_values import (
    cgroup_directory,
    counters,
    read_attribute,
    stalled_usec,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.exits import Exit, exit_of, told
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import runs

_END = ("Result", "ExecMainCode", "ExecMainStatus")
_MEMORY = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill")


class TrialFailed(SystemdError):
    """A unit did not do well under its new limits; `trial` in the data tells what was seen."""


class _Watched:
    """One unit under trial, and what its counters were when it began."""

    def __init__(self, name: str, control_group: str, properties: t.Sequence[str], owner: int | None) -> None:
        self.name = name
        self.properties = properties
        self.directory = cgroup_directory(control_group, owner)
        self.restarts = 0
        self.ended = False
        self._group = self._identity()
        self._base = self._read()
        self._sum: dict[str, int] = {}
        self._last = dict(self._base)
        self.stall_known = "stalled_usec" in self._base

    def look(self) -> dict[str, int]:
        """How far the counters have come since the trial began. A new control group, after a restart, begins at nothing."""
        group = self._identity()
        if group != self._group:
            for key, value in self._last.items():
                self._sum[key] = self._sum.get(key, 0) + value - self._base.get(key, 0)
            self._group, self._base, self._last = group, {}, {}
        found = self._read()
        if found:
            self._last = found
        keys = {*self._sum, *self._last}
        return {key: self._sum.get(key, 0) + self._last.get(key, 0) - self._base.get(key, 0) for key in keys}

    def period(self) -> float:
        """Seconds of one period of the CPU quota."""
        words = (read_attribute(self.directory, "cpu.max") or "max 100000").split()
        return int(words[1]) / 1e6

    def _identity(self) -> int:
        try:
            return os.stat(self.directory or "").st_ino
        except OSError:
            return 0

    def _read(self) -> dict[str, int]:
        found = {f"memory_{k}": v for k, v in self._counters("memory.events").items() if k in _MEMORY}
        found.update((f"tasks_{key}", value) for key, value in self._counters("pids.events").items())
        cpu = self._counters("cpu.stat")
        found.update(
            (key, cpu[key]) for key in ("usage_usec", "nr_periods", "nr_throttled", "throttled_usec") if key in cpu
        )
        stalled = stalled_usec(read_attribute(self.directory, "memory.pressure"))
        if stalled is not None:
            found["stalled_usec"] = stalled
        return found

    def _counters(self, attribute: str) -> dict[str, int]:
        return counters(read_attribute(self.directory, attribute))


class Trial(Step):
    """Watch units for a while; fails where they do not do well, so that everything is put back.

    A unit fails its trial at once if it goes down, is restarted, loses a process for want of memory or cannot make one for
    want of tasks; at the end if it was held up for too great a share of the time.

    :param units: `(unit, control group, properties that are tried)`.
    :param owner: the user whose manager the units are of; None for the system's.
    :param limits: `seconds`, `told` (the same for people), and the shares of the time that a unit may be `throttled` by
        its CPU quota and `stalled` by want of memory.
    """

    counts = False

    def __init__(
        self,
        units: t.Sequence[tuple[str, str, tuple[str, ...]]],
        limits: dict[str, t.Any],
        owner: int | None = None,
    ) -> None:
        super().__init__([name for name, _group, _properties in units])
        self._units = units
        self._limits = limits
        self._owner = owner
        self._deaths: Deaths | None = None
        self._watched: list[_Watched] = []
        self.observed: dict[str, t.Any] = {}

    def describe(self) -> str:
        return f"watch {short(self.names)} for {self._limits['told']}"

    def begin(self, ctx: Context) -> None:
        """Note what is before the limits are set: the kernel may kill at that very moment."""
        self._watched = [_Watched(*unit, self._owner) for unit in self._units]
        for unit, restarts in zip(self._watched, self._restarts(ctx)):
            unit.restarts = restarts
        self._deaths = Deaths(ctx.manager, self.names, at_once=True)

    def apply(self, ctx: Context) -> bool:
        if self._deaths is None:
            self.begin(ctx)
        watched = self._watched
        begun = time.monotonic()
        until = begun + self._limits["seconds"]
        gone = _HungUp()
        pause = 0.05
        while True:
            asked = time.monotonic()
            last = asked >= until
            reasons = self._look(ctx, watched, asked - begun, last)
            if reasons:
                raise self._failed(ctx, watched, reasons, asked - begun)
            if last:
                return False
            # The more there is to look at, the less often, so that looking does not slow what is looked at.
            if gone.wait(min(max(pause, 10 * (time.monotonic() - asked)), max(until - time.monotonic(), 0.001))):
                raise SystemdError(
                    "the trial was interrupted: whoever asked for it has hung up; nothing was made lasting"
                )
            pause = min(pause * 2, 1.0)

    def _restarts(self, ctx: Context) -> list[int]:
        values = ctx.manager.properties([(object_path(name), SERVICE, "NRestarts") for name in self.names])
        return [value or 0 for value in values]

    def _look(self, ctx: Context, watched: t.Sequence[_Watched], seconds: float, last: bool) -> dict[str, list[str]]:
        """What speaks against the limits, by unit; fills in `observed`."""
        reasons: dict[str, list[str]] = {}
        down = []
        deaths = t.cast("Deaths", self._deaths)
        statuses = ctx.manager.status(self.names)
        for unit, status, restarts in zip(watched, statuses, self._restarts(ctx)):
            seen = unit.look()
            entry = self._entry(unit, status, restarts, seen, seconds)
            self.observed[unit.name] = entry
            death = deaths.found.get(unit.name) if deaths.look() else None
            if death is not None:
                # As it was then: its control group is another by now, and so is what can be asked of it.
                entry.update(active_state=death.unit.get("ActiveState"), sub_state=death.unit.get("SubState"))
                self._note_end(entry, death.result, exit_of(death.service))
            elif not runs(status):
                down.append((unit, status))
            why = self._judge(unit, entry, last)
            if why:
                reasons[unit.name] = why
        really = self._really_down(ctx, down)
        asked = [(status.path, SERVICE, key) for _unit, status in really for key in _END]
        values = iter(ctx.manager.properties(asked))
        for unit, _status in really:
            found = {key: next(values) for key in _END}
            self._note_end(self.observed[unit.name], found["Result"], exit_of(found))
        for name, entry in self.observed.items():
            if "result" in entry:
                reasons.setdefault(name, []).append(_told_end(entry, name in deaths.found))
        return reasons

    def _note_end(self, entry: dict[str, t.Any], result: str | None, end: Exit) -> None:
        """Fill in how a unit ended. Where the kernel killed it for want of memory, its control group went with it, and the count."""
        entry.update(result=result, exit_code=end.status, signal=end.signal)
        if result == "oom-kill":
            events = entry["memory_events"]
            events["oom_kill"] = max(events.get("oom_kill", 0), 1)

    def _entry(
        self, unit: _Watched, status: t.Any, restarts: int, seen: dict[str, int], seconds: float
    ) -> dict[str, t.Any]:
        seconds = max(seconds, 0.001)
        throttled = min(seen.get("nr_throttled", 0) * unit.period() / seconds, 1.0)
        stalled = seen.get("stalled_usec", 0) / 1e6 / seconds if unit.stall_known else None
        return {
            "seconds": round(seconds, 3),
            "active_state": status.active_state,
            "sub_state": status.sub_state,
            "restarts": max(restarts - unit.restarts, 0),
            "memory_events": {key[7:]: seen[key] for key in sorted(seen) if key.startswith("memory_")},
            "tasks_refused": seen.get("tasks_max", 0),
            "cpu_usage_usec": seen.get("usage_usec"),
            "throttled_usec": seen.get("throttled_usec"),
            "throttled": f"{throttled * 100:.0f}%",
            "stalled": None if stalled is None else f"{min(stalled, 1.0) * 100:.0f}%",
            "_throttled": throttled,
            "_stalled": stalled or 0.0,
        }

    def _judge(self, unit: _Watched, entry: dict[str, t.Any], last: bool) -> list[str]:
        why = []
        throttled, stalled = entry.pop("_throttled"), entry.pop("_stalled")
        if entry["restarts"]:
            why.append(f"it was restarted {_times(entry['restarts'])}")
        events = entry["memory_events"]
        kills = events.get("oom_kill", 0) + events.get("oom_group_kill", 0)
        if kills or events.get("oom"):
            count = f"the kernel killed a process of it {_times(kills)}" if kills else "it ran out of memory"
            why.append(f"{count} for want of memory (memory.events)")
        if entry["tasks_refused"] and "TasksMax" in unit.properties:
            why.append(
                f"it could not make a process or thread {_times(entry['tasks_refused'])} (TasksMax, pids.events)"
            )
        if not last:
            return why
        limited = any(name.startswith("CPUQuota") for name in unit.properties)
        if limited and throttled > self._limits["throttled"]:
            why.append(
                f"CPUQuota held it up in {entry['throttled']} of the time, more than `trial_throttled` allows (cpu.stat)"
            )
        # Reaching a limit is no harm in itself: the kernel then gives back what it only remembered of files.
        hit = any(events.get(key) for key in ("high", "max"))
        if hit and stalled > self._limits["stalled"] and any("Memory" in name for name in unit.properties):
            why.append(
                f"it waited for memory in {entry['stalled']} of the time, more than `trial_stalled` allows (memory.pressure)"
            )
        return why

    def _really_down(self, ctx: Context, down: t.Sequence[tuple[_Watched, t.Any]]) -> list[tuple[_Watched, t.Any]]:
        """Without those that have come to their end in peace: oneshots, scopes and slices that are done."""
        if not down:
            return []
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import why_down

        whys = why_down(ctx.manager, [status for _unit, status in down])
        really = []
        for (unit, status), why in zip(down, whys):
            in_peace = status.active_state == "inactive" and (
                why == "finished" or status.id.endswith((".scope", ".slice"))
            )
            if not in_peace:
                really.append((unit, status))
            elif not unit.ended:
                unit.ended = True
                ctx.warnings.append(f"{unit.name} came to its end within its trial")
        return really

    def _failed(
        self, ctx: Context, watched: t.Sequence[_Watched], reasons: dict[str, list[str]], seconds: float
    ) -> TrialFailed:
        for name, why in reasons.items():
            self.observed[name]["reasons"] = why
        told = self._limits["told"]
        lines = [
            f"the trial of {told} failed after {seconds:.1f} s; the limits were taken back, and none was made lasting"
        ]
        for name in list(reasons)[:5]:
            lines += [f"  {name}: {why}" for why in reasons[name]]
        if len(reasons) > 5:
            lines.append(f"  and {short(list(reasons)[5:], 6)} likewise")
        data: dict[str, t.Any] = {"trial": self.observed}
        down = [name for name in reasons if "result" in self.observed[name]]
        if down:
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_unhealthy

            data["failures"] = report_unhealthy(ctx, down, "start", self._deaths).data["failures"]
            for entry in data["failures"][:3]:
                lines += [f"    log: {record['message']}" for record in entry.get("journal", ())[-4:]]
            # They were up before; so they shall be again, with the limits they had.
            ctx.bring_up += [(name, "start") for name in down]
        return TrialFailed("\n".join(lines), **data)


class _HungUp:
    """Notices that nobody waits for the result any more: the other end of standard output is closed."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._poll = select.poll()
        try:
            os.fstat(1)
            self._poll.register(1, 0)
        except OSError:
            pass

    def wait(self, seconds: float) -> bool:
        """Sleep so long; true at once where nobody waits any more."""
        return bool(self._poll.poll(seconds * 1000)) or os.getppid() != self._parent


def _told_end(entry: dict[str, t.Any], restarted: bool) -> str:
    ended = told(entry["exit_code"], entry["signal"]) if entry["signal"] or entry["exit_code"] else ""
    cause = f", Result: {entry['result']}" if entry["result"] not in (None, "", "success") else ""
    main = f", its main process {ended}" if ended else ""
    state = f"{entry['active_state']} ({entry['sub_state']})"
    return f"it did not stay up: it {'was' if restarted else 'is'} {state}{cause}{main}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
