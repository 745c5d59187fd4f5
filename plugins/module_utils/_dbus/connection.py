# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to a bus or to a peer: pipelined calls, wanted signals, deadlines.

Bytes become messages in jeepney; this file only frames them. Framing here, instead of in jeepney's parser, lets signals
nobody waits for be dropped before their bodies are parsed: on systemd's private socket every PropertiesChanged of
every unit arrives unasked, and parsing them would cost more than everything else.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable, CallFailed

# Numbers of the D-Bus specification, "Message Format"; jeepney's enums are slower to build than these are to read.
_CALL, _RETURN, _ERROR, _SIGNAL = 1, 2, 3, 4
# Bytes of calls after which sending begins.
_CHUNK = 1 << 13
# Seconds to wait in one go; poll(2) takes no more than 24 days, and deadlines may be much further away, or `infinity`.
_LONGEST = 1e6
# Seconds for an answer where nobody says. Systemd answers nobody while it reloads, and gives each generator 90 s.
_PATIENCE = 90.0
_PROPERTIES = "org.freedesktop.DBus.Properties"


class Call(t.NamedTuple):
    """A method call: object path, interface, member, and the arguments with their signature."""

    path: str
    interface: str
    member: str
    signature: str = ""
    body: tuple[t.Any, ...] = ()


def get_property(path: str, interface: str, name: str) -> Call:
    """The call that reads one property; its result is a variant, ``(signature, value)``."""
    return Call(path, _PROPERTIES, "Get", "ss", (interface, name))


