# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit still needs of the old supervisor: its programs, the service's own scripts, supervise/."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft

# Names that are also words for other things: only where a command is sure to begin. The others are not, but as a tag (`-t runsv`).
_WORDS = frozenset(("pause", "snooze", "argv0", "envdir"))
_COMMENT = re.compile(r"(?m)(?:^|(?<=\s))#.*$")
# What a test compares with.
_COMPARED = re.compile(r"(?<=\s)(?:==?|!=)\s+(?:\"[\w./-]+\"|'[\w./-]+'|[\w./-]+)(?=\s)|(?<=\[\s)[\w./-]+(?=\s+(?:==?|!=)\s)")


def needs(draft: Draft) -> None:
    """Say what must stay for the unit."""
    texts = _texts(draft)
    found: set[str] = set()
    for text in texts:
        found |= _programs(text)
    # What supervises services of its own was told of already.
    found -= {"runsvdir"} if any(one.key == "runit.runsvdir" for one in draft.findings) else set()
    if found:
        names = ", ".join(sorted(found))
        draft.note(
            "runit.package",
            sorted(found)[0],
            "run",
            0,
            f"the unit still runs {names}: the package that has {'it' if len(found) == 1 else 'them'} must stay installed",
        )
    own = re.escape(draft.definition.path)
    if draft.translation == "native" and any("/run" in text and re.search(rf"(?:^|[\s'\"])(?:\.|{own})/run(?=$|[\s;'\"])", text) for text in texts):
        draft.note("runit.keep-script", "run", "run", 0, f"the unit still runs {draft.definition.path}/run: keep it")
    if any(re.search(r"(?<![\w-])supervise/", text) for text in texts):
        draft.note(
            "runit.supervise",
            "supervise",
            "run",
            0,
            "supervise/ is runsv's and goes with it: what the unit reads or makes there has to be put elsewhere (the process is $MAINPID)",
        )


def _texts(draft: Draft) -> list[str]:
    """The commands of the unit, and the scripts of the service directory that they run."""
    texts = commands_of(draft)
    return texts + [_COMMENT.sub("", draft.definition.text(path) or "") for path in named_files(draft, texts)]


def commands_of(draft: Draft) -> list[str]:
    """The commands of the unit, as text."""
    return [
        command.line
        if command.line is not None
        else " ".join(constant(word) or "".join(piece.text for piece in word) for word in command.argv)
        for command in draft.service.commands()
    ]


def named_files(draft: Draft, texts: t.Sequence[str]) -> list[str]:
    """The files of the service directory that commands name, and those that these files name, as far as they are text."""
    definition = draft.definition
    at_home = (draft.service.working_directory or "").lstrip("-") == definition.path
    found: dict[str, None] = {}
    pending = [(text, at_home or _goes_to(text, definition.path)) for text in texts]
    while pending:
        text, here = pending.pop(0)
        here = here and not _goes_elsewhere(text, definition.path)
        for path in definition.files:
            if path in found or not definition.is_text(path):
                continue
            if _names(text, f"{definition.path}/{path}") or (here and _names_here(text, path)):
                found[path] = None
                pending.append((_COMMENT.sub("", definition.text(path) or ""), True))
    return list(found)


# Expressions are made of names only where the name is there: there are thousands of services, each with names of its own.


def _goes_to(text: str, path: str) -> bool:
    return f"cd {path}" in text and re.search(rf"(?<![\w-])cd {re.escape(path)}(?![\w./-])", text) is not None


def _goes_elsewhere(text: str, path: str) -> bool:
    if "cd" not in text and "pushd" not in text:
        return False
    own = re.escape(path)
    return re.search(rf"(?<![\w-])(?:cd|pushd)\s+(?![\"']?(?:{own}/?|\.)[\"']?(?:[\s;&|]|$))", text) is not None


def _names_here(text: str, path: str) -> bool:
    return f"./{path}" in text and re.search(rf"(?<![\w./-])\./{re.escape(path)}(?![\w./-])", text) is not None


def _names(text: str, path: str) -> bool:
    """Whether a text has a path, and not only as the beginning of a longer one."""
    return any(not part or not (part[0].isalnum() or part[0] in "_./-") for part in text.split(path)[1:])


def _programs(text: str) -> set[str]:
    """Programs of the old supervisor that a command runs, also by the shell text in its arguments."""
    found = set()
    before = ""
    for word, gap in re.findall(r"([^\s;|&()'\"`{}]+)([\s;|&()'\"`{}]*)", _COMPARED.sub(" ", text)):
        match = re.fullmatch(r"(?:/?(?:[^\s/]+/)*(?:bin|command)/)?([\w.-]+)", word)
        name = match.group(1) if match else ""
        if name in lists.OF_SUPERVISORS and (
            before != "-t"
            if name not in _WORDS
            else not before or before in (";", "exec", "env") or "/" in word or before in lists.OF_SUPERVISORS
        ):
            found.add(name)
        if before == "env" and (word.startswith("-") or "=" in word):
            # Its options and assignments, and not yet what it runs.
            continue
        before = ";" if re.search(r"[;|&(){}'\"`\n]", gap) else word.rsplit("/", 1)[-1]
    return found
