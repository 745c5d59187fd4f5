# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which init system the host boots: what /sbin/init is, the way back, and a first boot on trial.

The old init is kept beside the new one, so that the way back is one rename. At no moment is there no /sbin/init.
"""

from __future__ import annotations

import os
import shutil
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

SYSTEMD = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
UNITS = "/etc/systemd/system"
TRIAL = ("pidone-init-trial.service", "pidone-init-trial.timer", "pidone-init-fallback.service")
_KEPT = ".before-systemd"
# Seconds that dpkg's tools may take.
_SECONDS = 300.0


class Init:
    """The host's init: the file that the kernel starts, what it is now, and where the old one is kept.

    :param root: the directory that is taken for `/`.
    """

    def __init__(self, root: str = "") -> None:
        self.root = root
        # Where /sbin is a link, the packages own the file by its other name.
        self.path = os.path.realpath(f"{root}/sbin") + "/init"
        self.kept = self.path + _KEPT

    def boots(self) -> str:
        """What the next boot starts: `systemd`, or the name of another program; empty where there is none."""
        if not os.path.lexists(self.path):
            return ""
        name = os.path.basename(os.path.realpath(self.path))
        return "systemd" if name == "systemd" else name

    def is_kept(self) -> bool:
        """Whether the old init is kept."""
        return os.path.lexists(self.kept)

    def old_program(self) -> str:
        """The program that the old init is, which takes a runlevel as argument; empty where none is known."""
        path = self.kept if self.is_kept() else self.path
        return os.path.realpath(path) if os.path.lexists(path) else ""

    def keep(self) -> bool:
        """Keep the old init beside the new one, also from its package. Returns whether anything was to be done."""
        changed = False
        if not self.is_kept():
            _copy(self.path, self.kept)
            changed = True
        # Otherwise an update of the old init's package would put it back in place.
        if self._diverted() is False:
            self._divert("--add")
            changed = True
        return changed

    def choose_systemd(self) -> bool:
        """Have systemd boot next; returns whether anything was to be done."""
        if self.boots() == "systemd":
            return False
        target = next((path for path in SYSTEMD if os.access(self.root + path, os.X_OK)), None)
        if target is None:
            raise SystemdError(f"there is no systemd on this host ({SYSTEMD[0]}); install the package systemd first")
        durable.tidy(self.path)
        durable.replace_link(self.path, target)
        return True

    def choose_old(self) -> bool:
        """Have the old init boot next, if it is kept; returns whether anything was to be done."""
        if not self.is_kept() or _same(self.kept, self.path):
            return False
        durable.tidy(self.path)
        temporary = durable.temporary_of(self.path)
        try:
            _copy(self.kept, temporary)
            os.replace(temporary, self.path)
        except BaseException:
            durable.remove(temporary)
            raise
        durable.sync_directory(os.path.dirname(self.path))
        return True

    def forget(self) -> bool:
        """Stop keeping the old init. The caller has chosen what boots."""
        changed = False
        if self._diverted():
            self._divert("--remove")
            changed = True
        if durable.remove(self.kept):
            durable.sync_directory(os.path.dirname(self.kept))
            changed = True
        return changed

    def _diverted(self) -> bool | None:
        """Whether dpkg puts its /sbin/init elsewhere; None where there is no dpkg, or no package has that file."""
        if self.root or shutil.which("dpkg-divert") is None:
            return None
        told = _run(["dpkg-divert", "--truename", self.path]).stdout.decode("utf-8", "surrogateescape").strip()
        if told == self.kept:
            return True
        if told != self.path or _run(["dpkg-query", "--search", self.path], check=False).returncode:
            return None
        return False

    def _divert(self, verb: str) -> None:
        # Without --rename, which would leave the host without an init for a moment.
        _run(["dpkg-divert", "--local", "--no-rename", "--divert", self.kept, verb, self.path])


class SwitchInit(Step):
    """Keep the old init and have systemd boot next."""

    def __init__(self, init: Init) -> None:
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

    def __init__(self, init: Init) -> None:
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

    def __init__(self, init: Init) -> None:
        super().__init__((init.path,))
        self._init = init

    def describe(self) -> str:
        return f"boot {self._init.old_program()} again"

    def apply(self, ctx: Context) -> bool:
        return self._init.choose_old()


class Forget(Step):
    """Stop keeping the old init; there is no way back from here."""

    def __init__(self, init: Init) -> None:
        super().__init__((init.kept,))
        self._init = init

    def describe(self) -> str:
        return f"remove {self._init.kept}"

    def apply(self, ctx: Context) -> bool:
        return self._init.forget()


def trial_units(init: Init, seconds: int) -> dict[str, str]:
    """Units for the first boot: the boot after it is one of the old init again, and comes by itself after a while.

    They need little of a boot: the file system to be writable, no network, no controller.
    """
    head = (
        "# Written by pidone.systemd.init_handover for the first boot of systemd, and removed once that is confirmed.\n"
    )
    early = "DefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n"
    temporary = f"{init.path}.trial"
    return {
        TRIAL[
            0
        ]: f"{head}[Unit]\nDescription=Boot the old init system next time, unless this boot is confirmed\n{early}"
        "After=systemd-remount-fs.service\nBefore=sysinit.target\n\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        f"ExecStart=/bin/cp -aT --remove-destination {init.kept} {temporary}\nExecStart=/bin/mv -fT {temporary} {init.path}\n\n"
        "[Install]\nWantedBy=sysinit.target\n",
        TRIAL[1]: f"{head}[Unit]\nDescription=Time in which this first boot of systemd has to be confirmed\n{early}"
        f"After={TRIAL[0]}\n\n[Timer]\nOnBootSec={seconds}\nAccuracySec=1s\nUnit={TRIAL[2]}\n\n[Install]\nWantedBy=sysinit.target\n",
        TRIAL[2]: f"{head}[Unit]\nDescription=Back to the old init system, since this boot was not confirmed\n{early}"
        "SuccessAction=reboot\n\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
    }


def _same(one: str, other: str) -> bool:
    if os.path.islink(one) != os.path.islink(other):
        return False
    if os.path.islink(one):
        return os.readlink(one) == os.readlink(other)
    return os.path.exists(other) and os.path.samefile(one, other)


def _copy(source: str, target: str) -> None:
    """The same link, or another name of the same program."""
    if os.path.lexists(target):
        os.unlink(target)
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    else:
        os.link(source, target)
    durable.sync_directory(os.path.dirname(target))


def _run(command: t.Sequence[str], check: bool = True) -> t.Any:
    done = run_program(command, _SECONDS)
    if check and done.returncode:
        raise SystemdError(f"{' '.join(command)} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done
