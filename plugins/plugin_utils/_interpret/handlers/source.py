# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that set variables, as EnvironmentFile= where systemd reads them as the shell did."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._sources.reading import plain_settings
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.kept import SETTINGS, exporting, may_set_path
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell, Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.outcome import Before
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.redirections import is_silent, try_redirects
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.text import Text
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import (
    DEFAULT_PATH,
    assign,
    export_value,
    fixed,
    get,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    NAME,
    assigned,
    commands_in,
    line_of,
    parse,
    statements,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit, word_text

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter, Saved


# How files of settings are called; others may be hooks.
SETTINGS_NAME = re.compile(
    r"conf|cnf|cfg|env|setting|option|opt|var|default|param|args|flags|rc\Z|secret|passw|credential|key|token|local|global|common|version|\A[A-Z_]+\Z",
    re.IGNORECASE,
)


def source(it: Interpreter, word: Word, optional: bool, node: Node) -> None:
    """`. file`: read by systemd where it holds plain settings, fixed where it can be evaluated, else by a shell.

    :param optional: the script goes on where the file is missing.
    """
    text = fixed(it, word)
    if text is None:
        raise NeedShell("the name of the sourced file is known only when the service starts")
    path = absolute(it, text)
    relative = it.definition.relative(path)
    known: bool
    content: str | None
    if relative is not None:
        it.taken.add(relative.split("/", 1)[0])
        content = it.definition.text(relative)
        known = content is not None or it.definition.live
    else:
        known, content = it.definition.outside(path)
    if withheld_settings(it, path, optional):
        return
    if content is None:
        if any(mark in path for mark in lists.CODE_MARKS) or path.endswith((".sh", ".bash", "/activate")):
            if path.endswith("/bin/activate"):
                virtual_environment(it, path)
                return
            if known and optional:
                it.note("settings.absent", ".", f"{path} does not exist on the host; not read any more")
                return
            raise NeedShell(f"{path} is code for shells")
        if relative is not None and not SETTINGS_NAME.search(path.rsplit("/", 1)[-1]) and not it.definition.has(relative):
            raise NeedShell(f"{path} is not named like settings, and may be code for shells")
        usual = relative is not None or path.startswith(
            ("/etc/default/", "/etc/conf.d/", "/etc/sysconfig/", "/etc/sv/", "/usr/local/etc/")
        )
        if optional and not usual and not known and not SETTINGS_NAME.search(path.rsplit("/", 1)[-1]) and not SETTINGS.search(path):
            raise NeedShell(f"{path} is not named like settings, and may be code for shells")
        if not optional and not usual and not known:
            it.note(
                "settings.not-collected",
                ".",
                f"{path} was not collected and may use shell, which EnvironmentFile= would misread; a shell goes on reading it",
            )
            text = exporting(it, f". {word_text(lit(path))}", it.scope.exported - set(it.service.environment))
            it.outcome.prefix.append(Before(text, None, set(), {"."}))
            it.shell.open_shell = True
            it.shell.open_functions = it.shell.open_functions or not SETTINGS.search(path)
            it.shell.open_path = it.shell.open_path or may_set_path(path)
            return
        settings_file(it, path, optional)
        if it.definition.live and known:
            it.note("settings.absent", ".", f"{path} does not exist; EnvironmentFile= reads it once it does (NAME=value lines only)")
        else:
            it.note(
                "settings.not-collected", ".", f"{path} was not collected; EnvironmentFile= reads its NAME=value lines, but no shell"
            )
        open_settings(it, set(), None)
        return
    plain = plain_settings(content)
    if plain is not None:
        values, mentioned = plain
        names = set(values) | mentioned
        if (
            not names & it.text.later(node)
            and not it.scope.allexport
            and not names & (it.scope.exported | {"PATH"})
            and "export " not in content
        ):
            it.note("settings.unused", ".", f"{path} sets nothing that the script uses; not read any more")
            return
        if any(it.outcome.used_before(name) or _is_of_shell(it, name) for name in names):
            raise NeedShell("what comes before it uses or sets its variables")
        settings_file(it, path, optional)
        open_settings(it, names, values)
        it.note(
            "settings.file",
            ".",
            f"{path} holds plain NAME=value lines and is read by EnvironmentFile=; all its variables are passed on",
        )
        return
    evaluate_file(it, path, content, optional, node)


def _is_of_shell(it: Interpreter, name: str) -> bool:
    """Whether only the shell has set a variable so far, after systemd would have read the file."""
    return any(piece.kind == "shell" for piece in it.scope.vars.get(name) or ())


def withheld_settings(it: Interpreter, path: str, optional: bool) -> bool:
    """Have systemd read a file whose contents stayed on the host, which it does as root; False where it is no such file.

    :raises Wrap: systemd would misread it, so that the script goes on doing it.
    """
    one = it.definition.withheld(path)
    if one is None:
        return False
    names = one.get("variables")
    if names is None:
        raise Wrap(
            "settings.private",
            ".",
            f"{path} is not for every user, so it was left on the host, and it is no plain list of NAME=value lines; "
            "the original script, which reads it, is run",
            it.line,
        )
    settings_file(it, path, optional)
    open_settings(it, {*names, *(one.get("mentioned") or ())}, {})
    it.note(
        "settings.file",
        ".",
        f"{path} is not for every user, so it stays on the host and is read there by EnvironmentFile=; all its variables are passed on",
    )
    return True


def settings_file(it: Interpreter, path: str, optional: bool) -> None:
    """Have systemd read a file of settings."""
    entry = ("-" if optional else "") + path
    if entry not in it.service.environment_files:
        it.service.environment_files.append(entry)


def open_settings(it: Interpreter, names: set[str], values: dict[str, str] | None) -> None:
    """From here on variables may come from a settings file. Without `values` nothing is known about it."""
    if values is None:
        it.scope.open_conf = True
        it.scope.overridable |= {
            name
            for name, value in it.scope.vars.items()
            if NAME.match(name) and value is not None and constant(value) is not None
        }
        return
    # In the same order each time: units are kept in git.
    for name in sorted(names):
        before = it.scope.vars.pop(name, None)
        it.scope.overridable.discard(name)
        text = None if before is None else constant(before)
        it.scope.dynamic[name] = text
    it.scope.current.update(values)
    it.scope.filed |= names
    if "PATH" in names:
        # Everybody exports PATH.
        it.scope.vars["PATH"] = lit(values["PATH"]) if "PATH" in values else [Piece("var", "PATH")]
        it.scope.path_changed = True


def virtual_environment(it: Interpreter, path: str) -> None:
    """What `bin/activate` of a Python environment sets."""
    root = path[: -len("/bin/activate")]
    assign(it, "VIRTUAL_ENV", lit(root))
    it.scope.exported |= {"VIRTUAL_ENV", "PATH"}
    export_value(it, "VIRTUAL_ENV", lit(root))
    old = constant(get(it, "PATH") or lit(DEFAULT_PATH)) or DEFAULT_PATH
    assign(it, "PATH", lit(f"{root}/bin:{old}"))


def evaluate_file(it: Interpreter, path: str, content: str, optional: bool, node: Node) -> None:
    """A settings file that uses shell: its values are fixed, or it goes on being read by a shell."""
    if path in it.reading or len(it.reading) > 8:
        raise NeedShell("it sources itself")
    it.definition.spend(len(content) // 4)
    saved = it.saved()
    it.reading.append(path)
    try:
        _evaluate_file(it, path, content, optional, node, saved)
    finally:
        it.reading.pop()


def _evaluate_file(it: Interpreter, path: str, content: str, optional: bool, node: Node, saved: Saved) -> None:
    outer = it.text
    script = parse(content, _shown(it, path))
    try:
        if script.errors:
            raise NeedShell("it does not parse")
        it.text = Text(script, sourced=True)
        before = (len(it.outcome.steps), len(it.outcome.prefix))
        if it.block(statements(script.root), False) or (len(it.outcome.steps), len(it.outcome.prefix)) != before:
            raise NeedShell("it does more than set variables")
    except (NeedShell, Wrap) as why:
        it.text = outer
        it.undo(saved)
        it.line = line_of(node)
        text = f". {word_text(lit(path))}"
        if optional:
            text = f"[ ! -r {word_text(lit(path))} ] || {text}"
        text = exporting(it, text, it.scope.exported & assigned(script.root))
        for name in assigned(script.root):
            it.scope.vars[name] = [Piece("shell", f"${name}")]
            it.scope.overridable.discard(name)
        it.outcome.prefix.append(Before(text, None, set(), {"."}))
        it.note(
            "settings.shell",
            ".",
            f"{path} uses shell ({why}), which EnvironmentFile= would misread; a shell goes on reading it",
        )
        nested = bool({".", "source"} & commands_in(script.root))
        it.shell.open_shell = it.shell.open_shell or nested
        it.shell.open_path = it.shell.open_path or nested or "eval" in commands_in(script.root)
        return
    it.text = outer
    it.line = line_of(node)
    it.note(
        "settings.fixed",
        ".",
        f"{path} uses shell, which EnvironmentFile= would misread; its values were fixed at translation",
    )


def _shown(it: Interpreter, path: str) -> str:
    relative = it.definition.relative(path)
    return relative if relative else path


def sourced_alone(it: Interpreter, found: list[tuple[Node, bool]]) -> tuple[Word, bool, list[str]] | None:
    """A branch that only reads a settings file: the file, whether all of it is exported, and what is besides."""
    word: Word | None = None
    exports = False
    names: list[str] = []
    for node, background in found:
        if background:
            return None
        text = " ".join(text_of(node).split())
        sourced = source_of(it, node)
        if sourced is not None and word is None:
            word = sourced
        elif text in ("set -a", "set -o allexport") and word is None:
            exports = True
        elif text in ("set +a", "set +o allexport") and word is not None:
            continue
        elif node.type == "declaration_command" and re.fullmatch(r"export( [A-Za-z_]\w*)+", text) and word is not None:
            names += text.split()[1:]
        else:
            return None
    return None if word is None else (word, exports, names)


def read_settings(it: Interpreter, found: tuple[Word, bool, list[str]], optional: bool, node: Node) -> None:
    """Read what `sourced_alone` has found."""
    word, exports, names = found
    before = it.scope.allexport
    it.scope.allexport = before or exports
    it.scope.exported |= set(names)
    try:
        source(it, word, optional, node)
    finally:
        it.scope.allexport = before


def source_of(it: Interpreter, node: Node) -> Word | None:
    """The file a node sources, where it does nothing else."""
    if node.type == "redirected_statement" and is_silent(try_redirects(it, node)):
        node = node.children[0]
    if node.type == "command" and text_of(node.children[0]) in (".", "source") and len(node.children) == 2:
        return it.evaluator.value(node.children[1])
    return None
