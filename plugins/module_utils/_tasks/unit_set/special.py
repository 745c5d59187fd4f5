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
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY, YES
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import interface_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import UnitFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText, parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.read import Member, Picture

_TIMER = "org.freedesktop.systemd1.Timer"


def limits(
    members: t.Sequence[Member], picture: Picture, manager: UnitManager
) -> tuple[list[SetProperties], list[Change], list[str]]:
    """The step that tells units that run the limits that a daemon-reload alone does not bring them; changes, and warnings.

    :param members: those that run and are not started anew.
    """
    directories = ControlDirectories.of(manager.unit_path())
    names = {m.unit.name: list(dict.fromkeys([*m.item.properties, *m.freed])) for m in members}
    asked = [
        (object_path(m.unit.id), interface_of(m.unit.id), bus)
        for m in members
        for name in names[m.unit.name]
        for bus in bus_names(name)
    ]
    values = iter(manager.properties(asked) if asked else ())
    freed = {name for m in members for name in m.freed}
    files = UnitFiles(manager.unit_path(), freed) if freed else None
    named = [name for name in freed if name in MANAGER_DEFAULTS]
    defaults = dict(zip(named, manager.manager_properties([MANAGER_DEFAULTS[name] for name in named]))) if named else {}
    gone = {each.path for each in picture.gone} | {path for m in members for path in m.limits}
    settings, changes, warnings = [], [], []
    for member in members:
        live, wanted = {}, {}
        for name in names[member.unit.name]:
            told = [next(values) for dummy in bus_names(name)]
            if told[0] is None:
                raise BadInput(
                    f"{member.item.where}properties: {name}: this systemd has no such property for {member.unit.id}; leave it out on hosts like this one"
                )
            live[name] = from_bus(name, told)
            value = member.item.properties.get(name)
            if value is None and files is not None:
                value = _left(files, member.unit.id, name, gone)
                value = defaults.get(name) if value is None else value
            if value is None:
                warnings.append(f"{name} of {member.unit.id} stays as it is until the unit is started anew, since only systemd knows its default")
            elif not same(live[name], value):
                wanted[name] = value
        if wanted:
            volatile = directories.runtime
            settings.append(Setting(member.unit.id, volatile, volatile, live, wanted))
            before = ", ".join(f"{name}={shown(name, live[name])}" for name in wanted)
            changes.append(Change(member.unit.id, before, ", ".join(f"{n}={shown(n, value)}" for n, value in wanted.items())))
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
