# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback that writes every task result as one JSON line to the file named by LAB_RESULTS."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: lab_results
type: aggregate
short_description: task results as JSON lines
description: Writes every task result as one JSON line to the file named by the environment variable E(LAB_RESULTS).
"""


class CallbackModule(CallbackBase):
    """Task results as data, beside whatever is shown on the terminal."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lab_results"
    CALLBACK_NEEDS_ENABLED = True

    def _note(self, status: str, result: t.Any) -> None:
        path = os.environ.get("LAB_RESULTS")
        if not path:
            return
        data = {key: value for key, value in result.result.items() if not key.startswith("_ansible")}
        line = {"status": status, "host": result.host.get_name(), "task": result.task.get_name(), "result": data}
        with open(path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """A task succeeded."""
        self._note("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """A task failed."""
        self._note("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """A task was skipped."""
        self._note("skipped", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """The host could not be reached."""
        self._note("unreachable", result)
