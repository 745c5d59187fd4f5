# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""check and control: readiness, and what runs in place of signals."""

from __future__ import annotations

import re

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    commands_in,
    parse,
    referenced,
    statements,
    text_of,
    walk,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, lit, word_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.dialect import interpreter_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.lines import one_line, simple_command
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.scripts import (
    LONGEST_INLINE,
    shebang_of,
    shell_command,
    shell_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.sv import SIGNALS

_SIGNALS = {
    "1": "HUP", "2": "INT", "3": "QUIT", "6": "ABRT", "9": "KILL", "10": "USR1", "12": "USR2", "14": "ALRM", "15": "TERM",
    "18": "CONT", "19": "STOP", "28": "WINCH",
}  # fmt: skip

# What runsv sends where control has no file of the name (runsv(8)).
_OF_CONTROL = {
    "c": "CONT", "p": "STOP", "h": "HUP", "a": "ALRM", "i": "INT", "q": "QUIT", "1": "USR1", "2": "USR2", "k": "KILL", "u": "CONT", "o": "CONT",
}  # fmt: skip


def check(draft: Draft) -> None:
    """Have the start wait for the check script, as `sv start` does."""
    text = draft.definition.text("check")
    if text is None:
        return
    path = f"{draft.definition.path}/check"
    if not draft.definition.executable("check"):
        draft.note("runit.not-run", "check", "check", 0, "not executable, so sv does not ask it; left out")
        return
    shell = shell_of(shebang_of(text))
    body: str | None = None
    if shell is not None:
        body = one_line(draft.definition, text, "check")
    if "sv" in {name.rsplit("/", 1)[-1] for name in commands_in(parse(text, "check").root)}:
        draft.note("runit.check-sv", "check", "check", 1, "it asks sv, which has no supervisor to ask under systemd; left out")
        return
    if body is None or len(body) > LONGEST_INLINE:
        body = f"cd {word_text(lit(draft.definition.path))} && {word_text(lit(path))}"
        draft.note("runit.keep-script", "check", "check", 1, f"the unit goes on running {path}; keep it")
    loop = f"for i in 1 2 3 4 5 6 7; do ({body}) && exit 0; sleep 1; done; exit 1"
    command = shell_command(loop, shell, True, draft.service.user is not None)
    if draft.service.type == "oneshot":
        draft.note("runit.check", "check", "check", 1, "the unit is active only once its steps are done; check is not asked")
        return
    draft.service.start_post = [command]
    draft.note(
        "runit.check",
        "check",
        "check",
        1,
        "asked each second for up to seven, as by `sv start`, before what is ordered after this service starts; "
        "it does not end the service",
    )


def control(draft: Draft) -> None:
    """Give the service what runs in place of signals."""
    service = draft.service
    for name, text in sorted(draft.definition.below("control").items()):
        file = f"control/{name}"
        if not draft.definition.executable(file):
            draft.note("runit.not-run", file, file, 0, "not executable, so runsv does not run it; left out")
            continue
        shell = shell_of(shebang_of(text))
        signal = _signal(draft, text, file) if shell is not None else None
        if name == "t":
            if signal is not None:
                if signal != "TERM":
                    service.set("KillSignal", f"SIG{signal}")
                continue
            command = _command_of(draft, text, file, shell)
            service.stop.append(command)
            service.stop.append(
                Command(
                    line='while kill -0 "$MAINPID" 2>/dev/null; do sleep 1; done',
                    ignore=True,
                    root=service.user is not None,
                )
            )
            draft.note(
                "runit.control-stop",
                file,
                file,
                1,
                "runs instead of the stop signal: ExecStop=, which then waits for the process to end; "
                "where it fails, SIGTERM follows, as under runsv",
            )
        elif name == "h":
            if signal is not None:
                service.reload.append(Command([lit("/bin/kill"), lit(f"-{signal}"), [Piece("var", "MAINPID", True)]]))
            else:
                service.reload.append(_command_of(draft, text, file, shell))
            draft.note("runit.control-reload", file, file, 1, "`sv hup` is `systemctl reload` (ExecReload=)")
        elif name in ("d", "x"):
            if signal is not None:
                if "KillSignal" not in service.settings and signal != "TERM":
                    service.set("KillSignal", f"SIG{signal}")
                draft.note(
                    "runit.control-down",
                    file,
                    file,
                    1,
                    f"sends SIG{signal} besides SIGTERM when the service is taken down: taken as the stop signal",
                )
            else:
                draft.note(
                    "runit.control-down",
                    file,
                    file,
                    1,
                    "runs besides the stop signal when the service is taken down; there is no directive for that. "
                    "Where it prepares the stop, make it ExecStop=",
                )
        else:
            draft.note(
                "runit.control-other",
                file,
                file,
                1,
                f"replaces `sv {name}`, and systemd has no such command; left out",
                signal=_OF_CONTROL.get(name, "CONT"),
            )


def _command_of(draft: Draft, text: str, file: str, shell: str | None) -> Command:
    root = draft.service.user is not None
    script = parse(text, file)
    found = statements(script.root)
    if "sv" in {name.rsplit("/", 1)[-1] for name in commands_in(script.root)}:
        draft.note(
            "runit.control-sv",
            "sv",
            file,
            1,
            "it calls sv, which has no supervisor to ask under systemd, so that the command fails: say what it is for with "
            "KillSignal=, ExecStop= or ExecReload=",
        )
    if shell is not None and not script.errors and len(found) == 1:
        scope = interpreter_of(draft.definition, script)
        one = simple_command(*found[0], scope)
        if one is not None and not referenced(script.root):
            one.ignore, one.root = False, root
            return one
    body = one_line(draft.definition, text, file) if shell is not None else None
    if body is None or len(body) > LONGEST_INLINE:
        draft.note("runit.keep-script", file, file, 1, f"the unit goes on running {draft.definition.path}/{file}; keep it")
        return Command.of(f"{draft.definition.path}/{file}", root=root)
    body = re.sub(r"\$\((?:cat|<) ?(?:\./)?supervise/pid\)|`cat (?:\./)?supervise/pid`", "$MAINPID", body)
    return shell_command(body, shell, False, root)


def _signal(draft: Draft, text: str, file: str) -> str | None:
    """The one signal a control script sends to its service, where it does nothing else."""
    script = parse(text, file)
    if script.errors:
        return None
    signals: list[str] = []
    for node in walk(script.root):
        if node.type != "command" or not node.children:
            continue
        words = [word.strip("\"'") for word in text_of(node).split()]
        while words and words[0] == "exec":
            words = words[1:]
        if not words:
            continue
        name = words[0].rsplit("/", 1)[-1]
        if name in ("kill", "pkill", "killall", "killall5"):
            signal = "TERM"
            rest = words[1:]
            if rest and rest[0] == "-s" and len(rest) > 1:
                signal = rest[1]
            elif rest and re.match(r"--signal=?", rest[0]):
                signal = rest[0].partition("=")[2] or (rest[1] if len(rest) > 1 else "TERM")
            elif rest and re.match(r"-[A-Z0-9]+\Z", rest[0]):
                signal = rest[0][1:]
            target = rest[-1] if rest else ""
            if name != "kill" and target.rsplit("/", 1)[-1] != draft.program_name():
                return None
            if name == "kill" and target.startswith("-") and len(rest) > 1:
                return None
            signal = signal.upper().removeprefix("SIG")
            signals.append(_SIGNALS.get(signal, signal))
        elif name == "sv":
            words = ["sv", *(word for word in words[1:] if not word.startswith("-"))]
            if len(words) < 3 or words[1] not in SIGNALS:
                return None
            own = words[2].rstrip("/").rsplit("/", 1)[-1]
            if own not in (draft.definition.name, ".", "") and "$" not in own:
                return None
            signals.append(SIGNALS[words[1]])
        elif name not in (
            *lists.MESSAGES,
            "cat",
            "read",
            "exit",
            "test",
            "[",
            "set",
            "cd",
            "pidof",
            "pgrep",
            "sleep",
        ):
            return None
    kinds = {node.type for node in walk(script.root)}
    if len(signals) != 1 or kinds & {"while_statement", "for_statement", "case_statement", "function_definition"}:
        return None
    if signals[0] not in set(_SIGNALS.values()) | {"PIPE", "TTIN", "TTOU"}:
        return None
    return signals[0]
