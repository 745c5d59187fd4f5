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
  - Does what C(systemd-run) does, without it.
options: {}
"""
EXAMPLES = ""
RETURN = ""

from ansible_collections.pidone.systemd.plugins.module_utils._core.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._core.session import SCOPE_ARGUMENTS
from ansible_collections.pidone.systemd.plugins.module_utils._core.transient import run as run_transient
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule


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
    )
    run(module, run_transient)


if __name__ == "__main__":
    main()
