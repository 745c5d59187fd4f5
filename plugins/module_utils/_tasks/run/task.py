# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `run` module's task: what is there already, and what is to be run."""

from __future__ import annotations

import math
import os
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_through
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import (
    Change,
    Context,
    Plan,
    Step,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import ResetFailed
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import acting_as
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.outcome import (
    Interrupted,
    Outcome,
    Taken,
    read_exit,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.request import (
    Request,
    build,
    check_options,
    words_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.service import (
    RunService,
    StartTimer,
    next_elapse,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


def run(module: Module) -> dict[str, t.Any]:
    """Run a command as the module's options say; returns the module's result."""
    params = module.params
    check_options(params)
    session = open_session(params, timeout=math.inf, on_bus=True, module=module)
    # What the user may not see, the task does not tell.
    with acting_as(session.account):
        skipped = _skip(params)
    if skipped:
        return {"changed": False, "rc": 0, "msg": skipped, "cmd": words_of(params["command"])}
    with session:
        manager = session.manager
        request = build(params, manager, module.check_mode)
        existing = _existing(manager, request)
        if existing is not None:
            return existing
        outcome = Outcome()
        plan = _plan(session, request, params, outcome)
        # Without `failed`, ansible-core would take every rc but 0 for a failure, also where the unit's settings do not.
        result: dict[str, t.Any] = {"failed": False, "warnings": [*request.warnings, *plan.warnings]}
        result.update(changed=plan.changed, name=request.name, cmd=request.argv, **plan.report(module._diff))
        if request.timer:
            result["timer"] = request.timer
        if module.check_mode:
            return result
        ctx = Context(manager, request.timeout or 90.0)
        with _interruptible():
            try:
                result["changed"] = carry_through(module, plan, ctx)
            except Taken:
                # Somebody was faster; it may have been the same task, elsewhere.
                existing = _existing(manager, request)
                if existing is None:
                    raise
                return existing
            except SystemdError as e:
                e.data = {**{key: result[key] for key in ("name", "cmd")}, **outcome.facts, **e.data}
                raise
            finally:
                if ctx.manager is not manager:
                    ctx.manager.connection.close()
        result["warnings"] += ctx.warnings
        result.update(outcome.facts)
    return result


@contextmanager
def _interruptible() -> t.Iterator[None]:
    """Within it, a signal that would end this process raises Interrupted, so that the unit is stopped first."""
    import signal

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted(f"interrupted by {signal.Signals(number).name}")

    before: dict[int, t.Any] = {}
    try:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            before[number] = signal.signal(number, interrupt)
        yield
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)


def _skip(params: dict[str, t.Any]) -> str:
    """Why nothing is to be run, by `creates` and `removes`; empty where it is."""
    import glob

    for option, wanted in (("creates", True), ("removes", False)):
        pattern = params[option]
        if pattern is None:
            continue
        path = os.path.join(params["working_directory"] or "", pattern)
        if bool(glob.glob(path)) is wanted:
            return f"did not run the command, since {pattern} {'exists' if wanted else 'does not exist'}"
    return ""


# -- what is there already


def _existing(manager: UnitManager, request: Request) -> dict[str, t.Any] | None:
    """The result where the unit is there already and is the same; None where it is to be made.

    :raises BadInput: the name is another unit's.
    """
    if request.made_up:
        return None
    names = [request.name, *([request.timer] if request.timer else [f"{request.name.rpartition('.')[0]}.timer"])]
    service, timer = manager.status(names)
    there = [service, timer] if request.timer or not is_down(timer.active_state) else [service]
    for status in there:
        if status.load_state == "not-found":
            continue
        transient, path = manager.properties([(status.path, UNIT, name) for name in ("Transient", "FragmentPath")])
        if status.load_state == "masked":
            raise BadInput(f"name: {status.id} is masked on this host; unmask it, or choose another name")
        if not transient:
            where = f" ({path})" if path else ""
            raise BadInput(f"name: there is a unit {status.id}{where} on this host already; choose another name")
    up = [status for status in there if not is_down(status.active_state)]
    if request.scope and up == [service] and service.active_state == "active":
        from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.scope import is_empty

        request.is_left = is_empty(manager, service.id)
        if request.is_left:
            return None
    request.failed = [status.id for status in there if status.active_state == "failed"]
    if not up:
        return None
    if not request.mark or not _has_mark(manager, service, request.mark):
        raise BadInput(
            f"name: {up[0].id} is there already ({up[0].active_state}, {up[0].sub_state}) and was made with other options; "
            f"stop it first (pidone.systemd.unit with `state: stopped`), or choose another name"
        )
    facts: dict[str, t.Any] = {"changed": False, "failed": False, "name": request.name, "cmd": request.argv}
    if request.timer:
        facts["timer"] = request.timer
        facts["next_elapse"] = next_elapse(manager, request.timer)
    facts["msg"] = f"{up[0].id} is there already, with the same options"
    facts.update(active_state=up[0].active_state, sub_state=up[0].sub_state)
    if service.sub_state == "exited":
        facts.update(read_exit(manager, service.id))
    return facts


def _has_mark(manager: UnitManager, service: t.Any, mark: str) -> bool:
    fields = manager.properties([(service.path, SERVICE, "LogExtraFields")])[0] or ()
    return mark.encode() in [bytes(field) for field in fields]


# -- the plan


def _plan(session: Session, request: Request, params: dict[str, t.Any], outcome: Outcome) -> Plan:
    steps: list[Step] = []
    if request.failed:
        steps.append(ResetFailed(request.failed))
    if request.scope:
        from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.scope import EndScope, RunInScope

        if request.is_left:
            steps.append(EndScope(request.name))
        steps.append(RunInScope(request, params, outcome))
    elif request.timer:
        steps.append(StartTimer(request, outcome))
    else:
        steps.append(RunService(request, session.connect, outcome))
    command = request.command_line
    change = Change(request.shown, "not there", f"{request.when}: {command}" if request.when else f"ran {command}")
    if not request.when and not request.wait:
        change = Change(request.shown, "not there", f"runs {command}")
    return Plan(steps, [change])
