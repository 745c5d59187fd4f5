#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `unit_file`: unit files and drop-ins."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_file
short_description: Manage systemd unit files and drop-ins
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Writes a unit file, or a drop-in that changes a unit of somebody else, from sections in YAML or from raw text.
  - The file is checked by the host's own systemd before it is put in place. A directive that this version does not know, or a value that it would ignore, is
    an error that names the line, and the old file stays as it is.
  - The file is replaced in one move. Systemd reads its files again once, and only when there is need.
  - What follows from the change is done in the same task if wanted. The unit is enabled and started, or restarted or reloaded if it runs.
  - It is also restarted or reloaded if wanted when files that others wrote have changed since it was started (O(restart_on), O(reload_on)), so that no
    handler is needed and no restart is lost.
  - A file that already means what is wanted is left alone, however it is formatted. The same meaning is the same directives with the same values in the same
    order in each section. Blank lines, blanks around C(=), continuation lines, the order of the sections and repeated section headers make no difference.
    Comments make none with O(sections). With O(content) a file that differs in comments only is written anew, but nothing is restarted for it.
  - Files are compared as text, so V(yes) is different from V(true), and V(5min) from V(300).
extends_documentation_fragment:
  - ansible.builtin.files
  - pidone.systemd.attributes
  - pidone.systemd.scope
  - pidone.systemd.scope.root
attributes:
  check_mode:
    support: full
    details:
      - The file is checked in check mode too, so a file that would be refused is refused then.
  diff_mode:
    support: full
    details:
      - Shows the file before and after, and the steps that follow.
  idempotent:
    support: partial
    details:
      - O(daemon_reload=always) reloads every time. So does O(started=true) start a C(oneshot) service without C(RemainAfterExit=yes) every time.
