# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which init system the host boots: the steps there and back (`OldInit` does them), and a first boot on trial."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.old_init import OldInit


UNITS = "/etc/systemd/system"
TRIAL = ("pidone-init-trial.service", "pidone-init-trial.timer", "pidone-init-fallback.service")


class SwitchInit(Step):
    """Keep the old init and have systemd boot next."""

    def __init__(self, init: OldInit) -> None:
        super().__init__((init.path,))
        self._init = init
        # What an earlier run has done already is not this one's to undo.
        self._was_kept = self._was_chosen = True

    def describe(self) -> str:
        return f"boot systemd ({self._init.path}), keep {self._init.old_program()} as {self._init.kept}"

    def apply(self, ctx: Context) -> bool:
        self._was_kept, self._was_chosen = self._init.is_kept(), self._init.boots() == "systemd"
        kept = self._init.keep()
        return self._init.choose_systemd() or kept

    def undo(self, ctx: Context) -> None:
        if not self._was_chosen:
            self._init.choose_old()
        if not self._was_kept:
            # Only ever after the old one is what boots.
            self._init.forget()

    def undone(self) -> str:
        return "" if self._was_chosen else "the old init boots again"


class ChooseSystemd(Step):
    """Have systemd boot from now on; the old init stays where it is kept."""

    def __init__(self, init: OldInit) -> None:
        super().__init__((init.path,))
        self._init = init
        self._was_chosen = True

    def describe(self) -> str:
        return "boot systemd from now on"

    def apply(self, ctx: Context) -> bool:
        self._was_chosen = self._init.boots() == "systemd"
        return self._init.choose_systemd()

    def undo(self, ctx: Context) -> None:
        if not self._was_chosen:
            self._init.choose_old()


class GoBack(Step):
    """Have the old init boot. It stays kept until all else is done, so that this can be begun again until then."""

    def __init__(self, init: OldInit) -> None:
        super().__init__((init.path,))
        self._init = init

    def describe(self) -> str:
        return f"boot {self._init.old_program()} again"

    def apply(self, ctx: Context) -> bool:
        return self._init.choose_old()


class Forget(Step):
    """Stop keeping the old init; there is no way back from here."""

    def __init__(self, init: OldInit) -> None:
        super().__init__((init.kept,))
        self._init = init

    def describe(self) -> str:
        return f"remove {self._init.kept}"

    def apply(self, ctx: Context) -> bool:
        return self._init.forget()


def trial_units(init: OldInit, seconds: int) -> dict[str, str]:
    """Units for the first boot: the boot after it is one of the old init again, and comes by itself after a while.

    They need little of a boot: the file system to be writable, no network, no controller.
    """
    head = (
        "# Written by pidone.systemd.init_handover for the first boot of systemd, and removed once that is confirmed.\n"
    )
    early = "DefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n"
    back = "".join(f"ExecStart={command}\n" for command in init.way_back())
    return {
        TRIAL[
            0
        ]: f"{head}[Unit]\nDescription=Boot the old init system next time, unless this boot is confirmed\n{early}"
        "After=systemd-remount-fs.service\nBefore=sysinit.target\n\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        f"{back}\n"
        "[Install]\nWantedBy=sysinit.target\n",
        TRIAL[1]: f"{head}[Unit]\nDescription=Time in which this first boot of systemd has to be confirmed\n{early}"
        f"After={TRIAL[0]}\n\n[Timer]\nOnBootSec={seconds}\nAccuracySec=1s\nUnit={TRIAL[2]}\n\n[Install]\nWantedBy=sysinit.target\n",
        TRIAL[2]: f"{head}[Unit]\nDescription=Back to the old init system, since this boot was not confirmed\n{early}"
        "SuccessAction=reboot\n\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
    }
