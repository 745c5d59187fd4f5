# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of units before a plan is made: names and patterns resolved, states read in as few round trips as can be."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import leads_to, names_of_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    instance_of,
    is_glob,
    is_template,
    object_path,
    template_of,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST, Tree

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# UnitFileState values of units that are enabled: links of their own make other units pull them in.
ENABLED = ("enabled", "enabled-runtime")
MASKED = ("masked", "masked-runtime")
# Types of which systemd makes units by itself that it never stops.
_PERPETUAL_TYPES = ("slice", "scope", "mount")
# From as many units on it is worth the while to look at files before systemd is asked for NeedDaemonReload of each.
MANY = 30
# Of units that do not exist, how many are told by name, and of how many others with similar names are looked for.
_NAMES = 20
_HINTS = 5


class Unit:
    """One unit as it is now.

    `name` is what was asked for, `id` systemd's own name for it (another one where an alias was asked for).
    `file_state` is None where it was not read, and empty where there is no unit file.
    """

    __slots__ = (
        "alias_of",
        "aliases",
        "can_freeze",
        "can_reload",
        "default_instance",
        "dependencies",
        "ends",
        "file_state",
        "freezer_state",
        "fresh",
        "has_links",
        "has_instances",
        "has_tool",
        "holds_task",
        "in_the_way",
        "is_whole",
        "kept_closed_by",
        "lacking",
        "leftovers",
        "linked_from",
        "masked_by",
        "name",
        "perpetual",
        "preset",
        "refuses",
        "right_name",
        "script",
        "script_enabled",
        "service",
        "source",
        "stale",
        "status",
        "taken",
        "triggers",
        "also",
        "where",
    )

    def __init__(self, name: str, status: UnitStatus | None) -> None:
        self.name = name
        self.status = status
        self.file_state: str | None = None
        self.preset = ""
        self.stale = False
        self.can_reload = True
        # The file or link that keeps a mask from being made, looked for only where one is to be made.
        self.in_the_way = ""
        # The mask that is left when the unit has been unmasked, looked for only where it is to be.
        self.masked_by = ""
        # Whether it refuses to be started, and to be stopped, by hand.
        self.refuses: tuple[bool, ...] = (False, False)
        # Whether systemd never stops it, as it made it by itself: -.slice, system.slice, init.scope, -.mount.
        self.perpetual = False
        # Units that are up and start it again, looked for only where it is to be stopped.
        self.triggers: list[str] = []
        # Of a template: whether instances of it are enabled.
        self.has_instances = False
        # Of [Install], read only where UnitFileState leaves the question open: whether enabling makes links of the
        # unit's own, the states of the units in Also=, and DefaultInstance=.
        self.has_links = False
        self.also: list[str] = []
        self.default_instance = ""
        # Where no manager tells: the unit that the name is another one of.
        self.alias_of = ""
        # Whether it is known that it has all links that [Install] asks for, and no other names.
        self.is_whole = False
        # What `look.py` finds. Other names that [Install] asks for (Alias=), links that it asks for and that are not there, and what is
        # in the place of other names (`Taken`).
        self.aliases: list[str] = []
        self.lacking: list[str] = []
        self.taken: list[t.Any] = []
        # Links (path -> target) that systemd leaves when it disables the unit, and what the unit's only file is a link to.
        self.leftovers: dict[str, str] = {}
        self.linked_from = ""
        # What it was generated from; the System V script that it is made of, and whether that is enabled and can be.
        self.source = ""
        self.script = ""
        self.script_enabled = False
        self.has_tool = False
        # Of a socket: the service that runs, so that it cannot be opened again. Of a service: whether it is down when it has run.
        self.kept_closed_by = ""
        self.ends = False
        # Whether it is known that systemd has nothing to read again, and of a service what its file alone tells (`services.py`).
        self.fresh = False
        self.service: t.Any = None
        # Whether it can be frozen, its FreezerState, and whether this very task runs in it; read only where it is to be frozen or thawed.
        self.can_freeze, self.freezer_state, self.holds_task = True, "", False
        # Of those that are to pull it in, which do not: `("Wants", "multi-user.target")`.
        self.dependencies: list[tuple[str, str]] = []
        # Of a mount that could not be read: the path in its file, and the name that a unit of that path has.
        self.where = ""
        self.right_name = ""

    @property
    def id(self) -> str:
        return self.status.id if self.status else self.alias_of or self.name

    @property
    def is_enabled(self) -> bool:
        """Whether it is enabled, for good or until the reboot."""
        return self.file_state in ENABLED or self.script_enabled

    @property
    def active_state(self) -> str:
        return self.status.active_state if self.status else "inactive"

    @property
    def sub_state(self) -> str:
        return self.status.sub_state if self.status else "dead"

    @property
    def load_state(self) -> str:
        if self.status:
            return self.status.load_state
        return "not-found" if self.file_state == "" else "stub"

    @property
    def missing(self) -> bool:
        """Whether there is no such unit: nothing that runs, nothing loaded, no unit file and no System V script."""
        if self.file_state or self.script:
            return False
        return self.load_state == "not-found" and self.active_state == "inactive"

    def describe(self) -> str:
        """The state in words: `inactive (dead), disabled`."""
        if self.missing:
            return "not found"
        words = [f"{self.active_state} ({self.sub_state})"] if self.status else []
        if self.freezer_state in ("frozen", "freezing"):
            words.append(self.freezer_state)
        if self.script:
            words.append("enabled" if self.script_enabled else "disabled")
        elif self.file_state:
            words.append(self.file_state)
        return ", ".join(words) or "unknown"


