# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps by which a service goes from its old supervisor to systemd and, undone or the other way round, back.

Each can be begun again where an earlier run was interrupted, and so can its way back: both go by the record on the host,
not by what this process did. Two rules keep a service from running twice. The links of scanned directories are gone and
runsv's lock is ours before the unit is started; and no link is put back while a unit is up.
"""

from __future__ import annotations

import os
import time
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._collect.runit_control import SCAN, Supervised
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import (
    Saved,
    make_link,
    remove,
    remove_empty,
    remove_link,
    tidy,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step, stop
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, WriteFile
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._observe import processes
from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import compare, missing_sockets
from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import ephemeral_ports
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import (
    LASTING,
    is_masked,
    led_to,
    read_links,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Record, Records

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import Difference
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import Snapshot
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# A process that was started just now may not be what it is going to be: scripts end in exec, servers bind late.
_YOUNG = 2.0
_PAUSE = 0.05
# A logger that does not end with its input is told to, after this, and so is a process without a supervisor that still listens.
_LOG_PATIENCE = 5.0
_LEFT_PATIENCE = 5.0
_LAST_MOMENT = 0.5
_SURE = 1.2
# By then what ran before runs again, or never will.
_COMES_UP = 60.0


class UnitWish(t.NamedTuple):
    """A unit of a service: its text, or None for one that is on the host already."""

    name: str
    content: str | None


class Moving:
    """One service on its way: what was found, what is wanted, and what came of it."""

    def __init__(self, name: str, supervised: Supervised, record: Record, units: t.Sequence[UnitWish]) -> None:
        self.name = name
        self.supervised = supervised
        self.record = record
        self.units = list(units)
        # The unit that does what the run script did, and those to be enabled and started.
        self.main = ""
        self.enable: list[str] = []
        self.start: list[str] = []
        # Unit files and drop-ins to be written: path -> text.
        self.files: dict[str, str] = {}
        self.accept: set[str] = set()
        self.settle = 5.0
        self.listen = 30.0
        self.before: Snapshot | None = record.before
        self.after: Snapshot | None = None
        self.differences: list[Difference] = []
        self.notes: list[str] = []
        # Links of scanned directories to it, with their targets.
        self.links_now: dict[str, str] = {}
        # Whether the old supervisor has the service again as it had it.
        self.restored = False
        self.touched = False
        # How long it was stopped, in seconds.
        self.downtime = 0.0
        self.stopped = 0.0

    def is_back(self) -> None:
        """Note that the service is up again, here or there."""
        if self.stopped:
            self.downtime = time.monotonic() - self.stopped

    @property
    def unit_names(self) -> list[str]:
        return [unit.name for unit in self.units]

    @property
    def was_up(self) -> bool:
        """Whether it ran, or was meant to, under its old supervisor."""
        return bool(self.record.was.get("running") or self.record.was.get("wanted") == "up")


class _Of(Step):
    """A step of one service."""

    def __init__(self, moving: Moving, records: Records) -> None:
        super().__init__((moving.name,))
        self.moving = moving
        self.records = records


class LetGo(_Of):
    """Take the service out of the hands of its supervisor: note what it is, unlink, stop, wait until runsv is gone."""

    def __init__(self, moving: Moving, records: Records, tools: FileTools) -> None:
        super().__init__(moving, records)
        self.tools = tools
        self._begun = False

    def describe(self) -> str:
        record = self.moving.record
        how = f" and unlink {short(list(record.links))}" if record.links else ""
        return f"stop {self.moving.name} under {record.source}{how}"

    def apply(self, ctx: Context) -> bool:
        moving, record = self.moving, self.moving.record
        self._begun = True
        self._look(ctx)
        self.records.save(record)
        moving.touched = True
        family = processes.family(moving.before["pid"]) if moving.before else []
        stats = [stat for stat in map(processes.read_stat, family) if stat is not None]
        for path in record.links:
            remove_link(path)
        moving.stopped = time.monotonic() if moving.before else 0.0
        if moving.before and os.path.basename(moving.before["program"]) == "runsvdir":
            self._end_supervisors(moving.before["pid"])
        wait_until_gone(moving.supervised, ctx.deadline(), moving.name)
        self._wait_for_sockets(stats, ctx.deadline())
        return True

    def _look(self, ctx: Context) -> None:
        """Take the snapshot of the service as it runs; of one that is down already, an earlier run may have one."""
        moving = self.moving
        live = moving.supervised.status()
        if live["running"]:
            young = time.time() - live["since"]
            if 0 <= young < _YOUNG:
                time.sleep(_YOUNG - young)
                live = moving.supervised.status()
        if live["pid"]:
            found = processes.snapshot(live["pid"])
            if found is not None:
                moving.before = moving.record.before = found

    def _end_supervisors(self, pid: int) -> None:
        """Have a runsvdir, which runs as a service such as that of a user, end with all that it supervises.

        SIGTERM would leave its runsv behind, and those hold the locks that the next runsvdir needs: runsvdir(8).
        """
        import signal

        # Not to be started again, until its supervisor is told to exit.
        self.moving.supervised.control(b"o")
        try:
            os.kill(pid, signal.SIGHUP)
        except ProcessLookupError:
            pass

    def _wait_for_sockets(self, stats: t.Sequence[processes.Stat], deadline: float) -> None:
        """Until no process that the service left behind listens where the new one is going to."""
        before = self.moving.before
        if before is None:
            return
        began = time.monotonic()
        told_at = began + _LEFT_PATIENCE
        while True:
            left = [stat.pid for stat in stats if processes.is_running(stat.pid, stat.started)]
            held = sorted(set(processes.sockets_of(left)) & set(before["sockets"]))
            if held and time.monotonic() >= told_at:
                told_at = deadline
                self._end_listeners([stat for stat in stats if stat.pid in left], before)
            # Some take a moment longer than their parent.
            if not held and (not left or time.monotonic() >= began + _LAST_MOMENT):
                if left:
                    names = [f"{stat.pid} ({stat.name})" for stat in stats if stat.pid in left]
                    self.moving.notes.append(
                        f"{len(left)} of its processes did not end with it and live on, beside its unit: {short(names)}"
                    )
                return
            if time.monotonic() >= deadline:
                raise SystemdError(
                    f"{self.moving.name} was stopped, but processes that it left behind ({short([str(p) for p in left])}) "
                    f"still listen on {short(held)}"
                )
            time.sleep(_PAUSE)

    def _end_listeners(self, left: t.Sequence[processes.Stat], before: Snapshot) -> None:
        """Have processes end that outlived their service and its supervisor, and hold what the unit is going to listen on.

        Nobody else would: under systemd they would have been stopped with their service. Those with a session of their own,
        such as somebody's login, are not the service's.
        """
        import signal

        ended = []
        for stat in left:
            mine = stat.session == before["session"] and processes.is_running(stat.pid, stat.started)
            if mine and set(processes.sockets_of([stat.pid])) & set(before["sockets"]):
                try:
                    os.kill(stat.pid, signal.SIGTERM)
                except ProcessLookupError:
                    continue  # by itself, in this moment
                ended.append(str(stat.pid))
        if ended:
            self.moving.notes.append(
                f"processes that outlived it ({short(ended)}) still listened where its unit is going to, and were sent SIGTERM"
            )

    def undo(self, ctx: Context) -> None:
        if not self._begun:
            return
        # They were written before, and no unit of the service may be there when it is started again.
        take_back_files(self.moving.record, self.tools, ctx)
        if ctx.stale:
            ctx.manager.reload()
            ctx.stale = False
        restore(self.moving, self.records, ctx)

    def undone(self) -> str:
        return f"{self.moving.name} runs under {self.moving.record.source} again" if self._begun else ""


class PutUnits(_Of):
    """The unit files. They are written for all services at once beforehand, which spares reloads; the way back is here."""

    def __init__(self, moving: Moving, records: Records, tools: FileTools) -> None:
        super().__init__(moving, records)
        self.tools = tools
        # Files as they were before this run wrote them.
        self._before: dict[str, Saved | None] = {}

    def describe(self) -> str:
        return f"write {short(list(self.moving.files))}"

    def write(self, ctx: Context) -> None:
        """Write the files that are not yet what they shall be."""
        for path, text in self.moving.files.items():
            # A link is a mask, which the file takes the place of.
            before = None if os.path.islink(path) else Saved.of(path)
            content = text.encode("utf-8", "surrogateescape")
            if before is None or before.content != content:
                self._before[path] = before
                WriteFile(path, content, before, self.tools).apply(ctx)
                self.moving.touched = True

    def apply(self, ctx: Context) -> bool:
        return bool(self.moving.files)

    def undo(self, ctx: Context) -> None:
        if self.moving.record.phase != "handed_over":
            take_back_files(self.moving.record, self.tools, ctx)
            return
        # Only other files for a service that was handed over long ago, and whose units stay.
        with _AllOf() as each:
            for path, before in self._before.items():
                with each():
                    ctx.stale = True
                    if before is None:
                        remove(path)
                    else:
                        before.put_back(path)

    def undone(self) -> str:
        return f"removed {short(list(self.moving.record.files))}" if self.moving.record.files else ""


def take_back_files(record: Record, tools: FileTools, ctx: Context) -> None:
    """Make the unit files what they were before the handover; one that cannot be does not keep the others from it."""
    with _AllOf() as each:
        for path, old in record.files.items():
            with each():
                tidy(path, ctx.temporaries)
                now = None if os.path.islink(path) else Saved.of(path)
                if old is None:
                    if now is not None:
                        ctx.stale = True
                        remove(path)
                    if path.endswith(".conf"):
                        remove_empty(os.path.dirname(path))
                elif now is None or now.content != old.encode("utf-8", "surrogateescape"):
                    ctx.stale = True
                    WriteFile(path, old.encode("utf-8", "surrogateescape"), now, tools).apply(ctx)
        with each():
            mask_again(record, ctx)


class _AllOf:
    """Things that are all tried, whatever becomes of one of them; at the end, the first failure is raised."""

    def __init__(self) -> None:
        self._failure: Exception | None = None

    def __enter__(self) -> t.Callable[[], t.ContextManager[None]]:
        return self._each

    @contextmanager
    def _each(self) -> t.Iterator[None]:
        try:
            yield
        except (SystemdError, OSError) as e:
            self._failure = self._failure or e

    def __exit__(self, kind: t.Any, *_more: t.Any) -> None:
        if kind is None and self._failure is not None:
            raise self._failure


class UnmaskUnits(_Of):
    """Unmask units of the host that were masked in favour of the old supervisor; only after that has let go."""

    def describe(self) -> str:
        return f"unmask {short(self.moving.record.masked)}"

    def apply(self, ctx: Context) -> bool:
        names = [name for name in self.moving.record.masked if is_masked(name)]
        if names:
            ctx.links += ctx.manager.unmask(names)
            ctx.manager.reload()
        return bool(names)

    def undo(self, ctx: Context) -> None:
        mask_again(self.moving.record, ctx)


def mask_again(record: Record, ctx: Context) -> None:
    """Mask the units that were masked before the handover."""
    names = [name for name in record.masked if not os.path.lexists(f"{LASTING}/{name}")]
    if names:
        ctx.links += ctx.manager.mask(names)
        ctx.stale = True


class EnableUnits(_Of):
    """Have the units start with the host; only after the link to the old supervisor is gone, or both would start."""

    def describe(self) -> str:
        return f"enable {short(self.moving.enable)}"

    def apply(self, ctx: Context) -> bool:
        changes = ctx.manager.enable(self.moving.enable)
        ctx.links += changes
        return bool(changes)

    def undo(self, ctx: Context) -> None:
        disable(self.moving.record, ctx)


def disable(record: Record, ctx: Context) -> None:
    """Remove the links that were made to have the units start with the host."""
    states = ctx.manager.unit_file_states(record.enabled)
    there = [name for name, state in zip(record.enabled, states) if state]
    if there:
        ctx.links += ctx.manager.disable(there)
        ctx.stale = True
    # Systemd does not look for the links of a unit that has no file any more.
    gone = set(record.enabled).difference(there)
    if gone:
        for path, target in read_links(ctx.manager.link_directories()).items():
            if not gone.isdisjoint(led_to(path, target)) and remove(path):
                ctx.stale = True


class StartUnits(Jobs):
    """Start the units; undone, stop all units of the service and see that they are down."""

    def __init__(self, moving: Moving) -> None:
        super().__init__("start", moving.start, allow_skipped=not moving.record.was.get("running"))
        self.moving = moving

    def apply(self, ctx: Context) -> bool:
        self.moving.touched = True
        changed = super().apply(ctx)
        self.moving.is_back()
        return changed

    def undo(self, ctx: Context) -> None:
        stop_units(self.moving, ctx)

    def undone(self) -> str:
        return f"{short(self.moving.unit_names)} stopped"


def stop_units(moving: Moving, ctx: Context) -> list[str]:
    """Stop the units of a service that were not up before its handover; returns those that were up.

    :raises SystemdError: one is not down when the time is over.
    """
    names = [name for name in moving.unit_names if name not in moving.record.active]
    up = [status.id for status in ctx.manager.status(names) if not is_down(status.active_state)]
    # Sockets and timers first, lest they start their service again.
    up.sort(key=lambda name: name.endswith(".service"))
    stop(ctx, up)
    still = [status.id for status in ctx.manager.status(names) if not is_down(status.active_state)]
    if still:
        raise SystemdError(f"{short(still)} did not stop within {ctx.timeout:g} s")
    ctx.manager.reset_failed(names)
    return up


class Compare(_Of):
    """Look whether what runs now is what ran before."""

    counts = False

    def describe(self) -> str:
        return f"compare {self.moving.name} with what it was"

    def apply(self, ctx: Context) -> bool:
        moving = self.moving
        ports = ephemeral_ports()
        began = time.monotonic()
        while True:
            moving.after = look_at_unit(ctx.manager, moving.main)
            if moving.before is None or moving.after is None:
                break
            moving.differences = compare(moving.before, moving.after, moving.accept, ports, moving.supervised.path)
            worse = [one for one in moving.differences if one["worse"]]
            only_sockets = all(one["what"] == "sockets" for one in worse)
            if not worse or time.monotonic() - began >= (moving.listen if only_sockets else _YOUNG):
                break
            time.sleep(_PAUSE * 4)
        if moving.before is not None and moving.after is None:
            moving.differences = _without_process(moving)
        worse = [one for one in moving.differences if one["worse"]]
        if worse:
            told = "\n".join(f"  {describe_difference(one)}" for one in worse)
            raise SystemdError(f"{moving.main} is up, but is not what {moving.name} was:\n{told}")
        return False


def _without_process(moving: Moving) -> list[Difference]:
    """The differences of a unit that is up without a process: timers, and one-shots that have done their work."""
    before: t.Mapping[str, t.Any] = moving.before or {}
    told = " ".join(before.get("command", ()))
    found: list[Difference] = [
        {
            "what": "process",
            "before": told,
            "after": "",
            "expected": True,
            "worse": False,
            "reason": f"{moving.main} needs no process to be up",
        }
    ]
    if before.get("sockets") and not any(name.endswith(".socket") for name in moving.unit_names):
        worse = "sockets" not in moving.accept
        reason = "nothing is there to listen"
        found.append(
            {
                "what": "sockets",
                "before": before["sockets"],
                "after": [],
                "expected": False,
                "worse": worse,
                "reason": reason if worse else f"{reason}; accepted",
            }
        )
    return found


def describe_difference(one: Difference) -> str:
    """A difference in one line."""

    def shown(value: t.Any) -> str:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        return text if len(text) <= 120 else text[:117] + "..."

    return f"{one['what']}: {one['reason']}: before {shown(one['before']) or 'nothing'}; now {shown(one['after']) or 'nothing'}"


def look_at_unit(manager: UnitManager, name: str) -> Snapshot | None:
    """The snapshot of a service's main process; None where it has none."""
    if not name.endswith(".service"):
        return None
    path = object_path(name)
    pid, cgroup = manager.properties([(path, SERVICE, "MainPID"), (path, SERVICE, "ControlGroup")])
    members = processes.in_cgroup(cgroup) if cgroup else []
    if not pid:
        # Of a service that forked away systemd may not know which process is the main one: the oldest.
        stats = [stat for stat in map(processes.read_stat, members) if stat is not None and stat.state != "Z"]
        pid = min(stats, key=lambda stat: (stat.started, stat.pid)).pid if stats else 0
    return processes.snapshot(pid, members) if pid else None


