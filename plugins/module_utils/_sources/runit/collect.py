# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects the services of runit or daemontools from a host or a checkout: raw files and state, not what they mean.

Needs nothing but Python on the host, and changes nothing there.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._sources.host import (
    MOST_FILES,
    SOURCED,
    SOURCED_NEAR,
    Host,
    Reading,
    Users,
    add_facts,
    content_of,
    listed,
    programs_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._sources.reading import (
    names_in,
    opens_for_reading,
    read_file,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import File, Raw, State

# Where service directories are defined, most specific first; `*` is one name.
_DEFINED = (
    "/etc/sv",
    "/etc/runit/sv",
    "/usr/share/runit/sv",
    "/opt/*/sv",
    "/var/service.d",
    "/usr/local/etc/sv",
    "/usr/local/etc/runit/sv",
)
# Where runsvdir or svscan looks.
_SCANNED = (
    "/etc/service",
    "/var/service",
    "/run/runit/service",
    "/service",
    "/etc/runit/runsvdir/current",
    "/etc/runit/runsvdir/default",
    "/run/runit/runsvdir/current",
    "/opt/*/service",
    "/var/lib/supervise",
    "/usr/local/var/service",
    "/run/service",
)
# What of a service directory is not a definition.
_SKIPPED = frozenset(("supervise", "main", ".git", ".svn"))
_MOST_DIRECTORIES = 10000
_DEEPEST = 8
# What is translated, and so has to be read whoever may read it; of other files that are not for everybody the contents stay here.
_TRANSLATED = re.compile(r"(?:log/)?(?:run|finish|check|down|control/[^/]+)\Z|log/(?:.*/)?config\Z")


def collect(
    source: str = "runit", root: str = "/", path: str | None = None, names: t.Sequence[str] | None = None
) -> list[Raw]:
    """The raw definitions of services.

    :param source: `runit` or `daemontools`.
    :param root: the tree that is read as if it were `/`.
    :param path: a service directory, a directory of such at any depth, or a run script; without it the known places of `root`.
    :param names: names or globs of the services wanted.
    :returns: one dictionary per service, sorted by name and path.
    :raises BadInput: `root` or `path` cannot be read.
    """
    host = Host(root)
    if host.root and not os.path.isdir(host.root):
        raise BadInput(f"root: {root} is not a directory; give the directory that holds the tree")
    scanners = [] if host.root else running_scanners()
    if path is not None:
        places = _at_path(host, path)
    else:
        places = _known_places(host, scanned_elsewhere(scanners))
    found = []
    users = Users(host)
    programs: dict[str, str] | None = None
    scanned = {os.path.realpath(one.directory) for one in scanners if one.uid == 0}
    for place in places:
        if names and not any(fnmatch.fnmatchcase(place.name, pattern) for pattern in names):
            continue
        if place.live and programs is None:
            programs = programs_of(host)
        one = _service(host, place, source, users, programs or {})
        if place.live and not host.root:
            _see(one, place, scanned)
        found.append(one)
    return sorted(found, key=lambda one: (one["name"], one["path"]))


class _Place:
    """One service directory: where it is for this process, where on the host, and the links that have it run."""

    def __init__(
        self,
        name: str,
        outer: str,
        path: str,
        live: bool,
        links: t.Sequence[str] = (),
        assumed: bool = False,
        way: str = "",
    ) -> None:
        self.name = name
        self.outer = outer
        # The way by which it was found, links and all, which says who may have it read.
        self.way = way or outer
        self.path = path
        self.live = live
        self.links = list(links)
        self.assumed = assumed
        self.only_run = ""


def _is_service(directory: str) -> bool:
    return os.path.lexists(os.path.join(directory, "run"))


def _known_places(host: Host, elsewhere: t.Sequence[str]) -> list[_Place]:
    found: dict[str, _Place] = {}
    for pattern in (*_SCANNED, *elsewhere):
        for outer in sorted(glob.glob(host.root + pattern)) if "*" in pattern else [host.root + pattern]:
            real = host.outer(host.inner(outer))
            for name in listed(real):
                # runsvdir skips names that begin with a dot.
                if name.startswith("."):
                    continue
                inside = host.resolve(host.inner(real + "/" + name))
                at = host.root + inside
                if not os.path.isdir(at) or not _is_service(at):
                    continue
                place = found.setdefault(at, _Place(name, at, inside, True, way=real + "/" + name))
                link = host.inner(real) + "/" + name
                if link not in place.links:
                    place.links.append(link)
    for pattern in _DEFINED:
        for outer in sorted(glob.glob(host.root + pattern)) if "*" in pattern else [host.root + pattern]:
            for name in listed(outer):
                if name.startswith("."):
                    continue
                inside = host.resolve(host.inner(outer) + "/" + name)
                at = host.root + inside
                if at not in found and os.path.isdir(at) and _is_service(at):
                    found[at] = _Place(name, at, inside, True, way=outer + "/" + name)
    return list(found.values())


def _at_path(host: Host, path: str) -> list[_Place]:
    given = host.root + path if host.root and not path.startswith(host.root + "/") else path
    given = os.path.join(os.getcwd(), os.path.expanduser(given))
    outer = os.path.realpath(given)
    if os.path.isfile(outer):
        directory = os.path.dirname(outer)
        name = os.path.basename(directory) if os.path.basename(outer) == "run" else os.path.basename(outer)
        place = _place(host, directory, name or "service")
        if os.path.basename(outer) != "run":
            place.only_run = given
        elif os.path.basename(given) == "run":
            place.way = os.path.dirname(given)
            place.path, place.live, place.assumed = "/etc/sv/" + place.name, False, True
        return [place]
    if not os.path.isdir(outer):
        raise BadInput(
            f"path: {path} does not exist; give a service directory, a directory that holds such directories, or a run script"
        )
    found: list[_Place] = []
    seen: set[str] = set()
    _search(host, given, 0, found, seen)
    return found


def _search(host: Host, directory: str, depth: int, found: list[_Place], seen: set[str], name: str = "") -> None:
    real = os.path.realpath(directory)
    if real in seen or depth > _DEEPEST or len(seen) >= _MOST_DIRECTORIES:
        return
    seen.add(real)
    if os.path.isfile(os.path.join(directory, "run")) or os.path.islink(os.path.join(directory, "run")):
        place = _place(host, real, name or os.path.basename(directory.rstrip("/")) or "service")
        place.way = directory
        found.append(place)
        return
    for entry in names_in(directory, host.root):
        inner = os.path.join(directory, entry)
        if entry in _SKIPPED or entry.startswith(".git") or not os.path.isdir(inner):
            continue
        if entry.startswith(".") and depth == 0 and len(entry) < 2:
            continue
        _search(host, inner, depth + 1, found, seen, entry)


_LAYOUT = re.compile(
    r".*?(/etc/sv|/etc/runit/sv|/usr/share/runit/sv|/var/service|/etc/service|/usr/local/etc/sv|/opt/[^/]+/sv)(/[^/]+)$"
)


def _place(host: Host, outer: str, name: str) -> _Place:
    inside = host.inner(outer)
    match = _LAYOUT.match(inside)
    if host.root or (match and inside == match.group(1) + match.group(2)):
        # Files below a root, or at a known place of this very host: what is not there is known not to be there.
        return _Place(name, outer, inside, True, links_to(outer, host))
    if match:
        return _Place(name, outer, match.group(1) + match.group(2), False)
    return _Place(name, outer, "/etc/sv/" + name, False, assumed=True)


class Scanner(t.NamedTuple):
    """A process that keeps a supervisor for each service directory of a directory."""

    pid: int
    uid: int
    directory: str


def running_scanners(proc: str = "/proc") -> list[Scanner]:
    """All that run and see the same file system as this process."""
    try:
        mine = os.stat(f"{proc}/self/root/")
    except OSError:
        return []
    found = []
    for number in sorted(int(name) for name in listed(proc) if name.isdigit()):
        base = f"{proc}/{number}"
        try:
            with open(f"{base}/comm", "rb") as stream:
                if stream.read().strip() not in (b"runsvdir", b"svscan"):
                    continue
            with open(f"{base}/cmdline", "rb") as stream:
                words = stream.read().split(b"\0")[1:]
            its = os.stat(f"{base}/root/")
            uid = os.stat(base).st_uid
            cwd = os.readlink(f"{base}/cwd")
        except OSError:
            # It ended, or is none of ours to look at.
            continue
        if (its.st_dev, its.st_ino) != (mine.st_dev, mine.st_ino):
            continue
        names = [os.fsdecode(word) for word in words if word and not word.startswith(b"-")]
        found.append(Scanner(number, uid, os.path.normpath(os.path.join(cwd, names[0] if names else "."))))
    return found


def scanned_elsewhere(scanners: t.Iterable[Scanner]) -> list[str]:
    """The directories that are looked at for the host and are no usual place.

    Those of users are left out, whose services are not the host's.
    """
    return list(dict.fromkeys(one.directory for one in scanners if one.uid == 0 and one.directory not in _SCANNED))


def links_to(outer: str, host: Host | None = None, more: t.Sequence[str] = ()) -> list[str]:
    """The entries of scanned directories that lead to a service directory, its links resolved.

    :param more: directories to look at beside the usual ones.
    """
    host = host or Host()
    directories = [found for pattern in _SCANNED for found in glob.glob(host.root + pattern)]
    directories += [host.root + one for one in more]
    return [host.inner(link) for directory in directories for link in links_in(directory, outer)]


def in_scanned_directory(path: str) -> str:
    """Why a service directory that no link leads to cannot be taken from its supervisor, and what to do."""
    return (
        f"{path} is a service directory in the scanned directory itself, not a link, so it cannot be taken out of there without "
        "moving it; move it elsewhere (such as /etc/sv) and link it"
    )


def links_in(directory: str, outer: str) -> list[str]:
    """The entries of one scanned directory that lead to a service directory, its links resolved."""
    links = [os.path.join(directory, entry) for entry in listed(directory) if not entry.startswith(".")]
    return [link for link in links if os.path.realpath(link) == outer]


def _service(host: Host, place: _Place, source: str, users: Users, programs: dict[str, str]) -> Raw:
    reading = Reading(host, place.live)
    problems = reading.problems
    files: list[File] = []
    if place.only_run:
        files.append(reading.file(place.only_run, "run", secret=False))
    else:
        _read(reading, place.way, "", files)
        _name_variables(reading, place.way, files)
    raw: Raw = {
        "name": place.name,
        "source": source,
        "path": place.path,
        "live": place.live,
        "links": place.links,
        "files": files,
        "state": _state(place, files),
    }
    if place.path in place.links:
        raw["fixed"] = in_scanned_directory(place.path)
    if place.assumed:
        raw["assumed_path"] = True
    if place.live:
        add_facts(raw, reading, users, programs)
    if problems:
        raw["problems"] = problems
    return raw


def _read(reading: Reading, outer: str, relative: str, files: list[File], depth: int = 0) -> None:
    host, problems = reading.host, reading.problems
    for name in reading.names(outer):
        if name in _SKIPPED:
            continue
        where = os.path.join(outer, name)
        inner = relative + "/" + name if relative else name
        if len(files) >= MOST_FILES:
            problems.append(f"more than {MOST_FILES} files in the service directory; the rest was not read")
            return
        real = host.outer(host.inner(where))
        try:
            info = os.lstat(host.outer(host.inner(outer)) + "/" + name)
            target = os.readlink(host.outer(host.inner(outer)) + "/" + name) if stat.S_ISLNK(info.st_mode) else ""
        except OSError as error:
            problems.append(f"{inner}: {error.strerror}")
            continue
        if stat.S_ISLNK(info.st_mode):
            if os.path.isdir(real) and depth < 3:
                if name in ("log", "env", "control", "conf"):
                    _read(reading, where, inner, files, depth + 1)
                else:
                    files.append({"path": inner, "type": "link", "target": target})
            elif os.path.isfile(real):
                one = reading.file(where, inner, not _TRANSLATED.match(inner))
                one["type"], one["target"] = "link", target
                files.append(one)
            else:
                files.append({"path": inner, "type": "link", "target": target})
        elif stat.S_ISDIR(info.st_mode):
            if depth < 3:
                files.append({"path": inner, "type": "directory", "mode": f"{stat.S_IMODE(info.st_mode):04o}"})
                _read(reading, where, inner, files, depth + 1)
        elif stat.S_ISREG(info.st_mode):
            files.append(reading.file(where, inner, not _TRANSLATED.match(inner)))
        else:
            kind = "fifo" if stat.S_ISFIFO(info.st_mode) else "socket" if stat.S_ISSOCK(info.st_mode) else "device"
            files.append({"path": inner, "type": kind, "mode": f"{stat.S_IMODE(info.st_mode):04o}"})


def _name_variables(reading: Reading, outer: str, files: t.Sequence[File]) -> None:
    """The names of variables of files that stay here, of those alone that a script sources: another's line may be a secret."""
    scripts = [content_of(one) for one in files if one.get("content") and _TRANSLATED.match(one["path"])]
    sourced = {os.fsdecode(name) for text in scripts for name in SOURCED_NEAR.findall(text)}
    # Also by its whole path.
    sourced |= {os.path.basename(os.fsdecode(path)) for text in scripts for path in SOURCED.findall(text)}
    for one in files:
        if one.get("private") and "content" not in one and one["path"] in sourced:
            reading.add_names(one, os.path.join(outer, one["path"]))


def _state(place: _Place, files: t.Sequence[File]) -> State:
    """What supervise/status says, and whether the service is linked and has a down file."""
    down = any(one["path"] == "down" for one in files)
    state: State = {
        "enabled": bool(place.links),
        "down": down,
        "running": False,
        "wanted": None,
        "pid": None,
    }
    status = read_status(os.path.join(place.outer, "supervise", "status"))
    if status is not None:
        state.update(status)
        state["once"] = bool(state["running"] and state["wanted"] == "down")
    return state


def _see(service: Raw, place: _Place, scanned: t.Container[str]) -> None:
    """Correct the state by what can be seen on this very host: who supervises, and which directories are looked at.

    A status outlives a supervisor that was killed, and packages put links where another supervisor would look.
    """
    state = service["state"]
    supervised = is_supervised(place.outer)
    if supervised is False:
        state.update({"running": False, "pid": None, "wanted": None, "once": False})
        if scanned and not any(os.path.dirname(link) in scanned for link in place.links):
            state["enabled"] = False


def is_supervised(path: str) -> bool | None:
    """Whether a runsv or supervise has a service directory: it alone has this fifo open for reading. None if that cannot be seen."""
    return opens_for_reading(f"{path}/supervise/ok")


def read_status(path: str) -> State | None:
    """The 20 bytes (daemontools: 18) that runsv keeps of a service; None where there are none.

    :returns: `running`, `pid` (None when down), `wanted` (up or down), `paused`, `since` (seconds of the epoch).
    """
    try:
        content = read_file(os.path.abspath(path), 64)
    except OSError:
        return None
    data = b"" if content is None or content.data is None else content.data
    if len(data) not in (18, 20):
        return None
    pid = int.from_bytes(data[12:16], "little")
    # TAI64: seconds since 1970 in TAI, offset by 2**62; TAI was ten seconds ahead then.
    since = int.from_bytes(data[0:8], "big") - (1 << 62) - 10
    wanted = {b"u": "up", b"d": "down"}.get(data[17:18])
    running = pid != 0
    if len(data) == 20:
        running = data[19] == 1
    return {"running": running, "pid": pid or None, "wanted": wanted, "paused": bool(data[16]), "since": max(since, 0)}
