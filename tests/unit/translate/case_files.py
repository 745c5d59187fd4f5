# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the translator, in cases/: a file for each construct, and in each case a line that says why the unit is right.

Nothing but YAML is needed to read them, so that measurements and tests of hosts may, too.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "cases"


def case_files() -> list[Path]:
    """The files, in the order of their names."""
    return sorted(FOLDER.glob("*.yml"))


def all_cases() -> list[dict[str, t.Any]]:
    """The cases of all files, in their order: name, why, files, translation, units, findings."""
    return [case for path in case_files() for case in yaml.safe_load(path.read_text(encoding="utf-8"))]
