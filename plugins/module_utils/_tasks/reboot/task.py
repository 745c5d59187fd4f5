# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `reboot` module's task, on the host: it is run several times, for what the action on the controller asks (`Asked`).

First it looks, and nothing is changed; then it asks for the reboot; and of the host that answers again it says whether that has
booted anew and, once startup has come to its end, what is worse than before.
"""

from __future__ import annotations

import json
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import luggage
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session
from ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log import boot_id
from ansible_collections.pidone.systemd.plugins.module_utils._errors import (
    BadInput,
    SystemdError,
    become_hint,
    plain,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT, NotPermitted, explain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import read_text
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.shutdown import Seen, open_logind
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.times import rfc3339
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.reboot.options import Options, read_options
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.reboot.units import (
    Worse,
    look_after,
    look_before,
    reason,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import Failure
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.reboot.units import Before

    class Boot(t.TypedDict):
        """What tells one boot from another."""

        # Of the kernel, or of a container.
        id: str
        # When this PID 1 began, in microseconds; a soft reboot changes that alone, and a daemon-reexec does not.
        userspace: int

    class Asked(t.TypedDict, total=False):
        """What the action plugin asks for beside the options, as JSON in `luggage["reboot"]`."""

        # `look`, `request` or `after`.
        phase: str
        # For `after`: what `look` told, and how many seconds there are.
        boot: Boot
        units: Before
        seconds: float


# Seconds for each answer; with nobody to be waited for, systemd answers at once.
_PATIENCE = 60.0
# Seconds that units which nothing starts any more are given to come up all the same, as by a timer, a path or a restart.
_GRACE = 3.0
_TARGETS = {"reboot": "reboot.target", "soft-reboot": "soft-reboot.target", "kexec": "kexec.target"}
_STARTED = ("running", "degraded", "maintenance")


def converge(module: Module) -> dict[str, t.Any]:
    """Do what the action plugin asks for; returns the module's result."""
    options = read_options(module.params)
    asked: Asked = json.loads(luggage.get("reboot") or "{}")
    phase = asked.get("phase", "")
    with open_session({"scope": "system"}, _PATIENCE, module=module) as session:
        if phase == "after":
            return after(session.manager, options, asked["boot"], asked["units"], asked["seconds"])
        return _before(module, session, options, phase)


# -- before


def _before(module: Module, session: Session, options: Options, phase: str) -> dict[str, t.Any]:
    manager, jeepney = session.manager, import_jeepney()
    _check_method(manager, options.method)
    if options.removes is not None and not HOST.exists(options.removes):
        return {"changed": False, "msg": f"not rebooted, since there is no {options.removes}", "needed": False}
    if not phase and not module.check_mode:
        raise SystemdError(
            "a part of this module is its action plugin, which waits for the host on the controller and was not there; run the module "
            "under its full name, pidone.systemd.reboot"
        )
    logind = open_logind(jeepney)
    seen = None
    if logind is not None:
        with logind:
            seen = logind.look()
    warnings = _check(options, manager.manager_property("SystemState"), seen, module.check_mode)
    step = Request(options, jeepney, seen is not None)
    changes = [Change("boot", "this one", "the next one")]

    def plan() -> Plan:
        return Plan([step], changes)

    result: dict[str, t.Any] = {"changed": True, "warnings": warnings, "needed": True}
    if phase == "request":
        try:
            bring_about(module, session, plan)
        except SystemdError as e:
            e.data.update(requested=step.sent)
            raise
    elif module.check_mode:
        made, _ctx, _changed = bring_about(module, session, plan)
        result.update(made.report(module._diff))
    else:
        result.update(plan().report(module._diff))
    if phase != "request":
        result.update(
            boot={"id": boot_id(), "userspace": manager.manager_property("UserspaceTimestampMonotonic") or 0},
            units=look_before(manager),
            inhibitors=seen.inhibitors if seen else [],
        )
        if seen is not None and seen.planned is not None:
            result["scheduled_shutdown"] = {"type": seen.planned["type"], "time": rfc3339(seen.planned["usec"])}
    return result


