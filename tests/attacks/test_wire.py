# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks over the bus: a user who puts other sockets where root's tasks look for the user's manager, and a systemd that
executes itself anew in the middle of a task."""

from __future__ import annotations

import time
import typing as t

import pytest

from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("bookworm")

USER = "aw-eve"
# Of the host, not of the user.
VICTIM = """[Service]
ExecStart=sleep infinity
"""
IMPOSTOR = """
import os, signal, socket, sys
path, how = sys.argv[1:]
os.umask(0o077)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
while True:
    peer, _ = server.accept()
    try:
        peer.recv(4096)
        if how == "silent":
            signal.pause()
        peer.sendall(b"OK ")
        if how == "authentication":
            while True:
                peer.sendall(b"x" * 65536)
        peer.sendall(b"0123\\r\\n")
        if how == "header":
            peer.sendall(b"l\\2\\0\\1\\xf0\\xff\\xff\\xff\\1\\0\\0\\0\\x10\\0\\0\\0")
        while True:
            peer.sendall(b"\\1" * 65536)
    except OSError:
        pass
"""


@pytest.fixture
def eve(host: Host) -> t.Iterator[str]:
    """A user with a running manager; yields the runtime directory."""
    host.run(f"useradd -m -s /bin/sh {USER}", check=True)
    assert not host.ansible("pidone.systemd.user_manager", {"name": USER})["failed"]
    yield f"/run/user/{host.run(['id', '-u', USER]).stdout.strip()}"
    host.run(
        f"pkill -KILL -u {USER} -f impostor; loginctl disable-linger {USER}; systemctl stop user@$(id -u {USER}); "
        f"for i in $(seq 600); do pgrep -u {USER} >/dev/null || break; sleep 0.1; done; userdel -r {USER}"
    )


def as_eve(host: Host, line: str) -> None:
    host.run(["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "sh", "-ec", line], check=True)


class TestLinks:
    """The user's sockets lead to those of the host."""

    TASKS: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "unit": {"name": "aw-victim.service", "state": "stopped"},
        "run": {"command": "touch /run/aw-by-root", "wait": False},
        "manager": {"environment": {"AW_EVIL": "1"}},
        "unit_info": {"name": ["aw-victim.service"]},
    }
    LINKS: t.ClassVar[dict[str, str]] = {
        "sockets": (
            "mv {0}/systemd/private {0}/systemd/private.o; ln -s /run/systemd/private {0}/systemd/private; "
            "mv {0}/bus {0}/bus.o; ln -s /run/dbus/system_bus_socket {0}/bus"
        ),
        "directory": "mv {0}/systemd {0}/systemd.o; ln -s /run/systemd {0}/systemd; mv {0}/bus {0}/bus.o",
    }

    @pytest.mark.parametrize("links", LINKS)
    def test_nothing_of_the_host_is_reached(self, host: Host, eve: str, links: str) -> None:
        host.write("/run/systemd/system/aw-victim.service", VICTIM)
        host.run("systemctl daemon-reload; systemctl start aw-victim", check=True)
        as_eve(host, self.LINKS[links].format(eve))
        try:
            for module, args in self.TASKS.items():
                result = host.ansible(f"pidone.systemd.{module}", {**args, "scope": "user", "user": USER})
                assert result["failed"], f"{module}: {result}"
                assert not result.get("changed")
                assert f"refused to connect to {eve}/" in result["msg"], result["msg"]
                assert "a link" in result["msg"]
            assert host.run("systemctl is-active aw-victim").stdout.strip() == "active"
            assert host.run("test -e /run/aw-by-root").returncode
            assert "AW_EVIL" not in host.run("systemctl show-environment").stdout
        finally:
            host.run(
                "systemctl stop aw-victim; rm -f /run/systemd/system/aw-victim.service /run/aw-by-root; "
                "systemctl unset-environment AW_EVIL; systemctl daemon-reload"
            )

    def test_a_socket_of_somebody_else(self, host: Host, eve: str) -> None:
        # A hard link is no link to be seen, but the socket's listener is who it is.
        host.write("/run/aw-impostor.py", IMPOSTOR)
        socket = f"{eve}/systemd/private"
        host.run(
            f"mv {socket} {socket}.o; systemd-run -q --unit=aw-impostor python3 /run/aw-impostor.py {socket} nothing; "
            f"until [ -S {socket} ]; do sleep 0.05; done; chown {USER} {socket}",
            check=True,
        )
        try:
            result = host.ansible("pidone.systemd.unit_info", {"name": ["a"], "scope": "user", "user": USER})
        finally:
            host.run("systemctl stop aw-impostor; rm /run/aw-impostor.py")
        assert result["failed"]
        assert "of uid 0 listens there" in result["msg"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("authentication", "has no end"),
        ("header", "MiB"),
        ("nothing", "sent what is no message of D-Bus"),
    ],
)
def test_a_manager_that_speaks_nonsense(host: Host, eve: str, how: str, words: str) -> None:
    host.write("/run/aw-impostor.py", IMPOSTOR)
    socket = f"{eve}/systemd/private"
    as_eve(
        host,
        f"mv {socket} {socket}.o; setsid python3 /run/aw-impostor.py {socket} {how} >/dev/null 2>&1 </dev/null & "
        f"until [ -S {socket} ]; do sleep 0.05; done",
    )
    begun = time.monotonic()
    result = host.ansible("pidone.systemd.unit_info", {"name": ["a"], "scope": "user", "user": USER})
    assert time.monotonic() - begun < 30
    assert result["failed"]
    assert words in result["msg"] and f"the service manager of user {USER} at {socket}" in result["msg"]
    host.run("rm /run/aw-impostor.py")


