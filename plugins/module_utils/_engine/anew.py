# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers that are started count from now on, and run nothing at once: see "Timers" in docs/architecture.md."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved, is_empty
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Interrupted, Step, stop
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, WriteFile
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import DirectoryWas, FileWas, Held
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError


@contextmanager
def counting_from_now(
    ctx: Context, timers: t.Sequence[Held], tools: FileTools, step: Step | None = None, kept: t.Container[str] = ()
) -> t.Iterator[None]:
    """Within it, starting these timers makes them count from now on.

    :param step: notes what is before each file is written.
    :param kept: names of timers whose stamps stay, as they are persistent.
    """
    for_a_moment: list[WriteFile] = []
    empty = {directory for directory in map(_directory_of, timers) if is_empty(directory)}
    try:
        for timer in timers:
            for_a_moment.append(WriteFile(timer.drop_in, timer.text, None, tools))
            for_a_moment[-1].apply(ctx)
            if timer.stamp:
                if timer.name in kept and step is not None:
                    # What is there is of the last run, and comes back with the rest if the task fails.
                    stamp = WriteFile(timer.stamp, b"", Saved.of(timer.stamp), tools)
                    stamp.notes = step.notes
                else:
                    stamp = WriteFile(timer.stamp, b"", None, tools)
                    for_a_moment.append(stamp)
                stamp.apply(ctx)
        ctx.manager.reload()
        try:
            yield
        except Interrupted:
            # A start that was asked for and not waited for would come when nothing holds them back any more.
            stop(ctx, [timer.name for timer in timers])
            raise
    finally:
        failed = None
        for write in reversed(for_a_moment):
            try:
                write.undo(ctx)
            except SystemdError as e:
                failed = failed or e
        ctx.manager.reload()
        if failed is not None:
            raise failed
        for directory in sorted(set(map(_directory_of, timers)) - empty):
            # It holds nothing back, so it is no reason to fail; the next task for the timer removes it.
            if is_empty(directory):
                ctx.warnings.append(f"{directory} is empty and could not be removed; remove it, or run the task again")


def note_of(timer: Held) -> list[t.Any]:
    """The notes by which a file that was to be there for a moment is removed by whoever finds it."""
    directory = DirectoryWas(_directory_of(timer), False)
    notes: list[t.Any] = [directory, FileWas(timer.drop_in, None, timer.text)]
    return [*notes, FileWas(timer.stamp, None, b"")] if timer.stamp else notes


def _directory_of(timer: Held) -> str:
    return timer.drop_in.rpartition("/")[0]
