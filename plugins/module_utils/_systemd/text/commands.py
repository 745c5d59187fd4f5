# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines of `Exec*=`: written from a list of arguments, and the program of one found as systemd finds it.

The rules are those of systemd.service(5), "Command lines".
"""

from __future__ import annotations

import os
import re
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import BLANKS, check_sendable, number_text
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import quote
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

# What may stand before the program.
PREFIXES = "-@:+!|"
# Where systemd looks for a program without a slash (its DEFAULT_PATH).
SEARCH_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_WORD_PART = re.compile(
    r"""(?P<blank>[ \t\r\n]+)|(?P<plain>[^ \t\r\n'"\\]+)|(?P<single>'[^']*')|(?P<double>"(?:[^"\\]|\\.)*")|(?P<escaped>\\.)|(?P<bad>.)""",
    re.DOTALL,
)
_ESCAPED_IN_QUOTES = re.compile(r'\\(["\\])')


def join_command(arguments: t.Sequence[t.Any], option: str) -> str:
    """The command line of which systemd makes exactly these arguments: nothing in them is expanded or taken apart.

    :raises BadInput: there is nothing to run, or something that no argument can hold.
    """
    words = []
    for index, argument in enumerate(arguments):
        where = f"{option}[{index}]"
        if isinstance(argument, bool) or not isinstance(argument, (str, int, float)):
            raise BadInput(f"{where}: {shown(argument)} is not text; put it in quotes")
        text = argument if isinstance(argument, str) else number_text(argument, where)
        check_sendable(text, where)
        if index == 0 and (not text or text[0] in PREFIXES):
            raise BadInput(
                f"{where}: {shown(text)} is no program; begin with its path, or give the command as one string, where "
                f"systemd's prefixes ({' '.join(PREFIXES)}) may stand before it"
            )
        # Variables are not expanded in the program itself.
        words.append(quote(text.replace("%", "%%").replace("$", "$$" if index else "$")))
    if not words:
        raise BadInput(f"{option}: is empty; give the program and its arguments")
    return " ".join(words)


def split_words(text: str) -> list[str]:
    """The words of a text as a POSIX shell takes it apart, without expanding anything; what `shlex.split` makes of it.

    That takes a time that grows with the square of a word's length: 20 s for one of a MiB.

    :raises ValueError: a quotation has no end, or there is nothing after the last backslash.
    """
    words: list[str] = []
    # The parts of the word that is being read; None between words.
    parts: list[str] | None = None
    for found in _WORD_PART.finditer(text):
        if found.lastgroup == "blank":
            if parts is not None:
                words.append("".join(parts))
            parts = None
            continue
        parts = [] if parts is None else parts
        part = found.group()
        if found.lastgroup == "plain":
            parts.append(part)
        elif found.lastgroup == "single":
            parts.append(part[1:-1])
        elif found.lastgroup == "double":
            parts.append(_ESCAPED_IN_QUOTES.sub(r"\1", part[1:-1]))
        elif found.lastgroup == "escaped":
            parts.append(part[1:])
        else:
            raise ValueError("nothing is after the last backslash" if part == "\\" else "a quotation has no end")
    if parts is not None:
        words.append("".join(parts))
    return words


def split_program(line: str) -> tuple[str, str]:
    """The prefixes and the program of a command line; the program is empty where it is not to be told."""
    at = 0
    while at < len(line) and line[at] in PREFIXES:
        at += 1
    prefixes, rest = line[:at], line[at:].lstrip(BLANKS)
    if rest[:1] in ('"', "'"):
        end = rest.find(rest[0], 1)
        word = rest[1:end] if end > 0 else ""
    else:
        word = rest.replace("\t", " ").partition(" ")[0]
    return prefixes, "" if "\\" in word else word


def program_problem(program: str, search: t.Sequence[str] = SEARCH_PATH, root: str = "") -> str:
    """Why systemd would not find a program; an empty string where it would, or where it cannot be told.

    :param search: directories for a program without a slash.
    :param root: the tree to look in.
    """
    if not program or "%" in program:
        # Specifiers are systemd's to expand.
        return ""
    tree = Tree(root)
    if program.startswith("/"):
        return _problem_of(tree, root + program, program)
    if "/" in program:
        return f"{shown(program)} is neither an absolute path nor a bare name"
    if any(not _problem_of(tree, f"{root}/{directory.lstrip('/')}/{program}", program) for directory in search):
        return ""
    return f"there is no program {shown(program)} in {':'.join(search)}"


def _problem_of(tree: Tree, path: str, told: str) -> str:
    if tree.status(path, False) is None:
        return f"there is no file {plain(told, 255)}"
    found = tree.status(path)
    if found is None:
        target = tree.target(path)
        # A link of a tree may lead to what is mounted there one day.
        return "" if tree.root else f"{plain(told, 255)} is a link to {plain(target, 255)}, which is not there"
    if stat.S_ISDIR(found.st_mode):
        return f"{plain(told, 255)} is a directory"
    # Of a tree nobody knows as whom it will be run.
    if tree.root:
        executable = bool(found.st_mode & 0o111)
    else:
        executable = os.access(path, os.X_OK, effective_ids=os.access in os.supports_effective_ids)
    return "" if executable else f"{plain(told, 255)} is not executable"
