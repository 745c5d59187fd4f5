# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a changing task becomes what it plans: alone on its manager, after what an interrupted one owes, with a way back on the host.

Who only reads, and who finds everything as it is wanted, neither waits nor writes.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Interrupted, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Reload
from ansible_collections.pidone.systemd.plugins.module_utils._errors import explained

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.lock import Lock
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log import Recovery

# The same as in lock.py, which is loaded only where there is something to lock.
_RUN = "/run/pidone.systemd"
_STATE = "/var/lib/pidone.systemd"
# Only where it is loaded may this process act as somebody else.
_ACCOUNTS = "ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts"


class Places(t.NamedTuple):
    """Where a manager's lock and undo log are: `name` is theirs, `run` is gone after a reboot, `state` stays."""

    name: str
    run: str
    state: str

    @property
    def logs(self) -> tuple[str, str]:
        """The directories of undo logs, in the order in which they are tried."""
        return (f"{self.state}/undo", f"{self.run}/undo")

    @property
    def lock(self) -> str:
        """The path of the lock."""
        return f"{self.run}/{self.name}.lock"


def places_of(session: Session) -> Places | None:
    """Where those of a session's manager are; None for who may not write where they would be."""
    scope, root = session.scope, session.root
    if scope == "user":
        run = f"/run/user/{session.uid}"
        state = f"{session.home}/.local/state/pidone.systemd"
        # A home directory may be that of the same user on many hosts, of which each owes its own.
        return Places(f"user-{_machine()}", f"{run}/pidone.systemd" if os.path.isdir(run) else state, state)
    if os.geteuid() != 0:
        # Somebody whom polkit lets do it; there is no directory that is his and all others' who may.
        return None
    if root:
        return Places(f"tree-{hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]}", _RUN, _STATE)
    return Places(scope, _RUN, _STATE)


def _machine() -> str:
    """What tells this host from others that share a home directory (machine-id(5))."""
    try:
        with open("/etc/machine-id", "rb") as file:
            said = file.read(100).strip()
    except OSError:
        said = b""
    return hashlib.sha256(b"pidone.systemd" + (said or os.uname().nodename.encode())).hexdigest()[:16]


@contextmanager
def ending_in_order(ctx: Context) -> t.Iterator[None]:
    """Within it, the first signal that would end the process raises Interrupted; those that follow are not heeded.

    Nor are those that come while the plan is undone, as what has to be done then is being done.

    A connection that is lost (SIGHUP) then ends as any failure does. Of SIGKILL nobody hears: for that the undo log is there.
    """
    heard = False

    def handler(number: int, frame: t.Any) -> None:
        nonlocal heard
        if not heard and not ctx.rolling_back:
            heard = True
            accounts = sys.modules.get(_ACCOUNTS)
            if accounts is None:
                interrupt(number)
            else:
                accounts.as_itself(lambda: interrupt(number))

    def interrupt(number: int) -> None:
        if not ctx.rolling_back:
            name = signal.Signals(number).name
            raise Interrupted(
                f"the task was interrupted by {name}: somebody ended it, or the connection to the host was lost"
            )

    before: dict[signal.Signals, t.Any] = {}
    try:
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            before[each] = signal.signal(each, handler)
    except ValueError:
        # Handlers are the main thread's.
        pass
    try:
        yield
    finally:
        for each, former in before.items():
            signal.signal(each, former)


class _PutBack(Step):
    """In check mode: what a real run does first about a task that was cut short."""

    def describe(self) -> str:
        return "put back what an interrupted task had begun"


