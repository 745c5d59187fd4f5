# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crontabs: their jobs as timers and services that run them as cron does (crontab(5), anacrontab(5))."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import quote
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.times import Schedule, convert, finding, put_forward

KINDS = ("user", "system", "anacron")

# What a word of a command line is put in quotes for.
_TO_QUOTE = re.compile("[ \\t\\n\\r\"'\\\\;%$]")
# What cron takes for white space; line ends are not in lines.
_BLANKS = " \t"
# Settings of cron itself, and the variable that it does not let a crontab set.
_CRONS_OWN = frozenset(
    ("MAILTO", "MAILFROM", "CRON_TZ", "RANDOM_DELAY", "START_HOURS_RANGE", "CONTENT_TYPE", "LOGNAME")
)
# What Environment= takes (systemd.exec(5)).
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# What a shell would expand, and cron does not.
_REFERENCE = re.compile(r"\$[A-Za-z_{(]|(?:^|:)~(?:/|:|\Z)")
# Characters before a percent sign that nobody puts before standard input: `date +%F`, `backup-%s`.
_BEFORE_A_FORMAT = frozenset("+-_=:./")
_MINUTES_A_DAY = 24 * 60


class _Line(t.NamedTuple):
    """A line that runs something, before it is a job."""

    number: int
    command: str
    stdin: str | None
    user: str
    environment: dict[str, str]
    schedule: Schedule
    findings: list[dict[str, t.Any]]
    persistent: bool = False


def parse_crontab(text: str, kind: str = "user", user: str = "", zone: str = "") -> list[dict[str, t.Any]]:
    """The jobs of a crontab, each with its times and its service as systemd writes them.

    :param kind: `user` (as `crontab -l` prints it), `system` (/etc/crontab and /etc/cron.d: with a column for the user) or
        `anacron` (/etc/anacrontab).
    :param user: whose crontab it is, for `user`.
    :param zone: time zone of the host, where it is known.
    :returns: for each job `line`, `command`, `stdin`, `user`, `environment`, `calendars`, `boot`, `persistent`, `service`
        (directives of the [Service] section), `timer` (options of the module of that name; None where it has no times) and
        `findings`; for those of anacron `name`.
    :raises BadInput: for a line that is none, with its number.
    """
    if kind not in KINDS:
        raise BadInput(f"crontab: {shown(kind)} is not one of {', '.join(KINDS)}")
    if not isinstance(text, str):
        raise BadInput("crontab: is not text")
    jobs: list[dict[str, t.Any]] = []
    # Numbers of jobs that summer time may concern.
    unclear: list[int] = []
    environment: dict[str, str] = {}
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        # What is at the end of a command belongs to it, and to its standard input.
        line = raw.lstrip(_BLANKS)
        if not line or line.startswith("#"):
            continue
        variable = _variable(line)
        if variable:
            # It holds for the jobs below it only.
            environment[variable[0]] = variable[1]
            continue
        if kind == "anacron":
            name, found = _anacron_line(line, number, environment)
            job = {**_job(found), "name": name}
        else:
            found = _cron_line(line, number, kind, user, environment, zone)
            job = _job(found)
        if found.schedule.clock_unknown:
            unclear.append(len(jobs))
        jobs.append(job)
    if unclear:
        # Once, as most hosts are in zones without it.
        first = jobs[unclear[0]]
        lines = ", ".join(str(jobs[index]["line"]) for index in unclear[:10])
        more = f" and {len(unclear) - 10} more" if len(unclear) > 10 else ""
        note = put_forward(f"line {lines}{more}", "in a time zone with summer time")
        first["findings"].append({**note, "line": first["line"]})
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


def _cron_line(
    line: str, number: int, kind: str, owner: str, environment: dict[str, str], host_zone: str
) -> _Line:
    option = f"crontab, line {number}"
    rest = line
    if rest.startswith("-") and len(rest) > 1:
        # cronie, SUSE: do not log that it is run.
        rest = rest[1:].lstrip(_BLANKS)
    words: list[str] = []
    for _field in range(1 if rest.startswith("@") else 5):
        word, rest = _take(rest)
        words.append(word)
    user = owner
    if kind == "system":
        user, rest = _take(rest)
    if not rest.strip(_BLANKS):
        missing = "a user and a command" if kind == "system" and not user else "a command"
        raise BadInput(f"{option}: {shown(line)} has no command; a line of this kind has the time, and {missing}")
    zone = environment.get("CRON_TZ", "")
    schedule = convert(" ".join(words), zone, option, host_zone=host_zone, installed=True)
    command, stdin = _split_command(rest)
    findings = [*schedule.findings]
    if zone:
        findings.append(
            finding(
                "cron.zone",
                f"CRON_TZ={zone}",
                "cronie reads the times in this zone, and so do these calendars; Debian's cron takes no notice of it",
            )
        )
    if stdin is not None:
        findings += _trap(rest, command)
    if not user:
        findings.append(
            finding(
                "cron.user",
                "User=",
                "a crontab does not say whose it is, and without User= systemd sets neither HOME nor LOGNAME; say it with `user`",
            )
        )
    return _Line(number, command, stdin, user, environment, schedule, findings)


