# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that changes something, in the background."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.lab.host import Host

UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
# In this order; what one makes others change.
TASKS: list[tuple[str, dict[str, t.Any]]] = [
    ("unit_file", {"name": "as-one", "content": UNIT, "state": "present"}),
    ("unit", {"name": "as-one", "state": "started", "enabled": True}),
    ("resource_control", {"name": "as-one", "properties": {"MemoryHigh": "100M"}}),
    ("timer", {"name": "as-two", "OnCalendar": "daily", "command": "/bin/true"}),
    ("run", {"command": ["sh", "-c", "sleep 0.3; echo late"]}),
    ("manager", {"environment": {"AS_ONE": "1"}}),
    ("user_manager", {"name": "nobody", "linger": False}),
    ("service_handover", {"services": [{"name": "as-none"}], "state": "given_back"}),
    ("init_handover", {"state": "given_back"}),
]
UNDO: list[tuple[str, dict[str, t.Any]]] = [
    ("timer", {"name": "as-two", "state": "absent"}),
    ("unit", {"name": "as-one", "state": "stopped", "enabled": False}),
    ("resource_control", {"name": "as-one", "properties": {"MemoryHigh": None}}),
    ("unit_file", {"name": "as-one", "state": "absent"}),
    ("manager", {"environment": {"AS_ONE": None}}),
]


def test_all_of_them_are_here() -> None:
    modules = {path.stem for path in (Path(__file__).parents[2] / "plugins" / "modules").glob("*.py")}
    changing = {name for name in modules if name != "__init__" and not name.endswith("_info")}
    # It writes on the controller, and never runs on a host.
    assert {name for name, _args in TASKS} == changing - {"service_import_plan"}


@pytest.mark.lab_kinds("bookworm")
def test_in_the_background(host: Host) -> None:
    tasks = [
        {
            "name": f"{name} {number}",
            f"pidone.systemd.{name}": args,
            **({"async": 20, "poll": 1} if number < len(TASKS) else {}),
        }
        for number, (name, args) in enumerate([*TASKS, *UNDO])
    ]
    played = host.playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}])
    assert played.rc == 0, played.text()
