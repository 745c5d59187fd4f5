# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a socket that is in a container: connected by a process of ours that enters the container for that, and ends.

It has to be there, by all its namespaces and as root of the container: whoever listens sees the numbers of process and user that
connected (SO_PEERCRED), and systemd takes nobody whom it cannot see (bus_get_peercred() of sd-bus). sd-bus does the same for
`systemctl -M` (bus-container.c).

The container may be an enemy, and can see that process while it lives. So it has nothing of this host any more by then, neither
descriptors nor rights, and neither has it what could be taken from a container's root that has no user namespace of its own;
nobody in a user namespace can trace it or read its memory (ptrace(2), "not dumpable"). It runs nothing of the container's: all code
that it needs is loaded before, and no program is executed. Its word is worth nothing, as who listens is seen at the socket, from here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import socket
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

# The namespaces that processes can be in, as files of /proc/PID/ns; that of users is entered after these, which takes the rights of
# this host.
_NAMESPACES = ("pid", "mnt", "net", "ipc", "uts", "cgroup")
# prctl(2) and capset(2).
_SET_DUMPABLE, _SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION = 0x20080522
# Which part of its work the process reports on.
_ENTERING, _CONNECTING = b"e", b"c"


class NotEntered(SystemdError):
    """The container's namespaces cannot be entered from here."""


class Container:
    """Where a container's processes are: its namespaces and root directory, held by descriptors.

    :param leader: a descriptor of the directory /proc/PID of its first process, open as long as this is used.
    :raises OSError: that process has ended, or may not be looked into.
    """

    def __init__(self, leader: int) -> None:
        self._handles: list[int] = []
        self._users: list[int] = []
        try:
            for name in _NAMESPACES:
                self._handles += self._open_namespace(name, leader)
            self._users = self._open_namespace("user", leader)
            self._root = os.open("root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=leader)
        except BaseException:
            self._close_namespaces()
            raise

    @staticmethod
    def _open_namespace(name: str, leader: int) -> list[int]:
        """A descriptor of a namespace; none where this process is in it already, as one cannot enter one's own of users."""
        try:
            handle = os.open(f"ns/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=leader)
        except FileNotFoundError:
            if name in ("pid", "mnt"):
                raise
            # Not in this kernel.
            return []
        if os.path.samestat(os.fstat(handle), os.stat(f"/proc/self/ns/{name}")):
            os.close(handle)
            return []
        return [handle]

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._root)
        self._close_namespaces()

    def _close_namespaces(self) -> None:
        for handle in (*self._handles, *self._users):
            os.close(handle)

    def connect(self, sock: socket.socket, attempt: t.Callable[[], None], deadline: float) -> None:
        """Have a socket of this process connected from within the container.

        :param attempt: connects it, and loads no code for that; it is called in the container.
        :param deadline: on the clock of `time.monotonic()`. Who holds up the process longer (any file system may be mounted there)
            ends it.
        :raises NotEntered: the container cannot be entered.
        :raises OSError: what `attempt` raised; socket.timeout where that was in vain until the deadline.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        reading, writing = os.pipe()
        try:
            child = os.fork()
            if not child:
                try:
                    os.setpgid(0, 0)
                    self._work(libc, sock, attempt, writing)
                finally:
                    os._exit(0)
            try:
                with contextlib.suppress(OSError):
                    # Whichever of both is first.
                    os.setpgid(child, child)
                os.close(writing)
                writing = -1
                report = _read_all(reading, deadline)
            finally:
                _end(child)
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)
        _raise(report)

    def _work(self, libc: t.Any, sock: socket.socket, attempt: t.Callable[[], None], writing: int) -> None:
        """In a child process: enter, and have a child of it connect. A PID namespace is entered only by who is born then."""
        part = _ENTERING
        try:
            _keep_only({*self._handles, *self._users, self._root, sock.fileno(), writing})
            self._enter(libc)
            os.close(self._root)
            self._close_namespaces()
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                return
            part = _CONNECTING
            attempt()
            os.write(writing, part + b"0")
        except OSError as e:
            os.write(writing, part + b"%d" % (e.errno or errno.ETIMEDOUT))

    def _enter(self, libc: t.Any) -> None:
        os.setgroups([])
        for handle in self._handles:
            _check(libc.setns(handle, 0))
        os.fchdir(self._root)
        os.chroot(".")
        for handle in self._users:
            _check(libc.setns(handle, 0))
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        _check(libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0))
        _check(libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        header, none = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
        _check(libc.capset(header, none))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _keep_only(kept: set[int]) -> None:
    """Close all descriptors but these."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                # That by which the directory was listed.
                continue


def _read_all(reading: int, deadline: float) -> bytes:
    """What is written to a pipe until nobody can write to it any more, or until the deadline."""
    report = b""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while len(report) < 100:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(min(left, 1e6) * 1000):
            raise socket.timeout("timed out")
        data = os.read(reading, 100)
        if not data:
            break
        report += data
    return report


def _end(child: int) -> None:
    """End the child and its own, which are a group of processes as long as it has not been waited for."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _raise(report: bytes) -> None:
    """Raise what the process says that went wrong; nothing where nothing did."""
    part, number = report[:1], report[1:].decode("ascii", "replace")
    if part not in (_ENTERING, _CONNECTING) or not (number.isdigit() and len(number) < 5):
        raise NotEntered("what enters it for a moment was ended there")
    if number == "0":
        return
    if int(number) == errno.ETIMEDOUT:
        raise socket.timeout("timed out")
    error = OSError(int(number), os.strerror(int(number)))
    if part == _ENTERING:
        raise NotEntered(f"its namespaces cannot be entered: {error.strerror}") from error
    raise error
