# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the managers of all users at once (`user: "*"`), each as that user.

None of these users can keep the others from being read: each has a share of the time and of the answer's size.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, explained
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import find_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import running

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module

_EVERYBODY = "*"
# Seconds within which a manager that works has answered.
_PATIENCE = 10.0
# Bytes of all answers together, and what each may have however many there are.
_LARGEST, _SHARE = 32_000_000, 1_000_000


def read_managers(
    module: Module, read: t.Callable[[dict[str, t.Any], Module | None], dict[str, t.Any]], of_each: str = ""
) -> dict[str, t.Any]:
    """Read the manager that the options `scope` and `user` name, or those of all users that have one.

    :param read: reads the manager of options like the module's, and returns the module's result; is given the module where a manager
        that does not run may be one that is to come (`open_session`).
    :param of_each: the key of that result's list, whose entries say by `user` and `uid` whose they are, where it is all users.
        Without it what is read of a manager is in its entry of `managers`.
    :returns: the module's result; for all users also `managers`, a list of `{user, uid, answered, msg}`.
    :raises BadInput: only root reads all users' managers, and only what runs can be asked.
    """
    params = module.params
    if params["user"] != _EVERYBODY or params["scope"] != "user":
        return read(params, module)
    if params.get("root") is not None:
        raise BadInput('user: nobody\'s manager runs in a tree, so `"*"` is nobody there; name one user, or leave out `root`')
    if os.geteuid() != 0:
        raise BadInput('user: `"*"` are the managers of all users, which only root can ask; set `become: true`, or name one user')
    deadline = time.monotonic() + timeout_of(params)
    uids = running()
    managers: list[dict[str, t.Any]] = []
    entries: list[dict[str, t.Any]] = []
    warnings: list[str] = []
    texts: list[str] = []
    refused: list[BadInput] = []
    for index, uid in enumerate(uids):
        manager: dict[str, t.Any] = {"user": None, "uid": uid, "answered": False, "msg": None}
        managers.append(manager)
        patience = max(1.0, min(_PATIENCE, (deadline - time.monotonic()) / (len(uids) - index)))
        try:
            manager["user"] = find_account(str(uid)).name
            found = read({**params, "user": str(uid), "timeout": f"{patience:.1f}s"}, None)
            if len(repr(found)) > max(_LARGEST // len(uids), _SHARE):
                raise SystemdError("what it tells is more than one of so many managers may tell; ask for less, or for this user alone")
        except (SystemdError, OSError) as e:
            manager["msg"] = explained(e, "read it").msg
            warnings.append(f"the manager of user {manager['user'] or uid} is not read: {manager['msg']}")
            if isinstance(e, BadInput) and manager["user"] is not None:
                refused.append(e)
            continue
        manager["answered"] = True
        warnings += [f"user {manager['user']}: {warning}" for warning in found.pop("warnings", ())]
        said = found.pop("msg", None)
        if said is not None:
            texts.append(f"user {manager['user']}: {said}" if said else "")
        del found["changed"]
        if of_each:
            entries += [{**entry, "user": manager["user"], "uid": uid} for entry in found.pop(of_each)]
        manager.update(found)
    if refused and not any(manager["answered"] for manager in managers):
        # It is the task that is wrong, and none of the users.
        raise refused[0]
    result = {"changed": False, "managers": managers, "warnings": warnings}
    if of_each:
        result[of_each] = entries
    if texts:
        result["msg"] = "\n".join(filter(None, texts))
    return result
