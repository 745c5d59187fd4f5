# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of a line of tmpfiles.d(5) and sysusers.d(5): written, read, and what specifiers in them stand for."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_line
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import BLANKS
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import BREAKS, quote, split_words
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

# A field that says nothing.
NONE = "-"
_LONGEST = 4096
_SPECIFIER = re.compile("%(.)?", re.S)


def write_line(fields: t.Sequence[str], rest: str = "") -> str:
    """A line of these fields, empty ones as `-` and none of those at the end.

    :param rest: what stands at the end as it is, such as the argument in tmpfiles.d.
    """
    written = [quote(field, BREAKS) if field else NONE for field in fields]
    if rest:
        return " ".join([*written, rest])
    while written[-1] == NONE:
        written.pop()
    return " ".join(written)


def split_line(text: str, most: int) -> tuple[list[str], str]:
    """The first fields of a line, without quotes and escapes, and the rest as it is written; `-` reads as empty.

    :param most: how many fields there are at most before the rest.
    :raises BadInput: a quote is not closed, or an escape is none.
    """
    fields: list[str] = []
    at, end = 0, len(text)
    while len(fields) < most:
        while at < end and text[at] in BLANKS:
            at += 1
        if at >= end:
            break
        start, mark = at, ""
        while at < end and (mark or text[at] not in BLANKS):
            char = text[at]
            if char == "\\":
                at += 1
            elif char == mark:
                mark = ""
            elif char in "\"'" and not mark:
                mark = char
            at += 1
        word = "".join(split_words(text[start:at], "line"))
        fields.append("" if word == NONE else word)
    rest = text[at:].strip(BLANKS)
    return fields, "" if rest == NONE else rest


def lines_of(text: str) -> t.Iterator[str]:
    """The lines of a file that say something."""
    # Nothing else ends a line there, as Python has it.
    for line in text.split("\n"):
        line = line.strip(BLANKS)
        if line and line[0] not in "#;":
            yield line


def check_field(value: str | None, option: str, what: str, example: str) -> str:
    """A field as it is asked for: text of one line; empty for None and `-`.

    :raises BadInput: it is not.
    """
    if value is None or value == NONE:
        return ""
    return check_line(value, option, what, example, _LONGEST)


def check_path(value: str | None, option: str) -> str:
    """An absolute path without detours, specifiers and patterns kept; slashes tidied.

    :raises BadInput: it is not.
    """
    example = "write an absolute path such as /run/app"
    if value is None:
        raise BadInput(f"{option}: is missing; {example}")
    path = check_field(value, option, "a path", example)
    if not path.startswith(("/", "%")):
        raise BadInput(f"{option}: {shown(value)} is not absolute; {example}")
    parts = path.split("/")
    if ".." in parts or "." in parts:
        raise BadInput(f"{option}: {shown(value)} has {'..' if '..' in parts else '.'!r} in it; {example}")
    if any(len(part.encode("utf-8", "surrogateescape")) > 255 for part in parts):
        raise BadInput(f"{option}: {shown(value)} has a part of more than 255 bytes, as no path can; {example}")
    tidied = re.sub("/+", "/", path)
    if tidied == "/":
        raise BadInput(f"{option}: is the root directory, which is nobody's to make or clean; {example}")
    return tidied.rstrip("/")


def check_specifiers(text: str, option: str) -> None:
    """Refuse a `%` that stands at the end, or before what is no letter; which letters there are, the host's tool knows.

    :raises BadInput: there is one.
    """
    for found in _SPECIFIER.finditer(text):
        if not (found.group(1) or "").isalpha() and found.group(1) != "%":
            raise BadInput(
                f"{option}: {shown(text)} has a % that begins no specifier; write %% for a percent sign"
            )


class Specifiers:
    """What specifiers stand for, as far as that is the same on all versions of systemd.

    :param home: of the user whose files they are; empty for the system's.
    :param uid: likewise.
    """

    def __init__(self, tree: Tree, name: str = "", home: str = "", uid: int = 0, gid: int = 0) -> None:
        self._tree = tree
        self._known = {"%": "%", "u": name or "root", "U": str(uid), "g": "", "G": str(gid), "h": home or "/root"}
        del self._known["g"]
        if home:
            self._known["t"] = f"/run/user/{uid}"
        else:
            self._known.update(t="/run", S="/var/lib", C="/var/cache", L="/var/log", g="root")

    def expand(self, text: str) -> str | None:
        """The text with what its specifiers stand for; None where it has one that is not known here."""
        if "%" not in text:
            return text
        out, at = [], 0
        for found in _SPECIFIER.finditer(text):
            value = self._value(found.group(1) or "")
            if value is None:
                return None
            out += [text[at : found.start()], value]
            at = found.end()
        return "".join([*out, text[at:]])

    def start(self, text: str) -> str:
        """The text up to its first specifier that is not known here."""
        found = next((each for each in _SPECIFIER.finditer(text) if self._value(each.group(1) or "") is None), None)
        return self.expand(text if found is None else text[: found.start()]) or ""

    def fixed(self, text: str) -> str:
        """The text as a tool is given it for a tree: with the paths that specifiers stand for, as far as they are known.

        With `--root`, systemd 247 to 257 put the tree before what %t, %S, %C and %L stand for, and then before the path as a whole.
        """
        expanded = self.expand(text) if self._tree.root else None
        return text if expanded is None else expanded.replace("%", "%%")

    def _value(self, letter: str) -> str | None:
        if letter in self._known:
            return self._known[letter]
        root = self._tree.root
        if letter == "m":
            return (self._tree.read_text(f"{root}/etc/machine-id") or "").strip() or None
        if root:
            return None
        if letter == "b":
            return (self._tree.read_text("/proc/sys/kernel/random/boot_id") or "").strip().replace("-", "") or None
        names = os.uname()
        return {"H": names.nodename, "l": names.nodename.split(".")[0], "v": names.release}.get(letter)
