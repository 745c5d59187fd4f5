# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell text again, on one line, with constants put in for what has left the script."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.evaluate import Expansions
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    NAME,
    assigned,
    bare_names,
    branch,
    commands_in,
    expanded_name,
    referenced,
    shown,
    start_of,
    statements,
    text_of,
    variables_of,
    walk,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import (
    SAFE,
    Piece,
    constant,
    quote,
    split_words,
    word_text,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


class CannotPrint(Exception):
    """A construct that does not go on one line (a here-document), or that is not shell at all."""


def assignments(setup: t.Mapping[str, str]) -> str:
    """Shell text that sets variables, `--` for the parameters."""
    return "".join(f"set -- {value}; " if name == "--" else f"{name}={value}; " for name, value in setup.items())


def _joined(parts: t.Sequence[str]) -> str:
    """Pieces of shell one after another, each of which is ended by `;` or has been by `&`."""
    out = "".join(part + (" " if part.endswith(" &") else "; ") for part in parts[:-1])
    return out + "".join(parts[-1:])


def _is_plain_expansion(node: Node) -> bool:
    """Whether it is `${NAME}` without more."""
    return node.type == "expansion" and len(node.children) == 3 and node.children[1].type == "variable_name"


class Printer:
    """Prints nodes as one line of shell, with constants put in for the variables that have left the script."""

    def __init__(
        self,
        scope: Expansions,
        node: Node,
        instead: t.Callable[[Node], str | None] = lambda _node: None,
        background: bool = True,
    ) -> None:
        """
        :param instead: the text of a command that is to stand for another one, None for its own.
        :param background: what goes on in the background still does; else it is waited for.
        """
        self.sends = " &" if background else ""
        self.scope = scope
        self.instead = instead
        self.own = assigned(node)
        self.setup: dict[str, str] = {}
        self.shell_names: set[str] = set()
        self.keep: set[str] = set()
        used = referenced(node)
        # What `_plain` puts no constant in for.
        bare = bare_names(node) | {
            name
            for one in walk(node)
            if one.type == "expansion" and not _is_plain_expansion(one)
            for name in variables_of(one)[:1]
        }
        if node.type != "function_definition" and (
            any(name in ("@", "*", "#") or name.isdigit() for name in used) or commands_in(node) & {"shift", "getopts"}
        ):
            self._parameters()
        for name in sorted(used):
            if name == "PWD" and not commands_in(node).isdisjoint(("cd", "pushd", "popd")):
                # The shell knows best where it is then.
                self.keep.add(name)
                continue
            value = scope.get(name, True)
            if value is None or not (NAME.match(name) or name in ("0", "@", "*", "#")):
                continue
            text = constant(value)
            if text is None:
                for piece in value:
                    if piece.kind == "shell":
                        self.shell_names.add(name)
                if all(piece.kind == "var" and piece.text == name for piece in value):
                    self.keep.add(name)
                elif name not in self.shell_names and NAME.match(name):
                    self.setup[name] = word_text([piece._replace(split=False) for piece in value])
            elif not NAME.match(name):
                continue
            elif name in self.own or name in bare or not SAFE.match(text):
                self.setup[name] = quote(text)

    def _parameters(self) -> None:
        """What `set --` gave the script before: the text needs it as well."""
        value = self.scope.get("@", True)
        if value and not any(piece.kind == "shell" for piece in value):
            self.setup["--"] = " ".join(word_text(word) for word in split_words(value))

    def prefix(self) -> str:
        """Assignments the text needs before it."""
        return assignments(self.setup)

    def document(self, node: Node) -> str:
        """A command with a here-document, as it is; the constants it uses are set up before it."""
        for name in sorted(referenced(node)):
            text = constant(self.scope.get(name) or [Piece("shell", "")])
            if text is not None and NAME.match(name):
                self.setup[name] = quote(text)
        for one in walk(node):
            if one.type == "ERROR" or one.is_missing:
                raise CannotPrint(one.type)
        return text_of(node) + "\n"

    def line(self, node: Node) -> str:
        """The node on one line.

        :raises CannotPrint: it has a here-document or does not parse.
        """
        kind = node.type
        if kind in ("ERROR", "heredoc_redirect") or node.is_missing:
            raise CannotPrint(kind)
        other = self.instead(node)
        if other is not None:
            return other
        if kind in ("program",):
            return self.block(node)
        if kind == "if_statement":
            return self._if(node)
        if kind == "while_statement":
            word = text_of(node.children[0])
            condition = self._until(node, 1, ("do_group",))
            return f"{word} {condition}; {self._do(node)}"
        if kind == "for_statement":
            body = self._do(node)
            header = []
            for child in node.children:
                if child.type == "do_group":
                    break
                if child.type not in (";", "\n"):
                    header.append(text_of(child) if child.type == "variable_name" else self._plain(child))
            return f"{' '.join(header)}; {body}"
        if kind == "compound_statement":
            if node.children[0].type != "{":
                raise CannotPrint(kind)
            return _joined(["{ " + self.block(node), "}"])
        if kind == "subshell":
            return "(" + self.block(node) + ")"
        if kind == "function_definition":
            name = text_of(node.children[1] if node.children[0].type == "function" else node.children[0])
            return f"{name}() {self.line(node.children[-1])}"
        if kind == "case_statement":
            return self._case(node)
        if kind in ("list", "pipeline"):
            return " ".join(self.line(child) if child.is_named else text_of(child) for child in node.children)
        if kind == "negated_command":
            return "! " + self.line(node.children[-1])
        if kind == "redirected_statement":
            if any(child.type in ("heredoc_redirect", "herestring_redirect") for child in node.children):
                raise CannotPrint("heredoc_redirect")
            return " ".join(self.line(child) for child in node.children)
        return self._plain(node)

    def block(self, node: Node, skip: t.Collection[int] = ()) -> str:
        """The statements of a block, joined."""
        parts: list[str] = []
        for child, background in statements(node):
            if child.id in skip:
                continue
            parts.append(self.line(child) + (self.sends if background else ""))
        if not parts:
            return ":"
        return _joined(parts)

    def _until(self, node: Node, start: int, stop: tuple[str, ...]) -> str:
        parts = []
        for child in node.children[start:]:
            if child.type in stop:
                break
            if child.is_named and child.type != "comment":
                parts.append(self.line(child))
        return _joined(parts) or ":"

    def _do(self, node: Node) -> str:
        for child in node.children:
            if child.type == "do_group":
                return _joined([f"do {self.block(child)}", "done"])
            if child.type == "compound_statement":
                return self.line(child)
        raise CannotPrint(node.type)

    def _if(self, node: Node) -> str:
        condition = self._until(node, 1, ("then",))
        parts = [f"if {condition}", f"then {self._branch(node)}"]
        for child in node.children:
            if child.type == "elif_clause":
                parts += [f"elif {self._until(child, 1, ('then',))}", f"then {self._branch(child)}"]
            elif child.type == "else_clause":
                parts.append(f"else {self.block(child)}")
        return _joined([*parts, "fi"])

    def _branch(self, node: Node) -> str:
        parts = []
        for child, background in branch(node):
            parts.append(self.line(child) + (self.sends if background else ""))
        return _joined(parts) or ":"

    def _case(self, node: Node) -> str:
        value = next(child for child in node.children[1:] if child.is_named)
        out = f"case {self._plain(value)} in "
        for item in node.children:
            if item.type != "case_item":
                continue
            patterns = []
            body = []
            end = ";;"
            seen = False
            for child in item.children:
                if child.type == ")":
                    seen = True
                elif not seen:
                    if child.is_named:
                        patterns.append(self._plain(child))
                elif child.type in (";;", ";&", ";;&"):
                    end = child.type
                elif child.type == "&":
                    if self.sends:
                        raise CannotPrint("background in case")
                elif child.is_named and child.type != "comment":
                    body.append(self.line(child))
            out += f"{'|'.join(patterns)}) {'; '.join(body) or ':'} {end} "
        return out + "esac"

    def _plain(self, node: Node) -> str:
        """Source text, continuation lines joined, constants put in."""
        source = node.text or b""
        edits: list[tuple[int, int, bytes]] = []
        for one in walk(node):
            if one.type in ("ERROR", "heredoc_redirect", "comment") or one.is_missing:
                raise CannotPrint(one.type)
            name = None
            if one.type == "simple_expansion":
                name = expanded_name(one)
            elif _is_plain_expansion(one):
                name = text_of(one.children[1])
            if name is None or name in self.own or name in self.setup or name in self.keep:
                continue
            value = self.scope.get(name)
            text = None if value is None else constant(value)
            if text is not None and SAFE.match(text) and (NAME.match(name) or name == "0"):
                start = one.start_byte - node.start_byte + start_of(one)
                edits.append((start, one.end_byte - node.start_byte, text.encode()))
        for start, end, new in sorted(edits, reverse=True):
            source = source[:start] + new + source[end:]
        text = shown(source)
        if "\n" not in text:
            return text
        # The line ends that this leaves are within quotes: they belong to the text.
        return _join_lines(text)


def _join_lines(text: str) -> str:
    """Without backslash-newline outside single quotes; blanks around the joint become one."""
    out: list[str] = []
    quote_char = ""
    index = 0
    while index < len(text):
        char = text[index]
        if quote_char == "'":
            if char == "'":
                quote_char = ""
        elif char == "\\" and index + 1 < len(text):
            if text[index + 1] == "\n":
                index += 2
                if not quote_char:
                    while index < len(text) and text[index] in " \t":
                        index += 1
                    while out and out[-1] in " \t":
                        out.pop()
                    out.append(" ")
                continue
            out.append(char)
            index += 1
            char = text[index]
        elif quote_char:
            if char == quote_char:
                quote_char = ""
        elif char in "\"'":
            quote_char = char
        out.append(char)
        index += 1
    return "".join(out)
