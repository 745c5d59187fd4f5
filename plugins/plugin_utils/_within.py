# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An end in time for what waits on a host that may be going down: connection plugins wait for ever once they are connected."""

from __future__ import annotations

import signal
import time
import typing as t
from contextlib import contextmanager


class OutOfTime(BaseException):
    """The time is over. It is no Exception, as connection plugins catch those."""


@contextmanager
def within(seconds: float) -> t.Iterator[None]:
    """Have what runs in it end after so many seconds; an alarm that was set before, such as for the keyword `timeout`, still goes off.

    Where there are no signals, as in a thread, it runs as long as it runs.

    :raises OutOfTime: it did not end by itself.
    """

    def ring(_number: int, _frame: t.Any) -> None:
        raise OutOfTime()

    begun = time.monotonic()
    try:
        former = signal.signal(signal.SIGALRM, ring)
    except ValueError:
        yield
        return
    left, _interval = signal.setitimer(signal.ITIMER_REAL, max(0.001, seconds))
    if left and left < seconds:
        signal.setitimer(signal.ITIMER_REAL, left)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, former)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - begun)))
