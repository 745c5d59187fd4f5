# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which conditions and assertions kept a unit from being started. Loaded only when something failed."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import read_journal, sync_journal
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.failures import Failure


def unmet(
    kind: str, rows: t.Sequence[t.Any], unit: t.Mapping[str, t.Any], entry: Failure, uid: int | None
) -> list[str]:
    """The conditions (or asserts) for which systemd did not start a unit, as they stand in its file.

    systemd tells of each what came of it, as long as it remembers the unit. One that it has not started and that nobody needs it
    forgets at once; what it then says of it are the rows alone, and they are looked at anew.

    :param kind: `Condition` or `Assert`.
    :param rows: `(type, trigger, negate, parameter, state)` of each, as on D-Bus.
    """
    if not rows or unit.get(f"{kind}Result", True):
        return []
    if unit.get(f"{kind}Timestamp"):
        return [_condition(row) for row in _that_count(rows, [row[4] < 0 for row in rows], [row[4] > 0 for row in rows])]
    expected = ("assert",) if kind == "Assert" else ("done", "skipped")
    if entry["active_state"] != "inactive" or entry["job"]["result"] not in expected:
        return []
    passed = _tested_anew(rows)
    if passed is None:
        return [_condition(row) for row in rows]
    failed = _that_count(rows, [not each for each in passed], passed)
    return [_condition(row) for row in failed] or _named_in_journal(kind, entry, uid)


def _that_count(rows: t.Sequence[t.Any], failed: t.Sequence[bool], passed: t.Sequence[bool]) -> list[t.Any]:
    """The rows that speak against the unit: of those with `|`, one that is met is enough (systemd.unit(5))."""
    triggered = any(row[1] and well for row, well in zip(rows, passed))
    return [row for row, bad in zip(rows, failed) if bad and not (row[1] and triggered)]


def _tested_anew(rows: t.Sequence[t.Any]) -> list[bool] | None:
    """Which of the conditions are met now, as systemd-analyze(1) tests them; None where it cannot tell."""
    # As alternatives all are tested, where otherwise the first that is not met ends it; in a file, a percent sign is two.
    lines = [f"{row[0]}=|{'!' if row[2] else ''}{row[3]}" for row in rows]
    try:
        done = run_program(["systemd-analyze", "condition", *(line.replace("%", "%%") for line in lines)], 10.0, merge=True)
    except SystemdError:
        return None
    said = done.stdout.decode("utf-8", "replace")
    passed = [f" {line} succeeded." in said for line in lines]
    return passed if all(well or f" {line} failed." in said for line, well in zip(lines, passed)) else None


def _named_in_journal(kind: str, entry: Failure, uid: int | None) -> list[str]:
    """The condition that systemd names as it passes over a unit, from version 249 on; for what has come true since."""
    import re

    of_user, whose = ("", []) if uid is None else ("USER_", [f"_UID={uid}"])
    sync_journal()
    try:
        told_then = read_journal([f"{of_user}UNIT={entry['unit']}", f"JOB_ID={entry['job']['id']}", *whose, "--boot"], 5)
    except SystemdError:
        return []
    for record in reversed(told_then):
        found = re.search(rf"unmet \w+ check \(?({kind}\w+=.*?)\)?\.?$", record["message"])
        if found:
            return [found[1]]
    return []


def _condition(row: t.Sequence[t.Any]) -> str:
    """A row of Conditions or Asserts, (type, trigger, negate, parameter, state), as it stands in the unit file."""
    return f"{row[0]}={'|' if row[1] else ''}{'!' if row[2] else ''}{row[3]}"
