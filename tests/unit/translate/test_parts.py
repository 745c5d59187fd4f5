# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the translator import in one direction, as its package says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ansible_collections.pidone.systemd.plugins.plugin_utils import _translate

HERE = Path(_translate.__file__).parent
PREFIX = "ansible_collections.pidone.systemd.plugins.plugin_utils._translate"


def imports(path: Path) -> set[str]:
    """The parts that a file imports anywhere, but for the types of annotations."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            rest = (node.module or "")[len(PREFIX) + 1 :]
            found |= {rest} if rest else {alias.name for alias in node.names}
    return found


def test_each_part_imports_only_those_before_it() -> None:
    order = re.findall(r"`(\w+)`", _translate.__doc__ or "")
    files = {path.stem: path for path in HERE.glob("*.py") if path.stem not in ("__init__",)}
    missing = set(files) - set(order)
    assert not missing, f"the package does not say where {missing} belong"
    for name, path in files.items():
        later = {other for other in imports(path) if other in files and order.index(other) >= order.index(name)}
        assert not later, f"{name} imports {later}"
