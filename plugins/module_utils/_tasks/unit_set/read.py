# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is, for one set: its record and those of others, its files, its units, and what these have read."""

from __future__ import annotations

import functools
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import (
    is_live,
    is_resource_property,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    instance_of,
    is_template,
    object_path,
    template_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_up
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import names_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import MANY, Unit, read
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import Record, read_others
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import (
    Need,
    Source,
    changed_sources,
    file_source,
    need_of,
    no_file,
    questionable,
    read_triggers,
    started_when,
    times_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.decide import (
    check_names,
    check_owner,
    check_owners,
    purged_units,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.files import (
    GoneFile,
    SetFile,
    look_at,
    look_at_gone,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import is_of_properties

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import UnitEntry
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Asked, Item


def _keys(content: bytes) -> list[str]:
    """The properties that a drop-in of `properties` sets, as far as they still are some."""
    text = parse(content.decode("utf-8", "replace"))
    return [name for name in dict.fromkeys(item.key for item in text.assignments) if is_resource_property(name) and is_live(name)]


class Member:
    """One unit of the set as it is: its entry of `units`, what it reads, and what it needs because of that."""

    __slots__ = (
        "files", "freed", "gone", "item", "limits", "listed", "need", "own", "properties", "reload_on", "restart_on", "unit", "untold",
    )  # fmt: skip

    def __init__(
        self, item: Item, unit: Unit, files: t.Sequence[SetFile], listed: bool, properties: t.Mapping[str, t.Any] | None = None
    ) -> None:
        self.item = item
        self.unit = unit
        # Those of all entries that are about it, the narrowest one first.
        self.properties = dict(item.properties if properties is None else properties)
        # Files of the set that it is made of; those of its that go.
        self.files = list(files)
        self.gone: list[str] = []
        # Whether the set lists it, or it only has the files too.
        self.listed = listed
        self.own: dict[str, Source] = {}
        self.restart_on: dict[str, Source] = {}
        self.reload_on: dict[str, Source] = {}
        self.need = Need("", ())
        # The drop-in of `properties`; whether what is in it has not been told to the unit that runs; properties that are not in it any more.
        self.limits: dict[str, Source] = {}
        self.untold = False
        self.freed: list[str] = []

    @property
    def up(self) -> bool:
        return is_up(self.unit.active_state)

    @property
    def written(self) -> bool:
        """Whether files of it become others."""
        return bool(self.gone) or any(file.wrote is not None for file in self.files)


class Picture:
    """All that a plan has to know."""

    def __init__(self) -> None:
        self.record = Record.new("")
        # The record as it is now; None where there is none.
        self.found: Record | None = None
        # Records of other sets, by path, and as they will be.
        self.others: dict[str, Record] = {}
        self.released: dict[str, Record] = {}
        self.files: list[SetFile] = []
        self.gone: list[GoneFile] = []
        self.members: list[Member] = []
        # Units that the set has and does not list any more.
        self.purged: list[Unit] = []
        # Those that are another set's by now, or have another name in the list.
        self.forgotten: list[str] = []
        # Those of which nobody else has a file, so that they are no more.
        self.ends: set[str] = set()
        # Those of them that are listed, as they are masked now.
        self.ending: list[Unit] = []
        # Of those that are no more the set's: properties that were in its drop-ins, and other files of theirs that go.
        self.freed: dict[str, list[str]] = {}
        self.removed: dict[str, list[str]] = {}
        self.stale = False
        self.warnings: list[str] = []


class Reader:
    """Reads what is.

    :param directory: where the records of the manager's sets are.
    """

    def __init__(self, asked: Asked, manager: UnitManager, paths: UnitPaths, directory: str, home: str) -> None:
        self._asked, self._manager, self._paths = asked, manager, paths
        self._directory, self._home = directory, home
        self.picture = Picture()

    def read(self, files: list[SetFile]) -> Picture:
        """All of it.

        :param files: those that are wanted, not looked at yet.
        :raises SystemdError: something cannot be read, or is not the set's.
        """
        asked, picture, tree = self._asked, self.picture, self._paths.tree
        path = f"{self._directory}/{asked.name}.json"
        found = Record.read(path, tree)
        if found is not None and found.name != asked.name:
            raise BadInput(f"name: {path} is the record of a set {found.name}; somebody has moved it, so remove it")
        picture.record = found or Record.new(asked.name, tree.root)
        picture.found = found.copy() if found else None
        picture.others = read_others(self._directory, asked.name, tree)
        picture.files = files
        self._owners = {path: other.name for other in picture.others.values() for path in other.files}
        self._check_other_scope(files)
        leaving = {entry["unit"] for entry in picture.record.files.values() if entry["kind"] == "unit" and asked.purge}
        leaving -= {file.unit for file in files if file.kind == "unit"}
        for file in files:
            look_at(file, self._paths, picture.record, asked.name, self._owners, leaving)
        self._look_at_gone()
        self._release()
        self._read_units()
        return picture

    def _check_other_scope(self, files: t.Sequence[SetFile]) -> None:
        """Refuse a file beside that a set of the other manager has whose records are root's: units of the two are apart, and such files are not."""
        other = {"system": "global", "global": "system"}.get(self._asked.params["scope"])
        beside = {file.path: file for file in files if file.kind == "file"}
        if not beside or other is None:
            return
        directory = f"{os.path.dirname(self._directory)}/{other}"
        for record in read_others(directory, "", self._paths.tree).values():
            for path in [path for path in beside if path in record.files]:
                raise BadInput(
                    f"{beside[path].option}: {path} belongs to the set {record.name} of scope `{other}`; take it off there first, as it cannot be "
                    "taken over from another scope"
                )

    def _look_at_gone(self) -> None:
        picture, wanted = self.picture, {file.path for file in self.picture.files}
        for path, entry in picture.record.files.items() if self._asked.purge else ():
            if path in self._owners and path not in wanted:
                # Taken over by a task that was cut short before it came to say so here.
                picture.gone.append(GoneFile(path, entry, None))
            elif path not in wanted:
                gone, warning = look_at_gone(path, entry, picture.record, self._paths)
                picture.gone += [gone] if gone else []
                picture.warnings += [warning] if warning else []

    def _release(self) -> None:
        """What is taken over is no other set's any more."""
        picture = self.picture
        owned = {n: o.name for o in picture.others.values() for n, entry in o.units.items() if entry["owned"]}
        taken = check_owners(self._asked.items, owned)
        paths = {file.path for file in picture.files}
        for path, other in picture.others.items():
            whole = {entry["unit"]: each for each, entry in other.files.items() if entry["kind"] == "unit"}
            for name in taken:
                item = next(item for item in self._asked.items if name in (item.name, *item.targets))
                self._check_whole(item, name, other)
            # With a template its instances are taken over.
            moved = {name for name in whole if is_template(name) and whole[name] in paths}
            names = {name for name, entry in other.units.items() if name in taken or (entry["owned"] and template_of(name) in moved)}
            shared = paths.intersection(other.files)
            if not names and not shared:
                continue
            left = self._released(path)
            for name in names:
                self._take(left, name, name, template_of(name) in whole)
            for each in shared:
                picture.record.files.setdefault(each, left.files.pop(each))

    def _check_whole(self, item: Item, name: str, other: Record) -> None:
        """Refuse to take over a unit without the file that the other set wrote: that set would remove it one day."""
        paths = {file.path for file in self.picture.files}
        for path, entry in other.files.items():
            if entry["kind"] == "unit" and entry["unit"] == name and path not in paths:
                raise BadInput(
                    f"{item.where}take_over: {path} was written by the set {other.name}, which would remove it one day; "
                    "give the unit file here too, in `sections` or `content`"
                )

    def _others(self) -> list[Record]:
        """The records of other sets as they will be."""
        return [self.picture.released.get(path, other) for path, other in self.picture.others.items()]

    def _released(self, path: str) -> Record:
        """The record of another set as it will be, at this path."""
        return self.picture.released.setdefault(path, self.picture.others[path].copy())

    def _take(self, left: Record, name: str, own_name: str, of_template: bool) -> None:
        """Take a unit over: `left` is the other record, `name` the unit in there, `own_name` how it is spelled here.

        :param of_template: whether the other set wrote the template that it is of, so that it has enabled and started it.
        """
        entry = left.units.pop(name)
        made = {*entry["made"], *(("enabled", "started") if of_template else ())}
        # Digests of another record say nothing here.
        taken: UnitEntry = {**entry, "made": sorted(made), "loaded": {}, "reloaded": {}}
        self.picture.record.units.setdefault(own_name, taken)

    def _take_aliases(self) -> None:
        """The same of units that another set has by another name of theirs."""
        picture = self.picture
        known = {
            spelled: (path, name)
            for path, other in picture.others.items()
            for name, entry in other.units.items()
            if entry["owned"]
            for spelled in (name, entry.get("id", name))
        }
        for member in picture.members:
            path, name = known.get(member.unit.id, ("", ""))
            if not name or not member.listed or not member.item.owns:
                continue
            left = picture.released.get(path, picture.others[path])
            if name in left.units:
                check_owner(member.item, member.unit.name, left.name, name)
                self._check_whole(member.item, name, left)
                self._take(self._released(path), name, member.unit.name, False)

    def _read_units(self) -> None:
        asked, picture, manager = self._asked, self.picture, self._manager
        by_unit: dict[str, list[SetFile]] = {}
        for file in picture.files:
            if file.unit:
                by_unit.setdefault(file.unit, []).append(file)
        # An instance may have drop-ins of its own in an entry of its own; what is wanted of it says that of its template.
        listed = {name: item for item in sorted(asked.items, key=lambda item: item.owns) for name in item.targets}
        listed = {name: listed[name] for item in asked.items for name in item.targets}
        by_name = {item.name: item for item in asked.items}
        owned = {name for other in self._others() for name, entry in other.units.items() if entry["owned"]}
        purged: list[str] = []
        for name in purged_units(picture.record, listed) if asked.purge else ():
            # Taken over by a task that was cut short before it came to say so here.
            (picture.forgotten if picture.record.units[name]["owned"] and name in owned else purged).append(name)
        # A unit whose file is somebody else's by now is left altogether.
        ours = {*(file.path for file in picture.files), *(file.path for file in picture.gone)}
        left = {entry["unit"] for path, entry in picture.record.files.items() if entry["kind"] == "unit" and path not in ours}
        purged = [name for name in purged if name not in left and template_of(name) not in left]
        extra = self._extra(asked.items, by_unit, {*listed, *purged})
        names = [*listed, *extra, *purged]
        wants_links = any(item.enabled is not None or item.masked is not None for item in asked.items)
        units = read(manager, names, wants_links or bool(purged))
        # Another name of a unit that goes is a unit of its own then.
        renamed = {file.unit for file in picture.files if file.link not in ("", "/dev/null")}
        for unit in units:
            if unit.name in renamed:
                unit.status = unit.status and unit.status._replace(
                    id=unit.name, load_state="not-found", active_state="inactive", sub_state="dead", job_id=0, job_type=""
                )
                unit.alias_of, unit.file_state = "", None if unit.file_state is None else ""
        ids = {unit.id: unit.name for unit in units if unit.name in listed}
        for name, unit in zip(names, units):
            item = listed.get(name) or extra.get(name)
            if name not in listed and unit.id in ids:
                # It is listed, by another name.
                if item is None:
                    picture.forgotten.append(name)
                    picture.record.units.setdefault(ids[unit.id], picture.record.units[name])
                continue
            if item is None:
                picture.purged.append(unit)
                continue
            names_of_it = names_of(name)
            own = next((each for each in (name, template_of(name)) if any(file.kind == "unit" for file in by_unit.get(each, ()))), "")
            files = [file for each in names_of_it for file in by_unit.get(each, ()) if file.kind != "unit" or file.unit == own]
            properties: dict[str, t.Any] = {}
            for each in reversed(names_of_it):
                properties.update(by_name[each].properties if each in by_name else {})
            picture.members.append(Member(item, unit, files, name in listed, properties))
        owning = {member.unit.name: member for member in picture.members if member.listed and member.item.owns}
        check_names({name: member.item for name, member in owning.items()}, {name: m.unit.id for name, m in owning.items()})
        self._take_aliases()
        self._find_ends()
        self._find_gone()
        self._find_needs()
        if manager.runs:
            self._find_stale()

    def _extra(
        self, items: t.Sequence[Item], by_unit: t.Mapping[str, t.Sequence[SetFile]], known: t.Container[str]
    ) -> dict[str, Item]:
        """Loaded units to which changed files apply that stand for many: other instances of a template, units of a prefix."""
        found: dict[str, Item] = {}
        if not self._manager.runs:
            return found
        files = self.picture.record.files
        for item in items:
            # Also what a task has written or removed that failed before it came to restart anything.
            changes = any(file.wrote or "was" in files.get(file.path, ()) for file in by_unit.get(item.name, ()))
            changes = changes or any(
                each.entry["unit"] == item.name and (each.before or self._was_removed(each)) for each in self.picture.gone
            )
            if not (item.is_template or item.is_prefix) or not changes:
                continue
            pattern = item.name.replace("@.", "@*.") if item.is_template else item.name.replace("-.", "-*.")
            for status in sorted(self._manager.list_units([pattern])):
                applies = item.name in names_of(status.id)
                if applies and status.load_state != "not-found" and is_up(status.active_state) and status.id not in known:
                    found.setdefault(status.id, item)
        return found

    def _find_ends(self) -> None:
        """Which of the units that the set had a file of have none any more."""
        picture = self.picture
        without = {each.path for each in picture.gone}
        # What is another set's by now goes nowhere.
        gone = {each.entry["unit"] for each in picture.gone if each.entry["kind"] == "unit" and each.path not in self._owners}
        places = {f"{self._paths.persistent}/{name}" for name in gone}
        wanted = {file.unit for file in picture.files if file.kind == "unit"}
        for name in gone - wanted:
            if self._paths.find(name, without=without | places) is None:
                picture.ends.add(name)
        self._check_instances()
        if self._asked.purge:
            picture.ends.update(unit.name for unit in picture.purged if template_of(unit.name) in picture.ends)
            self._find_instances()
        for member in picture.members:
            ends = member.unit.name in picture.ends or template_of(member.unit.name) in picture.ends
            if ends and member.listed and member.item.masked:
                # A mask takes the place of the file.
                picture.ends.add(member.unit.name)
                picture.ending.append(member.unit)
            elif ends and member.listed:
                raise BadInput(
                    f"{member.item.where}name: {member.unit.name} has no unit file but the one that this set wrote and does not list any more; "
                    "give `sections` or `content`, or leave the unit out"
                )

    def _check_instances(self) -> None:
        """Refuse to remove a template of which another set has instances."""
        for other in self._others():
            for name, entry in other.units.items():
                template = template_of(name)
                if entry["owned"] and instance_of(name) and template in self.picture.ends and not self._has_own_file(name):
                    raise BadInput(
                        f"{'state' if self._asked.absent else 'units'}: {template} cannot be removed while {name} belongs to the set "
                        f"{other.name}; take it off there first, or have that set write the template (`take_over: true`)"
                    )

    def _find_instances(self) -> None:
        """Instances of templates that end which the set does not list, but somebody has started."""
        picture = self.picture
        templates = [name for name in picture.ends if is_template(name)]
        if not templates or not self._manager.runs:
            return
        known = {unit.name for unit in picture.purged}
        statuses = [
            status
            for status in sorted(self._manager.list_units([name.replace("@.", "@*.") for name in templates]))
            if status.load_state != "not-found" and status.id not in known
        ]
        for status in statuses:
            if not self._has_own_file(status.id):
                picture.purged.append(Unit(status.id, status))
                picture.ends.add(status.id)

    def _has_own_file(self, name: str) -> bool:
        return any(os.path.lexists(f"{directory}/{name}") for directory in self._paths.search)

    def _find_gone(self) -> None:
        """Files that go of units that stay."""
        for member in self.picture.members:
            member.freed, member.gone = self._gone_of(member.unit.name)
            for file in member.files:
                if is_of_properties(file.dropin) and file.wrote and file.before is not None:
                    member.freed += _keys(file.before.content)
            member.freed = [name for name in dict.fromkeys(member.freed) if name not in member.properties]
        for unit in self.picture.purged:
            if is_up(unit.active_state) and unit.name not in self.picture.ends:
                self.picture.freed[unit.name], self.picture.removed[unit.name] = self._gone_of(unit.name)

    def _was_removed(self, gone: GoneFile) -> bool:
        """Whether a file is not there any more though the record has it: a task that removed it did not come to its end."""
        return gone.before is None and gone.path not in self._owners

    def _gone_of(self, name: str) -> tuple[list[str], list[str]]:
        """Of a unit: properties in drop-ins that go, and other files that do, or have gone while it runs on with them."""
        names = names_of(name)
        entry = self.picture.record.units.get(name)
        freed: list[str] = []
        paths = []
        for each in self.picture.gone:
            unit = each.entry["unit"]
            if unit not in names or (each.entry["kind"] == "unit" and unit not in (name, template_of(name))):
                continue
            if is_of_properties(os.path.basename(each.path)):
                freed += _keys(each.before.content) if each.before is not None else []
            elif each.before is not None:
                paths.append(each.path)
            elif self._was_removed(each) and (entry is None or each.path in entry["loaded"]):
                paths.append(each.path)
                # Nor may systemd know of it.
                self.picture.stale = True
        return freed, paths

    # -- what units have read

    def _find_needs(self) -> None:
        picture, record = self.picture, self.picture.record
        known: dict[str, Source] = {}
        questions = []
        for member in picture.members:
            entry = record.units.get(member.unit.name)
            loaded = entry["loaded"] if entry else {}
            reloaded = entry["reloaded"] if entry else {}
            for file in member.files:
                into = member.limits if is_of_properties(file.dropin) else member.own
                into[file.path] = self._own(file, loaded)
            member.restart_on = self._triggers(member.item.restart_on, f"{member.item.where}restart_on", known)
            member.reload_on = self._triggers(member.item.reload_on, f"{member.item.where}reload_on", known)
            if member.up and (
                questionable({**member.own, **member.limits, **member.restart_on}, loaded)
                or questionable(member.reload_on, reloaded)
            ):
                questions.append(member)
        since = started_when(self._manager, [member.unit.id for member in questions])
        for member in picture.members:
            if member.up and self._manager.runs and member.item.state != "stopped" and not member.item.masked:
                entry = record.units.get(member.unit.name)
                when = since.get(member.unit.id)
                files = [*changed_sources(member.own, entry["loaded"] if entry else {}, when), *member.gone]
                member.need = need_of(member.item.on_change, files, member.restart_on, member.reload_on, entry, when)
                member.untold = bool(changed_sources(member.limits, entry["loaded"] if entry else {}, when))

    def _own(self, file: SetFile, known: t.Mapping[str, str]) -> Source:
        record = self.picture.record
        entry = record.files.get(file.path)
        content = record.digest(file.content)
        digest = entry["meaning"] if entry and entry["digest"] == content else record.digest(file.meaning())
        if file.wrote:
            return Source(digest, True)
        return Source(digest, False, None if known.get(file.path) == digest else times_of(file.path))

    def _triggers(self, items: t.Sequence[str], option: str, known: dict[str, Source]) -> dict[str, Source]:
        def look(path: str, option: str) -> Source:
            if path not in known:
                known[path] = self._path_source(path, option)
            return known[path]

        return read_triggers(items, option, self._home, self._paths.root, self.picture.record.digest, look)

    def _path_source(self, path: str, option: str) -> Source:
        picture = self.picture
        wanted, gone = self._own_places
        real = self._real(path)
        file = wanted.get(real)
        if file is not None:
            content = file.content if file.wrote is not None or file.before is None else file.before.content
            return Source(picture.record.digest(content), file.wrote is not None, times_of(file.path))
        if real in gone:
            return Source(no_file(picture.record.digest), True)
        return file_source(path, option, self._paths.tree, picture.record.digest)

    @functools.cached_property
    def _own_places(self) -> tuple[dict[str, SetFile], set[str]]:
        """Files that the set writes, and paths of those that it removes, by where they really are."""
        wanted = {self._real(file.path): file for file in self.picture.files}
        return wanted, {self._real(each.path) for each in self.picture.gone if each.before is not None}

    def _real(self, path: str) -> str:
        """A path with its links resolved; what cannot be is what it is called."""
        try:
            return self._paths.tree.resolve(path) if self._paths.root else os.path.realpath(path)
        except Unreadable:
            return path

    def _find_stale(self) -> None:
        """Whether systemd has not read files that are right already, since an earlier task did not get to its reload."""
        picture, manager = self.picture, self._manager
        written = any(file.wrote is not None and file.kind != "file" for file in picture.files)
        if written or any(each.before is not None and each.entry["kind"] != "file" for each in picture.gone):
            return
        units = [
            m.unit
            for m in picture.members
            if (m.files or m.item.state == "started") and m.unit.status and not is_template(m.unit.name)
        ]
        names = [unit.id for unit in units]
        fresh: set[str] = set()
        if len(names) >= MANY:
            from ansible_collections.pidone.systemd.plugins.module_utils._systemd.freshness import surely_fresh

            fresh = surely_fresh(manager, names)
        asked = [member for member in picture.members if member.unit in units and member.unit.id not in fresh]
        keys = ("NeedDaemonReload", "FragmentPath", "DropInPaths")
        wanted = [(object_path(member.unit.id), UNIT, key) for member in asked for key in keys]
        values = iter(manager.properties(wanted) if wanted else ())
        for member in asked:
            need, fragment, dropins = next(values), next(values), next(values)
            seen = {os.path.basename(path) for path in (fragment or "", *(dropins or ()))}
            there = member.unit.load_state == "loaded"
            unseen = any(
                (file.dropin or file.unit) not in seen and self._paths.shadows(file.place) is None
                for file in member.files
                if (there or (file.kind == "unit" and member.unit.load_state == "not-found"))
                and not (file.kind == "unit" and instance_of(member.unit.name) and member.unit.name in seen)
            )
            if member.unit.load_state == "masked":
                continue
            if need or (unseen and self._paths.persistent in manager.unit_path()):
                picture.stale = True
