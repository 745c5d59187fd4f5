# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `unit_info` module's task."""

from __future__ import annotations

import os
import re
import sys
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, get_property
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.everybody import (
    open_reading,
    read_managers,
    refuse_for_machines,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import (
    BadInput,
    SystemdError,
    become_hint,
    short,
    shown,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.data import to_data
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import MANAGER, MANAGER_PATH, UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name, is_glob
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import (
    COMMON_STATES,
    UnitStatus,
    interface_of,
    is_active,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import (
    ENABLED,
    Unit,
    read,
    resolve,
    unit_file_and_dropins,
    without_aliases,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

DEPENDENCIES = (
    "Requires", "Requisite", "Wants", "BindsTo", "PartOf", "Upholds", "RequiredBy", "RequisiteOf", "WantedBy", "BoundBy",
    "ConsistsOf", "UpheldBy", "Conflicts", "ConflictedBy", "Before", "After", "OnFailure", "OnSuccess", "Triggers",
    "TriggeredBy",
)  # fmt: skip
_FILES = ("FragmentPath", "DropInPaths", "SourcePath")
# States of all versions that are asked for most; whether another one exists costs a program to find out.
_COMMON_STATES = frozenset(("loaded", "not-found", "masked", "running", "exited", "dead", *COMMON_STATES))

# Units whose properties are asked for together: enough that round trips do not count, and few enough that what systemd
# answers, which takes ten times the place of what is kept of it, does not add up.
_BATCH = 100
# The same for few and short properties.
_MANY = 500
# From as many units on, a look at all files costs less than three questions for each unit.
_MANY_FILES = 30
# Of a result; Ansible makes several copies of it in memory, on the host and on the controller.
_LARGEST = 16_000_000
# Names of members on D-Bus, as far as systemd makes use of them.
_PROPERTY = re.compile("[A-Za-z][A-Za-z0-9_]{0,254}")

# How directives begin that are told together, in one property.
_GROUPED = (
    ("Condition", "Conditions"),
    ("Assert", "Asserts"),
    ("Listen", "Listen"),
    ("OnCalendar", "TimersCalendar"),
    ("On", "TimersMonotonic"),
    ("Path", "Paths"),
)

# Options to which a container's manager has no answer.
_NOT_OF_MACHINES = (
    ("diagnosis", "logs and files are read for it, which are not on this host"),
    ("listeners", "the container's numbers of processes are others on this host"),
)

_Loaded = t.Sequence[t.Tuple[UnitStatus, t.Dict[str, t.Any]]]


def gather(module: Module) -> dict[str, t.Any]:
    """Read what the module's options ask for; returns the module's result."""
    params = module.params
    names = [check_name(name, globs=True) for name in params["name"] or ()]
    for index, name in enumerate(params["properties"] or ()):
        if not _PROPERTY.fullmatch(name):
            raise BadInput(
                f"properties[{index}]: {shown(name)} is no name of a property; names are those of D-Bus, as `systemctl show` "
                "prints most of them, and `all` reads all of them"
            )
    refuse_for_machines(params, _NOT_OF_MACHINES)

    def read_one(params: dict[str, t.Any], foretells: Module | None) -> dict[str, t.Any]:
        try:
            return _gather(params, foretells, names)
        except BusTimeout as e:
            who = f"the manager of the machine {shown(params['machine'])}" if params.get("machine") else "systemd"
            raise SystemdError(
                f"timeout: {who} did not answer within {params['timeout']}; give more time, or ask for less"
            ) from e

    return read_managers(module, read_one, "units")


def _gather(params: dict[str, t.Any], foretells: Module | None, names: list[str]) -> dict[str, t.Any]:
    with open_reading(params, foretells) as session, session.reading():
        manager = session.manager
        if manager.offline:
            return _gather_offline(manager, ["*"] if params["name"] is None else names, params)
        _check_states(params["states"])
        asked = () if params["name"] is None else [name for name in names if not is_glob(name)]
        result: dict[str, t.Any] = {"changed": False, "warnings": []}
        statuses: dict[str, UnitStatus] = {}
        files: dict[str, str] = {}
        if params["name"] is None:
            statuses = {status.id: status for status in manager.list_units() if status.load_state != "not-found"}
            names = list(statuses)
        resolved = resolve(manager, names, allow_empty=True, statuses=statuses)
        units = without_aliases(read(manager, resolved, file_states=True, statuses=statuses, files=files), names)
        if params["states"]:
            wanted = set(params["states"])
            units = [u for u in units if u.status and wanted & {u.load_state, u.active_state, u.sub_state}]
        entries = [_summary(unit) for unit in units]
        loaded = [(unit.status, entry) for unit, entry in zip(units, entries) if unit.status]
        _add_files(manager, loaded, files)
        for unit, entry in zip(units, entries):
            if not unit.status and manager.has_files:
                _add_files_on_disk(manager, unit, entry)
        if params["dependencies"]:
            _add_dependencies(manager, loaded)
        if params["properties"] and not manager.absent:
            _add_properties(manager, loaded, params["properties"])
        if (params["processes"] or params["listeners"]) and not manager.absent:
            _add_processes(manager, loaded, params["processes"], params["listeners"], result["warnings"])
        if params["sockets"] and not manager.absent:
            from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.sockets import add_sockets

            add_sockets(manager, loaded)
        if params["diagnosis"]:
            result.update(_diagnose(manager, loaded, asked, session.deadline, result["warnings"]))
    result["units"] = entries
    return result


def _diagnose(
    manager: UnitManager, loaded: _Loaded, names: t.Sequence[str], deadline: float, warnings: list[str]
) -> dict[str, t.Any]:
    """Add why units are down; returns that as text, for the result.

    :param names: those that were asked for, without patterns.
    """
    if manager.absent:
        return {"msg": ""}
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.diagnosis import diagnose

    statuses = {status.id: status for status, _entry in loaded}
    named = {status.id for status, entry in loaded if entry["name"] in names}
    found, text = diagnose(manager, list(statuses.values()), named, deadline, warnings)
    for status, entry in loaded:
        if status.id in found:
            entry["diagnosis"] = found[status.id]
    return {"msg": text}


def _check_states(states: t.Sequence[str]) -> None:
    """Refuse what is no state in this version of systemd, which nothing would ever be in.

    :raises BadInput: naming it.
    """
    if _COMMON_STATES.issuperset(states):
        return
    # No call of the bus tells which sub states there are in this version.
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

    try:
        told = run_program(["systemctl", "--state=help"], 30.0).stdout.decode("ascii", "replace")
    except SystemdError:
        return
    known: set[str] = set()
    for block in told.split("\n\n"):
        title, _end, listed = block.partition("\n")
        if "unit file states" not in title:
            known.update(listed.split())
    unknown = [state for state in states if state not in known]
    if "active" in known and unknown:
        raise BadInput(
            f"states: {short([shown(state) for state in unknown], 20)} is no load, active or sub state of units; "
            "`systemctl --state=help` prints them all"
        )


def _gather_offline(manager: UnitManager, names: t.Sequence[str], params: dict[str, t.Any]) -> dict[str, t.Any]:
    for option in ("properties", "processes", "dependencies", "states", "diagnosis", "sockets", "listeners"):
        if params[option]:
            where = "root" if params.get("root") else "scope"
            raise BadInput(f"{option}: nothing runs where `{where}` points, so there is nothing to ask; leave it out")
    units = without_aliases(read(manager, resolve(manager, names, allow_empty=True), file_states=True), names)
    entries = [_summary(unit) for unit in units]
    for unit, entry in zip(units, entries):
        _add_files_on_disk(manager, unit, entry)
    return {"changed": False, "units": entries}


def _summary(unit: Unit) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {
        "name": unit.name,
        "id": unit.id,
        "exists": not unit.missing,
        "active": is_active(unit.active_state),
        "failed": unit.active_state == "failed",
        "enabled": unit.file_state in ENABLED,
        "unit_file_state": unit.file_state or "",
    }
    if unit.status:
        entry["description"] = unit.status.description
        entry["load_state"] = unit.status.load_state
        entry["active_state"] = unit.status.active_state
        entry["sub_state"] = unit.status.sub_state
        if unit.status.job_id:
            entry["job"] = {"id": unit.status.job_id, "type": unit.status.job_type}
    return entry


def _add_files(manager: UnitManager, loaded: _Loaded, files: t.Mapping[str, str]) -> None:
    """Add which files units are made of.

    :param files: of units that are one file alone, its path; systemd has read that where nothing has changed since.
    """
    plain = [status.id for status, entry in loaded if status.load_state == "loaded" and entry["name"] in files]
    fresh: set[str] = set()
    if len(plain) >= _MANY_FILES:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.freshness import surely_fresh

        fresh = surely_fresh(manager, plain)
    ask = []
    for status, entry in loaded:
        if status.id in fresh and status.id == entry["name"]:
            entry["fragment_path"] = files[status.id]
            entry["dropin_paths"] = []
        else:
            ask.append((status, entry))
    for start in range(0, len(ask), _MANY):
        batch = ask[start : start + _MANY]
        values = iter(manager.properties([(status.path, UNIT, name) for status, _entry in batch for name in _FILES]))
        for _status, entry in batch:
            entry["fragment_path"] = next(values) or ""
            entry["dropin_paths"] = list(next(values) or ())
            source = next(values)
            if source:
                entry["source_path"] = source


def _add_files_on_disk(manager: UnitManager, unit: Unit, entry: dict[str, t.Any]) -> None:
    files = unit_file_and_dropins(manager, unit.name)
    entry["fragment_path"] = files[0] if files else ""
    entry["dropin_paths"] = files[1:]


def _add_dependencies(manager: UnitManager, loaded: _Loaded) -> None:
    for start in range(0, len(loaded), _BATCH):
        batch = loaded[start : start + _BATCH]
        wanted = [(status.path, UNIT, name) for status, _entry in batch for name in DEPENDENCIES]
        values = iter(manager.properties(wanted))
        for _status, entry in batch:
            found = {name: next(values) for name in DEPENDENCIES}
            entry["dependencies"] = {name: list(value) for name, value in found.items() if value}


def _add_properties(manager: UnitManager, loaded: _Loaded, names: t.Sequence[str]) -> None:
    if "all" in names:
        size = 0
        for start in range(0, len(loaded), _BATCH):
            batch = loaded[start : start + _BATCH]
            size += _add_all_properties(manager, batch)
            _check_size(size, start + len(batch), len(loaded))
        return
    # Which interface has a property is found out once for each type of unit, not looked up in a table that would rot.
    faces: dict[tuple[str, str], str] = {}
    samples = {interface_of(status.id): status for status, _entry in loaded}
    probes = [(face, name, where) for face in samples for name in names for where in (face, UNIT)]
    answers = manager.properties([(samples[face].path, where, name) for face, name, where in probes])
    for (face, name, where), answer in zip(probes, answers):
        if answer is not None:
            faces.setdefault((face, name), where)
    unknown = sorted(name for name in names if loaded and not any((face, name) in faces for face in samples))
    if unknown:
        version = manager.manager_property("Version")
        meant = _meant(manager, list(samples.items()), unknown)
        raise BadInput(
            f"properties: {short([shown(name) for name in unknown], 20)} is no property of {', '.join(sorted(samples))} in systemd {version}; {meant}"
            "names are those of D-Bus, as `systemctl show` prints most of them, and `all` reads all of them"
        )
    size = 0
    for start in range(0, len(loaded), _BATCH):
        batch = loaded[start : start + _BATCH]
        wanted = [
            (entry, name, get_property(status.path, faces[interface_of(status.id), name], name))
            for status, entry in batch
            for name in names
            if (interface_of(status.id), name) in faces
        ]
        for _status, entry in batch:
            entry["properties"] = {}
        replies = manager.connection.call_many([call for _entry, _name, call in wanted])
        for (entry, name, _call), reply in zip(wanted, replies):
            if not isinstance(reply, CallFailed):
                entry["properties"][name] = to_data(name, *reply[0])
        size += sum(_size(entry["properties"]) for _status, entry in batch)
        _check_size(size, start + len(batch), len(loaded))


def _meant(manager: UnitManager, samples: t.Sequence[tuple[str, UnitStatus]], unknown: t.Sequence[str]) -> str:
    """The properties that directives of unit files, or misspelled names, stand for; empty where there are none.

    :param samples: interface -> a unit that has it.
    """
    import difflib

    asked = [(status.path, face) for face, status in samples] + [(status.path, UNIT) for _face, status in samples]
    there = {name for properties in manager.all_properties(asked) for name in properties}
    told = []
    for name in unknown[:20]:
        guesses = [f"{name}PerSecUSec", f"{name[:-3]}USec" if name.endswith("Sec") else "", f"{name}s", f"{name}List"]
        guesses += [of for start, of in _GROUPED if name.startswith(start)][:1]
        close = [guess for guess in guesses if guess in there] or difflib.get_close_matches(name, there, 3, 0.7)
        if close:
            told.append(f"{', '.join(close)} for {shown(name)}")
    return f"did you mean {'; '.join(told)}? " if told else ""


def _add_all_properties(manager: UnitManager, batch: _Loaded) -> int:
    """Read all properties of some units; returns what they add to the result, in bytes."""
    calls = []
    for status, _entry in batch:
        for face in (UNIT, interface_of(status.id)):
            calls.append(Call(status.path, "org.freedesktop.DBus.Properties", "GetAll", "s", (face,)))
    replies = iter(manager.connection.call_many(calls))
    size = 0
    for _status, entry in batch:
        both: dict[str, t.Any] = {}
        for reply in (next(replies), next(replies)):
            if not isinstance(reply, CallFailed):
                both.update(reply[0])
        # Some hundred names, which are the same for all units and a third of what a unit takes.
        entry["properties"] = {sys.intern(key): to_data(key, *value) for key, value in sorted(both.items())}
        size += _size(entry["properties"])
    return size


def _size(properties: dict[str, t.Any]) -> int:
    """About what they take as JSON, in bytes."""
    return len(repr(properties))


def _check_size(size: int, done: int, units: int) -> None:
    """Refuse a result that would be too large, as soon as that is to be seen.

    :param size: bytes of the properties of the `done` units read so far, of `units` in all.
    :raises BadInput: it would, going by those read so far.
    """
    whole = size * units // done
    if whole > _LARGEST and (done >= _BATCH or done == units):
        raise BadInput(
            f"properties: those of {units} units would be about {whole / 1e6:.0f} MB, more than the {_LARGEST / 1e6:.0f} MB that one result "
            "may have; name the properties that are needed, or fewer units"
        )


def _add_processes(
    manager: UnitManager, loaded: _Loaded, processes: bool, listeners: bool, warnings: list[str]
) -> None:
    """Add the processes of units, and where these listen, as far as either is asked for."""
    calls = [Call(MANAGER_PATH, MANAGER, "GetUnitProcesses", "s", (status.id,)) for status, _entry in loaded]
    hidden = 0
    for (_status, entry), reply in zip(loaded, manager.connection.call_many(calls)):
        rows = [] if isinstance(reply, CallFailed) else reply[0]
        if processes:
            entry["processes"] = [{"pid": pid, "command": command, "cgroup": group} for group, pid, command in rows]
        if listeners:
            from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.sockets import listeners_of

            entry["listeners"] = listeners_of([pid for _group, pid, _command in rows])
            hidden += sum(not os.access(f"/proc/{pid}/fd", os.R_OK | os.X_OK) for _group, pid, _command in rows)
    if hidden and become_hint():
        warnings.append(f"listeners: {hidden} processes are not this user's, so that where they listen cannot be seen{become_hint()}")
