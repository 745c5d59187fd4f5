# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collector found of one service, as the translators ask for it."""

from __future__ import annotations

import base64
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._sources.reading import plain_settings
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import TooMuch

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import File, Raw, State, User

#: More than the collector reads of a file.
LARGEST = 256 * 1024
LARGEST_TOGETHER = 2 * 1024 * 1024
#: Statements that the interpreter looks at in one service, in however many turns.
MOST_STATEMENTS = 20000


class Definition:
    """The raw files of one service and what is known of its host.

    `path`: where the service directory is on the host. `live`: the files come from a host, so that what was not found is
    not there; otherwise they come from a checkout, and nothing is known about the host.
    """

    #: Paths of files that are scripts, whether or not they may be executed.
    scripts: t.ClassVar[frozenset[str]] = frozenset()

    def __init__(self, raw: Raw) -> None:
        self.name: str = str(raw["name"])
        self.source: str = str(raw.get("source", "runit"))
        self.path: str = str(raw.get("path", f"/etc/sv/{self.name}")).rstrip("/")
        self.assumed: bool = bool(raw.get("assumed_path"))
        self.live: bool = bool(raw.get("live"))
        self.files: dict[str, File] = {str(one["path"]): one for one in raw.get("files", [])}
        self.external: dict[str, File] = {str(one["path"]): one for one in raw.get("external", [])}
        self.users: dict[str, User] = raw.get("users") or {}
        self.commands: dict[str, str] = dict(raw.get("commands") or {})
        self.unit: str | None = raw.get("unit")
        self.initscript: str | None = raw.get("initscript")
        self.state: State = raw.get("state") or {}
        self.problems: list[str] = [str(one) for one in raw.get("problems", [])]
        self._left = MOST_STATEMENTS

    def spend(self, steps: int = 1) -> None:
        """Count a statement that is interpreted, or what takes as long as some.

        :raises TooMuch: there were more than a translation may take.
        """
        self._left -= steps
        if self._left < 0:
            raise TooMuch(f"reading it takes more than {MOST_STATEMENTS} steps")

    def check_size(self) -> None:
        """
        :raises TooMuch: the files are larger than any that are written by hand.
        """
        total = scripts = 0
        for path, one in self.files.items():
            size = len(str(one.get("content") or ""))
            total += size
            scripts += size if self.executable(path) or path in self.scripts else 0
            if size > LARGEST:
                raise TooMuch(f"{path} has more than {LARGEST // 1024} KiB")
        if scripts > LARGEST:
            raise TooMuch(f"its scripts have more than {LARGEST // 1024} KiB together")
        if total > LARGEST_TOGETHER:
            raise TooMuch(f"its files have more than {LARGEST_TOGETHER // 1024 // 1024} MiB together")

    def withheld(self, path: str) -> File | None:
        """A file, by its whole path, whose contents stayed on the host since they are not for everybody; None for others."""
        relative = self.relative(path)
        one = self.external.get(path) if relative is None else self.files.get(relative)
        return one if one is not None and one.get("private") and one.get("content") is None else None

    def withheld_in(self, path: str) -> list[str]:
        """The names of such files directly in a directory."""
        relative = self.relative(path)
        files, head = (self.external, path) if relative is None else (self.files, relative)
        return sorted(
            one.rpartition("/")[2]
            for one in files
            if one.rpartition("/")[0] == head and self.withheld(one if relative is None else f"{self.path}/{one}")
        )

    def unread_in(self, path: str) -> list[str]:
        """The names of files directly in a directory, by its whole path, that are there and were not read for other reasons."""
        relative = self.relative(path)
        files, head = (self.external, path) if relative is None else (self.files, relative)
        return sorted(
            name.rpartition("/")[2]
            for name, one in files.items()
            if name.rpartition("/")[0] == head and (one.get("binary") or one.get("truncated")) and one.get("content") is None
        )

    def text(self, relative: str) -> str | None:
        """The text of a file of the service directory; None where there is none."""
        return _text(self.files.get(relative))

    def is_text(self, relative: str) -> bool:
        one = self.files.get(relative)
        return one is not None and one.get("content") is not None and one.get("encoding", "utf-8") == "utf-8"

    def has(self, relative: str) -> bool:
        relative = relative.rstrip("/")
        return relative in self.files or any(path.startswith(relative + "/") for path in self.files)

    def executable(self, relative: str) -> bool:
        """Whether a file would be run; a checkout may have lost the mode, and counts."""
        one = self.files.get(relative)
        if one is None or one.get("type", "file") == "directory":
            return False
        mode = one.get("mode")
        return not self.live or mode is None or bool(int(str(mode), 8) & 0o111)

    def below(self, relative: str) -> dict[str, str]:
        """Names and texts of the files directly in a directory of the service directory."""
        found = {}
        for path in self.files:
            head, _slash, tail = path.rpartition("/")
            if head == relative and tail:
                text = self.text(path)
                if text is not None:
                    found[tail] = text
        return found

    def relative(self, path: str) -> str | None:
        """A path as one relative to the service directory, where it is inside."""
        path = normal(path)
        if path == self.path:
            return ""
        if path.startswith(self.path + "/"):
            return path[len(self.path) + 1 :]
        return None

    def outside(self, path: str) -> tuple[bool, str | None]:
        """A file elsewhere on the host: whether anything is known about it, and its text."""
        one = self.external.get(path)
        if one is not None:
            return True, _text(one)
        return False, None


def normal(path: str) -> str:
    """A path without `.` and empty parts; `..` taken back."""
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if parts:
                parts.pop()
            continue
        parts.append(part)
    return "/" + "/".join(parts)


def _text(one: File | None) -> str | None:
    if one is None or one.get("content") is None:
        return None
    content = str(one["content"])
    if one.get("encoding", "utf-8") == "base64":
        try:
            return base64.b64decode(content).decode("utf-8", "surrogateescape")
        except ValueError:
            return None
    return content


__all__ = ["Definition", "normal", "plain_settings"]
