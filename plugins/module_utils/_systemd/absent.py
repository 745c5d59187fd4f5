# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands for the manager of a user that does not run, or of a user who is not there.

It answers as a manager would that was started just now: it has read the unit files that there are, and nothing runs. So tasks
need no second way of their own to plan in check mode, and to find that there is nothing left to undo.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import MANAGER_PATH
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import Install, add_install
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import (
    LinkChange,
    led_to,
    link_directories,
    read_links,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path, template_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST

_PULLS = (".wants", ".requires", ".upholds")
_INSTALL = ("WantedBy", "RequiredBy", "UpheldBy", "Alias")


class AbsentManager(NoManager):
    """Manager's methods, as far as they can be had from the files of one user.

    :param home: the user's home directory.
    :param uid: the user's id.
    """

    offline = False
    absent = True
    scope = "user"

    def __init__(self, home: str, uid: int) -> None:
        self.uid = uid
        self._paths = UnitPaths("user", home, uid)
        self._links = link_directories("user", home, uid)
        # Object path -> name of the unit, of those that were asked for.
        self._names: dict[str, str] = {}

    # -- asking

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        """As Manager.status: what has a file is `loaded` or `masked`, and inactive."""
        return [self._status(name) for name in names]

    def _status(self, name: str) -> UnitStatus:
        self._names[object_path(name)] = name
        found = self._paths.find(name)
        target = os.path.basename(os.path.realpath(found)) if found else ""
        own = name if not found or os.path.basename(found) == name else ""
        # Another name of a unit is a link to its file.
        unit_id = target if own and target != name and target.partition(".")[2] else name
        load_state = "not-found" if not found else "masked" if self._is_mask(found) else "loaded"
        unit_id = unit_id if load_state == "loaded" else name
        self._names[object_path(unit_id)] = unit_id
        return UnitStatus(unit_id, unit_id, load_state, "inactive", "dead", "", object_path(unit_id), 0, "", "/")

    def _is_mask(self, path: str) -> bool:
        return HOST.is_null(path) or (os.path.isfile(path) and not os.path.getsize(path))

    def list_units(self, patterns: t.Sequence[str] = (), states: t.Sequence[str] = ()) -> list[UnitStatus]:
        """As Manager.list_units: none is in memory."""
        return []

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        """As Manager.unit_file_states, from files and links; what only specifiers could tell is passed over."""
        places = [*self._links, "/etc/systemd/user", "/run/systemd/user"]
        links = read_links(places, True)
        return [self._file_state(name, links) for name in names]

    def _file_state(self, name: str, links: t.Mapping[str, str]) -> str:
        found = self._paths.find(name)
        if found is None:
            return ""
        volatile = "-runtime" if found.startswith("/run/") else ""
        if self._is_mask(found):
            return f"masked{volatile}"
        target = links.get(found, "")
        if target and os.path.basename(target) not in (name, template_of(name)):
            return "alias"
        enabled = [path for path, to in links.items() if path != found and _enables(path, to, name)]
        if enabled:
            return "enabled" if any(not path.startswith("/run/") for path in enabled) else "enabled-runtime"
        install: Install = {}
        add_install(install, self.tree.read_text(found, errors="replace") or "")
        if target:
            return f"linked{volatile}"
        if any(install.get(key) for key in _INSTALL):
            return "disabled"
        return "indirect" if install.get("Also") else "static"

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        """As Manager.properties: where unit files are is known, and nothing else."""
        return [self._property(path, name) for path, _face, name in wanted]

    def _property(self, path: str, name: str) -> t.Any:
        if path == MANAGER_PATH:
            return self.manager_property(name)
        unit = self._names.get(path, "")
        if name == "FragmentPath" and unit:
            return self._paths.find(unit) or ""
        if name == "DropInPaths" and unit:
            return self._drop_ins(unit)
        return False if name == "NeedDaemonReload" else None

    def _drop_ins(self, unit: str) -> list[str]:
        found: dict[str, str] = {}
        for each in filter(None, (unit, template_of(unit))):
            for directory in self._paths.search:
                try:
                    names = HOST.names(f"{directory}/{each}.d")
                except Unreadable:
                    continue
                for name in names:
                    if name.endswith(".conf"):
                        found.setdefault(name, f"{directory}/{each}.d/{name}")
        return [path for _name, path in sorted(found.items())]

    def all_properties(self, wanted: t.Sequence[tuple[str, str]]) -> list[dict[str, t.Any]]:
        """As Manager.all_properties: none."""
        return [{} for dummy in wanted]

    def ask(self, calls: t.Sequence[t.Any], deadline: float | None = None) -> list[t.Any]:
        """As Manager.ask: nobody answers."""
        return [CallFailed("org.freedesktop.DBus.Error.ServiceUnknown", "the manager does not run") for dummy in calls]

    def manager_property(self, name: str) -> t.Any:
        """As Manager.manager_property."""
        return self.unit_path() if name == "UnitPath" else None

    def manager_properties(self, names: t.Sequence[str]) -> list[t.Any]:
        """As Manager.manager_properties."""
        return [self.manager_property(name) for name in names]

    def presets(self, names: t.Sequence[str]) -> list[str]:
        """As Manager.presets: what they say is not known."""
        return ["" for dummy in names]

    def unit_path(self) -> list[str]:
        """As Manager.unit_path."""
        return list(self._paths.search)

    def link_directories(self) -> list[str]:
        """As Manager.link_directories."""
        return list(self._links)

    def environment(self) -> dict[str, str]:
        """As Manager.environment: nobody has set a variable."""
        return {}

    def default_target(self) -> str:
        """As Manager.default_target: not known."""
        return ""

    # -- undoing

    def disable(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        """As Manager.disable."""
        directory = self._links[1 if runtime else 0]
        links, wanted = read_links([directory]), frozenset(names)
        return self._remove(
            path
            for path, target in links.items()
            if target != "/dev/null" and not wanted.isdisjoint(led_to(path, target))
        )

    def unmask(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        """As Manager.unmask."""
        directory = self._links[1 if runtime else 0]
        paths = [f"{directory}/{name}" for name in names]
        return self._remove(path for path in paths if os.path.islink(path) and HOST.is_null(path))

    def _remove(self, paths: t.Iterable[str]) -> list[LinkChange]:
        changes = []
        for path in paths:
            os.unlink(path)
            changes.append(LinkChange("unlink", path, ""))
            if os.path.dirname(path).endswith(_PULLS):
                try:
                    os.rmdir(os.path.dirname(path))
                except OSError:
                    # Others are enabled there too.
                    continue
        return changes


def _enables(path: str, target: str, name: str) -> bool:
    """Whether a link pulls the unit in, or is another name of it."""
    if target == "/dev/null":
        return False
    if os.path.dirname(path).endswith(_PULLS):
        return os.path.basename(path) == name
    return os.path.basename(target) == name and os.path.basename(path) != name