def bring_about(
    module: Module,
    session: Session,
    make_plan: t.Callable[[], Plan],
    rollback: bool = False,
    wait: bool = True,
    guarded: bool = False,
) -> tuple[Plan, Context, bool]:
    """Plan, and carry the plan out unless it is check mode; returns the plan, its context, and whether anything changed.

    :param module: the AnsibleModule.
    :param session: the Session, entered; its `timeout` is the time for other tasks to end, and for each step's jobs.
    :param make_plan: reads what is, and plans; called again where that may have become another before it could be acted on.
    :param wait: whether jobs are awaited.
    :param guarded: whether a process puts things back at once if this one is killed, rather than the next task.
    :raises SystemdError: the plan could not be made or carried out; `steps` and `diff` of its data are the plan's.
    """
    guard = _Guard(module, session)

    def planned() -> Plan:
        with session.reading():
            plan = make_plan()
        if session.down:
            # It reads all files when it starts.
            plan.steps = [step for step in plan.steps if not isinstance(step, Reload)]
        return plan

    try:
        if module.check_mode:
            return guard.check(planned)
        guard.recover()
        seen = guard.seen()
        plan = planned()
        if not plan.changed and (guard.recover() or guard.seen() != seen):
            # What was found may be what a task had made that was killed meanwhile, and that is taken back by now.
            plan = planned()
        if plan.changed and guard.enter(seen):
            plan = planned()
        return guard.carry_out(plan, wait, rollback, guarded)
    finally:
        guard.leave()


