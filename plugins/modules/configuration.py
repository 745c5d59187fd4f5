#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `configuration`: systemd's own settings."""

from __future__ import annotations

DOCUMENTATION = r"""
module: configuration
short_description: Manage systemd's own settings
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Writes a drop-in of one of systemd's own configuration files, such as C(system.conf) and C(journald.conf), and puts it into effect.
  - Settings are checked before the file is written. One that this host's systemd does not know, or a value that it would ignore, is an error, and nothing
    is changed. What the daemon says of the file when it has read it is an error too, with O(rollback) followed by the way back.
  - The journal itself tells what it thinks of C(journald.conf) in the kernel's log alone, which containers mostly do not have. There, values are checked before
    they are written, but not those of settings that are newer than this module.
  - The settings are put into effect in the way that is right for them, once, and only where what all files together say becomes another.
  - The system's manager reads its files again (C(daemon-reload)), or is replaced by a new process of itself where a setting needs it.
  - C(systemd-journald) and other daemons are restarted if they run, or reload where their version can. C(systemd-logind) is never restarted, since that may
    cost sessions; it reads its files again. Nothing is done for C(coredump), C(sleep) and C(pstore), which are read when they are needed.
  - Values count by their meaning, so V(1G) is V(1073741824). A file that only spells its settings in another way is written, but nothing is restarted.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.scope
  - pidone.systemd.scope.root
attributes:
  check_mode:
    support: full
    details:
      - Settings are checked in check mode too. Where the host has no such file yet, it is taken for one that an earlier task would have brought, with a
        warning.
  diff_mode:
    support: full
    details:
      - Shows the files before and after, what each setting becomes, and the steps that follow.
  idempotent:
    support: full
    details:
      - What was written with O(apply=false) and is not in force yet is put into effect by a later run with O(apply=true), which is a change. What of that
        can be known, the option tells.
options:
  name:
    description:
      - Which of systemd's files, without or with its C(.conf). These are V(system), V(user), V(journald), V(logind), V(resolved), V(timesyncd), V(networkd),
        V(oomd), V(coredump), V(sleep), V(pstore), V(homed) and any other that this host has.
      - That of a journal namespace is V(journald@NAME), for a namespace called C(NAME).
      - V(user) are the settings of users' managers, of all of them with O(scope=system), and of one with O(scope=user). Systemd 247 knows no settings of one
        user, and they are an error there.
    type: str
    required: true
  dropin:
    description:
      - Name of the drop-in, with C(.conf) added where it is missing. It is C(/etc/systemd/NAME.conf.d/DROPIN.conf).
      - Of several drop-ins the last one wins, by the order of their names; those of distributions mostly begin with a smaller number than that of the default.
    type: str
    default: 50-ansible
  settings:
    description:
      - What the drop-in says, as sections, each a mapping of settings to values.
      - Values are as in O(pidone.systemd.unit_file#module:sections). A boolean is written as V(yes) or V(no), and a list gives the setting several times.
      - C(null) or an empty text empties a list that other files have begun, and in C(system.conf) and C(user.conf) also resets other settings. Elsewhere
        systemd ignores it, so that it is an error for settings that are no lists.
      - C(DefaultEnvironment) and C(ManagerEnvironment) take a mapping of variables, too.
      - Required with O(state=present).
    type: dict
  state:
    description:
      - V(present) makes the drop-in say O(settings), and nothing else.
      - V(absent) removes it, and puts into effect what the other files say.
    type: str
    choices: [present, absent]
    default: present
  purge:
    description:
      - Whether to remove the other drop-ins of the same file that this module once wrote with the same O(marker). What others wrote is never touched.
    type: bool
    default: false
  marker:
    description:
      - Written into the file as a comment. O(purge) only removes what has the same one. Give each playbook or role that purges a marker of its own.
    type: str
    default: default
  runtime:
    description:
      - Write below C(/run), so that the drop-in is gone at the next boot. For one user's settings there is no such place, and it is an error.
    type: bool
    default: false
  apply:
    description:
      - Whether the settings are put into effect at once. If not, they are when systemd or the daemon next reads its files.
      - Of the system's manager, C(CapabilityBoundingSet), C(NoNewPrivileges), C(ProtectSystem) and C(SystemCallArchitectures) never are, as there is no way
        back from them, and a manager that cannot do what they say stops the host. They wait for the next boot or re-execution, and a warning says so.
      - Services that run keep what they were started with; C(DefaultLimitNOFILE) is for those that are started from now on.
      - A later run with V(true) does what an earlier one with V(false) has left, where the drop-in is newer than the time at which its settings were last read.
        That time is not known of C(systemd-logind) that is sent a signal, and of service managers of systemd 247. They are compared with the files by what
        they say is in force, so that a setting which they do not tell, such as C(RuntimeDirectorySize) and C(DefaultEnvironment), is not noticed there.
      - After a removal with V(false), a later O(state=absent) notices only that something which the other files say is not in force, of what daemons tell.
        It cannot know of settings that no file mentions any more. Have these read by C(daemon-reload), or by a reload or restart of the daemon.
      - Users' managers that do not answer in time are taken for ones that have read their files.
    type: bool
    default: true
  timeout:
    description:
      - How long it may take to put the settings into effect, as a time span such as V(90s) or V(5min).
    type: str
    default: 5min
  rollback:
    description:
      - When the settings cannot be put into effect, or the daemon ignores some of them, put everything back, and have that read again.
    type: bool
    default: true
seealso:
  - module: pidone.systemd.unit_file
  - module: pidone.systemd.manager
  - name: systemd-system.conf(5)
    description: Settings of the service managers.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd-system.conf.html
  - name: journald.conf(5)
    description: Settings of the journal.
    link: https://www.freedesktop.org/software/systemd/man/latest/journald.conf.html
"""

