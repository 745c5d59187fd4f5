# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that were taken silently, told unclearly, or ended in an error of Python's: each with what is said of it now."""

from __future__ import annotations

import ast
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import names, numbers
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import exec as exec_properties
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import resource as resources
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import check_directives
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import parse_bytes, parse_percent
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text import quoting
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import join_command
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse, render
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.crontab import parse_crontab
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.times import convert
from tests.unit.values import numeric

MANY = "9" * 5000
MODULE_UTILS = Path(__file__).resolve().parents[3] / "plugins" / "module_utils"
MIB = 1024 * 1024


def short(value: t.Any) -> str:
    """The name of a test; pytest's own would have thousands of digits."""
    return plain(value, 40) if isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SyslogLevel", "²", "'²' is no log level"),
        ("KillSignal", "²", "'²' is no signal"),
        ("KillSignal", "ſigterm", "is no signal"),
        ("KillSignal", f"SIGRTMIN+{MANY}", "is no signal"),
        ("TimerSlackNSec", "²", "is not a time span"),
        ("TimerSlackNSec", MANY, "is longer than systemd can count in nanoseconds"),
        ("TimerSlackNSec", "5000000y", "is longer than systemd can count"),
        ("TimerSlackNSec", "20000000s 600y", "is longer than systemd can count in nanoseconds"),
        ("LimitRTTIME", "²", "is not a time span"),
        ("LimitRTTIME", MANY, "longer than systemd can count"),
        ("LimitNOFILE", "1_024", "'1_024' is not a whole number"),
        ("LimitNOFILE", "-1", "-1 is out of range; it goes from 0 on"),
        ("Nice", "1_0", "'1_0' is not a whole number"),
        ("Nice", "٣", "'٣' is not a whole number"),
        ("Nice", MANY, "is out of range; it goes from -20 to 19"),
        ("StartLimitBurst", 2**32, "4294967296 is out of range; it goes from 0 to 4294967295"),
        ("CoredumpFilter", "-1", "'-1' is not a type of memory"),
        ("CoredumpFilter", "1_0", "'1_0' is not a type of memory"),
        ("CoredumpFilter", "1" + "0" * 16, "is not a type of memory"),
        ("SuccessExitStatus", "²", "'²' is neither an exit status"),
        ("CPUAffinity", "٣", "'٣' is not a list of numbers"),
        ("CapabilityBoundingSet", "CAP_\u212aILL", "is no capability"),
        ("Environment", "É=1", "is not NAME=VALUE"),
        ("Environment", {"É": "1"}, "is not NAME=VALUE"),
        ("LogExtraFields", "É=1", "is not FIELD=VALUE"),
        ("LogExtraFields", "_PID=1", "is not FIELD=VALUE"),
        ("UnsetEnvironment", "\\Uffffffff", r"\U is no escape"),
        ("UnsetEnvironment", "\\xff", "holds bytes that are not UTF-8"),
        ("Description", "a\ud800", "holds bytes that are not UTF-8"),
        ("Description", "a\0", "holds a NUL character"),
        ("Description", float("inf"), "inf is a number that systemd cannot hold"),
        ("Description", 10**5000, "a number of more than 100 digits is a number that systemd cannot hold"),
        ("OnCalendar", f"*:{MANY}", "the number is too large"),
        ("SystemCallFilter", "foo", "'foo' is no system call that systemd here knows"),
        ("SystemCallFilter", "~@foo", "'@foo' is no group of system calls that systemd here knows"),
        ("SystemCallLog", "read foo:EPERM", "'foo:EPERM' is no system call"),
        ("SystemCallFilter", "a/b", "'a/b' is no name of a system call"),
        ("", 1, "'' is no directive"),
    ],
    ids=short,
)  # fmt: skip
def test_directives(name: str, value: t.Any, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = frozenset(("read", "@known", "@system-service"))
    monkeypatch.setattr(exec_properties, "known_system_calls", lambda: known)
    with pytest.raises(BadInput) as caught:
        exec_properties.to_bus(name, value, f"properties.{name}")
    assert caught.value.msg.startswith(f"properties.{name}: ")
    assert says in caught.value.msg
    assert len(caught.value.msg) < 400


def test_which_directives_have_numbers() -> None:
    """Were a kind left out of the tests of numbers, it would be one of these."""
    ours = {type(numeric.TABLES[name]).__name__ for name in numeric.NUMERIC}
    assert ours >= {"Number", "Weight", "Memory", "Tasks", "Quota", "Fraction", "TimeSpan", "StartAndStop", "Limit", "Choice", "Mode"}
    assert ours >= {"NumberSet", "Processors", "Affinity", "PerDevice", "Ports", "Addresses", "Plain"}
    assert {*numeric.NUMERIC} >= {"Nice", "KillSignal", "TimerSlackNSec", "SyslogLevel", "SuccessExitStatus", "CoredumpFilter", "LimitRTTIME"}
    assert len(numeric.NUMERIC) > 90


@pytest.mark.parametrize("name", numeric.NUMERIC)
def test_no_directive_takes_what_only_python_takes_for_a_number(name: str) -> None:
    for digits in (*numeric.NO_DIGITS, "1\0"):
        with pytest.raises(BadInput) as caught:
            numeric.TABLES[name].parse_all([numeric.spoiled(numeric.NUMERIC[name], digits)], f"properties: {name}")
        assert caught.value.msg.startswith(f"properties: {name}: ")


def test_system_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "@default\n    # System calls that are always permitted\n    brk\n    @x\n\n# Unlisted:\n#   osf_stat\n"
    known = exec_properties.parse_system_calls(listing)
    assert {"@default", "brk", "@x", "osf_stat"} <= known
    assert "always" not in known
    monkeypatch.setattr(exec_properties, "known_system_calls", lambda: known)
    to_bus = exec_properties.to_bus
    assert to_bus("SystemCallFilter", "~brk:EPERM @default", "p") == [
        ("SystemCallFilter", ("(bas)", (False, ["brk:EPERM", "@default"])))
    ]
    # Where systemd cannot be asked, nothing is refused for its name.
    monkeypatch.setattr(exec_properties, "known_system_calls", lambda: None)
    assert to_bus("SystemCallFilter", "foo", "p") == [("SystemCallFilter", ("(bas)", (True, ["foo"])))]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CPUQuota", "99999999999999999%", "'99999999999999999%' is more than systemd can count"),
        ("CPUQuota", f"{MANY}%", "is more than systemd can count"),
        ("MemoryMax", MANY, "it is more than systemd can count"),
        ("MemoryMax", "1\0G", r"'1\x00G' holds a NUL character"),
        ("MemoryMax", "1.99999999999999999999G", "there are more decimals than systemd takes"),
        ("MemoryMax", 10**5000, "is a number that systemd cannot hold"),
        ("AllowedCPUs", "-1", "'-1' is not a list of numbers such as 0-3 8"),
        ("AllowedCPUs", "²", "'²' is not a list of numbers such as 0-3 8"),
        ("AllowedCPUs", "1-", "'1-' is not a list of numbers such as 0-3 8"),
        ("TasksMax", "1\u20032", "is not a number of tasks"),
        ("IOReadBandwidthMax", {"/dev/sda": MANY}, "is more than systemd can count"),
        ("IOReadBandwidthMax", {"": "1M"}, "'' is no path of a device"),
        ("IOReadBandwidthMax", {"/dev/a b": "1M"}, "'/dev/a b' is no path of a device"),
        ("IOReadBandwidthMax", {3: "1M"}, "3 is no path of a device"),
        ("RestrictNetworkInterfaces", "eth\x010", "is no name of a network interface"),
        ("Slice", "x.service", "'x.service' is no slice; write one such as machine.slice"),
    ],
    ids=short,
)
def test_resource_properties(name: str, value: t.Any, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        resources.canonical(name, value)
    assert caught.value.msg.startswith(f"properties: {name}: ")
    assert says in caught.value.msg
    assert len(caught.value.msg) < 400


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("CPUQuota", ["20%"]),
        ("CPUQuota", [-1]),
        ("CPUWeight", [2**64]),
        ("MemoryAccounting", [7]),
        ("IPAddressAllow", [[(99, b"\0", 1)]]),
        ("IPAddressAllow", [[(2, b"\0\0\0\0", 33)]]),
        ("AllowedCPUs", [10**9]),
        ("DeviceAllow", [[("/dev/null",)]]),
        ("SocketBindAllow", [[(1, 2, 3)]]),
        ("RestrictNetworkInterfaces", [(True, [1, "a"])]),
        ("Delegate", [True]),
    ],
)
def test_answers_that_are_none(name: str, values: list[t.Any]) -> None:
    with pytest.raises(SystemdError, match=f"^{name}: systemd answered .*, which is no value for it$"):
        resources.from_bus(name, values)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: parse_timespan(MANY), "longer than systemd can count"),
        (lambda: parse_timespan("9223372036854775808us"), "longer than systemd can count"),
        (lambda: parse_timespan("٣s"), "a number is missing"),
        (lambda: parse_percent("²%"), "'²%' is not a percentage"),
        (lambda: parse_bytes("²"), "a number is missing"),
        (lambda: parse_calendar("wee\u212aly"), "at character 4, '\u212a' is where only ASCII characters can be"),
        (lambda: parse_calendar("ſun"), "at character 1, 'ſ' is where only ASCII characters can be"),
        (lambda: parse_calendar("*:0 leapseconds"), "neither a part of it nor a time zone"),
        (lambda: parse_calendar(f"@{MANY}"), "too far in the future"),
        (lambda: names.escape("a\ud800"), r"holds '\ud800', which is no character"),
        (lambda: names.unescape("a\ud800"), r"holds '\ud800', which is no character"),
        (lambda: names.check_name("/\ud800"), "holds a slash"),
        (lambda: names.check_slice("x.service"), "slice: 'x.service' is no slice"),
        (lambda: names.check_slice("x@.slice"), "slice: 'x@.slice' can be no slice"),
        (lambda: names.check_slice("x@1"), "slice: 'x@1' can be no slice"),
        (lambda: names.check_slice("a--b"), "slice: 'a--b' can be no slice"),
        (lambda: names.check_slice("a-.slice"), "slice: 'a-.slice' can be no slice"),
        (lambda: names.check_slice(None), "slice: None is not a unit name"),
        (lambda: join_command(["a", 10**5000], "command"), "command[1]: a number of more than 100 digits"),
        (lambda: join_command(["a", "\ud800"], "command"), "command[1]: '\\ud800' holds bytes that are not UTF-8"),
        (lambda: render({"Service": {"Nice": 10**5000}}), "sections.Service.Nice: a number of more than 100 digits"),
        (lambda: render({"Service": {"Environment": {"A\x01": 1}}}), r"'A\x01' is not the name of a variable"),
        (lambda: render({"Service": {"X-" + "a" * 300: 1}}), "is not a directive"),
        (lambda: render({"Service": {"Environment": ["A=" + " \\" * (MIB // 3) + "x"]}}), "longer than the 1 MiB"),
        (lambda: convert(f"{MANY} * * * *"), "is not in 0 to 59"),
        (lambda: convert("*/² * * * *"), "the step '²' is not a number"),
        (lambda: convert("0\u20030 * * * *"), "is not a number"),
        (lambda: convert("@wee\u212aly"), "is no name that cron knows"),
        (lambda: parse_crontab(f"1 {MANY} x y", "anacron"), "minutes is a day or more"),
    ],
)
def test_notations(call: t.Callable[[], t.Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        call()
    assert says in caught.value.msg
    assert len(caught.value.msg) < 400


def test_slices() -> None:
    assert names.check_slice("machine") == "machine.slice"
    assert names.check_slice("a-b.slice") == "a-b.slice"
    assert names.check_slice("-") == "-.slice"


def test_one_reader_of_numbers() -> None:
    """What `str.isdigit` takes for digits and `int` for a number is more than what systemd takes."""
    assert [text for text in ("1", "\u00b2", "\u0663", "", "-1", "1.0", "1_0", " 1") if numbers.is_digits(text)] == [
        "1"
    ]
    assert [numbers.leading_number(text) for text in ("252.39-1~deb12u2", "249", "\u00b2", "", "v1")] == [
        252,
        249,
        None,
        None,
        None,
    ]


def test_nobody_else_reads_them() -> None:
    found = [
        f"{path.relative_to(MODULE_UTILS)}: {word}"
        for layer in ("_systemd", "_tasks", "_engine")
        for path in sorted((MODULE_UTILS / layer).rglob("*.py"))
        for word in (".isdigit()", ".isdecimal()", ".isnumeric()")
        if word in path.read_text()
    ]
    # The latter refuses digits of all scripts.
    assert found == ["_systemd/checks.py: .isdigit()", "_systemd/numbers.py: .isdigit()"]


def test_names_too_long_for_their_files() -> None:
    """systemd takes 255 characters, and so does Linux for the name of a file: nothing can be put before or after."""
    longest = names.check_name("x" * 247 + ".service")
    assert len(longest) == 255
    fitting = "x" * 245 + ".service"
    names.check_file_name(fitting, "name", "{}.d", "its directory of drop-ins")
    with pytest.raises(BadInput) as caught:
        names.check_file_name(longest, "name", "{}.d", "its directory of drop-ins")
    assert "is 255 characters long; its directory of drop-ins NAME.d would" in caught.value.msg
    assert caught.value.msg.endswith("so choose a name of at most 253 characters")
    with pytest.raises(BadInput, match="its stamp stamp-NAME would have .* at most 249 characters"):
        names.check_file_name("x" * 244 + ".timer", "name", "stamp-{}", "its stamp")


def test_quoting() -> None:
    assert shown("a'b") == '"a\'b"'
    assert shown("a" * 100) == repr("a" * 100)
    assert shown("a" * 101) == "'" + "a" * 96 + "...'"
    assert len(shown("\0" * MIB)) == 101
    assert shown(10**5000) == "a number of more than 100 digits"
    assert shown([10**5000]) == "a list"
    assert plain("a\nb\ud800") == "a\\nb\\ud800"
    assert plain("é" * 101) == "é" * 97 + "..."


def test_a_file_of_nonsense_makes_a_short_message() -> None:
    parsed = parse("[Service]\n" + "nonsense\n" * 5000)
    assert len(parsed.problems) == 21
    assert parsed.problems[0].line == 2
    assert str(parsed.problems[-1]) == "and 4980 more problems"
    one = str(parse("[Service]\n" + "x" * (MIB - 2)).problems[0])
    assert len(one) < 250
    wrong = check_directives(
        parse("[Service]\n" + "".join(f"Dirextive{number}=1\n" for number in range(5000))),
        "service",
        {"Unit": {}, "Service": {"Directive": "STRING"}, "Install": {}},
    )
    assert len(wrong) == 21
    assert str(wrong[-1]) == "and 4980 more problems"
    assert len(check_directives(parse("[X\x01]\n" * 30 + "[Unit]\n" * 30), "service", {"Unit": {}})) < 22


def test_lines_that_are_too_long() -> None:
    """LONG_LINE_MAX counts bytes, of comments too, and of a continued value in all; systemd then reads nothing of the file."""
    assert not parse(f"[Unit]\n#{'x' * (MIB - 2)}\n").problems
    for text, line in (
        (f"[Unit]\n#{'x' * (MIB - 1)}\n", 2),
        (f"[Unit]\n\nDescription={'é' * (MIB // 2)}\n", 3),
        ("[Unit]\nDescription=a \\\n" + f"{'x' * 1000} \\\n" * 1100, 1049),
    ):
        (problem,) = parse(text).problems[:1]
        assert problem.line == line
        assert "longer than the 1 MiB that systemd takes" in problem.message


def test_lines_of_other_alphabets() -> None:
    """What Python alone takes for the end of a line is a part of it."""
    text = "[Unit]\nDescription=a\u2028ExecStartPre=/bin/evil\x0cb\x85c\n[Service]\nExecStop=/bin/old\n"
    sent = exec_properties.to_bus("ExecStop", "/bin/new", "properties", find=lambda program, _option: program)
    mended = exec_properties.mend_commands(text, sent)
    assert mended.startswith("[Unit]\nDescription=a\u2028ExecStartPre=/bin/evil\x0cb\x85c\n[Service]\n")
    assert "/bin/old" not in mended
    (job,) = parse_crontab("0 1 * * * a\x0cb\u2028c\r\n")
    assert job["command"] == "a\x0cb\u2028c"


def test_addresses_without_what_others_cover() -> None:
    value = resources.canonical("IPAddressAllow", "10.0.0.0/8 10.1.0.0/16 10.1.2.3 11.0.0.1 ::1 ::/64")
    assert resources.told("IPAddressAllow", value) == "10.0.0.0/8 11.0.0.1 ::/64"


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("unit file", lambda n: parse("[Service]\nEnvironment=A=b \\\n  C=d\n# x\nnonsense\n" * n)),
        ("one value", lambda n: parse("[Service]\nEnvironment=" + "A=b \\\n" * n)),
        ("sections", lambda n: parse("".join(f"[S{number}]\nA=b\n" for number in range(n))).meaning()),
        ("addresses", lambda n: resources.canonical("IPAddressAllow", [f"10.{i >> 8}.{i & 255}.1" for i in range(n)])),
        ("processors", lambda n: resources.canonical("AllowedCPUs", "0-8191 " * n)),
        ("affinity", lambda n: exec_properties.to_bus("CPUAffinity", "0-8191 " * n, "p")),
        ("words", lambda n: quoting.split_words("a\\n'b c' " * n, "p")),
        ("line breaks", lambda n: exec_properties.to_bus("Description", "a" + "\n" * n, "p")),
        ("name", lambda n: names.escape("a/\x01" * n)),
        ("span", lambda n: parse_timespan("1us " * n)),
        ("fraction", lambda n: parse_timespan("0." + "0" * n)),
        ("size", lambda n: parse_bytes("0" * n + "1.0" + "0" * n)),
        ("crontab", lambda n: parse_crontab("CRON_TZ=Europe/Berlin\n" + "0 2 * * * x\n" * (n // 10))),
    ],
)
def test_twice_as_much_takes_twice_as_long(what: str, call: t.Callable[[int], t.Any]) -> None:
    """Not four times, as where each is looked at with each; times are of this process alone, the least of several."""

    def seconds(size: int) -> float:
        found = []
        for _turn in range(3):
            start = time.process_time()
            call(size)
            found.append(time.process_time() - start)
        return min(found)

    size = 1000
    while seconds(size) < 0.01 and size < 100_000:
        size *= 2
    # It would be 64 times; caches and neighbours make it up to twice what it should be.
    assert seconds(8 * size) < 8 * 3 * max(seconds(size), 0.002), what


VALUE_FILES = "calendar timespan sizes names text/commands text/syntax directives/exec directives/resource directives/data directives/known".split()


@pytest.mark.parametrize("name", VALUE_FILES)
def test_numbers_are_read_in_one_place(name: str) -> None:
    """Python's own ways take digits of other scripts, blanks and underscores, and fail for thousands of digits."""
    path = Path(names.__file__).parent / f"{name}.py"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("isdigit", "isdecimal", "isnumeric", "splitlines"), f"{path}:{node.lineno}"
        if isinstance(node, ast.FormattedValue):
            assert node.conversion != ord("r"), f"{path}:{node.lineno}: shown() is for this"
