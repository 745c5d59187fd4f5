# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest: what became of all kill points is told in the last lines of a run, whichever process took them."""

from __future__ import annotations

import os
import typing as t

import pytest

from tests.attacks import kill_points

_PROPERTY = "kill points"


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed once, so that processes of one run which begin before and after midnight have the same."""
    os.environ.setdefault("PIDONE_SEED", str(kill_points.seed()))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> t.Callable[[dict[str, t.Any]], None]:
    """Adds what became of points (`of`, `taken`, `bad`) to the figures at the end of the run."""

    def add(answer: dict[str, t.Any]) -> None:
        request.node.user_properties.append((_PROPERTY, kill_points.figures(answer)))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of all tests."""
    added: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "call":
                continue
            for name, figures in getattr(report, "user_properties", ()):
                if name == _PROPERTY:
                    for key, number in figures.items():
                        added[key] = added.get(key, 0) + number
    if added:
        terminalreporter.write_line(kill_points.summary(added))
