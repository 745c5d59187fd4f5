# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for units: from what is and what is wished to the steps between."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._core.unit_plan import MissingUnit, Wish, plan_units
from ansible_collections.pidone.systemd.plugins.module_utils._core.units import Unit
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UnitStatus


def unit(
    name: str = "a.service",
    active: str = "inactive",
    sub: str = "",
    load: str = "loaded",
    file: str | None = None,
    job: tuple[int, str] = (0, ""),
    **more: t.Any,
) -> Unit:
    sub = sub or {"inactive": "dead", "active": "running", "failed": "failed"}.get(active, active)
    it = Unit(name, UnitStatus(name, "", load, active, sub, "", "/" + name, *job, "/"))
    it.file_state = file
    for key, value in more.items():
        setattr(it, key, value)
    return it


def steps(*units: Unit, check_mode: bool = False, files_written: bool = False, **wish: t.Any) -> list[str]:
    plan = plan_units(units, Wish(**wish), check_mode=check_mode, files_written=files_written)
    assert bool(plan.changes) is plan.changed or not plan.changes
    return plan.describe()


@pytest.mark.parametrize(
    ("state", "active", "expected"),
    [
        ("started", "inactive", ["start a.service"]),
        ("started", "failed", ["start a.service"]),
        ("started", "active", []),
        ("started", "reloading", []),
        ("stopped", "active", ["stop a.service"]),
        ("stopped", "activating", ["stop a.service"]),
        ("stopped", "inactive", []),
        ("stopped", "failed", []),
        ("restarted", "inactive", ["restart a.service"]),
        ("restarted", "active", ["restart a.service"]),
        ("reloaded", "active", ["reload a.service"]),
        ("try_restarted", "active", ["try-restart a.service"]),
        ("try_restarted", "inactive", []),
        ("reload_or_restarted", "inactive", ["reload-or-restart a.service"]),
        ("try_reload_or_restarted", "active", ["reload-or-try-restart a.service"]),
        ("try_reload_or_restarted", "failed", []),
    ],
)
def test_states(state: str, active: str, expected: list[str]) -> None:
    assert steps(unit(active=active), state=state) == expected


def test_waiting_for_a_restart_is_not_running() -> None:
    assert steps(unit(active="activating", sub="auto-restart"), state="started") == ["restart a.service"]


def test_a_job_of_somebody_else_is_joined_and_is_no_change() -> None:
    plan = plan_units([unit(active="activating", sub="start", job=(7, "start"))], Wish(state="started"))
    assert plan.describe() == ["wait for start a.service"]
    assert not plan.changed


def test_order() -> None:
    down = unit(file="masked", load="masked")
    assert steps(down, state="started", enabled=True, masked=False, settle=5.0, settle_told="5s") == [
        "unmask a.service",
        "enable a.service",
        "daemon-reload",
        "start a.service",
        "watch for 5s",
    ]
    up = unit(active="active", file="enabled")
    assert steps(up, state="stopped", masked=True) == ["stop a.service", "mask a.service", "daemon-reload"]
    assert steps(up, state="stopped", enabled=False) == ["stop a.service", "disable a.service", "daemon-reload"]


def test_many_units_are_one_step_of_each_kind_and_one_reload() -> None:
    units = [unit(f"a@{number}.service", file="disabled", stale=True) for number in range(20)]
    planned = steps(*units, state="started", enabled=True)
    assert planned == [
        "enable a@0.service, a@1.service and 18 more",
        "daemon-reload",
        "start a@0.service, a@1.service and 18 more",
    ]


@pytest.mark.parametrize(
    ("wish", "state", "expected"),
    [
        ({"enabled": True}, "disabled", "enable"),
        ({"enabled": True}, "enabled", ""),
        ({"enabled": True}, "enabled-runtime", "enable"),
        ({"enabled": True, "runtime": True}, "enabled-runtime", ""),
        ({"enabled": True}, "linked", "enable"),
        ({"enabled": True}, "static", ""),
        ({"enabled": True}, "generated", ""),
        ({"enabled": False}, "enabled", "disable"),
        ({"enabled": False}, "enabled-runtime", "disable"),
        ({"enabled": False, "runtime": True}, "enabled", ""),
        ({"enabled": False}, "static", ""),
        ({"enabled": False}, "masked", ""),
        ({"masked": True}, "enabled", "mask"),
        ({"masked": True}, "masked", ""),
        ({"masked": True}, "masked-runtime", "mask"),
        ({"masked": True, "runtime": True}, "masked-runtime", ""),
        ({"masked": False}, "masked", "unmask"),
        ({"masked": False}, "enabled", ""),
    ],
)
def test_enablement(wish: dict[str, bool], state: str, expected: str) -> None:
    planned = steps(unit(file=state), **wish)
    assert planned == ([f"{expected} a.service", "daemon-reload"] if expected else [])


