# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the host: makes files and links, asks systemd and the collection for enablement, and removes them.

    python3 enablement_on_host.py <<< '{"made": {PATH: TEXT or [TARGET]}, "names": [NAME, ...] or null, "scope": ...}'
        -> {NAME: [what the files tell or null, what systemd says], ...}

Without `names` it is about all that the host has: unit files, links, and units that are loaded.
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
            ours = states_from_files(paths, names, asked["lasting"])
            replies = connection.call_many([Call(PATH, MANAGER, "GetUnitFileState", "s", (name,)) for name in names])
        finally:
            for path in asked["made"]:
                os.unlink(path)
            for path in reversed(new):
                os.rmdir(path)
    theirs = ["" if isinstance(reply, CallFailed) else reply[0] for reply in replies]
    json.dump({name: [ours.get(name), state] for name, state in zip(names, theirs)}, sys.stdout)


if __name__ == "__main__":
    main()
