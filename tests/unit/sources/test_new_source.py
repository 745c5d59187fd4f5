# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source that nobody has heard of is registered, and then found, handed over and given back: it needs nothing else."""

from __future__ import annotations

import signal
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils import _sources
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._observe.expected import Expected
from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Now, Service, Source, Supervisor
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued, Job, UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover import item as items_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover import plan as plans
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.execute import Execution
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.find import Finder
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.item import Task
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.neighbours import arranged
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.plan import Planner
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Records
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.report import combined, result_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.service_import.info import gather

TEXT = "[Service]\nExecStart=/bin/lamp\n[Install]\nWantedBy=multi-user.target\n"


class World:
    """Lamps that hang on a string, under systemd, or nowhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.units = folder / "units"
        self.units.mkdir()
        (folder / "lamp").touch()
        self.string = {"lamp"}
        self.held: set[str] = set()
        self.active: set[str] = set()
        self.enabled: set[str] = set()
        self.did: list[str] = []
        self.supervised = True


class Lamps:
    """A supervisor that hangs services on a string."""

    source, patience, taking = "lamps", 0.0, " and cut the string"

    def __init__(self, world: World, service: Service, memo: dict[str, t.Any]) -> None:
        self.world, self.name, self.path, self.memo = world, service.name, service.path, memo

    @property
    def was(self) -> t.Any:
        hung = bool(self.memo.get("hung"))
        return {"running": hung, "up": hung, "enabled": hung}

    @property
    def giving(self) -> str:
        return f"hang {self.name} up"

    def now(self) -> Now:
        hangs = self.name in self.world.string
        return Now(hangs, hangs, None, 0.0)

    found = now

    def problems(self, found: Now | None = None) -> list[str]:
        return [] if self.name.islower() else ["it shines too bright; dim it"]

    def note(self) -> None:
        self.memo["hung"] = self.name in self.world.string

    def beside(self, name: str) -> str:
        return f"{name} on the string" if name in self.world.string else ""

    def take(self) -> None:
        self.world.did.append("take")

    def stop(self, deadline: float, before: t.Any) -> None:
        assert self.world.did[-1] == "take"
        assert not self.world.active, "both at once"
        self.world.string.discard(self.name)
        self.world.held.add(self.name)
        self.world.did.append("stop")

    def release(self) -> None:
        self.world.held.discard(self.name)

    def finished(self) -> None:
        self.world.did.append("finished")

    def give_back(self, save: t.Callable[[], None]) -> None:
        assert not self.world.active, "both at once"
        self.release()
        save()
        self.world.string.add(self.name)
        self.world.did.append("give_back")

    def settled(self, timeout: float) -> int | None:
        assert self.name in self.world.string
        self.world.did.append("settled")
        return None


class Fake:
    """The source of these."""

    name = "lamps"

    def __init__(self, world: World) -> None:
        self.world = world

    def find(self, root: str = "/", path: str | None = None, names: t.Sequence[str] | None = None) -> list[t.Any]:
        return [{"name": "lamp", "source": self.name, "path": self.place("lamp"), "state": {"enabled": True}}]

    def place(self, name: str) -> str:
        return str(self.world.folder / name)

    def supervisor(self, service: Service, memo: dict[str, t.Any], files: t.Any) -> Supervisor | None:
        return Lamps(self.world, service, memo) if self.world.supervised else None

    def expected(self, path: str) -> Expected:
        return Expected()

    def left_behind(self, going: t.Sequence[Supervisor]) -> list[str]:
        return [f"it gets dark without {one.name}" for one in going if one.name in self.world.string]


class Units(NoManager):
    """systemd, as far as it matters for lamps."""

    def __init__(self, world: World) -> None:
        self.world = world

    def unit_path(self) -> list[str]:
        return [str(self.world.units)]

    def link_directories(self) -> list[str]:
        return []

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        up = self.world.active
        return [UnitStatus(n, "", "loaded", "active" if n in up else "inactive", "", "", "", 0, "", "") for n in names]

    def properties(self, wanted: t.Sequence[t.Any]) -> list[t.Any]:
        return [None for _one in wanted]

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        there = [name for name in names if (self.world.units / name).exists()]
        return ["" if n not in there else "enabled" if n in self.world.enabled else "disabled" for n in names]

    def reload(self, timeout: float | None = None) -> None:
        """Files are looked at when they are asked about."""

    def enable(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        self.world.enabled.update(names)
        return [LinkChange("symlink", "link", "")]

    def disable(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        self.world.enabled.difference_update(names)
        return [LinkChange("unlink", "link", "")]

    def reset_failed(self, names: t.Sequence[str]) -> None:
        """Nothing is kept of failures."""

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Enqueued]:
        for name, kind in wanted:
            if kind == "start":
                assert "lamp" not in self.world.string, "both at once"
                self.world.active.add(name)
            else:
                self.world.active.discard(name)
        return [Enqueued(name, Job(number, "", name, kind)) for number, (name, kind) in enumerate(wanted)]

    def wait_for_jobs(self, jobs: t.Sequence[Job], deadline: float) -> dict[int, str]:
        return {job.id: "done" for job in jobs}


class Glance(Step):
    """Stands for watching the units."""

    counts, fails = False, False

    def __init__(self, jobs: Step, _seconds: float, _told: str) -> None:
        super().__init__(jobs.names)

    def describe(self) -> str:
        return "watch"

    def apply(self, ctx: Context) -> bool:
        if self.fails:
            raise SystemdError("it flickers")
        return False


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[World]:
    made = World(tmp_path)
    monkeypatch.setitem(_sources.SOURCES, "lamps", lambda: t.cast(Source, Fake(made)))
    monkeypatch.setattr(items_of, "Records", lambda: Records(str(tmp_path / "records")))
    monkeypatch.setattr(items_of.os, "geteuid", lambda: 0)
    monkeypatch.setattr(Records, "_check_owner", lambda *_args: None)
    monkeypatch.setattr(plans, "Settle", Glance)
    before = signal.getsignal(signal.SIGHUP)
    yield made
    signal.signal(signal.SIGHUP, before)


def handover(world: World, state: str = "handed_over", name: str = "lamp", check: bool = False) -> dict[str, t.Any]:
    """The task, but for the check of unit files by systemd and the lock; as in `task.py`."""
    unit = {"name": f"{name}.service", "content": TEXT}
    params = {
        "services": [{"name": name, "units": [unit], "source": "lamps"}], "source": "lamps", "state": state, "enabled": "auto",
        "started": "auto", "settle": "0", "listen": "0", "timeout": "5s", "accept": [], "rollback": True, "force": False,
        "directory": str(world.units),
    }  # fmt: skip
    module = SimpleNamespace(
        params=params, check_mode=check, _diff=False, set_default_selinux_context=lambda _path, changed: changed
    )
    task, manager = Task(t.cast(t.Any, module)), t.cast(t.Any, Units(world))
    finder = Finder(task)
    items = finder.items()
    for one in items:
        Planner(task, manager).plan(one)
    todo = [one for one in items if one.plan.steps or one.watch.steps]
    groups, edges = arranged(task, todo, manager)
    if not check:
        Execution(task, manager).run(groups, edges)
    return result_of(task, items, combined(groups), finder.resumed)


def test_it_is_found_and_can_be_chosen(world: World) -> None:
    assert _sources.names()[-1] == "lamps"
    params = {"source": "lamps", "definitions": None, "root": "/", "path": None, "name": None}
    (found,) = gather(t.cast(t.Any, SimpleNamespace(params=params)))["definitions"]
    assert found["name"] == "lamp"


def test_over_and_back(world: World) -> None:
    planned = handover(world, check=True)
    assert planned["steps"][2] == "stop lamp under lamps and cut the string"
    assert planned["warnings"] == ["it gets dark without lamp"]
    assert world.did == [] and world.string == {"lamp"}

    done = handover(world)
    assert done["services"][0]["outcome"] == "handed_over"
    assert world.did == ["take", "stop", "finished"]
    assert (world.string, world.held, world.active, world.enabled) == (set(), set(), {"lamp.service"}, {"lamp.service"})
    kept = Records(str(world.folder / "records")).read("lamp")
    assert kept is not None and (kept["source"], kept["memo"]) == ("lamps", {"hung": True})
    assert handover(world)["changed"] is False

    back = handover(world, "given_back")
    assert back["services"][0]["outcome"] == "given_back"
    assert "hang lamp up" in back["steps"]
    assert world.did[3:] == ["give_back", "settled"]
    assert (world.string, world.active, world.enabled) == ({"lamp"}, set(), set())
    assert list(world.units.iterdir()) == []
    assert handover(world, "given_back")["changed"] is False


def test_what_is_worse_goes_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Glance, "fails", True)
    with pytest.raises(SystemdError, match="it runs under lamps again\n  it flickers") as caught:
        handover(world)
    assert caught.value.data["services"][0]["outcome"] == "back"
    assert world.did == ["take", "stop", "give_back", "settled"]
    assert (world.string, world.active, world.enabled) == ({"lamp"}, set(), set())


def test_it_says_what_is_in_the_way(world: World) -> None:
    with pytest.raises(BadInput, match="services: LAMP: it shines too bright; dim it"):
        handover(world, name="LAMP")


def test_where_nobody_supervises_only_units_are_moved(world: World) -> None:
    world.supervised = False
    world.string.clear()
    done = handover(world)
    assert done["services"][0]["outcome"] == "handed_over"
    assert not any("lamps" in step for step in done["steps"])
    assert (world.active, world.enabled) == ({"lamp.service"}, {"lamp.service"})
    assert handover(world)["changed"] is False
    assert handover(world, "given_back")["services"][0]["outcome"] == "given_back"
    assert (world.active, world.enabled, world.did) == (set(), set(), [])
    assert handover(world, "given_back")["changed"] is False


def test_a_record_of_a_source_that_is_not_known(world: World) -> None:
    handover(world)
    del _sources.SOURCES["lamps"]
    with pytest.raises(SystemdError, match="'?lamps'? is no source that this version of the collection knows; it knows runit, daemontools"):
        handover_of_record = SimpleNamespace(
            params={"services": [{"name": "lamp", "path": "/x"}], "source": "runit", "state": "given_back", "timeout": "5s", "settle": "0",
                    "listen": "0", "accept": []},
            check_mode=False,
        )  # fmt: skip
        Finder(Task(t.cast(t.Any, handover_of_record))).items()
