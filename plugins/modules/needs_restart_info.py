#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `needs_restart_info`: what still runs files that have been replaced."""

from __future__ import annotations

DOCUMENTATION = r"""
module: needs_restart_info
short_description: Find what still runs files that an upgrade has replaced
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Finds services, users' managers, systemd itself, sessions and other processes that run programs or libraries which have been removed or replaced since
    they were started, as after an upgrade. Each is told with the files, the packages these belong to, the processes, and what puts it right.
  - It looks at what processes have mapped to be executed. That a script or a file of configuration has changed is not to be seen there, nor that a file was
    written over in its place.
  - Files in C(/tmp), C(/var/tmp), C(/run) and C(/dev) do not count, nor does memory that bears a name.
  - The processes of containers and virtual machines are counted and otherwise left to whoever runs these.
  - With O(scope=user) only that user's processes are looked at, as that user.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.attributes.info_module
  - pidone.systemd.scope
options:
  timeout:
    description:
      - How long looking may take, as a time span.
    type: str
    default: 90s
seealso:
  - module: pidone.systemd.needs_restart
"""

EXAMPLES = r"""
- name: Look for what runs replaced files
  pidone.systemd.needs_restart_info:
  register: upgraded

- name: Tell what has to be restarted, and why
  ansible.builtin.debug:
    msg: "{{ item.name }} runs the former {{ item.files | map(attribute='package') | select | unique | join(', ') }}"
  loop: "{{ upgraded.units | selectattr('remedy', 'eq', 'restart') }}"
  loop_control:
    label: "{{ item.name }}"

- name: Nothing asks for a reboot
  ansible.builtin.assert:
    that: not upgraded.reboot
    fail_msg: "{{ upgraded.reboot_reasons | join('; ') }}"
"""

RETURN = r"""
units:
  description: Each service that runs replaced files, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the unit; empty where the processes are in none.
      type: str
      returned: always
      sample: nginx.service
    cgroup:
      description: The control group of the unit, or of the processes.
      type: str
      returned: always
      sample: /system.slice/nginx.service
    remedy:
      description:
        - What puts it right. V(restart) and V(daemon-reexec) are what M(pidone.systemd.needs_restart) does.
        - V(reboot), V(login) (its user logs out and in again), V(wait) (it ends by itself), V(user) (with O(scope=user)) and V(manual) are for
          others to do, for the reason in C(reason).
      type: str
      returned: always
      sample: restart
    reason:
      description: Why it is not restarted; empty where it is.
      type: str
      returned: always
    files:
      description: Fifty at most of the files that were removed or replaced.
      type: list
      elements: dict
      returned: always
      contains:
        path:
          description: Where the file was. Control characters are escaped.
          type: str
          returned: always
          sample: /usr/lib/x86_64-linux-gnu/libssl.so.3
        package:
          description: The package that it belongs to, null where that is not known.
          type: str
          returned: always
          sample: libssl3
    n_files:
      description: How many there are.
      type: int
      returned: always
    processes:
      description: A hundred at most of the processes that run them.
      type: list
      elements: dict
      returned: always
      contains:
        pid:
          description: The process.
          type: int
          returned: always
        uid:
          description: Its effective user.
          type: int
          returned: always
        comm:
          description: Its name, which it may have chosen itself. Control characters are escaped.
          type: str
          returned: always
    n_processes:
      description: How many there are.
      type: int
      returned: always
    uid:
      description: Whose manager, session or unit it is.
      type: int
      returned: for those of users
managers:
  description:
    - Systemd itself, as C(init.scope), and the managers of users, as C(user@UID.service), where they run replaced files. Entries are as those of RV(units).
  returned: success
  type: list
  elements: dict
sessions:
  description: Sessions of users who are logged in, as C(session-1.scope), and what holds one for a user's manager. Entries are as those of RV(units).
  returned: success
  type: list
  elements: dict
user_units:
  description: Units of users' managers; empty with O(scope=user), whose units are in RV(units). Entries are as those of RV(units).
  returned: success
  type: list
  elements: dict
others:
  description: Other units that are no services, and processes in no unit. Entries are as those of RV(units).
  returned: success
  type: list
  elements: dict
in_containers:
  description: How many processes of containers and virtual machines run replaced files.
  returned: success
  type: int
needed:
  description: Whether M(pidone.systemd.needs_restart) would have something to do.
  returned: success
  type: bool
reboot:
  description: Whether the host is to be rebooted.
  returned: with O(scope=system)
  type: bool
reboot_reasons:
  description: Why it is.
  returned: with O(scope=system)
  type: list
  elements: str
  sample: ["dbus.service: all that talks over the bus would lose its connection"]
kernel:
  description: The kernel; null in a container, where it is somebody else's.
  returned: with O(scope=system)
  type: dict
  contains:
    running:
      description: The release of the kernel that runs.
      type: str
      returned: always
      sample: 6.1.0-18-amd64
    newest:
      description: The newest of its kind that is installed, null where that is not to be seen.
      type: str
      returned: always
      sample: 6.1.0-21-amd64
    outdated:
      description: Whether another one would be booted; null where nothing is to be seen.
      type: bool
      returned: always
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.info import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={"timeout": {"type": "str", "default": "90s"}, **SCOPE_ARGUMENTS},
        supports_check_mode=True,
    )
    run(module, gather)


if __name__ == "__main__":
    main()
