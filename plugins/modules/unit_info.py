#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `unit_info`: facts about units."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_info
short_description: Read states, properties, files, dependencies and processes of systemd units
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Returns typed data about any number of units, read over systemd's D-Bus interface in a few round trips.
  - A unit that does not exist is returned too, with RV(units[].exists=false).
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.attributes.info_module
  - pidone.systemd.scope.managers
  - pidone.systemd.scope
  - pidone.systemd.scope.root
options:
  name:
    description:
      - Names of units, with C(.service) added where there is no suffix, or patterns such as V(app@*.service).
      - A pattern matches units that are loaded and units that have a file. It never matches templates. One that matches nothing is no error.
      - Without names all units that systemd has loaded are returned.
    type: list
    elements: str
    aliases: [names, unit, units]
  states:
    description:
      - Return only units whose load state, active state or sub state is in the list, for example V(failed).
      - What is none of these in the host's version of systemd is refused. C(systemctl --state=help) prints them all.
    type: list
    elements: str
    default: []
  properties:
    description:
      - Names of D-Bus properties to return, such as V(MemoryCurrent) or V(NRestarts). Reading a few of them is cheap.
      - V(all) returns all of them, which takes milliseconds and about 10 KB for each unit.
      - Properties of more than 16 MB in all are refused, since Ansible keeps several copies of a result in memory.
    type: list
    elements: str
    default: []
  dependencies:
    description:
      - Whether to return what the unit depends on, and what depends on it.
    type: bool
    default: false
  processes:
    description:
      - Whether to return the processes in the unit's control group.
    type: bool
    default: false
  diagnosis:
    description:
      - Whether to say why units are down, as the failure of a task that starts them would, and with the log of the invocation that
        failed, however long ago that was. What is told are RV(units[].diagnosis) and, for people, RV(msg).
      - This is told of units that have failed, that wait to be started again after a failure, or whose files systemd cannot use.
      - Of units that are named, and not only meant by a pattern, it is also told when their last start was skipped for a condition or refused
        for an assertion, or came to nothing because of a unit that they require, or would do so, as that is missing.
      - Hundreds of units are told of in a few seconds. Logs are left out, with a warning, where O(timeout) is over before all are read, or
        where they come to more than 4 MB.
      - Files and logs are read for it, so it cannot be told with O(machine).
    type: bool
    default: false
  sockets:
    description:
      - Whether to return where C(.socket) units listen, how often somebody connected, and what they activate, which is what
        C(systemctl list-sockets) shows, and more. It is told of other types of units as far as C(.socket) units hand something to them.
    type: bool
    default: false
  listeners:
    description:
      - Whether to return where the processes of units listen by themselves, or with what they were handed, on TCP, UDP, SCTP and Unix sockets.
      - The processes of other users can be looked at by root alone, and those of containers not at all (O(machine)).
    type: bool
    default: false
  timeout:
    description:
      - How long systemd may take to answer, as a time span such as V(90s) or V(5min).
    type: str
    default: 90s
seealso:
  - module: pidone.systemd.unit
  - module: pidone.systemd.journal_info
"""

EXAMPLES = r"""
- name: Read what the workers use
  pidone.systemd.unit_info:
    name: app@*.service
    properties: [MemoryCurrent, CPUUsageNSec, NRestarts]
    processes: true
  register: workers

- name: All of them run
  ansible.builtin.assert:
    that: workers.units | map(attribute='active') is all

- name: What has failed on this host
  pidone.systemd.unit_info:
    states: [failed]
  register: broken

- name: Why they have failed, with the log of each
  pidone.systemd.unit_info:
    states: [failed]
    diagnosis: true
  register: broken

- name: Say so on one screen
  ansible.builtin.debug:
    msg: "{{ broken.msg.splitlines() }}"
  when: broken.units | length > 0

- name: Those that ran out of memory
  ansible.builtin.debug:
    msg: "{{ broken.units | selectattr('diagnosis.result', 'equalto', 'oom-kill') | map(attribute='name') }}"

- name: Which sockets systemd listens on, and for whom
  pidone.systemd.unit_info:
    name: "*.socket"
    sockets: true
  register: sockets

- name: Nobody was turned away
  ansible.builtin.assert:
    that: sockets.units | selectattr('sockets.refused') | length == 0

