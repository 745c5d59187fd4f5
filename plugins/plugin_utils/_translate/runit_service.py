# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service directory while it is translated."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.runit_scripts import (
    names_own_file,
    shebang_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.script import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.service import (
    WARNING,
    Finding,
    Service,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.shell import (
    CannotPrint,
    Printer,
    Script,
    constant,
    lit,
    parse,
    word_text,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import is_relative

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Rendered


class Options(t.NamedTuple):
    """What the user chose."""

    log: str = "journald"
    target: str = "multi-user.target"


class RunitService:
    """The definition, what has become of it so far, and the findings."""

    # What the classes above this one add, and those below them use.
    if t.TYPE_CHECKING:

        def run(self) -> None: ...

        def _directory(self, it: Interpreter, text: str) -> None: ...

        def _commands(self, it: Interpreter) -> None: ...

        def _manner(self, execs: bool) -> None: ...

    def __init__(self, definition: Definition, options: Options) -> None:
        self.definition = definition
        self.options = options
        self.findings: list[Finding] = []
        self.translation = "native"
        self.service = self._new()
        self.companion: list[Rendered] = []
        self.once = False
        self.finish_writes = False

    def _new(self) -> Service:
        service = Service(self.definition.name, self.definition.source, self.definition.path)
        service.description = f"{self.definition.name} service"
        service.target = self.options.target
        return service

    def note(self, severity: str, construct: str, file: str, line: int, message: str) -> None:
        self.findings.append(Finding(severity, construct, file, line, message))

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
        if is_relative(body) or names_own_file(self.definition, [body]) or "supervise" in body:
            body = f"cd {word_text(lit(self.definition.path))} || exit 1; {body}"
        return flags + body.strip() if body.strip() else ":"

    def _program_name(self) -> str:
        for command in self.service.start:
            if command.argv:
                return (constant(command.argv[0]) or "").rsplit("/", 1)[-1]
        return self.definition.name