options:
  name:
    description:
      - Name of the unit, with C(.service) added where there is no suffix.
      - May be a template such as V(app@.service). With O(dropin) it may also be one instance, or a prefix such as V(app-.service) for all units whose
        names begin so.
    type: str
    required: true
    aliases: [unit]
  dropin:
    description:
      - Name of a drop-in, with C(.conf) added where it is missing. V(10-limits) of C(nginx.service) is C(nginx.service.d/10-limits.conf).
      - Without it the unit file itself is managed.
      - Of a unit that is not there a warning tells, with the name that may have been meant, as the drop-in has no effect before there is one.
      - Drop-ins for all units of a type (such as those in C(service.d)) are not written by this module, and O(name=service) is an error.
    type: str
  state:
    description:
      - V(present) makes the file what O(sections) or O(content) say. A symbolic link in its place is an error.
      - V(absent) removes the file. A drop-in directory that is empty then goes with it, but other drop-ins of the unit stay.
        With O(dropin) a link in the place of the file is removed as well, such as one to C(/dev/null) that hides a drop-in of a package.
      - If no other file of the unit is left (a package's, for example), V(absent) also stops the unit and the instances of a template, unless
        O(on_change=nothing)
        is given, and removes the links that enable it or give it other names. If there is one, the unit falls back to that and O(on_change) applies.
        Instances of a template that have a file of their own are left as they are.
      - V(linked) makes a link to O(src), a unit file that is elsewhere (C(systemctl link)). Everything else is as with V(present), except that what the file
        says is the business of whoever writes it. O(on_change) applies when the link leads elsewhere, and when the file was changed, or
        the link made by somebody else, after the unit was started. A link that leads elsewhere is replaced, and V(absent) removes it.
      - V(reverted) makes of the unit what its package has (C(systemctl revert)). All its drop-ins go, those of M(pidone.systemd.resource_control) included,
        and if a package has the unit, so do a file, link or mask in the place of the package's file. A unit that no package has keeps its file. Unlike
        C(systemctl revert), it leaves the links that enable the unit.
    type: str
    choices: [present, absent, linked, reverted]
    default: present
  src:
    description:
      - Path on the host of the unit file that is linked, in the tree with O(root). Required with O(state=linked).
      - Systemd needs it at boot, so it should not be on a file system that is mounted later.
    type: path
  sections:
    description:
      - The file as sections, each a mapping of directives to values, written in the given order.
      - A boolean is written as V(yes) or V(no), and a list gives the directive several times, in order.
      - An empty string or C(null), alone or in a list, is an empty assignment, which resets what came before it. So C(ExecStart) in a drop-in that
        replaces a command is
        a list of an empty string and the new command. (C(StandardInput), C(StandardOutput) and C(StandardError) are given the word V(null) for a C(null).)
        An empty list writes nothing.
      - In C(Environment) and C(LogExtraFields), each item of a list is one variable with its value as the process shall see it, and is quoted as
        needed. A mapping of
        names to values does the same, and its values may have blanks around them and several lines.
        A plain string, and an item that begins with a quote, are written as they are. Specifiers such as C(%h) are
        expanded by systemd
        in any case; write C(%%) for a percent sign.
      - All other values are written as they are, in the syntax of systemd's manual pages. A line break in a value is an error.
      - Write modes as text in quotes (V('0755')).
      - Either O(sections) or O(content) is required with O(state=present).
    type: dict
  content:
    description:
      - The file as text.
      - Line ends are made those of Linux, and a missing one at the end is added.
      - A drop-in may be empty, such as one that takes the place of a drop-in of a package. A unit file may not, since that would mask the unit.
    type: str
  runtime:
    description:
      - Write below C(/run), so that the file is gone at the next boot. Links made for O(enabled) are as well.
    type: bool
    default: false
  verify:
    description:
      - How the file is checked before it is put in place.
      - V(normal) refuses what keeps systemd from obeying the file. These are sections and directives it does not know, values it would ignore, and a
        unit it could not
        load. Names are values too; C(After=network) and C(WantedBy=multi-user) lack the type of the unit.
      - With V(normal), all else that C(systemd-analyze verify) says of the unit becomes a warning, as it may be put right by a later task; a command or
        a required unit that is not there yet, for example.
      - Templates are checked with an instance that systemd makes up. What is wrong with it where a value holds C(%i) or C(%I) is a warning, as it may be
        right for the instances there will be.
      - V(strict) makes those errors too.
      - V(nothing) only makes sure that the file can be parsed.
      - A file that is not going to be written is not checked. In a tree (O(root)) the directives are those of the tree's systemd, which are read from
        its program without running it; those of the host, with a warning, where they cannot be read. Values are checked by the host's systemd.
    type: str
    choices: [normal, strict, nothing]
    default: normal
  activate:
    description:
      - Enable the unit and start it. Short for O(enabled=true) and O(started=true), each of which may still be given another value.
      - With O(root) or O(scope=global), where nothing runs, it only enables the unit.
    type: bool
    default: false
  enabled:
    description:
      - Whether the unit is enabled, once its file is in place.
      - When the C([Install]) section changes, the links of a unit that is enabled already are made anew.
    type: bool
  started:
    description:
      - Whether the unit runs, once its file is in place.
    type: bool
  on_change:
    description:
      - What is done to a unit that runs when its file changed in more than comments, or when it changed earlier and systemd has not read it since.
      - For a template these are all its instances that run, for a prefix all such units.
      - V(restart) restarts it. That is an error for a unit that refuses it (C(RefuseManualStart), C(RefuseManualStop)), and for a socket whose service
        runs, unless the service requires the socket and so is restarted with it.
      - V(reload) makes it read its configuration again, and is an error for a unit that cannot reload. Note that a change of C(ExecStart) or the like
        needs a restart.
      - V(reload_or_restart) reloads it if it can and restarts it otherwise.
      - V(nothing) leaves it alone.
      - The default is V(restart) with O(activate=true) or O(started=true), and V(nothing) otherwise; then a warning names the units that run on with
        what the file said before, which V(nothing), given, leaves out. A unit that does not run is never started by it.
    type: str
    choices: [restart, reload, reload_or_restart, nothing]
  restart_on:
    description:
      - What makes the unit restart, if it runs, when it has changed since the unit was started last.
      - What begins with C(/) is the path of a file, whose content counts, such as a configuration file that another task writes. With O(scope=user) it
        may begin with C(~/), for the user's home directory. One that is not there counts as another one than any that is. A link on the way that leads to
        another file by now is a change of the file.
      - All else is text that counts itself, such as a version. The host keeps digests with a secret of its own and never the text. A text that takes the
        place of another is a change. Their order is of no account, and one that is only added or left out is none.
      - An interrupted play loses no restart. It is made up for by the next task that finds the unit running since before the change.
      - For a template these are all its instances that run, for a prefix all such units. It needs neither O(started) nor O(on_change), and with O(root),
        O(scope=global) and O(state=absent) nothing comes of it.
    type: list
    elements: str
    default: []
  reload_on:
    description:
      - As O(restart_on), but the unit is made to read its configuration again.
      - It is an error for a unit that cannot reload. Where a restart is due as well, it is only restarted.
    type: list
    elements: str
    default: []
  probe:
    description:
      - What the unit has to answer once it was started, restarted or reloaded, and has settled, for the task to succeed. It is tried again and
        again until it answers, or its time is over. Units are probed side by side.
      - One try of O(probe.tcp), O(probe.http) and O(probe.socket) takes at most 10 seconds, however the other side
        behaves. One of O(probe.command) may take all the time.
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
          - A URL that has to be answered with one of O(probe.status). Redirects are not followed, and what comes with the answer is not
            read.
        type: str
      socket:
        description:
          - Path of a socket that has to accept a connection.
        type: str
      status:
        description:
          - Status codes that O(probe.http) may be answered with. By default those from 200 to 399.
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
  daemon_reload:
    description:
      - Whether systemd reads its files again after the change and before anything is started, once.
      - With V(auto) it does so where the task wrote or removed something, or where systemd has not read the unit's files since they changed; the
        latter counts as a change.
      - V(always) counts as a change.
    type: str
    choices: [auto, always, never]
    default: auto
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
      - When a job fails or a unit does not stay up, put everything back. The file gets its old content, owner and mode, links are made what they were,
        units that were up are brought up again with the old file, and others are stopped again.
    type: bool
    default: false
  backup:
    description:
      - Keep a copy of the old file beside it, with the time in its name, when it is replaced or removed. Systemd does not read such copies.
    type: bool
    default: false
seealso:
  - module: pidone.systemd.unit
  - module: pidone.systemd.unit_info
  - name: systemd.syntax(7)
    description: Syntax of unit files.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html
  - name: systemd.directives(7)
    description: All directives and the manual pages that explain them.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.directives.html
"""

EXAMPLES = r"""
- name: A service, enabled and started, and restarted when its file changes
  pidone.systemd.unit_file:
    name: app.service
    sections:
      Unit:
        Description: The application
        After: [network-online.target]
        Wants: [network-online.target]
      Service:
        ExecStart: /opt/app/bin/server --port 8080
        User: app
        Restart: on-failure
        Environment:
          LOG: json
          GREETING: hello world
      Install:
        WantedBy: multi-user.target
    activate: true
    settle: 5s
    rollback: true

- name: A template for workers, which restarts the workers that run when it changes
  pidone.systemd.unit_file:
    name: worker@.service
    sections:
      Unit: {Description: "Worker %i"}
      Service:
        ExecStart: /opt/app/bin/worker --shard %i
        Environment: [LOG=json, "GREETING=hello world"]
      Install: {WantedBy: multi-user.target}
    on_change: restart

- name: The web server gets more files and waits for the application
  pidone.systemd.unit_file:
    name: nginx.service
    dropin: 10-app
    sections:
      Unit: {After: app.service}
      Service: {LimitNOFILE: 65536}
    on_change: restart

- name: A configuration file that a service reads when it starts
  ansible.builtin.template:
    src: app.conf.j2
    dest: /etc/app/app.conf
    mode: '0640'

- name: Restarted when it or the version has changed, also by an earlier play that was interrupted before it could; and it answers
  pidone.systemd.unit_file:
    name: app.service
    sections:
      Service: {ExecStart: /opt/app/bin/server --config /etc/app/app.conf}
      Install: {WantedBy: multi-user.target}
    activate: true
    restart_on:
      - /etc/app/app.conf
      - "{{ app_version }}"
    probe:
      http: http://127.0.0.1:8080/health
      timeout: 1min
    rollback: true

- name: Another command for a service of the distribution; the empty item resets the old one
  pidone.systemd.unit_file:
    name: redis-server.service
    dropin: command
    sections:
      Service:
        ExecStart: ["", /opt/redis/bin/redis-server /etc/redis/redis.conf]
    on_change: restart

- name: A unit file from a template of the role, put in place only if systemd has nothing at all to say against it
  pidone.systemd.unit_file:
    name: backup.service
    content: "{{ lookup('ansible.builtin.template', 'backup.service.j2') }}"
    verify: strict
    backup: true

- name: A user's own service, as root and without become_user
  pidone.systemd.unit_file:
    name: syncthing.service
    scope: user
    user: alice
    sections:
      Service: {ExecStart: /usr/bin/syncthing serve --no-browser}
      Install: {WantedBy: default.target}
    activate: true

- name: A unit in an image that is being built
  pidone.systemd.unit_file:
    name: firstboot.service
    root: /srv/image
    content: "{{ lookup('ansible.builtin.file', 'firstboot.service') }}"
    enabled: true

- name: The unit file of a release, where the release is
  pidone.systemd.unit_file:
    name: app.service
    state: linked
    src: "/opt/app/{{ app_release }}/app.service"
    activate: true

- name: Whatever was changed about the web server, it is as its package has it
  pidone.systemd.unit_file:
    name: nginx.service
    state: reverted
    on_change: restart

- name: The service is gone, stopped and disabled first
  pidone.systemd.unit_file:
    name: app.service
    state: absent

- name: The web server is without that drop-in
  pidone.systemd.unit_file:
    name: nginx.service
    dropin: 10-app
    state: absent
    on_change: restart
"""

RETURN = r"""
path:
  description: The file.
  returned: always, once the options are known to be good
  type: str
  sample: /etc/systemd/system/nginx.service.d/10-app.conf
written:
  description: Whether the file was written or removed, or in check mode would be.
  returned: success
  type: bool
meaning_changed:
  description: Whether that changes more than comments.
  returned: success
  type: bool
backup_file:
  description: The copy of the old file.
  returned: when O(backup=true) and there was one
  type: str
  sample: /etc/systemd/system/app.service.4711.2026-11-22@12:00:00~
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [write /etc/systemd/system/app.service, enable app.service, daemon-reload, start app.service]
problems:
  description: What is wrong with the file.
  returned: when it was refused by O(verify)
  type: list
  elements: dict
  contains:
    line:
      description: The line of the new file, from 1; null where it is the unit as a whole.
      type: int
      returned: always
    text:
      description: What stands there.
      type: str
      returned: always
      sample: Restart=sometimes
    message:
      description: What is wrong with it.
      type: str
      returned: always
units:
  description: The unit, and for templates and prefixes the loaded units that the file applies to.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the unit.
      type: str
      returned: always
    changed:
      description: Whether the task changed its state.
      type: bool
      returned: always
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
      returned: when O(enabled) was asked for, or the unit is new
      sample: enabled
    enabled:
      description: Whether it is enabled, for good or until the reboot.
      type: bool
      returned: when O(enabled) was asked for, or the unit is new
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
links:
  description: The links that were made and removed to enable the unit, each with C(type), C(path) and C(target).
  returned: when there were any
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
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True, "aliases": ["unit"]},
            "dropin": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent", "linked", "reverted"], "default": "present"},
            "src": {"type": "path"},
            "sections": {"type": "dict"},
            "content": {"type": "str"},
            "runtime": {"type": "bool", "default": False},
            "verify": {"type": "str", "choices": ["normal", "strict", "nothing"], "default": "normal"},
            "activate": {"type": "bool", "default": False},
            "enabled": {"type": "bool"},
            "started": {"type": "bool"},
            "on_change": {"type": "str", "choices": ["restart", "reload", "reload_or_restart", "nothing"]},
            **TRIGGER_ARGUMENTS,
            "probe": {"type": "dict", "options": PROBE_ARGUMENTS},
            "daemon_reload": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
            "timeout": {"type": "str", "default": "5min"},
            "settle": {"type": "str", "default": "200ms"},
            "rollback": {"type": "bool", "default": False},
            "backup": {"type": "bool", "default": False},
            **SCOPE_ARGUMENTS,
            **ROOT_ARGUMENTS,
        },
        mutually_exclusive=[("sections", "content")],
        add_file_common_args=True,
        supports_check_mode=True,
        hidden=("restart_on", "reload_on", "probe"),
    )
    run(module, converge)


if __name__ == "__main__":
    main()
