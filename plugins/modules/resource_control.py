#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `resource_control`: limits and weights of units, live and lasting."""

from __future__ import annotations

DOCUMENTATION = r"""
module: resource_control
short_description: Manage resource limits, weights and access lists of running units
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Sets what C(systemctl set-property) sets, the directives of systemd.resource-control(5), of many units at once and without restarting them.
  - Values are compared by what they mean. C(20%) of a CPU is 200 ms per second, C(1G) is 1073741824, C(localhost) is C(127.0.0.0/8) and C(::1).
    A unit whose properties mean the same already is left alone.
  - With O(trial) the new values prove themselves before they last. The units run under them for a while, and are given their old values back if they do
    not do well.
  - The drop-ins that systemd writes for lasting values are read back and put right where systemd writes something else than it was told, as several
    versions do with percentages and lists.
  - When something fails half-way, all units get their old values and files back.
  - Limits that nothing enforces are taken with a warning, in check mode too. That is so where the kernel or the container lacks the controller, or it is not
    delegated to the manager of a user, and a trial of such limits proves nothing. Likewise, a limit below what a running unit uses is taken with a warning.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.scope
attributes:
  check_mode:
    support: full
    details:
      - Nothing is tried with O(trial).
      - A unit that does not exist is taken for one that an earlier task of the play would have created, with a warning.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - Names of units, with C(.service) added where there is no suffix, or patterns such as V(app@*.service).
      - Units of the types service, slice, scope, socket, mount and swap have resource properties. A pattern skips others, and
        those that are masked. With O(persist=true) it also skips those that were made at run time and would have to be changed, with a warning.
      - A template is no unit, so it is refused. Name its instances.
    type: list
    elements: str
    required: true
    aliases: [names, unit, units]
  properties:
    description:
      - Directives of systemd.resource-control(5) in systemd's spelling, with the values that they have in unit files.
      - All those can be given that the host's systemd can change on a loaded unit. Among them are
        C(CPUQuota), C(CPUWeight), C(AllowedCPUs), C(MemoryMin), C(MemoryLow), C(MemoryHigh), C(MemoryMax), C(MemorySwapMax), C(TasksMax), C(IOWeight),
        C(IOReadBandwidthMax), C(IODeviceWeight), C(IPAddressAllow), C(IPAddressDeny), C(SocketBindAllow), C(SocketBindDeny), C(DeviceAllow),
        C(DevicePolicy), C(RestrictNetworkInterfaces) and C(ManagedOOMPreference).
      - Directives that take several values take a list, which replaces those of the unit's file. Directives that are about devices take a dictionary
        from device to value too.
      - C(null) or an empty value takes back what was set before, so that what the unit's files say holds again.
      - Sizes may be written with C(K), C(M), C(G), C(T), percentages (of the host's memory or tasks) and C(infinity).
        C(CPUQuota=infinity) lifts a quota that the unit's file has.
      - C(Delegate), C(Slice) and some others are read only when a unit is started. Write these with M(pidone.systemd.unit_file).
    type: dict
    required: true
  persist:
    description:
      - How long the values last. They hold at once in any case, as far as the unit is running.
      - V(true) makes them last. A value that holds already but would not last is made to.
      - V(runtime) lets them last until the next boot.
      - V(false) changes nothing but the running unit. The values are gone with the next C(daemon-reload) or when the unit stops.
    type: str
    choices: ['true', 'false', runtime]
    default: 'true'
  trial:
    description:
      - Let the units run for so long (a time span such as V(30s)) with the new values before these are made to last as O(persist) says.
      - The trial fails at once if a unit goes down or is restarted, if the kernel kills one of its processes for want of memory, or if it cannot make
        a process because of C(TasksMax); and at its end if O(trial_throttled) or O(trial_stalled) is exceeded.
      - When it fails all units of the task get their old values back, units that went down are started again, and the task fails and says why,
        with what was measured.
      - Nothing that a trial does lasts before it has succeeded. When it is interrupted, by the loss of the connection for example, old values are
        put back as well. Should the module itself be killed, they are back with the next C(daemon-reload).
      - Only running units can be tried. There is no trial where nothing has to be changed.
    type: str
  trial_throttled:
    description:
      - The share of the trial's time in which C(CPUQuota) may keep a unit from running that wants to run.
      - V(100%) lets every service pass, which is right for those that use all the time they can get.
    type: str
    default: 50%
  trial_stalled:
    description:
      - The share of the trial's time in which processes of a unit may have to wait for memory, when C(MemoryHigh) or C(MemoryMax) is reached.
    type: str
    default: 20%
  allow_empty:
    description:
      - Whether it is accepted that O(name) is an empty list or that a pattern matches no unit.
    type: bool
    default: false
  timeout:
    description:
      - How long systemd may take to answer, as a time span.
    type: str
    default: 5min
notes:
  - Lasting values are kept where C(systemctl set-property) keeps them, in C(/etc/systemd/system.control/UNIT.d/50-PROPERTY.conf).
    C(systemctl revert UNIT) removes all of them.
  - A file that is read later, such as a drop-in C(90-limits.conf) with the same directive, would win at the next C(daemon-reload). That is an error with
    O(persist=true) and a warning with O(persist=runtime).
  - C(SocketBindAllow), C(SocketBindDeny) and C(RestrictNetworkInterfaces) take effect when a unit is started next, which a warning says. The kernel is told
    of them at no other time.
  - A value that systemd takes and the kernel does not, such as C(AllowedCPUs) with a CPU that the host does not have, is told with a warning and as drift.
  - Taking a value back makes systemd read all unit files again.
seealso:
  - module: pidone.systemd.unit_file
  - module: pidone.systemd.run
  - module: pidone.systemd.unit_info
  - name: systemd.resource-control(5)
    description: What each directive does.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html
"""

