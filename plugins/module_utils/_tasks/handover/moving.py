# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service on its way: what was found of it, what is wanted, and what came of it; shared by all steps of its plan."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Step
from ansible_collections.pidone.systemd.plugins.module_utils._observe.expected import Expected
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Record, Records

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import Difference
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import Snapshot
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Supervisor


class UnitWish(t.NamedTuple):
    """A unit of a service: its text, or None for one that is on the host already."""

    name: str
    content: str | None


class Moving:
    """One service on its way: what was found, what is wanted, and what came of it."""

    def __init__(self, name: str, supervisor: Supervisor, record: Record, units: t.Sequence[UnitWish]) -> None:
        self.name = name
        self.supervisor = supervisor
        self.record = record
        self.units = list(units)
        # The unit that does what the service did, and those to be enabled and started.
        self.main = ""
        self.enable: list[str] = []
        self.start: list[str] = []
        # Unit files and drop-ins to be written: path -> text.
        self.files: dict[str, str] = {}
        self.accept: set[str] = set()
        self.expected = Expected()
        self.settle = 5.0
        self.listen = 30.0
        self.before: Snapshot | None = record.before
        self.after: Snapshot | None = None
        self.differences: list[Difference] = []
        self.notes: list[str] = []
        # Whether the old supervisor has the service again as it had it.
        self.restored = False
        self.touched = False
        # How long it was stopped, in seconds.
        self.downtime = 0.0
        self.stopped = 0.0

    def is_back(self) -> None:
        """Note that the service is up again, here or there."""
        if self.stopped:
            self.downtime = time.monotonic() - self.stopped

    @property
    def unit_names(self) -> list[str]:
        return [unit.name for unit in self.units]

    @property
    def was_up(self) -> bool:
        """Whether it ran, or was meant to, under its old supervisor."""
        return self.supervisor.was["up"]


class OfService(Step):
    """A step of one service."""

    def __init__(self, moving: Moving, records: Records) -> None:
        super().__init__((moving.name,))
        self.moving = moving
        self.records = records