EXAMPLES = r"""
- name: The journal outlives reboots, and is kept small
  pidone.systemd.configuration:
    name: journald
    dropin: retention
    settings:
      Journal:
        Storage: persistent
        SystemMaxUse: 1G
        MaxRetentionSec: 1month

- name: Every service that is started from now on may open more files, and is given up earlier
  pidone.systemd.configuration:
    name: system
    settings:
      Manager:
        DefaultLimitNOFILE: 65536:524288
        DefaultTimeoutStopSec: 30s

- name: All services of all users get a variable
  pidone.systemd.configuration:
    name: user
    settings:
      Manager:
        DefaultEnvironment: {PAGER: less, GREETING: hello world}

- name: Alice's own manager waits longer
  pidone.systemd.configuration:
    name: user
    scope: user
    user: alice
    settings:
      Manager: {DefaultTimeoutStartSec: 3min}

- name: Processes end with the session; this is the only drop-in that the role has for logind
  pidone.systemd.configuration:
    name: logind
    dropin: sessions
    settings:
      Login:
        KillUserProcesses: true
        KillExcludeUsers: root
    marker: sessions
    purge: true

- name: What an image does with core dumps
  pidone.systemd.configuration:
    name: coredump
    root: /srv/image
    settings:
      Coredump: {Storage: none}

- name: The journal is as the distribution has it
  pidone.systemd.configuration:
    name: journald
    dropin: retention
    state: absent
"""

RETURN = r"""
path:
  description: The drop-in.
  returned: always, once the options are known to be good
  type: str
  sample: /etc/systemd/journald.conf.d/retention.conf
written:
  description: Whether the drop-in was written or removed, or in check mode would be.
  returned: success
  type: bool
purged:
  description: The other drop-ins that were removed, or in check mode would be.
  returned: success
  type: list
  elements: str
effective:
  description:
    - The settings of the drop-in as systemd or the daemon tells that they are in force, in the same sections and in the spelling of configuration files.
    - Only what is told at all is here. That is most of what the service managers have and some of what logind, resolved and timesyncd have.
  returned: success
  type: dict
  sample: {Manager: {DefaultLimitNOFILE: '65536:524288', DefaultTimeoutStopSec: 30s}}
overridden:
  description: The settings of the drop-in that have no effect, as a file that comes later says otherwise.
  returned: success
  type: list
  elements: dict
  contains:
    section:
      description: The section.
      type: str
      returned: always
    setting:
      description: The setting.
      type: str
      returned: always
    path:
      description: The file that wins.
      type: str
      returned: always
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [write /etc/systemd/resolved.conf.d/50-ansible.conf, try-restart systemd-resolved.service, see what systemd-resolved.service says of it]
problems:
  description: What is wrong with the settings.
  returned: when they were refused
  type: list
  elements: dict
  contains:
    line:
      description: The line of the drop-in, from 1; null where it is not known.
      type: int
      returned: always
    text:
      description: What stands there.
      type: str
      returned: always
      sample: SystemMaxUse=much
    message:
      description: What is wrong with it.
      type: str
      returned: always
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
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "dropin": {"type": "str", "default": "50-ansible"},
            "settings": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "purge": {"type": "bool", "default": False},
            "marker": {"type": "str", "default": "default"},
            "runtime": {"type": "bool", "default": False},
            "apply": {"type": "bool", "default": True},
            "timeout": {"type": "str", "default": "5min"},
            "rollback": {"type": "bool", "default": True},
            **SCOPE_ARGUMENTS,
            **ROOT_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
