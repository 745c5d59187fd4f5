# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The init system that a host leaves: what boots, how it is kept, how another is chosen, and how to reboot.

The old init is kept beside the new one, so that the way back is one rename. At no moment is there no /sbin/init.
"""

from __future__ import annotations

import os
import shutil
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import read_text

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Files

SYSTEMD = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
_KEPT = ".before-systemd"
# Seconds that dpkg's tools may take.
_SECONDS = 300.0


def first_process() -> str:
    """The name of the process with the number 1; empty where there is no /proc."""
    return (read_text("/proc/1/comm", errors="replace") or "").strip()


def is_systemd(first: str) -> bool:
    """Whether the first process, of that name, is systemd: sd_booted(3)."""
    return os.path.isdir("/run/systemd/system") and first == "systemd"


class OldInit:
    """The host's init: the file that the kernel starts, what it is now, and where the old one is kept.

    It is the same for all that are started as /sbin/init, whoever it is.

    :param files: how files are changed such that it lasts.
    :param root: the directory that is taken for `/`.
    """

    def __init__(self, files: Files, root: str = "") -> None:
        self._files = files
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

    def reboot_command(self) -> str:
        """The command that reboots the host while the old init runs.

        The command `reboot` may go by way of /sbin/init, which is systemd's already.
        """
        old = self.old_program()
        return f"{old} 6" if old else "reboot"

    def way_back(self) -> list[str]:
        """The same as `choose_old` as commands, for a unit in a boot in which little is there yet."""
        temporary = f"{self.path}.trial"
        return [
            f"/bin/cp -aT --remove-destination {self.kept} {temporary}",
            f"/bin/mv -fT {temporary} {self.path}",
        ]

    def keep(self) -> bool:
        """Keep the old init beside the new one, also from its package. Returns whether anything was to be done."""
        changed = False
        if not self.is_kept():
            self._copy(self.path, self.kept)
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
        self._files.tidy(self.path)
        self._files.replace_link(self.path, target)
        return True

    def choose_old(self) -> bool:
        """Have the old init boot next, if it is kept; returns whether anything was to be done."""
        if not self.is_kept() or _same(self.kept, self.path):
            return False
        self._files.tidy(self.path)
        temporary = self._files.temporary_of(self.path)
        try:
            self._copy(self.kept, temporary)
            os.replace(temporary, self.path)
        except BaseException:
            self._files.remove(temporary)
            raise
        self._files.sync_directory(os.path.dirname(self.path))
        return True

    def forget(self) -> bool:
        """Stop keeping the old init. The caller has chosen what boots."""
        changed = False
        if self._diverted():
            self._divert("--remove")
            changed = True
        if self._files.remove(self.kept):
            self._files.sync_directory(os.path.dirname(self.kept))
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

    def _copy(self, source: str, target: str) -> None:
        """The same link, or another name of the same program."""
        if os.path.lexists(target):
            os.unlink(target)
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        else:
            os.link(source, target)
        self._files.sync_directory(os.path.dirname(target))


def _same(one: str, other: str) -> bool:
    if os.path.islink(one) != os.path.islink(other):
        return False
    if os.path.islink(one):
        return os.readlink(one) == os.readlink(other)
    return os.path.exists(other) and os.path.samefile(one, other)


def _run(command: t.Sequence[str], check: bool = True) -> t.Any:
    done = run_program(command, _SECONDS)
    if check and done.returncode:
        raise SystemdError(f"{' '.join(command)} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done
