# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of a set that need more than jobs: limits of units that run, and timers whose schedule becomes another."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change
from ansible_collections.pidone.systemd.plugins.module_utils._engine.properties import (
    ControlDirectories,
    SetProperties,
    Setting,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.timers import Touch, held_by
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import Held
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import (
    MANAGER_DEFAULTS,
    PROPERTIES,
    bus_names,
    from_bus,
    from_texts,
    same,
    shown,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path, template_of, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY, NO, YES
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import interface_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import UnitFiles, folders_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText, parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import REFUSALS

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.read import Member, Picture

_TIMER = "org.freedesktop.systemd1.Timer"


class Limited(t.NamedTuple):
    """A unit that runs, and is to be told limits.

    `properties` are those that it shall have, `freed` the names of those that the set does not ask for any more, `files` the
    paths of drop-ins that say what it has, `where` what stands before the names of options in errors.
    """

    id: str
    where: str
    properties: t.Mapping[str, t.Any]
    freed: t.Sequence[str]
    files: t.Sequence[str]


def limits(
    members: t.Sequence[Limited], picture: Picture, manager: UnitManager
) -> tuple[list[SetProperties], list[Change], list[str]]:
    """The step that tells units that run the limits that a daemon-reload alone does not bring them; changes, and warnings.

    :param members: those that run and are not started anew.
    """
    directories = ControlDirectories.of(manager.unit_path())
    names = {m.id: list(dict.fromkeys([*m.properties, *m.freed])) for m in members}
    asked = [
        (object_path(m.id), interface_of(m.id), bus)
        for m in members
        for name in names[m.id]
        for bus in bus_names(name)
    ]
    values = iter(manager.properties(asked) if asked else ())
    freed = {name for m in members for name in m.freed}
    files = UnitFiles(manager.unit_path(), freed) if freed else None
    named = [name for name in freed if name in MANAGER_DEFAULTS]
    defaults = dict(zip(named, manager.manager_properties([MANAGER_DEFAULTS[name] for name in named]))) if named else {}
    gone = {each.path for each in picture.gone} | {path for m in members for path in m.files}
    settings, changes, warnings = [], [], []
    for member in members:
        live, wanted = {}, {}
        for name in names[member.id]:
            told = [next(values) for dummy in bus_names(name)]
            if told[0] is None:
                raise BadInput(
                    f"{member.where}properties: {name}: this systemd has no such property for {member.id}; leave it out on hosts like this one"
                )
            live[name] = from_bus(name, told)
            value = member.properties.get(name)
            if value is None and files is not None:
                value = _left(files, member.id, name, gone)
                value = defaults.get(name) if value is None else value
            if value is None:
                warnings.append(f"{name} of {member.id} stays as it is until the unit is started anew, since only systemd knows its default")
            elif not same(live[name], value):
                wanted[name] = value
        if wanted:
            volatile = directories.runtime
            settings.append(Setting(member.id, volatile, volatile, live, wanted))
            before = ", ".join(f"{name}={shown(name, live[name])}" for name in wanted)
            changes.append(Change(member.id, before, ", ".join(f"{n}={shown(n, value)}" for n, value in wanted.items())))
    return ([SetProperties(settings, "live", "tell")] if settings else []), changes, warnings


def _left(files: UnitFiles, unit: str, name: str, gone: t.Container[str]) -> t.Any:
    """What the unit's files say of a property without those that go; None where only systemd knows."""
    texts = files.assignments(unit, gone=gone).get(name)
    if not texts:
        return INFINITY if name == "TasksMax" and unit.endswith(".slice") else PROPERTIES[name].default
    try:
        return from_texts(name, [each.text for each in texts])
    except BadInput:
        return None


class Later:
    """What the files of units will say, where any of a unit's becomes another.

    :param texts: path -> what will be in the files that are written.
    :param gone: paths of those that are removed.
    """

    def __init__(
        self, texts: t.Mapping[str, UnitText], gone: t.Container[str], paths: UnitPaths, manager: UnitManager
    ) -> None:
        self._texts, self._gone, self._paths = texts, gone, paths
        self._files = UnitFiles(manager.unit_path(), ())

    def can_reload(self, name: str, now: bool) -> bool:
        """Whether a unit can reload; `now` is what systemd says of the files that it has read."""
        said = self._said(name) if unit_type(name) == "service" else None
        if said is None:
            return now
        reloads = False
        for section, key, value in said:
            if (section, key) == ("Service", "ExecReload"):
                reloads = bool(value)
        types = [value for section, key, value in said if (section, key) == ("Service", "Type") and value]
        return reloads or types[-1:] == ["notify-reload"]

    def refuses(self, name: str, now: bool) -> bool:
        """Whether a unit refuses to be restarted by hand; `now` as in `can_reload`."""
        said = self._said(name)
        if said is None:
            return now
        # What is no truth, systemd passes over.
        truths = [(key, value.lower()) for section, key, value in said if section == "Unit" and value.lower() in (*YES, *NO)]
        return any(dict(truths).get(key) in YES for key in REFUSALS)

    def _said(self, name: str) -> list[tuple[str, str, str]] | None:
        """(section, key, value) in the order in which systemd reads them; None where no file of the unit becomes another."""
        files, paths, texts = self._files, self._paths, self._texts
        fragments = [path for each in (name, template_of(name)) for path in texts if os.path.basename(path) == each]
        places = [*folders_of(name), f"{unit_type(name)}.d"]
        written = {os.path.basename(path): path for path in texts if os.path.basename(os.path.dirname(path)) in places}
        removed = any(path in self._gone for path in (paths.find(name), *files.drop_ins(name).values()))
        if not (fragments or written or removed):
            return None
        whole = next(iter(fragments), None) or paths.find(name, without=self._gone) or ""
        dropins = {**files.drop_ins(name, gone=self._gone), **written}
        said: list[tuple[str, str, str]] = []
        for path in [whole, *(dropins[file] for file in sorted(dropins))]:
            text = texts[path] if path in texts else parse((paths.tree.read_text(path) if path else None) or "")
            said += [(item.section, item.key, item.value) for item in text.assignments]
        return said


class Timer(t.NamedTuple):
    """A timer that begins anew, as `StartAnew` wants to know it."""

    name: str
    since_boot: bool
    persistent: bool


class Anew:
    """What is done about timers whose settings become others: a new schedule is no reason to run anything.

    `held` are those that are stopped before their files become others, `touched` steps that say of persistent ones that they
    have not missed a run, `anew` those that are started such that they count from then on; all others are just started.

    :param members: timers that run and are to begin anew.
    :param stamps: the directory in which systemd keeps when timers elapsed last.
    """

    def __init__(self, members: t.Sequence[Member], manager: UnitManager, paths: UnitPaths, stamps: str) -> None:
        self.held: list[Held] = []
        self.stamps: list[str] = []
        self.touched: list[Touch] = []
        self.anew: list[tuple[Timer, str]] = []
        self.started: list[str] = []
        asked = [(object_path(m.unit.id), _TIMER, "LastTriggerUSecMonotonic") for m in members]
        ran = manager.properties(asked) if asked else []
        for member, last in zip(members, ran):
            text = _text_of(member, paths)
            timer = Timer(member.unit.id, _since_boot(text), _truth(text.values("Timer", "Persistent")))
            stamp = f"{stamps}/stamp-{timer.name}"
            saved = Saved.of(stamp)
            self.held.append(Held(timer.name, held_by(paths.runtime, timer.name), True, "" if saved else stamp))
            if saved is not None:
                self.stamps.append(stamp)
            if timer.persistent and saved is not None:
                self.touched.append(Touch(stamp, saved))
            waits = any(text.values("Timer", key) for key in ("OnUnitActiveSec", "OnUnitInactiveSec"))
            counts_from_boot = timer.since_boot and not (waits and not last)
            if counts_from_boot or (saved is None and text.values("Timer", "OnCalendar")):
                self.anew.append((timer, stamp))
            else:
                self.started.append(timer.name)


def _text_of(member: Member, paths: UnitPaths) -> UnitText:
    """What the files of a timer will say, those of others included as far as they matter here."""
    texts = [file.text.raw for file in member.files if file.kind == "unit" and file.text is not None]
    if not texts:
        found = paths.find(member.unit.id)
        texts = [paths.tree.read_text(found) or "" if found else ""]
    texts += [file.text.raw for file in member.files if file.kind == "dropin" and file.text is not None]
    return parse("\n".join(texts))


def _since_boot(text: UnitText) -> bool:
    for key in ("OnBootSec", "OnStartupSec"):
        for value in text.values("Timer", key):
            try:
                parse_timespan(value, key)
            except BadInput:
                continue
            return True
    return False


def _truth(values: t.Sequence[str]) -> bool:
    return bool(values) and values[-1].lower() in YES


def stamp_directory(paths: UnitPaths, scope: str, home: str) -> str:
    """Where systemd keeps when persistent timers elapsed last."""
    place = f"{home}/.local/share" if scope == "user" else f"{paths.root}/var/lib"
    return paths.tree.real(os.path.join(place, "systemd/timers"))
