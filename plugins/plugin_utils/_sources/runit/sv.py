# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sv: whom its calls are for, and what they come to."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import DECISION, INFO
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, unit_of

UP = frozenset(("check", "c", "start", "s", "up", "u", "status", "once", "o", "cont"))
DOWN = frozenset(
    ("down", "d", "stop", "force-stop", "exit", "x", "e", "shutdown", "force-shutdown", "t", "term", "kill", "k")
)
_SIGNALS = ("t", "term", "k", "kill")
# The signals that sv has runsv send.
SIGNALS = {
    "int": "INT", "i": "INT", "interrupt": "INT", "quit": "QUIT", "q": "QUIT", "hup": "HUP", "h": "HUP", "reload": "HUP", "alarm": "ALRM",
    "a": "ALRM", "term": "TERM", "t": "TERM", "kill": "KILL", "k": "KILL", "1": "USR1", "2": "USR2", "usr1": "USR1", "usr2": "USR2",
    "pause": "STOP", "p": "STOP", "cont": "CONT", "c": "CONT",
}  # fmt: skip
# How scripts call the service that they are of.
_OWN_NAMES = ("$PWD", "${PWD##*/}", "$NAME", "$SERVICE", "`pwd`", "$(pwd)")


def without_options(arguments: t.Sequence[str]) -> list[str]:
    """The arguments of sv behind its options."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] == "-w" else rest[1:]
    return rest


def own_sv(words: t.Sequence[str], definition: Definition, for_good: bool = False) -> bool:
    """Whether a command `sv` takes the service down that the script is of.

    :param for_good: leave out the signals that runsv answers with another start (sv(8)).
    :param words: of the command, with or without their quotes.
    :param definition: what the collector found of the service.
    """
    arguments = [word.strip("\"'") for word in words[1:]]
    arguments = without_options(arguments)
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
    arguments = without_options(arguments)
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
        elif verb in SIGNALS and verb not in UP | DOWN:
            _send(it, SIGNALS[verb], unit_of(base), verb)
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


def _send(it: Interpreter, signal: str, unit: str, verb: str) -> None:
    """A signal for another service is a step, where the script sends it."""
    if it.outcome.must_follow():
        raise NeedShell("it comes after what only a shell can do")
    run = Command.of("/bin/systemctl", "kill", "-s", signal, "--kill-who=main", unit, ignore=True)
    it.outcome.steps.append(Step.command(run, it.line))
    it.note(INFO, f"sv {verb}", f"sends SIG{signal} to {unit} by systemctl, as sv did by runsv")
