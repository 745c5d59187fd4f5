# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of systemctl's verbs is about units as they are there now, or about links: each with the effect that it has on the host."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests import contract
from tests.attacks.bad_inputs_on_host import ModulesOnHost
from tests.contract import Result
from tests.lab import images
from tests.lab.fixtures import every_version, in_full
from tests.lab.host import Host

SYSTEM = "/etc/systemd/system"
VENDOR = "/usr/lib/systemd/system"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"
# Counts twenty times a second, and writes down each signal that it gets, with its value.
COUNTER = """
import ctypes, os, signal, threading, time
libc = ctypes.CDLL(None)
wanted = [signal.SIGUSR1, signal.SIGRTMIN + 4]
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
def listen():
    chosen, info = (ctypes.c_ulong * 16)(), (ctypes.c_int * 32)()
    for number in wanted:
        chosen[0] |= 1 << (number - 1)
    while True:
        got = libc.sigwaitinfo(chosen, info)
        # si_code is SI_QUEUE (-1) of what has a value, which comes after pid and uid (sigaction(2), of 64 bits).
        said = f"{got} {info[6] if info[2] == -1 else 'none'}"
        with open("/run/vb-signals", "a") as file:
            print(said, file=file)
threading.Thread(target=listen, daemon=True).start()
count = 0
while True:
    count += 1
    with open("/run/vb-count.new", "w") as file:
        print(count, file=file)
    os.rename("/run/vb-count.new", "/run/vb-count")
    time.sleep(0.05)
"""
UNITS = {
    "vb-count.service": "[Service]\nExecStart=/usr/bin/python3 /opt/vb-counter\nPrivateTmp=yes\n",
    "vb-kept.service": (
        "[Service]\nType=exec\nExecStart=/bin/sleep 100000\nStateDirectory=vb/deep\nCacheDirectory=vb\nLogsDirectory=vb\n"
        "ConfigurationDirectory=vb\n"
    ),
    "vb-shared.service": "[Service]\nExecStart=/bin/sleep 100000\n",
    "vb-fails.service": "[Service]\nExecStart=/nope/vb\n",
    "vb-slow.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep 100000\n",
}


@pytest.fixture(scope="module")
def modules(host: Host) -> t.Iterator[ModulesOnHost]:
    """The modules, on a host with the units of these tests."""
    host.write("/opt/vb-counter", COUNTER)
    for name, text in UNITS.items():
        host.write(f"{SYSTEM}/{name}", text)
    host.run("systemctl daemon-reload", check=True)
    with ModulesOnHost(host) as found:
        yield found
    host.run(
        f"systemctl thaw 'vb-*'; systemctl stop 'vb-*'; systemctl revert 'vb-*'; rm -rf {SYSTEM}/vb-* {SYSTEM}/*.wants/vb-* "
        f"{SYSTEM}/*.requires/vb-* {VENDOR}/vb-* /opt/vb* /run/vb-* /srv/vb-*; systemctl daemon-reload; systemctl reset-failed"
    )


class Tasks:
    """Tasks on the host, each also as a plan before."""

    def __init__(self, host: Host, modules: ModulesOnHost) -> None:
        self.host, self.modules = host, modules

    def _run(self, module: str, args: dict[str, t.Any], check: bool) -> Result:
        # A virtual machine takes its time.
        answer = self.modules(module, args, check, seconds=120, watch=False)
        assert answer["result"] is not None, answer["output"]
        result: Result = answer["result"]
        return result

    def picture(self) -> str:
        # What a process of the counter sees of mounts, which is its service's own.
        mounts = "read pid </sys/fs/cgroup/system.slice/vb-count.service/cgroup.procs; grep -h vb- /proc/1/mountinfo /proc/$pid/mountinfo"
        more = (
            f"find /var/lib/vb /var/cache/vb /var/log/vb /etc/vb /srv/vb* | sort; cat /run/vb-signals; ls -l {SYSTEM}/*.wants {SYSTEM}/*.requires; {mounts}"
        )
        return contract.picture(self.host, "vb-* systemd-logind.service", more=more, properties="UnitFileState,FreezerState")

    def __call__(self, module: str, steady: bool = True, **args: t.Any) -> Result:
        """Plan, do, and do again."""
        return contract.converge(lambda check: self._run(module, args, check), self.picture, steady=steady)

    def refused(self, module: str, *words: str, checks: t.Sequence[bool] = (True, False), **args: t.Any) -> Result:
        """It fails in both modes, and changes nothing."""
        return contract.refused(lambda check: self._run(module, args, check), self.picture, *words, checks=checks)

    def once(self, module: str, check: bool = False, **args: t.Any) -> Result:
        return self._run(module, args, check)

    def show(self, unit: str, name: str) -> str:
        return contract.show(self.host, unit, name)[name]


