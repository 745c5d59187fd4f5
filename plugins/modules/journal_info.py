#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `journal_info`: entries of the journal."""

from __future__ import annotations

DOCUMENTATION = r"""
module: journal_info
short_description: Read entries of the systemd journal as data
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Returns entries of the journal of the host, chosen by unit, invocation, boot, time, priority or any field.
  - All conditions must hold together. Several units or several identifiers are alternatives.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.attributes.info_module
options:
  unit:
    description:
      - Only entries of these units, with C(.service) added where there is no suffix; patterns may be given. They include what systemd says of the unit.
    type: list
    elements: str
    default: []
    aliases: [name, units]
  scope:
    description:
      - Whether O(unit) and O(invocation) are those of the system's manager or of a user's.
    type: str
    choices: [system, user]
    default: system
  user:
    description:
      - Name or number of the user whose entries they are, with O(scope=user). Without it, O(unit) is of the user who reads.
    type: str
  invocation:
    description:
      - Only entries of one invocation of a unit. V(0) is the last one, V(-1) the one before it, as C(journalctl --invocation) counts them from
        systemd 257 on, on every version. The unit has to be named in O(unit) then, one and no pattern. With O(boot) only invocations
        of that boot count.
      - The last one is what systemd knows of the unit, even when it has said nothing yet, and, of a unit that systemd has forgotten, the
        last one of which the journal tells. The ones before are those of which the journal tells. Where there is none, nothing is returned, with a
        warning.
      - Also the ID of an invocation, which is 32 hexadecimal digits.
      - What a process wrote in its last moment is often stored after systemd has forgotten to which invocation its unit belonged.
        Such entries bear the name of the unit alone. They are returned too, as far as they were stored within five seconds
        around the end of this invocation, and not before the end of the one before it nor after the next one began.
    type: str
  boot:
    description:
      - Only entries of one boot, as V(0) for the current one, V(-1) for the one before it, or the ID of a boot.
    type: str
  since:
    description:
      - Only entries from this time on, such as V(2026-11-22 18:00), V(today) or V(-1h), as in systemd.time(7).
      - On every version, ISO 8601 such as V(2026-11-22T18:00:00Z) is taken too, as other modules return it, and a number, which is
        microseconds since 1970 as in RV(entries[].usec).
    type: str
  until:
    description:
      - Only entries up to this time, written as for O(since).
    type: str
  priority:
    description:
      - Only entries of this priority or a more important one.
    type: str
    choices: [emerg, alert, crit, err, warning, notice, info, debug]
  identifier:
    description:
      - Only entries with one of these syslog identifiers.
    type: list
    elements: str
    default: []
  match:
    description:
      - Only entries whose journal fields have these values. Of a list of values, any will do.
    type: dict
  grep:
    description:
      - Only entries whose message matches this regular expression (PCRE). Not every build of systemd can do that.
    type: str
  fields:
    description:
      - Journal fields to return beside the common ones; V(all) returns every field.
    type: list
    elements: str
    default: []
  after_cursor:
    description:
      - Only entries after this place in the journal, which is the RV(cursor) that an earlier task returned. So every entry is read once,
        however many tasks read one after another, and whatever is written meanwhile.
      - With it, O(lines) are the first entries after that place, and the next task goes on behind them.
      - Excludes O(since).
    type: str
  lines:
    description:
      - At most how many entries to return, the last ones, or the first ones with O(after_cursor). V(0) returns all, of which there must be
        no more than 16 MiB as C(journalctl) prints them; the task fails otherwise, and says so.
    type: int
    default: 100
  directory:
    description:
      - Read the journal in this directory instead of the host's, for example that of an image.
    type: path
  timeout:
    description:
      - How long reading may take, as a time span.
    type: str
    default: 1min
notes:
  - Only root and the members of the groups V(adm) and V(systemd-journal) see the entries of others.
seealso:
  - module: pidone.systemd.unit_info
"""

