# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cron's times as systemd's calendar events, and what cannot be the same (crontab(5), systemd.time(7))."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import typing as t
import zoneinfo

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits, words_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._findings import kind_of

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    # cron's week begins on Sunday, systemd's on Monday.
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SYSTEMD_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _WEEKDAYS),
)
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# Hours that some clock of the world skips or repeats when summer time begins or ends.
_CHANGING_HOURS = frozenset((0, 1, 2, 3))


class Schedule(t.NamedTuple):
    """When cron runs something: `calendars` for OnCalendar=, or `boot`; neither where it never does. What to know about it."""

    calendars: list[str]
    boot: bool
    findings: list[dict[str, t.Any]]
    # Whether a run may be lost when some zone's clock is put forward, and nobody has said which zone it is.
    clock_unknown: bool = False


class _Fields(t.NamedTuple):
    minutes: set[int]
    hours: set[int]
    days: set[int]
    months: set[int]
    weekdays: set[int]
    # cron's rule: what counts is whether the text of the field begins with a star.
    either_day: bool
    by_the_clock: bool
    notes: list[dict[str, t.Any]]


def check_zone(zone: str, option: str) -> str:
    """A time zone such as `Europe/Berlin`, as it is.

    :raises BadInput: there is none of this name.
    """
    try:
        parse_calendar(f"*-*-* 00:00:00 {zone}")
    except BadInput:
        raise BadInput(f"{option}: {shown(zone)} is not a time zone known here; write one such as Europe/Berlin") from None
    return zone


def convert(
    expression: str,
    zone: str = "",
    option: str = "expression",
    zone_option: str = "",
    host_zone: str = "",
    installed: bool = False,
) -> Schedule:
    """The calendar events of one cron expression: five fields, or an @-name.

    :param zone: time zone the expression is meant in; it is written into the calendars. The host's own where it is empty.
    :param option: what the text is, for errors.
    :param zone_option: what says the time zone, where that is something else.
    :param host_zone: time zone of the host, where it is known.
    :param installed: whether it is from a crontab that a cron has taken: what only some crons take is then a finding.
    :raises BadInput: with the field and the character cron would not take.
    """
    if not isinstance(expression, str):
        raise BadInput(f"{option}: {shown(expression)} is not text; put cron expressions in quotes")
    words = words_of(expression)
    if zone:
        check_zone(zone, zone_option or option)
    if words and words[0].startswith("@"):
        name = words[0].lower() if words[0].isascii() else words[0]
        if len(words) > 1:
            raise BadInput(f"{option}: {shown(expression)} has text after {plain(name)}; {_FULL_LINES}")
        if name == "@reboot":
            return Schedule([], True, [finding("cron.reboot", "@reboot", _REBOOT)])
        if name not in _MACROS:
            known = ", ".join(["@reboot", *_MACROS])
            raise BadInput(f"{option}: {shown(words[0])} is no name that cron knows; {known} are")
        words = _MACROS[name].split()
    elif len(words) != 5:
        if len(words) == 6 and all(_looks_like_a_field(word) for word in words):
            raise BadInput(
                f"{option}: {shown(expression)} has six fields; cron has no field for seconds or years, it has five"
            )
        hint = f"; {_FULL_LINES}" if len(words) > 5 else ""
        raise BadInput(
            f"{option}: {shown(expression)} has {len(words)} fields; cron's are five: "
            f"minute, hour, day of month, month, day of week{hint}"
        )
    fields = _parse(words, expression, option, installed)
    findings = fields.notes
    if not all((fields.minutes, fields.hours, fields.days, fields.months, fields.weekdays)):
        findings.append(finding("cron.never", " ".join(words), "no time is left: cron never runs this"))
        return Schedule([], False, findings)
    calendars = _calendars(fields)
    if not fields.either_day and not any(min(fields.days) <= _DAYS_IN_MONTH[month - 1] for month in fields.months):
        findings.append(
            finding("cron.never", words[2], "none of these months has such a day: cron never runs this, nor does systemd")
        )
    known = zone or host_zone
    if known:
        findings += _clock_changes(fields, known, " ".join(words))
    return Schedule(
        [f"{text} {zone}" if zone else text for text in calendars],
        False,
        findings,
        not known and fields.by_the_clock and bool(_CHANGING_HOURS & fields.hours),
    )


_FULL_LINES = "for full lines of a crontab say which kind it is: crontab='user', 'system' or 'anacron'"
_REBOOT = (
    "cron runs this when its daemon starts after a boot: OnBootSec= of a timer, or a service that multi-user.target wants; "
    "a timer with OnBootSec= that is started later than that runs at once"
)


