# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks load their archive's sources from what is kept: real processes with real archives, and what is not trusted."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import marshal
import os
import shutil
import subprocess
import sys
import time
import typing as t
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.action import unit as plugin
from ansible_collections.pidone.systemd.plugins.module_utils import _compiled
from ansible_collections.pidone.systemd.plugins.module_utils._kept import folder as kept
from ansible_collections.pidone.systemd.plugins.module_utils._kept import writing
from ansible_collections.pidone.systemd.plugins.plugin_utils import _early

PLUGINS = Path(__file__).parents[3] / "plugins"
UTILS = "ansible_collections/pidone/systemd/plugins/module_utils"
DOTTED = UTILS.replace("/", ".")
ME = os.geteuid()

# Long enough to be kept.
FILLING = "# " + "x" * 500 + "\n"
SAMPLE = FILLING + "import sys\nclass Thing:\n    def where(self):\n        return sys._getframe().f_code.co_filename\n"

# Counts what is compiled, runs what a module would, and tells what it found.
TASK = """
import json, sys
compiled = []
def listen(event, values):
    if event == "compile" and values[1] and "sample" in str(values[1]):
        compiled.append(str(values[1]).rpartition("/")[2])
sys.addaudithook(listen)
sys.path.insert(0, sys.argv[1])
import importlib
from {utils} import _compiled
for number in range(int(sys.argv[2])):
    importlib.import_module("{utils}._parts.sample" + str(number))
from {utils}._parts import sample0 as sample
import inspect, linecache, pkgutil, traceback
try:
    sample.Thing().missing
except AttributeError:
    pass
told = dict(
    compiled=compiled, file=sample.__file__, where=sample.Thing().where(), name=sample.__name__,
    package=sample.__package__, spec=[sample.__spec__.name, sample.__spec__.origin, sample.__spec__.has_location],
    path=list(sys.modules["{utils}._parts"].__path__), source=inspect.getsource(sample.Thing),
    data=pkgutil.get_data("{utils}._parts", "sample0.py").decode(),
    names=[found.name for found in pkgutil.iter_modules(sys.modules["{utils}._parts"].__path__)],
    loader=sample.__loader__.get_source(sample.__name__)[:5], filename=sample.__loader__.get_filename(sample.__name__),
    served=type(sample.__loader__).__module__.endswith("._compiled"), code=sample.Thing.where.__code__.co_code.hex(),
)
print(json.dumps(told))
""".replace("{utils}", DOTTED)


