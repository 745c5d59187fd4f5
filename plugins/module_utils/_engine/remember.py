# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step by which a task writes down what it has made, for tasks that come later: a record, which is the task's own."""

from __future__ import annotations

import os

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import (
    Saved,
    make_directory,
    missing_directories,
    remove,
    replace,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import DirectoryWas, FileWas, RecordWas


class Remember(Step):
    """Write a record, or remove it.

    :param path: the record.
    :param content: what it will hold; None where there will be none.
    :param told: what the step is called.
    :param counts: whether that is a change in itself.
    :param stays: whether it says what the task is going to have started, and so stays when it is killed (`RecordWas`).
    """

    def __init__(self, path: str, content: bytes | None, told: str, counts: bool = True, stays: bool = False) -> None:
        super().__init__((path,))
        self._path = path
        self._content = content
        self._told = told
        self._stays = stays
        self.counts = counts

    def describe(self) -> str:
        return self._told

    def apply(self, ctx: Context) -> bool:
        # An earlier step of the same task may have written it.
        before = Saved.of(self._path)
        if (before.content if before else None) == self._content:
            return False
        if self._content is None:
            self.note(ctx, FileWas(self._path, before, None))
            remove(self._path)
            return self.counts
        missing = missing_directories(os.path.dirname(self._path))
        if self._stays:
            self.note(ctx, RecordWas(self._path, before, self._content, missing))
            for directory in missing:
                make_directory(directory)
        else:
            for directory in missing:
                was = DirectoryWas(directory, False)
                self.note(ctx, was)
                was.there = not make_directory(directory)
            self.note(ctx, FileWas(self._path, before, self._content))
        # It says what there is, which is nobody else's business.
        replace(self._path, self._content)
        return self.counts

    def undone(self) -> str:
        return ""
