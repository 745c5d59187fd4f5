# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systemd's manager as typed Python (org.freedesktop.systemd1(5)), many units at a time."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import (
    Call,
    Connection,
    connect,
    get_property,
)
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusTimeout, BusUnreachable, CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import find_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import link_directories
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path

BUS_NAME = "org.freedesktop.systemd1"
MANAGER_PATH = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
UNIT = "org.freedesktop.systemd1.Unit"

_DENIED = (
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
    "org.freedesktop.DBus.Error.AuthFailed",
    "org.freedesktop.PolicyKit1.Error.Failed",
)


class UnitStatus(t.NamedTuple):
    """One row of ListUnits: what a loaded unit is doing now."""

    id: str
    description: str
    load_state: str
    active_state: str
    sub_state: str
    following: str
    path: str
    job_id: int
    job_type: str
    job_path: str


class Job(t.NamedTuple):
    """A job in systemd's queue: its number and path, the unit, and its type as systemd spells it."""

    id: int
    path: str
    unit: str
    type: str


class LinkChange(t.NamedTuple):
    """One change that enabling and its kin made: `symlink` or `unlink`, the link's path, what it points to."""

    type: str
    path: str
    target: str


class NotPermitted(SystemdError):
    """Systemd or polkit refused this user."""


def explain(error: CallFailed, doing: str) -> SystemdError:
    """Turn a D-Bus error into one for users; `doing` says what was tried ("start nginx.service")."""
    if error.name in _DENIED:
        return NotPermitted(
            f"not permitted to {doing}: {error.text}; this needs root, so add `become: true` to the task or play",
            dbus_error=error.name,
        )
    return SystemdError(f"cannot {doing}: {error.text or error.name}", dbus_error=error.name)


# Seconds that the new process may take until it answers, after daemon-reexec.
_NEW_PROCESS = 30.0
_NO_METHOD = "org.freedesktop.DBus.Error.UnknownMethod"

# Job type -> the Manager's method that makes it and waits for nothing.
_JOB_METHODS = {
    "start": "StartUnit",
    "stop": "StopUnit",
    "restart": "RestartUnit",
    "reload": "ReloadUnit",
    "try-restart": "TryRestartUnit",
    "reload-or-restart": "ReloadOrRestartUnit",
    "reload-or-try-restart": "ReloadOrTryRestartUnit",
}


