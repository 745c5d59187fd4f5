# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups in the files of a host or a tree: /etc/passwd, /etc/group and their shadows, and the way back of changes.

Only lines of names that are asked about are changed, under the lock that all programs take for it (lckpwdf(3)).
"""

from __future__ import annotations

import os
import time
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import (
    chown,
    get_label,
    replace,
    set_label,
    tidy,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, LeftAlone, Note
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

#: In the order in which they are changed: whom a task that is cut short has half removed is there still by name.
FILES = ("gshadow", "shadow", "group", "passwd")
# Large hosts have some ten thousand users.
_LIMIT = 1 << 24
# The members of a group are its last field, in both files.
_GROUPS = ("group", "gshadow")


class Edit(t.NamedTuple):
    """What is to be changed: `drop` of each file the names whose lines go, `put` the lines that come, `members` and
    `back` (user, group) that are no members any more, or are again."""

    drop: t.Mapping[str, t.Sequence[str]] = {}
    put: t.Mapping[str, t.Sequence[str]] = {}
    members: t.Sequence[t.Sequence[str]] = ()
    back: t.Sequence[t.Sequence[str]] = ()


class Accounts(t.NamedTuple):
    """Users and groups by name, each with the fields of its line."""

    users: dict[str, list[str]]
    groups: dict[str, list[str]]

    def members(self, group: str) -> list[str]:
        """Those that are members of a group by its own line."""
        fields = self.groups.get(group, [])
        return [name for name in fields[3].split(",") if name] if len(fields) > 3 else []


def read_accounts(root: str = "") -> Accounts:
    """The users and groups in the files of a host or a tree; files that are not there are empty.

    :raises Unreadable: one cannot be read.
    """
    return Accounts(*({line.split(":", 1)[0]: line.split(":") for line in _lines(root, file)} for file in ("passwd", "group")))


def lines_of(root: str, names: t.Sequence[str], groups: t.Sequence[str]) -> dict[str, list[str]]:
    """The lines of users and of groups in each of the files, as they are."""
    wanted = {"passwd": names, "shadow": names, "group": groups, "gshadow": groups}
    return {file: [line for line in _lines(root, file) if line.split(":", 1)[0] in wanted[file]] for file in FILES}


def _lines(root: str, file: str) -> list[str]:
    tree = Tree(root)
    content = tree.read(f"{root}/etc/{file}", _LIMIT) or b""
    return [line for line in content.decode("utf-8", "surrogateescape").split("\n") if line]


def edited(text: str, file: str, edit: Edit) -> str:
    """The text of one of the files after a change; all other lines are as they were."""
    drop, out, there = set(edit.drop.get(file, ())), list[str](), set[str]()
    for line in text.split("\n"):
        name = line.split(":", 1)[0]
        if line and name in drop:
            continue
        there.add(name)
        if file in _GROUPS and line.count(":") == 3:
            head, _colon, last = line.rpartition(":")
            members = [each for each in last.split(",") if each]
            left = [each for each in members if [each, name] not in [list(pair) for pair in edit.members]]
            left += [user for user, group in edit.back if group == name and user not in left]
            if left != members:
                line = f"{head}:{','.join(left)}"
        out.append(line)
    new = [line for line in edit.put.get(file, ()) if line.split(":", 1)[0] not in there]
    at = len(out) - 1 if out and not out[-1] else len(out)
    return "\n".join([*out[:at], *new, *out[at:]])


def change_accounts(root: str, edit: Edit, timeout: float) -> bool:
    """Make a change in all the files; returns whether there was anything to change.

    :raises SystemdError: somebody else keeps the files locked.
    :raises OSError: a file cannot be written.
    """
    tree = Tree(root)
    changed, known = False, dict[str, list[str]]()
    with locked(root, timeout):
        for file in FILES:
            path = tree.real(f"{root}/etc/{file}")
            # Who was killed has left it, and nobody else may be at work.
            tidy(path, known)
            found = tree.read_file(path, _LIMIT, follow=False)
            if found is None:
                continue
            content, status = found
            text = content.decode("utf-8", "surrogateescape")
            new = edited(text, file, edit)
            if new != text:
                label = get_label(path)

                def finish(temporary: str, status: os.stat_result = status, label: bytes | None = label) -> None:
                    chown(temporary, status.st_uid, status.st_gid)
                    os.chmod(temporary, status.st_mode & 0o7777)
                    set_label(temporary, label)

                replace(path, new.encode("utf-8", "surrogateescape"), finish)
                changed = True
    return changed


@contextmanager
def locked(root: str, timeout: float) -> t.Iterator[None]:
    """Have the lock of the files, as lckpwdf(3) does, for at most 15 s of waiting.

    :raises SystemdError: somebody else has it all the time.
    """
    import fcntl

    deadline = time.monotonic() + min(timeout, 15.0)
    with Tree(root).parent(f"{root}/etc/.pwd.lock") as (directory, name):
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as e:
                if time.monotonic() > deadline:
                    raise SystemdError(
                        f"cannot change users and groups: another program keeps {root}/etc/.pwd.lock locked; see which one, and run "
                        "the task again"
                    ) from e
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def process_of(uid: int) -> int:
    """A process of a user's on this host; 0 where there is none."""
    for name in Tree().names("/proc"):
        if is_digits(name):
            try:
                if os.stat(f"/proc/{name}").st_uid == uid:
                    return count(name)
            except OSError:
                continue
    return 0


