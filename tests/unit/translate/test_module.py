# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin: the module collects, the controller translates; errors are sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell import tree
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate

ROOT = Path(__file__).parents[3]


def ansible(arguments: str, tmp_path: Path, *more: str) -> t.Any:
    """The result of the module on localhost, as a user without a playbook gets it."""
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [
        str(Path(sys.executable).parent / "ansible"),
        "localhost",
        "-m",
        "pidone.systemd.service_import_info",
        "-a",
        arguments,
        *more,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    _head, _arrow, body = done.stdout.partition("=> ")
    return json.loads(body)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    directory = tmp_path / "sv" / "web"
    directory.mkdir(parents=True)
    (directory / "run").write_text("#!/bin/sh\nexec 2>&1\nexec chpst -u web webd -f\n")
    return directory.parent


@pytest.mark.parametrize("more", [[], ["--check"]])
def test_a_checkout_on_localhost(checkout: Path, tmp_path: Path, more: list[str]) -> None:
    result = ansible(f"source=runit path={checkout}", tmp_path, *more)
    assert result["changed"] is False
    assert "definitions" not in result
    (service,) = result["services"]
    assert service["name"] == "web" and service["translation"] == "native"
    assert service["units"][0]["sections"]["Service"]["User"] == "web"
    assert set(service) == {"name", "source", "path", "translation", "units", "findings", "state", "definition"}
    assert set(service["findings"][0]) == {"key", "title", "severity", "construct", "file", "line", "message", "remediation"}
    again = json.dumps({"source": "runit", "definitions": [service["definition"]]})
    assert ansible(again, tmp_path)["services"] == result["services"]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    result = ansible(f"source=runit path={tmp_path}/absent", tmp_path)
    assert result["msg"].startswith(f"path: {tmp_path}/absent does not exist")


def test_options_are_checked_without_a_host_too(tmp_path: Path) -> None:
    result = ansible(json.dumps({"source": "runit", "definitions": [], "log": "syslog"}), tmp_path)
    assert "value of log must be one of: journald, svlogd" in result["msg"]


def test_without_the_parser_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_parser", None)
    monkeypatch.setattr(tree, "_MISSING", "No module named 'tree_sitter'")
    with pytest.raises(SystemdError, match="pip install tree-sitter tree-sitter-bash"):
        translate([{"name": "web", "files": [{"path": "run", "content": "#!/bin/sh\nexec webd\n"}]}])
