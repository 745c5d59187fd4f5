# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reboots, as logind sees to them: who hinders one, which is planned, and how one is asked for (org.freedesktop.login1(5))."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, Connection, get_property
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusUnreachable, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import user_entry
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import reach
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import explain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY

if t.TYPE_CHECKING:

    class Inhibitor(t.TypedDict):
        """Who asked logind not to shut down, or to wait a little (systemd-inhibit(1))."""

        who: str
        why: str
        # `block` and `block-weak` forbid it; `delay` has it wait for some seconds (InhibitDelayMaxSec= of logind.conf(5)).
        mode: str
        user: str
        pid: int

    class Planned(t.TypedDict):
        """A shutdown that is scheduled (shutdown(8))."""

        # `reboot`, `poweroff`, `halt`, ...
        type: str
        # In microseconds since 1970.
        usec: int


_PATH, _FACE = "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
_ANSWERS = {
    "ListInhibitors": "a(ssssuu)",
    "CanReboot": "s",
    "Reboot": "",
    "RebootWithFlags": "",
    "ScheduleShutdown": "",
    "SetWallMessage": "",
}
_TYPES = {"ScheduledShutdown": "(st)", "PreparingForShutdown": "b"}
# Flags of RebootWithFlags: SD_LOGIND_ROOT_CHECK_INHIBITORS, _REBOOT_VIA_KEXEC, _SOFT_REBOOT, _SKIP_INHIBITORS.
_CHECK, _SKIP = 1 << 0, 1 << 4
_FLAGS = {"reboot": 0, "kexec": 1 << 1, "soft-reboot": 1 << 2}
# How a logind that is there refuses, or does not answer. Whatever else a bus says, it says of one that is not there or does not start:
# by many names, of which one is for a unit that is masked.
_REFUSES = (
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.AuthFailed",
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
    "org.freedesktop.DBus.Error.LimitsExceeded",
    "org.freedesktop.DBus.Error.NoReply",
)
_NO_METHOD = "org.freedesktop.DBus.Error.UnknownMethod"
_DENIED = ("org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")
_BAD_FLAGS = "org.freedesktop.DBus.Error.InvalidArgs"


class Seen(t.NamedTuple):
    """What logind knows of shutting down."""

    inhibitors: list[Inhibitor]
    planned: Planned | None
    # Whether it is on its way already.
    prepares: bool
    # What it says to whoever asks whether he may: `yes`, `no`, `challenge`, ...
    permitted: str

    @property
    def blocking(self) -> list[Inhibitor]:
        """Those that forbid it."""
        return [each for each in self.inhibitors if each["mode"] != "delay"]


class Logind:
    """A connection to logind; a context manager."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        connection.known = {**connection.known, **_ANSWERS}
        connection.property_types = _TYPES

    def __enter__(self) -> Logind:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()

    def look(self) -> Seen | None:
        """What it knows; None where there is no logind.

        :raises SystemdError: it refuses to tell.
        """
        calls = [Call(_PATH, _FACE, "ListInhibitors"), get_property(_PATH, _FACE, "ScheduledShutdown")]
        calls += [get_property(_PATH, _FACE, "PreparingForShutdown"), Call(_PATH, _FACE, "CanReboot")]
        listed, planned, prepares, may = self._connection.call_many(calls)
        if isinstance(listed, CallFailed):
            if listed.name in _REFUSES:
                raise explain(listed, "ask logind who inhibits a shutdown")
            return None
        inhibitors: list[Inhibitor] = [
            {"who": who, "why": why, "mode": mode, "user": _name(uid), "pid": pid}
            for what, who, why, mode, uid, pid in listed[0]
            if "shutdown" in what.split(":")
        ]
        kind, usec = ("", 0) if isinstance(planned, CallFailed) else planned[0][1]
        return Seen(
            inhibitors,
            {"type": kind, "usec": usec} if kind and 0 < usec < INFINITY else None,
            not isinstance(prepares, CallFailed) and bool(prepares[0][1]),
            "" if isinstance(may, CallFailed) else may[0],
        )

    def reboot(self, method: str, message: str, ignore_inhibitors: bool, delay: float = 0.0) -> bool:
        """Ask for a reboot, which logind tells users of by `message`; returns whether it is one that logind sees to.

        Of root, logind's older versions do not heed who inhibits it: whoever calls this has looked. Newer ones ask polkit whether
        root may ignore that, and refuse where there is none.

        :param method: `reboot`, `kexec` or `soft-reboot`.
        :param delay: seconds after which it shall begin.
        :raises SystemdError: logind refuses it.
        """
        # To whom this is not permitted, it may be to reboot without a word.
        calls = [Call(_PATH, _FACE, "SetWallMessage", "sb", (message, True))]
        if delay:
            at = int((time.time() + delay) * 1e6)
            calls.append(Call(_PATH, _FACE, "ScheduleShutdown", "st", (method, at)))
            reply = self._connection.call_many(calls)[1]
            if isinstance(reply, CallFailed) and ignore_inhibitors:
                reply = CallFailed(reply.name, f"{reply.text}; logind plans nothing past an inhibitor: leave out `pre_reboot_delay`")
            return self._done(reply, f"schedule a {method}")
        flags = _FLAGS[method]
        calls.append(Call(_PATH, _FACE, "RebootWithFlags", "t", (flags | (_SKIP if ignore_inhibitors else _CHECK),)))
        reply = self._connection.call_many(calls)[1]
        if isinstance(reply, CallFailed) and reply.name == _BAD_FLAGS and ignore_inhibitors:
            # It came with 256 or 257; before, root need not ask for that.
            (reply,) = self._connection.call_many([Call(_PATH, _FACE, "RebootWithFlags", "t", (flags,))])
        if isinstance(reply, CallFailed) and reply.name in _DENIED and ignore_inhibitors and os.geteuid() == 0:
            return False
        if isinstance(reply, CallFailed) and reply.name in (_NO_METHOD, _BAD_FLAGS):
            # Before 249 there is no such method, and before 254 no soft reboot.
            if method != "reboot":
                return False
            (reply,) = self._connection.call_many([Call(_PATH, _FACE, "Reboot", "b", (False,))])
        return self._done(reply, method)

    @staticmethod
    def _done(reply: t.Any, doing: str) -> bool:
        if isinstance(reply, CallFailed):
            raise explain(reply, doing)
        return True


def open_logind(jeepney: tuple[t.Any, t.Any]) -> Logind | None:
    """Connect to logind; None where there is no bus on which it could be."""
    try:
        return Logind(reach(jeepney))
    except BusUnreachable:
        return None


def _name(uid: int) -> str:
    try:
        return str(user_entry(str(uid)).pw_name)
    except KeyError:
        return str(uid)