class AccountsWere(Note):
    """Users, groups and memberships before they are made or removed.

    :param root: the tree that they are in.
    :param users: those that are not there.
    :param groups: likewise.
    :param members: (user, group) that are no members.
    :param removed: file -> lines that are there, and are removed.
    :param were: (user, group) that are members, and are removed.
    """

    kind = "accounts"

    def __init__(
        self,
        root: str,
        users: t.Sequence[str] = (),
        groups: t.Sequence[str] = (),
        members: t.Sequence[t.Sequence[str]] = (),
        removed: t.Mapping[str, t.Sequence[str]] | None = None,
        were: t.Sequence[t.Sequence[str]] = (),
    ) -> None:
        self._root, self._users, self._groups = root, list(users), list(groups)
        self._members = [list(pair) for pair in members]
        self._removed = {file: list(lines) for file, lines in (removed or {}).items()}
        self._were = [list(pair) for pair in were]

    def places(self) -> t.Iterable[str]:
        return [f"{self._root}/etc"]

    def undo(self, ctx: Context) -> None:
        now = read_accounts(self._root)
        busy = []
        for name in self._users:
            uid = now.users.get(name, [])[2:3]
            if not self._root and uid and is_digits(uid[0]) and process_of(count(uid[0])):
                busy.append(name)
        made = [name for name in self._users if name not in busy]
        # A group that is a user's own, or has come to be one's, stays with that.
        kept = {fields[3] for name, fields in now.users.items() if name not in made and len(fields) > 3}
        groups = [name for name in self._groups if now.groups.get(name, ["", "", ""])[2] not in kept]
        drop = {"passwd": made, "shadow": made, "group": groups, "gshadow": groups}
        change_accounts(self._root, Edit(drop, self._removed, self._members, self._were), ctx.timeout)
        if busy:
            raise LeftAlone(f"processes of {short(busy)} run by now, so the user is left")

    def told(self) -> str:
        words = []
        if self._users or self._groups:
            words.append(f"{short(list(dict.fromkeys([*self._users, *self._groups])))} removed again")
        if self._members or self._were:
            words.append(f"members of {short([group for _user, group in [*self._members, *self._were]])} as they were")
        names = list(dict.fromkeys(line.split(":", 1)[0] for lines in self._removed.values() for line in lines))
        return ", ".join([*words, *([f"{short(names)} there again"] if names else [])])

    def as_data(self) -> dict[str, t.Any]:
        return {
            "root": self._root,
            "users": self._users,
            "groups": self._groups,
            "members": self._members,
            "removed": self._removed,
            "were": self._were,
        }

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> AccountsWere:
        lists = [data["users"], data["groups"], *data["members"], *data["were"], *data["removed"].values()]
        for each in lists:
            if not isinstance(each, list) or not all(isinstance(text, str) and not {"\n", "\0"} & set(text) for text in each):
                raise ValueError("it is no list of names")
        if not all(len(pair) == 2 for pair in (*data["members"], *data["were"])):
            raise ValueError("it is no membership")
        return cls(str(data["root"]), data["users"], data["groups"], data["members"], data["removed"], data["were"])
