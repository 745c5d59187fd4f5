# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `resource_control` module's task: resource properties of loaded units, by typed value."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.properties import (
    ControlDirectories,
    Setting,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.cgroup_values import (
    agrees,
    attribute_of,
    cgroup_directory,
    controllers,
    in_use,
    read_value,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import Weight
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import (
    CGROUP_TYPES,
    MANAGER_DEFAULTS,
    PROPERTIES,
    bus_names,
    canonical,
    check_devices,
    from_bus,
    is_live,
    is_resource_property,
    is_unset,
    percent_of,
    same,
    shown,
    similar,
    to_data,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    check_file_name,
    check_name,
    is_glob,
    is_template,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY, leading_number
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus, interface_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import UnitFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.resources.plan import (
    UNSET,
    Host,
    Subject,
    Unreadable,
    decide,
    foretell,
    plan_resources,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import not_found, resolve

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


def converge(module: Module) -> dict[str, t.Any]:
    """Bring the units' properties to what the module's options ask for; returns the module's result."""
    params = module.params
    wanted = wanted_from(params["properties"])
    names = [check_name(name, globs=True) for name in params["name"]]
    for name in names:
        if not is_glob(name):
            check_file_name(name, "name", "{}.d", "its directory of drop-ins, where systemd keeps what is set,")
    undoes = all(value is UNSET for value in wanted.values())
    session = open_session(params, may_be_gone=undoes, module=module)
    limits = _trial_limits(params)
    if not names and not params["allow_empty"]:
        raise BadInput("name: the list is empty; name at least one unit, or set `allow_empty: true` where that may be")
    with session:
        manager = session.manager
        if manager.offline:
            raise BadInput("scope: there is no manager behind scope `global`; use `system` or `user`")
        warnings: list[str] = []
        subjects: list[Subject] = []
        host: Host | None = None
        watch = None
        if limits is not None:
            from ansible_collections.pidone.systemd.plugins.module_utils._tasks.resources.trial import Trial

            def watch(tried: list[Setting]) -> Step:
                groups = {subject.id: subject.control_group for subject in subjects}
                units = [(setting.unit, groups[setting.unit], tuple(setting.after)) for setting in tried]
                return Trial(units, limits, session.owner)

        def make_plan() -> Plan:
            nonlocal host
            warnings.clear()
            statuses, matched, expected = _find(manager, names, params["allow_empty"], module.check_mode, undoes)
            if expected:
                warnings.append(f"not there yet, and taken for made by an earlier task: {short(expected)}")
            host = _host(manager, wanted)
            host.controllers = controllers(session.owner)
            _check_version(wanted, host.version)
            subjects[:] = read(manager, statuses, list(wanted), host, session.owner)
            if params["persist"] == "true":
                subjects[:] = _lasting(subjects, matched, wanted, host, warnings)
            plan = plan_resources(subjects, wanted, params["persist"], host, watch)
            foretell(plan, expected, wanted, params["persist"])
            return plan

        plan, ctx, changed = bring_about(module, session, make_plan, rollback=True, guarded=limits is not None)
        host = t.cast(Host, host)
        before = {subject.id: subject for subject in subjects}
        if plan.steps and not module.check_mode:
            host.files.forget()
            statuses = _statuses(manager, [subject.id for subject in subjects])
            subjects = read(manager, statuses, list(wanted), host, session.owner)
        units = _report(subjects, before, plan, wanted, host, module.check_mode, params["persist"], warnings)
    result: dict[str, t.Any] = {
        "changed": changed,
        "units": units,
        "warnings": warnings + plan.warnings + ctx.warnings,
    }
    trials = [step for step in plan.steps if hasattr(step, "observed")]
    if trials and not module.check_mode:
        result["trial"] = trials[0].observed
    return {**result, **plan.report(module._diff)}


def wanted_from(properties: dict[str, t.Any]) -> dict[str, t.Any]:
    """Canonical values of what a user wrote, UNSET for the empty ones.

    :raises BadInput: a name is no resource property, systemd cannot change it on a loaded unit, or a value is none for it.
    """
    if not properties:
        raise BadInput("properties: there are none; name at least one, such as `CPUQuota: 50%`")
    wanted: dict[str, t.Any] = {}
    for name, value in properties.items():
        if not is_resource_property(name):
            near = similar(str(name))
            hint = (
                f"did you mean {' or '.join(near)}?" if near else "see systemd.resource-control(5) for those there are"
            )
            raise BadInput(
                f"properties: {name!r} is no resource property that systemd can change on a loaded unit; {hint}"
            )
        if not is_live(name):
            raise BadInput(
                f"properties: {name}: systemd cannot change it on a loaded unit; write it into a drop-in with "
                "pidone.systemd.unit_file and restart the unit"
            )
        if is_unset(value):
            wanted[name] = UNSET
        else:
            wanted[name] = canonical(name, value)
            check_devices(name, wanted[name])
    return wanted


def _check_version(wanted: dict[str, t.Any], version: str) -> None:
    number = leading_number(version)
    number = 1000 if number is None else number
    for name, value in wanted.items():
        if value is UNSET:
            continue
        if number < 252 and value == 0 and isinstance(PROPERTIES[name].kind, Weight):
            raise BadInput(f"properties: {name}: systemd {number} does not know `idle`, which came with 252; write 1")
        if number < 248 and percent_of(name, value) % 10:
            raise BadInput(
                f"properties: {name}: systemd {number} takes one decimal of a percentage, not the two of {shown(name, value)}"
            )


def _trial_limits(params: dict[str, t.Any]) -> dict[str, t.Any] | None:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import parse_percent

    # Also where nothing is tried: they may be for a trial that comes later.
    throttled = parse_percent(params["trial_throttled"], "trial_throttled") / 10000
    stalled = parse_percent(params["trial_stalled"], "trial_stalled") / 10000
    if params["trial"] is None:
        return None
    usec = parse_timespan(params["trial"], "trial")
    if not 0 < usec < INFINITY:
        raise BadInput(f"trial: {params['trial']!r} is no time to try anything in; write one such as 30s")
    return {
        "seconds": usec / 1e6,
        "told": format_timespan(usec),
        "throttled": throttled,
        "stalled": stalled,
    }


def _find(
    manager: UnitManager,
    names: t.Sequence[str],
    allow_empty: bool,
    check_mode: bool,
    undoes: bool = False,
) -> tuple[list[UnitStatus], set[str], list[str]]:
    """The states of all units that are named, each once, refusing those that have no resource properties.

    Also the names of those that only a pattern names, and of those that check mode expects of an earlier task.

    :param undoes: no limits are wanted; of a unit that is gone, those that were set for good may be left.
    """
    found = resolve(manager, names, allow_empty)
    for name in found:
        if is_template(name):
            stem, _at, suffix = name.partition("@")
            raise BadInput(
                f"name: {name} is a template, which has nothing to limit; name its instances ({stem}@1{suffix}, "
                f"{stem}@*{suffix}), or write the properties into the template with pidone.systemd.unit_file"
            )
    given = {name for name in names if name in found}
    statuses: dict[str, UnitStatus] = {}
    plain: set[str] = set()
    expected: list[str] = []
    for name, status in zip(found, manager.status(found)):
        if name in given:
            plain.add(status.id)
        if unit_type(status.id) not in CGROUP_TYPES:
            if name not in given:
                continue
            raise BadInput(
                f"name: {name} is a {unit_type(name)} unit, which has no processes and so no resource properties; "
                f"only units of type {', '.join(CGROUP_TYPES)} have"
            )
        if undoes and _is_gone(manager, status):
            statuses[status.id] = status
        elif _is_gone(manager, status):
            if not check_mode:
                raise not_found([name], manager)
            expected.append(name)
        elif status.load_state in ("loaded", "not-found"):
            statuses[status.id] = status
        elif name in given:
            hint = "unmask it first" if status.load_state == "masked" else f"see `systemctl status {name}`"
            raise BadInput(f"name: {name} is {status.load_state}, so that its properties cannot be set; {hint}")
    return list(statuses.values()), statuses.keys() - plain, expected


def _is_gone(manager: UnitManager, status: UnitStatus) -> bool:
    """Whether systemd has nothing of the unit that could be read or set."""
    return manager.absent or (status.load_state == "not-found" and status.active_state == "inactive")


def _lasting(
    subjects: t.Sequence[Subject], matched: set[str], wanted: dict[str, t.Any], host: Host, warnings: list[str]
) -> list[Subject]:
    """The units without those of which nothing can last: which of these are there just now is no business of a pattern."""
    kept, passed = [], []
    for subject in subjects:
        if (
            subject.id in matched
            and subject.is_transient
            and any(decide(subject, name, value, "runtime", host) for name, value in wanted.items())
        ):
            passed.append(subject.id)
        else:
            kept.append(subject)
    if passed:
        warnings.append(
            f"{short(passed)} {'was' if len(passed) == 1 else 'were'} made at run time, so that nothing can last there; "
            "a pattern passes over such units unless `persist: runtime` is given"
        )
    return kept


def _statuses(manager: UnitManager, names: t.Sequence[str]) -> list[UnitStatus]:
    statuses: list[UnitStatus] = manager.status(names)
    return statuses


def _host(manager: UnitManager, wanted: dict[str, t.Any]) -> Host:
    asked = [name for name in wanted if name in MANAGER_DEFAULTS]
    values = manager.manager_properties(["UnitPath", "Version", *(MANAGER_DEFAULTS[name] for name in asked)])
    files = UnitFiles(values[0] or (), wanted)
    return Host(files, ControlDirectories.of(files.paths), dict(zip(asked, values[2:])), str(values[1] or ""))


def read(
    manager: UnitManager, statuses: t.Sequence[UnitStatus], names: t.Sequence[str], host: Host, owner: int | None = None
) -> list[Subject]:
    """Fetch the properties of all units in one round trip, and look into their files and control groups.

    :param owner: the user whose manager it is; None for the system's.
    :raises BadInput: a property is not known to this version or for this type of unit.
    """
    fields = [(name, bus_names(name)) for name in names]
    asked = []
    for status in statuses:
        face = interface_of(status.id)
        asked += [(status.path, UNIT, "Names"), (status.path, face, "ControlGroup")]
        asked += [(status.path, face, bus) for _name, buses in fields for bus in buses]
        if "DevicePolicy" in names:
            asked.append((status.path, face, "PrivateDevices"))
    values = iter(manager.properties(asked))
    subjects = []
    # What answers come to; those of many units are alike.
    known: dict[tuple[t.Any, ...], t.Any] = {}

    def value_of(name: str, found: list[t.Any]) -> t.Any:
        key = (name, *[tuple(each) if isinstance(each, list) else each for each in found])
        try:
            if key not in known:
                known[key] = from_bus(name, found)
        except TypeError:
            # Lists in lists.
            return from_bus(name, found)
        return known[key]

    for status in statuses:
        aliases, control_group = [name for name in next(values) or () if name != status.id], next(values) or ""
        if aliases:
            host.files.aliases[status.id] = sorted(aliases)
        live = {}
        gone = _is_gone(manager, status)
        for name, buses in fields:
            found = [next(values) for dummy in buses]
            if gone:
                continue
            if found[0] is None:
                raise BadInput(
                    f"properties: {name}: systemd {host.version.partition(' ')[0]} has no such property for units of type "
                    f"{unit_type(status.id)} ({status.id}); leave it out on hosts like this one"
                )
            live[name] = value_of(name, found)
        subject = Subject(status, live, control_group)
        subject.private_devices = "DevicePolicy" in names and bool(next(values))
        subject.fragment = host.files.fragment(status.id)
        subject.texts, subject.lasting = host.files.both(status.id)
        if gone:
            told = {name: host.file_value(subject, name, subject.texts) for name in names}
            subject.live = {name: None if isinstance(value, Unreadable) else value for name, value in told.items()}
        directory = cgroup_directory(control_group, owner)
        subject.kernel = {name: read_value(directory, name) for name in names}
        subject.in_use = functools.partial(in_use, directory)
        subjects.append(subject)
    return subjects


def _report(
    subjects: t.Sequence[Subject],
    before: dict[str, Subject],
    plan: Plan,
    wanted: dict[str, t.Any],
    host: Host,
    check_mode: bool,
    persist: str,
    warnings: list[str],
) -> list[dict[str, t.Any]]:
    touched = {change.name for change in plan.changes}
    words: dict[tuple[t.Any, ...], tuple[str, t.Any]] = {}

    def told(name: str, value: t.Any) -> tuple[str, t.Any]:
        # In words and as data. Many units have the same.
        key = (name, type(value), value, getattr(value, "permyriad", None))
        if key not in words:
            words[key] = shown(name, value), to_data(name, value)
        return words[key]

    planned: dict[str, dict[str, t.Any]] = {}
    if check_mode and touched:
        for subject in subjects:
            decisions = (decide(subject, name, value, persist, host) for name, value in wanted.items())
            planned[subject.id] = {decision.name: decision.value for decision in decisions if decision}
    units = []
    refused: dict[tuple[str, str, str], list[str]] = {}
    for subject in subjects:
        properties = {}
        for name in wanted:
            was = before[subject.id].live[name]
            now = planned.get(subject.id, {}).get(name, subject.live[name])
            if isinstance(now, Unreadable):
                now = None
            elif wanted[name] is not UNSET and same(now, wanted[name]):
                # As it was asked for: `50%` rather than the bytes that this is.
                now = wanted[name]
            files = host.file_value(subject, name, subject.texts)
            text, kernel = subject.kernel[name]
            loaded = subject.live[name]
            found = subject.texts.get(name)
            agreed = agrees(name, loaded, kernel)
            if not agreed and wanted[name] is not UNSET and same(loaded, wanted[name]):
                refused.setdefault((name, shown(name, wanted[name]), text or ""), []).append(subject.id)
            drift = not agreed or (files is not None and not subject.is_so(name, files))
            (before_text, before_value), (after_text, after_value) = told(name, was), told(name, now)
            properties[name] = {
                "before": before_text,
                "after": after_text,
                "before_value": before_value,
                "after_value": after_value,
                "files": str(files) if isinstance(files, Unreadable) else told(name, files)[0],
                "path": found[-1].path if found else None,
                "loaded": told(name, loaded)[0],
                "cgroup": text,
                "drift": drift,
            }
        units.append(
            {
                "name": subject.id,
                "changed": subject.id in touched,
                "active_state": subject.status.active_state,
                "drift": any(entry["drift"] for entry in properties.values()),
                "properties": properties,
            }
        )
    for (name, value, text), names in refused.items():
        # CPUs that the host does not have, for example: of those the kernel takes none.
        warnings.append(
            f"{name}: systemd has {value} for {short(names)}, but the kernel does not: its {attribute_of(name)} is {text!r}"
        )
    return units
