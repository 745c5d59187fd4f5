# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directives have numbers, told by the tables of directives themselves; and what looks like numbers and is none."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.exec import DIRECTIVES
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import Kind
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import PROPERTIES

TABLES: dict[str, Kind] = {**DIRECTIVES, **{name: row.kind for name, row in PROPERTIES.items()}}
# With a number in it, a value of each kind that has numbers.
_SAMPLES = ("1", "5", "10", "1%", "1s", "0755", "/dev/sda 5", "tcp:10", "10.0.0.0/8")
_NUMBERS = frozenset(("i", "u", "t", "ay", "(aiai)", "a(st)", "a(iiqq)", "a(iayu)"))
# Text and base64, which are bytes on D-Bus.
_BYTES = ("StandardInputText", "StandardInputData")
# What Python alone takes for digits, or int() for a number: other scripts, underscores, blanks that are none for systemd.
NO_DIGITS = ("\u00b2", "\u0663", "\uff11", "1_0", "1\u20030", "1\xa00", "--1")


def numeric() -> t.Iterator[tuple[str, str]]:
    """Of each directive whose value is or has a number: its name, and a value that is taken."""
    for name, kind in TABLES.items():
        for sample in _SAMPLES:
            try:
                sent = kind.to_bus(name, kind.parse_all([sample], name))
            except BadInput:
                continue
            if name not in _BYTES and all(signature in _NUMBERS for _name, (signature, _value) in sent):
                yield name, sample
                break


def spoiled(sample: str, digits: str) -> str:
    """The value with other digits in the place of its longest number."""
    return sample.replace(max(re.findall("[0-9]+", sample), key=len), digits)


NUMERIC = dict(numeric())
