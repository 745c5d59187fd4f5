# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own network: one bridge per clone, one network namespace and address per host.

Nothing that exists is changed: the bridge has a name and a /24 of 10.213.0.0/16 that nobody else uses.
"""

from __future__ import annotations

import ipaddress
import json
import typing as t

from tests.lab import paths
from tests.lab.proc import LabError, run

NET = "10.213"
BRIDGE = f"pdl-{paths.CLONE}"


def namespace(name: str, clone: str = paths.CLONE) -> str:
    """Name of the network namespace of host *name*."""
    return f"pdl-{clone}-{name}"


def ensure_bridge() -> str:
    """Make the clone's bridge if it is missing; return the first three octets of its network."""
    with paths.machine_lock():
        found = _addresses()
        if found.get(BRIDGE):
            return found[BRIDGE][0].rpartition(".")[0]
        taken = [ipaddress.ip_network(net) for net in _routes()]
        for third in range(256):
            prefix = f"{NET}.{third}"
            if not any(net.overlaps(ipaddress.ip_network(f"{prefix}.0/24")) for net in taken):
                break
        else:
            raise LabError(f"no free /24 in {NET}.0.0/16 is left for the lab")
        if BRIDGE not in found:
            # With an address of its own: otherwise it takes the lowest of its ports', and with each host that comes or goes
            # the others may go on sending to one that it no longer answers to.
            words = ("address", _hardware(prefix, 1), "type", "bridge", "stp_state", "0", "forward_delay", "0")
            run("ip", "link", "add", BRIDGE, *words)
        run("ip", "address", "add", f"{prefix}.1/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        return prefix


def _addresses() -> dict[str, list[str]]:
    links = json.loads(run("ip", "-json", "-4", "address", "show").stdout)
    found = {link["ifname"]: [a["local"] for a in link.get("addr_info", [])] for link in links}
    if run("ip", "link", "show", "dev", BRIDGE, check=False).returncode == 0:
        found.setdefault(BRIDGE, [])
    return found


def _routes() -> t.Iterator[str]:
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all").stdout):
        if route["dst"] != "default":
            yield route["dst"]


def attach(name: str, octet: int) -> str:
    """Make the namespace of host *name* with an interface ``host0`` on the bridge; return its address."""
    prefix = ensure_bridge()
    address = f"{prefix}.{octet}"
    space = namespace(name)
    outer = f"pdl{paths.CLONE}h{octet}"
    detach(name)
    run("ip", "netns", "add", space)
    # The hardware address follows the network address: neighbours that still know a former host by it stay right.
    mac = _hardware(prefix, octet)
    run("ip", "link", "add", outer, "type", "veth", "peer", "name", "host0", "address", mac, "netns", space)
    run("ip", "link", "set", outer, "master", BRIDGE, "up")
    return address


def _hardware(prefix: str, octet: int) -> str:
    """The hardware address of who has the network address ``PREFIX.OCTET``."""
    return f"02:70:64:{int(prefix.rpartition('.')[2]):02x}:00:{octet:02x}"


def configure(space: str, address: str) -> None:
    """Give the interface in the namespace *space* its address. Done at each boot: an init may shut interfaces down."""
    gateway = f"{address.rpartition('.')[0]}.1"
    batch = (
        "address flush dev host0\n"
        f"address add {address}/24 dev host0\n"
        "link set host0 up\n"
        "link set lo up\n"
        f"route replace default via {gateway} dev host0\n"
    )
    run("ip", "-n", space, "-batch", "-", input=batch, stdin=None)


def detach(name: str, clone: str = paths.CLONE) -> None:
    """Remove the namespace of host *name*, and with it its interface."""
    run("ip", "netns", "delete", namespace(name, clone), check=False)


def names(clone: str = paths.CLONE) -> list[str]:
    """Names of the hosts that have a network namespace."""
    prefix = namespace("", clone)
    words = [line.split()[0] for line in run("ip", "netns", "list").stdout.splitlines() if line.strip()]
    return [word[len(prefix) :] for word in words if word.startswith(prefix)]


def remove_bridge(clone: str = paths.CLONE) -> None:
    """Remove the clone's bridge (when no host is left)."""
    run("ip", "link", "delete", f"pdl-{clone}", check=False)
