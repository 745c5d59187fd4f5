# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a service runs: its steps, its directory, how it is restarted and stopped."""

from __future__ import annotations

import re

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import mark_directory
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import (
    arrange,
    directory_of,
    mentions,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.paths import (
    depends_on_directory,
    is_relative,
    names_relative,
    relative_file,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Finding
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant, lit, word_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.scripts import (
    SHELLS,
    names_own_file,
    own_files,
)


def take_steps(it: Interpreter) -> None:
    """Give the service the steps before its command, and the directories that they made."""
    service = it.service

    def note(key: str, construct: str, message: str, line: int) -> None:
        it.findings.append(Finding(key, construct, it.text.file, line, message))

    mark_directory(it)
    service.start_pre = arrange(service, it.outcome.steps, note)
    for command in (*service.start_pre, *service.exec_condition):
        _stay(it, command)
    for command in service.start_pre:
        texts = [constant(word) or "" for word in command.argv]
        if (
            texts
            and texts[0].endswith(("/chown", "/chgrp", "/chmod"))
            and any(re.match(r"-\w*R", text) for text in texts)
        ):
            # As many files as there may be: longer than systemd waits for a step by itself.
            service.set("TimeoutStartSec", "infinity")
    if it.shell.bash:
        for command in (*service.start, *service.start_pre, *service.exec_condition):
            if command.line is not None:
                command.interpreter = "/bin/bash"
    if service.user is not None:
        for command in service.exec_condition:
            command.root = True
    directory = service.working_directory
    made = directory and directory != "~" and mentions(service.start_pre, directory)
    # A step makes it, or the script went on without it.
    if directory and (made or (it.outcome.cd_may_fail and not _needs(it, directory))):
        service.working_directory = "-" + directory


def _needs(it: Interpreter, directory: str) -> bool:
    """Whether the service comes to nothing without its working directory, or systemd makes it."""
    made = directory_of(directory)
    if made is not None and made[1] in it.service.directories.get(made[0], []):
        return True
    for command in it.service.start:
        texts = [constant(word) or "" for word in command.argv]
        line = command.line or " ".join(texts)
        if directory + "/" in line or is_relative(line) or any(relative_file(one) for one in texts):
            return True
    return False


def _stay(it: Interpreter, command: Command) -> None:
    """A command runs where the script was then, and with its umask, which may not be those of the service."""
    elsewhere = command.cwd is not None and command.cwd != it.scope.cwd
    mask = None if command.umask is None else f"{command.umask:04o}"
    masked = mask is not None and mask != (it.service.settings.get("UMask") or ["0022"])[0]
    words = " ".join(word_text(word) for word in command.argv)
    text = words if command.line is None else command.line
    before = ""
    if elsewhere and depends_on_directory(text):
        before = f"cd {word_text(lit(command.cwd or '/'))}; "
    if masked and not re.fullmatch(r"(/usr/bin/test|\[) [^;&|]*", text):
        before = f"umask {mask}; {before}"
    if before:
        command.line = f"{before}{text if command.line is not None else 'exec ' + words}"
        command.argv = []


def take_directory(it: Interpreter, text: str) -> None:
    """Give the service its working directory: runsv's is the service directory.

    :param text: of the command.
    """
    service = it.service
    if service.working_directory is not None:
        return
    why = _needs_directory(it, text)
    if why:
        service.working_directory = it.definition.path
        it.note("runit.keep-directory", "cwd", f"the service directory stays the working directory, as {why}; keep it")


def _needs_directory(it: Interpreter, text: str) -> str:
    """Why commands may need the service directory as the one they run in; empty where nothing says so."""
    service = it.service
    commands = (*service.start, *service.start_pre, *service.exec_condition)
    texts = [text] + [
        command.line or " ".join(constant(word) or "" for word in command.argv)
        for command in (*service.start_pre, *service.exec_condition)
    ]
    # A program's own name is looked up along PATH.
    words = [constant(word) for command in commands for word in command.argv[1:]]
    shells = [command.line for command in commands if command.line is not None]
    shells += [
        constant(command.argv[at + 2]) or ""
        for command in commands
        for at in range(len(command.argv) - 2)
        if (constant(command.argv[at]) or "").endswith("sh") and constant(command.argv[at + 1]) == "-c"
    ]
    for command in commands:
        told = [constant(word) or "" for word in command.argv]
        noted = told[told.index("-t") + 1 :] if told[:1] and told[0].endswith("snooze") and "-t" in told else []
        if noted and not noted[0].startswith("/"):
            return "snooze notes its time in a file relative to it"
    for word in words:
        if word and (relative_file(word) or word in (".", "..")):
            return f"'{word}' is relative to it"
    if any(re.search(r"\$\{?(OLD)?PWD\b|(?<![\w./-])pwd(?![\w./-])", one) for one in (text, *shells)):
        return "shell text asks where it is"
    if any(is_relative(one) for one in shells) or any(names_relative(command) for command in commands):
        return "files are named relative to it"
    for one in texts:
        match = re.search(r"(?:^|[\s=:'\"])(\.{1,2}/[^\s;'\"]*)", one)
        if match:
            return f"'{match.group(1)}' is relative to it"
    if names_own_file(it.definition, texts):
        return "one of its files is named without a directory"
    path = service.environment.get("PATH")
    if path and any(not one.startswith("/") for one in (constant(path) or "/").split(":")):
        return "PATH has a directory relative to it"
    lines = [[constant(word) or "" for word in command.argv] for command in commands]
    lines += [part.split() for one in shells for part in re.split(r"[;|&(){}\n]+", one)]
    for line in lines:
        while line and (line[0].rsplit("/", 1)[-1] in ("env", "exec", "then", "do", "else") or "=" in line[0]):
            line = line[1:]
        name = line[0].rsplit("/", 1)[-1] if line else ""
        if name in lists.LOOKS_AROUND or line[1:2] == ["compose"] or (name.startswith("python") and "-m" in line[1:]):
            return f"{name} reads files of the directory it is started in"
    own = [one for one in own_files(it.definition) if one.split("/", 1)[0] not in it.taken]
    return f"it holds {own[0]}, which the program may read" if own else ""


def take_manner(draft: Draft, service: Service, execs: bool) -> None:
    """Give the service restart and stop as runsv does them.

    :param execs: its process is the program itself, not a shell that waits for it.
    """
    names = [(constant(command.argv[0]) or "").rsplit("/", 1)[-1] for command in service.start if command.argv]
    shell = not execs or (names and names[0] in SHELLS - {"busybox"})
    if shell or draft.translation == "wrapped":
        # A shell's pipes rely on it, and runsv leaves it alone.
        service.set("IgnoreSIGPIPE", "no")
    if _is_runsvdir(service):
        service.kill_mode = "process"
        service.set("KillSignal", "SIGHUP")
        service.set("SuccessExitStatus", "111")
        draft.note(
            "runit.runsvdir",
            "runsvdir",
            "run",
            0,
            "it supervises services of its own, which stay runit's: the package of runit must stay installed. SIGHUP has runsvdir end them by "
            "SIGTERM, and it exits with 111 (KillSignal=SIGHUP, KillMode=process, as in Debian's runit.service)",
        )
    elif not execs:
        service.kill_mode = None
        draft.note(
            "runit.stop",
            "stop",
            "run",
            0,
            "runsv signalled only the shell; systemd signals all processes of the service (KillMode=control-group)",
        )
    elif names and names[0] in lists.LEAVES_CHILDREN:
        service.kill_mode = "process"
        draft.note(
            "runit.stop",
            "stop",
            "run",
            0,
            "only the main process is signalled, and what it has started lives on, as under runsv (KillMode=process)",
        )
    else:
        draft.note(
            "runit.stop",
            "stop",
            "run",
            0,
            "SIGTERM and SIGCONT go to the main process only, as from runsv (KillMode=mixed); unlike runsv, "
            "systemd kills what is left after that, or after 90 s",
        )


def _is_runsvdir(service: Service) -> bool:
    """Whether the service is runsvdir, which is told to end its services by SIGHUP (runsvdir(8))."""
    for command in service.start:
        if command.line is not None and re.search(r"\bexec\b[^;|&]*?\s(?:\S*bin/)?runsvdir(?:-start)?(?:\s|\Z)", command.line):
            return True
        words = [constant(word) or "" for word in command.argv]
        if any(re.fullmatch(r"(?:\S*bin/)?runsvdir(?:-start)?", word) for word in words):
            return True
    return False
