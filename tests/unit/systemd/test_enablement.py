# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enablement read from files, in directories made up; tests/hosts/test_enablement.py compares with systemd."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd import enablement
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.enablement import (
    dropins_of,
    is_regular,
    states_from_files,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import leads_to, links_by_unit
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.services import Service, services_from_files
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import Wish, plan_units
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit

TEXT = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=a.target\n"


class Place:
    """Two directories of unit files, the first one for good."""

    def __init__(self, root: Path) -> None:
        self.etc, self.lib = root / "etc", root / "lib"
        (self.etc / "a.target.wants").mkdir(parents=True)
        self.lib.mkdir()

    def units(self, count: int) -> list[str]:
        names = [f"u{number}.service" for number in range(count)]
        for name in names:
            (self.lib / name).write_text(f"[Unit]\nDescription={name}\n{TEXT}")
            (self.etc / "a.target.wants" / name).symlink_to(self.lib / name)
        return names

    def states(self, names: t.Sequence[str]) -> dict[str, str]:
        return states_from_files([str(self.etc), str(self.lib)], names, [str(self.etc)])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_states(place: Place) -> None:
    names = place.units(3)
    (place.etc / "a.target.wants" / names[1]).unlink()
    (place.lib / names[2]).write_text("[Install\n")
    asked = [*names, "none.service", "a@1.service", "a@.service", "x.scope"]
    assert place.states(asked) == {
        "u0.service": "enabled",
        "u1.service": "disabled",
        "none.service": "",
        "x.scope": "",
    }


def test_units_that_have_all_links(place: Place) -> None:
    names = place.units(5)
    (place.lib / names[1]).write_text(TEXT + "RequiredBy=b.target\n")
    (place.lib / names[2]).write_text(TEXT + "RequiredBy=b.target\n")
    (place.etc / "b.target.requires").mkdir()
    (place.etc / "b.target.requires" / names[2]).symlink_to(place.lib / names[2])
    (place.lib / names[3]).write_text(TEXT + "Alias=other.service\n")
    (place.lib / names[4]).write_text("[Service]\nExecStart=/bin/true\n")
    whole: set[str] = set()
    states = states_from_files([str(place.etc), str(place.lib)], names, [str(place.etc)], whole)
    assert set(states.values()) == {"enabled"} and len(states) == 5
    assert whole == {names[0], names[2], names[4]}
    # Where it is another directory that lasts, those of the first one are of the kind that does not.
    whole.clear()
    states_from_files([str(place.etc), str(place.lib)], names, [str(place.lib)], whole)
    assert not whole


def test_units_that_are_one_file_alone(place: Place) -> None:
    names = place.units(7)
    (place.etc / names[1]).write_text(TEXT)
    (place.lib / names[2]).write_text(f"[Unit]\nSourcePath=/x\n{TEXT}")
    (place.lib / f"{names[3]}.d").mkdir()
    (place.etc / "other.service").symlink_to(place.lib / names[4])
    (place.lib / names[5]).unlink()
    (place.lib / names[6]).write_text("[Install\n")
    dashed, mount = "a-b-c.service", "x.mount"
    for name in (dashed, mount):
        (place.lib / name).write_text(TEXT)

    def alone() -> dict[str, str]:
        files: dict[str, str] = {}
        states_from_files([str(place.etc), str(place.lib)], [*names, dashed, mount], [], None, files)
        return files

    plain = {names[0]: f"{place.lib}/{names[0]}", names[1]: f"{place.etc}/{names[1]}"}
    assert alone() == {**plain, dashed: f"{place.lib}/{dashed}"}
    (place.etc / "a-.service.d").symlink_to("/nowhere")
    assert alone() == plain
    (place.etc / "service.d").mkdir()
    assert alone() == {}


def test_names_of_drop_ins() -> None:
    assert dropins_of("a.service") == ["a.service", "service"]
    assert dropins_of("-a--b.timer") == ["-a--b.timer", "timer", "-.timer", "-a-.timer", "-a--.timer"]


def test_services(place: Place) -> None:
    names = place.units(4)
    (place.lib / names[1]).write_text("[Service]\nType=oneshot\nExecStart=/bin/true\nRestart=on-failure\n")
    (place.lib / f"{names[2]}.d").mkdir()
    (place.lib / "alias.service").symlink_to(names[3])
    paths = [str(place.etc), str(place.lib)]
    found = services_from_files(paths, [*names, "alias.service", "none.service"])
    assert found == {names[0]: Service("simple", False, "no"), names[1]: Service("oneshot", False, "on-failure")}
    assert [found[name].ends for name in names[:2]] == [False, True]
    (place.etc / "service.d").mkdir()
    assert services_from_files(paths, names) == {}


@pytest.mark.parametrize(
    ("text", "regular"),
    [
        (b"[Unit]\n[Service] \t\nExecStart=/bin/sh -c '[ a ]'\n[Install]", True),
        (b"", True),
        (b"[a", False),
        (b" [", False),
        (b"[Unit]\n \t\v\f[ x\n", False),
        (b"[Unit]x\n", False),
        (b"[Unit]\nX=[\n[1]\n", False),
        (b"[Unit]\n\n\n  [X-Y]\n", True),
    ],
)
def test_what_looks_like_a_head_is_one(text: bytes, regular: bool) -> None:
    assert is_regular(text) is regular


def test_what_cannot_be_looked_at_is_left_to_systemd(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    names = place.units(3)
    monkeypatch.setattr(enablement, "ENTRIES", 2)
    assert place.states(names) == {}
    monkeypatch.setattr(enablement, "ENTRIES", 3)
    assert len(place.states(names)) == 3

    def denied(path: str) -> t.NoReturn:
        raise PermissionError(13, "no", path)

    monkeypatch.setattr(enablement.os, "scandir", denied)
    assert place.states(names) == {}


def calls(what: t.Callable[[], t.Any]) -> int:
    """How many functions are called, of Python and of C."""
    counted = 0

    def count(_frame: t.Any, event: str, _what: t.Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        what()
    finally:
        sys.setprofile(None)
    return counted


def grows(what: t.Callable[[int], t.Callable[[], t.Any]]) -> float:
    """How many times as much twice as many units take."""
    return calls(what(400)) / calls(what(200))


def test_twice_as_many_units_take_twice_as_long(tmp_path: Path) -> None:
    def states(count: int) -> t.Callable[[], t.Any]:
        place = Place(tmp_path / str(count))
        names = place.units(count)
        return lambda: place.states(names)

    def plans(count: int) -> t.Callable[[], t.Any]:
        units = []
        for number in range(count):
            name = f"u{number}.service"
            units.append(Unit(name, UnitStatus(name, "", "loaded", "inactive", "dead", "", f"/u{number}", 0, "", "/")))
            units[-1].file_state = "disabled"
        return lambda: plan_units(units, Wish(state="started", enabled=True))

    def links(count: int) -> t.Callable[[], t.Any]:
        found = {f"/e/a.target.wants/u{number}.service": "x" for number in range(count)}
        return lambda: links_by_unit(found)

    assert grows(states) < 2.1
    assert grows(plans) < 2.1
    assert grows(links) < 2.1


def test_links_by_unit() -> None:
    links = {
        "/e/a.target.wants/x@1.service": "/l/x@.service",
        "/e/alias.service": "/l/x.service",
        "/e/a.target.upholds/y.service": "../y.service",
        "/e/b@2.timer": "b@.timer",
    }
    names = {"x@1.service", "x@.service", "x.service", "alias.service", "y.service", "b@2.timer", "b@.timer", ""}
    found = links_by_unit(links)
    for name in names - {""}:
        assert found.get(name, {}) == {path: to for path, to in links.items() if leads_to(path, to, name)}
    assert found.keys() == {"x@1.service", "x@.service", "x.service", "y.service", "b@.timer"}
