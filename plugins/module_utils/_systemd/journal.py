# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal as data. It has no D-Bus interface, so journalctl(1) reads it, and hands out JSON."""

from __future__ import annotations

import json
import subprocess
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

PRIORITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]


def of_invocation(invocation: str, scope: str = "system") -> list[str]:
    """The matches for what one invocation of a unit said, and what its manager said of it."""
    prefix = "USER_" if scope == "user" else ""
    return [f"_SYSTEMD_INVOCATION_ID={invocation}", "+", f"{prefix}INVOCATION_ID={invocation}"]


def last_lines_of(invocation: str, unit: str, since: int, lines: int, scope: str = "system") -> list[dict[str, t.Any]]:
    """The last entries of one invocation of a unit, the oldest first.

    As a unit goes down, systemd removes the link that tells journald its invocation (/run/systemd/units/invocation:UNIT).
    What a process wrote in its last moment can be taken in after that, with the unit's name alone; it counts too.

    :param invocation: the InvocationID as 32 hexadecimal digits.
    :param since: when the invocation began, in microseconds since 1970; of what bears no ID, nothing older counts.
    :raises SystemdError: the journal cannot be read.
    """
    user = "USER_" if scope == "user" else ""
    found = read_journal(of_invocation(invocation, scope), lines)
    named = [f"--since=@{since // 10**6}", f"_SYSTEMD_{user}UNIT={unit}"]
    for entry in read_journal(named, lines, ["_SYSTEMD_INVOCATION_ID"]):
        if not entry.pop("fields") and entry["time"] >= since:
            found.append(entry)
    return sorted(found, key=lambda entry: entry["time"])[-lines:]


def read_journal(
    arguments: t.Sequence[str], lines: int | None, fields: t.Sequence[str] = (), timeout: float = 10.0
) -> list[dict[str, t.Any]]:
    """Entries of the journal, the oldest first.

    :param arguments: options and matches for journalctl.
    :param lines: at most how many of the last entries; None for all.
    :param fields: journal fields to return beside the common ones, under their own names; `all` for every one.
    :param timeout: seconds it may take.
    :raises SystemdError: journalctl is missing, refuses, or takes too long.
    """
    limit = [f"--lines={'all' if lines is None else lines}"]
    command = ["journalctl", "--no-pager", "--quiet", "--all", "--output=json", *limit, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as e:
        raise SystemdError("journalctl is not there, which reads the journal; install the package systemd") from e
    except subprocess.TimeoutExpired as e:
        raise SystemdError(
            f"reading the journal took longer than {timeout:g} s; ask for less, or give more time in `timeout`"
        ) from e
    if done.returncode and done.stderr.strip():
        raise SystemdError(f"journalctl failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return [_entry(json.loads(line), fields) for line in done.stdout.splitlines()]


def sync_journal() -> None:
    """Have journald take in and write out what it was sent so far; where it cannot be asked, that is no error."""
    try:
        subprocess.run(["journalctl", "--sync"], capture_output=True, timeout=5, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        pass


def _entry(record: dict[str, t.Any], fields: t.Sequence[str]) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {
        "time": int(record.get("__REALTIME_TIMESTAMP", 0)),
        "priority": int(record.get("PRIORITY", 6)),
        "identifier": _text(record.get("SYSLOG_IDENTIFIER")),
        "unit": _text(record.get("UNIT") or record.get("USER_UNIT") or record.get("_SYSTEMD_UNIT")),
        "pid": int(record["_PID"]) if str(record.get("_PID", "")).isdigit() else None,
        "message": _text(record.get("MESSAGE")),
    }
    if fields:
        chosen = record if "all" in fields else {name: record[name] for name in fields if name in record}
        entry["fields"] = {name: _text(value) for name, value in sorted(chosen.items())}
    return entry


def _text(value: t.Any) -> t.Any:
    """What journalctl makes of a field: a string, a list of bytes where it is not text, a list where there are several."""
    if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, list):
        return [_text(item) for item in value]
    return "" if value is None else value
