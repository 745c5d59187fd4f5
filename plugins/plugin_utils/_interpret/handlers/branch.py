# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`&&` and `||`, if and case: decided where they are constant, as directories, settings and dependencies where they are that."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret import conditions
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.guard import (
    Exit,
    asks_control,
    decided,
    guard,
    guard_test,
    has_effects,
    is_control,
    is_message,
    leaving,
    note_messages,
    test_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.source import (
    read_settings,
    sourced_alone,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.nodes import (
    command_name,
    flatten,
    inner_command,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.lists import FILE_COMMANDS
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.table import peel
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    arms,
    branch,
    commands_in,
    condition_of,
    statements,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def and_or(it: Interpreter, node: Node, last: bool, checked: bool = False) -> bool:
    """`a && b || c`."""
    parts, operators = flatten(node)
    if len(parts) < 2:
        raise NeedShell("a condition")
    # A || exit, A && B || exit
    leave = leaving(it, [(parts[-1], False)])
    if leave is not None and len(parts) >= 2:
        note_messages(it, leave)
        if operators[-1] == "||" and all(one == "&&" for one in operators[:-1]):
            for part in parts[:-1]:
                guard(it, part, False, leave)
            return False
        if operators[-1] == "&&" and len(parts) == 2:
            guard(it, parts[0], True, leave)
            return False
        if operators[-1] == "&&" and all(one == "||" for one in operators[:-1]):
            for part in parts[:-1]:
                guard(it, part, True, leave)
            return False
        if operators[-1] == "&&" and all(one == "&&" for one in operators):
            first = test_of(it, parts[0])
            inner = [test_of(it, part) for part in parts[:-1]]
            if first is not None and None not in inner:
                guard_test(it, ("not", ("and", inner)), node, leave)
                return False
    if leave is not None:
        raise NeedShell("a condition")
    if len(parts) == 2 and operators[0] == "||" and text_of(parts[1]) in ("true", ":", "/bin/true"):
        if is_control(it, parts[0]):
            it.dispatch(parts[0], False)
            return False
        if parts[0].type in ("command", "redirected_statement"):
            errexit, it.shell.errexit = it.shell.errexit, False
            try:
                return it.dispatch(parts[0], last)
            finally:
                it.shell.errexit = errexit
        raise NeedShell("a condition")
    if (
        not last
        and all(one == "&&" for one in operators)
        and all(command_name(part) in FILE_COMMANDS for part in parts)
        # Where a directory cannot be made, what is done to it fails as well; nothing else may be done without the first.
        and all(command_name(part) in ("mkdir", "install") for part in parts[:-1])
    ):
        for part in parts:
            it.dispatch(part, False)
        return False
    if len(parts) == 2:
        then = [(parts[1], False)]
        if parts[1].type == "compound_statement" and parts[1].children[0].type == "{":
            then = statements(parts[1])
        return choice(it, parts[0], operators[0] == "||", then, None, last, node)
    if last and all(one == "&&" for one in operators):
        return chain(it, parts)
    if all(one == "&&" for one in operators):
        tests = [test_of(it, part) for part in parts[:-1]]
        for count, one in enumerate(tests):
            if one is None:
                settings = sourced_alone(it, [(part, False) for part in parts[count:]]) if count else None
                break
        else:
            settings = sourced_alone(it, [(parts[-1], False)])
        if settings is not None:
            read_settings(it, settings, True, parts[-1])
            return False
        answers = [decided(it, test) if test else None for test in tests]
        if answers and all(answers):
            return it.dispatch(parts[-1], last)
        # test && mkdir && chown
        behind = [(part, False) for part in parts[1:]]
        if tests[0] is not None and not any(tests[1:]) and directory_choice(it, tests[0], False, behind):
            return False
    if operators[0] == "||" and all(one == "&&" for one in operators[1:]):
        test = test_of(it, parts[0])
        if test is not None and directory_choice(it, test, True, [(part, False) for part in parts[1:]]):
            return False
    raise NeedShell("a condition")


def chain(it: Interpreter, parts: list[Node]) -> bool:
    """`a && b && exec c` at the end: a failure ends the script."""
    for part in parts[:-1]:
        if test_of(it, part) is not None:
            guard(it, part, False, Exit("1", False, False))
        elif part.type in ("list",):
            raise NeedShell("a condition")
        elif it.dispatch(part, False, True):
            return True
    return it.dispatch(parts[-1], True)


def choice(
    it: Interpreter,
    condition: Node,
    negate: bool,
    then: list[tuple[Node, bool]],
    other: list[tuple[Node, bool]] | None,
    last: bool,
    node: Node,
) -> bool:
    """One condition, one or two branches."""
    if other is None and _runs_again(it, condition, negate, then):
        return False
    test = test_of(it, condition)
    # settings
    if other is None:
        settings = sourced_alone(it, then)
        if settings is not None and not negate and test is not None:
            answer = decided(it, test)
            if answer is not False or any(path for _operator, path in conditions.paths(test)):
                read_settings(it, settings, True, then[-1][0])
            else:
                it.note("shell.decided", "condition", "it is false at translation; left out")
            return False
    if test is not None:
        answer = decided(it, test)
        if answer is not None:
            if answer == negate:
                it.note("shell.decided", "condition", "it is false for this service; its branch was left out")
                return it.block(other, last) if other else False
            if other:
                it.note("shell.decided", "condition", "it is true for this service; the other branch was left out")
            return it.block(then, last)
        if other is None and directory_choice(it, test, negate, then):
            return False
    if (
        other is None
        and test is not None
        and then
        and all(asks_control(it, one) for one, _background in then)
        and not it.outcome.has_acted()
    ):
        _asked_for(it, ("not", test) if negate else test, condition, then)
        return False
    if is_control(it, condition) and not negate:
        if other is None and all(is_message(it, one) for one, _background in then):
            it.dispatch(condition, False)
            return False
        leaves = leaving(it, other) if other else None
        if leaves is not None:
            it.dispatch(inner_command(condition, it.dialect.controls), False, True)
            return it.block(then, last)
    if (
        is_control(it, condition)
        and not it.outcome.has_acted()
        and negate
        and other is None
        and all(is_message(it, one) or is_control(it, one) for one, _b in then)
    ):
        it.dispatch(inner_command(condition, it.dialect.controls), False)
        for one, _background in then:
            if is_control(it, one):
                it.dispatch(one, False)
        return False
    if other is None and all(is_message(it, one) for one, _background in then) and not has_effects(it, condition):
        it.note("shell.message", "message", "only prints a message; left out")
        return False
    if last and other is None and not negate and test is None and condition.type in ("command", "redirected_statement"):
        return chain(it, [condition, then[0][0]]) if len(then) == 1 else _undecided(it, node)
    if (
        last
        and other is None
        and not negate
        and test is not None
        and len(then) == 1
        and "exec" in commands_in(then[0][0])
    ):
        guard_test(it, test, condition, Exit("1", False, False))
        return it.block(then, True)
    return _undecided(it, node)


def _runs_again(it: Interpreter, condition: Node, negate: bool, then: list[tuple[Node, bool]]) -> bool:
    """`[ "$X" ] || exec chpst -e ./env ./run`: the script starts itself with more variables, which the unit has from the beginning."""
    node, background = then[0] if len(then) == 1 else (condition, True)
    if background or node.type != "command" or command_name(node) != "exec" or it.outcome.steps or it.outcome.prefix:
        return False
    saved = it.saved()
    account = it.service.user
    try:
        argv = peel(it, it.evaluator.words(node.children)[1:])
        program = constant(argv[0]) if len(argv) == 1 else None
        own = f"{it.definition.path}/{it.text.file}"
        if program and "/" in program and absolute(it, program) == own and it.service.user == account:
            test = test_of(it, condition)
            if test is not None and decided(it, test) is negate:
                return True
    except NeedShell:
        pass
    it.undo(saved)
    return False


def _asked_for(it: Interpreter, test: conditions.Test, condition: Node, then: list[tuple[Node, bool]]) -> None:
    """Other services that are only asked for, or started, where a condition holds."""
    wants, before = list(it.service.wants), len(it.findings)
    for one, _background in then:
        it.dispatch(one, False)
    pulled = [name for name in it.service.wants if name not in wants]
    starts = any(it.dialect.starts(text_of(one)) for one, _b in then)
    asked = " ".join(text_of(condition).split())
    if pulled and starts:
        instead = ""
        if it.dialect.asks_enabled(asked):
            instead = f"{', '.join(pulled)} is started where it is installed, also where it is not enabled"
        elif not conditions.is_presence(test):
            instead = (
                f"{', '.join(pulled)} is started before this service whatever the answer is; say whether it is to be"
            )
        # What is not installed, systemd does not start.
        if instead:
            it.note("dependency.unasked", "condition", f"'{asked}' is not asked any more: {instead}")
        return
    it.service.wants = wants
    verbs = [one.construct for one in it.findings[before:] if one.key == "dependency.wants"]
    it.findings[before:] = [one for one in it.findings[before:] if one.key != "dependency.wants"]
    for name, verb in zip(pulled, verbs):
        it.note("dependency.after", verb, f"is After={name} without Wants=: it orders the two where both are enabled")


def _undecided(it: Interpreter, node: Node) -> bool:
    raise NeedShell("its condition is known only when the service starts")


def if_(it: Interpreter, node: Node, last: bool, checked: bool = False) -> bool:
    """`if`, with one condition, and its branches."""
    tests = condition_of(node)
    then = branch(node)
    other: list[tuple[Node, bool]] | None = None
    for child in node.children:
        if child.type == "elif_clause":
            return _elif(it, node, last)
        if child.type == "else_clause":
            other = statements(child)
    if len(tests) != 1:
        raise NeedShell("a condition of several commands")
    condition = tests[0]
    leave = leaving(it, then)
    if leave is not None and (other is None or not leaving(it, other)):
        note_messages(it, leave)
        guard(it, condition, True, leave)
        return it.block(other, last) if other else False
    if other is not None:
        leave = leaving(it, other)
        if leave is not None:
            note_messages(it, leave)
            guard(it, condition, False, leave)
            return it.block(then, last)
    return choice(it, condition, False, then, other, last, node)


def _elif(it: Interpreter, node: Node, last: bool) -> bool:
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
            return it.block(body, last)
        test = test_of(it, condition)
        answer = None if test is None else decided(it, test)
        if answer is None:
            raise NeedShell("its conditions are known only when the service starts")
        if answer:
            it.note("shell.decided", "condition", "it is decided for this service; the other branches were left out")
            return it.block(body, last)
    return False


def case(it: Interpreter, node: Node, last: bool, checked: bool = False) -> bool:
    """`case`, decided by a constant."""
    value = next(child for child in node.children[1:] if child.is_named)
    text = constant(it.evaluator.value(value))
    if text is None:
        raise NeedShell("a case that is decided when the service starts")
    from fnmatch import fnmatchcase

    for arm in arms(node):
        if arm.falls:
            raise NeedShell("a case that falls through")
        if any("$" in pattern for pattern in arm.patterns):
            raise NeedShell("a case with variable patterns")
        if any(fnmatchcase(text, pattern) for pattern in arm.patterns):
            it.note("shell.decided", "case", f"decided for this service by '{text}'; the other branches were left out")
            return it.block([(statement, False) for statement in arm.body], last)
    it.note("shell.decided", "case", f"no branch is for '{text}'; left out")
    return False


def directory_choice(it: Interpreter, test: conditions.Test, negate: bool, then: list[tuple[Node, bool]]) -> bool:
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
    path = absolute(it, path)
    saved = it.saved()
    before = len(it.outcome.steps)
    try:
        for node, background in then:
            one = node
            if background or one.type not in ("command", "redirected_statement", "list"):
                raise NeedShell("not only directories")
            pieces = flatten(one)[0] if one.type == "list" else [one]
            for piece in pieces:
                if not {name.rsplit("/", 1)[-1] for name in commands_in(piece)} <= FILE_COMMANDS:
                    raise NeedShell("not only directories")
                it.dispatch(piece, False)
        made = it.outcome.steps[before:]
        if any(step.path is None for step in made) or not any(step.kind == "make" for step in made):
            raise NeedShell("not only directories")
        for step in made:
            where = step.path or ""
            if where != path and not where.startswith(path + "/") and not path.startswith(where + "/"):
                raise NeedShell("not only this directory")
    except NeedShell:
        it.undo(saved)
        return False
    for step in made:
        if step.argv[0].endswith("mkdir") and not any(re.match(r"-\w*p", word) for word in step.argv[1:]):
            step.argv[1:1] = ["-p"]
    return True


def group(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """`{ ...; }`."""
    if node.children[0].type != "{":
        raise NeedShell("compound statement")
    return it.block(statements(node), last)