def _check_method(manager: UnitManager, method: str) -> None:
    """Whether the host can reboot like that."""
    if method == "soft-reboot" and manager.status([_TARGETS[method]])[0].load_state == "not-found":
        raise BadInput(
            f"method: systemd {manager.version() or 'of this host'} has no soft-reboot, which came with 254; use `reboot`"
        )
    if method == "kexec" and (read_text("/sys/kernel/kexec_loaded") or "").strip() != "1":
        raise BadInput(
            "method: no kernel is loaded that kexec could start; load one before, as with `kexec --load`, or use `reboot`"
        )


def _check(options: Options, state: str, seen: Seen | None, check_mode: bool) -> list[str]:
    """Whether it may be now; returns what is to be told beside it.

    :raises SystemdError: the host shuts down already, this user may not, or somebody inhibits it. Of what is so for a while only,
        check mode warns.
    """
    method = options.method
    warnings: list[str] = []
    problems: list[str] = []
    if state == "stopping" or (seen is not None and seen.prepares):
        problems.append(f"cannot {method}: the host is shutting down already")
    if seen is None:
        if options.before:
            raise BadInput("pre_reboot_delay: only logind can plan a reboot, and there is none on this host; leave it out")
        return _told(problems, warnings, check_mode)
    if seen.permitted in ("no", "challenge") and become_hint():
        raise NotPermitted(f"not permitted to {method}{become_hint()}")
    if seen.planned is not None:
        warnings.append(
            f"a shutdown ({plain(seen.planned['type'])}) is scheduled for {rfc3339(seen.planned['usec'])}, "
            + ("in the place of which this one is put" if options.before else "which this one comes before")
        )
    if seen.blocking and not options.ignore_inhibitors:
        who = "; ".join(
            f"{plain(each['who'])} (user {plain(each['user'])}, process {each['pid']}): {plain(each['why'])}" for each in seen.blocking[:5]
        )
        more = f"; and {len(seen.blocking) - 5} more" if len(seen.blocking) > 5 else ""
        problems.append(f"cannot {method}: it is inhibited by {who}{more}; wait for that, or set `ignore_inhibitors: true`")
    return _told(problems, warnings, check_mode)


def _told(problems: list[str], warnings: list[str], check_mode: bool) -> list[str]:
    if problems and not check_mode:
        raise SystemdError(problems[0])
    return [*warnings, *(f"as it is now, the task would fail: {problem}" for problem in problems)]


class Request(Step):
    """Ask for the reboot: logind, or the manager where that is not there."""

    # Whether it was asked for: from then on the host may go down at any time.
    sent = False

    def __init__(self, options: Options, jeepney: tuple[t.Any, t.Any], has_logind: bool) -> None:
        super().__init__((options.method,))
        self._options, self._jeepney, self._has_logind = options, jeepney, has_logind

    def describe(self) -> str:
        method, delay = self._options.method, self._options.before
        return f"{method} in {format_timespan(int(delay * 1e6))}" if delay else method

    def apply(self, ctx: Context) -> bool:
        options = self._options
        logind = open_logind(self._jeepney) if self._has_logind else None
        if logind is not None:
            with logind:
                self.sent = True
                try:
                    if logind.reboot(options.method, options.message, options.ignore_inhibitors, options.before):
                        return True
                except (BusTimeout, BusUnreachable):
                    # Nobody knows whether it was heard.
                    raise
                except SystemdError:
                    self.sent = False
                    raise
        self.sent = True
        (asked,) = ctx.manager.enqueue([(_TARGETS[options.method], "start")], "replace-irreversibly")
        if asked.error is not None:
            self.sent = False
            raise explain(asked.error, options.method)
        return True


# -- after