def resolve(
    manager: UnitManager, names: t.Sequence[str], allow_empty: bool, statuses: dict[str, UnitStatus] | None = None
) -> list[str]:
    """Expand patterns into the names of units that are loaded, enabled, or have a unit file; plain names stay, doubles go.

    Templates are not matched by patterns, since they are no units; but a pattern that would match one is a good one even
    while there is no instance.

    :param statuses: states of units are added to it that had to be read for this, for `read`.
    :raises BadInput: a pattern matches nothing and `allow_empty` is false.
    """
    if not any(is_glob(name) for name in names):
        return list(dict.fromkeys(names))
    import fnmatch

    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import python_pattern

    found: dict[str, None] = {}
    files: set[str] | None = None
    for name in names:
        if not is_glob(name):
            found[name] = None
            continue
        if files is None:
            files = unit_files_on_disk(manager)
        rows = [] if manager.offline else manager.list_units([name])
        loaded = {status.id: status for status in rows if status.load_state != "not-found"}
        if statuses is not None:
            statuses.update(loaded)
        matches = {*loaded, *fnmatch.filter(files, python_pattern(name))}
        if not matches and not allow_empty:
            raise BadInput(
                f"name: the pattern {name!r} matches no unit on this host; correct it, "
                "or set `allow_empty: true` where that may be"
            )
        found.update(dict.fromkeys(sorted(match for match in matches if not is_template(match))))
    return list(found)


def without_aliases(units: t.Sequence[Unit], names: t.Sequence[str]) -> list[Unit]:
    """The units without other names of those that are among them, unless they were named so.

    :param names: what was asked for, patterns among them.
    """
    own = {unit.id for unit in units if unit.name == unit.id}
    kept = []
    for unit in units:
        if unit.name in names or unit.name == unit.id or unit.id not in own:
            kept.append(unit)
            own.add(unit.id)
    return kept


def unit_files_on_disk(manager: UnitManager) -> set[str]:
    """Names of all unit files and of all links that enable units. Listing directories is a thousand times cheaper than
    ListUnitFiles, which works out the state of every file, and is asked only of who has its files elsewhere."""
    if not manager.has_files:
        rows = manager.call("ListUnitFilesByPatterns", "asas", [], [], doing="list unit files", repeat=True)[0]
        return {name for name in (path.rpartition("/")[2] for path, _state in rows) if unit_type(name)}
    names = names_of_links(manager.link_directories(), True, manager.tree)
    for directory in manager.unit_path():
        try:
            names.update(manager.tree.names(directory))
        except Unreadable:
            continue
    return {name for name in names if unit_type(name)}


def read(
    manager: UnitManager,
    names: t.Sequence[str],
    file_states: bool = False,
    presets: bool = False,
    runtime: bool = False,
    statuses: t.Mapping[str, UnitStatus] | None = None,
    files: dict[str, str] | None = None,
    known: t.Mapping[str, Unit] | None = None,
) -> list[Unit]:
    """The units as they are now, in the order of the names: one round trip for states, one for enablement.

    :param file_states: whether enablement is wanted, which is dear (about 1 ms for each unit on large hosts).
    :param presets: whether the presets are wanted.
    :param runtime: whether enablement until the reboot is wanted, which old versions do not tell of instances.
    :param statuses: states that were read just now, by `resolve`.
    :param files: units are added to it that surely are one file alone, as files are now: name -> path.
    :param known: units whose states are known already (`look.at_rest`).
    """
    if manager.offline:
        units = [Unit(name, None) for name in names]
    else:
        known = known or {}
        told = dict(statuses or ())
        unknown = [name for name in names if name not in known and name not in told and not is_template(name)]
        told.update(zip(unknown, manager.status(unknown)))
        units = [known.get(name) or Unit(name, told.get(name)) for name in names]
    if not file_states:
        return units
    if manager.offline:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import UnitFiles

        known_files = UnitFiles(manager)
        for unit in units:
            unit.alias_of = known_files.name_behind(unit.name)
    states, whole = manager.enablement([unit.name for unit in units], files)
    for unit, state in zip(units, states):
        unit.file_state, unit.is_whole = state, unit.name in whole
    # Enablement of an alias is that of the unit behind it.
    aliases = [unit for unit in units if unit.file_state == "alias" and unit.id != unit.name]
    for unit, state in zip(aliases, manager.unit_file_states([unit.id for unit in aliases])):
        unit.file_state = state
    if runtime:
        _see_runtime_links(manager, units)
    if any(is_template(name) for name in names) and manager.has_files:
        _see_instances(manager, units, runtime)
    if presets:
        for unit, preset in zip(units, manager.presets([unit.name for unit in units])):
            unit.preset = preset
    for unit in units if manager.has_files else ():
        if unit.file_state == "indirect" or (is_template(unit.name) and unit.file_state not in ("", *MASKED)):
            _read_install(manager, unit)
    return units


