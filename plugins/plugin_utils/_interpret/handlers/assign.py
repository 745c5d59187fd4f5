# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assignments, exports and unset."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell, Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import assign, export, get, unset
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import line_of, text_of

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def assignment(it: Interpreter, node: Node) -> None:
    """One `A=b`.

    :raises NeedShell: its value is known only when the service starts.
    :raises Wrap: it changes how the shell splits words.
    """
    children = node.children
    if not children or children[0].type != "variable_name":
        raise NeedShell("an array")
    name = text_of(children[0])
    operator = text_of(children[1]) if len(children) > 1 else "="
    if len(children) > 2 and children[2].type == "array":
        raise NeedShell("an array")
    value = it.evaluator.value(children[2] if len(children) > 2 else None)
    if operator == "+=":
        value = list(get(it, name) or []) + value
    if name == "IFS":
        raise Wrap("script.words", "IFS", "the script changes how the shell splits words; the original script is run", line_of(node))
    if any(piece.kind == "shell" for piece in value):
        raise NeedShell("it is known only when the service starts")
    assign(it, name, value)


def declaration(it: Interpreter, node: Node) -> None:
    """export and its kin.

    :raises NeedShell: it does more than assign and export.
    """
    word = text_of(node.children[0])
    exports = word == "export"
    for child in node.children[1:]:
        if child.type == "word" and text_of(child).startswith("-"):
            if "x" in text_of(child):
                exports = True
            elif text_of(child) in ("-n", "-a", "-A", "-f"):
                raise NeedShell(f"{word} {text_of(child)}")
        elif child.type == "variable_assignment":
            assignment(it, child)
            if exports:
                export(it, text_of(child.children[0]))
        elif child.type == "variable_name":
            if exports:
                export(it, text_of(child))
        elif child.is_named:
            raise NeedShell(word)


def plain(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """`A=b`, or several of them."""
    for one in [node] if node.type == "variable_assignment" else node.children:
        assignment(it, one)
    return False


def declared(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """export, readonly and their kin."""
    declaration(it, node)
    return False


def unsets(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """unset."""
    for child in node.children:
        if child.type == "variable_name":
            unset(it, text_of(child))
    return False
