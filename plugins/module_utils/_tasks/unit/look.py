# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan needs to know of few units only, looked at where the wish and the states that were read leave a question."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE, UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import links_by_unit, read_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    escape_path,
    instance_of,
    object_path,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus, interface_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import ENABLED, MANY, MASKED, Unit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


def at_rest(manager: UnitManager, names: t.Sequence[str]) -> dict[str, Unit]:
    """Of many services that are to be started: those that systemd does not have in memory, and whose files tell the rest, by name.

    They are down. To say so, systemd would read the files of each, forget them once it has answered, and read them again
    for the job; both together cost it half of what the job does. Whether it can make sense of a file, the job will show.
    """
    if len(names) < MANY or any(manager.in_memory([names[0], names[len(names) // 2], names[-1]])):
        return {}
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.freshness import surely_fresh
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.services import services_from_files

    fresh = surely_fresh(manager, names)
    told = services_from_files(manager.unit_path(), [name for name in names if name in fresh]) if fresh else {}
    units = {}
    for (name, service), there in zip(told.items(), manager.in_memory(list(told)) if told else ()):
        if not there:
            status = UnitStatus(name, "", "loaded", "inactive", "dead", "", object_path(name), 0, "", "/")
            units[name] = unit = Unit(name, status)
            unit.fresh, unit.service, unit.ends = True, service, service.ends
    return units


def see_freezer(manager: t.Any, units: t.Sequence[Unit]) -> None:
    """Of units that are to be frozen or thawed: whether they are, and can be, and whether this task runs in one of them."""
    units = [unit for unit in units if unit.status and unit.load_state != "not-found"]
    wanted = []
    for unit in units:
        path = object_path(unit.id)
        wanted += [(path, UNIT, "FreezerState"), (path, UNIT, "CanFreeze"), (path, interface_of(unit.id), "ControlGroup")]
    told = iter(manager.properties(wanted) if wanted else ())
    for unit, state, can, group in zip(units, told, told, told):
        unit.freezer_state, unit.can_freeze = state or "", bool(can)
        unit.holds_task = runs_in(group or "")


def runs_in(control_group: str) -> bool:
    """Whether this process is in a control group, or in one below it, as systemd names those."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return False
    # cgroups(7): `0::` is the unified hierarchy, `name=systemd` is systemd's own where there is the old one.
    own = [line.split(":", 2)[2] for line in lines if line.startswith("0::") or ":name=systemd:" in line]
    if control_group == "/":
        return True
    return bool(control_group) and any(f"{path}/".startswith(f"{control_group}/") for path in own)


def see_dependencies(manager: t.Any, units: t.Sequence[Unit], kinds: t.Mapping[str, t.Sequence[str]], runtime: bool) -> None:
    """Of units that others are to pull in: which of these do not yet.

    :param kinds: directive of [Install] that would ask for the same -> names of those others.
    """
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import UnitFiles
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import PULLS

    files = UnitFiles(manager)
    for unit in units:
        lacking = files.look(unit.id, {key: list(names) for key, names in kinds.items()}, runtime)[0]
        for key, names in kinds.items():
            kind = PULLS[key].capitalize()
            unit.dependencies += [(kind, name) for name in names if f"{name}.{PULLS[key]}/{unit.id}" in lacking]


def see_links(manager: t.Any, units: t.Sequence[Unit], runtime: bool, gone: t.Container[str] = ()) -> None:
    """Of units that are to be enabled: links that [Install] asks for and that are not there, and what is in their place.

    :param gone: files and links that steps before remove.
    """
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import UnitFiles

    states = (*ENABLED, "disabled", "linked", "linked-runtime")
    wanted = [unit for unit in units if unit.file_state in states and not unit.is_whole]
    if not wanted:
        return
    files = UnitFiles(manager)
    for unit in wanted:
        unit.lacking, unit.taken, unit.aliases = files.look(
            unit.id, files.install(unit.id, gone=gone), runtime, gone
        )


def see_leftovers(manager: t.Any, units: t.Sequence[Unit], runtime: bool) -> None:
    """Of units that are to be disabled: links that systemd would leave, since their files are masked or gone."""
    wanted = [unit for unit in units if unit.file_state in ("", *MASKED)]
    links = read_links(manager.link_directories()[1 if runtime else 0 :], tree=manager.tree) if wanted else {}
    of_units = links_by_unit({path: target for path, target in links.items() if target != "/dev/null"})
    for unit in wanted:
        unit.leftovers = {**of_units.get(unit.name, {}), **of_units.get(unit.id, {})}


def see_linked(manager: t.Any, units: t.Sequence[Unit], runtime: bool) -> None:
    """Of units that are to be disabled: those whose only file is a link, which systemd removes together with the others."""
    tree, wanted = manager.tree, [unit for unit in units if unit.file_state in ENABLED]
    places = manager.unit_path() if wanted else []
    own = manager.link_directories()[1 if runtime else 0 :] if wanted else []
    for unit in wanted:
        paths = [f"{directory}/{unit.id}" for directory in places]
        there = [path for path in paths if tree.status(path, False) is not None]
        removed = [f"{directory}/{unit.id}" for directory in own]
        target = tree.target(there[0]) if there and there[0] in removed else ""
        if len(there) == 1 and os.path.basename(target) == unit.id:
            unit.linked_from = target


def see_presets(manager: t.Any, units: t.Sequence[Unit]) -> None:
    """Of instances: what the presets say of them, which systemd does not tell."""
    instances = [unit for unit in units if instance_of(unit.id) and unit.file_state]
    if not instances:
        return
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.presets import preset_of, read_rules

    rules = read_rules(manager.tree, "system" if manager.scope == "system" else "user")
    for unit in instances:
        unit.preset = preset_of(rules, unit.id)


def see_sources(manager: t.Any, units: t.Sequence[Unit]) -> None:
    """Of generated units: what they are generated from."""
    generated = [unit for unit in units if unit.file_state == "generated" and unit.status]
    values = manager.properties([(object_path(unit.id), UNIT, "SourcePath") for unit in generated]) if generated else ()
    for unit, source in zip(generated, values):
        unit.source = source or ""


def see_scripts(manager: t.Any, units: t.Sequence[Unit]) -> None:
    """Of units that are made of System V scripts, or will be when systemd has read the script: whether they are enabled."""
    if manager.offline or manager.scope != "system":
        return
    wanted = [unit for unit in units if unit.file_state == "generated" or unit.missing]
    if not wanted:
        return
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit import scripts

    for unit in wanted:
        path = scripts.script_of(unit.id)
        if path and (unit.missing or unit.source in ("", path)):
            unit.stale = unit.stale or unit.missing
            unit.script, unit.has_tool = path, bool(scripts.tool())
            unit.script_enabled = scripts.is_enabled(path)


def see_services(manager: t.Any, units: t.Sequence[Unit]) -> None:
    """Of sockets that are to be restarted: a service that runs already, which leaves the socket closed.

    No socket is opened while its service runs. A service that requires the socket, or is part of it, is restarted with it.
    """
    sockets = [unit for unit in units if unit_type(unit.id) == "socket" and unit.status]
    names = ("Triggers", "RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf")
    asked = [(object_path(unit.id), UNIT, name) for unit in sockets for name in names]
    asked += [(object_path(unit.id), interface_of(unit.id), "Accept") for unit in sockets]
    values = manager.properties(asked) if asked else []
    accepts = values[len(names) * len(sockets) :]
    for index, unit in enumerate(sockets):
        unit.kept_closed_by = ""
        if accepts[index]:
            # The services that run are of connections that were made; they are not what it starts next.
            continue
        triggers, *along = values[len(names) * index : len(names) * (index + 1)]
        for service in manager.status(list(triggers or ())):
            if service.active_state == "active" and not any(service.id in (each or ()) for each in along):
                unit.kept_closed_by = service.id
                break


def see_ends(manager: t.Any, units: t.Sequence[Unit]) -> None:
    """Of services that are to be started: those that are down again when they have run to their end."""
    services = [
        unit for unit in units if unit_type(unit.id) == "service" and unit.load_state == "loaded" and unit.service is None
    ]
    fresh = [unit.id for unit in services if unit.fresh]
    if fresh:
        # Systemd reads the file of a unit that is down for each question about it.
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.services import services_from_files

        known = services_from_files(manager.unit_path(), fresh)
        for unit in services:
            unit.service = known.get(unit.id)
            unit.ends = unit.service is not None and unit.service.ends
        services = [unit for unit in services if unit.service is None]
    types = manager.properties([(object_path(unit.id), SERVICE, "Type") for unit in services]) if services else ()
    oneshots = [unit for unit, kind in zip(services, types) if kind == "oneshot"]
    asked = [(object_path(unit.id), SERVICE, "RemainAfterExit") for unit in oneshots]
    for unit, stays in zip(oneshots, manager.properties(asked) if asked else ()):
        unit.ends = stays is False


def see_paths(manager: t.Any, units: t.Sequence[Unit]) -> None:
    """Of mounts and automounts that systemd could not read: the path in the file, where that belongs to a unit of another name."""
    mounts = [unit for unit in units if unit_type(unit.id) in ("mount", "automount") and unit.load_state == "bad-setting"]
    asked = [(object_path(u.id), interface_of(u.id), "Where") for u in mounts]
    for unit, where in zip(mounts, manager.properties(asked) if asked else ()):
        right = f"{escape_path(where)}.{unit_type(unit.id)}" if where else ""
        if right and right != unit.id:
            unit.where, unit.right_name = where, right
