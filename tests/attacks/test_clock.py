# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock is set by years while a task is at work, back and on: nothing waits for it, and nothing is taken for old or new by it.

On a virtual machine, for a container's clock is that of the machine that runs the tests.
"""

from __future__ import annotations

import typing as t

import pytest

from tests.attacks import kill_points
from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("vm")

_SCENARIOS = ("unit-enable-start", "file-changed", "timer-changed", "timer-boot", "limits-trial", "manager-many", "run-begun")


@pytest.fixture(scope="module")
def on_vm(host: Host) -> t.Iterator[kill_points.Server]:
    """Sets the clock of the virtual machine, which others use afterwards as it was."""
    made = kill_points.Server(host, own=True)
    yield made
    made.close()
    host.run("rm -r /etc/systemd/system-generators /etc/systemd/user-generators; systemctl daemon-reload")


@pytest.mark.parametrize("variant", ["clock back", "clock on"])
@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_clock(
    on_vm: kill_points.Server, tally: t.Callable[[dict[str, t.Any]], None], scenario: str, variant: str
) -> None:
    """A task ends as ever, in its usual time, and the next one, by the clock as it is then, has nothing to do."""
    answer = kill_points.take(on_vm, scenario, variant, most=2)
    tally(answer)
    assert not answer["bad"], kill_points.told(answer)
