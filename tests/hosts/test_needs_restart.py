# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules `needs_restart` and `needs_restart_info` on real hosts: files are replaced under what runs them."""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.fixtures import every_version
from tests.lab.host import Host

USER, UID = "deploy", 1000
AS_USER = f"runuser -u {USER} -- env XDG_RUNTIME_DIR=/run/user/{UID}"
SYSTEM, DAEMON = "/etc/systemd/system", "/usr/local/bin/nr-daemon"
# As dpkg does it: a copy is renamed over what is there.
REPLACE = "cp -a {0} {0}.dpkg-new; mv {0}.dpkg-new {0}"
# What systemd and its daemons have mapped, whatever the version.
LIBRARY = "library=$(find /usr/lib /lib/ -name 'libsystemd-shared-*.so' | head -n 1); test -n \"$library\""
RUNS = f"[Service]\nExecStart={DAEMON} infinity\n"
UNITS = {
    "nr-a.service": RUNS,
    "nr-b.service": f"[Unit]\nAfter=nr-a.service\n{RUNS}",
    # What is not to be restarted, each for a reason of its own.
    "nr-new.service": RUNS,
    "nr-refuses.service": f"[Unit]\nRefuseManualStop=yes\n{RUNS}",
    "nr-job.service": RUNS,
    "nr-job.timer": "[Timer]\nOnCalendar=*-12-24 03:00\n",
    "nr-once.service": f"{RUNS}Type=oneshot\n",
    "nr-stays.service": "[Service]\nType=forking\nKillMode=process\nPIDFile=/run/nr-stays.pid\n"
    f"ExecStart=/bin/sh -c '{DAEMON} infinity & /bin/sleep infinity & echo $! >/run/nr-stays.pid'\n",
    "nr-whole.service": RUNS,
    "getty@nr.service": f"{RUNS}[Unit]\nRequires=nr-whole.service\nAfter=nr-whole.service\n",
}
LEFT = {
    "nr-refuses.service": "reboot",
    "nr-job.service": "wait",
    "nr-once.service": "wait",
    "nr-run.service": "wait",
    "nr-stays.service": "wait",
    "nr-whole.service": "manual",
    "getty@nr.service": "login",
}
# A user does what he can to be taken for somebody else.
HOSTILE = r"""
import ctypes, mmap, os, time
own = open("/proc/self/cgroup").read().rpartition(":")[2].strip()
inner = f"/sys/fs/cgroup{own}/system.slice/nr-new.service"
os.makedirs(inner)
with open(f"{inner}/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
name = os.path.expanduser("~/nr\x1b[31m\nnr-new.service (deleted)")
with open(name, "wb") as file:
    file.write(bytes(4096))
with open(name, "rb") as file:
    held = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE)
os.unlink(name)
ctypes.CDLL(None).prctl(15, b"nr\x1b[2J\nsshd", 0, 0, 0)
open(os.path.expanduser("~/nr-ready"), "w").close()
time.sleep(1000)
"""


@pytest.fixture(scope="module")
def services(host: Host) -> t.Iterator[None]:
    """Services of the system and of a user, which run what can be replaced under them."""
    for name, text in UNITS.items():
        host.write(f"{SYSTEM}/{name}", text)
    host.write(f"/home/{USER}/.config/systemd/user/nr-mine.service", RUNS)
    host.write(f"/home/{USER}/nr-hostile.py", HOSTILE)
    host.run(
        f"cp /bin/sleep {DAEMON}; loginctl enable-linger {USER}; chown -R {USER}: /home/{USER}; "
        f"for i in $(seq 600); do test -S /run/user/{UID}/systemd/private && break; sleep 0.1; done; "
        f"systemctl daemon-reload; {AS_USER} systemctl --user daemon-reload",
        check=True,
    )
    yield
    host.run(
        f"systemctl stop 'nr-*' 'machine-nr*' getty@nr; pkill -x nr-daemon; {AS_USER} systemctl --user stop 'nr-*'; "
        f"loginctl disable-linger {USER}; systemctl stop user@{UID}; rm -rf {SYSTEM}/nr-* {SYSTEM}/getty@nr.service {DAEMON} "
        f"/home/{USER}/.config/systemd /home/{USER}/nr-*; systemctl daemon-reload; systemctl reset-failed"
    )


