# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user who attacks root through what is the user's: home directory, run-time directory, service manager."""

from __future__ import annotations

import hashlib
import json
import time
import typing as t
from pathlib import Path

import jeepney
import pytest

from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("bookworm")

USER = "au-mallory"
HOME = f"/home/{USER}"
UNITS = f"{HOME}/.config/systemd/user"
FAKE = "/srv/pidone-fake"
AUDIT = "/srv/pidone-audit"

# Takes note of each file, directory and socket that any Python process of a task touches by its path, and as whom.
WITNESS = f"""
import os, sys
if os.geteuid() == 0:
    log = os.open("{AUDIT}/log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    def note(event, args):
        if event.split(".")[0] in ("open", "os", "socket", "shutil"):
            for arg in args:
                if isinstance(arg, (str, bytes)):
                    os.write(log, ("%d %s %s\\n" % (os.geteuid(), event, os.fsdecode(arg).replace("\\n", "?"))).encode())
    sys.addaudithook(note)
"""

# A manager that answers what it is told to.
STAND_IN = r"""
import ast, os, socket, sys
from jeepney import HeaderFields, new_error, new_method_return, new_signal, DBusAddress
from jeepney.low_level import Parser
answers = ast.literal_eval(open(sys.argv[1]).read())
path = "/run/user/%d/systemd/private" % os.getuid()
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
print("ready", flush=True)
while True:
    peer = server.accept()[0]
    try:
        data = b""
        while b"BEGIN\r\n" not in data:
            data += peer.recv(4096)
        peer.sendall(b"OK " + b"0" * 32 + b"\r\n" + (b"AGREE_UNIX_FD\r\n" if b"NEGOTIATE" in data else b""))
        parser, serial = Parser(), 1
        parser.add_data(data.partition(b"BEGIN\r\n")[2])
        while True:
            message = parser.get_next_message()
            if message is None:
                data = peer.recv(65536)
                if not data:
                    break
                parser.add_data(data)
                continue
            member = message.header.fields[HeaderFields.member]
            if member == "Get":
                member = message.body[1]
            if member in answers:
                signature, body = answers[member]
                if message.header.fields[HeaderFields.member] == "Get":
                    signature, body = "v", [(signature, body)]
                reply = new_method_return(message, signature, tuple(body))
            else:
                reply = new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "s", ("no",))
            peer.sendall(reply.serialise(serial))
            serial += 1
            if member == "StartTransientUnit":
                unit = message.body[0]
                at = DBusAddress("/org/freedesktop/systemd1", interface="org.freedesktop.systemd1.Manager")
                signal = new_signal(at, "JobRemoved", "uoss", (1, "/org/freedesktop/systemd1/job/1", unit, "done"))
                peer.sendall(signal.serialise(serial))
                serial += 1
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def uid(host: Host) -> t.Iterator[int]:
    """A user with a manager."""
    host.run(f"useradd -m {USER}", check=True)
    done = host.ansible("pidone.systemd.user_manager", {"name": USER})
    assert not done["failed"], done["msg"]
    yield int(host.run(f"id -u {USER}").stdout)
    host.run(
        f"loginctl disable-linger {USER}; systemctl stop user@$(id -u {USER}); pkill -u {USER}; "
        f"for i in $(seq 600); do pgrep -u {USER} >/dev/null || break; sleep 0.1; done; userdel -r {USER}; "
        f"rm -rf {FAKE} {AUDIT}"
    )


def mine(host: Host, script: str) -> None:
    """Have the user run a shell script."""
    line = f"export XDG_RUNTIME_DIR=/run/user/$(id -u); cd; set -e; {script}"
    host.run(["sudo", "-u", USER, "-H", "sh", "-c", line], check=True)


def task(host: Host, module: str, check: bool = False, **args: t.Any) -> dict[str, t.Any]:
    """A task of root's for the user's manager."""
    return host.ansible(f"pidone.systemd.{module}", {"scope": "user", "user": USER, **args}, check=check)


@pytest.fixture
def stand_in(host: Host, uid: int) -> t.Iterator[t.Callable[[dict[str, t.Any]], None]]:
    """Have the user listen in place of the manager, and answer: member or property -> signature and body."""
    package = Path(jeepney.__file__).parent
    for file in sorted(package.glob("*.py")):
        host.write(f"{FAKE}/jeepney/{file.name}", file.read_text())
    host.write(f"{FAKE}/manager.py", STAND_IN)
    socket = f"/run/user/{uid}/systemd/private"

    def listen(answers: dict[str, t.Any]) -> None:
        host.write(f"{FAKE}/answers", repr(answers))
        mine(host, f"mv {socket} {socket}.o; mv $XDG_RUNTIME_DIR/bus $XDG_RUNTIME_DIR/bus.o")
        mine(
            host,
            f"python3 {FAKE}/manager.py {FAKE}/answers > said 2>&1 < /dev/null & "
            "for i in $(seq 600); do grep -q ready said && break; sleep 0.05; done; grep -q ready said",
        )

    yield listen
    host.run(f"pkill -u {USER} -f {FAKE}/manager.py")
    mine(host, f"rm -f {socket}; mv {socket}.o {socket}; mv $XDG_RUNTIME_DIR/bus.o $XDG_RUNTIME_DIR/bus")


class TestLinks:
    """Links to what is root's, in places that are the user's."""

    @pytest.fixture
    def linked(self, host: Host, uid: int) -> t.Iterator[None]:
        """The socket of the user's manager leads to the system's, and there is no bus."""
        mine(
            host,
            "cd $XDG_RUNTIME_DIR; mv systemd/private private.o; mv bus bus.o; "
            "ln -s /run/systemd/private systemd/private",
        )
        host.write("/etc/systemd/system/au-host.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        host.run("systemctl daemon-reload; systemctl start au-host", check=True)
        yield
        host.run("systemctl stop au-host; rm /etc/systemd/system/au-host.service; systemctl daemon-reload")
        mine(host, "cd $XDG_RUNTIME_DIR; rm systemd/private; mv private.o systemd/private; mv bus.o bus")

    @pytest.mark.parametrize("trigger", [{"wait": False}, {"on_calendar": ["daily"], "name": "au-timer"}])
    def test_no_command_is_run_by_the_systems_manager(
        self, host: Host, linked: None, trigger: dict[str, t.Any]
    ) -> None:
        done = task(host, "run", command=["sh", "-c", "id -u > /srv/au-ran"], **trigger)
        assert done["failed"], done
        assert not host.exists("/srv/au-ran")
        assert not host.exists("/run/systemd/transient/au-timer.timer")

    def test_no_unit_of_the_host_is_touched(self, host: Host, linked: None) -> None:
        before = host.run("systemctl show-environment").stdout
        assert task(host, "unit", name="au-host", state="stopped")["failed"]
        assert task(host, "manager", environment={"AU_PATH": "/home/evil"})["failed"]
        assert task(host, "resource_control", name="au-host", properties={"TasksMax": 7})["failed"]
        assert host.run("systemctl is-active au-host").stdout.strip() == "active"
        assert host.run("systemctl show-environment").stdout == before
        assert host.run("systemctl show -P TasksMax au-host").stdout.strip() != "7"

    def test_links_are_put_back_as_the_user(self, host: Host, uid: int) -> None:
        # The way back, after a start that failed, leads into a directory that was swapped meanwhile.
        swap = f"#!/bin/sh\nmv {UNITS} {UNITS}.o && ln -s /etc/systemd/system {UNITS}\nexit 1\n"
        host.write(f"{HOME}/swap", swap, 0o755, USER)
        unit = f"[Service]\nType=oneshot\nExecStart={HOME}/swap\n[Install]\nWantedBy=multi-user.target\n"
        assert not task(host, "unit_file", name="au-evil", content=unit, enabled=True)["failed"]
        link = "/etc/systemd/system/multi-user.target.wants/au-evil.service"
        try:
            done = task(host, "unit", name="au-evil", enabled=False, state="started", rollback=True)
            assert done["failed"], done
            assert host.run(f"readlink {UNITS}").stdout.strip() == "/etc/systemd/system", "the attack did not happen"
            assert host.run(f"test -L {link}").returncode == 1
        finally:
            host.run(f"rm -f {link}")
            mine(host, f"rm {UNITS}; mv {UNITS}.o {UNITS}; rm -r {UNITS}; systemctl --user daemon-reload")

    @pytest.mark.parametrize("place", [UNITS, f"{UNITS}/au-x.service.d"])
    def test_no_unit_file_is_written_elsewhere(self, host: Host, uid: int, place: str) -> None:
        mine(host, f"mkdir -p $(dirname {place}); rm -rf {place}; ln -s /etc/systemd/system {place}")
        try:
            done = task(host, "unit_file", name="au-x.service", dropin="au-x", content="[Service]\nNice=1\n")
            assert done["failed"] and "leads to /etc/systemd/system by a link, where" in done["msg"], done
            done = task(host, "timer", name="au-y", OnCalendar="daily", command="/bin/true")
            assert done["failed"] is (place == UNITS), done.get("msg")
            assert host.run("ls -d /etc/systemd/system/au-*").returncode == 2
        finally:
            mine(host, f"rm -rf {UNITS}; systemctl --user daemon-reload; systemctl --user stop au-y.timer || true")


class TestLog:
    """What tasks keep of what they do is the user's, who may write into it what he likes."""

    VICTIM = "/etc/au-victim"

    @pytest.fixture
    def log(self, host: Host, uid: int) -> t.Iterator[str]:
        """Where the next task looks for what an earlier one owes."""
        host.write(self.VICTIM, "of the host")
        made = task(host, "unit_file", name="au-log", content="[Service]\nExecStart=/bin/true\n")
        assert not made["failed"], made
        lock = host.run(f"ls /run/user/{uid}/pidone.systemd/*.lock", check=True).stdout.strip()
        path = f"{HOME}/.local/state/pidone.systemd/undo/{lock.rpartition('/')[2][:-5]}.undo"
        mine(host, f"mkdir -p $(dirname {path})")
        yield path
        mine(host, f"rm -rf $(dirname {path}) {UNITS}; systemctl --user daemon-reload")
        host.run(f"rm -f {self.VICTIM}* /etc/systemd/system/au-*")

    def forge(self, host: Host, path: str, *notes: dict[str, t.Any]) -> None:
        lines = [{"version": 1, "boot": "", "since": 0}, *({"lasting": True, **note} for note in notes)]
        host.write(path, "".join(json.dumps(line) + "\n" for line in lines), 0o600, USER)

    def test_nothing_of_the_hosts_is_undone(self, host: Host, log: str) -> None:
        saved = {"content": "eA==", "mode": 0o4755, "uid": 0, "gid": 0, "times": [0, 0], "label": None}
        digest = hashlib.sha256(b"of the host").hexdigest()
        etc = "/etc/systemd/system"
        links = {"directories": [etc], "before": {f"{etc}/au-evil.service": "/dev/null"}, "names": ["au-evil.service"]}
        forged: list[dict[str, t.Any]] = [
            {"kind": "file", "path": self.VICTIM, "before": None, "digest": digest},
            {"kind": "file", "path": self.VICTIM, "before": saved, "digest": digest},
            {"kind": "file", "path": f"{etc}/au-evil.service", "before": saved, "digest": None},
            {"kind": "attributes", "path": self.VICTIM, "before": saved},
            {"kind": "directory", "path": f"{etc}/au-evil.service.d", "there": True},
            {"kind": "link", "path": f"{etc}/au-evil.service", "target": f"{HOME}/evil.service"},
            {"kind": "links", "root": "", **links},
            {"kind": "links", "root": "/", **links},
            {"kind": "drop-ins", "files": {f"{etc}/au-evil.service.d/a.conf": saved, self.VICTIM: None}},
            {"kind": "properties", "values": {}, "volatile": {self.VICTIM: saved}},
        ]
        before = host.run(f"ls -lR {etc} {self.VICTIM}; cat {self.VICTIM}").stdout
        for note in forged:
            self.forge(host, log, note)
            done = task(host, "unit_file", name="au-log", content="[Service]\nExecStart=/bin/false\n")
            assert "Traceback" not in str(done), done
            assert "defect of the collection" not in str(done.get("msg")), done
            assert host.run(f"ls -lR {etc} {self.VICTIM}; cat {self.VICTIM}").stdout == before, note
        # What is the user's to change is changed, so the notes were heeded at all.
        mine(host, f"touch {HOME}/mine")
        empty = hashlib.sha256(b"").hexdigest()
        self.forge(host, log, {"kind": "file", "path": f"{HOME}/mine", "before": None, "digest": empty})
        done = task(host, "unit_file", name="au-log", state="absent")
        assert not done["failed"], done
        assert not host.exists(f"{HOME}/mine")

    @pytest.mark.parametrize("place", ["log", "lock"])
    @pytest.mark.parametrize("what", ["mkfifo {0}", "ln -s /etc/au-victim {0}", "mkdir {0}", "ln -s /dev/zero {0}"])
    def test_what_is_no_file_of_the_users_leads_nowhere(
        self, host: Host, uid: int, log: str, place: str, what: str
    ) -> None:
        path = log if place == "log" else f"/run/user/{uid}/pidone.systemd/{log.rpartition('/')[2][:-5]}.lock"
        mine(host, f"rm -rf {path}; {what.format(path)}")
        done = task(host, "unit_file", name="au-log", content="[Service]\nExecStart=/bin/false\n", timeout="5s")
        mine(host, f"rm -rf {path}")
        assert done["failed"], done
        assert path in done["msg"]
        assert "Traceback" not in str(done), done
        assert host.read(self.VICTIM) == "of the host"


