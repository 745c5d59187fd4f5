# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree that is not running (option `root`): paths are resolved in it as they would be after chroot(2) into it.

An absolute link begins at the tree's root and `..` does not lead out of it, whatever is in the tree. Nothing of the tree is run.

The way to a directory is walked by descriptors, one component at a time and never through a link (O_NOFOLLOW): links are read and
followed here. So it makes no difference whether somebody who may write in the tree swaps directories for links meanwhile: what
`directory` and `parent` open is in the tree. openat2(2) with RESOLVE_IN_ROOT would be the same by one call, but is not there
before Linux 5.6 and has no function in Python.

`real` gives a path instead, for those who cannot do with a descriptor (systemctl, functions of ansible-core). Between that and
its use, whoever may write in the directories above can swap one for a link, and so lead it elsewhere. That is the one race that
remains: the tree is to belong to root, or to nobody who works in it at the same time.
"""

from __future__ import annotations

import errno
import os
import stat
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import (
    ENTRIES,
    LIMIT,
    LONGEST_PATH,
    Unreadable,
    list_small,
    read_file,
    read_handle,
    unreadable,
)

# As many links as Linux follows for one path (MAXSYMLINKS, path_resolution(7)).
LINKS = 40
_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class LeadsNowhere(Unreadable):
    """A path in a tree that has no meaning there: its links go round in a circle."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "", errno.ELOOP)
        self.msg = (
            f"root: the links at {plain(path, LONGEST_PATH)} go round in a circle, for an absolute link holds inside of the tree, as it "
            "will when that runs; make it a directory, or a relative link to one in the tree"
        )
        self.args = (self.msg,)


class UnsafeWay(Unreadable):
    """Somebody who is neither root nor the acting user could have led the way to a path elsewhere."""

    def __init__(self, path: str, at: str, owner: int) -> None:
        super().__init__(path, "", errno.EPERM)
        self.why = f"the way to which leads from {plain(at, LONGEST_PATH)}, which is user {owner}'s, to what is another's"
        self.msg = f"{plain(path, LONGEST_PATH)} is left alone, {self.why}; name the path that it stands for, if that is meant"
        self.args = (self.msg,)


