# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calendar events, the values of `OnCalendar=`: reading, normalising, next elapse (systemd.time(7), "Calendar Events").

What the manual leaves open was found out from `systemd-analyze calendar`.
"""

from __future__ import annotations

import datetime as dt
import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count

_SECOND = 1_000_000
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORTHANDS = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00",
    "semi-annually": "*-01,07-01 00:00:00",
    "biannually": "*-01,07-01 00:00:00",
    "bi-annually": "*-01,07-01 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
    "anually": "*-01-01 00:00:00",
}
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
# The least and greatest value of each field; seconds are counted in microseconds.
_LIMITS = {
    "year": (_FIRST_YEAR, _LAST_YEAR),
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 60 * _SECOND - 1),
}
_INT_MAX = 2**31 - 1
_LONGEST_LIST = 240
_DIGITS = "0123456789"
ZONES = "/usr/share/zoneinfo"
_ZONE_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+/")
_EPOCH = dt.datetime(1970, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=dt.timezone.utc)


class Part(t.NamedTuple):
    """One item of a field's list: a value, or a range `start..stop`, or a repetition `start/repeat`; -1 and 0: not given."""

    start: int
    stop: int
    repeat: int

    def first_from(self, value: int, start: int, stop: int) -> int:
        """The least value of this item that is not below `value`, or -1; start and stop as they count in this month."""
        if start >= value:
            return start
        if not self.repeat:
            return -1
        found = start + -(-(value - start) // self.repeat) * self.repeat
        return found if stop < 0 or found <= stop else -1


Chain = t.Optional[t.Tuple[Part, ...]]


class Calendar(t.NamedTuple):
    """A calendar event. Fields are None for `*`; `weekdays` holds 0 (Monday) to 6, and is None for every day."""

    weekdays: frozenset[int] | None
    year: Chain
    month: Chain
    day: Chain
    from_end: bool
    hour: Chain
    minute: Chain
    second: Chain
    zone: str

    def __str__(self) -> str:
        """The normalised form, as `systemd-analyze calendar` prints it."""
        days = f"{_show_weekdays(self.weekdays)} " if self.weekdays is not None else ""
        date = f"{_show(self.year, 4)}-{_show(self.month)}{'~' if self.from_end else '-'}{_show(self.day)}"
        clock = f"{_show(self.hour)}:{_show(self.minute)}:{_show_seconds(self.second)}"
        return f"{days}{date} {clock}" + (f" {self.zone}" if self.zone else "")

    def next(self, after: int, local: dt.tzinfo | None = None) -> int | None:
        """The first elapse after a point of time, or None where there is none until 2199.

        As in systemd, times that a change of the clock skips do not elapse, and those that occur twice elapse once.

        :param after: microseconds since the epoch; so is what is returned.
        :param local: time zone of events that name none; that of this process by default.
        :raises BadInput: the event's own time zone is not known here.
        """
        zone = self._zone(local)
        wall = _to_wall(after + 1, zone)
        while True:
            found = self._next_wall(wall)
            if found is None:
                return None
            usec = _from_wall(found, zone)
            real = _to_wall(usec, zone)
            if real != found:
                # The clock skips this time. systemd goes on where it would be then, at the beginning of that hour.
                wall = max(real.replace(minute=0, second=0, microsecond=0), found + dt.timedelta(microseconds=1))
            elif usec <= after:
                # The hour that occurs twice.
                wall = found + dt.timedelta(microseconds=1)
            else:
                return usec

    def elapses(self, after: int, count: int, local: dt.tzinfo | None = None) -> list[int]:
        """The first `count` elapses after a point of time, in microseconds since the epoch; fewer if it ends."""
        found: list[int] = []
        at: int | None = after
        while len(found) < count:
            at = self.next(t.cast(int, at), local)
            if at is None:
                break
            found.append(at)
        return found

    def _zone(self, local: dt.tzinfo | None) -> dt.tzinfo | None:
        if not self.zone or self.zone in time.tzname:
            return dt.timezone.utc if self.zone == "UTC" else local
        if self.zone == "UTC":
            return dt.timezone.utc
        try:
            from zoneinfo import ZoneInfo  # novm: see the except

            return ZoneInfo(self.zone)
        except Exception as error:  # Python 3.8 has no zoneinfo; a host may have no tzdata
            raise BadInput(
                f"OnCalendar: the time zone {shown(self.zone)} cannot be computed with here: {error}"
            ) from error

    def _next_wall(self, wall: dt.datetime) -> dt.datetime | None:
        """The first date and time of the event that is not before `wall`, clock changes aside.

        An open repetition such as `0/7` steps over the end of its field before it starts again. systemd then clears the next
        smaller field only, so that `*:0/7` does not elapse at midnight; here neither, as this tells what systemd will do.
        """
        year, month, day, hour, minute = wall.year, wall.month, wall.day, wall.hour, wall.minute
        usec = wall.second * _SECOND + wall.microsecond
        while True:
            year, month, day, hour, minute, usec = _carry(year, month, day, hour, minute, usec)
            found = _first_from(self.year, year)
            if found < 0 or found > _LAST_YEAR:
                return None
            if found > year:
                year, month, day, hour, minute, usec = found, 1, 1, 0, 0, 0
            found = _first_from(self.month, month)
            if found < 0 or found > 12:
                year, month, day, hour, minute, usec = year + 1, 1, 1, 0, 0, 0
                continue
            if found > month:
                month, day, hour, minute, usec = found, 1, 0, 0, 0
            last = _days_in(year, month)
            found = self._first_day(day, last)
            if found < 0:
                month, day, hour, minute, usec = month + 1, 1, 0, 0, 0
                continue
            if found > day:
                day, hour, minute, usec = found, 0, 0, 0
            if day <= last:
                if self.weekdays is not None and dt.date(year, month, day).weekday() not in self.weekdays:
                    day, hour, minute, usec = day + 1, 0, 0, 0
                    continue
                found = _first_from(self.hour, hour)
                if found < 0:
                    day, hour, minute, usec = day + 1, 0, 0, 0
                    continue
                if found > hour:
                    hour, minute, usec = found, 0, 0
                if hour <= 23:
                    found = _first_from(self.minute, minute)
                    if found < 0:
                        hour, minute, usec = hour + 1, 0, 0
                        continue
                    if found > minute:
                        minute, usec = found, 0
                    if minute <= 59:
                        found = _first_from(self.second, usec)
                        if found < 0:
                            minute, usec = minute + 1, 0
                            continue
                        usec = found
                        if usec < 60 * _SECOND:
                            return dt.datetime(year, month, day, hour, minute, usec // _SECOND, usec % _SECOND)
            # A field has overflowed. What is carried may reach any field above it.
            at = (year, month, day, hour, minute)
            year, month, day, hour, minute, usec = _carry(year, month, day, hour, minute, usec)
            if year != at[0]:
                month = 1
            elif month != at[1]:
                day = 1
            elif day != at[2]:
                hour = 0
            elif hour != at[3]:
                minute = 0
            else:
                usec %= _SECOND

    def _first_day(self, day: int, last: int) -> int:
        if not self.from_end or self.day is None:
            return _first_from(self.day, day)
        best = -1
        for part in self.day:
            start = last + 1 - part.start
            stop = last + 1 - part.stop if part.stop > 0 else -1
            if stop > 0:
                start, stop = stop, start
            found = part.first_from(day, start, stop)
            if found > 0 and (best < 0 or found < best):
                best = found
        return best


def parse_calendar(text: str, option: str = "OnCalendar") -> Calendar:
    """Read a calendar event such as `Mon..Fri *-*-* 08:00`, `*:0/15`, `daily` or `*-*~1 12:00 Europe/Berlin`.

    :param option: the option's name, for errors.
    :raises BadInput: with the place where the text stops being a calendar event, and why.
    """
    if not isinstance(text, str):
        raise BadInput(f"{option}: {shown(text)} is not text; put calendar events in quotes")
    return _Reader(text, option).calendar()


def _first_from(chain: Chain, value: int) -> int:
    """The least value of a field that is not below `value`, which may be beyond the field's end; -1 for none."""
    if chain is None:
        return value
    best = -1
    for part in chain:
        found = part.first_from(value, part.start, part.stop)
        if found >= 0 and (best < 0 or found < best):
            best = found
    return best


def _carry(year: int, month: int, day: int, hour: int, minute: int, usec: int) -> tuple[int, int, int, int, int, int]:
    """The same point of time with every field within its limits."""
    if usec >= 60 * _SECOND:
        minute, usec = minute + usec // (60 * _SECOND), usec % (60 * _SECOND)
    if minute > 59:
        hour, minute = hour + minute // 60, minute % 60
    if hour > 23:
        day, hour = day + hour // 24, hour % 24
    if month > 12:
        year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    while day > _days_in(year, month):
        day -= _days_in(year, month)
        month += 1
        if month > 12:
            year, month = year + 1, 1
    return year, month, day, hour, minute, usec


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _to_wall(usec: int, zone: dt.tzinfo | None) -> dt.datetime:
    seconds, rest = divmod(usec, _SECOND)
    if zone is None:
        return dt.datetime.fromtimestamp(seconds).replace(microsecond=rest, fold=0)
    return dt.datetime.fromtimestamp(seconds, zone).replace(microsecond=rest, fold=0, tzinfo=None)


def _from_wall(wall: dt.datetime, zone: dt.tzinfo | None) -> int:
    if zone is None:
        return int(wall.replace(microsecond=0).timestamp()) * _SECOND + wall.microsecond
    since = wall.replace(tzinfo=zone) - _EPOCH_UTC
    return (since.days * 86_400 + since.seconds) * _SECOND + since.microseconds


def _show_weekdays(days: frozenset[int] | None) -> str:
    words: list[str] = []
    first = -1
    for day in range(8):
        if days and day in days:
            if first < 0:
                first = day
            continue
        if first >= 0:
            last = day - 1
            if last - first > 1:
                words.append(f"{_DAYS[first]}..{_DAYS[last]}")
            else:
                words += [_DAYS[number] for number in range(first, day)]
            first = -1
    return ",".join(words)


def _show(chain: Chain, width: int = 2) -> str:
    if chain is None:
        return "*"
    words = []
    for part in chain:
        word = f"{part.start:0{width}d}"
        if part.stop > 0:
            word += f"..{part.stop:0{width}d}"
        if part.repeat > 0 and not (part.stop > 0 and part.repeat == 1):
            word += f"/{part.repeat}"
        words.append(word)
    return ",".join(words)


def _show_seconds(chain: Chain) -> str:
    if chain is None or chain == (Part(0, -1, _SECOND),):
        return "*"
    words = []
    for part in chain:
        word = _show_second(part.start, 2)
        if part.stop > 0:
            word += f"..{_show_second(part.stop, 2)}"
        if part.repeat > 0 and not (part.stop > 0 and part.repeat == _SECOND):
            word += f"/{_show_second(part.repeat, 1)}"
        words.append(word)
    return ",".join(words)


def _show_second(usec: int, width: int) -> str:
    whole, rest = divmod(usec, _SECOND)
    return f"{whole:0{width}d}" + (f".{rest:06d}" if rest else "")


class _Reader:
    """Reads one calendar event from left to right; `at` is where it has got to."""

    def __init__(self, text: str, option: str) -> None:
        self.text = text
        self.option = option
        self.at = 0
        self.end = len(text)

    def fail(self, why: str, at: int | None = None) -> BadInput:
        where = (self.at if at is None else at) + 1
        place = f"at character {where}" if where <= len(self.text) else "at its end"
        return BadInput(
            f"{self.option}: {shown(self.text)} is not a calendar event: {place}, {why}; "
            "write it like 'daily', 'Mon..Fri *-*-* 08:30' or '*:0/15'"
        )

    def peek(self) -> str:
        return self.text[self.at] if self.at < self.end else ""

    def skip_blanks(self) -> None:
        while self.peek() == " ":
            self.at += 1

    def calendar(self) -> Calendar:
        if not self.text.isascii():
            # Some letters of other scripts are ASCII ones in lower or upper case, for Python.
            at = next(index for index, char in enumerate(self.text) if char > "\x7f")
            raise self.fail(f"{shown(self.text[at])} is where only ASCII characters can be", at)
        zone = self.zone()
        body = self.text[: self.end]
        if not body:
            raise self.fail("there is nothing but a time zone" if zone else "there is nothing")
        if body.lower() in _SHORTHANDS:
            plain = _Reader(_SHORTHANDS[body.lower()], self.option).calendar()
            return plain._replace(zone=zone)
        if self.peek() == " ":
            raise self.fail("there is a blank before it")
        weekdays = self.weekdays()
        if self.peek() == "@":
            return self.timestamp(weekdays)
        year, month, day, from_end = self.date()
        hour, minute, second = self.clock()
        return Calendar(weekdays, year, month, day, from_end and day is not None, hour, minute, second, zone)

    def zone(self) -> str:
        """The time zone at the end, which then no longer belongs to the text."""
        blank = self.text.rfind(" ")
        word = self.text[blank + 1 :]
        if blank < 0 or not word:
            return ""
        if word.lower() == "utc":
            self.end = blank
            return "UTC"
        for name in time.tzname:
            if word.lower() == name.lower():
                self.end = blank
                return name
        if not any(char.isalpha() for char in word) or word.lower() in _SHORTHANDS:
            return ""
        if word[:3].lower() in [day.lower() for day in _DAYS] and word.partition(",")[0].partition("..")[0].lower() in (
            *(day.lower() for day in _DAYS),
            *_LONG_DAYS,
        ):
            return ""
        parts = word.split("/")
        if not _ZONE_CHARS.issuperset(word) or "" in parts:
            return ""
        if os.path.isdir(ZONES) and not _is_zone(os.path.join(ZONES, word)):
            raise self.fail(f"{shown(word)} is neither a part of it nor a time zone of {ZONES}", blank + 1)
        self.end = blank
        return word

    def weekdays(self) -> frozenset[int] | None:
        days: set[int] = set()
        first = -1
        while True:
            start = self.at
            while self.at < self.end and self.text[self.at].isalpha():
                self.at += 1
            word = self.text[start : self.at].lower()
            if not word:
                if days:
                    raise self.fail("a day of the week is missing")
                return None
            if word in _LONG_DAYS:
                number = _LONG_DAYS.index(word)
            elif len(word) == 3 and word.capitalize() in _DAYS:
                number = _DAYS.index(word.capitalize())
            else:
                raise self.fail(
                    f"{shown(self.text[start : self.at])} is neither a day of the week nor a shorthand", start
                )
            if first > number:
                raise self.fail("the range of days runs backwards; a week begins on Monday", start)
            days.update(range(first if first >= 0 else number, number + 1))
            was_range, first = first >= 0, -1
            if self.text.startswith("..", self.at, self.end) or self.peek() == "-":
                if was_range:
                    raise self.fail("a range has one beginning and one end")
                self.at += 1 if self.peek() == "-" else 2
                first = number
            elif self.peek() == ",":
                self.at += 1
            elif self.peek() not in ("", " "):
                raise self.fail(f"{shown(self.peek())} cannot follow a day of the week; a blank, a comma or .. can")
            if self.peek() in ("", " "):
                if first >= 0:
                    raise self.fail("the end of the range of days is missing")
                self.skip_blanks()
                return None if len(days) == 7 else frozenset(days)

    def timestamp(self, weekdays: frozenset[int] | None) -> Calendar:
        """`@SECONDS`, a point of time since the epoch."""
        self.at += 1
        start = self.at
        while self.peek() and self.peek() in _DIGITS:
            self.at += 1
        if start == self.at:
            raise self.fail("seconds since 1970 are missing")
        if self.at < self.end:
            raise self.fail("nothing but the time zone can follow the seconds since 1970")
        try:
            when = _EPOCH + dt.timedelta(seconds=count(self.text[start : self.at]))
        except OverflowError as error:
            raise self.fail("that is too far in the future", start) from error
        if when.year > _LAST_YEAR:
            raise self.fail(f"that is after {_LAST_YEAR}", start)
        year, month, day, hour, minute = (
            (Part(number, -1, 0),) for number in (when.year, when.month, when.day, when.hour, when.minute)
        )
        return Calendar(weekdays, year, month, day, False, hour, minute, (Part(when.second * _SECOND, -1, 0),), "UTC")

    def date(self) -> tuple[Chain, Chain, Chain, bool]:
        if self.at >= self.end:
            return None, None, None, False
        start = self.at
        first = self.field()
        if self.peek() == ":":
            # It was an hour.
            self.at = start
            return None, None, None, False
        if not self.peek():
            raise self.fail("one field alone is neither a date (*-10-15) nor a time (*:30)")
        from_end = self.separator("-~", "a date") == "~"
        second = self.field()
        if self.peek() in ("", " "):
            year, month, day = None, first, second
        else:
            if from_end:
                raise self.fail("only the day can be counted from the end of the month")
            from_end = self.separator("-~", "a date") == "~"
            year, month, day = first, second, self.field()
            if self.peek() not in ("", " "):
                raise self.fail(f"{shown(self.peek())} cannot follow a date")
        self.skip_blanks()
        chains = (
            self.check(year, "year", start),
            self.check(month, "month", start),
            self.check(day, "day", start, from_end and day is not None),
        )
        return (*chains, from_end)

    def clock(self) -> tuple[Chain, Chain, Chain]:
        zero = (Part(0, -1, 0),)
        if self.at >= self.end:
            return zero, zero, zero
        start = self.at
        hour = self.field()
        self.separator(":", "a time")
        minute = self.field()
        second: Chain = zero
        if self.peek() == ":":
            self.at += 1
            second = self.field(seconds=True)
        if self.peek():
            raise self.fail(f"{shown(self.peek())} cannot follow a time")
        return (
            self.check(hour, "hour", start),
            self.check(minute, "minute", start),
            self.check(second, "second", start),
        )

    def separator(self, allowed: str, what: str) -> str:
        char = self.peek()
        if not char or char not in allowed:
            found = f"{shown(char)}" if char else "nothing"
            raise self.fail(f"{found} is where {what} has {' or '.join(allowed)}")
        self.at += 1
        return char

    def field(self, seconds: bool = False) -> Chain:
        """One field: `*`, or a list of values, ranges and repetitions."""
        if self.peek() == "*":
            self.at += 1
            if self.peek() == "/":
                raise self.fail("a repetition starts from a number; write 0/ or 1/ for */")
            return (Part(0, -1, _SECOND),) if seconds else None
        parts: list[Part] = []
        unit = _SECOND if seconds else 1
        while True:
            if len(parts) > _LONGEST_LIST:
                raise self.fail(f"the list has more than {_LONGEST_LIST} items")
            start, stop, repeat = self.number(seconds), -1, 0
            if self.text.startswith("..", self.at, self.end):
                self.at += 2
                stop, repeat = self.number(seconds), unit
            if self.peek() == "/":
                self.at += 1
                where = self.at
                repeat = self.number(seconds)
                if not repeat:
                    raise self.fail("a repetition needs a step above 0", where)
            elif seconds and 0 <= stop < start + repeat:
                raise self.fail("a range of seconds is longer than a second, or has a step")
            parts.append(Part(start, stop, repeat))
            if self.peek() != ",":
                return tuple(parts)
            self.at += 1

    def number(self, seconds: bool) -> int:
        start = self.at
        while self.peek() and self.peek() in _DIGITS:
            self.at += 1
        if start == self.at:
            found = f"{shown(self.peek())}" if self.peek() else "nothing"
            raise self.fail(f"{found} is where a number has to be")
        value = count(self.text[start : self.at])
        if seconds:
            value *= _SECOND
            if self.peek() == "." and self.text[self.at + 1 : self.at + 2] != ".":
                self.at += 1
                digits = self.at
                while self.peek() and self.peek() in _DIGITS:
                    self.at += 1
                fraction = self.text[digits : self.at]
                if not fraction:
                    raise self.fail("a digit is missing")
                # Rounded to microseconds by the digit that follows.
                value += int(f"{fraction:0<6}"[:6]) + (fraction[6:7] >= "5")
        if value > _INT_MAX:
            raise self.fail("the number is too large", start)
        return value

    def check(self, chain: Chain, name: str, start: int, from_end: bool = False) -> Chain:
        """The field in its normal form: ranges end where their last step does, in order, nothing twice.

        :raises BadInput: a value is outside of the field, or a step leads out of it at once.
        """
        if chain is None:
            return None
        lowest, highest = _LIMITS[name]
        found = set()
        for first, stop, repeat in chain:
            if name == "year":
                first, stop = _full_year(first), _full_year(stop)
            if stop > first and repeat:
                stop -= (stop - first) % repeat
            if first == stop or (stop > first and first + repeat > stop):
                stop, repeat = -1, 0
            found.add(Part(first, stop, repeat))
        parts = sorted(found) if len(chain) > 1 else list(found)
        for part in parts:
            # Every month has 28 days; systemd takes three more off for each further item of a list.
            highest -= 3 if from_end else 0
            first, stop, repeat = part
            why = ""
            if not lowest <= first <= highest or (stop >= 0 and not lowest <= stop <= highest):
                limits = "0 to 59" if name == "second" else f"{lowest} to {highest}"
                counted = " from the end of the month" if from_end else ""
                why = f"goes from {limits}{counted}"
            elif 0 <= stop < first + repeat:
                why = "has a range that runs backwards"
            elif repeat > highest - lowest:
                why = "has a step that leads out of it"
            elif stop < 0 and (first - repeat < lowest if from_end else first + repeat > highest):
                why = "has a step that leads out of it at once"
            if why:
                unit = _SECOND if name == "second" else 1
                shown = f"{first / unit:g}" + (f"..{stop / unit:g}" if stop >= 0 else "")
                shown += f"/{repeat / unit:g}" if repeat and not (stop >= 0 and repeat == unit) else ""
                raise self.fail(f"the {name} {why}, not {shown}", start)
        return tuple(parts)


def _is_zone(path: str) -> bool:
    """Whether it is a file of a time zone: systemd, too, looks at how it begins."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"TZif"
    except OSError:
        return False


def _full_year(year: int) -> int:
    if 0 <= year < 70:
        return year + 2000
    return year + 1900 if 70 <= year < 100 else year