@pytest.fixture
def upgraded(host: Host, services: None) -> Host:
    """A host whose services run a file that was replaced, and systemd a library."""
    names = " ".join(name for name in UNITS if name not in ("nr-new.service", "nr-once.service", "nr-refuses.service"))
    host.run(
        # What a stop leaves of it.
        "set -e; systemctl kill --signal=KILL nr-stays 2>/dev/null || true; "
        f"systemctl restart {names}; systemctl start --no-block nr-once nr-refuses; {AS_USER} systemctl --user restart nr-mine; "
        f"{AS_USER} systemctl --user stop nr-hostile 2>/dev/null || true; rm -f /home/{USER}/nr-ready; "
        f"systemctl stop nr-new nr-run nr-scope.scope machine-nr.scope 2>/dev/null || true; systemd-run -q --unit nr-run {DAEMON} infinity; "
        f"for each in --unit=nr-scope '--slice=machine.slice --unit=machine-nr'; do systemd-run -q --scope $each {DAEMON} infinity "
        ">/dev/null 2>&1 </dev/null & done; "
        "for i in $(seq 600); do test $(pgrep -xc nr-daemon) = 12 && break; sleep 0.05; done; "
        f"{REPLACE.format(DAEMON)}; systemctl start nr-new; {LIBRARY}; {REPLACE.format('$library')}; {REPLACE.format('/usr/sbin/sshd')}",
        check=True,
    )
    return host


def task(host: Host, module: str = "needs_restart", check: bool = False, **args: t.Any) -> dict[str, t.Any]:
    result = host.ansible(f"pidone.systemd.{module}", args, check=check, diff=True)
    assert not result["failed"], result["msg"]
    return result


def names(entries: list[dict[str, t.Any]]) -> list[str]:
    return [each["name"] for each in entries]


def pids(host: Host) -> dict[str, str]:
    """The main processes of the services."""
    services = [name for name in UNITS if name.endswith(".service")]
    services += ["nr-run.service", "systemd-logind.service", "ssh.service", f"user@{UID}.service"]
    told = host.run(f"systemctl show -p MainPID --value {' '.join(services)}", check=True).stdout
    return dict(zip(services, told.split()))


@every_version
def test_what_runs_replaced_files_is_restarted(upgraded: Host) -> None:
    host = upgraded
    seen = task(host, "needs_restart_info")
    assert not seen["changed"]
    units = {each["name"]: each for each in seen["units"]}
    remedies = {name: each["remedy"] for name, each in units.items()}
    assert remedies.items() >= {**LEFT, "nr-a.service": "restart", "ssh.service": "restart", "systemd-logind.service": "reboot"}.items()
    assert "nr-new.service" not in remedies
    a = units["nr-a.service"]
    before = pids(host)
    assert a["files"] == [{"path": DAEMON, "package": None}]
    assert a["processes"] == [{"pid": int(before["nr-a.service"]), "uid": 0, "comm": "nr-daemon"}]
    # Each with the library, and its package.
    assert {"init.scope", f"user@{UID}.service"} <= set(names(seen["managers"]))
    owner = host.run(f"{LIBRARY}; dpkg-query --search $library ${{library#/usr}} 2>/dev/null", check=False).stdout.partition(":")[0]
    assert {each["package"] for each in seen["managers"][0]["files"]} == {owner}
    assert names(seen["user_units"]) == ["nr-mine.service"]
    assert "nr-scope.scope" in names(seen["others"])
    # Containers are the matter of others.
    assert seen["in_containers"] == 1
    assert seen["needed"]
    assert seen["reboot"]
    assert any(reason.startswith("nr-refuses.service: ") for reason in seen["reboot_reasons"])
    assert seen["kernel"] is None

    planned = task(host, check=True)
    assert pids(host) == before
    done = task(host)
    for each in ("changed", "steps", "diff"):
        assert done[each] == planned[each], each
    assert done["changed"]
    assert done["steps"][0] == "daemon-reexec"
    assert done["steps"][-1].startswith("daemon-reexec of ")
    assert f"@@ nr-a.service\n-runs replaced {DAEMON}\n+restarted\n" in done["diff"][0]["prepared"]
    after = pids(host)
    # Not a manager's process becomes another, which is what re-executing is. This task has come over ssh.
    assert {name for name, pid in after.items() if before[name] != pid} == {"nr-a.service", "nr-b.service", "ssh.service"}
    assert {"nr-a.service", "nr-b.service", "systemd-journald.service"} <= set(names(done["units"]))
    assert all(each["job"]["result"] == "done" for each in done["units"])
    assert set(names(done["managers"])) >= {"init.scope", f"user@{UID}.service"}
    assert names(planned["left"]) == names(done["left"])
    assert {each["name"]: each["remedy"] for each in done["left"]}.items() >= LEFT.items()

    again = task(host)
    assert not again["changed"]
    assert "steps" not in again
    assert again["units"] == again["managers"] == []
    assert again["left"] == done["left"]
    assert task(host, "needs_restart_info")["needed"] is False


