# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `[ ... ]` and `test` ask: read, decided where constants allow, and said as Condition...= where systemd can ask it."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit, word_text

# Kinds: ("and", [..]), ("or", [..]), ("not", x), ("unary", op, word), ("binary", left, op, right)
Test = tuple[t.Any, ...]
_BINARY = frozenset(("=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef", "<", ">", "=~"))
FILE_TESTS = frozenset("-e -f -d -r -w -x -s -L -h -S -p -b -c -k -u -g -O -G".split())


def read(words: list[Word]) -> Test | None:
    """The words of a test as a tree; None where they make none."""
    texts = [constant(word) for word in words]
    for operators, kind in ((("-o", "||"), "or"), (("-a", "&&"), "and")):
        parts: list[list[Word]] = [[]]
        for word, text in zip(words, texts):
            if text in operators:
                parts.append([])
            else:
                parts[-1].append(word)
        if len(parts) > 1 and all(parts):
            found = [read(part) for part in parts]
            return None if None in found else (kind, found)
    if texts and texts[0] == "!" and len(words) > 1:
        inner = read(words[1:])
        return None if inner is None else ("not", inner)
    if len(words) == 1:
        return ("unary", "-n", words[0])
    if len(words) == 2 and texts[0] is not None and texts[0].startswith("-"):
        return ("unary", texts[0], words[1])
    if len(words) == 3 and texts[1] in _BINARY:
        return ("binary", words[0], texts[1], words[2])
    if len(words) >= 3 and texts[0] == "(" and texts[-1] == ")":
        return read(words[1:-1])
    return None


def decide(test: Test, fact: t.Callable[[str, str], bool | None]) -> bool | None:
    """The answer, where it is the same at every start. `fact(operator, path)` answers questions about files."""
    kind = test[0]
    if kind in ("and", "or"):
        answers = [decide(part, fact) for part in test[1]]
        if kind == "and":
            return False if False in answers else (None if None in answers else True)
        return True if True in answers else (None if None in answers else False)
    if kind == "not":
        answer = decide(test[1], fact)
        return None if answer is None else not answer
    if kind == "unary":
        operator, word = test[1], test[2]
        text = constant(word)
        if operator in ("-n", "-z"):
            if text is None:
                if any(piece.kind in ("lit", "spec") and piece.text for piece in word):
                    return operator == "-n"
                return None
            return bool(text) if operator == "-n" else not text
        if operator in FILE_TESTS and text is not None:
            return fact(operator, text)
        return None
    left, operator, right = constant(test[1]), test[2], constant(test[3])
    if left is None or right is None:
        return None
    if operator in ("=", "=="):
        return left == right
    if operator == "!=":
        return left != right
    if operator in ("-eq", "-ne", "-lt", "-le", "-gt", "-ge"):
        try:
            one, two = int(left), int(right)
        except ValueError:
            return None
        answers_by = {
            "-eq": one == two,
            "-ne": one != two,
            "-lt": one < two,
            "-le": one <= two,
            "-gt": one > two,
            "-ge": one >= two,
        }
        return answers_by[operator]
    return None


_CONDITIONS = {
    "-e": "ConditionPathExists",
    "-f": "ConditionPathExists",
    "-r": "ConditionPathExists",
    "-d": "ConditionPathIsDirectory",
    "-x": "ConditionFileIsExecutable",
    "-s": "ConditionFileNotEmpty",
    "-L": "ConditionPathIsSymbolicLink",
    "-h": "ConditionPathIsSymbolicLink",
    "-w": "ConditionPathIsReadWrite",
}


_PRESENT = frozenset("-e -f -r -d -x -s -L -h".split())
# What is not there yet may come: these are asked at every attempt, not once.
_VOLATILE = ("/run/", "/var/run/", "/tmp/", "/dev/", "/proc/", "/sys/", "/var/lock/")


def as_conditions(test: Test, volatile: bool = False) -> list[tuple[str, str]] | None:
    """The test as Condition...= directives that must all hold, or None.

    :param volatile: also for paths that come and go while the host runs.
    """
    kind = test[0]
    if kind == "and":
        found: list[tuple[str, str]] = []
        for part in test[1]:
            conditions = as_conditions(part, volatile)
            if conditions is None:
                return None
            found += conditions
        return found
    negated = False
    while kind == "not":
        negated = not negated
        test = test[1]
        kind = test[0]
    if kind != "unary" or test[1] not in _CONDITIONS:
        return None
    path = constant(test[2])
    if path is None or not path.startswith("/") or any(char < " " for char in path):
        return None
    if path.startswith(_VOLATILE) and not volatile:
        return None
    return [(_CONDITIONS[test[1]], ("!" if negated else "") + path.replace("%", "%%"))]


def is_presence(test: Test) -> bool:
    """Whether it asks for nothing but that files are there, as they are where something is installed."""
    if test[0] == "and":
        return all(is_presence(part) for part in test[1])
    return test[0] == "unary" and test[1] in _PRESENT


def paths(test: Test) -> list[tuple[str, str | None]]:
    """The file tests in it: operator and path (None where it is not constant)."""
    kind = test[0]
    if kind in ("and", "or"):
        return [pair for part in test[1] for pair in paths(part)]
    if kind == "not":
        return paths(test[1])
    if kind == "unary" and test[1] in FILE_TESTS:
        return [(test[1], constant(test[2]))]
    return []


def asks_files(test: Test) -> bool:
    """Whether a test asks for files, which may be others at each start."""
    return bool(paths(test))


def test_text(test: Test) -> str | None:
    """A test as shell text; None where only the script's own text says it."""
    kind = test[0]
    if kind in ("and", "or"):
        parts = [test_text(part) for part in test[1]]
        if None in parts:
            return None
        return "{ " + (" && " if kind == "and" else " || ").join(str(part) for part in parts) + "; }"
    if kind == "not":
        inner = test_text(test[1])
        return None if inner is None else f"! {inner}"
    words = [lit(test[1]), test[2]] if kind == "unary" else [test[1], lit(test[2]), test[3]]
    out = []
    for word in words:
        if any(piece.kind == "shell" for piece in word):
            return None
        out.append(word_text([piece._replace(split=False) for piece in word]))
    return f"[ {' '.join(out)} ]"
