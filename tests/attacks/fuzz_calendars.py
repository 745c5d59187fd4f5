# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calendar events: taken or refused, and what is taken has a normal form that means the same, and elapses when it should."""

from __future__ import annotations

import datetime as dt

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from tests.attacks.inputs import as_bytes, as_text

SEEDS = [
    as_bytes(text)
    for text in (
        "daily", "Mon..Fri *-*-* 08:30", "*:0/15", "*-*~1 12:00 Europe/Berlin", "Sat,Sun 2026-02-28/3 1..5/2:7",
        "@1700000000 UTC", "*-02~03/1 00:00:00.5", "Thu,Fri 2012-*-1,5 11:12:13", "2003-03-05 05:40",
        "05:40:23.4200004/3.1700005", "weekly Pacific/Auckland", "Mon *-05~07/1", "*:*:*", "1..9-1..3-* 0/7:0/7:0/7",
    )
]  # fmt: skip
TOKENS = [
    b"..",
    b"~",
    b"/",
    b"-",
    b":",
    b",",
    b"*",
    b"Mon",
    b"sunday",
    b"UTC",
    b"Europe/Berlin",
    b"@",
    b"2199",
    b"1970",
    b"hourly",
]
# A moment shortly before summer time ends, in microseconds.
NOW = 1_761_436_800_000_000


def one_input(data: bytes) -> None:
    try:
        event = parse_calendar(as_text(data))
    except BadInput as error:
        assert len(error.msg) < 600 and error.msg.isprintable(), error.msg
        return
    assert parse_calendar(str(event)) == event, f"{event} is not its own normal form"
    try:
        elapses = event.elapses(NOW, 2, dt.UTC)
    except BadInput:
        # A file of time zones that Python does not take.
        return
    assert elapses == sorted(set(elapses)) and all(at > NOW for at in elapses), f"{event} elapses at {elapses}"
