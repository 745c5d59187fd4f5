# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time spans as systemd reads and writes them (systemd.time(7), "Parsing Time Spans")."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import BLANKS, HIGHEST, INFINITY, count

_SECOND = 1_000_000
# What systemd prints, the largest first. A year is 365.25 days and a month a twelfth of it.
_PRINTED = (
    ("y", 31_557_600 * _SECOND),
    ("month", 2_629_800 * _SECOND),
    ("w", 604_800 * _SECOND),
    ("d", 86_400 * _SECOND),
    ("h", 3_600 * _SECOND),
    ("min", 60 * _SECOND),
    ("s", _SECOND),
    ("ms", 1_000),
    ("us", 1),
)
_OTHER_NAMES = {
    "y": ("year", "years"),
    "month": ("months", "M"),
    "w": ("week", "weeks"),
    "d": ("day", "days"),
    "h": ("hr", "hour", "hours"),
    "min": ("m", "minute", "minutes"),
    "s": ("sec", "second", "seconds", ""),
    "ms": ("msec",),
    "us": ("usec", "\u00b5s", "\u03bcs"),
}
UNITS = {name: usec for short, usec in _PRINTED for name in (short, *_OTHER_NAMES[short])}

_DIGITS = "0123456789"


def parse_timespan(text: str, option: str = "timeout", bare: str = "s") -> int:
    """Microseconds of a time span such as `5min 20s`, `1.5h` or `90` (seconds); 2^64-1 for `infinity`.

    :param option: name of the option, for the error.
    :param bare: the unit of numbers that have none.
    :raises BadInput: with the place where the text stops being a time span.
    """
    rest = text.strip(BLANKS)
    if rest == "infinity":
        return INFINITY
    total, at = 0, len(text) - len(text.lstrip(BLANKS))
    end = at + len(rest)
    if not rest:
        raise _bad(text, at, option, "a number is missing")
    while at < end:
        at += text[at] == "+"
        start = at
        while at < end and text[at] in _DIGITS:
            at += 1
        whole, fraction = text[start:at], ""
        if at < end and text[at] == ".":
            start = at + 1
            at = start
            while at < end and text[at] in _DIGITS:
                at += 1
            fraction = text[start:at]
            if not fraction:
                raise _bad(text, at, option, "a digit is missing")
        elif not whole:
            raise _bad(text, at, option, "a number is missing")
        number_end = at
        while at < end and text[at] in BLANKS:
            at += 1
        start = at
        while at < end and text[at] not in _DIGITS and text[at] not in BLANKS and text[at] not in ".-+":
            at += 1
        unit = UNITS.get(text[start:at] or bare)
        if number_end == at < end:
            # `1.2.3`; `1.2 .3` and `1.2s.3` are two numbers.
            raise _bad(text, at, option, "a unit or a blank is missing between two numbers")
        if unit is None:
            raise _bad(text, start, option, f"{shown(text[start:at])} is no unit of time")
        number = count(whole)
        if number > HIGHEST["x"]:
            raise _bad(text, 0, option, "it is longer than systemd can count; write infinity")
        total += number * unit
        for digit in fraction:
            # Rounded down at each digit, as systemd does.
            unit //= 10
            if not unit:
                break
            total += int(digit) * unit
        while at < end and text[at] in BLANKS:
            at += 1
    if total >= INFINITY:
        raise _bad(text, 0, option, "it is longer than systemd can count; write infinity")
    return total


def format_timespan(usec: int) -> str:
    """A number of microseconds as systemd prints it: `1h 30min`, `1.500000s`, `infinity`."""
    if usec >= INFINITY:
        return "infinity"
    if usec <= 0:
        return "0"
    words = []
    for name, unit in _PRINTED:
        count, rest = divmod(usec, unit)
        if not count:
            continue
        if rest and usec < 60 * _SECOND and unit > 1:
            # Below a minute the rest is a decimal fraction.
            words.append(f"{count}.{rest:0{len(str(unit)) - 1}d}{name}")
            break
        words.append(f"{count}{name}")
        usec = rest
    return " ".join(words)


def _bad(text: str, at: int, option: str, why: str) -> BadInput:
    return BadInput(
        f"{option}: {shown(text)} is not a time span: at character {at + 1}, {why}; write it like 90s, 5min or 1h 30min"
    )
