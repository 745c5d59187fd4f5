# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of a message to values, for peers that are not to be trusted.

Jeepney's types do the work, but trust the sender: an array of empty structures (`a()`) has it read for ever, what follows a
signature's first type is ignored, and a string's end is looked at by `assert` alone. So signatures are checked here before
they are used, and texts and variants have types of their own.
"""

from __future__ import annotations

import re
import struct
import typing as t

# Of each header field, its type (D-Bus specification, "Header Fields"), and the numbers of those that are used.
_FIELD_TYPES = {1: "o", 2: "s", 3: "s", 4: "s", 5: "u", 6: "s", 7: "s", 8: "g", 9: "u"}
PATH, MEMBER, ERROR_NAME, REPLY_SERIAL, SENDER, SIGNATURE = 1, 3, 4, 5, 7, 8
# Signatures and headers that are kept; a peer may send any number of different ones.
_KEPT = 500
# Bytes of a property's value that is looked for among those before; limits and lists of few are as short.
_SHORT = 512
# Bytes of texts that are looked for among those of the rows before; states are as short, and the same for most units.
_REPEATED = 24
# What begins the fields of an answer's header: its number of the question, of type `u`. Then it is all that differs.
_ANSWERS = bytes((REPLY_SERIAL, 1, ord("u"), 0))

is_path = re.compile(r"/|(?:/[A-Za-z0-9_]+)+").fullmatch


class _Order:
    """Byte order: what jeepney asks of its own `Endianness`, and Python's word for it."""

    def __init__(self, code: str, name: t.Literal["little", "big"]) -> None:
        self.code, self.name = code, name
        # Of a message, from its fifth byte on: how many bytes its body has, and how many the fields of its header.
        self.lengths = struct.Struct(f"{code}I4xI").unpack_from

    def struct_code(self) -> str:
        return self.code


# By the first byte of a message.
ORDERS = {0x6C: _Order("<", "little"), 0x42: _Order(">", "big")}


class _Text:
    """A string (with 4 bytes of length) or a signature (with 1): UTF-8 without NUL, and one NUL after it."""

    def __init__(self, size: int) -> None:
        self.alignment = size

    def parse_data(self, buf: bytes, pos: int, order: _Order, fds: t.Any = ()) -> tuple[str, int]:
        size = self.alignment
        start = (pos + 2 * size - 1) & -size
        end = start + int.from_bytes(buf[start - size : start], order.name)
        # The first NUL must be the one that ends it; so what is longer than the message is found as well.
        if buf.find(0, start, end + 1) != end:
            raise ValueError("a string does not end where it should")
        return buf[start:end].decode(), end + 1


class _Path(_Text):
    def parse_data(self, buf: bytes, pos: int, order: _Order, fds: t.Any = ()) -> tuple[str, int]:
        value, end = super().parse_data(buf, pos, order)
        if not is_path(value):
            raise ValueError(f"{value!r} is no object path")
        return value, end


class _Variant:
    alignment = 1

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def parse_data(self, buf: bytes, pos: int, order: _Order, fds: t.Any = ()) -> tuple[tuple[str, t.Any], int]:
        signature, pos = _SIGNATURE.parse_data(buf, pos, order)
        fields = self._reader.type_of(signature).fields
        if len(fields) != 1:
            raise ValueError(f"a variant of signature {signature!r}")
        value, pos = fields[0].parse_data(buf, pos, order)
        return (signature, value), pos


class _Rows:
    """An array of structures of texts, object paths and numbers of 32 bits: what lists of units and jobs are, thousands of rows.

    Field by field through the types above they would take four times as long.

    :param kinds: `s`, `o` or `u` of each column.
    """

    alignment = 4

    def __init__(self, kinds: str) -> None:
        self._kinds = kinds

    def parse_data(self, buf: bytes, pos: int, order: _Order, fds: t.Any = ()) -> tuple[list[t.Any], int]:
        number = struct.Struct(f"{order.code}I").unpack_from
        pos = (pos + 3) & -4
        size = number(buf, pos)[0]
        pos = (pos + 11) & -8
        end = pos + size
        rows: list[t.Any] = []
        known: dict[bytes, str] = {}
        # Of each column, the bytes and the value of a row before; nothing begins with an empty tuple.
        before: list[t.Any] = [((), None)] * len(self._kinds)
        find, starts, columns = buf.find, buf.startswith, tuple(enumerate(self._kinds))
        while pos < end:
            pos = (pos + 7) & -8
            row: list[t.Any] = []
            for column, kind in columns:
                first = (pos + 3) & -4
                raw, value = before[column]
                if starts(raw, first):
                    row.append(value)
                    pos = first + len(raw)
                    continue
                start = first + 4
                value = number(buf, first)[0]
                pos = start
                if kind != "u":
                    pos = start + value
                    # As for _Text.
                    if find(0, start, pos + 1) != pos:
                        raise ValueError("a string does not end where it should")
                    raw = buf[start:pos]
                    pos += 1
                    value = known.get(raw)
                    if value is None:
                        value = raw.decode()
                        if len(raw) <= _REPEATED:
                            known[raw] = value
                    if kind == "o" and not is_path(value):
                        raise ValueError(f"{value!r} is no object path")
                if pos - first <= _REPEATED:
                    before[column] = buf[first:pos], value
                row.append(value)
            rows.append(tuple(row))
        if pos != end:
            raise ValueError("an array does not end where it should")
        return rows, pos


