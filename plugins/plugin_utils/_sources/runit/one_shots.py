# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that end: one-shots that a sleeping process kept up, and commands that run again and again."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.plugin_utils._findings.kinds import WARNING
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import program_argv, program_word
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import snooze
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.paths import is_program
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.options import Options
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.table import peel
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, Service, Timer
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.manner import take_directory, take_steps


def one_shot(it: Interpreter, stays: bool) -> None:
    """The steps are the service.

    :param stays: a process that only waits kept it up.
    """
    service = it.service
    service.type = "oneshot"
    service.remain_after_exit = True
    service.restart = None
    service.kill_mode = None
    again = stays or it.outcome.down_self
    _steps_are_it(it)
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
            it.note("runit.no-command", "run", "the script starts no command of its own")
    # Type=oneshot has no start timeout of its own.
    service.settings.pop("TimeoutStartSec", None)
    it.outcome.argv0 = None
    if stays:
        it.note(
            "runit.one-shot",
            "pause",
            "the process that only waits is not needed: Type=oneshot, RemainAfterExit=yes",
        )
    elif it.outcome.down_self:
        it.note(
            "runit.one-shot",
            "sv down",
            "the script takes its own service down when it is done: Type=oneshot, RemainAfterExit=yes",
        )
    else:
        it.note(
            "runit.ends",
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
        else:
            it.note(
                "runit.one-shot-failed",
                "restart",
                "a step that fails leaves the unit failed; runsv would have tried again every second",
            )
    if service.working_directory is None:
        take_directory(it, "")


def _steps_are_it(it: Interpreter) -> None:
    """Steps were to be in ExecStartPre=, and are the service itself."""
    it.findings[:] = [
        one._replace(message=one.message.replace(" in ExecStartPre= ", " in ExecStart= ")) for one in it.findings
    ]


def _ends_by_itself(service: Service, commands: list[Command]) -> None:
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


def periodic(it: Interpreter, span: str) -> None:
    """The steps run again and again, with a pause between."""
    service = it.service
    steps = service.start_pre
    _steps_are_it(it)
    _ends_by_itself(service, steps)
    # What they have put into the background lives on until the script itself is gone, and so until the next time.
    service.kill_mode = "process"
    service.timer = Timer()
    service.timer.settings = {
        "OnActiveSec": ["0s"],
        "OnUnitInactiveSec": [span if not span[-1].isdigit() else span + "s"],
    }
    it.note(
        "timer.interval",
        "sleep",
        f"a command that is run again {span} after it has ended: a timer starts it (OnUnitInactiveSec=)",
    )
    take_directory(it, "")


def leading_snooze(it: Interpreter) -> bool:
    """`snooze options` and then a command: the same as `snooze options command`."""
    main, it.outcome.main = it.outcome.main, [*(it.outcome.leading_snooze or []), *(it.outcome.main or [])]
    count = len(it.findings)
    if sleeping(it):
        return True
    it.findings[count:] = [one for one in it.findings[count:] if one.severity == WARNING]
    it.outcome.main = main
    return False


def sleeping(it: Interpreter) -> bool:
    """`snooze options command`: a timer; without a command, what follows in the script would be the command."""
    if it.outcome.main is None:
        return False
    known = len(it.findings)
    options = Options(it, it.outcome.main[1:], "nv", "DWHMSTRJdmstw")
    try:
        rest = options.read()
        fields: dict[str, str] = {}
        timer: dict[str, list[str]] = {}
        for letter, raw in options.found:
            value = fixed(it, raw) if raw else ""
            if value is None:
                raise snooze.NoTimer("an option is known only when the service starts")
            if letter in "dmwHMS":
                fields[letter] = value
            elif letter in "DW":
                raise snooze.NoTimer(f"-{letter} (days of the year, weeks) has no calendar expression")
            elif letter == "t":
                timer["Persistent"] = ["yes"]
                it.note("timer.snooze", "snooze -t", f"Persistent=yes: systemd remembers the last run itself, not by {value}")
            elif letter in "RJ":
                timer["RandomizedDelaySec"] = [snooze.duration(value)]
            elif letter == "T":
                it.note(
                    "timer.waiting-time",
                    "snooze -T",
                    f"a waiting time of {value} since the last run has no directive; left out",
                )
            elif letter == "s":
                it.note(
                    "timer.snooze",
                    "snooze -s",
                    f"late starts up to {value} are not told apart; Persistent= decides about missed ones",
                )
            elif letter == "n":
                raise snooze.NoTimer("-n only shows times")
        if rest and constant(rest[0]) is None:
            raise snooze.NoTimer("its options may be in a variable")
        timer["OnCalendar"] = [snooze.calendar(fields)]
        if timer["OnCalendar"] == ["*-*-* *:*:*"]:
            raise snooze.NoTimer("it runs at any time, and only waits after the last one")
    except (Keep, snooze.NoTimer) as why:
        del it.findings[known:]
        it.note("timer.not-made", "snooze", f"snooze stays: {why}")
        return False
    if not rest:
        it.note("timer.not-made", "snooze", "snooze without a command stays")
        return False
    inner = peel(it, rest)
    service = it.service
    program = constant(program_word(it, inner[0])) if inner else ""
    if program is not None and not is_program(program):
        it.note("timer.not-made", "snooze", "snooze stays: what follows it is no program")
        return False
    take_steps(it)
    steps = service.start_pre
    _ends_by_itself(service, [Command(program_argv(it, inner), argv0=it.outcome.argv0)])
    service.start_pre = steps
    service.timer = Timer()
    service.timer.settings = {"OnCalendar": timer.pop("OnCalendar"), **timer, "AccuracySec": ["1s"]}
    it.note("timer.snooze", "snooze", "a timer starts the command; the service itself is not enabled")
    if steps and it.outcome.leading_snooze is None:
        it.note("timer.snooze", "snooze", "steps that ran before the waiting now run before the command")
    take_directory(it, " ".join("".join(piece.text for piece in word) for word in inner))
    return True
