# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that plans for units are made of."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Interrupted, Step, undo
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, explained, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import differences, led_to, read_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import brings_up, jobs_of, runs
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.deaths import Deaths
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued


class Reload(Step):
    """daemon-reload, once for everything that the steps before it wrote.

    `counts` is true where nothing else in the plan is a change, but systemd's view of the files becomes another.
    """

    def __init__(self, counts: bool = True) -> None:
        super().__init__()
        self.counts = counts

    def describe(self) -> str:
        return "daemon-reload"

    def apply(self, ctx: Context) -> bool:
        ctx.manager.reload()
        return self.counts


class ReloadIfStale(Step):
    """daemon-reload where systemd says of one of the units that its files have changed, as old versions do of what they wrote.

    :param known: units of which it said so before; filled in meanwhile. Their files are another's business.
    """

    counts = False

    def __init__(self, names: t.Sequence[str], known: t.Container[str] = ()) -> None:
        super().__init__(names)
        self._known = known

    def describe(self) -> str:
        return f"daemon-reload if {short(self.names)} {'needs' if len(self.names) == 1 else 'need'} it"

    def apply(self, ctx: Context) -> bool:
        if any(name not in self._known for name in stale_units(ctx, self.names)):
            ctx.manager.reload()
        return False


def stale_units(ctx: Context, names: t.Sequence[str]) -> list[str]:
    """The units of which systemd says that their files have changed since it read them."""
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path

    answers = ctx.manager.properties([(object_path(name), UNIT, "NeedDaemonReload") for name in names])
    return [name for name, stale in zip(names, answers) if stale]


class UnitFileLinks(Step):
    """Enable, disable, mask, unmask or preset units: everything that is done by making and removing links.

    :param verb: the Manager's method.
    :param directories: where such links live, for the way back.
    """

    def __init__(
        self,
        verb: str,
        names: t.Sequence[str],
        directories: t.Sequence[str],
        runtime: bool = False,
        force: bool = False,
    ) -> None:
        super().__init__(names)
        self.verb = verb
        self.directories = directories
        self.runtime = runtime
        self.force = force

    def describe(self) -> str:
        return f"{self.verb} {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import LinksWere

        tree = Tree(ctx.manager.root)
        before = read_links(self.directories, tree=tree)
        was = LinksWere(self.directories, before, self.names, tree.root)
        self.note(ctx, was)
        try:
            changes = self._change(ctx)
        except SystemdError as e:
            # Some of it may have been done. Where there was no answer it may be about to be done: the way back looks then.
            if isinstance(e, (Interrupted, BusTimeout, BusUnreachable)):
                raise
            now = read_links(self.directories, tree=tree)
            was.touched = {path for path, _target in before.items() ^ now.items()}
            # Half of the links would look like a unit that is enabled.
            try:
                undo(was, ctx)
            except (SystemdError, OSError) as failed:
                e.msg += f" Not put back: {explained(failed, 'put back the links').msg}."
            if self.verb in ("enable", "preset") and not self.force and "already exists" in e.msg:
                e.msg += " Remove what is there, or replace a link with `force: true` (of pidone.systemd.unit)."
            raise
        if not changes:
            # Of what it had done before it was replaced by a new process, systemd does not tell.
            changes = differences(before, read_links(self.directories, tree=tree))
        was.touched = {change.path for change in changes}
        self.idle = self._untouched(before, changes)
        ctx.links += changes
        return bool(changes)

    def _untouched(self, before: t.Mapping[str, str], changes: t.Sequence[t.Any]) -> set[str]:
        """The units of which no link was made or removed."""
        names = frozenset(self.names)
        left = set(names)
        for change in changes:
            target = change.target or before.get(change.path, "")
            found = {os.path.basename(change.path), *led_to(change.path, target)}.intersection(names)
            if not found:
                # Such as of a unit in Also=; of whose, nobody tells.
                return set()
            left -= found
        return left

    def _change(self, ctx: Context) -> list[t.Any]:
        names, change = list(self.names), getattr(ctx.manager, self.verb)
        if self.verb not in ("disable", "unmask"):
            return list(change(names, self.runtime, self.force))
        # Both places, unless only the run-time one was asked for: what is off shall not be on until the reboot.
        return [*change(names, True), *([] if self.runtime else change(names, False))]

    def undone(self) -> str:
        opposite = {"enable": "disabled again", "disable": "enabled again", "mask": "unmasked again"}
        return f"{short(self.names)} {opposite.get(self.verb, 'links put back')}"


class ResetFailed(Step):
    """Clear the failed state; there is no way back, and nothing that would need one."""

    def describe(self) -> str:
        return f"reset-failed {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        ctx.manager.reset_failed(self.names)
        return True