def test_a_manager_that_is_silent_hides_no_other(host: Host, eve: str) -> None:
    """All users' managers are read, but that of one of them."""
    host.write("/run/aw-impostor.py", IMPOSTOR)
    unit = "/home/deploy/.config/systemd/user/aw-fails"
    host.write(f"{unit}.service", "[Service]\nExecStart=false\n")
    host.write(f"{unit}.timer", "[Timer]\nOnCalendar=daily\n")
    host.run("chown -R deploy: /home/deploy/.config", check=True)
    assert not host.ansible("pidone.systemd.user_manager", {"name": "deploy"})["failed"]
    host.ansible("pidone.systemd.unit", {"scope": "user", "user": "deploy", "name": "aw-fails", "state": "started", "wait": False})
    host.run("until systemctl --user -M deploy@ is-failed -q aw-fails; do sleep 0.1; done", check=True)
    everybody = {"scope": "user", "user": "*"}
    try:
        result = host.ansible("pidone.systemd.unit_info", {**everybody, "states": ["failed"]})
        answered = {manager["user"] for manager in result["managers"] if manager["answered"]}
        # And root, who may have a manager as well.
        assert answered - {"root"} == {USER, "deploy"}
        as_eve(
            host,
            f"cd {eve}/systemd; mv private private.o; setsid python3 /run/aw-impostor.py $PWD/private silent >/dev/null 2>&1 </dev/null & "
            f"until [ -S {eve}/systemd/private ]; do sleep 0.05; done",
        )
        for check in (False, True):
            result = host.ansible("pidone.systemd.unit_info", {**everybody, "states": ["failed"], "timeout": "4s"}, check=check)
            assert not result["failed"], result["msg"]
            assert [(unit["name"], unit["user"]) for unit in result["units"]] == [("aw-fails.service", "deploy")]
            (silent,) = [manager for manager in result["managers"] if not manager["answered"]]
            assert silent["user"] == USER
            assert {"user": "deploy", "uid": 1000, "answered": True, "msg": None} in result["managers"]
            assert "did not answer" in silent["msg"] and silent["msg"] in str(result["warnings"])
        result = host.ansible("pidone.systemd.manager_info", {**everybody, "timeout": "4s"})
        states = {manager["user"]: manager.get("manager", {}).get("failed_units") for manager in result["managers"]}
        states.pop("root", None)
        assert states == {USER: None, "deploy": ["aw-fails.service"]}
        result = host.ansible("pidone.systemd.timer_info", {**everybody, "timeout": "4s", "name": ["aw-fails"]})
        assert [(timer["unit"], timer["uid"]) for timer in result["timers"] if timer["exists"]] == [("aw-fails.service", 1000)]
    finally:
        host.run(
            "rm /run/aw-impostor.py; rm -r /home/deploy/.config/systemd; loginctl disable-linger deploy; systemctl stop user@1000; "
            "until ! test -e /run/user/1000/systemd/private; do sleep 0.1; done"
        )


