# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""finish: what has a directive, and ExecStopPost= for the rest."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell, Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.paths import is_relative
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, unit_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.print import CannotPrint, Printer
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    Script,
    arms,
    assigned,
    commands_in,
    condition_of,
    line_of,
    parse,
    referenced,
    statements,
    text_of,
    walk,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant, lit, word_text
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.dialect import interpreter_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.lines import Part, joined, simple_command
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.scripts import (
    LONGEST_INLINE,
    SILENCED,
    code_test,
    codes_test,
    down_statement,
    ends_script,
    is_exit,
    names_in,
    names_own_file,
    only_assigns,
    only_messages,
    redirects_text,
    shebang_of,
    shell_command,
    shell_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.sv import SIGNALS, own_sv, without_options

if t.TYPE_CHECKING:
    from tree_sitter import Node

    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import File


_AFTER_EVERY_EXIT = "runs after every exit: ExecStopPost="
# finish gets the exit code or -1, and the low byte of the wait status; ExecStopPost= gets them as words.
_FINISH_CODE = 'case $EXIT_CODE in exited) set -- "$EXIT_STATUS" 0;; "") set -- 111 0;; '
_FINISH_SIGNALS = (
    "HUP) s=1;; INT) s=2;; QUIT) s=3;; ILL) s=4;; TRAP) s=5;; ABRT) s=6;; BUS) s=7;; FPE) s=8;; KILL) s=9;; USR1) s=10;; "
    "SEGV) s=11;; USR2) s=12;; PIPE) s=13;; ALRM) s=14;; TERM) s=15;; SYS) s=31;; *) s=0;;"
)


def _only_defaults(node: Node) -> bool:
    """`: ${X:=default}`."""
    return node.type == "command" and text_of(node.children[0]) == ":" and bool(assigned(node))


def _reads_variables(node: Node) -> bool:
    """Whether a statement may use variables that its text does not name."""
    return node.type == "command" and text_of(node.children[0]) in ("eval", ".", "source")


def _writes(node: Node) -> bool:
    """Whether `exec >file` sends all output somewhere from here on."""
    return (
        node.type == "redirected_statement"
        and text_of(node.children[0]).strip() == "exec"
        and not re.fullmatch(SILENCED, redirects_text(node))
    )


def finish(draft: Draft) -> None:
    """Give the service what the finish script says."""
    text = draft.definition.text("finish")
    if text is None:
        linked: File = draft.definition.files.get("finish", {"path": "finish"})
        if linked.get("type") == "link" and not str(linked.get("target") or "/").startswith("/"):
            draft.note("runit.not-run", "finish", "finish", 0, f"a link to {linked.get('target')}, which is not there; left out")
        elif "finish" in draft.definition.files:
            _as_it_is(draft, "finish is no script")
        return
    if not draft.definition.executable("finish"):
        draft.note("runit.not-run", "finish", "finish", 0, "not executable, so runsv does not run it; left out")
        return
    shell = shell_of(shebang_of(text))
    if shell is None:
        _as_it_is(draft, "finish is not a shell script")
        return
    script = parse(text, "finish")
    if script.errors:
        _as_it_is(draft, "finish does not parse as shell")
        return
    left: list[tuple[Node, bool]] = []
    # Those that end the script for some exit codes, and do nothing else.
    endings: list[Node] = []
    found = statements(script.root)
    # Its output goes to a file, so that what it says is no mere message.
    writes = False
    for index, (node, background) in enumerate(found):
        # Where it ends the script for some exit codes, what follows is for the others.
        ends = "exit" in commands_in(node) and not all(only_messages(one) or is_exit(one) for one, _b in found[index + 1 :])
        if (ends and node.type == "case_statement") or not _statement(draft, node, background, writes):
            left.append((node, background))
        elif ends:
            ending = _exit_alone(node)
            endings += [one for one, _b in ending]
            left += ending
        writes = writes or (not background and _writes(node))
        if ends_script(node) and not background and index + 1 < len(found):
            draft.note(
                "shell.unreachable",
                "unreachable",
                "finish",
                line_of(found[index + 1][0]),
                "what follows is never reached; left out",
            )
            break
    left = [
        pair
        for index, pair in enumerate(left)
        if not (only_assigns(pair[0]) or _only_defaults(pair[0]))
        or assigned(pair[0]) & set().union(*(referenced(other) for other, _b in left[index + 1 :]))
        or any(_reads_variables(other) for other, _b in left)
        or "PATH" in assigned(pair[0])
    ]
    while left and any(left[-1][0] is one for one in endings):
        left.pop()
    if left:
        _commands(draft, left, script, shell)


def _exit_alone(node: Node) -> list[tuple[Node, bool]]:
    """Of a condition that takes the service down and ends the script, the end: what follows is not for its exit codes."""
    if node.type == "if_statement" and len(condition_of(node)) == 1:
        text = f"if {text_of(condition_of(node)[0])}; then exit 0; fi"
    elif node.type == "list" and len(node.children) == 3:
        text = f"{text_of(node.children[0])} {text_of(node.children[1])} exit 0"
    else:
        return []
    # On the line that it has in the script, as findings name that.
    return statements(parse("\n" * (line_of(node) - 1) + text, "finish").root)


def _as_it_is(draft: Draft, why: str) -> None:
    path = f"{draft.definition.path}/finish"
    setup = f"{_FINISH_CODE}*) case $EXIT_STATUS in {_FINISH_SIGNALS} esac; set -- -1 $s;; esac"
    text = f'{setup}; cd {word_text(lit(draft.definition.path))}; exec {word_text(lit(path))} "$@"'
    draft.service.stop_post.append(Command(line=text, ignore=True, root=draft.service.user is not None))
    draft.note("runit.keep-script", "finish", "finish", 1, f"{why}; the unit goes on running {path} after each exit: keep it")


def _statement(draft: Draft, node: Node, background: bool, writes: bool) -> bool:
    """What has a directive; True where nothing is left of the statement."""
    service = draft.service
    line = line_of(node)
    inner = node.children[0] if node.type == "redirected_statement" else node
    if background:
        return False
    if node.type == "redirected_statement" and text_of(inner).strip() == "exec":
        return not _writes(node)
    if inner.type == "command":
        answer = _command(draft, node, inner, line, writes)
        if answer is not None:
            return answer
    codes = codes_test(node, draft.definition)
    if codes:
        service.prevent_restart += codes
        draft.note(
            "runit.stays-down",
            "sv down",
            "finish",
            line,
            f"not started again after exit codes {', '.join(codes)}: RestartPreventExitStatus=",
        )
        return True
    found = code_test(node, draft.definition)
    if found is not None:
        how, code = found
        if how == "is":
            service.prevent_restart.append(code)
            draft.note(
                "runit.stays-down",
                "sv down",
                "finish",
                line,
                f"not started again after exit code {code}: RestartPreventExitStatus=",
            )
        elif code == "0":
            service.restart = "on-success"
            draft.note(
                "runit.stays-down",
                "sv down",
                "finish",
                line,
                "not started again after an exit code that is not 0: Restart=on-success",
            )
        else:
            return False
        return True
    if inner.type in ("if_statement", "list") and only_messages(inner):
        draft.note("shell.message", "message", "finish", line, "only prints a message; systemd logs how the service ended")
        return True
    if inner.type == "case_statement":
        return _case(draft, inner, line)
    return False


def _command(draft: Draft, node: Node, inner: Node, line: int, writes: bool) -> bool | None:
    """The same for a plain command, `inner` in its redirections; None where it is none that is known here."""
    service = draft.service
    messages: t.Collection[str] = () if writes else lists.MESSAGES
    words = [word.strip("\"'") for word in text_of(inner).split()]
    while words and words[0] == "exec":
        words = words[1:]
    if not words:
        return True
    name = words[0].rsplit("/", 1)[-1]
    if name == ":" and (assigned(inner) or any(one.type == "command_substitution" for one in walk(inner))):
        # `: ${X:=default}` is an assignment.
        return False
    if name == "set" and not all(re.fullmatch(r"[-+][euxo]+|pipefail|errexit|nounset", word) for word in words[1:]):
        return False
    if node.type == "redirected_statement" and name in (":", "true", "set"):
        return re.fullmatch(SILENCED, redirects_text(node)) is not None
    if name in (":", "true", "set"):
        return True
    if name in ("exit", "return"):
        return True
    if name == "utmpset":
        line_of_terminal = _word(draft, node, words[-1])
        if "UtmpIdentifier" not in service.settings and line_of_terminal:
            service.set("UtmpIdentifier", line_of_terminal.rsplit("/", 1)[-1])
        return True
    if name == "finish-exec":
        service.prevent_restart += ["161", "162", "170"]
        draft.note(
            "runit.stays-down",
            "finish-exec",
            "finish",
            line,
            "exit codes 161, 162 and 170 take the service down: RestartPreventExitStatus=",
        )
        return True
    if name == "finish-default":
        draft.note("shell.message", "finish-default", "finish", line, "only reports how the service ended, as systemd does")
        return True
    if name in messages and (node.type == "command" or re.fullmatch(r"\s*(>&2|1>&2|2>&1)\s*", redirects_text(node))):
        draft.note("shell.message", "message", "finish", line, "the message is not printed; systemd logs how the service ended")
        return True
    if name == "sleep" and len(words) == 2 and re.fullmatch(r"[0-9.]+[smhd]?", words[1]):
        service.restart_sec = words[1]
        return True
    if name == "sv" and own_sv(words, draft.definition, for_good=True):
        service.restart = None
        service.restart_sec = None
        draft.note("runit.stays-down", "sv down", "finish", line, "the service is not started again when it has ended: Restart=no")
        return True
    if name == "sv":
        return _sv(draft, words, line)
    return None


def _word(draft: Draft, node: Node, last: str) -> str | None:
    """The last word of a command of finish, where it is constant."""
    if "$" not in last and "`" not in last:
        return last if not last.startswith("-") else None
    script = parse(draft.definition.text("finish") or "", "finish")
    scope = interpreter_of(draft.definition, script)
    try:
        for one, _background in statements(script.root):
            if one.start_byte >= node.start_byte:
                break
            if one.type in ("variable_assignment", "variable_assignments"):
                scope.dispatch(one, False)
        return constant(scope.evaluator.words([parse(last, "finish").root.children[0]])[-1]) or None
    except (NeedShell, Wrap, IndexError):
        return None


def _sv(draft: Draft, words: list[str], line: int) -> bool:
    arguments = without_options(words[1:])
    verbs = {
        "down": ["stop"],
        "d": ["stop"],
        "stop": ["stop"],
        "force-stop": ["stop"],
        "shutdown": ["stop"],
        "force-shutdown": ["stop"],
        "exit": ["stop"],
        "x": ["stop"],
        "up": ["start"],
        "u": ["start"],
        "start": ["start"],
        "once": ["start"],
        "o": ["start"],
        "restart": ["restart"],
        "force-restart": ["restart"],
        "try-restart": ["try-restart"],
        # Units made of services have no ExecReload= by which these could be asked.
        **{verb: ["kill", "-s", signal, "--kill-who=main"] for verb, signal in SIGNALS.items()},
    }
    if len(arguments) < 2 or arguments[0] not in verbs or any("$" in word for word in arguments):
        draft.note(
            "runit.sv-left-out",
            "sv",
            "finish",
            line,
            f"'{' '.join(words)}' has no supervisor to ask under systemd and was left out",
        )
        return True
    for name in arguments[1:]:
        if arguments[0] in SIGNALS and own_sv(["sv", "down", name], draft.definition):
            draft.note("runit.sv-needless", "sv", "finish", line, f"'{' '.join(words)}' is for a process that has ended; left out")
            continue
        unit = unit_of(name.rstrip("/").rsplit("/", 1)[-1])
        draft.service.stop_post.append(
            Command.of(
                "/bin/systemctl",
                *(() if verbs[arguments[0]][0] == "kill" else ("--no-block",)),
                *verbs[arguments[0]],
                unit,
                ignore=True,
                root=draft.service.user is not None,
            )
        )
        draft.note(
            "runit.sv-told" if verbs[arguments[0]][0] == "kill" else "runit.sv-finish",
            "sv",
            "finish",
            line,
            f"sends SIG{verbs[arguments[0]][2]} to {unit} by systemctl, as sv did by runsv"
            if verbs[arguments[0]][0] == "kill"
            else f"asks systemd to {verbs[arguments[0]][0]} {unit}; a dependency such as PartOf= may say it better",
        )
    return True


def _case(draft: Draft, node: Node, line: int) -> bool:
    value = next(child for child in node.children[1:] if child.is_named)
    if text_of(value).strip('"') not in ("$1", "${1}"):
        return False
    codes: list[str] = []
    for arm in arms(node):
        downs = [one for one in arm.body if down_statement(one, draft.definition)]
        if arm.falls or not all(one in downs or only_messages(one) or is_exit(one) for one in arm.body):
            return False
        if downs:
            if not all(pattern.isdigit() for pattern in arm.patterns):
                return False
            codes += arm.patterns
    draft.service.prevent_restart += codes
    if codes:
        told = f"not started again after exit codes {', '.join(codes)}: RestartPreventExitStatus="
        draft.note("runit.stays-down", "case", "finish", line, told)
    else:
        draft.note("shell.message", "case", "finish", line, "only prints messages; left out")
    return True


def _commands(draft: Draft, left: list[tuple[Node, bool]], script: Script, shell: str) -> None:
    service = draft.service
    root = service.user is not None
    names = set()
    for node, _background in left:
        names |= {name.rsplit("/", 1)[-1] for name in commands_in(node)}
    if "sv" in names:
        line = next(line_of(node) for node, _b in left if "sv" in names_in(text_of(node)))
        draft.note(
            "runit.finish-sv",
            "finish",
            "finish",
            line,
            "it calls sv within a condition; under systemd sv has no supervisor to ask. "
            "The command fails and is ignored; say with Restart= or ExecStopPost= what should happen",
        )
    scope = interpreter_of(draft.definition, script)
    simple: list[Command] = []
    text = draft.definition.text("finish") or ""
    errexit = re.search(r"(?m)^\s*set -[a-z]*e", text) is not None or any(
        "e" in word for word in shebang_of(text)[1:] if re.match(r"-[a-zA-Z]+\Z", word)
    )
    for node, background in left:
        if errexit and len(left) > 1:
            # One that fails ends the others.
            break
        one = simple_command(node, background, scope)
        if one is None:
            break
        simple.append(one)
    else:
        for command in simple:
            command.root = root
        service.stop_post += simple
        draft.note("runit.finish", "finish", "finish", line_of(left[0][0]), _AFTER_EVERY_EXIT)
        return
    scope.shell.open_shell = True
    parts: list[Part] = []
    used: set[str] = set()
    try:
        for node, background in left:
            printer = Printer(scope, node)
            parts.append(Part(printer.prefix() + printer.line(node), background))
            used |= referenced(node)
    except CannotPrint:
        _as_it_is(draft, "finish cannot be put on one line")
        return
    body = joined(parts)
    if errexit:
        body = "set -e; " + body
    if is_relative(body) or "supervise" in body or names_own_file(draft.definition, [body]):
        body = f"cd {word_text(lit(draft.definition.path))}; {body}"
    if len(body) > LONGEST_INLINE * 2:
        _as_it_is(draft, "finish is too long for a unit")
        return
    told = _AFTER_EVERY_EXIT
    if used & {"1", "2", "@", "*"}:
        second = bool(used & {"2", "@", "*"})
        if second:
            setup = f"{_FINISH_CODE}*) case $EXIT_STATUS in {_FINISH_SIGNALS} esac; [ $EXIT_CODE != dumped ] || s=$((s+128)); set -- -1 $s;; esac; "
        else:
            setup = f"{_FINISH_CODE}*) set -- -1;; esac; "
        if service.type == "oneshot" and service.remain_after_exit:
            # What only waited was ended by SIGTERM; of a start that failed, finish got the exit code of the script.
            setup = f'if [ "$SERVICE_RESULT" = success ]; then set -- -1 15; else {setup}fi; '
        body = setup + body
        told += ", $1 and $2 made of $EXIT_CODE and $EXIT_STATUS"
    draft.note("runit.finish", "finish", "finish", line_of(left[0][0]), told)
    service.stop_post.append(shell_command(body, shell, True, root))
