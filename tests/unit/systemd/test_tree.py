# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths in a tree that is not running: as after a chroot, whatever links there are."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST, LeadsNowhere, Tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree, beside a directory of the host's with a secret in it."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host/secret").write_text("secret")
    (tmp_path / "tree/usr/lib/systemd").mkdir(parents=True)
    (tmp_path / "tree/usr/lib/systemd/x.service").write_text("mine")
    return tmp_path / "tree"


def link(path: Path, target: str | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


# What is there, what is asked for, and where it is.
INSIDE = [
    ({}, "etc/systemd/system/x.service", "etc/systemd/system/x.service"),
    ({"lib": "usr/lib"}, "lib/systemd/x.service", "usr/lib/systemd/x.service"),
    ({"lib": "/usr/lib"}, "lib/systemd/x.service", "usr/lib/systemd/x.service"),
    ({"lib": "../../../usr/lib"}, "lib/systemd/x.service", "usr/lib/systemd/x.service"),
    ({"etc/systemd": "/run/systemd"}, "etc/systemd/system/x", "run/systemd/system/x"),
    ({"a": "b", "b": "c", "c": "/usr"}, "a/lib/x", "usr/lib/x"),
    ({"usr/up": ".."}, "usr/up/usr/lib/x", "usr/lib/x"),
    ({"here": "/"}, "here/usr/lib/x", "usr/lib/x"),
    ({}, "usr/../usr/./lib//x", "usr/lib/x"),
    ({"usr/lib/x.service": "/etc/y"}, "usr/lib/x.service", "usr/lib/x.service"),
]


@pytest.mark.parametrize(("links", "asked", "found"), INSIDE)
def test_links_hold_inside_of_the_tree(root: Path, links: dict[str, str], asked: str, found: str) -> None:
    for path, target in links.items():
        link(root / path, target)
    before = open_files()
    assert Tree(str(root)).real(f"{root}/{asked}") == f"{root}/{found}"
    assert open_files() == before


def test_links_out_of_the_tree_lead_into_it(root: Path) -> None:
    host = root.parent / "host"
    tree = Tree(f"{root}/")
    link(root / "etc/out", host)
    link(root / "etc/file", host / "secret")
    link(root / "etc/up", "../../../../../host/secret")
    assert tree.real(f"{root}/etc/out/secret") == f"{root}{host}/secret"
    for name in ("out/secret", "file", "up"):
        assert tree.read(f"{root}/etc/{name}") is None
        assert tree.status(f"{root}/etc/{name}") is None
    assert tree.names(f"{root}/etc/out") == []
    # What they mean inside.
    Path(f"{root}{host}").mkdir(parents=True)
    Path(f"{root}{host}/secret").write_text("inside")
    assert tree.read(f"{root}/etc/out/secret") == b"inside"
    assert tree.names(f"{root}/etc/out") == ["secret"]


@pytest.mark.parametrize(
    "links",
    [
        {"etc/systemd/system": "/etc/systemd/system"},
        {"etc/systemd/system": "system"},
        {"etc": "/etc"},
        {"etc": "usr/a", "usr/a": "/etc"},
        {f"{n}": f"{n + 1}" for n in range(50)} | {"etc": "0"},
    ],
)
def test_circles_are_an_error_that_says_so(root: Path, links: dict[str, str]) -> None:
    for path, target in links.items():
        link(root / path, target)
    before = open_files()
    with pytest.raises(LeadsNowhere, match="go round in a circle") as e:
        Tree(str(root)).real(f"{root}/etc/systemd/system/x.service")
    assert f"{root}/etc/systemd/system/x.service" in e.value.msg
    assert Tree(str(root)).status(f"{root}/etc/systemd/system/x.service") is None
    with pytest.raises(Unreadable):
        Tree(str(root)).read(f"{root}/etc/systemd/system/x.service")
    assert open_files() == before


def test_what_is_no_directory_is_an_error(root: Path) -> None:
    os.mkfifo(root / "etc")
    with pytest.raises(Unreadable, match="Not a directory"):
        Tree(str(root)).real(f"{root}/etc/systemd/x")
    with pytest.raises(Unreadable, match="No such file"):
        Tree(str(root)).real(f"{root}/none/../usr/x")
    with pytest.raises(Unreadable, match="no file can have this name"):
        Tree(str(root)).real(f"{root}/usr/\0/x")


def test_pipes_and_devices_in_a_tree_are_not_waited_for(root: Path) -> None:
    tree = Tree(str(root))
    os.mkfifo(root / "usr/pipe")
    link(root / "usr/link", "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(Unreadable, match="named pipe"):
            tree.read(f"{root}/usr/{name}")
    with pytest.raises(Unreadable, match="a directory"):
        tree.read(f"{root}/usr/lib")
    link(root / "usr/mask", "/dev/null")
    assert tree.read(f"{root}/usr/mask") == b""
    assert tree.target(f"{root}/usr/mask") == "/dev/null"
    link(root / "usr/zero", "/dev/zero")
    assert tree.read(f"{root}/usr/zero") is None
    with pytest.raises(Unreadable, match="symbolic link"):
        tree.read(f"{root}/usr/mask", follow=False)


def test_directories_are_made_where_links_lead_to_inside(root: Path) -> None:
    tree = Tree(str(root))
    link(root / "etc/systemd", "/opt/units")
    made = tree.make(f"{root}/etc/systemd/system/x.service.d")
    assert made == [
        f"{root}/opt",
        f"{root}/opt/units",
        f"{root}/opt/units/system",
        f"{root}/opt/units/system/x.service.d",
    ]
    assert [oct(os.stat(each).st_mode)[-3:] for each in made] == ["755"] * 4
    assert not tree.make(f"{root}/etc/systemd/system")
    with tree.parent(f"{root}/etc/systemd/system/x.service") as (directory, name):
        os.symlink("/dev/null", name, dir_fd=directory)
    assert os.readlink(root / "opt/units/system/x.service") == "/dev/null"


@pytest.mark.parametrize("number", range(11))
def test_a_directory_that_becomes_a_link_meanwhile_leads_nowhere_else(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Before the n-th open, the directory of units is swapped for a link to the host's."""
    system = root / "etc/systemd/system"
    system.mkdir(parents=True)
    (system / "secret").write_text("inside")
    real = os.open
    calls = 0

    def swap(*args: t.Any, **options: t.Any) -> int:
        nonlocal calls
        if calls == number:
            system.rename(root / "etc/systemd/was")
            system.symlink_to(root.parent / "host")
        calls += 1
        return real(*args, **options)

    monkeypatch.setattr(os, "open", swap)
    tree = Tree(str(root))
    assert tree.read(f"{system}/secret") in (b"inside", None)
    try:
        with tree.parent(f"{system}/secret") as (directory, name):
            os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    assert (root.parent / "host/secret").read_text() == "secret"
    assert calls > number


def test_programs_that_follow_links_otherwise_are_found_out(root: Path) -> None:
    tree = Tree(str(root))
    link(root / "lib", "usr/lib")
    link(root / "etc/here", "/etc/here2")
    link(root / "etc/out", root.parent / "host")
    assert tree.same_outside(f"{root}/lib/systemd")
    assert tree.same_outside(f"{root}/etc/systemd/system")
    assert not tree.same_outside(f"{root}/etc/here")
    assert not tree.same_outside(f"{root}/etc/out/multi-user.target.wants")


def test_the_root_itself_may_be_behind_a_link(root: Path) -> None:
    link(root.parent / "img", "tree")
    tree = Tree(f"{root.parent}/img")
    assert tree.same_outside(f"{root.parent}/img/usr/lib")
    assert tree.read(f"{root.parent}/img/usr/lib/systemd/x.service") == b"mine"


def test_of_the_host_paths_stay_as_they_are(root: Path) -> None:
    link(root / "lib", "usr/lib")
    assert HOST.real(f"{root}/lib/x") == f"{root}/lib/x"
    assert HOST.read(f"{root}/lib/systemd/x.service") == b"mine"
    assert HOST.names(f"{root}/lib/systemd") == ["x.service"]
    assert HOST.target(f"{root}/lib") == "usr/lib"
    assert HOST.target(f"{root}/usr") == ""
    assert HOST.make(f"{root}/lib/new") == [f"{root}/lib/new"]
