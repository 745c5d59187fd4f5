# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crontabs: refused, or jobs whose calendars systemd takes and whose services can be written as they are."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse, render
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.crontab import parse_crontab
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.times import convert
from tests.attacks.inputs import as_bytes, as_text

SEEDS = [
    as_bytes(text)
    for text in (
        "*/10 8-18 * * mon-fri", "@daily", "30 6 1,15 * fri", "0 0 1-7 * */2", "0 12 29 2 0,7",
        "5/15 * * jan-dec/3 sun",
        (
            "MAILTO=root\nSHELL=/bin/bash\nPATH = \"/a:/b\"\n# comment\n17 * * * * cd / && run-parts --report "
            "/etc/cron.hourly\n@reboot /bin/x%line one%line two\n"
        ),
        (
            "CRON_TZ=Europe/Berlin\n0 2 * * * root test -x /x || y \\% z\n-*/5 * * * * www-data a 'b c' "
            "\"$d\"\r\n"
        ),
        "1 5 cron.daily nice run-parts /etc/cron.daily\n@monthly 45 m true\n7 70 w x\n",
        "'A B' = c\nHOME=/h%\n@hourly user echo hi\n",
    )
]  # fmt: skip
TOKENS = [
    b"*",
    b"*/",
    b"@reboot",
    b"@weekly",
    b"CRON_TZ=",
    b"UTC",
    b"\n",
    b"%",
    b"\\%",
    b"mon",
    b"dec",
    b"-",
    b",",
    b"~",
    b"L",
    b"#",
    b"0 0 * * * ",
    b"HOME=",
]


def one_input(data: bytes) -> None:
    text = as_text(data)
    try:
        schedule = convert(text)
    except BadInput as error:
        _clear(error)
    else:
        assert schedule.calendars or schedule.boot
        for calendar in schedule.calendars:
            assert str(parse_calendar(calendar)) == calendar
    for kind in ("user", "system", "anacron"):
        try:
            jobs = parse_crontab(text, kind)
        except BadInput as error:
            _clear(error)
            continue
        for job in jobs:
            for calendar in job["calendars"]:
                parse_calendar(calendar)
            try:
                written = render({"Service": job["service"]})
            except BadInput as error:
                # Control characters, which no unit file can have.
                _clear(error)
                continue
            found = parse(written)
            assert not found.problems and [name for name, _line in found.sections] == ["Service"], written


def _clear(error: BadInput) -> None:
    assert len(error.msg) < 1200 and error.msg.isprintable(), error.msg
