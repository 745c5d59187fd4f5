# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules return has no names to which Ansible gives a meaning of its own."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.contract import MEANT, OF_ANSIBLE

MODULES = sorted(
    path for path in (Path(__file__).parents[2] / "plugins" / "modules").glob("*.py") if path.stem != "__init__"
)


def returned(path: Path) -> dict[str, t.Any]:
    """The documentation of what a module returns."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "RETURN":
            assert isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
            return t.cast(dict[str, t.Any], yaml.safe_load(node.value.value))
    pytest.fail(f"{path} documents no result")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_key_has_another_meaning(path: Path) -> None:
    keys = set(returned(path))
    assert keys & OF_ANSIBLE == MEANT.get(path.stem, set())
    assert not [key for key in keys if key.startswith(("_", "ansible_"))]
