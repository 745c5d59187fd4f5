#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `run`: commands as transient services, timers and scopes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run
short_description: Run a command as a transient service, timer or scope
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Does what C(systemd-run) does. The command is run by systemd itself, in a clean environment and a control group of its own, with any limit, sandbox or
    dependency that a unit file could give it, and without one.
  - By default the task waits, and returns what the command printed, how it ended, and what it used of CPU, memory and IO.
  - With one of the C(on_*) options a timer is started instead, which runs the command later; the task does not wait for that.
  - A command that cannot be run, ends with another exit status than 0 or is killed by a signal fails the task, and so does one whose unit somebody stops
    before it has ended. The message has the last lines of its output, the result has all of it, or the last O(output_limit). Use C(failed_when), or
    C(SuccessExitStatus) among the O(properties), where other ends are good ones.
  - Of a service, systemd itself calls an end by C(SIGTERM), C(SIGHUP), C(SIGINT) or C(SIGPIPE) a success; of a command, this module does so only where
    C(SuccessExitStatus) lists it.
  - Nothing is left behind. The output comes through pipes and not through files. When the command has ended, systemd forgets the unit, also when the
    task's process or the connection to the host has been lost meanwhile. Processes that the command left running are ended with it.
  - A task that is interrupted stops what it has started. One that is killed cannot do so. Its command goes on until it has ended, or until O(timeout)
    is over, of which systemd itself takes care. Nobody reads what it prints then, and printing fails.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.scope
attributes:
  check_mode:
    support: full
    details:
      - The command is not run. It is reported as a change unless O(creates), O(removes) or a unit of that O(name) says that it would not be run.
      - A program, user, group or directory that does not exist is taken for one that an earlier task of the play would have made, with a warning.
      - What is wrong with the value of a property is found out by systemd itself in some cases, and then in a real run only.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Runs the command every time, unless O(creates) or O(removes) says that it is not needed.
      - With O(name), nothing is started as long as the unit of that name is there and was made with the same options. So a timer is
        not started twice while it waits, and a command with O(remain_after_exit=true) is run once per boot.
