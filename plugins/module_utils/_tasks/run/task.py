# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `run` module's task: transient services, timers and scopes.

A service's output comes through pipes whose ends systemd is given as file descriptors, so that there is nothing on disk to
be left behind, and no journal that could be late. Over a bus the task holds a reference to the unit, which systemd drops when
the task's process ends: until then the unit can be asked what it used, and after it systemd forgets it.
"""

from __future__ import annotations

import errno
import functools
import math
import os
import stat
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, get_property
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import (
    Change,
    Context,
    Plan,
    Step,
    carry_out,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import ResetFailed
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import acting_as
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.exec import mend_commands
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import (
    MANAGER,
    MANAGER_PATH,
    UNIT,
    explain,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import format_bytes
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.request import (
    Request,
    build,
    check_options,
    words_of,
)

SERVICE = "org.freedesktop.systemd1.Service"
TIMER = "org.freedesktop.systemd1.Timer"
_NEVER = 2**64 - 1
# What the unit used, under the names of D-Bus; null where this version or its accounting does not tell.
RESOURCES = (
    "CPUUsageNSec", "MemoryPeak", "MemorySwapPeak", "IOReadBytes", "IOWriteBytes", "IPIngressBytes", "IPEgressBytes",
)  # fmt: skip
_EXIT = (
    "Result", "ExecMainCode", "ExecMainStatus", "ExecMainPID", "ExecMainStartTimestamp", "ExecMainExitTimestamp",
    "ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic", "NRestarts",
)  # fmt: skip
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
# Lines of output in a message, and the characters of each.
_TAIL, _LINE = 10, 400
# Bytes of output beyond the limit that are kept while it is read, so that it is not cut at each read.
_SLACK = 1 << 20
# fcntl(2): how many bytes a pipe holds. The module fcntl names it since Python 3.10.
_F_GETPIPE_SZ = 1032
# Bytes of a unit file that systemd wrote, at most.
# A transient unit's file holds what stands on the standard input too.
_LARGEST_FILE = 64 << 20
# From this exit status on, systemd tells with it why it could not run a command (systemd.exec(5), "Process Exit Codes").
_FIRST_OF_SYSTEMD = 200


class RunFailed(SystemdError):
    """The command did not succeed; the data say how it ended and what it printed."""

    changed = True


class Interrupted(SystemdError):
    """A signal asked this process to end."""

    changed = True


class Refused(BadInput):
    """Systemd did not take the unit; nothing was started, and what has its name is somebody else's."""


class Taken(Refused):
    """The name is another unit's, which was not there a moment before."""


class Outcome:
    """How a run ended, as the result tells it, and whether there was a run at all."""

    def __init__(self) -> None:
        self.facts: dict[str, t.Any] = {}
        self.ran = True


