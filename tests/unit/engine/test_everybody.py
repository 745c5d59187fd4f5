# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading all users' managers: what one of them does is that one's affair."""

from __future__ import annotations

import os
import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine import everybody
from ansible_collections.pidone.systemd.plugins.module_utils._engine.everybody import read_managers
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import Account, NoSuchUser

NAMES = {"7": "ada", "8": "bob", "9": "eve"}
Params = dict[str, t.Any]


def module(**params: t.Any) -> t.Any:
    return SimpleNamespace(params={"scope": "user", "user": "*", "timeout": "60s", **params})


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(user: str) -> Account:
        if user not in NAMES:
            raise NoSuchUser(user)
        return Account(int(user), 1, NAMES[user], "/home")

    monkeypatch.setattr(everybody, "running", lambda: [7, 8, 9, 10])
    monkeypatch.setattr(everybody, "find_account", find)
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_one_manager_is_read_as_ever() -> None:
    asked = module(user="ada")
    assert read_managers(asked, lambda params, whose: {"units": [params is asked.params, whose is asked]}, "units") == {"units": [True, True]}


def test_whose_each_entry_is_and_what_failed() -> None:
    def read(params: Params, whose: t.Any) -> Params:
        assert whose is None
        if params["user"] == "8":
            raise SystemdError("it is silent")
        if params["user"] == "9":
            return {"changed": False, "units": [{"name": "x" * 9_000_000}]}
        return {"changed": False, "units": [{"name": "a"}, {"name": "b"}], "warnings": ["odd"]}

    found = read_managers(module(), read, "units")
    assert found["units"] == [{"name": name, "user": "ada", "uid": 7} for name in "ab"]
    assert [(each["user"], each["uid"], each["answered"]) for each in found["managers"]] == [
        ("ada", 7, True), ("bob", 8, False), ("eve", 9, False), (None, 10, False),
    ]  # fmt: skip
    said = [each["msg"] for each in found["managers"]]
    assert said[:2] == [None, "it is silent"]
    assert "more than one of so many managers may tell" in said[2] and "no user '10'" in said[3]
    assert found["warnings"][0] == "user ada: odd"
    assert found["warnings"][1] == "the manager of user bob is not read: it is silent"


def test_what_is_no_list_is_in_the_managers_entry() -> None:
    found = read_managers(module(), lambda params, whose: {"changed": False, "manager": {"state": params["user"]}})
    assert [each.get("manager") for each in found["managers"]] == [{"state": user} for user in NAMES] + [None]
    assert "manager" not in found


def test_what_is_said_of_each_is_said_with_the_name() -> None:
    found = read_managers(module(), lambda params, whose: {"changed": False, "units": [], "msg": "x" if params["user"] == "8" else ""}, "units")
    assert found["msg"] == "user bob: x"
    assert [each["msg"] for each in found["managers"][:3]] == [None] * 3


def test_nobody_has_more_than_a_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    patience: list[str] = []
    read_managers(module(timeout="20s"), lambda params, whose: patience.append(params["timeout"]) or {"changed": False})  # type: ignore[func-returns-value]
    assert [float(each[:-1]) for each in patience] == pytest.approx([5.0, 6.7, 10.0], abs=0.2)


def test_what_all_refuse_is_refused() -> None:
    def read(params: Params, whose: t.Any) -> Params:
        raise BadInput(f"properties: no {params['user']}")

    with pytest.raises(BadInput, match="properties: no 7"):
        read_managers(module(), read, "units")


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everybody, "running", lambda: [10])
    (manager,) = read_managers(module(), lambda params, whose: {"changed": False}, "units")["managers"]
    assert manager["answered"] is False


@pytest.mark.parametrize(("params", "euid", "words"), [({}, 1000, "`become: true`"), ({"root": "/srv"}, 0, "leave out `root`")])
def test_refused(monkeypatch: pytest.MonkeyPatch, params: Params, euid: int, words: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    with pytest.raises(BadInput, match=words):
        read_managers(module(**params), lambda params, whose: {"changed": False}, "units")


class TestMachines:
    """The containers of machined, by the same rules."""

    @pytest.fixture(autouse=True)
    def machined(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._dbus import carrier
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd import machines

        monkeypatch.setattr(carrier, "import_jeepney", lambda: (None, None))
        monkeypatch.setattr(machines, "containers", lambda jeepney, timeout: ["db", "web"])

    def of(self, **params: t.Any) -> t.Any:
        return module(**{"scope": "system", "user": None, "machine": "*", **params})

    def test_one_is_read_as_ever(self) -> None:
        asked = self.of(machine="web")
        assert read_managers(asked, lambda params, whose: {"units": [params is asked.params]}, "units") == {"units": [True]}

    def test_whose_each_entry_is_and_what_failed(self) -> None:
        def read(params: Params, whose: t.Any) -> Params:
            assert whose is None
            if params["machine"] == "db":
                raise SystemdError("it is silent")
            # Whatever it says of itself.
            return {"changed": False, "units": [{"name": "a", "machine": "db"}], "warnings": ["odd"]}

        assert read_managers(self.of(), read, "units") == {
            "changed": False,
            "units": [{"name": "a", "machine": "web"}],
            "managers": [
                {"machine": "db", "answered": False, "msg": "it is silent"},
                {"machine": "web", "answered": True, "msg": None},
            ],
            "warnings": ["the manager of machine db is not read: it is silent", "machine web: odd"],
        }

    def test_nobody_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd import machines

        monkeypatch.setattr(machines, "containers", lambda jeepney, timeout: [])
        found = read_managers(self.of(), lambda params, whose: {"changed": False}, "units")
        assert found == {"changed": False, "units": [], "managers": [], "warnings": []}

    @pytest.mark.parametrize(
        ("params", "euid", "words"),
        [
            ({}, 1000, r"^machine: '\*': only root .*`become: true`"),
            ({"scope": "user"}, 0, "of a machine, only the system's manager can be read, not scope `user`; leave out `scope`"),
            ({"scope": "global"}, 0, "not scope `global`"),
            ({"user": "ada"}, 0, "`machine` and `user` name different managers; leave out one"),
            ({"root": "/srv"}, 0, "`machine` and `root` name different managers; leave out one"),
            ({"machine": ".host"}, 0, "^machine: '.host' is this host itself; leave out `machine`"),
            ({"machine": ""}, 0, "^machine: '' is no name of a machine"),
            ({"machine": "a b"}, 0, "is no name of a machine; write one that `machinectl list` prints"),
            ({"machine": "../web"}, 0, "is no name of a machine"),
            ({"machine": "web*"}, 0, "is no name of a machine"),
            ({"machine": "x" * 65}, 0, "is no name of a machine"),
            ({"machine": "web\n"}, 0, "is no name of a machine"),
        ],
    )
    def test_refused(self, monkeypatch: pytest.MonkeyPatch, params: Params, euid: int, words: str) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: euid)
        with pytest.raises(BadInput, match=words):
            read_managers(self.of(**params), lambda params, whose: {"changed": False}, "units")

    @pytest.mark.parametrize("option", ["marker", "next"])
    def test_what_only_files_tell_of_timers(self, option: str) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.info import gather

        options = {"name": None, "marker": None, "next": 0, option: "app" if option == "marker" else 3}
        with pytest.raises(BadInput, match=f"^{option}: .*leave out `{option}`, or `machine`"):
            gather(self.of(**options))
