# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables, and the files that set them."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import plain_settings
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import DECISION, INFO, WARNING
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    assigned,
    commands_in,
    line_of,
    parse,
    statements,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit, word_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import programs
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.redirections import Redirections
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    DEFAULT_PATH,
    NAME,
    SETTINGS,
    Before,
    NeedShell,
    Wrap,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


class Settings(Redirections):
    """Assignments, exports, and sourced files as Environment= and EnvironmentFile=."""

    def assignment(self, node: Node) -> None:
        children = node.children
        if not children or children[0].type != "variable_name":
            raise NeedShell("an array")
        name = text_of(children[0])
        operator = text_of(children[1]) if len(children) > 1 else "="
        if len(children) > 2 and children[2].type == "array":
            raise NeedShell("an array")
        value = self.evaluator.value(children[2] if len(children) > 2 else None)
        if operator == "+=":
            value = list(self.get(name) or []) + value
        if name == "IFS":
            raise Wrap(
                "IFS", "the script changes how the shell splits words; the original script is run", line_of(node)
            )
        if any(piece.kind == "shell" for piece in value):
            raise NeedShell("it is known only when the service starts")
        self.assign(name, value)

    def declaration(self, node: Node) -> None:
        word = text_of(node.children[0])
        exports = word == "export"
        for child in node.children[1:]:
            if child.type == "word" and text_of(child).startswith("-"):
                if "x" in text_of(child):
                    exports = True
                elif text_of(child) in ("-n", "-a", "-A", "-f"):
                    raise NeedShell(f"{word} {text_of(child)}")
            elif child.type == "variable_assignment":
                self.assignment(child)
                if exports:
                    self.export(text_of(child.children[0]))
            elif child.type == "variable_name":
                if exports:
                    self.export(text_of(child))
            elif child.is_named:
                raise NeedShell(word)

    def export(self, name: str) -> None:
        self.exported.add(name)
        value = self.get(name)
        if value is not None:
            self._export_value(name, value)

    def unset(self, name: str) -> None:
        if any(piece.kind == "shell" for piece in self.vars.get(name) or ()):
            raise NeedShell("only the shell has the variable")
        self.vars[name] = None
        self.overridable.discard(name)
        if name in self.service.environment:
            del self.service.environment[name]
        elif name in self.dynamic or name in self.current:
            self.service.add("UnsetEnvironment", name)

    def source(self, word: Word, optional: bool, node: Node) -> None:
        text = self.fixed(word)
        if text is None:
            raise NeedShell("the name of the sourced file is known only when the service starts")
        path = self.absolute(text)
        relative = self.definition.relative(path)
        known: bool
        content: str | None
        if relative is not None:
            content = self.definition.text(relative)
            known = content is not None or self.definition.live
        else:
            known, content = self.definition.outside(path)
        if self.withheld_settings(path, optional):
            return
        if content is None:
            if any(mark in path for mark in programs.CODE_MARKS) or path.endswith((".sh", ".bash", "/activate")):
                if path.endswith("/bin/activate"):
                    self.virtual_environment(path)
                    return
                if known and optional:
                    self.note(INFO, ".", f"{path} does not exist on the host; not read any more")
                    return
                raise NeedShell(f"{path} is code for shells")
            usual = relative is not None or path.startswith(
                ("/etc/default/", "/etc/conf.d/", "/etc/sysconfig/", "/etc/sv/", "/usr/local/etc/")
            )
            if not optional and not usual and not known:
                self.note(
                    WARNING,
                    ".",
                    f"{path} was not collected and may use shell, which EnvironmentFile= would misread; a shell goes on reading it",
                )
                text = self.exporting(f". {word_text(lit(path))}", self.exported - set(self.service.environment))
                self.prefix.append(Before(text, None, set(), {"."}))
                self.open_shell = True
                self.open_functions = self.open_functions or not SETTINGS.search(path)
                return
            self.settings_file(path, optional)
            if self.definition.live and known:
                self.note(
                    INFO, ".", f"{path} does not exist; EnvironmentFile= reads it once it does (NAME=value lines only)"
                )
            else:
                self.note(
                    WARNING, ".", f"{path} was not collected; EnvironmentFile= reads its NAME=value lines, but no shell"
                )
            self._open(set(), None)
            return
        plain = plain_settings(content)
        if plain is not None:
            values, mentioned = plain
            names = set(values) | mentioned
            if (
                not names & self.later(node)
                and not self.allexport
                and not names & self.exported
                and not self._interesting(content)
            ):
                self.note(INFO, ".", f"{path} sets nothing that the script uses; not read any more")
                return
            self.settings_file(path, optional)
            self._open(names, values)
            self.note(
                INFO,
                ".",
                f"{path} holds plain NAME=value lines and is read by EnvironmentFile=; all its variables are passed on",
            )
            return
        self.evaluate_file(path, content, optional, node)

    def withheld_settings(self, path: str, optional: bool) -> bool:
        """Have systemd read a file whose contents stayed on the host, which it does as root; False where it is no such file.

        :raises Wrap: systemd would misread it, so that the script goes on doing it.
        """
        one = self.definition.withheld(path)
        if one is None:
            return False
        names = one.get("variables")
        if names is None:
            raise Wrap(
                ".",
                f"{path} is not for every user, so it was left on the host, and it is no plain list of NAME=value lines; "
                "the original script, which reads it, is run",
                self.line,
            )
        self.settings_file(path, optional)
        self._open({*names, *(one.get("mentioned") or ())}, {})
        self.note(
            INFO,
            ".",
            f"{path} is not for every user, so it stays on the host and is read there by EnvironmentFile=; all its variables are passed on",
        )
        return True

    @staticmethod
    def _interesting(content: str) -> bool:
        return "export " in content

    def settings_file(self, path: str, optional: bool) -> None:
        entry = ("-" if optional else "") + path
        if entry not in self.service.environment_files:
            self.service.environment_files.append(entry)

    def _open(self, names: set[str], values: dict[str, str] | None) -> None:
        """From here on variables may come from a settings file. Without `values` nothing is known about it."""
        if values is None:
            self.open_conf = True
            self.overridable |= {
                name
                for name, value in self.vars.items()
                if NAME.match(name) and value is not None and constant(value) is not None
            }
            return
        # In the same order each time: units are kept in git.
        for name in sorted(names):
            before = self.vars.pop(name, None)
            self.overridable.discard(name)
            text = None if before is None else constant(before)
            self.dynamic[name] = text
        self.current.update(values)

    def virtual_environment(self, path: str) -> None:
        root = path[: -len("/bin/activate")]
        self.assign("VIRTUAL_ENV", lit(root))
        self.exported |= {"VIRTUAL_ENV", "PATH"}
        self._export_value("VIRTUAL_ENV", lit(root))
        old = constant(self.get("PATH") or lit(DEFAULT_PATH)) or DEFAULT_PATH
        self.assign("PATH", lit(f"{root}/bin:{old}"))
        self.note(INFO, ".", f"what {path} sets (VIRTUAL_ENV, PATH) is in the unit")

    def evaluate_file(self, path: str, content: str, optional: bool, node: Node) -> None:
        """A settings file that uses shell: its values are fixed, or it goes on being read by a shell."""
        if path in self.reading or len(self.reading) > 8:
            raise NeedShell("it sources itself")
        self.definition.spend(len(content) // 4)
        saved = self._save()
        self.reading.append(path)
        try:
            self._evaluate_file(path, content, optional, node, saved)
        finally:
            self.reading.pop()

    def _evaluate_file(self, path: str, content: str, optional: bool, node: Node, saved: t.Any) -> None:
        outer = (self.script, self.file, self._references, self.sourcing)
        script = parse(content, self._shown(path))
        try:
            if script.errors:
                raise NeedShell("it does not parse")
            self.script, self.file, self.sourcing, self._references = script, script.file, True, None
            before = (len(self.steps), len(self.prefix))
            if self.block(statements(script.root), False) or (len(self.steps), len(self.prefix)) != before:
                raise NeedShell("it does more than set variables")
        except (NeedShell, Wrap) as why:
            self.script, self.file, self._references, self.sourcing = outer
            self._restore(saved)
            self.line = line_of(node)
            text = f". {word_text(lit(path))}"
            if optional:
                text = f"[ ! -r {word_text(lit(path))} ] || {text}"
            text = self.exporting(text, self.exported & assigned(script.root))
            for name in assigned(script.root):
                self.vars[name] = [Piece("shell", f"${name}")]
                self.overridable.discard(name)
            self.prefix.append(Before(text, None, set(), {"."}))
            self.note(
                WARNING,
                ".",
                f"{path} uses shell ({why}), which EnvironmentFile= would misread; a shell goes on reading it",
            )
            self.open_shell = self.open_shell or "." in commands_in(script.root) or "source" in commands_in(script.root)
            return
        self.script, self.file, self._references, self.sourcing = outer
        self.line = line_of(node)
        self.note(
            DECISION,
            ".",
            f"{path} uses shell, which EnvironmentFile= would misread; its values were fixed at translation",
        )

    def _shown(self, path: str) -> str:
        relative = self.definition.relative(path)
        return relative if relative else path

    def sourced_alone(self, found: list[tuple[Node, bool]]) -> tuple[Word, bool, list[str]] | None:
        """A branch that only reads a settings file: the file, whether all of it is exported, and what is besides."""
        word: Word | None = None
        exports = False
        names: list[str] = []
        for node, background in found:
            if background:
                return None
            text = " ".join(text_of(node).split())
            sourced = self.source_of(node)
            if sourced is not None and word is None:
                word = sourced
            elif text in ("set -a", "set -o allexport") and word is None:
                exports = True
            elif text in ("set +a", "set +o allexport") and word is not None:
                continue
            elif (
                node.type == "declaration_command"
                and re.fullmatch(r"export( [A-Za-z_]\w*)+", text)
                and word is not None
            ):
                names += text.split()[1:]
            else:
                return None
        return None if word is None else (word, exports, names)

    def read_settings(self, found: tuple[Word, bool, list[str]], optional: bool, node: Node) -> None:
        word, exports, names = found
        before = self.allexport
        self.allexport = before or exports
        self.exported |= set(names)
        try:
            self.source(word, optional, node)
        finally:
            self.allexport = before

    def source_of(self, node: Node) -> Word | None:
        """The file a node sources, where it does nothing else."""
        if node.type == "redirected_statement" and self._silent(self._try_redirects(node)):
            node = node.children[0]
        if node.type == "command" and text_of(node.children[0]) in (".", "source") and len(node.children) == 2:
            return self.evaluator.value(node.children[1])
        return None