class TestStandIn:
    """A manager of the user's that tells what it likes."""

    ROW = ("au-x.service", "x", "loaded", "active", "running", "", "/org/freedesktop/systemd1/unit/x", 0, "", "/")

    def test_no_file_of_the_hosts_is_rewritten(
        self, host: Host, uid: int, stand_in: t.Callable[[dict[str, t.Any]], None]
    ) -> None:
        text = "[Service]\nExecStart=/usr/bin/true\n"
        host.write("/etc/systemd/system/au-backup.service", text)
        host.write(f"{HOME}/backup", "#!/bin/sh\n", 0o755, USER)
        transient = f"/run/user/{uid}/systemd/transient"
        mine(host, f"rm -rf {transient}; ln -s /etc/systemd/system {transient}")
        gone = [
            (
                f"au-backup.{kind}",
                "",
                "not-found",
                "inactive",
                "dead",
                "",
                f"/org/freedesktop/systemd1/unit/{kind}",
                0,
                "",
                "/",
            )
            for kind in ("service", "timer")
        ]
        stand_in(
            {
                "Version": ["s", "252"],
                "ListUnitsByNames": ["a(ssssssouso)", [gone]],
                "StartTransientUnit": ["o", ["/org/freedesktop/systemd1/job/1"]],
                "NextElapseUSecRealtime": ["t", 1],
                "NextElapseUSecMonotonic": ["t", 1],
            }
        )
        try:
            done = task(host, "run", command=[f"{HOME}/backup", "$HOME"], name="au-backup", on_calendar=["daily"])
            assert "could not be corrected" in str(done.get("warnings")), done.get("msg")
            assert host.read("/etc/systemd/system/au-backup.service") == text
        finally:
            host.run("rm /etc/systemd/system/au-backup.service")
            mine(host, f"rm {transient}")

    @pytest.mark.parametrize("kind", ["link", "fifo"])
    def test_no_file_of_the_hosts_is_read(
        self, host: Host, uid: int, stand_in: t.Callable[[dict[str, t.Any]], None], kind: str
    ) -> None:
        make = "ln -s /etc/shadow" if kind == "link" else "mkfifo"
        mine(host, f"rm -rf evil; mkdir evil; {make} evil/memory.max")
        stand_in(
            {
                "Version": ["s", "252"],
                "UnitPath": [
                    "as",
                    [f"{HOME}/.config/systemd/user.control", f"/run/user/{uid}/systemd/user.control", UNITS],
                ],
                "ListUnitsByNames": ["a(ssssssouso)", [[self.ROW]]],
                "Names": ["as", ["au-x.service"]],
                "ControlGroup": ["s", f"/../../..{HOME}/evil"],
                "MemoryMax": ["t", 2**64 - 1],
                "MemoryMaxScale": ["u", 0],
            }
        )
        done = task(host, "resource_control", check=True, name="au-x", properties={"MemoryMax": "100M"})
        assert not done["failed"], done["msg"]
        assert done["units"][0]["properties"]["MemoryMax"]["cgroup"] is None
        assert "root:" not in json.dumps(done)


