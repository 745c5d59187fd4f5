# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the output of commands goes: StandardOutput= and its kin."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.loggers import is_logger
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.redirections import Redirect
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.line import parse_command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def redirect(it: Interpreter, found: list[Redirect]) -> None:
    """Redirections of the main command."""
    for one in found:
        target = constant(one.target)
        fd = one.fd if one.fd >= 0 else (0 if one.operator == "<" else 1)
        if target is None:
            raw = one.target[0].text if one.target and one.target[0].kind == "shell" else ""
            if raw.startswith(">(") and fd in (1, 2):
                words = parse_command(it, raw[2:-1].strip())
                if words and is_logger(words):
                    it.outcome.log_command = words
                    continue
            raise NeedShell("a redirection")
        if it.shell_opens and it.outcome.prefix_execs:
            raise NeedShell("the shell has opened the output")
        if one.operator in (">&", "<&", ">&-", "<&-") and target in ("1", "2", "0", "-", ""):
            if target in ("-", "") or one.operator.endswith("-"):
                target = "null"
            elif target == "1":
                target = it.outcome.stdout
            elif target == "2":
                target = it.outcome.stderr if it.outcome.stderr != "separate" else "journal"
            else:
                raise NeedShell("a redirection")
            if fd == 1:
                it.outcome.stdout = target
            elif fd == 2:
                it.outcome.stderr = target
            elif fd != 0:
                raise NeedShell("a redirection")
            continue
        if not target.startswith("/"):
            if target.isdigit() or not target:
                raise NeedShell("a redirection")
            target = absolute(it, target)
        if it.shell_opens and not target.startswith("/dev/"):
            raise NeedShell("a step before it makes the place of its file")
        if one.operator == "<" and fd == 0:
            if target != "/dev/null":
                _input(it, target)
            continue
        if one.operator not in (">", ">>", "&>", "&>>", ">|", ">&"):
            raise NeedShell("a redirection")
        where = _output(it, target, one.operator in (">>", "&>>"))
        if one.operator in ("&>", "&>>", ">&") and one.fd < 0:
            it.outcome.stdout = it.outcome.stderr = where
        elif fd == 1:
            it.outcome.stdout = where
        elif fd == 2:
            it.outcome.stderr = where
        else:
            raise NeedShell("a redirection")


def _input(it: Interpreter, target: str) -> None:
    if target.startswith("/dev/tty") or target == "/dev/console":
        it.service.set("StandardInput", "tty")
        it.service.set("TTYPath", target)
    else:
        it.service.set("StandardInput", "file:" + target.replace("%", "%%"))


def _output(it: Interpreter, target: str, append: bool) -> str:
    if target in ("/dev/stdout", "/proc/it/fd/1", "/dev/fd/1"):
        return it.outcome.stdout
    if target in ("/dev/stderr", "/proc/it/fd/2", "/dev/fd/2"):
        return it.outcome.stderr if it.outcome.stderr != "separate" else "journal"
    if target == "/dev/null":
        return "null"
    if target.startswith("/dev/tty") or target == "/dev/console":
        it.service.set("TTYPath", target)
        return "tty"
    if not append:
        it.note("output.truncate", ">", f"StandardOutput=truncate: needs systemd 248; {target} is emptied at each start, as before")
    return ("append:" if append else "truncate:") + target.replace("%", "%%")
