# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the jeepney that the action plugin brought; see carrier.py for what is kept where, and why it can be trusted."""

from __future__ import annotations

import os
import sys
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import (
    DIRECTORY,
    bases,
    compiled_name,
    open_folder,
    sha256,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

_KEEP_UNUSED = 90 * 86400  # seconds


def keep(digest: str, brought: str) -> dict[str, t.Any]:
    """Keep the jeepney that was brought, and return its code objects by module name.

    :param digest: SHA-256 of the zip, in hexadecimal.
    :param brought: the zip, compressed with zlib, in base64.
    :raises SystemdError: it is not what the digest says, cannot be compiled here, or there is no place to keep it.
    """
    import binascii
    import zlib

    try:
        data = zlib.decompress(binascii.a2b_base64(brought))
    except (ValueError, zlib.error):
        data = b""
    if sha256(data).hex() != digest:
        raise SystemdError("jeepney was damaged on the way from the controller to this host; run the task again")
    problems = []
    for base in bases():
        folder = _make_folder(base)
        if isinstance(folder, str):
            problems.append(f"{base}: {folder}")
            continue
        try:
            _tidy(folder)
            write(folder, f"jeepney-{digest}.zip", data)
            return compile_and_keep(folder, digest, data)
        except OSError as e:
            problems.append(f"{base}: {e.strerror or e}")
        finally:
            os.close(folder)
    raise SystemdError(
        "jeepney, the Python library that speaks D-Bus, is not installed on this host, and there is no directory to keep "
        f"the controller's in ({'; '.join(problems)}); name one that the user with uid {os.geteuid()} can write to with "
        f"`environment: {{{DIRECTORY}: /some/directory}}`, or install the package python3-jeepney on the host"
    )


def compile_and_keep(folder: int, digest: str, archive: bytes) -> dict[str, t.Any]:
    """Compile what is in the zip for this Python, and keep that if possible."""
    import marshal
    from importlib.util import MAGIC_NUMBER

    code = _compile(archive, digest)
    body = marshal.dumps(code)
    try:
        write(folder, compiled_name(digest), MAGIC_NUMBER + sha256(body) + body)
    except OSError:
        pass  # slower, not wrong
    return code


def _compile(archive: bytes, digest: str) -> dict[str, t.Any]:
    import io
    import zipfile

    code = {}
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for path in opened.namelist():
            if not path.endswith(".py"):
                continue
            name = path[:-3].replace("/", ".")
            if name.endswith(".__init__"):
                name = name[:-9]
            try:
                code[name] = compile(opened.read(path), f"jeepney-{digest[:12]}.zip/{path}", "exec", dont_inherit=True)
            except SyntaxError as e:
                raise SystemdError(
                    f"the controller's jeepney is not for Python {'.'.join(map(str, sys.version_info[:2]))}, which "
                    f"this host has ({sys.executable}); install the package python3-jeepney on the host"
                ) from e
    return code


def _make_folder(base: str) -> int | str:
    """As `carrier.open_folder`, but make it where it is missing."""
    path = f"{base}/pidone.systemd-{os.geteuid()}"
    try:
        if base.endswith("/.cache"):
            _make_directory(base)
        _make_directory(path)
    except OSError as e:
        return e.strerror or str(e)
    return open_folder(base)


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass


def write(folder: int, name: str, data: bytes) -> None:
    """Put a file in place in one step."""
    temporary = f".{name}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(temporary, flags, 0o600, dir_fd=folder)
    except FileExistsError:  # left by a process that was killed and had our number
        os.unlink(temporary, dir_fd=folder)
        file = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
        finally:
            os.close(file)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise


def _tidy(folder: int) -> None:
    """Remove what controllers brought long ago; the few that still want it bring it again."""
    import time

    for name in os.listdir(folder):
        try:
            if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < time.time() - _KEEP_UNUSED:
                os.unlink(name, dir_fd=folder)
        except OSError:
            pass  # another task was faster, or it is not a file
