# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `unit` module's task: from its options to its result."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name, is_template, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.look import (
    at_rest,
    see_dependencies,
    see_ends,
    see_freezer,
    see_leftovers,
    see_linked,
    see_links,
    see_paths,
    see_presets,
    see_scripts,
    see_services,
    see_sources,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import (
    MissingUnit,
    Wish,
    job_for,
    plan_units,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import (
    MASKED,
    Unit,
    not_found,
    read,
    read_for_jobs,
    resolve,
    see_in_the_way,
    see_masks,
    see_triggers,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.scripts import script_of

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


def converge(module: Module) -> dict[str, t.Any]:
    """Bring the units to what the module's options ask for; returns the module's result."""
    params = module.params
    wish = wish_from(params)
    wish.check()
    names = [check_name(name, globs=True) for name in params["name"]]
    if not names and not params["allow_empty"]:
        raise BadInput("name: the list is empty; name at least one unit, or set `allow_empty: true` where that may be")
    with open_session(params, may_be_gone=wish.only_undoes, module=module) as session:
        manager = session.manager
        if manager.offline and (params["state"] or wish.reset_failed):
            where = "root" if params.get("root") else "scope"
            option = "state" if params["state"] else "reset_failed"
            raise BadInput(
                f"{option}: nothing runs where `{where}` points, so units there can only be enabled, disabled, masked, "
                f"unmasked, preset or pulled in by others; leave out `{option}`"
            )
        units: list[Unit] = []

        def make_plan() -> Plan:
            units[:], plan = plan_for(manager, resolve(manager, names, params["allow_empty"]), wish, module.check_mode)
            return plan

        plan, ctx, changed = bring_about(module, session, make_plan, params["rollback"], params["wait"])
        if plan.steps and not module.check_mode:
            units = read(manager, [unit.name for unit in units], wish.needs_file_states, runtime=wish.runtime)
            see_scripts(manager, units)
    return result_of(plan, units, ctx, changed, module._diff)


def wish_from(params: dict[str, t.Any]) -> Wish:
    """The wish that a module's options spell."""
    settle = parse_timespan(params["settle"], "settle")
    frozen = {"frozen": True, "thawed": False}.get(params["state"])
    return Wish(
        state=params["state"] if frozen is None else None,
        enabled=params["enabled"],
        masked=params["masked"],
        preset=params["preset"],
        runtime=params["runtime"],
        force=params["force"],
        reset_failed=params["reset_failed"],
        daemon_reload=params["daemon_reload"],
        settle=settle / 1e6,
        settle_told=format_timespan(settle),
        allow_skipped=params["allow_skipped"],
        frozen=frozen,
        add_wants=[_puller(name, f"add_wants[{at}]") for at, name in enumerate(params["add_wants"] or ())],
        add_requires=[_puller(name, f"add_requires[{at}]") for at, name in enumerate(params["add_requires"] or ())],
    )


def _puller(name: str, option: str) -> str:
    """The full name of a unit that is to pull others in.

    :raises BadInput: it can be none.
    """
    full = check_name(name if unit_type(name) else f"{name}.target", option)
    if is_template(full):
        raise BadInput(f"{option}: {full} is a template; name an instance such as {full.replace('@.', '@1.')}")
    return full


def plan_for(
    manager: UnitManager, names: t.Sequence[str], wish: Wish, check_mode: bool, files_written: bool = False
) -> tuple[list[Unit], Plan]:
    """Read the units and plan for them; returns both.

    :param files_written: steps that come before the plan write unit files.
    """
    # What a check tells is the last word, and a reload may come before the jobs.
    starts = wish.state == "started" and wish.daemon_reload == "auto" and not check_mode and not files_written
    known = at_rest(manager, names) if starts and manager.runs else None
    units = read(manager, names, wish.needs_file_states, wish.preset, wish.runtime, known=known)
    for unit in units if manager.offline else ():
        problem = manager.problem_of_files(unit.name) if unit.file_state == "bad" else ""
        if problem:
            raise BadInput(f"name: systemctl cannot look at {unit.name}: {problem}")
    return units, plan_read(manager, units, wish, check_mode, files_written)


def plan_read(
    manager: UnitManager,
    units: t.Sequence[Unit],
    wish: Wish,
    check_mode: bool,
    files_written: bool = False,
    gone: t.Container[str] = (),
) -> Plan:
    """Plan for units that were read, after a look at what else the wish depends on; for parameters see `plan_for`.

    :param gone: files and links that steps before the plan remove.
    """
    _look(manager, units, wish, gone)
    pullers = [name for names in wish.dependencies.values() for name in names]
    for name, state in zip(pullers, manager.unit_file_states(pullers) if pullers else ()):
        if state in ("", *MASKED) and not (check_mode and not state):
            option = "add_wants" if name in wish.add_wants else "add_requires"
            raise BadInput(
                f"{option}: {f'{name} is masked' if state else f'there is no unit {name} on this host'}, so that it can pull in nothing; "
                "name a unit that is started, such as multi-user.target"
            )
    if wish.masked:
        disabled = wish.enabled is False
        see_in_the_way(units, manager.link_directories(), wish.runtime, wish.force, manager.tree, disabled, gone)
    if wish.masked is False:
        see_masks(manager, units, wish.runtime)
    if wish.state:
        # Also what could not be read, or was masked: it may have been mended since.
        acting = [u for u in units if u.status and u.load_state != "not-found" and job_for(u, wish.state)]
        reloads = wish.state == "reloaded"
        if acting:
            stale = wish.daemon_reload == "auto" and not files_written
            read_for_jobs(manager, acting, stale, reloads, refusals=check_mode)
        if acting and wish.state == "stopped" and not wish.masked:
            see_triggers(manager, acting)
        elif acting:
            see_ends(manager, acting)
            see_paths(manager, acting)
        up = [unit for unit in acting if unit.active_state == "active"]
        if up and job_for(up[0], wish.state) in ("restart", "try-restart", "reload-or-restart", "reload-or-try-restart"):
            see_services(manager, up)
    try:
        return plan_units(
            units, wish, manager.link_directories(), check_mode, files_written=files_written, offline=manager.offline
        )
    except MissingUnit as e:
        for name in e.names if manager.offline and manager.scope == "system" else ():
            script = script_of(name, manager.root)
            if script:
                raise BadInput(
                    f"name: {name} is no unit in the tree, but the script {script}; its links are made by the tree's own update-rc.d or "
                    "chkconfig, so run that in the tree (for example with chroot)"
                ) from e
        raise not_found(e.names, manager) from e


def _look(manager: t.Any, units: t.Sequence[Unit], wish: Wish, gone: t.Container[str] = ()) -> None:
    """See what states of unit files leave open, as far as the wish depends on it."""
    if wish.enabled:
        see_links(manager, units, wish.runtime, gone)
    if wish.enabled is False:
        see_leftovers(manager, units, wish.runtime)
        see_linked(manager, units, wish.runtime)
    if wish.preset:
        see_presets(manager, units)
    if wish.dependencies:
        see_dependencies(manager, [unit for unit in units if not is_template(unit.id)], wish.dependencies, wish.runtime)
    if wish.frozen is not None:
        see_freezer(manager, units)
    if wish.enabled is not None and not manager.offline:
        see_sources(manager, units)
    see_scripts(manager, units)


def result_of(plan: Plan, units: t.Sequence[Unit], ctx: Context, changed: bool, diff: bool) -> dict[str, t.Any]:
    """The module's result: what changed, each unit as it is now, the steps, the jobs."""
    touched = {change.name: change for change in plan.changes}
    for unit in units:
        # Systemd may have had nothing to do for what was asked of it.
        names = {unit.name, unit.id}
        own = [step for step in plan.steps if step.counts and not names.isdisjoint(step.names)]
        if own and all(names.intersection(step.names) <= step.idle for step in own):
            touched.pop(unit.name, None)
    jobs = {job.unit: (job, result) for job, result in ctx.jobs}
    result: dict[str, t.Any] = {
        "changed": changed,
        "units": [_unit_result(unit, touched, jobs) for unit in units],
        "warnings": plan.warnings + ctx.warnings,
    }
    if ctx.links:
        result["links"] = [change._asdict() for change in ctx.links]
    return {**result, **plan.report(diff)}


def _unit_result(unit: Unit, touched: dict[str, t.Any], jobs: dict[str, t.Any]) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {"name": unit.name, "changed": unit.name in touched}
    if unit.status:
        status = unit.status
        entry["load_state"] = status.load_state
        entry["active_state"] = status.active_state
        entry["sub_state"] = status.sub_state
    if unit.id != unit.name:
        entry["id"] = unit.id
    if unit.file_state is not None:
        entry["unit_file_state"] = unit.file_state
        entry["enabled"] = unit.is_enabled
    if unit.name in touched:
        entry["before"], entry["after"] = touched[unit.name].before, touched[unit.name].after
    if unit.id in jobs:
        job, result = jobs[unit.id]
        entry["job"] = {"id": job.id, "type": job.type, "result": result}
    return entry
