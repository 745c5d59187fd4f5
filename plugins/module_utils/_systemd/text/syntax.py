# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of unit files: reading it as systemd does, writing it from sections, and when two mean the same.

The rules are those of systemd.syntax(7) and of systemd's own parser where the manual is silent.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import (
    BLANKS,
    has_surrogates,
    is_variable,
    number_text,
    words_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import BREAKS, quote

# LONG_LINE_MAX of systemd, in bytes; a line has to be shorter.
_LONGEST_LINE = 1024 * 1024
# More than this no section and no directive is long, the notes of others (X-) included.
_LONGEST_NAME = 255
# How many of the problems of a file are told.
MOST_PROBLEMS = 20
_SECTION_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ")
_KEY_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")

# Directives whose value is a list of NAME=VALUE words: there, each item of a YAML list is one of them.
_VARIABLES = frozenset(("Environment", "LogExtraFields", "DefaultEnvironment", "ManagerEnvironment"))
# YAML's bare `null` is a word of systemd's here, and an empty value would be refused.
_NULL_IS_A_WORD = frozenset(("StandardInput", "StandardOutput", "StandardError"))
# YAML 1.1 turns 0755 into 493; nobody can tell afterwards what was written.
_OCTAL = frozenset(
    (
        "UMask",
        "DirectoryMode",
        "SocketMode",
        "RuntimeDirectoryMode",
        "StateDirectoryMode",
        "CacheDirectoryMode",
        "LogsDirectoryMode",
        "ConfigurationDirectoryMode",
    )
)


# Directives of [Install] that ask for links of the unit itself.
_LINKING = ("WantedBy", "RequiredBy", "UpheldBy", "Alias")


class Assignment(t.NamedTuple):
    """One `Key=value` of a unit file.

    `value` is what systemd gets to see: joined over continuation lines, without the blanks around it, quotes and
    specifiers as they are. `line` and `last` are the first and the last line it is written on, from 1; systemd names the
    last one in its messages. `meaning` is the value for comparisons.
    """

    section: str
    key: str
    value: str
    line: int
    last: int

    @property
    def meaning(self) -> str:
        """The value; where it was written over several lines, the blanks of its joints count as one blank.

        Where there are quotes the blanks may belong to the text, and stay.
        """
        if self.line == self.last or '"' in self.value or "'" in self.value:
            return self.value
        return " ".join(words_of(self.value))


class Problem(t.NamedTuple):
    """Something wrong with a unit file: the line (0 where it is the file as a whole), its text, what is wrong."""

    line: int
    text: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.message}" + (f"\n    {plain(self.text)}" if self.text else "")


class UnitText(t.NamedTuple):
    """A parsed unit file: its assignments in order, its section headers with their lines, comments, and what is wrong."""

    assignments: list[Assignment]
    sections: list[tuple[str, int]]
    comments: list[str]
    problems: list[Problem]
    lines: list[str]

    def meaning(self) -> dict[str, list[tuple[str, str]]]:
        """What the file says to systemd: per section, the keys and values in order. Equal meanings, equal units.

        Not part of it: comments, blank lines, blanks around keys and values, how values are broken into lines, section
        headers that are repeated or have nothing below them, and the order of the sections. All else counts: the
        order of the assignments of one section, values that could be spelled otherwise (`yes` and `true`), `X-` keys.
        """
        sections: dict[str, list[tuple[str, str]]] = {}
        for item in self.assignments:
            sections.setdefault(item.section, []).append((item.key, item.meaning))
        return sections

    def values(self, section: str, key: str) -> list[str]:
        """The values of a repeatable directive that are left after its resets."""
        kept: list[str] = []
        for item in self.assignments:
            if item.section == section and item.key == key:
                if item.value:
                    kept.append(item.value)
                else:
                    kept = []
        return kept

    def words(self, section: str, key: str) -> list[str]:
        """The words of a directive that is a list of names, over all its lines, after its resets."""
        return words_of(" ".join(self.values(section, key)))

    def installs(self) -> bool:
        """Whether enabling the unit makes links."""
        return any(self.values("Install", key) for key in _LINKING)

    def can_be_enabled(self) -> bool:
        """Whether enabling the unit does anything: makes links, or enables others with it."""
        return self.installs() or bool(self.values("Install", "Also"))

    def line_text(self, number: int) -> str:
        """The text of a line, from 1; empty where there is no such line."""
        return self.lines[number - 1].strip(BLANKS) if 0 < number <= len(self.lines) else ""


_UNTOLD = Problem(0, "", "")


def bounded(problems: list[Problem]) -> list[Problem]:
    """The first of the problems, and how many there are besides; so that a file of nonsense makes no message of megabytes."""
    if len(problems) <= MOST_PROBLEMS + 1:
        return problems
    return [*problems[:MOST_PROBLEMS], Problem(0, "", f"and {len(problems) - MOST_PROBLEMS} more problems")]