class Finish(_Of):
    """Note that the handover is done."""

    counts = False

    def describe(self) -> str:
        return f"note that {self.moving.name} is handed over"

    def apply(self, ctx: Context) -> bool:
        record = self.moving.record
        if record.held_down:
            _remove_file(f"{record.path}/down")
            record.held_down = False
        before, record.phase = record.phase, "handed_over"
        try:
            self.records.save(record)
        except BaseException:
            # It is not, and the way back goes by that.
            record.phase = before
            raise
        self.moving.supervised.unlock()
        return False


# -- the old supervisor


def wait_until_gone(supervised: Supervised, deadline: float, name: str) -> None:
    """Have the supervisor stop the service and exit, and take its lock.

    :raises SystemdError: it did not within the time.
    """
    told = False
    quiet_since = 0.0
    log = supervised.log
    while True:
        if supervised.is_supervised():
            if not told:
                supervised.leave()
                told = True
            running = supervised.status()["running"]
            quiet_since = quiet_since or (0.0 if running else time.monotonic())
            if log is not None and quiet_since and time.monotonic() - quiet_since > _LOG_PATIENCE:
                # It should have ended with its input.
                log.control(b"d")
                quiet_since = time.monotonic()
        elif supervised.source == "daemontools" and log is not None and log.is_supervised():
            # Supervised on its own there.
            log.leave()
            time.sleep(_PAUSE)
        elif supervised.lock():
            return
        if time.monotonic() >= deadline:
            status = supervised.status()
            why = "its supervisor did not exit"
            if status["pid"]:
                what = "process" if status["running"] else "its finish script, process"
                why = f"{what} {status['pid']}{',' if not status['running'] else ''} still runs"
            raise SystemdError(
                f"{name} did not stop under {supervised.source}: {why}; see why, or give it more time in `timeout`"
            )
        time.sleep(_PAUSE)


