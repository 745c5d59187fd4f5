# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step that sets resource properties of units, with the drop-ins that systemd writes for them put right."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step, short
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, RemoveFile, Saved
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import explain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.resource_properties import (
    PROPERTIES,
    Scaled,
    canonical_to_bus,
    drop_in_lines,
    from_texts,
    same,
    told,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.unit_values import parse_lines

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
    row = PROPERTIES[name]
    return f"50-{name if name.startswith('CPUQuota') else row.bus}.conf"


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
    """

    def __init__(self, settings: t.Sequence[Setting], mode: str, tools: FileTools, verb: str = "set") -> None:
        super().__init__([setting.unit for setting in settings])
        self._settings = list(settings)
        self._mode = mode
        self._verb = verb
        self._tools = tools
        self._saved: dict[str, Saved | None] = {}
        self._begun = False
        self._refused: set[str] = set()

    def _properties(self) -> str:
        return ", ".join(dict.fromkeys(name for setting in self._settings for name in setting.after))

    def describe(self) -> str:
        lasting = f" {LASTING[self._mode]}" if self._verb == "set" else ""
        return f"{self._verb} {self._properties()} of {short(self.names)}{lasting}"

    def apply(self, ctx: Context) -> bool:
        self._saved = self._save(volatile=self._mode != "persistent")
        self._begun = True
        self._set(ctx, "after", self._mode != "persistent")
        if self._mode == "live":
            self._restore(self._saved)
        else:
            for setting in self._settings:
                for name, value in setting.after.items():
                    self._put_right(_path(setting, name), setting.unit, name, value)
        return True

    def undo(self, ctx: Context) -> None:
        if not self._begun:
            return
        # Not by a daemon-reload: that would bring in what others changed in unit files meanwhile.
        volatile = self._save(volatile=True)
        volatile.update(self._saved)
        try:
            self._set(ctx, "before", True)
        finally:
            self._restore(volatile)

    def undone(self) -> str:
        return f"{self._properties()} of {short(self.names)} as before"

    def _set(self, ctx: Context, which: str, runtime: bool) -> None:
        wanted = []
        for setting in self._settings:
            values: dict[str, t.Any] = getattr(setting, which)
            calls = []
            # In the order of their files, and nothing written twice without need: old versions note each drop-in as they
            # write it, and would take their notes for out of date otherwise (NeedDaemonReload).
            for name in sorted(setting.after, key=control_file):
                found = canonical_to_bus(name, values[name])
                if which == "after" and not told(name, setting.before[name]):
                    found = found[-1:]
                calls += found
            wanted.append((setting.unit, calls))
        error = None
        for setting, failed in zip(self._settings, ctx.manager.set_properties(wanted, runtime)):
            # On the way back, a unit that took none of the new values may take none of the old ones either.
            if failed is not None and setting.unit not in self._refused:
                self._refused.add(setting.unit)
                error = error or explain(failed, f"set {', '.join(setting.after)} of {setting.unit}")
        if error is not None:
            raise error

    def _save(self, volatile: bool) -> dict[str, Saved | None]:
        saved = {}
        with self._tools.acting():
            for setting in self._settings:
                for name in setting.after:
                    path = _path(setting, name, volatile)
                    try:
                        saved[path] = Saved.of(path)
                    except OSError as e:
                        raise SystemdError(f"cannot read the drop-in {path}: {e.strerror or e}") from e
        return saved

    def _restore(self, saved: dict[str, Saved | None]) -> None:
        with self._tools.acting():
            for path, before in saved.items():
                try:
                    if before is not None:
                        if Saved.of(path) != before:
                            before.put_back(path)
                        continue
                    if os.path.lexists(path):
                        os.unlink(path)
                except OSError as e:
                    hint = "" if os.geteuid() == 0 else "; this needs root, so add `become: true` to the task or play"
                    raise SystemdError(f"cannot put back {path}: {e.strerror or e}{hint}") from e
                try:
                    os.rmdir(os.path.dirname(path))
                except OSError:
                    # There never was one, or it has other files in it.
                    pass

    def _put_right(self, path: str, unit: str, name: str, value: t.Any) -> None:
        with self._tools.acting():
            written = Saved.of(path)
            lines = drop_in_lines(name, value)
            section = unit_type(unit).capitalize()
            if written is not None:
                found = [
                    text for _key, text in parse_lines(written.content.decode("utf-8", "replace"), section, (name,))
                ]
                wanted = [line.partition("=")[2] for line in lines]
                # A list has to begin with an empty assignment; a percentage has to remain one.
                whole = bool(found) and (wanted[0] == "") is (found[0] == "") and not isinstance(value, Scaled)
                if found == wanted or (whole and _means(name, found, value)):
                    return
            try:
                if written is None:
                    raise SystemdError(f"systemd did not write {path}, where it keeps {name} of {unit}{_why_not(path)}")
                content = "\n".join([_HEADER, f"[{section}]", *lines, ""]).encode()
                written._replace(content=content).put_back(path)
            except OSError as e:
                hint = "" if os.geteuid() == 0 else "; this needs root, so add `become: true` to the task or play"
                raise SystemdError(f"cannot put right what systemd wrote to {path}: {e.strerror or e}{hint}") from e


def _why_not(path: str) -> str:
    """Why a file cannot be written, as far as its file system tells: systemd keeps that to itself."""
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        if os.path.lexists(directory):
            return f": {directory} is no directory; remove it"
        directory = os.path.dirname(directory)
    try:
        system = os.statvfs(directory)
    except OSError as e:
        return f": {directory}: {e.strerror}"
    if system.f_flag & os.ST_RDONLY:
        return f": the file system of {directory} is read-only; make it writable"
    if not system.f_bavail:
        return f": the file system of {directory} is full; make room there"
    if system.f_files and not system.f_favail:
        return f": the file system of {directory} has no inodes left; make room there"
    return "; see what it says in its journal"


class RemoveDropIns(Step):
    """Remove drop-ins that SetUnitProperties wrote, and directories that are empty then; a daemon-reload has to follow.

    :param paths: of the drop-ins.
    """

    def __init__(self, paths: t.Sequence[str], tools: FileTools) -> None:
        super().__init__(paths)
        self._tools = tools
        self._steps: list[RemoveFile] = []

    def describe(self) -> str:
        return f"remove {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        for path in self.names:
            with self._tools.acting():
                saved = Saved.of(path)
            if saved is not None:
                self._steps.append(RemoveFile(path, saved, self._tools))
                self._steps[-1].apply(ctx)
        return bool(self._steps)

    def undo(self, ctx: Context) -> None:
        for step in reversed(self._steps):
            step.undo(ctx)

    def undone(self) -> str:
        return f"{short(self.names)} as before"


def _path(setting: Setting, name: str, volatile: bool = False) -> str:
    directory = setting.volatile if volatile else setting.directory
    return f"{directory}/{setting.unit}.d/{control_file(name)}"


def _means(name: str, texts: t.Sequence[str], value: t.Any) -> bool:
    try:
        return same(from_texts(name, texts), value)
    except SystemdError:
        return False
