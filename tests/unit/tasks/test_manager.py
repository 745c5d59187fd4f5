# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `manager` plans."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.manager.task import _plan_environment


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
