#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `manager_info`: facts about the service manager."""

from __future__ import annotations

DOCUMENTATION = r"""
module: manager_info
short_description: Read facts about systemd's service manager
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Returns version, state, failed units, jobs, environment and the times of the last boot as data.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.attributes.info_module
  - pidone.systemd.scope.managers
  - pidone.systemd.scope
options:
  unit_times:
    description:
      - Whether to return how long the activation of each unit took, the slowest first, as C(systemd-analyze blame) does.
    type: bool
    default: false
  timeout:
    description:
      - How long the manager may take to answer, as a time span.
    type: str
    default: 90s
seealso:
  - module: pidone.systemd.manager
"""

EXAMPLES = r"""
- name: Read facts about the manager
  pidone.systemd.manager_info:
    unit_times: true
  register: systemd

- name: Nothing has failed
  ansible.builtin.assert:
    that: systemd.manager.state == 'running'
    fail_msg: "failed: {{ systemd.manager.failed_units | join(', ') }}"

- name: Read the same of all containers of this host
  pidone.systemd.manager_info:
    machine: "*"
  register: containers

- name: All of them are well
  ansible.builtin.assert:
    that: item.answered and item.manager.state == 'running'
    fail_msg: "{{ item.machine }}: {{ item.msg or item.manager.failed_units | join(', ') }}"
  loop: "{{ containers.managers }}"

- name: The five slowest units of the last boot
  ansible.builtin.debug:
    var: systemd.manager.boot.units[:5]
"""

RETURN = r"""
manager:
  description: The manager.
  returned: without V("*") as O(user) or O(machine)
  type: dict
  contains:
    version:
      description: Version of systemd, as its build names it.
      type: str
      returned: always
      sample: 257.9-1~deb13u1
    features:
      description: What it was built with (C(+)) and without (C(-)).
      type: list
      elements: str
      returned: always
      sample: [+PAM, +AUDIT, -APPARMOR]
    state:
      description: State of the whole, such as V(running), V(degraded) or V(starting).
      type: str
      returned: always
    architecture:
      description: The architecture.
      type: str
      returned: always
    virtualization:
      description: The kind of virtual machine or container; empty on bare metal.
      type: str
      returned: always
    tainted:
      description: What systemd finds unusual about the host.
      type: list
      elements: str
      returned: always
    log_level:
      description: What the manager logs.
      type: str
      returned: always
    log_target:
      description: Where it logs to.
      type: str
      returned: always
    default_target:
      description: What is booted into.
      type: str
      returned: always
    environment:
      description: Variables that every process gets which the manager starts.
      type: dict
      returned: always
    n_units:
      description: Number of names of units in memory.
      type: int
      returned: always
    n_failed_units:
      description: Number of units that failed.
      type: int
      returned: always
    n_jobs:
      description: Number of queued jobs.
      type: int
      returned: always
    n_installed_jobs:
      description: Number of all jobs so far.
      type: int
      returned: always
    n_failed_jobs:
      description: Number of all jobs so far that failed.
      type: int
      returned: always
    failed_units:
      description: Names of units that failed.
      type: list
      elements: str
      returned: always
    jobs:
      description: The queue of jobs, each with C(id), C(unit), C(type) and C(state).
      type: list
      elements: dict
      returned: always
    boot:
      description: The last boot.
      type: dict
      returned: always
      contains:
        finished:
          description: Whether it has come to its end.
          type: bool
          returned: always
        timestamps:
          description: When it reached each stage, in microseconds on the monotonic clock; firmware and loader count backwards from the kernel's start.
          type: dict
          returned: always
        units:
          description:
            - Each unit that was activated, with C(name), C(activating_usec) (when that began last), C(active_usec) (when the unit was up, or, if it is one
              that does its work and ends, when it had ended) and C(took_usec). The first two are microseconds on the monotonic clock.
          type: list
          elements: dict
          returned: when O(unit_times=true)
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
    manager:
      description: The manager, as RV(manager) is without V("*").
      type: dict
      returned: when it was read
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import MACHINE_ARGUMENTS, SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.manager.task import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "unit_times": {"type": "bool", "default": False},
            "timeout": {"type": "str", "default": "90s"},
            **SCOPE_ARGUMENTS,
            **MACHINE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run(module, gather)


if __name__ == "__main__":
    main()
