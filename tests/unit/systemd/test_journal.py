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
    **dict.fromkeys(["user", "invocation", "boot", "since", "until", "priority", "match", "grep", "directory", "after_cursor"]),
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


def result(**params: t.Any) -> dict[str, t.Any]:
    """As `entries`, all that the module returns."""

    class Module:
        check_mode = False

        def __init__(self) -> None:
            self.params = {**DEFAULTS, **params}

    return gather(t.cast(t.Any, Module()))


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


def at(cursor: str, message: str = "x", usec: int = 5, **fields: t.Any) -> dict[str, t.Any]:
    """A record of the journal at a place that a cursor names."""
    return {"__CURSOR": cursor, "MESSAGE": message, "__REALTIME_TIMESTAMP": str(usec), **fields}


class TestCursors:
    """Where a task has ended, another one goes on: nothing is missed, and nothing is read twice."""

    def test_the_entry_at_the_cursor_was_read_before(self, journalctl: Journalctl) -> None:
        journalctl.answers = [[at("i=1", "a"), at("i=2", "b"), at("i=3", "c")]]
        told = result(after_cursor="i=1", lines=0)
        assert ([entry["message"] for entry in told["entries"]], told["cursor"]) == (["b", "c"], "i=3")
        assert journalctl.asked == [["--cursor=i=1"]]

    def test_what_lies_at_the_cursor_may_be_none_of_those_asked_for(self, journalctl: Journalctl) -> None:
        """Before systemd 257, --after-cursor would leave out the first one, whichever it is."""
        journalctl.answers = [[at("i=2", "b"), at("i=3", "c")]]
        assert [entry["message"] for entry in result(after_cursor="i=1", identifier=["t"])["entries"]] == ["b", "c"]
        assert journalctl.asked == [["--identifier=t", "--cursor=i=1"]]

    def test_the_first_lines_after_it(self, journalctl: Journalctl) -> None:
        journalctl.answers = [[at("i=1", "a"), at("i=2", "b"), at("i=3", "c")], [at("i=2", "b"), at("i=3", "c"), at("i=4", "d")]]
        told = result(after_cursor="i=1", lines=2)
        assert ([entry["message"] for entry in told["entries"]], told["cursor"]) == (["b", "c"], "i=3")
        told = result(after_cursor="i=1", lines=2)
        assert ([entry["message"] for entry in told["entries"]], told["cursor"]) == (["b", "c"], "i=3")

    def test_nothing_new(self, journalctl: Journalctl) -> None:
        journalctl.answers = [[at("i=1")]]
        assert result(after_cursor="i=1") == {"changed": False, "entries": [], "cursor": "i=1", "warnings": []}
        assert len(journalctl.asked) == 1

    def test_nothing_at_all_ends_where_the_journal_ends(self, journalctl: Journalctl) -> None:
        journalctl.answers = [[], [at("end")], []]
        assert (result(identifier=["t"])["cursor"], len(journalctl.asked)) == ("end", 3)
        # What is written between the two looks is not behind the cursor unread.
        journalctl.answers = [[], [at("i=7")], [at("i=6", "late")]]
        told = result(identifier=["t"])
        assert ([entry["message"] for entry in told["entries"]], told["cursor"]) == (["late"], "i=6")
        journalctl.answers = []
        assert result(identifier=["t"])["cursor"] is None

    @pytest.mark.parametrize("fields", [[], ["_COMM"], ["__CURSOR"], ["all"]])
    def test_it_is_among_the_fields_for_who_asks(self, journalctl: Journalctl, fields: list[str]) -> None:
        journalctl.answers = [[at("i=1", _COMM="sh")]]
        (entry,) = result(fields=fields)["entries"]
        assert "cursor" not in entry and ("fields" in entry) == bool(fields)
        assert ("__CURSOR" in entry.get("fields", ())) == (fields in (["__CURSOR"], ["all"]))
        assert ("_COMM" in entry.get("fields", ())) == (fields in (["_COMM"], ["all"]))

    def test_last_words_of_before_it_are_not_read_again(self, journalctl: Journalctl, monkeypatch: pytest.MonkeyPatch) -> None:
        def words(*_args: t.Any) -> list[t.Any]:
            return [journal._entry(at(f"w{usec}", f"late {usec}", usec), ["__CURSOR"]) for usec in (15, 16, 17)]

        monkeypatch.setattr("ansible_collections.pidone.systemd.plugins.module_utils._tasks.journal.info.last_words_of", words)
        cursor = "s=0;i=1;b=0;m=1;t=10;x=0"
        journalctl.answers = [[at(cursor, "read", 16), at("i=2", "new", 18)]]
        told = result(after_cursor=cursor, invocation=ID)
        assert [entry["message"] for entry in told["entries"]] == ["late 17", "new"]
        assert told["invocation_id"] == ID

    def test_two_places_to_begin_at(self, journalctl: Journalctl) -> None:
        with pytest.raises(BadInput, match="^since: 'today' and `after_cursor` are two places"):
            entries(after_cursor="i=1", since="today")

    def test_what_is_no_cursor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(command: list[str], *_options: t.Any) -> subprocess.CompletedProcess[bytes]:
            return subprocess.CompletedProcess(command, 1, b"", b"Failed to seek to cursor: Invalid argument\n")

        monkeypatch.setattr(journal, "run_program", refuse)
        with pytest.raises(BadInput, match="^after_cursor: 'i=0' is no cursor"):
            entries(after_cursor="i=0")

    def test_what_does_not_even_look_like_one(self, journalctl: Journalctl) -> None:
        """Also where there is nothing to be read."""
        with pytest.raises(BadInput, match="^after_cursor: 'nonsense' is no cursor"):
            entries(after_cursor="nonsense", invocation="0", unit=["a"])
        assert not journalctl.asked


