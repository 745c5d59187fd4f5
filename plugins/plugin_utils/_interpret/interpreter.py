# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interprets a start script statement by statement.

Each statement becomes directives of the service, or a step before it, or stays as shell text: in a step of its own where
nothing after it depends on it, else in front of the main command. So whatever is not understood is kept, never lost.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret import constants, kept, tail, variables
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.dialect import Dialect
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers import (
    assign,
    branch,
    builtin,
    command,
    guard,
    loop,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.outcome import Outcome
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.scope import Scope, Shell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.text import Text
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Finding
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.evaluate import Evaluator
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import Script, line_of, statements

if t.TYPE_CHECKING:
    from tree_sitter import Node

#: Takes a statement, whether it is the last of the script, and whether the script ends where it fails. True: the script has ended.
Handler = t.Callable[["Interpreter", "Node", bool, bool], bool]

HANDLERS: dict[str, Handler] = {
    "command": command.plain,
    "redirected_statement": command.redirected,
    "pipeline": command.pipeline,
    "function_definition": command.function,
    "variable_assignment": assign.plain,
    "variable_assignments": assign.plain,
    "declaration_command": assign.declared,
    "unset_command": assign.unsets,
    "list": branch.and_or,
    "if_statement": branch.if_,
    "case_statement": branch.case,
    "compound_statement": branch.group,
    "test_command": guard.plain,
    "while_statement": loop.while_,
    "for_statement": loop.for_,
}
_WHAT_OTHERS_ARE = {"negated_command": "a negation"}


class Saved(t.NamedTuple):
    """What a statement may change: see `Interpreter.saved`."""

    scope: Scope
    outcome: Outcome
    findings: int


class Interpreter:
    """Runs a script in the mind. After `run()`, `outcome` is what it has come to.

    `scope`, `outcome` and the findings are as they were where a statement turns out to be for a shell; what else is here stays.

    :param definition: what the collector found of the service.
    :param service: gets the directives; `service` is what has become of it.
    :param script: the script.
    :param directory: where it is started.
    :param findings: gets what its reader should know.
    :param dialect: what the supervisor adds to the shell.
    """

    def __init__(
        self,
        definition: Definition,
        service: Service,
        script: Script,
        directory: str,
        findings: list[Finding],
        dialect: Dialect | None = None,
    ) -> None:
        self.definition = definition
        self.directory = directory
        self.findings = findings
        self.dialect = dialect or Dialect()
        self.builtins = {**builtin.BUILTINS, **dict.fromkeys(self.dialect.controls, builtin.control)}
        self.scope = Scope(directory)
        self.shell = Shell()
        self.outcome = Outcome(service)
        self.text = Text(script)
        self.evaluator = Evaluator(self)
        self.line = 1
        # Why the original script has to be run: key of the finding, construct, text, line.
        self.reasons: list[tuple[str, str, str, int]] = []
        # Constants that shell text within the words of the main command uses.
        self.setup: dict[str, str] = {}
        # Files that are read, one by the other.
        self.reading: list[str] = []
        # What of the service directory is in the unit, or read by an absolute path.
        self.taken: set[str] = set()
        # What the script sets anywhere, once somebody has asked.
        self.set_somewhere: set[str] | None = None
        # From here on, all of the script is one text of shell.
        self.whole = False
        # Nothing of the text that is kept goes on in the background.
        self.foreground = False
        # What the shell does in front of the command is for root, so that only the command itself is given another account.
        self.root_first = False
        # The files that output goes to, and input comes from, are opened in their place: a step makes them.
        self.shell_opens = False
        # The statement asks how the one before it has ended.
        self.asked_status = False
        # A condition asked for a variable that nothing sets.
        self.asked_unset = False

    @property
    def service(self) -> Service:
        return self.outcome.service

    # What words come to, as the evaluator and the printer ask for it.
    get = variables.get
    default = variables.default
    assign = variables.assign
    home = variables.home
    substitute = constants.substitute
    shell_text = kept.shell_text
    misread = kept.misread

    def note(self, key: str, construct: str, message: str, **values: str) -> None:
        """Add a finding on the line that is looked at. `values`: what its remedy has in braces."""
        self.findings.append(Finding(key, construct, self.text.file, self.line, message, **values))

    def note_once(self, key: str, construct: str, message: str) -> None:
        """The same, where it was not said before."""
        if (construct, message) not in self.outcome.once:
            self.outcome.once.add((construct, message))
            self.note(key, construct, message)

    def saved(self) -> Saved:
        """What `undo` needs."""
        return Saved(self.scope.copy(), self.outcome.copy(), len(self.findings))

    def undo(self, saved: Saved) -> None:
        """Have all be as it was."""
        self.scope, self.outcome = saved.scope, saved.outcome
        del self.findings[saved.findings :]

    def run(self) -> None:
        """Interpret the whole script.

        :raises Wrap: it has to go on being run as it is.
        """
        self.block(statements(self.text.script.root), True)

    def block(self, found: list[tuple[Node, bool]], last: bool) -> bool:
        """Statements in order; True where the script has ended."""
        for index, (node, background) in enumerate(found):
            rest = found[index + 1 :]
            final = last and not rest
            how = tail.manner(self, node, background, rest) if last and not self.whole else ""
            if how == tail.FOREGROUND:
                self.foreground, background, final = True, False, True
                if node.type == "subshell" or (node.type == "compound_statement" and node.children[0].type == "{"):
                    return self.block(statements(node), True)
            final = final or how == tail.ALONE
            self.whole = self.whole or how == tail.TEXT
            if self.statement(node, background, final, tail.asks_status(self, found, index)):
                if rest and not how:
                    self.line = line_of(rest[0][0])
                    self.note("shell.unreachable", "unreachable", "what follows is never reached")
                return True
        return False

    def statement(self, node: Node, background: bool, last: bool, asked: bool = False) -> bool:
        """One statement, kept as shell text where it has no directives; True where the script has ended.

        :param asked: what follows asks how it has ended.
        """
        self.line = line_of(node)
        saved = self.saved()
        # What asks stays with what it asks about.
        asks, self.asked_status = self.asked_status, asked
        try:
            if (asks or asked or self.whole) and node.type != "function_definition":
                raise NeedShell("what follows asks for its exit status" if asked else "it goes with what is before it")
            if background:
                raise NeedShell("it goes on in the background")
            return self.dispatch(node, last)
        except NeedShell as why:
            self.undo(saved)
            self.line = line_of(node)
            front = (asks or asked or self.whole) and node.type != "function_definition"
            return kept.keep(self, node, background, last, str(why), front)

    def dispatch(self, node: Node, last: bool, checked: bool = False) -> bool:
        """One statement as directives and steps; True where the script has ended.

        :raises NeedShell: it has none, and may have changed something already.
        """
        self.definition.spend()
        handler = HANDLERS.get(node.type)
        if handler is None:
            kind = node.type.replace("_", " ")
            raise NeedShell("a subshell" if last and kind == "subshell" else _WHAT_OTHERS_ARE.get(node.type, kind))
        return handler(self, node, last, checked)
