# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `unit_set` module's task: a set of units, and files beside them, as wanted."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.attributes import Attributes
from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about, places_of
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, check_writable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, become_hint
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import read
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.task import result_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.check import check
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.files import collect
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Asked
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.plan import Planner
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.read import Picture, Reader
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.special import stamp_directory

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


def converge(module: Module) -> dict[str, t.Any]:
    """Bring a set to what the module's options ask for; returns the module's result."""
    task = _Task(module)
    with task.session as session:
        manager = session.manager
        picture = Picture()

        def make_plan() -> Plan:
            nonlocal picture
            picture, plan = task.plan(manager)
            return plan

        plan, ctx, changed = bring_about(module, session, make_plan, task.asked.params["rollback"])
        listed = [member for member in picture.members if member.listed]
        units = [member.unit for member in listed] + picture.purged
        if plan.steps and not module.check_mode:
            units = read(manager, [unit.name for unit in units], any(u.file_state is not None for u in units))
    result = result_of(plan, units, ctx, changed, module._diff)
    needs = {member.unit.name: member.need for member in listed if member.need.action}
    purged = {unit.name for unit in picture.purged}
    written = {file.unit for file in picture.files if file.wrote is not None}
    for entry in result["units"]:
        if entry["name"] in purged:
            entry["purged"] = True
        if entry["name"] in needs:
            entry["why"] = list(needs[entry["name"]].why)
        entry["changed"] = entry["changed"] or entry["name"] in written
    result["files"] = [
        *({"path": file.path, "state": "present"} for file in picture.files if file.wrote is not None or file.sets),
        *({"path": gone.path, "state": "absent"} for gone in picture.gone if gone.before is not None),
    ]
    return result


class _Task:
    """One set as it is asked for, and the way from there to a plan."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.asked = asked = Asked(module.params)
        self.session = open_session(asked.params, may_be_down=asked.idle, may_be_gone=asked.absent, module=module)
        root = (asked.params["root"] or "").rstrip("/")
        self.paths = UnitPaths(self.session.scope, self.session.home, self.session.uid, root)
        self.tools = FileTools(
            attributes=lambda _path, _check: False,
            label=lambda path: module.set_default_selinux_context(path, False),
        )
        self._warnings: list[str] = []

    def _beside_tools(self, path: str, params: dict[str, t.Any], where: str) -> FileTools:
        attributes = Attributes(self.module, path, {**self.module.params, **_NO_ATTRIBUTES, **params}, where)
        self._warnings += attributes.check(self.session)
        return FileTools(
            attributes=attributes.set,
            label=lambda path: self.module.set_default_selinux_context(path, False),
            given=attributes.given,
        )

    def plan(self, manager: UnitManager) -> tuple[Picture, Plan]:
        """What is, and the plan."""
        self._warnings = []
        try:
            return self._plan(manager)
        except Unreadable:
            raise
        except OSError as e:
            raise SystemdError(f"cannot read {e.filename or self.paths.persistent}: {e.strerror or e}{become_hint()}") from e

    def _plan(self, manager: UnitManager) -> tuple[Picture, Plan]:
        asked, session = self.asked, self.session
        directory = records_of(session, self.paths)
        files = collect(asked, self.paths, session.home, self.tools, self._beside_tools)
        picture = Reader(asked, manager, self.paths, directory, session.home).read(files)
        path = f"{directory}/{asked.name}.json"
        stamps = stamp_directory(self.paths, session.scope, session.home)
        plan = Planner(asked, picture, manager, self.paths, path, self.tools, self.module.check_mode, stamps).plan()
        for place in {os.path.dirname(file.path): file.path for file in files if file.wrote is not None}.values():
            if not session.gone:
                check_writable(place)
        told = check(asked.items, files, asked.params["verify"], self.paths, session.home, picture.gone)
        plan.warnings = [*self._warnings, *told, *plan.warnings]
        return picture, plan


# Options of a file's attributes that those of files beside do not have.
_NO_ATTRIBUTES = dict.fromkeys(("seuser", "serole", "setype", "selevel", "attributes", "unsafe_writes"))


def records_of(session: Session, paths: UnitPaths) -> str:
    """The directory of the records of a manager's sets; of a tree, in that tree, so that they are there when it is booted.

    :raises SystemdError: there is none that this user may write to.
    """
    if session.root:
        return paths.tree.real(f"{paths.root}/var/lib/pidone.systemd/sets/{session.scope}")
    places = places_of(session)
    if places is None:
        raise SystemdError(
            "not permitted to write units of the system; this needs root, so add `become: true` to the task or play, or use "
            "`scope: user` for units of your own"
        )
    return f"{places.state}/sets/{places.name}"
