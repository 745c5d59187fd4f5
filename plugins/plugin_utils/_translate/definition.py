# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collector found of one service, as the translators ask for it."""

from __future__ import annotations

import base64
import re
import typing as t


class Definition:
    """The raw files of one service and what is known of its host.

    `path`: where the service directory is on the host. `live`: the files come from a host, so that what was not found is
    not there; otherwise they come from a checkout, and nothing is known about the host.
    """

    def __init__(self, raw: t.Mapping[str, t.Any]) -> None:
        self.name: str = str(raw["name"])
        self.source: str = str(raw.get("source", "runit"))
        self.path: str = str(raw.get("path", f"/etc/sv/{self.name}")).rstrip("/")
        self.assumed: bool = bool(raw.get("assumed_path"))
        self.live: bool = bool(raw.get("live"))
        self.files: dict[str, t.Mapping[str, t.Any]] = {str(one["path"]): one for one in raw.get("files", [])}
        self.external: dict[str, t.Mapping[str, t.Any]] = {str(one["path"]): one for one in raw.get("external", [])}
        self.users: t.Mapping[str, t.Any] = raw.get("users") or {}
        self.commands: dict[str, str] = dict(raw.get("commands") or {})
        self.unit: str | None = raw.get("unit")
        self.initscript: str | None = raw.get("initscript")
        self.state: t.Mapping[str, t.Any] = raw.get("state") or {}
        self.problems: list[str] = [str(one) for one in raw.get("problems", [])]

    def text(self, relative: str) -> str | None:
        """The text of a file of the service directory; None where there is none."""
        text = _text(self.files.get(relative))
        if text is not None and "svc" in text and (relative in _SCRIPTS or relative.startswith("control/")):
            return _SVC.sub(_as_sv, text)
        return text

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


_SCRIPTS = frozenset(("run", "finish", "check"))
# daemontools' svc, whose options are the letters of sv's commands.
_SVC = re.compile(
    r"(?m)(^|[;&|({]|\b(?:exec|then|do|else)\b)([ \t]*)(?:/[^\s;&|]*/)?(?:s6-)?svc[ \t]+-([a-z12]+)(?=[ \t])"
)


def _as_sv(match: re.Match[str]) -> str:
    letters = match.group(3)
    verb = letters[0]
    if len(letters) > 1:
        verb = "t" if "d" in letters and "u" in letters else "d" if set(letters) & set("dx") else verb
    return f"{match.group(1)}{match.group(2)}sv {verb}"


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


def _text(one: t.Mapping[str, t.Any] | None) -> str | None:
    if one is None or one.get("content") is None:
        return None
    content = str(one["content"])
    if one.get("encoding", "utf-8") == "base64":
        try:
            return base64.b64decode(content).decode("utf-8", "surrogateescape")
        except ValueError:
            return None
    return content


_PLAIN_LINE = re.compile(
    r"""([A-Za-z_][A-Za-z0-9_]*)=(?:'([^'\n]*)'|"([^"$`\\\n]*)"|([^\s'"$`\\~;&|<>()*?\[#{}]*))\Z"""
)
_COMMENTED = re.compile(r"\s*#+\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=")


def plain_settings(text: str) -> tuple[dict[str, str], set[str]] | None:
    """A settings file that the shell and `EnvironmentFile=` read alike: its values, and the names its comments mention.

    None where it holds anything else. A trailing comment behind a value is text to systemd, so it does not count as plain.
    """
    values: dict[str, str] = {}
    mentioned: set[str] = set()
    for line in text.split("\n"):
        bare = line.strip()
        if not bare:
            continue
        if bare.startswith("#"):
            match = _COMMENTED.match(bare)
            if match:
                mentioned.add(match.group(1))
            continue
        match = _PLAIN_LINE.match(bare)
        if match is None:
            return None
        value = next((group for group in match.groups()[1:] if group is not None), "")
        values[match.group(1)] = value
    return values, mentioned
