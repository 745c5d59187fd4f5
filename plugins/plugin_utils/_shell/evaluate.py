# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of shell text, evaluated as far as they are constant."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    NAME,
    expanded_name,
    shown,
    start_of,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import (
    Piece,
    Word,
    constant,
    has_text,
    lit,
    split_words,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


class Expansions(t.Protocol):
    """What words come to, as the evaluator and the printer ask for it."""

    def get(self, name: str, quiet: bool = False) -> Word | None:
        """The value of a variable or parameter as unquoted, unsplit pieces; None where it is unset.

        `quiet`: that it may be unset is provided for.
        """

    def default(self, name: str, value: str) -> bool:
        """Give a variable that systemd will expand a default; False where it has another one already."""

    def assign(self, name: str, value: Word) -> None: ...

    def substitute(self, node: Node) -> Word | None:
        """The value of a command substitution; None where only a shell can tell."""

    def home(self, user: str) -> str | None:
        """The home directory of a user ('' for root), where known."""

    def shell_text(self, node: Node) -> str:
        """The text of a node that stays shell, constants put in."""

    def misread(self, node: Node) -> None:
        """The parser took a word for another; raises what has the whole script go on being run."""


def _pattern(text: str, greedy: bool) -> str:
    out = []
    index = 0
    while index < len(text):
        char = text[index]
        if char == "*":
            out.append(".*" if greedy else ".*?")
        elif char == "?":
            out.append(".")
        elif char == "\\" and index + 1 < len(text):
            index += 1
            out.append(re.escape(text[index]))
        elif char == "[" and "]" in text[index + 2 :]:
            end = text.index("]", index + 2)
            inner = text[index + 1 : end]
            negate = inner[:1] in ("!", "^")
            out.append("[" + ("^" if negate else "") + inner[negate:].replace("\\", "\\\\") + "]")
            index = end
        else:
            out.append(re.escape(char))
        index += 1
    return "".join(out)


def _strip(value: str, operator: str, pattern: str) -> str | None:
    pattern = pattern.replace('"', "").replace("'", "")
    if len(value) > 4096 or pattern.count("*") > 4:
        # Not for backtracking.
        return None
    greedy = len(operator) == 2
    try:
        if operator[0] == "#":
            match = re.match(_pattern(pattern, greedy), value, re.S)
            return value[match.end() :] if match else value
        starts = range(len(value) + 1) if greedy else range(len(value), -1, -1)
        compiled = re.compile(_pattern(pattern, True) + r"\Z", re.S)
        for start in starts:
            if compiled.match(value, start):
                return value[:start]
        return value
    except re.error:
        return None


def _unescape_word(text: str) -> str:
    return re.sub(r"\\(\n|.)", lambda m: "" if m.group(1) == "\n" else m.group(1), text, flags=re.S)


_ANSI = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}


