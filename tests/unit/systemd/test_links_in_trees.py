# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of enablement in trees whose directories lead elsewhere, and systemctl kept inside."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import offline
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import read_links, restore_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.offline import OfflineManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import program_problem
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with a unit enabled in it, and beside it the host's directory with another one."""
    for place in ("host", "tree/etc/systemd/system"):
        (tmp_path / place / "a.target.wants").mkdir(parents=True)
        (tmp_path / place / "a.target.wants/x.service").symlink_to("/x.service")
    return tmp_path / "tree"


def contents(path: Path) -> list[str]:
    return sorted(f"{each}:{os.readlink(each) if each.is_symlink() else ''}" for each in path.rglob("*"))


def test_links_are_put_back_where_they_were_and_nowhere_else(root: Path) -> None:
    tree = Tree(str(root))
    system = root / "etc/systemd/system"
    before = read_links([str(system)], tree=tree)
    assert before == {f"{system}/a.target.wants/x.service": "/x.service"}
    host = contents(root.parent / "host")
    (system / "a.target.wants").rename(system / "gone")
    (system / "gone/x.service").unlink()
    (system / "a.target.wants").symlink_to(root.parent / "host/a.target.wants")
    (root.parent / "host/a.target.wants/y.service").symlink_to("/y.service")
    host = contents(root.parent / "host")
    # Inside of the tree, the link leads to a directory that is not there yet.
    assert restore_links(before, [str(system)], {*before, f"{system}/a.target.wants/y.service"}, tree)
    assert contents(root.parent / "host") == host
    assert os.readlink(f"{root}{root.parent}/host/a.target.wants/x.service") == "/x.service"


def test_a_link_that_a_killed_task_left_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "x.service").symlink_to("/old")
    before = read_links([str(tmp_path)])
    (tmp_path / "x.service").unlink()
    (tmp_path / "x.service.pidone-tmp").symlink_to("/stray")
    assert restore_links(before, [str(tmp_path)], before)
    assert os.readlink(tmp_path / "x.service") == "/old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.service", "x.service.pidone-tmp"]


class TestSystemctl:
    @pytest.fixture(autouse=True)
    def run(self, monkeypatch: pytest.MonkeyPatch) -> list[t.Any]:
        """What would be run, with its environment."""
        ran: list[t.Any] = []

        def run(command: list[str], timeout: float, env_extra: dict[str, str]) -> t.Any:
            ran.append((command, env_extra))
            return subprocess.CompletedProcess(command, 0, b"enabled\n", b"")

        monkeypatch.setattr(offline, "run_program", run)
        return ran

    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ("etc/systemd/system", "/host"),
            ("etc/systemd/system", "../../../host"),
            ("etc/systemd", "/host"),
            ("run/systemd/system", "../../../host"),
            ("etc/systemd/system/b.target.wants", "/host"),
            ("etc/systemd/system/b.target.requires", "/"),
            ("run/systemd/system/b.target.upholds", "../../../../host"),
        ],
    )
    def test_it_is_not_run_where_it_would_leave_the_tree(
        self, root: Path, run: list[t.Any], path: str, target: str
    ) -> None:
        link = root / path
        if link.is_dir():
            link.rename(root / "was")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        manager = OfflineManager("system", str(root))
        for ask in (manager.enable, manager.disable, manager.mask, manager.unmask, manager.unit_file_states):
            with pytest.raises(BadInput, match="leads out of the tree by a link .* make it a relative link"):
                ask(["a.service"])
        with pytest.raises(BadInput, match="leads out of the tree"):
            manager.set_default_target("a.target")
        assert run == []

    def test_links_that_mean_the_same_from_outside_are_no_matter(self, root: Path, run: list[t.Any]) -> None:
        (root / "opt").mkdir()
        (root / "run").symlink_to("opt")
        (root / "etc/systemd/system/b.target.wants").symlink_to("a.target.wants")
        manager = OfflineManager("system", str(root))
        manager.enable(["a.service"])
        ((command, environment),) = run
        assert f"--root={root}" in command
        assert environment["SYSTEMCTL_SKIP_SYSV"] == "1"

    def test_it_is_given_no_file_that_it_would_wait_for(self, root: Path, run: list[t.Any]) -> None:
        system = root / "etc/systemd/system"
        os.mkfifo(system / "a@.service")
        (system / "b.service.d").mkdir()
        os.mkfifo(system / "b.service.d/x.conf")
        manager = OfflineManager("system", str(root))
        assert manager.unit_file_states(["a@1.service", "c.service", "b.service"]) == ["bad", "enabled", "bad"]
        ((command, _environment),) = run
        assert command[-1:] == ["c.service"]
        for name in ("a@1.service", "b.service"):
            with pytest.raises(BadInput, match="it is a named pipe, not a regular file; remove it"):
                manager.enable([name])
        assert len(run) == 1

    def test_presets_that_it_would_wait_for(self, root: Path, run: list[t.Any]) -> None:
        directory = root / "usr/lib/systemd/system-preset"
        directory.mkdir(parents=True)
        os.mkfifo(directory / "10-x.preset")
        with pytest.raises(SystemdError, match=r"10-x\.preset: it is a named pipe"):
            OfflineManager("system", str(root)).presets(["a.service"])
        assert run == []


def test_programs_of_a_tree_are_looked_for_inside_of_it(root: Path) -> None:
    (root / "usr/bin").mkdir(parents=True)
    (root / "bin").symlink_to("/usr/bin")
    (root / "usr/bin/good").touch(0o755)
    (root / "usr/bin/plain").touch(0o644)
    (root / "usr/bin/link").symlink_to("/usr/bin/good")
    (root / "usr/bin/dir").symlink_to("/usr")
    assert program_problem("/bin/good", root=str(root)) == ""
    assert program_problem("/bin/link", root=str(root)) == ""
    assert program_problem("good", root=str(root)) == ""
    assert program_problem("good", ("relative", "/bin"), str(root)) == ""
    assert "not executable" in program_problem("/bin/plain", root=str(root))
    assert "is a directory" in program_problem("/bin/dir", root=str(root))
    assert "no file" in program_problem("/bin/sh", root=str(root))
