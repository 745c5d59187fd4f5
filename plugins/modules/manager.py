#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `manager`: the service manager itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: manager
short_description: Manage systemd's service manager itself
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Sets what is booted into, the environment of services, and how the manager logs; has all units be enabled as presets say; cancels jobs; makes the manager
    read its files again or replace its own process; and isolates a target. Each of them only where there is need.
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.scope
  - pidone.systemd.scope.root
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - O(reexec=true) and O(daemon_reload=always) do something every time.
options:
  daemon_reload:
    description:
      - Whether the manager reads all unit files again.
      - With V(auto) it does so where the files of any loaded unit changed since they were read.
    type: str
    choices: [auto, always, never]
    default: never
  reexec:
    description:
      - Whether the manager is replaced by a new process of itself, as after an upgrade of systemd. Units go on undisturbed.
      - The task ends when the new process answers. It reads all unit files in doing so.
    type: bool
    default: false
  default_target:
    description:
      - The target that is booted into, with C(.target) added where there is no suffix.
    type: str
  environment:
    description:
      - Variables that every process gets that the manager starts from now on, until it is started anew itself.
      - A variable whose value is C(null) is unset. Variables that are not named are left alone.
      - A variable has no line breaks and at most 64 KiB, and all of them have at most 1 MiB; with more, no process could be started any more.
    type: dict
  log_level:
    description:
      - What the manager logs until the next boot, whatever is configured; a re-execution does not end it, as with C(systemctl log-level).
      - Where the configuration says the same, the manager follows that again.
    type: str
    choices: [emerg, alert, crit, err, warning, notice, info, debug]
  log_target:
    description:
      - Where the manager logs to until the next boot; as O(log_level).
    type: str
    choices: [console, journal, kmsg, journal-or-kmsg, auto, 'null']
  preset_all:
    description:
      - Enable and disable all units as the preset files of the host say (C(systemctl preset-all)), or only one of the two. Those that are so already are left
        alone, and so are masked units and those that are only linked.
      - Units that another one names in C(Also=) are enabled together with it, whatever the presets say of themselves.
      - Of single units, that is O(pidone.systemd.unit#module:preset).
    type: str
    choices: [full, enable-only, disable-only]
  cancel_jobs:
    description:
      - Take the jobs of these units out of the queue, before anything else is done (C(systemctl cancel)). Names of units, patterns such as V(app@*.service),
        V(*) for all jobs, or numbers of jobs as M(pidone.systemd.manager_info) and M(pidone.systemd.unit) return them.
      - Where there is no such job, nothing is done. What a job has begun to do is stopped, and there is no way back.
    type: list
    elements: str
  isolate:
    description:
      - Start this unit and stop everything it does not need, such as V(rescue.target). Nothing is done where it is active already.
    type: str
  timeout:
    description:
      - How long the manager may take to answer again and the job of O(isolate) may take to end, as a time span.
    type: str
    default: 5min
seealso:
  - module: pidone.systemd.manager_info
  - module: pidone.systemd.unit
"""

EXAMPLES = r"""
- name: Unit files may have been changed by other tools
  pidone.systemd.manager:
    daemon_reload: auto

- name: Boot without a graphical login
  pidone.systemd.manager:
    default_target: multi-user

- name: All services started from now on use the proxy
  pidone.systemd.manager:
    environment:
      HTTPS_PROXY: http://proxy.example.com:3128
      NO_PROXY: null

- name: A new process after an upgrade of systemd
  pidone.systemd.manager:
    reexec: true

- name: Nothing waits for the job of a service that hangs
  pidone.systemd.manager:
    cancel_jobs: [migrate-database.service]

- name: An image has those units enabled that its preset files name
  pidone.systemd.manager:
    preset_all: full
    root: /srv/image

- name: What an image boots into
  pidone.systemd.manager:
    default_target: graphical.target
    root: /srv/image
"""

RETURN = r"""
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [set-default multi-user.target, daemon-reload]
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import ROOT_ARGUMENTS, SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.manager.presets import MODES
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.manager.task import (
    LOG_LEVELS,
    LOG_TARGETS,
    converge,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "daemon_reload": {"type": "str", "choices": ["auto", "always", "never"], "default": "never"},
            "reexec": {"type": "bool", "default": False},
            "default_target": {"type": "str"},
            "environment": {"type": "dict"},
            "log_level": {"type": "str", "choices": LOG_LEVELS},
            "log_target": {"type": "str", "choices": LOG_TARGETS},
            "preset_all": {"type": "str", "choices": MODES},
            "cancel_jobs": {"type": "list", "elements": "str"},
            "isolate": {"type": "str"},
            "timeout": {"type": "str", "default": "5min"},
            **SCOPE_ARGUMENTS,
            **ROOT_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
