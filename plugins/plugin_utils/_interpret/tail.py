# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a script ends: which statement is the service, where it is not the last one or goes on in the background."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.guard import is_message
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.kept import (
    called,
    called_names,
    controls_in,
    said,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.table import WRAPPERS
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Refused
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import line_of, referenced, text_of, walk

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter

#: The statement is the service, and what follows counts for nothing.
ALONE = "alone"
#: The same, and it is not to go on in the background.
FOREGROUND = "foreground"
#: From the statement on, all of it is one text of shell.
TEXT = "text"

_NOTHING = lists.MESSAGES | frozenset("exit return disown".split())
_LOOPS = frozenset(("while_statement", "c_style_for_statement"))
# Of these the first part is done first.
_BEGIN_WITH_ANOTHER = frozenset(
    "list pipeline if_statement while_statement negated_command compound_statement subshell redirected_statement case_statement".split()
)
# Programs of every host that may be the service all the same, as they run another or wait.
_RUNNERS = frozenset("python3 perl sh bash su login".split())


def manner(it: Interpreter, node: Node, background: bool, rest: list[tuple[Node, bool]]) -> str:
    """What becomes of a statement of the script's end, and of the rest behind it; empty where nothing special does.

    :raises Refused: the script ends while what it has started goes on in the background, and there is no telling what the service is.
    """
    if background or _sends(it, node):
        return _in_background(it, node, background, rest)
    if not rest or not _is_service(it, node) or not all(_is_quick(it, one) and not bg for one, bg in rest):
        return ""
    names = set().union(*(called_names(it, one) for one, _bg in rest))
    if "exec" in called_names(it, node):
        # What follows is for where that is not reached.
        return ""
    if any(said(it, call) is None for one, _bg in rest for call in controls_in(it, one)):
        # It takes itself down: no daemon.
        return ""
    asks = asks_status(it, [(node, False), *rest], 0)
    nothing = all(_says_nothing(it, one) for one, _bg in rest if not _is_sleep(one))
    if names <= _NOTHING and nothing and not asks:
        return ALONE if node.type in ("command", "redirected_statement", "pipeline") else TEXT
    # A pause before the next attempt is the time of a timer.
    return "" if names <= _NOTHING | {"sleep"} and "sleep" in names and nothing and not asks else TEXT


def asks_status(it: Interpreter, found: list[tuple[Node, bool]], index: int) -> bool:
    """Whether the statement behind one asks how that has ended."""
    if index + 1 >= len(found):
        return False
    node = found[index + 1][0]
    if node.type == "function_definition" or is_message(it, node):
        return False
    return "?" in referenced(_first_command(node))


def _first_command(node: Node) -> Node:
    """What of a statement is done first, and so finds the status of the one before it."""
    while True:
        inner = [child for child in node.children if child.is_named and child.type != "comment"]
        if node.type not in _BEGIN_WITH_ANOTHER or not inner:
            return node
        node = inner[0]


def _is_sleep(node: Node) -> bool:
    """Whether a statement is a pause, and no more."""
    return node.type == "command" and text_of(node.children[0]) == "sleep"


def _in_background(it: Interpreter, node: Node, background: bool, rest: list[tuple[Node, bool]]) -> str:
    """The script puts what it starts into the background: its service, where it then ends."""
    if node.type in _LOOPS or "wait" in called_names(it, node) or not all(_is_quick(it, one) for one, _bg in rest):
        return ""
    if not _is_service(it, node):
        return ""
    it.line = line_of(node)
    several = any(bg or _sends(it, one) for one, bg in rest)
    if (
        several
        or any(
            not called_names(it, one) <= _NOTHING or "!" in referenced(one) or not _says_nothing(it, one)
            for one, _bg in rest
        )
        or not _may_stay(it, node)
    ):
        raise _refused(it)
    it.note_once(
        "script.background",
        "&",
        "the script put the service into the background and ended, so that runit started another one every second and "
        "could not stop any; the unit runs it in the foreground: check that it is meant to run once",
    )
    return FOREGROUND


def refuse_background(it: Interpreter, found: list[tuple[Node, bool]]) -> None:
    """A script that has to be run as it is must not end while its service goes on.

    :raises Refused: it does.
    """
    known = len(it.findings)
    for index, (node, background) in enumerate(found):
        if node.type == "function_definition":
            it.dispatch(node, False)
        elif manner(it, node, background, found[index + 1 :]) == FOREGROUND:
            del it.findings[known:]
            raise _refused(it)


def _refused(it: Interpreter) -> Refused:
    return Refused(
        "refused.background",
        "&",
        "the script ends while what it has put into the background goes on; systemd would stop that with the script: "
        "rewrite it so that it runs the service in the foreground, with exec",
        it.line,
    )


def _sends(it: Interpreter, node: Node) -> bool:
    """Whether a statement puts something into the background, itself or by the functions it calls."""
    if node.type == "function_definition":
        return False
    return any(one.type == "&" for body in (node, *called(it, node)) for one in walk(body))


def _may_stay(it: Interpreter, node: Node) -> bool:
    """Whether what goes on in the background is each time the last of its branch, so that it may as well be waited for."""
    for body in (node, *called(it, node)):
        for one in walk(body):
            if one.type in ("for_statement", "while_statement") and any(part.type == "&" for part in walk(one)):
                return False
            if one.type != "&":
                continue
            after = one.next_named_sibling
            while after is not None and after.type == "comment":
                after = after.next_named_sibling
            if after is not None and after.type not in ("else_clause", "elif_clause"):
                return False
            above = one.parent
            while above is not None and above.id != body.id:
                branches = ("if_statement", "case_statement")
                if (
                    above.type not in ("else_clause", "elif_clause", "case_item")
                    and above.next_named_sibling is not None
                    and above.parent is not None
                    and above.parent.type not in branches
                ):
                    return False
                above = above.parent
    return True


def _is_service(it: Interpreter, node: Node) -> bool:
    """Whether a statement runs a program that may be a daemon, for all that its name says."""
    if node.type == "function_definition":
        return False
    words = text_of(node).split()
    if node.type == "command" and words[:1] == ["exec"] and node.next_sibling is not None:
        following = node.next_sibling
        if following.type != "&":
            return False
    return any(
        name not in lists.QUICK
        and name not in it.dialect.controls
        and name not in _NOTHING
        and (name not in lists.STANDARD or name in WRAPPERS or name in _RUNNERS)
        for name in called_names(it, node)
    )


def _is_quick(it: Interpreter, node: Node) -> bool:
    """Whether a statement ends soon, whatever it finds."""
    if any(one.type in _LOOPS for body in (node, *called(it, node)) for one in walk(body)):
        return False
    if re.search(r"\bsleep\s+(inf|\d{5})|\bexec\s+[^<>0-9&\s]", text_of(node)):
        return False
    return called_names(it, node) <= lists.QUICK | _NOTHING | {"sleep"} | it.dialect.controls


def _says_nothing(it: Interpreter, node: Node) -> bool:
    """Whether a statement at the end of a script comes to nothing: a message, or the end."""
    return is_message(it, node) or (
        node.type in ("command", "redirected_statement") and not called_names(it, node) & lists.MESSAGES
    )
