# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of time as all modules return them."""

from __future__ import annotations

import time

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY

# What a year of more than four digits begins with, which this form does not have.
_YEAR_10000 = 253_402_300_800_000_000


def rfc3339(usec: int | None, fraction: bool = True) -> str | None:
    """A point of time in UTC as in RFC 3339, such as `2026-11-23T03:00:00.675786Z`.

    :param usec: microseconds since 1970; None, 0 and systemd's infinity say never.
    :param fraction: whether there are always six digits of a second, so that texts sort as times do; else only where the time is
        not a whole second.
    :returns: None for never, and for what is after the year 9999.
    """
    if not usec or usec < 0 or usec == INFINITY or usec >= _YEAR_10000:
        return None
    seconds, rest = divmod(usec, 1_000_000)
    digits = f".{rest:06d}" if fraction or rest else ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}{digits}Z"
