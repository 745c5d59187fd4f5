# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failure report: what it makes of what systemd tells of a unit."""

from __future__ import annotations

import signal
import subprocess
import time
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine import conditions, failures
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import ProgramMissing
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Job, UnitStatus

BEFORE, NOW = 1_000_000, 10**15
LIMIT = {"StartLimitBurst": 5, "StartLimitIntervalUSec": 10**7}


def command(argv: str, code: int = 0, status: int = 0, pid: int = 7) -> tuple[t.Any, ...]:
    """A row of ExecStart and its kin."""
    return ("/bin/sh", argv.split(), False, 0, 0, 0, 0, pid, code, status)


class Manager(NoManager):
    """Tells of one unit."""

    def __init__(self, unit: dict[str, t.Any], special: dict[str, t.Any]) -> None:
        self.unit, self.special = unit, special

    def all_properties(self, wanted: t.Sequence[tuple[str, str]]) -> list[dict[str, t.Any]]:
        return [self.unit, self.special]

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        return [self.unit.get(name, self.special.get(name)) for _path, _face, name in wanted]

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        """Names of these tests say what the unit is, as in `active.service`."""
        states = [name.partition(".")[0] for name in names]
        return [
            UnitStatus(name, "", "not-found" if state == "lost" else "loaded", state, "", "", "/", 0, "", "/")
            for name, state in zip(names, states)
        ]


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, t.Any]]:
    """What the log of the unit holds."""
    lines: list[dict[str, t.Any]] = []
    monkeypatch.setattr(failures, "_journal", lambda *args: list(lines))
    return lines


def report(
    kind: str = "start",
    result: t.Any = "failed",
    state: str = "failed",
    others: t.Sequence[str] = (),
    name: str = "a.service",
    **told: t.Any,
) -> tuple[dict[str, t.Any], t.Any]:
    """The entry of one unit that failed, and the error."""
    special_names = ("Result", "Type", "ExecMainCode", "ExecMainStatus", "ExecMainPID", "Accept")
    special = {key: told.pop(key) for key in list(told) if key in special_names or key.startswith("Exec")}
    unit = {"ActiveState": state, "SubState": state, "LoadState": "loaded", "InvocationID": b"\1" * 16, **LIMIT, **told}
    ctx = Context(Manager(unit, special))
    ctx.jobs_begun = time.monotonic()
    job = None if isinstance(result, CallFailed) else Job(1, "/", name, kind)
    ctx.jobs = [(each, None) for each in ([job] if job else [])]
    ctx.jobs += [(Job(2, "/", other, kind), "done") for other in others]
    error = failures.report_jobs(ctx, kind, [(name, job, result)])
    return error.data["failures"][0], error


def test_a_start_that_was_not_tried(journal: list[dict[str, t.Any]]) -> None:
    entry, error = report(InactiveExitTimestampMonotonic=BEFORE, Result="exit-code")
    assert entry["start_limit"]["burst"] == 5
    assert "reset_failed: true" in error.msg
    journal.append({"time": NOW * 9, "message": "a.service: Start request repeated too quickly."})
    entry, error = report(InactiveExitTimestampMonotonic=BEFORE, Result="resources")
    assert entry["start_limit"]["burst"] == 5


@pytest.mark.parametrize(
    "told",
    [
        # A file of EnvironmentFile= is missing, an address is in use: it never leaves `inactive`.
        {"InactiveExitTimestampMonotonic": BEFORE, "Result": "resources"},
        {"kind": "reload", "state": "active", "InactiveExitTimestampMonotonic": BEFORE, "Result": "success"},
        {"kind": "reload-or-restart", "state": "active", "InactiveExitTimestampMonotonic": BEFORE, "Result": "success"},
        {"InactiveExitTimestampMonotonic": NOW, "Result": "exit-code"},
    ],
    ids=["resources", "reload", "reload-or-restart", "died"],
)
def test_failures_that_are_no_matter_of_limits(journal: list[dict[str, t.Any]], told: dict[str, t.Any]) -> None:
    journal.append({"time": 5, "message": "a.service: Start request repeated too quickly."})
    entry, error = report(**told)
    assert "start_limit" not in entry
    assert "StartLimitBurst" not in error.msg


