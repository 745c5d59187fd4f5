# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs each script as it is and each unit with systemd, on a host that is thrown away, and prints what the stand-ins saw.

Usage: on_host.py PLAN STAND_IN
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import typing as t

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNITS = "/run/systemd/system"
TRACE = "/var/tmp/trace"
# Made by scripts, and not there when a script or unit begins.
VOLATILE = re.compile(r"(?:/run|/var/run|/var/lib|/var/log|/var/cache|/srv)/[\w.-]+")
LEFT_ALONE = frozenset(
    "/run/systemd /run/dbus /run/lock /run/log /run/user /run/udev /run/sshd /run/runit /var/lib/systemd /var/lib/dpkg /var/lib/dbus "
    "/var/log/journal /var/lib/misc".split()
)


# Seconds for a script or unit that ends by itself, whatever else the machine does.
DEADLINE = 60


def deadline(service: dict[str, t.Any]) -> int:
    return int(service.get("cut") or DEADLINE)


def run(*command: str, **options: t.Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, **options)


def put(path: str, content: str, mode: int = 0o644) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)
    os.chmod(path, mode)


def stand(path: str, stand_in: str) -> None:
    if not os.path.lexists(path):
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(stand_in, path)
        except OSError:
            pass


def prepare(plan: dict[str, t.Any], stand_in: str) -> None:
    for kind, line in (
        ("group", "{name}:x:{number}:\n"),
        ("passwd", "{name}:x:{number}:{number}::/home/{name}:/bin/sh\n"),
    ):
        with open(f"/etc/{kind}") as file:
            there = {row.split(":")[0] for row in file}
        with open(f"/etc/{kind}", "a") as file:
            for number, name in enumerate(plan["accounts"], 3000):
                if name not in there:
                    file.write(line.format(name=name, number=number))
    for name in plan["names"]:
        stand(f"/usr/local/bin/{name}", stand_in)
    for path in plan["paths"]:
        stand(path, stand_in)
    # The host's own, which would do something.
    for name in plan["replaced"]:
        for directory in ("/usr/bin", "/usr/sbin"):
            if os.path.lexists(f"{directory}/{name}"):
                os.remove(f"{directory}/{name}")
                os.symlink(stand_in, f"{directory}/{name}")
    for service in plan["services"]:
        put(f"{UNITS}/{service['unit']}", service["content"])
        put(f"{UNITS}/{service['unit']}.d/test.conf", f"[Service]\nRestart=no\nTimeoutStartSec={deadline(service)}\n")
    run("systemctl", "daemon-reload")


def place(service: dict[str, t.Any]) -> str:
    """The service directory and what the scripts expect, as new; returns the directory."""
    directory = f"/etc/sv/{service['name']}"
    shutil.rmtree(directory, ignore_errors=True)
    texts = [service["content"], *service["files"].values()]
    for path in {found for text in texts for found in VOLATILE.findall(text)} - LEFT_ALONE:
        shutil.rmtree(path, ignore_errors=True)
        if os.path.lexists(path):
            os.remove(path)
    for path, content in service["files"].items():
        put(f"{directory}/{path}", content, 0o755)
    for path in service["directories"]:
        os.makedirs(path, exist_ok=True)
    return directory


def trace() -> list[dict[str, t.Any]]:
    found = []
    if os.path.exists(TRACE):
        with open(TRACE) as file:
            found = [ast.literal_eval(line) for line in file if line.endswith("}\n")]
    put(TRACE, "", 0o666)
    return found


def as_unit(service: dict[str, t.Any]) -> None:
    # With RemainAfterExit= it is done when it is started, else when it has ended.
    stays = re.search("^RemainAfterExit=(yes|true|1|on)$", service["content"], re.M | re.I)
    try:
        run("systemctl", "start", *([] if stays else ["--wait"]), service["unit"], timeout=deadline(service) + 5)
    except subprocess.TimeoutExpired:
        stays = re.match("", "")
    if stays:
        run("systemctl", "stop", service["unit"])


def as_script(directory: str, service: dict[str, t.Any]) -> None:
    code = -1
    for name in ("run", "finish"):
        if name not in service["files"]:
            continue
        try:
            code = subprocess.run(
                [f"{directory}/{name}", *([str(code), "0"] if name == "finish" else [])],
                cwd=directory,
                env={"PATH": PATH},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=deadline(service),
                start_new_session=True,
                check=False,
            ).returncode
        except (OSError, subprocess.TimeoutExpired):
            pass


def main() -> None:
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    prepare(plan, sys.argv[2])
    found = []
    for fails in ("no", "yes"):
        put("/var/tmp/fails", fails)
        for service in plan["services"]:
            if fails == "yes" and not service["guarded"]:
                continue
            place(service)
            trace()
            as_unit(service)
            unit = trace()
            as_script(place(service), service)
            found.append({"name": service["name"], "fails": fails, "unit": unit, "script": trace()})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
