# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are whole at every moment, also after a crash: written, put back and removed in one move each."""

from __future__ import annotations

import base64
import errno
import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import read_file

_LABEL = "security.selinux"
# No suffix that systemd knows, so that it never takes such a file for a unit or a drop-in.
_SUFFIX = ".pidone-tmp"
# Why a directory is not removed that may stay: it is not empty, is kept by something else, or is none any more.
_KEPT = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EBUSY, errno.EPERM)
# The longest name that may stand in the middle of a temporary one (NAME_MAX is 255 bytes).
_NAME = 200


class Saved(t.NamedTuple):
    """A regular file as it was: times in nanoseconds (access, modification), label of SELinux where there is one."""

    content: bytes
    mode: int
    uid: int
    gid: int
    times: tuple[int, int]
    label: bytes | None

    @classmethod
    def of(cls, path: str) -> Saved | None:
        """Read a file; None where there is none. A mask, which is a link to /dev/null, reads as an empty one.

        :raises Unreadable: it cannot be read, or is no file.
        """
        found = read_file(path)
        if found is None:
            return None
        content, status = found
        return cls(
            content,
            stat.S_IMODE(status.st_mode),
            status.st_uid,
            status.st_gid,
            (status.st_atime_ns, status.st_mtime_ns),
            get_label(path),
        )

    def put_back(self, path: str) -> None:
        """Make the file what it was, all of it."""

        def finish(temporary: str) -> None:
            chown(temporary, self.uid, self.gid)
            os.chmod(temporary, self.mode)
            set_label(temporary, self.label)
            os.utime(temporary, ns=self.times)

        os.makedirs(os.path.dirname(path), exist_ok=True)
        replace(path, self.content, finish)

    def as_data(self) -> dict[str, t.Any]:
        """The same for JSON; `from_data` reads it."""
        label = None if self.label is None else base64.b64encode(self.label).decode()
        return {**self._asdict(), "content": base64.b64encode(self.content).decode(), "label": label}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> Saved:
        """What `as_data` wrote.

        :raises KeyError, TypeError, ValueError: it is something else.
        """
        label = None if data["label"] is None else base64.b64decode(data["label"])
        accessed, modified = data["times"]
        content = base64.b64decode(data["content"])
        return cls(
            content, int(data["mode"]), int(data["uid"]), int(data["gid"]), (int(accessed), int(modified)), label
        )


def replace(
    path: str,
    content: bytes,
    finish: t.Callable[[str], None] | None = None,
    in_place: t.Callable[[str], None] | None = None,
) -> None:
    """Put content where `path` is, in one move: whoever reads sees the old file or the new one, and a crash leaves one of them.

    :param finish: called with the path of the new file, which only its owner may read, before it is where `path` is.
    :param in_place: where a file that cannot be replaced (a single file mounted into a container) may be overwritten: called
        with its path before it is.
    :raises OSError: it cannot be done; the old file is untouched, unless it is only that the directory cannot be synced.
    """
    directory = os.path.dirname(path)
    temporary = temporary_of(path)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if finish is not None:
                finish(temporary)
            os.replace(temporary, path)
        except BaseException:
            remove(temporary)
            raise
    except OSError as e:
        if in_place is None or e.errno not in (errno.EBUSY, errno.EPERM, errno.EACCES, errno.EXDEV, errno.EROFS):
            raise
        in_place(path)
        with open(path, "wb") as file:
            file.write(content)
        return
    sync_directory(directory)


def make_link(path: str, target: str) -> None:
    """Make a link where nothing is, such that it survives a power cut; what is there already stays."""
    if os.path.lexists(path):
        return
    directory = os.path.dirname(path)
    os.makedirs(directory, exist_ok=True)
    os.symlink(target, path)
    sync_directory(directory)


def remove_link(path: str) -> None:
    """Remove a link or file, if there is one, such that it stays away after a power cut."""
    if remove(path):
        sync_directory(os.path.dirname(path))


def replace_link(path: str, target: str) -> None:
    """Make a link in one move, in the place of whatever link or file is there; it survives a power cut from then on.

    :raises OSError: it cannot be done; what was there is untouched.
    """
    directory = os.path.dirname(path)
    temporary = temporary_of(path)
    os.symlink(target, temporary)
    try:
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise
    sync_directory(directory)