EXAMPLES = r"""
- name: No worker takes more than half a CPU and 512 MiB, now and after a reboot
  pidone.systemd.resource_control:
    name: app@*.service
    properties:
      CPUQuota: 50%
      MemoryMax: 512M

- name: The same, but only if they do well with it for half a minute
  pidone.systemd.resource_control:
    name: app@*.service
    properties:
      CPUQuota: 50%
      MemoryMax: 512M
    trial: 30s

- name: A batch job shall be slow, so that it is throttled is no reason to take the limit back
  pidone.systemd.resource_control:
    name: report.service
    properties:
      CPUQuota: 20%
    trial: 1min
    trial_throttled: 100%

- name: The workers talk to the host itself and to the internal network only
  pidone.systemd.resource_control:
    name: app@*.service
    properties:
      IPAddressDeny: any
      IPAddressAllow: [localhost, 10.0.0.0/8]

- name: First aid, until the next boot
  pidone.systemd.resource_control:
    name: [backup.service, updatedb.service]
    properties:
      CPUWeight: idle
      IOReadBandwidthMax:
        /dev/sda: 10M
    persist: runtime

- name: All users together leave a quarter of the memory to the services
  pidone.systemd.resource_control:
    name: user.slice
    properties:
      MemoryHigh: 70%
      MemoryMax: 75%
      TasksMax: 50%

- name: Back to what the unit's own file says
  pidone.systemd.resource_control:
    name: app@*.service
    properties:
      CPUQuota: null
      MemoryMax: null

- name: Which units do not have what their files say? (Changes nothing.)
  pidone.systemd.resource_control:
    name: '*.service'
    properties:
      CPUQuota: null
      MemoryMax: null
    persist: runtime
  check_mode: true
  register: limits

- name: Those that drifted
  ansible.builtin.debug:
    msg: "{{ limits.units | selectattr('drift') | map(attribute='name') }}"

- name: A user's own service
  pidone.systemd.resource_control:
    name: syncthing.service
    scope: user
    user: alice
    properties:
      MemoryHigh: 300M
"""

RETURN = r"""
units:
  description: Each unit, once, under systemd's own name for it.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The unit.
      type: str
      sample: app@1.service
    changed:
      description: Whether anything was changed or, in check mode, would be.
      type: bool
    active_state:
      description: What the unit is doing.
      type: str
      sample: active
    drift:
      description: Whether any of the properties drifted.
      type: bool
    properties:
      description: Each property of O(properties), by name.
      type: dict
      sample:
        CPUQuota:
          before: infinity
          after: 50%
          before_value: infinity
          after_value: 500000
          files: 50%
          path: /etc/systemd/system.control/app@1.service.d/50-CPUQuota.conf
          loaded: 50%
          cgroup: 50000 100000
          drift: false
      contains:
        PROPERTY:
          description: What is known of one property.
          type: dict
          contains:
            before:
              description: The value before, as one would write it.
              type: str
            after:
              description: The value afterwards or, in check mode, as it would be.
              type: str
            before_value:
              description:
                - The value before, typed. Times are microseconds (of CPU per second for C(CPUQuota)), sizes are bytes, V(infinity) is no limit or nothing set,
                  several values are a list or, per device, a dictionary.
              type: raw
            after_value:
              description: The value afterwards, typed likewise. Null in check mode where only systemd knows the default.
              type: raw
            files:
              description: What the unit's files come to, so the value after the next C(daemon-reload).
              type: str
            path:
              description: The file that decides; null where no file sets the property.
              type: str
            loaded:
              description: What systemd has loaded.
              type: str
            cgroup:
              description:
                - What the kernel has, as the attribute of the control group says it, such as C(cpu.max).
                - Null where the unit has no control group, the kernel's controller is not in use for it, or the property has no attribute.
              type: str
            drift:
              description: Whether files, systemd and kernel disagree.
              type: bool
trial:
  description:
    - What was seen of each unit during the trial, by name. Also in the result of a trial that failed.
    - Of a unit that went down there are C(result), C(exit_code) and C(signal) too. They tell of its first end, also where systemd has started it again since.
  returned: after a trial
  type: dict
  sample:
    app@1.service:
      seconds: 30.003
      active_state: active
      sub_state: running
      restarts: 0
      memory_events: {high: 0, low: 0, max: 12, oom: 0, oom_kill: 0}
      tasks_refused: 0
      cpu_usage_usec: 3100250
      throttled_usec: 182000
      throttled: 3%
      stalled: 0%
failures:
  description: Why units went down in a trial, with their exit status and log, as M(pidone.systemd.unit) tells it.
  returned: when units went down in a trial
  type: list
  elements: dict
rolled_back:
  description: What was put back.
  returned: when something failed after changes had begun
  type: list
  elements: str
  sample: ['CPUQuota, MemoryMax of app@1.service, app@2.service as before']
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample:
    - set CPUQuota of app@1.service, app@2.service until the next daemon-reload
    - watch app@1.service, app@2.service for 30s
    - set CPUQuota of app@1.service, app@2.service for good
    - daemon-reload if app@1.service, app@2.service need it
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.resources.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True, "aliases": ["names", "unit", "units"]},
            "properties": {"type": "dict", "required": True},
            "persist": {"type": "str", "choices": ["true", "false", "runtime"], "default": "true"},
            "trial": {"type": "str"},
            "trial_throttled": {"type": "str", "default": "50%"},
            "trial_stalled": {"type": "str", "default": "20%"},
            "allow_empty": {"type": "bool", "default": False},
            "timeout": {"type": "str", "default": "5min"},
            **SCOPE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