class Output:
    """Reads what a unit prints, while other things are waited for, and keeps the last of it.

    :param streams: which of `stdout` and `stderr` are read.
    :param limit: bytes of each that are kept; what came before them is only counted.
    """

    def __init__(self, streams: t.Sequence[str], limit: int) -> None:
        self.ends: dict[str, int] = {}
        self._limit = limit
        self._sources: dict[int, str] = {}
        self._data: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._dropped = {"stdout": 0, "stderr": 0}
        for stream in streams:
            source, self.ends[stream] = os.pipe()
            self._sources[source] = stream
            # A command may open /dev/stdout anew, and be another user by then.
            os.fchmod(self.ends[stream], 0o666)
            os.set_blocking(source, False)
        self._wake = os.pipe()
        self._thread: t.Any = None

    def begin(self, keep_ends: bool = False) -> None:
        """Read from now on; the ends to be written to are another's business, unless they are kept for later."""
        import threading

        if not keep_ends:
            for end in self.ends.values():
                os.close(end)
            self.ends.clear()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        import select

        poll = select.poll()
        for source in (*self._sources, self._wake[0]):
            poll.register(source, select.POLLIN)
        open_sources, woken = set(self._sources), False
        while open_sources:
            for ready, _event in poll.poll(0 if woken else None):
                if ready == self._wake[0]:
                    woken = True
                    poll.unregister(ready)
                elif not self._take(ready, 1 << 16):
                    poll.unregister(ready)
                    open_sources.discard(ready)
            if woken:
                # The unit is down: what it printed is in the pipes, also where somebody still holds them.
                for source in open_sources:
                    self._take_all(source)
                return

    def _take(self, source: int, most: int) -> int | None:
        """Keep what is there, up to so many bytes; returns how many came, 0 at the end, None where there is nothing now."""
        try:
            data = os.read(source, most)
        except BlockingIOError:
            return None
        stream = self._sources[source]
        kept = self._data[stream]
        kept += data
        if len(kept) > self._limit + _SLACK:
            self._cut(stream)
        return len(data)

    def _take_all(self, source: int) -> None:
        """Take what a pipe can hold, and no more: who still holds the other end may write for ever."""
        import fcntl

        left = fcntl.fcntl(source, _F_GETPIPE_SZ)
        while left > 0:
            came = self._take(source, min(left, 1 << 16))
            if not came:
                return
            left -= came

    def _cut(self, stream: str) -> None:
        """Drop from the beginning what is more than the limit, and what that leaves of a character of UTF-8."""
        kept = self._data[stream]
        more = len(kept) - self._limit
        if more <= 0:
            return
        more += next((at for at in range(4) if kept[more + at : more + at + 1].isascii() or kept[more + at] >= 0xC0), 0)
        self._dropped[stream] += more
        del kept[:more]

    def end(self) -> None:
        """Take what is left and stop reading."""
        if self._thread is not None:
            os.write(self._wake[1], b".")
            self._thread.join()
            self._thread = None
        for descriptor in (*self.ends.values(), *self._sources, *self._wake):
            os.close(descriptor)
        self.ends, self._wake = {}, (-1, -1)
        self._sources = {}
        for stream in self._data:
            self._cut(stream)

    def data(self, stream: str) -> bytearray:
        """What came on one stream, or the last of it. Complete after `end`."""
        return self._data[stream]

    def dropped(self, stream: str) -> int:
        """How many bytes came before that."""
        return self._dropped[stream]


def run(module: t.Any) -> dict[str, t.Any]:
    """Run a command as the module's options say; returns the module's result."""
    params = module.params
    check_options(params)
    session = open_session(params, timeout=math.inf, on_bus=True)
    # What the user may not see, the task does not tell.
    with acting_as(session.account):
        skipped = _skip(params)
    if skipped:
        return {"changed": False, "rc": 0, "msg": skipped, "cmd": words_of(params["command"])}
    with session:
        manager = session.manager
        request = build(params, manager, module.check_mode)
        existing = _existing(manager, request)
        if existing is not None:
            return existing
        outcome = Outcome()
        plan = _plan(session, request, params, outcome)
        # Without `failed`, ansible-core would take every rc but 0 for a failure, also where the unit's settings do not.
        result: dict[str, t.Any] = {"failed": False, "warnings": [*request.warnings, *plan.warnings]}
        result.update(changed=plan.changed, name=request.name, cmd=request.argv, steps=plan.describe())
        if request.timer:
            result["timer"] = request.timer
        if module._diff:
            result["diff"] = plan.diff()
        if module.check_mode:
            return result
        ctx = Context(manager, request.timeout or 90.0)
        with _signals():
            try:
                result["changed"] = carry_out(plan, ctx)
            except Taken:
                # Somebody was faster; it may have been the same task, elsewhere.
                existing = _existing(manager, request)
                if existing is None:
                    raise
                return existing
            except SystemdError as e:
                e.data = {**{key: result[key] for key in ("name", "cmd", "steps")}, **outcome.facts, **e.data}
                raise
            finally:
                if ctx.manager is not manager:
                    ctx.manager.connection.close()
        result["warnings"] += ctx.warnings
        result.update(outcome.facts)
    return result


