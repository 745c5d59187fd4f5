# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One registry says which sources there are; who moves services knows none of them by name."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.pidone.systemd.plugins.action import service_import_info
from ansible_collections.pidone.systemd.plugins.module_utils import _sources
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._sources.nobody import Nobody
from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Service, Supervisor
from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers
from ansible_collections.pidone.systemd.plugins.plugin_utils import _sources as translators

ROOT = Path(__file__).parents[3]
PLUGINS = ROOT / "plugins"
# Names of sources, and what theirs are called.
WORDS = re.compile(rf"{'|'.join(_sources.names())}|runsv|svscan|svlogd|\bsv\b|/etc/service", re.I)
#: Roles that are `service_migration` for one source.
FACES = ("runit_migration",)
#: Files that know no source by name, and files that do all the same, with why: none.
KNOW_NONE = [
    *sorted((PLUGINS / "module_utils" / "_tasks").rglob("*.py")),
    *sorted((PLUGINS / "module_utils" / "_engine").rglob("*.py")),
    *sorted((PLUGINS / "plugin_utils").glob("_migration*.py")),
    *sorted(path for path in (ROOT / "roles").glob("*/tasks/*.yml") if path.parts[-3] not in FACES),
]
EXCEPTIONS: dict[str, str] = {}


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", KNOW_NONE, ids=short)
def test_who_moves_services_knows_no_source_by_name(path: Path) -> None:
    if short(path) in EXCEPTIONS:
        return
    # A role's variables bear its name.
    own = path.relative_to(ROOT / "roles").parts[0] if "roles" in path.relative_to(ROOT).parts else "\0"
    text = re.sub(rf"_?{own}(?=\b|_)\w*", "", path.read_text())
    assert WORDS.findall(text) == []


def test_names_are_found_where_they_are() -> None:
    assert {short(path).split("/")[0] for path in KNOW_NONE} == {"plugins", "roles"}
    assert any("handover" in short(path) for path in KNOW_NONE)
    assert WORDS.findall((PLUGINS / "module_utils/_sources/runit/supervisor.py").read_text())
    assert EXCEPTIONS.keys() <= set(map(short, KNOW_NONE))


@pytest.mark.parametrize("name", _sources.names())
def test_each_can_be_loaded_and_is_translated(name: str) -> None:
    assert _sources.load(name).name == name
    assert name in translators._TRANSLATORS
    assert _answers._SOURCE(name, "source") == name


def test_there_are_no_others() -> None:
    assert translators._TRANSLATORS.keys() == _sources.SOURCES.keys()
    with pytest.raises(SystemdError, match="'upstart' is no source"):
        _sources.load("upstart")


def documented(module: str) -> dict[str, t.Any]:
    text = importlib.import_module(f"ansible_collections.pidone.systemd.plugins.modules.{module}").DOCUMENTATION
    option: dict[str, t.Any] = yaml.safe_load(text)["options"]["source"]
    return option


@pytest.mark.parametrize("module", ["service_handover", "service_import_info"])
def test_documentation_has_the_choices_of_the_registry(module: str) -> None:
    """That what the module takes is what it documents, ansible-test sees."""
    option = documented(module)
    assert option["choices"] == _sources.names()
    assert option.get("default", _sources.names()[0]) == _sources.names()[0]


def test_the_action_and_the_role_have_the_choices_of_the_registry() -> None:
    assert service_import_info.ARGUMENTS["source"]["choices"] == _sources.names()
    specs = yaml.safe_load((ROOT / "roles/runit_migration/meta/argument_specs.yml").read_text())
    assert specs["argument_specs"]["main"]["options"]["runit_migration_source"]["choices"] == _sources.names()


def test_only_what_is_asked_for_is_loaded() -> None:
    prefix = "ansible_collections.pidone.systemd.plugins.module_utils._sources"
    code = (
        f"import sys, {prefix} as sources; sources.names();"
        f"print(sorted(name for name in sys.modules if name.startswith('{prefix}.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(ROOT / "build" / "collections")})  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_nobody_is_a_supervisor() -> None:
    """It has all that a supervisor has, so that whoever moves services needs not ask whether there is one."""
    nobody: Supervisor = Nobody(Service("tick", "/etc/cron.d/tick", [], {}, False), "cron", {})
    has = {name for name in dir(Supervisor) if not name.startswith("_")} | set(Supervisor.__annotations__)
    assert has <= set(dir(nobody)) and "take" in has and "memo" in has
    assert nobody.was == {"running": False, "up": False, "enabled": False}
    nobody.note()
    assert nobody.was == {"running": False, "up": True, "enabled": True}
    assert not nobody.found().held