def read_for_jobs(
    manager: UnitManager, units: t.Sequence[Unit], stale: bool, can_reload: bool, refusals: bool = False
) -> None:
    """Fill in what only units that will get a job are asked for: NeedDaemonReload, CanReload.

    :param refusals: ask whether they refuse jobs, however many they are; of a few it is asked in any case.
    """
    refusals = refusals or len(units) < MANY
    wanted = []
    fresh: set[str] = set()
    unsure = [unit.id for unit in units if not unit.fresh]
    if stale and len(unsure) >= MANY:
        # Systemd looks into some dozens of directories to answer for one unit; one look of ours does for all of them.
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.freshness import surely_fresh

        fresh = surely_fresh(manager, unsure)
    for unit in units:
        path = object_path(unit.id)
        unit.fresh = unit.fresh or unit.id in fresh
        if stale and not unit.fresh:
            wanted.append((path, UNIT, "NeedDaemonReload"))
        if can_reload:
            wanted.append((path, UNIT, "CanReload"))
        if refusals:
            wanted += [(path, UNIT, "RefuseManualStart"), (path, UNIT, "RefuseManualStop")]
            if unit_type(unit.id) in _PERPETUAL_TYPES:
                wanted.append((path, UNIT, "Perpetual"))
    values = iter(manager.properties(wanted) if wanted else ())
    for unit in units:
        if stale:
            unit.stale = not unit.fresh and bool(next(values))
        if can_reload:
            unit.can_reload = bool(next(values))
        if refusals:
            unit.refuses = (bool(next(values)), bool(next(values)))
            unit.perpetual = unit_type(unit.id) in _PERPETUAL_TYPES and bool(next(values))
    # Old versions do not say so of a mask that is gone.
    masked = [unit for unit in units if stale and unit.load_state == "masked"]
    for unit, state in zip(masked, manager.unit_file_states([unit.id for unit in masked])):
        unit.stale = unit.stale or state not in MASKED


def see_triggers(manager: UnitManager, units: t.Sequence[Unit]) -> None:
    """Find the sockets, timers and paths that stay up while the units are stopped, and start them again one day."""
    found = [
        triggers or ()
        for triggers in manager.properties([(object_path(unit.id), UNIT, "TriggeredBy") for unit in units])
    ]
    stopped = {unit.id for unit in units}
    names = sorted({name for triggers in found for name in triggers} - stopped)
    active = {status.id for status in manager.status(names) if status.active_state == "active"} if names else set()
    for unit, triggers in zip(units, found):
        unit.triggers = sorted(active.intersection(triggers))


def see_in_the_way(
    units: t.Sequence[Unit],
    directories: t.Sequence[str],
    runtime: bool,
    force: bool,
    tree: Tree = HOST,
    disabled: bool = False,
    gone: t.Container[str] = (),
) -> None:
    """Find what systemd would refuse to replace by a mask, or what would win over the mask.

    A mask is a link to /dev/null. It never takes the place of a regular file; of another link only with `force`. One that
    lasts until the reboot has no effect beside anything of that name in the persistent directory (systemd.unit(5)).

    :param disabled: whether they are disabled first, which removes links to what is enabled.
    :param gone: files and links that are removed before.
    """
    persistent, until_reboot = directories[:2]
    for unit in units:
        if unit.file_state in MASKED and not (unit.file_state == "masked-runtime" and not runtime):
            continue
        path = f"{persistent}/{unit.name}"
        if runtime and os.path.lexists(path) and path not in gone:
            unit.in_the_way = path
            continue
        path = f"{until_reboot}/{unit.name}" if runtime else path
        target = tree.target(path) if disabled and unit.file_state in ENABLED else ""
        if target and leads_to(path, target, unit.id):
            continue
        if path not in gone and os.path.lexists(path) and not (force and os.path.islink(path)) and not tree.is_null(path):
            unit.in_the_way = path


