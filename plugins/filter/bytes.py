# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `bytes`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bytes
short_description: Read and write sizes as systemd does
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Reads sizes such as V(512M), V(1.5G), V(4096) or V(infinity) as systemd does in C(MemoryMax) and its like. Suffixes are powers of 1024.
positional: to
options:
  _input:
    description: The size, or a number of bytes, or with O(of) a percentage.
    type: raw
    required: true
  to:
    description:
      - What to return.
      - V(number) is the number of bytes. V(18446744073709551615) is systemd's infinity.
      - V(text) is text as systemd prints it for people, with one decimal, such as V(1.5G).
      - V(exact) is the shortest text that systemd reads as the same number, such as V(1536M).
    type: str
    choices: [number, text, exact]
    default: number
  of:
    description: What a percentage is a part of, in the same spelling as the input. Without it percentages are refused.
    type: raw
"""

EXAMPLES = r"""
- name: Half of the memory, but not below 512 MiB
  pidone.systemd.unit_file:
    name: app.service
    dropin: memory
    sections:
      Service:
        MemoryMax: "{{ [half, '512M' | pidone.systemd.bytes] | max }}"
  vars:
    half: "{{ '50%' | pidone.systemd.bytes(of=ansible_facts.memtotal_mb ~ 'M') }}"

- name: Show a property for people
  ansible.builtin.debug:
    msg: "{{ 1610612736 | pidone.systemd.bytes('text') }}" # => 1.5G
"""

RETURN = r"""
_value:
  description: The number or text that O(to) asks for.
  type: raw
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import (
    exact_bytes,
    format_bytes,
    parse_bytes,
    parse_percent,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import choice, number_or_text, reporting


@reporting
def bytes_filter(value: t.Any, to: str = "number", of: t.Any = None) -> int | str:
    choice(to, ("number", "text", "exact"), "to")
    words = number_or_text(value).strip()
    if words[-1:] in ("%", "\u2030", "\u2031"):
        if of is None:
            raise BadInput(f"input: {shown(words)} is a part of something; say with of= what it is a part of")
        whole = parse_bytes(number_or_text(of, "of"), "of")
        if whole == INFINITY:
            raise BadInput("of: there is no part of infinity")
        size = whole * parse_percent(words, "input", limit=None) // 10_000
    else:
        # Properties of units have the number of infinity.
        size = INFINITY if words == str(INFINITY) else parse_bytes(words, "input")
    return size if to == "number" else format_bytes(size) if to == "text" else exact_bytes(size)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"bytes": bytes_filter}
