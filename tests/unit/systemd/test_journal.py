# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the journal, and what is made of its answers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import journal
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.journal.info import gather, point_of_time

DEFAULTS: dict[str, t.Any] = {
    **dict.fromkeys(["user", "invocation", "boot", "since", "until", "priority", "match", "grep", "directory"]),
    "unit": [],
    "identifier": [],
    "fields": [],
    "scope": "system",
    "lines": 100,
    "timeout": "1min",
}
ID = "0123456789abcdef" * 2


class Journalctl:
    """Stands for journalctl: notes what it is asked, and answers with the records that were set for it."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.answers: list[list[dict[str, t.Any]]] = []

    def __call__(self, command: list[str], *_options: t.Any) -> subprocess.CompletedProcess[bytes]:
        self.asked.append([word for word in command[3:] if not word.startswith(("--output", "--lines", "--all"))])
        records = self.answers.pop(0) if self.answers else []
        out = "".join(json.dumps(record) + "\n" for record in records)
        return subprocess.CompletedProcess(command, 0, out.encode(), b"")


@pytest.fixture
def journalctl(monkeypatch: pytest.MonkeyPatch) -> Journalctl:
    stub = Journalctl()
    monkeypatch.setattr(journal, "run_program", stub)
    return stub


def entries(**params: t.Any) -> list[dict[str, t.Any]]:
    class Module:
        check_mode = False

        def __init__(self) -> None:
            self.params = {**DEFAULTS, **params}

    module: t.Any = Module()
    found: list[dict[str, t.Any]] = gather(module)["entries"]
    return found


@pytest.mark.parametrize("priority", ["high", "", "12", "-1", ["3", "4"], None])
def test_a_priority_may_be_anything(journalctl: Journalctl, priority: t.Any) -> None:
    journalctl.answers = [[{"PRIORITY": priority, "MESSAGE": "x"}]]
    assert entries()[0]["priority"] == 6


def test_fields_that_are_there_more_than_once_or_no_text(journalctl: Journalctl) -> None:
    journalctl.answers = [[{"MESSAGE": ["a", [98, 255]], "SYSLOG_IDENTIFIER": ["x", "y"], "PRIORITY": "3"}]]
    (entry,) = entries()
    assert (entry["message"], entry["identifier"], entry["priority"]) == ("a\nb\ufffd", "x\ny", 3)


def test_all_conditions_hold_together_with_an_invocation(journalctl: Journalctl) -> None:
    entries(invocation=ID, match={"_COMM": ["sh", "sed"]})
    both = ["_COMM=sh", "_COMM=sed"]
    assert journalctl.asked[0] == [*both, f"_SYSTEMD_INVOCATION_ID={ID}", "+", *both, f"INVOCATION_ID={ID}"]


def test_of_a_users_manager_only_what_that_user_said_counts(journalctl: Journalctl) -> None:
    """A user's manager may name any ID for that of an invocation, such as that of root's service."""
    journalctl.answers = [[], [], [{"UNIT": "a.service", "__REALTIME_TIMESTAMP": "1"}]]
    journal.last_lines_of(ID, "a.service", 5_000_000, 10, uid=1000)
    assert journalctl.asked == [
        [f"_SYSTEMD_INVOCATION_ID={ID}", "_UID=1000", "+", f"USER_INVOCATION_ID={ID}", "_UID=1000"],
        ["--since=@5", "_SYSTEMD_USER_UNIT=a.service", "_UID=1000"],
    ]
    journal.last_words_of(ID, [], ["_UID=1000"], [], uid=1000)
    assert all("_UID=1000" in asked for asked in journalctl.asked)
    journalctl.asked.clear()
    entries(scope="user", user="0", invocation=ID)
    first, second = " ".join(journalctl.asked[0]).split(" + ")[:2]
    assert "_UID=0" in first and "_UID=0" in second
    journalctl.asked.clear()
    journal.last_lines_of(ID, "a.service", 5_000_000, 10)
    assert not any("_UID" in word for asked in journalctl.asked for word in asked)


def test_more_than_a_result_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = [sys.executable, "-c", "while True: print('{\"MESSAGE\": \"' + 'x' * 100000 + '\"}')"]
    monkeypatch.setattr(journal, "run_program", lambda command, timeout: run_program(endless, timeout))
    with pytest.raises(
        BadInput, match=r"^lines: all entries that were asked for are more than the 16 MiB .* ask for fewer"
    ):
        entries(lines=0)


def test_all_of_the_reading_ends_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def slow(command: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
        given.append(timeout)
        time.sleep(0.1)
        told = {"UNIT": "a.service", "__REALTIME_TIMESTAMP": "1000000"}
        return subprocess.CompletedProcess(command, 0, json.dumps(told).encode(), b"")

    monkeypatch.setattr(journal, "run_program", slow)
    entries(invocation=ID, timeout="10s")
    assert len(given) == 4
    assert all(later <= earlier - 0.1 for earlier, later in zip([10.0, *given], given[1:]))


def test_units_of_another_user(journalctl: Journalctl) -> None:
    entries(scope="user", user="0", unit=["a.service"])
    fields = ("_SYSTEMD_USER_UNIT", "USER_UNIT", "COREDUMP_USER_UNIT", "OBJECT_SYSTEMD_USER_UNIT")
    expected = " + ".join(f"{field}=a.service _UID=0" for field in fields)
    assert " ".join(journalctl.asked[0]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T18:00:00Z", "@1795370400.000000"),
        ("2026-11-22T18:00:00.5z", "@1795370400.500000"),
        ("2026-11-22T18:00:00.123456789+01:00", "@1795366800.123456"),
        ("1795370400000001", "@1795370400.000001"),
        ("2026-11-22 18:00", "2026-11-22 18:00"),
        ("-1h", "-1h"),
        ("2026-11-22Tnoon", "2026-11-22Tnoon"),
    ],
)
def test_points_of_time(text: str, expected: str) -> None:
    assert point_of_time(text, "since") == expected


@pytest.mark.parametrize(
    "params",
    [{"since": " "}, {"timeout": "0"}, {"match": {"A": None}}, {"match": {"A": True}}, {"match": {"A": {}}},
     {"match": {"__CURSOR": "x"}}, {"match": {"1A": "x"}}],
)  # fmt: skip
def test_bad_input(params: dict[str, t.Any], journalctl: Journalctl) -> None:
    with pytest.raises(BadInput, match=f"^{next(iter(params))}: "):
        entries(**params)
    assert not journalctl.asked


def test_times_that_are_the_wrong_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: list[str], *_options: t.Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1, b"", b"--since= must be before --until=.\n")

    monkeypatch.setattr(journal, "run_program", refuse)
    with pytest.raises(BadInput, match="^since: 'today' is later than `until`, '-2d'"):
        entries(since="today", until="-2d")


def test_last_words_without_an_invocation(journalctl: Journalctl) -> None:
    def said(seconds: float, text: str, **fields: str) -> dict[str, t.Any]:
        when = str(int((1000 + seconds) * 10**6))
        return {"__REALTIME_TIMESTAMP": when, "MESSAGE": text, **fields}

    ours, other = {"UNIT": "a.service", "INVOCATION_ID": ID}, {"UNIT": "a.service", "INVOCATION_ID": "f" * 32}
    word = {"_SYSTEMD_UNIT": "a.service"}
    told = [said(0, "started", **ours), said(0.2, "failed", **ours)]
    journalctl.answers = [
        told,
        [*told, said(-1, "failed", **other), said(2, "started", **other)],
        [
            said(-1.5, "of the one before", **word),
            said(0.1, "known", _SYSTEMD_INVOCATION_ID=ID, **word),
            said(0.3, "last words", **word),
            said(0.3, "another's", _SYSTEMD_UNIT="b.service"),
            said(2.1, "of the next one", **word),
        ],
    ]
    found = journal.last_words_of(ID, [], ["_COMM=sh"], ["_SYSTEMD_UNIT"])
    assert [entry["message"] for entry in found] == ["last words"]
    assert found[0]["fields"] == word
    assert journalctl.asked[2][-1] == "_COMM=sh"


def test_numbers_that_are_none_are_none(journalctl: Journalctl) -> None:
    """A journal that came from elsewhere may hold anything."""
    journalctl.answers = [
        [{"_PID": "\u00b2", "__REALTIME_TIMESTAMP": "x"}, {"_PID": ["1"], "__REALTIME_TIMESTAMP": "7" * 5000}]
    ]
    assert [(entry["pid"], entry["usec"]) for entry in entries()] == [(None, 0), (None, 0)]


def test_a_line_that_was_cut_short_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """journalctl was killed, or the disk is full: what came whole is told, and a failure report goes on."""
    monkeypatch.setattr(journal, "_journalctl", lambda _arguments, _timeout: [b'{"MESSAGE": "a"}', b"3", b'{"MESSAGE": "b'])
    assert [entry["message"] for entry in journal.read_journal([], None)] == ["a"]


def test_the_newest_invocation_is_one_that_the_manager_named(journalctl: Journalctl, monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[dict[str, t.Any]] = [
        {"__REALTIME_TIMESTAMP": "100", "INVOCATION_ID": "a" * 32},
        {"__REALTIME_TIMESTAMP": "300", "INVOCATION_ID": "b" * 32},
        {"__REALTIME_TIMESTAMP": "400", "INVOCATION_ID": ["c" * 32, "d" * 32]},
        {"__REALTIME_TIMESTAMP": "500", "MESSAGE": "reloaded"},
    ]
    told = [journal._entry(record, ["INVOCATION_ID"]) for record in records]
    asked: list[t.Sequence[str]] = []

    def read(arguments: t.Sequence[str], *_rest: t.Any) -> list[t.Any]:
        asked.append(arguments)
        return told

    monkeypatch.setattr(journal, "read_journal", read)
    assert journal.newest_invocation_of("a.service", 200) == "b" * 32
    assert journal.newest_invocation_of("a.service", 350) == ""
    assert [argument for argument in asked[0] if "=" in argument[2:]] == ["--since=@0", "UNIT=a.service", "_PID=1"]
    journal.newest_invocation_of("a.service", 0, 1000)
    assert asked[-1][1:] == ["USER_UNIT=a.service", "_UID=1000"]
