# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input to all filters and tests: one clear error of Ansible's, or an answer, and never a traceback."""

from __future__ import annotations

import importlib
import inspect
import random
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from tests.attacks.bad_inputs import (
    DICTS,
    LISTS,
    MESSAGE,
    NEVER,
    NUMBERS,
    PLUGINS,
    QUOTED,
    TEXTS,
    seed_of_today,
    strings,
)

SEED = seed_of_today()
# Of each plugin.
COUNT = 60
VALUES: dict[str, t.Any] = {
    **{f"text: {what}": value for what, value in {**NEVER, **TEXTS}.items()},
    **{f"number: {what}": value for what, value in NUMBERS.items()},
    **{f"list: {what}": value for what, value in LISTS.items()},
    **{f"dict: {what}": value for what, value in DICTS.items()},
    "none": None,
    "not a number": float("nan"),
    "infinite": float("inf"),
    "bytes": b"abc",
    "object": object(),
    "nested": {"a": {"b": [{"c": {"d": None}}]}},
    "deep": eval("[" * 90 + "]" * 90),
    "text of a unit": "[Service\n=",
    "list of one text": ["a\0b"],
}


def plugins() -> t.Iterator[tuple[str, str]]:
    for kind in ("filter", "test"):
        for path in sorted((PLUGINS / kind).glob("*.py")):
            if path.stem != "__init__":
                yield kind, path.stem


def calls(function: t.Callable[..., t.Any], chosen: random.Random) -> t.Iterator[tuple[str, t.Any, dict[str, t.Any]]]:
    """What is bad, the value, and options of the plugin."""
    options = list(inspect.signature(function).parameters)[1:]
    for what, value in VALUES.items():
        yield what, value, {}
    for _number in range(COUNT):
        what, value = chosen.choice(list(VALUES.items()))
        names = chosen.sample(options, chosen.randint(0, len(options)))
        yield f"{what} with {names}", value, {name: chosen.choice(list(VALUES.values())) for name in names}


@pytest.mark.parametrize(("kind", "name"), list(plugins()))
def test_each_ends_in_an_answer_or_one_clear_error(
    kind: str, name: str, record_property: t.Callable[[str, object], None]
) -> None:
    module = importlib.import_module(f"ansible_collections.pidone.systemd.plugins.{kind}.{name}")
    made = module.FilterModule().filters() if kind == "filter" else module.TestModule().tests()
    function = made[name]
    wrong, tried, tracebacks = [], 0, 0
    for what, value, options in calls(function, random.Random(f"{SEED} {name}")):
        if kind == "filter" and name == "beside_playbook":
            options = {"directory": "/a", **options}
        tried += 1
        try:
            function(value, **options)
        except AnsibleFilterError as error:
            message = str(error)
            long = [text for text in strings([value, options]) if len(text) > QUOTED and text[: QUOTED + 1] in message]
            if len(message) > MESSAGE or long:
                wrong.append(f"{what}: a message of {len(message)} characters: {message[:300]}")
        except Exception as error:
            tracebacks += 1
            wrong.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
    record_property("bad_inputs", [tried, tracebacks, SEED, f"{kind}s"])
    assert not wrong, f"PIDONE_SEED={SEED}: {len(wrong)} of {tried}:\n" + "\n".join(wrong[:15])
