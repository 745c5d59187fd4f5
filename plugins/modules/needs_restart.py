#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `needs_restart`: what still runs files that have been replaced runs the new ones."""

from __future__ import annotations

DOCUMENTATION = r"""
module: needs_restart
short_description: Restart what still runs files that an upgrade has replaced
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Restarts the services that run programs or libraries which have been removed or replaced since they were started, as after an upgrade, and no others.
    Systemd itself and users' managers are re-executed, which disturbs nothing. M(pidone.systemd.needs_restart_info) tells what that would be, and why.
  - Systemd is re-executed first, so that the new one starts all that follows. Then all services are restarted together, in the order that their units ask for,
    and have to stay up. Where systemd knows marks (248 and later) that is one call. The managers of users come last.
  - Where only a unit's file has changed, nothing is restarted; but where a service is restarted, systemd reads its files before.
  - These services are not restarted by default, since more would end with them. They are in RV(left), with the reason, and most of them in O(include) are
    restarted all the same.
  - The message bus C(dbus.service) and C(dbus-broker.service), and C(systemd-logind.service), which a reboot puts right.
  - Display managers; C(getty@*.service) and its kin; container managers such as C(docker.service) and C(containerd.service), and C(systemd-nspawn@*.service);
    C(virtlogd.service) and C(virtlockd.service); what the connection may go through, such as C(wpa_supplicant.service) and VPNs; C(pacemaker.service) and
    C(corosync.service); C(packagekit.service) and C(unattended-upgrades.service).
  - What has something run once, which would begin anew. That is C(Type=oneshot), what a timer starts, and transient services (C(systemd-run)). What is still
    starting is left out in any case.
  - What refuses to be restarted by hand, and what this task itself runs in, are not restarted in any case.
    C(ssh.service) is, since sessions outlive it.
  - A service that systemd would restart together with one of these is left out, too.
  - There is no way back, since the files that services ran are gone. So a service that does not come up again is a failure, and stays down.
    Where the task is interrupted, the next run finds what is left to be done.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.scope
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A service that replaces or removes what it runs itself needs a restart again at once. That is told as a warning, and O(exclude) helps.
options:
  name:
    description:
      - Names of services, with C(.service) added where there is no suffix, or patterns. Of these, those are restarted that run replaced files.
      - A name that no service has is no error.
      - Managers are the matter of O(reexec) and O(user_managers).
    type: list
    elements: str
    default: ['*']
    aliases: [names, unit, units]
  exclude:
    description:
      - Names of services, or patterns, that are not restarted.
    type: list
    elements: str
    default: []
  include:
    description:
      - Names of services, or patterns, that are restarted though they are among those that are left out by default.
    type: list
    elements: str
    default: []
  reexec:
    description:
      - Whether the manager itself is replaced by a new process of itself (C(daemon-reexec)) where it runs replaced files.
    type: bool
    default: true
  user_managers:
    description:
      - Whether the managers of users are replaced likewise, with O(scope=system). What these run goes on, and is restarted by a task with O(scope=user).
      - One that does not answer is told as a warning.
    type: bool
    default: true
  settle:
    description:
      - How long the services have to stay up, without a restart in between, for the task to succeed.
      - V(0) takes the first look for good.
    type: str
    default: 200ms
  timeout:
    description:
      - How long looking may take, and how long all jobs together, as a time span.
    type: str
    default: 5min
seealso:
  - module: pidone.systemd.needs_restart_info
  - module: pidone.systemd.unit
"""

EXAMPLES = r"""
- name: Upgrade all packages
  ansible.builtin.package:
    name: '*'
    state: latest

- name: What ran the former files runs the new ones
  pidone.systemd.needs_restart:
    settle: 5s
  register: restarted

- name: The rest is for a reboot, or for others to decide
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.reason }}"
  loop: "{{ restarted.left }}"
  loop_control:
    label: "{{ item.name }}"

- name: The database is restarted another time, and docker now
  pidone.systemd.needs_restart:
    exclude: postgresql@*.service
    include: docker.service

- name: Alice's own services
  pidone.systemd.needs_restart:
    scope: user
    user: alice
"""

RETURN = r"""
units:
  description: Each service that was restarted or, in check mode, would be, with what it ran.
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
    job:
      description: The job it got, with C(id), C(type) and C(result).
      type: dict
      returned: when it got one
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
  description: Systemd itself, as C(init.scope), and users' managers that were re-executed or, in check mode, would be. Entries are as those of RV(units).
  returned: success
  type: list
  elements: dict
left:
  description:
    - What runs replaced files after the task or, in check mode, would. Entries are as those of RV(units), and have C(remedy) and C(reason) as
      M(pidone.systemd.needs_restart_info) returns them.
  returned: success
  type: list
  elements: dict
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [daemon-reexec, "restart nginx.service, ssh.service", watch for 5s]
failures:
  description: Each service that failed, and why, as M(pidone.systemd.unit) returns it.
  returned: when services failed
  type: list
  elements: dict
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "default": ["*"], "aliases": ["names", "unit", "units"]},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "include": {"type": "list", "elements": "str", "default": []},
            "reexec": {"type": "bool", "default": True},
            "user_managers": {"type": "bool", "default": True},
            "settle": {"type": "str", "default": "200ms"},
            "timeout": {"type": "str", "default": "5min"},
            **SCOPE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
