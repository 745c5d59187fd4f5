# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `unescape`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unescape
short_description: Take back the escaping of systemd unit names
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Does what C(systemd-escape --unescape) does, or with O(path=true) what C(systemd-escape --unescape --path) does.
  - It takes the escaped text alone, not a whole unit name.
positional: path
options:
  _input:
    description: The escaped text.
    type: str
    required: true
  path:
    description: Whether the text is an escaped path. The result is then an absolute path.
    type: bool
    default: false
seealso:
  - plugin: pidone.systemd.escape
    plugin_type: filter
  - plugin: pidone.systemd.escape_path
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the instance of a unit as it was meant
  ansible.builtin.debug:
    msg: "{{ 'Tom\\x20-photos' | pidone.systemd.unescape }}" # => Tom /photos

- name: Show the directory of a mount unit
  ansible.builtin.debug:
    msg: "{{ 'srv-data.mount' | splitext | first | pidone.systemd.unescape(path=true) }}" # => /srv/data
"""

RETURN = r"""
_value:
  description: The text, or the path.
  type: str
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import names
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import flag, reporting, text


@reporting
def unescape(value: t.Any, path: t.Any = False) -> str:
    escaped = text(value)
    if not flag(path, "path"):
        return names.unescape(escaped, "input").partition("\0")[0]
    plain = names.unescape_path(escaped, "input").partition("\0")[0]
    if escaped != "-" and any(part in ("", ".", "..") for part in plain[1:].split("/")):
        raise BadInput(f"input: {shown(escaped)} is not an escaped path; it would be {shown(plain)}")
    return plain


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"unescape": unescape}
