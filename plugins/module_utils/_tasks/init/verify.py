# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the first boot of systemd: whether all that ran before runs again, in the same way."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import compare
from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import in_cgroup, snapshot
from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import (
    ephemeral_ports,
    is_passing,
    listeners,
)
from ansible_collections.pidone.systemd.plugins.module_utils._sources import load, names
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_active, is_changing

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import Difference
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import Snapshot
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import Listener

    class _Moved(t.TypedDict, total=False):
        # Records of earlier versions have none.
        source: str

    class Moved(_Moved):
        """A service of the record: what it was, and what was asked of it, before the host booted systemd."""

        name: str
        # Its service directory; empty where that was not told.
        path: str
        # At least one.
        units: list[str]
        # Whether that is a unit of the host.
        packaged: bool
        accept: list[str]
        # Whether it would have come up with the next boot of the old init.
        wanted: bool
        # None where it did not run.
        before: Snapshot | None

    class _Unit(t.TypedDict, total=False):
        # Only until all are looked at: the unit that is looked at, and whether that is why it failed.
        unit: str
        down: bool

    class Told(_Unit):
        """A service as `init_handover` returns it, which is the form in which `service_handover` does."""

        name: str
        outcome: str
        message: str
        units: list[str]
        before: Snapshot | None
        after: Snapshot | None
        differences: list[Difference]
        # None where nothing could be compared.
        parity: bool | None
        seconds: float | None


_PAUSE = 0.1
# Seconds that programs get to open their sockets, beyond the time to settle.
_LISTEN = 30.0


class Seen(t.NamedTuple):
    """What is asked of each unit."""

    active: str
    sub: str
    pid: int
    restarts: int
    result: str
    kind: str
    cgroup: str
    condition: bool
    loaded: str


def verify(
    services: t.Sequence[Moved],
    before: t.Mapping[str, Listener],
    ctx: Context,
    settle: float,
    accept: t.Sequence[str],
) -> tuple[list[Told], list[Difference]]:
    """Compare services and sockets with what they were.

    :param services: those of the record.
    :param before: the listeners of the record.
    :param settle: seconds for which services have to stay up.
    :param accept: kinds of differences that are no reason to go back; also `SERVICE:KIND`, and sockets by their names.
    :returns: the services in the form in which `service_handover` returns them, and differences of the host.
    """
    deadline = ctx.deadline()
    _await_boot(ctx, deadline)
    names = [name for service in services for name in service["units"]]
    first = _settled(ctx, names, deadline)
    # From the last start on, and not from now: a host that booted a minute ago has settled.
    time.sleep(max(0.0, min(settle - _up_for(ctx), deadline - time.monotonic())))
    began = time.monotonic()
    while True:
        second = _look(ctx, names)
        told = [_service(service, first, second, accept) for service in services]
        host = _host(before, accept, _of_any_user(services))
        if not _only_sockets(told, host) or time.monotonic() > min(began + _LISTEN, deadline):
            break
        time.sleep(5 * _PAUSE)
    failed = [one["unit"] for one in told if one["outcome"] == "failed" and one["down"]]
    reasons = _reasons(ctx, failed)
    for one in told:
        if one.pop("down") and one["unit"] in reasons:
            one["message"] = reasons[one["unit"]]
        one.pop("unit")
    return told, host


def _only_sockets(told: t.Sequence[Told], host: t.Sequence[Difference]) -> bool:
    """Whether all that is missing are sockets, which a program may yet open."""
    worse = [difference for one in told for difference in one["differences"] if difference["worse"]]
    if any(one["outcome"] == "failed" and not one["differences"] for one in told):
        return False
    if any(one["what"] != "sockets" for one in worse):
        return False
    return bool(worse) or any(one["worse"] and not one["after"] for one in host)


