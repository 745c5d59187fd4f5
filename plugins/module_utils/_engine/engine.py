# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Desired -> plan -> apply: the engine under every module that changes something.

A plan is a list of steps. Check mode is the plan without applying it, diff mode is what the plan says of itself, and a
rollback is the steps' `undo` in reverse order; so none of the three can tell another story than the change itself.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, explained, one_line
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import jobs_of

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Job

    # What the files of these names are to a step; naming those here would have them sent with modules that change nothing.
    class UndoLog(t.Protocol):
        """Where notes are written down (`undo_log.py`)."""

        def add(self, *notes: Note) -> None: ...
        def leave(self) -> None: ...
        def forget(self) -> None: ...

    class Recovery(t.Protocol):
        """What becomes of the jobs of a task that was cut short (`undo_log.py`)."""

        has_started: bool

        def takes_back(self, note: t.Any) -> bool: ...
        def keeps(self, note: Note) -> None: ...


class Context:
    """What the steps of one plan share while they are carried out.

    :param manager: what the units are of; None where no step asks one.
    :param timeout: seconds that the jobs of one step may take together.
    :param wait: whether to wait for jobs at all.
    """

    def __init__(self, manager: UnitManager | None, timeout: float = 300.0, wait: bool = True) -> None:
        if manager is None:
            from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager

            manager = NoManager()
        self.manager: UnitManager = manager
        self.timeout = timeout
        self.wait = wait
        # What jobs and links came of it: (Job, result or None where nobody waited), LinkChange.
        self.jobs: list[tuple[Job, str | None]] = []
        self.links: list[LinkChange] = []
        # Notes for the way back: units to bring up again at its end, and whether files changed under systemd's feet.
        self.bring_up: list[tuple[str, str]] = []
        # Those of them that are timers and count from now on then (`way_back.Held`).
        self.anew: list[t.Any] = []
        self.stale = False
        # When the last jobs were enqueued, on the clock of `time.monotonic()`.
        self.jobs_begun = 0.0
        self.warnings: list[str] = []
        # Whether what was begun is being undone: nothing may interrupt that.
        self.rolling_back = False
        # Whether what was done stays, and only what made way for it is undone (`Step.for_now`).
        self.stays = False
        # Where notes are written down, so that the next task can undo what this one leaves half-done; None for no such place.
        self.undo_log: UndoLog | None = None
        # Directory -> what killed tasks have left there under temporary names (`durable.tidy`).
        self.temporaries: dict[str, list[str]] = {}
        # Where it is the notes of another task that are undone: what is done about its jobs (`undo_log.Recovery`).
        self.recovery: Recovery | None = None

    def deadline(self) -> float:
        """The deadline of jobs enqueued now, on the clock of `time.monotonic()`."""
        return time.monotonic() + self.timeout


class Interrupted(SystemdError):
    """A signal asked the task to end."""


class LeftAlone(SystemdError):
    """Something is not put back, as it is not what the step made of it any more."""


class Note:
    """What is before a step, written down before the step changes it; see `way_back.py`.

    `kind` names the class in what is written. `lasting` says whether it still holds after a reboot.
    """

    kind = ""
    lasting = True
    # The files, links and directories that it is about, where these are reached by their paths.
    paths: t.Sequence[str] = ()

    def places(self) -> t.Iterable[str]:
        """The directories in which things are made and removed, which are to be on the disk before the note is forgotten."""
        return (os.path.dirname(path) for path in self.paths)

    def undo(self, ctx: Context) -> None:
        """Put it back. What is as it was already, and what somebody else has changed since, is left alone.

        :raises SystemdError, OSError: it cannot be put back.
        """
        raise NotImplementedError

    def told(self) -> str:
        """What is put back, in a few words; empty where there is nothing to say."""
        return ""

    def as_data(self) -> dict[str, t.Any]:
        """The note for JSON; `from_data` reads it."""
        raise NotImplementedError

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> Note:
        """What `as_data` wrote."""
        raise NotImplementedError


def check_way(ctx: Context, note: Note) -> None:
    """See that what a note is about is still where it was in its tree, and no link by now leads from there to elsewhere.

    :raises LeftAlone: it is not.
    """
    root = ctx.manager.root
    if not root or not note.paths:
        return
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

    tree = Tree(root)
    for path in note.paths:
        if tree.real(path) != path:
            raise LeftAlone(
                f"{path} is not touched: somebody has put a link on the way to it meanwhile; let nobody else work in the tree, and run "
                "the task again"
            )


