# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directives are known, what systemd-analyze says, and where files are."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import verify as module
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import known as directives
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import (
    check_directives,
    parse_table,
    read_table,
    sections_of,
    table_for,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths, check_dropin
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

TABLE = parse_table(
    "[Unit]\nDescription=STRING\nAfter=UNIT [...]\n\n[Service]\nExecStart=PATH [ARGUMENT [...]]\nRestart=SERVICERESTART\n"
    "PrivateTmp=BOOLEAN\nEnvironment=ENVIRON\n\n[Timer]\nOnStartupSec=TIMER\n\n[Install]\nWantedBy=OTHER\n"
)


class TestDirectives:
    def test_table(self) -> None:
        assert list(TABLE) == ["Unit", "Service", "Timer", "Install"]
        assert TABLE["Service"]["ExecStart"] == "PATH [ARGUMENT [...]]"

    def test_known_ones_pass_and_so_do_notes(self) -> None:
        text = "[Unit]\nAfter=a\nX-Note=1\n[Service]\nExecStart=/a\n[X-Mine]\nAny=1\n[Install]\nWantedBy=b\n"
        assert check_directives(parse(text), "service", TABLE) == []

    @pytest.mark.parametrize(
        ("kind", "text", "line", "message"),
        [
            ("timer", "[Timer]\nOnStartUpSec=1\n", 2, "did you mean OnStartupSec=?"),
            ("service", "[Service]\nExecStrat=/a\n", 2, "did you mean ExecStart=?"),
            ("service", "[Service]\nAfter=a\n", 2, "belongs into [Unit]"),
            ("service", "[Service]\nAfterr=a\n", 2, "did you mean After= in [Unit]?"),
            ("service", "[Service]\nOnStartupSec=1\n", 2, "only for units that have a section [Timer]"),
            ("service", "[Service]\nQuux=1\n", 2, "X-Quux"),
            ("service", "\n[service]\nExecStart=/a\n", 2, "did you mean [Service]?"),
            ("service", "[Timer]\nOnStartupSec=1\n", 1, "a service unit has no section [Timer]"),
            ("target", "[Service]\nExecStart=/a\n", 1, "it has [Unit], [Target] and [Install]"),
            ("service", "[Foo]\nA=1\n[Foo]\nB=2\n", 1, "no section [Foo]"),
        ],
    )
    def test_unknown(self, kind: str, text: str, line: int, message: str) -> None:
        (problem,) = check_directives(parse(text), kind, TABLE)
        assert problem.line == line
        assert message in problem.message

    def test_sections(self) -> None:
        assert sections_of("socket") == ["Unit", "Socket", "Install"]
        assert sections_of("scope") == ["Unit", "Scope"]


class TestTableOfTree:
    """What a tree's systemd knows is read, and nothing of the tree is run."""

    TEXT = b"ELF\0Service.ExecStart\0Service.Type\0Install.Alias\0xService.No\0Unit.lower\0" + b"".join(
        b"Unit.Directive%s\0" % bytes([65 + n // 26, 65 + n % 26]) for n in range(80)
    )

    @pytest.mark.parametrize(
        "path",
        [
            "usr/lib/systemd/systemd",
            "lib/systemd/systemd",
            "usr/lib/systemd/libsystemd-core-255.so",
            "usr/lib64/systemd/libsystemd-core-256.2.so",
            "usr/lib/x86_64-linux-gnu/systemd/libsystemd-core-257.so",
        ],
    )
    def test_it_is_read_from_the_program(self, tmp_path: Path, path: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(self.TEXT)
        table, program = read_table(Tree(str(tmp_path)))
        assert program == f"{tmp_path}/{path}"
        assert table is not None
        assert set(table) == {"Unit", "Service", "Install"}
        assert set(table["Service"]) == {"ExecStart", "Type"}
        assert len(table["Unit"]) == 80

    def test_without_one_the_hosts_is_taken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(directives, "load_table", lambda: TABLE)
        warnings: list[str] = []
        assert table_for(Tree(str(tmp_path)), warnings) is TABLE
        assert warnings == []

    @pytest.mark.parametrize("kind", ["script", "pipe", "huge", "directory", "out"])
    def test_what_is_no_program_of_systemd_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        monkeypatch.setattr(directives, "load_table", lambda: TABLE)
        path = tmp_path / "usr/lib/systemd/systemd"
        path.parent.mkdir(parents=True)
        if kind == "script":
            path.write_text(f"#!/bin/sh\ntouch {tmp_path}/RAN\n")
            path.chmod(0o755)
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "huge":
            with path.open("wb") as file:
                file.truncate(100 << 30)
        elif kind == "directory":
            path.mkdir()
        else:
            path.symlink_to("/usr/bin/env")
        warnings: list[str] = []
        assert table_for(Tree(str(tmp_path)), warnings) is TABLE
        assert [str(path) in warning for warning in warnings] == ([] if kind == "out" else [True])
        assert not (tmp_path / "RAN").exists()


class FakeRun:
    """What systemd-analyze says, by the directory it is asked about."""

    said: list[tuple[int, str]] | None = []
    before: list[tuple[int, str]] = []

    def __init__(self, *_arguments: object) -> None:
        pass

    def verify(self, scratch: str, _name: str) -> list[tuple[int, str]] | None:
        if scratch.endswith("/old"):
            return self.before
        return None if self.said is None else [(number, text.replace("DIR", scratch)) for number, text in self.said]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> type[FakeRun]:
    monkeypatch.setattr(module, "_Run", FakeRun)
    monkeypatch.setattr(FakeRun, "said", [])
    monkeypatch.setattr(FakeRun, "before", [])
    return FakeRun


def verdict(
    tmp_path: Path, raw: str, name: str = "a.service", dropin: str | None = None, base: str = ""
) -> module.Verdict:
    (tmp_path / "root/etc/systemd/system").mkdir(parents=True)
    (tmp_path / "scratch").mkdir()
    if base:
        (tmp_path / "root/etc/systemd/system" / name).write_text(base)
    paths = UnitPaths("system", root=str(tmp_path / "root"))
    return module.verify(parse(raw), raw, name, dropin, paths, TABLE, str(tmp_path / "scratch"))


class TestVerify:
    RAW = "[Unit]\nAfter=a\n[Service]\nExecStart=/a \\\n  --b\nRestart=x\n"

    def test_values_that_would_be_ignored_are_errors(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [(4, "DIR/a.service:6: Failed to parse Restart=x, ignoring: Invalid argument")]
        errors, warnings = verdict(tmp_path, self.RAW)
        assert [(e.line, e.text) for e in errors] == [(6, "Restart=x")]
        assert warnings == []

    @pytest.mark.parametrize(
        ("name", "text", "said_of_it", "refused"),
        [
            ("a@.timer", "[Timer]\nOnCalendar=%i\n", "2: Failed to parse calendar specification, ignoring: i", False),
            (
                "a@.timer",
                "[Timer]\nOnCalendar=%I *\n",
                "2: Failed to parse calendar specification, ignoring: test_instance *",
                False,
            ),
            ("a@.timer", "[Timer]\nUnit=%i\n", "2: Unit type not valid, ignoring: %i", False),
            (
                "a@.socket",
                "[Socket]\nListenStream=10.0.0.1:%i\n",
                "2: Failed to parse address value in '10.0.0.1:i', ignoring: x",
                False,
            ),
            (
                "a@.service",
                "[Service]\nNice=%i\n",
                "2: Failed to parse nice priority '%i', ignoring: Invalid argument",
                True,
            ),
            (
                "a@.service",
                "[Service]\nMemoryMax=%iM\n",
                "2: Invalid memory limit '%iM', ignoring: Invalid argument",
                True,
            ),
            ("a@.service", "[Service]\nMemoryMax=%%i\n", "2: Invalid memory limit '%i', ignoring: i", True),
            ("a@.timer", "[Timer]\nOnCalendar=%p\n", "2: Failed to parse calendar specification, ignoring: a", True),
            ("a@i.timer", "[Timer]\nOnCalendar=%i\n", "2: Failed to parse calendar specification, ignoring: i", True),
            ("a@.timer", "[Timer]\nOnCalendar=i\n", "2: Failed to parse calendar specification, ignoring: i", True),
        ],
    )
    def test_what_is_said_of_a_made_up_instance(
        self,
        said: type[FakeRun],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        text: str,
        said_of_it: str,
        refused: bool,
    ) -> None:
        monkeypatch.setattr(module, "check_directives", lambda *_arguments: [])
        stem, _dot, suffix = name.rpartition(".")
        instance = stem if not stem.endswith("@") else f"{stem}i"
        said.said = [
            (4, f"DIR/{name}:{said_of_it}"),
            (3, f"{instance}.{suffix}: Timer unit lacks value setting. Refusing."),
            (3, f"Unit {instance}.{suffix} has a bad unit file setting."),
        ]
        errors, warnings = verdict(tmp_path, text, name)
        assert bool(errors) is refused
        if not refused:
            assert [(w.line, "made-up instance" in w.message) for w in warnings] == [(2, True)]

    @pytest.mark.parametrize(
        ("name", "line", "why"),
        [
            ("a.service", "WantedBy=multi-user", "did you mean multi-user.target?"),
            ("a.service", "WantedBy=a.target none", "write the type too, such as none.service"),
            ("a.service", "RequiredBy=a$b.target", "'$'"),
            ("a.service", "Alias=foobar", "foobar"),
            ("a.service", "Alias=a.socket", "one type"),
            ("a.mount", "Alias=b.mount", "no other name"),
            ("a.service", "Also=b.timer c", "c.service"),
            ("a.service", "Alias=multi-user.target.wants/a", "such as a.service"),
            ("a.service", "Alias=../b.service", "another directory"),
            ("a.service", "Alias=multi-user.target.wants/b.service", "own name, a.service"),
            ("a.service", "Alias=a@x.service", "not of a.service"),
            ("a.service", "Alias=b@.service", "b@.service is a template and a.service is none"),
            ("a@.service", "Alias=b.service", "is neither"),
            ("a@x.service", "Alias=b@y.service", "not of a@x.service"),
            ("a@.service", "DefaultInstance=a/b", "can be no instance"),
        ],
    )
    def test_names_in_install_that_are_none(
        self, said: type[FakeRun], tmp_path: Path, name: str, line: str, why: str
    ) -> None:
        (tmp_path / "root/usr/lib/systemd/system").mkdir(parents=True)
        (tmp_path / "root/usr/lib/systemd/system/multi-user.target").touch()
        kind = name.rpartition(".")[2]
        problems = module.check_install(
            parse(f"[Unit]\n[Install]\n{line}\n"), name, UnitPaths("system", root=str(tmp_path / "root"))
        )
        assert [(p.line, p.text) for p in problems] == [(3, line)], kind
        assert why in problems[0].message

    @pytest.mark.parametrize(
        "line",
        ["WantedBy=multi-user.target", "WantedBy=%i", "Alias=b.service", "Alias=x.wants/a.service", "Also=b.socket", "Alias=",
         "WantedBy=a@.service", "DefaultInstance=x", "RequiredBy=dev-%i.device x\\x2dy.target"],
    )  # fmt: skip
    def test_names_in_install_that_systemd_takes(self, tmp_path: Path, line: str) -> None:
        assert module.check_install(parse(f"[Install]\n{line}\n"), "a.service", UnitPaths("system")) == []

    @pytest.mark.parametrize(
        ("name", "line"),
        [("a@.service", "WantedBy=%i.target"), ("a@.service", "Alias=b@.service"), ("a@.service", "Alias=b@x.service"),
         ("a@x.service", "Alias=b@x.service"), ("a@x.service", "Alias=b@.service"), ("a@.service", "DefaultInstance=%H")],
    )  # fmt: skip
    def test_names_in_install_of_templates(self, name: str, line: str) -> None:
        assert module.check_install(parse(f"[Install]\n{line}\n"), name, UnitPaths("system")) == []

    def test_a_dependency_that_lacks_its_type(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [(4, "DIR/a.service:2: Failed to add dependency on a, ignoring: Invalid argument")]
        (problem,) = verdict(tmp_path, self.RAW).errors
        assert (problem.line, problem.text) == (2, "After=a")
        assert "; write the type too, such as a.service" in problem.message

    def test_messages_end_where_lines_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        said = "<4>/x/a.service:6: Failed to parse Nice=\u2028a\x85b, ignoring: Invalid argument\n<6>x\n".encode()
        monkeypatch.setattr(module, "run_program", lambda *_arguments, **_options: SimpleNamespace(stdout=said))
        messages = module._Run(UnitPaths("system"), "", "/run/x").verify("/x", ["a.service"])
        assert messages == [
            (4, "/x/a.service:6: Failed to parse Nice=\u2028a\x85b, ignoring: Invalid argument"),
            (6, "x"),
        ]

    def test_a_continued_value_is_named_by_its_first_line(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [(3, "DIR/a.service:5: Failed to resolve unit specifiers in '%Z': Invalid slot")]
        (error,) = verdict(tmp_path, self.RAW).errors
        assert (error.line, error.text) == (4, "ExecStart=/a    --b")

    def test_advice_is_a_warning(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [
            (5, "DIR/a.service:6: Standard output type syslog is obsolete, automatically updating to journal."),
            (4, "DIR/a.service:6: Unit uses KillMode=none. This is unsafe"),
            (3, "a.service: Command /a is not executable: No such file or directory"),
            (3, "a.service: Failed to create a.service/start: Unit b.service not found."),
        ]
        errors, warnings = verdict(tmp_path, self.RAW)
        assert errors == []
        assert len(warnings) == 4
        assert "Command /a is not executable: No such file or directory" in [w.message for w in warnings]

    def test_a_unit_that_would_not_load_is_an_error_told_once(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [
            (3, "a.service: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing."),
            (3, "Unit a.service has a bad unit file setting."),
        ]
        (error,) = verdict(tmp_path, self.RAW).errors
        assert error.message == "Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing."
        assert error.line == 0

    def test_other_files_are_not_our_business(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [
            (4, "/usr/lib/systemd/system/b.service:3: Unknown key 'X' in section [Unit], ignoring."),
            (3, "b.service: Service has no ExecStart=. Refusing."),
            (3, "aa.service: Service has no ExecStart=. Refusing."),
        ]
        assert verdict(tmp_path, self.RAW) == ([], [])

    def test_unknown_directives_are_told_by_the_table(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [(4, "DIR/a.service:2: Unknown key 'Execstart' in section [Service], ignoring.")]
        (error,) = verdict(tmp_path, "[Service]\nExecstart=/a\n").errors
        assert "did you mean ExecStart=?" in error.message

    def test_directives_that_systemd_dropped_only_warn(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [(6, "DIR/a.service:2: Support for option NetClass= has been removed and it is ignored")]
        errors, warnings = verdict(tmp_path, "[Service]\nNetClass=a\n")
        assert errors == []
        assert warnings[0].line == 2

    def test_instances_that_systemd_makes_up_for_templates(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [(3, "a@i.service: Service has no ExecStart=. Refusing.")]
        assert len(verdict(tmp_path, "[Service]\n", "a@.service").errors) == 1

    def test_drop_in_is_not_blamed_for_what_was_wrong_before(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [
            (3, "a.service: Command /gone is not executable: No such file or directory"),
            (3, "a.service: Service has more than one ExecStart= setting. Refusing."),
            (4, "DIR/a.service.d/x.conf:2: Failed to parse PrivateTmp=z, ignoring: Invalid argument"),
        ]
        said.before = said.said[:1]
        errors, warnings = verdict(
            tmp_path, "[Service]\nPrivateTmp=z\n", "a.service", "x.conf", "[Service]\nExecStart=/gone\n"
        )
        assert [error.line for error in errors] == [2, 0]
        assert warnings == []

    def test_drop_in_of_a_unit_that_is_not_there_yet(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = [(3, "a.service: Service has more than one ExecStart= setting. Refusing.")]
        assert verdict(tmp_path, "[Service]\nPrivateTmp=yes\n", "a.service", "x.conf") == ([], [])
        assert (tmp_path / "scratch/new/a.service").exists()

    def test_files_that_go_are_not_there_any_more(self, said: type[FakeRun], tmp_path: Path) -> None:
        """What they hid comes to light, both where the new files are checked and where it is told what was wrong before."""
        root, scratch = tmp_path / "root", tmp_path / "scratch"
        scratch.mkdir()
        files = {
            "etc/systemd/system/a.service": "[Service]\nExecStart=/gone\n",
            "usr/lib/systemd/system/a.service": "[Service]\nExecStart=/vendors\n",
            "etc/systemd/system/a.service.d/gone.conf": "[Service]\nExecStart=/gone\n",
            "etc/systemd/system/a.service.d/hides.conf": "[Service]\nExecStart=/gone\n",
            "usr/lib/systemd/system/a.service.d/hides.conf": "[Service]\nNice=1\n",
            "etc/systemd/system/a.service.d/new.conf": "[Service]\nExecStart=/gone\n",
        }
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        paths = UnitPaths("system", root=str(root))
        said.said = [(3, "a.service: Service has more than one ExecStart= setting. Refusing.")]
        raw = "[Service]\nPrivateTmp=yes\n"
        gone = [f"{root}/{name}" for name in files if name.startswith("etc/")]
        module.verify_set({("a.service", "new.conf"): (parse(raw), raw)}, [("a.service", "new.conf")], paths, TABLE, str(scratch), "", gone)
        assert (scratch / "new/a.service").read_text() == "[Service]\nExecStart=/vendors\n"
        hidden = {"gone.conf": "", "hides.conf": "[Service]\nNice=1\n"}
        found = {each.name: each.read_text() for each in (scratch / "new/a.service.d").iterdir()}
        assert found == {**hidden, "new.conf": raw}
        assert {each.name: each.read_text() for each in (scratch / "without/a.service.d").iterdir()} == hidden

    def test_without_systemd_analyze(self, said: type[FakeRun], tmp_path: Path) -> None:
        said.said = None
        errors, warnings = verdict(tmp_path, "[Service]\nFoo=1\n")
        assert len(errors) == 1
        assert "not installed" in warnings[0].message


class TestPaths:
    @pytest.mark.parametrize(
        ("paths", "runtime", "directory"),
        [
            (UnitPaths("system"), False, "/etc/systemd/system"),
            (UnitPaths("system"), True, "/run/systemd/system"),
            (UnitPaths("global"), False, "/etc/systemd/user"),
            (UnitPaths("global"), True, "/run/systemd/user"),
            (UnitPaths("user", "/home/a", 1000), False, "/home/a/.config/systemd/user"),
            (UnitPaths("user", "/home/a", 1000), True, "/run/user/1000/systemd/user"),
        ],
    )
    def test_directories(self, paths: UnitPaths, runtime: bool, directory: str) -> None:
        assert paths.unit("a.service", runtime) == f"{directory}/a.service"
        assert paths.dropin("a.service", "x.conf", runtime) == f"{directory}/a.service.d/x.conf"
        assert directory in paths.search

    def test_directories_of_a_tree_are_where_its_links_lead_inside_of_it(self, tmp_path: Path) -> None:
        for name in ("usr/lib/systemd/system", "opt/units", "etc/systemd"):
            (tmp_path / name).mkdir(parents=True)
        (tmp_path / "lib").symlink_to("usr/lib")
        (tmp_path / "run").symlink_to("/var/run")
        (tmp_path / "etc/systemd/system").symlink_to("/opt/units")
        paths = UnitPaths("system", root=str(tmp_path))
        assert paths.unit("a.service") == f"{tmp_path}/opt/units/a.service"
        assert paths.unit("a.service", runtime=True) == f"{tmp_path}/var/run/systemd/system/a.service"
        assert paths.search.count(f"{tmp_path}/usr/lib/systemd/system") == 1
        assert all(path.startswith(f"{tmp_path}/") and "/lib/systemd/system" not in path[:4] for path in paths.search)

    def test_a_tree_whose_directory_is_a_circle_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "etc/systemd").mkdir(parents=True)
        (tmp_path / "etc/systemd/system").symlink_to("/etc/systemd/system")
        with pytest.raises(SystemdError, match="go round in a circle"):
            UnitPaths("system", root=str(tmp_path))

    @pytest.mark.parametrize("root", ["/nowhere/at/all", "/etc/hostname", "relative"])
    def test_a_tree_that_is_not_there_is_refused(self, root: str) -> None:
        with pytest.raises(SystemdError, match=f"root: '{root}' is not an existing directory"):
            UnitPaths("system", root=root)

    def test_find(self, tmp_path: Path) -> None:
        paths = UnitPaths("system", root=str(tmp_path))
        etc, usr = tmp_path / "etc/systemd/system", tmp_path / "usr/lib/systemd/system"
        for directory in (etc, usr):
            directory.mkdir(parents=True)
            (directory / "a@.service").touch()
        (usr / "a@2.service").touch()
        assert paths.find("a@1.service") == str(etc / "a@.service")
        assert paths.find("a@2.service") == str(usr / "a@2.service")
        assert paths.find("a@.service", without=(str(etc / "a@.service"),)) == str(usr / "a@.service")
        assert paths.find("b.service") is None

    def test_shadows(self, tmp_path: Path) -> None:
        paths = UnitPaths("system", root=str(tmp_path))
        best = tmp_path / "etc/systemd/system/a.service.d"
        best.mkdir(parents=True)
        (best / "x.conf").touch()
        assert paths.shadows(paths.dropin("a.service", "x.conf", runtime=True)) == str(best / "x.conf")
        assert paths.shadows(paths.dropin("a.service", "x.conf")) is None
        assert paths.shadows(paths.dropin("a.service", "y.conf", runtime=True)) is None

    @pytest.mark.parametrize(
        ("value", "name"), [("10-a", "10-a.conf"), ("a.conf", "a.conf"), ("after-app", "after-app.conf")]
    )
    def test_dropin(self, value: str, name: str) -> None:
        assert check_dropin(value, "a.service") == name

    @pytest.mark.parametrize(
        ("value", "word"),
        [
            ("", "'10-limits'"),
            (".conf", "'10-limits'"),
            (".hidden", "'10-limits'"),
            ("../x", "systemd would read"),
            ("a/b", "slash"),
            ("/etc/x", "slash"),
            ("a\nb", "line break"),
            ("a\0b", "NUL"),
            ("a b", "' '"),
            ("a*", "'*'"),
            ("x" * 260, "255"),
        ],
    )
    def test_bad_dropin(self, value: str, word: str) -> None:
        with pytest.raises(BadInput) as caught:
            check_dropin(value, "a.service")
        assert caught.value.msg.startswith("dropin: ")
        assert word in caught.value.msg
        assert len(caught.value.msg) < 200