def _await_boot(ctx: Context, deadline: float) -> None:
    """Wait until systemd calls the boot over: running, degraded, or whatever a person has to look at."""
    while True:
        state = ctx.manager.manager_property("SystemState")
        if state not in ("initializing", "starting"):
            return
        if time.monotonic() > deadline:
            waiting = ", ".join(sorted(str(job.get("unit", "")) for job in ctx.manager.list_jobs())[:5])
            raise SystemdError(
                f"systemd was still {state} when the time was over; give more in `timeout` (it waits for {waiting})"
            )
        time.sleep(_PAUSE)


def _settled(ctx: Context, names: t.Sequence[str], deadline: float) -> dict[str, Seen]:
    """The units, once none of them is on its way up or down."""
    while True:
        seen = _look(ctx, names)
        moving = [one for one in seen.values() if is_changing(one.active)]
        # A service that systemd starts again and again would be waited for in vain.
        if all(one.sub == "auto-restart" for one in moving) or time.monotonic() > deadline:
            return seen
        time.sleep(_PAUSE)


def _look(ctx: Context, names: t.Sequence[str]) -> dict[str, Seen]:
    if not names:
        return {}
    statuses = ctx.manager.status(names)
    wanted = []
    for name in names:
        path = object_path(name)
        wanted += [(path, SERVICE, key) for key in ("MainPID", "NRestarts", "Result", "Type", "ControlGroup")]
        wanted.append((path, UNIT, "ConditionResult"))
    values = ctx.manager.properties(wanted)
    found = {}
    for index, (name, status) in enumerate(zip(names, statuses)):
        pid, restarts, result, kind, cgroup, condition = values[6 * index : 6 * index + 6]
        found[name] = Seen(
            status.active_state, status.sub_state, pid or 0, restarts or 0, result or "", kind or "", cgroup or "",
            condition is not False, status.load_state,
        )  # fmt: skip
    return found


def _up_for(ctx: Context) -> float:
    """Seconds since the boot was over."""
    finished = ctx.manager.manager_property("FinishTimestampMonotonic") or 0
    return max(0.0, time.clock_gettime(time.CLOCK_MONOTONIC) - finished / 1e6) if finished else 0.0


def _service(
    service: Moved, first: t.Mapping[str, Seen], second: t.Mapping[str, Seen], accept: t.Sequence[str]
) -> Told:
    """One service: up as it was, and the same."""
    name, before = str(service["name"]), service.get("before")
    main = next((one for one in service["units"] if unit_type(one) == "service"), service["units"][0])
    triggers = [one for one in service["units"] if unit_type(one) in ("timer", "socket", "path")]
    seen = second[main]
    told: Told = {
        "name": name,
        "outcome": "handed_over",
        "message": "",
        "units": service["units"],
        "before": before,
        "after": None,
        "differences": [],
        "parity": None,
        "seconds": None,
        "unit": main,
        "down": False,
    }
    problem = _problem(service, main, triggers, first, second)
    if problem:
        told["outcome"], told["message"], told["parity"] = "failed", problem, False if before else None
        told["down"] = seen.loaded == "loaded"
        return told
    if not before or not seen.pid:
        # Nothing that could be compared: a one-shot, a timer, or a service that was down.
        return told
    others = in_cgroup(seen.cgroup) if seen.cgroup else []
    after = snapshot(seen.pid, others)
    told["after"] = after
    if after is None:
        told["outcome"], told["message"], told["parity"] = "failed", f"{main} ended while it was looked at", False
        return told
    mine = [one.partition(":")[2] for one in accept if one.startswith(f"{name}:")]
    mine += [one for one in accept if ":" not in one]
    # Of a record that has no source, the only ones that there were then are meant, which are alike.
    expected = load(service.get("source") or names()[0]).expected(service["path"])
    differences = compare(before, after, {*service.get("accept", ()), *mine}, expected=expected)
    if service.get("packaged"):
        for one in differences:
            if not one["worse"] and not one["expected"] and one["what"] not in mine:
                one.update({"expected": True, "reason": "the unit of the package does it in this way"})
    told["differences"] = differences
    worse = [one for one in differences if one["worse"]]
    told["parity"] = not worse
    if worse:
        told["outcome"] = "failed"
        told["message"] = "; ".join(
            f"{one['what']}: {_short(one['before'])} -> {_short(one['after'])} ({one['reason']})" for one in worse
        )
    return told


