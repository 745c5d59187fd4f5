#!/usr/bin/python

# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `service_migration_report`: documentation and a stub; its action plugin does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_migration_report
short_description: Report the migration of a host to systemd, and fail where it failed
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Makes the report of one host out of what the modules of a migration returned, shows a few lines of it, and keeps it in files on the controller. Of
    what it returns, the filter P(pidone.systemd.fleet_report#filter) makes the report of a fleet.
  - Fails where the migration failed, once the report is written.
  - Runs on the controller only and contacts no host.
  - What hosts said is shown as text. In Markdown it is escaped, and control characters are written as their numbers.
extends_documentation_fragment:
  - pidone.systemd.attributes
attributes:
  check_mode:
    support: full
    details:
      - The report is shown, and no file is written.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - A report is no change. One that tells of nothing, or of nothing but services that had moved before, leaves the files of an earlier one.
  platform:
    platforms: all
    details:
      - Runs on the controller.
  action:
    details:
      - All of it runs on the controller.
  action_group:
    description: Is in no action group, since it talks to no systemd.
    support: none
    membership: []
  async:
    support: none
options:
  mode:
    description: What was done to the host.
    type: str
    choices: [plan, handover, system, rollback, finish]
    default: plan
  source:
    description: What the services left. Where a host leaves several, each has reports of its own.
    type: str
    choices: [runit, daemontools]
    default: runit
  began:
    description: When it began, in seconds since 1970 (C(now(\).timestamp(\))).
    type: float
  plan:
    description: What M(pidone.systemd.service_import_plan) returned.
    type: dict
    default: {}
  results:
    description: The services that M(pidone.systemd.service_handover) or M(pidone.systemd.init_handover) returned.
    type: list
    elements: dict
    default: []
  listeners:
    description: The differences in what the host listens on, RV(pidone.systemd.init_handover#module:host) of M(pidone.systemd.init_handover).
    type: list
    elements: dict
    default: []
  notes:
    description: Lines to add.
    type: list
    elements: str
    default: []
  failure:
    description:
      - Why the migration failed. Empty where it did not.
      - Where services are blocked (RV(pidone.systemd.service_import_plan#module:blocked)) in a O(mode) other than V(plan), it failed for that.
    type: str
    default: ""
  directory:
    description:
      - A directory on the controller for the reports, C(HOST.md) and C(HOST.json). Empty for none. Those of plans are C(HOST.plan.md) and
        C(HOST.plan.json). Where O(source) is another than V(runit), it follows the name of the host, as in C(HOST.daemontools.md) and
        C(HOST.daemontools.plan.md). What cannot be in the name of a file is written as in URLs, so the host C(dc1/web) has C(dc1%2Fweb.md).
      - Only their owner can read them.
    type: path
    default: ""
seealso:
  - plugin: pidone.systemd.migration_report
    plugin_type: filter
  - plugin: pidone.systemd.fleet_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Report what became of the services
  pidone.systemd.service_migration_report:
    mode: handover
    plan: "{{ plan }}"
    results: "{{ handover.services }}"
    directory: "{{ playbook_dir }}/reports"
  register: summary

- name: Report what became of the hosts
  ansible.builtin.debug:
    msg: "{{ (dict([[inventory_hostname, summary]]) | pidone.systemd.fleet_report).lines }}"
"""

RETURN = r"""
lines:
  description: The lines that are shown.
  type: list
  elements: str
  returned: success
  sample:
    - "web1   2 services: 2 native, 0 wrapped, 0 refused    handed over 2, back 0, 9.8 s"
files:
  description: The files on the controller; in check mode, none.
  type: list
  elements: str
  returned: always
host:
  description: Name of the host.
  type: str
  returned: always
mode:
  description: What was done to it, as in O(mode).
  type: str
  returned: always
source:
  description: What the services left, as in O(source).
  type: str
  returned: always
checked:
  description: Whether it was check mode.
  type: bool
  returned: always
when:
  description: When the report was made.
  type: str
  returned: always
ok:
  description: Whether all went well.
  type: bool
  returned: always
counts:
  description: How many services there are (C(services)), and how many of each kind.
  type: dict
  returned: always
outcomes:
  description: How many services came to what.
  type: dict
  returned: always
  sample: {handed_over: 2}
parity:
  description: Of how many services the process could be compared (C(of)), and how many are what they were (C(same)).
  type: dict
  returned: always
seconds:
  description: How long it took.
  type: float
  returned: always
notes:
  description: The lines of O(notes).
  type: list
  elements: str
  returned: always
blocked:
  description: Names of services that could not move, with the reasons.
  type: dict
  returned: always
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._sources import names


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "mode": {"type": "str", "choices": ["plan", "handover", "system", "rollback", "finish"], "default": "plan"},
            "source": {"type": "str", "choices": names(), "default": names()[0]},
            "began": {"type": "float"},
            "plan": {"type": "dict", "default": {}},
            "results": {"type": "list", "elements": "dict", "default": []},
            "listeners": {"type": "list", "elements": "dict", "default": []},
            "notes": {"type": "list", "elements": "str", "default": []},
            "failure": {"type": "str", "default": ""},
            "directory": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    module.fail_json(msg="this module runs on the controller, by its action plugin; call it as a task of a playbook")


if __name__ == "__main__":
    main()
