# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of the carried jeepney: what is kept, and what is not trusted."""

from __future__ import annotations

import base64
import hashlib
import io
import marshal
import os
import stat
import sys
import time
import typing as t
import zipfile
import zlib
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import carrier, keeping, luggage
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._kept import folder as kept

ME = os.geteuid()
SOURCES = {"__init__": "__version__ = '0.9.0'\n", "auth": "WHO = 'auth'\n", "low_level": "WHO = 'low_level'\n"}


class Task(t.NamedTuple):
    """What the action plugin gives a task."""

    digest: str
    text: str

    def run(self, monkeypatch: pytest.MonkeyPatch, bring: bool = False) -> tuple[t.Any, t.Any]:
        monkeypatch.setitem(luggage, "wanted", self.digest)
        if bring:
            monkeypatch.setitem(luggage, "zip", self.text)
        else:
            monkeypatch.delitem(luggage, "zip", raising=False)
        return carrier.import_jeepney()


def task(**sources: str) -> Task:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("jeepney/LICENSE", "MIT")
        for name, source in {**SOURCES, **sources}.items():
            archive.writestr(zipfile.ZipInfo(f"jeepney/{name}.py"), source)
    data = buffer.getvalue()
    return Task(hashlib.sha256(data).hexdigest(), base64.b64encode(zlib.compress(data)).decode())


@pytest.fixture
def first(tmp_path: Path) -> Path:
    path = tmp_path / "first"
    path.mkdir()
    return path


@pytest.fixture
def second(tmp_path: Path) -> Path:
    path = tmp_path / "second"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def bare_host(monkeypatch: pytest.MonkeyPatch, first: Path, second: Path) -> t.Iterator[None]:
    """A host without a jeepney of its own and two directories to keep one in."""
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "jeepney"}
    for name in before:
        del sys.modules[name]
    monkeypatch.setattr(carrier, "import_own", lambda: None)
    use(monkeypatch, first, second)
    monkeypatch.delenv(kept.DIRECTORY, raising=False)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "jeepney"]:
        del sys.modules[name]
    sys.modules.update(before)


def use(monkeypatch: pytest.MonkeyPatch, *bases: Path) -> None:
    for module in (carrier, keeping):
        monkeypatch.setattr(module, "bases", lambda: [str(base) for base in bases])


def folder(base: Path) -> Path:
    return base / f"pidone.systemd-{ME}"


def archive_of(base: Path, wanted: Task) -> Path:
    return folder(base) / f"jeepney-{wanted.digest}.zip"


def compiled_of(base: Path, wanted: Task) -> Path:
    return folder(base) / f"jeepney-{wanted.digest}.{sys.implementation.cache_tag}"