class Tree:
    """The tree below `root`; with an empty `root` it is this host, and its methods are plain system calls.

    All paths that are given and returned are seen from the host, and so begin with `root`.
    """

    def __init__(self, root: str = "") -> None:
        self.root = root.rstrip("/")

    def real(self, path: str) -> str:
        """The path with all links on the way resolved, but for the last component, which may not be there either.

        What of the way is not there yet is taken for directories to be made.

        :raises LeadsNowhere: links go round in a circle.
        """
        if not self.root:
            return path
        with self._walk(path, False) as (names, rest):
            return "/".join([self.root, *names, *rest])

    def real_safely(self, path: str) -> str:
        """As `real`, also of this host, along a way on which nobody but root and who acts has a say.

        What one of those owns may lead anywhere. What somebody else owns may only lead on to what is his as well: he could have
        put a link there, or moved what is root's. The rule is that of systemd-tmpfiles (CHASE_SAFE of chase_symlinks()).

        :raises UnsafeWay: the way goes on from somebody else's to another's.
        :raises LeadsNowhere: links go round in a circle.
        """
        with self._walk(path, False, frozenset((0, os.geteuid()))) as (names, rest):
            return "/".join([self.root, *names, *rest])

    def resolve(self, path: str) -> str:
        """As `real`, with the last component resolved as well; of this host, paths stay as they are."""
        if not self.root:
            return path
        with self._walk(path, True) as (names, rest):
            return "/".join([self.root, *names, *rest])

    def directories(self, paths: t.Sequence[str]) -> list[str]:
        """Directories to be looked into, resolved: each once, and without those to which there is no way."""
        if not self.root:
            return list(paths)
        found = []
        for path in paths:
            try:
                found.append(self.resolve(path))
            except Unreadable:
                # Neither does systemd look there, in the tree.
                continue
        return list(dict.fromkeys(found))

    def target(self, path: str) -> str:
        """The target of a symbolic link as it is written; empty where there is none."""
        try:
            with self.parent(path) as (directory, name):
                return os.readlink(name, dir_fd=directory)
        except OSError:
            return ""

    def status(self, path: str, follow: bool = True) -> os.stat_result | None:
        """The status of a file or directory; None where there is none, or it may not be looked at."""
        try:
            if not self.root or path == self.root:
                return os.stat(path, follow_symlinks=follow)
            with self.parent(self.resolve(path) if follow else path) as (directory, name):
                return os.stat(name, dir_fd=directory, follow_symlinks=False)
        except (OSError, ValueError, Unreadable):
            return None

    def exists(self, path: str) -> bool:
        """Whether there is something, links followed; a mask is something also where the tree has no /dev/null."""
        return self.status(path) is not None or (bool(self.root) and self.is_null(path))

    def read(self, path: str, limit: int = LIMIT, follow: bool = True) -> bytes | None:
        """The content of a regular file; None where there is nothing. A mask, a link to /dev/null, reads as empty.

        :param follow: whether the last component may be a link, which is then followed in the tree.
        :raises Unreadable: it is something else than a file, is larger, or may not be read.
        """
        found = self.read_file(path, limit, follow)
        return found[0] if found else None

    def read_text(self, path: str, limit: int = LIMIT, errors: str = "surrogateescape") -> str | None:
        """As `read`, decoded from UTF-8, with all kinds of line ends as they are."""
        content = self.read(path, limit)
        return None if content is None else content.decode("utf-8", errors)

    def read_file(
        self, path: str, limit: int = LIMIT, follow: bool = True, head: bool = False
    ) -> tuple[bytes, os.stat_result] | None:
        """As `read`, with the status (fstat(2)) of the very file that was read.

        :param head: return the first `limit` bytes of a larger file.
        """
        if not self.root:
            return read_file(path, limit, None, follow, head)
        try:
            with self._handle(path, follow) as handle:
                return read_handle(handle, path, limit, head)
        except (FileNotFoundError, NotADirectoryError):
            return (b"", os.stat(os.devnull)) if self.root and follow and self.is_null(path) else None
        except (OSError, ValueError) as e:
            raise unreadable(path, e) from e

    def names(self, path: str, limit: int = ENTRIES) -> list[str]:
        """The names in a directory, unsorted; none where there is no such directory.

        :raises Unreadable: there are more than `limit`, or it may not be read.
        """
        if not self.root:
            return list_small(path, limit)
        try:
            with self.directory(path) as descriptor:
                return list_small(descriptor, limit, path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, ValueError) as e:
            raise unreadable(path, e) from e

    @contextmanager
    def directory(self, path: str) -> t.Iterator[int]:
        """Open a directory, links on the way and the last one included; yields a descriptor that can be listed and synced.

        :raises OSError: there is none, or it may not be opened.
        """
        if not self.root:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        else:
            with self._handle(path, True) as handle:
                descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def parent(self, path: str) -> t.Iterator[tuple[int, str]]:
        """Open the directory that holds the last component of `path`; yields its descriptor and that component.

        It is for `dir_fd` of what acts on the component itself and follows no link there: unlink, rename, symlink, lstat, open with
        O_NOFOLLOW. `/proc/self/fd/N/NAME` is a path to it.

        :raises OSError: there is no such directory.
        """
        directory, name = os.path.split(path)
        with self.directory(directory) as descriptor:
            yield descriptor, name

    def make(self, path: str, mode: int = 0o755) -> list[str]:
        """Make a directory and those above it that are missing; returns the paths of those made, the topmost first.

        :raises OSError: one cannot be made.
        """
        missing = []
        path = self.resolve(path) if self.root else path
        while self.status(path) is None:
            missing.append(path)
            path = os.path.dirname(path)
        made = []
        for each in reversed(missing):
            with self.parent(each) as (directory, name):
                try:
                    os.mkdir(name, dir_fd=directory)
                except FileExistsError:
                    # Another task was faster. That it is no directory is found by whoever writes to it.
                    continue
                handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
                try:
                    os.fchmod(handle, mode)
                finally:
                    os.close(handle)
            made.append(each)
        return made

    def same_outside(self, path: str) -> bool:
        """Whether programs that follow links as on the host, such as systemctl, get to the same directory as after a chroot."""
        if not self.root:
            return True
        inside = self.resolve(path)[len(self.root) :]
        return os.path.realpath(path) == os.path.realpath(self.root).rstrip("/") + inside

    def is_null(self, path: str) -> bool:
        """Whether a link leads to /dev/null; that of a tree need not be there, as nobody has booted it (systemd.unit(5))."""
        try:
            return (self.resolve(path) if self.root else os.path.realpath(path)) == f"{self.root}/dev/null"
        except Unreadable:
            return False

    @contextmanager
    def _handle(self, path: str, follow: bool) -> t.Iterator[int]:
        """A descriptor of the kind O_PATH of what is at `path`."""
        if not self.root:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
            try:
                yield handle
            finally:
                os.close(handle)
            return
        way = _Way(self, path)
        try:
            way.walk(follow)
            if way.rest:
                name = way.rest[0]
                if follow or len(way.rest) > 1:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
                handle = os.open(name, _WALK, dir_fd=way.handles[-1])
                way.handles.append(handle)
            yield way.handles[-1]
        finally:
            way.close()

    @contextmanager
    def _walk(
        self, path: str, follow: bool, trusted: t.AbstractSet[int] | None = None
    ) -> t.Iterator[tuple[list[str], list[str]]]:
        way = _Way(self, path, trusted)
        try:
            way.walk(follow)
            yield way.names, way.rest
        except (OSError, ValueError) as e:
            raise unreadable(path, e) from e
        finally:
            way.close()


