# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of values that directives have. A directive is a row in one of the tables (exec.py, resource.py): its name and its kind.

A kind makes a value of text, and of the value what D-Bus carries and what unit files say. Values compare: those that mean
the same are equal.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import (
    BLANKS,
    INFINITY,
    NO,
    YES,
    check_sendable,
    count,
    is_digits,
    number_text,
    parse_number,
    words_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import exact_bytes, parse_bytes
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan

# A property as SetUnitProperties and StartTransientUnit take it: name, and the value with its signature.
BusProperty = t.Tuple[str, t.Tuple[str, t.Any]]

_PYTHON: dict[str, type] = {"b": bool, "s": str}


class Kind:
    """One kind of value: how it is read, sent, told and written.

    Methods take the name of the directive where D-Bus names the property after it, and a *label* for errors, which says where
    the value stands (`properties: Nice`).
    """

    # The type on D-Bus.
    signature = ""
    # Whether an assignment adds to those before it; of other kinds the last one counts.
    collects = False
    # Whether there may be line breaks in it; and whether blanks at its ends are a part of it.
    multiline = False
    verbatim = False
    # What is told of a value that unit files have no word for.
    nothing = "none"

    def bus_name(self, name: str) -> str:
        """What D-Bus calls the directive."""
        return f"{name[:-3]}USec" if name.endswith("Sec") else name

    def bus_names(self, name: str) -> tuple[str, ...]:
        """The properties that tell the value."""
        return (self.bus_name(name),)

    def texts(self, value: t.Any, label: str) -> list[str]:
        """What a user wrote, as assignments: of each the text that follows the `=` in a unit file.

        :param value: text, a number, a boolean, or a list of these; of some kinds a dictionary.
        :raises BadInput: it is something else.
        """
        if isinstance(value, dict):
            raise BadInput(f"{label}: takes a value or a list of values, not a mapping")
        if not isinstance(value, (list, tuple)):
            return [self.text(value, label)]
        if not self.collects and len(value) != 1:
            raise BadInput(f"{label}: takes one value, not a list of {len(value)}")
        return [self.text(item, f"{label}[{index}]") for index, item in enumerate(value)]

    def text(self, value: t.Any, label: str) -> str:
        """A single value as text; systemd writes some into files as they are, where a line break would begin another directive."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, (int, float)):
            return number_text(value, label)
        if not isinstance(value, str):
            raise BadInput(f"{label}: {shown(value)} is no text or number; write it as in a unit file")
        bare = check_sendable(value, label).strip(BLANKS)
        if not self.multiline and ("\n" in bare or "\r" in bare):
            hint = "give several values as a list" if self.collects else "write it in one line"
            raise BadInput(f"{label}: {shown(value)} holds a line break; {hint}")
        return value if self.verbatim else bare

    def parse(self, text: str, label: str) -> t.Any:
        """The value that one assignment gives.

        :raises BadInput: the text is none of this kind.
        """
        raise NotImplementedError

    def parse_all(self, texts: t.Sequence[str], label: str) -> t.Any:
        """The value that assignments give one after the other; none of them is empty, and there is at least one."""
        return self.parse(" ".join(texts) if self.collects else texts[-1], label)

    def to_bus(self, name: str, value: t.Any) -> list[BusProperty]:
        return [(self.bus_name(name), (self.signature, value))]

    def from_bus(self, value: t.Any) -> t.Any:
        """The value of what was read from the `bus_names`, a tuple where these are several.

        :raises TypeError: or ValueError, IndexError and so on: it is none of this kind.
        """
        python = _PYTHON.get(self.signature, int)
        if not isinstance(value, python) or (python is int and isinstance(value, bool)):
            raise TypeError(f"no {python.__name__}")
        if isinstance(value, int) and not 0 <= value <= INFINITY:
            raise ValueError("no number of the bus")
        return value

    def words(self, value: t.Any) -> list[str]:
        """The value in the spelling of unit files, for people; nothing where unit files have no word for it."""
        return [value] if value else []

    def lines(self, value: t.Any) -> list[str]:
        """The texts of assignments that give the value one after the other."""
        return self.words(value)

    def to_data(self, value: t.Any) -> t.Any:
        """The value as JSON has it: numbers as D-Bus has them, `infinity` for 2^64-1, lists of texts."""
        if isinstance(value, (bool, str)):
            return value
        if isinstance(value, int):
            return int(value) if value < INFINITY else "infinity"
        return self.words(value)


class Plain(Kind):
    """A kind that is only read and sent.

    :param read: takes the text and the label, and returns what is sent.
    :param bus: the property's name where it is not the directive's.
    """

    def __init__(
        self, signature: str, read: t.Callable[[str, str], t.Any], collects: bool = False, bus: str = "",
        multiline: bool = False, verbatim: bool = False,
    ) -> None:  # fmt: skip
        self.signature, self.collects, self.multiline, self.verbatim = signature, collects, multiline, verbatim
        self._read, self._bus = read, bus

    def bus_name(self, name: str) -> str:
        return self._bus or name

    def parse(self, text: str, label: str) -> t.Any:
        return self._read(text, label)


class Text(Kind):
    """Text that is sent as it is.

    :param check: takes text and label, and returns the text or raises BadInput.
    """

    signature = "s"

    def __init__(self, check: t.Callable[[str, str], str] | None = None) -> None:
        self._check = check

    def parse(self, text: str, label: str) -> str:
        return self._check(text, label) if self._check else text


class Word(Text):
    """One of some words."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self._words = words

    def parse(self, text: str, label: str) -> str:
        if text not in self._words:
            raise BadInput(f"{label}: {shown(text)} is none of {', '.join(self._words)}")
        return text


class Boolean(Kind):
    signature = "b"

    def parse(self, text: str, label: str) -> bool:
        return parse_boolean(text, label)

    def words(self, value: bool) -> list[str]:
        return ["yes" if value else "no"]


class Number(Kind):
    """A whole number within bounds.

    :param what: what it is, for the error.
    :param named: words that stand for numbers, those out of the bounds among them; the empty one for what is not set.
    """

    def __init__(
        self, low: int, high: int, signature: str = "t", what: str = "a whole number",
        named: t.Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        self.low, self.high, self.signature = low, high, signature
        self._what, self.named = what, named or {}

    def parse(self, text: str, label: str) -> int:
        return self.named[text] if text in self.named else parse_number(text, label, self.low, self.high, self._what)

    def words(self, value: int) -> list[str]:
        word = next((word for word, number in self.named.items() if number == value), str(value))
        return [word] if word else []


class Weight(Number):
    """A share in comparison with others; without one, the kernel's default holds."""

    nothing = "default"

    def __init__(self, low: int, high: int, idle: bool = False) -> None:
        what = "a weight: a whole number" + (" or idle" if idle else "")
        super().__init__(low, high, "t", what, {"": INFINITY, **({"idle": 0} if idle else {})})


class Size(Kind):
    """Bytes, with suffixes that are powers of 1024."""

    signature = "t"

    def parse(self, text: str, label: str) -> int:
        return parse_bytes(text, label)

    def words(self, value: int) -> list[str]:
        return [exact_bytes(value)]


class TimeSpan(Kind):
    """Microseconds.

    :param low: the shortest and `high` the longest one, but for `infinity`.
    :param zero: what 0 means; `empty` what an empty text means, where it is none that is refused.
    :param bare: the unit of numbers that have none.
    """

    signature = "t"
    nothing = "default"

    def __init__(
        self, low: int = 0, high: int = INFINITY, zero: int = 0, empty: int | None = None, bare: str = "s"
    ) -> None:
        self._low, self._high, self._zero, self._empty, self._bare = low, high, zero, empty, bare

    def parse(self, text: str, label: str) -> int:
        if self._empty is not None and not text:
            return self._empty
        usec = parse_timespan(text, label, self._bare) or self._zero
        if usec != INFINITY and not self._low <= usec <= self._high:
            ends = f"{format_timespan(self._low)} to {format_timespan(self._high)}"
            raise BadInput(f"{label}: {shown(text)} is out of range; it goes from {ends}")
        return usec

    def words(self, value: int) -> list[str]:
        return [] if value == INFINITY else [format_timespan(value).replace(" ", "")]


class NumberSet(Kind):
    """Numbers and ranges of them, such as those of processors; a bit mask on D-Bus."""

    signature = "ay"
    collects = True
    # The greatest number that systemd knows (CPU_SET_MAX_NCPU of its cpu-set-util.h).
    HIGHEST = 8191

    def parse(self, text: str, label: str) -> tuple[int, ...]:
        mask = 0
        for word in words_of(text.replace(",", " ")):
            low, high = parse_range(word, 0, self.HIGHEST, label, "a list of numbers such as 0-3 8")
            mask |= ((1 << (high - low + 1)) - 1) << low
        return _numbers(mask)

    def to_bus(self, name: str, value: tuple[int, ...]) -> list[BusProperty]:
        mask = 0
        for number in value:
            mask |= 1 << number
        return super().to_bus(name, mask.to_bytes((mask.bit_length() + 7) // 8, "little"))

    def from_bus(self, value: t.Any) -> tuple[int, ...]:
        if isinstance(value, int):
            raise TypeError("no mask")
        # Systemd counts no further; a mask of megabytes is none of its.
        return _numbers(int.from_bytes(bytes(value[: (self.HIGHEST + 1) // 8]), "little"))

    def words(self, value: tuple[int, ...]) -> list[str]:
        words: list[str] = []
        at = 0
        while at < len(value):
            end = at
            while end + 1 < len(value) and value[end + 1] == value[end] + 1:
                end += 1
            words.append(str(value[at]) if end == at else f"{value[at]}-{value[end]}")
            at = end + 1
        return words

    def to_data(self, value: tuple[int, ...]) -> list[int]:
        return list(value)


class Choice(Kind):
    """One of some words.

    :param what: what they are, for the error.
    :param numbers: whether systemd takes the numbers too that D-Bus has for them.
    """

    signature = "i"

    def __init__(self, what: str, table: t.Mapping[str, int], numbers: bool = False) -> None:
        self._what, self._table, self._numbers = what, table, numbers

    def parse(self, text: str, label: str) -> int:
        if self._numbers and is_digits(text) and count(text) in self._table.values():
            return count(text)
        return one_of(text, self._table, label, self._what)


def _numbers(mask: int) -> tuple[int, ...]:
    return tuple(number for number, bit in enumerate(reversed(f"{mask:b}")) if bit == "1")


def parse_range(
    word: str, low: int, high: int, label: str, what: str, decimal: bool = False
) -> tuple[int, int]:
    """The two ends of `3-7`, or of `3`, which is a range of one.

    :param decimal: as in `parse_number`.
    :raises BadInput: it is none, runs backwards, or goes beyond `low` or `high`.
    """
    first, dash, last = word.partition("-")
    if not first or (dash and not last):
        raise BadInput(f"{label}: {shown(word)} is not {what}")
    start = parse_number(first, label, low, high, what, decimal)
    stop = parse_number(last, label, low, high, what, decimal) if dash else start
    if stop < start:
        raise BadInput(f"{label}: the range {shown(word)} runs backwards")
    return start, stop


def is_boolean(text: str) -> bool:
    """Whether systemd takes the text for a boolean."""
    return text.lower() in (*YES, *NO)


def parse_boolean(text: str, label: str) -> bool:
    """A boolean of systemd's.

    :raises BadInput: it is none.
    """
    if not is_boolean(text):
        raise BadInput(f"{label}: {shown(text)} is not a boolean; write true or false")
    return text.lower() in YES


def one_of(text: str, table: t.Mapping[str, int], label: str, what: str) -> int:
    """The number that a word stands for.

    :raises BadInput: it is not in the table; `what` says what should be.
    """
    if text in table:
        return table[text]
    raise BadInput(f"{label}: {shown(text)} is no {what}; there are {', '.join(table)}")


def parse_signal(text: str, label: str) -> int:
    """Number of a signal, told by name with or without SIG, by number, or from SIGRTMIN on.

    :raises BadInput: it is none.
    """
    import signal

    word = text.upper() if text.isascii() else ""
    if is_digits(word) and 1 <= count(word) <= 64:
        return count(word)
    word = word[3:] if word.startswith("SIG") else word
    base, sign, offset = word.partition("+" if "+" in word else "-")
    if base in ("RTMIN", "RTMAX") and (is_digits(offset) if sign else True):
        number = int(getattr(signal, f"SIG{base}")) + count(offset) * (-1 if sign == "-" else 1)
        if signal.SIGRTMIN <= number <= signal.SIGRTMAX:
            return number
    else:
        found = getattr(signal, f"SIG{word}", None)
        if isinstance(found, signal.Signals):
            return int(found)
    raise BadInput(f"{label}: {shown(text)} is no signal; write a name such as SIGTERM")


def parse_mode(text: str, label: str) -> int:
    """A file mode in octal digits.

    :raises BadInput: it is none.
    """
    if not text or text.strip("01234567") or count(text, 8) > 0o7777:
        raise BadInput(f"{label}: {shown(text)} is not a file mode; write it like '0755'")
    return count(text, 8)


class Mode(Plain):
    """A file mode; a plain number of YAML's has lost its octal digits."""

    def __init__(self) -> None:
        super().__init__("u", parse_mode)

    def text(self, value: t.Any, label: str) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and value > 7:
            raise BadInput(f"{label}: {shown(value)} is a number; write file modes as text in quotes, such as '0755'")
        return super().text(value, label)


class Limit(Kind):
    """A resource limit, as (soft, hard); `one` is the kind of each."""

    signature = "t"

    def __init__(self, one: Kind) -> None:
        self._one = one

    def parse(self, text: str, label: str) -> tuple[int, int]:
        soft, colon, hard = text.partition(":")
        low = self._one_of(soft, label)
        high = self._one_of(hard, label) if colon else low
        if low > high:
            raise BadInput(f"{label}: the soft limit {plain(soft)} is above the hard limit {plain(hard)}")
        return low, high

    def _one_of(self, text: str, label: str) -> int:
        return INFINITY if text == "infinity" else int(self._one.parse(text, label))

    def bus_names(self, name: str) -> tuple[str, ...]:
        return (name, f"{name}Soft")

    def to_bus(self, name: str, value: tuple[int, int]) -> list[BusProperty]:
        return [(name, ("t", value[1])), (f"{name}Soft", ("t", value[0]))]

    def from_bus(self, value: t.Any) -> tuple[int, int]:
        high, low = (super(Limit, self).from_bus(each) for each in value)
        return low, high

    def words(self, value: tuple[int, int]) -> list[str]:
        low, high = ("infinity" if each == INFINITY else "".join(self._one.words(each)) for each in value)
        return [low if low == high else f"{low}:{high}"]


class Seconds(TimeSpan):
    """A time span of whole seconds, rounded up."""

    def parse(self, text: str, label: str) -> int:
        return -(-super().parse(text, label) // 1_000_000)

    def words(self, value: int) -> list[str]:
        return [f"{value}s"]


NICE = Number(-20, 19, "i")


class NiceLimit(Number):
    """A signed number is a nice level, the limit counts from the other end."""

    def parse(self, text: str, label: str) -> int:
        return 20 - NICE.parse(text, label) if text[:1] in ("+", "-") else super().parse(text, label)


_NUMBER_LIMIT = Limit(Number(0, INFINITY - 1))
# Some limits count bytes, some a time, of which a number without a unit is microseconds.
LIMITS: dict[str, Kind] = {
    **dict.fromkeys("LimitFSIZE LimitDATA LimitSTACK LimitCORE LimitRSS LimitAS LimitMEMLOCK LimitMSGQUEUE".split(), Limit(Size())),
    **dict.fromkeys("LimitNOFILE LimitNPROC LimitLOCKS LimitSIGPENDING LimitRTPRIO".split(), _NUMBER_LIMIT),
    "LimitCPU": Limit(Seconds()),
    "LimitRTTIME": Limit(TimeSpan(bare="us")),
    "LimitNICE": Limit(NiceLimit(0, INFINITY - 1)),
}
