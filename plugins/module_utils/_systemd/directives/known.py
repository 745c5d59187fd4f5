# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sections and directives a host's or a tree's systemd knows: asked of systemd itself, never typed in by hand."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, plain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import (
    MOST_PROBLEMS,
    Problem,
    UnitText,
    bounded,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

# Where the executable of the service manager is, newest layout first.
BINARIES = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")

# The largest program that is looked through, in bytes; systemd's has 2 to 5 MB.
_PROGRAM_LIMIT = 64 << 20
# Directives of [Unit] that every version since 247 has more of.
_FEWEST = 60

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

# Of how many unknown names in a file it is looked for what was meant; messages show no more.
_MEANT = 20


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


def find_binary() -> str | None:
    """The path of the service manager's executable, or None where there is none."""
    for path in BINARIES:
        if os.access(path, os.X_OK):
            return path
    return None


def load_table() -> Table | None:
    """What the systemd of this host knows.

    systemd prints it without a manager running, in about 5 ms.

    :returns: the table, or None where there is no systemd to be asked.
    """
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

    binary = find_binary()
    if binary is None:
        return None
    try:
        answer = run_program([binary, "--dump-configuration-items"], 30.0, clean=True)
    except SystemdError:
        return None
    table = parse_table(answer.stdout.decode("utf-8", "replace")) if answer.returncode == 0 else {}
    return table if "Unit" in table else None


def table_for(tree: Tree, warnings: list[str]) -> Table | None:
    """What the systemd of a tree knows, or that of this host where there is none in the tree; see `load_table`.

    :param warnings: a warning is added where the host's is taken although the tree has one.
    """
    if not tree.root:
        return load_table()
    table, program = read_table(tree)
    if table is not None:
        return table
    if program:
        warnings.append(
            f"root: which directives the systemd of the tree knows could not be read from {program}; this host's systemd was "
            "asked in its place, which may know others"
        )
    return load_table()


def read_table(tree: Tree) -> tuple[Table | None, str]:
    """What the systemd of a tree knows, read from its program as data: nothing of a tree is run.

    Names of directives are in it as text, `Service.ExecStart` between two NULs: the keys of the table that gperf makes of
    load-fragment-gperf.gperf. From systemd 250 on they are in libsystemd-core-VERSION.so, before in the manager itself. With
    them are directives that systemd dropped and only accepts to say so, which `--dump-configuration-items` leaves out; and there
    are no types of values.

    :returns: the table, or None where it cannot be read; and the path of the file it is in, empty where the tree has no systemd.
    """
    import re

    path = _program_of(tree)
    if not path:
        return None, ""
    try:
        data = tree.read(path, _PROGRAM_LIMIT) or b""
    except Unreadable:
        return None, path
    table: Table = {}
    names = "|".join(["Unit", "Install", *_OWN.values()])
    for section, key in re.findall(rf"\0({names})\.([A-Z][A-Za-z0-9]*)(?=\0)".encode(), data):
        table.setdefault(section.decode(), {})[key.decode()] = ""
    whole = "ExecStart" in table.get("Service", {}) and len(table.get("Unit", {})) >= _FEWEST
    return (table if whole else None), path


def _program_of(tree: Tree) -> str:
    """The file of a tree's systemd that has the names of directives."""
    places = ["/usr/lib/systemd", "/lib/systemd", "/usr/lib64/systemd", "/lib64/systemd"]
    try:
        # Debian's directories for architectures (`x86_64-linux-gnu`).
        archs = [name for name in tree.names(f"{tree.root}/usr/lib") if "-linux-" in name]
        for place in [*places, *(f"/usr/lib/{arch}/systemd" for arch in sorted(archs))]:
            for name in sorted(tree.names(tree.root + place)):
                if name.startswith("libsystemd-core-") and name.endswith(".so"):
                    return f"{tree.root}{place}/{name}"
    except Unreadable:
        pass
    return next((tree.root + path for path in BINARIES if tree.status(tree.root + path)), "")


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
            near = nearest(name, allowed) if len(errors) < _MEANT else None
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
            # What was meant is looked for among some hundred names, each of which takes its time.
            if len(errors) < _MEANT:
                problem = _unknown(item.key, item.section, allowed, table)
            else:
                problem = f"systemd here knows no {plain(item.key)}= in [{plain(item.section)}]"
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
