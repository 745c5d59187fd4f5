# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies that keep what was, while the original goes on."""

from __future__ import annotations

import typing as t

Thing = t.TypeVar("Thing")
# What cannot change; most attributes are such, and copies are made before each statement.
_FIXED = frozenset((str, int, bool, type(None)))


def copy_of(thing: Thing) -> Thing:
    """A copy of an object: all its attributes, whatever their names.

    Its lists, sets and dicts, and the lists in these dicts, are its own, and so is what has a `copy` itself; all else is shared.
    """
    new: Thing = object.__new__(type(thing))
    attributes = vars(new)
    attributes.update(vars(thing))
    for name, value in attributes.items():
        kind = type(value)
        if kind in _FIXED:
            continue
        if kind is list or kind is set:
            attributes[name] = value.copy()
        elif kind is dict:
            mine = value.copy()
            attributes[name] = mine
            for key, one in value.items():
                if isinstance(one, list):
                    mine[key] = one.copy()
        elif hasattr(value, "copy"):
            attributes[name] = value.copy()
    return new
