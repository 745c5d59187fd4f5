# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters and tests share."""

from __future__ import annotations

import functools
import math
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import presentable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import TYPES, check_name, is_template
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import number_text

# Characters of an error at most.
_MESSAGE = 1500
_P = t.ParamSpec("_P")
_R = t.TypeVar("_R")


def reporting(function: t.Callable[_P, _R]) -> t.Callable[_P, _R]:
    """Turn this collection's errors into those of a filter or test."""

    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except SystemdError as error:
            # Ansible would tell of causes as well, and so say everything twice.
            raise AnsibleFilterError(presentable(error.msg, [*args, *kwargs.values()], _MESSAGE)) from None

    return wrapper


def text(value: t.Any, what: str = "input") -> str:
    """The value, which has to be text.

    :raises BadInput: it is not.
    """
    if not isinstance(value, str):
        raise BadInput(f"{what}: {shown(value)} is a {type(value).__name__}, not text")
    return str(value)


def number_or_text(value: t.Any, what: str = "input") -> str:
    """The value as text; YAML reads `90` as a number.

    :raises BadInput: it is neither text nor a number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise BadInput(f"{what}: {shown(value)} is a {type(value).__name__}, neither text nor a number")
    if isinstance(value, float):
        # No exponents, which systemd does not read.
        return f"{value:.9f}".rstrip("0").rstrip(".") if math.isfinite(value) else number_text(value, what)
    return str(value) if isinstance(value, str) else number_text(value, what)


def choice(value: t.Any, choices: t.Sequence[str], what: str) -> str:
    """One of the choices.

    :raises BadInput: it is none of them.
    """
    if value not in choices:
        raise BadInput(f"{what}: {shown(value)} is not one of {', '.join(choices)}")
    return str(value)


def flag(value: t.Any, what: str) -> bool:
    """A boolean, or a word for one, as in options of modules.

    :raises BadInput: it is none.
    """
    try:
        return boolean(value)
    except (TypeError, ValueError):
        # Its own message quotes the value, which numbers of thousands of digits do not take.
        raise BadInput(f"{what}: {shown(value)} is neither true nor false") from None


def in_template(escaped: str, template: str) -> str:
    """The name of a template's instance.

    :raises BadInput: it is no template, or the instance is empty or too long.
    """
    prefix, _at, suffix = text(template, "template").partition("@")
    if not is_template(template) or "@" in suffix or check_name(template, "template", loadable=False) != template:
        raise BadInput(f"template: {shown(template)} is not the name of a template; write one such as 'app@.service'")
    if not escaped:
        raise BadInput("input: is empty, which an instance cannot be")
    return check_name(f"{prefix}@{escaped}{suffix}", "input", loadable=False)


def with_suffix(escaped: str, suffix: str) -> str:
    """The name of a unit of a type such as `mount`.

    :raises BadInput: there is no such type, or the name is too long.
    """
    kind = text(suffix, "suffix")
    kind = kind[1:] if kind.startswith(".") else kind
    if kind not in TYPES:
        raise BadInput(f"suffix: {shown(suffix)} is no type of unit; {', '.join(TYPES)} are")
    return check_name(f"{escaped}.{kind}", "input")


def unit_state(unit: t.Any, key: str, prop: str) -> str | bool | None:
    """A state of a unit as `unit_info` and others return it, from the D-Bus property of a dictionary, or plain text.

    :returns: the value under `key`, else of the property `prop` (also among `properties`), None where it has neither.
    :raises BadInput: it is no unit.
    """
    if isinstance(unit, str):
        return str(unit)
    if not isinstance(unit, t.Mapping):
        raise BadInput(f"input: {shown(unit)} is not a unit; give it one of the units that pidone.systemd.unit_info returns")
    properties = unit.get("properties")
    for place, name in ((unit, key), (unit, prop), (properties, prop)):
        if isinstance(place, t.Mapping) and name in place:
            state = place[name]
            if state is not None and not isinstance(state, (str, bool)):
                raise BadInput(f"input: its {name} is {shown(state)}, which is no state of a unit")
            return state
    if "active_state" in unit:
        # pidone.systemd.unit asks for enablement, which is dear, only where its task is about it.
        raise BadInput(
            f"input: has no {key}, since its task did not ask for it; read the unit with pidone.systemd.unit_info"
        )
    hint = "; test each of its units" if "units" in unit else ""
    raise BadInput(f"input: has neither {key} nor {prop}, so it is not a unit{hint}")
