# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that change the same manager at once: each does its work as if it were alone, one after the other."""

from __future__ import annotations

import typing as t

import pytest

from tests.attacks import kill_points
from tests.attacks.on_host.scenarios import PAIRS

if t.TYPE_CHECKING:
    from tests.lab.fixtures import Lab

_REEXECUTIONS = [name for name in PAIRS if name.startswith("two re-executions")]


@pytest.mark.parametrize("pair", [pytest.param(name, marks=kill_points.group(at)) for at, name in enumerate(PAIRS)])
def test_two_at_once(
    server: kill_points.Server,
    tally: t.Callable[[dict[str, t.Any]], None],
    pair: str,
) -> None:
    """Neither fails for the other's sake, and the end is that of one after the other, whichever was first.

    The second one begins while the first one is stopped, at any of its points.
    """
    answer = kill_points.take(server, pair, do="meet")
    tally(answer)
    assert not answer["bad"], kill_points.told(answer)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.xdist_group(f"{kind}/attacks")) for kind in ("bullseye", "trixie")]
)
def test_two_re_executions(lab: Lab, tally: t.Callable[[dict[str, t.Any]], None], kind: str) -> None:
    """Each version of systemd goes away in its own way; neither task takes it for a failure that systemd does."""
    server = kill_points.Server(lab(kind, "attacks"), own=True)
    try:
        for pair in _REEXECUTIONS:
            answer = kill_points.take(server, pair, do="meet")
            tally(answer)
            assert not answer["bad"], kill_points.told(answer)
    finally:
        server.close()


@kill_points.group(0)
@pytest.mark.parametrize("scenario", ["file-changed", "timer-boot", "unit-restart", "unit-disable-stop", "file-user"])
def test_who_waits_in_vain_says_for_whom(server: kill_points.Server, scenario: str) -> None:
    """After its own `timeout`, a task says which process is in the way; whoever only reads does not wait.

    Each of them still has something to do in the middle of the same task: one that finds all as it is wanted would not wait.
    """
    answer = server.ask({"do": "hold", "scenario": scenario})
    assert answer["reading"] is not None
    assert answer["reading"] < 1
    assert answer["failed"]
    assert str(answer["pid"]) in answer["msg"]
    assert "timeout" in answer["msg"]
    assert 1 <= answer["seconds"] < 4
    assert answer["wrong"] == []
