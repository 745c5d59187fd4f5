# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that take the short way are the same as those of jeepney, and bad ones are refused as ever."""

from __future__ import annotations

import random
import socket
import threading
import typing as t

import jeepney.low_level as dbus
import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, Connection
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.messages import (
    MEMBER,
    REPLY_SERIAL,
    SIGNATURE,
    Reader,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput

FIELDS = dbus.HeaderFields
UNITS = "a(ssssssouso)"
ROW = ("a.service", "äö", "loaded", "active", "running", "", "/org/a", 7, "start", "/")


def serialised(
    signature: str, body: tuple[t.Any, ...], serial: int = 3, order: dbus.Endianness = dbus.Endianness.little
) -> bytes:
    fields = {FIELDS.reply_serial: serial, FIELDS.signature: signature}
    header = dbus.Header(order, dbus.MessageType.method_return, 0, 1, -1, 1, fields)
    return bytes(dbus.Message(header, body).serialise(1))


def read(message: bytes, reader: Reader | None = None) -> tuple[dict[int, t.Any], tuple[t.Any, ...]]:
    reader = reader or Reader(dbus)
    fields, start = reader.header(message)
    return fields, reader.body(message, start, fields.get(SIGNATURE, ""))


@pytest.mark.parametrize("destination", [None, "org.freedesktop.systemd1"])
@pytest.mark.parametrize(
    "call",
    [
        Call("/", "i.f", "Nothing"),
        Call("/org/freedesktop/systemd1/unit/a_2eservice", "org.freedesktop.DBus.Properties", "Get", "ss", ("i.f", "ä")),
        Call("/p", "i.f", "Echo", "s", ("",)),
        Call("/pp", "i.f", "Echo", "sss", ("a", "bc", "def")),
        Call("/p", "i.f", "StartUnitWithFlags", "sst", ("a.service", "replace", 2**64 - 1)),
        Call("/p", "i.f", "Numbers", "tts", (0, 1, "x")),
        Call("/ppp", "org.freedesktop.DBus", "AddMatch", "s", ("x" * 20000,)),
    ],
    ids=lambda value: value.member if isinstance(value, Call) else "",
)
def test_calls_are_those_of_jeepney(call: Call, destination: str | None) -> None:
    ours, theirs = socket.socketpair()
    with theirs, Connection(ours, dbus, destination) as connection:
        for number in range(1, 20):
            raw = connection._encode(call)
            parser = dbus.Parser()
            parser.add_data(raw)
            message = parser.get_next_message()
            assert message is not None
            assert message.header.serial == number
            assert message.body == call.body
            assert message.header.fields == {
                FIELDS.path: call.path,
                FIELDS.interface: call.interface,
                FIELDS.member: call.member,
                **({FIELDS.signature: call.signature} if call.signature else {}),
                **(
                    {FIELDS.destination: destination if call.interface == "i.f" or "Prop" in call.interface else "org.freedesktop.DBus"}
                    if destination
                    else {}
                ),
            }
            assert len(connection._awaited) == number


@pytest.mark.parametrize(
    "call",
    [
        Call("/p", "i.f", "Echo", "s", ("\ud800",)),
        Call("/p", "i.f", "Echo", "s", (7,)),
        Call("/p", "i.f", "Echo", "ss", ("a",)),
        Call("p", "i.f", "Echo", "s", ("a",)),
        Call("/p", "i.f", "Echo", "t", (-1,)),
        Call("/p", "i.f", "Echo", "t", (2**64,)),
        Call("/p", "i.f", "Echo", "t", ("1",)),
    ],
)
def test_calls_that_cannot_be(call: Call) -> None:
    ours, theirs = socket.socketpair()
    with theirs, Connection(ours, dbus) as connection, pytest.raises(BadInput):
        connection._encode(call)


@pytest.mark.parametrize("order", list(dbus.Endianness))
@pytest.mark.parametrize("rows", [[], [ROW], [ROW, ("x" * 30, *ROW[1:]), ROW], [("", *ROW[1:]), ROW]])
def test_rows(rows: list[t.Any], order: dbus.Endianness) -> None:
    assert read(serialised(UNITS, (rows,), order=order))[1] == (rows,)
    assert read(serialised(f"s{UNITS}u", ("x", rows, 4), order=order))[1] == ("x", rows, 4)


def test_rows_are_read_once_for_all_of_one_text() -> None:
    (rows,) = read(serialised(UNITS, ([ROW, ROW],)))[1]
    assert rows[0][2] is rows[1][2]


@pytest.mark.parametrize("order", list(dbus.Endianness))
def test_rows_like_those_before(order: dbus.Endianness) -> None:
    """Columns that are as in a row before, or nearly, at any alignment."""
    chance = random.Random(7)
    texts, numbers = ["", "a", "ab", "abc", "abcd", "x" * 15, "x" * 16, "x" * 30], [0, 1, 2, 0xFFFFFFFF]
    paths = ["/", "/a", "/ab", f"/{'x' * 14}", f"/{'x' * 30}"]
    kinds: dict[str, list[t.Any]] = {"s": texts, "u": numbers, "o": paths}
    for signature in ("ssssssouso", "su", "us", "oo", "uu"):
        rows = [tuple(chance.choice(kinds[kind][: chance.choice((2, 9))]) for kind in signature) for _row in range(300)]
        assert read(serialised(f"a({signature})", (rows,), order=order))[1] == (rows,)


def test_bad_rows() -> None:
    """Whatever single byte is another one, reading ends in values or in an error."""
    good = serialised(UNITS, ([ROW, ROW],))
    refused = 0
    for at in range(16, len(good)):
        for value in (0, 1, 0x7F, 0xFF):
            try:
                read(good[:at] + bytes((value,)) + good[at + 1 :])
            except Exception:  # any: the connection makes one of them
                refused += 1
    assert refused > len(good)
    for bad in ("no path", "//", ""):
        raw = serialised("a(su)", ([("/ok" if bad else "", 1)],))
        assert read(raw)[1]
        with pytest.raises(ValueError, match="no object path"):
            Reader(dbus).body(raw.replace(b"/ok", bad.encode()[:3].ljust(3, b"x")), Reader(dbus).header(raw)[1], "a(ou)")
    raw = serialised(UNITS, ([ROW],))
    start = Reader(dbus).header(raw)[1]
    with pytest.raises(ValueError, match="does not end"):
        Reader(dbus).body(raw[:start] + (4).to_bytes(4, "little") + raw[start + 4 :], start, UNITS)


def test_headers_that_are_known_keep_their_number() -> None:
    reader = Reader(dbus)
    for serial in (3, 4, 1 << 31):
        fields, body = read(serialised("s", ("x",), serial), reader)
        assert (fields, body) == ({REPLY_SERIAL: serial, SIGNATURE: "s"}, ("x",))
    # What the caller does with the fields is its own affair.
    fields[MEMBER] = "changed"
    assert read(serialised("s", ("x",), 9), reader)[0] == {REPLY_SERIAL: 9, SIGNATURE: "s"}
    assert read(serialised("u", (5,), 9), reader)[1] == (5,)
    for number in range(2000):
        read(serialised("s" * (number % 200), ("x",) * (number % 200), number + 1), reader)
    assert len(reader._headers) <= 500


def test_a_bus_is_not_asked_more_at_once_than_it_takes() -> None:
    """dbus-daemon fails the 129th call that waits for its answer."""
    ours, theirs = socket.socketpair()

    def answer() -> None:
        parser = dbus.Parser()
        for _number in range(250):
            message = parser.get_next_message()
            while message is None:
                parser.add_data(theirs.recv(1 << 16))
                message = parser.get_next_message()
            theirs.sendall(serialised("s", (str(message.header.serial),), message.header.serial))

    thread = threading.Thread(target=answer)
    thread.start()
    with theirs, Connection(ours, dbus, "some.name", default_timeout=30) as connection:
        waiting = []
        encode = connection._encode

        def seen(call: Call) -> bytes:
            raw = encode(call)
            waiting.append(len(connection._awaited))
            return raw

        connection._encode = seen  # type: ignore[method-assign,assignment]
        replies = connection.call_many([Call("/p", "i.f", "Echo", "s", ("x",))] * 250)
        thread.join()
    assert replies == [(str(number),) for number in range(1, 251)]
    assert max(waiting) <= 128
