# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests on real hosts use the lab's fixtures, and some take kill points."""

pytest_plugins = ["tests.lab.fixtures", "tests.attacks.figures", "tests.attacks.summary_bad_inputs"]
