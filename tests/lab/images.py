# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building the root file systems, once each: ``IMAGES/KIND-KEY`` is complete or absent, never half done."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

from tests.lab import cpio, paths
from tests.lab.proc import LabError, run
from tests.lab.recipes import KINDS, Kind

#: Seconds for which an image made by another recipe is kept after its last use.
KEEP = 24 * 3600

PREREQUISITES = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
}


def kind_of(name: str) -> Kind:
    """The kind called *name*; LabError naming the known ones otherwise."""
    try:
        return KINDS[name]
    except KeyError:
        raise LabError(f"no kind of host is called {name!r}; there are: {', '.join(KINDS)}") from None


def image_path(kind: Kind) -> Path:
    """Where the image of *kind* is or will be."""
    return paths.images_dir() / f"{kind.name}-{kind.key()}"


def build(kind: Kind, builds: _Builds | None = None) -> Path:
    """Return the image of *kind*, building it if it is missing. Safe to call from several processes at once."""
    image = image_path(kind)
    paths.images_dir().mkdir(parents=True, exist_ok=True)
    _used(image).touch()
    if image.exists():
        return image
    with paths.locked(paths.images_dir() / f"{kind.name}.lock") as lock:
        if image.exists():
            return image
        print(f"lab: building the {kind.name} image ({kind.suite})", file=sys.stderr, flush=True)
        partial = image.with_name(f"{image.name}.partial")
        _remove(partial)
        try:
            if kind.backend == "qemu":
                prerequisites({"qemu-system-x86_64": "qemu-system-x86"})
                partial.mkdir()
                _debootstrap(kind, partial / "root", lock, builds or _Builds())
                _pack(partial)
            else:
                _debootstrap(kind, partial, lock, builds or _Builds())
            partial.rename(image)
        except BaseException:
            _remove(partial)
            raise
        _drop_outdated(kind, image)
    return image


def build_all(kinds: t.Sequence[Kind]) -> list[Path]:
    """Return the images of *kinds*, in their order; those that are missing are built two at a time.

    Half of the time of one goes into unpacking, by one processor, and half into waiting for packages. If one fails, or
    this is interrupted, the others are ended before the error goes on.
    """
    builds = _Builds()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        futures = [pool.submit(build, kind, builds) for kind in kinds]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            builds.end()
            raise


class _Builds:
    """The builds that are begun together and end together."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False
        self._lock = threading.Lock()

    def run(self, command: list[str], lock: int) -> subprocess.CompletedProcess[str]:
        """Run *command* with its output in one; LabError if :meth:`end` was called before."""
        with self._lock:
            if self._ended:
                raise LabError("the build was interrupted")
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                pass_fds=[lock],  # should we be killed, nobody else builds this image before mmdebstrap has ended
                start_new_session=True,
            )
            self._running.add(process)
        try:
            output, _nothing = process.communicate()
        except BaseException:
            _terminate(process)
            process.communicate()
            raise
        finally:
            self._running.discard(process)
        return subprocess.CompletedProcess(command, process.returncode, output)

    def end(self) -> None:
        """End what runs, and let nothing else begin."""
        with self._lock:
            self._ended = True
            for process in self._running.copy():
                _terminate(process)


def _terminate(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _debootstrap(kind: Kind, target: Path, lock: int, builds: _Builds) -> None:
    command = [
        "mmdebstrap",
        "--variant=minbase",
        "--format=directory",
        f"--include={','.join(kind.packages)}",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        f"--customize-hook={kind.customize}",
        kind.suite,
        os.fspath(target),
    ]
    try:
        done = builds.run(command, lock)
    except FileNotFoundError as exc:
        raise LabError("mmdebstrap: not found (run 'tests/lab/lab prerequisites')") from exc
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise LabError(f"building the {kind.name} image failed:\n{tail}")


def _pack(image: Path) -> None:
    """Turn a built tree into what a virtual machine boots: the kernel and the initial RAM disk."""
    shutil.move(image / "root/boot/vmlinuz", image / "vmlinuz")
    with open(image / "root.cpio", "wb") as out:
        cpio.pack_tree(image / "root", out)
    _remove(image / "root")


def _used(image: Path) -> Path:
    """A file whose time says when the image was used last."""
    return image.with_name(f"{image.name}.used")


def _drop_outdated(kind: Kind, current: Path) -> None:
    """Remove images of the same kind made by an older recipe, unless somebody (another clone, perhaps) still uses them."""
    mounts = Path("/proc/self/mountinfo").read_text()
    for old in paths.images_dir().glob(f"{kind.name}-*"):
        mine = re.fullmatch(rf"{re.escape(kind.name)}-[0-9a-f]{{12}}", old.name) is not None
        if not mine or old == current or f"lowerdir={old}," in mounts:
            continue
        if _used(old).exists() and time.time() - _used(old).stat().st_mtime < KEEP:
            continue
        _remove(old)
        _used(old).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    # mmdebstrap leaves nothing mounted when it is interrupted, but check before deleting a tree as root.
    inside = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((p for p in inside if p.startswith(f"{path}/")), reverse=True):
        run("umount", point)
    if path.exists():
        shutil.rmtree(path)


def prerequisites(extra: dict[str, str] | None = None) -> list[str]:
    """Install the Debian packages whose commands are missing, and return their names (empty: nothing to do)."""
    wanted = {**PREREQUISITES, **(extra or {})}
    missing = sorted({package for command, package in wanted.items() if shutil.which(command) is None})
    if not missing:
        return []
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if run(*install, check=False, env=env).returncode:
        run("apt-get", "update", "-q", env=env)
        run(*install, env=env)
    return missing
