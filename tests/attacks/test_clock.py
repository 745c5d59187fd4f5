# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock is set by years while a task is at work, back and on: nothing waits for it, and nothing is taken for old or new by it.

A container's clock is that of the machine that runs the tests, so there only the task sees another time. On a virtual machine it is the host's.
"""

from __future__ import annotations

import typing as t

import pytest

from tests.attacks import kill_points
from tests.lab.fixtures import in_full
from tests.lab.full import is_full

_SCENARIOS = (
    "unit-enable-start",
    "file-changed",
    "file-rollback",
    "file-user",
    "timer-changed",
    "timer-persistent",
    "timer-boot",
    "limits-trial",
    "manager-many",
    "run-begun",
    "run-waited",
)


@pytest.mark.parametrize("variant", ["clock back", "clock on"])
@pytest.mark.parametrize(
    "scenario", [pytest.param(name, marks=kill_points.group(at)) for at, name in enumerate(_SCENARIOS)]
)
def test_clock(
    server: kill_points.Server, tally: t.Callable[[dict[str, t.Any]], None], scenario: str, variant: str
) -> None:
    """A task ends as ever, in its usual time, and the next one has nothing to do."""
    answer = kill_points.take(server, scenario, variant)
    tally(answer)
    assert not answer["bad"], kill_points.told(answer)


@pytest.mark.lab_kinds("vm")
@pytest.mark.parametrize("variant", ["host's clock back", pytest.param("host's clock on", marks=in_full)])
def test_clock_of_the_host(
    on_vm: kill_points.Server, tally: t.Callable[[dict[str, t.Any]], None], variant: str
) -> None:
    """The same where systemd, the kernel and the disk have that time, too; the next task has it from its beginning."""
    # An emulated machine takes its time; the others have the clock of the task on every host.
    scenarios = ("file-changed", "timer-changed", "limits-trial", "run-begun") if is_full() else ("timer-changed",)
    for scenario in scenarios:
        answer = kill_points.take(on_vm, scenario, variant, most=2 if is_full() else 1)
        tally(answer)
        assert not answer["bad"], kill_points.told(answer)
