#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `unit`: states, enablement and masks of one or hundreds of units."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit
short_description: Manage states, enablement and masks of one or hundreds of systemd units
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Starts, stops, restarts, reloads, freezes, thaws, enables, disables, masks, unmasks and presets units, all units of a task at once, over systemd's own
    D-Bus interface.
  - Waits for the jobs it starts and then looks at what the units really are. A service that was started and died is a failure, told with its exit status
    and the log of that very invocation.
  - What belongs together in one task happens in the right order, whatever the order of the options. A unit is unmasked before it is enabled, systemd reads
    its files again before the unit is started, and a unit is stopped before it is masked.
  - A unit that is already as wanted is left alone.
  - A job may mount something over the directory that holds the task's own code, as that of C(tmp.mount) does where this is below C(/tmp). The task goes on,
    and its directory stays behind below the mount. Set C(TMPDIR) to another directory in the C(environment) of such a task where that matters.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.scope
  - pidone.systemd.scope.root
attributes:
  check_mode:
    support: full
    details:
      - A unit that does not exist is taken for one that an earlier task of the play would have created, with a warning. With the states V(try_restarted)
        and V(try_reload_or_restarted) it is taken for one that runs by then.
      - With V(frozen), a unit that does not run is taken for one that an earlier task would have started, with a warning.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - States that are actions (V(restarted), V(reloaded) and their kin) and O(daemon_reload=always) do something every time.
      - A V(oneshot) service without C(RemainAfterExit=yes) is inactive again when it has run, so O(state=started) runs it every time.
options:
  name:
    description:
      - Names of units, with C(.service) added where there is no suffix, or patterns such as V(app@*.service).
      - A pattern matches units that are loaded and units that have a file. It never matches templates.
    type: list
    elements: str
    required: true
    aliases: [names, unit, units]
  state:
    description:
      - V(started) and V(stopped) do nothing to a unit that is so already. A unit that waits to be restarted after a failure does not count as started.
      - A unit that is stopped while a socket, timer or path that triggers it stays up gets a warning. Name these as well to stop them together.
      - V(restarted) restarts a unit, or starts it when it is not running.
      - A socket is not restarted while the service that it starts runs, since systemd would close it and not open it again. Name the service as well.
      - V(reloaded) makes a unit read its configuration again. It never starts one; a unit that is not running, or that cannot reload, is an error.
      - V(try_restarted) restarts a unit that is running, and leaves others alone.
      - V(reload_or_restarted) reloads a unit that can reload and restarts it otherwise; one that is not running is started.
      - V(try_reload_or_restarted) does the same to a unit that is running, and leaves others alone.
      - V(frozen) freezes all processes of a unit that runs, so that none of them does anything before it is thawed, and V(thawed) has them go on
        (C(systemctl freeze), C(systemctl thaw)). A unit that is so already is left alone. To freeze a unit that does not run is an error, and so is
        to freeze one that the task itself runs in, such as C(user.slice). With O(rollback), a unit that was frozen is thawed again, and the other way
        round.
      - To stop or restart a frozen unit, systemd 252 thaws it, while later versions refuse. Thaw it in a task before that.
    type: str
    choices: [started, stopped, restarted, reloaded, try_restarted, reload_or_restarted, try_reload_or_restarted, frozen, thawed]
  enabled:
    description:
      - Whether the unit is started by the units named in the C([Install]) section of its file, usually at boot.
      - All links that this section and those of drop-ins ask for are made, also those that were added to it since the unit was enabled. Units in C(Also=) are
        enabled together with the unit, and are their own matter afterwards.
      - A unit of which another name (C(Alias=)) is that of another unit already is an error, unless O(force=true) gives it that name.
      - Units that cannot be enabled because they have no such section (V(static) ones, for example) are left as they are, with a warning.
        So are those generated from other configuration.
      - A script in C(/etc/init.d) without a unit file is enabled as C(systemctl enable) does it, by the host's own C(systemd-sysv-install), which calls
        C(update-rc.d) or C(chkconfig). It is left as it is, with a warning, on a host that has none.
        Where there is a unit file of that name as well, the script is left alone.
      - Disabling removes the links to a unit that is masked or gone, too.
      - Disabling a unit that is only linked (C(systemctl link)) removes that link, so that there is no such unit any more, with a warning.
      - To disable a template is to disable all of its instances.
    type: bool
  masked:
    description:
      - Whether the unit is masked, so that nothing can start it.
      - May be given for units that do not exist.
      - A unit whose file is in C(/etc/systemd/system) itself cannot be masked, since that is where the mask would go.
        A link there is replaced with O(force=true), and goes with O(enabled=false) where that made it.
      - With O(enabled=false) the unit is disabled, then masked.
      - Each name of a unit has a mask of its own. A mask that unmasking would leave, such as one that came with a package, is an error.
    type: bool
  preset:
    description:
      - Enable or disable the unit as the preset files of the host say.
      - Cannot be combined with O(enabled).
    type: bool
    default: false
  add_wants:
    description:
      - Units that shall want these units, and so start them when they are started (C(systemctl add-wants)), whatever the C([Install]) section says. C(.target)
        is added where there is no suffix.
      - A unit that is wanted already, by whatever link, is left alone. O(enabled=false) removes these links together with all others.
    type: list
    elements: str
  add_requires:
    description:
      - The same for units that shall require these units, and so fail together with them (C(systemctl add-requires)).
    type: list
    elements: str
  runtime:
    description:
      - Make links for O(enabled), O(masked), O(preset), O(add_wants) and O(add_requires) below C(/run) only, so that they are gone at the next boot.
    type: bool
    default: false
  force:
    description:
      - Replace links that are in the way of the ones to be made.
    type: bool
    default: false
  reset_failed:
    description:
      - Clear the failed state of units before anything else is done, and with it their counters of restarts.
      - That allows a unit to be started again that was started too often in too short a time.
    type: bool
    default: false
  daemon_reload:
    description:
      - Whether systemd reads all unit files again before the units' jobs, once for the whole task.
      - With V(auto) it does so where links were made or removed, or where the files of a unit about to get a job changed since they were read.
      - V(always) counts as a change.
    type: str
    choices: [auto, always, never]
    default: auto
  wait:
    description:
      - Whether to wait until the jobs have ended. Without that the result holds the numbers of the jobs, and nothing is known of their outcome.
    type: bool
    default: true
  timeout:
    description:
      - How long the jobs of the task may take together, as a time span such as V(90s) or V(5min).
      - Jobs that have not ended by then go on in systemd, and the task fails.
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
      - When a job fails or a unit does not stay up, put everything back. Links are made what they were, units that were down are stopped again,
        units that were up are brought up again.
    type: bool
    default: false
  allow_empty:
    description:
      - Whether a pattern may match nothing, and the list be empty.
    type: bool
    default: false
  allow_skipped:
    description:
      - Whether a unit is accepted that systemd did not start because a condition (C(ConditionPathExists=), for example) is not met on the host.
      - By default that is a failure, because the unit is not in the state that was asked for.
    type: bool
    default: false
