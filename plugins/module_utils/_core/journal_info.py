# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `journal_info` module's task."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._core.session import check_scope
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import of_invocation, read_journal
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan

_HEX = frozenset("0123456789abcdefABCDEF")


def gather(module: t.Any) -> dict[str, t.Any]:
    """Read what the module's options ask for; returns the module's result."""
    params = module.params
    check_scope(params)
    timeout = parse_timespan(params["timeout"], "timeout") / 1e6
    if params["lines"] < 0:
        raise BadInput(f"lines: {params['lines']} is less than nothing; give a number, or 0 for all entries")
    entries = read_journal(_arguments(params), params["lines"] or None, params["fields"], timeout)
    return {"changed": False, "entries": entries}


def _arguments(params: dict[str, t.Any]) -> list[str]:
    """Options and matches for journalctl."""
    user = params["scope"] == "user"
    arguments = []
    for name in params["unit"]:
        arguments.append(f"--{'user-' if user else ''}unit={check_name(name, 'unit', globs=True)}")
    if user and params["user"] is not None:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import find_user

        arguments.append(f"_UID={find_user(params['user'])[0]}")
    if params["boot"] is not None:
        arguments.append(f"--boot={params['boot']}")
    for option in ("since", "until", "grep"):
        if params[option] is not None:
            arguments.append(f"--{option}={params[option]}")
    if params["priority"] is not None:
        arguments.append(f"--priority={params['priority']}")
    arguments += [f"--identifier={name}" for name in params["identifier"]]
    if params["directory"] is not None:
        arguments.append(f"--directory={params['directory']}")
    for name, value in (params["match"] or {}).items():
        if not name.replace("_", "A").isalnum() or name != name.upper():
            raise BadInput(f"match: {name!r} is no name of a journal field; they look like _COMM or SYSLOG_FACILITY")
        arguments.append(f"{name}={value}")
    invocation = params["invocation"]
    if invocation is not None:
        plain = invocation.replace("-", "")
        if len(plain) != 32 or not _HEX.issuperset(plain):
            raise BadInput(f"invocation: {invocation!r} is no invocation ID, which has 32 hexadecimal digits")
        arguments += of_invocation(plain.lower(), params["scope"])
    return arguments
