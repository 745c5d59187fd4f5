# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the host as the only process of a service: notes what it sees, then behaves as its arguments say.

    python3 probe.py NAME [ARGUMENT...]

A line of JSON per start is added to OUT/NAME.starts, and one per signal to OUT/NAME.signals. Arguments: `exit=N` ends with
that code, `after=SECONDS` waits before; `kill=N` ends by that signal; `child` leaves a child that notes signals
too; `print` prints to both outputs. Anything else is only noted. Without `exit` or `kill` it ends at SIGTERM, SIGINT and SIGQUIT.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time

OUT = "/var/lib/probe"
QUIET = ("exit", "after", "kill", "child", "print")


def note(kind: str, name: str, data: object) -> None:
    """Add one line, in one write."""
    fd = os.open(f"{OUT}/{name}.{kind}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(fd, (json.dumps(data) + "\n").encode())
    os.close(fd)


def sees() -> dict[str, object]:
    """What a process can see of how it was started."""
    limits = {}
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            limits[name[7:]] = resource.getrlimit(getattr(resource, name))
    umask = os.umask(0)
    os.umask(umask)
    fds = {}
    for fd in (0, 1, 2):
        try:
            fds[fd] = os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
        except OSError:
            fds[fd] = "closed"
    status = {}
    try:
        with open("/proc/self/status") as file:
            status = dict(line.rstrip("\n").split(":", 1) for line in file)
        with open("/proc/self/cmdline") as file:
            cmdline = file.read().split("\0")[:-1]
        with open("/proc/self/stat") as file:
            # proc_pid_stat(5): field 22, in clock ticks since the boot; the name, field 2, may hold blanks.
            forked = int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:  # in a chroot without /proc
        cmdline, forked = [], 0.0
    return {
        "forked": forked,
        "cmdline": cmdline,
        "arguments": sys.argv[2:],
        "uid": os.getresuid(),
        "gid": os.getresgid(),
        "groups": sorted(os.getgroups()),
        "cwd": os.getcwd(),
        "jailed": os.path.exists("/mnt/marker"),
        "environment": dict(os.environ),
        "limits": limits,
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "umask": umask,
        "leads_session": os.getsid(0) == os.getpid(),
        "leads_group": os.getpgid(0) == os.getpid(),
        "fds": fds,
        "ignored": status.get("SigIgn", "").strip(),
        "blocked": status.get("SigBlk", "").strip(),
        "time": time.monotonic(),
        "parent": os.getppid(),
    }


def main() -> None:
    """Note, then behave."""
    name = sys.argv[1]
    words = dict(word.partition("=")[::2] for word in sys.argv[2:] if word.partition("=")[0] in QUIET)
    who = name

    ended = []

    def handle(number: int, frame: object) -> None:
        note("signals", who, signal.Signals(number).name)
        if number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT) and who == name:
            ended.append(number)

    if "exit" not in words and "kill" not in words:
        for number in ("TERM", "CONT", "HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "WINCH"):
            signal.signal(getattr(signal, f"SIG{number}"), handle)
    seen = sees()
    if "child" in words and os.fork() == 0:
        who = f"{name}-child"
    note("starts", who, seen)
    if "print" in words:
        print("to standard output", flush=True)
        print("to standard error", file=sys.stderr, flush=True)
    time.sleep(float(words.get("after", 0)))
    if "exit" in words:
        os._exit(int(words["exit"]))
    if "kill" in words:
        os.kill(os.getpid(), int(words["kill"]))
    while not ended:
        time.sleep(0.05)
    # What comes right behind the signal is noted too.
    time.sleep(0.3)


if __name__ == "__main__":
    main()
