# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback that notes how long each task took, from handing it to a worker until its result is there."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: bench_times
type: aggregate
short_description: durations of tasks as JSON lines
description: Appends the name and duration of every task to the file named by the environment variable E(BENCH_TIMES).
"""


class CallbackModule(CallbackBase):
    """One line for each task; a loop is one task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun = 0.0

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        """A task is about to run on a host."""
        self._begun = time.perf_counter()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """It has run. Failures end the run, and with it the benchmark."""
        seconds = time.perf_counter() - self._begun
        line = {
            "task": result.task.get_name(),
            "seconds": seconds,
            "changed": bool(result.result.get("changed")),
        }
        with open(os.environ["BENCH_TIMES"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
