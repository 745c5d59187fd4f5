# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that run another in an environment: env, envdir and their kin."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute, change_directory
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import DEFAULT_PATH, is_utf8
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.options import (
    ASSIGNMENT,
    Options,
    need,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import NAME
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant, lit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def set_environment(it: Interpreter, name: str, value: Word) -> None:
    """Give the command a variable.

    :raises Keep: it is known only when the service starts, or something else uses the name.
    """
    if any(piece.kind in ("var", "shell") or not is_utf8(piece.text) for piece in value) or not NAME.match(name):
        raise Keep("a value is known only when the service starts")
    if name in it.scope.current or name in it.scope.dynamic:
        raise Keep(f"{name} is a variable of a settings file as well, which would win")
    if it.outcome.used_before(name):
        raise Keep(f"{name} has another value before")
    it.service.environment[name] = [piece._replace(split=False) for piece in value]
    if name == "PATH":
        # It is where the command is looked up from here on.
        it.scope.vars[name] = it.service.environment[name]
        it.scope.path_changed = constant(value) != DEFAULT_PATH


def environment_directory(it: Interpreter, path: str, construct: str) -> bool:
    """Give the command the variables of a directory, as chpst -e does; False where it was not collected.

    :param construct: what findings call it.
    :raises Keep: not all of it may stand in a unit.
    """
    relative = it.definition.relative(path)
    files: dict[str, str] = {}
    secret = it.definition.withheld_in(path.rstrip("/"))
    if secret:
        raise Keep(
            f"{', '.join(secret[:3])}{', ...' if len(secret) > 3 else ''} in {path} are not for every user, and a unit is: "
            "they stay where they are and are read when the service starts. To do without it, write them into a file of "
            "mode 0600 for EnvironmentFile="
        )
    unread = it.definition.unread_in(path.rstrip("/"))
    if unread:
        raise Keep(f"{', '.join(unread[:3])}{', ...' if len(unread) > 3 else ''} in {path} could not be read")
    if relative is not None:
        linked = it.definition.files.get(relative)
        if not it.definition.has(relative) or (linked is not None and linked.get("type") == "link"):
            it.note(
                "environment.not-collected",
                construct,
                f"{path} is not among the collected files; chpst reads it when the service starts",
            )
            return False
        files = it.definition.below(relative)
        it.taken.add(relative.split("/", 1)[0])
    else:
        for one in it.definition.external:
            head, _slash, tail = one.rpartition("/")
            if head == path:
                text = it.definition.outside(one)[1]
                if text is not None:
                    files[tail] = text
        if not files:
            it.note(
                "environment.not-collected",
                construct,
                f"{path} is not among the collected files; chpst reads it when the service starts",
            )
            return False
    for name, text in sorted(files.items()):
        if not NAME.match(name):
            it.note("environment.name", construct, f"{path}/{name} is no name of a variable that systemd takes; left out")
        elif not text:
            it.service.environment.pop(name, None)
            it.service.add("UnsetEnvironment", name)
        else:
            set_environment(it, name, lit(text.split("\n", 1)[0].rstrip(" \t").replace("\0", "\n")))
            it.scope.vars[name] = it.service.environment[name]
    if files:
        it.note(
            "environment.public",
            construct,
            f"the {len(files)} variable(s) of {path} are now in the unit, where every user can read them; "
            "move secrets to an EnvironmentFile= or LoadCredential=",
        )
    return True


def envdir(it: Interpreter, words: list[Word]) -> list[Word]:
    if len(words) < 2:
        raise Keep("envdir without a command")
    path = absolute(it, need(it, words[0], "the directory of envdir"))
    if path.startswith("-") or not environment_directory(it, path, "envdir"):
        raise Keep("its directory is read when the service starts")
    return words[1:]


def env(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "i0v", "uCS", {"ignore-environment": False, "unset": True, "chdir": True})
    rest = options.read()
    if rest and rest[0] == lit("-"):
        rest = rest[1:]
        options.found.append(("i", []))
    pending: list[tuple[str, Word]] = []
    while rest and rest[0] and rest[0][0].kind == "lit" and ASSIGNMENT.match(rest[0][0].text):
        name, _equal, start = rest[0][0].text.partition("=")
        value: Word = lit(start) + list(rest[0][1:])
        if any(piece.kind in ("var", "shell") for piece in value):
            raise Keep("a value is known only when the service starts")
        if it.outcome.used_before(name, rest[1:]):
            raise Keep(f"the command's arguments use the value {name} has before")
        pending.append((name, value))
        rest = rest[1:]
    if not rest:
        raise Keep("env without a command")
    for name, raw in options.found:
        if name in ("u", "unset"):
            variable = need(it, raw, "the variable of env -u")
            if not ASSIGNMENT.match(variable + "=") or "=" in variable:
                raise Keep(f"'{variable}' is not the name of a variable")
            it.service.add("UnsetEnvironment", variable)
        elif name in ("C", "chdir"):
            change_directory(it, need(it, raw, "the directory of env -C"))
        elif name in ("i", "ignore-environment"):
            it.note("environment.clean", "env -i", "systemd starts services with a clean environment of a few variables of its own")
        elif name in ("S", "0"):
            raise Keep(f"-{name} has no directive")
    for name, value in pending:
        set_environment(it, name, value)
    return rest
