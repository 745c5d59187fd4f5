# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock may be set at any moment: what has to end ends by the monotonic one, and who asks for the other one says why."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import socket
import time
import typing as t
from pathlib import Path
from types import SimpleNamespace

import jeepney.auth
import jeepney.low_level
import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import connection
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.lock import Busy, Lock
from ansible_collections.pidone.systemd.plugins.module_utils._engine.undo_log import UndoLog, load, put_back
from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import FileWas
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import freshness, programs
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration import read as configuration
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.read import older_than_the_file

UTILS = Path(__file__).resolve().parents[2] / "plugins/module_utils"
# Functions that ask what time it is by the clock that can be set, and why that is right.
EXCEPTIONS = {
    "_engine/failures.py": {"_jobs_begun": "lines of the journal, which tells their times; only the words of a failure depend on it"},
    "_engine/files.py": {"_back_up": "the name of a copy, as ansible-core has it"},
    "_engine/lock.py": {"acquire": "said to people", "release": "said to people"},
    "_engine/undo_log.py": {"__init__": "said to people"},
    "_kept/writing.py": {"tidy": "times of files; what is removed too early is brought again"},
    "_sources/runit/supervisor.py": {"_see_it_run": "runsv tells since when by it; bounded"},
    "_systemd/shutdown.py": {"reboot": "logind is told the time by it"},
    "_systemd/freshness.py": {"surely_fresh": "times of files, by the clock as it was and as it is"},
    "_tasks/configuration/read.py": {
        "before": "the time of a file",
        "_moment": "the time before that of a file, by the clock as it was and as it is",
    },
    "_tasks/configuration/task.py": {"_plan": "lines of the journal, which tells their times"},
    "_tasks/configuration_lines/tmpfiles_aged.py": {"look": "ages of files, as systemd-tmpfiles reckons them"},
    "_tasks/credential/task.py": {"plan": "whether a point of time that a user gave is over"},
    "_tasks/handover/steps.py": {"_look": "old supervisors tell since when by it; bounded"},
    "_tasks/run/scope.py": {"apply": "said to people; what it took is told by the other one"},
    "_tasks/run/service.py": {"next_elapse": "said to people"},
    "_tasks/timer/elapses.py": {"now_usec": "OnCalendar= is meant by it"},
    "_tasks/unit/triggers.py": {"started_when": "compared with times of files, by the clock as it was and as it is"},
    "_tasks/unit_file/read.py": {
        "_was_linked_since": "the time of a link, by the clock as it was and as it is",
        "older_than_the_file": "the time of a file, by the clock as it was and as it is",
    },
}
CALLS = {"time.time", "time.time_ns", "datetime.now", "datetime.datetime.now", "dt.datetime.now", "datetime.utcnow", "date.today"}
YEARS = 7 * 365 * 86400.0


def asking(path: Path) -> set[str]:
    """The functions of a file that ask the clock which can be set."""
    found = set()

    def look(node: ast.AST, inside: str) -> None:
        if isinstance(node, ast.FunctionDef):
            inside = node.name
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            now = called in ("time.strftime", "time.localtime", "time.gmtime", "time.ctime")
            if called in CALLS or (now and len(node.args) < (2 if called == "time.strftime" else 1)):
                found.add(inside)
        for child in ast.iter_child_nodes(node):
            look(child, inside)

    look(ast.parse(path.read_text()), "")
    return found


@pytest.mark.parametrize("path", sorted(UTILS.rglob("*.py")), ids=lambda path: path.relative_to(UTILS).as_posix())
def test_deadlines_are_not_of_the_clock_that_can_be_set(path: Path) -> None:
    known = EXCEPTIONS.get(path.relative_to(UTILS).as_posix(), {})
    assert asking(path) == known.keys(), "use time.monotonic(); or say why not, in EXCEPTIONS"


def test_who_asks_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "def a(): return time.time() + 5\ndef b(): time.strftime('%s', then)\ndef c(): time.strftime('%s')\n"
        "def d(): return time.monotonic()\n"
    )
    assert asking(path) == {"a", "c"}


