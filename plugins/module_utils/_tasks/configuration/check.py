# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd would think of settings, before they are where it looks."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import find_binary, nearest
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.settings import (
    Known,
    kind_of,
    known_settings,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import Problem, bounded, explain

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.options import Asked

# Those that systemd has; which a host has, is looked for there.
NAMES = (
    "coredump",
    "homed",
    "journald",
    "logind",
    "networkd",
    "oomd",
    "pstore",
    "resolved",
    "sleep",
    "system",
    "timesyncd",
    "user",
)
# A setting that no version has. Where nothing is said of it, the file was not read.
_CANARY = "PidoneSystemdIsThisRead"
_GONE = ("removed", "obsolete", "deprecated", "no longer supported")


def check_settings(asked: Asked, tree: Tree, path: str) -> list[str]:
    """Have the settings checked; returns warnings.

    :param path: where the drop-in will be.
    :raises BadInput: some are wrong, or there is no such configuration.
    """
    known = known_settings(tree, asked.base)
    if known is None:
        return [_missing(asked, tree)]
    warnings: list[str] = []
    said = _ask_systemd(asked) if asked.of_managers and not tree.root else None
    if said is None:
        if asked.of_user:
            _refuse_user(asked)
        problems = _check(asked, known)
        if not known:
            warnings.append(f"name: which settings {asked.base}.conf has is not known here, so they were not checked")
    else:
        problems = []
        for line, message in said:
            item = next((each for each in asked.text.assignments if each.last == line), None)
            if item is not None and message.startswith("Unknown "):
                message = known.problem(item.section, item.key)
            elif item is None:
                header = next((name for name, at in asked.text.sections if at == line), "")
                message = known.problem(header, "") if header and message.startswith("Unknown ") else message
            problem = Problem(line, asked.text.line_text(line), message)
            if any(word in message for word in _GONE):
                warnings.append(f"settings: {problem.text}: {message}")
            else:
                problems.append(problem)
    if problems:
        state = "nothing has been written" if tree.status(path, False) is None else "the file on the host is untouched"
        raise BadInput(
            explain(bounded(problems), f"settings: {asked.name}.conf.d/{asked.dropin}", f"would not all be obeyed by this systemd, and {state}"),
            problems=[{"line": each.line or None, "text": each.text, "message": each.message} for each in problems[:20]],
            path=path,
        )
    return warnings


def _missing(asked: Asked, tree: Tree) -> str:
    """What is told of a configuration that is not there in check mode; an error otherwise."""
    where = "this tree" if tree.root else "this host"
    near = None if asked.base in NAMES else nearest(asked.base, NAMES)
    hint = f"did you mean {near}?" if near else f"install the package that brings systemd-{asked.base}, or correct the name"
    if asked.check_mode and asked.base in NAMES:
        return f"not there yet, and taken for brought by an earlier task: {asked.base}.conf"
    raise BadInput(f"name: {where} has no {asked.base}.conf; {hint}")


def _refuse_user(asked: Asked) -> None:
    if find_binary() is not None:
        raise BadInput(
            "scope: this host's systemd reads no settings of one user, as version 247; use scope `system`, which is for all users"
        )


def _check(asked: Asked, known: Known) -> list[Problem]:
    """Names by what is known of the host, values by their kinds."""
    problems = []
    for item in asked.text.assignments:
        where = asked.text.line_text(item.line)
        if known and not known.has(item.section, item.key):
            problems.append(Problem(item.line, where, known.problem(item.section, item.key)))
            continue
        kind = kind_of(item.section, item.key)
        if kind is None or (not item.value and (kind.collects or item.section == "Manager")):
            continue
        try:
            kind.parse(item.value, f"{item.key}=")
        except BadInput as e:
            problems.append(Problem(item.line, where, e.msg))
    return problems


def _ask_systemd(asked: Asked) -> list[tuple[int, str]] | None:
    """What the host's service manager says of its own settings: line and message; None where it does not read them so.

    Before it prints the directives of units, which needs no manager, it reads the configuration that it would have as a user's. That
    has the same settings as the system's. Systemd 247 does not look where it is told to.
    """
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program, scratch_directory

    binary = find_binary()
    if binary is None:
        return None
    with scratch_directory() as scratch:
        directory = f"{scratch}/systemd/user.conf.d"
        os.makedirs(directory)
        own = f"{directory}/zz-check.conf"
        canary = f"\n[Manager]\n{_CANARY}=yes\n"
        with open(own, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(asked.raw + canary)
        env = {
            "XDG_CONFIG_HOME": scratch,
            "XDG_RUNTIME_DIR": scratch,
            "HOME": scratch,
            "SYSTEMD_LOG_TARGET": "console",
            "SYSTEMD_LOG_LEVEL": "info",
        }
        try:
            told = run_program([binary, "--user", "--dump-configuration-items"], 30.0, env_extra=env, clean=True)
        except SystemdError:
            return None
    text = told.stderr.decode("utf-8", "replace")
    if _CANARY not in text:
        return None
    found = re.findall(rf"^{re.escape(own)}:(\d+): (.*)$", text, re.M)
    return [(int(line), message) for line, message in found if _CANARY not in message]
