# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of this collection share: their common options, and the manager they talk to."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan

# Options of every module that talks to a manager; documented in the fragment pidone.systemd.scope.
SCOPE_ARGUMENTS: dict[str, t.Any] = {
    "scope": {"type": "str", "choices": ["system", "user", "global"], "default": "system"},
    "user": {"type": "str"},
}
ROOT_ARGUMENTS: dict[str, t.Any] = {"root": {"type": "path"}}


def check_scope(params: dict[str, t.Any]) -> None:
    """Refuse a user where the scope has none."""
    if params.get("user") is not None and params["scope"] != "user":
        raise BadInput(
            f"user: only scope `user` has a user, not `{params['scope']}`; set `scope: user` or leave out `user`"
        )


def timeout_of(params: dict[str, t.Any]) -> float:
    """The option `timeout`, which every module has, in seconds; `infinity` is what systemd takes for it, half a million years.

    :raises BadInput: it is no time span, or 0, in which nothing can be done.
    """
    seconds = parse_timespan(params["timeout"], "timeout") / 1e6
    if not seconds:
        raise BadInput("timeout: is 0; give the time that the task may take, such as 1min")
    return seconds


def manager_for(params: dict[str, t.Any], on_bus: bool = False) -> t.Any:
    """The manager that the options `scope`, `user` and `root` name: a context manager, connected where there is need.

    :param on_bus: connect over a bus where there is one, and such that file descriptors can be passed.
    :raises SystemdError: the options contradict each other, or the manager cannot be reached.
    """
    scope, user, root = params["scope"], params.get("user"), params.get("root")
    check_scope(params)
    if root is not None or scope == "global":
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.offline import open_offline

        return open_offline(scope, root)
    from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import open_manager, open_on_bus

    opened = open_on_bus if on_bus else open_manager
    manager = opened(scope, user, import_jeepney)
    manager.connect_again = lambda: opened(scope, user, import_jeepney)
    return manager
