# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the file of a `unit_file` task is, and what is there."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Step
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.options import Asked


class FileChange(t.NamedTuple):
    """What is to be done to the file: the steps, its diffs, and whether its meaning changes (None: it is not written)."""

    steps: list[Step]
    diffs: t.Sequence[dict[str, str]] = ()
    wrote: bool | None = None
    warnings: t.Sequence[str] = ()


class Place:
    """Where the file is: `place` is how systemd comes by it, and `path` the same with links on the way resolved.

    :raises Unreadable: the directories of a tree cannot be resolved.
    """

    def __init__(self, asked: Asked, session: Session) -> None:
        self.asked = asked
        self.session = session
        root = (asked.params["root"] or "").rstrip("/")
        self.paths = UnitPaths(session.scope, session.home, session.uid, root)
        self.tree = self.paths.tree
        if asked.dropin is not None:
            self.place = self.paths.dropin(asked.name, asked.dropin, asked.runtime)
        else:
            self.place = self.paths.unit(asked.name, asked.runtime)
        self.path = self.tree.real(self.place)

    def present(self) -> Saved | None:
        """The file as it is; refuses what is not a file of ours to replace."""
        path, name, absent = self.path, self.asked.name, self.asked.absent
        target = self.tree.target(path)
        if target:
            if self.asked.dropin is not None:
                if absent:
                    return None
                raise BadInput(f"dropin: {path} is a link to {target}; remove the link first, with `state: absent`")
            if target == "/dev/null":
                if absent:
                    return None
                raise BadInput(
                    f"name: {name} is masked ({path} is a link to /dev/null); unmask it first, "
                    "with pidone.systemd.unit and `masked: false`"
                )
            if not (absent and os.path.basename(target) == os.path.basename(path)):
                what = f"a link to {target}"
                raise BadInput(f"name: {path} is {what}; name the unit it stands for, or remove the link first")
            return None
        status = self.tree.status(path, False)
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise BadInput(f"name: {path} is a directory; remove it first")
        return Saved.of(path)

    def is_empty_directory(self, path: str) -> bool:
        """Whether it is one that can be removed; a link to one cannot."""
        status = self.tree.status(path, False)
        return status is not None and stat.S_ISDIR(status.st_mode) and not self.tree.names(path)

    def own_instances(self) -> set[str]:
        """The names of files that take the place of the template for one instance; other names of it and masks do not."""
        template = self.asked.name
        prefix, _at, suffix = template.partition("@")
        own = set()
        for directory in self.paths.search:
            try:
                names = self.tree.names(directory)
            except Unreadable:
                continue
            for name in names:
                if name.startswith(f"{prefix}@") and name.endswith(suffix) and name != template:
                    target = self.tree.target(f"{directory}/{name}")
                    if target != "/dev/null" and os.path.basename(target) != template:
                        own.add(name)
        return own
