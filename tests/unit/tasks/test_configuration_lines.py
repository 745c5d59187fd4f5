# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of tmpfiles.d and sysusers.d: options to text and back, what contradicts, what differs, and the way back of accounts."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pidone.systemd.plugins.module_utils._engine.accounts_were import (
    Accounts,
    AccountsWere,
    Edit,
    edited,
    read_accounts,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, LeftAlone
from ansible_collections.pidone.systemd.plugins.module_utils._engine.node_was import Node, NodeWas, look_for
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines import (
    sysusers,
    sysusers_line,
    tmpfiles_line,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import (
    Specifiers,
    split_line,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles_look import (
    Ids,
    Look,
    Untold,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tool import Tool

TEXT = st.text(st.characters(exclude_characters="\0%", exclude_categories=["Cs"]), min_size=1, max_size=20)


def tmp(kind: str, path: str = "/x", **more: t.Any) -> tmpfiles_line.Line:
    (line,) = tmpfiles_line.lines_of_options([{"type": kind, "path": path, **more}])
    return line


def user(kind: str, name: str | None = "app", **more: t.Any) -> sysusers_line.Line:
    (line,) = sysusers_line.lines_of_options([{"type": kind, "name": name, **more}])
    return line


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (tmp("d", "/run/app"), "d /run/app"),
        (tmp("d!", "//run///app/", mode="0755", user="a", age="10d"), "d! /run/app 0755 a - 10d"),
        (tmp("d", '/a b"c\\d'), 'd "/a b\\"c\\\\d"'),
        (tmp("f", argument=" a\n\\n\t\x01-"), "f /x - - - - \\x20a\\n\\\\n\\t\\x01-"),
        (tmp("f", argument="-"), "f /x - - - - \\x2d"),
        (tmp("f", argument='say "x" '), 'f /x - - - - say "x"\\x20'),
        (tmp("f~", argument="Zm9v"), "f~ /x - - - - Zm9v"),
        (tmp("L+", argument='/a "b\\n'), 'L+ /x - - - - /a "b\\\\n'),
        (tmp("x", "/x/*", mode="-", group="-"), "x /x/*"),
        (user("u"), "u app"),
        (user("u", id="850", home="/var/lib/a b"), 'u app 850 - "/var/lib/a b"'),
        (user("u", group="staff"), "u app -:staff"),
        (user("u!", id="850:staff", description='The "app"'), 'u! app 850:staff "The \\"app\\""'),
        (user("m", group="staff"), "m app staff"),
        (user("r", None, id="500-900"), "r - 500-900"),
    ],
)
def test_lines_are_written(line: t.Any, text: str) -> None:
    assert line.text() == text
    again = (tmpfiles_line if isinstance(line, tmpfiles_line.Line) else sysusers_line).read_line(text)
    assert again == line


@given(TEXT)
def test_a_text_is_what_it_was(text: str) -> None:
    line = tmpfiles_line.Line("f", "", "/x", argument=text)
    assert "\n" not in line.text()
    again = tmpfiles_line.read_line(line.text())
    assert again is not None
    assert again.argument == text


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_fields_are_what_they_were(fields: list[str]) -> None:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import write_line

    # Of blanks, a field has only those of a line; all others are refused before.
    plain = ["".join(char for char in field if char.isprintable()).replace("-", "+") or "x" for field in fields]
    assert split_line(write_line(plain, "rest of it"), len(plain)) == (plain, "rest of it")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("d /x 755", "d  /x/ 0755 - - -", True),
        ("d /x - - - 7d", "d /x - - - 1w", True),
        ("d /x - - - mM:7d", "d /x - - - Mm:7d", True),
        ("d /x ~755", "d /x 755", False),
        ("d /x", "D /x", False),
        ("f+! /x", "f!+ /x", True),
        ("f /x - - - - a\\x20b", "f /x - - - - a b", True),
    ],
)
def test_meaning(one: str, other: str, same: bool) -> None:
    lines = [tmpfiles_line.read_line(text) for text in (one, other)]
    assert lines[0] is not None
    assert lines[1] is not None
    assert (lines[0].meaning == lines[1].meaning) is same