class Jobs(Step):
    """Jobs of one type, enqueued together and awaited together.

    :param type: systemd's job type: `start`, `stop`, `restart`, `reload`, ...
    :param up: the units among `names` that are up before; undoing brings these up again and stops the others.
    :param counts: false where a job of somebody else is only joined.
    :param allow_skipped: whether a unit whose condition is not met is accepted as it is.
    :param stay_down: services of which it is known that systemd does not start them again when they have died (Restart=no).
    """

    undoable = True
    # Whether the start limit counts anew: it is meant for what dies, not for what is told something new often.
    unlimited = False
    # Timers that are brought up again such that they count from then on (`way_back.Held`).
    anew: t.Sequence[t.Any] = ()

    def __init__(
        self,
        type: str,  # noqa: A002 - systemd's own word
        names: t.Sequence[str],
        up: t.Container[str] = (),
        counts: bool = True,
        allow_skipped: bool = False,
        stay_down: t.Container[str] = (),
    ) -> None:
        super().__init__(names)
        self.type = type
        self.stay_down = stay_down
        self.counts = counts
        self._up = up
        self._allow_skipped = allow_skipped
        # Units that are down although their start succeeded: oneshots that ran to their end, skipped ones.
        self.finished: set[str] = set()
        self.skipped: set[str] = set()
        # When the last job ended, on the clock of time.monotonic().
        self.ended = 0.0
        # How services among them died, where a health gate follows (`Settle`).
        self.watched = False
        self.deaths: Deaths | None = None

    def describe(self) -> str:
        return f"{self.type if self.counts else 'wait for ' + self.type} {short(self.names)}"

    def type_of(self, name: str) -> str:
        """The type of the job that one of the units gets."""
        return self.type

    def apply(self, ctx: Context) -> bool:
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import JobsWere

        notes = []
        for coming in (True, False) if self.undoable else ():
            names = [name for name in self.names if brings_up(self.type_of(name)) is coming]
            up = [name for name in names if name in self._up]
            down = [name for name in names if name not in self._up] if coming else []
            if up or down:
                # What was up comes up again at the very end, after files and links have been put back.
                notes.append(JobsWere(up, "restart" if coming else "start", down, self.for_now, self.anew))
        if notes:
            self.note(ctx, *notes)
        if self.watched and ctx.wait:
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.deaths import Deaths

            self.deaths = Deaths(ctx.manager, [name for name in self.names if name not in self.stay_down])
        if self.unlimited:
            ctx.manager.reset_failed(self.names)
        ctx.jobs_begun = time.monotonic()
        answers = self.enqueue(ctx)
        refused = {each.unit: each.error for each in answers if each.error is not None}
        jobs = jobs_of(answers)
        if self.deaths is not None:
            self.deaths.jobs = {job.unit: job.id for job in jobs}
        results = ctx.manager.wait_for_jobs(jobs, ctx.deadline()) if ctx.wait else {}
        self.ended = time.monotonic()
        ctx.jobs += [(job, results.get(job.id)) for job in jobs]
        if refused:
            self._fail(ctx, [(name, None, answer) for name, answer in refused.items()])
        if ctx.wait:
            self._check(ctx, jobs, results)
        return self.counts and any(name not in self.skipped for name in self.names)

    def was_up(self, name: str) -> bool:
        """Whether one of the units is up before."""
        return name in self._up

    def enqueue(self, ctx: Context) -> list[Enqueued]:
        """Enqueue the jobs; in the order of the names, what became of each."""
        return ctx.manager.enqueue([(name, self.type_of(name)) for name in self.names])

    def _check(self, ctx: Context, jobs: t.Sequence[t.Any], results: dict[int, str]) -> None:
        """Done is not healthy: look at what the units are now."""
        bad: list[tuple[str, t.Any, t.Any]] = []
        down = []
        for job, status in zip(jobs, ctx.manager.status([job.unit for job in jobs])):
            result = results.get(job.id)
            if result not in ("done", "skipped"):
                bad.append((job.unit, job, result or "unfinished"))
            elif brings_up(self.type_of(job.unit)) and not runs(status):
                down.append((job, status))
        if down:
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import why_down

            for (job, _status), why in zip(down, why_down(ctx.manager, [status for _job, status in down])):
                skipped = why == "condition" or results[job.id] == "skipped"
                if skipped and self._allow_skipped:
                    self.skipped.add(job.unit)
                elif why == "finished" and not skipped:
                    self.finished.add(job.unit)
                else:
                    bad.append((job.unit, job, results[job.id]))
        if bad:
            self._fail(ctx, bad)

    def _fail(self, ctx: Context, bad: t.Sequence[tuple[str, t.Any, t.Any]]) -> t.NoReturn:
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_jobs

        raise report_jobs(ctx, self.type, bad, self.deaths)

    def undone(self) -> str:
        down = [name for name in self.names if name not in self._up and brings_up(self.type_of(name))]
        return f"{short(down)} stopped again" if down else ""


