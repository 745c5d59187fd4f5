#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `service_handover`: services from runit or daemontools to systemd one by one, with a way back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_handover
short_description: Hand running services over from runit or daemontools to systemd, with a way back
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Takes services from C(runsv) (or C(supervise) of daemontools) and runs them as units of systemd, one by one. It is meant for hosts where systemd is
    the first process and C(runsvdir) runs beside it, such as those with Debian's package C(runit-run).
  - For each service it notes what the running process is (command, user, groups, directories, names of environment variables, umask, limits, priority,
    listening sockets), stops it, waits until its supervisor is gone, enables and starts the unit, watches it for O(settle), and compares the new process
    with what was noted. A service that does not come up, or comes up as something worse, goes back to where it was.
  - A service never runs twice. The unit is started only when the links to the service directory are removed and the lock of C(runsv) is taken, and
    links are put back only when the unit is down. Processes that outlive the service and go on listening where the unit is going to are told to
    end (C(SIGTERM)) after five seconds, except for those in a session of their own.
  - A run that was interrupted at any point, even by C(SIGKILL) or a reboot, is ended by running the task again. What is needed for that, and to give a
    service back later, is kept on the host in C(/var/lib/pidone.systemd/handover). Services that were left half way are ended by the next run even if
    they are not listed any more. Losing the connection does not stop a run.
  - The unit files of all services are checked by the host's own systemd before anything is changed.
  - Services that need each other go in an order in which none is started twice. Where the unit of one wants that of another, the one goes first; where
    it requires it, the other does. If the first stays with its old supervisor, so does the second (RV(services[].outcome=waiting)).
extends_documentation_fragment:
  - pidone.systemd.attributes
attributes:
  check_mode:
    support: full
    details:
      - Unit files are checked in check mode too, and RV(services[].before) holds what runs now. Whether a unit will come up is not known beforehand.
  diff_mode:
    support: full
    details:
      - Shows each unit file before and after, what becomes of each service, and the steps.
  idempotent:
    support: full
    details:
      - A service that was handed over is left alone, whatever its unit is doing. Only unit files that changed are written.
