# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run: interpreted, or run as it is."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._sources.reading import plain_settings
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.guard import leaving
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.source import (
    evaluate_file,
    open_settings,
    settings_file,
    withheld_settings,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.kept import acts, all_said, said
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep, NeedShell, Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.tail import refuse_background
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.environment import (
    environment_directory,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._model import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Refused
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.print import CannotPrint, Printer
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    Script,
    branch,
    commands_in,
    line_of,
    parse,
    statements,
    text_of,
    walk,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, lit
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.dialect import interpreter_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.lines import Part, joined
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.manner import take_manner
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.process import make_service
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.scripts import (
    code_test,
    shebang_of,
    shell_of,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


def run(draft: Draft) -> None:
    """Give the service what the run script says.

    :raises Refused: there is nothing that could be run.
    """
    definition = draft.definition
    one = definition.files["run"]
    if definition.withheld(f"{definition.path}/run"):
        _wrap(
            draft,
            "script.program",
            "run",
            "run was not read, as it is not for the owner of the link to it; it goes on being run as it is",
            1,
        )
        return
    if one.get("type") == "link" and one.get("target") and not one.get("content"):
        _program(draft, str(one["target"]))
        return
    if one.get("type") not in (None, "file", "link"):
        raise Refused("refused.run", "run", f"run is a {one.get('type')}, which runsv cannot start")
    if not definition.executable("run"):
        draft.note("runit.run-mode", "run", "run", 0, "run is not executable, so runsv cannot start it either")
    if one.get("truncated"):
        _wrap(draft, "script.program", "run", "run is too large to be read", 1)
        return
    if not definition.is_text("run"):
        target = one.get("target")
        _program(draft, str(target) if target and str(target).startswith("/") else f"{definition.path}/run")
        return
    text = definition.text("run") or ""
    if "\0" in text:
        _wrap(draft, "script.program", "run", "run is a binary program and goes on being run from its directory", 1)
        return
    shebang = shebang_of(text)
    shell = shell_of(shebang)
    if shell is None or shell == "zsh":
        _wrap(draft, "script.program", "#!", f"run is not a shell script ({' '.join(shebang)}); it goes on being run as it is", 1)
        return
    if not text.strip():
        raise Refused("refused.run", "run", "run is empty: it ends at once and is started again for ever")
    script = parse(text, "run")
    saved = len(draft.findings)
    try:
        _interpret(draft, script, shebang, shell)
    except Wrap as why:
        del draft.findings[saved:]
        _wrapped(draft, script, shebang, shell, why)
    except NeedShell as why:
        del draft.findings[saved:]
        _wrapped(draft, script, shebang, shell, Wrap("script.construct", "shell", str(why), 1))


def _program(draft: Draft, path: str) -> None:
    """run is a program, not a script."""
    if not path.startswith("/"):
        path = f"{draft.definition.path}/{path}"
    draft.service.start = [Command.of(path)]
    draft.service.working_directory = draft.definition.path
    take_manner(draft, draft.service, True)


def _interpreter(
    draft: Draft, script: Script, shebang: list[str], shell: str, ends: t.Collection[str] = ()
) -> Interpreter:
    """Of the run script, with what its first line says of the shell."""
    it = interpreter_of(draft.definition, script, service=draft.service, findings=draft.findings, ends=ends)
    it.shell.bash = shell == "bash"
    for word in shebang[1:]:
        if word.startswith("-") and not word.startswith("--") and "invoke-run" not in " ".join(shebang):
            it.shell.errexit = it.shell.errexit or "e" in word
            it.shell.nounset = it.shell.nounset or "u" in word
            if "f" in word:
                it.note("shell.globs", "#!", "sh -f: names with * in arguments would not be expanded")
    return it


def _interpret(draft: Draft, script: Script, shebang: list[str], shell: str) -> None:
    known = len(draft.findings)
    first: Wrap | None = None
    # What systemd does before all steps, left to the shell by another attempt: the account, and where output goes.
    left: set[str] = set()
    while True:
        try:
            _attempt(draft, script, shebang, shell, left)
            return
        except Wrap as why:
            first = first or why
            if why.key not in ("script.root", "script.output") or why.key in left or "invoke-run" in " ".join(shebang):
                del draft.findings[known:]
                raise first from None
            left.add(why.key)
            draft.service = draft.begin()


def _attempt(draft: Draft, script: Script, shebang: list[str], shell: str, left: set[str]) -> None:
    it = _interpreter(draft, script, shebang, shell, codes_that_end(draft))
    it.root_first = "script.root" in left
    it.shell_opens = "script.output" in left
    if script.errors:
        bad = next((one for one in walk(script.root) if one.type == "ERROR" or one.is_missing), script.root)
        raise Wrap("script.syntax", "shell", "the script does not parse as shell", line_of(bad))
    if "invoke-run" in " ".join(shebang):
        _invoke_run(draft, it)
    known = len(draft.findings)
    try:
        it.run()
        draft.stderr_joined = it.outcome.stderr != "separate"
        make_service(draft, it)
    except Wrap:
        del draft.findings[known:]
        refuse_background(it, statements(script.root))
        raise
    draft.service = it.service


def _invoke_run(draft: Draft, it: Interpreter) -> None:
    """What Debian's invoke-run does before it runs the script."""
    name = draft.definition.name
    path = f"/etc/default/{name}"
    _known, content = draft.definition.outside(path)
    it.scope.vars["NAME"] = lit(name)
    it.line = 1
    if withheld_settings(it, path, True):
        pass
    elif content is None:
        settings_file(it, path, True)
        it.scope.open_conf = True
        it.note(
            "runit.invoke-run",
            "invoke-run",
            f"{path}, which invoke-run reads and exports, is EnvironmentFile= (NAME=value lines only)",
        )
    else:
        plain = plain_settings(content)
        if plain is not None:
            settings_file(it, path, True)
            open_settings(it, set(plain[0]) | plain[1], plain[0])
            it.note("runit.invoke-run", "invoke-run", f"{path}, which invoke-run reads and exports, is EnvironmentFile=")
        else:
            it.scope.allexport = True
            try:
                evaluate_file(it, path, content, True, it.text.script.root)
            finally:
                it.scope.allexport = False
    if draft.definition.has("env"):
        try:
            environment_directory(it, f"{draft.definition.path}/env", "invoke-run")
        except Keep as why:
            raise Wrap("environment.name", "env", f"a variable of ./env cannot be written into a unit ({why})", 1) from None
        draft.definition.files.pop("env", None)
    if draft.definition.initscript:
        it.note(
            "runit.invoke-run",
            "invoke-run",
            f"invoke-run stops {draft.definition.initscript} first; a unit of the same name takes its place under systemd",
        )


def codes_that_end(draft: Draft) -> set[str]:
    """Exit codes after which finish takes the service down."""
    text = draft.definition.text("finish")
    if text is None or shell_of(shebang_of(text)) is None:
        return set()
    script = parse(text, "finish")
    codes: set[str] = set()
    for node, _background in statements(script.root):
        if "finish-exec" in text_of(node):
            codes |= {"161", "162", "170"}
        found = code_test(node, draft.definition)
        if found is not None and found[0] == "is" and found[1] != "0":
            codes.add(found[1])
    return codes


def _wrap(draft: Draft, key: str, construct: str, message: str, line: int) -> None:
    """The original program goes on being run, from its directory."""
    draft.translation = "wrapped"
    draft.service = service = draft.begin()
    service.start = [Command.of(f"{draft.definition.path}/run")]
    service.set("SyslogIdentifier", render.value(service.name))
    service.working_directory = draft.definition.path
    draft.note(key, construct, "run", line, message)
    draft.note(
        "runit.wrapped",
        "wrapped",
        "run",
        0,
        f"keep {draft.definition.path}: the unit runs its run script, which sets user, environment and limits itself",
    )
    take_manner(draft, draft.service, True)


def _wrapped(draft: Draft, script: Script, shebang: list[str], shell: str, why: Wrap) -> None:
    names = {name.rsplit("/", 1)[-1] for name in commands_in(script.root)}
    if "sv" in names or "svc" in names:
        _without_sv(draft, script, shebang, shell, why)
        return
    _wrap(draft, why.key, why.construct, why.message, why.line)
    last = statements(script.root)
    execs = bool(last) and "exec" in commands_in(last[-1][0])
    if not execs:
        draft.service.kill_mode = None
    if "invoke-run" in " ".join(shebang):
        draft.service.environment_files = []
        draft.note(
            "runit.invoke-run",
            "invoke-run",
            "run",
            1,
            "the original script is run by invoke-run, which reads /etc/default and ./env itself",
        )


def _leaves(it: Interpreter, node: Node) -> bool:
    """Whether a statement is a condition whose branch only ends the script."""
    return node.type == "if_statement" and leaving(it, branch(node)) is not None


def _comes_first(it: Interpreter) -> int:
    """How much there is in the unit that systemd looks at before all steps."""
    service = it.service
    return len(service.conditions) + len(service.exec_condition) + len(service.after)


def _without_sv(draft: Draft, script: Script, shebang: list[str], shell: str, why: Wrap) -> None:
    """sv has nothing to talk to under systemd: the script without its dependencies, which become ordering."""
    if script.errors:
        message = f"{why.message}; it calls sv, which has no supervisor to ask under systemd: rewrite it by hand"
        raise Refused("refused.sv", why.construct, message, why.line)
    draft.service = service = draft.begin()
    it = _interpreter(draft, script, shebang, shell)
    parts: list[Part] = []
    if "invoke-run" in " ".join(shebang):
        settings = f"/etc/default/{draft.definition.name}"
        parts.append(Part(f"set -a; [ ! -r {settings} ] || . {settings}; set +a"))
    found = statements(script.root)
    execs = bool(found) and "exec" in commands_in(found[-1][0])
    lost = _functions_without_sv(found)
    if lost:
        name, node = lost
        raise Refused(
            "refused.sv",
            why.construct,
            f"{why.message}; its function {name} calls sv, which has no supervisor to ask under systemd: rewrite it by hand",
            line_of(node),
        )
    acted = False
    for node, background in found:
        names = {name.rsplit("/", 1)[-1] for name in commands_in(node)}
        before, acted = acted, acted or acts(it, node)
        if ("sv" in names or "svc" in names) and not (acted and all_said(it, node)):
            it.line = line_of(node)
            steps = len(it.outcome.steps)
            asked = _comes_first(it)
            try:
                it.dispatch(node, False)
            except (NeedShell, Wrap, CannotPrint):
                raise Refused(
                    "refused.sv",
                    why.construct,
                    f"{why.message}; under systemd sv has no supervisor to ask, so this script cannot go on "
                    "being run: rewrite it by hand",
                    why.line,
                ) from None
            # What a branch does that ends the script has not been done where the script goes on.
            moved = (before if _leaves(it, node) else acted) and _comes_first(it) != asked
            if len(it.outcome.steps) != steps or it.outcome.ended or moved:
                raise Refused("refused.sv", "sv", "sv is part of a larger construct; rewrite this script by hand", line_of(node))
            continue
        blank = interpreter_of(draft.definition, script)
        blank.shell.open_shell = True
        try:
            printer = Printer(blank, node, functools.partial(said, blank))
            documents = any(one.type == "heredoc_redirect" for one in walk(node))
            if documents and not (names & it.dialect.controls or background):
                # As it is, on lines of its own.
                parts.append(Part(text_of(node), own_lines=True))
                continue
            parts.append(Part(printer.line(node), background))
        except CannotPrint as problem:
            raise Refused(
                "refused.sv",
                why.construct,
                f"{why.message}; the script calls sv, which has no supervisor to ask under systemd, and cannot "
                f"be put into the unit ({problem}): rewrite it by hand",
                why.line,
            ) from None
    draft.service = service = it.service
    text = joined(parts)
    if it.shell.errexit:
        text = "set -e; " + text
    if len(text) > 8000:
        raise Refused(
            "refused.sv",
            why.construct,
            f"{why.message}; the script calls sv and is too long for a unit: rewrite it by hand",
            why.line,
        )
    draft.translation = "wrapped"
    service.start = [Command(line=text)]
    service.set("SyslogIdentifier", render.value(service.name))
    service.working_directory = draft.definition.path
    if shell == "bash":
        service.start = [Command([lit("/bin/bash"), lit("-c"), [Piece("lit", text)]])]
    draft.note(why.key, why.construct, "run", why.line, why.message)
    draft.note(
        "runit.wrapped",
        "wrapped",
        "run",
        0,
        "the script is in the unit, without its calls of sv: under systemd they have no supervisor to ask",
    )
    take_manner(draft, draft.service, execs)


def _functions_without_sv(found: list[tuple[Node, bool]]) -> tuple[str, Node] | None:
    """A function that calls sv and is called where the script has no sv, so that it cannot be left out: its name and where it is called."""
    functions: dict[str, Node] = {}
    pending: list[Node] = []
    for node, _background in found:
        if node.type == "function_definition":
            functions[text_of(node.children[1] if node.children[0].type == "function" else node.children[0])] = node
        else:
            pending.append(node)
    seen: set[str] = set()
    while pending:
        node = pending.pop()
        # Also `trap name EXIT` calls it, in which it is but a word.
        for name in sorted(set(re.findall(r"(?<![\w$./{-])[A-Za-z_][\w-]*", text_of(node))) & set(functions) - seen):
            if {"sv", "svc"} & {one.rsplit("/", 1)[-1] for one in commands_in(functions[name])}:
                return name, node
            seen.add(name)
            pending.append(functions[name])
    return None
