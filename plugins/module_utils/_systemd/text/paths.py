# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where unit files and drop-ins are (the tables of systemd.unit(5), section "Unit File Load Path").

Of paths only, for who writes: these are reckoned before a manager is asked, and where there is none. What files say is read by
`store.py`, in the directories that a manager itself names; it needs nothing of this.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_file_name, template_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

# The longest name of a file that Linux takes.
_LONGEST = 255
_DROPIN_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@+")


class UnitPaths:
    """The directories of one scope, best first.

    :param scope: `system`, `user` (one user's own units) or `global` (user units for everybody).
    :param home: the user's home directory, for scope `user`.
    :param uid: the user's id, for scope `user`.
    :param root: the tree to work in, without a slash at its end; empty for the host itself. The directories of a tree are
        where its links lead inside of it (`tree`).
    :raises Unreadable: those that are written to cannot be resolved in the tree.
    """

    def __init__(self, scope: str, home: str = "", uid: int = 0, root: str = "") -> None:
        self.scope = scope
        self.root = root
        self.tree = Tree(root)
        self.persistent = self.runtime = ""
        self.search: list[str] = []
        self._fill(scope, home, uid, root)
        self.persistent, self.runtime = self.tree.resolve(self.persistent), self.tree.resolve(self.runtime)
        self.search = self.tree.directories(self.search)

    def _fill(self, scope: str, home: str, uid: int, root: str) -> None:
        etc, run = f"{root}/etc/systemd", f"{root}/run/systemd"
        vendor = [f"{root}{prefix}/lib/systemd" for prefix in ("/usr/local", "/usr", "")]
        if scope == "system":
            # Without the directories of generators and of transient units: nothing is written there.
            self.persistent = f"{etc}/system"
            self.runtime = f"{run}/system"
            self.search = [
                f"{etc}/system.control",
                f"{run}/system.control",
                f"{run}/transient",
                f"{run}/generator.early",
                self.persistent,
                f"{etc}/system.attached",
                self.runtime,
                f"{run}/system.attached",
                f"{run}/generator",
                *(f"{directory}/system" for directory in vendor),
                f"{run}/generator.late",
            ]
            return
        shared = [f"{etc}/user", f"{run}/user"]
        rest = [f"{root}{prefix}/share/systemd/user" for prefix in ("/usr/local", "/usr")]
        rest += [f"{directory}/user" for directory in vendor]
        if scope == "global":
            self.persistent, self.runtime = shared
            self.search = shared + rest
            return
        own = f"{home}/.config/systemd"
        mine = f"/run/user/{uid}/systemd"
        self.persistent = f"{own}/user"
        self.runtime = f"{mine}/user"
        self.search = [
            f"{own}/user.control",
            f"{mine}/user.control",
            f"{mine}/transient",
            f"{mine}/generator.early",
            self.persistent,
            shared[0],
            self.runtime,
            shared[1],
            f"{mine}/generator",
            f"{home}/.local/share/systemd/user",
            *rest,
            f"{mine}/generator.late",
        ]

    def directory(self, runtime: bool = False) -> str:
        """Where this collection writes: what lasts, or what is gone after the next boot."""
        return self.runtime if runtime else self.persistent

    def unit(self, name: str, runtime: bool = False) -> str:
        """The path of a unit file to be written."""
        return f"{self.directory(runtime)}/{name}"

    def dropin(self, name: str, dropin: str, runtime: bool = False) -> str:
        """The path of a drop-in to be written; `dropin` as from `check_dropin`."""
        return f"{self.directory(runtime)}/{name}.d/{dropin}"

    def find(self, name: str, without: t.Container[str] = ()) -> str | None:
        """The unit file that systemd would read: of the name itself, else, for an instance, of its template.

        :param without: paths to be taken for absent.
        """
        for wanted in (name, template_of(name)):
            for directory in self.search:
                path = f"{directory}/{wanted}"
                if wanted and path not in without and self._is_there(path):
                    return path
        return None

    def shadows(self, path: str) -> str | None:
        """The file of the same name in a directory that systemd prefers to that of `path`, so that `path` has no effect."""
        directory = self.persistent if path.startswith(self.persistent + "/") else self.runtime
        below = path[len(directory) + 1 :]
        for better in self.search:
            if better == directory:
                break
            if self._is_there(f"{better}/{below}"):
                return f"{better}/{below}"
        return None

    def _is_there(self, path: str) -> bool:
        return os.path.lexists(path) if not self.root else self.tree.status(path, False) is not None


def check_dropin(value: str, unit: str, option: str = "dropin") -> str:
    """The file name of a drop-in, `.conf` added where it is missing.

    :param unit: the unit it belongs to.
    :raises BadInput: it cannot be the name of a file that systemd would read.
    """
    name = value if value.endswith(".conf") else f"{value}.conf"
    if name == ".conf" or name.startswith("."):
        raise BadInput(f"{option}: {shown(value)} is not a name systemd would read; write one such as '10-limits'")
    if "/" in name:
        raise BadInput(
            f"{option}: {shown(value)} holds a slash; give only the name, such as '10-limits', which becomes {unit}.d/10-limits.conf"
        )
    for char in name:
        if char not in _DROPIN_CHARS:
            what = "a line break" if char in "\r\n" else "a NUL" if char == "\0" else repr(char)
            raise BadInput(f"{option}: {shown(value)} holds {what}; write letters, digits and any of - _ . : @ +")
    check_file_name(unit, "name", "{}.d", "its directory of drop-ins")
    if len(name) > _LONGEST:
        raise BadInput(f"{option}: {shown(value)} makes a file name longer than {_LONGEST} characters")
    return name
