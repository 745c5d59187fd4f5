# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in scopes: what is read of the scope when the command is over."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.scope import RunInScope


@pytest.mark.parametrize("result", ["success", "timeout", None])
def test_whether_time_was_over_is_for_systemd_to_say(result: str | None) -> None:
    told: dict[str, t.Any] = {"Result": result, "InvocationID": b"\1" * 16, "CPUUsageNSec": 5, "MemoryPeak": 2**64 - 1}
    manager = SimpleNamespace(properties=lambda wanted: [told.get(name) for _path, _face, name in wanted])
    outcome = SimpleNamespace(facts={})
    step = RunInScope(t.cast(t.Any, SimpleNamespace(name="a.scope")), {}, t.cast(t.Any, outcome))
    assert step._read(Context(manager)) is (result == "timeout")
    assert outcome.facts["invocation_id"] == "01" * 16
    assert outcome.facts["resources"]["CPUUsageNSec"] == 5
    assert outcome.facts["resources"]["MemoryPeak"] is None
