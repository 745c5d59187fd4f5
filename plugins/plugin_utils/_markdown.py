# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any text as a part of Markdown (CommonMark, with the tables of GitHub) that says itself and nothing else."""

from __future__ import annotations

import re

# Control characters, those that turn the direction of writing (Unicode's bidirectional algorithm, UAX 9) or end a line elsewhere, and
# what has no encoding.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_MARKS = re.compile(r"[\\`*\[\]<>|~&#]|(?<![^\W_])_|_(?![^\W_])")
# What begins a numbered list, where it begins a line.
_NUMBER = re.compile(r"\d{1,9}[.)]")


def _seen(match: re.Match[str]) -> str:
    code = ord(match.group())
    return (
        "\N{REPLACEMENT CHARACTER}"
        if 0xD800 <= code <= 0xDFFF
        else f"\\x{code:02x}"
        if code < 256
        else f"\\u{code:04x}"
    )


def plain(text: object) -> str:
    """Text on one line, of characters that can be seen and that a terminal does nothing with."""
    return _UNSEEN.sub(_seen, re.sub(r"[\r\n\t]+", " ", str(text)))


def inline(text: object) -> str:
    """Text in a paragraph, a headline, an entry of a list or a cell."""
    found = _MARKS.sub(r"\\\g<0>", " ".join(plain(text).split()))
    if found[:1] in ("-", "+", "="):
        return "\\" + found
    number = _NUMBER.match(found)
    return f"{found[: number.end() - 1]}\\{found[number.end() - 1 :]}" if number else found


def code(text: object) -> str:
    """Text as code within a line; `-` where there is none."""
    found = " ".join(plain(text).split()) or "-"
    fence = "`" * (_longest(found) + 1)
    # One blank is taken off on both sides, where a backtick would join the fence.
    return f"{fence} {found} {fence}" if "`" in found else f"{fence}{found}{fence}"


def block(text: object, language: str = "") -> list[str]:
    """Text as lines of code between fences."""
    found = "\n".join(_UNSEEN.sub(_seen, line) for line in re.split("\r\n|\r|\n", str(text).rstrip()))
    fence = "`" * max(3, _longest(found) + 1)
    return [fence + language, found, fence]


def _longest(text: str) -> int:
    """The length of the longest run of backticks."""
    return max((len(run) for run in re.findall("`+", text)), default=0)
