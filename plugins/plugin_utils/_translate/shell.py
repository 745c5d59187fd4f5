# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell text: parsed by tree-sitter-bash, evaluated as far as it is constant, and printed again where it is not.

A word evaluates to *pieces*. Each piece is literal text, a variable that systemd will expand (`${NAME}`), a specifier of
systemd's (`%H`), or shell text that only a shell can expand. What cannot be evaluated is never guessed: it stays shell text.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

if t.TYPE_CHECKING:
    from tree_sitter import Node

try:
    import tree_sitter
    import tree_sitter_bash
except ImportError as error:  # pragma: no cover - the tests run where they are installed
    _MISSING: str | None = str(error)
else:
    _MISSING = None

# A specifier inside shell text is carried as this character and its letter, so that escaping of % leaves it alone.
SPECIFIER = "\x00"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Text that means itself in every quoting context of the shell.
_SAFE = re.compile(r"[A-Za-z0-9_./:=@,+-]+\Z")
_BLANKS = " \t\n"


class Piece(t.NamedTuple):
    """A part of a word. `kind`: lit, var, spec or shell; `split`: the shell splits it at blanks (unquoted expansion)."""

    kind: str
    text: str
    split: bool = False


Word = list[Piece]


class CannotPrint(Exception):
    """A construct that does not go on one line (a here-document), or that is not shell at all."""


class TooMuch(Exception):
    """More than the time for one service allows: no script that is written by hand is as long. The text says of what."""


class Script(t.NamedTuple):
    """A parsed script."""

    root: Node
    source: bytes
    file: str
    errors: bool


_parser: t.Any = None


def parse(text: str, file: str) -> Script:
    """Parse shell text. `file` names it in findings.

    :raises SystemdError: the parser is not installed on the controller.
    :raises TooMuch: it is too long.
    """
    global _parser
    if _parser is None:
        if _MISSING is not None:
            raise SystemdError(
                f"shell scripts are read with tree-sitter on the controller, which lacks it ({_MISSING}); "
                "install it beside ansible-core: pip install tree-sitter tree-sitter-bash"
            )
        _parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
    # Shells skip NUL; here it marks specifiers.
    source = _hide(text.replace("\0", "").encode("utf-8", "surrogateescape"))
    if len(source) > _MOST_BYTES:
        raise TooMuch(f"{file} has more than {_MOST_BYTES // 1024} KiB of shell")
    if len(_OPENING.findall(source)) > _MOST_OPENINGS:
        raise TooMuch(f"{file} has more than {_MOST_OPENINGS} brackets and here-documents")
    root = _parser.parse(source).root_node
    if root.descendant_count > _MOST_NODES:
        raise TooMuch(f"{file} has more than {_MOST_NODES} words and marks")
    return Script(root, source, file, root.has_error or _too_deep(root, source))


# tree-sitter takes the square of how many of these are open at a time, and cannot be stopped: two or three seconds for the most.
_MOST_BYTES = 64 * 1024
_OPENING = re.compile(rb"[(\[]|<<")
_MOST_OPENINGS = 1500
# Some readers of the tree take the square of its size in time: a second or two for this many nodes (more than a thousand lines).
_MOST_NODES = 12000
# Nesting that no script has; what reads the tree is recursive.
_DEEPEST = 120


def _too_deep(root: Node, source: bytes) -> bool:
    if len(re.findall(rb"[({]|&&|\|\||\bif\b|\bdo\b|!|[-+*]", source)) < _DEEPEST:
        return False
    level = [root]
    for _depth in range(2 * _DEEPEST):
        level = [child for node in level for child in node.children if child.child_count]
        if not level:
            return False
    return True


# tree-sitter-bash 0.25 reads beyond its tables at characters that are not ASCII (and the process dies of it), so it is given
# each of their bytes as a dot and letters. They mean themselves in every context of the shell, as those do.
_HIDDEN = re.compile(rb"\.zQx([0-9a-f]{2})Qz")


def _hide(source: bytes) -> bytes:
    if source.isascii():
        return source
    return re.sub(rb"[\x80-\xff]", lambda match: b".zQx%02xQz" % match.group()[0], source)


def _show(source: bytes) -> str:
    if b"zQx" in source:
        source = _HIDDEN.sub(lambda match: bytes([int(match.group(1), 16)]), source)
    return source.decode("utf-8", "surrogateescape")


def text_of(node: Node) -> str:
    """The source text of a node."""
    return _show(node.text or b"")


