# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""log/run and pipes to loggers: the journal, or svlogd as a service of its own."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.kept import writes
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell, Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.loggers import logger_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._model import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Service, unit_name
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import commands_in, parse, statements
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.dialect import interpreter_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.directory import Directory
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.scripts import shebang_of, shell_of

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import File, Raw
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter

_FACILITIES = frozenset(
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp local0 local1 local2 local3 local4 local5 local6 local7".split()
)


_LEVELS = frozenset("emerg alert crit err warning notice info debug".split())
# What prepares the directory of a log.
_PREPARES = lists.LOOKS | lists.FILE_COMMANDS | (lists.OF_FILES - {"tee", "sed"}) | {"exec"}
# What multilog and s6-log do with lines besides writing them to a directory, by the first character of an argument.
_SENDS = {
    "=": "a file with the last line",
    "!": "a program for finished files",
    "|": "a program that gets lines",
}


def log(draft: Draft, fill: t.Callable[[Draft], None]) -> None:
    """Give the service what becomes of its log.

    :param fill: translates log/run as a service of its own.
    """
    definition = draft.definition
    text = definition.text("log/run")
    linked: File = definition.files.get("log/run", {"path": "log/run"})
    target = str(linked.get("target") or "")
    if not text and linked.get("type") == "link" and target:
        # Many log with a link to a program, which takes its tag from the name of the service.
        if draft.options.log == "svlogd":
            _companion(draft, fill)
            return
        draft.service.set("SyslogIdentifier", render.value(draft.service.name))
        logger(draft, draft.service, [lit(target)], "log/run", 0)
        return
    if text is None:
        if definition.has("log"):
            draft.note("runit.not-run", "log", "log", 0, "a log directory without a run script; left out")
        return
    service = draft.service
    identifier = draft.program_name()
    if identifier != service.name and "SyslogIdentifier" not in service.settings:
        service.set("SyslogIdentifier", render.value(service.name))
    if draft.options.log == "svlogd":
        _companion(draft, fill)
        return
    shell = shell_of(shebang_of(text))
    command: list[Word] | None = None
    line = 1
    if shell is not None:
        script = parse(text, "log/run")
        scope = interpreter_of(definition, script, f"{definition.path}/log")
        try:
            if not script.errors:
                scope.run()
            command = scope.outcome.main
            line = scope.line
        except (NeedShell, Wrap):
            command = None
    if command is None:
        draft.note(
            "log.unclear",
            "log/run",
            "log/run",
            1,
            "what it does with the log is not understood; the journal takes the output instead",
        )
        return
    inner, prepared = _of_shell(scope, command)
    logger(draft, service, logger_of(inner) or command, "log/run", line)
    if scope.outcome.steps or scope.outcome.prefix or prepared:
        draft.note(
            "log.steps",
            "log/run",
            "log/run",
            1,
            "its steps prepared the log directory, which is no longer written to; left out",
        )


def _of_shell(it: Interpreter, command: list[Word]) -> tuple[list[Word], bool]:
    """The command in `sh -c 'exec ...'`, also behind what gives it an account or variables; and whether that shell prepares files for it before.

    Where the shell does more than that, it is the command itself.
    """
    texts = [constant(word) or "" for word in command]
    at = next((at for at in range(len(texts) - 2) if texts[at].rsplit("/", 1)[-1] in ("sh", "bash", "dash") and texts[at + 1] == "-c"), None)
    if at is None or len(texts) != at + 3:
        return command, False
    script = parse(texts[at + 2], "log/run")
    found = statements(script.root)
    if script.errors or not found or found[-1][0].type != "command" or any(background for _one, background in found):
        return command, False
    if not all(_prepares(it, one) for one, _background in found[:-1]):
        return command, False
    try:
        return it.evaluator.words(found[-1][0].children) or command, any(commands_in(one) != {"exec"} for one, _background in found[:-1])
    except (NeedShell, Wrap):
        return command, False


def _prepares(it: Interpreter, node: Node) -> bool:
    """Whether a statement does nothing but look, make files, or change the shell in ways that a log has no need of."""
    names = {name.rsplit("/", 1)[-1] for name in commands_in(node)}
    return bool(names) and names <= _PREPARES and not writes(it, node)


def logger(draft: Draft, service: Service, words: list[Word], file: str, line: int) -> None:
    """What a logging program's options mean for the journal."""
    name = (constant(words[0]) or "").rsplit("/", 1)[-1]
    if name in ("logger", "vlogger"):
        _tagger(service, [constant(word) for word in words[1:]])
        draft.note(
            "log.journal",
            name,
            file,
            line,
            "the journal takes the output with the same tag; rsyslog reads it from there where it is installed",
        )
        return
    if name in ("svlogd", "multilog", "s6-log", "tinylog"):
        _log_writer(draft, name, words[1:], file, line)
        _svlogd_config(draft)
        return
    if name in lists.LOGGERS:
        draft.note("log.journal", name, file, line, "the journal takes the output")
    else:
        draft.note(
            "log.program",
            name or "log",
            file,
            line,
            f"the journal takes the output, and {name or 'the program'}, which did more with it than keep it, gets it no longer",
        )


