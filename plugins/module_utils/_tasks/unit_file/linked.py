# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit file that is elsewhere, linked to where systemd looks (`systemctl link`)."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import UnitFileLinks
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange, put_link
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import FileChange

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.options import Asked
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import Place


class LinkFile(UnitFileLinks):
    """Link a unit file to where systemd looks for it."""

    def __init__(self, path: str, target: str, name: str, directory: str) -> None:
        super().__init__("link", [name], [directory])
        self._path, self._target = path, target

    def describe(self) -> str:
        return f"link {self._path} to {self._target}"

    def undone(self) -> str:
        return f"{self._path} as it was"

    def _change(self, ctx: Context) -> list[t.Any]:
        put_link(self._path, self._target, Tree(ctx.manager.root))
        return [LinkChange("symlink", self._path, self._target)]


def link_file(asked: Asked, place: Place) -> FileChange:
    """The link as it is wanted. What the file says becomes that of the options, as if they had it.

    :raises BadInput: there is no such file, or something else than a link is in the place of the link.
    """
    path, tree = place.path, place.tree
    status = tree.status(path, False)
    before = tree.target(path)
    if status is not None and not before:
        raise BadInput(f"name: {path} is no link, but a unit file of its own; remove it first, with `state: absent`")
    if before == "/dev/null":
        raise BadInput(
            f"name: {asked.name} is masked ({path} is a link to /dev/null); unmask it first, with pidone.systemd.unit and `masked: false`"
        )
    warnings = []
    source = f"{tree.root}{asked.src}"
    found = tree.status(source, False)
    if found is None:
        if not asked.check_mode:
            raise BadInput(f"src: there is no {source}; write the file first, or correct the path")
        warnings.append(f"not there yet, and taken for made by an earlier task: {source}")
    elif not stat.S_ISREG(found.st_mode):
        what = "a link itself, which systemd does not follow twice" if stat.S_ISLNK(found.st_mode) else "no file"
        raise BadInput(f"src: {source} is {what}; name the unit file")
    if os.path.dirname(source) in place.paths.search:
        raise BadInput(f"src: systemd looks in {os.path.dirname(source)} already; leave the file there without a link")
    old = tree.read_text(path) or "" if before else ""
    asked.raw = tree.read_text(source) or "" if found is not None else ""
    asked.text = parse(asked.raw)
    if before and os.path.normpath(os.path.join(os.path.dirname(place.place), before)) in (asked.src, source):
        return FileChange([], warnings=warnings)
    meaning = not before or parse(old).meaning() != asked.text.meaning()
    step = LinkFile(path, asked.src, asked.name, os.path.dirname(path))
    return FileChange([step], wrote=meaning, warnings=warnings)
