# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that are marked as in need of a restart, and restarted by one call (EnqueueMarkedJobs, systemd 248 and later).

Systemd then has all jobs in its queue before it carries out the first of them, and so keeps to the order of the units; of calls one by
one, the first job may have begun when the last one comes.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import MANAGER, MANAGER_PATH, UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued

# What `manager.py` makes.
Manager = t.Any


def restart_marked(manager: Manager, names: t.Sequence[str]) -> list[Enqueued]:
    """Have units that run be restarted together; in the order of the names, what became of each.

    Where this version knows no marks, or somebody has marked other units, which is not to be acted on here, they get their jobs
    one by one.

    :raises SystemdError: systemd was replaced meanwhile, and it is not known what took place.
    """
    statuses = manager.list_units()
    marks = manager.properties([(status.path, UNIT, "Markers") for status in statuses])
    others = any(found for status, found in zip(statuses, marks) if status.id not in names)
    jobs: dict[str, Enqueued] = {}
    if statuses and not others and None not in marks:
        refused = manager.set_properties([(name, [("Markers", ("as", ["+needs-restart"]))]) for name in names], True)
        if any(refused):
            manager.set_properties([(name, [("Markers", ("as", []))]) for name in names], True)
        else:
            jobs = _enqueue(manager)
    left = [name for name in names if name not in jobs]
    # Of what did not get a job there, this says why.
    again = dict(zip(left, manager.enqueue([(name, "try-restart") for name in left]))) if left else {}
    return [jobs.get(name) or again[name] for name in names]


def _enqueue(manager: Manager) -> dict[str, Enqueued]:
    """The jobs of all marked units, by unit; those that it got, where some were refused."""
    manager._hold_code()
    manager.watch_jobs()
    begun = time.monotonic()
    (reply,) = manager.tell([Call(MANAGER_PATH, MANAGER, "EnqueueMarkedJobs")])
    units = {job["id"]: job["unit"] for job in manager.list_jobs()}
    # Those that have ended by now.
    units.update((number, unit) for _path, (number, _object, unit, _result) in manager._removed or ())
    found: dict[str, Enqueued] = {}
    for path in () if isinstance(reply, CallFailed) else reply[0]:
        number = path.rpartition("/")[2]
        unit = units.get(int(number)) if is_digits(number) else None
        if unit:
            found[unit] = Enqueued(unit, manager._job(path, unit, "try-restart", begun))
    return found
