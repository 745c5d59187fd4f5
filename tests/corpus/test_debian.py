# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The translator on Debian's own runit services: run tests/corpus/fetch.sh first, then

.venv/bin/pytest tests/corpus            # compare with the golden units
.venv/bin/pytest tests/corpus --golden   # write them anew; read the difference before committing it
"""

from __future__ import annotations

import typing as t
from collections import Counter
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.collect import collect
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate
from tests.unit.translate.harness import verify

ROOT = Path(__file__).parents[2]
FILES = ROOT / "build" / "corpus" / "files"
GOLDEN = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def services() -> t.Sequence[t.Mapping[str, t.Any]]:
    if not FILES.is_dir():
        pytest.skip("the corpus is not here: tests/corpus/fetch.sh")
    return translate(collect("runit", path=str(FILES)))


def golden(service: t.Mapping[str, t.Any]) -> str:
    """The text kept of a translation: how it went, and the units."""
    parts = [f"# {service['translation']}\n"]
    parts += [f"# {unit['name']}\n{unit['content'].partition(chr(10))[2]}" for unit in service["units"]]
    return "\n".join(parts)


def test_units_are_the_ones_found_right_by_eye(
    services: list[dict[str, t.Any]], request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--golden"):
        for file in GOLDEN.glob("*.units"):
            file.unlink()
        for service in services:
            (GOLDEN / f"{service['name']}.units").write_text(golden(service))
    kept = {file.stem: file.read_text() for file in GOLDEN.glob("*.units")}
    assert {service["name"]: golden(service) for service in services} == kept


def test_nearly_all_do_without_their_script(services: list[dict[str, t.Any]]) -> None:
    count = Counter(service["translation"] for service in services)
    assert count["native"] + count["shell"] >= 0.9 * len(services), count


def test_what_is_not_native_says_why(services: list[dict[str, t.Any]]) -> None:
    for service in services:
        if service["translation"] not in ("native", "shell"):
            assert [finding for finding in service["findings"] if finding["severity"] == "warning"], service["name"]


def test_systemd_takes_all_units(services: list[dict[str, t.Any]], tmp_path: Path) -> None:
    assert verify(services, tmp_path) == []
