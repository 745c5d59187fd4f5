# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `unit_action` module's task: from its options to its result."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import not_found, resolve
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.options import Asked
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.plan import plan_actions
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.read import Seen, read
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.steps import Signal

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module


def act(module: Module) -> dict[str, t.Any]:
    """Do to the units what the module's options ask for; returns the module's result."""
    params = module.params
    asked = Asked(params)
    with open_session(params, module=module) as session:
        manager = session.manager
        asked.check_version("" if manager.absent else manager.version())
        units: list[Seen] = []

        def make_plan() -> Plan:
            names = resolve(manager, asked.names, asked.allow_empty)
            units[:] = read(manager, names, asked, session.home, session.timeout)
            gone = [unit.name for unit in units if unit.missing]
            if gone and not module.check_mode:
                raise not_found(gone, manager)
            return plan_actions(units, asked, module.check_mode)

        plan, ctx, changed = bring_about(module, session, make_plan, params["rollback"])
    touched = {change.name for change in plan.changes}
    # Those whose processes have ended before they got the signal.
    idle = {name for step in plan.steps if isinstance(step, Signal) for name in step.idle}
    result = {
        "changed": changed,
        "units": [_told(unit, asked, unit.name in touched and unit.id not in idle) for unit in units],
        "warnings": plan.warnings + ctx.warnings,
    }
    return {**result, **plan.report(module._diff)}


def _told(unit: Seen, asked: Asked, changed: bool) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {"name": unit.name, "changed": changed}
    if unit.id != unit.name:
        entry["id"] = unit.id
    if asked.signal:
        entry["pids"] = unit.pids
    if asked.clean:
        entry["cleaned"] = {kind: content for kind, content in unit.content.items() if content}
    return entry