def test_a_command_in_a_scope_has_nothing_of_roots(host: Host, uid: int) -> None:
    command = ["sh", "-c", "grep -E '^(Uid|Gid|Groups)' /proc/self/status; env"]
    environment = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/of-root"}
    args = {"command": command, "unit_type": "scope", "scope": "user", "user": USER}
    done = host.ansible("pidone.systemd.run", args, environment=environment)
    assert not done["failed"], done["msg"]
    lines = done["stdout"].splitlines()
    assert lines[:3] == ["Uid:" + f"\t{uid}" * 4, "Gid:" + f"\t{uid}" * 4, f"Groups:\t{uid} "]
    assert {f"HOME={HOME}", f"USER={USER}", f"XDG_RUNTIME_DIR=/run/user/{uid}"} <= set(lines)
    assert not any(line.startswith("DBUS_") for line in lines)


def test_a_manager_that_hangs_is_not_waited_for_longer_than_the_task_may_take(host: Host, uid: int) -> None:
    """It waits for a writer of the pipe that is in the place of a unit file."""
    mine(host, f"mkdir -p {UNITS}; mkfifo {UNITS}/au-hang.timer")
    try:
        began = time.monotonic()
        told = task(host, "timer_info", name=["au-hang", "*"], timeout="3s")
        assert time.monotonic() - began < 15
        assert "the time allowed was over" in told["msg"]
        assert "raise `timeout`" in told["msg"]
    finally:
        mine(host, f"rm {UNITS}/au-hang.timer")
        host.run(
            f"systemctl kill -s KILL user@{uid}; systemctl reset-failed user@{uid}; systemctl restart user@{uid}",
            check=True,
        )


