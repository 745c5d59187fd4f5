# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the neutral model to unit files: systemd's quoting, and the order of directives a packager would use."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text import quoting
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import SPECIFIER, Word

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Rendered

Sections = dict[str, dict[str, t.Any]]

_PLAIN = re.compile("[^\\s\"'\\\\\x00-\x1f\x7f;#\ud800-\udfff]+\\Z")


def value(text: str) -> str:
    """Text as the value of a directive that knows specifiers but no quotes."""
    return text.replace("%", "%%")


def quoted(text: str, prefer: str = '"') -> str:
    """One word in systemd's syntax. Specifiers and `$` must have been dealt with."""
    if text and _PLAIN.match(text):
        return text
    other = "'" if prefer == '"' else '"'
    return quoting.quoted(text, other if text.count(other) < text.count(prefer) else prefer)


def exec_word(word: Word, program: bool = False) -> str:
    """One word of a command line: `$` and `%` that mean themselves are doubled."""
    if len(word) == 1 and word[0].kind == "var" and word[0].split:
        return f"${word[0].text}"
    out = []
    for piece in word:
        if piece.kind == "var":
            out.append(f"${{{piece.text}}}")
        elif piece.kind == "spec":
            out.append(piece.text)
        else:
            text = value(piece.text)
            out.append(text if program else text.replace("$", "$$"))
    return quoted("".join(out))


def shell_word(text: str) -> str:
    """A line of shell as one word of a command line."""
    return quoted(text.replace("%", "%%").replace("$", "$$").replace(SPECIFIER, "%"), prefer="'")


def command(one: Command) -> str:
    """A command as the value of an Exec directive."""
    prefix = ("-" if one.ignore else "") + ("+" if one.root else "")
    if one.line is not None:
        return f"{prefix}{one.interpreter} -c {shell_word(one.line)}"
    words = [exec_word(one.argv[0], program=True)]
    if one.argv0 is not None:
        prefix = "@" + prefix
        words.append(quoted(value(one.argv0).replace("$", "$$")))
    words += [exec_word(word) for word in one.argv[1:]]
    return prefix + " ".join(words)


def environment(name: str, word: Word) -> str:
    """NAME=VALUE as one word of Environment=."""
    text = "".join(piece.text if piece.kind == "spec" else value(piece.text) for piece in word)
    pair = f"{name}={text}"
    return quoted(pair) if re.search("[\\s\"'\\\\\x00-\x1f\x7f\ud800-\udfff]", pair) else pair


def sections(service: Service) -> Sections:
    """The sections of the service's unit. A directive with several values holds a list."""
    unit: dict[str, t.Any] = {"Description": value(service.description)}
    if service.documentation:
        unit["Documentation"] = " ".join(service.documentation)
    if service.wants:
        unit["Wants"] = " ".join(service.wants)
    if service.conflicts:
        unit["Conflicts"] = " ".join(service.conflicts)
    if service.after:
        unit["After"] = " ".join(service.after)
    for key, text in service.conditions:
        _put(unit, key, text)
    for key, values in service.unit.items():
        for text in values:
            _put(unit, key, text)
    restarting = service.restart not in (None, "no") and service.timer is None
    if restarting:
        unit["StartLimitIntervalSec"] = "0"

    main: dict[str, t.Any] = {}
    if service.type != "simple":
        main["Type"] = service.type
    if service.remain_after_exit:
        main["RemainAfterExit"] = "yes"
    if service.user is not None:
        main["User"] = value(service.user)
    if service.group is not None:
        main["Group"] = value(service.group)
    for key in ("SupplementaryGroups",):
        if key in service.settings:
            main[key] = " ".join(service.settings[key])
    if service.environment:
        main["Environment"] = _one_or_list([environment(name, word) for name, word in service.environment.items()])
    if service.environment_files:
        main["EnvironmentFile"] = _one_or_list([value(path) for path in service.environment_files])
    for key, names in service.directories.items():
        main[key] = " ".join(names)
        if f"{key}Mode" in service.settings:
            main[f"{key}Mode"] = service.settings[f"{key}Mode"][0]
    if service.working_directory is not None:
        main["WorkingDirectory"] = value(service.working_directory)
    for key, commands in service.commands_by_directive():
        if commands:
            main[key] = _one_or_list([command(one) for one in commands])
    if service.timer is None and service.restart not in (None, "no"):
        main["Restart"] = service.restart
        if service.restart_sec is not None:
            main["RestartSec"] = service.restart_sec
        if service.prevent_restart:
            main["RestartPreventExitStatus"] = " ".join(service.prevent_restart)
    if service.kill_mode is not None:
        main["KillMode"] = service.kill_mode
    for key, values in service.settings.items():
        if key not in main:
            main[key] = values[0] if len(values) == 1 else list(values)
    found: Sections = {"Unit": unit, "Service": main}
    if service.timer is None:
        found["Install"] = {"WantedBy": service.target}
    return found


def timer_sections(service: Service) -> Sections:
    """The sections of the timer that starts the service."""
    if service.timer is None:
        raise AssertionError("only a service with a timer has sections for one")
    timer: dict[str, t.Any] = {key: _one_or_list(values) for key, values in service.timer.settings.items()}
    return {
        "Unit": {"Description": value(f"Timer of {service.name}")},
        "Timer": timer,
        "Install": {"WantedBy": "timers.target"},
    }


def text(found: Sections, origin: str) -> str:
    """Sections as the text of a unit file, with a comment on where they come from."""
    blocks = [f"# Translated from {origin} by pidone.systemd.service_import_info.\n"]
    for section, directives in found.items():
        lines = [f"[{section}]"]
        for key, one in directives.items():
            lines += [f"{key}={item}" for item in (one if isinstance(one, list) else [one])]
        blocks.append("\n".join(lines) + "\n")
    return blocks[0] + "\n".join(blocks[1:])


def unit(name: str, found: Sections, origin: str) -> Rendered:
    """A unit as the module returns it."""
    return {"name": name, "content": text(found, origin), "sections": found}


def _one_or_list(values: list[str]) -> t.Any:
    return values[0] if len(values) == 1 else values


def _put(directives: dict[str, t.Any], key: str, text: str) -> None:
    if key not in directives:
        directives[key] = text
    elif isinstance(directives[key], list):
        directives[key].append(text)
    else:
        directives[key] = [directives[key], text]
