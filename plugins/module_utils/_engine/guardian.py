# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that outlives a task, for what must not wait for the next one: limits on trial whose task is killed."""

from __future__ import annotations

import os
import typing as t


def watch_over(recover: t.Callable[[], None]) -> t.Callable[[], None]:
    """Have a child process wait until this one has ended, however that came about; returns what ends that before.

    :param recover: called in the child then; it has nothing of this process but its memory and ids: no file, no connection.
    :raises OSError: no process can be made.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(reading)

        def end() -> None:
            try:
                os.write(writing, b".")
            except OSError:
                # It has been killed.
                pass
            os.close(writing)

        return end
    try:
        # Whoever waits for the task's output must not wait for this process, nor a signal to the task's group reach it.
        os.setsid()
        os.chdir("/")
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        limit = os.sysconf("SC_OPEN_MAX")
        os.closerange(3, reading)
        os.closerange(reading + 1, min(limit, 1 << 16) if limit > 0 else 1 << 16)
        # Nothing comes where the other end is only closed: the task has not lived to say that it is well.
        if not os.read(reading, 1):
            recover()
    finally:
        # Not the way out of the task: its handlers and buffers are not this process's.
        os._exit(0)
