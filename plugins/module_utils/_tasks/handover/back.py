# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps by which a service goes back to its old supervisor; as those in `steps.py`, they can be begun again."""

from __future__ import annotations

import os
import time

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, WriteFile
from ansible_collections.pidone.systemd.plugins.module_utils._errors import short
from ansible_collections.pidone.systemd.plugins.module_utils._observe import processes
from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import compare
from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import ephemeral_ports
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import is_masked
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.moving import Moving, OfService
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Records
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.supervisor import (
    give_back,
    see_it_restored,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.units import (
    AllOf,
    disable,
    look_at_unit,
    stop_units,
    take_back_files,
)


class StopUnits(OfService):
    """Stop a service under systemd, to give it back."""

    def __init__(self, moving: Moving, records: Records) -> None:
        super().__init__(moving, records)
        self._up: list[str] = []

    def describe(self) -> str:
        return f"stop {short(self.moving.unit_names)}"

    def apply(self, ctx: Context) -> bool:
        self.moving.touched = True
        self.moving.before = look_at_unit(ctx.manager, self.moving.main)
        names = self.moving.unit_names
        self._up = [status.id for status in ctx.manager.status(names) if not is_down(status.active_state)]
        self.moving.stopped = time.monotonic() if self._up else 0.0
        stop_units(self.moving, ctx)
        return bool(self._up)

    def undo(self, ctx: Context) -> None:
        ctx.bring_up += [(name, "start") for name in self._up]


class TakeUnits(OfService):
    """Disable and remove the units of a service that is given back."""

    def __init__(self, moving: Moving, records: Records, tools: FileTools) -> None:
        super().__init__(moving, records)
        self.tools = tools

    def describe(self) -> str:
        return f"remove {short(list(self.moving.record.files) or self.moving.unit_names)}; daemon-reload"

    def apply(self, ctx: Context) -> bool:
        record = self.moving.record
        disable(record, ctx)
        take_back_files(record, self.tools, ctx)
        ctx.stale = False
        ctx.manager.reload()
        return True

    def undo(self, ctx: Context) -> None:
        record = self.moving.record
        with AllOf() as each:
            for path, text in record.written.items():
                with each():
                    content = text.encode("utf-8", "surrogateescape")
                    # A mask, which is made again before this step has gone well, is taken off below or replaced.
                    now = None if os.path.islink(path) else Saved.of(path)
                    if now is None or now.content != content:
                        WriteFile(path, content, now, self.tools).apply(ctx)
            with each():
                masked = [name for name in record.masked if is_masked(name)]
                if masked:
                    ctx.links += ctx.manager.unmask(masked)
            with each():
                ctx.manager.reload()
            with each():
                if record.enabled:
                    ctx.links += ctx.manager.enable(record.enabled)


class GiveBack(OfService):
    """Let the old supervisor have the service again, which starts it by and by."""

    def __init__(self, moving: Moving, records: Records) -> None:
        super().__init__(moving, records)
        self._begun = False

    def describe(self) -> str:
        return self.moving.supervisor.giving

    def apply(self, ctx: Context) -> bool:
        self._begun = True
        give_back(self.moving, self.records, ctx)
        return True

    def undo(self, ctx: Context) -> None:
        if not self._begun:
            return
        supervisor = self.moving.supervisor
        supervisor.take()
        supervisor.stop(ctx.deadline(), None)
        supervisor.release()
        self.moving.restored = False


class SeeItBack(OfService):
    """Wait until the service is up under its old supervisor, and look what it is now."""

    counts = False

    def describe(self) -> str:
        state = "up" if self.moving.was_up else "supervised"
        return f"wait until {self.moving.name} is {state} under {self.moving.record.source}"

    def apply(self, ctx: Context) -> bool:
        moving = self.moving
        see_it_restored(moving, ctx)
        pid = moving.supervisor.now().pid
        moving.after = processes.snapshot(pid) if pid else None
        old = moving.record.before
        if old is not None and moving.after is not None:
            moving.differences = compare(old, moving.after, moving.accept, ephemeral_ports(), moving.expected)
        self.records.forget(moving.name)
        return False