seealso:
  - module: pidone.systemd.unit_info
  - module: pidone.systemd.unit_file
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: The web server runs, now and after a reboot
  pidone.systemd.unit:
    name: nginx
    state: started
    enabled: true

- name: Twenty workers, still healthy after five seconds, or everything as it was
  pidone.systemd.unit:
    name: "{{ range(20) | map('regex_replace', '(.+)', 'app@\\1.service') | list }}"
    state: started
    enabled: true
    settle: 5s
    rollback: true

- name: Restart those of the workers that run
  pidone.systemd.unit:
    name: app@*.service
    state: try_restarted

- name: Nothing may start these
  pidone.systemd.unit:
    name: [rpcbind.service, rpcbind.socket]
    state: stopped
    masked: true

- name: Unmask, enable and start in one go
  pidone.systemd.unit:
    name: postgresql.service
    masked: false
    enabled: true
    state: started

- name: No process of the batch service does anything while the backup runs
  pidone.systemd.unit:
    name: batch.service
    state: frozen

- name: It goes on where it was
  pidone.systemd.unit:
    name: batch.service
    state: thawed

- name: The agent of a package without an [Install] section is started at boot
  pidone.systemd.unit:
    name: agent.service
    add_wants: [multi-user.target]
    state: started

- name: Start a slow migration and follow it elsewhere
  pidone.systemd.unit:
    name: migrate-database.service
    state: started
    wait: false
  register: migration

- name: A user's own service, as root and without become_user
  pidone.systemd.unit:
    name: syncthing.service
    scope: user
    user: alice
    state: started
    enabled: true

- name: Enable in an image that is being built
  pidone.systemd.unit:
    name: [ssh.service, app.service]
    root: /srv/image
    enabled: true
