# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that write and remove files: all or nothing, with a way back to exactly what was."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import (
    Saved,
    chown,
    make_directory,
    missing_directories,
    remove,
    remove_empty,
    replace,
    set_label,
    tidy,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Note, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import (
    AttributesWere,
    DirectoryWas,
    FileWas,
    LinkWas,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange


class FileTools:
    """What steps on files are given to work with, so that they need not know where it comes from.

    :param attributes: `(path, check) -> changed`: gives a file the owner, mode and so on that the task asks for; with
        `check` it only tells whether it would.
    :param backup: whether to keep a copy of what is replaced or removed.
    :param label: called with the path of a new file, to give it the SELinux label of its place.
    :param given: which of `owner`, `group` and `mode` it is that `attributes` sets; the others stay what they are.
    :param unsafe_writes: whether a file that cannot be replaced (a single file mounted into a container) may be
        overwritten in place.
    """

    def __init__(
        self,
        attributes: t.Callable[[str, bool], bool],
        backup: bool = False,
        label: t.Callable[[str], t.Any] | None = None,
        given: t.Container[str] = (),
        unsafe_writes: bool = False,
    ) -> None:
        self.attributes = attributes
        self.backup = backup
        self.label = label
        self.given = given
        self.unsafe_writes = unsafe_writes


class _FileStep(Step):
    """What steps on one file have in common.

    :param before: the file as it is, or None where there is none.
    """

    def __init__(self, path: str, before: Saved | None, tools: FileTools) -> None:
        super().__init__((path,))
        self._path = path
        self._before = before
        self._tools = tools
        self.backup_file = ""

    def undone(self) -> str:
        return f"{self._path} {'as it was' if self._before else 'removed again'}"

    def _back_up(self, ctx: Context) -> None:
        """Keep a copy beside it, named as those of ansible-core are."""
        if self._before is None or not self._tools.backup:
            return
        path = f"{self._path}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S~')}"
        self.note(ctx, FileWas(path, None, self._before.content))
        try:
            self._before.put_back(path)
        except OSError as e:
            raise SystemdError(
                f"cannot keep a copy of {self._path}: {e.strerror or e}; make room, or leave out `backup`"
            ) from e
        self.backup_file = path


class WriteFile(_FileStep):
    """Write a file whole: a reader sees the old one or the new one, never a part, and a crash leaves one of them.

    :param as_old_as_before: whether it keeps the time of the file that it replaces, since it means the same.
    """

    def __init__(
        self, path: str, content: bytes, before: Saved | None, tools: FileTools, as_old_as_before: bool = False
    ) -> None:
        super().__init__(path, before, tools)
        self._content = content
        self._as_old_as_before = as_old_as_before

    def describe(self) -> str:
        return f"{'rewrite' if self._before else 'write'} {self._path}"

    def foretell(self) -> list[Note]:
        # What a directory was comes before what is in it, and a copy before what it is of.
        if self._tools.backup or not os.path.isdir(os.path.dirname(self._path)):
            return []
        return [FileWas(self._path, self._before, self._content)]

    def apply(self, ctx: Context) -> bool:
        made: list[str] = []
        if ctx.undo_log is None:
            # Nobody but who comes here again finds what was left by a task that was killed.
            tidy(self._path, ctx.temporaries)
        try:
            for directory in missing_directories(os.path.dirname(self._path)):
                was = DirectoryWas(directory, False)
                self.note(ctx, was)
                was.there = not make_directory(directory)
                if not was.there:
                    made.append(directory)
                    if self._tools.label is not None:
                        self._tools.label(directory)
            self._back_up(ctx)
            self.note(ctx, *(self.foretold or [FileWas(self._path, self._before, self._content)]))
            replace(self._path, self._content, self._finish, self._make_ready if self._tools.unsafe_writes else None)
        except BaseException:
            # Nothing was written: what was made for it is not wanted either, whether or not there is a rollback.
            for directory in reversed(made):
                remove_empty(directory)
            raise
        if self._before is None and self._tools.label is not None:
            self._tools.label(self._path)
            # What is asked for goes before what the policy has.
            self._tools.attributes(self._path, False)
        return True

    def _finish(self, temporary: str) -> None:
        """Make the new file, which only root or the user may read yet, what it shall be, and never for a moment more open than that."""
        before, given = self._before, self._tools.given
        if before is not None:
            # Not to whom it belonged, if it shall belong to somebody else.
            chown(temporary, -1 if "owner" in given else before.uid, -1 if "group" in given else before.gid)
            set_label(temporary, before.label)
            if self._as_old_as_before:
                os.utime(temporary, ns=before.times)
        self._tools.attributes(temporary, False)
        if "mode" not in given:
            # Only now that it is whose it shall be.
            os.chmod(temporary, 0o644 if before is None else before.mode)

    def _make_ready(self, path: str) -> None:
        """The same of a file that cannot be replaced, before it is overwritten."""
        if self._before is not None:
            self._tools.attributes(path, False)


class SetAttributes(_FileStep):
    """Give a file whose content is right the owner, mode and label that are asked for."""

    def describe(self) -> str:
        return f"set attributes of {self._path}"

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, AttributesWere(self._path, t.cast(Saved, self._before)))
        return self._tools.attributes(self._path, False)

    def undone(self) -> str:
        return f"attributes of {self._path} as they were"


