# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The old supervisor of a service: it lets go, and has the service again as it had it."""

from __future__ import annotations

import os
import time

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import make_link, remove
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._observe import processes
from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import missing_sockets
from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import ephemeral_ports
from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.control import SCAN, Supervised
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.moving import Moving
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Records

_PAUSE = 0.05
# A logger that does not end with its input is told to, after this.
_LOG_PATIENCE = 5.0
_SURE = 1.2
# By then what ran before runs again, or never will.
_COMES_UP = 60.0


def wait_until_gone(supervised: Supervised, deadline: float, name: str) -> None:
    """Have the supervisor stop the service and exit, and take its lock.

    :raises SystemdError: it did not within the time.
    """
    told = False
    quiet_since = 0.0
    log = supervised.log
    while True:
        if supervised.is_supervised():
            if not told:
                supervised.leave()
                told = True
            running = supervised.status()["running"]
            quiet_since = quiet_since or (0.0 if running else time.monotonic())
            if log is not None and quiet_since and time.monotonic() - quiet_since > _LOG_PATIENCE:
                # It should have ended with its input.
                log.control(b"d")
                quiet_since = time.monotonic()
        elif supervised.source == "daemontools" and log is not None and log.is_supervised():
            # Supervised on its own there.
            log.leave()
            time.sleep(_PAUSE)
        elif supervised.lock():
            return
        if time.monotonic() >= deadline:
            status = supervised.status()
            why = "its supervisor did not exit"
            if status["pid"]:
                what = "process" if status["running"] else "its finish script, process"
                why = f"{what} {status['pid']}{',' if not status['running'] else ''} still runs"
            raise SystemdError(
                f"{name} did not stop under {supervised.source}: {why}; see why, or give it more time in `timeout`"
            )
        time.sleep(_PAUSE)


def restore(moving: Moving, records: Records, ctx: Context) -> None:
    """Give the service back to its old supervisor, in the state that it had there, and see that it is up.

    :raises SystemdError: a unit of it is still up, or it did not come up again.
    """
    link_again(moving, records, ctx)
    see_it_restored(moving, ctx)


def link_again(moving: Moving, records: Records, ctx: Context) -> None:
    """Put the links back, such that the supervisor starts the service if it ran and only then."""
    record, name = moving.record, moving.name
    names = [unit for unit in moving.unit_names if unit not in record.active]
    up = [status.id for status in ctx.manager.status(names) if not is_down(status.active_state)]
    if up:
        raise SystemdError(f"{name} is not started under {record.source} again while {short(up)} is not down")
    moving.supervised.unlock()
    if not record.links and record.was.get("supervised"):
        raise SystemdError(f"{name} had a supervisor but no link in a scanned directory; start its supervisor by hand")
    down = f"{record.path}/down"
    if record.links and not moving.was_up and not os.path.lexists(down):
        # runsv starts what has no such file, and looks for it only once.
        record.held_down = True
        records.save(record)
        with open(down, "w", encoding="ascii"):
            pass
    elif moving.was_up and record.held_down:
        remove(down)
        record.held_down = False
    for path, target in record.links.items():
        make_link(path, target)


def see_it_restored(moving: Moving, ctx: Context) -> None:
    """Wait until the old supervisor has the service again, as it had it."""
    record, supervised = moving.record, moving.supervised
    down = f"{record.path}/down"
    if record.links:
        deadline = time.monotonic() + max(ctx.timeout, 2 * SCAN)
        if not supervised.wait(lambda status: bool(status["supervised"]), deadline):
            raise SystemdError(f"{moving.name} is linked again, but nothing supervises it; is runsvdir running?")
        if moving.was_up:
            if record.was.get("once"):
                supervised.control(b"o")
            elif os.path.lexists(down) or supervised.status()["wanted"] != "up":
                # One that would not stop in time still waits for its end, to exit then.
                supervised.control(b"u")
            if record.was.get("running"):
                _see_it_run(moving, time.monotonic() + min(ctx.timeout, _COMES_UP))
        if record.held_down:
            # Its supervisor has looked for the file by the time that it knows the state.
            supervised.wait(lambda status: status["wanted"] == "down", time.monotonic() + SCAN)
            remove(down)
            record.held_down = False
    moving.restored = True


def _see_it_run(moving: Moving, deadline: float) -> None:
    """Wait until the service runs under its old supervisor, for longer than a moment, and listens where it did."""
    supervised, name = moving.supervised, moving.name
    while True:
        if not supervised.wait(lambda status: bool(status["running"] and status["pid"]), deadline):
            raise SystemdError(f"{name} did not come up again under {moving.record.source}")
        status = supervised.status()
        pid = status["pid"]
        # Longer than the second after which runsv starts again what died at once.
        time.sleep(max(0.0, min(_SURE, status["since"] + _SURE - time.time())))
        status = supervised.status()
        if pid and status["pid"] == pid and status["running"]:
            moving.is_back()
            break
    ports, patience = ephemeral_ports(), time.monotonic() + moving.listen
    before = moving.record.before
    while before is not None:
        found = processes.snapshot(supervised.status()["pid"] or 0)
        missing = missing_sockets(before, found, ports) if found else before["sockets"]
        if not missing:
            return
        if time.monotonic() >= patience:
            raise SystemdError(
                f"{name} runs under {moving.record.source} again, but does not listen on {short(missing)}"
            )
        time.sleep(_PAUSE * 4)
