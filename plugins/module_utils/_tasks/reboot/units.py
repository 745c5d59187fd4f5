# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units before a reboot and after it: which of them are expected back, which are worse, and why."""

from __future__ import annotations

import fnmatch
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import user_entry
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import SERVICE, UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import lingers
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    instance_of,
    python_pattern,
    template_of,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import (
    UnitStatus,
    is_active,
    is_down,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

    class Before(t.TypedDict):
        """What is kept of the units over a reboot, by name."""

        active: list[str]
        failed: list[str]

    class Lost(t.TypedDict):
        """A unit that was active and is not."""

        name: str
        load_state: str
        active_state: str
        sub_state: str
        unit_file_state: str
        # In words.
        reason: str


# What does something. Targets and slices are there as what is in them asks for it, scopes and devices come and go.
_TYPES = ("service", "socket", "timer", "path", "mount", "automount", "swap")
# Files there are gone after a reboot, and the units with them.
_VOLATILE = ("/run/systemd/system/", "/run/systemd/transient/")
# They are there while a user is logged in.
_OF_USERS = ("user@.service", "user-runtime-dir@.service")
# What has a unit started at boot, rather than when it is needed.
_PULLS = ("WantedBy", "RequiredBy", "BoundBy", "UpheldBy")


class Facts(t.NamedTuple):
    """What of a unit says whether it comes back by itself."""

    file: str
    transient: bool
    triggered: bool
    pulled: bool
    # The name on the bus that a call of it starts the service by.
    bus_name: str


def expected(name: str, facts: Facts, stays: t.Callable[[str], bool]) -> bool:
    """Whether a unit that is active has to be so after a reboot.

    Not so of what has no file that stays, and of what is only started when it is needed: by a socket, a timer, a path, or a call
    on the bus. What was started by hand and nothing starts at boot is expected: that it is lost is worth knowing.

    :param stays: whether the manager of a user, by number, runs without a login.
    """
    if facts.transient or not facts.file or facts.file.startswith(_VOLATILE):
        return False
    if template_of(name) in _OF_USERS:
        return stays(instance_of(name))
    return facts.pulled or not (facts.triggered or facts.bus_name)


def look_before(manager: UnitManager) -> Before:
    """What the units of a manager do, of those that are expected back."""
    units = manager.list_units()
    active = [each for each in units if is_active(each.active_state) and unit_type(each.id) in _TYPES]
    wanted = []
    for each in active:
        wanted += [(each.path, UNIT, name) for name in ("FragmentPath", "Transient", "TriggeredBy", *_PULLS)]
        wanted.append((each.path, SERVICE, "BusName"))
    values = manager.properties(wanted)
    width = 4 + len(_PULLS)
    names = []
    for at, each in enumerate(active):
        file, transient, triggers, *pulls, bus_name = values[width * at : width * (at + 1)]
        facts = Facts(file or "", bool(transient), bool(triggers), any(pulls), bus_name or "")
        if expected(each.id, facts, _stays):
            names.append(each.id)
    return {"active": names, "failed": [each.id for each in units if each.active_state == "failed"]}


def _stays(uid: str) -> bool:
    try:
        return lingers(user_entry(uid).pw_name)
    except KeyError:
        return False


class Worse(t.NamedTuple):
    """What is not as it was: units that were active and are not, and others that have failed since."""

    lost: list[UnitStatus]
    failed: list[UnitStatus]

    def __bool__(self) -> bool:
        return bool(self.lost or self.failed)

    @property
    def settled(self) -> bool:
        """Whether nothing of it gets better by itself, as far as systemd can tell: no job is about it."""
        return not any(each.job_id or _starts(each) for each in (*self.lost, *self.failed))


def _starts(status: UnitStatus) -> bool:
    return status.active_state == "activating" and not status.sub_state.startswith("auto-restart")


def compare(before: Before, units: t.Sequence[UnitStatus], named: t.Sequence[UnitStatus], ignored: t.Sequence[str]) -> Worse:
    """What of units is worse than it was.

    :param units: all that systemd has in memory.
    :param named: those that were active, in this order.
    :param ignored: patterns of units that do not matter.
    """
    patterns = [python_pattern(each) for each in ignored]

    def matters(name: str) -> bool:
        return not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    lost = [
        status
        for name, status in zip(before["active"], named)
        if not is_active(status.active_state) and matters(name) and matters(status.id)
    ]
    # Those that failed come first: the others may only have waited for them.
    lost.sort(key=lambda status: (status.active_state != "failed", status.id))
    known = {*before["failed"], *(status.id for status in lost)}
    return Worse(lost, [each for each in units if each.active_state == "failed" and each.id not in known and matters(each.id)])


def look_after(manager: UnitManager, before: Before, ignored: t.Sequence[str]) -> Worse:
    """What is worse now than it was.

    A oneshot that has conditions and is down may have been skipped by them, as those are that run at the first boot or after an
    update: that is no loss, and systemd has forgotten which it was.
    """
    found = compare(before, manager.list_units(), manager.status(before["active"]), ignored)
    down = [each for each in found.lost if each.active_state == "inactive" and unit_type(each.id) == "service"]
    wanted = []
    for each in down:
        wanted += [(each.path, SERVICE, "Type"), (each.path, UNIT, "Conditions")]
    values = manager.properties(wanted) if wanted else []
    skipped = {each.id for at, each in enumerate(down) if values[2 * at] == "oneshot" and values[2 * at + 1]}
    return found._replace(lost=[each for each in found.lost if each.id not in skipped])


def reason(status: UnitStatus, unit_file_state: str, missing: t.Sequence[str], unmet: bool, ran: bool) -> str:
    """Why a unit that was active is not, in words that follow its name.

    :param missing: units that it requires, and which are down.
    :param unmet: whether a condition kept it from being started.
    :param ran: whether it was started since the boot.
    """
    if status.load_state != "loaded":
        return {"not-found": "has no unit file any more", "masked": "is masked"}.get(
            status.load_state, f"cannot be loaded ({status.load_state})"
        )
    if status.active_state == "failed":
        return "has failed"
    if not is_down(status.active_state):
        return f"is {status.active_state} ({status.sub_state})"
    if missing:
        return f"was not started, because {', '.join(missing)}, which it requires, is not up"
    if unmet:
        return "was skipped: a condition of it is not met"
    if ran:
        return "was started, and has ended"
    if unit_file_state in ("disabled", "static", "indirect", "linked", ""):
        return f"was not started: nothing starts it at boot (it is {unit_file_state or 'not enabled'})"
    return f"was not started, though it is {unit_file_state}"
