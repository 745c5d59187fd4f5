#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `service_handover`: services from runit or daemontools to systemd one by one, with a way back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_handover
short_description: Hand running services over from runit or daemontools to systemd
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Takes services out of the hands of C(runsv) and starts them as units of systemd, one by one, on a host where systemd is the first process.
options:
  services:
    description:
      - The services, as M(pidone.systemd.service_import_info) returns them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
"""

RETURN = r"""
"""

from ansible_collections.pidone.systemd.plugins.module_utils._core.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._core.handover import converge
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "required": True},
            "source": {"type": "str", "choices": ["runit", "daemontools"], "default": "runit"},
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
        # Definitions may hold secrets, which the log of the host shall not.
        no_log=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
