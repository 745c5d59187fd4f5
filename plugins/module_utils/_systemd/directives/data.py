# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of units as JSON-able typed values: what D-Bus packs into structures, bytes and 2^64-1 gets names."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY

# Signatures of structures whose fields have names in org.freedesktop.systemd1(5).
_EXEC = (
    "path",
    "argv",
    "ignore_errors",
    "start_usec",
    "start_monotonic_usec",
    "exit_usec",
    "exit_monotonic_usec",
    "pid",
)
_STRUCTURES: dict[str, tuple[str, ...]] = {
    "a(sasbttttuii)": (*_EXEC, "code", "status"),
    "a(sasasttttuii)": ("path", "argv", "flags", *_EXEC[3:], "code", "status"),
    "a(sbbsi)": ("type", "trigger", "negate", "parameter", "state"),
    "a(stt)": ("base", "usec", "next_elapse_monotonic_usec"),
    "a(sst)": ("base", "specification", "next_elapse_usec"),
    "(uo)": ("id", "path"),
    "(ss)": ("name", "message"),
}
# Counters, where 2^64-1 says that nothing is counted; in a limit it says that there is none.
_COUNTERS = ("Current", "NSec", "Bytes", "Operations", "Packets", "Peak", "Available")


def to_data(name: str, signature: str, value: t.Any) -> t.Any:
    """What a property becomes in a result.

    :param name: the property, which decides what 2^64-1 means: null in a counter, `infinity` elsewhere.
    :param signature: the D-Bus signature of the value.
    """
    if signature == "t" and value == INFINITY:
        return None if name.endswith(_COUNTERS) else "infinity"
    if signature == "ay":
        return bytes(value).hex() if name.endswith("ID") else list(value)
    fields = _STRUCTURES.get(signature)
    if fields and signature.startswith("a"):
        return [dict(zip(fields, _plain(row))) for row in value]
    if fields:
        return dict(zip(fields, _plain(value)))
    return _plain(value)


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return list(value)
    return value
