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
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import (
    BadMessage,
    BusTimeout,
    BusUnreachable,
    CallFailed,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, become_hint, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import (
    ANSWERS,
    BUS_NAME,
    MANAGER,
    MANAGER_PATH,
    TYPES,
    UNIT,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange, link_directories
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued, Job, UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST

_DENIED = (
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
    "org.freedesktop.DBus.Error.AuthFailed",
    "org.freedesktop.PolicyKit1.Error.Failed",
)


class NotPermitted(SystemdError):
    """Systemd or polkit refused this user."""


def explain(error: CallFailed, doing: str) -> SystemdError:
    """Turn a D-Bus error into one for users; `doing` says what was tried ("start nginx.service")."""
    if error.name in _DENIED:
        return NotPermitted(
            f"not permitted to {doing}: {error.text}{become_hint()}",
            dbus_error=error.name,
        )
    return SystemdError(f"cannot {doing}: {error.text or error.name}", dbus_error=error.name)


# Seconds for connecting and for an answer where nobody says.
_PATIENCE = 90.0
# How often a question is asked, should systemd be replaced each time.
_TRIES = 5
# From as many units on, one look at all files costs less than what systemd takes for each of them.
_MANY = 10
# Seconds for a reload where nobody says: tens of them on the largest hosts, and generators have 90.
_RELOAD = 300.0
# Seconds for a bus's Hello, while a private socket may be tried instead; a bus answers that whatever systemd does.
_HELLO = 10.0
_NO_METHOD = "org.freedesktop.DBus.Error.UnknownMethod"
# How a bus says that who was asked left it without an answer, and that nobody was there to be asked.
_LEFT = ("org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected")
_ABSENT = ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner")

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

    Every method that names several units asks for all of them in one round trip. Where the manager was replaced by a new
    process of its own (daemon-reexec) meanwhile, a new connection is made. Questions are then asked again. Of a change it is
    not known whether it was made, unless the old connection had died before; that is a BusUnreachable, on a living connection.

    :param timeout: seconds that any answer may take; None where the user does not say, for what is usual.
    """

    offline = absent = False
    runs = has_files = True
    root = ""
    tree = HOST

    def __init__(
        self, connection: Connection, scope: str = "system", uid: int | None = None, timeout: float | None = None
    ) -> None:
        self.connection = connection
        self.scope = scope
        self.uid = uid
        self.timeout = timeout
        # How to connect anew within so many seconds, and how where whoever set it has no say in that.
        self.reopen: t.Callable[[float], Manager] | None = None
        self.connect_again: t.Callable[[], Manager] | None = None
        self._removed: list[t.Any] | None = None
        # When the jobs under way were enqueued, by number, on the clock of time.monotonic(). Whether some of them may
        # have ended without a word, as there was no connection, and how often systemd moved on the bus when that was seen.
        self._begun: dict[int, float] = {}
        self._missed = False
        self._moves = 0
        # Units whose changes are noted, with where; units that systemd is to remember as long as somebody is connected.
        self._watched: dict[str, list[t.Any]] = {}
        self._kept: dict[str, None] = {}
        self._adopt(connection)

    def _adopt(self, connection: Connection) -> None:
        self.connection = connection
        connection.known = {**connection.known, **ANSWERS}
        connection.property_types = TYPES
        if self.timeout is not None:
            connection.default_timeout = self.timeout

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *exc: object) -> None:
        self.connection.close()

    # -- asking

    def ask(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        """Calls that may be repeated, as they change nothing or to the same: bodies of replies, or CallFailed, in order.

        :param deadline: on the clock of `time.monotonic()`; by default as far away as the connection's default says.
        """
        return self._exchange(calls, deadline, repeat=True)

    def tell(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        """Calls that must not be made twice; the same otherwise.

        :raises BusUnreachable: systemd was replaced meanwhile, and it is not known whether they took place.
        """
        return self._exchange(calls, deadline, repeat=False)

    def _exchange(
        self, calls: t.Sequence[Call], deadline: float | None, repeat: bool, fds: bool = False
    ) -> list[t.Any]:
        if deadline is None:
            deadline = self.connection.end_of_call(time.monotonic())
        self._be_alive(deadline)
        for times in range(_TRIES):
            lost: SystemdError | None
            try:
                if fds:
                    return [self.connection.call_with_fds(calls[0], deadline)]
                replies = self.connection.call_many(calls, deadline)
                lost = next((r for r in replies if isinstance(r, CallFailed) and self._is_gone(r)), None)
            except CallFailed as e:
                if not self._is_gone(e):
                    raise
                lost = e
            except BusUnreachable as e:
                lost = e
            if lost is None:
                return replies
            if times < _TRIES - 1:
                self._renew(deadline)
            if not repeat:
                break
        what = f"{calls[0].member}{f' ({len(calls)} calls)' if len(calls) > 1 else ''}"
        raise BusUnreachable(
            f"{self.connection.who} was replaced by a new process (daemon-reexec) during {what}, so it is not known whether "
            "that took place; run the task again"
        ) from lost

    def _be_alive(self, deadline: float | None = None) -> None:
        """Connect anew where the connection is known to have died; nothing was sent yet, so it is not too late for any call."""
        if self.connection.is_dead():
            self._renew(self.connection.end_of_call(time.monotonic()) if deadline is None else deadline)

    def _is_gone(self, error: CallFailed) -> bool:
        """Whether a bus says that systemd is not there, where it was before."""
        if not self.connection.is_bus:
            return False
        return error.name in _LEFT or (error.name in _ABSENT and self.connection.owner is not None)

    def revive(self, deadline: float | None = None) -> bool:
        """Make sure of a connection that answers, and connect anew where this one does not; returns whether there is one.

        One round trip where all is well, so this is for after a failure.

        :param deadline: on the clock of `time.monotonic()`; in any case no more than the 30 s a new process may take.
        """
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.renewal import revive

        return revive(self, deadline)

    def _renew(self, deadline: float) -> None:
        """Connect to the process that took the manager's place, once it answers.

        :raises BusUnreachable: it does not answer.
        """
        # Few tasks need it, so few shall compile it.
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.renewal import renew

        renew(self, deadline)

    def call(
        self,
        member: str,
        signature: str = "",
        *body: t.Any,
        doing: str = "",
        timeout: float | None = None,
        repeat: bool = False,
    ) -> t.Any:
        """Call a method of the Manager interface; returns the reply's body.

        :param doing: what a user would call it, for the error ("reload unit files").
        :param timeout: seconds; by default the connection's.
        :param repeat: whether it may be made twice, should systemd be replaced meanwhile.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        reply = self._exchange([Call(MANAGER_PATH, MANAGER, member, signature, body)], deadline, repeat)[0]
        if isinstance(reply, CallFailed):
            raise explain(reply, doing or f"call {member}") from reply
        return reply

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        """The state of each named unit, in this order; a unit that does not exist has LoadState `not-found`.

        Names must be complete and neither templates nor patterns: one of these would fail the whole call.
        """
        if not names:
            return []
        rows = self.call("ListUnitsByNames", "as", list(names), doing="read the state of units", repeat=True)[0]
        if len(rows) != len(names):
            raise self._nonsense(f"told the state of {len(rows)} units, where it was asked for {len(names)}")
        return [UnitStatus._make(row) for row in rows]

    def list_units(self, patterns: t.Sequence[str] = (), states: t.Sequence[str] = ()) -> list[UnitStatus]:
        """All units in memory that match one of the patterns (all without any) and one of the states."""
        rows = self.call("ListUnitsByPatterns", "asas", list(states), list(patterns), doing="list units", repeat=True)[
            0
        ]
        return [UnitStatus._make(row) for row in rows]

    def in_memory(self, names: t.Sequence[str]) -> list[bool]:
        """Whether systemd has each unit in memory already, as it has all that run, failed, or that others of these name.

        Unlike all other questions about a unit this one does not have its files read.
        """
        calls = [Call(MANAGER_PATH, MANAGER, "GetUnit", "s", (name,)) for name in names]
        return [
            not (isinstance(reply, CallFailed) and reply.name.endswith(".NoSuchUnit")) for reply in self.ask(calls)
        ]

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        """UnitFileState of each name, read from the links on disk; an empty string where there is no unit file.

        Unlike the property of a loaded unit, which keeps its first answer until a reload, this is always fresh.
        """
        return self.enablement(names)[0]

    def enablement(
        self, names: t.Sequence[str], files: dict[str, str] | None = None
    ) -> tuple[list[str], set[str]]:
        """UnitFileState of each name, and those that are surely enabled by all the links that they ask for.

        Of others than these it is not known, be it that there are few of them.

        :param files: units are added to it that surely are one file alone, as files are now: name -> path.
        """
        whole: set[str] = set()
        known: dict[str, str] = {}
        if len(names) >= _MANY and self.scope == "system" and self.has_files:
            # Systemd looks at all links for each name.
            from ansible_collections.pidone.systemd.plugins.module_utils._systemd.enablement import states_from_files

            known = states_from_files(self.unit_path(), names, self.link_directories()[:1], whole, files)
        unknown = [name for name in names if name not in known]
        calls = [Call(MANAGER_PATH, MANAGER, "GetUnitFileState", "s", (name,)) for name in unknown]
        for name, reply in zip(unknown, self.ask(calls) if calls else ()):
            if not isinstance(reply, CallFailed):
                known[name] = reply[0]
            elif reply.name in _DENIED:
                raise explain(reply, f"read the unit file state of {name}")
            else:
                known[name] = ""
        return [known[name] for name in names], whole

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        """Values of `(object path, interface, property)`, in order, pipelined; None where there is no such property."""
        replies = self.ask([get_property(*item) for item in wanted])
        return [None if isinstance(reply, CallFailed) else reply[0][1] for reply in replies]

    def all_properties(self, wanted: t.Sequence[tuple[str, str]]) -> list[dict[str, t.Any]]:
        """All properties of each `(object path, interface)`; dear (milliseconds each), so only where all are wanted."""
        calls = [Call(path, "org.freedesktop.DBus.Properties", "GetAll", "s", (face,)) for path, face in wanted]
        return [
            {} if isinstance(reply, CallFailed) else {key: value[1] for key, value in reply[0].items()}
            for reply in self.ask(calls)
        ]

    def manager_property(self, name: str) -> t.Any:
        """One property of the manager itself; None where this version has no such property."""
        return self.properties([(MANAGER_PATH, MANAGER, name)])[0]

    def version(self) -> str:
        """Systemd's version as it tells it, such as `252.39-1~deb12u2`; empty where it does not."""
        return self.manager_property("Version") or ""

    def problem_of_files(self, name: str) -> str:
        """Systemd reads the files itself, and says what it cannot read of them by LoadError."""
        return ""

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
        (reply,) = self.ask([call])
        if isinstance(reply, CallFailed):
            raise explain(reply, f"set {name} to {value}")

    def environment(self) -> dict[str, str]:
        """The variables that the manager gives to every process it starts."""
        return dict(item.partition("=")[::2] for item in self.manager_property("Environment") or ())

    def change_environment(self, unset: t.Sequence[str], assign: dict[str, str]) -> None:
        """Unset and set variables of the manager's environment."""
        pairs = [f"{name}={value}" for name, value in assign.items()]
        self.call(
            "UnsetAndSetEnvironment", "asas", list(unset), pairs, doing="change the manager's environment", repeat=True
        )

    def default_target(self) -> str:
        """The unit that is booted into; empty where none is set."""
        (reply,) = self.ask([Call(MANAGER_PATH, MANAGER, "GetDefaultTarget")])
        return "" if isinstance(reply, CallFailed) else str(reply[0])

    def set_default_target(self, name: str) -> list[LinkChange]:
        """Set the unit that is booted into. Does not reload."""
        doing = f"set the default target to {name}"
        return _changes(self.call("SetDefaultTarget", "sb", name, True, doing=doing, repeat=True)[0])

    def any_stale(self) -> bool:
        """Whether the files of any loaded unit changed since systemd read them."""
        paths = [(status.path, UNIT, "NeedDaemonReload") for status in self.list_units()]
        return any(self.properties(paths))

    def list_jobs(self) -> list[dict[str, t.Any]]:
        """The queue of jobs: `id`, `unit`, `type` and `state` of each."""
        rows = self.call("ListJobs", doing="list jobs", repeat=True)[0]
        return [{"id": row[0], "unit": row[1], "type": row[2], "state": row[3]} for row in rows]

    # -- jobs

    def watch_jobs(self) -> None:
        """Begin to note which jobs end; must come before the jobs, which may end before their call is answered."""
        self._be_alive()
        self.follow_jobs()

    def follow_jobs(self) -> None:
        """The same on the connection that there is."""
        if self._removed is not None:
            return
        self._removed = self.connection.want("JobRemoved", MANAGER_PATH)
        self._moves = self.connection.moves
        if self.connection.is_bus:
            rule = f"type='signal',sender='{BUS_NAME}',path='{MANAGER_PATH}',interface='{MANAGER}',member='JobRemoved'"
            add = Call("/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", (rule,))
            follow = [self.connection.follow_owner(), add, Call(MANAGER_PATH, MANAGER, "Subscribe")]
            for reply in self.connection.call_many(follow):
                if isinstance(reply, CallFailed) and not reply.name.endswith(".AlreadySubscribed"):
                    raise explain(reply, "follow systemd's jobs")

    @staticmethod
    def _hold_code() -> None:
        """Make sure that what is imported later can be: a job may mount something over the task's own code."""
        from ansible_collections.pidone.systemd.plugins.module_utils._kept.archive import hold

        hold()

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Enqueued]:
        """Enqueue `(unit, job type)` all together; in order, what became of each."""
        self._hold_code()
        self.watch_jobs()
        begun = time.monotonic()
        # A job that is there already is joined, so that it may be asked for again.
        replies = self.ask([_job_call(name, kind, mode, True) for name, kind in wanted])
        # Before systemd 249 there is no such method.
        old = [at for at, reply in enumerate(replies) if isinstance(reply, CallFailed) and reply.name == _NO_METHOD]
        if old:
            calls = [_job_call(*wanted[at], mode, False) for at in old]
            for at, reply in zip(old, self.ask(calls)):
                replies[at] = reply
        return [
            Enqueued(name, error=reply)
            if isinstance(reply, CallFailed)
            else Enqueued(name, self._job(reply[0], name, kind, begun))
            for (name, kind), reply in zip(wanted, replies)
        ]

    def _job(self, path: str, name: str, kind: str, begun: float) -> Job:
        number = path.rpartition("/")[2]
        if not (is_digits(number) and len(number) <= 10):
            raise self._nonsense(f"says that {path} is the job to {kind} {name}")
        self._begun[int(number)] = begun
        return Job(int(number), path, name, kind)

    def _nonsense(self, what: str) -> BadMessage:
        self.connection.close()
        return BadMessage(
            f"{self.connection.who} {what}; it is no service manager: find out what listens there, and restart it"
        )

    def watch_unit(self, name: str) -> list[t.Any]:
        """Begin to note what changes of a unit: returns the list that `(path, body)` of PropertiesChanged are added to."""
        self._be_alive()
        changes = self.connection.want("PropertiesChanged", object_path(name))
        if self.connection.is_bus:
            (reply,) = self.connection.call_many([self.changes_of(name)])
            if isinstance(reply, CallFailed):
                raise explain(reply, f"follow {name}")
        self._watched[name] = changes
        return changes

    @staticmethod
    def changes_of(name: str) -> Call:
        """The call that has a bus pass on what changes of a unit."""
        rule = (
            f"type='signal',sender='{BUS_NAME}',path='{object_path(name)}',"
            "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'"
        )
        return Call("/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", (rule,))

    def start_transient(
        self, name: str, properties: t.Sequence[t.Any], others: t.Sequence[tuple[str, t.Sequence[t.Any]]] = ()
    ) -> Job:
        """Make a transient unit and enqueue its start.

        :param properties: `(property, (signature, value))`; a value of signature `h` is a file descriptor.
        :param others: units to be made beside it, such as the service of a timer, with their properties.
        :raises CallFailed: systemd refused; nothing has been started.
        """
        self._hold_code()
        self.watch_jobs()
        body = (name, "fail", list(properties), [(other, list(values)) for other, values in others])
        call = Call(MANAGER_PATH, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", body)
        passes = any(value[0] == "h" for _name, value in properties)
        if any(property_ == "AddRef" for property_, _value in properties):
            self._kept[name] = None
        begun = time.monotonic()
        (reply,) = self._exchange([call], None, repeat=False, fds=passes)
        if isinstance(reply, CallFailed):
            raise reply
        return self._job(reply[0], name, "start", begun)

    def wait_for_jobs(self, jobs: t.Sequence[Job], deadline: float) -> dict[int, str]:
        """Wait until all jobs ended or the deadline passed; job number -> result (`done`, `failed`, `timeout`, ...).

        A job that has not ended by then is missing from the answer; it goes on in systemd. Of one that ended while systemd
        was replaced by a new process, the unit's state tells the result, or else it is `unknown`.

        :param deadline: on the clock of `time.monotonic()`.
        """
        pending = {job.id: job for job in jobs}
        results: dict[int, str] = {}

        def all_ended() -> bool:
            for _path, (number, _object, _unit, result) in self._removed or ():
                if pending.pop(number, None):
                    results[number] = result
            del (self._removed or [])[:]
            return not pending

        def to_look_at() -> bool:
            return all_ended() or self.connection.moves != self._moves

        try:
            while True:
                try:
                    self._be_alive(deadline)
                    self.watch_jobs()
                    if self._missed or self.connection.moves != self._moves:
                        self._missed, self._moves = False, self.connection.moves
                        # Jobs outlive the process that made them, with their numbers.
                        left = {job["id"] for job in self.list_jobs()}
                        if self._missed:
                            continue
                        all_ended()
                        gone = [job for number, job in pending.items() if number not in left]
                        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.renewal import results_of

                        results.update(results_of(self, gone))
                        for job in gone:
                            del pending[job.id]
                    if all_ended() or time.monotonic() >= deadline:
                        return results
                    if not self._missed:
                        self.connection.wait(to_look_at, deadline, "the end of the jobs")
                except BusTimeout:
                    return results
                except BusUnreachable:
                    self._renew(deadline)
        finally:
            for number in results:
                self._begun.pop(number, None)

    def reset_failed(self, names: t.Sequence[str]) -> None:
        """Clear the `failed` state and the restart counters of the units."""
        calls = [Call(MANAGER_PATH, MANAGER, "ResetFailedUnit", "s", (name,)) for name in names]
        for name, reply in zip(names, self.ask(calls)):
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
        return [reply if isinstance(reply, CallFailed) else None for reply in self.ask(calls)]

    # -- unit files

    def reload(self, timeout: float | None = None) -> None:
        """daemon-reload; systemd answers only when it is done, which takes tens of seconds on the largest hosts.

        :param timeout: seconds; by default what the manager was opened with, or 300.
        """
        timeout = timeout or self.timeout or _RELOAD
        self.call("Reload", doing="reload systemd's unit files (daemon-reload)", timeout=timeout, repeat=True)

    def enable(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        """Make the links that the units' [Install] sections ask for. Does not reload."""
        doing = f"enable {short(names)}"
        return _changes(self.call("EnableUnitFiles", "asbb", list(names), runtime, force, doing=doing, repeat=True)[1])

    def disable(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        """Remove the links to the units. Does not reload."""
        doing = f"disable {short(names)}"
        return _changes(self.call("DisableUnitFiles", "asb", list(names), runtime, doing=doing, repeat=True)[0])

    def mask(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        """Link the units to /dev/null. Does not reload."""
        doing = f"mask {short(names)}"
        return _changes(self.call("MaskUnitFiles", "asbb", list(names), runtime, force, doing=doing, repeat=True)[0])

    def unmask(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        """Remove the units' links to /dev/null. Does not reload."""
        doing = f"unmask {short(names)}"
        return _changes(self.call("UnmaskUnitFiles", "asb", list(names), runtime, doing=doing, repeat=True)[0])

    def preset(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        """Enable or disable as the host's preset files say. Does not reload."""
        doing = f"apply presets to {short(names)}"
        return _changes(self.call("PresetUnitFiles", "asbb", list(names), runtime, force, doing=doing, repeat=True)[1])

    def add_dependency(
        self, kind: str, target: str, names: t.Sequence[str], runtime: bool = False, force: bool = False
    ) -> list[LinkChange]:
        """Make links by which `target` pulls the units in; `kind` is `Wants` or `Requires`. Does not reload."""
        doing = f"add {short(names)} to {kind}= of {target}"
        body = (list(names), target, kind, runtime, force)
        return _changes(self.call("AddDependencyUnitFiles", "asssbb", *body, doing=doing, repeat=True)[0])


def _job_call(name: str, kind: str, mode: str, flags: bool) -> Call:
    """The call that makes a job. Of StartUnitWithFlags the result says `skipped` where a condition is not met; StartUnit's
    says `done`."""
    if kind == "start" and flags:
        return Call(MANAGER_PATH, MANAGER, "StartUnitWithFlags", "sst", (name, mode, 0))
    return Call(MANAGER_PATH, MANAGER, _JOB_METHODS[kind], "ss", (name, mode))


def _changes(rows: t.Iterable[t.Any]) -> list[LinkChange]:
    return [LinkChange._make(row) for row in rows if row[0] in ("symlink", "unlink")]


def find_user(user: str | None) -> tuple[int, str]:
    """User id and home directory of a user by name or number, of the effective user for None.

    :raises BadInput: there is no such user.
    """
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import find_account

    account = find_account(user)
    return account.uid, account.home


def open_on_bus(
    scope: str,
    user: str | None,
    jeepney: t.Callable[[], tuple[t.Any, t.Any]],
    timeout: float | None = None,
) -> Manager:
    """Connect for what needs file descriptors to be passed, and rather over a bus.

    Only a client that has a name on a bus can keep a unit from being forgotten when it has ended (`AddRef`). Where there
    is no bus, or it hangs, the private socket has to do; `connection.is_bus` tells.

    :raises SystemdError: no manager can be reached, as for `open_manager`.
    """
    deadline = time.monotonic() + (timeout or _PATIENCE)
    me = os.geteuid()
    uid = find_user(user)[0] if scope == "user" else None
    if me in (0, uid) or uid is None:
        try:
            # The rest of the time is for the private socket.
            left = deadline - time.monotonic()
            connection = _connect(uid, user, True, jeepney, min(left / 2, _HELLO), with_fds=True)
            if connection.takes_fds and _answers(connection, (time.monotonic() + deadline) / 2):
                return _managed(Manager(connection, scope, uid, timeout), open_on_bus, user, jeepney)
            connection.close()
        except (BusUnreachable, BusTimeout):
            pass
    if me in (0, uid):
        try:
            connection = _connect(uid, user, False, jeepney, deadline - time.monotonic(), with_fds=True)
            if connection.takes_fds:
                return _managed(Manager(connection, scope, uid, timeout), open_on_bus, user, jeepney)
            connection.close()
        except BusUnreachable:
            pass
    manager = open_manager(scope, user, jeepney, deadline - time.monotonic())
    manager.timeout, manager.connection.default_timeout = timeout, timeout or _PATIENCE
    return _managed(manager, open_on_bus, user, jeepney)


def _managed(manager: Manager, opener: t.Any, user: str | None, jeepney: t.Any) -> Manager:
    """Tell a manager how to connect anew."""
    # Whoever is the effective user by then.
    whose = user if user is not None or manager.uid is None else str(manager.uid)
    manager.reopen = lambda seconds: opener(manager.scope, whose, jeepney, seconds)
    return manager


def _answers(connection: Connection, deadline: float) -> bool:
    """Whether systemd is at the other end; a bus may be there without it, or hang."""
    try:
        connection.call(get_property(MANAGER_PATH, MANAGER, "Version"), deadline)
    except (BusUnreachable, BusTimeout, CallFailed):
        return False
    return True


def _connect(
    uid: int | None,
    user: str | None,
    bus: bool,
    jeepney: t.Callable[[], tuple[t.Any, t.Any]],
    timeout: float,
    with_fds: bool = False,
    name: str = BUS_NAME,
    what: str = "",
) -> Connection:
    """Connect to the system's manager, or to that of a user, over its private socket or a bus.

    Who listens must be who should. At a user's sockets that is the user, and no link is followed below /run/user/UID, which is
    the user's to change: root must not take for the user's manager what the user says it is. At the system's private socket it
    is root. The listener of the system's bus is systemd too, or the bus's daemon before it gave up being root; where it is
    somebody else, the directory of its socket must be one that only root can have put it into.

    :param uid: the user; None for the system's manager.
    :param user: the user's name, if known.
    :param name: the name of who is to be talked to over a bus, and `what` that is for errors.
    :raises WrongPeer: somebody else listens there, or a link is on the way.
    """
    low_level, auth = jeepney()
    if uid is None:
        if not bus:
            return connect("/run/systemd/private", low_level, auth, None, timeout, with_fds, "systemd", peer_uid=0)
        path, peer = system_bus()
        who = f"{what or 'systemd'}, over the bus,"
        return connect(path, low_level, auth, name, timeout, with_fds, who, peer_uid=peer)
    # What may be needed is loaded before ids change, now or later: a user cannot read the modules that root's task has.
    from ansible_collections.pidone.systemd.plugins.module_utils._dbus import places  # noqa: F401
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd import renewal  # noqa: F401

    me = os.geteuid()
    runtime = f"/run/user/{uid}"
    path = f"{runtime}/bus" if bus else f"{runtime}/systemd/private"
    who = f"{what or f'the service manager of user {user or uid}'}{', over the bus,' if bus else ''}"
    # A user's own bus lets in nobody else, not even root.
    as_user = bus and uid != me
    if as_user:
        os.seteuid(uid)
    try:
        to = name if bus else None
        return connect(path, low_level, auth, to, timeout, with_fds, who, peer_uid=uid, inside=runtime)
    finally:
        if as_user:
            os.seteuid(me)


def private_socket(uid: int, jeepney: tuple[t.Any, t.Any], timeout: float) -> Connection:
    """Connect to the manager of a user over its private socket, if it is there.

    :raises SystemdError: it is not, or does not answer; see `connect`.
    """
    return _connect(uid, None, False, lambda: jeepney, timeout)


def on_bus_of(
    manager: t.Any, name: str, what: str, jeepney: tuple[t.Any, t.Any], timeout: float
) -> Connection:
    """Connect to somebody else than systemd, on the bus that services of the manager are on.

    :param name: the well-known name on the bus, and `what` it is for errors, such as a unit.
    :raises SystemdError: there is no bus, or it does not answer.
    """
    return _connect(manager.uid, None, True, lambda: jeepney, timeout, name=name, what=what)


def system_bus() -> tuple[str, int | None]:
    """Path of the system bus's socket, and the uid that must listen there.

    None where nobody but root can have let anybody listen there, or where a user other than root chose the bus.
    """
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "")
    path = address[len("unix:path=") :].partition(",")[0] if address.startswith("unix:path=") else ""
    if path and os.geteuid():
        return path, None
    path = path or "/run/dbus/system_bus_socket"
    try:
        found = os.stat(os.path.dirname(path))
    except OSError:
        return path, 0
    return path, 0 if found.st_uid or found.st_mode & 0o022 else None


def open_manager(
    scope: str,
    user: str | None,
    jeepney: t.Callable[[], tuple[t.Any, t.Any]],
    timeout: float | None = None,
) -> Manager:
    """Connect to the system's manager, or to a user's.

    :param scope: `system` or `user`.
    :param user: whose manager, for scope `user`; None for the effective user's own. The effective user must be root or that
        user.
    :param jeepney: returns the modules `jeepney.low_level` and `jeepney.auth`.
    :param timeout: seconds that connecting may take, and each answer afterwards; None where nobody says, for 90.
    :raises SystemdError: no manager can be reached, with why and what to do. A private socket that is there but does not
        answer ends it, since the same process is behind the bus.
    """
    deadline = time.monotonic() + (timeout or _PATIENCE)
    me = os.geteuid()
    if scope == "system":
        if not os.path.isdir("/run/systemd/system"):
            raise SystemdError(
                "systemd is not running as the init system (PID 1) of this host, so there is no manager to ask; "
                "for image builds and chroots give the tree in `root`"
            )
        uid, ways = None, (False, True) if me == 0 else (True,)
    else:
        uid, _home = find_user(user)
        if me not in (0, uid):
            who = user or str(uid)
            raise NotPermitted(
                f"user: only root or {who} may talk to the service manager of {who}; add `become: true` to the task"
            )
        ways = (False, True) if me == uid else (False,)
    failed: list[BusUnreachable] = []
    for bus in ways:
        try:
            connection = _connect(uid, user, bus, jeepney, deadline - time.monotonic())
        except BusUnreachable as e:
            failed.append(e)
            continue
        return _managed(Manager(connection, scope, uid, timeout), open_manager, user, jeepney)
    if uid is None:
        hint = "" if me == 0 else "; with `become: true` systemd's private socket is used and no bus is needed"
        raise BusUnreachable(f"cannot reach systemd: {'; '.join(e.msg for e in failed)}{hint}") from failed[-1]
    who = user or str(uid)
    raise BusUnreachable(
        f"the service manager of user {who} is not running ({failed[0].msg}); it runs while the user is logged in, "
        "or always with pidone.systemd.user_manager and `linger: true`"
    ) from failed[0]
