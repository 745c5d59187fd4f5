# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps for timers whose schedule becomes another: held back, counted anew, and their stamps."""

from __future__ import annotations

import os
import typing as t
from contextlib import suppress

from ansible_collections.pidone.systemd.plugins.module_utils._engine.anew import counting_from_now, note_of
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import (
    Jobs,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import AttributesWere, Held
from ansible_collections.pidone.systemd.plugins.module_utils._errors import short

if t.TYPE_CHECKING:

    class Timer(t.Protocol):
        """A timer: whether it has triggers that are over when it is started late, and whether missed elapses are made up for."""

        @property
        def name(self) -> str: ...
        @property
        def since_boot(self) -> bool: ...
        @property
        def persistent(self) -> bool: ...


class StartAnew(Jobs):
    """Start timers so that they count from now on, and neither from an earlier start or elapse nor from the boot.

    Drop-ins make them persistent for a moment, with a stamp that says that they elapsed just now; systemd keeps that in mind
    when they lose it again. Of those that have spans since the boot, the triggers are far away at the start: spans that are
    over elapse when a timer is started, but not when systemd reloads.

    :param timers: with the paths of their stamps.
    :param directory: of unit files that are gone after a reboot.
    """

    def __init__(self, timers: t.Sequence[tuple[Timer, str]], directory: str, tools: FileTools) -> None:
        super().__init__("start", [wish.name for wish, _stamp in timers])
        self._timers = list(timers)
        self._directory = directory
        self._tools = tools

    def describe(self) -> str:
        return f"start {short(self.names)}, to count from now"

    def apply(self, ctx: Context) -> bool:
        timers = [
            Held(wish.name, held_by(self._directory, wish.name), wish.since_boot, stamp) for wish, stamp in self._timers
        ]
        kept = [wish.name for wish, _stamp in self._timers if wish.persistent]
        with counting_from_now(ctx, timers, self._tools, self, kept):
            return super().apply(ctx)


class Hold(Jobs):
    """Stop timers that are started again by a later step; where it does not come to that, they count from then on as well.

    :param timers: how they are held back then.
    :param stamps: of timers that would have elapsed since, by their new calendars.
    """

    for_now = True

    def __init__(self, timers: t.Sequence[Held], stamps: t.Sequence[str] = ()) -> None:
        names = [timer.name for timer in timers]
        super().__init__("stop", names, names)
        self.anew = list(timers)
        self._stamps = list(stamps)

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, *(note for timer in self.anew for note in note_of(timer)))
        return super().apply(ctx)

    def undo(self, ctx: Context) -> None:
        # The files may be the new ones by now, and stay so. By the old ones nothing has elapsed since the last run, so that it makes
        # no difference to them. A timer whose stamp is as old as before would run its service at once, so it stays down then.
        for path in self._stamps if ctx.stays else ():
            with suppress(FileNotFoundError):
                os.utime(path)
        super().undo(ctx)


def held_by(directory: str, name: str) -> str:
    """The drop-in that holds a timer back, as long as `StartAnew` is at work; or for longer, where that was killed."""
    return f"{directory}/{name}.d/zzz-pidone-hold.conf"


class Touch(Step):
    """Tell systemd that a persistent timer has not missed a run until now."""

    def __init__(self, path: str, before: Saved) -> None:
        super().__init__((path,))
        self._path = path
        self._before = before

    def describe(self) -> str:
        return f"touch {self._path}"

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, AttributesWere(self._path, self._before))
        os.utime(self._path)
        return True
