# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read any manager of this host: also a container's (`machine`), and those of all users or containers at once (`"*"`).

None of these can keep the others from being read: each has a share of the time and of the answer's size.
"""

from __future__ import annotations

import os
import re
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session, timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, explained, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import find_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import running

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

_EVERYBODY = "*"
# Seconds within which a manager that works has answered.
_PATIENCE = 10.0
# Bytes of all answers together, and what each may have however many there are.
_LARGEST, _SHARE = 32_000_000, 1_000_000
# hostname_is_valid() of systemd, but for what more it asks of dots.
_MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Read = t.Callable[[t.Dict[str, t.Any], t.Optional["Module"]], t.Dict[str, t.Any]]


class _One(t.NamedTuple):
    """A manager of many: by which entries its answer is known, the options that name it, what messages call it, and why it
    cannot be asked."""

    known_by: dict[str, t.Any]
    options: dict[str, t.Any]
    who: str
    problem: SystemdError | None = None


class _InMachine(Session):
    """A session with the system manager of a container."""

    def __init__(self, params: dict[str, t.Any]) -> None:
        super().__init__(params, timeout_of(params))
        self._machine: str = params["machine"]

    def connect(self) -> UnitManager:
        """As Session.connect."""
        from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.machines import open_machine

        return open_machine(self._machine, import_jeepney(), self.timeout)


def open_reading(params: dict[str, t.Any], foretells: Module | None) -> Session:
    """The session in which the manager is read that options name, of `read_managers`: a context manager.

    :param foretells: as `module` of `open_session`.
    :raises SystemdError: as that does.
    """
    return open_session(params, module=foretells) if params.get("machine") is None else _InMachine(params)


def read_managers(module: Module, read: Read, of_each: str = "") -> dict[str, t.Any]:
    """Read the manager that the options `scope`, `user` and `machine` name, or those of all users or machines that have one.

    :param read: reads the manager of options like the module's, and returns the module's result; is given the module where a manager
        that does not run may be one that is to come (`open_session`).
    :param of_each: the key of that result's list, whose entries say by `user` and `uid`, or `machine`, whose they are, where it is all
        of them. Without it what is read of a manager is in its entry of `managers`.
    :returns: the module's result; for all of them also `managers`, a list of `{user, uid, answered, msg}` or `{machine, answered, msg}`.
    :raises BadInput: only root reads all users' managers, and those of machines, and only what runs can be asked.
    """
    params = module.params
    if params.get("machine") is not None:
        _check_machine(params)
        if params["machine"] == _EVERYBODY:
            deadline = time.monotonic() + timeout_of(params)
            return _read_all(_machines(deadline), params, deadline, read, of_each)
    elif params["user"] == _EVERYBODY and params["scope"] == "user":
        if params.get("root") is not None:
            raise BadInput(
                'user: nobody\'s manager runs in a tree, so `"*"` is nobody there; name one user, or leave out `root`'
            )
        if os.geteuid() != 0:
            raise BadInput(
                'user: `"*"` are the managers of all users, which only root can ask; set `become: true`, or name one user'
            )
        return _read_all(_users(), params, time.monotonic() + timeout_of(params), read, of_each)
    return read(params, module)


def refuse_for_machines(params: dict[str, t.Any], untold: t.Sequence[tuple[str, str]]) -> None:
    """Refuse options to which a container's manager has no answer.

    :param untold: names of options that are then not to be set, and why.
    :raises BadInput: one is set together with `machine`.
    """
    for option, why in untold:
        if params.get("machine") is not None and params[option]:
            raise BadInput(f"{option}: {why}, so it cannot be told of a machine; leave out `{option}`, or `machine`")


def _check_machine(params: dict[str, t.Any]) -> None:
    """Refuse what `machine` goes not together with, before anything is asked."""
    name = params["machine"]
    if name == ".host":
        raise BadInput("machine: '.host' is this host itself; leave out `machine`")
    if name != _EVERYBODY and not _MACHINE.fullmatch(name):
        raise BadInput(
            f"machine: {shown(name)} is no name of a machine; write one that `machinectl list` prints, or \"*\" for all containers"
        )
    if params["scope"] != "system":
        raise BadInput(
            f"machine: {shown(name)}: of a machine, only the system's manager can be read, not scope `{params['scope']}`; leave out `scope`, "
            "or `machine`"
        )
    for option in ("user", "root"):
        if params.get(option) is not None:
            raise BadInput(
                f"machine: {shown(name)}: `machine` and `{option}` name different managers; leave out one of them"
            )
    if os.geteuid() != 0:
        raise BadInput(f"machine: {shown(name)}: only root can ask the managers of machines; set `become: true`")


def _users() -> list[_One]:
    """The managers of users that run."""
    found = []
    for uid in running():
        name, problem = None, None
        try:
            name = find_account(str(uid)).name
        except SystemdError as e:
            problem = e
        known_by = {"user": name, "uid": uid}
        found.append(_One(known_by, {"user": str(uid)}, f"user {name or uid}", problem))
    return found


def _machines(deadline: float) -> list[_One]:
    """The system managers of containers that run."""
    from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.machines import containers

    names = containers(import_jeepney(), max(1.0, deadline - time.monotonic()))
    return [_One({"machine": name}, {"machine": name}, f"machine {name}") for name in names]


def _read_all(
    whose: t.Sequence[_One], params: dict[str, t.Any], deadline: float, read: Read, of_each: str
) -> dict[str, t.Any]:
    managers: list[dict[str, t.Any]] = []
    entries: list[dict[str, t.Any]] = []
    warnings: list[str] = []
    texts: list[str] = []
    refused: list[BadInput] = []
    for index, one in enumerate(whose):
        manager: dict[str, t.Any] = {**one.known_by, "answered": False, "msg": None}
        managers.append(manager)
        patience = max(1.0, min(_PATIENCE, (deadline - time.monotonic()) / (len(whose) - index)))
        try:
            if one.problem is not None:
                raise one.problem
            found = read({**params, **one.options, "timeout": f"{patience:.1f}s"}, None)
            if len(repr(found)) > max(_LARGEST // len(whose), _SHARE):
                raise SystemdError("what it tells is more than one of so many managers may tell; ask for less, or for this one alone")
        except (SystemdError, OSError) as e:
            manager["msg"] = explained(e, "read it").msg
            warnings.append(f"the manager of {one.who} is not read: {manager['msg']}")
            if isinstance(e, BadInput) and e is not one.problem:
                refused.append(e)
            continue
        manager["answered"] = True
        warnings += [f"{one.who}: {warning}" for warning in found.pop("warnings", ())]
        said = found.pop("msg", None)
        if said is not None:
            texts.append(f"{one.who}: {said}" if said else "")
        del found["changed"]
        if of_each:
            entries += [{**entry, **one.known_by} for entry in found.pop(of_each)]
        manager.update(found)
    if refused and not any(manager["answered"] for manager in managers):
        # It is the task that is wrong, and none of those who were asked.
        raise refused[0]
    result = {"changed": False, "managers": managers, "warnings": warnings}
    if of_each:
        result[of_each] = entries
    if texts:
        result["msg"] = "\n".join(filter(None, texts))
    return result
