# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service goes back to its old supervisor: only when its units are down, and until it is what it was."""

from __future__ import annotations

import time

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._observe import processes
from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import missing_sockets
from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import ephemeral_ports
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.moving import Moving
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Records

_PAUSE = 0.2


def restore(moving: Moving, records: Records, ctx: Context) -> None:
    """Give the service back to its old supervisor, in the state that it had there, and see that it is up.

    :raises SystemdError: a unit of it is still up, or it did not come up again.
    """
    give_back(moving, records, ctx)
    see_it_restored(moving, ctx)


def give_back(moving: Moving, records: Records, ctx: Context) -> None:
    """Have the old supervisor start the service again if it ran, and only then.

    :raises SystemdError: a unit of it is still up, or the supervisor cannot have it.
    """
    record = moving.record
    names = [unit for unit in moving.unit_names if unit not in record.active]
    up = [status.id for status in ctx.manager.status(names) if not is_down(status.active_state)]
    if up:
        raise SystemdError(f"{moving.name} is not started under {record.source} again while {short(up)} is not down")
    moving.supervisor.give_back(lambda: records.save(record))


def see_it_restored(moving: Moving, ctx: Context) -> None:
    """Wait until the old supervisor has the service again as it had it, and it listens where it did."""
    pid = moving.supervisor.settled(ctx.timeout)
    if pid is not None:
        moving.is_back()
        _see_it_listen(moving)
    moving.restored = True


def _see_it_listen(moving: Moving) -> None:
    ports, patience = ephemeral_ports(), time.monotonic() + moving.listen
    before = moving.record.before
    while before is not None:
        found = processes.snapshot(moving.supervisor.now().pid or 0)
        missing = missing_sockets(before, found, ports) if found else before["sockets"]
        if not missing:
            return
        if time.monotonic() >= patience:
            raise SystemdError(
                f"{moving.name} runs under {moving.record.source} again, but does not listen on {short(missing)}"
            )
        time.sleep(_PAUSE)
