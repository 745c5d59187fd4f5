# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What units are and become: ActiveState, types of jobs, and the interface of each type of unit.

The groups of states are systemd's own (unit-def.h): UNIT_IS_ACTIVE_OR_RELOADING, UNIT_IS_ACTIVE_OR_ACTIVATING and
UNIT_IS_INACTIVE_OR_FAILED. `refreshing` is of later versions, and no version without it has a state of that name.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import BUS_NAME
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import unit_type

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed

_ACTIVE = ("active", "reloading", "refreshing")
_UP = (*_ACTIVE, "activating")
_DOWN = ("inactive", "failed")
_CHANGING = ("activating", "deactivating", "reloading", "refreshing")
# Those that every version has.
COMMON_STATES = ("active", "reloading", "activating", "deactivating", *_DOWN)


class UnitStatus(t.NamedTuple):
    """One row of ListUnits: what a loaded unit is doing now."""

    id: str
    description: str
    load_state: str
    active_state: str
    sub_state: str
    following: str
    path: str
    job_id: int
    job_type: str
    job_path: str


class Job(t.NamedTuple):
    """A job in systemd's queue: its number and path, the unit, and its type as systemd spells it."""

    id: int
    path: str
    unit: str
    type: str


class Enqueued(t.NamedTuple):
    """What became of asking for a job of a unit: the job, or why systemd refused it."""

    unit: str
    job: Job | None = None
    error: CallFailed | None = None


def is_active(state: str | None) -> bool:
    """Whether an ActiveState says that the unit runs: active, reloading or refreshing."""
    return state in _ACTIVE


def is_up(state: str | None) -> bool:
    """Whether an ActiveState says that the unit runs or is about to: active, reloading, refreshing or activating."""
    return state in _UP


def is_down(state: str | None) -> bool:
    """Whether an ActiveState says that nothing of the unit is there any more: inactive or failed."""
    return state in _DOWN


def is_changing(state: str | None) -> bool:
    """Whether an ActiveState is one that a unit leaves by itself: it starts, stops, reloads or refreshes."""
    return state in _CHANGING


def runs(status: t.Any) -> bool:
    """Whether a unit runs or is about to, and not only waits to be restarted after a failure.

    :param status: has `active_state` and `sub_state`, as systemd names them.
    """
    return is_active(status.active_state) or (
        status.active_state == "activating" and not status.sub_state.startswith("auto-restart")
    )


def brings_up(job: str) -> bool:
    """Whether a unit is to run after a job of this type; a type is the D-Bus name of it, such as `try-restart`."""
    return job != "stop"


def interface_of(name: str) -> str:
    """The D-Bus interface that a unit has for its type: `org.freedesktop.systemd1.Service` for a `.service`."""
    return f"{BUS_NAME}.{unit_type(name).capitalize()}"


def jobs_of(enqueued: t.Iterable[Enqueued]) -> list[Job]:
    """Those jobs that systemd did not refuse."""
    return [each.job for each in enqueued if each.job is not None]
