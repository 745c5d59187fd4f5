# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a service as it is found to the steps that move it."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import check_writable, file_diff
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Settle
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import snapshot
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import is_masked
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import explain, parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.back import (
    GiveBack,
    SeeItBack,
    StopUnits,
    TakeUnits,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.moving import Moving, UnitWish
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import UNDER_WAY, Record
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.steps import (
    Compare,
    EnableUnits,
    Finish,
    LetGo,
    PutUnits,
    StartUnits,
    UnmaskUnits,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import ENABLED

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Now
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.item import Item, Task


# What the author of a unit that is on the host already, mostly a packager, has decided otherwise.
THEIRS = frozenset(("command", "cwd", "environment"))


class Planner:
    """Plans what becomes of each service. It looks at what is, and changes nothing but the records in memory."""

    def __init__(self, task: Task, manager: UnitManager) -> None:
        self._task = task
        self._manager = manager

    def plan(self, item: Item) -> None:
        """Fill in the plan of one service, as the task asks for it.

        :raises BadInput: it cannot be moved as it is.
        """
        if self._task.giving_back:
            self._plan_back(item)
        else:
            self._plan_over(item)

    def _plan_over(self, item: Item) -> None:
        moving, record = item.moving, item.moving.record
        where = f"services: {moving.name}"
        supervisor = moving.supervisor
        found = supervisor.found()
        begun = record.phase in UNDER_WAY
        if record.phase == "handed_over" and not found.held:
            if supervisor.path == record.path:
                self._plan_update(item)
            else:
                # Another definition of the same name, which has nothing to do with the unit.
                moving.main = moving.unit_names[0]
                item.message = f"it was handed over from {record.path}; {supervisor.path} is not in use"
            return
        problems = supervisor.problems(found)
        if problems:
            raise BadInput(f"{where}: {problems[0]}")
        supervisor.note()
        masked = self._check_units(moving, where)
        record.masked = list(dict.fromkeys([*(record.masked if begun else ()), *masked]))
        statuses = {status.id: status for status in self._manager.status(moving.unit_names)}
        active = [name for name, status in statuses.items() if not is_down(status.active_state)]
        if not record.phase:
            record.active = active
        if not begun:
            record.before = moving.before = None
        self._plan_files(item, where)
        self._choose(moving)
        record.path, record.source, record.memo = supervisor.path, supervisor.source, supervisor.memo
        record.units = moving.unit_names
        if active and not record.phase:
            self._task.warnings.append(f"{', '.join(active)} is up already, and stays as it is, beside {moving.name}")
        if self._task.module.check_mode and found.pid:
            moving.before = snapshot(found.pid)
        steps = self._steps_over(item, found)
        if steps:
            number = next((at for at, step in enumerate(steps) if not step.counts), len(steps))
            item.plan = Plan(steps[:number], [Change(moving.name, _was(moving), _will(moving))])
            item.watch = Plan(steps[number:])
            if begun:
                item.message = "goes on where an earlier run was interrupted"

    def _steps_over(self, item: Item, found: Now) -> list[Step]:
        """What is to be done; empty where that is nothing.

        :param found: whether its old supervisor has it.
        """
        moving, record = item.moving, item.moving.record
        begun = record.phase in UNDER_WAY
        steps: list[Step] = []
        if found.held or begun:
            steps.append(LetGo(moving, self._task.records, self._task.tools))
        if item.put is not None or begun:
            steps.append(item.put or PutUnits(moving, self._task.records, self._task.tools))
        if record.masked:
            steps.append(UnmaskUnits(moving, self._task.records))
        if moving.enable:
            steps.append(EnableUnits(moving, self._task.records))
        if moving.start:
            start = StartUnits(moving)
            steps += [
                start,
                Settle(start, moving.settle, format_timespan(self._task.settle)),
                Compare(moving, self._task.records),
            ]
        if steps:
            steps.append(Finish(moving, self._task.records))
        return steps

    def _check_units(self, moving: Moving, where: str) -> list[str]:
        """Those without content have to be there, and none may have no effect where it is going to be written.

        :returns: units of the host that are masked.
        """
        masked = []
        paths = UnitPaths("system")
        directory = self._task.params["directory"].rstrip("/")
        if moving.files and directory not in self._manager.unit_path():
            raise BadInput(
                f"directory: systemd looks for no units in {directory}; give one of {', '.join(self._manager.unit_path()[:3])}, ..."
            )
        there = [unit.name for unit in moving.units if unit.content is None]
        for status in self._manager.status(there):
            if status.load_state == "masked" and is_masked(status.id):
                masked.append(status.id)
                continue
            if status.load_state == "masked":
                raise BadInput(f"{where}: {status.id} is masked; unmask it with pidone.systemd.unit first")
            if status.load_state != "loaded":
                if self._task.module.check_mode and status.load_state == "not-found":
                    self._task.warnings.append(f"{status.id} is not there yet, and taken for made by an earlier task")
                    continue
                raise BadInput(
                    f"{where}: units: {status.id} has no content, and systemd on this host does not know it "
                    f"({status.load_state}); give its `content`, or correct the name"
                )
        for path in moving.files:
            name = path[len(directory) + 1 :]
            for better in paths.search:
                if better == directory:
                    break
                if os.path.lexists(f"{better}/{name}"):
                    raise BadInput(
                        f"{where}: {path} would have no effect while there is {better}/{name}; remove that first"
                    )
        return masked

    def _plan_files(self, item: Item, where: str) -> None:
        moving, record = item.moving, item.moving.record
        changed = False
        for path, text in moving.files.items():
            before = self._present(path, where, record)
            content = text.encode("utf-8", "surrogateescape")
            record.files.setdefault(path, before.content.decode("utf-8", "surrogateescape") if before else None)
            if before is not None and before.content == content:
                record.written[path] = text
                continue
            if before is not None and not self._is_ours(before, path, moving):
                raise BadInput(
                    f"{where}: {path} is there already and says something else; give that unit in `units` without "
                    "`content` to use it as it is, or set `force: true` to replace it (it is put back when the service is "
                    "given back)"
                )
            check_writable(path)
            record.written[path] = text
            changed = True
            item.diffs.append(file_diff(path, before, text))
        if changed:
            item.put = PutUnits(moving, self._task.records, self._task.tools)

    def _present(self, path: str, where: str, record: Record) -> Saved | None:
        if os.path.islink(path):
            target = os.readlink(path)
            name = os.path.basename(path)
            if record.phase != "handed_over" and is_masked(name):
                # In favour of the supervisor that it leaves.
                record.masked = list(dict.fromkeys([*record.masked, name]))
                return None
            if target == "/dev/null":
                raise BadInput(
                    f"{where}: {os.path.basename(path)} is masked ({path} is a link to /dev/null); unmask it first"
                )
            raise BadInput(f"{where}: {path} is a link to {target}; remove it, or name the unit it stands for")
        return Saved.of(path)

    def _is_ours(self, before: Saved, path: str, moving: Moving) -> bool:
        if self._task.params["force"] or _encoded(moving.record.written.get(path)) == before.content:
            return True
        first = before.content.split(b"\n", 1)[0].decode("utf-8", "replace")
        return first.startswith("# Translated from ") and any(
            f" {moving.supervisor.path}{end}" in first for end in "/ "
        )

    def _choose(self, moving: Moving) -> None:
        """Which units to enable and to start."""
        names = moving.unit_names
        kinds = {name: unit_type(name) for name in names}
        installs = [u.name for u in moving.units if u.content is not None and parse(u.content).can_be_enabled()]
        bare = [u.name for u in moving.units if u.content is None]
        states = dict(zip(names, self._manager.unit_file_states(names)))
        installs += [name for name in bare if states[name] not in ("static", "indirect", "generated", "transient", "")]
        moving.main = next((name for name in names if kinds[name] == "service"), names[0])
        timers = [name for name in names if kinds[name] == "timer"]
        if timers:
            moving.main = timers[0]
        if moving.main in bare:
            moving.accept |= THEIRS
        first = [name for name in names if name in installs and name != moving.main and kinds[name] != "service"]
        wanted = {"auto": None, "true": True, "false": False}
        enabled, started = wanted[self._task.params["enabled"]], wanted[self._task.params["started"]]
        if enabled is None:
            enabled = moving.supervisor.was["enabled"]
        if started is None:
            started = moving.was_up
        if enabled:
            moving.enable = [name for name in installs if states[name] not in ENABLED]
            moving.record.enabled = list(dict.fromkeys([*moving.record.enabled, *moving.enable]))
            if not installs:
                self._task.warnings.append(f"{moving.main} has no [Install] section, so it cannot be enabled")
        if started:
            moving.start = [*first, moving.main]

    def _plan_update(self, item: Item) -> None:
        """A service that has been handed over: only its files can have become others."""
        moving = item.moving
        self._check_units(moving, f"services: {moving.name}")
        self._plan_files(item, f"services: {moving.name}")
        moving.main = moving.unit_names[0]
        if item.put is not None:
            item.plan.steps = [item.put]
            item.watch = Plan([Finish(moving, self._task.records)])
            item.plan.changes = [Change(moving.name, "handed over", "handed over, with other unit files")]
            item.message = "unit files rewritten; they count from the next restart of the units on"

    def _plan_back(self, item: Item) -> None:
        moving, record = item.moving, item.moving.record
        if not record.phase:
            item.message = "there is no record of a handover, so there is nothing to undo"
            return
        moving.units = [UnitWish(name, None) for name in record.units]
        moving.main = next((name for name in record.units if name.endswith(".service")), "")
        for path, text in record.written.items():
            if os.path.basename(path) in record.masked and is_masked(os.path.basename(path)):
                continue
            now = Saved.of(path)
            ours = (_encoded(text), _encoded(record.files.get(path)))
            if now is not None and now.content not in ours and not self._task.params["force"]:
                raise BadInput(
                    f"services: {moving.name}: {path} was changed since the handover; keep a copy if it matters, and set "
                    "`force: true` to have it removed"
                )
        if not os.path.exists(record.path):
            raise BadInput(
                f"services: {moving.name}: its definition {record.path} is gone, so it cannot be given back; put that back first"
            )
        steps = [
            StopUnits(moving, self._task.records),
            TakeUnits(moving, self._task.records, self._task.tools),
            GiveBack(moving, self._task.records),
        ]
        after = "up" if moving.was_up else "down"
        item.plan = Plan(steps, [Change(moving.name, "under systemd", f"{after} under {record.source}")])
        item.watch = Plan([SeeItBack(moving, self._task.records)])


def _was(moving: Moving) -> str:
    was = moving.supervisor.was
    words = ["running" if was["running"] else "down", "enabled" if was["enabled"] else "disabled"]
    return f"{', '.join(words)} under {moving.record.source}"


def _will(moving: Moving) -> str:
    words = ["started" if moving.start else "not started", "enabled" if moving.enable else "not enabled"]
    return f"{moving.main}: {', '.join(words)}"


def verify(task: Task, items: t.Sequence[Item]) -> None:
    """Have all files that will be written checked by systemd in one run; what it says beside errors becomes warnings.

    :raises BadInput: it would not take one.
    """
    texts = {}
    owner = {}
    for item in items:
        changed = {diff["after_header"] for diff in item.diffs}
        for path in changed:
            name, text = os.path.basename(path), item.moving.files[path]
            parsed = parse(text)
            if parsed.problems:
                raise BadInput(f"services: {item.moving.name}: {path} does not parse: {parsed.problems[0]!s}")
            if not path.endswith(".conf"):
                texts[name] = (parsed, text)
                owner[name] = item
    if not texts:
        return
    import shutil
    import tempfile

    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import load_table
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import verify_units

    scratch = tempfile.mkdtemp(prefix="verify-", dir=task.module.tmpdir)
    try:
        verdicts = verify_units(texts, UnitPaths("system"), load_table(), scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for name, (errors, warnings) in verdicts.items():
        if errors:
            raise BadInput(
                explain(
                    errors,
                    f"services: {owner[name].moving.name}: {name}",
                    "was not accepted by this host's systemd, and nothing has been changed",
                ),
                problems=[{"line": e.line or None, "text": e.text, "message": e.message} for e in errors],
            )
        task.warnings += [f"{name}: {warning}" for warning in warnings]


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
