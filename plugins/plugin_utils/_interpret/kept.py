# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a shell can do: as a step of its own, in front of the main command, or the whole script."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell, Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.nodes import construct_of, inner_command
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.outcome import Before, calls_others
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.lists import ONLY_BUILTIN, STATEFUL
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.table import WRAPPERS
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.print import CannotPrint, Printer, assignments
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    NAME,
    assigned,
    commands_in,
    line_of,
    referenced,
    text_of,
    walk,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, constant, word_text

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


# Files by whose names nobody would look for functions in them.
SETTINGS = re.compile(r"env|/default/|/sysconfig/|/conf\.d/|/etc/profile|locale|/activate|\.conf\b")

# A redirection that writes no file.
_SILENT = re.compile(r"/dev/(null|std\w+)\s*\Z|&\s*[0-9-]\Z|\A\d*<")

# The process that the script is, which becomes that of its program.
_OWN_PROCESS = re.compile(r"(?<!\\)\$(?:\$|\{\$\}|\{?BASHPID\b)|/proc/self/")

# What `Printer.prefix` puts before a text.
_SETUP = re.compile(r"(?:\w+=(?:'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|[^\s;'\"\\])*; )*")


def failing_exits(text: str) -> str:
    """A step that ends with success lets the service start; where the script ended, it must not."""
    return re.sub(r"(?<![\w$-])exit(?:\s+0)?(?=\s*(?:;|\}|\)|$|&|\|))", "exit 1", text)


def may_be_function(it: Interpreter, name: str) -> bool:
    """Whether a bare name may be a function of a file that only a shell reads."""
    return (
        it.shell.open_functions
        and "/" not in name
        and name not in it.definition.commands
        and name not in lists.STANDARD
        and name not in it.builtins
        and name not in WRAPPERS
    )


def may_set_path(text: str) -> bool:
    """Whether shell text sources what may change PATH: code, or what makes an environment; not a file of settings."""
    return not SETTINGS.search(text) or any(mark in text for mark in (*lists.CODE_MARKS, "/activate"))


def called(it: Interpreter, node: Node) -> list[Node]:
    """The functions of the script that a node calls, those they call first."""
    found: list[Node] = []
    pending = [node]
    while pending:
        one = pending.pop()
        for name in sorted(commands_in(one)):
            function = it.shell.functions.get(name)
            if function is not None and function not in found and function is not node:
                found.insert(0, function)
                pending.append(function)
    return found


def called_names(it: Interpreter, node: Node) -> set[str]:
    """The names of the commands that a node calls, also within the functions it calls."""
    names: set[str] = set()
    for one in (node, *called(it, node)):
        names |= {name.rsplit("/", 1)[-1] for name in commands_in(one)}
    return names - set(it.shell.functions)


def set_names(it: Interpreter, node: Node) -> set[str]:
    """The names of the variables that a node sets, also within the functions it calls."""
    names: set[str] = set()
    for one in (node, *called(it, node)):
        names |= assigned(one)
    return names


def acts(it: Interpreter, node: Node) -> bool:
    """Whether a node may change something that others see, files that it writes to included."""
    if not {name for name in called_names(it, node) if name not in ("exit", "return", "exec")} <= lists.LOOKS:
        return True
    return writes(it, node)


def writes(it: Interpreter, node: Node) -> bool:
    """Whether a node sends what it prints to a file, also within the functions it calls."""
    return any(
        part.type == "file_redirect" and not _SILENT.search(text_of(part))
        for one in (node, *called(it, node))
        for part in walk(one)
    )


def misread(it: Interpreter, node: Node) -> None:
    """The parser took a word for another.

    :raises Wrap: always, as nothing can be made of that.
    """
    raise Wrap("script.syntax", "shell", f"'{text_of(node)}' cannot be read with certainty", line_of(node))


def controls_in(it: Interpreter, node: Node) -> list[Node]:
    """The calls of the supervisor that a node makes, also within the functions it calls; with the pipe that looks for their answer."""
    found = []
    for body in (node, *called(it, node)):
        for one in walk(body):
            if one.type == "command" and it.dialect.controls & {name.rsplit("/", 1)[-1] for name in commands_in(one)}:
                above = one.parent
                while above is not None and above.type in ("redirected_statement", "pipeline"):
                    if above.type == "pipeline":
                        one = above
                    above = above.parent
                found.append(one)
    return found


def all_said(it: Interpreter, node: Node) -> bool:
    """Whether each call of the supervisor in a node can be said to systemd; then findings say how."""
    found = [(one, said(it, one)) for one in controls_in(it, node)]
    if any(text is None for _one, text in found):
        return False
    for one, text in found:
        before = " ".join(text_of(one).split())
        it.note_once(*it.dialect.said_note(before, text or ""))
    return True


