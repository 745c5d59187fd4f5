# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers whose root attacks the host through what the host asks of the container's manager."""

from __future__ import annotations

import typing as t
from pathlib import Path

import jeepney
import pytest

from tests.attacks.test_hostile_user import STAND_IN
from tests.attacks.test_wire import IMPOSTOR
from tests.containers import USERS_OF_ITS_OWN, start, stop
from tests.lab.fixtures import in_full
from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("machines")

# In /usr, which is all that the containers have of the host.
TOOLS = "/usr/local/lib/pidone-attacks"
AUDIT = "/srv/am-audit"
SOCKET = "/run/systemd/private"

# Takes note of each path that a Python process of a task gives to the system, of all arguments that are text.
WITNESS = f"""
import os, sys
log = os.open("{AUDIT}/log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
def note(event, args):
    if event.split(".")[0] in ("open", "os", "socket", "shutil", "subprocess"):
        try:
            os.write(log, ("%s %r\\n" % (event, args)).encode("utf-8", "backslashreplace"))
        except OSError:
            # What has entered a container has no descriptor of the host any more.
            pass
sys.addaudithook(note)
"""

# Never takes anybody who comes, and tells what it can see of and do to who waits. Numbers are those of ptrace(2).
SPY = """
import ctypes, os, socket, sys
os.makedirs("/run/systemd", exist_ok=True)
server, first = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(0)
first.connect(sys.argv[1])
own = {name for name in os.listdir("/proc") if name.isdigit()}
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what, action):
    try:
        action()
        print("spy:", what, "DONE", flush=True)
    except OSError as e:
        print("spy:", what, e.strerror, flush=True)
def trace(pid):
    if libc.ptrace(16, pid, None, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
print("ready", flush=True)
while True:
    for pid in {name for name in os.listdir("/proc") if name.isdigit()} - own:
        own.add(pid)
        print("spy: saw", open("/proc/%s/comm" % pid).read().strip(), flush=True)
        for name in ("environ", "mem", "maps"):
            attempt(name, lambda: open("/proc/%s/%s" % (pid, name), "rb").read(1))
        for name in ("cwd", "root", "exe"):
            attempt(name, lambda: os.readlink("/proc/%s/%s" % (pid, name)))
        attempt("fd", lambda: [os.readlink("/proc/%s/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%s/fd" % pid)])
        attempt("trace", lambda: trace(int(pid)))
"""

UNIT = "/org/freedesktop/systemd1/unit/x"
# Every name and path of it, were it looked for on the host, would show.
LIES: dict[str, t.Any] = {
    "Version": ["s", "../../bait"],
    "UnitPath": ["as", ["/bait/units", "/etc/bait"]],
    "ListUnitsByPatterns": ["a(ssssssouso)", [[
        ("../../bait.timer", "bait", "loaded", "active", "waiting", "/bait", UNIT, 0, "", "/"),
    ]]],
    "ListUnitsByNames": ["a(ssssssouso)", [[("bait.timer", "bait", "loaded", "active", "waiting", "", UNIT, 0, "", "/")]]],
    "ListUnitFilesByPatterns": ["a(ss)", [[("/bait/bait@.service", "enabled"), ("../bait@.timer", "indirect")]]],
    "GetUnitFileState": ["s", ["indirect"]],
    "GetUnitProcesses": ["a(sus)", [[("/bait", 1, "bait")]]],
    "FragmentPath": ["s", "/bait/fragment"],
    "SourcePath": ["s", "/bait/source"],
    "DropInPaths": ["as", ["/bait/dropin.conf"]],
    "TimersCalendar": ["a(sst)", [("OnCalendar", "*-*-* 00:00:00 Bait/bait", 1)]],
    "TimersMonotonic": ["a(stt)", []],
    "Unit": ["s", "bait.timer"],
    "Where": ["s", "/bait"],
    "Environment": ["as", ["BAIT=/bait"]],
    "ListJobs": ["a(usssoo)", [[]]],
    "GetDefaultTarget": ["s", ["bait.target"]],
    "Triggers": ["as", ["bait"]],
}  # fmt: skip

PYTHON = ["/usr/bin/python3", "-S", f"{TOOLS}/tool.py"]


def shell(line: str) -> list[str]:
    return ["/bin/sh", "-c", f"mkdir -p /run/systemd; {line}"]


# Name -> PID 1, more options, and what is said of it. The first two are waited for in vain, each for its share of the time.
ATTACKS: dict[str, tuple[list[str], tuple[str, ...], str]] = {
    "am-a-full": (["/usr/bin/python3", "-S", f"{TOOLS}/spy.py", SOCKET], ("--private-users=identity",), "did not answer within"),
    "am-a-silent": (shell(f"exec python3 -S {TOOLS}/impostor.py {SOCKET} silent"), (), "did not answer within"),
    "am-chatter": (shell(f"exec python3 -S {TOOLS}/impostor.py {SOCKET} authentication"), (), "its answer to the authentication has no end"),
    "am-child": (shell(f"python3 -S {TOOLS}/impostor.py {SOCKET} header & exec sleep infinity"), USERS_OF_ITS_OWN, "listens there, where"),
    "am-header": (shell(f"exec python3 -S {TOOLS}/impostor.py {SOCKET} header"), USERS_OF_ITS_OWN, "MiB are the most that is taken"),
    "am-link": (shell(f"ln -s /of-host/private {SOCKET}; exec sleep infinity"), ("--bind=/run/systemd:/of-host",), "process 1 of uid 0 listens there"),
    "am-nobody": (shell("exec sleep infinity"), (), "has no manager to be asked"),
    "am-noise": (shell(f"exec python3 -S {TOOLS}/impostor.py {SOCKET} noise"), (), "sent what is no message of D-Bus"),
}  # fmt: skip


