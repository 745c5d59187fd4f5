# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the code of `service_handover` on a host, and ends itself by SIGKILL when it has just done the N-th thing that
leaves a trace.

Usage: killed.py LIBRARY N < options.json; prints what it did last. N=0 is never. For a list of options it prints the list of
what the runs failed with.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import sys
import types
import typing as t

sys.path.insert(0, sys.argv[1])
LAST = int(sys.argv[2])
PREFIX = "ansible_collections.pidone.systemd.plugins.module_utils."
POINTS = {
    "_sources.runit.control": ["Supervised.control", "Supervised.lock", "Supervised.unlock"],
    "_tasks.handover.steps": ["remove"],
    "_tasks.handover.units": ["remove"],
    "_tasks.handover.records": ["Records.save", "Records.forget"],
    "_engine.files": ["replace"],
    "_systemd.manager": ["Manager.enqueue", "Manager.enable", "Manager.disable", "Manager.reload"],
}
count = 0


def point(what: str) -> None:
    global count
    count += 1
    if count == LAST:
        print(what, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


def watched(name: str, function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    @functools.wraps(function)
    def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
        result = function(*args, **kwargs)
        point(f"after {name}")
        return result

    return call


for module_name, names in POINTS.items():
    module = importlib.import_module(PREFIX + module_name)
    for name in names:
        holder: t.Any = module
        *path, last = name.split(".")
        for part in path:
            holder = getattr(holder, part)
        setattr(holder, last, watched(name, getattr(holder, last)))

handover = importlib.import_module(PREFIX + "_tasks.handover.task")
find: t.Any = importlib.import_module(PREFIX + "_tasks.handover.find")
# Each run is of one service; others that were killed are for later.
find.durable = types.SimpleNamespace(
    **{name: watched(name, getattr(find.durable, name)) for name in ("make_link", "remove_link", "remove")}
)
find.Finder._interrupted = lambda finder: []
errors = importlib.import_module(PREFIX + "_errors")
defaults = {
    "source": "runit",
    "state": "handed_over",
    "enabled": "auto",
    "started": "auto",
    "settle": "0",
    "listen": "5s",
    "timeout": "30s",
    "accept": [],
    "rollback": True,
    "force": False,
    "directory": "/etc/systemd/system",
}


def run(options: dict[str, t.Any]) -> str:
    stand_in = types.SimpleNamespace(
        _name="service_handover",
        params={**defaults, **options},
        check_mode=False,
        _diff=False,
        tmpdir="/tmp",
        set_default_selinux_context=lambda path, changed: changed,
    )
    try:
        handover.converge(stand_in)
    except errors.SystemdError as error:
        return str(error.msg)
    return ""


given = json.load(sys.stdin)
if isinstance(given, list):
    print(json.dumps([run(options) for options in given]))
else:
    print(run(given))
    print(f"{count} points", flush=True)
