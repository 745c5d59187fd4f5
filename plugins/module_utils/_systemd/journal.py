# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal as data. It has no D-Bus interface, so journalctl(1) reads it, and hands out JSON."""

from __future__ import annotations

import json
import re
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import privileged
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import (
    PrintedTooMuch,
    ProgramMissing,
    run_program,
)

# Microseconds around the end of an invocation in which its last words are looked for.
_LATE = 5_000_000
# Entries that are looked at for them at most.
_MANY = 10_000
# What it says where no unit that it has heard of is meant by a pattern.
_NO_SUCH_UNITS = "Failed to add filter for units: No data available"
# Units whose logs are read together, and entries for each that are looked at then: journalctl takes longer for each entry, the more
# units there are.
_TOGETHER = 40
_FOR_EACH = 15
# The same of one unit, where those were not enough.
_ALONE = 100
CURSOR = "__CURSOR"
_INVOCATION = "_SYSTEMD_INVOCATION_ID"
# What `Entry` is made of.
_COMMON = ("PRIORITY", "SYSLOG_IDENTIFIER", "UNIT", "USER_UNIT", "_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "_PID", "MESSAGE")
PRIORITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]


class LogOf(t.NamedTuple):
    """One invocation of a unit, of which lines are wanted: as for `last_lines_of`."""

    invocation: str
    unit: str
    since: int


class LastJob(t.NamedTuple):
    """The last job of a unit that its manager told of; `skipped` where it was done in that a condition was not met."""

    id: int
    type: str
    result: str
    skipped: bool


if t.TYPE_CHECKING:

    class _More(t.TypedDict, total=False):
        # Those that were asked for, by their names in the journal.
        fields: dict[str, t.Any]
        # As `time` was, where that is told as text (RFC 3339) in a result.
        usec: int

    class Entry(_More):
        """An entry of the journal."""

        # In microseconds since 1970.
        time: t.Any
        priority: int
        identifier: str
        unit: str
        pid: int | None
        message: str


def invocation_matches(invocation: str, uid: int | None = None) -> list[list[str]]:
    """What one invocation of a unit said, and what its manager said of it, as alternatives for `any_of`.

    :param uid: the user of whose manager the unit is, None for the system's. What a user's manager tells may be the ID of any
        other invocation, so only what that user's processes said counts.
    """
    prefix, of_user = ("", []) if uid is None else ("USER_", [f"_UID={uid}"])
    return [[f"_SYSTEMD_INVOCATION_ID={invocation}", *of_user], [f"{prefix}INVOCATION_ID={invocation}", *of_user]]


def any_of(alternatives: t.Iterable[t.Sequence[str]]) -> list[str]:
    """Arguments of journalctl for entries to which all matches of at least one of the alternatives apply."""
    words: list[str] = []
    for matches in alternatives:
        words += [*(["+"] if words else []), *matches]
    return words


def user_unit_matches(unit: str, uid: int) -> list[list[str]]:
    """Alternatives for what a unit of a user's manager said, and what was said of it; one name, and no pattern.

    What journalctl makes of `--user-unit` is of the user who calls it, and of nobody else's units.
    """
    fields = ("_SYSTEMD_USER_UNIT", "USER_UNIT", "COREDUMP_USER_UNIT", "OBJECT_SYSTEMD_USER_UNIT")
    return [[f"{field}={unit}", f"_UID={uid}"] for field in fields]


def user_units(where: t.Sequence[str] = (), timeout: float = 10.0) -> list[str]:
    """The names of all units of users' managers that the journal knows.

    :param where: options of journalctl that say which journal.
    :param timeout: seconds that it may take.
    :raises SystemdError: the journal cannot be read.
    """
    fields, end = ("_SYSTEMD_USER_UNIT", "USER_UNIT"), time.monotonic() + timeout
    lines = [line for field in fields for line in _journalctl([*where, f"--field={field}"], left(end))]
    return sorted({line.decode("utf-8", "replace") for line in lines})