def restore(moving: Moving, records: Records, ctx: Context) -> None:
    """Give the service back to its old supervisor, in the state that it had there, and see that it is up.

    :raises SystemdError: a unit of it is still up, or it did not come up again.
    """
    link_again(moving, records, ctx)
    see_it_restored(moving, ctx)


def link_again(moving: Moving, records: Records, ctx: Context) -> None:
    """Put the links back, such that the supervisor starts the service if it ran and only then."""
    record, name = moving.record, moving.name
    names = [unit for unit in moving.unit_names if unit not in record.active]
    up = [status.id for status in ctx.manager.status(names) if not is_down(status.active_state)]
    if up:
        raise SystemdError(f"{name} is not started under {record.source} again while {short(up)} is not down")
    moving.supervised.unlock()
    if not record.links and record.was.get("supervised"):
        raise SystemdError(f"{name} had a supervisor but no link in a scanned directory; start its supervisor by hand")
    down = f"{record.path}/down"
    if record.links and not moving.was_up and not os.path.lexists(down):
        # runsv starts what has no such file, and looks for it only once.
        record.held_down = True
        records.save(record)
        with open(down, "w", encoding="ascii"):
            pass
    elif moving.was_up and record.held_down:
        _remove_file(down)
        record.held_down = False
    for path, target in record.links.items():
        make_link(path, target)


