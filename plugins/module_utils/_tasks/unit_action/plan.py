# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for what is done to units that are there: pure, from what is and what is asked for to steps."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import is_template, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.steps import Clean, MountInto, Signal

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.options import Asked, Mount
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.read import Seen


def plan_actions(units: t.Sequence[Seen], asked: Asked, check_mode: bool) -> Plan:
    """The plan; a signal is the last thing, so that it finds all else done.

    :param check_mode: units that are not there, or not as they have to be, are taken for made so by an earlier task.
    :raises BadInput: something cannot be done to one of them.
    """
    planner = _Planner(asked, check_mode)
    for unit in units:
        planner.add(unit)
    return planner.plan()


class _Planner:
    def __init__(self, asked: Asked, check_mode: bool) -> None:
        self.asked = asked
        self.check_mode = check_mode
        self.steps: list[Step] = []
        self.changes: list[Change] = []
        self.warnings: list[str] = []
        self.signalled: list[str] = []
        self.cleaned: dict[str, list[str]] = {}
        # What an earlier task is expected to have done by then.
        self.expected: list[str] = []

    def add(self, unit: Seen) -> None:
        """Decide what is done to one unit."""
        if is_template(unit.name):
            raise BadInput(
                f"name: {unit.name} is a template, of which only instances run; name one such as {unit.name.replace('@.', '@1.')}"
            )
        asked = self.asked
        for mount in asked.mounts:
            self._mount(unit, mount)
        for name, value in asked.log.items():
            self._log(unit, name, value)
        if asked.clean:
            self._clean(unit)
        if asked.signal:
            self._signal(unit)

    def _wrong(self, told: str, expected: str) -> None:
        """Refuse, but in check mode expect what an earlier task would have done."""
        if not self.check_mode:
            raise BadInput(told)
        if expected not in self.expected:
            self.expected.append(expected)

    def _change(self, unit: Seen, before: str, after: str) -> None:
        self.changes.append(Change(unit.name, before, after))

    def _mount(self, unit: Seen, mount: Mount) -> None:
        option = mount.option
        if unit_type(unit.id) != "service":
            raise BadInput(f"{option}: {unit.name} is no service, and systemd mounts only into services; name services")
        if mount in unit.no_source:
            self._wrong(
                f"{option}.source: there is no {mount.source} on this host; make it first, or correct the path", f"{mount.source} is there"
            )
        if not unit.pid:
            self._wrong(
                f"{option}: {unit.name} is {unit.describe()}, and has no process that something could be mounted for; start it first",
                f"{unit.name} runs",
            )
        elif not unit.namespace:
            raise BadInput(
                f"{option}: {unit.name} runs in no mount namespace of its own, so that it would be mounted for the whole host; give it one, "
                "such as with PrivateMounts=yes in a drop-in (pidone.systemd.unit_file), and restart it"
            )
        if unit.mounted.get(mount):
            return
        self.steps.append(MountInto(unit.id, mount))
        self._change(
            unit,
            f"{mount.destination}: {unit.differs.get(mount, 'nothing mounted')}",
            f"{mount.destination}: {mount.source}, {'read-only' if mount.read_only else 'writable'}",
        )

    def _log(self, unit: Seen, name: str, value: str) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.service_log import SetServiceLog

        option = "log_level" if name == "LogLevel" else "log_target"
        if unit_type(unit.id) != "service":
            raise BadInput(f"{option}: {unit.name} is no service; name services")
        if not unit.is_up:
            self._wrong(f"{option}: {unit.name} is {unit.describe()}, and is to be told while it runs; start it first", f"{unit.name} runs")
        elif not unit.bus_name:
            raise BadInput(
                f"{option}: {unit.name} has no BusName= in its unit file, so that systemd does not know it on the bus; set how it logs in its "
                "own configuration"
            )
        elif unit.log is None:
            raise BadInput(
                f"{option}: {unit.name} does not have org.freedesktop.LogControl1 on the bus, by which services let others say how they log; "
                "set that in its own configuration"
            )
        before = (unit.log or {}).get(name, "unknown")
        if before == value:
            return
        self.steps.append(SetServiceLog(unit.id, unit.bus_name, name, before, value))
        self._change(unit, f"{name} {before}", f"{name} {value}")

    def _clean(self, unit: Seen) -> None:
        if unit.status and not is_down(unit.status.active_state):
            # What is stopped in the meantime may have less than now.
            self._wrong(
                f"clean: {unit.name} is {unit.describe()}, and what a unit keeps can be removed only while it is down; stop it first "
                "(pidone.systemd.unit with `state: stopped`)",
                f"{unit.name} is down",
            )
        kinds = [kind for kind, content in unit.content.items() if content]
        if not kinds:
            return
        self.cleaned[unit.id] = kinds
        held = [each for kind in kinds for each in unit.content[kind]]
        self._change(unit, short(held), "removed")

    def _signal(self, unit: Seen) -> None:
        asked = self.asked
        if unit.holds_task:
            raise BadInput(
                f"signal: this very task runs in {unit.name}, and would get it too; name units that the connection to the host is not in, or "
                "send it to the `main` process only (`kill_whom`)"
            )
        if unit.missing:
            self.expected.append(f"{unit.name} runs")
        elif not unit.pids:
            which = "" if asked.whom == "all" else f"{asked.whom} "
            self.warnings.append(f"{unit.name} has no {which}process that {asked.signal_name} could be sent to")
            return
        self.signalled.append(unit.id)
        what = asked.signal_name if asked.value is None else f"{asked.signal_name} with {asked.value}"
        number = len(unit.pids)
        self._change(unit, unit.describe(), f"{what} sent to {number or 'its'} process{'' if number == 1 else 'es'}")

    def plan(self) -> Plan:
        asked = self.asked
        if self.cleaned:
            self.steps.append(Clean(self.cleaned))
        if self.signalled:
            self.steps.append(Signal(self.signalled, asked.signal, asked.signal_name, asked.whom, asked.value))
        plan = Plan(self.steps, self.changes)
        if self.expected:
            plan.warnings.append(f"taken for done by an earlier task: {short(list(dict.fromkeys(self.expected)))}")
        plan.warnings += self.warnings
        return plan
