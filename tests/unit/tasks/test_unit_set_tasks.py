# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of units, one task after another: what is planned, whose it is, and what is remembered.

Files and records are real ones below a directory; what runs is a dictionary.
"""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools
from ansible_collections.pidone.systemd.plugins.module_utils._engine.probe import ProbeUnits
from ansible_collections.pidone.systemd.plugins.module_utils._engine.properties import SetProperties
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import (
    Jobs,
    Reload,
    ResetFailed,
    Settle,
    UnitFileLinks,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import UnitFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text import store
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import Record
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.files import collect
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Asked
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.plan import Planner
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.read import Picture, Reader

Given = dict[str, t.Any]

SYSTEM = "/etc/systemd/system"
RECORDS = "/var/lib/sets"
ENABLED = {"WantedBy": "multi-user.target"}


class Failing(SystemdError):
    """What a step of a test ends with."""


class World(NoManager):
    """Files below a directory, and what runs: name -> whether it does. Units have the names in `aliases` as well."""

    offline = False
    runs = True

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.tree = Tree(self.root)
        for path in (f"{root}{SYSTEM}", f"{root}/run/systemd/system", f"{root}/usr/lib/systemd/system", f"{root}{RECORDS}"):
            os.makedirs(path)
        self.paths = UnitPaths("system", root=self.root)
        self.up: set[str] = set()
        self.seen: set[str] = set()
        self.aliases: dict[str, str] = {}
        # What systemd tells of units, where it is something else than nothing.
        self.told: dict[tuple[str, str], t.Any] = {}
        self.jobs: list[tuple[str, str]] = []
        # What a task ends with: before the step of which the description begins so.
        self.fails_at = ""
        self.picture = Picture()
        self.limits: dict[str, t.Any] = {}

    # -- what a manager is asked

    def unit_path(self) -> list[str]:
        return self.paths.search

    def link_directories(self) -> list[str]:
        return [self.paths.persistent, self.paths.runtime]

    def _state(self, name: str) -> UnitStatus:
        name = self.aliases.get(name, name)
        path = self.paths.find(name)
        target = os.path.basename(self.tree.target(path)) if path and not self.tree.is_null(path) else ""
        name = target or name
        self.seen.add(name)
        load = "masked" if path and self.tree.is_null(path) else "loaded" if path else "not-found"
        states = ("active", "running") if name in self.up else ("inactive", "dead")
        return UnitStatus(name, "", load, *states, "", object_path(name), 0, "", "/")

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        return [self._state(name) for name in names]

    def list_units(self, patterns: t.Sequence[str] = (), states: t.Sequence[str] = ()) -> list[UnitStatus]:
        return [self._state(name) for name in sorted(self.up) if any(fnmatch.fnmatch(name, each) for each in patterns)]

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        return [self._file_state(name) for name in names]

    def _file_state(self, name: str) -> str:
        path = self.paths.find(name)
        if path is None:
            return ""
        if self.tree.is_null(path):
            return "masked"
        if os.path.lexists(f"{self.paths.persistent}/multi-user.target.wants/{name}"):
            return "enabled"
        return "disabled" if "[Install]" in (self.tree.read_text(path) or "") else "static"

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        names = {object_path(name): name for name in self.seen}
        return [self._property(names.get(path, ""), path, name) for path, _interface, name in wanted]

    def _property(self, unit: str, path: str, name: str) -> t.Any:
        if (path, name) in self.told or not unit:
            return self.told.get((path, name))
        if name == "DropInPaths":
            return list(store.UnitFiles(self.unit_path(), ()).drop_ins(unit).values())
        if name == "FragmentPath":
            return self.paths.find(unit)
        if name.startswith("InactiveExitTimestamp"):
            # They have been started just now.
            return int((time.monotonic() if name.endswith("Monotonic") else time.time()) * 1e6)
        return None

    def manager_properties(self, names: t.Sequence[str]) -> list[t.Any]:
        return [None for dummy in names]

    def say(self, name: str, **properties: t.Any) -> None:
        self.told.update({(object_path(name), key): value for key, value in properties.items()})

    # -- a task

    def plan(self, **params: t.Any) -> Plan:
        defaults = {"name": "web", "state": "present", "units": [], "files": [], "purge": True, "settle": "1s"}
        more = {"take_over": False, "root": None, "scope": "system"}
        asked = Asked({**defaults, **more, **params})

        def beside(path: str, given: Given, where: str) -> FileTools:
            def mode(name: str, check: bool) -> bool:
                lacks = given["mode"] is not None and os.stat(name).st_mode & 0o7777 != int(given["mode"], 8)
                if lacks and not check:
                    os.chmod(name, int(given["mode"], 8))
                return lacks

            return FileTools(mode, given=("mode",) if given["mode"] else ())

        tools = FileTools(lambda path, check: False)
        files = collect(asked, self.paths, "", tools, beside)
        directory = f"{self.root}{RECORDS}"
        self.picture = Reader(asked, self, self.paths, directory, f"{self.root}/home").read(files)
        path = f"{directory}/{asked.name}.json"
        return Planner(asked, self.picture, self, self.paths, path, tools, False, f"{self.root}/stamps").plan()

    def do(self, **params: t.Any) -> list[str]:
        """Plan and do; returns the steps, but for those by which records are written."""
        plan = self.plan(**params)
        ctx = Context(t.cast(t.Any, self))
        for step in plan.steps:
            told = step.describe()
            if self.fails_at and told.startswith(self.fails_at):
                raise Failing(told)
            if isinstance(step, Jobs):
                self._run({name: step.type_of(name) for name in step.names})
            elif isinstance(step, UnitFileLinks):
                self._link(step.verb, step.names)
            elif isinstance(step, SetProperties):
                self.limits.update({setting.unit: setting.after for setting in step._settings})
            elif not isinstance(step, (Reload, Settle, ProbeUnits, ResetFailed)):
                step.apply(ctx)
        return [told for told in plan.describe() if not told.startswith(("write down", "forget", "take it from"))]

    def good(self, **params: t.Any) -> list[str]:
        """The same, and nothing is left to be done."""
        found = self.do(**params)
        again = self.plan(**params)
        assert not again.changed, again.describe()
        return found

    def fail(self, at: str, **params: t.Any) -> None:
        self.fails_at = at
        with pytest.raises(Failing):
            self.do(**params)
        self.fails_at = ""

    def refused(self, *words: str, **params: t.Any) -> None:
        with pytest.raises(BadInput) as e:
            self.plan(**params)
        for word in words:
            assert word in e.value.msg, e.value.msg

    def _run(self, types: t.Mapping[str, str]) -> None:
        for name, kind in types.items():
            self.jobs.append((kind, name))
            if kind == "stop":
                self.up.discard(name)
            elif kind in ("start", "restart"):
                self.up.add(name)

    def _link(self, verb: str, names: t.Sequence[str]) -> None:
        files = UnitFiles(self)
        for name in names:
            own = f"{self.paths.persistent}/{name}"
            if verb == "mask":
                os.symlink("/dev/null", own)
            elif verb == "unmask" and os.path.islink(own):
                os.unlink(own)
            elif verb in ("enable", "disable"):
                for other in [*(f"{each}.wants/{name}" for each in files.install(name).get("WantedBy", ())), *files.install(name).get("Alias", ())]:
                    path = f"{self.paths.persistent}/{other}"
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    if os.path.islink(path):
                        os.unlink(path)
                    if verb == "enable":
                        os.symlink(f"{SYSTEM}/{name}", path)

    # -- what there is

    def write(self, path: str, text: str) -> None:
        full = f"{self.root}{path}"
        os.makedirs(os.path.dirname(full), exist_ok=True)
        Path(full).write_text(text)

    def text(self, path: str) -> str | None:
        full = Path(f"{self.root}{path}")
        return full.read_text() if os.path.lexists(full) else None

    def record(self, name: str = "web") -> Given | None:
        text = self.text(f"{RECORDS}/{name}.json")
        return None if text is None else t.cast(Given, json.loads(text))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def service(command: str = "/bin/true", **more: t.Any) -> Given:
    return {"Service": {"ExecStart": command, **more.pop("Service", {})}, **more}


def unit(name: str = "a.service", **more: t.Any) -> Given:
    return {"name": name, "sections": service(), "state": "started", **more}


class TestWhoseItIs:
    def test_what_is_as_wanted_already_is_not_the_sets(self, world: World) -> None:
        """So it is not removed one day, nor replaced."""
        world.write("/etc/motd", "hello\n")
        files = [{"path": "/etc/motd", "content": "hello\n"}]
        world.good(units=[unit()], files=files)
        assert f"{world.root}/etc/motd" not in str(world.record())
        world.refused("/etc/motd already, which this set has not written", units=[unit()], files=[{**files[0], "content": "bye\n"}])
        world.refused("which this set has not written", units=[unit()], files=[{**files[0], "mode": "0600"}])
        world.good(state="absent")
        assert world.text("/etc/motd") == "hello\n"

    def test_what_is_as_wanted_already_can_be_taken_over(self, world: World) -> None:
        world.write("/etc/motd", "hello\n")
        files = [{"path": "/etc/motd", "content": "hello\n", "take_over": True}]
        world.good(files=files)
        world.good(state="absent")
        assert world.text("/etc/motd") is None

    def test_a_unit_goes_with_its_file(self, world: World) -> None:
        """That another set is left with the file of a unit which it does not have any more is refused."""
        world.good(units=[unit("q.service")])
        taken = {"name": "q.service", "state": "started", "take_over": True}
        world.refused("units[0].take_over", "written by the set web", "`sections` or `content`", name="two", units=[taken])
        world.good(name="two", units=[unit("q.service", take_over=True)])
        assert world.record() is None
        world.good(name="web", state="absent")
        assert world.text(f"{SYSTEM}/q.service") is not None
        assert world.up == {"q.service"}

    def test_a_template_goes_with_its_instances(self, world: World) -> None:
        wanted = {"name": "w@.service", "sections": service(Install=ENABLED), "instances": 3, "enabled": True, "state": "started"}
        world.good(units=[wanted])
        world.good(name="two", units=[{**wanted, "instances": [1], "take_over": True}])
        assert world.record() is None
        assert world.up == {"w@1.service"}
        world.good(name="two", state="absent")
        assert world.up == set()

    def test_an_instance_alone_may_be_another_sets(self, world: World) -> None:
        wanted = {"name": "w@.service", "sections": service(), "instances": 2, "state": "started"}
        world.good(units=[wanted])
        world.good(name="two", units=[{"name": "w@2.service", "state": "started", "take_over": True}])
        world.refused("w@2.service belongs to the set two", units=[wanted])
        world.good(units=[{**wanted, "instances": 1}])
        # The template stays for as long as others need it.
        world.refused("state: w@.service cannot be removed while w@2.service belongs to the set two", state="absent")
        world.refused("units: w@.service cannot be removed", units=[unit("b.service")])
        assert world.up == {"w@1.service", "w@2.service"}
        # What the first set had started, the second one stops.
        world.good(name="two", state="absent")
        assert world.up == {"w@1.service"}
        world.good(state="absent")

    @pytest.mark.parametrize("names", [("ssh.service", "sshd.service"), ("sshd.service", "ssh.service")])
    def test_a_unit_by_another_name_is_the_same(self, world: World, names: tuple[str, str]) -> None:
        world.write("/usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/bin/true\n")
        os.symlink("ssh.service", f"{world.root}/usr/lib/systemd/system/sshd.service")
        world.aliases["sshd.service"] = "ssh.service"
        mine, other = ({"name": name, "state": "started"} for name in names)
        world.refused("units[1].name", "is the same unit as", units=[mine, other])
        world.good(units=[mine])
        world.refused("units[0].name", "belongs to the set web", name="two", units=[other])
        world.good(name="two", units=[{**other, "take_over": True}])
        assert world.record() is None
        # By another name in the list of the same set, nothing becomes of it.
        assert world.good(name="two", units=[mine]) == []
        assert world.up == {"ssh.service"}

    def test_a_file_is_listed_once_by_whatever_way(self, world: World) -> None:
        os.makedirs(f"{world.root}/srv/real")
        os.symlink("real", f"{world.root}/srv/link")
        os.makedirs(f"{world.root}{SYSTEM}/a.service.d")
        os.symlink("a.service.d", f"{world.root}{SYSTEM}/b.service.d")
        files = [{"path": f"/srv/{where}/x", "content": where} for where in ("real", "link")]
        with pytest.raises(BadInput, match=r"files\[1\]\.path: \S+/srv/link/x is the same file as \S+/srv/real/x, in files\[0\]\.path"):
            world.plan(files=files)
        drop_in = {"10": {"Service": {"Nice": 1}}}
        with pytest.raises(BadInput, match=r"units\[1\]\.dropins\.10: .* in units\[0\]\.dropins\.10"):
            world.plan(units=[unit("a.service", dropins=drop_in), {"name": "b.service", "dropins": drop_in}])

    @pytest.mark.parametrize("scope,other", [("system", "global"), ("global", "system")])
    def test_a_file_may_be_that_of_a_set_of_another_scope(self, world: World, scope: str, other: str) -> None:
        record = Record.new("theirs", world.root)
        path = f"{world.root}/etc/env"
        record.files[path] = {"kind": "file", "unit": "", "digest": "", "meaning": ""}
        os.makedirs(f"{os.path.dirname(world.root + RECORDS)}/{other}")
        Path(f"{os.path.dirname(world.root + RECORDS)}/{other}/theirs.json").write_bytes(record.text())
        files = [{"path": "/etc/env", "content": "x", "take_over": True}]
        with pytest.raises(BadInput, match=f"files.0..path: {path} belongs to the set theirs of scope `{other}`"):
            world.plan(files=files, scope=scope)
        world.plan(files=[{**files[0], "path": "/etc/env2"}], scope=scope)

    def test_a_name_that_changes_takes_nothing_away(self, world: World) -> None:
        world.write("/usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
        world.aliases["sshd.service"] = "ssh.service"
        world.good(units=[{"name": "ssh.service", "enabled": True, "state": "started"}])
        world.do(units=[{"name": "sshd.service", "state": "started"}])
        assert world._file_state("ssh.service") == "enabled"
        assert world.up == {"ssh.service"}

    def test_what_was_taken_over_halfway_is_not_removed(self, world: World) -> None:
        """The second set has it already, and the first one has not been told yet."""
        files = [{"path": "/etc/env", "content": "A=1\n"}]
        world.good(units=[unit()], files=files)
        world.fail("take it from", name="two", units=[unit(take_over=True)], files=[{**files[0], "take_over": True}])
        world.good(state="absent")
        assert world.text("/etc/env") == "A=1\n"
        assert world.text(f"{SYSTEM}/a.service") is not None
        assert world.up == {"a.service"}
        assert world.record() is None

    def test_a_template_that_was_taken_over_halfway(self, world: World) -> None:
        wanted = {"name": "w@.service", "sections": service(), "instances": 2, "state": "started"}
        world.good(units=[wanted])
        world.up.add("w@9.service")
        world.fail("take it from", name="two", units=[{**wanted, "take_over": True}])
        world.good(state="absent")
        assert world.up == {"w@1.service", "w@2.service", "w@9.service"}

    def test_a_unit_by_another_name_goes_with_its_file_too(self, world: World) -> None:
        world.good(units=[unit("q.service", sections=service(Install={**ENABLED, "Alias": "r.service"}), enabled=True)])
        world.aliases["r.service"] = "q.service"
        taken = {"name": "r.service", "state": "started", "take_over": True}
        world.refused("units[0].take_over", "q.service was written by the set web", name="two", units=[taken])


class TestInterrupted:
    """Tasks that failed, without a rollback."""

    @pytest.mark.parametrize("content", ["A=1\n", "A=2\n"])
    def test_a_file_is_known_by_what_it_held_and_what_it_holds(self, world: World, content: str) -> None:
        old, new = ([{"path": "/etc/env", "content": each}] for each in ("A=1\n", "A=2\n"))
        world.good(units=[unit()], files=old)
        world.fail("rewrite" if content == "A=1\n" else "start b.service", units=[unit(), unit("b.service")], files=new)
        assert world.text("/etc/env") == content
        # And again, with a third one.
        world.fail("rewrite", units=[unit()], files=[{"path": "/etc/env", "content": "A=3\n"}])
        world.good(state="absent")
        assert world.text("/etc/env") is None
        assert world.record() is None

    def test_what_was_never_written_is_not_the_sets(self, world: World) -> None:
        files = [{"path": "/etc/env", "content": "A=1\n"}]
        world.fail(f"write {world.root}/etc/env", units=[unit()], files=files)
        world.write("/etc/env", "mine\n")
        world.refused("which this set has not written", units=[unit()], files=files)
        plan = world.plan(state="absent")
        assert any("/etc/env is left as it is" in warning for warning in plan.warnings)

    def test_what_somebody_has_changed_is_put_right(self, world: World) -> None:
        files = [{"path": "/etc/env", "content": "A=1\n"}]
        world.good(files=files)
        world.write("/etc/env", "mine\n")
        world.good(files=files)
        assert world.text("/etc/env") == "A=1\n"

    def test_a_directory_that_could_not_be_removed(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is told, and the next task comes back for it."""
        drop_ins = {"x": {"Service": {"Nice": 1}}, "y": {"Service": {"Nice": 2}}}
        world.good(units=[unit(), unit("b.service", dropins=drop_ins)])
        directory = f"{world.root}{SYSTEM}/b.service.d"
        rmdir = os.rmdir

        def refuse(path: str) -> None:
            if path == directory and not os.listdir(path):
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            rmdir(path)

        monkeypatch.setattr(os, "rmdir", refuse)
        with pytest.raises(OSError, match="error") as caught:
            world.do(units=[unit()])
        assert caught.value.filename == directory
        monkeypatch.undo()
        assert os.listdir(directory) == []
        assert f"remove {directory}" in world.good(units=[unit()])
        assert not os.path.exists(directory)
        assert world.good(units=[unit()]) == []

    @pytest.mark.parametrize("at", ["probe", "watch", "start"])
    def test_what_was_not_found_well_has_to_prove_it(self, world: World, at: str) -> None:
        units = [unit(probe={"tcp": "1"})]
        world.fail(at, units=units)
        assert world.up == (set() if at == "start" else {"a.service"})
        # Also a second time.
        world.fail("probe", units=units)
        assert world.good(units=units)[-3:] == ["start a.service", "watch for 1s", "probe a.service"]
        assert world.jobs.count(("stop", "a.service")) == 0
        # A unit that is not to run any more has nothing to prove.
        world.do(units=[unit(on_change="nothing")])
        world.up.clear()
        world.fail("probe", units=units)
        assert world.good(units=[unit(state="stopped")]) == ["stop a.service"]

    def test_what_was_removed_has_a_unit_restarted_still(self, world: World) -> None:
        dropins = {"x": {"Service": {"Nice": 1}}}
        world.good(units=[unit(dropins=dropins)])
        world.jobs.clear()
        world.fail("daemon-reload", units=[unit()])
        assert "daemon-reload, restart a.service" in ", ".join(world.good(units=[unit()]))
        assert world.jobs == [("restart", "a.service")]

    def test_what_was_removed_of_a_unit_that_is_no_more_the_sets(self, world: World) -> None:
        world.write("/usr/lib/systemd/system/a.service", "[Service]\nExecStart=/bin/true\n")
        world.up.add("a.service")
        dropin = {"x": {"Service": {"Nice": 1}}}
        world.good(units=[unit("b.service"), {"name": "a.service", "dropins": dropin, "on_change": "restart"}])
        world.jobs.clear()
        world.fail("daemon-reload", units=[unit("b.service")])
        world.good(units=[unit("b.service")])
        assert world.jobs == [("restart", "a.service")]

    @pytest.mark.parametrize("goes", [False, True])
    def test_instances_that_are_not_listed_are_restarted_still(self, world: World, goes: bool) -> None:
        world.write("/usr/lib/systemd/system/w@.service", "[Service]\nExecStart=/bin/true\n")
        wanted = {"name": "w@.service", "on_change": "restart", "dropins": {"x": {"Service": {"Nice": 1}}, "y": service()}}
        less = {**wanted, "dropins": {"y": service()}}
        world.good(units=[wanted if goes else less])
        world.up.add("w@9.service")
        world.say("w@9.service", InactiveExitTimestamp=1, InactiveExitTimestampMonotonic=1)
        world.fail("daemon-reload", units=[less if goes else wanted])
        assert world.jobs == []
        world.good(units=[less if goes else wanted])
        assert world.jobs == [("try-restart", "w@9.service")]


