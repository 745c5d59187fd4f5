# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' managers that run without a login, by way of logind (org.freedesktop.login1(5))."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, Connection, connect
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import acting_as, find_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import (
    Manager,
    explain,
    open_manager,
    private_socket,
    system_bus,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import list_small

_LINGER = "/var/lib/systemd/linger"
# Seconds that a manager may take to answer, before it is taken for one that is not up yet.
_ANSWER = 10.0


def lingers(name: str) -> bool:
    """Whether logind keeps the user's manager without a login; it notes that as a file of the user's name."""
    return any(os.path.exists(f"{_LINGER}/{each}") for each in (name, _escaped(name)))


def linger_files(name: str) -> list[str]:
    """The files by which logind notes that the user lingers. It leaves them where the user is removed, and no longer removes them."""
    return [path for path in (f"{_LINGER}/{name}", f"{_LINGER}/{_escaped(name)}") if os.path.lexists(path)]


def _escaped(name: str) -> str:
    """The name as logind writes it, by the rules of C, such as `DOMAIN\\\\user` for a user of a Windows domain."""
    special = {"\\": "\\\\", '"': '\\"', "'": "\\'"}
    plain = name.encode("utf-8", "surrogateescape")
    return "".join(special.get(chr(b), chr(b)) if 0x20 <= b < 0x7F else f"\\{b:03o}" for b in plain)


def _reach(jeepney: tuple[t.Any, t.Any]) -> Connection:
    """Connect to logind, over the system's bus.

    :raises BusUnreachable: there is no bus.
    """
    low_level, auth = jeepney
    try:
        path, peer = system_bus()
        return connect(path, low_level, auth, "org.freedesktop.login1", who="logind, over the bus,", peer_uid=peer)
    except BusUnreachable as e:
        raise BusUnreachable(
            f"cannot reach logind: {e.msg}; it needs the system bus, so install dbus (or dbus-broker) and start it"
        ) from e


def set_linger(uids: t.Sequence[int], on: bool, jeepney: tuple[t.Any, t.Any]) -> None:
    """Turn lingering on or off for users, all in one round trip.

    :raises SystemdError: logind cannot be reached or refuses.
    """
    connection = _reach(jeepney)
    connection.known = {**connection.known, "SetUserLinger": ""}
    with connection:
        path, face = "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
        calls = [Call(path, face, "SetUserLinger", "ubb", (uid, on, False)) for uid in uids]
        for uid, reply in zip(uids, connection.call_many(calls)):
            if not isinstance(reply, CallFailed):
                continue
            if reply.name == "org.freedesktop.DBus.Error.ServiceUnknown":
                raise SystemdError(
                    "logind is not there; install the package that holds it (libpam-systemd on Debian) and start it",
                    dbus_error=reply.name,
                )
            raise explain(reply, f"turn lingering {'on' if on else 'off'} for user {uid}")


def answers(uid: int, jeepney: tuple[t.Any, t.Any], timeout: float = _ANSWER) -> bool:
    """Whether the manager of the user is up and has finished its own start."""
    try:
        # Whoever listens there may be anybody: as the user, no more than the user can be had.
        with acting_as(find_account(str(uid))), Manager(
            private_socket(uid, jeepney, timeout), "user", uid, timeout
        ) as manager:
            return manager.manager_property("SystemState") in ("running", "degraded", "maintenance")
    except (BusUnreachable, BusTimeout):
        return False


def wait_for(uids: t.Sequence[int], up: bool, deadline: float, jeepney: tuple[t.Any, t.Any]) -> list[int]:
    """Wait until the users' managers answer, or are gone; returns those that did not get so in time."""
    left = list(uids)
    pause = 0.01
    while True:
        left = [uid for uid in left if answers(uid, jeepney, _in_time(deadline)) is not up]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(pause)
        pause = min(pause * 2, 0.25)


def _in_time(deadline: float) -> float:
    return min(_ANSWER, max(0.1, deadline - time.monotonic()))


def has_heard(timeout: float) -> None:
    """Wait until logind has acted on a signal that it was sent.

    It takes one event at a time, those first that came first. So it answers a second question only when it has seen to what came
    before the first one.

    :param timeout: seconds.
    """
    deadline = time.monotonic() + timeout
    with _reach(import_jeepney()) as connection:
        for _time in range(2):
            connection.call_many([Call("/org/freedesktop/login1", "org.freedesktop.DBus.Peer", "Ping")], deadline)


def running() -> list[int]:
    """The users whose managers run, as far as their sockets tell."""
    names = [name for name in list_small("/run/user") if is_digits(name)]
    return sorted(int(name) for name in names if os.path.exists(f"/run/user/{name}/systemd/private"))


def users_read_again(
    anew: bool,
    deadline: float,
    reexecute: t.Callable[[Manager, float], None],
    uids: t.Sequence[int] | None = None,
    otherwise: str = "goes on with its former settings",
) -> list[str]:
    """Have the managers of users read their files again, each as that user; returns why some did not.

    :param anew: whether by replacing each by a new process of its own.
    :param deadline: on the clock of `time.monotonic()`.
    :param reexecute: does that to a manager, within so many seconds.
    :param uids: the users; by default all whose managers run.
    :param otherwise: what is told of a manager that did not.
    """
    jeepney, failed = import_jeepney(), []
    for uid in running() if uids is None else uids:
        # No user can have the others wait for more than that.
        patience = _in_time(deadline)
        try:
            with acting_as(find_account(str(uid))), open_manager(
                "user", str(uid), lambda: jeepney, patience
            ) as manager:
                if anew:
                    reexecute(manager, patience)
                else:
                    manager.reload(patience)
        except SystemdError as e:
            failed.append(f"the manager of user {uid} {otherwise}: {e.msg}")
    return failed