def temporary_of(path: str) -> str:
    """A path beside this one for what is to be moved there, such that `tidy` finds what a crash has left of it."""
    directory, name = os.path.split(path)
    # Not the process id, which comes again in containers: what a crash left behind would be in the way.
    return f"{directory}/.{_shortened(name)}.{os.urandom(4).hex()}{_SUFFIX}"


def tidy(path: str, known: dict[str, list[str]] | None = None) -> None:
    """Remove what an interrupted `replace` or `replace_link` of this path left beside it. Nobody else may be at work there.

    :param known: such files by directory, so that no directory is listed twice; what is missing is added.
    """
    directory, name = os.path.split(path)
    start = f".{_shortened(name)}."
    known = {} if known is None else known
    if directory not in known:
        try:
            known[directory] = [each for each in os.listdir(directory) if each.endswith(_SUFFIX)]
        except OSError:
            return
    for each in known[directory]:
        middle = each[len(start) : -len(_SUFFIX)]
        if each.startswith(start) and each.endswith(_SUFFIX) and len(middle) == 8:
            remove(f"{directory}/{each}")


def _shortened(name: str) -> str:
    # A name is counted in bytes there.
    return os.fsdecode(os.fsencode(name)[:_NAME])


def sync_directory(path: str) -> None:
    """Have what was made and removed in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def missing_directories(path: str) -> list[str]:
    """The directories that have to be made for `path` to be one, the topmost first."""
    missing: list[str] = []
    while not os.path.isdir(path):
        missing.insert(0, path)
        path = os.path.dirname(path)
    return missing


def make_directory(path: str) -> bool:
    """Make one directory that everybody may read; returns whether it was not there."""
    try:
        os.mkdir(path)
    except FileExistsError:
        # Another task was faster. That it is no directory is found by whoever writes to it.
        return False
    os.chmod(path, 0o755)
    return True


def remove(path: str) -> bool:
    """Remove a file or link; returns whether there was one."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def remove_empty(path: str, told: bool = False) -> bool:
    """Remove a directory if it is empty; returns whether it was.

    :param told: whether it matters that one that is empty cannot be removed.
    :raises OSError: with `told`, that is so: nobody would come back for it.
    """
    try:
        os.rmdir(path)
    except OSError as e:
        if told and e.errno not in _KEPT:
            raise
        return False
    return True


def is_empty(path: str) -> bool:
    """Whether a path is of a directory with nothing in it; one that cannot be looked into is none."""
    try:
        return not os.listdir(path)
    except OSError:
        return False


def chown(path: str, uid: int, gid: int) -> None:
    """Give a file its owner and group, where it has others; -1 leaves what it has, as with chown(2)."""
    status = os.stat(path)
    if uid not in (-1, status.st_uid) or gid not in (-1, status.st_gid):
        os.chown(path, uid, gid)


def get_label(path: str) -> bytes | None:
    """The SELinux label of a file; None where there is no SELinux, or the file system has no labels."""
    try:
        return os.getxattr(path, _LABEL)
    except OSError:
        return None


def set_label(path: str, label: bytes | None) -> None:
    """Give a file its SELinux label, where it has another one."""
    if label is not None and label != get_label(path):
        os.setxattr(path, _LABEL, label)


def why_unwritable(path: str) -> str:
    """Why systemd did not write a file, in words that follow the failure, as far as its file system tells: it keeps that to itself."""
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        if os.path.lexists(directory):
            return f": {directory} is no directory; remove it"
        directory = os.path.dirname(directory)
    try:
        system = os.statvfs(directory)
    except OSError as e:
        return f": {directory}: {e.strerror}"
    if system.f_flag & os.ST_RDONLY:
        return f": the file system of {directory} is read-only; make it writable"
    if not system.f_bavail:
        return f": the file system of {directory} is full; make room there"
    if system.f_files and not system.f_favail:
        return f": the file system of {directory} has no inodes left; make room there"
    return "; see what it says in its journal"
