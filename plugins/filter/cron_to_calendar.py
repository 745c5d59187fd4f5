# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `cron_to_calendar`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cron_to_calendar
short_description: Turn cron's times and crontabs into systemd's calendar events
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Turns a cron expression into the list of values for C(OnCalendar) that elapses when cron would run it.
  - Where both day fields are restricted, cron runs the job on days that match either, and there are two values. Where one of them begins
    with V(*), even as in V(*/2), cron takes days that match both, and there is one.
  - With O(crontab) it reads a whole crontab and returns its jobs, each with its calendars, the directives of a service that runs it as cron
    does, and findings about what cannot be the same.
positional: crontab
options:
  _input:
    description: The expression, such as V(*/10 8-18 * * mon-fri) or V(@daily), or with O(crontab) the text of a crontab.
    type: str
    required: true
  crontab:
    description:
      - Says that the input is the text of a crontab, one line or all of it, and of which kind it is.
      - V(user) is what C(crontab -l) prints.
      - V(system) is C(/etc/crontab) and the files of C(/etc/cron.d), which have a column for the user.
      - V(anacron) is C(/etc/anacrontab).
    type: str
    choices: [user, system, anacron]
  timezone:
    description:
      - Time zone that the times are meant in, for an expression. It is written into the calendars.
      - By default it is the host's own. In crontabs, C(CRON_TZ) is heeded.
    type: str
  host_timezone:
    description:
      - Time zone of the host that a crontab is from, such as V(Europe/Berlin) or V(UTC). Findings about summer time are then only those that
        are true there.
      - Without it, one finding of the crontab names the jobs whose run may be left out on one day of the year.
    type: str
  user:
    description:
      - Whose crontab it is, with O(crontab=user). The services of its jobs run as that user.
      - Without it, each job has a finding that says so.
    type: str
notes:
  - When the clock is put forward, cron runs what was skipped after the gap, and systemd skips it. When the clock is put back, cron runs jobs
    that have V(*) as hour or minute in both of the hours, and systemd in the first. The findings of a job say where this can matter.
  - A line that cron takes but never runs, such as one for V(fri-mon), is a job without calendars, and a finding.
seealso:
  - module: pidone.systemd.timer
  - plugin: pidone.systemd.calendar
    plugin_type: test
"""

EXAMPLES = r"""
- name: A report at cron's times
  pidone.systemd.timer:
    name: report
    OnCalendar: "{{ '30 6 1,15 * fri' | pidone.systemd.cron_to_calendar }}"
    # => ["*-*-01,15 06:30:00", "Fri *-*-* 06:30:00"]
    command: /opt/app/bin/report
    service: {User: app}

- name: Read the crontab of a user
  ansible.builtin.command: crontab -l -u app
  register: crontab
  changed_when: false

- name: Its jobs as timers, run as cron runs them; what leaves the crontab is removed
  pidone.systemd.timer:
    marker: crontab of app
    purge: true
    timers: "{{ timers }}"
  vars:
    jobs: "{{ crontab.stdout | pidone.systemd.cron_to_calendar('user', user='app', host_timezone='UTC') | selectattr('timer') }}"
    timers: >-
      {%- set named = [] -%}
      {%- for job in jobs -%}
      {%- set _ = named.append(job.timer | combine({'name': 'app-cron-' ~ job.line})) -%}
      {%- endfor -%}
      {{ named }}

- name: What a person should know of them
  ansible.builtin.debug:
    msg: "{{ crontab.stdout | pidone.systemd.cron_to_calendar('user', user='app') | map(attribute='findings') | flatten }}"
"""

RETURN = r"""
_value:
  description:
    - Without O(crontab), the list of values for C(OnCalendar).
    - With O(crontab), a list of jobs. Each has C(line) (its number), C(command), C(stdin) (text or V(null)), C(user) (empty in a user's
      crontab), C(environment) (the variables above it), C(calendars), C(boot) (whether it is run at boot, and has no calendars),
      C(persistent) (whether missed runs are made up for), C(service) (directives of the C([Service]) section), C(timer) (options of
      M(pidone.systemd.timer) beside its name, with that service, or V(null) for a job without calendars) and C(findings), each with
      C(key), C(title), C(severity) (V(info), V(warning) or V(decision)), C(construct), C(line), C(message) and C(remediation), as in the results
      of M(pidone.systemd.service_import_info). Jobs of anacron have a C(name) too.
    - R(The page of findings, ansible_collections.pidone.systemd.docsite.guide_findings) says of each key what it means.
  type: list
  elements: raw
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_account
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.crontab import KINDS, parse_crontab
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.times import check_zone, convert
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import choice, reporting, text


@reporting
def cron_to_calendar(
    value: t.Any,
    crontab: str | None = None,
    timezone: str | None = None,
    host_timezone: str | None = None,
    user: str | None = None,
) -> list[str] | list[dict[str, t.Any]]:
    if crontab is not None:
        if timezone:
            raise BadInput("timezone: is for expressions; a crontab says it with CRON_TZ")
        kind = choice(crontab, KINDS, "crontab")
        if user is not None and kind != "user":
            raise BadInput(f"user: is for crontab='user'; a crontab of kind {kind} says it itself")
        owner = check_account(text(user, "user"), "user") if user is not None else ""
        zone = check_zone(text(host_timezone, "host_timezone"), "host_timezone") if host_timezone is not None else ""
        return parse_crontab(text(value), kind, owner, zone)
    for option, given in (("host_timezone", host_timezone), ("user", user)):
        if given is not None:
            raise BadInput(f"{option}: is for crontabs; say which kind it is with `crontab`")
    schedule = convert(text(value), text(timezone or "", "timezone"), "input", "timezone")
    if schedule.boot:
        raise BadInput(f"input: {shown(value)} is no time: {schedule.findings[0]['message']}")
    return schedule.calendars


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"cron_to_calendar": cron_to_calendar}
