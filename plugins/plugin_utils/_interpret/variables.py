# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of a script: what they are at a statement, and what of them the command gets."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import NAME, assigned, text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit, tidy

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Names of variables that are as often empty as not.
OPTIONAL = re.compile(r"OPT|ARG|FLAG|PARAM|EXTRA|DEBUG|VERBOSE|LOG", re.IGNORECASE)
# No value of a variable is longer; `X=$X$X` some dozens of times would be.
_LONGEST = 65536


def is_utf8(text: str) -> bool:
    """Whether text can be written into a unit."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def get(it: Interpreter, name: str, quiet: bool = False) -> Word | None:
    """The value of a variable or parameter at this statement, as `Expansions` says."""
    if name == "PWD":
        return [Piece("shell", "$PWD")] if it.shell.cwd_unknown else lit(it.scope.cwd)
    if name in it.scope.vars:
        value = it.scope.vars[name]
        if name in it.scope.overridable and value is not None:
            text = constant(value)
            if text is not None:
                if name not in it.scope.dynamic:
                    it.scope.dynamic[name] = text
                return [Piece("var", name)]
        return value
    if name == "0":
        return lit(it.dialect.argument0)
    if name == "#":
        return lit("0")
    if name in ("@", "*") or name.isdigit():
        # Only a shell knows them once one of its commands has set them.
        known = all(piece.kind != "shell" for piece in it.scope.vars.get("@") or ())
        return None if known else [Piece("shell", f"${{{name}}}")]
    if not NAME.match(name):
        return [Piece("shell", f"${name}")]
    if name == "PATH":
        return [Piece("shell", "$PATH")] if it.shell.open_path else lit(DEFAULT_PATH)
    if it.shell.open_shell:
        return [Piece("shell", f"${name}")]
    if name in it.scope.current or name in it.scope.dynamic:
        it.scope.dynamic.setdefault(name, None)
        return [Piece("var", name)]
    if it.shell.bash and name == "HOSTNAME":
        return [Piece("spec", "%H")]
    if it.shell.bash and name in ("UID", "EUID"):
        return lit("0")
    if name in ("IFS", "RANDOM", "SECONDS", "LINENO", "BASH", "BASHPID", "PPID", "OPTARG", "OPTIND"):
        return [Piece("shell", f"${name}")]
    if name == "BASH_SOURCE":
        return lit(it.dialect.main_script)
    if it.scope.open_conf:
        it.scope.dynamic.setdefault(name, None)
        return [Piece("var", name)]
    if it.set_somewhere is None:
        it.set_somewhere = assigned(it.text.script.root)
    if name not in it.set_somewhere and not OPTIONAL.search(name):
        it.asked_unset = True
    if not quiet and name not in it.set_somewhere:
        if it.shell.nounset:
            it.note_once(
                "shell.unset",
                f"${name}",
                f"{name} is never set ({it.dialect.runner} passes on PATH only), which ends the script under set -u; here it expands to "
                "nothing: give the command its value",
            )
        else:
            it.note_once(
                "shell.unset-optional" if OPTIONAL.search(name) else "shell.unset",
                f"${name}",
                f"{name} is never set ({it.dialect.runner} passes on PATH only), so it expands to nothing",
            )
    return None


def default(it: Interpreter, name: str, value: str) -> bool:
    """Give a variable that systemd expands a default."""
    if it.scope.current.get(name) == "":
        # The settings file sets it to nothing, which `:-` takes for unset, and systemd for a value.
        return False
    known = it.scope.dynamic.get(name)
    if known is None or known == "":
        it.scope.dynamic[name] = value
        return True
    return True


def assign(it: Interpreter, name: str, value: Word) -> None:
    """Give a variable a value, and the command as well where it is exported.

    :raises NeedShell: Environment= cannot say the same.
    """
    value = tidy(value)
    if sum(len(piece.text) for piece in value) > _LONGEST or len(value) > 1000:
        raise NeedShell("the value is too long")
    if len(value) == 1 and value[0].kind == "var" and value[0].text == name:
        # `X=${X:-default}` of a setting: it is what it was, and keeps its default.
        return
    it.scope.vars[name] = value
    it.scope.overridable.discard(name)
    it.scope.dynamic.pop(name, None)
    it.scope.current.pop(name, None)
    if it.scope.allexport or name in it.scope.exported or name == "PATH":
        export_value(it, name, value)


def export_value(it: Interpreter, name: str, value: Word) -> None:
    """Give the command a variable by Environment=.

    :raises NeedShell: that cannot say the same.
    """
    if any(piece.kind == "shell" for piece in value):
        raise NeedShell(f"{name} is exported and known only when the service starts")
    if any(piece.kind == "var" for piece in value):
        if len(value) == 1 and value[0].text == name:
            return
        raise NeedShell(f"{name} is exported and made of variables")
    if not NAME.match(name) or not all(is_utf8(piece.text) for piece in value):
        raise NeedShell("not a variable that systemd takes")
    text = constant(value)
    if name == "PATH":
        if text == DEFAULT_PATH:
            return
        if it.outcome.runs_others():
            raise NeedShell("what comes before it is to have another PATH")
        it.scope.path_changed = True
    before = it.service.environment.get(name)
    if before is not None and before != [piece._replace(split=False) for piece in value] and it.outcome.runs_others():
        raise NeedShell(f"what comes before it gets another {name}")
    if before is None and it.outcome.used_before(name):
        raise NeedShell(f"what comes before uses the value {name} had")
    if name in it.scope.filed and text != it.scope.current.get(name):
        raise NeedShell(f"{name} is set by a settings file as well, which systemd reads later")
    it.service.environment[name] = [piece._replace(split=False) for piece in value]


def home(it: Interpreter, user: str) -> str | None:
    """The home directory of an account ('' for who runs the script), where known."""
    if user == "":
        it.note_once(
            "shell.home", "~", f"is taken for /root: {it.dialect.runner} passes on no HOME, and the script runs as root"
        )
    if user in ("", "root"):
        return "/root"
    known = it.definition.users.get(user)
    return str(known["home"]) if known and known.get("home") else None


def fixed(it: Interpreter, word: Word) -> str | None:
    """The text of a word where directives take no variables: what it is with their defaults, with a finding; None where that is unknown."""
    text = constant(word)
    if text is not None:
        return text
    out = []
    names = []
    for piece in word:
        if piece.kind == "lit":
            out.append(piece.text)
        elif piece.kind == "var":
            value = it.scope.current.get(piece.text, it.scope.dynamic.get(piece.text))
            if value is None:
                return None
            names.append(piece.text)
            out.append(value)
        else:
            return None
    text = "".join(out)
    it.note(
        "shell.fixed",
        "$" + names[0],
        f"fixed to '{text}' at translation, as systemd expands no variables here; a settings "
        "file that changes it no longer does",
    )
    return text


def prefixed(it: Interpreter, variables: list[Node], words: t.Sequence[Word] = ()) -> None:
    """`A=b command`, for the main command.

    :raises NeedShell: the words of the command use the value of before.
    """
    for child in variables:
        name = text_of(child.children[0])
        if it.outcome.used_before(name, words):
            raise NeedShell(f"the command's arguments use the value {name} has before")
        value = it.evaluator.value(child.children[2] if len(child.children) > 2 else None)
        export_value(it, name, value)
        it.scope.vars[name] = value
        if name == "PATH":
            it.scope.path_changed = True


def export(it: Interpreter, name: str) -> None:
    """Have the command get a variable, now and after each assignment."""
    it.scope.exported.add(name)
    value = get(it, name)
    if value is not None:
        export_value(it, name, value)


def unset(it: Interpreter, name: str) -> None:
    """Take a variable away, from the command as well.

    :raises NeedShell: only the shell has it.
    """
    if any(piece.kind == "shell" for piece in it.scope.vars.get(name) or ()):
        raise NeedShell("only the shell has the variable")
    it.scope.vars[name] = None
    it.scope.overridable.discard(name)
    if name in it.service.environment:
        del it.service.environment[name]
    elif name in it.scope.dynamic or name in it.scope.current:
        it.service.add("UnsetEnvironment", name)
