# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command ended and what it used, as the result tells it, and failures for people."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.exits import exit_of, told
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_changing
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.request import Request

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# What the unit used, under the names of D-Bus; null where this version or its accounting does not tell.
RESOURCES = (
    "CPUUsageNSec", "MemoryPeak", "MemorySwapPeak", "IOReadBytes", "IOWriteBytes", "IPIngressBytes", "IPEgressBytes",
)  # fmt: skip
_EXIT = (
    "Result", "ExecMainCode", "ExecMainStatus", "ExecMainPID", "ExecMainStartTimestamp", "ExecMainExitTimestamp",
    "ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic", "NRestarts",
)  # fmt: skip
# Lines of output in a message, and the characters of each.
_TAIL, _LINE = 10, 400


class RunFailed(SystemdError):
    """The command did not succeed; the data say how it ended and what it printed."""

    changed = True


class Interrupted(SystemdError):
    """A signal asked this process to end."""

    changed = True


class Refused(BadInput):
    """Systemd did not take the unit; nothing was started, and what has its name is somebody else's."""


class Taken(Refused):
    """The name is another unit's, which was not there a moment before."""


class Outcome:
    """How a run ended, as the result tells it, and whether there was a run at all."""

    def __init__(self) -> None:
        self.facts: dict[str, t.Any] = {}
        self.ran = True


def read_exit(manager: UnitManager, name: str, changes: t.Sequence[t.Any] = ()) -> dict[str, t.Any]:
    """How a service ended and what it used.

    :param changes: bodies of PropertiesChanged; what is known of a unit that systemd has forgotten meanwhile.
    """
    path = object_path(name)
    wanted = [(path, UNIT, "Transient"), (path, UNIT, "InvocationID")]
    wanted += [(path, SERVICE, key) for key in (*_EXIT, *RESOURCES)]
    transient, invocation, *values = manager.properties(wanted)
    found = dict(zip((*_EXIT, *RESOURCES), values))
    if not transient:
        found = {}
        for changed_path, body in changes:
            if changed_path == path:
                found.update({key: value[1] for key, value in body[1].items()})
        invocation = found.get("InvocationID")
    facts = exit_facts(found)
    facts["invocation_id"] = bytes(invocation).hex() if invocation else None
    return facts


def halted(changes: t.Sequence[t.Any], name: str, job: int) -> bool:
    """Whether somebody else had the unit stopped: the last time that it went down, it was for a job.

    :param changes: `(path, body)` of PropertiesChanged, in order.
    :param job: the number of the job that started it.
    """
    path, found = object_path(name), False
    for changed_path, body in changes:
        state = body[1].get("ActiveState") if changed_path == path and body[0] == UNIT else None
        if state is not None and is_changing(state[1]):
            number = body[1].get("Job", ("", (0, "")))[1][0]
            found = state[1] == "deactivating" and (found or number not in (0, job))
    return found


def hold_against(facts: dict[str, t.Any], request: Request, was_halted: bool) -> str:
    """Call an end what it is for a command, where systemd calls it a success for a service.

    A daemon that is ended by SIGTERM, SIGHUP, SIGINT or SIGPIPE has done its duty, a command has not, unless SuccessExitStatus=
    lists that end. `result` becomes `signal`, as it is after other signals.

    :param was_halted: whether somebody else stopped the unit.
    :returns: what became of the command, where that is a failure; else empty.
    """
    if facts["result"] not in ("success", "signal") or facts["rc"] is None or request.calls_good(facts["rc"]):
        return ""
    if facts["signal"]:
        facts["result"] = "signal"
        return ended(facts) + (", as its unit was stopped meanwhile" if was_halted else "")
    return "had not ended when its unit was stopped" if was_halted else ""


def exit_facts(found: dict[str, t.Any]) -> dict[str, t.Any]:
    """Properties of a service that has ended, as the result tells them."""
    end = exit_of(found)
    facts: dict[str, t.Any] = {
        "rc": end.rc,
        "signal": end.signal,
        "core_dumped": end.core_dumped,
        "result": found.get("Result") or "",
    }
    begun, ended = found.get("ExecMainStartTimestampMonotonic") or 0, found.get("ExecMainExitTimestampMonotonic") or 0
    facts["started_at"] = iso_time(found.get("ExecMainStartTimestamp") or 0)
    facts["ended_at"] = iso_time(found.get("ExecMainExitTimestamp") or 0)
    facts["run_time"] = round((ended - begun) / 1e6, 6) if ended >= begun > 0 else None
    facts["restarts"] = found.get("NRestarts") or 0
    facts["resources"] = {key: None if found.get(key) in (None, INFINITY) else found[key] for key in RESOURCES}
    return facts


def iso_time(usec: int) -> str | None:
    """A point of time in microseconds since the epoch, as ISO 8601 in UTC; null for 0, which says never."""
    if not usec or usec == INFINITY:
        return None
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(usec // 1_000_000))}.{usec % 1_000_000:06d}Z"


def ended(facts: dict[str, t.Any]) -> str:
    """How a command that did not succeed ended, in a few words."""
    if facts["result"] == "oom-kill":
        return "was killed, because there was not enough memory for it"
    if facts["signal"] or facts["rc"]:
        return told(facts["rc"], facts["signal"], facts["core_dumped"])
    if not facts["result"]:
        return "ended while the connection to systemd was lost, and how it ended is not known"
    return f"failed (Result: {facts['result'] or 'unknown'})"


def screen(headline: str, request: Request, facts: dict[str, t.Any]) -> str:
    """A failure for people, with the last lines that were printed."""
    lines = [headline]
    ran = f", ran {facts['run_time']:g} s" if facts.get("run_time") is not None else ""
    again = f", restarted {facts['restarts']} times" if facts.get("restarts") else ""
    lines.append(f"  unit      {request.name}, Result: {facts.get('result') or 'unknown'}{ran}{again}")
    return "\n".join([*lines, *last_lines(facts)])


def last_lines(facts: dict[str, t.Any]) -> list[str]:
    """The last lines that were printed, long ones shortened."""
    lines = []
    for stream in ("stderr", "stdout"):
        # As much as could be shown, so that not all of a long output is taken apart.
        text = (facts.get(stream) or "")[-4 * _TAIL * _LINE :].splitlines()
        if text:
            lines.append(f"  {stream}{' (its last lines)' if len(text) > _TAIL else ''}:")
            lines += [f"    {line if len(line) <= _LINE else '...' + line[3 - _LINE :]}" for line in text[-_TAIL:]]
    return lines