def test_indirect_units() -> None:
    assert steps(unit(file="indirect", has_links=True), enabled=True)[0] == "enable a.service"
    assert steps(unit(file="indirect", also=["disabled"]), enabled=True)[0] == "enable a.service"
    assert steps(unit(file="indirect", also=["enabled"]), enabled=True) == []
    assert steps(unit(file="indirect", also=["enabled"]), enabled=False)[0] == "disable a.service"


def test_presets() -> None:
    assert steps(unit(file="disabled", preset="enabled"), preset=True)[0] == "preset a.service"
    assert steps(unit(file="enabled", preset="disabled"), preset=True)[0] == "preset a.service"
    assert steps(unit(file="enabled", preset="enabled"), preset=True) == []
    assert steps(unit(file="static", preset="enabled"), preset=True) == []


@pytest.mark.parametrize(
    ("mode", "stale", "written", "expected"),
    [
        ("auto", False, False, ["start a.service"]),
        ("auto", True, False, ["daemon-reload", "start a.service"]),
        ("auto", False, True, ["daemon-reload", "start a.service"]),
        ("never", True, True, ["start a.service"]),
        ("always", False, False, ["daemon-reload", "start a.service"]),
    ],
)
def test_reload(mode: str, stale: bool, written: bool, expected: list[str]) -> None:
    assert steps(unit(stale=stale), state="started", daemon_reload=mode, files_written=written) == expected


def test_reset_failed_comes_first() -> None:
    assert steps(unit(active="failed"), state="started", reset_failed=True) == [
        "reset-failed a.service",
        "start a.service",
    ]
    assert steps(unit(active="inactive"), reset_failed=True) == []


@pytest.mark.parametrize(
    ("it", "wish", "words"),
    [
        (unit(), {"state": "started", "masked": True}, ["masked:", "state"]),
        (unit(), {"enabled": True, "masked": True}, ["masked:", "enabled"]),
        (unit(), {"enabled": True, "preset": True}, ["preset:", "enabled"]),
        (unit(file="transient"), {"enabled": True}, ["enabled:", "transient"]),
        (unit(file="masked"), {"enabled": True}, ["enabled:", "masked: false"]),
        (unit(file="disabled", in_the_way="/etc/a"), {"masked": True}, ["masked:", "/etc/a", "unit_file"]),
        (unit(load="masked"), {"state": "started"}, ["state:", "masked: false"]),
        (unit(), {"state": "reloaded"}, ["state:", "never starts", "reload_or_restarted"]),
        (unit(active="active", can_reload=False), {"state": "reloaded"}, ["state:", "ExecReload"]),
        (Unit("a@.service", None), {"state": "started"}, ["name:", "template", "a@1.service"]),
        (unit(load="not-found"), {"state": "started"}, ["name:", "a.service"]),
    ],
)
def test_refusals(it: Unit, wish: dict[str, t.Any], words: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        steps(it, **wish)
    for word in words:
        assert word in caught.value.msg


def test_units_that_do_not_exist() -> None:
    gone = unit(load="not-found", file="")
    with pytest.raises(MissingUnit):
        steps(gone, enabled=True)
    plan = plan_units([gone], Wish(state="started", enabled=True), check_mode=True)
    assert plan.describe() == ["enable a.service", "daemon-reload", "start a.service"]
    assert "earlier task" in plan.warnings[0]
    plan = plan_units([gone], Wish(state="stopped", enabled=False))
    assert not plan.steps
    assert "a.service" in plan.warnings[0]
    assert steps(gone, masked=True)[0] == "mask a.service"


def test_two_names_of_one_unit_are_one() -> None:
    one, two = unit("a.service"), unit("a.service")
    two.name = "alias.service"
    assert steps(one, two, state="restarted") == ["restart a.service"]


def test_changes_say_what_becomes_of_each_unit() -> None:
    plan = plan_units(
        [unit(file="disabled"), unit("b.service", active="active", file="enabled")], Wish("started", True)
    )
    assert [tuple(change) for change in plan.changes] == [("a.service", "inactive (dead), disabled", "active, enabled")]


def test_start_takes_the_place_of_a_stop_that_waits() -> None:
    assert steps(unit(active="active", job=(7, "stop")), state="started") == ["start a.service"]
    assert steps(unit(active="active", job=(7, "reload")), state="started") == []
