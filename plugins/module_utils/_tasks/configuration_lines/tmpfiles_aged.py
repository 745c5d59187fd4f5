# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is older than lines of tmpfiles.d(5) let it become, by the rules of `systemd-tmpfiles --clean`, which then removes it.

Directories are read without changing when they were last read (O_NOATIME), which is one of the times that count.
"""

from __future__ import annotations

import os
import stat
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable, list_small, read_small
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import BREAKS, quote
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles_line import (
    AGED,
    Age,
    Line,
    parse_age,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.kept import Head, Kept

_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Entries that are looked at, of all directories together, and directories one in the other (MAX_DEPTH of systemd).
_MOST, _DEEPEST = 200_000, 256
# At the top of a file system (dir_cleanup() of systemd).
_OF_FILE_SYSTEM = {"lost+found", ".journal", "aquota.user", "aquota.group"}


def keeping_lines(heads: t.Sequence[Head], own: t.Sequence[Line], kept: Kept) -> list[str]:
    """Lines that have what others have lines for left alone, by all its names, and nothing done to it."""
    mine = {line.path for line in own}
    found = []
    for kind, path, _file in heads:
        letter = "x" if kind[0] == "x" else "X"
        found += [f"{letter} {quote(each, BREAKS)}" for each in (path, *kept.spellings(kind, path)) if each not in mine]
    return list(dict.fromkeys(found))


class Aged:
    """A look for what is too old.

    :param kept: what has lines of its own.
    """

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._left = _MOST
        self.found: list[str] = []
        self._alive: set[str] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all has been looked at."""
        return self._left > 0

    def look(self, line: Line, paths: t.Sequence[str]) -> None:
        """Look below the directories of a line."""
        if line.letter not in AGED or not line.age or line.boot_only:
            return
        age = parse_age(line.age, "age")
        until = time.time() - age.usec / 1e6
        for path in paths:
            self._look(path, age, until, age.keep_first, 0)

    def _look(self, path: str, age: Age, until: float, keep: bool, depth: int) -> bool:
        """Look into a directory; returns whether nothing would be left in it."""
        try:
            top = os.lstat(path)
            if not stat.S_ISDIR(top.st_mode):
                return False
            names = _names(path)
            is_mount = os.lstat(os.path.dirname(path) or "/").st_dev != top.st_dev
        except (OSError, Unreadable):
            return False
        empty = True
        for name in sorted(names):
            self._left -= 1
            if self._left <= 0:
                return False
            below = f"{path}/{name}"
            try:
                status = os.lstat(below)
            except OSError:
                continue
            if not self._goes(below, name, status, top, is_mount, age, until, keep, depth):
                empty = False
        return empty

    def _goes(
        self, path: str, name: str, status: os.stat_result, top: os.stat_result, is_mount: bool, age: Age,
        until: float, keep: bool, depth: int,
    ) -> bool:  # fmt: skip
        """Whether an entry would be removed."""
        mode = status.st_mode
        if status.st_dev != top.st_dev or path in self._kept:
            return False
        if is_mount and name in _OF_FILE_SYSTEM and status.st_uid == 0:
            return False
        if stat.S_ISDIR(mode):
            empty = depth < _DEEPEST and self._look(path, age, until, False, depth + 1)
            if not empty or keep or _youngest(status, age.by, True) >= until:
                return False
        else:
            special = mode & stat.S_ISVTX or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
            if keep or special or _youngest(status, age.by, False) >= until:
                return False
            if stat.S_ISSOCK(mode) and self._is_alive(path):
                return False
        self.found.append(path)
        return True

    def _is_alive(self, path: str) -> bool:
        if self._alive is None:
            text = read_small("/proc/net/unix", 1 << 24) or b""
            self._alive = {os.fsdecode(line.split(None, 7)[-1]) for line in text.splitlines() if b"/" in line}
        return path in self._alive


def _names(path: str) -> list[str]:
    """The names in a directory.

    :raises OSError, Unreadable: it may not be read.
    """
    try:
        descriptor = os.open(path, _LIST | os.O_NOATIME)
    except PermissionError:
        # It is somebody else's, and when it was read is changed by systemd, too.
        descriptor = os.open(path, _LIST)
    try:
        return list_small(descriptor, _MOST, path)
    finally:
        os.close(descriptor)


def _youngest(status: os.stat_result, by: str, directory: bool) -> float:
    """The youngest of the times that count; when it was made (b) is no younger than the change of its status, for a file."""
    times = {"a": status.st_atime, "m": status.st_mtime, "c": status.st_ctime}
    chosen = [letter for letter in times if (letter.upper() if directory else letter) in by]
    # Python knows of no time of birth.
    return max((times[letter] for letter in chosen), default=status.st_ctime)
