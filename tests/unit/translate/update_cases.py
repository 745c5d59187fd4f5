# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what the translator gives into the files of cases/. Read the difference before committing it:

PYTHONPATH=.:build/collections .venv/bin/python tests/unit/translate/update_cases.py
"""

from __future__ import annotations

import re
import typing as t

import yaml

from tests.unit.translate.case_files import case_files
from tests.unit.translate.harness import one

# A case, without the comment lines around it.
CASE = re.compile(r"^- name: .*\n(?:(?![-#]).*\n)*", re.MULTILINE)


class _Block(str):
    """Text that YAML shows line by line."""

    __slots__ = ()


def _block(dumper: yaml.Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


yaml.add_representer(_Block, _block)


def expected(files: t.Mapping[str, str], name: str) -> dict[str, t.Any]:
    """What of a translation is kept in a case: units without what all have, and findings without what all have."""
    result = one(files, name)
    units = {}
    for unit in result["units"]:
        lines = [line for line in unit["content"].splitlines() if not line.startswith(("#", "Description="))]
        units[unit["name"]] = "\n".join(lines).strip() + "\n"
    usual = ("runit.stop", "runit.stderr", "runit.keep-directory")
    findings = [
        f"{finding['severity']} {finding['file']}:{finding['line']} {finding['key']}"
        for finding in result["findings"]
        if finding["key"] not in usual
    ]
    return {"translation": result["translation"], "units": units, "findings": findings}


def rewritten(text: str) -> str:
    """The text of a file of cases, with what the translator gives now; header, comments and `why` stay."""

    def of_case(found: re.Match[str]) -> str:
        (case,) = yaml.safe_load(found[0])
        case.update(expected(case["files"], case["name"]))
        case["files"] = {path: _Block(text) for path, text in case["files"].items()}
        case["units"] = {name: _Block(text) for name, text in case["units"].items()}
        return yaml.dump([case], sort_keys=False, allow_unicode=True, width=200)

    return CASE.sub(of_case, text)


def main() -> None:
    for path in case_files():
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