class _signals:
    """While it is entered, a signal that would end this process raises Interrupted, so that the unit is stopped first."""

    def __enter__(self) -> None:
        import signal

        def interrupt(number: int, frame: object) -> None:
            raise Interrupted(f"interrupted by {signal.Signals(number).name}")

        self._before = {}
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            self._before[number] = signal.signal(number, interrupt)

    def __exit__(self, *exc: object) -> None:
        import signal

        for number, handler in self._before.items():
            signal.signal(number, handler)


def _skip(params: dict[str, t.Any]) -> str:
    """Why nothing is to be run, by `creates` and `removes`; empty where it is."""
    import glob

    for option, wanted in (("creates", True), ("removes", False)):
        pattern = params[option]
        if pattern is None:
            continue
        path = os.path.join(params["working_directory"] or "", pattern)
        if bool(glob.glob(path)) is wanted:
            return f"did not run the command, since {pattern} {'exists' if wanted else 'does not exist'}"
    return ""


# -- what is there already


def _existing(manager: t.Any, request: Request) -> dict[str, t.Any] | None:
    """The result where the unit is there already and is the same; None where it is to be made.

    :raises BadInput: the name is another unit's.
    """
    if request.made_up:
        return None
    names = [request.name, *([request.timer] if request.timer else [f"{request.name.rpartition('.')[0]}.timer"])]
    service, timer = manager.status(names)
    if not request.timer and timer.active_state in ("inactive", "failed"):
        timer = None
    for status in (service, timer):
        if status is None or status.load_state == "not-found":
            continue
        transient, path = manager.properties([(status.path, UNIT, name) for name in ("Transient", "FragmentPath")])
        if status.load_state == "masked":
            raise BadInput(f"name: {status.id} is masked on this host; unmask it, or choose another name")
        if not transient:
            where = f" ({path})" if path else ""
            raise BadInput(f"name: there is a unit {status.id}{where} on this host already; choose another name")
    up = [status for status in (service, timer) if status and status.active_state not in ("inactive", "failed")]
    request.failed = [status.id for status in (service, timer) if status and status.active_state == "failed"]
    if not up:
        return None
    if not request.mark or not _has_mark(manager, service, request.mark):
        raise BadInput(
            f"name: {up[0].id} is there already ({up[0].active_state}, {up[0].sub_state}) and was made with other options; "
            f"stop it first (pidone.systemd.unit with `state: stopped`), or choose another name"
        )
    facts: dict[str, t.Any] = {"changed": False, "failed": False, "name": request.name, "cmd": request.argv}
    if request.timer:
        facts["timer"] = request.timer
        facts["next_elapse"] = next_elapse(manager, request.timer)
    facts["msg"] = f"{up[0].id} is there already, with the same options"
    facts.update(active_state=up[0].active_state, sub_state=up[0].sub_state)
    if service.sub_state == "exited":
        facts.update(read_exit(manager, service.id))
    return facts


def _has_mark(manager: t.Any, service: t.Any, mark: str) -> bool:
    fields = manager.properties([(service.path, SERVICE, "LogExtraFields")])[0] or ()
    return mark.encode() in [bytes(field) for field in fields]


# -- the plan


def _plan(session: Session, request: Request, params: dict[str, t.Any], outcome: Outcome) -> Plan:
    steps: list[Step] = []
    if request.failed:
        steps.append(ResetFailed(request.failed))
    if request.scope:
        from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.scope import RunInScope

        steps.append(RunInScope(request, params, outcome))
    elif request.timer:
        steps.append(StartTimer(request, outcome))
    else:
        steps.append(RunService(request, session.connect, outcome))
    command = request.command_line
    change = Change(request.shown, "not there", f"{request.when}: {command}" if request.when else f"ran {command}")
    if not request.when and not request.wait:
        change = Change(request.shown, "not there", f"runs {command}")
    return Plan(steps, [change])


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


