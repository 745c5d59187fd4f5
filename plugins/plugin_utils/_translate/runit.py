# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service directory of runit's or daemontools' as a service of systemd's.

What runsv does that the script does not say is here: restart for ever, finish after every exit, the stop signal to the
main process only, the pipe to log/run, check, control, and what Debian's invoke-run adds.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import programs, render, snooze, wrappers
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.definition import Definition, plain_settings
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.script import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.service import (
    DECISION,
    INFO,
    WARNING,
    Command,
    Finding,
    Refused,
    Service,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.shell import (
    CannotPrint,
    Piece,
    Printer,
    Script,
    Word,
    branch,
    commands_in,
    condition_of,
    constant,
    line_of,
    lit,
    parse,
    referenced,
    statements,
    text_of,
    walk,
    word_text,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.steps import Step, arrange, mentions
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    NeedShell,
    Wrap,
    is_program,
    is_relative,
    names_relative,
    relative_file,
    unit_of,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node

# Tests have unexpected errors raised.
STRICT = False

_FACILITIES = frozenset(
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 local1 local2 local3 local4 local5 local6 local7".split()
)
_LEVELS = frozenset("emerg alert crit err warning notice info debug".split())
# Longer shell than this in a unit is worse to read than the script it comes from.
_LONGEST_INLINE = 500
# Redirections that only throw output away or join it.
_SILENCED = r"(\s*([12]?>\s*(/dev/null|&[12])|&>\s*/dev/null))*\s*"
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox", "loksh", "oksh"))
_SIGNALS = {
    "1": "HUP", "2": "INT", "3": "QUIT", "6": "ABRT", "9": "KILL", "10": "USR1", "12": "USR2", "14": "ALRM", "15": "TERM",
    "18": "CONT", "19": "STOP", "28": "WINCH",
}  # fmt: skip
_SV_SIGNALS = {
    "int": "INT", "i": "INT", "interrupt": "INT", "quit": "QUIT", "q": "QUIT", "hup": "HUP", "h": "HUP", "alarm": "ALRM", "a": "ALRM",
    "term": "TERM", "t": "TERM", "kill": "KILL", "k": "KILL", "1": "USR1", "2": "USR2", "usr1": "USR1", "usr2": "USR2",
    "pause": "STOP", "p": "STOP", "cont": "CONT", "c": "CONT",
}  # fmt: skip
# finish gets the exit code or -1, and the low byte of the wait status; ExecStopPost= gets them as words.
_FINISH_CODE = 'case $EXIT_CODE in exited) set -- "$EXIT_STATUS" 0;; "") set -- 111 0;; '
_FINISH_SIGNALS = (
    "HUP) s=1;; INT) s=2;; QUIT) s=3;; ILL) s=4;; TRAP) s=5;; ABRT) s=6;; BUS) s=7;; FPE) s=8;; KILL) s=9;; USR1) s=10;; "
    "SEGV) s=11;; USR2) s=12;; PIPE) s=13;; ALRM) s=14;; TERM) s=15;; SYS) s=31;; *) s=0;;"
)


class Options(t.NamedTuple):
    """What the user chose."""

    log: str = "journald"
    target: str = "multi-user.target"


class _Run(t.NamedTuple):
    """The interpretation of one script."""

    interpreter: Interpreter
    shebang: list[str]


def translate(raw: t.Mapping[str, t.Any], options: Options) -> dict[str, t.Any]:
    """One service as the module returns it (without `state` and `definition`). Never raises for what is in the files."""
    definition = Definition(raw)
    translator = _Translator(definition, options)
    units: list[dict[str, t.Any]] = []
    try:
        translator.run()
        translation = translator.translation
        units = translator.units()
    except Refused as why:
        translator.findings.append(Finding(WARNING, why.construct, "run", why.line, why.message))
        translation = "refused"
    except SystemdError:
        raise
    except Exception as error:  # noqa: BLE001 - one strange script must not keep a fleet from being translated
        if STRICT:
            raise
        translator.findings.append(
            Finding(
                WARNING,
                "script",
                "run",
                0,
                f"the scripts could not be understood ({type(error).__name__}: {error}); rewrite them by hand",
            )
        )
        translation = "refused"
    findings = []
    for one in translator.findings:
        if one not in findings:
            findings.append(one)
    result: dict[str, t.Any] = _printable(
        {
            "name": definition.name,
            "source": definition.source,
            "path": definition.path,
            "translation": translation,
            "units": units,
            "findings": [one.as_dict() for one in findings],
        }
    )
    return result


def _printable(value: t.Any) -> t.Any:
    """Without what UTF-8 cannot say: the rest of files in other encodings."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_printable(one) for one in value]
    return value


class _Translator:
    def __init__(self, definition: Definition, options: Options) -> None:
        self.definition = definition
        self.options = options
        self.findings: list[Finding] = []
        self.translation = "native"
        self.service = self._new()
        self.companion: list[dict[str, t.Any]] = []
        self.once = False
        self.finish_writes = False

    def _new(self) -> Service:
        service = Service(self.definition.name, self.definition.source, self.definition.path)
        service.description = f"{self.definition.name} service"
        service.target = self.options.target
        return service

    def note(self, severity: str, construct: str, file: str, line: int, message: str) -> None:
        self.findings.append(Finding(severity, construct, file, line, message))

    # -- the whole

    def run(self) -> None:
        definition = self.definition
        for problem in definition.problems:
            self.note(WARNING, "collect", "", 0, problem)
        if "run" not in definition.files:
            raise Refused("run", "there is no run script, so runsv has nothing to start either")
        if definition.unit:
            self.note(
                DECISION,
                "unit",
                "",
                0,
                f"the host already has {definition.unit}; where that is the package's own unit, use it instead of this one",
            )
        self._run_script()
        self._check()
        self._control()
        self._log()
        self._finish()
        self._early()
        self._rest()
        if definition.assumed and any(definition.path in value for value in self._texts()):
            self.note(
                INFO,
                "path",
                "run",
                0,
                f"the unit refers to {definition.path}, where the service directory is assumed to be on the host",
            )

    def _early(self) -> None:
        """Names that systemd's own units of the early boot order themselves behind: started later, they would be a circle."""
        if self.definition.name not in programs.EARLY:
            return
        service = self.service
        service.unit["DefaultDependencies"] = ["no"]
        service.unit["Before"] = ["sysinit.target shutdown.target"]
        service.after = ["local-fs.target", "systemd-tmpfiles-setup.service", *service.after]
        service.conflicts.append("shutdown.target")
        self.note(
            INFO,
            "boot",
            "run",
            0,
            f"units of systemd's are started after {service.name}.service, so it belongs to the early boot (DefaultDependencies=no)",
        )

    def _texts(self) -> list[str]:
        return [unit["content"].split("\n", 1)[1] for unit in self.units()]

    def units(self) -> list[dict[str, t.Any]]:
        service = self.service
        origin = f"{self.definition.path}/run"
        name = render.unit_name(service.name)
        found = [render.unit(f"{name}.service", render.sections(service), origin)]
        if service.timer is not None:
            found.append(render.unit(f"{name}.timer", render.timer_sections(service), origin))
        return found + self.companion

    # -- run

    def _run_script(self) -> None:
        definition = self.definition
        one = definition.files["run"]
        if one.get("type") == "link" and one.get("target") and not one.get("content"):
            self._program(str(one["target"]))
            return
        if one.get("type") not in (None, "file", "link"):
            raise Refused("run", f"run is a {one.get('type')}, which runsv cannot start")
        if not definition.executable("run"):
            self.note(WARNING, "run", "run", 0, "run is not executable, so runsv cannot start it either")
        if one.get("truncated"):
            self._wrap("run", "run is too large to be read", 1)
            return
        if not definition.is_text("run"):
            target = one.get("target")
            self._program(str(target) if target and str(target).startswith("/") else f"{definition.path}/run")
            return
        text = definition.text("run") or ""
        if "\0" in text:
            self._wrap("run", "run is a binary program and goes on being run from its directory", 1)
            return
        shebang = shebang_of(text)
        shell = shell_of(shebang)
        if shell is None or shell == "zsh":
            self._wrap("#!", f"run is not a shell script ({' '.join(shebang)}); it goes on being run as it is", 1)
            return
        if not text.strip():
            raise Refused("run", "run is empty: it ends at once and is started again for ever")
        script = parse(text, "run")
        saved = len(self.findings)
        try:
            self._interpret(script, shebang, shell)
        except Wrap as why:
            del self.findings[saved:]
            self._wrapped(script, shebang, shell, why)
        except NeedShell as why:
            del self.findings[saved:]
            self._wrapped(script, shebang, shell, Wrap("shell", str(why), 1))

    def _program(self, path: str) -> None:
        """run is a program, not a script."""
        if not path.startswith("/"):
            path = f"{self.definition.path}/{path}"
        self.service.start = [Command.of(path)]
        self.service.working_directory = self.definition.path
        self.note(INFO, "run", "run", 0, f"run is no script; {path} is started directly")
        self._manner(True)

    def _interpreter(self, script: Script, shebang: list[str], shell: str, service: Service, cwd: str) -> Interpreter:
        interpreter = Interpreter(self.definition, service, script, cwd, self.findings)
        interpreter.bash = shell == "bash"
        for word in shebang[1:]:
            if word.startswith("-") and not word.startswith("--") and "invoke-run" not in " ".join(shebang):
                interpreter.errexit = interpreter.errexit or "e" in word
                interpreter.nounset = interpreter.nounset or "u" in word
                if "f" in word:
                    interpreter.note(WARNING, "#!", "sh -f: names with * in arguments would not be expanded")
        return interpreter

    def _interpret(self, script: Script, shebang: list[str], shell: str) -> None:
        service = self.service
        interpreter = self._interpreter(script, shebang, shell, service, self.definition.path)
        interpreter.no_retry = self._codes_that_end()
        if script.errors:
            bad = next((one for one in walk(script.root) if one.type == "ERROR" or one.is_missing), script.root)
            raise Wrap("shell", "the script does not parse as shell", line_of(bad))
        if "invoke-run" in " ".join(shebang):
            self._invoke_run(interpreter)
        interpreter.run()
        self.interpreter = interpreter
        self._finalize(interpreter)

    def _invoke_run(self, interpreter: Interpreter) -> None:
        """What Debian's invoke-run does before it runs the script."""
        name = self.definition.name
        path = f"/etc/default/{name}"
        _known, content = self.definition.outside(path)
        interpreter.vars["NAME"] = lit(name)
        interpreter.line = 1
        if content is None:
            interpreter.settings_file(path, True)
            interpreter.open_conf = True
            interpreter.note(
                INFO,
                "invoke-run",
                f"{path}, which invoke-run reads and exports, is EnvironmentFile= (NAME=value lines only)",
            )
        else:
            plain = plain_settings(content)
            if plain is not None:
                interpreter.settings_file(path, True)
                interpreter._open(set(plain[0]) | plain[1], plain[0])
                interpreter.note(INFO, "invoke-run", f"{path}, which invoke-run reads and exports, is EnvironmentFile=")
            else:
                interpreter.allexport = True
                try:
                    interpreter.evaluate_file(path, content, True, interpreter.script.root)
                finally:
                    interpreter.allexport = False
        if self.definition.has("env"):
            try:
                interpreter.environment_directory(f"{self.definition.path}/env", "invoke-run")
            except wrappers.Keep as why:
                raise Wrap("env", f"a variable of ./env cannot be written into a unit ({why})", 1) from None
            self.definition.files.pop("env", None)
        if self.definition.initscript:
            interpreter.note(
                INFO,
                "invoke-run",
                f"invoke-run stops {self.definition.initscript} first; a unit of the same name takes its place under systemd",
            )

    def _codes_that_end(self) -> set[str]:
        """Exit codes after which finish takes the service down."""
        text = self.definition.text("finish")
        if text is None or shell_of(shebang_of(text)) is None:
            return set()
        script = parse(text, "finish")
        codes: set[str] = set()
        for node, _background in statements(script.root):
            if "finish-exec" in text_of(node):
                codes |= {"161", "162", "170"}
            found = _code_test(node, self.definition)
            if found is not None and found[0] == "is" and found[1] != "0":
                codes.add(found[1])
        return codes

    def _finalize(self, it: Interpreter) -> None:
        service = self.service
        if it.prefix:
            rest = (
                it.inline
                if it.inline is not None
                else " ".join(piece.text for word in it.main or [] for piece in word if piece.kind == "shell")
            )
            it.prefix = it.live_prefix(rest)
            it.prefix_commands = set().union(
                *(it.prefix_uses.get(text, (None, set(), it.prefix_commands))[2] for text in it.prefix)
            )
        if (
            it.prefix
            and service.user is not None
            and not {name.rsplit("/", 1)[-1] for name in it.prefix_commands} <= programs.HARMLESS
        ):
            it.reasons.append(
                (
                    "shell",
                    "what is computed before the command needs root, and the command does not run as root",
                    it.line,
                )
            )
        inner = _substituted(it) - programs.HARMLESS
        if service.user is not None and inner:
            it.note(
                DECISION,
                "$()",
                f"{', '.join(sorted(inner))} ran as root, to make an argument of the command; now it runs as {service.user}",
            )
        # shell words in the command: a shell in front of it
        needs_shell = bool(it.prefix) or (
            it.main is not None and any(piece.kind == "shell" for word in it.main for piece in word)
        )
        inline: str | None = None
        if it.inline is not None:
            inline = "; ".join([*it.prefix, it.inline])
        elif needs_shell and it.main is not None:
            name = f"exec -a {word_text(lit(it.argv0))} " if it.argv0 else "exec "
            if it.argv0:
                name = f"exec /usr/bin/chpst -b {word_text(lit(it.argv0))} "
            words = [it.program(it.main[0]), *it.main[1:]]
            setup = [f"{key}={text}" for key, text in it.setup.items()]
            inline = "; ".join([*setup, *it.prefix, name + " ".join(word_text(word) for word in words)])
        if inline is not None and it.errexit:
            inline = "set -e; " + inline
        if inline is not None and len(inline) > _LONGEST_INLINE:
            it.reasons.append(
                ("shell", "too much of the script can only be done by a shell; the original script is run", it.line)
            )
        if it.reasons:
            construct, message, line = it.reasons[0]
            raise Wrap(construct, message, line)
        self._output(it)
        for name, value in it.dynamic.items():
            if value is not None and name not in service.environment:
                service.environment[name] = lit(value)
        if it.leading_snooze is not None and (inline is not None or it.main is None or not self._leading_snooze(it)):
            argv = [it.program(it.leading_snooze[0]), *it.leading_snooze[1:]]
            it.steps.insert(0, Step.command(Command(argv), 1))
            service.set("TimeoutStartSec", "infinity")
        if service.timer is not None:
            return
        if inline is not None:
            service.start = [Command(line=inline)]
            service.settings.setdefault("SyslogIdentifier", [render.value(service.name)])
            it.note(WARNING, "shell", "what only a shell can do is kept as one line of shell in ExecStart=")
            self._commands(it)
            self._manner(it.inline_exec)
            self._directory(it, inline)
            return
        if it.main is None:
            self._commands(it)
            self._one_shot(it, stays=False)
            return
        base = (constant(it.main[0]) or "").rsplit("/", 1)[-1]
        arguments = [constant(word) for word in it.main[1:]]
        if _is_forever(base, arguments):
            self._commands(it)
            self._one_shot(it, stays=True)
            return
        if base == "snooze" and self._snooze(it):
            return
        if (
            base == "sleep"
            and len(arguments) == 1
            and arguments[0]
            and re.match(r"[0-9.]+[smhd]?\Z", arguments[0])
            and it.steps
        ):
            self._commands(it)
            self._periodic(it, arguments[0])
            return
        program = it.program(it.main[0])
        argv = [program, *it.main[1:]]
        if it.path_changed and not (constant(program) or "").startswith("/"):
            argv = [lit("/usr/bin/env"), *argv]
            it.note(
                INFO, "PATH", "env finds the program along the script's PATH, which systemd itself would not search"
            )
        service.start = [Command(argv, argv0=it.argv0)]
        self._commands(it)
        if it.down_self:
            self.once = True
            service.restart = "no"
            it.note(INFO, "sv once", "the service takes itself down when it is done: Restart=no")
        self._manner(True)
        self._terminal(it, base)
        self._directory(it, " ".join("".join(piece.text for piece in word) for word in it.main))

    def _commands(self, it: Interpreter) -> None:
        service = self.service

        def note(severity: str, construct: str, message: str, line: int) -> None:
            self.note(severity, construct, "run", line, message)

        it.mark_directory()
        service.start_pre = arrange(service, it.steps, note)
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
        if it.bash:
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
        if command.cwd is None or command.cwd == it.cwd:
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
            or _names_own_file(self.definition, texts)
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
        if it.stdout != "journal":
            service.set("StandardOutput", it.stdout)
            if it.stderr == "separate":
                service.set("StandardError", "journal")
            elif it.stderr != it.stdout:
                service.set("StandardError", it.stderr)
        elif it.stderr not in ("separate", "journal"):
            service.set("StandardError", it.stderr)
        if it.stderr == "separate" and it.stdout == "journal" and "StandardError" not in service.settings:
            it.note(
                INFO, "stderr", "standard error, which was not logged but went to runsvdir, goes to the journal too"
            )
        if it.log_command is not None:
            self._logger(it.log_command, "run", it.line)

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
        shell = not execs or (names and names[0] in _SHELLS - {"busybox"})
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
        elif names and names[0] in programs.LEAVES_CHILDREN:
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
                    for text in (constant(word) for word in (it.main or [])[1:])
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

    def _one_shot(self, it: Interpreter, stays: bool) -> None:
        """The steps are the service."""
        service = self.service
        service.type = "oneshot"
        service.remain_after_exit = True
        service.restart = None
        service.kill_mode = None
        again = stays or it.down_self
        service.start = service.start_pre
        service.start_pre = []
        if service.user is not None or service.group is not None:
            # The steps ran as root; the user was the one of the sleeping process.
            service.user = service.group = None
            service.settings.pop("SupplementaryGroups", None)
            for command in (*service.start, *service.exec_condition):
                command.root = False
        if not service.start:
            service.start = [Command.of("/bin/true")]
            if not stays:
                it.note(WARNING, "run", "the script starts no command of its own")
        # Type=oneshot has no start timeout of its own.
        service.settings.pop("TimeoutStartSec", None)
        it.argv0 = None
        if stays:
            it.note(
                INFO,
                "pause",
                "the process that only waits is not needed: Type=oneshot, RemainAfterExit=yes, finish is ExecStop=",
            )
        elif it.down_self:
            it.note(
                INFO,
                "sv down",
                "the script takes its own service down when it is done: Type=oneshot, RemainAfterExit=yes",
            )
        else:
            it.note(
                WARNING,
                "run",
                "the script ends without leaving a process, and runsv starts it again every second; "
                "the unit runs it once (Type=oneshot)",
            )
        if (
            any(not command.ignore for command in service.start)
            and constant(service.start[0].argv[:1][0] if service.start[0].argv else []) != "/bin/true"
        ):
            if again:
                service.restart = "on-failure"
                it.note(INFO, "restart", "a step that fails is tried again after a second, for ever, as under runsv")
            else:
                it.note(
                    INFO,
                    "restart",
                    "a step that fails leaves the unit failed; runsv would have tried again every second",
                )
        if service.working_directory is None:
            self._directory(it, "")

    def _periodic(self, it: Interpreter, span: str) -> None:
        service = self.service
        steps = service.start_pre
        self._one_shot_commands(steps)
        from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.service import Timer

        service.timer = Timer()
        service.timer.settings = {
            "OnActiveSec": ["0s"],
            "OnUnitInactiveSec": [span if not span[-1].isdigit() else span + "s"],
        }
        it.note(
            DECISION,
            "sleep",
            f"a command that is run again {span} after it has ended: a timer starts it (OnUnitInactiveSec=)",
        )
        self._directory(it, "")

    def _one_shot_commands(self, commands: list[Command]) -> None:
        service = self.service
        service.type = "oneshot"
        service.restart = None
        service.kill_mode = None
        # Type=oneshot has no start timeout of its own.
        service.settings.pop("TimeoutStartSec", None)
        service.start = commands or [Command.of("/bin/true")]
        service.start_pre = []
        if "RuntimeDirectory" in service.directories:
            # The service ends with each run, and what is in the directory is for later.
            service.set("RuntimeDirectoryPreserve", "yes")

    def _leading_snooze(self, it: Interpreter) -> bool:
        """`snooze options` and then a command: the same as `snooze options command`."""
        main, it.main = it.main, [*(it.leading_snooze or []), *(it.main or [])]
        count = len(self.findings)
        if self._snooze(it):
            return True
        self.findings[count:] = [one for one in self.findings[count:] if one.severity == WARNING]
        it.main = main
        return False

    def _snooze(self, it: Interpreter) -> bool:
        """`snooze options command`: a timer; without a command, what follows in the script would be the command."""
        service = self.service
        if it.main is None:
            return False
        options = wrappers._Options(it, it.main[1:], "nv", "DWHMSTRJdmstw")
        try:
            rest = options.read()
            fields: dict[str, str] = {}
            timer: dict[str, list[str]] = {}
            for letter, raw in options.found:
                value = it.fixed(raw) if raw else ""
                if value is None:
                    raise snooze.NoTimer("an option is known only when the service starts")
                if letter in "dmwHMS":
                    fields[letter] = value
                elif letter in "DW":
                    raise snooze.NoTimer(f"-{letter} (days of the year, weeks) has no calendar expression")
                elif letter == "t":
                    timer["Persistent"] = ["yes"]
                    it.note(INFO, "snooze -t", f"Persistent=yes: systemd remembers the last run itself, not by {value}")
                elif letter in "RJ":
                    timer["RandomizedDelaySec"] = [snooze.duration(value)]
                elif letter == "T":
                    it.note(
                        DECISION,
                        "snooze -T",
                        f"a waiting time of {value} since the last run has no directive; left out",
                    )
                elif letter == "s":
                    it.note(
                        INFO,
                        "snooze -s",
                        f"late starts up to {value} are not told apart; Persistent= decides about missed ones",
                    )
                elif letter == "n":
                    raise snooze.NoTimer("-n only shows times")
            timer["OnCalendar"] = [snooze.calendar(fields)]
        except (wrappers.Keep, snooze.NoTimer) as why:
            it.note(WARNING, "snooze", f"snooze stays: {why}")
            return False
        if not rest:
            it.note(WARNING, "snooze", "snooze without a command stays")
            return False
        inner = wrappers.peel(it, rest)
        program = constant(it.program(inner[0])) if inner else ""
        if program is not None and not is_program(program):
            it.note(WARNING, "snooze", "snooze stays: what follows it is no program")
            return False
        from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.service import Timer

        self._commands(it)
        steps = service.start_pre
        self._one_shot_commands([Command([it.program(inner[0]), *inner[1:]], argv0=it.argv0)])
        service.start_pre = steps
        service.timer = Timer()
        service.timer.settings = {"OnCalendar": timer.pop("OnCalendar"), **timer, "AccuracySec": ["1s"]}
        it.note(INFO, "snooze", "a timer starts the command; the service itself is not enabled")
        if steps and it.leading_snooze is None:
            it.note(INFO, "snooze", "steps that ran before the waiting now run before the command")
        self._directory(it, " ".join("".join(piece.text for piece in word) for word in inner))
        return True

    # -- wrapped

    def _wrap(self, construct: str, message: str, line: int) -> None:
        """The original program goes on being run, from its directory."""
        self.translation = "wrapped"
        self.service = service = self._new()
        service.start = [Command.of(f"{self.definition.path}/run")]
        service.set("SyslogIdentifier", render.value(service.name))
        service.working_directory = self.definition.path
        self.note(WARNING, construct, "run", line, message)
        self.note(
            INFO,
            "wrapped",
            "run",
            0,
            f"keep {self.definition.path}: the unit runs its run script, which sets user, environment and limits itself",
        )
        self._manner(True)

    def _wrapped(self, script: Script, shebang: list[str], shell: str, why: Wrap) -> None:
        names = {name.rsplit("/", 1)[-1] for name in commands_in(script.root)}
        if "sv" in names or "svc" in names:
            self._without_sv(script, shebang, shell, why)
            return
        self._wrap(why.construct, why.message, why.line)
        used = sorted(
            names & {"chpst", "utmpset", "svwaitup", "setuidgid", "envdir", "softlimit", "pause", "snooze", "vlogger"}
        )
        if used:
            self.note(
                WARNING,
                used[0],
                "run",
                0,
                f"the script calls {', '.join(used)}: the package that has it must stay installed",
            )
        last = statements(script.root)
        execs = bool(last) and "exec" in commands_in(last[-1][0])
        if not execs:
            self.service.kill_mode = None
        if "invoke-run" in " ".join(shebang):
            self.service.environment_files = []
            self.note(
                INFO,
                "invoke-run",
                "run",
                1,
                "the original script is run by invoke-run, which reads /etc/default and ./env itself",
            )

    def _without_sv(self, script: Script, shebang: list[str], shell: str, why: Wrap) -> None:
        """sv has nothing to talk to under systemd: the script without its dependencies, which become ordering."""
        if script.errors:
            message = f"{why.message}; it calls sv, which has no supervisor to ask under systemd: rewrite it by hand"
            raise Refused(why.construct, message, why.line)
        self.service = service = self._new()
        interpreter = self._interpreter(script, shebang, shell, service, self.definition.path)
        parts: list[str] = []
        if "invoke-run" in " ".join(shebang):
            parts.append(
                f"set -a; [ ! -r /etc/default/{self.definition.name} ] || . /etc/default/{self.definition.name}; set +a"
            )
        found = statements(script.root)
        execs = bool(found) and "exec" in commands_in(found[-1][0])
        for node, background in found:
            names = {name.rsplit("/", 1)[-1] for name in commands_in(node)}
            if "sv" in names or "svc" in names:
                interpreter.line = line_of(node)
                steps = len(interpreter.steps)
                try:
                    interpreter.dispatch(node, False)
                except (NeedShell, Wrap, CannotPrint):
                    raise Refused(
                        why.construct,
                        f"{why.message}; under systemd sv has no supervisor to ask, so this script cannot go on "
                        "being run: rewrite it by hand",
                        why.line,
                    ) from None
                if len(interpreter.steps) != steps or interpreter.ended:
                    raise Refused("sv", "sv is part of a larger construct; rewrite this script by hand", line_of(node))
                continue
            blank = Interpreter(self.definition, service, script, self.definition.path, [])
            blank.open_shell = True
            try:
                parts.append(Printer(blank, node).line(node) + (" &" if background else ""))
            except CannotPrint as problem:
                raise Refused(
                    why.construct,
                    f"{why.message}; the script calls sv, which has no supervisor to ask under systemd, and cannot "
                    f"be put into the unit ({problem}): rewrite it by hand",
                    why.line,
                ) from None
        text = "; ".join(parts).replace(" &; ", " & ")
        if interpreter.errexit:
            text = "set -e; " + text
        if len(text) > 8000:
            raise Refused(
                why.construct,
                f"{why.message}; the script calls sv and is too long for a unit: rewrite it by hand",
                why.line,
            )
        self.translation = "wrapped"
        service.start = [Command(line=text)]
        service.set("SyslogIdentifier", render.value(service.name))
        service.working_directory = self.definition.path
        if shell == "bash":
            service.start = [Command([lit("/bin/bash"), lit("-c"), [Piece("lit", text)]])]
        self.note(WARNING, why.construct, "run", why.line, why.message)
        self.note(
            INFO,
            "wrapped",
            "run",
            0,
            "the script is in the unit, without its calls of sv: under systemd they have no supervisor to ask",
        )
        self._manner(execs)

    # -- check

    def _check(self) -> None:
        text = self.definition.text("check")
        if text is None:
            return
        path = f"{self.definition.path}/check"
        if not self.definition.executable("check"):
            self.note(INFO, "check", "check", 0, "not executable, so sv does not ask it; left out")
            return
        shell = shell_of(shebang_of(text))
        body: str | None = None
        if shell is not None:
            body = self._one_line(text, "check", shell)
        if "sv" in {name.rsplit("/", 1)[-1] for name in commands_in(parse(text, "check").root)}:
            self.note(
                WARNING, "check", "check", 1, "it asks sv, which has no supervisor to ask under systemd; left out"
            )
            return
        if body is None or len(body) > _LONGEST_INLINE:
            body = f"cd {word_text(lit(self.definition.path))} && {word_text(lit(path))}"
            self.note(WARNING, "check", "check", 1, f"the unit goes on running {path}; keep it")
        loop = f"for i in 1 2 3 4 5 6 7; do ({body}) && exit 0; sleep 1; done; exit 1"
        command = _shell_command(loop, shell, True, self.service.user is not None)
        if self.service.type == "oneshot":
            self.note(INFO, "check", "check", 1, "the unit is active only once its steps are done; check is not asked")
            return
        self.service.start_post = [command]
        self.note(
            INFO,
            "check",
            "check",
            1,
            "asked each second for up to seven, as by `sv start`, before what is ordered after this service starts; "
            "it does not end the service",
        )

    def _one_line(self, text: str, file: str, shell: str) -> str | None:
        """A script as one line of shell, run in the service directory; None where it cannot be."""
        script = parse(text, file)
        if script.errors:
            return None
        scope = Interpreter(self.definition, self._new(), script, self.definition.path, [])
        scope.open_shell = True
        printer = Printer(scope, script.root)
        try:
            body = printer.block(script.root)
        except CannotPrint:
            return None
        flags = (
            "set -e; " if any("e" in word for word in shebang_of(text)[1:] if re.match(r"-[a-zA-Z]+\Z", word)) else ""
        )
        body = printer.prefix() + re.sub(
            r"(?:^|(?<=; ))exec (2>&1|1>&2|>/dev/null|>/dev/null 2>&1|2>/dev/null)(; |$)", "", body
        )
        if is_relative(body) or _names_own_file(self.definition, [body]) or "supervise" in body:
            body = f"cd {word_text(lit(self.definition.path))} || exit 1; {body}"
        return flags + body.strip() if body.strip() else ":"

    # -- finish

    def _finish(self) -> None:
        text = self.definition.text("finish")
        if text is None:
            if "finish" in self.definition.files:
                self._finish_as_it_is("finish is no script")
            return
        if not self.definition.executable("finish"):
            self.note(INFO, "finish", "finish", 0, "not executable, so runsv does not run it; left out")
            return
        shell = shell_of(shebang_of(text))
        if shell is None:
            self._finish_as_it_is("finish is not a shell script")
            return
        script = parse(text, "finish")
        if script.errors:
            self._finish_as_it_is("finish does not parse as shell")
            return
        left: list[tuple[Node, bool]] = []
        service = self.service
        found = statements(script.root)
        for index, (node, background) in enumerate(found):
            if not self._finish_statement(node, background):
                left.append((node, background))
            if _ends_script(node) and not background and index + 1 < len(found):
                self.note(
                    INFO,
                    "unreachable",
                    "finish",
                    line_of(found[index + 1][0]),
                    "what follows is never reached; left out",
                )
                break
        left = [
            pair
            for index, pair in enumerate(left)
            if not _only_assigns(pair[0])
            or any(_assigned_name(pair[0]) in referenced(other) for other, _b in left[index + 1 :])
        ]
        if left:
            self._finish_commands(left, script, shell)
        if service.stop_post and service.type == "oneshot" and service.remain_after_exit:
            service.stop = service.stop_post
            service.stop_post = []

    def _finish_as_it_is(self, why: str) -> None:
        path = f"{self.definition.path}/finish"
        setup = f"{_FINISH_CODE}*) case $EXIT_STATUS in {_FINISH_SIGNALS} esac; set -- -1 $s;; esac"
        text = f'{setup}; cd {word_text(lit(self.definition.path))}; exec {word_text(lit(path))} "$@"'
        self.service.stop_post.append(Command(line=text, ignore=True, root=self.service.user is not None))
        self.note(WARNING, "finish", "finish", 1, f"{why}; the unit goes on running {path} after each exit: keep it")

    def _finish_statement(self, node: Node, background: bool) -> bool:
        """What has a directive; True where nothing is left of the statement."""
        service = self.service
        line = line_of(node)
        inner = node.children[0] if node.type == "redirected_statement" else node
        if background:
            return False
        if node.type == "redirected_statement" and text_of(inner).strip() == "exec":
            if re.fullmatch(_SILENCED, _redirects_text(node)):
                return True
            self.finish_writes = True
            return False
        if self.finish_writes:
            # Its output goes to a file, so what it says is no mere message.
            messages: t.Collection[str] = ()
        else:
            messages = programs.MESSAGES
        if inner.type == "command":
            words = [word.strip("\"'") for word in text_of(inner).split()]
            while words and words[0] == "exec":
                words = words[1:]
            if not words:
                return True
            name = words[0].rsplit("/", 1)[-1]
            if node.type == "redirected_statement" and name in (":", "true", "set"):
                return re.fullmatch(_SILENCED, _redirects_text(node)) is not None
            if name in (":", "true", "set"):
                return True
            if name in ("exit", "return"):
                return True
            if name == "utmpset":
                line_of_terminal = self._finish_word(node, words[-1])
                self.note(
                    INFO,
                    "utmpset",
                    "finish",
                    line,
                    "systemd writes the end of the session to utmp itself (UtmpIdentifier=)",
                )
                if "UtmpIdentifier" not in service.settings and line_of_terminal:
                    service.set("UtmpIdentifier", line_of_terminal.rsplit("/", 1)[-1])
                return True
            if name == "finish-exec":
                service.prevent_restart += ["161", "162", "170"]
                self.note(
                    INFO,
                    "finish-exec",
                    "finish",
                    line,
                    "exit codes 161, 162 and 170 take the service down: RestartPreventExitStatus=",
                )
                return True
            if name == "finish-default":
                self.note(INFO, "finish-default", "finish", line, "only reports how the service ended, as systemd does")
                return True
            if name in messages and (
                node.type == "command" or re.fullmatch(r"\s*(>&2|1>&2|2>&1)\s*", _redirects_text(node))
            ):
                self.note(
                    INFO, "message", "finish", line, "the message is not printed; systemd logs how the service ended"
                )
                return True
            if name == "sleep" and len(words) == 2 and re.fullmatch(r"[0-9.]+[smhd]?", words[1]):
                service.restart_sec = words[1]
                self.note(INFO, "sleep", "finish", line, f"the pause before another start is RestartSec={words[1]}")
                return True
            if name == "sv" and _own_sv(words, self.definition):
                service.restart = None
                service.restart_sec = None
                self.note(
                    INFO, "sv down", "finish", line, "the service is not started again when it has ended: Restart=no"
                )
                return True
            if name == "sv":
                return self._finish_sv(words, line)
        codes = _codes_test(node, self.definition)
        if codes:
            service.prevent_restart += codes
            self.note(
                INFO,
                "sv down",
                "finish",
                line,
                f"not started again after exit codes {', '.join(codes)}: RestartPreventExitStatus=",
            )
            return True
        found = _code_test(node, self.definition)
        if found is not None:
            how, code = found
            if how == "is":
                service.prevent_restart.append(code)
                self.note(
                    INFO,
                    "sv down",
                    "finish",
                    line,
                    f"not started again after exit code {code}: RestartPreventExitStatus=",
                )
            elif code == "0":
                service.restart = "on-success"
                self.note(
                    INFO,
                    "sv down",
                    "finish",
                    line,
                    "not started again after an exit code that is not 0: Restart=on-success",
                )
            else:
                return False
            return True
        if inner.type in ("if_statement", "list") and _only_messages(inner):
            self.note(INFO, "message", "finish", line, "only prints a message; systemd logs how the service ended")
            return True
        if inner.type == "case_statement":
            return self._finish_case(inner, line)
        return False

    def _finish_word(self, node: Node, last: str) -> str | None:
        """The last word of a command of finish, where it is constant."""
        if "$" not in last and "`" not in last:
            return last if not last.startswith("-") else None
        script = parse(self.definition.text("finish") or "", "finish")
        scope = Interpreter(self.definition, self._new(), script, self.definition.path, [])
        try:
            for one, _background in statements(script.root):
                if one.start_byte >= node.start_byte:
                    break
                if one.type in ("variable_assignment", "variable_assignments"):
                    scope.dispatch(one, False)
            return constant(scope.evaluator.words([parse(last, "finish").root.children[0]])[-1]) or None
        except (NeedShell, Wrap, IndexError):
            return None

    def _finish_sv(self, words: list[str], line: int) -> bool:
        arguments = [word for word in words[1:] if not word.startswith("-")]
        verbs = {
            "down": "stop",
            "d": "stop",
            "stop": "stop",
            "up": "start",
            "u": "start",
            "start": "start",
            "restart": "restart",
            "once": "start",
            "hup": "reload",
            "reload": "reload",
            "force-stop": "stop",
        }
        if len(arguments) < 2 or arguments[0] not in verbs or any("$" in word for word in arguments):
            self.note(
                DECISION,
                "sv",
                "finish",
                line,
                f"'{' '.join(words)}' has no supervisor to ask under systemd and was left out",
            )
            return True
        for name in arguments[1:]:
            unit = unit_of(name.rstrip("/").rsplit("/", 1)[-1])
            self.service.stop_post.append(
                Command.of(
                    "/bin/systemctl",
                    "--no-block",
                    verbs[arguments[0]],
                    unit,
                    ignore=True,
                    root=self.service.user is not None,
                )
            )
            self.note(
                DECISION,
                "sv",
                "finish",
                line,
                f"asks systemd to {verbs[arguments[0]]} {unit}; a dependency such as PartOf= may say it better",
            )
        return True

    def _finish_case(self, node: Node, line: int) -> bool:
        value = next(child for child in node.children[1:] if child.is_named)
        if text_of(value).strip('"') not in ("$1", "${1}"):
            return False
        codes: list[str] = []
        for item in node.children:
            if item.type != "case_item":
                continue
            patterns: list[str] = []
            body: list[Node] = []
            seen = False
            for child in item.children:
                if child.type == ")":
                    seen = True
                elif not seen and child.is_named:
                    patterns.append(text_of(child).strip("\"'"))
                elif seen and child.is_named and child.type != "comment":
                    body.append(child)
            downs = [one for one in body if _down_statement(one, self.definition)]
            if not all(one in downs or _only_messages(one) or _is_exit(one) for one in body):
                return False
            if downs:
                if not all(pattern.isdigit() for pattern in patterns):
                    return False
                codes += patterns
        self.service.prevent_restart += codes
        self.note(
            INFO,
            "case",
            "finish",
            line,
            f"exit codes {', '.join(codes)} take the service down" if codes else "only prints messages; left out",
        )
        return True

    def _finish_commands(self, left: list[tuple[Node, bool]], script: Script, shell: str) -> None:
        service = self.service
        root = service.user is not None
        names = set()
        for node, _background in left:
            names |= {name.rsplit("/", 1)[-1] for name in commands_in(node)}
        if "sv" in names:
            line = next(line_of(node) for node, _b in left if "sv" in _words(text_of(node)))
            self.note(
                DECISION,
                "finish",
                "finish",
                line,
                "it calls sv within a condition; under systemd sv has no supervisor to ask. "
                "The command fails and is ignored; say with Restart= or ExecStopPost= what should happen",
            )
        scope = Interpreter(self.definition, self._new(), script, self.definition.path, [])
        simple: list[Command] = []
        for node, background in left:
            one = self._finish_simple(node, background, scope)
            if one is None:
                break
            simple.append(one)
        else:
            for command in simple:
                command.root = root
            service.stop_post += simple
            self.note(
                INFO,
                "finish",
                "finish",
                line_of(left[0][0]),
                "runs after every exit: ExecStopPost= (of a one-shot: ExecStop=)",
            )
            return
        scope.open_shell = True
        parts: list[str] = []
        used: set[str] = set()
        try:
            for node, background in left:
                printer = Printer(scope, node)
                parts.append(printer.prefix() + printer.line(node) + (" &" if background else ""))
                used |= referenced(node)
        except CannotPrint:
            self._finish_as_it_is("finish cannot be put on one line")
            return
        body = "; ".join(parts).replace(" &; ", " & ")
        if "set -e" in (self.definition.text("finish") or "").split("\n", 3)[0] or any(
            "e" in word
            for word in shebang_of(self.definition.text("finish") or "")[1:]
            if re.match(r"-[a-zA-Z]+\Z", word)
        ):
            body = "set -e; " + body
        if is_relative(body) or "supervise" in body or _names_own_file(self.definition, [body]):
            body = f"cd {word_text(lit(self.definition.path))}; {body}"
        if len(body) > _LONGEST_INLINE * 2:
            self._finish_as_it_is("finish is too long for a unit")
            return
        if used & {"1", "2", "@", "*"}:
            second = bool(used & {"2", "@", "*"})
            if second:
                setup = f"{_FINISH_CODE}*) case $EXIT_STATUS in {_FINISH_SIGNALS} esac; [ $EXIT_CODE != dumped ] || s=$((s+128)); set -- -1 $s;; esac; "
            else:
                setup = f"{_FINISH_CODE}*) set -- -1;; esac; "
            if service.type == "oneshot":
                setup = "set -- -1 15; "
            body = setup + body
            self.note(
                INFO,
                "finish",
                "finish",
                line_of(left[0][0]),
                "runs after every exit: ExecStopPost=, $1 and $2 made of $EXIT_CODE and $EXIT_STATUS",
            )
        else:
            self.note(
                INFO,
                "finish",
                "finish",
                line_of(left[0][0]),
                "runs after every exit: ExecStopPost= (of a one-shot: ExecStop=)",
            )
        service.stop_post.append(_shell_command(body, shell, True, root))

    def _finish_simple(self, node: Node, background: bool, scope: Interpreter) -> Command | None:
        if background:
            return None
        one = node
        if one.type == "redirected_statement":
            try:
                if not Interpreter._silent(scope.redirects(one)):
                    return None
            except (NeedShell, Wrap):
                return None
            one = one.children[0]
        if one.type != "command" or any(child.type == "variable_assignment" for child in one.children):
            return None
        try:
            words = scope.evaluator.words(one.children)
        except (NeedShell, Wrap):
            return None
        if any(piece.kind not in ("lit", "spec") for word in words for piece in word):
            return None
        if words and constant(words[0]) == "exec":
            words = words[1:]
        name = constant(words[0]) if words else None
        if not name or not re.match(r"/?[A-Za-z0-9_./+-]+[A-Za-z0-9_.+-]\Z|[A-Za-z]\Z", name) or name.startswith("."):
            return None
        if name in (
            "cd",
            "export",
            "command",
            "type",
            "eval",
            "read",
            "[",
            "test",
            ".",
            "source",
            "trap",
            "wait",
            "kill",
            "sv",
            "umask",
            "ulimit",
            "shift",
        ):
            return None
        if referenced(node) & {"1", "2", "@", "*", "#"}:
            return None
        command = Command([scope.program(words[0]), *words[1:]], ignore=True)
        texts = [constant(word) or "" for word in words]
        if names_relative(command) or any(relative_file(text) or text in (".", "..") for text in texts):
            return None
        return command

    # -- control

    def _control(self) -> None:
        service = self.service
        for name, text in sorted(self.definition.below("control").items()):
            file = f"control/{name}"
            if not self.definition.executable(file):
                self.note(INFO, file, file, 0, "not executable, so runsv does not run it; left out")
                continue
            shell = shell_of(shebang_of(text))
            signal = self._signal(text, file) if shell is not None else None
            if name == "t":
                if signal is not None:
                    if signal != "TERM":
                        service.set("KillSignal", f"SIG{signal}")
                    self.note(INFO, file, file, 1, f"the stop signal is SIG{signal} (KillSignal=)")
                    continue
                command = self._control_command(text, file, shell)
                service.stop.append(command)
                service.stop.append(
                    Command(
                        line='while kill -0 "$MAINPID" 2>/dev/null; do sleep 1; done',
                        ignore=True,
                        root=service.user is not None,
                    )
                )
                self.note(
                    INFO,
                    file,
                    file,
                    1,
                    "runs instead of the stop signal: ExecStop=, which then waits for the process to end; "
                    "where it fails, SIGTERM follows, as under runsv",
                )
            elif name == "h":
                if signal is not None:
                    service.reload.append(
                        Command([lit("/bin/kill"), lit(f"-{signal}"), [Piece("var", "MAINPID", True)]])
                    )
                else:
                    service.reload.append(self._control_command(text, file, shell))
                self.note(INFO, file, file, 1, "`sv hup` is `systemctl reload` (ExecReload=)")
            elif name in ("d", "x"):
                if signal is not None:
                    if "KillSignal" not in service.settings and signal != "TERM":
                        service.set("KillSignal", f"SIG{signal}")
                    self.note(
                        DECISION,
                        file,
                        file,
                        1,
                        f"sends SIG{signal} besides SIGTERM when the service is taken down: taken as the stop signal",
                    )
                else:
                    self.note(
                        DECISION,
                        file,
                        file,
                        1,
                        "runs besides the stop signal when the service is taken down; there is no directive for that. "
                        "Where it prepares the stop, make it ExecStop=",
                    )
            else:
                self.note(
                    DECISION,
                    file,
                    file,
                    1,
                    f"replaces `sv {name}`; systemd has no such command: use `systemctl kill --signal=` or `systemctl start` instead",
                )

    def _control_command(self, text: str, file: str, shell: str | None) -> Command:
        root = self.service.user is not None
        script = parse(text, file)
        found = statements(script.root)
        if shell is not None and not script.errors and len(found) == 1:
            scope = Interpreter(self.definition, self._new(), script, self.definition.path, [])
            one = self._finish_simple(*found[0], scope)
            if one is not None and not referenced(script.root):
                one.ignore, one.root = False, root
                return one
        body = self._one_line(text, file, shell) if shell is not None else None
        if body is None or len(body) > _LONGEST_INLINE:
            self.note(WARNING, file, file, 1, f"the unit goes on running {self.definition.path}/{file}; keep it")
            return Command.of(f"{self.definition.path}/{file}", root=root)
        body = re.sub(r"\$\((?:cat|<) ?(?:\./)?supervise/pid\)|`cat (?:\./)?supervise/pid`", "$MAINPID", body)
        return _shell_command(body, shell, False, root)

    def _signal(self, text: str, file: str) -> str | None:
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
                if name != "kill" and target.rsplit("/", 1)[-1] != self._program_name():
                    return None
                if name == "kill" and target.startswith("-") and len(rest) > 1:
                    return None
                signal = signal.upper().removeprefix("SIG")
                signals.append(_SIGNALS.get(signal, signal))
            elif name == "sv":
                if len(words) < 3 or words[1] not in _SV_SIGNALS:
                    return None
                own = words[2].rstrip("/").rsplit("/", 1)[-1]
                if own not in (self.definition.name, ".", "") and "$" not in own:
                    return None
                signals.append(_SV_SIGNALS[words[1]])
            elif name not in (
                *programs.MESSAGES,
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

    def _program_name(self) -> str:
        for command in self.service.start:
            if command.argv:
                return (constant(command.argv[0]) or "").rsplit("/", 1)[-1]
        return self.definition.name

    # -- log

    def _log(self) -> None:
        definition = self.definition
        text = definition.text("log/run")
        if text is None:
            if definition.has("log"):
                self.note(INFO, "log", "log", 0, "a log directory without a run script; left out")
            return
        service = self.service
        identifier = self._program_name()
        if identifier != service.name and "SyslogIdentifier" not in service.settings:
            service.set("SyslogIdentifier", render.value(service.name))
        if self.options.log == "svlogd":
            self._companion(text)
            return
        shell = shell_of(shebang_of(text))
        command: list[Word] | None = None
        line = 1
        if shell is not None:
            script = parse(text, "log/run")
            scratch: list[Finding] = []
            scope = Interpreter(definition, self._new(), script, f"{definition.path}/log", scratch)
            try:
                if not script.errors:
                    scope.run()
                command = scope.main
                line = scope.line
            except (NeedShell, Wrap):
                command = None
        if command is None:
            self.note(
                DECISION,
                "log/run",
                "log/run",
                1,
                "what it does with the log is not understood; the journal takes the output instead",
            )
            return
        self._logger(command, "log/run", line)
        if scope.steps or scope.prefix:
            self.note(
                INFO,
                "log/run",
                "log/run",
                1,
                "its steps prepared the log directory, which is no longer written to; left out",
            )

    def _logger(self, words: list[Word], file: str, line: int) -> None:
        """What a logging program's options mean for the journal."""
        service = self.service
        name = (constant(words[0]) or "").rsplit("/", 1)[-1]
        texts = [constant(word) for word in words[1:]]
        if name in ("logger", "vlogger"):
            for index, text in enumerate(texts):
                if text is None:
                    continue
                value = text[2:] if len(text) > 2 else (texts[index + 1] if index + 1 < len(texts) else None)
                if text.startswith("-t") and not text.startswith("--"):
                    if value:
                        service.set("SyslogIdentifier", render.value(value))
                elif text.startswith("-p") and not text.startswith("--") and value:
                    facility, _dot, level = value.rpartition(".")
                    level = {"warn": "warning", "error": "err", "panic": "emerg"}.get(level, level)
                    if facility in _FACILITIES and facility != "daemon":
                        service.set("SyslogFacility", facility)
                    if level in _LEVELS and level != "info":
                        service.set("SyslogLevel", level)
            self.note(
                INFO,
                name,
                file,
                line,
                "the journal takes the output with the same tag; rsyslog reads it from there where it is installed",
            )
            return
        if name in ("svlogd", "multilog", "s6-log", "tinylog"):
            directory = next(
                (
                    text
                    for text in reversed(texts)
                    if text
                    and not text.startswith("-")
                    and (text.startswith((".", "/")) or "/" in text or text == "main")
                ),
                None,
            )
            self.note(
                DECISION,
                name,
                file,
                line,
                f"the journal takes the output instead of files{' in ' + directory if directory else ''}; it has no rotation of "
                "its own for one service (option log=svlogd keeps svlogd)",
            )
            for option in (text for text in texts if text and (text.startswith("-") or name == "multilog")):
                if option != directory:
                    self.note(
                        INFO, f"{name} {option}", file, line, "the journal has its own time stamps, prefixes and sizes"
                    )
            self._svlogd_config()
            return
        self.note(
            INFO,
            name or "log",
            file,
            line,
            "the journal takes the output"
            + ("" if name in programs.LOGGERS else f"; {name} no longer gets it")
            + ". Where it must go elsewhere, configure journald or rsyslog",
        )
        if name not in programs.LOGGERS:
            self.note(
                DECISION,
                name or "log",
                file,
                line,
                "this program did more with the log than keep it; decide whether it is still needed",
            )

    def _svlogd_config(self) -> None:
        meanings = {
            "s": "size of a file",
            "n": "number of files",
            "N": "least number of files",
            "t": "rotation by age",
            "!": "processing of rotated files",
            "u": "sending by UDP",
            "U": "sending by UDP",
            "p": "a prefix",
            "-": "a filter",
            "+": "a filter",
            "e": "selection for standard error",
            "E": "selection for standard error",
        }
        for path in sorted(self.definition.files):
            if not (path.startswith("log/") and path.rsplit("/", 1)[-1] == "config"):
                continue
            for number, row in enumerate((self.definition.text(path) or "").split("\n"), 1):
                if row[:1] in meanings:
                    serious = row[0] in "!uUe-+E"
                    self.note(
                        DECISION if serious else INFO,
                        f"svlogd {row[0]}",
                        path,
                        number,
                        f"{meanings[row[0]]} ('{row}') has no counterpart per service in journald"
                        + ("; see LogFilterPatterns= (systemd 253)" if row[0] in "-+" else ""),
                    )

    def _companion(self, text: str) -> None:
        """log/run kept as a service of its own, fed through a named pipe."""
        definition = self.definition
        name = render.unit_name(definition.name)
        raw = {
            "name": f"{definition.name}-log",
            "source": definition.source,
            "path": f"{definition.path}/log",
            "live": definition.live,
            "commands": definition.commands,
            "users": definition.users,
            "external": list(definition.external.values()),
            "files": [{**one, "path": path[4:]} for path, one in definition.files.items() if path.startswith("log/")],
        }
        inner = _Translator(Definition(raw), self.options)
        inner.run()
        service = inner.service
        service.description = f"Log of {definition.name}"
        service.set("StandardInput", "socket")
        fifo = f"/run/{definition.name}-log.fifo"
        self.findings += [
            Finding(one.severity, one.construct, f"log/{one.file}", one.line, one.message) for one in inner.findings
        ]
        found = render.sections(service)
        found["Service"].setdefault("StandardOutput", "journal")
        found["Service"].setdefault("StandardError", "journal")
        found.pop("Install", None)
        self.companion = [
            render.unit(f"{name}-log.service", found, f"{definition.path}/log/run"),
            render.unit(
                f"{name}-log.socket",
                {
                    "Unit": {"Description": f"Pipe to the log of {render.value(definition.name)}"},
                    "Socket": {"ListenFIFO": render.value(fifo), "SocketMode": "0600", "RemoveOnStop": "yes"},
                    "Install": {"WantedBy": "sockets.target"},
                },
                f"{definition.path}/log/run",
            ),
        ]
        if self.service.settings.get("StandardOutput", ["journal"]) == ["journal"]:
            joined = self.service.settings.get("StandardError") is None
            self.service.set("StandardOutput", "file:" + render.value(fifo))
            if joined and not self._stderr_joined():
                self.service.set("StandardError", "journal")
        for where in (self.service.after, self.service.wants):
            where.append(f"{name}-log.socket")
        self.service.settings.pop("SyslogIdentifier", None)
        if inner.translation != "native" and self.translation == "native":
            self.translation = inner.translation

    def _stderr_joined(self) -> bool:
        interpreter = getattr(self, "interpreter", None)
        return interpreter is None or interpreter.stderr != "separate"

    # -- the rest

    def _rest(self) -> None:
        definition = self.definition
        if "down" in definition.files:
            self.note(
                INFO,
                "down",
                "down",
                0,
                "the service is not started with the host: install the unit, but do not enable it",
            )
        elif definition.state.get("once"):
            self.note(
                INFO, "once", "", 0, "running, but told not to be started again (sv once): do not enable the unit"
            )
        known = {
            "run",
            "finish",
            "check",
            "down",
            "log",
            "control",
            "supervise",
            "conf",
            "env",
            "README",
            "type",
            ".meta",
        }
        mentioned = "\n".join(definition.text(path) or "" for path in definition.files)
        for path in sorted(definition.files):
            head = path.split("/", 1)[0]
            if (
                head in known
                or path.endswith(("README", ".md", "~", ".bak", ".orig", ".dpkg-old", ".dpkg-dist"))
                or head.startswith(".")
            ):
                continue
            one = definition.files[path]
            if one.get("type") == "directory" or "/" in path:
                continue
            if head in mentioned:
                self.note(INFO, "file", path, 0, "a file of its own that the scripts mention; keep it where it is")
            else:
                self.note(INFO, "file", path, 0, "a file that neither runsv nor the scripts use; left out")
        if definition.has("env") and not definition.files.get("env", {}).get("used") and self.translation == "native":
            scripts = definition.text("run") or ""
            if "env" not in scripts:
                self.note(INFO, "env", "env", 0, "an env directory that no script reads; left out")
        if (
            definition.has("conf")
            and "conf" not in (definition.text("run") or "")
            and "conf" not in (definition.text("finish") or "")
        ):
            self.note(INFO, "conf", "conf", 0, "a conf file that no script reads; left out")


# -- helpers


def shebang_of(text: str) -> list[str]:
    """The words of the first line after #!; what execve() does without one is the shell's."""
    first = text.split("\n", 1)[0]
    if not first.startswith("#!"):
        return ["/bin/sh"]
    return first[2:].split() or ["/bin/sh"]


def shell_of(shebang: list[str]) -> str | None:
    """The shell that reads the script, or None where none does."""
    words = list(shebang)
    if words[0].rsplit("/", 1)[-1] == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word] or ["sh"]
    name = words[0].rsplit("/", 1)[-1]
    if name == "invoke-run":
        return "sh"
    if name == "busybox":
        return "sh"
    return name if name in _SHELLS else None


def _is_forever(base: str, arguments: list[str | None]) -> bool:
    if base in ("pause", "sigpause"):
        return True
    if base == "sleep" and arguments:
        text = arguments[0] or ""
        if text in programs.FOREVER:
            return True
        match = re.match(r"(\d+)([smhd]?)\Z", text)
        if match:
            seconds = int(match.group(1)) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match.group(2)]
            return seconds >= 30 * 86400
    return base == "tail" and "-f" in arguments and "/dev/null" in arguments


def _substituted(it: Interpreter) -> set[str]:
    """The commands whose output is part of the main command."""
    names: set[str] = set()
    for word in it.main or []:
        for piece in word:
            if piece.kind == "shell" and re.search(r"\$\(|`", piece.text):
                names |= {
                    name.rsplit("/", 1)[-1] for name in commands_in(parse(piece.text, "run").root) if "$" not in name
                }
    return names


def _shell_command(line: str, shell: str | None, ignore: bool, root: bool) -> Command:
    """A line of shell, for the shell that its script asks for: bash understands more than sh, and some things otherwise."""
    command = Command(line=line, ignore=ignore, root=root)
    if shell == "bash":
        command.interpreter = "/bin/bash"
    return command


def _names_own_file(definition: Definition, texts: list[str]) -> bool:
    """Whether a command names a file of the service directory by its bare name."""
    own = [
        path
        for path in definition.files
        if "/" not in path
        and path not in ("run", "finish", "check", "down", "log", "control", "supervise", "env", "conf")
    ]
    own += [path for path in ("env", "conf") if path in definition.files]
    return any(re.search(rf"(^|[\s=:'\"]){re.escape(name)}(?=$|[\s'\"/])", text) for name in own for text in texts)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z0-9_.+-]+", text))


