# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain commands: steps, the main command, and the pipe to a logger."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import INFO
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import programs, wrappers
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.settings import Settings
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.steps import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    CHECKS,
    ONLY_BUILTIN,
    NeedShell,
    Redirect,
    base_name,
    is_program,
    logger_of,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


def _ends_line(before: Node, node: Node) -> bool:
    """Whether a line ends between two parts of what the parser takes for one command."""
    parent = node.parent
    if parent is None:
        return False
    gap = (parent.text or b"")[before.end_byte - parent.start_byte : node.start_byte - parent.start_byte]
    return b"\n" in gap.replace(b"\\\n", b"")


class Commands(Settings):
    """Plain commands."""

    def simple(self, node: Node, redirects: list[Redirect], last: bool, checked: bool = False) -> bool:
        variables: list[Node] = []
        rest: list[Node] = []
        for child in node.children:
            if child.type == "variable_assignment" and not rest:
                variables.append(child)
            elif child.type == "file_redirect":
                redirects = redirects + self.redirects_of(child)
            elif child.type == "herestring_redirect":
                raise NeedShell("a here-string")
            elif child.type != "comment":
                rest.append(child)
        for one in redirects:
            rest += one.more
        if not rest:
            for child in variables:
                self.assignment(child)
            return False
        if variables and rest[0].start_point[0] > variables[-1].end_point[0] and _ends_line(variables[-1], rest[0]):
            # The parser takes `A=1 B=2` on a line of its own for a part of the next command.
            for child in variables:
                self.assignment(child)
            variables = []
        words = self.evaluator.words(rest)
        if not words:
            return False
        name = self.name_of(words[0])
        if name in self.functions:
            raise NeedShell("a function of the script")
        base = (name or "").rsplit("/", 1)[-1]
        if base == "exec" and name == "exec":
            if len(words) == 1:
                self.redirect(redirects)
                return False
            self.prefixed(variables, words)
            self.main_command(words[1:] if not (constant(words[1]) or "").startswith("-") else words, redirects)
            return True
        handler = self.table.get(base) if name else None
        if handler is not None and not variables:
            return bool(handler(self, words, redirects, last, checked, node))
        if last:
            if self.may_be_function(name or ""):
                raise NeedShell("it may be a function of a sourced file")
            self.prefixed(variables, words)
            self.main_command(words, redirects)
            if base not in ("exec",):
                self.note(
                    INFO,
                    "no exec",
                    "runit supervised the shell that waited for this command; systemd supervises the command",
                )
            return True
        if variables:
            raise NeedShell("variables for one command")
        self.step(words, redirects, checked)
        return False

    def step(self, words: list[Word], redirects: list[Redirect], checked: bool) -> None:
        if self.must_follow():
            raise NeedShell("it comes after what only a shell can do")
        if not self._silent(redirects):
            raise NeedShell("its output goes elsewhere")
        if constant(words[0]) in self.functions:
            raise NeedShell("a function of the script")
        if any(piece.kind == "shell" for word in words for piece in word):
            raise NeedShell("it has words that only a shell expands")
        if self.cwd_unknown or self.may_be_function(constant(words[0]) or ""):
            raise NeedShell("it depends on what the shell has read or where it is")
        program = self.program(words[0])
        if constant(program) is not None and not is_program(constant(program) or ""):
            raise NeedShell("not the name of a program")
        if constant(program) in ONLY_BUILTIN:
            raise NeedShell("a builtin of the shell")
        if constant(program) is None:
            raise NeedShell("its command is known only when the service starts")
        if redirects:
            self.note_once(INFO, "redirection", "output of steps that was thrown away goes to the journal")
        argv = [program, *words[1:]]
        name = (constant(program) or "").rsplit("/", 1)[-1]
        if self.path_changed and not (constant(program) or "").startswith("/"):
            argv = [lit("/usr/bin/env"), *argv]
        if name == "snooze" and not self.steps and not self.prefix and self.leading_snooze is None:
            self.leading_snooze = words
            return
        if not any(CHECKS.match(constant(word) or "") for word in words[1:]):
            self._takes_time({name}, any(re.match(r"-\w*R", constant(word) or "") for word in words[1:]))
        self.steps.append(Step.command(Command(argv, ignore=not (checked or self.errexit)), self.line))

    def main_command(self, words: list[Word], redirects: list[Redirect]) -> None:
        if self.prefix_execs and base_name(words) in wrappers.HANDLERS and base_name(words) != "exec":
            # What it sets is not for the other commands that the script may end with.
            raise NeedShell("one of several commands that the script may end with")
        self.redirect(redirects)
        argv = wrappers.peel(self, words)
        if not argv:
            raise NeedShell("no command")
        name = self.fixed(argv[0]) if constant(argv[0]) is None else constant(argv[0])
        if name is not None and any(piece.split for piece in argv[0]) and re.search(r"\s", name):
            raise NeedShell("the command and its arguments are in one variable")
        if name is not None:
            argv = [lit(name), *argv[1:]]
        base = (name or "").rsplit("/", 1)[-1]
        if base == "sv":
            texts = [constant(word) for word in argv[1:]]
            if None not in texts:
                self.sv([str(text) for text in texts], True)
                self.ended = True
                return
        program = constant(self.program(argv[0]))
        if (program is not None and not is_program(program)) or name in ONLY_BUILTIN:
            raise NeedShell("not the name of a program")
        self.main = argv

    def logged(self, words: list[Word]) -> None:
        self.log_command = words

    def pipeline(self, node: Node) -> bool:
        parts = [child for child in node.children if child.is_named]
        joined = any(text_of(child) == "|&" for child in node.children)
        loggers: list[list[Word]] = []
        for part in parts[1:]:
            one = part
            if one.type == "redirected_statement" and self._silent(self.redirects(one)):
                one = one.children[0]
            if one.type != "command" or any(child.type == "variable_assignment" for child in one.children):
                raise NeedShell("a pipe")
            words = self.evaluator.words(one.children)
            if words and constant(words[0]) == "exec":
                words = words[1:]
            found = logger_of(words)
            if found is None:
                raise NeedShell("a pipe")
            loggers.append(found)
        first = parts[0]
        if first.type == "command":
            self.simple(first, [], True)
        elif first.type == "redirected_statement" and first.children[0].type == "command":
            self.simple(first.children[0], self.redirects(first), True)
        else:
            raise NeedShell("a pipe")
        if self.main is None:
            raise NeedShell("a pipe")
        if joined and self.stderr == "separate":
            self.stderr = self.stdout
        chosen = next((words for words in reversed(loggers) if base_name(words) not in programs.FILTERS), loggers[-1])
        self.logged(chosen)
        self.note(
            INFO, "|", f"the pipe to {base_name(chosen)} is not needed: what the service prints goes to the journal"
        )
        return True
