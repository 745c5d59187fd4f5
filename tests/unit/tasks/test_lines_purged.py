# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `purge` of tmpfiles and sysusers removes, and what it must not: others', what was there before, what users lead it to."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, LeftAlone, Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.node_was import Node, NodeWas, real_path
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.offline import open_offline
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree, UnsafeWay
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines import (
    steps,
    sysusers,
    sysusers_line,
    tmpfiles,
    tmpfiles_line,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import Specifiers
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.kept import Kept, matcher_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.place import ConfigurationFile
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.record import Record
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles_aged import (
    Aged,
    keeping_lines,
)

ALICE, BOB = 61234, 61235
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes what is another's")


class Bench:
    """A tree, and tasks on the files `app.conf` in it, planned and carried out as without a host."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # What the program was given to do.
        self.given: list[tuple[list[str], list[str]]] = []
        self.session = SimpleNamespace(scope="system", root=str(root), uid=0, home="", gone=False)

    def write(self, path: str, text: str = "", owner: int = 0) -> None:
        """A file, and the directories that it is in."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.own(path, owner)

    def make(self, path: str, owner: int = 0) -> None:
        """A directory."""
        (self.root / path).mkdir(parents=True, exist_ok=True)
        self.own(path, owner)

    def link(self, path: str, target: str, owner: int = 0) -> None:
        """A link."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).symlink_to(target)
        self.own(path, owner)

    def own(self, path: str, owner: int) -> None:
        if owner:
            os.chown(self.root / path, owner, owner, follow_symlinks=False)

    def has(self, path: str) -> bool:
        return os.path.lexists(self.root / path)

    def record(self, kind: str, **made: list[str]) -> None:
        """Say that tasks have made this."""
        self.write(self.record_of(kind), json.dumps({"version": 1, "file": "app.conf", "made": made}))

    @staticmethod
    def record_of(kind: str) -> str:
        return f"var/lib/pidone.systemd/made/{kind}/system/app.json"

    def recorded(self, kind: str) -> dict[str, list[str]]:
        file = self.root / self.record_of(kind)
        return t.cast("dict[str, list[str]]", json.loads(file.read_text())["made"]) if file.exists() else {}

    def _file(self, kind: str, params: dict[str, t.Any]) -> tuple[t.Any, ConfigurationFile]:
        module = SimpleNamespace(
            params={"name": "app", "root": str(self.root), "runtime": False, "backup": False, **params},
            check_mode=False,
            set_default_selinux_context=lambda path, changed: changed,
        )
        return module, ConfigurationFile(t.cast(t.Any, module), t.cast(t.Any, self.session), kind)

    def others(self, kind: str, hidden: bool = False, runtime: bool = False) -> list[tuple[str, str]]:
        """The lines of other files, with the path in the tree."""
        _module, file = self._file(kind, {"runtime": runtime})
        return [(path[len(str(self.root)) :], line) for path, line in file.others(hidden)]

    def tmpfiles(self, lines: t.Sequence[str] = (), purge: str = "everything", **more: t.Any) -> Plan:
        """Have the file say these lines, or be gone without; returns the plan, carried out."""
        params = {"apply": False, "clean": False, "remove": False, "purge": purge, **more}
        module, file = self._file("tmpfiles", params)
        mine = [tmpfiles_line.read_line(line) for line in lines]
        assert all(mine)
        task = tmpfiles._Task(module, t.cast(t.Any, self.session), file, t.cast(t.Any, mine), not lines)
        task._tool.verify = lambda lines, accounts: []  # type: ignore[method-assign]
        task._tool.do = lambda args, lines, timeout: self.given.append((list(args), list(lines)))  # type: ignore
        return self._done(task.plan())

    def sysusers(self, lines: t.Sequence[str] = (), **more: t.Any) -> Plan:
        """The same of sysusers."""
        module, file = self._file("sysusers", {"apply": False, "purge": True, **more})
        mine = [sysusers_line.read_line(line) for line in lines]
        assert all(mine)
        task = sysusers._Task(module, t.cast(t.Any, self.session), file, t.cast(t.Any, mine), not lines)
        task._tool.verify = lambda lines, accounts: []  # type: ignore[method-assign]
        return self._done(task.plan())

    def _done(self, plan: Plan) -> Plan:
        with open_offline("system", str(self.root)) as manager:
            ctx = Context(manager)
            for step in plan.steps:
                step.apply(ctx)
        return plan


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "etc").mkdir()
    return Bench(tmp_path)


def said(plan: Plan) -> str:
    return "\n".join(plan.warnings)


# -- where users lead


def _into_vault(bench: Bench, way: str) -> str:
    """Have a way to /vault/app be laid by a user; returns the path by which a line of root's names it."""
    bench.write("vault/app/secret")
    bench.make("home/alice", ALICE)
    bench.make("tmp")
    if way == "absolute":
        bench.link("home/alice/cache", "/vault", ALICE)
    elif way == "relative":
        bench.link("home/alice/cache", "../../vault", ALICE)
    elif way == "link of root's that was moved":
        bench.link("home/alice/cache", "/vault")
    elif way == "directory of root's that was moved":
        os.rename(bench.root / "vault", bench.root / "home/alice/cache")
    elif way == "out of it and back":
        os.rename(bench.root / "vault", bench.root / "home/vault")
        bench.own("home/vault", ALICE)
        bench.link("home/alice/cache", "../vault", ALICE)
    elif way == "over another user's":
        bench.make("home/bob", BOB)
        os.rename(bench.root / "vault", bench.root / "home/bob/vault")
        bench.own("home/bob/vault", BOB)
        bench.link("home/alice/cache", "../bob/vault", ALICE)
    else:
        bench.link("tmp/cache", "../vault" if way == "in a directory for all" else "/vault", ALICE)
        return "/tmp/cache/app"
    return "/home/alice/cache/app"


WAYS = [
    "absolute", "relative", "link of root's that was moved", "directory of root's that was moved", "over another user's",
    "out of it and back", "in a directory for all", "in a directory for all, absolute",
]  # fmt: skip


@as_root
@pytest.mark.parametrize("kind", ["d", "f", "L"])
@pytest.mark.parametrize("way", WAYS)
def test_no_user_leads_root_elsewhere(bench: Bench, way: str, kind: str) -> None:
    path = _into_vault(bench, way)
    vault = next(each for each in ("vault", "home/alice/cache", "home/bob/vault", "home/vault") if (bench.root / each / "app/secret").exists())
    if kind == "f":
        path = f"{path}/secret"
    elif kind == "L":
        (bench.root / vault / "app" / "link").symlink_to("x")
        path = f"{path}/link"
    bench.write("etc/tmpfiles.d/app.conf", f"{kind} {path} - - - - {'x' if kind == 'L' else ''}\n")
    # Whatever was recorded.
    bench.record("tmpfiles", directories=[path, f"/{vault}/app"])
    before = sorted(str(each) for each in (bench.root / vault).rglob("*"))
    plan = bench.tmpfiles()
    assert sorted(str(each) for each in (bench.root / vault).rglob("*")) == before
    assert f"purge: not removed: {path}, the way to which leads from " in said(plan)
    for root in (str(bench.root), ""):
        # Absolute links lead elsewhere on the host, and are followed as little.
        with pytest.raises(UnsafeWay, match=f"user ({ALICE}|{BOB})'s"):
            real_path(f"{bench.root}{path}", root)


@as_root
@pytest.mark.parametrize("way", WAYS)
def test_nor_is_anything_applied_there(bench: Bench, way: str) -> None:
    path = _into_vault(bench, way)
    with pytest.raises(SystemdError, match=r"^lines\[0\].path: .* is left alone, the way to which leads from "):
        bench.tmpfiles([f"d {path}/new"], apply=True)
    # What is not applied is not looked at.
    bench.tmpfiles([f"d {path}/new"])
    assert bench.has("etc/tmpfiles.d/app.conf")


def test_what_no_way_leads_to(bench: Bench) -> None:
    bench.write("srv/file")
    bench.link("srv/loop", "loop")
    for path in ("/srv/file/in/x", "/srv/loop/in"):
        with pytest.raises(SystemdError, match=r"^lines\[0\].path: "):
            bench.tmpfiles([f"d {path}"], apply=True)
        bench.tmpfiles([f"d {path}"])
        assert "clean: " in said(bench.tmpfiles([f"d {path} - - - 1d"], clean=True))
        assert f"{path}, which cannot be looked at" in said(bench.tmpfiles())


@as_root
@pytest.mark.parametrize("kind", ["D", "R"])
def test_nor_removed_by_the_program(bench: Bench, kind: str) -> None:
    path = _into_vault(bench, "relative")
    bench.write("srv/there/x/y")
    bench.link("srv/l", "there")
    plan = bench.tmpfiles([f"{kind} {path}", f"{kind} /srv/l/x", "R /srv/l/x*"], remove=True, purge="nothing")
    assert f"remove: {bench.root}{path} is left alone" in said(plan)
    # That line is not among them, and what they name is told by its real path.
    assert bench.given == [(["--remove"], [f"{kind} /srv/there/x", "R /srv/there/x*"])]


@as_root
def test_nor_cleaned_by_the_program(bench: Bench) -> None:
    path = _into_vault(bench, "relative")
    bench.write("srv/there/in/kept")
    bench.link("srv/l", "there")
    bench.write("etc/tmpfiles.d/other.conf", "f /srv/there/in/kept\nx /srv/l/%A\n")
    lines = [f"d {path} - - - 1us", "d /srv/l/in - - - 1us"]
    plan = bench.tmpfiles(lines, clean=True, purge="nothing")
    assert f"clean: {bench.root}{path} is left alone" in said(plan)
    assert bench.given == []
    bench.write("srv/there/in/old")
    bench.tmpfiles(lines, clean=True, purge="nothing")
    assert bench.given == [(["--clean"], ["d /srv/there/in - - - 1us", "X /srv/there/in/kept", "x /srv/l/%A"])]


@as_root
def test_what_is_trusted_is_followed(bench: Bench) -> None:
    bench.make("vault/a/x")
    bench.link("srv/l", "../vault")
    bench.make("home/alice/big/b", ALICE)
    for each in ("home/alice/big", "home/alice"):
        bench.own(each, ALICE)
    bench.link("home/alice/cache", "big", ALICE)
    bench.write("home/alice/big/b/x", owner=ALICE)
    bench.write("etc/tmpfiles.d/app.conf", "d /srv/l/a\nd /home/alice/cache/b\n")
    bench.record("tmpfiles", directories=["/vault/a", "/home/alice/big/b"])
    plan = bench.tmpfiles()
    assert said(plan) == ""
    assert not bench.has("vault/a")
    assert not bench.has("home/alice/big/b")
    assert bench.recorded("tmpfiles") == {}


@as_root
def test_a_user_moves_a_directory_of_roots_in_the_place_of_one_that_was_made(bench: Bench) -> None:
    bench.make("home/alice", ALICE)
    bench.write("home/alice/app/secret")
    bench.write("etc/tmpfiles.d/app.conf", "d /home/alice/app\n")
    bench.record("tmpfiles", directories=["/home/alice/app"])
    assert "which leads from" in said(bench.tmpfiles())
    assert bench.has("home/alice/app/secret")


@as_root
@pytest.mark.parametrize("way", ["link", "directory"])
def test_the_way_back_is_not_led_elsewhere(bench: Bench, way: str) -> None:
    bench.make("home/alice/cache", ALICE)
    bench.own("home/alice", ALICE)
    bench.make("vault/app")
    path = f"{bench.root}/home/alice/cache/app"
    made = NodeWas(path, None, Node("directory", 0o755, 0, 0))
    gone = NodeWas(f"{path}2", Node("directory", 0o755, 0, 0), None)
    os.rmdir(bench.root / "home/alice/cache")
    if way == "link":
        bench.link("home/alice/cache", str(bench.root / "vault"), ALICE)
    else:
        os.rename(bench.root / "vault", bench.root / "home/alice/cache")
    for note in (made, gone):
        try:
            note.undo(Context(NoManager()))
        except LeftAlone as e:
            assert "is a link by now" in e.msg or "is left alone" in e.msg
        else:
            # What is behind a link is not there at all.
            assert (way, note) == ("link", made)
    vault = bench.root / ("vault" if way == "link" else "home/alice/cache")
    assert [each.name for each in vault.iterdir()] == ["app"]


# -- the same by another name


@pytest.fixture
def app(bench: Bench) -> Bench:
    """A tree in which tasks have made /run/app and /var/lib/app, which hold something."""
    for path in ("run/app/x", "var/lib/app/x"):
        bench.write(path)
    bench.link("var/run", "../run")
    bench.write("etc/tmpfiles.d/app.conf", "d /var/run/app\nd /var/lib/app\n")
    bench.record("tmpfiles", directories=["/run/app", "/var/lib/app"])
    return bench


def test_what_is_kept_under_another_spelling_stays(app: Bench) -> None:
    plan = app.tmpfiles(["d /run/app", "d %S/app"])
    assert said(plan) == ""
    assert app.has("run/app/x")
    assert app.has("var/lib/app/x")


def test_what_nobody_keeps_goes(app: Bench) -> None:
    assert said(app.tmpfiles(["d %S/other"])) == ""
    assert not app.has("run/app")
    assert not app.has("var/lib/app")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("d %S/app/in", "in which something else has a line"),
        ("f /var/lib/../lib/app/in", "in which something else has a line"),
        ("x /var/lib/*/keep", "in which something else has a line"),
        ("d /var/lib/%A", "which may be what "),
        ("x /var/lib/{app,b}", "which may be what "),
        ("x /var/lib/[[:alpha:]]pp", "which may be what "),
        ("d /srv/lib/app/in", "in which something else has a line"),
        ("x /srv/app", ", too"),
    ],
)
@pytest.mark.parametrize("theirs", [True, False])
def test_what_holds_something_kept_stays(app: Bench, line: str, why: str, theirs: bool) -> None:
    app.link("srv/lib", "../var/lib")
    app.link("srv/app", "../var/lib/app")
    if theirs:
        app.write("usr/lib/tmpfiles.d/other.conf", f"{line}\n")
        plan = app.tmpfiles()
    elif why == ", too":
        # It is kept, and nothing is to be told.
        why = ""
        plan = app.tmpfiles([line])
    else:
        plan = app.tmpfiles([line])
    assert why in said(plan)
    assert bool(why) is bool(said(plan))
    assert app.has("var/lib/app/x")
    assert not app.has("run/app")


