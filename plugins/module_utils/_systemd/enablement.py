# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enablement and files of many plain units at once, without systemd: one look at all unit files and links tells.

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
    read_seen,
    read_small,
)

# Directories of the unit path whose units are `generated`, `transient` or systemd's own affair.
OF_SYSTEMD = frozenset(
    ("transient", "system.control", "user.control", "generator", "generator.early", "generator.late")
)
# Directories of links that systemd looks for by name alone. Those in `.upholds` count since systemd 254.
_PULLING = (".wants", ".requires")
plain_name = re.compile(
    r"(?!\.)[A-Za-z0-9:_.\\-]{1,240}\.(?:service|socket|target|timer|path|mount|automount|swap|slice)"
).fullmatch
# What has no unit file, if it is not there: devices have never one, and scopes hardly.
_fileless_name = re.compile(r"(?!\.)[A-Za-z0-9:_.\\-]{1,240}\.(?:device|scope)").fullmatch
# Types of units that systemd says are made of /proc too, while the kernel has them.
_OF_KERNEL = (".mount", ".swap")
# Types of units of which Alias= is heeded.
_ALIASED = (".service", ".socket", ".target", ".timer", ".path")

# What looks like the head of a section and is none, after a line break: a head is alone on its line.
_no_header = re.compile(rb"\n[ \t\v\f]*\[(?![A-Za-z][A-Za-z0-9-]*\][ \t]*(?:\n|\Z))").search
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
_pulls = re.compile(rb"^[ \t]*(WantedBy|RequiredBy)[ \t]*=(.*)", re.MULTILINE).findall


def states_from_files(
    paths: t.Sequence[str],
    names: t.Iterable[str],
    lasting: t.Container[str],
    whole: set[str] | None = None,
    files: dict[str, str] | None = None,
) -> dict[str, str]:
    """UnitFileState of those units of which the files tell it for sure: name -> `enabled`, `enabled-runtime`, `disabled`,
    `static`, `indirect`, or empty where there is no unit file.

    Nothing is remembered: it is what GetUnitFileState would answer now.

    :param paths: UnitPath of the system's manager, so directories of root's.
    :param names: full names of units.
    :param lasting: those of the paths in which links enable units for good.
    :param whole: names are added to it of units that are enabled for good and have no other names, as far as all links that
        [Install] asks for are surely there.
    :param files: units are added to it that are one file alone, without drop-ins, other names, or another source: name -> path.
    """
    look = _Look(lasting, files)
    seen = set()
    try:
        for path in paths:
            # Those below /lib and /usr/lib may be the same.
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                look.at_directory(path)
        wanted = [name for name in names if plain_name(name) or _fileless_name(name)]
        look.at_targets(wanted)
        states = {}
        for name in wanted:
            state = look.state(name)
            if state is not None:
                states[name] = state
    except (OSError, Unreadable):
        # Somebody changes what is looked at, or it may not be looked at.
        if files is not None:
            files.clear()
        return {}
    if whole is not None:
        whole.update(look.whole)
    return states