@pytest.fixture
def tasks(host: Host, modules: ModulesOnHost) -> Tasks:
    return Tasks(host, modules)


def counts_on(host: Host, looks: int = 600) -> bool:
    """Whether the counter, which counts twenty times a second, goes on, as seen within so many looks.

    One that does takes as long as a busy machine makes it; of one that does not, ten looks are half a second in which nothing happened.
    """
    script = f"was=$(cat /run/vb-count); for i in $(seq {looks}); do sleep 0.05; test $(cat /run/vb-count) != $was && exit 0; done; exit 1"
    return host.run(script).returncode == 0


@every_version
def test_frozen_and_thawed(host: Host, tasks: Tasks) -> None:
    host.run("systemctl start vb-count; for i in $(seq 600); do test -e /run/vb-count && break; sleep 0.05; done", check=True)
    before = contract.invocation(host, "vb-count.service")
    done = tasks("unit", name="vb-count", state="frozen")
    assert done["steps"] == ["freeze vb-count.service"] and done["units"][0]["after"] == "active (running), frozen"
    assert host.run("cat /sys/fs/cgroup/system.slice/vb-count.service/cgroup.freeze", check=True).stdout.strip() == "1"
    assert not counts_on(host, looks=10)
    assert tasks("unit", name="vb-count", state="thawed")["steps"] == ["thaw vb-count.service"]
    assert counts_on(host) and contract.invocation(host, "vb-count.service") == before


def test_what_cannot_be_frozen(host: Host, tasks: Tasks) -> None:
    tasks.refused("unit", "vb-kept.service is inactive and cannot be frozen", checks=[False], name="vb-kept", state="frozen")
    tasks.refused("unit", "this very task runs in user.slice", name="user.slice", state="frozen")
    tasks.refused("unit", "cannot freeze on this host", name="-.slice", state="frozen")
    assert not tasks("unit", name="vb-none", state="thawed")["changed"]


@every_version
def test_signal(host: Host, tasks: Tasks) -> None:
    host.run("systemctl start vb-count; rm -f /run/vb-signals", check=True)
    pid = int(tasks.show("vb-count", "MainPID"))
    done = tasks("unit_action", name="vb-count", signal="SIGUSR1", kill_whom="main", steady=False)
    assert done["changed"] and done["units"][0]["pids"] == [pid]
    _await_lines(host, 1)
    value: dict[str, t.Any] = {"name": "vb-count", "signal": "RTMIN+4", "kill_value": -7}
    if int(host.run("systemctl --version | sed -n '1s/systemd \\([0-9]*\\).*/\\1/p'", check=True).stdout) < 254:
        tasks.refused("unit_action", "kill_value: came with systemd 254", "without a value", **value)
        assert host.run("cat /run/vb-signals", check=True).stdout.splitlines() == ["10 none"]
    else:
        done = tasks("unit_action", steady=False, **value)
        assert done["steps"] == ["send SIGRTMIN+4 with -7 to vb-count.service"]
        _await_lines(host, 2)
        assert host.run("cat /run/vb-signals", check=True).stdout.splitlines() == ["10 none", "38 -7"]


