# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller, below a directory that the user named, whose names come from elsewhere.

Each name is one part of a path, and is refused if it could be more. Links are followed as long as they stay in the directory; what
is opened in the end is opened part by part below a descriptor of the directory, with no link left to follow.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput

#: No unit file is larger.
_LARGEST = 1024 * 1024
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC


def file_name(host: str) -> str:
    """The name of a host as that of a file; different hosts have different ones.

    Names that are none of a file (`a/b`, `..`) are written as URLs do it (`a%2Fb`), as is the percent sign then.
    """
    if host in (".", ".."):
        return host.replace(".", "%2E")
    if "/" in host or "\0" in host or "%2" in host or "%0" in host:
        return host.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    return host


class Directory:
    """A directory that the user named, such as that of `overrides`."""

    def __init__(self, path: str, option: str) -> None:
        self.path = path
        self.option = option

    def shown(self, *parts: str) -> str:
        return os.path.join(self.path, *parts)

    def read(self, *parts: str) -> str | None:
        """The text of a file; None where there is none.

        :raises BadInput: it is outside, is no regular file, is no UTF-8, or cannot be read.
        """
        where = self.shown(*parts)
        try:
            real = self._within(parts)
            above = self._open_above(real)
            try:
                file = os.open(real[-1], os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=above)
            finally:
                os.close(above)
            with os.fdopen(file, "rb") as stream:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise BadInput(f"{self.option}: {where} on the controller is no regular file")
                data = stream.read(_LARGEST + 1)
            if len(data) > _LARGEST:
                raise BadInput(f"{self.option}: {where} on the controller is larger than {_LARGEST // 1024} KiB")
            return data.decode("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except UnicodeDecodeError as e:
            raise BadInput(f"{where}: cannot be read on the controller: {e}") from e
        except OSError as e:
            if e.errno == errno.ENAMETOOLONG:
                return None
            raise BadInput(f"{where}: cannot be read on the controller: {e.strerror}") from e

    def names(self, *parts: str) -> list[str]:
        """The sorted names in a directory below; empty where there is none."""
        try:
            above = self._open_above((*self._within(parts), ""))
            try:
                return sorted(os.listdir(above))
            finally:
                os.close(above)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as e:
            if e.errno == errno.ENAMETOOLONG:
                return []
            raise BadInput(f"{self.shown(*parts)}: cannot be read on the controller: {e.strerror}") from e

    def write(self, content: str, mode: int, *parts: str) -> None:
        """Make a file, or replace it, with the directories on the way.

        :raises BadInput: it is outside, or cannot be written.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            for number in range(1, len(parts)):
                self._make(self._within(parts[:number]))
            *above, name = self._within(parts[:-1]) + [parts[-1]]
            place = self._open_above((*above, name))
            temporary = f".{secrets.token_hex(8)}.tmp"
            try:
                file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600, dir_fd=place)
                try:
                    with os.fdopen(file, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
                        stream.write(content)
                        os.fchmod(file, mode)
                    os.replace(temporary, name, src_dir_fd=place, dst_dir_fd=place)
                except BaseException:
                    os.unlink(temporary, dir_fd=place)
                    raise
            finally:
                os.close(place)
        except (OSError, UnicodeEncodeError) as e:
            why = e.strerror if isinstance(e, OSError) else "it is no text"
            raise BadInput(f"{self.option}: cannot write {self.shown(*parts)} on the controller: {why}") from e

    def _within(self, parts: t.Sequence[str]) -> list[str]:
        """The parts below the directory once links are followed.

        :raises BadInput: one of them is no name of a file, or they lead out.
        """
        for part in parts:
            if not part or part in (".", "..") or "/" in part or "\0" in part:
                raise BadInput(f"{self.option}: {part!a} is no name of a file below {self.path}")
        if not parts:
            return []
        base = os.path.realpath(self.path)
        real = os.path.realpath(os.path.join(base, *parts))
        if not real.startswith(base.rstrip("/") + "/"):
            raise BadInput(
                f"{self.option}: {self.shown(*parts)} on the controller is a link that leads out of the directory; put a copy there"
            )
        return real[len(base.rstrip("/")) + 1 :].split("/")

    def _open_above(self, parts: t.Sequence[str]) -> int:
        """A descriptor of the directory that has the last part. The caller closes it."""
        current = os.open(os.path.realpath(self.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts[:-1]:
            try:
                found = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _FLAGS, dir_fd=current)
            finally:
                os.close(current)
            current = found
        return current

    def _make(self, parts: t.Sequence[str]) -> None:
        above = self._open_above(parts)
        try:
            os.mkdir(parts[-1], dir_fd=above)
        except FileExistsError:
            pass
        finally:
            os.close(above)
