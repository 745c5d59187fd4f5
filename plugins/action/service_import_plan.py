# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of the module runs here, on the controller, where the units are kept for review."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers
from ansible_collections.pidone.systemd.plugins.plugin_utils._migration import Choice, plan

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "services": {"type": "list", "elements": "dict", "required": True},
    "select": {"type": "list", "elements": "str", "default": ["*"]},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "packaged": {"type": "list", "elements": "str", "default": ["*"]},
    "accept": {"type": "list", "elements": "str", "default": []},
    "ignore": {"type": "list", "elements": "str", "default": []},
    "overrides": {"type": "path", "default": ""},
    "render_to": {"type": "path", "default": ""},
    "host": {"type": "str"},
    "idle": {"type": "bool", "default": False},
    "moved": {"type": "list", "elements": "str", "default": []},
    "accept_differences": {"type": "list", "elements": "str", "default": []},
    "in_place": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Chooses services and their units; contacts no host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        given = options.pop("services")
        if options["host"] is None:
            options["host"] = str((task_vars or {}).get("inventory_hostname", ""))
        try:
            # They are what a host answered, by way of the playbook.
            services = _answers.services(given)
            outcome = plan(services, Choice(**options), write=not self._task.check_mode)
        except SystemdError as error:
            result.update(failed=True, msg=error.msg, **error.data)
            return result
        result.update(outcome._asdict(), changed=bool(outcome.written))
        diffs = result.pop("diffs")
        if self._task.diff and diffs:
            result["diff"] = diffs
        return result