def expanded_name(node: Node) -> str:
    """The name in `$NAME`. Within quotes the parser counts blanks before the `$` to it."""
    return text_of(node).lstrip()[1:]


def line_of(node: Node) -> int:
    """Line of a node, from 1."""
    return int(node.start_point[0]) + 1


def walk(node: Node) -> t.Iterator[Node]:
    """The node and all below it, in order."""
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(reversed(one.children))


def statements(node: Node) -> list[tuple[Node, bool]]:
    """The statements of a program, group, branch or loop body, each with whether `&` sends it to the background."""
    found: list[tuple[Node, bool]] = []
    for child in node.children:
        if child.is_named and child.type not in ("comment", "heredoc_body", "heredoc_end"):
            found.append((child, False))
        elif child.type == "&" and found:
            found[-1] = (found[-1][0], True)
    return found


def lit(text: str, split: bool = False) -> Word:
    return [Piece("lit", text, split)]


def constant(word: t.Sequence[Piece]) -> str | None:
    """The text of a word, or None where it is not constant."""
    if any(piece.kind != "lit" for piece in word):
        return None
    return "".join(piece.text for piece in word)


def split_words(pieces: Word) -> list[Word]:
    """What the shell makes of one word after expansion: none, one or several words."""
    words: list[Word] = []
    now: Word = []
    started = False
    for piece in pieces:
        if piece.kind == "lit" and piece.split:
            parts = re.split(r"[ \t\n]+", piece.text)
            for index, part in enumerate(parts):
                if index:
                    if started:
                        words.append(now)
                    now, started = [], False
                if part:
                    now.append(Piece("lit", part))
                    started = True
        else:
            now.append(piece)
            started = True
    if started:
        words.append(now)
    return [tidy(word) for word in words]


def tidy(word: Word) -> Word:
    """The same word with neighbouring texts joined, so that `"NAME=$X"` begins with its name."""
    found: Word = []
    for piece in word:
        if found and piece.kind == found[-1].kind == "lit" and piece.split == found[-1].split:
            found[-1] = piece._replace(text=found[-1].text + piece.text)
        else:
            found.append(piece)
    if len(found) > 1 and found[0] == Piece("lit", "") and not found[1].split:
        return found[1:]
    return found


class Scope(t.Protocol):
    """What the evaluator asks of the script's state."""

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
    for match in re.finditer(r"\\(\n)|\\(.)|(\s)", _show(gap), re.S):
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

    def __init__(self, scope: Scope) -> None:
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
            pending += [Piece("shell", text_of(node), True)] if _has_braces(node) else self.pieces(node)
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
            # The parser counts blanks between two expansions to the second one.
            text = text_of(node)
            before = text[: len(text) - len(text.lstrip())]
            if before:
                return lit(before) + self.pieces(node, quoted, glob, True)
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
        text = _show(raw)
        return re.sub(r"\\([$`\"\\\n])", lambda m: "" if m.group(1) == "\n" else m.group(1), text)

    def _concatenation(self, node: Node, quoted: bool, glob: bool) -> Word:
        found: Word = []
        at = node.start_byte
        source = node.text or b""
        for child in node.children:
            if child.start_byte > at:
                gap = source[at - node.start_byte : child.start_byte - node.start_byte]
                found.append(Piece("lit", _unescape_word(_show(gap))))
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
            inner = text_of(node).lstrip()[2:-1]
            if len(children) == 4 and children[1].type == "#" and _NAME.match(inner[1:]):
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
            if known is None and any(piece.kind in ("var", "shell") for piece in value) and not _has_text(value):
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
        inner = text_of(node).lstrip()[3:-2]

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


def _has_text(value: Word) -> bool:
    return any((piece.kind == "lit" and piece.text) or piece.kind == "spec" for piece in value)


# -- printing


