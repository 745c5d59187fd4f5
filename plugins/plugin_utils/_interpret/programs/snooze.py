# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that sleep until a time and then run a command: snooze's options as a calendar expression."""

from __future__ import annotations

import re

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
# First and last value of each field; snooze counts days and months from one.
_RANGES = {"d": (1, 31), "m": (1, 12), "w": (0, 7), "H": (0, 23), "M": (0, 59), "S": (0, 59)}


class NoTimer(Exception):
    """No calendar expression says the same; the text says why."""


def _field(text: str, first: int, last: int) -> set[int]:
    """The values a field of snooze's selects: numbers, ranges, `*` and `/n`, as its parser reads them."""
    found: set[int] = set()
    at = 0
    now = before = 0
    while at < len(text):
        char = text[at]
        match = re.match(r"\d+", text[at:])
        if match:
            now = int(match.group())
            at += match.end()
            found.add(now)
        elif char == "-":
            match = re.match(r"\d+", text[at + 1 :])
            if not match:
                raise NoTimer(f"'{text}' is no field of snooze's")
            before, now = now, int(match.group())
            at += 1 + match.end()
            found.update(range(before, now + 1))
        elif char == "/":
            before = now
            match = re.match(r"\d+", text[at + 1 :])
            at += 1
            if match:
                now = int(match.group())
                at += match.end()
            step = now or 1
            found.update(range(before, last + 1, step))
        elif char == ",":
            at += 1
            now = 0
        elif char == "*":
            at += 1
            now = 0
            found.update(range(first, last + 1))
        else:
            raise NoTimer(f"'{text}' is no field of snooze's")
    chosen = {value for value in found if first <= value <= last}
    if not chosen:
        raise NoTimer(f"'{text}' selects nothing")
    return chosen


def _written(values: set[int], first: int, last: int) -> str:
    ordered = sorted(values)
    if len(ordered) == last - first + 1:
        return "*"
    if len(ordered) > 2:
        step = ordered[1] - ordered[0]
        if step > 1 and ordered == list(range(ordered[0], last + 1, step)):
            return f"{ordered[0]:02d}/{step}"
        if step == 1 and ordered == list(range(ordered[0], ordered[-1] + 1)):
            return f"{ordered[0]:02d}..{ordered[-1]:02d}"
    return ",".join(f"{value:02d}" for value in ordered)


def calendar(fields: dict[str, str]) -> str:
    """The calendar expression of systemd's for snooze's -d -m -w -H -M -S; like snooze's, it takes what all fields allow."""
    chosen = {}
    for letter, (first, last) in _RANGES.items():
        default = "*" if letter in "dmw" else "0"
        chosen[letter] = _field(fields.get(letter, default), first, last)
    days = {0 if day == 7 else day for day in chosen["w"]}
    week = "" if len(days) == 7 else ",".join(_DAYS[day] for day in sorted(days, key=lambda day: (day + 6) % 7)) + " "
    month = _written(chosen["m"], 1, 12)
    day = _written(chosen["d"], 1, 31)
    hour, minute, second = (_written(chosen[letter], *_RANGES[letter]) for letter in "HMS")
    return f"{week}*-{month}-{day} {hour}:{minute}:{second}"


def duration(text: str) -> str:
    """A time span of snooze's (seconds, or a number with m, h or d) as one of systemd's."""
    match = re.match(r"(\d+)([mhd]?)\Z", text)
    if match is None:
        raise NoTimer(f"'{text}' is no time span of snooze's")
    return match.group(1) + (match.group(2) or "s").replace("m", "min")