@pytest.mark.parametrize(
    "line", ["d %S/app", "x /var/lib/ap*", "r /var/lib/[a]?p", "D! %S//app/ 0700", 'Z "/var/lib/\\x61pp"', "e /var/lib/app", "y /var/lib/app"]
)
def test_what_others_have_a_line_for_stays(app: Bench, line: str) -> None:
    app.write("run/tmpfiles.d/other.conf", f"{line}\n")
    plan = app.tmpfiles()
    assert f"/var/lib/app, for which {app.root}/run/tmpfiles.d/other.conf has a line, too" in said(plan)
    assert app.has("var/lib/app/x")
    assert not app.has("run/app")


@pytest.mark.parametrize("line", ["# d /var/lib/app", "x /var/*", "x /*/*", "d /var/lib/appx", "x /var/lib/\\*", "d /var/lib/ap*"])
def test_what_others_have_no_line_for_goes(app: Bench, line: str) -> None:
    app.write("run/tmpfiles.d/other.conf", f"{line}\n")
    app.tmpfiles()
    assert not app.has("var/lib/app")


# -- files of others


@pytest.mark.parametrize("directory", ["run", "usr/local/lib", "usr/lib", "lib"])
def test_the_file_that_ours_hides_is_asked(app: Bench, directory: str) -> None:
    app.write(f"{directory}/tmpfiles.d/app.conf", "d /var/lib/app\n")
    assert app.others("tmpfiles") == []
    plan = app.tmpfiles()
    assert f"{directory}/tmpfiles.d/app.conf has a line, too" in said(plan)
    assert app.has("var/lib/app/x")


