# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `service_handover` module's task: services from an old supervisor to systemd one by one, or back."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._collect.runit import (
    links_in,
    links_to,
    running_scanners,
    scanned_elsewhere,
)
from ansible_collections.pidone.systemd.plugins.module_utils._collect.runit_control import (
    SCAN,
    Supervised,
    asks_for,
    scanned_links,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, check_writable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.lock import SYSTEM, Lock
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session, timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Reload, Settle
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, explained
from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import snapshot
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import is_masked
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down, runs
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse, tidy
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.options import (
    Given,
    GivenUnit,
    check_kind,
    check_service,
    check_services,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.order import Edge, arrange, edges_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import UNDER_WAY, Record, Records
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.steps import (
    Compare,
    EnableUnits,
    Finish,
    GiveBack,
    LetGo,
    Moving,
    PutUnits,
    SeeItBack,
    StartUnits,
    StopUnits,
    TakeUnits,
    UnitWish,
    UnmaskUnits,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import ENABLED

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._collect.runit_control import Live
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

_STARTS = ("Wants", "Upholds", "Requires", "BindsTo")
_PULLS = (*_STARTS, "Requisite", "After", "Before")
# What the author of a unit that is on the host already, mostly a packager, has decided otherwise.
THEIRS = frozenset(("command", "cwd", "environment"))
# Lines of one service's failure in the message; all of it is in the result.
_MOST_LINES = 16


def converge(module: Module) -> dict[str, t.Any]:
    """Hand services over or give them back, as the module's options ask for; returns the module's result."""
    task = _Task(module)
    with open_session({"scope": "system"}, task.timeout) as session:
        manager = session.manager
        try:
            return task.run(manager)
        finally:
            task.records.release()


class Item:
    """One service of the task: what is moving, the plan for it, and the outcome so far."""

    def __init__(self, moving: Moving) -> None:
        self.moving = moving
        self.plan = Plan()
        # Its unit files, where any is to be written, with Ansible's diffs of them.
        self.put: PutUnits | None = None
        self.diffs: list[dict[str, str]] = []
        self.outcome = "already"
        self.message = ""
        self.seconds = 0.0
        self.began = 0.0
        self.failure: dict[str, t.Any] = {}
        # The record as it was before this run; None where there was none.
        self.kept: dict[str, t.Any] | None = None
        # What shares one context: the steps up to the start, and those that watch what was started.
        self.ctx: Context | None = None
        self.watch = Plan()


class _Task:
    """The options of a task, checked, and the way from them to a result."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.params = params = module.params
        self.timeout = timeout_of(params)
        self.settle = parse_timespan(params["settle"], "settle")
        self.listen = parse_timespan(params["listen"], "listen") / 1e6
        self.giving_back = params["state"] == "given_back"
        for number, what in enumerate(params["accept"]):
            check_kind(what, f"accept[{number}]")
        self.given = check_services(params["services"])
        self.records = Records()
        self.tools = FileTools(
            attributes=lambda _path, _check: False,
            label=lambda path: module.set_default_selinux_context(path, False),
        )
        self.warnings: list[str] = []
        self._relinked = False
        self.resumed: list[str] = []
        # Whoever looks for services now, wherever that is: a link that is overlooked starts a second copy.
        scanners = running_scanners()
        self._scanned = scanned_elsewhere(scanners)
        self._of_users = [one for one in scanners if one.uid != 0]
        if os.geteuid() != 0:
            raise SystemdError(
                "a handover stops and starts services of the host; this needs root, so add `become: true`"
            )

    def run(self, manager: UnitManager) -> dict[str, t.Any]:
        if not self.module.check_mode:
            self.records.hold()
        items = [self._item(given) for given in [*self.given, *self._interrupted()]]
        self._check_distinct(items)
        for item in items:
            if self.giving_back:
                self._plan_back(item, manager)
            else:
                self._plan_over(item, manager)
        todo = [item for item in items if item.plan.steps or item.watch.steps]
        if not self.giving_back:
            self._verify(todo)
        groups, edges = self._arranged(todo, manager)
        steps = [step for group in groups for step in self._describe(group)]
        plan = self._combined([item for group in groups for item in group], steps)
        if self.module.check_mode:
            for item in todo:
                item.outcome = "planned"
        else:
            lock = Lock(SYSTEM)
            if todo:
                # Other tasks that change units wait for its end.
                lock.acquire(self.timeout, self.module._name)
            try:
                self._carry_out(groups, edges, manager)
            finally:
                lock.release()
        return self._result(items, plan)

    # -- reading

    def _interrupted(self) -> list[Given]:
        """Services that an earlier run left half way and that are not listed, since they may look like unused by now."""
        listed = {given.name for given in self.given}
        found = []
        for name in self.records.names():
            record = self.records.load(name) if name not in listed else None
            if record is None or record.phase not in UNDER_WAY:
                continue
            if (record.phase == "giving_back") != self.giving_back:
                self.warnings.append(
                    f"{name} was left half way to {'its old supervisor' if not self.giving_back else 'systemd'} by an "
                    "interrupted run; name it in `services` to have it ended"
                )
                continue
            self.resumed.append(name)
            entry = {**record.entry, "name": name, "source": record.source, "definition": {"path": record.path}}
            found.append(check_service(entry, f"the record of {name}"))
        return found

    def _item(self, given: Given) -> Item:
        name, where = given.name, f"services: {given.name}"
        record = self.records.load(name)
        path = given.path or (record.path if record else "") or f"/etc/sv/{name}"
        source = given.source or str(self.params["source"])
        path = os.path.realpath(path)
        supervised = Supervised(path, source)
        record = record or Record(name, {"phase": "", "path": path, "source": source})
        units = given.units or ([GivenUnit(given.packaged, None)] if given.packaged else [])
        wishes = [UnitWish(one.name, None if one.content is None else tidy(one.content)) for one in units]
        moving = Moving(name, supervised, record, wishes)
        moving.accept = {*self.params["accept"], *given.accept}
        moving.settle, moving.listen = self.settle / 1e6, self.listen
        if not self.giving_back:
            self._files(moving, given)
            record.entry = {
                "units": [unit._asdict() for unit in wishes],
                "dropins": [one._asdict() for one in given.dropins],
                "accept": given.accept,
            }
        item = Item(moving)
        if not moving.units and not self.giving_back:
            why = (
                "was refused by the translation and has no units" if given.translation == "refused" else "has no units"
            )
            raise BadInput(
                f"{where} {why}; write a unit by hand and give it in `units` (a name alone for one that is on the host), "
                "or leave the service out"
            )
        self._links(moving, given, where)
        return item

    def _files(self, moving: Moving, given: Given) -> None:
        directory = self.params["directory"].rstrip("/")
        for unit in moving.units:
            if unit.content is not None:
                moving.files[f"{directory}/{unit.name}"] = unit.content
        for dropin in given.dropins:
            moving.files[f"{directory}/{dropin.unit}.d/{dropin.name}"] = tidy(dropin.content)

    def _links(self, moving: Moving, given: Given, where: str) -> None:
        """The links that are there now; the record keeps those that an earlier run took away."""
        record, path = moving.record, moving.supervised.path
        found = [*given.links, *links_to(path, more=self._scanned)]
        found = list(
            dict.fromkeys(f"{os.path.realpath(os.path.dirname(one))}/{os.path.basename(one)}" for one in found)
        )
        for one in self._of_users:
            if links_in(one.directory, path):
                raise BadInput(
                    f"{where} is linked in {one.directory} too, where the supervisor of the user with ID {one.uid} (process "
                    f"{one.pid}) runs it for that user; it would be started again, so leave the service out or remove that link"
                )
        now = scanned_links([one for one in found if os.path.realpath(one) == path])
        if record.phase in UNDER_WAY:
            now = {**record.links, **now}
        moving.links_now = now

    def _check_distinct(self, items: t.Sequence[Item]) -> None:
        names: dict[str, str] = {}
        for item in items:
            for what in [f"service {item.moving.name}", *(f"unit {name}" for name in item.moving.unit_names)]:
                if what in names:
                    raise BadInput(
                        f"services: {what} is there twice, of {names[what]} and {item.moving.name}; each can be only once"
                    )
                names[what] = item.moving.name

    def _arranged(self, items: t.Sequence[Item], manager: UnitManager) -> tuple[list[list[Item]], list[Edge]]:
        """The items in groups, in the order in which they go, and what orders them."""
        owner = {unit: item.moving.name for item in items for unit in item.moving.unit_names}
        pulls = self._pulls(items, manager)
        known = {status.id for status in manager.status(list(owner)) if status.load_state != "not-found"}
        edges = edges_of(pulls, owner, known, self.giving_back)
        if not self.giving_back:
            self._check_others(items, pulls, owner, manager)
            self._look_for_askers(items)
        by_name = {item.moving.name: item for item in items}
        return [[by_name[name] for name in group] for group in arrange(list(by_name), edges)], edges

    def _pulls(self, items: t.Sequence[Item], manager: UnitManager) -> dict[str, dict[str, list[str]]]:
        """What the units say of other units: from their text, or from systemd where it has read them."""
        found: dict[str, dict[str, list[str]]] = {}
        loaded = []
        for item in items:
            for unit in item.moving.units:
                if unit.content is None:
                    loaded.append(unit.name)
                    continue
                text = parse(unit.content)
                found[unit.name] = {key: text.words("Unit", key) for key in _PULLS}
        values = iter(manager.properties([(object_path(name), UNIT, key) for name in loaded for key in _PULLS]))
        for name in loaded:
            found[name] = {key: list(next(values) or ()) for key in _PULLS}
        return found

    def _check_others(
        self,
        items: t.Sequence[Item],
        pulls: t.Mapping[str, t.Mapping[str, t.Sequence[str]]],
        owner: t.Mapping[str, str],
        manager: UnitManager,
    ) -> None:
        """Refuse to start what would start, as its dependency, a service that runs under the old supervisor."""
        wanted: dict[str, str] = {}
        for item in items:
            for unit in item.moving.unit_names if item.moving.start else ():
                for key in _STARTS:
                    for other in pulls[unit].get(key, ()):
                        if other not in owner and other.endswith(".service"):
                            wanted.setdefault(other, item.moving.name)
        for status in manager.status(list(wanted)):
            if status.load_state != "loaded" or not is_down(status.active_state):
                continue
            name = wanted[status.id]
            (item,) = (one for one in items if one.moving.name == name)
            for link in item.moving.links_now:
                beside = Supervised(f"{os.path.dirname(link)}/{status.id[: -len('.service')]}")
                if beside.status()["running"]:
                    raise BadInput(
                        f"services: {name}: starting {item.moving.main} would start {status.id} too, which "
                        f"runs under {item.moving.supervised.source} as {beside.path}; hand both over in one task"
                    )

    def _look_for_askers(self, items: t.Sequence[Item]) -> None:
        """Warn of services that stay, and whose run scripts ask their supervisor for one that goes."""
        going = {item.moving.name for item in items}
        directories = {os.path.dirname(path) for item in items for path in item.moving.links_now}
        for directory in sorted(directories):
            for name in sorted(os.listdir(directory)):
                if name in going or name.startswith("."):
                    continue
                asked = sorted(going & asks_for(f"{directory}/{name}/run"))
                if asked:
                    self.warnings.append(
                        f"{name} stays, and its run script asks whether {', '.join(asked)} is up, which its supervisor will "
                        "not know any more; hand it over too"
                    )

    # -- planning

    def _plan_over(self, item: Item, manager: UnitManager) -> None:
        moving, record = item.moving, item.moving.record
        where = f"services: {moving.name}"
        live = self._live(moving, where)
        held = bool(moving.links_now) or live["supervised"]
        begun = record.phase in UNDER_WAY
        if record.phase == "handed_over" and not held:
            if moving.supervised.path == record.path:
                self._plan_update(item, manager)
            else:
                # Another definition of the same name, which has nothing to do with the unit.
                moving.main = moving.unit_names[0]
                item.message = f"it was handed over from {record.path}; {moving.supervised.path} is not in use"
            return
        stable = live["supervised"] and all(os.path.lexists(path) for path in moving.links_now) and not record.held_down
        if not begun or (stable and (live["running"] or live["wanted"] != "up")):
            record.was = {
                "running": live["running"],
                "wanted": live["wanted"],
                "down": live["down"],
                "once": live["once"],
                "supervised": live["supervised"],
                "enabled": bool(moving.links_now) and not live["down"] and not live["once"],
            }
        if not begun and not held and not os.path.exists(f"{moving.supervised.path}/run"):
            raise BadInput(
                f"{where}: {moving.supervised.path} is not a service directory on this host (it has no `run`); "
                "correct `definition.path`, or leave the service out"
            )
        masked = self._check_units(moving, manager, where)
        record.masked = list(dict.fromkeys([*(record.masked if begun else ()), *masked]))
        statuses = {status.id: status for status in manager.status(moving.unit_names)}
        active = [name for name, status in statuses.items() if not is_down(status.active_state)]
        if not record.phase:
            record.active = active
        if not begun:
            record.before = moving.before = None
        self._plan_files(item, where, manager)
        self._choose(moving, manager)
        record.links = moving.links_now
        record.path, record.source = moving.supervised.path, moving.supervised.source
        record.units = moving.unit_names
        if active and not record.phase:
            self.warnings.append(f"{', '.join(active)} is up already, and stays as it is, beside {moving.name}")
        if self.module.check_mode and live["pid"]:
            moving.before = snapshot(live["pid"])
        steps: list[Step] = []
        if held or begun:
            steps.append(LetGo(moving, self.records, self.tools))
        if item.put is not None or begun:
            steps.append(item.put or PutUnits(moving, self.records, self.tools))
        if record.masked:
            steps.append(UnmaskUnits(moving, self.records))
        if moving.enable:
            steps.append(EnableUnits(moving, self.records))
        if moving.start:
            start = StartUnits(moving)
            steps += [
                start,
                Settle(start, moving.settle, format_timespan(self.settle)),
                Compare(moving, self.records),
            ]
        if steps:
            steps.append(Finish(moving, self.records))
            number = next((at for at, step in enumerate(steps) if not step.counts), len(steps))
            item.plan = Plan(steps[:number], [Change(moving.name, self._was(moving), self._will(moving))])
            item.watch = Plan(steps[number:])
            if begun:
                item.message = "goes on where an earlier run was interrupted"

    def _live(self, moving: Moving, where: str) -> Live:
        live = moving.supervised.status()
        there = [path for path in moving.links_now if os.path.lexists(path)]
        if (
            there
            and not live["supervised"]
            and (moving.record.phase not in UNDER_WAY or len(there) == len(moving.links_now))
        ):
            # Linked a moment ago, perhaps, by somebody or by an interrupted way back.
            moving.supervised.wait(lambda status: bool(status["supervised"]), time.monotonic() + SCAN + 1.5)
            live = moving.supervised.status()
            if not live["supervised"] and moving.record.phase not in UNDER_WAY:
                raise BadInput(
                    f"{where} is linked as {there[0]}, but nothing supervises it, so it cannot be seen whether and how it runs; "
                    "start runsvdir (svscan), or remove the link if the service is not in use"
                )
        return live

    def _check_units(self, moving: Moving, manager: UnitManager, where: str) -> list[str]:
        """Those without content have to be there, and none may have no effect where it is going to be written.

        :returns: units of the host that are masked.
        """
        masked = []
        paths = UnitPaths("system")
        directory = self.params["directory"].rstrip("/")
        if moving.files and directory not in manager.unit_path():
            raise BadInput(
                f"directory: systemd looks for no units in {directory}; give one of {', '.join(manager.unit_path()[:3])}, ..."
            )
        there = [unit.name for unit in moving.units if unit.content is None]
        for status in manager.status(there):
            if status.load_state == "masked" and is_masked(status.id):
                masked.append(status.id)
                continue
            if status.load_state == "masked":
                raise BadInput(f"{where}: {status.id} is masked; unmask it with pidone.systemd.unit first")
            if status.load_state != "loaded":
                if self.module.check_mode and status.load_state == "not-found":
                    self.warnings.append(f"{status.id} is not there yet, and taken for made by an earlier task")
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

    def _plan_files(self, item: Item, where: str, manager: UnitManager) -> None:
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
            old = before.content.decode("utf-8", "replace") if before else ""
            item.diffs.append({"before": old, "after": text, "before_header": path, "after_header": path})
        if changed:
            item.put = PutUnits(moving, self.records, self.tools)

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
        if self.params["force"] or _encoded(moving.record.written.get(path)) == before.content:
            return True
        first = before.content.split(b"\n", 1)[0].decode("utf-8", "replace")
        return first.startswith("# Translated from ") and f" {moving.supervised.path}/" in first

    def _choose(self, moving: Moving, manager: UnitManager) -> None:
        """Which units to enable and to start."""
        names = moving.unit_names
        kinds = {name: unit_type(name) for name in names}
        installs = [u.name for u in moving.units if u.content is not None and parse(u.content).can_be_enabled()]
        bare = [u.name for u in moving.units if u.content is None]
        states = dict(zip(names, manager.unit_file_states(names)))
        installs += [name for name in bare if states[name] not in ("static", "indirect", "generated", "transient", "")]
        moving.main = next((name for name in names if kinds[name] == "service"), names[0])
        timers = [name for name in names if kinds[name] == "timer"]
        if timers:
            moving.main = timers[0]
        if moving.main in bare:
            moving.accept |= THEIRS
        first = [name for name in names if name in installs and name != moving.main and kinds[name] != "service"]
        wanted = {"auto": None, "true": True, "false": False}
        enabled, started = wanted[self.params["enabled"]], wanted[self.params["started"]]
        if enabled is None:
            enabled = bool(moving.record.was.get("enabled"))
        if started is None:
            started = moving.was_up
        if enabled:
            moving.enable = [name for name in installs if states[name] not in ENABLED]
            moving.record.enabled = list(dict.fromkeys([*moving.record.enabled, *moving.enable]))
            if not installs:
                self.warnings.append(f"{moving.main} has no [Install] section, so it cannot be enabled")
        if started:
            moving.start = [*first, moving.main]

    def _plan_update(self, item: Item, manager: UnitManager) -> None:
        """A service that has been handed over: only its files can have become others."""
        moving = item.moving
        self._check_units(moving, manager, f"services: {moving.name}")
        self._plan_files(item, f"services: {moving.name}", manager)
        moving.main = moving.unit_names[0]
        if item.put is not None:
            item.plan.steps = [item.put]
            item.watch = Plan([Finish(moving, self.records)])
            item.plan.changes = [Change(moving.name, "handed over", "handed over, with other unit files")]
            item.message = "unit files rewritten; they count from the next restart of the units on"

    def _plan_back(self, item: Item, manager: UnitManager) -> None:
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
            if now is not None and now.content not in ours and not self.params["force"]:
                raise BadInput(
                    f"services: {moving.name}: {path} was changed since the handover; keep a copy if it matters, and set "
                    "`force: true` to have it removed"
                )
        if not os.path.isdir(record.path):
            raise BadInput(
                f"services: {moving.name}: its service directory {record.path} is gone, so it cannot be given back; "
                "put the directory back first"
            )
        steps = [
            StopUnits(moving, self.records),
            TakeUnits(moving, self.records, self.tools),
            GiveBack(moving, self.records),
        ]
        after = "up" if moving.was_up else "down"
        item.plan = Plan(steps, [Change(moving.name, "under systemd", f"{after} under {record.source}")])
        item.watch = Plan([SeeItBack(moving, self.records)])

    def _was(self, moving: Moving) -> str:
        was = moving.record.was
        words = ["running" if was.get("running") else "down", "enabled" if was.get("enabled") else "disabled"]
        return f"{', '.join(words)} under {moving.record.source}"

    def _will(self, moving: Moving) -> str:
        words = ["started" if moving.start else "not started", "enabled" if moving.enable else "not enabled"]
        return f"{moving.main}: {', '.join(words)}"

    # -- checking

    def _verify(self, items: t.Sequence[Item]) -> None:
        """Have all files that will be written checked by systemd in one run."""
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
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import explain, verify_units

        scratch = tempfile.mkdtemp(prefix="verify-", dir=self.module.tmpdir)
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
            self.warnings += [f"{name}: {warning}" for warning in warnings]

    # -- doing

    def _carry_out(self, groups: t.Sequence[t.Sequence[Item]], edges: t.Sequence[Edge], manager: UnitManager) -> None:
        import signal

        # Whether anybody still listens is no reason to stop half way.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stayed: set[str] = set()
        pending: list[Item] = []
        for group in groups:
            going = [item for item in group if not self._has_to_stay(item, edges, stayed)]
            going = self._write(going, manager)
            for item in group:
                first = {edge.first for edge in edges if edge.then == item.moving.name and not edge.soft}
                waits = any(other.moving.name in first for other in pending)
                self._end(pending, manager, stayed, all_of_them=waits)
                if item in going and not self._has_to_stay(item, edges, stayed):
                    if self._move(item, manager):
                        pending.append(item)
                elif item in going and item.put is not None:
                    # Somebody in front of it stayed behind after its files had been written.
                    self._unwrite([item], manager)
                if item not in pending and item.outcome not in ("handed_over", "given_back", "already"):
                    stayed.add(item.moving.name)
            self._end(pending, manager, stayed, all_of_them=True)
        if self._relinked:
            # So that systemd knows what is enabled.
            manager.reload()

    def _end(self, pending: list[Item], manager: UnitManager, stayed: set[str], all_of_them: bool) -> None:
        """End what was started: what has been watched for long enough or is not up, or all."""
        for item in list(pending):
            if all_of_them or self._is_over(item, manager):
                pending.remove(item)
                self._watch(item)
                if item.outcome not in ("handed_over", "given_back", "already"):
                    stayed.add(item.moving.name)

    def _is_over(self, item: Item, manager: UnitManager) -> bool:
        if self.giving_back:
            # Its supervisor takes some seconds to look, and then some to be sure.
            return time.monotonic() >= item.began + 2 * SCAN
        start = next((step for step in item.plan.steps if isinstance(step, StartUnits)), None)
        if start is None or time.monotonic() >= start.ended + item.moving.settle:
            return True
        return not all(runs(status) for status in manager.status(item.moving.start))

    def _has_to_stay(self, item: Item, edges: t.Sequence[Edge], stayed: t.Container[str]) -> bool:
        for edge in edges:
            if edge.then == item.moving.name and edge.first in stayed and not edge.soft:
                item.outcome = "waiting"
                why = "which needs it" if edge.apart else "which it needs"
                item.message = f"stays where it is, because {edge.first}, {why}, does"
                return True
        return False

    def _move(self, item: Item, manager: UnitManager) -> bool:
        """Take a service from where it is and start it where it shall be; returns whether that went well so far."""
        item.ctx = Context(manager, self.timeout)
        item.began = time.monotonic()
        try:
            carry_out(item.plan, item.ctx, bool(self.params["rollback"]))
        except SystemdError as e:
            self._failed(item, e)
            self._close(item)
            return False
        return True

    def _watch(self, item: Item) -> None:
        """See whether what was started stays up and is what it was; if not, all of it is undone."""
        try:
            carry_out(item.watch, t.cast(Context, item.ctx), bool(self.params["rollback"]), item.plan.steps)
        except SystemdError as e:
            self._failed(item, e)
        else:
            item.outcome = self._done(item)
        self._close(item)

    def _close(self, item: Item) -> None:
        ctx = t.cast(Context, item.ctx)
        item.seconds = round(time.monotonic() - item.began, 3)
        item.moving.supervised.unlock()
        self.warnings += ctx.warnings
        self._relinked = self._relinked or bool(ctx.links)

    def _done(self, item: Item) -> str:
        if self.giving_back:
            return "given_back"
        return "handed_over" if any(not isinstance(s, PutUnits) for s in item.plan.steps) else "already"

    def _write(self, items: t.Sequence[Item], manager: UnitManager) -> list[Item]:
        """Records first, then all files, then one reload; returns the items that can go on."""
        going, put = list(items), [item for item in items if item.put is not None]
        ctx = Context(manager, self.timeout)
        begun: list[Item] = []
        try:
            for item in going:
                record = item.moving.record
                item.kept = self.records.read(record.name)
                if self.giving_back:
                    record.phase = "giving_back"
                elif record.phase != "handed_over" or len(item.plan.steps) > 1:
                    record.phase = "begun"
                begun.append(item)
                self.records.save(record)
        except Exception as e:
            self._unwrite(begun, manager)
            self._stop_at(going, explained(e, f"write the records of what is done in {self.records.directory}"))
            return []
        if not put:
            return going
        try:
            for item in put:
                t.cast(PutUnits, item.put).write(ctx)
            manager.reload()
        except Exception as e:
            self._unwrite(put, manager)
            self._stop_at(put, explained(e, "write the unit files of the services"))
            return [item for item in going if item not in put]
        return going

    def _stop_at(self, items: t.Sequence[Item], error: SystemdError) -> None:
        """Note that nothing was begun with these, because of an error."""
        for item in items:
            # One that an earlier run has begun may be nowhere at all.
            under_way = item.kept is not None and item.kept.get("phase") in UNDER_WAY
            item.outcome = "failed" if under_way or item.outcome == "failed" else "back"
            item.message = "\n".join([error.msg, *([item.message] if item.message else [])])

    def _unwrite(self, items: t.Sequence[Item], manager: UnitManager) -> None:
        """Make files and records of these what they were before this run, as far as that can be done."""
        ctx = Context(manager, self.timeout)
        for item in items:
            name = item.moving.name
            try:
                if item.put is not None:
                    item.put.undo(ctx)
                if item.kept is None:
                    self.records.forget(name)
                else:
                    self.records.write(name, item.kept)
            except Exception as e:
                item.outcome, item.message = "failed", explained(e, f"put back the files of {name}").msg
        if ctx.stale or any(item.put is not None for item in items):
            try:
                manager.reload()
            except SystemdError as e:
                self.warnings.append(f"systemd has not read its unit files again: {e.msg}")

    def _failed(self, item: Item, error: SystemdError) -> None:
        moving = item.moving
        # `restored` is whether the old supervisor has it, which is what the way back leads to, or away from.
        there = moving.restored != self.giving_back
        if not self.giving_back and not any(isinstance(step, LetGo) for step in item.plan.steps):
            # It had no supervisor to begin with.
            there = True
        stuck = any(told.startswith("failed to put back") for told in error.data.get("rolled_back", ()))
        back = bool(self.params["rollback"]) and there and not stuck
        item.outcome = "back" if back else "failed"
        item.message = error.msg
        item.failure = error.data
        try:
            if back and not self.giving_back:
                self.records.forget(moving.name)
            elif back:
                moving.record.phase = "handed_over"
                self.records.save(moving.record)
        except OSError as e:
            # The service is where it was; the next run finds a handover that was begun, and looks.
            self.warnings.append(explained(e, f"update the record of {moving.name}").msg)

    # -- telling

    def _describe(self, items: t.Sequence[Item]) -> list[str]:
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

    def _combined(self, items: t.Sequence[Item], steps: list[str]) -> Plan:
        plan = Plan([], [change for item in items for change in item.plan.changes])
        plan.file_diffs = [diff for item in items for diff in item.diffs]
        plan.told = steps
        return plan

    def _result(self, items: t.Sequence[Item], plan: Plan) -> dict[str, t.Any]:
        entries = [self._entry(item) for item in items]
        changed = any(
            item.outcome in ("handed_over", "given_back", "planned", "failed")
            or (item.outcome == "already" and item.put)
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
            "warnings": self.warnings,
            **plan.report(self.module._diff),
        }
        if self.resumed:
            result["resumed"] = self.resumed
        bad = [item for item in items if item.outcome in ("failed", "back")]
        if bad:
            raise SystemdError(self._message(items, bad), **result)
        return result

    def _message(self, items: t.Sequence[Item], bad: t.Sequence[Item]) -> str:
        verb = "given back" if self.giving_back else "handed over"
        home = "systemd" if self.giving_back else self.params["source"]
        lines = [f"{len(bad)} of {len(items)} services could not be {verb}"]
        for item in bad[:3]:
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

    def _entry(self, item: Item) -> dict[str, t.Any]:
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


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
