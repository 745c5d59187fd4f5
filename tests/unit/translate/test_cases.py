# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of cases/: scripts in the styles of several distributions, and the units that were found right by eye."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import typing as t
from collections import Counter
from pathlib import Path

import pytest
import yaml

from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate
from tests.unit.translate.case_files import all_cases, case_files
from tests.unit.translate.harness import definition, keys, one, verify
from tests.unit.translate.update_cases import expected, rewritten

ALL = all_cases()
# More are no longer looked through by a reader.
MOST_OF_A_FILE = 60
LONGEST_WHY = 150


@pytest.mark.parametrize("case", ALL, ids=[case["name"] for case in ALL])
def test_case(case: dict[str, t.Any]) -> None:
    found = expected(case["files"], case["name"])
    assert found["translation"] == case["translation"]
    assert found["units"] == case["units"]
    assert found["findings"] == case["findings"]


def test_each_case_says_why() -> None:
    """In a line of its own: a reason that fits two cases is the reason of neither."""
    reasons = [case.get("why", "") for case in ALL]
    assert [case["name"] for case, why in zip(ALL, reasons) if not 0 < len(why) <= LONGEST_WHY or "\n" in why] == []
    assert [why for why, count in Counter(reasons).items() if count > 1] == []


def test_names_are_unique_over_all_files() -> None:
    assert [name for name, count in Counter(case["name"] for case in ALL).items() if count > 1] == []


@pytest.mark.parametrize("path", case_files(), ids=lambda path: path.stem)
def test_a_file_of_cases(path: Path) -> None:
    """It can be read at one go, and update_cases.py leaves what is right as it is."""
    text = path.read_text(encoding="utf-8")
    assert 0 < len(yaml.safe_load(text)) <= MOST_OF_A_FILE
    assert rewritten(text) == text


def test_update_keeps_all_but_the_translation() -> None:
    head, why = "# of the file\n---\n# of the case\n", "  why: 'Some: reason'\n"
    files = "  files:\n    run: |\n      #!/bin/sh\n\n      exec foo\n"
    (first, second) = (f"- name: {name}\n{why}{files}" for name in "ab")
    text = rewritten(f"{head}{first}  translation: wrapped\n# behind\n{second}")
    assert text.startswith(f"{head}{first}  translation: native\n  units:\n    a.service: |\n")
    assert f"  findings: []\n# behind\n{second}  translation: native\n" in text
    assert rewritten(text) == text


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
    for case in ALL[::10]:
        assert one(case["files"], case["name"]) == one(case["files"], case["name"])


def test_same_units_whatever_the_order_of_sets() -> None:
    """Units are kept in git, and rendered by another process each time."""
    code = (
        "from tests.unit.translate.case_files import all_cases; from tests.unit.translate.harness import one\n"
        "for case in all_cases(): print(repr(one(case['files'], case['name'])))"
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
    # Nothing in it waits, and other processes of the machine are not what is measured.
    start = time.process_time()
    assert len(translate(many)) == 1000
    assert time.process_time() - start < 10
