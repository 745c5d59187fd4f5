# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of unit files: read, written, compared."""

from __future__ import annotations

import signal
import typing as t

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import (
    parse,
    parse_section,
    render,
    split_lines,
    tidy,
)


def pairs(text: str) -> list[tuple[str, str, str]]:
    return [(item.section, item.key, item.value) for item in parse(text).assignments]


def same_meaning(one: str, other: str) -> bool:
    first, second = parse(one), parse(other)
    return not first.problems and not second.problems and first.meaning() == second.meaning()


class TestParse:
    def test_plain(self) -> None:
        text = "# why\n[Unit]\nDescription = A b \n\n[Service]\nExecStart=/bin/a --x=1\n"
        found = parse(text)
        assert pairs(text) == [("Unit", "Description", "A b"), ("Service", "ExecStart", "/bin/a --x=1")]
        assert found.sections == [("Unit", 2), ("Service", 5)]
        assert found.comments == ["# why"]
        assert found.problems == []

    def test_continuation_lines_are_joined_with_a_blank(self) -> None:
        text = "[Service]\nExecStart=/bin/a \\\n  --one \\\n  --two\nUser=x\n"
        assert pairs(text)[0][2] == "/bin/a    --one    --two"
        first, second = parse(text).assignments
        assert (first.line, first.last, second.line) == (2, 4, 5)
        assert first.meaning == "/bin/a --one --two"

    def test_comments_within_a_continuation_are_not_part_of_it(self) -> None:
        text = "[Service]\nExecStart=/bin/a \\\n# not me\n  ; nor me\\\n  --one\n"
        assert parse(text).assignments[0].meaning == "/bin/a --one"
        assert parse(text).comments == ["# not me", "; nor me\\"]

    def test_blank_line_ends_a_continuation(self) -> None:
        assert pairs("[A]\nB=1 \\\n\nC=2\n") == [("A", "B", "1"), ("A", "C", "2")]

    def test_continuation_at_the_end_of_the_file(self) -> None:
        assert pairs("[A]\nB=1 \\\n") == [("A", "B", "1")]
        assert pairs("[A]\nB=1 \\\n# x") == [("A", "B", "1")]
        assert not parse("[A]\nB=1 \\").problems

    def test_escaped_backslash_at_the_end_continues_nothing(self) -> None:
        assert pairs("[A]\nB=1\\\\\nC=2\\\\\\\nD\n") == [("A", "B", "1\\\\"), ("A", "C", "2\\\\ D")]

    def test_blank_after_a_backslash_continues_nothing(self) -> None:
        assert pairs("[A]\nB=1\\ \nC=2\n") == [("A", "B", "1\\"), ("A", "C", "2")]

    def test_hash_within_a_value_is_no_comment(self) -> None:
        assert pairs("[A]\nB=x # y\nC=;z\n") == [("A", "B", "x # y"), ("A", "C", ";z")]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\r"])
    def test_line_ends(self, end: str) -> None:
        assert pairs(f"[A]{end}B=1{end}{end}C=2{end}") == [("A", "B", "1"), ("A", "C", "2")]
        assert parse(f"[A]{end}B=1{end}{end}C=2").assignments[1].line == 4

    def test_byte_order_mark(self) -> None:
        assert pairs("\ufeff[A]\nB=1") == [("A", "B", "1")]

    def test_other_blanks_are_text(self) -> None:
        assert pairs("[A]\nB=\u00a0x\u2028y\f\n") == [("A", "B", "\u00a0x\u2028y\f")]

    def test_values_after_resets(self) -> None:
        text = parse("[Service]\nExecStart=a\nExecStart=b\n[Unit]\nX-A=1\n[Service]\nExecStart=\nExecStart=c\n")
        assert text.values("Service", "ExecStart") == ["c"]
        assert [item.value for item in text.assignments if item.section == "Service"] == ["a", "b", "", "c"]

    @pytest.mark.parametrize(
        ("text", "line", "message"),
        [
            ("B=1\n", 1, "before the first section"),
            ("[A]\nB\n", 2, "no '='"),
            ("[A]\n=1\n", 2, "nothing before"),
            ("[A\nB=1\n", 1, "no ']'"),
            ("[A]\nB=1\n[]\n", 3, "not a section header"),
            ("[A] # x\n", 1, "no ']'"),
            ("[A\\]\n", 1, "not a section header"),
            ("[A]\nB=a\0b\n", 2, "NUL"),
            ("[A]\nB=\udcff\n", 2, "UTF-8"),
            ("[A]\nB=1 \\\n  2\nC \\\n D\n", 4, "no '='"),
        ],
    )
    def test_problems_name_their_line(self, text: str, line: int, message: str) -> None:
        (problem,) = parse(text).problems
        assert problem.line == line
        assert message in problem.message
        assert f"line {line}: " in str(problem)

    def test_what_follows_a_bad_header_is_not_blamed_as_well(self) -> None:
        assert len(parse("[A\nB=1\nC=2\n").problems) == 1

    def test_overlong_line(self) -> None:
        assert "1 MiB" in parse("[A]\nB=" + "x" * (1024 * 1024) + "\n").problems[0].message
        assert "1 MiB" in parse("[A]\nB=\\\n" + "xxxxxxx\\\n" * (1024 * 128) + "\n").problems[0].message

    def test_a_value_on_very_many_lines_is_read_in_one_go(self) -> None:
        def late(*_arguments: object) -> None:
            raise TimeoutError

        before = signal.signal(signal.SIGALRM, late)
        signal.alarm(10)
        try:
            (item,) = parse("[A]\nB=\\\n" + "x\\\n" * 500_000 + "y\n").assignments
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        assert (item.line, item.last) == (2, 500_003)
        assert item.value == "x " * 500_000 + "y"


