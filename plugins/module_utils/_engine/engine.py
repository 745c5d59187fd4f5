# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Desired -> plan -> apply: the engine under every module that changes something.

A plan is a list of steps. Check mode is the plan without applying it, diff mode is what the plan says of itself, and a
rollback is the steps' `undo` in reverse order; so none of the three can tell another story than the change itself.
"""

from __future__ import annotations

import functools
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError


class Context:
    """What the steps of one plan share while they are carried out.

    :param manager: a Manager, or an OfflineManager where files are changed without a manager.
    :param timeout: seconds that the jobs of one step may take together.
    :param wait: whether to wait for jobs at all.
    """

    def __init__(self, manager: t.Any, timeout: float = 300.0, wait: bool = True) -> None:
        self.manager = manager
        self.timeout = timeout
        self.wait = wait
        # What jobs and links came of it: (Job, result or None where nobody waited), LinkChange.
        self.jobs: list[tuple[t.Any, str | None]] = []
        self.links: list[t.Any] = []
        # Notes for the way back: units to bring up again at its end, and whether files changed under systemd's feet.
        self.bring_up: list[tuple[str, str]] = []
        self.stale = False
        # When the last jobs were enqueued, on the clock of `time.monotonic()`.
        self.jobs_begun = 0.0
        self.warnings: list[str] = []

    def deadline(self) -> float:
        """The deadline of jobs enqueued now, on the clock of `time.monotonic()`."""
        return time.monotonic() + self.timeout


class Step:
    """One kind of change, to one unit or file or to many at once.

    `names` are the units or files it touches. `counts` says whether carrying it out is a change in itself
    (waiting until a unit is healthy is a step, but changes nothing).
    """

    counts = True

    def __init__(self, names: t.Sequence[str] = ()) -> None:
        self.names = tuple(names)

    def describe(self) -> str:
        """What the step does, in a few words for the plan: `enable app@0.service`."""
        raise NotImplementedError

    def apply(self, ctx: Context) -> bool:
        """Do it; returns whether anything changed. Raises a SystemdError where it failed."""
        raise NotImplementedError

    def undo(self, ctx: Context) -> None:
        """Put back what was before `apply`, also where that failed half way. Nothing by default."""

    def undone(self) -> str:
        """What `undo` did, for the report of a rollback; empty where there is nothing to say."""
        return ""


class Change(t.NamedTuple):
    """What becomes of one thing, in words: a line of the diff."""

    name: str
    before: str
    after: str


class Plan:
    """The steps that lead from what is to what is wanted, and the changes they amount to."""

    def __init__(self, steps: t.Sequence[Step] = (), changes: t.Sequence[Change] = ()) -> None:
        self.steps = [step for step in steps if step is not None]
        self.changes = list(changes)
        # Diffs of file contents, in Ansible's form (before, after, before_header, after_header).
        self.file_diffs: list[dict[str, str]] = []
        self.warnings: list[str] = []

    @property
    def changed(self) -> bool:
        """Whether carrying the plan out would change anything."""
        return any(step.counts for step in self.steps)

    def describe(self) -> list[str]:
        """Each step in a few words."""
        return [step.describe() for step in self.steps]

    def diff(self) -> list[dict[str, str]]:
        """The plan as Ansible's diff: contents of files, then states before and after and the steps between."""
        parts = list(self.file_diffs)
        if self.changes or self.steps:
            lines = ["--- before", "+++ after"] if self.changes else []
            for change in self.changes:
                lines += [f"@@ {change.name}", f"-{change.before}", f"+{change.after}"]
            if self.steps:
                lines.append("   steps: " + "; ".join(self.describe()))
            parts.append({"prepared": "\n".join(lines) + "\n"})
        return parts


def short(names: t.Sequence[str], most: int = 3) -> str:
    """A list of names for people: all of a few, else the first ones and how many more."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def carry_out(plan: Plan, ctx: Context, rollback: bool = False, after: t.Sequence[Step] = ()) -> bool:
    """Apply the plan's steps in order; returns whether anything changed.

    :param rollback: whether to undo everything when a step fails.
    :param after: steps that were carried out before, and are undone too; the plan is what is left of a longer one.
    :raises SystemdError: a step failed; its data say what changed (`changed`) and what was put back (`rolled_back`).
    """
    changed = False
    begun: list[Step] = list(after)
    try:
        for step in plan.steps:
            begun.append(step)
            changed = step.apply(ctx) or changed
    except SystemdError as e:
        if not rollback:
            e.data.setdefault("changed", changed or e.changed)
            raise
        undone = _roll_back(begun, ctx)
        e.msg += "\n  rolled back: " + ("; ".join(undone) or "nothing had been changed")
        e.data.update(rolled_back=undone, changed=False)
        raise
    return changed


def _roll_back(begun: t.Sequence[Step], ctx: Context) -> list[str]:
    told: list[str] = []

    def attempt(told_if_done: str, action: t.Callable[[], t.Any]) -> None:
        # One thing that cannot be put back must not keep the others from it.
        try:
            action()
        except (SystemdError, OSError) as e:
            told.append(f"failed to put back: {e}")
        else:
            if told_if_done:
                told.append(told_if_done)

    for step in reversed(begun):
        attempt(step.undone(), functools.partial(step.undo, ctx))
    if ctx.stale:
        attempt("daemon-reload", ctx.manager.reload)
    if ctx.bring_up:
        names = [name for name, _kind in ctx.bring_up]

        def bring_up() -> None:
            jobs = ctx.manager.enqueue(ctx.bring_up)
            started = [job for job in jobs if hasattr(job, "id")]
            results = ctx.manager.wait_for_jobs(started, ctx.deadline())
            bad = [job.unit for job in started if results.get(job.id) != "done"]
            if bad or len(started) < len(jobs):
                raise SystemdError(f"{short(bad or names)} did not come up again")

        attempt(f"brought {short(names)} up again", bring_up)
    return told
