# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a playbook says, a parser, filter or test gives a result or one clear error; with PIDONE_EXAMPLES=10000, longer."""

from __future__ import annotations

import functools
import os
import random
import time
import typing as t

import pytest
from ansible.errors import AnsibleError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jeepney import DBusAddress, new_method_call

from ansible_collections.pidone.systemd.plugins.filter.bytes import bytes_filter
from ansible_collections.pidone.systemd.plugins.filter.cron_to_calendar import cron_to_calendar
from ansible_collections.pidone.systemd.plugins.filter.escape import escape
from ansible_collections.pidone.systemd.plugins.filter.escape_path import escape_path
from ansible_collections.pidone.systemd.plugins.filter.from_unit import from_unit
from ansible_collections.pidone.systemd.plugins.filter.timespan import timespan
from ansible_collections.pidone.systemd.plugins.filter.to_unit import to_unit
from ansible_collections.pidone.systemd.plugins.filter.unescape import unescape
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import names, numbers
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import exec as exec_properties
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import resource as resource_properties
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import (
    parse_boolean,
    parse_signal,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import check_directives
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import parse_bytes, parse_percent
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text import quoting
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import (
    join_command,
    program_problem,
    split_program,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse, render
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.crontab import KINDS, parse_crontab
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.times import convert
from ansible_collections.pidone.systemd.plugins.test.active import active
from ansible_collections.pidone.systemd.plugins.test.calendar import calendar
from ansible_collections.pidone.systemd.plugins.test.enabled import enabled
from ansible_collections.pidone.systemd.plugins.test.failed import failed
from tests.attacks import fuzz

EXAMPLES = settings(
    max_examples=int(os.environ.get("PIDONE_EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck)
)

# Digits of other scripts, what int() takes and systemd does not, halves of characters, what ends a line for Python alone.
NASTY = [
    "", " ", "\0", "²", "٣", "1_0", "-1", "+1", "0x", "08", "1e3", "\ud800", "a\udc80b", "9" * 5000, "0" * 5000 + "1",
    "0." + "9" * 5000, "1\0G", "a\nb", "\u2028", "\x85", "\ufeff", "x" * 100_000, "/" * 5000, "\\", "\\x",
    "\\Uffffffff", "%", "ſun", "wee\u212aly", "ſIGTERM", "'", '"', "~", "@", ".service", "a.slice", "infinity",
    "5min", "20%", "99999999999999999%", "512M", "Mon..Fri 08:00", "*-*-* *:*:*", "*/5 * * * *",
    "[Service]\nExecStart=/bin/true\n", "/dev/sda 10M", "A=b", "0-8191 " * 500, "10.0.0.0/8", "1.2.3.4 " * 300,
    "SIGRTMIN+" + "9" * 5000, "@" + "9" * 5000, "CPU" * 40_000,
]  # fmt: skip
TEXT = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(), max_size=30),
    st.lists(st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=4)), max_size=4).map("".join),
)
ANY = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**64, 1e300, float("nan"), float("inf")]),
        # Hypothesis could not print it.
        st.just(5000).map(lambda digits: 10**digits),
        st.floats(),
        st.binary(max_size=8),
        TEXT,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(TEXT, st.integers(), st.none(), st.sampled_from(["Service", "Unit", "ActiveState", "units"])),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)
BUS = DBusAddress("/", "a.b", "a.b")
# A directive of each kind that there is.
DIRECTIVES = sorted({kind: names.split()[0] for kind, names in exec_properties._ROWS}.values())
DIRECTIVES += ["ConditionPathExists", "AssertPathExists", "BindTo"]