def _tagger(service: Service, options: t.Sequence[str | None]) -> None:
    """Tag, facility and level of logger(1) for the journal."""
    for index, text in enumerate(options):
        if text is None:
            continue
        value = text[2:] if len(text) > 2 else (options[index + 1] if index + 1 < len(options) else None)
        if text.startswith("-t") and not text.startswith("--"):
            if value:
                service.set("SyslogIdentifier", render.value(value))
        elif text.startswith("-p") and not text.startswith("--") and value:
            facility, _dot, level = value.rpartition(".")
            level = {"warn": "warning", "error": "err", "panic": "emerg"}.get(level, level)
            if facility in _FACILITIES and facility != "daemon":
                service.set("SyslogFacility", facility)
            if level in _LEVELS and level != "info":
                service.set("SyslogLevel", level)


def _log_writer(draft: Draft, name: str, arguments: t.Sequence[Word], file: str, line: int) -> None:
    """What the journal does, or does not do, of what svlogd and its kin were told."""
    texts = [constant(word) for word in arguments]
    directory = next(
        (
            text
            for text in reversed(texts)
            if text and not text.startswith("-") and (text.startswith((".", "/")) or "/" in text or text == "main")
        ),
        None,
    )
    draft.note(
        "log.files",
        name,
        file,
        line,
        f"the journal takes the output instead of files{' in ' + directory if directory else ''}; it has no rotation of "
        "its own for one service (option log=svlogd keeps svlogd)",
    )
    acts = name in ("multilog", "s6-log")
    for option in ("".join(piece.text for piece in word) for word in arguments):
        if not option or option == directory or not (acts or option.startswith("-")):
            continue
        if acts and option[0] in "+-":
            key, message = "log.filters", "it selects lines; see LogFilterPatterns= (systemd 253)"
        elif option[0] in _SENDS or option.startswith(("./", "/")):
            what = _SENDS.get(option[0], "another directory")
            key, message = "log.filters", f"{what}, which the journal has no counterpart for"
        else:
            key, message = "log.settings", "the journal has its own time stamps, prefixes and sizes"
        draft.note(key, f"{name} {option}", file, line, message)


def _svlogd_config(draft: Draft) -> None:
    meanings = {
        "s": "size of a file",
        "n": "number of files",
        "N": "least number of files",
        "t": "rotation by age",
        "!": "processing of rotated files",
        "u": "sending by UDP",
        "U": "sending by UDP",
        "p": "a prefix",
        "-": "a filter",
        "+": "a filter",
        "e": "selection for standard error",
        "E": "selection for standard error",
    }
    for path in sorted(draft.definition.files):
        if not (path.startswith("log/") and path.rsplit("/", 1)[-1] == "config"):
            continue
        for number, row in enumerate((draft.definition.text(path) or "").split("\n"), 1):
            if row[:1] in meanings:
                serious = row[0] in "!uUe-+E"
                draft.note(
                    "log.filters" if serious else "log.settings",
                    f"svlogd {row[0]}",
                    path,
                    number,
                    f"{meanings[row[0]]} ('{row}') has no counterpart per service in journald"
                    + ("; see LogFilterPatterns= (systemd 253)" if row[0] in "-+" else ""),
                )


def _companion(draft: Draft, fill: t.Callable[[Draft], None]) -> None:
    """log/run kept as a service of its own, fed through a named pipe."""
    definition = draft.definition
    name = unit_name(definition.name)
    raw: Raw = {
        "name": f"{definition.name}-log",
        "source": definition.source,
        "path": f"{definition.path}/log",
        "live": definition.live,
        "commands": definition.commands,
        "users": definition.users,
        "external": list(definition.external.values()),
        "files": [{**one, "path": path[4:]} for path, one in definition.files.items() if path.startswith("log/")],
    }
    inner = Draft(Directory(raw), draft.options)
    fill(inner)
    service = inner.service
    service.description = f"Log of {definition.name}"
    service.set("StandardInput", "socket")
    fifo = f"/run/{definition.name}-log.fifo"
    draft.findings += [one._replace(file=f"log/{one.file}") for one in inner.findings]
    found = render.sections(service)
    found["Service"].setdefault("StandardOutput", "journal")
    found["Service"].setdefault("StandardError", "journal")
    found.pop("Install", None)
    draft.companions = [
        render.unit(f"{name}-log.service", found, f"{definition.path}/log/run"),
        render.unit(
            f"{name}-log.socket",
            {
                "Unit": {"Description": f"Pipe to the log of {render.value(definition.name)}"},
                "Socket": {"ListenFIFO": render.value(fifo), "SocketMode": "0600", "RemoveOnStop": "yes"},
                "Install": {"WantedBy": "sockets.target"},
            },
            f"{definition.path}/log/run",
        ),
    ]
    if draft.service.settings.get("StandardOutput", ["journal"]) == ["journal"]:
        joined = draft.service.settings.get("StandardError") is None
        draft.service.set("StandardOutput", "file:" + render.value(fifo))
        if joined and not draft.stderr_joined:
            draft.service.set("StandardError", "journal")
    for where in (draft.service.after, draft.service.wants):
        where.append(f"{name}-log.socket")
    draft.service.settings.pop("SyslogIdentifier", None)
    draft.shell = inner.kind() == "shell"
    if inner.translation != "native" and draft.translation == "native":
        draft.translation = inner.translation
