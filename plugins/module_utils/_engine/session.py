# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of this collection share: their common options, whom they talk to, and as whom they work."""

from __future__ import annotations

import math
import os
import time
import typing as t
from contextlib import ExitStack, contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import Account
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# Options of every module that talks to a manager; documented in the fragment pidone.systemd.scope.
SCOPE_ARGUMENTS: dict[str, t.Any] = {
    "scope": {"type": "str", "choices": ["system", "user", "global"], "default": "system"},
    "user": {"type": "str"},
}
# Of modules that read managers; documented in pidone.systemd.scope.managers, see `everybody.py`.
MACHINE_ARGUMENTS: dict[str, t.Any] = {"machine": {"type": "str"}}
ROOT_ARGUMENTS: dict[str, t.Any] = {"root": {"type": "path"}}


def timeout_of(params: dict[str, t.Any]) -> float:
    """The option `timeout`, which every module has, in seconds; `infinity` is what systemd takes for it, half a million years.

    :raises BadInput: it is no time span, or 0, in which nothing can be done.
    """
    seconds = parse_timespan(params["timeout"], "timeout") / 1e6
    if not seconds:
        raise BadInput("timeout: is 0; give the time that the task may take, such as 1min")
    return seconds


class Session:
    """A task's dealings with one manager, and as whom it works; made by `open_session`, and connected while it is entered.

    For scope `user`, root has the ids of that user within it, by which all is done: connecting, reading, writing.

    `scope` and `root` are the options; `uid` and `home` are the user's for scope `user`, 0 and empty otherwise; `account` is
    whose ids root takes, None where it stays itself; `timeout` are the seconds that the task may take and `deadline` its
    end, on the clock of `time.monotonic()`; `manager` is there while the session is entered.
    """

    manager: UnitManager

    def __init__(
        self,
        params: dict[str, t.Any],
        timeout: float,
        on_bus: bool = False,
        may_be_down: bool = False,
        connects: bool = True,
        may_be_gone: bool = False,
        module: Module | None = None,
    ) -> None:
        self.scope: str = params["scope"]
        self.user: str | None = params.get("user")
        self.root: str | None = params.get("root")
        if self.root is not None:
            check_directory(self.root, "root")
        if self.user is not None and self.scope != "user":
            raise BadInput(
                f"user: only scope `user` has a user, not `{self.scope}`; set `scope: user` or leave out `user`"
            )
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.uid, self.home = 0, ""
        self.account: Account | None = None
        self._on_bus, self._may_be_down, self._connects = on_bus, may_be_down or may_be_gone, connects
        # Whose check mode it is, if it is one.
        self._foretells = module if module is not None and module.check_mode else None
        # Whether there is no such user; whether check mode takes it, or the manager, for made by an earlier task.
        self.gone = self.expected = False
        if self.scope == "user":
            account = self._find_account(may_be_gone)
            self.uid, self.home = account.uid, account.home
            if os.geteuid() == 0 and account.uid != 0:
                self.account = account
        self._stack = ExitStack()
        self._jeepney: t.Any = None

    def _find_account(self, may_be_gone: bool) -> Account:
        """Whose manager it is.

        :raises BadInput: there is no such user, and neither has the task something to undo only, nor is it check mode.
        """
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import NoSuchUser, find_account

        try:
            return find_account(self.user)
        except NoSuchUser as e:
            if os.geteuid() != 0 or not (may_be_gone or self._foretells):
                raise
            self.gone = True
            if not may_be_gone:
                self.expected = True
                self._foretell(
                    f"not there yet, and taken for made by an earlier task: user {e.account.name}, with the home directory {e.account.home}"
                )
            return e.account

    def _foretell(self, warning: str) -> None:
        if self._foretells is not None:
            self._foretells.warn(warning)

    @property
    def owner(self) -> int | None:
        """The user id whose manager's word is to be doubted; None for the system's manager."""
        return self.uid if self.scope == "user" else None

    @property
    def down(self) -> bool:
        """Whether the user's manager does not run, or there is no such user, which is as it will be in a real run, too."""
        return self.manager.absent and not self.expected

    def __enter__(self) -> Session:
        with ExitStack() as stack:
            if self.account is not None:
                from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import acting_as

                if self._connects and self.root is None and not self.gone:
                    from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney

                    # It is kept for root: before there are other ids.
                    jeepney = import_jeepney()
                    self._jeepney = lambda: jeepney
                stack.enter_context(acting_as(self.account))
            if self._connects:
                self.manager = stack.enter_context(self._manager())
            else:
                from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager

                self.manager = NoManager()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def connect(self) -> UnitManager:
        """Another manager as that of this session, which the caller has to close.

        :raises SystemdError: the options contradict each other, or the manager cannot be reached.
        """
        if self.root is not None or self.scope == "global":
            from ansible_collections.pidone.systemd.plugins.module_utils._systemd.offline import open_offline

            return open_offline(self.scope, self.root)
        from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import open_manager, open_on_bus

        opened = open_on_bus if self._on_bus else open_manager
        return opened(self.scope, self.user, self._jeepney or import_jeepney, self.timeout)

    @contextmanager
    def reading(self) -> t.Iterator[None]:
        """Within it, all that is asked of the manager together takes no longer than the task may.

        A manager that answers each of many questions just in time would be waited for many times as long. It is for what reads
        only: what was begun has to be ended, or undone.
        """
        connection = self.manager.connection
        if connection is None:
            yield
            return
        connection.all_until = time.monotonic() + self.timeout
        try:
            yield
        finally:
            # It may be another one by now.
            self.manager.connection.all_until = math.inf

    def _manager(self) -> UnitManager:
        if self.scope != "user" or self.root is not None or not (self._may_be_down or self._foretells):
            return self.connect()
        from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import BusUnreachable
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.absent import AbsentManager

        if not self.gone:
            try:
                return self.connect()
            except BusUnreachable:
                if not self._may_be_down:
                    self.expected = True
                    self._foretell(
                        "not running yet, and taken for started by an earlier task: the service manager of user "
                        f"{self.user or self.uid}"
                    )
        return AbsentManager(self.home, self.uid)


def open_session(
    params: dict[str, t.Any],
    timeout: float | None = None,
    on_bus: bool = False,
    may_be_down: bool = False,
    may_be_gone: bool = False,
    connects: bool = True,
    module: Module | None = None,
) -> Session:
    """The session that the options `scope`, `user`, `root` and `timeout` ask for: a context manager.

    :param timeout: seconds that the task may take, where that is not what the option says.
    :param on_bus: connect over a bus where there is one, and such that file descriptors can be passed.
    :param may_be_down: do without the manager of a user that does not run: what stands for it has read all files, and runs nothing.
    :param may_be_gone: do so without the user, too, as the task only undoes.
    :param connects: whether a manager is needed at all.
    :param module: the AnsibleModule. In its check mode a manager that does not run, or a user who is not there, is taken for made by
        an earlier task, with a warning.
    :raises SystemdError: the options contradict each other, or there is no such user; once it is entered, the manager cannot
        be reached.
    """
    seconds = timeout_of(params) if timeout is None else timeout
    return Session(params, seconds, on_bus, may_be_down, connects, may_be_gone, module)
