# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One form for all points of time that modules return."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.times import rfc3339

MODULES = Path(__file__).resolve().parents[3] / "plugins" / "modules"


@pytest.mark.parametrize(
    ("usec", "precise", "short"),
    [
        (1795393611_000042, "2026-11-23T00:26:51.000042Z", "2026-11-23T00:26:51.000042Z"),
        (1795393611_000000, "2026-11-23T00:26:51.000000Z", "2026-11-23T00:26:51Z"),
        (253402300799_999999, "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        (253402300800_000000, None, None),
        (0, None, None),
        (2**64 - 1, None, None),
        (None, None, None),
    ],
)
def test_points_of_time(usec: int | None, precise: str | None, short: str | None) -> None:
    assert (rfc3339(usec), rfc3339(usec, fraction=False)) == (precise, short)
    if precise and usec:
        since = dt.datetime.fromisoformat(precise) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        assert since // dt.timedelta(microseconds=1) == usec


def test_documented_samples_have_it() -> None:
    """What looks like a time in the documentation of results is in that form."""
    found = []
    for path in MODULES.glob("*.py"):
        returned = path.read_text().partition("RETURN = ")[2]
        found += [(path.name, text) for text in re.findall(r"'(\d{4}-\d\d-\d\dT[^']+)'", returned)]
    assert len(found) > 4
    assert [each for each in found if not re.fullmatch(r"[-0-9]+T[0-9:]{8}(\.\d{6})?Z", each[1])] == []
