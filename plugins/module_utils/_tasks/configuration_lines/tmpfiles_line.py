# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of tmpfiles.d(5): as options, as text, and as they are read again."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import unescape
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import (
    NONE,
    check_field,
    check_path,
    check_specifiers,
    split_line,
    write_line,
)

# The letters of tmpfiles.d(5); which a version knows, and with which modifiers, its own tool says.
LETTERS = "fwdDevqQpLcbCxXrRzZtThHaA"
MODIFIERS = "+!-=~^$?"
# A path may have one line of these only: the first (takes_ownership() of systemd).
OWNING = frozenset("fdDevqQpLcbCxXrR")
# Paths of these are patterns (needs_glob()).
GLOBS = frozenset("wexXrRzZtThHaAm")
# What they are given is text, of any number of lines.
TEXTS = frozenset("fw")
# It has escapes as in C (specifier_expansion_from_arg()).
_ESCAPED = TEXTS | frozenset("LC")
DIRECTORIES = frozenset("dDvqQ")
# Made by `--create`, and so to be found afterwards.
MAKING = DIRECTORIES | frozenset("fpLcb")
AGED = DIRECTORIES | frozenset("exXC")
_ACTION = re.compile(f"([{LETTERS}])([{re.escape(MODIFIERS)}]*)")
_MODE = re.compile("[~:]*0?[0-7]{3,4}")
_BY = re.compile("([abcmABCM]+):(.*)", re.S)
# systemd's own for files are all four, and for directories all but the change of status (AGE_BY_DEFAULT_*).
_BY_DEFAULT = "abcmABM"
_MOST = 10_000


class Age(t.NamedTuple):
    """How old what is in a directory may become: `usec` microseconds since the youngest of the times that `by` names (small
    letters for files, capitals for directories); with `keep_first` what is right in it stays."""

    usec: int
    by: str
    keep_first: bool


class Line(t.NamedTuple):
    """A line; fields that say nothing are empty. `argument` is a text with its escapes read for types that have such."""

    letter: str
    modifiers: str
    path: str
    mode: str = ""
    user: str = ""
    group: str = ""
    age: str = ""
    argument: str = ""

    @property
    def type(self) -> str:
        """The first field."""
        return self.letter + self.modifiers

    @property
    def boot_only(self) -> bool:
        """Whether it only holds while the host boots."""
        return "!" in self.modifiers

    def text(self, accounts: bool = True, age: bool = True) -> str:
        """The line as it is written.

        :param accounts: whether with user and group.
        :param age: whether with the age.
        """
        owner = (self.user, self.group) if accounts else ("", "")
        fields = (self.type, self.path, self.mode, *owner, self.age if age else "")
        argument = self.argument
        if argument and _has_escapes(self.letter, self.modifiers):
            argument = _escaped(argument)
        return write_line(fields, argument)

    @property
    def meaning(self) -> tuple[t.Any, ...]:
        """What is the same for lines that mean the same."""
        age = parse_age(self.age, "age") if self.age else None
        mode = self.mode and (self.mode.rstrip("01234567"), int(self.mode.lstrip("~:"), 8))
        return (self.letter, frozenset(self.modifiers), self.path, mode, self.user, self.group, age, self.argument)

    def content(self) -> bytes | None:
        """What a file of it holds, specifiers not expanded; None where that is not in the line."""
        if "^" in self.modifiers:
            return None
        if "~" in self.modifiers:
            try:
                return base64.b64decode(self.argument, validate=True)
            except (binascii.Error, ValueError):
                return None
        return self.argument.encode("utf-8", "surrogateescape")


def _has_escapes(letter: str, modifiers: str) -> bool:
    return letter in _ESCAPED and not set("~^") & set(modifiers)


def _escaped(text: str) -> str:
    """Text as an argument of `f`, `w`, `L` and `C`, on one line and with its blanks at both ends."""
    out = []
    for at, char in enumerate(text):
        if char == "\\":
            out.append("\\\\")
        elif char in "\n\t":
            out.append({"\n": "\\n", "\t": "\\t"}[char])
        elif char < " " or char in "\x7f\x85\u2028\u2029":
            out += [f"\\x{byte:02x}" for byte in char.encode()]
        elif (char == " " and at in (0, len(text) - 1)) or text == NONE:
            out.append(f"\\x{ord(char):02x}")
        else:
            out.append(char)
    return "".join(out)


def parse_age(text: str, option: str) -> Age:
    """An age: `10d`, `~10d`, `mM:10d`.

    :raises BadInput: it is none.
    """
    keep, rest = text.startswith("~"), text.removeprefix("~")
    by = _BY_DEFAULT
    found = _BY.fullmatch(rest)
    if found:
        by, rest = found.groups()
        for of_kind in (str.islower, str.isupper):
            # What is not chosen for files, or for directories, is as without a choice.
            by += "" if any(map(of_kind, by)) else "".join(filter(of_kind, _BY_DEFAULT))
    elif ":" in rest:
        raise BadInput(
            f"{option}: {shown(text)} has before its colon what is none of the letters a b c m A B C M; write it like 10d or mM:10d"
        )
    return Age(parse_timespan(rest, option), "".join(sorted(set(by))), keep)


