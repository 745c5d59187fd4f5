# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of values that systemd takes apart at blanks: written with quotes and escapes, and read again.

The rules are those of systemd.syntax(7), "Quoting". What specifiers (`%`) and variables (`$`) mean depends on the directive, and
is the caller's.
"""

from __future__ import annotations

import re

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import BLANKS, check_sendable

# Wherever a word stands, quotes are needed for none but letters, digits, and _+=./:,@^~%$-. (To compile the set of those takes a hundred times as long.)
_SPECIAL = re.compile("[\0- !\"#&'()*;<>?[\\\\\\]`{|}\x7f-\x9f]")
# What would take a word apart, or end it: enough for one that is no part of a command line.
BREAKS = re.compile("[ \t\n\r\"'\\\\]")
_FIELD_BREAKS = re.compile("[ \t\n\r\"'\\\\:]")
# What directives make of a backslash (extract_first_word() of systemd): of `\x41`, `A`, `x41`, or what it was.
READ, DROP, KEEP = "read", "drop", "keep"
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ", "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip


def quote(word: str, special: re.Pattern[str] = _SPECIAL) -> str:
    """The text as one word, in quotes only where it is empty or holds something `special`."""
    return quoted(word) if not word or special.search(word) else word


def quoted(word: str, mark: str = '"') -> str:
    """The text as one word in quotes, on one line. Bytes that were no UTF-8 (lone surrogates of Python's) stay what they were."""
    out = []
    for char in word:
        if char in ("\\", mark):
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif char == "\t":
            out.append("\\t")
        elif char < " " or char == "\x7f":
            out.append(f"\\x{ord(char):02x}")
        elif "\udc80" <= char <= "\udcff":
            out.append(f"\\x{ord(char) - 0xDC00:02x}")
        else:
            out.append(char)
    return mark + "".join(out) + mark


def split_words(text: str, option: str, escapes: str = READ, quotes: bool = True) -> list[str]:
    """The words of a value, taken apart as systemd does (systemd.syntax(7), "Quoting").

    :param escapes: what the directive makes of a backslash, READ, DROP or KEEP.
    :param quotes: whether quotes mean anything.
    :raises BadInput: a quote is not closed, or an escape is none.
    """
    return [fields[0] for fields in split_fields(text, option, escapes, quotes, colons=False)]


def split_fields(
    text: str, option: str, escapes: str = READ, quotes: bool = True, colons: bool = True
) -> list[list[str]]:
    """The same, and the fields of each word, which stand between colons that are neither in quotes nor escaped."""
    check_sendable(text, option)
    words: list[list[str]] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in BLANKS:
            at += 1
        if at >= end:
            return words
        word, quoted, fields = bytearray(), "", list[str]()
        while at < end and (quoted or text[at] not in BLANKS):
            char = text[at]
            if quotes and char == quoted:
                quoted = ""
            elif quotes and char in "\"'" and not quoted:
                quoted = char
            elif colons and char == ":" and not quoted:
                fields.append(word.decode("utf-8", "surrogateescape"))
                word = bytearray()
            elif char == "\\" and escapes == DROP and at + 1 < end:
                word += text[at + 1].encode()
                at += 2
                continue
            elif char == "\\" and escapes == READ:
                piece, at = _escape(text, at, option)
                word += piece
                continue
            else:
                # This one, and all up to the next that may mean something.
                found = (_FIELD_BREAKS if colons else BREAKS).search(text, at + 1)
                start, at = at, found.start() if found else end
                word += text[start:at].encode()
                continue
            at += 1
        if quoted:
            raise BadInput(f"{option}: the quote {quoted} is not closed in {shown(text)}")
        words.append([*fields, word.decode("utf-8", "surrogateescape")])


def unescape(text: str, option: str, nul: bool = False) -> bytes:
    """The bytes that a text with escapes stands for.

    :param nul: whether a byte 0 is one of them.
    :raises BadInput: an escape is none.
    """
    found, at = bytearray(), 0
    while True:
        to = text.find("\\", at)
        found += text[at : to if to >= 0 else len(text)].encode("utf-8", "surrogateescape")
        if to < 0:
            return bytes(found)
        piece, at = _escape(text, to, option, nul)
        found += piece


def _escape(text: str, at: int, option: str, nul: bool = False) -> tuple[bytes, int]:
    """What the escape at this place stands for, and where the text goes on."""
    char = text[at + 1 : at + 2]
    if char in _ESCAPES and char:
        return _ESCAPES[char].encode(), at + 2
    size = {"x": 2, "u": 4, "U": 8}.get(char)
    digits = text[at + 2 : at + 2 + size] if size else text[at + 1 : at + 4]
    base = 16 if size else 8
    if len(digits) == (size or 3) and all(
        digit in "0123456789abcdefABCDEF"[: 8 if base == 8 else 22] for digit in digits
    ):
        number = int(digits, base)
        if (number or nul) and (number < 256 or (size or 0) > 2):
            try:
                piece = bytes((number,)) if (size or 3) <= 3 else chr(number).encode()
            except (ValueError, OverflowError):
                pass
            else:
                return piece, at + 2 + size if size else at + 4
    raise BadInput(
        f"{option}: at character {at + 1} of {shown(text)}, {plain(text[at : at + 2])} is no escape; write \\\\ for a backslash"
    )
