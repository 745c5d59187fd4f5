# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills init_handover at its points, on a host that boots another init; nothing of systemd runs there.

Usage: python3 -m tests.attacks.on_host.init BEGIN STEP <SERVICES, as JSON; prints for each of the states `prepared` and
`given_back` an answer as serve.py's, a line each.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import stat
import subprocess
import sys
import typing as t

from tests.attacks.on_host import pictures, serve
from tests.attacks.on_host.pictures import Difference, Picture
from tests.attacks.on_host.points import FILE, PROCESS

MODULE = "init_handover"
_RECORD = "/var/lib/pidone.systemd/init-handover.json"


def picture() -> Picture:
    """All that it may change; of its record only that it is there, as the time is in it."""
    found: pictures.Files = {}
    for root in ("/etc/systemd", "/var/lib/pidone.systemd"):
        for folder, names, others in os.walk(root):
            for name in (*names, *others):
                pictures._look(f"{folder}/{name}", found)
    for path in glob.glob("/usr/sbin/*init*"):
        pictures._look(path, found)
    # Directories of its own stay, empty.
    files = {path: entry for path, entry in found.items() if not stat.S_ISDIR(entry.mode)}
    if _RECORD in files:
        files[_RECORD] = files[_RECORD]._replace(content=b"")
    told = subprocess.run(["dpkg-divert", "--list"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return Picture(files, {"dpkg-divert": {"list": told.stdout}})


def run(state: str, services: t.Any, at: int = 0) -> serve.Done:
    """Run it for a state; killed at a point."""
    args: dict[str, t.Any] = {"state": state}
    if state == "prepared":
        args.update(services=services, trial="10min")
    kill = (lambda kind, what: os.kill(os.getpid(), signal.SIGKILL)) if at else None
    return serve.Running(MODULE, args, (FILE, PROCESS), at, kill).wait()


def main() -> None:
    begin, step, services = int(sys.argv[1]), int(sys.argv[2]), json.load(sys.stdin)
    os.makedirs(serve.SCRATCH, exist_ok=True)
    serve.load([MODULE])
    before = picture()
    undisturbed = {"prepared": run("prepared", services)}
    good = {"prepared": picture()}
    undisturbed["given_back"] = run("given_back", services)
    good["given_back"] = picture()
    for state, done in undisturbed.items():
        if done.failed or done.broken or not done.result["changed"]:
            raise SystemExit(f"undisturbed, {state}: {done.broken or done.result}")
    if pictures.compare(before, good["given_back"]):
        raise SystemExit(f"it gives back something else: {pictures.compare(before, good['given_back'])}")
    for state, done in undisturbed.items():
        points = [what for _kind, what in done.points]
        chosen = range(1 + begin % step, len(points) + 1, step)
        bad = []
        for at in chosen:
            if state == "given_back":
                run("prepared", services)
            killed = run(state, services, at)
            wrong = [Difference("error", killed.broken)] if killed.broken else []
            if not os.path.lexists("/sbin/init"):
                wrong.append(Difference("no init", "there is no /sbin/init when it was killed"))
            # Forwards at every other point, and straight back otherwise.
            for next_state in (state, "given_back") if at % 2 else ("given_back",):
                again = run(next_state, services)
                if again.failed or again.broken:
                    wrong.append(Difference("next run", (again.broken or str(again.result.get("msg")))[-600:]))
                wrong += pictures.compare(good[next_state], picture())
                third = run(next_state, services)
                if third.failed or third.result.get("changed"):
                    wrong.append(Difference("not steady", str(third.result.get("steps", third.result.get("msg")))))
            if wrong:
                bad.append({"at": at, "what": points[at - 1], "wrong": wrong})
        print(json.dumps({"of": len(points), "taken": len(chosen), "bad": bad, "state": state}), flush=True)


if __name__ == "__main__":
    main()
