# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cron's times and crontabs."""

from __future__ import annotations

import datetime as dt
import typing as t
import zoneinfo

import pytest
from cronsim import CronSim

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.crontab import parse_crontab
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.times import convert

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("expression", "calendars"),
    [
        ("1 2 3 4 5", ["*-04-03 02:01:00", "Fri *-04-* 02:01:00"]),
        ("0 0 */2 * 1", ["Mon *-*-01..31/2 00:00:00"]),
        ("0 0 1-31/2 * 1", ["*-*-01..31/2 00:00:00", "Mon *-*-* 00:00:00"]),
        ("0 0 13 * */3", ["Wed,Sat,Sun *-*-13 00:00:00"]),
        ("0 0 1-31 * 1", ["*-*-* 00:00:00"]),
        ("*/10 8-18 * * mon-fri", ["Mon..Fri *-*-* 08..18:00/10:00"]),
        ("0-3/2 0 * * 0", ["Sun *-*-* 00:00,02:00"]),
        ("0 0 * * 7", ["Sun *-*-* 00:00:00"]),
        ("0 0 * * 5-7", ["Fri..Sun *-*-* 00:00:00"]),
        ("0 0 * JAN,mar *", ["*-01,03-* 00:00:00"]),
        ("*/7 * * * *", ["*-*-* *:00..56/7:00"]),
        ("0 */5 * * *", ["*-*-* 00..20/5:00:00"]),
        ("@weekly", ["Sun *-*-* 00:00:00"]),
        ("@Daily", ["*-*-* 00:00:00"]),
        ("@yearly", ["*-01-01 00:00:00"]),
        ("* * * * *", ["*-*-* *:*:00"]),
    ],
)
def test_expressions(expression: str, calendars: list[str]) -> None:
    assert convert(expression).calendars == calendars
    assert [str(parse_calendar(text)) for text in calendars] == calendars


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("0 0 12 * * *", "no field for seconds"),
        ("0 3 * * * root /bin/true", "crontab='user'"),
        ("60 * * * *", "minute '60': 60 is not in 0 to 59"),
        ("* * 0 * *", "day of month '0': 0 is not in 1 to 31"),
        ("* * * * fri-sun", "write 5-7"),
        ("* * * foo *", "month 'foo': 'foo' is not a number or a name; 1 to 12 are taken, and jan to dec"),
        ("*/0 * * * *", "the step is 0"),
        ("1,,2 * * * *", "an item of the list is empty"),
        ("0~30 * * * *", "RandomizedDelaySec="),
        ("* * L * *", "Quartz"),
        ("@fortnightly", "no name that cron knows"),
        ("@daily /bin/true", "crontab='user'"),
    ],
)
def test_what_cron_would_not_take(expression: str, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        convert(expression, option="at")
    assert caught.value.msg.startswith("at: ")
    assert why in caught.value.msg


def test_time_zones_are_checked_and_written() -> None:
    assert convert("0 12 * * *", "Asia/Tokyo").calendars == ["*-*-* 12:00:00 Asia/Tokyo"]
    with pytest.raises(BadInput, match="'Mars/Olympus' is not a time zone"):
        convert("0 12 * * *", "Mars/Olympus")


def messages(expression: str, zone: str = "") -> list[str]:
    return [finding["message"] for finding in convert(expression, zone).findings]


def test_what_the_change_of_clocks_does_is_said() -> None:
    assert "runs it right after the gap" in messages("30 2 * * *", "Europe/Berlin")[0]
    assert "hour that comes twice" in messages("*/10 * * * *", "Europe/Berlin")[0]
    assert messages("30 12 * * *", "Europe/Berlin") == []
    assert messages("30 4 * * *", "Europe/Berlin") == []
    # London's gap is from 1 to 2.
    assert messages("30 1 * * *", "Europe/London") != []
    assert messages("30 1 * * *", "Europe/Berlin") == []
    assert messages("30 2 * * *", "UTC") == []
    assert messages("30 2 * * *", "Asia/Tokyo") == []
    assert convert("30 2 * * *").clock_unknown and not convert("*/30 2 * * *").clock_unknown
    assert not convert("30 12 * * *").clock_unknown and not convert("30 2 * * *", "UTC").clock_unknown


def test_the_change_of_clocks_is_as_said() -> None:
    before = dt.datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    runs = CronSim("30 2 * * *", before)
    assert [next(runs).isoformat() for _n in range(2)] == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    (event,) = convert("30 2 * * *", "Europe/Berlin").calendars
    elapse = t.cast(int, parse_calendar(event).next(int(before.timestamp()) * 1_000_000))
    assert dt.datetime.fromtimestamp(elapse / 1_000_000, BERLIN).isoformat() == "2026-03-30T02:30:00+02:00"


def test_other_findings() -> None:
    assert "never runs" in messages("0 12 30 2 *")[0]
    assert messages("0 12 30 2 1") == []
    assert "some crons ignore a step" in messages("5/15 12 * * *")[0]
    assert "match both of them" in messages("0 12 */2 * 1")[0]
    assert convert("@reboot").boot
    assert "OnBootSec=" in messages("@reboot")[0]


CRONTAB = """
# m h dom mon dow command
PATH=/opt/bin:/usr/bin
  GREETING = "hello world"
MAILTO=""

15 4 * * 0  run "$GREETING" 100\\% %first%second \\% line
MAILTO=ops
@reboot /opt/bin/boot
"""


def test_a_crontab_of_a_user() -> None:
    weekly, boot = parse_crontab(CRONTAB, user="app")
    assert weekly["line"] == 7
    assert weekly["calendars"] == ["Sun *-*-* 04:15:00"]
    assert weekly["command"] == 'run "$GREETING" 100% '
    assert weekly["stdin"] == "first\nsecond % line\n"
    assert [finding["construct"] for finding in weekly["findings"]] == ["UMask="]
    assert weekly["service"] == {
        "Type": "oneshot",
        "ExecStart": '/bin/sh -c "run \\"$$GREETING\\" 100%% "',
        "Environment": {"PATH": "/opt/bin:/usr/bin", "GREETING": "hello world", "SHELL": "/bin/sh"},
        "User": "app",
        "WorkingDirectory": "~",
        "StandardInput": "data",
        "StandardInputText": "first\\nsecond %% line",
    }
    assert weekly["timer"] == {"OnCalendar": ["Sun *-*-* 04:15:00"], "AccuracySec": "1s", "service": weekly["service"]}
    assert boot["boot"] and boot["calendars"] == [] and boot["timer"] is None
    assert [finding["construct"] for finding in boot["findings"]] == ["@reboot", "MAILTO=ops", "UMask="]
    assert {finding["line"] for finding in boot["findings"]} == {9}
    # What stands below a job does not hold for it.
    assert weekly["environment"]["MAILTO"] == ""


def test_a_crontab_of_the_system() -> None:
    (job,) = parse_crontab(
        "SHELL=/bin/bash\nCRON_TZ=Europe/Berlin\nHOME=/srv\n0 12 * * *\twww-data\tcd x && ./y\n", "system"
    )
    assert (job["user"], job["command"]) == ("www-data", "cd x && ./y")
    assert job["calendars"] == ["*-*-* 12:00:00 Europe/Berlin"]
    assert job["service"]["ExecStart"] == '/bin/bash -c "cd x && ./y"'
    assert job["service"]["User"] == "www-data"
    assert job["service"]["WorkingDirectory"] == "/srv"
    assert "CRON_TZ" not in job["service"]["Environment"]
    assert "CRON_TZ=Europe/Berlin" in [finding["construct"] for finding in job["findings"]]


def test_an_anacrontab() -> None:
    text = (
        "RANDOM_DELAY=45\n1 5 cron.daily run-parts /etc/cron.daily\n7 70 cron.weekly w\n@monthly 15 m x\n3 10 odd y\n"
    )
    jobs = parse_crontab(text, "anacron")
    assert [job["name"] for job in jobs] == ["cron.daily", "cron.weekly", "m", "odd"]
    assert [job["calendars"] for job in jobs] == [
        ["*-*-* 00:05:00"],
        ["Mon *-*-* 01:10:00"],
        ["*-*-01 00:15:00"],
        ["*-*-* 00:10:00"],
    ]
    assert all(job["persistent"] and job["timer"]["Persistent"] for job in jobs)
    # Its jobs are root's, who has a home directory under anacron too.
    assert {job["service"]["User"] for job in jobs} == {"root"}
    assert {job["timer"]["RandomizedDelaySec"] for job in jobs} == {"45min"}
    assert not jobs[0]["timer"]["FixedRandomDelay"]
    assert "decision" in [finding["severity"] for finding in jobs[3]["findings"]]


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("user", "\n0 3 * * *\n", "line 2: '0 3 * * *' has no command"),
        ("system", "0 3 * * * root\n", "has no command"),
        ("user", "0 25 * * * x\n", "line 1: '0 25 * * *': hour '25'"),
        ("anacron", "1 cron.daily x y\n", "no job of anacron"),
        ("other", "", "not one of user, system, anacron"),
    ],
)
def test_lines_that_are_none(kind: str, text: str, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_crontab(text, kind)
    assert why in caught.value.msg


def job_of(text: str, kind: str = "user", **known: str) -> dict[str, t.Any]:
    (job,) = parse_crontab(text, kind, **({"user": "root"} if kind == "user" else {}), **known)
    return job


def found(text: str, kind: str = "user", **known: str) -> dict[str, str]:
    return {finding["construct"]: finding["message"] for finding in job_of(f"MAILTO=\n{text}", kind, **known)["findings"]}


@pytest.mark.parametrize(
    ("line", "command", "stdin"),
    [
        (r"""sed "s/a\\b/x/" one""", r"""sed "s/a\b/x/" one""", None),
        (r"echo a\\%b", r"echo a\\"[:-1], "b\n"),
        (r"echo a\%b\x", r"echo a%b\x", None),
        (r"echo a\\\%b", r"echo a\%b", None),
        ("cat%%", "cat", "\n"),
        ("cat%", "cat", ""),
        ("cat%%%", "cat", "\n\n"),
        (r"cat%a\\b\%c%d%", "cat", "a\\\\b%c\nd\n"),
        (r"cat%a\\%b", "cat", "a\\%b\n"),
        ("cat%a\t", "cat", "a\t\n"),
        ("echo a \t", "echo a \t", None),
        ("echo a\\", "echo a\\", None),
    ],
)
def test_command_and_input_are_what_cron_takes_them_for(line: str, command: str, stdin: str | None) -> None:
    """Each case as vixie's do_command.c has it; tests/hosts/test_cron.py asks the real one."""
    job = job_of(f"0 12 * * * {line}\n")
    assert (job["command"], job["stdin"]) == (command, stdin)


def test_an_empty_line_as_input() -> None:
    assert job_of("@daily cat%%\n")["service"]["StandardInputData"] == "Cg=="
    assert "StandardInput" not in job_of("@daily cat%\n")["service"]


@pytest.mark.parametrize(
    "line",
    [
        "D=`date +%Y%m%d`; touch $D",
        "D=$(date +%F); touch $D",
        'date "+%F" >> log',
        "find /srv -printf '%p'",
        "tar czf /srv/x-%d.tgz /etc",
        "curl -w %{http_code} http://localhost",
    ],
)
def test_a_percent_sign_that_cuts_a_command_is_said(line: str) -> None:
    assert r"write \% where" in found(f"0 12 * * * {line}")["%"]


@pytest.mark.parametrize(
    "line", ["mail -s hi joe%Joe,%%Where are you?", "cat%", r"date +\%F", "cat > /tmp/x % text", "(a; b) && $(c)%d", r"echo \'%x"]
)
def test_an_input_that_is_meant_is_none_to_be_read(line: str) -> None:
    assert found(f"0 12 * * * {line}") == {}


def test_names_that_systemd_does_not_take() -> None:
    service = job_of('"Q N"=v w\nA-B=c%\nOK=1\n@daily env\n')["service"]
    assert service["ExecStart"] == '/usr/bin/env "Q N=v w" "A-B=c%%" /bin/sh -c env'
    assert set(service["Environment"]) == {"OK", "PATH", "SHELL"}


@pytest.mark.parametrize("line", ["PATH=$PATH:/opt/bin", "PATH=~/bin:/usr/bin", "X=a${B}", "HOME=~", "D=$(date)"])
def test_variables_that_their_author_took_for_shell(line: str) -> None:
    assert "expands nothing" in found(f"{line}\n@daily true")[line]
    assert found("PRICE=5$\nX=a~b\n0 12 * * * true") == {}


def test_lines_that_cron_takes_and_never_runs() -> None:
    text = "0 1 * * fri-mon a\n0 2 * * * b\n0 22-5 * * * c\n0 12 5-1 * 1 d\n0 12 * * 1,fri-mon e\n0~59/10 12 * * * f\n~5 * * * * g\n"
    jobs = parse_crontab(text, user="root", zone="UTC")
    assert [job["calendars"] for job in jobs] == [
        [],
        ["*-*-* 02:00:00"],
        [],
        [],
        ["Mon *-*-* 12:00:00"],
        ["*-*-* 12:00:00"],
        ["*-*-* *:00:00"],
    ]
    assert [job["timer"] is None for job in jobs] == [True, False, True, True, False, False, False]
    said = [[finding["message"] for finding in job["findings"] if finding["severity"] == "warning"] for job in jobs]
    assert "write 5-6,0-1 if" in said[0][0] and "never runs" in said[0][1]
    assert "write 22-23,0-5 if" in said[2][0] and "write 5-31,1 if" in said[3][0]
    assert "RandomizedDelaySec=" in said[5][0] and said[1] == []
    # Whoever writes an expression means something by it.
    with pytest.raises(BadInput, match="write 5-6,0-1"):
        convert("0 1 * * fri-mon")


def test_a_random_delay_of_cronie() -> None:
    job = job_of("RANDOM_DELAY=30\n0 12 * * * x\n")
    assert (job["timer"]["RandomizedDelaySec"], job["timer"]["FixedRandomDelay"]) == ("30min", True)
    assert "Debian's cron takes no notice" in found("RANDOM_DELAY=30\n0 12 * * * x")["RANDOM_DELAY=30"]
    assert found("RANDOM_DELAY=0\n0 12 * * * x") == {}
    assert "no number of minutes" in found("RANDOM_DELAY=often\n0 12 * * * x")["RANDOM_DELAY=often"]


def test_hours_in_which_anacron_starts_jobs() -> None:
    assert job_of("START_HOURS_RANGE=3-22\n1 5 d x\n", "anacron")["calendars"] == ["*-*-* 03:05:00"]
    assert "no range of hours" in found("START_HOURS_RANGE=22-3\n1 5 d x", "anacron")["START_HOURS_RANGE=22-3"]


def test_a_crontab_of_nobody_in_particular() -> None:
    (job,) = parse_crontab("MAILTO=\n0 12 * * * x\n")
    assert [finding["construct"] for finding in job["findings"]] == ["User="]
    assert "User" not in job["service"]


def test_summer_time_is_spoken_of_once() -> None:
    lines = "0 2 * * * a\n30 1 * * * b\n*/5 * * * * c\n0 12 * * * d\n"
    jobs = parse_crontab(f"MAILTO=\n{lines}", user="root")
    assert [[finding["construct"] for finding in job["findings"]] for job in jobs] == [["line 2, 3"], [], [], []]
    berlin = parse_crontab(f"MAILTO=\n{lines}", user="root", zone="Europe/Berlin")
    assert [len(job["findings"]) for job in berlin] == [1, 0, 1, 0]
    assert not any(job["findings"] for job in parse_crontab(f"MAILTO=\n{lines}", user="root", zone="UTC"))
