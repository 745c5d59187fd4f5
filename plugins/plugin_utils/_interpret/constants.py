# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command substitutions whose value is the same at every start."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute, find_program
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.accounts import user_id
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import statements, text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def substitute(it: Interpreter, node: Node) -> Word | None:
    """The value of `$(...)`; None where only a shell can tell."""
    inner = statements(node)
    if len(inner) != 1 or inner[0][1]:
        return None
    one = inner[0][0]
    if one.type == "list" and len(one.children) == 3:
        first, operator, second = one.children
        if text_of(operator) == "&&" and text_of(second).split()[:1] == ["pwd"]:
            words = plain_words(it, first)
            if words and words[0] == "cd":
                target = [word for word in words[1:] if not word.startswith("-")]
                return lit(absolute(it, target[0])) if target else None
        return None
    words = plain_words(it, one)
    if not words:
        return None
    name = words[0].rsplit("/", 1)[-1]
    arguments = [word for word in words[1:] if word != "--"]
    plain = [word for word in arguments if not word.startswith("-")]
    if name in ("command", "which", "type") and len(plain) == 1:
        found = plain[0] if plain[0].startswith("/") else find_program(it, plain[0])
        if "/" not in found and (it.scope.path_changed or it.shell.open_path):
            return None
        return lit(found)
    if name == "basename" and 1 <= len(plain) <= 2:
        base = plain[0].rstrip("/").rsplit("/", 1)[-1] or "/"
        if base in (".", "..", "run") and not plain[0].startswith("/"):
            base = absolute(it, plain[0]).rsplit("/", 1)[-1]
        if len(plain) == 2 and base.endswith(plain[1]) and base != plain[1]:
            base = base[: -len(plain[1])]
        return lit(base)
    if name == "dirname" and len(plain) == 1:
        head, slash, _tail = plain[0].rstrip("/").rpartition("/")
        return lit((head or "/") if slash else ".")
    if name == "pwd" and not plain:
        return lit(it.scope.cwd)
    if (
        name in ("readlink", "realpath")
        and len(plain) == 1
        and (name == "realpath" or arguments[0] in ("-f", "-e", "-m"))
    ):
        full = absolute(it, plain[0])
        return lit(full) if it.definition.relative(full) is not None else None
    if name == "hostname" and not plain and arguments in ([], ["-f"], ["-s"]):
        if arguments == ["-f"]:
            return None
        return [Piece("spec", "%l" if arguments else "%H")]
    if name == "uname" and arguments in (["-n"], ["-r"]):
        return [Piece("spec", "%H" if arguments == ["-n"] else "%v")]
    if name == "id" and arguments in (["-u"], ["-g"]):
        return lit("0")
    if name == "id" and len(arguments) == 2 and arguments[0] in ("-u", "-g"):
        ids = user_id(it, arguments[1])
        return lit(ids[0] if arguments[0] == "-u" else ids[1]) if ids else None
    if (
        name in ("echo", "printf")
        and len(plain) == len(arguments) == 1
        and "%" not in plain[0]
        and "\\" not in plain[0]
    ):
        return lit(plain[0])
    if name == "cat" and len(plain) == len(arguments) == 1:
        relative = it.definition.relative(absolute(it, plain[0]))
        text = it.definition.text(relative) if relative else None
        if text is not None:
            it.note("shell.fixed", "$(cat)", f"what {plain[0]} says was fixed at translation: '{text.strip()[:60]}'")
            return lit(text.rstrip("\n"))
    return None


def plain_words(it: Interpreter, node: Node) -> list[str] | None:
    """The constant words of a simple command whose redirections only silence it."""
    if node.type == "redirected_statement":
        for child in node.children[1:]:
            if child.type != "file_redirect" or not re.search(r"(/dev/null|&1)\s*$", text_of(child)):
                return None
        node = node.children[0]
    if node.type != "command":
        return None
    words = []
    if "\\ " in text_of(node):
        return None
    for child in node.children:
        if child.type in ("variable_assignment", "file_redirect", "herestring_redirect"):
            return None
        for word in it.evaluator.words([child]):
            text = constant(word)
            if text is None:
                return None
            words.append(text)
    return words
