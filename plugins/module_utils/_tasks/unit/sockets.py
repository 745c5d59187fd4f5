# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where units listen: `.socket` units as systemd tells it, processes as the kernel does."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import sockets_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SOCKET
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# Units that are asked about together.
_MANY = 500
_ASKED = ("Listen", "Accept", "NConnections", "NAccepted", "NRefused")


def add_sockets(manager: UnitManager, loaded: t.Sequence[tuple[UnitStatus, dict[str, t.Any]]]) -> None:
    """Add to the entries of `.socket` units where they listen, and to others what listens for them.

    :param loaded: units that systemd has in memory, with their entries in the result.
    """
    others = [(status, entry) for status, entry in loaded if unit_type(status.id) != "socket"]
    triggers = manager.properties([(status.path, UNIT, "TriggeredBy") for status, _entry in others])
    by = [[name for name in names or () if unit_type(name) == "socket"] for names in triggers]
    asked = [status.id for status, _entry in loaded if unit_type(status.id) == "socket"]
    told = _read(manager, list(dict.fromkeys([*asked, *(name for names in by for name in names)])))
    for status, entry in loaded:
        if status.id in told and unit_type(status.id) == "socket":
            entry["sockets"] = told[status.id]
    for (_status, entry), names in zip(others, by):
        if names:
            entry["activated_by"] = [{"name": name, **told[name]} for name in sorted(names)]


def _read(manager: UnitManager, names: t.Sequence[str]) -> dict[str, dict[str, t.Any]]:
    """What systemd tells of `.socket` units, by name."""
    told = {}
    for start in range(0, len(names), _MANY):
        batch = names[start : start + _MANY]
        wanted = [(object_path(name), *each) for name in batch for each in ((UNIT, "Triggers"), *((SOCKET, what) for what in _ASKED))]
        values = iter(manager.properties(wanted))
        for name in batch:
            activates, listen, accept, connections, accepted, refused = (next(values) for _dummy in range(len(_ASKED) + 1))
            told[name] = {
                "listens": [{"address": address, "kind": kind} for kind, address in listen or ()],
                "accept": bool(accept),
                "connections": connections or 0,
                "accepted": accepted or 0,
                "refused": refused or 0,
                "activates": sorted(activates or ()),
            }
    return told


def listeners_of(pids: t.Sequence[int]) -> list[dict[str, str]]:
    """Where processes listen, each address once."""
    pairs = (name.partition(" ") for name in sockets_of(pids))
    return [{"address": address, "kind": kind} for kind, _blank, address in pairs]
