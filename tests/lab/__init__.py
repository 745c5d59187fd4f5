# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts with a real PID 1: built once, started in about a second, reached over SSH.

Standard library only, so that it runs before any virtual environment exists.
"""

from __future__ import annotations