class TestCountedInvocations:
    """0 is the last one, -1 the one before: what systemd knows comes last, what the journal tells before it."""

    ids: t.ClassVar[list[str]] = [letter * 32 for letter in "abc"]

    def told(self, monkeypatch: pytest.MonkeyPatch, journalctl: Journalctl, count: str, known: str = "", **params: t.Any) -> dict[str, t.Any]:
        info = "ansible_collections.pidone.systemd.plugins.module_utils._tasks.journal.info"
        monkeypatch.setattr(f"{info}._known_to_systemd", lambda name, *_rest: (known, name))
        said = [at("c", usec=usec, INVOCATION_ID=each) for usec, each in enumerate((*self.ids, self.ids[1]), 1)]
        journalctl.answers = [said, [at("c", usec=9, _SYSTEMD_INVOCATION_ID=self.ids[2])]] if count != "0" or not known else []
        return result(unit=["a"], invocation=count, **params)

    @pytest.mark.parametrize(
        ("count", "known", "expected"),
        [("0", "", "c"), ("-1", "", "b"), ("-2", "", "a"), ("0", "d", "d"), ("-1", "d", "c"), ("-1", "a", "c"), ("-3", "", None)],
    )
    def test_which_it_is(
        self, monkeypatch: pytest.MonkeyPatch, journalctl: Journalctl, count: str, known: str, expected: str | None
    ) -> None:
        told = self.told(monkeypatch, journalctl, count, known * 32)
        assert told["invocation_id"] == (expected and expected * 32)
        assert bool(told["warnings"]) is (expected is None)
        assert not expected or any(f"INVOCATION_ID={expected * 32}" in asked for asked in journalctl.asked)

    def test_another_journal_is_not_what_systemd_knows_of(
        self, monkeypatch: pytest.MonkeyPatch, journalctl: Journalctl
    ) -> None:
        for params in ({"directory": "/"}, {"boot": "-1"}):
            journalctl.asked.clear()
            assert self.told(monkeypatch, journalctl, "-1", "d" * 32, **params)["invocation_id"] == "b" * 32
            assert all(word in journalctl.asked[0] for word in (f"--{name}={value}" for name, value in params.items()))

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({"invocation": "0"}, ["`unit` names none"]),
            ({"invocation": "0", "unit": ["a*"]}, ["`unit` names a*"]),
            ({"invocation": "-1", "unit": ["a", "b"]}, ["-1 counts", "names a.service, b.service"]),
            ({"invocation": "1", "unit": ["a"]}, ["'1'", "0 for the last one"]),
            ({"invocation": "last", "unit": ["a"]}, ["'last'", "0 for the last one"]),
        ],
    )
    def test_bad_input(self, journalctl: Journalctl, params: dict[str, t.Any], words: list[str]) -> None:
        with pytest.raises(BadInput, match="^invocation: ") as caught:
            entries(**params)
        assert all(word in caught.value.msg for word in words), caught.value.msg
        assert not journalctl.asked


