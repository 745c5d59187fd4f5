# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mkdir and its kin: steps that make directories become RuntimeDirectory= and its kin where that means the same."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant

_CLASSES = (
    ("/run/", "RuntimeDirectory"),
    ("/var/run/", "RuntimeDirectory"),
    ("/var/lib/", "StateDirectory"),
    ("/var/cache/", "CacheDirectory"),
    ("/var/log/", "LogsDirectory"),
)


# Directories that are not one service's own: systemd would take them away from the others.
_SHARED = frozenset(
    "lock lock/subsys user systemd udev log utmp mount shm initctl sudo screen runit service runit/service".split()
)


_REL = re.compile(r"[A-Za-z0-9_.@:+-]+(/[A-Za-z0-9_.@:+-]+)*\Z")


class Step:
    """One step: a command, or what one command does to one path (make a directory, give it an owner or a mode)."""

    __slots__ = (
        "acts",
        "argv",
        "group",
        "ident",
        "ignore",
        "kind",
        "line",
        "mode",
        "others",
        "owner",
        "path",
        "recursive",
        "run",
        "umask",
    )

    _count = 0

    def __init__(self, kind: str, line: int) -> None:
        self.kind = kind
        self.line = line
        self.run: Command | None = None
        self.path: str | None = None
        self.mode: str | None = None
        self.owner: str | None = None
        self.group: str | None = None
        self.recursive = False
        self.ignore = False
        self.argv: list[str] = []
        self.ident = 0
        # It may change something that what comes later asks for, or depends on.
        self.acts = False
        # It runs a program that is not one of every host.
        self.others = False
        self.umask: int | None = None

    @classmethod
    def command(cls, run: Command, line: int, acts: bool = True, others: bool = False) -> Step:
        step = cls("command", line)
        step.run = run
        step.acts = acts
        step.others = others
        return step

    @classmethod
    def files(
        cls,
        name: str,
        arguments: list[str],
        absolute: t.Callable[[str], str],
        umask: int | None,
        ignore: bool,
        line: int,
    ) -> list[Step] | None:
        """mkdir, install, chown, chgrp and chmod as steps on paths; None where an option says more than that."""
        read = _file_options(name, arguments)
        if read is None:
            return None
        options, operands, argv = read
        if name == "install" and "d" not in options:
            return None
        kind = {"mkdir": "make", "install": "make", "chown": "own", "chgrp": "own", "chmod": "mode"}[name]
        mode = options.get("m")
        owner = options.get("o")
        group = options.get("g")
        if kind != "make":
            if len(operands) < 2:
                return None
            what = operands.pop(0)
            argv.append(what)
            if name == "chown":
                owner, separator, group_text = (
                    what.replace(".", ":", 1).partition(":") if ":" not in what else what.partition(":")
                )
                group = group_text or (f"{owner}'s" if separator else None)
                owner = owner or None
            elif name == "chgrp":
                group = what
            else:
                mode = what
        if not operands:
            return None
        if kind == "make" and mode is None:
            mode = "755" if name == "install" else f"{0o777 & ~(0o022 if umask is None else umask):o}"
        cls._count += 1
        found = []
        for operand in operands:
            step = cls(kind, line)
            step.path = absolute(operand)
            step.mode, step.owner, step.group = mode, owner, group
            step.recursive = "R" in options
            step.ignore = ignore
            step.argv = argv
            step.ident = cls._count
            step.umask = umask
            found.append(step)
        return found


def _file_options(name: str, arguments: t.Sequence[str]) -> tuple[dict[str, str], list[str], list[str]] | None:
    """The options by their letters, the operands, and the command line without these; None where an option is unknown."""
    valued = {"mkdir": "m", "install": "mog", "chown": "", "chgrp": "", "chmod": ""}[name]
    flags = {"mkdir": "pv", "install": "dvpD", "chown": "Rvfhc", "chgrp": "Rvfhc", "chmod": "Rvfc"}[name]
    long = {
        "--parents": "p",
        "--verbose": "v",
        "--recursive": "R",
        "--directory": "d",
        "--quiet": "f",
        "--silent": "f",
    }
    options: dict[str, str] = {}
    operands: list[str] = []
    argv = [lists.STANDARD[name]]
    at = 0
    ended = False
    while at < len(arguments):
        word = arguments[at]
        at += 1
        if ended or not word.startswith("-") or word == "-" or (name == "chmod" and re.match(r"-[rwxXst]", word)):
            operands.append(word)
            continue
        if word == "--":
            ended = True
            continue
        if word.startswith("--"):
            key, equal, text = word.partition("=")
            if key in ("--mode", "--owner", "--group") and equal and key[2] in valued:
                options[key[2]] = text
                argv += [f"-{key[2]}", text]
            elif key in long and long[key] in flags and not equal:
                options[long[key]] = ""
                argv.append(f"-{long[key]}")
            else:
                return None
            continue
        index = 1
        while index < len(word):
            letter = word[index]
            index += 1
            if letter in flags:
                options[letter] = ""
            elif letter in valued:
                text = word[index:]
                if not text:
                    if at >= len(arguments):
                        return None
                    text = arguments[at]
                    at += 1
                options[letter] = text
                break
            else:
                return None
        letters = "".join(one for one in word[1:] if one in flags) if word[1] in flags else ""
        if letters:
            argv.append("-" + letters)
        for letter in valued:
            if letter in word and letter in options and f"-{letter}" not in argv:
                argv += [f"-{letter}", options[letter]]
    return options, operands, argv


