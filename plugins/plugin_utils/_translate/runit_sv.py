# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sv, and what else runsv adds to the scripts that it runs."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.dialect import Dialect
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import DECISION, INFO, WARNING, Finding
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Service, unit_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import Script

UP = frozenset(("check", "c", "start", "s", "up", "u", "status", "once", "o", "cont"))
DOWN = frozenset(
    ("down", "d", "stop", "force-stop", "exit", "x", "e", "shutdown", "force-shutdown", "t", "term", "kill", "k")
)
_SIGNALS = ("t", "term", "k", "kill")
# How scripts call the service that they are of.
_OWN_NAMES = ("$PWD", "${PWD##*/}", "$NAME", "$SERVICE", "`pwd`", "$(pwd)")


def own_sv(words: t.Sequence[str], definition: Definition, for_good: bool = False) -> bool:
    """Whether a command `sv` takes the service down that the script is of.

    :param for_good: leave out the signals that runsv answers with another start (sv(8)).
    :param words: of the command, with or without their quotes.
    :param definition: what the collector found of the service.
    """
    arguments = [word.strip("\"'") for word in words[1:]]
    while arguments and arguments[0].startswith("-"):
        arguments = arguments[2:] if arguments[0] == "-w" else arguments[1:]
    if len(arguments) < 2 or arguments[0] not in DOWN | {"once", "o"} or (for_good and arguments[0] in _SIGNALS):
        return False
    name = arguments[1].rstrip("/")
    return (
        name in (".", definition.name, definition.path, *_OWN_NAMES)
        or name.rsplit("/", 1)[-1] == definition.name
        or name.startswith(("$(dirname", "$(basename", "${0%"))
    )


def sv(it: Interpreter, arguments: list[str]) -> None:
    """What a call of sv in a script comes to: dependencies, or the end of the service."""
    while arguments and arguments[0].startswith("-"):
        arguments = arguments[2:] if arguments[0] == "-w" else arguments[1:]
    if not arguments:
        return
    verb, names = arguments[0], arguments[1:]
    for name in names:
        full = absolute(it, name) if "/" in name or name == "." else name
        base = full.rstrip("/").rsplit("/", 1)[-1]
        if not base:
            raise NeedShell("sv without the name of a service")
        own = full == it.definition.path or base == it.definition.name
        if base == "log" and "/" in full:
            it.note(INFO, f"sv {verb}", "the log service is journald's work now")
        elif own and verb in DOWN | {"once", "o"}:
            it.outcome.down_self = True
        elif own:
            it.note(INFO, f"sv {verb}", "asks for the service itself; left out")
        elif verb in UP:
            unit = unit_of(base)
            for where in (it.service.wants, it.service.after):
                if unit not in where:
                    where.append(unit)
            it.note(INFO, f"sv {verb}", f"is Wants= and After={unit}: started before this service")
        elif verb in DOWN:
            unit = unit_of(base)
            if unit not in it.service.conflicts:
                it.service.conflicts.append(unit)
            it.note(
                DECISION,
                f"sv {verb}",
                f"is Conflicts={unit}: stopped when this service starts, and the other way round",
            )
        else:
            it.note(
                DECISION,
                f"sv {verb}",
                f"sv {verb} {name} has no directive and was left out; say how the two services depend on each other",
            )


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

    def control(self, it: Interpreter, name: str, arguments: list[str]) -> None:
        sv(it, arguments)

    def pulls(self, words: list[str]) -> bool:
        return any(word in UP for word in words[1:4])

    def starts(self, text: str) -> bool:
        return re.search(r"\bsv\s(?:-\S+\s+)*(?:s|start|u|up|o|once)\s", text + " ") is not None

    def asks_enabled(self, text: str) -> bool:
        return "service" in text

    def ends_itself(self, it: Interpreter, words: list[str]) -> bool:
        """`sv down X` where the script is about to end: X is the service itself, whatever its directory is called here."""
        if own_sv(words, self.definition):
            return True
        if len(words) == 3 and words[1] in ("down", "d", "stop", "exit"):
            it.note_once(
                WARNING, "sv down", f"'{' '.join(words)}' is taken for the service itself, as the script ends there"
            )
            return True
        return False

    def keeps_down(self, words: list[str]) -> bool:
        return words[0].rsplit("/", 1)[-1] in ("mv", "rm", "touch") and any(
            "/service/" in word or word.endswith("down") for word in words[1:]
        )


def interpreter_of(
    definition: Definition,
    service: Service,
    script: Script,
    directory: str,
    findings: list[Finding],
    ends: t.Collection[str] = (),
) -> Interpreter:
    """An interpreter of one script of a service directory.

    :param ends: the exit codes of the script after which finish takes the service down.
    """
    return Interpreter(definition, service, script, directory, findings, Runit(definition, script.file, ends))
