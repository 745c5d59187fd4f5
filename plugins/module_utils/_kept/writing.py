# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing to the user's own directory; see folder.py for what is in it, and why it can be trusted."""

from __future__ import annotations

import os
import typing as t
from contextlib import suppress

from ansible_collections.pidone.systemd.plugins.module_utils._kept.folder import open_folder, sha256

_KEEP_UNUSED = 90 * 86400  # seconds


def make_folder(base: str) -> int | str:
    """As `folder.open_folder`, but make it where it is missing."""
    path = f"{base}/pidone.systemd-{os.geteuid()}"
    try:
        if base.endswith("/.cache"):
            _make_directory(base)
        _make_directory(path)
    except OSError as e:
        return e.strerror or str(e)
    return open_folder(base)


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass


def write(folder: int, name: str, data: bytes) -> None:
    """Put a file in place in one step."""
    temporary = f".{name}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(temporary, flags, 0o600, dir_fd=folder)
    except FileExistsError:  # left by a process that was killed and had our number
        os.unlink(temporary, dir_fd=folder)
        file = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
        finally:
            os.close(file)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise


def write_code(folder: int, name: str, code: t.Any) -> None:
    """Put compiled code in place, for `folder.read_code`.

    :param code: whatever marshal takes.
    """
    import marshal
    from importlib.util import MAGIC_NUMBER

    body = marshal.dumps(code)
    write(folder, name, MAGIC_NUMBER + sha256(body) + body)


def tidy(folder: int, what: str, most: int | None = None) -> None:
    """Remove files that were written long ago: the few tasks that still want one bring or make it again.

    :param what: how their names begin, before a hyphen.
    :param most: how many may stay, the newest; no matter for None.
    """
    import time

    found = []
    for name in os.listdir(folder):
        if name.lstrip(".").startswith(f"{what}-"):
            with suppress(OSError):  # another task was faster
                found.append((os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime, name))
    found.sort(reverse=True)
    for place, (written, name) in enumerate(found):
        if written < time.time() - _KEEP_UNUSED or (most is not None and place >= most):
            with suppress(OSError):  # or it is not a file
                os.unlink(name, dir_fd=folder)
