# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the lab that need no host: what boots, what an image's key depends on, process identity, cpio archives."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
import time
import typing as t
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.lab import bytecode, cpio, images, recipes, runner, supervisor
from tests.lab.images import kind_of
from tests.lab.proc import LabError, Process, wait_until

if t.TYPE_CHECKING:
    from tests.lab.host import Host


@pytest.mark.parametrize(
    ("target", "override", "expected"),
    [
        ("../lib/systemd/systemd", "", True),
        ("runit-init", "", False),
        ("runit-init", "systemd", True),
        ("../lib/systemd/systemd", "/sbin/runit-init", False),
    ],
)
def test_what_boots(tmp_path: Path, target: str, override: str, expected: bool) -> None:
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin/init").symlink_to(target)
    assert supervisor.is_systemd(tmp_path, override) is expected
    words = supervisor.command({"machine": "m", "name": "n", "netns": "s"}, tmp_path, override)
    assert words[-1] == ("--boot" if expected else override or "/sbin/init")


def test_an_image_is_known_by_its_recipe() -> None:
    kind = recipes.KINDS["trixie"]
    assert kind._replace(about="other words").key() == kind.key()
    assert kind._replace(packages=(*kind.packages, "nginx-light")).key() != kind.key()
    assert kind._replace(customize=f"{kind.customize}\n: more").key() != kind.key()
    assert len({each.key() for each in recipes.KINDS.values()}) == len(recipes.KINDS)
    with pytest.raises(LabError, match=r"'buster'.*trixie"):
        kind_of("buster")


def test_only_the_very_process_is_killed() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        process = Process.of(child.pid)
        other = Process(process.pid, process.start - 1)  # as if the number had been used before
        assert process.alive()
        assert not other.alive()
        other.kill()
        assert child.poll() is None
        process.kill()
        assert child.wait(10) == -9
        assert not process.alive()
    finally:
        child.kill()
        child.wait()


def test_waiting_ends() -> None:
    with pytest.raises(LabError, match="pigs to fly: not within 0 s"):
        wait_until(lambda: False, "pigs to fly", 0)
    assert wait_until(lambda: "now", "anything", 0) == "now"


def _entries(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Read a newc archive, by the format's description: {name: (mode, content)}."""
    found: dict[str, tuple[int, bytes]] = {}
    offset = 0
    while True:
        assert data[offset : offset + 6] == b"070701"
        fields = [int(data[offset + 6 + 8 * n : offset + 14 + 8 * n], 16) for n in range(13)]
        size, name_size = fields[6], fields[11]
        start = offset + 110
        name = data[start : start + name_size - 1].decode()
        body = start + name_size + -(110 + name_size) % 4
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], data[body : body + size])
        offset = body + size + -size % 4


def test_cpio(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "a").mkdir(mode=0o750)
    (tmp_path / "a/file").write_bytes(b"12345")
    (tmp_path / "a/file").chmod(0o4711)
    (tmp_path / "link").symlink_to("a/file")
    os.mkfifo(tmp_path / "pipe", 0o600)
    out = io.BytesIO()
    cpio.pack_tree(tmp_path, out)
    found = _entries(out.getvalue())
    assert sorted(found) == [".", "a", "a/file", "link", "pipe"]
    assert found["."] == (stat.S_IFDIR | 0o755, b"")
    assert found["a/file"] == (stat.S_IFREG | 0o4711, b"12345")
    assert found["link"] == (stat.S_IFLNK | 0o777, b"a/file")
    assert found["pipe"] == (stat.S_IFIFO | 0o600, b"")
    assert len(out.getvalue()) % 512 == 0
    out = io.BytesIO()
    cpio.pack_files({"etc/x": "héllo\n"}, out)
    assert _entries(out.getvalue()) == {"etc/x": (0o100644, "héllo\n".encode())}


