#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `unit_set`: any number of units, and files beside them, as one wish under a name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_set
short_description: Manage any number of systemd units, drop-ins and files beside them as one set
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Brings unit files, drop-ins, instances of templates, links, masks, states and files beside the units to what is wanted of them, all in one task and
    one transaction. All files are checked together by the host's own systemd and then written, systemd reads its files again once, and then all jobs are
    handed to it together, so that they run in the order that the units themselves ask for.
  - The set has a O(name). What it once wrote and does not list any more is stopped, disabled and removed with O(purge). What others wrote is never
    touched.
  - What a set has written is known by a comment in the file and by a record on the host, below C(/var/lib/pidone.systemd/sets), or
    C(~/.local/state/pidone.systemd/sets) with O(scope=user). Only a file for which both say so, and that nobody has changed since, is ever removed.
  - A unit and a file belong to one set. That another set, or nobody known, has what is asked for is an error, unless it is taken over explicitly
    (O(take_over)).
  - A set that is as wanted is left alone. Files are compared as by M(pidone.systemd.unit_file).
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.scope
  - pidone.systemd.scope.root
attributes:
  check_mode:
    support: full
    details:
      - Files are checked in check mode too, so a set that would be refused is refused then.
  diff_mode:
    support: full
    details:
      - Shows all files before and after, but none of O(files) that not everybody may read, and then the states and the steps that follow.
  idempotent:
    support: partial
    details:
      - O(units[].state=started) starts a C(oneshot) service without C(RemainAfterExit=yes) every time.