def _mode(text: str) -> str | None:
    """A mode in octal; the symbolic ones that set all three are understood."""
    if re.match(r"[0-7]{3,4}\Z", text):
        return text.zfill(4)
    match = re.match(r"u=([rwx]*),g=([rwx]*),o=([rwx]*)\Z", text)
    if match is None:
        return None
    return "0" + "".join(str(sum({"r": 4, "w": 2, "x": 1}[char] for char in set(part))) for part in match.groups())


def directory_of(path: str) -> tuple[str, str] | None:
    """The directive, such as RuntimeDirectory=, that makes a directory of that path, and its value; None where none does."""
    for prefix, directive in _CLASSES:
        if path.startswith(prefix):
            relative = path[len(prefix) :].strip("/")
            if relative and relative not in _SHARED and _REL.match(relative):
                return directive, relative
    return None


def _same_account(service: Service, owner: str | None, group: str | None) -> bool:
    if service.user is None:
        return owner in (None, "root", "0") and group in (None, "root", "0", "root's") and service.group is None
    if owner != service.user:
        return False
    return group in (None, f"{owner}'s", service.group) or (service.group is None and group == owner)


def arrange(service: Service, steps: list[Step], note: t.Callable[[str, str, str, int], None]) -> list[Command]:
    """Give the service its directories, and return the commands for what is left."""
    made: dict[str, list[Step]] = {}
    for step in steps:
        if step.kind == "make" and step.path is not None:
            made.setdefault(step.path, [])
    for step in steps:
        if step.path is not None and step.path in made:
            made[step.path].append(step)
    modes: dict[str, str] = {}
    done: set[int] = set()
    for path, members in made.items():
        where = directory_of(path)
        if where is None or not any(step.kind == "make" for step in members):
            continue
        owner = group = None
        mode: str | None = None
        bare = False
        for step in members:
            if step.kind in ("make", "own"):
                owner = step.owner or owner
                group = step.group or group
            if step.kind in ("make", "mode"):
                mode = _mode(step.mode or "")
                bare = bare or mode is None
        directive, relative = where
        if bare or mode is None or not _same_account(service, owner, group):
            continue
        if modes.setdefault(directive, mode) != mode:
            continue
        if (
            any(other != path and other.startswith(path + "/") and directory_of(other) is not None for other in made)
            and mode == "0755"
        ):
            # made as the parent of another
            children = [other for other in made if other.startswith(path + "/")]
            if service.user is None and all(directory_of(other) is not None for other in children):
                done.update(id(step) for step in members)
                service.directories.setdefault(directive, [])
                if relative not in service.directories[directive]:
                    service.directories[directive].append(relative)
                continue
        names = service.directories.setdefault(directive, [])
        if relative not in names:
            names.append(relative)
        done.update(id(step) for step in members)
        if any(step.recursive for step in members):
            note(
                "directory.owner",
                "chown -R",
                f"systemd gives {path} and all below it to the service where its owner is another",
                members[-1].line,
            )
        if directive == "RuntimeDirectory":
            note(
                "directory.runtime",
                "mkdir",
                f"{path} is RuntimeDirectory=: made at the start, and removed at the stop",
                members[0].line,
            )
    for directive, mode in modes.items():
        if directive in service.directories and mode != "0755":
            service.set(f"{directive}Mode", mode)
    commands: list[Command] = []
    left: dict[int, Command] = {}
    for step in steps:
        if id(step) in done:
            continue
        if step.run is not None:
            commands.append(step.run)
            continue
        if step.ident not in left:
            left[step.ident] = Command.of(*step.argv, ignore=step.ignore)
            if step.kind == "make":
                left[step.ident].umask = 0o022 if step.umask is None else step.umask
            commands.append(left[step.ident])
        left[step.ident].argv += Command.of(str(step.path)).argv
    if service.user is not None or service.group is not None:
        for command in commands:
            command.root = True
    return commands


def mentions(commands: list[Command], path: str) -> bool:
    """Whether a command names a path, so that it may be what makes it."""
    for command in commands:
        if command.line is not None and path in command.line:
            return True
        program = (constant(command.argv[0]) or "").rsplit("/", 1)[-1] if command.argv else ""
        if program in ("rm", "chown", "chmod", "chgrp", "touch", "sleep", "kill", "test"):
            continue
        if any(path in (constant(word) or "") for word in command.argv):
            return True
    return False
