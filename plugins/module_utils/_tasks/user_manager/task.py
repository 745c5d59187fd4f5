# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `user_manager` module's task."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved, remove
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.manager_was import LingerWas
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session, timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import FileWas
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import user_entry
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import (
    answers,
    linger_files,
    lingers,
    set_linger,
    wait_for,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import runs

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


class SetLinger(Step):
    """Have logind keep users' managers without a login, or no longer."""

    def __init__(self, users: dict[str, int], on: bool, jeepney: t.Any) -> None:
        super().__init__(tuple(users))
        self._users, self._on, self._jeepney = users, on, jeepney

    def describe(self) -> str:
        return f"{'enable' if self._on else 'disable'}-linger {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, LingerWas(self._users, self._on))
        set_linger(list(self._users.values()), self._on, self._jeepney)
        return True

    def undone(self) -> str:
        return f"{'disable' if self._on else 'enable'}-linger {short(self.names)}"


class ForgetLinger(Step):
    """Remove what logind keeps of users who are gone: the next user of that name would linger from the beginning."""

    def describe(self) -> str:
        return f"forget that {short(self.names)} lingered"

    def apply(self, ctx: Context) -> bool:
        paths = [path for name in self.names for path in linger_files(name)]
        found = {path: saved for path, saved in ((path, Saved.of(path)) for path in paths) if saved is not None}
        self.note(ctx, *(FileWas(path, saved, None) for path, saved in found.items()))
        for path in found:
            remove(path)
        return bool(found)

    def undone(self) -> str:
        return f"{short(self.names)} as before"


class AwaitManagers(Step):
    """Wait until users' managers answer: lingering comes back long before they do."""

    counts = False

    def __init__(self, users: dict[str, int], jeepney: t.Any) -> None:
        super().__init__(tuple(users))
        self._users, self._jeepney = users, jeepney

    def describe(self) -> str:
        return f"wait for the manager of {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        late = wait_for(list(self._users.values()), True, ctx.deadline(), self._jeepney)
        if late:
            names = [name for name, uid in self._users.items() if uid in late]
            units = ", ".join(f"user@{uid}.service" for uid in late)
            raise SystemdError(
                f"the manager of {short(names)} did not answer within {ctx.timeout:g} s; look at {units}, "
                "or give more time in `timeout`"
            )
        return False


def converge(module: Module) -> dict[str, t.Any]:
    """Bring users' managers to what the module's options ask for; returns the module's result."""
    params = module.params
    on = params["linger"]
    timeout = timeout_of(params)
    warnings: list[str] = []
    users = _find(params["name"], on, module.check_mode, warnings)
    jeepney = import_jeepney()
    with open_session({"scope": "system"}, timeout) as session:
        manager = session.manager
        plan, _ctx, changed = bring_about(module, session, lambda: _plan(manager, users, on, jeepney), rollback=True)
    result: dict[str, t.Any] = {"changed": changed, "warnings": warnings, "users": []}
    for name, uid in users.items():
        entry = {"name": name, "uid": uid, "linger": lingers(name), "active": uid >= 0 and answers(uid, jeepney)}
        if entry["active"]:
            entry["runtime_path"] = f"/run/user/{uid}"
        result["users"].append(entry)
    return {**result, **plan.report(module._diff)}


def _find(names: t.Sequence[str], on: bool, check_mode: bool, warnings: list[str]) -> dict[str, int]:
    """Names and numbers of the users.

    A user that check mode expects of an earlier task has the number -1, and so has one who is gone and shall not linger.
    """
    if not names:
        raise BadInput("name: the list is empty; name at least one user")
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        check_account(name, f"name[{index}]")
        try:
            entry = user_entry(name)
        except KeyError:
            if on and not check_mode:
                raise BadInput(
                    f"name: there is no user {name!r} on this host; create it first, or correct the name"
                ) from None
            if on:
                warnings.append(f"not there yet, and taken for made by an earlier task: user {name}")
            found[name] = -1
        else:
            found[entry.pw_name] = entry.pw_uid
    return found


def _plan(manager: UnitManager, users: dict[str, int], on: bool, jeepney: t.Any) -> Plan:
    turn = {name: uid for name, uid in users.items() if lingers(name) is not on}
    gone = [] if on else [name for name, uid in turn.items() if uid < 0]
    known_users = {name: uid for name, uid in turn.items() if name not in gone}
    steps: list[Step] = [SetLinger(known_users, on, jeepney)] if known_users else []
    if gone:
        steps.append(ForgetLinger(gone))
    changes = [Change(name, _word(not on), _word(on)) for name in turn]
    if on:
        down = {name: uid for name, uid in users.items() if uid < 0 or not answers(uid, jeepney)}
        # A user who lingers already and whose manager is down all the same: logind does not start it again.
        known = [name for name in down if name not in turn]
        states = manager.status([f"user@{down[name]}.service" for name in known])
        stopped = [name for name, status in zip(known, states) if not runs(status)]
        if stopped:
            steps.append(Jobs("start", [f"user@{down[name]}.service" for name in stopped]))
            changes += [Change(name, "manager down", "manager up") for name in stopped]
        if down:
            steps.append(AwaitManagers(down, jeepney))
    return Plan(steps, changes)


def _word(on: bool) -> str:
    return "lingers" if on else "does not linger"
