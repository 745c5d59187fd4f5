# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `service_handover` module's task: services from an old supervisor to systemd one by one, or back."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.lock import SYSTEM, Lock
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.execute import Execution
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.find import Finder
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.item import Task
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.neighbours import arranged
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.plan import Planner, verify
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.report import combined, result_of

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


def converge(module: Module) -> dict[str, t.Any]:
    """Hand services over or give them back, as the module's options ask for; returns the module's result."""
    task = Task(module)
    finder = Finder(task)
    with open_session({"scope": "system"}, task.timeout) as session:
        try:
            return _converge(task, finder, session.manager)
        finally:
            task.records.release()


def _converge(task: Task, finder: Finder, manager: UnitManager) -> dict[str, t.Any]:
    if not task.module.check_mode:
        task.records.hold()
    items = finder.items()
    planner = Planner(task, manager)
    for item in items:
        planner.plan(item)
    todo = [item for item in items if item.plan.steps or item.watch.steps]
    if not task.giving_back:
        verify(task, todo)
    groups, edges = arranged(task, todo, manager)
    plan = combined(groups)
    if task.module.check_mode:
        for item in todo:
            item.outcome = "planned"
    else:
        lock = Lock(SYSTEM)
        if todo:
            # Other tasks that change units wait for its end.
            lock.acquire(task.timeout, task.module._name)
        try:
            Execution(task, manager).run(groups, edges)
        finally:
            lock.release()
    return result_of(task, items, plan, finder.resumed)
