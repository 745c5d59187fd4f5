# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enablement of many plain units at once, without systemd: one look at all unit files and links tells.

Systemd looks at all links again for each unit that it is asked about (find_symlinks of its install.c), which takes minutes for
thousands of units. Here only what is the same in all versions is decided: units that are a regular file which systemd can read, of
a name that is neither template nor instance, that no link bears or leads to, but for links of the same name in `.wants` and
`.requires`. All others are in no answer: ask systemd. `tests/hosts/test_enablement.py` compares with systemd.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import (
    ENTRIES,
    LIMIT,
    Unreadable,
    read_small,
)

# Directories of the unit path whose units are `generated`, `transient` or systemd's own affair.
_OF_SYSTEMD = frozenset(
    ("transient", "system.control", "user.control", "generator", "generator.early", "generator.late")
)
# Directories of links that systemd looks for by name alone. Those in `.upholds` count since systemd 254.
_PULLING = (".wants", ".requires")
_plain_name = re.compile(
    r"(?!\.)[A-Za-z0-9:_.\\-]{1,240}\.(?:service|socket|target|timer|path|mount|automount|swap|slice)"
).fullmatch
# What has no unit file, if it is not there: devices have never one, and scopes hardly.
_fileless_name = re.compile(r"(?!\.)[A-Za-z0-9:_.\\-]{1,240}\.(?:device|scope)").fullmatch
# Types of units of which Alias= is heeded.
_ALIASED = (".service", ".socket", ".target", ".timer", ".path")

# The first line of a section, alone on its line.
_header = re.compile(rb"\[[A-Za-z][A-Za-z0-9-]*\][ \t]*(?:\n|\Z)").match
_WORD = rb"[A-Za-z0-9:_.@-]+\.(?:service|socket|target|timer|path|mount|automount|swap|slice)"
# A section [Install] to the end of the file, of nothing but comments and these directives with plain names.
_plain_install = re.compile(
    rb"\[Install\][ \t]*(?:\n[ \t]*(?:[#;][^\n\\]*|(?:WantedBy|RequiredBy|Also|Alias)[ \t]*=(?:[ \t]*"
    + _WORD
    + rb")(?:[ \t]+"
    + _WORD
    + rb")*[ \t]*)?)*"
).fullmatch
# A line that goes on after a comment.
_continued_comment = re.compile(rb"\\\n[ \t]*[#;]").search
_directives = re.compile(rb"^[ \t]*([A-Z][A-Za-z]+)", re.MULTILINE).findall


def states_from_files(paths: t.Sequence[str], names: t.Iterable[str], lasting: t.Container[str]) -> dict[str, str]:
    """UnitFileState of those units of which the files tell it for sure: name -> `enabled`, `enabled-runtime`, `disabled`,
    `static`, `indirect`, or empty where there is no unit file.

    Nothing is remembered: it is what GetUnitFileState would answer now.

    :param paths: the manager's UnitPath.
    :param names: full names of units.
    :param lasting: those of the paths in which links enable units for good.
    """
    look = _Look(lasting)
    seen = set()
    try:
        for path in paths:
            # Those below /lib and /usr/lib may be the same.
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                look.at_directory(path)
        wanted = [name for name in names if _plain_name(name) or _fileless_name(name)]
        look.at_targets(wanted)
        return {name: state for name in wanted for state in (look.state(name),) if state is not None}
    except (OSError, Unreadable):
        # Somebody changes what is looked at, or it may not be looked at.
        return {}


