# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interprets a start script statement by statement.

Each statement becomes directives of the service, or a step before it, or stays as shell text: in a step of its own where
nothing after it depends on it, else in front of the main command. So whatever is not understood is kept, never lost.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import INFO
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import line_of, statements, text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.shell_builtins import Builtins
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    Exit,
    NeedShell,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


# What a statement may change before it is found to need a shell.
_OF_SCRIPT = tuple(
    """vars overridable dynamic current exported allexport open_conf steps prefix prefix_commands main argv0 cwd path_changed
    stdout stderr log_command once""".split()
)
_OF_SERVICE = tuple(
    """environment environment_files settings user group working_directory conditions exec_condition wants after""".split()
)


def _copied(value: t.Any) -> t.Any:
    """A list, a set, or a dict with the lists in it, that later changes of the original do not reach; all else as it is."""
    if isinstance(value, dict):
        return {key: list(one) if isinstance(one, list) else one for key, one in value.items()}
    return value.copy() if isinstance(value, (list, set)) else value


class Interpreter(Builtins):
    """Runs a script in the mind. After `run()`, `service` has what could be said in directives."""

    def run(self) -> None:
        """Interpret the whole script."""
        self.block(statements(self.script.root), True)

    def block(self, found: list[tuple[Node, bool]], last: bool) -> bool:
        """Statements in order; True where the script has ended."""
        for index, (node, background) in enumerate(found):
            final = last and index == len(found) - 1
            if self.statement(node, background, final):
                rest = found[index + 1 :]
                if rest:
                    self.line = line_of(rest[0][0])
                    self.note(INFO, "unreachable", "what follows is never reached")
                return True
        return False

    def _save(self) -> tuple[list[t.Any], int]:
        """What `_restore` needs to undo a statement that turns out to be for a shell: nobody else changes these parts."""
        return [_copied(getattr(self, name)) for name in _OF_SCRIPT] + [
            _copied(getattr(self.service, name)) for name in _OF_SERVICE
        ], len(self.findings)

    def _restore(self, saved: tuple[list[t.Any], int]) -> None:
        values, findings = saved
        for name, value in zip(_OF_SCRIPT, values):
            setattr(self, name, value)
        for name, value in zip(_OF_SERVICE, values[len(_OF_SCRIPT) :]):
            setattr(self.service, name, value)
        del self.findings[findings:]

    def statement(self, node: Node, background: bool, last: bool) -> bool:
        self.line = line_of(node)
        saved = self._save()
        try:
            if background:
                raise NeedShell("it goes on in the background")
            return self.dispatch(node, last)
        except NeedShell as why:
            self._restore(saved)
            self.line = line_of(node)
            return self.keep(node, background, last, str(why))

    def dispatch(self, node: Node, last: bool, checked: bool = False) -> bool:
        self.definition.spend()
        kind = node.type
        if kind == "command":
            return self.simple(node, [], last, checked)
        if kind == "redirected_statement":
            if any(child.type in ("heredoc_redirect", "herestring_redirect") for child in node.children):
                raise NeedShell("a here-document")
            body = node.children[0]
            if body.type == "command":
                return self.simple(body, self.redirects(node), last, checked)
            if body.type in ("list", "test_command", "negated_command", "pipeline") and self._silent(
                self.redirects(node)
            ):
                return self.dispatch(body, last, checked)
            if not body.is_named or body.type == "file_redirect":
                self.redirect(self.redirects(node, 0))
                return False
            raise NeedShell("its output goes elsewhere")
        if kind in ("variable_assignment", "variable_assignments"):
            for one in [node] if kind == "variable_assignment" else node.children:
                self.assignment(one)
            return False
        if kind == "declaration_command":
            self.declaration(node)
            return False
        if kind == "unset_command":
            for child in node.children:
                if child.type == "variable_name":
                    self.unset(text_of(child))
            return False
        if kind == "list":
            return self.and_or(node, last)
        if kind == "if_statement":
            return self.if_(node, last)
        if kind == "compound_statement" and node.children[0].type == "{":
            return self.block(statements(node), last)
        if kind == "test_command":
            if self.errexit and not last:
                self.guard(node, False, Exit("1", False, False))
            else:
                self.note(INFO, "test", "the answer is not used; left out")
            return False
        if kind == "while_statement":
            return self.while_(node, last)
        if kind == "case_statement":
            return self.case(node, last)
        if kind == "for_statement":
            return self.for_(node, last)
        if kind == "function_definition" and not last:
            name = text_of(node.children[1] if node.children[0].type == "function" else node.children[0])
            self.functions[name] = node
            return False
        if kind == "pipeline" and last:
            return self.pipeline(node)
        if kind == "subshell" and last:
            raise NeedShell("a subshell")
        raise NeedShell(
            {"function_definition": "a function", "pipeline": "a pipe", "negated_command": "a negation"}.get(
                kind, kind.replace("_", " ")
            )
        )