def test_what_a_file_says_of_itself_is_nothing(app: Bench) -> None:
    app.write("etc/tmpfiles.d/other.conf", "# /etc/tmpfiles.d/app.conf\nd /var/lib/app\u2028d /x\n")
    assert app.others("tmpfiles") == [("/etc/tmpfiles.d/other.conf", "d /var/lib/app\u2028d /x")]


def test_which_files_hold(bench: Bench) -> None:
    for directory, names in {"etc": "abm", "run": "abc", "usr/local/lib": "cd", "usr/lib": "adefm"}.items():
        for name in names:
            bench.write(f"{directory}/tmpfiles.d/{name}.conf", f"d /{directory}/{name}\n")
    bench.write("usr/lib/tmpfiles.d/not", "d /no\n")
    bench.make("etc/tmpfiles.d/f.conf")
    bench.link("etc/tmpfiles.d/e.conf", "nowhere")
    (bench.root / "etc/tmpfiles.d/m.conf").unlink()
    bench.link("etc/tmpfiles.d/m.conf", "/dev/null")
    bench.link("lib", "usr/lib")
    found = [path for path, _line in bench.others("tmpfiles")]
    assert found == [
        "/etc/tmpfiles.d/a.conf", "/etc/tmpfiles.d/b.conf", "/run/tmpfiles.d/c.conf", "/usr/local/lib/tmpfiles.d/d.conf",
        "/usr/lib/tmpfiles.d/e.conf", "/usr/lib/tmpfiles.d/f.conf",
    ]  # fmt: skip


