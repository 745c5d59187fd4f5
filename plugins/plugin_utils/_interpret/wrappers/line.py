# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that is an argument of another, as of `su -c`."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.redirections import Redirect, redirections_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import parse, referenced, statements, walk
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def parse_command(it: Interpreter, text: str) -> list[Word] | None:
    """The words of a text that is one command of constant words; None where it is more than that."""
    script = parse(text, it.text.file)
    found = statements(script.root)
    if script.errors or len(found) != 1 or found[0][1]:
        return None
    node = found[0][0]
    redirects: list[Redirect] = []
    if node.type == "redirected_statement":
        redirects = redirections_of(it, node)
        node = node.children[0]
        if any(one.operator == ">&" and constant(one.target) == "1" for one in redirects) and len(redirects) == 1:
            redirects = []
    if node.type != "command" or redirects or referenced(node):
        return None
    if any(one.type in ("variable_assignment", "command_substitution") for one in walk(node)):
        return None
    words = it.evaluator.words(child for child in node.children)
    if any(piece.kind != "lit" for word in words for piece in word):
        return None
    if words and constant(words[0]) in (*lists.MESSAGES, ".", "source", "cd", "eval"):
        return None
    return words