def test_signals_that_nobody_gets(host: Host, tasks: Tasks) -> None:
    """There is no change, and it is told; or the task itself would get it, or no number with it."""
    host.run("systemctl start vb-count", check=True)
    tasks.refused("unit_action", "kill_value: ", "SIGTERM", name="vb-count", signal="TERM", kill_value=1)
    for args in ({"name": "vb-count", "kill_whom": "control"}, {"name": ["vb-kept"]}, {"name": "multi-user.target"}):
        done = tasks("unit_action", signal="SIGHUP", **args)
        assert not done["changed"] and "that SIGHUP could be sent to" in str(done["warnings"])
    tasks.refused("unit_action", "this very task runs in user.slice", name="user.slice", signal="WINCH")


def _await_lines(host: Host, number: int) -> None:
    host.run(f"for i in $(seq 600); do test $(wc -l </run/vb-signals) -ge {number} && exit; sleep 0.05; done; exit 1", check=True)


def test_clean(host: Host, tasks: Tasks) -> None:
    host.run("systemctl start vb-kept; touch /var/lib/vb/deep/a /var/cache/vb/b /etc/vb/c", check=True)
    tasks.refused("unit_action", "clean: vb-kept.service is active", checks=[False], name="vb-kept", clean=["state"])
    assert "vb-kept.service is down" in str(tasks.once("unit_action", check=True, name="vb-kept", clean=["state"])["warnings"])
    host.run("systemctl stop vb-kept", check=True)
    done = tasks("unit_action", name="vb-kept", clean=["state", "logs"])
    assert done["units"][0]["cleaned"] == {"state": ["/var/lib/vb/deep"]}
    assert host.run("ls -d /var/lib/vb/deep").returncode and not host.run("ls /var/cache/vb/b /etc/vb/c").returncode
    done = tasks("unit_action", name="vb-kept", clean=["all"])
    assert done["steps"] == ["clean cache, configuration of vb-kept.service"]
    assert host.run("ls -d /etc/vb").returncode and host.run("ls -d /var/cache/vb").returncode


# Has systemd hold a file for it, also while it is down, as long as it stays in memory: something has to want it.
HOLDS = f"""
{INSTALL}[Service]
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'exec 3</etc/hostname; systemd-notify --ready --fd=3 --fdname=vb; exec sleep 100000'
FileDescriptorStoreMax=1
FileDescriptorStorePreserve=yes
"""


@pytest.mark.lab_kinds("trixie")
def test_clean_of_what_systemd_holds(host: Host, tasks: Tasks) -> None:
    host.write(f"{SYSTEM}/vb-holds.service", HOLDS)
    host.run("systemctl daemon-reload; systemctl enable -q --now vb-holds; systemctl stop vb-holds", check=True)
    assert (tasks.show("vb-holds", "NFileDescriptorStore"), tasks.show("vb-holds", "SubState")) == ("1", "dead-resources-pinned")
    assert not tasks("unit_action", name="vb-holds", clean=["state"])["changed"]
    done = tasks("unit_action", name="vb-holds", clean=["fdstore"])
    assert done["steps"] == ["clean fdstore of vb-holds.service"]
    assert done["units"][0]["cleaned"] == {"fdstore": ["1 file descriptors"]}
    assert (tasks.show("vb-holds", "NFileDescriptorStore"), tasks.show("vb-holds", "SubState")) == ("0", "dead")


