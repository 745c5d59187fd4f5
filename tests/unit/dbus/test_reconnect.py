# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systemd is replaced by a new process of its own (daemon-reexec) at any moment: what is asked again, and what is not."""

from __future__ import annotations

import math
import threading
import time
import typing as t

import jeepney.low_level as dbus
import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import _KNOWN, Connection
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import (
    BadMessage,
    BusTimeout,
    BusUnreachable,
    CallFailed,
    WrongPeer,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import manager as module
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import renewal
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import ANSWERS
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import BUS_NAME, Manager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.renewal import ended_how
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Job, jobs_of
from tests.attacks.fuzz_wire import value_of

FIELDS = dbus.HeaderFields
NO_REPLY = "org.freedesktop.DBus.Error.NoReply"
ABSENT = "org.freedesktop.DBus.Error.ServiceUnknown"
# What a peer does with a call: answers with values of a signature, answers with an error, hangs up, or keeps silent.
Answer = str | CallFailed | None
HANG_UP = CallFailed("hang up", "")


class Peer:
    """A process that has taken the place of systemd; answers by member, each list of answers from its beginning.

    What is not listed is answered as it should be, and the last answer holds for all that follow.
    """

    def __init__(self, bus: bool = False, **answers: list[Answer]) -> None:
        import socket

        ours, self._theirs = socket.socketpair()
        self.connection = Connection(ours, dbus, BUS_NAME if bus else None, default_timeout=3, who="systemd")
        self.asked: list[str] = []
        self.hangs_up_after = ""
        self._answers = answers
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        parser = dbus.Parser()
        with self._theirs:
            while data := self._theirs.recv(65536):
                for call in parser.feed(data):
                    member = call.header.fields[FIELDS.member]
                    self.asked.append(member)
                    answers = self._answers.get(member, [{**_KNOWN, **ANSWERS}[member]])
                    answer = answers.pop(0) if len(answers) > 1 else answers[0]
                    if answer is HANG_UP:
                        return
                    if answer is not None:
                        self._theirs.sendall(self._message(call, answer))
                    if member == self.hangs_up_after:
                        return

    @staticmethod
    def _message(call: t.Any, answer: str | CallFailed) -> bytes:
        fields = {FIELDS.reply_serial: call.header.serial, FIELDS.sender: ":1.1"}
        kind, signature = dbus.MessageType.method_return, answer
        body: tuple[t.Any, ...] = ()
        if isinstance(answer, CallFailed):
            kind, signature, body = dbus.MessageType.error, "s", (answer.text,)
            fields[FIELDS.error_name] = answer.name
        elif answer == "v":
            body = (("s", "257"),)
        else:
            body = value_of(answer)
        if signature:
            fields[FIELDS.signature] = signature
        header = dbus.Header(dbus.Endianness.little, kind, 0, 1, -1, 1, fields)
        return bytes(dbus.Message(header, body).serialise(1))


def managed(*peers: Peer) -> Manager:
    """A manager on the first peer, that finds the others when it connects again."""
    manager = Manager(peers[0].connection)
    left = iter(peers[1:])

    def reopen(seconds: float) -> Manager:
        assert 0 < seconds <= 30
        peer = next(left, None)
        if peer is None:
            raise BusUnreachable("nobody is there")
        return Manager(peer.connection)

    manager.reopen = reopen
    return manager


def test_questions_together_take_no_longer_than_reading_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager that answers each of many questions just in time is not waited for many times as long."""
    peers = [Peer(ListJobs=[HANG_UP]), Peer(GetDefaultTarget=[None])]
    manager = managed(*peers)
    session = Session({"scope": "system"}, 0.5, False, False, True)
    session.manager = manager
    began = time.monotonic()
    with session.reading():
        manager.list_jobs()
        assert manager.connection is peers[1].connection
        for _each in range(3):
            with pytest.raises(BusTimeout):
                manager.default_target()
            assert time.monotonic() - began < 1.5
    assert manager.connection.all_until == math.inf
    with session.reading():
        manager.list_jobs()


def test_questions_are_asked_again() -> None:
    old, new = Peer(ListJobs=[HANG_UP]), Peer(ListJobs=["a(usssoo)"])
    manager = managed(old, new)
    assert manager.list_jobs() == [{"id": 7, "unit": "a", "type": "a", "state": "a"}]
    assert manager.connection is new.connection
    assert old.asked == ["ListJobs"]
    assert new.asked == ["Get", "ListJobs"]


def test_but_not_for_ever() -> None:
    peers = [Peer(ListJobs=[HANG_UP]) for dummy in range(20)]
    with pytest.raises(BusUnreachable, match="during ListJobs"):
        managed(*peers).list_jobs()
    assert sum("ListJobs" in peer.asked for peer in peers) == 5


def test_who_answers_once_and_hangs_up_each_time() -> None:
    peers = [Peer(Get=["v", HANG_UP], ListJobs=[HANG_UP]) for dummy in range(30)]
    for peer in peers[1:]:
        peer.hangs_up_after = "Get"
    manager = managed(*peers)
    manager.watch_jobs()
    with pytest.raises(BusUnreachable):
        manager.list_jobs()


def test_a_reload_is_made_again() -> None:
    new = Peer(Reload=[""])
    managed(Peer(Reload=[HANG_UP]), new).reload()
    assert new.asked == ["Get", "Reload"]


def test_changes_that_come_to_the_same_are_asked_for_again() -> None:
    """A job that is there is joined, and links that are there are there."""
    old, new = Peer(StartUnitWithFlags=[HANG_UP]), Peer(StartUnitWithFlags=["o"])
    (job,) = jobs_of(managed(old, new).enqueue([("a.service", "start")]))
    assert isinstance(job, Job)
    assert new.asked[-1] == "StartUnitWithFlags"


def test_others_are_not_made_twice_but_leave_a_living_connection() -> None:
    old, new = Peer(StartTransientUnit=[HANG_UP]), Peer(StopUnit=["o"])
    manager = managed(old, new)
    with pytest.raises(
        BusUnreachable, match=r"systemd was replaced .* during StartTransientUnit, .* run the task again"
    ):
        manager.start_transient("a.service", [])
    assert "StartTransientUnit" not in new.asked
    (job,) = jobs_of(manager.enqueue([("a.service", "stop")]))
    assert isinstance(job, Job)
    assert (job.id, new.asked[-1]) == (7, "StopUnit")


def test_changes_are_made_where_the_connection_had_died_before() -> None:
    old, new = Peer(Get=["v", HANG_UP]), Peer(EnableUnitFiles=["ba(sss)"])
    manager = managed(old, new)
    manager.manager_property("Version")
    old._theirs.shutdown(2)
    manager.enable(["a.service"])
    assert "EnableUnitFiles" not in old.asked
    assert new.asked == ["Get", "EnableUnitFiles"]


def test_jobs_are_followed_on_the_connection_they_are_made_on() -> None:
    old, new = Peer(bus=True), Peer(bus=True, StopUnit=["o"])
    manager = managed(old, new)
    manager.watch_jobs()
    old._theirs.shutdown(2)
    assert manager.enqueue([("a.service", "stop")])
    assert new.asked == ["Get", "AddMatch", "AddMatch", "Subscribe", "StopUnit"]


def test_a_bus_outlives_systemd() -> None:
    gone = CallFailed(NO_REPLY, "Message recipient disconnected from message bus without replying")
    absent = CallFailed(ABSENT, "not provided")
    bus = Peer(bus=True, Get=["v", gone, absent, absent, "v"], StartUnitWithFlags=[gone], StopUnit=["o"])
    manager = managed(bus)
    assert manager.manager_property("Version") == "257"
    assert manager.manager_property("Version") == "257"
    with pytest.raises(BusUnreachable, match="was replaced"):
        manager.enqueue([("a.service", "start")])
    assert manager.enqueue([("a.service", "stop")])
    assert manager.connection is bus.connection, "what the bus keeps for this name is kept"


def test_a_bus_without_systemd_is_told_at_once() -> None:
    bus = Peer(bus=True, ListJobs=[CallFailed(ABSENT, "not provided by any .service files")])
    begun = time.monotonic()
    with pytest.raises(Exception, match="not provided"):
        managed(bus).list_jobs()
    assert time.monotonic() - begun < 2


def test_what_was_followed_is_followed_again() -> None:
    old, new = Peer(bus=True, StartTransientUnit=["o"], ListJobs=[HANG_UP]), Peer(bus=True, ListJobs=["a(usssoo)"])
    manager = managed(old, new)
    changes = manager.watch_unit("a.service")
    manager.start_transient("a.service", [("AddRef", ("b", True))])
    manager.list_jobs()
    assert new.asked == ["Get", "AddMatch", "RefUnit", "AddMatch", "AddMatch", "Subscribe", "ListJobs"]
    assert new.connection._signals[b"PropertiesChanged"][object_path("a.service")][0].found is changes


def test_where_there_was_no_bus_before() -> None:
    old, new = Peer(ListJobs=[HANG_UP]), Peer(bus=True, ListJobs=["a(usssoo)"])
    manager = managed(old, new)
    manager.watch_jobs()
    manager.watch_unit("a.service")
    manager.list_jobs()
    assert new.asked == ["Get", "AddMatch", "RefUnit", "AddMatch", "AddMatch", "Subscribe", "ListJobs"]


def test_revive() -> None:
    well = Peer()
    assert managed(well).revive()
    assert well.asked == ["Get"]
    new = Peer()
    manager = managed(Peer(Get=[HANG_UP]), new)
    assert manager.revive(time.monotonic() + 5)
    assert manager.connection is new.connection
    assert not managed(Peer(Get=[HANG_UP])).revive(time.monotonic() + 0.2)
    assert not managed(Peer(Get=[None])).revive(time.monotonic() + 0.2)


def test_who_never_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "_NEW_PROCESS", 0.3)
    begun = time.monotonic()
    with pytest.raises(BusUnreachable, match="does not answer any more .*nobody is there.* run the task again"):
        managed(Peer(ListJobs=[HANG_UP])).list_jobs()
    assert 0.2 < time.monotonic() - begun < 2


def test_somebody_else_has_come() -> None:
    manager = managed(Peer(ListJobs=[HANG_UP]))

    def reopen(seconds: float) -> Manager:
        raise WrongPeer("somebody else")

    manager.reopen = reopen
    with pytest.raises(WrongPeer):
        manager.list_jobs()


def test_the_time_that_the_user_gives_holds_for_answers_and_reloads() -> None:
    manager = Manager(Peer(Reload=[None], ListJobs=[None]).connection, timeout=0.2)
    for ask in (manager.reload, manager.list_jobs):
        begun = time.monotonic()
        with pytest.raises(BusTimeout, match=r"systemd, within 0\.2 s; .*`timeout`"):
            ask()
        assert time.monotonic() - begun < 2


def test_fewer_states_than_were_asked_for() -> None:
    manager = Manager(Peer(ListUnitsByNames=["a(ssssssouso)"]).connection)
    assert len(manager.status(["a.service"])) == 1
    with pytest.raises(BadMessage, match="1 units.* asked for 2"):
        manager.status(["a.service", "b.service"])


@pytest.mark.parametrize(
    ("kind", "state", "entered", "left", "result", "reloaded", "expected"),
    [
        ("start", "active", 1, 0, "success", "success", "done"),
        ("start", "failed", 1, 9, "exit-code", "success", "failed"),
        ("start", "inactive", 0, 9, "success", "success", "done"),
        ("start", "inactive", 0, 9, "exit-code", "success", "failed"),
        ("start", "inactive", 0, 1, "success", "success", "unknown"),
        ("start", "activating", 0, 1, "success", "success", "unknown"),
        ("start", None, None, None, None, None, "unknown"),
        ("stop", "inactive", 1, 9, "success", "success", "done"),
        ("stop", "failed", 1, 9, "signal", "success", "done"),
        ("stop", None, None, None, None, None, "done"),
        ("stop", "active", 1, 0, "success", "success", "unknown"),
        ("restart", "active", 9, 8, "success", "success", "done"),
        ("restart", "active", 1, 0, "success", "success", "unknown"),
        ("restart", "active", 9, 8, None, None, "done"),
        ("try-restart", "inactive", 0, 1, "success", "success", "done"),
        # A unit stays up when its reload fails.
        ("reload", "active", 1, 0, "success", "success", "done"),
        ("reload", "active", 1, 0, "success", "exit-code", "failed"),
        ("reload", "active", 1, 0, None, None, "unknown"),
        ("reload", "inactive", 1, 9, "success", "success", "unknown"),
        ("reload-or-restart", "active", 9, 8, "success", "exit-code", "done"),
        ("reload-or-restart", "active", 1, 0, "success", "exit-code", "failed"),
        ("reload-or-try-restart", "inactive", 0, 1, "success", "success", "done"),
    ],
)
def test_how_a_job_ended_that_nobody_saw_ending(
    kind: str,
    state: str | None,
    entered: int | None,
    left: int | None,
    result: str | None,
    reloaded: str | None,
    expected: str,
) -> None:
    up, down = (value and value * 10**6 for value in (entered, left))
    assert ended_how(kind, 5.0, state, up, down, result, reloaded) == expected


class TestWhereABusHangs:
    """`run` prefers a bus; one that hangs takes a part of the time, not all of it."""

    @pytest.fixture
    def opened(self, monkeypatch: pytest.MonkeyPatch) -> list[t.Any]:
        found: list[t.Any] = []

        def connect(
            uid: int | None, user: str | None, bus: bool, jeepney: t.Any, timeout: float, with_fds: bool = False
        ) -> Connection:
            found.append((bus, timeout))
            answer = self.answers[bus]
            if isinstance(answer, Exception):
                raise answer
            answer.connection.takes_fds = True
            return answer.connection

        monkeypatch.setattr(module, "_connect", connect)
        monkeypatch.setattr(module.os, "geteuid", lambda: 0)
        return found

    answers: t.ClassVar[dict[bool, t.Any]] = {}

    def test_at_hello(self, opened: list[t.Any]) -> None:
        self.answers.update({True: BusTimeout("hangs"), False: Peer()})
        manager = module.open_on_bus("system", None, lambda: (None, None))
        assert not manager.connection.is_bus
        assert [bus for bus, _timeout in opened] == [True, False]
        assert opened[0][1] <= 10 and opened[1][1] > 60

    def test_after_hello(self, opened: list[t.Any]) -> None:
        bus = Peer(bus=True, Get=[None])
        self.answers.update({True: bus, False: Peer()})
        begun = time.monotonic()
        manager = module.open_on_bus("system", None, lambda: (None, None), 0.6)
        assert not manager.connection.is_bus
        assert time.monotonic() - begun < 2
        assert bus.connection.is_dead(), "no connection is left open"

    def test_somebody_else_is_no_reason_to_look_further(self, opened: list[t.Any]) -> None:
        self.answers.update({True: WrongPeer("not who should"), False: Peer()})
        with pytest.raises(WrongPeer):
            module.open_on_bus("system", None, lambda: (None, None))
        assert len(opened) == 1

    def test_the_private_socket_that_hangs_ends_it(self, opened: list[t.Any]) -> None:
        self.answers.update({True: BusUnreachable("none"), False: BusTimeout("hangs")})
        with pytest.raises(BusTimeout):
            module.open_on_bus("system", None, lambda: (None, None))
