# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `unit_file` module's task: a unit file or drop-in as wanted, and what follows from its change."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.attributes import Attributes
from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveFile,
    WriteFile,
    check_link,
    check_writable,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, become_hint
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import explain
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit, read
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.task import result_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.linked import link_file
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.options import Asked
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import FileChange, Place
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.plan import plan_change, write_file
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.removal import plan_removal, remove_file
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.reverted import revert_file

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import Need


def converge(module: Module) -> dict[str, t.Any]:
    """Bring a unit file or drop-in to what the module's options ask for; returns the module's result."""
    task = _Task(module)
    with task.session as session:
        manager = session.manager
        units: list[Unit] = []
        needs: dict[str, Need] = {}
        wrote: bool | None = None

        def make_plan() -> Plan:
            nonlocal wrote, needs
            plan, units[:], needs, wrote = task.plan(manager)
            return plan

        try:
            plan, ctx, changed = bring_about(module, session, make_plan, task.asked.params["rollback"])
        except SystemdError as e:
            e.data.setdefault("path", task.place.path)
            raise
        if plan.steps and not module.check_mode:
            units = read(manager, [unit.name for unit in units], any(u.file_state is not None for u in units))
    result = result_of(plan, units, ctx, changed, module._diff)
    for unit, entry in zip(units, result["units"]):
        if unit.id in needs and needs[unit.id].action:
            entry["why"] = list(needs[unit.id].why)
    result.update(path=task.place.path, written=wrote is not None, meaning_changed=bool(wrote))
    for step in plan.steps:
        if isinstance(step, (WriteFile, RemoveFile)) and step.backup_file:
            result["backup_file"] = step.backup_file
    return result


class _Task:
    """One file as it is asked for, and the way from there to a plan."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.asked = asked = Asked(module.params, module.check_mode)
        # A user's manager that does not run reads the file when it starts.
        idle = not (asked.enabled or asked.started)
        self.session = open_session(asked.params, may_be_down=idle, may_be_gone=asked.absent, module=module)
        self.place = Place(asked, self.session)
        attributes = Attributes(module, self.place.path)
        # A plan may be made twice, and what it warns of is its own.
        self._told_by_options = attributes.check(self.session)
        self.tools = FileTools(
            attributes=attributes.set,
            backup=bool(asked.params["backup"]),
            given=attributes.given,
            label=lambda path: module.set_default_selinux_context(path, False),
            unsafe_writes=bool(asked.params["unsafe_writes"]),
        )

    def plan(self, manager: UnitManager) -> tuple[Plan, list[Unit], dict[str, Need], bool | None]:
        """The plan, the units it is about, what these need, and what it does to the file: None, or whether the meaning changes."""
        try:
            return self._plan(manager)
        except Unreadable:
            check_link(os.path.dirname(self.place.path))
            raise
        except OSError as e:
            check_link(os.path.dirname(self.place.path))
            raise SystemdError(f"cannot read {e.filename or self.place.path}: {e.strerror or e}{become_hint()}") from e

    def _change(self) -> FileChange:
        """What is to be done to the file."""
        asked, place = self.asked, self.place
        if asked.src:
            return link_file(asked, place)
        if asked.reverted:
            return revert_file(asked, place, self.tools)
        before = place.present()
        return (remove_file if asked.absent else write_file)(asked, place, self.tools, before)

    def _plan(self, manager: UnitManager) -> tuple[Plan, list[Unit], dict[str, Need], bool | None]:
        asked, place = self.asked, self.place
        change = self._change()
        warnings = [*self._told_by_options, *change.warnings]
        paths = place.paths
        gone = asked.absent and not asked.reverted and asked.dropin is None
        gone = gone and paths.find(asked.name, without=(place.path,)) is None
        touched = [path for step in change.steps for path in (step.names if asked.reverted else (place.path,))]
        for path in {os.path.dirname(path): path for path in touched}.values() if not self.session.gone else ():
            check_writable(path)
        if change.wrote is not None and not asked.absent and (asked.raw or not asked.src):
            warnings += check_text(asked, place)
        if change.wrote is not None or not asked.absent:
            better = paths.shadows(place.place)
            if better is not None:
                warnings.append(f"{place.path} has no effect while there is {better}, which systemd prefers")
        if gone:
            plan, units = plan_removal(asked, place, manager, change.steps)
            needs: dict[str, Need] = {}
        else:
            plan, units, needs = plan_change(asked, place, manager, change.steps, change.wrote)
        plan.file_diffs = list(change.diffs)
        plan.warnings = [*warnings, *plan.warnings]
        return plan, units, needs, change.wrote


def check_text(asked: Asked, place: Place) -> list[str]:
    """Have the file checked; returns warnings, and raises where it must not be put in place."""
    mode = asked.params["verify"]
    if mode == "nothing":
        return []
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import table_for
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import scratch_directory
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import verify

    told: list[str] = []
    with scratch_directory() as scratch:
        table = table_for(place.tree, told)
        home = place.session.home
        verdict = verify(asked.text, asked.raw, asked.name, asked.dropin, place.paths, table, scratch, home)
    errors, warnings = verdict
    if mode == "strict":
        errors, warnings = [*errors, *warnings], []
    if errors:
        what = f"{asked.name}.d/{asked.dropin}" if asked.dropin else asked.name
        state = (
            "and the file on the host is untouched"
            if place.tree.status(place.path, False) is not None
            else "and nothing has been written"
        )
        listed = [{"line": e.line or None, "text": e.text, "message": e.message} for e in errors]
        raise BadInput(
            explain(errors, what, f"was not accepted by this host's systemd, {state}"),
            problems=listed,
            path=place.path,
        )
    return [*told, *(f"{asked.name}: {warning}" for warning in warnings)]
