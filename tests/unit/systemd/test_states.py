# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What states and jobs mean is said once."""

from __future__ import annotations

import ast
import types
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd import answers, exits, states
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import _JOB_METHODS

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
FILES = sorted(PLUGINS.rglob("*.py"))

# unit-def.h of systemd: state -> whether it is active or reloading, active or activating, inactive or failed, and on its way.
MEANINGS = {
    "active": (True, True, False, False),
    "reloading": (True, True, False, True),
    "refreshing": (True, True, False, True),
    "activating": (False, True, False, True),
    "deactivating": (False, False, False, True),
    "maintenance": (False, False, False, False),
    "inactive": (False, False, True, False),
    "failed": (False, False, True, False),
    "": (False, False, False, False),
    None: (False, False, False, False),
}


@pytest.mark.parametrize("state", MEANINGS)
def test_a_state_means_what_systemd_says(state: str | None) -> None:
    told = (states.is_active(state), states.is_up(state), states.is_down(state), states.is_changing(state))
    assert told == MEANINGS[state]


def test_the_states_that_every_version_has_are_states() -> None:
    assert set(states.COMMON_STATES) < set(MEANINGS)


@pytest.mark.parametrize(
    ("active", "sub", "runs"),
    [
        ("active", "running", True),
        ("refreshing", "refresh-credentials", True),
        ("activating", "start-pre", True),
        ("activating", "auto-restart", False),
        ("activating", "auto-restart-queued", False),
        ("deactivating", "stop-sigterm", False),
        ("failed", "failed", False),
    ],
)
def test_waiting_for_a_restart_is_not_running(active: str, sub: str, runs: bool) -> None:
    assert states.runs(types.SimpleNamespace(active_state=active, sub_state=sub)) is runs


def test_all_jobs_but_one_bring_units_up() -> None:
    assert [job for job in _JOB_METHODS if not states.brings_up(job)] == ["stop"]


@pytest.mark.parametrize(
    ("name", "interface"),
    [
        ("a.service", answers.SERVICE),
        ("a@1.timer", answers.TIMER),
        ("b.c.scope", answers.SCOPE),
        ("x.automount", "org.freedesktop.systemd1.Automount"),
    ],
)
def test_the_interface_of_a_unit_is_that_of_its_type(name: str, interface: str) -> None:
    assert states.interface_of(name) == interface


@pytest.mark.parametrize(("number", "name"), [(15, "SIGTERM"), (11, "SIGSEGV"), (40, "SIGRTMIN+6"), (0, "0")])
def test_a_signal_has_its_name_or_its_number(number: int, name: str) -> None:
    assert exits.signal_name(number) == name


def lists_of_states(tree: ast.AST) -> list[int]:
    """Lines on which two or more states stand together in a tuple, list or set."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            words = {each.value for each in node.elts if isinstance(each, ast.Constant)}
            if len(words & {state for state in MEANINGS if state}) > 1:
                found.append(node.lineno)
    return sorted(found)


def infinities(tree: ast.AST) -> list[int]:
    """Lines on which 2^64-1 is written out."""
    found = []
    for node in ast.walk(tree):
        number = isinstance(node, ast.Constant) and node.value == 2**64 - 1
        sum_ = isinstance(node, ast.BinOp) and ast.unparse(node) in ("2 ** 64 - 1", "(1 << 64) - 1")
        if isinstance(node, ast.expr) and (number or sum_):
            found.append(node.lineno)
    return sorted(found)


def test_no_other_file_has_a_list_of_states() -> None:
    found = {path.name: lines for path in FILES if (lines := lists_of_states(ast.parse(path.read_text())))}
    assert list(found) == ["states.py"], found


def test_infinity_is_written_out_once() -> None:
    found = {path.name: lines for path in FILES if (lines := infinities(ast.parse(path.read_text())))}
    assert list(found) == ["numbers.py"], found
    assert len(found["numbers.py"]) == 1, found


def test_the_search_finds_them() -> None:
    assert lists_of_states(ast.parse("x in ('active', 'reloading')\ny = {'a', 'failed', 'inactive'}\n('failed', 'ok')")) == [1, 2]
    assert infinities(ast.parse("a = 2**64 - 1\nb = 18446744073709551615\nc = 0xffffffffffffffff\nd = 2**64\n")) == [1, 2, 3]
