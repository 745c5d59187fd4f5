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
"""

from __future__ import annotations

import os
import stat
import sys
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

# The environment of the module, set by the action plugin: which jeepney is wanted (SHA-256 of the zip), and the zip
# itself (zlib, base64) where this host is known to lack it.
WANTED = "PIDONE_SYSTEMD_JEEPNEY"
BROUGHT = "PIDONE_SYSTEMD_JEEPNEY_ZIP"
# Set by users: the directory to keep it in, below which a directory of the user's own is made.
DIRECTORY = "PIDONE_SYSTEMD_JEEPNEY_DIR"

_LARGEST = 1 << 22
_KEEP_UNUSED = 90 * 86400


class JeepneyMissing(SystemdError):
    """There is no jeepney here; the action plugin knows it by `pidone_jeepney` in the result, and brings it."""


def import_jeepney() -> tuple[t.Any, t.Any]:
    """Import the modules `jeepney.low_level` and `jeepney.auth`, and return them.

    Call it before anything is changed: on first contact the task ends here and is then repeated.

    :raises JeepneyMissing: the host has none, and none was brought.
    :raises SystemdError: one was brought, but cannot be kept or used here.
    """
    brought = os.environ.pop(BROUGHT, "")
    wanted = os.environ.pop(WANTED, "")
    own = _import_own()
    if own is not None:
        return own
    code = _kept(wanted) if wanted else None
    if code is None:
        if not brought:
            raise _missing()
        code = _keep(wanted, brought)
    return _import_carried(code)


def _missing() -> JeepneyMissing:
    return JeepneyMissing(
        f"the Python library jeepney (0.7 or later) is not installed on this host for {sys.executable}, and it was not "
        "brought by the controller either; run the module under its full name, pidone.systemd.NAME, with jeepney in the "
        "Python environment of Ansible (`pip install jeepney`), or install the package python3-jeepney on the host",
        pidone_jeepney={"missing": True},
    )


def _import_own() -> tuple[t.Any, t.Any] | None:
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


# -- what is kept


def _kept(digest: str) -> dict[str, t.Any] | None:
    """The code of the jeepney with this SHA-256, if it is kept here and all checks hold."""
    for base in _bases():
        folder = _open_folder(base)
        if not isinstance(folder, int):
            continue
        try:
            data = _read(folder, f"jeepney-{digest}.zip")
            if data is not None and _sha256(data).hex() == digest:
                return _compiled(folder, digest, data)
        finally:
            os.close(folder)
    return None


def _keep(digest: str, brought: str) -> dict[str, t.Any]:
    """Keep the jeepney that was brought, and return its code."""
    import binascii
    import zlib

    try:
        data = zlib.decompress(binascii.a2b_base64(brought))
    except (ValueError, zlib.error):
        data = b""
    if _sha256(data).hex() != digest:
        raise SystemdError("jeepney was damaged on the way from the controller to this host; run the task again")
    problems = []
    for base in _bases():
        folder = _open_folder(base, create=True)
        if isinstance(folder, str):
            problems.append(f"{base}: {folder}")
            continue
        try:
            _tidy(folder)
            _write(folder, f"jeepney-{digest}.zip", data)
            return _compiled(folder, digest, data)
        except OSError as e:
            problems.append(f"{base}: {e.strerror or e}")
        finally:
            os.close(folder)
    raise SystemdError(
        "jeepney, the Python library that speaks D-Bus, is not installed on this host, and there is no directory to keep "
        f"the controller's in ({'; '.join(problems)}); name one that the user with uid {os.geteuid()} can write to with "
        f"`environment: {{{DIRECTORY}: /some/directory}}`, or install the package python3-jeepney on the host"
    )


def _bases() -> list[str]:
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


def _open_folder(base: str, create: bool = False) -> int | str:
    """Open the user's directory below *base*; returns a file descriptor, or why there is none to be trusted."""
    me = os.geteuid()
    path = f"{base}/pidone.systemd-{me}"
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            folder = os.open(path, flags)
        except FileNotFoundError:
            if not create:
                raise
            if base.endswith("/.cache") and not os.path.isdir(base):
                os.mkdir(base, 0o700)
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                pass  # by another task, just now
            folder = os.open(path, flags)
    except OSError as e:
        return e.strerror or str(e)
    found = os.fstat(folder)
    if found.st_uid == me and stat.S_IMODE(found.st_mode) == 0o700:
        return folder
    os.close(folder)
    return (
        f"{path} belongs to uid {found.st_uid} with mode {stat.S_IMODE(found.st_mode):04o}, not to uid {me} with 0700"
    )


def _read(folder: int, name: str) -> bytes | None:
    """The content of a regular file that belongs to the user and that nobody else can write; None if it is not that."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return None
        if found.st_size > _LARGEST:
            return None
        return os.read(file, found.st_size)
    except OSError:
        return None
    finally:
        os.close(file)


def _write(folder: int, name: str, data: bytes) -> None:
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
        if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < time.time() - _KEEP_UNUSED:
            try:
                os.unlink(name, dir_fd=folder)
            except OSError:
                pass


def _compiled(folder: int, digest: str, archive: bytes) -> dict[str, t.Any]:
    """Code objects by module name: as compiled before, else compiled now and kept if possible."""
    import marshal
    from importlib.util import MAGIC_NUMBER

    name = f"jeepney-{digest}.{sys.implementation.cache_tag or 'python'}"
    data = _read(folder, name)
    if data is not None and data[:4] == MAGIC_NUMBER and data[4:36] == _sha256(data[36:]):
        return t.cast("dict[str, t.Any]", marshal.loads(data[36:]))  # noqa: S302 - our own, see the module's docstring
    code = _compile(archive, digest)
    body = marshal.dumps(code)
    try:
        _write(folder, name, MAGIC_NUMBER + _sha256(body) + body)
    except OSError:
        pass  # slower, not wrong
    return code


def _compile(archive: bytes, digest: str) -> dict[str, t.Any]:
    import io
    import zipfile

    code = {}
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for path in opened.namelist():
            if path.endswith(".py"):
                name = path[:-3].replace("/", ".")
                if name.endswith(".__init__"):
                    name = name[:-9]
                try:
                    code[name] = compile(
                        opened.read(path), f"jeepney-{digest[:12]}.zip/{path}", "exec", dont_inherit=True
                    )
                except SyntaxError as e:
                    raise SystemdError(
                        f"the controller's jeepney is not for Python {'.'.join(map(str, sys.version_info[:2]))}, which "
                        f"this host has ({sys.executable}); install the package python3-jeepney on the host"
                    ) from e
    return code


def _sha256(data: bytes) -> bytes:
    import hashlib  # ansible-core has imported it already

    return hashlib.sha256(data).digest()
