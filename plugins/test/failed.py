# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test `failed`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: failed
short_description: Whether a unit has failed
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Whether a unit is in the state V(failed).
  - C(failed) without the name of the collection is another test, of the results of tasks.
options:
  _input:
    description:
      - One of the units that M(pidone.systemd.unit_info) or M(pidone.systemd.unit) returns.
      - A dictionary of D-Bus properties, or the state itself, can be tested as well.
    type: raw
    required: true
seealso:
  - plugin: pidone.systemd.active
    plugin_type: test
  - plugin: pidone.systemd.enabled
    plugin_type: test
  - module: pidone.systemd.unit_info
"""

EXAMPLES = r"""
- name: Read all services
  pidone.systemd.unit_info:
    name: "*.service"
  register: services

- name: None has failed
  ansible.builtin.assert:
    that: services.units | select('pidone.systemd.failed') | length == 0
"""

RETURN = r"""
_value:
  description: Whether it has failed.
  type: bool
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import reporting, unit_state


@reporting
def failed(value: t.Any) -> bool:
    return unit_state(value, "active_state", "ActiveState") == "failed"


class TestModule:
    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"failed": failed}
