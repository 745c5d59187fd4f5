# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that exist: bringing them up in parallel, listing, taking down, cleaning up after the dead."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import secrets
import shutil
import typing as t
from pathlib import Path

from tests.lab import cgroup, images, network, paths
from tests.lab.host import Host
from tests.lab.nspawn import NspawnHost
from tests.lab.proc import LabError, Process, run
from tests.lab.qemu import QemuHost

BACKENDS: dict[str, type[Host]] = {"nspawn": NspawnHost, "qemu": QemuHost}
INOTIFY_INSTANCES = 2048
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?")


def _load(state: dict[str, t.Any]) -> Host:
    return BACKENDS[state["backend"]](state)


def hosts() -> dict[str, Host]:
    """All hosts of this clone by name, also those half made or dead."""
    found = {}
    if paths.HOSTS.is_dir():
        for path in sorted(paths.HOSTS.iterdir()):
            try:
                found[path.name] = _load(json.loads((path / "host.json").read_text()))
            except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
                continue
    return found


def get(name: str) -> Host:
    """The running host called *name*."""
    host = hosts().get(name)
    if host is None or not host.alive():
        raise LabError(f"no host called {name!r} is up (tests/lab/lab list)")
    return host


def up(wanted: dict[str, str], owner: int | None = None, *, keep_bytecode: bool = False) -> list[Host]:
    """Bring hosts up, ``{name: kind}``, in parallel; those already up are left as they are.

    *owner* is a process id: when that process is gone, ``gc`` takes the hosts down. If one host fails, those that this
    call started are taken down again. With *keep_bytecode* new hosts compile each module once (see bytecode.py).
    """
    gc()
    _raise_limits()
    for name, kind in wanted.items():
        images.kind_of(kind)
        if not _NAME.fullmatch(name):
            raise LabError(f"{name!r} is not a host name (a-z, 0-9, -; at most 42 characters)")
    images.build_all([images.kind_of(kind) for kind in dict.fromkeys(wanted.values())])
    result: dict[str, Host] = {}
    fresh = []
    for name, kind in wanted.items():
        host, made = _reserve(name, kind, owner, keep_bytecode)
        result[name] = host
        if made:
            fresh.append(host)
    try:
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda host: host.start(), fresh))
    except BaseException:
        for host in fresh:
            _remove(host)
        raise
    for host in fresh:
        host.state.pop("starter", None)
        host.save()
    return list(result.values())


def _raise_limits() -> None:
    """See to it that many hosts can run: all their services count as one user's, and each systemd needs about seven.

    At the kernel's 128 the eighteenth host would fail to boot, or its services would.
    """
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < INOTIFY_INSTANCES:
        limit.write_text(str(INOTIFY_INSTANCES))


def _reserve(name: str, kind: str, owner: int | None, keep_bytecode: bool) -> tuple[Host, bool]:
    """Claim the name and an address; return the host and whether it is new."""
    with paths.lab_lock():
        existing = hosts()
        if name in existing:
            host = existing[name]
            if host.state["kind"] != kind:
                raise LabError(f"{name} is up already, as {host.state['kind']}")
            if not host.alive():
                raise LabError(f"{name} is being started by somebody else, or died (tests/lab/lab gc)")
            return host, False
        paths.mark_clone()
        prefix = network.ensure_bridge()
        used = {host.address for host in existing.values()}
        address = next((a for a in (f"{prefix}.{n}" for n in range(2, 255)) if a not in used), None)
        if address is None:
            raise LabError("all 253 addresses of the lab are in use")
        unique = f"{paths.CLONE}-{name}"
        host = _load(
            {
                "name": name,
                "kind": kind,
                "backend": images.kind_of(kind).backend,
                "address": address,
                "machine": f"pdl-{unique}",
                "netns": network.namespace(name),
                "id": secrets.token_hex(4),
                "cgroup": f"pidone-lab-{unique}",
                "owner": list(Process.of(owner)) if owner else None,
                "starter": list(Process.of(os.getpid())),
                "keep_bytecode": keep_bytecode,
            }
        )
        host.directory.mkdir(parents=True)
        host.save()
        return host, True


def down(names: t.Iterable[str]) -> list[str]:
    """Take hosts down and remove them; names that do not exist are fine. Returns those removed."""
    existing = hosts()
    gone = [existing[name] for name in names if name in existing]
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(_remove, gone))
    with paths.lab_lock():
        if not hosts():
            network.remove_bridge()
    return [host.name for host in gone]


def _remove(host: Host) -> None:
    """Remove *host*, unless somebody else did so meanwhile (and perhaps made another one of that name)."""
    with paths.locked(paths.LAB / "locks" / host.name):
        current = hosts().get(host.name)
        if current is not None and current.state.get("id") == host.state.get("id"):
            host.remove()


def _stale(host: Host) -> bool:
    starter = Process.load(host.state.get("starter"))
    if starter is not None:
        return not starter.alive()
    if host.owner is not None:
        return not host.owner.alive()
    return not host.alive()


def gc() -> list[str]:
    """Remove what nobody will: hosts whose owner is gone, that were left half started, or that died without an owner.

    Also what is left of hosts whose directory is gone, of this clone and of clones that are gone. Returns their names.
    """
    removed = down([name for name, host in hosts().items() if _stale(host)])
    shutil.rmtree(paths.LAB / "trash", ignore_errors=True)
    with paths.lab_lock():
        removed += _sweep(paths.CLONE, set(hosts()))
    with paths.machine_lock():
        for other in paths.RUN.iterdir():
            marker = other / "clone"
            if not marker.exists():
                continue
            root = Path(marker.read_text().strip())
            if not (root / "tests" / "lab").exists():
                removed += _sweep(other.name, set())
                _unmount(root)
                network.remove_bridge(other.name)
                shutil.rmtree(other)
    return removed


def _unmount(root: Path) -> None:
    """Unmount the root file systems of the hosts of the clone that was at *root*."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if f",upperdir={root}/build/lab/hosts/" in line:
            run("umount", "--lazy", line.split()[4])


def _sweep(clone: str, keep: set[str]) -> list[str]:
    """End and remove everything that carries the name of *clone*, except what belongs to the hosts in *keep*."""
    found = set()
    groups = f"pidone-lab-{clone}-"
    for name in cgroup.names(groups):
        if name not in keep:
            found.add(name)
            cgroup.end(groups + name)
    for name in network.names(clone):
        if name not in keep:
            found.add(name)
            network.detach(name, clone)
    return sorted(found)