def test_what_the_user_may_not_see_is_not_told(host: Host, uid: int) -> None:
    """Whether there is a file is told by `creates` and `removes`, so they are looked at as the user."""
    host.run("install -d -m 700 /srv/au-closed; touch /srv/au-closed/there", check=True)
    for path in ("/srv/au-closed/there", "/srv/au-closed/*"):
        assert task(host, "run", command=["/bin/true"], creates=path)["changed"]
        assert not task(host, "run", command=["/bin/true"], removes=path)["changed"]
    assert not task(host, "run", command=["/bin/true"], creates="/etc/passwd")["changed"]
    host.run("rm -r /srv/au-closed", check=True)


def test_log_lines_of_others_are_not_told(host: Host, uid: int) -> None:
    """A user's manager names the invocation of a service of root's for that of its own unit."""
    host.run("systemd-run --wait --unit=au-root sh -c 'echo of-root-alone'; journalctl --sync", check=True)
    invocation = host.run("journalctl -o cat --output-fields=INVOCATION_ID -n 1 UNIT=au-root.service").stdout.split()[0]
    assert len(invocation) == 32
    told = task(host, "journal_info", invocation=invocation)
    assert told["entries"] == []


def test_whatever_is_the_users_is_touched_as_the_user(host: Host, uid: int) -> None:
    """One witness for all modules, in the process of the task itself."""
    host.write(f"{AUDIT}/sitecustomize.py", WITNESS)
    service = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=default.target\n"
    failing = "[Service]\nExecStart=/bin/false\nType=oneshot\n"
    steps: list[tuple[str, dict[str, t.Any], bool]] = [
        ("unit_file", {"name": "au-a", "content": service, "activate": True}, False),
        ("unit_file", {"name": "au-a", "content": service + "# 2\n", "backup": True, "activate": True}, False),
        ("unit_file", {"name": "au-a", "dropin": "x", "sections": {"Service": {"Nice": 1}}}, False),
        ("unit_file", {"name": "au-r", "dropin": "x", "content": "[Service]\nNice=1\n", "runtime": True}, False),
        ("unit_file", {"name": "au-bad", "content": failing, "started": True, "rollback": True}, True),
        ("unit", {"name": "au-a", "enabled": False, "state": "restarted"}, False),
        ("unit", {"name": "au-a", "masked": True, "force": True}, True),
        ("unit", {"name": "au-none*", "allow_empty": True, "enabled": True}, False),
        ("unit", {"name": "au-none", "enabled": True}, True),
        ("unit_info", {"name": ["au-a", "au-*"], "processes": True, "properties": ["all"]}, False),
        ("unit_info", {"name": ["au-a", "au-bad"], "diagnosis": True, "sockets": True, "listeners": True}, False),
        ("resource_control", {"name": "au-a", "properties": {"TasksMax": 50, "CPUWeight": 20}}, False),
        ("resource_control", {"name": "au-a", "properties": {"TasksMax": 60}, "trial": "200ms"}, False),
        ("resource_control", {"name": "au-a", "properties": {"TasksMax": ""}}, False),
        ("timer", {"name": "au-t", "OnCalendar": "daily", "command": "/bin/true", "Persistent": True}, False),
        ("timer", {"name": "au-t", "OnCalendar": "hourly", "command": "/bin/true", "Persistent": True}, False),
        ("timer_info", {"name": ["au-t"], "next": 2}, False),
        ("timer", {"name": "au-t", "state": "absent"}, False),
        ("run", {"command": ["sh", "-c", "echo $HOME"]}, False),
        ("run", {"command": ["sh", "-c", "exit 3"], "unit_type": "scope"}, True),
        ("run", {"command": ["echo", "$HOME"], "name": "au-once", "on_calendar": ["daily"]}, False),
        ("manager", {"environment": {"AU": "1"}, "reexec": True}, False),
        ("manager_info", {}, False),
        ("journal_info", {"unit": ["au-a"], "lines": 3}, False),
        ("journal_info", {"unit": ["au-a"], "invocation": "-1"}, False),
        ("unit_file", {"name": "au-a", "state": "absent", "dropin": "x"}, False),
        ("unit_file", {"name": "au-a", "state": "absent"}, False),
    ]
    plays = [
        {
            "name": f"{number} {module}",
            f"pidone.systemd.{module}": {"scope": "user", "user": USER, **args},
            "environment": {"PYTHONPATH": AUDIT},
            "ignore_errors": fails,
        }
        for number, (module, args, fails) in enumerate(steps)
    ]
    done = host.playbook([{"hosts": "all", "gather_facts": False, "remote_user": "root", "tasks": plays}]).ok()
    assert [result.status == "ignored" for result in done.results] == [fails for _m, _a, fails in steps], done.text()
    reach = (f"{HOME}/", f"/run/user/{uid}", f"/sys/fs/cgroup/user.slice/user-{uid}.slice")
    seen = [line.split(" ", 2) for line in host.read(f"{AUDIT}/log").splitlines()]
    touched = [(int(euid), event, path) for euid, event, path in seen if path.startswith(reach)]
    for each in reach:
        assert any(path.startswith(each) for _euid, _event, path in touched), f"nothing seen below {each}"
    assert [one for one in touched if one[0] != uid] == []
