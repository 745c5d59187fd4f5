#!/usr/bin/python

# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `service_import_plan`: documentation and a stub; its action plugin does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_import_plan
short_description: Choose which translated services move to systemd, and with which units
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Takes what M(pidone.systemd.service_import_info) returns and says which of the services are to move, with which units, and what a person
    has to decide before they do.
  - Units can be kept in a directory on the controller, to be reviewed in version control, and hand-written units and drop-ins are taken from
    there.
  - Runs on the controller only and contacts no host. The only thing it changes are files below O(render_to).
extends_documentation_fragment:
  - pidone.systemd.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows the units that are written for review.
  idempotent:
    support: full
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
  services:
    description: The services, as M(pidone.systemd.service_import_info) returns them.
    type: list
    elements: dict
    required: true
  select:
    description:
      - Names of services, or globs. Others stay where they are.
      - Services that are neither enabled nor supervised are left out, unless they are named here in full or O(idle=true).
    type: list
    elements: str
    default: ["*"]
  exclude:
    description: Names of services, or globs, that stay where they are.
    type: list
    elements: str
    default: []
  packaged:
    description:
      - Names of services, or globs, for which the unit of a package is used where the host has one of the same name.
      - Set it to an empty list to use translated units even there. They then take the place of the package's.
    type: list
    elements: str
    default: ["*"]
  accept:
    description:
      - Decisions that are taken. Findings of severity V(decision) that are not in the list block their service.
      - Each entry is the name of a service (all of its decisions) or C(SERVICE:KEY), both sides with globs, such as V(*:log.files).
      - R(The page of findings, ansible_collections.pidone.systemd.docsite.guide_findings) has all keys. An entry for a key that no finding has is an
        error.
      - Services whose units were written by hand, were kept in O(render_to) before, or come from a package need none.
    type: list
    elements: str
    default: []
  ignore:
    description:
      - Findings that need not be told again, in the same form as O(accept). They are left out of the findings of RV(services), and so of reports.
      - Decisions are never left out. They are taken, with O(accept).
    type: list
    elements: str
    default: []
  overrides:
    description:
      - A directory on the controller with units written by hand, which win over all others.
      - C(NAME.service) takes the place of the translation, together with C(NAME.socket), C(NAME.timer) and C(NAME.path) if they are there.
        Files C(NAME.service.d/*.conf) are returned as drop-ins.
      - What is in the subdirectory C(HOST) is for that host only, and wins.
      - What a unit written by hand runs, and as whom, is the decision of who wrote it, so no such difference is a reason to go back. It only has to
        stay up, and to listen where the service did.
      - Links may lead to other files in the directory, and not out of it.
    type: path
    default: ""
  render_to:
    description:
      - A directory on the controller where translated units are kept for review, in a subdirectory for each host.
      - Units that are not there yet are written. Units that are there win over a fresh translation, and where the two differ
        RV(services[].drift) says how.
      - Units of scripts that not every user of the host may read are written with mode C(0600), others with C(0644).
    type: path
    default: ""
  host:
    description:
      - Name of the subdirectory for the host. By default, the name of the host in the inventory.
      - What cannot be in the name of a directory is written as in URLs. The host C(dc1/web) has C(dc1%2Fweb).
    type: str
  idle:
    description: Whether to include services that are neither enabled nor supervised.
    type: bool
    default: false
  moved:
    description:
      - Names of services that have been handed over before. They are included though the old supervisor knows them no more, and nothing of
        them has to be decided.
    type: list
    elements: str
    default: []
  accept_differences:
    description:
      - Kinds of differences between before and after that are no reason to go back, as in the option O(pidone.systemd.service_handover#module:accept),
        for all services or, as C(SERVICE:KIND) with a glob, for some.
      - They end in RV(services[].accept), where units of packages have most of them already.
    type: list
    elements: str
    default: []
  in_place:
    description:
      - Whether the services will be handed over one by one while their supervisor runs, as by M(pidone.systemd.service_handover). That is not
        possible for a service whose own directory, rather than a link to it, is in a directory that the supervisor scans; it is blocked then.
    type: bool
    default: false
seealso:
  - module: pidone.systemd.service_import_info
  - ref: From runit to systemd, host by host <ansible_collections.pidone.systemd.docsite.guide_runit_fleet>
    description: How to move a fleet.
"""

EXAMPLES = r"""
- name: Translate the services of a host
  pidone.systemd.service_import_info:
    source: runit
  register: import

- name: Keep the units beside the playbook for review
  pidone.systemd.service_import_plan:
    services: "{{ import.services }}"
    exclude: [getty-*]
    accept:
      - "*:log.files"
      - mailer
    ignore:
      - "*:runit.stop"
    overrides: "{{ playbook_dir }}/overrides"
    render_to: "{{ playbook_dir }}/units"
  register: plan

- name: Nothing is left to decide
  ansible.builtin.assert:
    that: plan.blocked | length == 0
    fail_msg: "{{ plan.blocked }}"
"""

RETURN = r"""
services:
  description:
    - The services that are to move. Besides what is listed here, each has C(name), C(source), C(path), C(translation), C(findings) and
      C(state) as M(pidone.systemd.service_import_info) returns them, and C(definition) without the contents of files.
  returned: success
  type: list
  elements: dict
  contains:
    origin:
      description: Whether its units are V(translated), V(reviewed) (kept before), an V(override), or V(packaged).
      type: str
      returned: success
      sample: translated
    units:
      description: The units that are to be written, each with C(name) and C(content). Empty for a packaged unit.
      type: list
      elements: dict
      returned: success
    packaged:
      description: The C(name) and C(path) of the package's unit.
      type: dict
      returned: if it is used
    dropins:
      description: Drop-ins among the overrides, each with C(unit), C(name) and C(content).
      type: list
      elements: dict
      returned: success
    accept:
      description: Kinds of differences that are no reason to go back.
      type: list
      elements: str
      returned: success
    drift:
      description: How the kept units differ from a fresh translation, as a unified diff. Empty where they do not.
      type: str
      returned: success
    open:
      description: The findings that a person has to decide on.
      type: list
      elements: dict
      returned: success
    blocked:
      description: Whether the service must not move yet.
      type: bool
      returned: success
blocked:
  description: Services that must not move yet, each with C(name) and C(reasons).
  returned: success
  type: list
  elements: dict
  sample: [{name: mailer, reasons: ["decide (mailer:log.files): log/run:2 the journal takes the output instead of files"]}]
left_out:
  description: Services that were left out, each with C(name), C(reason), and C(running), whether it runs.
  returned: success
  type: list
  elements: dict
  sample: [{name: getty-tty1, reason: excluded, running: true}]
written:
  description: Files that were written for review, on the controller.
  returned: success
  type: list
  elements: str
  sample: [/srv/playbooks/units/web1/app.service]
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "required": True},
            "select": {"type": "list", "elements": "str", "default": ["*"]},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "packaged": {"type": "list", "elements": "str", "default": ["*"]},
            "accept": {"type": "list", "elements": "str", "default": []},
            "ignore": {"type": "list", "elements": "str", "default": []},
            "overrides": {"type": "path", "default": ""},
            "render_to": {"type": "path", "default": ""},
            "host": {"type": "str"},
            "idle": {"type": "bool", "default": False},
            "moved": {"type": "list", "elements": "str", "default": []},
            "accept_differences": {"type": "list", "elements": "str", "default": []},
            "in_place": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    module.fail_json(msg="this module runs on the controller, by its action plugin; call it as a task of a playbook")


if __name__ == "__main__":
    main()
