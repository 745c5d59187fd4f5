# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task is about: its options, and each of its services with the plan for it and the outcome so far."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._sources import load
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.moving import Moving
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.options import check_kind, check_services
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Records
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.steps import PutUnits

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Source


class Item:
    """One service of the task: what is moving, the plan for it, and the outcome so far."""

    def __init__(self, moving: Moving) -> None:
        self.moving = moving
        self.plan = Plan()
        # Its unit files, where any is to be written, with Ansible's diffs of them.
        self.put: PutUnits | None = None
        self.diffs: list[dict[str, str]] = []
        self.outcome = "already"
        self.message = ""
        self.seconds = 0.0
        self.began = 0.0
        self.failure: dict[str, t.Any] = {}
        # The record as it was before this run; None where there was none.
        self.kept: dict[str, t.Any] | None = None
        # What shares one context: the steps up to the start, and those that watch what was started.
        self.ctx: Context | None = None
        self.watch = Plan()


class Task:
    """The options of one task, checked, and what all its services share."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.params = params = module.params
        self.timeout = timeout_of(params)
        self.settle = parse_timespan(params["settle"], "settle")
        self.listen = parse_timespan(params["listen"], "listen") / 1e6
        self.giving_back = params["state"] == "given_back"
        for number, what in enumerate(params["accept"]):
            check_kind(what, f"accept[{number}]")
        self.given = check_services(params["services"])
        self.records = Records()
        self.sources: dict[str, Source] = {}
        self.tools = FileTools(
            attributes=lambda _path, _check: False,
            label=lambda path: module.set_default_selinux_context(path, False),
        )
        self.warnings: list[str] = []
        if os.geteuid() != 0:
            raise SystemdError(
                "a handover stops and starts services of the host; this needs root, so add `become: true`"
            )

    def source(self, name: str) -> Source:
        """A source by its name, the same one each time.

        :raises SystemdError: there is none.
        """
        if name not in self.sources:
            self.sources[name] = load(name)
        return self.sources[name]
