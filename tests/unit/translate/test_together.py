# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services of one host mean for each other."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate
from tests.unit.translate.harness import definition, keys, main_section, verify


def test_services_that_wait_for_each_other_are_no_circle(tmp_path: Path) -> None:
    def script(other: str) -> dict[str, str]:
        return {"run": f"#!/bin/sh\nsv start {other} || exit 1\nexec /bin/true\n"}

    results = translate([definition(script(other), name) for name, other in (("a", "b"), ("b", "c"), ("c", "a"))])
    after = [result["units"][0]["sections"]["Unit"].get("After") for result in results]
    assert after.count(None) == 1
    assert all("Wants" in result["units"][0]["sections"]["Unit"] for result in results)
    assert ["dependency.circle" in keys(result, "warning") for result in results].count(True) == 1
    assert not [line for line in verify(results, tmp_path) if "cycle" in line]


def test_a_directory_of_two_services_stays_when_one_stops() -> None:
    files = {"run": "#!/bin/sh\nmkdir -p /run/shared\nexec /bin/true\n"}
    results = translate([definition(files, name) for name in ("a", "b")])
    for result in results:
        assert main_section(result)["RuntimeDirectoryPreserve"] == "yes"
        assert "RuntimeDirectoryPreserve=yes" in result["units"][0]["content"]


def linked(path: str, target: str) -> dict[str, str]:
    return {"path": path, "type": "link", "target": target}


def test_a_log_that_is_a_link_to_a_program() -> None:
    raw = definition({"run": "#!/bin/sh\nexec webd\n"})
    raw["files"].append(linked("log/run", "/usr/bin/vlogger"))
    (result,) = translate([raw])
    assert main_section(result)["SyslogIdentifier"] == "web"
    assert "log.journal" in keys(result)
    (kept,) = translate([raw], log="svlogd")
    assert main_section(kept, 1)["ExecStart"] == "/usr/bin/vlogger"


def test_a_finish_that_is_a_link_to_nothing() -> None:
    raw = definition({"run": "#!/bin/sh\nexec webd\n"})
    raw["files"].append(linked("finish", "../web-generic/finish"))
    (result,) = translate([raw])
    assert "ExecStopPost" not in main_section(result)
    assert "runit.not-run" in keys(result)
