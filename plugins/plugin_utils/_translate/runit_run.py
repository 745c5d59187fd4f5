# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run: interpreted, or run as it is."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.source import (
    evaluate_file,
    open_settings,
    settings_file,
    withheld_settings,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep, NeedShell, Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.environment import (
    environment_directory,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._model import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import plain_settings
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import INFO, WARNING, Refused
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.print import CannotPrint, Printer
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    Script,
    commands_in,
    line_of,
    parse,
    statements,
    text_of,
    walk,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, lit
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.runit_process import Process
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.runit_scripts import (
    code_test,
    shebang_of,
    shell_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.runit_sv import interpreter_of


class Run(Process):
    """The run script."""

    def _run_script(self) -> None:
        definition = self.definition
        one = definition.files["run"]
        if definition.withheld(f"{definition.path}/run"):
            self._wrap(
                "run",
                "run was not read, as it is not for the owner of the link to it; it goes on being run as it is",
                1,
            )
            return
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

    def _interpret(self, script: Script, shebang: list[str], shell: str) -> None:
        interpreter = self._interpreter(script, shebang, shell, self._codes_that_end())
        if script.errors:
            bad = next((one for one in walk(script.root) if one.type == "ERROR" or one.is_missing), script.root)
            raise Wrap("shell", "the script does not parse as shell", line_of(bad))
        if "invoke-run" in " ".join(shebang):
            self._invoke_run(interpreter)
        interpreter.run()
        self.service = interpreter.service
        self.interpreter = interpreter
        self._finalize(interpreter)

    def _invoke_run(self, interpreter: Interpreter) -> None:
        """What Debian's invoke-run does before it runs the script."""
        name = self.definition.name
        path = f"/etc/default/{name}"
        _known, content = self.definition.outside(path)
        interpreter.scope.vars["NAME"] = lit(name)
        interpreter.line = 1
        if withheld_settings(interpreter, path, True):
            pass
        elif content is None:
            settings_file(interpreter, path, True)
            interpreter.scope.open_conf = True
            interpreter.note(
                INFO,
                "invoke-run",
                f"{path}, which invoke-run reads and exports, is EnvironmentFile= (NAME=value lines only)",
            )
        else:
            plain = plain_settings(content)
            if plain is not None:
                settings_file(interpreter, path, True)
                open_settings(interpreter, set(plain[0]) | plain[1], plain[0])
                interpreter.note(INFO, "invoke-run", f"{path}, which invoke-run reads and exports, is EnvironmentFile=")
            else:
                interpreter.scope.allexport = True
                try:
                    evaluate_file(interpreter, path, content, True, interpreter.text.script.root)
                finally:
                    interpreter.scope.allexport = False
        if self.definition.has("env"):
            try:
                environment_directory(interpreter, f"{self.definition.path}/env", "invoke-run")
            except Keep as why:
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
            found = code_test(node, self.definition)
            if found is not None and found[0] == "is" and found[1] != "0":
                codes.add(found[1])
        return codes

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
        interpreter = self._interpreter(script, shebang, shell)
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
                steps = len(interpreter.outcome.steps)
                try:
                    interpreter.dispatch(node, False)
                except (NeedShell, Wrap, CannotPrint):
                    raise Refused(
                        why.construct,
                        f"{why.message}; under systemd sv has no supervisor to ask, so this script cannot go on "
                        "being run: rewrite it by hand",
                        why.line,
                    ) from None
                if len(interpreter.outcome.steps) != steps or interpreter.outcome.ended:
                    raise Refused("sv", "sv is part of a larger construct; rewrite this script by hand", line_of(node))
                continue
            blank = interpreter_of(self.definition, service, script, self.definition.path, [])
            blank.shell.open_shell = True
            try:
                parts.append(Printer(blank, node).line(node) + (" &" if background else ""))
            except CannotPrint as problem:
                raise Refused(
                    why.construct,
                    f"{why.message}; the script calls sv, which has no supervisor to ask under systemd, and cannot "
                    f"be put into the unit ({problem}): rewrite it by hand",
                    why.line,
                ) from None
        self.service = service = interpreter.service
        text = "; ".join(parts).replace(" &; ", " & ")
        if interpreter.shell.errexit:
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
