# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builtins of the shell, and the commands that make directories and files.

Each gets the interpreter and the call, and returns whether the script has ended. What it cannot say raises `NeedShell`.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.call import Call
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.command import add_step
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.guard import Exit, guard
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.handlers.source import source
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell, Wrap
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import (
    absolute,
    change_directory,
    mark_umask,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.files import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.redirections import is_silent
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import export, fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.limits import soft_limit
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import NAME, referenced, text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


_LIMITS = {
    "c": "CORE", "d": "DATA", "e": "NICE", "f": "FSIZE", "i": "SIGPENDING", "l": "MEMLOCK", "m": "RSS", "n": "NOFILE", "q": "MSGQUEUE",
    "r": "RTPRIO", "s": "STACK", "t": "CPU", "u": "NPROC", "p": "NPROC", "v": "AS", "x": "LOCKS",
}  # fmt: skip


_KILO = frozenset("cdflmsv")


def cd(it: Interpreter, call: Call) -> bool:
    targets = [word for word in call.words[1:] if constant(word) not in ("-P", "-L", "--")]
    text = fixed(it, targets[0]) if len(targets) == 1 else None
    if text is None or text == "-":
        raise NeedShell("a directory that is known only when the service starts")
    change_directory(it, text, call.checked or it.shell.errexit)
    if it.scope.cwd == it.directory:
        it.service.working_directory = None
    return False


def umask(it: Interpreter, call: Call) -> bool:
    text = fixed(it, call.words[1]) if len(call.words) == 2 else None
    if text is None or not re.match(r"[0-7]{1,4}\Z", text):
        raise NeedShell("a umask in symbols")
    if it.outcome.must_follow():
        # The directive would hold for what is in front of it in the same shell.
        raise NeedShell("it comes after what only a shell can do")
    mark_umask(it)
    it.shell.umask = int(text, 8)
    it.service.set("UMask", text.zfill(4))
    return False


def ulimit(it: Interpreter, call: Call) -> bool:
    if len(call.words) > 1 and all(re.match(r"-[SH]*a[SH]*\Z", constant(word) or "") for word in call.words[1:]):
        it.note_once("shell.message", "message", "messages of the script are not printed; systemd logs starts itself")
        return False
    texts = [constant(word) or "" for word in call.words]
    pairs = [[call.words[0], call.words[index], call.words[index + 1]] for index in range(1, len(call.words) - 1, 2)]
    if (
        len(call.words) > 3
        and len(call.words) % 2
        and all(re.match(r"-[a-zA-GI-RT-Z]\Z", text) for text in texts[1::2])
    ):
        # `ulimit -n 1024 -l unlimited`: each limit by itself.
        for pair in pairs:
            ulimit(it, call._replace(words=pair))
        return False
    soft = hard = False
    resource = "f"
    for word in call.words[1:-1]:
        text = constant(word) or "?"
        if not text.startswith("-"):
            raise NeedShell("ulimit")
        for letter in text[1:]:
            if letter == "S":
                soft = True
            elif letter == "H":
                hard = True
            elif letter in _LIMITS:
                resource = letter
            else:
                raise NeedShell(f"ulimit -{letter}")
    value = fixed(it, call.words[-1]) if len(call.words) > 1 else None
    if value is None or not re.match(r"(\d+|unlimited)\Z", value):
        raise NeedShell("ulimit")
    name = _LIMITS[resource]
    if value == "unlimited":
        text = "infinity"
    else:
        number = int(value)
        # dash and bash count in blocks of 512 bytes or 1024; the man pages say 1024 for all but -c and -f in POSIX mode.
        if resource in _KILO:
            number *= 512 if resource in "cf" and not it.shell.bash else 1024
        text = str(number)
    if soft and not hard:
        text = soft_limit(name, int(text)) if text != "infinity" else text
    elif hard and not soft:
        raise NeedShell("ulimit -H alone")
    it.outcome.limit(name, text)
    return False


def set_(it: Interpreter, call: Call) -> bool:
    texts = [constant(word) for word in call.words[1:]]
    if not texts:
        return False
    if texts[0] == "--":
        if any(piece.kind == "shell" for word in call.words[2:] for piece in word):
            raise NeedShell("set -- with what only a shell expands")
        if _counts_parameters(it) and any(
            piece.kind == "var" and piece.split for word in call.words[2:] for piece in word
        ):
            raise NeedShell("set -- with a setting, which may be none or several of them")
        for name in [one for one in it.scope.vars if one.isdigit()]:
            del it.scope.vars[name]
        joined: Word = []
        for index, word in enumerate(call.words[2:], 1):
            it.scope.vars[str(index)] = [piece._replace(split=False) for piece in word]
            if index > 1:
                joined.append(Piece("lit", " ", True))
            joined += word
        for piece in joined:
            if piece.kind == "lit" and not piece.split and re.search(r"\s", piece.text):
                raise NeedShell("set -- with blanks")
        it.scope.vars["@"] = it.scope.vars["*"] = joined
        it.scope.vars["#"] = lit(str(len(call.words) - 2))
        return False
    index = 0
    while index < len(texts):
        text = texts[index]
        if text in ("-o", "+o"):
            option = texts[index + 1] if index + 1 < len(texts) else ""
            if option == "errexit":
                it.shell.errexit = text == "-o"
            elif option == "nounset":
                it.shell.nounset = text == "-o"
            elif option == "allexport":
                it.scope.allexport = text == "-o"
            elif option == "noglob":
                raise NeedShell("set -f")
            index += 2
            continue
        if text is None or text[:1] not in "-+" or len(text) < 2:
            raise NeedShell("set")
        on = text[0] == "-"
        for letter in text[1:]:
            if letter == "e":
                it.shell.errexit = on
            elif letter == "u":
                it.shell.nounset = on
            elif letter == "a":
                it.scope.allexport = on
            elif letter == "o" and text[-1] == "o":
                if index + 1 < len(texts) and texts[index + 1] == "errexit":
                    it.shell.errexit = on
                index += 1
            elif letter == "x":
                it.note_once("shell.message", "set -x", "commands are no longer traced")
            elif letter == "f" and on:
                raise NeedShell("set -f")
        index += 1
    return False


def _counts_parameters(it: Interpreter) -> bool:
    """Whether the script asks how many parameters there are, or which is which."""
    used = referenced(it.text.script.root)
    return "#" in used or any(name.isdigit() and name != "0" for name in used)


def source_(it: Interpreter, call: Call) -> bool:
    if len(call.words) != 2 or call.last:
        raise NeedShell("a sourced file with arguments")
    # Where the file is missing sh ends the script, bash goes on.
    source(it, call.words[1], it.shell.bash and not (call.checked or it.shell.errexit), call.node)
    return False


def message(it: Interpreter, call: Call) -> bool:
    """What only prints."""
    if not is_silent(call.redirects):
        raise NeedShell("it writes to a file")
    if constant(call.words[0]) == ":":
        if any(piece.kind == "shell" for word in call.words for piece in word):
            raise NeedShell("an expansion")
        return False
    if [constant(word) for word in call.words[:2]] == ["printf", "-v"]:
        raise NeedShell("it sets a variable")
    if it.outcome.stdout.startswith("truncate:") and not call.redirects:
        raise Wrap("script.output", "message", "it is written to the file that standard output goes to", it.line)
    if it.shell_opens and it.outcome.prefix_execs:
        raise NeedShell("it is written to the file that output goes to")
    it.note_once("shell.message", "message", "messages of the script are not printed; systemd logs starts itself")
    return False


def nothing(it: Interpreter, call: Call) -> bool:
    """What does nothing that lasts."""
    return False


def exit_(it: Interpreter, call: Call) -> bool:
    """The end of the script."""
    it.outcome.ended = True
    if it.outcome.prefix and it.outcome.main is None:
        it.outcome.inline = text_of(call.node)
        it.outcome.inline_exec = it.outcome.prefix_execs
    return True


def export_(it: Interpreter, call: Call) -> bool:
    # The parser takes it for a command behind a line of several assignments.
    names = [constant(word) or "" for word in call.words[1:]]
    if not all(NAME.match(name) for name in names):
        raise NeedShell("export of a computed name")
    for name in names:
        export(it, name)
    return False


def only_shell(it: Interpreter, call: Call) -> bool:
    """What changes the shell in ways that only a shell has."""
    raise NeedShell(f"{constant(call.words[0])}")


def test(it: Interpreter, call: Call) -> bool:
    """`test` and `[`, as a command with redirections."""
    if (it.shell.errexit or call.checked) and not call.last:
        guard(it, call.node, False, Exit("1", False, False))
    return False


def mkdir(it: Interpreter, call: Call) -> bool:
    return _files(it, call, "make")


def chown(it: Interpreter, call: Call) -> bool:
    return _files(it, call, "own")


def chmod(it: Interpreter, call: Call) -> bool:
    return _files(it, call, "mode")


def _files(it: Interpreter, call: Call, kind: str) -> bool:
    if call.last:
        raise NeedShell("a script that ends with it")
    if it.outcome.must_follow():
        raise NeedShell("it comes after what only a shell can do")
    name = (constant(call.words[0]) or "").rsplit("/", 1)[-1]
    texts = [constant(word) for word in call.words[1:]]
    ignore = not (call.checked or it.shell.errexit)
    if None in texts or not is_silent(call.redirects):
        add_step(it, call.words, call.redirects, call.checked)
        return False
    found = Step.files(
        name, [str(text) for text in texts], functools.partial(absolute, it), it.shell.umask, ignore, it.line
    )
    if found is None:
        add_step(it, call.words, call.redirects, call.checked)
    else:
        it.outcome.steps += found
    return False


def control(it: Interpreter, call: Call) -> bool:
    """What asks or tells the supervisor."""
    name = (constant(call.words[0]) or "").rsplit("/", 1)[-1]
    texts = [fixed(it, word) for word in call.words[1:]]
    if None in texts:
        raise NeedShell(f"{name} with a name that is known only when the service starts")
    if not is_silent(call.redirects):
        raise NeedShell(f"the answer of {name}")
    it.dialect.control(it, name, [str(text) for text in texts], call.checked or it.shell.errexit)
    if call.last:
        it.outcome.ended = True
    return call.last


BUILTINS: dict[str, t.Callable[[Interpreter, Call], bool]] = {
    "cd": cd,
    "umask": umask,
    "ulimit": ulimit,
    "set": set_,
    ".": source_,
    "source": source_,
    ":": message,
    "echo": message,
    "printf": message,
    "true": nothing,
    "hash": nothing,
    "exit": exit_,
    "return": exit_,
    "export": export_,
    **dict.fromkeys("eval trap read wait shift alias shopt pushd getopts let".split(), only_shell),
    "test": test,
    "[": test,
    "mkdir": mkdir,
    "install": mkdir,
    "chown": chown,
    "chgrp": chown,
    "chmod": chmod,
}
