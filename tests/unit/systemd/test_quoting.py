# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words in quotes: what is written is read again, by the reader here and by systemd's own."""

from __future__ import annotations

import ctypes
import glob
import string
import typing as t

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import join_command
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import (
    BREAKS,
    quote,
    quoted,
    split_words,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse, render
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.crontab import _word as cron_word
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.render import quoted as translated

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
# Characters that mean something somewhere, so that few examples meet many of them.
NASTY = st.text(st.sampled_from("a\"'\\ \t\n\r;#%$xnu0{}=\x01\x7f\x85\xa0é😀"), max_size=12)
WORDS = st.lists(TEXT | NASTY, max_size=4)
WRITERS: dict[str, t.Callable[[str], str]] = {
    "quote": quote,
    "quoted": quoted,
    "in single quotes": lambda word: quoted(word, "'"),
    "breaks alone": lambda word: quote(word, BREAKS),
    "translated": translated,
    "translated shell": lambda word: translated(word, "'"),
}
SHARED = sorted(
    glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so") + glob.glob("/usr/lib*/systemd/libsystemd-shared-*.so")
)
# EXTRACT_CUNESCAPE | EXTRACT_UNQUOTE, as config_parse_environ() has them.
FLAGS = 1 << 1 | 1 << 5


def read_by_systemd(line: bytes) -> list[bytes]:
    """The words of a line as systemd's own extract_first_word() takes them."""
    library = ctypes.CDLL(SHARED[-1])
    libc = ctypes.CDLL(None)
    libc.free.argtypes = [ctypes.c_void_p]
    rest = ctypes.c_char_p(line)
    found: list[bytes] = []
    while True:
        word = ctypes.c_void_p()
        result = library.extract_first_word(ctypes.byref(rest), ctypes.byref(word), None, FLAGS)
        assert result >= 0, (line, result)
        if not result:
            return found
        found.append(ctypes.string_at(t.cast(int, word.value)))
        libc.free(word)


@pytest.mark.parametrize("writer", WRITERS)
@given(WORDS)
@example(["", "a b", "\\", '"', "'", "\u2028"])
def test_words_are_read_as_they_were(writer: str, words: list[str]) -> None:
    line = " ".join(WRITERS[writer](word) for word in words)
    assert split_words(line, "x") == words
    assert "\n" not in line and "\r" not in line


@pytest.mark.skipif(not SHARED, reason="there is no systemd on this machine")
@pytest.mark.parametrize("writer", WRITERS)
@given(WORDS)
@example(["", "a b", "\\", '"', "'", "\u2028"])
def test_systemd_reads_words_as_they_were(writer: str, words: list[str]) -> None:
    line = " ".join(WRITERS[writer](word) for word in words)
    assert read_by_systemd(line.encode()) == [word.encode() for word in words]


@pytest.mark.skipif(not SHARED, reason="there is no systemd on this machine")
@given(st.lists(NASTY, max_size=3).map(" ".join))
def test_what_is_read_is_what_systemd_reads(line: str) -> None:
    try:
        words = split_words(line, "x")
    except BadInput:
        return
    assert read_by_systemd(line.encode()) == [word.encode("utf-8", "surrogateescape") for word in words]


@given(WORDS)
def test_commands_of_all_writers_hold_the_same_words(words: list[str]) -> None:
    argv = ["/bin/echo", *words]

    def read(line: str) -> list[str]:
        return [word.replace("%%", "%").replace("$$", "$") for word in split_words(line, "x")]

    assert read(join_command(argv, "command")) == argv
    assert read(" ".join(cron_word(word) for word in argv)) == argv


@given(
    st.dictionaries(
        st.from_regex("[A-Z_]{1,5}", fullmatch=True),
        # With line breaks inside; one alone at the end is YAML's.
        st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"], include_characters="\n\t")).filter(
            lambda text: text.find("\n") != len(text) - 1 or not text
        ),
        max_size=3,
    )
)
def test_variables_of_sections_are_words_of_the_file(variables: dict[str, str]) -> None:
    text = parse(render({"Service": {"Environment": variables}}))
    words = [word for value in text.values("Service", "Environment") for word in split_words(value, "x")]
    assert words == [f"{name}={value}" for name, value in variables.items()]


def test_bytes_that_were_no_text() -> None:
    assert quoted("a\udcff") == '"a\\xff"'
    assert split_words('"a\\xff"', "x") == ["a\udcff"]


def test_a_word_is_in_quotes_for_what_would_take_it_apart_alone() -> None:
    bare = {chr(code) for code in range(0x3000) if quote(f"a{chr(code)}b") == f"a{chr(code)}b"}
    ascii_ones = {*string.ascii_letters, *string.digits, *"_+=./:,@^~%$-"}
    assert bare == {*ascii_ones, *(chr(code) for code in range(0xA0, 0x3000))}
