# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task tells: what is planned, and what became of each service."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Reload
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.steps import Finish, PutUnits

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.item import Item, Task


# Lines of one service's failure in the message; all of it is in the result.
_MOST_LINES = 16


def combined(groups: t.Sequence[t.Sequence[Item]]) -> Plan:
    """The plans of all services as one, to be told."""
    items = [item for group in groups for item in group]
    plan = Plan([], [change for item in items for change in item.plan.changes])
    plan.file_diffs = [diff for item in items for diff in item.diffs]
    plan.told = [step for group in groups for step in _steps(group)]
    return plan


def _steps(items: t.Sequence[Item]) -> list[str]:
    steps = []
    put = [item for item in items if item.put is not None]
    for item in put:
        if item.put is not None:
            steps.append(item.put.describe())
    if put:
        steps.append(Reload().describe())
    for item in items:
        for step in [*item.plan.steps, *item.watch.steps]:
            # The former are told above, and that it is done is no news to who reads what is done.
            if not isinstance(step, (PutUnits, Finish)):
                steps.append(step.describe())
    return steps


def result_of(task: Task, items: t.Sequence[Item], plan: Plan, resumed: t.Sequence[str]) -> dict[str, t.Any]:
    """The result of the task.

    :raises SystemdError: a service is not where it was to be; its data are the result.
    """
    entries = [_entry(item) for item in items]
    changed = any(
        item.outcome in ("handed_over", "given_back", "planned", "failed") or (item.outcome == "already" and item.put)
        for item in items
    )
    summary = {
        outcome: sum(item.outcome == outcome for item in items)
        for outcome in ("handed_over", "given_back", "already", "planned", "back", "failed", "waiting")
    }
    result: dict[str, t.Any] = {
        "changed": changed,
        "services": entries,
        "summary": summary,
        "warnings": task.warnings,
        **plan.report(task.module._diff),
    }
    if resumed:
        result["resumed"] = list(resumed)
    bad = [item for item in items if item.outcome in ("failed", "back")]
    if bad:
        raise SystemdError(_message(task, items, bad), **result)
    return result


def _message(task: Task, items: t.Sequence[Item], bad: t.Sequence[Item]) -> str:
    verb = "given back" if task.giving_back else "handed over"
    lines = [f"{len(bad)} of {len(items)} services could not be {verb}"]
    for item in bad[:3]:
        home = "systemd" if task.giving_back else item.moving.supervisor.source
        state = f"it runs under {home} again" if item.outcome == "back" else "IT NEEDS ATTENTION"
        if item.outcome == "back" and not item.moving.was_up:
            state = f"it is with {home} again"
        lines.append(f"{item.moving.name}: {state}")
        told = item.message.split("\n")
        lines += [f"  {line}" for line in told[:_MOST_LINES]]
        if len(told) > _MOST_LINES:
            lines.append("  ...")
    if len(bad) > 3:
        lines.append("also: " + ", ".join(item.moving.name for item in bad[3:]))
    waiting = [item for item in items if item.outcome == "waiting"]
    lines += [f"{item.moving.name}: {item.message}" for item in waiting[:3]]
    return "\n".join(lines)


def _entry(item: Item) -> dict[str, t.Any]:
    moving = item.moving
    return {
        "name": moving.name,
        "outcome": item.outcome,
        "changed": item.outcome in ("handed_over", "given_back", "planned", "failed") or bool(item.put),
        "unit": moving.main,
        "units": moving.unit_names,
        "message": "\n".join([*([item.message] if item.message else []), *moving.notes]),
        "before": moving.before or {},
        "after": moving.after or {},
        "differences": moving.differences,
        "parity": all(one["expected"] for one in moving.differences)
        and item.outcome not in ("back", "failed", "waiting"),
        "seconds": item.seconds,
        "downtime": round(moving.downtime, 3),
        **({"failures": item.failure["failures"]} if "failures" in item.failure else {}),
    }
