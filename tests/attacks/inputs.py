# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fuzzer's bytes become: text as modules and filters may get it, lone surrogates included."""

from __future__ import annotations

# Between the values of an input that has several: ASCII's unit separator.
BETWEEN = "\x1f"


def as_text(data: bytes) -> str:
    """Text of any bytes: UTF-8 where it is that, also of lone surrogates, and bytes as Python passes them on elsewhere."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """The bytes of a seed."""
    return text.encode("utf-8", "surrogatepass")
