# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where temporary files are kept, and what is said where there is no room for them."""

from __future__ import annotations

import errno
import os
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import programs


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def no_room(*_words: t.Any, **_options: t.Any) -> t.NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_it_is_gone_afterwards(place: Path) -> None:
    with programs.scratch_directory() as path:
        Path(path, "x").write_text("x")
        assert Path(path).parent == place
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_what_is_written_there_finds_no_room(place: Path, number: int) -> None:
    """An error of the operating system names no file where writing fails, and nobody would know which file system it is."""
    with pytest.raises(SystemdError) as caught, programs.scratch_directory():
        raise OSError(number, os.strerror(number))
    assert f"cannot keep temporary files in {place}: {os.strerror(number)}; make room there" in caught.value.msg
    assert "TMPDIR" in caught.value.msg
    assert list(place.iterdir()) == []


def test_it_cannot_be_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "mkdtemp", no_room)
    with pytest.raises(SystemdError, match=f"cannot keep temporary files in {place}"), programs.scratch_directory():
        pass


def test_there_is_no_usable_directory_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> t.NoReturn:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(SystemdError, match="make room there, or name another directory in TMPDIR"), programs.scratch_directory():
        pass


@pytest.mark.usefixtures("place")
def test_other_errors_are_nobodys_lack_of_room() -> None:
    with pytest.raises(PermissionError), programs.scratch_directory():
        raise PermissionError(errno.EACCES, "no")
