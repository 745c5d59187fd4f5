# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept on the host of each handover: enough to end one that was interrupted, and to give the service back.

One file for each service, replaced whole and synced, so that it is there as it was before or after any step.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

DIRECTORY = "/var/lib/pidone.systemd/handover"
# Phases that an interrupted run leaves behind.
UNDER_WAY = ("begun", "giving_back")
_VERSION = 1


class Record:
    """The handover of one service.

    `phase` is `begun` from before the first change until the end, `handed_over` from then on, and `giving_back` while it is
    taken back; then the record goes. `links` are those of
    scanned directories with their targets, `was` the state under the old supervisor, `files` the unit files as they were
    before (path -> content, None where there was none) and `written` as they were written.
    """

    def __init__(self, name: str, data: t.Optional[t.Dict[str, t.Any]] = None) -> None:
        data = data or {}
        self.name = name
        self.phase: str = data.get("phase", "begun")
        self.source: str = data.get("source", "runit")
        self.path: str = data.get("path", "")
        self.links: t.Dict[str, str] = data.get("links", {})
        self.was: t.Dict[str, t.Any] = data.get("was", {})
        self.units: t.List[str] = data.get("units", [])
        self.files: t.Dict[str, t.Optional[str]] = data.get("files", {})
        self.written: t.Dict[str, str] = data.get("written", {})
        self.enabled: t.List[str] = data.get("enabled", [])
        # Units of the host that were masked, so that they would not run beside the old supervisor.
        self.masked: t.List[str] = data.get("masked", [])
        # Units that were up before, and are none of ours to stop.
        self.active: t.List[str] = data.get("active", [])
        self.before: t.Optional[t.Dict[str, t.Any]] = data.get("before")
        # What the task said of it: `units`, `dropins`, `accept`.
        self.entry: t.Dict[str, t.Any] = data.get("entry", {})
        # Whether there is a file `down` in the service directory that is ours, for the moment.
        self.held_down: bool = data.get("held_down", False)

    def as_data(self) -> t.Dict[str, t.Any]:
        return {"version": _VERSION, **self.__dict__}


class Records:
    """The directory of records, held by one task at a time."""

    def __init__(self, directory: str = DIRECTORY) -> None:
        self.directory = directory
        self._lock: t.Optional[int] = None

    def _path(self, name: str) -> str:
        return f"{self.directory}/{name.replace('/', '_')}.json"

    def names(self) -> t.List[str]:
        """The services of which there is a record."""
        try:
            return sorted(name[:-5] for name in os.listdir(self.directory) if name.endswith(".json") and name[0] != ".")
        except OSError:
            return []

    def load(self, name: str) -> t.Optional[Record]:
        """The record of a service; None where there is none.

        :raises SystemdError: there is one, and it cannot be read.
        """
        path = self._path(name)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                data = json.load(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as e:
            raise SystemdError(
                f"cannot read the record of an earlier handover, {path}: {e}; remove it if it is damaged"
            ) from e
        if not isinstance(data, dict) or data.get("version") != _VERSION:
            raise SystemdError(f"{path} is not a record that this version of the collection can read")
        return Record(name, data)

    def save(self, record: Record) -> None:
        """Write a record, so that it survives whatever comes next."""
        path = self._path(record.name)
        temporary = f"{self.directory}/.{record.name.replace('/', '_')}.{os.getpid()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(record.as_data(), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        self._sync()

    def forget(self, name: str) -> None:
        """Remove a record."""
        try:
            os.unlink(self._path(name))
        except FileNotFoundError:
            return
        self._sync()

    def hold(self) -> None:
        """Make the directory, and keep all other tasks out until the end of this process.

        :raises SystemdError: another task holds it.
        """
        import fcntl

        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        self._lock = os.open(f"{self.directory}/.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = None
            raise SystemdError(
                "another handover is going on on this host (it holds "
                f"{self.directory}/.lock); wait for its end, and run this one again"
            ) from None

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _sync(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
