# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `beside_playbook`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: beside_playbook
short_description: Have a path mean the directory of one's own playbook, and not that of an imported one
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Variables of an imported playbook are evaluated when it runs, and C(playbook_dir) is then the directory of the imported playbook. For one that comes
    with a collection that is nowhere to keep files.
  - Returns a path below that directory as the same path below the directory of the playbook that was started, or below the current directory if that
    is one of a collection too. All other paths are returned as they are.
positional: directory
options:
  _input:
    description: The path.
    type: path
    required: true
  directory:
    description: The directory of the playbook that runs, C(playbook_dir).
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Keep files beside the playbook that imported this one
  ansible.builtin.file:
    path: "{{ (playbook_dir ~ '/units') | pidone.systemd.beside_playbook(playbook_dir) }}"
    state: directory
    mode: "0755"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The path.
  type: path
"""

import os
import typing as t

from ansible import context

from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import reporting, text


@reporting
def beside_playbook(value: t.Any, directory: t.Any) -> str:
    path, here = text(value), text(directory, "directory").rstrip("/")
    if "ansible_collections" not in here.split("/") or not (path == here or path.startswith(here + "/")):
        return path
    started = next((one for one in context.CLIARGS.get("args") or () if os.path.isfile(one)), None)
    own = os.path.dirname(os.path.abspath(started)) if started else os.getcwd()
    return own + path[len(here) :]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"beside_playbook": beside_playbook}