def after(manager: UnitManager, options: Options, old: Boot, units: Before, seconds: float) -> dict[str, t.Any]:
    """Wait for the end of startup, and compare; returns what has come of it.

    Keys: `boot`, `old` (whether it is still the boot of before), `state` (SystemState); of an old one `stopping`, of a new one `finished`
    and, where startup has not, `jobs`; else `lost`, `newly_failed`, `failures` and `report`, the last two where anything is worse.

    :param seconds: for all of it.
    """
    deadline = time.monotonic() + seconds
    userspace, state = manager.manager_properties(["UserspaceTimestampMonotonic", "SystemState"])
    now: Boot = {"id": boot_id(), "userspace": userspace or 0}
    is_old = now == old if options.method == "soft-reboot" else now["id"] == old["id"]
    found: dict[str, t.Any] = {"changed": False, "boot": now, "old": is_old, "state": state}
    if is_old:
        return {**found, "stopping": state == "stopping" or _prepares()}
    pause = 0.05
    while state not in _STARTED and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
        state = manager.manager_property("SystemState")
    found.update(state=state, finished=state in _STARTED)
    if not found["finished"]:
        jobs = sorted(f"{job['unit']} ({job['type']})" for job in manager.list_jobs() if job["state"] == "running")
        return {**found, "jobs": jobs}
    worse = _settled(manager, options, units, deadline)
    found.update(state=manager.manager_property("SystemState"), lost=[], newly_failed=[])
    if worse:
        found.update(_explained(manager, worse, now["userspace"]))
    return found


def _prepares() -> bool:
    """Whether logind is about to shut the host down, or waits for the time that it was told."""
    logind = open_logind(import_jeepney())
    if logind is None:
        return False
    with logind:
        seen = logind.look()
    return seen is not None and (seen.prepares or seen.planned is not None)


def _settled(manager: UnitManager, options: Options, units: Before, deadline: float) -> Worse:
    """What is worse once nothing of it gets better any more, or all has been well for as long as it has to be."""
    since: float | None = None
    was_worse = None
    pause = 0.1
    while True:
        worse = look_after(manager, units, options.ignored)
        now = time.monotonic()
        if since is None or bool(worse) is not was_worse or (worse and not worse.settled):
            since, was_worse = now, bool(worse)
        if now - since >= (_GRACE if worse else options.settle) or now >= deadline:
            return worse
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)


def _explained(manager: UnitManager, worse: Worse, userspace: int) -> dict[str, t.Any]:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_units

    lost = {status.id: status for status in worse.lost}
    states = dict(zip(lost, manager.unit_file_states(list(lost))))
    missing = {name: _missing(manager, status.path) for name, status in lost.items() if status.active_state == "inactive"}

    def tell(entry: Failure) -> str:
        name = entry["unit"]
        if name not in lost:
            return "has failed"
        unmet = bool(entry.get("unmet_conditions"))
        ran = bool(entry.get("invocation_id"))
        return reason(lost[name], states[name], missing.get(name, ()), unmet, ran)

    ctx = Context(manager, _PATIENCE)
    ctx.jobs_begun = userspace / 1e6
    names = [(name, "dependency" if missing.get(name) else "done") for name in lost]
    failures, report = report_units(ctx, names + [(status.id, "done") for status in worse.failed], tell)
    return {
        "lost": list(lost),
        "newly_failed": [status.id for status in worse.failed],
        "failures": [{key: value for key, value in entry.items() if key != "job"} for entry in failures],
        "report": report,
    }


def _missing(manager: UnitManager, path: str) -> list[str]:
    """What a unit requires and is not up, but for its slice, which is up for as long as something in it is."""
    needs = manager.properties([(path, UNIT, name) for name in ("Requires", "BindsTo", "Requisite")])
    names = sorted({name for each in needs for name in each or () if unit_type(name) != "slice"})
    return [status.id for status in manager.status(names) if is_down(status.active_state)]
