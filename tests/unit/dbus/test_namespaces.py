# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket is connected by a child that may be ended, or held up, by those among whom it works. Real namespaces are entered on hosts."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import time
import typing as t
from pathlib import Path

import jeepney.auth
import jeepney.low_level as dbus
import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import connect
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable, WrongPeer
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.namespaces import Container, NotEntered, _raise


class Here(Container):
    """No container, but what enters one is a child all the same."""

    def __init__(self, entering: t.Callable[[], None] = lambda: None) -> None:
        self._entering = entering
        self._handles = []
        self._users = []
        self._root = os.open("/", os.O_PATH | os.O_DIRECTORY)

    def _enter(self, libc: t.Any) -> None:
        self._entering()


@pytest.fixture
def sock() -> t.Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> t.Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s"))
        made.listen()
        yield made


def soon(seconds: float = 10) -> float:
    return time.monotonic() + seconds


def refuse(error: BaseException) -> t.Callable[[], None]:
    def act() -> None:
        raise error

    return act


def test_it_is_connected_for_who_made_it(sock: socket.socket, server: socket.socket) -> None:
    path = server.getsockname()
    with Here() as here:
        here.connect(sock, lambda: sock.connect(path), soon())
    peer, _address = server.accept()
    with peer:
        sock.sendall(b"x")
        assert peer.recv(10) == b"x"


def test_the_child_has_nothing_else(sock: socket.socket, tmp_path: Path) -> None:
    """Neither what this process has open, nor what leads into the container; a pipe for its report, and the socket."""
    other = os.open("/", os.O_RDONLY)
    note = str(tmp_path / "open")

    def look() -> None:
        found = sorted(int(name) for name in os.listdir("/proc/self/fd"))
        with open(note, "w") as file:
            file.write(" ".join(str(number) for number in found))

    try:
        with Here() as here:
            here.connect(sock, look, soon())
            # The first one is that of the listing itself.
            first, *seen = [int(word) for word in Path(note).read_text().split()]
            assert first == 0 and len(seen) == 2 and sock.fileno() in seen
            assert other not in seen and here._root not in seen
    finally:
        os.close(other)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ECONNREFUSED, errno.EACCES])
def test_why_it_cannot_be_connected(sock: socket.socket, number: int) -> None:
    with Here() as here, pytest.raises(OSError) as caught:
        here.connect(sock, refuse(OSError(number, "no")), soon())
    assert caught.value.errno == number


def test_why_it_cannot_be_entered(sock: socket.socket) -> None:
    with Here(refuse(PermissionError(errno.EPERM, "no"))) as here, pytest.raises(NotEntered, match="cannot be entered: Operation not permitted"):
        here.connect(sock, lambda: None, soon())


def test_whatever_else_is_raised_ends_the_child_only(sock: socket.socket) -> None:
    me = os.getpid()
    with Here() as here, pytest.raises(NotEntered, match="was ended there"):
        here.connect(sock, refuse(KeyboardInterrupt()), soon())
    assert os.getpid() == me


def test_who_is_killed_there(sock: socket.socket) -> None:
    with Here() as here, pytest.raises(NotEntered, match="was ended there"):
        here.connect(sock, lambda: os.kill(os.getpid(), signal.SIGKILL), soon())


@pytest.mark.parametrize("where", ["entering", "connecting"])
def test_who_is_held_up_there(sock: socket.socket, tmp_path: Path, where: str) -> None:
    """Neither of both processes outlives it."""
    note = tmp_path / "pid"

    def stay() -> None:
        note.write_text(str(os.getpid()))
        while True:
            signal.pause()

    begun = time.monotonic()
    with Here(stay if where == "entering" else lambda: None) as here, pytest.raises(socket.timeout):
        here.connect(sock, stay, soon(0.5))
    assert time.monotonic() - begun < 5
    pid = int(note.read_text())
    end = soon()
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < end, "it lives on"


@pytest.mark.parametrize("report", [b"", b"c", b"x0", b"c-1", b"cx", b"c99999", b"c0" * 50, b"\xff\xff"])
def test_a_report_that_is_none(report: bytes) -> None:
    with pytest.raises(NotEntered, match="was ended there"):
        _raise(report)


class TestOfAConnection:
    def to(self, server: socket.socket, pid: int, seconds: float = 5) -> t.Any:
        with Here() as here:
            return connect(server.getsockname(), dbus, jeepney.auth, timeout=seconds, who="the manager", way=here.connect, peer_pid=pid)

    def test_somebody_else_listens(self, server: socket.socket) -> None:
        with pytest.raises(WrongPeer, match=f"process {os.getpid()} of uid {os.geteuid()} listens there, where the manager.*is process 1;"):
            self.to(server, 1)
        peer, _address = server.accept()
        with peer:
            assert peer.recv(10) == b"", "nothing is sent before the peer is known"

    def test_nobody_listens(self, server: socket.socket) -> None:
        path = server.getsockname()
        server.close()
        with Here() as here, pytest.raises(BusUnreachable, match="Connection refused"):
            connect(path, dbus, jeepney.auth, way=here.connect, peer_pid=os.getpid())

    def test_nothing_is_connected_at_all(self, server: socket.socket) -> None:
        """The child's word is worth nothing."""
        with pytest.raises(WrongPeer):
            connect("/none", dbus, jeepney.auth, way=lambda sock, attempt, deadline: None, peer_pid=os.getpid())

    def test_silence(self, server: socket.socket) -> None:
        with pytest.raises(BusTimeout, match="the manager at .* did not answer within 0.5 s"):
            self.to(server, os.getpid(), 0.5)

    def test_a_queue_that_is_full(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
            server.bind(str(tmp_path / "full"))
            server.listen(0)
            first.connect(str(tmp_path / "full"))
            with pytest.raises(BusTimeout, match="did not answer within 0.5 s"):
                self.to(server, os.getpid(), 0.5)
