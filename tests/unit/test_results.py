# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules return has no names to which Ansible gives a meaning of its own."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest
import yaml

MODULES = sorted(
    path for path in (Path(__file__).parents[2] / "plugins" / "modules").glob("*.py") if path.stem != "__init__"
)
# Of the top level of a result: what ansible-core's task executor, async_wrapper, async_status and callbacks read or write there.
OF_ANSIBLE = {
    "add_group", "add_host", "ansible_async_watchdog_pid", "ansible_facts", "ansible_included_var_files", "ansible_job_id",
    "ansible_loop", "ansible_loop_var", "ansible_notify", "ansible_stats", "async_result", "attempts", "censored", "changed",
    "deprecations", "delta", "diff", "end", "erased", "exception", "failed", "failed_when_result", "finished", "include",
    "include_args", "invocation", "item", "module_stderr", "module_stdout", "msg", "no_log", "outdir", "parsed", "rc", "results",
    "results_file", "retries", "skip_reason", "skipped", "start", "started", "stderr", "stderr_lines", "stdout", "stdout_lines",
    "unreachable", "warnings",
}  # fmt: skip
# Those that are returned for what they mean.
MEANT = {"run": {"rc", "stderr", "stdout"}}


def returned(path: Path) -> dict[str, t.Any]:
    """The documentation of what a module returns."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "RETURN":
            assert isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
            return t.cast(dict[str, t.Any], yaml.safe_load(node.value.value))
    pytest.fail(f"{path} documents no result")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_key_has_another_meaning(path: Path) -> None:
    keys = set(returned(path))
    assert keys & OF_ANSIBLE == MEANT.get(path.stem, set())
    assert not [key for key in keys if key.startswith(("_", "ansible_"))]
