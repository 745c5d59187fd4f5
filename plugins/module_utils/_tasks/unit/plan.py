# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for the states, enablement and masks of units: pure, from what is and what is wanted to the steps between."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import (
    Jobs,
    Reload,
    ResetFailed,
    Settle,
    UnitFileLinks,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import instance_of, is_template
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_active, is_down, is_up
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import ENABLED, MASKED, Unit

# state -> the job type that leads to it.
JOB_TYPES = {
    "started": "start",
    "stopped": "stop",
    "restarted": "restart",
    "reloaded": "reload",
    "try_restarted": "try-restart",
    "reload_or_restarted": "reload-or-restart",
    "try_reload_or_restarted": "reload-or-try-restart",
}

# Load states of units whose files systemd could not make sense of.
_BROKEN = ("bad-setting", "error")
# Enabling does nothing to these, and systemctl enable says so without failing.
_GENERATED = "it is generated from other configuration (/etc/fstab, a script in /etc/init.d), which decides about that"
_NOTHING_TO_ENABLE = {
    "static": "its file has no [Install] section; other units start it",
    "generated": _GENERATED,
    "alias": "it is an alias of another unit",
}


# Seconds of the health gate; nobody waits for longer, only by mistake.
_LONGEST = 366 * 86400.0


class Wish:
    """What a task asks of its units; None where it asks nothing."""

    def __init__(
        self,
        state: str | None = None,
        enabled: bool | None = None,
        masked: bool | None = None,
        preset: bool = False,
        runtime: bool = False,
        force: bool = False,
        reset_failed: bool = False,
        daemon_reload: str = "auto",
        settle: float = 0.0,
        settle_told: str = "",
        allow_skipped: bool = False,
    ) -> None:
        self.state = state
        self.enabled = enabled
        self.masked = masked
        self.preset = preset
        self.runtime = runtime
        self.force = force
        self.reset_failed = reset_failed
        self.daemon_reload = daemon_reload
        self.settle = settle
        self.settle_told = settle_told
        self.allow_skipped = allow_skipped

    @property
    def needs_file_states(self) -> bool:
        """Whether enablement has to be known."""
        return self.enabled is not None or self.masked is not None or self.preset

    @property
    def only_undoes(self) -> bool:
        """Whether nothing is to be there that was not, so that what is gone altogether is as wished."""
        undone = (self.state == "stopped", self.enabled is False, self.masked is False)
        made = (self.state not in (None, "stopped"), self.enabled, self.masked, self.preset)
        return any(undone) and not any(made) and self.daemon_reload != "always"

    def check(self) -> None:
        """Refuse options that contradict each other.

        :raises BadInput: naming both.
        """
        comes_up = self.state not in (None, "stopped")
        if self.masked and comes_up:
            raise BadInput(f"masked: a masked unit cannot be {self.state}; leave out `state`, or set `masked: false`")
        if self.masked and self.enabled:
            raise BadInput("masked: a masked unit cannot be enabled; leave out `enabled`, or set `masked: false`")
        if self.preset and self.enabled is not None:
            raise BadInput("preset: presets decide whether a unit is enabled; leave out `enabled` or `preset`")
        if self.preset and self.masked:
            raise BadInput("preset: a masked unit has no preset to apply; leave out `masked` or `preset`")
        if self.settle > _LONGEST:
            raise BadInput(
                f"settle: {self.settle_told} would never end; give the time that units have to stay up, such as 10s"
            )


def job_for(unit: Unit, state: str | None) -> str | None:
    """The type of the job the unit needs to get into the state; None where it is there already."""
    active = is_active(unit.active_state)
    coming = unit.active_state == "activating"
    if state == "started" and coming and unit.sub_state.startswith("auto-restart"):
        # A start would wait until systemd restarts the unit by itself, which may be hours.
        return "restart"
    if state == "started":
        # Where a stop waits in the queue, the start takes its place.
        return None if active and not (unit.status and unit.status.job_type == "stop") else "start"
    if state == "stopped":
        return None if is_down(unit.active_state) else "stop"
    if state in ("try_restarted", "try_reload_or_restarted"):
        return JOB_TYPES[state] if active or coming else None
    return JOB_TYPES[state] if state else None


def joins(unit: Unit, job: str) -> bool:
    """Whether systemd has such a job for the unit already, so that ours would only be merged with it."""
    return bool(unit.status and unit.status.job_id and unit.status.job_type == job and job in ("start", "stop"))