def quote(text: str) -> str:
    """One word of the shell's that stands for this text."""
    if text and _SAFE.match(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def word_text(word: Word) -> str:
    """Evaluated pieces as shell text again."""
    if len(word) > 1 and all(piece.kind == "lit" for piece in word):
        return quote("".join(piece.text for piece in word))
    out = []
    for piece in word:
        if piece.kind == "lit":
            out.append(quote(piece.text) if piece.text or len(word) == 1 else "")
        elif piece.kind == "var":
            out.append(f"${{{piece.text}}}" if piece.split else f'"${{{piece.text}}}"')
        elif piece.kind == "spec":
            out.append(SPECIFIER + piece.text[1:])
        else:
            out.append(piece.text)
    return "".join(out)


# An operator of arithmetic that changes a variable.
_ASSIGNS = re.compile(r"\+\+|--|(?<![=!<>])=(?!=)")


def assigned(node: Node) -> set[str]:
    """Names of the variables a piece of script sets or unsets, as far as the text says."""
    names: set[str] = set()
    for one in walk(node):
        if one.type in ("variable_assignment", "for_statement"):
            names.update(_variables_of(one)[:1])
        elif one.type == "unset_command" or one.type == "declaration_command":
            names.update(text_of(child) for child in one.children if child.type == "variable_name")
        elif one.type == "expansion" and len(one.children) > 3 and text_of(one.children[2]) in (":=", "="):
            names.add(text_of(one.children[1]))
        elif (
            one.type == "command"
            and one.child_count
            and text_of(one.children[0]) in ("read", "getopts", "mapfile", "readarray")
        ):
            names.update(text_of(child) for child in one.children[1:] if _NAME.match(text_of(child)))
        elif one.type == "command" and [text_of(child) for child in one.children[:2]] == ["printf", "-v"]:
            names.update(text_of(child) for child in one.children[2:3])
        elif one.type in ("command", "arithmetic_expansion", "compound_statement"):
            names.update(_named_without_dollar(one) if _ASSIGNS.search(text_of(one)) else ())
    return names


def _variables_of(node: Node) -> list[str]:
    """The names of the variables that a node names itself, of arrays without the index."""
    children = [child.children[0] if child.type == "subscript" else child for child in node.children]
    return [text_of(child) for child in children if child.type in ("variable_name", "special_variable_name")]


def referenced(node: Node) -> set[str]:
    """Names of the variables a piece of script expands."""
    return {name for _start, name in references(node)}


def references(node: Node) -> t.Iterator[tuple[int, str]]:
    """Where a piece of script uses the values of variables: the offset in bytes, and the name."""
    for one in walk(node):
        if one.type == "simple_expansion":
            yield one.start_byte, expanded_name(one)
        elif one.type == "expansion":
            yield from ((one.start_byte, name) for name in _variables_of(one)[:1])
        else:
            yield from ((one.start_byte, name) for name in _named_without_dollar(one))


def bare_names(node: Node) -> set[str]:
    """Names of the variables that arithmetic reads without a `$`."""
    return {name for one in walk(node) for name in _named_without_dollar(one)}


def _named_without_dollar(one: Node) -> list[str]:
    if one.type == "arithmetic_expansion" or (one.type == "compound_statement" and one.children[0].type == "(("):
        return [
            text_of(inner)
            for inner in walk(one)
            if inner.type == "variable_name" and (inner.parent is None or inner.parent.type != "simple_expansion")
        ]
    if one.type == "command" and one.child_count and text_of(one.children[0]) in ("let", "printenv"):
        return re.findall(r"[A-Za-z_]\w*", " ".join(text_of(child) for child in one.children[1:]))
    return []


def commands_in(node: Node) -> set[str]:
    """Names of the commands a piece of script calls by a constant name, and of those given to exec."""
    names: set[str] = set()
    for one in walk(node):
        if one.type == "command_name":
            names.add(text_of(one))
            if text_of(one) == "exec" and one.next_named_sibling is not None:
                names.add(text_of(one.next_named_sibling))
    return names


def assignments(setup: t.Mapping[str, str]) -> str:
    """Shell text that sets variables, `--` for the parameters."""
    return "".join(f"set -- {value}; " if name == "--" else f"{name}={value}; " for name, value in setup.items())


def _is_plain_expansion(node: Node) -> bool:
    """Whether it is `${NAME}` without more."""
    return node.type == "expansion" and len(node.children) == 3 and node.children[1].type == "variable_name"


class Printer:
    """Prints nodes as one line of shell, with constants put in for the variables that have left the script."""

    def __init__(self, scope: Scope, node: Node) -> None:
        self.scope = scope
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
            for name in _variables_of(one)[:1]
        }
        if node.type != "function_definition" and (
            any(name in ("@", "*", "#") or name.isdigit() for name in used) or commands_in(node) & {"shift", "getopts"}
        ):
            self._parameters()
        for name in sorted(used):
            value = scope.get(name, True)
            if value is None or not (_NAME.match(name) or name in ("0", "@", "*", "#")):
                continue
            text = constant(value)
            if text is None:
                for piece in value:
                    if piece.kind == "shell":
                        self.shell_names.add(name)
                if all(piece.kind == "var" and piece.text == name for piece in value):
                    self.keep.add(name)
                elif name not in self.shell_names and _NAME.match(name):
                    self.setup[name] = word_text([piece._replace(split=False) for piece in value])
            elif not _NAME.match(name):
                continue
            elif name in self.own or name in bare or not _SAFE.match(text):
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
        for name in referenced(node):
            text = constant(self.scope.get(name) or [Piece("shell", "")])
            if text is not None and _NAME.match(name):
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
            return "{ " + self.block(node) + "; }"
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
            parts.append(self.line(child) + (" &" if background else ""))
        if not parts:
            return ":"
        out = parts[0]
        for part in parts[1:]:
            out += (" " if out.endswith(" &") else "; ") + part
        return out

    def _until(self, node: Node, start: int, stop: tuple[str, ...]) -> str:
        parts = []
        for child in node.children[start:]:
            if child.type in stop:
                break
            if child.is_named and child.type != "comment":
                parts.append(self.line(child))
        return "; ".join(parts) or ":"

    def _do(self, node: Node) -> str:
        for child in node.children:
            if child.type == "do_group":
                return f"do {self.block(child)}; done".replace(" &; done", " & done")
            if child.type == "compound_statement":
                return self.line(child)
        raise CannotPrint(node.type)

    def _if(self, node: Node) -> str:
        condition = self._until(node, 1, ("then",))
        out = f"if {condition}; then {self._branch(node)}"
        for child in node.children:
            if child.type == "elif_clause":
                out += f"; elif {self._until(child, 1, ('then',))}; then {self._branch(child)}"
            elif child.type == "else_clause":
                out += f"; else {self.block(child)}"
        return (out + "; fi").replace(" &;", " &")

    def _branch(self, node: Node) -> str:
        parts = []
        for child, background in branch(node):
            parts.append(self.line(child) + (" &" if background else ""))
        return "; ".join(parts).replace(" &;", " &") or ":"

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
            if text is not None and _SAFE.match(text) and (_NAME.match(name) or name == "0"):
                own = one.text or b""
                start = one.start_byte - node.start_byte + len(own) - len(own.lstrip())
                edits.append((start, one.end_byte - node.start_byte, text.encode()))
        for start, end, new in sorted(edits, reverse=True):
            source = source[:start] + new + source[end:]
        text = _show(source)
        if "\n" not in text:
            return text
        # The line ends that this leaves are within quotes: they belong to the text.
        return _join_lines(text)


