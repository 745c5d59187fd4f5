# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs of the host: always with an end to the time and to the output, and as whom the task works."""

from __future__ import annotations

import errno
import os
import subprocess
import time
import typing as t
from contextlib import contextmanager, suppress

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import (
    acting_for,
    environment_of,
    give_up_root,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits

# Bytes that a program may print at most, on both streams together.
_LARGEST = 1 << 24
# Those of the end of what one prints whose output nobody needs.
_LAST = 1 << 12
# How the names of scratch directories begin, before the number of their process.
_SCRATCH = "pidone-scratch-"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Speech that can be read by a program, and nothing that waits for a key.
_PLAIN = {"LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_LOG_COLOR": "0", "SYSTEMD_PAGER": ""}


class ProgramMissing(SystemdError):
    """There is no such program."""


class PrintedTooMuch(SystemdError):
    """It printed more than a program may, and was killed."""

    limit = _LARGEST


class ProgramTooSlow(SystemdError):
    """It did not end in its time, and was killed."""


def run_program(
    args: t.Sequence[str],
    timeout: float,
    input: bytes | None = None,
    env_extra: t.Mapping[str, str] | None = None,
    merge: bool = False,
    clean: bool = False,
    root: str = "",
) -> subprocess.CompletedProcess[bytes]:
    """Run a program, and return what it printed with its exit status, whatever that is.

    While this process acts as a user, the program is the user's for good, with an environment that holds nothing of root's:
    it could be read there (proc_pid_environ(5)).

    :param timeout: seconds; the program is killed after that, and all that it started in its session.
    :param input: for its standard input, which is empty otherwise.
    :param env_extra: variables beside those of this process.
    :param merge: take standard error for standard output, in the order in which they were written.
    :param clean: give it no variables of this process.
    :param root: the tree that it is run in, by chroot(2).
    :raises ProgramMissing: there is no such program.
    :raises ProgramTooSlow: it did not end in time.
    :raises PrintedTooMuch: it printed more than 16 MiB.
    :raises SystemdError: it cannot be run.
    """
    stdin = subprocess.DEVNULL if input is None else memory_file(input)
    # A time that nobody waits for, where poll(2) takes no more than 24 days.
    deadline = time.monotonic() + min(timeout, 1e6)
    try:
        process = _start(args, stdin, env_extra or {}, merge, clean, root)
    finally:
        if stdin >= 0:
            os.close(stdin)
    try:
        out, err = _read(process, args[0], timeout, deadline)
    except BaseException:
        _kill(process)
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return subprocess.CompletedProcess(list(args), process.returncode, out, err)


class Running:
    """A program that runs while others do. Who has it looks after it now and then, and closes it, which ends it.

    Nobody needs all that it prints, so it may print any number of bytes; the last ones are kept. Its standard input is empty.
    As whom it runs, and what is raised where it cannot: see `run_program`.
    """

    def __init__(self, args: t.Sequence[str]) -> None:
        self._process = _start(args, subprocess.DEVNULL, {}, True, False, "")
        self._end = b""
        self._stream = t.cast("t.BinaryIO", self._process.stdout)
        self._closed = False
        os.set_blocking(self._stream.fileno(), False)

    def fileno(self) -> int:
        """What can be read as soon as it has printed something; -1 once it has closed that."""
        return -1 if self._stream.closed else self._stream.fileno()

    def look(self) -> int | None:
        """Take what it has printed. Returns its exit status once it has ended: negative is the signal that killed it.

        What it has left behind is not waited for.
        """
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        # As much as a pipe holds: more would be what was left behind, which may print for ever.
        for _part in range(16 if self.fileno() >= 0 else 0):
            try:
                data = os.read(self.fileno(), 1 << 14)
            except BlockingIOError:
                break
            if not data:
                self._stream.close()
                break
            self._end = (self._end + data)[-_LAST:]
        if not ended:
            return None
        self.close()
        return self._process.returncode

    def said(self) -> str:
        """The end of what it has printed, 4 KiB at most."""
        return self._end.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """End it, with all that is in its group. The group's number is nobody else's as long as nobody has waited for it."""
        import signal

        self._stream.close()
        if self._closed:
            return
        self._closed = True
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        # One that has become somebody else may not be killed, and goes on.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)


@contextmanager
def scratch_directory() -> t.Iterator[str]:
    """A new directory of whom the task works as, removed afterwards.

    :raises SystemdError: there is none to be had, or no room in it.

    Not in `module.tmpdir`: with pipelining that is made for it, in a home directory, with a warning.
    """
    import shutil
    import tempfile

    # TMPDIR is for the user that the process has begun as.
    own = acting_for() is None
    parent = "/tmp"
    try:
        parent = tempfile.gettempdir() if own else parent
        _sweep(parent)
        path = tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-", dir=parent)
    except OSError as e:
        raise _no_room(parent, own, e) from e
    try:
        yield path
    except OSError as e:
        if e.errno in _NO_ROOM:
            raise _no_room(parent, own, e) from e
        raise
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _no_room(parent: str, own: bool, error: OSError) -> SystemdError:
    elsewhere = ", or name another directory in TMPDIR, with `environment` of the task" if own else ""
    why = os.strerror(error.errno) if error.errno else error
    return SystemdError(f"cannot keep temporary files in {parent}: {why}; make room there{elsewhere}")


def _sweep(parent: str) -> None:
    """Remove what tasks of this user's that were killed have left there."""
    import shutil

    for name in os.listdir(parent):
        number = name[len(_SCRATCH) :].partition("-")[0]
        if not name.startswith(_SCRATCH) or not is_digits(number) or os.path.exists(f"/proc/{number}"):
            continue
        try:
            if os.lstat(f"{parent}/{name}").st_uid == os.geteuid():
                shutil.rmtree(f"{parent}/{name}", ignore_errors=True)
        except OSError:
            # Another task was faster.
            continue


def _start(
    args: t.Sequence[str], stdin: int, env_extra: t.Mapping[str, str], merge: bool, clean: bool, root: str
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, as whom the task works; see `run_program`."""
    account = acting_for() if os.geteuid() != os.getuid() else None
    environment = dict(os.environ) if account is None and not clean else _bare()
    environment.update(_PLAIN)
    if account is not None:
        environment.update(environment_of(account))
    environment.update(env_extra)

    def prepare() -> None:
        if root:
            os.chroot(root)
            os.chdir("/")
        if account is not None:
            give_up_root()

    try:
        return subprocess.Popen(  # noqa: PLW1509, S603
            list(args),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            env=environment,
            # Where this process stands may be closed to the user.
            cwd=None if account is None else "/",
            preexec_fn=prepare if root or account is not None else None,
            start_new_session=True,
        )
    except FileNotFoundError as e:
        raise ProgramMissing(f"cannot run {args[0]}: there is no such program on this host") from e
    except (OSError, subprocess.SubprocessError) as e:
        raise SystemdError(f"cannot run {args[0]}: {getattr(e, 'strerror', None) or e}") from e


def _bare() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("TZ",) if name in os.environ}
    return {"PATH": os.environ.get("PATH") or _PATH, **kept}


def memory_file(data: bytes) -> int:
    """A file without a name that holds the data, to be read from its beginning; returns its descriptor."""
    descriptor = os.memfd_create("input", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _read(process: subprocess.Popen[bytes], name: str, timeout: float, deadline: float) -> tuple[bytes, bytes]:
    """What is printed until both streams end, and with them, as a rule, the program."""
    import selectors

    late = ProgramTooSlow(f"{name} did not end within {timeout:g} s and was killed")
    parts: dict[t.Any, list[bytes]] = {stream: [] for stream in (process.stdout, process.stderr) if stream is not None}
    size = 0
    with selectors.DefaultSelector() as selector:
        for stream in parts:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise late
            for key, _events in selector.select(left):
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                size += len(data)
                if size > _LARGEST:
                    raise PrintedTooMuch(f"{name} printed more than {_LARGEST >> 20} MiB and was killed; ask for less")
                parts[key.fileobj].append(data)
    try:
        process.wait(max(deadline - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        raise late from None
    return b"".join(parts[process.stdout]), b"".join(parts.get(process.stderr, ()))


def _kill(process: subprocess.Popen[bytes]) -> None:
    import signal

    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    process.wait()
