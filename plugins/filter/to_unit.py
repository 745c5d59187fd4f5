# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `to_unit`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: to_unit
short_description: Write the text of a unit file from sections
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Writes structured sections as the text of a unit file, as M(pidone.systemd.unit_file) does with its O(pidone.systemd.unit_file#module:sections).
options:
  _input:
    description:
      - The sections, each a dictionary of directives.
      - A value is text, a number or a boolean, or a list of these. A list gives the directive once for each item.
      - An empty value resets what systemd had read of this directive before.
    type: dict
    required: true
seealso:
  - plugin: pidone.systemd.from_unit
    plugin_type: filter
  - module: pidone.systemd.unit_file
"""

EXAMPLES = r"""
- name: Put a unit into an image that has no Python
  ansible.builtin.copy:
    dest: build/rootfs/etc/systemd/system/app.service
    mode: "0644"
    content: "{{ unit | pidone.systemd.to_unit }}"
  delegate_to: localhost
  vars:
    unit:
      Unit: {Description: Application}
      Service:
        ExecStart: /opt/app/bin/app
        Environment: [LOG=json, "GREETING=hello world"]
      Install: {WantedBy: multi-user.target}
"""

RETURN = r"""
_value:
  description: The text of the unit file.
  type: str
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import reporting


@reporting
def to_unit(value: t.Any) -> str:
    return render(value, "input")


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"to_unit": to_unit}
