# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of files that others may have put there."""

from __future__ import annotations

import os
import resource
import socket
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import (
    LIMIT,
    Unreadable,
    list_small,
    read_file,
    read_head,
    read_seen,
    read_small,
)


def make(kind: str, path: Path) -> str:
    """Put something at a path that is no unit file."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "terminal":
        path.symlink_to("/dev/tty")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind in ("300 MB", "100 GB"):
        with path.open("wb") as file:
            file.truncate(300_000_000 if kind == "300 MB" else 100_000_000_000)
    elif kind == "NUL":
        return f"{path}\0"
    elif kind == "long":
        return f"{path}{'x' * 300}"
    return str(path)


WRONG = {
    "pipe": "it is a named pipe, not a regular file",
    "directory": "it is a directory",
    "socket": "it is a socket",
    "zero": "it is a device",
    "terminal": "it is a device",
    "loop": "links lead there in a loop",
    "300 MB": "it is larger than 1 MiB",
    "100 GB": "it is larger than 1 MiB",
    "NUL": "no file can have this name",
    "long": "the name is too long",
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_file_is_an_error_that_says_what_it_is(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path / "x.service")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unreadable) as e:
        read_small(path)
    assert WRONG[kind] in e.value.msg
    assert str(tmp_path / "x.service") in e.value.msg
    assert "\0" not in e.value.msg
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


@pytest.mark.parametrize("kind", ["pipe", "zero", "terminal", "directory"])
def test_nothing_but_a_file_is_opened(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(kind, tmp_path / "x.service")
    opened = []
    real = os.open

    def watch(name: t.Any, flags: int, *args: t.Any, **options: t.Any) -> int:
        opened.append(flags)
        return real(name, flags, *args, **options)

    monkeypatch.setattr(os, "open", watch)
    with pytest.raises(Unreadable):
        read_small(path)
    assert opened
    assert all(flags & os.O_PATH for flags in opened)


def test_files_masks_and_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.service"
    assert read_small(str(path)) is None
    path.write_bytes(b"[Unit]\r\n")
    assert read_small(str(path)) == b"[Unit]\r\n"
    found = read_file(str(path))
    assert found is not None
    assert found[1].st_ino == path.stat().st_ino
    (tmp_path / "mask.service").symlink_to("/dev/null")
    assert read_small(str(tmp_path / "mask.service")) == b""
    (tmp_path / "other.service").symlink_to("x.service")
    assert read_small(str(tmp_path / "other.service")) == b"[Unit]\r\n"
    with pytest.raises(Unreadable, match="it is a symbolic link"):
        read_small(str(tmp_path / "other.service"), follow=False)


def test_the_limit_is_the_last_size_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * LIMIT)
    assert len(read_small(str(path)) or b"") == LIMIT
    path.write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(Unreadable, match="larger than 1 MiB"):
        read_small(str(path))
    assert read_head(str(path), 10) == b"x" * 10


def test_a_file_that_does_not_tell_its_size_has_a_limit_too() -> None:
    with pytest.raises(Unreadable, match="larger than 100 bytes"):
        read_small("/proc/self/status", 100)


def test_what_takes_the_place_of_a_file_meanwhile_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.service"
    path.write_text("mine")
    real = os.fstat

    def swap(handle: int) -> os.stat_result:
        status = real(handle)
        path.unlink(missing_ok=True)
        path.symlink_to("/etc/shadow")
        return status

    monkeypatch.setattr(os, "fstat", swap)
    assert read_small(str(path)) == b"mine"


def test_without_proc_a_file_is_opened_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.service"
    path.write_text("mine")
    real, exists = os.open, os.path.exists

    def no_proc(name: t.Any, *args: t.Any, **options: t.Any) -> int:
        if str(name).startswith("/proc"):
            raise FileNotFoundError(2, "No such file or directory", name)
        return real(name, *args, **options)

    monkeypatch.setattr(os, "open", no_proc)
    monkeypatch.setattr(os.path, "exists", lambda name: not str(name).startswith("/proc") and exists(name))
    assert read_small(str(path)) == b"mine"


@pytest.mark.parametrize("kind", ["pipe", "directory", "socket", "zero", "terminal", "loop", "100 GB"])
def test_what_was_seen_and_is_another_by_now_is_not_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(kind, tmp_path / "x.service")

    def read(*_args: t.Any) -> t.NoReturn:
        raise AssertionError("read")

    if kind != "100 GB":
        monkeypatch.setattr(os, "read", read)
    before, opened = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(os.listdir("/proc/self/fd"))
    with pytest.raises(Unreadable):
        read_seen(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
    assert len(os.listdir("/proc/self/fd")) == opened


def test_what_was_seen_is_read_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "x.service"
    assert read_seen(str(path)) is None
    for size in (0, 1, LIMIT - 1, LIMIT):
        path.write_bytes(b"x" * size)
        assert read_seen(str(path)) == read_small(str(path)) == b"x" * size
    assert read_seen(str(path), 10 * LIMIT) == b"x" * LIMIT
    path.write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(Unreadable, match="larger than 1 MiB"):
        read_seen(str(path))


def test_a_file_that_grows_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.service"
    real = os.fstat

    def grow(handle: int) -> os.stat_result:
        status = real(handle)
        path.write_bytes(b"y" * 200_000)
        return status

    for begun in (b"", b"x", b"x" * 100):
        for each in (read_small, read_seen):
            path.write_bytes(begun)
            with monkeypatch.context() as patched:
                patched.setattr(os, "fstat", grow)
                assert each(str(path)) == b"y" * 200_000


def test_directories_have_a_limit(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).touch()
    assert sorted(list_small(str(tmp_path))) == ["a", "b", "c"]
    assert list_small(str(tmp_path / "none")) == []
    assert list_small(str(tmp_path / "a")) == []
    with pytest.raises(Unreadable, match="more than 2 entries"):
        list_small(str(tmp_path), 2)
    with pytest.raises(Unreadable, match="no file can have this name"):
        list_small(f"{tmp_path}\0")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Unreadable, match="in a loop"):
        list_small(str(tmp_path / "loop"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")
def test_who_may_not_read_is_told_what_would_help(tmp_path: Path) -> None:
    path = tmp_path / "x.service"
    path.write_text("secret")
    path.chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(Unreadable) as e:
            read_small(str(path))
    finally:
        os.seteuid(0)
    assert "ermi" in e.value.msg
