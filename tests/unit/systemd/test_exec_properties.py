# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directives as typed D-Bus properties. tests/hosts/test_run.py compares them with what systemd makes of unit files."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.exec import (
    _NOT_HERE,
    _RENAMED,
    _ROWS,
    command_property,
    find_program,
    mend_commands,
    to_bus,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import parse_signal
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import PROPERTIES
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import split_words


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("Description", "two words", [("Description", ("s", "two words"))]),
        ("ProtectSystem", True, [("ProtectSystem", ("s", "yes"))]),
        ("Nice", -5, [("Nice", ("i", -5))]),
        ("RemainAfterExit", "on", [("RemainAfterExit", ("b", True))]),
        ("PrivateTmp", 0, [("PrivateTmp", ("b", False))]),
        ("PrivateTmp", "disconnected", [("PrivateTmpEx", ("s", "disconnected"))]),
        ("RestartSec", 2, [("RestartUSec", ("t", 2_000_000))]),
        ("RestartSec", "1.5min", [("RestartUSec", ("t", 90_000_000))]),
        ("TimeoutStopSec", 0, [("TimeoutStopUSec", ("t", INFINITY))]),
        ("TimeoutSec", "1s", [("TimeoutStartUSec", ("t", 10**6)), ("TimeoutStopUSec", ("t", 10**6))]),
        ("TimerSlackNSec", "70", [("TimerSlackNSec", ("t", 70))]),
        ("TimerSlackNSec", "1us", [("TimerSlackNSec", ("t", 1000))]),
        ("After", "a.service 'b.service'", [("After", ("as", ["a.service", "b.service"]))]),
        ("After", ["a.service", "b.service"], [("After", ("as", ["a.service"])), ("After", ("as", ["b.service"]))]),
        ("Environment", {"A": "x y", "B": 1, "C": None}, [("Environment", ("as", ["A=x y"])), ("Environment", ("as", ["B=1"]))]),
        ("Environment", ["A=x y"], [("Environment", ("as", ["A=x y"]))]),
        ("Environment", 'A=1 "B=x y"', [("Environment", ("as", ["A=1", "B=x y"]))]),
        ("EnvironmentFile", "-/etc/default/x", [("EnvironmentFiles", ("a(sb)", [("/etc/default/x", True)]))]),
        ("UMask", "027", [("UMask", ("u", 0o27))]),
        ("KillSignal", "int", [("KillSignal", ("i", 2))]),
        ("SuccessExitStatus", "1 TEMPFAIL SIGTERM", [("SuccessExitStatus", ("(aiai)", ([1, 75], [15])))]),
        ("LimitNOFILE", "10:20", [("LimitNOFILE", ("t", 20)), ("LimitNOFILESoft", ("t", 10))]),
        ("LimitCORE", "infinity", [("LimitCORE", ("t", INFINITY)), ("LimitCORESoft", ("t", INFINITY))]),
        ("LimitMEMLOCK", "1K", [("LimitMEMLOCK", ("t", 1024)), ("LimitMEMLOCKSoft", ("t", 1024))]),
        ("LimitCPU", "1.5s", [("LimitCPU", ("t", 2)), ("LimitCPUSoft", ("t", 2))]),
        ("LimitNICE", "-5", [("LimitNICE", ("t", 25)), ("LimitNICESoft", ("t", 25))]),
        ("CapabilityBoundingSet", "CAP_CHOWN cap_kill", [("CapabilityBoundingSet", ("t", 0b100001))]),
        ("CapabilityBoundingSet", "~CAP_CHOWN", [("CapabilityBoundingSet", ("t", INFINITY - 1))]),
        ("SystemCallFilter", "~@mount chroot", [("SystemCallFilter", ("(bas)", (False, ["@mount", "chroot"])))]),
        ("RestrictNamespaces", "user", [("RestrictNamespaces", ("t", 0x10000000))]),
        ("RestrictNamespaces", True, [("RestrictNamespaces", ("t", 0))]),
        ("CPUAffinity", "0 8-9", [("CPUAffinity", ("ay", b"\x01\x03"))]),
        ("SyslogFacility", "daemon", [("SyslogFacility", ("i", 3))]),
        ("SyslogLevel", "err", [("SyslogLevel", ("i", 3))]),
        ("StandardOutput", "append:/a b", [("StandardOutputFileToAppend", ("s", "/a b"))]),
        ("StandardOutput", "journal", [("StandardOutput", ("s", "journal"))]),
        ("StandardInputText", "x\\y", [("StandardInputData", ("ay", b"x\\y\n"))]),
        ("BindPaths", "/a:/b:norbind -/c", [("BindPaths", ("a(ssbt)", [("/a", "/b", False, 0), ("/c", "/c", True, 16384)]))]),
        ("RuntimeDirectory", "a b:c", [("RuntimeDirectory", ("as", ["a"])), ("RuntimeDirectorySymlink", ("a(sst)", [("b", "c", 0)]))]),
        ("ConditionPathExists", "|!/x", [("Conditions", ("a(sbbs)", [("ConditionPathExists", True, True, "/x")]))]),
        ("OnBootSec", "5min", [("TimersMonotonic", ("a(st)", [("OnBootSec", 300_000_000)]))]),
        ("OnCalendar", "daily", [("TimersCalendar", ("a(ss)", [("OnCalendar", "daily")]))]),
        ("ExecStop", "-/bin/true 'a b' $X", [("ExecStop", ("a(sasb)", [("/bin/true", ["/bin/true", "a b", "$X"], True)]))]),
        ("ExecStop", ":@/bin/true me $X", [("ExecStop", ("a(sasb)", [("/bin/true", ["me", "$$X"], False)]))]),
        ("ExecStop", "+-/bin/true", [("ExecStopEx", ("a(sasas)", [("/bin/true", ["/bin/true"], ["privileged", "ignore-failure"])]))]),
        ("ExecStop", "!!/bin/true", [("ExecStopEx", ("a(sasas)", [("/bin/true", ["/bin/true"], ["ambient"])]))]),
        ("ExecStop", "", [("ExecStop", ("a(sasb)", []))]),
        ("BindTo", "a.mount", [("BindsTo", ("as", ["a.mount"]))]),
        ("Nice", None, []),
    ],
    ids=str,
)  # fmt: skip
def test_conversions(name: str, value: t.Any, wanted: t.Any) -> None:
    assert to_bus(name, value, f"properties: {name}") == wanted


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Nice", "20", "goes from -20 to 19"),
        ("Nice", "much", "whole number"),
        ("Nice", [1, 2], "one value"),
        ("RemainAfterExit", "maybe", "boolean"),
        ("RestartSec", "soon", "time span"),
        ("UMask", 18, "in quotes"),
        ("UMask", "0888", "file mode"),
        ("KillSignal", "SIGFOO", "signal"),
        ("LimitNOFILE", "20:10", "above the hard limit"),
        ("CapabilityBoundingSet", "CAP_FLY", "CAP_FLY"),
        ("SuccessExitStatus", "256", "255"),
        ("SuccessExitStatus", "GREAT", "neither"),
        ("Environment", "A", "NAME=VALUE"),
        ("Environment", {"A=B": "x"}, "name of a variable"),
        ("Environment", "'A=1", "not closed"),
        ("After", {"a": 1}, "not a mapping"),
        ("After", "a\\qb", "escape"),
        ("Description", "a\n[Service]\nUser=root", "line break"),
        ("User", "a\0b", "NUL"),
        ("StandardInputData", "@@", "base64"),
        ("SyslogLevel", "loud", "warning"),
        ("BindPaths", "/a:/b:maybe", "norbind"),
        ("ExecStop", "/rt/none", "/rt/none"),
        ("ExecStop", "@/bin/true", "no command"),
        ("RootHash", "x", "unit_file"),
        ("NotYetInvented", "x", "unit_file"),
    ],
)
def test_refusals(name: str, value: t.Any, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        to_bus(name, value, f"properties: {name}")
    assert caught.value.msg.startswith(f"properties: {name}")
    assert words in caught.value.msg


def test_directives_of_later_versions_with_plain_values() -> None:
    assert to_bus("NotYetInvented", True, "x", "BOOLEAN") == [("NotYetInvented", ("b", True))]
    assert to_bus("NotYetInventedSec", "1s", "x", "SECONDS") == [("NotYetInventedUSec", ("t", 10**6))]


def test_each_directive_has_one_row() -> None:
    names = [name for _kind, words in _ROWS for name in words.split()]
    assert len(names) == len({*names})
    assert not {*names} & {*PROPERTIES, *_NOT_HERE, *_RENAMED}


def test_signals() -> None:
    assert [parse_signal(word, "x") for word in ("SIGTERM", "term", "15", "RTMIN+1")] == [15, 15, 15, 35]
    for bad in ("0", "65", "RTMIN+99", "SIG", "RTMIN+"):
        with pytest.raises(BadInput):
            parse_signal(bad, "x")


def test_programs(tmp_path: t.Any) -> None:
    assert find_program("/bin/sh", "command") == "/bin/sh"
    assert find_program("sh", "command").endswith("/sh")
    (tmp_path / "script").write_text("")
    for bad in (str(tmp_path), str(tmp_path / "script"), str(tmp_path / "none"), "bin/sh", "rt-none"):
        with pytest.raises(BadInput, match="^command: "):
            find_program(bad, "command")


class TestMending:
    """The commands in the file of a transient unit."""

    SENT = [
        command_property("ExecStart", "/bin/sh", ["sh", "-c", 'echo "$X" 5% \\ \n'], ["no-env-expand"]),
        *to_bus("ExecStartPre", ["/bin/false", "", "-/bin/true $A", "+/bin/true b"], "x"),
    ]

    def test_written_anew(self) -> None:
        text = (
            '# made by systemd\n[Service]\nType=exec\nExecStartPreEx=\nExecStartPreEx=-:/bin/true "\\$A"\n'
            'ExecStart=\nExecStart=@/bin/sh "sh" "-c" "x"\nExecStopPost=/bin/true\nLogExtraFields=A=$b\n'
        )
        assert mend_commands(text, self.SENT).splitlines() == [
            "# made by systemd",
            "[Service]",
            "Type=exec",
            "ExecStopPost=/bin/true",
            "LogExtraFields=A=$b",
            "[Service]",
            'ExecStart="@/bin/sh" "sh" "-c" "echo \\"$$X\\" 5%% \\\\ \\n"',
            'ExecStartPre="-@/bin/true" "/bin/true" "$A"',
            'ExecStartPre="+@/bin/true" "/bin/true" "b"',
        ]

    def test_nothing_to_do(self) -> None:
        assert mend_commands("[Service]\nType=exec\n", [("Type", ("s", "exec"))]) == "[Service]\nType=exec\n"

    @given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
    def test_words_are_read_as_they_were_sent(self, argv: list[str]) -> None:
        text = mend_commands("", [command_property("ExecStart", "/bin/sh", argv)])
        line = text.split("ExecStart=", 1)[1]
        assert "\n" not in line[:-1]
        words = [word.replace("%%", "%") for word in split_words(line, "x")]
        assert words == ["@/bin/sh", *argv]
