# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /sbin/init is, and the way back, in a tree of files."""

from __future__ import annotations

import errno
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._sources.old_init import OldInit
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init import record as init_record
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init import steps as init_steps
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init import task as init_task
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.switch import (
    ChooseSystemd,
    Forget,
    GoBack,
    SwitchInit,
    trial_units,
)


@pytest.fixture(params=["link", "program"])
def init(request: pytest.FixtureRequest, tmp_path: Path) -> OldInit:
    """A tree with merged directories, where /sbin/init is a link to runit-init, or is that program."""
    sbin = tmp_path / "usr" / "sbin"
    sbin.mkdir(parents=True)
    (tmp_path / "sbin").symlink_to("usr/sbin")
    (sbin / "runit-init").write_text("runit")
    if request.param == "link":
        (sbin / "init").symlink_to("runit-init")
    else:
        os.link(sbin / "runit-init", sbin / "init")
    systemd = tmp_path / "usr" / "lib" / "systemd" / "systemd"
    systemd.parent.mkdir(parents=True)
    systemd.write_text("systemd")
    systemd.chmod(0o755)
    return OldInit(durable, str(tmp_path))


def picture(init: OldInit) -> dict[str, str]:
    directory = Path(init.path).parent
    return {path.name: os.readlink(path) if path.is_symlink() else path.read_text() for path in directory.iterdir()}


def test_there_and_back(init: OldInit) -> None:
    before = picture(init)
    assert init.boots() in ("runit-init", "init")
    assert init.keep()
    assert init.choose_systemd()
    assert init.boots() == "systemd"
    assert os.readlink(init.path) == "/usr/lib/systemd/systemd"
    assert init.old_program().endswith(("/runit-init", "/init.before-systemd"))
    assert not init.keep()
    assert not init.choose_systemd()

    assert init.choose_old()
    assert not init.choose_old()
    assert init.boots() in ("runit-init", "init")
    assert init.forget()
    assert not init.forget()
    assert picture(init) == before


def test_it_can_be_chosen_again_and_again(init: OldInit) -> None:
    # the first boot on trial goes back, and its confirmation chooses systemd again
    init.keep()
    for dummy in range(3):
        assert init.choose_systemd()
        assert init.choose_old()
    assert Path(init.path).read_text() == "runit"


def test_without_systemd_nothing_is_chosen(init: OldInit) -> None:
    (Path(init.root) / "usr/lib/systemd/systemd").unlink()
    init.keep()
    with pytest.raises(SystemdError, match="install the package systemd first"):
        init.choose_systemd()
    assert init.boots() != "systemd"


def test_without_a_kept_one_there_is_no_way_back(init: OldInit) -> None:
    init.choose_systemd()
    assert not init.choose_old()
    assert init.boots() == "systemd"


def test_the_trial_ends_in_a_reboot_and_begins_with_the_way_back(init: OldInit) -> None:
    back, timer, fallback = trial_units(init, 600).values()
    assert f"ExecStart=/bin/mv -fT {init.path}.trial {init.path}" in back
    assert "WantedBy=sysinit.target" in back
    assert "OnBootSec=600\n" in timer
    assert "Unit=pidone-init-fallback.service" in timer
    assert "SuccessAction=reboot" in fallback


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Have the number-th change of a directory fail as on a file system that is mounted read-only; returns what counts them."""
    count = [0]
    for name in ("link", "symlink", "replace", "unlink"):
        original = getattr(os, name)

        def call(*args: t.Any, _original: t.Any = original, **kwargs: t.Any) -> t.Any:
            count[0] += 1
            if count[0] == number:
                raise OSError(errno.EROFS, "Read-only file system", args[-1])
            return _original(*args, **kwargs)

        monkeypatch.setattr(os, name, call)
    return count


#: More than there are changes in any of these; the tests see to that.
MOST = 12


class Written(Step):
    """Stands for the steps before and after."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.fails = fails
        self.there = False

    def describe(self) -> str:
        return "write units"

    def apply(self, ctx: Context) -> bool:
        self.there = True
        if self.fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        return True

    def undo(self, ctx: Context) -> None:
        self.there = False


