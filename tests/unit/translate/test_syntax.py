# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quoting, calendars and shell text against the programs that read them."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import snooze
from ansible_collections.pidone.systemd.plugins.plugin_utils._model import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command, unit_name
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell import words
from tests.unit.translate.harness import keys, main_section, one

TEXT = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF, blacklist_categories=["Cs"]), max_size=20)


def unquote(line: str) -> list[str]:
    """Words of a line as systemd.syntax(7) and systemd.service(5) read them, specifiers and `$$` undone."""
    words: list[str] = []
    at = 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        word = ""
        mark = ""
        while at < len(line) and (mark or line[at] != " "):
            char = line[at]
            if mark and char == mark:
                mark = ""
            elif not mark and char in "\"'" and not word:
                mark = char
            elif char == "\\":
                at += 1
                code = line[at]
                if code == "x":
                    word += chr(int(line[at + 1 : at + 3], 16))
                    at += 2
                else:
                    word += {"n": "\n", "t": "\t"}.get(code, code)
            else:
                word += char
            at += 1
        words.append(word.replace("$$", "$").replace("%%", "%"))
    return words


@given(st.lists(TEXT, max_size=4))
def test_arguments_arrive_as_they_were(words: list[str]) -> None:
    line = render.command(Command.of("/bin/echo", *words))
    assert "\n" not in line
    assert unquote(line) == ["/bin/echo", *words]


@given(TEXT)
def test_kept_shell_arrives_as_it_was(text: str) -> None:
    assert unquote(render.command(Command(line=text))) == ["/bin/sh", "-c", text]


@given(TEXT)
def test_values_of_variables_arrive_as_they_were(text: str) -> None:
    assert unquote(render.environment("A", words.lit(text.replace("$$", "")))) == ["A=" + text.replace("$$", "")]


@given(TEXT)
def test_the_shell_reads_quoted_words_as_they_were(text: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {words.quote(text)}"], capture_output=True, check=True)
    assert done.stdout.decode() == text


def test_specifiers_in_kept_shell_stay_specifiers() -> None:
    result = one('#!/bin/sh\nexec webd "$(hostname)" "$(nproc)" 100%\n')
    assert main_section(result)["ExecStart"] == "/bin/sh -c 'exec webd %H \"$$(nproc)\" \\'100%%\\''".replace(
        "\\'100%%\\'", "\\'100%%\\'"
    )


@pytest.mark.parametrize(
    ("code", "status", "wanted"),
    [
        ("exited", "0", "0 0"),
        ("exited", "111", "111 0"),
        ("killed", "TERM", "-1 15"),
        ("killed", "KILL", "-1 9"),
        ("dumped", "SEGV", "-1 139"),
    ],
)
def test_finish_gets_the_arguments_runsv_gives(code: str, status: str, wanted: str) -> None:
    result = one(
        {
            "run": "#!/bin/sh\nexec webd\n",
            "finish": '#!/bin/sh\necho "$1" "$2"\ntest "$2" = 0 || echo "$@" > /dev/stdout\n',
        }
    )
    line = unquote(main_section(result)["ExecStopPost"])
    assert line[0] == "-/bin/sh"
    environment = {"EXIT_CODE": code, "EXIT_STATUS": status, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", *line[1:]], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert set(done.stdout.splitlines()) <= {wanted} and (wanted.endswith(" 0") or done.stdout)


def elapses(expression: str, start: str, count: int) -> list[str]:
    done = subprocess.run(
        ["systemd-analyze", "calendar", f"--base-time={start}", f"--iterations={count}", expression],
        capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    return re.findall(r"(?:Next elapse|Iter\. #\d+|Iteration #\d+): \w+ ([-0-9]+ [0-9:]+)", done.stdout)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, ["2026-01-02 00:00:00", "2026-01-03 00:00:00"]),
        ({"H": "3"}, ["2026-01-01 03:00:00", "2026-01-02 03:00:00"]),
        ({"H": "*"}, ["2026-01-01 01:00:00", "2026-01-01 02:00:00"]),
        ({"H": "/6"}, ["2026-01-01 06:00:00", "2026-01-01 12:00:00"]),
        ({"H": "*", "M": "/20"}, ["2026-01-01 00:20:00", "2026-01-01 00:40:00"]),
        ({"w": "0"}, ["2026-01-04 00:00:00", "2026-01-11 00:00:00"]),
        ({"w": "7"}, ["2026-01-04 00:00:00", "2026-01-11 00:00:00"]),
        ({"w": "1-5", "H": "4", "M": "30"}, ["2026-01-01 04:30:00", "2026-01-02 04:30:00"]),
        # as its parser does: from nothing up in steps, so the tenth is the first
        ({"d": "/10"}, ["2026-01-10 00:00:00", "2026-01-20 00:00:00"]),
        ({"d": "1,15"}, ["2026-01-15 00:00:00", "2026-02-01 00:00:00"]),
        # both fields count, unlike in cron
        ({"d": "1-7", "w": "1"}, ["2026-01-05 00:00:00", "2026-02-02 00:00:00"]),
        ({"m": "3-4", "d": "31"}, ["2026-03-31 00:00:00", "2027-03-31 00:00:00"]),
    ],
)
def test_snooze_times(fields: dict[str, str], wanted: list[str]) -> None:
    assert elapses(snooze.calendar(fields), "2026-01-01 00:00:30", 2) == wanted


