# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first death of services that systemd starts again of itself, so that the restart does not hide it."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_down


class Death(t.NamedTuple):
    """What systemd told of a service as it went down: properties of its two interfaces, under the names of D-Bus."""

    unit: dict[str, t.Any]
    service: dict[str, t.Any]

    @property
    def result(self) -> str:
        """What systemd calls it, such as `exit-code` or `oom-kill`."""
        return str(self.service.get("Result") or "")


class Deaths:
    """Notes how services end, from the signals that systemd sends, before it starts them again.

    What can be asked afterwards is of the new process: its status, its log, its control group.

    :param names: of services; those without Restart= are passed over, as they stay down and can be asked.
    :param at_once: whether what they do counts from now on, and not from the end of a job (`jobs`) on.
    """

    def __init__(self, manager: t.Any, names: t.Sequence[str], at_once: bool = False) -> None:
        services = [name for name in names if name.endswith(".service")]
        restarts = manager.properties([(object_path(name), SERVICE, "Restart") for name in services])
        self.found: dict[str, Death] = {}
        # Number of the job with which each is started; what comes of a job, its own result tells.
        self.jobs: dict[str, int] = {}
        self._changes = {
            name: manager.watch_unit(name) for name, how in zip(services, restarts) if how not in (None, "", "no")
        }
        self._armed = set(self._changes) if at_once else set()
        self._known: dict[str, Death] = {}

    @property
    def watches(self) -> bool:
        """Whether there is anything to be noted."""
        return bool(self._changes)

    def look(self) -> bool:
        """Take in what systemd has told; returns whether any service has died. The first death of each is in `found`."""
        for name, changes in self._changes.items():
            news = list(changes)
            del changes[:]
            for _path, (face, values, _invalidated) in news:
                self._take(name, face, {key: value[1] for key, value in values.items()})
        return bool(self.found)

    def _take(self, name: str, face: str, values: dict[str, t.Any]) -> None:
        # Of one change, systemd tells the service's properties first and the unit's after them.
        known = self._known.setdefault(name, Death({}, {}))
        if face != UNIT:
            known.service.update(values)
            return
        begun = known.unit.get("InactiveExitTimestamp")
        if begun and known.unit.get("InvocationID") == values.get("InvocationID"):
            # As it begins to wait for its restart, it leaves `inactive` for a second time in the same invocation.
            values["InactiveExitTimestamp"] = begun
        known.unit.update(values)
        number = (known.unit.get("Job") or (0,))[0]
        if number and number == self.jobs.get(name):
            self._armed.add(name)
            return
        if name not in self._armed or not _is_down(known):
            return
        first = self.found.get(name)
        # As it goes down, systemd tells of the same end several times, and more each time.
        if first is None or first.unit.get("InvocationID") == known.unit.get("InvocationID"):
            self.found[name] = Death(dict(known.unit), dict(known.service))


def _is_down(known: Death) -> bool:
    """Whether it is down for a failure, or to be started again."""
    if str(known.unit.get("SubState", "")).startswith("auto-restart") or known.unit.get("ActiveState") == "failed":
        return True
    state = known.unit.get("ActiveState")
    return (is_down(state) or state == "deactivating") and known.result not in ("", "success")
