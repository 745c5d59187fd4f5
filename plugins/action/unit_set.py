# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of all modules, by the name of the one that takes hundreds of units.

ansible-core asks an action plugin about the options of a task only where it is called as the module is, not where
meta/runtime.yml names it.
"""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.action.unit import ActionModule

__all__ = ["ActionModule"]
