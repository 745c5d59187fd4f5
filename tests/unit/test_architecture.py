# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/architecture.md names the files that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMED = set(re.findall(r"`([\w./*]+\.py)`", PAGE))


def folders() -> list[str]:
    found = [path for name in ("module_utils", "plugin_utils") for path in (ROOT / "plugins" / name).rglob("_*") if path.is_dir() and list(path.glob("*.py"))]
    return sorted(path.name for path in found if path.name != "__pycache__")


def test_every_file_that_it_names_exists() -> None:
    assert NAMED
    assert [name for name in NAMED if not list(ROOT.glob(name)) and not list((ROOT / "plugins").glob(f"**/{name}"))] == []


def test_it_says_of_every_folder_what_it_is_for() -> None:
    assert [folder for folder in folders() if f"{folder}/" not in PAGE] == []
