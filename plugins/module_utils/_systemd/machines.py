# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system managers of containers, by way of systemd-machined (org.freedesktop.machine1(5)).

What machined says is believed, as it is root's. What is in a container is its own: who listens there must be its first process, what
that says is a claim, and nothing that it names is opened on this host.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import (
    Call,
    Connection,
    connect,
    get_property,
)
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import (
    BadMessage,
    BusUnreachable,
    CallFailed,
    WrongPeer,
)
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.namespaces import Container, NotEntered
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import Manager, explain, system_bus

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

# The modules `jeepney.low_level` and `jeepney.auth`.
Jeepney = t.Tuple[t.Any, t.Any]

_NAME = "org.freedesktop.machine1"
_PATH = "/org/freedesktop/machine1"
_MANAGER = "org.freedesktop.machine1.Manager"
_MACHINE = "org.freedesktop.machine1.Machine"
_ANSWERS = {"ListMachines": "a(ssso)", "GetMachine": "o"}
_TYPES = {"Class": "s", "Leader": "u", "Unit": "s"}
_SOCKET = "/run/systemd/private"
# Seconds where nobody says, for connecting, as of `open_manager`.
_PATIENCE = 90.0
# How a bus says that there is no machined.
_ABSENT = (
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.systemd1.NoSuchUnit",
    "org.freedesktop.systemd1.UnitMasked",
)


class NoMachine(SystemdError):
    """There is no such container, or it has no manager that could be asked."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"machine: {shown(name)} {why}")


class MachineManager(Manager):
    """The system manager of a container. It is only asked: what its files say beyond that is not known, as they are not here."""

    has_files = False

    @property
    def tree(self) -> Tree:  # type: ignore[override]
        """There is none on this host.

        :raises AssertionError: always; whoever comes here would have looked at this host's files.
        """
        raise AssertionError("the files of a container are not on this host")

    def unit_path(self) -> list[str]:
        """As `tree`: directories of the container."""
        raise AssertionError("the directories of a container are not on this host")

    def link_directories(self) -> list[str]:
        """As `tree`: directories of the container."""
        raise AssertionError("the directories of a container are not on this host")


def containers(jeepney: Jeepney, timeout: float) -> list[str]:
    """The names of the containers that run, in order.

    :raises SystemdError: machined cannot be reached, with the remedy.
    """
    with _reach("*", jeepney, timeout) as machined:
        (rows,) = _call(machined, Call(_PATH, _MANAGER, "ListMachines"), "*", "list machines")
    return sorted(name for name, kind, _service, _path in rows if kind == "container")


def open_machine(name: str, jeepney: Jeepney, timeout: float | None = None) -> MachineManager:
    """Connect to the system manager of a container.

    :param timeout: seconds that connecting may take, and each answer afterwards.
    :raises NoMachine: there is no container of that name, or it has no systemd that answers.
    :raises BusTimeout: its systemd does not answer.
    :raises SystemdError: machined cannot be reached, with the remedy.
    """
    try:
        return _open(name, jeepney, timeout)
    except BusUnreachable as e:
        raise NoMachine(
            name,
            f"has no manager to be asked: {e.msg}; only a container whose PID 1 is systemd and has come up has one, such as one "
            "that was started with `systemd-nspawn --boot`",
        ) from e
    except (WrongPeer, NotEntered, BadMessage) as e:
        raise NoMachine(name, f"is not asked: {e.msg}") from e


def _open(name: str, jeepney: Jeepney, timeout: float | None) -> MachineManager:
    deadline = time.monotonic() + (timeout or _PATIENCE)
    with _reach(name, jeepney, deadline - time.monotonic()) as machined:
        (path,) = _call(machined, Call(_PATH, _MANAGER, "GetMachine", "s", (name,)), name, f"find the machine {name}")
        kind, number, unit = _properties(machined, path, name)
        if kind != "container":
            raise NoMachine(
                name,
                f"is of the class {shown(kind)}, and only a container's manager can be reached from here; run the task on that "
                "machine, as a host of its own",
            )
        leader = _hold(number, name)
        try:
            # Numbers of processes are used again: of the very process that is held, machined has to say so, and the kernel that
            # it is in the machine's control group.
            if _properties(machined, path, name) != (kind, number, unit) or not is_in_unit(_told(leader, "cgroup"), unit):
                raise _ended(name)
            if not is_first(_told(leader, "status")):
                raise NoMachine(
                    name, f"has no PID 1 of its own, but process {number} of this host, so it has no manager to be asked"
                )
            with Container(leader) as container:
                low_level, auth = jeepney
                connection = connect(
                    _SOCKET,
                    low_level,
                    auth,
                    timeout=deadline - time.monotonic(),
                    who=f"the service manager of the machine {name}",
                    way=container.connect,
                    peer_pid=number,
                )
        except (FileNotFoundError, ProcessLookupError) as e:
            raise _ended(name) from e
        except OSError as e:
            raise NoMachine(name, f"cannot be looked into: {e.strerror}; run the task as root, and not in a container itself") from e
        finally:
            os.close(leader)
    manager = MachineManager(connection, timeout=timeout)
    manager.reopen = lambda seconds: _open(name, jeepney, seconds)
    return manager


def _hold(number: int, name: str) -> int:
    """A descriptor of what the kernel tells of a process, and of no later one with its number."""
    try:
        return os.open(f"/proc/{number}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as e:
        raise _ended(name) from e


def is_first(status: str) -> bool:
    """Whether a process is the first one of a PID namespace that is not this one's, going by its /proc/PID/status."""
    numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
    return len(numbers) > 1 and numbers[-1] == "1"