def last_words_of(
    invocation: str,
    where: t.Sequence[str],
    arguments: t.Sequence[str],
    fields: t.Sequence[str],
    uid: int | None = None,
    timeout: float = 10.0,
) -> list[Entry]:
    """What one invocation said at its very end and was stored with the name of its unit alone (see `last_lines_of`).

    It is told from what others said by what systemd said of the unit: it came after the end of the invocation before, and
    before the beginning of the next one.

    :param where: options of journalctl that say which journal.
    :param uid: as for `invocation_matches`.
    :param timeout: seconds that all of it may take.
    :param arguments: the same, and all options and matches that the entries have to meet besides.
    :param fields: as for `read_journal`.
    :raises SystemdError: the journal cannot be read.
    """
    end = time.monotonic() + timeout
    of_user, whose = ("", []) if uid is None else ("USER_", [f"_UID={uid}"])
    key = f"{of_user}INVOCATION_ID"
    told = read_journal([*where, f"{key}={invocation}", *whose], None, timeout=timeout)
    if not told or not told[-1]["unit"]:
        return []
    unit, begun, ended = told[-1]["unit"], told[0]["time"], told[-1]["time"]
    low, high = ended - _LATE, ended + _LATE
    for other in read_journal([*where, *_between(low, high), f"{of_user}UNIT={unit}", *whose], None, [key], left(end)):
        if other["fields"].get(key) not in (None, invocation):
            low = max(low, other["time"]) if other["time"] < begun else low
            high = min(high, other["time"]) if other["time"] > ended else high
    words = []
    for entry in read_journal([*_between(low, high), *arguments], _MANY, ["all"], left(end)):
        record = entry.pop("fields")
        if record.get("_SYSTEMD_INVOCATION_ID") or record.get(f"_SYSTEMD_{of_user}UNIT") != unit:
            continue
        if low < entry["time"] < high:
            if fields:
                entry["fields"] = record if "all" in fields else {k: v for k, v in record.items() if k in fields}
            words.append(entry)
    return words


def newest_invocation_of(unit: str, since: int, uid: int | None = None) -> str:
    """The InvocationID of a unit that its manager named last, as 32 hexadecimal digits; empty where it named none.

    :param since: in microseconds since 1970; nothing older counts.
    :param uid: as for `invocation_matches`.
    :raises SystemdError: the journal cannot be read.
    """
    of_user, whose = ("", "_PID=1") if uid is None else ("USER_", f"_UID={uid}")
    key = f"{of_user}INVOCATION_ID"
    told = read_journal([f"--since=@{since // 10**6}", f"{of_user}UNIT={unit}", whose], _MANY, [key])
    found = [str(entry["fields"].get(key)) for entry in told if since <= entry["time"]]
    return next((each for each in reversed(found) if re.fullmatch("[0-9a-f]{32}", each)), "")


def invocations_of(
    unit: str, where: t.Sequence[str], uid: int | None = None, timeout: float = 10.0
) -> list[str]:
    """The invocations of a unit of which the journal tells, the oldest first.

    What the manager says of the unit names them; where the unit keeps it from being logged (LogLevelMax=), the last one is
    that of the last process that said anything.

    :param where: options of journalctl that say which journal and boot.
    :param uid: as for `invocation_matches`.
    :param timeout: seconds that it may take.
    :raises SystemdError: the journal cannot be read.
    """
    end = time.monotonic() + timeout
    of_user, whose = ("", []) if uid is None else ("USER_", [f"_UID={uid}"])
    key, by = f"{of_user}INVOCATION_ID", f"_SYSTEMD_{of_user}UNIT={unit}"
    said = ["_PID=1"] if uid is None else whose
    told = read_journal([*where, _only(key), f"{of_user}UNIT={unit}", *said], _MANY, [key], left(end))
    told += read_journal([*where, _only(_INVOCATION), by, *whose], 1, [_INVOCATION], left(end))
    found: dict[str, None] = {}
    for entry in sorted(told, key=lambda entry: entry["time"]):
        for name in (key, _INVOCATION):
            value = str(entry["fields"].get(name))
            if re.fullmatch("[0-9a-f]{32}", value):
                # In the order of what was said last of each.
                found.pop(value, None)
                found[value] = None
    return list(found)


def end_of_journal(where: t.Sequence[str], timeout: float = 10.0) -> str | None:
    """The cursor of the last entry, None where there is none.

    :param where: options of journalctl that say which journal.
    :raises SystemdError: the journal cannot be read.
    """
    last = read_journal([*where, _only()], 1, [CURSOR], timeout)
    return last[-1]["fields"].get(CURSOR) if last else None


def left(end: float) -> float:
    """The seconds until a deadline on the clock of `time.monotonic()`, a moment at least."""
    return max(end - time.monotonic(), 0.01)


def _between(low: int, high: int) -> list[str]:
    """Options for the entries between two points of time in microseconds since 1970."""
    return [f"--since=@{low // 10**6}", f"--until=@{high // 10**6 + 1}"]


