# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a set is and what is wanted of it to the steps between."""

from __future__ import annotations

import functools
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveDirectory,
    RemoveFile,
    RemoveLinks,
    SetAttributes,
    WriteFile,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.probe import Probe, ProbeUnits
from ansible_collections.pidone.systemd.plugins.module_utils._engine.remember import Remember
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import (
    Jobs,
    JobsTogether,
    Reload,
    ResetFailed,
    Settle,
    UnitFileLinks,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.timers import Hold, StartAnew
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import UnitFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import links_by_unit, read_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    instance_of,
    is_template,
    object_path,
    template_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_active, is_down, is_up
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.look import see_services
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import MissingUnit, Wish, plan_units
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import ENABLED, not_found
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import Record
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.task import plan_read
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.texts import file_state_after
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import (
    REFUSALS,
    STATES,
    cannot_reload,
    cannot_restart,
    read_after,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.files import is_private
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Item
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.read import Member
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.special import (
    Anew,
    Later,
    Limited,
    limits,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import UnitEntry
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.files import SetFile
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Asked
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.read import Picture

_JOBS = {"restart": "restart", "reload": "reload", "reload_or_restart": "reload-or-restart"}
# Types of units of which one that runs keeps settings until it is started anew.
_RUN_ON = ("service", "socket", "mount", "automount", "swap")


class Planner:
    """Makes the plan for one set.

    :param path: where the set's record is.
    """

    def __init__(
        self,
        asked: Asked,
        picture: Picture,
        manager: UnitManager,
        paths: UnitPaths,
        path: str,
        tools: FileTools,
        check_mode: bool,
        stamps: str,
    ) -> None:
        self._asked, self._picture, self._manager = asked, picture, manager
        self._paths, self._path, self._tools, self._check_mode = paths, path, tools, check_mode
        self._stamps = stamps
        self._directories = manager.link_directories()
        self._gone = {each.path for each in picture.gone}
        self._changes: list[Change] = []
        self._warnings: list[str] = list(picture.warnings)
        self._links: dict[str, list[str]] = {"unmask": [], "disable": [], "enable": [], "mask": []}
        # Steps about links that are none of systemd's: of scripts, and of units that are no more.
        self._others: list[Step] = []
        self._unlink: dict[str, str] = {}
        self._stop: list[str] = []
        # Unit -> type of the job, in the order of the list; and of units that are no more the set's, unless systemd would refuse it.
        self._jobs: dict[str, str] = {}
        self._act_on_purged: dict[str, str] = {}
        # Those of the jobs that start nothing, as the unit runs.
        self._proves: set[str] = set()
        self._joined: list[Step] = []
        self._up: set[str] = set()
        self._stay_down: set[str] = set()
        self._failed: list[str] = []

    def plan(self) -> Plan:
        """All of it, in order.

        :raises BadInput: something cannot be as wanted.
        """
        picture, asked = self._picture, self._asked
        # Links that go are not in the way of those that are made.
        links_that_go = {unit.name: self._links_of_purged(unit) for unit in [*picture.purged, *picture.ending]}
        self._gone.update(*links_that_go.values())
        self._plan_members()
        for unit in picture.ending:
            self._bring_down(unit)
            self._unlink.update(links_that_go[unit.name])
        for unit in picture.purged:
            self._purge(unit, links_that_go[unit.name])
        self._check_purged()
        timers = self._renew_timers()
        write = self._write()
        remove = self._remove()
        links: list[Step] = [
            UnitFileLinks(verb, list(dict.fromkeys(names)), self._directories) for verb, names in self._links.items() if names
        ]
        unlink: list[Step] = [RemoveLinks(self._unlink)] if self._unlink else []
        jobs: list[Step] = []
        if self._jobs:
            together = JobsTogether(self._jobs, self._up, stay_down=self._stay_down)
            jobs = [*self._joined, together]
            if asked.settle > 0:
                jobs.append(Settle(together, asked.settle / 1e6, format_timespan(asked.settle)))
            jobs += self._probe()
        else:
            jobs = self._joined
        files = [f for f in picture.files if f.wrote is not None and f.kind != "file"]
        gone = [g for g in picture.gone if g.before is not None and g.entry["kind"] != "file"]
        steps: list[Step] = []
        if timers.held:
            # Before their files become others: whatever has systemd read them meanwhile would have them elapse.
            steps.append(Hold(timers.held, timers.stamps))
        if self._stop:
            steps.append(Jobs("stop", self._stop, self._stop))
        steps += [*write, *unlink, *remove, *links[:2], *self._others, *links[2:], *timers.touched]
        # Systemd writes a drop-in for what it is told, and takes the unit's files for changed when that is gone again. So it reads
        # them after that, and has from the files what it has told the kernel.
        limit = self._limit()
        steps += limit
        if timers.anew:
            # It reloads for all.
            steps.append(StartAnew(timers.anew, self._directories[1], self._tools))
        elif self._manager.runs and (
            files or gone or unlink or links or self._others or picture.stale or limit
        ):
            steps.append(Reload(counts=picture.stale))
        if self._failed:
            steps.append(ResetFailed(self._failed))
        steps += jobs
        first, last = self._remember(bool(steps))
        plan = Plan([*first, *steps, *last], self._changes)
        plan.file_diffs = [file.diff() for file in picture.files if file.wrote is not None]
        plan.file_diffs += [
            each.diff(each.entry["kind"] == "file" and is_private(each.before, None)) for each in picture.gone if each.before
        ]
        plan.warnings = self._warnings
        return plan

    # -- what needs more than jobs

    def _renew_timers(self) -> Anew:
        """Timers that would be restarted are stopped and started such that they count from now."""
        again = ("restart", "try-restart", "reload-or-restart", "reload-or-try-restart")
        # Also those that are no more the set's, of which it had drop-ins.
        left = [Member(Item({"name": unit.name}, "", self._asked.name, False), unit, (), False) for unit in self._picture.purged]
        members = [m for m in (*self._picture.members, *left) if m.item.kind == "timer" and self._jobs.get(m.unit.id, "") in again]
        anew = Anew(members, self._manager, self._paths, self._stamps)
        for member in members:
            del self._jobs[member.unit.id]
        self._begun_anew = {timer.name for timer, _stamp in anew.anew}
        self._jobs.update(dict.fromkeys(anew.started, "start"))
        self._up.difference_update(anew.started)
        return anew

    def _limit(self) -> list[Step]:
        members = [
            Limited(m.unit.id, m.item.where, m.properties, m.freed, list(m.limits))
            for m in self._picture.members
            if (m.untold or m.freed) and m.up and self._goes_on(m.unit.id)
        ]
        members += [
            Limited(unit.id, "", {}, self._picture.freed[unit.name], ())
            for unit in self._picture.purged
            if self._picture.freed.get(unit.name) and self._goes_on(unit.id)
        ]
        if not members or not self._manager.runs:
            return []
        steps, changes, warnings = limits(members, self._picture, self._manager)
        self._changes += changes
        self._warnings += warnings
        return list(steps)

    def _goes_on(self, name: str) -> bool:
        """Whether a unit that is up is not started anew."""
        return name not in self._stop and (self._jobs.get(name, "reload") == "reload" or name in self._proves)

    def _probe(self) -> list[Step]:
        probes: dict[str, Probe] = {
            m.unit.id: m.item.probe for m in self._picture.members if m.listed and m.item.probe is not None and m.unit.id in self._jobs
        }
        return [ProbeUnits(probes)] if probes else []

    # -- files

    def _write(self) -> list[Step]:
        steps: list[Step] = []
        for file in self._picture.files:
            if file.link:
                steps.append(RemoveLinks({file.path: file.link}))
                self._unlink.pop(file.path, None)
            if file.wrote is not None:
                steps.append(WriteFile(file.path, file.content, file.before, file.tools, file.wrote is False))
            elif file.sets and file.before is not None:
                steps.append(SetAttributes(file.path, file.before, file.tools))
            if file.kind != "file":
                better = self._paths.shadows(file.place) if file.wrote is not None else None
                if better is not None:
                    self._warnings.append(f"{file.path} has no effect while there is {better}, which systemd prefers")
        return steps

    def _remove(self) -> list[Step]:
        gone = self._picture.gone
        used = {os.path.dirname(file.path) for file in self._picture.files}
        # A task may have removed the file, and failed at what is empty since.
        empty = [each.leftover for each in gone if each.leftover and each.leftover not in used]
        return [
            *(
                RemoveFile(each.path, each.before, self._tools, keep_directory=each.entry["kind"] == "file")
                for each in gone
                if each.before is not None
            ),
            *map(RemoveDirectory, dict.fromkeys(empty)),
        ]

    # -- units that are listed

    def _plan_members(self) -> None:
        groups: dict[tuple[t.Any, ...], list[Member]] = {}
        members = self._picture.members
        written = [member for member in members if member.written]
        relinked = self._foresee(written)
        for member in members:
            state = self._state_of(member)
            enabled = member.item.enabled if member.listed else None
            masked = member.item.masked if member.listed else None
            if state is None and enabled is None and masked is None:
                continue
            groups.setdefault((state, enabled, masked, member.written), []).append(member)
        self._check_actions([m for m in members if m.need.action])
        for (state, enabled, masked, is_written), chosen in groups.items():
            wish = Wish(state=state, enabled=enabled, masked=masked, daemon_reload="never")
            self._take(self._sub_plan([m.unit for m in chosen], wish, is_written), {m.unit.name: m for m in chosen})
        self._links["disable"] += relinked
        self._prove_again(members)
        self._tell_left(members)
        self._tell_alone(members)

    def _prove_again(self, members: t.Sequence[Member]) -> None:
        """Have units looked after that run, but which an earlier task has started and not found well: they are asked to start once more."""
        for member in members:
            entry, unit = self._picture.record.units.get(member.unit.name), member.unit
            wanted = member.listed and member.up and member.item.state == "started" and unit.id not in self._jobs
            if wanted and entry is not None and entry.get("unproven") and (self._asked.settle > 0 or member.item.probe is not None):
                self._jobs[unit.id] = "start"
                self._proves.add(unit.id)
                self._up.add(unit.id)
                self._changes.append(Change(unit.name, unit.describe(), "active, as it has to prove yet"))

    def _state_of(self, member: Member) -> str | None:
        wanted = member.item.state if member.listed else None
        if member.need.action:
            return STATES[member.need.action][0 if wanted == "started" else 1]
        return wanted

    def _sub_plan(self, units: list[Unit], wish: Wish, is_written: bool) -> Plan:
        manager = self._manager
        if not is_written or wish.masked is not None:
            return plan_read(manager, units, wish, self._check_mode, is_written, self._gone)
        try:
            return plan_units(units, wish, self._directories, self._check_mode, True, offline=manager.offline)
        except MissingUnit as e:
            raise not_found(e.names, manager) from e

    def _take(self, plan: Plan, members: t.Mapping[str, Member]) -> None:
        """Take the steps of a plan for some of the units apart, to be put together with those of others."""
        for step in plan.steps:
            if isinstance(step, UnitFileLinks):
                self._links[step.verb] += step.names
            elif isinstance(step, Jobs) and not step.counts:
                self._joined.append(step)
            elif isinstance(step, Jobs):
                self._up.update(name for name in step.names if step.was_up(name))
                if step.type == "stop":
                    self._stop += step.names
                else:
                    self._jobs.update((name, step.type) for name in step.names)
                    self._stay_down.update(name for name in step.names if name in step.stay_down)
            elif isinstance(step, RemoveLinks) or not isinstance(step, Reload):
                self._others.append(step)
        for change in plan.changes:
            member = members.get(change.name)
            self._changes.append(change._replace(before="not found") if member and change.name in self._new else change)
        self._warnings += plan.warnings

    def _foresee(self, members: t.Sequence[Member]) -> list[str]:
        """Make of units what they will be once their files are there; returns those whose links have to be made anew."""
        self._new = {m.unit.name for m in members if m.unit.missing and any(f.kind == "unit" for f in m.files)}
        if not members:
            return []
        files = UnitFiles(self._manager)
        gone = self._gone
        relinked = []
        for member in members:
            unit, item, name = member.unit, member.item, member.unit.name
            whole = next((f for f in member.files if f.kind == "unit" and f.text is not None), None)
            masked = whole is not None and whole.link == "/dev/null"
            if masked:
                unit.file_state = None if unit.file_state is None else ""
                unit.status = unit.status and unit.status._replace(load_state="stub")
            if whole is not None and whole.text is not None and (unit.missing or masked):
                unit.file_state = file_state_after("", whole.text.text, False)
            if unit.file_state is None or item.enabled is None or not member.listed:
                continue
            pending = {f.path: f.text.raw for f in member.files if f.wrote is not None and f.text is not None}
            install = files.install(unit.id, pending=pending, gone=gone)
            was = files.install(unit.id)
            if unit.file_state in ENABLED and item.enabled and was != install:
                relinked.append(unit.id)
                unit.file_state = "disabled"
            if whole is not None and whole.text is not None and whole.wrote is not None:
                unit.file_state = file_state_after(unit.file_state, whole.text.text, False)
            for file in member.files:
                if file.kind == "dropin" and file.text is not None:
                    unit.file_state = file_state_after(unit.file_state, file.text.text, True)
            if any(install.get(key) for key in ("WantedBy", "RequiredBy", "UpheldBy", "Alias")):
                unit.has_links = True
            unit.default_instance = "".join(install.get("DefaultInstance", [])[-1:])
            if item.enabled and not is_template(name):
                unit.lacking, unit.taken, unit.aliases = files.look(unit.id, install, False, gone)
            also = [each for each in install.get("Also", []) if each != name and "%" not in each]
            unit.also = list(self._manager.unit_file_states(also)) if also else []
        return relinked

    def _check_actions(self, members: t.Sequence[Member]) -> None:
        """Refuse what systemd would refuse later, with the files in place, and name what asks for it."""
        if not members:
            return
        able = self._able([(member.unit.id, member.need.action) for member in members])
        for member in members:
            if not able[member.unit.id]:
                what = cannot_reload if member.need.action == "reload" else cannot_restart
                raise what(member.item.where, member.need, member.unit.id)
        self._check_sockets(members)

    def _able(self, actions: t.Sequence[tuple[str, str]]) -> dict[str, bool]:
        """Which of the units can do what is to be done because of a change (`restart`, `reload`, `reload_or_restart`), with the files as they
        will be."""
        keys = ("CanReload", *REFUSALS)
        wanted = [(object_path(name), UNIT, key) for name, _action in actions for key in keys]
        values = iter(self._manager.properties(wanted) if wanted else ())
        written = [file for file in self._picture.files if file.wrote is not None]
        texts = [file.content for file in written]
        saved = [*(file.before for file in written), *(gone.before for gone in self._picture.gone)]
        texts += [each.content for each in saved if each is not None]
        # Most say nothing of it, and then systemd knows.
        may_say = any(b"RefuseManual" in text for text in texts)
        able = {}
        for name, action in actions:
            can_reload, *refuses = (next(values) for _key in keys)
            able[name] = action != "restart" and self._later.can_reload(name, bool(can_reload))
            if action != "reload" and not able[name]:
                able[name] = not (self._later.refuses(name, any(refuses)) if may_say else any(refuses))
        return able

    @functools.cached_property
    def _later(self) -> Later:
        texts = {file.path: file.text.text for file in self._picture.files if file.wrote is not None and file.text is not None}
        return Later(texts, self._gone, self._paths, self._manager)

    def _check_sockets(self, members: t.Sequence[Member]) -> None:
        """Refuse to restart a socket that would stay closed, as its service runs and is not restarted with it."""
        sockets = [m for m in members if m.item.kind == "socket" and m.need.action != "reload"]
        if not sockets:
            return
        see_services(self._manager, [m.unit for m in sockets])
        restarted = {m.unit.id for m in self._picture.members if m.need.action and m.need.action != "reload"}
        for member in sockets:
            service = member.unit.kept_closed_by
            if service and service not in restarted:
                raise BadInput(
                    f"{member.item.where}on_change: systemd cannot restart {member.unit.id} while {service} runs, which it starts; have the set restart "
                    "that too (`restart_on`), stop it first, or use `nothing`"
                )
            member.unit.kept_closed_by = ""

    def _tell_alone(self, members: t.Sequence[Member]) -> None:
        """Warn of drop-ins of units that are not there."""
        alone = [
            m.unit.name
            for m in members
            if m.listed and m.unit.missing and not m.item.owns and m.unit.name not in self._new
            and self._paths.find(m.unit.name) is None
        ]
        if alone:
            self._warnings.append(f"there is no unit {short(alone)} on this host; its drop-ins have no effect before there is one")

    def _tell_left(self, members: t.Sequence[Member]) -> None:
        """Warn of units that run on with what their files said before, unless that was asked for."""
        left = [
            m.unit.id
            for m in members
            if m.need.passed and not m.need.action and not m.item.is_quiet and is_active(m.unit.active_state) and m.item.kind in _RUN_ON
        ]
        if left:
            self._warnings.append(
                f"{short(left)} {'runs' if len(left) == 1 else 'run'} on with what the files said before; give `on_change: restart` "
                "(or `nothing`, where it is restarted later)"
            )

    # -- units that are not listed any more

    def _made_of(self, name: str) -> list[str]:
        """What the set has made of a unit that it has not any more."""
        record = self._picture.record
        made = record.units[name]["made"] if name in record.units else []
        own = {each["unit"] for each in record.files.values() if each["kind"] == "unit"}
        return [*made, "enabled", "started"] if template_of(name) in own else list(made)

    def _links_of_purged(self, unit: Unit) -> dict[str, str]:
        """Links (path -> target) that go with a unit."""
        name, made = unit.name, self._made_of(unit.name)
        links: dict[str, str] = {}
        if name in self._picture.ends or "enabled" in made:
            links = {path: to for path, to in self._links_to(name).items() if to != "/dev/null"}
        if "masked" in made:
            path = f"{self._directories[0]}/{name}"
            links.update({path: "/dev/null"} if self._paths.tree.target(path) == "/dev/null" else {})
        return links

    def _purge(self, unit: Unit, links: t.Mapping[str, str]) -> None:
        picture, name = self._picture, unit.name
        entry = picture.record.units.get(name)
        made = self._made_of(name)
        ends = name in picture.ends
        before = unit.describe()
        if ends or (instance_of(name) and ("enabled" in made or "started" in made)):
            self._bring_down(unit)
        self._unlink.update(links)
        gone = [each for each in picture.gone if each.before and each.entry["unit"] in (name, template_of(name))]
        # Of its limits it is told.
        acts = picture.removed.get(name)
        runs_on = not ends and self._manager.runs and is_up(unit.active_state) and unit.id not in self._stop
        job = _JOBS.get(entry["on_change"]) if entry else None
        if runs_on and acts and job:
            self._act_on_purged[unit.id] = job
        if ends:
            self._changes.append(Change(name, before, "removed"))
        elif links or gone or acts or unit.id in self._stop:
            after = ["inactive" if unit.id in self._stop else unit.active_state, *(["disabled"] if links else [])]
            self._changes.append(Change(name, before, f"{', '.join(after)}, no part of {self._asked.name} any more"))

    def _bring_down(self, unit: Unit) -> None:
        if self._manager.runs and not is_down(unit.active_state):
            self._stop += [unit.id] if unit.id not in self._stop else []
            self._up.add(unit.id)
        elif self._manager.runs and unit.active_state == "failed":
            self._failed.append(unit.id)

    def _check_purged(self) -> None:
        """Leave jobs out that systemd would refuse: what has them asked for is not listed any more."""
        jobs = self._act_on_purged
        able = self._able([(name, job.replace("-", "_")) for name, job in jobs.items()])
        for name, job in jobs.items():
            if not able[name]:
                why = "it has no way to reload any more" if job == "reload" else "it cannot be restarted by hand (RefuseManualStart=, RefuseManualStop=)"
                self._warnings.append(f"{name} runs on with what the removed files said, as {why}; restart it, or what it is part of, one day")
            else:
                self._jobs[name] = job
                self._up.add(name)

    def _links_to(self, name: str) -> dict[str, str]:
        if not hasattr(self, "_all_links"):
            self._all_links = links_by_unit(read_links(self._directories, tree=self._paths.tree))
        found = self._all_links.get(name, {})
        if not is_template(name):
            return found
        # Those of instances that have a file of their own are theirs.
        own = {os.path.basename(p) for d in self._paths.search for p in [f"{d}/{os.path.basename(q)}" for q in found] if os.path.lexists(p)}
        return {path: to for path, to in found.items() if os.path.basename(path) not in own}

    # -- the record

    def _remember(self, has_steps: bool) -> tuple[list[Step], list[Step]]:
        """The steps that come first, so that nothing is made that nobody remembers, and those that come last."""
        picture, name = self._picture, self._asked.name
        final = self._final()
        found = picture.found
        if found and not has_steps and not picture.released and not final.is_empty and final.says(found):
            return [], []
        text = None if final.is_empty else final.text()
        first: list[Step] = []
        last: list[Step] = []
        now = found.text() if found else b""
        begun = self._begun(final) if has_steps else final
        if has_steps and not begun.is_empty and begun.text() != now:
            now = begun.text()
            first.append(Remember(self._path, now, f"write down what {name} is going to have", counts=False, stays=True))
        released = [
            Remember(path, None if left.is_empty else left.text(), f"take it from the set {left.name}")
            for path, left in picture.released.items()
        ]
        if (text or b"") != now:
            last.append(Remember(self._path, text, f"write down what {name} has" if text else f"forget the set {name}"))
        return first, [*released, *last]

    def _begun(self, final: Record) -> Record:
        """The record until all is done: the set has what it had and what it will have."""
        picture = self._picture
        begun = final.copy()
        for path, entry in picture.record.files.items():
            begun.files.setdefault(path, entry)
        for file in picture.files:
            if file.wrote is not None:
                # Until it is written, it holds what it held.
                begun.files[file.path] = {**begun.files[file.path], "was": self._was(file)}
        by_name = {member.unit.name: member.unit.id for member in picture.members}
        for unit, entry_after in begun.units.items():
            # What units read they have read when it is done.
            before: UnitEntry = {"loaded": {}, "reloaded": {}}
            before.update(picture.record.units.get(unit, {}))
            begun.units[unit] = {**entry_after, "loaded": before["loaded"], "reloaded": before["reloaded"]}
            if by_name.get(unit) in self._jobs:
                begun.units[unit]["unproven"] = True
        for unit, known in picture.record.units.items():
            begun.units.setdefault(unit, known)
        return begun

    def _was(self, file: SetFile) -> str:
        """The digest of what the set has written to a file that it writes now; empty where it has not."""
        record = self._picture.record
        entry = record.files.get(file.path)
        if entry is None:
            return ""
        content = file.before.content if file.before is not None else b""
        return record.digest(content) if "was" in entry and record.wrote(file.path, content) else entry["digest"]

    def _final(self) -> Record:
        """The record as it is when all is done."""
        picture = self._picture
        final = picture.record.copy()
        for gone in picture.gone:
            final.files.pop(gone.path, None)
        digest = picture.record.digest
        for file in picture.files:
            if file.is_others:
                final.files.pop(file.path, None)
                continue
            # One that means the same may be another text, as somebody formatted it.
            content = file.content if file.wrote is not None or file.before is None else file.before.content
            told, known = digest(content), final.files.get(file.path)
            if known is None or known["digest"] != told or "was" in known:
                meaning = digest(file.meaning())
                final.files[file.path] = {"kind": file.kind, "unit": file.unit, "digest": told, "meaning": meaning}
        kept = {entry["unit"] for entry in final.files.values() if entry["kind"] == "unit"}
        for each in [*(unit.name for unit in picture.purged), *picture.forgotten]:
            final.units.pop(each, None)
        enabled, masked = set(self._links["enable"]), set(self._links["mask"])
        for member in picture.members:
            if member.listed:
                self._enter(final, member, enabled, masked, kept)
        return final

    def _enter(
        self, final: Record, member: Member, enabled: t.Container[str], masked: t.Container[str], own: set[str]
    ) -> None:
        unit, item = member.unit, member.item
        known = final.units.get(unit.name)
        made = set(known["made"]) if known else set()
        job = self._jobs.get(unit.id, "") if unit.id not in self._proves else ""
        if unit.name in enabled or unit.id in enabled:
            made.add("enabled")
        if unit.name in masked:
            made.add("masked")
        if job == "start":
            made.add("started")
        if item.masked is False:
            made.discard("masked")
        if item.enabled is False:
            made -= {"enabled", "started"}
        if unit.name in own:
            made.discard("masked")
        loaded = known["loaded"] if known else {}
        reloaded = known["reloaded"] if known else {}
        # What is down reads all of it when somebody starts it.
        starts = not member.up or job in ("start", "restart", "try-restart") or unit.id in self._stop
        starts = starts or unit.id in self._begun_anew
        passed = set(member.need.passed)
        sources = {**member.own, **member.limits, **member.restart_on}
        entry: UnitEntry = {
            "owned": item.owns,
            "made": sorted(made),
            "on_change": item.on_change,
            "loaded": read_after(sources, loaded, starts, passed),
            "reloaded": read_after(member.reload_on, reloaded, starts, ()),
        }
        if unit.id != unit.name:
            entry["id"] = unit.id
        final.units[unit.name] = entry
