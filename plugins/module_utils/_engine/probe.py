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
# Seconds between two questions whether units that do not answer are up at all.
_LOOKS = 0.2


class Probe(t.NamedTuple):
    """A probe as it is asked for: its kind, what is probed, and for how long it is tried how often, in seconds.

    :param where: the option, for errors.
    """

    where: str
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
        return cls(where, kind, what, status, validate, seconds, interval, format_timespan(times["timeout"]))

    def for_unit(self, name: str) -> Probe:
        """The same for one unit; `%i` in it stands for its instance.

        :raises BadInput: that makes no probe of it, as `90%i` with 100, which is no port.
        """
        instance = instance_of(name)
        if self.kind == "command":
            return self._replace(what=[each.replace("%i", instance) for each in self.what])
        if "%i" not in self.what:
            return self
        option = f"{self.where}.{self.kind}"
        try:
            return self._replace(what=_CHECKS[self.kind](self.what.replace("%i", instance), option))
        except BadInput as e:
            raise BadInput(f"{e.msg}, also for {name}, for which %i is {shown(instance)}") from e

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of a probe of the kind `tcp`; the host is this one unless given."""
        host, port = _address(self.what)
        return host, int(port)

    def describe(self) -> str:
        """What is probed, without what may be secret."""
        if self.kind == "command":
            return f"command {plain(self.what[0])}"
        if self.kind == "tcp":
            return f"tcp {self.what}"
        if self.kind == "http":
            from urllib.parse import urlsplit

            parts = urlsplit(self.what)
            return f"http {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return f"socket {self.what}"


def _command(value: t.Any, option: str) -> list[str]:
    import shlex

    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import SEARCH_PATH

    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as e:
        raise BadInput(f"{option}: what is given is no command: {e}; quote it as for a shell, or give a list") from e
    if not isinstance(words, (list, tuple)) or not words or not all(isinstance(each, (str, int)) for each in words):
        raise BadInput(f"{option}: what is given is no command; write a program and its arguments, as text or as a list")
    texts = [str(each) for each in words]
    for number, text in enumerate(texts):
        if text:
            _check_secret_line(text, option, f"argument {number}" if number else "the program")
    if not texts[0] or (not texts[0].startswith("/") and "/" in texts[0]):
        raise BadInput(f"{option}: {shown(texts[0])} is no program; write its name, or its whole path")
    if not texts[0].startswith("/"):
        found = next((f"{path}/{texts[0]}" for path in SEARCH_PATH if os.access(f"{path}/{texts[0]}", os.X_OK)), texts[0])
        texts[0] = found
    return texts


def _check_secret_line(text: str, option: str, what: str) -> None:
    """As `check_line`, without showing what it is: there may be a password in it.

    :raises BadInput: it is no line of text.
    """
    try:
        check_line(text, option, what, "")
    except BadInput:
        raise BadInput(
            f"{option}: {what} (not shown) is no line of text; write up to 4096 characters, and no control characters or line breaks among them"
        ) from None


def _tcp(value: t.Any, option: str) -> str:
    text = str(value)
    host, port = _address(text)
    bare = port.replace("%i", "1")
    # What begins with a dash is an option to programs that look hosts up.
    if not host or host.startswith("-") or not is_digits(bare) or not 0 < int(bare[:9]) < 65536:
        raise BadInput(f"{option}: {shown(text)} is no address; write a port such as 8080, or a host and a port such as db.example.com:5432")
    return check_line(text, option, "a host", "write its name or address")


def _address(text: str) -> tuple[str, str]:
    host, colon, port = text.rpartition(":")
    host = host if colon else "127.0.0.1"
    return (host[1:-1] if host.startswith("[") and host.endswith("]") else host), port


def _http(value: t.Any, option: str) -> str:
    from urllib.parse import urlsplit

    _check_secret_line(value, option, "the URL")
    try:
        parts = urlsplit(value.replace("%i", "1"))
        good = parts.scheme in ("http", "https") and (parts.hostname or "-")[0] != "-" and parts.port != 0
    except ValueError:
        good = None
    if not good or " " in value or not value.isascii():
        # There may be a password in it, or a token behind the path.
        told = "what is given" if {"@", "?"} & set(value) else shown(value)
        raise BadInput(f"{option}: {told} is no URL of a web server; write one such as http://127.0.0.1:8080/health")
    return str(value)


def _socket(value: t.Any, option: str) -> str:
    path = check_directory(value, option)
    if len(path.encode()) > 107:
        raise BadInput(f"{option}: {shown(path)} is longer than the 107 bytes that the path of a socket can have")
    return path


_CHECKS: dict[str, t.Callable[[t.Any, str], t.Any]] = {
    "command": _command, "tcp": _tcp, "http": _http, "socket": _socket,
}  # fmt: skip


class ProbeUnits(Step):
    """Have units answer their probes, each as often as it takes, until its time is over.

    :param probes: unit -> what it shall answer.
    :param job_type: the job that they got before, for the report.
    """

    counts = False

    def __init__(self, probes: t.Mapping[str, Probe], job_type: str = "start") -> None:
        super().__init__(list(probes))
        self._probes = {name: probe.for_unit(name) for name, probe in probes.items()}
        self._job_type = job_type
        self._looked = -_LOOKS
        # Units that ran to their end, as is right for them.
        self._finished: set[str] = set()

    def describe(self) -> str:
        return f"probe {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        if not ctx.wait:
            return False
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.probing import Trial, try_all

        def failed(trial: Trial, left: t.Sequence[Trial]) -> None:
            last = trial.due >= trial.until
            self._check_up(ctx, [each.name for each in left], last)
            if last:
                raise self._failure(trial.name, trial.probe, trial.problem, trial.tries)

        try_all([Trial(name, probe) for name, probe in self._probes.items()], failed)
        return False

    def _check_up(self, ctx: Context, names: t.Sequence[str], at_once: bool) -> None:
        """What has died need not be waited for."""
        now = time.monotonic()
        if not at_once and now < self._looked + _LOOKS:
            return
        self._looked = now
        down = [status for status in ctx.manager.status(names) if not runs(status)]
        if not down:
            return
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_unhealthy, why_down

        # What ran to its end may well answer: a oneshot that has made what is looked for.
        self._finished = {status.id for status, why in zip(down, why_down(ctx.manager, down)) if why == "finished"}
        dead = [status.id for status in down if status.id not in self._finished]
        if dead:
            raise report_unhealthy(ctx, dead, self._job_type)

    def _failure(self, name: str, probe: Probe, problem: str, tries: int) -> SystemdError:
        is_up = "ran to its end" if name in self._finished else "runs"
        error = SystemdError(
            f"{name} {is_up}, but did not answer its probe ({probe.describe()}) within {probe.told}, at the last of {tries} tries: {problem}",
            probe={"unit": name, "probe": probe.describe(), "problem": problem, "tries": tries},
        )
        error.changed = True
        return error