def see_it_restored(moving: Moving, ctx: Context) -> None:
    """Wait until the old supervisor has the service again, as it had it."""
    record, supervised = moving.record, moving.supervised
    down = f"{record.path}/down"
    if record.links:
        deadline = time.monotonic() + max(ctx.timeout, 2 * SCAN)
        if not supervised.wait(lambda status: bool(status["supervised"]), deadline):
            raise SystemdError(f"{moving.name} is linked again, but nothing supervises it; is runsvdir running?")
        if moving.was_up:
            if record.was.get("once"):
                supervised.control(b"o")
            elif os.path.lexists(down) or supervised.status()["wanted"] != "up":
                # One that would not stop in time still waits for its end, to exit then.
                supervised.control(b"u")
            if record.was.get("running"):
                _see_it_run(moving, time.monotonic() + min(ctx.timeout, _COMES_UP))
        if record.held_down:
            # Its supervisor has looked for the file by the time that it knows the state.
            supervised.wait(lambda status: status["wanted"] == "down", time.monotonic() + SCAN)
            _remove_file(down)
            record.held_down = False
    moving.restored = True


def _see_it_run(moving: Moving, deadline: float) -> None:
    """Wait until the service runs under its old supervisor, for longer than a moment, and listens where it did."""
    supervised, name = moving.supervised, moving.name
    while True:
        if not supervised.wait(lambda status: bool(status["running"] and status["pid"]), deadline):
            raise SystemdError(f"{name} did not come up again under {moving.record.source}")
        status = supervised.status()
        pid = status["pid"]
        # Longer than the second after which runsv starts again what died at once.
        time.sleep(max(0.0, min(_SURE, status["since"] + _SURE - time.time())))
        status = supervised.status()
        if pid and status["pid"] == pid and status["running"]:
            moving.is_back()
            break
    ports, patience = ephemeral_ports(), time.monotonic() + moving.listen
    before = moving.record.before
    while before is not None:
        found = processes.snapshot(supervised.status()["pid"] or 0)
        missing = missing_sockets(before, found, ports) if found else before["sockets"]
        if not missing:
            return
        if time.monotonic() >= patience:
            raise SystemdError(
                f"{name} runs under {moving.record.source} again, but does not listen on {short(missing)}"
            )
        time.sleep(_PAUSE * 4)


