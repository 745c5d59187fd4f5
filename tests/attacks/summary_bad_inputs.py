# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin for pytest: how many bad inputs were tried, and what came of them, in the last lines.

Tests tell it by `record_property("bad_inputs", [TRIED, TRACEBACKS, SEED, OF])`, which crosses pytest-xdist's processes; OF is what
the input was for: `modules`, `filters`, `tests`.
"""

from __future__ import annotations

import typing as t


def summary(told: t.Iterable[tuple[int, int, int, str]]) -> str:
    """The figures of all tests in one line; empty where there are none."""
    tried: dict[str, int] = {}
    tracebacks = 0
    seeds = set()
    for number, bad, seed, of in told:
        tried[of] = tried.get(of, 0) + number
        tracebacks += bad
        seeds.add(seed)
    if not tried:
        return ""
    parts = ", ".join(f"{of} {number}" for of, number in sorted(tried.items(), key=lambda item: (-item[1], item[0])))
    told_seeds = ", ".join(map(str, sorted(seeds)))
    return f"bad inputs: {sum(tried.values())} ({parts}), {tracebacks} tracebacks (PIDONE_SEED={told_seeds})"


def pytest_terminal_summary(terminalreporter: t.Any) -> None:
    """Print the figure."""
    line = summary(
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "bad_inputs" and getattr(report, "when", "") == "call"
    )
    if line:
        terminalreporter.write_line(line)