options:
  services:
    description:
      - The services, as the list RV(pidone.systemd.service_import_info#module:services) of M(pidone.systemd.service_import_info). Keys that are not named
        here are ignored.
      - C(name) is the name of the service, and required.
      - C(units) are its units, each with C(name) and C(content). Without C(content) it is a unit that is on the host already, such as one from a
        package; nothing is written then. One that is masked is unmasked when its service is down, and masked again should that go back. A
        service without units cannot be handed over. To give a service back, none are needed.
      - C(definition) has the service directory in C(path) (default C(/etc/sv/NAME)). Links in the usual directories, and in those that a
        C(runsvdir) or C(svscan) of the host scans now, are found; C(links) adds such as are elsewhere.
      - C(packaged), with C(name), is a unit on the host to use where C(units) is empty.
      - C(dropins) are drop-ins to be written beside the units, each with C(unit), C(name) and C(content).
      - C(accept) adds to O(accept) for this service.
    type: list
    elements: dict
    required: true
  source:
    description:
      - The old supervisor, of services that do not name their own C(source).
    type: str
    choices: [runit, daemontools]
    default: runit
  state:
    description:
      - V(handed_over) has the services run under systemd.
      - V(given_back) undoes an earlier handover. Units are stopped and disabled, unit files that were written for it are removed (or are again what they
        were), and the services run under their old supervisor as they did before. Services that were not handed over are left alone.
    type: str
    choices: [handed_over, given_back]
    default: handed_over
  enabled:
    description:
      - Whether units start with the host.
      - With V(auto) they do if the service would have. It has to be linked, without a file C(down), and not to be running just once (C(sv once)).
      - With V(false) nothing is enabled. A unit that is enabled already stays so.
    type: str
    choices: [auto, "true", "false"]
    default: auto
  started:
    description:
      - Whether units are started. With V(auto) they are if the service ran, or was meant to.
    type: str
    choices: [auto, "true", "false"]
    default: auto
  settle:
    description:
      - For how long a unit has to stay up without a restart, as a time span. Services are watched side by side while the next ones are handed over.
    type: str
    default: 5s
  listen:
    description:
      - How long a service may take after that until it listens wherever it did before, as a time span.
    type: str
    default: 30s
  timeout:
    description:
      - How long stopping a service, and starting its unit, may take each, as a time span.
    type: str
    default: 5min
  accept:
    description:
      - Differences that are no reason to go back. They are still told in RV(services[].differences).
      - Known are V(command), V(program), V(user), V(group), V(groups), V(cwd), V(root), V(environment), V(umask), V(limits), V(nice) and V(sockets).
    type: list
    elements: str
    default: []
  rollback:
    description:
      - Whether a service goes back if its unit fails or is worse. With V(false) it is left as it is then, to be looked at; running the task again
        goes on from there.
    type: bool
    default: true
  force:
    description:
      - Whether unit files are replaced that are there already, say something else, and were not written by this module or
        M(pidone.systemd.service_import_info). They are put back when the service goes back or is given back.
      - With O(state=given_back), whether unit files are removed that were changed since the handover.
    type: bool
    default: false
  directory:
    description:
      - Where unit files are written. It has to be one of those that systemd reads.
    type: path
    default: /etc/systemd/system
notes:
  - Needs root.
  - Expected differences are those that every service of systemd has. It has a cgroup and a session of its own, the journal as output, and variables
    such as E(INVOCATION_ID). A service that was in its service directory only because C(runsv) starts everything there may be in C(/) now. All
    other differences are worse, and a reason to go back, unless it is just more (higher limits, further sockets or variables) or in O(accept).
  - Of a unit that is on the host already, another command line of the same program, another working directory and other variables are accepted as what
    its author decided. They are told in RV(services[].differences), and there is no RV(services[].parity).
  - Processes that a service leaves behind, such as sessions of C(sshd), are not touched, unless they still listen where the new process will.
  - C(SIGHUP) is ignored during the handover, so that handing over C(sshd) over SSH is safe.
seealso:
  - module: pidone.systemd.service_import_info
  - module: pidone.systemd.unit_file
"""

EXAMPLES = r"""
- name: What runs here under runit, and what would it be under systemd?
  pidone.systemd.service_import_info:
    source: runit
  register: imported

- name: Hand over all that can be, and go back where something is worse
  pidone.systemd.service_handover:
    services: "{{ imported.services | rejectattr('translation', 'eq', 'refused') }}"
    settle: 10s
  register: handover

- name: What differs, beyond what has to
  ansible.builtin.debug:
    msg: "{{ item.name }} {{ item.differences | rejectattr('expected') }}"
  loop: "{{ handover.services | rejectattr('parity') }}"
  loop_control:
    label: "{{ item.name }}"

- name: One service, with the unit of its package
  pidone.systemd.service_handover:
    services:
      - name: nginx
        units:
          - name: nginx.service
    accept:
      - limits

- name: One service, with a unit written by hand, whose higher priority is meant
  pidone.systemd.service_handover:
    services:
      - name: app
        definition:
          path: /opt/app/sv/app
        units:
          - name: app.service
            content: "{{ lookup('ansible.builtin.file', 'app.service') }}"
    accept:
      - nice

- name: Back to runit
  pidone.systemd.service_handover:
    services:
      - name: app
    state: given_back
"""

RETURN = r"""
services:
  description: Each service, in the order of O(services), and those in RV(resumed). Also returned when the task fails.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the service.
      type: str
      returned: always
      sample: web
    outcome:
      description:
        - V(handed_over), V(given_back), or V(planned) in check mode.
        - V(already) where nothing had to be moved.
        - V(back) where it failed or was worse, and is where it was.
        - V(failed) where it failed and is not where it was; this needs a person.
        - V(waiting) where it was not touched, because another service that it needs, or that needs it, went back.
      type: str
      returned: always
      sample: handed_over
    changed:
      description: Whether anything of it changed, or would in check mode.
      type: bool
      returned: always
    unit:
      description: The unit that does what the run script did. For what runs at times it is the timer.
      type: str
      returned: always
      sample: web.service
    units:
      description: All its units.
      type: list
      elements: str
      returned: always
      sample: [web.service]
    message:
      description: What went wrong, or should be known; often empty.
      type: str
      returned: always
    before:
      description:
        - What ran before, and what the comparison goes by. Empty where nothing did.
      type: dict
      returned: always
      sample:
        command: [nginx, -g, daemon off;]
        program: /usr/sbin/nginx
        user: root
        uid: 0
        sockets: ["tcp 0.0.0.0:80"]
      contains: &snapshot
        pid:
          description: The main process.
          type: int
          returned: when it ran
        started:
          description: When it was started, in clock ticks since the boot.
          type: int
          returned: when it ran
        command:
          description: Its arguments.
          type: list
          elements: str
          returned: when it ran
        program:
          description: Path of the program.
          type: str
          returned: when it ran
        user:
          description: Effective user.
          type: str
          returned: when it ran
        uid:
          description: Number of the effective user.
          type: int
          returned: when it ran
        group:
          description: Effective group.
          type: str
          returned: when it ran
        gid:
          description: Number of the effective group.
          type: int
          returned: when it ran
        groups:
          description: Supplementary groups.
          type: list
          elements: str
          returned: when it ran
        group_ids:
          description: Numbers of the supplementary groups.
          type: list
          elements: int
          returned: when it ran
        cwd:
          description: Working directory.
          type: str
          returned: when it ran
        root:
          description: Root directory.
          type: str
          returned: when it ran
        environment:
          description:
            - Names of the environment variables. Their values may be secrets and are not looked at.
            - Empty, and not compared, of programs that write over them, which are those that show a text in place of their arguments.
          type: list
          elements: str
          returned: when it ran
        umask:
          description: File mode creation mask.
          type: str
          returned: when it ran
        limits:
          description: Soft and hard limit by the name that unit files use, without its C(Limit).
          type: dict
          returned: when it ran
          sample: {NOFILE: ["1024", "524288"]}
        nice:
          description: Scheduling priority.
          type: int
          returned: when it ran
        cgroup:
          description: Control group.
          type: str
          returned: when it ran
        session:
          description: Session.
          type: int
          returned: when it ran
        process_group:
          description: Process group.
          type: int
          returned: when it ran
        stdio:
          description: What standard input, output and error are connected to.
          type: list
          elements: str
          returned: when it ran
        sockets:
          description: Where it and the processes that descend from it listen.
          type: list
          elements: str
          returned: when it ran
        processes:
          description: How many processes it is.
          type: int
          returned: when it ran
    after:
      description: What runs now. Empty where nothing does, or nothing was started.
      type: dict
      returned: always
      contains: *snapshot
    differences:
      description: In what the two differ.
      type: list
      elements: dict
      returned: always
      contains:
        what:
          description: What differs.
          type: str
          returned: always
          sample: cgroup
        before:
          description: What it was.
          type: raw
          returned: always
          sample: /system.slice/runit.service
        after:
          description: What it is.
          type: raw
          returned: always
          sample: /system.slice/web.service
        expected:
          description: Whether it has to be so under systemd.
          type: bool
          returned: always
        worse:
          description: Whether it is a reason to go back.
          type: bool
          returned: always
        reason:
          description: Why, in words.
          type: str
          returned: always
          sample: each unit has a cgroup of its own
    parity:
      description: Whether nothing differs but what is expected to.
      type: bool
      returned: always
    seconds:
      description: How long it took, from stopping to the end of watching.
      type: float
      returned: always
      sample: 5.1
    downtime:
      description: How long nothing ran, in seconds.
      type: float
      returned: always
      sample: 0.12
    failures:
      description: Why its unit failed, as M(pidone.systemd.unit) tells it.
      type: list
      elements: dict
      returned: when its unit failed
summary:
  description: How many services have each RV(services[].outcome).
  returned: always
  type: dict
  sample: {handed_over: 12, given_back: 0, already: 2, planned: 0, back: 0, failed: 0, waiting: 0}
steps:
  description: What was done, or would be in check mode, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample:
    - write /etc/systemd/system/web.service
    - daemon-reload
    - stop web under runit and unlink /etc/service/web
    - enable web.service
    - start web.service
    - watch for 5s
    - compare web with what it was
resumed:
  description: Services that are not in O(services), but that an interrupted run had left half way. They are in RV(services) too.
  returned: when there are any
  type: list
  elements: str
problems:
  description: What is wrong with a unit file, each with C(line), C(text) and C(message).
  returned: when systemd did not accept it
  type: list
  elements: dict
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._sources import names
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.task import converge


class Module(AnsibleModule):
    """An AnsibleModule that logs the names of services alone: their definitions may hold secrets, and are long."""

    def _log_invocation(self) -> None:
        names = [str(one.get("name")) for one in self.params["services"]]
        self.log(f"Invoked with services={names} state={self.params['state']}")


def main() -> None:
    module = Module(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "required": True},
            "source": {"type": "str", "choices": names(), "default": names()[0]},
            "state": {"type": "str", "choices": ["handed_over", "given_back"], "default": "handed_over"},
            "enabled": {"type": "str", "choices": ["auto", "true", "false"], "default": "auto"},
            "started": {"type": "str", "choices": ["auto", "true", "false"], "default": "auto"},
            "settle": {"type": "str", "default": "5s"},
            "listen": {"type": "str", "default": "30s"},
            "timeout": {"type": "str", "default": "5min"},
            "accept": {"type": "list", "elements": "str", "default": []},
            "rollback": {"type": "bool", "default": True},
            "force": {"type": "bool", "default": False},
            "directory": {"type": "path", "default": "/etc/systemd/system"},
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
