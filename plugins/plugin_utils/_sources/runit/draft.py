# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service directory while it is translated."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Finding
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Rendered


class Options(t.NamedTuple):
    """What the user chose."""

    log: str = "journald"
    target: str = "multi-user.target"


@dataclasses.dataclass
class Draft:
    """What has become of a definition so far."""

    definition: Definition
    options: Options
    findings: list[Finding] = dataclasses.field(default_factory=list)
    # "native"; "wrapped": the original script goes on being run.
    translation: str = "native"
    # A unit besides the service's own holds a line of shell.
    shell: bool = False
    # Units besides the service's own, as the module returns them.
    companions: list[Rendered] = dataclasses.field(default_factory=list)
    # Standard error goes where standard output does, as far as the run script says.
    stderr_joined: bool = True
    service: Service = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> Service:
        """Begin the service anew."""
        definition = self.definition
        self.service = Service(definition.name, definition.source, definition.path)
        self.service.description = f"{definition.name} service"
        self.service.target = self.options.target
        return self.service

    def kind(self) -> str:
        """What it has come to: "native" (directives only), "shell" (a line of shell in a unit) or "wrapped"."""
        if self.translation == "native" and (self.shell or any(command.is_shell() for command in self.service.commands())):
            return "shell"
        return self.translation

    def note(self, key: str, construct: str, file: str, line: int, message: str, **values: str) -> None:
        """Add a finding. `values`: what its remedy has in braces."""
        self.findings.append(Finding(key, construct, file, line, message, **values))

    def program_name(self) -> str:
        """The name of the program that the service runs."""
        for command in self.service.start:
            names = [(constant(word) or "").rsplit("/", 1)[-1] for word in command.argv]
            if names[:1] == ["prlimit"]:
                names = [name for name in names[1:] if not name.startswith("--")]
            if names:
                return names[0]
        return self.definition.name
