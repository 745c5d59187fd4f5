# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""meta/runtime.yml lists every module: for ``module_defaults``, and for the action plugin that carries jeepney."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RUNTIME: dict[str, t.Any] = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")


def documentation(module: str) -> dict[str, t.Any]:
    """The documentation of a module, that of its fragments left out."""
    source = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    found: dict[str, t.Any] = yaml.safe_load(source.split('DOCUMENTATION = r"""')[1].split('"""')[0])
    return found


def test_there_are_modules() -> None:
    assert MODULES


def test_the_action_group_has_the_modules_that_take_its_common_options() -> None:
    # A default for an option that one module of the group lacks makes every task of that module fail.
    takes = [name for name in MODULES if "timeout" in documentation(name)["options"]]
    assert sorted(RUNTIME["action_groups"]["systemd"]) == takes
    assert set(MODULES) - set(takes) == {
        "reboot", "service_handover_info", "service_import_info", "service_import_plan", "service_migration_report",
    }  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_modules_outside_the_action_group_do_not_say_that_they_are_in_it(module: str) -> None:
    # what the fragment says of all modules is true of those in the group
    own = documentation(module).get("attributes", {}).get("action_group", {"support": "full"})
    outside = module not in RUNTIME["action_groups"]["systemd"]
    assert (own["support"] == "none" and own.get("membership") == []) == outside


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_routed_to_the_action_plugin(module: str) -> None:
    # an action plugin of the same name is taken without any routing
    routed = RUNTIME["plugin_routing"]["modules"].get(module, {"action_plugin": f"pidone.systemd.{module}"})
    namespace, collection, action = routed["action_plugin"].split(".")
    assert (namespace, collection) == ("pidone", "systemd")
    assert (ROOT / "plugins" / "action" / f"{action}.py").is_file()


def test_nothing_is_routed_that_does_not_exist() -> None:
    assert set(RUNTIME["plugin_routing"]["modules"]) <= set(MODULES)


def test_oldest_ansible_core_is_the_one_in_the_readme() -> None:
    assert RUNTIME["requires_ansible"] == ">=2.19.0"
    assert "ansible-core 2.19 or later" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_in_the_table_of_the_readme(module: str) -> None:
    assert f"| `pidone.systemd.{module}` |" in (ROOT / "README.md").read_text()
