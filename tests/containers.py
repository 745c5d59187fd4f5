# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers in a host of the kind `machines`, which systemd-machined knows: of the host's own /usr, with nothing else of it."""

from __future__ import annotations

import shlex
import typing as t

from tests.lab.host import Host

# Users of the container are none of the host's.
USERS_OF_ITS_OWN = ("--private-users=524288:65536", "--private-users-ownership=off")


def start(host: Host, name: str, command: t.Sequence[str] = (), options: t.Sequence[str] = ()) -> None:
    """Start a container whose PID 1 is a command, or by default systemd; it need not have come up yet."""
    root = f"/srv/machines/{name}"
    nspawn = [
        "systemd-nspawn", f"--machine={name}", f"--directory={root}", "--volatile=yes", "--register=yes", "--keep-unit",
        "--private-network", "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=pipe", *options,
        *(command or ["--boot"]),
    ]  # fmt: skip
    unit = ["systemd-run", "-q", f"--unit={name}", "--collect", "-E", "SYSTEMD_NSPAWN_LOCK=0", *nspawn]
    host.run(f"mkdir -p {root}; mountpoint -q {root} || mount --bind / {root}; {shlex.join(unit)}", check=True)


def stop(host: Host, *names: str) -> None:
    """End containers, without a word to what is in them; what systemd-nspawn then leaves is in the way of the next of that name."""
    host.run(
        f"systemctl kill -s KILL {' '.join(names)}; cd /run/systemd/nspawn; for name in {' '.join(names)}; do "
        "while systemctl is-active -q $name; do sleep 0.05; done; umount /srv/machines/$name unix-export/$name; "
        "rmdir /srv/machines/$name unix-export/$name propagate/$name; done"
    )


def leader(host: Host, name: str) -> int:
    """The number that the container's PID 1 has on the host."""
    return int(host.run(f"machinectl show -P Leader {name}", check=True).stdout)
