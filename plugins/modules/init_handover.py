#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `init_handover`: a host that boots another init system boots systemd, with a way back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: init_handover
short_description: Have a host boot systemd in place of another init system, with a way back
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Prepares a host that boots runit (or another init system) for its first boot of systemd, and compares what runs and listens after
    that boot with what did before.
  - It does not reboot. The role P(pidone.systemd.runit_migration#role) does, and all else around it.
  - The packages of both init systems stay installed. C(/sbin/init) becomes a link to systemd, and what it was is kept beside it, which is registered with
    C(dpkg-divert) on Debian, so that updates of packages respect it. There is a C(/sbin/init) at every moment.
  - The first boot is one on trial. Early in it, C(/sbin/init) becomes the old one again, and after O(trial) the host reboots by itself. Both end
    with O(state=confirmed). So a host that nobody can reach any more comes back with the old init system, by itself or when it is reset.
    Only if systemd does not get as far as mounting the root file system has the boot loader to be told, once, C(init=/sbin/init.before-systemd).
  - It can be interrupted at any point and run again.
extends_documentation_fragment:
  - pidone.systemd.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows the units, and the steps.
  idempotent:
    support: full
  platform:
    details:
      - Systemd has to be installed, and need not run.
options:
  state:
    description:
      - With V(prepared), run under the old init system, units are verified, written and enabled, what runs is noted, and systemd boots next.
      - With V(confirmed), run under systemd, services and listening sockets are compared with those noted. If none is missing or different
        systemd boots from now on. If not the task fails, and the host stays on trial.
      - With V(given_back), the old init system boots from now on. Units, drop-ins and links are what they were.
      - With V(finished), run some days later, the old init is no longer kept. There is no way back then, and its package can be removed.
    type: str
    choices: [prepared, confirmed, given_back, finished]
    required: true
  services:
    description:
      - The services that the old init system supervises, as M(pidone.systemd.service_import_plan) returns them. For O(state=prepared).
    type: list
    elements: dict
    default: []
  trial:
    description: How long the first boot may last before it is confirmed, as a time span.
    type: str
    default: 10min
  settle:
    description: How long services have to stay up after the boot, as a time span. For O(state=confirmed).
    type: str
    default: 5s
  accept:
    description:
      - Differences that are no reason to go back. For O(state=confirmed).
      - Kinds such as V(limits) for all services, C(SERVICE:KIND) for one, and sockets by their names, such as V(tcp 0.0.0.0:8080).
      - The kinds are C(command), C(program), C(user), C(group), C(groups), C(cwd), C(root), C(environment), C(umask), C(limits), C(nice) and
        C(sockets).
      - A unit of a package only has to run the same program as the same user, with the same sockets.
    type: list
    elements: str
    default: []
  timeout:
    description: How long the boot may take to come to its end, as a time span.
    type: str
    default: 5min
seealso:
  - module: pidone.systemd.service_handover
  - ref: From runit to systemd, host by host <ansible_collections.pidone.systemd.docsite.guide_runit_fleet>
    description: How to move a fleet.
"""

EXAMPLES = r"""
- name: Prepare the first boot of systemd
  pidone.systemd.init_handover:
    state: prepared
    services: "{{ plan.services }}"
    trial: 15min
  register: prepared

- name: Boot it
  ansible.builtin.reboot:
    reboot_command: "{{ prepared.reboot_command }}"
  when: prepared.reboot

- name: Stay with it if all is well
  pidone.systemd.init_handover:
    state: confirmed
    settle: 10s

- name: Go back to the old init system
  pidone.systemd.init_handover:
    state: given_back
"""

RETURN = r"""
phase:
  description:
    - How far it has come. V(prepared) until the first boot is confirmed, then V(confirmed), and in the end V(finished); V(given_back) until the
      old init system has booted again; V(begun) after an interruption; empty where nothing has been done.
  type: str
  returned: always
  sample: prepared
runs:
  description: Name of the process with the number 1.
  type: str
  returned: always
  sample: runit
boots:
  description: What the next boot starts.
  type: str
  returned: always
  sample: systemd
reboot:
  description: Whether the host has to be rebooted for this.
  type: bool
  returned: always
reboot_command:
  description: The command that reboots it. The usual ones may go by way of C(/sbin/init), and fail between the two worlds.
  type: str
  returned: always
  sample: /usr/sbin/runit-init 6
services:
  description:
    - Each service, with C(name), C(outcome) (V(planned), V(handed_over), V(already), V(failed) or V(given_back)), C(message), C(units), C(before) and
      C(after) (what its process was and is), C(differences) (each with C(what), C(before), C(after), C(expected), C(worse) and C(reason)) and
      C(parity), whether there is none that is worse.
  type: list
  elements: dict
  returned: always
host:
  description: Differences in what the whole host listens on, in the same form.
  type: list
  elements: dict
  returned: with O(state=confirmed)
steps:
  description: What was done, or in check mode would be.
  type: list
  elements: str
  returned: when anything is to be done
  sample: [write /etc/systemd/system/app.service, enable app.service]
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["prepared", "confirmed", "given_back", "finished"], "required": True},
            "services": {"type": "list", "elements": "dict", "default": []},
            "trial": {"type": "str", "default": "10min"},
            "settle": {"type": "str", "default": "5s"},
            "accept": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "str", "default": "5min"},
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
