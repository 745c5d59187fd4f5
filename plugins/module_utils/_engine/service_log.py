# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services say of how they log, and are told to (org.freedesktop.LogControl1(5)), on the bus that they are on."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, get_property
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, LeftAlone, Note, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import explain, on_bus_of

PROPERTIES = ("LogLevel", "LogTarget")
_PATH = "/org/freedesktop/LogControl1"
_FACE = "org.freedesktop.LogControl1"
# Seconds for each service: it answers at once, or hangs.
_PATIENCE = 25.0
# Characters of a level or target; whatever a service says becomes part of a diff, and a user's service may say anything.
_LONGEST = 64


class NoLogControl(SystemdError):
    """A service answers, and has no such interface."""


def read_log(manager: t.Any, unit: str, bus_name: str, timeout: float) -> dict[str, str]:
    """LogLevel and LogTarget of a service that runs.

    :param bus_name: its BusName=.
    :raises NoLogControl: it is on the bus, and does not have them.
    :raises SystemdError: it cannot be asked.
    """
    with on_bus_of(manager, bus_name, unit, import_jeepney(), min(timeout, _PATIENCE)) as connection:
        connection.default_timeout = min(timeout, _PATIENCE)
        found = {}
        replies = connection.call_many([get_property(_PATH, _FACE, name) for name in PROPERTIES])
        for name, reply in zip(PROPERTIES, replies):
            if isinstance(reply, CallFailed):
                if reply.name.rpartition(".")[2] in ("UnknownObject", "UnknownInterface", "UnknownMethod", "UnknownProperty"):
                    raise NoLogControl(f"{unit} has no {_FACE} at {_PATH}", dbus_error=reply.name)
                raise explain(reply, f"ask {unit} how it logs")
            kind, value = reply[0]
            if kind != "s" or len(value) > _LONGEST or not value.isprintable():
                raise SystemdError(f"{unit} says that its {name} is {shown(value)}, which LogControl1 does not have")
            found[name] = value
        return found


def write_log(manager: t.Any, unit: str, bus_name: str, name: str, value: str, timeout: float) -> None:
    """Have a service log otherwise.

    :raises SystemdError: it refuses, or cannot be asked.
    """
    with on_bus_of(manager, bus_name, unit, import_jeepney(), min(timeout, _PATIENCE)) as connection:
        connection.default_timeout = min(timeout, _PATIENCE)
        call = Call(_PATH, "org.freedesktop.DBus.Properties", "Set", "ssv", (_FACE, name, ("s", value)))
        (reply,) = connection.call_many([call])
        if isinstance(reply, CallFailed):
            raise explain(reply, f"set {name} of {unit} to {value}")


class ServiceLogWas(Note):
    """LogLevel or LogTarget of a service before it is set."""

    kind = "service-log"
    # It is a process's own, and gone with that.
    lasting = False

    def __init__(self, unit: str, bus_name: str, name: str, before: str, after: str) -> None:
        self._unit, self._bus_name, self._name, self._before, self._after = unit, bus_name, name, before, after

    def undo(self, ctx: Context) -> None:
        if not ctx.manager.runs or ctx.manager.status([self._unit])[0].active_state != "active":
            return
        now = read_log(ctx.manager, self._unit, self._bus_name, ctx.timeout)[self._name]
        if now == self._before:
            return
        if now != self._after:
            raise LeftAlone(f"{self._name} of {self._unit} was changed by somebody else meanwhile, and is left as it is")
        write_log(ctx.manager, self._unit, self._bus_name, self._name, self._before, ctx.timeout)

    def told(self) -> str:
        return f"{self._name} of {self._unit} as it was"

    def as_data(self) -> dict[str, t.Any]:
        return {
            "unit": self._unit,
            "bus_name": self._bus_name,
            "name": self._name,
            "before": self._before,
            "after": self._after,
        }

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> ServiceLogWas:
        values = [data[key] for key in ("unit", "bus_name", "name", "before", "after")]
        if not all(isinstance(value, str) and "\0" not in value for value in values) or values[2] not in PROPERTIES:
            raise ValueError("it is no setting of a service's log")
        return cls(*values)


class SetServiceLog(Step):
    """Have a service log more or less, or elsewhere, until it is started anew."""

    def __init__(self, unit: str, bus_name: str, name: str, before: str, after: str) -> None:
        super().__init__((unit,))
        self._bus_name, self._name, self._after = bus_name, name, after
        self._was = ServiceLogWas(unit, bus_name, name, before, after)

    def describe(self) -> str:
        return f"set {self._name} of {self.names[0]} to {self._after}"

    def foretell(self) -> list[Note]:
        return [self._was]

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, self._was)
        write_log(ctx.manager, self.names[0], self._bus_name, self._name, self._after, ctx.timeout)
        return True

    def undone(self) -> str:
        return self._was.told()