def _problem(
    service: Moved,
    main: str,
    triggers: t.Sequence[str],
    first: t.Mapping[str, Seen],
    second: t.Mapping[str, Seen],
) -> str:
    """Why a service is not up as it should be; empty where it is, or where it need not be."""
    seen = second[main]
    if seen.loaded not in ("loaded", "masked") and service["wanted"]:
        return f"{main} is not loaded ({seen.loaded})"
    if not service["wanted"]:
        return ""
    for trigger in triggers:
        if not is_active(second[trigger].active):
            return f"{trigger} is {second[trigger].active} ({second[trigger].sub})"
    if seen.active == "failed" or seen.sub == "auto-restart":
        return f"{main} is {seen.active} ({seen.sub}), result {seen.result}"
    if second[main].restarts > first[main].restarts:
        return f"{main} does not stay up: restarted {seen.restarts} times"
    if triggers or is_active(seen.active):
        return ""
    if not service.get("before") and (seen.kind == "oneshot" or not seen.condition):
        # It did not run at that moment before, either.
        return ""
    if not seen.condition:
        return f"{main} was skipped, since a condition of it is not met"
    if seen.kind == "oneshot" and seen.result == "success":
        return ""
    return f"{main} is {seen.active} ({seen.sub})"


def _reasons(ctx: Context, names: t.Sequence[str]) -> dict[str, str]:
    """What is known of units that are down: exit status, log and so on, in words."""
    if not names:
        return {}
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_unhealthy

    return {name: report_unhealthy(ctx, [name], "start").msg for name in names}


def _of_any_user(services: t.Sequence[Moved]) -> set[str]:
    """The sockets of services that may run as another user now."""
    befores = [service.get("before") for service in services if "user" in service.get("accept", ())]
    return {name for before in befores if before for name in before["sockets"]}


def _host(
    before: t.Mapping[str, Listener], accept: t.Sequence[str], of_any_user: t.Container[str] = ()
) -> list[Difference]:
    """What the whole host listens on, compared."""
    after = listeners(passing=True)
    ports = ephemeral_ports()
    found: list[Difference] = []
    for name, was in before.items():
        kind, _blank, place = name.partition(" ")
        # /dev/log is a link to where journald listens.
        now = after.get(name) or (after.get(f"unix {os.path.realpath(place)}") if kind == "unix" else None)
        accepted = name in accept
        if now is None:
            found.append(_difference(name, _owner(was), "", "nothing listens there any more", not accepted, accepted))
        elif now["user"] != was["user"] and now["pid"] != 1 and os.path.basename(now["name"]) != "systemd-journal":
            # What systemd listens on for others (socket activation, /dev/log) is passed on to them.
            accepted = accepted or name in of_any_user
            found.append(
                _difference(name, _owner(was), _owner(now), "another user listens there", not accepted, accepted)
            )
    for name, now in after.items():
        if name not in before and not is_passing(name, now["pid"], ports):
            found.append(_difference(name, "", _owner(now), "nothing listened there before", False, False))
    return found


def _owner(one: Listener) -> str:
    return f"{one['name']} ({one['user']})"


def _difference(what: str, before: str, after: str, reason: str, worse: bool, accepted: bool) -> Difference:
    return {
        "what": what,
        "before": before,
        "after": after,
        "expected": False,
        "worse": worse,
        "reason": f"{reason}; accepted" if accepted else reason,
    }


def _short(value: t.Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(str(one) for one in value) or "nothing"
    return str(value) or "nothing"
