# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of attacks use the lab's fixtures, and tell what became of all kill points."""

from __future__ import annotations

import typing as t

import pytest

from tests.attacks import kill_points

if t.TYPE_CHECKING:
    from tests.lab.fixtures import Lab
    from tests.lab.host import Host

pytest_plugins = ["tests.lab.fixtures", "tests.attacks.figures", "tests.attacks.summary_bad_inputs"]


@pytest.fixture(scope="module")
def server(lab: Lab) -> t.Iterator[kill_points.Server]:
    """Takes kill points on a host that is used for nothing else."""
    made = kill_points.Server(lab(kill_points.KIND, "attacks"), own=True)
    yield made
    made.close()


@pytest.fixture(scope="session")
def on_vm(host: Host) -> t.Iterator[kill_points.Server]:
    """The same on the virtual machine, once for all tests: there it takes long to import what is attacked."""
    made = kill_points.Server(host, own=True)
    yield made
    made.close()
