# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are systemd-nspawn machines, whatever init they boot."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.lab import paths
from tests.lab.host import Host
from tests.lab.proc import LabError, children, run, wait_until


class NspawnHost(Host):
    """A systemd-nspawn machine on an overlay of its image."""

    def prepare(self, image: Path) -> None:
        """Mount an overlay over the image (or copy it where overlays do not work) and make it this host's."""
        upper, work = self.directory / "upper", self.directory / "work"
        for folder in (upper, work, self.root):
            folder.mkdir()
        layers = f"lowerdir={image},upperdir={upper},workdir={work}"
        # Nothing of a host outlives this machine: what is written there need not wait for the disk, where the kernel can do that.
        for options in (f"{layers},volatile", layers):
            if not run("mount", "-t", "overlay", "overlay", "-o", options, self.root, check=False).returncode:
                break
        else:
            run("cp", "-a", "--reflink=auto", f"{image}/.", self.root)
        for path, text in self.own_files(self.address).items():
            (self.root / path).write_text(text)

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

    def remove(self) -> None:
        """Also remove what systemd-nspawn leaves in /run when it is killed."""
        super().remove()
        for folder in ("propagate", "unix-export"):
            path = Path("/run/systemd/nspawn", folder, self.state["machine"])
            with contextlib.suppress(OSError):
                path.rmdir()

    def enter_command(self) -> list[str]:
        """A command prefix that runs things inside, without SSH."""
        pid = self.leader()
        if not pid:
            raise LabError(f"{self.name} does not run")
        return ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"]

    def wait_booted(self) -> None:
        """Wait for sshd and, under systemd, for the end of the boot (running or degraded)."""
        self.wait_ssh(self.boot_timeout)
        if self.first_process() == "systemd":
            state = run(*self.enter_command(), "systemctl", "is-system-running", "--wait", check=False).stdout.strip()
            if state not in ("running", "degraded"):
                raise LabError(f"{self.name}: systemd is {state or 'not answering'}\n{self._console_tail()}")

    def choose_init(self, init: str | None) -> None:
        """Choose PID 1 for the next boots: ``systemd``, or a path in the host; None: what /sbin/init is."""
        path = self.directory / "init"
        if init is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(init)

    def reboot(self, init: str | None = "", timeout: float = 60) -> None:
        """Reboot in order and wait until the host answers again.

        *init* is for :meth:`choose_init`; left out, the choice stays. So ``reboot(init="systemd")`` on a host that
        boots runit is what a change of the kernel's command line would be, and ``reboot(init=None)`` the way back.
        """
        old = self.leader()
        if init != "":
            self.choose_init(init)
        self.disconnect()
        first = self.first_process()
        if first == "systemd":
            # systemd(1): SIGRTMIN+5 starts reboot.target; systemctl would wait for a logind that may not be there.
            os.kill(old, signal.SIGRTMIN + 5)
        elif first == "runit":
            # runit(8); /sbin/reboot may belong to an init that was installed meanwhile and cannot talk to this one.
            run(*self.enter_command(), "chmod", "100", "/etc/runit/stopit", "/etc/runit/reboot")
            os.kill(old, signal.SIGCONT)
        else:
            run(*self.enter_command(), "/sbin/reboot", check=False)
        self.wait_rebooted(old, timeout)

    def wait_rebooted(self, old: int, timeout: float = 60) -> None:
        """Wait until PID 1 is another than *old* (a :meth:`leader`) and the host answers."""
        wait_until(lambda: self.leader() not in (0, old) or not self.alive(), f"{self.name}: reboot", timeout, 0.1)
        self.disconnect()
        self.wait_booted()

    def first_process(self) -> str:
        """What is PID 1 now: ``systemd``, ``runit``, ``init`` (sysvinit)."""
        return run(*self.enter_command(), "cat", "/proc/1/comm").stdout.strip()


def _is_pid1(pid: int) -> bool:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                words = line.split()
                return len(words) > 2 and words[-1] == "1"
    except (FileNotFoundError, ProcessLookupError):
        pass
    return False
