# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are virtual machines under qemu's emulation (no KVM needed), with all cgroup v2 controllers.

The root file system is the initial RAM disk: nothing is kept on disk, and a reboot begins with the image anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.lab import cgroup, cpio, network
from tests.lab.host import Host
from tests.lab.proc import LabError


class QemuHost(Host):
    """A virtual machine; its sshd answers at the host's address like any other's."""

    boot_timeout = 600.0

    def prepare(self, image: Path) -> None:
        """Make the initial RAM disk: the image's, followed by what is this host's own."""
        with open(self.directory / "initrd", "wb") as out:
            with open(image / "root.cpio", "rb") as source:
                shutil.copyfileobj(source, out, 1 << 20)
            cpio.pack_files(self.own_files("10.0.2.15"), out)
        (self.directory / "vmlinuz").symlink_to(image / "vmlinuz")
        with open(self.directory / "disk", "wb") as disk:
            disk.truncate(256 << 20)  # sparse: a block device for IO limits

    def launch(self) -> subprocess.Popen[bytes]:
        """Start qemu in the host's network namespace and cgroup, detached from us."""
        network.configure(self.state["netns"], self.address)
        # no_timer_check: on a busy machine the ticks that the kernel counts at first come too late, and it would give up.
        kernel = (
            "console=ttyS0 rdinit=/lib/systemd/systemd panic=-1 quiet mitigations=off nokaslr no_timer_check systemd.show_status=0"
        )
        words = [
            *("ip", "netns", "exec", self.state["netns"]),
            "qemu-system-x86_64",
            *("-name", self.state["machine"]),
            *("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2560"),
            *("-nodefaults", "-display", "none", "-serial", "stdio"),
            *("-kernel", str(self.directory / "vmlinuz"), "-initrd", str(self.directory / "initrd"), "-append", kernel),
            *("-netdev", f"user,id=net,hostfwd=tcp:{self.address}:22-:22,restrict=on"),
            *("-device", "virtio-net-pci,netdev=net,romfile="),
            *("-drive", f"file={self.directory / 'disk'},format=raw,if=none,id=disk"),
            *("-device", "virtio-blk-pci,drive=disk"),
        ]
        with open(self.directory / "console.log", "ab") as console:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: cgroup.enter(self.state["cgroup"]),
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )

    def leader(self) -> int:
        """A virtual machine's PID 1 cannot be seen from outside."""
        raise LabError(f"{self.name} is a virtual machine: its processes are not visible from outside")

    def wait_booted(self) -> None:
        """Wait for sshd, then for the end of the boot."""
        self.wait_ssh(self.boot_timeout)
        done = self.run("systemctl is-system-running --wait")
        if done.stdout.strip() not in ("running", "degraded"):
            raise LabError(f"{self.name}: systemd: {done.stdout}{done.stderr}\n{self._console_tail()}")
