# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What still runs replaced files, and what it is of: services, managers, sessions, and all else.

To which unit a process belongs, its cgroup says, and of that only what systemd alone makes. Of a service, systemd has to say that this
is its cgroup. So nobody can have anything taken for a service's that is not.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, become_hint, plain
from ansible_collections.pidone.systemd.plugins.module_utils._observe.outdated import (
    Process,
    cgroup_of,
    find_outdated,
    unit_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._observe.packages import owners
from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import read_stat
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE, UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import NotPermitted
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.decide import Service

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

_USER_MANAGER = re.compile(r"user@([0-9]{1,10})\.service")
_SESSION = re.compile(r"session-[^/]+\.scope")
_FACTS = (
    (UNIT, "ActiveState"), (SERVICE, "ControlGroup"), (SERVICE, "Type"), (SERVICE, "MainPID"), (SERVICE, "KillMode"),
    (UNIT, "Transient"), (UNIT, "RefuseManualStart"), (UNIT, "RefuseManualStop"), (UNIT, "TriggeredBy"),
    (UNIT, "NeedDaemonReload"), (SERVICE, "Restart"),
)  # fmt: skip
# By these, the stop of one unit is the stop of another (systemd.unit(5)), and the restart as well.
_STOPPED_WITH = ("RequiredBy", "BoundBy", "ConsistsOf")
# Of what a result holds: processes and files of one entry, and files whose packages are looked up.
_PROCESSES, _FILES, _LOOKED_UP = 100, 50, 2000
# How long the name of a process or file may be, as text.
_LONGEST = 500


class Group(t.NamedTuple):
    """Processes that belong together: of a unit, or in a cgroup. `uid` is whose manager or session it is, -1 where it is nobody's."""

    name: str
    cgroup: str
    processes: list[Process]
    uid: int = -1


class Found(t.NamedTuple):
    """All that runs replaced files.

    `services` are those of the manager that was asked, with their processes; `managers` are that manager itself and, of the system's,
    those of users; `of_users` are units of users' managers. `own` is the unit of the manager that this task runs in.
    """

    services: list[tuple[Service, Group]]
    managers: list[Group]
    sessions: list[Group]
    of_users: list[Group]
    others: list[Group]
    in_containers: int
    own: str


def find(session: Session) -> Found:
    """Look through all processes, and ask the session's manager of its units.

    :raises SystemdError: it may not be looked at, or takes too long.
    """
    manager, uid = session.manager, session.owner
    if manager.offline:
        raise BadInput("scope: nothing runs behind scope `global`; use `system` or `user`")
    if manager.absent:
        return Found([], [], [], [], [], 0, "")
    if uid is None and os.geteuid() != 0:
        raise NotPermitted(f"not permitted to see which files the processes of others run{become_hint()}")
    found = find_outdated(uid, session.deadline)
    base = ""
    if uid is not None and found.processes:
        base = str(manager.manager_property("ControlGroup") or "").rstrip("/")
    groups = _group(found.processes, base, uid)
    services = _ask(manager, groups["service"], base)
    known = {group.cgroup for _service, group in services}
    # What systemd knows nothing of by that name is none of its services.
    strange = [group for group in groups["service"] if group.cgroup not in known]
    managers, left = groups["manager"], groups["below"]
    if uid is None:
        main, left = _of_users(manager, left)
        managers = managers + main
    # What holds the session of PAM for a user's manager.
    held = [group for group in left if group.cgroup.endswith("/init.scope")]
    sessions = groups["session"] + [group._replace(name=f"user@{group.uid}.service") for group in held]
    of_users = [group for group in left if not group.cgroup.endswith("/init.scope")]
    own = cgroup_of("/proc/self")
    return Found(
        services,
        managers,
        sessions,
        of_users,
        groups["other"] + strange,
        found.in_containers,
        unit_of(own[len(base) :])[0] if own.startswith(base) else "",
    )


def _group(processes: t.Sequence[Process], base: str, uid: int | None) -> dict[str, list[Group]]:
    """Processes by what they are of: `service`, `manager`, `session`, `below` a user's manager, `other`.

    :param base: the cgroup of the manager; empty for the system's.
    """
    groups: dict[tuple[str, str], Group] = {}
    for process in processes:
        inside = process.cgroup.startswith(f"{base}/")
        unit, below = unit_of(process.cgroup[len(base) :] if inside else process.cgroup)
        cgroup = process.cgroup[: len(process.cgroup) - len(below)].rstrip("/") if unit else process.cgroup
        of_user = _USER_MANAGER.fullmatch(unit)
        kind, name, whose = "other", unit, -1
        if uid is None and process.pid == 1:
            kind = "manager"
        elif inside and uid is not None and unit == "init.scope":
            # The one that systemd started, beside the one that holds the session of PAM.
            kind, whose = "manager" if _parent(process.pid) == 1 else "session", uid
        elif _SESSION.fullmatch(unit):
            kind, whose = "session", process.uid
        elif of_user and uid is None:
            kind, whose = "below", int(of_user.group(1))
            inner = unit_of(f"/{below}")
            name, cgroup = inner[0] or unit, f"{cgroup}/{below[: len(below) - len(inner[1])]}".rstrip("/")
        elif inside and unit.endswith(".service"):
            kind = "service"
        groups.setdefault((kind, cgroup), Group(name, cgroup, [], whose)).processes.append(process)
    result: dict[str, list[Group]] = {"service": [], "manager": [], "session": [], "below": [], "other": []}
    for (kind, _cgroup), group in groups.items():
        result[kind].append(group)
    return result


def _of_users(manager: UnitManager, groups: t.Sequence[Group]) -> tuple[list[Group], list[Group]]:
    """Those main processes of user@UID.service that are among the processes, and what is left of the groups."""
    uids = sorted({group.uid for group in groups})
    paths = [(object_path(f"user@{uid}.service"), SERVICE, "MainPID") for uid in uids]
    main = dict(zip(uids, manager.properties(paths) if paths else ()))
    managers, left = [], []
    for group in groups:
        own = [process for process in group.processes if process.pid == main[group.uid]]
        if own:
            managers.append(Group(f"user@{group.uid}.service", group.cgroup, own, group.uid))
        others = [process for process in group.processes if process.pid != main[group.uid]]
        if others:
            left.append(group._replace(processes=others))
    return managers, left


def _ask(manager: UnitManager, groups: t.Sequence[Group], base: str) -> list[tuple[Service, Group]]:
    """What systemd knows of the services; of those of them that are in the cgroups that it has for them."""
    values = iter(
        manager.properties([(object_path(group.name), face, name) for group in groups for face, name in _FACTS])
    )
    services = []
    for group in groups:
        state, cgroup, kind, main, kill, transient, no_start, no_stop, triggers, stale, restart = (
            next(values) for dummy in _FACTS
        )
        if cgroup != group.cgroup:
            continue
        service = Service(
            group.name,
            state or "",
            kind or "",
            main or 0,
            kill or "",
            bool(transient),
            bool(no_start or no_stop),
            tuple(triggers or ()),
            bool(stale),
            restart or "",
            tuple(process.pid for process in group.processes),
        )
        services.append((service, group))
    with_them = _dependents(manager, [service.name for service, _group in services])
    return [(service._replace(dependents=with_them[service.name]), group) for service, group in services]


def _dependents(manager: UnitManager, names: t.Sequence[str]) -> dict[str, frozenset[str]]:
    """The units that run and would be stopped with each of the units, and so on."""
    known: dict[str, set[str]] = {}
    ask = list(names)
    while ask:
        values = iter(manager.properties([(object_path(name), UNIT, each) for name in ask for each in _STOPPED_WITH]))
        for name in ask:
            known[name] = {other for dummy in _STOPPED_WITH for other in next(values) or ()}
        ask = sorted({other for name in ask for other in known[name]} - known.keys())
    found: dict[str, frozenset[str]] = {}
    everyone: set[str] = set()
    for name in names:
        reached, left = {name}, [name]
        while left:
            new = known[left.pop()] - reached
            reached |= new
            left += new
        found[name] = frozenset(reached - {name})
        everyone |= found[name]
    order = sorted(everyone)
    up = {each.id for each in manager.status(order) if not is_down(each.active_state)} if order else set()
    return {name: others & up for name, others in found.items()}


def _parent(pid: int) -> int:
    stat = read_stat(pid)
    return stat.parent if stat else 0


def files_of(group: Group) -> list[str]:
    """The files that processes of a group run, each once."""
    return list(dict.fromkeys(path for process in group.processes for path in process.files))


def packages_of(groups: t.Iterable[Group], timeout: float) -> dict[str, str]:
    """File -> its package, of all the files that groups run and that belong to one.

    :param timeout: seconds that it may take to ask.
    """
    paths = dict.fromkeys(path for group in groups for path in files_of(group))
    return owners(list(paths)[:_LOOKED_UP], timeout)


def entry(group: Group, packages: t.Mapping[str, str], **more: t.Any) -> dict[str, t.Any]:
    """A group as it is told: names are text of one line, whatever a process has chosen."""
    files = files_of(group)
    told: dict[str, t.Any] = {
        "name": plain(group.name, _LONGEST),
        "cgroup": plain(group.cgroup, _LONGEST),
        **more,
        "files": [{"path": plain(path, _LONGEST), "package": packages.get(path)} for path in files[:_FILES]],
        "processes": [
            {"pid": process.pid, "uid": process.uid, "comm": plain(process.comm)}
            for process in group.processes[:_PROCESSES]
        ],
        "n_files": len(files),
        "n_processes": len(group.processes),
    }
    if group.uid >= 0:
        told["uid"] = group.uid
    return told