PIECES = st.sampled_from(
    [
        "[Install]",
        "[Unit]",
        "[Install",
        "A=b",
        "A=",
        "=",
        "\\",
        "\\\\",
        "#",
        ";",
        " ",
        "\t",
        "\n",
        "\n",
        "\n",
        "\r",
        "\ufeff",
        "x",
        '"',
        "\0",
    ]
)


class TestSection:
    @given(st.lists(PIECES, max_size=25).map("".join))
    @example("A=\\\n# x\n[Install]\nB=c\n[Install]\nA=b\n")
    @example("[Unit]\n\ufeff[Install]\nA=b\n")
    @example("[Install]\nA=b \\\n[Install]\n [Unit]\nA=c\n[Install] \nA=d")
    def test_it_is_what_the_whole_says_of_it(self, text: str) -> None:
        for section in ("Install", "Unit"):
            assert parse_section(text, section) == parse(text).meaning().get(section, [])


class TestMeaning:
    BASE = "[Unit]\nDescription=x\n\n[Service]\nExecStart=/bin/a --one --two\nUser=u\n"

    @pytest.mark.parametrize(
        "other",
        [
            BASE,
            "# c\n" + BASE + "; d\n",
            BASE.replace("=", " =  ").replace("/bin/a", "/bin/a"),
            BASE.replace("\n", "\r\n"),
            BASE.replace("--one ", "\\\n    --one \\\n# c\n\t"),
            "[Service]\nExecStart=/bin/a --one --two\n[Unit]\nDescription=x\n[Service]\nUser=u\n",
            BASE + "[Install]\n",
            BASE.rstrip("\n"),
        ],
    )
    def test_same(self, other: str) -> None:
        assert same_meaning(self.BASE, other)

    @pytest.mark.parametrize(
        "other",
        [
            BASE.replace("User=u", "User=v"),
            BASE.replace("User=u", "Group=u"),
            BASE + "User=\n",
            BASE + "[Install]\nWantedBy=a.target\n",
            BASE + "X-Note=1\n",
            "[Unit]\nDescription=x\n[Service]\nUser=u\nExecStart=/bin/a --one --two\n",
            BASE + "broken\n",
        ],
    )
    def test_different(self, other: str) -> None:
        assert not same_meaning(self.BASE, other)

    def test_blanks_within_quotes_count(self) -> None:
        assert not same_meaning('[A]\nB="x y"\n', '[A]\nB="x \\\n y"\n')
        assert not same_meaning("[A]\nB=x  y\n", "[A]\nB=x y\n")

    def test_comments(self) -> None:
        assert parse(" # a \n[A]\nB=1\n; b\n").comments == parse("[A]\n# a\n\t; b").comments == ["# a", "; b"]

    def test_tidy(self) -> None:
        assert tidy("[A]\r\nB=1") == "[A]\nB=1\n"
        assert tidy("") == ""
        assert split_lines("a\n\nb\n") == ["a", "", "b"]


