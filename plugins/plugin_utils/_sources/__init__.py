# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other init systems ran, as units: a folder or file for each source, and the table that finds it."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Finding
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit import translator
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Options
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.together import break_circles, share_directories

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import Raw, State
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Translated

_TRANSLATORS: dict[str, t.Callable[[Raw, Options], Translated]] = {
    "runit": translator.translate,
    "daemontools": translator.translate,
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
    options = Options(log=log, target=target)
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
    share_directories(found)
    break_circles(found)
    return found


def _untouched(raw: Raw, most_time: float) -> Translated:
    """A service for which no time was left."""
    message = (
        f"the services before it took {most_time:.0f} s to translate, so this one was not looked at; "
        "translate them in parts, with the option name of service_import_info"
    )
    name = str(raw["name"])
    path = str(raw.get("path", f"/etc/sv/{name}"))
    return {
        "name": name,
        "source": str(raw.get("source", "runit")),
        "path": path,
        "translation": "refused",
        "units": [],
        "findings": [Finding("refused.size", "size", "", 0, message).as_data(name, path)],
        "state": t.cast("State", dict(raw.get("state") or {})),
        "definition": t.cast("Raw", dict(raw)),
    }
