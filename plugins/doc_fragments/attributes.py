# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of this collection says about itself; private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    # Every module. A state-changing one adds `support` to check_mode, diff_mode and idempotent.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: In check mode, computes and returns what would be changed, and changes nothing.
  diff_mode:
    description: In diff mode, returns what is changed, or in check mode would be.
  idempotent:
    description: Run again with the same options, it changes nothing and reports C(changed=false).
  platform:
    description: Hosts it can manage.
    support: full
    platforms: Linux with systemd 247 or later
  action_group:
    description: Use C(group/pidone.systemd.systemd) in C(module_defaults) to set defaults of its options.
    support: full
    membership:
      - pidone.systemd.systemd
  action:
    description: A part of it runs on the controller.
    support: full
    details:
      - Carries the library jeepney from the controller to a host that does not have it.
  async:
    description: Can be used with the C(async) keyword.
    support: full
"""

    # Modules that only read.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Changes nothing in any mode.
  diff_mode:
    support: N/A
    details:
      - Changes nothing in any mode.
  idempotent:
    support: full
    details:
      - Changes nothing in any mode.
"""
