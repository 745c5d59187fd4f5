# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of `needs_restart`: pure, from what runs replaced files and what is wished to the steps between."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.read_again import Reexecute
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Reload, Settle
from ansible_collections.pidone.systemd.plugins.module_utils._errors import plain, short
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.decide import RESTART, decide, matches
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.read import Found, Group, files_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.steps import (
    ReexecuteUsers,
    RestartTogether,
)

# The manager that was asked, among others.
SYSTEM = "init.scope"


class Wish(t.NamedTuple):
    """What a task asks: patterns of services, and whether managers are re-executed."""

    name: t.Sequence[str] = ("*",)
    exclude: t.Sequence[str] = ()
    include: t.Sequence[str] = ()
    reexec: bool = True
    user_managers: bool = True
    settle: float = 0.0
    settle_told: str = ""


def plan_restarts(found: Found, wish: Wish, packages: t.Mapping[str, str]) -> Plan:
    """First the manager is re-executed, then services are restarted by the new one, then those of users are re-executed.

    :param packages: file -> its package.
    """
    steps: list[Step] = []
    changes: list[Change] = []

    def change(group: Group, after: str) -> None:
        changes.append(Change(group.name, f"runs replaced {_told(group, packages)}", after))

    itself = [group for group in found.managers if group.name == SYSTEM]
    if itself and wish.reexec:
        steps.append(Reexecute())
        change(itself[0], "re-executed")
    chosen = [
        (service, group)
        for service, group in found.services
        if matches(service.name, wish.name)
        and decide(service, found.own, wish.include, wish.exclude).remedy == RESTART
    ]
    if chosen:
        # To re-execute is to read all files.
        if not steps and any(service.stale for service, _group in chosen):
            steps.append(Reload(counts=False))
        names = sorted(service.name for service, _group in chosen)
        restart = RestartTogether(names, {service.name for service, _group in chosen if service.restart == "no"})
        steps.append(restart)
        for _service, group in sorted(chosen, key=lambda each: each[0].name):
            change(group, "restarted")
        if wish.settle > 0:
            steps.append(Settle(restart, wish.settle, wish.settle_told))
    users = [group for group in found.managers if group.name != SYSTEM]
    if users and wish.user_managers:
        steps.append(ReexecuteUsers(sorted({group.uid for group in users})))
        for group in users:
            change(group, "re-executed")
    return Plan(steps, changes)


def _told(group: Group, packages: t.Mapping[str, str]) -> str:
    told = [f"{plain(path)} ({packages[path]})" if path in packages else plain(path) for path in files_of(group)]
    return short(told)
