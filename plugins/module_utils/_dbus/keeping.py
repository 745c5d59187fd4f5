# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the jeepney that the action plugin brought; see carrier.py for what is kept, _kept/folder.py for where."""

from __future__ import annotations

import os
import sys
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._kept.folder import DIRECTORY, bases, file_name, sha256
from ansible_collections.pidone.systemd.plugins.module_utils._kept.writing import make_folder, tidy, write, write_code


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
        folder = make_folder(base)
        if isinstance(folder, str):
            problems.append(f"{base}: {folder}")
            continue
        try:
            tidy(folder, "jeepney")
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
    code = _compile(archive, digest)
    try:
        write_code(folder, file_name("jeepney", digest), code)
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