def _remove_file(path: str) -> None:
    remove(path)


# -- giving back


class StopUnits(_Of):
    """Stop a service under systemd, to give it back."""

    def __init__(self, moving: Moving, records: Records) -> None:
        super().__init__(moving, records)
        self._up: list[str] = []

    def describe(self) -> str:
        return f"stop {short(self.moving.unit_names)}"

    def apply(self, ctx: Context) -> bool:
        self.moving.touched = True
        self.moving.before = look_at_unit(ctx.manager, self.moving.main)
        names = self.moving.unit_names
        self._up = [status.id for status in ctx.manager.status(names) if not is_down(status.active_state)]
        self.moving.stopped = time.monotonic() if self._up else 0.0
        stop_units(self.moving, ctx)
        return bool(self._up)

    def undo(self, ctx: Context) -> None:
        ctx.bring_up += [(name, "start") for name in self._up]


class TakeUnits(_Of):
    """Disable and remove the units of a service that is given back."""

    def __init__(self, moving: Moving, records: Records, tools: FileTools) -> None:
        super().__init__(moving, records)
        self.tools = tools

    def describe(self) -> str:
        return f"remove {short(list(self.moving.record.files) or self.moving.unit_names)}; daemon-reload"

    def apply(self, ctx: Context) -> bool:
        record = self.moving.record
        disable(record, ctx)
        take_back_files(record, self.tools, ctx)
        ctx.stale = False
        ctx.manager.reload()
        return True

    def undo(self, ctx: Context) -> None:
        record = self.moving.record
        with _AllOf() as each:
            for path, text in record.written.items():
                with each():
                    content = text.encode("utf-8", "surrogateescape")
                    # A mask, which is made again before this step has gone well, is taken off below or replaced.
                    now = None if os.path.islink(path) else Saved.of(path)
                    if now is None or now.content != content:
                        WriteFile(path, content, now, self.tools).apply(ctx)
            with each():
                masked = [name for name in record.masked if is_masked(name)]
                if masked:
                    ctx.links += ctx.manager.unmask(masked)
            with each():
                ctx.manager.reload()
            with each():
                if record.enabled:
                    ctx.links += ctx.manager.enable(record.enabled)


