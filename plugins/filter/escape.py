# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `escape`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: escape
short_description: Escape text for the name of a systemd unit
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Does what C(systemd-escape) does. V(/) becomes V(-), and what a unit name cannot hold becomes V(\\xNN).
  - For paths, as the names of mount units are made of, use P(pidone.systemd.escape_path#filter).
positional: template
options:
  _input:
    description: The text.
    type: str
    required: true
  template:
    description: Name of a template. The result is then the name of its instance for this text.
    type: str
seealso:
  - plugin: pidone.systemd.unescape
    plugin_type: filter
  - plugin: pidone.systemd.escape_path
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Start the backup of a share whose name holds what a unit name cannot
  pidone.systemd.unit:
    name: "{{ 'Tom & Ann/photos' | pidone.systemd.escape('backup@.service') }}"
    state: started

- name: Show it
  ansible.builtin.debug:
    msg: "{{ 'a b/c' | pidone.systemd.escape }}" # => a\x20b-c
"""

RETURN = r"""
_value:
  description: The escaped text, or the name of the instance.
  type: str
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd import names
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import in_template, reporting, text


@reporting
def escape(value: t.Any, template: str | None = None) -> str:
    escaped = names.escape(text(value), "input")
    return escaped if template is None else in_template(escaped, template)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"escape": escape}
