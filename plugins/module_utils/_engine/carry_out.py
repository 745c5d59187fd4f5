# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans carried out, and taken back: the only place where it is decided what becomes of a failure."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, LeftAlone, Note, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, explained, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import jobs_of

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module


def carry_out(plan: Plan, ctx: Context, rollback: bool = False, after: t.Sequence[Step] = ()) -> bool:
    """Apply the plan's steps in order; returns whether anything changed.

    Whatever a step raises becomes one clear error, and what was begun is undone where that was asked for.

    :param rollback: whether to undo everything when a step fails.
    :param after: steps that were carried out before, and are undone too; the plan is what is left of a longer one.
    :raises SystemdError: a step failed; its data say what changed (`changed`) and what was put back (`rolled_back`).
    """
    changed = False
    begun: list[Step] = list(after)
    doing = ""
    try:
        for at, step in enumerate(plan.steps):
            doing = step.describe()
            if ctx.undo_log is not None and not step.foretold:
                _foretell(plan.steps[at:], ctx)
            begun.append(step)
            changed = step.apply(ctx) or changed
    except Exception as cause:
        ctx.rolling_back, ctx.stays = True, not rollback
        e = explained(cause, doing)
        undo = begun if rollback else [step for step in begun if step.for_now]
        undone = _roll_back(undo, ctx) if undo else []
        if rollback:
            e.msg += "\n  rolled back: " + ("; ".join(undone) or "nothing had been changed")
            e.data.update(rolled_back=undone, changed=False)
        else:
            if undone:
                e.msg += "\n  put back all the same: " + "; ".join(undone)
            e.data.setdefault("changed", changed or e.changed)
        if e is cause:
            raise
        raise e from cause
    return changed


def carry_through(module: Module, plan: Plan, ctx: Context, rollback: bool = False) -> bool:
    """A plan of a task that has a way back of its own, carried out unless it is check mode; returns whether it changes anything.

    All others go through `bring_about`.

    :param rollback: as for `carry_out`.
    :raises SystemdError: as `carry_out` does; its data tell what was planned, too.
    """
    if module.check_mode:
        return plan.changed
    try:
        return carry_out(plan, ctx, rollback)
    except SystemdError as e:
        e.data.update(plan.report(module._diff))
        raise


def _foretell(steps: t.Sequence[Step], ctx: Context) -> None:
    """Write down what the first steps will note, as many as know it: the disk is waited for once."""
    notes: list[Note] = []
    for step in steps:
        step.foretold = step.foretell()
        if not step.foretold:
            break
        notes += step.foretold
    if notes and ctx.undo_log is not None:
        ctx.undo_log.add(*notes)


def _roll_back(begun: t.Sequence[Step], ctx: Context) -> list[str]:
    told: list[str] = []

    def attempt(told_if_done: str, action: t.Callable[[], t.Any], doing: str = "") -> None:
        # One thing that cannot be put back must not keep the others from it.
        try:
            action()
        except Exception as e:
            told.append(f"failed to put back: {explained(e, doing or 'put back ' + told_if_done).msg}")
        else:
            if told_if_done:
                told.append(told_if_done)

    # The failure may have been that systemd was replaced by a new process.
    ctx.manager.revive(ctx.deadline())
    for step in reversed(begun):
        # Who noted nothing changed nothing.
        undone = "" if type(step).undo is Step.undo and not step.notes else step.undone()
        attempt(undone, functools.partial(step.undo, ctx), "" if undone else f"undo what was to {step.describe()}")
    finish_way_back(ctx, attempt)
    return told


def start_again(ctx: Context, wanted: t.Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Have units be brought up, however often they were started before (StartLimitBurst= of systemd.unit(5)).

    :param wanted: unit and type of job.
    :returns: those that systemd refused, and those whose job did not end well in time.
    """
    ctx.manager.reset_failed([name for name, _kind in wanted])
    asked = ctx.manager.enqueue(wanted)
    started = jobs_of(asked)
    results = ctx.manager.wait_for_jobs(started, ctx.deadline())
    refused = [each.unit for each in asked if each.error is not None]
    return refused, [job.unit for job in started if results.get(job.id) != "done"]


def finish_way_back(ctx: Context, attempt: t.Callable[[str, t.Callable[[], t.Any]], None]) -> None:
    """The end of a way back: systemd reads the files that are there again, and what was up comes up.

    :param attempt: is given what is told when it is done, and what to do.
    """
    if ctx.stale:
        attempt("daemon-reload", ctx.manager.reload)
        ctx.stale = False
    if ctx.bring_up:
        wanted = list(dict.fromkeys(ctx.bring_up))
        names = [name for name, _kind in wanted]

        def bring_up() -> None:
            if not ctx.anew:
                start()
                return
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.anew import counting_from_now
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools

            with counting_from_now(ctx, ctx.anew, FileTools(lambda path, check: False)):
                start()

        def start() -> None:
            refused, bad = start_again(ctx, wanted)
            if bad or refused:
                # What an earlier task stopped and nothing can start by now must not keep this one from mending it.
                failure = SystemdError if ctx.recovery is None else LeftAlone
                raise failure(f"{short([*refused, *bad])} did not come up again; see its log")

        attempt(f"brought {short(names)} up again", bring_up)
        ctx.bring_up = []
        ctx.anew = []