def test_a_runtime_file_is_hidden_by_that_in_etc(app: Bench) -> None:
    app.write("run/tmpfiles.d/app.conf", "d /x\n")
    assert [path for path, _line in app.others("tmpfiles", runtime=True)] == ["/etc/tmpfiles.d/app.conf"] * 2


def test_what_cannot_be_read_is_an_error(app: Bench) -> None:
    os.mkfifo(app.root / "run" / "pipe")
    app.link("etc/tmpfiles.d/other.conf", "/run/pipe")
    with pytest.raises(Unreadable, match="named pipe"):
        app.tmpfiles()
    assert app.has("var/lib/app/x")


# -- what is not ours


@pytest.mark.parametrize("purge", ["unused", "everything"])
def test_what_was_there_before_is_only_removed_when_it_is_empty(app: Bench, purge: str) -> None:
    app.record("tmpfiles", directories=["/run/app"])
    app.make("srv/empty")
    app.write("etc/tmpfiles.d/app.conf", "d /var/run/app\nd /var/lib/app\nd /srv/empty\n")
    plan = app.tmpfiles(purge=purge)
    assert "/var/lib/app, which holds x" in said(plan)
    assert app.has("var/lib/app/x")
    assert app.has("run/app") is (purge == "unused")
    assert not app.has("srv/empty")