@pytest.mark.parametrize(
    ("told", "named", "words"),
    [
        ({}, "ab" * 16, "it was started and ended without an error\n"),
        ({}, "", "it was started\n"),
        ({"Conditions": [("ConditionACPower", False, False, "yes", -1)]}, "ab" * 16, "was skipped"),
    ],
)
def test_a_unit_that_systemd_has_forgotten(
    journal: list[dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch, told: dict[str, t.Any], named: str, words: str
) -> None:
    monkeypatch.setattr(failures, "newest_invocation_of", lambda unit, since, uid: named)
    monkeypatch.setattr(failures, "unmet", lambda kind, rows, *_rest: [str(row[0]) for row in rows])
    journal.append({"time": NOW, "message": "gone into the background"})
    entry, error = report(result="done", state="inactive", InvocationID=b"", Result="success", **told)
    assert words in error.msg
    assert ("gone into the background" in error.msg) == (entry.get("invocation_id") == "ab" * 16) == (bool(named) and not told)


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("name", "triggered", "words"),
    [
        ("a.timer", "lost.service", "lost.service, which it starts, is not-found"),
        ("a.path", "lost.service", "lost.service, which it starts, is not-found"),
        ("a.socket", "active.service", "active.service, which it starts, runs already"),
        ("a.socket", "inactive.service", None),
        ("a.timer", "active.service", None),
        ("accepting.socket", "active.service", None),
    ],
)
def test_refused_on_account_of_the_unit_that_it_starts(name: str, triggered: str, words: str | None) -> None:
    told: dict[str, t.Any] = {"InactiveExitTimestampMonotonic": BEFORE, "Result": "success", "Triggers": [triggered]}
    if name.endswith(".socket"):
        told["Accept"] = name == "accepting.socket"
    entry, error = report(name=name, state="inactive", **told)
    assert ("start_limit" in entry) == (words is None)
    assert entry.get("reason", "").startswith(words or "")
    assert (f"{name} was not started: {words}" in error.msg) == (words is not None)


@pytest.mark.usefixtures("journal")
class TestWhatFailed:
    """Which command it was."""

    main: t.ClassVar[dict[str, t.Any]] = {"ExecStart": [command("/bin/sleep 9")], "ExecMainPID": 3}

    def test_a_command_after_the_main_process(self) -> None:
        swept: dict[str, t.Any] = {"ExecMainCode": 2, "ExecMainStatus": signal.SIGTERM}
        post = [command("/bin/post", 1, 5)]
        entry, error = report(**self.main, **swept, ExecStartPost=post, Result="exit-code")
        assert (entry["failed_setting"], entry["exit_code"], entry["command"]) == ("ExecStartPost", 5, "/bin/post")
        assert "ExecStartPost= process 7 exited with status 5" in error.msg
        entry, _error = report(**self.main, **swept, ExecStartPost=[command("/bin/post", 2, 11)], Result="signal")
        assert (entry["failed_setting"], entry["signal"]) == ("ExecStartPost", "SIGSEGV")

    def test_the_main_process(self) -> None:
        entry, _error = report(**self.main, ExecMainCode=2, ExecMainStatus=signal.SIGTERM, Result="signal")
        assert (entry["signal"], entry["pid"]) == ("SIGTERM", 3)
        assert "failed_setting" not in entry
        # A reload that failed before is not what it died of.
        reload = [command("/bin/reload", 1, 6)]
        entry, _error = report(**self.main, ExecMainCode=0, ExecReload=reload, Result="timeout")
        assert "exit_code" not in entry

    def test_a_reload(self) -> None:
        reload = [command("/bin/reload", 1, 6)]
        entry, error = report("reload", state="active", **self.main, ExecReload=reload, Result="success")
        assert (entry["failed_setting"], entry["exit_code"]) == ("ExecReload", 6)
        assert "reload failed" in error.msg

    def test_a_mount(self) -> None:
        entry, error = report(name="a.mount", ExecMount=[command("/bin/mount /dev/x /a", 1, 32)], Result="exit-code")
        assert (entry["exit_code"], entry["command"]) == (32, "/bin/mount /dev/x /a")
        assert "exited with status 32" in error.msg

    def test_a_condition_that_is_a_command(self) -> None:
        check = [command("/bin/first", 1, 0), command("/bin/check -x", 1, 1)]
        entry, error = report(result="done", state="inactive", ExecCondition=check, Result="exec-condition")
        assert entry["unmet_conditions"] == ["ExecCondition=/bin/check -x"]
        assert "allow_skipped" in error.msg

    def test_units_of_one_task_that_conflict(self) -> None:
        entry, error = report(result="canceled", state="inactive", Conflicts=["b.service"], others=["b.service"])
        assert entry["conflicts"] == ["b.service"]
        assert "somebody" not in error.msg
        entry, error = report(result="canceled", state="inactive", Conflicts=["b.service"])
        assert "conflicts" not in entry
        assert "somebody" in error.msg

    def test_what_is_frozen(self) -> None:
        _entry, error = report(result="frozen")
        assert "systemd cannot start what is frozen; thaw it first" in error.msg

    def test_what_systemd_refused_is_no_change(self) -> None:
        refused = CallFailed("org.freedesktop.systemd1.NoSuchUnit", "Unit b.service not found.")
        entry, error = report(result=refused, ExecMainCode=2, ExecMainStatus=15)
        assert error.changed is False
        assert "signal" not in entry, "that was another time"
        assert report()[1].changed is True


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"Result": "exec-condition", "ConditionResult": True, "ConditionTimestamp": 5}, "condition"),
        ({"ExecCondition": [command("/bin/check")], "Type": "simple", "Result": "success"}, "condition"),
        ({"Type": "simple", "Result": "success"}, "failed"),
        ({"Type": "oneshot", "Result": "success"}, "finished"),
        ({"Type": "oneshot", "Result": "exec-condition", "ConditionTimestamp": 5}, "condition"),
    ],
)
def test_why_down(told: dict[str, t.Any], expected: str) -> None:
    status = UnitStatus("a.service", "", "loaded", "inactive", "dead", "", "/a", 0, "", "/")
    assert failures.why_down(Manager({}, told), [status]) == [expected]


