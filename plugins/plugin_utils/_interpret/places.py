# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a script is: paths, the working directory, and the paths of programs."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.paths import depends_on_directory
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import DEFAULT_PATH, fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import normal
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def absolute(it: Interpreter, path: str) -> str:
    """A path as it is from the working directory.

    :raises NeedShell: that is known only when the service starts.
    """
    if it.shell.cwd_unknown and not path.startswith("/"):
        raise NeedShell("the directory is known only when the service starts")
    return normal(path if path.startswith("/") else f"{it.scope.cwd}/{path}")


def change_directory(it: Interpreter, path: str, checked: bool = True) -> None:
    """`cd`, for all that follows.

    :param checked: where it fails, nothing follows.
    """
    # The value of a variable is the same wherever it is set, unless a command makes it.
    acting = [one.text for one in it.outcome.prefix if one.sets is None or "$(" in one.text or "`" in one.text]
    if any(depends_on_directory(text) for text in acting):
        raise NeedShell("what came before is relative to another directory")
    mark_directory(it)
    it.scope.cwd = absolute(it, path)
    it.service.working_directory = it.scope.cwd
    own = it.definition.relative(it.scope.cwd)
    there = it.scope.cwd in lists.DIRECTORIES or (own is not None and (own == "" or it.definition.has(own)))
    it.outcome.cd_may_fail = not checked and not there


def mark_directory(it: Interpreter) -> None:
    """Note where the commands so far were to run."""
    for command in (*(step.run for step in it.outcome.steps), *it.service.exec_condition):
        if command is not None and command.cwd is None:
            command.cwd = it.scope.cwd


def mark_umask(it: Interpreter) -> None:
    """Note with which umask the commands so far were to run."""
    for command in (*(step.run for step in it.outcome.steps), *it.service.exec_condition):
        if command is not None and command.umask is None:
            command.umask = 0o022 if it.shell.umask is None else it.shell.umask


def program_word(it: Interpreter, word: Word) -> Word:
    """The word of a program, its path made absolute where that is known."""
    text = fixed(it, word)
    if text is None:
        return word
    if "/" in text:
        return lit(text if text.startswith("/") or it.shell.cwd_unknown else absolute(it, text))
    return lit(find_program(it, text))


def program_argv(it: Interpreter, words: list[Word]) -> list[Word]:
    """A command as systemd is to run it: what it would not find itself is looked up by env, along the script's PATH."""
    program = program_word(it, words[0])
    argv = [program, *words[1:]]
    if it.scope.path_changed and "/" not in (constant(program) or "/"):
        return [lit("/usr/bin/env"), *argv]
    return argv


def find_program(it: Interpreter, name: str) -> str:
    """The path of a program along the PATH that the script has here; the bare name where that does not tell."""
    if it.shell.open_path:
        return name
    path = constant(it.get("PATH", True) or [Piece("shell", "$PATH")])
    if path == DEFAULT_PATH or (path is not None and not it.scope.path_changed):
        return lists.path_of(name, it.definition.commands)
    if path is None:
        return name
    host = DEFAULT_PATH.split(":")
    known = it.definition.commands.get(name) or ("" if it.definition.live else lists.STANDARD.get(name, ""))
    where = _merged(known.rpartition("/")[0])
    for directory in path.split(":"):
        if it.shell.cwd_unknown and not directory.startswith("/"):
            return name
        full = absolute(it, directory)
        candidate = f"{full}/{name}"
        relative = it.definition.relative(candidate)
        if candidate in it.definition.external or (relative is not None and it.definition.has(relative)):
            return candidate
        if full not in host:
            # Nobody has looked into it.
            return name
        if known and _merged(full) == where:
            return known
        if known and host.index(full) > host.index(known.rpartition("/")[0]):
            # The collector has stopped before it.
            return name
    return name


def _merged(directory: str) -> str:
    """A directory of programs, /bin and /usr/bin being the same."""
    return "/usr" + directory if directory in ("/bin", "/sbin") else directory
