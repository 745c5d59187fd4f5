# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzzer finds what there is to find: exceptions, endless loops, memory without end, and deaths of the process."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.attacks import fuzz

TARGET = """
import os
SEEDS = [b"harmless", b"1234"]
def one_input(data):
    {defect}
"""


def run(path: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks.fuzz", "--jobs", "2", "--engine", "own", *words],
        cwd=path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> t.Callable[[str], Path]:
    """A tree of the fuzzer's own with one target, `toy`, of this defect."""

    def make(defect: str) -> Path:
        attacks = tmp_path / "tests" / "attacks"
        attacks.mkdir(parents=True)
        source = Path(fuzz.__file__).read_text()
        # Patience is not what is tested.
        source = source.replace("CPU_SECONDS, SECONDS = 2.0, 20.0", "CPU_SECONDS, SECONDS = 0.2, 1.0")
        source = source.replace("MEMORY = 3 * 1024**3", "MEMORY = 512 * 1024**2")
        (attacks / "fuzz.py").write_text(source.replace("PIECE = 250_000", "PIECE = 500"))
        (attacks / "fuzz_toy.py").write_text(TARGET.format(defect=defect))
        return tmp_path

    return make


def test_nothing_to_find(tree: t.Callable[[str], Path]) -> None:
    status, told = run(tree("pass"), "--inputs", "1200", "--seed", "5")
    assert status == 0
    assert re.fullmatch(r"toy: 1200 inputs, 0 crashes \(seed 5, own, \d+ a second\)\n", told)


def test_an_exception(tree: t.Callable[[str], Path]) -> None:
    path = tree("assert b'\\\\' not in data\n    assert b'%' not in data")
    status, told = run(path, "--inputs", "1200", "--seed", "5", "toy")
    assert status == 1
    assert told.startswith("toy: 1200 inputs, 2 crashes (seed 5, own, ")
    kept = re.findall(r"(\d+) times, kept in (build/fuzz/toy-[0-9a-f]{12}):", told)
    assert len(kept) == 2
    assert all(int(count) > 1 for count, _file in kept)
    _status, again = run(path, "--inputs", "1200", "--seed", "5", "toy")
    assert re.sub(r"\d+ a second", "", again) == re.sub(r"\d+ a second", "", told)
    crash = subprocess.run(
        [sys.executable, "-m", "tests.attacks.fuzz", "--replay", str(path / kept[0][1]), "toy"],
        cwd=path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert crash.returncode == 1
    assert "AssertionError" in crash.stderr


@pytest.mark.parametrize(
    ("defect", "says"),
    [
        ("while data[:1] == b'%':\n        pass", "Slow"),
        ("if data[:1] == b'%':\n        bytes(10**9)", "MemoryError"),
        ("if data[:1] == b'%':\n        os._exit(3)", "kept in"),
        ("if data[:1] == b'%':\n        raise SystemExit", "SystemExit"),
    ],
    ids=["endless", "memory", "death", "exit"],
)
def test_what_ends_a_process(defect: str, says: str, tree: t.Callable[[str], Path]) -> None:
    path = tree(defect)
    status, told = run(path, "--inputs", "300", "--seed", "9")
    assert status == 1
    assert says in told
    (kept,) = re.findall(r"kept in (\S+):", told)
    assert (path / kept).read_bytes()[:1] == b"%"


def test_a_target_that_is_none() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks.fuzz", "nonsense"], cwd=fuzz.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no such target: nonsense" in done.stderr
