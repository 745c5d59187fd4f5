# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `manager` and `manager_info` modules' tasks: the service manager itself."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import (
    Change,
    Context,
    Note,
    Plan,
    Step,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.everybody import open_reading, read_managers
from ansible_collections.pidone.systemd.plugins.module_utils._engine.manager_was import (
    EnvironmentWas,
    SettingWas,
    set_logging,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.read_again import Reexecute
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs, Reload, UnitFileLinks
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import MANAGER, MANAGER_PATH
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import ARGUMENT_BYTES
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT, explain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    check_name,
    is_template,
    python_pattern,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits, is_variable
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.manager.presets import differing

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued

LOG_LEVELS = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
# env_value_is_valid() of systemd: no control characters but tab and line break. A line break comes out of no list of
# NAME=VALUE lines as it went in, so none of that either.
_NOT_IN_VARIABLES = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
# One argument or variable of a process is 128 KiB at most, its end included (execve(2)). Units may add to a variable.
_LONGEST_VARIABLE = ARGUMENT_BYTES // 2
# All arguments and variables of a process together are a quarter of its stack, 2 MiB by default.
_LARGEST_ENVIRONMENT = 1024 * 1024
LOG_TARGETS = ["console", "journal", "kmsg", "journal-or-kmsg", "auto", "null"]


class SetDefaultTarget(UnitFileLinks):
    """Set what is booted into: the link default.target."""

    def __init__(self, after: str, directories: t.Sequence[str]) -> None:
        super().__init__("set-default", ["default.target"], directories)
        self._after = after

    def describe(self) -> str:
        return f"set-default {self._after}"

    def _change(self, ctx: Context) -> list[t.Any]:
        changes: list[t.Any] = ctx.manager.set_default_target(self._after)
        return changes


class SetEnvironment(Step):
    """Set and unset variables that every process started from now on gets."""

    def __init__(self, before: dict[str, str], assign: dict[str, str], unset: t.Sequence[str]) -> None:
        super().__init__((*assign, *unset))
        self._assign, self._unset = assign, list(unset)
        self._was = EnvironmentWas(
            {name: before.get(name) for name in self.names}, {name: assign.get(name) for name in self.names}
        )

    def describe(self) -> str:
        words = [f"set {name}" for name in self._assign] + [f"unset {name}" for name in self._unset]
        return ", ".join(words)

    def foretell(self) -> list[Note]:
        return [self._was]

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, self._was)
        ctx.manager.change_environment(self._unset, self._assign)
        return True


class SetLogging(Step):
    """Set LogLevel or LogTarget until the next boot."""

    def __init__(self, name: str, before: str, after: str) -> None:
        super().__init__((name,))
        self._name, self._after = name, after
        self._was = SettingWas(name, before, after)

    def describe(self) -> str:
        return f"set {self._name} to {self._after}"

    def foretell(self) -> list[Note]:
        return [self._was]

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, self._was)
        set_logging(ctx.manager, self._name, self._after)
        return True


class CancelJobs(Step):
    """Take jobs out of systemd's queue. There is no way back: who made them is told that they are gone.

    :param jobs: their numbers and units.
    """

    def __init__(self, jobs: t.Mapping[int, str]) -> None:
        super().__init__(list(jobs.values()))
        self._jobs = dict(jobs)

    def describe(self) -> str:
        return f"cancel the {'job' if len(self._jobs) == 1 else 'jobs'} of {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        calls = [Call(MANAGER_PATH, MANAGER, "CancelJob", "u", (number,)) for number in self._jobs]
        ended = 0
        for name, reply in zip(self.names, ctx.manager.ask(calls)):
            if isinstance(reply, CallFailed):
                if not reply.name.endswith(".NoSuchJob"):
                    raise explain(reply, f"cancel the job of {name}")
                # Before it could be canceled, or with one that it depends on.
                ended += 1
        return ended < len(self._jobs) or len(self._jobs) > 1


class Isolate(Jobs):
    """Start a unit and stop everything that it does not need."""

    # What was stopped is not known one by one, so there is no way back.
    undoable = False

    def __init__(self, name: str) -> None:
        super().__init__("start", [name])

    def describe(self) -> str:
        return f"isolate {self.names[0]}"

    def enqueue(self, ctx: Context) -> list[Enqueued]:
        return ctx.manager.enqueue([(name, "start") for name in self.names], "isolate")


def converge(module: Module) -> dict[str, t.Any]:
    """Bring the manager to what the module's options ask for; returns the module's result."""
    params = module.params
    session = open_session(params, may_be_gone=_only_undoes(params), module=module)
    for option in ("default_target", "isolate"):
        if params[option] is not None:
            params[option] = _target(params[option], option)
    params["cancel_jobs"] = [_job(text, f"cancel_jobs[{at}]") for at, text in enumerate(params["cancel_jobs"] or ())]
    with session:
        manager = session.manager
        if manager.offline:
            _check_offline(params)
        plan, _ctx, changed = bring_about(module, session, lambda: _plan(session, params))
    return {"changed": changed, "warnings": plan.warnings, **plan.report(module._diff)}