class _Look:
    """What is in the directories of the unit path."""

    def __init__(self, lasting: t.Container[str]) -> None:
        self._lasting = lasting
        # Of each name of a regular file, the first directory that has one.
        self._files: dict[str, str] = {}
        # Of each unit, the directories of its drop-ins.
        self._dropins: dict[str, list[str]] = {}
        # Names of links that enable for good, and until the reboot.
        self._enabled: set[str] = set()
        self._runtime: set[str] = set()
        # All links in directories of links: (directory, name).
        self._links: list[tuple[str, list[str]]] = []
        # What is left to systemd.
        self._ask: set[str] = set()
        # What sections [Install] make of a unit that nothing enables, by their text.
        self._installs: dict[bytes, set[bytes] | None] = {}
        self._handle = -1
        self._handle_of = ""

    def at_directory(self, path: str) -> None:
        for entry in _entries(path):
            name = entry.name
            if entry.is_symlink():
                self._ask.add(name)
                self._ask.add(os.path.basename(os.readlink(entry.path)))
                if name.endswith((*_PULLING, ".upholds")):
                    # Units that are pulled in by it are loaded from there, but not enabled for all versions.
                    self._doubt_all(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                if name.endswith(_PULLING):
                    self._at_links(path, entry.path)
                else:
                    if name.endswith(".d"):
                        self._dropins.setdefault(name[:-2], []).append(entry.path)
                    else:
                        self._ask.add(name)
                    self._doubt_links(entry.path)
            elif entry.is_file(follow_symlinks=False):
                self._files.setdefault(name, path)
            else:
                self._ask.add(name)

    def _at_links(self, parent: str, path: str) -> None:
        found: set[str] | None = None
        if parent in self._lasting:
            found = self._enabled
        elif parent.startswith("/run/"):
            found = self._runtime
        links = []
        for entry in _entries(path):
            if entry.is_symlink():
                links.append(entry.name)
            elif entry.is_dir(follow_symlinks=False):
                self._doubt_links(entry.path)
        if found is not None:
            found.update(links)
        self._links.append((path, links))

    def _doubt_links(self, path: str) -> None:
        """Leave to systemd what links in a directory, and in those in it, are about; old versions look there too."""
        for entry in _entries(path):
            if entry.is_symlink():
                self._ask.add(entry.name)
                self._ask.add(os.path.basename(os.readlink(entry.path)))
            elif entry.is_dir(follow_symlinks=False):
                self._doubt_links(entry.path)

    def _doubt_all(self, path: str) -> None:
        try:
            self._ask.update(entry.name for entry in _entries(path))
        except NotADirectoryError:
            pass

    def at_targets(self, wanted: t.Sequence[str]) -> None:
        """Leave to systemd units to which links of other names lead, as far as they are not enabled in any case."""
        if self._enabled.issuperset(wanted):
            return
        for path, names in self._links:
            for name in names:
                other = os.path.basename(os.readlink(f"{path}/{name}"))
                if other != name:
                    self._ask.add(other)

    def state(self, name: str) -> str | None:
        """The state of a unit; None where systemd is to be asked."""
        if name in self._ask:
            return None
        directory = self._files.get(name)
        dropins = self._dropins.get(name, ())
        if directory is None or not _plain_name(name):
            return "" if directory is None and not dropins else None
        if os.path.basename(directory) in _OF_SYSTEMD:
            return None
        content = read_small(f"{directory}/{name}")
        if not content or not _is_regular(content):
            return None
        for folder in dropins:
            for entry in _entries(folder):
                if entry.name.endswith(".conf"):
                    added = read_small(entry.path) or b""
                    if b"[Install" in added or not _is_regular(added):
                        return None
        if name in self._enabled or name in self._runtime:
            # All the same it must be a section that systemd can read.
            if self._install(content) is None:
                return None
            return "enabled" if name in self._enabled else "enabled-runtime"
        keys = self._install(content)
        if keys is None:
            return None
        if b"WantedBy" in keys or b"RequiredBy" in keys:
            return "disabled"
        if b"Alias" in keys:
            return "disabled" if name.endswith(_ALIASED) else None
        return "indirect" if b"Also" in keys else "static"

    def _install(self, content: bytes) -> set[bytes] | None:
        """The directives of the section [Install]; None where it takes more to understand it."""
        at = content.find(b"[Install")
        if at < 0:
            return set()
        if at and (content[at - 1 : at] != b"\n" or content[at - 2 : at - 1] == b"\\"):
            return None
        text = content[at:]
        if text not in self._installs:
            self._installs[text] = set(_directives(text)) if _plain_install(text) else None
        return self._installs[text]


def _entries(path: str) -> t.Iterator[os.DirEntry[str]]:
    """The entries of a directory; none where there is no such directory.

    :raises Unreadable: there are too many.
    """
    try:
        with os.scandir(path) as entries:
            for number, entry in enumerate(entries):
                if number >= ENTRIES:
                    raise Unreadable(path, "it has too many entries")
                yield entry
    except FileNotFoundError:
        return


def _is_regular(content: bytes) -> bool:
    """Whether systemd surely reads a file to its end: all that looks like the head of a section is one."""
    if len(content) > LIMIT // 2 or b"\0" in content or b"\r" in content or content.startswith(b"\xef\xbb\xbf"):
        return False
    if b".include" in content or _continued_comment(content) or not (content.isascii() or _is_text(content)):
        return False
    at = content.find(b"[")
    while at >= 0:
        # What is before it on its line.
        if not content[content.rfind(b"\n", 0, at) + 1 : at].strip() and not _header(content, at):
            return False
        at = content.find(b"[", at + 1)
    return True


def _is_text(content: bytes) -> bool:
    """Whether it is UTF-8 as systemd takes it: without the code points that are no characters (its utf8.c)."""
    try:
        code_points = set(map(ord, content.decode()))
    except UnicodeDecodeError:
        return False
    return not any(point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF for point in code_points)