@pytest.mark.parametrize(("given_text", "wanted"), [("90", "90s"), ("5m", "5min"), ("2h", "2h"), ("1d", "1d")])
def test_snooze_spans(given_text: str, wanted: str) -> None:
    assert snooze.duration(given_text) == wanted


@pytest.mark.parametrize("script", ["exec webd $(", "if true; then", "exec webd 'a", "case x in", "{ webd;"])
def test_what_does_not_parse_is_run_as_it_is(script: str) -> None:
    assert one(f"#!/bin/sh\n{script}\n")["translation"] == "wrapped"


def test_unit_names() -> None:
    assert unit_name("web-1.x@a:b_c") == "web-1.x@a:b_c"
    assert unit_name("a b/é") == "a\\x20b\\x2f\\xc3\\xa9"
    assert unit_name(".hidden") == "\\x2ehidden"


def test_kept_shell_has_the_constants_that_left_the_script() -> None:
    result = one('#!/bin/sh\nA=/x\nB=\'y z\'\nC="it\'s"\nif [ -e $A ]; then touch "$B" "$C"; fi\nexec webd\n')
    line = unquote(main_section(result)["ExecStartPre"])
    assert line[-1] == "B='y z'; C='it'\\''s'; if [ -e /x ]; then touch \"$B\" \"$C\"; fi"


def test_variables_never_set_are_named() -> None:
    assert "shell.unset-optional" in keys(one("#!/bin/sh\nexec webd $OPTIONS\n"), "info")
    assert "shell.unset-optional" not in keys(one("#!/bin/sh\nexec webd ${OPTIONS:--x}\n"))


def test_blanks_between_expansions_stay() -> None:
    script = '#!/bin/sh\nA=1\nB=2\nexport C="$A  $B"\nexec webd "$A $B" "x $A ${B} ${A%x}" "$A $(nproc) $B"\n'
    line = unquote(main_section(one(script))["ExecStart"])
    assert line[:2] == ["/bin/sh", "-c"]
    shown = "nproc() { echo 8; }; " + line[2].replace("exec webd", "printf '<%s>'")
    done = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout == "<1 2><x 1 2 1><1 8 2>"
    assert main_section(one(script))["Environment"] == '"C=1  2"'


ATOMS = [
    "$A", '"$A"', '"$A $B"', '"$B  ${C}x"', "a", "b-c", "'q r'", '"q\\"r"', "--x=$A", '--y="$C"', "$C", "${C%c*}", '"${D##*/}"', "${U:-d e}",
    '"${U:-d e}"', "${A:+p q}", '"x $((2+3)) $A"', "$(basename $D)", '"a$(basename "$D")b"', "'a'\"b\"c", "%h", '"100%"', '"\\\\n"',
    '"$A"$B', "$A$B", "${U}", '"${U}"', '"${#D}"', '"a\nb"', "é", '"é $A"', "~x=1", "\\\n  z", "${D%%.*}", '"`basename $D` $B"',
    '"$@"', '"${A:-z} ${U-w} "', '${U:-"d e"}', '${U:-d"e f"g}', '"${U:-d e}"x', "$A\\ b", 'a\\ $A', '"$A"\\ $C', '${A:+"p q"}', '$A\\  b',
]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=2).map("".join), min_size=1, max_size=6))
def test_the_program_gets_the_arguments_that_a_shell_gives_it(words: list[str]) -> None:
    setup = 'A=1\nB="x y"\nC="a b  c"\nD=/etc/p.d/f.tar.gz\n'
    arguments = " ".join(words)
    shown = "printf '<%s>' "
    wanted = subprocess.run(["dash", "-c", setup + shown + arguments], capture_output=True, check=True).stdout
    result = one(f"#!/bin/sh\n{setup}exec /bin/p {arguments}\n")
    line = unquote(main_section(result)["ExecStart"])
    if result["translation"] == "wrapped":
        # By what a shell alone can do, or what the parser cannot be trusted with.
        assert {"shell.line", "script.syntax"} & keys(result, "warning") and "$" in arguments
    elif line[0] == "/bin/sh":
        text = line[2].replace("exec /bin/p", shown)
        assert subprocess.run(["dash", "-c", text], capture_output=True, check=True).stdout == wanted
    else:
        assert "".join(f"<{word}>" for word in line[1:] or [""]).encode() == wanted


@pytest.mark.parametrize(("end", "codes"), [(";;", "2"), (";&", None), (";;&", None)])
def test_a_branch_that_falls_through_is_no_exit_code_of_its_own(end: str, codes: str | None) -> None:
    finish = f"#!/bin/bash\ncase $1 in\n1) echo bye {end}\n2) sv down . ;;\nesac\n"
    section = main_section(one({"run": "#!/bin/sh\nexec webd\n", "finish": finish}))
    # A list of codes has one entry each.
    assert "".join(section.get("RestartPreventExitStatus", [])) == (codes or "")
    assert ("ExecStopPost" in section) is (codes is None)
