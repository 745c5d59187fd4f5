# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in transient services, at once or when a timer says so.

A service's output comes through pipes whose ends systemd is given as file descriptors, so that there is nothing on disk to
be left behind, and no journal that could be late. Over a bus the task holds a reference to the unit, which systemd drops when
the task's process ends: until then the unit can be asked what it used, and after it systemd forgets it.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, get_property
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import TIMER
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.exec import mend_commands
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.exits import is_of_systemd
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import (
    MANAGER,
    MANAGER_PATH,
    UNIT,
    explain,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import memory_file
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down, jobs_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.times import rfc3339
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.outcome import (
    Interrupted,
    Outcome,
    Refused,
    RunFailed,
    Taken,
    ended,
    halted,
    hold_against,
    last_lines,
    read_exit,
    screen,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.output import Output, printed
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.request import Request

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

_DESCRIPTORS = {
    "stdin": "StandardInputFileDescriptor",
    "stdout": "StandardOutputFileDescriptor",
    "stderr": "StandardErrorFileDescriptor",
}
# Seconds: after the time allowed, until this process stops the unit because systemd has not; for the unit to be stopped then;
# for a unit that nobody waits for to be started.
_GRACE, _STOPPING, _STARTING = 2.0, 100.0, 30.0
# Seconds that systemd may take for one look at the unit, and for how long none of them need be answered: a reload of the largest
# hosts takes some minutes, and PID 1 answers nobody meanwhile.
_LOOK, _SILENCE = 5.0, 300.0
# Bytes of a unit file that systemd wrote, at most.
# A transient unit's file holds what stands on the standard input too.
_LARGEST_FILE = 64 << 20
# What systemd says where it cannot write one: the kernel's words.
_NO_ROOM = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)))


def start_transient(manager: UnitManager, name: str, properties: t.Any, others: t.Any = ()) -> t.Any:
    """Start a transient unit; returns its job.

    :raises Taken: there is a unit of that name.
    :raises Refused: a property is not to the liking of this version, or the user has no right to do so.
    """
    try:
        return manager.start_transient(name, properties, others)
    except CallFailed as e:
        if e.name.endswith(".UnitExists"):
            raise Taken(f"name: there is a unit {name} on this host already; choose another name") from e
        if e.name in ("org.freedesktop.DBus.Error.PropertyReadOnly", "org.freedesktop.DBus.Error.InvalidArgs"):
            raise Refused(f"properties: systemd on this host refused: {e.text}; nothing was started") from e
        if e.name.endswith(".NoSuchUnit") and name not in e.text:
            raise Refused(
                f"properties: a unit that {name} needs is not there: {e.text}; create it first, or correct the name (Requires=, "
                "Requisite= and BindsTo= name such units); nothing was started"
            ) from e
        why = explain(e, f"start {name}")
        # Of a unit whose file it could not write, old versions say that it is not there.
        if e.name.endswith(".NoSuchUnit") or e.text in _NO_ROOM:
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import why_unwritable

            place = f"/run/{'systemd' if manager.uid is None else f'user/{manager.uid}/systemd'}/transient"
            why.msg = f"cannot start {name}: systemd did not write its file in {place}{why_unwritable(f'{place}/{name}')}"
        raise Refused(why.msg, **why.data) from e


class StartTimer(Step):
    """Start a timer, and make the service that it will start."""

    def __init__(self, request: Request, outcome: Outcome) -> None:
        super().__init__((request.timer,))
        self._request, self._outcome = request, outcome

    def describe(self) -> str:
        return f"start {self._request.shown} to run {self._request.command_line}"

    def apply(self, ctx: Context) -> bool:
        request = self._request
        job = start_transient(
            ctx.manager, request.timer, request.timer_properties, [(request.name, request.properties)]
        )
        mend_file(ctx, request)
        results = ctx.manager.wait_for_jobs([job], time.monotonic() + _STARTING)
        if results.get(job.id) not in ("done", None):
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_jobs

            raise report_jobs(ctx, "start", [(request.timer, job, results[job.id])])
        self._outcome.facts["job"] = {"id": job.id, "type": "start", "result": results.get(job.id)}
        self._outcome.facts["next_elapse"] = next_elapse(ctx.manager, request.timer)
        return True


