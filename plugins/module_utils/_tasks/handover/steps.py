# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps by which a service goes from its old supervisor to systemd and, undone, back; those of the other way are in `back.py`.

Each can be begun again where an earlier run was interrupted, and so can its way back: both go by the record on the host,
not by what this process did. Two rules keep a service from running twice. Its supervisor would not start it
again and is kept out (`Supervisor.take` and `stop`) before the unit is started; and it is not given back while a unit is up.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved, remove
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, WriteFile
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._observe import processes
from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import compare
from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import ephemeral_ports
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import is_masked
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.moving import Moving, OfService
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Records
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.supervisor import restore
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.units import (
    AllOf,
    disable,
    look_at_unit,
    mask_again,
    stop_units,
    take_back_files,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import Difference
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import Snapshot


# A process that was started just now may not be what it is going to be: scripts end in exec, servers bind late.
_YOUNG = 2.0
_PAUSE = 0.05
# A process without a supervisor that still listens is told to end, after this.
_LEFT_PATIENCE = 5.0
_LAST_MOMENT = 0.5


class LetGo(OfService):
    """Take the service out of the hands of its supervisor: note what it is, and have it stopped for good."""

    def __init__(self, moving: Moving, records: Records, tools: FileTools) -> None:
        super().__init__(moving, records)
        self.tools = tools
        self._begun = False

    def describe(self) -> str:
        supervisor = self.moving.supervisor
        return f"stop {self.moving.name} under {supervisor.source}{supervisor.taking}"

    def apply(self, ctx: Context) -> bool:
        moving = self.moving
        self._begun = True
        self._look(ctx)
        self.records.save(moving.record)
        moving.touched = True
        family = processes.family(moving.before["pid"]) if moving.before else []
        stats = [stat for stat in map(processes.read_stat, family) if stat is not None]
        moving.supervisor.take()
        moving.stopped = time.monotonic() if moving.before else 0.0
        moving.supervisor.stop(ctx.deadline(), moving.before)
        self._wait_for_sockets(stats, ctx.deadline())
        return True

    def _look(self, ctx: Context) -> None:
        """Take the snapshot of the service as it runs; of one that is down already, an earlier run may have one."""
        moving = self.moving
        now = moving.supervisor.now()
        if now.running:
            young = time.time() - now.since
            if 0 <= young < _YOUNG:
                time.sleep(_YOUNG - young)
                now = moving.supervisor.now()
        if now.pid:
            found = processes.snapshot(now.pid)
            if found is not None:
                moving.before = moving.record.before = found

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


class PutUnits(OfService):
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
        with AllOf() as each:
            for path, before in self._before.items():
                with each():
                    ctx.stale = True
                    if before is None:
                        remove(path)
                    else:
                        before.put_back(path)

    def undone(self) -> str:
        return f"removed {short(list(self.moving.record.files))}" if self.moving.record.files else ""


class UnmaskUnits(OfService):
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


class EnableUnits(OfService):
    """Have the units start with the host; only after the link to the old supervisor is gone, or both would start."""

    def describe(self) -> str:
        return f"enable {short(self.moving.enable)}"

    def apply(self, ctx: Context) -> bool:
        changes = ctx.manager.enable(self.moving.enable)
        ctx.links += changes
        return bool(changes)

    def undo(self, ctx: Context) -> None:
        disable(self.moving.record, ctx)


class StartUnits(Jobs):
    """Start the units; undone, stop all units of the service and see that they are down."""

    def __init__(self, moving: Moving) -> None:
        super().__init__("start", moving.start, allow_skipped=not moving.supervisor.was["running"])
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


class Compare(OfService):
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
            moving.differences = compare(moving.before, moving.after, moving.accept, ports, moving.expected)
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


class Finish(OfService):
    """Note that the handover is done."""

    counts = False

    def describe(self) -> str:
        return f"note that {self.moving.name} is handed over"

    def apply(self, ctx: Context) -> bool:
        record = self.moving.record
        self.moving.supervisor.finished()
        before, record.phase = record.phase, "handed_over"
        try:
            self.records.save(record)
        except BaseException:
            # It is not, and the way back goes by that.
            record.phase = before
            raise
        self.moving.supervisor.release()
        return False
