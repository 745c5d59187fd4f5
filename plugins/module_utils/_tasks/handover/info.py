# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `service_handover_info` module's task: how far a host has come on its way to systemd. Needs neither systemd nor D-Bus."""

from __future__ import annotations

import fnmatch
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, shown
from ansible_collections.pidone.systemd.plugins.module_utils._sources.old_init import (
    SYSTEMD,
    first_process,
    is_systemd,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import read_text
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Records, Store

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module

    class HandedOver(t.TypedDict):
        """A service of which there is a record."""

        name: str
        source: str
        # `begun`, `handed_over` or `giving_back`.
        phase: str
        # Each with `name`.
        units: list[dict[str, str]]


# Where a host tells what it is, the administrator's first: os-release(5).
_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_BUSES = ("/usr/bin/dbus-daemon", "/usr/bin/dbus-broker-launch")


def gather(module: Module) -> dict[str, t.Any]:
    """What the host runs, and what was handed over there; returns the module's result."""
    # With `-e`, nothing at all is given as an empty text.
    exclude = [pattern for pattern in module.params["exclude"] if pattern]
    _check_patterns("name", module.params["name"])
    _check_patterns("exclude", exclude)
    store, first = Records(), first_process()
    services: list[HandedOver] = []
    warnings = []
    for name in store.names():
        if not _named(name, module.params["name"]) or _named(name, exclude):
            continue
        try:
            record = store.load(name)
        except SystemdError as e:
            # The others are of use all the same; who changes anything there will fail by it.
            warnings.append(e.msg)
            continue
        if record is not None:
            units = [{"name": unit} for unit in sorted(record.units)]
            services.append({"name": record.name, "source": record.source, "phase": record.phase, "units": units})
    init = Store(os.path.dirname(store.directory)).read("init-handover", (1, None)) or {}
    return {
        "changed": False,
        "runs": first,
        "booted": is_systemd(first),
        "installed": any(map(os.path.exists, SYSTEMD)) and any(map(os.path.exists, _BUSES)),
        "init_phase": str(init.get("phase") or ""),
        "services": services,
        "os_release": _os_release(),
        "warnings": warnings,
    }


def _check_patterns(option: str, patterns: t.Sequence[str]) -> None:
    for pattern in patterns:
        if not pattern or "/" in pattern or "\0" in pattern:
            raise BadInput(
                f"{option}: {shown(pattern)} matches the name of no service; give names or globs, such as 'web-*'"
            )


def _named(name: str, patterns: t.Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _os_release() -> dict[str, str]:
    """The variables of os-release(5); empty where there is none."""
    for path in _OS_RELEASE:
        try:
            text = read_text(path, errors="replace")
        except SystemdError:
            continue
        if text is not None:
            break
    else:
        return {}
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and key.isidentifier():
            found[key] = _unquoted(value)
    return found


def _unquoted(value: str) -> str:
    """A value as a shell has it; as it is written where it is no word of a shell."""
    import shlex

    try:
        return "".join(shlex.split(value))
    except ValueError:
        return value
