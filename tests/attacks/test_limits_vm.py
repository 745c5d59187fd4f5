# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of a task that is cut short, in the kernel too: only a virtual machine has all controllers.

An emulated one takes its time: of each test one point is taken, another one each day, and all by `make test-full`.
"""

from __future__ import annotations

import typing as t

import pytest

from tests.attacks import kill_points

pytestmark = pytest.mark.lab_kinds("vm")


@pytest.mark.parametrize("scenario", ["limits-trial", "limits-unset"])
def test_limits_in_the_kernel(
    on_vm: kill_points.Server, tally: t.Callable[[dict[str, t.Any]], None], scenario: str
) -> None:
    """The kernel has the limits that the unit shall have, and none of those that were tried."""
    answer = kill_points.take(on_vm, scenario, "kill", most=1)
    tally(answer)
    assert not answer["bad"], kill_points.told(answer)


def test_killed_trial_leaves_nothing(on_vm: kill_points.Server, tally: t.Callable[[dict[str, t.Any]], None]) -> None:
    """Whichever task comes next to the unit of a trial that was killed, the limits on trial are gone."""
    answer = kill_points.take(on_vm, "limits-trial", "other only", most=1)
    tally(answer)
    assert not answer["bad"], kill_points.told(answer)
