# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that write and remove files: all or nothing, with a way back to exactly what was."""

from __future__ import annotations

import errno
import os
import stat
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step, short
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

_LABEL = "security.selinux"


class FileTools:
    """What steps on files are given to work with, so that they need not know where it comes from.

    :param attributes: `(path, check) -> changed`: gives a file the owner, mode and so on that the task asks for; with
        `check` it only tells whether it would.
    :param backup: `path -> path of the copy`.
    :param label: called with the path of a new file, to give it the SELinux label of its place.
    :param user: `(uid, gid, name)` of the user as whom files are to be touched, where root works in a home directory.
    :param unsafe_writes: whether a file that cannot be replaced (a single file mounted into a container) may be
        overwritten in place.
    """

    def __init__(
        self,
        attributes: t.Callable[[str, bool], bool],
        backup: t.Callable[[str], str] | None = None,
        label: t.Callable[[str], t.Any] | None = None,
        user: tuple[int, int, str] | None = None,
        unsafe_writes: bool = False,
    ) -> None:
        self.attributes = attributes
        self.backup = backup
        self.label = label
        self.user = user
        self.unsafe_writes = unsafe_writes

    @contextmanager
    def acting(self) -> t.Iterator[None]:
        """Touch files as the user they belong to: in a directory that is theirs, root could be led anywhere by a link."""
        if self.user is None or os.geteuid() != 0:
            yield
            return
        uid, gid, name = self.user
        groups = os.getgroups()
        os.setgroups(os.getgrouplist(name, gid))
        os.setegid(gid)
        os.seteuid(uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)


class Saved(t.NamedTuple):
    """A regular file as it was."""

    content: bytes
    mode: int
    uid: int
    gid: int
    times: tuple[int, int]
    label: bytes | None

    @classmethod
    def of(cls, path: str) -> Saved | None:
        """Read a file; None where there is none. A mask, which is a link to /dev/null, reads as an empty one.

        :raises OSError: it cannot be read, or is no file.
        """
        try:
            # To open a pipe would otherwise be to wait until somebody writes to it.
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) and status.st_rdev != os.makedev(1, 3):
                    raise OSError(errno.EINVAL, "it is not a regular file", path)
                content = file.read()
        except FileNotFoundError:
            return None
        return cls(
            content,
            stat.S_IMODE(status.st_mode),
            status.st_uid,
            status.st_gid,
            (status.st_atime_ns, status.st_mtime_ns),
            _get_label(path),
        )

    def put_back(self, path: str) -> None:
        """Make the file what it was, all of it."""

        def finish(temporary: str) -> None:
            _chown(temporary, self.uid, self.gid)
            os.chmod(temporary, self.mode)
            _set_label(temporary, self.label)
            os.utime(temporary, ns=self.times)

        os.makedirs(os.path.dirname(path), exist_ok=True)
        _replace(path, self.content, finish)


class WriteFile(Step):
    """Write a file whole: a reader sees the old one or the new one, never a part, and a crash leaves one of them.

    :param before: the file as it is, or None for a new one.
    """

    def __init__(self, path: str, content: bytes, before: Saved | None, tools: FileTools) -> None:
        super().__init__((path,))
        self._path = path
        self._content = content
        self._before = before
        self._tools = tools
        self._made: list[str] = []
        self._written = False
        self.backup_file = ""

    def describe(self) -> str:
        return f"{'rewrite' if self._before else 'write'} {self._path}"

    def apply(self, ctx: Context) -> bool:
        with _explained(f"write {self._path}"), self._tools.acting():
            try:
                self._write()
            except BaseException:
                for directory in reversed(self._made):
                    _remove_empty(directory)
                raise
        return True

    def _write(self) -> None:
        self._made = _make_directories(os.path.dirname(self._path))
        if self._tools.label is not None:
            for directory in self._made:
                self._tools.label(directory)
        if self._before is not None and self._tools.backup is not None:
            self.backup_file = self._tools.backup(self._path)
        self._written = True
        _replace(self._path, self._content, self._finish, self._tools.unsafe_writes)
        if self._before is None and self._tools.label is not None:
            self._tools.label(self._path)
            # What is asked for goes before what the policy has.
            self._tools.attributes(self._path, False)

    def _finish(self, temporary: str) -> None:
        if self._before is None:
            os.chmod(temporary, 0o644)
        else:
            _chown(temporary, self._before.uid, self._before.gid)
            os.chmod(temporary, self._before.mode)
            _set_label(temporary, self._before.label)
        self._tools.attributes(temporary, False)

    def undo(self, ctx: Context) -> None:
        with _explained(f"put back {self._path}"), self._tools.acting():
            if self._written:
                ctx.stale = True
                if self._before is not None:
                    self._before.put_back(self._path)
                else:
                    _remove(self._path)
            if self.backup_file:
                _remove(self.backup_file)
            for directory in reversed(self._made):
                _remove_empty(directory)

    def undone(self) -> str:
        return f"{self._path} {'as it was' if self._before else 'removed again'}"