@pytest.fixture(params=["back", "on", "to and fro"])
def leaps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is years away whenever it is asked again."""
    true, passed = time.time, [0.0]
    step = {"back": -YEARS, "on": YEARS, "to and fro": YEARS}[request.param]

    def leaping() -> float:
        passed[0] = passed[0] + step if request.param != "to and fro" else step - passed[0]
        return true() + passed[0]

    monkeypatch.setattr(time, "time", leaping)
    monkeypatch.setattr(time, "time_ns", lambda: int(leaping() * 1e9))


def took(action: t.Callable[[], t.Any], error: type[BaseException]) -> float:
    begun = time.monotonic()
    with pytest.raises(error):
        action()
    return time.monotonic() - begun


@pytest.mark.usefixtures("leaps")
def test_waiting_for_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "run" / "x.lock"
    first = Lock(str(path))
    first.acquire(1, "unit")
    assert 0.2 <= took(lambda: Lock(str(path)).acquire(0.2, "unit"), Busy) < 2
    before = path.read_bytes()
    first.release()
    # Whoever looked before is to look again, whatever the clock says.
    assert path.read_bytes() != before
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.usefixtures("leaps")
def test_waiting_for_a_program() -> None:
    assert 0.2 <= took(lambda: programs.run_program(["sleep", "30"], 0.2), SystemdError) < 3


@pytest.mark.usefixtures("leaps")
def test_waiting_for_a_peer(tmp_path: Path) -> None:
    """One that says nothing, from the first byte on."""
    path = f"{tmp_path}/s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        begun = time.monotonic()
        with pytest.raises((BusTimeout, SystemdError)):
            connection.connect(path, jeepney.low_level, jeepney.auth, None, 0.3, peer_uid=os.getuid())
        assert 0.2 <= time.monotonic() - begun < 3


@pytest.mark.usefixtures("leaps")
def test_what_a_killed_task_left(tmp_path: Path) -> None:
    """The age of a record does not matter, and one that is from the future is as good as any."""
    path = tmp_path / "units" / "a"
    path.parent.mkdir()
    path.write_bytes(b"before")
    log = UndoLog([f"{tmp_path}/undo"], "x.undo", {"module": "unit", "task": ""})
    log.add(FileWas(str(path), Saved.of(str(path)), b"after"))
    path.write_bytes(b"after")
    log.leave()
    found = load(log.path)
    assert found is not None
    assert json.loads(Path(log.path).read_text().splitlines()[0])["since"] != time.time()
    manager = type("Manager", (), {"runs": True, "offline": False, "root": "", "reload": lambda self: None})()
    put_back(found, Context(manager), "another")
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize("step", [-1800.0, 0.0, 1800.0], ids=["set back", "as it was", "set on"])
@pytest.mark.parametrize("who", ["unit_file", "configuration"])
def test_what_changed_since_the_start_is_not_lost(who: str, step: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit was started an hour ago, a file written forty minutes ago, and the clock set after that, or before it."""
    now, ticks = time.time(), 100_000.0
    started, written = now - 3600, now - 2400
    monkeypatch.setattr(time, "monotonic", lambda: ticks)
    path = tmp_path / "a.service"
    path.write_text("new")

    class Manager(NoManager):
        offline = False

        def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
            return [int(started * 1e6), int((ticks - 3600) * 1e6)]

    def is_found(mtime: float, at: float) -> bool:
        monkeypatch.setattr(time, "time", lambda: at)
        os.utime(path, (mtime, mtime))
        if who == "configuration":
            moment = configuration._moment(*Manager().properties([]))
            return configuration.LastRead(moment, True).before(mtime)
        unit = Unit("a.service", UnitStatus("a.service", "", "loaded", "active", "running", "", "/a", 0, "", "/"))
        asked: t.Any = SimpleNamespace(on_change="restart", absent=False, src="")
        place: t.Any = SimpleNamespace(path=str(path))
        return bool(older_than_the_file(asked, place, Manager(), [unit]))

    # What is from the future tells nothing: then there is nothing to be found.
    assert is_found(written, now + step) is (written <= now + step)
    assert is_found(written + step, now + step)
    assert not is_found(min(started, started + step) - 1, now + step)


@pytest.mark.parametrize(("then", "now"), [(0, 0), (0, YEARS), (0, -YEARS), (YEARS, 0), (-YEARS, 0)])
def test_files_are_not_taken_for_fresh(then: float, now: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed since systemd read it has to be asked for, whether the clock was set before that change or after it."""

    class Manager(NoManager):
        def manager_properties(self, names: t.Sequence[str]) -> list[t.Any]:
            return [loaded, monotonic, [str(tmp_path)]]

    loaded, monotonic = int((time.time() + then) * 1e6), time.monotonic_ns() // 1000
    path = tmp_path / "a.service"
    path.write_text("new")
    true = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: true + int(now * 1e9))
    assert freshness.surely_fresh(Manager(), ["a.service"]) == set()