def _redirects_text(node: Node) -> str:
    return " ".join(text_of(child) for child in node.children[1:])


def _ends_script(node: Node) -> bool:
    """Whether nothing after a statement is reached: `exec command` or `exit`."""
    inner = node.children[0] if node.type == "redirected_statement" else node
    words = text_of(inner).split() if inner.type == "command" else []
    return words[:1] in (["exit"], ["return"]) or (
        words[:1] == ["exec"] and len(words) > 1 and words[1][0] not in "<>0123456789"
    )


def _only_assigns(node: Node) -> bool:
    return node.type in ("variable_assignment", "variable_assignments")


def _assigned_name(node: Node) -> str:
    return text_of(node.children[0]) if node.children else ""


def _own_sv(words: list[str], definition: Definition) -> bool:
    arguments = list(words[1:])
    while arguments and arguments[0].startswith("-"):
        arguments = arguments[2:] if arguments[0] == "-w" else arguments[1:]
    if len(arguments) < 2 or arguments[0] not in ("d", "down", "stop", "once", "o", "x", "exit", "force-stop"):
        return False
    name = arguments[1].rstrip("/")
    return (
        name in (".", definition.name, definition.path, "$PWD", "${PWD##*/}", "$NAME", "$SERVICE", "`pwd`", "$(pwd)")
        or name.rsplit("/", 1)[-1] == definition.name
        or name.startswith(("$(dirname", "$(basename", "${0%"))
    )


