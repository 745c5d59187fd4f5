# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units whose processes are frozen (the freezer of the control groups), and thawed again."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Note, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import MANAGER, MANAGER_PATH, UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down

# FreezerState of a unit that is frozen of its own, and not only together with its slice (`frozen-by-parent`, since 256).
_FROZEN = ("frozen", "freezing")


def is_frozen(state: str | None) -> bool:
    """Whether a FreezerState says that the unit itself is frozen, or about to be."""
    return state in _FROZEN


def change_freezer(ctx: Context, names: t.Sequence[str], frozen: bool) -> list[CallFailed | None]:
    """Freeze or thaw units, all at once; in order, None or why not. Systemd answers when it is done."""
    member = "FreezeUnit" if frozen else "ThawUnit"
    replies = ctx.manager.ask([Call(MANAGER_PATH, MANAGER, member, "s", (name,)) for name in names], ctx.deadline())
    return [reply if isinstance(reply, CallFailed) else None for reply in replies]


class FreezerWas(Note):
    """Units before they are frozen, or thawed.

    :param frozen: what they become.
    """

    kind = "freezer"
    lasting = False

    def __init__(self, names: t.Sequence[str], frozen: bool) -> None:
        self._names, self._frozen = list(names), frozen

    def undo(self, ctx: Context) -> None:
        if not ctx.manager.runs:
            return
        asked = [(object_path(name), UNIT, what) for name in self._names for what in ("FreezerState", "ActiveState")]
        told = iter(ctx.manager.properties(asked))
        turned = [
            name
            for name, state, active in zip(self._names, told, told)
            if is_frozen(state) is self._frozen and not is_down(active)
        ]
        for name, failed in zip(turned, change_freezer(ctx, turned, not self._frozen) if turned else ()):
            if failed is not None:
                from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import explain

                raise explain(failed, f"{'thaw' if self._frozen else 'freeze'} {name} again")

    def told(self) -> str:
        return f"{short(self._names)} {'thawed' if self._frozen else 'frozen'} again"

    def as_data(self) -> dict[str, t.Any]:
        return {"names": self._names, "frozen": self._frozen}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> FreezerWas:
        names = data["names"]
        if not isinstance(names, list) or not all(isinstance(name, str) and "\0" not in name for name in names):
            raise ValueError("it is no list of names")
        return cls(names, bool(data["frozen"]))


class Freeze(Step):
    """Freeze units, so that none of their processes runs on, or thaw them.

    :param frozen: which of the two.
    """

    def __init__(self, names: t.Sequence[str], frozen: bool) -> None:
        super().__init__(names)
        self._frozen = frozen
        self._was = FreezerWas(names, frozen)

    def describe(self) -> str:
        return f"{'freeze' if self._frozen else 'thaw'} {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, self._was)
        failed = [
            (name, reply)
            for name, reply in zip(self.names, change_freezer(ctx, self.names, self._frozen))
            if reply is not None
        ]
        if failed:
            from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import explain

            name, reply = failed[0]
            error = explain(reply, f"{'freeze' if self._frozen else 'thaw'} {name}")
            error.changed = len(failed) < len(self.names)
            raise error
        return True

    def undone(self) -> str:
        return self._was.told()