class RemoveFile(_FileStep):
    """Remove a file, and its directory where that is a drop-in directory that holds nothing else.

    :param keep_directory: whether the directory is not only there for what is in it.
    """

    def __init__(self, path: str, before: Saved | None, tools: FileTools, keep_directory: bool = False) -> None:
        super().__init__(path, before, tools)
        self._keep_directory = keep_directory

    def describe(self) -> str:
        return f"remove {self._path}"

    def apply(self, ctx: Context) -> bool:
        self._back_up(ctx)
        self.note(ctx, FileWas(self._path, self._before, None))
        remove(self._path)
        directory = os.path.dirname(self._path)
        if directory.endswith(".d") and not self._keep_directory:
            remove_empty(directory, told=True)
        return True


class RemoveDirectory(Step):
    """Remove a drop-in directory that is empty."""

    def __init__(self, path: str) -> None:
        super().__init__((path,))
        self._path = path

    def describe(self) -> str:
        return f"remove {self._path}"

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, DirectoryWas(self._path, True))
        return remove_empty(self._path)

    def undone(self) -> str:
        return f"{self._path} made again"


class RemoveLinks(Step):
    """Remove links by which other units or names lead to a unit that will not be there, and directories left empty.

    :param links: path -> target, as they are.
    """

    def __init__(self, links: t.Mapping[str, str]) -> None:
        super().__init__(tuple(links))
        self._links = dict(links)

    def describe(self) -> str:
        return f"unlink {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, *(LinkWas(path, target) for path, target in self._links.items()))
        for path in self._links:
            remove(path)
            directory = os.path.dirname(path)
            if directory.endswith((".wants", ".requires", ".upholds")):
                remove_empty(directory)
            ctx.links.append(LinkChange("unlink", path, ""))
        return bool(self._links)

    def undone(self) -> str:
        return f"linked {short(self.names)} again"


def file_diff(path: str, before: Saved | None, after: str) -> dict[str, str]:
    """A file's change as Ansible shows it: keys before, after, before_header, after_header."""
    old = before.content.decode("utf-8", "replace") if before else ""
    return {"before": old, "after": after, "before_header": path, "after_header": path}


def check_link(path: str) -> None:
    """Say of a directory of a user's, or of one that a path is below, that it leads, by a link, to where the user may not write.

    :raises BadInput: it does.
    """
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import acting_for

    account = acting_for()
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    real = os.path.realpath(path)
    if account is None or real == path or not os.path.isdir(real):
        return
    if not os.access(real, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise BadInput(
            f"scope: {path} leads to {real} by a link, where {account.name} may not write; "
            "remove the link, or let it lead to a directory of that user"
        )


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
        check_link(directory)
        if os.getuid() == 0:
            raise SystemdError(
                f"the user whose units they are may not write to {directory}, where {os.path.dirname(path)} would have to be made; "
                "give the user a home directory first"
            )
        raise SystemdError(
            f"not permitted to write to {directory}; this needs root, so add `become: true` to the task or play, "
            "or use `scope: user` for units of your own"
        )