def lines_of_options(options: t.Sequence[t.Mapping[str, t.Any]]) -> list[Line]:
    """The lines of the option `lines`.

    :raises BadInput: one is none, or two contradict each other.
    """
    if len(options) > _MOST:
        raise BadInput(f"lines: are {len(options)}, more than {_MOST}; write several files")
    lines = [_line(each, f"lines[{index}]") for index, each in enumerate(options)]
    seen: dict[str, int] = {}
    for index, line in enumerate(lines):
        if line.letter not in OWNING:
            continue
        first = seen.setdefault(line.path, index)
        if lines[first].meaning != line.meaning:
            raise BadInput(
                f"lines[{index}].path: {shown(line.path)} has a line already, lines[{first}] of type {lines[first].type}, and "
                "systemd-tmpfiles would ignore this one; leave one of the two out"
            )
    return lines


def _line(given: t.Mapping[str, t.Any], where: str) -> Line:
    letter, modifiers = _check_type(given.get("type"), f"{where}.type")
    path = check_path(given.get("path"), f"{where}.path")
    check_specifiers(path, f"{where}.path")
    user, group = (_check_account(given.get(key), f"{where}.{key}", key) for key in ("user", "group"))
    age = check_field(given.get("age"), f"{where}.age", "an age", "write one such as 10d")
    if age:
        parse_age(age, f"{where}.age")
    argument = _check_argument(given.get("argument"), letter, modifiers, f"{where}.argument")
    line = Line(letter, modifiers, path, _check_mode(given.get("mode"), f"{where}.mode"), user, group, age, argument)
    if age and letter not in AGED:
        raise BadInput(
            f"{where}.age: a line of type {line.type} has no age, as nothing in it is cleaned; leave `age` out"
        )
    return line


def _check_type(value: t.Any, option: str) -> tuple[str, str]:
    example = f"write one of {' '.join(LETTERS)}, with modifiers such as f+ or d!"
    if not isinstance(value, str) or not value:
        raise BadInput(f"{option}: {'is missing' if value is None else 'is empty'}; {example}")
    found = _ACTION.fullmatch(value)
    if found is None:
        hint = "; write f+ for F, and z for m" if value[:1] in "Fm" else ""
        raise BadInput(f"{option}: {shown(value)} is no type of a line of tmpfiles.d; {example}{hint}")
    if len(set(found.group(2))) != len(found.group(2)):
        raise BadInput(f"{option}: {shown(value)} has a modifier twice; write it once")
    return found.group(1), found.group(2)


def _check_mode(value: t.Any, option: str) -> str:
    example = "write one such as '0755' or '~0755', in quotes"
    if value is None or value in ("", NONE):
        return ""
    if not isinstance(value, str):
        raise BadInput(f"{option}: {shown(value)} was not quoted, and may not be the mode that was written; {example}")
    if not _MODE.fullmatch(value):
        raise BadInput(f"{option}: {shown(value)} is no mode in octal digits; {example}")
    if len(set(value) & set("~:")) != len(value) - len(value.lstrip("~:")):
        raise BadInput(f"{option}: {shown(value)} has a prefix twice; {example}")
    return value


def _check_account(value: t.Any, option: str, what: str) -> str:
    text = check_field(value, option, f"the name of a {what}", f"write the name or number of a {what}")
    if text:
        name = text.removeprefix(":")
        if "%" in name:
            check_specifiers(name, option)
        else:
            check_account(name, option, what)
    return text


def _check_argument(value: t.Any, letter: str, modifiers: str, option: str) -> str:
    if value is None or value == "":
        return ""
    if letter in TEXTS and not set("~^") & set(modifiers):
        if len(value) > 1 << 19:
            raise BadInput(f"{option}: is {len(value)} characters long, which no line can hold; copy a file instead")
        check_specifiers(value, option)
        return str(value)
    if letter in MAKING | frozenset("wCtThHaA"):
        text = check_field(value, option, "an argument of this type", "write what tmpfiles.d(5) says of the type")
        if letter in "LC":
            check_specifiers(text, option)
        if letter not in DIRECTORIES - frozenset("qQ") and letter != "p":
            return text.strip()
    raise BadInput(f"{option}: a line of type {letter}{modifiers} takes none; leave `argument` out")


def read_line(text: str) -> Line | None:
    """A line as it stands in a file; None where it makes no sense to us, such as one of a newer version."""
    try:
        fields, argument = split_line(text, 6)
        found = _ACTION.fullmatch(fields[0]) if len(fields) > 1 else None
        if found is None:
            return None
        letter, modifiers = found.groups()
        if argument and _has_escapes(letter, modifiers):
            argument = unescape(argument, "line").decode("utf-8", "surrogateescape")
        path, mode, user, group, age = [*fields[1:], "", "", "", ""][:5]
        line = Line(letter, modifiers, re.sub("/+", "/", path).rstrip("/"), mode, user, group, age, argument)
        # It is compared by this, and read with it.
        if mode and not _MODE.fullmatch(mode):
            return None
        return line if line.meaning and path.startswith(("/", "%")) else None
    except BadInput:
        return None
