# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All units as the presets say (`systemctl preset-all`): which of them are not."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import UnitFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import links_by_unit, read_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import instance_of, is_template
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.presets import (
    Rule,
    instances_of,
    preset_of,
    read_rules,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import MASKED, unit_files_on_disk

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

MODES = ["full", "enable-only", "disable-only"]
# UnitFileState of what presets enable and disable; all else has no [Install], is masked, or another's.
_CHANGED = ("enabled", "enabled-runtime", "disabled", "indirect")


class Differing(t.NamedTuple):
    """A unit that is not as the presets say, with what it is and what they say."""

    name: str
    before: str
    after: str


def differing(manager: UnitManager, mode: str) -> tuple[list[Differing], list[str]]:
    """Units that presets would enable or disable, and warnings of those that they cannot.

    :param mode: systemd's word for which of the two is done.
    """
    names = sorted(unit_files_on_disk(manager))
    states = dict(zip(names, manager.unit_file_states(names)))
    return _Look(manager, states).differing(mode)


class _Look:
    """The unit files and links of a manager, beside its presets.

    :param states: UnitFileState of each unit.
    """

    def __init__(self, manager: UnitManager, states: t.Mapping[str, str]) -> None:
        self._states = states
        self._rules: list[Rule] = read_rules(manager.tree, "system" if manager.scope == "system" else "user")
        self._files = UnitFiles(manager)
        self._own = manager.link_directories()[0]
        self._links = links_by_unit(read_links([self._own], tree=manager.tree))
        self._warnings: list[str] = []

    def differing(self, mode: str) -> tuple[list[Differing], list[str]]:
        # What belongs to an instance is in what is said of the template.
        names = [name for name, state in self._states.items() if state in _CHANGED and not instance_of(name)]
        wanted = {name: preset_of(self._rules, name) for name in names}
        enabled = [name for name in names if wanted[name] == "enabled"]
        # Units in Also= are enabled together with others, whatever is said of themselves.
        along = {other for name in enabled for other in self._also(name)}
        found = []
        for name in enabled if mode != "disable-only" else ():
            for each in self._installed(name):
                if self._lacks(each, name):
                    found.append(Differing(each, self._states.get(each) or "disabled", "enabled"))
        for name in names if mode != "enable-only" else ():
            if wanted[name] == "disabled" and name not in along and self._is_on(name):
                found.append(Differing(name, self._states[name], "disabled"))
        return found, self._warnings

    def _also(self, name: str) -> list[str]:
        return [other for other in self._files.install(name).get("Also", []) if "%" not in other and other != name]

    def _installed(self, name: str) -> list[str]:
        """What is enabled for a unit file: itself, or the instances that the presets name."""
        listed = instances_of(self._rules, name) if is_template(name) else []
        return listed or [name]

    def _lacks(self, name: str, file: str) -> bool:
        """Whether a unit is to be enabled and has not all links that it asks for, for good."""
        if self._states.get(name) in MASKED:
            return False
        install = self._files.install(name)
        default = "".join(install.get("DefaultInstance", [])[-1:])
        if is_template(name) and self._states.get(name.replace("@.", f"@{default}.")) in MASKED:
            return False
        lacking, taken, _aliases = self._files.look(name, install, False)
        if taken and not (lacking or self._links.get(name)):
            lacking = [os.path.basename(taken[0].path)]
        if taken and lacking:
            self._warnings.append(f"{name} is not enabled, as {taken[0].path} is in the place of a link that it asks for")
            return False
        also = [other for other in self._also(name) if self._states.get(other) == "disabled"]
        return bool(lacking) or any(self._files.look(other, self._files.install(other), False)[0] for other in also)

    def _is_on(self, name: str) -> bool:
        """Whether there are links that disabling a unit, or all instances of a template, would remove."""
        links = {path: target for path, target in self._links.get(name, {}).items() if target != "/dev/null"}
        if f"{self._own}/{name}" in links:
            if len(links) > 1:
                self._warnings.append(f"{name} is not disabled, as that would remove the link to its file, too")
            return False
        return bool(links)
