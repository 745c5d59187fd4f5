# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is at a path, of whatever kind, and how it is put back: directories, files, links, pipes and devices.

The way to it is walked without following a link, and not from what is a user's to what is another's, so that nobody who may write
in a directory on the way leads a way back, or a removal, elsewhere. Paths are given with the links on the way resolved (`real_path`).
"""

from __future__ import annotations

import base64
import os
import stat
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, LeftAlone, Note
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import LIMIT, Unreadable, read_small
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree, UnsafeWay

_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFSOCK: "socket",
}
_FORMATS = {kind: number for number, kind in _KINDS.items()}
_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class Node(t.NamedTuple):
    """Something that has a path. `content` is of a file of at most 1 MiB that was asked for, `target` of a link, `device` of a device."""

    kind: str
    mode: int
    uid: int
    gid: int
    target: str = ""
    content: bytes | None = None
    device: int = 0

    def told(self) -> str:
        """What it is, in a few words: `directory 0755 root:root`."""
        if self.kind == "link":
            return f"link to {self.target}"
        return f"{self.kind} {self.mode:04o} {_name(self.uid, False)}:{_name(self.gid, True)}"

    def as_data(self) -> dict[str, t.Any]:
        """The same for JSON; `from_data` reads it."""
        content = None if self.content is None else base64.b64encode(self.content).decode()
        return {**self._asdict(), "content": content}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> Node:
        """What `as_data` wrote.

        :raises KeyError, TypeError, ValueError: it is something else.
        """
        if data["kind"] not in _FORMATS or "\0" in data["target"]:
            raise ValueError("it is nothing that can be at a path")
        content = None if data["content"] is None else base64.b64decode(data["content"])
        return cls(
            data["kind"],
            int(data["mode"]),
            int(data["uid"]),
            int(data["gid"]),
            str(data["target"]),
            content,
            int(data["device"]),
        )


def _name(number: int, group: bool) -> str:
    import grp
    import pwd

    try:
        return grp.getgrgid(number).gr_name if group else pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@contextmanager
def parent_of(path: str, root: str = "") -> t.Iterator[tuple[int, str]]:
    """Open the directory of a path without following a link below `root`; yields its descriptor and the last component.

    :raises OSError: there is no such directory, or a link is on the way.
    :raises UnsafeWay: somebody could have moved there what is another's.
    """
    directory, name = os.path.split(path[len(root) :])
    descriptor = os.open(root or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        owner = os.fstat(descriptor).st_uid
        trusted = (0, os.geteuid(), owner)
        for part in directory.split("/"):
            if part:
                below = os.open(part, _WALK, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
                is_now = os.fstat(descriptor).st_uid
                if owner not in trusted and is_now != owner:
                    raise UnsafeWay(path, part, owner)
                owner = is_now
        yield descriptor, name
    finally:
        os.close(descriptor)


def look_at(directory: int, name: str, content: bool = False) -> Node | None:
    """What has this name in a directory; None where there is nothing. A last link is not followed.

    :param content: whether that of a file is wanted, too.
    :raises OSError: it cannot be looked at.
    """
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "socket")
    mode = stat.S_IMODE(status.st_mode)
    target, found = "", None
    if kind == "link":
        target = os.readlink(name, dir_fd=directory)
    elif kind == "file" and content and status.st_size <= LIMIT:
        found = read_small(name, dir_fd=directory, follow=False)
    device = status.st_rdev if kind.endswith("device") else 0
    return Node(kind, mode, status.st_uid, status.st_gid, target, found, device)


def look_for(path: str, root: str = "", content: bool = False) -> Node | None:
    """As `look_at`, of a path; also None where there is no directory for it.

    :raises Unreadable: it cannot be looked at.
    """
    try:
        with parent_of(path, root) as (directory, name):
            return look_at(directory, name, content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        raise Unreadable(path, e.strerror or str(e), e.errno or 0) from e


def make(directory: int, name: str, node: Node) -> None:
    """Make what a node says, whole before it is open to anybody; nothing may have the name.

    :raises OSError: it cannot be made.
    """
    if node.kind == "directory":
        os.mkdir(name, 0o700, dir_fd=directory)
    elif node.kind == "link":
        os.symlink(node.target, name, dir_fd=directory)
    elif node.kind == "file":
        made = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, made, 0o600, dir_fd=directory)
        try:
            _write_all(descriptor, node.content or b"")
        finally:
            os.close(descriptor)
    else:
        os.mknod(name, _FORMATS[node.kind] | 0o600, node.device, dir_fd=directory)
    set_attributes(directory, name, node)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def set_attributes(directory: int, name: str, node: Node) -> None:
    """Give what has this name, and is of the node's kind, its owner, group and mode, where these are others."""
    now = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if (now.st_uid, now.st_gid) != (node.uid, node.gid):
        os.chown(name, node.uid, node.gid, dir_fd=directory, follow_symlinks=False)
    if node.kind == "link":
        return
    # By what it is and not by its name, which may have become that of a link.
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        status = os.fstat(handle)
        if _KINDS.get(stat.S_IFMT(status.st_mode)) == node.kind and stat.S_IMODE(status.st_mode) != node.mode:
            os.chmod(f"/proc/self/fd/{handle}", node.mode)
    finally:
        os.close(handle)


