# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters and tests as playbooks call them."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.pidone.systemd.plugins.filter.bytes import bytes_filter
from ansible_collections.pidone.systemd.plugins.filter.cron_to_calendar import cron_to_calendar
from ansible_collections.pidone.systemd.plugins.filter.escape import escape
from ansible_collections.pidone.systemd.plugins.filter.escape_path import escape_path
from ansible_collections.pidone.systemd.plugins.filter.from_unit import from_unit
from ansible_collections.pidone.systemd.plugins.filter.timespan import timespan
from ansible_collections.pidone.systemd.plugins.filter.to_unit import to_unit
from ansible_collections.pidone.systemd.plugins.filter.unescape import unescape
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.test.active import active
from ansible_collections.pidone.systemd.plugins.test.calendar import calendar
from ansible_collections.pidone.systemd.plugins.test.enabled import enabled
from ansible_collections.pidone.systemd.plugins.test.failed import failed


def test_escaping() -> None:
    assert escape("a b/c") == "a\\x20b-c"
    assert escape("a b/c", "app@.service") == "app@a\\x20b-c.service"
    assert escape_path("/srv//big data/", suffix="mount") == "srv-big\\x20data.mount"
    assert escape_path("/", template="x@.mount") == "x@-.mount"
    assert unescape("srv-big\\x20data", path=True) == "/srv/big data"
    assert unescape("srv-big", path="no") == "srv/big"


def test_timespan() -> None:
    assert timespan("1min 30s") == 90_000_000
    assert timespan(90, "text") == "1min 30s"
    assert timespan("1.5", "s") == 1.5
    assert repr(timespan("2min", "s")) == "120"
    assert timespan(1_500_000, "s", number="us") == 1.5
    assert timespan(2**64 - 1, "text", number="us") == "infinity"
    assert timespan(0.000001) == 1
    # Half of a property, which Jinja makes a number with a fraction of.
    assert timespan(3_000_001 / 2, number="us") == 1_500_000
    assert timespan("1.5ms 20", number="us") == 1_520


def test_bytes() -> None:
    assert bytes_filter("1.5G") == 1610612736
    assert bytes_filter(1610612736, "text") == "1.5G"
    assert bytes_filter("1.5G", "exact") == "1536M"
    assert bytes_filter("50%", of="3G") == 1610612736
    assert bytes_filter(2**64 - 1, "text") == "infinity"


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: escape(5), "is a int, not text"),
        (lambda: escape("", "app@.service"), "is empty"),
        (lambda: escape("x", "app.service"), "not the name of a template"),
        (lambda: escape("x", "app@.servce"), "template: 'app@.servce' is not the name of a template"),
        (lambda: escape("x", "my app@.service"), "template: 'my app@.service' holds ' '"),
        (lambda: escape("x" * 250, "app@.service"), "is 262 characters long"),
        (lambda: escape_path("/a/../b"), "detours"),
        (lambda: escape_path("/" + "a" * 256), "more than 255 bytes"),
        (lambda: escape_path("/aaaaa" + "/aaaaa" * 50, "mount"), "a unit name has at most 255"),
        (lambda: escape_path("/a", 5), "suffix: 5 is a int"),
        (lambda: unescape("a", path="maybe"), "path: 'maybe' is neither true nor false"),
        (lambda: escape_path("/a", "mounts"), "no type of unit"),
        (lambda: escape_path("/a", "mount", "a@.mount"), "exclude each other"),
        (lambda: unescape("a\\x2"), "character 2"),
        (lambda: unescape("a--b", path=True), "not an escaped path"),
        (lambda: timespan("infinity", "s"), "no number of seconds"),
        (lambda: timespan(True), "neither text nor a number"),
        (lambda: timespan("5s", "ms"), "not one of us, s, text"),
        (lambda: bytes_filter("50%"), "say with of="),
        (lambda: bytes_filter("5x"), "at character 2"),
        (lambda: to_unit(["x"]), "must be a mapping"),
        (lambda: from_unit("[Unit]\nnonsense\n"), "line 2"),
        (lambda: cron_to_calendar("@reboot"), "OnBootSec="),
        (lambda: cron_to_calendar("@daily x", "user", timezone="UTC"), "CRON_TZ"),
        (lambda: cron_to_calendar("@daily x", "mine"), "not one of user"),
        (lambda: cron_to_calendar("@daily", timezone="Europe/Nowhere"), "^timezone: 'Europe/Nowhere' is not[^:]*$"),
        (lambda: active({"units": []}), "test each of its units"),
        (lambda: enabled([]), "is not a unit"),
        (lambda: enabled({"name": "a.service", "active_state": "active"}), "did not ask for it; read the unit with"),
    ],
)
def test_errors_are_those_of_filters(call: t.Callable[[], object], why: str) -> None:
    with pytest.raises(AnsibleFilterError, match=why):
        call()