def _split_command(text: str) -> tuple[str, str | None]:
    r"""Command and standard input: the first `%` that is not escaped ends the command, each further one is a line break.

    In the command `\%` and `\\` are one character (do_command.c of Debian's and the BSDs' crons), in what is behind it `\%` only.
    """
    command = []
    at = 0
    while at < len(text) and text[at] != "%":
        if text[at] == "\\" and text[at + 1 : at + 2] in ("%", "\\"):
            at += 1
        command.append(text[at])
        at += 1
    if at >= len(text):
        return "".join(command), None
    lines = re.sub(r"\\?%", lambda found: "%" if found[0] == r"\%" else "\n", text[at + 1 :])
    return "".join(command), lines if not lines or lines.endswith("\n") else f"{lines}\n"


def _trap(text: str, command: str) -> list[dict[str, t.Any]]:
    """Whether a percent sign cuts a command that was not meant to end there."""
    at = re.match(r"(?:\\.|[^%\\])*", text, re.DOTALL)
    rest = text[at.end() + 1 :] if at else ""
    glued = bool(command) and command[-1] in _BEFORE_A_FORMAT and bool(rest) and rest[0] not in _BLANKS
    if not (glued or rest.startswith("{") or _is_open(command)):
        return []
    return [
        finding(
            "cron.percent",
            "%",
            f"cron ends the command at the first % that is not escaped: it runs {shown(command)} with the rest as standard input, and so "
            r"does this unit; write \% where a percent sign is meant",
        )
    ]


def _is_open(command: str) -> bool:
    """Whether a shell would wait for the end of a quotation or a substitution."""
    quotation = ""
    ticks = brackets = 0
    at = 0
    while at < len(command):
        char = command[at]
        if quotation == "'":
            quotation = "" if char == "'" else quotation
        elif char == "\\":
            at += 1
        elif char == "`":
            ticks += 1
        elif char == '"':
            quotation = "" if quotation else '"'
        elif char == "'" and not quotation:
            quotation = "'"
        elif command.startswith("$(", at):
            brackets += 1
            at += 1
        elif char == ")" and brackets and not quotation:
            brackets -= 1
        at += 1
    return bool(quotation) or ticks % 2 == 1 or brackets > 0