options:
  command:
    description:
      - The program and its arguments, as a list, or as a string that is taken apart at blanks, with quotes as in a shell.
      - No shell is involved, so C(|), C(>), C(*) and variables stay what they are. Where a shell is wanted, run one, as in V([sh, -c, "df | sort"]).
      - A program without a path is looked for where systemd does, in C(/usr/local/sbin), C(/usr/local/bin), C(/usr/sbin), C(/usr/bin), C(/sbin) and C(/bin).
    type: raw
    required: true
    aliases: [cmd]
  name:
    description:
      - Name of the unit, with or without its suffix. The timer of a service has the same name with C(.timer).
      - By default a name such as C(ansible-run-0123456789abcdef.service) is made up.
      - If a unit of that name is running, or its timer is waiting, and it was made with the same options, nothing is done, not even waited.
        If it was made with other options, or has a unit file, that is an error.
      - A unit that was started by C(systemd-run) or in a scope cannot be compared, so that a name it has is taken. With O(unit_type=scope), a scope in which
        nothing runs any more is stopped first.
    type: str
  description:
    description:
      - What the unit is called in listings and in the log, which every user of the host may be able to read.
      - By default it names the program, and none of its arguments.
    type: str
  unit_type:
    description:
      - V(service) has systemd run the command.
      - V(scope) runs it as a child of this task's own process, with that one's environment, and has systemd watch over it. That is for commands that need what
        is inherited from this process. Directives of services cannot be set on it, and the task always waits.
    type: str
    choices: [service, scope]
    default: service
  properties:
    description:
      - Directives of the unit, as in the sections C([Unit]) and C([Service]) or C([Scope]) of a unit file, by the names that the manual pages have for them.
      - Values are text as in a unit file, numbers or booleans. Where a directive may be given several times a list has one item for each of them, and of
        C(Environment) a dictionary is taken as well. Specifiers such as C(%n) are not replaced.
      - Quotes and backslashes mean what they mean to the directive in a unit file. So C(SetCredential) and C(StandardInputText) have escapes, of which two
        backslashes are one, and in names of units a backslash is just that.
      - In commands such as C(ExecStartPre) a program without a path is looked for as in O(command), and systemd replaces variables.
      - Which directives there are depends on the version of systemd on the host. The few that systemd or this module cannot set on a
        transient unit, such as C(RootImageOptions), are refused.
    type: dict
  on_active:
    description:
      - Run the command this long after now, as a time span such as V(5h) or V(1min 30s).
      - As with the other C(on_*) options, an empty value is refused, since without any of them the command is run at once.
    type: str
  on_boot:
    description:
      - Run the command this long after the host was booted, at once if that is over.
    type: str
  on_startup:
    description:
      - Run the command this long after the service manager was started, which differs from O(on_boot) for that of a user.
    type: str
  on_unit_active:
    description:
      - Run the command again this long after it was last started. Needs another one of these options for the first time.
    type: str
  on_unit_inactive:
    description:
      - Run the command again this long after it last ended. Needs another one of these options for the first time.
    type: str
  on_calendar:
    description:
      - Run the command at these times, as calendar events such as V(Mon..Fri 03:00) or V(2027-01-01 00:00 Europe/Vienna).
    type: list
    elements: str
  timer_properties:
    description:
      - Directives of the timer, as in the sections C([Unit]) and C([Timer]) of a unit file, such as C(AccuracySec), C(RandomizedDelaySec) or C(WakeSystem).
      - A timer that will not elapse again goes away, unless C(RemainAfterElapse) is set here.
    type: dict
  working_directory:
    description:
      - Where the command is run. By default that is the root directory, or, with O(scope=user), the home directory.
    type: str
    aliases: [chdir]
  run_as:
    description:
      - The user that the command is run as, by name or number. It is called so because O(user) says whose service manager it is.
      - By default that is root, or, with O(scope=user), the user whose manager it is.
    type: str
  run_as_group:
    description:
      - The group that the command is run as, by name or number. By default that is the group of the user.
    type: str
  environment:
    description:
      - Variables of the command's environment. One whose value is C(null) is left out.
      - Values can be seen by every user of the host while the unit is there, as the O(command) can, and are logged on the host as all options of modules
        are, unless the task has C(no_log). Secrets are better passed with O(stdin), or with C(LoadCredential)
        among the O(properties).
    type: dict
  slice:
    description:
      - The slice that the unit is in, with or without its suffix.
    type: str
  stdin:
    description:
      - What the command reads from its standard input, which is empty by default. Can be given if the task waits.
      - It is neither logged on the host nor part of C(invocation). What the command prints of it is returned as anything else; C(no_log) keeps that
        from being shown too.
      - Whether a unit of that O(name) was made with the same options does not depend on what is in here, only on whether there is any.
    type: str
  stdin_add_newline:
    description:
      - Whether a line end is added to O(stdin).
    type: bool
    default: true
  output_limit:
    description:
      - How much of RV(stdout) and of RV(stderr) is returned, as a size such as V(64M), or V(infinity). Of what is longer, the beginning is dropped.
      - By default that is V(4M). What is returned takes several times as much memory, on the host and on the controller.
    type: str
  strip_empty_ends:
    description:
      - Whether line ends at the end of RV(stdout) and RV(stderr) are taken off.
    type: bool
    default: true
  expand_argument_vars:
    description:
      - Whether systemd replaces C($NAME) and C(${NAME}) in the O(command) by variables of the command's environment.
    type: bool
    default: false
  creates:
    description:
      - A path or pattern. If it exists, the command is not run. If it is relative, it is looked for in O(working_directory).
    type: str
  removes:
    description:
      - A path or pattern. If it does not exist, the command is not run. If it is relative, it is looked for in O(working_directory).
    type: str
  wait:
    description:
      - Whether to wait for the end of the command.
      - If not, the task ends when systemd has begun to execute it; what it prints is in the journal. Of a service of C(Type=oneshot) not even
        that is waited for.
      - Has no meaning for a timer.
    type: bool
    default: true
  timeout:
    description:
      - How long the command may run, as a time span. When it is over, systemd ends the command, and the task fails with what had been printed until then.
      - It holds for each run of a timer, for a command that nobody waits for, and also if the connection to the host is lost. If C(Restart) is among
        the O(properties), it holds for all attempts together as long as the task waits, and for each of them otherwise.
      - By default there is no limit.
    type: str
  remain_after_exit:
    description:
      - Whether the unit stays active when the command has succeeded, until it is stopped.
    type: bool
    default: false
  collect:
    description:
      - Whether systemd also forgets a unit that failed. If not, it can be looked at with C(systemctl status) until its failure is reset.
    type: bool
    default: true
