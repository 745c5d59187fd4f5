# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""That kill points are where they are said to be: the messages of D-Bus in what is sent, and what counts as a point."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

import jeepney
import pytest

from tests.attacks import kill_points, summary_bad_inputs
from tests.attacks.on_host import pictures
from tests.attacks.on_host.points import BUS, FILE, PROCESS, _members

ROOT = Path(__file__).resolve().parents[2]


def message(member: str, serial: int, signature: str = "", *body: t.Any) -> bytes:
    name = "org.freedesktop.systemd1"
    address = jeepney.DBusAddress("/org/freedesktop/systemd1", name, f"{name}.Manager")
    call = jeepney.new_method_call(address, member, signature or None, body)
    return t.cast(bytes, call.serialise(serial))


@pytest.fixture
def pair() -> t.Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_members_of_what_is_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    parts = [
        message("StartUnit", 1, "ss", "a.service", "replace"),
        message("Reload", 2),
        message("ListUnitsByNames", 3, "as", ["x" * 300]),
    ]
    data = b"".join(parts)
    ends = [len(parts[0]), len(parts[0] + parts[1]), len(data)]
    assert _members(pair[0], data) == list(zip(["StartUnit", "Reload", "ListUnitsByNames"], ends, strict=True))
    # The rest of it goes in another write.
    assert _members(pair[0], data[:-50]) == [
        ("StartUnit", ends[0]),
        ("Reload", ends[1]),
        ("ListUnitsByNames", len(data) - 50),
    ]


