# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of settings when files change, and what has to be done for it: pure."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.settings import meanings, worded

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.settings import Said

# Where systemd's main.c uses what it has read (seen with 247, 252 and 257). All else of [Manager] is taken in by a daemon-reload,
# set_manager_defaults() and set_manager_settings(). These are by a new process, in initialize_runtime().
_AT_REEXEC = frozenset(("TimerSlackNSec", "WatchdogDevice", "ManagerEnvironment"))
# So are these. The kernel has no way back from them, and where it refuses, systemd as the first process stops for good, so that a
# container without CAP_SETPCAP was seen to die of CapabilityBoundingSet.
_AT_BOOT = frozenset(("CapabilityBoundingSet", "NoNewPrivileges", "ProtectSystem", "SystemCallArchitectures"))
# A reload sets them and does not set them back to what they are by default (reset_arguments() leaves them out): a new process has
# that; or not even it, as it inherits them.
_UNSET_AT_REEXEC = frozenset(("LogLevel", "LogTarget", "LogColor", "LogLocation", "LogTime"))
_UNSET_AT_BOOT = frozenset(("CPUAffinity", "NUMAPolicy", "NUMAMask", "TimerSlackNSec", "ManagerEnvironment"))
# What `systemctl log-level` and `log-target` set goes before the files, through reloads and re-executions.
_SET_OVER_BUS = frozenset(("LogLevel", "LogTarget"))


class Difference(t.NamedTuple):
    """What one setting becomes; None is what systemd has by default."""

    section: str
    key: str
    before: t.Any
    after: t.Any

    def as_change(self) -> Change:
        """The same for the diff."""
        return Change(
            f"[{self.section}] {self.key}",
            worded(self.section, self.key, self.before),
            worded(self.section, self.key, self.after),
        )


def differences(before: t.Sequence[Said], after: t.Sequence[Said]) -> list[Difference]:
    """The settings that mean something else afterwards, when all files are taken together."""
    was, will = meanings(before), meanings(after)
    changed = [at for at in dict.fromkeys((*was, *will)) if was.get(at) != will.get(at)]
    return [Difference(*at, was.get(at), will.get(at)) for at in changed]


class Effect(t.NamedTuple):
    """What a manager has to do: `how` is `reload`, `reexec` or empty; and what waits for the next boot, as a warning.

    `follow` are the settings that may have been set over the bus, and have to be let go of before.
    """

    how: str
    warnings: list[str]
    follow: t.Sequence[str] = ()


def effect_on_manager(changes: t.Sequence[Difference]) -> Effect:
    """What puts changes of system.conf or user.conf into effect."""
    keys = {each.key for each in changes}
    unset = {each.key for each in changes if each.after is None}
    at_boot = keys & _AT_BOOT
    follow = sorted(keys & _SET_OVER_BUS)
    warnings = []
    if at_boot:
        # A re-execution would take these in as well.
        late = keys & _AT_REEXEC
        warnings.append(
            f"{', '.join(sorted(at_boot | late))} will be in force from the next boot or re-execution of the manager on; nothing takes "
            f"{', '.join(sorted(at_boot))} back after that"
        )
        return Effect("reload" if keys - at_boot - late else "", warnings, follow)
    late = unset & _UNSET_AT_BOOT
    if late:
        warnings.append(f"{', '.join(sorted(late))} will be what systemd has by default from the next boot on")
    rest = keys - late
    if (rest & _AT_REEXEC) or (unset & _UNSET_AT_REEXEC):
        return Effect("reexec", warnings, follow)
    return Effect("reload" if rest else "", warnings, follow)
