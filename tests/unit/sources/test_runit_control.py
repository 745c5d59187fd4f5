# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisor that is only its files."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import make_link, remove_link
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.control import (
    Supervised,
    asks_for,
    scanned_links,
)


@pytest.fixture
def service(tmp_path: Path) -> Path:
    directory = tmp_path / "sv" / "web"
    (directory / "supervise").mkdir(parents=True)
    os.mkfifo(directory / "supervise" / "ok")
    os.mkfifo(directory / "supervise" / "control")
    (directory / "supervise" / "lock").touch()
    return directory


def status_bytes(pid: int, wanted: bytes, state: int) -> bytes:
    since = (1 << 62) + 10 + int(time.time())
    return since.to_bytes(8, "big") + bytes(4) + pid.to_bytes(4, "little") + b"\0" + wanted + b"\0" + bytes([state])


def test_who_supervises(service: Path) -> None:
    supervised = Supervised(str(service))
    (service / "supervise" / "status").write_bytes(status_bytes(5, b"u", 1))
    # What an earlier runsv left behind tells nothing.
    assert supervised.status()["running"] is False
    assert not Supervised(str(service / "not")).is_supervised()
    reader = os.open(service / "supervise" / "ok", os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = supervised.status()
        assert (status["supervised"], status["running"], status["pid"], status["wanted"]) == (True, True, 5, "up")
        assert abs(status["since"] - time.time()) < 5
        (service / "supervise" / "status").write_bytes(status_bytes(5, b"d", 1))
        (service / "down").touch()
        assert supervised.status()["once"]
        assert supervised.status()["down"]
    finally:
        os.close(reader)
    assert not supervised.is_supervised()


def test_control(service: Path) -> None:
    Supervised(str(service)).control(b"u")  # Nobody reads, so there is nobody to be told.
    reader = os.open(service / "supervise" / "control", os.O_RDONLY | os.O_NONBLOCK)
    try:
        Supervised(str(service)).leave()
        Supervised(str(service), "daemontools").leave()
        assert os.read(reader, 10) == b"xdx"
    finally:
        os.close(reader)


def test_the_lock_keeps_others_out(service: Path) -> None:
    one, other = Supervised(str(service)), Supervised(str(service))
    assert one.lock()
    assert one.lock()
    assert not other.lock()
    with open(service / "supervise" / "lock", "w", encoding="ascii") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        one.unlock()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert Supervised(str(service / "never")).lock()


def test_links(tmp_path: Path, service: Path) -> None:
    scanned = tmp_path / "service"
    path = str(scanned / "web")
    make_link(path, "../sv/web")
    make_link(path, "elsewhere")
    assert os.readlink(path) == "../sv/web"
    assert scanned_links([path, str(scanned / "gone")]) == {path: "../sv/web"}
    with pytest.raises(SystemdError, match="not a link"):
        scanned_links([str(service)])
    remove_link(path)
    remove_link(path)
    assert not os.path.lexists(path)


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ("sv check web || exit 1", {"check", "web"}),
        ("/usr/bin/sv -w 3 start /etc/service/web db; exec app", {"-w", "3", "start", "web", "db"}),
        ("sv down web", set()),
        ("echo sv", set()),
        ("exec svlogd check web", set()),
    ],
)
def test_whom_a_script_asks_for(tmp_path: Path, script: str, asked: set[str]) -> None:
    (tmp_path / "run").write_text(f"#!/bin/sh\n{script}\n")
    assert asks_for(str(tmp_path / "run")) == asked
    assert asks_for(str(tmp_path / "not")) == set()


def test_waiting_ends(service: Path) -> None:
    began = time.monotonic()
    assert not Supervised(str(service)).wait(lambda status: status["supervised"], time.monotonic() + 0.1)
    assert 0.1 <= time.monotonic() - began < 2
    assert Supervised(str(service)).wait(lambda status: not status["supervised"], 0)
