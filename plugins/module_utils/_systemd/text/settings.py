# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of systemd's own configuration, such as journald.conf: where they are, and what all of them say together.

As config_parse_many() of systemd has it: the main file first, then drop-ins by the order of their names, from whatever directory; of
those of one name the one in the best directory alone.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

# The directories that distributions, packages and administrators write to, the best first.
_DIRECTORIES = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")


class Said(t.NamedTuple):
    """One assignment of one file."""

    section: str
    key: str
    value: str
    path: str


class SettingsFiles:
    """The files of one configuration.

    :param name: such as `journald`, for journald.conf.
    :param tree: where they are.
    :param home: the home directory of the user whose they are; empty for the system's.
    """

    def __init__(self, name: str, tree: Tree, home: str = "") -> None:
        self.file = f"{name}.conf"
        self.tree = tree
        self._own = f"{home}/.config/systemd" if home else ""
        self._directories = [f"{tree.root}{directory}" for directory in _DIRECTORIES]

    def dropin(self, name: str, runtime: bool) -> str:
        """The path of a drop-in to be written, links on the way resolved."""
        directory = self._own or self._directories[1 if runtime else 0]
        return self.tree.real(f"{directory}/{self.file}.d/{name}")

    def mains(self) -> list[str]:
        """The main files that there are, in the order in which they are read; before systemd 256 that is the one in /etc alone."""
        found = [f"{directory}/{self.file}" for directory in self._directories]
        mains = [path for path in found if self.tree.exists(path)][:1]
        own = f"{self._own}/{self.file}"
        return [*mains, own] if self._own and self.tree.exists(own) else mains

    def dropins(self, more: t.Iterable[str] = (), without: t.Container[str] = ()) -> list[str]:
        """The drop-ins that count, in the order in which they are read.

        :param more: paths that will be there, and `without`: those that will not.
        """
        best: dict[str, str] = {}
        for directory in (f"{each}/{self.file}.d" for each in ([self._own] if self._own else []) + self._directories):
            real = self.tree.real(f"{directory}/x")[:-2]
            try:
                names = set(self.tree.names(directory))
            except Unreadable as e:
                if not e.is_passed_over:
                    raise
                names = set()
            names.update(path[len(real) + 1 :] for path in more if path.rpartition("/")[0] == real)
            for name in names:
                path = f"{real}/{name}"
                if name.endswith(".conf") and not name.startswith(".") and path not in without:
                    best.setdefault(name, path)
        return [best[name] for name in sorted(best)]

    def read(self, will_be: t.Mapping[str, str | None] | None = None) -> list[Said]:
        """All assignments, in the order in which they are read.

        :param will_be: path -> text of files that will be written, None for those that will be removed.
        :raises Unreadable: a file cannot be read.
        """
        texts = dict(will_be or {})
        gone = {path for path, text in texts.items() if text is None}
        more = [path for path in texts if path not in gone]
        said: list[Said] = []
        for path in (*self.mains(), *self.dropins(more, gone)):
            text = texts[path] if path in texts else self._text(path)
            said += [Said(each.section, each.key, each.value, path) for each in parse(text or "").assignments]
        return said

    def _text(self, path: str) -> str:
        try:
            return self.tree.read_text(path) or ""
        except Unreadable as e:
            if e.is_passed_over:
                return ""
            raise
