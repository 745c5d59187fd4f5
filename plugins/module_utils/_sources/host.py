# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What collectors of all sources read of a host or a checkout: files with their limits, and what the host has that they name.

Needs nothing but Python on the host, and changes nothing there.
"""

from __future__ import annotations

import base64
import os
import re
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._sources.reading import (
    names_in,
    plain_settings,
    read_file,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import File, Raw, User

_LARGEST = 256 * 1024
_MOST_BYTES = 2 * 1024 * 1024
MOST_FILES = 400
# Of those elsewhere that scripts name, so many are read.
_MOST_ELSEWHERE = 64
_VARIABLE_PATH = re.compile(rb"/etc/(?:default|conf\.d|sysconfig)/(?:\$\{PWD##\*/\}|\$\(basename [^)]*\)|\$\{?NAME\}?)")
_WORD = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Only files that a script sources or names as an environment directory are read; the rest of a host is none of our business.
SOURCED = re.compile(rb"(?:^|[\s;&|({])(?:\.|source)\s+[\"']?(/[A-Za-z0-9_./@:+-]+)", re.M)
SOURCED_NEAR = re.compile(
    rb"(?:^|[\s;&|({])(?:\.|source)\s+[\"']?(?:\./)?([A-Za-z0-9_.@+-]+)(?=[\s\"';&|)}]|\Z)", re.M
)
_ENVDIR = re.compile(rb"(?:-e\s*|envdir\s+)[\"']?(/[A-Za-z0-9_./@:+-]+)")
# The file of a variable in a directory of such, whatever that directory is called.
_VALUE = re.compile(r".*/[A-Za-z_][A-Za-z0-9_]*\Z")


def _is_value(path: str, data: bytes) -> bool:
    """Whether a file with NUL bytes is the value of a variable, in which chpst -e reads them as line breaks."""
    if path.split("/")[0] == "env":
        return True
    return _VALUE.match(path) is not None and re.search(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]", data) is None and _is_utf8(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Host:
    """A file tree: a host's, or one below `root`. Absolute links inside are followed inside."""

    def __init__(self, root: str = "/") -> None:
        self.root = "" if root in ("", "/") else os.path.realpath(root)

    def outer(self, path: str) -> str:
        """Where a path of the tree is for this process, links resolved within the tree."""
        if not self.root:
            return os.path.realpath(path)
        return self.root + self.resolve(path)

    def resolve(self, path: str) -> str:
        """A path of the tree with its links resolved, as a path of the tree."""
        if not self.root:
            return os.path.realpath(path)
        parts = [part for part in path.split("/") if part and part != "."]
        done: list[str] = []
        links = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                if done:
                    done.pop()
                continue
            here = self.root + "/" + "/".join(done + [part])
            try:
                target = os.readlink(here)
            except OSError:
                done.append(part)
                continue
            links += 1
            if links > 40:
                break
            more = [one for one in target.split("/") if one and one != "."]
            if target.startswith("/"):
                done = []
            parts = more + parts
        return "/" + "/".join(done)

    def inner(self, path: str) -> str:
        """A path of this process as one of the tree."""
        if self.root and (path == self.root or path.startswith(self.root + "/")):
            return path[len(self.root) :] or "/"
        return path


