# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the host: times commands one after the other, and asks the bus without any Ansible.

    python3 on_host.py time ROUNDS <<< '{"name": ["command", ...], ...}'     -> {"name": [seconds, ...]}
    python3 on_host.py raw PATTERN COUNT                                     states and enablement, pipelined

Standard library and jeepney only, as the raw questions shall be no faster or slower for what this collection does.
"""

from __future__ import annotations

import collections
import json
import socket
import subprocess
import sys
import time
import typing as t

PATH = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"


def time_commands(rounds: int) -> None:
    """Run each command in turn, and all of them so many times."""
    commands = json.load(sys.stdin)
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _round in range(rounds):
        for name, command in commands.items():
            begun = time.perf_counter()
            done = subprocess.run(command, capture_output=True, check=False)
            found[name].append(time.perf_counter() - begun)
            if done.returncode:
                sys.exit(f"{command[:4]}: {done.stdout.decode()[-2000:]}\n{done.stderr.decode()[-2000:]}")
    json.dump(found, sys.stdout)


def raw(names: list[str]) -> None:
    """States of all units in one call, then enablement of each, all questions sent before any answer is read."""
    # What one would write by hand: jeepney's own messages and parser, one socket, no framework.
    from jeepney.auth import BEGIN, make_auth_external
    from jeepney.low_level import Parser
    from jeepney.wrappers import DBusAddress, new_method_call

    manager = DBusAddress(PATH, "org.freedesktop.systemd1", MANAGER)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("/run/systemd/private")
    connection.sendall(b"\0" + make_auth_external() + BEGIN)
    connection.recv(1024)
    parser = Parser()
    messages: collections.deque[t.Any] = collections.deque()

    def answer() -> t.Any:
        while not messages:
            parser.add_data(connection.recv(1 << 18))
            message = parser.get_next_message()
            while message is not None:
                if message.header.message_type.name in ("method_return", "error"):
                    messages.append(message)
                message = parser.get_next_message()
        return messages.popleft().body

    connection.sendall(new_method_call(manager, "ListUnitsByNames", "as", (names,)).serialise(1))
    states = answer()[0]
    out = b"".join(
        new_method_call(manager, "GetUnitFileState", "s", (name,)).serialise(number)
        for number, name in enumerate(names, 2)
    )
    connection.sendall(out)
    enabled = [answer()[0] for _name in names]
    if len(states) != len(names) or set(enabled) != {"enabled"}:
        sys.exit(f"these units are not all there and enabled: {set(enabled)}")


if __name__ == "__main__":
    if sys.argv[1] == "time":
        time_commands(int(sys.argv[2]))
    else:
        raw([sys.argv[2] % number for number in range(int(sys.argv[3]))])
