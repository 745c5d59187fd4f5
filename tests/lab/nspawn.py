# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are systemd-nspawn machines, whatever init they boot."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab import paths
from tests.lab.host import Host
from tests.lab.proc import LabError, children, run
from tests.lab.supervisor import is_systemd


class NspawnHost(Host):
    """A systemd-nspawn machine on an overlay of its image."""

    def prepare(self, image: Path) -> None:
        """Mount an overlay over the image (or copy it where overlays do not work) and make it this host's."""
        upper, work = self.directory / "upper", self.directory / "work"
        for folder in (upper, work, self.root):
            folder.mkdir()
        mount = run(
            "mount",
            "-t",
            "overlay",
            "overlay",
            "-o",
            f"lowerdir={image},upperdir={upper},workdir={work}",
            self.root,
            check=False,
        )
        if mount.returncode:
            run("cp", "-a", "--reflink=auto", f"{image}/.", self.root)
        shutil.copyfile(paths.KEY.with_suffix(".pub"), self.root / "etc/ssh/lab_authorized_keys")
        (self.root / "etc/machine-id").write_text(f"{secrets.token_hex(16)}\n")
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{self.address} {self.name}\n")

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the supervisor of this host, detached from us."""
        with open(self.directory / "console.log", "ab") as console:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.lab.supervisor", str(self.directory)],
                cwd=paths.ROOT,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(paths.ROOT)},
            )

    def leader(self) -> int:
        """Process id, outside, of the host's PID 1; 0 while it does not run."""
        process = self.supervisor
        if process is None or not process.alive():
            return 0
        for nspawn in children(process.pid):
            for pid in children(nspawn):
                if _is_pid1(pid):
                    return pid
        return 0

    def enter_command(self) -> list[str]:
        """A command prefix that runs things inside, without SSH."""
        pid = self.leader()
        if not pid:
            raise LabError(f"{self.name} does not run")
        return ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"]

    def wait_booted(self) -> None:
        """Wait for sshd and, under systemd, for the end of the boot (running or degraded)."""
        self.wait_ssh(self.boot_timeout)
        if is_systemd(self.root, self.init_override()):
            state = run(*self.enter_command(), "systemctl", "is-system-running", "--wait", check=False).stdout.strip()
            if state not in ("running", "degraded"):
                raise LabError(f"{self.name}: systemd is {state or 'not answering'}\n{self._console_tail()}")

    def init_override(self) -> str:
        """What was chosen as PID 1 instead of what /sbin/init is (empty: nothing)."""
        path = self.directory / "init"
        return path.read_text().strip() if path.exists() else ""


def _is_pid1(pid: int) -> bool:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                words = line.split()
                return len(words) > 2 and words[-1] == "1"
    except (FileNotFoundError, ProcessLookupError):
        pass
    return False