def assert_missing(wanted: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(carrier.JeepneyMissing) as caught:
        wanted.run(monkeypatch)
    assert caught.value.data == {"pidone_jeepney": {"missing": True}}


# -- carrying


def test_a_task_that_brings_nothing_is_told_what_to_do() -> None:
    with pytest.raises(carrier.JeepneyMissing) as caught:
        carrier.import_jeepney()
    assert caught.value.data == {"pidone_jeepney": {"missing": True}}
    for word in (sys.executable, "pip install jeepney", "python3-jeepney"):
        assert word in caught.value.msg


def test_missing_then_brought_then_kept(monkeypatch: pytest.MonkeyPatch, first: Path, second: Path) -> None:
    wanted = task()
    assert_missing(wanted, monkeypatch)
    assert not list(first.iterdir()), "a task that finds nothing leaves nothing"

    low_level, auth = wanted.run(monkeypatch, bring=True)
    assert (low_level.WHO, auth.WHO) == ("low_level", "auth")
    assert folder(first).stat().st_mode & 0o7777 == 0o700
    assert {path.name: path.stat().st_mode & 0o7777 for path in folder(first).iterdir()} == {
        archive_of(first, wanted).name: 0o600,
        compiled_of(first, wanted).name: 0o600,
    }
    assert not list(second.iterdir())

    monkeypatch.setattr(keeping, "_compile", lambda *args: pytest.fail("compiled again"))
    monkeypatch.setattr(keeping, "write", lambda *args: pytest.fail("written again"))
    low_level, auth = wanted.run(monkeypatch)
    assert (low_level.WHO, auth.WHO) == ("low_level", "auth")


def test_two_controllers_with_different_versions_do_not_disturb_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = task(), task(low_level="WHO = 'newer'\n")
    old.run(monkeypatch, bring=True)
    assert_missing(new, monkeypatch)
    new.run(monkeypatch, bring=True)
    assert new.run(monkeypatch)[0].WHO == "newer"
    assert old.run(monkeypatch)[0].WHO == "low_level"


def test_what_nobody_brought_for_long_goes(monkeypatch: pytest.MonkeyPatch, first: Path) -> None:
    ancient, recent, new = task(auth="A = 1"), task(auth="A = 2"), task()
    ancient.run(monkeypatch, bring=True)
    for path in folder(first).iterdir():
        os.utime(path, (time.time() - 100 * 86400,) * 2)
    recent.run(monkeypatch, bring=True)
    new.run(monkeypatch, bring=True)
    assert not archive_of(first, ancient).exists()
    assert not compiled_of(first, ancient).exists()
    assert archive_of(first, recent).exists()


def test_damaged_on_the_way(monkeypatch: pytest.MonkeyPatch, first: Path) -> None:
    wanted = task()
    for text in ("%%%", wanted.text[:50], task(auth="evil").text):
        with pytest.raises(SystemdError, match="damaged on the way") as caught:
            Task(wanted.digest, text).run(monkeypatch, bring=True)
        assert not isinstance(caught.value, carrier.JeepneyMissing)
    assert not list(first.iterdir())


def test_python_that_jeepney_is_not_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemdError, match="is not for Python 3") as caught:
        task(low_level="match = = 1\n").run(monkeypatch, bring=True)
    assert "python3-jeepney" in caught.value.msg
    with pytest.raises(SystemdError, match=r"does not work with .*No module named 'nowhere'") as caught:
        task(low_level="import nowhere\n").run(monkeypatch, bring=True)
    assert "python3-jeepney" in caught.value.msg


def test_modules_are_compiled_without_the_carriers_own_future_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    low_level, _auth = task(low_level="def f(x: int): pass\n").run(monkeypatch, bring=True)
    assert low_level.f.__annotations__ == {"x": int}


# -- where it is kept


def test_the_second_directory_where_the_first_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, first: Path, second: Path
) -> None:
    first.rmdir()
    first.write_text("in the way")
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    assert archive_of(second, wanted).exists()
    assert wanted.run(monkeypatch)[0].WHO == "low_level"


def test_no_directory_at_all_is_one_error_with_all_remedies(
    monkeypatch: pytest.MonkeyPatch, first: Path, second: Path
) -> None:
    first.rmdir()
    second.rmdir()
    second.write_text("in the way")
    with pytest.raises(SystemdError) as caught:
        task().run(monkeypatch, bring=True)
    assert not isinstance(caught.value, carrier.JeepneyMissing), "bringing it again would not help"
    for word in (
        f"{first}: No such file or directory",
        f"{second}: Not a directory",
        f"environment: {{{kept.DIRECTORY}: /some/directory}}",
        "python3-jeepney",
        f"uid {ME}",
    ):
        assert word in caught.value.msg


