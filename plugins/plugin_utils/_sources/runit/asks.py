# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What still asks or tells runsv and runsvdir, which are not there any more."""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import SHELLS
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import line_of, parse, text_of, walk
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.needs import commands_of, named_files
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.scripts import shebang_of, shell_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.sv import (
    DOWN,
    RESTARTS,
    SIGNALS,
    UP,
    without_options,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node

# Programs that ask runsv, supervise or runsvdir, besides sv.
_ASKERS = re.compile(
    r"\b(?:runsvchdir|svok|svstat|svwaitup|svwaitdown|runsvctrl|runsvstat|s6-svok|s6-svstat|s6-svwait|s6-svc|svc|update-service)\b"
)
_VERBS = UP | DOWN | RESTARTS | frozenset(SIGNALS)
# Programs that run their arguments: the letters of the options that take a value, and how many words come before the command.
_RUNNERS = {
    **dict.fromkeys("exec command builtin time nohup setsid pgrphack busybox linux32 linux64 catchsegv".split(), ("a", 0)),
    **dict.fromkeys("fghack chronic run-one unbuffer parallel tini dumb-init".split(), ("", 0)),
    **dict.fromkeys("setuidgid envuidgid envdir setuser gosu su-exec setarch".split(), ("", 1)),
    "env": ("uSC", 0),
    "chpst": ("uUe/bmdopfctlLnrC", 0),
    "softlimit": ("adfmlcnoprst", 0),
    "setlock": ("", 1),
    "flock": ("wE", 1),
    "timeout": ("ks", 1),
    "nice": ("n", 0),
    "ionice": ("cnpPu", 0),
    "chrt": ("pTPD", 1),
    "taskset": ("", 1),
    "stdbuf": ("ioe", 0),
    "chroot": ("", 1),
    "sudo": ("ugpCTRDrt", 0),
    "doas": ("uC", 0),
    "runuser": ("ugGsw", 0),
    "setpriv": ("", 0),
    "prlimit": ("p", 0),
    "unshare": ("", 0),
    "nsenter": ("tSG", 0),
    "aa-exec": ("pn", 0),
    "strace": ("eosaEPpu", 0),
    "watch": ("n", 0),
    "xargs": ("adEILnPs", 0),
    # ip netns exec NAME
    "ip": ("", 3),
}
# Beside the shells, what runs the text behind its option -c.
_RUN_TEXT = SHELLS | {"su", "runuser", "flock"}
# Text in text in text.
_DEEPEST = 4
# These are told of in the words of their scripts.
_TOLD = frozenset(("runit.finish-sv", "runit.control-sv"))
_REMEDY = "talks to the supervisor, which is not there under systemd: say with a dependency or with systemctl what it is for"


def asks(draft: Draft) -> None:
    """Say what talks to the supervisor."""
    by_name(draft)
    sv_left(draft)


def by_name(draft: Draft) -> None:
    """Programs of the scripts that are there to ask or tell it."""
    for path in [*_scripts(draft), *_helpers(draft, commands_of(draft))]:
        text = draft.definition.text(path) or ""
        if not _ASKERS.search(text) or not draft.definition.is_text(path):
            continue
        for node in walk(parse(text, path).root):
            name = text_of(node).rsplit("/", 1)[-1] if node.type == "command_name" else ""
            if _ASKERS.fullmatch(name):
                draft.note("runit.asks", name, path, line_of(node), f"{name} {_REMEDY}")


def sv_left(draft: Draft) -> None:
    """Calls of sv that the unit goes on making, also in text for `trap`, `eval` or a shell, by another program, or in scripts of its own."""
    found: list[tuple[str, str]] = []
    told = any(one.key in _TOLD for one in draft.findings)
    for command in draft.service.commands():
        if command.line is not None:
            calls = _in_text(command.line, told)
        else:
            calls = _in_words([constant(word) or "".join(piece.text for piece in word) for word in command.argv], told, 0)
        found += [(call, "") for call in calls]
    texts = commands_of(draft)
    scripts = _scripts(draft)
    for path in named_files(draft, texts):
        if path in scripts:
            found += [(call, path) for call in _in_text(draft.definition.text(path) or "", told)]
    for path in _helpers(draft, texts):
        found += [(call, path) for call in _in_text(draft.definition.text(path) or "", False)]
    said: set[str] = set()
    for call, path in found:
        if call in said and path in ("", *scripts):
            continue
        said.add(call)
        where, line = _place(draft, call, [path] if path else scripts)
        draft.note("runit.asks", "sv", where, line, f"'{call}', which the unit still runs, {_REMEDY}")


def _scripts(draft: Draft) -> list[str]:
    return ["run", "finish", "check", *sorted(one for one in draft.definition.files if one.startswith("control/"))]


def _helpers(draft: Draft, texts: list[str]) -> list[str]:
    """The other scripts of the service directory that the unit runs, also through each other.

    :param texts: the commands of the unit.
    """
    known = _scripts(draft)
    named = named_files(draft, texts)
    texts = [*texts, *(draft.definition.text(path) or "" for path in named)]
    found = []
    for path in named:
        text = draft.definition.text(path) or ""
        # What a program is told the name of may be anything.
        begins = text.startswith("#!") and shell_of(shebang_of(text)) is not None
        if path not in known and (begins or any(f"/{path}" in one and re.search(_READS + rf"[^\s;&|]*/{re.escape(path)}(?![\w./-])", one) for one in texts)):
            found.append(path)
    return found


# A shell reads the file behind it.
_READS = r"(?:^|[\s;&|/])(?:\.|source|(?:ba|da|k|z)?sh)\s+"


def _in_text(text: str, told: bool, depth: int = 0) -> t.Iterator[str]:
    """The calls of sv in a text of shell. `told`: those that are not hidden in another command have been told of."""
    if depth > _DEEPEST or not re.search(r"\bsv\s", text):
        return
    for node in walk(parse(text, "run").root):
        if node.type == "command":
            yield from _in_words(_words(node), told, depth)
        if node.type in ("command", "redirected_statement", "pipeline"):
            for inner in _fed(node):
                yield from _in_text(inner, False, depth + 1)


def _words(node: Node) -> list[str]:
    """The words of a command, without quotes; none where they are not to be told apart."""
    try:
        return shlex.split(text_of(node))
    except ValueError:
        return []


def _fed(node: Node) -> t.Iterator[str]:
    """Text that a shell gets as its input: from a here-document, or from a message."""
    command = {"redirected_statement": node.children[0], "pipeline": node.children[-1]}.get(node.type, node)
    words = _words(command) if command.type == "command" else []
    shell = next((at for at, word in enumerate(words) if word.rsplit("/", 1)[-1] in SHELLS | {"su"}), None)
    if shell is None or words[0] == "ssh" or "-c" in words:
        return
    if node.type == "pipeline":
        for word in _words(node.children[0])[1:] if text_of(node.children[0]).startswith(("echo ", "printf ")) else ():
            yield word.replace("\\n", "\n")
        return
    for one in walk(node):
        if one.type == "heredoc_body":
            yield text_of(one)
        elif one.type == "herestring_redirect":
            yield " ".join(_words(one)).lstrip("< ")


def _in_words(words: list[str], told: bool, depth: int) -> t.Iterator[str]:
    """The calls of sv in the words of one command, and in what it runs."""
    by: set[str] = set()
    rest = words
    while rest:
        name = rest[0].rsplit("/", 1)[-1].removeprefix("s6-")
        if "=" in rest[0]:
            rest = rest[1:]
        elif name == "sv":
            arguments = without_options(rest[1:])
            if arguments and arguments[0] in _VERBS and (len(arguments) > 1 or by & {"xargs", "find"}) and (by or depth or not told):
                yield " ".join(rest)
            return
        elif name in ("eval", "trap"):
            yield from _in_text(" ".join(rest[1:]) if name == "eval" else "".join(rest[1:2]), False, depth + 1)
            return
        else:
            if name in _RUN_TEXT:
                at = next((at for at, word in enumerate(rest[1:-1], 1) if re.fullmatch(r"-[a-z]*c|--command", word)), None)
                if at is not None:
                    yield from _in_text(rest[at + 1], False, depth + 1)
                    return
            by.add(name)
            if name == "find":
                at = next((at for at, word in enumerate(rest) if re.fullmatch(r"-(?:exec|ok)(?:dir)?", word)), len(rest))
                rest = rest[at + 1 :]
            elif name in _RUNNERS:
                rest = _behind(rest[1:], *_RUNNERS[name])
            else:
                return


def _behind(words: list[str], valued: str, before: int) -> list[str]:
    """The command behind the options of what runs it."""
    rest = words
    while rest and (rest[0].startswith("-") or "=" in rest[0]):
        option = rest[0]
        if option == "--":
            rest = rest[1:]
            break
        # The first letter that takes a value has the rest of the word, or else the next one.
        short = option[0] == "-" and len(option) > 1 and option[1] != "-" and option[-1] in valued and not any(one in valued for one in option[1:-1])
        # Of a long one nothing says whether its value follows; no value begins as these do.
        long = option.startswith("--") and "=" not in option and len(rest) > 1 and rest[1].rsplit("/", 1)[-1] not in {"sv", *SHELLS, *_RUNNERS}
        rest = rest[2:] if short or (long and len(rest) > 2) else rest[1:]
    return rest[before:]


def _place(draft: Draft, call: str, paths: list[str]) -> tuple[str, int]:
    """The script and the line that a call is from, of these scripts."""
    words = call.split()
    # Some of its words may be values of variables.
    for wanted in (words[:3], ["sv", *without_options(words[1:])[:1]], words[-2:], words[-1:]):
        for path in paths:
            for number, line in enumerate((draft.definition.text(path) or "").split("\n"), 1):
                if not line.lstrip().startswith("#") and all(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", line) for word in wanted):
                    return path, number
    return paths[0], 0
