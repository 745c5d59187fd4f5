# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers: options, unit files and what they mean, plans, elapses, command lines."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import shlex
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.anew import counting_from_now
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.timers import StartAnew, held_by
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import Held
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued, Job, UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import (
    join_command,
    program_problem,
    split_program,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.elapses import iso, next_of, upcoming
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.options import (
    TimerWish,
    changed_sections,
    check_timer_name,
    marker_of,
    read_wishes,
    without_open_end,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.plan import plan_timers
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.state import TimerFile, TimerState
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.task import grouped

SYSTEM = "/etc/systemd/system"
TOOLS = FileTools(lambda _path, _check: False)
HOUR = 3_600_000_000


def wish(name: str = "a", **options: t.Any) -> TimerWish:
    if options.get("state") != "absent":
        options = {"OnCalendar": "daily", "command": "/bin/true", **options}
    made = TimerWish({"name": name, **options})
    made.started = options.get("started", True)
    return made


def texts(**options: t.Any) -> tuple[list[str], list[str]]:
    """The lines of the timer and of its service, without comments and blank lines."""
    made = wish(**options).texts("m")
    both = [
        [line for line in made.get(f"a.{kind}", "").splitlines() if line and line[0] != "#"]
        for kind in ("timer", "service")
    ]
    return both[0], both[1]


def refused(*words: str, **params: t.Any) -> None:
    defaults = {"marker": "default", "next": 0, "purge": False, "timers": None}
    with pytest.raises(BadInput) as caught:
        read_wishes({**defaults, **params})
    for word in words:
        assert word in caught.value.msg


class TestWishes:
    def test_files(self) -> None:
        timer, service = texts(
            description="Clean up",
            OnCalendar=["*-*-* 03:00", "Sat 12:00 Europe/Berlin"],
            OnBootSec=90,
            Persistent=True,
            WakeSystem=False,
            RandomizedDelaySec="20min",
            command="/bin/clean --older-than 7d %i",
            service={"User": "app", "MemoryMax": "200M", "Environment": {"A": "b c"}},
        )
        assert timer == [
            "[Unit]", "Description=Clean up", "[Timer]", "OnCalendar=*-*-* 03:00", "OnCalendar=Sat 12:00 Europe/Berlin",
            "OnBootSec=90", "RandomizedDelaySec=20min", "Persistent=yes", "WakeSystem=no", "[Install]", "WantedBy=timers.target",
        ]  # fmt: skip
        assert service == [
            "[Unit]", "Description=Clean up", "[Service]", "Type=oneshot", "ExecStart=/bin/clean --older-than 7d %i",
            "User=app", "MemoryMax=200M", 'Environment="A=b c"',
        ]  # fmt: skip

    def test_sections(self) -> None:
        timer, service = texts(
            timer={
                "Unit": {"After": "b.service"},
                "Install": {"WantedBy": "c.target"},
                "Timer": {"DeferReactivation": True},
            },
            command=None,
            service={"Service": {"Type": "exec", "ExecStart": "/bin/a"}, "Unit": {"ConditionACPower": True}},
        )
        assert timer[:2] == ["[Unit]", "After=b.service"]
        assert "DeferReactivation=yes" in timer
        assert timer[-2:] == ["[Install]", "WantedBy=c.target"]
        assert service == ["[Unit]", "ConditionACPower=yes", "[Service]", "Type=exec", "ExecStart=/bin/a"]

    def test_existing_unit(self) -> None:
        timer, service = texts(command=None, unit="b")
        assert "Unit=b.service" in timer
        assert service == []
        # That of the same name is what systemd starts in any case.
        assert not any(line.startswith("Unit=") for line in texts(command=None, unit="a.service")[0])

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"name": "a.service"}, ["name: 'a.service'", "'a.timer'"]),
            ({"name": "a@"}, ["name: a@.timer", "unit_file"]),
            ({"name": "a/b"}, ["name:", "slash"]),
            ({"name": "a" * 250}, ["name:", "255"]),
            ({"OnCalendar": "Mon 25:00"}, ["OnCalendar: 'Mon 25:00'", "character 5"]),
            ({"OnCalendar": ["daily", "weekdays"]}, ["OnCalendar: 'weekdays'", "character 1"]),
            ({"OnCalendar": 630}, ["OnCalendar: 630", "quotes"]),
            ({"OnCalendar": "12:00 Nowhere/City"}, ["OnCalendar:", "Nowhere/City"]),
            ({"OnCalendar": {"a": 1}}, ["OnCalendar:", "neither text nor a number"]),
            ({"OnCalendar": None}, ["OnCalendar: nothing says when a.timer"]),
            ({"OnCalendar": [], "OnClockChange": False}, ["OnCalendar: nothing says when"]),
            ({"OnCalendar": None, "OnBootSec": "5 minuts"}, ["OnBootSec: '5 minuts'", "minuts"]),
            ({"AccuracySec": "1x"}, ["AccuracySec: '1x'"]),
            ({"AccuracySec": "infinity"}, ["AccuracySec: with infinity", "1min"]),
            ({"timer": {"OnUnitActiveSec": "soon"}}, ["OnUnitActiveSec: 'soon'"]),
            ({"timer": {"OnCalendar": "daily"}}, ["timer: OnCalendar is an option already"]),
            ({"timer": {"Unit": "b.service"}}, ["timer:", "`unit`"]),
            ({"timer": {"Timer": {}, "Persistent": True}}, ["timer: 'Persistent'", "section"]),
            ({"unit": "b"}, ["command:", "leave out `command`, or `unit`"]),
            ({"unit": "b", "command": None, "service": {"User": "x"}}, ["service:", "`unit`"]),
            ({"unit": "b@.service", "command": None}, ["unit: b@.service is a template"]),
            ({"unit": "b.timer", "command": None}, ["unit: b.timer is a timer"]),
            ({"command": None}, ["command: what a.timer shall run is missing"]),
            ({"command": None, "service": {"User": "x"}}, ["command: what a.timer shall run is missing"]),
            ({"command": " "}, ["command: is empty"]),
            ({"command": []}, ["command: is empty"]),
            ({"command": ["-/bin/true"]}, ["command[0]: '-/bin/true'"]),
            ({"command": ["/bin/true", True]}, ["command[1]: True"]),
            ({"service": {"ExecStart": "/bin/a"}}, ["command: service has ExecStart already"]),
            ({"purge": True}, ["purge:", "`timers`"]),
            ({"marker": "a\nb"}, ["marker: 'a\\nb'"]),
            ({"marker": ""}, ["marker: ''"]),
            ({"next": -1}, ["next: -1"]),
        ],
    )
    def test_refused(self, options: dict[str, t.Any], words: list[str]) -> None:
        refused(*words, **{"name": "a", "OnCalendar": "daily", "command": "/bin/true", **options})

    def test_refused_in_a_list(self) -> None:
        good = {"name": "a", "OnCalendar": "daily", "command": "/bin/true"}
        refused("timers[1].OnCalendar: 'x'", timers=[good, {**good, "name": "b", "OnCalendar": "x"}])
        refused("timers[1].name: a.timer is timers[0] already", timers=[good, {**good, "name": "a.timer"}])
        refused("OnCalendar: with `timers`", timers=[good], OnCalendar="daily")

    def test_names(self) -> None:
        assert check_timer_name("a.b") == "a.b.timer"
        assert check_timer_name("a.timer") == "a.timer"
        assert check_timer_name("a@x") == "a@x.timer"

    def test_doubts(self) -> None:
        assert "nothing here starts the first one" in wish(OnCalendar=None, OnUnitActiveSec="1h").warnings[0]
        assert wish(OnCalendar=None, OnUnitActiveSec="1h", OnBootSec=1).warnings == []
        assert "OnCalendar only" in wish(OnCalendar=None, OnBootSec=1, Persistent=True).warnings[0]
        assert "*-*-* *:00..56/7:00" in wish(OnCalendar="*:0/7").warnings[0]
        assert "'&&' is handed to a as an argument" in wish(command="/bin/a && /bin/b").warnings[0]
        for command in ("/bin/sh -c 'a && b'", ["/bin/a", "&&"], "/bin/a a&&b -x>y"):
            assert wish(command=command).warnings == []

    def test_dropped_directives(self) -> None:
        made = wish(timer={"DeferReactivation": True, "X-Mine": 1}, service={"User": "a", "NewOne": 1})
        known = {
            "Timer": {"OnCalendar": ""},
            "Service": {"ExecStart": "", "User": "", "Type": ""},
            "Install": {"WantedBy": ""},
        }
        assert made.drop_unknown(known) == ["[Timer] DeferReactivation=", "[Service] NewOne="]
        assert "X-Mine=1" in made.texts("m")["a.timer"]
        assert "NewOne" not in made.texts("m")["a.service"]


