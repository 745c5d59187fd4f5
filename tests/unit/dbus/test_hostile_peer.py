# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens may be anybody, and may send anything: it ends in one error that names it, in time and within limits."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
import typing as t
from pathlib import Path

import jeepney.auth
import jeepney.low_level as dbus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import connection as wire
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, Connection, connect
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import (
    BadMessage,
    BusTimeout,
    BusUnreachable,
    WrongPeer,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import ANSWERS
from tests.attacks import fuzz_wire

ME = os.geteuid()
MODULE_UTILS = Path(wire.__file__).parents[1]
ECHO = Call("/p", "i.f", "Echo")


@contextlib.contextmanager
def listener(path: Path, speak: t.Callable[[socket.socket], None]) -> t.Iterator[list[bytes]]:
    """Listens at *path* and speaks to the first who comes; yields what that one sent first."""
    heard: list[bytes] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as peer:
            heard.append(peer.recv(4096))
            speak(peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        # Wakes up who still accepts.
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)
        assert not thread.is_alive()


def silent(peer: socket.socket) -> None:
    peer.recv(1)


def to(path: Path, **more: t.Any) -> Connection:
    return connect(str(path), dbus, jeepney.auth, **{"who": "the manager of me", "timeout": 5.0, **more})


class TestWhoListens:
    def test_somebody_else(self, tmp_path: Path) -> None:
        with listener(tmp_path / "s", silent) as heard, pytest.raises(WrongPeer) as caught:
            to(tmp_path / "s", peer_uid=ME + 1)
        assert heard in ([], [b""]), "nothing is sent before the peer is known"
        for word in (str(tmp_path / "s"), f"uid {ME}", f"uid {ME + 1}", "the manager of me"):
            assert word in caught.value.msg

    def test_who_should(self, tmp_path: Path) -> None:
        (tmp_path / "systemd").mkdir()
        path = tmp_path / "systemd" / "s"
        with listener(path, lambda peer: peer.sendall(b"OK 1\r\n")):
            to(path, peer_uid=ME, inside=str(tmp_path)).close()

    @pytest.mark.parametrize("what", ["socket", "directory", "top"])
    def test_links_on_the_way(self, tmp_path: Path, what: str) -> None:
        real = tmp_path / "real"
        (real / "systemd").mkdir(parents=True)
        inside = tmp_path / "user"
        if what == "top":
            inside.symlink_to(real)
        elif what == "directory":
            inside.mkdir()
            (inside / "systemd").symlink_to(real / "systemd")
        else:
            (inside / "systemd").mkdir(parents=True)
            (inside / "systemd" / "private").symlink_to(real / "systemd" / "private")
        with listener(real / "systemd" / "private", silent) as heard, pytest.raises(WrongPeer, match="a link"):
            to(inside / "systemd" / "private", peer_uid=ME, inside=str(inside))
        assert heard in ([], [b""])

    def test_no_socket(self, tmp_path: Path) -> None:
        (tmp_path / "private").write_text("")
        with pytest.raises(WrongPeer, match="not a socket"):
            to(tmp_path / "private", peer_uid=ME, inside=str(tmp_path))

    def test_nothing_there(self, tmp_path: Path) -> None:
        for path in (tmp_path / "private", tmp_path / "none" / "private"):
            with pytest.raises(BusUnreachable, match="No such file"):
                to(path, peer_uid=ME, inside=str(tmp_path))

    @pytest.mark.skipif(ME != 0, reason="only root can give a directory away")
    def test_a_directory_of_somebody_else(self, tmp_path: Path) -> None:
        (tmp_path / "systemd").mkdir()
        os.chown(tmp_path / "systemd", 65534, 65534)
        with pytest.raises(WrongPeer, match="uid 65534"):
            to(tmp_path / "systemd" / "private", peer_uid=ME, inside=str(tmp_path))

    @pytest.mark.skipif(ME != 0, reason="only root can give a directory away")
    def test_a_directory_that_is_not_given_away_yet(self, tmp_path: Path) -> None:
        with pytest.raises(BusUnreachable):
            to(tmp_path / "private", peer_uid=1000, inside=str(tmp_path))


class TestAuthentication:
    """All of it has one deadline and one limit, whatever keeps coming."""

    def test_without_end(self, tmp_path: Path) -> None:
        def speak(peer: socket.socket) -> None:
            peer.sendall(b"OK ")
            while True:
                peer.sendall(b"x" * 65536)

        with listener(tmp_path / "s", speak), pytest.raises(BadMessage, match="the manager of me at .* has no end"):
            to(tmp_path / "s", timeout=60.0)

    def test_byte_by_byte(self, tmp_path: Path) -> None:
        def speak(peer: socket.socket) -> None:
            peer.sendall(b"OK ")
            while True:
                peer.sendall(b"x")
                time.sleep(0.02)

        begun = time.monotonic()
        with listener(tmp_path / "s", speak), pytest.raises(BusTimeout, match="raise `timeout`"):
            to(tmp_path / "s", timeout=0.3)
        assert time.monotonic() - begun < 3

    def test_a_full_queue(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server, contextlib.ExitStack() as stack:
            server.bind(str(tmp_path / "s"))
            server.listen(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                    waiting.setblocking(False)
                    waiting.connect(str(tmp_path / "s"))
            with pytest.raises(BusTimeout):
                to(tmp_path / "s", timeout=0.2)


@pytest.fixture
def pair() -> t.Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, dbus, default_timeout=5, who="the peer", trusted=False)
    yield connection, theirs
    connection.close()
    theirs.close()


def header(fields: int = 16, body: int = 0, kind: int = 2, order: bytes = b"l", version: int = 1) -> bytes:
    """The first 16 bytes of a message."""
    return order + bytes([kind, 0, version]) + body.to_bytes(4, "little") + b"\1\0\0\0" + fields.to_bytes(4, "little")


ANSWER = fuzz_wire.message(dbus.MessageType.method_return, 1, "s")


class TestMessages:
    @pytest.mark.parametrize(
        "data",
        [
            header(body=0xFFFFFFF0),
            header(fields=0xFFFFFFF0),
            header(fields=(1 << 26) + 8),
            header(body=(1 << 24) + 1),
            header(order=b"x"),
            header(version=2),
            header(kind=0) + bytes(16),
            header() + bytes(16),
            # unknown serials, and one without
            ANSWER.replace(b"u\0\1\0\0\0", b"u\0\2\0\0\0"),
            ANSWER.replace(b"u\0\1\0\0\0", b"u\0\0\0\0\0"),
            ANSWER.replace(b"\5\1u", b"\6\1u"),
            # a string that is longer than the message, and one that is no UTF-8
            ANSWER[:-6] + b"\xff\0\0\0a\0",
            ANSWER[:-2] + b"\xff\0",
            # a signature that goes on, one of nothing, one that is none
            ANSWER.replace(b"g\0\1s", b"g\0\1)"),
            ANSWER.replace(b"g\0\1s", b"g\0\1a"),
        ],
    )
    def test_bad(self, pair: tuple[Connection, socket.socket], data: bytes) -> None:
        connection, peer = pair
        peer.sendall(data)
        with pytest.raises(BadMessage, match="^the peer "):
            connection.call(ECHO)
        with pytest.raises(BusUnreachable):
            connection.call(ECHO)

    def test_arrays_of_nothing_do_not_go_on_for_ever(self, pair: tuple[Connection, socket.socket]) -> None:
        connection, peer = pair
        plain = fuzz_wire.message(dbus.MessageType.method_return, 1, "v")
        assert b"\2as\0" in plain
        peer.sendall(plain.replace(b"\2as\0", b"\3a()", 1)[:-1])
        peer.sendall(bytes(64))
        with pytest.raises(BadMessage):
            connection.call(ECHO)

    def test_variants_in_variants(self, pair: tuple[Connection, socket.socket]) -> None:
        connection, peer = pair
        body = b"\1v\0" * 50_000 + b"\1y\0\7"
        start = fuzz_wire.message(dbus.MessageType.method_return, 1, "v")
        fields = int.from_bytes(start[12:16], "little")
        peer.sendall(start[:4] + len(body).to_bytes(4, "little") + start[8 : (16 + fields + 7) & ~7])
        thread = threading.Thread(target=lambda: peer.sendall(body))
        thread.start()
        with pytest.raises(BadMessage):
            connection.call(ECHO)
        thread.join()

    def test_all_answers_together(
        self, pair: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection, peer = pair
        connection._all = 10 * len(ANSWER)
        peer.sendall(b"".join(fuzz_wire.message(dbus.MessageType.method_return, n, "s") for n in range(1, 12)))
        with pytest.raises(BadMessage, match="altogether"):
            connection.call_many([ECHO] * 11)

    def test_answers_that_come_too_late(self, pair: tuple[Connection, socket.socket]) -> None:
        connection, peer = pair
        with pytest.raises(BusTimeout, match=r"from the peer, within 0\.05 s; .* raise `timeout`"):
            connection.call(ECHO, time.monotonic() + 0.05)
        peer.sendall(ANSWER + fuzz_wire.message(dbus.MessageType.method_return, 2, "s"))
        assert connection.call(ECHO) == ("a",)
        assert not connection._replies and not connection._awaited

    def test_what_was_not_sent_in_time_is_sent_whole(self, pair: tuple[Connection, socket.socket]) -> None:
        connection, peer = pair
        long = Call("/p", "i.f", "Echo", "s", ("x" * 2_000_000,))
        with pytest.raises(BusTimeout):
            connection.call(long, time.monotonic() + 0.05)
        heard: list[t.Any] = []

        def serve() -> None:
            parser = dbus.Parser()
            while len(heard) < 2:
                heard.extend(parser.feed(peer.recv(65536)))
            peer.sendall(fuzz_wire.message(dbus.MessageType.method_return, 2, "s"))

        thread = threading.Thread(target=serve)
        thread.start()
        assert connection.call(ECHO) == ("a",)
        thread.join()
        assert [found.header.serial for found in heard] == [1, 2]

    def test_what_d_bus_cannot_carry(self, pair: tuple[Connection, socket.socket]) -> None:
        connection, peer = pair
        for signature, value in (("s", "\udc80"), ("t", 1 << 64), ("s", 5), ("o", "no")):
            with pytest.raises(BadInput, match="^Echo cannot be asked of the peer"):
                connection.call(Call("/p", "i.f", "Echo", signature, (value,)))
        peer.sendall(ANSWER)
        assert connection.call(ECHO) == ("a",)

    def test_signals_nobody_looks_at(
        self, pair: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection, peer = pair
        one = fuzz_wire.message(dbus.MessageType.signal, 0, "s", path="/p", interface="i.f", member="M")
        monkeypatch.setattr(wire, "_UNSEEN", 100 * len(one))
        found = connection.want("M")
        peer.sendall(one * 250 + ANSWER)
        connection.call(ECHO)
        assert 50 <= len(found) <= 100

    def test_signals_of_other_objects(self, pair: tuple[Connection, socket.socket]) -> None:
        connection, peer = pair
        mine, all_of_them = connection.want("M", "/mine"), connection.want("M")
        for path in ("/mine", "/other"):
            peer.sendall(fuzz_wire.message(dbus.MessageType.signal, 0, "s", path=path, interface="i.f", member="M"))
        peer.sendall(ANSWER)
        connection.call(ECHO)
        assert [path for path, _body in mine] == ["/mine"]
        assert [path for path, _body in all_of_them] == ["/mine", "/other"]


class TestSenders:
    """On a bus, anybody may send a signal to anybody."""

    @pytest.fixture
    def bus(self) -> t.Iterator[tuple[Connection, socket.socket]]:
        ours, theirs = socket.socketpair()
        connection = Connection(ours, dbus, "org.example", default_timeout=5)
        yield connection, theirs
        connection.close()
        theirs.close()

    def signal(self, sender: str, member: str = "M", body: tuple[str, ...] = ("a",)) -> bytes:
        d = dbus.HeaderFields
        fields = {d.path: "/p", d.interface: "i.f", d.member: member, d.sender: sender, d.signature: "s" * len(body)}
        kind = dbus.MessageType.signal
        return bytes(dbus.Message(dbus.Header(dbus.Endianness.little, kind, 0, 1, -1, 1, fields), body).serialise(1))

    def test_only_the_owner_of_the_name_is_believed(self, bus: tuple[Connection, socket.socket]) -> None:
        connection, peer = bus
        found = connection.want("M")
        connection.follow_owner()
        peer.sendall(fuzz_wire.message(dbus.MessageType.method_return, 1, "s", sender=":1.5"))
        connection.call(ECHO)
        moved = ("org.example", ":1.5", ":1.7")
        for data in (
            self.signal(":1.6", body=("no",)),
            self.signal(":1.6", "NameOwnerChanged", ("org.example", ":1.5", ":1.6")),
            self.signal(":1.5", body=("yes",)),
            self.signal("org.freedesktop.DBus", "NameOwnerChanged", ("org.other", ":1.5", ":1.6")),
            self.signal("org.freedesktop.DBus", "NameOwnerChanged", moved),
            self.signal(":1.5", body=("gone",)),
            self.signal(":1.7", body=("new",)),
        ):
            peer.sendall(data)
        peer.sendall(fuzz_wire.message(dbus.MessageType.method_return, 2, "s", sender=":1.7"))
        connection.call(ECHO)
        assert [body for _path, body in found] == [("yes",), ("new",)]
        assert connection.moves == 1


# -- whatever comes


@settings(max_examples=300, deadline=20_000)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes(data: bytes) -> None:
    fuzz_wire.one_input(data)


@settings(max_examples=500, deadline=20_000)
@given(st.sampled_from(fuzz_wire.SEEDS), st.randoms(use_true_random=False))
def test_any_damage(data: bytes, rng: t.Any) -> None:
    fuzz_wire.one_input(fuzz_wire.damaged(rng, data))


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=2000), st.integers(1, 400))
def test_any_bytes_over_a_real_socket_end_within_the_deadline(data: bytes, piece: int) -> None:
    ours, theirs = socket.socketpair()
    with theirs, Connection(ours, dbus, who="the peer", trusted=False) as connection:
        for at in range(0, len(data), piece):
            theirs.sendall(data[at : at + piece])
        begun = time.monotonic()
        with pytest.raises((BadMessage, BusTimeout)):
            connection.call(ECHO, begun + 0.02)
        assert time.monotonic() - begun < 2


SIGNATURES = sorted({*ANSWERS.values(), "v", "a{sv}", "i", "as", "ay", "a(uu)", "(ss)"})


# The last one says whether there was a good answer.
@pytest.mark.parametrize("which", range(len(fuzz_wire.CALLS) - 1))
def test_answers_of_another_type(which: int) -> None:
    """Each method of Manager takes one type of answer, and refuses all others in so many words."""
    taken = []
    for signature in SIGNATURES:
        answers = [fuzz_wire.message(dbus.MessageType.method_return, n, signature) for n in range(1, 30)]
        manager = fuzz_wire.manager(b"".join(answers))
        try:
            fuzz_wire.CALLS[which](manager)
            taken.append(signature)
        except BadMessage as e:
            assert e.msg.startswith("the bus ")
        except SystemdError:
            # It answered what was asked, but ended before the next question.
            taken.append(signature)
    # Without a bus, to watch is to ask nothing.
    assert len(taken) <= 1 or which in (16, 18), taken


def test_every_method_that_is_called_has_a_type() -> None:
    called = set()
    for path in MODULE_UTILS.rglob("*.py"):
        text = path.read_text()
        called |= set(re.findall(r'Call\(\s*MANAGER_PATH,\s*MANAGER,\s*"(\w+)"', text))
        called |= set(re.findall(r'(?:manager|self)\.call\(\s*"([A-Z]\w+)"', text))
        called |= set(re.findall(r'^    "[a-z-]+": "(\w+Unit)",$', text, re.MULTILINE))
    assert len(called) > 20
    assert called <= set(ANSWERS)
