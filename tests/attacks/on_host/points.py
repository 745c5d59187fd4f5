# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The points at which a process can be cut short: before each thing that it does to files, and around each call on the bus.

Nothing of the code under attack is named here. Python tells of what is done to files and of processes that are started
(its audit events); what goes over a stream socket is taken apart into the messages of D-Bus.

What is done to a file is done, or not, when the call returns: so the point after one event is the point before the next. A call
on the bus has one more, when it was sent and not answered yet. Calls that only read change nothing; any number of them in a row
is one point. So runs that differ in how often they looked have the same points.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import typing as t

FILE, BUS, PROCESS = "file", "bus", "process"

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FILE_EVENTS = frozenset(
    "os.chmod os.chown os.link os.mkdir os.removexattr os.remove os.rename os.rmdir os.setxattr os.symlink "
    "os.truncate os.utime".split()
)
# Calls that change nothing which anybody else could see. What is not known here counts as a change.
_READING = frozenset(
    "AddMatch Get GetAll GetDefaultTarget GetJob GetUnit GetUnitByPID GetUnitFileLinks GetUnitFileState GetUserByPID "
    "Hello Introspect ListJobs ListUnitFiles ListUnitFilesByPatterns ListUnits ListUnitsByNames ListUnitsByPatterns "
    "ListUsers LoadUnit GetNameOwner NameHasOwner Peer Ping Subscribe GetUser GetUnitProcesses".split()
)


class Points:
    """Counts the points of this process, and does something at one of them.

    :param kinds: the kinds of points that count.
    :param at: the number of the point at which `act` is called, from 1 on; 0 is never.
    :param act: is told the kind and what is about to be done, and does not return, or raises, or returns.
    :param ignored: directories that do not matter.
    """

    def __init__(
        self, kinds: t.Container[str], at: int, act: t.Callable[[str, str], None], ignored: t.Sequence[str] = ()
    ) -> None:
        self._kinds = kinds
        self._at = at
        self._act = act
        self._ignored = tuple(f"{path}/" for path in ignored)
        self._acting = False
        self._only_read = False
        self.told: list[tuple[str, str]] = []
        # A child that outlives its task is not cut short with it.
        self._pid = 0

    def install(self) -> None:
        """Watch this process from now on, and for good."""
        self._pid = os.getpid()
        sys.addaudithook(self._audit)
        started = subprocess.Popen.__init__
        fsync, write = os.fsync, os.write
        send, sendall, sendmsg = socket.socket.send, socket.socket.sendall, socket.socket.sendmsg

        def watched_start(process: t.Any, *args: t.Any, **options: t.Any) -> None:
            started(process, *args, **options)
            self.point(PROCESS, f"started {_words(process.args)}")

        def watched_fsync(file: t.Any) -> None:
            self.point(FILE, "fsync")
            fsync(file)

        def watched_write(file: int, data: t.Any) -> int:
            if file > 2:
                self.point(FILE, "write")
            return write(file, data)

        def watched_send(sock: socket.socket, data: t.Any, *flags: t.Any) -> int:
            return self._send(sock, bytes(data), lambda piece: send(sock, piece, *flags))

        def watched_sendall(sock: socket.socket, data: t.Any, *flags: t.Any) -> None:
            def all_of_it(piece: bytes) -> int:
                sendall(sock, piece, *flags)
                return len(piece)

            self._send(sock, bytes(data), all_of_it)

        def watched_sendmsg(sock: socket.socket, buffers: t.Any, *others: t.Any) -> int:
            buffers = list(buffers)
            members = _members(sock, b"".join(bytes(each) for each in buffers))
            for member, _end in members:
                self._call(member, "call")
            sent = sendmsg(sock, buffers, *others)
            for member, _end in members:
                self._call(member, "called")
            return sent

        replacements: list[tuple[t.Any, str, t.Any]] = [
            (subprocess.Popen, "__init__", watched_start),
            (os, "fsync", watched_fsync),
            (os, "write", watched_write),
            (socket.socket, "send", watched_send),
            (socket.socket, "sendall", watched_sendall),
            (socket.socket, "sendmsg", watched_sendmsg),
        ]
        for holder, name, function in replacements:
            setattr(holder, name, function)

    def point(self, kind: str, what: str) -> None:
        """Something is about to be done."""
        if self._acting or os.getpid() != self._pid:
            return
        self._only_read = what == "read"
        if kind not in self._kinds:
            return
        self.told.append((kind, what))
        if len(self.told) == self._at:
            self._acting = True
            try:
                self._act(kind, what)
            finally:
                self._acting = False

    # -- files and processes

    def _audit(self, event: str, args: tuple[t.Any, ...]) -> None:
        if self._acting or os.getpid() != self._pid:
            return
        if event == "open":
            path, _mode, flags = args
            if isinstance(path, int) or not flags & _WRITING:
                return
        elif event == "subprocess.Popen":
            self.point(PROCESS, f"start {_words(args[1])}")
            return
        elif event not in _FILE_EVENTS:
            return
        words = [os.fsdecode(each) for each in args if isinstance(each, (str, bytes))]
        if any(word.startswith((*self._ignored, "/dev/")) for word in words[:1]):
            return
        self.point(FILE, " ".join([event, *words[:2]]))

    # -- the bus

    def _send(self, sock: socket.socket, data: bytes, send: t.Callable[[bytes], int]) -> int:
        members = _members(sock, data)
        if not members:
            return send(data)
        sent = begin = 0
        for member, end in members:
            self._call(member, "call")
            if member in _READING and end != members[-1][1]:
                continue
            sent += send(data[begin:end])
            if sent < end:
                return sent
            begin = end
            self._call(member, "called")
        return sent

    def _call(self, member: str, when: str) -> None:
        if member not in _READING:
            self.point(BUS, f"{when} {member}")
        elif when == "call" and not self._only_read:
            self.point(BUS, "read")


def _words(args: t.Any) -> str:
    return os.fsdecode(args) if isinstance(args, (str, bytes)) else " ".join(os.fsdecode(word) for word in args)


def _members(sock: socket.socket, data: bytes) -> list[tuple[str, int]]:
    """The method calls in what is sent, as (member, where the message ends); what is none of D-Bus has none.

    The last one ends with the data, even if it is not all there.
    """
    if sock.family != socket.AF_UNIX or sock.type & 0xF != socket.SOCK_STREAM:
        return []
    found, at = [], 0
    while len(data) - at >= 16 and data[at : at + 1] in (b"l", b"B") and data[at + 3] == 1:
        order = "<" if data[at : at + 1] == b"l" else ">"
        (body,) = struct.unpack_from(f"{order}I", data, at + 4)
        (fields,) = struct.unpack_from(f"{order}I", data, at + 12)
        head = at + 16 + fields
        end = at + ((16 + fields + 7) & ~7) + body
        found.append((_member(data[at + 16 : head], order), end))
        at = end
    if found:
        found[-1] = (found[-1][0], len(data))
    return found


def _member(fields: bytes, order: str) -> str:
    """The member among the header's fields: code 3, a string."""
    at = 0
    while at < len(fields):
        at = (at + 7) & ~7
        code, size = fields[at], fields[at + 1]
        signature = fields[at + 2 : at + 2 + size]
        at += 3 + size
        if signature == b"g":
            at += fields[at] + 2
            continue
        at = (at + 3) & ~3
        (number,) = struct.unpack_from(f"{order}I", fields, at)
        at += 4
        if signature in (b"s", b"o"):
            if code == 3:
                return fields[at : at + number].decode()
            at += number + 1
    return ""
