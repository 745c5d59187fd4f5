# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interpreted script as a service: its commands and output."""

from __future__ import annotations

import re

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import program_argv, program_word
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import Step, directory_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.loggers import base_name
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.limits import keep_at_command
from ansible_collections.pidone.systemd.plugins.plugin_utils._model import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.print import assignments
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit, word_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.log import logger
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.manner import (
    take_directory,
    take_manner,
    take_steps,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.one_shots import (
    leading_snooze,
    one_shot,
    periodic,
    sleeping,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.scripts import (
    LONGEST_INLINE,
    is_forever,
    reads_private,
    substituted,
)


def make_service(draft: Draft, it: Interpreter) -> None:
    """Give `it.service` what the script has come to.

    :raises Wrap: the original script has to go on being run.
    """
    outcome = it.outcome
    if outcome.prefix:
        rest = (
            outcome.inline
            if outcome.inline is not None
            else " ".join(piece.text for word in outcome.main or [] for piece in word if piece.kind == "shell")
        )
        outcome.prefix = outcome.live_prefix(rest)
    inline = _inline(it)
    _check(it, inline)
    _output(draft, it)
    for name, value in it.scope.dynamic.items():
        if value is not None and name not in it.service.environment:
            it.service.environment[name] = lit(value)
    if outcome.leading_snooze is not None and (inline is not None or outcome.main is None or not leading_snooze(it)):
        argv = program_argv(it, outcome.leading_snooze)
        it.outcome.steps.insert(0, Step.command(Command(argv), 1))
        it.service.set("TimeoutStartSec", "infinity")
    if it.service.timer is not None:
        return
    if inline is not None:
        _run_shell(draft, it, inline)
    elif it.outcome.main is None:
        take_steps(it)
        one_shot(it, stays=False)
    elif not _only_waits(it, it.outcome.main):
        _run_program(draft, it, it.outcome.main)
    _check_files(it)


def _check(it: Interpreter, inline: str | None) -> None:
    """Look whether the service may be said in directives.

    :raises Wrap: it may not.
    """
    user = it.service.user
    texts = [one.text for one in it.outcome.prefix]
    texts += [piece.text for word in it.outcome.main or [] for piece in word if piece.kind == "shell"]
    if user is not None and (
        not all(one.calls <= lists.HARMLESS and not one.acts for one in it.outcome.prefix)
        or any(reads_private(text, user) for text in texts)
    ):
        it.reasons.append(
            (
                "script.root",
                "shell",
                "what is computed before the command needs root, and the command does not run as root",
                it.line,
            )
        )
    inner = substituted(it) - lists.HARMLESS
    if user is not None and inner:
        it.note(
            "shell.substitution",
            "$()",
            f"{', '.join(sorted(inner))} ran as root, to make an argument of the command; now it runs as {user}",
        )
    if inline is not None and len(inline) > LONGEST_INLINE:
        it.reasons.append(
            ("script.long", "shell", "too much of the script can only be done by a shell; the original script is run", it.line)
        )
    if it.reasons:
        raise Wrap(*it.reasons[0])


# What makes directories, and what makes files that systemd would not make itself.
_MAKES_PLACE = re.compile(r"(?<![\w-])(?:mkdir|mount|install|ln|mv|cp|tar|git)(?![\w-])")
_MAKES_FILE = re.compile(r"(?<![\w-])(?:mkfifo|mknod|ln)(?![\w-])")
_MAKES_INPUT = re.compile(r"(?<![\w-])(?:mkfifo|mknod|ln|mv|cp|install|touch|tee|mktemp)(?![\w-])|>")


def _check_files(it: Interpreter) -> None:
    """Look whether the place of a file is made later than systemd opens the file, which it does for each of the steps already.

    :raises Wrap: it is, so the service would not start where it is missing.
    """
    for directive in ("StandardOutput", "StandardError", "StandardInput"):
        kind, _colon, path = (it.service.settings.get(directive) or [""])[0].replace("%%", "%").partition(":")
        if kind not in ("append", "truncate", "file"):
            continue
        place = path.rpartition("/")[0]
        asked = [(path, _MAKES_INPUT if directive == "StandardInput" else _MAKES_FILE)]
        if place not in lists.DIRECTORIES:
            asked.append((place, _MAKES_PLACE))
            if _is_made(it.service, place):
                raise Wrap("script.output", ">", f"systemd makes {place} after it has opened {path}", it.line)
        for command in (*it.service.exec_condition, *it.service.start_pre):
            text = command.line or " ".join(constant(word) or "" for word in command.argv)
            for made, verbs in asked:
                if made and made in text and re.search(rf"(?<![\w./-]){re.escape(made)}(?![\w.-])", text) and verbs.search(text):
                    raise Wrap("script.output", ">", f"a step makes {made}, and systemd opens {path} before all steps", it.line)


def _is_made(service: Service, place: str) -> bool:
    """Whether RuntimeDirectory= and its kin make a directory, perhaps on the way to another."""
    directive, relative = directory_of(place) or ("", "")
    return any(name == relative or name.startswith(relative + "/") for name in service.directories.get(directive, []))


def _run_shell(draft: Draft, it: Interpreter, inline: str) -> None:
    """The service is a line of shell."""
    it.service.start = [Command(line=inline)]
    it.service.settings.setdefault("SyslogIdentifier", [render.value(it.service.name)])
    it.note("shell.line", "shell", "what only a shell can do is kept as one line of shell in ExecStart=")
    take_steps(it)
    take_manner(draft, it.service, it.outcome.inline_exec)
    take_directory(it, inline)


def _only_waits(it: Interpreter, main: list[Word]) -> bool:
    """Make a one-shot or a timer of a command that only waits; False where it is none."""
    base = base_name(main)
    if it.outcome.steps and is_forever(base, [constant(word) for word in main[1:]]):
        # They were for what only waits.
        for directive in it.outcome.late_limits:
            it.service.settings.pop(directive, None)
    arguments = [constant(word) for word in main[1:]]
    if is_forever(base, arguments):
        take_steps(it)
        one_shot(it, stays=True)
        return True
    if base == "snooze" and sleeping(it):
        return True
    if (
        base == "sleep"
        and len(arguments) == 1
        and arguments[0]
        and re.match(r"[0-9.]+[smhd]?\Z", arguments[0])
        and it.outcome.steps
    ):
        take_steps(it)
        periodic(it, arguments[0])
        return True
    return False


def _run_program(draft: Draft, it: Interpreter, main: list[Word]) -> None:
    """The service is a program."""
    argv = program_argv(it, main)
    it.service.start = [Command(argv, argv0=it.outcome.argv0)]
    take_steps(it)
    limits = keep_at_command(it) if it.service.start_pre or it.service.exec_condition else []
    if it.outcome.down_self:
        it.service.restart = "no"
        it.note("runit.stays-down", "sv once", "the service takes itself down when it is done: Restart=no")
    take_manner(draft, it.service, True)
    if limits:
        it.service.start = [Command([*limits, *argv])]
    _terminal(it, base_name(main))
    take_directory(it, " ".join("".join(piece.text for piece in word) for word in main))


def _inline(it: Interpreter) -> str | None:
    """The command line of a shell, where the command cannot do without one."""
    before = [one.text for one in it.outcome.prefix]
    if it.outcome.inline is not None:
        limits = keep_at_command(it)
        if limits:
            # Of the shell itself, and so of all that follows.
            before.append(" ".join([word_text(limits[0]), "--pid $$", *(word_text(word) for word in limits[1:])]))
        inline = "; ".join([*before, it.outcome.inline])
    elif it.outcome.main is not None and (
        before
        or any(piece.kind == "shell" for word in it.outcome.main for piece in word)
        # env would have the name, and not what it looks up.
        or (it.outcome.argv0 and len(program_argv(it, it.outcome.main)) > len(it.outcome.main))
    ):
        name = "exec"
        if it.outcome.argv0:
            # Of the shells only bash is sure to have `exec -a`.
            name = "exec -a " if it.shell.bash else "exec /usr/bin/chpst -b "
            name += word_text(lit(it.outcome.argv0))
        words = [*keep_at_command(it), program_word(it, it.outcome.main[0]), *it.outcome.main[1:]]
        command = " ".join([name, *(word_text(word) for word in words)])
        inline = assignments(it.setup) + "; ".join([*before, command])
    else:
        return None
    return "set -e; " + inline if it.shell.errexit else inline


def _output(draft: Draft, it: Interpreter) -> None:
    service = it.service
    if it.outcome.stdout != "journal":
        service.set("StandardOutput", it.outcome.stdout)
        if it.outcome.stderr == "separate":
            service.set("StandardError", "journal")
        elif it.outcome.stderr != it.outcome.stdout:
            service.set("StandardError", it.outcome.stderr)
    elif it.outcome.stderr not in ("separate", "journal"):
        service.set("StandardError", it.outcome.stderr)
    said = it.outcome.inline or " ".join(constant(word) or "" for word in it.outcome.main or [])
    said = "; ".join([*(one.text for one in it.outcome.prefix if "exec" in one.calls), said])
    elsewhere = re.search(r"(?<!\w)(?:2>|&>|>&\s*/)(?!&|\s*/dev/null)|>[^;]*\s2>&1", said)
    if elsewhere:
        # Its shell text sends it to a file.
        pass
    elif it.outcome.stderr == "separate" and it.outcome.stdout == "journal" and "StandardError" not in service.settings:
        it.note("runit.stderr", "stderr", "standard error, which was not logged but went to runsvdir, goes to the journal too")
    if it.outcome.log_command is not None:
        logger(draft, service, it.outcome.log_command, "run", it.line)


def _terminal(it: Interpreter, base: str) -> None:
    if base in ("agetty", "getty", "fgetty", "mingetty", "ngetty"):
        device = next(
            (
                text
                for text in (constant(word) for word in (it.outcome.main or [])[1:])
                if text and re.match(r"(/dev/)?(tty|hvc|console)", text)
            ),
            None,
        )
        if device:
            service = it.service
            path = device if device.startswith("/dev/") else f"/dev/{device}"
            for key, value in (
                ("UtmpIdentifier", path[5:]),
                ("TTYPath", path),
                ("TTYReset", "yes"),
                ("TTYVHangup", "yes"),
            ):
                service.set(key, value)
            service.set("IgnoreSIGPIPE", "no")
            service.set("SendSIGHUP", "yes")
            serial = re.match(r"/dev/(ttyS|ttyAMA|hvc|ttyUSB)", path)
            template = "serial-getty@" if serial else "getty@"
            it.note(
                "service.getty",
                "getty",
                f"systemd ships {template}.service for terminals such as {path}, which is the usual answer instead",
                getty=f"{template}{path[5:]}.service",
            )
