# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of very many units: asked for in batches, and refused where the result would be too large."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.no_manager import NoManager
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit import info
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit, without_aliases


class Manager(NoManager):
    """A manager whose units all have the same properties, of so many bytes."""

    def __init__(self, size: int) -> None:
        self.connection = self
        self.value = "x" * size
        self.asked: list[int] = []

    def call_many(self, calls: list[Call]) -> list[t.Any]:
        self.asked.append(len(calls))
        if calls[0].member == "GetAll":
            # The names are new each time, as they are when they come off the wire.
            return [({"".join(["De", "scription"]): ("s", self.value)},) for _call in calls]
        return [(("s", self.value),) for _call in calls]

    def properties(self, wanted: t.Sequence[t.Any]) -> list[t.Any]:
        return [self.value for _each in wanted]


def loaded(count: int) -> list[tuple[UnitStatus, dict[str, t.Any]]]:
    return [
        (UnitStatus(f"u{number}.service", "", "loaded", "active", "running", "", f"/u{number}", 0, "", "/"), {})
        for number in range(count)
    ]


@pytest.mark.parametrize(("names", "calls"), [(["all"], 2), (["Description"], 1)])
def test_in_batches(names: list[str], calls: int) -> None:
    manager, units = Manager(10), loaded(250)
    info._add_properties(manager, units, names)
    assert manager.asked == [100 * calls, 100 * calls, 50 * calls]
    assert all(entry["properties"] == {"Description": "x" * 10} for _status, entry in units)


def test_names_take_their_place_once() -> None:
    units = loaded(2)
    info._add_properties(Manager(1), units, ["all"])
    (first,), (second,) = (entry["properties"] for _status, entry in units)
    assert first is second


@pytest.mark.parametrize("names", [["all"], ["Description"]])
def test_a_result_that_would_be_too_large_is_refused_at_the_first_batch(names: list[str]) -> None:
    manager = Manager(10_000)
    with pytest.raises(BadInput, match=r"^properties: those of 5000 units would be about 50 MB, more than the 16 MB"):
        info._add_properties(manager, loaded(5000), names)
    assert len(manager.asked) == 1


def test_a_few_units_may_have_much() -> None:
    info._add_properties(Manager(1_000_000), loaded(10), ["all"])
    with pytest.raises(BadInput, match=r"those of 20 units"):
        info._add_properties(Manager(1_000_000), loaded(20), ["all"])


@pytest.mark.parametrize(
    ("directive", "meant"),
    [
        ("CPUQuota", "CPUQuotaPerSecUSec for"),
        ("TimeoutStartSec", "TimeoutStartUSec for"),
        ("ConditionPathExists", "Conditions for"),
        ("OnCalendar", "TimersCalendar for"),
        ("OnBootSec", "TimersMonotonic for"),
        ("Descripton", "Description for"),
        ("Xyzzy", ""),
    ],
)
def test_the_property_that_is_meant(directive: str, meant: str) -> None:
    class Knows:
        def all_properties(self, wanted: list[t.Any]) -> list[dict[str, t.Any]]:
            names = ("CPUQuotaPerSecUSec", "TimeoutStartUSec", "Conditions", "TimersCalendar", "TimersMonotonic", "Description")
            return [dict.fromkeys(names) for _each in wanted]

        def properties(self, wanted: list[t.Any]) -> list[t.Any]:
            return [None for _each in wanted]

        def manager_property(self, _name: str) -> str:
            return "252"

    with pytest.raises(BadInput) as caught:
        info._add_properties(t.cast(t.Any, Knows()), loaded(1), [directive])
    assert ("did you mean" in caught.value.msg) is bool(meant)
    assert meant in caught.value.msg


def test_units_are_listed_once() -> None:
    def unit(name: str, of: str = "") -> Unit:
        it = Unit(name, None)
        it.alias_of = of
        return it

    ssh, sshd, other, nick = unit("ssh.service"), unit("sshd.service", "ssh.service"), unit("n1.service", "far.service"), unit("n2.service", "far.service")
    assert without_aliases([ssh, sshd], ["*.service"]) == [ssh]
    assert without_aliases([sshd, ssh], ["ssh*"]) == [ssh]
    assert without_aliases([ssh, sshd], ["*.service", "sshd.service"]) == [ssh, sshd]
    assert without_aliases([other, nick], ["n*"]) == [other]