def next_elapse(manager: UnitManager, timer: str) -> str | None:
    """When a timer elapses next, as ISO 8601 in UTC; null where that is not known yet, or never."""
    path = object_path(timer)
    # The timer's first elapse may still be being computed.
    names = ("NextElapseUSecRealtime", "NextElapseUSecMonotonic")
    real, monotonic = (value or 0 for value in manager.properties([(path, TIMER, name) for name in names]))
    times = [value for value in (real,) if 0 < value < INFINITY]
    if 0 < monotonic < INFINITY:
        times.append(int((time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)) * 1e6) + monotonic)
    return rfc3339(min(times)) if times else None


class RunService(Step):
    """Run a command as a transient service, and wait for its end where that is asked for."""

    def __init__(self, request: Request, connect: t.Callable[[], t.Any], outcome: Outcome) -> None:
        super().__init__((request.name,))
        self._request, self._connect, self._outcome = request, connect, outcome
        self._path = object_path(request.name)
        self._changes: list[t.Any] = []

    def describe(self) -> str:
        return f"{'run' if self._request.wait else 'start'} {self._request.shown}: {self._request.command_line}"

    def apply(self, ctx: Context) -> bool:
        request, facts = self._request, self._outcome.facts
        if not request.wait:
            return self._begin(ctx)
        output = Output(request.captured, request.output_limit)
        stdin = memory_file(request.stdin) if request.stdin is not None else None
        try:
            properties = list(request.properties)
            by_path = request.forgetful and ctx.manager.scope == "system" and os.geteuid() == 0
            for stream, end in output.ends.items():
                if by_path:
                    # The pipe itself, opened anew for each attempt. When this process is gone, so is the path.
                    name, path = f"{_DESCRIPTORS[stream][:-10]}ToAppend", f"/proc/{os.getpid()}/fd/{end}"
                    properties.append((name, ("s", path)))
                else:
                    properties.append((_DESCRIPTORS[stream], ("h", end)))
            if by_path:
                # 209 is what it is without that path.
                properties.append(("RestartPreventExitStatus", ("(aiai)", ([209], []))))
            if stdin is not None:
                properties.append((_DESCRIPTORS["stdin"], ("h", stdin)))
            if ctx.manager.connection.is_bus:
                properties.append(("AddRef", ("b", True)))
            self._changes = ctx.manager.watch_unit(request.name)
            begun = time.monotonic()
            ctx.jobs_begun = begun
            try:
                job = start_transient(ctx.manager, request.name, properties)
                mend_file(ctx, request)
                output.begin(keep_ends=by_path)
                stopped = self._wait(ctx, begun)
            except Refused:
                raise
            except BaseException as e:
                # Whatever it was, the unit may be there by now, and nobody waits for it any more.
                if self._stop() and isinstance(e, Interrupted):
                    e.msg += "; the unit was stopped"
                raise
            job_result = ctx.manager.wait_for_jobs([job], time.monotonic() + 1).get(job.id)
        finally:
            output.end()
            if stdin is not None:
                os.close(stdin)
        facts["job"] = {"id": job.id, "type": "start", "result": job_result}
        facts.update(printed(output, request, request.captured, ctx))
        facts.update(read_exit(ctx.manager, request.name, self._changes))
        why = hold_against(facts, request, halted(self._changes, request.name, job.id))
        if why and ctx.manager.status([request.name])[0].active_state == "active":
            # With RemainAfterExit=, systemd holds a command that was killed for one that is done.
            self._stop()
        self._judge(ctx, job, job_result, stopped, why)
        return self._outcome.ran

    # -- without waiting

    def _begin(self, ctx: Context) -> bool:
        request = self._request
        ctx.jobs_begun = time.monotonic()
        properties = list(request.properties)
        if ctx.manager.connection.is_bus:
            # Only as long as this task looks at it.
            properties.append(("AddRef", ("b", True)))
        job = start_transient(ctx.manager, request.name, properties)
        mend_file(ctx, request)
        # Whether it could be executed is known at once, and worth to be known; a oneshot's job is its whole run.
        result = None
        if not request.oneshot:
            result = ctx.manager.wait_for_jobs([job], time.monotonic() + _STARTING).get(job.id)
        self._outcome.facts["job"] = {"id": job.id, "type": "start", "result": result}
        if result not in (None, "done", "skipped"):
            self._report_job(ctx, job, result)
        return True

    # -- waiting

    def _wait(self, ctx: Context, begun: float) -> bool:
        """Wait until the unit is down; returns whether this process had to stop it.

        :raises RunFailed: it is not down when its time is over, although it was to be stopped, or systemd says nothing any more.
        """
        timeout = self._request.timeout
        deadline = begun + timeout + _GRACE if timeout is not None else None
        stopped, heard = False, time.monotonic()
        while True:
            seen = len(self._changes)
            # Looked at before systemd is asked anything, since it may not answer.
            now = time.monotonic()
            if now >= heard + _SILENCE:
                raise RunFailed(
                    f"systemd has not answered for {format_timespan(int(_SILENCE * 1e6))}, so it is not known whether "
                    f"{self._request.name} still runs; look at it with `systemctl status`, and why systemd hangs"
                )
            late = deadline is not None and now >= deadline
            if late and stopped:
                raise RunFailed(
                    f"{self._request.name} did not end within {format_timespan(int((timeout or 0) * 1e6))}, and could not be "
                    "stopped either; look at it with `systemctl status`"
                )
            if late:
                stopped, deadline = True, now + _STOPPING
            # No look takes longer than the deadline is away.
            until = min(now + _LOOK, deadline) if deadline is not None else now + _LOOK
            try:
                if late:
                    self._ask_to_stop(ctx, until)
                if self._is_over(ctx, until):
                    return stopped
                heard = time.monotonic()
                until = min(heard + 1.0, deadline) if deadline is not None else heard + 1.0
                ctx.manager.connection.wait(functools.partial(_more_than, seen, self._changes), until)
            except BusTimeout:
                pass
            except BusUnreachable:
                # The bus, or systemd itself, was replaced by a new process; it may be the command that did it.
                self._reconnect(ctx)
                if late:
                    # Whether that was heard is not known.
                    stopped, deadline = False, now

    def _ask_to_stop(self, ctx: Context, until: float) -> None:
        """Ask for the unit to be stopped. A systemd that is busy reads that later, also when nobody waits for its answer."""
        stop = Call(MANAGER_PATH, MANAGER, "StopUnit", "ss", (self._request.name, "replace"))
        ctx.manager.connection.call_many([stop], until)

    def _reconnect(self, ctx: Context) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                manager = self._connect()
                break
            except BusUnreachable:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
        ctx.manager.connection.close()
        ctx.manager = manager
        manager.watch_jobs()
        self._changes = manager.watch_unit(self._request.name)
        if manager.connection.is_bus:
            try:
                manager.call("RefUnit", "s", self._request.name)
            except SystemdError:
                pass  # it has ended meanwhile, and is forgotten

    def _is_over(self, ctx: Context, until: float) -> bool:
        calls = [get_property(self._path, UNIT, name) for name in ("ActiveState", "SubState", "Job")]
        replies = ctx.manager.connection.call_many(calls, until)
        state, sub_state, job = (None if isinstance(reply, CallFailed) else reply[0][1] for reply in replies)
        if job and job[0]:
            return False
        return state is None or is_down(state) or (state == "active" and sub_state == "exited")

    def _stop(self) -> bool:
        """Stop the unit over a connection of its own, as what happened may have happened to the other one."""
        try:
            with self._connect() as manager:
                jobs = jobs_of(manager.enqueue([(self._request.name, "stop")]))
                return bool(manager.wait_for_jobs(jobs, time.monotonic() + 10))
        except SystemdError:
            return False

    # -- what came of it

    def _judge(self, ctx: Context, job: t.Any, job_result: str | None, stopped: bool, why: str) -> None:
        request, facts = self._request, self._outcome.facts
        if facts["rc"] is None and facts["result"] == "success" and job_result in ("done", "skipped"):
            unmet = ctx.manager.properties([(self._path, UNIT, "ConditionResult")])[0]
            if job_result == "skipped" or unmet is False:
                self._outcome.ran = False
                facts["msg"] = "did not run the command, since a condition among the properties is not met"
                return
        if facts["result"] == "exec-condition":
            self._outcome.ran = False
            facts["msg"] = "did not run the command, since ExecCondition= among the properties says that it shall not be run"
            return
        is_up = job_result in ("done", "skipped", None) or request.oneshot
        if stopped or (facts["result"] == "timeout" and is_up):
            limit = f" within {format_timespan(int(request.timeout * 1e6))}" if request.timeout else " in time"
            raise RunFailed(screen(f"{request.command_line} did not end{limit} and was stopped", request, facts))
        by_systemd = facts["rc"] is None or is_of_systemd(facts["rc"]) or facts["result"] == "timeout"
        if job_result not in ("done", "skipped", None) and by_systemd:
            self._report_job(ctx, job, job_result)
        if why or facts["result"] != "success":
            raise RunFailed(screen(f"{request.command_line} {why or ended(facts)}", request, facts))

    def _report_job(self, ctx: Context, job: t.Any, result: str | None) -> t.NoReturn:
        if not ctx.manager.properties([(self._path, UNIT, "Transient")])[0]:
            # Forgotten already, as there was no bus: nobody can be asked any more.
            facts = {"result": str(result), **self._outcome.facts}
            raise RunFailed(screen(f"{self._request.command_line} could not be run", self._request, facts))
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_jobs

        error = report_jobs(ctx, "start", [(self._request.name, job, result)])
        for entry in error.data.get("failures", ()):
            if "failed_setting" not in entry and entry.get("command"):
                # As it was asked for, without what keeps systemd from replacing variables in it.
                error.msg = error.msg.replace(entry["command"], self._request.command_line)
                entry["command"] = self._request.command_line
        error.msg = "\n".join([error.msg, *last_lines(self._outcome.facts)])
        raise error


