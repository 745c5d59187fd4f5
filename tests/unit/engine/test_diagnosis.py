# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why units are down that nobody has just tried to start: what is made of what systemd and the journal still know."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine import diagnosis
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import LastJob, LogOf
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus

LIMIT = {"StartLimitBurst": 5, "StartLimitIntervalUSec": 10**7}
Told = dict[str, t.Any]


class World(NoManager):
    """Units by name, with what systemd tells of each; `rounds` counts how often it is asked."""

    uid = None

    def __init__(self) -> None:
        self.units: dict[str, Told] = {}
        self.logs: dict[str, list[Told]] = {}
        self.jobs: dict[str, LastJob] = {}
        self.asked_for_jobs: list[str] = []
        self.rounds = 0
        self.slow = False

    def add(self, name: str, state: str = "failed", sub: str = "", **told: t.Any) -> None:
        number = len(self.units) + 1
        self.units[name] = {
            "LoadState": "loaded", "ActiveState": state, "SubState": sub or state, "InvocationID": bytes([number]) * 16,
            "InactiveExitTimestamp": 100, "StateChangeTimestamp": 300, "Result": "exit-code" if state == "failed" else "success", **LIMIT, **told,
        }  # fmt: skip

    def _of(self, path: str) -> Told:
        return next((told for name, told in self.units.items() if object_path(name) == path), {})

    def all_properties(self, wanted: t.Sequence[tuple[str, str]]) -> list[Told]:
        self.rounds += 1
        return [dict(self._of(path)) for path, _face in wanted]

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        self.rounds += bool(wanted)
        return [self._of(path).get(name) for path, _face, name in wanted]

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        self.rounds += bool(names)
        rows = []
        for name in names:
            told = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", **self.units.get(name, {})}
            states = (told["LoadState"], told["ActiveState"], told["SubState"])
            rows.append(UnitStatus(name, "", *states, "", object_path(name), 0, "", "/"))
        return rows

    def __call__(self, *named: str) -> tuple[dict[str, t.Any], str, list[str]]:
        """Diagnose all units; returns what was found, the text, and warnings."""
        warnings: list[str] = []
        statuses = self.status(list(self.units))
        self.rounds = 0
        found, text = diagnosis.diagnose(t.cast(t.Any, self), statuses, named, time.monotonic() + 10, warnings)
        return t.cast(dict[str, t.Any], found), text, warnings


def line(text: str, identifier: str = "systemd") -> Told:
    return {"time": 200, "message": text, "identifier": identifier, "priority": 6, "unit": "", "pid": 1}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    it = World()

    def logs(wanted: t.Sequence[LogOf], lines: int, uid: t.Any, end: float) -> t.Iterator[tuple[LogOf, list[Told]]]:
        for number, each in enumerate(wanted):
            if it.slow and number == 1:
                raise SystemdError("journalctl did not end within 1 s and was killed")
            yield each, list(it.logs.get(each.unit, []))

    def jobs(units: t.Sequence[str], uid: t.Any, end: float) -> dict[str, LastJob]:
        it.asked_for_jobs += units
        return it.jobs

    monkeypatch.setattr(diagnosis, "last_lines_of_many", logs)
    monkeypatch.setattr(diagnosis, "last_jobs_of", jobs)
    monkeypatch.setattr(diagnosis, "sync_journal", lambda: None)
    return it


def test_units_that_have_failed_and_no_others(world: World) -> None:
    world.add("up.service", "active")
    world.add("down.service", "inactive")
    world.add("bad.service", ExecMainCode=1, ExecMainStatus=3, ActiveEnterTimestamp=150)
    world.logs["bad.service"] = [line("cannot open", "app")]
    found, text, warnings = world()
    assert list(found) == ["bad.service"] and not warnings
    entry = found["bad.service"]
    assert (entry["job"], entry["exit_code"]) == ({"id": None, "type": "start", "result": "done"}, 3)
    assert (entry["journal"][0]["usec"], entry["journal"][0]["time"][:10], entry["failed_at"][:10]) == (200, "1970-01-01", "1970-01-01")
    assert entry["msg"] == text and "did not stay up" in text and "cannot open" in text
    assert world.asked_for_jobs == []


@pytest.mark.parametrize(
    ("told", "result"),
    [
        ({"ActiveEnterTimestamp": 150}, "done"),
        ({"ActiveEnterTimestamp": 50}, "failed"),
        ({}, "failed"),
        # It has left `inactive` once more, to wait.
        ({"state": "activating", "sub": "auto-restart", "InactiveExitTimestamp": 400, "ActiveEnterTimestamp": 150, "ExecMainStartTimestamp": 120}, "done"),
        ({"state": "activating", "sub": "auto-restart", "InactiveExitTimestamp": 400, "ActiveEnterTimestamp": 50, "ExecMainStartTimestamp": 120}, "failed"),
    ],
)
def test_whether_it_was_up_before(world: World, told: Told, result: str) -> None:
    world.add("a.service", **told)
    assert world()[0]["a.service"]["job"]["result"] == result


