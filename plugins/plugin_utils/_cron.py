# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crontabs and cron's times: what systemd calls them, and what cannot be the same (crontab(5), anacrontab(5))."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
import typing as t
import zoneinfo

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits, words_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import quote

KINDS = ("user", "system", "anacron")

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
# What a word of a command line is put in quotes for.
_TO_QUOTE = re.compile("[ \\t\\n\\r\"'\\\\;%$]")
# What cron takes for white space; line ends are not in lines.
_BLANKS = " \t"
# Hours that some clock of the world skips or repeats when summer time begins or ends.
_CHANGING_HOURS = frozenset((0, 1, 2, 3))


class Schedule(t.NamedTuple):
    """When cron runs something: `calendars` for OnCalendar=, or `boot`, and what to know about it."""

    calendars: list[str]
    boot: bool
    findings: list[dict[str, t.Any]]


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


def convert(expression: str, zone: str = "", option: str = "expression", zone_option: str = "") -> Schedule:
    """The calendar events of one cron expression: five fields, or an @-name.

    :param zone: time zone the expression is meant in; the host's own where it is empty.
    :param option: what the text is, for errors.
    :param zone_option: what says the time zone, where that is something else.
    :raises BadInput: with the field and the character cron would not take.
    """
    if not isinstance(expression, str):
        raise BadInput(f"{option}: {shown(expression)} is not text; put cron expressions in quotes")
    words = words_of(expression)
    if zone:
        try:
            parse_calendar(f"*-*-* 00:00:00 {zone}")
        except BadInput:
            raise BadInput(
                f"{zone_option or option}: {shown(zone)} is not a time zone known here; write one such as Europe/Berlin"
            ) from None
    if words and words[0].startswith("@"):
        name = words[0].lower() if words[0].isascii() else words[0]
        if len(words) > 1:
            raise BadInput(f"{option}: {shown(expression)} has text after {plain(name)}; {_FULL_LINES}")
        if name == "@reboot":
            return Schedule([], True, [_finding("info", "@reboot", _REBOOT)])
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
    fields = _parse(words, expression, option)
    calendars = _calendars(fields)
    findings = fields.notes
    if not fields.either_day and not any(min(fields.days) <= _DAYS_IN_MONTH[month - 1] for month in fields.months):
        findings.append(
            _finding("warning", words[2], "none of these months has such a day: cron never runs this, nor does systemd")
        )
    findings += _clock_changes(fields, zone, " ".join(words))
    return Schedule([f"{text} {zone}" if zone else text for text in calendars], False, findings)


_FULL_LINES = "for full lines of a crontab say which kind it is: crontab='user', 'system' or 'anacron'"
_REBOOT = (
    "cron runs this when its daemon starts after a boot: OnBootSec= of a timer, or a service that multi-user.target wants; "
    "a timer with OnBootSec= that is started later than that runs at once"
)


def _looks_like_a_field(word: str) -> bool:
    return word[0] in "*?0123456789" or word[:3].lower() in (*_MONTHS, *_WEEKDAYS)


def _finding(severity: str, construct: str, message: str, line: int = 0) -> dict[str, t.Any]:
    return {"severity": severity, "construct": construct, "line": line, "message": message}