def _looks_like_a_field(word: str) -> bool:
    return word[0] in "*?0123456789" or word[:3].lower() in (*_MONTHS, *_WEEKDAYS)


def finding(key: str, construct: str, message: str, line: int = 0) -> dict[str, t.Any]:
    """A finding: `key`, `title` and `severity` (info, warning or decision) of its kind, `construct`, `line`, `message` and `remediation`."""
    kind = kind_of(key)
    return {
        "key": key,
        "title": kind.title,
        "severity": kind.severity,
        "construct": construct,
        "line": line,
        "message": message,
        "remediation": {"type": kind.remedy.type, "text": kind.remedy.text},
    }


def _parse(words: list[str], expression: str, option: str, installed: bool) -> _Fields:
    notes: list[dict[str, t.Any]] = []
    sets = []
    for (name, low, high, names), word in zip(_FIELDS, words, strict=True):
        values: set[int] = set()
        for item in word.split(","):
            try:
                values |= _item(item, low, high, names, notes, installed)
            except ValueError as error:
                raise BadInput(f"{option}: {shown(expression)}: {name} {shown(word)}: {error}") from error
        sets.append(values)
    minutes, hours, days, months, weekdays = sets
    weekdays = {(day - 1) % 7 for day in weekdays}
    day_star, weekday_star = words[2].startswith("*"), words[4].startswith("*")
    if (day_star and len(days) < 31 and len(weekdays) < 7) or (weekday_star and len(weekdays) < 7 and len(days) < 31):
        notes.append(
            finding(
                "cron.both-days",
                f"{words[2]} {words[4]}",
                "one of the day fields begins with a star, so cron runs this only on days that match both of them",
            )
        )
    return _Fields(
        minutes,
        hours,
        days,
        months,
        weekdays,
        not day_star and not weekday_star,
        not words[0].startswith("*") and not words[1].startswith("*"),
        notes,
    )


def _item(
    item: str, low: int, high: int, names: t.Sequence[str], notes: list[dict[str, t.Any]], installed: bool
) -> set[int]:
    """The values of one item of a list: `*`, `5`, `mon`, `1-5`, each with `/step` or without.

    :raises ValueError: it is none; the text says why.
    """
    if not item:
        raise ValueError("an item of the list is empty")
    base, slash, step_text = item.partition("/")
    step = 1
    if slash:
        if not is_digits(step_text):
            raise ValueError(f"the step {shown(step_text)} is not a number")
        step = count(step_text)
        if not step:
            raise ValueError("the step is 0")
    if base == "*":
        # 7 is another name of 0, not an eighth day.
        return set(range(low, (6 if high == 7 else high) + 1, step))
    if installed and "~" in base:
        earliest, _tilde, latest = base.partition("~")
        first = _value(earliest, low, high, names) if earliest else low
        last = _value(latest, low, high, names) if latest else high
        notes.append(
            finding(
                "cron.random-time",
                item,
                f"cronie runs this at a time of its own choice between {first} and {last}, Debian's cron at {first}; taken as {first}: "
                "add RandomizedDelaySec= and FixedRandomDelay=true where hosts shall not run it at the same time",
            )
        )
        return {first}
    first_text, dash, last_text = base.partition("-")
    first = _value(first_text, low, high, names)
    if dash:
        last = _value(last_text, low, high, names)
        if last < first:
            better = f"write {_forwards(first, last, low, high)}"
            if not installed:
                hint = ", as Sunday is 0 and 7" if names is _WEEKDAYS and last == 0 else ""
                raise ValueError(f"the range {shown(base)} runs backwards; {better}{hint}")
            why = f"the range runs backwards, which stands for nothing where cron takes it; {better} if all of them are meant"
            notes.append(finding("cron.backwards", item, why))
            return set()
        return set(range(first, last + 1, step))
    if slash:
        notes.append(
            finding(
                "cron.step",
                item,
                f"taken as {first}-{high}/{step}; some crons ignore a step after a single number and run at {first} only",
            )
        )
        return set(range(first, high + 1, step))
    return {first}


def _forwards(first: int, last: int, low: int, high: int) -> str:
    """A range over the end of its field, as two ranges or one."""
    if high == 7:
        if last == 0:
            return f"{first}-7"
        high = 6
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ((first, high), (low, last)))