class Site(t.NamedTuple):
    """A host: where archives are unpacked to, and the directory that things are kept below."""

    place: Path
    base: Path

    @property
    def folder(self) -> Path:
        return self.base / f"pidone.systemd-{ME}"

    def files(self) -> list[Path]:
        """What is kept."""
        return sorted(self.folder.glob("code-*")) if self.folder.exists() else []

    def start(
        self, *sources: str, python: tuple[str, ...] = (sys.executable,), **environment: str
    ) -> subprocess.Popen[str]:
        """Start a task whose archive has these sources."""
        folder = self.place / f"payload-{time.monotonic_ns()}"
        folder.mkdir()
        archive = folder / "payload.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            parts = UTILS.split("/")
            for depth in range(1, len(parts) + 1):
                opened.writestr("/".join([*parts[:depth], "__init__.py"]), "")
            for name in ("_compiled.py", "_kept/__init__.py", "_kept/folder.py", "_kept/writing.py"):
                opened.write(PLUGINS / "module_utils" / name, f"{UTILS}/{name}")
            opened.writestr(f"{UTILS}/_parts/__init__.py", "")
            for number, source in enumerate(sources):
                opened.writestr(f"{UTILS}/_parts/sample{number}.py", source)
        return subprocess.Popen(
            [*python, "-c", TASK, str(archive), str(len(sources))],
            env={kept.DIRECTORY: str(self.base), "PATH": os.environ["PATH"], **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def task(self, *sources: str, **options: t.Any) -> dict[str, t.Any]:
        """Run one; what it told."""
        process = self.start(*sources or (SAMPLE,), **options)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        return t.cast("dict[str, t.Any]", json.loads(out))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    for name in ("tmp", "base"):
        (tmp_path / name).mkdir()
    return Site(tmp_path / "tmp", tmp_path / "base")


# -- what is served


def test_the_second_task_compiles_nothing_and_writes_nothing(site: Site) -> None:
    first = site.task()
    assert first["compiled"] == ["sample0.py"], "once; zipimport alone would do it twice"
    (file,) = site.files()
    assert site.folder.stat().st_mode & 0o7777 == 0o700
    assert file.stat().st_mode & 0o7777 == 0o600
    before = [(path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in site.folder.iterdir()]

    second = site.task()
    assert second["compiled"] == []
    assert [(path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in site.folder.iterdir()] == before


def test_served_modules_are_as_python_loads_them(site: Site) -> None:
    site.task()
    served, own = site.task(), site.task(**{_compiled.SWITCH: "false"})
    assert (served["served"], own["served"]) == (True, False)
    for told in (served, own):
        archive = told["file"].rpartition(f"/{UTILS}")[0]
        assert archive.startswith(str(site.place))
        assert told["where"] == told["file"] == told["filename"] == told["spec"][1]
        assert told["path"] == [f"{archive}/{UTILS}/_parts"]
        assert told["source"].startswith("class Thing:\n    def where(self):")
        assert told["data"] == SAMPLE
    for what in ("name", "package", "names", "loader", "code"):
        assert served[what] == own[what], what
    assert served["spec"][::2] == own["spec"][::2]


def test_another_source_of_the_same_name_is_compiled_and_both_are_kept(site: Site) -> None:
    other = SAMPLE.replace("xxx", "xxy")
    assert [site.task(source)["compiled"] for source in (SAMPLE, other, SAMPLE, other)] == [
        ["sample0.py"],
        ["sample0.py"],
        [],
        [],
    ]
    assert len(site.files()) == 2


def test_another_way_to_compile_is_another_file(site: Site) -> None:
    site.task()
    assert site.task(python=(sys.executable, "-O"))["compiled"] == ["sample0.py"]
    assert len(site.files()) == 2


def test_what_is_short_is_not_kept(site: Site) -> None:
    site.task("class Thing:\n    def where(self): return None\n")
    assert not site.folder.exists()


def test_a_broken_source_is_pythons_own_error(site: Site) -> None:
    process = site.start(SAMPLE + "x = = 1\n")
    assert "SyntaxError: invalid syntax" in process.communicate(timeout=60)[1]
    assert not site.files()


@pytest.mark.parametrize("value", ["false", "False", "0", "no"])
def test_users_can_turn_it_off(site: Site, value: str) -> None:
    assert site.task(**{_compiled.SWITCH: value})["compiled"]
    assert not site.folder.exists()


def test_python_told_to_write_no_bytecode_writes_none(site: Site) -> None:
    assert site.task(PYTHONDONTWRITEBYTECODE="1")["compiled"] == ["sample0.py"]
    assert not site.folder.exists()
    site.task()
    assert site.task(PYTHONDONTWRITEBYTECODE="1")["compiled"] == []


def test_many_tasks_at_once(site: Site) -> None:
    sources = [SAMPLE + f"N = {number}\n" for number in range(5)]
    for process in [site.start(*sources) for _number in range(6)]:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert json.loads(out)["name"].endswith("sample0")
    assert len(site.files()) == len(list(site.folder.iterdir())) == 5
    assert site.task(*sources)["compiled"] == []


def test_nothing_is_done_outside_of_an_archive() -> None:
    assert not [finder for finder in sys.meta_path if isinstance(finder, _compiled.Finder)]


# -- what is not trusted

EVIL = marshal.dumps(compile("raise SystemExit('evil')", "evil", "exec"))


def sealed(body: bytes) -> bytes:
    return MAGIC_NUMBER + hashlib.sha256(body).digest() + body


def assert_made_anew(site: Site, good: bytes) -> None:
    assert site.task()["compiled"] == ["sample0.py"]
    (file,) = site.files()
    assert not file.is_symlink()
    assert file.stat().st_mode & 0o7777 == 0o600
    assert marshal.loads(file.read_bytes()[36:]).co_code == marshal.loads(good[36:]).co_code
    assert site.task()["compiled"] == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MAGIC_NUMBER,
        MAGIC_NUMBER + b"\0" * 32 + EVIL,
        b"\0\0\0\0" + hashlib.sha256(EVIL).digest() + EVIL,
        EVIL,
        sealed(marshal.dumps({"not": "code"})),
        sealed(b""),
        sealed(b"\xff" * 99),
    ],
    ids=["empty", "cut", "wrong digest", "other python", "no header", "no code", "nothing", "garbage"],
)
def test_a_doubtful_file_is_made_anew(site: Site, content: bytes) -> None:
    site.task()
    (file,) = site.files()
    good = file.read_bytes()
    file.write_bytes(content)
    assert_made_anew(site, good)


def test_half_a_file_is_made_anew(site: Site) -> None:
    site.task()
    (file,) = site.files()
    good = file.read_bytes()
    file.write_bytes(good[: len(good) // 2])
    assert_made_anew(site, good)


def test_a_file_that_others_can_write_is_made_anew(site: Site) -> None:
    site.task()
    (file,) = site.files()
    good = file.read_bytes()
    for mode in (0o620, 0o602):
        file.write_bytes(sealed(EVIL))
        file.chmod(mode)
        assert_made_anew(site, good)


def test_a_link_is_made_anew(site: Site) -> None:
    site.task()
    (file,) = site.files()
    good = file.read_bytes()
    (site.place / "evil").write_bytes(sealed(EVIL))
    (site.place / "evil").chmod(0o600)
    file.unlink()
    file.symlink_to(site.place / "evil")
    assert_made_anew(site, good)


def test_a_fifo_blocks_nobody(site: Site) -> None:
    site.task()
    (file,) = site.files()
    good = file.read_bytes()
    file.unlink()
    os.mkfifo(file)
    assert_made_anew(site, good)


def test_a_directory_in_the_way(site: Site) -> None:
    site.task()
    (file,) = site.files()
    file.unlink()
    file.mkdir()
    for _time in (1, 2):
        assert site.task()["compiled"] == ["sample0.py"]
    assert [path.name for path in site.folder.iterdir()] == [file.name]


@pytest.mark.skipif(ME != 0, reason="gives files to somebody else")
def test_what_belongs_to_somebody_else_is_not_used(site: Site) -> None:
    site.task()
    (file,) = site.files()
    good = file.read_bytes()
    file.write_bytes(sealed(EVIL))
    os.chown(file, 65534, 65534)
    assert_made_anew(site, good)

    site.files()[0].write_bytes(sealed(EVIL))
    os.chown(site.folder, 65534, 65534)
    assert site.task()["compiled"] == ["sample0.py"]


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o755, 0o701])
def test_a_directory_open_to_others_is_not_used(site: Site, mode: int) -> None:
    site.task()
    (file,) = site.files()
    file.write_bytes(sealed(EVIL))
    site.folder.chmod(mode)
    assert site.task()["compiled"] == ["sample0.py"]
    assert file.read_bytes() == sealed(EVIL), "nor is anything written there"


def test_a_linked_directory_is_not_used(site: Site) -> None:
    site.task()
    site.files()[0].write_bytes(sealed(EVIL))
    site.folder.rename(site.place / "moved")
    site.folder.symlink_to(site.place / "moved")
    assert site.task()["compiled"] == ["sample0.py"]


# -- where nothing can be kept


def test_nowhere_to_keep_it(site: Site) -> None:
    shutil.rmtree(site.base)
    site.base.write_text("in the way")
    told = site.task(SAMPLE, SAMPLE + "N = 1\n")
    assert told["compiled"] == ["sample0.py", "sample1.py"]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, site: Site) -> t.Any:
    """A store of this very process."""
    monkeypatch.setenv(kept.DIRECTORY, str(site.base))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return _compiled._Store()


class Python:
    """A loader that compiles, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def get_code(self, name: str) -> t.Any:
        self.count += 1
        return compile(SAMPLE, "/a/sample.py", "exec")


def test_a_full_disk_is_tried_once(monkeypatch: pytest.MonkeyPatch, site: Site, store: t.Any) -> None:
    tried: list[int] = []

    def write(file: int, data: bytes) -> int:
        tried.append(file)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    python = Python()
    for source in (SAMPLE, SAMPLE + "1", SAMPLE + "2"):
        assert store.code(python, "x", "/b/sample.py", source.encode()) is not None
    assert (python.count, len(tried)) == (3, 1)
    assert not list(site.folder.iterdir())


def test_the_file_name_is_that_of_this_task(store: t.Any) -> None:
    python = Python()
    for path in ("/a/sample.py", "/b/sample.py"):
        code = store.code(python, "x", path, SAMPLE.encode())
        assert code.co_filename == path
        assert {each.co_filename for each in code.co_consts if hasattr(each, "co_filename")} == {path}
    assert python.count == 1


@pytest.mark.parametrize("what", ["geteuid", "getpid"])
def test_nothing_is_served_as_another_user_or_to_a_child(
    monkeypatch: pytest.MonkeyPatch, store: t.Any, what: str
) -> None:
    python = Python()
    store.code(python, "x", "/a/sample.py", SAMPLE.encode())
    other = getattr(os, what)() + 1
    monkeypatch.setattr(os, what, lambda: other)
    assert store.code(python, "x", "/a/sample.py", SAMPLE.encode()) is None
    monkeypatch.undo()
    assert store.code(python, "x", "/a/sample.py", SAMPLE.encode()) is not None
    assert python.count == 1


def test_a_process_with_the_rights_of_two_users_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(sys.meta_path)
    monkeypatch.setattr(os, "getuid", lambda: ME + 1)
    _compiled.install("/some/archive.zip")
    assert sys.meta_path == before


def test_old_files_and_too_many_go(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    site.folder.mkdir(mode=0o700)
    now = time.time()
    for number in range(10):
        path = site.folder / f"code-{number}.x"
        path.write_text("")
        os.utime(path, (now - number * 86400 * 15,) * 2)
    for name in ("jeepney-1.zip", ".code-1.x.99"):
        (site.folder / name).write_text("")
        os.utime(site.folder / name, (now - 100 * 86400,) * 2)
    opened = os.open(site.folder, os.O_RDONLY)
    try:
        writing.tidy(opened, "code", 5)
    finally:
        os.close(opened)
    assert {path.name for path in site.folder.iterdir()} == {*(f"code-{n}.x" for n in range(5)), "jeepney-1.zip"}


# -- who imports it when

MODULES = sorted(path for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_imports_it_before_all_that_it_serves(path: Path) -> None:
    ours = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "ansible" in ast.unparse(node)
    ]
    assert ast.unparse(ours[0]) == f"from {DOTTED} import _compiled"


def test_it_needs_little_that_it_cannot_serve() -> None:
    names = set()
    for name in ("_compiled.py", "_kept/folder.py"):
        for node in ast.walk(ast.parse((PLUGINS / "module_utils" / name).read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ansible"):
                names.add(node.module.rpartition(".")[2])
    assert names == {"folder", "writing"}


@dataclasses.dataclass(frozen=True)
class Built:
    """As ansible-core's."""

    b_module_data: bytes
    shebang: str = "#!/usr/bin/python3"


def test_the_program_that_ansible_sends_is_made_to_import_it_first() -> None:
    from ansible.executor import module_common

    program = module_common._get_ansiballz_code("#!/usr/bin/python3").encode()
    changed = _early.start_early(program)
    lines = changed.decode().splitlines()
    at = lines.index(f"            import {DOTTED}._compiled")
    assert lines[at - 1].strip() == "try:"
    assert lines[at + 3] == "        from ansible.module_utils._internal._ansiballz import _loader"
    assert "sys.path.insert(0, modlib_path)" in "".join(lines[at - 6 : at])
    compile(changed, "program", "exec")


@pytest.mark.parametrize("program", [b"", b"#!/bin/sh\n", _early._LOADS * 2], ids=["none", "other", "two places"])
def test_an_unknown_program_is_sent_as_it_is(program: bytes) -> None:
    assert _early.start_early(program) == program
    assert _early.with_early_start((Built(program), "/x")) == (Built(program), "/x")


@pytest.mark.parametrize("configured", [None, ("new", "#!", b"data", "/x"), (object(), "/x"), (Built("text"), "/x")])  # type: ignore[arg-type]
def test_an_ansible_that_configures_otherwise_is_left_alone(configured: object) -> None:
    assert _early.with_early_start(configured) is configured


def test_only_the_tasks_own_module_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    task = types.SimpleNamespace(action="pidone.systemd.unit", args={}, async_val=0, check_mode=False)
    action = plugin.ActionModule(task, types.SimpleNamespace(), None, None, None)
    built = (Built(_early._LOADS), "/x")
    monkeypatch.setattr(plugin.ActionBase, "_configure_module", lambda self, *args, **options: built)
    assert action._configure_module("ansible.legacy.async_wrapper", module_args={}, task_vars={}) is built
    own, path = action._configure_module(module_name="pidone.systemd.unit", module_args={}, task_vars={})
    assert (DOTTED.encode() in own.b_module_data, path, own.shebang) == (True, "/x", built[0].shebang)
