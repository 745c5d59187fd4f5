# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of sysusers.d(5): as options, as text, and as they are read again."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import (
    check_field,
    check_specifiers,
    split_line,
    write_line,
)

_TYPES = ("u", "u!", "g", "m", "r")
# valid_user_group_name() of systemd, strict: what the tool takes for a new one.
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,30}")
_RANGE = re.compile("([0-9]{1,10})(?:-([0-9]{1,10}))?")
_MOST = 10_000
_LAST_ID = 2**32 - 2
_FIELDS = {
    "u": ("id", "group", "description", "home", "shell"),
    "g": ("id",),
    "m": ("group",),
    "r": ("id",),
}


class Line(t.NamedTuple):
    """A line; fields that say nothing are empty. `id` is as in the file, with a user's group after a colon; for `m`, the group."""

    type: str
    name: str
    id: str = ""
    description: str = ""
    home: str = ""
    shell: str = ""

    def text(self) -> str:
        """The line as it is written."""
        return write_line(self)

    @property
    def primary(self) -> str:
        """The group of a user that the line names, which has to be there; empty where it is the user's own."""
        return self.id.partition(":")[2] if self.type[:1] == "u" else ""

    @property
    def number(self) -> str:
        """The number that the line asks for; empty where that is left to the tool."""
        number = self.id.partition(":")[0]
        return number if self.type[:1] in "ug" and is_digits(number) else ""


def lines_of_options(options: t.Sequence[t.Mapping[str, t.Any]]) -> list[Line]:
    """The lines of the option `lines`.

    :raises BadInput: one is none, or two contradict each other.
    """
    if len(options) > _MOST:
        raise BadInput(f"lines: are {len(options)}, more than {_MOST}; write several files")
    lines = [_line(each, f"lines[{index}]") for index, each in enumerate(options)]
    seen: dict[tuple[str, str], int] = {}
    for index, line in enumerate(lines):
        if line.type[:1] not in "ug":
            continue
        first = seen.setdefault((line.type[:1], line.name), index)
        if lines[first] != line:
            raise BadInput(
                f"lines[{index}].name: {shown(line.name)} has a line already, lines[{first}], and systemd-sysusers would ignore this "
                "one; leave one of the two out"
            )
    return lines


def _line(given: t.Mapping[str, t.Any], where: str) -> Line:
    kind = given.get("type")
    example = f"write one of {', '.join(_TYPES)}"
    if kind is None:
        raise BadInput(f"{where}.type: is missing; {example}")
    if kind not in _TYPES:
        raise BadInput(f"{where}.type: {shown(kind)} is no type of a line of sysusers.d; {example}")
    for key in ("id", "group", "description", "home", "shell"):
        if given.get(key) is not None and key not in _FIELDS[kind[0]]:
            raise BadInput(f"{where}.{key}: a line of type {kind} has none; leave `{key}` out")
    if kind == "r":
        if given.get("name") not in (None, "-"):
            raise BadInput(f"{where}.name: a line of type r has none; leave `name` out")
        return Line("r", "", _check_range(given.get("id"), f"{where}.id"))
    name = _check_name(given.get("name"), f"{where}.name", "user" if kind[0] in "um" else "group")
    if kind == "m":
        return Line("m", name, _check_name(given.get("group"), f"{where}.group", "group"))
    number = _check_id(given.get("id"), f"{where}.id", kind)
    if given.get("group") is not None:
        if ":" in number:
            raise BadInput(f"{where}.group: `id` {shown(number)} has a group already; leave one of the two out")
        number = f"{number or '-'}:{check_account(given['group'], f'{where}.group', 'group')}"
    description = check_field(given.get("description"), f"{where}.description", "a description", "write a few words")
    check_specifiers(description, f"{where}.description")
    if ":" in description:
        raise BadInput(f"{where}.description: {shown(description)} holds a colon, which ends a field of /etc/passwd; write it without")
    home, shell = (_check_path(given.get(key), f"{where}.{key}") for key in ("home", "shell"))
    return Line(kind, name, number, description, home, shell)


def _check_name(value: t.Any, option: str, what: str) -> str:
    example = f"write the name of a {what}, such as app"
    if value is None or value == "-":
        raise BadInput(f"{option}: is missing; {example}")
    text = check_field(value, option, f"the name of a {what}", example)
    if "%" in text:
        check_specifiers(text, option)
    elif not _NAME.fullmatch(text):
        raise BadInput(
            f"{option}: {shown(text)} cannot be the name of a new {what}: it begins with a letter or _, goes on with letters, digits, "
            f"_ and -, and has at most 31 characters; {example}"
        )
    return text


def _check_id(value: t.Any, option: str, kind: str) -> str:
    example = "write a number such as 850, or a path whose owner it is"
    text = check_field(value, option, "an id", example)
    if text.startswith("/"):
        return text
    number, colon, group = text.partition(":")
    if colon:
        if kind == "g":
            raise BadInput(f"{option}: {shown(text)} has a colon, which only the id of a user has; {example}")
        check_account(group, option, "group")
    if number in ("", "-") and colon:
        return f"-:{group}"
    if number and (not is_digits(number) or len(number) > 10 or int(number) > _LAST_ID or int(number) == 65535):
        raise BadInput(f"{option}: {shown(text)} is no number of a {'group' if kind == 'g' else 'user'}; {example}")
    return text


def _check_range(value: t.Any, option: str) -> str:
    example = "write one such as 500-900"
    if value is None:
        raise BadInput(f"{option}: is missing; {example}")
    text = check_field(value, option, "a range", example)
    found = _RANGE.fullmatch(text)
    if found is None or max(int(each) for each in found.groups() if each) > _LAST_ID:
        raise BadInput(f"{option}: {shown(text)} is no range of numbers of users; {example}")
    if found.group(2) and int(found.group(2)) < int(found.group(1)):
        raise BadInput(f"{option}: {shown(text)} ends before it begins; {example}")
    return text


def _check_path(value: t.Any, option: str) -> str:
    example = "write an absolute path"
    text = check_field(value, option, "a path", example)
    check_specifiers(text, option)
    if text and not text.startswith(("/", "%")):
        raise BadInput(f"{option}: {shown(text)} is not absolute; {example}")
    if ":" in text:
        raise BadInput(f"{option}: {shown(text)} holds a colon, which ends a field of /etc/passwd; {example} without")
    return text


def read_line(text: str) -> Line | None:
    """A line as it stands in a file; None where it makes no sense to us, such as one of a newer version."""
    try:
        fields, rest = split_line(text, 6)
    except BadInput:
        return None
    if len(fields) < 2 or rest or fields[0] not in _TYPES:
        return None
    return Line(*fields)
