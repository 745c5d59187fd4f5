# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes, percentages and whole numbers: taken or refused, in range, and what is written reads back as the same."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import HIGHEST, INFINITY, parse_number
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import (
    exact_bytes,
    format_bytes,
    parse_bytes,
    parse_percent,
)
from tests.attacks.inputs import as_bytes, as_text

SEEDS = [
    as_bytes(text)
    for text in (
        "512M", "1.5G", "1G 512M", "4096", "infinity", "10.K", "7B", "+3 T", "20%", "0.25%", "150%", "1.5\u2030",
        "7\u2031", "0x1F", "0755", "0b101", "-20", "+19", "18446744073709551615", "15E", "1.000000000000000000001K",
    )
]  # fmt: skip
TOKENS = [b"K", b"M", b"G", b"T", b"P", b"E", b"B", b"%", b"\xe2\x80\xb0", b".", b"+", b"-", b"0x", b"0o", b"infinity"]


def one_input(data: bytes) -> None:
    text = as_text(data)
    for read in (parse_bytes, _percent, _unlimited, _number, _decimal):
        try:
            number = read(text)
        except BadInput as error:
            assert len(error.msg) < 600 and error.msg.isprintable(), error.msg
            continue
        if read is parse_bytes:
            assert 0 <= number <= INFINITY
            assert parse_bytes(exact_bytes(number)) == number
            format_bytes(number)
        elif read is _number:
            assert HIGHEST["i"] >= number >= -(2**31)
        elif read is not _decimal:
            assert 0 <= number <= HIGHEST["i"]
            assert int(number / 100) <= 100 or read is _unlimited


def _percent(text: str) -> int:
    return parse_percent(text)


def _unlimited(text: str) -> int:
    return parse_percent(text, limit=None)


def _number(text: str) -> int:
    return parse_number(text, "value", -(2**31), HIGHEST["i"])


def _decimal(text: str) -> int:
    number = parse_number(text, "value", 0, HIGHEST["t"], decimal=True)
    assert str(number) == text.lstrip("+-").lstrip("0") or number == 0
    return number
