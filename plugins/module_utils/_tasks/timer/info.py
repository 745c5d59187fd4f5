# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `timer_info` module's task."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.everybody import (
    open_reading,
    read_managers,
    refuse_for_machines,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE, TIMER
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import Calendar, parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.exits import Exit
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    check_name,
    is_glob,
    object_path,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_active
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.marker import check_marker
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText, parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.elapses import (
    iso,
    local_time,
    next_of,
    now_usec,
    upcoming,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.options import (
    EVENTS,
    MONOTONIC,
    SWITCHES,
    check_next,
    check_timer_name,
    marker_of,
    truth,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import (
    ENABLED,
    Unit,
    read,
    resolve,
    unit_file_and_dropins,
    without_aliases,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

_PLAIN = (
    "AccuracyUSec",
    "RandomizedDelayUSec",
    *SWITCHES,
    *EVENTS,
    "DeferReactivation",
)
_ASKED = (
    "Unit",
    "TimersCalendar",
    "TimersMonotonic",
    "NextElapseUSecRealtime",
    "NextElapseUSecMonotonic",
    "LastTriggerUSec",
    "Result",
    *_PLAIN,
)
_RUN = ("Result", "ExecMainCode", "ExecMainStatus", "ExecMainStartTimestamp", "ExecMainExitTimestamp")
_NEVER = (None, 0, INFINITY)
# Options to which a container's manager has no answer.
_NOT_OF_MACHINES = (
    ("marker", "it is in the timers' files, which are not on this host"),
    ("next", "calendars are reckoned in the time zone of this host"),
)
# Defaults of systemd.timer(5), for files that nobody has loaded.
_DEFAULTS = {"AccuracyUSec": 60_000_000, "RandomizedDelayUSec": 0, "RemainAfterElapse": True}


def gather(module: Module) -> dict[str, t.Any]:
    """Read what the module's options ask for; returns the module's result."""
    params = module.params
    local_time()
    check_next(params["next"])
    if params["marker"] is not None:
        check_marker(params["marker"])
    refuse_for_machines(params, _NOT_OF_MACHINES)
    names = ["*.timer"] if params["name"] is None else [_name(name) for name in params["name"]]
    return read_managers(module, lambda params, foretells: _gather(params, foretells, names), "timers")


def _gather(params: dict[str, t.Any], foretells: Module | None, names: list[str]) -> dict[str, t.Any]:
    warnings: list[str] = []
    with open_reading(params, foretells) as session, session.reading():
        manager = session.manager
        units = without_aliases(read(manager, resolve(manager, names, allow_empty=True), file_states=True), names)
        entries = [_summary(unit) for unit in units]
        if manager.offline or manager.absent:
            calendars = [_add_from_files(manager, entry, warnings) for entry in entries]
        else:
            calendars = _add_from_manager(manager, entries, warnings)
        now = now_usec()
        for entry, its in zip(entries, calendars):
            if manager.has_files:
                entry["marker"] = _marker(entry["fragment_path"], manager.tree)
            if params["next"]:
                entry["next_elapses"] = _upcoming(entry["name"], its, params["next"], now, warnings)
    if params["marker"] is not None:
        entries = [entry for entry in entries if entry["marker"] == params["marker"]]
    return {"changed": False, "timers": entries, "warnings": warnings}


def _name(name: t.Any) -> str:
    if isinstance(name, str) and is_glob(name):
        return check_name(name if name.endswith(".timer") else f"{name}.timer", globs=True)
    return check_timer_name(name)


def _summary(unit: Unit) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {
        "name": unit.name,
        "exists": not unit.missing,
        "enabled": unit.file_state in ENABLED,
        "unit_file_state": unit.file_state or "",
    }
    if unit.status:
        entry["description"] = unit.status.description
        entry["active"] = is_active(unit.active_state)
        entry["active_state"] = unit.active_state
        entry["sub_state"] = unit.sub_state
    return entry


def _add_from_manager(
    manager: UnitManager, entries: t.Sequence[dict[str, t.Any]], warnings: list[str]
) -> list[list[Calendar]]:
    """Fill in what systemd says of each timer and of what it starts; returns the calendars of each."""
    wanted = []
    for entry in entries:
        path = object_path(entry["name"])
        wanted += [(path, TIMER, what) for what in _ASKED]
        wanted += [(path, UNIT, "FragmentPath"), (path, UNIT, "DropInPaths")]
    values = iter(manager.properties(wanted))
    now = now_usec()
    boot = now - time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    calendars = []
    for entry in entries:
        found = {what: next(values) for what in _ASKED}
        entry["fragment_path"], entry["dropin_paths"] = next(values) or "", list(next(values) or ())
        entry["unit"] = found["Unit"] or ""
        entry["result"] = found["Result"] or ""
        waits = entry["sub_state"] == "waiting"
        by_clock, by_uptime = found["NextElapseUSecRealtime"], found["NextElapseUSecMonotonic"]
        entry["next_elapse"] = iso(next_of(by_clock, by_uptime, boot)) if waits else None
        last = found["LastTriggerUSec"]
        entry["last_elapse"] = None if last in _NEVER else iso(last)
        rows = found["TimersCalendar"] or ()
        entry["triggers"] = [
            {"type": base, "calendar": text, "next_elapse": iso(when) if waits and when not in _NEVER else None}
            for base, text, when in rows
        ]
        for base, usec, when in found["TimersMonotonic"] or ():
            entry["triggers"].append(
                {
                    "type": base.replace("USec", "Sec"),
                    "timespan": format_timespan(usec),
                    "usec": usec,
                    # One that is over keeps its time.
                    "next_elapse": iso(when + boot) if waits and when not in _NEVER and when + boot >= now else None,
                }
            )
        entry.update({what: found[what] for what in _PLAIN if found[what] is not None})
        # They are for `next` only, and the time zones that they name would be looked for on this host.
        calendars.append(list(_calendars(entry["name"], rows, warnings)) if manager.has_files else [])
    _add_runs(manager, entries)
    return calendars


def _calendars(name: str, rows: t.Iterable[t.Any], warnings: list[str]) -> t.Iterator[Calendar]:
    """The calendars of a timer; one that only this version of systemd can read is no reason to tell nothing of any timer."""
    for _base, text, _when in rows:
        try:
            yield parse_calendar(text)
        except BadInput as e:
            warnings.append(f"{name}: {e.msg}")


def _add_runs(manager: UnitManager, entries: t.Sequence[dict[str, t.Any]]) -> None:
    """What became of the last run of the services, and whether one is going on."""
    units = list(dict.fromkeys(entry["unit"] for entry in entries if entry["unit"]))
    states = dict(zip(units, manager.status(units)))
    services = [name for name in units if unit_type(name) == "service" and states[name].load_state != "not-found"]
    values = iter(manager.properties([(object_path(name), SERVICE, what) for name in services for what in _RUN]))
    runs: dict[str, t.Any] = {}
    for name in services:
        result, code, status, began, ended = (next(values) for dummy in _RUN)
        if began not in _NEVER:
            end = Exit(code or 0, status or 0)
            runs[name] = {
                "result": result,
                "exit_code": end.word,
                "exit_status": end.number if end.word else None,
                "started_at": iso(began),
                "ended_at": iso(ended) if ended not in _NEVER and ended >= began else None,
            }
    for entry in entries:
        state = states.get(entry["unit"])
        entry["unit_active_state"] = state.active_state if state else None
        entry["last_run"] = runs.get(entry["unit"])


def _add_from_files(manager: UnitManager, entry: dict[str, t.Any], warnings: list[str]) -> list[Calendar]:
    """Fill in what the timer's files say, where there is no manager; returns its calendars."""
    files = unit_file_and_dropins(manager, entry["name"])
    entry["fragment_path"], entry["dropin_paths"] = files[0] if files else "", files[1:]
    lines = []
    for path in files:
        try:
            lines.append(manager.tree.read_text(path) or "")
        except Unreadable as e:
            # One that systemd could not read either is no reason to tell nothing of any timer.
            warnings.append(f"{entry['name']}: {e.msg}")
    text = parse("\n".join(lines))
    entry["unit"] = _last(text, "Unit") or entry["name"][: -len("timer")] + "service"
    described = text.values("Unit", "Description")
    entry["description"] = described[-1] if described else entry["name"]
    entry["triggers"] = []
    calendars: list[Calendar] = []
    for item in text.assignments:
        if item.section != "Timer" or item.key not in ("OnCalendar", *MONOTONIC):
            continue
        if not item.value:
            # Resets all of them, of whatever kind.
            entry["triggers"] = []
            calendars = []
            continue
        try:
            if item.key == "OnCalendar":
                calendars.append(parse_calendar(item.value))
                entry["triggers"].append({"type": item.key, "calendar": str(calendars[-1])})
            else:
                usec = parse_timespan(item.value)
                entry["triggers"].append({"type": item.key, "timespan": format_timespan(usec), "usec": usec})
        except BadInput:
            # systemd would ignore it.
            continue
    for key in (*SWITCHES, *EVENTS):
        value = _last(text, key)
        entry[key] = truth(value) if value else _DEFAULTS.get(key, False)
    for key in ("AccuracyUSec", "RandomizedDelayUSec"):
        value = _last(text, key.replace("USec", "Sec"))
        try:
            entry[key] = parse_timespan(value) if value else _DEFAULTS[key]
        except BadInput:
            # As above.
            entry[key] = _DEFAULTS[key]
    return calendars


def _last(text: UnitText, key: str) -> str:
    values = text.values("Timer", key)
    return values[-1] if values else ""


def _marker(path: str, tree: Tree) -> str | None:
    """The marker in the timer's file, if this collection wrote it."""
    try:
        found = tree.read_file(path, 1000, head=True)
    except Unreadable:
        return None
    return marker_of(found[0]) if found else None


def _upcoming(name: str, calendars: t.Sequence[Calendar], count: int, now: int, warnings: list[str]) -> list[t.Any]:
    try:
        return [iso(usec) for usec in upcoming(calendars, count, now)]
    except BadInput as e:
        warnings.append(f"{name}: {e.msg}")
        return []