def _anacron_line(line: str, number: int, environment: dict[str, str]) -> tuple[str, _Line]:
    """The name of a job of anacron, and what it is."""
    option = f"crontab, line {number}"
    period, rest = _take(line)
    delay, rest = _take(rest)
    name, command = _take(rest)
    if not command or not is_digits(delay):
        raise BadInput(
            f"{option}: {shown(line)} is no job of anacron; it has a period in days, a delay in minutes, a name, a command"
        )
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
    findings: list[dict[str, t.Any]] = []
    if period not in dates and not is_digits(period):
        raise BadInput(
            f"{option}: the period {shown(period)} is neither a number of days nor @daily, @weekly, @monthly or @yearly"
        )
    if count(delay) >= _MINUTES_A_DAY:
        raise BadInput(f"{option}: the delay of {plain(delay)} minutes is a day or more")
    first_hour = _first_hour(environment.get("START_HOURS_RANGE"), findings)
    minutes = min(60 * first_hour + count(delay), _MINUTES_A_DAY - 1)
    days, date = "", "*-*-*"
    if period not in dates:
        findings.append(
            finding(
                "cron.period",
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
    schedule = Schedule([f"{days}{date} {minutes // 60:02d}:{minutes % 60:02d}:00"], False, findings)
    findings.append(
        finding(
            "cron.missed",
            f"{plain(period)} {plain(delay)}",
            "Persistent=true makes up for a run that was missed, as anacron does; its time of day is the first hour of START_HOURS_RANGE, "
            "or midnight, and the delay after it, for anacron is itself started at a time of its own",
        )
    )
    # Jobs of anacron are root's (anacrontab(5)).
    return name, _Line(number, command, None, "root", environment, schedule, findings, True)


def _first_hour(hours: str | None, findings: list[dict[str, t.Any]]) -> int:
    """The hour from which on anacron starts jobs."""
    if hours is None:
        return 0
    first, dash, last = hours.partition("-")
    if dash and is_digits(first) and is_digits(last) and count(first) < count(last) <= 24:
        return count(first)
    findings.append(
        finding("cron.hours", f"START_HOURS_RANGE={plain(hours)}", "is no range of hours such as 3-22; taken as if it were not there")
    )
    return 0


def _job(line: _Line) -> dict[str, t.Any]:
    """What a playbook gets of a line; the keys are those of `parse_crontab`."""
    findings = [*line.findings, *_about_variables(line.environment), *_about_mail(line.environment)]
    timer: dict[str, t.Any] = {"OnCalendar": line.schedule.calendars, "AccuracySec": "1s"}
    if line.persistent:
        timer["Persistent"] = True
    timer.update(_random_delay(line, findings))
    service = _service(line)
    if line.user and line.user != "root":
        findings.append(
            finding(
                "cron.umask",
                "UMask=",
                "with pam_umask, cron gives users with a group of their own the umask 0002, and systemd gives 0022; set UMask=0002 where "
                "others of the group write what this makes",
            )
        )
    timer["service"] = service
    return {
        "line": line.number,
        "command": line.command,
        "stdin": line.stdin,
        "user": line.user,
        "environment": dict(line.environment),
        "calendars": line.schedule.calendars,
        "boot": line.schedule.boot,
        "persistent": line.persistent,
        "service": service,
        "timer": timer if line.schedule.calendars else None,
        "findings": [{**each, "line": line.number} for each in findings],
    }


def _about_variables(environment: dict[str, str]) -> list[dict[str, t.Any]]:
    """Variables that their author took for shell."""
    return [
        finding(
            "cron.variable",
            f"{name}={value}",
            "cron expands nothing here, so the variable has this very text, in this unit too; write what it should come to",
        )
        for name, value in environment.items()
        if name not in _CRONS_OWN and _REFERENCE.search(value)
    ]


def _about_mail(environment: dict[str, str]) -> list[dict[str, t.Any]]:
    mail = environment.get("MAILTO")
    if mail == "":
        return []
    construct = "MAILTO" if mail is None else f"MAILTO={mail}"
    to = mail or "its owner"
    return [finding("cron.mail", construct, f"cron mails what it prints to {to}; systemd puts it into the journal")]


def _random_delay(line: _Line, findings: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Options of the timer for RANDOM_DELAY, which is in minutes and the same at each run (crontab(5) of cronie)."""
    delay = line.environment.get("RANDOM_DELAY", "").strip(_BLANKS)
    if not delay:
        return {}
    construct = f"RANDOM_DELAY={plain(delay)}"
    if not is_digits(delay) or count(delay) >= _MINUTES_A_DAY:
        findings.append(finding("cron.delay", construct, "is no number of minutes below a day; taken as if it were not there"))
        return {}
    if not count(delay):
        return {}
    if not line.persistent:
        findings.append(
            finding(
                "cron.delay",
                construct,
                "cronie delays by up to so many minutes, and so does this timer (RandomizedDelaySec=); Debian's cron takes no notice of it",
            )
        )
    return {"RandomizedDelaySec": f"{count(delay)}min", "FixedRandomDelay": not line.persistent}


def _service(line: _Line) -> dict[str, t.Any]:
    """Directives of the [Service] section."""
    environment = line.environment
    variables = {key: value for key, value in environment.items() if key not in _CRONS_OWN}
    # cron's defaults, where the crontab does not say otherwise.
    shell = environment.get("SHELL") or "/bin/sh"
    variables.setdefault("PATH", "/usr/bin:/bin")
    variables.setdefault("SHELL", shell)
    # Names that cron takes and Environment= does not.
    odd = [f"{key}={value}" for key, value in variables.items() if not _VARIABLE.match(key)]
    command = [shell, "-c", line.command]
    if odd:
        command = ["/usr/bin/env", *odd, *command]
    service: dict[str, t.Any] = {
        "Type": "oneshot",
        "ExecStart": " ".join(_word(word) for word in command),
        "Environment": {key: value.replace("%", "%%") for key, value in variables.items() if _VARIABLE.match(key)},
    }
    if line.user:
        service["User"] = line.user
    # cron starts jobs in the home directory.
    service["WorkingDirectory"] = environment["HOME"].replace("%", "%%") if environment.get("HOME") else "~"
    if line.stdin == "\n":
        # StandardInputText= ends each line, but takes an empty one for a reset.
        service.update(StandardInput="data", StandardInputData="Cg==")
    elif line.stdin:
        service.update(StandardInput="data", StandardInputText=_text(line.stdin[:-1]))
    return service


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
