# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What presets say of instances."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.presets import parse_rules, preset_of, read_rules
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree


@pytest.mark.parametrize(
    ("text", "name", "preset"),
    [
        ("enable t@.service one two\ndisable t*\n", "t@one.service", "enabled"),
        ("enable t@.service one two\ndisable t*\n", "t@three.service", "disabled"),
        ("disable t*\nenable t@.service one\n", "t@one.service", "disabled"),
        ("# disable t*\n; disable t*\ndisable other*\n", "t@one.service", "enabled"),
        ("disable t@.service\n", "t@one.service", "enabled"),
        ("disable t@one.service\n", "t@one.service", "disabled"),
        ("disable [^a]@*.service\n", "t@one.service", "disabled"),
        ("disable t@*.service extra\n", "t@one.service", "enabled"),
        ("enable t.service one\ndisable *\n", "t@one.service", "disabled"),
        ("ignore t*\n", "t@one.service", ""),
        ("", "t@one.service", "enabled"),
    ],
)
def test_rules(text: str, name: str, preset: str) -> None:
    assert preset_of(parse_rules(text), name) == preset


def test_files_of_better_directories_hide_those_of_others(tmp_path: Path) -> None:
    for path, text in {
        "etc/systemd/system-preset/50.preset": "disable t@1.service\n",
        "usr/lib/systemd/system-preset/50.preset": "disable *\n",
        "usr/lib/systemd/system-preset/10.preset": "enable t@2.service\n",
        "usr/lib/systemd/system-preset/90.preset": "disable t@2.service\ndisable t@3.service\n",
        "usr/lib/systemd/system-preset/README": "disable *\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    rules = read_rules(Tree(str(tmp_path)), "system")
    assert [preset_of(rules, f"t@{n}.service") for n in (1, 2, 3, 4)] == ["disabled", "enabled", "disabled", "enabled"]
    assert read_rules(Tree(str(tmp_path)), "user") == []
