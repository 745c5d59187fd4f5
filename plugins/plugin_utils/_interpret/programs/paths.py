# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which words of commands are files, and whether in the working directory."""

from __future__ import annotations

import itertools
import re

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import normal
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant

# An argument that looks like a file in the working directory.
_RELATIVE_FILE = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_./-]*\.(conf|cnf|cfg|cdb|mjs|cjs|exs|txt|sqlite3?|sock|socket|pid|env|hcl|dat|sql|ini|ya?ml|json|toml|sh|py|pl|rb|"
    r"ru|jar|war|js|ts|pem|key|crt|db|xml|properties|lua|php|rules|list|log)\Z"
)

# Programs of which it is known that they are the same wherever they are run, apart from files they are given.
_ANYWHERE = (lists.QUICK | lists.OF_FILES | frozenset(lists.STANDARD) | {"systemctl", "timeout", "]"}) - frozenset(
    "eval source . read python3 perl bash su sudo login xargs env nice nohup".split()
)
# Operators of tests whose operand is no file.
_TESTS = frozenset(("test", "[", "[["))
_NO_FILES = frozenset(("-n", "-z", "-a", "-o", "-t"))


def relative_file(word: str) -> bool:
    """Whether an argument looks like a file in the working directory."""
    return _RELATIVE_FILE.match(word) is not None


# Quoted text that holds no command.
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\`$]|\\.|\$(?!\())*\"", re.S)
# `.` or `..` as a value, or as the last argument of a command.
_DOT = re.compile(r"(?:=|(?<=\w)\s)\.{1,2}(?=\s*(?:[;|&)`'\"]|\Z))")


# What a test asks of a file, and a file that is sourced.
_ASKED = re.compile(r"(?:\[|\btest)\s+(?:!\s+)?-[a-hkprsuwxLGOS]\s+[A-Za-z0-9_]|(?:^|[;&|{]\s*|\b(?:then|do|else)\s+)(?:\.|source)\s+[A-Za-z0-9_]")


def is_relative(text: str) -> bool:
    """Whether shell text names files by relative paths."""
    if _ASKED.search(text):
        return True
    if re.search(r"(^|[\s=:'\"])\.{1,2}/", text) or re.search(r"(?<![<>&$])[<>]\s*[A-Za-z0-9_.]", text):
        return True
    if any(relative_file(word) for word in re.split(r"[\s;|&<>()'\"=]+", text)):
        return True
    if _DOT.search(text):
        return True
    text = _QUOTED.sub("/", text)
    for part in re.split(r"[;|&(){}`\n]+|\b(?:then|do|else)\b", text):
        # What is quoted or expanded counts as a file elsewhere.
        words = ["/" if re.search(r"[$'\"]", word) else word for word in part.split() if not re.match(r"\d*[<>]", word)]
        if words and names_relative(Command.of(*words)):
            return True
    return False


def _is_bare(word: str | None) -> bool:
    """Whether the operand of a test is a file in the working directory."""
    return bool(word) and (word or "")[0] not in "/$%]-'\""


def names_relative(command: Command) -> bool:
    """Whether a command whose arguments are files has one that is relative."""
    words = [constant(word) for word in command.argv]
    if words and (words[0] or "").rsplit("/", 1)[-1] in _TESTS:
        return any(
            operator and re.match(r"-[a-zA-Z]\Z", operator) and operator not in _NO_FILES and _is_bare(word)
            for operator, word in itertools.pairwise(words[1:])
        )
    if not words or (words[0] or "").rsplit("/", 1)[-1] not in lists.OF_FILES:
        return False
    name = (words[0] or "").rsplit("/", 1)[-1]
    rest = [word for word in words[1:] if word and not word.startswith("-")]
    if name in ("chown", "chgrp", "chmod", "sed", "grep"):
        rest = rest[1:]
    elif name in ("head", "tail"):
        rest = [word for word in rest if not word.isdigit()]
    return any(not word.startswith("/") for word in rest)


def depends_on_directory(text: str) -> bool:
    """Whether shell text may mean something else in another directory: for all that its words and programs say.

    What is not known of a program counts as such: it may read and write files where it is.
    """
    if is_relative(text):
        return True
    parts = re.split(r"([;|&(){}`\n]+|\b(?:then|do|else|if|elif|while|until|exec|fi|done)\b)", text)
    for before, part in zip(["", *parts[1::2]], parts[::2]):
        words = [word for word in re.split(r"[\s<>\"']+", part) if word]
        while words and (words[0] in ("!", "+") or re.match(r"\w+=", words[0])):
            if re.match(r"\w+=[^/$%~][^=]*/", words[0]):
                return True
            words = words[1:]
        if not words:
            continue
        name = words[0].rsplit("/", 1)[-1]
        # What is behind a substitution is the rest of its word.
        calls = not before.endswith((")", "`"))
        if calls and name not in _ANYWHERE:
            return True
        if name in ("ls", "find", "pwd", "sh") and not any(one[0] == "/" for one in words[1:]):
            return True
        for operator, word in itertools.pairwise(words):
            value = word.rpartition("=")[2]
            if re.match(r"[^/$%~-][^=]*/|\.{1,2}\Z|[^/]*[*?]", value):
                return True
            asks = name in _TESTS and re.match(r"-[a-zA-Z]\Z", operator) and operator not in _NO_FILES
            if asks and (_is_bare(value) or (value[0] == "$" and not value.startswith("$HOME"))):
                return True
    return False


def is_program(text: str) -> bool:
    """Whether systemd takes this for the program of a command line."""
    if text.startswith("/"):
        return (
            not text.endswith("/")
            and normal(text) not in lists.DIRECTORIES
            and not re.search("[\"'\\\\\x00-\x1f\x7f]", text)
        )
    return re.match(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z", text) is not None