def mend_file(ctx: Context, request: Request) -> None:
    """Correct what systemd wrote of the commands, where it is something else than what it was sent.

    In place: so it is no new file where the unit has ended meanwhile, and systemd sees no change that would need a reload.
    """
    commands = [value for _name, (signature, value) in request.properties if signature in ("a(sasb)", "a(sasas)")]
    if "$" not in str(commands) and not any(name.endswith("Ex") for name, _value in request.properties):
        return
    runtime = f"/run/user/{ctx.manager.uid}" if ctx.manager.scope == "user" else "/run"
    path = f"{runtime}/systemd/transient/{request.name}"
    try:
        with open(path, "r+b", opener=_no_link) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode) or before.st_size > _LARGEST_FILE:
                raise OSError(errno.EINVAL, "it is not a file that systemd wrote", path)
            text = file.read(_LARGEST_FILE).decode("utf-8", "surrogateescape")
            mended = mend_commands(text, request.properties).encode("utf-8", "surrogateescape")
            file.seek(0)
            file.write(mended)
            file.truncate()
            file.flush()
            os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
    except FileNotFoundError:
        pass
    except OSError as e:
        if not request.wait:
            ctx.warnings.append(
                f"after a daemon-reload, systemd will read the dollar signs of the command otherwise, as {path} could not be "
                f"corrected: {e.strerror}"
            )


def _no_link(path: str, flags: int) -> int:
    """Open a file through directories that are no links either, without waiting for anybody."""
    *directories, name = path.split("/")[1:]
    at = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for directory in directories:
            below = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)


def _more_than(count: int, items: t.Sequence[t.Any]) -> bool:
    return len(items) > count
