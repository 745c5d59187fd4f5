# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of several types in one step."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import JobsTogether
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import JobsWere
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued, Job

TYPES = {"a.service": "start", "b.service": "restart", "c.service": "start", "d.service": "reload"}


class Manager(NoManager):
    offline, runs = False, True

    def __init__(self) -> None:
        self.asked: list[t.Sequence[tuple[str, str]]] = []

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Enqueued]:
        self.asked.append(wanted)
        return [Enqueued(name, Job(number, "", name, kind)) for number, (name, kind) in enumerate(wanted)]

    def wait_for_jobs(self, jobs: t.Sequence[t.Any], deadline: float) -> dict[int, str]:
        return {job.id: "done" for job in jobs}

    def status(self, names: t.Sequence[str]) -> list[t.Any]:
        return [type("Status", (), {"id": name, "active_state": "active", "sub_state": "running"})() for name in names]


def test_all_are_asked_for_at_once_in_their_order() -> None:
    manager = Manager()
    step = JobsTogether(TYPES, up={"b.service", "d.service"})
    assert step.describe() == "start a.service, c.service, restart b.service, reload d.service"
    assert step.apply(Context(manager))
    assert manager.asked == [list(TYPES.items())]
    (note,) = step.notes
    assert isinstance(note, JobsWere)
    assert (note.up, note.again, note.down) == (["b.service", "d.service"], "restart", ["a.service", "c.service"])
    assert step.undone() == "a.service, c.service stopped again"
