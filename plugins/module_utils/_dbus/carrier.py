# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jeepney for this process: the host's own, or the one that the action plugin brought.

What is brought is kept in a directory of the effective user, `pidone.systemd-UID`, which must be theirs with mode 0700:

- `jeepney-SHA256.zip`, what came from the controller. Each task says by its SHA-256 which one it wants, and the bytes
  are checked against that before every use, so nothing on this host decides what is run.
- `jeepney-SHA256.PYTHON`, the same compiled by this host's Python, because compiling takes longer than all the rest.
  It starts with Python's magic number and the SHA-256 of what follows. That tells a damaged file, not a forged one:
  against forgery stands that it, too, must belong to the user and be writable to nobody else. If in doubt it is made anew.

The very bytes that were checked are run; files are opened below the checked directory and never through links.

Every task runs, and first compiles, this file: what only first contact needs is in keeping.py.
"""

from __future__ import annotations

import os
import stat
import sys
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import luggage
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

# An environment variable for users: the directory to keep it in, below which a directory of the user's own is made.
DIRECTORY = "PIDONE_SYSTEMD_JEEPNEY_DIR"

_LARGEST = 1 << 22


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
                f"the Python library jeepney (0.7 or later) is not installed on this host for {sys.executable}, and it was "
                "not brought by the controller either; run the module under its full name, pidone.systemd.NAME, with "
                "jeepney in the Python environment of Ansible (`pip install jeepney`), or install the package "
                "python3-jeepney on the host",
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
    import marshal
    from importlib.util import MAGIC_NUMBER

    data = read(folder, compiled_name(digest))
    if data is not None and data[:4] == MAGIC_NUMBER and data[4:36] == sha256(data[36:]):
        return t.cast("dict[str, t.Any]", marshal.loads(data[36:]))  # noqa: S302 - our own, see the module's docstring
    from ansible_collections.pidone.systemd.plugins.module_utils._dbus.keeping import compile_and_keep

    return compile_and_keep(folder, digest, archive)


def compiled_name(digest: str) -> str:
    """File name of what this Python compiled."""
    return f"jeepney-{digest}.{sys.implementation.cache_tag or 'python'}"


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
        return os.read(file, found.st_size) if found.st_size <= _LARGEST else None
    except OSError:
        return None
    finally:
        os.close(file)


def sha256(data: bytes) -> bytes:
    """SHA-256 of *data*."""
    import hashlib  # ansible-core has imported it already

    return hashlib.sha256(data).digest()
