# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there before a plan: the drop-in, others of its marker, who reads them, and what is in force."""

from __future__ import annotations

import os
import stat
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import connect, get_property
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import acting_as, find_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.settings import kind_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import running
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import open_manager, system_bus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_active
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.marker import HEAD, marker_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.settings import SettingsFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.options import Asked

# Daemons that tell their settings on the bus, under the names of these: bus name, path, interface.
_TELLING = {
    "logind": ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"),
    "resolved": ("org.freedesktop.resolve1", "/org/freedesktop/resolve1", "org.freedesktop.resolve1.Manager"),
    "timesyncd": ("org.freedesktop.timesync1", "/org/freedesktop/timesync1", "org.freedesktop.timesync1.Manager"),
}
# What they call otherwise; and types of values that are no settings any more, such as addresses in bytes.
_BUS_NAMES = {"NTP": "SystemNTPServers", "FallbackNTP": "FallbackNTPServers"}
_PLAIN = (bool, int, str)
# Of these there are properties that tell something else.
_NOT_TOLD = ("DefaultEnvironment", "Environment")
# Read when they are needed, and by nobody who would have to be told.
_READ_WHEN_NEEDED = ("coredump", "sleep", "pstore")
# Their own way to reload has them read their configuration again, which that of others, such as networkd's, need not.
_RELOADS = ("journald", "logind")
# Device number of the kernel's log (Documentation/admin-guide/devices.txt).
_KMSG = os.makedev(1, 11)
# Seconds that one user's manager may take to answer.
_ANSWER = 5.0


class Reader(t.NamedTuple):
    """The service that reads a configuration, and how it is made to: `restart`, `reload` or `signal`; with an empty `unit`, nobody."""

    unit: str = ""
    how: str = ""


def reader_of(asked: Asked, manager: UnitManager) -> Reader:
    """The daemon that is up and has to be told, as far as there is one. Systemd's own managers are none."""
    if asked.of_managers or asked.base in _READ_WHEN_NEEDED or not manager.runs:
        return Reader()
    unit = f"systemd-{asked.name}.service"
    (status,) = manager.status([unit])
    if not is_active(status.active_state):
        return Reader()
    can_reload = manager.properties([(object_path(unit), UNIT, "CanReload")])[0]
    if asked.base in _RELOADS and can_reload:
        return Reader(status.id, "reload")
    return Reader(status.id, "signal" if asked.base == "logind" else "restart")


def present(asked: Asked, files: SettingsFiles, path: str) -> tuple[Saved | None, str]:
    """The drop-in as it is, and the target where it is a link; refuses what is no file of ours to replace."""
    target = files.tree.target(path)
    if target:
        if not asked.absent:
            raise BadInput(f"dropin: {path} is a link to {target}; remove the link first, with `state: absent`")
        return None, target
    status = files.tree.status(path, False)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise BadInput(f"dropin: {path} is a directory; remove it first")
    return Saved.of(path), ""


def to_purge(asked: Asked, files: SettingsFiles, path: str) -> dict[str, Saved]:
    """The other drop-ins in the same directory that were once written with this marker."""
    directory = os.path.dirname(path)
    found = {}
    for name in sorted(files.tree.names(directory)) if asked.purge else ():
        other = f"{directory}/{name}"
        if other == path or not name.endswith(".conf"):
            continue
        try:
            head = files.tree.read_file(other, HEAD, follow=False, head=True)
        except Unreadable:
            # A link, a directory or something else that this module did not write.
            continue
        if head is not None and marker_of(head[0], "configuration") == asked.marker:
            saved = Saved.of(other)
            if saved is not None:
                found[other] = saved
    return found


def has_kernel_log() -> bool:
    """Whether there is the kernel's log, in which the journal tells what it thinks of its own settings; most containers have none."""
    try:
        status = os.stat("/dev/kmsg")
    except OSError:
        return False
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == _KMSG


