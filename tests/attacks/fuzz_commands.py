# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands and quoting: what is written as one word is read as that word, on each of the ways a command may take."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import exec as exec_properties
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import has_surrogates
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text import quoting
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import (
    PREFIXES,
    join_command,
    program_problem,
    split_program,
)
from tests.attacks.inputs import BETWEEN, as_bytes, as_text

SEEDS = [
    as_bytes(text)
    for text in (
        f"/bin/sh{BETWEEN}-c{BETWEEN}echo \"$HOME\" 50% 'x' \\ | tr a b", "-@/usr/bin/env env -i A=b 'c d' \"e\\tf\"",
        "!!+:/bin/true \\x41\\u00e9\\101", "a\\s\\\\b ; c", f"x{BETWEEN}",
        f"tool{BETWEEN}\u00e9\udc80{BETWEEN}a\nb\tc\rd\x07{BETWEEN}", "'unclosed",
        "/bin/echo \\U0001F600 \\xff ${A} $$", "'a'\"b\"c",
    )
]  # fmt: skip
TOKENS = [
    b"\\x",
    b"\\u",
    b"\\U",
    b"\\0",
    b"\\n",
    b"${A}",
    b"$$",
    b"%%",
    b";",
    b"\x1f",
    b"\\U7fffffff",
    b"\\Uffffffff",
    b"\\ud800",
]


def one_input(data: bytes) -> None:
    text = as_text(data)
    _join(text.split(BETWEEN))
    for name, argument in (("ExecStartPre", text), ("ExecStop", text.split(BETWEEN))):
        try:
            found = exec_properties.to_bus(
                name, argument, "properties", find=lambda program, _option: "/bin/" + program
            )
            for _name, (_signature, rows) in found:
                for row in rows:
                    for word in (row[0], *row[1]):
                        word.encode()
            assert exec_properties.mend_commands("[Service]\n", found)
        except BadInput as error:
            _clear(error)
    try:
        words = quoting.split_words(text, "option")
    except BadInput as error:
        _clear(error)
    else:
        # Escapes may make bytes that are no UTF-8, which are refused where they are sent.
        words = [word for word in words if not has_surrogates(word)]
        assert quoting.split_words(" ".join(quoting.quote(word) for word in words), "option") == words
    prefixes, program = split_program(text)
    assert not prefixes.strip(PREFIXES)
    program_problem(program)


def _join(words: list[str]) -> None:
    try:
        line = join_command(words, "command")
    except BadInput as error:
        _clear(error)
        return
    assert "\n" not in line and "\r" not in line
    # As systemd: taken apart, then specifiers, then variables but in the program.
    parts = [
        part.replace("%%", "\0").replace("%", "specifier").replace("\0", "%")
        for part in quoting.split_words(line, "command")
    ]
    parts = parts[:1] + [part.replace("$$", "\0").replace("$", "variable").replace("\0", "$") for part in parts[1:]]
    assert parts == words, line


def _clear(error: BadInput) -> None:
    assert len(error.msg) < 800 and error.msg.isprintable(), error.msg
