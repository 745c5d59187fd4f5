# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host: modules of the collection by the hundred, each in a process of its own, none of which imports anything.

In a directory beside it are the packages `ansible` (module_utils alone), `ansible_collections` and `jeepney`.

Protocol: a JSON line on stdin, ``{"module": NAME, "args": {...}, "check": BOOL, "seconds": N}``; a JSON line on stdout,
``{"result": {...} or null, "output": TEXT, "touched": [PATH...], "seconds": S, "cpu": S, "rss": BYTES}``. `result` is what
the module printed, null where that is no JSON; `touched` are the paths below WATCHED that differ afterwards.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import select
import signal
import sys
import time
import typing as t

HERE = os.path.dirname(os.path.abspath(__file__))
WATCHED = (
    "/etc/systemd",
    "/run/systemd/system",
    "/run/systemd/transient",
    "/run/systemd/system.control",
    "/run/systemd/user",
    "/var/lib/systemd/linger",
    "/var/lib/systemd/timers",
    "/home",
    "/srv",
    "/root",
)
# What comes and goes by itself: logins, and timers of the host's own; their directories change with them.
OTHERS = re.compile(r"/run/systemd/transient(/session-[^/]+)?\Z|/var/lib/systemd/timers(/stamp-(?!bad-|nr-)[^/]+)?\Z")
MODULES = "ansible_collections.pidone.systemd.plugins.modules"
# Characters of a module's output that are told.
MOST = 200_000


def picture() -> dict[str, t.Any]:
    """Path -> what a change of it would change."""
    found: dict[str, t.Any] = {}
    for top in WATCHED:
        for directory, folders, files in os.walk(top):
            for name in (*folders, *files, ""):
                path = os.path.join(directory, name) if name else directory
                if OTHERS.match(path):
                    continue
                try:
                    status = os.lstat(path)
                except OSError:
                    continue
                found[path] = (status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns)
    return found


def child(request: dict[str, t.Any], output: int) -> None:
    """Be the module; does not return."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    # As Ansible has them, whatever the locale is.
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    code = 0
    try:
        basic: t.Any = sys.modules["ansible.module_utils.basic"]
        settings = {"_ansible_check_mode": request["check"], "_ansible_diff": request.get("diff", True)}
        arguments = {"ANSIBLE_MODULE_ARGS": {**request["args"], **settings}}
        basic._ANSIBLE_ARGS = json.dumps(arguments).encode()
        basic._ANSIBLE_PROFILE = "legacy"
        sys.modules[f"{MODULES}.{request['module']}"].main()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def read_all(descriptor: int, pid: int, deadline: float) -> bytes:
    """What the child prints; it is killed at the deadline."""
    chunks = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            os.kill(pid, signal.SIGKILL)
            chunks.append(b"\nmodule_runner: took too long\n")
            return b"".join(chunks)
        if not select.select([descriptor], [], [], left)[0]:
            continue
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def run(request: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run one module; returns what it did."""
    before = picture() if request.get("watch", True) else {}
    reader, writer = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        child(request, writer)
    os.close(writer)
    output = read_all(reader, pid, began + request.get("seconds", 20))
    os.close(reader)
    _pid, _status, used = os.wait4(pid, 0)
    seconds = time.monotonic() - began
    after = picture() if request.get("watch", True) else {}
    text = output.decode("utf-8", "surrogateescape")
    try:
        result = json.loads(text)
    except ValueError:
        result = None
    size = len(output)
    if size > MOST:
        result = {k: v for k, v in result.items() if k not in ("invocation", "units", "diff")} if result else None
        text = text[:MOST]
    elif result:
        result.pop("invocation", None)
    return {
        "result": result,
        "output": "" if result is not None else text,
        "size": size,
        "touched": sorted(path for path in {**before, **after} if before.get(path) != after.get(path)),
        "seconds": round(seconds, 3),
        "cpu": round(used.ru_utime + used.ru_stime, 3),
        "rss": used.ru_maxrss * 1024,
    }


def main() -> None:
    """Answer requests until stdin ends."""
    sys.path.insert(0, HERE)
    os.umask(0o022)
    importlib.import_module("ansible.module_utils.basic")
    folder = os.path.join(HERE, *MODULES.split("."))
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py") and name != "__init__.py":
            importlib.import_module(f"{MODULES}.{name[:-3]}")
    for name in ("low_level", "auth"):
        importlib.import_module(f"jeepney.{name}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        answer = run(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
