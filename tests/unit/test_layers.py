# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upper layer may import a lower one, never the reverse."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PREFIX = "ansible_collections.pidone.systemd.plugins."
# The lowest first. A file may import from its own layer and from those before it.
LAYERS = [
    "module_utils._kept",
    "module_utils._compiled",
    "module_utils._errors",
    "module_utils._collect",
    "module_utils._dbus",
    "module_utils._systemd",
]
LAYERS += ["module_utils._observe", "module_utils._engine", "module_utils._tasks", "modules"]
FILES = sorted((PLUGINS / "module_utils").rglob("*.py")) + sorted((PLUGINS / "modules").glob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def layer(name: str) -> int | None:
    for number, prefix in enumerate(LAYERS):
        if name == prefix or name.startswith(f"{prefix}."):
            return number
    return None


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts)


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_imports_go_down(path: Path) -> None:
    own = layer(dotted(path))
    for name in imports(path):
        if not name.startswith(PREFIX) or own is None:
            continue
        other = layer(name[len(PREFIX) :])
        assert other is None or other <= own, f"{dotted(path)} imports {name} from an upper layer"


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_only_the_bus_knows_jeepney(path: Path) -> None:
    if "_dbus" not in path.parts:
        assert not any(name.split(".")[0] == "jeepney" for name in imports(path))


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_nothing_below_the_modules_knows_ansible(path: Path) -> None:
    if path.name == "_module.py" or "modules" in path.relative_to(PLUGINS).parts:
        return
    assert not any(name.startswith("ansible.") for name in imports(path))


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_programs_are_run_in_one_place(path: Path) -> None:
    """So that each has an end to its time and output, and a user's has nothing of root's."""
    assert "subprocess" not in imports(path) or dotted(path) == "module_utils._systemd.programs"
