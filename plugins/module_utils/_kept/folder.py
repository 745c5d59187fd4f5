# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of the effective user on this host in which tasks keep what later tasks would otherwise bring or make again.

It is `pidone.systemd-UID`, and must belong to the user with mode 0700. What is in it is run, so this is what it is trusted for:

- Files belong to the user and are writable to nobody else. Whoever could forge one can run code as the user anyway.
- Files are opened below the checked directory, never through links, and never wait, as a named pipe would make them.
- The very bytes that were checked are run.
- Compiled code starts with Python's magic number and the SHA-256 of what follows. That tells a damaged file, not a forged one.

What is in doubt is not used but made anew. How files get there is in writing.py, which few tasks need.
"""

from __future__ import annotations

import os
import stat
import sys
import typing as t

# An environment variable for users: where the directory is made. It had this name when only jeepney was kept.
DIRECTORY = "PIDONE_SYSTEMD_JEEPNEY_DIR"

LARGEST = 1 << 22  # bytes of a file


def bases() -> list[str]:
    """Where to look for the user's directory, best first: lasting before lost at boot, private before shared."""
    chosen = os.environ.get(DIRECTORY)
    if chosen:
        return [os.path.expanduser(chosen)]
    import pwd

    uid = os.geteuid()
    try:
        # not $HOME, which may be somebody else's under su or sudo
        home = [pwd.getpwuid(uid).pw_dir + "/.cache"]
    except KeyError:
        home = []
    return [*home, "/var/tmp", f"/run/user/{uid}" if uid else "/run", "/dev/shm", "/tmp"]


def open_folder(base: str) -> int | str:
    """Open the user's directory below *base*; returns a file descriptor, or why there is none to be trusted."""
    me = os.geteuid()
    path = f"{base}/pidone.systemd-{me}"
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as e:
        return e.strerror or str(e)
    found = os.fstat(folder)
    mode = stat.S_IMODE(found.st_mode)
    # Directories made where the parent has the set-group-ID bit inherit it; it gives nobody access.
    if found.st_uid == me and mode & ~stat.S_ISGID == 0o700:
        return folder
    os.close(folder)
    return f"{path} belongs to uid {found.st_uid} with mode {mode:04o}, not to uid {me} with 0700"


def read(folder: int, name: str) -> bytes | None:
    """The content of a regular file that belongs to the user and that nobody else can write; None if it is not that."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return None
        return os.read(file, found.st_size) if found.st_size <= LARGEST else None
    except OSError:
        return None
    finally:
        os.close(file)


def sha256(data: bytes) -> bytes:
    """SHA-256 of *data*."""
    import hashlib  # ansible-core has imported it already

    return hashlib.sha256(data).digest()


def file_name(what: str, digest: str) -> str:
    """File name of what this Python compiled."""
    return f"{what}-{digest}.{sys.implementation.cache_tag or 'python'}"


def read_code(folder: int, name: str) -> t.Any:
    """The compiled code in a file that `writing.write_code` wrote; None unless all checks hold."""
    import marshal
    from importlib.util import MAGIC_NUMBER

    data = read(folder, name)
    if data is None or data[:4] != MAGIC_NUMBER or data[4:36] != sha256(data[36:]):
        return None
    try:
        return marshal.loads(data[36:])  # noqa: S302 - the user's own, see the module's docstring
    except (EOFError, TypeError, ValueError):
        return None
