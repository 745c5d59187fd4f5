# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what a task returns, or how it fails, becomes Ansible's result."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError


class Left(Exception):
    """AnsibleModule's way out."""


class Module:
    """What entry.run() needs of an AnsibleModule."""

    def __init__(self) -> None:
        self.warned: list[str] = []
        self.result: dict[str, t.Any] = {}

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        self.result = {"failed": False, **result}
        raise Left

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        self.result = {"failed": True, "msg": msg, **result}
        raise Left


def test_warnings_are_no_part_of_a_result() -> None:
    module: t.Any = Module()
    with pytest.raises(Left):
        run(module, lambda _module: {"changed": True, "warnings": ["one", "two"]})
    assert module.warned == ["one", "two"]
    assert module.result == {"failed": False, "changed": True}


def test_warnings_are_no_part_of_a_failure() -> None:
    def fail(_module: t.Any) -> dict[str, t.Any]:
        raise SystemdError("it did not work", changed=True, warnings=["one"])

    module: t.Any = Module()
    with pytest.raises(Left):
        run(module, fail)
    assert module.warned == ["one"]
    assert module.result == {"failed": True, "msg": "it did not work", "changed": True}


def test_errors_of_the_system_name_what_and_where() -> None:
    def fail(_module: t.Any) -> dict[str, t.Any]:
        raise OSError(28, "No space left on device", "/etc/x")

    module: t.Any = Module()
    with pytest.raises(Left):
        run(module, fail)
    assert module.result["msg"] == (
        "cannot do what was asked for: No space left on device: /etc/x; make room on that file system"
    )


def test_a_defect_says_that_it_is_one_and_where() -> None:
    def fail(_module: t.Any) -> dict[str, t.Any]:
        raise RuntimeError("a defect")

    module: t.Any = Module()
    with pytest.raises(Left):
        run(module, fail)
    assert "RuntimeError: a defect; this is a defect of the collection" in module.result["msg"]
    assert "Traceback" not in str(module.result)
    assert module.result["defect"][-1].endswith(" fail")
