# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit as its package has it (`systemctl revert`): what overrides its file and adds to it goes."""

from __future__ import annotations

import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveDirectory,
    RemoveFile,
    RemoveLinks,
    file_diff,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import FileChange

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Step
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.options import Asked
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import Place


def revert_file(asked: Asked, place: Place, tools: FileTools) -> FileChange:
    """Drop-ins removed, and where a package has the unit, files, links and masks in the place of its file."""
    tree, paths = place.tree, place.paths
    own = [paths.persistent, paths.runtime]
    # Of SetUnitProperties, for good and until the reboot.
    own += [directory for directory in paths.search if directory.endswith(".control")]
    steps: list[Step] = []
    diffs: list[dict[str, str]] = []
    warnings: list[str] = []

    def remove(path: str) -> bool:
        """Whether it goes."""
        target = tree.target(path)
        status = tree.status(path, False)
        if target:
            steps.append(RemoveLinks({path: target}))
        elif status is not None and stat.S_ISREG(status.st_mode):
            before = Saved.of(path)
            steps.append(RemoveFile(path, before, tools))
            diffs.append(file_diff(path, before, ""))
        else:
            warnings.append(f"{path} is left, since it is no file")
            return False
        return True

    for directory in own:
        folder = tree.real(f"{directory}/{asked.name}.d")
        status = tree.status(folder, False)
        if status is None or not stat.S_ISDIR(status.st_mode):
            continue
        gone = [remove(f"{folder}/{name}") for name in sorted(tree.names(folder))]
        # With the last file its directory goes, too; but not with a link, and not by itself.
        if all(gone) and (not gone or isinstance(steps[-1], RemoveLinks)):
            steps.append(RemoveDirectory(folder))
    files = [tree.real(f"{directory}/{asked.name}") for directory in own]
    vendor = [directory for directory in paths.search if directory not in own and not directory.endswith("/transient")]
    if any(tree.exists(f"{directory}/{asked.name}") for directory in vendor):
        for path in files:
            if tree.status(path, False) is not None:
                remove(path)
    elif not any(tree.status(path, False) is not None for path in files):
        warnings.append(f"there is no unit {asked.name} on this host, so that it is as wanted already")
    return FileChange(steps, diffs, True if steps else None, warnings)
