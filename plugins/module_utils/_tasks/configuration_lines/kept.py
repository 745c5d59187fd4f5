# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lines of tmpfiles.d(5) have a say in, however it is spelled: with specifiers, over links, by patterns.

Patterns are matched as fnmatch(3) does with FNM_PATHNAME and FNM_PERIOD: no wildcard stands for a slash, nor for a leading dot.
"""

from __future__ import annotations

import fnmatch
import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import split_line
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles_line import GLOBS

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import Specifiers

WILD = re.compile(r"[*?\[]")
# Braces, which the tool expands and fnmatch(3) does not; classes of characters, which Python does not know.
UNTOLD = re.compile(r"\{|\[\[[:.=]|\[[^\]]*\[[:.=]")
_ESCAPE = re.compile(r"\\(.?)", re.S)


class Head(t.NamedTuple):
    """The type and the path of a line, and the file that it is in."""

    kind: str
    path: str
    file: str


def heads_of(lines: t.Sequence[tuple[str, str]]) -> list[Head]:
    """Of lines of other files, each given with its file, those that the tool makes anything of."""
    heads = []
    for file, line in lines:
        try:
            fields, _rest = split_line(line, 6)
        except BadInput:
            continue
        if len(fields) > 1 and fields[0] and fields[1].startswith(("/", "%")):
            heads.append(Head(fields[0], fields[1], file))
    return heads


def matcher_of(part: str) -> t.Callable[[str], bool]:
    """Whether a name is one that a component of a pattern stands for."""

    def as_python(found: re.Match[str]) -> str:
        return f"[{found.group(1)}]" if found.group(1) in "*?[" and found.group(1) else found.group(1)

    translated = fnmatch.translate(_ESCAPE.sub(as_python, part).replace("[^", "[!"))
    matches = re.compile(translated).match
    names_hidden = part.startswith((".", "\\."))
    return lambda name: bool(matches(name)) and (names_hidden or not name.startswith("."))


class _Pattern(t.NamedTuple):
    parts: list[t.Callable[[str], bool]]
    whose: str

    def begins_with(self, names: t.Sequence[str]) -> bool:
        """Whether these are what its first components stand for."""
        return all(matches(name) for matches, name in zip(self.parts, names))


class Kept:
    """What lines have a say in; paths are real ones, and in a tree begin with its root."""

    def __init__(self, tree: Tree, specifiers: Specifiers) -> None:
        self._tree, self._specifiers = tree, specifiers
        self._paths: dict[str, str] = {}
        self._above: dict[str, str] = {}
        self._patterns: list[_Pattern] = []
        self._untold: list[tuple[str, str, str]] = []

    def add(self, kind: str, path: str, whose: str = "") -> None:
        """Add a line of this type and path.

        :param whose: the file that it is in.
        """
        found = self._split(kind, path)
        if found is None:
            start = self._specifiers.start(path)
            cut = WILD.search(start.replace("{", "*")) if kind[:1] in GLOBS else None
            directory, _slash, rest = (start[: cut.start()] if cut else start).rpartition("/")
            self._untold += [(f"{each}/{rest}", path, whose) for each in set(self._spellings(directory))]
            return
        directory, pattern = found
        for each in set(self._spellings(directory)):
            if pattern:
                # What was resolved has no wildcards, whatever it is called.
                fixed = [name.__eq__ for name in each.split("/")]
                self._patterns.append(_Pattern([*fixed, *map(matcher_of, pattern.split("/"))], whose))
                continue
            self._paths.setdefault(each, whose)
            while each.count("/") > 1:
                each = os.path.dirname(each)
                self._above.setdefault(each, whose)

    def spellings(self, kind: str, path: str) -> list[str]:
        """Paths and patterns, as in a line, by which what a line names is come to when links are resolved."""
        found = self._split(kind, path)
        if found is None:
            return []
        directory, pattern = found
        return [self._as_pattern(each, pattern) for each in self._spellings(directory)[1:]]

    def real(self, kind: str, path: str) -> str:
        """The path or pattern of a line, as in a line, with the links on the way resolved and the last component as it is."""
        found = self._split(kind, path)
        if found is None:
            return path
        directory, pattern = found
        known = self._spellings(directory)
        each = known[-1] if pattern else known[min(1, len(known) - 1)]
        return self._as_pattern(each, pattern) if kind[:1] in GLOBS else each[len(self._tree.root) :].replace("%", "%%")

    def _as_pattern(self, directory: str, pattern: str) -> str:
        """A pattern for this path without wildcards, and what follows it."""
        fixed = re.sub(r"([*?\[\\])", r"\\\1", directory[len(self._tree.root) :])
        return (f"{fixed}/{pattern}" if pattern else fixed).replace("%", "%%")

    def _split(self, kind: str, path: str) -> tuple[str, str] | None:
        """A path without wildcards, and what follows it from the first component with one on; None where only systemd can tell."""
        expanded = self._specifiers.expand(path)
        globs = kind[:1] in GLOBS
        if expanded is None or (globs and UNTOLD.search(expanded)):
            return None
        expanded = re.sub("/+", "/", expanded).rstrip("/")
        wild = WILD.search(expanded) if globs else None
        if wild is None:
            return _ESCAPE.sub(r"\1", expanded) if globs else expanded, ""
        at = expanded.rindex("/", 0, wild.start())
        return _ESCAPE.sub(r"\1", expanded[:at]), expanded[at + 1 :]

    def _spellings(self, path: str) -> list[str]:
        """A path as it is written, with the links on the way resolved, and with the last one, too; of one that leads nowhere the first."""
        root = self._tree.root
        found = [f"{root}{path}"]
        if not path:
            return found
        try:
            if root:
                found += [self._tree.real(found[0]), self._tree.resolve(found[0])]
            else:
                directory, name = os.path.split(path)
                real = os.path.realpath(directory)
                found += [f"{'' if real == '/' else real}/{name}", os.path.realpath(path)]
        except (Unreadable, ValueError):
            pass
        return [each.rstrip("/") for each in found]

    def owner(self, path: str) -> str | None:
        """The file with a line for a path; None where there is none."""
        if path in self._paths:
            return self._paths[path]
        names = path.split("/")
        found = (each.whose for each in self._patterns if len(each.parts) == len(names) and each.begins_with(names))
        return next(found, None)

    def __contains__(self, path: object) -> bool:
        return self.owner(str(path)) is not None

    def why(self, path: str) -> str:
        """Why something is not removed with a line of its own, in words that follow its path; empty where it may be."""
        whose = self.owner(path)
        if whose is not None:
            return f"for which {whose} has a line, too"
        names = path.split("/")
        if path in self._above or any(len(each.parts) > len(names) and each.begins_with(names) for each in self._patterns):
            return "in which something else has a line"
        for start, text, whose in self._untold:
            if path.startswith(start) or start.startswith(f"{path}/"):
                return f"which may be what {whose} has a line for: only systemd can tell what {text} stands for"
        return ""
