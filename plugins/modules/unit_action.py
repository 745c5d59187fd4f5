#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `unit_action`: signals, cleaning, mounts and logging of units as they are there now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_action
short_description: Send signals to units, clean them, mount into them, and set how they log
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Does what C(systemctl kill), C(clean), C(bind), C(mount-image), C(service-log-level) and C(service-log-target) do, to any number of units at once.
  - All of it is about units as they are there now, and nothing is written to a unit file. What shall be so from the next start on is written by
    M(pidone.systemd.unit_file). States, freezing among them, and what is pulled in at boot are those of M(pidone.systemd.unit).
  - What is so already is left alone. An empty directory is not cleaned, what is mounted is not mounted again, and a log level that is set is not set again.
  - In one task, mounts come first, then the log, and the signal last.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.scope
attributes:
  check_mode:
    support: full
    details:
      - A unit that does not exist, or is not up or down as the option needs it, is taken for one that an earlier task of the play would have made so, with a
        warning.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - A signal is sent every time.
options:
  name:
    description:
      - Names of units, with C(.service) added where there is no suffix, or patterns such as V(app@*.service).
      - A pattern matches units that are loaded and units that have a file. It never matches templates.
    type: list
    elements: str
    required: true
    aliases: [names, unit, units]
  signal:
    description:
      - Signal to be sent to processes of the units, such as V(SIGHUP), V(USR1) or V(SIGRTMIN+4).
      - That is always a change, but for a unit without such a process, of which a warning tells. Nobody waits for what the process makes of it, and there is no
        way back.
      - A unit that the task itself runs in gets no signal for all its processes. That is an error.
    type: str
  kill_whom:
    description:
      - Which processes of a unit get O(signal). V(main) is the main process, V(control) the one of C(ExecReload=), C(ExecStop=) and the like that runs just
        now, and V(all) are all of them.
      - The default is V(all), as that of C(systemctl kill) is.
    type: str
    choices: [all, main, control]
  kill_value:
    description:
      - Number that goes with the signal (C(systemctl kill --kill-value)), which the process finds in C(si_value).
      - Systemd sends one with real-time signals only, and has done so since version 254.
    type: int
  clean:
    description:
      - What is removed of what the units keep, in directories that systemd makes for them (C(StateDirectory=) and its kin). V(fdstore) are the file
        descriptors that systemd holds for a unit, since version 254, and V(all) is everything.
      - Kinds that a unit has no directory of have nothing to remove. Neither have empty directories, which are left as they are.
      - A unit that is not down is an error. There is no way back.
    type: list
    elements: str
    choices: [state, cache, logs, runtime, configuration, fdstore, all]
  bind:
    description:
      - Files and directories of the host that are mounted into running services at once, until these are started anew.
      - A service needs a mount namespace of its own for that, as it has with C(PrivateMounts=yes), C(PrivateTmp=yes), C(ProtectSystem=) and many others.
      - What is there already, from the same path and as writable as wanted, is left alone. Anything else in its place is hidden by the new mount.
      - Since systemd 248, and not with O(scope=user). There is no way back but to restart the service.
    type: list
    elements: dict
    suboptions:
      source:
        description: The path on the host.
        type: path
        required: true
      destination:
        description: The path in the service. By default the same as O(bind[].source).
        type: path
      read_only:
        description: Whether the service may only read there.
        type: bool
        default: false
      mkdir:
        description: Whether O(bind[].destination) is made where there is no such path.
        type: bool
        default: false
  mount_image:
    description:
      - The same for images of file systems, as C(MountImages=) takes them.
    type: list
    elements: dict
    suboptions:
      source:
        description: The path of the image, or of a block device, on the host.
        type: path
        required: true
      destination:
        description: The path in the service.
        type: path
        required: true
      read_only:
        description: Whether the service may only read there.
        type: bool
        default: false
      mkdir:
        description: Whether O(mount_image[].destination) is made where there is no such path.
        type: bool
        default: false
  log_level:
    description:
      - What running services log, until they are started anew.
      - Only services can be told that have C(org.freedesktop.LogControl1) on the bus, under the name in their C(BusName=). Those of systemd itself have.
      - With O(rollback), it becomes again what it was.
    type: str
    choices: [emerg, alert, crit, err, warning, notice, info, debug]
  log_target:
    description:
      - Where such services log to, until they are started anew.
    type: str
    choices: [console, journal, kmsg, journal-or-kmsg, syslog, syslog-or-kmsg, auto, 'null']
  allow_empty:
    description:
      - Whether a pattern may match nothing, and the list be empty.
    type: bool
    default: false
  rollback:
    description:
      - When something fails, set how services log to what it was. For all else there is no way back.
    type: bool
    default: false
  timeout:
    description:
      - How long the task may take, as a time span such as V(90s) or V(5min).
    type: str
    default: 5min
seealso:
  - module: pidone.systemd.unit
  - module: pidone.systemd.unit_file
  - module: pidone.systemd.unit_info
"""

EXAMPLES = r"""
- name: The web server opens its log files anew
  pidone.systemd.unit_action:
    name: nginx.service
    signal: SIGUSR1
    kill_whom: main

- name: All workers are told the number of the new release
  pidone.systemd.unit_action:
    name: worker@*.service
    signal: SIGRTMIN+4
    kill_value: 42

- name: The application begins without what it kept (stop it first)
  pidone.systemd.unit_action:
    name: app.service
    clean: [state, cache]

- name: A running service sees another directory, read-only
  pidone.systemd.unit_action:
    name: app.service
    bind:
      - source: /srv/releases/42
        destination: /opt/app/data
        read_only: true
        mkdir: true

- name: A running service sees what is in an image
  pidone.systemd.unit_action:
    name: app.service
    mount_image:
      - source: /srv/images/app.raw
        destination: /opt/app
        read_only: true

- name: The resolver logs what it does, until it is restarted
  pidone.systemd.unit_action:
    name: systemd-resolved.service
    log_level: debug
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
    changed:
      description: Whether the task changed something of this unit.
      type: bool
      returned: always
    pids:
      description: The processes that the signal was for.
      type: list
      elements: int
      returned: with O(signal)
      sample: [4711]
    cleaned:
      description: What was there to be removed, by kind.
      type: dict
      returned: with O(clean)
      sample:
        cache: [/var/cache/app]
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [send SIGUSR1 to the main process of nginx.service]
rolled_back:
  description: What was put back.
  returned: when O(rollback=true) and something failed
  type: list
  elements: str
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.options import (
    KINDS,
    LEVELS,
    TARGETS,
    WHOM,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.task import act


def _mount(destination: bool) -> dict[str, dict[str, object]]:
    return {
        "source": {"type": "path", "required": True},
        "destination": {"type": "path", "required": destination},
        "read_only": {"type": "bool", "default": False},
        "mkdir": {"type": "bool", "default": False},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True, "aliases": ["names", "unit", "units"]},
            "signal": {"type": "str"},
            "kill_whom": {"type": "str", "choices": WHOM},
            "kill_value": {"type": "int"},
            "clean": {"type": "list", "elements": "str", "choices": KINDS},
            "bind": {"type": "list", "elements": "dict", "options": _mount(False)},
            "mount_image": {"type": "list", "elements": "dict", "options": _mount(True)},
            "log_level": {"type": "str", "choices": LEVELS},
            "log_target": {"type": "str", "choices": TARGETS},
            "allow_empty": {"type": "bool", "default": False},
            "rollback": {"type": "bool", "default": False},
            "timeout": {"type": "str", "default": "5min"},
            **SCOPE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run(module, act)


if __name__ == "__main__":
    main()