def undo(note: Note, ctx: Context) -> None:
    """Undo a note, after a look whether the way there is still the same; raises what that does, and `check_way`."""
    check_way(ctx, note)
    note.undo(ctx)


class Step:
    """One kind of change, to one unit or file or to many at once.

    `names` are the units or files it touches. `counts` says whether carrying it out is a change in itself
    (waiting until a unit is healthy is a step, but changes nothing). `for_now` says that it is undone after every failure,
    asked for or not: it only made way for a later step.
    """

    counts = True
    for_now = False
    # Those of the names for which there was nothing to do when it was carried out, whatever was planned.
    idle: t.AbstractSet[str] = frozenset()

    def __init__(self, names: t.Sequence[str] = ()) -> None:
        self.names = tuple(names)
        self.notes: list[Note] = []
        # Notes that are written down already, see `foretell`.
        self.foretold: list[Note] = []

    def foretell(self) -> list[Note]:
        """What it will note, as far as that is known before the steps before it are done; written down for many steps at once."""
        return []

    def note(self, ctx: Context, *notes: Note) -> None:
        """Note what is before a change that comes now, for the way back; on the host too, where there is an undo log.

        Notes that are given together cost one wait for the disk.

        :raises SystemdError: it cannot be written down; nothing may be changed then.
        :raises LeftAlone: the way to what is to be changed has become another.
        """
        for note in notes:
            check_way(ctx, note)
        new = [note for note in notes if note not in self.foretold]
        if ctx.undo_log is not None and new:
            ctx.undo_log.add(*new)
        self.notes += notes

    def describe(self) -> str:
        """What the step does, in a few words for the plan: `enable app@0.service`."""
        raise NotImplementedError

    def apply(self, ctx: Context) -> bool:
        """Do it; returns whether anything changed. What it raises where it failed, `carry_out` explains."""
        raise NotImplementedError

    def undo(self, ctx: Context) -> None:
        """Put back what was before `apply`, also where that failed half way: what it noted.

        :raises SystemdError: something cannot be put back; all else is.
        """
        failed = None
        for note in reversed(self.notes):
            try:
                undo(note, ctx)
            except (SystemdError, OSError) as e:
                failed = failed or explained(e, "put it back")
        if failed is not None:
            raise failed

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
        self.steps = list(steps)
        self.changes = list(changes)
        # Diffs of file contents, in Ansible's form (before, after, before_header, after_header).
        self.file_diffs: list[dict[str, str]] = []
        self.warnings: list[str] = []
        # What is told in place of what each step says, where steps are carried out that are not in the list.
        self.told: list[str] | None = None

    @property
    def changed(self) -> bool:
        """Whether carrying the plan out would change anything."""
        return any(step.counts for step in self.steps)

    def describe(self) -> list[str]:
        """Each step in a few words."""
        return [step.describe() for step in self.steps] if self.told is None else self.told

    def diff(self) -> list[dict[str, str]]:
        """The plan as Ansible's diff: contents of files, then states before and after and the steps between."""
        parts = list(self.file_diffs)
        told = self.describe()
        if self.changes or told:
            lines = ["--- before", "+++ after"] if self.changes else []
            for change in self.changes:
                lines += [f"@@ {change.name}", f"-{change.before}", f"+{change.after}"]
            if told:
                lines.append("   steps: " + "; ".join(told))
            # Ansible prints it as it is, and states and names come from hosts and their users.
            parts.append({"prepared": "\n".join(map(one_line, lines)) + "\n"})
        return parts

    def report(self, diff: bool) -> dict[str, t.Any]:
        """The plan as every module returns it, whether it was carried out, failed or was only made: `steps`, and `diff` if it is
        asked for; neither where there is nothing to do."""
        told = self.describe()
        parts = self.diff() if diff else []
        return {**({"steps": told} if told else {}), **({"diff": parts} if parts else {})}


def stop(ctx: Context, names: t.Sequence[str]) -> None:
    """Have units be down, whatever was asked of systemd before; those that it refuses to stop are passed over.

    :raises SystemdError: systemd cannot be asked.
    """
    asked = ctx.manager.enqueue([(name, "stop") for name in names])
    ctx.manager.wait_for_jobs(jobs_of(asked), ctx.deadline())
