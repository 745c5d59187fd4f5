# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values compared with the systemd of this machine, where it has one. The same is done on hosts of each version."""

from __future__ import annotations

import shutil

import pytest

from tests.unit.values import compare, oracle

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="this machine has no systemd-analyze")


def test_calendars() -> None:
    seen = compare.calendars(oracle.run_here, 11, 1500)
    assert min(seen["taken"], seen["refused"]) > 300
    assert seen["elapses"] > 3000


def test_timespans() -> None:
    seen = compare.timespans(oracle.run_here, 12, 500)
    assert min(seen["taken"], seen["refused"]) > 80


def test_escaping() -> None:
    seen = compare.escaping(oracle.run_here, 13, 150)
    assert min(seen["taken"], seen["refused"]) > 80


def test_cron() -> None:
    seen = compare.crons(oracle.run_here, 14, 800)
    assert seen["compared"] > 700
    assert min(seen["1 lines"], seen["2 lines"]) > 100
