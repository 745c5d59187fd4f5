# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module looks on the host; here, on the controller, its answer is checked before a play decides by it."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers


class ActionModule(ActionBase):
    """Runs the module of the same name, and passes on what it is documented to return."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        began = time.time()
        answer = self._execute_module(module_name="pidone.systemd.service_handover_info", task_vars=task_vars)
        result.update(_answers.of_its_run(self, answer))
        if result.get("failed") or result.get("unreachable") or result.get("skipped"):
            return result
        try:
            with _answers.of_host(task_vars):
                result.update(_answers.handover_info(answer), began=began)
        except BadInput as error:
            result.update(failed=True, msg=error.msg)
        return result
