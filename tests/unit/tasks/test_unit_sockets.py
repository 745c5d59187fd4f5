# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where units listen, as `unit_info` tells it."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit import sockets

TOLD: dict[str, dict[str, t.Any]] = {
    "a.socket": {
        "Listen": [("Stream", "[::]:80"), ("FIFO", "/run/a")], "Accept": False, "NConnections": 0, "NAccepted": 2, "NRefused": 1,
        "Triggers": ["web.service"],
    },
    "b.socket": {"Listen": [("Netlink", "audit 1")], "Triggers": ["web.service"]},
    "web.service": {"TriggeredBy": ["b.socket", "web.timer", "a.socket"]},
    "other.service": {"TriggeredBy": []},
}  # fmt: skip


class Manager:
    rounds = 0

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        self.rounds += 1
        for _path, face, what in wanted:
            assert (face == UNIT) is (what in ("Triggers", "TriggeredBy"))
        return [next(told for name, told in TOLD.items() if object_path(name) == path).get(what) for path, _face, what in wanted]


def told(*names: str) -> tuple[dict[str, dict[str, t.Any]], int]:
    loaded: list[t.Any] = [(UnitStatus(name, "", "loaded", "", "", "", object_path(name), 0, "", "/"), {}) for name in names]
    manager = Manager()
    sockets.add_sockets(t.cast(t.Any, manager), loaded)
    return {status.id: entry for status, entry in loaded}, manager.rounds


def test_of_sockets_and_of_what_they_activate() -> None:
    found, rounds = told("a.socket", "web.service", "other.service")
    a = {
        "listens": [{"address": "[::]:80", "kind": "Stream"}, {"address": "/run/a", "kind": "FIFO"}],
        "accept": False, "connections": 0, "accepted": 2, "refused": 1, "activates": ["web.service"],
    }  # fmt: skip
    assert found["a.socket"] == {"sockets": a}
    by = found["web.service"]["activated_by"]
    assert [each["name"] for each in by] == ["a.socket", "b.socket"]
    assert by[0] == {"name": "a.socket", **a} and by[1]["listens"] == [{"address": "audit 1", "kind": "Netlink"}]
    assert (found["other.service"], rounds) == ({}, 2)