@pytest.mark.parametrize(
    ("told", "log", "limited"),
    [
        ({}, [line("a.service: Start request repeated too quickly.")], True),
        ({"Result": "start-limit-hit"}, [], True),
        ({}, [line("repeated too quickly", "app")], False),
        ({"StartLimitBurst": 0}, [line("a.service: Start request repeated too quickly.")], False),
    ],
)
def test_start_limits(world: World, told: Told, log: list[Told], limited: bool) -> None:
    world.add("a.service", **told)
    world.logs["a.service"] = log
    found, text, _warnings = world()
    assert ("start_limit" in found["a.service"]) is limited
    assert ("was not started again" in text) is limited


def test_what_it_needs(world: World) -> None:
    world.add("a.service", Requires=["db.service", "gone.service", "idle.service", "fine.service"])
    world.add("db.service")
    world.add("idle.service", "inactive")
    world.add("fine.service", "active")
    entry = world()[0]["a.service"]
    assert [(each["unit"], each["active_state"], each["load_state"]) for each in entry["failed_dependencies"]] == [
        ("db.service", "failed", "loaded"), ("gone.service", "inactive", "not-found"),
    ]  # fmt: skip
    assert "needs     db.service, which is failed" in entry["msg"] and "gone.service, which is not-found" in entry["msg"]


class TestThatHaveNotFailed:
    """Of units that are named it is told why they did not start."""

    def test_a_dependency(self, world: World) -> None:
        world.add("a.service", "inactive", Requires=["db.service"], InvocationID=b"")
        world.add("db.service")
        world.jobs["a.service"] = LastJob(7, "start", "dependency", False)
        world.logs["db.service"] = [line("no space left", "db")]
        assert "a.service" not in world()[0], "only a pattern has named it"
        entry = world("a.service")[0]["a.service"]
        assert entry["job"] == {"id": 7, "type": "start", "result": "dependency"}
        (needed,) = entry["failed_dependencies"]
        assert needed["invocation_id"] == "02" * 16 and needed["journal"][0]["message"] == "no space left"
        assert "log of db.service" in entry["msg"] and needed["journal"][0]["usec"] == 200
        assert "failed_at" not in entry

    def test_what_is_missing(self, world: World) -> None:
        world.add("a.service", "inactive", BindsTo=["gone.service"])
        entry = world("a.service")[0]["a.service"]
        assert (entry["job"]["result"], entry["failed_dependencies"][0]["load_state"]) == ("dependency", "not-found")

    def test_a_condition(self, world: World) -> None:
        row = ("ConditionPathExists", False, False, "/nothere", -1)
        world.add("a.service", "inactive", Conditions=[row], ConditionResult=False, ConditionTimestamp=5)
        world.jobs["a.service"] = LastJob(7, "start", "done", True)
        entry = world("a.service")[0]["a.service"]
        assert entry["unmet_conditions"] == ["ConditionPathExists=/nothere"] and "was skipped" in entry["msg"]

    @pytest.mark.parametrize(
        "job", [None, LastJob(1, "stop", "done", False), LastJob(1, "start", "done", False), LastJob(1, "stop", "dependency", False)]
    )
    def test_no_reason(self, world: World, job: LastJob | None) -> None:
        world.add("a.service", "inactive")
        if job:
            world.jobs["a.service"] = job
        assert world("a.service") == ({}, "", [])

    @pytest.mark.parametrize(
        ("state", "named", "expected"),
        [("bad-setting", (), True), ("error", (), True), ("masked", (), False), ("masked", ("a.service",), True), ("not-found", ("a.service",), False)],
    )
    def test_files_that_cannot_be_used(self, world: World, state: str, named: tuple[str, ...], expected: bool) -> None:
        world.add("a.service", "inactive", LoadState=state, LoadError=("x", "Unit a.service is bad."))
        found, text, _warnings = world(*named)
        assert (list(found) == ["a.service"]) is expected
        assert ("a.service: cannot start a.service: Unit a.service is bad." in text) is expected


def test_what_a_socket_starts_is_missing(world: World) -> None:
    world.add("a.socket", Triggers=["gone.service"], Result="resources")
    entry = world()[0]["a.socket"]
    assert "gone.service, which it starts, is not-found" in entry["reason"] and "start_limit" not in entry


def test_many_in_few_rounds(world: World) -> None:
    for number in range(200):
        world.add(f"u{number}.service", Requires=["db.service"], Triggers=[])
    found, text, warnings = world()
    assert (len(found), world.rounds, warnings) == (200, 5, [])
    assert text.count("  unit  ") == 5 and "and u5.service" in text and "190 more likewise" in text
    assert all(entry["msg"] and entry["journal"] == [] for entry in found.values())


def test_logs_take_no_more_than_time_and_room(world: World) -> None:
    for number in range(3):
        world.add(f"u{number}.service")
    world.slow = True
    found, _text, (warning,) = world()
    assert ["journal" in entry for entry in found.values()] == [True, False, False]
    assert "logs of 2 of 3 units are left out: journalctl did not end" in warning and "name fewer" in warning
    world.slow = False
    world.logs["u0.service"] = world.logs["u1.service"] = [line("x" * 1_500_000)] * 2
    found, _text, (warning,) = world()
    assert ["journal" in entry for entry in found.values()] == [True, False, False]
    assert "more than 4 MB" in warning
