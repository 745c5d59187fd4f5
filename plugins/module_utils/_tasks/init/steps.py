# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to the record, and to the units of the first boot; what is done to the init itself is `switch.py`."""

from __future__ import annotations

import os

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import link_directories, read_links
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import jobs_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.record import Record, restore
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.switch import TRIAL, UNITS


class Keep(Step):
    """Write the record in a new phase."""

    counts = False

    def __init__(self, record: Record, phase: str) -> None:
        super().__init__((record.path,))
        self._record, self._phase = record, phase

    def describe(self) -> str:
        return f"note {self._phase} in {self._record.path}"

    def apply(self, ctx: Context) -> bool:
        self._record.phase = self._phase
        self._record.save()
        return False


class PutBack(Step):
    """Make files and links what they were before, from the record.

    :param trial: whether the links of the trial go too.
    """

    def __init__(self, record: Record, trial: bool = True) -> None:
        super().__init__(tuple(record.files or record.units))
        self._record = record
        self._trial = TRIAL if trial else ()

    def describe(self) -> str:
        return f"put back {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        for path, was in self._record.files.items():
            restore(path, was)
        directories = link_directories("system")
        mine = {*self._record.units, *self._trial}
        for path, target in read_links(directories).items():
            if (
                leads(path, target) in mine
                and self._record.links.get(path) != target
                and path not in self._record.files
            ):
                durable.remove(path)
                durable.remove_empty(os.path.dirname(path))
        for path, target in self._record.links.items():
            if not os.path.lexists(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.symlink(target, path)
        return True


class RemoveTrial(Step):
    """Stop and remove the units of the first boot."""

    def __init__(self) -> None:
        super().__init__(TRIAL)

    def describe(self) -> str:
        return "remove the units of the trial"

    def apply(self, ctx: Context) -> bool:
        if not ctx.manager.offline:
            jobs = ctx.manager.enqueue([(TRIAL[1], "stop")])
            ctx.manager.wait_for_jobs(jobs_of(jobs), ctx.deadline())
        changed = remove_trial()
        ctx.manager.reload()
        return changed


class RemoveTrialFiles(Step):
    """Remove the units of the first boot, whoever is PID 1."""

    def describe(self) -> str:
        return "remove the units of the trial"

    def apply(self, ctx: Context) -> bool:
        return remove_trial()


def leads(path: str, target: str) -> str:
    """The unit that a link is about: the one that it pulls in, or has another name for."""
    if os.path.basename(os.path.dirname(path)).endswith((".wants", ".requires", ".upholds")):
        return os.path.basename(path)
    return os.path.basename(path) if target == "/dev/null" else os.path.basename(target)


def trial_files() -> list[str]:
    """The paths of the units of the first boot that are there."""
    return [f"{UNITS}/{name}" for name in TRIAL if os.path.lexists(f"{UNITS}/{name}")]


def tidy_trial() -> None:
    """Remove what a run that was killed has left of the units of the first boot."""
    for name in TRIAL:
        durable.tidy(f"{UNITS}/{name}")


def remove_trial() -> bool:
    """Remove the units of the first boot and their links; returns whether there were any."""
    changed = False
    for path, target in read_links(link_directories("system")).items():
        if leads(path, target) in TRIAL:
            durable.remove(path)
            durable.remove_empty(os.path.dirname(path))
            changed = True
    tidy_trial()
    for path in trial_files():
        durable.remove(path)
        changed = True
    return changed
