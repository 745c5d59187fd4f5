# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step that sets resource properties of units, with the drop-ins that systemd writes for them put right."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import (
    Saved,
    remove,
    remove_empty,
    why_unwritable,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import stale_units
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import (
    DropInsWere,
    FileWas,
    PropertiesWere,
    put_back,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, become_hint, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import (
    Scaled,
    bus_names,
    canonical_to_bus,
    drop_in_lines,
    from_texts,
    same,
    told,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import explain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import parse_lines

_HEADER = "# Written by pidone.systemd.resource_control, in the place of systemctl set-property."
# How long a value lasts -> in words.
LASTING = {
    "live": "until the next daemon-reload",
    "runtime": "until the next boot",
    "persistent": "for good",
}


class ControlDirectories(t.NamedTuple):
    """Where systemd writes the drop-ins of SetUnitProperties.

    `transient` is for units that were made at run time, wherever else theirs would go.
    """

    persistent: str
    runtime: str
    transient: str

    @classmethod
    def of(cls, unit_path: t.Sequence[str]) -> ControlDirectories:
        """Pick them from the directories of unit files."""
        found = {"persistent": "", "runtime": "", "transient": ""}
        for path in unit_path:
            if path.endswith(".control"):
                found["runtime" if path.startswith("/run/") else "persistent"] = path
            elif path.startswith("/run/") and path.endswith("/transient"):
                found["transient"] = path
        return cls(**found)


def control_file(name: str) -> str:
    """The file name of the drop-in that systemd writes for a property."""
    return f"50-{name if name.startswith('CPUQuota') else bus_names(name)[0]}.conf"


def control_files(name: str) -> tuple[str, ...]:
    """All names that drop-ins for a property may have: systemctl has others where it sets a percentage."""
    return tuple(dict.fromkeys((control_file(name), f"50-{name}.conf", f"50-{name}Scale.conf")))


class Setting(t.NamedTuple):
    """What one unit's properties become.

    :param directory: where systemd will write the drop-ins.
    :param volatile: where it writes those that last until the next boot.
    :param before: canonical values as they are.
    :param after: canonical values as they shall be.
    """

    unit: str
    directory: str
    volatile: str
    before: dict[str, t.Any]
    after: dict[str, t.Any]


class SetProperties(Step):
    """SetUnitProperties for many units at once.

    Systemd writes a drop-in for each property, and in several versions wrongly: 247 and 252 write `TasksMax=50%` as `5.0%`
    and `CPUQuota=20.5%` as `20%`, and for some lists leave out the empty assignment that makes them replace those of the
    unit's file. What is written is read back, and put right without systemd taking it for newer than what it knows.

    :param mode: `live` leaves no drop-ins, `runtime` has those that the next boot takes away, `persistent` lasting ones.
    :param verb: what `describe` calls it; other words than `set` say of themselves how long it lasts.
    :param first: what is done right before, by whoever watches what comes of it.
    """

    def __init__(
        self,
        settings: t.Sequence[Setting],
        mode: str,
        verb: str = "set",
        first: t.Callable[[Context], None] | None = None,
    ) -> None:
        super().__init__([setting.unit for setting in settings])
        self._first = first
        self._settings = list(settings)
        self._mode = mode
        self._verb = verb
        self._refused: set[str] = set()
        # Units whose files had changed before, where drop-ins are to stay.
        self.stale: set[str] = set()

    def _properties(self) -> str:
        return ", ".join(dict.fromkeys(name for setting in self._settings for name in setting.after))

    def describe(self) -> str:
        lasting = f" {LASTING[self._mode]}" if self._verb == "set" else ""
        return f"{self._verb} {self._properties()} of {short(self.names)}{lasting}"

    def apply(self, ctx: Context) -> bool:
        saved = self._save(volatile=self._mode != "persistent")
        volatile = {path: before for path, before in self._save(volatile=True).items() if path not in saved}
        was = PropertiesWere({setting.unit: _calls(setting, setting.before) for setting in self._settings}, volatile)
        # Undone in reverse: files are put back when systemd has written the last of them.
        self.note(ctx, DropInsWere(saved), was)
        if self._first is not None:
            self._first(ctx)
        if self._mode != "live":
            self.stale.update(stale_units(ctx, self.names))
        try:
            self._set(ctx)
        finally:
            was.refused = self._refused
        if self._mode == "live":
            put_back(saved, ctx)
        else:
            for setting in self._settings:
                for name, value in setting.after.items():
                    self._put_right(_path(setting, name), setting.unit, name, value)
        return True

    def undone(self) -> str:
        return f"{self._properties()} of {short(self.names)} as before"

    def _set(self, ctx: Context) -> None:
        wanted = [(setting.unit, _calls(setting, setting.after, setting.before)) for setting in self._settings]
        error = None
        for setting, failed in zip(self._settings, ctx.manager.set_properties(wanted, self._mode != "persistent")):
            if failed is not None:
                self._refused.add(setting.unit)
                error = error or explain(failed, f"set {', '.join(setting.after)} of {setting.unit}")
        if error is not None:
            raise error

    def _save(self, volatile: bool) -> dict[str, Saved | None]:
        saved = {}
        for setting in self._settings:
            for name in setting.after:
                path = _path(setting, name, volatile)
                try:
                    saved[path] = Saved.of(path)
                except OSError as e:
                    raise SystemdError(f"cannot read the drop-in {path}: {e.strerror or e}") from e
        return saved

    def _put_right(self, path: str, unit: str, name: str, value: t.Any) -> None:
        written = Saved.of(path)
        lines = drop_in_lines(name, value)
        section = unit_type(unit).capitalize()
        if written is not None:
            found = [text for _key, text in parse_lines(written.content.decode("utf-8", "replace"), section, (name,))]
            wanted = [line.partition("=")[2] for line in lines]
            # A list has to begin with an empty assignment; a percentage has to remain one.
            whole = bool(found) and (wanted[0] == "") is (found[0] == "") and not isinstance(value, Scaled)
            if found == wanted or (whole and _means(name, found, value)):
                return
        try:
            if written is None:
                raise SystemdError(f"systemd did not write {path}, where it keeps {name} of {unit}{why_unwritable(path)}")
            content = "\n".join([_HEADER, f"[{section}]", *lines, ""]).encode()
            written._replace(content=content).put_back(path)
        except OSError as e:
            raise SystemdError(
                f"cannot put right what systemd wrote to {path}: {e.strerror or e}{become_hint()}"
            ) from e


class RemoveDropIns(Step):
    """Remove drop-ins that SetUnitProperties wrote, and directories that are empty then; a daemon-reload has to follow.

    :param paths: of the drop-ins.
    """

    def __init__(self, paths: t.Sequence[str]) -> None:
        super().__init__(paths)

    def describe(self) -> str:
        return f"remove {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        found = {path: saved for path, saved in ((path, Saved.of(path)) for path in self.names) if saved is not None}
        self.note(ctx, *(FileWas(path, saved, None) for path, saved in found.items()))
        for path in found:
            remove(path)
            remove_empty(os.path.dirname(path))
        return bool(found)

    def undone(self) -> str:
        return f"{short(self.names)} as before"


def _calls(
    setting: Setting, values: dict[str, t.Any], before: dict[str, t.Any] | None = None
) -> list[tuple[str, tuple[str, t.Any]]]:
    """What SetUnitProperties is given for the setting's properties to become these values.

    :param before: what they are; where systemd is told nothing of a list yet, it need not be emptied first.
    """
    calls: list[tuple[str, tuple[str, t.Any]]] = []
    # In the order of their files, and nothing written twice without need: old versions note each drop-in as they
    # write it, and would take their notes for out of date otherwise (NeedDaemonReload).
    for name in sorted(setting.after, key=control_file):
        found = canonical_to_bus(name, values[name])
        calls += found[-1:] if before is not None and not told(name, before[name]) else found
    return calls


def _path(setting: Setting, name: str, volatile: bool = False) -> str:
    directory = setting.volatile if volatile else setting.directory
    return f"{directory}/{setting.unit}.d/{control_file(name)}"


def _means(name: str, texts: t.Sequence[str], value: t.Any) -> bool:
    try:
        return same(from_texts(name, texts), value)
    except SystemdError:
        return False
