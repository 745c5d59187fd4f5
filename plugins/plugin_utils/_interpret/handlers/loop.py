# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loops: unrolled where they are over constants, dependencies where they wait for another service."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.guard import is_control
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.nodes import inner_command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    commands_in,
    condition_of,
    statements,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant, lit

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def while_(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """A loop that waits for another service is a dependency."""
    tests = condition_of(node)
    word = text_of(node.children[0])
    if len(tests) == 1 and not last:
        condition = tests[0]
        negated = word == "until"
        inner = condition
        if inner.type == "redirected_statement":
            inner = inner.children[0]
        if inner.type == "negated_command":
            negated = not negated
            inner = inner.children[-1]
        if is_control(it, inner) and negated and not it.outcome.has_acted():
            it.dispatch(inner_command(inner, it.dialect.controls), False)
            return False
    raise NeedShell("a loop")


def for_(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """A loop over constants is unrolled, where its body is simple commands."""
    name = ""
    values: list[Node] = []
    body = None
    for child in node.children:
        if child.type == "variable_name":
            name = text_of(child)
        elif child.type == "do_group":
            body = child
        elif child.is_named and child.type != "comment" and name:
            values.append(child)
    if last or body is None or not name or node.children[0].type != "for":
        raise NeedShell("a loop")
    words = it.evaluator.words(values)
    texts = [constant(word) for word in words]
    found = statements(body)
    if (
        None in texts
        or not 0 < len(texts) <= 8
        or any(one.type not in ("command", "list", "if_statement") or bg for one, bg in found)
    ):
        raise NeedShell("a loop")
    if commands_in(node) & {"break", "continue"}:
        raise NeedShell("a loop")
    before = len(it.outcome.prefix)
    for text in texts:
        it.scope.vars[name] = lit(str(text))
        for one, _background in found:
            if it.dispatch(one, False):
                raise NeedShell("a loop")
    if len(it.outcome.prefix) != before:
        raise NeedShell("a loop")
    return False
