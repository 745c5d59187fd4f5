# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `needs_restart` module's task: what still runs replaced files is restarted or re-executed."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.info import packages_for, tell
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.plan import Wish, plan_restarts
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.read import Found, find

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module

# Seconds of the health gate; nobody waits for longer, only by mistake.
_LONGEST = 366 * 86400.0


def converge(module: Module) -> dict[str, t.Any]:
    """Restart what needs it; returns the module's result."""
    wish = wish_from(module.params)
    with open_session(module.params, module=module) as session:
        seen: list[t.Any] = []

        def make_plan() -> Plan:
            found = find(session)
            packages = packages_for(session, found)
            seen[:] = [found, packages]
            return plan_restarts(found, wish, packages)

        plan, ctx, changed = bring_about(module, session, make_plan)
        found, packages = seen
        done = _of_plan(plan)
        if plan.steps and not module.check_mode:
            with session.reading():
                now = find(session)
                packages = {**packages, **packages_for(session, now)}
            again = short(sorted(name for name in _names(now) if name in done))
            if again:
                plan.warnings.append(
                    f"still running files that are not on the disk, after its restart: {again}; where it replaces or removes them itself, "
                    "name it in `exclude`"
                )
        else:
            now = _without(found, done)
    told = tell(found, packages)
    jobs = {job.unit: (job, result) for job, result in ctx.jobs}
    units = [each for each in told["units"] if each["name"] in done]
    for each in units:
        del each["remedy"], each["reason"]
        if each["name"] in jobs:
            job, result = jobs[each["name"]]
            each["job"] = {"id": job.id, "type": job.type, "result": result}
    managers = [each for each in told["managers"] if each["name"] in done]
    for each in managers:
        del each["remedy"], each["reason"]
    left = tell(now, packages, wish.include, wish.exclude)
    return {
        "changed": changed,
        "units": units,
        "managers": managers,
        "left": [each for kind in left for each in left[kind]],
        "warnings": plan.warnings + ctx.warnings,
        **plan.report(module._diff),
    }


def wish_from(params: dict[str, t.Any]) -> Wish:
    """The wish that the module's options spell.

    :raises BadInput: one of them cannot be used.
    """
    lists = {
        option: [check_name(name, f"{option}[{index}]", globs=True) for index, name in enumerate(params[option])]
        for option in ("name", "exclude", "include")
    }
    if not lists["name"]:
        raise BadInput("name: the list is empty; leave it out for all services, or name some")
    both = sorted(set(lists["include"]) & set(lists["exclude"]))
    if both:
        raise BadInput(f"include: {both[0]} is in `exclude` too; take it out of one of them")
    settle = parse_timespan(params["settle"], "settle")
    if settle / 1e6 > _LONGEST:
        raise BadInput(
            f"settle: {format_timespan(settle)} would never end; give the time that services have to stay up, such as 10s"
        )
    return Wish(
        **lists,
        reexec=params["reexec"],
        user_managers=params["user_managers"],
        settle=settle / 1e6,
        settle_told=format_timespan(settle),
    )


def _of_plan(plan: Plan) -> set[str]:
    """Units that the plan restarts or re-executes."""
    return {change.name for change in plan.changes}


def _names(found: Found) -> list[str]:
    return [service.name for service, _group in found.services] + [group.name for group in found.managers]


def _without(found: Found, names: set[str]) -> Found:
    """What is left when these are put right."""
    return found._replace(
        services=[each for each in found.services if each[0].name not in names],
        managers=[group for group in found.managers if group.name not in names],
    )
