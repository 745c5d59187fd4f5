# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops and starts services under runsv (or supervise of daemontools), by files and fifos alone: runsv(8), runsvdir(8)."""

from __future__ import annotations

import errno
import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.collect import (
    in_scanned_directory,
    is_supervised,
    read_status,
)

# runsvdir looks at its directory every five seconds.
if t.TYPE_CHECKING:

    class Live(t.TypedDict):
        """What a supervised service does now."""

        supervised: bool
        running: bool
        paused: bool
        pid: int | None
        # `up`, `down`, `exit`, or None where nobody supervises it.
        wanted: str | None
        # Seconds of the epoch.
        since: int
        # Whether it has a file `down`, and whether it runs but is not started again.
        down: bool
        once: bool


SCAN = 5.0
_PAUSE = 0.02


class Supervised:
    """One service directory, and who supervises it.

    :param path: the service directory, links resolved.
    :param source: `runit` or `daemontools`.
    """

    def __init__(self, path: str, source: str = "runit") -> None:
        self.path = path
        self.source = source
        self._lock: int | None = None

    @property
    def log(self) -> Supervised | None:
        """Its log service, where it has one."""
        return Supervised(f"{self.path}/log", self.source) if os.path.isdir(f"{self.path}/log") else None

    def is_supervised(self) -> bool:
        """Whether a runsv has this directory: it alone has the fifo open for reading."""
        supervised = is_supervised(self.path)
        if supervised is None:
            raise SystemdError(f"cannot see who supervises {self.path}: {self.path}/supervise/ok cannot be opened")
        return supervised

    def status(self) -> Live:
        """What it does now: `supervised`, `running`, `pid`, `wanted` (up, down, exit or None), `since`, `down`, `once`."""
        supervised = self.is_supervised()
        status = read_status(f"{self.path}/supervise/status") if supervised else None
        found: t.Any = {"running": False, "pid": None, "wanted": None, "since": 0, "paused": False}
        found.update(status or {})
        found["supervised"] = supervised
        found["down"] = os.path.lexists(f"{self.path}/down")
        found["once"] = bool(found["running"] and found["wanted"] == "down")
        return t.cast("Live", found)

    def control(self, commands: bytes) -> None:
        """Tell runsv what to do, one letter for each command (`u`, `d`, `o`, `x`, ...)."""
        try:
            descriptor = os.open(f"{self.path}/supervise/control", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as e:
            if e.errno in (errno.ENXIO, errno.ENOENT):
                return
            raise SystemdError(f"cannot control {self.path}: {e.strerror}") from e
        try:
            os.write(descriptor, commands)
        finally:
            os.close(descriptor)

    def leave(self) -> None:
        """Have the service stopped, and then its supervisor exit. Needs the links to be gone, or it is started again."""
        self.control(b"x" if self.source == "runit" else b"dx")

    # -- the lock

    def lock(self) -> bool:
        """Take the lock that runsv holds while it runs, so that none can begin; returns whether it was to be had."""
        import fcntl

        if self._lock is not None:
            return True
        try:
            descriptor = os.open(f"{self.path}/supervise/lock", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            # Never supervised: there is no lock yet.
            return not self.is_supervised()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True

    def unlock(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- waiting

    def wait(self, what: t.Callable[[Live], bool], deadline: float) -> bool:
        """Until something is true of the status, or the deadline (of `time.monotonic()`) passed; returns whether it is."""
        while True:
            if what(self.status()):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)


def asks_for(path: str) -> set[str]:
    """The services that a run script names to `sv`, to see or have them up; empty for what cannot be read."""
    try:
        with open(path, "rb") as file:
            lines = file.read(65536).decode("utf-8", "replace").splitlines()
    except OSError:
        return set()
    found: set[str] = set()
    for line in lines:
        words = line.replace(";", " ; ").replace("|", " ; ").replace("&", " ; ").split()
        for at, word in enumerate(words):
            if os.path.basename(word) != "sv":
                continue
            rest = words[at + 1 :]
            rest = rest[: rest.index(";")] if ";" in rest else rest
            if any(verb in rest for verb in ("check", "start", "once", "status")):
                found.update(os.path.basename(one.rstrip("/")) for one in rest)
    return found


def scanned_links(links: t.Sequence[str]) -> dict[str, str]:
    """Of paths in scanned directories, those that are links there now, with their targets.

    :raises SystemdError: one is the service directory itself.
    """
    found = {}
    for path in links:
        try:
            found[path] = os.readlink(path)
        except FileNotFoundError:
            continue
        except OSError:
            raise SystemdError(in_scanned_directory(path)) from None
    return found