class TestReExecution:
    """Systemd executes itself anew, because of what the task itself has it do."""

    def unit(self, host: Host, name: str, text: str) -> None:
        host.write(f"/run/systemd/system/{name}", text)
        host.run("systemctl daemon-reload", check=True)

    @pytest.fixture(autouse=True)
    def tidy(self, host: Host) -> t.Iterator[None]:
        yield
        host.run(
            # While systemd executes itself anew, this may fail.
            "until systemctl stop 'aw-*.service'; do sleep 0.2; done; rm -f /run/systemd/system/aw-* /etc/systemd/system/aw-*; "
            "systemctl daemon-reload; systemctl reset-failed"
        )

    @pytest.mark.parametrize("code", [0, 1])
    def test_a_reload_that_ends_meanwhile(self, host: Host, code: int) -> None:
        self.unit(
            host,
            "aw-reload.service",
            f"[Service]\nExecStart=sleep infinity\nExecReload=sh -c 'systemctl daemon-reexec; exit {code}'\n",
        )
        host.run("systemctl start aw-reload", check=True)
        result = host.ansible("pidone.systemd.unit", {"name": "aw-reload", "state": "reloaded"})
        assert bool(result["failed"]) is bool(code), result

    def test_a_start_that_ends_meanwhile(self, host: Host) -> None:
        self.unit(
            host,
            "aw-start.service",
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=systemctl daemon-reexec\n",
        )
        result = host.ansible("pidone.systemd.unit", {"name": "aw-start", "state": "started"})
        assert not result["failed"], result["msg"]
        assert result["changed"]

    def test_what_fails_meanwhile_is_rolled_back(self, host: Host) -> None:
        def text(then: str) -> str:
            return f"[Service]\nType=notify\nNotifyAccess=all\nExecStart=sh -c '{then}'\n"

        good = text("systemd-notify --ready; exec sleep infinity")
        wish = {"name": "aw-file.service", "content": good, "state": "present", "started": True, "on_change": "restart"}
        first = host.ansible("pidone.systemd.unit_file", wish)
        assert not first["failed"], first["msg"]
        bad = text("systemd-notify --ready; systemctl daemon-reexec; exit 3")
        result = host.ansible("pidone.systemd.unit_file", {**wish, "content": bad, "settle": "2s", "rollback": True})
        assert result["failed"]
        assert host.run("cat /etc/systemd/system/aw-file.service").stdout == good
        shown = host.run("systemctl show -p ActiveState,NeedDaemonReload,ExecStart aw-file").stdout
        assert "ActiveState=active" in shown and "NeedDaemonReload=no" in shown and "exit 3" not in shown

    def test_again_and_again(self, host: Host) -> None:
        """What only reads survives it at any moment."""
        host.run(
            "systemd-run -q --unit=aw-loop sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 0.5; systemctl daemon-reexec; done'",
            check=True,
        )
        for dummy in range(3):
            result = host.ansible("pidone.systemd.manager_info", {"unit_times": True})
            assert not result["failed"], result["msg"]
