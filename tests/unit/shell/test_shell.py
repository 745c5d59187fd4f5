# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell text without an interpreter: what a dict of variables makes of words, and statements on one line."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.evaluate import Evaluator
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.print import CannotPrint, Printer
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    TooMuch,
    assigned,
    commands_in,
    parse,
    referenced,
    statements,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit, word_text

if t.TYPE_CHECKING:
    from tree_sitter import Node


class Variables:
    """Constants, and nothing that only a running script could tell."""

    def __init__(self, values: t.Mapping[str, str]) -> None:
        self.values = {name: lit(value) for name, value in values.items()}

    def get(self, name: str, quiet: bool = False) -> Word | None:
        return self.values.get(name)

    def default(self, name: str, value: str) -> bool:
        return False

    def assign(self, name: str, value: Word) -> None:
        self.values[name] = value

    def substitute(self, node: Node) -> Word | None:
        return None

    def home(self, user: str) -> str | None:
        return {"": "/root", "www": "/srv"}.get(user)

    def shell_text(self, node: Node) -> str:
        return text_of(node)

    def misread(self, node: Node) -> None:
        raise AssertionError(text_of(node))


def words(text: str, **values: str) -> list[Word]:
    command, _background = statements(parse(text, "run").root)[0]
    return Evaluator(Variables(values)).words(command.children)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a 'b c' \"d e\" f\\ g", ["a", "b c", "d e", "f g"]),
        ("a $X \"$X\"", ["a", "b", "c", "b c"]),
        ("a ${NO:-d} ${NO:=e} $NO ${X:+f}", ["a", "d", "e", "e", "f"]),
        ("a ~/x ~www/y", ["a", "/root/x", "/srv/y"]),
        ("a ${X%c}z ${#X} $((2 * 3 + 1))", ["a", "b", "z", "3", "7"]),
        ("a $NO '' \"$NO\"", ["a", "", ""]),
    ],
)  # fmt: skip
def test_words_are_evaluated_as_far_as_they_are_constant(text: str, found: list[str]) -> None:
    assert [constant(word) for word in words(text, X="b c")] == found


@pytest.mark.parametrize("text", ["$(date)", "*.conf", "${X/b/c}", "{a,b}"])
def test_what_only_a_shell_knows_stays_its_text(text: str) -> None:
    (_name, word) = words(f"a {text}", X="b")
    assert word == [Piece("shell", text, word[0].split)]
    assert word_text(word) == text


def line(text: str, **values: str) -> str:
    root = parse(text, "run").root
    printer = Printer(Variables(values), root)
    body = printer.line(root)
    return printer.prefix() + body


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("if a; then\n  b $X\nelse\n  c &\nfi", "if a; then b x; else c & fi"),
        ("while a\ndo\n  b\ndone", "while a; do b; done"),
        ("case $X in\n  a|b) c;;\n  *) d\nesac", "case x in a|b) c ;; *) d ;; esac"),
        ("f() {\n  a\n}\nf", "f() { a; }; f"),
        ("a \\\n  b", "a b"),
        ("X=1\na $X", "X=x; X=1; a $X"),
    ],
)
def test_statements_go_on_one_line_with_constants_put_in(text: str, found: str) -> None:
    assert line(text, X="x") == found


def test_a_here_document_does_not_go_on_one_line() -> None:
    with pytest.raises(CannotPrint):
        line("a <<E\nb\nE\n")


def test_names_that_are_set_used_and_called() -> None:
    root = parse("X=$A\nexport Y\nexec b ${C:=1}\n(( D++ ))\n", "run").root
    assert assigned(root) == {"X", "Y", "C", "D"}
    assert referenced(root) == {"A", "C", "D"}
    assert commands_in(root) == {"exec", "b"}


def test_no_more_is_parsed_than_takes_a_moment() -> None:
    with pytest.raises(TooMuch):
        parse("(" * 2000, "run")
