# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps by which services and users' managers get to run the files that are on the disk now."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.read_again import reexecute
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs
from ansible_collections.pidone.systemd.plugins.module_utils._errors import short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import users_read_again
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.marks import restart_marked

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued


class RestartTogether(Jobs):
    """Restart those services that still run, all at once, by marks where systemd knows these.

    There is no way back: the files that they ran are gone. So nothing is noted either; whoever comes after a killed task finds out
    again who needs it.
    """

    undoable = False
    # What is upgraded often has not died often.
    unlimited = True

    def __init__(self, names: t.Sequence[str], stay_down: t.Container[str] = ()) -> None:
        super().__init__("try-restart", names, names, stay_down=stay_down)

    def describe(self) -> str:
        return f"restart {short(self.names)}"

    def enqueue(self, ctx: Context) -> list[Enqueued]:
        return restart_marked(ctx.manager, self.names)


class ReexecuteUsers(Step):
    """Replace the managers of users by new processes of themselves, each as that user.

    One that does not answer is told as a warning: no user shall have the task fail.
    """

    def __init__(self, uids: t.Sequence[int]) -> None:
        super().__init__([f"user@{uid}.service" for uid in uids])
        self._uids = list(uids)

    def describe(self) -> str:
        return f"daemon-reexec of {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        failed = users_read_again(True, ctx.deadline(), reexecute, self._uids, "goes on with the files that were replaced")
        ctx.warnings += failed
        return len(failed) < len(self._uids)
