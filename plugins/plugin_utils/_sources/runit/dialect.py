# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runit adds to the scripts that it runs."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.dialect import Dialect
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Finding
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import Script, commands_in, statements
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.sv import UP, own_sv, said, said_note, sv


class Runit(Dialect):
    """runit as scripts see it; daemontools' svc has become sv before.

    :param definition: what the collector found of the service.
    :param file: the script, as `run`, `finish` or `control/t`.
    """

    supervisor = "runit"
    runner = "runsv"
    parent = "runsvdir"
    controls = frozenset(("sv",))
    changing = frozenset(("supervise",))

    def __init__(self, definition: Definition, file: str, ends: t.Collection[str] = ()) -> None:
        super().__init__(file if file.startswith("control/") else "./" + file.rsplit("/", 1)[-1], ends)
        self.definition = definition
        self.tells_code = re.search(r"\$\{?[1@*]", definition.text("finish") or "") is not None

    def control(self, it: Interpreter, name: str, arguments: list[str], checked: bool = False) -> None:
        sv(it, arguments, checked)

    def said(self, it: Interpreter, arguments: list[str]) -> str | None:
        return said(it, arguments)

    def said_note(self, before: str, after: str) -> tuple[str, str, str]:
        return said_note(before, after)

    def pulls(self, words: list[str]) -> bool:
        return any(word in UP for word in words[1:4])

    def starts(self, text: str) -> bool:
        return re.search(r"\bsv\s(?:-\S+\s+)*(?:s|start|u|up|o|once)\s", text + " ") is not None

    def asks_enabled(self, text: str) -> bool:
        return "service" in text

    def asks_running(self, text: str) -> bool:
        return re.search(r"\bsv\s+(-\S+\s+)*status\s[^|]*\|\s*e?grep\s+(-[qsE]+\s+)*['\"]?\^?run\b", text) is not None

    def ends_itself(self, it: Interpreter, words: list[str]) -> bool:
        """`sv down X` where the script is about to end: X is the service itself, also where its directory is called otherwise here."""
        if own_sv(words, self.definition):
            return True
        # Another service is stopped as another. One that is called as the program that this one runs is this one.
        if len(words) == 3 and words[1] in ("down", "d", "stop", "exit") and words[2] in _last_commands(it):
            it.note_once(
                "runit.sv-own",
                "sv down",
                f"'{' '.join(words)}' is taken for the service itself, as {words[2]} is the program that it runs",
            )
            return True
        return False

    def keeps_down(self, words: list[str]) -> bool:
        return words[0].rsplit("/", 1)[-1] in ("mv", "rm", "touch") and any(
            "/service/" in word or word.endswith("down") for word in words[1:]
        )


def _last_commands(it: Interpreter) -> set[str]:
    """The names of the commands in the last statement of a script."""
    found = statements(it.text.script.root)
    return {name.rsplit("/", 1)[-1] for name in commands_in(found[-1][0])} if found else set()


def interpreter_of(
    definition: Definition,
    script: Script,
    directory: str | None = None,
    service: Service | None = None,
    findings: list[Finding] | None = None,
    ends: t.Collection[str] = (),
) -> Interpreter:
    """An interpreter of one script of a service directory.

    :param directory: where it runs, if not in the service directory.
    :param service: gets the directives; without it nobody wants them.
    :param findings: likewise.
    :param ends: the exit codes of the script after which finish takes the service down.
    """
    service = service or Service(definition.name, definition.source, definition.path)
    dialect = Runit(definition, script.file, ends)
    return Interpreter(
        definition, service, script, directory or definition.path, [] if findings is None else findings, dialect
    )