def branch(node: Node) -> list[tuple[Node, bool]]:
    """The statements between `then` and what ends the branch."""
    found: list[tuple[Node, bool]] = []
    seen = False
    for child in node.children:
        if child.type == "then":
            seen = True
        elif not seen:
            continue
        elif child.type in ("elif_clause", "else_clause", "fi"):
            break
        elif child.is_named and child.type != "comment":
            found.append((child, False))
        elif child.type == "&" and found:
            found[-1] = (found[-1][0], True)
    return found


class Arm(t.NamedTuple):
    """One branch of a `case`.

    :param falls: whether the next one follows it (`;&`), or something in it is put into the background.
    """

    patterns: list[str]
    body: list[Node]
    falls: bool


def arms(node: Node) -> t.Iterator[Arm]:
    """The branches of a `case`, in order."""
    for item in node.children:
        if item.type != "case_item":
            continue
        at = next((at for at, child in enumerate(item.children) if child.type == ")"), len(item.children))
        patterns = [text_of(child).strip("\"'") for child in item.children[:at] if child.is_named]
        rest = item.children[at:]
        body = [child for child in rest if child.is_named and child.type != "comment"]
        yield Arm(patterns, body, any(child.type in (";&", ";;&", "&") for child in rest))


def condition_of(node: Node) -> list[Node]:
    """The commands between `if`, `while` or `until` and `then` or the body."""
    found = []
    for child in node.children[1:]:
        if child.type in ("then", "do_group"):
            break
        if child.is_named and child.type != "comment":
            found.append(child)
    return found


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


def test_words(node: Node) -> list[Node]:
    """The words of a `[ ... ]` or `[[ ... ]]`, without the brackets, as leaves of the tree."""
    found: list[Node] = []
    for child in node.children:
        if child.type in ("[", "]", "[[", "]]"):
            continue
        if child.type in ("unary_expression", "binary_expression", "parenthesized_expression"):
            found += test_words(child)
        else:
            found.append(child)
    return found
