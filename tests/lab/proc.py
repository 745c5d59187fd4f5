# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes: identity that survives pid reuse, and running commands with readable failures."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
import typing as t


class LabError(Exception):
    """Something the lab cannot do; the message is meant for the person at the keyboard."""


class Process(t.NamedTuple):
    """A process that is only ever signalled while it is still the one that was started."""

    pid: int
    start: int  # field 22 of /proc/PID/stat: clock ticks since boot

    @classmethod
    def of(cls, pid: int) -> Process:
        """Identify the running process *pid*; LabError if there is none."""
        start = start_time(pid)
        if start is None:
            raise LabError(f"process {pid} does not exist")
        return cls(pid, start)

    @classmethod
    def load(cls, data: t.Sequence[int] | None) -> Process | None:
        """The process from its JSON form ``[pid, start]``."""
        return cls(data[0], data[1]) if data else None

    def alive(self) -> bool:
        """Whether this very process still runs (zombies do not count)."""
        return start_time(self.pid) == self.start

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, if it is still this process."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass


def start_time(pid: int) -> int | None:
    """Start time of *pid* in clock ticks since boot (proc(5)), or None if it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as handle:
            fields = handle.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def children(pid: int) -> list[int]:
    """Process ids of the children of *pid*'s main thread."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as handle:
            return [int(word) for word in handle.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def run(*command: str | os.PathLike[str], check: bool = True, **kwargs: t.Any) -> subprocess.CompletedProcess[str]:
    """Run a command with its output captured; a failure becomes a LabError that shows it."""
    words = [os.fspath(word) for word in command]
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    try:
        done = subprocess.run(words, text=True, capture_output=True, check=False, **kwargs)
    except FileNotFoundError as exc:
        raise LabError(f"{words[0]}: not found (run 'tests/lab/lab prerequisites')") from exc
    if check and done.returncode:
        raise LabError(f"{shlex.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done


def wait_until(probe: t.Callable[[], t.Any], what: str, timeout: float, interval: float = 0.03) -> t.Any:
    """Poll *probe* until it returns something true, and return that; LabError after *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {timeout:g} s")
        time.sleep(interval)
