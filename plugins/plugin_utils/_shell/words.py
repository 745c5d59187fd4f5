# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of shell text as far as they are known.

A word evaluates to *pieces*. Each piece is literal text, a variable that systemd will expand (`${NAME}`), a specifier of
systemd's (`%H`), or shell text that only a shell can expand. What cannot be evaluated is never guessed: it stays shell text.
"""

from __future__ import annotations

import re
import typing as t

# A specifier inside shell text is carried as this character and its letter, so that escaping of % leaves it alone.
SPECIFIER = "\x00"
# Text that means itself in every quoting context of the shell.
SAFE = re.compile(r"[A-Za-z0-9_./:=@,+-]+\Z")


class Piece(t.NamedTuple):
    """A part of a word. `kind`: lit, var, spec or shell; `split`: the shell splits it at blanks (unquoted expansion)."""

    kind: str
    text: str
    split: bool = False


Word = list[Piece]


def lit(text: str, split: bool = False) -> Word:
    return [Piece("lit", text, split)]


def constant(word: t.Sequence[Piece]) -> str | None:
    """The text of a word, or None where it is not constant."""
    if any(piece.kind != "lit" for piece in word):
        return None
    return "".join(piece.text for piece in word)


def split_words(pieces: Word) -> list[Word]:
    """What the shell makes of one word after expansion: none, one or several words."""
    words: list[Word] = []
    now: Word = []
    started = False
    for piece in pieces:
        if piece.kind == "lit" and piece.split:
            parts = re.split(r"[ \t\n]+", piece.text)
            for index, part in enumerate(parts):
                if index:
                    if started:
                        words.append(now)
                    now, started = [], False
                if part:
                    now.append(Piece("lit", part))
                    started = True
        else:
            now.append(piece)
            started = True
    if started:
        words.append(now)
    return [tidy(word) for word in words]


def tidy(word: Word) -> Word:
    """The same word with neighbouring texts joined, so that `"NAME=$X"` begins with its name."""
    found: Word = []
    for piece in word:
        if found and piece.kind == found[-1].kind == "lit" and piece.split == found[-1].split:
            found[-1] = piece._replace(text=found[-1].text + piece.text)
        else:
            found.append(piece)
    if len(found) > 1 and found[0] == Piece("lit", "") and not found[1].split:
        return found[1:]
    return found


def has_text(value: Word) -> bool:
    return any((piece.kind == "lit" and piece.text) or piece.kind == "spec" for piece in value)


def quote(text: str) -> str:
    """One word of the shell's that stands for this text."""
    if text and SAFE.match(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def word_text(word: Word) -> str:
    """Evaluated pieces as shell text again."""
    if len(word) > 1 and all(piece.kind == "lit" for piece in word):
        return quote("".join(piece.text for piece in word))
    out = []
    for piece in word:
        if piece.kind == "lit":
            out.append(quote(piece.text) if piece.text or len(word) == 1 else "")
        elif piece.kind == "var":
            out.append(f"${{{piece.text}}}" if piece.split else f'"${{{piece.text}}}"')
        elif piece.kind == "spec":
            out.append(SPECIFIER + piece.text[1:])
        else:
            out.append(piece.text)
    return "".join(out)
