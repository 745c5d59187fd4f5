# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire: a connection against a peer that speaks D-Bus from a script."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import typing as t
from pathlib import Path

import jeepney.auth
import jeepney.low_level as dbus
import pytest
from jeepney.fds import FileDescriptor

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, Connection, connect
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.messages import Reader

FIELDS = dbus.HeaderFields


def message(kind: dbus.MessageType, fields: dict[t.Any, t.Any], body: tuple[t.Any, ...] = ()) -> bytes:
    header = dbus.Header(dbus.Endianness.little, kind, 0, 1, -1, 1, fields)
    return bytes(dbus.Message(header, body).serialise(1))


def answer(serial: int, text: str) -> bytes:
    return message(dbus.MessageType.method_return, {FIELDS.reply_serial: serial, FIELDS.signature: "s"}, (text,))


def error(serial: int, name: str, text: str) -> bytes:
    fields = {FIELDS.reply_serial: serial, FIELDS.error_name: name, FIELDS.signature: "s"}
    return message(dbus.MessageType.error, fields, (text,))


def signal(member: str, text: str) -> bytes:
    fields = {FIELDS.path: "/p", FIELDS.interface: "i.f", FIELDS.member: member, FIELDS.signature: "s"}
    return message(dbus.MessageType.signal, fields, (text,))


@pytest.fixture
def pair() -> t.Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, dbus, default_timeout=5)
    yield connection, theirs
    connection.close()
    theirs.close()


def calls(number: int) -> list[Call]:
    return [Call("/p", "i.f", "Echo", "s", (str(index),)) for index in range(number)]