notes:
  - What the command used is only to be had over a bus, as systemd forgets the unit otherwise before it can be asked. On a host without a D-Bus daemon
    everything else works, and RV(resources) are null.
  - Before systemd 254, what a command prints that C(Restart) among the O(properties) starts again is only returned if the task runs as root and with
    O(scope=system); otherwise that of later attempts is in the journal.
seealso:
  - module: pidone.systemd.unit
  - module: pidone.systemd.unit_file
  - module: ansible.builtin.command
"""

EXAMPLES = r"""
- name: Reindex once, five hours from now
  pidone.systemd.run:
    command: [/opt/app/bin/reindex, --all]
    on_active: 5h
    properties:
      CPUWeight: 20

- name: Import, with no more than half a CPU and 512 MiB, and with nothing to write to but its own directory
  pidone.systemd.run:
    command: /opt/app/bin/import --from /srv/incoming
    run_as: app
    timeout: 10min
    properties:
      CPUQuota: 50%
      MemoryMax: 512M
      IOAccounting: true
      ProtectSystem: strict
      ReadWritePaths: /srv/app
      PrivateTmp: true
  register: import

- name: What it took
  ansible.builtin.debug:
    msg: >-
      {{ import.run_time }} s, {{ import.resources.CPUUsageNSec / 1e9 }} s of CPU,
      {{ import.resources.MemoryPeak }} bytes of memory

- name: A pipe needs a shell
  pidone.systemd.run:
    command: [bash, -o, pipefail, -c, "zcat dump.sql.gz | psql app"]
    working_directory: /srv/restore
    run_as: postgres

- name: A password on standard input, once
  pidone.systemd.run:
    command: /opt/app/bin/set-password admin
    stdin: "{{ app_password }}"
    creates: /srv/app/password
  no_log: true

- name: Every night, until the next boot
  pidone.systemd.run:
    name: nightly-report
    command: /opt/app/bin/report
    environment:
      LANG: C.UTF-8
    on_calendar: ["*-*-* 02:30"]
    timer_properties:
      RandomizedDelaySec: 10min

- name: Begin a long job and go on
  pidone.systemd.run:
    name: rebuild-cache
    command: /opt/app/bin/rebuild-cache
    wait: false
    timeout: 2h

- name: Once per boot
  pidone.systemd.run:
    name: warm-up
    command: /opt/app/bin/warm-up
    remain_after_exit: true

- name: Try three times
  pidone.systemd.run:
    command: /opt/app/bin/fetch
    timeout: 1min
    properties:
      Restart: on-failure
      RestartSec: 5s
      StartLimitBurst: 3
      StartLimitIntervalSec: 1h

- name: As a service of a user, from root
  pidone.systemd.run:
    command: podman image prune --force
    scope: user
    user: app

- name: A finding is no failure
  pidone.systemd.run:
    command: diff -r /etc/app /srv/app/etc
  register: difference
  failed_when: difference.rc not in [0, 1]
"""

RETURN = r"""
name:
  description: The service or scope.
  returned: unless O(creates) or O(removes) kept it from being made
  type: str
  sample: ansible-run-0123456789abcdef.service
timer:
  description: The timer.
  returned: when there is one
  type: str
  sample: nightly-report.timer
next_elapse:
  description: When the timer elapses next, as ISO 8601 in UTC; null where systemd does not know that yet.
  returned: when there is a timer, except in check mode
  type: str
  sample: '2026-11-23T02:30:00.000000Z'
cmd:
  description: The program and its arguments.
  returned: always
  type: list
  elements: str
job:
  description: The job that started the unit.
  returned: when a unit was started
  type: dict
  contains:
    id:
      description: Its number.
      type: int
    type:
      description: V(start).
      type: str
    result:
      description: What became of it; null where it had not ended.
      type: str
      sample: done
rc:
  description: Exit status of the command; minus the number of the signal if one killed it; null if it was not run.
  returned: when the command was waited for
  type: int
signal:
  description: The signal that killed the command, or null.
  returned: when the command was waited for
  type: str
  sample: SIGKILL
core_dumped:
  description: Whether it left a core dump.
  returned: when the command was waited for
  type: bool
result:
  description: How the service ended, as systemd calls it, such as V(success), V(exit-code), V(signal), V(timeout) or V(oom-kill).
  returned: when the command was waited for
  type: str
