# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process behind one nspawn host: boots it, boots it again when it reboots, ends when it powers off.

Usage: ``python -m tests.lab.supervisor HOSTDIR``. As on a real machine, what is at ``/sbin/init`` in the host's root
decides what becomes PID 1, at every boot anew; ``HOSTDIR/init`` (``systemd`` or a path) overrides it like ``init=`` on a
kernel command line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.lab import cgroup, network
from tests.lab.proc import run

#: systemd-nspawn --keep-unit exits with this when the container asked for a reboot.
REBOOT = 133


def is_systemd(root: Path, override: str = "") -> bool:
    """Whether systemd becomes PID 1 of the root file system *root*."""
    if override:
        return override == "systemd"
    init = root / "sbin/init"
    return init.is_symlink() and os.path.basename(os.readlink(init)) == "systemd"


def command(state: dict[str, str], root: Path, override: str = "") -> list[str]:
    """The systemd-nspawn command line that boots the host."""
    words = [
        "systemd-nspawn",
        "--quiet",
        "--directory",
        str(root),
        "--register=no",
        "--keep-unit",
        "--console=pipe",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        f"--machine={state['machine']}",
        f"--hostname={state['name']}",
        f"--network-namespace-path=/run/netns/{state['netns']}",
        "--capability=CAP_NET_ADMIN",
    ]
    if is_systemd(root, override):
        return [*words, "--boot"]
    return [*words, override or "/sbin/init"]


def main(directory: str) -> int:
    """Run the host kept in *directory* until it powers off; return nspawn's last exit code."""
    base = Path(directory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    state = json.loads((base / "host.json").read_text())
    cgroup.enter(state["cgroup"])
    # Whoever runs this may be niced; a machine's PID 1 is not, and tests look at what services get.
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    env = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
    while True:
        override = (base / "init").read_text().strip() if (base / "init").exists() else ""
        # An init's last act is to make its root read-only, and its interfaces may be down: a boot begins with neither.
        run("mount", "-o", "remount,rw", base / "root", check=False)
        network.configure(state["netns"], state["address"])
        child = subprocess.Popen(
            command(state, base / "root", override),
            stdin=subprocess.DEVNULL,
            stdout=None,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
            preexec_fn=_default_signals,
        )
        status = child.wait()
        cgroup.kill_below(state["cgroup"])
        if status != REBOOT:
            return status


def _default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
