# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time spans, sizes and calendar events: examples, and where errors point."""

from __future__ import annotations

import datetime as dt
import typing as t
import zoneinfo

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import (
    exact_bytes,
    format_bytes,
    parse_bytes,
    parse_percent,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("text", "usec", "shown"),
    [
        ("90", 90 * SECOND, "1min 30s"),
        ("1h30min", 5400 * SECOND, "1h 30min"),
        (" 5min  20s ", 320 * SECOND, "5min 20s"),
        ("1.5", 1_500_000, "1.500000s"),
        ("1y 2M", 31557600 * SECOND + 2 * 2629800 * SECOND, "1y 2month"),
        ("300ms20s 5day", 432020 * SECOND + 300_000, "5d 20.300000s"),
        ("0", 0, "0"),
        ("infinity", 2**64 - 1, "infinity"),
    ],
)
def test_timespan(text: str, usec: int, shown: str) -> None:
    assert parse_timespan(text) == usec
    assert format_timespan(usec) == shown
    assert parse_timespan(shown) == usec


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("", 1, "a number is missing"),
        ("5parsec", 2, "'parsec' is no unit"),
        ("1h 5.s", 6, "a digit is missing"),
        ("-5s", 1, "a number is missing"),
        ("1.2.3", 4, "a unit or a blank is missing"),
        ("99999999999y", 1, "longer than systemd can count"),
        ("infinity ago", 1, "a number is missing"),
    ],
)
def test_timespan_says_where_it_stopped(text: str, at: int, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_timespan(text, "settle")
    assert caught.value.msg.startswith(f"settle: {text!r} is not a time span: at character {at}, ")
    assert why in caught.value.msg


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("512M", 512 * 1024**2),
        ("1.5G", 1536 * 1024**2),
        ("1G 512M", 1536 * 1024**2),
        ("1G512M", 1536 * 1024**2),
        ("10 K", 10240),
        ("7B", 7),
        ("10.K", 10240),
        ("2T", 2 * 1024**4),
        ("infinity", INFINITY),
    ],
)
def test_bytes(text: str, size: int) -> None:
    assert parse_bytes(text) == size
    assert parse_bytes(exact_bytes(size)) == size


@pytest.mark.parametrize(
    ("text", "at"),
    [("", 1), ("M", 1), ("5 x", 3), ("1M 1G", 5), ("1 1", 4), ("-1", 1), ("1Gi", 3), ("16E", 1), ("50%", 3)],
)
def test_bytes_says_where_it_stopped(text: str, at: int) -> None:
    with pytest.raises(BadInput, match=f"MemoryMax: .*at character {at}, "):
        parse_bytes(text, "MemoryMax")


def test_printed_sizes() -> None:
    sizes = (0, 300, 1024, 1536 * 1024, 512 * 1024**2, INFINITY)
    assert [format_bytes(size) for size in sizes] == ["0B", "300B", "1.0K", "1.5M", "512.0M", "infinity"]
    assert [exact_bytes(size) for size in sizes] == ["0", "300", "1K", "1536K", "512M", "infinity"]


def test_percentages() -> None:
    texts = ("20%", "0.25%", "7.5%", "5\u2030", "33\u2031", "0%", "100%")
    assert [parse_percent(text) for text in texts] == [2000, 25, 750, 50, 33, 0, 10000]
    assert parse_percent("350%", limit=None) == 35000


