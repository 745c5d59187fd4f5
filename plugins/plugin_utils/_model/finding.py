# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the reader of a translation should know."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._findings import kind_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import unit_name

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Finding as FindingData
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Remediation


class _Finding(t.NamedTuple):
    key: str
    construct: str
    file: str
    line: int
    message: str
    # What the remedy has in braces, besides the names of the service.
    values: tuple[tuple[str, str], ...]


class Finding(_Finding):
    """Something the reader of a translation should know: the key of its kind, the place, and what there is to say of this one."""

    __slots__ = ()

    def __new__(cls, key: str, construct: str, file: str, line: int, message: str, **values: str) -> Finding:
        """:raises AssertionError: there is no such kind."""
        kind_of(key)
        return super().__new__(cls, key, construct, file, line, message, tuple(values.items()))

    @property
    def severity(self) -> str:
        return kind_of(self.key).severity

    def as_data(self, service: str, path: str) -> FindingData:
        """As the module returns it.

        :param service: the name of the service it is about.
        :param path: of its directory on the host.
        """
        return {
            "key": self.key,
            "title": kind_of(self.key).title,
            "severity": self.severity,
            "construct": self.construct,
            "file": self.file,
            "line": self.line,
            "message": self.message,
            "remediation": remediation(self.key, service, path, dict(self.values)),
        }


def remediation(key: str, service: str, path: str, more: t.Mapping[str, str] | None = None) -> Remediation:
    """What to do about a finding. In a command, names are quoted for a shell: a host chooses them."""
    remedy = kind_of(key).remedy
    names = {
        "service": service,
        "unit": f"{unit_name(service)}.service",
        "timer": f"{unit_name(service)}.timer",
        "path": path,
        **(more or {}),
    }
    found: Remediation = {"type": remedy.type, "text": remedy.text.format_map(names)}
    if remedy.variables is not None:
        found["variables"] = {
            name: [one.format_map(names) for one in value] if isinstance(value, list) else value
            for name, value in remedy.variables.items()
        }
    if remedy.command:
        found["command"] = remedy.command.format_map({name: shlex.quote(value) for name, value in names.items()})
    return found


class Refused(Exception):
    """There is no correct unit for this definition; the text says why, as does the finding `key`."""

    def __init__(self, key: str, construct: str, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.key = key
        self.construct = construct
        self.message = message
        self.line = line
