# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A timer as it is and as it is wanted: its files, its links, and what systemd says of it."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus, is_up
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.options import (
    TimerWish,
    changed_sections,
)


class TimerFile:
    """One unit file of a timer: what it is, and what it shall be.

    `wanted` is None for one that shall be gone; `changed` holds the sections that will say something else, and is None
    where there is nothing to do.
    """

    __slots__ = ("before", "changed", "link", "name", "path", "wanted")

    def __init__(self, name: str, path: str, before: Saved | None, link: str, wanted: str | None) -> None:
        self.name = name
        self.path = path
        self.before = before
        # Where it is a link, its target.
        self.link = link
        self.wanted = wanted
        self.changed: set[str] | None = None
        if wanted is not None:
            self.changed = changed_sections(before.content if before else None, wanted)
        elif before or link:
            self.changed = set()


class TimerState:
    """What is known of one timer: the wish, its files, and how the timer is now."""

    def __init__(self, wish: TimerWish, files: t.Sequence[TimerFile]) -> None:
        self.wish = wish
        self.files = list(files)
        self.status: UnitStatus | None = None
        # Links that enable it or give it other names: path -> target, and the paths that there shall be.
        self.links: dict[str, str] = {}
        self.wanted_links: list[str] = []
        # Where systemd keeps the last elapse of the timer, if it is persistent; and that file, where it is there and matters.
        self.stamp_path = ""
        self.stamp: tuple[str, Saved] | None = None
        # Whether systemd would find that the new calendar should have elapsed already, and run the service at once.
        self.missed = False
        # Whether what it starts has not been up since the boot, so that spans since its last run have nothing to count from.
        self.never_ran = False
        # Whether a task that was killed has left it held back.
        self.held = False
        # The directory of what held it back, where that is empty, as it could not be removed; or nothing.
        self.leftover = ""
        # Whether systemd has not read the timer's own file, or its service's, as they are.
        self.stale = False
        self.stale_service = False

    @property
    def touched(self) -> list[TimerFile]:
        """The files that are written or removed."""
        return [file for file in self.files if file.changed is not None]

    @property
    def up(self) -> bool:
        return self.status is not None and is_up(self.status.active_state)

    @property
    def enabled(self) -> bool:
        return bool(self.links)

    @property
    def will_be_enabled(self) -> bool:
        kept = self.links and not self.installs_elsewhere
        return self.wish.enabled and bool(self.wanted_links or kept)

    @property
    def exists(self) -> bool:
        there = any(file.name == self.wish.name and (file.before or file.link) for file in self.files)
        return there or (self.status is not None and self.status.load_state != "not-found") or self.up

    @property
    def installs_elsewhere(self) -> bool:
        """Whether the [Install] section of a timer that is there becomes another one."""
        return any("Install" in (file.changed or ()) and file.before is not None for file in self.files)

    @property
    def schedule_changed(self) -> bool:
        """Whether the timer has to begin anew for its settings to count."""
        return (
            any("Timer" in (file.changed or ()) for file in self.files if file.name == self.wish.name)
            or self.stale
            or self.held
        )

    def describe(self) -> str:
        """The state in words: `active (waiting), enabled`."""
        if not self.exists:
            return "not found"
        words = [f"{self.status.active_state} ({self.status.sub_state})"] if self.status else []
        return ", ".join([*words, "enabled" if self.enabled else "disabled"])
