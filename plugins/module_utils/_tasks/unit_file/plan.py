# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file's change comes to: whether it is written, and what becomes of the units that it applies to."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveLinks,
    SetAttributes,
    WriteFile,
    file_diff,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.probe import ProbeUnits
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs, Reload, UnitFileLinks
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import UnitFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import is_template, object_path, prefix_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import YES
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import brings_up, is_active, is_up
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText, parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.look import see_services
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import MissingUnit, Wish, plan_units
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import ENABLED, Unit, not_found, read
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.texts import (
    can_reload_after,
    decide,
    file_state_after,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import (
    REFUSALS,
    STATES,
    Need,
    cannot_reload,
    cannot_restart,
    instead_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.memory import Memory
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import FileChange
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.read import (
    affected_units,
    is_stale,
    old_install,
    older_than_the_file,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.options import Asked
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import Place

# Types of units of which one that runs keeps settings until it is started anew.
_RUN_ON = ("service", "socket", "mount", "automount", "swap")
# Types of units that have a file, or there is none; slices, for one, systemd makes by itself.
_WITH_FILES = ("service", "socket", "timer", "path", "target", "mount", "automount", "swap")


def write_file(asked: Asked, place: Place, tools: FileTools, before: Saved | None) -> FileChange:
    """The file written over what is there, or its attributes put right, as far as it is not so already."""
    wrote = decide(
        before.content if before else None, asked.raw, asked.params["content"] is not None, bool(asked.dropin)
    )
    if wrote is None:
        if before is None:
            raise AssertionError("a file that is not written was there before")
        if tools.attributes(place.path, True):
            return FileChange([SetAttributes(place.path, before, tools)])
        return FileChange([])
    return FileChange(
        [WriteFile(place.path, asked.raw.encode("utf-8", "surrogateescape"), before, tools, wrote is False)],
        [file_diff(place.path, before, asked.raw)],
        wrote,
    )


def plan_change(
    asked: Asked, place: Place, manager: UnitManager, steps: list[Step], wrote: bool | None
) -> tuple[Plan, list[Unit], dict[str, Need]]:
    """The plan for a unit that is there, or will be; the units that it is about, and what they need, by id."""
    wants_links = asked.enabled is not None
    (unit,) = read(manager, [asked.name], wants_links, runtime=asked.runtime)
    affected = affected_units(asked, place, manager, unit)
    stale = not manager.offline and wrote is None and is_stale(asked, place, manager, unit, affected)
    older = older_than_the_file(asked, place, manager, affected) if wrote is None else set()
    if asked.src and asked.enabled is False and unit.file_state in ENABLED:
        raise BadInput(
            f"enabled: systemd removes the link to the file of {asked.name} together with those that enable it; use `state: absent` to be rid of "
            "the unit, or leave out `enabled`"
        )
    for other in affected if asked.reverted and steps else ():
        # What was masked is not any more, once systemd has read it again.
        other.stale = True
    was = unit.describe()
    missing = unit.missing and not (asked.absent or asked.dropin)
    alone = _is_alone(asked, place, unit)
    relink = _foresee(asked, place, manager, unit, wrote)
    if missing:
        was = "not found"
    # Steps for each wish, the unit itself first; one reload for all of them.
    plans = []
    plan = Plan()
    if alone:
        told = not_found([asked.name], manager).msg.partition(": ")[2]
        plan.warnings.append(f"dropin: {told}; the drop-in has no effect before there is one")
    memory = Memory(asked, place, manager, affected)
    needs = {
        each.id: memory.need(each, [place.path] if wrote is True or stale or each.id in older else [])
        for each in affected
        if is_up(each.active_state) and not (each is unit and asked.started is False)
    }
    by_state = states_for(asked, manager, unit, affected, needs)
    plan.warnings += _left_as_they_are(asked, place, [each for each in affected if each not in by_state], wrote)
    own_state = by_state.pop(unit, None)
    if wants_links or own_state:
        plans.append(_sub_plan(asked, manager, [unit], own_state, asked.enabled))
    for state in dict.fromkeys(by_state.values()):
        chosen = [other for other, its in by_state.items() if its == state]
        plans.append(_sub_plan(asked, manager, chosen, state, None))
    after: list[Step] = []
    if relink:
        after.append(UnitFileLinks("disable", [asked.name], manager.link_directories()))
    loses = asked.absent and asked.dropin is not None and steps
    dropped = UnitFiles(manager).links_without(asked.name, place.path) if loses else {}
    if dropped:
        after.append(RemoveLinks(dropped))
    jobs: list[Step] = []
    for each in plans:
        for step in each.steps:
            if isinstance(step, UnitFileLinks):
                after.append(step)
            else:
                jobs.append(step)
        plan.changes += [c._replace(before=was) if c.name == asked.name else c for c in each.changes]
        plan.warnings += each.warnings
    plan.steps = [*steps, *after]
    touched = wrote is not None or bool(after)
    reload = asked.params["daemon_reload"]
    if not manager.offline and (reload == "always" or (reload == "auto" and (touched or stale))):
        plan.steps.append(Reload(counts=reload == "always" or stale))
    plan.steps += jobs
    given = {n: step.type_of(n) for step in jobs if isinstance(step, Jobs) and step.counts for n in step.names}
    probed: list[str] = []
    if asked.probe is not None:
        probed += [name for name, job in given.items() if brings_up(job)]
        probed += [name for name in memory.unproven() if name not in given]
    if asked.probe is not None and probed:
        plan.steps.append(ProbeUnits(dict.fromkeys(probed, asked.probe)))
    first, last = memory.steps(given, probed)
    plan.steps = [*first, *plan.steps, *last]
    return plan, [unit, *(other for other in affected if other is not unit)], needs


def _is_alone(asked: Asked, place: Place, unit: Unit) -> bool:
    """Whether a drop-in is for a unit that is not there; one that needs no file, or stands for many, counts as there."""
    if asked.absent or asked.dropin is None or asked.kind not in _WITH_FILES or prefix_of(asked.name).endswith("-"):
        return False
    return (unit.status is None or unit.missing) and place.paths.find(asked.name) is None


def _left_as_they_are(asked: Asked, place: Place, units: t.Sequence[Unit], wrote: bool | None) -> list[str]:
    """A warning of units that run on with what their files said before, unless that was asked for."""
    if asked.params["on_change"] is not None or asked.absent or not wrote or asked.kind not in _RUN_ON:
        return []
    running = [each.id for each in units if is_active(each.active_state)]
    if not running or _runs_alike(place.tree.read_text(place.path) or "", asked.text):
        return []
    what = "runs" if len(running) == 1 else "run"
    return [
        f"{short(running)} {what} on with what the files said before; give `on_change: restart` (or `nothing`, where it is "
        "restarted later)"
    ]


def _runs_alike(before: str, after: UnitText) -> bool:
    """Whether two texts differ in nothing that matters to what runs."""
    old, new = parse(before).meaning(), after.meaning()
    return all(old.get(section) == new.get(section) for section in {*old, *new} if section not in ("Unit", "Install"))


def _sub_plan(asked: Asked, manager: UnitManager, units: list[Unit], state: str | None, enabled: bool | None) -> Plan:
    wish = Wish(
        state=state,
        enabled=enabled,
        runtime=asked.runtime,
        daemon_reload="never",
        settle=asked.settle / 1e6,
        settle_told=format_timespan(asked.settle),
    )
    try:
        return plan_units(units, wish, manager.link_directories(), asked.check_mode, True, offline=manager.offline)
    except MissingUnit as e:
        raise not_found(e.names, manager) from e


def _foresee(asked: Asked, place: Place, manager: UnitManager, unit: Unit, wrote: bool | None) -> bool:
    """Make of the unit what it will be once the file is there; returns whether its links have to be made anew."""
    is_dropin = asked.dropin is not None
    if not asked.absent and not is_dropin and unit.missing and unit.file_state is None:
        unit.file_state = file_state_after("", asked.text, False)
    if asked.absent or asked.enabled is None or unit.file_state is None:
        return False
    relink = False
    if unit.file_state in ENABLED and asked.enabled:
        relink = bool(wrote) and old_install(asked, place) != asked.text.meaning().get("Install", [])
    if asked.enabled and not is_template(asked.name):
        files = UnitFiles(manager)
        install = files.install(asked.name, place.path, asked.raw)
        unit.lacking, unit.taken, unit.aliases = files.look(asked.name, install, asked.runtime)
    if unit.file_state in ENABLED and relink:
        unit.file_state = "disabled"
    if not (is_dropin and unit.missing):
        unit.file_state = file_state_after(unit.file_state, asked.text, is_dropin)
    if asked.text.installs():
        unit.has_links = True
    unit.default_instance = "".join(asked.text.values("Install", "DefaultInstance")[-1:]) or unit.default_instance
    if (
        is_template(asked.name)
        and not unit.default_instance
        and unit.file_state not in ("static", "indirect", *ENABLED)
    ):
        raise BadInput(
            f"enabled: {asked.name} is a template without DefaultInstance= in [Install], so there is nothing to enable; "
            "leave out `enabled`, and enable instances with pidone.systemd.unit"
        )
    if not is_dropin:
        also = [name for name in asked.text.words("Install", "Also") if name != asked.name]
        unit.also = list(manager.unit_file_states(also)) if also else []
    return relink


def states_for(
    asked: Asked, manager: UnitManager, unit: Unit, affected: t.Sequence[Unit], needs: t.Mapping[str, Need]
) -> dict[Unit, str]:
    """The state that each unit is to be brought to; units that are left alone are not in it.

    :param needs: what units that are up need because of what is new to them, by id.
    """
    states: dict[Unit, str] = {}
    for each in affected:
        need = needs.get(each.id)
        if each is unit and asked.started is False:
            states[each] = "stopped"
        elif need is not None and need.action:
            states[each] = STATES[need.action][0 if each is unit and asked.started else 1]
            if need.action == "reload":
                _check_can_reload(asked, manager, each, need)
            else:
                _check_can_restart(asked, manager, each, need)
        elif each is unit and asked.started:
            states[each] = "started"
    return states


def _check_can_reload(asked: Asked, manager: UnitManager, unit: Unit, need: Need) -> None:
    """Refuse a reload that the unit will not be able to do; what it can do now is not the question."""
    now = bool(manager.properties([(object_path(unit.id), UNIT, "CanReload")])[0])
    if asked.absent:
        return
    if not can_reload_after(now, asked.kind, asked.text, asked.dropin is not None):
        raise cannot_reload("", need, unit.id)


def _check_can_restart(asked: Asked, manager: UnitManager, unit: Unit, need: Need) -> None:
    """Refuse a restart that systemd would refuse later, with the file in place or, worse, the socket closed."""
    can_reload, *refuses = manager.properties([(object_path(unit.id), UNIT, key) for key in ("CanReload", *REFUSALS)])
    able = need.action != "restart" and can_reload_after(bool(can_reload), asked.kind, asked.text, asked.dropin is not None)
    for key, now in zip(REFUSALS, refuses):
        said = asked.text.values("Unit", key)
        if not able and (said[-1].lower() in YES if said else now and asked.dropin is not None and not asked.absent):
            raise cannot_restart("", need, unit.id)
    if asked.kind != "socket":
        return
    see_services(manager, [unit])
    if unit.kept_closed_by:
        raise BadInput(
            f"{need.option}: systemd cannot restart {unit.id} while {unit.kept_closed_by} runs, which it starts; "
            f"stop that first, with pidone.systemd.unit, or {instead_of(need)}"
        )
