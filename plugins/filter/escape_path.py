# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `escape_path`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: escape_path
short_description: Escape a path for the name of a systemd unit
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Does what C(systemd-escape --path) does. Slashes at both ends and doubled ones go, the others become V(-).
positional: suffix
options:
  _input:
    description: The path.
    type: str
    required: true
  suffix:
    description: Type of the unit, such as V(mount). The result is then a whole unit name.
    type: str
  template:
    description: Name of a template. The result is then the name of its instance for this path.
    type: str
seealso:
  - plugin: pidone.systemd.escape
    plugin_type: filter
  - plugin: pidone.systemd.unescape
    plugin_type: filter
"""

EXAMPLES = r"""
- name: A file system that is mounted when somebody looks at it
  pidone.systemd.unit:
    name: "{{ '/srv/big data' | pidone.systemd.escape_path('automount') }}" # => srv-big\x20data.automount
    state: started
    enabled: true
"""

RETURN = r"""
_value:
  description: The escaped path, or the name of the unit.
  type: str
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import names
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import in_template, reporting, text, with_suffix


@reporting
def escape_path(value: t.Any, suffix: t.Any = None, template: t.Any = None) -> str:
    path = text(value)
    parts = path.split("/")
    if ".." in parts:
        raise BadInput(f"input: {shown(path)} has '..' in it; systemd takes paths without detours only")
    if path and not path.startswith("/") and set(parts) <= {".", ""}:
        raise BadInput(f"input: {shown(path)} is not an absolute path")
    escaped = names.escape_path(path, "input")
    if any(len(part.encode("utf-8", "surrogateescape")) > 255 for part in parts):
        raise BadInput("input: has a part of more than 255 bytes, which no path can have")
    if suffix is not None and template is not None:
        raise BadInput("suffix and template exclude each other; a template has its own suffix")
    if template is not None:
        return in_template(escaped, template)
    return escaped if suffix is None else with_suffix(escaped, suffix)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"escape_path": escape_path}