@pytest.mark.parametrize("number", range(1, MOST))
def test_a_switch_that_fails_anywhere_leaves_what_was(init: OldInit, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    before, units = picture(init), Written()
    with monkeypatch.context() as patched:
        count = refuse(patched, number)
        try:
            carry_out(Plan([units, SwitchInit(init)]), Context(None), rollback=True)
        except SystemdError as e:
            assert "Read-only file system" in e.msg
            assert not any(told.startswith("failed") for told in e.data["rolled_back"])
            assert picture(init) == before and not units.there
            return
    assert 1 < count[0] < number < MOST
    assert init.boots() == "systemd" and init.is_kept()


def test_what_an_earlier_run_has_switched_stays_so(init: OldInit) -> None:
    assert carry_out(Plan([SwitchInit(init)]), Context(None))
    before = picture(init)
    with pytest.raises(SystemdError, match="No space left"):
        carry_out(Plan([SwitchInit(init), Written(fails=True)]), Context(None), rollback=True)
    assert picture(init) == before
    # Of one that was kept only, as a first boot on trial leaves it, the choice alone is taken back.
    init.choose_old()
    with pytest.raises(SystemdError):
        carry_out(Plan([SwitchInit(init), Written(fails=True)]), Context(None), rollback=True)
    assert init.boots() != "systemd" and init.is_kept()
    with pytest.raises(SystemdError):
        carry_out(Plan([ChooseSystemd(init), Written(fails=True)]), Context(None), rollback=True)
    assert init.boots() != "systemd"


@pytest.mark.parametrize("number", range(1, MOST))
def test_there_is_an_init_at_every_moment_and_no_litter(
    init: OldInit, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = picture(init)
    init.keep()
    init.choose_systemd()
    with monkeypatch.context() as patched:
        refuse(patched, number)
        try:
            for step in (GoBack(init), Forget(init)):
                carry_out(Plan([step]), Context(None))
        except SystemdError:
            assert os.path.lexists(init.path)
    # Begun again, it comes to its end.
    for step in (GoBack(init), Forget(init)):
        carry_out(Plan([step]), Context(None))
    assert picture(init) == before


def test_the_way_back_can_be_begun_again_until_all_of_it_is_done(
    init: OldInit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be put back is no reason to have lost the old init, by which the task knows what to do."""
    unit = tmp_path / "web.service"
    unit.write_text("before")
    record = init_record.Record({"phase": "prepared", "files": {str(unit): init_record.picture(str(unit))}}, f"{tmp_path}/r.json")
    record.save()
    unit.write_text("ours")
    init.keep()
    init.choose_systemd()
    for name in ("read_links", "link_directories"):
        monkeypatch.setattr(init_steps, name, lambda _what: {})
    monkeypatch.setattr(init_task, "trial_files", list)
    made = t.cast(t.Any, init_task._Task.__new__(init_task._Task))
    made.init, made.record, made.check, made.first, made.warnings, made.params = init, record, False, "runit", [], {}
    made.module = type("Module", (), {"_diff": False, "check_mode": False})()

    def failing(_descriptor: int) -> None:
        raise OSError(errno.EIO, "I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(durable.os, "fsync", failing)
        patched.setattr(durable, "sync_directory", lambda _path: None)
        with pytest.raises(SystemdError, match="I/O error"):
            made.give_back()
    assert unit.read_text() == "ours"
    made.record = init_record.Record.load(f"{tmp_path}/r.json")
    made.give_back()
    assert unit.read_text() == "before"
    assert init.boots() != "systemd" and not init.is_kept()
    assert not os.path.exists(f"{tmp_path}/r.json")


# -- the record, and what is put back from it


def test_a_record_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "state" / "init-handover.json")
    assert init_record.Record.load(path).phase == ""
    synced: list[str] = []
    original = durable.sync_directory

    def sync(where: str) -> None:
        synced.append(where)
        original(where)

    monkeypatch.setattr(durable, "sync_directory", sync)
    record = init_record.Record({"phase": "begun", "old": "/sbin/runit-init"}, path)
    record.save()
    assert synced[-1] == os.path.dirname(path)
    loaded = init_record.Record.load(path)
    assert (loaded.phase, loaded.old) == ("begun", "/sbin/runit-init")
    os.chmod(path, 0o666)
    with pytest.raises(SystemdError, match="is not trusted"):
        init_record.Record.load(path)
    os.chmod(path, 0o600)
    loaded.forget()
    assert synced[-1] == os.path.dirname(path)
    assert init_record.Record.load(path).phase == ""
    # As an earlier version wrote it.
    Path(path).write_text('{"phase": "prepared"}')
    os.chmod(path, 0o600)
    assert init_record.Record.load(path).phase == "prepared"
    Path(path).write_text('{"phase": "prepared", "version": 7}')
    with pytest.raises(SystemdError, match="not a record that this version"):
        init_record.Record.load(path)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_file_is_put_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    path = tmp_path / "web.service.d" / "local.conf"
    path.parent.mkdir()
    path.write_text("secret")
    path.chmod(mode)
    was = init_record.picture(str(path))
    before = path.stat()
    path.unlink()
    # The directory has gone, and a killed run of the same process id has left its temporary file.
    path.parent.rmdir()
    (tmp_path / "web.service.d").mkdir()
    (path.parent / f"local.conf.{os.getpid()}.pidone-tmp").symlink_to("nowhere")
    modes: list[int] = []
    original = os.replace

    def replace(source: str, target: str) -> None:
        modes.append(os.stat(source).st_mode & 0o777)
        original(source, target)

    old_mask = os.umask(0)
    try:
        monkeypatch.setattr(durable.os, "replace", replace)
        init_record.restore(str(path), was)
    finally:
        os.umask(old_mask)
    assert path.read_text() == "secret"
    assert modes == [mode] == [path.stat().st_mode & 0o777]
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_what_an_earlier_version_noted_is_put_back_too(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "web.service"
    init_record.restore(str(path), {"content": "c2VjcmV0", "mode": "600"})
    assert path.read_text() == "secret" and path.stat().st_mode & 0o777 == 0o600
    init_record.restore(str(path), {"link": "/dev/null"})
    assert os.readlink(path) == "/dev/null"
    init_record.restore(str(path), None)
    assert not os.path.lexists(path)
    init_record.restore(str(path), None)