@pytest.mark.parametrize("text", ["", "y /x", "d", "d x", "d /x 9", "d /x - - - soon", 'd "/x', "u", "u? app", "u app - - - - more"])
def test_what_makes_no_sense_is_none(text: str) -> None:
    assert tmpfiles_line.read_line(text) is None
    assert sysusers_line.read_line(text) is None


D = {"type": "d", "path": "/x"}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([{"type": "y", "path": "/x"}], "lines[0].type: 'y' is no type"),
        ([{"type": "F", "path": "/x"}], "write f+ for F"),
        ([{"type": "d!!", "path": "/x"}], "lines[0].type: 'd!!' has a modifier twice"),
        ([D, {"type": "d", "path": "x"}], "lines[1].path: 'x' is not absolute"),
        ([{"type": "d", "path": "/a/../b"}], "has '..' in it"),
        ([{"type": "d", "path": "//"}], "is the root directory"),
        ([{"type": "d", "path": "/a\nb"}], "holds a line break"),
        ([{"type": "d", "path": "/100%"}], "write %% for a percent sign"),
        ([{**D, "mode": 493}], "lines[0].mode: 493 was not quoted"),
        ([{**D, "mode": "0799"}], "lines[0].mode: '0799' is no mode"),
        ([{**D, "mode": "~~755"}], "has a prefix twice"),
        ([{**D, "age": "ten days"}], "lines[0].age: 'ten days' is not a time span"),
        ([{**D, "age": "xy:10d"}], "lines[0].age: 'xy:10d' has before its colon"),
        ([{"type": "f", "path": "/x", "age": "10d"}], "lines[0].age: a line of type f has no age"),
        ([{**D, "argument": "x"}], "lines[0].argument: a line of type d takes none"),
        ([{"type": "L", "path": "/x", "argument": "a\nb"}], "lines[0].argument: 'a\\nb' holds a line break"),
        ([{**D, "user": "a:b"}], "lines[0].user: 'a:b' holds ':'"),
        ([D, {**D, "mode": "0700"}], "lines[1].path: '/x' has a line already, lines[0] of type d"),
        ([D, {"type": "r", "path": "/x"}], "lines[1].path: '/x' has a line already"),
    ],
)
def test_bad_lines_of_tmpfiles(lines: list[dict[str, t.Any]], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        tmpfiles_line.lines_of_options(lines)
    assert says in caught.value.msg


def test_lines_that_go_together() -> None:
    together = [D, D, {"type": "z", "path": "/x", "mode": "0700"}, {"type": "w+", "path": "/x", "argument": "a"}]
    assert len(tmpfiles_line.lines_of_options(together)) == 4


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"type": "v", "name": "a"}, "lines[0].type: 'v' is no type"),
        ({"type": "u"}, "lines[0].name: is missing"),
        ({"type": "u", "name": "a.b"}, "cannot be the name of a new user"),
        ({"type": "u", "name": "1a"}, "cannot be the name of a new user"),
        ({"type": "u", "name": "a" * 32}, "at most 31 characters"),
        ({"type": "u", "name": "a", "id": "x"}, "lines[0].id: 'x' is no number of a user"),
        ({"type": "u", "name": "a", "id": "4294967295"}, "is no number of a user"),
        ({"type": "u", "name": "a", "id": "65535"}, "is no number of a user"),
        ({"type": "g", "name": "a", "id": "1:b"}, "which only the id of a user has"),
        ({"type": "u", "name": "a", "id": "1:b", "group": "c"}, "has a group already"),
        ({"type": "g", "name": "a", "home": "/"}, "lines[0].home: a line of type g has none"),
        ({"type": "m", "name": "a"}, "lines[0].group: is missing"),
        ({"type": "r", "id": "900-500"}, "ends before it begins"),
        ({"type": "r", "id": "all"}, "is no range"),
        ({"type": "u", "name": "a", "home": "x"}, "lines[0].home: 'x' is not absolute"),
        ({"type": "u", "name": "a", "description": "a:b"}, "holds a colon"),
        ({"type": "u", "name": "a", "description": "50%"}, "write %% for a percent sign"),
    ],
)
def test_bad_lines_of_sysusers(line: dict[str, t.Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        sysusers_line.lines_of_options([line])
    assert says in caught.value.msg


def test_two_lines_for_one_user() -> None:
    with pytest.raises(BadInput, match=r"lines\[1\].name: 'a' has a line already"):
        sysusers_line.lines_of_options([{"type": "u", "name": "a"}, {"type": "u!", "name": "a"}])
    assert sysusers_line.lines_of_options([{"type": "u", "name": "a"}, {"type": "g", "name": "a"}])


# -- what is there


@pytest.fixture
def look(tmp_path: Path) -> Look:
    tree = Tree(str(tmp_path))
    return Look(tree, Specifiers(tree), Ids(tree, False))


def told(look: Look, *lines: tmpfiles_line.Line) -> list[tuple[str, str]]:
    anew = Look(look._tree, look._specifiers, look._ids)
    for index, line in enumerate(lines):
        with contextlib.suppress(Untold):
            anew.add(index, line)
    return [each.told() for each in anew.differing()]


def _mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


@pytest.mark.parametrize(
    ("line", "differs"),
    [
        (tmp("d", "/dir", mode="0755"), False),
        (tmp("d", "/dir", mode="0700"), True),
        (tmp("d", "/dir", mode=":0700"), False),
        (tmp("d", "/dir", mode="~0755"), False),
        (tmp("d", "/dir", user=":77"), False),
        (tmp("d", "/dir", group="77"), True),
        (tmp("d", "/none"), True),
        (tmp("d!", "/none"), False),
        (tmp("e", "/no*", mode="0700"), False),
        (tmp("e", "/di?", mode="0700"), True),
        (tmp("z", "/file", mode="~0777"), True),
        (tmp("z", "/link", mode="0700"), False),
        (tmp("f", "/file", argument="other"), False),
        (tmp("f+", "/file", argument="text"), False),
        (tmp("f+", "/file", argument="tex%%"), True),
        (tmp("w", "/file", argument="te"), False),
        (tmp("w", "/file", argument="ta"), True),
        (tmp("w", "/none", argument="ta"), False),
        (tmp("L", "/link", argument="other"), False),
        (tmp("L+", "/link", argument="file"), False),
        (tmp("L+", "/link", argument="other"), True),
        (tmp("L?", "/new", argument="/nowhere"), False),
        (tmp("L+", "/file", argument="dir"), True),
        (tmp("p", "/pipe"), True),
        (tmp("x", "/dir"), False),
        (tmp("R", "/dir"), False),
    ],
)
def test_what_differs(tmp_path: Path, look: Look, line: tmpfiles_line.Line, differs: bool) -> None:
    (tmp_path / "dir").mkdir(0o755)
    (tmp_path / "file").write_text("text")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    assert bool(told(look, line)) is differs, told(look, line)


def test_it_is_told_what_becomes_of_it(tmp_path: Path, look: Look) -> None:
    (tmp_path / "dir").mkdir(0o755)
    me = look_for(str(tmp_path / "dir"))
    assert me is not None
    ((before, after),) = told(look, tmp("d", "/dir", mode="0700"))
    assert before == me.told()
    assert after == before.replace("0755", "0700")
    assert told(look, tmp("d", "/new"))[0] == ("absent", me.told())
    (tmp_path / "link").symlink_to("a")
    assert told(look, tmp("L+", "/link", argument="b")) == [("link to a", "link to b")]


@pytest.mark.parametrize(
    ("lines", "modes"),
    [
        # What one line makes, a pattern changes.
        ([tmp("d", "/dir"), tmp("f", "/dir/a", mode="0644"), tmp("z", "/dir/*", mode="0600")], ["0755", "0600", "0600"]),
        ([tmp("f", "/a", mode="0644"), tmp("z", "/[ab]", mode="0600"), tmp("z", "/a", mode="0640")], ["0640", "0640", "0640"]),
        # A name with a dot first is none that ? stands for, nor one in another directory.
        ([tmp("f", "/.a", mode="0644"), tmp("f", "/b/a", mode="0644"), tmp("z", "/?a", mode="0600")], ["0644", "0644"]),
        # They are of two minds, and come to what is there.
        ([tmp("f", "/file", mode="0644"), tmp("z", "/file", mode="~0777")], []),
        ([tmp("f+", "/file", mode="0644", argument="other"), tmp("z", "/file", mode="0640")], ["0640", "0640"]),
        ([tmp("z", "/file", mode="0600"), tmp("w", "/file", argument="T")], ["0600", "0600"]),
        # What is below a tree is known where it has a line of its own.
        ([tmp("d", "/d", mode="0755"), tmp("f", "/d/a", mode="0644"), tmp("f", "/da"), tmp("Z", "/d", mode="0700")], ["0700", "0700", "0644", "0700", "0700"]),
        ([tmp("f", "/file", mode="0644"), tmp("Z", "/f*", mode="~0777")], []),
    ],
)
def test_several_lines_for_one_path(tmp_path: Path, look: Look, lines: list[tmpfiles_line.Line], modes: list[str]) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "file").chmod(0o666)
    assert [after.split()[1] for _before, after in told(look, *lines)] == modes


@pytest.mark.parametrize(
    "line",
    [tmp("Z", "/dir", mode="0700"), tmp("w+", "/file", argument="x"), tmp("h", "/file", argument="+i"), tmp("d", "/%Y"), tmp("e", "/{a,b}")],
)
def test_what_cannot_be_told(tmp_path: Path, look: Look, line: tmpfiles_line.Line) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Untold):
        look.add(0, line)