class TestManyAtOnce:
    """Logs and jobs of many units, in few runs of journalctl."""

    def wanted(self, count: int) -> list[journal.LogOf]:
        return [journal.LogOf(f"{number:032x}", f"u{number}.service", 1000) for number in range(count)]

    def read(self, wanted: list[journal.LogOf], lines: int = 2, uid: int | None = None) -> dict[str, list[str]]:
        found = journal.last_lines_of_many(wanted, lines, uid, time.monotonic() + 10)
        return {each.unit: [entry["message"] for entry in log] for each, log in found}

    def test_each_line_is_of_one(self, journalctl: Journalctl) -> None:
        first, second = self.wanted(2)
        journalctl.answers = [
            [
                at("c", "early", 900, _SYSTEMD_UNIT=first.unit),
                at("c", "of another invocation", 1500, _SYSTEMD_UNIT=first.unit, _SYSTEMD_INVOCATION_ID="f" * 32),
                at("c", "said", 1600, _SYSTEMD_UNIT=first.unit, _SYSTEMD_INVOCATION_ID=first.invocation),
                at("c", "died", 1700, UNIT=second.unit, INVOCATION_ID=second.invocation, _SYSTEMD_UNIT="init.scope", _SYSTEMD_INVOCATION_ID="e" * 32),
                at("c", "last words", 1800, _SYSTEMD_UNIT=first.unit),
            ]
        ]  # fmt: skip
        assert self.read([first, second]) == {first.unit: ["said", "last words"], second.unit: ["died"]}
        (asked,) = journalctl.asked
        assert asked == [
            *(f"_SYSTEMD_UNIT={each.unit}" for each in (first, second)), "+",
            *(f"INVOCATION_ID={each.invocation}" for each in (first, second)),
        ]  # fmt: skip

    def test_forty_at_a_time(self, journalctl: Journalctl) -> None:
        wanted = self.wanted(100)
        assert set(self.read(wanted)) == {each.unit for each in wanted}
        assert len(journalctl.asked) == 3

    def test_one_that_says_much_hides_no_other(self, journalctl: Journalctl) -> None:
        loud, quiet, done = self.wanted(3)
        flood = [at("c", str(n), 2000 + n, _SYSTEMD_UNIT=loud.unit, _SYSTEMD_INVOCATION_ID=loud.invocation) for n in range(45)]
        done = done._replace(since=1999_000_000)
        journalctl.answers = [flood, [at("c", "quiet", 1100, _SYSTEMD_UNIT=quiet.unit, _SYSTEMD_INVOCATION_ID=quiet.invocation)]]
        assert self.read([loud, quiet, done]) == {loud.unit: ["43", "44"], quiet.unit: ["quiet"], done.unit: []}
        assert len(journalctl.asked) == 2, "of what began later than the first of these there is no more"

    def test_of_a_users_manager_only_that_users_word_counts(self, journalctl: Journalctl) -> None:
        self.read(self.wanted(1), uid=1000)
        before, after = " ".join(journalctl.asked[0]).split(" + ")
        assert "_UID=1000" in before and "_UID=1000" in after and "USER_INVOCATION_ID=" in after

    def test_jobs(self, journalctl: Journalctl) -> None:
        def job(unit: str, number: int, kind: str, result: str, message: str = "x") -> dict[str, t.Any]:
            return at("c", message, UNIT=unit, JOB_ID=str(number), JOB_TYPE=kind, JOB_RESULT=result)

        journalctl.answers = [
            [
                job("a.service", 1, "start", "dependency"), at("c", UNIT="a.service", JOB_TYPE="start", JOB_RESULT="dependency"),
                job("b.service", 2, "start", "done", "b.service was skipped because of"), job("c.service", 3, "start", "dependency"),
                job("c.service", 4, "stop", "done"),
            ]
        ]  # fmt: skip
        found = journal.last_jobs_of(["a.service", "b.service", "c.service", "d.service"], None, time.monotonic() + 10)
        assert {unit: (each.id, each.type, each.result, each.skipped) for unit, each in found.items()} == {
            "a.service": (1, "start", "dependency", False),
            "b.service": (2, "start", "done", True),
            "c.service": (4, "stop", "done", False),
        }
        assert {"--boot", "_PID=1", "UNIT=a.service"} <= set(journalctl.asked[0])
