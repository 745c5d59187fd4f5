# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a unit that runs does its work: probes, as part of the health gate."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, plain, short, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory, check_line
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import instance_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import runs
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan

# Suboptions of `probe`, for the argument specs of modules.
PROBE_ARGUMENTS: dict[str, t.Any] = {
    "command": {"type": "raw"},
    "tcp": {"type": "str"},
    "http": {"type": "str"},
    "socket": {"type": "str"},
    "status": {"type": "list", "elements": "int"},
    "validate_certs": {"type": "bool", "default": True},
    "timeout": {"type": "str", "default": "30s"},
    "interval": {"type": "str", "default": "500ms"},
}
_KINDS = ("command", "tcp", "http", "socket")
# Seconds that one try to connect may take, and those that are left to the last one at least.
_ONE_TRY = 5.0
_LEAST = 0.05
# What an answer may have of a body that nobody reads.
_HEAD = 1 << 16


class Probe(t.NamedTuple):
    """A probe as it is asked for: its kind, what is probed, and for how long it is tried how often, in seconds."""

    kind: str
    what: t.Any
    status: tuple[int, ...]
    validate_certs: bool
    seconds: float
    interval: float
    told: str

    @classmethod
    def of(cls, params: t.Mapping[str, t.Any] | None, where: str) -> Probe | None:
        """What the option spells; None where it is not given.

        :param where: the option, for errors.
        :raises BadInput: it is no probe.
        """
        if params is None:
            return None
        given = [kind for kind in _KINDS if params.get(kind) is not None]
        if len(given) != 1:
            what = f"{' and '.join(given)} are given" if given else "nothing to be probed is given"
            raise BadInput(f"{where}: {what}; give one of command, tcp, http and socket")
        kind = given[0]
        option = f"{where}.{kind}"
        what = _CHECKS[kind](params[kind], option)
        status = tuple(params.get("status") or ())
        if status and kind != "http":
            raise BadInput(f"{where}.status: only `http` has one; leave it out with `{kind}`")
        for code in status:
            if not 100 <= code <= 599:
                raise BadInput(f"{where}.status: {shown(code)} is no status of HTTP; write one such as 200")
        times = {}
        for name, default in (("timeout", "30s"), ("interval", "500ms")):
            usec = parse_timespan(params.get(name) or default, f"{where}.{name}")
            if not 0 < usec < INFINITY:
                raise BadInput(f"{where}.{name}: {shown(params[name])} is no time for a probe; write one such as {default}")
            times[name] = usec
        validate = params.get("validate_certs") is not False
        seconds, interval = times["timeout"] / 1e6, times["interval"] / 1e6
        return cls(kind, what, status, validate, seconds, interval, format_timespan(times["timeout"]))

    def for_unit(self, name: str) -> Probe:
        """The same for one unit; `%i` in it stands for its instance."""
        instance = instance_of(name)

        def put(text: str) -> str:
            return text.replace("%i", instance)

        if self.kind == "tcp":
            host, port = self.what
            return self._replace(what=(put(host), put(port)))
        return self._replace(what=[put(each) for each in self.what] if self.kind == "command" else put(self.what))

    def describe(self) -> str:
        """What is probed, without what may be secret."""
        if self.kind == "command":
            return f"command {plain(self.what[0])}"
        if self.kind == "tcp":
            return f"tcp {':'.join(self.what)}"
        if self.kind == "http":
            from urllib.parse import urlsplit

            parts = urlsplit(self.what)
            return f"http {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return f"socket {self.what}"

    def attempt(self, seconds: float) -> str:
        """Try once; returns what is wrong, and nothing where the unit answers.

        :param seconds: how long it may take.
        """
        try:
            return _TRIES[self.kind](self, max(seconds, _LEAST))
        except SystemdError as e:
            return e.msg
        except (OSError, ValueError) as e:
            return str(getattr(e, "strerror", None) or e) or type(e).__name__


def _command(value: t.Any, option: str) -> list[str]:
    import shlex

    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import SEARCH_PATH

    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as e:
        raise BadInput(f"{option}: {shown(value)} is no command: {e}") from e
    if not isinstance(words, (list, tuple)) or not words or not all(isinstance(each, (str, int)) for each in words):
        raise BadInput(f"{option}: {shown(value)} is no command; write a program and its arguments, as text or as a list")
    texts = [check_line(str(each), option, "an argument", "write it without line breaks") if str(each) else "" for each in words]
    if not texts[0] or (not texts[0].startswith("/") and "/" in texts[0]):
        raise BadInput(f"{option}: {shown(texts[0])} is no program; write its name, or its whole path")
    if not texts[0].startswith("/"):
        found = next((f"{path}/{texts[0]}" for path in SEARCH_PATH if os.access(f"{path}/{texts[0]}", os.X_OK)), texts[0])
        texts[0] = found
    return texts


