# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of plans for units that no other task has."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import UnitFileLinks
from ansible_collections.pidone.systemd.plugins.module_utils._errors import short


class AddDependency(UnitFileLinks):
    """Have a unit pull in others, by links in its directory.

    :param kind: how: `Wants` or `Requires`.
    """

    def __init__(
        self,
        kind: str,
        target: str,
        names: t.Sequence[str],
        directories: t.Sequence[str],
        runtime: bool = False,
        force: bool = False,
    ) -> None:
        super().__init__(f"add-{kind.lower()}", names, directories, runtime, force)
        self._kind, self._target = kind, target

    def describe(self) -> str:
        return f"{self.verb} {self._target} {short(self.names)}"

    def _change(self, ctx: Context) -> list[t.Any]:
        names = list(self.names)
        changes: list[t.Any] = ctx.manager.add_dependency(self._kind, self._target, names, self.runtime, self.force)
        return changes

    def undone(self) -> str:
        return f"{short(self.names)} no longer pulled in by {self._target}"
