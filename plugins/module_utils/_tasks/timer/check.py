# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what timers and their services name is on the host, and whether systemd would take their files."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import SEARCH_PATH, program_problem
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import explain, parse

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.state import TimerState
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.task import Task


# As many bytes of /etc/passwd or /etc/group of a tree are read.
_ACCOUNTS = 16 << 20


def missing(task: Task, option: str, problem: str, remedy: str) -> None:
    """Refuse what is not there; in check mode an earlier task may be the one to make it."""
    if not task.module.check_mode:
        raise BadInput(f"{option}: {problem}; {remedy}")
    task.warnings.append(f"{option}: {problem}; check mode takes it for made by an earlier task")


def check_runs(task: Task, states: t.Sequence[TimerState]) -> None:
    """Look for the programs and the accounts of the services."""
    known: dict[tuple[str, str], bool] = {}
    for state in states:
        wish = state.wish
        for option, prefixes, program in wish.programs():
            problem = program_problem(program, wish.search_path() or SEARCH_PATH, task.root)
            if problem and "-" in prefixes:
                task.warnings.append(f"{option}: {problem}; this is no failure to systemd, because of the -")
            elif problem:
                missing(task, option, problem, "install it first, or correct the path")
        for kind, name in wish.accounts():
            if (kind, name) not in known:
                known[kind, name] = _is_account(kind, name, task.tree)
            if not known[kind, name]:
                missing(
                    task,
                    f"{wish.where}service",
                    f"{kind}={name}: there is no {kind.lower()} {name!r} on this host",
                    "create it first, or correct the name",
                )
        # The devices of a tree that nobody has booted are made when it is.
        for key, path in wish.devices() if not task.root else ():
            if not os.path.exists(path):
                missing(
                    task,
                    f"{wish.where}service",
                    f"{key}: there is no device {path} on this host",
                    "name a block device, or a file or directory on its file system (see lsblk)",
                )


def verify(task: Task, states: t.Sequence[TimerState]) -> None:
    """Have the files that will be written checked by systemd; raises where they must not be put in place."""
    mode = task.params["verify"]
    new = {f.name: (f, s) for s in states for f in s.touched if f.wanted is not None}
    if mode == "nothing" or not new:
        return
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import table_for
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import scratch_directory
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import verify_units

    texts = {name: (parse(t.cast(str, file.wanted)), t.cast(str, file.wanted)) for name, (file, _state) in new.items()}
    for name, (text, _raw) in texts.items():
        if text.problems:
            raise BadInput(explain(text.problems, name, "does not parse; nothing has been changed"))
    with scratch_directory() as scratch:
        table = table_for(task.tree, task.warnings)
        verdicts = verify_units(texts, task.paths, table, scratch, task.session.home)
    for name, (errors, warnings) in verdicts.items():
        # Said already, and better.
        warnings = [warning for warning in warnings if " is not executable: " not in warning.message]
        if mode == "strict":
            errors, warnings = [*errors, *warnings], []
        if errors:
            _file, state = new[name]
            listed = [{"line": e.line or None, "text": e.text, "message": e.message} for e in errors]
            option = "service" if name == state.wish.service else "timer"
            what = f"{state.wish.where}{option}: {name}"
            raise BadInput(
                explain(errors, what, "was not accepted by this host's systemd, and nothing has been written"),
                problems=listed,
            )
        task.warnings += [f"{name}: {warning}" for warning in warnings]


def _is_account(kind: str, name: str, tree: Tree) -> bool:
    if tree.root:
        # Numbers and names of a tree are in its own files; what else it may ask (LDAP), nobody knows here.
        path = f"{tree.root}/etc/{'passwd' if kind == 'User' else 'group'}"
        try:
            text = tree.read_text(path, _ACCOUNTS, "replace")
        except Unreadable:
            return True
        return text is None or is_digits(name) or any(line.split(":", 1)[0] == name for line in text.split("\n"))
    if is_digits(name):
        # Numbers need no account.
        return True
    try:
        if kind == "User":
            import pwd

            pwd.getpwnam(name)
        else:
            import grp

            grp.getgrnam(name)
    except KeyError:
        return False
    return True
