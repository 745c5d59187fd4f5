# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files without a manager: an offline tree (`root`), or all users' managers at once (scope `global`).

The links are made by `systemctl --root` and `systemctl --global`, which work on files alone. systemctl looks for unit files as
after a chroot into the tree, but makes and removes links through the plain path: where a link on the way leads elsewhere from
outside, it would change this host. So the directories for links are looked at first.
"""

from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange, link_directories
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import template_of, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import ProgramMissing, run_program
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

_STATES = (
    "enabled", "enabled-runtime", "linked", "linked-runtime", "alias", "masked", "masked-runtime", "static",
    "indirect", "disabled", "generated", "transient", "bad", "invalid",
)  # fmt: skip
# Seconds that systemctl may take; with thousands of units it takes a few.
_SECONDS = 300.0


class OfflineManager(NoManager):
    """What can be asked of and done to unit files without a manager; the same methods as Manager's.

    :param scope: `system` or `global`.
    :param root: the tree, or an empty string for this host's own files.
    """

    uid = None

    def __init__(self, scope: str, root: str = "") -> None:
        self.scope = scope
        self.root = root.rstrip("/")
        self.tree = Tree(root)

    def unit_path(self) -> list[str]:
        """The directories of unit files, the first one winning (systemd.unit(5), "Unit File Load Path")."""
        kind = "user" if self.scope == "global" else "system"
        places = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")
        return self.tree.directories([f"{self.root}{place}/{kind}" for place in places])

    def link_directories(self) -> list[str]:
        """Where enabling and masking make links: for good, and until the reboot.

        :raises Unreadable: there is no way to one of them in the tree.
        """
        return [self.tree.resolve(directory) for directory in link_directories(self.scope, root=self.root)]

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        """UnitFileState of each name; an empty string where there is no unit file."""
        # systemctl would wait for a pipe and read what has no end.
        bad = {name for name in names if self.problem_of_files(name)}
        asked = [name for name in names if name not in bad]
        states = iter(self._states(asked) if asked else ())
        return ["bad" if name in bad else next(states) for name in names]

    def _states(self, names: t.Sequence[str]) -> list[str]:
        told = self._systemctl("is-enabled", names, check=False).split("\n")
        states = [line.strip() for line in told if line.strip() in (*_STATES, "not-found")]
        if len(states) != len(names):
            # Old versions say nothing on standard output of a unit that does not exist: ask one by one.
            states = []
            for name in names:
                answer = self._systemctl("is-enabled", [name], check=False).strip()
                states.append(answer if answer in _STATES else "")
        return ["" if state == "not-found" else state for state in states]

    def problem_of_files(self, name: str) -> str:
        """What in a unit's file or drop-ins is no file that could be read; empty where nothing is."""
        for each in filter(None, (name, template_of(name))):
            for directory in self.unit_path():
                try:
                    self.tree.read(f"{directory}/{each}")
                    for dropin in self.tree.names(f"{directory}/{each}.d"):
                        if dropin.endswith(".conf"):
                            self.tree.read(f"{directory}/{each}.d/{dropin}")
                except Unreadable as e:
                    # Of a directory it says so itself.
                    if not e.is_passed_over and e.errno != errno.EISDIR:
                        return e.msg
        return ""

    def version(self) -> str:
        """The version of systemctl, which makes the links."""
        return self._systemctl("--version", [], check=False).partition(" ")[2].partition(" ")[0]

    def presets(self, names: t.Sequence[str]) -> list[str]:
        """What the tree's presets say of each unit."""
        # systemctl looks at all unit files and presets there are.
        everything = {name for directory in self.unit_path() for name in self.tree.names(directory) if unit_type(name)}
        self._check_files(sorted(everything))
        for place in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"):
            kind = "user" if self.scope == "global" else "system"
            directory = f"{self.root}{place}/systemd/{kind}-preset"
            for name in self.tree.names(directory):
                self.tree.read(f"{directory}/{name}")
        found = {}
        listed = self._systemctl("list-unit-files", names, "--no-legend", "--no-pager", "--full", check=False)
        for line in listed.splitlines():
            words = line.split()
            if len(words) >= 3:
                found[words[0]] = words[2]
        return [found.get(name, "") for name in names]

    def default_target(self) -> str:
        """The unit that is booted into; empty where none is set."""
        return self._systemctl("get-default", [], check=False).strip()

    def set_default_target(self, name: str) -> list[LinkChange]:
        """Set the unit that is booted into."""
        return self._change("set-default", [name], False)

    def enable(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        """As Manager.enable."""
        return self._change("enable", names, runtime, force)

    def disable(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        """As Manager.disable."""
        return self._change("disable", names, runtime)

    def mask(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        """As Manager.mask."""
        return self._change("mask", names, runtime, force)

    def unmask(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        """As Manager.unmask."""
        return self._change("unmask", names, runtime)

    def preset(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        """As Manager.preset."""
        return self._change("preset", names, runtime, force)

    def add_dependency(
        self, kind: str, target: str, names: t.Sequence[str], runtime: bool = False, force: bool = False
    ) -> list[LinkChange]:
        """As Manager.add_dependency."""
        return self._change(f"add-{kind.lower()}", [target, *names], runtime, force)

    def _change(self, verb: str, names: t.Sequence[str], runtime: bool, force: bool = False) -> list[LinkChange]:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import differences, read_links

        self._check_files(names)
        options = [*(["--runtime"] if runtime else []), *(["--force"] if force else [])]
        before = read_links(self.link_directories(), tree=self.tree)
        self._systemctl(verb, names, "--quiet", *options)
        after = read_links(self.link_directories(), tree=self.tree)
        return differences(before, after)

    def _check_files(self, names: t.Sequence[str]) -> None:
        """Refuse units that systemctl would wait for, or read without an end.

        :raises BadInput: naming the file and the remedy.
        """
        for name in names:
            problem = self.problem_of_files(name)
            if problem:
                raise BadInput(f"name: systemctl cannot look at {name}: {problem}")

    def _check_links(self) -> None:
        """Refuse a tree in which `systemctl --root` would make links outside of it.

        :raises BadInput: naming the link and the remedy.
        """
        if not self.root:
            return
        for directory in link_directories(self.scope, root=self.root):
            places = [directory]
            for name in self.tree.names(directory):
                if name.endswith((".wants", ".requires", ".upholds")) and self.tree.target(f"{directory}/{name}"):
                    places.append(f"{directory}/{name}")
            for place in places:
                if not self.tree.same_outside(place):
                    raise BadInput(
                        f"root: {place} leads out of the tree by a link that holds only inside of it (to "
                        f"{os.path.realpath(place)}), and `systemctl --root` would follow it; make it a relative link, or run the "
                        "task inside the tree (for example with the connection community.general.chroot)"
                    )

    def _systemctl(self, verb: str, names: t.Sequence[str], *options: str, check: bool = True) -> str:
        """What systemctl prints."""
        self._check_links()
        # Of a tree that is behind a link itself, old versions find no units.
        where = f"--root={os.path.realpath(self.root or '/')}" if self.scope == "system" else "--global"
        command = ["systemctl", where, *options, verb, "--", *names]
        # Of System V scripts, systemctl has their own tools make the links, and those are the tree's, run in a chroot.
        more = {"SYSTEMCTL_SKIP_SYSV": "1"} if self.root else {}
        try:
            done = run_program(command, _SECONDS, env_extra=more)
        except ProgramMissing as e:
            raise SystemdError(f"{e.msg}, and it works on the files of a tree; install the package systemd") from e
        if check and done.returncode:
            raise SystemdError(
                f"systemctl {where} {verb} failed: {done.stderr.decode('utf-8', 'surrogateescape').strip()}"
            )
        return done.stdout.decode("utf-8", "surrogateescape")


def open_offline(scope: str, root: str | None) -> OfflineManager:
    """An OfflineManager for a tree or for scope `global`.

    :raises BadInput: `root` is not a directory, or is given with scope `user`.
    """
    if root is not None:
        if scope == "user":
            raise BadInput("root: the managers of users are not in a tree; use scope `system` or `global`")
        if not root.startswith("/") or not os.path.isdir(root):
            raise BadInput(f"root: {root!r} is not an existing directory; give the absolute path of the tree")
        if scope == "global":
            raise BadInput("root: scope `global` works on this host's own files only; leave out `root`")
    return OfflineManager(scope, root or "")
