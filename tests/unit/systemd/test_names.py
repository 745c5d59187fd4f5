# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of units: what is valid, and systemd's escaping."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import names


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("nginx", "nginx.service"),
        ("nginx.service", "nginx.service"),
        ("a.b", "a.b.service"),
        ("app@1", "app@1.service"),
        ("app@.service", "app@.service"),
        ("x.timer", "x.timer"),
        (r"dev-disk-by\x2duuid.device", r"dev-disk-by\x2duuid.device"),
        ("-.mount", "-.mount"),
    ],
)
def test_complete_names(written: str, full: str) -> None:
    assert names.check_name(written) == full


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", ["not a unit name"]),
        (None, ["not a unit name"]),
        ("a/b", ["slash"]),
        ("../x", ["slash"]),
        ("/opt/x.service", ["slash", "state: linked", "pidone.systemd.unit_file", "'x.service'"]),
        ("sub/x.timer", ["slash", "state: linked", "'x.timer'"]),
        ("/mnt/a b", ["slash", r"mnt-a\\x20b", ".mount"]),
        ("a\nb", ["line break"]),
        ("a\0b", ["NUL"]),
        ("a b", ["' '"]),
        ("ä", ["ä"]),
        ("a*", ["pattern"]),
        ("x" * 248, ["256 characters", "255"]),
        ("@.service", ["before its @"]),
        (".service", ["before its suffix"]),
        ("a@.mount", ["systemd loads none of type mount", r"\x40"]),
        ("a@1.slice", ["systemd loads none of type slice"]),
    ],
)
def test_names_that_are_none(written: str, words: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        names.check_name(written, "unit")
    assert caught.value.msg.startswith("unit: ")
    for word in words:
        assert word in caught.value.msg


def test_a_file_of_a_name_that_systemd_does_not_load_can_be_named() -> None:
    assert names.check_name("a@.mount", loadable=False) == "a@.mount"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app@.service", True),
        ("app@1.service", False),
        ("app@.x.service", False),
        ("app@..service", False),
        ("app.service", False),
        ("app@.x", False),
    ],
)
def test_templates(name: str, expected: bool) -> None:
    assert names.is_template(name) is expected


def test_patterns_where_they_may_be() -> None:
    assert names.check_name("app@*.service", globs=True) == "app@*.service"
    assert names.check_name("app[12]?", globs=True) == "app[12]?"
    assert names.is_glob("a?")
    assert not names.is_glob("a@b.service")


def test_parts() -> None:
    assert names.unit_type("a.socket") == "socket"
    assert names.unit_type("a.b") == ""
    assert names.is_template("app@.service")
    assert not names.is_template("app@1.service")
    assert names.template_of("app@1.x.service") == "app@.service"
    assert names.template_of("app.service") == ""
    assert names.instance_of("app@1.x.service") == "1.x"
    assert names.instance_of("app@.service") == ""
    assert names.prefix_of("app@1.service") == "app"
    assert names.prefix_of("a.b.service") == "a.b"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("a/b", "a-b"), ("a-b", r"a\x2db"), (".a", r"\x2ea"), ("a.b", "a.b"), ("ö", r"\xc3\xb6"), ("a b", r"a\x20b")],
)
def test_escape(text: str, escaped: str) -> None:
    assert names.escape(text) == escaped
    assert names.unescape(escaped) == text


@pytest.mark.parametrize(("path", "escaped"), [("/", "-"), ("//a//b/", "a-b"), ("/a/./b", "a-b"), ("/.x", r"\x2ex")])
def test_escape_path(path: str, escaped: str) -> None:
    assert names.escape_path(path) == escaped


@pytest.mark.parametrize("text", ["a\\b", "\\x2", "\\xzz"])
def test_unescape_refuses_what_is_not_escaped(text: str) -> None:
    with pytest.raises(BadInput):
        names.unescape(text)


@given(st.text())
def test_escaping_round_trips(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert names.unescape(names.escape(text)) == text


def test_object_paths() -> None:
    assert names.object_path("a-b@1.service") == "/org/freedesktop/systemd1/unit/a_2db_401_2eservice"
    assert names.object_path("1.slice") == "/org/freedesktop/systemd1/unit/_31_2eslice"