def test_a_full_disk_leaves_no_rests(monkeypatch: pytest.MonkeyPatch, first: Path, second: Path) -> None:
    wanted, real = task(), os.write

    def write(file: int, data: bytes) -> int:
        if os.readlink(f"/proc/self/fd/{file}").startswith(str(first)):
            raise OSError(28, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(keeping.os, "write", write)
    wanted.run(monkeypatch, bring=True)
    assert not list(folder(first).iterdir())
    assert archive_of(second, wanted).exists()


def test_the_rest_of_a_killed_task_is_in_nobodys_way(monkeypatch: pytest.MonkeyPatch, first: Path) -> None:
    wanted = task()
    folder(first).mkdir(mode=0o700)
    (folder(first) / f".{archive_of(first, wanted).name}.{os.getpid()}").write_text("half")
    wanted.run(monkeypatch, bring=True)
    assert wanted.run(monkeypatch)[0].WHO == "low_level"
    assert len(list(folder(first).iterdir())) == 2


def test_the_users_choice_is_the_only_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv(kept.DIRECTORY, "/srv/somewhere")
    assert carrier.bases() == ["/srv/somewhere"]
    monkeypatch.delenv(kept.DIRECTORY)
    monkeypatch.setenv("HOME", "/home/somebody-else")
    bases = carrier.bases()
    assert bases[0].endswith("/.cache")
    assert "somebody-else" not in bases[0]
    assert bases[1] == "/var/tmp"


def test_the_cache_of_a_new_user_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, tmp_path / ".cache")
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    assert (tmp_path / ".cache").stat().st_mode & 0o7777 == 0o700
    assert archive_of(tmp_path / ".cache", wanted).exists()


# -- what is not trusted


def test_a_tampered_archive_is_brought_again(monkeypatch: pytest.MonkeyPatch, first: Path) -> None:
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    archive_of(first, wanted).write_bytes(archive_of(first, wanted).read_bytes()[:-1] + b"x")
    assert_missing(wanted, monkeypatch)
    assert wanted.run(monkeypatch, bring=True)[0].WHO == "low_level"
    assert wanted.run(monkeypatch)[0].WHO == "low_level"


EVIL = marshal.dumps(
    {name: compile("WHO = 'evil'", "evil", "exec") for name in ("jeepney", "jeepney.auth", "jeepney.low_level")}
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MAGIC_NUMBER,
        MAGIC_NUMBER + b"\0" * 32 + EVIL,
        b"\0\0\0\0" + hashlib.sha256(EVIL).digest() + EVIL,
        EVIL,
    ],
    ids=["empty", "cut", "wrong digest", "other python", "no header"],
)
def test_doubtful_compiled_code_is_made_anew(monkeypatch: pytest.MonkeyPatch, first: Path, content: bytes) -> None:
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    good = compiled_of(first, wanted).read_bytes()
    compiled_of(first, wanted).write_bytes(content)
    assert wanted.run(monkeypatch)[0].WHO == "low_level"
    assert compiled_of(first, wanted).read_bytes() == good


def test_files_that_others_can_write_are_not_used(monkeypatch: pytest.MonkeyPatch, first: Path) -> None:
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    compiled = compiled_of(first, wanted)
    compiled.write_bytes(MAGIC_NUMBER + hashlib.sha256(EVIL).digest() + EVIL)
    compiled.chmod(0o620)
    assert wanted.run(monkeypatch)[0].WHO == "low_level"
    assert compiled.stat().st_mode & 0o7777 == 0o600, "replaced by a file of our own"
    archive_of(first, wanted).chmod(0o602)
    assert_missing(wanted, monkeypatch)


def test_links_are_not_followed(monkeypatch: pytest.MonkeyPatch, first: Path, tmp_path: Path) -> None:
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    for path in (archive_of(first, wanted), compiled_of(first, wanted)):
        path.rename(tmp_path / path.name)
        path.symlink_to(tmp_path / path.name)
    (tmp_path / compiled_of(first, wanted).name).write_bytes(MAGIC_NUMBER + hashlib.sha256(EVIL).digest() + EVIL)
    assert_missing(wanted, monkeypatch)
    assert wanted.run(monkeypatch, bring=True)[0].WHO == "low_level"
    assert not archive_of(first, wanted).is_symlink()
    assert not compiled_of(first, wanted).is_symlink()


def test_a_fifo_blocks_nobody(monkeypatch: pytest.MonkeyPatch, first: Path) -> None:
    wanted = task()
    folder(first).mkdir(mode=0o700)
    os.mkfifo(archive_of(first, wanted))
    assert_missing(wanted, monkeypatch)


