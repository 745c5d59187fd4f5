# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept on the host of each handover: enough to end one that was interrupted, and to give the service back.

One file for each service, replaced whole and synced, so that it is there as it was before or after any step. What is in
such a file is done as root: so nobody else may be able to write it.
"""

from __future__ import annotations

import json
import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, shown

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import Snapshot
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Memo

    class Entry(t.TypedDict, total=False):
        """What the task said of the service, in the form of the option `services`."""

        units: list[dict[str, t.Any]]
        dropins: list[dict[str, t.Any]]
        accept: list[str]


DIRECTORY = "/var/lib/pidone.systemd/handover"
# Phases that an interrupted run leaves behind.
UNDER_WAY = ("begun", "giving_back")
_VERSION = 1
# Of records of services; the last is what is written.
_OF_SERVICES = (1, 2)
# Bytes of a record at most; one holds the unit files of a service, or of all services of a host.
_LARGEST = 64 << 20


class Store:
    """A directory of records, each a JSON object in a file of its own, held by one task at a time.

    :param directory: it is made, for its owner alone, when something is held or saved.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._lock_path = f"{directory}/.lock"
        self._lock: int | None = None

    def path(self, name: str) -> str:
        """Where a record is."""
        return f"{self.directory}/{name.replace('/', '_')}.json"

    def names(self) -> list[str]:
        """The names of the records."""
        try:
            return sorted(name[:-5] for name in os.listdir(self.directory) if name.endswith(".json") and name[0] != ".")
        except OSError:
            return []

    def read(self, name: str, versions: t.Container[t.Any] = (_VERSION,)) -> dict[str, t.Any] | None:
        """A record; None where there is none.

        :param versions: those that the caller can read; None is one without.
        :raises SystemdError: there is one, and it cannot be read, or somebody else could have written it.
        """
        path = self.path(name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as e:
            raise SystemdError(f"cannot read the record of an earlier handover, {path}: {e.strerror}") from e
        try:
            with os.fdopen(descriptor, "rb") as file:
                self._check_owner(path, os.fstat(descriptor))
                text = file.read(_LARGEST + 1)
            if len(text) > _LARGEST:
                raise ValueError(f"it is larger than {_LARGEST >> 20} MiB")
            data = json.loads(text.decode("utf-8", "surrogateescape"))
        except (OSError, ValueError, RecursionError) as e:
            raise SystemdError(
                f"cannot read the record of an earlier handover, {path}: {e}; remove it if it is damaged"
            ) from e
        if not isinstance(data, dict) or data.get("version") not in versions:
            raise SystemdError(
                f"{path} is not a record that this version of the collection can read; use the version that wrote it, "
                "or remove it if it is damaged"
            )
        return data

    def _check_owner(self, path: str, status: os.stat_result) -> None:
        """Refuse a record that others than its owner, who is this user, could have written or put there."""
        if not stat.S_ISREG(status.st_mode):
            raise SystemdError(f"{path}, which should be the record of an earlier handover, is no file; remove it")
        above = os.path.dirname(self.directory)
        for place, its in ((path, status), (self.directory, os.stat(self.directory)), (above, os.stat(above))):
            # Where the sticky bit is set, as in /tmp, others cannot replace what is not theirs.
            shared = its.st_mode & 0o022 and not (its.st_mode & stat.S_ISVTX and stat.S_ISDIR(its.st_mode))
            if its.st_uid not in (0, os.geteuid()) or shared:
                raise SystemdError(
                    f"{path} is not trusted, as others than root can write {place} (user {its.st_uid}, mode "
                    f"{stat.S_IMODE(its.st_mode):04o}); see what is in it, and give it to root with mode "
                    f"{'0600' if place == path else '0700'}"
                )

    def write(self, name: str, data: t.Mapping[str, t.Any], version: int = _VERSION) -> None:
        """Write a record, so that it survives whatever comes next.

        :raises OSError: it cannot be written; what was there is untouched.
        """
        self.make()
        text = json.dumps({**data, "version": version}, indent=1)
        # What a run that was killed has left of an earlier try.
        durable.tidy(self.path(name))
        durable.replace(self.path(name), text.encode("utf-8", "surrogateescape"))

    def forget(self, name: str) -> None:
        """Remove a record for good."""
        durable.tidy(self.path(name))
        if durable.remove(self.path(name)):
            durable.sync_directory(self.directory)

    def make(self) -> None:
        """Make the directory."""
        if not os.path.isdir(self.directory):
            for directory in durable.missing_directories(self.directory):
                durable.make_directory(directory)
                durable.sync_directory(os.path.dirname(directory))
            os.chmod(self.directory, 0o700)

    def hold(self) -> None:
        """Keep all other tasks out until `release`, or the end of this process.

        :raises SystemdError: another task holds it, or it cannot be held.
        """
        import fcntl

        try:
            self.make()
            lock = os.open(self._lock_path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise SystemdError(
                f"cannot make {self._lock_path}, where it is kept what is done: {e.strerror or e}; make that writable"
            ) from e
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise SystemdError(
                f"another handover is going on on this host (it holds {self._lock_path}); wait for its end, and run this one again"
            ) from None
        self._lock = lock

    def release(self) -> None:
        """Let others go on."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class Record:
    """The handover of one service.

    `phase` is `begun` from before the first change until the end, `handed_over` from then on, and `giving_back` while it is
    taken back; then the record goes. `source` and `path` say where the service is defined, and `memo` is what its old
    supervisor keeps. `files` are the unit files as they were before (path -> content, None where there was none) and
    `written` as they were written.

    Version 1 of records had what is the supervisor's beside the rest: whatever is none of the fields here is the memo.

    :raises SystemdError: a field of *data* is none of its type.
    """

    def __init__(self, name: str, data: dict[str, t.Any] | None = None) -> None:
        data = data or {}
        self.name = name
        self.phase: str = _field(name, data, "phase", "begun")
        self.source: str = _field(name, data, "source", "")
        self.path: str = _field(name, data, "path", "")
        self.units: list[str] = _field(name, data, "units", [])
        self.files: dict[str, str | None] = _field(name, data, "files", {})
        self.written: dict[str, str] = _field(name, data, "written", {})
        self.enabled: list[str] = _field(name, data, "enabled", [])
        # Units of the host that were masked, so that they would not run beside the old supervisor.
        self.masked: list[str] = _field(name, data, "masked", [])
        # Units that were up before, and are none of ours to stop.
        self.active: list[str] = _field(name, data, "active", [])
        before = data.get("before")
        self.before: Snapshot | None = None if before is None else t.cast("Snapshot", _field(name, data, "before", {}))
        # What the task said of it: `units`, `dropins`, `accept`.
        self.entry: Entry = _field(name, data, "entry", {})
        if data.get("version") == 1:
            self.memo: Memo = {key: value for key, value in data.items() if key not in {*self.__dict__, "version"}}
        else:
            self.memo = _field(name, data, "memo", {})

    def as_data(self) -> dict[str, t.Any]:
        """The record for JSON."""
        return {**self.__dict__}


# Fields that map paths to texts.
_PATHS = ("files", "written")


def _field(name: str, data: t.Mapping[str, t.Any], key: str, default: t.Any) -> t.Any:
    value = data.get(key, default)
    good = isinstance(value, type(default))
    if good and isinstance(value, list):
        good = all(isinstance(one, str) for one in value)
    elif good and key in _PATHS:
        good = all(
            path.startswith("/") and (isinstance(text, str) or (text is None and key == "files"))
            for path, text in value.items()
        )
    if not good:
        raise SystemdError(
            f"the record of an earlier handover of {name} is damaged: {shown(key)} is {shown(value)}; "
            f"see {DIRECTORY}, and remove that record if the service is where it belongs"
        )
    return value


class Records(Store):
    """The records of services."""

    def __init__(self, directory: str = DIRECTORY) -> None:
        super().__init__(directory)

    def read(self, name: str, versions: t.Container[t.Any] = _OF_SERVICES) -> dict[str, t.Any] | None:
        """A record as it is; see `Store`."""
        return super().read(name, versions)

    def load(self, name: str) -> Record | None:
        """The record of a service; None where there is none.

        :raises SystemdError: there is one, and it cannot be read.
        """
        data = self.read(name)
        return None if data is None else Record(name, data)

    def save(self, record: Record) -> None:
        """Write a record, so that it survives whatever comes next."""
        self.write(record.name, record.as_data(), _OF_SERVICES[-1])

    def put_back(self, name: str, data: t.Mapping[str, t.Any]) -> None:
        """Write a record as it was read, in its version."""
        self.write(name, data, data["version"])