class TestBytecode:
    """What a host compiled it does not compile again, and nothing else differs."""

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bytecode, "STORE", str(tmp_path / "store"))

    def test_a_source_is_compiled_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = bytecode.compile_source("/tmp/one.zip/m.py", b"def f():\n    return __file__\n")
        monkeypatch.delattr(bytecode, "_compile")
        again = bytecode.compile_source("/tmp/two.zip/m.py", b"def f():\n    return __file__\n")
        assert first.co_code == again.co_code
        inner = [each for each in again.co_consts if hasattr(each, "co_filename")]
        assert [first.co_filename, again.co_filename] == ["/tmp/one.zip/m.py", "/tmp/two.zip/m.py"]
        assert [each.co_filename for each in inner] == ["/tmp/two.zip/m.py"]
        assert len(os.listdir(tmp_path / "store")) == 1

    def test_another_source_is_another(self) -> None:
        codes = [bytecode.compile_source("/tmp/one.zip/m.py", text) for text in (b"A = 1\n", b"A = 2\n", b"A = 2 \n")]
        assert [code.co_consts[0] for code in codes] == [1, 2, 2]

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"N", b"\xe3"])
    def test_a_spoilt_file_is_made_anew(self, tmp_path: Path, content: bytes) -> None:
        good = bytecode.compile_source("/tmp/one.zip/m.py", b"A = 1\n")
        (file,) = (tmp_path / "store").iterdir()
        whole = file.read_bytes()
        file.write_bytes(content)
        assert bytecode.compile_source("/tmp/one.zip/m.py", b"A = 1\n") == good
        assert file.read_bytes() == whole

    def test_errors_are_as_ever(self, tmp_path: Path) -> None:
        with pytest.raises(SyntaxError) as caught:
            bytecode.compile_source("/tmp/one.zip/m.py", b"A = (\n")
        assert caught.value.filename == "/tmp/one.zip/m.py"
        assert not (tmp_path / "store").exists()
        (tmp_path / "store").write_text("in the way")
        assert bytecode.compile_source("/tmp/one.zip/m.py", b"A = 1\n").co_consts[0] == 1

    def test_python_starts_with_it(self, tmp_path: Path) -> None:
        packages = tmp_path / "packages"
        packages.mkdir()
        shutil.copy(bytecode.__file__, packages / Path(bytecode.MODULE).name)
        with zipfile.ZipFile(tmp_path / "module.zip", "w") as archive:
            archive.writestr("inside.py", "import sys\nWHERE = sys._getframe().f_code.co_filename\n")
        script = (
            f"{bytecode.HOOK_TEXT.strip()}; lab_bytecode.STORE = {str(tmp_path / 'store')!r}; "
            "sys.path.insert(0, 'module.zip'); import inside; print(inside.WHERE)"
        )
        for _turn in range(2):
            command = [sys.executable, "-c", f"import sys; sys.path.insert(0, 'packages'); {script}"]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
            assert done.stdout == f"module.zip{os.sep}inside.py\n"
        assert len(os.listdir(tmp_path / "store")) == 1


class TestBuilds:
    """Images are built side by side, and none is left behind when one fails."""

    def test_all_end_with_the_first_that_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIDONE_LAB_CACHE", str(tmp_path / "cache"))
        (tmp_path / "mmdebstrap").write_text(
            '#!/bin/sh\nfor last; do :; done\nmkdir "$last"\ncase $* in *bullseye*) echo no room; exit 1;; esac\nexec sleep 30\n'
        )
        (tmp_path / "mmdebstrap").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        begun = time.monotonic()
        with pytest.raises(LabError, match="building the bullseye image failed:\nno room"):
            images.build_all([recipes.KINDS[name] for name in ("bullseye", "bookworm", "trixie")])
        assert time.monotonic() - begun < 20
        assert [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []

    def test_nothing_begins_after_the_end(self) -> None:
        builds = images._Builds()
        assert builds.run(["echo", "one"], 1).stdout == "one\n"
        builds.end()
        with pytest.raises(LabError, match="interrupted"):
            builds.run(["echo", "two"], 1)


class TestArchives:
    """Ansible makes the archive of a module once for all playbook servers that share a directory."""

    @pytest.fixture(autouse=True)
    def _own_servers(self, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
        monkeypatch.setattr(runner, "_servers", {})
        monkeypatch.delenv("PIDONE_ARCHIVES", raising=False)
        yield
        runner.close()

    @staticmethod
    def ping(env: dict[str, str] | None = None) -> None:
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        host = t.cast("Host", SimpleNamespace(name="here", inventory=lambda: local))
        assert runner.task(host, "ansible.builtin.ping", env=env)["ping"] == "pong"

    def test_made_once(self) -> None:
        with runner.shared_archives():
            folder = Path(os.environ["PIDONE_ARCHIVES"])
            self.ping()
            (archive,) = folder.glob("ansible.modules.ping-*[!k]")
            made = archive.stat().st_mtime_ns, archive.stat().st_ino
            runner.close()
            self.ping()
            assert (archive.stat().st_mtime_ns, archive.stat().st_ino) == made
            runner.close()
            assert archive.exists()
        assert not folder.exists()
        assert "PIDONE_ARCHIVES" not in os.environ

    def test_another_environment_has_its_own(self) -> None:
        with runner.shared_archives():
            self.ping({"ANSIBLE_COLLECTIONS_PATH": "/nowhere"})
            assert os.listdir(os.environ["PIDONE_ARCHIVES"]) == []
