# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of bytes and percentages as systemd reads and writes them (systemd.resource-control(5), systemd.exec(5))."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import (
    BLANKS,
    HIGHEST,
    INFINITY,
    count,
    is_digits,
)

_SUFFIXES = ("E", "P", "T", "G", "M", "K", "B", "")
_FACTORS = (1024**6, 1024**5, 1024**4, 1024**3, 1024**2, 1024, 1, 1)
_DIGITS = "0123456789"
# Parts of a hundred that a percentage sign stands for, in parts of ten thousand.
_PERCENT_SIGNS = {"%": (100, 2), "\u2030": (10, 1), "\u2031": (1, 0)}


def parse_bytes(text: str, option: str = "value") -> int:
    """Bytes of a size such as `512M`, `1.5G`, `1G 512M` or `4096`; 2^64-1 for `infinity`. Suffixes are powers of 1024.

    :param option: name of the option, for the error.
    :raises BadInput: with the place where the text stops being a size.
    """
    text = text.strip(BLANKS)
    if text == "infinity":
        return INFINITY
    total, at, end, allowed = 0, 0, len(text), 0
    while True:
        at = _skip(text, at, BLANKS)
        at += text[at : at + 1] == "+"
        start = at
        at = _skip(text, at, _DIGITS)
        if start == at:
            raise _bad(text, at, option, "a number is missing")
        whole, fraction = text[start:at], ""
        if text[at : at + 1] == ".":
            start = at + 1
            at = _skip(text, start, _DIGITS)
            fraction = text[start:at]
        if count(fraction) > HIGHEST["t"]:
            raise _bad(text, start, option, "there are more decimals than systemd takes")
        at = _skip(text, at, BLANKS)
        for index in range(allowed, len(_SUFFIXES)):
            if text.startswith(_SUFFIXES[index], at):
                break
        else:
            raise _bad(text, at, option, "a smaller suffix than the one before is missing")
        factor = _FACTORS[index]
        total += count(whole) * factor + _part(fraction, factor)
        at += len(_SUFFIXES[index])
        allowed = index + 1
        if at >= end:
            break
        if text[at] not in BLANKS and text[at] not in _DIGITS:
            raise _bad(text, at, option, f"{shown(text[at])} is no suffix; K, M, G, T, P and E are")
    if total >= INFINITY:
        raise _bad(text, 0, option, "it is more than systemd can count; write infinity")
    return total


def parse_percent(text: str, option: str = "value", limit: int | None = 100) -> int:
    """Parts of ten thousand of a percentage such as `20%`, `0.25%` or `150%`; per mille and per myriad signs count too.

    :param limit: the highest percentage allowed; None for no limit (CPUQuota).
    :raises BadInput: it is no percentage, or above the limit.
    """
    sign = text[-1:]
    if sign not in _PERCENT_SIGNS:
        raise BadInput(f"{option}: {shown(text)} is not a percentage; write it like 20% or 0.5%")
    factor, places = _PERCENT_SIGNS[sign]
    whole, dot, fraction = text[:-1].partition(".")
    if not is_digits(whole) or (dot and not is_digits(fraction)):
        raise BadInput(f"{option}: {shown(text)} is not a percentage; write it like 20% or 0.5%")
    if len(fraction) > places:
        raise BadInput(f"{option}: {shown(text)} has more decimals than systemd takes ({places})")
    value = count(whole) * factor + _part(fraction, factor)
    if value > HIGHEST["i"]:
        raise BadInput(f"{option}: {shown(text)} is more than systemd can count")
    if limit is not None and value > limit * 100:
        raise BadInput(f"{option}: {shown(text)} is above {limit}%")
    return value


def format_percent(value: int, unit: int = 1) -> str:
    """The percentage that `parse_percent` reads as that many parts of ten thousand, or as `unit` of them."""
    whole, rest = divmod(int(value), 100 * unit)
    digits = f"{rest / unit / 100:.4f}".rstrip("0")[2:] if rest else ""
    return f"{whole}.{digits}%" if digits else f"{whole}%"


def format_bytes(size: int) -> str:
    """A number of bytes as systemd prints it, with one decimal: `512.0M`, `1.5G`, `300B`; `infinity`."""
    if size >= INFINITY:
        return "infinity"
    for suffix, factor in zip(_SUFFIXES, _FACTORS):
        if size >= factor > 1:
            return f"{size // factor}.{size * 10 // factor % 10}{suffix}"
    return f"{size}B"


def exact_bytes(size: int) -> str:
    """A number of bytes as text that reads back as the same number: `512M`, `1536K`, `1000`; `infinity`."""
    if size >= INFINITY:
        return "infinity"
    for suffix, factor in zip(_SUFFIXES, _FACTORS):
        if factor > 1 and size and size % factor == 0:
            return f"{size // factor}{suffix}"
    return str(size)


def _part(fraction: str, factor: int) -> int:
    """What the decimals of a number are worth in units of which the whole number has `factor`."""
    # There may be any number of zeros; what comes after 30 of them is no part of a byte that counts.
    return count(fraction[:30]) * factor // 10 ** len(fraction[:30])


def _skip(text: str, at: int, chars: str) -> int:
    while at < len(text) and text[at] in chars:
        at += 1
    return at


def _bad(text: str, at: int, option: str, why: str) -> BadInput:
    return BadInput(
        f"{option}: {shown(text)} is not a size in bytes: at character {at + 1}, {why}; write it like 512M, 1.5G or 4096"
    )
