# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad inputs by the thousand, from the modules' own argument specs: wrong types, and texts that are nothing of what is asked for.

They are made, not listed: a new option of a module is attacked as soon as it is in the argument spec.
"""

from __future__ import annotations

import importlib
import os
import random
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils import _module

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")
# What a long text is: more than the kernel takes for one argument or path, and than anybody writes into a message.
LONG = 1 << 20
# Options that hold files of a host as they were found, or data that is handed on: any bytes.
AS_DATA = ("services", "definitions", "stdin")
# ansible-core's own, of the elements of a list.
_OF_CORE = ("dictionary requested, could not parse",)
# A message may be so long, and may quote so much of a value.
MESSAGE, QUOTED = 2000, 200

# Texts that no module takes for anything, whatever it is asked: not one of these has a meaning in systemd or on Linux.
NEVER = {
    "NUL": "\0",
    "NUL inside": "a\0b",
    "half of a surrogate pair": "a\ud800b",
    "byte that is no UTF-8": "a\udcffb",
}
# Texts that nearly every option has to refuse, with the few that do not.
TEXTS = {
    "empty": "",
    "space": " ",
    "line break": "a\nb",
    "carriage return": "a\rb",
    "escape sequence": "a\x1b[31mb",
    "digit of another kind": "\u00b2",
    "Arabic digits": "\u0663\u0664",
    "5,000 digits": "7" * 5000,
    "5,000 digits and a unit": "7" * 5000 + "s",
    "more than 64 bits": "99999999999999999999",
    "negative": "-1",
    "billions": str(10**12),
    "1 MiB": "x" * LONG,
    "1 MiB of digits": "1" * LONG,
    "1 MiB of words": "a " * (LONG // 2),
    "up": "../x",
    "root": "/",
    "slash": "a/b",
    "dot": ".",
    "dots": "..",
    "255 characters": "x" * 255,
    "300 characters": "x" * 300,
    "255 characters with suffix": "x" * 247 + ".service",
    "256 characters with suffix": "x" * 248 + ".service",
    "star": "*",
    "bracket": "[",
    "option": "-1",
    "long option": "--help",
    "specifier": "%n%",
    "variable": "${x}",
    "quote": "'",
    "double quote": '"',
    "backslash": "\\",
    "not a number": "nan",
    "infinite": "inf",
    "exponent": "1e400",
    "hexadecimal": "0x10",
    "other way": "\u202eabc",
    "accent": "\u00e9",
    "semicolon": "a;b",
    "template": "a@.service",
    "at": "@",
    "only suffix": ".service",
    "wrong suffix": "a.nonsense",
    "equals": "=",
    "nested quotes": "\"a 'b\" c'",
    "percent": "1000%",
    "Unicode space": "\u2003",
    "zero": "0",
    "brace": "{",
}
NUMBERS: dict[str, t.Any] = {
    "negative": -1,
    "billions": 10**12,
    "more than 64 bits": 10**20,
    "400 digits": 10**400,
    "fraction": 1.5,
    "very large fraction": 1e300,
    "no number": "x",
    "empty": "",
    "list": [],
    "dict": {},
    "true": True,
    "digit of another kind": "\u00b2",
    "5,000 digits": "7" * 5000,
}
SWITCHES: dict[str, t.Any] = {
    "word": "perhaps",
    "two": 2,
    "list": [1],
    "dict": {"a": 1},
    "empty": "",
    "long": "y" * 5000,
}
LISTS: dict[str, t.Any] = {
    "nothing in it": [],
    "none": [None],
    "list": [["a"]],
    "dict": [{"a": 1}],
    "number": [10**20],
    "true": [True],
    "dict in place of it": {"a": 1},
    "number in place of it": 7,
    "5,000 elements": [f"nonsense-{number}" for number in range(5000)],
    "empty among others": ["a", ""],
}
DICTS: dict[str, t.Any] = {
    "empty": {},
    "empty key": {"": "1"},
    "empty value": {"A": ""},
    "none": {"A": None},
    "list": {"A": []},
    "dict": {"A": {"B": 1}},
    "nested lists": {"A": [["b"]]},
    "list in place of it": ["a"],
    "text in place of it": "a",
    "number": {"A": 10**20},
    "fraction": {"A": 1e300},
    "true": {"A": True},
    "5,000 keys": {f"Nonsense{number}": "x" for number in range(5000)},
    "key with a line break": {"A\nB": "1"},
    "key with an equals sign": {"A=B": "1"},
    "long key": {"A" * LONG: "1"},
    "long value": {"A": "x" * LONG},
}
FLOATS = {"text": "soon", "no number": "nan", "list": [1.0], "dict": {"a": 1}, "very large": "1e400"}
_KINDS = {"int": NUMBERS, "float": FLOATS, "bool": SWITCHES, "list": LISTS, "dict": DICTS}


class BadInput(t.NamedTuple):
    """One input: to which module, what is wrong with it, in which option, and whether it can be right for no option at all."""

    module: str
    option: str
    what: str
    args: dict[str, t.Any]
    never: bool

    def __str__(self) -> str:
        return f"{self.module}: {self.option}: {self.what}"


class Captured(Exception):
    """The argument spec of a module, thrown where it would be used."""


def argument_spec(module: str) -> dict[str, dict[str, t.Any]]:
    """The module's own argument spec, as its main() gives it to AnsibleModule."""
    imported = importlib.import_module(f"ansible_collections.pidone.systemd.plugins.modules.{module}")

    def capture(self: object, argument_spec: dict[str, t.Any], **rest: t.Any) -> None:
        raise Captured(argument_spec)

    with pytest.MonkeyPatch.context() as patched, pytest.raises(Captured) as caught:
        patched.setattr(_module.AnsibleModule, "__init__", capture)
        imported.main()
    return t.cast("dict[str, dict[str, t.Any]]", caught.value.args[0])