@pytest.mark.parametrize("line", [tmp("d", "/file"), tmp("f", "/dir"), tmp("L+", "/dir", argument="x"), tmp("f=", "/dir")])
def test_what_is_in_the_way(tmp_path: Path, look: Look, line: tmpfiles_line.Line) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dir" / "in").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"^lines\[0\].path: .*remove it first"):
        look.add(0, line)


# -- the way back


MADE = Node("directory", 0o755, os.geteuid(), os.getegid())


@pytest.mark.parametrize("begun", [True, False])
def test_a_directory_goes_again_unless_it_is_used(tmp_path: Path, begun: bool) -> None:
    path = tmp_path / "new"
    note = NodeWas(str(path), None, MADE)
    ctx = Context(NoManager())
    if begun:
        path.mkdir()
    note.undo(ctx)
    note.undo(ctx)
    assert not path.exists()
    path.mkdir()
    (path / "of others").touch()
    with pytest.raises(LeftAlone, match="is left as it is"):
        note.undo(ctx)
    assert (path / "of others").exists()


def test_a_file_is_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o604)
    before = look_for(str(path), content=True)
    assert before is not None
    note = NodeWas(str(path), before, before._replace(content=b"new", mode=0o600))
    path.write_text("new")
    path.chmod(0o600)
    note.undo(Context(NoManager()))
    assert (path.read_text(), _mode(path)) == ("old", "0604")
    path.write_text("of others")
    with pytest.raises(LeftAlone, match="changed by somebody else"):
        note.undo(Context(NoManager()))
    assert path.read_text() == "of others"