def plan_units(
    units: t.Sequence[Unit],
    wish: Wish,
    directories: t.Sequence[str] = (),
    check_mode: bool = False,
    files_written: bool = False,
    offline: bool = False,
) -> Plan:
    """The steps that bring units from what they are to what is wished.

    :param directories: where links of unit files are made, for the way back.
    :param check_mode: a unit that does not exist is then taken for one that an earlier task would have created.
    :param files_written: steps before these write unit files, so that systemd has to reload in any case.
    :raises BadInput: a unit cannot be what is wished, with the reason.
    """
    wish.check()
    planner = _Planner(wish, check_mode, files_written)
    for unit in units:
        planner.add(unit)
    if planner.missing:
        raise MissingUnit(planner.missing)
    return planner.plan(directories, files_written, offline)


class _Planner:
    def __init__(self, wish: Wish, check_mode: bool, files_written: bool = False) -> None:
        self.wish = wish
        self.check_mode = check_mode
        self.files_written = files_written
        self.warnings: list[str] = []
        # Units that do not exist: those that an earlier task is expected to create, those that are not wanted anyway.
        self.expected: list[str] = []
        self.absent: list[str] = []
        self.missing: list[str] = []
        # Units that systemd could not read, and that an earlier task is expected to mend.
        self.broken: list[str] = []
        self.changes: list[Change] = []
        self.links: dict[str, list[str]] = {"unmask": [], "enable": [], "disable": [], "preset": [], "mask": []}
        self.failed: list[str] = []
        # Job type -> units.
        self.jobs: dict[str, list[str]] = {}
        self.joined: dict[str, list[str]] = {}
        self.up: set[str] = set()
        self.stale = False
        self._seen: set[str] = set()
        self._names: set[str] = set()

    def add(self, unit: Unit) -> None:
        """Decide what one unit needs."""
        wish = self.wish
        again = unit.id in self._seen
        # Each name of a unit has a mask of its own; anything else is done to a unit once, whatever it is called.
        if again and (not wish.masked or unit.name in self._names):
            return
        self._seen.add(unit.id)
        self._names.add(unit.name)
        after: list[str] = []
        if unit.missing and not self._accept_missing(unit):
            return
        changed = self._links(unit, after)
        if wish.state is not None and not again:
            changed = self._job(unit, after) or changed
        elif unit.status:
            after.insert(0, f"{unit.active_state} ({unit.sub_state})")
        if wish.reset_failed and not again and unit.active_state == "failed":
            self.failed.append(unit.id)
            changed = True
        if changed:
            self.changes.append(Change(unit.name, unit.describe(), ", ".join(after) or "reset"))

    def _accept_missing(self, unit: Unit) -> bool:
        """Whether a unit that does not exist has steps all the same."""
        wish = self.wish
        wants_it = wish.enabled or wish.preset or wish.state not in (None, "stopped")
        if wants_it and self.check_mode:
            self.expected.append(unit.name)
            return True
        if wants_it:
            self.missing.append(unit.name)
            return False
        if wish.masked:
            return True
        self.absent.append(unit.name)
        return False

    def _links(self, unit: Unit, after: list[str]) -> bool:
        wish, state = self.wish, unit.file_state or ""
        if not wish.needs_file_states:
            return False
        changed = False
        masked = state in MASKED
        if masked and wish.masked is False:
            if unit.masked_by:
                raise BadInput(_stays_masked(unit, wish.runtime))
            self.links["unmask"].append(unit.name)
            changed, state = True, "unmasked"
        elif masked and (wish.enabled or wish.preset):
            raise BadInput(f"enabled: {unit.name} is masked; {self._how_to_unmask()}")
        if wish.masked and not (state == "masked" or (wish.runtime and masked)):
            if state == "transient":
                raise BadInput(f"masked: {unit.name} is a transient unit, which has no unit file to mask")
            if unit.in_the_way:
                raise BadInput(
                    f"masked: {unit.in_the_way} is in the place of the mask, and systemd leaves it there; "
                    "remove it first (pidone.systemd.unit_file with `state: absent`), "
                    "or use `enabled: false` and `state: stopped` in place of `masked: true`"
                )
            self.links["mask"].append(unit.name)
            changed, state = True, "masked-runtime" if wish.runtime else "masked"
        if not unit.missing and not self.files_written:
            if state == "bad" or (not state and unit.load_state in _BROKEN):
                self._unreadable(unit)
            elif wish.enabled and not state:
                self._no_file(unit)
        if wish.enabled is not None and not wish.masked:
            want = self._enablement(unit, state)
            if want:
                self.links[want].append(unit.id if state != "unmasked" else unit.name)
                changed = True
                state = ("enabled-runtime" if wish.runtime else "enabled") if want == "enable" else "disabled"
        if wish.preset:
            if is_template(unit.name):
                raise BadInput(f"preset: {unit.name} is a template; name the instances that the presets speak of")
            if not unit.status and not unit.preset and instance_of(unit.name) and state:
                raise BadInput(f"preset: what presets say of the instance {unit.name} is not told here; use `enabled`")
            wanted = unit.preset
            if (wanted == "enabled" and state not in ENABLED and state not in _NOTHING_TO_ENABLE) or (
                wanted == "disabled" and state in ENABLED
            ):
                self.links["preset"].append(unit.id)
                changed, state = True, wanted
        if state:
            after.append(state)
        return changed

    def _enablement(self, unit: Unit, state: str) -> str:
        """`enable` or `disable` where the unit needs it, else an empty string."""
        wish = self.wish
        if state == "transient":
            raise BadInput(
                f"enabled: {unit.name} is a transient unit, which is gone at the next boot; "
                "write a unit file for it (pidone.systemd.unit_file), or leave out `enabled`"
            )
        if wish.enabled:
            if state == "enabled" or (wish.runtime and state == "enabled-runtime"):
                return ""
            if state in _NOTHING_TO_ENABLE:
                if state != "alias" or unit.id == unit.name:
                    self.warnings.append(f"{unit.name} cannot be enabled: {_NOTHING_TO_ENABLE[state]}")
                return ""
            if is_template(unit.name) and not unit.default_instance and not self.check_mode:
                raise BadInput(
                    f"enabled: {unit.name} is a template without DefaultInstance=; "
                    f"name an instance such as {unit.name.replace('@.', '@1.')}"
                )
            if state == "indirect" and not unit.has_links:
                done = all(also in (*ENABLED, "static", "indirect", "alias", "") for also in unit.also)
                return "" if done else "enable"
            return "enable"
        if state == "generated":
            self.warnings.append(f"{unit.name} cannot be disabled: {_GENERATED}")
        if is_template(unit.name) and unit.has_instances:
            return "disable"
        if wish.runtime:
            return "disable" if state == "enabled-runtime" else ""
        if state == "indirect":
            return "disable" if any(also in ENABLED for also in unit.also) else ""
        return "disable" if state in ENABLED else ""

    def _how_to_unmask(self) -> str:
        # Modules that write files have no such option.
        if self.files_written:
            return "unmask it first, with pidone.systemd.unit and `masked: false`"
        return "add `masked: false` to unmask it in the same task"

    def _unreadable(self, unit: Unit) -> None:
        """A unit with a file that systemd cannot make out; what that says of enablement, nobody knows."""
        option = "enabled" if self.wish.enabled else "preset" if self.wish.preset else ""
        if option and self.check_mode:
            self.broken.append(unit.name)
        elif option:
            raise BadInput(
                f"{option}: systemd cannot read the unit file of {unit.name}; correct the file (`systemd-analyze verify "
                f"{unit.name}` tells what is wrong with it), or leave out `{option}`"
            )

    def _no_file(self, unit: Unit) -> None:
        """A unit that is there, but has no file, is to be enabled."""
        if self.check_mode:
            self.expected.append(unit.name)
        elif unit.load_state == "loaded":
            raise BadInput(
                f"enabled: {unit.name} has no unit file that could be enabled, since systemd made it by itself; "
                "leave out `enabled`"
            )
        elif unit.load_state == "not-found":
            raise BadInput(f"enabled: the unit file of {unit.name} is gone; put it back, or leave out `enabled`")

    def _job(self, unit: Unit, after: list[str]) -> bool:
        state = self.wish.state
        if is_template(unit.name):
            raise BadInput(
                f"name: {unit.name} is a template and cannot be {state}; "
                f"name an instance such as {unit.name.replace('@.', '@1.')}"
            )
        # What was masked when systemd read it, and has changed since, is read again before the job.
        masked = (unit.load_state == "masked" and not unit.stale) or unit.file_state in MASKED
        if masked and state != "stopped" and self.wish.masked is not False and job_for(unit, state):
            raise BadInput(f"state: {unit.name} is masked; {self._how_to_unmask()}")
        job = job_for(unit, state)
        self._can_have(unit, job)
        if job == "reload":
            self._can_reload(unit)
        if job is None:
            after.insert(0, f"{unit.active_state} ({unit.sub_state})")
            return False
        if is_active(unit.active_state):
            self.up.add(unit.id)
        if unit.load_state in _BROKEN and not unit.stale and job != "stop" and self.check_mode:
            self.broken.append(unit.name)
        if unit.triggers:
            self.warnings.append(
                f"{unit.name} is stopped, but {short(unit.triggers)} may start it again; stop that as well, or mask the unit"
            )
        after.insert(0, {"stop": "inactive", "start": "active"}.get(job, f"active, by {job}"))
        self.stale = self.stale or unit.stale
        if joins(unit, job):
            self.joined.setdefault(job, []).append(unit.id)
            return False
        self.jobs.setdefault(job, []).append(unit.id)
        return True

    def _can_have(self, unit: Unit, job: str | None) -> None:
        """Refuse jobs that systemd would refuse, before anything is done."""
        gone = unit.load_state == "not-found" and not unit.missing and not self.files_written
        if gone and job not in (None, "stop"):
            if self.check_mode:
                self.expected.append(unit.name)
                return
            raise BadInput(
                f"state: {unit.name} runs, but its unit file is gone, so it can only be stopped; "
                "put the file back (pidone.systemd.unit_file), or use `stopped`"
            )
        if unit.perpetual and job in ("stop", "restart", "try-restart"):
            raise BadInput(
                f"state: {unit.name} cannot be {self.wish.state}: systemd made it by itself, and keeps it for as long as the host runs; "
                "act on the units in it instead"
            )
        refused = {"start": unit.refuses[:1], "stop": unit.refuses[1:], "restart": unit.refuses}
        refused["try-restart"] = unit.refuses
        if any(refused.get(job or "", ())) and not unit.stale:
            raise BadInput(
                f"state: {unit.name} cannot be {self.wish.state} by hand "
                "(RefuseManualStart=, RefuseManualStop= in its file); act on the unit that needs it instead"
            )

    def _can_reload(self, unit: Unit) -> None:
        # What systemd itself would answer, said before anything is done, and in check mode as well.
        if not is_up(unit.active_state) and not (unit.missing and self.check_mode):
            raise BadInput(
                f"state: {unit.name} is {unit.active_state} and cannot be reloaded, since reloading never starts a unit; "
                "use `reload_or_restarted` to start it then, or `try_reload_or_restarted` to leave it alone"
            )
        if not unit.can_reload:
            raise BadInput(
                f"state: {unit.name} has no way to reload (ExecReload=, or Type=notify-reload); use `reload_or_restarted`"
            )

    def plan(self, directories: t.Sequence[str], files_written: bool, offline: bool) -> Plan:
        wish = self.wish
        stops = wish.state == "stopped"
        steps: list[Step] = []

        def links(verb: str) -> None:
            names = list(dict.fromkeys(self.links[verb]))
            if names:
                steps.append(UnitFileLinks(verb, names, directories, wish.runtime, wish.force))

        def jobs() -> None:
            made = []
            for counts, wanted in ((False, self.joined), (True, self.jobs)):
                for job, names in wanted.items():
                    made.append(Jobs(job, names, self.up, counts, wish.allow_skipped))
            steps.extend(made)
            if wish.settle > 0:
                steps.extend(Settle(step, wish.settle, wish.settle_told) for step in made if step.type != "stop")

        # A unit is stopped with the commands of the file it was started from, so before that is masked away.
        stale_first = stops and (self.stale or files_written)
        if self.failed:
            steps.append(ResetFailed(self.failed))
        if stops and not stale_first and wish.daemon_reload != "always":
            jobs()
        for verb in ("unmask", "disable", "enable", "preset", "mask"):
            links(verb)
        wrote = files_written or any(isinstance(step, UnitFileLinks) for step in steps)
        need = wish.daemon_reload != "never" and (wrote or self.stale)
        if not offline and (need or wish.daemon_reload == "always"):
            steps.append(Reload(counts=wish.daemon_reload == "always"))
        if not stops or stale_first or wish.daemon_reload == "always":
            jobs()
        plan = Plan(steps, self.changes)
        if self.expected:
            plan.warnings.append(
                f"not there yet, and taken for made by an earlier task: {short(list(dict.fromkeys(self.expected)))}"
            )
        if self.absent:
            plan.warnings.append(f"no such unit on this host, so it is as wanted already: {short(self.absent)}")
        if self.broken:
            plan.warnings.append(
                f"systemd cannot read their files, which are taken for mended by an earlier task: {short(list(dict.fromkeys(self.broken)))}"
            )
        plan.warnings += self.warnings
        return plan


def _stays_masked(unit: Unit, runtime: bool) -> str:
    """The error for a mask that unmasking leaves in its place."""
    name = os.path.basename(unit.masked_by)
    if name != unit.name:
        return f"masked: {unit.name} is masked together with its template, by {unit.masked_by}; unmask {name}"
    if runtime and unit.masked_by.startswith("/etc/"):
        return f"masked: {unit.masked_by} masks the unit for good, which `runtime: true` leaves; leave out `runtime`"
    return (
        f"masked: {unit.masked_by} masks the unit, which unmasking leaves, since it was not made by masking; "
        "write a unit file, which takes its place (pidone.systemd.unit_file), or leave out `masked`"
    )


class MissingUnit(BadInput):
    """Units that do not exist; who knows the host completes the message."""

    def __init__(self, names: t.Sequence[str]) -> None:
        super().__init__(f"name: there is no unit {short(names)} on this host")
        self.names = list(names)