class Manager:
    """A connection to one service manager, the system's or a user's.

    Every method that names several units asks for all of them in one round trip.
    """

    offline = False

    def __init__(self, connection: Connection, scope: str = "system", uid: int | None = None) -> None:
        self.connection = connection
        self.scope = scope
        self.uid = uid
        self._removed: list[t.Any] | None = None
        # How to connect anew, should the manager be replaced by a new process of its own (daemon-reexec) meanwhile.
        self.connect_again: t.Callable[[], Manager] | None = None

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *exc: object) -> None:
        self.connection.close()

    # -- asking

    def call(self, member: str, signature: str = "", *body: t.Any, doing: str = "", timeout: float = 90.0) -> t.Any:
        """Call a method of the Manager interface; returns the reply's body.

        :param doing: what a user would call it, for the error ("reload unit files").
        """
        try:
            return self.connection.call(
                Call(MANAGER_PATH, MANAGER, member, signature, body), time.monotonic() + timeout
            )
        except CallFailed as e:
            raise explain(e, doing or f"call {member}") from e

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        """The state of each named unit, in this order; a unit that does not exist has LoadState `not-found`.

        Names must be complete and neither templates nor patterns: one of these would fail the whole call.
        """
        if not names:
            return []
        rows = self.call("ListUnitsByNames", "as", list(names), doing="read the state of units")[0]
        return [UnitStatus._make(row) for row in rows]

    def list_units(self, patterns: t.Sequence[str] = (), states: t.Sequence[str] = ()) -> list[UnitStatus]:
        """All units in memory that match one of the patterns (all without any) and one of the states."""
        rows = self.call("ListUnitsByPatterns", "asas", list(states), list(patterns), doing="list units")[0]
        return [UnitStatus._make(row) for row in rows]

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        """UnitFileState of each name, read from the links on disk; an empty string where there is no unit file.

        Unlike the property of a loaded unit, which keeps its first answer until a reload, this is always fresh.
        """
        calls = [Call(MANAGER_PATH, MANAGER, "GetUnitFileState", "s", (name,)) for name in names]
        states = []
        for name, reply in zip(names, self.connection.call_many(calls)):
            if not isinstance(reply, CallFailed):
                states.append(reply[0])
            elif reply.name in _DENIED:
                raise explain(reply, f"read the unit file state of {name}")
            else:
                states.append("")
        return states

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        """Values of `(object path, interface, property)`, in order, pipelined; None where there is no such property."""
        replies = self.connection.call_many([get_property(*item) for item in wanted])
        return [None if isinstance(reply, CallFailed) else reply[0][1] for reply in replies]

    def all_properties(self, wanted: t.Sequence[tuple[str, str]]) -> list[dict[str, t.Any]]:
        """All properties of each `(object path, interface)`; dear (milliseconds each), so only where all are wanted."""
        calls = [Call(path, "org.freedesktop.DBus.Properties", "GetAll", "s", (face,)) for path, face in wanted]
        return [
            {} if isinstance(reply, CallFailed) else {key: value[1] for key, value in reply[0].items()}
            for reply in self.connection.call_many(calls)
        ]

    def manager_property(self, name: str) -> t.Any:
        """One property of the manager itself; None where this version has no such property."""
        return self.properties([(MANAGER_PATH, MANAGER, name)])[0]

    def presets(self, names: t.Sequence[str]) -> list[str]:
        """What the host's presets say of each unit: `enabled`, `disabled`, or empty where it has no unit file."""
        return [value or "" for value in self.properties([(object_path(n), UNIT, "UnitFilePreset") for n in names])]

    def unit_path(self) -> list[str]:
        """The directories of unit files, the first one winning."""
        return list(self.manager_property("UnitPath") or ())

    def link_directories(self) -> list[str]:
        """Where enabling and masking make links: for good, and until the reboot."""
        home = find_user(str(self.uid))[1] if self.uid is not None else ""
        return link_directories(self.scope, home, self.uid or 0)

    def manager_properties(self, names: t.Sequence[str]) -> list[t.Any]:
        """Properties of the manager itself, in order; None where this version has no such property."""
        return self.properties([(MANAGER_PATH, MANAGER, name) for name in names])

    def set_manager_property(self, name: str, value: str) -> None:
        """Set a property of the manager that is a string."""
        call = Call(MANAGER_PATH, "org.freedesktop.DBus.Properties", "Set", "ssv", (MANAGER, name, ("s", value)))
        try:
            self.connection.call(call)
        except CallFailed as e:
            raise explain(e, f"set {name} to {value}") from e

    def environment(self) -> dict[str, str]:
        """The variables that the manager gives to every process it starts."""
        return dict(item.partition("=")[::2] for item in self.manager_property("Environment") or ())

    def change_environment(self, unset: t.Sequence[str], assign: dict[str, str]) -> None:
        """Unset and set variables of the manager's environment."""
        pairs = [f"{name}={value}" for name, value in assign.items()]
        self.call("UnsetAndSetEnvironment", "asas", list(unset), pairs, doing="change the manager's environment")

    def default_target(self) -> str:
        """The unit that is booted into; empty where none is set."""
        try:
            return str(self.connection.call(Call(MANAGER_PATH, MANAGER, "GetDefaultTarget"))[0])
        except CallFailed:
            return ""

    def set_default_target(self, name: str) -> list[LinkChange]:
        """Set the unit that is booted into. Does not reload."""
        return _changes(self.call("SetDefaultTarget", "sb", name, True, doing=f"set the default target to {name}")[0])

    def any_stale(self) -> bool:
        """Whether the files of any loaded unit changed since systemd read them."""
        paths = [(status.path, UNIT, "NeedDaemonReload") for status in self.list_units()]
        return any(self.properties(paths))

    def list_jobs(self) -> list[dict[str, t.Any]]:
        """The queue of jobs: `id`, `unit`, `type` and `state` of each."""
        rows = self.call("ListJobs", doing="list jobs")[0]
        return [{"id": row[0], "unit": row[1], "type": row[2], "state": row[3]} for row in rows]

    # -- jobs

    def watch_jobs(self) -> None:
        """Begin to note which jobs end; must come before the jobs, which may end before their call is answered."""
        if self._removed is not None:
            return
        self._removed = self.connection.want("JobRemoved")
        if self.connection.is_bus:
            rule = f"type='signal',sender='{BUS_NAME}',path='{MANAGER_PATH}',interface='{MANAGER}',member='JobRemoved'"
            add = Call("/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", (rule,))
            for reply in self.connection.call_many([add, Call(MANAGER_PATH, MANAGER, "Subscribe")]):
                if isinstance(reply, CallFailed) and not reply.name.endswith(".AlreadySubscribed"):
                    raise explain(reply, "follow systemd's jobs")

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Job | CallFailed]:
        """Enqueue `(unit, job type)` all together; in order, each job or why systemd refused it."""
        self.watch_jobs()
        replies = self.connection.call_many([_job_call(name, kind, mode, True) for name, kind in wanted])
        # Before systemd 249 there is no such method.
        old = [at for at, reply in enumerate(replies) if isinstance(reply, CallFailed) and reply.name == _NO_METHOD]
        if old:
            calls = [_job_call(*wanted[at], mode, False) for at in old]
            for at, reply in zip(old, self.connection.call_many(calls)):
                replies[at] = reply
        jobs: list[Job | CallFailed] = []
        for (name, kind), reply in zip(wanted, replies):
            if isinstance(reply, CallFailed):
                jobs.append(reply)
            else:
                jobs.append(Job(int(reply[0].rpartition("/")[2]), reply[0], name, kind))
        return jobs

    def watch_unit(self, name: str) -> list[t.Any]:
        """Begin to note what changes of a unit: returns the list that `(path, body)` of PropertiesChanged are added to.

        On the private socket those of other units are among them.
        """
        changes = self.connection.want("PropertiesChanged")
        if self.connection.is_bus:
            rule = (
                f"type='signal',sender='{BUS_NAME}',path='{object_path(name)}',"
                "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'"
            )
            try:
                self.connection.call(Call("/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", (rule,)))
            except CallFailed as e:
                raise explain(e, f"follow {name}") from e
        return changes

    def start_transient(
        self, name: str, properties: t.Sequence[t.Any], others: t.Sequence[tuple[str, t.Sequence[t.Any]]] = ()
    ) -> Job:
        """Make a transient unit and enqueue its start.

        :param properties: `(property, (signature, value))`; a value of signature `h` is a file descriptor.
        :param others: units to be made beside it, such as the service of a timer, with their properties.
        :raises CallFailed: systemd refused; nothing has been started.
        """
        self.watch_jobs()
        body = (name, "fail", list(properties), [(other, list(values)) for other, values in others])
        call = Call(MANAGER_PATH, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", body)
        passes = any(value[0] == "h" for _name, value in properties)
        path = (self.connection.call_with_fds(call) if passes else self.connection.call(call))[0]
        return Job(int(path.rpartition("/")[2]), path, name, "start")

    def wait_for_jobs(self, jobs: t.Sequence[Job], deadline: float) -> dict[int, str]:
        """Wait until all jobs ended or the deadline passed; job number -> result (`done`, `failed`, `timeout`, ...).

        A job that has not ended by then is missing from the answer; it goes on in systemd.

        :param deadline: on the clock of `time.monotonic()`.
        """
        self.watch_jobs()
        pending = {job.id for job in jobs}
        results: dict[int, str] = {}

        def all_ended() -> bool:
            for _path, (number, _object, _unit, result) in self._removed or ():
                if number in pending:
                    pending.discard(number)
                    results[number] = result
            del (self._removed or [])[:]
            return not pending

        while True:
            try:
                self.connection.wait(all_ended, deadline, "the end of the jobs")
            except BusTimeout:
                pass
            except BusUnreachable:
                self._reconnect(deadline)
                # Jobs outlive that, with their numbers. How those ended that are gone now, their units tell.
                for number in pending - {job["id"] for job in self.list_jobs()}:
                    pending.discard(number)
                    results[number] = "done"
                continue
            return results

    def take_over(self, other: Manager) -> None:
        """Go on over another's connection, to the process that took the manager's place; jobs are followed anew there."""
        self.connection.close()
        self.connection = other.connection
        self._removed = None

    def _reconnect(self, deadline: float) -> None:
        """Connect to the process that took the manager's place, and follow its jobs.

        :raises BusUnreachable: it does not answer.
        """
        deadline = min(deadline, time.monotonic() + _NEW_PROCESS)
        self.connection.close()
        while True:
            try:
                if self.connect_again is None:
                    raise BusUnreachable("systemd closed the connection")
                self.take_over(self.connect_again())
                self.watch_jobs()
                return
            except (BusUnreachable, BusTimeout) as e:
                if self.connect_again is None or time.monotonic() > deadline:
                    raise BusUnreachable(
                        f"systemd closed the connection while jobs were awaited, and does not answer any more ({e.msg}); "
                        "the jobs may go on, so run the task again"
                    ) from e
            time.sleep(0.1)

    def reset_failed(self, names: t.Sequence[str]) -> None:
        """Clear the `failed` state and the restart counters of the units."""
        calls = [Call(MANAGER_PATH, MANAGER, "ResetFailedUnit", "s", (name,)) for name in names]
        for name, reply in zip(names, self.connection.call_many(calls)):
            if isinstance(reply, CallFailed) and not reply.name.endswith(".NoSuchUnit"):
                raise explain(reply, f"reset the failed state of {name}")

    def set_properties(
        self, wanted: t.Sequence[tuple[str, t.Sequence[tuple[str, tuple[str, t.Any]]]]], runtime: bool
    ) -> list[CallFailed | None]:
        """SetUnitProperties of `(unit, [(property, (signature, value)), ...])`, pipelined; in order, None or why not.

        Systemd checks all properties of a unit before it sets the first. It writes a drop-in for each of them.

        :param runtime: whether the drop-ins are gone after the next boot.
        """
        calls = [
            Call(MANAGER_PATH, MANAGER, "SetUnitProperties", "sba(sv)", (name, runtime, list(properties)))
            for name, properties in wanted
        ]
        return [reply if isinstance(reply, CallFailed) else None for reply in self.connection.call_many(calls)]

    # -- unit files

    def reload(self, timeout: float = 300.0) -> None:
        """daemon-reload; systemd answers only when it is done, which takes tens of seconds on the largest hosts."""
        self.call("Reload", doing="reload systemd's unit files (daemon-reload)", timeout=timeout)

    def enable(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        """Make the links that the units' [Install] sections ask for. Does not reload."""
        doing = f"enable {_short(names)}"
        return _changes(self.call("EnableUnitFiles", "asbb", list(names), runtime, force, doing=doing)[1])

    def disable(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        """Remove the links to the units. Does not reload."""
        doing = f"disable {_short(names)}"
        return _changes(self.call("DisableUnitFiles", "asb", list(names), runtime, doing=doing)[0])

    def mask(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        """Link the units to /dev/null. Does not reload."""
        doing = f"mask {_short(names)}"
        return _changes(self.call("MaskUnitFiles", "asbb", list(names), runtime, force, doing=doing)[0])

    def unmask(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        """Remove the units' links to /dev/null. Does not reload."""
        doing = f"unmask {_short(names)}"
        return _changes(self.call("UnmaskUnitFiles", "asb", list(names), runtime, doing=doing)[0])

    def preset(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        """Enable or disable as the host's preset files say. Does not reload."""
        doing = f"apply presets to {_short(names)}"
        return _changes(self.call("PresetUnitFiles", "asbb", list(names), runtime, force, doing=doing)[1])


def _job_call(name: str, kind: str, mode: str, flags: bool) -> Call:
    """The call that makes a job. Of StartUnitWithFlags the result says `skipped` where a condition is not met; StartUnit's
    says `done`."""
    if kind == "start" and flags:
        return Call(MANAGER_PATH, MANAGER, "StartUnitWithFlags", "sst", (name, mode, 0))
    return Call(MANAGER_PATH, MANAGER, _JOB_METHODS[kind], "ss", (name, mode))


def _short(names: t.Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _changes(rows: t.Iterable[t.Any]) -> list[LinkChange]:
    return [LinkChange._make(row) for row in rows if row[0] in ("symlink", "unlink")]


def find_user(user: str | None) -> tuple[int, str]:
    """User id and home directory of a user by name or number, of the effective user for None.

    :raises BadInput: there is no such user.
    """
    account = find_account(user)
    return account.uid, account.home


def open_on_bus(scope: str, user: str | None, jeepney: t.Callable[[], tuple[t.Any, t.Any]]) -> Manager:
    """Connect for what needs file descriptors to be passed, and rather over a bus.

    Only a client that has a name on a bus can keep a unit from being forgotten when it has ended (`AddRef`). Where there
    is no bus, the private socket has to do; `connection.is_bus` tells.

    :raises SystemdError: no manager can be reached, as for `open_manager`.
    """
    me = os.geteuid()
    if scope == "user":
        uid = find_user(user)[0]
        path = f"/run/user/{uid}/bus"
    else:
        uid, path = me, "/run/dbus/system_bus_socket"
    if me in (0, uid):
        low_level, auth = jeepney()
        private = f"/run/user/{uid}/systemd/private" if scope == "user" else "/run/systemd/private"
        for socket, name in ((path, BUS_NAME), (private, None)):
            try:
                # A user's own bus lets in nobody else, not even root.
                if uid != me:
                    os.seteuid(uid)
                try:
                    connection = connect(socket, low_level, auth, name, with_fds=True)
                finally:
                    if uid != me:
                        os.seteuid(me)
            except BusUnreachable:
                continue
            if connection.takes_fds and _answers(connection):
                return Manager(connection, scope, uid if scope == "user" else None)
            connection.close()
    return open_manager(scope, user, jeepney)


def _answers(connection: Connection) -> bool:
    """Whether systemd is at the other end; a bus may be there without it."""
    try:
        connection.call(get_property(MANAGER_PATH, MANAGER, "Version"))
    except (BusUnreachable, CallFailed):
        return False
    return True


def open_manager(scope: str, user: str | None, jeepney: t.Callable[[], tuple[t.Any, t.Any]]) -> Manager:
    """Connect to the system's manager, or to a user's.

    :param scope: `system` or `user`.
    :param user: whose manager, for scope `user`; None for the effective user's own.
    :param jeepney: returns the modules `jeepney.low_level` and `jeepney.auth`.
    :raises SystemdError: no manager can be reached, with why and what to do. A private socket that is there but does not
        answer ends it, since the same process is behind the bus.
    """
    me = os.geteuid()
    if scope == "system":
        if not os.path.isdir("/run/systemd/system"):
            raise SystemdError(
                "systemd is not running as the init system (PID 1) of this host, so there is no manager to ask; "
                "for image builds and chroots give the tree in `root`"
            )
        low_level, auth = jeepney()
        failed = None
        if me == 0:
            try:
                return Manager(connect("/run/systemd/private", low_level, auth))
            except BusUnreachable as e:
                failed = e
        address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "")
        bus = address[len("unix:path=") :].partition(",")[0] if address.startswith("unix:path=") else ""
        try:
            return Manager(connect(bus or "/run/dbus/system_bus_socket", low_level, auth, BUS_NAME))
        except BusUnreachable as e:
            why = f"{failed.msg}; {e.msg}" if failed else e.msg
            hint = "" if me == 0 else "; with `become: true` systemd's private socket is used and no bus is needed"
            raise BusUnreachable(f"cannot reach systemd: {why}{hint}") from e
    uid, _home = find_user(user)
    who = user or str(uid)
    if me not in (0, uid):
        raise NotPermitted(
            f"user: only root or {who} may talk to the service manager of {who}; add `become: true` to the task"
        )
    runtime = f"/run/user/{uid}"
    low_level, auth = jeepney()
    try:
        return Manager(connect(f"{runtime}/systemd/private", low_level, auth), "user", uid)
    except BusUnreachable as e:
        failed = e
    if me == uid:
        try:
            return Manager(connect(f"{runtime}/bus", low_level, auth, BUS_NAME), "user", uid)
        except BusUnreachable:
            pass
    raise BusUnreachable(
        f"the service manager of user {who} is not running ({failed.msg}); it runs while the user is logged in, "
        f"or always after `loginctl enable-linger {who}`"
    ) from failed