def test_it_is_recorded_what_is_made(app: Bench) -> None:
    app.make("srv/there")
    lines = ["d /srv/new", "D /srv/there", "f /srv/file", "d /var/run/app2"]
    _module, file = app._file("tmpfiles", {})
    record = Record.of(t.cast(t.Any, app.session), file)
    assert record.names("directories") == ["/run/app", "/var/lib/app"]
    params = {"apply": True, "clean": False, "remove": False, "purge": "nothing"}
    module, file = app._file("tmpfiles", params)
    task = tmpfiles._Task(module, t.cast(t.Any, app.session), file, t.cast(t.Any, [*map(tmpfiles_line.read_line, lines)]), False)
    task._tool.verify = lambda lines, accounts: []  # type: ignore[method-assign]
    plan = task.plan()
    # It is written down before it is made.
    assert plan.steps[0].names == (f"{app.root}/{app.record_of('tmpfiles')}",)
    plan.steps[0].apply(Context(NoManager()))
    assert app.recorded("tmpfiles") == {"directories": ["/run/app", "/run/app2", "/srv/new", "/var/lib/app"]}
    assert (app.root / app.record_of("tmpfiles")).stat().st_mode & 0o777 == 0o600


def test_what_is_gone_is_forgotten(app: Bench) -> None:
    app.record("tmpfiles", directories=["/run/app", "/var/lib/app", "/srv/gone", "/run/again"])
    lines = ["d /var/run/app", "d /var/lib/app", "d /var/run/again"]
    app.tmpfiles(lines)
    # What a line makes again at boot is as it was.
    assert app.recorded("tmpfiles") == {"directories": ["/run/again", "/run/app", "/var/lib/app"]}
    assert app.tmpfiles(lines).steps == []
    # So where the task before failed at its end.
    app.record("tmpfiles", directories=["/run/app", "/var/lib/app", "/srv/gone"])
    plan = app.tmpfiles(lines)
    assert (plan.changed, len(plan.steps)) == (True, 1)
    assert app.recorded("tmpfiles") == {"directories": ["/run/app", "/var/lib/app"]}


