# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small questions about words and commands of a script, and what the interpreter raises where directives do not do."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition, normal
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, unit_name
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit, word_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import conditions, programs

if t.TYPE_CHECKING:
    from tree_sitter import Node


DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Builtins that change the shell itself, so that what follows depends on them.
STATEFUL = frozenset(
    "cd exec export set shift trap umask ulimit . source eval read alias unset readonly declare typeset local getopts wait pushd".split()
)
FILE_COMMANDS = frozenset(("mkdir", "install", "chown", "chmod", "chgrp"))
# Commands that only a shell has.
ONLY_BUILTIN = frozenset(
    "command type local ulimit umask times jobs fg bg let declare typeset builtin enable disown bind caller".split()
)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
UP = frozenset(("check", "c", "start", "s", "up", "u", "status", "once", "o", "cont"))
_SIGNALS = ("t", "term", "k", "kill")
# How scripts call the service that they are of.
_OWN_NAMES = ("$PWD", "${PWD##*/}", "$NAME", "$SERVICE", "`pwd`", "$(pwd)")
DOWN = frozenset(
    ("down", "d", "stop", "force-stop", "exit", "x", "e", "shutdown", "force-shutdown", "t", "term", "kill", "k")
)
# Names of variables that are as often empty as not.
OPTIONAL = re.compile(r"OPT|ARG|FLAG|PARAM|EXTRA|DEBUG|VERBOSE|LOG", re.IGNORECASE)
# Files by whose names nobody would look for functions in them.
SETTINGS = re.compile(r"env|/default/|/sysconfig/|/conf\.d/|/etc/profile|locale|/activate|\.conf\b")
# Arguments of commands that only look at a configuration.
CHECKS = re.compile(r"(-t|-T|-tq|-tt|--?(config)?test.*|--?check.*|check|configtest|check-?config|checkconf)\Z")


class NeedShell(Exception):
    """A statement that only a shell can do; the text says why."""


class Wrap(Exception):
    """The script as a whole has to go on being run; the text says why."""

    def __init__(self, construct: str, message: str, line: int) -> None:
        super().__init__(message)
        self.construct = construct
        self.message = message
        self.line = line


class Redirect(t.NamedTuple):
    """One redirection: descriptor (-1: the operator's own), operator, target."""

    fd: int
    operator: str
    target: Word
    more: list[t.Any]


class Before(t.NamedTuple):
    """Shell text that stays in front of the main command: what it sets (None: it does more than that), uses and calls."""

    text: str
    sets: set[str] | None
    uses: set[str]
    calls: set[str]


class Exit(t.NamedTuple):
    """A branch that ends the script: its exit code, whether it takes the service down, whether it has messages."""

    code: str
    down: bool
    messages: bool


# An argument that looks like a file in the working directory.
_RELATIVE_FILE = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_./-]*\.(conf|cnf|cfg|cdb|mjs|cjs|exs|txt|sqlite3?|sock|socket|pid|env|hcl|dat|sql|ini|ya?ml|json|toml|sh|py|pl|rb|"
    r"ru|jar|war|js|ts|pem|key|crt|db|xml|properties|lua|php|rules|list|log)\Z"
)


