# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The neutral model between a foreign definition and units: what a service is, whatever supervised it before."""

from __future__ import annotations

import itertools
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.copies import copy_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit

#: Programs that take a line of shell behind `-c`.
SHELLS = frozenset("sh bash dash ash ksh mksh zsh".split())


class Command:
    """A command of a unit: words that systemd expands, or one line of shell.

    `ignore`: its failure does not matter (`-`); `root`: it runs without the unit's user (`+`); `argv0`: what the process is
    called (`@`); `line`: the line of shell, for `interpreter`.
    """

    __slots__ = ("argv", "argv0", "cwd", "ignore", "interpreter", "line", "root", "umask")

    def __init__(
        self,
        argv: t.Sequence[Word] = (),
        line: str | None = None,
        ignore: bool = False,
        root: bool = False,
        argv0: str | None = None,
    ) -> None:
        self.argv = list(argv)
        self.line = line
        self.ignore = ignore
        self.root = root
        self.argv0 = argv0
        self.interpreter = "/bin/sh"
        # Where the script was when it ran this; None where that does not matter.
        self.cwd: str | None = None
        # The umask it was run with; None where it is the unit's.
        self.umask: int | None = None

    @classmethod
    def of(cls, *words: str, ignore: bool = False, root: bool = False) -> Command:
        """A command of constant words."""
        return cls([lit(word) for word in words], ignore=ignore, root=root)

    def is_shell(self) -> bool:
        """Whether it is, or its words hold, a line of shell."""
        if self.line is not None:
            return True
        words = [constant(word) or "" for word in self.argv]
        for index, word in enumerate(words):
            if word.rsplit("/", 1)[-1] in SHELLS:
                options = itertools.takewhile(lambda one: one[:1] in ("-", "+"), words[index + 1 :])
                if any(re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*", one) for one in options):
                    return True
        return False


class Timer:
    """When a service that is started by the clock runs."""

    __slots__ = ("settings",)

    def __init__(self) -> None:
        self.settings: dict[str, list[str]] = {}


class Service:
    """One service, in systemd's terms where they are the common ones.

    `settings` and `unit` hold further directives of [Service] and [Unit], values in systemd's syntax, in order.
    """

    def __init__(self, name: str, source: str, path: str) -> None:
        self.name = name
        self.source = source
        self.path = path
        self.description = ""
        self.documentation: list[str] = []
        self.type = "simple"
        self.remain_after_exit = False
        self.conditions: list[tuple[str, str]] = []
        self.exec_condition: list[Command] = []
        self.start_pre: list[Command] = []
        self.start: list[Command] = []
        self.start_post: list[Command] = []
        self.reload: list[Command] = []
        self.stop: list[Command] = []
        self.stop_post: list[Command] = []
        self.wants: list[str] = []
        self.after: list[str] = []
        self.conflicts: list[str] = []
        self.user: str | None = None
        self.group: str | None = None
        self.environment: dict[str, Word] = {}
        self.environment_files: list[str] = []
        self.working_directory: str | None = None
        self.directories: dict[str, list[str]] = {}
        self.settings: dict[str, list[str]] = {}
        self.unit: dict[str, list[str]] = {}
        self.restart: str | None = "always"
        self.restart_sec: str | None = "1"
        self.prevent_restart: list[str] = []
        self.kill_mode: str | None = "mixed"
        self.timer: Timer | None = None
        self.target = "multi-user.target"

    def commands_by_directive(self) -> list[tuple[str, list[Command]]]:
        """The commands of the unit by the directive that has them."""
        return [
            ("ExecCondition", self.exec_condition),
            ("ExecStartPre", self.start_pre),
            ("ExecStart", self.start),
            ("ExecStartPost", self.start_post),
            ("ExecReload", self.reload),
            ("ExecStop", self.stop),
            ("ExecStopPost", self.stop_post),
        ]

    def commands(self) -> list[Command]:
        """All commands of the unit."""
        return [one for _directive, commands in self.commands_by_directive() for one in commands]

    def copy(self) -> Service:
        """One that later changes of this one do not reach; the commands are the same."""
        return copy_of(self)

    def set(self, directive: str, value: str) -> None:
        """Give a directive of [Service] one value."""
        self.settings[directive] = [value]

    def add(self, directive: str, value: str) -> None:
        """Give a directive of [Service] another value."""
        values = self.settings.setdefault(directive, [])
        if value not in values:
            values.append(value)


def unit_name(name: str) -> str:
    """A service's name as the first part of a unit's: what a unit name cannot hold becomes \\xNN."""
    out = []
    for index, byte in enumerate(name.encode("utf-8", "surrogateescape")):
        char = chr(byte)
        if (byte < 128 and (char.isalnum() or char in ":_-@\\")) or (char == "." and index):
            out.append(char)
        else:
            out.append(f"\\x{byte:02x}")
    return "".join(out)


def unit_of(name: str) -> str:
    """The unit that a service of the old supervisor becomes."""
    return unit_name(name) + ".service"
