# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for every program that the scripts call: notes how it was called, and ends as it is told to.

It runs thousands of times, so it imports nothing that takes long: json would double what one of them costs.
"""

from __future__ import annotations

import os
import sys

TRACE = "/var/tmp/trace"
# What steps of generated scripts work on (`ordered.py`); others have none.
TREE = "/srv/steps"
# What has no part in the comparison: sv and svc have nobody to ask, and waiting only takes time.
SILENT = ("sv", "svc", "sleep", "pause", "logger", "svlogd", "vlogger", "multilog", "utmpset", "snooze")


def tree() -> list[list[object]]:
    """Path, owner, mode and text of everything below TREE."""
    found: list[list[object]] = []
    for above, directories, files in os.walk(TREE):
        for name in sorted(directories + files):
            path = os.path.join(above, name)
            status = os.lstat(path)
            try:
                with open(path) as file:
                    text = file.read(1000)
            except OSError:
                text = ""
            found.append([path, status.st_uid, status.st_gid, oct(status.st_mode), text])
    return sorted(found, key=str)


umask = os.umask(0)
os.umask(umask)
name = os.path.basename(sys.argv[0])
if name not in SILENT:
    record = {
        "program": name,
        "arguments": sys.argv[1:],
        "directory": os.getcwd(),
        "ids": [os.geteuid(), os.getegid()],
        "environment": dict(os.environ),
        "umask": umask,
        "nice": os.nice(0),
        "tree": tree(),
        "output": os.path.realpath("/proc/self/fd/1"),
    }
    file = os.open(TRACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(file, (ascii(record) + "\n").encode())
    with open("/var/tmp/fails") as told:
        sys.exit(told.read() == "yes")
