# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read before a plan is made, from files: patterns, masks, instances; and links put back."""

from __future__ import annotations

import errno
import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import UnitFileLinks
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import links, programs
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import find_user
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.info import _check_states
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.look import at_rest, see_ends
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import (
    Unit,
    not_found,
    read,
    read_for_jobs,
    resolve,
    see_masks,
)

TEXT = "[Service]\nExecStart=/bin/true\n"


class Tree(NoManager):
    """Unit files in three directories, and as much of a manager as reads them."""

    def __init__(self, root: Path) -> None:
        self.directories = [str(root / name) for name in ("etc", "run", "lib")]
        for directory in self.directories:
            os.mkdir(directory)

    def unit_path(self) -> list[str]:
        return self.directories

    def link_directories(self) -> list[str]:
        return self.directories[:2]

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        return ["indirect"] * len(names)

    def write(self, where: int, name: str, text: str = TEXT) -> str:
        path = os.path.join(self.directories[where], name)
        Path(path).write_text(text)
        return path

    def link(self, where: int, name: str, target: str = "/dev/null") -> str:
        path = os.path.join(self.directories[where], name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)
        return path


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a-[^x]*", ["a-1.service", "a-y.service"]),
        ("a-[!x]*", ["a-1.service", "a-y.service"]),
        ("a-[[:digit:]].service", ["a-1.service"]),
        ("a-[^[:digit:]].service", ["a-x.service", "a-y.service"]),
        ("a-[x^].service", ["a-x.service"]),
    ],
)
def test_patterns_mean_what_they_mean_in_systemd(tree: Tree, pattern: str, expected: list[str]) -> None:
    for name in ("a-1.service", "a-x.service", "a-y.service", "a-@.service"):
        tree.write(0, name)
    assert resolve(tree, [pattern], False) == expected


def masked(tree: Tree, name: str = "a@1.service", runtime: bool = False, state: str = "masked") -> str:
    unit = Unit(name, None)
    unit.file_state = state
    see_masks(tree, [unit], runtime)
    return unit.masked_by


def test_masks_that_unmasking_removes(tree: Tree) -> None:
    tree.write(2, "a@.service")
    tree.link(0, "a@1.service")
    tree.link(1, "a@1.service")
    tree.write(0, "empty.service", "")
    assert masked(tree) == ""
    assert masked(tree, "empty.service") == ""


def test_masks_that_unmasking_leaves(tree: Tree) -> None:
    package = tree.link(2, "b.service")
    assert masked(tree, "b.service") == package
    assert masked(tree, "b.service", state="enabled") == ""
    template = tree.link(0, "a@.service")
    assert masked(tree) == template
    mine = tree.link(0, "a@1.service")
    assert masked(tree) == template
    assert masked(tree, runtime=True) == mine


def test_templates_of_which_instances_are_enabled(tree: Tree) -> None:
    tree.link(1, "x.target.wants/a@1.service", "/lib/a@.service")
    tree.link(0, "x.target.wants/b@1.service", "/lib/b@.service")
    names = ["a@.service", "b@.service", "c@.service", "a@1.service"]
    assert [unit.has_instances for unit in read(tree, names, True)] == [True, True, False, False]
    assert [unit.has_instances for unit in read(tree, names, True, runtime=True)] == [True, False, False, False]