def said(it: Interpreter, node: Node) -> str | None:
    """A call of the supervisor as what shell text says to systemd instead; None where it is none, or cannot be said."""
    one = inner_command(node, it.dialect.controls) if node.type == "pipeline" else node
    if one.type != "command" or one.children[0].type != "command_name":
        return None
    name = text_of(one.children[0]).rsplit("/", 1)[-1]
    if name not in it.dialect.controls:
        return None
    above = node.parent
    while above is not None and above.type in ("redirected_statement", "negated_command"):
        above = above.parent
    if above is not None and above.type in ("pipeline", "command_substitution"):
        return None
    if one is not node and not it.dialect.asks_running(text_of(node)):
        return None
    try:
        texts = [fixed(it, word) for word in it.evaluator.words(one.children[1:])]
        return None if None in texts else it.dialect.said(it, [str(text) for text in texts])
    except NeedShell:
        return None


def shell_text(it: Interpreter, node: Node) -> str:
    """The text of a node within a word that a shell expands; the constants it needs go to `it.setup`."""
    if called(it, node):
        raise NeedShell("a function of the script")
    printer = Printer(it, node)
    try:
        text = printer.line(node)
    except CannotPrint as why:
        raise Wrap("script.syntax", "shell", f"a word cannot be put on one line ({why})", line_of(node)) from None
    it.setup.update(printer.setup)
    return text


def printed(it: Interpreter, node: Node) -> tuple[Printer, str]:
    """A node as text, behind the functions it calls."""
    printer, text = _printed(it, node)
    before = []
    for function in called(it, node):
        inner, body = _printed(it, function)
        printer.setup.update(inner.setup)
        printer.shell_names |= inner.shell_names
        before.append(body)
    return printer, "; ".join([*before, text])


def _printed(it: Interpreter, node: Node) -> tuple[Printer, str]:
    printer = Printer(it, node, lambda one: said(it, one), not it.foreground)
    if node.type == "declaration_command":
        # `export X` means the value that X has, which nobody has told the shell yet.
        for child in node.children:
            value = it.scope.vars.get(text_of(child)) if child.type == "variable_name" else None
            if value and constant(value) is not None:
                printer.setup[text_of(child)] = constant(value) or ""
    try:
        if node.type == "redirected_statement" and any(child.type == "heredoc_redirect" for child in node.children):
            return printer, printer.document(node)
        return printer, printer.line(node)
    except CannotPrint as why:
        what = "a here-document" if "heredoc" in str(why) else f"it cannot be put on one line ({why})"
        raise Wrap("script.syntax", "shell", what, line_of(node)) from None


def keep(it: Interpreter, node: Node, background: bool, last: bool, why: str, front: bool = False) -> bool:
    """Keep a statement as shell text; True where the script ends with it.

    :param why: what it is that only a shell can do.
    :param front: what follows needs it in the same shell.
    :raises Wrap: the script as a whole has to go on being run.
    """
    if it.text.sourced:
        raise Wrap("script.construct", "sourced file", why, line_of(node))
    names = called_names(it, node)
    for name in sorted(names & it.dialect.controls):
        if not all_said(it, node):
            raise Wrap("script.construct", name, f"{name} is called within a construct that only a shell can do ({why})", line_of(node))
    kinds = {one.type for one in walk(node)}
    if "ERROR" in kinds:
        raise Wrap("script.syntax", "shell", "the shell text does not parse", line_of(node))
    wraps = None
    if "wait" in names:
        wraps = "wait"
    elif "trap" in names:
        wraps = "trap"
    elif "function_definition" in kinds:
        wraps = "function"
    elif background or (not it.foreground and "&" in kinds and last):
        wraps = "&"
    # Of runit's own, `needs` of the unit as a whole are told.
    changers = (names & lists.CHANGE_ACCOUNT) - lists.OF_SUPERVISORS
    if changers:
        it.note(
            "shell.package",
            ", ".join(sorted(changers)),
            "stays in the shell text of the unit: the package that has it must stay installed",
        )
    if last:
        _keep_last(it, node, why, names, kinds, wraps)
        return True
    sets = set_names(it, node)
    exports = sets if it.scope.allexport else sets & (it.scope.exported | set(it.service.environment))
    unknown = it.shell.cwd_unknown or any(may_be_function(it, name) for name in names)
    # It is to have a PATH or variables that only the shell has.
    behind = it.outcome.must_follow() or (calls_others(names) and needs_shell(it))
    if node.type == "subshell" and not wraps and not unknown and not exports and not front:
        # Whatever it does, the shell stays as it is.
        if behind:
            it.outcome.put_before(_before(it, node))
        else:
            shell_step(it, node, why)
        return False
    if names & {"cd", "pushd", "popd"}:
        it.shell.cwd_unknown = True
    if (
        sets & (it.text.later(node) | {"IFS", "PATH"})
        or exports
        or unknown
        or names & (STATEFUL - {"exit"})
        or wraps
        or kinds & {"declaration_command", "unset_command"}
        or any(_hands_on(one) for one in called(it, node))
        or front
        or behind
    ):
        _keep_in_front(it, node, background, why, wraps, exports)
    else:
        shell_step(it, node, why)
    return False


