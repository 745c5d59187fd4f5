# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin: how often a module is run, and with what in its environment."""

from __future__ import annotations

import sys
import types
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.action import unit as plugin
from ansible_collections.pidone.systemd.plugins.plugin_utils._jeepney import Bundle, TooOld

MISSING = {"failed": True, "msg": "none here", "pidone_jeepney": {"missing": True}}
BUNDLE = Bundle("f00d", b"the zip")
DIGEST = {"PIDONE_SYSTEMD_JEEPNEY": "f00d"}
EVERYTHING = {**DIGEST, "PIDONE_SYSTEMD_JEEPNEY_ZIP": BUNDLE.as_text()}


class Run(t.NamedTuple):
    """What came of a task."""

    result: dict[str, t.Any]
    environments: list[list[dict[str, str]]]
    background: list[bool]


def run(
    monkeypatch: pytest.MonkeyPatch,
    *answers: dict[str, t.Any] | Exception,
    bundle: Bundle | Exception | None = BUNDLE,
    async_val: int = 0,
    environment: list[dict[str, str]] | None = None,
) -> Run:
    task = types.SimpleNamespace(
        action="pidone.systemd.unit", args={}, async_val=async_val, check_mode=False, environment=environment or []
    )
    shell = types.SimpleNamespace(tmpdir=None)
    connection = types.SimpleNamespace(_shell=shell, has_native_async=False)
    action = plugin.ActionModule(task, connection, None, None, None)
    environments: list[list[dict[str, str]]] = []
    background: list[bool] = []
    left = list(answers)

    def execute(task_vars: dict[str, t.Any], wrap_async: bool) -> dict[str, t.Any]:
        assert task_vars == {"x": 1}
        environments.append(list(task.environment))
        background.append(wrap_async)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def pack() -> Bundle | None:
        if isinstance(bundle, Exception):
            raise bundle
        return bundle

    monkeypatch.setattr(action, "_execute_module", execute)
    monkeypatch.setattr(plugin, "pack", pack)
    try:
        result = action.run(task_vars={"x": 1})
    finally:
        assert task.environment == (environment or []), "the task is left as it was"
    assert not left, "the module was run less often than expected"
    return Run(result, environments, background)


def test_a_host_with_jeepney_gets_only_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, {"changed": True, "units": []})
    assert done.result == {"changed": True, "units": []}
    assert done.environments == [[DIGEST]]


def test_first_contact_is_one_more_run(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, MISSING, {"changed": True})
    assert done.result == {"changed": True}
    assert done.environments == [[DIGEST], [EVERYTHING]]


def test_it_is_never_brought_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, MISSING, MISSING)
    assert done.result == {"failed": True, "msg": "none here"}
    assert len(done.environments) == 2


def test_other_failures_are_final(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = {"failed": True, "msg": "no such unit"}
    assert run(monkeypatch, failure).result == failure
    failure["msg"] = "nowhere to keep it"
    assert run(monkeypatch, MISSING, failure).result == failure


def test_the_tasks_own_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = [{"HTTP_PROXY": "x"}, {"PIDONE_SYSTEMD_JEEPNEY_DIR": "/srv"}]
    assert run(monkeypatch, MISSING, {}, environment=mine).environments == [[*mine, DIGEST], [*mine, EVERYTHING]]


def test_the_task_is_left_as_it_was_when_the_connection_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionError):
        run(monkeypatch, ConnectionError("gone"), environment=[{"A": "1"}])


def test_in_the_background_everything_goes_along_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, {"ansible_job_id": "j1", "started": 1}, async_val=30)
    assert done.result == {"ansible_job_id": "j1", "started": 1}
    assert (done.environments, done.background) == ([[EVERYTHING]], [True])
    assert run(monkeypatch, {}).background == [False]


def test_a_controller_without_jeepney_is_fine_where_the_host_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for bundle in (None, TooOld("/opt/x/jeepney")):
        done = run(monkeypatch, {"changed": False}, bundle=bundle)
        assert (done.result, done.environments) == ({"changed": False}, [[{}]])


def test_jeepney_nowhere_is_one_error_with_both_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, MISSING, bundle=None)
    assert set(done.result) == {"failed", "msg"}
    for words in (
        "has none to bring",
        f"`{sys.executable} -m pip install 'jeepney>=0.8'`",
        "python3-jeepney on the host",
    ):
        assert words in done.result["msg"]
    done = run(monkeypatch, MISSING, bundle=TooOld("/opt/x/jeepney"))
    assert "/opt/x/jeepney, is older than 0.7" in done.result["msg"]


def test_check_mode_and_async_are_supported() -> None:
    assert plugin.ActionModule._supports_check_mode
    assert plugin.ActionModule._supports_async
