# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `journal_info` module's task."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import check_scope, timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import (
    any_of,
    invocation_matches,
    last_words_of,
    read_journal,
    user_unit_matches,
    user_units,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name

_HEX = frozenset("0123456789abcdefABCDEF")


def gather(module: t.Any) -> dict[str, t.Any]:
    """Read what the module's options ask for; returns the module's result."""
    params = module.params
    check_scope(params)
    timeout = timeout_of(params)
    _check_directory(params["directory"])
    if params["lines"] < 0:
        raise BadInput(f"lines: {params['lines']} is less than nothing; give a number, or 0 for all entries")
    for option in ("since", "until"):
        if params[option] is not None:
            params[option] = point_of_time(params[option], option)
    lines = params["lines"] or None
    options, terms = _options(params), _terms(params)
    invocation = _invocation(params["invocation"])
    if terms is None:
        return {"changed": False, "entries": []}
    try:
        if invocation is None:
            entries = read_journal([*options, *any_of(terms)], lines, params["fields"], timeout)
        else:
            scope = params["scope"]
            both = [[*term, *of] for term in terms for of in invocation_matches(invocation, scope)]
            entries = read_journal([*options, *any_of(both)], lines, params["fields"], timeout)
            asked = [*options, *any_of(terms)]
            late = last_words_of(invocation, _where(params), asked, params["fields"], scope, timeout)
            if late:
                entries = sorted([*entries, *late], key=lambda entry: entry["time"])[-(lines or 0) :]
    except SystemdError as e:
        for option in ("since", "until"):
            if params[option] is not None and f"timestamp: {params[option]}" in f"{e.msg} ":
                raise BadInput(
                    f"{option}: {params[option]!r} is no time to this host's journalctl; write one such as "
                    "'2026-11-22 18:00', 2026-11-22T18:00:00Z, today or -1h"
                ) from e
        raise
    return {"changed": False, "entries": entries}


def _check_directory(path: str | None) -> None:
    if path is not None and not os.path.isdir(path):
        shown = repr(path) if len(path) <= 300 else f"{path[:300]!r}..."
        raise BadInput(
            f"directory: {shown} is not an existing directory; give the path of the one that holds the journal files"
        )


def point_of_time(text: str, option: str) -> str:
    """A point of time as every version's journalctl reads it.

    :param text: microseconds since 1970, a date and time in ISO 8601, or what journalctl reads by itself.
    :raises BadInput: it is empty.
    """
    text = text.strip()
    if not text:
        raise BadInput(f"{option}: is empty; leave it out, or write a time such as today or -1h")
    if text.isdigit() and text.isascii():
        return _since_1970(int(text))
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
    return _since_1970(seconds * 10**6 + int((digits + "000000")[:6]))


def _since_1970(usec: int) -> str:
    return f"@{usec // 10**6}.{usec % 10**6:06d}"


def _invocation(text: str | None) -> str | None:
    if text is None:
        return None
    plain = text.replace("-", "")
    if len(plain) != 32 or not _HEX.issuperset(plain):
        raise BadInput(f"invocation: {text!r} is no invocation ID, which has 32 hexadecimal digits")
    return plain.lower()


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


def _terms(params: dict[str, t.Any]) -> list[list[str]] | None:
    """Matches for journalctl, as alternatives of which each has to be met wholly; None where nothing can meet them."""
    common = []
    for name, value in (params["match"] or {}).items():
        if not name.replace("_", "A").isalnum() or name != name.upper():
            raise BadInput(f"match: {name!r} is no name of a journal field; they look like _COMM or SYSLOG_FACILITY")
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, bool) or not isinstance(each, (str, int, float)):
                raise BadInput(f"match: {name}: {each!r} is no value of a field; give text, or a list of it")
            common.append(f"{name}={each}")
    if params["scope"] != "user":
        return [common]
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import find_user

    uid = find_user(params["user"])[0]
    if not params["unit"]:
        return [[*common, f"_UID={uid}"]] if params["user"] is not None else [common]
    names = _user_units([check_name(name, "unit", globs=True) for name in params["unit"]], _where(params))
    return [[*common, *matches] for name in names for matches in user_unit_matches(name, uid)] or None


def _user_units(names: t.Sequence[str], where: t.Sequence[str]) -> list[str]:
    """The units of users that are meant, where patterns are among the names."""
    patterns = [name for name in names if set("*?[") & set(name)]
    found = [name for name in names if name not in patterns]
    if patterns:
        import fnmatch

        found += [name for name in user_units(where) if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    return list(dict.fromkeys(found))