def _keep_last(it: Interpreter, node: Node, why: str, names: set[str], kinds: set[str], wraps: str | None) -> None:
    """What the script ends with."""
    if (
        kinds & {"while_statement", "for_statement", "c_style_for_statement"}
        or wraps
        or node.type in ("pipeline", "subshell")
    ):
        what = wraps or node.type.replace("_statement", "").replace("_", " ")
        message = f"the script ends with what only a shell can do ({why}); the original script is run"
        it.reasons.append(("script.construct", what, message, line_of(node)))
    printer, text = printed(it, node)
    plain = node.type == "command" or (node.type == "redirected_statement" and node.children[0].type == "command")
    if plain and "exec" not in names and not called(it, node) and not it.whole:
        text = _with_exec(it, node, text)
    it.outcome.inline = printer.prefix() + text
    it.outcome.inline_exec = text.startswith("exec ") or "exec" in names


def _keep_in_front(
    it: Interpreter, node: Node, background: bool, why: str, wraps: str | None, exports: set[str]
) -> None:
    """What the rest of the script depends on, or what has to come after such."""
    if wraps:
        it.reasons.append(
            (
                "script.construct",
                wraps,
                f"{wraps} before the main command has no directive ({why}); the original script is run",
                line_of(node),
            )
        )
    one = _before(it, node)
    sets = set_names(it, node)
    if "exec" in one.calls:
        it.outcome.prefix_execs = True
    if node.type == "declaration_command":
        exports = set()
    may_set = _may_set(it, node, sets, one.text)
    text = assignments(may_set) + exporting(it, one.text + (" &" if background else ""), exports)
    pure = (
        node.type == "variable_assignment"
        and not called(it, node)
        and one.calls <= lists.HARMLESS
        and not exports
        and not sets & {"PATH"}
    )
    hands_on = bool(exports) or node.type == "declaration_command" or any(_hands_on(each) for each in called(it, node))
    it.outcome.put_before(one._replace(text=text, sets=sets if pure else None, exports=hands_on))
    changed = {*sets, *may_set}
    if one.calls & {"set", "shift"}:
        changed |= {name for name in it.scope.vars if name.isdigit()} | {"@", "*", "#"}
    for name in changed:
        it.scope.vars[name] = [Piece("shell", f"${name}")]
        it.scope.overridable.discard(name)
    if one.calls & {".", "source", "eval"}:
        it.shell.open_shell = True
        it.shell.open_functions = it.shell.open_functions or not SETTINGS.search(text)
        it.shell.open_path = it.shell.open_path or "eval" in one.calls or may_set_path(text)


def _before(it: Interpreter, node: Node) -> Before:
    """A node as what stays in front of the command."""
    printer, text = printed(it, node)
    return Before(printer.prefix() + text, None, referenced(node), called_names(it, node), writes(it, node))


def exporting(it: Interpreter, text: str, names: t.Collection[str]) -> str:
    """Shell text in front of the command whose variables the command gets as well."""
    if it.scope.allexport:
        return f"set -a; {text}; set +a"
    return f"{text}; export {' '.join(sorted(names))}" if names else text


def _with_exec(it: Interpreter, node: Node, text: str) -> str:
    """A last command that replaces the shell, which has nothing left to do; not where only the shell has it."""
    command = node.children[0] if node.type == "redirected_statement" else node
    if command.children[0].type != "command_name":
        # `A=b command`: exec would take the assignment for the command.
        return text
    name = text_of(command.children[0])
    if name in it.builtins or name in STATEFUL or name in ONLY_BUILTIN or may_be_function(it, name):
        return text
    return "exec " + text