class SetAttributes(Step):
    """Give a file whose content is right the owner, mode and label that are asked for."""

    def __init__(self, path: str, before: Saved, tools: FileTools) -> None:
        super().__init__((path,))
        self._path = path
        self._before = before
        self._tools = tools

    def describe(self) -> str:
        return f"set attributes of {self._path}"

    def apply(self, ctx: Context) -> bool:
        with _explained(f"set the attributes of {self._path}"), self._tools.acting():
            return self._tools.attributes(self._path, False)

    def undo(self, ctx: Context) -> None:
        with _explained(f"put back {self._path}"), self._tools.acting():
            _chown(self._path, self._before.uid, self._before.gid)
            os.chmod(self._path, self._before.mode)
            _set_label(self._path, self._before.label)
            os.utime(self._path, ns=self._before.times)

    def undone(self) -> str:
        return f"attributes of {self._path} as they were"


class RemoveFile(Step):
    """Remove a file, and its directory where that is a drop-in directory that holds nothing else."""

    def __init__(self, path: str, before: Saved, tools: FileTools) -> None:
        super().__init__((path,))
        self._path = path
        self._before = before
        self._tools = tools
        self._removed = False
        self.backup_file = ""

    def describe(self) -> str:
        return f"remove {self._path}"

    def apply(self, ctx: Context) -> bool:
        with _explained(f"remove {self._path}"), self._tools.acting():
            if self._tools.backup is not None:
                self.backup_file = self._tools.backup(self._path)
            self._removed = True
            _remove(self._path)
            directory = os.path.dirname(self._path)
            if directory.endswith(".d"):
                _remove_empty(directory)
        return True

    def undo(self, ctx: Context) -> None:
        if not self._removed:
            return
        ctx.stale = True
        with _explained(f"put back {self._path}"), self._tools.acting():
            self._before.put_back(self._path)
            if self.backup_file:
                _remove(self.backup_file)

    def undone(self) -> str:
        return f"{self._path} as it was"


class RemoveDirectory(Step):
    """Remove a drop-in directory that is empty."""

    def __init__(self, path: str, tools: FileTools) -> None:
        super().__init__((path,))
        self._path = path
        self._tools = tools

    def describe(self) -> str:
        return f"remove {self._path}"

    def apply(self, ctx: Context) -> bool:
        with _explained(f"remove {self._path}"), self._tools.acting():
            return _remove_empty(self._path)

    def undo(self, ctx: Context) -> None:
        with _explained(f"put back {self._path}"), self._tools.acting():
            os.makedirs(self._path, exist_ok=True)

    def undone(self) -> str:
        return f"{self._path} made again"


class RemoveLinks(Step):
    """Remove links by which other units or names lead to a unit that will not be there, and directories left empty.

    :param links: path -> target, as they are.
    """

    def __init__(self, links: t.Mapping[str, str], tools: FileTools) -> None:
        super().__init__(tuple(links))
        self._links = dict(links)
        self._tools = tools

    def describe(self) -> str:
        return f"unlink {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        with _explained("remove links"), self._tools.acting():
            for path in self._links:
                _remove(path)
                directory = os.path.dirname(path)
                if directory.endswith((".wants", ".requires", ".upholds")):
                    _remove_empty(directory)
        return bool(self._links)

    def undo(self, ctx: Context) -> None:
        ctx.stale = True
        with _explained("put back links"), self._tools.acting():
            for path, target in self._links.items():
                if not os.path.lexists(path):
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    os.symlink(target, path)

    def undone(self) -> str:
        return f"linked {short(self.names)} again"


