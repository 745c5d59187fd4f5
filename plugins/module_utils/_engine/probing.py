# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying probes: many side by side in one loop, none of which waits longer than it may, whatever the other side does.

A try is a generator. It yields what it waits for (`Wait`) and is sent whether that has come; it returns what is wrong, and
an empty text where the unit answers. Whoever is tired of it closes it, and with it its connection or program.

Loaded only when something is probed.
"""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import sys
import time
import typing as t
from contextlib import closing

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, plain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import ProgramMissing, Running

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.probe import Probe

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
# So many tries are made at a time: each may be a process.
_MOST = 32
# Seconds that one try may take where the other side is asked, so that one that came too early is made again. A command has all the time.
ONE_TRY = 10.0
# Bytes that may come before it is known what a web server answers: what it says in between, and one line.
_HEAD = 1 << 16
# One that had less than so many, since all of them are over, says nothing.
_TOO_SHORT = 1.0
# Seconds between two looks at a program, at first and at most.
_SOON, _LATER = 0.002, 0.05


class Wait(t.NamedTuple):
    """What a try waits for: something on a descriptor (-1: nothing), for so many seconds at most."""

    descriptor: int
    events: int
    seconds: float = 1e6


Try = t.Generator[Wait, bool, str]


class Trial:
    """The tries of one unit.

    :param seconds: how long they may take together, from the first one on; `interval` is what is between two.
    """

    def __init__(self, name: str, probe: Probe) -> None:
        self.name = name
        self.probe = probe
        self.tries = 0
        self.problem = ""
        # All times are those of time.monotonic(). When the next try begins, when all of it is over.
        self.due = 0.0
        self.until = 0.0
        self._try: Try | None = None
        # When this try began, when it is over, and when what it waits for is.
        self._began = 0.0
        self._ends = 0.0
        self._wait = Wait(-1, 0)
        self._wakes = 0.0

    @property
    def runs(self) -> bool:
        """Whether a try is being made."""
        return self._try is not None

    def next_look(self) -> float:
        """When something has to be done, whatever comes until then."""
        return min(self._wakes, self._ends) if self.runs else self.due

    def begin(self, selector: selectors.BaseSelector) -> None:
        """Begin a try."""
        now = time.monotonic()
        self.until = self.until or now + self.probe.seconds
        self.tries += 1
        self._began = now
        self._ends = min(self.until, now + ONE_TRY) if self.probe.kind != "command" else self.until
        self._try = attempt(self.probe)
        self._go_on(selector, None)

    def look(self, selector: selectors.BaseSelector, has_come: bool) -> None:
        """Go on with a try, and end one that takes too long.

        :param has_come: whether what it waits for is there.
        """
        now = time.monotonic()
        if now >= self._ends:
            what = "did not end" if self.probe.kind == "command" else "did not answer"
            told = f"it {what} within {self._ends - self._began:.1f} s"
            short = self.problem and self._ends - self._began < _TOO_SHORT
            self._end(selector, self.problem if short else told)
        elif has_come or now >= self._wakes:
            self._go_on(selector, has_come)

    def close(self, selector: selectors.BaseSelector) -> None:
        """End what is being tried, if anything is."""
        self._release(selector)
        if self._try is not None:
            self._try.close()
            self._try = None

    def _go_on(self, selector: selectors.BaseSelector, has_come: bool | None) -> None:
        self._release(selector)
        running = t.cast("Try", self._try)
        try:
            # A generator begins with None.
            self._wait = running.send(t.cast("bool", has_come))
        except StopIteration as e:
            self._end(selector, e.value)
            return
        except SystemdError as e:
            self._end(selector, e.msg)
            return
        except (OSError, ValueError) as e:
            self._end(selector, _told(e))
            return
        self._wakes = time.monotonic() + self._wait.seconds
        if self._wait.descriptor >= 0:
            selector.register(self._wait.descriptor, self._wait.events, self)

    def _release(self, selector: selectors.BaseSelector) -> None:
        if self._wait.descriptor >= 0:
            selector.unregister(self._wait.descriptor)
            self._wait = Wait(-1, 0)

    def _end(self, selector: selectors.BaseSelector, problem: str) -> None:
        self.close(selector)
        self.problem = problem
        self.due = time.monotonic() + self.probe.interval


def try_all(trials: t.Sequence[Trial], failed: t.Callable[[Trial, t.Sequence[Trial]], None]) -> None:
    """Make tries until all have been answered.

    :param failed: is told of each try that was not, and which units have not answered yet; it may raise, which ends all of them.
    """
    left = list(trials)
    with selectors.DefaultSelector() as selector:
        try:
            while left:
                now = time.monotonic()
                due = sorted((trial for trial in left if not trial.runs and trial.due <= now), key=lambda each: each.due)
                begun = due[: _MOST - sum(trial.runs for trial in left)]
                for trial in begun:
                    trial.begin(selector)
                left = _sort_out(left, [trial for trial in begun if not trial.runs], failed)
                if not left:
                    break
                # What is due and has no room waits for one that runs.
                full = sum(trial.runs for trial in left) >= _MOST
                next_look = min(trial.next_look() for trial in left if trial.runs or not full)
                come = {key.data for key, _events in selector.select(max(next_look - time.monotonic(), 0))}
                running = [trial for trial in left if trial.runs]
                for trial in running:
                    trial.look(selector, trial in come)
                left = _sort_out(left, [trial for trial in running if not trial.runs], failed)
        finally:
            for trial in left:
                trial.close(selector)


def _sort_out(
    left: list[Trial], ended: t.Sequence[Trial], failed: t.Callable[[Trial, t.Sequence[Trial]], None]
) -> list[Trial]:
    answered = {trial for trial in ended if not trial.problem}
    left = [trial for trial in left if trial not in answered]
    for trial in ended:
        if trial.problem:
            failed(trial, left)
    return left


def attempt(probe: Probe) -> Try:
    """One try of a probe."""
    if probe.kind == "socket":
        return _socket(probe.what)
    return (yield from _TRIES[probe.kind](probe))


def _told(error: Exception) -> str:
    words = getattr(error, "verify_message", "") or getattr(error, "strerror", None) or str(error)
    # OpenSSL names the line of Python's source.
    return plain(str(words).partition(" (_ssl.c")[0]) or type(error).__name__


def _command(probe: Probe) -> Try:
    with closing(Running(probe.what)) as running:
        status = yield from _end_of(running)
        if not status:
            return ""
        how = f"exited with status {status}" if status > 0 else f"was killed by signal {-status}"
        said = plain(running.said().rpartition("\n")[2])
        return how + (f": {said}" if said else "")


def _end_of(running: Running) -> t.Generator[Wait, bool, int]:
    """Wait for a program; returns its exit status."""
    pause = _SOON
    while True:
        status = running.look()
        if status is not None:
            return status
        # What prints may go on to do so for long, and what ends need not print.
        yield Wait(running.fileno(), READ, pause)
        pause = min(pause * 2, _LATER)


def _tcp(probe: Probe) -> Try:
    with closing((yield from _connect(*probe.address))):
        return ""


def _socket(path: str) -> str:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as peer:
            peer.setblocking(False)
            # A connection to a socket on this host is made at once, or there is no room (connect(2)).
            problem = peer.connect_ex(path)
        if problem == errno.EAGAIN:
            return "too many connections wait to be accepted"
        if problem != errno.EPROTOTYPE:
            return os.strerror(problem) if problem else ""
    return "it is a socket of an unknown type"


def _connect(host: str, port: int) -> t.Generator[Wait, bool, socket.socket]:
    """A connection to the first of a host's addresses that takes one.

    :raises OSError: none does.
    """
    addresses = yield from _addresses(host, port)
    problem: OSError = OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    for family, address in addresses:
        peer = socket.socket(family, socket.SOCK_STREAM)
        try:
            peer.setblocking(False)
            error = peer.connect_ex(address)
            if error == errno.EINPROGRESS:
                # The next one has to be tried while there is time.
                came = yield Wait(peer.fileno(), WRITE, ONE_TRY / 2 / len(addresses) if len(addresses) > 1 else 1e6)
                error = peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if came else errno.ETIMEDOUT
            if not error:
                return peer
            problem = OSError(error, os.strerror(error))
        except OSError as e:
            # Such as of a family that this host has not.
            problem = e
        except GeneratorExit:
            peer.close()
            raise
        peer.close()
    raise problem


def _addresses(host: str, port: int) -> t.Generator[Wait, bool, list[tuple[int, t.Any]]]:
    """(family, address) of a host. Names are looked up by a program, since the library's function takes as long as it likes."""
    try:
        return _numeric(host, port)
    except socket.gaierror:
        pass
    try:
        with closing(Running(["getent", "ahosts", host])) as running:
            status = yield from _end_of(running)
            found = running.said() if not status else ""
    except ProgramMissing:
        return [(each[0], each[4]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    texts = dict.fromkeys(line.split()[0] for line in found.splitlines() if line.strip())
    addresses = [address for text in texts for address in _numeric(text, port)]
    if not addresses:
        raise OSError(errno.ENOENT, f"there is no host {plain(host)}")
    return addresses


def _numeric(host: str, port: int) -> list[tuple[int, t.Any]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [(each[0], each[4]) for each in found]


def _http(probe: Probe) -> Try:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(probe.what)
    host, port = t.cast(str, parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}", "User-Agent: pidone.systemd", "Accept: */*", "Connection: close"]
    if parts.username is not None:
        import base64

        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append("Authorization: Basic " + base64.b64encode(account.encode()).decode())
    with closing((yield from _connect(host, port))) as peer:
        if parts.scheme == "https":
            import ssl

            context = ssl.create_default_context()
            if not probe.validate_certs:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            tls = context.wrap_socket(peer, server_hostname=host, do_handshake_on_connect=False)
            with closing(tls):
                yield from _patiently(tls, READ, tls.do_handshake)
                return (yield from _ask(probe, tls, lines))
        return (yield from _ask(probe, peer, lines))


def _ask(probe: Probe, peer: socket.socket, lines: t.Sequence[str]) -> Try:
    """Send a request, and judge the first line of the answer. All else is not read: it may be long, and come slowly."""
    request = "\r\n".join([*lines, "", ""]).encode()
    while request:
        request = request[(yield from _patiently(peer, WRITE, peer.send, request)) :]
    data = b""
    while len(data) <= _HEAD and b"HTTP/".startswith(data[:5]):
        line, end, _rest = data.partition(b"\n")
        if end:
            words = line.decode("latin-1").strip().split(None, 1)
            if len(words) < 2 or not is_digits(words[1][:3]):
                break
            code = int(words[1][:3])
            if code >= 200 or code == 101:
                good = code in probe.status if probe.status else 200 <= code < 400
                return "" if good else f"it answered {plain(words[1])}"
            # What it says in between, such as 103, ends with an empty line, and the answer follows.
            parts = re.split(rb"\r?\n\r?\n", data, maxsplit=1)
            if len(parts) > 1:
                data = parts[1]
                continue
        more = yield from _patiently(peer, READ, peer.recv, 1 << 12)
        if not more:
            return "it closed the connection without an answer"
        data += more
    return "it did not answer as a web server does"


def _patiently(peer: socket.socket, events: int, action: t.Callable[..., t.Any], *args: t.Any) -> t.Generator[Wait, bool, t.Any]:
    """Do something with a connection as soon as that can be done.

    :param events: what to wait for, where the connection does not tell, as one with TLS does.
    """
    # Which has been loaded where it matters.
    tls = sys.modules.get("ssl")
    while True:
        try:
            return action(*args)
        except BlockingIOError:
            yield Wait(peer.fileno(), events)
        except OSError as e:
            if tls is None or not isinstance(e, (tls.SSLWantReadError, tls.SSLWantWriteError)):
                raise
            yield Wait(peer.fileno(), READ if isinstance(e, tls.SSLWantReadError) else WRITE)


_TRIES: dict[str, t.Callable[[Probe], Try]] = {
    "command": _command, "tcp": _tcp, "http": _http,
}  # fmt: skip