TEXT_PARSERS: dict[str, t.Callable[[str], t.Any]] = {
    "timespan": parse_timespan,
    "bytes": parse_bytes,
    "percent": parse_percent,
    "percent without limit": lambda text: parse_percent(text, limit=None),
    "number": lambda text: numbers.parse_number(text, "value", -(2**31), 2**31 - 1),
    "hexadecimal": lambda text: numbers.parse_hexadecimal(text, "value", "a mask"),
    "calendar": parse_calendar,
    "cron": convert,
    **{f"crontab {kind}": functools.partial(parse_crontab, kind=kind) for kind in KINDS},
    "unit file": lambda text: [str(problem) for problem in parse(text).problems],
    "directives": lambda text: [
        str(one) for one in check_directives(parse(text), "service", {"Unit": {}, "Service": {}})
    ],
    "name": names.check_name,
    "pattern": lambda text: names.python_pattern(names.check_name(text, globs=True)),
    "slice": names.check_slice,
    "escape": names.escape,
    "escape_path": names.escape_path,
    "unescape": names.unescape,
    "unescape_path": names.unescape_path,
    "object_path": names.object_path,
    "program": lambda text: program_problem(split_program(text)[1]),
    "absolute program": lambda text: program_problem("/" + text),
    "words": lambda text: quoting.split_words(text, "value"),
    "signal": lambda text: parse_signal(text, "value"),
    "boolean": lambda text: parse_boolean(text, "value"),
    "similar": resource_properties.similar,
}
ANY_PARSERS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "name": names.check_name,
    "slice": names.check_slice,
    "calendar": parse_calendar,
    "unset": resource_properties.is_unset,
    "sections": render,
    "section": lambda value: render({"Service": value}),
    "directive": lambda value: render({"Service": {"ExecStart": value, "Environment": value, "UMask": value}}),
    "command": lambda value: join_command(value if isinstance(value, list) else ["/bin/true", value], "command"),
}
PLUGINS: dict[str, t.Callable[..., t.Any]] = {
    "bytes": bytes_filter,
    "bytes to": lambda value: bytes_filter("1G", value),
    "bytes of": lambda value: bytes_filter("20%", of=value),
    "timespan": timespan,
    "timespan us": lambda value: timespan(value, "s", "us"),
    "timespan number": lambda value: timespan("1s", number=value),
    "to_unit": to_unit,
    "from_unit": from_unit,
    "cron_to_calendar": cron_to_calendar,
    "cron_to_calendar crontab": lambda value: cron_to_calendar("@daily", value),
    "cron_to_calendar of a crontab": lambda value: cron_to_calendar(value, "user"),
    "cron_to_calendar timezone": lambda value: cron_to_calendar("@daily", timezone=value),
    "escape": escape,
    "escape template": lambda value: escape("a", value),
    "escape for a template": lambda value: escape(value, "app@.service"),
    "escape_path": escape_path,
    "escape_path suffix": lambda value: escape_path("/a", value),
    "escape_path template": lambda value: escape_path("/a", template=value),
    "unescape": unescape,
    "unescape path": lambda value: unescape(value, path=True),
    "unescape flag": lambda value: unescape("a", value),
    "active": active,
    "active of a unit": lambda value: active({"active_state": value}),
    "enabled": enabled,
    "enabled of a property": lambda value: enabled({"properties": {"UnitFileState": value}}),
    "failed": failed,
    "calendar": calendar,
}


def clear(message: str) -> None:
    """One error that can be shown: it can be encoded, and does not repeat the input."""
    message.encode()
    assert len(message) < 1500, message
    assert "Traceback" not in message


def answer(function: t.Callable[[t.Any], t.Any], value: t.Any) -> t.Any:
    try:
        return function(value)
    except SystemdError as error:
        clear(error.msg)
    return None


@pytest.mark.parametrize("name", TEXT_PARSERS)
@given(st.data())
@EXAMPLES
def test_any_text(name: str, data: st.DataObject) -> None:
    answer(TEXT_PARSERS[name], data.draw(TEXT))


@pytest.mark.parametrize("name", TEXT_PARSERS)
def test_nasty_text(name: str) -> None:
    for text in NASTY:
        start = time.process_time()
        answer(TEXT_PARSERS[name], text)
        assert time.process_time() - start < 2, f"{text[:40]!r} takes too long"


@pytest.mark.parametrize("name", ANY_PARSERS)
@given(st.data())
@EXAMPLES
def test_any_value(name: str, data: st.DataObject) -> None:
    answer(ANY_PARSERS[name], data.draw(ANY))