def remove_node(directory: int, name: str, node: Node) -> bool:
    """Remove what has this name, a directory only if it is empty; returns whether there was anything.

    :raises OSError: it cannot be removed, as a directory that holds something.
    """
    try:
        if node.kind == "directory":
            os.rmdir(name, dir_fd=directory)
        else:
            os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return False
    return True


class NodeWas(Note):
    """What is at a path before it is made, changed, replaced or removed.

    :param before: what is there; None for nothing.
    :param after: what will be there; None for nothing. A file without content is one of which only the attributes change.
    """

    kind = "node"

    def __init__(self, path: str, before: Node | None, after: Node | None) -> None:
        self._path, self._before, self._after = path, before, after
        self.paths = (path,)

    def undo(self, ctx: Context) -> None:
        try:
            with parent_of(self._path, ctx.manager.root) as (directory, name):
                self._undo(directory, name)
        except (FileNotFoundError, NotADirectoryError):
            if self._before is not None:
                raise LeftAlone(
                    f"{self._path} cannot be put back: its directory is not there any more, or is a link by now"
                ) from None
        except UnsafeWay as e:
            raise LeftAlone(e.msg) from e

    def _undo(self, directory: int, name: str) -> None:
        before, after = self._before, self._after
        now = look_at(directory, name, content=True)
        if now == before or (now is None and before is None):
            return
        if now is None:
            make(directory, name, t.cast(Node, before))
            return
        if before is not None and now.kind == before.kind and self._is_same(now, before):
            set_attributes(directory, name, before)
            return
        if after is None or now.kind != after.kind or not (self._is_same(now, after) or self._is_begun(now)):
            raise LeftAlone(f"{self._path} was changed by somebody else meanwhile, and is left as it is")
        if before is not None and before.kind == now.kind == "file":
            self._put_back_content(directory, name, before)
            return
        try:
            remove_node(directory, name, now)
        except OSError as e:
            raise LeftAlone(f"{self._path} is left as it is: {e.strerror or e}") from e
        if before is not None:
            make(directory, name, before)

    def _is_begun(self, now: Node) -> bool:
        """Whether it is a file that was made and not written yet."""
        return self._before is None and now.kind == "file" and now.content == b""

    @staticmethod
    def _is_same(now: Node, other: Node) -> bool:
        """Whether the two are the same but for owner, group and mode."""
        same = (now.target, now.device) == (other.target, other.device)
        return same and (other.kind != "file" or other.content is None or now.content == other.content)

    def _put_back_content(self, directory: int, name: str, before: Node) -> None:
        if before.content is None:
            raise LeftAlone(f"{self._path} was larger than {LIMIT >> 20} MiB, and what was in it is not kept")
        descriptor = os.open(name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        try:
            _write_all(descriptor, before.content)
        finally:
            os.close(descriptor)
        set_attributes(directory, name, before)

    def told(self) -> str:
        return f"{self._path} {'as it was' if self._before else 'removed again'}"

    def as_data(self) -> dict[str, t.Any]:
        before, after = (None if node is None else node.as_data() for node in (self._before, self._after))
        return {"path": self._path, "before": before, "after": after}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> NodeWas:
        before, after = (None if data[key] is None else Node.from_data(data[key]) for key in ("before", "after"))
        return cls(str(data["path"]), before, after)


def real_path(path: str, root: str = "") -> str:
    """The path with the links on the way resolved, the last component as it is; in a tree, inside of it.

    :raises UnsafeWay: somebody could have led the way elsewhere.
    :raises Unreadable: links go round in a circle, or something on the way is no directory.
    """
    return Tree(root).real_safely(path)


def check_same_outside(path: str, root: str, option: str) -> None:
    """Refuse a path of a tree that a program of the host's would come to elsewhere, by a link that leads out of the tree.

    :raises SystemdError: it would.
    """
    if not root:
        return
    directory = os.path.dirname(path)
    if not Tree(root).same_outside(directory):
        raise SystemdError(
            f"{option}: a link on the way to {path} leads out of {root} for programs of this host; make it a relative link, or name "
            "the path that it stands for"
        )