def test_answers_come_back_in_the_order_of_the_calls(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    peer.sendall(answer(3, "c") + answer(1, "a") + answer(2, "b"))
    assert connection.call_many(calls(3)) == [("a",), ("b",), ("c",)]


def test_all_calls_are_sent_before_any_answer_is_awaited(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    heard: list[tuple[str, ...]] = []

    def serve() -> None:
        parser = dbus.Parser()
        while len(heard) < 3:
            heard.extend(found.body for found in parser.feed(peer.recv(4096)))
        peer.sendall(answer(1, "a") + answer(2, "b") + answer(3, "c"))

    thread = threading.Thread(target=serve)
    thread.start()
    assert connection.call_many(calls(3)) == [("a",), ("b",), ("c",)]
    thread.join()
    assert heard == [("0",), ("1",), ("2",)]


def test_messages_in_pieces(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair

    def serve() -> None:
        for byte in answer(1, "in pieces"):
            peer.sendall(bytes([byte]))

    thread = threading.Thread(target=serve)
    thread.start()
    assert connection.call(calls(1)[0]) == ("in pieces",)
    thread.join()


def test_more_than_the_sockets_hold_in_both_directions(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    long = "x" * 2000

    def serve() -> None:
        parser, number = dbus.Parser(), 0
        while number < 2000:
            for dummy in parser.feed(peer.recv(65536)):
                number += 1
                peer.sendall(answer(number, long))

    thread = threading.Thread(target=serve)
    thread.start()
    replies = connection.call_many([Call("/p", "i.f", "Echo", "s", (long,)) for dummy in range(2000)])
    thread.join()
    assert replies == [(long,)] * 2000


def test_errors(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    peer.sendall(answer(1, "a") + error(2, "e.Bad", "no"))
    first, second = connection.call_many(calls(2))
    assert first == ("a",)
    assert (second.name, second.text) == ("e.Bad", "no")
    peer.sendall(error(3, "e.Bad", "no"))
    with pytest.raises(CallFailed, match="no"):
        connection.call(calls(1)[0])


def test_only_wanted_signals_are_parsed(
    pair: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, peer = pair
    parsed: list[bytes] = []
    parse = Reader.header

    def count(self: Reader, message: bytes) -> t.Any:
        parsed.append(message)
        return parse(self, message)

    monkeypatch.setattr(Reader, "header", count)
    removed = connection.want("JobRemoved")
    peer.sendall(
        signal("PropertiesChanged", "no") + signal("JobRemoved", "yes") + signal("JobNew", "no") + answer(1, "a")
    )
    assert connection.call(calls(1)[0]) == ("a",)
    assert removed == [("/p", ("yes",))]
    assert len(parsed) == 2


def test_a_member_that_only_looks_alike_is_not_taken(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    removed = connection.want("JobRemoved")
    peer.sendall(signal("JobRemovedToo", "no") + answer(1, "a"))
    connection.call(calls(1)[0])
    assert removed == []


def test_deadline(pair: tuple[Connection, socket.socket]) -> None:
    connection, _peer = pair
    begun = time.monotonic()
    with pytest.raises(BusTimeout):
        connection.call(calls(1)[0], begun + 0.1)
    with pytest.raises(BusTimeout, match="the end of the jobs"):
        connection.wait(lambda: False, time.monotonic() + 0.1, "the end of the jobs")


def test_a_deadline_further_away_than_poll_can_wait(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    peer.sendall(answer(1, "a"))
    assert connection.call(calls(1)[0], time.monotonic() + 2**64 / 1e6) == ("a",)


def test_a_peer_that_goes_away(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    peer.sendall(answer(1, "a"))
    assert connection.call(calls(1)[0]) == ("a",)
    peer.close()
    with pytest.raises(BusUnreachable, match="closed"):
        connection.call(calls(1)[0])


class Server:
    """A listening socket that answers one connection's authentication and notes what it was sent, write by write."""

    def __init__(self, path: str, greeting: bytes = b"OK 0123\r\n", hello: bytes = b"") -> None:
        self.first = b""
        self.then: list[t.Any] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, args=(greeting, hello), daemon=True)
        self._thread.start()

    def _serve(self, greeting: bytes, hello: bytes) -> None:
        peer, _address = self._listener.accept()
        self.first = peer.recv(4096)
        peer.sendall(greeting)
        if hello:
            self.then = dbus.Parser().feed(peer.recv(4096))
            peer.sendall(hello)
        while peer.recv(4096):
            pass

    def close(self) -> None:
        self._listener.close()


def test_authentication_is_one_write(tmp_path: Path) -> None:
    server = Server(str(tmp_path / "private"))
    with connect(str(tmp_path / "private"), dbus, jeepney.auth) as connection:
        assert server.first.startswith(b"\0AUTH EXTERNAL ")
        assert server.first.endswith(b"\r\nBEGIN\r\n")
        assert not connection.is_bus
    server.close()


def test_hello_on_a_bus_alone(tmp_path: Path) -> None:
    server = Server(str(tmp_path / "bus"), hello=answer(1, ":1.1"))
    with connect(str(tmp_path / "bus"), dbus, jeepney.auth, "org.example") as connection:
        assert connection.is_bus
        (hello,) = server.then
        assert hello.header.fields[FIELDS.member] == "Hello"
        assert hello.header.fields[FIELDS.destination] == "org.freedesktop.DBus"
    server.close()


def test_refused_and_missing(tmp_path: Path) -> None:
    with pytest.raises(BusUnreachable, match="No such file"):
        connect(str(tmp_path / "none"), dbus, jeepney.auth)
    server = Server(str(tmp_path / "strict"), b"REJECTED EXTERNAL\r\n")
    with pytest.raises(BusUnreachable, match="cannot connect"):
        connect(str(tmp_path / "strict"), dbus, jeepney.auth)
    server.close()


def test_who_listens_and_does_not_answer(tmp_path: Path) -> None:
    path = str(tmp_path / "private")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        with pytest.raises(BusTimeout, match=f"^{path} did not answer within 0.2 s"):
            connect(path, dbus, jeepney.auth, timeout=0.2)

        def trickle() -> None:
            with server.accept()[0] as slow, contextlib.suppress(OSError):
                for byte in b"OK 0123456789" * 20:
                    slow.sendall(bytes([byte]))
                    time.sleep(0.05)

        # The first one that was left waiting comes before it.
        server.accept()[0].close()
        thread = threading.Thread(target=trickle)
        thread.start()
        with pytest.raises(BusTimeout, match="within 0.3 s"):
            connect(path, dbus, jeepney.auth, timeout=0.3)
        thread.join()


def test_hello_is_refused_or_not_answered(tmp_path: Path) -> None:
    refused = error(1, "org.freedesktop.DBus.Error.LimitsExceeded", "too many")
    server = Server(str(tmp_path / "full"), hello=refused)
    with pytest.raises(BusUnreachable, match=r"cannot connect to .*full: too many"):
        connect(str(tmp_path / "full"), dbus, jeepney.auth, "org.example")
    server.close()
    server = Server(str(tmp_path / "mute"))
    for timeout, told in ((0.2, "0.2"), (-0.01, "0")):
        with pytest.raises(BusTimeout, match=f"mute did not answer within {told} s"):
            connect(str(tmp_path / "mute"), dbus, jeepney.auth, "org.example", timeout=timeout)
    server.close()


def test_file_descriptors_are_passed(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    call = Call("/p", "i.f", "Take", "sah", ("x" * 500_000, []))
    with pytest.raises(BusUnreachable):
        connection.call_with_fds(call)
    connection.takes_fds = True
    source, end = os.pipe()
    call = call._replace(body=("x" * 500_000, [end, end]))
    heard: list[t.Any] = []

    def serve() -> None:
        data, fds, dummy, dummy = socket.recv_fds(peer, 65536, 4)
        parser = dbus.Parser()
        parser.add_data(data, [FileDescriptor(fd) for fd in fds])
        while not heard:
            found = parser.get_next_message()
            if found is None:
                parser.add_data(peer.recv(65536))
            else:
                heard.append(found)
        peer.sendall(answer(1, "taken"))

    thread = threading.Thread(target=serve)
    thread.start()
    assert connection.call_with_fds(call) == ("taken",)
    thread.join()
    os.close(end)
    text, ends = heard[0].body
    assert len(text) == 500_000
    for number, passed in enumerate(ends):
        os.write(passed.fileno(), b"%d" % number)
        passed.close()
    assert os.read(source, 10) == b"01"
    assert os.read(source, 10) == b""
    os.close(source)


@pytest.mark.parametrize("agreed", [True, False])
def test_agreement_on_file_descriptors(tmp_path: Path, agreed: bool) -> None:
    path = str(tmp_path / "bus")
    heard = b""

    def serve() -> None:
        nonlocal heard
        with server.accept()[0] as peer:
            while not heard.endswith(b"BEGIN\r\n"):
                heard += peer.recv(1024)
            # What comes along with the end of the conversation is not lost.
            early = signal("Early", "bird")
            peer.sendall(b"OK 0123\r\n" + (b"AGREE_UNIX_FD\r\n" if agreed else b"ERROR\r\n") + early[:21])
            peer.recv(1024)
            peer.sendall(early[21:] + answer(1, "late"))

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        with connect(path, dbus, jeepney.auth, with_fds=True) as connection:
            assert connection.takes_fds is agreed
            early = connection.want("Early")
            assert connection.call(calls(1)[0]) == ("late",)
            assert early == [("/p", ("bird",))]
        thread.join()
    assert b"NEGOTIATE_UNIX_FD\r\nBEGIN\r\n" in heard
