# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `timer` module's task: timers and their services as wanted, any number of them in one go."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, check_writable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.check import verify
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.elapses import local_time
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.options import read_wishes
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.plan import plan_timers
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.read import Reader
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.report import report

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.state import TimerState


def converge(module: Module) -> dict[str, t.Any]:
    """Bring timers to what the module's options ask for; returns the module's result."""
    local_time()
    task = Task(module)
    with task.session as session:
        manager = session.manager
        states: list[TimerState] = []

        def make_plan() -> Plan:
            task.begin_anew()
            try:
                states[:] = Reader(task, manager).read()
            except OSError as e:
                raise SystemdError(
                    f"cannot read {e.filename or task.directory}: {e.strerror or e}; the timer's files are in {task.directory}, "
                    "so remove or mend what is in the way"
                ) from e
            verify(task, states)
            plan = plan_timers(states, manager.link_directories(), task.tools, manager.offline)
            plan.warnings += task.warnings
            if plan.file_diffs and not session.gone:
                check_writable(states[0].files[0].path)
            return plan

        plan, ctx, changed = bring_about(module, session, make_plan, module.params["rollback"])
        result: dict[str, t.Any] = {
            "changed": changed,
            "timers": report(task, manager, states, plan),
            "warnings": grouped(plan.warnings + ctx.warnings),
        }
    result.update(plan.report(module._diff))
    if ctx.links:
        result["links"] = [change._asdict() for change in ctx.links]
    return result


def grouped(warnings: t.Sequence[str]) -> list[str]:
    """Warnings that say the same of many timers as one: `a.service, b.service and 98 more: ...`."""
    found: dict[str, dict[str, None]] = {}
    for warning in warnings:
        about, colon, what = warning.partition(": ")
        subjects = found.setdefault(what if colon and " " not in about else warning, {})
        if colon and " " not in about:
            subjects[about] = None
    return [f"{short(list(subjects))}: {what}" if subjects else what for what, subjects in found.items()]


class Task:
    """The options of a task, checked, and where its files are."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.params = params = module.params
        wishes = read_wishes(params)
        # What shall neither be enabled nor run is read by a user's manager when it starts.
        idle = all(wish.absent or not (wish.enabled or wish.started in (None, True)) for wish in wishes)
        gone_too = all(wish.absent for wish in wishes)
        self.session = open_session(params, may_be_down=idle, may_be_gone=gone_too, module=module)
        self.root = (params["root"] or "").rstrip("/")
        self.offline = params["root"] is not None or params["scope"] == "global"
        self.begin()
        self._is_begun = True
        self._place(self.session)

    def begin(self) -> None:
        """Have the wishes as they were asked for, and no warnings yet."""
        params = self.params
        self.wishes = read_wishes(params)
        self.warnings: list[str] = []
        for wish in self.wishes:
            if self.offline and wish.started:
                where = "root" if params["root"] is not None else "scope"
                raise BadInput(f"{wish.where}started: nothing runs where `{where}` points; leave out `started`")
            if wish.started is None:
                wish.started = not self.offline

    def begin_anew(self) -> None:
        """The same, unless nothing was made of them yet."""
        if not self._is_begun:
            self.begin()
        self._is_begun = False

    def _place(self, session: Session) -> None:
        """Where the files are."""
        self.paths = UnitPaths(session.scope, session.home, session.uid, self.root)
        self.directory = self.paths.directory()
        self.tree = self.paths.tree
        self.tools = FileTools(
            attributes=lambda _path, _check: False,
            label=lambda path: self.module.set_default_selinux_context(path, False),
        )
