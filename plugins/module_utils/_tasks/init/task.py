# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `init_handover` module's task: a host that boots another init system boots systemd, and the way back.

`prepared` runs under the old init and writes everything that the first boot of systemd needs; `confirmed` runs under systemd,
compares what runs with what ran, and makes it last; `given_back` undoes both. What has to outlive the reboot is in one record.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_through
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.lock import DIRECTORY, Lock
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, explained
from ansible_collections.pidone.systemd.plugins.module_utils._sources.old_init import (
    OldInit,
    first_process,
    is_systemd,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.options import check_services
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.prepare import Preparation
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.record import RECORD, Record
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.steps import (
    Keep,
    PutBack,
    RemoveTrial,
    RemoveTrialFiles,
    tidy_trial,
    trial_files,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.switch import (
    ChooseSystemd,
    Forget,
    GoBack,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import Difference
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.verify import Told

_LOCK = f"{DIRECTORY}/init.lock"


def converge(module: Module) -> dict[str, t.Any]:
    """Bring the host's init to the state that the module's options ask for; returns the module's result."""
    task = _Task(module)
    states = {
        "prepared": task.prepare,
        "confirmed": task.confirm,
        "given_back": task.give_back,
        "finished": task.finish,
    }
    if module.check_mode:
        return states[module.params["state"]]()
    lock = Lock(_LOCK)
    try:
        lock.acquire(task.timeout, "init_handover")
    except OSError as e:
        raise explained(e, f"make {_LOCK}, by which tasks wait for each other") from e
    try:
        # As it is now that nobody else changes it.
        task.record = Record.load()
        return states[module.params["state"]]()
    finally:
        lock.release()


class _Task:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.params = module.params
        self.check = module.check_mode
        self.init = OldInit(durable)
        self.record = Record.load()
        self.given = check_services(self.params["services"] or ())
        self.accept = list(self.params["accept"])
        self.timeout = timeout_of(self.params)
        self.settle = parse_timespan(self.params["settle"], "settle") / 1e6
        self.trial = parse_timespan(self.params["trial"], "trial") // 1_000_000
        self.warnings: list[str] = []
        self.first = first_process()
        if os.geteuid() != 0:
            raise SystemdError("another init system is only for root to choose: add `become: true` to the task or play")

    @property
    def booted(self) -> bool:
        """Whether systemd is PID 1."""
        return is_systemd(self.first)

    def result(self, plan: Plan | None, **more: t.Any) -> dict[str, t.Any]:
        """What every state returns."""
        result: dict[str, t.Any] = {
            "changed": bool(plan and plan.changed),
            "phase": self.record.phase,
            "runs": self.first,
            "boots": self.init.boots(),
            "reboot": False,
            "reboot_command": "systemctl reboot" if self.booted else self.init.reboot_command(),
            "services": [],
            "warnings": self.warnings,
            **more,
        }
        return {**result, **(plan.report(self.module._diff) if plan else {})}

    # -- under the old init

    def prepare(self) -> dict[str, t.Any]:
        """Write what the first boot of systemd needs."""
        if self.booted:
            if not self.record.phase:
                raise SystemdError(
                    "systemd is PID 1 on this host already, and not by the doing of this module: "
                    "hand over its services with pidone.systemd.service_handover"
                )
            return self.result(None, reboot=self.record.phase == "given_back")
        waits = self.record.phase == "prepared" and self.init.boots() == "systemd"
        wanted = Preparation(self.module, self.init, self.given, self.trial, self.warnings)
        if waits and wanted.asked == self.record.asked and wanted.is_written():
            return self.result(None, reboot=True, services=self._told("planned"))
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.offline import open_offline

        if self.record.phase == "prepared" and not waits:
            self.warnings.append(
                "an earlier first boot of systemd was not confirmed, and the host went back; this is another try"
            )
        self.record, dropped = wanted.records(self.record)
        wanted.verify()
        plan = wanted.plan(self.record, dropped)
        ctx = Context(open_offline("system", None), self.timeout)
        carry_through(self.module, plan, ctx, rollback=True)
        return self.result(plan, reboot=True, services=self._told("planned"))

    # -- under systemd

    def confirm(self) -> dict[str, t.Any]:
        """Compare what runs with what ran, and stay with systemd if it is as good."""
        if not self.booted:
            if self.record.phase in ("prepared", "begun"):
                back = self.init.boots() != "systemd"
                raise SystemdError(
                    f"{self.first} is PID 1, not systemd: "
                    + ("the first boot of systemd was not confirmed in time, or did not get far, and the host went back"
                       if back else "reboot the host first"),
                    fell_back=back, **self._facts(),
                )  # fmt: skip
            raise SystemdError(f"{self.first} is PID 1 and nothing has been prepared; use `state: prepared` first")
        if self.record.phase in ("confirmed", "finished"):
            return self.result(None, services=self._told("already"))
        if self.record.phase not in ("prepared", "begun"):
            raise SystemdError(f"nothing is to be confirmed ({self.record.phase or 'no record'} in {RECORD})")
        from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import open_manager
        from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.verify import verify

        with open_manager("system", None, import_jeepney) as manager:
            ctx = Context(manager, self.timeout)
            services, host = verify(self.record.services, self.record.listeners, ctx, self.settle, self.accept)
            bad = [one for one in services if one["outcome"] == "failed"]
            worse = [one for one in host if one["worse"]]
            if bad or worse:
                raise SystemdError(_screen(bad, worse), services=services, host=host, **self._facts())
            plan = Plan([ChooseSystemd(self.init), RemoveTrial(), Keep(self.record, "confirmed")])
            carry_through(self.module, plan, ctx)
        return self.result(plan, services=services, host=host)

    def _facts(self) -> dict[str, t.Any]:
        result = self.result(None)
        return {key: result[key] for key in ("phase", "runs", "boots", "reboot_command")}

    def finish(self) -> dict[str, t.Any]:
        """Keep the old init no longer, so that its package can go."""
        if not self.booted or self.record.phase not in ("confirmed", "finished"):
            raise SystemdError(
                f"only a host that boots systemd, and has been confirmed, can be finished ({self.first} is PID 1, "
                f"{self.record.phase or 'no record'} in {RECORD})"
            )
        if self.record.phase == "finished":
            return self.result(None, services=self._told("already"))
        plan = Plan([Forget(self.init), Keep(self.record, "finished")])
        carry_through(self.module, plan, Context(None))
        return self.result(plan, services=self._told("already"))

    # -- back

    def give_back(self) -> dict[str, t.Any]:
        """Have the old init boot again, with all files and links as they were."""
        if not self.check:
            # A run that was killed as it began has left nothing but what it was about to put in place.
            durable.tidy(RECORD)
            tidy_trial()
        if not self.record.phase and not self.init.is_kept():
            return self.result(None)
        if not self.booted and self.record.phase == "given_back":
            if not self.check:
                self.record.forget()
            self.record.phase = ""
            return self.result(None)
        if self.record.phase == "given_back":
            return self.result(None, reboot=True, services=self._told("planned"))
        if not self.init.is_kept() and self.init.boots() == "systemd":
            raise SystemdError(
                f"the old init is no longer kept ({self.init.kept} is not there); install its package again by hand"
            )
        steps: list[Step] = [GoBack(self.init), PutBack(self.record)]
        files = trial_files()
        if files:
            steps.append(RemoveTrialFiles(files))
        # Last, so that all before can be begun again after an interruption.
        steps += [Forget(self.init), Keep(self.record, "given_back")]
        plan = Plan(steps, [Change("/sbin/init", self.init.boots(), os.path.basename(self.init.old_program()))])
        services = self._told("given_back")
        booted = self.booted
        carry_through(self.module, plan, Context(None))
        if not self.check and not booted:
            self.record.forget()
            self.record.phase = ""
        return self.result(plan, reboot=booted, services=services)

    def _told(self, outcome: str) -> list[Told]:
        """The services of the record as they stand, in the form in which all are returned."""
        return [
            {
                "name": one["name"],
                "outcome": outcome,
                "message": "",
                "units": one["units"],
                "before": one["before"],
                "after": None,
                "differences": [],
                "parity": None,
                "seconds": None,
            }
            for one in self.record.services
        ]


def _screen(bad: t.Sequence[Told], worse: t.Sequence[Difference]) -> str:
    lines = ["what runs under systemd is not what ran before, so this boot of it is not confirmed"]
    for one in bad:
        first, *rest = one["message"].splitlines() or [""]
        lines.append(f"  {one['name']}: {first}")
        lines += [f"  {line}" for line in rest]
    lines += [f"  {one['what']}: {one['before']} -> {one['after'] or 'nothing'} ({one['reason']})" for one in worse]
    return "\n".join(lines)
