# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manager whose systemd was replaced by a new process of its own (daemon-reexec): connected anew, with what was missed.

Loaded only then.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, Connection, get_property
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import (
    BadMessage,
    BusTimeout,
    BusUnreachable,
    CallFailed,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import (
    MANAGER,
    MANAGER_PATH,
    UNIT,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import (
    Job,
    interface_of,
    is_active,
    is_down,
)

# What `manager.py` makes, which loads this file and is not loaded by it.
Manager = t.Any


# Seconds that the new process may take until it answers.
_NEW_PROCESS = 30.0
_PING = get_property(MANAGER_PATH, MANAGER, "Version")
# When a unit became active and inactive last.
_SINCE = ("ActiveEnterTimestampMonotonic", "InactiveEnterTimestampMonotonic")


def revive(manager: Manager, deadline: float | None) -> bool:
    """See `Manager.revive`."""
    latest = time.monotonic() + _NEW_PROCESS
    deadline = latest if deadline is None else min(deadline, latest)
    try:
        if not manager.connection.is_dead():
            reply = manager.connection.call_many([_PING], deadline)[0]
            if not (isinstance(reply, CallFailed) and manager._is_gone(reply)):
                return True
    except BusTimeout:
        return False
    except (BusUnreachable, BadMessage):
        pass
    try:
        renew(manager, deadline)
    except SystemdError:
        return False
    return True


def renew(manager: Manager, deadline: float) -> None:
    """Connect to the process that took the manager's place, once it answers.

    :raises BusUnreachable: it does not answer.
    """
    old = manager.connection
    deadline = min(deadline, time.monotonic() + _NEW_PROCESS)
    while True:
        # A bus may have outlived systemd; what it keeps for this connection is not to be lost.
        again = None if old.is_bus and not old.is_dead() else _open_again
        new = old
        try:
            if again is not None:
                old.close()
                new = again(manager, max(0.1, deadline - time.monotonic()))
            try:
                new.call(_PING, deadline)
                break
            except BaseException:
                if new is not old:
                    new.close()
                raise
        except (BusUnreachable, BusTimeout, CallFailed) as e:
            if time.monotonic() >= deadline or (again is not None and not (manager.reopen or manager.connect_again)):
                raise BusUnreachable(
                    f"{old.who} closed the connection, and does not answer any more ({e.msg}); what was under way may go "
                    "on, so run the task again"
                ) from e
        time.sleep(min(0.1, max(0.0, deadline - time.monotonic())))
    manager._missed = True
    if new is old:
        return
    follows = manager._removed is not None
    manager._adopt(new)
    new.default_timeout, new.all_until = old.default_timeout, old.all_until
    manager._removed = None
    calls = []
    for name, changes in manager._watched.items():
        new.want("PropertiesChanged", object_path(name), changes)
        calls.append(manager.changes_of(name))
    # Whose end is awaited is to be remembered by systemd, also where there was no bus before to ask that over.
    calls += [Call(MANAGER_PATH, MANAGER, "RefUnit", "s", (name,)) for name in {**manager._watched, **manager._kept}]
    # Where a unit is gone meanwhile, that is how it is.
    new.call_many(calls if new.is_bus else [], deadline)
    if follows:
        # Without it, systemd tells a bus nothing at all.
        manager.follow_jobs()


def _open_again(manager: Manager, seconds: float) -> Connection:
    if manager.reopen is not None:
        return manager.reopen(seconds).connection
    if manager.connect_again is not None:
        return manager.connect_again().connection
    raise BusUnreachable("there is no way to connect again")


def results_of(manager: Manager, jobs: t.Sequence[Job]) -> dict[int, str]:
    """How jobs ended whose end nobody heard of, by what their units are now."""
    wanted = []
    for job in jobs:
        path, kind = object_path(job.unit), interface_of(job.unit)
        wanted += [(path, UNIT, name) for name in ("ActiveState", *_SINCE)]
        wanted += [(path, kind, name) for name in ("Result", "ReloadResult")]
    values = iter(manager.properties(wanted))
    return {
        job.id: ended_how(job.type, manager._begun.get(job.id, 0.0), *(next(values) for dummy in range(len(_SINCE) + 3)))
        for job in jobs
    }


def ended_how(
    kind: str,
    begun: float,
    state: str | None,
    entered: int | None,
    left: int | None,
    result: str | None,
    reloaded: str | None,
) -> str:
    """The result of a job that nobody saw ending: `done`, `failed`, or `unknown` where the unit does not tell.

    :param kind: the job's type.
    :param begun: when it was enqueued, in seconds of the clock that systemd calls monotonic.
    :param state: the unit's ActiveState.
    :param entered: when it became active last, in microseconds of that clock, and likewise when it became inactive (*left*).
    :param result: the unit's Result, for types that have one.
    :param reloaded: its ReloadResult, which stays when the unit is active all the same.
    """
    if kind == "stop":
        return "done" if state is None or is_down(state) else "unknown"
    since = begun * 1e6
    if state == "failed" or (state == "inactive" and result not in ("success", None)):
        return "failed"
    if is_active(state):
        if kind == "start" or (kind != "reload" and (entered or 0) >= since):
            return "done"
        if "reload" in kind and reloaded is not None:
            return "done" if reloaded == "success" else "failed"
    elif state == "inactive" and kind != "reload" and (kind.endswith("try-restart") or (left or 0) >= since):
        # What need not be up was not touched, and a oneshot ran to its end.
        return "done"
    return "unknown"
