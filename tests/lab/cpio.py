# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing cpio archives (format "newc"), which Linux takes as an initial root file system; several may follow each other."""

from __future__ import annotations

import os
import shutil
import stat
import typing as t
from pathlib import Path

_REGULAR = 0o100644


def _header(number: int, status: tuple[int, int, int, int, int, int], size: int, name: bytes) -> bytes:
    mode, uid, gid, mtime, major, minor = status
    fields = (number, mode, uid, gid, 1, mtime, size, 0, 0, major, minor, len(name) + 1, 0)
    text = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
    return text + bytes(-len(text) % 4)


def _end(out: t.BinaryIO) -> None:
    out.write(_header(0, (0, 0, 0, 0, 0, 0), 0, b"TRAILER!!!"))
    out.write(bytes(-out.tell() % 512))


def pack_tree(root: Path, out: t.BinaryIO) -> None:
    """Write everything below *root* (devices and links too; sockets are left out) as one archive.

    Hard links become separate files.
    """
    number = 0
    for folder, directories, files in os.walk(os.fsencode(root)):
        directories.sort()
        # "." too: the mode of the root itself, which is 1777 otherwise
        top = [b"."] if folder == os.fsencode(root) else []
        for entry in top + sorted([*directories, *files]):
            path = os.path.join(folder, entry)
            info = os.lstat(path)
            if stat.S_ISSOCK(info.st_mode):
                continue
            number += 1
            name = os.path.relpath(path, os.fsencode(root))
            device = (os.major(info.st_rdev), os.minor(info.st_rdev))
            status = (info.st_mode, info.st_uid, info.st_gid, int(info.st_mtime), *device)
            if stat.S_ISLNK(info.st_mode):
                target = os.readlink(path)
                out.write(_header(number, status, len(target), name) + target + bytes(-len(target) % 4))
            elif stat.S_ISREG(info.st_mode):
                out.write(_header(number, status, info.st_size, name))
                with open(path, "rb") as source:
                    shutil.copyfileobj(source, out, 1 << 20)
                out.write(bytes(-info.st_size % 4))
            else:
                out.write(_header(number, status, 0, name))
    _end(out)


def pack_files(files: dict[str, str], out: t.BinaryIO) -> None:
    """Write files of root's, mode 0644, given as ``{path without leading slash: content}``; directories must exist."""
    for number, (name, text) in enumerate(files.items(), 1):
        data = text.encode()
        out.write(_header(number, (_REGULAR, 0, 0, 0, 0, 0), len(data), name.encode()) + data + bytes(-len(data) % 4))
    _end(out)
