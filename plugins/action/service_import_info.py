# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module collects on the host; here, on the controller, its definitions are translated."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._sources import names
from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers

# With definitions of an earlier run there is nothing to ask a host, so these are checked here.
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "source": {"type": "str", "choices": names(), "required": True},
    "path": {"type": "path"},
    "root": {"type": "path", "default": "/"},
    "name": {"type": "list", "elements": "str"},
    "log": {"type": "str", "choices": ["journald", "svlogd"], "default": "journald"},
    "target": {"type": "str", "default": "multi-user.target"},
    "definitions": {"type": "list", "elements": "dict"},
}


class ActionModule(ActionBase):
    """Runs the module of the same name, then translates."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        try:
            if self._task.args.get("definitions") is not None:
                _checked, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
                definitions = _answers.definitions(options["definitions"])
                result["changed"] = False
            else:
                answer = self._execute_module(module_name="pidone.systemd.service_import_info", task_vars=task_vars)
                result.update(_answers.of_its_run(self, answer))
                if result.get("failed") or result.get("unreachable") or result.get("skipped"):
                    return result
                options = self._task.args
                with _answers.of_host(task_vars):
                    if "definitions" not in answer:
                        raise BadInput("definitions: there are none")
                    definitions = _answers.definitions(answer["definitions"])
            # Here and not above: it needs tree-sitter, which only a translation does.
            from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate

            result["services"] = translate(
                definitions,
                log=str(options.get("log") or "journald"),
                target=str(options.get("target") or "multi-user.target"),
            )
        except SystemdError as error:
            result.update(failed=True, msg=error.msg, **error.data)
        return result