def shell_step(it: Interpreter, node: Node, why: str, checked: bool = False) -> None:
    """A step of shell before the main command."""
    printer, text = printed(it, node)
    names = called_names(it, node)
    setup = printer.prefix()
    if printer.shell_names:
        if it.outcome.must_follow() or not it.outcome.prefix_commands <= lists.HARMLESS:
            # It follows what acts, so it counts as something that does.
            it.outcome.put_before(Before(setup + text, None, referenced(node), names, acts=True))
            return
        setup = "; ".join([*(one.text for one in it.outcome.live_prefix(text)), setup])
    if _OWN_PROCESS.search(setup + text):
        it.outcome.put_before(Before(printer.prefix() + text, None, referenced(node), names, acts=True))
        return
    ignore = not (checked or it.shell.errexit)
    codes = set(re.findall(r"(?<![\w$-])exit\s+(\d+)", text))
    if "exit" in names and codes and codes <= it.dialect.ends:
        if it.outcome.has_acted() or any(step.path for step in it.outcome.steps):
            # Its own exit code tells systemd not to start the service again.
            it.outcome.put_before(Before(setup + text, None, referenced(node), names, writes(it, node)))
            return
        it.note(
            "shell.condition",
            construct_of(node),
            f"kept as shell in ExecCondition= ({why}); where it ends the script, systemd skips the service",
        )
        it.service.exec_condition.append(Command(line=setup + text + "; :"))
        return
    if "exit" in names:
        text = failing_exits(text)
        ignore = False
        if not (checked or it.shell.errexit):
            text += "; :"
    if it.shell.errexit:
        setup = "set -e; " + setup
        if _may_end_badly(node):
            text += "; :"
    takes_time(it, names, any("R" in word for word in re.findall(r"(?<=\s)-[a-zA-Z]*", text)))
    if len(setup + text) > 700:
        it.reasons.append(
            (
                "script.long",
                node.type.replace("_statement", ""),
                "the steps before the command are too long for a unit; the original script is run",
                line_of(node),
            )
        )
    it.note("shell.step", construct_of(node), f"kept as shell in ExecStartPre= ({why})")
    it.outcome.steps.append(
        Step.command(Command(line=setup + text, ignore=ignore), it.line, acts(it, node), calls_others(names))
    )


def needs_shell(it: Interpreter) -> bool:
    """Whether a program that is called now is to have a PATH, or variables, that only the shell has."""
    return it.outcome.hands_on() or any(piece.kind == "shell" for piece in it.get("PATH", True) or ())


def _may_set(it: Interpreter, node: Node, sets: set[str], text: str) -> dict[str, str]:
    """What variables have before a node that may set them, or may not, where the script goes on using them: name -> value, for the shell.

    :param sets: the variables that the node sets, though perhaps not always.
    :param text: what is kept of the node.
    """
    reads = called_names(it, node) & {".", "source", "eval"}
    if node.type in ("variable_assignment", "variable_assignments", "declaration_command", "unset_command") and not reads:
        return {}
    found = {}
    given = _SETUP.match(text)
    told = set(re.findall(r"(?:^|; )(\w+)=", given.group())) if given is not None else set()
    for name in sorted((it.scope.vars.keys() if reads else sets) & it.text.later(node) - told):
        value = it.get(name, True)
        if not NAME.match(name) or value is None:
            continue
        if any(piece.kind == "shell" for piece in value) or all(piece.kind == "var" and piece.text == name for piece in value):
            # The shell has it.
            continue
        if not reads and name in it.service.environment and it.service.environment[name] == value:
            continue
        if constant(value) == "" and not (it.shell.nounset or it.scope.open_conf or name in it.service.environment):
            # To a shell that nobody has told of it, it is empty as well.
            continue
        found[name] = word_text([piece._replace(split=False) for piece in value])
    return found


def _hands_on(function: Node) -> bool:
    """Whether a function changes what programs get that the script calls after it."""
    return any(
        one.type == "unset_command" or (one.type == "declaration_command" and text_of(one.children[0]) == "export")
        for one in walk(function)
    )


def _may_end_badly(node: Node) -> bool:
    """Whether a statement can end with a status for which `set -e` does not end the script, as it comes from a condition: POSIX, `set`."""
    if node.type in ("command", "subshell", "pipeline"):
        return False
    return any(one.type in ("&&", "!") for one in walk(node))


def takes_time(it: Interpreter, names: set[str], recursive: bool = False) -> None:
    """The shell waited for a command as long as it takes; systemd would end the steps after 90 seconds."""
    if recursive or not {name.rsplit("/", 1)[-1] for name in names} <= lists.QUICK:
        it.service.set("TimeoutStartSec", "infinity")