class TestRender:
    def test_sections_and_kinds_of_values(self) -> None:
        sections = {
            "Unit": {"Description": "A %i", "After": ["a.target", "b.target"]},
            "Service": {
                "RemainAfterExit": True,
                "PrivateTmp": False,
                "Nice": -5,
                "IOWeight": 0.5,
                "ExecStart": ["", "/b"],
            },
            "Install": {"WantedBy": None},
            "X-Empty": None,
        }
        assert render(sections) == (
            "[Unit]\nDescription=A %i\nAfter=a.target\nAfter=b.target\n\n"
            "[Service]\nRemainAfterExit=yes\nPrivateTmp=no\nNice=-5\nIOWeight=0.5\nExecStart=\nExecStart=/b\n\n"
            "[Install]\nWantedBy=\n\n"
            "[X-Empty]\n"
        )

    def test_empty_list_writes_nothing(self) -> None:
        assert render({"Unit": {"After": [], "Description": "x"}}) == "[Unit]\nDescription=x\n"

    @pytest.mark.parametrize(
        ("value", "lines"),
        [
            (["LOG=json", "GREETING=hello world"], ["LOG=json", '"GREETING=hello world"']),
            (
                {"LOG": "json", "GREETING": "hello world", "N": 3, "B": True},
                ["LOG=json", '"GREETING=hello world"', "N=3", "B=yes"],
            ),
            ("A=1 B=2", ["A=1 B=2"]),
            (["A=1 B=2"], ['"A=1 B=2"']),
            (['"A=1 2" B=3'], ['"A=1 2" B=3']),
            (["'A=1 2'"], ["'A=1 2'"]),
            (['J={"a": "b c"}'], ['"J={\\"a\\": \\"b c\\"}"']),
            (["P=a\\b"], ['"P=a\\\\b"']),
            (["A=it's"], ['"A=it\'s"']),
            (["T=a\tb"], ['"T=a\\tb"']),
            (["", "A=%h"], ["", "A=%h"]),
            ({}, []),
            ({"A": None}, ["A="]),
            ({"A": "  b ", "C": "\td"}, ['"A=  b "', '"C=\\td"']),
            ({"A": "x\ny\n", "B": "folded z\n", "C": "\n"}, ['"A=x\\ny\\n"', '"B=folded z"', "C="]),
        ],
    )
    def test_environment(self, value: t.Any, lines: list[str]) -> None:
        text = render({"Service": {"Environment": value}})
        assert text.splitlines()[1:] == [f"Environment={line}" for line in lines]

    def test_null_is_a_word_for_standard_streams(self) -> None:
        assert "StandardOutput=null\n" in render({"Service": {"StandardOutput": None}})

    def test_trailing_line_end_of_a_block_is_dropped(self) -> None:
        assert render({"Unit": {"Description": "x\n"}}) == "[Unit]\nDescription=x\n"

    @pytest.mark.parametrize(
        ("sections", "words"),
        [
            ({"Unit": {"Description": "x\nExecStart=/bin/evil"}}, ["sections.Unit.Description", "line break"]),
            ({"Unit": {"Description": "x\r[Service]"}}, ["line break"]),
            ({"Unit": {"Description": "x\0y"}}, ["\\x00"]),
            ({"Unit": {"Description": "x\x1by"}}, ["\\x1b"]),
            ({"Unit": {"Description": "\udcff"}}, ["character"]),
            ({"Unit": {"Description": "x\\"}}, ["backslash"]),
            ({"Unit": {"After": ["a", "b\\"]}}, ["sections.Unit.After[1]", "backslash"]),
            ({"Unit": {"A=b": "x"}}, ["not a directive"]),
            ({"Unit": {"#A": "x"}}, ["not a directive"]),
            ({"Unit": {"A\nB": "x"}}, ["not a directive"]),
            ({"Unit": {True: "x"}}, ["not a directive"]),
            ({"Unit]\n[Service": {"A": "x"}}, ["not a section name"]),
            ({" Unit": {"A": "x"}}, ["not a section name"]),
            ({"": {"A": "x"}}, ["not a section name"]),
            ({"Unit": "x"}, ["sections.Unit", "mapping"]),
            ({"Unit": {"A": {"b": "c"}}}, ["sections.Unit.A", "mapping"]),
            ({"Unit": {"A": [["b"]]}}, ["sections.Unit.A[0]"]),
            ({"Unit": {"A": float("nan")}}, ["number"]),
            ({"Service": {"UMask": 18}}, ["'0755'"]),
            ({"Timer": {"OnCalendar": 630}}, ["quotes"]),
            ({"Service": {"ExecStart": ["/bin/a", "--b"]}}, ["ExecStart[1]", "one string"]),
            ({"Service": {"Environment": {"A B": "c"}}}, ["name of a variable"]),
            ("x", ["sections", "mapping"]),
        ],
    )
    def test_refused(self, sections: t.Any, words: list[str]) -> None:
        with pytest.raises(BadInput) as caught:
            render(sections)
        for word in words:
            assert word in caught.value.msg

    def test_what_is_written_is_what_is_read(self) -> None:
        sections = {"Service": {"Environment": ["A=x y", 'B="q" \\z'], "ExecStart": "/bin/a  --b # c", "Nice": 3}}
        text = parse(render(sections))
        assert not text.problems
        assert text.values("Service", "Environment") == ['"A=x y"', '"B=\\"q\\" \\\\z"']
        assert text.values("Service", "ExecStart") == ["/bin/a  --b # c"]
