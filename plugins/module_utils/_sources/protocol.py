# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source is to those who import and move its services: the only things that they know of it.

A source is an init system, a supervisor or a scheduler that services leave. Where messages need its words, it writes them.
A new one is a folder or file with its `Source`, and a line in the registry (`__init__.py`).
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.expected import Expected
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import Raw

    #: `Snapshot` of `_observe/processes.py`; named like this, that file is not sent where sources are only looked at.
    Snapshot = t.Mapping[str, t.Any]

    #: What the record of a handover keeps for a supervisor, and nobody else looks into; of JSON's types.
    Memo = t.Dict[str, t.Any]

    class Was(t.TypedDict):
        """A service before its handover.

        `running`: it had a process. `up`: it ran, or was meant to. `enabled`: it came up with the host.
        """

        running: bool
        up: bool
        enabled: bool


class Service(t.NamedTuple):
    """A service for which a supervisor is asked.

    `path`: where it is defined, links resolved. `links` and `state`: what a definition said of it (`Raw`), perhaps long ago.
    `begun`: an interrupted handover has left it half way, so that what is found now is not what it was.
    """

    name: str
    path: str
    links: t.Sequence[str]
    state: t.Mapping[str, t.Any]
    begun: bool


class Now(t.NamedTuple):
    """What the old supervisor does with a service at a moment.

    `held`: it has it: it runs it, or would start it by itself. `pid`: of the main process, or of what cleans up after that; None
    where there is none. `since`: when that began, in seconds of the epoch.
    """

    held: bool
    running: bool
    pid: int | None
    since: float


class Files(t.Protocol):
    """How files are changed such that it survives a power cut: `_engine/durable.py`, which is above this layer."""

    def make_link(self, path: str, target: str) -> None:
        """Make a link where nothing is; what is there stays."""

    def remove_link(self, path: str) -> None:
        """Remove a link or file, if there is one."""

    def remove(self, path: str) -> bool:
        """The same without waiting for the disk; returns whether there was one."""

    def replace(self, path: str, content: bytes) -> None:
        """Put a file in the place of whatever is there."""

    def replace_link(self, path: str, target: str) -> None:
        """The same with a link."""

    def temporary_of(self, path: str) -> str:
        """Where a file is made that is to take the place of another."""

    def tidy(self, path: str) -> None:
        """Remove what a killed process has left of its change of a file."""

    def sync_directory(self, path: str) -> None:
        """Wait until the names in a directory are on the disk."""


class Source(t.Protocol):
    """A source. A task has one object of each, which may keep what it has looked at."""

    name: str

    def find(self, root: str = "/", path: str | None = None, names: t.Sequence[str] | None = None) -> list[Raw]:
        """The definitions of services, with the standard library alone; changes nothing.

        :param root: the tree that is read as if it were `/`.
        :param path: where to look instead of the source's known places.
        :param names: names or globs of the services wanted.
        :raises BadInput: `root` or `path` cannot be read.
        """

    def place(self, name: str) -> str:
        """The path of a service's definition where nobody gives one."""

    def supervisor(self, service: Service, memo: Memo, files: Files) -> Supervisor | None:
        """Who supervises a service; None where nothing does, so that there is nobody to take it from.

        :param memo: what the record has kept, also in version 1 of records; empty where there is none. It is changed in place.
        :raises SystemdError: the service cannot be taken as it is found, or the memo is damaged.
        """

    def expected(self, path: str) -> Expected:
        """What a service that is defined at a path is expected to be another way, because of the source."""

    def left_behind(self, going: t.Sequence[Supervisor]) -> list[str]:
        """Warnings about services that stay and will miss those that go."""


class Supervisor(t.Protocol):
    """The old supervisor of one service. What it does can be done again after an interruption, by the memo and what is found."""

    #: Name of the source, where the service is defined, and what the record keeps.
    source: str
    path: str
    memo: Memo
    #: Seconds after `give_back` by which it has begun with the service.
    patience: float

    @property
    def name(self) -> str:
        """Name of the service."""

    @property
    def was(self) -> Was:
        """What it was before its handover, by the memo."""

    def now(self) -> Now:
        """What it does with the service at this moment."""

    def found(self) -> Now:
        """The same, but after a wait for what it is about to begin with; what is seen is what `problems` and `note` go by."""

    def problems(self, found: Now | None = None) -> list[str]:
        """What stands in the way of moving the service: sentences that name it as `it`, with their remedies.

        :param found: how it was found, if it is to go to systemd: also what stands in the way of that.
        """

    def note(self) -> None:
        """Put into the memo how the service was found, unless an interrupted handover changed that."""

    def beside(self, name: str) -> str:
        """Where it runs another service, of this name; empty where it does not."""

    # -- away

    @property
    def taking(self) -> str:
        """What `take` does, in words that follow `stop NAME under SOURCE`, such as ` and unlink PATH`; may be empty."""

    def take(self) -> None:
        """See to it that nobody starts the service again, now or with the next boot. Stops nothing.

        :raises OSError: something cannot be done; all else is done.
        """

    def stop(self, deadline: float, before: Snapshot | None) -> None:
        """Have the service stopped and hold it, so that nobody can begin it until `release` or the end of this process.

        :param deadline: of `time.monotonic()`.
        :param before: the service as it ran.
        :raises SystemdError: it did not stop in time.
        """

    def release(self) -> None:
        """Hold the service no longer; may be called when nothing is held."""

    def finished(self) -> None:
        """Take away what is there for the time of the handover alone, before its end is recorded."""

    # -- and back

    @property
    def giving(self) -> str:
        """What `give_back` does, in words, such as `link PATH`."""

    def give_back(self, save: t.Callable[[], None]) -> None:
        """Release the service and undo `take`, such that it is started if it was up, and only then.

        :param save: writes the record with the memo; to be called before what the memo has to know about.
        :raises SystemdError: that is not possible.
        """

    def settled(self, timeout: float) -> int | None:
        """Wait until it has the service as it had it; returns the process that runs again, None where none did.

        :param timeout: seconds.
        :raises SystemdError: it has not.
        """