"""

RETURN = r"""
units:
  description: Each unit of the task, in order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name that was asked for, in full.
      type: str
      returned: always
      sample: nginx.service
    id:
      description: Systemd's own name of the unit, where another one was asked for.
      type: str
      returned: when the name is an alias
      sample: ssh.service
    changed:
      description: Whether the task changed this unit.
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
      description: Its enablement as systemd tells it; empty where there is no unit file.
      type: str
      returned: when O(enabled), O(masked), O(preset), O(add_wants) or O(add_requires) was asked for
      sample: enabled
    enabled:
      description: Whether it is enabled, for good or until the reboot.
      type: bool
      returned: when O(enabled), O(masked), O(preset), O(add_wants) or O(add_requires) was asked for
    before:
      description: What it was, in words.
      type: str
      returned: changed
      sample: inactive (dead), disabled
    after:
      description: What the plan makes it, in words.
      type: str
      returned: changed
      sample: active, enabled
    job:
      description: The job it got.
      type: dict
      returned: when it got one
      contains:
        id:
          description: The number of the job.
          type: int
          returned: always
        type:
          description: The type of the job, spelled as systemd does.
          type: str
          returned: always
          sample: try-restart
        result:
          description: How it ended; null where nobody waited.
          type: str
          returned: always
          sample: done
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [enable app@0.service, daemon-reload, start app@0.service]
links:
  description: The links that were made and removed.
  returned: when there were any
  type: list
  elements: dict
  contains:
    type:
      description: V(symlink) or V(unlink).
      type: str
      returned: always
    path:
      description: The link.
      type: str
      returned: always
    target:
      description: What it points to.
      type: str
      returned: always
failures:
  description: Each unit that failed, and why.
  returned: when units failed
  type: list
  elements: dict
  contains:
    unit:
      description: Name of the unit.
      type: str
      returned: always
    job:
      description: The job, with RV(failures[].job.result).
      type: dict
      returned: always
      contains:
        id:
          description: The number of the job, null where the job itself was not what failed.
          type: int
          returned: always
        type:
          description: The type of the job.
          type: str
          returned: always
        result:
          description: What systemd said of it, or V(refused), or V(unfinished) when the time was over.
          type: str
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
      description: How often systemd has restarted it since.
      type: int
      returned: when it has
    start_limit:
      description: The C(burst) and C(interval_usec) that were used up, so that systemd did not even try to start it.
      type: dict
      returned: when that was the reason
    status_text:
      description: What the service last said of itself.
      type: str
      returned: when it did
    reason:
      description: Why systemd refused the job.
      type: str
      returned: when it refused
    load_error:
      description: Why systemd could not read its file.
      type: str
      returned: when it could not
    unmet_conditions:
      description: Conditions that are not met, as they stand in the unit file.
      type: list
      elements: str
      returned: when there are any
    unmet_assertions:
      description: Assertions that are not met, as they stand in the unit file.
      type: list
      elements: str
      returned: when there are any
    conflicts:
      description: Units of the same task whose jobs canceled this one, since they conflict.
      type: list
      elements: str
      returned: when there are any
    failed_dependencies:
      description: Units that it requires and that are not up, the first one with its journal.
      type: list
      elements: dict
      returned: when the job's result is V(dependency)
    invocation_id:
      description: The invocation that failed.
      type: str
      returned: when there was one
    journal:
      description: The last log entries of that invocation, each with C(time), C(usec), C(identifier), C(priority) and C(message) as
        M(pidone.systemd.journal_info) returns them.
      type: list
      elements: dict
      returned: for the first units
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
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import JOB_TYPES
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True, "aliases": ["names", "unit", "units"]},
            "state": {"type": "str", "choices": [*JOB_TYPES, "frozen", "thawed"]},
            "enabled": {"type": "bool"},
            "masked": {"type": "bool"},
            "preset": {"type": "bool", "default": False},
            "add_wants": {"type": "list", "elements": "str"},
            "add_requires": {"type": "list", "elements": "str"},
            "runtime": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "reset_failed": {"type": "bool", "default": False},
            "daemon_reload": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "str", "default": "5min"},
            "settle": {"type": "str", "default": "200ms"},
            "rollback": {"type": "bool", "default": False},
            "allow_empty": {"type": "bool", "default": False},
            "allow_skipped": {"type": "bool", "default": False},
            **SCOPE_ARGUMENTS,
            **ROOT_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
