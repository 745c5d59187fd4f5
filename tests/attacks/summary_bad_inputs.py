# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin for pytest: how many bad inputs were tried, and what came of them, in the last lines.

Tests tell it by `record_property("bad_inputs", [TRIED, TRACEBACKS, SEED])`, which crosses pytest-xdist's processes.
"""

from __future__ import annotations

import typing as t


def pytest_terminal_summary(terminalreporter: t.Any) -> None:
    """Print the figure."""
    tried = tracebacks = 0
    seeds = set()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "bad_inputs" and getattr(report, "when", "") == "call":
                    tried, tracebacks = tried + value[0], tracebacks + value[1]
                    seeds.add(value[2])
    if tried:
        seed = ", ".join(map(str, sorted(seeds)))
        terminalreporter.write_line(f"bad inputs: {tried}, {tracebacks} tracebacks (PIDONE_SEED={seed})")
