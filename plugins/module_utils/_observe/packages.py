# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages files belong to, by the lists of dpkg and pacman, which are read, and by one call of rpm.

Files that an upgrade has removed, such as `libx.so.1.2.3` when there is a `libx.so.1.2.4`, are looked up by the name that libraries
are asked for by, `libx.so.1`, which the packages have as a link.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable, read_seen

_DPKG = "/var/lib/dpkg/info"
_PACMAN = "/var/lib/pacman/local"
_RPM = ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
# Of one list of files; those of kernels have some thousand lines.
_LARGEST = 16 << 20
# Below these, what is in /usr may be listed without it, as it was before both became one.
_MERGED = ("/usr/bin/", "/usr/sbin/", "/usr/lib")


def owners(paths: t.Iterable[str], timeout: float = 30.0, root: str = "") -> dict[str, str]:
    """The package of each path that belongs to one; of the others nobody knows.

    :param timeout: seconds that rpm may take.
    :param root: where the databases are, for tests.
    """
    # A name that is listed -> the paths that it stands for, the best one for each path first.
    wanted: dict[str, list[str]] = {}
    for path in paths:
        for name in _names(path):
            wanted.setdefault(name, []).append(path)
    found: dict[str, str] = {}
    if wanted and os.path.isdir(root + _DPKG):
        _from_dpkg(root + _DPKG, wanted, found)
    elif wanted and os.path.isdir(root + _PACMAN):
        _from_pacman(root + _PACMAN, wanted, found)
    elif wanted and any(os.path.isdir(root + path) for path in _RPM):
        _from_rpm(wanted, found, timeout)
    # A path's own name counts before what it was once linked by.
    return {path: found[name] for name in reversed(wanted) for path in wanted[name] if name in found}


def _names(path: str) -> list[str]:
    """What a path may be listed by: as it is, without /usr, and each without the end of its version."""
    names = [path]
    stem, dot, version = path.rpartition(".so.")
    numbers = version.split(".")
    if dot:
        names += [f"{stem}.so.{'.'.join(numbers[:count])}" for count in range(len(numbers) - 1, 0, -1)]
    return names + [name[len("/usr") :] for name in names if name.startswith(_MERGED)]


def _newest_first(directory: str, suffix: str = "") -> list[tuple[str, str]]:
    """Path and name of what is in a directory, what has changed last before all else: that is what was upgraded."""
    try:
        with os.scandir(directory) as entries:
            found = [(entry.stat().st_mtime, entry.path, entry.name) for entry in entries if entry.name.endswith(suffix)]
    except OSError:
        # Something is being installed, or this user may not look.
        return []
    return [(path, name) for _time, path, name in sorted(found, reverse=True)]


def _from_dpkg(directory: str, wanted: t.Mapping[str, t.Any], found: dict[str, str]) -> None:
    left = {os.fsencode(name) for name in wanted}
    for path, name in _newest_first(directory, ".list"):
        hits = left.intersection(_lines(path))
        left -= hits
        # Of packages of several architectures, the name has the architecture in it.
        found.update((os.fsdecode(hit), name[: -len(".list")].partition(":")[0]) for hit in hits)
        if all(_is_told(each, found) for each in wanted.values()):
            break


def _from_pacman(directory: str, wanted: t.Mapping[str, t.Any], found: dict[str, str]) -> None:
    left = {os.fsencode(name[1:]) for name in wanted}
    for path, name in _newest_first(directory):
        hits = left.intersection(_lines(f"{path}/files"))
        left -= hits
        found.update((f"/{os.fsdecode(hit)}", name.rsplit("-", 2)[0]) for hit in hits)


def _is_told(paths: t.Sequence[str], found: t.Mapping[str, str]) -> bool:
    return all(path in found or f"{path[len('/usr'):]}" in found for path in paths)


def _lines(path: str) -> list[bytes]:
    try:
        content = read_seen(path, _LARGEST)
    except Unreadable:
        # It is the version of the database, or too large.
        content = None
    return content.split(b"\n") if content else []


def _from_rpm(wanted: t.Mapping[str, t.Any], found: dict[str, str], timeout: float) -> None:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

    # Rpm looks at what is there.
    there = [name for name in wanted if os.path.lexists(name) and "\n" not in name]
    if not there:
        return
    # All files of the packages, as rpm does not say for which argument a line is.
    command = ["rpm", "-q", "--queryformat", r"[%{FILENAMES}\t%{=NAME}\n]", "-f", "--", *there[:1000]]
    try:
        done = run_program(command, timeout)
    except SystemdError:
        return
    for line in done.stdout.decode("utf-8", "surrogateescape").splitlines():
        name, _tab, package = line.rpartition("\t")
        if name in wanted:
            found.setdefault(name, package)