def test_what_goes_with_a_directory_is_forgotten(app: Bench) -> None:
    app.make("run/app/in")
    app.make("run/app2")
    app.record("tmpfiles", directories=["/run/app", "/run/app/in", "/run/app2", "/var/lib/app"])
    lines = ["d /var/lib/app"]
    app.tmpfiles(lines)
    assert app.recorded("tmpfiles") == {"directories": ["/run/app2", "/var/lib/app"]}
    assert app.tmpfiles(lines).steps == []


@pytest.mark.parametrize("text", ["{}", "[1]", '{"version": 2, "file": "app.conf", "made": {}}', '{"version": 1, "file": "b.conf", "made": {}}', "x"])
def test_what_is_no_record_is_an_error(app: Bench, text: str) -> None:
    app.write(app.record_of("tmpfiles"), text)
    with pytest.raises(SystemdError, match="is no record of what lines have made: .*; remove the file"):
        app.tmpfiles()
    assert app.has("var/lib/app/x")


def test_nothing_is_half_removed(app: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    app.write("var/lib/app/a/x")
    app.make("var/lib/app/b/mount")
    app.make("run/app/" + "/".join("d" * 300))
    monkeypatch.setattr(steps, "mounts", lambda: ["/", f"{os.path.realpath(app.root)}/var/lib/app/b/mount"])
    plan = app.tmpfiles()
    assert "/var/lib/app, in which " in said(plan)
    assert "b/mount is a mount" in said(plan)
    assert "/run/app, in which more than 256 directories are one in the other" in said(plan)
    assert app.has("var/lib/app/a/x")
    assert app.has("run/app/x")
    # Nor where it has come only after the plan.
    step = steps.RemoveTrees([f"{app.root}/var/lib/app"])
    with pytest.raises(SystemdError, match="is not removed, in which .* is a mount by now; run the task again"):
        step.apply(Context(NoManager()))
    assert app.has("var/lib/app/a/x")


def test_mounts_are_read() -> None:
    assert {"/", "/proc"} <= set(steps.mounts())


@pytest.mark.parametrize(("kind", "target"), [("L", "a\\x41"), ("L+", "back\\slash"), ("C", "/a\\tb"), ("L", " x ")])
def test_targets_have_escapes(kind: str, target: str) -> None:
    (line,) = tmpfiles_line.lines_of_options([{"type": kind, "path": "/x", "argument": target}])
    assert line.argument == target.strip()
    assert target.strip().replace("\\", "\\\\") in line.text()
    again = tmpfiles_line.read_line(line.text())
    assert again == line


def test_a_link_with_a_backslash_is_as_it_was_made(bench: Bench) -> None:
    bench.link("srv/l", "a\\b")
    bench.link("srv/m", "a\\b")
    bench.write("etc/tmpfiles.d/app.conf", "L /srv/l - - - - a\\\\b\nL /srv/m - - - - a\\b\n")
    # To systemd the second is a\b with a backspace.
    assert "/srv/m, which leads to a\\b by now" in said(bench.tmpfiles(purge="unused"))
    assert not bench.has("srv/l")


# -- patterns


@pytest.mark.parametrize(
    ("part", "names", "others"),
    [
        ("*", ["a", "a.b"], [".a"]),
        (".*", [".a"], ["a"]),
        ("?a", ["ba"], [".a", "a"]),
        ("[.]a", [], [".a"]),
        ("[!a]b", ["cb"], ["ab", ".b"]),
        ("[^a]b", ["cb"], ["ab"]),
        ("\\*", ["*"], ["a"]),
        ("a\\b", ["ab"], ["a\\b"]),
        ("a[", ["a["], ["a"]),
    ],
)
def test_patterns(part: str, names: list[str], others: list[str]) -> None:
    matches = matcher_of(part)
    assert [name for name in (*names, *others) if matches(name)] == names


def test_what_is_kept_from_growing_old(bench: Bench) -> None:
    for name in (".hidden", "seen", "sub/deep"):
        bench.write(f"var/cache/app/{name}")
    bench.link("srv/cache", "../var/cache")
    tree = Tree(str(bench.root))
    kept = Kept(tree, Specifiers(tree))
    kept.add("x", "/srv/cache/app/*")
    line = tmpfiles_line.read_line("d /var/cache/app - - - 0")
    assert line is not None
    aged = Aged(kept)
    aged.look(line._replace(age="1us"), [f"{bench.root}/var/cache/app"])
    assert aged.found == [f"{bench.root}/var/cache/app/.hidden"]
    # The program is told by all names.
    told = keeping_lines([], [], kept)
    assert told == []
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.kept import Head

    heads = [Head("x", "/srv/cache/app/*", "o"), Head("d", "/srv/cache/100%%[", "o"), Head("f", "/var/cache/app", "o")]
    assert keeping_lines(heads, [line], kept) == [
        "x /srv/cache/app/*", "x /var/cache/app/*", "X /srv/cache/100%%[", 'X "/var/cache/100%%\\\\["'
    ]  # fmt: skip
    assert kept.real("d", "/srv/cache/100%%") == "/var/cache/100%%"
    assert kept.real("R", "/srv/cache/a*") == "/var/cache/a*"
    bench.link("srv/l", "cache")
    assert kept.real("r", "/srv/l") == "/srv/l"


# -- users and groups


PASSWD = "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\napp:x:850:850::/:/bin/sh\n"
GROUP = "root:x:0:\nsudo:x:27:alice\nadm:x:4:\nalice:x:1000:\napp:x:850:\n"


@pytest.fixture
def users(bench: Bench) -> Bench:
    bench.write("etc/passwd", PASSWD)
    bench.write("etc/group", GROUP)
    bench.write("etc/shadow", "root:*:1::::::\nalice:$6$x:1::::::\napp:!*:1::::::\n")
    bench.write("etc/gshadow", "sudo:!*::alice\n")
    return bench


def accounts(bench: Bench) -> tuple[str, str]:
    return (bench.root / "etc/passwd").read_text(), (bench.root / "etc/group").read_text()


def test_who_drops_a_membership_gives_up_that_alone(users: Bench) -> None:
    users.write("etc/sysusers.d/app.conf", "m alice sudo\nm app sudo2\n")
    users.record("sysusers", members=["alice:sudo"], groups=["sudo"], users=["alice"])
    users.sysusers()
    assert accounts(users) == (PASSWD, GROUP.replace("27:alice", "27:"))
    assert users.recorded("sysusers") == {"groups": ["sudo"], "users": ["alice"]}


@pytest.mark.parametrize("line", ["m alice sudo", "g adm", "u app", "u! app", "u app -:adm"])
def test_who_was_there_before_stays(users: Bench, line: str) -> None:
    users.write("etc/sysusers.d/app.conf", f"{line}\n")
    plan = users.sysusers()
    assert accounts(users) == (PASSWD, GROUP)
    assert "of which no record says that a task has made it" in said(plan)


def test_who_has_no_shadow_line_is_told_by_the_record(users: Bench) -> None:
    users.write("etc/shadow", "")
    users.write("etc/sysusers.d/app.conf", "u app\n")
    users.sysusers()
    assert accounts(users) == (PASSWD, GROUP)
    users.write("etc/sysusers.d/app.conf", "u app\n")
    users.record("sysusers", users=["app"], groups=["app"])
    assert said(users.sysusers()) == ""
    assert "app" not in "".join(accounts(users))
    assert not users.has(users.record_of("sysusers"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("u app", "for whom another file has a line, too"),
        ("m app sudo", "for whom another file has a line, too"),
        ("u a%o", "for whom a%o may be, too"),
        ("u bob -:app", "group app, which a line names as the group of a user"),
    ],
)
@pytest.mark.parametrize("name", ["app", "other"])
def test_whom_a_file_of_a_package_describes_stays(users: Bench, line: str, why: str, name: str) -> None:
    users.write(f"usr/lib/sysusers.d/{name}.conf", f"{line}\n")
    users.write("etc/sysusers.d/app.conf", "u app\n")
    users.record("sysusers", users=["app"], groups=["app"])
    plan = users.sysusers()
    assert why in said(plan)
    assert "app:x:850:" in accounts(users)[1]


def test_with_a_user_or_group_its_memberships_are_forgotten(users: Bench) -> None:
    users.write("etc/group", GROUP + "new:x:900:alice\nsome:x:901:app\n")
    users.write("etc/sysusers.d/app.conf", "g new\nm alice new\nu app\nm app some\n")
    users.record("sysusers", users=["app"], groups=["app", "new"], members=["alice:new", "app:some"])
    assert said(users.sysusers()) == ""
    assert accounts(users) == (PASSWD.replace("app:x:850:850::/:/bin/sh\n", ""), GROUP.replace("app:x:850:\n", "") + "some:x:901:\n")
    assert not users.has(users.record_of("sysusers"))
    assert users.sysusers().steps == []


def test_it_is_recorded_who_is_made_and_who_has_gone(users: Bench) -> None:
    users.record("sysusers", users=["app", "long-gone"], groups=["app"], members=["alice:adm"])
    module, file = users._file("sysusers", {"apply": True, "purge": True})
    lines = [sysusers_line.read_line(line) for line in ("g new", "m alice sudo", "m alice adm", "u app")]
    task = sysusers._Task(module, t.cast(t.Any, users.session), file, t.cast(t.Any, lines), False)
    task._tool.verify = lambda lines, accounts: []  # type: ignore[method-assign]
    plan = task.plan()
    with open_offline("system", str(users.root)) as manager:
        plan.steps[0].apply(Context(manager))
        assert users.recorded("sysusers") == {"users": ["app", "long-gone"], "groups": ["app", "new"], "members": ["alice:adm"]}
        plan.steps[-1].apply(Context(manager))
    assert users.recorded("sysusers") == {"users": ["app"], "groups": ["app", "new"], "members": ["alice:adm"]}
