# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `services` of the handovers: what may be in it, checked once, before anything is looked at.

It comes out of a plan that was made on another host and may have been edited by hand, and its names become paths.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import KINDS
from ansible_collections.pidone.systemd.plugins.module_utils._sources import names
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import check_dropin

# Bytes of a service's name. With `.json`, and with `.service`, it has to be the name of a file (NAME_MAX is 255 bytes).
_LONGEST = 240


class GivenUnit(t.NamedTuple):
    """A unit of a service: its text, or None for one that is on the host already."""

    name: str
    content: str | None


class GivenDropin(t.NamedTuple):
    """A drop-in of a unit of a service."""

    unit: str
    name: str
    content: str


class Given(t.NamedTuple):
    """One item of `services`: what it says, in the types that it shall have.

    `where` names it in errors. `path` is empty and `links` and `source` are None where nothing is said of them. `packaged` is
    the name of a unit of the host, or empty. `state` is what the source said when the plan was made: `pid`,
    whether it is `enabled` and whether it is kept from coming up all the same (`down`).
    """

    where: str
    name: str
    path: str
    links: list[str]
    source: str | None
    units: list[GivenUnit]
    dropins: list[GivenDropin]
    packaged: str
    accept: list[str]
    translation: str
    state: dict[str, t.Any]


def check_services(services: t.Sequence[t.Any]) -> list[Given]:
    """All items of the option.

    :raises BadInput: an item is none, in one sentence that names it as `services[2].definition.path`.
    """
    return [check_service(each, f"services[{number}]") for number, each in enumerate(services)]


def check_service(given: t.Any, where: str) -> Given:
    """One item of the option, or what a record kept of one.

    :param where: what to call it in errors.
    """
    entry = _mapping(given, where, "write one with `name`, and `units` or `packaged`")
    name = entry.get("name")
    if (
        not isinstance(name, str)
        or not name
        or not name.isprintable()
        or "/" in name
        or name.startswith(".")
        or len(os.fsencode(name)) > _LONGEST
    ):
        raise BadInput(
            f"{where}.name: {shown(name)} is not the name of a service; give the name of its directory, "
            f"up to {_LONGEST} bytes in one line"
        )
    definition = _mapping(
        entry.get("definition"), f"{where}.definition", "leave it out, or give it as the import returns it"
    )
    for key, place in (("definition", definition), ("", entry)):
        if place.get("path") is not None:
            option = f"{where}.{key}.path" if key else f"{where}.path"
            path = _path(place["path"], option)
            break
    else:
        path = ""
    links = _list(definition.get("links"), f"{where}.definition.links")
    source = entry.get("source")
    if source is not None and source not in names():
        raise BadInput(
            f"{where}.source: {shown(source)} is none that can be handed over; it is {' or '.join(names())}"
        )
    accept = [
        check_kind(one, f"{where}.accept[{at}]") for at, one in enumerate(_list(entry.get("accept"), f"{where}.accept"))
    ]
    packaged = entry.get("packaged")
    if packaged:
        packaged = _mapping(packaged, f"{where}.packaged", "give one with the `name` of a unit").get("name")
        packaged = packaged and check_name(packaged, f"{where}.packaged.name")
    state = _mapping(entry.get("state"), f"{where}.state", "leave it out, or give it as the import returns it")
    pid = state.get("pid")
    if pid is not None and (isinstance(pid, bool) or not isinstance(pid, int) or not 0 <= pid < 1 << 31):
        raise BadInput(f"{where}.state.pid: {shown(pid)} is not the number of a process; leave it out")
    translation = entry.get("translation")
    return Given(
        where,
        name,
        path,
        [_path(one, f"{where}.definition.links[{at}]") for at, one in enumerate(links)],
        source,
        [_unit(one, f"{where}.units[{at}]") for at, one in enumerate(_list(entry.get("units"), f"{where}.units"))],
        [
            _dropin(one, f"{where}.dropins[{at}]")
            for at, one in enumerate(_list(entry.get("dropins"), f"{where}.dropins"))
        ],
        packaged or "",
        accept,
        translation if isinstance(translation, str) else "",
        state,
    )


def check_kind(what: t.Any, option: str) -> str:
    """A kind of difference between two pictures of a service."""
    if not isinstance(what, str) or what not in KINDS:
        raise BadInput(f"{option}: {shown(what)} is no difference that can be accepted; these are {', '.join(KINDS)}")
    return what


def _unit(given: t.Any, where: str) -> GivenUnit:
    unit = _mapping(
        given, where, "give one with `name` and `content`, or with `name` alone for a unit that is on the host", True
    )
    name = check_name(unit.get("name"), f"{where}.name")
    content = unit.get("content")
    if content is None:
        return GivenUnit(name, None)
    text = _text(content, f"{where}.content")
    if not text.strip():
        raise BadInput(
            f"{where}.content: is empty, which would mask {name}; leave it out for a unit that is on the host"
        )
    return GivenUnit(name, text)


def _dropin(given: t.Any, where: str) -> GivenDropin:
    dropin = _mapping(given, where, "give one with `unit`, `name` and `content`", True)
    unit = check_name(dropin.get("unit"), f"{where}.unit")
    name = dropin.get("name")
    if not isinstance(name, str) or not name.isprintable():
        raise BadInput(f"{where}.name: {shown(name)} is not the name of a drop-in; write one such as 'local.conf'")
    return GivenDropin(
        unit, check_dropin(name, unit, f"{where}.name"), _text(dropin.get("content"), f"{where}.content")
    )


def _mapping(value: t.Any, where: str, remedy: str, needed: bool = False) -> dict[str, t.Any]:
    if value is None and not needed:
        return {}
    if not isinstance(value, dict):
        raise BadInput(f"{where}: {shown(value)} is not a mapping; {remedy}")
    return value


def _list(value: t.Any, where: str) -> list[t.Any]:
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise BadInput(f"{where}: {shown(value)} is not a list; write one, or leave it out")
    return list(value)


def _path(value: t.Any, where: str) -> str:
    """An absolute path, without `..` and the like."""
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
        raise BadInput(f"{where}: {shown(value)} is not an absolute path in one line; write one such as /opt/web/service")
    return os.path.normpath(f"/{value.lstrip('/')}")


def _text(value: t.Any, where: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{where}: {shown(value)} is not text; write the text of the file")
    if "\0" in value:
        raise BadInput(f"{where}: holds a NUL character, which a unit file cannot; take it out")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as e:
        raise BadInput(f"{where}: character {e.start + 1} is half of a surrogate pair; write the text in UTF-8") from None
    return value
