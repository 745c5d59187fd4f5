#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `timer`: timers together with what they run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: timer
short_description: Manage systemd timers together with what they run
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Manages a timer and the service that it runs as one thing. The service is made from a command or from directives, or is a unit that is there already.
  - Any number of timers are managed in one task with O(timers), and with O(purge) those that are no longer listed are removed.
  - Calendars, time spans, programs and users are checked before anything is written, and the unit files by the host's own systemd. All files of a task
    are written, systemd reads its files again once, and then timers are enabled and started together.
  - A timer whose settings changed is stopped and started again, so that they count at once. The service is not touched; a run that is going on ends as it
    would have.
  - A new schedule is no reason to run the service. Left to itself, systemd would often run it at once when C(OnCalendar) changes, as it reckons the next
    elapse from the last one. Here it counts from the time of the change, which may then be told as the time of the last one.
    Only a timer that goes on from each run to the next, and whose service has not run since the boot, begins with a run at once
    where O(OnBootSec) or O(OnStartupSec) is over, since nothing would ever start it otherwise.
  - Files that already mean what is wanted are left alone. In the C([Timer]) section values count and not their spelling, so V(daily) is the same as
    V(*-*-* 00:00:00), and V(1h) the same as V(3600).
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.scope
  - pidone.systemd.scope.root
attributes:
  check_mode:
    support: full
    details:
      - Files are checked in check mode too. A program, a user or a unit that is not there becomes a warning, as an earlier task may be the one to make it.
  diff_mode:
    support: full
    details:
      - Shows each file before and after, and the steps that follow.
  idempotent:
    support: partial
    details:
      - A timer that ends by elapsing, with O(RemainAfterElapse=false), is started again by the next run unless O(started=false) is given.
