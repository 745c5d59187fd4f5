# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task's own archive kept in memory, where its path may come to lead elsewhere.

Ansible puts the archive of a task's sources into a temporary directory, and Python opens it anew for each module that is
imported. A job may mount something over that directory, such as /tmp, or take it away. What is imported after that is read
from memory, ansible-core's own part of the archive included.
"""

from __future__ import annotations

import io
import typing as t
from pkgutil import get_importer

_held: set[str] = set()


def hold() -> None:
    """Have the task's archive in memory from now on, if there is one; what Python does with it otherwise stays as it is."""
    archive = getattr(getattr(__spec__, "loader", None), "archive", None)
    if not isinstance(archive, str) or archive in _held:
        return
    _held.add(archive)
    try:
        import zipimport

        with open(archive, "rb") as file:
            data = file.read()
        # Each package has an importer of its own, which would look for the archive when it is made.
        inner: t.Any = zipimport
        for path in inner._zip_directory_cache[archive]:
            if path.endswith("/__init__.py"):
                get_importer(f"{archive}/{path[: -len('/__init__.py')]}")
        inner._io = _Io(inner._io, archive, data)
    except Exception:  # noqa: S110 - of another make of Python; then it is as if nobody had come here
        pass


class _Io:
    """What zipimport opens archives with; one of them is in memory."""

    def __init__(self, real: t.Any, archive: str, data: bytes) -> None:
        self._real, self._archive, self._data = real, archive, data

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._real, name)

    def open_code(self, path: str) -> t.Any:
        """The file of an archive, opened for reading."""
        return io.BytesIO(self._data) if path == self._archive else self._real.open_code(path)
