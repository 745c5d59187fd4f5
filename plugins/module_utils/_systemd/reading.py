# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one reader of files that others may have put there: never waits, never fills the memory, opens nothing but files.

A pipe would be waited for, a device may do something when it is opened, and a link to /dev/zero has no end. So what is opened
is looked at first, through a descriptor that only names it (O_PATH), and is read up to a limit.
"""

from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, plain

# Unit files, drop-ins, presets, stamps: systemd reads lines of up to 1 MiB (LONG_LINE_MAX of its fileio.h), continued ones
# included, and gives up a file with a longer one. A file that is larger than that as a whole is no unit file of anybody.
LIMIT = 1 << 20
# Entries of one directory: some hundred thousand units are more than systemd itself could load.
ENTRIES = 200_000
# Characters of a path that a message shows; paths of what there is may have 4096.
LONGEST_PATH = 1000

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Bytes that are read at once where the size is not known.
_PART = 1 << 16
_NULL = os.makedev(1, 3)
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFLNK: "a symbolic link",
}


class Unreadable(SystemdError):
    """A file or directory that is there, and cannot or must not be read. `errno` is that of the system call, or EINVAL."""

    def __init__(self, path: str, why: str, number: int = errno.EINVAL) -> None:
        super().__init__(f"cannot read {plain(path, LONGEST_PATH)}: {why}")
        self.path = path
        self.errno = number

    @property
    def is_passed_over(self) -> bool:
        """Whether a look at all files of a unit goes on without it: somebody else may read it, or it leads nowhere."""
        return self.errno in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR)


def read_small(path: str, limit: int = LIMIT, dir_fd: int | None = None, follow: bool = True) -> bytes | None:
    """The content of a regular file; None where there is nothing of that name. The null device, a mask, reads as empty.

    :param limit: how many bytes it may have.
    :param dir_fd: the descriptor of the directory in which `path` is a name.
    :param follow: whether the last component may be a symbolic link.
    :raises Unreadable: it is something else than a file, is larger, or may not be read.
    """
    found = read_file(path, limit, dir_fd, follow)
    return found[0] if found else None


def read_text(path: str, limit: int = LIMIT, errors: str = "surrogateescape") -> str | None:
    """As `read_small`, decoded from UTF-8, with all kinds of line ends as they are."""
    content = read_small(path, limit)
    return None if content is None else content.decode("utf-8", errors)


def read_file(
    path: str, limit: int = LIMIT, dir_fd: int | None = None, follow: bool = True, head: bool = False
) -> tuple[bytes, os.stat_result] | None:
    """As `read_small`, with the status (fstat(2)) of the very file that was read.

    :param head: return the first `limit` bytes of a larger file.
    """
    last = os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        handle = os.open(path, os.O_PATH | last, dir_fd=dir_fd)
    except (OSError, ValueError) as e:
        if isinstance(e, FileNotFoundError):
            return None
        raise unreadable(path, e) from e
    try:
        return read_handle(handle, path, limit, head, (path, last, dir_fd))
    finally:
        os.close(handle)


def read_head(path: str, count: int) -> bytes | None:
    """The first bytes of a regular file of any size; None where there is nothing of that name.

    :raises Unreadable: it is something else than a file, or may not be read.
    """
    found = read_file(path, count, head=True)
    return found[0] if found else None


def read_handle(
    handle: int,
    shown: str,
    limit: int = LIMIT,
    head: bool = False,
    again: tuple[str, int, int | None] | None = None,
) -> tuple[bytes, os.stat_result]:
    """The content and status of the file that a descriptor of the kind O_PATH names; the descriptor stays open.

    :param shown: the path to be named in errors.
    :param head: return the first `limit` bytes of a larger file.
    :param again: path, flags and directory by which the file is opened where there is no /proc.
    """
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == _NULL:
            return b"", status
        raise _no_file(shown, status)
    if status.st_size > limit and not head:
        raise _too_large(shown, limit)
    try:
        try:
            # What the descriptor names, and nothing that has taken its place meanwhile (proc(5)).
            descriptor = os.open(f"/proc/self/fd/{handle}", _READ)
        except FileNotFoundError:
            descriptor = _open_again(shown, status, again)
        try:
            content = _read(descriptor, status.st_size, limit if head else limit + 1)
        finally:
            os.close(descriptor)
    except OSError as e:
        raise unreadable(shown, e) from e
    if len(content) > limit:
        # It grew, or is one of those (such as in /proc) that do not tell their size.
        raise _too_large(shown, limit)
    return content, status


def read_seen(path: str, limit: int = LIMIT) -> bytes | None:
    """The content of a file that was just seen to be a regular one, in a directory of the system manager's unit files.

    Thousands are read so, in half of the time: what is there is looked at once it is open, and not before. Nobody but root can have put
    something else there since, as whoever can write there has systemd run what he likes. It is not waited for all the same, no
    link is followed, and nothing but a regular file is read.

    None where it is gone by now.

    :raises Unreadable: it is something else by now, is larger, or may not be read.
    """
    found = read_file_seen(path, limit)
    return found[0] if found else None


def read_file_seen(path: str, limit: int = LIMIT) -> tuple[bytes, os.stat_result] | None:
    """As `read_seen`, with the status (fstat(2)) of the very file that was read."""
    try:
        descriptor = os.open(path, _READ | os.O_NOFOLLOW)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _no_file(path, status)
            content = _read(descriptor, status.st_size, limit + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise unreadable(path, e) from e
    if len(content) > limit:
        raise _too_large(path, limit)
    return content, status


def list_small(path: str | int, limit: int = ENTRIES, shown: str = "") -> list[str]:
    """The names in a directory, unsorted; none where there is no such directory.

    :param path: its path, or a descriptor of it (not of the kind O_PATH).
    :param limit: how many there may be.
    :param shown: the path to be named in errors, where `path` is none.
    :raises Unreadable: there are more, or it may not be read.
    """
    shown = shown or str(path)
    names: list[str] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if len(names) >= limit:
                    raise Unreadable(shown, f"it has more than {limit} entries; remove what does not belong there")
                names.append(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as e:
        raise unreadable(shown, e) from e
    return names


def unreadable(path: str, error: Exception) -> Unreadable:
    """An error of the operating system as one for users."""
    number = getattr(error, "errno", None) or errno.EINVAL
    if number == errno.ELOOP:
        return Unreadable(path, "links lead there in a loop; remove them", number)
    if number == errno.ENAMETOOLONG:
        return Unreadable(path, "the name is too long for a file", number)
    if isinstance(error, ValueError):
        return Unreadable(path, "no file can have this name; leave out the NUL", number)
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        hint = (
            "the user as whom it is read may not; give the user the right to"
            if os.getuid() == 0
            else "this needs root, so add `become: true` to the task or play"
        )
        return Unreadable(path, f"{os.strerror(number)}; {hint}", number)
    return Unreadable(path, getattr(error, "strerror", None) or os.strerror(number), number)


def _open_again(shown: str, status: os.stat_result, again: tuple[str, int, int | None] | None) -> int:
    """Open by its name what was looked at before, in a chroot without /proc, which nobody else works in."""
    if again is None or os.path.exists("/proc/self/fd"):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), shown)
    path, flags, directory = again
    descriptor = os.open(path, _READ | flags, dir_fd=directory)
    if os.path.samestat(os.fstat(descriptor), status):
        return descriptor
    os.close(descriptor)
    raise Unreadable(shown, "it was replaced while it was read; run the task again", errno.EAGAIN)


def _read(descriptor: int, size: int, most: int) -> bytes:
    """To the end of a file that had that size, and no more than `most` bytes."""
    # One byte more than there was tells that this is the end. Some (such as in /proc) do not tell their size.
    content = os.read(descriptor, size + 1 if 0 < size < most else min(most, _PART))
    if size and len(content) == size:
        return content
    parts, left = [content], most - len(content)
    while parts[-1] and left > 0:
        parts.append(os.read(descriptor, min(left, _PART)))
        left -= len(parts[-1])
    return b"".join(parts)


def _no_file(path: str, status: os.stat_result) -> Unreadable:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no file")
    number = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
    return Unreadable(path, f"it is {kind}, not a regular file; remove it", number)


def _too_large(path: str, limit: int) -> Unreadable:
    size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit} bytes"
    return Unreadable(
        path, f"it is larger than {size}, which no such file is; remove it or make it smaller", errno.EFBIG
    )


__all__: t.Sequence[str] = (
    "ENTRIES",
    "LIMIT",
    "LONGEST_PATH",
    "Unreadable",
    "list_small",
    "read_file",
    "read_handle",
    "read_head",
    "read_file_seen",
    "read_seen",
    "read_small",
    "read_text",
    "unreadable",
)