stdout:
  description:
    - What it printed, also that of C(ExecStartPre) and its kin; bytes that are not UTF-8 are replaced.
    - Null if C(StandardOutput) is among the O(properties).
  returned: when the command was waited for
  type: str
stderr:
  description: What it printed to standard error, likewise.
  returned: when the command was waited for
  type: str
stdout_base64:
  description: What it printed, as it was.
  returned: when that is not UTF-8
  type: str
stderr_base64:
  description: What it printed to standard error, as it was.
  returned: when that is not UTF-8
  type: str
stdout_dropped:
  description: How many bytes at the beginning are not in RV(stdout).
  returned: when that is longer than O(output_limit)
  type: int
stderr_dropped:
  description: How many bytes at the beginning are not in RV(stderr).
  returned: when that is longer than O(output_limit)
  type: int
started_at:
  description: When the command was started, as ISO 8601 in UTC.
  returned: when the command was waited for
  type: str
  sample: '2026-11-23T00:26:50.675786Z'
ended_at:
  description: When it ended.
  returned: when the command was waited for
  type: str
run_time:
  description: Seconds between the two, by the monotonic clock.
  returned: when the command was waited for
  type: float
  sample: 0.003556
restarts:
  description: How many times systemd restarted it.
  returned: when the command was waited for
  type: int
resources:
  description:
    - What the unit used, with all of its processes.
    - A value is null where the version of systemd or the kernel does not tell it, or it is not accounted; IO and IP traffic are counted with
      C(IOAccounting) and C(IPAccounting) among the O(properties).
  returned: when the command was waited for
  type: dict
  contains:
    CPUUsageNSec:
      description: CPU time in nanoseconds.
      type: int
    MemoryPeak:
      description: The most memory at a time, in bytes. Since systemd 255.
      type: int
    MemorySwapPeak:
      description: The most swap space at a time, in bytes. Since systemd 255.
      type: int
    IOReadBytes:
      description: Bytes read from block devices.
      type: int
    IOWriteBytes:
      description: Bytes written to block devices.
      type: int
    IPIngressBytes:
      description: Bytes received.
      type: int
    IPEgressBytes:
      description: Bytes sent.
      type: int
invocation_id:
  description: The invocation, for C(journalctl _SYSTEMD_INVOCATION_ID=) and M(pidone.systemd.journal_info).
  returned: when the command was waited for
  type: str
active_state:
  description: What the unit that is there already is doing.
  returned: when nothing was started because of O(name)
  type: str
  sample: active
sub_state:
  description: The same in the words of its type.
  returned: when nothing was started because of O(name)
  type: str
  sample: waiting
failures:
  description: Why systemd could not run the command, as M(pidone.systemd.unit) returns it.
  returned: when systemd could not run the command
  type: list
  elements: dict
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: ["run a transient service: /opt/app/bin/reindex --all"]
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.task import run as run_transient


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "raw", "required": True, "aliases": ["cmd"]},
            "name": {"type": "str"},
            "description": {"type": "str"},
            "unit_type": {"type": "str", "choices": ["service", "scope"], "default": "service"},
            "properties": {"type": "dict"},
            "on_active": {"type": "str"},
            "on_boot": {"type": "str"},
            "on_startup": {"type": "str"},
            "on_unit_active": {"type": "str"},
            "on_unit_inactive": {"type": "str"},
            "on_calendar": {"type": "list", "elements": "str"},
            "timer_properties": {"type": "dict"},
            "working_directory": {"type": "str", "aliases": ["chdir"]},
            "run_as": {"type": "str"},
            "run_as_group": {"type": "str"},
            "environment": {"type": "dict"},
            "slice": {"type": "str"},
            "stdin": {"type": "str"},
            "stdin_add_newline": {"type": "bool", "default": True},
            "output_limit": {"type": "str"},
            "strip_empty_ends": {"type": "bool", "default": True},
            "expand_argument_vars": {"type": "bool", "default": False},
            "creates": {"type": "str"},
            "removes": {"type": "str"},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "str"},
            "remain_after_exit": {"type": "bool", "default": False},
            "collect": {"type": "bool", "default": True},
            **SCOPE_ARGUMENTS,
        },
        supports_check_mode=True,
        hidden=("stdin",),
    )
    run(module, run_transient)


if __name__ == "__main__":
    main()
