# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System V scripts, of which a generator makes units: enabled as systemctl does it, by the host's own tool (systemd-sysv-install)."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, plain, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import differences, read_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import is_template, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

SCRIPTS = "/etc/init.d"
_TOOLS = ("/usr/lib/systemd/systemd-sysv-install", "/lib/systemd/systemd-sysv-install")
# Where the links are: Debian, Red Hat and SUSE.
_PLACES = ("/etc", "/etc/rc.d", "/etc/init.d")
_LEVELS = "0123456S"
# Seconds for one script.
_PATIENCE = 120.0


def tool() -> str:
    """The path of systemd-sysv-install; empty where the host has none."""
    return next((path for path in _TOOLS if os.access(path, os.X_OK)), "")


def script_of(name: str, root: str = "") -> str:
    """The path of the script that a unit would be made of; empty where there is none."""
    path = f"{root}{SCRIPTS}/{name.rpartition('.')[0]}"
    return path if unit_type(name) == "service" and not is_template(name) and os.path.lexists(path) else ""


def is_enabled(script: str) -> bool:
    """Whether a script is started at boot; false where the host has no tool that tells."""
    program = tool()
    return bool(program) and not run_program([program, "is-enabled", os.path.basename(script)], _PATIENCE).returncode


class ScriptLinks(Step):
    """Enable or disable System V scripts: the host's tool makes the links in /etc/rc?.d.

    :param verb: `enable` or `disable`.
    :param scripts: their paths.
    """

    def __init__(self, verb: str, scripts: t.Sequence[str]) -> None:
        super().__init__([os.path.basename(script) for script in scripts])
        self.verb = verb
        self._scripts = scripts

    def describe(self) -> str:
        return f"{self.verb} {short(self._scripts)}"

    def apply(self, ctx: Context) -> bool:
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import LinksWere

        # Some of them are links to others.
        places = [os.path.realpath(f"{place}/rc{level}.d") for place in _PLACES for level in _LEVELS]
        directories = [place for place in dict.fromkeys(places) if os.path.isdir(place)]
        before = read_links(directories)
        was = LinksWere(directories, before, self.names)
        self.note(ctx, was)
        try:
            for script in self._scripts:
                self._run(script)
        finally:
            changes = differences(before, read_links(directories))
            was.touched = {change.path for change in changes}
            ctx.links += changes
        return bool(changes)

    def _run(self, script: str) -> None:
        program = tool()
        done = run_program([program, self.verb, os.path.basename(script)], _PATIENCE, merge=True)
        if done.returncode:
            told = plain(done.stdout.decode("utf-8", "replace").strip(), 500)
            raise SystemdError(f"cannot {self.verb} {script}: {program} failed with status {done.returncode}: {told}")

    def undone(self) -> str:
        return f"{short(self._scripts)} {'disabled' if self.verb == 'enable' else 'enabled'} again"
