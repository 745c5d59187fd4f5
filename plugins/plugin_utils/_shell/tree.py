# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell text as tree-sitter-bash reads it, and questions about its parts: statements, branches, names that are set, used or called."""

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


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


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
    for _turn in range(_MOST_REPAIRS):
        braced = _braced(root, source)
        if braced == source:
            break
        source = braced
        root = _parser.parse(source).root_node
    if root.descendant_count > _MOST_NODES:
        raise TooMuch(f"{file} has more than {_MOST_NODES} words and marks")
    return Script(root, source, file, root.has_error or _too_deep(root, source))


# How often expansions that the parser overlooks are given braces: it may overlook another one behind each.
_MOST_REPAIRS = 8


def _braced(root: Node, source: bytes) -> bytes:
    """The source with braces around names whose `$` the parser took for a word of its own, as in `$A/b/$C/d`, `x.$$` and `x/$1/$2`."""
    found = []
    for one in walk(root) if _WITHIN.search(source) else ():
        if one.type == "$" and not one.child_count and one.parent is not None and one.parent.type == "concatenation":
            name = _NAME_AT.match(source, one.start_byte + 1)
            if name is not None:
                found.append(name.span())
    for start, end in sorted(found, reverse=True):
        source = source[:start] + b"{" + source[start:end] + b"}" + source[end:]
    return source


# An expansion within an unquoted word.
_WITHIN = re.compile(rb"[\w./:@%+,}-]\$[\w$?#@*!-]")
_NAME_AT = re.compile(rb"[$0-9?#@*!-]|[A-Za-z_][A-Za-z0-9_]*")
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


def shown(source: bytes) -> str:
    if b"zQx" in source:
        source = _HIDDEN.sub(lambda match: bytes([int(match.group(1), 16)]), source)
    return source.decode("utf-8", "surrogateescape")


def text_of(node: Node) -> str:
    """The source text of a node."""
    source = node.text or b""
    # Called more often than all else: for most texts, one call less.
    return shown(source) if b"zQx" in source else source.decode("utf-8", "surrogateescape")


def expanded_name(node: Node) -> str:
    """The name in `$NAME`. Within quotes the parser counts blanks and continued lines before the `$` to it."""
    return shown((node.text or b"")[start_of(node) + 1 :])


def start_of(node: Node) -> int:
    """Where in the text of an expansion it begins, in bytes: within quotes the parser counts blanks before it to it."""
    return next((at for at, byte in enumerate(node.text or b"") if byte in b"$`"), 0)


def line_of(node: Node) -> int:
    """Line of a node, from 1."""
    return int(node.start_point[0]) + 1


def walk(node: Node) -> t.Iterator[Node]:
    """The node and all below it, in order."""
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        if one.child_count:
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


# An operator of arithmetic that changes a variable.
_ASSIGNS = re.compile(r"\+\+|--|(?<![=!<>])=(?!=)")


def assigned(node: Node) -> set[str]:
    """Names of the variables a piece of script sets or unsets, as far as the text says."""
    names: set[str] = set()
    for one in walk(node):
        if one.type in ("variable_assignment", "for_statement"):
            names.update(variables_of(one)[:1])
        elif one.type == "unset_command" or one.type == "declaration_command":
            names.update(text_of(child) for child in one.children if child.type == "variable_name")
        elif one.type == "expansion" and len(one.children) > 3 and text_of(one.children[2]) in (":=", "="):
            names.add(text_of(one.children[1]))
        elif (
            one.type == "command"
            and one.child_count
            and text_of(one.children[0]) in ("read", "getopts", "mapfile", "readarray")
        ):
            names.update(text_of(child) for child in one.children[1:] if NAME.match(text_of(child)))
        elif one.type == "command" and [text_of(child) for child in one.children[:2]] == ["printf", "-v"]:
            names.update(text_of(child) for child in one.children[2:3])
        elif one.type in ("command", "arithmetic_expansion", "compound_statement"):
            names.update(_named_without_dollar(one) if _ASSIGNS.search(text_of(one)) else ())
    return names


def variables_of(node: Node) -> list[str]:
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
            yield from ((one.start_byte, name) for name in variables_of(one)[:1])
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
