# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acting as a user, and programs that are run meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import Interrupted, ending_in_order
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, become_hint
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import accounts, programs
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import (
    Account,
    acting_as,
    acting_for,
    find_account,
    privileged,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.cgroup_values import (
    cgroup_directory,
    counters,
    read_attribute,
    read_value,
    stalled_usec,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import (
    ProgramMissing,
    ProgramTooSlow,
    run_program,
    scratch_directory,
)

NOBODY = Account(65534, 65534, "nobody", "/nonexistent")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users' ids")


@pytest.mark.parametrize("user", ["\u00b2", "\u0661", "7" * 5000, "99999999999", "", "a\nb", "65535", "no-such-user"])
def test_who_is_nobody(user: str) -> None:
    with pytest.raises(BadInput) as caught:
        find_account(user)
    assert caught.value.msg.startswith("user: ")
    assert len(caught.value.msg) < 250


@pytest.mark.parametrize("name", ["\u00b2", "7" * 5000, "99999999999", "a\0b", "no-such-one"])
def test_entries_of_nobody(name: str) -> None:
    with pytest.raises(KeyError):
        accounts.user_entry(name)
    if not name.isascii() or not name.isdigit():
        with pytest.raises(KeyError):
            accounts.group_id(name)


@pytest.mark.parametrize(
    ("name", "attribute", "text"),
    [
        ("AllowedCPUs", "cpuset.cpus", "0-99999999999"),
        ("AllowedCPUs", "cpuset.cpus", "1_0"),
        ("CPUQuota", "cpu.max", "1000 0"),
        ("TasksMax", "pids.max", "nonsense"),
        ("IOWeight", "io.weight", "8:0 100"),
        ("IOReadIOPSMax", "io.max", "8:0 rbps=1"),
    ],
)
def test_what_the_kernel_would_never_say(tmp_path: Path, name: str, attribute: str, text: str) -> None:
    (tmp_path / attribute).write_text(text)
    assert read_value(str(tmp_path), name) == (text, None)
    assert stalled_usec("some total=x") is None
    assert counters("a 1\nb x\nc 1_0") == {"a": 1}


def ids() -> tuple[int, int, int, list[int]]:
    return os.getuid(), os.geteuid(), os.getegid(), sorted(os.getgroups())


@as_root
class TestActing:
    def test_ids_are_the_users_and_then_what_they_were(self) -> None:
        groups = os.getgroups()
        os.setegid(12)
        os.setgroups([7, 12])
        try:
            before = ids()
            with acting_as(NOBODY):
                assert ids() == (0, 65534, 65534, [65534])
                assert acting_for() == NOBODY
            assert ids() == before == (0, 0, 12, [7, 12])
            assert acting_for() is None
        finally:
            os.setegid(0)
            os.setgroups(groups)

    @pytest.mark.parametrize("when", ["on the way there", "there", "on the way back"])
    def test_a_signal_leaves_nobody_with_roots_ids(self, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
        """What comes after it, such as a rollback of what is the user's, is done as the user."""
        own = os.setgroups
        calls = 0

        def setgroups(groups: t.Sequence[int]) -> None:
            nonlocal calls
            calls += 1
            own(groups)
            if calls == {"on the way there": 1, "on the way back": 2}.get(when):
                signal.raise_signal(signal.SIGTERM)

        with acting_as(NOBODY):
            inside = ids()
            monkeypatch.setattr(os, "setgroups", setgroups)
            reached = False
            with pytest.raises(Interrupted), ending_in_order(Context(None)):
                with privileged("a test"):
                    if when == "there":
                        signal.raise_signal(signal.SIGTERM)
                    assert os.geteuid() == 0
                    reached = True
                pytest.fail("nothing was interrupted")
            assert reached
            assert ids() == inside
            monkeypatch.undo()

    def test_nobody_stays_root_where_the_way_back_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(groups: t.Sequence[int]) -> None:
            raise OSError(errno.ENOMEM, "no memory")

        with acting_as(NOBODY):
            with pytest.raises(OSError, match="no memory"), privileged("a test"):
                monkeypatch.setattr(os, "setgroups", refuse)
            assert os.geteuid() == NOBODY.uid
            monkeypatch.undo()

    def test_root_again_for_a_while_whatever_is_raised(self) -> None:
        before = ids()
        with contextlib.suppress(ZeroDivisionError), acting_as(NOBODY):
            inside = ids()
            with contextlib.suppress(KeyError), privileged("a test"):
                assert ids() == before
                with privileged("a test"), acting_as(NOBODY):
                    assert ids() == inside
                assert ids() == before
                raise KeyError
            assert ids() == inside
            raise ZeroDivisionError
        assert ids() == before

    def test_ids_that_cannot_be_had(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = ids()

        def refuse(uid: int) -> None:
            if uid:
                raise OSError(22, "Invalid argument")

        monkeypatch.setattr(accounts.os, "seteuid", refuse)
        with pytest.raises(SystemdError, match=r"^user: cannot act as nobody \(uid 65534\)"), acting_as(NOBODY):
            pytest.fail("entered")
        monkeypatch.undo()
        assert ids() == before

    def test_modules_that_only_root_may_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("pidone_hidden", "pidone_other"):
            (tmp_path / f"{name}.py").write_text("import os\nEUID = os.geteuid()\n")
        tmp_path.chmod(0o700)
        monkeypatch.syspath_prepend(tmp_path)
        own = __import__
        with acting_as(NOBODY):
            from pidone_hidden import EUID  # type: ignore[import-not-found]

            assert EUID == 0
            assert os.geteuid() == NOBODY.uid
        assert __import__ is own
        with pytest.raises(ModuleNotFoundError), acting_as(NOBODY):
            # Without it, there is no such module to the user.
            monkeypatch.setattr("builtins.__import__", own)
            import pidone_other  # type: ignore[import-not-found] # noqa: F401

    def test_the_hint_is_for_those_who_are_not_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with acting_as(NOBODY):
            assert become_hint() == ""
        monkeypatch.setattr(accounts.os, "getuid", lambda: 5)
        monkeypatch.setattr(accounts.os, "geteuid", lambda: 5)
        assert "become: true" in become_hint()

    def test_of_a_session(self) -> None:
        session = open_session({"scope": "user", "user": "nobody", "timeout": "1min"}, connects=False)
        with session:
            assert os.geteuid() == session.uid == session.owner == find_account("nobody").uid
            with privileged("a test"):
                assert os.geteuid() == 0
        assert os.geteuid() == 0

    def test_a_session_that_fails_while_it_connects(self, monkeypatch: pytest.MonkeyPatch) -> None:
        session = open_session({"scope": "user", "user": "nobody", "timeout": "1min"})
        seen = []

        def connect() -> t.NoReturn:
            seen.append(os.geteuid())
            raise SystemdError("no")

        monkeypatch.setattr(session, "connect", connect)
        with pytest.raises(SystemdError), session:
            pytest.fail("entered")
        assert (seen, os.geteuid()) == ([session.uid], 0)


@pytest.mark.parametrize("scope", ["system", "global"])
def test_a_user_where_the_scope_has_none(scope: str) -> None:
    with pytest.raises(BadInput, match="^user: only scope `user`"):
        open_session({"scope": scope, "user": "root", "timeout": "1min"})


class TestPrograms:
    def test_what_it_printed(self) -> None:
        done = run_program(["sh", "-c", "cat; echo $LC_ALL; echo no >&2; exit 3"], 10, input=b"in,")
        assert (done.returncode, done.stdout, done.stderr) == (3, b"in,C\n", b"no\n")
        done = run_program(["sh", "-c", "cat; echo 1; echo 2 >&2"], 10, merge=True)
        assert (done.stdout, done.stderr) == (b"1\n2\n", b"")

    def test_without_an_end(self) -> None:
        begun = time.monotonic()
        # The second sleep holds the pipe after its parent was killed, unless it is killed too.
        with pytest.raises(ProgramTooSlow, match=r"^sh did not end within 0\.2 s"):
            run_program(["sh", "-c", "sleep 60 & sleep 60"], 0.2)
        with pytest.raises(ProgramTooSlow, match="^sh "):
            run_program(["sh", "-c", "exec >&- 2>&-; sleep 60"], 0.2)
        assert time.monotonic() - begun < 10

    def test_too_much(self) -> None:
        with pytest.raises(SystemdError, match="^yes printed more than 16 MiB"):
            run_program(["yes"], 60)

    def test_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ProgramMissing, match="^cannot run /no/such"):
            run_program(["/no/such"], 1)
        (tmp_path / "x").touch()
        with pytest.raises(SystemdError, match="Permission denied"):
            run_program([str(tmp_path / "x")], 1)

    def test_forever_is_a_time(self) -> None:
        assert run_program(["true"], float("inf")).returncode == 0

    @as_root
    def test_there_is_no_way_back_to_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOKEN", "of root")
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/x")
        # The user ids: real, effective, saved and of the file system.
        script = "grep -E '^(Uid|Gid|Groups):' /proc/self/status; pwd; env"
        with acting_as(NOBODY):
            said = run_program(["sh", "-c", script], 10, env_extra={"LC_ALL": "C.UTF-8"}).stdout.decode()
        four = "\t65534" * 4
        assert said.startswith(f"Uid:{four}\nGid:{four}\nGroups:\t65534 \n/\n"), said
        names = {line.partition("=")[0] for line in said.splitlines()[4:]}
        assert not {"TOKEN", "DBUS_SYSTEM_BUS_ADDRESS"} & names
        assert names >= {"HOME", "LOGNAME", "USER", "XDG_RUNTIME_DIR", "PATH", "LC_ALL"}

    @as_root
    def test_those_of_ansible_core_neither(self) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule

        module = AnsibleModule.__new__(AnsibleModule)
        with acting_as(NOBODY):
            code, out, _err = module.run_command(["grep", "^Uid:", "/proc/self/status"])
        assert (code, out) == (0, "Uid:" + "\t65534" * 4 + "\n")

    @as_root
    def test_scratch_directories_are_of_whom_one_acts_as(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with acting_as(NOBODY), scratch_directory() as path:
            assert (os.stat(path).st_uid, os.stat(path).st_mode & 0o777) == (NOBODY.uid, 0o700)
        assert not os.path.exists(path)
        with scratch_directory() as path:
            assert Path(path).parent == tmp_path


class TestControlGroups:
    """ControlGroup as a user's manager tells it."""

    @pytest.fixture
    def root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd import cgroup_values

        (tmp_path / "user.slice/user-7.slice/user@7.service/x.service").mkdir(parents=True)
        (tmp_path / "user.slice/user-8.slice").mkdir()
        (tmp_path / "system.slice").mkdir()
        (tmp_path / "cgroup.controllers").touch()
        monkeypatch.setattr(cgroup_values, "_ROOT", str(tmp_path))
        return tmp_path

    def test_below_the_users_own_slice(self, root: Path) -> None:
        group = "/user.slice/user-7.slice/user@7.service/x.service"
        assert cgroup_directory(group, 7) == f"{root}{group}"
        assert cgroup_directory("/system.slice") == f"{root}/system.slice"

    @pytest.mark.parametrize(
        "group",
        [
            "/../../../home/u/evil",
            "/user.slice/user-7.slice/../../system.slice",
            "/user.slice/user-7.slice/./user@7.service",
            "/user.slice/user-7.slice//user@7.service",
            "user.slice/user-7.slice",
            "/user.slice/user-8.slice",
            "/user.slice/user-77.slice",
            "/system.slice",
            "/",
            "",
            "/user.slice/user-7.slice/link",
            "/user.slice/user-7.slice/link/user-7.slice",
            "/user.slice/user-7.slice/gone",
        ],
    )
    def test_no_other_is_looked_at(self, root: Path, group: str) -> None:
        (root / "user.slice/user-7.slice/link").symlink_to("..")
        assert cgroup_directory(group, 7) is None

    def test_attributes_that_are_none(self, root: Path) -> None:
        (root / "secret").write_text("root:x")
        os.mkfifo(root / "memory.max")
        (root / "memory.high").symlink_to("secret")
        (root / "memory.low").mkdir()
        for name in ("memory.max", "memory.high", "memory.low", "gone"):
            assert read_attribute(str(root), name) is None
        (root / "pids.max").write_text("5\n")
        assert read_attribute(str(root), "pids.max") == "5"


def test_nothing_is_changed_for_whoever_is_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts.os, "geteuid", lambda: 5)
    monkeypatch.setattr(accounts, "_take", lambda ids: pytest.fail("changed"))
    with acting_as(NOBODY), privileged("a test"):
        assert acting_for() is None
    assert programs.acting_for() is None
