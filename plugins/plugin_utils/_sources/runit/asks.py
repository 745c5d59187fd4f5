# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What still asks or tells runsv and runsvdir, which are not there any more."""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import line_of, parse, text_of, walk
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.sv import (
    DOWN,
    RESTARTS,
    SIGNALS,
    UP,
    without_options,
)

# Programs that ask runsv, supervise or runsvdir, besides sv.
_ASKERS = re.compile(
    r"\b(?:runsvchdir|svok|svstat|svwaitup|svwaitdown|runsvctrl|runsvstat|s6-svok|s6-svstat|s6-svwait|s6-svc|svc|update-service)\b"
)
_VERBS = UP | DOWN | RESTARTS | frozenset(SIGNALS)
# Their arguments are text that nobody runs here.
_ONLY_TEXT = lists.MESSAGES | frozenset("grep egrep fgrep sed awk test [ [[ ssh".split())
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
    for path in _scripts(draft):
        text = draft.definition.text(path) or ""
        if not _ASKERS.search(text) or not draft.definition.is_text(path):
            continue
        for node in walk(parse(text, path).root):
            name = text_of(node).rsplit("/", 1)[-1] if node.type == "command_name" else ""
            if _ASKERS.fullmatch(name):
                draft.note("runit.asks", name, path, line_of(node), f"{name} {_REMEDY}")


def sv_left(draft: Draft) -> None:
    """Calls of sv that the unit goes on making, also in text for `trap`, `eval` or `sh -c`, or by another program."""
    found: list[str] = []
    told = any(one.key in _TOLD for one in draft.findings)
    commands = draft.service.commands()
    for command in commands:
        if command.line is not None:
            found += _in_text(command.line, told)
        else:
            words = [constant(word) or "".join(piece.text for piece in word) for word in command.argv]
            found += _in_words(words, told, 0)
    texts = [command.line or " ".join(constant(word) or "" for word in command.argv) for command in commands]
    for path in _scripts(draft):
        if draft.definition.is_text(path) and any(f"{draft.definition.path}/{path}" in text for text in texts):
            found += _in_text(draft.definition.text(path) or "", told)
    for call in dict.fromkeys(found):
        path, line = _place(draft, call)
        draft.note("runit.asks", "sv", path, line, f"'{call}', which the unit still runs, {_REMEDY}")


def _scripts(draft: Draft) -> list[str]:
    return ["run", "finish", "check", *sorted(one for one in draft.definition.files if one.startswith("control/"))]


def _in_text(text: str, told: bool, depth: int = 0) -> t.Iterator[str]:
    """The calls of sv in a text of shell. `told`: those that are not hidden in another command have been told of."""
    if depth > _DEEPEST or not re.search(r"\bsv\s", text):
        return
    for node in walk(parse(text, "run").root):
        if node.type == "command":
            try:
                words = shlex.split(text_of(node))
            except ValueError:
                continue
            yield from _in_words(words, told, depth)


def _in_words(words: list[str], told: bool, depth: int) -> t.Iterator[str]:
    """The calls of sv in the words of one command."""
    if not words or words[0].rsplit("/", 1)[-1] in _ONLY_TEXT:
        return
    for index, word in enumerate(words):
        name = word.rsplit("/", 1)[-1]
        if name == "ssh":
            # That is another host's.
            return
        rest = without_options(words[index + 1 :]) if name == "sv" else []
        if rest and rest[0] in _VERBS and (len(rest) > 1 or {"xargs", "find"} & {one.rsplit("/", 1)[-1] for one in words[:index]}):
            if index or depth or not told:
                yield " ".join(words[index:])
            return
        if index and re.search(r"\bsv\s", word):
            yield from _in_text(word, False, depth + 1)


def _place(draft: Draft, call: str) -> tuple[str, int]:
    """The script and the line that a call is from."""
    for path in _scripts(draft):
        for number, line in enumerate((draft.definition.text(path) or "").split("\n"), 1):
            if all(word in line for word in call.split()[:3]):
                return path, number
    return "run", 0
