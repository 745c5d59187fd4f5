# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as getopt reads them, from words that may be known only when the service starts."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, lit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


_NUMBER = re.compile(r"-?\d+\Z")
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def need(it: Interpreter, word: Word, what: str) -> str:
    """The constant text of a word; `what` is it in the message.

    :raises Keep: it is known only when the service starts.
    """
    text = fixed(it, word)
    if text is None:
        raise Keep(f"{what} is known only when the service starts")
    return text


def number_of(it: Interpreter, word: Word, what: str) -> int:
    """The same, as a number."""
    text = need(it, word, what)
    if not _NUMBER.match(text):
        raise Keep(f"{what} is not a number: {text}")
    return int(text)


class Options:
    """Reads options as getopt does: grouped letters, values attached or following, `--` ends them."""

    def __init__(
        self, it: Interpreter, words: list[Word], flags: str, valued: str, long: t.Mapping[str, bool] | None = None
    ) -> None:
        self.it = it
        self.words = words
        self.flags = flags
        self.valued = valued
        self.long = long or {}
        self.found: list[tuple[str, Word]] = []
        self.at = 0

    def read(self) -> list[Word]:
        """Fill `found` and return the words that are left."""
        while self.at < len(self.words):
            word = self.words[self.at]
            text = (
                "".join(piece.text for piece in word if piece.kind == "lit") if word and word[0].kind == "lit" else ""
            )
            if not text.startswith("-") or text == "-":
                break
            if text == "--" and len(word) == 1:
                self.at += 1
                break
            self.at += 1
            if text.startswith("--"):
                self._long(word)
            else:
                self._short(word)
        return self.words[self.at :]

    def _long(self, word: Word) -> None:
        head = word[0].text
        name, equal, rest = head[2:].partition("=")
        if name not in self.long:
            raise Keep(f"--{name} has no directive")
        if not self.long[name]:
            self.found.append((name, []))
        elif equal:
            self.found.append((name, lit(rest) + list(word[1:])))
        else:
            self.found.append((name, self._next(f"--{name}")))

    def _next(self, option: str) -> Word:
        if self.at >= len(self.words):
            raise Keep(f"{option} has no value")
        self.at += 1
        return self.words[self.at - 1]

    def _short(self, word: Word) -> None:
        head = word[0].text
        index = 1
        while index < len(head):
            letter = head[index]
            index += 1
            if letter in self.flags:
                self.found.append((letter, []))
            elif letter in self.valued:
                rest = head[index:]
                if rest or len(word) > 1:
                    self.found.append((letter, lit(rest) + list(word[1:])))
                else:
                    self.found.append((letter, self._next(f"-{letter}")))
                return
            else:
                raise Keep(f"-{letter} has no directive")
        if len(word) > 1:
            raise Keep("an option is known only when the service starts")