class TestFilesThatGo:
    def test_a_unit_gets_a_new_name_and_keeps_the_old_one_too(self, world: World) -> None:
        world.good(units=[unit("old.service", sections=service(Install={**ENABLED, "Alias": "older.service"}), enabled=True)])
        new = service(Install={**ENABLED, "Alias": ["old.service", "older.service"]})
        world.good(units=[unit("new.service", sections=new, enabled=True)])
        assert os.readlink(f"{world.root}{SYSTEM}/old.service") == f"{SYSTEM}/new.service"
        assert os.readlink(f"{world.root}{SYSTEM}/older.service") == f"{SYSTEM}/new.service"
        assert world.up == {"new.service"}
        # And the other way round: what is another name becomes the unit.
        world.good(units=[unit("old.service", sections=service(Install={**ENABLED, "Alias": "older.service"}), enabled=True)])
        assert not os.path.islink(f"{world.root}{SYSTEM}/old.service")
        assert os.readlink(f"{world.root}{SYSTEM}/older.service") == f"{SYSTEM}/old.service"
        assert world.up == {"old.service"}
        assert world.text(f"{SYSTEM}/new.service") is None

    def test_the_new_one_was_there_before(self, world: World) -> None:
        old = unit("old.service", sections=service(Install=ENABLED), enabled=True)
        new = unit("new.service", sections=service(Install={**ENABLED, "Alias": "old.service"}))
        world.good(units=[old, new])
        world.refused("in the place of a link", units=[old, {**new, "enabled": True}])
        world.good(units=[{**new, "enabled": True}])
        assert os.path.islink(f"{world.root}{SYSTEM}/old.service")

    def test_what_was_enabled_by_the_set_is_not_when_another_file_comes_to_light(self, world: World) -> None:
        world.write("/usr/lib/systemd/system/a.service", "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
        world.good(units=[unit(sections=service(Install=ENABLED), enabled=True), unit("b.service")])
        world.good(units=[unit("b.service")])
        assert world._file_state("a.service") == "disabled"

    def test_a_mask_of_its_own_makes_way(self, world: World) -> None:
        world.good(units=[{"name": "a.service", "masked": True}])
        wanted = unit(sections=service(Install=ENABLED), enabled=True)
        steps = world.good(units=[wanted])
        path = f"{world.root}{SYSTEM}/a.service"
        assert steps[:2] == [f"unlink {path}", f"write {path}"]
        assert world._file_state("a.service") == "enabled"
        assert world.up == {"a.service"}
        world.good(state="absent")
        assert world.text(f"{SYSTEM}/a.service") is None

    def test_a_mask_takes_the_place_of_a_file(self, world: World) -> None:
        """And the unit is what one is that is not listed any more."""
        written = unit(sections=service(Install=ENABLED), enabled=True, dropins={"x": {"Service": {"Nice": 1}}})
        world.good(units=[written])
        steps = world.good(units=[{"name": "a.service", "masked": True}])
        assert steps[0] == "stop a.service"
        assert world._file_state("a.service") == "masked"
        assert world.up == set()
        assert not os.path.lexists(f"{world.root}{SYSTEM}/multi-user.target.wants/a.service")
        world.good(units=[written])
        assert world._file_state("a.service") == "enabled"

    def test_a_mask_that_made_way_comes_back(self, world: World) -> None:
        """With a rollback."""
        world.good(units=[{"name": "a.service", "masked": True}])
        record = world.text(f"{RECORDS}/web.json")
        ctx = Context(t.cast(t.Any, world))
        done = []
        for step in world.plan(units=[unit()]).steps:
            if isinstance(step, (Reload, Jobs)):
                break
            step.apply(ctx)
            done.append(step)
        assert not os.path.islink(f"{world.root}{SYSTEM}/a.service")
        for step in reversed(done):
            step.undo(ctx)
        assert os.readlink(f"{world.root}{SYSTEM}/a.service") == "/dev/null"
        assert world.text(f"{RECORDS}/web.json") == record

    def test_a_mask_of_somebody_else_stays(self, world: World) -> None:
        os.symlink("/dev/null", f"{world.root}{SYSTEM}/a.service")
        world.refused("is masked", units=[unit()])

    def test_a_drop_in_of_a_template_reaches_instances_that_are_not_listed(self, world: World) -> None:
        world.write("/usr/lib/systemd/system/w@.service", "[Service]\nExecStart=/bin/true\n")
        world.up.add("w@9.service")
        wanted = {"name": "w@.service", "on_change": "restart", "instances": [1], "state": "started"}
        both = {"name": "w@.service", "dropins": {"x": service(), "y": {"Service": {"Nice": 1}}}}
        assert "try-restart w@9.service" in ", ".join(world.do(units=[{**wanted, **both}]))
        less = {**both, "dropins": {"x": service()}}
        assert "try-restart w@9.service" in ", ".join(world.do(units=[{**wanted, **less}]))

    def test_a_prefix_is_none_of_instances(self, world: World) -> None:
        """app-.service.d is not read for app-b@1.service (systemd.unit(5)); app-@.service.d is."""
        world.write("/usr/lib/systemd/system/app-b@.service", "[Service]\nExecStart=/bin/true\n")
        world.write("/usr/lib/systemd/system/app-c.service", "[Service]\nExecStart=/bin/true\n")
        world.up |= {"app-b@1.service", "app-c.service"}
        wanted = {"name": "app-.service", "dropins": {"x": {"Service": {"Nice": 1}}}, "on_change": "restart"}
        assert "try-restart app-c.service" in world.do(units=[wanted])
        assert ("try-restart", "app-b@1.service") not in world.jobs

    def test_a_prefix_is_of_units_that_are_listed_too(self, world: World) -> None:
        units = [unit("app-c.service"), {"name": "app-.service", "dropins": {"x": {"Service": {"Nice": 1}}}}]
        world.good(units=units)
        units[1]["dropins"]["x"]["Service"]["Nice"] = 2
        assert "restart app-c.service" in world.good(units=units)

    @pytest.mark.parametrize(
        ("told", "on_change", "job", "words"),
        [
            ({"CanReload": True}, "reload", "", "has no way to reload any more"),
            ({"CanReload": True}, "reload_or_restart", "reload-or-restart", ""),
            ({"CanReload": False, "RefuseManualStop": True}, "restart", "", "RefuseManualStop="),
            ({"CanReload": False}, "restart", "restart", ""),
        ],
    )
    def test_what_is_done_to_units_that_are_no_more_the_sets(
        self, world: World, told: Given, on_change: str, job: str, words: str
    ) -> None:
        world.write("/usr/lib/systemd/system/a.service", "[Service]\nExecStart=/bin/true\n")
        world.up.add("a.service")
        dropin = {"x": {"Service": {"ExecReload": "/bin/true"}}}
        world.good(units=[unit("b.service"), {"name": "a.service", "dropins": dropin, "on_change": on_change}])
        world.say("a.service", **told)
        world.jobs.clear()
        plan = world.plan(units=[unit("b.service")])
        told_words = [warning for warning in plan.warnings if warning.startswith("a.service runs on")]
        assert bool(told_words) is bool(words)
        assert words in "".join(told_words)
        world.good(units=[unit("b.service")])
        assert world.jobs == ([(job, "a.service")] if job else [])

    def test_a_timer_that_is_no_more_the_sets_counts_from_now(self, world: World) -> None:
        """As one that is: what is restarted may elapse at once."""
        world.write("/usr/lib/systemd/system/a.timer", "[Timer]\nOnCalendar=daily\n")
        world.up.add("a.timer")
        timer = {"name": "a.timer", "dropins": {"x": {"Timer": {"OnCalendar": "hourly"}}}, "on_change": "restart"}
        world.good(units=[unit(), timer])
        steps = world.plan(units=[unit()]).describe()
        assert not [step for step in steps if "restart" in step]
        assert steps[0] == "stop a.timer"
        assert [step for step in steps if step.startswith("start a.timer")]

    def test_a_way_to_reload_that_goes_is_none(self, world: World) -> None:
        world.write("/usr/lib/systemd/system/a.service", "[Service]\nExecStart=/bin/true\n")
        world.up.add("a.service")
        world.say("a.service", CanReload=True)
        dropins: Given = {"x": {"Service": {"ExecReload": "/bin/true"}}, "y": {"Service": {"Nice": 1}}}
        world.good(units=[{"name": "a.service", "dropins": dropins, "on_change": "reload"}])
        del dropins["x"]
        world.refused("a.service has no way to reload", units=[{"name": "a.service", "dropins": dropins, "on_change": "reload"}])
        dropins["y"]["Service"]["ExecReload"] = "/bin/true"
        assert "reload a.service" in world.do(units=[{"name": "a.service", "dropins": dropins, "on_change": "reload"}])

    @pytest.mark.parametrize("key", ["RefuseManualStart", "RefuseManualStop"])
    @pytest.mark.parametrize("on_change", ["restart", "reload_or_restart"])
    def test_a_unit_that_refuses_to_be_restarted(self, world: World, on_change: str, key: str) -> None:
        """What its files will say is what counts."""
        more = {"on_change": on_change}
        world.good(units=[unit(**more)])
        refusing = service(Unit={key: "yes"})
        world.refused("units[0].on_change: a.service cannot be restarted by hand", units=[unit(sections=refusing, **more)])
        reloading = service(Unit={key: "yes"}, Service={"ExecReload": "/bin/true"})
        if on_change == "reload_or_restart":
            assert world.plan(units=[unit(sections=reloading, **more)]).steps
        world.do(units=[unit(sections=refusing, on_change="nothing")])
        world.say("a.service", **{key: True})
        assert f"{on_change.replace('_', '-')} a.service" in world.do(units=[unit(sections=service("/bin/false"), **more)])

    def test_what_asks_for_a_restart_is_named(self, world: World) -> None:
        wanted = unit(sections=service(Unit={"RefuseManualStop": "yes"}), on_change="nothing", restart_on=["1"])
        world.good(units=[wanted])
        world.say("a.service", RefuseManualStop=True)
        world.refused("units[0].restart_on: a.service cannot", "leave out `restart_on`", units=[{**wanted, "restart_on": ["2"]}])


class TestTriggers:
    def test_a_unit_file_of_the_set_itself(self, world: World) -> None:
        """The second run has nothing to do: what counts is what the file holds when the task is done."""
        path = f"{SYSTEM}/b.service"
        units = [unit(restart_on=[path]), unit("b.service")]
        world.good(units=units)
        world.say("a.service", InactiveExitTimestamp=1, InactiveExitTimestampMonotonic=1)
        units[1]["sections"] = service("/bin/false")
        assert "restart a.service" in ", ".join(world.good(units=units))
        world.jobs.clear()
        # And when it goes.
        world.good(units=units[:1])
        assert ("restart", "a.service") in world.jobs

    def test_a_file_by_a_way_that_is_a_link(self, world: World) -> None:
        world.write("/opt/app/old", "")
        os.symlink("../opt/app", f"{world.root}/etc/app")
        units = [unit(restart_on=["/etc/app/env"])]
        files = [{"path": "/opt/app/env", "content": "A=1\n"}]
        world.good(units=units, files=files)
        files[0]["content"] = "A=2\n"
        assert "restart a.service" in world.good(units=units, files=files)

    @pytest.mark.parametrize(
        ("before", "after", "restarts"),
        [
            (["1", "2"], ["2", "1"], False),
            (["1", "2"], ["2"], False),
            (["1"], ["0", "1"], False),
            ([], ["1"], False),
            (["1"], ["2"], True),
            (["1", "2"], ["3", "1"], True),
            (["1", "2"], ["1", "1"], False),
        ],
    )
    def test_texts_are_a_set(self, world: World, before: list[str], after: list[str], restarts: bool) -> None:
        world.good(units=[unit(restart_on=before)])
        world.good(units=[unit(restart_on=after)])
        assert (("restart", "a.service") in world.jobs) is restarts


class TestProperties:
    def test_those_of_a_template_and_of_an_instance(self, world: World) -> None:
        """The narrower entry counts, and what it does not say is as the other one says."""
        units: list[Given] = [
            {"name": "w@.service", "sections": service(), "instances": 2, "state": "started", "properties": {"TasksMax": 5, "CPUWeight": 20}},
            {"name": "w@1.service", "properties": {"TasksMax": 7}},
        ]
        world.good(units=units)
        # Files of one name would hide each other.
        names = [os.path.basename(path) for path in (world.record() or {})["files"] if "50-properties" in path]
        assert len(set(names)) == 2
        for name in ("w@1.service", "w@2.service"):
            world.say(name, TasksMax=5, CPUWeight=20)
        world.say("w@1.service", TasksMax=7)
        units[0]["properties"] = {"TasksMax": 6, "CPUWeight": 30}
        units[1]["properties"] = {"TasksMax": 8}
        world.do(units=units)
        assert world.limits == {"w@1.service": {"TasksMax": 8, "CPUWeight": 30}, "w@2.service": {"TasksMax": 6, "CPUWeight": 30}}
        assert not [job for job in world.jobs if job[0] != "start"]

    def test_units_that_are_no_more_the_sets_are_told(self, world: World) -> None:
        world.write("/usr/lib/systemd/system/a.service", "[Service]\nExecStart=/bin/true\nCPUWeight=77\n")
        world.up.add("a.service")
        world.say("a.service", CPUWeight=20)
        for name in ("b.service", "c.service"):
            world.say(name, CPUWeight=5)
        world.good(units=[unit("b.service"), {"name": "a.service", "properties": {"CPUWeight": 20}, "on_change": "restart"}])
        world.jobs.clear()
        world.do(units=[unit("b.service")])
        assert world.limits == {"a.service": {"CPUWeight": 77}}
        assert world.jobs == []
        # So is one that has something to prove yet.
        world.limits.clear()
        world.fail("watch", units=[unit("b.service", on_change="restart"), unit("c.service")])
        world.do(units=[unit("b.service", properties={"CPUWeight": 6}), unit("c.service", properties={"CPUWeight": 7})])
        assert world.limits == {"b.service": {"CPUWeight": 6}, "c.service": {"CPUWeight": 7}}