def test_what_was_replaced_and_removed_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_text("old")
    before = look_for(str(path), content=True)
    link = Node("link", 0o777, os.geteuid(), os.getegid(), "t")
    note = NodeWas(str(path), before, link)
    path.unlink()
    path.symlink_to("t")
    note.undo(Context(NoManager()))
    assert path.read_text() == "old"
    NodeWas(str(tmp_path / "d"), MADE._replace(mode=0o711), None).undo(Context(NoManager()))
    assert _mode(tmp_path / "d") == "0711"


def test_no_link_leads_the_way_back_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "out" / "x").mkdir(parents=True)
    (tmp_path / "in").symlink_to("out")
    NodeWas(f"{tmp_path}/in/x", None, MADE).undo(Context(NoManager()))
    assert (tmp_path / "out" / "x").is_dir()
    with pytest.raises(LeftAlone, match="is a link by now"):
        NodeWas(f"{tmp_path}/in/y", MADE, None).undo(Context(NoManager()))
    assert not (tmp_path / "out" / "y").exists()


# -- accounts


GROUP = "root:x:0:\nstaff:x:50:a,b\nempty:x:51:\n"


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (Edit(), GROUP),
        (Edit(drop={"group": ["staff"], "passwd": ["empty"]}), "root:x:0:\nempty:x:51:\n"),
        (Edit(put={"group": ["new:x:52:", "root:x:1:"]}), GROUP + "new:x:52:\n"),
        (Edit(members=[("a", "staff"), ("b", "empty")]), "root:x:0:\nstaff:x:50:b\nempty:x:51:\n"),
        (Edit(back=[("a", "staff"), ("b", "empty")]), "root:x:0:\nstaff:x:50:a,b\nempty:x:51:b\n"),
    ],
)
def test_lines_of_accounts(edit: Edit, text: str) -> None:
    assert edited(GROUP, "group", edit) == text


