# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the host: times commands one after the other, and asks the bus without any Ansible.

    python3 on_host.py time ROUNDS <<< '{"name": ["command", ...], ...}'     -> {"name": [seconds, ...]}
    python3 on_host.py memory <<< '{"name": ["command", ...], ...}'          -> {"name": [MiB of its largest process], ...}
    python3 on_host.py units STEM COUNT LINK <<< TEXT                        STEM-000N.service, with links of multi-user.target
    python3 on_host.py raw PATTERN COUNT                                     states and enablement, pipelined

Standard library and jeepney only, as the raw questions shall be no faster or slower for what this collection does.
"""

from __future__ import annotations

import collections
import json
import os
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


def memory() -> None:
    """Run each command, and tell how much memory it had at most."""
    found = {}
    for name, command in json.load(sys.stdin).items():
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _pid, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{command[:4]}: {status}")
        found[name] = [usage.ru_maxrss / 1024]
    json.dump(found, sys.stdout)


def units(stem: str, count: int, link: bool) -> None:
    """Make units, and links that enable them."""
    text = sys.stdin.read()
    os.chdir("/etc/systemd/system")
    os.makedirs("multi-user.target.wants", exist_ok=True)
    for number in range(count):
        name = f"{stem}-{number:04}.service"
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
        if link:
            os.symlink(f"../{name}", f"multi-user.target.wants/{name}")


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
    elif sys.argv[1] == "memory":
        memory()
    elif sys.argv[1] == "units":
        units(sys.argv[2], int(sys.argv[3]), sys.argv[4] == "yes")
    else:
        raw([sys.argv[2] % number for number in range(int(sys.argv[3]))])
