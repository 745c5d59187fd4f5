# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain commands and pipes: steps, and the main command."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.call import Call
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.assign import assignment
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.redirect import redirect
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.kept import (
    may_be_function,
    needs_shell,
    takes_time,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.outcome import calls_others
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import program_argv, program_word
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.lists import ONLY_BUILTIN
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.loggers import base_name, logger_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.paths import is_program
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.redirections import (
    Redirect,
    is_silent,
    redirections_among,
    redirections_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed, prefixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.table import WRAPPERS, peel
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


# Arguments of commands that only look at a configuration.
CHECKS = re.compile(r"(-t|-T|-tq|-tt|--?(config)?test.*|--?check.*|check|configtest|check-?config|checkconf)\Z")


def _ends_line(before: Node, node: Node) -> bool:
    """Whether a line ends between two parts of what the parser takes for one command."""
    parent = node.parent
    if parent is None:
        return False
    gap = (parent.text or b"")[before.end_byte - parent.start_byte : node.start_byte - parent.start_byte]
    return b"\n" in gap.replace(b"\\\n", b"")


def simple(it: Interpreter, node: Node, redirects: list[Redirect], last: bool, checked: bool = False) -> bool:
    """A plain command: an assignment, a builtin, a step, or the main command.

    :param redirects: those behind it.
    """
    variables: list[Node] = []
    rest: list[Node] = []
    for child in node.children:
        if child.type == "variable_assignment" and not rest:
            variables.append(child)
        elif child.type == "file_redirect":
            redirects = redirects + redirections_among(it, [child])
        elif child.type == "herestring_redirect":
            raise NeedShell("a here-string")
        elif child.type != "comment":
            rest.append(child)
    for one in redirects:
        rest += one.more
    if not rest:
        for child in variables:
            assignment(it, child)
        return False
    if variables and rest[0].start_point[0] > variables[-1].end_point[0] and _ends_line(variables[-1], rest[0]):
        # The parser takes `A=1 B=2` on a line of its own for a part of the next command.
        for child in variables:
            assignment(it, child)
        variables = []
    words = it.evaluator.words(rest)
    if not words:
        return False
    name = fixed(it, words[0])
    if name in it.shell.functions:
        raise NeedShell("a function of the script")
    base = (name or "").rsplit("/", 1)[-1]
    if base == "exec" and name == "exec":
        if len(words) == 1:
            redirect(it, redirects)
            return False
        prefixed(it, variables, words)
        main_command(it, words[1:] if not (constant(words[1]) or "").startswith("-") else words, redirects)
        return True
    handler = it.builtins.get(base) if name else None
    if handler is not None and not variables:
        return handler(it, Call(words, redirects, last, checked, node))
    if last:
        if may_be_function(it, name or ""):
            raise NeedShell("it may be a function of a sourced file")
        prefixed(it, variables, words)
        main_command(it, words, redirects)
        return True
    if variables:
        raise NeedShell("variables for one command")
    add_step(it, words, redirects, checked)
    return False


def add_step(it: Interpreter, words: list[Word], redirects: list[Redirect], checked: bool) -> None:
    """Have a command run before the main one.

    :raises NeedShell: systemd cannot run it as the script did.
    """
    if it.outcome.must_follow():
        raise NeedShell("it comes after what only a shell can do")
    if not is_silent(redirects):
        raise NeedShell("its output goes elsewhere")
    if calls_others({base_name(words)}) and needs_shell(it):
        raise NeedShell("it is to have variables that only the shell has")
    if constant(words[0]) in it.shell.functions:
        raise NeedShell("a function of the script")
    if any(piece.kind == "shell" for word in words for piece in word):
        raise NeedShell("it has words that only a shell expands")
    if it.shell.cwd_unknown or may_be_function(it, constant(words[0]) or ""):
        raise NeedShell("it depends on what the shell has read or where it is")
    program = program_word(it, words[0])
    if constant(program) is not None and not is_program(constant(program) or ""):
        raise NeedShell("not the name of a program")
    if constant(program) in ONLY_BUILTIN:
        raise NeedShell("a builtin of the shell")
    if constant(program) is None:
        raise NeedShell("its command is known only when the service starts")
    if redirects:
        it.note_once("shell.message", "redirection", "output of steps that was thrown away goes to the journal")
    name = (constant(program) or "").rsplit("/", 1)[-1]
    argv = program_argv(it, words)
    if it.shell.open_path and "/" not in (constant(program) or "/"):
        if name not in lists.EVERYWHERE:
            raise NeedShell("it is looked up along a PATH that only the shell has")
        argv = [lit(lists.path_of(name, it.definition.commands)), *words[1:]]
    if name == "snooze" and not it.outcome.steps and not it.outcome.prefix and it.outcome.leading_snooze is None:
        it.outcome.leading_snooze = words
        return
    if not any(CHECKS.match(constant(word) or "") for word in words[1:]):
        takes_time(it, {name}, any(re.match(r"-\w*R", constant(word) or "") for word in words[1:]))
    looks = name in lists.LOOKS or any(CHECKS.match(constant(word) or "") for word in words[1:])
    it.outcome.steps.append(
        Step.command(
            Command(argv, ignore=not (checked or it.shell.errexit)), it.line, acts=not looks, others=calls_others({name})
        )
    )


def main_command(it: Interpreter, words: list[Word], redirects: list[Redirect]) -> None:
    """Have a command be what the service runs, without the wrappers that have directives.

    :raises NeedShell: systemd cannot run it.
    """
    if it.outcome.prefix_execs and base_name(words) in WRAPPERS and base_name(words) != "exec":
        # What it sets is not for the other commands that the script may end with.
        raise NeedShell("one of several commands that the script may end with")
    redirect(it, redirects)
    argv = peel(it, words)
    if not argv:
        raise NeedShell("no command")
    name = fixed(it, argv[0]) if constant(argv[0]) is None else constant(argv[0])
    if name is not None and any(piece.split for piece in argv[0]) and re.search(r"\s", name):
        raise NeedShell("the command and its arguments are in one variable")
    if name is not None:
        argv = [lit(name), *argv[1:]]
    base = (name or "").rsplit("/", 1)[-1]
    if base in it.dialect.controls:
        texts = [constant(word) for word in argv[1:]]
        if None not in texts:
            it.dialect.control(it, base, [str(text) for text in texts])
            it.outcome.ended = True
            return
    program = constant(program_word(it, argv[0]))
    if (program is not None and not is_program(program)) or name in ONLY_BUILTIN:
        raise NeedShell("not the name of a program")
    it.outcome.main = argv


def pipeline(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """A pipe from the main command to what only logs."""
    if not last:
        raise NeedShell("a pipe")
    parts = [child for child in node.children if child.is_named]
    joined = any(text_of(child) == "|&" for child in node.children)
    loggers: list[list[Word]] = []
    for part in parts[1:]:
        one = part
        if one.type == "redirected_statement" and is_silent(redirections_of(it, one)):
            one = one.children[0]
        if one.type != "command" or any(child.type == "variable_assignment" for child in one.children):
            raise NeedShell("a pipe")
        words = it.evaluator.words(one.children)
        if words and constant(words[0]) == "exec":
            words = words[1:]
        found = logger_of(words)
        if found is None:
            raise NeedShell("a pipe")
        loggers.append(found)
    first = parts[0]
    if first.type == "command":
        simple(it, first, [], True)
    elif first.type == "redirected_statement" and first.children[0].type == "command":
        simple(it, first.children[0], redirections_of(it, first), True)
    else:
        raise NeedShell("a pipe")
    if it.outcome.main is None:
        raise NeedShell("a pipe")
    if joined and it.outcome.stderr == "separate":
        it.outcome.stderr = it.outcome.stdout
    chosen = next((words for words in reversed(loggers) if base_name(words) not in lists.FILTERS), loggers[-1])
    it.outcome.log_command = chosen
    return True


def plain(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """A command without redirections behind it."""
    return simple(it, node, [], last, checked)


def redirected(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """A statement with redirections behind it."""
    if any(child.type in ("heredoc_redirect", "herestring_redirect") for child in node.children):
        raise NeedShell("a here-document")
    body = node.children[0]
    if body.type == "command":
        return simple(it, body, redirections_of(it, node), last, checked)
    if body.type in ("list", "test_command", "negated_command", "pipeline") and is_silent(redirections_of(it, node)):
        return it.dispatch(body, last, checked)
    if not body.is_named or body.type == "file_redirect":
        redirect(it, redirections_of(it, node, 0))
        return False
    raise NeedShell("its output goes elsewhere")


def function(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """A function is remembered, for the text of what calls it."""
    if last:
        raise NeedShell("a function")
    name = text_of(node.children[1] if node.children[0].type == "function" else node.children[0])
    it.shell.functions[name] = node
    return False
