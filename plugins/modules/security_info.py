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
      - With O(root) all services that have a file in the tree are assessed without names.
    type: list
    elements: str
    aliases: [names, unit, units]
  path:
    description:
      - Paths of unit files of services on the host that are not installed, such as those of a build or of a package that was unpacked.
        They are assessed as they are, with the drop-ins that lie beside them (C(app.service.d), C(service.d)), and without those of the host.
        Nothing of them is run, and systemd is told nothing of them.
      - C(systemd-analyze) tells a few tenths less of some than once they are loaded.
      - Of a template its file is enough, which is assessed as an instance.
      - Needs systemd 250 or later. Excludes O(name) and O(root).
    type: list
    elements: path
    aliases: [paths]
  root:
    description:
      - The root of a tree, such as that of an image. O(name) are then services in it, which are assessed by their files alone; no link leads out of the tree.
      - Needs systemd 250 or later on the host.
    type: path
  threshold:
    description:
      - The task fails if any service is more exposed than that, from V(0) to V(10) as in RV(units[].exposure). RV(units) are returned all the same,
        and RV(above_threshold) has the names.
      - C(systemd-analyze --threshold) counts in tenths of that, so that its C(50) is V(5) here. With this option any version of systemd will do.
    type: float
  security_policy:
    description:
      - Path of a file on the host that says what counts how much in this fleet, as C(systemd-analyze --security-policy) takes it. It is a JSON object of
        objects by the identifier of the check, with C(weight), C(range), C(description_good), C(description_bad) and C(description_na), all of which
        are optional.
      - Needs systemd 250 or later.
    type: path
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

- name: No service of this host is worse than medium, or the play stops here and says which
  pidone.systemd.security_info:
    threshold: 5

- name: What was built, before it is installed
  pidone.systemd.security_info:
    path:
      - /srv/build/units/app.service
      - /srv/build/units/app-worker@.service
    threshold: 4.5
    security_policy: /etc/fleet/security-policy.json

- name: All services of an image
  pidone.systemd.security_info:
    root: /srv/image
  register: image

- name: What would help the most
  ansible.builtin.debug:
    msg: "{{ workers.units[0].directives | rejectattr('exposure', 'none') | sort(attribute='exposure', reverse=true) | map(attribute='name') | first }}"
"""

RETURN = r"""
units:
  description: Each service, the most exposed first.
  returned: success, and when a service is above O(threshold)
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
    path:
      description: The unit file.
      type: str
      returned: with O(path) or O(root)
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
above_threshold:
  description: Names of the services that are more exposed than O(threshold), the most exposed first; the task has failed unless there are none.
  returned: when O(threshold) is given
  type: list
  elements: str
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import ROOT_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.security.info import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "aliases": ["names", "unit", "units"]},
            "path": {"type": "list", "elements": "path", "aliases": ["paths"]},
            "threshold": {"type": "float"},
            "security_policy": {"type": "path"},
            **ROOT_ARGUMENTS,
            "details": {"type": "bool", "default": False},
            "timeout": {"type": "str", "default": "1min"},
        },
        supports_check_mode=True,
    )
    run(module, gather)


if __name__ == "__main__":
    main()
