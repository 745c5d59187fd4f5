# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller sends to hosts without jeepney."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import typing as t
import zipfile
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.plugin_utils import _jeepney

COLLECTIONS = Path(__file__).parents[3] / "build" / "collections"


def pack() -> _jeepney.Bundle:
    bundle = _jeepney.pack()
    assert bundle is not None
    return bundle


def installed() -> Path:
    spec = importlib.util.find_spec("jeepney")
    assert spec and spec.origin
    return Path(spec.origin).parent


def find(monkeypatch: pytest.MonkeyPatch, folder: Path | None, origin: str | None = "") -> None:
    """Let the controller's jeepney be in *folder*."""
    spec = None
    if folder is not None:
        spec = importlib.machinery.ModuleSpec(
            "jeepney", None, origin=f"{folder}/__init__.py" if origin == "" else origin
        )
        spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(_jeepney.importlib.util, "find_spec", lambda name: spec)


def test_only_what_is_needed_is_packed_with_its_licence() -> None:
    with zipfile.ZipFile(io.BytesIO(pack().data)) as archive:
        assert set(archive.namelist()) == {
            "jeepney/LICENSE",
            "jeepney/__init__.py",
            "jeepney/auth.py",
            "jeepney/low_level.py",
        }
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}, "nor when it was packed"
        assert archive.read("jeepney/low_level.py") == (installed() / "low_level.py").read_bytes()
        assert b"Permission is hereby granted" in archive.read("jeepney/LICENSE")
        scope: dict[str, t.Any] = {}
        exec(archive.read("jeepney/__init__.py"), scope)
    import jeepney

    assert scope["__version__"] == jeepney.__version__


def test_the_same_jeepney_gives_the_same_bytes_wherever_and_whenever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pack()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for dist in installed().parent.glob("jeepney-*.dist-info"):
        shutil.copytree(dist, folder / dist.name)
    shutil.copytree(installed(), folder / "jeepney")
    for path in (folder / "jeepney").glob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    find(monkeypatch, folder / "jeepney")
    assert pack() == before


def test_another_jeepney_gives_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pack()
    shutil.copytree(installed(), tmp_path / "jeepney")
    with (tmp_path / "jeepney" / "low_level.py").open("a") as file:
        file.write("\n")
    find(monkeypatch, tmp_path / "jeepney")
    assert pack().digest != before.digest


def test_a_controller_without_jeepney(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find(monkeypatch, None)
    assert _jeepney.pack() is None
    find(monkeypatch, tmp_path, origin=None)  # a namespace package: an empty folder of that name
    assert _jeepney.pack() is None


def test_a_controller_with_an_old_jeepney(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("__init__.py", "auth.py", "low_level.py"):
        (tmp_path / name).write_text("class SASLParser: pass\n")
    find(monkeypatch, tmp_path)
    with pytest.raises(_jeepney.TooOld, match=str(tmp_path)):
        _jeepney.pack()


TASK = """
import json, sys
assert not any("site-packages" in path for path in sys.path)
from ansible_collections.pidone.systemd.plugins.module_utils._dbus import carrier, luggage
luggage.update(json.load(sys.stdin))
low_level, auth = carrier.import_jeepney()
fields = {low_level.HeaderFields.path: "/", low_level.HeaderFields.member: "M", low_level.HeaderFields.signature: "a(sv)"}
header = low_level.Header(low_level.Endianness.little, low_level.MessageType.method_call, 0, 1, -1, 7, fields)
message = low_level.Message(header, ([("x", ("u", 5))],))
assert low_level.Message.from_buffer(message.serialise()).body == ([("x", ("u", 5))],)
assert next(iter(auth.Authenticator())).startswith(b"\\0AUTH EXTERNAL")
print(low_level.__file__)
"""


def test_it_works_on_its_own_and_many_at_the_same_time(tmp_path: Path) -> None:
    """Real processes without site-packages, all of them first contacts."""
    bundle = pack()
    environment = {"PYTHONPATH": str(COLLECTIONS), "PIDONE_SYSTEMD_JEEPNEY_DIR": str(tmp_path)}
    command = [sys.executable, "-S", "-c", TASK]

    def start(luggage: dict[str, str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert process.stdin
        process.stdin.write(json.dumps(luggage))
        process.stdin.close()
        process.stdin = None
        return process

    for process in [start({"wanted": bundle.digest, "zip": bundle.as_text()}) for number in range(6)]:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert out.strip() == f"jeepney-{bundle.digest[:12]}.zip/jeepney/low_level.py"
    (kept,) = tmp_path.iterdir()
    assert sorted(path.suffix for path in kept.iterdir()) == sorted([f".{sys.implementation.cache_tag}", ".zip"])

    later = start({"wanted": bundle.digest})
    assert later.communicate(timeout=60)[1] == ""
    assert later.returncode == 0
