# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests, and commands that decide whether the service runs: Condition...=, ExecCondition= and ExecStartPre=."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret import conditions
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.conditions import asks_files, test_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.constants import plain_words
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.assign import assignment
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.command import add_step
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.source import source, source_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.kept import (
    acts,
    called_names,
    may_be_function,
    printed,
    set_names,
    takes_time,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.nodes import flatten, inner_command
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute, find_program
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import Step, directory_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.lists import STATEFUL
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.redirections import is_silent, try_redirects
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    commands_in,
    line_of,
    statements,
    test_words,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit, word_text

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


class Exit(t.NamedTuple):
    """A branch that ends the script: its exit code, whether it takes the service down, whether it has messages."""

    code: str
    down: bool
    messages: bool


def fact(it: Interpreter, operator: str, path: str) -> bool | None:
    """What is known of a file: only those of the service directory, and what every host has."""
    full = absolute(it, path)
    if full in ("/", "/etc", "/run", "/usr", "/var", "/dev/null", "/proc", "/sys", "/tmp"):
        return operator in ("-e", "-d", "-r", "-x", "-w")
    relative = it.definition.relative(full)
    if relative is None:
        return None
    if it.definition.has(relative) or relative == "":
        return True if operator in ("-e", "-f", "-r", "-d") else None
    return False if it.definition.live and relative.split("/")[0] not in it.dialect.changing else None


def decided(it: Interpreter, test: conditions.Test) -> bool | None:
    """The answer of a test, where it is the same at every start."""
    return conditions.decide(test, functools.partial(fact, it))


def test_of(it: Interpreter, node: Node) -> conditions.Test | None:
    """The test a node makes, where it is nothing but one."""
    if node.type == "redirected_statement":
        if not is_silent(try_redirects(it, node)):
            return None
        node = node.children[0]
    if node.type == "negated_command":
        inner = test_of(it, node.children[-1])
        return None if inner is None else ("not", inner)
    if node.type == "list":
        parts, operators = flatten(node)
        if len(set(operators)) != 1:
            return None
        found = [test_of(it, part) for part in parts]
        return None if None in found else ("and" if operators[0] == "&&" else "or", found)
    if node.type == "test_command":
        if node.children[0].type == "((":
            return None
        return _test_of(it, list(test_words(node)), node.children[0].type == "[[")
    if node.type == "command" and text_of(node.children[0]) in ("test", "/usr/bin/test", "["):
        return _test_of(it, node.children[1:], False)
    return None


def _test_of(it: Interpreter, nodes: list[Node], double: bool) -> conditions.Test | None:
    words: list[Word] = []
    it.asked_unset = False
    for one in nodes:
        if not one.is_named:
            words.append(lit(text_of(one)))
            continue
        word = it.evaluator.value(one)
        text = constant(word)
        if (
            not double and text is not None and one.type in ("simple_expansion", "expansion", "command_substitution")
        ) and (not text or re.search(r"\s", text)):
            # Unquoted, it is no word or several: `[ -n $X ]` is true without X.
            return None
        words.append(word)
    # What the supervisor does not set somebody else may, as containers do: such a condition is not decided here.
    return None if it.asked_unset else conditions.read(words)


def leaving(it: Interpreter, found: list[tuple[Node, bool]] | None) -> Exit | None:
    """What a branch does that only says something and ends the script."""
    if not found:
        return None
    down = messages = False
    for index, (node, background) in enumerate(found):
        if background:
            return None
        final = index == len(found) - 1
        if node.type in ("compound_statement", "subshell"):
            inner = leaving(it, statements(node))
            if inner is None or not final:
                return None
            return Exit(inner.code, down or inner.down, messages or inner.messages)
        if node.type == "list":
            parts, operators = flatten(node)
            if set(operators) != {"&&"}:
                return None
            inner = leaving(it, [(part, False) for part in parts])
            if inner is None or not final:
                return None
            return Exit(inner.code, down or inner.down, messages or inner.messages)
        one = inner_command(node, it.dialect.controls)
        if one.type != "command":
            return None
        words = text_of(one).split()
        name = words[0].rsplit("/", 1)[-1]
        if name == "exec" and len(words) > 1 and words[1].rsplit("/", 1)[-1] in it.dialect.controls:
            if final and it.dialect.ends_itself(it, words[1:]):
                return Exit("0", True, messages)
            return None
        if name in ("exit", "return"):
            if not final:
                return None
            code = words[1].strip(";") if len(words) > 1 else ""
            return Exit(code, down, messages)
        if name in it.dialect.controls and it.dialect.ends_itself(it, words):
            down = True
        elif name == "sleep":
            # RestartSec= is the pause before another attempt.
            continue
        elif name in lists.MESSAGES and is_message(it, node):
            messages = True
        elif it.dialect.keeps_down(words):
            down = True
            it.note_once(
                "service.kept-down",
                name,
                f"'{' '.join(words)}' kept the service from being started with the host from then on; "
                "the unit stays enabled, and asks its condition again",
            )
        else:
            return None
    return None


def note_messages(it: Interpreter, leave: Exit) -> None:
    """Say that a branch's messages are left out."""
    if leave.messages:
        it.note_once("shell.message", "message", "the message is not printed; systemd logs the condition or command that failed")


def guard(it: Interpreter, node: Node, negate: bool, leave: Exit) -> None:
    """The service runs only where a command succeeds (`negate`: fails)."""
    it.line = line_of(node)
    silent = node.type == "redirected_statement" and is_silent(try_redirects(it, node))
    if silent and node.children[0].type in ("test_command", "list", "negated_command", "pipeline"):
        node = node.children[0]
    if node.type == "negated_command":
        guard(it, node.children[-1], not negate, leave)
        return
    if node.type == "list":
        parts, operators = flatten(node)
        wanted = "||" if negate else "&&"
        if all(one == wanted for one in operators):
            for part in parts:
                guard(it, part, negate, leave)
            return
    if it.outcome.must_follow() and not is_control(it, node):
        raise NeedShell("it comes after what only a shell can do")
    test = test_of(it, node)
    if test is not None:
        guard_test(it, ("not", test) if negate else test, node, leave)
        return
    one = inner_command(node, it.dialect.controls)
    if one.type == "command":
        name = text_of(one.children[0]).rsplit("/", 1)[-1]
        if name in it.dialect.controls:
            if negate:
                raise NeedShell(name)
            it.dispatch(one, False, True)
            return
        sourced = source_of(it, node)
        if sourced is not None and not negate:
            source(it, sourced, False, node)
            return
        if not negate and name in ("cd", "export", "umask", "ulimit", "mkdir", "install", "chown", "chmod", "set"):
            if it.dispatch(node, False, True):
                raise NeedShell("a condition")
            return
        if name in ("command", "which", "type", "hash") and not negate:
            plain = plain_words(it, node) or []
            sought = [text for text in plain[1:] if not text.startswith("-")]
            path = find_program(it, sought[0]) if len(sought) == 1 and not it.shell.open_path else ""
            if path and _behind(it):
                guard_shell(it, node, False, leave.down or leave.code in it.dialect.ends)
                return
            if path.startswith("/"):
                it.service.conditions.append(("ConditionFileIsExecutable", path))
                _guard_note(it, node)
                return
            if path:
                it.service.exec_condition.append(Command(line=f"command -v {word_text(lit(path))} >/dev/null"))
                _guard_note(it, node)
                return
    elif node.type == "variable_assignment" and not negate:
        assignment(it, node)
        return
    names = called_names(it, node)
    if names & it.dialect.controls or names & STATEFUL or set_names(it, node) & it.text.later(node):
        raise NeedShell("a condition")
    final = leave.down or leave.code in it.dialect.ends
    if it.dialect.tells_code and not final and leave.code.isdigit() and leave.code != "0":
        raise NeedShell(f"its exit code is {leave.code} where a command fails")
    if one.type == "command" and not negate:
        try:
            redirects = try_redirects(it, node) if node.type == "redirected_statement" else []
            words = it.evaluator.words(child for child in one.children)
            handler = it.builtins.get(constant(words[0]) or "")
            if handler is None and not any(child.type == "variable_assignment" for child in one.children):
                count = len(it.outcome.steps)
                add_step(it, words, redirects, True)
                if len(it.outcome.steps) == count:
                    return
                if final:
                    step = it.outcome.steps.pop()
                    if step.run is not None:
                        _ask(it, step.run)
                    _guard_note(it, node)
                return
        except NeedShell:
            pass
    guard_shell(it, node, negate, final)


def guard_shell(it: Interpreter, node: Node, negate: bool, final: bool) -> None:
    """A guard that only a shell can ask."""
    if it.shell.cwd_unknown or any(may_be_function(it, name) for name in called_names(it, node)):
        raise NeedShell("it depends on what the shell has read or where it is")
    printer, text = printed(it, node)
    names = called_names(it, node)
    if negate:
        if node.type == "pipeline" and text.startswith("! "):
            # The first word negates all of the pipe, and no shell but bash takes a second one.
            text = text[2:]
        else:
            text = f"! {{ {text}; }}" if node.type == "list" else f"! {text}"
    text = printer.prefix() + text
    if printer.shell_names:
        before = it.outcome.live_prefix(text)
        if not all(one.calls <= lists.HARMLESS for one in before):
            raise NeedShell("a condition")
        text = "; ".join([*(one.text for one in before), text])
    if final:
        _ask(it, Command(line=text))
        _guard_note(it, node)
    else:
        takes_time(it, names)
        it.outcome.steps.append(Step.command(Command(line=text), it.line, acts(it, node)))


def _may_come(test: conditions.Test) -> bool:
    """Whether a test asks for more than programs, which are there where something is installed."""
    return any(operator != "-x" for operator, _path in conditions.paths(test))


def _guard_note(it: Interpreter, node: Node) -> None:
    it.note(
        "condition.skips",
        "guard",
        "asked once at each start: where it does not hold, systemd skips the service instead of trying again",
    )


def guard_test(it: Interpreter, test: conditions.Test, node: Node, leave: Exit) -> None:
    """The service runs only where a test holds; `node` is what makes it."""
    while test[0] == "not" and test[1][0] == "not":
        test = test[1][1]
    answer = decided(it, test)
    if answer is True:
        it.note("shell.decided", "guard", "it always holds for this service; left out")
        return
    final = leave.down or leave.code in it.dialect.ends
    behind = _behind(it, test)
    found = conditions.as_conditions(test, volatile=final)
    if found is not None and not behind:
        for pair in found:
            if pair not in it.service.conditions:
                it.service.conditions.append(pair)
        if final or leave.code == "0" or not _may_come(test):
            _guard_note(it, node)
        else:
            it.note(
                "condition.once",
                "guard",
                f"asked once at each start: where it does not hold, systemd skips the service, and {it.dialect.supervisor} asked again each "
                "second. Where something makes it hold later, start the service from there, or by a path unit",
            )
        return
    text = test_text(test)
    if text is None:
        negate = test[0] == "not" and test_of(it, node) is not None and test[1] == test_of(it, node)
        if test != test_of(it, node) and not negate:
            raise NeedShell("a condition")
        guard_shell(it, node, negate, final)
        return
    files = asks_files(test)
    at_once = final or not (files or behind)
    if behind and not at_once:
        if kind_of(test) == "unary":
            negated, inner = (True, test[1]) if test[0] == "not" else (False, test)
            words = [lit("/usr/bin/test"), *([lit("!")] if negated else []), lit(inner[1]), inner[2]]
            it.outcome.steps.append(Step.command(Command(words), it.line, False))
        else:
            it.outcome.steps.append(Step.command(Command(line=text), it.line, False))
        return
    if at_once:
        _ask(it, Command(line=text), test)
    elif test[0] == "unary":
        it.outcome.steps.append(Step.command(Command([lit("/usr/bin/test"), lit(test[1]), test[2]]), it.line, False))
    else:
        it.outcome.steps.append(Step.command(Command(line=text), it.line, False))


def kind_of(test: conditions.Test) -> str:
    """What kind of test it is, a negation left out."""
    return str(test[1][0] if test[0] == "not" else test[0])


def _behind(it: Interpreter, test: conditions.Test | None = None) -> bool:
    """Whether a guard has to stay behind a step before it: one with an effect, or one that makes what is asked for."""
    if it.outcome.has_acted():
        return True
    if test is None:
        return any(step.path is not None and directory_of(step.path) is None for step in it.outcome.steps)
    asked = [path if path is None else absolute(it, path) for _op, path in conditions.paths(test)]
    made = [step.path for step in it.outcome.steps if step.path is not None]
    return any(
        one is None or one == path or one.startswith(path + "/") or path.startswith(one + "/")
        for one in asked
        for path in made
    )


def _ask(it: Interpreter, command: Command, test: conditions.Test | None = None) -> None:
    """Have a command be asked before each start, behind the steps that come before it in the script.

    ExecCondition= comes before ExecStartPre=, so these steps go there as well.
    """
    if _behind(it, test):
        stay = []
        for step in it.outcome.steps:
            if step.run is not None:
                it.service.exec_condition.append(_as_condition(step.run))
            elif directory_of(step.path or "") is None:
                run = Command.of(*step.argv, str(step.path), ignore=step.ignore)
                it.service.exec_condition.append(_as_condition(run))
            else:
                # systemd makes it before everything else.
                stay.append(step)
        lines = {step.line for step in it.outcome.steps}
        it.outcome.steps = stay
        for index, one in enumerate(it.findings):
            if one.line in lines and "in ExecStartPre=" in one.message:
                message = one.message.replace("in ExecStartPre=", "in ExecCondition=")
                it.findings[index] = one._replace(message=message)
    it.service.exec_condition.append(command)


def _as_condition(step: Command) -> Command:
    """A step in ExecCondition=: where it has to succeed, its failure is that of the service (255), not a reason to skip it."""
    if not step.ignore:
        if step.line is None:
            step.line = f"{' '.join(word_text(word) for word in step.argv)} || exit 255"
            step.argv = []
        else:
            step.line = f"({step.line}) || exit 255"
    return step


def is_control(it: Interpreter, node: Node) -> bool:
    """Whether a node asks or tells the supervisor something, and no more."""
    node = inner_command(node, it.dialect.controls)
    if node.type != "command":
        return False
    return (text_of(node).split(None, 1) or [""])[0].rsplit("/", 1)[-1] in it.dialect.controls


def asks_control(it: Interpreter, node: Node) -> bool:
    """Whether a statement only has another service started or asked for."""
    if node.type == "list":
        parts, _operators = flatten(node)
        node = parts[0]
        if len(parts) > 2 or not (leaving(it, [(parts[1], False)]) or text_of(parts[1]) in ("true", ":")):
            return False
    words = text_of(inner_command(node, it.dialect.controls)).split()
    return is_control(it, node) and it.dialect.pulls(words)


def is_message(it: Interpreter, node: Node) -> bool:
    """Whether a node only prints, and not into a file."""
    if it.shell_opens and it.outcome.prefix_execs:
        return False
    if node.type == "redirected_statement" and not is_silent(try_redirects(it, node)):
        return False
    return all(
        name in lists.MESSAGES and name not in it.shell.functions for name in commands_in(node)
    ) and node.type in ("command", "redirected_statement", "list")


def has_effects(it: Interpreter, node: Node) -> bool:
    """Whether a node may change anything."""
    return not called_names(it, node) <= lists.HARMLESS


def plain(it: Interpreter, node: Node, last: bool, checked: bool) -> bool:
    """`[ ... ]` as a statement."""
    if it.shell.errexit and not last:
        guard(it, node, False, Exit("1", False, False))
    else:
        it.note("shell.decided", "test", "the answer is not used; left out")
    return False