- name: Where the processes of nginx listen
  pidone.systemd.unit_info:
    name: nginx
    listeners: true
  register: nginx

- name: What has failed in the managers of all users
  pidone.systemd.unit_info:
    states: [failed]
    scope: user
    user: "*"
  register: of_users

- name: What has failed in a container of this host
  pidone.systemd.unit_info:
    states: [failed]
    machine: web1
  register: of_container

- name: Units that are enabled in an image
  pidone.systemd.unit_info:
    name: "*.service"
    root: /srv/image
  register: image
"""

RETURN = r"""
units:
  description: Each unit.
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
      description: The name that was asked for, in full.
      type: str
      returned: always
      sample: sshd.service
    id:
      description: Systemd's own name of the unit; another one where RV(units[].name) is an alias.
      type: str
      returned: always
      sample: ssh.service
    exists:
      description: Whether there is such a unit, loaded or as a file.
      type: bool
      returned: always
    active:
      description: Whether it is active, or reloading.
      type: bool
      returned: always
    failed:
      description: Whether it has failed.
      type: bool
      returned: always
    enabled:
      description: Whether it is enabled, for good or until the reboot.
      type: bool
      returned: always
    unit_file_state:
      description: Its enablement as systemd tells it; empty where there is no unit file.
      type: str
      returned: always
      sample: static
    description:
      description: The unit's description.
      type: str
      returned: with a manager, except for templates
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
    job:
      description: The C(id) and C(type) of the job that is queued for it.
      type: dict
      returned: when there is one
    fragment_path:
      description: Its unit file; empty where there is none.
      type: str
      returned: always, but for templates with O(machine)
    dropin_paths:
      description: Its drop-ins, in the order in which they are read.
      type: list
      elements: str
      returned: always, but for templates with O(machine)
    source_path:
      description: The configuration it was generated from.
      type: str
      returned: when it was generated
    properties:
      description:
        - The properties that were asked for, as far as the type of unit has them.
        - C(Exec*), conditions and triggers are lists of dictionaries. Limits that are not set are V(infinity), counters that count nothing are null.
        - Identifiers are hexadecimal, other strings of bytes lists of numbers.
      type: dict
      returned: when O(properties) are asked for
    dependencies:
      description: Names of units by the kind of dependency, such as C(Requires) or C(WantedBy).
      type: dict
      returned: when O(dependencies=true)
    processes:
      description: The processes in the unit's control group and those below it.
      type: list
      elements: dict
      returned: when O(processes=true)
      contains:
        pid:
          description: Number of the process.
          type: int
          returned: always
        command:
          description: Its command line.
          type: str
          returned: always
        cgroup:
          description: Its control group.
          type: str
          returned: always
    sockets:
      description: What a C(.socket) unit listens on.
      type: dict
      returned: when O(sockets=true), of C(.socket) units
      contains:
        listens:
          description: Each of its addresses, in the order of its file.
          type: list
          elements: dict
          returned: always
          contains:
            address:
              description: The address or path, as systemd writes it.
              type: str
              returned: always
              sample: "[::]:80"
            kind:
              description:
                - What it is in systemd's words, which are those of the directives without C(Listen), such as V(Stream), V(Datagram), V(SequentialPacket),
                  V(FIFO), V(Netlink), V(Special), V(MessageQueue) or V(USBFunction).
              type: str
              returned: always
              sample: Stream
        accept:
          description: Whether each connection gets an instance of the service of its own (C(Accept)).
          type: bool
          returned: always
        connections:
          description: The connections that are open, with C(Accept=yes); otherwise systemd does not know of them.
          type: int
          returned: always
        accepted:
          description: The connections so far, likewise.
          type: int
          returned: always
        refused:
          description: The connections that were turned away so far, as there were too many (C(MaxConnections)).
          type: int
          returned: always
        activates:
          description: The units that it starts.
          type: list
          elements: str
          returned: always
          sample: [nginx.service]
    activated_by:
      description: The C(.socket) units that hand something to it, each with its C(name) and what RV(units[].sockets) has.
      type: list
      elements: dict
      returned: when O(sockets=true), of other types of units that have any
    listeners:
      description: Where its processes listen, in the network that is theirs.
      type: list
      elements: dict
      returned: when O(listeners=true)
      contains:
        address:
          description: The address or path.
          type: str
          returned: always
          sample: 0.0.0.0:80
        kind:
          description: V(tcp), V(udp), V(udplite), V(sctp) or V(unix).
          type: str
          returned: always
    diagnosis:
      description: Why the unit is down.
      type: dict
      returned: when O(diagnosis=true), of units that are down for a reason
      contains:
        msg:
          description: All of it as text, as a failed task has it in RV(ignore:msg).
          type: str
          returned: always
        unit:
          description: Systemd's own name of the unit.
          type: str
          returned: always
        job:
          description:
            - What became of the last start, with C(id) (V(null) where that is not known any more), C(type) and C(result). Where systemd
              does not remember, the result is what came of it, V(done) where the unit was up before it failed, else V(failed).
          type: dict
          returned: always
        load_state:
          description: Whether its file could be read.
          type: str
          returned: always
        active_state:
          description: What it is now.
          type: str
          returned: always
        sub_state:
          description: The same in terms of its type.
          type: str
          returned: always
        result:
          description: Systemd's C(Result) of the unit.
          type: str
          returned: always
          sample: exit-code
        exit_code:
          description: Exit status of the process that failed.
          type: int
          returned: when it exited
        exit_status:
          description: Systemd's name for that status, where systemd itself could not run the command.
          type: str
          returned: when it has one
          sample: EXEC
        signal:
          description: Name of the signal that killed the process.
          type: str
          returned: when it was killed
          sample: SIGKILL
        core_dumped:
          description: Whether it left a core dump.
          type: bool
          returned: when it was killed
        pid:
          description: The process that failed.
          type: int
          returned: when there was one
        command:
          description: Its command line.
          type: str
          returned: when known
        failed_setting:
          description: Which setting the command is from, where it is not the main process.
          type: str
          returned: when it is not
          sample: ExecStartPre
        ran_seconds:
          description: How long the main process ran.
          type: float
          returned: when it ended
        n_restarts:
          description: How often systemd has restarted it.
          type: int
          returned: when it has
        start_limit:
          description: The C(burst) and C(interval_usec) that were used up, so that systemd did not start it once more.
          type: dict
          returned: when that was the reason
        status_text:
          description: What the service last said of itself.
          type: str
          returned: when it did
        reason:
          description: What is wrong with the unit that a socket, timer or path starts.
          type: str
          returned: when that was the reason
        load_error:
          description: Why systemd could not read its file.
          type: str
          returned: when it could not
        unmet_conditions:
          description: Conditions that were not met, as they stand in the unit file.
          type: list
          elements: str
          returned: when there are any
        unmet_assertions:
          description: Assertions that were not met, as they stand in the unit file.
          type: list
          elements: str
          returned: when there are any
        failed_dependencies:
          description:
            - Units that it requires and that have failed or are missing, each with C(unit), C(load_state) and C(active_state), and also those that
              are down, where that kept it from being started. The first one has its C(invocation_id) and C(journal) then.
          type: list
          elements: dict
          returned: when there are any
        invocation_id:
          description: The invocation that failed.
          type: str
          returned: when there was one
        failed_at:
          description: When it went down, as ISO 8601 in UTC.
          type: str
          returned: when known
          sample: '2026-11-23T00:26:50.675786Z'
        journal:
          description:
            - The last ten log entries of that invocation, each with C(time), C(usec), C(identifier), C(priority), C(unit), C(pid) and C(message)
              as M(pidone.systemd.journal_info) returns them.
          type: list
          elements: dict
          returned: as far as they can be read
msg:
  description:
    - Why units are down, as a failed task would say it; the first five in full, and the names of others. RV(units[].diagnosis.msg) has it for each.
    - Empty where nothing is wrong.
  type: str
  returned: when O(diagnosis=true)
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
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.info import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "aliases": ["names", "unit", "units"]},
            "states": {"type": "list", "elements": "str", "default": []},
            "properties": {"type": "list", "elements": "str", "default": []},
            "dependencies": {"type": "bool", "default": False},
            "processes": {"type": "bool", "default": False},
            "diagnosis": {"type": "bool", "default": False},
            "sockets": {"type": "bool", "default": False},
            "listeners": {"type": "bool", "default": False},
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
