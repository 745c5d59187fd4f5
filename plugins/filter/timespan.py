# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `timespan`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: timespan
short_description: Read and write time spans as systemd does
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Reads time spans such as V(5min 20s), V(1.5h), V(90) or V(infinity), with all units of systemd.time(7), and returns a number or
    systemd's own way to write it, as C(systemd-analyze timespan) prints it.
positional: to
options:
  _input:
    description: The time span, or a number.
    type: raw
    required: true
  to:
    description:
      - What to return.
      - V(us) is the number of microseconds. Properties of units such as C(TimeoutStartUSec) are such numbers, and V(18446744073709551615)
        is systemd's infinity.
      - V(s) is the number of seconds, with a fraction where there is one.
      - V(text) is text, such as V(1h 30min).
    type: str
    choices: [us, s, text]
    default: us
  number:
    description: The unit of numbers that have none. V(us) reads properties of units.
    type: str
    choices: [s, us]
    default: s
"""

EXAMPLES = r"""
- name: Wait as long as the unit may take
  ansible.builtin.wait_for:
    port: 8080
    timeout: "{{ '1min 30s' | pidone.systemd.timespan('s') }}" # => 90

- name: Read a property
  pidone.systemd.unit_info:
    name: app.service
    properties: [TimeoutStartUSec]
  register: app

- name: Show it as systemd would
  ansible.builtin.debug:
    msg: "{{ app.units[0].properties.TimeoutStartUSec | pidone.systemd.timespan('text', number='us') }}" # => 1min 30s
"""

RETURN = r"""
_value:
  description: The number or text that O(to) asks for.
  type: raw
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY, count, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import (
    format_timespan,
    parse_timespan,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import choice, number_or_text, reporting


@reporting
def timespan(value: t.Any, to: str = "us", number: str = "s") -> int | float | str:
    choice(to, ("us", "s", "text"), "to")
    choice(number, ("s", "us"), "number")
    words = number_or_text(value)
    plain = words.strip()
    if number == "us" and is_digits(plain):
        usec = min(count(plain), INFINITY)
    else:
        usec = parse_timespan(words, "input", bare=number)
    if to == "text":
        return format_timespan(usec)
    if to == "us":
        return usec
    if usec == INFINITY:
        raise BadInput("input: infinity is no number of seconds")
    return usec // 1_000_000 if usec % 1_000_000 == 0 else usec / 1_000_000


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"timespan": timespan}
