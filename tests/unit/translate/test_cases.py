# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of cases.yml: scripts in the styles of several distributions, and the units that were found right by eye."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate
from tests.unit.translate.harness import definition, keys, one, verify
from tests.unit.translate.update_cases import CASES, expected

ALL: list[dict[str, t.Any]] = yaml.safe_load(CASES.read_text())


@pytest.mark.parametrize("case", ALL, ids=[case["name"] for case in ALL])
def test_case(case: dict[str, t.Any]) -> None:
    found = expected(case["files"], case["name"])
    assert found["translation"] == case["translation"]
    assert found["units"] == case["units"]
    assert found["findings"] == case["findings"]


def test_systemd_takes_all_units(tmp_path: Path) -> None:
    results = [one(case["files"], case["name"]) for case in ALL]
    assert verify(results, tmp_path) == []


def test_systemd_takes_all_units_with_kept_log_services(tmp_path: Path) -> None:
    results = [one(case["files"], case["name"], log="svlogd") for case in ALL]
    assert verify(results, tmp_path) == []
    assert sum(len(result["units"]) for result in results) > len(results)


def test_what_is_not_native_is_explained() -> None:
    for case in ALL:
        result = one(case["files"], case["name"])
        if result["translation"] == "shell":
            assert keys(result) & {"shell.line", "shell.step", "shell.condition", "shell.command"}, case["name"]
        elif result["translation"] != "native":
            assert keys(result, "warning"), case["name"]


@pytest.mark.parametrize("log", ["journald", "svlogd"])
def test_what_is_native_has_no_line_of_shell(log: str) -> None:
    """Asked of the text of the units, and so of what systemd is told."""
    shell = re.compile(r"^Exec\w+=.*(?<![\w.-])(?:ba|da|k|z)?sh\"? -\w*c ", re.MULTILINE)
    count = 0
    for case in ALL:
        result = one(case["files"], case["name"], log=log)
        held = any(shell.search(unit["content"]) for unit in result["units"])
        count += held
        if result["translation"] in ("native", "shell"):
            assert (result["translation"] == "shell") is held, case["name"]
    assert count > 100


def test_same_files_same_units() -> None:
    for case in ALL[:40]:
        assert one(case["files"], case["name"]) == one(case["files"], case["name"])


def test_same_units_whatever_the_order_of_sets() -> None:
    """Units are kept in git, and rendered by another process each time."""
    code = (
        "import yaml; from tests.unit.translate.harness import one; from tests.unit.translate.update_cases import CASES\n"
        "for case in yaml.safe_load(CASES.read_text()): print(repr(one(case['files'], case['name'])))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "4")
    }
    assert len(said) == 1


def test_a_thousand_services_take_less_than_ten_seconds() -> None:
    many = [
        definition(ALL[index % len(ALL)]["files"], f"{index}-{ALL[index % len(ALL)]['name']}") for index in range(1000)
    ]
    start = time.monotonic()
    assert len(translate(many)) == 1000
    assert time.monotonic() - start < 10
