# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The managers of containers: which machined knows, who leads them, and why one cannot be asked."""

from __future__ import annotations

import contextlib
import os
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import (
    BadMessage,
    BusTimeout,
    BusUnreachable,
    CallFailed,
    WrongPeer,
)
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.namespaces import NotEntered
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import machines
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.machines import (
    MachineManager,
    containers,
    is_first,
    is_in_unit,
    open_machine,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer import info as timer_info
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import read, resolve

JEEPNEY = (None, None)


@pytest.mark.parametrize(
    ("status", "first"),
    [
        ("Name:\tsystemd\nNSpid:\t4711\t1\n", True),
        ("NSpid:\t4711\t12\t1\nUid:\t0\n", True),
        ("NSpid:\t1\n", False),
        ("NSpid:\t4711\n", False),
        ("NSpid:\t4711\t2\n", False),
        ("NSpid:\n", False),
        ("", False),
    ],
)
def test_who_is_the_first_process(status: str, first: bool) -> None:
    assert is_first(status) is first


@pytest.mark.parametrize(
    ("groups", "unit", "inside"),
    [
        ("0::/machine.slice/machine-web1.scope/payload/init.scope\n", "machine-web1.scope", True),
        ("0::/system.slice/web1.service/payload\n", "web1.service", True),
        ("12:pids:/x\n1:name=systemd:/machine.slice/machine-a\\x2db.scope/payload\n0::/\n", "machine-a\\x2db.scope", True),
        ("0::/machine.slice/_cgroup.scope\n", "cgroup.scope", True),
        ("0::/machine.slice/machine-web10.scope/payload\n", "machine-web1.scope", False),
        ("0::/system.slice/ssh.service\n", "machine-web1.scope", False),
        ("", "machine-web1.scope", False),
    ],
)
def test_whether_it_is_in_the_machines_unit(groups: str, unit: str, inside: bool) -> None:
    assert is_in_unit(groups, unit) is inside


class Machined:
    """Answers what it is told to; errors are raised as a connection raises them."""

    def __init__(self, **answers: t.Any) -> None:
        self.answers: dict[str, t.Any] = {
            "ListMachines": ([("web2", "container", "nspawn", "/2"), ("kvm", "vm", "", "/3"), ("web1", "container", "", "/1")],),
            "GetMachine": ("/1",), "Class": "container", "Leader": os.getpid(), "Unit": "web1.service", **answers,
        }  # fmt: skip
        self.known: dict[str, str] = {}
        self.closed = False

    def call(self, call: Call) -> t.Any:
        answer = self.answers[call.member]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def call_many(self, calls: list[Call]) -> list[t.Any]:
        replies = []
        for call in calls:
            answer = self.answers[call.body[1]]
            answer = answer.pop(0) if isinstance(answer, list) else answer
            replies.append(answer if isinstance(answer, Exception) else (("?", answer),))
        return replies

    def __enter__(self) -> Machined:
        return self

    def __exit__(self, *exc: object) -> None:
        self.closed = True


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """Have machined answer so, and the connection to the container become that."""

    def make(machined: t.Any = None, connected: t.Any = None, status: str = "NSpid:\t7\t1\n", group: str = "0::/web1.service\n") -> None:
        def connect(path: str, *args: t.Any, **more: t.Any) -> t.Any:
            answer = (connected or Container()) if "peer_pid" in more else (machined or Machined())
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(machines, "connect", connect)
        monkeypatch.setattr(machines, "Container", lambda leader: contextlib.nullcontext(Container()))
        monkeypatch.setattr(machines, "_told", lambda leader, name: status if name == "status" else group)

    return make


class Container:
    """Stands for a container, and for the connection to its manager."""

    known: t.ClassVar[dict[str, str]] = {}
    closed = False

    def connect(self) -> None:
        """Never called."""

    def close(self) -> None:
        self.closed = True


def test_the_containers_in_order(host: t.Callable[..., None]) -> None:
    host()
    assert containers(JEEPNEY, 5) == ["web1", "web2"]


def test_one_that_is_well(host: t.Callable[..., None]) -> None:
    host(machined := Machined())
    before = len(os.listdir("/proc/self/fd"))
    with open_machine("web1", JEEPNEY, 5) as manager:
        assert manager.has_files is False and manager.timeout == 5
    assert machined.closed
    assert len(os.listdir("/proc/self/fd")) == before


GONE = CallFailed("org.freedesktop.machine1.NoSuchMachine", "no")
ABSENT = CallFailed("org.freedesktop.DBus.Error.ServiceUnknown", "not provided")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"machined": Machined(GetMachine=GONE)}, "is no machine that runs; `machinectl list` prints"),
        ({"machined": Machined(GetMachine=ABSENT)}, ": systemd-machined, which knows machines, is not on this host .*install the package"),
        ({"machined": Machined(GetMachine=CallFailed("x.AccessDenied", "never"))}, ": cannot find the machine web1: never"),
        ({"machined": BusUnreachable("no bus")}, ": cannot reach systemd-machined.*no bus; it needs the system bus, so install"),
        ({"machined": Machined(Class="vm")}, "is of the class 'vm', .*run the task on that machine"),
        ({"machined": Machined(Leader=2**31)}, "ended, or was started anew, just now; run the task again"),
        ({"machined": Machined(Leader=[os.getpid(), 1])}, "ended, or was started anew, just now"),
        ({"machined": Machined(Class=CallFailed("org.freedesktop.DBus.Error.UnknownObject", ""))}, "ended, or was started anew"),
        ({"group": "0::/ssh.service\n"}, "ended, or was started anew"),
        ({"status": "NSpid:\t1\n"}, r"has no PID 1 of its own, but process \d+ of this host"),
        ({"connected": BusUnreachable("no socket")}, "has no manager to be asked: no socket; .*`systemd-nspawn --boot`"),
        ({"connected": WrongPeer("process 1 listens")}, "is not asked: process 1 listens"),
        ({"connected": NotEntered("cannot be entered")}, "is not asked: cannot be entered"),
        ({"connected": BadMessage("noise")}, "is not asked: noise"),
        ({"connected": PermissionError(13, "denied")}, "cannot be looked into: denied"),
    ],
)
def test_why_not(host: t.Callable[..., None], setting: dict[str, t.Any], words: str) -> None:
    host(**setting)
    with pytest.raises(SystemdError, match=f"^machine: 'web1'.*{words}"):
        open_machine("web1", JEEPNEY, 5)