def explain(problems: t.Sequence[Problem], what: str, done: str) -> str:
    """Problems as one message for the user.

    :param what: the file, for the first line.
    :param done: what has been done about it ("nothing has been changed").
    """
    told = [f"  {problem!s}" for problem in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        told.append(f"  and {len(problems) - MOST_PROBLEMS} more")
    return f"{what} {done}:\n" + "\n".join(told)


def _bytes_of(line: str) -> int:
    return len(line) if line.isascii() else len(line.encode("utf-8", "surrogatepass"))


def split_lines(text: str) -> list[str]:
    """The lines as systemd sees them: LF, CR, CR LF and LF CR each end one."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\n\r", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def parse(text: str) -> UnitText:
    """Read the text of a unit file or drop-in as systemd does.

    :returns: the file; what systemd would ignore or refuse is in its `problems`, so that files of others can be read too.
    """
    lines = split_lines(text)
    found = UnitText([], [], [], [], lines)
    section: str | None = None
    known = True
    # The lines of a value that goes on, and how long they are together.
    pending: list[str] = []
    length = 0
    first = 0
    for number, raw in enumerate(lines, 1):
        size = _bytes_of(raw)
        if size >= _LONGEST_LINE or length + size > _LONGEST_LINE:
            found.problems.append(Problem(number, "", "this line is longer than the 1 MiB that systemd takes"))
            pending, length, first = [], 0, 0
            continue
        bare = raw.lstrip(BLANKS)
        if bare[:1] in ("#", ";") and bare:
            # Also between the lines of a continued value.
            found.comments.append(bare.rstrip(BLANKS))
            continue
        # systemd takes a byte order mark off here; before a comment, it makes it none.
        line = raw[1:] if number == 1 and raw.startswith("\ufeff") else raw
        if not first:
            first = number
        length += size
        if _is_continued(line):
            pending.append(line[:-1] + " ")
            continue
        joined = "".join((*pending, line))
        section, known = _logical_line(found, joined.strip(BLANKS), first, number, section, known)
        pending, length, first = [], 0, 0
    if first:
        _logical_line(found, "".join(pending).strip(BLANKS), first, len(lines), section, known)
    found.problems[:] = bounded(found.problems)
    return found


def parse_section(text: str, section: str) -> list[tuple[str, str]]:
    """What one section of a unit file says: keys and values in order, as `UnitText.meaning` has them.

    It is `parse` for those who look at many files for few lines: what is before the section is not read.
    """
    start = text.find(f"[{section}]")
    if start < 0:
        return []
    if "\r" in text or "\ufeff" in text[1:]:
        # Other ends of lines; a mark that means something on the first line of a file alone.
        start = 0
    # To the begin of the line, and of the value that it may be a part of.
    start = text.rfind("\n", 0, start) + 1
    while start:
        before = text.rfind("\n", 0, start - 1) + 1
        line = text[before : start - 1]
        if not _is_continued(line) and line.lstrip(BLANKS)[:1] not in ("#", ";"):
            break
        start = before
    return parse(text[start:]).meaning().get(section, [])


def _is_continued(line: str) -> bool:
    """Whether the line ends with a backslash that is not itself escaped by one before it."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _logical_line(
    found: UnitText, line: str, first: int, last: int, section: str | None, known: bool
) -> tuple[str | None, bool]:
    """Take one line, joined over its continuations, into `found`; returns the section that the next one is in."""
    if not line:
        return section, known

    def wrong(message: str) -> None:
        # Of those that are not told only the number matters.
        told = len(found.problems) <= MOST_PROBLEMS
        found.problems.append(Problem(first, found.line_text(first), message) if told else _UNTOLD)

    if "\0" in line:
        wrong("there is a NUL character in this line")
    elif not line.isascii() and has_surrogates(line):
        wrong("this line is not valid UTF-8, systemd would ignore it")
    elif line[0] == "[":
        name = line[1:-1]
        if line[-1] != "]":
            wrong("the section header has no ']' at its end")
            return None, False
        if not name or not _SECTION_CHARS.issuperset(name):
            wrong("this is not a section header; it is written as in [Service]")
            return None, False
        found.sections.append((name, first))
        return name, True
    else:
        key, equals, value = line.partition("=")
        key = key.rstrip(BLANKS)
        if not equals:
            wrong("there is no '=' in this line, and it is neither a comment nor a section header")
        elif not key:
            wrong("there is nothing before the '='")
        elif section is None:
            if known:
                wrong(f"{plain(key)}= stands before the first section header")
        else:
            found.assignments.append(Assignment(section, key, value.strip(BLANKS), first, last))
    return section, known


def tidy(text: str) -> str:
    """Raw text as it is written: lines end with LF, and the last one has its end."""
    lines = split_lines(text)
    return "\n".join(lines) + "\n" if lines else ""


