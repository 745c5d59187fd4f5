# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a unit is not up: everything that one would look up by hand, in one screen and as data.

Loaded only when something failed.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.conditions import unmet
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.exits import Exit, exit_of, told
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import (
    last_lines_of,
    newest_invocation_of,
    sync_journal,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT, NotPermitted, explain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import (
    UnitStatus,
    interface_of,
    is_down,
    is_up,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.times import rfc3339
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import Entry

if t.TYPE_CHECKING:
    # What the files of these names are to a report; naming those here would have them sent with modules that change nothing.
    class Context(t.Protocol):
        """What was tried (`engine.py`)."""

        timeout: float
        jobs: list[tuple[t.Any, str | None]]
        jobs_begun: float

        @property
        def manager(self) -> UnitManager: ...

    class Deaths(t.Protocol):
        """The first death of services (`deaths.py`)."""

        found: dict[str, t.Any]

        def look(self) -> bool: ...

    class JobOf(t.TypedDict, total=False):
        """The job that was to bring the unit to its state; `id` is None where there was none."""

        id: int | None
        type: str
        # systemd's own, or `unfinished` or `refused`.
        result: str

    class Limit(t.TypedDict):
        """As often within so long a unit may be started."""

        burst: int
        interval_usec: int

    class _Needed(t.TypedDict):
        unit: str
        load_state: str
        active_state: str

    class Needed(_Needed, total=False):
        """A unit that the one that failed requires, and which is not up."""

        invocation_id: str
        journal: list[Entry]

    class _Failure(t.TypedDict):
        unit: str
        job: JobOf

    class Failure(_Failure, total=False):
        """An entry of `failures` in a failed result; what is not known, or does not apply, is left out."""

        # Why systemd refused the job, or could not begin it.
        reason: str
        load_state: str
        active_state: str
        sub_state: str
        # systemd's Result=, such as `exit-code`.
        result: str
        load_error: str
        status_text: str
        n_restarts: int
        # Units of the same task, with which it conflicts.
        conflicts: list[str]
        unmet_conditions: list[str]
        unmet_assertions: list[str]
        failed_dependencies: list[Needed]
        start_limit: Limit
        invocation_id: str
        journal: list[Entry]
        # The process that ended: the main one, or that of `failed_setting`.
        command: str
        failed_setting: str
        pid: int
        exit_code: int | None
        # In words, where systemd could not run the command: `EXEC`.
        exit_status: str
        signal: str
        core_dumped: bool
        ran_seconds: float
        # Of a diagnosis (`diagnosis.py`): when it went down, as text, and all of this as text.
        failed_at: str
        msg: str


# Units told of in full, and lines of log for each; of further units the state alone is told.
_MOST_UNITS = 5
LOG_LINES = 10

# The commands that a service runs one after another as it starts.
_COMMANDS = ("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost")
_MAIN_OF_OTHERS = ("ExecMount", "ExecRemount", "ExecActivate")
# What systemd says of a unit that it does not even try to start, because that was tried too often.
TOO_OFTEN = "repeated too quickly"


class UnitsFailed(SystemdError):
    """Units are not as they were asked to be; `failures` in the data hold one entry each."""


def why_down(manager: UnitManager, statuses: t.Sequence[t.Any]) -> list[str]:
    """Why units are down after a start that systemd calls done.

    Returns for each status `finished` (a oneshot that ran to its end), `condition` or `assertion` (not met), else
    `failed`. A unit that is down, has not failed and is needed by nobody is forgotten by systemd at once, and what is
    read here is then of a unit freshly loaded; before systemd 249, a service with conditions that came to that may have
    been skipped or may have run, which only a oneshot is supposed to do. With ExecCondition= it is so in all versions.
    """
    wanted = []
    for status in statuses:
        face = interface_of(status.id)
        wanted += [(status.path, UNIT, name) for name in ("ConditionResult", "AssertResult", "ConditionTimestamp")]
        wanted += [(status.path, UNIT, "Conditions"), (status.path, face, "ExecCondition")]
        wanted += [(status.path, face, "Type"), (status.path, face, "Result")]
    values = manager.properties(wanted)
    told = []
    for index, status in enumerate(statuses):
        condition, assertion, tested, conditions, commands, type_, result = values[7 * index : 7 * index + 7]
        if status.active_state != "inactive":
            told.append("failed")
        elif tested and condition is False:
            told.append("condition")
        elif tested and assertion is False:
            told.append("assertion")
        elif result == "exec-condition":
            told.append("condition")
        elif type_ == "oneshot" and result == "success":
            told.append("finished")
        else:
            told.append("condition" if not tested and (conditions or commands) else "failed")
    return told


def report_jobs(
    ctx: Context, job_type: str, bad: t.Sequence[tuple[str, t.Any, t.Any]], deaths: Deaths | None = None
) -> SystemdError:
    """The error for jobs that were refused or did not end well.

    :param bad: (unit, its Job or None, the job's result, `unfinished`, or the CallFailed with which it was refused).
    :param deaths: a `Deaths` with the first death of services that systemd may have started again since.
    """
    failures = []
    for number, (name, job, result) in enumerate(bad):
        entry: Failure = {"unit": name, "job": {"id": job.id if job else None, "type": job_type}}
        if isinstance(result, CallFailed):
            error = explain(result, f"{job_type} {name}")
            if isinstance(error, NotPermitted):
                return error
            entry["job"]["result"] = "refused"
            entry["reason"] = error.msg
        else:
            entry["job"]["result"] = result
        failures.append(_look_at(ctx, entry, number < _MOST_UNITS, deaths))
    return _report(failures, ctx, job_type)


def report_unhealthy(ctx: Context, names: t.Sequence[str], job_type: str, deaths: Deaths | None = None) -> UnitsFailed:
    """The error for units that were started but did not stay up; `deaths` as for `report_jobs`."""
    failures = []
    for number, name in enumerate(names):
        entry: Failure = {"unit": name, "job": {"id": None, "type": job_type, "result": "done"}}
        failures.append(_look_at(ctx, entry, number < _MOST_UNITS, deaths))
    return _report(failures, ctx, job_type)


def _report(failures: list[Failure], ctx: Context, job_type: str) -> UnitsFailed:
    error = UnitsFailed(together(failures, [screen(entry, ctx.timeout) for entry in failures[:_MOST_UNITS]]), failures=failures)
    tell_times(failures)
    # A job that systemd refused has changed nothing; any other one may have.
    error.changed = bool(ctx.jobs)
    return error


def together(failures: t.Sequence[Failure], screens: t.Sequence[str]) -> str:
    """The text of a report: the screens of the first units, and the names of others."""
    text = "\n".join(screens[:_MOST_UNITS])
    if len(failures) > _MOST_UNITS:
        text += f"\nand {short([entry['unit'] for entry in failures[_MOST_UNITS:]], 6)} likewise"
    return text


def tell_times(failures: t.Iterable[Failure]) -> None:
    """Write the times of all lines of log as results have them; screens have to be made before."""
    for record in (record for entry in failures for record in _records(entry)):
        record["usec"], record["time"] = record["time"], rfc3339(record["time"])


def _records(entry: Failure) -> t.Iterator[Entry]:
    """The lines of log in an entry, also of the units that it needs."""
    for each in (entry, *entry.get("failed_dependencies", ())):
        yield from each.get("journal", ())


def _look_at(ctx: Context, entry: Failure, detailed: bool, deaths: Deaths | None) -> Failure:
    """Fill in what systemd knows of the unit; where it died and was started again since, as of then."""
    manager, name = ctx.manager, entry["unit"]
    path = object_path(name)
    unit, special = manager.all_properties([(path, UNIT), (path, interface_of(name))])
    until = None
    if deaths is not None and deaths.look() and name in deaths.found:
        unit.update(deaths.found[name].unit)
        # It had not been started again by then.
        special.update(deaths.found[name].service, NRestarts=0)
        if special.get("ExecMainExitTimestamp"):
            until = special["ExecMainExitTimestamp"] + special.get("RestartUSec", 0)
    describe(entry, unit, special, manager.uid)
    if entry["job"]["result"] == "canceled":
        others = {*unit.get("Conflicts", ()), *unit.get("ConflictedBy", ())}
        mine = sorted({job.unit for job, _result in ctx.jobs if job.unit in others})
        if mine:
            entry["conflicts"] = mine
    if entry["job"]["result"] == "dependency" and detailed:
        entry["failed_dependencies"] = [
            needed(status) for status in manager.status(needs(unit)) if not is_up(status.active_state)
        ]
    invocation = bytes(unit.get("InvocationID") or b"").hex()
    is_unmet = "unmet_conditions" in entry or "unmet_assertions" in entry
    if not invocation and detailed and not is_unmet and (entry["active_state"], entry["job"]["result"]) == ("inactive", "done"):
        # It ended without an error and nothing needs it, so systemd has forgotten it (see `why_down`). The journal has not.
        unit["InactiveExitTimestamp"] = _jobs_begun(ctx)
        invocation = _invocation(name, unit["InactiveExitTimestamp"], manager.uid)
    if invocation and entry["job"]["result"] not in ("dependency", "refused"):
        entry["invocation_id"] = invocation
        if detailed:
            entry["journal"] = _journal(invocation, name, begun_at(unit, special), manager.uid, until)
    elif detailed and entry.get("failed_dependencies"):
        first = entry["failed_dependencies"][0]
        path = object_path(first["unit"])
        value, begun = manager.properties([(path, UNIT, "InvocationID"), (path, UNIT, "InactiveExitTimestamp")])
        if value:
            first["invocation_id"] = bytes(value).hex()
            first["journal"] = _journal(first["invocation_id"], first["unit"], begun or 0, manager.uid)
    if _was_not_tried(ctx, entry, unit):
        reason = hindered_by(manager.status(unit.get("Triggers", ())), listens=special.get("Accept") is False)
        if reason:
            entry["reason"] = reason
        else:
            entry["start_limit"] = {"burst": unit["StartLimitBurst"], "interval_usec": unit["StartLimitIntervalUSec"]}
    return entry


def describe(entry: Failure, unit: dict[str, t.Any], special: dict[str, t.Any], uid: int | None) -> None:
    """Fill in what follows from what systemd tells of a unit, but for what it needs and its log.

    :param entry: has `unit` and `job`.
    :param unit: the properties of the unit.
    :param special: those of the interface of its type.
    :param uid: as for `invocation_matches`.
    """
    entry["load_state"] = unit.get("LoadState", "")
    entry["active_state"] = unit.get("ActiveState", "")
    entry["sub_state"] = unit.get("SubState", "")
    entry["result"] = special.get("Result", "")
    load_error = unit.get("LoadError") or ("", "")
    if load_error[0]:
        entry["load_error"] = load_error[1]
    if special.get("StatusText"):
        entry["status_text"] = special["StatusText"]
    if special.get("NRestarts"):
        entry["n_restarts"] = special["NRestarts"]
    if entry["job"]["result"] != "refused":
        _exit(entry, special)
    conditions = unmet("Condition", unit.get("Conditions") or (), unit, entry, uid)
    if conditions:
        entry["unmet_conditions"] = conditions
    assertions = unmet("Assert", unit.get("Asserts") or (), unit, entry, uid)
    if assertions:
        entry["unmet_assertions"] = assertions
    if entry["active_state"] == "inactive" and entry["job"]["result"] in ("done", "skipped"):
        commands = _unmet_commands(unit, special)
        if commands:
            entry["unmet_conditions"] = entry.get("unmet_conditions", []) + commands


def needs(unit: dict[str, t.Any]) -> list[str]:
    """The units without which systemd does not start this one."""
    return sorted({*unit.get("Requires", ()), *unit.get("BindsTo", ()), *unit.get("Requisite", ())})


def needed(status: UnitStatus) -> Needed:
    """An entry of `failed_dependencies`."""
    return {"unit": status.id, "load_state": status.load_state, "active_state": status.active_state}


def begun_at(unit: dict[str, t.Any], service: dict[str, t.Any]) -> int:
    """When the invocation began, in microseconds since 1970; 0 where that is not known.

    InactiveExitTimestamp tells it, but a service that waits to be restarted (`auto-restart`) has left `inactive` once more
    for that, so there the first of its processes counts.
    """
    begun = int(unit.get("InactiveExitTimestamp") or 0)
    if str(unit.get("SubState", "")).startswith("auto-restart"):
        starts = [row[3] for name in _COMMANDS for row in service.get(name, ())]
        return min(filter(None, (begun, *starts, service.get("ExecMainStartTimestamp"))), default=0)
    return begun


def _jobs_begun(ctx: Context) -> int:
    """When the last jobs were enqueued, in microseconds since 1970, as the journal tells times."""
    return int((time.time() - time.monotonic() + ctx.jobs_begun) * 1e6)


def _was_not_tried(ctx: Context, entry: Failure, unit: dict[str, t.Any]) -> bool:
    """Whether systemd refused to start the unit at all, so that what its Result tells is of an earlier time."""
    if entry["job"]["result"] != "failed" or not is_down(entry["active_state"]):
        return False
    if not unit.get("StartLimitBurst") or unit.get("InactiveExitTimestampMonotonic", 0) >= ctx.jobs_begun * 1e6:
        return False
    if entry["result"] != "resources":
        return True
    # A unit that lacks what it needs (a file of EnvironmentFile=, a free address) fails without ever leaving `inactive`.
    begun = _jobs_begun(ctx)
    return any(TOO_OFTEN in line["message"] and line["time"] >= begun for line in entry.get("journal", ()))


def hindered_by(triggered: t.Sequence[UnitStatus], listens: bool) -> str:
    """Why a socket, timer or path is refused on account of the unit that it starts; empty where that is not the reason.

    :param listens: it is a socket that its service takes over (one with Accept=yes keeps it, however many services run).
    """
    for status in triggered:
        if status.load_state != "loaded":
            return f"{status.id}, which it starts, is {status.load_state}; put that in place first"
        if listens and not is_down(status.active_state):
            return f"{status.id}, which it starts, runs already, so that it cannot listen; stop that first"
    return ""


def _unmet_commands(unit: dict[str, t.Any], service: dict[str, t.Any]) -> list[str]:
    """The commands of ExecCondition= that kept a service from being started; all of them, where systemd has forgotten."""
    rows = list(service.get("ExecCondition", ()))
    if service.get("Result") == "exec-condition":
        rows = [row for row in rows if row[8] == 1 and row[9]]
    elif unit.get("ConditionTimestamp"):
        rows = []
    return [f"ExecCondition={' '.join(row[1])}" for row in rows]


def _exit(entry: Failure, service: dict[str, t.Any]) -> None:
    """What became of the main process, or of the control process (ExecStartPre= and the like) that failed instead."""
    commands = list(service.get("ExecStart", ()))
    end, pid = exit_of(service), service.get("ExecMainPID", 0)
    if commands:
        entry["command"] = " ".join(commands[0][1])
    # Where a command beside the main process fails, systemd terminates that.
    swept = (end.signal and entry["result"] == "exit-code") or (
        end.signal == "SIGTERM" and not end.core_dumped and entry["result"] in ("signal", "core-dump")
    )
    if swept or not end.code or end.is_success:
        kinds = ["ExecCondition", "ExecStartPre", *([] if swept else ["ExecStart"]), "ExecStartPost"]
        # A reload that failed earlier is not why the unit is down now.
        kinds += ["ExecReload"] if "reload" in entry["job"]["type"] else []
        # What mount and swap units run is their main process.
        for kind in (*kinds, *_MAIN_OF_OTHERS):
            for row in service.get(kind, ()):
                its = Exit(row[8], row[9])
                if its.signal or (its.status and not row[2]):
                    entry["command"] = " ".join(row[1])
                    if kind not in _MAIN_OF_OTHERS:
                        entry["failed_setting"] = kind
                    end, pid = its, row[7]
    if not end.code:
        return
    entry["pid"] = pid
    if end.signal:
        entry["signal"], entry["core_dumped"] = end.signal, end.core_dumped
    else:
        entry["exit_code"] = end.status
        if end.meaning:
            entry["exit_status"] = end.meaning
    begun, ended = service.get("ExecMainStartTimestampMonotonic", 0), service.get("ExecMainExitTimestampMonotonic", 0)
    if "failed_setting" not in entry and ended > begun:
        entry["ran_seconds"] = round((ended - begun) / 1e6, 3)


def _invocation(unit: str, since: int, uid: int | None) -> str:
    """The last invocation of a unit since then, from the journal; empty where it tells of none."""
    sync_journal()
    try:
        return newest_invocation_of(unit, since, uid)
    except SystemdError:
        return ""


def _journal(
    invocation: str, unit: str, begun: int, uid: int | None, until: int | None = None
) -> list[Entry]:
    """The last lines of the log of one invocation; none where the log cannot be read, which is not what failed."""
    # The last words of a service that died just now may still be on their way.
    sync_journal()
    try:
        return last_lines_of(invocation, unit, begun, LOG_LINES, uid, until)
    except SystemdError:
        return []


def screen(entry: Failure, timeout: float) -> str:
    """What is told of a unit as text, before `tell_times`.

    :param timeout: seconds that the job was given.
    """
    lines = [_headline(entry, timeout)]
    job = entry["job"]
    number = f" (job {job['id']})" if job["id"] is not None and job["result"] == "unfinished" else ""
    lines.append(f"  job       {job['type']}: {job['result']}{number}")
    state = f"{entry['active_state']} ({entry['sub_state']})" if entry["active_state"] else entry["load_state"]
    if entry["result"] not in ("", "success"):
        state += f", Result: {entry['result']}"
    if "exit_code" in entry or "signal" in entry:
        which = f"{entry['failed_setting']}= process" if "failed_setting" in entry else "main process"
        state += f", {which} {entry['pid']} {told(entry.get('exit_code'), entry.get('signal'), entry.get('core_dumped', False))}"
    if entry.get("n_restarts"):
        state += f", restarted {entry['n_restarts']} times"
    lines.append(f"  unit      {state}")
    if entry.get("command"):
        lines.append(f"  command   {entry['command']}")
    if entry.get("status_text"):
        lines.append(f"  status    {entry['status_text']}")
    lines += [f"  condition {unmet} is not met" for unmet in entry.get("unmet_conditions", ())]
    lines += [f"  assertion {unmet} is not met" for unmet in entry.get("unmet_assertions", ())]
    if entry.get("load_error"):
        lines.append(f"  load      {entry['load_error']}")
    log, whose = entry.get("journal"), f"this invocation ({entry.get('invocation_id', '')[:8]}...)"
    for dependency in entry.get("failed_dependencies", ()):
        is_there = dependency["load_state"] in ("", "loaded")
        lines.append(f"  needs     {dependency['unit']}, which is {dependency['active_state' if is_there else 'load_state']}")
        if dependency.get("journal"):
            log, whose = dependency["journal"], dependency["unit"]
    if log:
        lines.append(f"  log of {whose}:")
        for record in log:
            clock = time.strftime("%H:%M:%S", time.localtime(record["time"] / 1e6))
            lines.append(f"    {clock} {record['message']}")
    return "\n".join(lines)


def _headline(entry: Failure, timeout: float) -> str:
    name, kind, result = entry["unit"], entry["job"]["type"], entry["job"]["result"]
    if result == "refused":
        return f"{name}: {entry['reason']}"
    if result == "unfinished":
        return (
            f"{name}: {kind} did not end within {timeout:g} s; systemd goes on with the job. "
            "Give more time in `timeout`, or do not wait with `wait: false`"
        )
    if entry.get("conflicts"):
        return (
            f"{name}: {kind} was canceled by that of {short(entry['conflicts'])} in the same task, with which it "
            "conflicts (Conflicts=); leave out one of them"
        )
    if result == "canceled":
        return f"{name}: {kind} was canceled, because somebody asked systemd for the opposite meanwhile"
    if result == "frozen":
        return f"{name}: systemd cannot {kind} what is frozen; thaw it first, with pidone.systemd.unit and `state: thawed`"
    if "reason" in entry:
        return f"{name} was not started: {entry['reason']}"
    if "start_limit" in entry:
        limit = entry["start_limit"]
        return (
            f"{name} was not started again: it was started {limit['burst']} times within "
            f"{format_timespan(limit['interval_usec'])} already (StartLimitBurst=); `reset_failed: true` forgets that"
        )
    if result == "unsupported":
        return f"{name}: systemd cannot {kind} a unit of this type on this host"
    if result == "dependency":
        return f"{name} was not started, because a unit that it requires is not up"
    if entry.get("unmet_conditions"):
        return (
            f"{name} was skipped: a condition of the unit is not met on this host "
            "(with `allow_skipped: true` that is accepted)"
        )
    if entry.get("unmet_assertions"):
        return f"{name} was not started: an assertion of the unit is not met on this host"
    if result == "done" and kind != "stop":
        ran = f", ran {entry['ran_seconds']:g} s" if "ran_seconds" in entry else ""
        ended = " and exited" if "exit_code" in entry else " and was killed" if "signal" in entry else ""
        if not ended and entry["active_state"] == "inactive" and "journal" in entry:
            ended = " and ended without an error"
        return f"{name} did not stay up: it was {_past(kind)}{ran}{ended}"
    return f"{name}: {kind} failed"


def _past(kind: str) -> str:
    return {"start": "started", "reload": "reloaded"}.get(kind, "restarted" if "restart" in kind else kind)
