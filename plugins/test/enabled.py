# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test `enabled`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: enabled
short_description: Whether a unit is enabled
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Whether a unit is enabled, for good or until the next boot. V(static), V(alias), V(indirect), V(linked) and V(generated) are not enabled.
options:
  _input:
    description:
      - One of the units that M(pidone.systemd.unit_info) returns, or that M(pidone.systemd.unit) returns of a task with
        O(pidone.systemd.unit#module:enabled), O(pidone.systemd.unit#module:masked) or O(pidone.systemd.unit#module:preset).
      - A dictionary of D-Bus properties, or the state itself, can be tested as well.
    type: raw
    required: true
seealso:
  - plugin: pidone.systemd.active
    plugin_type: test
  - plugin: pidone.systemd.failed
    plugin_type: test
  - module: pidone.systemd.unit_info
"""

EXAMPLES = r"""
- name: Read a unit
  pidone.systemd.unit_info:
    name: nginx.service
  register: nginx

- name: It comes back after a boot
  ansible.builtin.assert:
    that: nginx.units[0] is pidone.systemd.enabled
"""

RETURN = r"""
_value:
  description: Whether it is enabled.
  type: bool
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import reporting, unit_state


@reporting
def enabled(value: t.Any) -> bool:
    if isinstance(value, t.Mapping) and isinstance(value.get("enabled"), bool):
        return bool(value["enabled"])
    return unit_state(value, "unit_file_state", "UnitFileState") in ("enabled", "enabled-runtime")


class TestModule:
    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"enabled": enabled}