def _is_exit(node: Node) -> bool:
    return node.type == "command" and text_of(node).split(None, 1)[0] in ("exit", "return", ":", "true")


def _only_messages(node: Node) -> bool:
    if node.type == "if_statement":
        return (
            all(_only_messages(one) or (_is_exit(one) and False) for one, _b in branch(node))
            and not any(child.type in ("elif_clause", "else_clause") for child in node.children)
            and all(one.type == "test_command" for one in condition_of(node))
        )
    if node.type == "list":
        parts = [child for child in node.children if child.is_named]
        return all(one.type == "test_command" for one in parts[:-1]) and _only_messages(parts[-1])
    if node.type == "redirected_statement":
        if not re.fullmatch(r"\s*(>\s*&2|1>&2|2>&1|>\s*/dev/(stderr|stdout|null))\s*", _redirects_text(node)):
            return False
        node = node.children[0]
    return node.type == "command" and text_of(node).split(None, 1)[0] in programs.MESSAGES


def _down_statement(node: Node, definition: Definition) -> bool:
    one = node.children[0] if node.type == "redirected_statement" else node
    if one.type == "list":
        parts = [child for child in one.children if child.is_named]
        return any(_down_statement(part, definition) for part in parts) and all(
            _down_statement(part, definition) or _is_exit(part) or _only_messages(part) for part in parts
        )
    if one.type != "command":
        return False
    words = [word.strip("\"'") for word in text_of(one).split()]
    if words and words[0] == "exec":
        words = words[1:]
    return bool(words) and words[0].rsplit("/", 1)[-1] == "sv" and _own_sv(words, definition)