@in_full
@pytest.mark.lab_kinds("vm")
def test_mount_image(host: Host, tasks: Tasks, tmp_path: Path) -> None:
    """Where there are loop devices. It is in the service, of the image, and nowhere else."""
    images.prerequisites({"mke2fs": "e2fsprogs"})
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(f"{name}\n")
        made = tmp_path / f"{name}.raw"
        words = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(tmp_path / name), str(made), "1M"]
        subprocess.run(words, check=True, env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"})
        host.write(f"/srv/vb-{name}.raw", made.read_bytes())
    host.run("systemctl start vb-count", check=True)
    image: dict[str, t.Any] = {"source": "/srv/vb-a.raw", "destination": "/mnt/vb-image", "mkdir": True}
    done = tasks("unit_action", name="vb-count", mount_image=[image])
    assert done["steps"] == ["mount the image /srv/vb-a.raw to /mnt/vb-image of vb-count.service"]
    inside = f"/proc/{tasks.show('vb-count', 'MainPID')}/root/mnt/vb-image"
    assert host.run(f"cat {inside}/a; touch {inside}/new", check=True).stdout == "a\n"
    assert host.run("ls -A /mnt/vb-image").stdout == ""
    # Another one, and otherwise.
    assert tasks("unit_action", name="vb-count", mount_image=[{**image, "source": "/srv/vb-b.raw", "read_only": True}])["changed"]
    assert host.run(f"cat {inside}/b", check=True).stdout == "b\n"
    assert host.run(f"touch {inside}/new").returncode
    failed = tasks.once("unit_action", name="vb-count", mount_image=[{**image, "source": "/opt/vb-counter"}])
    assert failed["failed"] and "mount the image /opt/vb-counter" in failed["msg"] and "the log of the unit tells more" in failed["msg"]


@pytest.mark.lab_kinds("bookworm", "trixie")
def test_bind(host: Host, tasks: Tasks) -> None:
    host.run(
        "mkdir -p /srv/vb-a /srv/vb-b /mnt/vb-real; touch /srv/vb-a/a /srv/vb-b/b; ln -s vb-real /mnt/vb-deep; "
        "systemctl start vb-count vb-shared",
        check=True,
    )
    bind = {"source": "/srv/vb-a", "destination": "/mnt/vb-deep/x", "mkdir": True}
    root = f"/proc/{tasks.show('vb-count', 'MainPID')}/root"
    done = tasks("unit_action", name="vb-count", bind=[bind])
    assert done["steps"] == ["bind /srv/vb-a to /mnt/vb-deep/x of vb-count.service"]
    assert host.run(f"ls {root}/mnt/vb-deep/x", check=True).stdout.split() == ["a"]
    assert host.run("ls -A /mnt/vb-deep/x").stdout == ""
    done = tasks("unit_action", name="vb-count", bind=[{**bind, "read_only": True}])
    assert done["changed"] and host.run(f"touch {root}/mnt/vb-deep/x/new").returncode
    tasks("unit_action", name="vb-count", bind=[{**bind, "source": "/srv/vb-b"}])
    assert host.run(f"ls {root}/mnt/vb-deep/x", check=True).stdout.split() == ["b"]
    tasks.refused("unit_action", "bind[0]: vb-shared.service runs in no mount namespace", name="vb-shared", bind=[bind])
    tasks.refused("unit_action", "no /srv/vb-c on this host", checks=[False], name="vb-count", bind=[{"source": "/srv/vb-c"}])
    # Where there is no such path, systemd says so, and the error how to make it.
    failed = tasks.once("unit_action", name="vb-count", bind=[{"source": "/srv/vb-a", "destination": "/mnt/vb-no"}])
    assert failed["failed"] and "`mkdir: true` in bind[0]" in failed["msg"]


def test_log_of_a_service(host: Host, tasks: Tasks) -> None:
    log = "busctl get-property org.freedesktop.login1 /org/freedesktop/LogControl1 org.freedesktop.LogControl1 LogLevel"
    host.run("systemctl start vb-count", check=True)
    done = tasks("unit_action", name="systemd-logind", log_level="debug", log_target="journal")
    assert done["steps"][0] == "set LogLevel of systemd-logind.service to debug"
    assert host.run(log, check=True).stdout.strip() == 's "debug"'
    tasks.refused("unit_action", "log_level: vb-count.service has no BusName=", name="vb-count", log_level="info")
    tasks.refused("unit_action", "log_level: dbus.socket is no service", name="dbus.socket", log_level="info")
    tasks("unit_action", name="systemd-logind", log_level="info", log_target="auto")
    assert host.run(log, check=True).stdout.strip() == 's "info"'


# A service of a user's that can be told how to log, but not to do so to the console.
LOGS = """
import sys
sys.path.insert(0, "/opt/pidone-modules")
from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection
connection = open_dbus_connection("SESSION")
connection.send_and_get_reply(message_bus.RequestName("org.example.Vb"))
values = {"LogLevel": "info", "LogTarget": "journal"}
while True:
    message = connection.receive()
    if message.header.message_type is MessageType.method_call:
        if message.header.fields[HeaderFields.member] == "Get":
            connection.send(new_method_return(message, "v", (("s", values[message.body[1]]),)))
        elif message.body[2][1] == "console":
            connection.send(new_error(message, "org.example.Vb.No", "s", ("there is none",)))
        else:
            values[message.body[1]] = message.body[2][1]
            connection.send(new_method_return(message))
"""


def test_log_of_a_service_of_a_user(host: Host, tasks: Tasks) -> None:
    as_user = "runuser -u deploy -- env XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus"
    log = f"{as_user} busctl --user get-property org.example.Vb /org/freedesktop/LogControl1 org.freedesktop.LogControl1 LogLevel"
    own: dict[str, t.Any] = {"scope": "user", "user": "deploy", "name": "vb-logs"}
    host.write("/opt/vb-logs", LOGS)
    host.write("/home/deploy/.config/systemd/user/vb-logs.service", "[Service]\nType=dbus\nBusName=org.example.Vb\nExecStart=python3 /opt/vb-logs\n")
    try:
        host.run(
            "chown -R deploy: /home/deploy/.config; loginctl enable-linger deploy; "
            "for i in $(seq 600); do test -S /run/user/1000/systemd/private -a -S /run/user/1000/bus && break; sleep 0.1; done; "
            f"{as_user} systemctl --user daemon-reload; {as_user} systemctl --user start vb-logs",
            check=True,
        )
        done = tasks("unit_action", log_level="debug", **own)
        assert done["steps"] == ["set LogLevel of vb-logs.service to debug"]
        assert host.run(log, check=True).stdout.strip() == 's "debug"'
        failed = tasks.once("unit_action", log_level="err", log_target="console", rollback=True, **own)
        assert failed["failed"] and "there is none" in failed["msg"]
        assert failed["rolled_back"] == [f"{name} of vb-logs.service as it was" for name in ("LogTarget", "LogLevel")]
        assert host.run(log, check=True).stdout.strip() == 's "debug"'
    finally:
        host.run("loginctl disable-linger deploy; systemctl stop user@1000; rm -rf /home/deploy/.config/systemd")


def test_pulled_in_by_others(host: Host, tasks: Tasks) -> None:
    links: dict[str, t.Any] = {"name": "vb-shared", "add_wants": ["multi-user"], "add_requires": ["rescue.target"]}
    done = tasks("unit", **links)
    assert done["steps"] == [
        "add-wants multi-user.target vb-shared.service", "add-requires rescue.target vb-shared.service", "daemon-reload"
    ]  # fmt: skip
    assert "vb-shared.service" in host.run("systemctl show -p Wants multi-user.target", check=True).stdout
    assert "vb-shared.service" in host.run("systemctl show -p Requires rescue.target", check=True).stdout
    tasks.refused("unit", "add_wants: there is no unit vb-none.target", checks=[False], name="vb-shared", add_wants=["vb-none"])
    tasks.refused("unit", "add_wants[0]: ", name="vb-shared", add_wants=["a/b"])
    tasks("unit", name="vb-shared", enabled=False)
    assert "vb-shared" not in host.run(f"ls {SYSTEM}/multi-user.target.wants {SYSTEM}/rescue.target.requires").stdout
    # A failure after it takes the links back.
    failed = tasks.once("unit", name=["vb-shared", "vb-fails"], add_wants=["multi-user"], state="started", rollback=True)
    assert failed["failed"] and "no longer pulled in by multi-user.target" in str(failed["rolled_back"])
    assert "vb-shared" not in host.run(f"ls {SYSTEM}/multi-user.target.wants").stdout
    # In a tree, the tree's own units are linked.
    host.run(f"mkdir -p /srv/vb-tree{VENDOR}; cp /lib/systemd/system/multi-user.target {SYSTEM}/vb-shared.service /srv/vb-tree{VENDOR}", check=True)
    tasks("unit", name="vb-shared", add_wants=["multi-user"], root="/srv/vb-tree")
    assert host.run(f"readlink /srv/vb-tree{SYSTEM}/multi-user.target.wants/vb-shared.service", check=True).stdout.strip().endswith("/vb-shared.service")


def test_jobs_canceled(host: Host, tasks: Tasks) -> None:
    host.run("systemctl start --no-block vb-slow; for i in $(seq 600); do systemctl list-jobs | grep -q vb-slow && break; sleep 0.05; done")
    # Patterns, and the number that the module that started it returned.
    assert not tasks("manager", cancel_jobs=["vb-none.service", "vb-n*", "999999"])["changed"]
    done = tasks("manager", cancel_jobs=["vb-sl*"])
    assert done["steps"] == ["cancel the job of vb-slow.service"]
    assert "vb-slow" not in host.run("systemctl list-jobs", check=True).stdout
    host.run("systemctl stop vb-slow", check=True)
    started = tasks.once("unit", name="vb-slow", state="started", wait=False)
    number = started["units"][0]["job"]["id"]
    assert tasks("manager", cancel_jobs=[str(number)])["changed"]
    assert "vb-slow" not in host.run("systemctl list-jobs; systemctl stop vb-slow", check=True).stdout


# A tree with all unit files of the host, and of what enables them only what is there; presets and units of our own besides.
TREES = """
for tree in a b; do
    at=/srv/vb-$tree; mkdir -p $at/usr/lib/systemd $at/etc/systemd/system-preset; ln -s usr/lib $at/lib
    cp -a /lib/systemd/system /lib/systemd/system-preset $at/usr/lib/systemd/; cp -a /etc/systemd/system $at/etc/systemd/
    printf 'enable vb-t@.service one two\\ndisable vb-off*\\n' >$at/etc/systemd/system-preset/00-vb.preset
    cd $at/etc/systemd/system
    printf "[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n" >vb-on.service
    for name in t@ off off@; do cp vb-on.service vb-$name.service; done
    mkdir -p multi-user.target.wants; ln -s ../vb-off.service ../vb-off@.service multi-user.target.wants/
    ln -s ../vb-off@.service multi-user.target.wants/vb-off@x.service
done
"""


def test_all_as_presets_say(host: Host, tasks: Tasks) -> None:
    host.run(TREES, check=True)
    # What systemctl itself makes of the other tree.
    host.run("systemctl --root=/srv/vb-b preset-all")
    done = tasks("manager", preset_all="full", root="/srv/vb-a")
    assert {"vb-on.service", "vb-t@two.service", "vb-off.service", "vb-off@.service"} <= {
        line[3:] for line in done["diff"][-1]["prepared"].splitlines() if line.startswith("@@ ")
    }
    links = "cd /srv/vb-{}/etc/systemd/system; find . -type l | sort"
    ours, theirs = (set(host.run(links.format(tree), check=True).stdout.split()) for tree in "ab")
    # systemctl makes a link also where the package has one of the same name; for systemd that is the same.
    doubled = host.run("cd /lib/systemd/system; find . -type l", check=True).stdout.split()
    assert ours ^ theirs <= set(doubled) and ours <= theirs, (ours - theirs, theirs - ours - set(doubled))
    tasks.refused("manager", "cancel_jobs: nothing runs", root="/srv/vb-a", cancel_jobs=["*"])


def sleeps(seconds: int, more: str = "") -> str:
    """A unit file whose process tells it from others."""
    return f"[Service]\nExecStart=/bin/sleep {100000 + seconds}\n{more}{INSTALL}"


@every_version
def test_linked(host: Host, tasks: Tasks) -> None:
    """Another release restarts it. The versions differ in what they say a unit's file is, and in when it has changed."""
    for release in (1, 2):
        host.write(f"/opt/vb-{release}/vb-link.service", sleeps(release))
    link: dict[str, t.Any] = {"name": "vb-link", "state": "linked", "activate": True, "settle": "50ms"}
    done = tasks("unit_file", src="/opt/vb-1/vb-link.service", **link)
    assert done["steps"][0] == f"link {SYSTEM}/vb-link.service to /opt/vb-1/vb-link.service"
    assert host.run(f"readlink {SYSTEM}/vb-link.service", check=True).stdout.strip() == "/opt/vb-1/vb-link.service"
    assert "100001" in tasks.show("vb-link", "ExecStart") and tasks.show("vb-link", "ActiveState") == "active"
    done = tasks("unit_file", src="/opt/vb-2/vb-link.service", **link)
    assert "restart vb-link.service" in str(done["steps"]) and "100002" in tasks.show("vb-link", "ExecStart")
    assert tasks.once("unit_file", name="vb-link", state="absent")["changed"]
    assert not host.run("ls /opt/vb-2/vb-link.service").returncode and tasks.show("vb-link", "LoadState") == "not-found"


def test_linked_to_what_does_not_do(host: Host, tasks: Tasks) -> None:
    """A release that does not come up is taken back; what is no file for a link is refused."""
    host.write("/opt/vb-1/vb-bad.service", sleeps(1))
    host.write("/opt/vb-4/vb-bad.service", sleeps(4).replace("/bin/sleep", "/nope/sleep"))
    link: dict[str, t.Any] = {"name": "vb-bad", "state": "linked"}
    tasks.refused("unit_file", "src: there is no /opt/vb-3/vb-bad.service", checks=[False], src="/opt/vb-3/vb-bad.service", **link)
    tasks.refused("unit_file", "src: '/opt/vb-1/other.service' is no file named vb-bad.service", src="/opt/vb-1/other.service", **link)
    assert tasks.once("unit_file", src="/opt/vb-1/vb-bad.service", activate=True, **link)["changed"]
    tasks.refused("unit_file", "enabled: systemd removes the link", src="/opt/vb-1/vb-bad.service", enabled=False, **link)
    failed = tasks.once("unit_file", src="/opt/vb-4/vb-bad.service", verify="nothing", rollback=True, activate=True, settle="9s", **link)
    assert failed["failed"] and f"{SYSTEM}/vb-bad.service as it was" in failed["rolled_back"]
    assert "100001" in tasks.show("vb-bad", "ExecStart") and tasks.show("vb-bad", "ActiveState") == "active"
    assert tasks("unit_file", name="vb-bad", state="absent")["changed"]


def test_linked_with_what_it_is_restarted_for(host: Host, tasks: Tasks) -> None:
    """A change of what the file is linked to, of the file there, or of another one that it reads."""
    for release in (1, 2):
        host.write(f"/opt/vb-{release}/vb-both.service", sleeps(release))
    host.write("/opt/vb-conf", "1")
    link: dict[str, t.Any] = {"name": "vb-both", "state": "linked", "started": True, "settle": "50ms", "restart_on": ["/opt/vb-conf"]}

    def restarted(runs: int, done: Result, *why: str) -> None:
        assert done["units"][0].get("why") == list(why), done
        assert str(100000 + runs) in tasks.show("vb-both", "ExecStart")
        assert tasks.show("vb-both", "MainPID") not in pids
        pids.append(tasks.show("vb-both", "MainPID"))

    tasks.once("unit_file", src="/opt/vb-1/vb-both.service", **link)
    pids = [tasks.show("vb-both", "MainPID")]
    host.write("/opt/vb-conf", "2")
    restarted(1, tasks("unit_file", src="/opt/vb-1/vb-both.service", **link), "/opt/vb-conf")
    restarted(2, tasks.once("unit_file", src="/opt/vb-2/vb-both.service", **link), f"{SYSTEM}/vb-both.service")
    host.write("/opt/vb-2/vb-both.service", sleeps(3))
    restarted(3, tasks.once("unit_file", src="/opt/vb-2/vb-both.service", **link), f"{SYSTEM}/vb-both.service")
    # Somebody else has made it a link to an older file, and told systemd nothing; or has, and did not restart the unit.
    host.write("/opt/vb-conf", "3")
    host.run(f"ln -sfn /opt/vb-1/vb-both.service {SYSTEM}/vb-both.service", check=True)
    restarted(1, tasks("unit_file", src="/opt/vb-1/vb-both.service", **link), "/opt/vb-conf", f"{SYSTEM}/vb-both.service")
    host.run(
        f"touch -d '1 hour ago' /opt/vb-2/vb-both.service; ln -sfn /opt/vb-2/vb-both.service {SYSTEM}/vb-both.service; systemctl daemon-reload",
        check=True,
    )
    restarted(3, tasks.once("unit_file", src="/opt/vb-2/vb-both.service", **link), f"{SYSTEM}/vb-both.service")
    assert tasks("unit_file", name="vb-both", state="absent")["changed"]
    assert not host.run("ls /opt/vb-2/vb-both.service").returncode


def test_reverted(host: Host, tasks: Tasks) -> None:
    vendor = host.run("readlink -f /lib/systemd/system", check=True).stdout.strip()
    host.run(
        f"cd {vendor}; printf '{sleeps(1)}' >vb-rev.service; cp vb-rev.service {SYSTEM}/vb-rev.service; "
        "sed -i s/100001/100002/ /etc/systemd/system/vb-rev.service; systemctl daemon-reload; systemctl enable --now vb-rev; "
        "systemctl set-property vb-rev.service CPUWeight=50; systemctl set-property --runtime vb-rev.service TasksMax=60; "
        f"mkdir -p {SYSTEM}/vb-rev.service.d; echo '[Unit]' >{SYSTEM}/vb-rev.service.d/a.conf; "
        f"ln -s /dev/null {SYSTEM}/vb-rev.service.d/b.conf; systemctl daemon-reload".replace("\n", "\\n"),
        check=True,
    )
    done = tasks("unit_file", name="vb-rev", state="reverted", on_change="restart", settle="50ms")
    assert f"remove {SYSTEM}/vb-rev.service" in done["steps"] and f"unlink {SYSTEM}/vb-rev.service.d/b.conf" in done["steps"]
    assert "100001" in tasks.show("vb-rev", "ExecStart") and tasks.show("vb-rev", "ActiveState") == "active"
    assert tasks.show("vb-rev", "DropInPaths") == "" and tasks.show("vb-rev", "UnitFileState") == "enabled"
    # systemctl itself finds nothing more to remove.
    assert host.run("systemctl revert vb-rev", check=True).stderr == ""
    # Masked by somebody, it is not any more.
    host.run("systemctl mask vb-rev", check=True)
    assert tasks("unit_file", name="vb-rev", state="reverted")["steps"] == [f"unlink {SYSTEM}/vb-rev.service", "daemon-reload"]
    # A unit that no package has keeps its file.
    host.run(f"mkdir {SYSTEM}/vb-shared.service.d; echo '[Unit]' >{SYSTEM}/vb-shared.service.d/a.conf; systemctl daemon-reload", check=True)
    assert tasks("unit_file", name="vb-shared", state="reverted")["steps"] == [f"remove {SYSTEM}/vb-shared.service.d/a.conf", "daemon-reload"]
    assert not host.run(f"ls {SYSTEM}/vb-shared.service").returncode
    host.run(f"systemctl disable --now vb-rev; rm {vendor}/vb-rev.service; systemctl daemon-reload", check=True)
    tasks.refused("unit_file", "started: does not go with `state: reverted`", name="vb-rev", state="reverted", started=True)