@pytest.mark.lab_kinds("bookworm")
def test_what_is_left_out_and_what_is_not(upgraded: Host) -> None:
    host = upgraded
    mine = task(host, name="nr-*", reexec=False, user_managers=False, exclude="nr-a", include=["nr-run", "nr-job", "getty@nr"])
    assert names(mine["units"]) == ["nr-b.service", "nr-job.service", "nr-run.service", "nr-whole.service"]
    assert {each["name"] for each in mine["left"]} >= {"nr-a.service", "init.scope", "nr-once.service"}
    assert mine["steps"] == ["restart nr-b.service, nr-job.service and 2 more", "watch for 200ms"]
    # What somebody else has marked is not restarted with the others.
    bus = "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager"
    host.run(f"{bus} SetUnitProperties 'sba(sv)' nr-new.service true 1 Markers as 1 +needs-restart", check=True)
    before = pids(host)
    assert names(task(host, name="nr-a")["units"]) == ["nr-a.service"]
    after = pids(host)
    assert after["nr-a.service"] != before["nr-a.service"]
    assert after["nr-new.service"] == before["nr-new.service"]

    # One that does not come up again is a failure.
    host.run(f"systemctl restart nr-a; {REPLACE.format(DAEMON)}; chmod -x {DAEMON}", check=True)
    failed = host.ansible("pidone.systemd.needs_restart", {"name": "nr-a"})
    host.run(f"chmod +x {DAEMON}; systemctl restart nr-a", check=True)
    assert failed["failed"]
    assert [failure["unit"] for failure in failed["failures"]] == ["nr-a.service"]
    assert "203/EXEC" in failed["msg"]


@pytest.mark.lab_kinds("bookworm")
def test_of_a_user(upgraded: Host) -> None:
    host = upgraded
    host.run(
        f"{AS_USER} systemd-run --user -q --unit nr-hostile -p Delegate=yes python3 /home/{USER}/nr-hostile.py; "
        f"for i in $(seq 600); do test -e /home/{USER}/nr-ready && break; sleep 0.05; done; test -e /home/{USER}/nr-ready",
        check=True,
    )
    before = pids(host)
    seen = task(host, "needs_restart_info")
    (hostile,) = [each for each in seen["user_units"] if each["name"] == "nr-hostile.service"]
    assert (hostile["uid"], hostile["remedy"]) == (UID, "user")
    assert [each["path"] for each in hostile["files"]] == [f"/home/{USER}/nr\\x1b[31m\\nnr-new.service (deleted)"]
    assert hostile["processes"][0]["comm"].isprintable()
    assert hostile["cgroup"].endswith("/nr-hostile.service")
    assert "nr-new.service" not in names(seen["units"])
    # Of root's, this user's task sees and does nothing.
    own = task(host, "needs_restart_info", scope="user", user=USER)
    assert names(own["units"]) == ["nr-hostile.service", "nr-mine.service"]
    assert names(own["managers"]) == ["init.scope"]
    assert {process["uid"] for each in own["units"] for process in each["processes"]} == {UID}
    done = task(host, scope="user", user=USER)
    assert names(done["units"]) == ["nr-mine.service"]
    assert done["steps"] == ["daemon-reexec", "restart nr-mine.service", "watch for 200ms"]
    assert pids(host) == before
    again = task(host, scope="user", user=USER)
    assert not again["changed"]
    assert names(again["left"]) == ["nr-hostile.service"]
    # Nobody else may look.
    refused = host.ansible("pidone.systemd.needs_restart_info", {}, become_user="nosudo")
    assert refused["failed"]
    assert "become: true" in refused["msg"]
