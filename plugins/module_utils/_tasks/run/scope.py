# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command in a transient scope: a child of this process that systemd watches over, where `run` is asked for one."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import acting_for, group_id, user_entry
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SCOPE
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.exits import exit_of_wait
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import MANAGER, MANAGER_PATH, UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import memory_file
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import jobs_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import split_words
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.times import rfc3339
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.outcome import (
    RESOURCES,
    Outcome,
    RunFailed,
    ended,
    halted,
    hold_against,
    screen,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.output import Output, printed
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.request import Request
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.service import start_transient

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# Seconds: after the time allowed, until this process has the scope stopped because systemd has not; until it then kills the
# command itself; for the command's process to become what it is to be (users may be looked up over a network, programs be on
# one); for what was killed to be gone.
_GRACE, _STOPPING, _STARTING, _DYING = 2.0, 100.0, 60.0, 5.0


class RunInScope(Step):
    """Run a command as a child of this process, within a scope of its own."""

    def __init__(self, request: Request, params: dict[str, t.Any], outcome: Outcome) -> None:
        super().__init__((request.name,))
        self._request, self._params, self._outcome = request, params, outcome

    def describe(self) -> str:
        return f"run {self._request.shown}: {self._request.command_line}"

    def apply(self, ctx: Context) -> bool:
        request, facts, params = self._request, self._outcome.facts, self._params
        output = Output(["stdout", "stderr"], request.output_limit)
        changes: list[t.Any] = []
        try:
            command = _Command(request, params, output.ends)
            if command.problem:
                command.kill()
                raise SystemdError(f"{request.command_line} could not be run: {command.problem}; nothing was started")
            properties = [*request.properties, ("PIDs", ("au", [command.pid]))]
            if ctx.manager.connection.is_bus:
                # Until it has been asked what it used.
                properties.append(("AddRef", ("b", True)))
            job = None
            try:
                job = start_transient(ctx.manager, request.name, properties)
                result = ctx.manager.wait_for_jobs([job], time.monotonic() + 30).get(job.id)
                if result != "done":
                    from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_jobs

                    raise report_jobs(ctx, "start", [(request.name, job, result or "unfinished")])
                output.begin()
                begun, wall = time.monotonic(), time.time()
                command.begin()
                changes = ctx.manager.watch_unit(request.name)
                stopped = self._wait(ctx, command, begun)
            except BaseException:
                command.kill()
                if job is not None:
                    self._kill(ctx)
                raise
            facts["run_time"] = round(time.monotonic() - begun, 6)
            facts["started_at"], facts["ended_at"] = rfc3339(int(wall * 1e6)), rfc3339(int(time.time() * 1e6))
            stopped = self._read(ctx) or stopped
            was_halted = halted(changes, request.name, job.id)
            facts["job"] = {"id": job.id, "type": "start", "result": "done"}
            # What the command left running goes with its scope, as it does with a service.
            self._kill(ctx)
        finally:
            output.end()
        facts.update(printed(output, request, ("stdout", "stderr"), ctx))
        facts.update(command.facts())
        if command.problem:
            raise RunFailed(f"{request.command_line} could not be run: {command.problem}", rc=None)
        if stopped:
            facts["result"] = "timeout"
            limit = format_timespan(int((request.timeout or 0) * 1e6))
            raise RunFailed(
                screen(f"{request.command_line} did not end within {limit} and was stopped", request, facts)
            )
        why = hold_against(facts, request, was_halted)
        if why or facts["rc"]:
            raise RunFailed(screen(f"{request.command_line} {why or ended(facts)}", request, facts))
        return True

    def _wait(self, ctx: Context, command: _Command, begun: float) -> bool:
        """Wait for the end of the command; returns whether it was stopped here, since systemd did not."""
        timeout, stopped, pause = self._request.timeout, False, 0.005
        deadline = begun + timeout + _GRACE if timeout is not None else None
        while not command.is_over():
            if deadline is not None and time.monotonic() > deadline:
                if stopped:
                    # It is this process's own child, and nobody has to be asked.
                    command.kill()
                    return True
                stopped, deadline = True, time.monotonic() + _STOPPING
                self._ask_to_stop(ctx)
            try:
                ctx.manager.connection.wait(command.is_over, time.monotonic() + pause)
            except BusTimeout:
                pass
            pause = min(pause * 2, 0.1)
        return stopped

    def _ask_to_stop(self, ctx: Context) -> None:
        """Ask for the scope to be stopped, without waiting for a systemd that does not answer."""
        stop = Call(MANAGER_PATH, MANAGER, "StopUnit", "ss", (self._request.name, "replace"))
        try:
            ctx.manager.connection.call_many([stop], time.monotonic() + _DYING)
        except BusTimeout:
            pass

    def _read(self, ctx: Context) -> bool:
        """Read what the command used; returns whether systemd stopped the scope because its time was over.

        Its clock began with the scope, before the command, so that no other clock can tell.
        """
        path = object_path(self._request.name)
        wanted = [(path, UNIT, "InvocationID"), (path, SCOPE, "Result"), *((path, SCOPE, name) for name in RESOURCES)]
        invocation, result, *values = ctx.manager.properties(wanted)
        resources = {k: None if v in (None, INFINITY) else v for k, v in zip(RESOURCES, values)}
        self._outcome.facts.update(resources=resources, restarts=0)
        self._outcome.facts["invocation_id"] = bytes(invocation).hex() if invocation else None
        return bool(result == "timeout")

    def _kill(self, ctx: Context) -> None:
        try:
            jobs = jobs_of(ctx.manager.enqueue([(self._request.name, "stop")]))
            ctx.manager.wait_for_jobs(jobs, time.monotonic() + 100)
        except SystemdError:
            pass


class EndScope(Jobs):
    """Stop a scope in which nothing runs any more (`is_empty`)."""

    def __init__(self, name: str) -> None:
        super().__init__("stop", [name])

    def describe(self) -> str:
        return f"{super().describe()}, in which nothing runs any more"


def is_empty(manager: UnitManager, name: str) -> bool:
    """Whether no process is in a scope that is up.

    Systemd takes processes that have ended, and that nobody has waited for yet, into a scope, and is then never told that it is empty: so
    does one stay whose task was killed just after it had asked for it.
    """
    return not manager.call("GetUnitProcesses", "s", name, doing=f"see what runs in {name}")[0]


class _Command:
    """The command's process, which waits to be begun, so that it is in its scope from its first instruction on."""

    def __init__(self, request: Request, params: dict[str, t.Any], ends: dict[str, int]) -> None:
        self._status: int | None = None
        self.problem = ""
        gate, self._gate = os.pipe()
        self._report, report = os.pipe()
        stdin = os.open(os.devnull, os.O_RDONLY)
        if request.stdin is not None:
            os.close(stdin)
            stdin = memory_file(request.stdin)
        self.pid = os.fork()
        if not self.pid:
            try:
                os.close(self._gate)
                # All that could need the rights of this process comes first: the scope may be of a user's manager.
                environment = _become(params, stdin, ends)
                words = expanded(request.argv, environment) if params["expand_argument_vars"] else request.argv
                os.write(report, b"\0")
                if os.read(gate, 1):
                    os.execve(request.program, words, environment)  # noqa: S606
            except BaseException as e:
                os.write(report, str(e).encode()[:4000])
            finally:
                os._exit(127)
        for descriptor in (gate, report, stdin):
            os.close(descriptor)
        # By the time that systemd hears of it, it is of the user it is to be of.
        self.problem = self._hear(b"\0")

    def begin(self) -> None:
        """Let it run."""
        os.write(self._gate, b".")
        os.close(self._gate)
        self._gate = -1
        # Closed by a successful exec.
        self.problem = self._hear(b"")
        os.close(self._report)

    def _hear(self, good: bytes) -> str:
        """What the child says; empty where that is `good`, else what is wrong with it."""
        import select

        poll = select.poll()
        poll.register(self._report, select.POLLIN)
        if not poll.poll(_STARTING * 1000):
            return f"its process was not ready within {_STARTING:g} s; see whether the host hangs where users, the working directory or the program come from"
        said = os.read(self._report, 4000)
        if said == good:
            return ""
        return said.lstrip(b"\0").decode("utf-8", "replace") or "its process ended before it could be begun"

    def is_over(self) -> bool:
        """Whether it has ended; never waits."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
        return self._status is not None

    def kill(self) -> None:
        """End it, whatever it is doing."""
        if self._gate >= 0:
            os.close(self._gate)
            self._gate = -1
        if not self.is_over():
            os.kill(self.pid, 9)
        # Not for ever: a process in the hands of a device or of a network is not gone before it is out of them.
        deadline = time.monotonic() + _DYING
        while not self.is_over() and time.monotonic() < deadline:
            time.sleep(0.01)

    def facts(self) -> dict[str, t.Any]:
        """How it ended."""
        end = exit_of_wait(self._status or 0)
        facts: dict[str, t.Any] = {"rc": None, "signal": end.signal, "core_dumped": end.core_dumped}
        if end.signal or not self.problem:
            return {**facts, "rc": end.rc, "result": "signal" if end.signal else "exit-code" if end.rc else "success"}
        return {**facts, "result": "resources"}


def expanded(words: t.Sequence[str], environment: t.Mapping[str, str]) -> list[str]:
    """The words with variables replaced as systemd does it for services (systemd.service(5), "Command lines").

    `$NAME` alone becomes as many words as its value has, `${NAME}` anywhere its value, and `$$` is a dollar sign.
    """
    import re

    def value(match: re.Match[str]) -> str:
        return environment.get(match[1], "") if match[1] else "$"

    found: list[str] = []
    for word in words:
        if word[:1] == "$" and word[1:2] not in ("", "$", "{"):
            text = environment.get(word[1:], "")
            try:
                found += split_words(text)
            except ValueError:
                found += text.split()
        else:
            found.append(re.sub(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\})", value, word))
    return found


def _become(params: dict[str, t.Any], stdin: int, ends: dict[str, int]) -> dict[str, str]:
    """Become in the child what the command is to be run as; returns its environment."""
    import signal

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    os.dup2(stdin, 0)
    os.dup2(ends["stdout"], 1)
    os.dup2(ends["stderr"], 2)
    environment = dict(os.environ)
    user, group = params["run_as"], params["run_as_group"]
    account = acting_for()
    if account is not None:
        # The ids that are changed below must be changed for good; the effective ones alone could be changed back.
        os.seteuid(0)
        user = account.name
        # The addresses of root's buses.
        environment = {name: value for name, value in environment.items() if not name.startswith("DBUS_")}
    if user or group:
        gid = group_id(group) if group else None
        if user:
            entry = user_entry(user)
            gid = entry.pw_gid if gid is None else gid
            os.initgroups(entry.pw_name, gid)
            os.setgid(gid)
            os.setuid(entry.pw_uid)
            environment.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name, SHELL=entry.pw_shell)
            if params["scope"] == "user":
                environment["XDG_RUNTIME_DIR"] = f"/run/user/{entry.pw_uid}"
        elif gid is not None:
            os.setgid(gid)
    directory = params["working_directory"]
    if directory:
        os.chdir(environment.get("HOME", "/") if directory == "~" else directory)
    variables = params["environment"] or {}
    environment.update({name: str(value) for name, value in variables.items() if value is not None})
    return environment