def listed(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


class Reading:
    """The files of one service as they are read, with what was in the way and how many bytes may still come."""

    def __init__(self, host: Host, live: bool) -> None:
        self.host = host
        self.live = live
        self.problems: list[str] = []
        self.left = _MOST_BYTES

    def names(self, directory: str) -> list[str]:
        return names_in(directory, self.host.root)

    def file(self, where: str, inner: str, secret: bool = True) -> File:
        """One file: its mode and, unless it may hold a secret or is none of the directory's, what it holds.

        :param secret: whether the contents stay here where not everybody may read them.
        """
        one: File = {"path": inner, "type": "file"}
        try:
            content = read_file(where, _LARGEST + 1, self.host.root)
        except OSError as error:
            self.problems.append(f"{inner}: {error.strerror}")
            return one
        if content is None:
            self.problems.append(f"{inner}: is no regular file")
            return one
        one["mode"] = f"{stat.S_IMODE(content.info.st_mode):04o}"
        one["size"] = content.info.st_size
        data = content.data
        if data is None:
            one["private"] = True
            self.problems.append(
                f"{inner}: is a link to a file of another owner that is not for everybody, so it was not read"
            )
            return one
        # Nothing is known of where a checkout will be, so the modes of its directories say nothing.
        if not (content.public if self.live else content.info.st_mode & stat.S_IROTH):
            one["private"] = True
            if secret:
                return one
        if len(data) > _LARGEST:
            if data[:4] == b"\x7fELF":
                one["binary"] = True
            else:
                one["truncated"] = True
            return one
        if b"\0" in data[:4096] and not _is_value(inner, data):
            one["binary"] = True
            return one
        if len(data) > self.left:
            one["truncated"] = True
            self.problems.append(f"{inner}: was not read, since the files before it hold {_MOST_BYTES} bytes already")
            return one
        self.left -= len(data)
        try:
            one["content"] = data.decode("utf-8")
        except UnicodeDecodeError:
            one["content"] = base64.b64encode(data).decode("ascii")
            one["encoding"] = "base64"
        return one

    def add_names(self, one: File, where: str) -> None:
        """Of settings that stay here, the names of the variables, if it is plain settings (`plain_settings`)."""
        content = read_file(where, _LARGEST, self.host.root)
        if content is None or content.data is None:
            return
        plain = plain_settings(content.data.decode("utf-8", "surrogateescape"))
        if plain is not None:
            one["variables"] = sorted(plain[0])
            one["mentioned"] = sorted(plain[1])


def add_facts(raw: Raw, reading: Reading, users: Users, programs: t.Mapping[str, str]) -> None:
    """Add to a definition with its files what its scripts name and this host has: files elsewhere, programs, users, and others of its name."""
    host, name = reading.host, raw["name"]
    texts = [content_of(one) for one in raw["files"] if one.get("content")]
    raw["external"] = _elsewhere(reading, raw, texts)
    texts += [content_of(one) for one in raw["external"] if one.get("content")]
    words: set[str] = set()
    for text in texts:
        words.update(word.decode("ascii") for word in _WORD.findall(text))
    raw["commands"] = {word: programs[word] for word in sorted(words) if word in programs}
    raw["users"] = users.named(words)
    unit = _unit(host, name)
    if unit:
        raw["unit"] = unit
    if os.access(host.root + "/etc/init.d/" + name, os.X_OK):
        raw["initscript"] = "/etc/init.d/" + name


def content_of(one: File) -> bytes:
    if one.get("encoding") == "base64":
        return base64.b64decode(one["content"])
    return str(one["content"]).encode("utf-8", "surrogateescape")


def _elsewhere(reading: Reading, raw: Raw, texts: t.Sequence[bytes]) -> list[File]:
    """Settings files and environment directories elsewhere that the scripts name; also that they are not there."""
    host = reading.host
    sourced: list[str] = []
    listed: list[str] = []
    for text in texts:
        sourced += [match.decode("ascii") for match in SOURCED.findall(text)]
        if b"invoke-run" in text.split(b"\n", 1)[0] or _VARIABLE_PATH.search(text):
            sourced += [f"/etc/{kind}/{raw['name']}" for kind in ("default", "conf.d", "sysconfig")]
        for match in _ENVDIR.findall(text):
            directory = match.decode("ascii").rstrip("/")
            names = reading.names(host.root + directory)[:MOST_FILES]
            listed += [directory + "/" + name for name in names if not name.startswith(".")]
    found: list[File] = []
    unread = ""
    for path in dict.fromkeys([*sourced, *listed]):
        if path.startswith(raw["path"] + "/"):
            continue
        outer = host.outer(path)
        if os.path.isfile(outer):
            if len(found) >= _MOST_ELSEWHERE:
                # What is there and was not read is another thing than what is not there.
                if len(found) < MOST_FILES:
                    found.append({"path": path, "type": "file", "truncated": True})
                unread = unread or path
                continue
            one = reading.file(host.root + path, path)
            if one.get("private") and path in sourced:
                reading.add_names(one, host.root + path)
            found.append(one)
        elif len(found) < MOST_FILES and not os.path.lexists(outer):
            found.append({"path": path, "type": "absent"})
    if unread:
        reading.problems.append(
            f"its scripts name more than {_MOST_ELSEWHERE} files outside the service directory; {unread} and those after it were not read"
        )
    return found


def programs_of(host: Host) -> dict[str, str]:
    found: dict[str, str] = {}
    for directory in _PATH:
        outer = host.outer(directory)
        for name in listed(outer):
            found.setdefault(name, directory + "/" + name)
    return found


def _unit(host: Host, name: str) -> str | None:
    for directory in ("/usr/lib/systemd/system", "/lib/systemd/system"):
        path = f"{directory}/{name}.service"
        if os.path.isfile(host.root + path):
            return path
    return None


class Users:
    """The user and group database of the tree; of a host the files only, no network."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.users: dict[str, User] | None = None

    def named(self, words: t.Iterable[str]) -> dict[str, User]:
        """Of the words, those that are users or ids of users, with uid, gid, home and supplementary groups."""
        if self.users is None:
            self.users = self._load()
        users = self.users
        return {word: users[word] for word in sorted(set(words)) if word in users and word not in ("root", "0")}

    def _lines(self, path: str) -> list[list[str]]:
        try:
            content = read_file(self.host.root + path, 64 * 1024 * 1024, self.host.root)
        except OSError:
            return []
        if content is None or content.data is None:
            return []
        lines = content.data.decode("utf-8", "replace").split("\n")
        return [line.split(":") for line in lines if line.strip() and not line.startswith("#")]

    def _load(self) -> dict[str, User]:
        users: dict[str, User] = {}
        for row in self._lines("/etc/passwd"):
            if len(row) >= 6:
                users[row[0]] = {"uid": row[2], "gid": row[3], "home": row[5], "groups": []}
        for row in self._lines("/etc/group"):
            if len(row) >= 4:
                for member in row[3].split(","):
                    if member in users and users[member]["gid"] != row[2]:
                        users[member]["groups"].append(row[0])
        return {**{user["uid"]: user for user in users.values()}, **users}