def test_accounts_are_as_before(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (etc / "group").write_text(GROUP)
    (etc / "passwd").chmod(0o640)
    before = {path.name: path.read_text() for path in etc.iterdir()}
    note = AccountsWere(str(tmp_path), ["new"], ["new", "kept"], [("new", "staff")])
    (etc / "passwd").write_text(before["passwd"] + "new:x:60:60::/:/bin/sh\nother:x:61:62::/:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\nstaff:x:50:a,b,new\nempty:x:51:\nnew:x:60:\nkept:x:62:\n")
    for _turn in range(2):
        note.undo(Context(NoManager()))
        # A group that somebody else is in by now stays.
        assert (etc / "group").read_text() == GROUP + "kept:x:62:\n"
        assert (etc / "passwd").read_text() == before["passwd"] + "other:x:61:62::/:/bin/sh\n"
    assert _mode(etc / "passwd") == "0640"
    assert read_accounts(str(tmp_path)).members("staff") == ["a", "b"]


NOW = Accounts(
    {"app": "app:x:850:850:The app:/:/bin/sh".split(":"), "root": "root:x:0:0::/:/bin/sh".split(":")},
    {"app": "app:x:850:".split(":"), "data": "data:x:851:root".split(":")},
)


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        (user("u"), ([], [], [])),
        (user("u", "new"), (["new"], ["new"], [])),
        (user("u", "new", group="app"), (["new"], [], [])),
        (user("u", "root"), ([], [], [])),
        (user("g", "new"), ([], ["new"], [])),
        (user("m", group="data"), ([], [], [("app", "data")])),
        (user("m", "root", group="data"), ([], [], [])),
        (user("m", "new", group="more"), (["new"], ["new", "more"], [("new", "more")])),
        (user("r", None, id="1-2"), ([], [], [])),
    ],
)
def test_who_is_missing(line: sysusers_line.Line, missing: tuple[t.Any, ...]) -> None:
    wanted = sysusers.wanted_of([line], Specifiers(Tree()))
    assert tuple(sysusers.missing_of(wanted, NOW, lambda name, group: False)) == missing


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (user("u", id="850", description="The app", shell="/bin/sh"), ""),
        (user("u", id="851"), "user app is there with id 850, and not 851"),
        (user("u", description="An app", home="/var"), "description The app, and not An app; home /, and not /var"),
        (user("g", "data", id="852"), "group data is there with id 851"),
        (user("u", id="/etc"), ""),
        (user("u", "new", id="1"), ""),
    ],
)
def test_who_is_another(line: sysusers_line.Line, says: str) -> None:
    told = sysusers.differences(line, NOW, Specifiers(Tree()))
    assert bool(told) is bool(says)
    assert says in "".join(told)


def test_who_is_not_removed() -> None:
    nobody = sysusers.Wanted([], [], [])
    ours = {"app": ["app", "!*"], "root": ["root", "!*"]}
    assert sysusers.why_kept("app", NOW, ours, nobody, "/tree") == ""
    assert "is root" in sysusers.why_kept("root", NOW, ours, nobody, "/tree")
    assert "another file" in sysusers.why_kept("app", NOW, ours, nobody._replace(users=["app"]), "/tree")
    assert "not the password" in sysusers.why_kept("app", NOW, {"app": ["app", "$6$x"]}, nobody, "/tree")
    assert sysusers.why_group_kept("data", NOW, [], [("root", "data")], nobody) == ""
    assert "which root is in" in sysusers.why_group_kept("data", NOW, [], [], nobody)
    assert "which app is in" in sysusers.why_group_kept("app", NOW, [], [], nobody)
    assert sysusers.why_group_kept("app", NOW, ["app"], [], nobody) == ""


@pytest.mark.parametrize("name", ["systemd-tmpfiles", "systemd-sysusers"])
def test_a_tool_that_is_not_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nope")
    for ask in (lambda tool: tool.verify(["d /run/x"], {}), lambda tool: tool.do([], ["d /run/x"], 10.0)):
        with pytest.raises(SystemdError, match=f"{name} is not there, .*; install the package of systemd that has it"):
            ask(Tool(name))
