# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions: what a test asks, and commands that decide whether the service runs."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import DECISION, INFO, WARNING
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    commands_in,
    line_of,
    statements,
    test_words,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit, word_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import conditions, programs
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.commands import Commands
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.steps import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    STATEFUL,
    UP,
    Exit,
    NeedShell,
    asks_files,
    flatten,
    inner_command,
    own_sv,
    test_text,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


class Guards(Commands):
    """Tests, and guards as Condition...=, ExecCondition= and ExecStartPre=."""

    def fact(self, operator: str, path: str) -> bool | None:
        """What is known of a file: only those of the service directory, and what every host has."""
        full = self.absolute(path)
        if full in ("/", "/etc", "/run", "/usr", "/var", "/dev/null", "/proc", "/sys", "/tmp"):
            return operator in ("-e", "-d", "-r", "-x", "-w")
        relative = self.definition.relative(full)
        if relative is None:
            return None
        if self.definition.has(relative) or relative == "":
            return True if operator in ("-e", "-f", "-r", "-d") else None
        return False if self.definition.live and relative.split("/")[0] not in ("supervise",) else None

    def test_of(self, node: Node) -> conditions.Test | None:
        """The test a node makes, where it is nothing but one."""
        if node.type == "redirected_statement":
            if not self._silent(self._try_redirects(node)):
                return None
            node = node.children[0]
        if node.type == "negated_command":
            inner = self.test_of(node.children[-1])
            return None if inner is None else ("not", inner)
        if node.type == "list":
            parts, operators = flatten(node)
            if len(set(operators)) != 1:
                return None
            found = [self.test_of(part) for part in parts]
            return None if None in found else ("and" if operators[0] == "&&" else "or", found)
        if node.type == "test_command":
            if node.children[0].type == "((":
                return None
            return self._test_of(list(test_words(node)), node.children[0].type == "[[")
        if node.type == "command" and text_of(node.children[0]) in ("test", "/usr/bin/test", "["):
            return self._test_of(node.children[1:], False)
        return None

    def _test_of(self, nodes: list[Node], double: bool) -> conditions.Test | None:
        words: list[Word] = []
        self.asked_unset = False
        for one in nodes:
            if not one.is_named:
                words.append(lit(text_of(one)))
                continue
            word = self.evaluator.value(one)
            text = constant(word)
            if (
                not double
                and text is not None
                and one.type in ("simple_expansion", "expansion", "command_substitution")
            ) and (not text or re.search(r"\s", text)):
                # Unquoted, it is no word or several: `[ -n $X ]` is true without X.
                return None
            words.append(word)
        # What runsv does not set somebody else may, as containers do: such a condition is not decided here.
        return None if self.asked_unset else conditions.read(words)

    def leaves(self, found: list[tuple[Node, bool]] | None) -> Exit | None:
        """What a branch does that only says something and ends the script."""
        if not found:
            return None
        down = messages = False
        for index, (node, background) in enumerate(found):
            if background:
                return None
            final = index == len(found) - 1
            if node.type in ("compound_statement", "subshell"):
                inner = self.leaves(statements(node))
                if inner is None or not final:
                    return None
                return Exit(inner.code, down or inner.down, messages or inner.messages)
            if node.type == "list":
                parts, operators = flatten(node)
                if set(operators) != {"&&"}:
                    return None
                inner = self.leaves([(part, False) for part in parts])
                if inner is None or not final:
                    return None
                return Exit(inner.code, down or inner.down, messages or inner.messages)
            one = inner_command(node)
            if one.type != "command":
                return None
            words = text_of(one).split()
            name = words[0].rsplit("/", 1)[-1]
            if name == "exec" and len(words) > 1 and words[1].rsplit("/", 1)[-1] == "sv":
                words = words[1:]
                name = "sv"
                if final and self._leaving_sv(words):
                    return Exit("0", True, messages)
                return None
            if name in ("exit", "return"):
                if not final:
                    return None
                code = words[1].strip(";") if len(words) > 1 else ""
                return Exit(code, down, messages)
            if name == "sv" and self._leaving_sv(words):
                down = True
            elif name == "sleep":
                self.note_once(INFO, "sleep", "the pause before another attempt is RestartSec= now")
            elif name in programs.MESSAGES and self._is_message(node):
                messages = True
            elif name in ("mv", "rm", "touch") and any(
                "/service/" in word or word.endswith("down") for word in words[1:]
            ):
                down = True
                self.note_once(
                    DECISION,
                    name,
                    f"'{' '.join(words)}' kept the service from being started with the host from then on; "
                    "the unit stays enabled, and asks its condition again",
                )
            else:
                return None
        return None

    def _leaving_sv(self, words: list[str]) -> bool:
        """`sv down X` where the script is about to end: X is the service itself, whatever its directory is called here."""
        if own_sv(words, self.definition):
            return True
        if len(words) == 3 and words[1] in ("down", "d", "stop", "exit"):
            self.note_once(
                WARNING, "sv down", f"'{' '.join(words)}' is taken for the service itself, as the script ends there"
            )
            return True
        return False

    def _messages(self, leave: Exit) -> None:
        if leave.messages:
            self.note_once(
                INFO, "message", "the message is not printed; systemd logs the condition or command that failed"
            )

    def guard(self, node: Node, negate: bool, leave: Exit) -> None:
        """The service runs only where a command succeeds (`negate`: fails)."""
        self.line = line_of(node)
        silent = node.type == "redirected_statement" and self._silent(self._try_redirects(node))
        if silent and node.children[0].type in ("test_command", "list", "negated_command", "pipeline"):
            node = node.children[0]
        if node.type == "negated_command":
            self.guard(node.children[-1], not negate, leave)
            return
        if node.type == "list":
            parts, operators = flatten(node)
            wanted = "||" if negate else "&&"
            if all(one == wanted for one in operators):
                for part in parts:
                    self.guard(part, negate, leave)
                return
        if self.must_follow() and not self._is_sv(node):
            raise NeedShell("it comes after what only a shell can do")
        test = self.test_of(node)
        if test is not None:
            self.guard_test(("not", test) if negate else test, node, leave)
            return
        one = inner_command(node)
        if one.type == "command":
            name = text_of(one.children[0]).rsplit("/", 1)[-1]
            if name == "sv":
                if negate:
                    raise NeedShell("sv")
                self.dispatch(one, False)
                return
            sourced = self.source_of(node)
            if sourced is not None and not negate:
                self.source(sourced, False, node)
                return
            if not negate and name in ("cd", "export", "umask", "ulimit", "mkdir", "install", "chown", "chmod", "set"):
                if self.dispatch(node, False, True):
                    raise NeedShell("a condition")
                return
            if name in ("command", "which", "type", "hash") and not negate:
                plain = self._plain_words(node) or []
                sought = [text for text in plain[1:] if not text.startswith("-")]
                path = programs.path_of(sought[0], self.definition.commands) if len(sought) == 1 else ""
                if path.startswith("/"):
                    self.service.conditions.append(("ConditionFileIsExecutable", path))
                    self._guard_note(node)
                    return
                if path:
                    self.service.exec_condition.append(Command(line=f"command -v {word_text(lit(path))} >/dev/null"))
                    self._guard_note(node)
                    return
        elif node.type == "variable_assignment" and not negate:
            self.assignment(node)
            return
        names = self.commands(node)
        if "sv" in names or names & STATEFUL or self.sets(node) & self.later(node):
            raise NeedShell("a condition")
        final = leave.down or leave.code in self.no_retry
        if one.type == "command" and not negate:
            try:
                redirects = self._try_redirects(node) if node.type == "redirected_statement" else []
                words = self.evaluator.words(child for child in one.children)
                handler = self.table.get(constant(words[0]) or "")
                if handler is None and not any(child.type == "variable_assignment" for child in one.children):
                    count = len(self.steps)
                    self.step(words, redirects, True)
                    if len(self.steps) == count:
                        return
                    if final:
                        step = self.steps.pop()
                        if step.run is not None:
                            self.service.exec_condition.append(step.run)
                        self._guard_note(node)
                    else:
                        self.note(
                            INFO,
                            "guard",
                            "runs before the command; where it fails, systemd tries again after RestartSec=, as runit did",
                        )
                    return
            except NeedShell:
                pass
        self.guard_shell(node, negate, final)

    def guard_shell(self, node: Node, negate: bool, final: bool) -> None:
        """A guard that only a shell can ask."""
        if self.cwd_unknown or any(self.may_be_function(name) for name in self.commands(node)):
            raise NeedShell("it depends on what the shell has read or where it is")
        printer, text = self.printed(node)
        names = self.commands(node)
        text = printer.prefix() + (
            f"! {text}" if negate and node.type != "list" else f"! {{ {text}; }}" if negate else text
        )
        if printer.shell_names:
            before = self.live_prefix(text)
            if not all(one.calls <= programs.HARMLESS for one in before):
                raise NeedShell("a condition")
            text = "; ".join([*(one.text for one in before), text])
        if final:
            self.service.exec_condition.append(Command(line=text))
            self._guard_note(node)
        else:
            self._takes_time(names)
            self.steps.append(Step.command(Command(line=text), self.line))
            self.note(
                INFO,
                "guard",
                "runs before the command; where it fails, systemd tries again after RestartSec=, as runit did",
            )

    def _guard_note(self, node: Node) -> None:
        self.note(
            INFO,
            "guard",
            "asked once at each start: where it does not hold, systemd skips the service instead of trying again",
        )

    def guard_test(self, test: conditions.Test, node: Node, leave: Exit) -> None:
        answer = conditions.decide(test, self.fact)
        if answer is True:
            self.note(INFO, "guard", "it always holds for this service; left out")
            return
        final = leave.down or leave.code in self.no_retry
        found = conditions.as_conditions(test, volatile=final)
        if found is not None:
            for pair in found:
                if pair not in self.service.conditions:
                    self.service.conditions.append(pair)
            self._guard_note(node)
            return
        text = test_text(test)
        if text is None:
            negate = test[0] == "not" and self.test_of(node) is not None and test[1] == self.test_of(node)
            if test != self.test_of(node) and not negate:
                raise NeedShell("a condition")
            self.guard_shell(node, negate, final)
            return
        self.note(
            INFO,
            "guard",
            "asked before each start"
            if final or not asks_files(test)
            else "asked before each start; where it does not hold, systemd tries again after RestartSec=, as runit did",
        )
        if final or not asks_files(test):
            self.service.exec_condition.append(Command(line=text))
        elif test[0] == "unary":
            self.steps.append(Step.command(Command([lit("/usr/bin/test"), lit(test[1]), test[2]]), self.line))
        else:
            self.steps.append(Step.command(Command(line=text), self.line))

    @staticmethod
    def _is_sv(node: Node) -> bool:
        node = inner_command(node)
        return node.type == "command" and (text_of(node).split(None, 1) or [""])[0].rsplit("/", 1)[-1] == "sv"

    def _asks_sv(self, node: Node) -> bool:
        """Whether a statement only has another service started or asked for."""
        if node.type == "list":
            parts, _operators = flatten(node)
            node = parts[0]
            if len(parts) > 2 or not (self.leaves([(parts[1], False)]) or text_of(parts[1]) in ("true", ":")):
                return False
        words = text_of(inner_command(node)).split()
        return self._is_sv(node) and any(word in UP for word in words[1:4])

    def _is_message(self, node: Node) -> bool:
        if node.type == "redirected_statement" and not self._silent(self._try_redirects(node)):
            return False
        return all(
            name in programs.MESSAGES and name not in self.functions for name in commands_in(node)
        ) and node.type in ("command", "redirected_statement", "list")

    def _has_effects(self, node: Node) -> bool:
        return not self.commands(node) <= programs.HARMLESS
