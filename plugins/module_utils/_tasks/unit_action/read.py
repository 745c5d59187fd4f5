# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of units before something is done to them: processes, directories, mounts, and how they log."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.service_log import NoLogControl, read_log
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, explained, plain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import (
    MANAGER,
    MANAGER_PATH,
    SERVICE,
    UNIT,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import is_template, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import leading_number
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import interface_of, is_active
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.look import runs_in
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action import mounts

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.options import Asked, Mount

# What CleanUnit removes, in systemd's word for it -> the property with its directories (systemd.exec(5)).
DIRECTORIES = {
    "state": "StateDirectory",
    "cache": "CacheDirectory",
    "logs": "LogsDirectory",
    "runtime": "RuntimeDirectory",
    "configuration": "ConfigurationDirectory",
}
_OF_SYSTEM = {
    "state": "/var/lib", "cache": "/var/cache", "logs": "/var/log", "runtime": "/run", "configuration": "/etc",
}  # fmt: skip
# Types of units with settings of the environment of processes, and so with such directories.
_WITH_DIRECTORIES = ("service", "socket", "mount", "swap")
# From this version on, a user's state is no longer among the configuration.
_OWN_STATE = 254


class Seen:
    """One unit, as far as the task is about it.

    `status` is None of a template. `pids` are the processes that a signal would reach, and `holds_task` says whether this task is
    among them. `content` is what there is to clean, by kind: paths, or `N file descriptors`. `mounted` says of each mount that is
    wanted whether it is there, and `differs` what else is there. `namespace` says whether the processes have one of their own.
    `log` is how it logs, None where it cannot say.
    """

    def __init__(self, name: str, status: UnitStatus | None) -> None:
        self.name = name
        self.status = status
        self.pids: list[int] = []
        self.holds_task = False
        self.content: dict[str, list[str]] = {}
        self.pid = 0
        self.namespace = True
        self.mounted: dict[Mount, bool] = {}
        self.differs: dict[Mount, str] = {}
        self.no_source: list[Mount] = []
        self.bus_name = ""
        self.log: dict[str, str] | None = None

    @property
    def id(self) -> str:
        return self.status.id if self.status else self.name

    @property
    def missing(self) -> bool:
        """Whether there is no such unit."""
        return self.status is not None and self.status.load_state == "not-found" and self.status.active_state == "inactive"

    @property
    def is_up(self) -> bool:
        return self.status is not None and is_active(self.status.active_state)

    def describe(self) -> str:
        """The state in words: `inactive (dead)`."""
        return f"{self.status.active_state} ({self.status.sub_state})" if self.status else "unknown"


def read(manager: UnitManager, names: t.Sequence[str], asked: Asked, home: str, timeout: float) -> list[Seen]:
    """The units as they are now, as far as the options are about them.

    :param home: the user's home directory, for scope `user`.
    :param timeout: seconds that a service may take to say how it logs.
    """
    known = dict(zip((n for n in names if not is_template(n)), manager.status([n for n in names if not is_template(n)])))
    units: dict[str, Seen] = {}
    for name in names:
        unit = Seen(name, known.get(name))
        # Other names of a unit are the same unit.
        units.setdefault(unit.id, unit)
    found = list(units.values())
    there = [unit for unit in found if unit.status and not unit.missing]
    if asked.signal:
        _see_processes(manager, there, asked.whom)
    if asked.clean:
        _see_content(manager, there, asked.clean, home)
    if asked.mounts:
        _see_mounts(manager, there, asked.mounts)
    if asked.log:
        _see_log(manager, there, timeout)
    return found


def _ask(manager: UnitManager, units: t.Sequence[Seen], names: t.Sequence[str], face: str = "") -> t.Iterator[list[t.Any]]:
    wanted = [(unit.status.path, face or interface_of(unit.id), name) for unit in units if unit.status for name in names]
    values = manager.properties(wanted) if wanted else []
    for at in range(len(units)):
        yield values[at * len(names) : (at + 1) * len(names)]


def _see_processes(manager: UnitManager, units: t.Sequence[Seen], whom: str) -> None:
    if whom != "all":
        for unit, (pid,) in zip(units, _ask(manager, units, [f"{whom.capitalize()}PID"])):
            unit.pids = [pid] if pid else []
        return
    calls = [Call(MANAGER_PATH, MANAGER, "GetUnitProcesses", "s", (unit.id,)) for unit in units]
    replies = manager.ask(calls) if calls else []
    for unit, reply, (group,) in zip(units, replies, _ask(manager, units, ["ControlGroup"])):
        # Of what has no control group, systemd says that it is not loaded.
        unit.pids = [] if isinstance(reply, CallFailed) else [row[1] for row in reply[0]]
        unit.holds_task = runs_in(group or "")


def _see_content(manager: UnitManager, units: t.Sequence[Seen], kinds: t.Sequence[str], home: str) -> None:
    bases = _bases(manager, home)
    of_type = {name: property_name for name, property_name in DIRECTORIES.items() if "all" in kinds or name in kinds}
    can = {unit.id: values[0] or () for unit, values in zip(units, _ask(manager, units, ["CanClean"], UNIT))}
    with_directories = [unit for unit in units if unit_type(unit.id) in _WITH_DIRECTORIES]
    for unit, values in zip(with_directories, _ask(manager, with_directories, list(of_type.values()))):
        for kind, names in zip(of_type, values):
            if kind in can[unit.id]:
                paths = [path for name in names or () for path in _places(bases[kind], name)]
                unit.content[kind] = [path for path in paths if _holds_something(path)]
    for unit in units:
        if unit_type(unit.id) == "timer" and "state" in of_type and "state" in can[unit.id]:
            stamp = f"{f'{home}/.local/share' if manager.scope == 'user' else '/var/lib'}/systemd/timers/stamp-{unit.id}"
            unit.content["state"] = [stamp] if os.path.lexists(stamp) else []
    services = [unit for unit in units if unit_type(unit.id) == "service" and "fdstore" in can[unit.id]]
    if {"all", "fdstore"}.intersection(kinds):
        for unit, (count,) in zip(services, _ask(manager, services, ["NFileDescriptorStore"], SERVICE)):
            unit.content["fdstore"] = [f"{count} file descriptors"] if count else []


def _bases(manager: UnitManager, home: str) -> dict[str, str]:
    """Where directories of each kind are (the table of systemd.exec(5))."""
    if manager.scope != "user":
        return _OF_SYSTEM
    environment = manager.environment()

    def place(variable: str, otherwise: str) -> str:
        value = environment.get(variable, "")
        return value if value.startswith("/") else otherwise

    configuration = place("XDG_CONFIG_HOME", f"{home}/.config")
    state = configuration
    if (leading_number(manager.version()) or 0) >= _OWN_STATE:
        state = place("XDG_STATE_HOME", f"{home}/.local/state")
    return {
        "state": state,
        "cache": place("XDG_CACHE_HOME", f"{home}/.cache"),
        "logs": f"{state}/log",
        "runtime": f"/run/user/{manager.uid}",
        "configuration": configuration,
    }


def _places(base: str, name: str) -> list[str]:
    # With DynamicUser= the first is a link to the second.
    return [f"{base}/{name}", f"{base}/private/{name}"]


def _holds_something(path: str) -> bool:
    """Whether there is anything in a directory, or it may not be looked into; an empty one is as good as none."""
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return True
        with os.scandir(path) as entries:
            return next(entries, None) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _see_mounts(manager: UnitManager, units: t.Sequence[Seen], wanted: t.Sequence[Mount]) -> None:
    services = [unit for unit in units if unit_type(unit.id) == "service" and unit.is_up]
    for unit, (pid,) in zip(services, _ask(manager, services, ["MainPID"], SERVICE)):
        unit.pid = pid or 0
    try:
        own = mounts.mounts_of("self") if services else []
        for unit in services:
            if not unit.pid:
                continue
            unit.namespace = mounts.has_own_namespace(unit.pid)
            theirs = mounts.mounts_of(unit.pid)
            for mount in wanted:
                unit.mounted[mount], unit.differs[mount] = _look(mount, place_of(f"/proc/{unit.pid}/root", mount.destination), own, theirs)
    except OSError as e:
        raise explained(e, "look at what is mounted in the service") from e
    gone = [mount for mount in wanted if not os.path.exists(mount.source)]
    for unit in units:
        unit.no_source = gone


def place_of(root: str, path: str) -> str:
    """Where a path leads below a service's root: systemd mounts there, and the kernel tells of the mount by that."""
    try:
        return Tree(root).resolve(f"{root}{path}")[len(root) :]
    except (Unreadable, BadInput):
        # It has ended.
        return path


def _look(mount: Mount, place: str, own: t.Sequence[mounts.Mounted], theirs: t.Sequence[mounts.Mounted]) -> tuple[bool, str]:
    """Whether it is mounted already, and what is in its place where it is not."""
    found = mounts.at(theirs, place)
    if found is None:
        return False, "nothing mounted"
    source = os.path.realpath(mount.source)
    if mount.is_image:
        try:
            device = os.stat(source).st_rdev
        except OSError:
            device = 0
        same = source in mounts.backing_files(found.device)
        same = same or bool(device and found.device == f"{os.major(device)}:{os.minor(device)}")
    else:
        same = (found.device, found.root) == mounts.origin(own, source)
    if same and found.read_only is mount.read_only:
        return True, ""
    what = f"{mount.source}, {'read-only' if found.read_only else 'writable'}" if same else f"{plain(found.root)} of {found.device}"
    return False, what


def _see_log(manager: UnitManager, units: t.Sequence[Seen], timeout: float) -> None:
    services = [unit for unit in units if unit_type(unit.id) == "service"]
    for unit, (name,) in zip(services, _ask(manager, services, ["BusName"], SERVICE)):
        unit.bus_name = name or ""
        if unit.bus_name and unit.is_up:
            try:
                unit.log = read_log(manager, unit.id, unit.bus_name, timeout)
            except NoLogControl:
                unit.log = None
