# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small questions about the commands of a script."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import text_of

if t.TYPE_CHECKING:
    from tree_sitter import Node


def inner_command(node: Node, controls: t.Collection[str]) -> Node:
    """The command in redirections; where its answer is looked through, as by `sv status X | grep run`, only for `controls`."""
    if node.type == "redirected_statement":
        node = node.children[0]
    if node.type == "pipeline":
        parts = [child for child in node.children if child.is_named]
        names = [(text_of(part).split() or [""])[0].rsplit("/", 1)[-1] for part in parts]
        if names and names[0] in controls and set(names[1:]) <= {"grep", "egrep"}:
            return inner_command(parts[0], controls)
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
    """What findings call a statement."""
    if node.type == "command":
        return text_of(node.children[0])
    return {
        "list": "&&",
        "if_statement": "if",
        "while_statement": "while",
        "for_statement": "for",
        "case_statement": "case",
    }.get(node.type, node.type.replace("_", " "))
