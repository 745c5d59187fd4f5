# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When timers elapse: as systemd tells it, and as their calendars say. All times are microseconds since the epoch."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import TIMER
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import Calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.times import rfc3339

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# What systemd says where it has no time to tell.
_NEVER = (0, INFINITY)
_ASKED = ("NextElapseUSecRealtime", "NextElapseUSecMonotonic", "LastTriggerUSec")


class Elapses(t.NamedTuple):
    """The next and the last elapse of a timer, or None."""

    next: int | None
    last: int | None


def read_elapses(manager: UnitManager, states: t.Mapping[str, str]) -> dict[str, Elapses]:
    """What systemd says of timers, in one round trip.

    :param states: name of a loaded timer -> its SubState. One that does not wait has no next elapse; systemd keeps the
        old time until the run that goes on has ended.
    """
    values = iter(manager.properties([(object_path(name), TIMER, what) for name in states for what in _ASKED]))
    now, monotonic = now_usec(), time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    found = {}
    for name, state in states.items():
        by_clock, by_uptime, last = (next(values), next(values), next(values))
        following = next_of(by_clock, by_uptime, now - monotonic) if state == "waiting" else None
        found[name] = Elapses(following, _time(last))
    return found


def next_of(by_clock: int | None, by_uptime: int | None, epoch_of_uptime: int) -> int | None:
    """The sooner one of the two next elapses that systemd keeps of a timer, as it tells them.

    :param by_clock: that of its calendars.
    :param by_uptime: that of its other triggers, on the monotonic clock.
    :param epoch_of_uptime: when that clock was at zero.
    """
    times = [_time(by_clock)]
    if _time(by_uptime) is not None:
        times.append(t.cast(int, by_uptime) + epoch_of_uptime)
    return min((when for when in times if when is not None), default=None)


def _time(value: int | None) -> int | None:
    return None if value is None or value in _NEVER else value


def upcoming(calendars: t.Sequence[Calendar], count: int, after: int) -> list[int]:
    """The first `count` times at which any of the calendars elapses, without the random delays that timers may add.

    :raises BadInput: the time zone of one cannot be computed with here.
    """
    if count < 1:
        return []
    found: set[int] = set()
    for calendar in calendars:
        found.update(calendar.elapses(after, count))
    return sorted(found)[:count]


def upcoming_of(calendars: t.Sequence[Calendar], count: int, after: int) -> list[int]:
    """The same; none where the time zone of one cannot be computed with, of which who reads the calendars warns."""
    try:
        return upcoming(calendars, count, after)
    except BadInput:
        return []


def now_usec() -> int:
    """The time now."""
    return time.time_ns() // 1000


def local_time() -> None:
    """Have this process reckon in the host's time zone, as systemd does, whatever the task's environment says."""
    import os

    if os.environ.pop("TZ", None) is not None:
        time.tzset()


def iso(usec: int | None) -> str | None:
    """When a timer elapses, as all modules tell a time; without digits of a second where there are none.

    None for one after the year 9999, which spans of any length and random delays can lead to: it has no such form.
    """
    return rfc3339(usec, fraction=False)
