# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: order, what changed, and the way back."""

from __future__ import annotations

import errno
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import (
    Change,
    Context,
    Plan,
    Step,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued, Job


class Recorded(Step):
    """A step that writes down what is done with it."""

    def __init__(self, name: str, log: list[str], changes: bool = True, fails: str = "") -> None:
        super().__init__((name,))
        self.counts = changes
        self._log, self._fails = log, fails

    def describe(self) -> str:
        return f"do {self.names[0]}"

    def apply(self, ctx: Context) -> bool:
        self._log.append(f"do {self.names[0]}")
        if self._fails == "apply":
            raise SystemdError(f"{self.names[0]} failed", detail=1)
        return self.counts

    def undo(self, ctx: Context) -> None:
        self._log.append(f"undo {self.names[0]}")
        if self._fails == "undo":
            raise OSError(f"{self.names[0]} cannot be undone")
        ctx.stale = True

    def undone(self) -> str:
        return f"{self.names[0]} undone"


class Manager(NoManager):
    """As much of a manager as a rollback needs."""

    def __init__(self, log: list[str], result: str = "done") -> None:
        self._log, self._result = log, result

    def reload(self, timeout: float | None = None) -> None:
        self._log.append("reload")

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Enqueued]:
        self._log.extend(f"{kind} {name}" for name, kind in wanted)
        return [Enqueued(name, Job(number, "", name, kind)) for number, (name, kind) in enumerate(wanted)]

    def reset_failed(self, names: t.Sequence[str]) -> None:
        self._log.extend(f"reset-failed {name}" for name in names)

    def wait_for_jobs(self, jobs: t.Sequence[t.Any], deadline: float) -> dict[int, str]:
        return {job.id: self._result for job in jobs}


def test_steps_run_in_order_and_tell_whether_anything_changed() -> None:
    log: list[str] = []
    assert carry_out(Plan([Recorded("a", log), Recorded("b", log, changes=False)]), Context(None)) is True
    assert log == ["do a", "do b"]
    assert carry_out(Plan([Recorded("a", log, changes=False)]), Context(None)) is False
    assert carry_out(Plan(), Context(None)) is False


def test_a_plan_changes_what_its_steps_change() -> None:
    log: list[str] = []
    assert Plan([Recorded("a", log)]).changed
    assert not Plan([Recorded("a", log, changes=False)]).changed
    assert not Plan().changed
    assert Plan().diff() == []


def test_diff() -> None:
    plan = Plan([Recorded("a", [])], [Change("a.service", "inactive", "active")])
    plan.file_diffs = [{"before": "x", "after": "y"}]
    assert plan.diff() == [
        {"before": "x", "after": "y"},
        {"prepared": "--- before\n+++ after\n@@ a.service\n-inactive\n+active\n   steps: do a\n"},
    ]


def test_a_diff_shows_what_hosts_and_their_users_say_and_a_terminal_does_not_obey_it() -> None:
    plan = Plan([], [Change("a.service", "\x1b[2Jactive\n+enabled", "inactive \udcff")])
    (part,) = plan.diff()
    assert part["prepared"].splitlines()[2:] == ["@@ a.service", "-\\x1b[2Jactive\\n+enabled", "+inactive \\udcff"]


def test_without_rollback_a_failure_leaves_what_was_done() -> None:
    log: list[str] = []
    plan = Plan([Recorded("a", log), Recorded("b", log, fails="apply"), Recorded("c", log)])
    with pytest.raises(SystemdError) as caught:
        carry_out(plan, Context(Manager(log)))
    assert log == ["do a", "do b"]
    assert caught.value.data["changed"] is True
    assert "rolled_back" not in caught.value.data


def test_rollback_undoes_in_reverse_reloads_and_brings_up_again() -> None:
    log: list[str] = []
    ctx = Context(Manager(log))
    ctx.bring_up = [("old.service", "restart")]
    plan = Plan([Recorded("a", log), Recorded("b", log, fails="apply"), Recorded("c", log)])
    with pytest.raises(SystemdError) as caught:
        carry_out(plan, ctx, rollback=True)
    assert log == ["do a", "do b", "undo b", "undo a", "reload", "reset-failed old.service", "restart old.service"]
    assert caught.value.data["changed"] is False
    assert caught.value.data["rolled_back"][:2] == ["b undone", "a undone"]
    assert "rolled back: b undone; a undone; daemon-reload" in caught.value.msg
    assert caught.value.data["detail"] == 1


class Raises(Recorded):
    """A step that meets something else than an error of ours, half way."""

    def __init__(self, error: Exception, log: list[str]) -> None:
        super().__init__("b", log)
        self._error = error

    def apply(self, ctx: Context) -> bool:
        super().apply(ctx)
        raise self._error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/etc/x"),
            "cannot do b: No space left on device: /etc/x; make",
        ),
        (OSError(errno.EROFS, "Read-only file system", "/etc/x"), "/etc/x; the file system is mounted read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "/etc/x"), "not permitted to do b: Permission denied"),
        (ProcessLookupError(errno.ESRCH, "No such process"), "cannot do b: No such process"),
        (ValueError("nonsense"), "cannot do b: ValueError: nonsense; this is a defect of the collection"),
    ],
    ids=["full", "read-only", "not permitted", "process gone", "defect"],
)
@pytest.mark.parametrize("rollback", [False, True])
def test_whatever_a_step_raises_is_one_error_and_rolled_back(error: Exception, says: str, rollback: bool) -> None:
    log: list[str] = []
    with pytest.raises(SystemdError) as caught:
        carry_out(Plan([Recorded("a", log), Raises(error, log)]), Context(Manager(log)), rollback)
    assert says in caught.value.msg
    assert caught.value.__cause__ is error
    assert log[2:] == (["undo b", "undo a", "reload"] if rollback else [])
    assert caught.value.data["changed"] is not rollback


def test_what_cannot_be_undone_is_told_and_keeps_nothing_else_from_it() -> None:
    log: list[str] = []
    plan = Plan([Recorded("a", log), Recorded("b", log, fails="undo"), Recorded("c", log, fails="apply")])
    with pytest.raises(SystemdError) as caught:
        carry_out(plan, Context(Manager(log)), rollback=True)
    assert log == ["do a", "do b", "do c", "undo c", "undo b", "undo a", "reload"]
    assert any("b cannot be undone" in told for told in caught.value.data["rolled_back"])


def test_a_unit_that_does_not_come_up_again_is_told() -> None:
    log: list[str] = []
    ctx = Context(Manager(log, result="failed"))
    ctx.bring_up = [("old.service", "start")]
    with pytest.raises(SystemdError) as caught:
        carry_out(Plan([Recorded("a", log, fails="apply")]), ctx, rollback=True)
    assert any("old.service did not come up again" in told for told in caught.value.data["rolled_back"])