class _Way:
    """A walk from the root of a tree: `handles` and `names` of what has been reached, `rest` of what is not there.

    :param trusted: the users who may lead it anywhere, see `Tree.real_safely`; None for everybody.
    """

    def __init__(self, tree: Tree, path: str, trusted: t.AbstractSet[int] | None = None) -> None:
        self._trusted = trusted
        # Whose what was reached last is, be it a directory or a link; and the last link.
        self._owner, self._at = 0, ""
        self._tree = tree
        self._path = path
        if path != tree.root and not path.startswith(f"{tree.root}/"):
            raise AssertionError(f"{path} is not in the tree {tree.root}")
        self.handles: list[int] = []
        self.names: list[str] = []
        self.rest: list[str] = []
        # What lies before, the next one last.
        self._todo = _parts(path[len(tree.root) :])

    def walk(self, follow: bool) -> None:
        """Go as far as there is something; with `follow` the last component is followed too, else it is left in `rest`."""
        if "\0" in self._path:
            raise ValueError("embedded null byte")
        self.handles.append(self._open_root())
        if self._trusted is not None:
            # Whose the tree is, it is left to.
            self._owner = os.fstat(self.handles[0]).st_uid
            self._trusted = self._trusted | {self._owner}
        links = 0
        while self._todo:
            part = self._todo.pop()
            if part == "..":
                self._up()
                continue
            if not self._todo and not follow:
                self.rest = [part]
                return
            try:
                handle = os.open(part, _WALK, dir_fd=self.handles[-1])
            except FileNotFoundError:
                self._take_rest(part)
                return
            status = os.fstat(handle)
            if not stat.S_ISLNK(status.st_mode):
                self.handles.append(handle)
                self._come_to(status)
                self.names.append(part)
                self._at = ""
                continue
            try:
                self._come_to(status)
                # Of the link that was opened, not of what may be there by now.
                target = os.readlink("", dir_fd=handle)
            finally:
                os.close(handle)
            self._at = "/".join([self._tree.root, *self.names, part]) if self._trusted else ""
            links += 1
            if links > LINKS:
                raise LeadsNowhere(self._path)
            if target.startswith("/"):
                while self.names:
                    os.close(self.handles.pop())
                    self.names.pop()
                self._come_to(os.fstat(self.handles[0]))
            self._todo += _parts(target)

    def _come_to(self, status: os.stat_result) -> None:
        """Go on to what has this status, unless somebody else may have led the way there."""
        if self._trusted is None:
            return
        if self._owner not in self._trusted and status.st_uid != self._owner:
            raise UnsafeWay(self._path, self._at or "/".join([self._tree.root, *self.names]), self._owner)
        self._owner = status.st_uid

    def _open_root(self) -> int:
        # Of this host, only a walk that looks at owners comes here.
        root = self._tree.root or "/"
        try:
            if root.startswith("/"):
                return os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            pass
        raise BadInput(f"root: {root!r} is not an existing directory; give the absolute path of the tree")

    def close(self) -> None:
        """Close all descriptors."""
        for handle in self.handles:
            os.close(handle)
        self.handles.clear()

    def _up(self) -> None:
        if self.names:
            os.close(self.handles.pop())
            self.names.pop()
            self._come_to(os.fstat(self.handles[-1]))

    def _take_rest(self, part: str) -> None:
        """What is not there is made one day, as directories, and so there are no links in it."""
        self.rest = [part, *reversed(self._todo)]
        if ".." in self.rest:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._path)


def _parts(path: str) -> list[str]:
    """The components of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


HOST = Tree()

__all__: t.Sequence[str] = ("HOST", "LeadsNowhere", "Tree", "UnsafeWay", "Unreadable")
