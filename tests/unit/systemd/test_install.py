# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What [Install] asks for, and which of its links are there."""

from __future__ import annotations

import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import (
    Install,
    Taken,
    UnitFiles,
    add_install,
    places_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

TEXTS = [
    "[Install]\nWantedBy=a.target b.target\nWantedBy=c.target\n",
    "[Unit]\nWantedBy=not.target\n[Install]\n WantedBy = a.target\n\n# WantedBy=no.target\n;WantedBy=no.target\nAlias=x.service\n",
    "[Install]\nWantedBy=a.target \\\n  b.target \\\n# within\n  c.target\nAlias=x.service",
    "[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy=b.target\n",
    "[Service]\nExecStart=/bin/echo \\\n[Install]\nWantedBy=a.target\n",
    "[Install]\nWantedBy=a.target\n[Service]\nAlias=no.service\n[Install]\nAlias=yes.service\n",
    "[Unit]\nDescription=see [Install]\n[Install]\nWantedBy=a.target\r\nAlias=x.service\r\n",
    "[Service]\nExecStart=/bin/true\n",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_install_is_read_as_the_parser_of_unit_files_reads_it(text: str) -> None:
    found: Install = {}
    add_install(found, text)
    parsed = parse(text)
    keys = {each.key for each in parsed.assignments if each.section == "Install"}
    assert found == {key: " ".join(parsed.values("Install", key)).split() for key in keys}


def test_a_dropin_adds_and_resets() -> None:
    found: Install = {}
    add_install(found, "[Install]\nWantedBy=a.target\n")
    add_install(found, "[Install]\nWantedBy=b.target\n")
    assert found == {"WantedBy": ["a.target", "b.target"]}
    add_install(found, "[Install]\nWantedBy=\n")
    assert found == {"WantedBy": []}


@pytest.mark.parametrize(
    ("name", "install", "pulls", "aliases"),
    [
        (
            "a.service",
            {"WantedBy": ["x.target"], "RequiredBy": ["y.service"], "UpheldBy": ["z.target"], "Alias": ["b.service"]},
            ["x.target.wants/a.service", "y.service.requires/a.service", "z.target.upholds/a.service"],
            ["b.service"],
        ),
        ("a@1.service", {"WantedBy": ["x@%i.target"]}, ["x@1.target.wants/a@1.service"], []),
        ("a@b-c.service", {"Alias": ["n@.service", "%p-%i.service"]}, [], ["n@b-c.service"]),
        ("a-b.service", {"Alias": ["%j-%N.service", "%n", "100%%.service"]}, [], ["b-a-b.service", "100%.service"]),
        ("a@.service", {"WantedBy": ["x.target"]}, [], []),
        ("a@.service", {"WantedBy": ["x.target"], "DefaultInstance": ["d"]}, ["x.target.wants/a@d.service"], []),
        ("a.service", {"WantedBy": ["multi-user", "%H.target", "../x.target"], "Alias": ["b.socket", "b@1.service"]}, [], []),
        ("a.service", {"WantedBy": ["x.target", "x.target"]}, ["x.target.wants/a.service"], []),
    ],
)
def test_links_that_are_asked_for(name: str, install: Install, pulls: list[str], aliases: list[str]) -> None:
    assert places_of(install, name) == (pulls, aliases)


ETC, RUN, LIB = "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"


def files_in(root: Path, links: dict[str, str], version: str = "252") -> UnitFiles:
    for directory in (ETC, RUN, LIB):
        (root / directory[1:]).mkdir(parents=True, exist_ok=True)
    for path, target in links.items():
        place = root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        if target:
            place.symlink_to(target)
        else:
            place.write_text("")
    own = [f"{root}{directory}" for directory in (ETC, RUN)]
    manager: t.Any = types.SimpleNamespace(
        tree=Tree(str(root)),
        unit_path=lambda: [*own, f"{root}{LIB}"],
        link_directories=lambda: own,
        version=lambda: version,
    )
    return UnitFiles(manager)


WANTS = "x.target.wants/a.service"


@pytest.mark.parametrize(
    ("links", "runtime", "lacking"),
    [
        ({}, False, [WANTS, "b.service"]),
        ({f"{ETC}/{WANTS}": "/usr/lib/systemd/system/a.service"}, False, ["b.service"]),
        ({f"{ETC}/{WANTS}": "/gone", f"{ETC}/b.service": f"{LIB}/a.service"}, False, []),
        ({f"{LIB}/{WANTS}": "../a.service", f"{LIB}/b.service": "a.service"}, False, []),
        ({f"{RUN}/{WANTS}": f"{LIB}/a.service", f"{RUN}/b.service": f"{LIB}/a.service"}, False, [WANTS, "b.service"]),
        ({f"{RUN}/{WANTS}": f"{LIB}/a.service", f"{RUN}/b.service": f"{LIB}/a.service"}, True, []),
        ({f"{ETC}/{WANTS}": f"{LIB}/a.service", f"{ETC}/b.service": f"{LIB}/a.service"}, True, []),
    ],
)
def test_links_that_are_not_there(tmp_path: Path, links: dict[str, str], runtime: bool, lacking: list[str]) -> None:
    install = {"WantedBy": ["x.target"], "Alias": ["b.service"]}
    assert files_in(tmp_path, links).look("a.service", install, runtime) == (lacking, [], ["b.service"])


@pytest.mark.parametrize("target", [f"{LIB}/other.service", "/dev/null", ""])
def test_a_name_that_is_taken(tmp_path: Path, target: str) -> None:
    files = files_in(tmp_path, {f"{ETC}/b.service": target})
    assert files.look("a.service", {"Alias": ["b.service"]}, False) == (
        [],
        [Taken(f"{tmp_path}{ETC}/b.service", target)],
        ["b.service"],
    )


@pytest.mark.parametrize("target", [f"{LIB}/other.service", "/dev/null", ""])
def test_a_name_that_is_taken_by_what_is_about_to_be_removed(tmp_path: Path, target: str) -> None:
    files = files_in(tmp_path, {f"{ETC}/b.service": target})
    gone = {f"{tmp_path}{ETC}/b.service"}
    assert files.look("a.service", {"Alias": ["b.service"]}, False, gone) == (["b.service"], [], ["b.service"])


def test_links_that_are_about_to_be_removed_are_not_there(tmp_path: Path) -> None:
    files = files_in(tmp_path, {f"{ETC}/{WANTS}": f"{LIB}/a.service", f"{ETC}/b.service": f"{LIB}/a.service"})
    gone = {f"{tmp_path}{ETC}/{WANTS}", f"{tmp_path}{ETC}/b.service"}
    install = {"WantedBy": ["x.target"], "Alias": ["b.service"]}
    assert files.look("a.service", install, False, gone) == ([WANTS, "b.service"], [], ["b.service"])


def test_other_names_of_instances_are_links_to_the_template(tmp_path: Path) -> None:
    files = files_in(tmp_path, {f"{ETC}/n@1.service": f"{LIB}/a@.service"})
    assert files.look("a@1.service", {"Alias": ["n@.service"]}, False) == ([], [], ["n@1.service"])
    assert files.look("a@2.service", {"Alias": ["n@.service"]}, False) == (["n@2.service"], [], ["n@2.service"])
    assert files.look("b@1.service", {"Alias": ["n@.service"]}, False)[1] == [
        Taken(f"{tmp_path}{ETC}/n@1.service", f"{LIB}/a@.service")
    ]


@pytest.mark.parametrize(("version", "lacking"), [("247", []), ("252.39-1", []), ("254.1", ["x.target.upholds/a.service"])])
def test_old_versions_make_no_links_for_upheld_by(tmp_path: Path, version: str, lacking: list[str]) -> None:
    assert files_in(tmp_path, {}, version).look("a.service", {"UpheldBy": ["x.target"]}, False)[0] == lacking


def test_files_of_instances(tmp_path: Path) -> None:
    paths = [f"{LIB}/a@.service", f"{ETC}/a@.service.d/20.conf", f"{LIB}/a@1.service.d/10.conf", f"{LIB}/a@.service.d/20.conf"]
    files = files_in(tmp_path, dict.fromkeys(paths, ""))
    assert files.files("a@1.service") == [f"{tmp_path}{path}" for path in (paths[0], paths[2], paths[1])]
    assert files.files("b.service") == []


def test_names_that_stand_for_others(tmp_path: Path) -> None:
    links = {f"{LIB}/a.service": "", f"{LIB}/b.service": "a.service", f"{ETC}/c.service": f"{LIB}/b.service"}
    links |= {f"{ETC}/l.service": "/opt/l.service", f"{ETC}/m.service": "/dev/null", f"{LIB}/n@.service": "o@.service"}
    files = files_in(tmp_path, links)
    names = ["a.service", "b.service", "c.service", "l.service", "m.service", "n@7.service", "none.service"]
    wanted = ["a.service", "a.service", "a.service", "l.service", "m.service", "o@7.service", "none.service"]
    assert [files.name_behind(name) for name in names] == wanted
