# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What units that run are restarted and reloaded for (`restart_on`, `reload_on`): what it is, and whether they have read it."""

from __future__ import annotations

import errno
import os
import stat
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, become_hint, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import LINKS

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import UnitEntry

# The options, for the argument specs of modules.
TRIGGER_ARGUMENTS: dict[str, t.Any] = {
    "restart_on": {"type": "list", "elements": "str", "default": []},
    "reload_on": {"type": "list", "elements": "str", "default": []},
}
# What is needed -> the state of a unit that shall run, and that of one that may be down.
STATES = {
    "restart": ("restarted", "try_restarted"),
    "reload": ("reloaded", "reloaded"),
    "reload_or_restart": ("reload_or_restarted", "try_reload_or_restarted"),
}
# Directives by which systemd restarts a unit for nobody but other units (bus_unit_queue_job() of systemd).
REFUSALS = ("RefuseManualStart", "RefuseManualStop")
# Bytes of a file that a unit is restarted for, at most.
_LARGEST = 64 << 20
_ABSENT = b"\0absent"


# What the sources begin with that are texts; all others are paths.
_TEXT = "text "


class Source(t.NamedTuple):
    """Something that a unit reads when it is started, or when it reads its configuration.

    :param digest: of what it is once the task's files are written.
    :param wrote: whether this task makes it another.
    :param changed: when it was changed last, in seconds since the epoch, and when its content was; None for a text.
    """

    digest: str
    wrote: bool = False
    changed: tuple[float, float] | None = None


class Need(t.NamedTuple):
    """What a unit that runs needs because of what has changed: `restart`, `reload`, `reload_or_restart` or nothing; and why.

    `passed` are sources that are new to it and that nothing is done about; `option` is the one that asks for the action.
    """

    action: str
    why: tuple[str, ...]
    passed: tuple[str, ...] = ()
    option: str = ""


def changed_sources(
    sources: t.Mapping[str, Source], known: t.Mapping[str, str], since: float | None
) -> list[str]:
    """The sources that a unit that runs has not read as they will be.

    :param known: source -> digest, as the unit read it last, as far as that is known.
    :param since: when it was started, in seconds since the epoch; None where nobody knows.
    """
    found = []
    # Texts are a set: one that takes the place of another is a change, one that is only added or left out is none.
    replaces = any(name.startswith(_TEXT) and name not in sources for name in known)
    for name, source in sources.items():
        if source.wrote:
            found.append(name)
        elif name.startswith(_TEXT):
            found += [name] if replaces and name not in known else []
        elif name not in known:
            # Not recorded yet: it is newer than the unit, or the unit has it.
            new = source.changed is not None and since is not None and since < source.changed[1]
            found += [name] if new else []
        elif known[name] != source.digest:
            # Somebody may have started the unit since.
            new = source.changed is None or since is None or since < source.changed[0]
            found += [name] if new else []
    return found


def text_source(digest: str) -> tuple[str, Source]:
    """A text as a source: its name, which tells it from others, and itself."""
    return f"{_TEXT}{digest}", Source(digest)


def since_when(told: int | None, ticks: int | None, now: float, monotonic: float) -> float:
    """When something was, in seconds since the epoch, by the clock that can be set and by the other one.

    Where the clock has been set since, or the host slept, the two differ, and times of files may be of before or of after that.
    The earlier one loses no change; the later one would.

    :param told: microseconds of the clock; `ticks` microseconds of the monotonic one.
    :param now: the clock now, in seconds; `monotonic` the other one now.
    """
    return min((told or 0) / 1e6, (ticks or 0) / 1e6 + now - monotonic)


def questionable(sources: t.Mapping[str, Source], known: t.Mapping[str, str]) -> bool:
    """Whether it depends on when the unit was started what `changed_sources` finds."""
    return any(
        not source.wrote and source.changed is not None and known.get(name) != source.digest
        for name, source in sources.items()
    )


def need_of(
    on_change: str,
    files: t.Sequence[str],
    restart_on: t.Mapping[str, Source],
    reload_on: t.Mapping[str, Source],
    entry: UnitEntry | None,
    since: float | None,
) -> Need:
    """What a unit that runs needs.

    :param files: files of the unit that are new to it, and those that are removed.
    :param restart_on: what the options name; so `reload_on`.
    :param entry: what is known of what it has read.
    :param since: when it was started, in seconds since the epoch; None where nobody knows.
    """
    restarts = changed_sources(restart_on, entry["loaded"] if entry else {}, since)
    reloads = changed_sources(reload_on, entry["reloaded"] if entry else {}, since)
    acts = list(files) if on_change != "nothing" else []
    passed = tuple(files) if on_change == "nothing" else ()
    why = tuple(dict.fromkeys([*(_told(n, "restart_on") for n in restarts), *acts, *(_told(n, "reload_on") for n in reloads)]))
    if restarts or (acts and on_change == "restart"):
        return Need("restart", why, passed, "on_change" if acts and on_change == "restart" else "restart_on")
    if acts and on_change == "reload_or_restart":
        return Need("reload_or_restart", why, passed, "on_change")
    if acts or reloads:
        return Need("reload", why, passed, "on_change" if acts else "reload_on")
    return Need("", (), passed)


def cannot_reload(where: str, need: Need, unit: str) -> BadInput:
    """The error for a unit that is to reload, and has no way to.

    :param where: stands before the names of options.
    """
    instead = "`reload_or_restart` or `restart`" if need.option == "on_change" else "`restart_on`"
    return BadInput(f"{where}{need.option}: {unit} has no way to reload (ExecReload=, or Type=notify-reload); use {instead}")


