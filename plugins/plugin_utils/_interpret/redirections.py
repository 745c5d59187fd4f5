# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redirections as they are written."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


class Redirect(t.NamedTuple):
    """One redirection: descriptor (-1: the operator's own), operator, target."""

    fd: int
    operator: str
    target: Word
    more: list[t.Any]


def redirections_of(it: Interpreter, node: Node, start: int = 1) -> list[Redirect]:
    """The redirections of a redirected statement, of which `start` is the first child that may be one.

    :raises NeedShell: only a shell can tell what they are.
    """
    return redirections_among(it, node.children[start:])


def redirections_among(it: Interpreter, nodes: t.Iterable[Node]) -> list[Redirect]:
    """The redirections among nodes."""
    found = []
    for child in nodes:
        if child.type != "file_redirect":
            if child.type in ("heredoc_redirect", "herestring_redirect"):
                raise NeedShell("a here-document")
            continue
        fd = -1
        operator = ""
        targets = []
        for part in child.children:
            if part.type == "file_descriptor":
                text = text_of(part)
                if not text.isdigit():
                    raise NeedShell("a redirection")
                fd = int(text)
            elif not part.is_named and not operator:
                operator = text_of(part)
            else:
                targets.append(part)
        if not operator:
            raise NeedShell("a redirection")
        target = it.evaluator.value(targets[0]) if targets else lit("")
        if targets and targets[0].type == "process_substitution":
            target = [Piece("shell", text_of(targets[0]))]
        found.append(Redirect(fd, operator, target, list(targets[1:])))
    return found


def is_silent(found: list[Redirect]) -> bool:
    """Whether redirections only throw output away or join it."""
    for one in found:
        target = constant(one.target)
        if (
            one.more
            or one.operator not in (">", ">>", "&>", "&>>", ">&", "<", ">|")
            or target not in ("/dev/null", "1", "2", "-")
        ):
            return False
    return True


def try_redirects(it: Interpreter, node: Node) -> list[Redirect]:
    """The same, with one that is not silent for what only a shell can tell."""
    try:
        return redirections_of(it, node)
    except NeedShell:
        return [Redirect(9, "?", [], [])]