def last_lines_of(
    invocation: str, unit: str, since: int, lines: int, uid: int | None = None, until: int | None = None
) -> list[Entry]:
    """The last entries of one invocation of a unit, the oldest first.

    As a unit goes down, systemd removes the link that tells journald its invocation (/run/systemd/units/invocation:UNIT).
    What a process wrote in its last moment can be taken in after that, with the unit's name alone; it counts too.

    :param invocation: the InvocationID as 32 hexadecimal digits.
    :param since: when the invocation began, in microseconds since 1970; of what bears no ID, nothing older counts.
    :param uid: as for `invocation_matches`.
    :param until: when the unit could be started again, likewise, where it was; of what bears no ID, nothing newer counts.
    :raises SystemdError: the journal cannot be read.
    """
    found = read_journal(any_of(invocation_matches(invocation, uid)), lines)
    named = [f"--since=@{since // 10**6}"]
    named += [f"_SYSTEMD_UNIT={unit}"] if uid is None else [f"_SYSTEMD_USER_UNIT={unit}", f"_UID={uid}"]
    for entry in read_journal(named, lines, ["_SYSTEMD_INVOCATION_ID"]):
        if not entry.pop("fields") and since <= entry["time"] and (until is None or entry["time"] <= until):
            found.append(entry)
    return sorted(found, key=lambda entry: entry["time"])[-lines:]


def last_lines_of_many(
    wanted: t.Sequence[LogOf], lines: int, uid: int | None, end: float
) -> t.Iterator[tuple[LogOf, list[Entry]]]:
    """As `last_lines_of` for many units that are down since the invocation ended, in few runs of journalctl; in no order.

    :param end: on the clock of `time.monotonic()`.
    :raises SystemdError: the journal cannot be read, or not in that time; nothing of it is lost that was yielded before.
    """
    alone: list[LogOf] = []
    for start in range(0, len(wanted), _TOGETHER):
        batch = wanted[start : start + _TOGETHER]
        try:
            logs, whole, oldest = _lines_of_batch(batch, _FOR_EACH * len(batch), uid, end)
        except PrintedTooMuch:
            alone += batch
            continue
        for each, log in zip(batch, logs):
            if whole or len(log) >= lines or oldest < each.since:
                yield each, log[-lines:]
            else:
                alone.append(each)
    for each in alone:
        try:
            logs, _whole, _oldest = _lines_of_batch([each], _ALONE, uid, end)
        except PrintedTooMuch:
            logs = [[]]
        yield each, logs[0][-lines:]


def _lines_of_batch(
    wanted: t.Sequence[LogOf], most: int, uid: int | None, end: float
) -> tuple[list[list[Entry]], bool, int]:
    """What the last entries of the journal about any of the units have of each invocation.

    Returns it, whether these were all entries that there are, and the time of the first one.
    """
    of_user, whose = ("", []) if uid is None else ("USER_", [f"_UID={uid}"])
    by, about = f"_SYSTEMD_{of_user}UNIT", f"{of_user}INVOCATION_ID"
    matches = [[*(f"{by}={each.unit}" for each in wanted), *whose], [*(f"{about}={each.invocation}" for each in wanted), *whose]]
    found = read_journal([_only(by, about, _INVOCATION), *any_of(matches)], most, [by, about, _INVOCATION], left(end))
    logs: list[list[Entry]] = [[] for _each in wanted]
    by_invocation = {each.invocation: index for index, each in enumerate(wanted)}
    by_unit = {each.unit: index for index, each in enumerate(wanted)}
    for entry in sorted(found, key=lambda entry: entry["time"]):
        record = entry.pop("fields")
        own = record.get(_INVOCATION)
        index = by_invocation.get(str(own), by_invocation.get(str(record.get(about))))
        if index is None and not own:
            # Last words that bear the unit's name alone.
            index = by_unit.get(str(record.get(by)))
            index = None if index is None or entry["time"] < wanted[index].since else index
        if index is not None:
            logs[index].append(entry)
    return logs, len(found) < most, min((entry["time"] for entry in found), default=0)


def last_jobs_of(units: t.Sequence[str], uid: int | None, end: float) -> dict[str, LastJob]:
    """The last job of each unit in this boot, as far as its manager told of it in the journal.

    :param uid: as for `invocation_matches`.
    :param end: on the clock of `time.monotonic()`.
    :raises SystemdError: the journal cannot be read, or not in that time.
    """
    found: dict[str, LastJob] = {}
    alone: list[str] = []
    for start in range(0, len(units), _TOGETHER):
        batch = units[start : start + _TOGETHER]
        if _add_jobs(found, batch, _FOR_EACH * len(batch), uid, end):
            alone += [unit for unit in batch if unit not in found]
    for unit in alone:
        _add_jobs(found, [unit], _ALONE, uid, end)
    return found


