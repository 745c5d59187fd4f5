# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translating another init system's services on the controller: raw definitions -> neutral services -> units."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import runit

_TRANSLATORS: dict[str, t.Callable[[t.Mapping[str, t.Any], runit.Options], dict[str, t.Any]]] = {
    "runit": runit.translate,
    "daemontools": runit.translate,
}


def translate(
    definitions: t.Iterable[t.Mapping[str, t.Any]], log: str = "journald", target: str = "multi-user.target"
) -> list[dict[str, t.Any]]:
    """Translate what the collector found, in its order.

    :param definitions: as the collector returns them.
    :param log: what becomes of log/run: `journald` or `svlogd`.
    :param target: the unit that pulls in the services.
    :returns: for each a dictionary of name, source, path, translation, units, findings, state and definition.
    """
    options = runit.Options(log=log, target=target)
    found = []
    for raw in definitions:
        result = _TRANSLATORS[str(raw.get("source", "runit"))](raw, options)
        result["state"] = dict(raw.get("state") or {})
        result["definition"] = dict(raw)
        found.append(result)
    _share_directories(found)
    return found


def _share_directories(services: list[dict[str, t.Any]]) -> None:
    """A runtime directory that two services make must not go when one of them stops."""
    owners: dict[str, list[tuple[dict[str, t.Any], dict[str, t.Any]]]] = {}
    for service in services:
        for unit in service["units"]:
            names = unit["sections"].get("Service", {}).get("RuntimeDirectory", "")
            for name in names.split():
                owners.setdefault(name, []).append((service, unit))
    from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import render

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
            origin = unit["content"].split("\n", 1)[0][
                len("# Translated from ") : -len(" by pidone.systemd.service_import_info.")
            ]
            unit["content"] = render.text(unit["sections"], origin)
            service["findings"].append(
                {
                    "severity": "info",
                    "construct": "mkdir",
                    "file": "run",
                    "line": 0,
                    "message": f"/run/{name} is made by several services, so it stays when this one stops (RuntimeDirectoryPreserve=yes)",
                }
            )
