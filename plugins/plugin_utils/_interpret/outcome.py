# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script has come to so far."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.copies import copy_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, word_text

# What changes the shell or asks something, and nothing else.
_NO_ACTS = lists.HARMLESS - {"exit", "return", "exec"} | frozenset(". source cd read getopts let".split())


def calls_others(names: t.Collection[str]) -> bool:
    """Whether one of the commands is a program that is not one of every host."""
    return not all(name in lists.STANDARD or name in lists.HARMLESS or name in _NO_ACTS for name in names)


class Before(t.NamedTuple):
    """Shell text that stays in front of the main command: what it sets (None: it does more than that), uses and calls.

    `exports`: programs that are called after it get variables of it. `acts`: it changes something that others see, beside what
    the programs that it calls do: it writes a file.
    """

    text: str
    sets: set[str] | None
    uses: set[str]
    calls: set[str]
    acts: bool = False
    exports: bool = False


@dataclasses.dataclass
class Outcome:
    """The service with its directives, the steps before its command, and the command."""

    service: Service
    steps: list[Step] = dataclasses.field(default_factory=list)
    # What stays in front of the command, in the same shell.
    prefix: list[Before] = dataclasses.field(default_factory=list)
    prefix_commands: set[str] = dataclasses.field(default_factory=set)
    prefix_execs: bool = False
    # The command: words, or (`inline`) what only a shell can do; `inline_exec`: it replaces that shell.
    main: list[Word] | None = None
    inline: str | None = None
    inline_exec: bool = True
    argv0: str | None = None
    # The script has ended.
    ended: bool = False
    # It takes its own service down.
    down_self: bool = False
    stdout: str = "journal"
    stderr: str = "separate"
    log_command: list[Word] | None = None
    # `snooze -H9` before everything else: when the rest runs.
    leading_snooze: list[Word] | None = None
    # The last `cd` was to a directory that may be missing, and then the script went on.
    cd_may_fail: bool = False
    # Limits that are for what comes after some of the steps, by their directives.
    late_limits: set[str] = dataclasses.field(default_factory=set)
    # Construct and text of notes that are made once.
    once: set[tuple[str, str]] = dataclasses.field(default_factory=set)

    def copy(self) -> Outcome:
        """One that later changes of this one do not reach; steps and commands are the same."""
        return copy_of(self)

    def put_before(self, one: Before) -> None:
        """Have shell text stay in front of the command."""
        self.prefix.append(one)
        self.prefix_commands |= one.calls

    def texts(self) -> t.Iterator[str]:
        """What comes before the command, as text."""
        for command in (*(step.run for step in self.steps), *self.service.exec_condition):
            if command is not None:
                yield command.line or " ".join(word_text(word) for word in command.argv)
        for one in self.prefix:
            yield one.text

    def limit(self, resource: str, value: str) -> None:
        """Give the service a limit, which is for what comes after it in the script."""
        directive = f"Limit{resource}"
        soft = value.partition(":")[0]
        self.late_limits.discard(directive)
        # These may keep a step from its work; others are for privileges that steps have, or are higher than they need.
        low = resource in ("FSIZE", "AS", "DATA", "STACK", "CPU") or (
            resource == "NOFILE" and soft.isdigit() and int(soft) < 1024
        )
        if low and soft != "infinity" and (self.steps or self.prefix):
            self.late_limits.add(directive)
        self.service.set(directive, value)

    def must_follow(self) -> bool:
        """Whether what stays in front of the command acts, or ends the script, so that a step behind it must not run before it."""
        return any(one.acts or not one.calls <= _NO_ACTS for one in self.prefix)

    def has_acted(self) -> bool:
        """Whether something came before that others may see, or that may have to come before what follows.

        Directories that are only made do not count: they are there before everything else.
        """
        return self.must_follow() or any(step.acts for step in self.steps)

    def hands_on(self) -> bool:
        """Whether programs that are called from now on are to get variables that only the shell has."""
        return any(one.exports for one in self.prefix)

    def runs_others(self) -> bool:
        """Whether a program was run so far that is not one of every host, and may run further ones along its PATH."""
        return any(step.others for step in self.steps) or any(calls_others(one.calls) for one in self.prefix)

    def live_prefix(self, rest: str) -> list[Before]:
        """What stays in front of the command, without variables that nothing uses any more.

        :param rest: the shell text behind it.
        """
        kept: list[Before] = []
        for one in reversed(self.prefix):
            after = " ".join([rest, *(other.text for other in kept)])
            if one.sets is not None and not any(
                name in after and re.search(rf"(?<!\w){re.escape(name)}(?![\w=])", after) for name in one.sets
            ):
                continue
            kept.insert(0, one)
        return kept

    def _used_in_steps(self, name: str) -> bool:
        for command in (*(step.run for step in self.steps), *self.service.exec_condition):
            if command is None:
                continue
            if command.line is not None:
                # What the text sets itself is no value from before.
                first = re.search(rf"\b{re.escape(name)}\b", command.line) if name in command.line else None
                if first is not None and command.line[first.start() - 1 : first.start()] in ("$", "{"):
                    return True
            if any(piece.kind == "var" and piece.text == name for word in command.argv for piece in word):
                return True
        return False

    def used_before(self, name: str, words: t.Sequence[Word] = ()) -> bool:
        """Whether something uses the value a variable has before the command gets another one by Environment=."""
        if any(name in one.uses for one in self.prefix) or self._used_in_steps(name):
            return True
        return any(
            (piece.kind == "var" and piece.text == name)
            or (piece.kind == "shell" and name in piece.text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", piece.text))
            for word in words
            for piece in word
        )
