# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by the tests of the translator: definitions from texts, and what systemd thinks of units."""

from __future__ import annotations

import re
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit import translator as runit

# An unexpected error is a failed test here, not a refused service.
runit.STRICT = True

Result = t.Mapping[str, t.Any]


def definition(files: t.Mapping[str, str], name: str = "web", **more: t.Any) -> t.Any:
    """A definition as the collector would give it for a checkout."""
    return {
        "name": name,
        "source": "runit",
        "path": f"/etc/sv/{name}",
        "files": [{"path": path, "content": content} for path, content in files.items()],
        **more,
    }


def one(files: t.Mapping[str, str] | str, name: str = "web", log: str = "journald", **more: t.Any) -> Result:
    """Translate one service; a text alone is its run script."""
    if isinstance(files, str):
        files = {"run": files}
    return translate([definition(files, name, **more)], log=log)[0]


def main_section(result: Result, unit: int = 0) -> dict[str, t.Any]:
    """The [Service] section of a result."""
    section: dict[str, t.Any] = result["units"][unit]["sections"]["Service"]
    return section


def keys(result: Result, severity: str = "") -> set[str]:
    return {finding["key"] for finding in result["findings"] if severity in ("", finding["severity"])}


def verify(results: t.Iterable[Result], directory: Path) -> list[str]:
    """What systemd-analyze verify says about the units, except that programs of other hosts are not on this one."""
    names = []
    for result in results:
        for unit in result["units"]:
            (directory / unit["name"]).write_text(unit["content"])
            names.append(unit["name"])
    said = []
    for start in range(0, len(names), 300):
        some = names[start : start + 300]
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *[str(directory / name) for name in some]],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        for line in (done.stdout + done.stderr).splitlines():
            if re.search(r"Command .* is not executable: No such file or directory", line):
                continue
            # A warning that the translation repeats as a finding; the unit is taken.
            if "Special user nobody configured" in line:
                continue
            if str(directory) in line or any(line.startswith(name + ":") for name in some):
                said.append(line)
    return said
