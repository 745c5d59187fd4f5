# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All kinds of findings, by key: a table for what several sources have, and one for each source's own.

The page `docs/docsite/rst/guide_findings.rst` says of each what it means; a test compares the two.
"""

from __future__ import annotations

import difflib
import fnmatch
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.plugin_utils._findings import cron, runit, scripts, services

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._findings.kinds import Kind

KINDS: dict[str, Kind] = {**scripts.KINDS, **services.KINDS, **runit.KINDS, **cron.KINDS}


def kind_of(key: str) -> Kind:
    """The kind of a finding.

    :raises AssertionError: the key is in no table, which is a defect.
    """
    found = KINDS.get(key)
    if found is None:
        raise AssertionError(f"{key!r} is the key of no finding; give it a row in _findings/")
    return found


def check_pattern(pattern: str, where: str) -> str:
    """A key, or a glob of keys such as `log.*`.

    :param where: the option, for the error.
    :raises BadInput: it is for no finding at all; the text names the nearest key.
    """
    if not fnmatch.filter(KINDS, pattern):
        near = difflib.get_close_matches(pattern, KINDS, 1, 0.5) or [
            key for key in KINDS if pattern and pattern in key.partition(".")[2]
        ]
        known = (
            f"did you mean {near[0]!r}?"
            if near
            else f"the first words of keys are {', '.join(sorted({key.partition('.')[0] for key in KINDS}))}"
        )
        raise BadInput(f"{where}: {shown(pattern)} is the key of no finding; {known}")
    return pattern
