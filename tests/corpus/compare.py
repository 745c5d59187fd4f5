# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print where the unit made of a run script and the unit that the package ships differ: see compare.sh."""

from __future__ import annotations

import typing as t
from collections import Counter
from pathlib import Path

from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.collect import collect
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate

CORPUS = Path(__file__).parents[2] / "build" / "corpus"
# What decides how the program runs; what the two supervisors say differently by their nature is left out.
KEYS = (
    "Type", "User", "Group", "SupplementaryGroups", "ExecStart", "ExecStartPre", "ExecCondition", "ExecStop", "WorkingDirectory",
    "RuntimeDirectory", "StateDirectory", "LogsDirectory", "CacheDirectory", "Environment", "EnvironmentFile", "UMask", "LimitNOFILE", "Nice",
    "StandardInput", "StandardOutput", "KillMode", "PIDFile",
)  # fmt: skip
Unit = dict[str, list[str]]


def read(text: str) -> Unit:
    """The directives of [Service], continued lines joined, in order."""
    found: Unit = {}
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith(("#", ";")):
            key, _equal, value = line.partition("=")
            found.setdefault(key, []).append(" ".join(value.split()))
    return found


def shipped() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for pattern in ("lib/systemd/system/*.service", "usr/lib/systemd/system/*.service"):
        for path in sorted(CORPUS.glob(f"shipped/*/{pattern}")):
            if path.is_file():
                found.setdefault(path.stem, path)
    return found


def program(values: list[str]) -> list[str]:
    """Commands without prefixes and directories, which only say the same in other words."""
    out = []
    for value in values:
        first, _blank, rest = value.lstrip("-+@!:").partition(" ")
        out.append(f"{first.rsplit('/', 1)[-1]} {rest}".strip())
    return out


def differences(ours: Unit, theirs: Unit) -> t.Iterator[tuple[str, str, str]]:
    for key in KEYS:
        one, other = ours.get(key, []), theirs.get(key, [])
        if key.startswith("Exec"):
            one, other = program(one), program(other)
        if key == "Type":
            one, other = one or ["simple"], other or ["simple"]
        if one != other:
            yield key, " | ".join(one) or "-", " | ".join(other) or "-"


def main() -> None:
    units = shipped()
    count: Counter[str] = Counter()
    compared = 0
    for service in translate(collect("runit", path=str(CORPUS / "files"))):
        name = str(service["name"])
        path = units.get(name)
        if path is None or not service["units"]:
            continue
        compared += 1
        print(f"{name} ({service['translation']}), {path.relative_to(CORPUS)}")
        for key, one, other in differences(read(service["units"][0]["content"]), read(path.read_text())):
            count[key] += 1
            print(f"  {key}\n    from the run script: {one}\n    shipped:             {other}")
    print(f"\n{compared} services compared; differences: " + ", ".join(f"{key} {n}" for key, n in count.most_common()))


if __name__ == "__main__":
    main()