@pytest.fixture(autouse=True, scope="module")
def no_processes() -> t.Iterator[None]:
    """What system calls there are is not asked for each example."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exec_properties, "known_system_calls", lambda: None)
        yield


def carried(function: t.Callable[[t.Any], t.Any], value: t.Any) -> None:
    """What was taken in check mode can be sent."""
    for _name, (signature, sent) in answer(function, value) or ():
        new_method_call(BUS, "A", "v", ((signature, sent),)).serialise(1)


@pytest.mark.parametrize("name", DIRECTIVES)
@given(st.data())
@EXAMPLES
def test_any_directive(name: str, data: st.DataObject) -> None:
    carried(lambda value: exec_properties.to_bus(name, value, "properties"), data.draw(ANY))


@pytest.mark.parametrize("name", DIRECTIVES)
def test_nasty_directive(name: str) -> None:
    for text in NASTY:
        carried(lambda value: exec_properties.to_bus(name, value, "properties"), text)


@pytest.mark.parametrize("name", resource_properties.PROPERTIES)
@given(st.data())
@EXAMPLES
def test_any_resource_property(name: str, data: st.DataObject) -> None:
    value = data.draw(
        st.one_of(ANY, st.dictionaries(st.sampled_from(["/dev/sda", "/dev/null", "x", ""]), ANY, max_size=2))
    )
    carried(lambda value: resource_properties.to_bus(name, value), value)


@pytest.mark.parametrize("name", resource_properties.PROPERTIES)
def test_nasty_resource_property(name: str) -> None:
    for text in NASTY:
        start = time.process_time()
        carried(lambda value: resource_properties.to_bus(name, value), text)
        assert time.process_time() - start < 2, f"{text[:40]!r} takes too long"


@pytest.mark.parametrize("name", resource_properties.PROPERTIES)
@given(st.data())
@EXAMPLES
def test_any_answer_of_a_manager(name: str, data: st.DataObject) -> None:
    """The manager of a user may answer anything, and what is taken of it can be shown."""
    values = data.draw(st.lists(ANY, min_size=len(resource_properties.bus_names(name)), max_size=2))

    def read(values: t.Any) -> None:
        found = resource_properties.from_bus(name, values)
        resource_properties.told(name, found)
        resource_properties.to_data(name, found)
        resource_properties.drop_in_lines(name, found)

    answer(read, values)


@pytest.mark.parametrize("name", PLUGINS)
@given(st.data())
@EXAMPLES
def test_any_value_of_a_playbook(name: str, data: st.DataObject) -> None:
    try:
        PLUGINS[name](data.draw(ANY))
    except AnsibleError as error:
        clear(str(error))


@pytest.mark.parametrize("name", PLUGINS)
def test_nasty_values_of_a_playbook(name: str) -> None:
    for value in (*NASTY, None, True, 10**5000, [], {}, b"x", 1.5, float("nan"), object(), [[]], {"a": 1}):
        try:
            PLUGINS[name](value)
        except AnsibleError as error:
            clear(str(error))


@given(ANY)
@EXAMPLES
def test_every_value_can_be_quoted(value: t.Any) -> None:
    text = shown(value)
    text.encode()
    assert len(text) <= 110
    assert text.isprintable()


@pytest.mark.parametrize("name", fuzz.names())
def test_targets_of_the_fuzzer(name: str) -> None:
    """Their seeds, and a few hundred inputs of them; `make fuzz` goes on from there."""

    class Enough(Exception):
        pass

    target = fuzz.load(name)
    left = 300 + len(target.SEEDS)

    def run(data: bytes) -> None:
        nonlocal left
        target.one_input(data)
        left -= 1
        if not left:
            raise Enough

    with pytest.raises(Enough):
        fuzz._mutate(target, random.SystemRandom().randrange(2**31), run)


def test_limits_of_numbers() -> None:
    for text, number in (
        ("0", 0),
        ("-20", -20),
        ("+7", 7),
        ("0x1F", 31),
        ("010", 8),
        ("0b11", 3),
        ("0" * 5000 + "7", 7),
    ):
        assert numbers.parse_number(text, "value", -100, 100) == number
    assert numbers.parse_number("010", "value", 0, 100, decimal=True) == 10
    for text in ("²", "٣", "1_0", " 1", "1 ", "", "-", "0x", "09", "1\0", "--1", "0x-1", "1.0", "\ud800"):
        with pytest.raises(BadInput, match="value: .* is not a whole number"):
            numbers.parse_number(text, "value", -100, 100)
    with pytest.raises(BadInput, match=r"value: 9{97}\.\.\. is out of range; it goes from 0 to 100"):
        numbers.parse_number("9" * 5000, "value", 0, 100)
