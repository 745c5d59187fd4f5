# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only shows when services are seen together."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Finding

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Rendered, Translated


def _render_again(unit: Rendered) -> None:
    """The text of a unit whose sections have changed."""
    first = unit["content"].split("\n", 1)[0]
    origin = first[len("# Translated from ") : -len(" by pidone.systemd.service_import_info.")]
    unit["content"] = render.text(unit["sections"], origin)


def _tell(service: Translated, finding: Finding) -> None:
    service["findings"].append(finding.as_data(service["name"], service["path"]))


def break_circles(services: list[Translated]) -> None:
    """Two services that ask sv for each other would be a circle of After=, of which systemd leaves one unstarted."""
    units = {unit["name"]: (service, unit) for service in services for unit in service["units"]}
    behind = {
        name: str(unit["sections"].get("Unit", {}).get("After", "")).split() for name, (_s, unit) in units.items()
    }
    done: set[str] = set()
    for first in units:
        if first in done:
            continue
        # The way from the first to where we are, with what is left to look at behind each; not recursive, as it may be long.
        way: dict[str, t.Iterator[str]] = {first: iter(list(behind.get(first, ())))}
        while way:
            name = next(reversed(way))
            other = next(way[name], None)
            if other is None:
                done.add(name)
                del way[name]
            elif other in way:
                behind[name].remove(other)
                service, unit = units[name]
                section = unit["sections"]["Unit"]
                section["After"] = " ".join(behind[name])
                if not behind[name]:
                    del section["After"]
                _render_again(unit)
                message = f"{other} waits for {name} as well: a circle, so After={other} was left out"
                _tell(service, Finding("dependency.circle", "After=", "run", 0, message))
            elif other in units and other not in done:
                way[other] = iter(list(behind.get(other, ())))


def share_directories(services: list[Translated]) -> None:
    """A runtime directory that two services make must not go when one of them stops."""
    owners: dict[str, list[tuple[Translated, Rendered]]] = {}
    for service in services:
        for unit in service["units"]:
            names = unit["sections"].get("Service", {}).get("RuntimeDirectory", "")
            for name in names.split():
                owners.setdefault(name, []).append((service, unit))
    for name, users in owners.items():
        if len({service["path"] for service, _unit in users}) < 2:
            continue
        for service, unit in users:
            main = unit["sections"]["Service"]
            if "RuntimeDirectoryPreserve" in main:
                continue
            ordered = {}
            for key, value in main.items():
                ordered[key] = value
                if key == "RuntimeDirectory":
                    ordered["RuntimeDirectoryPreserve"] = "yes"
            unit["sections"]["Service"] = ordered
            _render_again(unit)
            message = f"/run/{name} is made by several services, so it stays when this one stops (RuntimeDirectoryPreserve=yes)"
            _tell(service, Finding("directory.shared", "mkdir", "run", 0, message))
