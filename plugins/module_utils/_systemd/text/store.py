# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit's files say of some directives, as systemd would read them now, for many units at once.

Directories are listed once, files are read once, and only the lines that are asked for are looked at. It takes any directories, such
as a manager names, and so needs nothing of `paths.py`, by which files are written.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import instance_of, template_of, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import (
    Unreadable,
    list_small,
    read_text,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse_section


class Assignment(t.NamedTuple):
    """One line of a unit file: where it stands, and the text that it assigns."""

    path: str
    text: str


class UnitFiles:
    """The files of units as they are on disk.

    :param paths: the directories of unit files, the first one winning (`UnitPath`).
    :param section: the section to look at, such as `Service`, by the type of unit.
    :param keys: the directives to look for.
    """

    def __init__(self, paths: t.Sequence[str], keys: t.Iterable[str]) -> None:
        self.paths = list(paths)
        # Other names of units, whose drop-ins are read as well: name -> names.
        self.aliases: dict[str, list[str]] = {}
        self._keys = frozenset(keys)
        # Names of files and directories -> in which of the directories they are, the first one first.
        self._places: dict[str, list[int]] | None = None
        self._drop_ins: dict[str, dict[str, str]] = {}
        self._read: dict[tuple[str, str], list[tuple[str, str]]] = {}
        # What texts say; those of many units are alike.
        self._parsed: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def forget(self) -> None:
        """Look at the disk anew."""
        self._places = None
        self._drop_ins.clear()
        self._read.clear()
        self._parsed.clear()

    def fragment(self, name: str) -> str:
        """The path of the unit's file, that of the template for an instance without one; empty where there is none."""
        places = self._where()
        for wanted in (name, template_of(name)):
            if wanted and wanted in places:
                return f"{self.paths[places[wanted][0]]}/{wanted}"
        return ""

    def drop_ins(self, name: str, lasting: bool = False, gone: t.Container[str] = (), put: str = "") -> dict[str, str]:
        """The unit's drop-ins in the order in which they are read: file name -> path.

        :param lasting: leave out what the next boot takes away.
        :param gone: paths to be taken for absent.
        :param put: the path of one to be taken for there.
        """
        found: dict[str, str] = {}
        # Those for all units of a type come last, whatever directory they are in (systemd.unit(5)).
        own = [folder for each in (name, *self.aliases.get(name, ())) for folder in folders_of(each)]
        places = self._where()
        for folders in (own, [f"{unit_type(name)}.d"]):
            there = [(at, order) for order, folder in enumerate(folders) for at in places.get(folder, ())]
            if put:
                there += [(at, -1) for at, path in enumerate(self.paths) if put.startswith(f"{path}/{folders[0]}/")]
            for at, order in sorted(there):
                path = self.paths[at]
                if lasting and is_volatile(path):
                    continue
                if order < 0:
                    found.setdefault(os.path.basename(put), put)
                    continue
                for file, full in self._folder(f"{path}/{folders[order]}").items():
                    if full not in gone:
                        found.setdefault(file, full)
        return dict(sorted(found.items()))

    def assignments(
        self,
        name: str,
        lasting: bool = False,
        gone: t.Container[str] = (),
        put: str = "",
        lines: t.Sequence[tuple[str, str]] = (),
    ) -> Assignments:
        """What the unit's files assign to each of the keys, in the order in which it is read.

        :param lasting: leave out what the next boot takes away.
        :param gone: paths of drop-ins to be taken for absent.
        :param put: the path of one to be taken for there, with the assignments `lines` in it.
        """
        fragment = self.fragment(name)
        if lasting and is_volatile(os.path.dirname(fragment)):
            fragment = ""
        paths = [*([fragment] if fragment else ()), *self.drop_ins(name, lasting, gone, put).values()]
        return self._assigned(name, paths, put, lines)

    def _assigned(
        self, name: str, paths: t.Iterable[str], put: str = "", lines: t.Sequence[tuple[str, str]] = ()
    ) -> Assignments:
        section = unit_type(name).capitalize()
        found: Assignments = {}
        for path in paths:
            for key, text in lines if path == put else self._lines(path, section):
                found.setdefault(key, []).append(Assignment(path, text))
        return found

    def both(self, name: str) -> tuple[Assignments, Assignments]:
        """The assignments of all files, and of those that the next boot leaves."""
        fragment = self.fragment(name)
        paths = [*([fragment] if fragment else ()), *self.drop_ins(name).values()]
        found = self._assigned(name, paths)
        if not any(path.startswith("/run/") for path in paths):
            # Nor can any of these have hidden another one.
            return found, found
        return found, self.assignments(name, lasting=True)

    def own(self, path: str, name: str, key: str) -> list[str] | None:
        """The texts that one file assigns to one key; None where there is no such file."""
        if not os.path.lexists(path):
            return None
        return [text for found, text in self._lines(path, unit_type(name).capitalize()) if found == key]

    def _where(self) -> dict[str, list[int]]:
        if self._places is None:
            self._places = {}
            for at, path in enumerate(self.paths):
                try:
                    names = list_small(path)
                except Unreadable:
                    continue
                for name in names:
                    self._places.setdefault(name, []).append(at)
        return self._places

    def _folder(self, path: str) -> dict[str, str]:
        if path not in self._drop_ins:
            try:
                names = list_small(path)
            except Unreadable:
                names = []
            self._drop_ins[path] = {name: f"{path}/{name}" for name in names if name.endswith(".conf")}
        return self._drop_ins[path]

    def _lines(self, path: str, section: str) -> list[tuple[str, str]]:
        if (path, section) not in self._read:
            try:
                text = read_text(path, errors="replace") or ""
            except Unreadable as e:
                if not e.is_passed_over:
                    raise
                text = ""
            if (text, section) not in self._parsed:
                wanted = any(key in text for key in self._keys)
                self._parsed[text, section] = parse_lines(text, section, self._keys) if wanted else []
            self._read[path, section] = self._parsed[text, section]
        return self._read[path, section]


Assignments = t.Dict[str, t.List[Assignment]]


def is_volatile(directory: str) -> bool:
    """Whether what is in this directory of unit files is gone after the next boot, unlike what is generated there."""
    return directory.startswith("/run/") and not os.path.basename(directory).startswith("generator")


def parse_lines(text: str, section: str, keys: t.Container[str]) -> list[tuple[str, str]]:
    """The assignments to some keys in one section of a unit file, in order; what else it says may be wrong."""
    return [(key, value) for key, value in parse_section(text, section) if key in keys]


def names_of(name: str) -> list[str]:
    """A unit, its template, and the prefixes by which drop-ins are for it too, the narrowest first."""
    return [folder[: -len(".d")] for folder in folders_of(name)]


def folders_of(name: str) -> list[str]:
    """The names of the directories that a unit's drop-ins may be in, the most specific first (systemd.unit(5))."""
    stem, _dot, suffix = name.rpartition(".")
    prefix, at, _rest = stem.partition("@")
    instance = instance_of(name)
    folders = []
    while prefix:
        if at:
            folders += [f"{prefix}@{instance}.{suffix}.d"] if instance else []
            folders.append(f"{prefix}@.{suffix}.d")
        else:
            folders.append(f"{prefix}.{suffix}.d")
        # `a-b-c` is followed by `a-b-` and `a-`.
        head, dash, _tail = prefix[:-1].rpartition("-")
        prefix = head + dash
    return folders
