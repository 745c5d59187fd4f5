# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that is cut short anywhere is finished by the next one: see kill_points.py, and on_host/ for what is done there."""

from __future__ import annotations

import typing as t

import pytest

from tests.attacks import kill_points
from tests.attacks.on_host.scenarios import SCENARIOS
from tests.lab.fixtures import in_full

_CAN_ROLL_BACK = ("unit", "unit_file", "timer", "unit_set")
_ENDED = ("set-changed", "set-fails", "file-changed", "file-rollback", "timer-boot", "limits-trial", "unit-enable-start-fails", "manager-many")
_TWICE = (
    "file-changed",
    "file-rollback",
    "file-install",
    "timer-boot",
    "timer-purge",
    "set-changed",
    "set-fails",
    "limits-unset",
    "unit-enable-start-fails",
    "file-user",
    "manager-many",
    "linger-off",
)
# Of these, any other task that comes next leaves all or nothing.
_WHOLE = ("manager-many", "manager-user", "linger-off")
# Of many units, whose points are more of the same: so many are taken in one run, and all in a full one.
_LARGE = {"unit_set": 5}
# As others are cut short.
_IN_FULL = (("set-changed", "terminate"), ("set-fails", "hang up"))
_REEXECUTED = (
    "unit-enable-start",
    "unit-disable-stop",
    "unit-enable-start-fails",
    "file-new",
    "file-changed",
    "file-rollback",
    "timer-changed",
    "timer-boot",
    "timer-purge",
    "limits-lasting",
    "limits-trial",
    "manager-target",
    "manager-environment",
    "manager-many",
    "manager-user",
    "run-waited",
    "run-timer",
    "file-user",
)


def variants() -> t.Iterator[tuple[str, str]]:
    """Each scenario with the ways in which its task is cut short."""
    for name, scenario in SCENARIOS.items():
        yield name, "kill"
        if scenario.other is not None:
            yield name, "other"
        if name in _WHOLE:
            yield name, "other only"
        if name in _ENDED:
            yield name, "terminate"
        if scenario.fails and name in _ENDED:
            yield name, "hang up"
        if name in _TWICE:
            yield name, "twice"
        writes = scenario.module in ("unit_file", "timer", "unit_set") or scenario.args.get("root")
        if writes and not scenario.fails:
            yield name, "error"
            if scenario.module in _CAN_ROLL_BACK:
                yield name, "error, rollback"
        if name in _REEXECUTED:
            yield name, "re-execute"


_NUMBERS = {name: number for number, name in enumerate(SCENARIOS)}


@pytest.mark.parametrize(
    ("scenario", "variant"),
    [
        pytest.param(
            name, variant, marks=[kill_points.group(_NUMBERS[name]), *([in_full] if (name, variant) in _IN_FULL else [])]
        )
        for name, variant in variants()
    ],
)
def test_cut_short(
    server: kill_points.Server,
    tally: t.Callable[[dict[str, t.Any]], None],
    scenario: str,
    variant: str,
) -> None:
    """The same task, run again, leaves the host as an undisturbed run does, and nothing beside it."""
    answer = kill_points.take(server, scenario, variant, most=_LARGE.get(SCENARIOS[scenario].module))
    tally(answer)
    assert not answer["bad"], kill_points.told(answer)
