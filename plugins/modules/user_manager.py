#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `user_manager`: users' service managers that run without a login."""

from __future__ import annotations

DOCUMENTATION = r"""
module: user_manager
short_description: Have users' service managers run without a login
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Turns lingering on or off for users, and with lingering on returns only when their service managers answer. So the next task can use C(scope=user) of
    any module of this collection, as root without C(become_user) as well as the user itself.
extends_documentation_fragment:
  - pidone.systemd.attributes
attributes:
  check_mode:
    support: full
    details:
      - A user that does not exist is taken for one that an earlier task of the play would have created, with a warning.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - Names or numbers of users.
    type: list
    elements: str
    required: true
    aliases: [user, users]
  linger:
    description:
      - Whether the user's manager runs from boot to shutdown, rather than only while the user is logged in.
      - With V(false), a manager whose user is not logged in ends by itself some seconds later.
    type: bool
    default: true
  timeout:
    description:
      - How long the managers may take to answer, as a time span.
    type: str
    default: 1min
seealso:
  - module: pidone.systemd.unit
"""

EXAMPLES = r"""
- name: Alice's services run from boot on
  pidone.systemd.user_manager:
    name: alice

- name: One of them, as root and without become_user
  pidone.systemd.unit:
    name: syncthing.service
    scope: user
    user: alice
    state: started
    enabled: true
"""

RETURN = r"""
users:
  description: Each user.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the user.
      type: str
      returned: always
    uid:
      description: Number of the user; -1 for one that does not exist yet in check mode.
      type: int
      returned: always
    linger:
      description: Whether the user's manager runs without a login.
      type: bool
      returned: always
    active:
      description: Whether the user's manager answers.
      type: bool
      returned: always
    runtime_path:
      description: The user's runtime directory.
      type: str
      returned: when the manager answers
      sample: /run/user/1000
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [enable-linger alice, wait for the manager of alice]
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.user_manager.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True, "aliases": ["user", "users"]},
            "linger": {"type": "bool", "default": True},
            "timeout": {"type": "str", "default": "1min"},
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
