# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`restart_on`, `reload_on` and `probe`: the same in all modules that have them, and what `unit_file` remembers of them."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import yaml

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import Places
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.remember import Remember
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import path_of, times_of, triggers_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file import memory
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.memory import Memory, path_of_memory
from ansible_collections.pidone.systemd.plugins.modules import unit_file, unit_set
from tests.unit.tasks.test_unit_files import FakeManager, asked

A = "a.service"


def up(name: str = A, state: str = "active") -> Unit:
    return Unit(name, UnitStatus(name, "", "loaded", state, "", "", "/", 0, "", "/"))


class Host:
    """A host on which a unit was started at a time (seconds of the clock), and tasks that change what it is restarted for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.started = 0.0
        self.place = MagicMock(tree=HOST)
        self.place.session.home = str(folder / "home")
        self.manager = MagicMock(offline=False, runs=True)
        monkeypatch.setattr(memory, "places_of", lambda _session: Places("system", str(folder), str(folder / "state")))
        monkeypatch.setattr(memory, "started_when", lambda _manager, ids: dict.fromkeys(ids, self.started))

    def memory(self, units: t.Sequence[Unit] = (), **options: t.Any) -> Memory:
        return Memory(asked(**options), self.place, self.manager, units or [up()])

    def task(self, job: str = "", *, units: t.Sequence[Unit] = (), probed: t.Sequence[str] = (), **options: t.Any) -> bool:
        """Do what one task would that gives the unit this job; returns whether it has anything to remember."""
        units = units or [up()]
        first, last = self.memory(units, **options).steps({unit.id: job for unit in units if job}, probed)
        for step in (*first, *last):
            assert isinstance(step, Remember)
            step.apply(Context(FakeManager()))
        return bool(first or last)

    @property
    def records(self) -> list[Path]:
        return sorted(self.folder.glob("state/unit_file/system/*"))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


class TestOptions:
    def test_texts_and_paths(self) -> None:
        given = {"restart_on": ["/etc/a", "1.2", "~/b", "a/b"]}
        assert triggers_of(given, "restart_on", "", "user") == ["/etc/a", "1.2", "~/b", "a/b"]

    @pytest.mark.parametrize("text", ["", "/a/../b", "~/b"])
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(BadInput, match=r"^x\.restart_on\[1\]: "):
            triggers_of({"restart_on": ["a", text]}, "restart_on", "x.", "system")

    def test_a_home_directory_is_a_users(self) -> None:
        assert path_of("~/a/b", "o", "user") == "~/a/b"
        with pytest.raises(BadInput, match="^o: .*home directory"):
            path_of("~/a", "o", "system")

    def test_all_modules_say_the_same_of_them(self) -> None:
        """And take the same."""

        def option(module: t.Any, name: str) -> dict[str, t.Any]:
            options = yaml.safe_load(module.DOCUMENTATION)["options"]
            found = options["units"]["suboptions"][name] if "units" in options else options[name]
            return t.cast("dict[str, t.Any]", yaml.safe_load(yaml.safe_dump(found).replace("units[].", "")))

        for name in ("probe", "reload_on"):
            assert option(unit_file, name) == option(unit_set, name)
        one, other = (option(module, "restart_on") for module in (unit_file, unit_set))
        assert {**one, "description": ""} == {**other, "description": ""}


class TestMemory:
    def test_a_file_that_changes(self, host: Host, tmp_path: Path) -> None:
        conf = tmp_path / "conf"
        conf.write_text("1")
        wish: t.Any = {"restart_on": [str(conf)]}
        host.started = conf.stat().st_mtime + 1
        assert host.memory(**wish).need(up(), []).action == ""
        assert host.task(**wish)
        assert not host.task(**wish)
        conf.write_text("2")
        host.started = conf.stat().st_ctime - 1
        need = host.memory(**wish).need(up(), [])
        assert (need.action, need.why, need.option) == ("restart", (str(conf),), "restart_on")
        # Somebody was faster.
        host.started = conf.stat().st_ctime + 1
        assert host.memory(**wish).need(up(), []).action == ""
        assert host.task(**wish)
        # It is newer, and what it was when the unit read it.
        host.started = 0
        assert host.memory(**wish).need(up(), []).action == ""
        conf.unlink()
        assert host.memory(**wish).need(up(), []).action == "restart"
        assert host.task("restart", **wish)
        assert not host.task(**wish)

    def test_a_link_that_leads_elsewhere_by_now(self, host: Host, tmp_path: Path) -> None:
        """A release that lay there before the unit was started is switched to."""
        for release in ("1", "2"):
            (tmp_path / release).mkdir()
            (tmp_path / release / "app.conf").write_text(release)
        link, watched = tmp_path / "current", [str(tmp_path / "current/app.conf")]
        link.symlink_to("1")
        host.task("start", restart_on=watched)
        host.started = os.stat(tmp_path / "2/app.conf").st_ctime
        assert host.memory(restart_on=watched).need(up(), []).action == ""
        while True:
            link.unlink()
            link.symlink_to("2")
            # The clock of files ticks seldom.
            if os.lstat(link).st_ctime > host.started:
                break
        assert host.memory(restart_on=watched).need(up(), []).action == "restart"
        # By whatever way it is come to.
        (tmp_path / "way").symlink_to(f"{tmp_path}/./way2/../current")
        (tmp_path / "way2").mkdir()
        times = times_of(f"{tmp_path}/way/app.conf")
        assert times is not None
        assert times >= (os.lstat(link).st_ctime, os.lstat(link).st_mtime)
        host.started = os.lstat(link).st_ctime + 1
        assert host.memory(restart_on=watched).need(up(), []).action == ""

    def test_a_circle_that_is_made_while_it_is_looked_at(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever owns the directory may do that at any time."""
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        was = os.stat(tmp_path)
        monkeypatch.setattr(os, "stat", lambda path: was)
        assert times_of(f"{tmp_path}/a") is None

    def test_one_that_nobody_knows(self, host: Host, tmp_path: Path) -> None:
        """It is newer than the unit, or the unit has it."""
        conf = tmp_path / "conf"
        conf.write_text("1")
        for started, action in ((conf.stat().st_mtime + 1, ""), (conf.stat().st_mtime - 1, "restart")):
            host.started = started
            assert host.memory(restart_on=[str(conf)]).need(up(), []).action == action

    def test_a_text(self, host: Host) -> None:
        assert host.memory(restart_on=["1"]).need(up(), []).action == ""
        host.task(restart_on=["1"])
        need = host.memory(restart_on=["2"]).need(up(), [])
        assert (need.action, need.why) == ("restart", ("restart_on",))
        # What was cut short before it came to the restart is not forgotten; what came to it is not done again.
        assert host.memory(restart_on=["2"]).need(up(), []).action == "restart"
        host.task("restart", restart_on=["2"])
        assert host.memory(restart_on=["2"]).need(up(), []).action == ""

    def test_texts_may_be_secret(self, host: Host) -> None:
        host.task(restart_on=["hush-hush"])
        assert json.loads(host.records[0].read_text())["units"][A]["loaded"]
        assert "hush" not in host.records[0].read_text()
        assert host.records[0].stat().st_mode & 0o777 == 0o600

    def test_reload_and_restart(self, host: Host) -> None:
        wish: t.Any = {"restart_on": ["a1"], "reload_on": ["b1"]}
        host.task(**wish)
        cases: list[tuple[t.Any, list[str], str, str]] = [
            ({"reload_on": ["b2"]}, [], "reload", "reload_on"),
            ({"reload_on": ["b2"], "restart_on": ["a2"]}, [], "restart", "restart_on"),
            ({"reload_on": ["b2"]}, ["/f"], "reload", "reload_on"),
            ({"reload_on": ["b2"], "on_change": "restart"}, ["/f"], "restart", "on_change"),
            ({"restart_on": ["a2"], "on_change": "reload"}, ["/f"], "restart", "restart_on"),
            ({"on_change": "reload"}, ["/f"], "reload", "on_change"),
            ({"on_change": "reload_or_restart", "reload_on": ["b2"]}, ["/f"], "reload_or_restart", "on_change"),
            ({}, ["/f"], "", ""),
        ]
        for new, file, action, option in cases:
            need = host.memory(**{**wish, **new}).need(up(), file)
            assert (need.action, need.option) == (action, option), new
        # A reload is no start.
        host.task("reload", **{**wish, "reload_on": ["b2"]})
        assert host.memory(**{**wish, "reload_on": ["b2"]}).need(up(), []).action == ""
        assert host.memory(restart_on=["a2"], reload_on=["b2"]).need(up(), []).action == "restart"

    def test_instances_each_have_their_own(self, host: Host) -> None:
        one, two = up("a@1.service"), up("a@2.service")
        host.task(units=[one], name="a@.service", restart_on=["1"])
        both = host.memory([one, two], name="a@.service", restart_on=["2"])
        assert [both.need(each, []).action for each in (one, two)] == ["restart", ""]

    def test_what_is_not_asked_for_any_more_is_forgotten(self, host: Host) -> None:
        gone: t.Any
        for gone in ({}, {"state": "absent", "restart_on": ["1"]}):
            host.task(restart_on=["1"])
            assert len(host.records) == 1
            assert host.task(**gone)
            assert not host.records
            assert not host.task(**gone)

    def test_a_probe_that_was_not_answered(self, host: Host) -> None:
        """The next task has to ask again, though it finds all as it shall be."""
        probe: t.Any = {"probe": {"tcp": "1"}}
        before = host.memory(**probe)
        assert before.unproven() == []
        first, last = before.steps({A: "start"}, [A])
        first[0].apply(Context(FakeManager()))
        assert not first[0].counts
        assert host.memory(**probe).unproven() == [A]
        assert host.memory([up(state="failed")], **probe).unproven() == []
        last[-1].apply(Context(FakeManager()))
        assert host.memory(**probe).unproven() == []
        assert not host.records

    def test_one_for_each_file(self, host: Host) -> None:
        names = {
            path_of_memory(asked(**t.cast("dict[str, t.Any]", options)), host.place)
            for options in ({}, {"name": "b"}, {"dropin": "x"}, {"dropin": "y"}, {"runtime": True}, {"dropin": "x", "runtime": True})
        }
        assert len(names) == 6
        long = "x" * 240
        path = path_of_memory(asked(name=f"{long}.service", dropin=long), host.place)
        assert len(path.rpartition("/")[2]) < 256

    def test_nothing_is_touched_where_nothing_runs(self, host: Host) -> None:
        host.manager.offline = True
        assert not host.task(restart_on=["1", "/nope"])
        assert not host.records

    def test_who_may_write_nowhere(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "places_of", lambda _session: None)
        assert path_of_memory(asked(), host.place) == ""
        assert not host.task()
        with pytest.raises(SystemdError, match="become"):
            path_of_memory(asked(restart_on=["1"]), host.place)

    def test_what_cannot_be_read(self, host: Host, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"^restart_on\[0\]: "):
            host.memory(restart_on=[str(tmp_path)])