class AsUser(Step):
    """A step that asks a user's manager for links, and whose way back touches them in the user's home directory."""

    def __init__(self, step: Step, tools: FileTools) -> None:
        super().__init__(step.names)
        self.counts = step.counts
        self._step = step
        self._tools = tools

    def describe(self) -> str:
        return self._step.describe()

    def apply(self, ctx: Context) -> bool:
        return self._step.apply(ctx)

    def undo(self, ctx: Context) -> None:
        with _explained("put back links"), self._tools.acting():
            self._step.undo(ctx)

    def undone(self) -> str:
        return self._step.undone()


def check_writable(path: str) -> None:
    """Say before anything is done, and in check mode as well, that the file's directory cannot be written to.

    :raises SystemdError: it cannot, by the effective user.
    """
    directory = os.path.dirname(path)
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    if not os.path.isdir(directory):
        raise SystemdError(
            f"cannot write to {directory}: it is {'a link that leads nowhere' if os.path.islink(directory) else 'no directory'}; "
            "remove it first"
        )
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        if os.geteuid() == 0:
            raise SystemdError(f"cannot write to {directory}: it is read-only")
        if path.startswith("/run/user/") and directory == "/run/user":
            raise SystemdError(
                f"there is no {'/'.join(path.split('/')[:4])}, which is there only while the user's manager runs; "
                "let it run first, with pidone.systemd.user_manager and `linger: true`, or leave out `runtime`"
            )
        if os.getuid() == 0:
            raise SystemdError(
                f"the user whose units they are may not write to {directory}, where {os.path.dirname(path)} would have to be made; "
                "give the user a home directory first"
            )
        raise SystemdError(
            f"not permitted to write to {directory}; this needs root, so add `become: true` to the task or play, "
            "or use `scope: user` for units of your own"
        )


def _replace(path: str, content: bytes, finish: t.Callable[[str], None], in_place: bool = False) -> None:
    """Put content where `path` is, in one move, with `finish` called on the new file before it is there."""
    directory, name = os.path.split(path)
    # No suffix that systemd knows, so that it never takes this one for a unit or a drop-in. Not the process id, which comes
    # again in containers: what a crash left behind would be in the way.
    temporary = f"{directory}/.{name[:200]}.{os.urandom(4).hex()}.pidone-tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            finish(temporary)
            os.replace(temporary, path)
        except BaseException:
            _remove(temporary)
            raise
    except OSError as e:
        if not in_place or e.errno not in (errno.EBUSY, errno.EPERM, errno.EACCES, errno.EXDEV, errno.EROFS):
            raise
        with open(path, "wb") as file:
            file.write(content)
        return
    _sync_directory(directory)


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_directories(path: str) -> list[str]:
    """Make a directory and those above it; returns the ones made, the topmost first."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    made = []
    for directory in reversed(missing):
        try:
            os.mkdir(directory)
        except FileExistsError:
            # Another task was faster. That it is no directory is found by whoever writes to it.
            continue
        os.chmod(directory, 0o755)
        made.append(directory)
    return made


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _remove_empty(path: str) -> bool:
    """Remove a directory if it is empty; returns whether it was."""
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def _chown(path: str, uid: int, gid: int) -> None:
    status = os.stat(path)
    if (status.st_uid, status.st_gid) != (uid, gid):
        os.chown(path, uid, gid)


def _get_label(path: str) -> bytes | None:
    try:
        return os.getxattr(path, _LABEL)
    except OSError:
        # No SELinux here, or a file system without labels.
        return None


def _set_label(path: str, label: bytes | None) -> None:
    if label is not None and label != _get_label(path):
        os.setxattr(path, _LABEL, label)


@contextmanager
def _explained(doing: str) -> t.Iterator[None]:
    """Turn errors of the operating system into ones for users."""
    try:
        yield
    except PermissionError as e:
        hint = "" if os.geteuid() == 0 else "; this needs root, so add `become: true` to the task or play"
        raise SystemdError(f"not permitted to {doing}: {e.strerror}{hint}") from e
    except OSError as e:
        raise SystemdError(f"cannot {doing}: {e.strerror or e}") from e
