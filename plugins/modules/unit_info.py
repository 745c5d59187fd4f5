#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `unit_info`: facts about units."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_info
short_description: Read states, properties, files, dependencies and processes of systemd units
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Returns typed data about any number of units, read over systemd's D-Bus interface in a few round trips.
  - A unit that does not exist is returned too, with RV(units[].exists=false).
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.attributes.info_module
  - pidone.systemd.scope.managers
  - pidone.systemd.scope
  - pidone.systemd.scope.root
options:
  name:
    description:
      - Names of units, with C(.service) added where there is no suffix, or patterns such as V(app@*.service).
      - A pattern matches units that are loaded and units that have a file. It never matches templates. One that matches nothing is no error.
      - Without names all units that systemd has loaded are returned.
    type: list
    elements: str
    aliases: [names, unit, units]
  states:
    description:
      - Return only units whose load state, active state or sub state is in the list, for example V(failed).
      - What is none of these in the host's version of systemd is refused. C(systemctl --state=help) prints them all.
    type: list
    elements: str
    default: []
  properties:
    description:
      - Names of D-Bus properties to return, such as V(MemoryCurrent) or V(NRestarts). Reading a few of them is cheap.
      - V(all) returns all of them, which takes milliseconds and about 10 KB for each unit.
      - Properties of more than 16 MB in all are refused, since Ansible keeps several copies of a result in memory.
    type: list
    elements: str
    default: []
  dependencies:
    description:
      - Whether to return what the unit depends on, and what depends on it.
    type: bool
    default: false
  processes:
    description:
      - Whether to return the processes in the unit's control group.
    type: bool
    default: false
  timeout:
    description:
      - How long systemd may take to answer, as a time span such as V(90s) or V(5min).
    type: str
    default: 90s
seealso:
  - module: pidone.systemd.unit
"""

EXAMPLES = r"""
- name: Read what the workers use
  pidone.systemd.unit_info:
    name: app@*.service
    properties: [MemoryCurrent, CPUUsageNSec, NRestarts]
    processes: true
  register: workers

- name: All of them run
  ansible.builtin.assert:
    that: workers.units | map(attribute='active') is all

- name: What has failed on this host
  pidone.systemd.unit_info:
    states: [failed]
  register: broken

- name: What has failed in the managers of all users
  pidone.systemd.unit_info:
    states: [failed]
    scope: user
    user: "*"
  register: of_users

- name: What has failed in a container of this host
  pidone.systemd.unit_info:
    states: [failed]
    machine: web1
  register: of_container

- name: Units that are enabled in an image
  pidone.systemd.unit_info:
    name: "*.service"
    root: /srv/image
  register: image
"""

RETURN = r"""
units:
  description: Each unit.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: Name of the user whose it is.
      type: str
      returned: with V("*") as O(user)
    uid:
      description: Number of that user.
      type: int
      returned: with V("*") as O(user)
    machine:
      description: Name of the machine whose it is.
      type: str
      returned: with V("*") as O(machine)
    name:
      description: The name that was asked for, in full.
      type: str
      returned: always
      sample: sshd.service
    id:
      description: Systemd's own name of the unit; another one where RV(units[].name) is an alias.
      type: str
      returned: always
      sample: ssh.service
    exists:
      description: Whether there is such a unit, loaded or as a file.
      type: bool
      returned: always
    active:
      description: Whether it is active, or reloading.
      type: bool
      returned: always
    failed:
      description: Whether it has failed.
      type: bool
      returned: always
    enabled:
      description: Whether it is enabled, for good or until the reboot.
      type: bool
      returned: always
    unit_file_state:
      description: Its enablement as systemd tells it; empty where there is no unit file.
      type: str
      returned: always
      sample: static
    description:
      description: The unit's description.
      type: str
      returned: with a manager, except for templates
    load_state:
      description: Whether its file could be read.
      type: str
      returned: with a manager, except for templates
      sample: loaded
    active_state:
      description: What it is.
      type: str
      returned: with a manager, except for templates
      sample: active
    sub_state:
      description: The same in terms of its type.
      type: str
      returned: with a manager, except for templates
      sample: running
    job:
      description: The C(id) and C(type) of the job that is queued for it.
      type: dict
      returned: when there is one
    fragment_path:
      description: Its unit file; empty where there is none.
      type: str
      returned: always, but for templates with O(machine)
    dropin_paths:
      description: Its drop-ins, in the order in which they are read.
      type: list
      elements: str
      returned: always, but for templates with O(machine)
    source_path:
      description: The configuration it was generated from.
      type: str
      returned: when it was generated
    properties:
      description:
        - The properties that were asked for, as far as the type of unit has them.
        - C(Exec*), conditions and triggers are lists of dictionaries. Limits that are not set are V(infinity), counters that count nothing are null.
        - Identifiers are hexadecimal, other strings of bytes lists of numbers.
      type: dict
      returned: when O(properties) are asked for
    dependencies:
      description: Names of units by the kind of dependency, such as C(Requires) or C(WantedBy).
      type: dict
      returned: when O(dependencies=true)
    processes:
      description: The processes in the unit's control group and those below it.
      type: list
      elements: dict
      returned: when O(processes=true)
      contains:
        pid:
          description: Number of the process.
          type: int
          returned: always
        command:
          description: Its command line.
          type: str
          returned: always
        cgroup:
          description: Its control group.
          type: str
          returned: always
managers:
  description: The managers that were asked, where they are those of all users or machines.
  returned: with V("*") as O(user) or O(machine)
  type: list
  elements: dict
  contains:
    user:
      description: Name of the user; null if no such user is there any more.
      type: str
      returned: with V("*") as O(user)
    uid:
      description: Number of the user.
      type: int
      returned: with V("*") as O(user)
    machine:
      description: Name of the machine.
      type: str
      returned: with V("*") as O(machine)
    answered:
      description: Whether it was read.
      type: bool
      returned: always
    msg:
      description: Why not, or null.
      type: str
      returned: always
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import (
    MACHINE_ARGUMENTS,
    ROOT_ARGUMENTS,
    SCOPE_ARGUMENTS,
)
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.info import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "aliases": ["names", "unit", "units"]},
            "states": {"type": "list", "elements": "str", "default": []},
            "properties": {"type": "list", "elements": "str", "default": []},
            "dependencies": {"type": "bool", "default": False},
            "processes": {"type": "bool", "default": False},
            "timeout": {"type": "str", "default": "90s"},
            **SCOPE_ARGUMENTS,
            **MACHINE_ARGUMENTS,
            **ROOT_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run(module, gather)


if __name__ == "__main__":
    main()
