# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way to read numbers and other single values of a user's text: what systemd takes, and no more.

Python's own int() and isdigit() take digits of other scripts, blanks and underscores, and int() fails with an error of its own
for more than 4,300 digits.
"""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown

# What separates words, and is taken off both ends of them; no other white space counts for systemd.
BLANKS = " \t\n\r"
# The greatest number of 64 bits, which stands for `infinity`, and in many properties for what is not set.
INFINITY = 2**64 - 1
# The greatest number of each type of D-Bus, by its signature.
HIGHEST = {
    "y": 2**8 - 1, "n": 2**15 - 1, "q": 2**16 - 1, "i": 2**31 - 1, "u": 2**32 - 1, "x": 2**63 - 1, "t": INFINITY,
}  # fmt: skip
# What systemd takes for a boolean, in any case of letters (parse_boolean()).
YES = ("1", "yes", "y", "true", "t", "on")
NO = ("0", "no", "n", "false", "f", "off")
# Above all of them; every number with more digits than this counts as this.
BEYOND = 10**30

_DIGITS = "0123456789"
# What a prefix says of the base, and the digits of that base; a plain 0 before other digits is octal.
_BASES = {"0x": (16, _DIGITS + "abcdefABCDEF"), "0o": (8, "01234567"), "0b": (2, "01")}


def is_digits(text: str) -> bool:
    """Whether the text is made of the digits 0 to 9, and of at least one of them."""
    return text.isascii() and text.isdigit()


def count(digits: str, base: int = 10) -> int:
    """The number that digits stand for; `BEYOND`, which no range has, where there are too many. No digits count 0."""
    digits = digits.lstrip("0")
    return int(digits or "0", base) if len(digits) <= (30 if base == 10 else 100) else BEYOND


def leading_number(text: str) -> int | None:
    """The number that a text begins with, such as that of a version (`252` of `252.39-1~deb12u2`); None where there is none."""
    digits = text[: len(text) - len(text.lstrip(_DIGITS))]
    return count(digits) if digits else None


def parse_number(
    text: str, option: str, low: int, high: int, what: str = "a whole number", decimal: bool = False
) -> int:
    """A whole number as systemd reads it: digits, with a sign; `0x`, `0o`, `0b` or 0 before it tell its base.

    :param option: the option's name, for the error.
    :param low: the lowest and `high` the highest number allowed.
    :param what: what the text should be, for the error.
    :param decimal: whether a 0 at its beginning means nothing and there are no prefixes, as in ports and dates.
    :raises BadInput: it is none, or out of range.
    """
    sign = text[:1] if text[:1] in ("+", "-") else ""
    digits, base, known = text[len(sign) :], 10, _DIGITS
    if not decimal and digits[:2].lower() in _BASES and len(digits) > 2:
        base, known = _BASES[digits[:2].lower()]
        digits = digits[2:]
    elif not decimal and digits[:1] == "0" and len(digits) > 1:
        base, known = 8, "01234567"
    if not digits or digits.strip(known):
        raise BadInput(f"{option}: {shown(text)} is not {what}")
    number = count(digits, base)
    number = -number if sign == "-" else number
    if not low <= number <= high:
        upto = f"to {high}" if high < HIGHEST["t"] - 1 else "on"
        raise BadInput(f"{option}: {plain(text)} is out of range; it goes from {low} {upto}")
    return number


def parse_hexadecimal(text: str, option: str, what: str) -> int:
    """A number of at most 64 bits in hexadecimal digits, with `0x` before it or without.

    :raises BadInput: it is none.
    """
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if not digits or digits.strip(_BASES["0x"][1]) or len(digits.lstrip("0")) > 16:
        raise BadInput(f"{option}: {shown(text)} is not {what}")
    return int(digits, 16)


def number_text(value: float, option: str) -> str:
    """A number of YAML's as text.

    :raises BadInput: it is one that nothing of systemd's can be (`.inf`, or thousands of digits).
    """
    if (isinstance(value, int) and abs(value) >= BEYOND) or not abs(value) < float("inf"):
        raise BadInput(f"{option}: {shown(value)} is a number that systemd cannot hold; write a smaller one")
    return str(value)


def check_sendable(text: str, option: str) -> str:
    """The text, which has to be such that D-Bus can carry it and files hold it as UTF-8.

    :raises BadInput: there is a NUL or half a character (a lone surrogate: a byte that was no UTF-8) in it.
    """
    if "\0" in text:
        raise BadInput(f"{option}: {shown(text)} holds a NUL character, which systemd cannot take; leave it out")
    if not text.isascii() and has_surrogates(text):
        raise BadInput(
            f"{option}: {shown(text)} holds bytes that are not UTF-8, which systemd cannot take; leave them out"
        )
    return text


def has_surrogates(text: str) -> bool:
    """Whether there are code points in the text that are no characters by themselves, and have no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def is_variable(name: str) -> bool:
    """Whether it is a name that systemd takes for a variable of the environment."""
    return name.isascii() and name.replace("_", "a").isalnum() and name[0] not in _DIGITS


def words_of(text: str) -> list[str]:
    """The words of a text between blanks of systemd's."""
    for blank in "\t\n\r":
        text = text.replace(blank, " ")
    return [word for word in text.split(" ") if word]