def _only_undoes(params: dict[str, t.Any]) -> bool:
    """Whether variables are unset and jobs canceled, and nothing else is asked for."""
    others = ("default_target", "isolate", "log_level", "log_target", "reexec", "preset_all")
    values = (params["environment"] or {}).values()
    return (
        bool(values or params["cancel_jobs"])
        and all(value is None for value in values)
        and not any(params[option] for option in others)
        and params["daemon_reload"] != "always"
    )


def _target(name: str, option: str) -> str:
    full = check_name(name if unit_type(name) else f"{name}.target", option)
    if unit_type(full) != "target" and option == "default_target":
        raise BadInput(f"{option}: {full} is no target; name one such as multi-user.target")
    if is_template(full):
        raise BadInput(f"{option}: {full} is a template; name an instance such as {full.replace('@.', '@1.')}")
    return full


def _check_offline(params: dict[str, t.Any]) -> None:
    where = "root" if params.get("root") else "scope"
    if where == "scope":
        raise BadInput("scope: there is no manager behind scope `global`; use `system` or `user`")
    for option in ("reexec", "environment", "log_level", "log_target", "isolate", "cancel_jobs"):
        if params[option]:
            raise BadInput(
                f"{option}: nothing runs where `root` points; only `default_target` and `preset_all` can be used there"
            )


def _plan(session: Session, params: dict[str, t.Any]) -> Plan:
    manager = session.manager
    steps: list[Step] = []
    changes: list[Change] = []
    warnings: list[str] = []
    if params["cancel_jobs"]:
        _plan_jobs(manager, params["cancel_jobs"], steps, changes)
    if params["preset_all"] is not None:
        found, warnings = differing(manager, params["preset_all"])
        if found:
            steps.append(UnitFileLinks("preset", [each.name for each in found], manager.link_directories()))
            changes += [Change(*each) for each in found]
    target = params["default_target"]
    if target is not None:
        before = manager.default_target()
        if before != target:
            if not manager.absent and not manager.unit_file_states([target])[0]:
                raise BadInput(f"default_target: there is no unit {target} on this host")
            steps.append(SetDefaultTarget(target, manager.link_directories()))
            changes.append(Change("default target", before or "none", target))
    if manager.offline:
        return _with(Plan(steps, changes), warnings)
    _plan_environment(manager, params["environment"] or {}, steps, changes)
    for option, name in (("log_level", "LogLevel"), ("log_target", "LogTarget")):
        wanted, before = params[option], manager.manager_property(name)
        if wanted is not None and before != wanted:
            steps.append(SetLogging(name, before, wanted))
            changes.append(Change(name, before or "unknown", wanted))
    if params["reexec"]:
        steps.append(Reexecute())
    elif params["daemon_reload"] == "always" or (
        params["daemon_reload"] == "auto"
        and (any(isinstance(step, UnitFileLinks) for step in steps) or manager.any_stale())
    ):
        steps.append(Reload())
    if params["isolate"] is not None:
        status = manager.status([params["isolate"]])[0]
        if status.load_state == "not-found" and not manager.absent:
            raise BadInput(f"isolate: there is no unit {params['isolate']} on this host")
        if not manager.absent and not manager.properties([(status.path, UNIT, "AllowIsolate")])[0]:
            raise BadInput(
                f"isolate: {status.id} does not allow it, as everything it does not need would be stopped; "
                "a unit that is meant for it has AllowIsolate=yes"
            )
        if status.active_state != "active":
            steps.append(Isolate(status.id))
            changes.append(Change(status.id, f"{status.active_state} ({status.sub_state})", "active, isolated"))
    return _with(Plan(steps, changes), warnings)


def _with(plan: Plan, warnings: t.Sequence[str]) -> Plan:
    plan.warnings += warnings
    return plan


def _job(text: str, option: str) -> str:
    """The number of a job, or the name or pattern of the units whose jobs are meant.

    :raises BadInput: it is none.
    """
    return text if is_digits(text) else check_name(text, option, globs=True)


def _plan_jobs(manager: UnitManager, wanted: t.Sequence[str], steps: list[Step], changes: list[Change]) -> None:
    patterns = [python_pattern(text) for text in wanted if not is_digits(text)]
    jobs = [
        job
        for job in manager.list_jobs()
        if str(job["id"]) in wanted or any(fnmatch.fnmatchcase(job["unit"], pattern) for pattern in patterns)
    ]
    if jobs:
        steps.append(CancelJobs({job["id"]: job["unit"] for job in jobs}))
        changes += [Change(job["unit"], f"job {job['type']} ({job['state']})", "job canceled") for job in jobs]


