#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `reboot`: reboot, wait, and see that all is as it was."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reboot
short_description: Reboot a host, and see that its units come back
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Asks systemd for a reboot, a soft reboot or a start of another kernel by kexec, waits until the host has booted anew and startup has come to its end, and
    compares its units with what they were.
  - Who inhibits a shutdown is respected (C(systemd-inhibit\(1\))), and told. So is a shutdown that is scheduled already.
  - It fails where units that were active are not, or others have failed since, with the reasons. So a play with C(serial) does not go on to the next hosts.
  - Options that M(ansible.builtin.reboot) has, too, have its names and its meaning; times may be written as time spans, such as V(10min).
extends_documentation_fragment:
  - pidone.systemd.attributes
attributes:
  check_mode:
    support: full
    details:
      - Tells what would be done. Warns of what is in the way, such as inhibitors, which may be gone by the time of the real run.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - It reboots every time, but for O(removes).
  action:
    details:
      - Waits on the controller. A connection of type V(local) is refused.
  action_group:
    description: Is in no action group, since a C(timeout) that is good for other modules is none for a reboot.
    support: none
    membership: []
  async:
    support: none
    details:
      - The connection is lost.
options:
  method:
    description:
      - How to reboot.
      - V(reboot) is a whole reboot.
      - V(soft-reboot) ends and starts all of userspace, and leaves the kernel alone. It takes systemd 254. C(/run) stays as it is.
      - V(kexec) starts the kernel that was loaded for that, as by C(kexec --load), without firmware and boot loader.
    type: str
    choices: [reboot, soft-reboot, kexec]
    default: reboot
  removes:
    description:
      - A file without which nothing is done, such as C(/run/reboot-required), which packages of Debian and Ubuntu leave. A reboot removes what is in C(/run).
    type: str
  ignore_inhibitors:
    description:
      - Whether to reboot though somebody inhibits it.
    type: bool
    default: false
  msg:
    description:
      - What logged-in users are told, in one line. Logind tells it, where it is there, to those whose terminals it knows.
    type: str
    default: Reboot initiated by Ansible
  pre_reboot_delay:
    description:
      - How long to wait before the reboot, as a time span. Logind plans it and warns users; C(shutdown -c) on the host cancels it.
    type: str
    default: '0'
  post_reboot_delay:
    description:
      - How long to wait, after the host began to go down, before the first attempt to reach it. It is part of O(reboot_timeout).
    type: str
    default: '0'
  reboot_timeout:
    description:
      - How long all may take from the beginning of the reboot on, as a time span.
      - Going down, coming back, startup, O(settle) and O(test_command) are in it together.
    type: str
    default: 10min
  connect_timeout:
    description:
      - How long each attempt to connect may take, as a time span. By default, what the connection plugin takes for it.
    type: str
  settle:
    description:
      - How long all units have to be well once startup has ended, as a time span. V(0) takes the first look for good where all is well.
      - Units that are on their way are waited for in any case, and others for some seconds.
    type: str
    default: '0'
  ignore_units:
    description:
      - Units that need not be as they were, as names or globs.
      - Only services, sockets, timers, paths, mounts, automounts and swaps with files that outlive a reboot are looked for, and of services not those
        that are only started when they are needed. The service managers of users count where these linger.
    type: list
    elements: str
    default: []
  test_command:
    description:
      - A command that has to succeed in the end. It is tried until it does.
      - By default there is none, since the host has answered by then.
    type: str
seealso:
  - module: ansible.builtin.reboot
  - module: pidone.systemd.unit
  - ref: Reboots <ansible_collections.pidone.systemd.docsite.guide_reboots>
    description: What is looked for afterwards, and what may be in the way.
"""

EXAMPLES = r"""
- name: Reboot where an upgrade asks for it; in a play with `serial`, the first host that does not come back whole is the last one
  pidone.systemd.reboot:
    removes: /run/reboot-required
    settle: 10s

- name: All services anew, with the same kernel
  pidone.systemd.reboot:
    method: soft-reboot

- name: Tell users, and give them five minutes
  pidone.systemd.reboot:
    msg: The database moves; back in ten minutes
    pre_reboot_delay: 5min

- name: A big host, on which somebody started a job by hand
  pidone.systemd.reboot:
    reboot_timeout: 30min
    ignore_units: ["reindex@*.service"]
    test_command: curl --fail --silent http://localhost:8080/health
"""

RETURN = r"""
rebooted:
  description: Whether the host has booted anew.
  type: bool
  returned: always
method:
  description: How, as O(method).
  type: str
  returned: always
elapsed:
  description: Seconds that it took, from when it was asked for, or planned for.
  type: float
  returned: when it was asked for
  sample: 24.3
boot_id:
  description: What the kernel calls the new boot.
  type: str
  returned: when rebooted
  sample: 0e1b5f6a-2f0e-4a3b-9b0e-2a6c4f1d7c55
state:
  description: State of systemd after startup.
  type: str
  returned: when rebooted
  sample: running
inhibitors:
  description: Who asked logind not to shut down, or to wait a little.
  type: list
  elements: dict
  returned: unless nothing is to be done
  contains:
    who:
      description: A name for people.
      type: str
    why:
      description: The reason.
      type: str
    mode:
      description: V(block) and V(block-weak) forbid it; for V(delay), logind waits some seconds.
      type: str
    user:
      description: Name of the user.
      type: str
    pid:
      description: Number of the process.
      type: int
scheduled_shutdown:
  description: The shutdown that was planned before.
  type: dict
  returned: when there was one
  contains:
    type:
      description: What is planned.
      type: str
      sample: poweroff
    time:
      description: When.
      type: str
      sample: "2026-12-01T03:00:00+01:00"
worse:
  description: Units that were active and are not, or have failed since.
  type: list
  elements: str
  returned: when startup has ended
failures:
  description: What is known of each of them, as of RV(pidone.systemd.unit#module:failures), with C(reason).
  type: list
  elements: dict
  returned: when units are worse
phase:
  description:
    - Where it failed. V(look), before anything; V(request), when it was asked for; V(going down); V(coming back); V(starting), before startup had
      ended; V(comparing), as units are worse; V(test_command).
  type: str
  returned: failed
steps:
  description: What was done or, in check mode, would be.
  type: list
  elements: str
  returned: when there was anything to do
  sample: [reboot]
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.reboot.options import ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.reboot.task import converge


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run(module, converge)


if __name__ == "__main__":
    main()