def _value(text: str, low: int, high: int, names: t.Sequence[str]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + (1 if names is _MONTHS else 0)
    if not is_digits(text):
        if "~" in text:
            raise ValueError(
                f"{shown(text)} is a random time; choose the first of the range, and RandomizedDelaySec= for its length"
            )
        if any(char in text for char in "LWH#?"):
            raise ValueError(f"{shown(text)} is no syntax of cron, but of Quartz, Jenkins and others")
        known = f", and {names[0]} to {names[-1]}" if names else ""
        raise ValueError(f"{shown(text)} is not a number{known and ' or a name'}; {low} to {high} are taken{known}")
    value = count(text)
    if not low <= value <= high:
        raise ValueError(f"{plain(text)} is not in {low} to {high}")
    return value


def _calendars(fields: _Fields) -> list[str]:
    clock = f"{_chain(fields.hours, 0, 23)}:{_chain(fields.minutes, 0, 59)}:00"
    months = _chain(fields.months, 1, 12)
    days, weekdays = _chain(fields.days, 1, 31), _days_of_week(fields.weekdays)
    if not fields.either_day:
        return [f"{weekdays}*-{months}-{days} {clock}"]
    if days == "*" or not weekdays:
        return [f"*-{months}-* {clock}"]
    return [f"*-{months}-{days} {clock}", f"{weekdays}*-{months}-* {clock}"]


def _days_of_week(days: set[int]) -> str:
    if len(days) == 7:
        return ""
    # The order and ranges of systemd's normal form.
    return str(parse_calendar(",".join(_SYSTEMD_DAYS[day] for day in sorted(days)))).partition(" ")[0] + " "


def _chain(values: set[int], low: int, high: int) -> str:
    """A set of values as systemd writes it: `*`, `00/15`, `08..18/2`, `01..05,09`.

    Repetitions are open where they meet the end of the field only: systemd lets `*:0/7` step over the end of the day, and
    does not run it at midnight, nor `*-*-1/9` on New Year's Day. With an end, `00..56/7`, it does.
    """
    ordered = sorted(values)
    if len(ordered) == high - low + 1:
        return "*"
    if len(ordered) > 2:
        step = ordered[1] - ordered[0]
        if step > 1 and all(b - a == step for a, b in itertools.pairwise(ordered)):
            stop = "" if ordered[-1] + step == high + 1 and low == 0 else f"..{ordered[-1]:02d}"
            return f"{ordered[0]:02d}{stop}/{step}"
    words = []
    at = 0
    while at < len(ordered):
        end = at
        while end + 1 < len(ordered) and ordered[end + 1] == ordered[end] + 1:
            end += 1
        if end - at > 1:
            words.append(f"{ordered[at]:02d}..{ordered[end]:02d}")
        else:
            words += [f"{value:02d}" for value in ordered[at : end + 1]]
        at = end + 1
    return ",".join(words)


def _clock_changes(fields: _Fields, zone: str, shown: str) -> list[dict[str, t.Any]]:
    """What becomes of the event when summer time begins and ends, where that differs from cron."""
    if not _hours_changed(zone) & fields.hours:
        return []
    if fields.by_the_clock:
        return [put_forward(shown, f"in {zone}")]
    return [
        finding(
            "cron.clock-back",
            shown,
            f"in {zone}, when the clock is put back, cron goes on through the hour that comes twice, and systemd does not "
            "run it in the second of them; choose UTC, or OnUnitActiveSec=, where that matters",
        )
    ]


def put_forward(construct: str, where: str) -> dict[str, t.Any]:
    """The finding about times that a clock is put forward over."""
    return finding(
        "cron.clock-forward",
        construct,
        f"{where}, when the clock is put forward over one of these times, cron runs it right after the gap, and "
        "systemd not at all on that day; choose another hour, or UTC, where that matters",
    )


@functools.lru_cache(maxsize=64)
def _hours_changed(zone: str) -> frozenset[int]:
    """The hours of the day that this zone's clock skips or repeats within the next two years."""
    try:
        info = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return _CHANGING_HOURS
    hours: set[int] = set()
    moment = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    before = moment.astimezone(info)
    end = moment + dt.timedelta(days=2 * 366)
    while moment < end:
        # Days on which nothing changes are passed over: a crontab may have thousands of lines.
        day = (moment + dt.timedelta(days=1)).astimezone(info)
        if day.utcoffset() == before.utcoffset():
            moment, before = moment + dt.timedelta(days=1), day
            continue
        moment += dt.timedelta(hours=1)
        after = moment.astimezone(info)
        shift = t.cast(dt.timedelta, after.utcoffset()) - t.cast(dt.timedelta, before.utcoffset())
        if shift:
            wall = before.replace(tzinfo=None) + dt.timedelta(hours=1)
            start = wall if shift > dt.timedelta(0) else wall + shift
            length = abs(shift)
            while length > dt.timedelta(0):
                hours.add(start.hour)
                start += dt.timedelta(minutes=30)
                length -= dt.timedelta(minutes=30)
        before = after
    return frozenset(hours)
