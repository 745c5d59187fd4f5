# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systemd and its daemons read their own configuration again: by a re-execution, by a signal, in every user's manager."""

from __future__ import annotations

import signal
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Note, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_active


class Reexecute(Step):
    """Replace the manager's process by a new one, and wait until that one answers."""

    def describe(self) -> str:
        return "daemon-reexec"

    def apply(self, ctx: Context) -> bool:
        reexecute(ctx.manager, ctx.timeout)
        return True


def reexecute(manager: t.Any, timeout: float) -> None:
    """Have a manager be replaced by a new process of its own, and wait until that one answers.

    :param timeout: seconds.
    :raises SystemdError: it does not answer in time.
    """
    deadline = time.monotonic() + timeout
    # The manager goes away instead of answering; what answers next is the new one.
    try:
        manager.call("Reexecute", doing="re-execute the manager", timeout=timeout)
    except (BusUnreachable, BusTimeout):
        pass
    manager.connection.close()
    while not manager.revive(deadline):
        if time.monotonic() > deadline:
            raise SystemdError(
                f"the manager did not answer again within {timeout:g} s after daemon-reexec; see its log, or give more time "
                "in `timeout`"
            )


def hang_up(manager: t.Any, unit: str, timeout: float) -> None:
    """Have the main process of a service read its files again by SIGHUP, and wait until it has, as far as it is known how.

    :raises SystemdError: the signal cannot be sent.
    """
    manager.call("KillUnit", "ssi", unit, "main", int(signal.SIGHUP), doing=f"have {unit} read its files again")
    if unit == "systemd-logind.service":
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import has_heard

        has_heard(timeout)


class ReadAgain(Note):
    """Noted before files of a configuration are changed: who is to read them again once they are what they were.

    :param how: `reexec` is the manager itself, `users` are all users' managers and `users-reexec` the same by new processes;
        `reload` and `signal` are a service, by its own way to reload or by SIGHUP.
    :param unit: the service.
    """

    kind = "read-again"
    # After a reboot everything has been read.
    lasting = False
    WAYS = ("reexec", "users", "users-reexec", "reload", "signal")

    def __init__(self, how: str, unit: str = "") -> None:
        self._how, self._unit = how, unit

    def undo(self, ctx: Context) -> None:
        if not ctx.manager.runs:
            return
        if self._how == "reexec":
            reexecute(ctx.manager, ctx.timeout)
        elif self._how.startswith("users"):
            from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import users_read_again

            users_read_again(self._how == "users-reexec", ctx.deadline(), reexecute)
        elif is_active(ctx.manager.status([self._unit])[0].active_state):
            if self._how == "reload":
                ctx.bring_up.append((self._unit, "reload-or-try-restart"))
            else:
                hang_up(ctx.manager, self._unit, ctx.timeout)

    def as_data(self) -> dict[str, t.Any]:
        return {"how": self._how, "unit": self._unit}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> ReadAgain:
        how, unit = str(data["how"]), str(data["unit"])
        if how not in cls.WAYS or "\0" in unit:
            raise ValueError("it is no way to have something read again")
        return cls(how, unit)