class TestMeaning:
    def test_spelling(self) -> None:
        one = "[Timer]\nOnCalendar=daily\nOnCalendar=Mon 12:00\nAccuracySec=3600\nPersistent=1\n"
        other = (
            "# x\n\n[Timer]\nPersistent = yes\nOnCalendar=Mon *-*-* 12:00:00\nAccuracySec=1h\nOnCalendar=*-*-* 00:00\n"
        )
        assert changed_sections(one.encode(), other) is None

    @pytest.mark.parametrize(
        ("before", "wanted", "changed"),
        [
            (None, "[Timer]\nOnCalendar=daily\n", {"Timer"}),
            ("", "[Timer]\nOnCalendar=daily\n", {"Timer"}),
            ("[Timer]\nOnCalendar=daily\n", "[Timer]\nOnCalendar=hourly\n", {"Timer"}),
            ("[Timer]\nOnCalendar=daily\n", "[Timer]\nOnCalendar=daily\nOnCalendar=hourly\n", {"Timer"}),
            ("[Timer]\nPersistent=yes\n", "[Timer]\nPersistent=no\n", {"Timer"}),
            # A reset in between: the order matters then.
            ("[Timer]\nOnBootSec=1\nOnBootSec=\nOnBootSec=2\n", "[Timer]\nOnBootSec=2\n", {"Timer"}),
            (
                "[Unit]\nDescription=a\n[Timer]\nOnBootSec=1\n",
                "[Unit]\nDescription=b\n[Timer]\nOnBootSec=1\n",
                {"Unit"},
            ),
            ("[Service]\nUser=a\n", "[Service]\nUser=a\nGroup=b\n", {"Service"}),
            ("nonsense\n[Timer]\nOnBootSec=1\n", "[Timer]\nOnBootSec=1\n", {"Timer"}),
            # Only whose it is.
            ("[Timer]\nOnBootSec=1\n", "# pidone.systemd.timer marker: m\n[Timer]\nOnBootSec=1\n", set()),
        ],
    )
    def test_changes(self, before: str | None, wanted: str, changed: set[str]) -> None:
        assert changed_sections(None if before is None else before.encode(), wanted) == changed

    def test_marker(self) -> None:
        for text in wish().texts("my app: 1").values():
            assert marker_of(text.encode()) == "my app: 1"
        assert marker_of(b"[Timer]\n# pidone.systemd.timer marker: x\n") is None
        assert marker_of(b"") is None