@pytest.mark.parametrize("data", [b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n", b"", b"l", b"x" * 100, b"l\1\0\2" + b"\0" * 40])
def test_what_is_no_message(pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    assert _members(pair[0], data) == []


def test_other_sockets_are_not_the_bus() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        assert _members(journal, message("Reload", 1)) == []


def points_of(
    body: str, kinds: tuple[str, ...] = (FILE, BUS, PROCESS), at: int = 0, act: str = ""
) -> tuple[int, list[str]]:
    """Run *body* in a process that is watched; its exit status, and what it told of its points.

    A process of its own, since Python keeps audit hooks for good.
    """
    script = f"""
import os, signal, socket, subprocess, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.attacks.on_host.points import Points
def act(kind, what):
    print("at", what, flush=True)
    {act or "pass"}
points = Points({kinds!r}, {at}, act, ("/ignored",))
points.install()
{body}
print(*(what for _kind, what in points.told), sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode <= 0, done.stderr
    return done.returncode, [line for line in done.stdout.splitlines() if line]


def test_what_is_done_to_files(tmp_path: Path) -> None:
    body = f"""
os.chdir({str(tmp_path)!r})
with open("a", "w") as file:
    file.write("x")
    os.fsync(file.fileno())
os.chmod("a", 0o600); os.replace("a", "b"); os.mkdir("d"); os.symlink("b", "c"); os.link("b", "e")
os.utime("b"); os.unlink("c"); os.rmdir("d"); os.truncate("b", 0)
with open("b") as file: file.read()
os.listdir("."); os.stat("b")
open("/dev/null", "w").close()
try: os.mkdir("/ignored/x")
except OSError: pass
"""
    _status, told = points_of(body)
    assert [line.split()[0] for line in told] == [
        "open", "fsync", "os.chmod", "os.rename", "os.mkdir", "os.symlink", "os.link", "os.utime", "os.remove", "os.rmdir",
        "os.truncate",
    ]  # fmt: skip


def test_killed_before_it_is_done(tmp_path: Path) -> None:
    body = f"os.mkdir({str(tmp_path / 'a')!r}); os.mkdir({str(tmp_path / 'b')!r})"
    status, told = points_of(body, at=2, act="os.kill(os.getpid(), signal.SIGKILL)")
    assert status == -signal.SIGKILL
    assert told == [f"at os.mkdir {tmp_path}/b"]
    assert os.listdir(tmp_path) == ["a"]


def test_error_instead_of_doing_it(tmp_path: Path) -> None:
    body = f"""
for number in range(3):
    try: os.mkdir({str(tmp_path)!r} + f"/{{number}}")
    except OSError as e: print("error", e.errno)
"""
    _status, told = points_of(body, at=2, act=f"raise OSError({errno.ENOSPC}, 'full')")
    assert f"error {errno.ENOSPC}" in told
    assert sorted(os.listdir(tmp_path)) == ["0", "2"]


def test_programs_before_and_after_their_start() -> None:
    _status, told = points_of("subprocess.run(['true', 'x'])", kinds=(PROCESS,))
    assert told == ["start true x", "started true x"]


def test_calls_on_the_bus_and_what_is_read() -> None:
    """Each change is two points, what is read between two changes is one, and calls in one write can be told apart."""
    sent = [message("Get", 1) + message("ListJobs", 2), message("Get", 3)]
    sent.append(message("Reload", 4) + message("Get", 5) + message("StopUnit", 6))
    body = f"""
ours, theirs = socket.socketpair()
for data in {sent!r}:
    assert ours.send(data) == len(data)
    assert theirs.recv(10000) in data
ours.sendmsg([{message("StartTransientUnit", 7)!r}])
"""
    _status, told = points_of(body)
    assert told == [
        "read", "call Reload", "called Reload", "read", "call StopUnit", "called StopUnit", "call StartTransientUnit",
        "called StartTransientUnit",
    ]  # fmt: skip


def test_killed_between_two_calls_of_one_write() -> None:
    first, second = message("StartUnit", 1, "ss", "a", "b"), message("StopUnit", 2, "ss", "a", "b")
    body = f"""
ours, theirs = socket.socketpair()
if os.fork():
    ours.close()
    print(theirs.recv(10000) == {first!r} and not theirs.recv(10000), flush=True)
    os._exit(0)
theirs.close()
points._pid = os.getpid()
ours.send({first + second!r})
"""
    status, told = points_of(body, kinds=(BUS,), at=3, act="os.kill(os.getpid(), signal.SIGKILL)")
    assert (status, sorted(told)) == (0, ["True", "at call StopUnit"])


def test_children_have_no_points(tmp_path: Path) -> None:
    body = f"""
if not os.fork():
    os.mkdir({str(tmp_path / "child")!r})
    os._exit(0)
os.wait()
"""
    status, told = points_of(body, at=1, act="os.kill(os.getpid(), signal.SIGKILL)")
    assert (status, told) == (0, [])
    assert os.listdir(tmp_path) == ["child"]


# -- pictures, figures


def entry(content: bytes | None, mode: int = 0o100644) -> pictures.Entry:
    return pictures.Entry(mode, 0, 0, content, (0, 0), 1)


def test_pictures_that_differ() -> None:
    was = pictures.Picture(
        {"/a": entry(b"1"), "/gone": entry(b""), "/f.1.2026-01-01@00:00:00~": entry(b"old")},
        {"x": {"Command": "1", "A": "1"}},
    )
    got = pictures.Picture(
        {
            "/a": entry(b"2"),
            "/new": entry(b""),
            "/f.1.2026-01-01@00:00:00~": entry(b"old"),
            "/f.2.2026-01-01@00:00:01~": entry(b"old"),
            "/f.3.2026-01-01@00:00:02~": entry(b""),
            "/run/pidone.systemd/system.lock": entry(b"x"),
            "/var/lib/pidone.systemd/undo/system.undo": entry(b"x"),
        },
        {"x": {"Command": "2", "A": "2"}},
    )
    found = [(each.kind, each.text.split(" ")[0].rstrip(":")) for each in pictures.compare(was, got)]
    assert sorted(found) == [
        ("file", "/a"),
        ("file", "/gone"),
        ("restart", "x"),
        ("state", "x"),
        ("stray", "/f.BACKUP~+"),
        ("stray", "/new"),
        ("stray", "/var/lib/pidone.systemd/undo/system.undo"),
    ]
    assert pictures.compare(was, was) == []


@pytest.mark.parametrize(
    ("text", "sane"),
    [
        ("Sun 2026-11-29 22:55:00 UTC", "Sun 2026-11-29 22:55:00 UTC"),
        ("Tue 2199-01-01 00:00:00 UTC", "far away"),
        ("infinity", "far away"),
        ("1h 2min", "some"),
        ("0", ""),
        ("n/a", ""),
        ("", ""),
    ],
)
def test_times_that_can_be_compared(text: str, sane: str) -> None:
    assert pictures._sane(text) == sane


def test_figures_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIDONE_SEED", "7")
    wrong = [["restart", "a"], ["restart", "b"], ["not rolled back: file", "c"], ["next run", "d"]]
    counted = kill_points.figures({"of": 40, "taken": 4, "bad": [{"at": 1, "wrong": wrong}]})
    assert kill_points.summary(counted) == (
        "kill points: 4 taken of 40 (PIDONE_SEED=7), 3 good, 1 lost restarts, 1 lost files, 0 strays, 1 next run"
    )


def test_the_figure_of_bad_inputs_is_of_everything_that_takes_input() -> None:
    told = [(100, 0, 7, "modules"), (60, 1, 7, "filters"), (30, 0, 7, "modules"), (9, 0, 7, "tests")]
    assert summary_bad_inputs.summary(told) == (
        "bad inputs: 199 (modules 130, filters 60, tests 9), 1 tracebacks (PIDONE_SEED=7)"
    )
    assert summary_bad_inputs.summary([]) == ""