options:
  name:
    description:
      - Name of the set. It is written into the files of the set as a comment.
      - Letters, digits and dashes, underscores, dots, colons, C(@) and C(+), at most 100.
    type: str
    required: true
    aliases: [set]
  state:
    description:
      - V(present) makes the set what O(units) and O(files) say.
      - V(absent) removes all that the set has, as O(purge) does, and the set itself.
    type: str
    choices: [present, absent]
    default: present
  units:
    description:
      - The units of the set, each of which may be there already, from a package for example, or is written by the set.
      - They are neither logged on the host nor part of C(invocation).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the unit, with C(.service) added where there is no suffix.
          - May be a template such as V(app@.service), with O(units[].instances). With O(units[].dropins) alone it may also be a prefix such as
            V(app-.service), or a type such as V(service), whose drop-ins (C(service.d)) are for all units of that type.
        type: str
        required: true
      sections:
        description:
          - The unit file as sections, see O(pidone.systemd.unit_file#module:sections).
          - Without O(units[].sections) and O(units[].content) the unit file is somebody else's.
        type: dict
      content:
        description:
          - The unit file as text, see O(pidone.systemd.unit_file#module:content).
        type: str
      dropins:
        description:
          - Drop-ins of the unit, each by its name, with C(.conf) added where that is missing.
          - A value is either a mapping of sections, or the text of the drop-in.
          - Drop-ins alone do not make a unit belong to the set. Other sets may have other drop-ins of it.
        type: dict
      instances:
        description:
          - The instances of a template that there shall be, as a list of what stands after the C(@), or as a number. V(3) means V([1, 2, 3]).
          - O(units[].enabled), O(units[].state) and O(units[].masked) are then about the instances. Those that stay are not touched by a change of
            the list, and those that are no longer listed are stopped and disabled with O(purge).
          - Characters that a name cannot have are escaped beforehand, with the filter P(pidone.systemd.escape#filter).
        type: raw
      enabled:
        description:
          - Whether the unit is enabled, see O(pidone.systemd.unit#module:enabled).
          - When the C([Install]) section changes, the links of a unit that is enabled already are made anew.
        type: bool
      state:
        description:
          - Whether the unit runs.
        type: str
        choices: [started, stopped]
      masked:
        description:
          - Whether the unit is masked, see O(pidone.systemd.unit#module:masked). A unit that the set writes a file of cannot be. A mask that the set has
            made makes way for a file that it is given later, and a file of the set's for a mask. Then the unit is stopped and disabled.
        type: bool
      properties:
        description:
          - Resource limits such as C(MemoryMax), C(CPUQuota) or C(TasksMax), those that M(pidone.systemd.resource_control) knows, with values as
            there (O(pidone.systemd.resource_control#module:properties)).
          - They are written to a drop-in C(50-properties.conf) of the unit, or, of what stands for many units, C(50-properties-NNN.conf), such that
            the narrower entry counts. A unit that runs is told them at once and is not restarted for it. Those of a type are in force when its
            units are started the next time.
          - With C(null) or an empty text, and when they are taken off the list, they are what the unit's other files say.
        type: dict
      on_change:
        description:
          - What is done to the unit, if it runs, when files of it that the set has become others in more than comments.
          - It is also done when they changed earlier and the unit has not been started since, as an earlier task was cut short.
          - The default is V(restart) with O(units[].state=started), and V(nothing) otherwise; then a warning names the units that run on with
            what the files said before, which V(nothing), given, leaves out. A unit that does not run is never started by it.
          - V(reload) is an error for a unit that cannot reload with its new files, and a restart for one that refuses it by these (C(RefuseManualStart),
            C(RefuseManualStop)).
          - For all units of a type only V(nothing) may be given.
          - A timer that would be restarted counts from then on, and does not run what it starts because of that, as with M(pidone.systemd.timer).
        type: str
        choices: [restart, reload, reload_or_restart, nothing]
      restart_on:
        description:
          - What makes the unit restart, if it runs, when it has changed since the unit was started last.
          - What begins with C(/), or C(~/) with O(scope=user), is the path of a file, whose content counts. It may be one of O(files), a unit file of
            the set, or one that another task wrote. One that is not there counts as another one than any that is.
          - A link on the way that leads to another file by now is a change of the file.
          - All else is text that counts itself, such as a version. The host keeps digests with a secret of its own and never the text. A text that takes the
            place of another is a change. Their order is of no account, and one that is only added or left out is none.
          - An interrupted play loses no restart. It is made up for by the next task that finds the unit running since before the change.
        type: list
        elements: str
        default: []
      reload_on:
        description:
          - As O(units[].restart_on), but the unit is made to read its configuration again.
          - It is an error for a unit that cannot reload. Where a restart is due as well, it is only restarted.
        type: list
        elements: str
        default: []
      probe:
        description:
          - What the unit has to answer once it was started, restarted or reloaded, and has settled, for the task to succeed. It is tried again and
            again until it answers, or its time is over. Units are probed side by side.
          - One try of O(units[].probe.tcp), O(units[].probe.http) and O(units[].probe.socket) takes at most 10 seconds, however the other side
            behaves. One of O(units[].probe.command) may take all the time.
          - C(%i) in it stands for what stands after the C(@) in the unit's name.
          - A unit that dies meanwhile fails at once. A C(oneshot) service that has ended well does not, and is probed all the same.
          - A unit that was left alone is not probed, unless an earlier task, without O(rollback), had started it and not found it well. That one is
            probed again.
        type: dict
        suboptions:
          command:
            description:
              - A program and its arguments, as a list, or as text that is split as a shell does. It has to exit with status 0. No shell is involved.
              - It runs as root, or as the user with O(scope=user). What it leaves running in its process group ends with it.
            type: raw
          tcp:
            description:
              - A port on C(127.0.0.1), or a host and a port such as V(db.example.com:5432), that has to accept a connection.
            type: str
          http:
            description:
              - A URL that has to be answered with one of O(units[].probe.status). Redirects are not followed, and what comes with the answer is not
                read.
            type: str
          socket:
            description:
              - Path of a socket that has to accept a connection.
            type: str
          status:
            description:
              - Status codes that O(units[].probe.http) may be answered with. By default those from 200 to 399.
            type: list
            elements: int
          validate_certs:
            description:
              - Whether the certificate of a web server has to be a good one.
            type: bool
            default: true
          timeout:
            description:
              - How long it may take until the unit answers, as a time span. It is counted from its first try on.
            type: str
            default: 30s
          interval:
            description:
              - How long to wait between two tries, as a time span.
            type: str
            default: 500ms
      take_over:
        description:
          - Whether what another set or nobody known has of this unit is taken over, see O(take_over).
          - A unit of which another set has written the file is taken over with O(units[].sections) or O(units[].content), and a template with all
            instances that the other set has of it.
        type: bool
  files:
    description:
      - Files that belong to the set and are no unit files, such as environment files and configuration. They are written before any unit is started.
      - One that is as wanted already, though the set has not written it, is left whose it is. It does not go with the set unless it is taken over.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Absolute path of the file. Directories that are missing are made, and stay when the file goes.
          - With O(scope=user) it may begin with C(~/), for the user's home directory. With O(root) it is in the tree.
        type: str
        required: true
      content:
        description:
          - What the file holds, exactly. It is neither logged on the host nor part of C(invocation).
        type: str
        required: true
      owner:
        description:
          - The user who owns the file.
        type: str
      group:
        description:
          - The group that owns the file.
        type: str
      mode:
        description:
          - Mode of the file, in quotes. A new file has V('0644') unless given.
          - The content of a file that not everybody may read is not shown in a diff.
        type: raw
      take_over:
        description:
          - Whether a file that another set or nobody known has there is taken over, see O(take_over).
        type: bool
  purge:
    description:
      - Whether what the set once wrote and does not list any more is removed. Units whose file it wrote are stopped, links to them removed, and then
        the file. Instances of templates that it once had are stopped and disabled. Of units that others wrote, its drop-ins are removed, its
        masks, and the links by which it enabled them. They run on, or O(units[].on_change), as it was given last, is done to them because of the
        drop-ins; limits are told to those that run.
      - A template cannot be removed while another set has instances of it.
      - A file that somebody has changed since is left as it is, with a warning.
      - V(false) leaves all of it. It still belongs to the set, and a later task may purge it.
    type: bool
    default: true
  take_over:
    description:
      - Whether units and files are taken over that belong to another set, and files replaced that nobody known has written.
      - May be given for each unit and file instead.
    type: bool
    default: false
  verify:
    description:
      - How files are checked before they are put in place, see O(pidone.systemd.unit_file#module:verify). Units of the set may name each other.
    type: str
    choices: [normal, strict, nothing]
    default: normal
  timeout:
    description:
      - How long the jobs of the task may take together, as a time span such as V(90s) or V(5min).
    type: str
    default: 5min
  settle:
    description:
      - How long units that the task started, restarted or reloaded have to stay up, without a restart in between, for the task to succeed.
      - V(0) takes the first look for good.
    type: str
    default: 200ms
  rollback:
    description:
      - When anything fails, put everything back. Files, links and masks are what they were, units that were up are brought up again with the old files,
        and others are stopped again.
    type: bool
    default: false
seealso:
  - module: pidone.systemd.unit_file
  - module: pidone.systemd.unit
  - module: pidone.systemd.timer
  - name: systemd.unit(5)
    description: Unit files, drop-ins, templates.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html
"""

EXAMPLES = r"""
- name: A whole tier, healthy for five seconds, or everything as it was
  pidone.systemd.unit_set:
    name: app
    files:
      - path: /etc/app/app.env
        content: |
          LOG=json
          DATABASE_PASSWORD={{ app_database_password }}
        mode: '0600'
    units:
      - name: app@.service
        sections:
          Unit:
            Description: "App worker %i"
            After: [network-online.target]
            Wants: [network-online.target]
          Service:
            ExecStart: /opt/app/bin/worker --shard %i
            EnvironmentFile: /etc/app/app.env
            User: app
            Restart: on-failure
          Install: {WantedBy: multi-user.target}
        instances: [10, 11, 12]
        enabled: true
        state: started
        restart_on: [/etc/app/app.env, "{{ app_version }}"]
        properties: {CPUQuota: 50%, MemoryMax: 512M}
        probe: {http: "http://127.0.0.1:90%i/health"}

      - name: nginx.service
        dropins:
          10-app:
            Unit: {After: [app@10.service]}
            Service: {LimitNOFILE: 65536}
        on_change: restart

      - name: app-clean.service
        sections:
          Service: {Type: oneshot, ExecStart: /opt/app/bin/clean --older-than 7d, User: app}
      - name: app-clean.timer
        sections:
          Timer: {OnCalendar: "*-*-* 03:00", RandomizedDelaySec: 20min, Persistent: true}
          Install: {WantedBy: timers.target}
        enabled: true
        state: started

      - name: app-legacy.service
        masked: true
    settle: 5s
    rollback: true

- name: Every service of the host is restarted when it fails
  pidone.systemd.unit_set:
    name: defaults
    units:
      - name: service
        dropins:
          50-restart:
            Service: {Restart: on-failure, RestartSec: 2s}

- name: Shards by name; those that are no longer listed go, those that stay are not touched
  pidone.systemd.unit_set:
    name: shards
    units:
      - name: shard@.service
        content: "{{ lookup('ansible.builtin.template', 'shard@.service.j2') }}"
        instances: "{{ shards | map('pidone.systemd.escape') }}"
        enabled: true
        state: started

- name: A user's own units, as root and without become_user
  pidone.systemd.unit_set:
    name: desktop
    scope: user
    user: alice
    files:
      - path: ~/.config/syncthing.env
        content: "STNODEFAULTFOLDER=1\n"
    units:
      - name: syncthing.service
        sections:
          Service: {ExecStart: /usr/bin/syncthing serve --no-browser, EnvironmentFile: "%h/.config/syncthing.env"}
          Install: {WantedBy: default.target}
        enabled: true
        state: started

- name: A unit that another set has is moved to this one
  pidone.systemd.unit_set:
    name: web
    units:
      - name: proxy.service
        sections:
          Service: {ExecStart: /opt/proxy/bin/proxy}
        take_over: true

- name: All of it goes, units stopped first
  pidone.systemd.unit_set:
    name: app
    state: absent
"""

RETURN = r"""
units:
  description: Each unit of the set, and then those that were purged. Of a template with instances, these.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the unit.
      type: str
      returned: always
      sample: app@10.service
    changed:
      description: Whether the task changed its state, links or files, or in check mode would.
      type: bool
      returned: always
    purged:
      description: That the unit was removed from the set.
      type: bool
      returned: when it was
    load_state:
      description: Whether its file could be read.
      type: str
      returned: with a manager, except for templates
      sample: loaded
    active_state:
      description: What it is.
      type: str
      returned: with a manager, except for templates
      sample: active
    sub_state:
      description: The same in terms of its type.
      type: str
      returned: with a manager, except for templates
      sample: running
    unit_file_state:
      description: Its enablement as systemd tells it.
      type: str
      returned: when enablement was asked for
      sample: enabled
    enabled:
      description: Whether it is enabled, for good or until the reboot.
      type: bool
      returned: when enablement was asked for
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
    why:
      description: What the unit was restarted or reloaded for. Paths, and V(restart_on) or V(reload_on) for texts.
      type: list
      elements: str
      returned: when it was
    job:
      description: The job it got, with its C(id), C(type) and C(result).
      type: dict
      returned: when it got one
files:
  description: The files that were written and removed.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
      returned: always
    state:
      description: V(present) or V(absent), as it is afterwards.
      type: str
      returned: always
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
links:
  description: The links that were made and removed, each with C(type), C(path) and C(target).
  returned: when there were any
  type: list
  elements: dict
problems:
  description: What is wrong with a file, as M(pidone.systemd.unit_file) tells it.
  returned: when it was refused by O(verify)
  type: list
  elements: dict
failures:
  description: Each unit that failed, and why, as M(pidone.systemd.unit) tells it.
  returned: when units failed
  type: list
  elements: dict
probe:
  description: The probe that failed, with the C(unit), the C(probe), the C(problem) and the number of C(tries).
  returned: when a probe failed
  type: dict
rolled_back:
  description: What was put back.
  returned: when O(rollback=true) and something failed
  type: list
  elements: str
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.probe import PROBE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import ROOT_ARGUMENTS, SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import TRIGGER_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True, "aliases": ["set"]},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "units": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "sections": {"type": "dict"},
                    "content": {"type": "str"},
                    "dropins": {"type": "dict"},
                    "instances": {"type": "raw"},
                    "enabled": {"type": "bool"},
                    "state": {"type": "str", "choices": ["started", "stopped"]},
                    "masked": {"type": "bool"},
                    "properties": {"type": "dict"},
                    "on_change": {"type": "str", "choices": ["restart", "reload", "reload_or_restart", "nothing"]},
                    **TRIGGER_ARGUMENTS,
                    "probe": {"type": "dict", "options": PROBE_ARGUMENTS},
                    "take_over": {"type": "bool"},
                },
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str", "required": True},
                    "content": {"type": "str", "required": True},
                    "owner": {"type": "str"},
                    "group": {"type": "str"},
                    "mode": {"type": "raw"},
                    "take_over": {"type": "bool"},
                },
            },
            "purge": {"type": "bool", "default": True},
            "take_over": {"type": "bool", "default": False},
            "verify": {"type": "str", "choices": ["normal", "strict", "nothing"], "default": "normal"},
            "timeout": {"type": "str", "default": "5min"},
            "settle": {"type": "str", "default": "200ms"},
            "rollback": {"type": "bool", "default": False},
            **SCOPE_ARGUMENTS,
            **ROOT_ARGUMENTS,
        },
        supports_check_mode=True,
        hidden=("files.content", "units"),
        as_given=("units",),
    )
    run(module, converge)


if __name__ == "__main__":
    main()