def start_transient(manager: t.Any, name: str, properties: t.Any, others: t.Any = ()) -> t.Any:
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
        why = explain(e, f"start {name}")
        if e.name.endswith(".NoSuchUnit"):
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import why_unwritable

            # Of a unit whose file it could not write, systemd says no more than that.
            place = f"/run/{'systemd' if manager.uid is None else f'user/{manager.uid}/systemd'}/transient"
            why.msg = f"cannot start {name}: systemd did not write its file in {place}{why_unwritable(f'{place}/{name}')}"
        raise Refused(why.msg, **why.data) from e


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
        self._judge(ctx, job, job_result, stopped)
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
        return state in ("inactive", "failed", None) or (state == "active" and sub_state == "exited")

    def _stop(self) -> bool:
        """Stop the unit over a connection of its own, as what happened may have happened to the other one."""
        try:
            with self._connect() as manager:
                jobs = [job for job in manager.enqueue([(self._request.name, "stop")]) if hasattr(job, "id")]
                return bool(manager.wait_for_jobs(jobs, time.monotonic() + 10))
        except SystemdError:
            return False

    # -- what came of it

    def _judge(self, ctx: Context, job: t.Any, job_result: str | None, stopped: bool) -> None:
        request, facts = self._request, self._outcome.facts
        if facts["rc"] is None and facts["result"] == "success" and job_result in ("done", "skipped"):
            unmet = ctx.manager.properties([(self._path, UNIT, "ConditionResult")])[0]
            if job_result == "skipped" or unmet is False:
                self._outcome.ran = False
                facts["msg"] = "did not run the command, since a condition among the properties is not met"
                return
        is_up = job_result in ("done", "skipped", None) or request.oneshot
        if stopped or (facts["result"] == "timeout" and is_up):
            limit = f" within {format_timespan(int(request.timeout * 1e6))}" if request.timeout else " in time"
            raise RunFailed(screen(f"{request.command_line} did not end{limit} and was stopped", request, facts))
        by_systemd = facts["rc"] is None or facts["rc"] >= _FIRST_OF_SYSTEMD or facts["result"] == "timeout"
        if job_result not in ("done", "skipped", None) and by_systemd:
            self._report_job(ctx, job, job_result)
        if facts["result"] != "success":
            raise RunFailed(screen(f"{request.command_line} {ended(facts)}", request, facts))

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
        error.msg = "\n".join([error.msg, *_tail(self._outcome.facts)])
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


def memory_file(data: bytes) -> int:
    """A file without a name that holds the data, to be read from its beginning."""
    descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def read_exit(manager: t.Any, name: str, changes: t.Sequence[t.Any] = ()) -> dict[str, t.Any]:
    """How a service ended and what it used.

    :param changes: bodies of PropertiesChanged; what is known of a unit that systemd has forgotten meanwhile.
    """
    path = object_path(name)
    wanted = [(path, UNIT, "Transient"), (path, UNIT, "InvocationID")]
    wanted += [(path, SERVICE, key) for key in (*_EXIT, *RESOURCES)]
    transient, invocation, *values = manager.properties(wanted)
    found = dict(zip((*_EXIT, *RESOURCES), values))
    if not transient:
        found = {}
        for changed_path, body in changes:
            if changed_path == path:
                found.update({key: value[1] for key, value in body[1].items()})
        invocation = found.get("InvocationID")
    facts = exit_facts(found)
    facts["invocation_id"] = bytes(invocation).hex() if invocation else None
    return facts


def exit_facts(found: dict[str, t.Any]) -> dict[str, t.Any]:
    """Properties of a service that has ended, as the result tells them."""
    import signal

    code, status = found.get("ExecMainCode") or 0, found.get("ExecMainStatus") or 0
    facts: dict[str, t.Any] = {
        "rc": None,
        "signal": None,
        "core_dumped": code == 3,
        "result": found.get("Result") or "",
    }
    if code == 1:
        facts["rc"] = status
    elif code in (2, 3):
        facts["rc"] = -status
        try:
            facts["signal"] = signal.Signals(status).name
        except ValueError:
            facts["signal"] = str(status)
    begun, ended = found.get("ExecMainStartTimestampMonotonic") or 0, found.get("ExecMainExitTimestampMonotonic") or 0
    facts["started_at"] = iso_time(found.get("ExecMainStartTimestamp") or 0)
    facts["ended_at"] = iso_time(found.get("ExecMainExitTimestamp") or 0)
    facts["run_time"] = round((ended - begun) / 1e6, 6) if ended >= begun > 0 else None
    facts["restarts"] = found.get("NRestarts") or 0
    facts["resources"] = {key: None if found.get(key) in (None, _NEVER) else found[key] for key in RESOURCES}
    return facts


