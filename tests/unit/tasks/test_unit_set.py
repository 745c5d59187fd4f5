# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of units: what is asked for, what is decided, and what is remembered."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils import basic

from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST, Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import Record, read_others
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import (
    Source,
    changed_sources,
    need_of,
    read_after,
    since_when,
    text_source,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.check import order_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.decide import (
    check_order,
    check_owners,
    find_cycle,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.files import collect, is_private
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import (
    Asked,
    Item,
    is_of_properties,
    properties_file,
)
from ansible_collections.pidone.systemd.plugins.modules import unit_set as module

SERVICE = {"Service": {"ExecStart": "/bin/true"}}


def item(**params: t.Any) -> Item:
    return Item({"name": "a.service", **params}, "units[0].", "web", False, "")


def asked(*units: dict[str, t.Any], **params: t.Any) -> Asked:
    defaults = {"name": "web", "state": "present", "units": list(units), "files": [], "purge": True, "settle": "0"}
    more = {"take_over": False, "root": None, "scope": "system"}
    return Asked({**defaults, **more, **params})


class TestOptions:
    @pytest.mark.parametrize(
        "params,targets,owns",
        [
            ({}, ["a.service"], False),
            ({"state": "started"}, ["a.service"], True),
            ({"sections": SERVICE}, ["a.service"], True),
            ({"dropins": {"x": SERVICE}}, ["a.service"], False),
            ({"name": "a@", "sections": SERVICE}, [], True),
            ({"name": "a@", "instances": 2}, ["a@1.service", "a@2.service"], True),
            ({"name": "a@", "instances": "2"}, ["a@1.service", "a@2.service"], True),
            ({"name": "a@.socket", "instances": ["x-y", 7]}, ["a@x-y.socket", "a@7.socket"], True),
            ({"name": "a@", "instances": []}, [], True),
            ({"name": "a-.service", "dropins": {"x": SERVICE}}, [], False),
            ({"name": "a-.service", "properties": {"TasksMax": 1}}, [], False),
            ({"name": "a-.service", "state": "started"}, ["a-.service"], True),
            ({"name": "a-.service", "sections": SERVICE, "dropins": {"x": SERVICE}}, ["a-.service"], True),
            ({"name": "service", "dropins": {"x": SERVICE}}, [], False),
            ({"name": "a@", "enabled": True}, ["a@.service"], True),
        ],
    )
    def test_what_it_is_about(self, params: dict[str, t.Any], targets: list[str], owns: bool) -> None:
        found = item(**params)
        assert (found.targets, found.owns) == (targets, owns)

    @pytest.mark.parametrize(
        "params,words",
        [
            ({"sections": SERVICE, "content": "x"}, "given twice"),
            ({"name": "service", "sections": SERVICE}, "service.service"),
            ({"name": "service"}, "no drop-ins for it"),
            ({"name": "service", "dropins": {"x": SERVICE}, "enabled": True}, "many units"),
            ({"name": "a-.service", "dropins": {"x": SERVICE}, "state": "started"}, "many units"),
            ({"name": "service", "dropins": {"x": SERVICE}, "on_change": "restart"}, "not all restarted"),
            ({"name": "a.scope", "sections": SERVICE}, "scopes are made by programs"),
            ({"instances": 3}, "write its name with an @, such as a@.service"),
            ({"name": "a@", "instances": -1}, "no number of instances"),
            ({"name": "a@", "instances": 10**9}, "no number of instances"),
            ({"name": "a@", "instances": {"a": 1}}, "neither a number nor a list"),
            ({"name": "a@", "instances": ["a", "a"]}, "a@a.service is listed twice"),
            ({"name": "a@", "instances": ["a/b"]}, "holds a slash"),
            ({"name": "a@", "instances": [True]}, "in quotes"),
            ({"name": "a@", "state": "started"}, "list them in `instances`"),
            ({"sections": SERVICE, "masked": True}, "cannot be masked"),
            ({"masked": True, "state": "started"}, "cannot be started"),
            ({"masked": True, "enabled": True}, "cannot be enabled"),
            ({"dropins": {"x": 1}}, "units[0].dropins.x: takes a mapping"),
            ({"dropins": {"x/y": SERVICE}}, "holds a slash"),
            ({"dropins": {"x": SERVICE, "x.conf": SERVICE}}, "given twice"),
            ({"dropins": {"x": {"Service": {"A": [[]]}}}}, "units[0].dropins.x.Service"),
            ({"dropins": {"x": "nonsense"}}, "units[0].dropins.x: the file does not parse"),
            ({"restart_on": [""]}, "restart_on[0]: is empty"),
            ({"restart_on": ["/a/../b"]}, "'..' in it"),
            ({"name": "a@", "restart_on": ["x"]}, "many units"),
            ({"properties": {"Nonsense": 1}}, "no resource property"),
            ({"name": "a.timer", "properties": {"TasksMax": 1}}, "no processes"),
            ({"properties": {"TasksMax": 1}, "dropins": {"50-properties": SERVICE}}, "choose another name"),
            ({"probe": {}}, "give one of"),
            ({"probe": {"tcp": "1", "http": "http://a"}}, "tcp and http are given"),
            ({"probe": {"tcp": "70000"}}, "no address"),
            ({"probe": {"http": "ftp://a"}}, "no URL"),
            ({"probe": {"command": "'"}}, "no command"),
            ({"probe": {"socket": "here"}}, "not absolute"),
            ({"probe": {"tcp": "1", "status": [200]}}, "only `http`"),
            ({"probe": {"tcp": "1", "timeout": "0"}}, "no time for a probe"),
            # What only some of the instances make impossible.
            ({"name": "a@", "instances": [1, 100], "probe": {"tcp": "90%i"}}, "for a@100.service, for which %i is '100'"),
            ({"name": "a@", "instances": [1, "x"], "probe": {"http": "http://h:80%i/"}}, "for a@x.service"),
            ({"probe": {"tcp": "%i"}}, "for a.service"),
            ({"restart_on": ["~/env"]}, "restart_on[0]: '~/env' is in a home directory, and scope `system` has none"),
            ({"dropins": {"50-properties": SERVICE}}, "choose another name"),
            ({"dropins": {"50-properties-002.conf": SERVICE}}, "choose another name"),
        ],
    )
    def test_what_it_refuses(self, params: dict[str, t.Any], words: str) -> None:
        with pytest.raises(BadInput) as e:
            item(**params)
        assert words in e.value.msg
        assert e.value.msg.startswith("units[0].")

    @pytest.mark.parametrize(
        "units,params,words",
        [
            ([{"name": "a"}, {"name": "a.service"}], {}, "listed already, in units[0]"),
            ([{"name": "a@", "instances": [1]}, {"name": "a@1", "state": "started"}], {}, "an instance in units[0]"),
            (
                [{"name": "a@", "instances": [1]}, {"name": "a@1", "dropins": {"x": SERVICE}, "on_change": "restart"}],
                {},
                "units[1].on_change: a@1.service is an instance in units[0]",
            ),
            ([], {}, "state: absent"),
            ([{"name": "a"}], {"state": "absent"}, "leave them out"),
            ([{"name": "a"}], {"name": "../a"}, "cannot be the name of a set"),
            ([{"name": "a"}], {"name": ".a"}, "cannot be the name of a set"),
            ([{"name": "a", "state": "started"}], {"root": "/srv"}, "nothing runs where `root` points"),
            ([{"name": "a", "state": "started"}], {"scope": "global"}, "nothing runs where `scope` points"),
            ([], {"files": [{"path": "a", "content": ""}]}, "not absolute"),
            ([], {"files": [{"path": "~/a", "content": ""}]}, "home directory"),
            ([], {"files": [{"path": "/", "content": ""}]}, "is a directory"),
            ([], {"files": [{"path": "/a", "content": ""}] * 2}, "listed already"),
            ([], {"files": [{"path": "/a/b", "content": ""}, {"path": "//a/./b/", "content": ""}]}, "/a/b is listed already"),
            ([], {"files": [{"path": "/a/b/c", "content": ""}, {"path": "/a", "content": ""}]}, "/a/b/c is below /a, which is a file, in files[1]"),
            ([{"name": "a"}], {"settle": "infinity"}, "would never end"),
        ],
    )
    def test_what_cannot_be_together(
        self, units: list[dict[str, t.Any]], params: dict[str, t.Any], words: str
    ) -> None:
        with pytest.raises(BadInput) as e:
            asked(*units, **params)
        assert words in e.value.msg

    @pytest.mark.parametrize("option", ["restart_on", "reload_on", "probe"])
    def test_a_template_may_have_no_instances_for_now(self, option: str) -> None:
        value: t.Any = {"tcp": "90%i"} if option == "probe" else ["x"]
        assert item(name="a@", instances=[], **{option: value}).targets == []

    def test_a_path_in_a_home_directory(self) -> None:
        found = Item({"name": "a", "restart_on": ["~/a//env", "~b"]}, "units[0].", "web", False, "", "user")
        assert found.restart_on == ["~/a/env", "~b"]
        with pytest.raises(BadInput, match=r"'\.\.' in it"):
            Item({"name": "a", "restart_on": ["~/../env"]}, "units[0].", "web", False, "", "user")

    @pytest.mark.parametrize(
        "names",
        [
            ["service", "a-.service", "a-b-.service", "a-b-c.service"],
            ["service", "a-@.service", "a-b@.service", "a-b@1.service"],
            ["service", "a@.service", "a@1.service"],
        ],
    )
    def test_files_of_properties_hide_none_of_each_other(self, names: list[str]) -> None:
        """And the narrower ones are read later."""
        files = [properties_file(name) for name in names]
        assert files == sorted(set(files))
        assert all(map(is_of_properties, files))
        assert files[-1] == "50-properties.conf"

    def test_other_files_are_none_of_properties(self) -> None:
        assert not any(map(is_of_properties, ("", "50-properties-x.conf", "50-properties-.conf", "5-properties.conf")))

    def test_one_instance_may_have_drop_ins_of_its_own(self) -> None:
        asked({"name": "a@", "instances": [1]}, {"name": "a@1", "dropins": {"x": SERVICE}})

    def test_nothing_may_be_listed_where_nothing_is_purged(self) -> None:
        assert not asked(purge=False).items


OLD, NOW, FUTURE = (10.0, 10.0), 100.0, (200.0, 200.0)


class TestFilesByLinks:
    """Of this host, where a path is as it was given everywhere else."""

    @staticmethod
    def paths_of(*paths: object) -> list[str]:
        files = [{"path": str(path), "content": "", "owner": None, "group": None, "mode": None, "take_over": None} for path in paths]
        tools = FileTools(lambda path, check: False)
        found = collect(asked(files=files), UnitPaths("system"), "", tools, lambda *given: tools)
        return [file.path for file in found]

    def test_one_file_has_one_path(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        assert self.paths_of(tmp_path / "link" / "x") == [f"{tmp_path}/real/x"]
        with pytest.raises(BadInput, match=r"files\[1\]\.path: \S+/link/x is the same file as \S+/real/x"):
            self.paths_of(tmp_path / "real" / "x", tmp_path / "link" / "x")

    def test_a_way_to_unit_files_is_none_to_others(self, tmp_path: Path) -> None:
        (tmp_path / "units").symlink_to("/etc/systemd/system")
        with pytest.raises(BadInput, match="is where unit files are"):
            self.paths_of(tmp_path / "units" / "x.service")


class TestWhatUnitsHaveRead:
    @pytest.mark.parametrize(
        "source,known,since,changed",
        [
            # Written by this task.
            (Source("2", True), {}, NOW, True),
            (Source("2", True), {"a": "2"}, NOW, True),
            # Recorded: the same, or another one that is newer than the unit.
            (Source("1", False, OLD), {"a": "1"}, NOW, False),
            (Source("2", False, FUTURE), {"a": "1"}, NOW, True),
            # Somebody has started the unit since.
            (Source("2", False, OLD), {"a": "1"}, NOW, False),
            (Source("2", False, OLD), {"a": "1"}, None, True),
            # A file that is gone: nobody knows since when.
            (Source("2"), {"a": "1"}, NOW, True),
            (Source("1"), {"a": "1"}, NOW, False),
            # Not recorded: only what is newer than the unit is new to it.
            (Source("2", False, FUTURE), {}, NOW, True),
            (Source("2", False, OLD), {}, NOW, False),
            (Source("2"), {}, NOW, False),
            # Put in place since with an older content, as by rsync.
            (Source("2", False, (200.0, 10.0)), {"a": "1"}, NOW, True),
            (Source("2", False, (200.0, 10.0)), {}, NOW, False),
        ],
    )
    def test_changed(self, source: Source, known: dict[str, str], since: float | None, changed: bool) -> None:
        assert changed_sources({"a": source}, known, since) == (["a"] if changed else [])

    @pytest.mark.parametrize(
        "params,own,restart,reload,gone,action,why",
        [
            ({"state": "started"}, True, False, False, [], "restart", ("/own",)),
            ({}, True, False, False, [], "", ()),
            ({"on_change": "reload"}, True, False, False, [], "reload", ("/own",)),
            ({"on_change": "reload_or_restart"}, True, False, False, [], "reload_or_restart", ("/own",)),
            ({"on_change": "restart"}, False, False, False, ["/gone"], "restart", ("/gone",)),
            ({}, False, True, False, [], "restart", ("/conf",)),
            ({}, False, False, True, [], "reload", ("/reload",)),
            ({}, False, True, True, [], "restart", ("/conf", "/reload")),
            ({"on_change": "reload"}, True, True, False, [], "restart", ("/conf", "/own")),
            ({"state": "started"}, False, False, False, [], "", ()),
        ],
    )
    def test_need(
        self, params: dict[str, t.Any], own: bool, restart: bool, reload: bool, gone: list[str], action: str, why: tuple[str, ...]
    ) -> None:
        need = need_of(
            item(**params).on_change,
            [*changed_sources({"/own": Source("1", own, OLD)}, {}, NOW), *gone],
            {"/conf": Source("1", restart, OLD)},
            {"/reload": Source("1", reload)},
            None,
            NOW,
        )
        assert (need.action, need.why) == (action, why)
        # What nothing is done about stays to be done.
        assert need.passed == (("/own",) if own and item(**params).on_change == "nothing" else ())

    @pytest.mark.parametrize(
        ("known", "now", "changed"),
        [
            (["1"], ["2"], ["2"]),
            (["1", "2"], ["2", "1"], []),
            (["1", "2"], ["2"], []),
            (["1"], ["0", "1"], []),
            ([], ["1"], []),
            (["1", "2"], ["1", "3", "4"], ["3", "4"]),
        ],
    )
    def test_texts(self, known: list[str], now: list[str], changed: list[str]) -> None:
        sources = dict(text_source(each) for each in now)
        read = {name: source.digest for name, source in (text_source(each) for each in known)}
        found = changed_sources(sources, {**read, "/a": "1"}, NOW)
        assert [sources[name].digest for name in found] == changed

    @pytest.mark.parametrize(
        ("told", "ticks", "now", "monotonic", "when"),
        [
            (500, 100, 600, 200, 500),
            # The clock was set back by 300 seconds since, or on.
            (500, 100, 300, 200, 200),
            (500, 100, 900, 200, 500),
            # The host slept for 300 seconds, which the monotonic clock does not count.
            (500, 100, 900, 200, 500),
            (None, None, 600, 200, 0),
        ],
    )
    def test_when_a_unit_was_started(
        self, told: int | None, ticks: int | None, now: float, monotonic: float, when: float
    ) -> None:
        """A file that was written after the start has a later time by either clock."""
        assert since_when(told and told * 10**6, ticks and ticks * 10**6, now, monotonic) == when

    def test_read_after(self) -> None:
        sources = {"a": Source("2"), "b": Source("2"), "c": Source("2")}
        known = {"a": "1", "b": "1", "gone": "1"}
        assert read_after(sources, known, True, ("a",)) == {"a": "2", "b": "2", "c": "2"}
        assert read_after(sources, known, False, ("a", "c")) == {"a": "1", "b": "2"}


class TestOrder:
    @pytest.mark.parametrize(
        "after,cycle",
        [
            ({}, []),
            ({"a": ["b"], "b": ["c"]}, []),
            ({"a": ["b", "c"], "b": ["d"], "c": ["d"]}, []),
            ({"a": ["b"], "b": ["a"]}, ["a", "b", "a"]),
            ({"z": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]}, ["a", "b", "c", "a"]),
        ],
    )
    def test_cycles(self, after: dict[str, list[str]], cycle: list[str]) -> None:
        assert find_cycle(after) == cycle

    def test_a_long_way_is_none(self) -> None:
        assert find_cycle({str(n): [str(n + 1)] for n in range(5000)}) == []

    def test_of_files(self) -> None:
        a = item(sections={**SERVICE, "Unit": {"After": "b.service none.service"}})
        b = item(name="b", dropins={"x": {"Unit": {"After": "c@1.service"}}})
        c = item(name="c@", sections={**SERVICE, "Unit": {"Before": "b.service", "After": "d@%i.service"}}, instances=2)
        d = item(name="d@", instances=[1])
        after = order_of([a, b, c, d])
        assert after == {
            "a.service": {"b.service"},
            "b.service": {"c@1.service", "c@2.service"},
            "c@1.service": {"d@1.service"},
        }
        # By a prefix, and by a type: what is said of all is said of each, but not of itself.
        many = [item(name="b-.service", dropins={"x": {"Unit": {"After": "a.service"}}}), item(name="b-1", sections=SERVICE)]
        all_of = item(name="service", dropins={"x": {"Unit": {"Before": "a.service"}}})
        assert order_of([a, *many]) == {"b-1.service": {"a.service"}}
        assert order_of([a, b, all_of]) == {"a.service": {"b.service"}}
        assert order_of([a, *many, all_of]) == {"b-1.service": {"a.service"}, "a.service": {"b-1.service"}}
        check_order(after)
        with pytest.raises(BadInput, match=r"a.service, b.service wait for each other.*a.service after b.service"):
            check_order({"a.service": ["b.service"], "b.service": ["a.service"]})

    @pytest.mark.parametrize(
        "items,after",
        [
            # By another name of its, once it is enabled.
            (
                [item(sections={"Unit": {"After": "uno.service"}}), item(name="b", sections={"Install": {"Alias": "uno.service"}}, enabled=True)],
                {"a.service": {"b.service"}},
            ),
            ([item(sections={"Unit": {"After": "uno.service"}}), item(name="b", sections={"Install": {"Alias": "uno.service"}})], {}),
            # What starts another one is before it.
            ([item(), item(name="a.socket")], {"a.service": {"a.socket"}}),
            ([item(), item(name="b.socket", sections={"Socket": {"Service": "a.service"}})], {"a.service": {"b.socket"}}),
            ([item(), item(name="a.socket", sections={"Socket": {"Accept": "yes"}})], {}),
            ([item(), item(name="a.timer")], {"a.service": {"a.timer"}}),
            ([item(), item(name="b.path", dropins={"x": {"Path": {"Unit": "a.service"}}})], {"a.service": {"b.path"}}),
            ([item(sections={"Service": {"Sockets": "b.socket"}}), item(name="b.socket")], {"a.service": {"b.socket"}}),
            # Targets are after what they pull in, unless that says otherwise.
            ([item(), item(name="x.target", sections={"Unit": {"Wants": "a.service"}})], {"x.target": {"a.service"}}),
            ([item(sections={"Install": {"RequiredBy": "x.target"}}, enabled=True), item(name="x.target")], {"x.target": {"a.service"}}),
            ([item(sections={"Install": {"WantedBy": "x.target"}}), item(name="x.target")], {}),
            (
                [item(sections={"Unit": {"After": "x.target"}}), item(name="x.target", sections={"Unit": {"Wants": "a.service"}})],
                {"a.service": {"x.target"}},
            ),
            ([item(), item(name="x.target", sections={"Unit": {"Wants": "a.service", "DefaultDependencies": "no"}})], {}),
            ([item(sections={"Unit": {"DefaultDependencies": "no"}}), item(name="x.target", sections={"Unit": {"Wants": "a.service"}})], {}),
        ],
    )
    def test_what_systemd_has_without_a_word(self, items: list[Item], after: dict[str, set[str]]) -> None:
        assert order_of(items) == after


class TestOwners:
    def test_another_set_has_it(self) -> None:
        with pytest.raises(BadInput, match=r"units\[0\].name: a.service belongs to the set other"):
            check_owners([item(state="started")], {"a.service": "other"})
        assert check_owners([item(dropins={"x": SERVICE})], {"a.service": "other"}) == set()
        assert check_owners([item(state="started", take_over=True)], {"a.service": "other"}) == {"a.service"}


_UNIT = {"owned": True, "made": [], "on_change": "nothing", "loaded": {}, "reloaded": {}}
_FILE = {"kind": "dropin", "unit": "service", "digest": "1", "meaning": "1"}


class TestRecord:
    def test_it_comes_back(self, tmp_path: Path) -> None:
        record = Record.new("web")
        record.files["/etc/a"] = {"kind": "file", "unit": "", "digest": "1", "meaning": "1"}
        record.files["/etc/b"] = {"kind": "dropin", "unit": "service", "digest": "1", "meaning": "1", "was": ""}
        record.units["a.service"] = {"owned": True, "made": ["enabled"], "on_change": "restart", "loaded": {"/a": "1"}, "reloaded": {}}
        record.units["b.service"] = {**record.units["a.service"], "id": "c.service", "unproven": True}
        path = tmp_path / "web.json"
        path.write_bytes(record.text())
        found = Record.read(str(path), HOST)
        assert found is not None
        assert found.text() == record.text()
        assert read_others(str(tmp_path), "other", HOST)[str(path)].name == "web"
        assert read_others(str(tmp_path), "web", HOST) == {}
        assert read_others(str(tmp_path / "none"), "web", HOST) == {}

    def test_of_a_tree_no_path_leads_out_of_it(self, tmp_path: Path) -> None:
        root = str(tmp_path)
        (tmp_path / "var").mkdir()
        record = Record.new("web", root)
        record.files[f"{root}/etc/a"] = {"kind": "file", "unit": "", "digest": "1", "meaning": "1"}
        record.units["a.service"] = {"owned": True, "made": [], "on_change": "nothing", "loaded": {f"{root}/etc/a": "1"}, "reloaded": {}}
        (tmp_path / "var" / "web.json").write_bytes(record.text())
        assert root not in record.text().decode()
        found = Record.read(f"{root}/var/web.json", Tree(root))
        assert found is not None
        assert list(found.files) == [f"{root}/etc/a"]
        assert found.text() == record.text()

    @pytest.mark.parametrize(
        "data",
        [
            "", "[]", "{}", "null", '{"version": 2}',
            json.dumps({"version": 1, "set": "a", "salt": "b", "files": {"etc": {}}, "units": {}}),
            json.dumps({"version": 1, "set": "a", "salt": "b", "files": {"/etc/../x": {}}, "units": {}}),
            json.dumps({"version": 1, "set": "a", "salt": "b", "files": {}, "units": {"a": []}}),
            "[" * 100000,
            json.dumps({"version": 1, "set": "a", "salt": "b", "files": {}, "units": {"../../etc/passwd": _UNIT}}),
            json.dumps({"version": 1, "set": "a", "salt": "b", "files": {}, "units": {"a\nb.service": _UNIT}}),
            json.dumps({"version": 1, "set": "a", "salt": "b", "files": {}, "units": {"a.service": {**_UNIT, "id": "../x"}}}),
            json.dumps({"version": 1, "set": "a", "salt": "b", "files": {"/a": {**_FILE, "unit": "../x"}}, "units": {}}),
            json.dumps({"version": 1, "set": "a", "salt": "b", "files": {"/a": {**_FILE, "was": 1}}, "units": {}}),
        ],
    )  # fmt: skip
    def test_what_is_none(self, tmp_path: Path, data: str) -> None:
        path = tmp_path / "a.json"
        path.write_text(data)
        with pytest.raises(SystemdError, match="is no record of a set"):
            Record.read(str(path), HOST)

    def test_what_it_wrote(self) -> None:
        """Once it is written, a file is the set's whatever it holds; until then by what it holds alone."""
        record = Record.new("web")
        one, two = record.digest(b"1"), record.digest(b"2")
        for was, wrote, has in (
            (None, [False, True, False], [True, True, True]),
            (one, [True, True, False], [True, True, False]),
            ("", [False, True, False], [False, True, False]),
        ):
            record.files["/a"] = {"kind": "file", "unit": "", "digest": two, "meaning": two}
            if was is not None:
                record.files["/a"]["was"] = was
            assert [record.wrote("/a", content) for content in (b"1", b"2", b"3")] == wrote
            assert [record.has("/a", content) for content in (b"1", b"2", b"3")] == has
        assert not record.wrote("/b", b"1") and not record.has("/b", b"1")

    def test_digests_tell_nothing_without_the_salt(self) -> None:
        one, two = Record.new("a"), Record.new("a")
        assert one.digest(b"secret") == one.digest(b"secret") != two.digest(b"secret")


def test_what_may_be_secret_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe may have a password in its URL, or in the arguments of its command."""
    secret = {
        "name": "web",
        "files": [{"path": "/a", "content": "secret"}],
        "units": [{"name": "a", "restart_on": ["secret"], "reload_on": ["secret"], "probe": {"http": "http://u:secret@h/?t=secret"}}],
    }
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": secret}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy")
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    monkeypatch.setattr(module, "run", lambda made, _task: logged.append(str(made.without_hidden())))
    logged: list[str] = []
    module.main()
    assert len(logged) == 2
    assert "secret" not in str(logged)


@pytest.mark.parametrize(
    "mode,private",
    [(None, False), ("0644", False), (0o644, False), ("0600", True), (0o640, True), ("u=rw,go=r", True), ("750", True)],
)
def test_what_is_not_shown(mode: t.Any, private: bool) -> None:
    assert is_private(None, mode) is private