def _plan_environment(manager: UnitManager, wanted: dict[str, t.Any], steps: list[Step], changes: list[Change]) -> None:
    before = manager.environment()
    assign, unset = {}, []
    for name, value in wanted.items():
        if not is_variable(name):
            raise BadInput(f"environment: {shown(name)} is no name of a variable; use letters, digits and _")
        if isinstance(value, (dict, list)):
            raise BadInput(
                f"environment: {name}: {shown(value)} is no text; join it into one, as the variable is to hold it"
            )
        text = "" if value is None else str(value)
        control = _NOT_IN_VARIABLES.search(text)
        if control:
            raise BadInput(
                f"environment: {name}: {shown(text)} holds the control character {control.group()!r}, which systemd takes in no "
                "variable of its own; take it out, or give it to the service that needs it, with Environment="
            )
        if name == "PATH" and value is not None and not text.strip(":"):
            raise BadInput(
                "environment: PATH: is empty, with which services that are started from then on would find no program; write "
                "directories, or null to set it no more"
            )
        if len(f"{name}={text}".encode()) > _LONGEST_VARIABLE:
            raise BadInput(
                f"environment: {shown(name)}: is longer than the {_LONGEST_VARIABLE} bytes that may be given to every process, "
                "of which Linux starts none with more than 128 KiB in one variable; write it to a file, and name that"
            )
        if value is None:
            if name in before:
                unset.append(name)
        elif before.get(name) != str(value):
            assign[name] = str(value)
    after = {name: value for name, value in {**before, **assign}.items() if name not in unset}
    size = sum(len(f"{name}={value}".encode("utf-8", "surrogateescape")) + 1 for name, value in after.items())
    if assign and size > _LARGEST_ENVIRONMENT:
        raise BadInput(
            f"environment: would be {size} bytes in all, more than the {_LARGEST_ENVIRONMENT} that leave room for the arguments of "
            "every process; set fewer or shorter variables"
        )
    if assign or unset:
        steps.append(SetEnvironment(before, assign, unset))
        for name in (*assign, *unset):
            changes.append(Change(f"environment {name}", before.get(name, "not set"), assign.get(name, "not set")))


_FACTS = {
    "version": "Version",
    "features": "Features",
    "state": "SystemState",
    "architecture": "Architecture",
    "virtualization": "Virtualization",
    "tainted": "Tainted",
    "log_level": "LogLevel",
    "log_target": "LogTarget",
    "n_units": "NNames",
    "n_failed_units": "NFailedUnits",
    "n_jobs": "NJobs",
    "n_installed_jobs": "NInstalledJobs",
    "n_failed_jobs": "NFailedJobs",
}
_BOOT = {
    "firmware": "FirmwareTimestampMonotonic",
    "loader": "LoaderTimestampMonotonic",
    "kernel": "KernelTimestampMonotonic",
    "initrd": "InitRDTimestampMonotonic",
    "userspace": "UserspaceTimestampMonotonic",
    "security_start": "SecurityStartTimestampMonotonic",
    "security_finish": "SecurityFinishTimestampMonotonic",
    "generators_start": "GeneratorsStartTimestampMonotonic",
    "generators_finish": "GeneratorsFinishTimestampMonotonic",
    "units_load_start": "UnitsLoadStartTimestampMonotonic",
    "units_load_finish": "UnitsLoadFinishTimestampMonotonic",
    "finish": "FinishTimestampMonotonic",
}
_ACTIVATION = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic", "InactiveEnterTimestampMonotonic")


def gather(module: Module) -> dict[str, t.Any]:
    """Read facts about the manager; returns the module's result."""
    return read_managers(module, _gather)


def _gather(params: dict[str, t.Any], foretells: Module | None) -> dict[str, t.Any]:
    with open_reading(params, foretells) as session, session.reading():
        manager = session.manager
        if manager.offline:
            raise BadInput("scope: there is no manager behind scope `global`; use `system` or `user`")
        values = manager.manager_properties([*_FACTS.values(), *_BOOT.values()])
        facts: dict[str, t.Any] = dict(zip(_FACTS, values))
        facts["features"] = (facts["features"] or "").split()
        facts["tainted"] = [word for word in (facts["tainted"] or "").split(":") if word]
        facts["default_target"] = manager.default_target()
        facts["environment"] = manager.environment()
        facts["failed_units"] = [status.id for status in manager.list_units(states=["failed"])]
        facts["jobs"] = manager.list_jobs()
        boot = {name: value for name, value in zip(_BOOT, values[len(_FACTS) :]) if value}
        facts["boot"] = {"timestamps": boot, "finished": "finish" in boot}
        if params["unit_times"]:
            facts["boot"]["units"] = _unit_times(manager)
    return {"changed": False, "manager": facts}


def _unit_times(manager: UnitManager) -> list[dict[str, t.Any]]:
    """Per unit, when it began to be activated last and how long that took, the slowest first; as systemd-analyze blame."""
    units = manager.list_units()
    values = iter(manager.properties([(status.path, UNIT, name) for status in units for name in _ACTIVATION]))
    times = []
    for status in units:
        begun, up, ended = (next(values) or 0 for dummy in _ACTIVATION)
        # Oneshots are done without ever having been up.
        done = up if up >= begun else ended
        if begun and done >= begun:
            times.append({"name": status.id, "activating_usec": begun, "active_usec": done, "took_usec": done - begun})
    return sorted(times, key=lambda entry: (-entry["took_usec"], entry["name"]))
