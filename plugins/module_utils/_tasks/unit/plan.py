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
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import is_template
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

# States for units that are up, and for no others.
_IF_UP = ("try_restarted", "try_reload_or_restarted")
# Load states of units whose files systemd could not make sense of.
_BROKEN = ("bad-setting", "error")
# Enabling does nothing to these, and systemctl enable says so without failing.
_NOTHING_TO_ENABLE = {
    "static": "its file has no [Install] section; other units start it",
    "generated": "",
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
        frozen: bool | None = None,
        add_wants: t.Sequence[str] = (),
        add_requires: t.Sequence[str] = (),
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
        # Whether they are frozen; then `state` is None.
        self.frozen = frozen
        self.add_wants = add_wants
        self.add_requires = add_requires

    @property
    def dependencies(self) -> dict[str, t.Sequence[str]]:
        """Who is to pull the units in, by the directive of [Install] that would ask for the same."""
        kinds = {"WantedBy": self.add_wants, "RequiredBy": self.add_requires}
        return {key: names for key, names in kinds.items() if names}

    @property
    def needs_file_states(self) -> bool:
        """Whether enablement has to be known."""
        return self.enabled is not None or self.masked is not None or self.preset or bool(self.dependencies)

    @property
    def only_undoes(self) -> bool:
        """Whether nothing is to be there that was not, so that what is gone altogether is as wished."""
        undone = (self.state == "stopped", self.frozen is False, self.enabled is False, self.masked is False)
        made = (self.state not in (None, "stopped"), self.frozen, self.enabled, self.masked, self.preset, self.dependencies)
        return any(undone) and not any(made) and self.daemon_reload != "always"

    def check(self) -> None:
        """Refuse options that contradict each other.

        :raises BadInput: naming both.
        """
        comes_up = self.state not in (None, "stopped")
        if self.dependencies:
            option = "add_wants" if self.add_wants else "add_requires"
            if self.masked:
                raise BadInput(f"{option}: nothing can pull in a masked unit; leave out `{option}`, or set `masked: false`")
            if self.enabled is False or self.preset:
                other = "preset" if self.preset else "enabled"
                raise BadInput(
                    f"{option}: the links by which others pull in a unit go when it is disabled; leave out `{option}` or `{other}`"
                )
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
    if state in _IF_UP:
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
    planner.check()
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
        # Units that are to be frozen or thawed, and those of them that an earlier task is expected to start; and of those that pull
        # others in, whom: (kind, name) -> units.
        self.freezer: list[str] = []
        self.down: list[str] = []
        self.dependencies: dict[tuple[str, str], list[str]] = {}
        # Units that systemd could not read, and that an earlier task is expected to mend.
        self.broken: list[str] = []
        self.changes: list[Change] = []
        self.links: dict[str, list[str]] = {"unmask": [], "enable": [], "disable": [], "preset": [], "mask": []}
        # Links (path -> target) that systemd would leave, System V scripts by what is to be done to them, and other names of
        # units (Alias=) that are to be enabled.
        self.leftovers: dict[str, str] = {}
        self.scripts: dict[str, list[str]] = {"enable": [], "disable": []}
        self.aliases: dict[str, str] = {}
        self.failed: list[str] = []
        # Job type -> units.
        self.jobs: dict[str, list[str]] = {}
        self.joined: dict[str, list[str]] = {}
        self.up: set[str] = set()
        # Services that systemd does not start again when they have died.
        self.stay_down: set[str] = set()
        # Sockets that would stay closed -> the services that run.
        self.closed: dict[str, str] = {}
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
        if wish.frozen is not None and not again:
            changed = self._freeze(unit, after) or changed
        if wish.reset_failed and not again and unit.active_state == "failed":
            self.failed.append(unit.id)
            changed = True
        if changed:
            self.changes.append(Change(unit.name, unit.describe(), ", ".join(after) or "reset"))

    def _accept_missing(self, unit: Unit) -> bool:
        """Whether a unit that does not exist has steps all the same."""
        wish = self.wish
        wants_it = wish.enabled or wish.preset or wish.frozen or wish.dependencies or wish.state not in (None, "stopped")
        if wants_it and self.check_mode:
            self.expected.append(unit.name)
            return True
        if wants_it:
            self.missing.append(unit.name)
            return False
        if wish.masked or unit.leftovers:
            return True
        self.absent.append(unit.name)
        return False

    def _links(self, unit: Unit, after: list[str]) -> bool:
        wish, state = self.wish, unit.file_state or ""
        if not wish.needs_file_states:
            return False
        states = [state]
        masked = state in MASKED
        if masked and wish.masked is False:
            if unit.masked_by:
                raise BadInput(_stays_masked(unit, wish.runtime))
            self.links["unmask"].append(unit.name)
            states.append("unmasked")
        elif masked and (wish.enabled or wish.preset):
            raise BadInput(f"enabled: {unit.name} is masked; {self._how_to_unmask()}")
        if not unit.missing and not self.files_written:
            if state == "bad" or (not state and unit.load_state in _BROKEN):
                self._unreadable(unit)
            elif wish.enabled and not state and not unit.script:
                self._no_file(unit)
        if wish.enabled is not None:
            states += self._enable(unit, states[-1])
        if wish.preset:
            states += self._preset(unit, states[-1])
        if wish.dependencies:
            states += self._depend(unit, states)
        if wish.masked and not (masked and (state == "masked" or wish.runtime)):
            states += self._mask(unit, state)
        if states[-1]:
            after.append(states[-1])
        return len(states) > 1

    def _depend(self, unit: Unit, states: t.Sequence[str]) -> list[str]:
        """Have others pull a unit in; returns by whom it is afterwards, or nothing."""
        option = "add_wants" if self.wish.add_wants else "add_requires"
        if is_template(unit.name):
            raise BadInput(
                f"{option}: {unit.name} is a template, of which only instances can run; name one such as {unit.name.replace('@.', '@1.')}"
            )
        if states[-1] in MASKED:
            raise BadInput(f"{option}: {unit.name} is masked; {self._how_to_unmask()}")
        if states[0] in ("", "transient") and not unit.missing:
            raise BadInput(f"{option}: {unit.name} has no unit file that a link could lead to; leave out `{option}`")
        for each in unit.dependencies:
            self.dependencies.setdefault(each, []).append(unit.id)
        told = ", ".join(f"{'wanted' if kind == 'Wants' else 'required'} by {name}" for kind, name in unit.dependencies)
        return [f"{states[-1]}, {told}" if states[-1] else told] if told else []

    def _freeze(self, unit: Unit, after: list[str]) -> bool:
        """Freeze or thaw a unit that is not so; returns whether it is to be."""
        frozen, name = bool(self.wish.frozen), unit.name
        state = "frozen" if frozen else "thawed"
        if is_template(name):
            raise BadInput(
                f"name: {name} is a template and cannot be {state}; name an instance such as {name.replace('@.', '@1.')}"
            )
        # What an earlier task would have made would also run.
        expected = unit.missing and self.check_mode
        if not frozen and unit.freezer_state.endswith("-by-parent"):
            raise BadInput(
                f"state: {name} is {unit.freezer_state.partition('-')[0]} together with the slice it is in; thaw that slice"
            )
        if frozen and not expected and is_down(unit.active_state):
            if not self.check_mode:
                raise BadInput(
                    f"state: {name} is {unit.active_state} and cannot be frozen, since only what runs can be; start it first"
                )
            self.down.append(name)
        elif frozen and not expected and not unit.can_freeze:
            raise BadInput(
                f"state: {name} is of a kind that systemd cannot freeze on this host (CanFreeze of the unit); freeze the units that run there"
            )
        if frozen and unit.holds_task:
            raise BadInput(
                f"state: this very task runs in {name}, and would be frozen for ever; name units that the connection to the host is not in"
            )
        if frozen is (unit.freezer_state in ("frozen", "freezing")):
            return False
        self.freezer.append(unit.id)
        after.append(state)
        return True

    def _mask(self, unit: Unit, state: str) -> list[str]:
        """Mask a unit; returns its state afterwards."""
        if state == "transient":
            raise BadInput(f"masked: {unit.name} is a transient unit, which has no unit file to mask")
        if unit.in_the_way:
            raise BadInput(_cannot_mask(unit, self.wish.force))
        self.links["mask"].append(unit.name)
        return ["masked-runtime" if self.wish.runtime else "masked"]

    def _preset(self, unit: Unit, state: str) -> list[str]:
        """Have presets applied where they say something else than is; returns the unit's state afterwards, or nothing."""
        if is_template(unit.name):
            raise BadInput(f"preset: {unit.name} is a template; name the instances that the presets speak of")
        wanted = unit.preset
        enable = wanted == "enabled" and state not in ENABLED and state not in _NOTHING_TO_ENABLE
        if not enable and not (wanted == "disabled" and state in ENABLED):
            return []
        self.links["preset"].append(unit.id)
        return [wanted]

    def _enable(self, unit: Unit, state: str) -> list[str]:
        """Enable or disable a unit where it needs that; returns its state afterwards, or nothing."""
        if unit.leftovers:
            self.leftovers.update(unit.leftovers)
            return [f"{state}, disabled" if state else "disabled"]
        if unit.script and state in ("", "generated"):
            return self._enable_script(unit)
        if self.wish.enabled:
            self._claim_names(unit)
        want = self._enablement(unit, state)
        if not want:
            return []
        self.links[want].append(unit.id if state != "unmasked" else unit.name)
        if want == "enable":
            self._claim(unit)
            told = "enabled-runtime" if self.wish.runtime else "enabled"
            return [f"{told}, with the links that were missing" if state == told else told]
        if unit.linked_from:
            self.warnings.append(
                f"{unit.name} is linked from {unit.linked_from}, and disabling it removes that link too, so that there is no such unit any more"
            )
            return ["disabled and unlinked"]
        return ["disabled"]

    def _enable_script(self, unit: Unit) -> list[str]:
        wanted = bool(self.wish.enabled)
        if unit.script_enabled == wanted:
            return []
        verb = "enable" if wanted else "disable"
        if not unit.has_tool:
            self.warnings.append(
                f"{unit.name} cannot be {verb}d: it is made of the script {unit.script}, and this host has no systemd-sysv-install, "
                "which systemctl calls for these; use update-rc.d or chkconfig"
            )
            return []
        if self.wish.runtime:
            raise BadInput(
                f"runtime: {unit.name} is made of the script {unit.script}, whose links are made for good; leave out `runtime`"
            )
        self.scripts[verb].append(unit.script)
        return [f"{verb}d"]

    def _claim(self, unit: Unit) -> None:
        """Refuse to enable a unit of which another name is taken, as systemd would with half of its links made."""
        masked = "/dev/null" if unit.file_state in ENABLED else None
        for taken in unit.taken:
            alias = os.path.basename(taken.path)
            if (self.wish.force and taken.target) or taken.target == masked:
                continue
            asked = f"which [Install] of {unit.id} asks for too (Alias={alias})"
            if not taken.target:
                raise BadInput(f"enabled: {taken.path} is a unit file in the place of a link {asked}; remove it first")
            what = "a mask" if taken.target == "/dev/null" else f"a link to {taken.target}"
            way = "unmask" if taken.target == "/dev/null" else "disable"
            who = alias if taken.target == "/dev/null" else os.path.basename(taken.target)
            raise BadInput(
                f"enabled: {taken.path} is {what}, in the place of one {asked}; {way} {who} first, or replace the link with `force: true`"
                f"{' of pidone.systemd.unit' if self.files_written else ''}"
            )

    def _claim_names(self, unit: Unit) -> None:
        """Refuse two units that are to have the same name, of which the last one would get it each time."""
        for alias in unit.aliases:
            other = self.aliases.setdefault(alias, unit.id)
            if other != unit.id:
                raise BadInput(
                    f"enabled: {other} and {unit.id} both ask for the name {alias} (Alias= in [Install]), which is that of one unit; "
                    "enable one of them"
                )

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
                # A name that somebody has masked is left alone.
                taken = any(taken.target != "/dev/null" or wish.force for taken in unit.taken)
                return "enable" if unit.lacking or taken else ""
            if state in _NOTHING_TO_ENABLE:
                if state != "alias" or unit.id == unit.name:
                    why = _NOTHING_TO_ENABLE[state] or _generated(unit)
                    self.warnings.append(f"{unit.name} cannot be enabled: {why}")
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
            self.warnings.append(f"{unit.name} cannot be disabled: {_generated(unit)}")
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
        if job is None and unit.missing and self.check_mode and state in _IF_UP:
            # Whoever makes a unit before it is restarted if it runs has it run, as a rule.
            job = JOB_TYPES[state]
        self._can_have(unit, job)
        if job == "reload":
            self._can_reload(unit)
        if job is None:
            after.insert(0, f"{unit.active_state} ({unit.sub_state})")
            return False
        if is_active(unit.active_state):
            self.up.add(unit.id)
        if unit.load_state in _BROKEN and not unit.stale and job != "stop":
            self._cannot_load(unit)
        if unit.linked_from and self.wish.enabled is False and job != "stop":
            raise BadInput(
                f"enabled: disabling {unit.name} removes its link to {unit.linked_from}, so that it cannot be {state}; leave out `enabled`, "
                "or write the unit file to /etc/systemd/system (pidone.systemd.unit_file)"
            )
        if unit.kept_closed_by and job != "stop":
            self.closed[unit.name] = unit.kept_closed_by
        if unit.triggers:
            self.warnings.append(
                f"{unit.name} is stopped, but {short(unit.triggers)} may start it again; stop that as well, or mask the unit"
            )
        up = "inactive (dead), having run" if unit.ends else "active"
        after.insert(0, {"stop": "inactive", "start": up}.get(job, f"{up}, by {job}"))
        self.stale = self.stale or unit.stale
        if unit.service is not None and unit.service.restart == "no":
            self.stay_down.add(unit.id)
        if joins(unit, job):
            self.joined.setdefault(job, []).append(unit.id)
            return False
        self.jobs.setdefault(job, []).append(unit.id)
        return True

    def _can_have(self, unit: Unit, job: str | None) -> None:
        """Refuse jobs that systemd would refuse, before anything is done."""
        gone = unit.load_state == "not-found" and not unit.missing and not self.files_written and not unit.script
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

    def _cannot_load(self, unit: Unit) -> None:
        """A unit with a file that systemd cannot make out is to be started."""
        told = f"its file is for {unit.where} (Where=), and the unit of that path is named {unit.right_name}; rename the file"
        if self.check_mode:
            self.broken.append(f"{unit.name} ({told})" if unit.right_name else unit.name)
        elif unit.right_name:
            raise BadInput(f"state: systemd cannot read the unit file of {unit.name}: {told}")

    def check(self) -> None:
        """Refuse to restart sockets that would stay closed, unless their services are restarted too."""
        restarted = {name for names in self.jobs.values() for name in names}
        for socket, service in self.closed.items():
            if service not in restarted:
                raise BadInput(
                    f"state: {socket} cannot be {self.wish.state} while {service} runs, which it starts: systemd would close the socket and not "
                    f"open it again; name {service} in the same task, or stop it first"
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
                    made.append(Jobs(job, names, self.up, counts, wish.allow_skipped, self.stay_down))
            steps.extend(made)
            if wish.settle > 0:
                steps.extend(Settle(step, wish.settle, wish.settle_told) for step in made if step.type != "stop")

        # A unit is stopped with the commands of the file it was started from, so before that is masked away.
        stale_first = stops and (self.stale or files_written)
        if self.failed:
            steps.append(ResetFailed(self.failed))
        if stops and not stale_first and wish.daemon_reload != "always":
            jobs()
        for verb in ("unmask", "disable", "enable", "preset"):
            links(verb)
        for verb, scripts in self.scripts.items():
            if scripts:
                from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.scripts import ScriptLinks

                steps.append(ScriptLinks(verb, list(dict.fromkeys(scripts))))
        if self.leftovers:
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import RemoveLinks

            steps.append(RemoveLinks(self.leftovers))
        for (kind, target), names in self.dependencies.items():
            from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.steps import AddDependency

            steps.append(AddDependency(kind, target, names, directories, wish.runtime, wish.force))
        links("mask")
        wrote = files_written or bool(self.leftovers or any(self.scripts.values()) or any(self.links.values()))
        wrote = wrote or bool(self.dependencies)
        need = wish.daemon_reload != "never" and (wrote or self.stale)
        if not offline and (need or wish.daemon_reload == "always"):
            steps.append(Reload(counts=wish.daemon_reload == "always"))
        if not stops or stale_first or wish.daemon_reload == "always":
            jobs()
        if self.freezer:
            from ansible_collections.pidone.systemd.plugins.module_utils._engine.freezer import Freeze

            steps.append(Freeze(self.freezer, bool(wish.frozen)))
        plan = Plan(steps, self.changes)
        if self.expected:
            taken = "made and started" if wish.state in _IF_UP else "made"
            plan.warnings.append(
                f"not there yet, and taken for {taken} by an earlier task: {short(list(dict.fromkeys(self.expected)))}"
            )
        if self.absent:
            plan.warnings.append(f"no such unit on this host, so it is as wanted already: {short(self.absent)}")
        if self.down:
            plan.warnings.append(f"not running yet, and taken for started by an earlier task: {short(self.down)}")
        if self.broken:
            plan.warnings.append(
                f"systemd cannot read their files, which are taken for mended by an earlier task: {short(list(dict.fromkeys(self.broken)))}"
            )
        plan.warnings += self.warnings
        return plan


def _generated(unit: Unit) -> str:
    """Why a generated unit is not enabled or disabled."""
    return f"it is generated from {unit.source or 'other configuration, such as /etc/fstab'}, which decides about that"


def _cannot_mask(unit: Unit, force: bool) -> str:
    """The error for what is in the place of a mask."""
    path, link = unit.in_the_way, os.path.islink(unit.in_the_way)
    by_force = ", or replace it with `force: true`" if link and not force else ""
    return (
        f"masked: {path} is {'a link ' if link else ''}in the place of the mask, and systemd leaves it there; "
        f"remove it first (pidone.systemd.unit_file with `state: absent`){by_force}, "
        "or use `enabled: false` and `state: stopped` in place of `masked: true`"
    )


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