def test_silence_is_told_as_such(host: t.Callable[..., None]) -> None:
    host(connected=BusTimeout("silent"))
    with pytest.raises(BusTimeout):
        open_machine("web1", JEEPNEY, 5)


def test_all_of_them_without_machined(host: t.Callable[..., None]) -> None:
    host(Machined(ListMachines=ABSENT))
    with pytest.raises(SystemdError, match=r"^machine: '\*': systemd-machined, which knows machines, is not on this host"):
        containers(JEEPNEY, 5)


class Liar(MachineManager):
    """What it names is nowhere; who looks for it on this host fails (`tree`)."""

    scope = "system"

    def __init__(self) -> None:
        """There is no connection."""

    def call(self, member: str, *args: t.Any, **more: t.Any) -> t.Any:
        assert member == "ListUnitFilesByPatterns"
        return ([("/bait/bait@.timer", "enabled"), ("bait.timer", "indirect"), ("/bait/no-unit", ""), ("", "")],)

    def list_units(self, patterns: t.Sequence[str] = (), states: t.Sequence[str] = ()) -> list[UnitStatus]:
        return [self.row("../bait.timer")]

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        return [self.row(name) for name in names]

    def row(self, name: str) -> UnitStatus:
        return UnitStatus(name, "", "loaded", "active", "waiting", "", "/x", 0, "", "/")

    def ask(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        return [("indirect",) for _call in calls]

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        lies = {"FragmentPath": "/bait", "DropInPaths": ["/bait"], "Unit": "bait.service", "TimersCalendar": [("OnCalendar", "daily Bait/X", 0)]}
        return [lies.get(name) for _path, _face, name in wanted]


def test_nothing_that_a_container_names_is_looked_for_here() -> None:
    manager = Liar()
    names = resolve(manager, ["*", "bait@.service"], allow_empty=True)
    assert names == ["../bait.timer", "bait.timer", "bait@.service"]
    units = read(manager, names + [f"b{number}.service" for number in range(20)], file_states=True)
    assert {unit.file_state for unit in units} == {"indirect"}
    entries = [{"name": "bait.timer", "sub_state": "waiting"}]
    warnings: list[str] = []
    assert timer_info._add_from_manager(manager, entries, warnings) == [[]]
    assert entries[0]["fragment_path"] == "/bait" and warnings == []


@pytest.mark.parametrize("look", [lambda m: m.tree, lambda m: m.unit_path(), lambda m: m.link_directories()])
def test_who_looks_for_its_files_fails(look: t.Callable[[MachineManager], t.Any]) -> None:
    with pytest.raises(AssertionError):
        look(Liar())


@pytest.mark.parametrize("option", ["diagnosis", "listeners"])
def test_what_only_the_host_tells_of_units(option: str) -> None:
    from types import SimpleNamespace

    from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.info import gather

    params: dict[str, t.Any] = {"name": None, "properties": [], "diagnosis": False, "listeners": False, "machine": "web1", option: True}
    asked: t.Any = SimpleNamespace(params=params)
    with pytest.raises(BadInput, match=f"^{option}: .*leave out `{option}`, or `machine`"):
        gather(asked)
