# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the reader of a translation should know."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Finding as FindingData

INFO = "info"
WARNING = "warning"
DECISION = "decision"


class Finding(t.NamedTuple):
    """Something the reader of a translation should know. `severity`: info, warning (check it) or decision (choose)."""

    severity: str
    construct: str
    file: str
    line: int
    message: str

    def as_dict(self) -> FindingData:
        return t.cast("FindingData", self._asdict())


class Refused(Exception):
    """There is no correct unit for this definition; the text says why."""

    def __init__(self, construct: str, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.construct = construct
        self.message = message
        self.line = line
