# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to a bus or to a peer: pipelined calls, wanted signals, deadlines, and nothing believed that was not checked.

Bytes become messages in jeepney (see messages.py); this file only frames them. Framing here, instead of in jeepney's parser,
lets signals nobody waits for be dropped before their bodies are parsed: on systemd's private socket every PropertiesChanged of
every unit arrives unasked, and parsing them would cost more than everything else.

A peer may be anybody: the manager of a user is a process of that user, and root's tasks talk to it. So whatever it sends ends
in values of the expected types or in one error that names it, within the deadline and within limits of memory.
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import sys
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import (
    BadMessage,
    BusTimeout,
    BusUnreachable,
    CallFailed,
    WrongPeer,
)
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.messages import (
    ERROR_NAME,
    MEMBER,
    ORDERS,
    PATH,
    REPLY_SERIAL,
    SENDER,
    SIGNATURE,
    Reader,
    is_path,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput

# Numbers of the D-Bus specification, "Message Format"; jeepney's enums are slower to build than these are to read.
_CALL, _RETURN, _ERROR, _SIGNAL = 1, 2, 3, 4
# Bytes of calls after which sending begins.
_CHUNK = 1 << 13
# Calls that a bus is sent before their answers have come: dbus-daemon lets nobody have more than 128 of them
# (max_replies_per_connection of its system.conf) and fails those beyond.
_PENDING = 100
# Questions of which it is kept how they are written.
_KEPT = 200
# Seconds to wait in one go; poll(2) takes no more than 24 days, and deadlines may be much further away, or `infinity`.
_LONGEST = 1e6
# Seconds for an answer where nobody says. Systemd answers nobody while it reloads, and gives each generator 90 s.
_PATIENCE = 90.0
# The specification's limits of a message, and of the array of its header's fields.
_LARGEST, _LARGEST_HEADER = 1 << 27, 1 << 26
# The same for peers that are not root, as root's memory pays. The longest answer of a manager is the list of its units, some
# 300 bytes each: this is enough for 50,000 of them, and all answers of one batch for all properties of 2,500.
_LARGEST_OF_OTHERS, _ALL_OF_OTHERS = 1 << 24, 1 << 26
# Bytes of signals that nobody has looked at yet; the older half goes when there are more. 80,000 ends of jobs.
_UNSEEN = 1 << 24
# Bytes of a whole authentication, which has two lines of less than 100.
_LONGEST_AUTH = 1 << 14

_BUS = "org.freedesktop.DBus"
_BUS_PATH = "/org/freedesktop/DBus"
_PROPERTIES = "org.freedesktop.DBus.Properties"
# What methods answer and signals say, by member, as far as every peer has them.
_KNOWN = {
    "Get": "v",
    "GetAll": "a{sv}",
    "Set": "",
    "Hello": "s",
    "AddMatch": "",
    "NameOwnerChanged": "sss",
    "PropertiesChanged": "sa{sv}as",
}


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
    :param who: whom the user would say is at the other end, for errors.
    :param trusted: whether the specification's limits hold for the peer, or narrower ones.

    Every method that receives raises BadMessage where the peer sends what it must not.
    """

    def __init__(
        self,
        sock: socket.socket,
        low_level: t.Any,
        destination: str | None = None,
        default_timeout: float = _PATIENCE,
        who: str = "the bus",
        trusted: bool = True,
    ) -> None:
        self._sock = sock
        self._dbus = low_level
        self._destination = destination
        self.default_timeout = default_timeout
        # On the clock of time.monotonic(): when the calls for which the caller gives no deadline have to be over, all of them.
        self.all_until = math.inf
        self.who = who
        # Signatures by member, of answers and of the bodies of signals, and by name those of properties. What is not
        # listed may have any type.
        self.known: dict[str, str] = _KNOWN
        self.property_types: t.Mapping[str, str] = {}
        # On a bus, the unique name of who answers for the destination, and how often it went to another process.
        self.owner: str | None = None
        self.moves = 0
        # Whether the peer agreed to take file descriptors.
        self.takes_fds = False
        self._largest = _LARGEST if trusted else _LARGEST_OF_OTHERS
        self._all = None if trusted else _ALL_OF_OTHERS
        self._closed = False
        self._serial = 0
        self._reader = Reader(low_level)
        # Fields of the headers of calls, but for the path, by interface, member and signature.
        self._starts: dict[tuple[t.Any, ...], bytes] = {}
        # Of questions for properties, what they ask for, and how that is written.
        self._asked: dict[tuple[t.Any, ...], bytes] = {}
        self._out = bytearray()
        self._buffer = bytearray()
        self._awaited: dict[int, Call] = {}
        self._replies: dict[int, t.Any] = {}
        # Bytes that the messages in _replies had.
        self._held = 0
        # By member and path, which is None for those of all objects.
        self._signals: dict[bytes, dict[str | None, list[_Wanted]]] = {}
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

    def is_dead(self) -> bool:
        """Whether this side closed the connection, or the other one did: what is sent now would reach nobody."""
        if not self._closed:
            self._poll.register(self._sock, 0)
            # Asked for or not, it tells of these two.
            self._closed = any(found & (select.POLLHUP | select.POLLERR) for _fd, found in self._poll.poll(0))
        return self._closed

    def close(self) -> None:
        """Close the socket; calls under way are lost."""
        self._closed = True
        self._sock.close()

    def want(self, member: str, path: str | None = None, found: list[t.Any] | None = None) -> list[t.Any]:
        """Keep signals of this member from now on: returns the list that ``(path, body)`` pairs are added to.

        On a bus these are the destination's alone, since anybody may send a signal to anybody. Where nobody empties
        the list, it loses its older half from time to time.

        :param path: keep only those of this object.
        :param found: the list, where there is one already.
        """
        wanted = _Wanted([] if found is None else found)
        self._signals.setdefault(member.encode(), {}).setdefault(path, []).append(wanted)
        return wanted.found

    def follow_owner(self) -> Call:
        """The call after which `owner` and `moves` are kept up to date; for a bus."""
        self.want("NameOwnerChanged")
        rule = f"type='signal',sender='{_BUS}',interface='{_BUS}',member='NameOwnerChanged',arg0='{self._destination}'"
        return Call(_BUS_PATH, _BUS, "AddMatch", "s", (rule,))

    def call(self, call: Call, deadline: float | None = None) -> tuple[t.Any, ...]:
        """Send one call and return the body of its reply.

        :param deadline: on the clock of ``time.monotonic()``.
        :raises CallFailed: the peer answered with an error.
        """
        reply = self.call_many([call], deadline)[0]
        if isinstance(reply, CallFailed):
            raise reply
        return t.cast("tuple[t.Any, ...]", reply)

    def call_with_fds(self, call: Call, deadline: float | None = None) -> tuple[t.Any, ...]:
        """The same for a call that passes file descriptors: where its signature says `h`, its body holds one.

        The peer gets duplicates; the caller's own stay open.

        :raises BusUnreachable: the peer takes no file descriptors; see `connect`.
        """
        if not self.takes_fds:
            raise BusUnreachable(f"{self.who} takes no file descriptors")
        begun, deadline = self._times(deadline)
        import array

        fds = array.array("i")
        message = memoryview(self._encode(call, fds))
        # They go with the first byte of the message; the rest may follow in any number of writes.
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
        serial = self._serial
        try:
            while self._out:
                self._turn(begun, deadline, "an answer")
            while True:
                if self._ready(select.POLLOUT, begun, deadline, "the call being taken"):
                    try:
                        self._out += message[self._sock.sendmsg([message], passed) :]
                        break
                    except BlockingIOError:
                        continue
                    except OSError as e:
                        raise self._lost(e) from e
            reply = self._collect([serial], begun, deadline)[0]
        finally:
            self._forget([serial])
        if isinstance(reply, CallFailed):
            raise reply
        return t.cast("tuple[t.Any, ...]", reply)

    def call_many(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        """Send all calls, then wait for all replies.

        Returns, in the order of ``calls``, the body of each reply (a tuple), or the CallFailed it was answered with.
        """
        begun, deadline = self._times(deadline)
        if not self.is_bus or len(calls) <= _PENDING:
            return self._call_all(calls, begun, deadline)
        replies: list[t.Any] = []
        for start in range(0, len(calls), _PENDING):
            replies += self._call_all(calls[start : start + _PENDING], begun, deadline)
        return replies

    def _call_all(self, calls: t.Sequence[Call], begun: float, deadline: float) -> list[t.Any]:
        first = self._serial + 1
        try:
            for call in calls:
                self._out += self._encode(call)
                if len(self._out) >= _CHUNK:
                    # The peer works on these while the next ones are made.
                    self._send()
            return self._collect(range(first, self._serial + 1), begun, deadline)
        finally:
            self._forget(range(first, self._serial + 1))

    def wait(self, until: t.Callable[[], bool], deadline: float, what: str = "a signal") -> None:
        """Receive until ``until()`` is true; it is asked after each message batch.

        :raises BusTimeout: the deadline passed first; ``what`` is named in its text.
        """
        begun, deadline = self._times(deadline)
        while not until():
            self._turn(begun, deadline, what)
            # Signals come one by one and in thousands; to look at each at once takes the processor from who sends them.
            time.sleep(0.004)

    def _times(self, deadline: float | None) -> tuple[float, float]:
        """Now, and the deadline of what begins now.

        :raises BusUnreachable: the connection was closed, by this side or because of what came over it.
        """
        if self._closed:
            raise self._lost()
        begun = time.monotonic()
        return begun, self.end_of_call(begun) if deadline is None else deadline

    def end_of_call(self, begun: float) -> float:
        """The deadline of a call that begins then, and for which nobody gives one."""
        return min(begun + self.default_timeout, self.all_until)

    def _collect(self, serials: t.Sequence[int], begun: float, deadline: float) -> list[t.Any]:
        at = 0
        while True:
            while at < len(serials) and serials[at] in self._replies:
                at += 1
            if at == len(serials):
                return [self._replies[serial] for serial in serials]
            self._turn(begun, deadline, "an answer")

    def _forget(self, serials: t.Iterable[int]) -> None:
        """Nobody waits for these any more; what answers them later is dropped."""
        self._held = 0
        for serial in serials:
            self._awaited.pop(serial, None)
            self._replies.pop(serial, None)

    def _encode(self, call: Call, fds: t.Any = None) -> bytes:
        serial = self._serial + 1
        if fds is None and not call.signature.strip("st") and is_path(call.path):
            # Most calls by far, by the thousand.
            try:
                quick = self._encode_simple(call, serial)
            except (TypeError, UnicodeEncodeError, OverflowError):
                # Below it is said why.
                pass
            else:
                self._serial = serial
                self._awaited[serial] = call
                return quick
        d = self._dbus
        fields = {d.HeaderFields.path: call.path, d.HeaderFields.interface: call.interface}
        fields[d.HeaderFields.member] = call.member
        if self._destination is not None:
            fields[d.HeaderFields.destination] = _BUS if call.interface == _BUS else self._destination
        if call.signature:
            fields[d.HeaderFields.signature] = call.signature
        header = d.Header(d.Endianness.little, d.MessageType.method_call, 0, 1, -1, serial, fields)
        try:
            message: bytes = d.Message(header, call.body).serialise(serial, fds)
        except Exception as e:  # struct.error, UnicodeEncodeError, TypeError, ...: it depends on the type
            raise BadInput(
                f"{call.member} cannot be asked of {self.who}, since D-Bus cannot carry one of the values ({e}); correct it"
            ) from e
        self._serial = serial
        self._awaited[serial] = call
        return message

    def _encode_simple(self, call: Call, serial: int) -> bytes:
        """A call of which all arguments, if any, are texts and numbers of 64 bits.

        :raises TypeError: they are not, or not as many as the signature says, or not short.
        :raises OverflowError: a number is none of 64 bits.
        """
        key = call[1:4]
        start = self._starts.get(key)
        if start is None:
            fields = [(2, "s", call.interface), (MEMBER, "s", call.member)]
            if self._destination is not None:
                fields.append((6, "s", _BUS if call.interface == _BUS else self._destination))
            start = b"".join(_field(*field) for field in fields)
            if call.signature:
                start += _padded(b"\x08\x01g\0%c%s\0" % (len(call.signature), call.signature.encode()), 8)
            self._starts[key] = start
        path = call.path.encode()
        # The last field of the header is not padded in its length.
        last = b"\x01\x01o\0" + len(path).to_bytes(4, "little") + path + b"\0"
        asked = (call.signature, call.body)
        body = self._asked.get(asked) if call.interface == _PROPERTIES else None
        if body is None:
            body = _simple_body(*asked)
            if call.interface == _PROPERTIES:
                # The same properties are asked for of all units.
                if len(self._asked) >= _KEPT:
                    self._asked.clear()
                self._asked[asked] = body
        return b"".join(
            (
                b"l\x01\0\x01",
                len(body).to_bytes(4, "little"),
                serial.to_bytes(4, "little"),
                (len(start) + len(last)).to_bytes(4, "little"),
                start,
                _padded(last, 8),
                body,
            )
        )

    def _ready(self, events: int, begun: float, deadline: float, what: str) -> bool:
        """Wait until the socket can be read or written; returns false where it has to be asked again.

        :raises BusTimeout: the deadline has passed.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            given = deadline - begun
            if given <= 0:
                raise BusTimeout(
                    f"the time allowed was over before {self.who} could be asked; raise `timeout`, or ask for less at once"
                )
            raise BusTimeout(
                f"the time allowed was over before {what} came from {self.who}, within {given:.3g} s; it is busy (as systemd "
                "is while it reloads) or hangs; raise `timeout`, or run the task again when the host has calmed down"
            )
        self._poll.register(self._sock, events)
        return bool(self._poll.poll(min(left, _LONGEST) * 1000))

    def _turn(self, begun: float, deadline: float, what: str) -> None:
        """One round of the loop: send what fits, receive what is there."""
        if not self._ready(select.POLLIN | (select.POLLOUT if self._out else 0), begun, deadline, what):
            return
        self._send()
        try:
            data = self._sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as e:
            raise self._lost(e) from e
        if not data:
            raise self._lost()
        self._buffer += data
        try:
            self._take_messages()
        except BadMessage:
            self.close()
            raise

    def _send(self) -> None:
        """Send what the socket takes without waiting."""
        if not self._out:
            return
        try:
            with memoryview(self._out) as view:
                sent = self._sock.send(view)
        except BlockingIOError:
            return
        except OSError as e:
            raise self._lost(e) from e
        del self._out[:sent]

    def _lost(self, error: OSError | None = None) -> BusUnreachable:
        self.close()
        why = f" ({error.strerror or error})" if error else ""
        return BusUnreachable(
            f"{self.who} closed the connection{why}, as it does when it ends, is restarted or executes itself anew; "
            "run the task again"
        )

    def _bad(self, what: str) -> BadMessage:
        return BadMessage(
            f"{self.who} {what}; it is not what it should be, or damaged: find out what listens there, and restart it"
        )

    def _take_messages(self) -> None:
        buffer, pos, size = self._buffer, 0, len(self._buffer)
        # Of each member that somebody wants signals of, where its name is next; of all, the first of these.
        places = dict.fromkeys(self._signals, -1)
        nearest = -1 if places else size
        while size - pos >= 16:
            order = ORDERS.get(buffer[pos])
            if order is None or buffer[pos + 3] != 1:
                raise self._bad("sent what is no message of D-Bus")
            length, fields = order.lengths(buffer, pos + 4)
            header = (16 + fields + 7) & ~7
            length += header
            if fields > _LARGEST_HEADER or length > self._largest:
                raise self._bad(
                    f"sent a message of {length >> 20} MiB, where {self._largest >> 20} MiB are the most that is taken"
                )
            if pos + length > size:
                break
            kind = buffer[pos + 1]
            if kind == _SIGNAL and nearest < pos:
                for member, at in places.items():
                    if at < pos:
                        found = buffer.find(member, pos)
                        places[member] = size if found < 0 else found
                nearest = min(places.values())
            # On systemd's private socket most messages are signals that nobody waits for: their names are looked for in all at once.
            if kind != _SIGNAL or nearest < pos + header:
                self._take(kind, bytes(buffer[pos : pos + length]))
            pos += length
        del buffer[:pos]

    def _take(self, kind: int, message: bytes) -> None:
        if kind not in (_SIGNAL, _RETURN, _ERROR):
            # Calls are nobody's business here, and types of later versions are to be ignored.
            if not kind:
                raise self._bad("sent what is no message of D-Bus")
            return
        try:
            fields, at = self._reader.header(message)
            if kind == _SIGNAL:
                self._take_signal(message, at, fields)
            else:
                self._take_reply(message, at, fields, kind == _ERROR)
        except BadMessage:
            raise
        except Exception as e:
            raise self._bad(f"sent a message that cannot be read ({type(e).__name__}: {e})") from e

    def _take_signal(self, message: bytes, at: int, fields: dict[int, t.Any]) -> None:
        member, path, sender = fields[MEMBER], fields[PATH], fields.get(SENDER)
        of_member = self._signals.get(member.encode(), {})
        lists = [*of_member.get(None, ()), *of_member.get(path, ())]
        if not lists:
            return
        if self._destination is not None and sender != self.owner:
            # Without a name the bus says nothing, and it is the only one that can say this.
            if sender == _BUS and member == "NameOwnerChanged":
                name, _before, now = self._body(message, at, fields, member)
                if name == self._destination:
                    self.owner = now or None
                    self.moves += 1
            return
        body = self._body(message, at, fields, member)
        if member == "PropertiesChanged":
            self._check_values(body[1])
        for each in lists:
            each.add((path, body), len(message))

    def _take_reply(self, message: bytes, at: int, fields: dict[int, t.Any], failed: bool) -> None:
        serial = fields[REPLY_SERIAL]
        call = self._awaited.pop(serial, None)
        if call is None:
            if not 0 < serial <= self._serial:
                raise self._bad("answered a question that it was not asked")
            # Whoever asked that was not prepared to wait so long.
            return
        self._held += len(message)
        if self._all is not None and self._held > self._all:
            raise self._bad(f"answered with more than {self._all >> 20} MiB altogether")
        if failed:
            body = self._reader.body(message, at, fields.get(SIGNATURE, ""))
            text = body[0] if body and isinstance(body[0], str) else ""
            self._replies[serial] = CallFailed(fields[ERROR_NAME], text)
            return
        if call.interface != _BUS:
            # The bus lets nobody answer but who was asked.
            self.owner = fields.get(SENDER)
        self._replies[serial] = body = self._body(message, at, fields, call.member)
        if call.interface == _PROPERTIES:
            if call.member == "Get":
                self._check_values({call.body[1]: body[0]})
            elif call.member == "GetAll":
                self._check_values(body[0])

    def _body(self, message: bytes, at: int, fields: dict[int, t.Any], member: str) -> tuple[t.Any, ...]:
        """The values of a message, whose types are known before they are read."""
        signature = fields.get(SIGNATURE, "")
        if self.known.get(member, signature) != signature:
            raise self._bad(f"sent values of type {signature!r} with {member}, which are {self.known[member]!r}")
        return self._reader.body(message, at, signature)

    def _check_values(self, values: dict[str, t.Any]) -> None:
        types = self.property_types
        for name, (signature, _value) in values.items():
            if types.get(name, signature) != signature:
                raise self._bad(f"says that the property {name} is of type {signature!r}, which is {types[name]!r}")


def _padded(data: bytes, to: int) -> bytes:
    return data + bytes(-len(data) % to)


def _simple_body(signature: str, values: tuple[t.Any, ...]) -> bytes:
    """Texts and numbers of 64 bits as the body of a message; raises as `Connection._encode_simple`."""
    if len(values) != len(signature):
        raise TypeError
    body = b""
    for kind, value in zip(signature, values):
        if kind == "t":
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError
            body = _padded(body, 8) + value.to_bytes(8, "little")
            continue
        if not isinstance(value, str) or "\0" in value or len(value) > _CHUNK:
            raise TypeError
        raw = value.encode()
        body = _padded(body, 4) + len(raw).to_bytes(4, "little") + raw + b"\0"
    return body


def _field(number: int, kind: str, text: str) -> bytes:
    """A field of a header, padded for the next one to begin."""
    raw = text.encode()
    return _padded(b"%c\x01%s\0%s%s\0" % (number, kind.encode(), len(raw).to_bytes(4, "little"), raw), 8)


class _Wanted:
    """Signals that somebody looks at, sooner or later."""

    def __init__(self, found: list[t.Any]) -> None:
        self.found = found
        self._size = 0

    def add(self, signal: tuple[str, tuple[t.Any, ...]], size: int) -> None:
        self._size = self._size + size if self.found else size
        if self._size > _UNSEEN:
            del self.found[: (len(self.found) + 1) // 2]
            self._size //= 2
        self.found.append(signal)


def connect(
    path: str,
    low_level: t.Any,
    auth: t.Any,
    destination: str | None = None,
    timeout: float = _PATIENCE,
    with_fds: bool = False,
    who: str = "",
    peer_uid: int | None = None,
    inside: str | None = None,
    way: t.Callable[[socket.socket, t.Callable[[], None], float], None] | None = None,
    peer_pid: int | None = None,
) -> Connection:
    """Connect to a Unix socket, authenticate as the effective user, and say Hello where it is a bus.

    :param path: file system path of the socket.
    :param auth: the module ``jeepney.auth``.
    :param destination: as for Connection; None means peer to peer, where Hello would never be answered.
    :param timeout: seconds for all of it.
    :param with_fds: ask the peer to take file descriptors; `takes_fds` of the connection says whether it agreed.
    :param who: whom the user would say is there, for errors, such as `systemd`.
    :param peer_uid: the user who must listen there (unix(7), SO_PEERCRED: who called listen(2), which for a socket of
        a socket unit is the manager); anybody where None. A peer that is neither root nor told to be anybody
        has narrower limits.
    :param inside: a directory above the socket from which on everything must be *peer_uid*'s own, and nothing a link.
    :param way: connects the socket where the path is none of this host (`Container.connect`): given the socket, what connects
        it once one is where the path is, and the deadline.
    :param peer_pid: the process who must listen there, as `peer_uid`; such a peer has the narrower limits in any case.
    :raises WrongPeer: somebody else listens there, or a link is on the way; nothing has been sent.
    :raises BusUnreachable: with the errno in ``data`` where there is one.
    :raises BusTimeout: somebody listens there, but does not answer.
    :raises BadMessage: who answers does not speak D-Bus.
    """
    deadline = time.monotonic() + min(timeout, _LONGEST)
    who = f"{who} at {path}" if who else path
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    connection = None
    try:
        if way is not None:
            way(sock, lambda: _connect(sock, path, deadline), deadline)
        elif inside is None:
            _connect(sock, path, deadline)
        else:
            from ansible_collections.pidone.systemd.plugins.module_utils._dbus.places import open_inside

            found = open_inside(path, inside, peer_uid)
            try:
                # The very socket that was found, whatever has its name by now.
                _connect(sock, f"/proc/self/fd/{found}", deadline)
            finally:
                os.close(found)
        uid = _check_peer(sock, path, who, peer_uid, peer_pid)
        answer = _authenticate(sock, auth, with_fds, deadline, who)
        lines = answer.split(b"\r\n", 2 if with_fds else 1)
        trusted = peer_pid is None and (peer_uid is None or uid == 0)
        connection = Connection(sock, low_level, destination, who=who, trusted=trusted)
        connection.takes_fds = with_fds and lines[1] == b"AGREE_UNIX_FD"
        # Messages may have come along already.
        connection._buffer += lines[-1]
        if destination is not None:
            connection.call(Call(_BUS_PATH, _BUS, "Hello"), deadline)
    except BaseException as e:
        sock.close()
        if isinstance(e, (socket.timeout, BusTimeout)):
            raise BusTimeout(
                f"{who} did not answer within {max(timeout, 0):.3g} s, so who listens there is busy (systemd while it reloads) or "
                "hangs; raise `timeout`, or run the task again when the host has calmed down"
            ) from e
        if isinstance(e, OSError):
            text = os.strerror(e.errno) if e.errno else str(e)
            raise BusUnreachable(f"cannot connect to {path}: {text}", errno=e.errno) from e
        if isinstance(e, CallFailed):
            raise BusUnreachable(f"cannot connect to {path}: {e.msg}") from e
        raise
    return connection


def _connect(sock: socket.socket, path: str, deadline: float) -> None:
    while True:
        sock.settimeout(_left(deadline))
        try:
            sock.connect(path)
            return
        except BlockingIOError:
            # The queue of who listens is full, and connect(2) does not wait for Unix sockets that are not to block.
            time.sleep(0.01)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("timed out")
    return left


def _check_peer(sock: socket.socket, path: str, who: str, wanted: int | None, wanted_pid: int | None) -> int:
    """Who listens at the other end; a user id."""
    # struct ucred: pid, uid, gid
    found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, uid = (int.from_bytes(found[at : at + 4], sys.byteorder) for at in (0, 4))
    if wanted is not None and uid != wanted:
        raise WrongPeer(
            f"refused to connect to {path}: process {pid} of uid {uid} listens there, where {who} should, which is of "
            f"uid {wanted}; somebody put another socket in its place: find out who, and remove it"
        )
    if wanted_pid is not None and pid != wanted_pid:
        raise WrongPeer(
            f"refused to connect to {path}: process {pid} of uid {uid} listens there, where {who} should, which is process "
            f"{wanted_pid}; find out who that is, and whether a link or mount leads there"
        )
    return uid


def _authenticate(sock: t.Any, auth: t.Any, with_fds: bool, deadline: float, who: str) -> bytes:
    """Say who we are, and what else has to be said before the first message; returns all that was answered."""
    # All of the conversation in one write. Were BEGIN sent later, it could arrive together with the first call, and
    # systemd's private socket does not look at what follows BEGIN in its buffer until more comes.
    ask = b"NEGOTIATE_UNIX_FD\r\n" if with_fds else b""
    sock.settimeout(_left(deadline))
    sock.sendall(b"\0" + auth.make_auth_external() + ask + auth.BEGIN)
    answer = b""
    while answer.count(b"\r\n") < (2 if with_fds else 1):
        if len(answer) > _LONGEST_AUTH:
            raise BadMessage(
                f"{who} does not speak D-Bus: its answer to the authentication has no end; find out what listens there"
            )
        sock.settimeout(_left(deadline))
        data = sock.recv(1024)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "closed during authentication")
        answer += data
        if not answer.startswith(b"OK "[: len(answer)]):
            raise PermissionError(errno.EACCES, "authentication refused")
    return answer
