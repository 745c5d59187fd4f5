# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first death of a service is noted from what systemd tells, whatever it does afterwards."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.deaths import Deaths

FACE = "org.freedesktop.systemd1."
FIRST, SECOND = b"1" * 16, b"2" * 16


class Manager:
    """Services with Restart=, by name, and what it told of them."""

    def __init__(self, **restarts: str) -> None:
        self.restarts = {f"{name}.service": how for name, how in restarts.items()}
        self.told: dict[str, list[t.Any]] = {}

    def properties(self, wanted: t.Sequence[t.Any]) -> list[t.Any]:
        return list(self.restarts.values())

    def watch_unit(self, name: str) -> list[t.Any]:
        return self.told.setdefault(name, [])

    def tell(
        self, state: str, job: int = 0, result: str = "success", invocation: bytes = FIRST, code: int = 0, name: str = "a.service"
    ) -> None:
        """One change: `state` is ActiveState, or ActiveState/SubState."""
        active, _slash, sub = state.partition("/")
        service = {"Result": ("s", result), "ExecMainCode": ("i", 1 if code else 0), "ExecMainStatus": ("i", code)}
        unit = {
            "ActiveState": ("s", active), "SubState": ("s", sub), "Job": ("(uo)", (job, "/")), "InvocationID": ("ay", invocation),
        }  # fmt: skip
        self.told[name] += [("/", (f"{FACE}Service", service, [])), ("/", (f"{FACE}Unit", unit, []))]


def watched(**options: t.Any) -> tuple[Manager, Deaths]:
    manager = Manager(a="on-failure", b="no")
    deaths = Deaths(manager, ["a.service", "b.service", "c.socket"], **options)
    deaths.jobs = {"a.service": 7}
    return manager, deaths


def started(manager: Manager) -> None:
    manager.tell("activating/start", 7)
    manager.tell("active/running", 7)
    manager.tell("active/running")


def test_the_first_counts() -> None:
    manager, deaths = watched()
    assert list(manager.told) == ["a.service"] and deaths.watches
    started(manager)
    assert not deaths.look()
    manager.tell("deactivating/stop-sigterm", result="exit-code", code=3)
    manager.tell("activating/auto-restart", result="exit-code", code=3)
    manager.tell("activating/start", 9, invocation=SECOND)
    manager.tell("activating/auto-restart", result="exit-code", invocation=SECOND, code=4)
    assert deaths.look()
    death = deaths.found["a.service"]
    assert (death.service["ExecMainStatus"], death.unit["InvocationID"]) == (3, FIRST)
    assert (death.result, death.unit["SubState"]) == ("exit-code", "auto-restart")
    assert manager.told["a.service"] == []


@pytest.mark.parametrize("state", ["failed/failed", "activating/auto-restart", "activating/auto-restart-queued"])
def test_how_a_service_is_down(state: str) -> None:
    manager, deaths = watched(at_once=True)
    manager.tell(state)
    assert deaths.look()


def test_what_is_no_death() -> None:
    """What was before, what the job itself stops, and an end in peace."""
    manager, deaths = watched()
    manager.tell("failed/failed", result="exit-code", code=1)
    manager.tell("inactive/dead", result="exit-code", code=1)
    manager.tell("deactivating/stop-sigterm", 7, result="signal", code=1)
    started(manager)
    manager.tell("active/exited", code=0)
    manager.tell("deactivating/final-sigterm")
    manager.tell("inactive/dead")
    assert not deaths.look() and not deaths.found


def test_nothing_to_watch() -> None:
    assert not Deaths(Manager(b="no"), ["b.service"]).watches