_CODE = re.compile(
    r"""\[{1,2}\s+x?"?\$\{?1\}?"?\s+(=|==|-eq|!=|-ne)\s+x?"?'?(-?\d+)'?"?\s+\]{1,2}\Z|test\s+"?\$\{?1\}?"?\s+(=|==|-eq|!=|-ne)\s+"?(-?\d+)"?\Z"""
)


def _codes_test(node: Node, definition: Definition) -> list[str] | None:
    """`if [ "$1" = N ] || [ "$1" = M ]; then sv down .; fi`: the codes."""
    if node.type != "if_statement" or any(child.type in ("elif_clause", "else_clause") for child in node.children):
        return None
    tests = condition_of(node)
    body = [one for one, _background in branch(node)]
    if len(tests) != 1 or tests[0].type != "list" or not any(_down_statement(one, definition) for one in body):
        return None
    if not all(
        _down_statement(one, definition) or _is_exit(one) or _only_messages(one) or _makes_down(one) for one in body
    ):
        return None
    codes: list[str] = []
    for part in re.split(r"\s*\|\|\s*", text_of(tests[0])):
        match = _CODE.match(part)
        if match is None or (match.group(1) or match.group(3)) not in ("=", "==", "-eq"):
            return None
        codes.append(match.group(2) or match.group(4))
    return None if "0" in codes or "-1" in codes else codes


