# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables of findings are made of."""

from __future__ import annotations

import typing as t

INFO = "info"
WARNING = "warning"
DECISION = "decision"


class Remedy(t.NamedTuple):
    """What to do about a finding. `type`: hint, variables (of the role) or command (for the host).

    In braces, texts have `unit`, `path` and `service`, and whatever else those name who make the finding.
    """

    type: str
    text: str
    variables: t.Mapping[str, t.Any] | None = None
    command: str = ""


class Kind(t.NamedTuple):
    """A kind of finding. `severity`: info, warning (look at it) or decision (choose)."""

    title: str
    severity: str
    remedy: Remedy


def hint(text: str) -> Remedy:
    """A remedy that a person has to see to."""
    return Remedy("hint", text)


def variables(text: str, **values: t.Any) -> Remedy:
    """A remedy that is a choice among the role's variables."""
    return Remedy("variables", text, variables=values)


def command(text: str, line: str) -> Remedy:
    """A remedy that is a command for the host."""
    return Remedy("command", text, command=line)
