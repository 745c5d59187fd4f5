# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time spans: taken or refused, and systemd's way to write them reads back as the same."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import (
    format_timespan,
    parse_timespan,
)
from tests.attacks.inputs import as_bytes, as_text

SEEDS = [
    as_bytes(text)
    for text in ("90", "5min 20s", "1.5h", "infinity", "1y 2month 3w 4d", "300ms20s 5day", "+5 \t+6us", "1.000001s", "9223372036854775807us", "2\u00b5s", "0")
]  # fmt: skip
TOKENS = [b"min", b"month", b"M", b"year", b"msec", b"us", b"s", b"h", b"infinity", b".", b"+", b"\xce\xbcs"]


def one_input(data: bytes) -> None:
    for bare in ("s", "us"):
        try:
            usec = parse_timespan(as_text(data), bare=bare)
        except BadInput as error:
            assert len(error.msg) < 600 and error.msg.isprintable(), error.msg
            continue
        assert 0 <= usec <= INFINITY
        assert parse_timespan(format_timespan(usec)) == usec, f"{usec} is written {format_timespan(usec)}"
