# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interpreted script as a service: its commands, directory, output, restart and stop."""

from __future__ import annotations

import re

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import mark_directory, program_word
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import Step, arrange, mentions
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.paths import (
    is_relative,
    names_relative,
    relative_file,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._model import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import DECISION, INFO, WARNING
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.print import assignments
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant, lit, word_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.runit_one_shots import OneShots
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.runit_scripts import (
    LONGEST_INLINE,
    SHELLS,
    is_forever,
    names_own_file,
    substituted,
)


class Process(OneShots):
    """What the process is started with, and how it is stopped."""

    def _finalize(self, it: Interpreter) -> None:
        service = self.service
        if it.outcome.prefix:
            rest = (
                it.outcome.inline
                if it.outcome.inline is not None
                else " ".join(piece.text for word in it.outcome.main or [] for piece in word if piece.kind == "shell")
            )
            it.outcome.prefix = it.outcome.live_prefix(rest)
        if service.user is not None and not all(one.calls <= lists.HARMLESS for one in it.outcome.prefix):
            it.reasons.append(
                (
                    "shell",
                    "what is computed before the command needs root, and the command does not run as root",
                    it.line,
                )
            )
        inner = substituted(it) - lists.HARMLESS
        if service.user is not None and inner:
            it.note(
                DECISION,
                "$()",
                f"{', '.join(sorted(inner))} ran as root, to make an argument of the command; now it runs as {service.user}",
            )
        inline = self._inline(it)
        if inline is not None and len(inline) > LONGEST_INLINE:
            it.reasons.append(
                ("shell", "too much of the script can only be done by a shell; the original script is run", it.line)
            )
        if it.reasons:
            construct, message, line = it.reasons[0]
            raise Wrap(construct, message, line)
        self._output(it)
        for name, value in it.scope.dynamic.items():
            if value is not None and name not in service.environment:
                service.environment[name] = lit(value)
        if it.outcome.leading_snooze is not None and (
            inline is not None or it.outcome.main is None or not self._leading_snooze(it)
        ):
            argv = [program_word(it, it.outcome.leading_snooze[0]), *it.outcome.leading_snooze[1:]]
            it.outcome.steps.insert(0, Step.command(Command(argv), 1))
            service.set("TimeoutStartSec", "infinity")
        service = self.service
        if service.timer is not None:
            return
        if inline is not None:
            service.start = [Command(line=inline)]
            service.settings.setdefault("SyslogIdentifier", [render.value(service.name)])
            it.note(WARNING, "shell", "what only a shell can do is kept as one line of shell in ExecStart=")
            self._commands(it)
            self._manner(it.outcome.inline_exec)
            self._directory(it, inline)
            return
        if it.outcome.main is None:
            self._commands(it)
            self._one_shot(it, stays=False)
            return
        base = (constant(it.outcome.main[0]) or "").rsplit("/", 1)[-1]
        arguments = [constant(word) for word in it.outcome.main[1:]]
        if is_forever(base, arguments):
            self._commands(it)
            self._one_shot(it, stays=True)
            return
        if base == "snooze" and self._snooze(it):
            return
        service = self.service
        if (
            base == "sleep"
            and len(arguments) == 1
            and arguments[0]
            and re.match(r"[0-9.]+[smhd]?\Z", arguments[0])
            and it.outcome.steps
        ):
            self._commands(it)
            self._periodic(it, arguments[0])
            return
        program = program_word(it, it.outcome.main[0])
        argv = [program, *it.outcome.main[1:]]
        if it.scope.path_changed and not (constant(program) or "").startswith("/"):
            argv = [lit("/usr/bin/env"), *argv]
            it.note(
                INFO, "PATH", "env finds the program along the script's PATH, which systemd itself would not search"
            )
        service.start = [Command(argv, argv0=it.outcome.argv0)]
        self._commands(it)
        if it.outcome.down_self:
            self.once = True
            service.restart = "no"
            it.note(INFO, "sv once", "the service takes itself down when it is done: Restart=no")
        self._manner(True)
        self._terminal(it, base)
        self._directory(it, " ".join("".join(piece.text for piece in word) for word in it.outcome.main))

    def _inline(self, it: Interpreter) -> str | None:
        """The command line of a shell, where the command cannot do without one."""
        before = [one.text for one in it.outcome.prefix]
        if it.outcome.inline is not None:
            inline = "; ".join([*before, it.outcome.inline])
        elif it.outcome.main is not None and (
            before or any(piece.kind == "shell" for word in it.outcome.main for piece in word)
        ):
            name = f"exec /usr/bin/chpst -b {word_text(lit(it.outcome.argv0))}" if it.outcome.argv0 else "exec"
            words = [program_word(it, it.outcome.main[0]), *it.outcome.main[1:]]
            command = " ".join([name, *(word_text(word) for word in words)])
            inline = assignments(it.setup) + "; ".join([*before, command])
        else:
            return None
        return "set -e; " + inline if it.shell.errexit else inline

    def _commands(self, it: Interpreter) -> None:
        service = self.service

        def note(severity: str, construct: str, message: str, line: int) -> None:
            self.note(severity, construct, "run", line, message)

        mark_directory(it)
        service.start_pre = arrange(service, it.outcome.steps, note)
        for command in (*service.start_pre, *service.exec_condition):
            self._stay(it, command)
        for command in service.start_pre:
            texts = [constant(word) or "" for word in command.argv]
            if (
                texts
                and texts[0].endswith(("/chown", "/chgrp", "/chmod"))
                and any(re.match(r"-\w*R", text) for text in texts)
            ):
                # As many files as there may be: longer than systemd waits for a step by itself.
                service.set("TimeoutStartSec", "infinity")
        if it.shell.bash:
            for command in (*service.start, *service.start_pre, *service.exec_condition):
                if command.line is not None:
                    command.interpreter = "/bin/bash"
        if service.user is not None:
            for command in service.exec_condition:
                command.root = True
        if (
            service.working_directory
            and service.working_directory != "~"
            and mentions(service.start_pre, service.working_directory)
        ):
            service.working_directory = "-" + service.working_directory
            it.note(INFO, "cd", "WorkingDirectory= may be missing until a step has made it, hence the '-'")

    def _stay(self, it: Interpreter, command: Command) -> None:
        """A command that uses relative paths runs where the script was, which may not be where the service runs."""
        if command.cwd is None or command.cwd == it.scope.cwd:
            return
        texts = [constant(word) or "" for word in command.argv]
        if command.line is not None:
            if is_relative(command.line):
                command.line = f"cd {word_text(lit(command.cwd))}; {command.line}"
        elif names_relative(command) or any(
            relative_file(one) or one in (".", "..") or re.match(r"\.{1,2}/", one) for one in texts[1:]
        ):
            words = " ".join(word_text(word) for word in command.argv)
            command.line = f"cd {word_text(lit(command.cwd))}; exec {words}"
            command.argv = []

    def _directory(self, it: Interpreter, text: str) -> None:
        """The working directory: runsv's is the service directory."""
        service = self.service
        if service.working_directory is not None:
            return
        texts = [text] + [
            command.line or " ".join(constant(word) or "" for word in command.argv)
            for command in (*service.start_pre, *service.exec_condition)
        ]
        commands = (*service.start, *service.start_pre, *service.exec_condition)
        words = [constant(word) for command in commands for word in command.argv]
        shells = [command.line for command in commands if command.line is not None]
        shells += [
            constant(command.argv[2]) or ""
            for command in commands
            if len(command.argv) > 2
            and (constant(command.argv[0]) or "").endswith("sh")
            and constant(command.argv[1]) == "-c"
        ]
        if (
            any(word and relative_file(word) for word in words)
            or any(is_relative(one) for one in shells)
            or any(names_relative(command) for command in commands)
            or "." in words
            or ".." in words
            or any(re.search(r"(^|[\s=:'\"])\.{1,2}/", one) for one in texts)
            or names_own_file(self.definition, texts)
        ):
            service.working_directory = self.definition.path
            it.note(
                INFO, "cwd", "the service directory stays the working directory, as relative paths are used; keep it"
            )
        else:
            it.note(
                INFO,
                "cwd",
                "runsv's working directory is the service directory; nothing refers to it, so the unit starts in /",
            )

    def _output(self, it: Interpreter) -> None:
        service = self.service
        if it.outcome.stdout != "journal":
            service.set("StandardOutput", it.outcome.stdout)
            if it.outcome.stderr == "separate":
                service.set("StandardError", "journal")
            elif it.outcome.stderr != it.outcome.stdout:
                service.set("StandardError", it.outcome.stderr)
        elif it.outcome.stderr not in ("separate", "journal"):
            service.set("StandardError", it.outcome.stderr)
        if (
            it.outcome.stderr == "separate"
            and it.outcome.stdout == "journal"
            and "StandardError" not in service.settings
        ):
            it.note(
                INFO, "stderr", "standard error, which was not logged but went to runsvdir, goes to the journal too"
            )
        if it.outcome.log_command is not None:
            self._logger(it.outcome.log_command, "run", it.line)

    def _manner(self, execs: bool) -> None:
        """Restart and stop as runsv does them."""
        service = self.service
        if service.restart == "always":
            self.note(
                INFO,
                "restart",
                "run",
                0,
                "restarted for ever as under runsv (StartLimitIntervalSec=0), after one second each time; "
                "runsv waits only if the run was shorter than that",
            )
        names = [(constant(command.argv[0]) or "").rsplit("/", 1)[-1] for command in service.start if command.argv]
        shell = not execs or (names and names[0] in SHELLS - {"busybox"})
        if shell or self.translation == "wrapped":
            # A shell's pipes rely on it, and runsv leaves it alone.
            service.set("IgnoreSIGPIPE", "no")
        if not execs:
            service.kill_mode = None
            self.note(
                INFO,
                "stop",
                "run",
                0,
                "runsv signalled only the shell; systemd signals all processes of the service (KillMode=control-group)",
            )
        elif names and names[0] in lists.LEAVES_CHILDREN:
            service.kill_mode = "process"
            self.note(
                INFO,
                "stop",
                "run",
                0,
                "only the main process is signalled, and what it has started lives on, as under runsv (KillMode=process)",
            )
        else:
            self.note(
                INFO,
                "stop",
                "run",
                0,
                "SIGTERM and SIGCONT go to the main process only, as from runsv (KillMode=mixed); unlike runsv, "
                "systemd kills what is left after that, or after 90 s",
            )

    def _terminal(self, it: Interpreter, base: str) -> None:
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
                service = self.service
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
                    DECISION,
                    "getty",
                    f"systemd ships {template}.service: `systemctl enable {template}{path[5:]}.service` is the usual answer instead",
                )
