# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sv: whom its calls are for, and what they come to."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, unit_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import lit, quote, word_text

# As sv(8) reads them: a single letter is never check, start or restart.
CHECKS = frozenset(("check",))
STATUS = frozenset(("status", "s"))
# These wait until the service is up, the next ones do not.
STARTS = frozenset(("start",))
NO_WAIT = frozenset(("up", "u", "once", "o", "cont", "c"))
RESTARTS = frozenset(("restart",))
UP = CHECKS | STATUS | STARTS | NO_WAIT
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


def _read(arguments: list[str]) -> tuple[str, str, list[str]]:
    """The arguments of sv: how long it waits, the command, the names."""
    wait = "7"
    while arguments and arguments[0].startswith("-"):
        if arguments[0] == "-w":
            wait, arguments = "".join(arguments[1:2]), arguments[2:]
        else:
            wait, arguments = (
                arguments[0][2:] if arguments[0].startswith("-w") else wait,
                arguments[1:],
            )
    return (wait if wait.isdigit() else "7"), "".join(arguments[:1]), arguments[1:]


def said(it: Interpreter, arguments: list[str]) -> str | None:
    """A call of sv for other services as shell text that says the same to systemd; None where none does.

    sv waits up to seven seconds for what it has asked for (sv(8)), and fails then; `up`, `down` and `once` do not wait.
    """
    wait, verb, names = _read(arguments)
    units = []
    for name in names:
        base = name.rstrip("/").rsplit("/", 1)[-1]
        if not base or base in (".", "..", "log", it.definition.name):
            return None
        units.append(unit_of(base))
    words = " ".join(word_text(lit(unit)) for unit in units)
    if not units:
        return None
    if verb in NO_WAIT:
        return f"systemctl --no-block start {words}"
    if verb in STARTS:
        return f"timeout {wait} systemctl start {words}"
    if verb in CHECKS:
        active = " && ".join(f"systemctl is-active --quiet {word_text(lit(unit))}" for unit in units)
        return f"timeout {wait} sh -c {quote(f'until {active}; do sleep 1; done')}"
    if verb in STATUS:
        return " && ".join(f"systemctl is-active --quiet {word_text(lit(unit))}" for unit in units)
    if verb in RESTARTS:
        return f"timeout {wait} systemctl restart {words}"
    if verb in ("down", "d", "exit", "x", "e"):
        return f"systemctl --no-block stop {words}"
    if verb in ("stop", "shutdown"):
        return f"timeout {wait} systemctl stop {words}"
    return None


def said_note(before: str, after: str) -> tuple[str, str, str]:
    """The finding on a call of sv that systemd is told instead: key, construct, text."""
    verb = _read(before.split()[1:])[1]
    if verb in DOWN:
        more = "check that it is to be stopped there (Conflicts= is for services that never run together)"
        return "runit.sv-stops", f"sv {verb}", f"'{before}' is '{after}' in the shell text of the unit; {more}"
    if verb in CHECKS:
        return (
            "runit.sv-told",
            f"sv {verb}",
            f"'{before}' is systemctl is-active, asked as long as sv waits, in the shell text of the unit",
        )
    return "runit.sv-told", f"sv {verb}", f"'{before}' is '{after}' in the shell text of the unit"


def _in_order(it: Interpreter, arguments: list[str], checked: bool) -> bool:
    """Have a call of sv stay where it is in the script, behind what may have to come before it; False where nothing does.

    Wants= and After= would have the other service start before the steps, and wait for it there: it may wait for them.

    :raises NeedShell: what comes before is shell text in front of the command.
    """
    if not it.outcome.has_acted() and arguments[1] not in RESTARTS:
        return False
    if it.outcome.must_follow():
        raise NeedShell("it comes after what only a shell can do")
    text = said(it, arguments)
    if text is None:
        return False
    before = f"sv {' '.join(arguments[1:])}"
    key, construct, message = said_note(before, text)
    it.note(key, construct, message.replace("in the shell text of the unit", "in ExecStartPre=, in its place"))
    ignore = not checked
    if "&&" in text and not text.startswith("timeout"):
        step = Command(line=text, ignore=ignore)
    else:
        words = shlex.split(text)
        program = "/bin/systemctl" if words[0] == "systemctl" else lists.path_of(words[0], it.definition.commands)
        step = Command.of(program, *words[1:], ignore=ignore)
    it.outcome.steps.append(Step.command(step, it.line))
    return True


def sv(it: Interpreter, arguments: list[str], checked: bool = False) -> None:
    """What a call of sv in a script comes to: dependencies, a step that tells systemd, or the end of the service."""
    wait, verb, names = _read(arguments)
    if not verb:
        return
    for name in names:
        full = absolute(it, name) if "/" in name or name == "." else name
        base = full.rstrip("/").rsplit("/", 1)[-1]
        if not base:
            raise NeedShell("sv without the name of a service")
        own = full == it.definition.path or base == it.definition.name
        if base == "log" and "/" in full:
            it.note("runit.sv-needless", f"sv {verb}", "the log service is journald's work now")
        elif own and verb in DOWN | {"once", "o"}:
            it.outcome.down_self = True
        elif own:
            it.note("runit.sv-needless", f"sv {verb}", "asks for the service itself; left out")
        elif verb in SIGNALS and verb not in UP | DOWN:
            _send(it, SIGNALS[verb], unit_of(base), verb)
        elif verb in UP | DOWN | RESTARTS and _in_order(it, [f"-w{wait}", verb, base], checked):
            continue
        elif verb in UP:
            unit = unit_of(base)
            waits = verb not in NO_WAIT
            for where in (it.service.wants, it.service.after) if waits else (it.service.wants,):
                if unit not in where:
                    where.append(unit)
            if waits:
                it.note("dependency.wants", f"sv {verb}", f"is Wants= and After={unit}: started before this service")
            else:
                it.note("dependency.wants", f"sv {verb}", f"is Wants={unit}: started with this service, which does not wait for it")
        elif verb in DOWN:
            unit = unit_of(base)
            if unit not in it.service.conflicts:
                it.service.conflicts.append(unit)
            it.note(
                "dependency.conflicts",
                f"sv {verb}",
                f"is Conflicts={unit}: stopped when this service starts, and the other way round",
            )
        else:
            it.note(
                "runit.sv-left-out",
                f"sv {verb}",
                f"sv {verb} {name} has no directive and was left out; say how the two services depend on each other",
            )


def _send(it: Interpreter, signal: str, unit: str, verb: str) -> None:
    """A signal for another service is a step, where the script sends it."""
    if it.outcome.must_follow():
        raise NeedShell("it comes after what only a shell can do")
    run = Command.of("/bin/systemctl", "kill", "-s", signal, "--kill-who=main", unit, ignore=True)
    it.outcome.steps.append(Step.command(run, it.line))
    it.note("runit.sv-told", f"sv {verb}", f"sends SIG{signal} to {unit} by systemctl, as sv did by runsv")
