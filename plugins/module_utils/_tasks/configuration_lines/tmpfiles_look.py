# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lines of tmpfiles.d(5) describe, beside what is there: read by lstat(2), decided without changing anything.

Of some types it cannot be told whether they are as described: those of attributes, ACLs and extended attributes, whole trees (Z, C),
what is appended (w+), and lines with specifiers or patterns that only systemd knows. They are applied when the file changes.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.node_was import (
    Node,
    NodeWas,
    check_same_outside,
    look_for,
    real_path,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.kept import (
    UNTOLD,
    WILD,
    matcher_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles_line import (
    DIRECTORIES,
    GLOBS,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import Specifiers
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles_line import Line

# What says nothing of what `--create` does.
NOT_CREATED = frozenset("xXrR")
_UNTOLD = frozenset("ZtThHaA")
_KIND = {**dict.fromkeys(DIRECTORIES, "directory"), "f": "file", "p": "pipe", "c": "character device", "b": "block device"}
# Where what is read is not what was written.
_KERNEL = ("/proc/", "/sys/")
# Matches of one pattern that are looked at.
_MOST = 10_000


class Untold(Exception):
    """Whether a line is as it says cannot be told."""


class Differing(t.NamedTuple):
    """A path that is not what a line makes of it.

    :param line: the number of the line; several may be about one path.
    """

    line: int
    path: str
    before: Node | None
    after: Node | None

    def told(self) -> tuple[str, str]:
        """What it is and what it becomes, for the diff."""
        before, after = ("absent" if node is None else node.told() for node in (self.before, self.after))
        if before == after:
            return before, f"{after}, written"
        return before, after


class Ids:
    """Numbers of users and groups, as the tree has them.

    :param expected: whether those that are not there are taken for made by an earlier task, as in check mode.
    """

    def __init__(self, tree: Tree, expected: bool) -> None:
        self._tree, self._expected = tree, expected
        self.missing: list[str] = []
        self._files: dict[str, dict[str, int]] = {}

    def number(self, name: str, group: bool, option: str, specifiers: Specifiers) -> int:
        """The number of a user or group; -1 for one that is taken for made by an earlier task.

        :raises BadInput: there is none.
        :raises Untold: its name has a specifier that is not known here.
        """
        expanded = specifiers.expand(name.removeprefix(":"))
        if expanded is None:
            raise Untold
        if is_digits(expanded):
            return count(expanded)
        found = self._of_tree(expanded, group) if self._tree.root else self._of_host(expanded, group)
        if found is not None:
            return found
        what = "group" if group else "user"
        if not self._expected:
            where = f"in {self._tree.root}" if self._tree.root else "on this host"
            raise BadInput(
                f"{option}: there is no {what} {expanded!r} {where}; create it first, such as with pidone.systemd.sysusers"
            )
        self.missing.append(f"{what} {expanded}")
        return -1

    def _of_host(self, name: str, group: bool) -> int | None:
        import grp
        import pwd

        try:
            return grp.getgrnam(name).gr_gid if group else pwd.getpwnam(name).pw_uid
        except (KeyError, ValueError):
            return None

    def _of_tree(self, name: str, group: bool) -> int | None:
        file = "group" if group else "passwd"
        if file not in self._files:
            text = self._tree.read_text(f"{self._tree.root}/etc/{file}") or ""
            rows = [line.split(":") for line in text.splitlines()]
            self._files[file] = {row[0]: count(row[2]) for row in rows if len(row) > 2 and is_digits(row[2])}
        return {"root": 0, **self._files[file]}.get(name)


class Look:
    """One look at what lines describe.

    What one line makes, another may change again: all that are patterns come after those that are not, as systemd has it.
    """

    def __init__(self, tree: Tree, specifiers: Specifiers, ids: Ids) -> None:
        self._tree, self._specifiers, self._ids = tree, specifiers, ids
        # Who makes things.
        self._me = (os.geteuid(), os.getegid())
        # By path: what is there, and what the lines so far make of it; and how those that they make are spelled, in their order.
        self._there: dict[str, Node | None] = {}
        self._after: dict[str, Node | None] = {}
        self._made_as: dict[str, None] = {}
        self._found: list[Differing] = []

    def differing(self) -> list[Differing]:
        """What is not as all lines together say, by the lines that were added, in their order."""
        found = [each for each in self._found if self._there[each.path] != self._after[each.path]]
        found.sort(key=lambda each: each.line)
        return [each._replace(before=self._there[each.path], after=self._after[each.path]) for each in found]

    def add(self, index: int, line: Line) -> None:
        """Look at what a line describes; those of patterns after all others.

        :raises BadInput: something stands in the way, or a user or group is not there.
        :raises Untold: it cannot be told.
        """
        # A user that is not there is told of in any case.
        uid = self._ids.number(line.user, False, f"lines[{index}].user", self._specifiers) if line.user else None
        gid = self._ids.number(line.group, True, f"lines[{index}].group", self._specifiers) if line.group else None
        if line.letter in NOT_CREATED or line.boot_only:
            return
        paths = self.paths(line, f"lines[{index}].path") if line.letter == "Z" or line.letter not in _UNTOLD else []
        if line.letter == "Z":
            # Of a whole tree it cannot be told, but of what other lines describe there.
            within = tuple(f"{path}/" for path in paths)
            known = [path for path in self._after if f"{path}/".startswith(within)]
            self._keep(index, line, [(path, self._adjusted_there(line, self._after[path], uid, gid)) for path in known])
        if line.letter in _UNTOLD:
            raise Untold
        wanted = []
        for path in paths:
            now = self._now(path, line.letter in "fw")
            wanted.append((path, self._wanted(index, line, path, now, uid, gid)))
        self._keep(index, line, wanted)

    def _keep(self, index: int, line: Line, wanted: t.Sequence[tuple[str, Node | None]]) -> None:
        """Take down what a line makes of paths; None for nothing."""
        for path, node in wanted:
            if node is None or node == self._after[path]:
                continue
            self._found.append(Differing(index, path, self._after[path], node))
            self._after[path] = node
            if line.letter not in GLOBS:
                self._made_as[f"{self._tree.root}{self._specifiers.expand(line.path)}"] = None

    def _now(self, path: str, content: bool) -> Node | None:
        """What is at a path after the lines so far."""
        if path not in self._there:
            self._there[path] = self._after[path] = look_for(path, self._tree.root, content)
        there = self._there[path]
        if content and there is not None and there.kind == "file" and there.content is None:
            # One of those lines did not want it.
            read = look_for(path, self._tree.root, content)
            for nodes in (self._there, self._after):
                node = nodes[path]
                if read is not None and node is not None and node.kind == "file" and node.content is None:
                    nodes[path] = node._replace(content=read.content)
        return self._after[path]

    def paths(self, line: Line, option: str) -> list[str]:
        """The paths of a line, links on the way resolved; those of a pattern as far as there are such.

        :raises Untold: only systemd can tell.
        :raises UnsafeWay: somebody could have led the way elsewhere.
        :raises SystemdError: of a tree, a program of the host's would come to another path.
        """
        expanded = self._specifiers.expand(line.path)
        if expanded is None:
            raise Untold
        root = self._tree.root
        if line.letter not in GLOBS:
            found = [f"{root}{expanded}"]
        elif "\\" in expanded or UNTOLD.search(expanded):
            raise Untold
        else:
            found = self._matches(expanded)
        real = [real_path(path, root) for path in found]
        for path in found:
            check_same_outside(path, root, option)
        if line.letter not in GLOBS:
            return real
        return [path for path in real if self._after.get(path) is not None or look_for(path, root) is not None]

    def _matches(self, pattern: str) -> list[str]:
        root = self._tree.root
        found = [root]
        parts = [part for part in pattern.split("/") if part]
        for number, part in enumerate(parts):
            next_found = []
            for directory in found:
                if not WILD.search(part):
                    next_found.append(f"{directory}/{part}")
                    continue
                try:
                    names = self._tree.names(directory or "/")
                except Unreadable:
                    continue
                next_found += [f"{directory}/{name}" for name in filter(matcher_of(part), sorted(names))]
            if len(next_found) > _MOST:
                raise Untold
            last = number == len(parts) - 1
            found = next_found if last else [path for path in next_found if self._tree.status(path) is not None]
        if not WILD.search(pattern):
            return [f"{root}{pattern}"]
        matchers = [matcher_of(part) for part in parts]
        made = (path for path in self._made_as if path not in found)
        return found + [path for path in made if _matches_all(matchers, path[len(root) :])]

    def _wanted(
        self, index: int, line: Line, path: str, now: Node | None, uid: int | None, gid: int | None
    ) -> Node | None:
        """What the line makes of a path; None for nothing."""
        letter = line.letter
        if letter == "L":
            return self._link(index, line, path, now)
        if letter == "C":
            if now is None or now.kind == "directory":
                source = self._specifiers.expand(line.argument or f"/usr/share/factory{line.path}")
                if now is None and source and self._tree.exists(f"{self._tree.root}{source}"):
                    # It is told that it is made, and not what is in it.
                    return self._made(line, self._kind_of(f"{self._tree.root}{source}"), uid, gid)
                raise Untold
            return None
        if letter == "w":
            return self._written(line, path, now)
        if letter == "e":
            return self._adjusted(line, now, uid, gid) if now is not None and now.kind == "directory" else None
        if letter == "z":
            return self._adjusted_there(line, now, uid, gid)
        kind = _KIND[letter]
        if letter == "f" and set("^") & set(line.modifiers):
            raise Untold
        if now is not None and now.kind != kind:
            self._in_the_way(index, line, path, now, kind)
            now = None
        content = self._content(line) if letter == "f" else None
        if now is None:
            return self._made(line, kind, uid, gid)._replace(content=content, device=self._device(line))
        if letter in "cb" and now.device != self._device(line):
            if "+" not in line.modifiers:
                return None
            return self._made(line, kind, uid, gid)._replace(device=self._device(line))
        adjusted = self._adjusted(line, now, uid, gid)
        if letter == "f" and "+" in line.modifiers:
            adjusted = adjusted._replace(content=content)
        return adjusted

    def _in_the_way(self, index: int, line: Line, path: str, now: Node, kind: str) -> None:
        """Something else is at the path; refuses what systemd would fail at, pass over, or remove with all that is in it."""
        replaces = "=" in line.modifiers or ("+" in line.modifiers and line.letter in "Lpcb")
        empty = now.kind != "directory" or not self._tree.names(path)
        if replaces and empty:
            return
        remedy = "remove it first" if replaces or kind == "link" else "remove it first, or correct the path"
        full = " that is not empty" if now.kind == "directory" and not empty else ""
        raise BadInput(
            f"lines[{index}].path: {path} is a {now.kind}{full}{f' to {now.target}' if now.target else ''}, where the line asks for a "
            f"{kind}; {remedy}"
        )

    def _link(self, index: int, line: Line, path: str, now: Node | None) -> Node | None:
        target = self._specifiers.expand(line.argument or f"/usr/share/factory{line.path}")
        if target is None:
            raise Untold
        if now is not None:
            if now.kind == "link" and now.target == target:
                return None
            if "+" not in line.modifiers and "=" not in line.modifiers:
                return None
            if now.kind != "link":
                self._in_the_way(index, line, path, now, "link")
            elif "+" not in line.modifiers:
                return None
        elif "?" in line.modifiers and not self._tree.exists(f"{self._tree.root}{target}"):
            return None
        return Node("link", 0o777, *self._me, target)

    def _content(self, line: Line) -> bytes:
        content = line.content()
        if content is None:
            raise Untold
        if "~" in line.modifiers:
            return content
        text = self._specifiers.expand(line.argument)
        if text is None:
            raise Untold
        return text.encode("utf-8", "surrogateescape")

    def _written(self, line: Line, path: str, now: Node | None) -> Node | None:
        if "+" in line.modifiers or "^" in line.modifiers:
            raise Untold
        if now is None or now.kind != "file":
            if now is None:
                return None
            raise Untold
        content = self._content(line)
        if path.startswith(_KERNEL):
            try:
                was = self._tree.read(path) or b""
            except Unreadable:
                raise Untold from None
            # A setting is told back with a line end, and of some with all that it could be.
            is_it = was.strip() == content.strip() or b"[" + content.strip() + b"]" in was.split()
            return None if is_it else now._replace(content=content)
        if now.content is None:
            raise Untold
        return now._replace(content=content + now.content[len(content) :])

    def _made(self, line: Line, kind: str, uid: int | None, gid: int | None) -> Node:
        mode = int(line.mode.lstrip("~:"), 8) if line.mode else 0o755 if kind == "directory" else 0o644
        return Node(kind, mode, self._me[0] if uid is None else uid, self._me[1] if gid is None else gid)

    def _adjusted(self, line: Line, now: Node, uid: int | None, gid: int | None) -> Node:
        """What is there, with the mode and owners of the line; those with `:` are only of what is made."""
        mode = now.mode
        if line.mode and ":" not in line.mode:
            mode = int(line.mode.lstrip("~"), 8)
            if line.mode.startswith("~"):
                mode = _masked(mode, now)
        owner = now.uid if uid is None or line.user.startswith(":") else uid
        group = now.gid if gid is None or line.group.startswith(":") else gid
        return now._replace(mode=mode, uid=owner, gid=group)

    def _adjusted_there(self, line: Line, now: Node | None, uid: int | None, gid: int | None) -> Node | None:
        return self._adjusted(line, now, uid, gid) if now is not None and now.kind != "link" else None

    def _kind_of(self, path: str) -> str:
        status = self._tree.status(path)
        return "directory" if status is not None and stat.S_ISDIR(status.st_mode) else "file"

    def _device(self, line: Line) -> int:
        if line.letter not in "cb":
            return 0
        major, _colon, minor = line.argument.partition(":")
        if not (is_digits(major) and is_digits(minor)):
            raise Untold
        return os.makedev(count(major), count(minor))


def _matches_all(matchers: t.Sequence[t.Callable[[str], bool]], path: str) -> bool:
    names = [name for name in path.split("/") if name]
    return len(names) == len(matchers) and all(matches(name) for matches, name in zip(matchers, names))


def _masked(mode: int, now: Node) -> int:
    """A mode with `~`: bits that nobody has stay so (fd_set_perms() of systemd)."""
    for bits in (0o111, 0o222, 0o444):
        if not now.mode & bits:
            mode &= ~bits
    if now.kind != "directory":
        mode &= 0o777
    return mode


def notes_of(found: t.Sequence[Differing], root: str) -> list[NodeWas]:
    """What was, for the way back: directories that are made on the way first."""
    notes, known = [], set[str]()
    for each in found:
        missing: list[str] = []
        parent = os.path.dirname(each.path)
        while parent not in known and len(parent) > len(root) and look_for(parent, root) is None:
            missing.insert(0, parent)
            parent = os.path.dirname(parent)
        for path in missing:
            known.add(path)
            notes.append(NodeWas(path, None, Node("directory", 0o755, os.geteuid(), os.getegid())))
        if each.path not in known:
            known.add(each.path)
            notes.append(NodeWas(each.path, each.before, each.after))
    return notes
