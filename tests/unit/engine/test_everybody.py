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