def _ansi(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] in "01234567":
            return chr(int(code, 8))
        if code[0] == "x" and len(code) > 1:
            return chr(int(code[1:], 16))
        return _ANSI.get(code, code)

    return re.sub(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", one, text, flags=re.S)


def _expansion_text(node: Node) -> str:
    """The text of an expansion, without what the parser counts to it."""
    return shown((node.text or b"")[start_of(node) :])


def _touches_name(node: Node) -> bool:
    """Whether what stands right behind a node could be the name of an expansion."""
    parent = node.parent
    if parent is None:
        return False
    behind = (parent.text or b"")[node.end_byte - parent.start_byte :][:1]
    return re.match(rb"[A-Za-z_{(]", behind) is not None


def _between(before: Node | None, node: Node) -> list[str]:
    """What separates two words: `""` for blanks, else the blank that a backslash makes part of a word."""
    if before is None or before.end_byte == node.start_byte:
        return []
    parent = node.parent
    previous = node.prev_sibling
    if parent is None or previous is None or previous.id != before.id:
        return [""]
    gap = (parent.text or b"")[before.end_byte - parent.start_byte : node.start_byte - parent.start_byte]
    if b"\\" not in gap:
        return [""]
    found: list[str] = []
    for match in re.finditer(r"\\(\n)|\\(.)|(\s)", shown(gap), re.S):
        if match.group(2) is not None:
            found.append(match.group(2))
        elif not match.group(1) and found[-1:] != [""]:
            found.append("")
    return found or [""]


# Quoted text and expansions, and what is left of a word for braces to be in.
_NO_BRACES = re.compile(r"'[^']*'|\"(?:[^\"\\\\]|\\\\.)*\"|\\\\.|\$\{[^}]*\}", re.S)
_BRACES = re.compile(r"\{[^{}\s]*(?:,|\.\.)[^{}\s]*\}")


def _has_braces(node: Node) -> bool:
    """Whether a word is several by `{a,b}` or `{1..3}`, which bash expands, also as sh."""
    if node.type not in ("concatenation", "word", "brace_expression"):
        return False
    text = text_of(node)
    return "{" in text and _BRACES.search(_NO_BRACES.sub("", text)) is not None


class Evaluator:
    """Evaluates word nodes in a scope."""

    def __init__(self, scope: Expansions) -> None:
        self.scope = scope

    def words(self, nodes: t.Iterable[Node]) -> list[Word]:
        """The arguments a command gets from these nodes."""
        found: list[Word] = []
        pending: Word = []
        before: Node | None = None
        for node in nodes:
            # The parser takes some words apart; what touches belongs together, and so do escaped blanks between.
            for escaped in _between(before, node):
                if escaped:
                    pending.append(Piece("lit", escaped))
                else:
                    found += split_words(pending)
                    pending = []
            pending += self.shell(node, False) if _has_braces(node) else self.pieces(node)
            before = node
        return found + split_words(pending)

    def value(self, node: Node | None) -> Word:
        """The value an assignment gets: no splitting, no globbing."""
        if node is None:
            return lit("")
        return [piece._replace(split=False) for piece in self.pieces(node, glob=False)]

    def pieces(self, node: Node, quoted: bool = False, glob: bool = True, blanks: bool = False) -> Word:
        kind = node.type
        if kind == "command_name":
            return self.pieces(node.children[0], quoted, glob)
        if (
            quoted
            and not blanks
            and kind in ("simple_expansion", "expansion", "command_substitution", "arithmetic_expansion")
        ):
            # The parser counts blanks between two expansions to the second one, continued lines among them.
            start = start_of(node)
            if start:
                return lit(self._quoted((node.text or b"")[:start])) + self.pieces(node, quoted, glob, True)
        if kind in (
            "word",
            "number",
            "variable_name",
            "extglob_pattern",
            "regex",
            "test_operator",
            "special_variable_name",
        ):
            return self._word(node, glob)
        if kind == "string":
            return self._string(node)
        if kind == "raw_string":
            return lit(text_of(node)[1:-1])
        if kind == "ansi_c_string":
            return lit(_ansi(text_of(node)[2:-1]))
        if kind == "concatenation":
            return self._concatenation(node, quoted, glob)
        if kind == "simple_expansion":
            return self._expand(expanded_name(node), node, quoted)
        if kind == "expansion":
            return self._expansion(node, quoted)
        if kind == "command_substitution":
            value = self.scope.substitute(node)
            if value is not None:
                return [piece._replace(split=not quoted) for piece in value]
            return self.shell(node, quoted)
        if kind == "arithmetic_expansion":
            return self._arithmetic(node, quoted)
        return self.shell(node, quoted)

    def shell(self, node: Node, quoted: bool) -> Word:
        text = self.scope.shell_text(node).lstrip()
        return [Piece("shell", f'"{text}"' if quoted else text, not quoted)]

    def _word(self, node: Node, glob: bool) -> Word:
        text = text_of(node)
        if text.startswith("~"):
            user, slash, rest = text[1:].partition("/")
            home = self.scope.home(user)
            if home is None:
                return [Piece("shell", text)]
            return lit(home + slash + _unescape_word(rest))
        if glob and any(char in re.sub(r"\\.", "", text) for char in "*?["):
            return [Piece("shell", text)]
        if "$" in text.replace("\\$", ""):
            # Next to braces and backslashes the parser overlooks expansions.
            found: Word = []
            for part in re.split(r"(\\.|\$\{[A-Za-z_]\w*\}|\$[A-Za-z_]\w*)", text, flags=re.S):
                if part[:1] == "$" and len(part) > 1:
                    found += self._expand(part[1:].strip("{}"), node, False)
                elif part:
                    found.append(Piece("lit", _unescape_word(part)))
            return found
        return lit(_unescape_word(text))

    def _string(self, node: Node) -> Word:
        # Between the children there may be text that belongs to none of them.
        source = node.text or b""
        if source in (b'"$@"', b'"${@}"'):
            found = self.scope.get("@") or [Piece("lit", "", True)]
            return [Piece("shell", '"$@"') if piece.kind == "shell" else piece for piece in found]
        found = [Piece("lit", "")]
        at = 1
        for child in node.children[1:-1] if len(node.children) > 1 else []:
            start, end = child.start_byte - node.start_byte, child.end_byte - node.start_byte
            if start > at:
                found.append(Piece("lit", self._quoted(source[at:start])))
            if child.type == "string_content":
                found.append(Piece("lit", self._quoted(source[start:end])))
            elif child.is_named:
                found += self.pieces(child, quoted=True)
            else:
                found.append(Piece("lit", self._quoted(source[start:end])))
            at = end
        if len(source) - 1 > at:
            found.append(Piece("lit", self._quoted(source[at : len(source) - 1])))
        return found

    @staticmethod
    def _quoted(raw: bytes) -> str:
        text = shown(raw)
        return re.sub(r"\\([$`\"\\\n])", lambda m: "" if m.group(1) == "\n" else m.group(1), text)

    def _concatenation(self, node: Node, quoted: bool, glob: bool) -> Word:
        found: Word = []
        at = node.start_byte
        source = node.text or b""
        for child in node.children:
            if child.start_byte > at:
                gap = source[at - node.start_byte : child.start_byte - node.start_byte]
                found.append(Piece("lit", _unescape_word(shown(gap))))
            if child.type == "$" and (child.next_sibling is not None or _touches_name(node)):
                # The parser has overlooked an expansion (`{a,b}$A/$B`): nothing here can be trusted.
                self.scope.misread(node)
            if child.is_named:
                piece = self.pieces(child, quoted, glob)
                if found and child.type == "word" and text_of(child).startswith("~"):
                    piece = lit(_unescape_word(text_of(child)))
                found += piece
            else:
                found.append(Piece("lit", _unescape_word(text_of(child))))
            at = child.end_byte
        # An expansion that is still there as text has been overlooked.
        if any(
            piece.kind == "lit" and not piece.split and re.search(r"\$[A-Za-z_{(]", piece.text) for piece in found
        ) and re.search(r"(?<!\\)\$[A-Za-z_{(]", re.sub(r"'[^']*'", "", text_of(node))):
            self.scope.misread(node)
        return found

    def _expand(self, name: str, node: Node, quoted: bool) -> Word:
        value = self.scope.get(name)
        if value is None:
            return lit("") if quoted else [Piece("lit", "", True)]
        return self._as_expanded(value, quoted)

    @staticmethod
    def _as_expanded(value: Word, quoted: bool) -> Word:
        found: Word = []
        for piece in value:
            if piece.kind == "shell" and quoted and not piece.text.startswith('"'):
                found.append(Piece("shell", f'"{piece.text}"', False))
            else:
                found.append(piece._replace(split=not quoted))
        return found or [Piece("lit", "", not quoted)]

    def _expansion(self, node: Node, quoted: bool) -> Word:
        children = node.children
        if len(children) < 3 or children[1].type not in ("variable_name", "special_variable_name", "simple_expansion"):
            inner = _expansion_text(node)[2:-1]
            if len(children) == 4 and children[1].type == "#" and NAME.match(inner[1:]):
                value = self.scope.get(inner[1:])
                size = constant(value or lit(""))
                if size is not None:
                    return lit(str(len(size)))
            return self.shell(node, quoted)
        name = text_of(children[1])
        if len(children) == 3:
            return self._expand(name, node, quoted)
        operator = text_of(children[2])
        operands = children[3:-1]
        value = self.scope.get(name, True)
        known = None if value is None else constant(value)
        if operator in (":-", "-", ":=", "=", ":?", "?"):
            unset = value is None or (operator[0] == ":" and known == "")
            if value is not None and not unset and known is not None:
                return self._as_expanded(value, quoted)
            if operator in (":?", "?"):
                if unset:
                    return self.shell(node, quoted)
                return self._as_expanded(t.cast(Word, value), quoted)
            other = self._operands(operands, quoted)
            if not unset:
                # Known only when the service starts: systemd expands it, and knows a default.
                pieces = t.cast(Word, value)
                text = constant(other)
                if (
                    text is not None
                    and not quoted
                    and any(not one.split and re.search(r"\s", one.text) for one in other)
                ):
                    # The blanks of a quoted default do not separate words, those of a value do.
                    return self.shell(node, quoted)
                if len(pieces) == 1 and pieces[0].kind == "var" and text is not None:
                    if self.scope.default(pieces[0].text, text):
                        return self._as_expanded(pieces, quoted)
                    return self.shell(node, quoted)
                return self.shell(node, quoted)
            if "=" in operator:
                self.scope.assign(name, [piece._replace(split=False) for piece in other] or lit(""))
            return other or self._as_expanded([], quoted)
        if operator in (":+", "+"):
            if value is None or (operator == ":+" and known == ""):
                return self._as_expanded([], quoted)
            if known is None and any(piece.kind in ("var", "shell") for piece in value) and not has_text(value):
                return self.shell(node, quoted)
            other = self._operands(operands, quoted)
            return other or self._as_expanded([], quoted)
        if operator in ("#", "##", "%", "%%") and (value is None or known is not None):
            pattern = ""
            for operand in operands:
                if operand.type in ("expansion", "simple_expansion", "command_substitution", "concatenation", "string"):
                    part = constant(self.pieces(operand, True, glob=False))
                    if part is None:
                        return self.shell(node, quoted)
                    pattern += part
                else:
                    pattern += text_of(operand)
            stripped = _strip(known or "", operator, pattern)
            if stripped is not None:
                return [Piece("lit", stripped, not quoted)]
        return self.shell(node, quoted)

    def _operands(self, operands: list[Node], quoted: bool) -> Word:
        """The words behind `:-` and its kin: unquoted, they are split as the expansion is, but for what has quotes of its own."""
        found: Word = []
        for operand in operands:
            for one in operand.children if operand.type == "concatenation" else [operand]:
                own = one.type in ("string", "raw_string", "ansi_c_string")
                pieces = self.pieces(one, quoted, glob=False)
                found += pieces if own else [piece._replace(split=piece.split or not quoted) for piece in pieces]
        return found

    def _arithmetic(self, node: Node, quoted: bool) -> Word:
        inner = _expansion_text(node)[3:-2]

        def value(match: re.Match[str]) -> str:
            got = self.scope.get(match.group(1))
            text = constant(got) if got is not None else "0"
            return text if text is not None and re.fullmatch(r"-?\d+", text or "0") else "?"

        expression = re.sub(r"\$?\{?([A-Za-z_]\w*)\}?", value, inner)
        if (
            re.fullmatch(r"[0-9+*() \t-]+", expression)
            and "**" not in expression
            and not re.search(r"\b0\d", expression)
        ):
            try:
                return lit(str(_calculate(expression)))
            except (ValueError, IndexError):
                pass
        return self.shell(node, quoted)


def _calculate(expression: str) -> int:
    """Integer arithmetic with + - * and parentheses."""
    tokens = re.findall(r"\d+|[-+*()]", expression)
    at = 0

    def atom() -> int:
        nonlocal at
        token = tokens[at]
        at += 1
        if token == "(":
            value = total()
            if tokens[at] != ")":
                raise ValueError(expression)
            at += 1
            return value
        if token == "-":
            return -atom()
        if token == "+":
            return atom()
        return int(token)

    def product() -> int:
        nonlocal at
        value = atom()
        while at < len(tokens) and tokens[at] == "*":
            at += 1
            value *= atom()
        return value

    def total() -> int:
        nonlocal at
        value = product()
        while at < len(tokens) and tokens[at] in "+-":
            sign = tokens[at]
            at += 1
            value = value + product() if sign == "+" else value - product()
        return value

    result = total()
    if at != len(tokens):
        raise ValueError(expression)
    return result