_STRING, _OBJECT_PATH, _SIGNATURE = _Text(4), _Path(4), _Text(1)


class Reader:
    """Reads messages by the types of one jeepney.

    :param low_level: the module ``jeepney.low_level``.

    Its methods raise whatever comes to their mind where a message is malformed: ValueError, IndexError, RecursionError, ...
    """

    def __init__(self, low_level: t.Any) -> None:
        self._dbus = low_level
        self._types: dict[str, t.Any] = {}
        self._variant = _Variant(self)
        # Fields of headers, by all of their bytes but for the number of the question.
        self._headers: dict[bytes, dict[int, t.Any]] = {}
        # Values of properties, by all of their bytes and the byte order; those of many units are the same.
        self._values: dict[bytes, tuple[t.Any, int]] = {}

    def header(self, message: bytes) -> tuple[dict[int, t.Any], int]:
        """The header's fields by number, each of its proper type, and where the body begins."""
        order, pos = ORDERS[message[0]], 16
        end = pos + int.from_bytes(message[12:16], order.name)
        fields: dict[int, t.Any] = {}
        is_answer = message.startswith(_ANSWERS, 16) and end >= 24
        if is_answer:
            # Thousands of answers differ in nothing else, and their headers take longer than what they answer.
            shape = message[:1] + message[24:end]
            known = self._headers.get(shape)
            if known is not None:
                return {**known, REPLY_SERIAL: int.from_bytes(message[20:24], order.name)}, (end + 7) & ~7
        while pos < end:
            pos = (pos + 7) & ~7
            number = message[pos]
            (signature, fields[number]), pos = self._variant.parse_data(message, pos + 1, order)
            if _FIELD_TYPES.get(number, signature) != signature:
                raise ValueError(f"header field {number} is of type {signature!r}")
        if pos != end:
            raise ValueError("the header does not end where it should")
        if is_answer:
            if len(self._headers) >= _KEPT:
                self._headers.clear()
            self._headers[shape] = dict(fields)
        return fields, (end + 7) & ~7

    def body(self, message: bytes, start: int, signature: str) -> tuple[t.Any, ...]:
        """The values from *start* to the end of the message."""
        order = ORDERS[message[0]]
        values: tuple[t.Any, ...] = ()
        if signature == "v":
            # What properties are answered with.
            (kind, value), start = self._property(message, start, order)
            # Nobody's change of a list is another one's.
            values = ((kind, value.copy() if isinstance(value, (list, dict)) else value),)
        elif signature:
            values, start = self.type_of(signature).parse_data(message, start, order)
        if start != len(message):
            raise ValueError("the body does not end where it should")
        return values

    def _property(self, message: bytes, start: int, order: _Order) -> tuple[tuple[str, t.Any], int]:
        """The variant that begins there, and where it ends."""
        if len(message) - start > _SHORT:
            return self._variant.parse_data(message, start, order)
        raw = message[:1] + message[start:]
        found = self._values.get(raw)
        if found is None:
            value, end = self._variant.parse_data(message, start, order)
            if len(self._values) >= _KEPT:
                self._values.clear()
            found = self._values[raw] = value, end - start
        return found[0], start + found[1]

    def type_of(self, signature: str) -> t.Any:
        """The structure of all types in a signature, as jeepney's object."""
        found = self._types.get(signature)
        if found is None:
            # An array of nothing would never end. All other types take at least a byte.
            if "()" in signature:
                raise ValueError("an empty structure")
            left = list(f"({signature})")
            found = self._checked(self._dbus.parse_signature(left))
            if left:
                raise ValueError(f"signature {signature!r} goes on after its end")
            if len(self._types) >= _KEPT:
                self._types.clear()
            self._types[signature] = found
        return found

    def _checked(self, kind: t.Any) -> t.Any:
        """The same type with texts and variants replaced by those of this file."""
        d = self._dbus
        if isinstance(kind, d.Struct):
            kind.fields = [self._checked(field) for field in kind.fields]
        elif isinstance(kind, d.Array):
            kinds = self._columns(kind.elt_type)
            if kinds:
                return _Rows(kinds)
            kind.elt_type = self._checked(kind.elt_type)
        elif isinstance(kind, d.Variant):
            return self._variant
        else:
            for own, name in ((_STRING, "s"), (_OBJECT_PATH, "o"), (_SIGNATURE, "g")):
                if kind is d.simple_types[name]:
                    return own
        return kind

    def _columns(self, kind: t.Any) -> str:
        """The types of a structure's fields, where they are those that rows may have; empty otherwise."""
        d = self._dbus
        if not isinstance(kind, d.Struct) or isinstance(kind, d.DictEntry):
            return ""
        names = [[name for name in "sou" if field is d.simple_types[name]] for field in kind.fields]
        return "".join(name[0] for name in names) if all(names) else ""
