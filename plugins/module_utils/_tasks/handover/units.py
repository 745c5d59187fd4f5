# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of one service: their files, masks and links, as they are and as they were before its handover."""

from __future__ import annotations

import os
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved, remove, remove_empty, tidy
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, stop
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, WriteFile
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._observe import processes
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LASTING, led_to, read_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.moving import Moving
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Record

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import Snapshot
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


class AllOf:
    """Things that are all tried, whatever becomes of one of them; at the end, the first failure is raised."""

    def __init__(self) -> None:
        self._failure: Exception | None = None

    def __enter__(self) -> t.Callable[[], t.ContextManager[None]]:
        return self._each

    @contextmanager
    def _each(self) -> t.Iterator[None]:
        try:
            yield
        except (SystemdError, OSError) as e:
            self._failure = self._failure or e

    def __exit__(self, kind: t.Any, *_more: t.Any) -> None:
        if kind is None and self._failure is not None:
            raise self._failure


def take_back_files(record: Record, tools: FileTools, ctx: Context) -> None:
    """Make the unit files what they were before the handover; one that cannot be does not keep the others from it."""
    with AllOf() as each:
        for path, old in record.files.items():
            with each():
                tidy(path, ctx.temporaries)
                now = None if os.path.islink(path) else Saved.of(path)
                if old is None:
                    if now is not None:
                        ctx.stale = True
                        remove(path)
                    if path.endswith(".conf"):
                        remove_empty(os.path.dirname(path))
                elif now is None or now.content != old.encode("utf-8", "surrogateescape"):
                    ctx.stale = True
                    WriteFile(path, old.encode("utf-8", "surrogateescape"), now, tools).apply(ctx)
        with each():
            mask_again(record, ctx)


def mask_again(record: Record, ctx: Context) -> None:
    """Mask the units that were masked before the handover."""
    names = [name for name in record.masked if not os.path.lexists(f"{LASTING}/{name}")]
    if names:
        ctx.links += ctx.manager.mask(names)
        ctx.stale = True


def disable(record: Record, ctx: Context) -> None:
    """Remove the links that were made to have the units start with the host."""
    states = ctx.manager.unit_file_states(record.enabled)
    there = [name for name, state in zip(record.enabled, states) if state]
    if there:
        ctx.links += ctx.manager.disable(there)
        ctx.stale = True
    # Systemd does not look for the links of a unit that has no file any more.
    gone = set(record.enabled).difference(there)
    if gone:
        for path, target in read_links(ctx.manager.link_directories()).items():
            if not gone.isdisjoint(led_to(path, target)) and remove(path):
                ctx.stale = True


def stop_units(moving: Moving, ctx: Context) -> list[str]:
    """Stop the units of a service that were not up before its handover; returns those that were up.

    :raises SystemdError: one is not down when the time is over.
    """
    names = [name for name in moving.unit_names if name not in moving.record.active]
    up = [status.id for status in ctx.manager.status(names) if not is_down(status.active_state)]
    # Sockets and timers first, lest they start their service again.
    up.sort(key=lambda name: name.endswith(".service"))
    stop(ctx, up)
    still = [status.id for status in ctx.manager.status(names) if not is_down(status.active_state)]
    if still:
        raise SystemdError(f"{short(still)} did not stop within {ctx.timeout:g} s")
    ctx.manager.reset_failed(names)
    return up


def look_at_unit(manager: UnitManager, name: str) -> Snapshot | None:
    """The snapshot of a service's main process; None where it has none."""
    if not name.endswith(".service"):
        return None
    path = object_path(name)
    pid, cgroup = manager.properties([(path, SERVICE, "MainPID"), (path, SERVICE, "ControlGroup")])
    members = processes.in_cgroup(cgroup) if cgroup else []
    if not pid:
        # Of a service that forked away systemd may not know which process is the main one: the oldest.
        stats = [stat for stat in map(processes.read_stat, members) if stat is not None and stat.state != "Z"]
        pid = min(stats, key=lambda stat: (stat.started, stat.pid)).pid if stats else 0
    return processes.snapshot(pid, members) if pid else None
