# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why units are down that nobody has just tried to start: the failure report (`failures.py`) of what is over, of many units at once.

What the job was that came to nothing is told by systemd only while somebody listens. Afterwards there is what it remembers of the
unit and, of one that is merely down, what it wrote into the journal.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import (
    LOG_LINES,
    TOO_OFTEN,
    begun_at,
    describe,
    hindered_by,
    needed,
    needs,
    screen,
    tell_times,
    together,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import (
    LastJob,
    LogOf,
    last_jobs_of,
    last_lines_of_many,
    sync_journal,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import (
    UnitStatus,
    interface_of,
    is_down,
    is_up,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.times import rfc3339

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import Failure
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# Units whose properties are asked for together.
_BATCH = 50
# Bytes of all logs of a result; Ansible makes several copies of it in memory.
_LARGEST = 4_000_000
# How long a start may have taken is not known, and not why these are down.
_ANY_TIME = 0.0
# Load states of files that systemd cannot use.
_BAD_FILES = ("error", "bad-setting")
_NEEDS = ("Requires", "BindsTo", "Requisite")

_Properties = t.Tuple[t.Dict[str, t.Any], t.Dict[str, t.Any]]


def diagnose(
    manager: UnitManager, units: t.Sequence[UnitStatus], named: t.Container[str], end: float, warnings: list[str]
) -> tuple[dict[str, Failure], str]:
    """Why units are down, by systemd's own name of each, and the text of a report on all of them.

    :param units: what is known of them; those that are up, or down without a reason, are passed over.
    :param named: the names of those of which it is also told why they did not start, though they have not failed.
    :param end: until when logs may be read, on the clock of `time.monotonic()`.
    :param warnings: takes what could not be told.
    """
    found: dict[str, Failure] = {}
    known: dict[str, _Properties] = {}
    jobs: dict[str, LastJob] = {}
    lacking: dict[str, list[UnitStatus]] = {}
    idle = [each.id for each in units if each.id in named and each.active_state == "inactive" and each.load_state == "loaded"]
    if idle:
        lacking = _lacking(manager, idle)
        try:
            jobs = last_jobs_of(idle, manager.uid, end)
        except SystemdError as e:
            warnings.append(f"diagnosis: it is not known why units were not started that have not failed: {e.msg}")
    suspects = [each for each in units if _is_suspect(each, named) or each.id in lacking or _came_to_nothing(jobs.get(each.id))]
    _read(manager, suspects, known)
    for each in suspects:
        entry: Failure = {"unit": each.id, "job": {"id": None, "type": "start", "result": "failed"}}
        _add_job(entry, each, known[each.id], jobs.get(each.id), each.id in lacking)
        describe(entry, *known[each.id], manager.uid)
        if _has_reason(entry, each):
            found[each.id] = entry
    _add_needed(manager, found, known)
    _add_triggered(manager, found, known)
    _add_logs(manager, found, known, end, warnings)
    for name, entry in found.items():
        _add_limit(entry, known[name][0])
        failed = entry["active_state"] == "failed"
        when = rfc3339(known[name][0].get("StateChangeTimestamp" if failed else "InactiveEnterTimestamp"))
        if when and entry["active_state"] != "inactive":
            entry["failed_at"] = when
    entries = list(found.values())
    for entry in entries:
        entry["msg"] = screen(entry, _ANY_TIME)
    tell_times(entries)
    return found, together(entries, [entry["msg"] for entry in entries])


def _is_suspect(status: UnitStatus, named: t.Container[str]) -> bool:
    """Whether a unit has failed, waits to be started again, or could not be started for its files."""
    if status.active_state == "failed" or status.sub_state.startswith("auto-restart"):
        return True
    if not is_down(status.active_state):
        return False
    return status.load_state in _BAD_FILES or (status.load_state == "masked" and status.id in named)


def _came_to_nothing(job: LastJob | None) -> bool:
    return job is not None and job.type == "start" and (job.skipped or job.result in ("dependency", "assert"))


def _read(manager: UnitManager, units: t.Sequence[UnitStatus], known: dict[str, _Properties]) -> None:
    for start in range(0, len(units), _BATCH):
        batch = units[start : start + _BATCH]
        asked = [(object_path(each.id), face) for each in batch for face in (UNIT, interface_of(each.id))]
        values = iter(manager.all_properties(asked))
        for each in batch:
            known[each.id] = (next(values), next(values))


def _lacking(manager: UnitManager, names: t.Sequence[str]) -> dict[str, list[UnitStatus]]:
    """Of units that are down, those that require one that has no usable file: systemd refuses to start them."""
    values = iter(manager.properties([(object_path(name), UNIT, kind) for name in names for kind in _NEEDS]))
    required = {name: sorted({other for _kind in _NEEDS for other in next(values) or ()}) for name in names}
    states = _states(manager, required.values())
    lacking = {name: [states[other] for other in others if _is_missing(states[other])] for name, others in required.items()}
    return {name: missing for name, missing in lacking.items() if missing}


def _states(manager: UnitManager, lists: t.Iterable[t.Iterable[str]]) -> dict[str, UnitStatus]:
    names = sorted({name for names in lists for name in names})
    return dict(zip(names, manager.status(names)))


def _is_missing(status: UnitStatus) -> bool:
    return status.load_state != "loaded" and not is_up(status.active_state)


def _add_job(entry: Failure, status: UnitStatus, known: _Properties, last: LastJob | None, lacks: bool) -> None:
    """Tell which job it was that came to nothing, as far as that can still be known."""
    job, (unit, special) = entry["job"], known
    if status.active_state != "inactive":
        begun = begun_at(unit, special)
        job["result"] = "done" if begun and unit.get("ActiveEnterTimestamp", 0) >= begun else "failed"
    elif status.load_state != "loaded":
        job["result"] = "refused"
        entry["reason"] = f"cannot start {status.id}: {(unit.get('LoadError') or ('', ''))[1] or status.load_state}"
    elif _came_to_nothing(last) and last is not None:
        job["id"], job["result"] = last.id, last.result
    elif lacks:
        job["result"] = "dependency"


def _has_reason(entry: Failure, status: UnitStatus) -> bool:
    """Whether there is still anything to be told: a condition may have come true since."""
    if status.active_state != "inactive" or entry["job"]["result"] in ("refused", "dependency"):
        return True
    return "unmet_conditions" in entry or "unmet_assertions" in entry


def _add_needed(manager: UnitManager, found: dict[str, Failure], known: dict[str, _Properties]) -> None:
    """Add the units that others need and lack: those that have failed or are missing and, where it kept them down, those that are down."""
    states = _states(manager, (needs(known[name][0]) for name in found))
    for name, entry in found.items():
        refused = entry["job"]["result"] == "dependency"
        others = [states[other] for other in needs(known[name][0])]
        bad = [o for o in others if _is_missing(o) or o.active_state == "failed" or (refused and not is_up(o.active_state))]
        if bad:
            entry["failed_dependencies"] = [needed(other) for other in bad]


def _add_triggered(manager: UnitManager, found: dict[str, Failure], known: dict[str, _Properties]) -> None:
    """Say what is wrong with the units that sockets, timers and paths start."""
    triggers = {name: known[name][0].get("Triggers") or () for name in found if found[name]["active_state"] == "failed"}
    states = _states(manager, triggers.values())
    for name, others in triggers.items():
        reason = hindered_by([states[other] for other in others], listens=False)
        if reason:
            found[name]["reason"] = reason


def _add_logs(
    manager: UnitManager, found: dict[str, Failure], known: dict[str, _Properties], end: float, warnings: list[str]
) -> None:
    """Add the last lines of log of each invocation that failed; in part, with a warning, where time or room is over."""
    wanted: dict[LogOf, t.Any] = {}
    firsts: dict[str, t.Any] = {}
    for name, entry in found.items():
        unit, special = known[name]
        invocation = bytes(unit.get("InvocationID") or b"").hex()
        if entry["job"]["result"] == "dependency":
            firsts.setdefault(entry.get("failed_dependencies", [{"unit": ""}])[0]["unit"], []).append(entry)
        elif invocation and entry["job"]["result"] != "refused" and entry["active_state"] != "inactive":
            entry["invocation_id"] = invocation
            wanted[LogOf(invocation, name, begun_at(unit, special))] = [entry]
    firsts.pop("", None)
    asked = [(object_path(name), UNIT, what) for name in firsts for what in ("InvocationID", "InactiveExitTimestamp")]
    values = iter(manager.properties(asked))
    for name, entries in firsts.items():
        invocation, since = bytes(next(values) or b"").hex(), next(values) or 0
        dependencies = [entry["failed_dependencies"][0] for entry in entries]
        if invocation:
            for dependency in dependencies:
                dependency["invocation_id"] = invocation
            log = next((each for each in wanted if each.invocation == invocation), LogOf(invocation, name, since))
            wanted.setdefault(log, []).extend(dependencies)
    if not wanted:
        return
    # The last words of a service that died just now may still be on their way.
    sync_journal()
    size = done = 0
    try:
        for log, lines in last_lines_of_many(list(wanted), LOG_LINES, manager.uid, end):
            size += sum(len(line["message"]) for line in lines) * len(wanted[log])
            if size > _LARGEST:
                why = f"they are more than {_LARGEST / 1e6:.0f} MB"
                break
            done += 1
            for holder in wanted[log]:
                # Each has its own, since times are told in place.
                holder["journal"] = [line.copy() for line in lines]
        else:
            return
    except SystemdError as e:
        why = e.msg
    warnings.append(f"diagnosis: logs of {len(wanted) - done} of {len(wanted)} units are left out: {why}; name fewer units")


def _add_limit(entry: Failure, unit: dict[str, t.Any]) -> None:
    """Say so where a unit is down because it was started too often."""
    burst = unit.get("StartLimitBurst")
    if entry["active_state"] != "failed" or "reason" in entry or not burst:
        return
    log = entry.get("journal", ())
    if entry["result"] == "start-limit-hit" or any(TOO_OFTEN in line["message"] for line in log if line["identifier"] == "systemd"):
        entry["start_limit"] = {"burst": burst, "interval_usec": unit["StartLimitIntervalUSec"]}
