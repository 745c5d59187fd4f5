# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening files of directories that others can write, and saying who else may read them.

Each part of a path is opened below the one before it and without following links, which are followed by hand. So nobody who
renames meanwhile can lead the way elsewhere, a FIFO or a device is never opened, and it is known who made the links.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import typing as t

# path_resolution(7): no path has more links.
_MOST_LINKS = 40
_ANYBODY = -1
# Who may put another file in the place of one, beside the owners of the directory and of the file, has these bits (inode(7)).
_OTHERS_WRITE = 0o002
_GROUP_WRITES = 0o020


class Opened(t.NamedTuple):
    """What is at the end of a path.

    `descriptor`: for reading, or None where it is neither a regular file nor a directory. `info`: of fstat(2). `public`: whether
    every user may read it, so that it holds no secrets. `strange`: whether a link led there which somebody made who need not be
    allowed to read it, so that reading it for them as root would give it away.
    """

    descriptor: int | None
    info: os.stat_result
    public: bool
    strange: bool


def open_path(path: str, root: str = "") -> Opened:
    """Open a file or directory for reading. The caller closes the descriptor.

    :param path: an absolute path; below `root`, if that is given.
    :param root: what is taken for `/` on the way, its own links resolved; empty for the host's.
    :raises OSError: there is none, or it cannot be read.
    """
    flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_PATH
    stack = [os.open(root or "/", flags | os.O_DIRECTORY)]
    parts = [part for part in path[len(root) :].split("/") if part not in ("", ".")]
    makers: set[int] = set()
    links = 0
    try:
        while parts:
            part = parts.pop(0)
            if part == "..":
                if len(stack) > 1:
                    os.close(stack.pop())
                continue
            here = os.fstat(stack[-1])
            if not stat.S_ISDIR(here.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            found = os.open(part, flags, dir_fd=stack[-1])
            info = os.fstat(found)
            if not stat.S_ISLNK(info.st_mode):
                stack.append(found)
                continue
            try:
                target = os.readlink("", dir_fd=found)
            finally:
                os.close(found)
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            makers |= _makers(here, info)
            if target.startswith("/"):
                while len(stack) > 1:
                    os.close(stack.pop())
            parts = [one for one in target.split("/") if one not in ("", ".")] + parts
        return _end(stack, makers)
    finally:
        for one in stack:
            os.close(one)


def _makers(directory: os.stat_result, link: os.stat_result) -> set[int]:
    """Who can have made a link, or have put it where it is."""
    found = {directory.st_uid, link.st_uid}
    mode = directory.st_mode
    group_writes = mode & _GROUP_WRITES and directory.st_gid != 0
    if (mode & _OTHERS_WRITE or group_writes) and not mode & stat.S_ISVTX:
        found.add(_ANYBODY)
    return found


def _end(stack: t.Sequence[int], makers: set[int]) -> Opened:
    info = os.fstat(stack[-1])
    needed = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(info.st_mode) else 0)
    public = info.st_mode & needed == needed
    # The first is the root, whose mode as a directory of another host says nothing.
    public = public and all(os.fstat(one).st_mode & stat.S_IXOTH for one in stack[1:-1])
    others = makers - {0}
    strange = bool(others) and not public and others != {info.st_uid}
    descriptor = None
    if stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode):
        # By the descriptor that was looked at (proc(5)), and not by a name that is another's by now.
        descriptor = os.open(f"/proc/self/fd/{stack[-1]}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    return Opened(descriptor, info, public, strange)


class Content(t.NamedTuple):
    """A regular file. `data`: what it holds from its beginning, up to the limit; None where it must not be read, see `Opened.strange`."""

    data: bytes | None
    info: os.stat_result
    public: bool


def read_file(path: str, limit: int, root: str = "") -> Content | None:
    """Read a regular file, links followed; None where something else is there.

    :param limit: bytes that are read at most.
    :raises OSError: as `open_path`.
    """
    opened = open_path(path, root)
    if opened.descriptor is None:
        return None
    try:
        if not stat.S_ISREG(opened.info.st_mode):
            return None
        data = None if opened.strange else _read(opened.descriptor, limit)
        return Content(data, opened.info, opened.public)
    finally:
        os.close(opened.descriptor)


def _read(descriptor: int, limit: int) -> bytes:
    found = b""
    while len(found) < limit:
        more = os.read(descriptor, limit - len(found))
        if not more:
            break
        found += more
    return found


def names_in(path: str, root: str = "") -> list[str]:
    """The sorted names in a directory; empty where there is none, or it must not be read."""
    try:
        opened = open_path(path, root)
    except OSError:
        return []
    if opened.descriptor is None:
        return []
    try:
        if opened.strange or not stat.S_ISDIR(opened.info.st_mode):
            return []
        return sorted(os.listdir(opened.descriptor))
    except OSError:
        return []
    finally:
        os.close(opened.descriptor)


def opens_for_reading(fifo: str) -> bool | None:
    """Whether somebody has a FIFO open for reading; False also where there is no FIFO, None where that cannot be seen.

    Nothing else than a FIFO is opened: opening some devices for writing has effects (/dev/watchdog).
    """
    absent = (errno.ENXIO, errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    try:
        found = os.open(fifo, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        return False if error.errno in absent else None
    try:
        if not stat.S_ISFIFO(os.fstat(found).st_mode):
            return False
        os.close(os.open(f"/proc/self/fd/{found}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        return True
    except OSError as error:
        return False if error.errno in absent else None
    finally:
        os.close(found)


_PLAIN_LINE = re.compile(
    r"""([A-Za-z_][A-Za-z0-9_]*)=(?:'([^'\n]*)'|"([^"$`\\\n]*)"|([^\s'"$`\\~;&|<>()*?\[#{}]*))\Z"""
)
_COMMENTED = re.compile(r"\s*#+\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=")


def plain_settings(text: str) -> tuple[dict[str, str], set[str]] | None:
    """A settings file that the shell and `EnvironmentFile=` read alike: its values, and the names its comments mention.

    None where it holds anything else. A trailing comment behind a value is text to systemd, so it does not count as plain.
    """
    values: dict[str, str] = {}
    mentioned: set[str] = set()
    for line in text.split("\n"):
        bare = line.strip()
        if not bare:
            continue
        if bare.startswith("#"):
            match = _COMMENTED.match(bare)
            if match:
                mentioned.add(match.group(1))
            continue
        match = _PLAIN_LINE.match(bare)
        if match is None:
            return None
        value = next((group for group in match.groups()[1:] if group is not None), "")
        values[match.group(1)] = value
    return values, mentioned
