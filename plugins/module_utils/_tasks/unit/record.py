# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a set has: the record on the host of what it wrote, and what its units have read."""

from __future__ import annotations

import hmac
import json
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import TYPES, check_name
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

    class _FileEntry(t.TypedDict):
        kind: str
        unit: str
        digest: str
        meaning: str

    class FileEntry(_FileEntry, total=False):
        """A file of a set: `kind` is `unit`, `dropin` or `file` beside, `unit` whose it is.

        `digest` is that of what was written, and `meaning` of what it says to a unit. `was` is there until a task has ended that
        writes the file: the digest of what the set wrote there before, empty where it wrote nothing. Which of the two the file
        holds is told by its content, and if it holds something else, the set has not written it.
        """

        was: str

    class UnitEntry(t.TypedDict, total=False):
        """A unit of a set.

        `owned`: it belongs to the set. `made`: what the set made of it (`enabled`, `started`, `masked`). `on_change`: what
        is done when its files become others. `loaded` and `reloaded`: what it has read, source -> digest, when it was started
        and when it read its configuration last. `id`: what systemd calls it, if it is another name. `unproven`: there until a
        task has ended that starts it, and has found it well (`settle`, `probe`).
        """

        owned: bool
        made: list[str]
        on_change: str
        loaded: dict[str, str]
        reloaded: dict[str, str]
        id: str
        unproven: bool


_VERSION = 1
# A record has some hundred bytes for each unit and file.
_LIMIT = 16 << 20


class Record:
    """What one set has on a host, as it is written down.

    :param salt: what digests are made with, as hex; of secrets that anybody could guess they tell nothing without it.
    :param root: the tree that it is in. Paths are written down as they will be when the tree is booted, so that none leads out of it.
    """

    def __init__(
        self,
        name: str,
        salt: str,
        files: dict[str, FileEntry] | None = None,
        units: dict[str, UnitEntry] | None = None,
        root: str = "",
    ) -> None:
        self.name = name
        self.salt = salt
        self.root = root
        self.files: dict[str, FileEntry] = files or {}
        self.units: dict[str, UnitEntry] = units or {}

    def digest(self, content: bytes) -> str:
        """What tells a content from others, and nothing of it."""
        return hmac.digest(self.salt.encode(), content, "sha256").hex()

    def wrote(self, path: str, content: bytes) -> bool:
        """Whether this is what the set has written there."""
        entry = self.files.get(path)
        return entry is not None and self.digest(content) in (entry["digest"], entry.get("was"))

    def has(self, path: str, content: bytes) -> bool:
        """Whether the file is the set's, which it also is when somebody has changed it, once it was written."""
        return path in self.files and ("was" not in self.files[path] or self.wrote(path, content))

    def text(self) -> bytes:
        """The record as it is written; the same for the same record."""
        files = {self._inside(path): entry for path, entry in self.files.items()}
        units = {
            name: {**entry, "loaded": self._texts_inside(entry["loaded"]), "reloaded": self._texts_inside(entry["reloaded"])}
            for name, entry in self.units.items()
        }
        data = {"version": _VERSION, "set": self.name, "salt": self.salt, "files": files, "units": units}
        # On one line: with `indent` Python has no fast way to write it.
        return (json.dumps(data, sort_keys=True) + "\n").encode()

    def copy(self) -> Record:
        """Another one that says the same, in which entries can be replaced; the entries themselves are those of this one."""
        return Record(self.name, self.salt, dict(self.files), dict(self.units), self.root)

    def says(self, other: Record) -> bool:
        """Whether both say the same of files and units."""
        return self.files == other.files and self.units == other.units

    def _inside(self, path: str) -> str:
        """A path as it is in the tree; sources that are none stay what they are."""
        return path[len(self.root) :] if self.root and path.startswith(f"{self.root}/") else path

    def _texts_inside(self, texts: t.Mapping[str, str]) -> dict[str, str]:
        return {self._inside(name): digest for name, digest in texts.items()}

    @property
    def is_empty(self) -> bool:
        return not self.files and not self.units

    @classmethod
    def new(cls, name: str, root: str = "") -> Record:
        """That of a set that has nothing yet."""
        return cls(name, os.urandom(16).hex(), root=root)

    @classmethod
    def read(cls, path: str, tree: Tree) -> Record | None:
        """The record in a file; None where there is none.

        :raises SystemdError: it is none that this version has written.
        """
        content = tree.read(path, _LIMIT)
        if content is None:
            return None
        try:
            data = json.loads(content)
            if data["version"] != _VERSION:
                raise ValueError("it was written by a newer version of pidone.systemd")
            record = cls(_text(data["set"]), _text(data["salt"]), root=tree.root)
            record.files = {f"{tree.root}{_path(path)}": _file_entry(entry) for path, entry in data["files"].items()}
            record.units = {_unit(name): _unit_entry(entry, tree.root) for name, entry in data["units"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise SystemdError(
                f"{path} is no record of a set: {e}; remove the file, and the set begins anew with what its task lists "
                "(what it lists no longer has to be removed by hand then)"
            ) from e
        return record


def read_others(directory: str, name: str, tree: Tree) -> dict[str, Record]:
    """The records of all other sets of a manager, by their paths.

    :raises SystemdError: one cannot be read.
    """
    found = {}
    try:
        names = tree.names(directory)
    except Unreadable:
        return {}
    for each in sorted(names):
        if each.endswith(".json") and each != f"{name}.json" and not each.startswith("."):
            record = Record.read(f"{directory}/{each}", tree)
            if record is not None:
                found[f"{directory}/{each}"] = record
    return found


def _text(value: t.Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("there is something else than a text in it")
    return value


def _path(value: t.Any) -> str:
    # What a record names is removed one day.
    if not _text(value).startswith("/") or ".." in value.split("/"):
        raise ValueError("there is something else than a path in it")
    return str(value)


def _unit(value: t.Any) -> str:
    # It becomes a part of paths.
    try:
        return check_name(_text(value), "", loadable=False)
    except BadInput:
        raise ValueError(f"{shown(value)} is no name of a unit") from None


def _texts(value: t.Any, root: str) -> dict[str, str]:
    return {f"{root}{_text(key)}" if key.startswith("/") else _text(key): _text(text) for key, text in value.items()}


def _file_entry(data: t.Any) -> FileEntry:
    unit = _text(data["unit"])
    entry: FileEntry = {
        "kind": _text(data["kind"]),
        # Files beside are no unit's, and drop-ins may be those of a type.
        "unit": unit if not unit or unit in TYPES else _unit(unit),
        "digest": _text(data["digest"]),
        "meaning": _text(data["meaning"]),
    }
    if "was" in data:
        entry["was"] = _text(data["was"])
    return entry


def _unit_entry(data: t.Any, root: str) -> UnitEntry:
    entry: UnitEntry = {
        "owned": bool(data["owned"]),
        "made": [_text(each) for each in data["made"]],
        "on_change": _text(data["on_change"]),
        "loaded": _texts(data["loaded"], root),
        "reloaded": _texts(data["reloaded"], root),
    }
    if "id" in data:
        entry["id"] = _unit(data["id"])
    if data.get("unproven"):
        entry["unproven"] = True
    return entry