class Connection:
    """A blocking D-Bus connection with pipelining.

    :param sock: a connected, authenticated stream socket; the connection owns it.
    :param low_level: the module ``jeepney.low_level``.
    :param destination: bus name that calls go to; None on a peer-to-peer socket, which has no names.
    :param default_timeout: seconds one batch of calls may take where the caller gives no deadline.
    """

    def __init__(
        self, sock: socket.socket, low_level: t.Any, destination: str | None = None, default_timeout: float = _PATIENCE
    ) -> None:
        self._sock = sock
        self._dbus = low_level
        self._destination = destination
        self.default_timeout = default_timeout
        self._serial = 0
        # Whether the peer agreed to take file descriptors.
        self.takes_fds = False
        self._buffer = bytearray()
        self._replies: dict[int, t.Any] = {}
        self._signals: dict[bytes, list[t.Any]] = {}
        self._poll = select.poll()
        sock.setblocking(False)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def is_bus(self) -> bool:
        """Whether a bus with names and matches is at the other end, rather than the peer itself."""
        return self._destination is not None

    def close(self) -> None:
        """Close the socket; calls under way are lost."""
        self._sock.close()

    def want(self, member: str) -> list[t.Any]:
        """Keep signals of this member from now on: returns the list that ``(path, body)`` pairs are added to."""
        return self._signals.setdefault(member.encode(), [])

    def call(self, call: Call, deadline: float | None = None) -> tuple[t.Any, ...]:
        """Send one call and return the body of its reply.

        :param deadline: on the clock of ``time.monotonic()``.
        :raises CallFailed: the peer answered with an error.
        """
        reply = self.call_many([call], deadline)[0]
        if isinstance(reply, CallFailed):
            raise reply
        return reply

    def call_with_fds(self, call: Call, deadline: float | None = None) -> tuple[t.Any, ...]:
        """The same for a call that passes file descriptors: where its signature says `h`, its body holds one.

        The peer gets duplicates; the caller's own stay open.

        :raises BusUnreachable: the peer takes no file descriptors; see `connect`.
        """
        if not self.takes_fds:
            raise BusUnreachable("the bus takes no file descriptors")
        if deadline is None:
            deadline = time.monotonic() + self.default_timeout
        import array

        fds = array.array("i")
        self._serial += 1
        serial = self._serial
        view = memoryview(self._encode(call, serial, fds))
        # They go with the first byte of the message; the rest may follow in any number of writes.
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
        sent = 0
        while serial not in self._replies:
            if sent:
                sent += self._turn(view[sent:], deadline, "an answer")
                continue
            self._poll.register(self._sock, select.POLLOUT)
            if not self._poll.poll(min(max(0.0, deadline - time.monotonic()), _LONGEST) * 1000):
                raise BusTimeout("the time allowed was over before the call could be sent")
            try:
                sent = self._sock.sendmsg([view], passed)
            except BlockingIOError:
                continue
            except OSError as e:
                raise _closed(e) from e
        reply = self._replies.pop(serial)
        if isinstance(reply, CallFailed):
            raise reply
        return t.cast("tuple[t.Any, ...]", reply)

    def call_many(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        """Send all calls, then wait for all replies.

        Returns, in the order of ``calls``, the body of each reply (a tuple), or the CallFailed it was answered with.
        """
        if deadline is None:
            deadline = time.monotonic() + self.default_timeout
        first = self._serial + 1
        out = bytearray()
        for call in calls:
            self._serial += 1
            out += self._encode(call, self._serial)
            if len(out) >= _CHUNK:
                # The peer works on these while the next ones are made.
                del out[: self._send(memoryview(bytes(out)))]
        missing = range(first, self._serial + 1)
        view, sent, at = memoryview(bytes(out)), 0, 0
        while True:
            while at < len(missing) and missing[at] in self._replies:
                at += 1
            if at == len(missing):
                break
            sent += self._turn(view[sent:], deadline, "an answer")
        return [self._replies.pop(serial) for serial in missing]

    def wait(self, until: t.Callable[[], bool], deadline: float, what: str = "a signal") -> None:
        """Receive until ``until()`` is true; it is asked after each message batch.

        :raises BusTimeout: the deadline passed first; ``what`` is named in its text.
        """
        while not until():
            self._turn(memoryview(b""), deadline, what)
            # Signals come one by one and in thousands; to look at each at once takes the processor from who sends them.
            time.sleep(0.004)

    def _encode(self, call: Call, serial: int, fds: t.Any = None) -> bytes:
        d = self._dbus
        fields = {d.HeaderFields.path: call.path, d.HeaderFields.interface: call.interface}
        fields[d.HeaderFields.member] = call.member
        if self._destination is not None:
            bus_call = call.interface == "org.freedesktop.DBus"
            fields[d.HeaderFields.destination] = "org.freedesktop.DBus" if bus_call else self._destination
        if call.signature:
            fields[d.HeaderFields.signature] = call.signature
        header = d.Header(d.Endianness.little, d.MessageType.method_call, 0, 1, -1, serial, fields)
        return t.cast(bytes, d.Message(header, call.body).serialise(serial, fds))

    def _turn(self, out: memoryview, deadline: float, what: str) -> int:
        """One round of the loop: send what fits, receive what is there. Returns how many bytes were sent."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise BusTimeout(f"the time allowed was over before {what} came")
        self._poll.register(self._sock, select.POLLIN | (select.POLLOUT if len(out) else 0))
        if not self._poll.poll(min(left, _LONGEST) * 1000):
            return 0
        sent = 0
        try:
            if len(out):
                sent = self._send(out)
            try:
                data = self._sock.recv(1 << 18)
            except BlockingIOError:
                return sent
        except OSError as e:
            raise _closed(e) from e
        if not data:
            raise BusUnreachable("the bus closed the connection")
        self._buffer += data
        self._take_messages()
        return sent

    def _send(self, out: memoryview) -> int:
        """Send what the socket takes without waiting; returns how many bytes that were."""
        try:
            return self._sock.send(out)
        except BlockingIOError:
            return 0
        except OSError as e:
            raise _closed(e) from e

    def _take_messages(self) -> None:
        buffer, pos, size = self._buffer, 0, len(self._buffer)
        while size - pos >= 16:
            order: t.Literal["little", "big"] = "little" if buffer[pos] == 0x6C else "big"
            fields = int.from_bytes(buffer[pos + 12 : pos + 16], order)
            header = (16 + fields + 7) & ~7
            end = pos + header + int.from_bytes(buffer[pos + 4 : pos + 8], order)
            if end > size:
                break
            self._take(buffer[pos + 1], buffer, pos, pos + header, end)
            pos = end
        del buffer[:pos]

    def _take(self, kind: int, buffer: bytearray, start: int, body: int, end: int) -> None:
        fields = self._dbus.HeaderFields
        if kind == _SIGNAL:
            # A cheap look first: the member's name is somewhere in the header of each signal that is wanted.
            for member in self._signals:
                if buffer.find(member, start, body) >= 0:
                    break
            else:
                return
        elif kind == _CALL:
            return
        message = self._dbus.Message.from_buffer(bytes(buffer[start:end]))
        found = message.header.fields
        if kind == _SIGNAL:
            wanted = self._signals.get(found[fields.member].encode())
            if wanted is not None:
                wanted.append((found[fields.path], message.body))
        elif kind == _RETURN:
            self._replies[found[fields.reply_serial]] = message.body
        elif kind == _ERROR:
            text = message.body[0] if message.body and isinstance(message.body[0], str) else ""
            self._replies[found[fields.reply_serial]] = CallFailed(found[fields.error_name], text)


def _closed(error: OSError) -> BusUnreachable:
    return BusUnreachable(f"the bus closed the connection: {error.strerror or error}")


def connect(
    path: str,
    low_level: t.Any,
    auth: t.Any,
    destination: str | None = None,
    timeout: float = _PATIENCE,
    with_fds: bool = False,
) -> Connection:
    """Connect to a Unix socket, authenticate as the effective user, and say Hello where it is a bus.

    :param path: file system path of the socket.
    :param auth: the module ``jeepney.auth``.
    :param destination: as for Connection; None means peer to peer, where Hello would never be answered.
    :param timeout: seconds for all of it.
    :param with_fds: ask the peer to take file descriptors; `takes_fds` of the connection says whether it agreed.
    :raises BusUnreachable: with the errno in ``data`` where there is one.
    :raises BusTimeout: somebody listens there, but does not answer.
    """
    deadline = time.monotonic() + timeout
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    sock.settimeout(timeout)
    try:
        sock.connect(path)
        # All of the conversation in one write. Were BEGIN sent later, it could arrive together with the first call, and
        # systemd's private socket does not look at what follows BEGIN in its buffer until more comes.
        ask = b"NEGOTIATE_UNIX_FD\r\n" if with_fds else b""
        sock.sendall(b"\0" + auth.make_auth_external() + ask + auth.BEGIN)
        answer = b""
        while answer.count(b"\r\n") < (2 if with_fds else 1):
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            data = sock.recv(1024)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "closed during authentication")
            answer += data
            if not answer.startswith(b"OK "[: len(answer)]):
                raise PermissionError(errno.EACCES, "authentication refused")
    except socket.timeout as e:
        sock.close()
        raise _busy(path, timeout) from e
    except OSError as e:
        sock.close()
        text = os.strerror(e.errno) if e.errno else str(e)
        raise BusUnreachable(f"cannot connect to {path}: {text}", errno=e.errno) from e
    connection = Connection(sock, low_level, destination)
    lines = answer.split(b"\r\n", 2 if with_fds else 1)
    connection.takes_fds = with_fds and lines[1] == b"AGREE_UNIX_FD"
    # Messages may have come along already.
    connection._buffer += lines[-1]
    if destination is not None:
        try:
            connection.call(Call("/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello"), deadline)
        except BusTimeout as e:
            connection.close()
            raise _busy(path, timeout) from e
        except CallFailed as e:
            connection.close()
            raise BusUnreachable(f"cannot connect to {path}: {e.msg}") from e
        except BaseException:
            connection.close()
            raise
    return connection


def _busy(path: str, timeout: float) -> BusTimeout:
    return BusTimeout(
        f"{path} did not answer within {timeout:g} s, so who listens there is busy (systemd while it reloads) or hangs; "
        "run the task again when the host has calmed down"
    )
