# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps on files, and what the change of a unit file amounts to."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.attributes import Attributes
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_out
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import replace
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveDirectory,
    RemoveFile,
    RemoveLinks,
    Saved,
    SetAttributes,
    WriteFile,
    check_writable,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import manager, verify
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit import texts
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.texts import (
    can_reload_after,
    decide,
    file_state_after,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import Need, need_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.linked import link_file
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.options import Asked
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.place import FileChange, Place
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.plan import (
    _left_as_they_are,
    states_for,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.read import (
    _is_hidden_by,
    is_stale,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.removal import remove_file
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.reverted import revert_file
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_file.task import check_text


class FakeManager(NoManager):
    def __init__(self) -> None:
        self.reloads = 0

    def reload(self, timeout: float | None = None) -> None:
        self.reloads += 1


class Fails(Step):
    def describe(self) -> str:
        return "fail"

    def apply(self, ctx: Context) -> bool:
        raise SystemdError("it failed")


@pytest.fixture
def ctx() -> Context:
    return Context(FakeManager())


TOOLS = FileTools(lambda _path, _check: False)


def write(path: Path, content: bytes, tools: FileTools = TOOLS) -> WriteFile:
    return WriteFile(str(path), content, Saved.of(str(path)), tools)


def listing(directory: Path) -> dict[str, t.Any]:
    """Everything below a directory: content or link target, mode and time."""
    found: dict[str, t.Any] = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        what = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "directory"
        times = status.st_mtime_ns if path.is_file() and not path.is_symlink() else None
        found[str(path.relative_to(directory))] = (what, status.st_mode, times)
    return found


def roll_back(ctx: Context, *steps: Step) -> SystemdError:
    with pytest.raises(SystemdError) as caught:
        carry_out(Plan([*steps, Fails()]), ctx, rollback=True)
    return caught.value


@contextlib.contextmanager
def within(seconds: int) -> t.Iterator[None]:
    """Fail where what is done would take for ever."""

    def late(*_arguments: object) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class TestSaved:
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a.service")
        with within(5), pytest.raises(SystemdError, match="not a regular file"):
            Saved.of(str(tmp_path / "a.service"))

    def test_a_mask_reads_as_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.service").symlink_to("/dev/null")
        saved = Saved.of(str(tmp_path / "a.service"))
        assert saved is not None
        assert saved.content == b""


class TestSteps:
    def test_new_file(self, ctx: Context, tmp_path: Path) -> None:
        path = tmp_path / "a.service.d/x.conf"
        old = os.umask(0o077)
        try:
            assert write(path, b"x").apply(ctx) is True
        finally:
            os.umask(old)
        assert path.read_bytes() == b"x"
        assert path.stat().st_mode & 0o7777 == 0o644
        assert path.parent.stat().st_mode & 0o7777 == 0o755
        assert list(listing(tmp_path)) == ["a.service.d", "a.service.d/x.conf"]

    def test_replaced_file_keeps_its_mode_and_is_replaced_not_overwritten(self, ctx: Context, tmp_path: Path) -> None:
        path = tmp_path / "a.service"
        path.write_bytes(b"old")
        path.chmod(0o600)
        with path.open("rb") as reader:
            write(path, b"new").apply(ctx)
            assert reader.read() == b"old"
        assert path.read_bytes() == b"new"
        assert path.stat().st_mode & 0o7777 == 0o600

    def test_attributes_and_label_come_before_and_after_the_move(self, ctx: Context, tmp_path: Path) -> None:
        path = tmp_path / "a.service.d/x.conf"
        seen: list[tuple[str, bool]] = []

        def attributes(name: str, _check: bool) -> bool:
            seen.append((os.path.basename(name), path.exists()))
            return True

        tools = FileTools(attributes, label=lambda name: seen.append((os.path.basename(name), path.exists())))
        write(path, b"x", tools).apply(ctx)
        assert [exists for _name, exists in seen] == [False, False, True, True]
        assert seen[0][0] == "a.service.d"
        assert seen[1][0].endswith(".pidone-tmp")
        assert seen[2][0] == seen[3][0] == "x.conf"

    def test_a_label_that_is_asked_for_goes_before_that_of_the_place(self, ctx: Context, tmp_path: Path) -> None:
        labels: dict[str, str] = {}
        path = str(tmp_path / "a.service")

        def attributes(name: str, _check: bool) -> bool:
            labels[name] = "asked for"
            return True

        def label(name: str) -> None:
            labels[name] = "of the place"

        write(Path(path), b"x", FileTools(attributes, label=label)).apply(ctx)
        assert labels[path] == "asked for"

    def test_old_file_is_untouched_when_writing_fails(self, ctx: Context, tmp_path: Path) -> None:
        path = tmp_path / "a.service"
        path.write_bytes(b"old")
        before = listing(tmp_path)

        def fail(_path: str, _check: bool) -> bool:
            raise SystemExit(1)  # as fail_json does

        with pytest.raises(SystemExit):
            write(path, b"new", FileTools(fail)).apply(ctx)
        assert listing(tmp_path) == before
        with pytest.raises(SystemExit):
            write(tmp_path / "b.service.d/x.conf", b"new", FileTools(fail)).apply(ctx)
        assert listing(tmp_path) == before

    def test_two_tasks_make_the_same_directory(
        self, ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mkdir = os.mkdir

        def slower(path: str) -> None:
            mkdir(path)
            raise FileExistsError(errno.EEXIST, "File exists", path)

        monkeypatch.setattr(os, "mkdir", slower)
        step = write(tmp_path / "a.service.d/x.conf", b"x")
        step.apply(ctx)
        assert list(listing(tmp_path)) == ["a.service.d", "a.service.d/x.conf"]
        step.undo(ctx)
        assert list(listing(tmp_path)) == ["a.service.d"], "it is the other task's"

    def test_errors_of_the_system_are_explained(self, ctx: Context, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(SystemdError, match="cannot write .*file/a.service"):
            carry_out(Plan([WriteFile(str(tmp_path / "file/a.service"), b"", None, TOOLS)]), ctx)

    def test_backup(self, ctx: Context, tmp_path: Path) -> None:
        path = tmp_path / "a.service"
        path.write_bytes(b"old")
        path.chmod(0o600)
        step = write(path, b"new", FileTools(lambda _path, _check: False, backup=True))
        step.apply(ctx)
        copy = Path(step.backup_file)
        assert copy.read_bytes() == b"old"
        assert copy.stat().st_mode & 0o777 == 0o600
        assert copy.name.startswith(f"a.service.{os.getpid()}.") and copy.name.endswith("~")
        step.undo(ctx)
        assert not copy.exists()

    def test_undo_puts_back_everything(self, ctx: Context, tmp_path: Path) -> None:
        for name in ("kept.service", "gone.service", "mode.service"):
            (tmp_path / name).write_bytes(b"old")
            os.utime(tmp_path / name, ns=(1, 2_000_000_000))
        (tmp_path / "kept.service").chmod(0o640)
        (tmp_path / "multi.target.wants").mkdir()
        (tmp_path / "multi.target.wants/gone.service").symlink_to("../gone.service")
        (tmp_path / "empty.service.d").mkdir()
        before = listing(tmp_path)

        def change(path: str, _check: bool) -> bool:
            os.chmod(path, 0o755)
            return True

        saved = Saved.of(str(tmp_path / "gone.service"))
        mode = Saved.of(str(tmp_path / "mode.service"))
        assert saved is not None and mode is not None
        links = {str(tmp_path / "multi.target.wants/gone.service"): "../gone.service"}
        error = roll_back(
            ctx,
            write(tmp_path / "kept.service", b"new"),
            write(tmp_path / "new.service.d/x.conf", b"new"),
            SetAttributes(str(tmp_path / "mode.service"), mode, FileTools(change)),
            RemoveFile(str(tmp_path / "gone.service"), saved, TOOLS),
            RemoveLinks(links),
            RemoveDirectory(str(tmp_path / "empty.service.d")),
        )
        assert listing(tmp_path) == before
        assert t.cast(FakeManager, ctx.manager).reloads == 1
        assert error.data["changed"] is False
        assert f"{tmp_path}/kept.service as it was" in error.data["rolled_back"]

    def test_systemd_reads_its_files_again_after_each_way_back(self, tmp_path: Path) -> None:
        path = tmp_path / "a.service"
        path.write_bytes(b"old")
        saved = Saved.of(str(path))
        assert saved is not None
        (tmp_path / "link").symlink_to("a.service")
        steps = (
            write(path, b"new"),
            write(tmp_path / "b.service", b"new"),
            RemoveFile(str(path), saved, TOOLS),
            RemoveLinks({str(tmp_path / "link"): "a.service"}),
        )
        for step in steps:
            ctx = Context(FakeManager())
            roll_back(ctx, step)
            assert t.cast(FakeManager, ctx.manager).reloads == 1, step.describe()

    def test_removing_takes_empty_directories_along_and_others_not(self, ctx: Context, tmp_path: Path) -> None:
        for name in ("a.service.d/x.conf", "b.service.d/x.conf", "b.service.d/y.conf"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        for name in ("a", "b"):
            path = f"{tmp_path}/{name}.service.d/x.conf"
            saved = Saved.of(path)
            assert saved is not None
            RemoveFile(path, saved, TOOLS).apply(ctx)
        assert list(listing(tmp_path)) == ["b.service.d", "b.service.d/y.conf"]

    def test_a_link_planted_in_place_of_the_temporary_file_is_not_followed(
        self, ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "urandom", bytes)
        (tmp_path / ".a.service.00000000.pidone-tmp").symlink_to(tmp_path / "victim")
        with pytest.raises(FileExistsError):
            replace(f"{tmp_path}/a.service", b"x")
        assert not (tmp_path / "victim").exists()

    def test_what_a_crash_left_under_the_same_process_id_is_not_in_the_way(self, ctx: Context, tmp_path: Path) -> None:
        names: list[str] = []

        def attributes(name: str, _check: bool) -> bool:
            names.append(name)
            return False

        for dummy in range(2):
            write(tmp_path / "a.service", b"x", FileTools(attributes)).apply(ctx)
        assert names[0] != names[1]


class TestWritable:
    def test_a_link_that_leads_nowhere_and_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.service.d").symlink_to("nowhere")
        (tmp_path / "b.service.d").touch()
        with pytest.raises(SystemdError, match=r"a\.service\.d: it is a link that leads nowhere"):
            check_writable(str(tmp_path / "a.service.d/x.conf"))
        with pytest.raises(SystemdError, match=r"b\.service\.d: it is no directory"):
            check_writable(str(tmp_path / "b.service.d/x.conf"))

    def test_run_time_directory_of_a_user_who_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        monkeypatch.setattr(os, "access", lambda *_arguments, **_options: False)
        monkeypatch.setattr(os.path, "lexists", lambda path: path in ("/run", "/run/user"))
        monkeypatch.setattr(os.path, "isdir", lambda path: path in ("/run", "/run/user"))
        with pytest.raises(SystemdError, match="no /run/user/4711, .*pidone.systemd.user_manager"):
            check_writable("/run/user/4711/systemd/user/a.service")


def asked(text: str = "", **options: t.Any) -> Asked:
    """The options of a task: those given, and otherwise what the module has for them."""
    own: dict[str, t.Any] = dict.fromkeys(("dropin", "sections", "enabled", "started", "on_change", "root", "user", "probe"))
    own.update(dict.fromkeys(("src", "mode", "owner", "group", "attributes", "seuser", "serole", "setype", "selevel")))
    own.update(dict.fromkeys(("runtime", "activate"), False), state="present", settle="200ms", scope="system", restart_on=[], reload_on=[])
    return Asked({**own, "name": "a.service", "content": text or "[Unit]\n", **options}, False)


def place_of(wish: Asked, paths: UnitPaths | None = None) -> Place:
    made = Place(wish, Session({"scope": wish.params["scope"]}, 1.0, False, False, False))
    if paths is not None:
        made.paths, made.tree = paths, paths.tree
    return made


class TestTask:
    def test_instances_with_a_file_of_their_own(self, tmp_path: Path) -> None:
        etc, usr = tmp_path / "etc/systemd/system", tmp_path / "usr/lib/systemd/system"
        for directory in (etc, usr):
            directory.mkdir(parents=True)
        for path in (
            etc / "a@.service",
            etc / "a@1.service",
            usr / "a@2.service",
            etc / "ab@3.service",
            etc / "a@4.socket",
        ):
            path.touch()
        (etc / "a@5.service").symlink_to(usr / "a@.service")
        (etc / "a@6.service").symlink_to("/dev/null")
        (etc / "a@7.service").symlink_to("/opt/a@7.service")
        place = place_of(asked(name="a@.service", root=str(tmp_path)))
        assert place.own_instances() == {"a@1.service", "a@2.service", "a@7.service"}

    @pytest.mark.parametrize(
        ("state", "need", "dropins", "stale"),
        [
            ("loaded", False, ["dotfiles/systemd/a.service.d/x.conf"], False),
            ("loaded", True, ["dotfiles/systemd/a.service.d/x.conf"], True),
            ("loaded", False, [], True),
            ("masked", True, ["dotfiles/systemd/a.service.d/x.conf"], False),
        ],
        ids=["through a link", "old", "unseen", "masked"],
    )
    def test_what_systemd_has_not_read(
        self, tmp_path: Path, state: str, need: bool, dropins: list[str], stale: bool
    ) -> None:
        directory = tmp_path / "dotfiles/systemd/a.service.d"
        directory.mkdir(parents=True)
        (directory / "x.conf").touch()
        (tmp_path / "config").symlink_to("dotfiles")
        told = [need, "/usr/lib/systemd/user/a.service", [f"{tmp_path}/{path}" for path in dropins]]
        paths = UnitPaths("user", str(tmp_path), 0)
        looked_in = types.SimpleNamespace(properties=lambda _wanted: told, unit_path=lambda: [paths.directory(False)])
        unit = Unit("a.service", UnitStatus("a.service", "", state, "active", "", "", "/", 0, "", "/"))
        wish = asked(dropin="x")
        place = place_of(wish, paths)
        place.path = place.place = f"{tmp_path}/config/systemd/a.service.d/x.conf"
        assert is_stale(wish, place, looked_in, unit, [unit]) is stale

    @pytest.mark.parametrize(
        ("loaded", "slept", "stale"),
        [(-60.0, 0.0, True), (60.0, 0.0, False), (-60.0, 3600.0, True), (None, 0.0, False)],
        ids=["before", "after", "the host slept since", "nobody knows"],
    )
    def test_a_link_that_was_made_since_systemd_read_its_files(
        self, tmp_path: Path, loaded: float | None, slept: float, stale: bool
    ) -> None:
        """What it leads to is older, so that systemd does not see it."""
        source, path = tmp_path / "opt/a.service", tmp_path / "a.service"
        source.parent.mkdir()
        source.touch()
        os.utime(source, (0, 0))
        path.symlink_to(source)
        times = (time.time(), time.monotonic() + slept)
        moments = [None, None] if loaded is None else [int((now + loaded) * 1e6) for now in times]
        looked_in = types.SimpleNamespace(properties=lambda _wanted: [False, str(path), []], manager_properties=lambda _names: moments)
        unit = Unit("a.service", UnitStatus("a.service", "", "loaded", "active", "", "", "/", 0, "", "/"))
        wish = asked(state="linked", src=str(source), content=None)
        place = place_of(wish)
        place.path = place.place = str(path)
        assert is_stale(wish, place, looked_in, unit, [unit]) is stale

    def test_a_socket_is_not_closed_under_a_running_service(self) -> None:
        told: dict[str, t.Any] = {"Triggers": ["a.service"]}
        service = types.SimpleNamespace(id="a.service", active_state="active")
        looked_in = types.SimpleNamespace(
            properties=lambda wanted: [told.get(name, []) for _path, _interface, name in wanted],
            status=lambda names: [service] if names else [],
        )
        socket = Unit("a.socket", UnitStatus("a.socket", "", "loaded", "active", "", "", "/", 0, "", "/"))
        wish = asked("[Socket]\n", name="a.socket", on_change="restart")
        needs = {socket.id: Need("restart", ("/f",), (), "on_change")}
        with pytest.raises(BadInput, match=r"on_change: .*a\.socket while a\.service runs"):
            states_for(wish, looked_in, socket, [socket], needs)
        told["RequiredBy"] = ["a.service"]
        assert states_for(wish, looked_in, socket, [socket], needs) == {socket: "try_restarted"}
        told["RequiredBy"], told["Accept"] = [], True
        assert states_for(wish, looked_in, socket, [socket], needs) == {socket: "try_restarted"}
        told["Accept"], service.active_state = False, "inactive"
        assert states_for(wish, looked_in, socket, [socket], needs) == {socket: "try_restarted"}

    @pytest.mark.parametrize(
        ("dropin", "text", "now", "refused"),
        [
            (None, "[Unit]\nRefuseManualStop=yes\n", False, True),
            (None, "[Unit]\nDescription=x\n", True, False),
            ("x", "[Unit]\nDescription=x\n", True, True),
            ("x", "[Unit]\nRefuseManualStop=off\n", True, False),
        ],
    )
    @pytest.mark.parametrize("key", ["RefuseManualStop", "RefuseManualStart"])
    def test_a_unit_that_refuses_to_be_restarted(self, key: str, dropin: str | None, text: str, now: bool, refused: bool) -> None:
        text = text.replace("RefuseManualStop", key)
        can_reload = False
        looked_in = types.SimpleNamespace(
            properties=lambda wanted: [
                {key: now, "CanReload": can_reload}.get(name, False) for _path, _interface, name in wanted
            ]
        )
        unit = Unit("a.service", UnitStatus("a.service", "", "loaded", "active", "", "", "/", 0, "", "/"))
        wish = asked(text, dropin=dropin, on_change="restart")
        for on_change in ("restart", "reload_or_restart"):
            wish.on_change = on_change
            with pytest.raises(BadInput, match=f"on_change: .*{key}") if refused else contextlib.nullcontext():
                states_for(wish, looked_in, unit, [unit], {unit.id: need_of(wish.on_change, ["/f"], {}, {}, None, None)})
        # One that can reload does only that.
        can_reload = True
        wish = asked(text + "[Service]\nExecReload=/bin/true\n", dropin=dropin, on_change="reload_or_restart")
        states_for(wish, looked_in, unit, [unit], {unit.id: need_of(wish.on_change, ["/f"], {}, {}, None, None)})

    def test_a_link_to_an_empty_directory_is_left(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "a.service.d").symlink_to("elsewhere")
        wish = asked(dropin="x.conf", state="absent")
        place = place_of(wish)
        place.path = f"{tmp_path}/a.service.d/x.conf"
        assert remove_file(wish, place, TOOLS, None) == FileChange([])
        (tmp_path / "a.service.d").unlink()
        (tmp_path / "a.service.d").mkdir()
        (step,) = remove_file(wish, place, TOOLS, None).steps
        assert step.describe() == f"remove {tmp_path}/a.service.d"

    def test_drop_ins_of_the_same_name_hide_one_another(self) -> None:
        path = "/etc/systemd/system/a@.service.d/x.conf"
        assert _is_hidden_by(path, "/run/systemd/system/a@1.service.d/x.conf")
        assert not _is_hidden_by(path, "/etc/systemd/system/a@1.service.d/y.conf")
        assert not _is_hidden_by(path, "/etc/systemd/system/service.d/x.conf")
        assert not _is_hidden_by(path, "/usr/lib/systemd/system/a@.service.d/x.conf"), "ours will go before that"

    def test_functions_of_ansible_core_fail_as_ours(self) -> None:
        def fail_json(**_facts: t.Any) -> t.NoReturn:
            raise SystemExit(1)

        module = types.SimpleNamespace(check_mode=False, fail_json=fail_json, params={})
        with pytest.raises(SystemdError) as caught, Attributes(module, "/etc/a.service").asking(True):
            assert module.check_mode is True
            module.fail_json(path="/etc/.a.service.1.pidone-tmp", msg="chown failed", exception=OSError(1, "no"))
        assert caught.value.msg == "/etc/a.service: chown failed: [Errno 1] no"
        assert (module.check_mode, module.fail_json) == (False, fail_json)

    def test_a_copy_that_cannot_be_kept(self, ctx: Context, tmp_path: Path) -> None:
        path = tmp_path / "a.service"
        path.write_bytes(b"old")
        step = write(path, b"new", FileTools(lambda _path, _check: False, backup=True))

        def no_room(saved: Saved, where: str) -> None:
            raise OSError(28, "No space left on device")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Saved, "put_back", no_room)
            with pytest.raises(
                SystemdError, match=r"cannot keep a copy of .*/a\.service: No space left on device; make room"
            ):
                step.apply(ctx)
        assert list(listing(tmp_path)) == ["a.service"]
        assert path.read_bytes() == b"old"

    def test_verifying_makes_no_directory_in_a_home_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[str] = []

        def fake(*arguments: t.Any) -> verify.Verdict:
            seen.append(arguments[6])
            assert os.stat(arguments[6]).st_mode & 0o777 == 0o700
            return verify.Verdict([], [])

        monkeypatch.setattr(verify, "verify", fake)
        text = "[Service]\nExecStart=/a\n"
        # `tmpdir` of a real module makes ~/.ansible/tmp where there is none.
        wish = asked(text, verify="normal")
        assert check_text(wish, place_of(wish)) == []
        assert len(seen) == 1
        assert not os.path.exists(seen[0])

    def test_home_directory_with_a_slash_at_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import pwd

        homes = {"alice": "/home/alice/", "system": "/"}
        monkeypatch.setattr(
            pwd,
            "getpwnam",
            lambda name: types.SimpleNamespace(pw_uid=1, pw_gid=1, pw_name=name, pw_dir=homes[name], pw_shell=""),
        )
        assert manager.find_user("alice") == (1, "/home/alice")
        assert manager.find_user("system") == (1, "/")


BASE = "# a\n[Service]\nExecStart=/a\n"


class TestPlainTexts:
    @pytest.mark.parametrize(
        "text",
        ["", "\n", "# a\n; b\n\n[Unit]\n", "[Service]\nExecStart=/bin/sh -c 'a = $b; #c'\n# d\n[Install]\nWantedBy=a.target\n", "[X-a]\nX-b=\n"],
    )
    def test_nothing_is_wrong_with_them(self, text: str) -> None:
        assert texts._PLAIN.fullmatch(text)
        assert parse(text).problems == []

    @pytest.mark.parametrize(
        "text",
        [
            "A=b\n[Unit]\n", "[Unit\n", "[Unit]\nnonsense\n", "[Unit]\nA=b\\\n", "[Unit]\nA=b", "[Unit]\n A=b\n", "[]\n", "[Unit]\n=a\n",
            "[Unit]\nA=\x00\n", "[Unit]\nA=\udc80\n", "[Unit]\nA=\u2028\n", "[Unit]\nA=b\r\n", "[Unit]\n# a\\\n", "[Unit] # a\n", f"[{'a' * 300}]\n",
        ],
    )  # fmt: skip
    def test_of_others_the_parser_tells(self, text: str) -> None:
        assert texts._PLAIN.fullmatch(text) is None


class TestDropins:
    def test_an_empty_one_says_nothing_and_an_empty_unit_masks(self) -> None:
        assert asked(dropin="x", content="").raw == ""
        assert asked(dropin="x", content=None, sections={}).raw == ""
        with pytest.raises(BadInput, match="would mask"):
            asked(content="")
        assert decide(b"", "# note\n", True, True) is False
        assert decide(b"", "# note\n", True) is True

    @pytest.mark.parametrize("name", ["service", "mount"])
    def test_a_type_is_no_name(self, name: str) -> None:
        with pytest.raises(BadInput, match=rf"^name: {name} is a type of units; .* {name}\.service .*{name}\.d"):
            asked(dropin="x", name=name)
        assert asked(dropin="x", name=f"{name}.service").name == f"{name}.service"

    @pytest.mark.parametrize(
        ("options", "before", "text", "told"),
        [
            ({}, "[Service]\nNice=1\n", "[Service]\nNice=2\n", True),
            ({}, None, "[Service]\nNice=2\n", True),
            ({"on_change": "nothing"}, "[Service]\nNice=1\n", "[Service]\nNice=2\n", False),
            ({}, "[Unit]\nDescription=a\n", "[Unit]\nDescription=b\n", False),
            ({}, "[Unit]\n", "[Unit]\n[Install]\nWantedBy=a.target\n", False),
            ({"name": "a.target"}, "[Unit]\n", "[Unit]\nX-A=b\n[X-A]\nA=b\n", False),
            ({"state": "absent"}, "[Service]\nNice=1\n", "", False),
        ],
    )
    def test_what_runs_on_is_told(
        self, tmp_path: Path, options: dict[str, t.Any], before: str | None, text: str, told: bool
    ) -> None:
        wish = asked(text, **options)
        place = place_of(wish)
        place.path = str(tmp_path / wish.name)
        if before is not None:
            Path(place.path).write_text(before)
        runs = Unit(wish.name, UnitStatus(wish.name, "", "loaded", "active", "", "", "/", 0, "", "/"))
        down = Unit("b.service", UnitStatus("b.service", "", "loaded", "inactive", "", "", "/", 0, "", "/"))
        warnings = _left_as_they_are(wish, place, [runs, down], True)
        assert [warning.startswith(f"{wish.name} runs on") for warning in warnings] == [True] * told
        assert _left_as_they_are(wish, place, [runs], None) == []


class TestDecide:
    @pytest.mark.parametrize(
        ("before", "wanted", "comments_count", "result"),
        [
            (None, BASE, False, True),
            (BASE, BASE, True, None),
            (BASE, "[Service]\nExecStart=/a\n", False, None),
            (BASE, "[Service]\nExecStart=/a\n", True, False),
            (BASE, "# b\n[Service]\nExecStart=/a\n", True, False),
            (BASE, "# a\n\n[Service]\nExecStart = /a\n", True, None),
            (BASE, "# a\n[Service]\nExecStart=/b\n", True, True),
            ("", "[Service]\n", False, True),
            ("junk\n", "[Service]\n", False, True),
            ("[Service]\nExecStart=/\udcff\n", "[Service]\nExecStart=/\n", False, True),
        ],
    )
    def test_decide(self, before: str | None, wanted: str, comments_count: bool, result: bool | None) -> None:
        content = None if before is None else before.encode("utf-8", "surrogateescape")
        assert decide(content, wanted, comments_count) is result

    @pytest.mark.parametrize(
        ("state", "install", "is_dropin", "after"),
        [
            ("", "WantedBy=a.target", False, "disabled"),
            ("static", "WantedBy=a.target", False, "disabled"),
            ("enabled", "WantedBy=a.target", False, "enabled"),
            ("disabled", "", False, "static"),
            ("disabled", "WantedBy=a\nWantedBy=", False, "static"),
            ("disabled", "Also=b.service", False, "indirect"),
            ("disabled", "", True, "disabled"),
            ("static", "RequiredBy=a.target", True, "disabled"),
            ("enabled", "", False, "enabled"),
            ("masked", "WantedBy=a.target", False, "masked"),
        ],
    )
    def test_file_state_after(self, state: str, install: str, is_dropin: bool, after: str) -> None:
        assert file_state_after(state, parse(f"[Install]\n{install}\n"), is_dropin) == after

    @pytest.mark.parametrize(
        ("now", "text", "is_dropin", "after"),
        [
            (True, "ExecStart=/a", False, False),
            (False, "ExecReload=/b", False, True),
            (False, "Type=notify-reload", False, True),
            (True, "User=u", True, True),
            (True, "ExecReload=", True, False),
            (False, "ExecReload=/b", True, True),
        ],
    )
    def test_can_reload_after(self, now: bool, text: str, is_dropin: bool, after: bool) -> None:
        assert can_reload_after(now, "service", parse(f"[Service]\n{text}\n"), is_dropin) is after


class InTree:
    """A unit file of a tree, as `state` asks for it."""

    def __init__(self, root: Path, **options: t.Any) -> None:
        self.root = root
        self.manager = FakeManager()
        self.manager.root = str(root)
        self.asked = asked(content=None, root=str(root), **options)
        self.place = Place(self.asked, Session({"scope": "system", "root": str(root)}, 1.0, False, False, False))

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def link(self, path: str, target: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)

    def linked(self) -> FileChange:
        return link_file(self.asked, self.place)

    def reverted(self) -> FileChange:
        return revert_file(self.asked, self.place, TOOLS)

    def context(self) -> Context:
        return Context(self.manager)


LINK = {"state": "linked", "src": "/opt/1/a.service"}
ETC, RUN, LIB = "etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system"


class TestLinked:
    """A unit file that is elsewhere."""

    def test_linked_and_taken_back(self, tmp_path: Path) -> None:
        it = InTree(tmp_path, **LINK)
        it.write("opt/1/a.service", "[Service]\nExecStart=/bin/true\n")
        change = it.linked()
        assert [step.describe() for step in change.steps] == [f"link {tmp_path}/{ETC}/a.service to /opt/1/a.service"]
        assert change.wrote is True and it.asked.text.values("Service", "ExecStart") == ["/bin/true"]
        (tmp_path / ETC).mkdir(parents=True)
        before = listing(tmp_path)
        roll_back(it.context(), *change.steps)
        assert listing(tmp_path) == before
        assert carry_out(Plan(it.linked().steps), it.context())
        assert os.readlink(tmp_path / ETC / "a.service") == "/opt/1/a.service"
        again = it.linked()
        assert not again.steps and again.wrote is None

    @pytest.mark.parametrize("target", ["/opt/1/a.service", "../../../opt/1/a.service"])
    def test_a_link_that_leads_there_is_left(self, tmp_path: Path, target: str) -> None:
        it = InTree(tmp_path, **LINK)
        it.write("opt/1/a.service", "[Service]\n")
        it.link(f"{ETC}/a.service", target)
        assert not it.linked().steps

    @pytest.mark.parametrize(("text", "means"), [("[Service]\nNice=1\n", False), ("[Service]\nNice=2\n", True)])
    def test_another_link_is_replaced(self, tmp_path: Path, text: str, means: bool) -> None:
        it = InTree(tmp_path, **LINK)
        it.write("opt/0/a.service", "# Older\n[Service]\nNice=1\n")
        it.write("opt/1/a.service", text)
        it.link(f"{ETC}/a.service", "/opt/0/a.service")
        change = it.linked()
        assert len(change.steps) == 1 and change.wrote is means
        roll_back(it.context(), *change.steps)
        assert os.readlink(tmp_path / ETC / "a.service") == "/opt/0/a.service"

    def test_refused(self, tmp_path: Path) -> None:
        it = InTree(tmp_path, **LINK)
        with pytest.raises(BadInput, match="^src: there is no .*/opt/1/a.service; write the file first"):
            it.linked()
        it.asked.check_mode = True
        assert "taken for made by an earlier task" in it.linked().warnings[0]
        it.link("opt/1/a.service", "b.service")
        with pytest.raises(BadInput, match="^src: .* is a link itself"):
            it.linked()
        (tmp_path / "opt/1/a.service").unlink()
        (tmp_path / "opt/1/a.service").mkdir()
        with pytest.raises(BadInput, match="^src: .* is no file"):
            it.linked()
        it.write(f"{ETC}/a.service", "[Service]\n")
        with pytest.raises(BadInput, match="^name: .* is no link, but a unit file of its own"):
            it.linked()
        (tmp_path / ETC / "a.service").unlink()
        it.link(f"{ETC}/a.service", "/dev/null")
        with pytest.raises(BadInput, match="^name: a.service is masked"):
            it.linked()
        own = InTree(tmp_path, state="linked", src=f"/{LIB}/a.service")
        (tmp_path / ETC / "a.service").unlink()
        own.write(f"{LIB}/a.service", "[Service]\n")
        with pytest.raises(BadInput, match="^src: systemd looks in .* already"):
            own.linked()


class TestReverted:
    """A unit as its package has it."""

    def test_all_that_overrides_and_adds(self, tmp_path: Path) -> None:
        it = InTree(tmp_path, state="reverted")
        it.write(f"{LIB}/a.service", "[Service]\nNice=1\n")
        it.write(f"{LIB}/a.service.d/package.conf", "[Service]\n")
        it.write(f"{ETC}/a.service", "[Service]\nNice=2\n")
        it.write(f"{ETC}/a.service.d/1.conf", "[Service]\nNice=3\n")
        it.link(f"{ETC}/a.service.d/2.conf", "/dev/null")
        it.link(f"{ETC}/multi-user.target.wants/a.service", "/etc/systemd/system/a.service")
        it.write(f"{ETC}.control/a.service.d/50-CPUWeight.conf", "[Service]\nCPUWeight=5\n")
        (tmp_path / RUN / "a.service.d").mkdir(parents=True)
        it.link(f"{RUN}/a.service", "/dev/null")
        it.write(f"{ETC}/b.service.d/1.conf", "[Service]\n")
        before = listing(tmp_path)
        change = it.reverted()
        assert change.wrote is True and len(change.diffs) == 3
        roll_back(it.context(), *change.steps)
        assert listing(tmp_path) == before
        assert carry_out(Plan(it.reverted().steps), it.context())
        left = {path for path, (what, *_rest) in listing(tmp_path).items() if what != "directory"}
        assert left == {
            f"{LIB}/a.service", f"{LIB}/a.service.d/package.conf", f"{ETC}/multi-user.target.wants/a.service", f"{ETC}/b.service.d/1.conf"
        }  # fmt: skip
        assert not (tmp_path / ETC / "a.service.d").exists() and not (tmp_path / RUN / "a.service.d").exists()
        again = it.reverted()
        assert not again.steps and again.wrote is None and not again.warnings

    def test_what_no_package_has_keeps_its_file(self, tmp_path: Path) -> None:
        it = InTree(tmp_path, state="reverted")
        it.write(f"{ETC}/a.service", "[Service]\n")
        it.write(f"{ETC}/a.service.d/1.conf", "[Service]\n")
        (tmp_path / ETC / "a.service.d" / "deep").mkdir()
        change = it.reverted()
        assert [step.describe() for step in change.steps] == [f"remove {tmp_path}/{ETC}/a.service.d/1.conf"]
        assert change.warnings == [f"{tmp_path}/{ETC}/a.service.d/deep is left, since it is no file"]

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        assert "there is no unit a.service" in InTree(tmp_path, state="reverted").reverted().warnings[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"state": "linked"}, "src: which file is to be linked is missing"),
        ({**LINK, "src": "opt/a.service"}, "src: 'opt/a.service' is not absolute"),
        ({**LINK, "src": "/opt/b.service"}, "src: '/opt/b.service' is no file named a.service"),
        ({**LINK, "dropin": "x"}, "dropin: does not go with `state: linked`"),
        ({**LINK, "mode": "0600"}, "mode: does not go with `state: linked`"),
        ({"src": "/opt/a.service"}, "src: is the file that `state: linked` links"),
        ({"state": "reverted", "sections": {}}, "sections: does not go with `state: reverted`"),
        ({"state": "reverted", "started": True}, "started: does not go with `state: reverted`"),
        ({"state": "reverted", "activate": True}, "activate: does not go with `state: reverted`"),
    ],
)
def test_options_of_states(options: dict[str, t.Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        asked(content=None, **{"state": "absent", **options})