def is_utf8(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def is_logger(words: list[Word]) -> bool:
    return logger_of(words) is not None


def base_name(words: list[Word]) -> str:
    return (constant(words[0]) or "").rsplit("/", 1)[-1]


def logger_of(words: list[Word]) -> list[Word] | None:
    """The logging command in these words, behind wrappers; None where it does more than log."""
    rest = list(words)
    if rest and base_name(rest) in ("chpst", "setuidgid", "s6-setuidgid", "exec"):
        for index in range(1, len(rest)):
            if (constant(rest[index]) or "").rsplit("/", 1)[-1] in programs.LOGGERS:
                rest = rest[index:]
                break
    if not rest or base_name(rest) not in programs.LOGGERS:
        return None
    if any(piece.kind == "shell" for word in rest for piece in word):
        return None
    if base_name(rest) == "cat" and len(rest) > 1:
        return None
    return rest


def inner_command(node: Node) -> Node:
    """The command in redirections; of `sv status X | grep run`, sv."""
    if node.type == "redirected_statement":
        node = node.children[0]
    if node.type == "pipeline":
        parts = [child for child in node.children if child.is_named]
        names = [(text_of(part).split() or [""])[0].rsplit("/", 1)[-1] for part in parts]
        if names[:1] == ["sv"] and set(names[1:]) <= {"grep", "egrep"}:
            return inner_command(parts[0])
    return node


def command_name(node: Node) -> str:
    """The name a plain command is called by."""
    if node.type != "command" or not node.children:
        return ""
    return text_of(node.children[0]).rsplit("/", 1)[-1]


def flatten(node: Node) -> tuple[list[Node], list[str]]:
    """The commands and operators of an and-or list, in order."""
    if node.type != "list":
        return [node], []
    named = [child for child in node.children if child.is_named and child.type != "comment"]
    operators = [text_of(child) for child in node.children if not child.is_named and child.type in ("&&", "||")]
    if len(named) != 2 or len(operators) != 1:
        raise NeedShell("a list")
    left, between = flatten(named[0])
    right, after = flatten(named[1])
    return left + right, between + operators + after


def construct_of(node: Node) -> str:
    if node.type == "command":
        return text_of(node.children[0])
    return {
        "list": "&&",
        "if_statement": "if",
        "while_statement": "while",
        "for_statement": "for",
        "case_statement": "case",
    }.get(node.type, node.type.replace("_", " "))


def failing_exits(text: str) -> str:
    """A step that ends with success lets the service start; where the script ended, it must not."""
    return re.sub(r"(?<![\w$-])exit(?:\s+0)?(?=\s*(?:;|\}|\)|$|&|\|))", "exit 1", text)


def asks_files(test: conditions.Test) -> bool:
    return bool(conditions.paths(test))


def test_text(test: conditions.Test) -> str | None:
    kind = test[0]
    if kind in ("and", "or"):
        parts = [test_text(part) for part in test[1]]
        if None in parts:
            return None
        return "{ " + (" && " if kind == "and" else " || ").join(str(part) for part in parts) + "; }"
    if kind == "not":
        inner = test_text(test[1])
        return None if inner is None else f"! {inner}"
    words = [lit(test[1]), test[2]] if kind == "unary" else [test[1], lit(test[2]), test[3]]
    out = []
    for word in words:
        if any(piece.kind == "shell" for piece in word):
            return None
        out.append(word_text([piece._replace(split=False) for piece in word]))
    return f"[ {' '.join(out)} ]"


def unit_of(name: str) -> str:
    """The unit that a service of the old supervisor becomes."""
    return unit_name(name) + ".service"


def relative_file(word: str) -> bool:
    """Whether an argument looks like a file in the working directory."""
    return _RELATIVE_FILE.match(word) is not None


# Quoted text that holds no command.
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\`$]|\\.|\$(?!\())*\"", re.S)
# `.` or `..` as a value, or as the last argument of a command.
_DOT = re.compile(r"(?:=|(?<=\w)\s)\.{1,2}(?=\s*(?:[;|&)`'\"]|\Z))")


def is_relative(text: str) -> bool:
    """Whether shell text names files by relative paths."""
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


def names_relative(command: Command) -> bool:
    """Whether a command whose arguments are files has one that is relative."""
    words = [constant(word) for word in command.argv]
    if not words or (words[0] or "").rsplit("/", 1)[-1] not in programs.OF_FILES:
        return False
    rest = [word for word in words[1:] if word and not word.startswith("-")]
    name = (words[0] or "").rsplit("/", 1)[-1]
    if name in ("chown", "chgrp", "chmod", "sed", "grep"):
        rest = rest[1:]
    elif name in ("head", "tail"):
        rest = [word for word in rest if not word.isdigit()]
    return any(not word.startswith("/") for word in rest)


def is_program(text: str) -> bool:
    """Whether systemd takes this for the program of a command line."""
    if text.startswith("/"):
        return (
            not text.endswith("/")
            and normal(text) not in programs.DIRECTORIES
            and not re.search("[\"'\\\\\x00-\x1f\x7f]", text)
        )
    return re.match(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z", text) is not None


def own_sv(words: t.Sequence[str], definition: Definition, for_good: bool = False) -> bool:
    """Whether a command `sv` takes the service down that the script is of.

    :param for_good: leave out the signals that runsv answers with another start (sv(8)).
    :param words: of the command, with or without their quotes.
    :param definition: what the collector found of the service.
    """
    arguments = [word.strip("\"'") for word in words[1:]]
    while arguments and arguments[0].startswith("-"):
        arguments = arguments[2:] if arguments[0] == "-w" else arguments[1:]
    if len(arguments) < 2 or arguments[0] not in DOWN | {"once", "o"} or (for_good and arguments[0] in _SIGNALS):
        return False
    name = arguments[1].rstrip("/")
    return (
        name in (".", definition.name, definition.path, *_OWN_NAMES)
        or name.rsplit("/", 1)[-1] == definition.name
        or name.startswith(("$(dirname", "$(basename", "${0%"))
    )