def cannot_restart(where: str, need: Need, unit: str) -> BadInput:
    """The error for a unit that is to be restarted, and refuses that; `where` as for `cannot_reload`."""
    return BadInput(
        f"{where}{need.option}: {unit} cannot be restarted by hand (RefuseManualStart=, RefuseManualStop=); {instead_of(need)}, and it has "
        "the change after the next boot"
    )


def instead_of(need: Need) -> str:
    """How to ask for no restart, in an error."""
    return "use `nothing`" if need.option == "on_change" else f"leave out `{need.option}`"


def _told(name: str, option: str) -> str:
    return name if name.startswith("/") else option


def read_after(
    sources: t.Mapping[str, Source], known: t.Mapping[str, str], reads: bool, passed: t.Container[str]
) -> dict[str, str]:
    """What a unit will have read when the task is done: source -> digest.

    :param reads: whether it is down, or reads all of it anew.
    :param passed: what it has not read, if it does not.
    """
    if reads:
        return {name: source.digest for name, source in sources.items()}
    return {
        name: (known[name] if name in passed else source.digest)
        for name, source in sources.items()
        if name not in passed or name in known
    }


def triggers_of(params: t.Mapping[str, t.Any], option: str, where: str, scope: str) -> list[str]:
    """The items of one of the options, checked.

    :param where: stands before the names of options in errors.
    :raises BadInput: one of them is none.
    """
    found = []
    for index, text in enumerate(params.get(option) or ()):
        at = f"{where}{option}[{index}]"
        if not text:
            raise BadInput(f"{at}: is empty; give the path of a file, or a text such as a version")
        found.append(path_of(text, at, scope) if text.startswith(("/", "~/")) else text)
    return found


def path_of(text: str, option: str, scope: str) -> str:
    """The path of a file as it is asked for: absolute, or in the home directory of the user whose units they are (`~/`).

    :raises BadInput: it is neither.
    """
    if not text.startswith("~/"):
        return _plain(check_directory(text, option))
    if scope != "user":
        raise BadInput(f"{option}: {shown(text)} is in a home directory, and scope `{scope}` has none; write the whole path")
    return f"~{_plain(check_directory(text[1:], option))}"


def _plain(path: str) -> str:
    """An absolute path in its only spelling, by which it is known to be the same one."""
    return f"/{'/'.join(part for part in path.split('/') if part not in ('', '.'))}"


def read_triggers(
    items: t.Sequence[str],
    option: str,
    home: str,
    root: str,
    digest: t.Callable[[bytes], str],
    look: t.Callable[[str, str], Source],
) -> dict[str, Source]:
    """What the items of an option are now, each by a name that tells it from others.

    :param digest: that of a text.
    :param look: looks at a file, by its path and the option that names it, for errors.
    """
    found: dict[str, Source] = {}
    for index, text in enumerate(items):
        if text.startswith(("/", "~/")):
            path = f"{home}{text[1:]}" if text.startswith("~") else f"{root}{text}"
            found[path] = look(path, f"{option}[{index}]")
        else:
            name, source = text_source(digest(text.encode("utf-8", "surrogatepass")))
            found[name] = source
    return found


def file_source(path: str, option: str, tree: Tree, digest: t.Callable[[bytes], str]) -> Source:
    """A file as it is; one that is not there is another one than any that is.

    :param option: what names it, for errors.
    :raises BadInput: it cannot be read.
    """
    try:
        content = tree.read(path, _LARGEST)
    except Unreadable as e:
        raise BadInput(f"{option}: {e.msg}{become_hint()}") from e
    return Source(no_file(digest) if content is None else digest(content), False, times_of(path))


def no_file(digest: t.Callable[[bytes], str]) -> str:
    """The digest of a file that is not there."""
    return digest(_ABSENT)


def times_of(path: str) -> tuple[float, float] | None:
    """When a file was changed last in any way, and when its content was, in seconds since the epoch; None where it is not there.

    A link on the way that leads elsewhere by now makes another file of it, too, however old that is: so releases are switched.
    """
    try:
        found = [os.stat(path), *_links_to(path)]
    except OSError:
        return None
    return (max(each.st_ctime for each in found), max(each.st_mtime for each in found))


def _links_to(path: str) -> t.Iterator[os.stat_result]:
    """The links on the way to a file, and that it is itself.

    :raises OSError: they lead nowhere.
    """
    at, rest = "/", path.split("/")[::-1]
    links = 0
    while rest:
        part = rest.pop()
        if part in ("", ".", ".."):
            at = os.path.dirname(at) if part == ".." else at
            continue
        below = os.path.join(at, part)
        status = os.lstat(below)
        if not stat.S_ISLNK(status.st_mode):
            at = below
            continue
        links += 1
        if links > LINKS:
            # Made a circle just now.
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        yield status
        target = os.readlink(below)
        at = "/" if target.startswith("/") else at
        rest += target.split("/")[::-1]


def started_when(manager: UnitManager, ids: t.Sequence[str]) -> dict[str, float]:
    """When units that run were started, in seconds since the epoch."""
    if not ids or not manager.runs:
        return {}
    keys = ("InactiveExitTimestamp", "InactiveExitTimestampMonotonic")
    times = iter(manager.properties([(object_path(name), UNIT, key) for name in ids for key in keys]))
    now, monotonic = time.time(), time.monotonic()
    return {name: since_when(told, ticks, now, monotonic) for name, told, ticks in zip(ids, times, times)}
