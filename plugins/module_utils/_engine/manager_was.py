# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager itself was before a step, and which users it is kept up for: notes as those of `way_back.py`."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, LeftAlone, Note
from ansible_collections.pidone.systemd.plugins.module_utils._errors import short

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


class EnvironmentWas(Note):
    """Variables of the manager's environment before they are set and unset.

    :param before: name -> value, None for one that is not set.
    :param after: likewise, what they become.
    """

    kind = "environment"
    # It is a new manager's own after a reboot.
    lasting = False

    def __init__(self, before: t.Mapping[str, str | None], after: t.Mapping[str, str | None]) -> None:
        self._before = dict(before)
        self._digests = {name: _digest(value) for name, value in after.items()}

    def undo(self, ctx: Context) -> None:
        if not ctx.manager.runs:
            return
        now = ctx.manager.environment()
        differing = [name for name, value in self._before.items() if now.get(name) != value]
        ours = [name for name in differing if _digest(now.get(name)) == self._digests.get(name)]
        assign = {name: value for name, value in self._before.items() if name in ours and value is not None}
        if ours:
            ctx.manager.change_environment([name for name in ours if name not in assign], assign)
        others = [name for name in differing if name not in ours]
        if others:
            raise LeftAlone(
                f"the environment variables {short(others)} were changed by somebody else meanwhile, and are left as they are"
            )

    def told(self) -> str:
        return f"environment variables {short(list(self._before))} as they were"

    def as_data(self) -> dict[str, t.Any]:
        return {"before": self._before, "digests": self._digests}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> EnvironmentWas:
        for values in (data["before"], data["digests"]):
            if not all(value is None or (isinstance(value, str) and "\0" not in value) for value in values.values()):
                raise ValueError("a variable's value is no text")
        note = cls(data["before"], {})
        note._digests = dict(data["digests"])
        return note


def _digest(value: str | None) -> str | None:
    # What it becomes may be a secret, and is nowhere to be written down.
    return None if value is None else hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def set_logging(manager: UnitManager, name: str, value: str) -> None:
    """Have the manager log as `value` says, `name` being LogLevel or LogTarget.

    What is set over the bus goes before the configuration from then on, through every reload and re-execution (`manager_override_log_level()`
    in systemd's manager.c). So it is set only where the configuration, to which an empty text goes back, says something else.
    """
    manager.set_manager_property(name, "")
    if manager.manager_property(name) != value:
        manager.set_manager_property(name, value)


class SettingWas(Note):
    """LogLevel or LogTarget of the manager before it is set.

    :param after: what it is set to; empty for what the configuration says.
    """

    kind = "setting"
    lasting = False

    def __init__(self, name: str, before: str, after: str) -> None:
        self._name, self._before, self._after = name, before, after

    def undo(self, ctx: Context) -> None:
        if not ctx.manager.runs:
            return
        now = ctx.manager.manager_property(self._name)
        if now == self._before:
            return
        if self._after and now != self._after:
            raise LeftAlone(f"{self._name} was changed by somebody else meanwhile, and is left as it is")
        set_logging(ctx.manager, self._name, self._before)

    def told(self) -> str:
        return f"{self._name} as it was"

    def as_data(self) -> dict[str, t.Any]:
        return {"name": self._name, "before": self._before, "after": self._after}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> SettingWas:
        name = str(data["name"])
        if name not in ("LogLevel", "LogTarget"):
            raise ValueError("it is no setting that a task changes")
        return cls(name, str(data["before"]), str(data["after"]))


class LingerWas(Note):
    """Users before logind is told to keep their managers without a login, or no longer.

    :param users: name -> uid.
    :param on: whether they linger afterwards, which all of them did not before, or the other way round.
    """

    kind = "linger"
    # As a start and a stop have it (`JobsWere`): the same task, run again, has only to do it again.
    again = "start"
    for_now = False

    def __init__(self, users: t.Mapping[str, int], on: bool) -> None:
        self._users, self._on = dict(users), on

    def undo(self, ctx: Context) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import user_entry
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import lingers, set_linger

        recovers = ctx.recovery is not None
        if ctx.recovery is not None and not ctx.recovery.takes_back(self):
            return
        turned = {}
        for name, uid in self._users.items():
            try:
                same = user_entry(name).pw_uid == uid
            except KeyError:
                same = False
            if same and lingers(name) is self._on:
                turned[name] = uid
        if turned and recovers and self._on:
            raise LeftAlone(f"{short(list(turned))} lingers since, and goes on to, as something may be running there by now")
        if turned:
            set_linger(list(turned.values()), not self._on, import_jeepney())

    def told(self) -> str:
        return f"{'disable' if self._on else 'enable'}-linger {short(list(self._users))}"

    def as_data(self) -> dict[str, t.Any]:
        return {"users": self._users, "on": self._on}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> LingerWas:
        return cls({str(name): int(uid) for name, uid in data["users"].items()}, bool(data["on"]))