def test_how_services_end_is_asked_of_those_that_files_do_not_tell_of(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["fresh.service", "stale.service", "dropin.service"]
    units = []
    for name in names:
        tree.write(0, name, "[Service]\nType=oneshot\nExecStart=/bin/true\n")
        units.append(Unit(name, UnitStatus(name, "", "loaded", "inactive", "dead", "", f"/{name}", 0, "", "/")))
        units[-1].fresh = name != "stale.service"
    os.mkdir(f"{tree.directories[2]}/dropin.service.d")
    asked: list[t.Any] = []

    def properties(wanted: t.Sequence[t.Any]) -> list[t.Any]:
        asked.extend(wanted)
        return [{"Type": "oneshot", "RemainAfterExit": True}[name] for _path, _interface, name in wanted]

    monkeypatch.setattr(tree, "properties", properties, raising=False)
    see_ends(tree, units)
    assert [unit.ends for unit in units] == [True, False, False]
    assert [unit.service is not None for unit in units] == [True, False, False]
    assert len(asked) == 4


class Asked(Tree):
    """Says what it has in memory, and has read all files an hour from now."""

    offline = False

    def __init__(self, root: Path, there: t.Container[str]) -> None:
        super().__init__(root)
        self.there = there
        self.loaded = (time.time() + 3600) * 1e6
        self.asked: list[list[str]] = []

    def in_memory(self, names: t.Sequence[str]) -> list[bool]:
        self.asked.append(list(names))
        return [name in self.there for name in names]

    def manager_properties(self, names: t.Sequence[str]) -> list[t.Any]:
        known = {"UnitPath": self.directories, "UnitsLoadTimestamp": self.loaded}
        return [known.get(name, (time.monotonic() + 3600) * 1e6) for name in names]

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        self.asked.append(list(names))
        return [UnitStatus(name, "", "loaded", "active", "running", "", f"/{name}", 0, "", "/") for name in names]


def services(manager: Tree, count: int) -> list[str]:
    names = [f"s{number:02}.service" for number in range(count)]
    for number, name in enumerate(names):
        manager.write(number % 3, name, TEXT + ("Type=oneshot\n" if number == 1 else "Restart=always\n" if number == 2 else ""))
    return names


def test_services_at_rest_are_not_read_by_systemd(tmp_path: Path) -> None:
    manager = Asked(tmp_path, there=("s03.service",))
    names = services(manager, 40)
    os.mkdir(f"{manager.directories[2]}/s04.service.d")
    manager.write(0, "s05.service", "[Service]\nExecStart=%t/x\n")
    os.unlink(f"{manager.directories[0]}/s06.service")
    manager.link(0, "s06.service")
    Path(manager.directories[0], "other.service").symlink_to("s07.service")
    names.append("no-file.service")
    known = at_rest(manager, names)
    left = ["s03.service", "s04.service", "s05.service", "s06.service", "s07.service", "no-file.service"]
    assert list(known) == [name for name in names if name not in left]
    manager.asked.clear()
    units = read(manager, names, known=known)
    assert manager.asked == [left]
    assert [unit.name for unit in units] == names
    down = units[1]
    assert (down.describe(), down.missing, down.status and down.status.path) == ("inactive (dead)", False, object_path(names[1]))
    assert [unit.active_state for unit in units[:4]] == ["inactive"] * 3 + ["active"]
    # Nothing more is asked about them.
    read_for_jobs(manager, list(known.values()), stale=True, can_reload=False)
    see_ends(manager, list(known.values()))
    assert [(unit.ends, unit.stale, unit.service.restart) for unit in units[:3]] == [
        (False, False, "no"),
        (True, False, "no"),
        (False, False, "always"),
    ]


def test_services_of_which_systemd_is_asked(tmp_path: Path) -> None:
    for number, (count, there, loaded) in enumerate(((29, (), 3600), (30, ("s15.service",), 3600), (30, (), -3600))):
        (tmp_path / str(number)).mkdir()
        manager = Asked(tmp_path / str(number), there)
        manager.loaded = (time.time() + loaded) * 1e6
        assert at_rest(manager, services(manager, count)) == {}, number
        # However many there are, one that is in memory already costs no more than a glance.
        assert sum(map(len, manager.asked)) <= 3
    manager.loaded = (time.time() + 3600) * 1e6
    assert len(at_rest(manager, services(manager, 30))) == 30


def test_all_names_that_do_not_exist_are_told(tree: Tree) -> None:
    tree.write(0, "nginx.service")
    assert "did you mean nginx.service?" in not_found(["ngnix.service"], tree).msg
    told = not_found([f"none-{number}.service" for number in range(25)] + ["ngnix.service"], tree).msg
    assert "none-0.service, none-1.service" in told
    assert "and 7 more" in told
    told = not_found(["ngnix.sevice.service", "some-other.socket"], tree).msg
    assert "did you mean nginx.service for ngnix.sevice.service?" in told


class Enabling(NoManager):
    """Makes a link, while somebody else makes another one; fails after that where it is told to."""

    def __init__(self, files: Tree, fails: bool) -> None:
        self.files, self.fails = files, fails

    def enable(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        path = self.files.link(0, "x.wants/a.service", "../a.service")
        if self.fails:
            raise SystemdError("no")
        return [LinkChange("symlink", path, "../a.service")]


@pytest.mark.parametrize("fails", [False, True])
def test_links_of_others_are_left_alone_on_the_way_back(tree: Tree, fails: bool) -> None:
    gone = tree.link(0, "x.wants/gone.service", "../gone.service")
    step = UnitFileLinks("enable", ["a.service"], tree.link_directories())
    ctx = Context(Enabling(tree, fails))
    if fails:
        with pytest.raises(SystemdError):
            step.apply(ctx)
    else:
        assert step.apply(ctx)
    other = tree.link(0, "x.wants/other.service", "../other.service")
    os.unlink(gone)
    step.undo(ctx)
    assert links.read_links(tree.link_directories()) == {other: "../other.service"}
    assert ctx.stale


def test_a_link_that_goes_while_links_are_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.link(0, "a.service")
    stays = tree.link(0, "b.service")
    read_link = os.readlink

    def gone(path: str) -> str:
        if path.endswith("a.service"):
            raise FileNotFoundError(path)
        return read_link(path)

    monkeypatch.setattr(os, "readlink", gone)
    assert links.read_links(tree.link_directories()) == {stays: "/dev/null"}


def test_directories_that_may_not_be_looked_into(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def refused(path: str) -> t.Any:
        if path.endswith(".wants") or path == tree.directories[1]:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    tree.write(0, "a.service")
    tree.link(0, "b.target.wants/a.service")
    monkeypatch.setattr(os, "scandir", refused)
    assert resolve(tree, ["a*"], False) == ["a.service"]
    with pytest.raises(SystemdError, match="cannot read .*: Permission denied"):
        links.read_links(tree.link_directories())


@pytest.mark.parametrize("user", ["a\0b", "²", "", "nobody-there", "9" * 30])
def test_users_that_do_not_exist(user: str) -> None:
    with pytest.raises(BadInput, match="^user: "):
        find_user(user)


def test_states_that_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text(
        "#!/bin/sh\nprintf 'Available unit load states:\\nloaded\\n\\nAvailable unit active states:\\nactive\\nfailed\\n\\n"
        "Available unit file states:\\nenabled\\n\\nAvailable service unit substates:\\nauto-restart\\n'\n"
    )
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    _check_states(["loaded", "failed", "auto-restart"])
    for wrong in ("runing", "enabled"):
        with pytest.raises(BadInput, match=f"^states: '{wrong}'"):
            _check_states(["failed", wrong])
    monkeypatch.setattr(programs, "run_program", None)
    _check_states(["failed", "not-found"])


def test_install_that_goes_on_in_the_next_line(tree: Tree) -> None:
    tree.write(0, "a@.service", TEXT + "[Install]\nAlso=\\\n  b.service \\\n# between\n  c.service\nDefaultInstance=\\\n x\n")
    (unit,) = read(tree, ["a@.service"], file_states=True)
    assert (unit.also, unit.default_instance, unit.has_links) == (["indirect", "indirect"], "x", False)