def iso_time(usec: int) -> str | None:
    """A point of time in microseconds since the epoch, as ISO 8601 in UTC; null for 0, which says never."""
    if not usec or usec == _NEVER:
        return None
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(usec // 1_000_000))}.{usec % 1_000_000:06d}Z"


def next_elapse(manager: t.Any, timer: str) -> str | None:
    """When a timer elapses next, as ISO 8601 in UTC; null where that is not known yet, or never."""
    path = object_path(timer)
    # The timer's first elapse may still be being computed.
    names = ("NextElapseUSecRealtime", "NextElapseUSecMonotonic")
    real, monotonic = (value or 0 for value in manager.properties([(path, TIMER, name) for name in names]))
    times = [value for value in (real,) if 0 < value < _NEVER]
    if 0 < monotonic < _NEVER:
        times.append(int((time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)) * 1e6) + monotonic)
    return iso_time(min(times)) if times else None


def printed(output: Output, request: Request, streams: t.Sequence[str], ctx: Context) -> dict[str, t.Any]:
    """What was printed, as the result tells it; null where nobody read it."""
    facts: dict[str, t.Any] = {"stdout": None, "stderr": None}
    for stream in streams:
        facts.update(as_text(stream, output.data(stream), request.strip))
        dropped = output.dropped(stream)
        if dropped:
            facts[f"{stream}_dropped"] = dropped
            ctx.warnings.append(
                f"{stream} is cut: its first {dropped} bytes are not returned, as it was longer than `output_limit` "
                f"({format_bytes(request.output_limit)})"
            )
    return facts


def as_text(stream: str, data: bytes | bytearray, strip: bool) -> dict[str, t.Any]:
    """What was printed, as text; where it is no text, also as base64."""
    facts = {}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        import base64

        text = data.decode("utf-8", "replace")
        facts[f"{stream}_base64"] = base64.b64encode(data).decode()
    facts[stream] = text.rstrip("\r\n") if strip else text
    return facts


def ended(facts: dict[str, t.Any]) -> str:
    """How a command that did not succeed ended, in a few words."""
    if facts["result"] == "oom-kill":
        return "was killed, because there was not enough memory for it"
    if facts["signal"]:
        return f"was killed by {facts['signal']}{' (core dumped)' if facts['core_dumped'] else ''}"
    if facts["rc"]:
        return f"exited with status {facts['rc']}"
    if not facts["result"]:
        return "ended while the connection to systemd was lost, and how it ended is not known"
    return f"failed (Result: {facts['result'] or 'unknown'})"


def screen(headline: str, request: Request, facts: dict[str, t.Any]) -> str:
    """A failure for people, with the last lines that were printed."""
    lines = [headline]
    ran = f", ran {facts['run_time']:g} s" if facts.get("run_time") is not None else ""
    again = f", restarted {facts['restarts']} times" if facts.get("restarts") else ""
    lines.append(f"  unit      {request.name}, Result: {facts.get('result') or 'unknown'}{ran}{again}")
    return "\n".join([*lines, *_tail(facts)])


def _tail(facts: dict[str, t.Any]) -> list[str]:
    """The last lines that were printed, long ones shortened."""
    lines = []
    for stream in ("stderr", "stdout"):
        # As much as could be shown, so that not all of a long output is taken apart.
        text = (facts.get(stream) or "")[-4 * _TAIL * _LINE :].splitlines()
        if text:
            lines.append(f"  {stream}{' (its last lines)' if len(text) > _TAIL else ''}:")
            lines += [f"    {line if len(line) <= _LINE else '...' + line[3 - _LINE :]}" for line in text[-_TAIL:]]
    return lines
