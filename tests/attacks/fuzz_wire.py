# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a peer sends ends in an answer of the expected type or in a SystemdError: one input for a fuzzer.

``one_input(data)`` plays a peer of one connection; the first byte of the data chooses how it is spoken to, and the rest is
what it sends. There is no socket, so it is fast.
"""

from __future__ import annotations

import random
import time
import typing as t

import jeepney.auth
import jeepney.low_level as dbus

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import connection as wire
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, Connection, get_property
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import ANSWERS, TYPES
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import (
    BUS_NAME,
    MANAGER,
    MANAGER_PATH,
    UNIT,
    Manager,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Job, UnitStatus

_FAR = 1e12
_UNIT_PATH = f"{MANAGER_PATH}/unit/a_2eservice"


class Script:
    """What a socket is to a Connection: sends nothing, and receives the data and then the end."""

    def __init__(self, data: bytes, piece: int = 1 << 18) -> None:
        self._data, self._piece, self._at = data, piece, 0

    def setblocking(self, on: bool) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass

    def send(self, data: memoryview) -> int:
        return len(data)

    def sendall(self, data: bytes) -> None:
        pass

    def recv(self, size: int) -> bytes:
        begin, self._at = self._at, self._at + min(size, self._piece)
        return self._data[begin : self._at]


class Scripted(Connection):
    """A connection to a Script, which never waits."""

    def _ready(self, events: int, begun: float, deadline: float, what: str) -> bool:
        return True

    def _encode(self, call: Call, fds: t.Any = None) -> bytes:
        # Nobody reads it.
        self._serial += 1
        self._awaited[self._serial] = call
        return b"x"

    def is_dead(self) -> bool:
        return self._closed

    def wait(self, until: t.Callable[[], bool], deadline: float, what: str = "a signal") -> None:
        begun, deadline = self._times(deadline)
        while not until():
            self._turn(begun, deadline, what)


def manager(data: bytes, bus: bool = False) -> Manager:
    """A manager whose peer sends this."""
    connection = Scripted(t.cast("t.Any", Script(data)), dbus, BUS_NAME if bus else None, trusted=False)
    return Manager(connection, "user", 1000)


def _jobs(m: Manager) -> t.Any:
    job = Job(7, "/j/7", "a.service", "reload")
    return m.wait_for_jobs([job], time.monotonic() + 0.5)


# Of each: what is called, and what may come of it.
CALLS: list[t.Callable[[Manager], t.Any]] = [
    lambda m: m.status(["a.service"]),
    lambda m: m.list_units(),
    lambda m: m.unit_file_states(["a.service", "b.service"]),
    lambda m: m.properties([(_UNIT_PATH, UNIT, name) for name in list(TYPES)[::20]]),
    lambda m: m.all_properties([(_UNIT_PATH, UNIT)]),
    lambda m: m.presets(["a.service"]),
    lambda m: m.unit_path(),
    lambda m: m.manager_property("Version"),
    lambda m: m.manager_properties(["Version", "NNames"]),
    lambda m: m.set_manager_property("LogLevel", "debug"),
    lambda m: m.environment(),
    lambda m: m.change_environment(["A"], {"B": "c"}),
    lambda m: m.default_target(),
    lambda m: m.set_default_target("a.target"),
    lambda m: m.any_stale(),
    lambda m: m.list_jobs(),
    lambda m: m.watch_jobs(),
    lambda m: m.enqueue([("a.service", "start"), ("b.service", "stop")]),
    lambda m: m.watch_unit("a.service"),
    lambda m: m.start_transient("a.service", [("Description", ("s", "a"))]),
    _jobs,
    lambda m: m.reset_failed(["a.service"]),
    lambda m: m.set_properties([("a.service", [("CPUWeight", ("t", 1))])], True),
    lambda m: m.reload(),
    lambda m: m.enable(["a.service"]),
    lambda m: m.disable(["a.service"]),
    lambda m: m.mask(["a.service"]),
    lambda m: m.unmask(["a.service"]),
    lambda m: m.preset(["a.service"]),
    lambda m: m.call("RefUnit", "s", "a.service"),
    lambda m: m.revive(time.monotonic() + 0.1),
]


def _check(found: t.Any) -> None:
    """What comes out is what it is said to be, as far as its shape tells."""
    for row in found if isinstance(found, list) else ():
        if isinstance(row, UnitStatus):
            assert all(isinstance(value, int if at == 7 else str) for at, value in enumerate(row)), row


def one_input(data: bytes) -> None:
    """One conversation with a peer that sends *data*; anything but a SystemdError is raised."""
    if not data:
        return
    which, data = data[0], data[1:]
    try:
        if which & 0x80:
            sock = t.cast("t.Any", Script(data, 1 + (which & 7)))
            wire._authenticate(sock, jeepney.auth, bool(which & 8), _FAR, "the peer")
            return
        on = manager(data, bus=bool(which & 0x40))
        # As late as in a task of some length.
        on.connection._serial = 100
        _check(CALLS[(which & 0x3F) % len(CALLS)](on))
    except SystemdError as e:
        assert e.msg and "\n" not in e.msg[:1], e
    except OSError as e:
        # As `connect` tells them on.
        if not which & 0x80:
            raise AssertionError(f"an OSError where there is no operating system: {e!r}") from e


# -- messages to be damaged

_VALUES: dict[str, t.Any] = {
    "s": "a", "o": "/a/7", "u": 7, "i": 1, "b": True, "t": 7, "v": ("s", "a"), "ay": b"a", "y": 1, "q": 2,
}  # fmt: skip


def value_of(signature: str) -> tuple[t.Any, ...]:
    """Some values of these types."""
    kinds = dbus.parse_signature(list(f"({signature})"))

    def some(kind: t.Any) -> t.Any:
        if isinstance(kind, dbus.Struct):
            return tuple(some(field) for field in kind.fields)
        if isinstance(kind, dbus.Array):
            if kind.elt_type == dbus.simple_types["y"]:
                return b"abc"
            if isinstance(kind.elt_type, dbus.DictEntry):
                return {"a": some(kind.elt_type.fields[1])}
            return [some(kind.elt_type)]
        if isinstance(kind, dbus.Variant):
            return ("as", ["x"])
        return next(_VALUES[name] for name, other in dbus.simple_types.items() if other is kind)

    return t.cast("tuple[t.Any, ...]", some(kinds))


def message(kind: dbus.MessageType, serial: int, signature: str, **more: t.Any) -> bytes:
    """A message as a peer would send it."""
    fields = {getattr(dbus.HeaderFields, name): value for name, value in more.items()}
    if kind is not dbus.MessageType.signal:
        fields[dbus.HeaderFields.reply_serial] = serial
    if signature:
        fields[dbus.HeaderFields.signature] = signature
    header = dbus.Header(dbus.Endianness.little, kind, 0, 1, -1, 1, fields)
    return bytes(dbus.Message(header, value_of(signature)).serialise(1))


def seeds() -> list[bytes]:
    """Inputs that make sense, one or two of each kind of answer."""
    calls = [Call(MANAGER_PATH, MANAGER, name) for name in ANSWERS] + [get_property("/", UNIT, "Id")]
    found = [b"\x88OK 0123\r\nAGREE_UNIX_FD\r\n", b"\x80OK 0123\r\n"]
    ended = message(
        dbus.MessageType.signal, 0, "uoss", path=MANAGER_PATH, interface=MANAGER, member="JobRemoved", sender=":1.1"
    )
    moved = message(
        dbus.MessageType.signal, 0, "sss", path="/", interface="i.f", member="NameOwnerChanged",
        sender="org.freedesktop.DBus",
    )  # fmt: skip
    for which in range(0x60):
        for signature in {*ANSWERS.values(), "v", "a{sv}"}:
            answers = [message(dbus.MessageType.method_return, 101 + n, signature, sender=":1.1") for n in range(3)]
            found.append(bytes([which]) + ended + moved + b"".join(answers))
    failed = message(dbus.MessageType.error, 101, "s", error_name=f"e.{calls[0].member}")
    found += [bytes([which]) + failed for which in range(0x60)]
    return found


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The same with some bytes changed, removed, repeated or put in."""
    out = bytearray(data)
    for dummy in range(rng.randrange(1, 6)):
        at = rng.randrange(len(out)) if out else 0
        how = rng.randrange(5)
        if how == 0 and out:
            out[at] = rng.choice((0, 1, 2, 4, 8, 0x28, 0x29, 0x61, 0x76, 0x7B, 0x7F, 0xFF, rng.randrange(256)))
        elif how == 1:
            del out[at : at + rng.randrange(1, 9)]
        elif how == 2:
            out[at:at] = rng.choice(
                (b"()", b"a()", b"v", b"\0", b"(((", b"a{sv}", b"\xff\xff\xff\xff", out[at : at + 40])
            )
        elif how == 3 and len(out) >= at + 4:
            out[at : at + 4] = rng.randrange(1 << 32).to_bytes(4, "little")
        else:
            out += out[: rng.randrange(64)]
    return bytes(out)


SEEDS = seeds()
TOKENS = [b"()", b"a()", b"v", b"\0", b"(((", b"a{sv}", b"\xff\xff\xff\xff", b"l\x02\x01\x01", b"B\x02\x01\x01"]
