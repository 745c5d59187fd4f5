# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `journal_info` module's task."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, short, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import (
    ARGUMENT_BYTES,
    check_directory,
    check_line,
    check_range,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import (
    CURSOR,
    any_of,
    end_of_journal,
    invocation_matches,
    invocations_of,
    last_words_of,
    left,
    read_journal,
    user_unit_matches,
    user_units,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name, is_glob, is_template
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import PrintedTooMuch, ProgramTooSlow
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable, list_small
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.times import rfc3339

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module

_HEX = frozenset("0123456789abcdefABCDEF")
_FIELD = re.compile("[A-Z0-9_]{1,64}")
# What can be looked for: no entry has a field whose name begins with a digit, and those with __ are about the entry itself.
_MATCHED = re.compile("(?!__)[A-Z_][A-Z0-9_]{0,63}")
_BOOT = re.compile("all|[-+]?[0-9]{1,6}|[0-9a-fA-F]{32}(?:[-+][0-9]{1,6})?")
# What sd_journal_get_cursor(3) makes, whichever parts there are.
_CURSOR = re.compile("[a-z]=[0-9a-f]+(?:;[a-z]=[0-9a-f]+)*")
_A_TIME = "write one such as '2026-11-22 18:00', 2026-11-22T18:00:00Z, today or -1h"
# What --lines takes is a signed number of 32 bits.
_MOST_LINES = 2**31 - 1


def gather(module: Module) -> dict[str, t.Any]:
    """Read what the module's options ask for; returns the module's result."""
    params = module.params
    session = open_session(params, connects=False, module=module)
    _check(params)
    for option in ("since", "until"):
        if params[option] is not None:
            params[option] = point_of_time(params[option], option)
    lines = params["lines"] or None
    wanted = _wanted(params["invocation"])
    warnings: list[str] = []
    told: dict[str, t.Any] = {"invocation_id": None} if wanted is not None else {}
    try:
        invocation = wanted if wanted is None or isinstance(wanted, str) else _find(wanted, params, session, warnings)
        options, terms = _options(params), _terms(params, session)
        if terms is None or session.gone or (wanted is not None and invocation is None):
            return {"changed": False, "entries": [], "cursor": _end(params, session), "warnings": warnings, **told}
        told = {"invocation_id": invocation} if wanted is not None else {}
        entries = _read(params, session, options, terms, invocation)
        cursor = entries[-1].pop("cursor") if entries else _end(params, session)
        if not entries and cursor is not None and params["after_cursor"] is None:
            # What was written between the two looks is found now, and what comes later is behind that end.
            entries = _read(params, session, options, terms, invocation)
            cursor = entries[-1].pop("cursor") if entries else cursor
    except PrintedTooMuch as e:
        raise BadInput(
            f"lines: {'all entries' if lines is None else f'the last {lines} entries'} that were asked for are more than the "
            f"{e.limit >> 20} MiB that one result may be made of; ask for fewer with `lines`, or narrow it with `since`, `until` "
            "or `match`"
        ) from e
    except ProgramTooSlow as e:
        raise SystemdError(
            f"timeout: reading the journal took longer than {params['timeout']}; ask for less, or give more time"
        ) from e
    except SystemdError as e:
        raise _of_option(e, params) from e
    for entry in entries:
        entry.pop("cursor", None)
        entry["usec"], entry["time"] = entry["time"], rfc3339(entry["time"])
    warnings += [] if entries else _blind(params)
    return {"changed": False, "entries": entries, "cursor": cursor, "warnings": warnings, **told}


def _read(
    params: dict[str, t.Any],
    session: Session,
    options: t.Sequence[str],
    terms: t.Sequence[t.Sequence[str]],
    invocation: str | None,
) -> list[dict[str, t.Any]]:
    """The entries that are asked for, each with its `cursor` beside what `Entry` has.

    With `after_cursor` they are read from that place on, and what lies there is left out here: before version 257,
    `--after-cursor` leaves out the first entry behind it wherever the one there is none of those that are asked for.
    """
    lines, fields, after, owner = params["lines"] or None, params["fields"], params["after_cursor"], session.owner
    at, most = ([], lines) if after is None else ([f"--cursor={after}"], None if lines is None else min(lines + 1, _MOST_LINES))
    asked = [*fields, CURSOR]
    found: list[t.Any] = []
    if invocation is None:
        found += read_journal([*options, *at, *any_of(terms)], most, asked, left(session.deadline))
    else:
        both = [[*term, *of] for term in terms for of in invocation_matches(invocation, owner)]
        found += read_journal([*options, *at, *any_of(both)], most, asked, left(session.deadline))
        matches = [*options, *any_of(terms)]
        late = last_words_of(invocation, _where(params), matches, asked, owner, left(session.deadline))
        found = sorted([*found, *(each for each in late if each["time"] > _time_of(after))], key=lambda entry: entry["time"])
    for entry in found:
        record = entry.pop("fields")
        entry["cursor"] = record.get(CURSOR)
        if fields:
            entry["fields"] = record if {"all", CURSOR} & set(fields) else {k: v for k, v in record.items() if k != CURSOR}
    if after is None:
        return found[-(lines or 0) :]
    return [entry for entry in found if entry["cursor"] != after][:lines]


def _time_of(cursor: str | None) -> int:
    """When the entry at a cursor was written, in microseconds since 1970; 0 where there is none, or the cursor does not say."""
    said = re.search(";t=([0-9a-f]{1,16});", cursor or "")
    return int(said[1], 16) if said else 0


def _end(params: dict[str, t.Any], session: Session) -> str | None:
    """Where a later task goes on that finds more than this one, which has found nothing."""
    if params["after_cursor"] is not None:
        return str(params["after_cursor"])
    return end_of_journal(_where(params), left(session.deadline))


def _blind(params: t.Mapping[str, t.Any]) -> list[str]:
    """Why there may be nothing to see: journalctl passes over journals in silence that the user may not read (journalctl(1))."""
    if os.geteuid() == 0:
        return []
    found = []
    for base in [params["directory"]] if params["directory"] is not None else ["/var/log/journal", "/run/log/journal"]:
        try:
            for name in (".", *list_small(base)):
                path = f"{base}/{name}/system.journal"
                found += [path] if os.path.exists(path) else []
        except Unreadable:
            found.append(base)
    if not found or any(os.access(path, os.R_OK) for path in found if path.endswith(".journal")):
        return []
    return [
        f"this user may not read the system's journal ({found[0]}), so that nothing but his own messages can be found; add "
        "`become: true`, or make him a member of the group systemd-journal (adm and wheel may read it, too, on most hosts)"
    ]


def _check(params: dict[str, t.Any]) -> None:
    """Refuse what journalctl would not take, or would take for something else, before it is asked."""
    check_range(params["lines"], "lines", 0, _MOST_LINES, "give a number of entries, or 0 for all")
    if params["after_cursor"] is not None:
        check_line(params["after_cursor"], "after_cursor", "a cursor", "give the `cursor` that an earlier task returned", 500)
        if not _CURSOR.fullmatch(params["after_cursor"]):
            raise _no_cursor(params["after_cursor"])
        if params["since"] is not None:
            raise BadInput(
                f"since: {shown(params['since'])} and `after_cursor` are two places to begin at; leave out one of them"
            )
    for option in ("since", "until"):
        if params[option] is not None:
            check_line(params[option].strip(), option, "a time", _A_TIME, 100)
    if params["grep"] is not None and len(params["grep"].encode()) >= ARGUMENT_BYTES - len("--grep="):
        raise BadInput(
            f"grep: {shown(params['grep'])} is longer than the {ARGUMENT_BYTES} bytes that a program can be given; shorten it"
        )
    if params["grep"] is not None and not params["grep"]:
        raise BadInput("grep: is empty, which is in every message; give a regular expression, or leave `grep` out")
    boot = params["boot"]
    if boot is not None and not _BOOT.fullmatch(boot.replace("-", "") if len(boot) == 36 else boot):
        raise BadInput(
            f"boot: {shown(boot)} is no boot; write 0 for this one, -1 for the one before, the ID of one, or all"
        )
    for index, name in enumerate(params["identifier"]):
        check_line(name, f"identifier[{index}]", "an identifier", "write one such as sshd")
    for index, name in enumerate(params["fields"]):
        if name != "all" and not _FIELD.fullmatch(name):
            raise BadInput(
                f"fields[{index}]: {shown(name)} is no name of a journal field; they look like _COMM or SYSLOG_FACILITY, "
                "and `all` is all of them"
            )
    if params["directory"] is not None:
        params["directory"] = check_directory(params["directory"], "directory")
        if not os.path.isdir(params["directory"]):
            raise BadInput(
                f"directory: {params['directory']} is no directory on this host; name one that holds journal files"
            )


def _no_cursor(text: str) -> BadInput:
    return BadInput(
        f"after_cursor: {shown(text)} is no cursor to this host's journalctl; give the `cursor` that an earlier task returned"
    )


def _of_option(error: SystemdError, params: t.Mapping[str, t.Any]) -> SystemdError:
    """What journalctl said, as an error of the option that it is about; the error itself where that is not known."""
    for option in ("since", "until"):
        if params[option] is not None and f"timestamp: {params[option]}" in f"{error.msg} ":
            return BadInput(f"{option}: {shown(params[option])} is no time to this host's journalctl; {_A_TIME}")
    said = error.msg.partition("journalctl failed: ")[2]
    if params["after_cursor"] is not None and "seek to cursor" in said:
        return _no_cursor(params["after_cursor"])
    if "--since= must be before --until=" in said:
        return BadInput(
            f"since: {shown(params['since'])} is later than `until`, {shown(params['until'])}, so that nothing lies between them; "
            "exchange the two, or leave one out"
        )
    if params["boot"] is not None and re.search(r"\bboot\b", said):
        return BadInput(f"boot: the journal has nothing of boot {params['boot']}: {said}")
    if params["grep"] is not None and re.search("pattern|PCRE|grep", said):
        return BadInput(f"grep: {shown(params['grep'])} is no regular expression to this host's journalctl: {said}")
    return error


def point_of_time(text: str, option: str) -> str:
    """A point of time as every version's journalctl reads it.

    :param text: microseconds since 1970, a date and time in ISO 8601, or what journalctl reads by itself.
    :raises BadInput: it is empty.
    """
    text = text.strip()
    if not text:
        raise BadInput(f"{option}: is empty; leave it out, or write a time such as today or -1h")
    if is_digits(text):
        return _since_1970(count(text))
    # Versions before 255 know no T and no offset.
    if text[10:11] not in ("T", "t"):
        return text
    import datetime

    zulu = text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text
    whole, dot, rest = zulu.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    try:
        when = datetime.datetime.fromisoformat(whole + (rest[len(digits) :] if dot else ""))
        seconds = int(when.timestamp())
    except (ValueError, OverflowError):
        return text
    return _since_1970(seconds * 10**6 + count((digits + "000000")[:6]))


def _since_1970(usec: int) -> str:
    return f"@{usec // 10**6}.{usec % 10**6:06d}"


def _wanted(text: str | None) -> str | int | None:
    """Which invocation is meant: its ID, or how many there are after it."""
    if text is None:
        return None
    plain = text.replace("-", "")
    if len(plain) == 32 and _HEX.issuperset(plain):
        return plain.lower()
    if not re.fullmatch("0|-[0-9]{1,4}", text):
        raise BadInput(
            f"invocation: {shown(text)} is no invocation; write its ID, which has 32 hexadecimal digits, 0 for the last one of the unit, "
            "or -1 for the one before"
        )
    return -int(text)


def _find(back: int, params: dict[str, t.Any], session: Session, warnings: list[str]) -> str | None:
    """The ID of an invocation of the unit that is named; None where there is none, with a warning.

    :param back: how many there are after it.
    :raises BadInput: not one unit is named.
    """
    names = [check_name(name, "unit", globs=True) for name in params["unit"]]
    if len(names) != 1 or is_glob(names[0]):
        raise BadInput(
            f"invocation: {-back} counts the invocations of one unit, and `unit` "
            f"{'names ' + short(names) if names else 'names none'}; name one unit, or give the ID of an invocation"
        )
    if session.gone:
        return None
    current, name = "", names[0]
    if params["directory"] is None and params["boot"] in (None, "0"):
        current, name = _known_to_systemd(name, params, session)
        # The journal has it by the name that systemd has for it.
        params["unit"] = [name]
    if current and not back:
        return current
    boot = [] if params["boot"] is None else [f"--boot={params['boot']}"]
    told = invocations_of(name, [*_where(params), *boot], session.owner, left(session.deadline))
    found = [*(each for each in told if each != current), *([current] if current else [])]
    if back < len(found):
        return found[-1 - back]
    warnings.append(
        f"invocation: {-back}: there is no such invocation of {name}, as {len(found) or 'none'} of it {'is' if len(found) < 2 else 'are'} known"
    )
    return None


def _known_to_systemd(name: str, params: dict[str, t.Any], session: Session) -> tuple[str, str]:
    """The invocation of a unit that systemd knows of, empty where it knows none, and its own name of the unit."""
    from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import UNIT
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import NotPermitted

    if not os.path.isdir("/run/systemd/system") or is_template(name):
        return "", name
    try:
        with open_session(params, left(session.deadline), may_be_down=True) as asked, asked.reading():
            if asked.manager.absent:
                return "", name
            (status,) = asked.manager.status([name])
            (value,) = asked.manager.properties([(status.path, UNIT, "InvocationID")])
            return bytes(value or b"").hex(), status.id
    except (BusTimeout, BusUnreachable, NotPermitted):
        return "", name


def _options(params: dict[str, t.Any]) -> list[str]:
    """Options of journalctl."""
    arguments = []
    if params["scope"] == "system":
        arguments += [f"--unit={check_name(name, 'unit', globs=True)}" for name in params["unit"]]
    if params["boot"] is not None:
        arguments.append(f"--boot={params['boot']}")
    for option in ("since", "until", "grep"):
        if params[option] is not None:
            arguments.append(f"--{option}={params[option]}")
    if params["priority"] is not None:
        arguments.append(f"--priority={params['priority']}")
    arguments += [f"--identifier={name}" for name in params["identifier"]]
    return arguments + _where(params)


def _where(params: dict[str, t.Any]) -> list[str]:
    return [] if params["directory"] is None else [f"--directory={params['directory']}"]


def _terms(params: dict[str, t.Any], session: Session) -> list[list[str]] | None:
    """Matches for journalctl, as alternatives of which each has to be met wholly; None where nothing can meet them."""
    common = []
    for name, value in (params["match"] or {}).items():
        if not _MATCHED.fullmatch(name):
            raise BadInput(
                f"match: {shown(name)} is no name of a journal field that can be looked for; they look like _COMM or SYSLOG_FACILITY"
            )
        if value == []:
            raise BadInput(
                f"match: {name} is an empty list, which nothing can match; give a value, or leave {name} out"
            )
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, bool) or not isinstance(each, (str, int, float)):
                raise BadInput(f"match: {name}: {shown(each)} is no value of a field; give text, or a list of it")
            common.append(f"{name}={each}")
            if len(common[-1].encode()) >= ARGUMENT_BYTES:
                raise BadInput(
                    f"match: {name}: {shown(each)} is longer than the {ARGUMENT_BYTES} bytes that a program can be given; "
                    "match something shorter"
                )
    if params["scope"] != "user":
        return [common]
    if not params["unit"]:
        return [[*common, f"_UID={session.uid}"]] if params["user"] is not None else [common]
    given = [check_name(name, "unit", globs=True) for name in params["unit"]]
    names = _user_units(given, _where(params), left(session.deadline))
    return [[*common, *matches] for name in names for matches in user_unit_matches(name, session.uid)] or None


def _user_units(names: t.Sequence[str], where: t.Sequence[str], timeout: float) -> list[str]:
    """The units of users that are meant, where patterns are among the names."""
    patterns = [name for name in names if set("*?[") & set(name)]
    found = [name for name in names if name not in patterns]
    if patterns:
        import fnmatch

        found += [
            name
            for name in user_units(where, timeout)
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        ]
    return list(dict.fromkeys(found))
