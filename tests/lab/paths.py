# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps things, and the locks that let several people and clones use it at once."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import typing as t
from pathlib import Path

#: The clone of the repository this lab belongs to.
ROOT = Path(__file__).resolve().parents[2]

#: Short name of this clone: part of every name that is visible outside the clone (cgroups, network, sockets).
CLONE = hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]

LAB = ROOT / "build" / "lab"
HOSTS = LAB / "hosts"
KEY = LAB / "id_ed25519"

#: Machine-wide directory: one subdirectory per clone, and the lock for what clones share (addresses).
RUN = Path("/run/pidone-lab")
RUN_CLONE = RUN / CLONE


def images_dir() -> Path:
    """Directory of the built images: ``PIDONE_LAB_CACHE`` if set (it may be shared by clones), else ``build/lab/images``."""
    cache = os.environ.get("PIDONE_LAB_CACHE")
    return Path(cache) if cache else LAB / "images"


@contextlib.contextmanager
def locked(path: Path) -> t.Iterator[int]:
    """Hold an exclusive lock on the file at *path* (created if missing) for the duration of the block.

    Yields the descriptor: a child process that inherits it keeps the lock for as long as it lives, whatever becomes of us.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def lab_lock() -> t.ContextManager[int]:
    """The lock of this clone's host registry."""
    return locked(LAB / "lock")


def machine_lock() -> t.ContextManager[int]:
    """The lock of what all clones on this machine share."""
    return locked(RUN / "lock")


def mark_clone() -> None:
    """Note which clone owns ``/run/pidone-lab/CLONE``, for clean-up after the clone itself is gone."""
    RUN_CLONE.mkdir(parents=True, exist_ok=True)
    marker = RUN_CLONE / "clone"
    if not marker.exists():
        marker.write_text(f"{ROOT}\n")