def texts() -> t.Iterator[tuple[str, str, bool]]:
    """What is wrong, the text, and whether no option may take it."""
    for what, text in NEVER.items():
        yield what, text, True
    for what, text in TEXTS.items():
        yield what, text, False


def values(spec: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, t.Any, bool]]:
    """Bad values for one option: what is wrong, the value, and whether no option may take it."""
    kind = spec.get("type", "str")
    if "choices" in spec:
        yield "no choice", "nonsense", True
    if kind in ("str", "path", "raw"):
        yield from texts()
        yield "list", ["a", ["b"]], False
        yield "dict", {"a": {"b": []}}, False
        yield "number", 10**20, False
        yield "negative number", -1, False
        yield "true", True, False
        yield "fraction", 0.1, False
    for what, value in _KINDS.get(kind, {}).items():
        yield what, value, False
    if kind == "list" and spec.get("elements", "str") in ("str", "raw"):
        for what, text, never in texts():
            yield f"element: {what}", [text], never
    if kind == "dict" or (kind == "list" and spec.get("elements") == "dict" and "options" not in spec):
        for what, text, never in texts():
            for where, each in (("value", {"A": text}), ("key", {text: "a"}), ("list", {"A": [text]})):
                yield f"{where}: {what}", [each] if kind == "list" else each, never


def single(module: str, good: t.Mapping[str, t.Any]) -> t.Iterator[BadInput]:
    """All inputs to a module of which one option is bad.

    :param good: options with which the task would be right.
    """
    for option, spec in argument_spec(module).items():
        for what, value, never in values(spec):
            yield BadInput(module, option, what, {**good, option: value}, never and option not in AS_DATA)
        if "options" in spec:
            whole = dict((good.get(option) or [{"name": "a"}])[0])
            rest = {name: value for name, value in good.items() if name != "name"}
            for name, inner in spec["options"].items():
                for what, value, never in values(inner):
                    args = {**rest, option: [{**whole, name: value}]}
                    yield BadInput(module, f"{option}[0].{name}", what, args, never)
    yield BadInput(module, "nonsense", "unknown option", {**good, "nonsense": 1}, True)
    for option, spec in argument_spec(module).items():
        if spec.get("required"):
            yield BadInput(module, option, "missing", {k: v for k, v in good.items() if k != option}, True)


def several(module: str, good: t.Mapping[str, t.Any], chosen: random.Random, count: int) -> t.Iterator[BadInput]:
    """Inputs of which several options are bad or contradict each other."""
    spec = argument_spec(module)
    for _number in range(count):
        args = dict(good)
        names = chosen.sample(sorted(spec), min(len(spec), chosen.randint(2, 5)))
        never = False
        for name in names:
            _what, args[name], bad = chosen.choice(list(values(spec[name])))
            never = never or (bad and name not in AS_DATA)
        yield BadInput(module, "+".join(sorted(names)), "together", args, never)


def bad_inputs(module: str, good: t.Mapping[str, t.Any], seed: int, count: int) -> list[BadInput]:
    """A choice of the bad inputs to a module: as many as are asked for, chosen by the seed."""
    chosen = random.Random(f"{seed} {module}")
    few = count // 6
    everything = list(single(module, good))
    found = chosen.sample(everything, min(len(everything), count - few))
    return [*found, *several(module, good, chosen, count - len(found))]


def strings(value: t.Any) -> t.Iterator[str]:
    """All texts in a value, keys of dictionaries among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from strings(key)
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)


def fault_of_message(message: str, one: BadInput) -> str:
    """What is wrong with the message of a refusal; empty where nothing is."""
    if "Traceback" in message or "this is a defect" in message:
        return "it shows a defect"
    if len(message) > MESSAGE:
        return f"it is {len(message)} characters long"
    for text in strings(one.args):
        if len(text) > QUOTED and text[: QUOTED + 1] in message:
            return f"it quotes more than {QUOTED} characters of a value"
    # Of the content of a file, the file is named.
    about = {*argument_spec(one.module), one.option, *strings(one.args.get("name", []))}
    if not any(each and each in message for each in about) and not message.startswith(_OF_CORE):
        return "it names no option"
    try:
        message.encode()
    except UnicodeEncodeError:
        return "it is no Unicode"
    return ""


def seed_of_today() -> int:
    """What chooses the inputs: PIDONE_SEED, else the day, so that in time all have their turn."""
    return int(os.environ.get("PIDONE_SEED") or time.time() // 86400)