def _makes_down(node: Node) -> bool:
    """`touch ./down`: what it is for is done by not starting the service again; it stays off until somebody starts it."""
    return re.fullmatch(r"(touch|:\s*>+|>+)\s*(\./|\$PWD/)?down", text_of(node).strip()) is not None


def _code_test(node: Node, definition: Definition) -> tuple[str, str] | None:
    """`[ "$1" = N ] && sv down .` and its kin: ("is" or "is not", N)."""
    body: list[Node] = []
    negate = False
    if node.type == "if_statement":
        tests = condition_of(node)
        if len(tests) != 1 or any(child.type in ("elif_clause", "else_clause") for child in node.children):
            return None
        condition = tests[0]
        body = [one for one, _background in branch(node)]
    elif node.type == "list" and len(node.children) == 3:
        condition = node.children[0]
        negate = text_of(node.children[1]) == "||"
        body = [node.children[2]]
        if body[0].type == "compound_statement":
            body = [one for one, _background in statements(body[0])]
    else:
        return None
    match = _CODE.match(text_of(condition))
    if match is None:
        return None
    if not any(_down_statement(one, definition) for one in body):
        return None
    if not all(
        _down_statement(one, definition) or _is_exit(one) or _only_messages(one) or _makes_down(one) for one in body
    ):
        return None
    operator = match.group(1) or match.group(3)
    code = match.group(2) or match.group(4)
    same = operator in ("=", "==", "-eq")
    if negate:
        same = not same
    return ("is" if same else "is not"), code