class JobsTogether(Jobs):
    """Jobs of several types, which systemd has in its queue at once and so puts in the order of its units.

    :param types: unit -> the type of its job, in the order in which they are enqueued.
    """

    def __init__(
        self,
        types: t.Mapping[str, str],
        up: t.Container[str] = (),
        allow_skipped: bool = False,
        stay_down: t.Container[str] = (),
    ) -> None:
        kinds = dict.fromkeys(types.values())
        super().__init__(next(iter(kinds), "start"), list(types), up, True, allow_skipped, stay_down)
        self._types = dict(types)
        self._kinds = list(kinds)

    def describe(self) -> str:
        of_kind = {kind: [name for name in self.names if self._types[name] == kind] for kind in self._kinds}
        return ", ".join(f"{kind} {short(names)}" for kind, names in of_kind.items())

    def type_of(self, name: str) -> str:
        # A job is told by the unit's own name, which may be another than that it was asked for by.
        return self._types.get(name, self.type)


class Settle(Step):
    """The health gate: the units must stay up for a while, without a restart in between.

    The first death of a unit fails it at once, also where systemd starts the unit again: `deaths` of the jobs tell.

    :param jobs: the step whose units are watched.
    :param seconds: for how long.
    """

    counts = False

    def __init__(self, jobs: Jobs, seconds: float, told: str) -> None:
        super().__init__(jobs.names)
        self._jobs = jobs
        jobs.watched = True
        self._seconds = seconds
        self._told = told

    def describe(self) -> str:
        return f"watch for {self._told}"

    def apply(self, ctx: Context) -> bool:
        if not ctx.wait:
            return False
        names = [n for n in self.names if n not in self._jobs.finished and n not in self._jobs.skipped]
        names = [n for n in names if brings_up(self._jobs.type_of(n))]
        services = [name for name in names if name.endswith(".service") and name not in self._jobs.stay_down]
        # A start or restart by hand begins to count restarts anew; a reload does not.
        kept = [name for name in services if self._jobs.type_of(name) not in ("start", "restart", "try-restart")]
        counted = dict(zip(kept, self._restarts(ctx, kept))) if kept else {}
        before = [counted.get(name, 0) for name in services]
        pause = 0.02
        while True:
            asked = time.monotonic()
            left = self._jobs.ended + self._seconds - asked
            down = [status for status in ctx.manager.status(names) if not runs(status)]
            self._check_dead(ctx, names)
            if down:
                self._check_down(ctx, down)
                names = [name for name in names if name not in self._jobs.finished]
            if left <= 0:
                break
            # The more there is to look at, the less often, so that looking does not slow what is looked at.
            self._pause(ctx, min(max(pause, 10 * (time.monotonic() - asked)), left))
            pause = min(pause * 2, 0.5)
        restarted = [
            n for n, was, now in zip(services, before, self._restarts(ctx, services)) if (now or 0) > (was or 0)
        ]
        if restarted:
            self._fail(ctx, restarted)
        return False

    def _pause(self, ctx: Context, seconds: float) -> None:
        """Let time go by, until a service dies at most."""
        if self._jobs.deaths is None or not self._jobs.deaths.watches:
            time.sleep(seconds)
            return
        try:
            ctx.manager.connection.wait(self._jobs.deaths.look, time.monotonic() + seconds)
        except (BusTimeout, BusUnreachable):
            # Where systemd is being replaced, the next look connects anew.
            pass

    def _check_dead(self, ctx: Context, names: t.Sequence[str]) -> None:
        deaths = self._jobs.deaths
        if deaths is not None and deaths.look():
            dead = [name for name in names if name in deaths.found]
            if dead:
                self._fail(ctx, dead)

    def _check_down(self, ctx: Context, down: t.Sequence[t.Any]) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import why_down

        bad = []
        for status, why in zip(down, why_down(ctx.manager, down)):
            if why == "finished":
                self._jobs.finished.add(status.id)
            else:
                bad.append(status.id)
        if bad:
            self._fail(ctx, bad)

    def _restarts(self, ctx: Context, services: t.Sequence[str]) -> list[t.Any]:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path

        values: list[t.Any] = ctx.manager.properties([(object_path(name), SERVICE, "NRestarts") for name in services])
        return values

    def _fail(self, ctx: Context, names: t.Sequence[str]) -> t.NoReturn:
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import report_unhealthy

        raise report_unhealthy(ctx, names, self._jobs.type, self._jobs.deaths)