def see_masks(manager: UnitManager, units: t.Sequence[Unit], runtime: bool) -> None:
    """Find masks that unmasking leaves: those of packages, of the template, and for good where `runtime` is asked for."""
    removed = manager.link_directories()[1 if runtime else 0 :]
    directories = manager.unit_path() if any(unit.file_state in MASKED for unit in units) else []
    for unit in units:
        if unit.file_state not in MASKED:
            continue
        for name in (unit.name, template_of(unit.name)):
            paths = [f"{directory}/{name}" for directory in directories if name]
            left = [
                path
                for path in paths
                if os.path.lexists(path)
                and not (name == unit.name and os.path.dirname(path) in removed and _is_mask(path, manager.tree))
            ]
            if left:
                unit.masked_by = left[0] if _is_mask(left[0], manager.tree) else ""
                break


def _is_mask(path: str, tree: Tree) -> bool:
    """Whether a unit file is a mask: /dev/null, or empty (systemd.unit(5))."""
    found = tree.status(path)
    if found is None:
        return tree.exists(path)
    return stat.S_ISCHR(found.st_mode) or (stat.S_ISREG(found.st_mode) and not found.st_size)


def _see_instances(manager: UnitManager, units: t.Sequence[Unit], runtime: bool) -> None:
    """Which templates have instances that are enabled; until the reboot, where `runtime` is asked for."""
    links = names_of_links(manager.link_directories()[1 if runtime else 0 :], True, manager.tree)
    templates = {template_of(name) for name in links}
    for unit in units:
        unit.has_instances = unit.name in templates and is_template(unit.name)


def _see_runtime_links(manager: UnitManager, units: t.Sequence[Unit]) -> None:
    """Systemd 247 says `disabled` of an instance that is enabled until the reboot: look at its own links."""
    links = names_of_links(manager.link_directories()[1:], True, manager.tree)
    for unit in units:
        if unit.file_state == "disabled" and instance_of(unit.name) and unit.name in links:
            unit.file_state = "enabled-runtime"


def _read_install(manager: UnitManager, unit: Unit) -> None:
    """What [Install] of the unit's file and drop-ins says."""
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import UnitFiles

    keys = UnitFiles(manager).install(unit.name)
    unit.has_links = any(keys.get(key) for key in ("WantedBy", "RequiredBy", "UpheldBy", "Alias"))
    unit.default_instance = "".join(keys.get("DefaultInstance", []))
    also = [name for name in keys.get("Also", []) if name != unit.name and "%" not in name]
    unit.also = list(manager.unit_file_states(also)) if also else []


def unit_file_and_dropins(manager: UnitManager, name: str) -> list[str]:
    """Paths of the file of a unit that is not loaded, and then of its drop-ins; empty where there is none.

    :raises Unreadable: a directory of drop-ins may not be read.
    """
    tree = manager.tree
    candidates = [name, template_of(name)] if template_of(name) else [name]
    for candidate in candidates:
        for directory in manager.unit_path():
            path = os.path.join(directory, candidate)
            if tree.exists(path):
                dropins = []
                for other in manager.unit_path():
                    folder = f"{other}/{candidate}.d"
                    dropins += [f"{folder}/{n}" for n in tree.names(folder) if n.endswith(".conf")]
                return [path, *sorted(dropins, key=os.path.basename)]
    return []


def _problem_of_file(manager: UnitManager, name: str) -> str:
    """Why a unit file that is there is none; empty where there is no such file, or nothing is wrong with it."""
    for directory in manager.unit_path():
        path = f"{directory}/{name}"
        if manager.tree.status(path, False) is None:
            continue
        try:
            content = manager.tree.read(path)
        except Unreadable as e:
            return e.msg
        return f"{path} is a link that leads nowhere; remove it" if content is None else ""
    return ""


def not_found(names: t.Sequence[str], manager: UnitManager) -> SystemdError:
    """The error for units that do not exist, with the names they may have been meant to be."""
    import difflib

    for name in names[:_NAMES]:
        problem = _problem_of_file(manager, name)
        if problem:
            return BadInput(f"name: systemd finds no unit {name}: {problem}")
    there = unit_files_on_disk(manager).difference(names)
    one = len(names) == 1
    meant = []
    for name in names[:_HINTS]:
        close = difflib.get_close_matches(name, there, 3 if one else 1, 0.7)
        if close:
            meant.append(", ".join(close) + ("" if one else f" for {name}"))
    hint = f"; did you mean {', '.join(meant)}?" if meant else ""
    if not meant and names[0].endswith(".service.service"):
        hint = "; the suffix is there twice"
    told = short(names, _NAMES)
    what = "is no unit" if one else "are no units"
    return BadInput(
        f"name: there {what} {told} on this host (looked in {', '.join(manager.unit_path()[:3])}, ...){hint}"
    )
