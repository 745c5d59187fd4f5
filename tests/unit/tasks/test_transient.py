# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `run` makes of its options, of what is there, and of how a command ended; the rest is in tests/hosts/test_run.py."""

from __future__ import annotations

import os
import random
import shlex
import signal
import threading
import time
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import known as directives
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.exec import to_bus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Job, UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import split_words
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run import request as run_request
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run import service as run_service
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.outcome import (
    RESOURCES,
    Outcome,
    RunFailed,
    exit_facts,
    halted,
    hold_against,
    screen,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.output import Output, as_text, printed
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.request import (
    Request,
    build,
    check_options,
    words_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.scope import expanded
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.service import Refused, RunService
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.task import _existing

DEFAULTS: dict[str, t.Any] = {
    "command": "true",
    "unit_type": "service",
    "stdin_add_newline": True,
    "strip_empty_ends": True,
    "expand_argument_vars": False,
    "wait": True,
    "remain_after_exit": False,
    "collect": True,
    "scope": "system",
}
OTHERS = (
    "name description properties timer_properties working_directory run_as run_as_group environment slice stdin creates removes "
    "timeout user output_limit"
).split()


def options(**given: t.Any) -> dict[str, t.Any]:
    return {**dict.fromkeys((*OTHERS, *run_request.TRIGGERS)), **DEFAULTS, **given}


class Manager(NoManager):
    """As much of a manager as is asked; `units` are what is there, `values` their properties."""

    offline, runs = False, True

    def __init__(self, units: dict[str, tuple[str, str]] | None = None, **values: t.Any) -> None:
        self.units = units or {}
        self.values = {"Version": "257", **values}
        self.connection = type("Connection", (), {"is_bus": True, "call_many": self.call_many})()
        self.sent: list[t.Any] = []

    def manager_property(self, name: str) -> t.Any:
        return self.values.get(name)

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        rows = []
        for name in names:
            active, sub = self.units.get(name, ("inactive", "dead"))
            load = "loaded" if name in self.units else "not-found"
            rows.append(UnitStatus(name, "", load, active, sub, "", f"/{name}", 0, "", "/"))
        return rows

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        return [self.values.get(name) for _path, _interface, name in wanted]

    def call_many(self, calls: t.Sequence[Call], deadline: float) -> list[t.Any]:
        return [(("", self.values.get(call.body[1])),) for call in calls]

    def watch_unit(self, name: str) -> list[t.Any]:
        return []

    def start_transient(self, name: str, properties: t.Any, others: t.Any = ()) -> Job:
        self.sent.append((name, dict(properties)))
        return Job(7, "/job/7", name, "start")

    def wait_for_jobs(self, jobs: t.Sequence[Job], deadline: float) -> dict[int, str]:
        return {job.id: self.values.get("job", "done") for job in jobs}


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A systemd of few words."""
    service = dict.fromkeys(
        "Type Environment User Group Nice RuntimeMaxSec TimeoutStartSec Restart RemainAfterExit Slice".split(), "X"
    )
    table = {
        "Unit": {"Description": "STRING", "CollectMode": "STRING", "After": "UNIT"},
        "Service": {**service, "WorkingDirectory": "PATH", "MemoryMax": "LIMIT", "NewIdea": "BOOLEAN"},
        "Timer": {"AccuracySec": "SECONDS", "RemainAfterElapse": "BOOLEAN", "OnClockChange": "BOOLEAN"},
        "Socket": {"ListenStream": "SOCKET"},
        "Install": {"WantedBy": "UNIT"},
        "Scope": {"MemoryMax": "LIMIT"},
    }
    monkeypatch.setattr(directives, "load_table", lambda: table)


def request(**given: t.Any) -> Request:
    params = options(**given)
    check_options(params)
    return build(params, Manager(), False)


def test_words() -> None:
    assert words_of("a 'b  c' $d") == ["a", "b  c", "$d"]
    assert words_of(["a", 1, 2.5, ""]) == ["a", "1", "2.5", ""]
    for bad in ("", "  ", [], [""], ["a", None], ["a", True], {"a": 1}, "a 'b", 7):
        with pytest.raises(BadInput, match="^command"):
            words_of(bad)


def test_a_service() -> None:
    made = request(
        command=["sh", "-c", "echo $1"],
        properties={"Nice": 3, "NewIdea": True, "MemoryMax": "1K", "Environment": ["A=1"]},
        environment={"A": 2},
        slice="some",
        timeout="1min",
    )
    assert made.made_up and made.name.startswith("ansible-run-") and made.name.endswith(".service")
    sent = made.properties
    for wanted in (
        ("Nice", ("i", 3)),
        ("NewIdea", ("b", True)),
        ("MemoryMax", ("t", 1024)),
        ("Slice", ("s", "some.slice")),
        ("RuntimeMaxUSec", ("t", 60_000_000)),
        ("CollectMode", ("s", "inactive-or-failed")),
        ("Type", ("s", "exec")),
    ):
        assert wanted in sent
    assert [value[1] for name, value in sent if name == "Environment"] == [["A=1"], ["A=2"]]
    (command,) = (value for name, value in sent if name == "ExecStart")
    assert command[1][0][1:] == (["sh", "-c", "echo $$1"], False)
    assert made.captured == ["stdout", "stderr"]
    assert made.mark == ""


def test_options_that_become_other_directives() -> None:
    assert ("TimeoutStartUSec", ("t", 10**6)) in request(timeout="1s", properties={"Type": "oneshot"}).properties
    assert ("RemainAfterExit", ("b", True)) in request(remain_after_exit=True).properties
    assert not any(name == "CollectMode" for name, _value in request(collect=False).properties)
    assert request(stdin="a").stdin == b"a\n"
    assert request(stdin="a", stdin_add_newline=False).stdin == b"a"
    scope = request(unit_type="scope", run_as="root", environment={"A": 1})
    assert [name for name, _value in scope.properties] == ["Description", "CollectMode"]


def test_a_description_has_neither_arguments_nor_control_characters() -> None:
    for given in ({}, {"on_active": "1h"}, {"unit_type": "scope"}):
        made = request(command=["echo", "s3cret"], environment={"A": "s3cret"}, **given)
        shown = [value[1] for name, value in [*made.properties, *made.timer_properties] if name == "Description"]
        assert shown and all("echo" in text and "s3cret" not in text for text in shown)
    made = build(options(command=["/rt/e\n\x1b[1m"]), Manager(), True)
    (text,) = (value[1] for name, value in made.properties if name == "Description")
    assert text.isprintable()
    assert ("Description", ("s", "mine")) in request(description="mine").properties


@pytest.mark.parametrize(
    "text",
    [
        "a 'b  c' $d", "a\\ b", "a\\\nb", "''", "a'' ''b", '"a\\"b\\\\c\\d"', "'a\\'", "\ta\r\nb ", " ", "a#b # c", "a\u2003b\x0cc", "\"a\nb\"'c'd",
        "'", '"', "a\\", "a 'b", 'a "b\\"', '"\\', "a\"b'c",
    ],
)  # fmt: skip
def test_words_are_those_of_a_shell(text: str) -> None:
    try:
        expected = shlex.split(text)
    except ValueError:
        with pytest.raises(ValueError):
            split_words(text)
        return
    assert split_words(text) == expected


def test_any_words_are_those_of_a_shell() -> None:
    chosen = random.Random(7)
    for _each in range(3000):
        text = "".join(chosen.choices("ab '\"\\\n", k=chosen.randint(0, 12)))
        test_words_are_those_of_a_shell(text)


@pytest.mark.parametrize(
    "command", ["1" * (1 << 20), "'" + "1" * (1 << 20), ["/bin/true", "1" * (1 << 17)], "a " + "\u00e9" * (1 << 16)]
)
def test_a_word_without_end_is_refused_at_once(command: t.Any) -> None:
    began = time.process_time()
    with pytest.raises(BadInput, match=r"^command: ") as caught:
        words_of(command)
    assert len(caught.value.msg) < 300
    assert time.process_time() - began < 1


def test_variables_in_the_words_of_a_scope() -> None:
    words = ["$FOO", "${FOO}x", "$NONE", "a${NONE}b", "$$", "a$FOO", "$TWO", "$BAD", "$"]
    environment = {"FOO": "bar", "TWO": "p 'q r'", "BAD": "it's so"}
    assert expanded(words, environment) == ["bar", "barx", "ab", "$", "a$FOO", "p", "q r", "it's", "so", "$"]


def test_a_timer() -> None:
    made = request(name="x", on_active="5h", on_calendar=["daily", "*:0/5"], timer_properties={"AccuracySec": 1})
    assert (made.name, made.timer, made.wait) == ("x.service", "x.timer", False)
    assert made.when == "on_active 5h; on_calendar daily, *:0/5"
    assert [value[1] for name, value in made.timer_properties if name == "TimersCalendar"] == [
        [("OnCalendar", "daily")],
        [("OnCalendar", "*:0/5")],
    ]
    assert ("RemainAfterElapse", ("b", False)) in made.timer_properties
    assert request(name="x.timer", on_active="5h").timer == "x.timer"


def test_a_mark_tells_options_apart() -> None:
    marks = [
        request(name="x", **given).mark
        for given in ({}, {}, {"stdin": ""}, {"properties": {"Nice": 1}}, {"on_active": "1h"}, {"on_active": "2h"})
    ]
    assert marks[0] == marks[1]
    assert len({*marks}) == 5


def test_a_mark_says_nothing_of_what_goes_to_standard_input() -> None:
    assert request(name="x", stdin="s3cret").mark == request(name="x", stdin="other").mark


def test_how_much_output_is_returned() -> None:
    assert request().output_limit == 4 << 20
    assert request(output_limit="1K").output_limit == 1024
    assert request(output_limit="infinity").output_limit == 2**64 - 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"properties": {"Nicee": 1}}, "did you mean Nice?"),
        ({"properties": {"Whatever": 1}}, "newer version"),
        ({"properties": {"ListenStream": 1}}, "[Socket]"),
        ({"properties": {"WantedBy": "x.target"}}, "not enabled"),
        ({"properties": {"AccuracySec": 1}}, "timer_properties"),
        ({"properties": {1: 1}}, "properties: 1"),
        ({"properties": {"User": "x"}, "run_as": "root"}, "run_as: User"),
        ({"properties": {"RuntimeMaxSec": "x"}, "timeout": "1s"}, "timeout: RuntimeMaxSec"),
        ({"timeout": "0"}, "timeout: is 0"),
        ({"unit_type": "scope", "on_active": "1s"}, "on_active:"),
        ({"unit_type": "scope", "properties": {"Nice": 1}}, "[Service]"),
        ({"stdin": "x", "on_active": "1s"}, "stdin:"),
        ({"timer_properties": {"AccuracySec": 1}}, "timer_properties: there is no timer"),
        ({"on_active": "1s", "timer_properties": {"Unit": "x.service"}}, "Unit cannot be set"),
        ({"scope": "user", "run_as": "root"}, "run_as:"),
        ({"scope": "user", "user": "daemon", "properties": {"User": "root"}}, "properties: User: the manager of a user"),
        ({"scope": "user", "user": "daemon", "properties": {"DynamicUser": True}}, "properties: DynamicUser: the manager of a user"),
        ({"name": "x.target"}, "name: 'x.target' is no service"),
        ({"working_directory": "x"}, "absolute"),
        *[({option: value}, f"{option}: is empty") for option in run_request.TRIGGERS for value in ("", " ", [], [""])],
        ({"on_calendar": ["daily", ""]}, "on_calendar: is empty"),
        ({"on_unit_active": "1h"}, "on_unit_active: counts from a run"),
        ({"on_unit_active": "1h", "on_unit_inactive": "1h"}, "never be a first"),
        ({"on_unit_inactive": "1h", "timer_properties": {"AccuracySec": 1}}, "on_unit_inactive: counts"),
        ({"on_unit_inactive": "1h", "timer_properties": {"OnClockChange": False}}, "on_unit_inactive: counts"),
        *[
            ({option: ""}, f"{option}: is empty")
            for option in "name creates removes working_directory run_as run_as_group slice timeout".split()
        ],
        ({"creates": ""}, "creates: is empty"),
        ({"environment": {"A\nB": "x"}}, "environment: "),
        ({"environment": {"A": "x\x01"}}, "environment: "),
        ({"properties": {"": 1}}, "properties: '' is no directive"),
        ({"on_active": "1s", "timer_properties": {"": 1}}, "timer_properties: '' is no directive"),
        ({"slice": "x.service"}, "slice: 'x.service' is no slice"),
        *[
            ({"run_as": value}, "run_as: ")
            for value in ("²", "99999999999", "4294967295", "65535", "007", "a\nb", "a:b", "9" * 5000)
        ],
        ({"run_as_group": "٣"}, "run_as_group: "),
        ({"unit_type": "scope", "run_as": "²"}, "run_as: "),
        ({"unit_type": "scope", "run_as": "4123456789"}, "run_as: there is no user"),
        ({"output_limit": "0"}, "output_limit: is 0"),
        ({"output_limit": "x"}, "output_limit: "),
    ],
)
def test_bad_input(given: dict[str, t.Any], words: str) -> None:
    with pytest.raises(BadInput) as caught:
        request(**given)
    assert words in caught.value.msg
    assert caught.value.msg.isprintable()


def test_secrets_are_in_no_error() -> None:
    with pytest.raises(BadInput) as caught:
        request(environment={"A": "s3cret\x01"})
    assert "s3cret" not in caught.value.msg


@pytest.mark.parametrize(
    "given",
    [
        {"on_unit_active": "1h", "on_active": "0"},
        {"on_unit_inactive": "1h", "timer_properties": {"OnClockChange": True}},
        {"stdin": "a\0b"},
        {"environment": {"A": "x\ny\tz"}},
        {"description": ""},
    ],
)
def test_unusual_but_right(given: dict[str, t.Any]) -> None:
    request(**given)


def test_check_mode_warns_of_what_is_not_there_yet() -> None:
    made = build(options(command="/rt/none", run_as="rt-none", working_directory="/rt"), Manager(), True)
    assert [text.partition(":")[0] for text in made.warnings] == ["command", "run_as", "working_directory"]


class TestExisting:
    """Units that have the name already."""

    def test_nothing_there(self) -> None:
        assert _existing(Manager(), request(name="x")) is None

    def test_made_up_names_are_free(self) -> None:
        assert _existing(Manager({"ansible-run-1.service": ("active", "running")}), request()) is None

    def test_the_same(self) -> None:
        made = request(name="x")
        manager = Manager({"x.service": ("active", "running")}, Transient=True, LogExtraFields=[made.mark.encode()])
        facts = _existing(manager, made)
        assert facts is not None
        assert (facts["changed"], facts["failed"], facts["sub_state"]) == (False, False, "running")

    def test_another_one(self) -> None:
        for fields in ([b"PIDONE_SYSTEMD_RUN=0"], [], None):
            manager = Manager({"x.service": ("activating", "start")}, Transient=True, LogExtraFields=fields)
            with pytest.raises(BadInput, match="other options"):
                _existing(manager, request(name="x"))

    def test_with_a_file(self) -> None:
        with pytest.raises(BadInput, match="/etc/x.service"):
            _existing(Manager({"x.service": ("inactive", "dead")}, FragmentPath="/etc/x.service"), request(name="x"))

    def test_failed_ones_are_reset(self) -> None:
        made = request(name="x")
        assert _existing(Manager({"x.service": ("failed", "failed")}, Transient=True), made) is None
        assert made.failed == ["x.service"]

    def test_a_waiting_timer_holds_the_name_of_its_service(self) -> None:
        units = {"x.service": ("inactive", "dead"), "x.timer": ("active", "waiting")}
        with pytest.raises(BadInput, match=r"x\.timer is there already"):
            _existing(Manager(units, Transient=True), request(name="x"))


class TestEnds:
    """How a command ended."""

    def run(self, **values: t.Any) -> tuple[dict[str, t.Any], str]:
        """The facts, and the failure if it is one."""
        values = {"ActiveState": "inactive", "SubState": "dead", "Job": (0, "/"), "Transient": True, **values}
        outcome = Outcome()
        manager = Manager(**values)
        made = request(command="true", timeout="1s")
        try:
            RunService(made, Manager, outcome).apply(Context(manager))
        except RunFailed as e:
            assert e.changed
            return outcome.facts, e.msg
        return outcome.facts, ""

    def test_well(self) -> None:
        facts, failure = self.run(
            Result="success", ExecMainCode=1, ExecMainStatus=0, CPUUsageNSec=5, MemoryPeak=2**64 - 1
        )
        assert not failure
        assert (facts["rc"], facts["result"], facts["stdout"]) == (0, "success", "")
        assert facts["resources"] == {**dict.fromkeys(RESOURCES), "CPUUsageNSec": 5}

    def test_well_although_not_zero(self) -> None:
        facts, failure = self.run(Result="success", ExecMainCode=1, ExecMainStatus=3)
        assert not failure and facts["rc"] == 3

    def test_still_there_on_purpose(self) -> None:
        values = {"ActiveState": "active", "SubState": "exited", "Result": "success", "ExecMainCode": 1}
        assert self.run(**values)[1] == ""

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": 4}, "exited with status 4"),
            ({"Result": "signal", "ExecMainCode": 2, "ExecMainStatus": 15}, "killed by SIGTERM"),
            ({"Result": "core-dump", "ExecMainCode": 3, "ExecMainStatus": 6}, "SIGABRT (core dumped)"),
            ({"Result": "oom-kill", "ExecMainCode": 2, "ExecMainStatus": 9}, "not enough memory"),
            ({"Result": "timeout", "ExecMainCode": 2, "ExecMainStatus": 15}, "did not end within 1s"),
            ({"Result": "watchdog"}, "Result: watchdog"),
            ({}, "is not known"),
            # It was over before systemd saw that it had begun, for which the start failed.
            ({"Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": 255, "job": "failed"}, "exited with status 255"),
        ],
    )
    def test_badly(self, values: dict[str, t.Any], words: str) -> None:
        assert words in self.run(**values)[1]

    def test_not_at_all_as_a_condition_says(self) -> None:
        facts, failure = self.run(Result="exec-condition")
        assert not failure
        assert facts["msg"].startswith("did not run the command, since ExecCondition=")


def test_a_unit_that_is_needed_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: t.Any) -> t.NoReturn:
        raise CallFailed("org.freedesktop.systemd1.NoSuchUnit", "Unit db.service not found.")

    manager = Manager()
    monkeypatch.setattr(manager, "start_transient", refuse)
    with pytest.raises(Refused, match=r"^properties: .*Unit db.service not found.; create it first"):
        RunService(request(name="x"), Manager, Outcome()).apply(Context(manager))


def test_what_has_the_name_is_not_stopped_when_systemd_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("org.freedesktop.systemd1.UnitExists", "org.freedesktop.DBus.Error.AccessDenied"):
        manager = Manager()

        def refuse(*args: t.Any, error: str = name) -> t.NoReturn:
            raise CallFailed(error, "no")

        monkeypatch.setattr(manager, "start_transient", refuse)
        step = RunService(request(name="x"), Manager, Outcome())
        monkeypatch.setattr(step, "_stop", lambda: pytest.fail("stopped"))
        with pytest.raises(Refused):
            step.apply(Context(manager))


def test_what_may_have_been_started_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    manager, stopped = Manager(), list[int]()

    def lose(*args: t.Any) -> t.NoReturn:
        raise BusUnreachable("lost")

    monkeypatch.setattr(manager, "start_transient", lose)
    step = RunService(request(name="x"), Manager, Outcome())
    monkeypatch.setattr(step, "_stop", lambda: stopped.append(1))
    with pytest.raises(BusUnreachable):
        step.apply(Context(manager))
    assert stopped == [1]


def test_facts_of_an_exit() -> None:
    facts = exit_facts(
        {
            "Result": "signal",
            "ExecMainCode": 2,
            "ExecMainStatus": 63,
            "ExecMainStartTimestamp": 1_000_001,
            "ExecMainExitTimestamp": 3_500_001,
            "ExecMainStartTimestampMonotonic": 10,
            "ExecMainExitTimestampMonotonic": 2_500_010,
        }
    )
    assert (facts["rc"], facts["signal"], facts["run_time"]) == (-63, "SIGRTMIN+29", 2.5)
    assert facts["started_at"] == "1970-01-01T00:00:01.000001Z"
    assert facts["ended_at"] == "1970-01-01T00:00:03.500001Z"
    assert exit_facts({})["run_time"] is None


def test_text_and_what_is_none() -> None:
    assert as_text("stdout", "ä\n\n".encode(), True) == {"stdout": "ä"}
    assert as_text("stdout", b"a\r\n", False) == {"stdout": "a\r\n"}
    assert as_text("stderr", b"\xffa", True) == {"stderr": "\ufffda", "stderr_base64": "/2E="}


class Silent(Manager):
    """A manager that answers nothing from the start of the unit on; what it is asked takes until the deadline."""

    def __init__(self, clock: list[float]) -> None:
        super().__init__()
        self.clock = clock
        self.asked: list[str] = []

    def call_many(self, calls: t.Sequence[Call], deadline: float) -> list[t.Any]:
        self.asked += [call.member for call in calls]
        self.clock[0] = max(self.clock[0], deadline)
        raise BusTimeout("nothing came")


@pytest.mark.parametrize(("timeout", "words"), [("1s", "could not be stopped"), (None, "has not answered for 5min")])
def test_a_manager_that_answers_nothing(monkeypatch: pytest.MonkeyPatch, timeout: str | None, words: str) -> None:
    clock = [1000.0]
    monkeypatch.setattr(run_service.time, "monotonic", lambda: clock[0])
    manager, stopped = Silent(clock), list[int]()
    step = RunService(request(timeout=timeout), Manager, Outcome())
    monkeypatch.setattr(step, "_stop", lambda: stopped.append(1))
    with pytest.raises(RunFailed, match=words):
        step.apply(Context(manager))
    assert clock[0] <= 1000 + (1 + 2 + 100 if timeout else 300) + 5
    assert manager.asked.count("StopUnit") == (1 if timeout else 0)
    # Asked at the time, and not when the first question has been waited for.
    assert not timeout or manager.asked.index("StopUnit") == 3
    assert stopped == [1]


class TestOutput:
    """Reading pipes beside other things."""

    def test_more_than_a_pipe_holds_and_a_holder_that_stays(self) -> None:
        output = Output(["stdout", "stderr"], 4 << 20)
        out, err = (os.dup(output.ends[stream]) for stream in ("stdout", "stderr"))
        output.begin()
        data = os.urandom(1_000_000)
        view = memoryview(data)
        while view:
            view = view[os.write(out, view) :]
        os.write(err, b"e")
        os.close(err)
        output.end()  # although `out` is still open
        os.close(out)
        assert output.data("stdout") == data
        assert output.data("stderr") == b"e"

    def test_nothing_is_left_open(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for begin in (True, False):
            output = Output(["stdout"], 100)
            if begin:
                output.begin()
            output.end()
        assert len(os.listdir("/proc/self/fd")) == before

    def printed_by(self, limit: int, *parts: bytes) -> tuple[Output, dict[str, t.Any], Context]:
        """What comes of it when these are printed one after the other."""
        output, ctx = Output(["stdout"], limit), Context(None)
        end = os.dup(output.ends["stdout"])
        output.begin()
        for part in parts:
            view = memoryview(part)
            while view:
                view = view[os.write(end, view) :]
        os.close(end)
        output.end()
        made = request()
        made.output_limit = limit
        return output, printed(output, made, ["stdout"], ctx), ctx

    def test_of_too_much_the_end_is_kept(self) -> None:
        _output, facts, ctx = self.printed_by(10, b"0123456789")
        assert facts == {"stdout": "0123456789", "stderr": None}
        assert not ctx.warnings
        _output, facts, ctx = self.printed_by(10, b"0123456789abc")
        assert (facts["stdout"], facts["stdout_dropped"]) == ("3456789abc", 3)
        assert "stdout is cut" in ctx.warnings[0] and "output_limit" in ctx.warnings[0]

    @pytest.mark.parametrize(("text", "kept"), [("ä", 5), ("€", 3), ("\U0001f600", 2)])
    def test_no_character_is_cut(self, text: str, kept: int) -> None:
        for beyond in range(len(text.encode())):
            data = (text * 9).encode() + b"x" * (11 - len(text.encode()) * kept - beyond)
            _output, facts, _ctx = self.printed_by(11, data)
            assert "stdout_base64" not in facts
            assert facts["stdout_dropped"] + len(facts["stdout"].encode()) == len(data)
            assert 11 - 3 <= len(facts["stdout"].encode()) <= 11

    def test_memory_is_bounded(self) -> None:
        import tracemalloc

        tracemalloc.start()
        try:
            output, facts, _ctx = self.printed_by(1 << 16, *[b"\xff" * (1 << 20)] * 40)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert facts["stdout_dropped"] == (40 << 20) - (1 << 16)
        assert len(output.data("stdout")) == 1 << 16
        assert most < 8 << 20

    def test_who_goes_on_printing_is_not_waited_for(self) -> None:
        output = Output(["stdout"], 1 << 30)
        end = os.dup(output.ends["stdout"])
        child = os.fork()
        if not child:
            while True:
                os.write(end, b"y" * 4096)
        os.close(end)
        try:
            output.begin()
            ending = threading.Thread(target=output.end, daemon=True)
            ending.start()
            ending.join(10)
            assert not ending.is_alive()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def test_a_long_line_is_shortened_in_a_message() -> None:
    facts = {"result": "exit-code", "stdout": "x" * 1_000_000 + "\nend", "stderr": "a\n" * 1000}
    told = screen("it failed", request(), facts)
    assert len(told) < 2000
    assert told.endswith("end")


def went(*states: tuple[str, int]) -> list[t.Any]:
    """PropertiesChanged of a unit, from its states and the jobs that it has."""
    path = object_path("a.service")
    rows = [{"ActiveState": ("s", state), "Job": ("(uo)", (job, "/"))} for state, job in states]
    return [(path, ("org.freedesktop.systemd1.Service", {}, [])), *((path, (UNIT, row, [])) for row in rows)]


@pytest.mark.parametrize(
    ("states", "by_others"),
    [
        ([("activating", 7), ("active", 7), ("active", 0), ("deactivating", 0), ("inactive", 0)], False),
        ([("activating", 7), ("deactivating", 7), ("inactive", 0)], False),
        ([("active", 0), ("active", 8), ("deactivating", 8), ("deactivating", 0), ("inactive", 0)], True),
        # Somebody restarted it, and then it came to its end.
        ([("active", 0), ("deactivating", 8), ("activating", 8), ("active", 0), ("deactivating", 0)], False),
        ([], False),
    ],
)
def test_who_stopped_it(states: list[tuple[str, int]], by_others: bool) -> None:
    assert halted(went(*states), "a.service", 7) is by_others
    assert not halted(went(*states), "b.service", 7)


@pytest.mark.parametrize(
    ("rc", "result", "listed", "stopped", "words", "becomes"),
    [
        (0, "success", [], False, "", "success"),
        (0, "success", [], True, "had not ended", "success"),
        (0, "success", ["0"], True, "", "success"),
        (-15, "success", [], False, "was killed by SIGTERM", "signal"),
        (-13, "success", ["SIGTERM"], False, "was killed by SIGPIPE", "signal"),
        (-15, "success", [], True, "was killed by SIGTERM, as its unit was stopped", "signal"),
        (-15, "signal", [], True, "was killed by SIGTERM, as its unit was stopped", "signal"),
        (-15, "success", ["SIGTERM"], True, "", "success"),
        (-15, "success", ["SIGTERM", ""], False, "was killed by SIGTERM", "signal"),
        (143, "success", ["143"], True, "", "success"),
        (-15, "timeout", [], False, "", "timeout"),
        (3, "exit-code", [], True, "", "exit-code"),
    ],
)
def test_what_is_a_failure(rc: int, result: str, listed: list[str], stopped: bool, words: str, becomes: str) -> None:
    name = signal.Signals(-rc).name if rc < 0 else None
    facts = {"rc": rc, "signal": name, "core_dumped": False, "result": result}
    asked = Request("a.service", "", False, ["/bin/true"])
    asked.properties = [each for text in listed for each in to_bus("SuccessExitStatus", text, "properties")]
    why = hold_against(facts, asked, stopped)
    assert why.startswith(words) and bool(why) is bool(words)
    assert facts["result"] == becomes
