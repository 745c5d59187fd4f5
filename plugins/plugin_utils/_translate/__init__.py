# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translating another init system's services on the controller: raw definitions -> neutral services -> units.

Lowest first; a part imports only from those before it:

- `shell`: shell text parsed, evaluated and printed. `service`: the neutral model. `definition`: what the collector found.
- `programs`, `conditions`, `wrappers`, `steps`, `snooze`: what is known of programs, tests, chpst and its kin, directories, calendars.
- the interpreter of a script, a class on top of the other: `vocabulary`, `state`, `kept_shell`, `redirections`, `settings`, `commands`,
  `guards`, `branches`, `shell_builtins`, `script`.
- `render`: from the model to unit files.
- a service directory, likewise: `runit_scripts`, `runit_service`, `runit_log`, `runit_one_shots`, `runit_process`, `runit_run`,
  `runit_finish`, `runit_control`, `runit`.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import render, runit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._collect.runit import Raw, State
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Finding, Rendered, Translated

_TRANSLATORS: dict[str, t.Callable[[Raw, runit.Options], Translated]] = {
    "runit": runit.translate,
    "daemontools": runit.translate,
}


# CPU time, in seconds, for the services of one host. A thousand usual ones take ten.
_MOST_TIME = 300.0


def translate(
    definitions: t.Iterable[Raw],
    log: str = "journald",
    target: str = "multi-user.target",
    most_time: float = _MOST_TIME,
) -> list[Translated]:
    """Translate what the collector found, in its order.

    :param definitions: as the collector returns them, checked (`_answers.definitions`).
    :param log: what becomes of log/run: `journald` or `svlogd`.
    :param target: the unit that pulls in the services.
    :param most_time: seconds of CPU time after which the services that are left are refused.
    :returns: for each a dictionary of name, source, path, translation, units, findings, state and definition.
    """
    options = runit.Options(log=log, target=target)
    found = []
    until = time.process_time() + most_time
    for raw in definitions:
        if time.process_time() > until:
            found.append(_untouched(raw, most_time))
            continue
        result = _TRANSLATORS[str(raw.get("source", "runit"))](raw, options)
        result["state"] = t.cast("State", dict(raw.get("state") or {}))
        result["definition"] = t.cast("Raw", dict(raw))
        found.append(result)
    _share_directories(found)
    _break_circles(found)
    return found


def _untouched(raw: Raw, most_time: float) -> Translated:
    """A service for which no time was left."""
    message = (
        f"the services before it took {most_time:.0f} s to translate, so this one was not looked at; "
        "translate them in parts, with the option name of service_import_info"
    )
    finding: Finding = {"severity": "warning", "construct": "size", "file": "", "line": 0, "message": message}
    name = str(raw["name"])
    return {
        "name": name,
        "source": str(raw.get("source", "runit")),
        "path": str(raw.get("path", f"/etc/sv/{name}")),
        "translation": "refused",
        "units": [],
        "findings": [finding],
        "state": t.cast("State", dict(raw.get("state") or {})),
        "definition": t.cast("Raw", dict(raw)),
    }


def _render_again(unit: Rendered) -> None:
    """The text of a unit whose sections have changed."""
    first = unit["content"].split("\n", 1)[0]
    origin = first[len("# Translated from ") : -len(" by pidone.systemd.service_import_info.")]
    unit["content"] = render.text(unit["sections"], origin)


def _break_circles(services: list[Translated]) -> None:
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
                service["findings"].append(
                    {
                        "severity": "warning",
                        "construct": "After=",
                        "file": "run",
                        "line": 0,
                        "message": f"{other} waits for {name} as well: a circle, so After={other} was left out",
                    }
                )
            elif other in units and other not in done:
                way[other] = iter(list(behind.get(other, ())))


def _share_directories(services: list[Translated]) -> None:
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
            service["findings"].append(
                {
                    "severity": "info",
                    "construct": "mkdir",
                    "file": "run",
                    "line": 0,
                    "message": f"/run/{name} is made by several services, so it stays when this one stops (RuntimeDirectoryPreserve=yes)",
                }
            )