@pytest.mark.parametrize(
    ("text", "why"), [("101%", "above 100%"), ("1.234%", "decimals"), ("x%", "not a"), ("20", "not a")]
)
def test_bad_percentages(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=f"MemoryHigh: .*{why}"):
        parse_percent(text, "MemoryHigh")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("daily", "*-*-* 00:00:00"),
        ("weekly UTC", "Mon *-*-* 00:00:00 UTC"),
        ("Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"),
        ("Mon..Sun 10:00", "*-*-* 10:00:00"),
        ("*:0/15", "*-*-* *:00/15:00"),
        ("12..14:10,20", "*-*-* 12..14:10,20:00"),
        ("*-*~1 12:00", "*-*~01 12:00:00"),
        ("26-2-3", "2026-02-03 00:00:00"),
        ("*:*:*", "*-*-* *:*:*"),
        ("1:2:3.00049996", "*-*-* 01:02:03.000500"),
        ("@86400", "1970-01-02 00:00:00 UTC"),
        ("2027..2031/3-1-1", "2027..2030/3-01-01 00:00:00"),
        ("Mon-Wed 8:00 Europe/Berlin", "Mon..Wed *-*-* 08:00:00 Europe/Berlin"),
    ],
)
def test_calendar(text: str, normal: str) -> None:
    assert str(parse_calendar(text)) == normal
    assert parse_calendar(normal) == parse_calendar(text)


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("", "at its end", "there is nothing"),
        ("Fri..Mon 10:00", "at character 6", "runs backwards"),
        ("Funday 10:00", "at character 1", "'Funday' is neither a day"),
        ("10", "at its end", "neither a date"),
        ("25:00", "at character 1", "the hour goes from 0 to 23, not 25"),
        ("*-13-01", "at character 1", "the month goes from 1 to 12, not 13"),
        ("*-*~29", "at character 1", "the day goes from 1 to 28 from the end"),
        ("*:*/5", "at character 4", "write 0/"),
        ("*:0/0", "at character 5", "a step above 0"),
        ("10:00x", "at character 6", "'x' cannot follow a time"),
        ("10:00 Mars/Olympus", "at character 7", "nor a time zone"),
        ("2026-10-32 10:00", "at character 1", "the day goes from 1 to 31, not 32"),
        ("Mon.. 10:00", "at character 6", "the end of the range"),
        ("*:5..3", "at character 1", "runs backwards"),
    ],
)
def test_calendar_says_where_it_stopped(text: str, at: str, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_calendar(text, "OnCalendar[1]")
    assert caught.value.msg.startswith(f"OnCalendar[1]: {text!r} is not a calendar event: {at}, ")
    assert why in caught.value.msg


def test_numbers_are_no_calendar_events() -> None:
    # What YAML makes of an unquoted 10:30.
    with pytest.raises(BadInput, match="put calendar events in quotes"):
        parse_calendar(t.cast("str", 37800))


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def elapses(event: str, after: str, count: int, zone: dt.tzinfo = dt.UTC) -> list[str]:
    """Elapses as ISO 8601 in UTC."""
    start = int(dt.datetime.fromisoformat(after).timestamp()) * SECOND
    found = parse_calendar(event).elapses(start, count, zone)
    return [dt.datetime.fromtimestamp(usec / SECOND, dt.UTC).isoformat()[:16] for usec in found]


def test_a_time_that_the_clock_skips_does_not_elapse() -> None:
    after = "2026-03-28T00:00:00+00:00"
    expected = ["2026-03-28T01:30", "2026-03-30T00:30"]
    assert elapses("02:30 Europe/Berlin", after, 2) == expected
    assert elapses("02:30", after, 2, BERLIN) == expected
    half_hours = elapses("*:30 Europe/Berlin", "2026-03-29T00:00:00+00:00", 2)
    assert half_hours == ["2026-03-29T00:30", "2026-03-29T01:30"]


def test_a_time_that_comes_twice_elapses_once() -> None:
    expected = ["2026-10-25T00:30", "2026-10-25T02:00"]
    assert elapses("*:0/30 Europe/Berlin", "2026-10-25T00:00:00+00:00", 2) == expected


def test_an_event_may_never_elapse_again() -> None:
    assert elapses("*-02-30", "2026-01-01T00:00:00+00:00", 3) == []
    assert elapses("2026-12-31 23:59", "2026-01-01T00:00:00+00:00", 3) == ["2026-12-31T23:59"]


@pytest.mark.parametrize(
    ("event", "after", "expected"),
    [
        ("*:0/7", "2026-03-20T23:50", ["2026-03-20T23:56", "2026-03-21T00:07"]),
        ("*:0..56/7", "2026-03-20T23:50", ["2026-03-20T23:56", "2026-03-21T00:00"]),
        ("0/5:0", "2026-01-31T19:45", ["2026-01-31T20:00", "2026-02-01T05:00"]),
        ("*-*-1/9", "2026-12-27T00:00", ["2026-12-28T00:00", "2027-01-10T00:00"]),
    ],
)
def test_open_repetitions_step_over_the_end_as_in_systemd(event: str, after: str, expected: list[str]) -> None:
    assert elapses(event, f"{after}:00+00:00", 2) == expected
