#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `security_info`: how exposed services are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: security_info
short_description: Assess how exposed services are, as data
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Returns what C(systemd-analyze security) says of services, from 0 (confined) to 10 (exposed), and why.
  - Asked before and after a change it shows what the change is worth.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.attributes.info_module
options:
  name:
    description:
      - Names of services, with C(.service) added where there is no suffix, or patterns. A pattern skips services that are masked or whose files are bad.
      - A template is no service that runs, so it is refused. Name its instances.
      - Without names all services that systemd has loaded are assessed.
    type: list
    elements: str
    aliases: [names, unit, units]
  details:
    description:
      - Whether to return each directive that was looked at.
    type: bool
    default: false
  timeout:
    description:
      - How long assessing may take, as a time span.
    type: str
    default: 1min
seealso:
  - module: pidone.systemd.unit_file
"""

EXAMPLES = r"""
- name: Assess the workers
  pidone.systemd.security_info:
    name: app@*.service
    details: true
  register: workers

- name: None of them is worse than medium
  ansible.builtin.assert:
    that: workers.units | map(attribute='exposure') | max < 5

- name: What would help the most
  ansible.builtin.debug:
    msg: "{{ workers.units[0].directives | rejectattr('exposure', 'none') | sort(attribute='exposure', reverse=true) | map(attribute='name') | first }}"
"""

RETURN = r"""
units:
  description: Each service, the most exposed first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the service.
      type: str
      returned: always
    exposure:
      description: From 0 (confined) to 10 (exposed).
      type: float
      returned: always
      sample: 9.6
    level:
      description: The same as a word, such as V(OK), V(MEDIUM), V(EXPOSED) or V(UNSAFE).
      type: str
      returned: always
    directives:
      description:
        - Each directive that was looked at, with C(name), C(set) (null where it does not matter), C(description) and C(exposure) (null where it adds none).
      type: list
      elements: dict
      returned: when O(details=true)
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.security.info import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "aliases": ["names", "unit", "units"]},
            "details": {"type": "bool", "default": False},
            "timeout": {"type": "str", "default": "1min"},
        },
        supports_check_mode=True,
    )
    run(module, gather)


if __name__ == "__main__":
    main()
