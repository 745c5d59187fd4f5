# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sections and directives this host's systemd knows: asked of systemd itself, never typed in by hand."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import plain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.unit_syntax import (
    MOST_PROBLEMS,
    Problem,
    UnitText,
    bounded,
)

# Where the executable of the service manager is, newest layout first.
BINARIES = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")

# The section of its own that each type of unit has; targets and devices have one too, but no directives to go there.
_OWN = {
    "service": "Service",
    "socket": "Socket",
    "target": "Target",
    "device": "Device",
    "mount": "Mount",
    "automount": "Automount",
    "swap": "Swap",
    "timer": "Timer",
    "path": "Path",
    "slice": "Slice",
    "scope": "Scope",
}

Table = t.Dict[str, t.Dict[str, str]]


def parse_table(dump: str) -> Table:
    """The answer of `systemd --dump-configuration-items` as section -> directive -> type of value (`BOOLEAN`, ...)."""
    table: Table = {}
    section: dict[str, str] = {}
    for line in dump.split("\n"):
        if line.startswith("[") and line.endswith("]"):
            section = table.setdefault(line[1:-1], {})
        else:
            key, equals, kind = line.partition("=")
            if equals:
                section[key] = kind
    return table


def find_binary(root: str = "") -> str | None:
    """The path (within `root`) of the service manager's executable, or None where there is none."""
    for path in BINARIES:
        if os.access(root + path, os.X_OK):
            return path
    return None


def load_table(root: str = "") -> Table | None:
    """What the systemd of this host, or of the tree `root`, knows.

    systemd prints it without a manager running, in about 5 ms. That of a tree is run inside the tree, which needs root
    and the tree to be of this machine's architecture.

    :returns: the table, or None where there is no systemd to be asked.
    """
    import subprocess

    binary = find_binary(root)
    if binary is None:
        return None

    def enter() -> None:
        os.chroot(root)
        os.chdir("/")

    try:
        answer = subprocess.run(  # noqa: PLW1509
            [binary, "--dump-configuration-items"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            preexec_fn=enter if root else None,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    table = parse_table(answer.stdout.decode("utf-8", "replace")) if answer.returncode == 0 else {}
    return table if "Unit" in table else None


def sections_of(unit_type: str) -> list[str]:
    """The sections that a unit of this type may have, in their usual order; `X-` sections may stand anywhere."""
    if unit_type == "scope":
        return ["Unit", "Scope"]
    return ["Unit", _OWN[unit_type], "Install"]


def check_directives(text: UnitText, unit_type: str, table: Table) -> list[Problem]:
    """Look for sections and directives that this systemd does not know and would ignore.

    :param unit_type: `service`, `timer`, ...
    :param table: from `load_table`. It lacks the directives that systemd dropped and only accepts to say so.
    """
    errors: list[Problem] = []
    allowed = sections_of(unit_type)
    refused = set()
    for name, line in text.sections:
        if name in allowed or name.startswith("X-") or name in refused:
            continue
        refused.add(name)
        if len(errors) > MOST_PROBLEMS:
            # What was meant is dear to find out, and no more than these are told.
            errors.append(Problem(line, "", ""))
            continue
        if name in _OWN.values():
            why = f"a {unit_type} unit has no section [{name}]; it has {_listed(allowed)}"
        else:
            near = nearest(name, allowed)
            why = f"there is no section [{plain(name)}]" + (
                f"; did you mean [{near}]?" if near else f", but {_listed(allowed)}"
            )
        errors.append(Problem(line, text.line_text(line), why))
    for item in text.assignments:
        if item.section not in allowed or item.key.startswith("X-"):
            continue
        if item.key not in table.get(item.section, {}) and len(errors) > MOST_PROBLEMS:
            errors.append(Problem(item.line, "", ""))
        elif item.key not in table.get(item.section, {}):
            problem = _unknown(item.key, item.section, allowed, table)
            errors.append(Problem(item.line, text.line_text(item.line), problem))
    return bounded(errors)


def _unknown(key: str, section: str, allowed: t.Sequence[str], table: Table) -> str:
    elsewhere = [name for name in allowed if key in table.get(name, {})]
    told = plain(key)
    if elsewhere:
        return f"{key}= belongs into [{elsewhere[0]}], not into [{section}]"
    near = nearest(key, table.get(section, {}))
    if near:
        return f"systemd here knows no {told}= in [{section}]; did you mean {near}=?"
    for name in allowed:
        near = nearest(key, table.get(name, {}))
        if near:
            return f"systemd here knows no {told}= in [{section}]; did you mean {near}= in [{name}]?"
    foreign = [name for name in table if key in table[name]]
    if foreign:
        return f"{told}= is only for units that have a section {_listed(foreign)}"
    return (
        f"systemd here knows no {told}= in [{section}]; it may need a newer version (see systemd.directives(7)), "
        "and a note of your own is written X-" + told
    )


def nearest(word: str, known: t.Iterable[str]) -> str | None:
    """The known word that this one was meant to be, if there is one."""
    from difflib import get_close_matches

    if len(word) > 100:
        return None
    lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), lower, 1, 0.8)
    return lower[close[0]] if close else None


def _listed(names: t.Sequence[str]) -> str:
    shown = [f"[{name}]" for name in names]
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]