class _Look:
    """What is in the directories of the unit path."""

    def __init__(self, lasting: t.Container[str], alone: dict[str, str] | None = None) -> None:
        self._lasting = lasting
        # Units that are one file alone, where that is asked for, and of all directories of drop-ins the names without `.d`.
        self._alone = alone
        self._with_dropins: set[str] = set()
        # Of each name of a regular file, the first directory that has one.
        self._files: dict[str, str] = {}
        # Of each unit, the directories of its drop-ins.
        self._dropins: dict[str, list[str]] = {}
        # Enabled units of which no link is missing.
        self.whole: list[str] = []
        # Names of links that enable for good, with the directories that they are in (`a.target.wants`), and until the reboot.
        self._enabled: dict[str, tuple[str, ...]] = {}
        self._runtime: set[str] = set()
        # All links in directories of links: (directory, name).
        self._links: list[tuple[str, list[str]]] = []
        # What is left to systemd.
        self._ask: set[str] = set()
        # What sections [Install] make of a unit that nothing enables, by their text, and the directories in which they ask for links.
        self._installs: dict[bytes, set[bytes] | None] = {}
        self._asked: dict[bytes, frozenset[str]] = {}

    def at_directory(self, path: str) -> None:
        for entry in entries_of(path):
            name = entry.name
            if entry.is_file(follow_symlinks=False):
                self._files.setdefault(name, path)
                continue
            if name.endswith(".d"):
                self._with_dropins.add(name[:-2])
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
            else:
                self._ask.add(name)

    def _at_links(self, parent: str, path: str) -> None:
        lasting = parent in self._lasting
        runtime = not lasting and parent.startswith("/run/")
        links = []
        for entry in entries_of(path):
            if entry.is_symlink():
                name = entry.name
                links.append(name)
                # Behind the directory of the unit's file, systemd 247 goes by what a link leads to.
                if runtime and os.path.basename(os.readlink(entry.path)) != name:
                    self._ask.add(name)
            elif entry.is_dir(follow_symlinks=False):
                self._doubt_links(entry.path)
        if lasting:
            folder = (os.path.basename(path),)
            enabled = self._enabled
            for name in links:
                enabled[name] = enabled[name] + folder if name in enabled else folder
        elif runtime:
            self._runtime.update(links)
        self._links.append((path, links))

    def _doubt_links(self, path: str) -> None:
        """Leave to systemd what links in a directory, and in those in it, are about; old versions look there too."""
        for entry in entries_of(path):
            if entry.is_symlink():
                self._ask.add(entry.name)
                self._ask.add(os.path.basename(os.readlink(entry.path)))
            elif entry.is_dir(follow_symlinks=False):
                self._doubt_links(entry.path)

    def _doubt_all(self, path: str) -> None:
        try:
            self._ask.update(entry.name for entry in entries_of(path))
        except NotADirectoryError:
            pass

    def at_targets(self, wanted: t.Sequence[str]) -> None:
        """Leave to systemd units to which links of other names lead, as far as they are not enabled in any case."""
        if self._enabled.keys() >= set(wanted):
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
        if directory is None or not plain_name(name):
            return "" if directory is None and not dropins else None
        if os.path.basename(directory) in OF_SYSTEMD:
            return None
        path = f"{directory}/{name}"
        content = read_seen(path)
        if not content or not is_regular(content):
            return None
        for folder in dropins:
            for entry in entries_of(folder):
                if entry.name.endswith(".conf"):
                    added = read_small(entry.path) or b""
                    if b"[Install" in added or not is_regular(added):
                        return None
        keys = self._install(content)
        if keys is None:
            # Also of one that is enabled, it must be a section that systemd can read.
            return None
        if self._alone is not None and self._is_alone(name, content):
            self._alone[name] = path
        if name in self._enabled or name in self._runtime:
            if name not in self._enabled:
                return "enabled-runtime"
            if b"Alias" not in keys and self._pulled_by(content).issubset(self._enabled[name]):
                self.whole.append(name)
            return "enabled"
        if b"WantedBy" in keys or b"RequiredBy" in keys:
            return "disabled"
        if b"Alias" in keys:
            return "disabled" if name.endswith(_ALIASED) else None
        return "indirect" if b"Also" in keys else "static"

    def _is_alone(self, name: str, content: bytes) -> bool:
        """Whether a unit with such a file has no drop-ins, and no other source."""
        is_made_of_more = name.endswith(_OF_KERNEL) or b"SourcePath" in content
        return not is_made_of_more and self._with_dropins.isdisjoint(dropins_of(name))

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

    def _pulled_by(self, content: bytes) -> frozenset[str]:
        """The directories in which a plain section [Install] asks for links, such as `a.target.wants`."""
        text = content[content.find(b"[Install") :] if b"[Install" in content else b""
        if text not in self._asked:
            kinds = {b"WantedBy": "wants", b"RequiredBy": "requires"}
            found = (f"{other.decode()}.{kinds[key]}" for key, others in _pulls(text) for other in others.split())
            self._asked[text] = frozenset(found)
        return self._asked[text]


def dropins_of(name: str) -> list[str]:
    """What directories of drop-ins for a unit may be called, without `.d` (systemd.unit(5))."""
    stem, _dot, kind = name.rpartition(".")
    names = [name, kind]
    at = stem.find("-") + 1
    while at:
        names.append(f"{stem[:at]}.{kind}")
        at = stem.find("-", at) + 1
    return names


def entries_of(path: str) -> t.Iterator[os.DirEntry[str]]:
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


def is_regular(content: bytes) -> bool:
    """Whether systemd surely reads a file to its end: all that looks like the head of a section is one."""
    if len(content) > LIMIT // 2 or b"\0" in content or b"\r" in content or content.startswith(b"\xef\xbb\xbf"):
        return False
    if b".include" in content or _continued_comment(content) or not (content.isascii() or _is_text(content)):
        return False
    return not _no_header(b"\n" + content)


def _is_text(content: bytes) -> bool:
    """Whether it is UTF-8 as systemd takes it: without the code points that are no characters (its utf8.c)."""
    try:
        code_points = set(map(ord, content.decode()))
    except UnicodeDecodeError:
        return False
    return not any(point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF for point in code_points)