EXAMPLES = r"""
- name: What went wrong since the last boot
  pidone.systemd.journal_info:
    boot: "0"
    priority: err
  register: errors

- name: The last ten lines of a service
  pidone.systemd.journal_info:
    unit: nginx
    lines: 10

- name: Everything one invocation said
  pidone.systemd.journal_info:
    invocation: "{{ result.failures[0].invocation_id }}"
    lines: 0

- name: What the last invocation of a service said
  pidone.systemd.journal_info:
    unit: nginx
    invocation: "0"

- name: And the one before it, as that is what crashed
  pidone.systemd.journal_info:
    unit: nginx
    invocation: "-1"
    priority: warning

# Polling: the first task notes where the journal ends, and each later one goes on where the one before it has ended.
- name: Where the journal ends before the deployment
  pidone.systemd.journal_info:
    unit: app
    lines: 1
  register: journal

- name: Deploy
  ansible.builtin.include_role:
    name: app

- name: Wait until it says that it is ready
  pidone.systemd.journal_info:
    unit: app
    after_cursor: "{{ journal.cursor }}"
    grep: ready to serve
  register: ready
  until: ready.entries | length > 0
  retries: 30
  delay: 1

- name: Whatever it has complained of since then
  pidone.systemd.journal_info:
    unit: app
    after_cursor: "{{ ready.cursor }}"
    priority: warning
    lines: 0
  register: complaints

- name: Who logged in today
  pidone.systemd.journal_info:
    since: today
    match:
      SYSLOG_FACILITY: "10"
    fields: [_HOSTNAME, SYSLOG_FACILITY]
"""

RETURN = r"""
entries:
  description: The entries, the oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    time:
      description: When it was written, as ISO 8601 in UTC.
      type: str
      returned: always
      sample: '2026-11-23T00:26:50.675786Z'
    usec:
      description: The same in microseconds since 1970.
      type: int
      returned: always
    priority:
      description: Its priority, from 0 (the most important) to 7.
      type: int
      returned: always
    identifier:
      description: The syslog identifier, usually the name of the program.
      type: str
      returned: always
    unit:
      description: The unit it is of or about, of a user's manager where it is one of its units; empty where there is none.
      type: str
      returned: always
    pid:
      description: The process that wrote it.
      type: int
      returned: always
    message:
      description: The message.
      type: str
      returned: always
    fields:
      description: The fields that were asked for, under their own names, as far as the entry has them.
      type: dict
      returned: when O(fields) are asked for
cursor:
  description:
    - The place in the journal behind the last of RV(entries), for O(after_cursor) of a later task. Where there are no entries, O(after_cursor) itself
      or, without it, the end of the journal.
    - It is of this host's journal, and stays good over reboots. Where entries behind it have been removed since, as by
      C(journalctl --vacuum-time), reading goes on with the oldest that there is.
    - V(null) where the journal is empty or cannot be read.
  returned: success
  type: str
  sample: s=739ad463348b4ceca5a9e69c95a3c93f;i=4ece7;b=6c7c6013a26343b29e964691ff25d04c;m=4fc72436e;t=4c508a72423d9;x=d3e5610681098c10
invocation_id:
  description: The ID of the invocation whose entries they are; V(null) where there is no such invocation.
  returned: when O(invocation) is given
  type: str
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import PRIORITIES
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.journal.info import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "list", "elements": "str", "default": [], "aliases": ["name", "units"]},
            "scope": {"type": "str", "choices": ["system", "user"], "default": "system"},
            "user": {"type": "str"},
            "invocation": {"type": "str"},
            "boot": {"type": "str"},
            "since": {"type": "str"},
            "until": {"type": "str"},
            "priority": {"type": "str", "choices": PRIORITIES},
            "identifier": {"type": "list", "elements": "str", "default": []},
            "match": {"type": "dict"},
            "grep": {"type": "str"},
            "fields": {"type": "list", "elements": "str", "default": []},
            "after_cursor": {"type": "str"},
            "lines": {"type": "int", "default": 100},
            "directory": {"type": "path"},
            "timeout": {"type": "str", "default": "1min"},
        },
        supports_check_mode=True,
    )
    run(module, gather)


if __name__ == "__main__":
    main()