def last_changed(path: str) -> float:
    """When the drop-in was written or, where it is gone, when anything went from the nearest directory above it that there is.

    :return: seconds since 1970; 0 where it cannot be told.
    """
    while path not in ("", "/"):
        try:
            return os.stat(path).st_mtime
        except FileNotFoundError:
            path = os.path.dirname(path)
        except OSError:
            return 0.0
    return 0.0


class LastRead(t.NamedTuple):
    """When somebody last read its files, in seconds since 1970; if not `exact`, it may have read them again since."""

    at: float
    exact: bool

    def before(self, changed: float) -> bool:
        """Whether what was changed then has not been read yet, as far as the times tell."""
        # What is from the future tells nothing.
        return bool(self.at) and self.at < changed <= time.time()


def last_read(manager: UnitManager, reader: Reader | None = None) -> LastRead:
    """When a daemon last read its files; with no reader, the manager that is asked itself."""
    if reader is not None and reader.unit:
        # The signal leaves no trace; it was not before the start.
        since = "StateChangeTimestamp" if reader.how == "reload" else "ActiveEnterTimestamp"
        wanted = [(object_path(reader.unit), UNIT, name) for name in (since, f"{since}Monotonic")]
        return LastRead(_moment(*manager.properties(wanted)), reader.how != "signal")
    # The first two not before systemd 250. The others are of its start.
    names = [f"{name}{clock}" for name in ("UnitsLoadTimestamp", "UnitsLoadFinishTimestamp") for clock in ("", "Monotonic")]
    at, monotonic, start, start_monotonic = manager.manager_properties(names)
    return LastRead(_moment(at, monotonic), True) if at else LastRead(_moment(start, start_monotonic), False)


def _moment(at: int | None, monotonic: int | None) -> float:
    """The earlier one, which loses no change, should the clock have been set since, or the host have slept; 0 where it is not known."""
    return min(at / 1e6, (monotonic or 0) / 1e6 + time.time() - time.monotonic()) if at else 0.0


Meanings = t.Dict[t.Tuple[str, str], t.Any]


def unread(
    read: LastRead, changed: float, means: Meanings, values: Told, gone: bool = False
) -> Meanings:
    """The settings, by what they mean, that whoever reads them has not read yet, as far as that can be told.

    Where it is known when the files were last read, that decides, but not about what is in force already. Otherwise what is in
    force has to be known, and to be something else; so it has to where the drop-in is gone, as then only directories have a time.

    :param changed: when the drop-in was (`last_changed`).
    :param means: the settings that are looked at; None is what systemd has by default, which nobody knows here.
    :param values: what of them is in force (`told`).
    """
    if not read.before(changed):
        return {}
    found = {}
    for (section, key), meaning in means.items():
        now = None
        if key in values.get(section, {}):
            now = meaning_told(section, key, values[section][key], True)
        if now is None or meaning is None:
            late = read.exact and not gone
        else:
            # Users in lists of logind's have no order.
            late = set(now) != set(meaning) if isinstance(now, tuple) and section == "Login" else now != meaning
        if late:
            found[(section, key)] = meaning
    return found


def unread_by_users(changed: float, means: Meanings, deadline: float, gone: bool) -> Meanings:
    """What the managers of users that run have not read yet: `unread` of any of them. Each is asked as its user.

    What they answer are claims of users. One who lies has them all read their files once more, and no more than that; whoever does not
    answer is passed over.

    :param deadline: on the clock of `time.monotonic()`.
    """
    jeepney = import_jeepney()
    names, flat = _properties(means)
    found: Meanings = {}
    for uid in running():
        patience = min(_ANSWER, deadline - time.monotonic())
        if patience <= 0:
            break
        try:
            with acting_as(find_account(str(uid))), open_manager("user", str(uid), lambda: jeepney, patience) as manager:
                manager.connection.all_until = time.monotonic() + patience
                read = last_read(manager)
                if read.before(changed):
                    values = _sorted(names, manager.manager_properties(flat) if flat else [])
                    found.update(unread(read, changed, means, values, gone))
        except (SystemdError, TypeError, ValueError):
            continue
    return found