TEXT = """\
# a comment
[Unit]
Description=Some thing

[Service]
Environment=A=1 B=2
Environment=C="x y" D=3
Environment=
Environment="E=x y" F=4
Environment=G=a\\x20b 'H=i "j"'
Environment=K='l "m"'
Environment=N=o
ExecStartPre=/bin/a
ExecStart=/bin/b --c \\
    --d
ExecStartPre=-/bin/e

[Install]
"""


def test_units_to_sections_and_back() -> None:
    sections = from_unit(TEXT)
    assert list(sections) == ["Unit", "Service", "Install"]
    assert sections["Unit"] == {"Description": "Some thing"}
    assert sections["Install"] == {}
    assert sections["Service"]["ExecStart"] == "/bin/b --c --d"
    assert sections["Service"]["ExecStartPre"] == ["/bin/a", "-/bin/e"]
    text = to_unit(sections)
    assert from_unit(text) == sections
    lines = [line for line in text.splitlines() if line.startswith("Environment=")]
    assert lines == [
        'Environment="A=1" B=2',
        'Environment="C=x y" D=3',
        "Environment=",
        'Environment="E=x y" F=4',
        'Environment="G=a\\x20b" \'H=i "j"\'',
        'Environment="K=l \\"m\\""',
        "Environment=N=o",
    ]


def test_a_unit_without_variables_keeps_its_meaning() -> None:
    text = "[Unit]\nAfter=a.service b.service\nAfter=c.service\n\n[Timer]\nOnCalendar=\nOnCalendar=daily\n"
    assert parse(to_unit(from_unit(text))).meaning() == parse(text).meaning()


def test_cron() -> None:
    assert cron_to_calendar("0 12 1 * 1") == ["*-*-01 12:00:00", "Mon *-*-* 12:00:00"]
    assert cron_to_calendar("0 12 * * *", timezone="UTC") == ["*-*-* 12:00:00 UTC"]
    (job,) = cron_to_calendar("0 12 * * * app x", "system")
    assert isinstance(job, dict) and job["user"] == "app"


def test_states() -> None:
    up = {"active": True, "enabled": True, "active_state": "active", "unit_file_state": "enabled-runtime"}
    assert active(up) and enabled(up) and not failed(up)
    down = {"active": False, "enabled": False, "active_state": "failed", "unit_file_state": "static"}
    assert failed(down) and not active(down) and not enabled(down)
    assert active({"ActiveState": "reloading"}) and not active({"ActiveState": "activating"})
    assert enabled({"properties": {"UnitFileState": "enabled"}}) and not enabled({"unit_file_state": "alias"})
    assert active("active") and failed("failed") and enabled("enabled-runtime")


def test_calendar() -> None:
    assert calendar("Mon..Fri 03:30") and calendar("daily")
    assert not calendar("Fri..Mon 03:30") and not calendar("") and not calendar(None) and not calendar(10)