# -- writing


def render(sections: t.Mapping[t.Any, t.Any], option: str = "sections") -> str:
    """The text of a unit file from sections as a playbook gives them.

    :param sections: section name -> directive -> value, in the order to be written. A value is a string, a number, a
        boolean (`yes`, `no`), or a list of these: one line each, in order. An empty string or None is an empty
        assignment, which resets what came before (`Key=`). An empty list writes nothing. `Environment` takes a mapping
        as well; each item of a list or mapping there is one variable, quoted as needed.
    :param option: the option's name, for errors.
    :raises BadInput: a name or value cannot be written, or would come to mean something else.
    """
    if not isinstance(sections, dict):
        raise BadInput(f"{option}: must be a mapping of section names to directives, not {shown(sections)}")
    blocks = []
    for section, directives in sections.items():
        where = f"{option}.{section}"
        if (
            not isinstance(section, str)
            or not section
            or not _SECTION_CHARS.issuperset(section)
            or len(section) > _LONGEST_NAME
            or section.strip() != section
        ):
            raise BadInput(f"{option}: {shown(section)} is not a section name; write one such as 'Service'")
        if directives is None:
            directives = {}
        if not isinstance(directives, dict):
            raise BadInput(f"{where}: must be a mapping of directives to values, not {shown(directives)}")
        lines = [f"[{section}]"]
        for key, value in directives.items():
            if not isinstance(key, str) or not key or not _KEY_CHARS.issuperset(key) or len(key) > _LONGEST_NAME:
                raise BadInput(f"{where}: {shown(key)} is not a directive; write one such as 'Description'")
            for word in _values(key, value, f"{where}.{key}"):
                lines.append(f"{key}={word}")
                if _bytes_of(lines[-1]) >= _LONGEST_LINE:
                    raise BadInput(f"{where}.{key}: the value is longer than the 1 MiB that systemd takes")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _values(key: str, value: t.Any, where: str) -> list[str]:
    if isinstance(value, dict):
        if key not in _VARIABLES:
            raise BadInput(f"{where}: takes a value or a list of values, not a mapping")
        pairs = []
        for name, text in value.items():
            # env_name_is_valid() of systemd, which passes over others.
            if not isinstance(name, str) or not is_variable(name):
                raise BadInput(
                    f"{where}: {shown(name)} is not the name of a variable; letters, digits and _ may be used, and no digit first"
                )
            pairs.append(quote(f"{name}={_variable_value(key, text, f'{where}.{plain(name)}')}", BREAKS))
        return pairs
    if not isinstance(value, (list, tuple)):
        return [_ended(_scalar(key, value, where), where)]
    words = []
    for index, item in enumerate(value):
        at = f"{where}[{index}]"
        word = _scalar(key, item, at)
        if key in _VARIABLES and word and word[0] not in "\"'":
            word = quote(word, BREAKS)
        elif key.startswith("Exec") and word.startswith("--"):
            raise BadInput(
                f"{at}: {shown(word)} is not a command; each item of a list is a command of its own, "
                "so write a command with all its arguments as one string"
            )
        words.append(_ended(word, at))
    return words


def _scalar(key: str, value: t.Any, where: str) -> str:
    if value is None:
        return "null" if key in _NULL_IS_A_WORD else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        if key in _OCTAL and value > 7:
            raise BadInput(f"{where}: {shown(value)} is a number; write file modes as text in quotes, such as '0755'")
        if key == "OnCalendar":
            raise BadInput(
                f"{where}: {shown(value)} is a number; put times in quotes, as YAML reads 10:30 as one number"
            )
        return number_text(value, where)
    if not isinstance(value, str):
        raise BadInput(f"{where}: takes text, a number or a boolean, not {shown(value)}")
    text = value.strip(BLANKS)
    for char in text:
        if char in "\n\r":
            raise BadInput(
                f"{where}: {shown(value)} has a line break in it; write a list to give the directive several times, "
                "or fold a long value with YAML's `>-`"
            )
        if (char < " " and char != "\t") or char == "\x7f" or 0xD800 <= ord(char) <= 0xDFFF:
            raise BadInput(f"{where}: {shown(value)} holds the character {shown(char)}, which a unit file cannot")
    return text


def _variable_value(key: str, value: t.Any, where: str) -> str:
    """The value of a variable that has its name apart: blanks around it are its own, and line breaks can be quoted.

    The line end of a folded block of YAML is not its own.
    """
    if not isinstance(value, str):
        return _scalar(key, value, where)
    if value.find("\n") == len(value) - 1:
        value = value[:-1]
    for line in value.split("\n"):
        _scalar(key, line, where)
    return value


def _ended(text: str, where: str) -> str:
    if _is_continued(text):
        raise BadInput(f"{where}: {shown(text)} ends with a backslash, which would join the next line to it")
    return text