class TestConditions:
    """Of a unit that systemd has forgotten, conditions are tested anew; of others, it tells."""

    rows: t.ClassVar[list[t.Any]] = [
        ("ConditionUser", False, False, "root", 0),
        ("ConditionPathExists", True, False, "/nothere", 0),
        ("ConditionPathExists", True, True, "/a b%", 0),
        ("ConditionHost", False, True, "web", 0),
    ]

    def unmet(self, monkeypatch: pytest.MonkeyPatch, said: str | None, result: str = "done", **unit: t.Any) -> list[str]:
        asked: list[list[str]] = []

        def run(args: list[str], timeout: float, **options: t.Any) -> t.Any:
            asked.append(args)
            if said is None:
                raise ProgramMissing("none")
            return subprocess.CompletedProcess(args, 0, said.encode(), b"")

        monkeypatch.setattr(conditions, "run_program", run)
        monkeypatch.setattr(conditions, "_named_in_journal", lambda *args: ["ConditionOf=journal"])
        told = {"Conditions": self.rows, "ConditionResult": False, "AssertResult": False, "InvocationID": b"", **unit}
        entry, _error = report(result=result, state="inactive", Result="success", **told)
        if asked:
            assert asked[0][2:4] == ["ConditionUser=|root", "ConditionPathExists=|/nothere"]
            assert asked[0][4] == "ConditionPathExists=|!/a b%%"
        return list(entry.get("unmet_conditions", ()))

    def said(self, *well: bool) -> str:
        words = {True: "succeeded", False: "failed"}
        lines = ["ConditionUser=|root", "ConditionPathExists=|/nothere", "ConditionPathExists=|!/a b%%", "ConditionHost=|!web"]
        return "\n".join(f"test.service: {line.replace('%%', '%')} {words[each]}." for line, each in zip(lines, well))

    def test_tested_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        either = ["ConditionPathExists=|/nothere", "ConditionPathExists=|!/a b%"]
        assert self.unmet(monkeypatch, self.said(True, False, True, False)) == ["ConditionHost=!web"]
        assert self.unmet(monkeypatch, self.said(True, False, False, True)) == either
        assert self.unmet(monkeypatch, self.said(True, False, True, True)) == ["ConditionOf=journal"]

    def test_where_nobody_can_tell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert len(self.unmet(monkeypatch, None)) == 4
        assert len(self.unmet(monkeypatch, "Cannot parse")) == 4

    def test_an_assertion_is_no_condition(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.unmet(monkeypatch, None, "assert") == []

    def test_what_systemd_remembers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = [(*row[:4], state) for row, state in zip(self.rows, (1, -1, 1, -1))]
        assert self.unmet(monkeypatch, None, Conditions=rows, ConditionTimestamp=5) == ["ConditionHost=!web"]
