# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upper layer may import a lower one, never the reverse, and nothing imports what imports it.

There are two houses: what is sent to hosts, and what stays on the controller. They share the lowest rooms.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import typing as t
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PREFIX = "ansible_collections.pidone.systemd.plugins."
# The lowest first; what stands in one line is one layer. A file may import from its own layer and from those before it. It is
# in the layer that names it most closely.
HOST = (
    "module_utils._kept module_utils._compiled module_utils._errors",
    "module_utils._dbus",
    "module_utils._systemd",
    "module_utils._systemd.text",
    "module_utils._systemd.directives",
    "module_utils._systemd.verify module_utils._systemd.cgroup_values module_utils._systemd.absent",
    "module_utils._observe",
    "module_utils._sources",
    "module_utils._engine",
    "module_utils._module module_utils._tasks.unit",
    "module_utils._tasks",
    "module_utils._tasks.init",
    "modules",
)
# Here nobody talks to systemd: of what is above the names and notations, nothing is imported, but what options mean that both halves of
# a module read.
CONTROLLER = (
    "module_utils._errors",
    "module_utils._sources",
    "module_utils._systemd",
    "module_utils._systemd.text",
    "module_utils._tasks.reboot.options",
    "plugin_utils",
    "plugin_utils._shell",
    "plugin_utils._model",
    "plugin_utils._interpret.programs plugin_utils._interpret.needs plugin_utils._interpret.nodes plugin_utils._interpret.conditions",
    "plugin_utils._interpret",
    "plugin_utils._sources.together plugin_utils._sources.runit",
    "plugin_utils._sources",
    "plugin_utils._migration",
    "plugin_utils._migration_report",
    "filter test action",
)
# The folder of a module may use that of `unit`, which others bring units to a state with; and only this one another.
WINGS = {"init": {"unit", "handover"}}


def dotted(path: Path) -> str:
    name = ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
    return name.removesuffix(".__init__")


FILES = sorted((PLUGINS / "module_utils").rglob("*.py")) + sorted((PLUGINS / "modules").glob("*.py"))
ALL = sorted(PLUGINS.rglob("*.py"))
NAMES = {dotted(path) for path in ALL}


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("t.TYPE_CHECKING", "TYPE_CHECKING")


def nodes(tree: ast.AST, types: bool) -> t.Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if types or not is_for_types(node):
            yield node
            yield from nodes(node, types)


@functools.cache
def imports(path: Path, types: bool = True) -> frozenset[str]:
    """What a file imports, wherever in it: names of modules, in dots.

    :param types: whether what is imported only for annotations counts.
    """
    found: set[str] = set()
    for node in nodes(ast.parse(path.read_text()), types):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            # What is imported from a folder may be a file.
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def arrows(path: Path, types: bool = True) -> set[str]:
    """The other files of the plugins that a file imports; see `imports`."""
    names = {name[len(PREFIX) :] for name in imports(path, types) if name.startswith(PREFIX)}
    own = dotted(path)
    # A folder stands for its __init__.py only where nothing in it is meant.
    return {
        name
        for name in names & NAMES
        if name != own and not any(other.startswith(f"{name}.") for other in names & NAMES)
    }


def layer(name: str, house: t.Sequence[str]) -> int | None:
    """The number of a file's layer in a house; None where it is none of its rooms."""
    best: tuple[int, int | None] = (-1, None)
    for number, line in enumerate(house):
        for room in line.split():
            if name == room or name.startswith(f"{room}."):
                best = max(best, (len(room), number), key=lambda pair: pair[0])
    return best[1]


def is_sent(name: str) -> bool:
    return name.startswith(("module_utils.", "modules."))


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_imports_go_down_on_the_host(path: Path) -> None:
    own = layer(dotted(path), HOST)
    assert own is not None or dotted(path) == "module_utils", f"{dotted(path)} has no layer; give it one in HOST"
    for name in arrows(path):
        other = layer(name, HOST)
        assert other is not None, f"{dotted(path)} imports {name}, which is not sent to hosts"
        assert other <= (own or 0), f"{dotted(path)} imports {name} from an upper layer"


@pytest.mark.parametrize("path", [path for path in ALL if path not in FILES], ids=dotted)
def test_imports_go_down_on_the_controller(path: Path) -> None:
    own = layer(dotted(path), CONTROLLER)
    if dotted(path).startswith("doc_fragments"):
        assert not arrows(path)
        return
    assert own is not None, f"{dotted(path)} has no layer; give it one in CONTROLLER"
    for name in arrows(path):
        other = layer(name, CONTROLLER)
        assert other is not None, f"{dotted(path)} imports {name}, which is for hosts"
        assert other <= own, f"{dotted(path)} imports {name} from an upper layer"


@pytest.mark.parametrize("path", [path for path in FILES if "_tasks" in path.parts], ids=dotted)
def test_a_wing_knows_no_other_but_that_of_units(path: Path) -> None:
    wing = dotted(path).split(".")[2:3]
    others = {name.split(".")[2] for name in arrows(path) if name.startswith("module_utils._tasks.")} - {*wing}
    assert others <= WINGS.get("".join(wing), {"unit"})


def circle(graph: t.Mapping[str, t.Iterable[str]]) -> list[str]:
    """Some that lead back to where one began; empty where there is no such way."""
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


# Who only names the type of what is given to it needs not know how that works.
GRAPH = {dotted(path): arrows(path, types=False) for path in ALL}


def test_no_file_imports_one_that_imports_it() -> None:
    assert len(GRAPH) > 150
    assert circle(GRAPH) == []


def inside(folder: str) -> dict[str, set[str]]:
    """What is in a folder, files and folders, and which of it imports which."""
    depth = len(folder.split(".")) + 1 if folder else 1
    found: dict[str, set[str]] = {}
    for name, others in GRAPH.items():
        mine = ".".join(name.split(".")[:depth])
        if not f"{name}.".startswith(f"{folder}." if folder else "") or mine == folder:
            continue
        found.setdefault(mine, set()).update(
            ".".join(other.split(".")[:depth]) for other in others if f"{other}.".startswith(f"{folder}." if folder else "")
        )
    return {name: others - {name, folder} for name, others in found.items()}


FOLDERS = sorted({"", *(".".join(path.parent.relative_to(PLUGINS).parts) for path in ALL)} - {"."})


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_imports_one_that_imports_it(folder: str) -> None:
    assert inside(folder)
    assert circle(inside(folder)) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert inside("module_utils._systemd")["module_utils._systemd.directives"] >= {"module_utils._systemd.numbers"}
    assert "module_utils" in inside("")["modules"]


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
