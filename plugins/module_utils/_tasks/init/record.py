# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to outlive the reboot into another init system: one record on the host, with files as they were before."""

from __future__ import annotations

import base64
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Store

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import Listener
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.verify import Moved

    # A file as `Saved.as_data` writes it, or `{"link": TARGET}`.
    Picture = t.Dict[str, t.Any]

    class Asked(t.TypedDict):
        """What the task asked for, by which the same task, run again, finds nothing to do."""

        # Path -> text.
        files: dict[str, str]
        enable: list[str]
        disable: list[str]
        # Seconds.
        trial: int


RECORD = "/var/lib/pidone.systemd/init-handover.json"


class Record:
    """What is kept on the host: the phase, the files and links as they were, and what ran before."""

    def __init__(self, data: dict[str, t.Any], path: str = RECORD) -> None:
        self.path = path
        self.phase: str = data.get("phase", "")
        self.services: list[Moved] = data.get("services", [])
        self.files: dict[str, Picture | None] = data.get("files", {})
        self.links: dict[str, str] = data.get("links", {})
        self.units: list[str] = data.get("units", [])
        self.listeners: dict[str, Listener] = data.get("listeners", {})
        self.old: str = data.get("old", "")
        # What the task asked for: `files`, `enable`, `disable`, `trial`.
        self.asked: Asked | dict[str, t.Any] = data.get("asked", {})

    @classmethod
    def load(cls, path: str = RECORD) -> Record:
        """The record; one with an empty phase where there is none.

        :raises SystemdError: it cannot be read, or others than root can write it.
        """
        # What an earlier version of the collection wrote has no number of its version.
        data = _store(path).read(_name(path), (1, None))
        return cls(data or {}, path)

    def save(self) -> None:
        """Write it, so that it survives whatever comes next."""
        _store(self.path).write(_name(self.path), {key: value for key, value in self.__dict__.items() if key != "path"})

    def forget(self) -> None:
        """Remove it for good."""
        _store(self.path).forget(_name(self.path))


def _store(path: str) -> Store:
    return Store(os.path.dirname(path))


def _name(path: str) -> str:
    return os.path.basename(path)[: -len(".json")]


def has_text(path: str, text: str) -> bool:
    """Whether a file has this text already."""
    saved = None if os.path.islink(path) else Saved.of(path)
    return saved is not None and saved.content == text.encode()


def picture(path: str) -> Picture | None:
    """A file or link as it is, for the record; None where there is none."""
    if os.path.islink(path):
        return {"link": os.readlink(path)}
    saved = Saved.of(path)
    return None if saved is None else saved.as_data()


def restore(path: str, was: Picture | None) -> None:
    """Make a file or link what it was when `picture` was taken."""
    directory = os.path.dirname(path)
    # What a run that was killed has left.
    durable.tidy(path)
    if was is None:
        durable.remove(path)
        if path.endswith(".conf"):
            durable.remove_empty(directory)
        return
    for each in durable.missing_directories(directory):
        durable.make_directory(each)
    if "link" in was:
        durable.replace_link(path, was["link"])
    elif "times" in was:
        Saved.from_data(was).put_back(path)
    else:
        # As an earlier version of the collection kept it.
        content, mode = base64.b64decode(was["content"]), int(was["mode"], 8)
        durable.replace(path, content, lambda temporary: os.chmod(temporary, mode))
