# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a file that is written is open to, at every moment until it is in its place."""

from __future__ import annotations

import errno
import json
import os
import stat
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils import basic

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.attributes import Attributes
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, WriteFile
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule

OTHER = 12345
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class Seen:
    """Owner, group and mode that the new file has had, each time one of them was set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[tuple[int, int, int]] = []
        for name in ("chmod", "chown", "lchown"):
            self._watch(monkeypatch, name, getattr(os, name))

    def _watch(self, monkeypatch: pytest.MonkeyPatch, name: str, true: t.Callable[..., None]) -> None:
        def call(path: t.Any, *args: t.Any, **options: t.Any) -> None:
            true(path, *args, **options)
            if os.fsdecode(path).endswith(".pidone-tmp"):
                status = os.stat(path)
                self.found.append((status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)))

        monkeypatch.setattr(os, name, call)


def tools(monkeypatch: pytest.MonkeyPatch, path: Path, params: dict[str, str], unsafe: bool = False) -> FileTools:
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": params}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy")
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda *_args, **_options: None)
    attributes = Attributes(AnsibleModule(argument_spec={}, add_file_common_args=True), str(path))
    return FileTools(attributes.set, given=attributes.given, unsafe_writes=unsafe)


def is_open_to_more(found: tuple[int, int, int], after: tuple[int, int, int], own: int) -> bool:
    """Whether somebody may read what nobody but root, its writer and those who may in the end are to read."""
    uid, gid, mode = found
    to_owner = uid not in (own, after[0])
    to_group = bool(mode & 0o040) and (gid != after[1] or not after[2] & 0o040)
    return to_owner or to_group or bool(mode & 0o004 and not after[2] & 0o004)


@pytest.mark.parametrize(
    ("before", "asked", "after"),
    [
        (0o644, "0600", 0o600),
        (0o644, "go=", 0o600),
        (0o644, "go-r", 0o600),
        (0o640, "o=", 0o640),
        (0o600, "0644", 0o644),
        (0o600, "u+x", 0o700),
        (0o644, "u+x", 0o744),
        (0o644, "g=u,o=", 0o660),
        (0o4755, "o-x", 0o4754),
        (0o444, "u+w", 0o644),
        (0o400, None, 0o400),
        (0o664, None, 0o664),
        (None, "u=rw,g=r,o=", 0o640),
        (None, "0440", 0o440),
        (None, None, 0o644),
    ],
)
def test_a_mode_is_never_wider_than_it_shall_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: int | None, asked: str | None, after: int
) -> None:
    path = tmp_path / "env"
    if before is not None:
        path.write_bytes(b"old")
        path.chmod(before)
    given = tools(monkeypatch, path, {} if asked is None else {"mode": asked})
    seen = Seen(monkeypatch)
    WriteFile(str(path), b"secret", Saved.of(str(path)), given).apply(Context(t.cast(t.Any, None)))
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == after
    assert path.read_bytes() == b"secret"
    own = os.geteuid()
    wrong = [each for each in seen.found if is_open_to_more(each, (status.st_uid, status.st_gid, after), own)]
    assert not wrong, [(uid, gid, oct(mode)) for uid, gid, mode in wrong]
    # It begins as nobody else's, and what it is in the end was set on it (a test that sees nothing is none).
    assert after == 0o600 or seen.found


@is_root
@pytest.mark.parametrize(
    ("mode", "params", "after"),
    [
        (0o600, {"owner": "0"}, (0, OTHER, 0o600)),
        (0o640, {"group": "0"}, (OTHER, 0, 0o640)),
        (0o640, {"owner": "0", "group": "0"}, (0, 0, 0o640)),
        (0o640, {"owner": "54321"}, (54321, OTHER, 0o640)),
        (0o640, {"group": "54321", "mode": "0440"}, (OTHER, 54321, 0o440)),
        (0o664, {"group": "54321", "mode": "o="}, (OTHER, 54321, 0o660)),
        (0o640, {}, (OTHER, OTHER, 0o640)),
    ],
)
def test_it_is_never_for_a_moment_somebody_elses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int, params: dict[str, str], after: tuple[int, int, int]
) -> None:
    path = tmp_path / "env"
    path.write_bytes(b"old")
    os.chown(path, OTHER, OTHER)
    path.chmod(mode)
    given = tools(monkeypatch, path, params)
    seen = Seen(monkeypatch)
    WriteFile(str(path), b"secret", Saved.of(str(path)), given).apply(Context(t.cast(t.Any, None)))
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == after
    assert seen.found
    wrong = [each for each in seen.found if is_open_to_more(each, after, 0)]
    assert not wrong, [(uid, gid, oct(mode)) for uid, gid, mode in wrong]


def test_what_is_overwritten_where_it_is_gets_its_mode_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_bytes(b"old")
    path.chmod(0o644)
    given = tools(monkeypatch, path, {"mode": "0600"}, unsafe=True)
    told: list[bytes] = []
    true = os.chmod

    def chmod(which: t.Any, mode: int) -> None:
        told.append(path.read_bytes() if os.fsdecode(which) == str(path) else b"")
        true(which, mode)

    def busy(*_args: t.Any) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "chmod", chmod)
    monkeypatch.setattr(durable.os, "replace", busy)
    WriteFile(str(path), b"secret", Saved.of(str(path)), given).apply(Context(t.cast(t.Any, None)))
    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert told[-1] == b"old"