class GiveBack(_Of):
    """Link the service again; its supervisor starts it when it next looks."""

    def __init__(self, moving: Moving, records: Records) -> None:
        super().__init__(moving, records)
        self._begun = False

    def describe(self) -> str:
        return f"link {short(list(self.moving.record.links)) or 'nothing'}"

    def apply(self, ctx: Context) -> bool:
        self._begun = True
        link_again(self.moving, self.records, ctx)
        return True

    def undo(self, ctx: Context) -> None:
        if not self._begun:
            return
        with _AllOf() as each:
            for path in self.moving.record.links:
                with each():
                    remove_link(path)
        wait_until_gone(self.moving.supervised, ctx.deadline(), self.moving.name)
        self.moving.supervised.unlock()
        self.moving.restored = False


class SeeItBack(_Of):
    """Wait until the service is up under its old supervisor, and look what it is now."""

    counts = False

    def describe(self) -> str:
        state = "up" if self.moving.was_up else "supervised"
        return f"wait until {self.moving.name} is {state} under {self.moving.record.source}"

    def apply(self, ctx: Context) -> bool:
        moving = self.moving
        see_it_restored(moving, ctx)
        pid = moving.supervised.status()["pid"]
        moving.after = processes.snapshot(pid) if pid else None
        old = moving.record.before
        if old is not None and moving.after is not None:
            moving.differences = compare(old, moving.after, moving.accept, ephemeral_ports())
        self.records.forget(moving.name)
        return False
