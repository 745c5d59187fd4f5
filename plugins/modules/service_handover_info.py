#!/usr/bin/python

# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_handover_info
short_description: Tell how far a host has come on its way to systemd
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Tells which first process a host runs, whether systemd is installed there, and what M(pidone.systemd.service_handover) and
    M(pidone.systemd.init_handover) have done on it so far.
  - Needs nothing on the host but Python; neither systemd nor D-Bus.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.attributes.info_module
attributes:
  action:
    details:
      - What a host answers is checked on the controller.
  platform:
    platforms: posix
    details:
      - The host that is left behind needs no systemd.
  action_group:
    description: Is in no action group, since it talks to no systemd.
    support: none
    membership: []
options:
  name:
    description: Names of services, or globs. Others are not told of.
    type: list
    elements: str
    default: ["*"]
  exclude:
    description: Names of services, or globs, that are not told of.
    type: list
    elements: str
    default: []
notes:
  - What was handed over is kept for root alone, so the task has to be run as root (C(become)) on hosts where anything was.
seealso:
  - module: pidone.systemd.service_handover
  - module: pidone.systemd.init_handover
"""

EXAMPLES = r"""
- name: Look how far the host has come
  pidone.systemd.service_handover_info:
  become: true
  register: host

- name: Give back what was handed over
  pidone.systemd.service_handover:
    state: given_back
    services: "{{ host.services }}"
  become: true
"""

RETURN = r"""
runs:
  description: Name of the process with the number 1.
  type: str
  returned: always
  sample: runit
booted:
  description: Whether that is systemd.
  type: bool
  returned: always
began:
  description: When the task began, in seconds since 1970 by the clock of the controller.
  type: float
  returned: always
installed:
  description: Whether systemd and a D-Bus daemon are on the host, whatever it boots.
  type: bool
  returned: always
init_phase:
  description: How far M(pidone.systemd.init_handover) has come, as its RV(pidone.systemd.init_handover#module:phase); empty where it did nothing.
  type: str
  returned: always
  sample: confirmed
services:
  description:
    - The services that were handed over one by one, and those that an interrupted run left half way, in the form of the option
      O(pidone.systemd.service_handover#module:services) of M(pidone.systemd.service_handover).
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name of the service.
      type: str
      sample: web
    source:
      description: What it was taken from.
      type: str
      sample: runit
    phase:
      description: V(handed_over), or V(begun) or V(giving_back) where a run was interrupted.
      type: str
    units:
      description: Its units, each with C(name).
      type: list
      elements: dict
      sample: [{name: web.service}]
os_release:
  description: The variables of C(os-release\(5\)); empty where the host has no such file.
  type: dict
  returned: always
  sample: {ID: debian, VERSION_ID: "12"}
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.info import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "default": ["*"]},
            "exclude": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run(module, gather)


if __name__ == "__main__":
    main()