options:
  name:
    description:
      - Name of the timer, with C(.timer) added where there is no suffix. The service gets the same name.
      - A timer that has a file there already is replaced, whoever wrote it; for a service that is another matter, see O(force).
      - Either O(name) or O(timers) is required.
    type: str
  description: &description
    description:
      - What it is, in a few words, for the timer and the service (C(Description)).
    type: str
  OnCalendar: &OnCalendar
    description:
      - When the timer elapses, as a calendar event such as V(daily), V(Mon..Fri 08:30), V(*-*-01 04:00:00 Europe/Berlin) or V(*:0/15), or a list of these.
        It elapses whenever any of them does.
      - Put values in quotes, as YAML takes V(10:30) for a number.
      - A time zone stands at the end. Without one the host's own is meant.
    type: raw
  OnActiveSec: &OnActiveSec
    description:
      - Time span after the start of the timer itself, or a list of these.
      - Systemd counts it anew from every daemon-reload, whatever that was for. A timer that has not elapsed yet is put off by each, and one that waits for
        another trigger elapses once more, which gets a warning. O(OnBootSec) is not counted anew.
    type: raw
  OnBootSec: &OnBootSec
    description:
      - Time span after the boot of the host, or a list of these.
      - A timer that is started when it is over elapses at once.
    type: raw
  OnStartupSec: &OnStartupSec
    description:
      - Time span after the start of the service manager, or a list of these. With O(scope=user) that is when the user's manager was started, at the first
        login mostly.
      - A timer that is started when it is over elapses at once.
    type: raw
  OnUnitActiveSec: &OnUnitActiveSec
    description:
      - Time span after the service was started last, or a list of these. Another trigger, such as O(OnBootSec), has to start it the first time.
    type: raw
  OnUnitInactiveSec: &OnUnitInactiveSec
    description:
      - Time span after the service ended last, or a list of these. Another trigger has to start it the first time.
    type: raw
  OnClockChange: &OnClockChange
    description:
      - Whether it also elapses when the clock is set.
    type: bool
  OnTimezoneChange: &OnTimezoneChange
    description:
      - Whether it also elapses when the host's time zone changes.
    type: bool
  AccuracySec: &AccuracySec
    description:
      - How much later than its time it may elapse, so that the host wakes up less often. Systemd's default is V(1min).
    type: str
  RandomizedDelaySec: &RandomizedDelaySec
    description:
      - Delays each elapse by a random time up to this one, so that many hosts do not act at once.
    type: str
  FixedRandomDelay: &FixedRandomDelay
    description:
      - Whether the random delay is always the same for this timer on this host.
    type: bool
  Persistent: &Persistent
    description:
      - Whether a run of O(OnCalendar) that was missed while the timer was not active, over a reboot for example, is made up for when the timer is started.
    type: bool
  WakeSystem: &WakeSystem
    description:
      - Whether it wakes up a suspended host.
    type: bool
  RemainAfterElapse: &RemainAfterElapse
    description:
      - Whether the timer stays loaded when it will not elapse again. Systemd's default is V(true).
    type: bool
  timer: &timer
    description:
      - Directives of the C([Timer]) section for which there is no option here.
      - With keys C(Unit), C(Timer) and C(Install) that are mappings themselves, directives of these sections. C(Install) then takes the place of
        C(WantedBy=timers.target).
    type: dict
  command: &command
    description:
      - What the service runs (C(ExecStart)).
      - A string is written as it is, in the syntax of C(systemd.service(5)), with its variables, specifiers and prefixes. No shell is involved.
      - A list is a program and its arguments. They are passed on exactly as they are; nothing in them is expanded or needs quoting.
      - The program has to be on the host, and is looked for where systemd does.
    type: raw
  service: &service
    description:
      - Directives of the C([Service]) section, such as C(User), C(Environment), C(MemoryMax) or C(ProtectSystem). C(Type) is V(oneshot) unless given.
      - With keys C(Unit) and C(Service) that are mappings themselves, directives of these sections, such as C(After) or C(ConditionACPower).
      - Values are as in O(pidone.systemd.unit_file#module:sections).
      - Without O(command), it has to hold C(ExecStart).
    type: dict
  unit: &unit
    description:
      - Name of a unit that is there already and that the timer starts, with C(.service) added where there is no suffix. In place of O(command) and O(service).
    type: str
  enabled: &enabled
    description:
      - Whether the timer is enabled, so that it is started at boot. V(true) unless given.
    type: bool
  started: &started
    description:
      - Whether the timer is active, so that it elapses. V(true) unless given, except where nothing runs, with O(root) or O(scope=global).
    type: bool
  state: &state
    description:
      - V(present), the default, makes the timer and its service what the other options say.
      - V(absent) stops the timer, and removes its file, the links that enable it, the file in which systemd notes when it elapsed last, and the service if
        this module wrote it. A run that is going on is left to end by itself.
    type: str
    choices: [present, absent]
  timers:
    description:
      - Timers to manage in this one task, each with the options of a timer as above, which then cannot be given outside of the list.
      - May be empty, with O(purge) for example.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the timer, with C(.timer) added where there is no suffix. The service gets the same name.
        type: str
        required: true
      description: *description
      OnCalendar: *OnCalendar
      OnActiveSec: *OnActiveSec
      OnBootSec: *OnBootSec
      OnStartupSec: *OnStartupSec
      OnUnitActiveSec: *OnUnitActiveSec
      OnUnitInactiveSec: *OnUnitInactiveSec
      OnClockChange: *OnClockChange
      OnTimezoneChange: *OnTimezoneChange
      AccuracySec: *AccuracySec
      RandomizedDelaySec: *RandomizedDelaySec
      FixedRandomDelay: *FixedRandomDelay
      Persistent: *Persistent
      WakeSystem: *WakeSystem
      RemainAfterElapse: *RemainAfterElapse
      timer: *timer
      command: *command
      service: *service
      unit: *unit
      enabled: *enabled
      started: *started
      state: *state
  purge:
    description:
      - Whether to remove timers that this module once wrote with the same O(marker) in the same place, and that O(timers) does not list.
    type: bool
    default: false
  marker:
    description:
      - A word that is written into the files as a comment, and says whose they are.
      - O(purge) only removes what has the same one. Give each playbook or role that purges a marker of its own.
      - A file that has another one gets this one.
    type: str
    default: default
  force:
    description:
      - Whether a service of the timer's name that this module did not write is replaced. Without it that is an error.
    type: bool
    default: false
  unsupported:
    description:
      - What is done with directives that this host's systemd does not know yet.
      - V(fail) refuses the timer.
      - V(drop) leaves them out of its files, with a warning that names them. Beware that it leaves out misspelled ones as well.
    type: str
    choices: [fail, drop]
    default: fail
  verify:
    description:
      - How files are checked before they are put in place, see O(pidone.systemd.unit_file#module:verify).
    type: str
    choices: [normal, strict, nothing]
    default: normal
  next:
    description:
      - How many of the next elapses to return in RV(timers[].next_elapses), at most 1000.
    type: int
    default: 0
  timeout:
    description:
      - How long the jobs of the task may take together, as a time span such as V(90s) or V(5min).
    type: str
    default: 5min
  rollback:
    description:
      - When a step fails, put everything back. Files, links and times are what they were, and timers that ran run again.
    type: bool
    default: false
seealso:
  - module: pidone.systemd.timer_info
  - module: pidone.systemd.unit_file
  - plugin: pidone.systemd.cron_to_calendar
    plugin_type: filter
  - name: systemd.timer(5)
    description: What timers can do.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.timer.html
  - name: systemd.time(7)
    description: Calendar events and time spans.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.time.html
"""

EXAMPLES = r"""
- name: Nightly clean-up
  pidone.systemd.timer:
    name: app-clean
    description: Clean up what the application leaves behind
    OnCalendar: "*-*-* 03:00"
    RandomizedDelaySec: 20min
    Persistent: true
    command: /opt/app/bin/clean --older-than 7d
    service:
      User: app
      MemoryMax: 200M
      ProtectSystem: strict
      StateDirectory: app

- name: A report on working days by the time of Berlin, with arguments that nobody has to quote; see the next three runs
  pidone.systemd.timer:
    name: report
    OnCalendar: ["Mon..Fri 08:30 Europe/Berlin", "Sat 10:00 Europe/Berlin"]
    command: [/opt/app/bin/report, --title, "100% of today's orders", --to, sales@example.com]
    service:
      Service: {User: app, Environment: {LOG: json}}
      Unit: {Wants: network-online.target, After: network-online.target}
    next: 3
  register: report

- name: When it runs next
  ansible.builtin.debug:
    msg: "{{ report.timers[0].next_elapses }}"

- name: Poll five minutes after the boot, and then ten minutes after each run has ended
  pidone.systemd.timer:
    name: poll
    OnBootSec: 5min
    OnUnitInactiveSec: 10min
    AccuracySec: 1s
    command: /usr/local/bin/poll

- name: Run a service of the distribution more often than it would itself
  pidone.systemd.timer:
    name: logrotate-hourly
    OnCalendar: hourly
    unit: logrotate.service

- name: At cron's times
  pidone.systemd.timer:
    name: payday
    OnCalendar: "{{ '30 6 1,15 * fri' | pidone.systemd.cron_to_calendar }}"
    command: /opt/app/bin/payday
    service: {User: app}

- name: These are all timers of the application; others that this task once made are removed
  pidone.systemd.timer:
    marker: app
    purge: true
    timers:
      - name: app-clean
        OnCalendar: daily
        command: /opt/app/bin/clean
        service: {User: app}
      - name: app-index
        OnCalendar: "*:0/15"
        command: /opt/app/bin/index --all
        service: {User: app, CPUWeight: 20, IOWeight: 20}
      - name: app-legacy
        state: absent

- name: A user's own timer, as root and without become_user
  pidone.systemd.timer:
    name: sync-mail
    scope: user
    user: alice
    OnCalendar: "*:0/5"
    command: /usr/bin/mbsync --all

- name: A timer in an image that is being built
  pidone.systemd.timer:
    name: firstboot-report
    root: /srv/image
    OnBootSec: 2min
    command: /usr/local/bin/report

- name: No clean-up any more
  pidone.systemd.timer:
    name: app-clean
    state: absent
"""

RETURN = r"""
timers:
  description: Each timer, in the order of the options, and then those that were purged.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the timer.
      type: str
      returned: always
      sample: app-clean.timer
    changed:
      description: Whether the task changed it or, in check mode, would change it.
      type: bool
      returned: always
    state:
      description: Whether it is V(present) or V(absent).
      type: str
      returned: always
    purged:
      description: That it was removed because O(timers) did not list it.
      type: bool
      returned: when it was
    before:
      description: What it was, in words.
      type: str
      returned: changed
      sample: not found
    after:
      description: What the plan makes it, in words.
      type: str
      returned: changed
      sample: active, enabled
    files:
      description: The files that were written or removed.
      type: list
      elements: str
      returned: changed
    unit:
      description: The unit that it starts.
      type: str
      returned: when it is present
      sample: app-clean.service
    path:
      description: The file of the timer.
      type: str
      returned: when it is present
      sample: /etc/systemd/system/app-clean.timer
    service_path:
      description: The file of the service.
      type: str
      returned: when it is present and the service is its own
      sample: /etc/systemd/system/app-clean.service
    enabled:
      description: Whether it is started at boot.
      type: bool
      returned: when it is present
    active_state:
      description: What it is.
      type: str
      returned: when it is present, with a manager
      sample: active
    sub_state:
      description: The same in terms of timers.
      type: str
      returned: when it is present, with a manager
      sample: waiting
    next_elapse:
      description:
        - When it elapses next, as ISO 8601 in UTC, or V(null). The random delay is part of it, as systemd has chosen it already.
          It is not known while a run goes on.
        - In check mode, for a timer that would change, what can be reckoned of that without systemd and without the delay.
      type: str
      returned: when it is present, with a manager
      sample: '2026-11-24T03:12:41.118204Z'
    last_elapse:
      description: When it elapsed last, as ISO 8601 in UTC, or V(null).
      type: str
      returned: when it is present, with a manager
      sample: '2026-11-23T03:04:09.530204Z'
    next_elapses:
      description: The next times of its calendars, as many as O(next) asks for, from now on and without random delays.
      type: list
      elements: str
      returned: when it is present and O(next) is given
      sample: ['2026-11-24T03:00:00Z', '2026-11-25T03:00:00Z']
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample:
    - write /etc/systemd/system/app-clean.timer
    - write /etc/systemd/system/app-clean.service
    - enable app-clean.timer
    - daemon-reload
    - start app-clean.timer
links:
  description: The links that were made and removed to enable timers, each with C(type), C(path) and C(target).
  returned: when there were any
  type: list
  elements: dict
problems:
  description: What is wrong with a file, each with C(line), C(text) and C(message).
  returned: when it was refused by O(verify)
  type: list
  elements: dict
failures:
  description: Each unit that failed, and why, as M(pidone.systemd.unit) tells it.
  returned: when units failed
  type: list
  elements: dict
rolled_back:
  description: What was put back.
  returned: when O(rollback=true) and something failed
  type: list
  elements: str
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import ROOT_ARGUMENTS, SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.options import TIMER_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            **TIMER_ARGUMENTS,
            "timers": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, **TIMER_ARGUMENTS},
            },
            "purge": {"type": "bool", "default": False},
            "marker": {"type": "str", "default": "default"},
            "force": {"type": "bool", "default": False},
            "unsupported": {"type": "str", "choices": ["fail", "drop"], "default": "fail"},
            "verify": {"type": "str", "choices": ["normal", "strict", "nothing"], "default": "normal"},
            "next": {"type": "int", "default": 0},
            "timeout": {"type": "str", "default": "5min"},
            "rollback": {"type": "bool", "default": False},
            **SCOPE_ARGUMENTS,
            **ROOT_ARGUMENTS,
        },
        required_one_of=[("name", "timers")],
        mutually_exclusive=[("name", "timers")],
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