class TestOpenRepetitions:
    @pytest.mark.parametrize(
        "text",
        [
            "*:0/7", "*:0/15", "*:3/7", "Mon *:0/7", "Mon,Tue *:0/7", "Sun,Mon *:0/7", "*-*-1 *:0/7", "8:0/7", "23:0/7",
            "0,23:0/7", "0/5:0", "20/2:0/40", "*:5/7", "*:*:3/7", "*:0/7,5/11", "*:*:0/7", "*:0:0/7", "*:0/59:0/7", "12:*:0/7",
            "*:0..59/7", "*:0/7,30", "*:0/5:0/40",
        ],
    )  # fmt: skip
    def test_against_the_elapses(self, text: str) -> None:
        """A warning where closing the repetition makes a difference, and only there."""
        calendar = parse_calendar(text)
        parts = [(calendar.minute, 60), (calendar.second, 60_000_000)]
        closed = [
            chain and tuple(
                part._replace(stop=part.start + (size - 1 - part.start) // part.repeat * part.repeat) if part.repeat else part
                for part in chain
            )
            for chain, size in parts
        ]  # fmt: skip
        other = calendar._replace(minute=closed[0], second=closed[1])
        start = int(dt.datetime(2026, 3, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
        # Enough to see midnight of two days in a row, at least for a repetition of minutes; of seconds, a full hour.
        mine, its = (each.elapses(start, 3000, dt.UTC) for each in (calendar, other))
        better = without_open_end(calendar)
        assert (better is not None) == (mine != its)
        if better is not None:
            assert better.elapses(start, 3000, dt.UTC) == its


def saved(text: str) -> Saved:
    return Saved(text.encode(), 0o644, 0, 0, (0, 0), None)


def state(
    made: TimerWish, before: TimerWish | None = None, active: str = "inactive", sub: str = "dead", enabled: bool = False
) -> TimerState:
    """What is known of a timer that was written for `before`."""
    old = before.texts("m") if before else {}
    new = {} if made.absent else made.texts("m")
    files = []
    for name in (made.name, made.service):
        if name in old or name in new:
            content = saved(old[name]) if name in old else None
            files.append(TimerFile(name, f"{SYSTEM}/{name}", content, "", new.get(name)))
    found = TimerState(made, files)
    found.status = UnitStatus(made.name, "", "loaded" if before else "not-found", active, sub, "", "", 0, "", "")
    link = f"{SYSTEM}/timers.target.wants/{made.name}"
    found.links = {link: f"{SYSTEM}/{made.name}"} if enabled else {}
    found.wanted_links = [] if made.absent else [link]
    return found


def steps(*states: TimerState) -> list[str]:
    return plan(*states).describe()


def plan(*states: TimerState) -> Plan:
    return plan_timers(states, [SYSTEM, "/run/systemd/system"], TOOLS)


class TestPlan:
    def test_new(self) -> None:
        made = plan(state(wish()))
        assert made.describe() == [
            f"write {SYSTEM}/a.timer", f"write {SYSTEM}/a.service", "enable a.timer", "daemon-reload", "start a.timer",
        ]  # fmt: skip
        assert [tuple(change) for change in made.changes] == [("a.timer", "not found", "active, enabled")]
        assert [diff["after_header"] for diff in made.file_diffs] == [f"{SYSTEM}/a.timer", f"{SYSTEM}/a.service"]

    def test_as_wanted(self) -> None:
        made = plan(state(wish(), wish(), "active", "waiting", True))
        assert (made.steps, made.changes, made.changed) == ([], [], False)

    def test_many_share_their_steps(self) -> None:
        told = steps(*(state(wish(name)) for name in "abcd"))
        assert told[-3:] == ["enable a.timer, b.timer and 2 more", "daemon-reload", "start a.timer, b.timer and 2 more"]

    def test_new_schedule_begins_anew(self) -> None:
        told = steps(state(wish(OnCalendar="hourly"), wish(), "active", "waiting", True))
        assert told == ["stop a.timer", f"rewrite {SYSTEM}/a.timer", "daemon-reload", "start a.timer"]

    def test_new_calendar_that_would_have_elapsed_already(self) -> None:
        """Nothing runs for that: systemd is made to count from now."""
        found = state(wish(OnCalendar="hourly"), wish(), "active", "waiting", True)
        found.missed = True
        told = steps(found, state(wish("b")))
        assert told == [
            "stop a.timer", f"rewrite {SYSTEM}/a.timer", f"write {SYSTEM}/b.timer", f"write {SYSTEM}/b.service",
            "enable b.timer", "start a.timer, to count from now", "start b.timer",
        ]  # fmt: skip
        found.stamp = ("/var/stamp", saved(""))
        told = ["stop a.timer", f"rewrite {SYSTEM}/a.timer", "touch /var/stamp", "daemon-reload", "start a.timer"]
        assert steps(found) == told

    def test_what_an_earlier_task_could_not_remove_is_removed(self) -> None:
        found = state(wish(), wish(), "active", "waiting", True)
        found.leftover = "/run/systemd/system/a.timer.d"
        made = plan(found)
        assert made.describe() == ["remove /run/systemd/system/a.timer.d"]
        assert made.changed
        assert made.changes[0].after == "active (waiting), enabled, /run/systemd/system/a.timer.d removed"
        found = state(wish(state="absent"))
        found.leftover = "/run/systemd/system/a.timer.d"
        assert steps(found) == ["remove /run/systemd/system/a.timer.d"]

    def test_held_back_by_a_task_that_was_killed(self) -> None:
        found = state(wish(), wish(), "active", "waiting", True)
        found.held = True
        assert steps(found) == ["stop a.timer", "start a.timer, to count from now"]

    def test_spelling_is_no_change(self) -> None:
        assert steps(state(wish(OnCalendar="*-*-* 0:0"), wish(), "active", "waiting", True)) == []

    def test_description_and_service_do_not_restart(self) -> None:
        told = steps(state(wish(description="x"), wish(), "active", "waiting", True))
        assert told == [f"rewrite {SYSTEM}/a.timer", f"rewrite {SYSTEM}/a.service", "daemon-reload"]
        told = steps(state(wish(command="/bin/false"), wish(), "active", "running", True))
        assert told == [f"rewrite {SYSTEM}/a.service", "daemon-reload"]

    @pytest.mark.parametrize(
        ("options", "warned"),
        [
            ({"OnActiveSec": "1h"}, False),
            ({"OnActiveSec": "1h", "OnUnitActiveSec": "1d"}, True),
            ({"OnActiveSec": ["1h", "2h"]}, True),
            ({"OnActiveSec": "1h", "OnCalendar": "daily"}, True),
            ({"OnBootSec": "1h", "OnUnitActiveSec": "1d"}, False),
        ],
    )
    def test_a_span_that_is_counted_anew_from_every_reload(self, options: dict[str, t.Any], warned: bool) -> None:
        asked = wish(**{"OnCalendar": None, **options})
        assert any("from every daemon-reload" in warning for warning in asked.warnings) is warned

    @pytest.mark.parametrize("options", [{"OnBootSec": 60}, {"OnStartupSec": 60, "OnActiveSec": 5}])
    def test_span_since_the_boot_that_may_be_over(self, options: dict[str, t.Any]) -> None:
        told = steps(state(wish(**options), wish(), "active", "waiting", True))
        assert told == ["stop a.timer", f"rewrite {SYSTEM}/a.timer", "start a.timer, to count from now"]
        # Of one that is new, it counts.
        assert steps(state(wish(**options)))[-1] == "start a.timer"

    def test_a_first_run_that_nothing_else_would_bring_about(self) -> None:
        options: dict[str, t.Any] = {"OnCalendar": None, "OnBootSec": 60, "OnUnitActiveSec": "1h"}
        found = state(wish(**options), wish(), "active", "waiting", True)
        found.never_ran = True
        assert steps(found) == ["stop a.timer", f"rewrite {SYSTEM}/a.timer", "daemon-reload", "start a.timer"]

    def test_what_systemd_has_not_read(self) -> None:
        found = state(wish(), wish(), "active", "waiting", True)
        found.stale = True
        made = plan(found)
        assert made.describe() == ["stop a.timer", "daemon-reload", "start a.timer"]
        assert made.changed
        found.stale, found.stale_service = False, True
        made = plan(found)
        assert (made.describe(), made.changed) == (["daemon-reload"], True)

    @pytest.mark.parametrize(
        ("options", "active", "enabled", "expected"),
        [
            (
                {"enabled": False, "started": False},
                "active",
                True,
                ["stop a.timer", "disable a.timer", "daemon-reload"],
            ),
            ({"enabled": False, "started": False}, "inactive", False, []),
            ({"started": False}, "inactive", False, ["enable a.timer", "daemon-reload"]),
            ({"enabled": False}, "failed", False, ["start a.timer"]),
        ],
    )
    def test_states(self, options: dict[str, t.Any], active: str, enabled: bool, expected: list[str]) -> None:
        assert steps(state(wish(**options), wish(), active, "waiting", enabled)) == expected

    def test_links_of_an_old_install_section_go(self) -> None:
        old = {"Install": {"WantedBy": "multi-user.target"}}
        found = state(wish(), wish(timer=old), "active", "waiting", True)
        found.links = {f"{SYSTEM}/multi-user.target.wants/a.timer": f"{SYSTEM}/a.timer"}
        assert steps(found) == [f"rewrite {SYSTEM}/a.timer", "disable a.timer", "enable a.timer", "daemon-reload"]
        # None at all.
        found = state(wish(timer={"Install": {}}), wish(), "active", "waiting", True)
        found.wanted_links = []
        assert steps(found) == [f"rewrite {SYSTEM}/a.timer", "disable a.timer", "daemon-reload"]
        assert plan(found).warnings == ["a.timer: cannot be enabled, as its [Install] section is empty"]
        # Links that others made stay.
        found = state(wish(), wish(), "active", "waiting", True)
        found.links[f"{SYSTEM}/multi-user.target.wants/a.timer"] = f"{SYSTEM}/a.timer"
        assert steps(found) == []

    def test_absent(self) -> None:
        found = state(wish(state="absent"), wish(), "active", "waiting", True)
        found.stamp = ("/var/lib/systemd/timers/stamp-a.timer", saved(""))
        made = plan(found)
        assert made.describe() == [
            "stop a.timer", f"unlink {SYSTEM}/timers.target.wants/a.timer", f"remove {SYSTEM}/a.service",
            "remove /var/lib/systemd/timers/stamp-a.timer", f"remove {SYSTEM}/a.timer", "daemon-reload",
        ]  # fmt: skip
        assert [change.after for change in made.changes] == ["removed"]
        assert steps(state(wish(state="absent"))) == []

    def test_a_service_of_ours_goes_where_another_unit_is_started(self) -> None:
        told = steps(state(wish(command=None, unit="b"), wish(), "active", "waiting", True))
        assert told == [
            "stop a.timer", f"rewrite {SYSTEM}/a.timer", f"remove {SYSTEM}/a.service", "daemon-reload", "start a.timer",
        ]  # fmt: skip

    def test_without_a_manager(self) -> None:
        found = state(wish(started=False))
        found.status = None
        made = plan_timers([found], [SYSTEM], TOOLS, offline=True)
        assert made.describe()[2:] == ["enable a.timer"]
        assert made.changes[0].after == "enabled"


def test_warnings_of_many_timers() -> None:
    told = grouped(
        [*(f"{x}.service: line 9: odd" for x in "abcd"), "two words: odd", "e.timer: other", "a.service: line 9: odd"]
    )
    assert told == ["a.service, b.service and 2 more: line 9: odd", "two words: odd", "e.timer: other"]


class FakeManager(NoManager):
    """Notes which of the watched files are there when systemd is asked for something."""

    def __init__(self, paths: t.Sequence[Path], result: str = "done") -> None:
        self.paths = paths
        self.result = result
        self.seen: list[tuple[str, list[str]]] = []

    def note(self, what: str) -> None:
        self.seen.append((what, [path.read_text() for path in self.paths if path.exists()]))

    def reload(self, timeout: float | None = None) -> None:
        self.note("reload")

    def reset_failed(self, names: t.Sequence[str]) -> None:
        """Nothing to see."""

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Enqueued]:
        self.note("start")
        return [Enqueued(name, Job(number, "", name, kind)) for number, (name, kind) in enumerate(wanted)]

    def wait_for_jobs(self, jobs: t.Sequence[Job], deadline: float) -> dict[int, str]:
        if self.result == "lost":
            raise SystemdError("the connection is gone")
        return {job.id: "done" for job in jobs}

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        return [UnitStatus(name, "", "loaded", "active", "waiting", "", "", 0, "", "") for name in names]


class TestStartAnew:
    """The drop-ins and stamps are there when systemd reads them, and gone afterwards, come what may."""

    @pytest.mark.parametrize("result", ["done", "lost"])
    def test_files(self, tmp_path: Path, result: str) -> None:
        run, stamps = tmp_path / "run", tmp_path / "stamps"
        run.mkdir()
        stamps.mkdir()
        plain, boot, kept = wish("plain"), wish("boot", OnBootSec=60), wish("kept", OnBootSec=60, Persistent=True)
        both = [(made, str(stamps / made.name)) for made in (plain, boot, kept)]
        step = StartAnew(both, str(run), TOOLS)
        dropins = [Path(held_by(str(run), made.name)) for made, _stamp in both]
        manager = FakeManager(dropins, result)
        if result == "lost":
            with pytest.raises(SystemdError, match="connection"):
                step.apply(Context(manager))
        else:
            assert step.apply(Context(manager)) is True
        hold = "[Timer]\nPersistent=yes\n"
        far = f"{hold}OnCalendar=\nOnCalendar=2199-01-01\n"
        held = [hold, far, far]
        assert manager.seen == [("reload", held), ("start", held), ("reload", [])]
        assert list(run.iterdir()) == []
        # That of a persistent one stays: it says that nothing was missed.
        assert [path.name for path in stamps.iterdir()] == ["kept.timer"]

    def test_the_stamp_of_the_last_run_comes_back(self, tmp_path: Path) -> None:
        stamp = tmp_path / "stamp"
        stamp.write_bytes(b"")
        os.utime(stamp, (1, 1))
        (tmp_path / "run").mkdir()
        step = StartAnew([(wish(OnBootSec=60, Persistent=True), str(stamp))], f"{tmp_path}/run", TOOLS)
        ctx = Context(FakeManager([]))
        step.apply(ctx)
        assert stamp.stat().st_mtime > 1
        step.undo(ctx)
        assert stamp.stat().st_mtime == 1

    def test_a_directory_that_stays_is_told_of(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(path: str) -> None:
            raise OSError(5, "Input/output error", path)

        monkeypatch.setattr(os, "rmdir", refuse)
        ctx = Context(FakeManager([]))
        held = Held("a.timer", held_by(f"{tmp_path}/run", "a.timer"), False, "")
        (tmp_path / "run").mkdir()
        with counting_from_now(ctx, [held], TOOLS):
            pass
        told = f"{tmp_path}/run/a.timer.d is empty and could not be removed; remove it, or run the task again"
        assert ctx.warnings == [told]


class TestHold:
    """Timers that are down for a moment come up again when a later step fails, and run nothing for that."""

    @pytest.mark.parametrize(
        ("persistent", "missed", "rollback", "touched"),
        [
            (True, True, False, True),
            # The old files are back then, and so is what was the last run by them.
            (True, True, True, False),
            (True, False, False, False),
            # It was persistent until now.
            (False, False, False, True),
        ],
    )
    def test_a_stamp_is_of_now_where_the_new_files_stay(
        self, tmp_path: Path, persistent: bool, missed: bool, rollback: bool, touched: bool
    ) -> None:
        stamp = tmp_path / "stamp"
        stamp.write_bytes(b"")
        os.utime(stamp, (1, 1))
        found = state(wish(OnCalendar="daily", Persistent=persistent), wish(), "active", "waiting", True)
        found.stamp_path, found.missed = str(stamp), missed
        for file in found.files:
            file.path = f"{tmp_path}/{file.name}"
        made = plan_timers([found], [str(tmp_path), f"{tmp_path}/run"], TOOLS)

        class Fails(Step):
            def describe(self) -> str:
                return "fail"

            def apply(self, ctx: Context) -> bool:
                raise SystemdError("no")

        made.steps[-1:] = [Fails()]
        times: list[float] = []

        class Manager(FakeManager):
            runs = True

            def note(self, what: str) -> None:
                times.append(stamp.stat().st_mtime)

            def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
                return [UnitStatus(name, "", "loaded", "inactive", "dead", "", "", 0, "", "") for name in names]

        with pytest.raises(SystemdError, match="^no"):
            carry_out(made, Context(Manager([])), rollback)
        # After the stop: held back, started, let go; as the new files, or the old ones, have it.
        assert [when > 1 for when in times[-3:]] == [touched] * 3
        assert len(times) > 3


class TestElapses:
    def test_the_sooner_one(self) -> None:
        assert next_of(2**64 - 1, 0, 5) is None
        assert next_of(None, None, 5) is None
        assert next_of(100, 2**64 - 1, 5) == 100
        assert next_of(0, 90, 5) == 95
        assert next_of(100, 90, 5) == 95

    def test_upcoming(self) -> None:
        calendars = [parse_calendar("*:0/20 UTC"), parse_calendar("*:0/30 UTC")]
        assert upcoming(calendars, 4, 0) == [HOUR // 3, HOUR // 2, 2 * HOUR // 3, HOUR]
        assert upcoming([parse_calendar("1999-01-01")], 3, 10**15) == []
        assert upcoming(calendars, 0, 0) == []

    def test_iso(self) -> None:
        assert iso(None) is None
        assert iso(1_500_499) == "1970-01-01T00:00:01.500499Z"
        assert iso(2_000_000) == "1970-01-01T00:00:02Z"


class TestCommands:
    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (["/bin/a", "b", 7], "/bin/a b 7"),
            (["/bin/a", ""], '/bin/a ""'),
            (["/bin/a", "it's", 'say "x"'], '/bin/a "it\'s" "say \\"x\\""'),
            (["/bin/a", "100%", "$HOME", "\\n"], '/bin/a 100%% $$HOME "\\\\n"'),
            (["/bin/a", "a\nb\tc\x01"], '/bin/a "a\\nb\\tc\\x01"'),
            (["/bin/a", ";", "*"], '/bin/a ";" "*"'),
            (["/bin/a b", "ü"], '"/bin/a b" ü'),
        ],
    )
    def test_joined(self, arguments: list[t.Any], line: str) -> None:
        assert join_command(arguments, "command") == line

    @pytest.mark.parametrize(
        ("line", "prefixes", "program"),
        [
            ("/bin/a b", "", "/bin/a"),
            ("-/bin/a", "-", "/bin/a"),
            ("-@/bin/a b", "-@", "/bin/a"),
            ('"/bin/a b" c', "", "/bin/a b"),
            ("!! /bin/a", "!!", "/bin/a"),
            ("/bin/a\\x20b", "", ""),
            ("", "", ""),
        ],
    )
    def test_program(self, line: str, prefixes: str, program: str) -> None:
        assert split_program(line) == (prefixes, program)

    def test_programs_are_looked_for(self, tmp_path: Path) -> None:
        (tmp_path / "bin").mkdir()
        good, dull, link = (tmp_path / "bin" / name for name in ("good", "dull", "link"))
        good.write_text("")
        good.chmod(0o755)
        dull.write_text("")
        dull.chmod(0o644)
        link.symlink_to("nowhere")
        search = [str(tmp_path / "none"), str(tmp_path / "bin")]
        for program in (str(good), "good", "", "/opt/%i/bin/a"):
            assert program_problem(program, search) == ""
        for program, why in (
            (str(dull), "is not executable"),
            ("dull", "no program 'dull'"),
            (str(tmp_path), "is a directory"),
            (str(link), "is a link to nowhere"),
            (str(tmp_path / "x"), "there is no file"),
            ("bin/good", "neither an absolute path"),
        ):
            assert why in program_problem(program, search)
        assert program_problem("/bin/good", search, str(tmp_path)) == ""
        assert program_problem("good", ["/bin"], str(tmp_path)) == ""
        assert "/bin/dull is not" in program_problem("/bin/dull", search, str(tmp_path))

    def test_shell_words_come_back(self) -> None:
        """For words without systemd's own expansions, the shell's rules take the line apart in the same way."""
        for words in itertools.product(["a", "b c", 'd"e', "f'g", "h\\i", ";"], repeat=2):
            assert shlex.split(join_command(["/bin/x", *words], "command")) == ["/bin/x", *words]