class _Guard:
    """The lock and the undo log of one task."""

    def __init__(self, module: Module, session: Session) -> None:
        self._module = module
        self._session = session
        self._manager = session.manager
        self._places = places_of(session)
        self._timeout: float = session.timeout
        self._lock: Lock | None = None
        self._put_back: list[str] = []
        self._recovery: Recovery | None = None

    # -- what others do

    def _interrupted(self) -> list[str]:
        """Paths of undo logs: of a task that is at work, or was cut short."""
        if self._places is None:
            return []
        found = (f"{directory}/{self._places.name}.undo" for directory in self._places.logs)
        return [path for path in found if os.path.lexists(path)]

    def seen(self) -> bytes:
        """What is to be the same when the lock is taken, for a plan to be good still."""
        if self._places is None or not os.path.lexists(self._places.lock):
            return b""
        return self._make_lock().seen()

    def _make_lock(self) -> Lock:
        if self._lock is None:
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.lock import Lock

            self._lock = Lock(t.cast(Places, self._places).lock)
        return self._lock

    def enter(self, seen: bytes) -> bool:
        """Keep others from changing the manager's units; returns whether a plan made before may be out of date."""
        if self._places is None or (self._lock is not None and self._lock.held):
            return False
        lock = self._make_lock()
        try:
            said = lock.acquire(self._timeout, self._module._name)
        except OSError as e:
            raise explained(e, f"make {self._places.lock}, by which tasks wait for each other") from e
        if self._recovery is None and self._interrupted():
            self._recover()
            return True
        # Who was killed while he held it did not say when he ended.
        return bool(said != seen or (said and b'"until"' not in said))

    def recover(self) -> bool:
        """Put back what a task has begun that was cut short, or wait until that is done; returns whether there was one.

        One that is at work still is waited for by who has something to change, and by nobody else.
        """
        if self._is_interrupted():
            return self.enter(b"")
        return False

    def _is_interrupted(self) -> bool:
        """Whether there is what a task has begun that was cut short. Somebody may be at putting it back."""
        paths = self._interrupted()
        if not paths:
            return False
        if not self._at_work():
            return True
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log import is_written_by_the_living

        return not all(is_written_by_the_living(path) for path in paths)

    def _recover(self) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log import load, put_back, replace_log

        paths = self._interrupted()
        found = load(paths[-1]) if paths else None
        if found is not None:
            ctx = Context(self._manager, self._timeout)
            done, self._recovery = put_back(found, ctx, self._task())
            # What is owed still stays there until it is paid: this task may be cut short, too.
            replace_log(paths, found.header, self._recovery.left())
            if found.notes:
                self._put_back += done
                told = f"{found.told()}; what it had begun was put back first: {'; '.join(done) or 'nothing was left of it'}"
                self._module.warn(told)

    def _task(self) -> str:
        """What tells the same task again, and tells nothing of its secrets."""
        options = self._module.without_hidden()
        params = {key: value for key, value in options.items() if key not in ("timeout", "rollback", "settle")}
        text = json.dumps([self._module._name, params], sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    # -- what this one does

    def check(self, make_plan: t.Callable[[], Plan]) -> tuple[Plan, Context, bool]:
        """The plan, and what would come before it."""
        plan = make_plan()
        if self._is_interrupted():
            plan.steps.insert(0, _PutBack())
            plan.warnings.append(
                "an earlier task was cut short; a real run puts back first what it had begun, so that more may be to be done than is told"
            )
        return plan, Context(self._manager, self._timeout), plan.changed

    def _at_work(self) -> bool:
        """Whether somebody holds the lock."""
        import fcntl

        try:
            descriptor = os.open(
                t.cast(Places, self._places).lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _outlive(self) -> None:
        """In the process that outlives a killed task: put back what it had begun, unless the next task is faster."""
        import syslog

        self._lock = self._recovery = None
        self._module.warn = lambda text: syslog.syslog(syslog.LOG_WARNING, f"pidone.systemd: {text}")
        try:
            self._manager = self._session.connect()
            if self._interrupted():
                self.enter(b"")
        except Exception as e:
            # Nobody else hears of it before the next task.
            self._module.warn(explained(e, "put back what a task that was killed had begun").msg)
        finally:
            self.leave()

    def carry_out(self, plan: Plan, wait: bool, rollback: bool, guarded: bool) -> tuple[Plan, Context, bool]:
        """Do it, with the way back written down."""
        ctx = Context(self._manager, self._timeout, wait)
        all_is_well: t.Callable[[], None] | None = None
        try:
            after = self._pay_what_is_owed(ctx, plan)
            if not plan.changed:
                changed = carry_out(plan, ctx, rollback, after)
            else:
                if self._places is not None:
                    from ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log import UndoLog

                    header = {"module": self._module._name, "task": self._task(), "rollback": rollback}
                    left = self._recovery.left() if self._recovery is not None else ()
                    ctx.undo_log = UndoLog(self._places.logs, f"{self._places.name}.undo", header, left)
                    if guarded:
                        from ansible_collections.pidone.systemd.plugins.module_utils._engine.guardian import watch_over

                        all_is_well = watch_over(self._outlive)
                with ending_in_order(ctx):
                    changed = carry_out(plan, ctx, rollback, after)
        except Exception as cause:
            e = explained(cause, "carry out the plan")
            if isinstance(e, Interrupted) and "rolled_back" not in e.data:
                if ctx.undo_log is not None:
                    ctx.undo_log.leave()
                e.msg += "; the next task that changes this manager's units puts back what it had begun"
            else:
                self._forget(ctx)
            # What the plan was is as useful to a failed task as to one that went well.
            e.data.update(plan.report(self._module._diff))
            if self._put_back:
                e.data["changed"] = True
            if e is cause:
                raise
            raise e from cause
        else:
            self._forget(ctx)
        finally:
            if all_is_well is not None:
                all_is_well()
        return plan, ctx, changed or bool(self._put_back)

    def _forget(self, ctx: Context) -> None:
        """Nothing is owed any more, neither by this task nor by the one before."""
        if ctx.undo_log is not None:
            ctx.undo_log.forget()
        if self._recovery is not None:
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log import forget

            forget(self._interrupted())

    def _pay_what_is_owed(self, ctx: Context, plan: Plan) -> list[Step]:
        """Make restarts that an interrupted task may not have come to; returns the steps that are undone if the plan fails."""
        if self._recovery is None:
            return []
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log import TakenOver, owed_restarts

        planned = {name for step in plan.steps for name in step.names}
        self._put_back += [f"restarted {name}" for name in owed_restarts(ctx, self._recovery.owed, planned)]
        return [TakenOver(self._recovery.taken_over)]

    def leave(self) -> None:
        """Let others go on."""
        if self._lock is not None:
            self._lock.release()
