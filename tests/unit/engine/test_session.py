# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that all modules share."""

from __future__ import annotations

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput


@pytest.mark.parametrize(("given", "seconds"), [("1min", 60), ("90", 90), ("500ms", 0.5)])
def test_timeout(given: str, seconds: float) -> None:
    assert timeout_of({"timeout": given}) == seconds


def test_no_end() -> None:
    assert timeout_of({"timeout": "infinity"}) > 1e12


@pytest.mark.parametrize("given", ["0", "0s", "soon", "-1s"])
def test_a_timeout_in_which_nothing_can_be_done(given: str) -> None:
    with pytest.raises(BadInput, match="^timeout: "):
        timeout_of({"timeout": given})
