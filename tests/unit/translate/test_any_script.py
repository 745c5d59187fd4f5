# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No script makes the translator fail, or write a unit that systemd does not take."""

from __future__ import annotations

import random
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import TRANSLATIONS
from tests.unit.translate.case_files import all_cases
from tests.unit.translate.harness import Result, one, verify

TEXTS = [text for case in all_cases() for text in case["files"].values()]
LINES = sorted({line for text in TEXTS for line in text.splitlines()})
TOKENS = [
    "\"", "'", "`", "$(", "${", ")", "}", "fi", "done", "&&", "||", ";", "|", "&", "\\", "\n", "$X", "exec ", "sv ", "if ", "then ", "[ ", " ]",
    "#", "<<EOF", "=", "*", "~", "%", "$$", "--", "{ ", "( ", "case ", " in ", "esac", ";;", "\0", "é", "\udc80", "export ", ". ./conf\n", "%n",
]  # fmt: skip
FILES = ("finish", "check", "control/t", "log/run", "conf", "env/A")


def mutate(chance: random.Random) -> str:
    """A script made of pieces of real ones."""
    text = chance.choice(TEXTS)
    for _turn in range(chance.randint(1, 4)):
        lines = text.split("\n")
        kind = chance.randint(0, 5)
        if kind == 0:
            lines.insert(chance.randint(0, len(lines)), chance.choice(LINES))
            text = "\n".join(lines)
        elif kind == 1:
            del lines[chance.randrange(len(lines))]
            text = "\n".join(lines)
        elif kind == 2:
            at = chance.randint(0, len(text))
            text = text[:at] + chance.choice(TOKENS) + text[at:]
        elif kind == 3 and text:
            at = chance.randrange(len(text))
            text = text[:at] + text[at + chance.randint(1, 10) :]
        elif kind == 4:
            chance.shuffle(lines)
            text = "\n".join(lines)
        else:
            text += "\n" + chance.choice(LINES)
    return text


def service(seed: int) -> Result:
    chance = random.Random(seed)
    files = {"run": mutate(chance)}
    files.update({path: mutate(chance) for path in FILES if chance.random() < 0.3})
    return one(files, f"f{seed}", log=chance.choice(("journald", "svlogd")))


@given(st.integers(min_value=0))
@settings(max_examples=400, deadline=None)
def test_every_script_gets_an_answer(seed: int) -> None:
    result = service(seed)
    assert result["translation"] in TRANSLATIONS
    assert bool(result["units"]) == (result["translation"] != "refused")
    for unit in result["units"]:
        unit["content"].encode()
    if result["translation"] not in ("native", "shell"):
        assert [finding for finding in result["findings"] if finding["severity"] == "warning"]


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_gets_an_answer(text: str) -> None:
    assert one("#!/bin/sh\n" + text)["translation"] in TRANSLATIONS


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    assert verify([service(seed) for seed in range(600)], tmp_path) == []


def test_extreme_scripts_get_an_answer_soon() -> None:
    """Nesting, growth and patterns that no packager writes must not take the other services with them."""
    nested = "$(echo " * 500 + ")" * 500
    start = time.monotonic()
    assert one(f'#!/bin/sh\nexec foo "{nested}"\n')["translation"] == "wrapped"
    assert one("#!/bin/sh\n" + "if a; then " * 500 + "b" + "; fi" * 500 + "\n")["translation"] == "wrapped"
    assert one("#!/bin/sh\nX=a\n" + "X=$X$X\n" * 40 + "exec foo $X\n")["translation"] == "wrapped"
    assert one("#!/bin/sh\nX=" + "a" * 5000 + "\nexec foo ${X%%" + "*a" * 12 + "b}\n")["translation"] != "refused"
    assert time.monotonic() - start < 10
