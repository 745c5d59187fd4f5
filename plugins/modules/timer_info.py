#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `timer_info`: facts about timers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: timer_info
short_description: Read when systemd timers elapse, what they start and how the last run ended
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Returns typed data about timers, read over systemd's D-Bus interface in a few round trips.
  - A timer that does not exist is returned too, with RV(timers[].exists=false).
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.attributes.info_module
  - pidone.systemd.scope.managers
  - pidone.systemd.scope
  - pidone.systemd.scope.root
options:
  name:
    description:
      - Names of timers, with C(.timer) added where there is no suffix, or patterns such as V(app-*).
      - A pattern matches timers that are loaded and timers that have a file, but no templates. One that matches nothing is no error.
      - Without names all timers are returned, whether active or not.
    type: list
    elements: str
    aliases: [names, timer, timers]
  marker:
    description:
      - Return only timers that M(pidone.systemd.timer) wrote with this O(pidone.systemd.timer#module:marker).
      - It is in their files, so it cannot be told with O(machine).
    type: str
  next:
    description:
      - How many of the next elapses to return in RV(timers[].next_elapses), at most 1000.
      - They are reckoned in this host's time zone, so there are none with O(machine).
    type: int
    default: 0
  timeout:
    description:
      - How long systemd may take to answer, as a time span such as V(90s) or V(5min).
    type: str
    default: 90s
seealso:
  - module: pidone.systemd.timer
  - module: pidone.systemd.journal_info
"""

EXAMPLES = r"""
- name: All timers
  pidone.systemd.timer_info:
  register: all

- name: Those whose last run failed
  ansible.builtin.debug:
    msg: "{{ item.unit }}: {{ item.last_run.result }}, ended at {{ item.last_run.ended_at }}"
  loop: "{{ all.timers | selectattr('last_run') | rejectattr('last_run.result', 'equalto', 'success') }}"
  loop_control:
    label: "{{ item.name }}"

- name: The next five runs of the backup
  pidone.systemd.timer_info:
    name: backup
    next: 5
  register: backup

- name: It will run before the maintenance
  ansible.builtin.assert:
    that: (backup.timers[0].next_elapse | ansible.builtin.to_datetime('%Y-%m-%dT%H:%M:%S%z')) < maintenance

- name: What the playbook of the application has put on this host
  pidone.systemd.timer_info:
    marker: app
  register: mine

- name: The timers of all containers
  pidone.systemd.timer_info:
    machine: "*"
  register: of_containers
"""

RETURN = r"""
timers:
  description: Each timer.
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
      description: Name of the timer.
      type: str
      returned: always
      sample: backup.timer
    exists:
      description: Whether there is such a timer, loaded or as a file.
      type: bool
      returned: always
    unit:
      description: The unit that it starts; empty where that cannot be told, as of a timer that is masked.
      type: str
      returned: always
      sample: backup.service
    description:
      description: What it is, in a few words.
      type: str
      returned: always
    enabled:
      description: Whether it is enabled, for good or until the reboot.
      type: bool
      returned: always
    unit_file_state:
      description: Its enablement as systemd tells it.
      type: str
      returned: always
      sample: enabled
    active:
      description: Whether it is active, so that it elapses.
      type: bool
      returned: with a manager
    active_state:
      description: What it is.
      type: str
      returned: with a manager
      sample: active
    sub_state:
      description: V(waiting), V(running) while the unit runs that it started, V(elapsed) when it will not elapse again, V(dead) or V(failed).
      type: str
      returned: with a manager
      sample: waiting
    result:
      description: V(success), or why the timer itself has failed.
      type: str
      returned: with a manager
    triggers:
      description: What makes it elapse.
      type: list
      elements: dict
      returned: always
      contains:
        type:
          description: The directive.
          type: str
          returned: always
          sample: OnCalendar
        calendar:
          description: The calendar event in its normal form.
          type: str
          returned: of C(OnCalendar)
          sample: "*-*-* 03:00:00"
        timespan:
          description: The time span as systemd prints it.
          type: str
          returned: of the others
          sample: 15min
        usec:
          description: The time span in microseconds.
          type: int
          returned: of the others
          sample: 900000000
        next_elapse:
          description: When this one elapses next, as ISO 8601 in UTC, or V(null).
          type: str
          returned: with a manager
    next_elapse:
      description: When it elapses next, as ISO 8601 in UTC, the random delay included; V(null) when that is not known, as while a run goes on.
      type: str
      returned: with a manager
      sample: '2026-11-24T03:12:41.118204Z'
    last_elapse:
      description: When it elapsed last, as ISO 8601 in UTC, or V(null).
      type: str
      returned: with a manager
    next_elapses:
      description: The next times of its calendars, as many as O(next) asks for, from now on and without random delays.
      type: list
      elements: str
      returned: when O(next) is given
    last_run:
      description: The last run of the service since the host was booted; V(null) where there was none, or where the unit is no service.
      type: dict
      returned: with a manager
      contains:
        result:
          description: V(success), or why it failed.
          type: str
          returned: always
          sample: exit-code
        exit_code:
          description: How the main process ended, V(exited), V(killed) or V(dumped), or V(null) while it runs.
          type: str
          returned: always
        exit_status:
          description: Its exit status, or the number of the signal.
          type: int
          returned: always
        started_at:
          description: When the main process was started, as ISO 8601 in UTC.
          type: str
          returned: always
        ended_at:
          description: When it ended, or V(null) while it runs.
          type: str
          returned: always
    unit_active_state:
      description: What the unit that it starts is doing now; V(null) where the timer is not loaded.
      type: str
      returned: with a manager
      sample: inactive
    AccuracyUSec:
      description: How much later than its time it may elapse, in microseconds.
      type: int
      returned: always
    RandomizedDelayUSec:
      description: The longest random delay, in microseconds.
      type: int
      returned: always
    FixedRandomDelay:
      description: Whether the random delay is always the same.
      type: bool
      returned: always
    Persistent:
      description: Whether missed elapses are made up for.
      type: bool
      returned: always
    WakeSystem:
      description: Whether it wakes up a suspended host.
      type: bool
      returned: always
    RemainAfterElapse:
      description: Whether it stays loaded when it will not elapse again.
      type: bool
      returned: always
    DeferReactivation:
      description: Whether an elapse during a run waits for the next time, so that the service is not started again right after it.
      type: bool
      returned: where systemd has it (257)
    OnClockChange:
      description: Whether it elapses when the clock is set.
      type: bool
      returned: always
    OnTimezoneChange:
      description: Whether it elapses when the time zone changes.
      type: bool
      returned: always
    marker:
      description: The O(pidone.systemd.timer#module:marker) with which M(pidone.systemd.timer) wrote it; V(null) for timers of others.
      type: str
      returned: without O(machine)
    fragment_path:
      description: Its unit file.
      type: str
      returned: always
    dropin_paths:
      description: Its drop-ins.
      type: list
      elements: str
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
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.info import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "aliases": ["names", "timer", "timers"]},
            "marker": {"type": "str"},
            "next": {"type": "int", "default": 0},
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
