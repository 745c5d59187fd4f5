# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a whole host listens, and who does: what has to be there again after it booted another init system."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import (
    all_processes,
    snapshot,
    sockets_of,
)

# Sockets of sessions and of supervisors themselves; what comes and goes with a login or with runit is nobody's service.
_PASSING = ("unix /tmp/", "unix /run/user/", "unix @", "unix /run/runit", "unix /run/systemd/")

if t.TYPE_CHECKING:

    class Listener(t.TypedDict):
        """Who listens: the program's name, its user (empty where it could not be seen), and the process."""

        name: str
        user: str
        pid: int


def listeners(proc: str = "/proc", passing: bool = False) -> dict[str, Listener]:
    """Each address and path on which something listens, with the program's name and user.

    Those of other network namespaces (containers) are left out, as are numbers that the kernel chose.

    :param passing: whether to return the sockets of sessions and supervisors too.
    """
    own = _namespace("self", proc)
    ephemeral = ephemeral_ports(proc)
    found: dict[str, Listener] = {}
    for stat in sorted(all_processes(proc), key=lambda one: one.pid):
        if _namespace(str(stat.pid), proc) != own or not _has_sockets(stat.pid, proc):
            continue
        mine = [normal(name) for name in sockets_of([stat.pid], proc)]
        mine = [name for name in mine if name not in found]
        mine = [name for name in mine if passing or not is_passing(name, stat.pid, ephemeral)]
        if not mine:
            continue
        picture = snapshot(stat.pid, proc=proc)
        for name in mine:
            # The first, which is the parent, stands for all processes that share the socket.
            found[name] = {"name": stat.name, "user": picture["user"] if picture else "", "pid": stat.pid}
    return found


def normal(name: str) -> str:
    """The name of a socket, with /var/run as /run."""
    return name.replace("unix /var/run/", "unix /run/", 1)


def is_passing(name: str, pid: int, ephemeral: tuple[int, int]) -> bool:
    """Whether a socket comes and goes with a login, a process or a supervisor."""
    if name.startswith(_PASSING):
        return True
    kind, _blank, place = name.partition(" ")
    if kind == "unix":
        return not place.startswith("/") or str(pid) in place
    port = place.rpartition(":")[2]
    return kind == "udp" and port.isdigit() and ephemeral[0] <= int(port) <= ephemeral[1]


def _namespace(pid: str, proc: str) -> str:
    try:
        return os.readlink(f"{proc}/{pid}/ns/net")
    except OSError:
        return ""


def _has_sockets(pid: int, proc: str) -> bool:
    try:
        for number in os.listdir(f"{proc}/{pid}/fd"):
            try:
                if os.readlink(f"{proc}/{pid}/fd/{number}").startswith("socket:"):
                    return True
            except OSError:
                pass
    except OSError:
        pass
    return False


def ephemeral_ports(proc: str = "/proc") -> tuple[int, int]:
    """The ports that the kernel gives to those who ask for none."""
    try:
        with open(f"{proc}/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            low, high = file.read().split()[:2]
            return int(low), int(high)
    except (OSError, ValueError):
        return 32768, 60999