def test_a_linked_directory_is_not_used(
    monkeypatch: pytest.MonkeyPatch, first: Path, second: Path, tmp_path: Path
) -> None:
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    folder(first).rename(tmp_path / "moved")
    folder(first).symlink_to(tmp_path / "moved")
    assert_missing(wanted, monkeypatch)
    wanted.run(monkeypatch, bring=True)
    assert archive_of(second, wanted).exists()


def test_a_directory_that_hands_its_group_down_is_used(monkeypatch: pytest.MonkeyPatch, first: Path) -> None:
    first.chmod(0o2755)
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    assert stat.S_IMODE(folder(first).stat().st_mode) == 0o2700, "the system does not hand it down: nothing was tested"
    assert archive_of(first, wanted).exists()
    wanted.run(monkeypatch)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o755, 0o701, 0o2770])
def test_a_directory_open_to_others_is_not_used(
    monkeypatch: pytest.MonkeyPatch, first: Path, second: Path, mode: int
) -> None:
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    folder(first).chmod(mode)
    assert_missing(wanted, monkeypatch)
    wanted.run(monkeypatch, bring=True)
    assert archive_of(second, wanted).exists()
    second.rename(second.with_name("gone"))
    with pytest.raises(SystemdError, match=f"with mode {mode:04o}, not to uid {ME} with 0700"):
        wanted.run(monkeypatch, bring=True)


def test_what_belongs_to_somebody_else_is_not_used(monkeypatch: pytest.MonkeyPatch, first: Path) -> None:
    """Seen from the other side, so that it needs no root: everything is ours, and the task runs as another user."""
    wanted = task()
    wanted.run(monkeypatch, bring=True)
    kept, other = folder(first), ME + 1
    kept.rename(first / f"pidone.systemd-{other}")
    monkeypatch.setattr(carrier.os, "geteuid", lambda: other)
    opened = carrier.open_folder(str(first))
    assert opened == f"{first}/pidone.systemd-{other} belongs to uid {ME} with mode 0700, not to uid {other} with 0700"
    assert_missing(wanted, monkeypatch)

    descriptor = os.open(first / f"pidone.systemd-{other}", os.O_RDONLY)
    try:
        assert carrier.read(descriptor, archive_of(first, wanted).name) is None
        monkeypatch.undo()
        assert carrier.read(descriptor, archive_of(first, wanted).name) is not None
    finally:
        os.close(descriptor)


# -- the host's own


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Callable[..., None]:
    """Give the host a jeepney of its own."""

    def install(**sources: str) -> None:
        package = tmp_path / "own" / "jeepney"
        package.mkdir(parents=True)
        for name, source in {**SOURCES, **sources}.items():
            (package / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(package.parent))

    return install


REAL_IMPORT_OWN = carrier.import_own


@pytest.fixture
def real_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "import_own", REAL_IMPORT_OWN)


@pytest.mark.usefixtures("real_import")
def test_the_hosts_own_comes_first_and_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, own: t.Callable[..., None], first: Path
) -> None:
    own(auth="class Authenticator: pass\nWHO = 'own'\n")
    _low_level, auth = task().run(monkeypatch, bring=True)
    assert auth.WHO == "own"
    assert not list(first.iterdir())


@pytest.mark.usefixtures("real_import")
@pytest.mark.parametrize(
    "sources",
    [{"auth": "class SASLParser: pass\n"}, {"__init__": "from .gone import x\n"}, {"low_level": "1 / 0\n"}],
    ids=["older than 0.7", "incomplete", "broken"],
)
def test_an_unusable_one_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, own: t.Callable[..., None], sources: dict[str, str]
) -> None:
    own(**sources)
    wanted = task()
    assert_missing(wanted, monkeypatch)
    low_level, auth = wanted.run(monkeypatch, bring=True)
    assert (low_level.WHO, auth.WHO) == ("low_level", "auth")
    assert sys.modules["jeepney"].__file__ == f"jeepney-{wanted.digest[:12]}.zip/jeepney/__init__.py"
