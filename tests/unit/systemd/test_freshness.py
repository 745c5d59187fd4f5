# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files tell of NeedDaemonReload."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.freshness import surely_fresh
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager

NAMES = ["a.service", "b@1.service", "c.service"]


class FakeManager(NoManager):
    """Tells when units were loaded and where from."""

    def __init__(self, paths: list[Path], loaded: int | None = None) -> None:
        self.paths = [str(path) for path in paths]
        self.loaded = time.time_ns() // 1000 if loaded is None else loaded
        self.monotonic = time.monotonic_ns() // 1000 if self.loaded else 0

    def manager_properties(self, names: t.Sequence[str]) -> list[t.Any]:
        """Both times, and the directories."""
        assert names == ["UnitsLoadTimestamp", "UnitsLoadTimestampMonotonic", "UnitPath"]
        return [self.loaded, self.monotonic, self.paths]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two directories of unit files, an enabled unit, a drop-in; older than the load."""
    for name in ("etc/a.service.d", "etc/multi-user.target.wants", "usr", "generator"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("etc/a.service", "etc/a.service.d/x.conf", "usr/b@.service", "usr/c.service"):
        (tmp_path / name).write_text("")
    (tmp_path / "outside.service").write_text("")
    (tmp_path / "etc" / "linked.service").symlink_to(tmp_path / "outside.service")
    time.sleep(0.05)
    return tmp_path


def manager(tree: Path) -> FakeManager:
    """A manager that has just read them."""
    found = FakeManager([tree / "etc", tree / "generator", tree / "missing", tree / "usr"])
    time.sleep(0.01)
    return found


def test_nothing_changed(tree: Path) -> None:
    """Links that enable units are no change."""
    m = manager(tree)
    (tree / "etc/multi-user.target.wants/a.service").symlink_to("../a.service")
    assert surely_fresh(m, NAMES) == set(NAMES)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: (d / "etc/a.service").write_text("x"),
        lambda d: os.utime(d / "usr/c.service", (1, 1)),
        lambda d: (d / "etc/a.service.d/x.conf").write_text("x"),
        lambda d: (d / "etc/a.service.d/x.conf").unlink(),
        lambda d: (d / "etc/new.service").write_text("x"),
        lambda d: (d / "usr/c.service").unlink(),
        lambda d: (d / "etc/c.service.d").mkdir(),
        lambda d: (d / "outside.service").write_text("x"),
        lambda d: (d / "missing").mkdir(),
    ],
    ids=["file", "old time", "drop-in", "drop-in gone", "new", "gone", "new directory", "linked", "new place"],
)
def test_changed(tree: Path, change: t.Callable[[Path], t.Any]) -> None:
    """Whatever changed, systemd is asked of all units."""
    m = manager(tree)
    change(tree)
    assert surely_fresh(m, NAMES) == set()


def test_generated(tree: Path) -> None:
    """Only systemd knows what a generated unit was made from."""
    (tree / "generator" / "c.service").write_text("")
    (tree / "generator" / "b@.service.d").mkdir()
    assert surely_fresh(manager(tree), NAMES) == {"a.service"}


def test_dangling(tree: Path) -> None:
    """A link to nowhere tells nothing of its unit, and keeps nothing from the others."""
    (tree / "outside.service").unlink()
    time.sleep(0.05)
    assert surely_fresh(manager(tree), ["linked.service", "c.service"]) == {"c.service"}


def test_unknown(tree: Path) -> None:
    """Old versions do not tell when they read the files."""
    m = FakeManager([tree / "etc"], loaded=0)
    assert surely_fresh(m, NAMES) == set()


def test_clock(tree: Path) -> None:
    """A clock that was set, either way, does not make changes look old."""
    m = manager(tree)
    (tree / "etc/a.service").write_text("x")
    m.loaded += 3_600_000_000  # it was an hour ahead then
    assert surely_fresh(m, NAMES) == set()
    m = manager(tree)
    m.monotonic += 3_600_000_000  # the hour by which the clock is ahead now
    (tree / "etc/a.service").write_text("x")
    assert surely_fresh(m, NAMES) == set()


def test_directories_that_lead_to_themselves(tree: Path) -> None:
    """Whoever writes the unit files of a user can have directories be without end."""
    for number in range(20):
        (tree / "etc" / f"x{number}.service.d").symlink_to(".")
    time.sleep(0.05)
    m = manager(tree)
    began = time.monotonic()
    assert surely_fresh(m, NAMES) == set(NAMES)
    assert time.monotonic() - began < 5


def test_a_directory_that_is_named_many_times_is_looked_at_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    scan = os.scandir

    def noted(path: str) -> t.Any:
        looked.append(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", noted)
    (tree / "again").symlink_to(tree / "etc")
    m = FakeManager([tree / "etc", tree / "again", *[tree / "etc"] * 1000, tree / "usr"])
    assert surely_fresh(m, NAMES) == set(NAMES)
    assert len([path for path in looked if str(path).rpartition("/")[2] in ("etc", "again")]) == 1


def test_more_directories_than_any_manager_has(tree: Path) -> None:
    many = [tree / f"many{number}" for number in range(200)]
    for path in many:
        path.mkdir()
    assert surely_fresh(FakeManager(many), NAMES) == set()
