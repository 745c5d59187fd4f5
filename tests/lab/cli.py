# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import typing as t

from tests.lab import images, registry
from tests.lab.host import USERS
from tests.lab.nspawn import NspawnHost
from tests.lab.proc import LabError
from tests.lab.recipes import KINDS


def _up(args: argparse.Namespace) -> int:
    wanted = {}
    for word in args.hosts:
        name, _sep, kind = word.partition("=")
        wanted[name] = kind or name
    for host in registry.up(wanted, args.owner, keep_bytecode=args.keep_bytecode):
        print(f"{host.name}\t{host.address}")
    return 0


def _down(args: argparse.Namespace) -> int:
    names = list(registry.hosts()) if args.all else args.hosts
    if not names and not args.all:
        raise LabError("name the hosts to take down, or say --all")
    for name in registry.down(names):
        print(f"{name}\tgone")
    return 0


def _list(args: argparse.Namespace) -> int:
    for host in registry.hosts().values():
        owner = host.owner
        print(
            f"{host.name:24} {host.state['kind']:12} {host.address:16} {'up' if host.alive() else 'down':5}"
            f" {'owner ' + str(owner.pid) if owner else ''}".rstrip()
        )
    return 0


def _enter(args: argparse.Namespace) -> int:
    host = registry.get(args.host)
    if args.nsenter and isinstance(host, NspawnHost):
        command = [*host.enter_command(), "/bin/bash", "-l"]
    else:
        command = host.ssh_command(args.user, "-t")
    os.execvp(command[0], command)


def _exec(args: argparse.Namespace) -> int:
    host = registry.get(args.host)
    words = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not words:
        raise LabError("which command? lab exec NAME -- COMMAND ...")
    line = words[0] if len(words) == 1 else shlex.join(words)
    command = [*host.ssh_command(args.user), "--", line]
    sys.stdout.flush()
    os.execvp(command[0], command)


def _inventory(args: argparse.Namespace) -> int:
    every = registry.hosts()
    names = args.hosts or [name for name, host in every.items() if host.alive()]
    # JSON is YAML: Ansible reads it from a file named *.yml or *.yaml or *.json.
    inventory = {name: registry.get(name).inventory() for name in names}
    if args.user:
        for variables in inventory.values():
            variables["ansible_user"] = args.user
    print(json.dumps({"all": {"hosts": inventory}}, indent=2))
    return 0


def _images(args: argparse.Namespace) -> int:
    for image in images.build_all([images.kind_of(name) for name in args.kinds or KINDS]):
        print(image)
    return 0


def _gc(args: argparse.Namespace) -> int:
    for name in registry.gc():
        print(f"{name}\tgone")
    return 0


def _prerequisites(args: argparse.Namespace) -> int:
    for name in images.prerequisites():
        print(f"{name}\tinstalled")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="lab", description="Test hosts with a real PID 1 (run as root).")
    commands = top.add_subparsers(dest="command_name", required=True, metavar="COMMAND")

    def command(name: str, function: t.Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        return sub

    command("prerequisites", _prerequisites, "install the Debian packages that the lab needs")
    sub = command("images", _images, "build the images that are missing (all kinds, or those named)")
    sub.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(f"{k.name}: {k.about}" for k in KINDS.values()))
    sub = command("up", _up, "bring hosts up, in parallel")
    sub.add_argument("hosts", nargs="+", metavar="NAME[=KIND]")
    sub.add_argument("--owner", type=int, metavar="PID", help="take them down (lab gc) when this process is gone")
    sub.add_argument(
        "--keep-bytecode", action="store_true", help="compile each Ansible module once per host: for tests, not for measuring"
    )
    command("list", _list, "list the hosts")
    sub = command("enter", _enter, "an interactive shell on a host")
    sub.add_argument("host")
    sub.add_argument("--user", default="root", choices=USERS)
    sub.add_argument("--nsenter", action="store_true", help="not over SSH, but straight into its namespaces")
    sub = command("exec", _exec, "run a command on a host, over SSH (one word: a shell line)")
    sub.add_argument("--user", default="root", choices=USERS)
    sub.add_argument("host")
    sub.add_argument("command", nargs=argparse.REMAINDER)
    sub = command("inventory", _inventory, "print an Ansible inventory of the hosts that are up (or those named)")
    sub.add_argument("hosts", nargs="*", metavar="NAME")
    sub.add_argument("--user", choices=USERS, help="log in as this user (fixed in the inventory)")
    sub = command("down", _down, "take hosts down and remove them")
    sub.add_argument("hosts", nargs="*", metavar="NAME")
    sub.add_argument("--all", action="store_true", help="all hosts of this clone")
    command("gc", _gc, "remove hosts whose owner is gone, and what interrupted runs left")
    return top


def main(argv: t.Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = parser().parse_args(argv)
    if os.geteuid() != 0:
        print("lab: run it as root: it makes network namespaces and boots machines", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that both interruptions clean up
    try:
        return t.cast(int, args.function(args))
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130
    except LabError as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 1
