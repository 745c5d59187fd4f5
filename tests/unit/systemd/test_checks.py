# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What values of options have in common, whatever they mean."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils import basic

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short, shown
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import (
    check_account,
    check_directory,
    check_line,
    check_mode,
    check_range,
    check_values,
    presentable,
)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"since": "a\0b"}, "since: character 2 is a NUL"),
        ({"name": ["a", "b\0"]}, "name[1]: character 2 is a NUL"),
        ({"timers": [{"name": "x"}, {"command": ["/bin/x", "\0"]}]}, "timers[1].command[1]: character 1 is a NUL"),
        ({"environment": {"A\0": "x"}}, "environment: a key: character 2 is a NUL"),
        ({"user": "a\ud800"}, "user: character 2 is '\\ud800', a byte that is no UTF-8"),
        ({"user": "a\udcff"}, "user: character 2 is '\\udcff', a byte that is no UTF-8"),
        ({"next": 2**64}, "next: 18446744073709551616 is more than 64 bits hold"),
        ({"next": 10**5000}, "next: a number of more than 100 digits is more than 64 bits hold"),
    ],
)
def test_what_is_a_value_for_nobody_is_refused(params: dict[str, t.Any], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_values(params)
    assert caught.value.msg.startswith(told)
    caught.value.msg.encode()


def test_what_is_a_value_for_somebody_is_not() -> None:
    check_values(
        {"name": ["a", "\u00e9\U0001f600"], "x": None, "y": True, "z": 2**64 - 1, "f": 1e300, "d": {"a": {"b": []}}}
    )
    check_values({"services": [{"content": "\0\udcff"}], "stdin": "\0"}, ("services",), ("stdin",))
    with pytest.raises(BadInput):
        check_values({"stdin": "\ud800"}, (), ("stdin",))


@pytest.mark.parametrize(
    "user", ["root", "www-data", "a.b", "0", "4294967294", "dom\\user", "_x", "user@domain", "\u00e9", "1a"]
)
def test_names_and_numbers_of_accounts(user: str) -> None:
    assert check_account(user, "user") == user


@pytest.mark.parametrize(
    "user",
    [
        "",
        "\u00b2",
        "\u0663",
        "-1",
        "-x",
        "a/b",
        "a:b",
        "a\nb",
        "a\x1b",
        " a",
        "a ",
        ".",
        "..",
        "4294967295",
        "65535",
        "007",
        "7" * 5000,
        "x" * 300,
    ],
)
def test_what_is_none(user: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_account(user, "name[3]")
    assert caught.value.msg.startswith("name[3]: ")
    assert len(caught.value.msg) < 250


@pytest.mark.parametrize(
    "mode", ["0644", "644", "0600", "000", "u=rw,go=r", "go-w", "a+r", "u=g", 0o644, 0o600, 0o640, 0o444, 0o755, 0o664]
)
def test_modes(mode: t.Any) -> None:
    check_mode(mode)


@pytest.mark.parametrize(
    "mode",
    # Numbers are those that YAML makes of a mode that was written without quotes and without 0.
    ["", "-1", "07777777", "4644", "1644", "0o644", "8", "u+s", "o+t", "rw", "u=rw;go=r", "\u0664\u0664\u0664",
     644, 600, 640, 660, 664, 444, 440, 400, 755, -1, 0, 10**12, True, None, [], {}, 6.44],
)  # fmt: skip
def test_what_is_no_mode(mode: t.Any) -> None:
    with pytest.raises(BadInput, match=r"^mode: .*in quotes"):
        check_mode(mode)


def test_lines_directories_and_bounds() -> None:
    assert check_line("-1h", "since", "a time", "write one") == "-1h"
    assert check_directory("/var/log/", "directory") == "/var/log"
    assert check_directory("/", "directory") == "/"
    assert check_range(5, "lines", 0, 5, "give fewer") == 5
    for text in ("", " ", "a\nb", "a\x85b", "a\u2028b", "x" * 5000):
        with pytest.raises(BadInput, match=r"^since: "):
            check_line(text, "since", "a time", "write one")
    for text in ("", "a", "a/b", "/a/../b", "/" + "x" * 256, "/a\nb"):
        with pytest.raises(BadInput, match=r"^directory: "):
            check_directory(text, "directory")
    with pytest.raises(BadInput, match=r"^lines: -1 is not between 0 and 5; give fewer"):
        check_range(-1, "lines", 0, 5, "give fewer")


def test_messages_are_bounded_whoever_wrote_them() -> None:
    long = "x" * 100_000
    assert len(presentable(f"state: {long} is wrong; write better", {"state": long})) < 200
    assert presentable(f"a: {long!r} is wrong", {"a": [{"b": long}]}).endswith("is wrong")
    for text in (" " * 200, "\x1c" * 200, " " * 200 + "e"):
        message = f"b: has no such section; write one such as Service, {'and so on, ' * 10}and all is well"
        assert presentable(message, {"a": text}) == message, "what is left of blanks is everywhere"
    kept = presentable(f"a: {'y ' * 20_000}; the remedy", {})
    assert len(kept) < 9000
    assert kept.startswith("a: y")
    assert kept.endswith("; the remedy")
    assert presentable("a\x1b[31m\ud800\tb\nc", {}) == "a\\x1b[31m\\ud800\tb\nc"
    assert presentable("short: 'x'", {"a": "x"}) == "short: 'x'"
    assert len(shown(10**6000)) < 100
    assert len(shown(["x" * 1000] * 1000)) <= 100
    assert short([str(number) for number in range(5000)]) == "0, 1 and 4998 more"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "a\0b"}, "name: character 2 is a NUL"),
        ({"name": "a\ud800"}, "name: character 2 is '\\ud800'"),
        ({"which": "a\ud800" + "x" * 10_000}, "value of which must be one of: a, b, got: a\\ud800"),
        ({"number": "7" * 5000}, "number: a number of more than 100 digits is more than 64 bits hold"),
        ({"number": "7" * 5000, "which": "c"}, "value of which must be one of: a, b"),
    ],
)
def test_the_border_is_that_of_every_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: dict[str, t.Any], told: str
) -> None:
    # Not every way that options come lets each of them through.
    monkeypatch.setattr(basic.AnsibleModule, "_load_params", lambda self: setattr(self, "params", dict(arguments)))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy")
    spec = {"name": {"type": "str"}, "which": {"type": "str", "choices": ["a", "b"]}, "number": {"type": "int"}}
    with pytest.raises(SystemExit):
        AnsibleModule(argument_spec=spec, supports_check_mode=True)
    result = json.loads(capsys.readouterr().out)
    assert result["failed"]
    assert told in result["msg"]
    assert len(result["msg"]) < 250