Told = t.Dict[str, t.Dict[str, t.Any]]


def told(asked: Asked, manager: UnitManager, wanted: t.Iterable[tuple[str, str]], reader: Reader) -> Told:
    """What is in force of some settings, as D-Bus tells it: section -> setting -> value, or values where several properties tell it."""
    names, flat = _properties(wanted)
    if not flat or not manager.runs:
        return {}
    if asked.base == "system" or asked.of_user:
        values = manager.manager_properties(flat)
    elif asked.base in _TELLING and reader.unit:
        values = _ask(_TELLING[asked.base], flat)
    else:
        return {}
    return _sorted(names, values)


def _properties(wanted: t.Iterable[tuple[str, str]]) -> tuple[dict[tuple[str, str], tuple[str, ...]], list[str]]:
    """The properties that tell settings: those of each, and all in one list."""
    names = {at: _names(*at) for at in wanted if not at[1].startswith("X-") and at[1] not in _NOT_TOLD}
    return names, [name for each in names.values() for name in each]


def _sorted(names: t.Mapping[tuple[str, str], tuple[str, ...]], values: t.Sequence[t.Any]) -> Told:
    """What `told` says, from the values of `_properties`."""
    rest = iter(values)
    found: Told = {}
    for (section, key), each in names.items():
        got = [next(rest) for _name in each]
        if all(value is not None for value in got):
            found.setdefault(section, {})[key] = got[0] if len(got) == 1 else tuple(got)
    return found


def _names(section: str, key: str) -> tuple[str, ...]:
    kind = kind_of(section, key)
    name = _BUS_NAMES.get(key, key)
    names = kind.bus_names(name) if kind is not None else (name,)
    return tuple(f"{each[:-3]}USec" if each.endswith("Sec") and each[-4:] not in ("NSec", "USec") else each for each in names)


def _ask(whom: tuple[str, str, str], names: t.Sequence[str]) -> list[t.Any]:
    """Properties of a daemon; None for what it does not tell."""
    service, path, face = whom
    low_level, auth = import_jeepney()
    try:
        where, peer = system_bus()
        with connect(where, low_level, auth, service, who=f"{service}, over the bus,", peer_uid=peer) as connection:
            replies = connection.call_many([get_property(path, face, name) for name in names])
    except (BusUnreachable, BusTimeout):
        # What is told is for people; without a bus there is nothing to tell.
        return [None] * len(names)
    return [None if isinstance(reply, CallFailed) else reply[0][1] for reply in replies]


def meaning_told(section: str, key: str, value: t.Any, lists: bool = False) -> t.Any:
    """What is in force, to be compared with what files mean; None where the two cannot be compared.

    :param lists: whether lists of texts are compared too, as logind's are; others may hold more in force than files say.
    """
    kind = kind_of(section, key)
    if kind is not None and kind.collects and lists and section == "Login" and isinstance(value, (list, tuple)):
        return tuple(value)
    if kind is None or kind.collects:
        return None
    try:
        return kind.from_bus(value)
    except (TypeError, ValueError, IndexError, BadInput):
        return None


def spelled(section: str, key: str, value: t.Any) -> str | None:
    """What is in force, in the spelling of configuration files; None for what has none."""
    meaning = meaning_told(section, key, value)
    kind = kind_of(section, key)
    if meaning is not None and kind is not None:
        words = "".join(kind.words(meaning))
        if words:
            return words
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and key.endswith("Sec"):
        return f"{value}ns" if key.endswith("NSec") else format_timespan(value).replace(" ", "")
    if isinstance(value, int) and value == INFINITY:
        return "infinity"
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value)) if all(isinstance(each, str) for each in value) else None
    return str(value) if isinstance(value, _PLAIN) else None