def _parse(words: list[str], expression: str, option: str) -> _Fields:
    notes: list[dict[str, t.Any]] = []
    sets = []
    for (name, low, high, names), word in zip(_FIELDS, words, strict=True):
        values: set[int] = set()
        for item in word.split(","):
            try:
                values |= _item(item, low, high, names, notes)
            except ValueError as error:
                raise BadInput(f"{option}: {shown(expression)}: {name} {shown(word)}: {error}") from error
        sets.append(values)
    minutes, hours, days, months, weekdays = sets
    weekdays = {(day - 1) % 7 for day in weekdays}
    day_star, weekday_star = words[2].startswith("*"), words[4].startswith("*")
    if (day_star and len(days) < 31 and len(weekdays) < 7) or (weekday_star and len(weekdays) < 7 and len(days) < 31):
        notes.append(
            _finding(
                "info",
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


def _item(item: str, low: int, high: int, names: t.Sequence[str], notes: list[dict[str, t.Any]]) -> set[int]:
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
    first_text, dash, last_text = base.partition("-")
    first = _value(first_text, low, high, names)
    if dash:
        last = _value(last_text, low, high, names)
        if last < first:
            hint = ""
            if names is _WEEKDAYS and last == 0:
                hint = f"; write {first}-7, as Sunday is 0 and 7"
            raise ValueError(f"the range {shown(base)} runs backwards{hint}")
        return set(range(first, last + 1, step))
    if slash:
        notes.append(
            _finding(
                "warning",
                item,
                f"taken as {first}-{high}/{step}; some crons ignore a step after a single number and run at {first} only",
            )
        )
        return set(range(first, high + 1, step))
    return {first}


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
    if zone:
        changing = _hours_changed(zone)
        where = f"in {zone}"
    else:
        changing = _CHANGING_HOURS
        where = "in a time zone with summer time"
    affected = sorted(changing & fields.hours)
    if not affected:
        return []
    if fields.by_the_clock:
        return [
            _finding(
                "info",
                shown,
                f"{where}, when the clock is put forward over one of these times, cron runs it right after the gap, and "
                "systemd not at all on that day; choose another hour, or UTC, where that matters",
            )
        ]
    return [
        _finding(
            "info",
            shown,
            f"{where}, when the clock is put back, cron goes on through the hour that comes twice, and systemd does not "
            "run it in the second of them; choose UTC, or OnUnitActiveSec=, where that matters",
        )
    ]


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


# -- whole crontabs


def parse_crontab(text: str, kind: str = "user") -> list[dict[str, t.Any]]:
    """The jobs of a crontab, each with its times and its service as systemd writes them.

    :param kind: `user` (as `crontab -l` prints it), `system` (/etc/crontab and /etc/cron.d: with a column for the user) or
        `anacron` (/etc/anacrontab).
    :returns: for each job `line`, `command`, `stdin`, `user`, `environment`, `calendars`, `boot`, `persistent`, `service`
        (directives of the [Service] section) and `findings`.
    :raises BadInput: for a line that is none, with its number.
    """
    if kind not in KINDS:
        raise BadInput(f"crontab: {shown(kind)} is not one of {', '.join(KINDS)}")
    if not isinstance(text, str):
        raise BadInput("crontab: is not text")
    jobs = []
    environment: dict[str, str] = {}
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        line = raw.strip(_BLANKS)
        if not line or line.startswith("#"):
            continue
        variable = _variable(line)
        if variable:
            # It holds for the jobs below it only.
            environment[variable[0]] = variable[1]
            continue
        jobs.append(
            _anacron_job(line, number, environment) if kind == "anacron" else _job(line, number, kind, environment)
        )
    return jobs


def _variable(line: str) -> tuple[str, str] | None:
    """`NAME=value`, `NAME = "value"`: cron takes quotes off, and expands nothing."""
    if line[0] in "\"'":
        end = line.find(line[0], 1)
        if end < 0:
            return None
        name, rest = line[1:end], line[end + 1 :].lstrip(_BLANKS)
        if not rest.startswith("="):
            return None
        value = rest[1:]
    else:
        name, equals, value = line.partition("=")
        name = name.rstrip(_BLANKS)
        if not equals or not name or any(char in name for char in " \t"):
            return None
    if line[0] in "@*" or is_digits(name[:1]):
        return None
    value = value.strip(_BLANKS)
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        value = value[1:-1]
    return name, value


def _take(text: str) -> tuple[str, str]:
    """The first word, and the rest without the blanks between."""
    for index, char in enumerate(text):
        if char in _BLANKS:
            return text[:index], text[index:].lstrip(_BLANKS)
    return text, ""


def _job(line: str, number: int, kind: str, environment: dict[str, str]) -> dict[str, t.Any]:
    option = f"crontab, line {number}"
    rest = line
    if rest.startswith("-") and len(rest) > 1:
        # cronie, SUSE: do not log that it is run.
        rest = rest[1:].lstrip(_BLANKS)
    words: list[str] = []
    for _field in range(1 if rest.startswith("@") else 5):
        word, rest = _take(rest)
        words.append(word)
    user = ""
    if kind == "system":
        user, rest = _take(rest)
    if not rest:
        missing = "a user and a command" if kind == "system" and not user else "a command"
        raise BadInput(f"{option}: {shown(line)} has no command; a line of this kind has the time, and {missing}")
    zone = environment.get("CRON_TZ", "")
    schedule = convert(" ".join(words), zone, option)
    command, stdin = _split_command(rest)
    findings = [*schedule.findings]
    if zone:
        findings.append(
            _finding(
                "warning",
                f"CRON_TZ={zone}",
                "cronie reads the times in this zone, and so do these calendars; Debian's cron takes no notice of it",
            )
        )
    return _entry(number, command, stdin, user, environment, schedule, findings)


def _split_command(text: str) -> tuple[str, str | None]:
    """Command and standard input: the first `%` that is not escaped ends the command, each further one is a line break."""
    parts = [""]
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] == "%":
            parts[-1] += "%"
            at += 2
            continue
        if text[at] == "%":
            parts.append("")
        else:
            parts[-1] += text[at]
        at += 1
    if len(parts) == 1:
        return parts[0], None
    stdin = "\n".join(parts[1:])
    return parts[0], stdin if not stdin or stdin.endswith("\n") else f"{stdin}\n"


def _anacron_job(line: str, number: int, environment: dict[str, str]) -> dict[str, t.Any]:
    option = f"crontab, line {number}"
    period, rest = _take(line)
    delay, rest = _take(rest)
    name, command = _take(rest)
    if not command or not is_digits(delay):
        raise BadInput(
            f"{option}: {shown(line)} is no job of anacron; it has a period in days, a delay in minutes, a name, a command"
        )
    hour, minute = divmod(count(delay), 60)
    dates = {
        "1": "",
        "@daily": "",
        "7": "Mon ",
        "@weekly": "Mon ",
        "30": "m",
        "31": "m",
        "@monthly": "m",
        "@yearly": "y",
    }
    findings = []
    if period not in dates and not is_digits(period):
        raise BadInput(
            f"{option}: the period {shown(period)} is neither a number of days nor @daily, @weekly, @monthly or @yearly"
        )
    if hour > 23:
        raise BadInput(f"{option}: the delay of {plain(delay)} minutes is a day or more")
    days, date = "", "*-*-*"
    if period not in dates:
        findings.append(
            _finding(
                "decision",
                plain(period),
                f"anacron runs this when {plain(period)} days have passed since it last did; a calendar has no such period: it runs "
                "daily here, so choose dates, or OnUnitActiveSec=",
            )
        )
    elif dates[period] == "m":
        date = "*-*-01"
    elif dates[period] == "y":
        date = "*-01-01"
    else:
        days = dates[period]
    schedule = Schedule([f"{days}{date} {hour:02d}:{minute:02d}:00"], False, findings)
    findings.append(
        _finding(
            "info",
            f"{plain(period)} {plain(delay)}",
            "Persistent=true makes up for a run that was missed, as anacron does; the delay became the time of day, for "
            "anacron is itself started at a time of its own (START_HOURS_RANGE, RANDOM_DELAY)",
        )
    )
    return {**_entry(number, command, None, "", environment, schedule, findings), "name": name, "persistent": True}


def _entry(
    number: int,
    command: str,
    stdin: str | None,
    user: str,
    environment: dict[str, str],
    schedule: Schedule,
    findings: list[dict[str, t.Any]],
) -> dict[str, t.Any]:
    variables = {key: value for key, value in environment.items() if key not in _CRONS_OWN}
    # cron's defaults, where the crontab does not say otherwise.
    shell = environment.get("SHELL") or "/bin/sh"
    variables.setdefault("PATH", "/usr/bin:/bin")
    variables.setdefault("SHELL", shell)
    mail = environment.get("MAILTO")
    if mail != "":
        to = mail if mail else "its owner"
        construct = "MAILTO" if mail is None else f"MAILTO={mail}"
        findings.append(
            _finding("info", construct, f"cron mails what it prints to {to}; systemd puts it into the journal")
        )
    service: dict[str, t.Any] = {
        "Type": "oneshot",
        "ExecStart": f"{_word(shell)} -c {_word(command)}",
        "Environment": {key: value.replace("%", "%%") for key, value in variables.items()},
    }
    if user:
        service["User"] = user
    # cron starts jobs in the home directory.
    service["WorkingDirectory"] = environment["HOME"].replace("%", "%%") if environment.get("HOME") else "~"
    if stdin:
        service["StandardInput"] = "data"
        service["StandardInputText"] = _text(stdin[:-1])
    return {
        "line": number,
        "command": command,
        "stdin": stdin,
        "user": user,
        "environment": dict(environment),
        "calendars": schedule.calendars,
        "boot": schedule.boot,
        "persistent": False,
        "service": service,
        "findings": [{**finding, "line": number} for finding in findings],
    }


_CRONS_OWN = frozenset(
    ("MAILTO", "MAILFROM", "CRON_TZ", "RANDOM_DELAY", "START_HOURS_RANGE", "CONTENT_TYPE", "LOGNAME")
)


def _text(lines: str) -> str:
    """Text for StandardInputText=, which reads specifiers and C escapes, takes off blanks at both ends and ends the line."""
    escaped = lines.replace("\\", "\\\\").replace("%", "%%").replace("\t", "\\t").replace("\n", "\\n")
    inner = escaped.strip(" ")
    if not inner:
        return "\\x20" * len(escaped)
    before, after = len(escaped) - len(escaped.lstrip(" ")), len(escaped) - len(escaped.rstrip(" "))
    return "\\x20" * before + inner + "\\x20" * after


def _word(text: str) -> str:
    """One word of ExecStart=: quoted, and with nothing that systemd would expand."""
    return quote(text.replace("%", "%%").replace("$", "$$"), _TO_QUOTE)