def is_in_unit(groups: str, unit: str) -> bool:
    """Whether a process is in the control group of a unit or below, going by its /proc/PID/cgroup."""
    ways = [line.split(":", 2)[-1].split("/") for line in groups.splitlines()]
    # cg_escape() of systemd.
    return any(unit in way or f"_{unit}" in way for way in ways)


def _told(leader: int, name: str) -> str:
    """What the kernel tells of a process in a file of /proc."""
    handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=leader)
    with open(handle, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _ended(name: str) -> NoMachine:
    return NoMachine(name, "ended, or was started anew, just now; run the task again")


def _properties(machined: Connection, path: str, name: str) -> tuple[str, int, str]:
    """The class of a machine, the number of its first process, and the unit it is in."""
    found = machined.call_many([get_property(path, _MACHINE, each) for each in _TYPES])
    for reply in found:
        if isinstance(reply, CallFailed):
            raise _failed(reply, name, f"read what the machine {name} is")
    kind, number, unit = (reply[0][1] for reply in found)
    return kind, number, unit


def _reach(name: str, jeepney: Jeepney, timeout: float) -> Connection:
    """Connect to machined, over the system's bus.

    :param name: the option's value, for the error.
    """
    low_level, auth = jeepney
    path, peer = system_bus()
    try:
        machined = connect(path, low_level, auth, _NAME, timeout, who="systemd-machined, over the bus,", peer_uid=peer)
    except BusUnreachable as e:
        raise SystemdError(
            f"machine: {shown(name)}: cannot reach systemd-machined, which knows machines: {e.msg}; it needs the system bus, so install "
            "dbus (or dbus-broker) and start it"
        ) from e
    machined.known = {**machined.known, **_ANSWERS}
    machined.property_types = _TYPES
    machined.default_timeout = timeout
    return machined


def _call(machined: Connection, call: Call, name: str, doing: str) -> tuple[t.Any, ...]:
    try:
        return machined.call(call)
    except CallFailed as e:
        raise _failed(e, name, doing) from e


def _failed(error: CallFailed, name: str, doing: str) -> SystemdError:
    """An error of machined as one for users."""
    if error.name == "org.freedesktop.machine1.NoSuchMachine":
        return NoMachine(name, "is no machine that runs; `machinectl list` prints those that do")
    if error.name == "org.freedesktop.DBus.Error.UnknownObject":
        return _ended(name)
    if error.name in _ABSENT:
        return SystemdError(
            f"machine: {shown(name)}: systemd-machined, which knows machines, is not on this host ({error.text}); install the package that "
            "holds it (systemd-container on Debian), or leave out `machine`",
            dbus_error=error.name,
        )
    told = explain(error, doing)
    return type(told)(f"machine: {shown(name)}: {told.msg}", **told.data)


__all__: t.Sequence[str] = ("MachineManager", "NoMachine", "containers", "open_machine")