@pytest.fixture(scope="module")
def tools(host: Host) -> t.Iterator[None]:
    package = Path(jeepney.__file__).parent
    for file in sorted(package.glob("*.py")):
        host.write(f"{TOOLS}/jeepney/{file.name}", file.read_text())
    host.write(f"{TOOLS}/impostor.py", IMPOSTOR)
    host.write(f"{TOOLS}/spy.py", SPY)
    stand_in = STAND_IN.replace('"/run/user/%d/systemd/private" % os.getuid()', f'"{SOCKET}"')
    assert SOCKET in stand_in
    host.write(f"{TOOLS}/manager.py", stand_in)
    host.write(f"{TOOLS}/answers", repr(LIES))
    host.write(f"{AUDIT}/sitecustomize.py", WITNESS)
    yield
    host.run(f"rm -r {TOOLS} {AUDIT}")


@pytest.fixture(scope="module")
def attackers(host: Host, tools: None) -> t.Iterator[None]:
    """All of them, beside one that tells lies and nothing worse."""
    for name, (command, options, _words) in ATTACKS.items():
        start(host, name, command, options)
    start(host, "am-liar", shell(f"PYTHONPATH={TOOLS} exec python3 -S {TOOLS}/manager.py {TOOLS}/answers"))
    names = [*ATTACKS, "am-liar"]
    there = {"am-nobody": f"-d /proc/$leader/root{Path(SOCKET).parent}", "am-link": f"-L /proc/$leader/root{SOCKET}"}
    waits = [
        f"until leader=$(machinectl show -P Leader {name} 2>/dev/null) && test {there.get(name, f'-S /proc/$leader/root{SOCKET}')}; do sleep 0.1; done"
        for name in names
    ]
    host.run("\n".join(waits), check=True)
    yield
    stop(host, *names)


def test_none_hides_another_or_is_taken_for_what_it_is_not(host: Host, attackers: None) -> None:
    result = host.ansible("pidone.systemd.unit_info", {"machine": "*", "timeout": "15s"})
    assert not result["failed"], result["msg"]
    managers = {manager["machine"]: manager for manager in result["managers"]}
    assert set(managers) == {*ATTACKS, "am-liar"}
    for name, (_command, _options, words) in ATTACKS.items():
        assert not managers[name]["answered"], name
        assert words in managers[name]["msg"], (name, managers[name]["msg"])
    assert managers["am-liar"]["answered"], managers["am-liar"]["msg"]
    assert {unit["machine"] for unit in result["units"]} == {"am-liar"}
    # Who waits in the container is seen there, with the same numbers of users as here, and neither read nor traced.
    told = [line for line in host.run("journalctl -o cat -u am-a-full", check=True).stdout.splitlines() if line.startswith("spy: ")]
    assert "spy: saw python3" in told
    tried = {line.split(" ", 2)[1]: line.split(" ", 2)[2] for line in told if not line.startswith("spy: saw")}
    assert set(tried) == {"environ", "mem", "maps", "cwd", "root", "exe", "fd", "trace"}
    assert set(tried.values()) <= {"Permission denied", "Operation not permitted"}, tried
    # And nobody of ours is left.
    assert host.run("pgrep -f [A]nsiballZ").returncode == 1


@pytest.mark.parametrize("module", ["unit_info", *(pytest.param(name, marks=in_full) for name in ("timer_info", "manager_info"))])
def test_nothing_that_it_names_is_looked_for_on_the_host(host: Host, attackers: None, module: str) -> None:
    args: dict[str, t.Any] = {"machine": "am-liar", "timeout": "20s"}
    if module == "unit_info":
        args.update(dict.fromkeys(("processes", "dependencies", "sockets"), True), name=["*", "bait@.service"], properties=["all"])
    host.run(f"rm -f {AUDIT}/log")
    result = host.ansible(f"pidone.systemd.{module}", args, environment={"PYTHONPATH": AUDIT})
    # What it says is told, or found to be nonsense; either way it was read.
    assert "bait" in str(result), result
    assert "Traceback" not in str(result) and "defect of the collection" not in str(result.get("msg"))
    seen = host.read(f"{AUDIT}/log").splitlines()
    assert any("dbus/system_bus_socket" in line for line in seen), "nothing was witnessed"
    assert [line for line in seen if "bait" in line.lower()] == []


@in_full
@pytest.mark.parametrize("module", ["unit_info", "timer_info", "manager_info"])
@pytest.mark.parametrize("name", ATTACKS)
def test_one_by_one(host: Host, attackers: None, name: str, module: str) -> None:
    result = host.ansible(f"pidone.systemd.{module}", {"machine": name, "timeout": "4s"})
    words = ATTACKS[name][2]
    assert result["failed"], result
    assert words in result["msg"], result["msg"]
    assert name in result["msg"]
