# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts of a service directory as commands and lines of shell."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell, Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import program_word
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.paths import (
    is_relative,
    names_relative,
    relative_file,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.redirections import is_silent, redirections_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.print import CannotPrint, Printer
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import parse, referenced
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant, lit, word_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.dialect import interpreter_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.scripts import names_own_file, shebang_of

if t.TYPE_CHECKING:
    from tree_sitter import Node


class Part(t.NamedTuple):
    """A statement of a script as text of shell.

    :param background: `&` ends it.
    :param own_lines: it has a here-document, so that nothing may stand beside it.
    """

    text: str
    background: bool = False
    own_lines: bool = False


def joined(parts: t.Iterable[Part]) -> str:
    """Statements one after another; the text of each stays as it is, whatever is quoted in it."""
    text = ""
    before: Part | None = None
    for part in parts:
        if part.own_lines:
            text += "\n"
        elif before is not None and not before.own_lines:
            text += " " if before.background else "; "
        text += part.text + (" &" if part.background else "") + ("\n" if part.own_lines else "")
        before = part
    return text


def one_line(definition: Definition, text: str, file: str) -> str | None:
    """A script as one line of shell, run in the service directory; None where it cannot be."""
    script = parse(text, file)
    if script.errors:
        return None
    scope = interpreter_of(definition, script)
    scope.shell.open_shell = True
    printer = Printer(scope, script.root)
    try:
        body = printer.block(script.root)
    except CannotPrint:
        return None
    flags = "set -e; " if any("e" in word for word in shebang_of(text)[1:] if re.match(r"-[a-zA-Z]+\Z", word)) else ""
    body = printer.prefix() + re.sub(
        r"(?:^|(?<=; ))exec (2>&1|1>&2|>/dev/null|>/dev/null 2>&1|2>/dev/null)(; |$)", "", body
    )
    if is_relative(body) or names_own_file(definition, [body]) or "supervise" in body:
        body = f"cd {word_text(lit(definition.path))} || exit 1; {body}"
    return flags + body.strip() if body.strip() else ":"


def simple_command(node: Node, background: bool, scope: Interpreter) -> Command | None:
    """A statement that is one command of constant words, for systemd; None where it is more than that."""
    if background:
        return None
    one = node
    if one.type == "redirected_statement":
        try:
            if not is_silent(redirections_of(scope, one)):
                return None
        except (NeedShell, Wrap):
            return None
        one = one.children[0]
    if one.type != "command" or any(child.type == "variable_assignment" for child in one.children):
        return None
    try:
        words = scope.evaluator.words(one.children)
    except (NeedShell, Wrap):
        return None
    if any(piece.kind not in ("lit", "spec") for word in words for piece in word):
        return None
    if words and constant(words[0]) == "exec":
        words = words[1:]
    name = constant(words[0]) if words else None
    if not name or not re.match(r"/?[A-Za-z0-9_./+-]+[A-Za-z0-9_.+-]\Z|[A-Za-z]\Z", name) or name.startswith("."):
        return None
    if name in (
        "cd",
        "export",
        "command",
        "type",
        "eval",
        "read",
        "[",
        "test",
        ".",
        "source",
        "trap",
        "wait",
        "kill",
        "sv",
        "umask",
        "ulimit",
        "shift",
    ):
        return None
    if referenced(node) & {"1", "2", "@", "*", "#"}:
        return None
    command = Command([program_word(scope, words[0]), *words[1:]], ignore=True)
    texts = [constant(word) or "" for word in words]
    if names_relative(command) or any(relative_file(text) or text in (".", "..") for text in texts):
        return None
    return command
