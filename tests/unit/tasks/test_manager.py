# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `manager` plans."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.manager.presets import differing
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.manager.task import _plan_environment, _plan_jobs


class Manager(NoManager):
    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin"}


def planned(**wanted: t.Any) -> list[str]:
    steps: list[Step] = []
    _plan_environment(Manager(), wanted, steps, [])
    return [step.describe() for step in steps]


@pytest.mark.parametrize("path", ["", ":", "::"])
def test_a_path_with_which_no_program_would_be_found(path: str) -> None:
    with pytest.raises(BadInput, match="^environment: PATH: is empty"):
        planned(PATH=path)


@pytest.mark.parametrize(
    ("wanted", "steps"),
    [
        ({"PATH": "/usr/bin"}, []),
        ({"PATH": "/usr/sbin:/usr/bin"}, ["set PATH"]),
        ({"PATH": None}, ["unset PATH"]),
        ({"EMPTY": ""}, ["set EMPTY"]),
    ],
)
def test_variables(wanted: dict[str, t.Any], steps: list[str]) -> None:
    assert planned(**wanted) == steps


class Jobs(NoManager):
    """A queue of three jobs, some of which end before they can be canceled."""

    def __init__(self, ended: t.Container[int] = (), refuses: bool = False) -> None:
        self.ended, self.refuses = ended, refuses
        self.asked: list[int] = []

    def list_jobs(self) -> list[dict[str, t.Any]]:
        units = {1: "a.service", 12: "a@x.service", 3: "b.service"}
        return [{"id": number, "unit": unit, "type": "start", "state": "running"} for number, unit in units.items()]

    def ask(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        assert {call.member for call in calls} == {"CancelJob"}
        numbers = [call.body[0] for call in calls]
        self.asked += numbers
        error = CallFailed(f"org.freedesktop.{'DBus.Error.AccessDenied' if self.refuses else 'systemd1.NoSuchJob'}", "no")
        return [error if number in self.ended else () for number in numbers]


def jobs_of(manager: Jobs, *wanted: str) -> tuple[list[Step], list[Change]]:
    steps: list[Step] = []
    changes: list[Change] = []
    _plan_jobs(manager, wanted, steps, changes)
    return steps, changes


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [(["*"], [1, 12, 3]), (["a*"], [1, 12]), (["1"], [1]), (["2", "c.service"], []), (["b.service", "12"], [12, 3])],
)
def test_jobs_that_are_canceled(wanted: list[str], numbers: list[int]) -> None:
    manager = Jobs()
    steps, changes = jobs_of(manager, *wanted)
    assert len(changes) == len(numbers)
    assert carry_out(Plan(steps), Context(manager)) is bool(numbers)
    assert manager.asked == numbers


def test_a_job_that_ends_by_itself_is_not_canceled() -> None:
    manager = Jobs(ended=[1])
    steps, changes = jobs_of(manager, "1")
    assert changes == [Change("a.service", "job start (running)", "job canceled")]
    assert not carry_out(Plan(steps), Context(manager))
    with pytest.raises(SystemdError, match="not permitted to cancel the job of a.service"):
        carry_out(Plan(jobs_of(manager, "1")[0]), Context(Jobs(ended=[1], refuses=True)))


SERVICE = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=m.target\n"


class Presets(NoManager):
    """Units in a tree, each with a state that systemd would tell."""

    def __init__(self, root: Path, rules: str, **units: tuple[str, str]) -> None:
        self.root, self.tree = str(root), Tree(str(root))
        self.states = {f"{name.replace('_', '@')}.service": state for name, (state, _text) in units.items()}
        for folder in ("etc/systemd/system/m.target.wants", "usr/lib/systemd/system", "etc/systemd/system-preset"):
            (root / folder).mkdir(parents=True)
        (root / "etc/systemd/system-preset/0.preset").write_text(rules)
        for name, (state, text) in units.items():
            file = f"{name.replace('_', '@')}.service"
            (root / "usr/lib/systemd/system" / file).write_text(text)
            if state == "enabled":
                self.enable_link(file)

    def enable_link(self, name: str, file: str = "") -> None:
        link = Path(self.root) / "etc/systemd/system/m.target.wants" / name
        link.symlink_to(f"/usr/lib/systemd/system/{file or name}")
        self.states[name] = "enabled"

    def unit_path(self) -> list[str]:
        return [f"{self.root}/etc/systemd/system", f"{self.root}/usr/lib/systemd/system"]

    def link_directories(self) -> list[str]:
        return [f"{self.root}/etc/systemd/system", f"{self.root}/run/systemd/system"]

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        return [self.states.get(name, "") for name in names]

    def differ(self, mode: str = "full") -> dict[str, str]:
        return {each.name: each.after for each in differing(self, mode)[0]}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("full", {"off.service": "disabled", "on.service": "enabled"}),
        ("enable-only", {"on.service": "enabled"}),
        ("disable-only", {"off.service": "disabled"}),
    ],
)
def test_units_that_are_not_as_presets_say(tmp_path: Path, mode: str, expected: dict[str, str]) -> None:
    rules = "disable off*\nenable on*\nignore left*\n"
    manager = Presets(
        tmp_path, rules, off=("enabled", SERVICE), off1=("disabled", SERVICE), on=("disabled", SERVICE), on1=("enabled", SERVICE),
        on2=("static", "[Service]\n"), on3=("masked", SERVICE), left=("enabled", SERVICE), left1=("disabled", SERVICE),
    )  # fmt: skip
    assert manager.differ(mode) == expected


def test_instances_as_presets_say(tmp_path: Path) -> None:
    default = f"{SERVICE}DefaultInstance=one\n"
    rules = "enable t@.service x y\ndisable off@.service\nenable *\n"
    manager = Presets(
        tmp_path, rules, t_=("disabled", SERVICE), off_=("disabled", SERVICE), none_=("disabled", SERVICE), d_=("disabled", default)
    )  # fmt: skip
    manager.enable_link("t@x.service", "t@.service")
    manager.enable_link("off@1.service", "off@.service")
    assert manager.differ() == {"t@y.service": "enabled", "off@.service": "disabled", "d@.service": "enabled"}


def test_units_that_are_enabled_along_with_others(tmp_path: Path) -> None:
    rules = "disable along.service\nenable *\n"
    manager = Presets(tmp_path, rules, a=("enabled", f"{SERVICE}Also=along.service\n"), along=("enabled", SERVICE))
    assert manager.differ() == {}
    (tmp_path / "etc/systemd/system/m.target.wants/along.service").unlink()
    manager.states["along.service"] = "disabled"
    assert manager.differ() == {"a.service": "enabled"}


def test_units_that_presets_cannot_change(tmp_path: Path) -> None:
    aliased = f"{SERVICE}Alias=other.service\n"
    manager = Presets(tmp_path, "disable l.service\nenable *\n", a=("disabled", aliased), l=("enabled", SERVICE))
    (tmp_path / "etc/systemd/system/other.service").symlink_to("/usr/lib/systemd/system/b.service")
    (tmp_path / "etc/systemd/system/l.service").symlink_to("/opt/l.service")
    found, warnings = differing(manager, "full")
    assert not found
    assert [warning.partition(",")[0] for warning in warnings] == ["a.service is not enabled", "l.service is not disabled"]
