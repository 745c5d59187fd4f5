# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jeepney for this process: the host's own, or the one that the action plugin brought.

What is brought is kept in the user's own directory, see _kept/folder.py:

- `jeepney-SHA256.zip`, what came from the controller. Each task says by its SHA-256 which one it wants, and the bytes
  are checked against that before every use, so nothing on this host decides what is run.
- `jeepney-SHA256.PYTHON`, the same compiled by this host's Python, because compiling takes longer than all the rest.

Every task runs this file: what only first contact needs is in keeping.py.
"""

from __future__ import annotations

import os
import sys
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import luggage
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._kept.folder import (
    bases,
    file_name,
    open_folder,
    read,
    read_code,
    sha256,
)

_NOT_BROUGHT = (
    "the controller brought none; run the module under its full name, pidone.systemd.NAME, with jeepney in the Python environment of "
    "Ansible (`pip install jeepney`)"
)


class JeepneyMissing(SystemdError):
    """There is no jeepney here; the action plugin knows it by `pidone_jeepney` in the result, and brings it."""


def import_jeepney() -> tuple[t.Any, t.Any]:
    """Import the modules `jeepney.low_level` and `jeepney.auth`, and return them.

    Call it before anything is changed: on first contact the task ends here and is then repeated.

    :raises JeepneyMissing: the host has none, and none was brought.
    :raises SystemdError: one was brought, but cannot be kept or used here.
    """
    own = import_own()
    if own is not None:
        return own
    wanted = luggage.get("wanted", "")
    code = _kept(wanted) if wanted else None
    if code is None:
        if "zip" not in luggage:
            raise JeepneyMissing(
                f"the Python library jeepney (0.7 or later) is not installed on this host for {sys.executable}, and "
                f"{luggage.get('lacking') or _NOT_BROUGHT}, or install the package python3-jeepney on the host",
                pidone_jeepney={"missing": True},
            )
        from ansible_collections.pidone.systemd.plugins.module_utils._dbus.keeping import keep

        code = keep(wanted, luggage["zip"])
    return _import_carried(code)


def import_own() -> tuple[t.Any, t.Any] | None:
    """The host's own jeepney, unless it is too old: all that is used here came with 0.7, Authenticator last."""
    try:
        from jeepney import auth, low_level
    except Exception:  # a library that cannot be imported, for whatever reason, is as good as none
        usable = False
    else:
        usable = hasattr(auth, "Authenticator")
    if usable:
        return low_level, auth
    for name in [name for name in sys.modules if name == "jeepney" or name.startswith("jeepney.")]:
        del sys.modules[name]
    return None


def _import_carried(code: dict[str, t.Any]) -> tuple[t.Any, t.Any]:
    kind = type(sys)
    # "jeepney" sorts before what is in it, which may then import from it.
    for name in sorted(code):
        module = kind(name)
        module.__package__ = "jeepney"
        module.__file__ = code[name].co_filename
        if name == "jeepney":
            module.__path__ = []
        sys.modules[name] = module
        try:
            exec(code[name], module.__dict__)  # noqa: S102 - checked against the digest that the controller gave
        except Exception as e:
            raise SystemdError(
                f"jeepney as brought by the controller does not work with {sys.executable} (Python "
                f"{'.'.join(map(str, sys.version_info[:3]))}): {e}; install the package python3-jeepney on the host"
            ) from e
    return sys.modules["jeepney.low_level"], sys.modules["jeepney.auth"]


def _kept(digest: str) -> dict[str, t.Any] | None:
    """The code of the jeepney with this SHA-256, if it is kept here and all checks hold."""
    for base in bases():
        folder = open_folder(base)
        if not isinstance(folder, int):
            continue
        try:
            data = read(folder, f"jeepney-{digest}.zip")
            if data is not None and sha256(data).hex() == digest:
                return _compiled(folder, digest, data)
        finally:
            os.close(folder)
    return None


def _compiled(folder: int, digest: str, archive: bytes) -> dict[str, t.Any]:
    code = read_code(folder, file_name("jeepney", digest))
    if isinstance(code, dict):
        return code
    from ansible_collections.pidone.systemd.plugins.module_utils._dbus.keeping import compile_and_keep

    return compile_and_keep(folder, digest, archive)
