# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bus: sockets, messages, deadlines, and jeepney, which only this package imports."""

from __future__ import annotations

# What the action plugin gave this task: `wanted`, the SHA-256 of the controller's jeepney, and `zip`, that jeepney, where
# the host is known to lack it; `lacking`, why the controller has none to bring, with the remedy. Filled in by _module.py, used
# by carrier.py; a module's process runs one task.
luggage: dict[str, str] = {}
