# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Branches and loops: decided where they are constant, as directories, settings and dependencies where they are that."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import DECISION, INFO
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    arms,
    branch,
    commands_in,
    condition_of,
    statements,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant, lit
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import conditions
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.guards import Guards
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    FILE_COMMANDS,
    Exit,
    NeedShell,
    command_name,
    flatten,
    inner_command,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


class Branches(Guards):
    """`&&` and `||`, if, case and loops."""

    def and_or(self, node: Node, last: bool) -> bool:
        parts, operators = flatten(node)
        if len(parts) < 2:
            raise NeedShell("a condition")
        # A || exit, A && B || exit
        leave = self.leaves([(parts[-1], False)])
        if leave is not None and len(parts) >= 2:
            self._messages(leave)
            if operators[-1] == "||" and all(one == "&&" for one in operators[:-1]):
                for part in parts[:-1]:
                    self.guard(part, False, leave)
                return False
            if operators[-1] == "&&" and len(parts) == 2:
                self.guard(parts[0], True, leave)
                return False
            if operators[-1] == "&&" and all(one == "||" for one in operators[:-1]):
                for part in parts[:-1]:
                    self.guard(part, True, leave)
                return False
            if operators[-1] == "&&" and all(one == "&&" for one in operators):
                first = self.test_of(parts[0])
                inner = [self.test_of(part) for part in parts[:-1]]
                if first is not None and None not in inner:
                    self.guard_test(("not", ("and", inner)), node, leave)
                    return False
        if leave is not None:
            raise NeedShell("a condition")
        if len(parts) == 2 and operators[0] == "||" and text_of(parts[1]) in ("true", ":", "/bin/true"):
            if self._is_sv(parts[0]):
                self.dispatch(parts[0], False)
                return False
            if parts[0].type in ("command", "redirected_statement"):
                errexit, self.errexit = self.errexit, False
                try:
                    return self.dispatch(parts[0], last)
                finally:
                    self.errexit = errexit
            raise NeedShell("a condition")
        if (
            not last
            and all(one == "&&" for one in operators)
            and all(command_name(part) in FILE_COMMANDS for part in parts)
        ):
            for part in parts:
                self.dispatch(part, False)
            return False
        if len(parts) == 2:
            then = [(parts[1], False)]
            if parts[1].type == "compound_statement" and parts[1].children[0].type == "{":
                then = statements(parts[1])
            return self.choice(parts[0], operators[0] == "||", then, None, last, node)
        if last and all(one == "&&" for one in operators):
            return self.chain(parts)
        if all(one == "&&" for one in operators):
            tests = [self.test_of(part) for part in parts[:-1]]
            for count, one in enumerate(tests):
                if one is None:
                    settings = self.sourced_alone([(part, False) for part in parts[count:]]) if count else None
                    break
            else:
                settings = self.sourced_alone([(parts[-1], False)])
            if settings is not None:
                self.read_settings(settings, True, parts[-1])
                return False
            answers = [conditions.decide(test, self.fact) if test else None for test in tests]
            if answers and all(answers):
                return self.dispatch(parts[-1], last)
            # test && mkdir && chown
            behind = [(part, False) for part in parts[1:]]
            if tests[0] is not None and not any(tests[1:]) and self.directory_choice(tests[0], False, behind):
                return False
        if operators[0] == "||" and all(one == "&&" for one in operators[1:]):
            test = self.test_of(parts[0])
            if test is not None and self.directory_choice(test, True, [(part, False) for part in parts[1:]]):
                return False
        raise NeedShell("a condition")

    def chain(self, parts: list[Node]) -> bool:
        """`a && b && exec c` at the end: a failure ends the script."""
        for part in parts[:-1]:
            if self.test_of(part) is not None:
                self.guard(part, False, Exit("1", False, False))
            elif part.type in ("list",):
                raise NeedShell("a condition")
            elif self.dispatch(part, False, True):
                return True
        return self.dispatch(parts[-1], True)

    def choice(
        self,
        condition: Node,
        negate: bool,
        then: list[tuple[Node, bool]],
        other: list[tuple[Node, bool]] | None,
        last: bool,
        node: Node,
    ) -> bool:
        """One condition, one or two branches."""
        test = self.test_of(condition)
        # settings
        if other is None:
            settings = self.sourced_alone(then)
            if settings is not None and not negate and test is not None:
                answer = conditions.decide(test, self.fact)
                if answer is not False or any(path for _operator, path in conditions.paths(test)):
                    self.read_settings(settings, True, then[-1][0])
                else:
                    self.note(INFO, "condition", "it is false at translation; left out")
                return False
        if test is not None:
            answer = conditions.decide(test, self.fact)
            if answer is not None:
                if answer == negate:
                    self.note(INFO, "condition", "it is false for this service; its branch was left out")
                    return self.block(other, last) if other else False
                if other:
                    self.note(INFO, "condition", "it is true for this service; the other branch was left out")
                return self.block(then, last)
            if other is None and self.directory_choice(test, negate, then):
                return False
        if other is None and test is not None and then and all(self._asks_sv(one) for one, _background in then):
            self._asked_for(("not", test) if negate else test, condition, then)
            return False
        if self._is_sv(condition) and not negate:
            if other is None and all(self._is_message(one) for one, _background in then):
                self.dispatch(condition, False)
                return False
            leaves = self.leaves(other) if other else None
            if leaves is not None:
                self.dispatch(inner_command(condition), False)
                return self.block(then, last)
        if (
            self._is_sv(condition)
            and negate
            and other is None
            and all(self._is_message(one) or self._is_sv(one) for one, _b in then)
        ):
            self.dispatch(inner_command(condition), False)
            for one, _background in then:
                if self._is_sv(one):
                    self.dispatch(one, False)
            return False
        if (
            other is None
            and all(self._is_message(one) for one, _background in then)
            and not self._has_effects(condition)
        ):
            self.note(INFO, "message", "only prints a message; left out")
            return False
        if (
            last
            and other is None
            and not negate
            and test is None
            and condition.type in ("command", "redirected_statement")
        ):
            return self.chain([condition, then[0][0]]) if len(then) == 1 else self._undecided(node)
        if (
            last
            and other is None
            and not negate
            and test is not None
            and len(then) == 1
            and "exec" in commands_in(then[0][0])
        ):
            self.guard_test(test, condition, Exit("1", False, False))
            return self.block(then, True)
        return self._undecided(node)

    def _asked_for(self, test: conditions.Test, condition: Node, then: list[tuple[Node, bool]]) -> None:
        """Other services that are only asked for, or started, where a condition holds."""
        wants, before = list(self.service.wants), len(self.findings)
        for one, _background in then:
            self.dispatch(one, False)
        pulled = [name for name in self.service.wants if name not in wants]
        starts = any(re.search(r"\bsv\s(?:-\S+\s+)*(?:s|start|u|up|o|once)\s", text_of(one) + " ") for one, _b in then)
        asked = " ".join(text_of(condition).split())
        if pulled and starts and "service" not in asked:
            severity, instead = INFO, "what is not installed, systemd does not start"
            if not conditions.is_presence(test):
                severity = DECISION
                instead = f"{', '.join(pulled)} is started before this service whatever the answer is; say whether it is to be"
            self.note(severity, "condition", f"'{asked}' is not asked any more: {instead}")
            return
        self.service.wants = wants
        self.findings[before:] = [
            one for one in self.findings[before:] if " is Wants= and After=" not in f" {one.message}"
        ]
        for name in pulled:
            self.note(INFO, "sv check", f"is After={name} without Wants=: it orders the two where both are enabled")

    def _undecided(self, node: Node) -> bool:
        raise NeedShell("its condition is known only when the service starts")

    def if_(self, node: Node, last: bool) -> bool:
        tests = condition_of(node)
        then = branch(node)
        other: list[tuple[Node, bool]] | None = None
        for child in node.children:
            if child.type == "elif_clause":
                return self._elif(node, last)
            if child.type == "else_clause":
                other = statements(child)
        if len(tests) != 1:
            raise NeedShell("a condition of several commands")
        condition = tests[0]
        leave = self.leaves(then)
        if leave is not None and (other is None or not self.leaves(other)):
            self._messages(leave)
            self.guard(condition, True, leave)
            return self.block(other, last) if other else False
        if other is not None:
            leave = self.leaves(other)
            if leave is not None:
                self._messages(leave)
                self.guard(condition, False, leave)
                return self.block(then, last)
        return self.choice(condition, False, then, other, last, node)

    def _elif(self, node: Node, last: bool) -> bool:
        """A ladder of conditions: decided by the first that is true, where all before are known to be false."""
        ladder: list[tuple[Node | None, list[tuple[Node, bool]]]] = []
        first = condition_of(node)
        if len(first) != 1:
            raise NeedShell("a condition of several commands")
        ladder.append((first[0], branch(node)))
        for child in node.children:
            if child.type == "elif_clause":
                found = condition_of(child)
                if len(found) != 1:
                    raise NeedShell("a condition of several commands")
                ladder.append((found[0], branch(child)))
            elif child.type == "else_clause":
                ladder.append((None, statements(child)))
        for condition, body in ladder:
            if condition is None:
                return self.block(body, last)
            test = self.test_of(condition)
            answer = None if test is None else conditions.decide(test, self.fact)
            if answer is None:
                raise NeedShell("its conditions are known only when the service starts")
            if answer:
                self.note(INFO, "condition", "it is decided for this service; the other branches were left out")
                return self.block(body, last)
        return False

    def while_(self, node: Node, last: bool) -> bool:
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
            if self._is_sv(inner) and negated:
                self.dispatch(inner_command(inner), False)
                self.note(INFO, "loop", "it waited for another service; After= does")
                return False
        raise NeedShell("a loop")

    def case(self, node: Node, last: bool) -> bool:
        value = next(child for child in node.children[1:] if child.is_named)
        text = constant(self.evaluator.value(value))
        if text is None:
            raise NeedShell("a case that is decided when the service starts")
        from fnmatch import fnmatchcase

        for arm in arms(node):
            if arm.falls:
                raise NeedShell("a case that falls through")
            if any("$" in pattern for pattern in arm.patterns):
                raise NeedShell("a case with variable patterns")
            if any(fnmatchcase(text, pattern) for pattern in arm.patterns):
                self.note(INFO, "case", f"decided for this service by '{text}'; the other branches were left out")
                return self.block([(statement, False) for statement in arm.body], last)
        self.note(INFO, "case", f"no branch is for '{text}'; left out")
        return False

    def for_(self, node: Node, last: bool) -> bool:
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
        words = self.evaluator.words(values)
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
        before = len(self.prefix)
        for text in texts:
            self.vars[name] = lit(str(text))
            for one, _background in found:
                if self.dispatch(one, False):
                    raise NeedShell("a loop")
        if len(self.prefix) != before:
            raise NeedShell("a loop")
        return False

    def directory_choice(self, test: conditions.Test, negate: bool, then: list[tuple[Node, bool]]) -> bool:
        """`[ -d X ] || mkdir X` and its kin: the same as making X, where nothing but X is made."""
        inverted = False
        while test[0] == "not":
            inverted = not inverted
            test = test[1]
        if test[0] != "unary" or test[1] not in ("-d", "-e") or negate == inverted:
            return False
        path = constant(test[2])
        if path is None:
            return False
        path = self.absolute(path)
        saved = self._save()
        before = len(self.steps)
        try:
            for node, background in then:
                one = node
                if background or one.type not in ("command", "redirected_statement", "list"):
                    raise NeedShell("not only directories")
                pieces = flatten(one)[0] if one.type == "list" else [one]
                for piece in pieces:
                    if not {name.rsplit("/", 1)[-1] for name in commands_in(piece)} <= FILE_COMMANDS:
                        raise NeedShell("not only directories")
                    self.dispatch(piece, False)
            made = self.steps[before:]
            if any(step.path is None for step in made) or not any(step.kind == "make" for step in made):
                raise NeedShell("not only directories")
            for step in made:
                where = step.path or ""
                if where != path and not where.startswith(path + "/") and not path.startswith(where + "/"):
                    raise NeedShell("not only this directory")
        except NeedShell:
            self._restore(saved)
            return False
        for step in made:
            if step.argv[0].endswith("mkdir") and not any(re.match(r"-\w*p", word) for word in step.argv[1:]):
                step.argv[1:1] = ["-p"]
        return True
