# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test `active`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: active
short_description: Whether a unit is active
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Whether a unit is up, which includes that it is reloading. It is not while it is starting, or waits to be restarted after a failure.
options:
  _input:
    description:
      - One of the units that M(pidone.systemd.unit_info) or M(pidone.systemd.unit) returns.
      - A dictionary of D-Bus properties, or the state itself, can be tested as well.
    type: raw
    required: true
seealso:
  - plugin: pidone.systemd.failed
    plugin_type: test
  - plugin: pidone.systemd.enabled
    plugin_type: test
  - module: pidone.systemd.unit_info
"""

EXAMPLES = r"""
- name: Read the workers
  pidone.systemd.unit_info:
    name: app@*.service
  register: workers

- name: All of them are up
  ansible.builtin.assert:
    that: workers.units | reject('pidone.systemd.active') | length == 0
"""

RETURN = r"""
_value:
  description: Whether it is active.
  type: bool
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_active
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import reporting, unit_state


@reporting
def active(value: t.Any) -> bool:
    if isinstance(value, t.Mapping) and isinstance(value.get("active"), bool):
        return bool(value["active"])
    return is_active(str(unit_state(value, "active_state", "ActiveState")))


class TestModule:
    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"active": active}