def _tcp(value: t.Any, option: str) -> tuple[str, str]:
    text = str(value)
    host, colon, port = text.rpartition(":")
    if not colon:
        host = "127.0.0.1"
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    bare = port.replace("%i", "1")
    if not host or not is_digits(bare) or not 0 < int(bare[:9]) < 65536:
        raise BadInput(f"{option}: {shown(text)} is no address; write a port such as 8080, or a host and a port such as db.example.com:5432")
    check_line(host, option, "a host", "write its name or address")
    return host, port


def _http(value: t.Any, option: str) -> str:
    from urllib.parse import urlsplit

    check_line(value, option, "a URL", "write one such as http://127.0.0.1:8080/health")
    try:
        parts = urlsplit(value.replace("%i", "1"))
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        good = None
    if not good or " " in value or not value.isascii():
        raise BadInput(f"{option}: {shown(value)} is no URL of a web server; write one such as http://127.0.0.1:8080/health")
    return str(value)


def _socket(value: t.Any, option: str) -> str:
    path = check_directory(value, option)
    if len(path.encode()) > 107:
        raise BadInput(f"{option}: {shown(path)} is longer than the 107 bytes that the path of a socket can have")
    return path


def _try_command(probe: Probe, seconds: float) -> str:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

    done = run_program(probe.what, seconds, merge=True)
    if not done.returncode:
        return ""
    said = plain(done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2])
    how = f"exited with status {done.returncode}" if done.returncode > 0 else f"was killed by signal {-done.returncode}"
    return how + (f": {said}" if said else "")


def _try_tcp(probe: Probe, seconds: float) -> str:
    import socket

    host, port = probe.what
    with socket.create_connection((host, int(port)), min(seconds, _ONE_TRY)):
        return ""


def _try_socket(probe: Probe, seconds: float) -> str:
    import errno
    import socket

    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as peer:
            peer.settimeout(min(seconds, _ONE_TRY))
            try:
                peer.connect(probe.what)
            except OSError as e:
                if e.errno != errno.EPROTOTYPE:
                    raise
            else:
                return ""
    return "it is a socket of an unknown type"


def _try_http(probe: Probe, seconds: float) -> str:
    import http.client
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(probe.what)
    limit = min(seconds, _ONE_TRY)
    if parts.scheme == "https":
        import ssl

        context = ssl.create_default_context()
        if not probe.validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        peer: http.client.HTTPConnection = http.client.HTTPSConnection(
            t.cast(str, parts.hostname), parts.port, timeout=limit, context=context
        )
    else:
        peer = http.client.HTTPConnection(t.cast(str, parts.hostname), parts.port, timeout=limit)
    headers = {"User-Agent": "pidone.systemd", "Connection": "close"}
    if parts.username is not None:
        import base64

        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(account.encode()).decode()
    try:
        peer.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
        answer = peer.getresponse()
        answer.read(_HEAD)
    except http.client.HTTPException as e:
        return f"it did not answer as a web server does ({type(e).__name__})"
    finally:
        peer.close()
    good = answer.status in probe.status if probe.status else 200 <= answer.status < 400
    return "" if good else f"it answered {answer.status} {plain(answer.reason)}"


_CHECKS: dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "command": _command, "tcp": _tcp, "http": _http, "socket": _socket,
}  # fmt: skip
_TRIES: dict[str, t.Callable[[Probe, float], str]] = {
    "command": _try_command, "tcp": _try_tcp, "http": _try_http, "socket": _try_socket,
}  # fmt: skip


class ProbeUnits(Step):
    """Have units answer their probes, each as often as it takes, until its time is over.

    :param probes: unit -> what it shall answer.
    :param job_type: the job that they got before, for the report.
    """

    counts = False

    def __init__(self, probes: t.Mapping[str, Probe], job_type: str = "start") -> None:
        super().__init__(list(probes))
        self._probes = dict(probes)
        self._job_type = job_type

    def describe(self) -> str:
        return f"probe {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        if not ctx.wait:
            return False
        begun = time.monotonic()
        left = {name: probe.for_unit(name) for name, probe in self._probes.items()}
        tries = dict.fromkeys(left, 0)
        due = dict.fromkeys(left, begun)
        while left:
            name = min(left, key=due.__getitem__)
            probe = left[name]
            time.sleep(max(due[name] - time.monotonic(), 0))
            problem = probe.attempt(begun + probe.seconds - time.monotonic())
            tries[name] += 1
            if not problem:
                del left[name]
                continue
            self._check_up(ctx, list(left))
            due[name] = time.monotonic() + probe.interval
            if due[name] >= begun + probe.seconds:
                raise self._failure(name, probe, problem, tries[name])
        return False

    def _check_up(self, ctx: Context, names: t.Sequence[str]) -> None:
        """What has died need not be waited for."""
        down = [status.id for status in ctx.manager.status(names) if not runs(status)]
        if down:
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_unhealthy

            raise report_unhealthy(ctx, down, self._job_type)

    def _failure(self, name: str, probe: Probe, problem: str, tries: int) -> SystemdError:
        error = SystemdError(
            f"{name} runs, but did not answer its probe ({probe.describe()}) within {probe.told}, at the last of {tries} tries: {problem}",
            probe={"unit": name, "probe": probe.describe(), "problem": problem, "tries": tries},
        )
        error.changed = True
        return error
