# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a shell can do: as a step of its own, in front of the main command, or the whole script."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import INFO
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.print import CannotPrint, Printer
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    assigned,
    commands_in,
    line_of,
    referenced,
    references,
    text_of,
    walk,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import programs
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.state import State
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.steps import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    ONLY_BUILTIN,
    SETTINGS,
    STATEFUL,
    Before,
    NeedShell,
    Wrap,
    construct_of,
    failing_exits,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


# What changes the shell or asks something, and nothing else.
_NO_ACTS = programs.HARMLESS - {"exit", "return", "exec"} | frozenset(
    ". source cd umask ulimit read getopts let".split()
)


class KeptShell(State):
    """Keeps statements as shell text."""

    def later(self, node: Node) -> set[str]:
        """Variables that are expanded, or declared for others such as by `export`, after a node."""
        if self._references is None:
            declared = [
                (one.start_byte, text_of(child))
                for one in walk(self.script.root)
                if one.type == "declaration_command"
                for child in one.children
                if child.type == "variable_name"
            ]
            self._references = [*references(self.script.root), *declared]
        return {name for at, name in self._references if at >= node.end_byte}

    def called(self, node: Node) -> list[Node]:
        """The functions of the script that a node calls, those they call first."""
        found: list[Node] = []
        pending = [node]
        while pending:
            one = pending.pop()
            for name in sorted(commands_in(one)):
                function = self.functions.get(name)
                if function is not None and function not in found and function is not node:
                    found.insert(0, function)
                    pending.append(function)
        return found

    def commands(self, node: Node) -> set[str]:
        """The names of the commands that a node calls, also within the functions it calls."""
        names: set[str] = set()
        for one in (node, *self.called(node)):
            names |= {name.rsplit("/", 1)[-1] for name in commands_in(one)}
        return names - set(self.functions)

    def sets(self, node: Node) -> set[str]:
        names: set[str] = set()
        for one in (node, *self.called(node)):
            names |= assigned(one)
        return names

    def misread(self, node: Node) -> None:
        raise Wrap("shell", f"'{text_of(node)}' cannot be read with certainty", line_of(node))

    def shell_text(self, node: Node) -> str:
        if self.called(node):
            raise NeedShell("a function of the script")
        printer = Printer(self, node)
        try:
            text = printer.line(node)
        except CannotPrint as why:
            raise Wrap("shell", f"a word cannot be put on one line ({why})", line_of(node)) from None
        self.setup.update(printer.setup)
        return text

    def printed(self, node: Node) -> tuple[Printer, str]:
        """A node as text, behind the functions it calls."""
        printer, text = self._printed(node)
        before = []
        for function in self.called(node):
            inner, body = self._printed(function)
            printer.setup.update(inner.setup)
            printer.shell_names |= inner.shell_names
            before.append(body)
        return printer, "; ".join([*before, text])

    def _printed(self, node: Node) -> tuple[Printer, str]:
        printer = Printer(self, node)
        try:
            if node.type == "redirected_statement" and any(child.type == "heredoc_redirect" for child in node.children):
                return printer, printer.document(node)
            return printer, printer.line(node)
        except CannotPrint as why:
            what = "a here-document" if "heredoc" in str(why) else f"it cannot be put on one line ({why})"
            raise Wrap("shell", what, line_of(node)) from None

    def keep(self, node: Node, background: bool, last: bool, why: str) -> bool:
        if self.sourcing:
            raise Wrap("sourced file", why, line_of(node))
        names = self.commands(node)
        if "sv" in names:
            raise Wrap("sv", f"sv is called within a construct that only a shell can do ({why})", line_of(node))
        kinds = {one.type for one in walk(node)}
        if "ERROR" in kinds:
            raise Wrap("shell", "the shell text does not parse", line_of(node))
        wraps = None
        if "wait" in names:
            wraps = "wait"
        elif "trap" in names:
            wraps = "trap"
        elif "function_definition" in kinds:
            wraps = "function"
        elif background:
            wraps = "&"
        changers = names & {"chpst", "setuidgid", "su", "setpriv", "runuser", "sudo"}
        if changers:
            self.note(
                INFO,
                ", ".join(sorted(changers)),
                "stays in the shell text of the unit: the package that has it must stay installed",
            )
        if last:
            self._keep_last(node, why, names, kinds, wraps)
            return True
        sets = self.sets(node)
        exports = sets if self.allexport else sets & (self.exported | set(self.service.environment))
        unknown = self.cwd_unknown or any(self.may_be_function(name) for name in names)
        if node.type == "subshell" and not wraps and not unknown and not exports:
            # Whatever it does, the shell stays as it is.
            if self.must_follow():
                self._put_before(self._before(node))
            else:
                self.shell_step(node, why)
            return False
        if names & {"cd", "pushd", "popd"}:
            self.cwd_unknown = True
        if (
            sets & (self.later(node) | {"IFS", "PATH"})
            or exports
            or unknown
            or names & (STATEFUL - {"exit"})
            or wraps
            or kinds & {"declaration_command", "unset_command"}
            or self.must_follow()
        ):
            self._keep_in_front(node, background, why, wraps, exports)
        else:
            self.shell_step(node, why)
        return False

    def _keep_last(self, node: Node, why: str, names: set[str], kinds: set[str], wraps: str | None) -> None:
        """What the script ends with."""
        if (
            kinds & {"while_statement", "for_statement", "c_style_for_statement"}
            or wraps
            or node.type in ("pipeline", "subshell")
        ):
            what = wraps or node.type.replace("_statement", "").replace("_", " ")
            self.reasons.append(
                (what, f"the service itself is {why or 'a loop'}; the original script is run", line_of(node))
            )
        printer, text = self.printed(node)
        plain = node.type == "command" or (node.type == "redirected_statement" and node.children[0].type == "command")
        if plain and "exec" not in names and not self.called(node):
            text = self._with_exec(node, text)
        self.inline = printer.prefix() + text
        self.inline_exec = text.startswith("exec ") or "exec" in names

    def _keep_in_front(self, node: Node, background: bool, why: str, wraps: str | None, exports: set[str]) -> None:
        """What the rest of the script depends on, or what has to come after such."""
        if wraps:
            self.reasons.append(
                (
                    wraps,
                    f"{wraps} before the main command has no directive ({why}); the original script is run",
                    line_of(node),
                )
            )
        one = self._before(node)
        sets = self.sets(node)
        if "exec" in one.calls:
            self.prefix_execs = True
        if node.type == "declaration_command":
            exports = set()
        text = self.exporting(one.text + (" &" if background else ""), exports)
        pure = (
            node.type == "variable_assignment"
            and not self.called(node)
            and one.calls <= programs.HARMLESS
            and not exports
            and not sets & {"PATH"}
        )
        self._put_before(one._replace(text=text, sets=sets if pure else None))
        changed = set(sets)
        if one.calls & {"set", "shift"}:
            changed |= {name for name in self.vars if name.isdigit()} | {"@", "*", "#"}
        for name in changed:
            self.vars[name] = [Piece("shell", f"${name}")]
            self.overridable.discard(name)
        if one.calls & {".", "source", "eval"}:
            self.open_shell = True
            self.open_functions = self.open_functions or not SETTINGS.search(text)

    def must_follow(self) -> bool:
        """Whether what stays in front of the command acts, or ends the script, so that a step behind it must not run before it."""
        return any(not one.calls <= _NO_ACTS for one in self.prefix)

    def _before(self, node: Node) -> Before:
        """A node as what stays in front of the command."""
        printer, text = self.printed(node)
        return Before(printer.prefix() + text, None, referenced(node), self.commands(node))

    def _put_before(self, one: Before) -> None:
        self.prefix.append(one)
        self.prefix_commands |= one.calls

    def exporting(self, text: str, names: t.Collection[str]) -> str:
        """Shell text in front of the command whose variables the command gets as well."""
        if self.allexport:
            return f"set -a; {text}; set +a"
        return f"{text}; export {' '.join(sorted(names))}" if names else text

    def _with_exec(self, node: Node, text: str) -> str:
        """A last command that replaces the shell, which has nothing left to do; not where only the shell has it."""
        command = node.children[0] if node.type == "redirected_statement" else node
        if command.children[0].type != "command_name":
            # `A=b command`: exec would take the assignment for the command.
            return text
        name = text_of(command.children[0])
        if name in self.table or name in STATEFUL or name in ONLY_BUILTIN or self.may_be_function(name):
            return text
        return "exec " + text

    def live_prefix(self, rest: str) -> list[Before]:
        """What stays in front of the command, without variables that nothing uses any more."""
        kept: list[Before] = []
        for one in reversed(self.prefix):
            after = " ".join([rest, *(other.text for other in kept)])
            if one.sets is not None and not any(
                re.search(rf"(?<!\w){re.escape(name)}(?![\w=])", after) for name in one.sets
            ):
                continue
            kept.insert(0, one)
        return kept

    def shell_step(self, node: Node, why: str, checked: bool = False) -> None:
        """A step of shell before the main command."""
        printer, text = self.printed(node)
        names = self.commands(node)
        setup = printer.prefix()
        if printer.shell_names:
            if not self.prefix_commands <= programs.HARMLESS:
                # It follows what acts, so it counts as something that does.
                self._put_before(Before(setup + text, None, referenced(node), names | {"?"}))
                return
            setup = "; ".join([*(one.text for one in self.live_prefix(text)), setup])
        ignore = not (checked or self.errexit)
        codes = set(re.findall(r"(?<![\w$-])exit\s+(\d+)", text))
        if "exit" in names and codes and codes <= self.no_retry:
            self.note(
                INFO,
                construct_of(node),
                f"kept as shell in ExecCondition= ({why}); where it ends the script, systemd skips the service",
            )
            self.service.exec_condition.append(Command(line=setup + text + "; :"))
            return
        if "exit" in names:
            text = failing_exits(text)
            ignore = False
            if not (checked or self.errexit):
                text += "; :"
        if self.errexit:
            setup = "set -e; " + setup
        self._takes_time(names, any("R" in word for word in re.findall(r"(?<=\s)-[a-zA-Z]*", text)))
        if len(setup + text) > 700:
            self.reasons.append(
                (
                    node.type.replace("_statement", ""),
                    "the steps before the command are too long for a unit; the original script is run",
                    line_of(node),
                )
            )
        self.note(INFO, construct_of(node), f"kept as shell in ExecStartPre= ({why})")
        self.steps.append(Step.command(Command(line=setup + text, ignore=ignore), self.line))

    def _takes_time(self, names: set[str], recursive: bool = False) -> None:
        """runsv waits for a script as long as it takes; systemd would end the steps after 90 seconds."""
        if recursive or not {name.rsplit("/", 1)[-1] for name in names} <= programs.QUICK:
            self.service.set("TimeoutStartSec", "infinity")
