# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One task at a time changes a manager; those that only read never wait."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

# Where the locks of this host's own managers are; gone after a reboot.
DIRECTORY = "/run/pidone.systemd"
# The one of the system's manager.
SYSTEM = f"{DIRECTORY}/system.lock"
# Seconds between two looks at a lock that somebody holds.
_PAUSE = 0.05
# Bytes of what a holder says of itself.
_LIMIT = 1000


class Busy(SystemdError):
    """Another task changes the same manager, and has not ended in time."""


class Lock:
    """A file that whoever changes a manager's units holds, and in which he says who he is.

    :param path: of the file, in a directory that only this user may write to.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: int | None = None
        self._said: dict[str, object] = {}

    @property
    def held(self) -> bool:
        """Whether this task holds it."""
        return self._file is not None

    def seen(self) -> bytes:
        """What the last holder said, without waiting; it becomes another with each task that changes something."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.read(descriptor, _LIMIT)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def acquire(self, timeout: float, who: str) -> bytes:
        """Wait until nobody else holds it; returns what the last holder said, as `seen` does.

        :param timeout: seconds.
        :param who: the module.
        :raises Busy: it is held for longer; the text says by whom.
        :raises OSError: the file cannot be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        descriptor = os.open(self.path, flags, 0o600)
        deadline = time.monotonic() + timeout
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as e:
                    if e.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                        raise
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Busy(
                        f"{_told(self.seen())} is changing units of the same manager, and did not end within the {timeout:g} s of "
                        f"`timeout`; wait for its end and run this task again, or give more time (it holds {self.path})"
                    )
                time.sleep(min(_PAUSE, left))
            before = os.pread(descriptor, _LIMIT, 0)
            self._said = {"module": who, "pid": os.getpid(), "since": time.time()}
            _say(descriptor, self._said)
        except BaseException:
            os.close(descriptor)
            raise
        self._file = descriptor
        return before

    def release(self) -> None:
        """Let others have it."""
        if self._file is not None:
            # Who looked while it was held has to look again.
            _say(self._file, {**self._said, "until": time.time()})
            os.close(self._file)
            self._file = None


def _say(descriptor: int, what: dict[str, object]) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(what).encode(), 0)
    except OSError:
        # Where there is no room for that, the lock itself still holds.
        pass


def _told(said: bytes) -> str:
    """Who holds a lock, in words; what stands there may be anybody's."""
    try:
        holder = json.loads(said)
        module = "".join(c for c in str(holder["module"])[:40] if c.isalnum() or c in "._")
        since = time.strftime("%H:%M:%S", time.localtime(float(holder["since"])))
        return f"another task ({module}, process {int(holder['pid'])}, since {since})"
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return "another task"
