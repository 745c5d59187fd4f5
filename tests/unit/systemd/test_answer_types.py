# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of every property that is read by its name it is known which type it has, as a user's manager may answer with any other."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import TYPES

UTILS = Path(__file__).parents[3] / "plugins" / "module_utils"


def texts(node: ast.AST) -> t.Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def read_in(tree: ast.AST) -> t.Iterator[str]:
    """Names of properties: those that the manager is asked for, and third of `(path, interface, name)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "manager_properties":
            yield from texts(node)
        elif isinstance(node, ast.Tuple) and len(node.elts) == 3 and isinstance(node.elts[1], ast.Name):
            face, name = node.elts[1].id, node.elts[2]
            if face.isupper() or face == "face":
                yield from texts(name)


def test_every_property_that_is_read_has_its_type() -> None:
    names = {name for path in UTILS.rglob("*.py") for name in read_in(ast.parse(path.read_text())) if name[:1].isupper()}
    assert len(names) > 30
    assert names - TYPES.keys() == set()
