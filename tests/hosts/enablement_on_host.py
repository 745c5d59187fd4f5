# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the host: makes files and links, asks systemd and the collection about units, and removes them.

    python3 enablement_on_host.py <<< '{"made": {PATH: TEXT or [TARGET]}, "names": [NAME, ...] or null, "scope": ...}'
        -> {"states": {NAME: [what the files tell or null, what systemd says], ...},
            "whole": {NAME: [links that systemd makes all the same, when it is asked to enable the unit], ...},
            "services": {NAME: [what the files tell, what systemd says: Type, RemainAfterExit, Restart], ...},
            "files": {NAME: [the only file, what systemd says: FragmentPath, DropInPaths, SourcePath], ...},
            "rest": {NAME: [what is told of one that is not in memory, what systemd says when it has read its files], ...}}

Without `names` it is about all that the host has: unit files, links, and units that are loaded; nothing is enabled then.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from jeepney import auth, low_level

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call, connect, get_property
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.enablement import states_from_files
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.services import services_from_files

SERVICE = "org.freedesktop.systemd1.Service"
UNIT = "org.freedesktop.systemd1.Unit"
PATH = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"


def make(made: dict[str, t.Any]) -> list[str]:
    """Make files (text) and links (a list with the target); returns the directories that were not there."""
    new = []
    for path, content in made.items():
        parent, missing = os.path.dirname(path), []
        while not os.path.isdir(parent):
            missing.append(parent)
            parent = os.path.dirname(parent)
        for each in reversed(missing):
            os.mkdir(each)
            new.append(each)
        if isinstance(content, list):
            os.symlink(content[0], path)
        else:
            with open(path, "wb") as file:
                file.write(content.encode("latin-1"))
    return new


def everything(connection: t.Any, paths: list[str]) -> list[str]:
    """All names of units on this host."""
    names = {row[0] for row in connection.call(Call(PATH, MANAGER, "ListUnitsByPatterns", "asas", ([], [])))[0]}
    for path in paths:
        for _folder, folders, files in os.walk(path):
            names.update(name for name in folders + files if "." in name and name.rpartition(".")[2].isalpha())
    return sorted(names)


def links_made(connection: t.Any, names: list[str]) -> dict[str, list[str]]:
    """Links to units that systemd makes where it is asked to enable them."""
    calls = [Call(PATH, MANAGER, "EnableUnitFiles", "asbb", ([name], False, False)) for name in names]
    found = {}
    for name, reply in zip(names, connection.call_many(calls)):
        if isinstance(reply, CallFailed):
            found[name] = [reply.text]
        else:
            # One that leads elsewhere is replaced, and was there.
            replaced = {path for kind, path, _target in reply[1] if kind == "unlink"}
            found[name] = [path for kind, path, _target in reply[1] if kind == "symlink" and path not in replaced]
    return found


def at_rest(connection: t.Any, names: t.Iterable[str]) -> dict[str, list[t.Any]]:
    """What services are doing that systemd does not have in memory: name, states, path, number of the job."""
    found = {}
    for name in names:
        (reply,) = connection.call_many([Call(PATH, MANAGER, "GetUnit", "s", (name,))])
        if isinstance(reply, CallFailed) and reply.name.endswith(".NoSuchUnit"):
            (row,) = connection.call(Call(PATH, MANAGER, "ListUnitsByNames", "as", ([name],)))[0]
            # What it does not know of before a reload is nothing that has not changed since it began to read files.
            if row[2] != "not-found":
                found[name] = [[name, "inactive", "dead", object_path(name), 0], [row[0], row[3], row[4], row[6], row[7]]]
    return found


def services(connection: t.Any, paths: list[str], names: list[str]) -> dict[str, list[t.Any]]:
    """How services run and end, as files tell and as systemd says of those that it can load."""
    ours = services_from_files(paths, names)
    found = {}
    for name, service in ours.items():
        (row,) = connection.call(Call(PATH, MANAGER, "ListUnitsByNames", "as", ([name],)))[0]
        if row[2] == "loaded":
            asked = [get_property(row[6], SERVICE, each) for each in ("Type", "RemainAfterExit", "Restart")]
            found[name] = [list(service), [reply[0][1] for reply in connection.call_many(asked)]]
    return found


def files_of(connection: t.Any, files: dict[str, str]) -> dict[str, list[t.Any]]:
    """Which files units are made of, as files tell and as systemd says of those that it can load."""
    found = {}
    for name, path in files.items():
        (row,) = connection.call(Call(PATH, MANAGER, "ListUnitsByNames", "as", ([name],)))[0]
        if row[2] == "loaded":
            asked = [get_property(row[6], UNIT, each) for each in ("FragmentPath", "DropInPaths", "SourcePath")]
            found[name] = [[path, [], ""], [reply[0][1] for reply in connection.call_many(asked)]]
    return found


def main() -> None:
    """Do it."""
    asked = json.load(sys.stdin)
    scope, uid = asked.get("scope", "system"), os.geteuid()
    socket = "/run/systemd/private" if scope == "system" else f"/run/user/{uid}/systemd/private"
    with connect(socket, low_level, auth, timeout=60) as connection:
        paths = connection.call(get_property(PATH, MANAGER, "UnitPath"))[0][1]
        new = make(asked["made"])
        try:
            names = everything(connection, paths) if asked["names"] is None else asked["names"]
            whole: set[str] = set()
            alone: dict[str, str] = {}
            ours = states_from_files(paths, names, asked["lasting"], whole, alone)
            replies = connection.call_many([Call(PATH, MANAGER, "GetUnitFileState", "s", (name,)) for name in names])
            rest = at_rest(connection, services_from_files(paths, names)) if scope == "system" else {}
            kinds = services(connection, paths, names) if scope == "system" else {}
            files = files_of(connection, alone) if scope == "system" else {}
            made = links_made(connection, sorted(whole) if asked["names"] is not None else [])
        finally:
            for path in asked["made"]:
                os.unlink(path)
            for path in reversed(new):
                os.rmdir(path)
    theirs = ["" if isinstance(reply, CallFailed) else reply[0] for reply in replies]
    states = {name: [ours.get(name), state] for name, state in zip(names, theirs)}
    json.dump({"states": states, "whole": made, "services": kinds, "files": files, "rest": rest}, sys.stdout)


if __name__ == "__main__":
    main()