def _add_jobs(found: dict[str, LastJob], units: t.Sequence[str], most: int, uid: int | None, end: float) -> bool:
    """Add what the last entries about the units say of jobs; returns whether there may be more entries."""
    of_user, whose = ("", "_PID=1") if uid is None else ("USER_", f"_UID={uid}")
    key, fields = f"{of_user}UNIT", ["JOB_ID", "JOB_TYPE", "JOB_RESULT"]
    arguments = ["--boot", _only(*fields), *(f"{key}={unit}" for unit in units), whose]
    entries = read_journal(arguments, most, fields, left(end))
    for entry in entries:
        number, kind, result = (str(entry["fields"].get(name, "")) for name in fields)
        if entry["unit"] in units and is_digits(number) and result:
            skipped = result == "skipped" or (result == "done" and "skipped" in entry["message"])
            found[entry["unit"]] = LastJob(count(number), kind, result, skipped)
    return len(entries) >= most


def _only(*fields: str) -> str:
    """The option of journalctl that leaves out fields that nobody asks for."""
    return f"--output-fields={','.join((*_COMMON, *fields))}"


def read_journal(
    arguments: t.Sequence[str], lines: int | None, fields: t.Sequence[str] = (), timeout: float = 10.0
) -> list[Entry]:
    """Entries of the journal, the oldest first.

    :param arguments: options and matches for journalctl.
    :param lines: at most how many of the last entries; None for all.
    :param fields: journal fields to return beside the common ones, under their own names; `all` for every one.
    :param timeout: seconds it may take.
    :raises ProgramTooSlow: it takes too long.
    :raises PrintedTooMuch: it is more than a program may print.
    :raises SystemdError: journalctl is missing, or refuses.
    """
    limit = f"--lines={'all' if lines is None else lines}"
    found = _journalctl(["--all", "--output=json", limit, *arguments], timeout)
    return [_entry(each, fields) for each in map(_read, found) if each is not None]


def _read(line: bytes) -> dict[str, t.Any] | None:
    """An entry as journalctl prints it; None for a line that was cut short, as where the disk is full or journalctl dies."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _journalctl(arguments: t.Sequence[str], timeout: float) -> list[bytes]:
    """The lines that journalctl prints."""
    command = ["journalctl", "--no-pager", "--quiet", *arguments]
    try:
        with privileged("what systemd says of a user's units is in the system's journal"):
            done = run_program(command, timeout)
    except ProgramMissing as e:
        raise SystemdError("journalctl is not there, which reads the journal; install the package systemd") from e
    why = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode and why and why != _NO_SUCH_UNITS:
        raise SystemdError(f"journalctl failed: {why}")
    return done.stdout.splitlines()


def sync_journal() -> None:
    """Have journald take in and write out what it was sent so far; where it cannot be asked, that is no error."""
    try:
        with privileged("only root may ask journald for it"):
            run_program(["journalctl", "--sync"], 5.0)
    except SystemdError:
        pass


def _entry(record: dict[str, t.Any], fields: t.Sequence[str]) -> Entry:
    entry: Entry = {
        "time": _number(record.get("__REALTIME_TIMESTAMP")) or 0,
        "priority": _priority(record.get("PRIORITY")),
        "identifier": _joined(record.get("SYSLOG_IDENTIFIER")),
        "unit": _joined(record.get("UNIT") or record.get("USER_UNIT") or _of_process(record)),
        "pid": _number(record.get("_PID")),
        "message": _joined(record.get("MESSAGE")),
    }
    if fields:
        chosen = record if "all" in fields else {name: record[name] for name in fields if name in record}
        entry["fields"] = {name: _text(value) for name, value in sorted(chosen.items())}
    return entry


def _of_process(record: dict[str, t.Any]) -> t.Any:
    """The unit that a process was of: of a user's manager rather than that manager's own."""
    return record.get("_SYSTEMD_USER_UNIT") or record.get("_SYSTEMD_UNIT")


def _priority(value: t.Any) -> int:
    """Whoever writes to the journal may send anything for a priority."""
    return int(value) if isinstance(value, str) and len(value) == 1 and value in "01234567" else 6


def _number(value: t.Any) -> int | None:
    """A field that is a number; None where it is none, as nobody vouches for a journal from elsewhere."""
    return count(value) if isinstance(value, str) and is_digits(value) and len(value) <= 20 else None


def _joined(value: t.Any) -> str:
    """A field's text, that of several under one name in lines."""
    text = _text(value)
    return "\n".join(str(each) for each in text) if isinstance(text, list) else str(text)


def _text(value: t.Any) -> t.Any:
    """What journalctl makes of a field: a string, a list of bytes where it is not text, a list where there are several."""
    if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, list):
        return [_text(item) for item in value]
    return "" if value is None else value
