# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that have the host's own tools apply lines, and that remove what lines have made."""

from __future__ import annotations

import os
import re
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.accounts_were import (
    AccountsWere,
    Edit,
    change_accounts,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Note, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.node_was import (
    Node,
    NodeWas,
    look_at,
    parent_of,
    remove_node,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import list_small, read_small

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tool import Tool

_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Directories one in the other, of which each takes a descriptor (MAX_DEPTH of systemd); entries of one.
_DEEPEST, _MOST = 256, 1 << 24


class Apply(Step):
    """Have a tool make what lines describe.

    :param names: what is made or changed: paths, or users and groups.
    :param lines: those that are applied.
    :param args: of the tool.
    :param notes: what is before.
    :param check_way: called right before, and may refuse.
    :param left: tells what is still not as described afterwards.
    """

    def __init__(
        self,
        tool: Tool,
        args: t.Sequence[str],
        lines: t.Sequence[str],
        names: t.Sequence[str],
        notes: t.Sequence[Note],
        left: t.Callable[[], t.Sequence[str]],
    ) -> None:
        super().__init__(tuple(names))
        self._tool, self._args, self._lines = tool, list(args), list(lines)
        self._before, self._left = list(notes), left

    def describe(self) -> str:
        return f"{self._tool.name}{' '.join(['', *self._args])} for {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, *self._before)
        said = self._tool.do(self._args, self._lines, ctx.timeout)
        left = self._left()
        if left:
            told = f"; it said: {'; '.join(said[:3])}" if said else ""
            raise SystemdError(f"{self._tool.name} has left as it was: {short(left)}{told}")
        return True

    def undone(self) -> str:
        return "; ".join(told for told in (note.told() for note in self.notes) if told)


class Sweep(Step):
    """Have systemd-tmpfiles remove what is too old, or what lines say is to be removed; that is not brought back.

    :param found: what there is of that.
    """

    def __init__(self, tool: Tool, verb: str, lines: t.Sequence[str], found: t.Sequence[str]) -> None:
        super().__init__(tuple(found))
        self._tool, self._verb, self._lines = tool, verb, list(lines)
        self.removed: list[str] = []

    def describe(self) -> str:
        return f"{self._tool.name} {self._verb} for {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        self._tool.do([self._verb], self._lines, ctx.timeout)
        self.removed = [path for path in self.names if not os.path.lexists(path)]
        return bool(self.removed)


class RemoveMade(Step):
    """Remove what lines have made and nobody has used: empty directories, files and links as they were made.

    :param found: path -> what is there, what is in a directory before that.
    """

    def __init__(self, found: t.Mapping[str, Node]) -> None:
        super().__init__(tuple(found))
        self._found = dict(found)

    def describe(self) -> str:
        return f"remove {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, *(NodeWas(path, node, None) for path, node in self._found.items()))
        changed = False
        for path, node in self._found.items():
            with parent_of(path, ctx.manager.root) as (directory, name):
                now = look_at(directory, name, content=True)
                if now is not None and now != node:
                    raise SystemdError(f"{path} was changed by somebody else meanwhile; run the task again")
                changed = remove_node(directory, name, node) or changed
        return changed

    def undone(self) -> str:
        return f"{short(self.names)} made again"


class RemoveTrees(Step):
    """Remove directories with all that is in them, which is not brought back; no link is followed and no mount entered."""

    def describe(self) -> str:
        return f"remove {short(self.names)} with all that is in there"

    def apply(self, ctx: Context) -> bool:
        changed = False
        for path in self.names:
            why = why_not_removable(path, ctx.manager.root)
            if why:
                # All of it is there still.
                raise SystemdError(f"{path} is not removed, {why} by now; run the task again")
        for path in self.names:
            with parent_of(path, ctx.manager.root) as (directory, name):
                if look_at(directory, name) is not None:
                    _remove_tree(directory, name, path, os.stat(name, dir_fd=directory, follow_symlinks=False).st_dev)
                    changed = True
        return changed


def why_not_removable(path: str, root: str) -> str:
    """Why a directory cannot be removed with all that is in it, in words that follow its path; empty where it can, or is none.

    A mount of a directory of the same file system has no device of its own, so the kernel's list is looked at, too.
    """
    real = os.path.realpath(root) + path[len(root) :] if root else path
    for mount in mounts():
        if mount == real or mount.startswith(f"{real}/"):
            return "which is a mount" if mount == real else f"in which {mount} is a mount"
    try:
        with parent_of(path, root) as (directory, name):
            handle = os.open(name, _LIST, dir_fd=directory)
            try:
                device = os.fstat(handle).st_dev
                if os.fstat(directory).st_dev != device:
                    return "which is a file system of its own"
                return _what_is_in_the_way(handle, path, device, 0)
            finally:
                os.close(handle)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as e:
        return f"which cannot be looked into: {e.strerror or e}"


def _what_is_in_the_way(handle: int, path: str, device: int, depth: int) -> str:
    if depth > _DEEPEST:
        return f"in which more than {_DEEPEST} directories are one in the other"
    for each in list_small(handle, _MOST, path):
        try:
            status = os.stat(each, dir_fd=handle, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                continue
            if status.st_dev != device:
                return f"in which {path}/{each} is a file system of its own"
            below = os.open(each, _LIST, dir_fd=handle)
        except (FileNotFoundError, NotADirectoryError):
            # It has gone meanwhile.
            continue
        try:
            why = _what_is_in_the_way(below, f"{path}/{each}", device, depth + 1)
        finally:
            os.close(below)
        if why:
            return why
    return ""


def mounts() -> list[str]:
    """Where something is mounted (proc_pid_mountinfo(5)); nothing where there is no /proc."""
    text = (read_small("/proc/self/mountinfo", 1 << 24) or b"").decode("utf-8", "surrogateescape")
    # Blanks are escaped in it, as bytes in octal digits.
    fields = (line.split(" ")[4] for line in text.split("\n") if line.count(" ") > 4)
    return [re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), field) for field in fields]


def _remove_tree(directory: int, name: str, path: str, device: int) -> None:
    handle = os.open(name, _LIST, dir_fd=directory)
    try:
        if os.fstat(handle).st_dev != device:
            raise SystemdError(f"{path} is a mount by now; unmount it, and run the task again")
        for each in list_small(handle, _MOST, path):
            below = look_at(handle, each)
            if below is not None and below.kind == "directory":
                _remove_tree(handle, each, f"{path}/{each}", device)
            elif below is not None:
                remove_node(handle, each, below)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=directory)


class RemoveAccounts(Step):
    """Remove users, groups and memberships that lines have made.

    :param root: the tree; empty for this host.
    :param lines: file -> lines that are there, and go.
    :param members: (user, group) that are members, and shall not be.
    """

    def __init__(
        self, root: str, lines: t.Mapping[str, t.Sequence[str]], members: t.Sequence[tuple[str, str]]
    ) -> None:
        drop = {file: [line.split(":", 1)[0] for line in each] for file, each in lines.items()}
        names = [name for each in drop.values() for name in each]
        super().__init__(tuple(dict.fromkeys([*names, *(f"{user} of {group}" for user, group in members)])))
        self._root, self._lines, self._drop = root, lines, drop
        self._members = [list(pair) for pair in members]

    def describe(self) -> str:
        return f"remove {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, AccountsWere(self._root, removed=self._lines, were=self._members))
        return change_accounts(self._root, Edit(drop=self._drop, members=self._members), ctx.timeout)

    def undone(self) -> str:
        return f"{short(self.names)} there again"
