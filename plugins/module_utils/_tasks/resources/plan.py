# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for resource properties: from what is and what is wanted to what has to be done about each."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.properties import (
    LASTING,
    ControlDirectories,
    RemoveDropIns,
    SetProperties,
    Setting,
    control_file,
    control_files,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Reload, ReloadIfStale
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.cgroup_values import (
    agrees,
    attribute_of,
    controller_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import (
    PROPERTIES,
    drop_in_lines,
    from_texts,
    same,
    shown,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus, is_up
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import Assignment, UnitFiles

# What systemd tells the kernel only when it starts a unit.
_FROM_START = ("SocketBindAllow", "SocketBindDeny", "RestrictNetworkInterfaces")
# What ProtectClock=, RootImage=, MountImages= and credentials add to the devices that are allowed.
_IMPLIED_DEVICES = frozenset(
    ("char-rtc", "/dev/loop-control", "/dev/mapper/control", "block-loop", "block-blkext", "block-device-mapper")
    + ("/dev/tpmrm0", "char-tpm", "/dev/fuse")
)


# Limits that a unit can be above already, and what comes of that.
_CONSEQUENCES = {
    "MemoryMax": "the kernel takes back what it only remembers of files, and kills processes where that is not enough",
    "MemoryHigh": "the kernel takes back what it only remembers of files, and slows the processes down where that is not enough",
    "MemorySwapMax": "what is in swap stays there, and no more goes there",
    "TasksMax": "it cannot make any more processes or threads",
}


# What no kernel that has the controller takes otherwise than it is told.
_TAKEN_AS_THEY_ARE = ("CPUQuota", "CPUQuotaPeriodSec", "MemoryHigh", "MemoryMax", "MemorySwapMax", "TasksMax")


class Unset:
    """The wish that a property be what the unit's files say without us."""


UNSET = Unset()


class Unreadable(str):
    """A text in a unit file that this collection cannot read, such as one with specifiers; it equals nothing."""


class Subject:
    """One unit: what systemd has loaded, and what its files say.

    :param live: property -> canonical value.
    :param texts: property -> what the files assign to it, in order; `lasting` without what the next boot takes away.
    """

    def __init__(self, status: UnitStatus, live: dict[str, t.Any], control_group: str) -> None:
        self.id = status.id
        self.status = status
        self.live = live
        self.control_group = control_group
        self.fragment = ""
        self.private_devices = False
        self.texts: dict[str, list[Assignment]] = {}
        self.lasting: dict[str, list[Assignment]] = {}
        # Property -> what the kernel has: the attribute's text, and the canonical value.
        self.kernel: dict[str, tuple[str | None, t.Any]] = {}
        # How much the unit has of what a property limits; None where nobody knows. Only who sets a limit asks.
        self.in_use: t.Callable[[str], int | None] = lambda name: None

    @property
    def is_transient(self) -> bool:
        """Whether it was made at run time, so that it is gone when it ends."""
        return self.fragment.rpartition("/")[0].endswith("/transient") or self.id.endswith(".scope")

    def is_so(self, name: str, value: t.Any) -> bool:
        """Whether systemd has loaded this value, not counting what it adds of itself.

        PrivateDevices= makes of DevicePolicy=auto `closed`, and some settings add what they need to DeviceAllow=
        (systemd.exec(5)); no file says either.
        """
        live = self.live[name]
        if same(live, value):
            return True
        if name == "DevicePolicy":
            return bool(self.private_devices and (live, value) == ("closed", "auto"))
        if name == "DeviceAllow" and isinstance(value, tuple):
            return set(live) >= set(value) and {path for path, _modes in set(live) - set(value)} <= _IMPLIED_DEVICES
        return False

    @property
    def is_up(self) -> bool:
        return is_up(self.status.active_state)


class Host:
    """What the planner knows beside the units: directories, files, the manager's defaults and version."""

    def __init__(
        self, files: UnitFiles, directories: ControlDirectories, defaults: dict[str, t.Any], version: str
    ) -> None:
        self.files = files
        self.directories = directories
        self.defaults = defaults
        self.version = version
        # The controllers that limits of this manager's units have; None where that is not known.
        self.controllers: t.Container[str] | None = None
        # What texts come to, by property and texts; those of many units are alike.
        self._values: dict[tuple[str, ...], t.Any] = {}

    def file_value(self, subject: Subject, name: str, texts: dict[str, list[Assignment]]) -> t.Any:
        """What files come to: a canonical value, Unreadable, or None where only systemd knows the default."""
        found = texts.get(name)
        if found:
            key = (name, *[assignment.text for assignment in found])
            if key not in self._values:
                try:
                    self._values[key] = from_texts(name, key[1:])
                except BadInput:
                    self._values[key] = Unreadable(found[-1].text)
            value = self._values[key]
            if isinstance(value, Unreadable):
                return value
        else:
            value = PROPERTIES[name].default
        if value is None:
            if name == "TasksMax" and subject.id.endswith(".slice"):
                return INFINITY
            return self.defaults.get(name)
        return value


class Decision(t.NamedTuple):
    """What becomes of one property of one unit.

    :param value: the canonical value to be set, or None where systemd will find it out itself.
    :param set: whether a value is set; otherwise drop-ins are removed, and a daemon-reload does the rest.
    :param remove: paths of drop-ins that have to go.
    """

    name: str
    value: t.Any
    set: bool
    remove: tuple[str, ...] = ()
    warning: str = ""


def decide(subject: Subject, name: str, wanted: t.Any, persist: str, host: Host) -> Decision | None:
    """What has to be done about one property; None where it is as wanted.

    :param wanted: a canonical value, or UNSET.
    :param persist: `true`, `runtime` or `false`.
    :raises BadInput: it cannot be as wanted, since a file that is read later says something else.
    """
    if persist == "true" and subject.is_transient:
        if decide(subject, name, wanted, "runtime", host) is None:
            return None
        raise BadInput(
            f"persist: {subject.id} was made at run time and is gone when it ends, so nothing of it can last; "
            "use `persist: runtime`"
        )
    if persist == "false":
        value = host.file_value(subject, name, subject.texts) if wanted is UNSET else wanted
        if value is None or isinstance(value, Unreadable) or subject.is_so(name, value):
            return None
        return Decision(name, value, True)
    directories = host.directories
    if subject.is_transient:
        places = [directories.transient]
    elif persist == "true":
        places = [directories.persistent, directories.runtime]
    else:
        places = [directories.runtime]
    if wanted is UNSET:
        ours = _control_paths(subject, name, places)
        there = tuple(path for path in ours if host.files.own(path, subject.id, name) is not None)
        value = host.file_value(
            subject, name, host.files.assignments(subject.id, gone=there) if there else subject.texts
        )
        if not there and (value is None or isinstance(value, Unreadable) or subject.is_so(name, value)):
            return None
        return Decision(name, value, False, there)
    now = host.file_value(subject, name, subject.texts)
    after_boot = now if subject.lasting is subject.texts else host.file_value(subject, name, subject.lasting)
    if same(now, wanted) and (persist == "runtime" or same(after_boot, wanted)):
        return None if subject.is_so(name, wanted) else Decision(name, wanted, True)
    path = f"{places[0]}/{subject.id}.d/{control_file(name)}"
    lines = [(name, line.partition("=")[2]) for line in drop_in_lines(name, wanted)]
    ours = _control_paths(subject, name, places)
    there = tuple(p for p in ours if p != path and host.files.own(p, subject.id, name) is not None)
    # Other drop-ins of systemctl's own go only where they would be in the way.
    for gone in ((), there) if there else ((),):
        then = host.files.assignments(subject.id, gone=gone, put=path, lines=lines)
        lasting = host.files.assignments(subject.id, True, gone, path, lines) if persist == "true" else then
        if all(same(host.file_value(subject, name, texts), wanted) for texts in (then, lasting)):
            return Decision(name, wanted, True, gone)
    last = [texts[name][-1].path for texts in (then, lasting) if texts.get(name)]
    winner = next((each for each in last if each != path), "a file")
    if persist == "true":
        raise BadInput(
            f"properties: {name}: {winner} sets it too for {subject.id} and is read later than "
            f"{path}, so that {shown(name, wanted)} would be gone with the next daemon-reload; change that file, "
            "or use `persist: false`"
        )
    if subject.is_so(name, wanted) and host.files.own(path, subject.id, name) is not None:
        return None
    warning = f"{name} of {subject.id} lasts until the next daemon-reload only, since {winner} sets it too"
    return Decision(name, wanted, True, warning=warning)


def _control_paths(subject: Subject, name: str, places: t.Sequence[str]) -> list[str]:
    """Where systemd keeps what is set of a property, in each of these directories of unit files."""
    return [f"{place}/{subject.id}.d/{file}" for place in places for file in control_files(name)]


def plan_resources(
    subjects: t.Sequence[Subject],
    wanted: dict[str, t.Any],
    persist: str,
    host: Host,
    trial: t.Callable[[list[Setting]], Step] | None = None,
) -> Plan:
    """The plan for all units.

    :param wanted: property -> canonical value or UNSET.
    :param trial: makes the step that watches the units before anything becomes lasting.
    :raises BadInput: something cannot be as wanted; nothing has been changed then.
    """
    changes: list[Change] = []
    warnings: list[str] = []
    lasting: list[Setting] = []
    tried: list[Setting] = []
    back: list[Setting] = []
    removed: list[str] = []
    mended: list[Setting] = []
    # Whether some of it lasts until the next daemon-reload only, which this task then must not make.
    reload = fleeting = False
    later: dict[str, list[str]] = {}
    tight: list[tuple[Subject, dict[str, t.Any]]] = []
    mode = {"true": "persistent", "runtime": "runtime", "false": "live"}[persist]
    for subject in subjects:
        decisions = [d for name, value in wanted.items() if (d := decide(subject, name, value, persist, host))]
        drifted = _drifted(subject, [name for name in wanted if name not in {d.name for d in decisions}])
        if drifted:
            volatile = host.directories.transient if subject.is_transient else host.directories.runtime
            mended.append(Setting(subject.id, volatile, volatile, subject.live, drifted))
            texts = [f"{name}={shown(name, value)}" for name, value in drifted.items()]
            before = [f"{text} ({attribute_of(name)} is {subject.kernel[name][0]!r})" for name, text in zip(drifted, texts)]
            changes.append(Change(subject.id, ", ".join(before), ", ".join(texts)))
        if not decisions:
            continue
        _refuse_idle(subject, decisions, persist, trial is not None)
        places = host.directories
        volatile = places.transient if subject.is_transient else places.runtime
        directory = volatile if mode != "persistent" else places.persistent
        sets = {d.name: d.value for d in decisions if d.set}
        if subject.is_up:
            tight.append((subject, {name: value for name, value in sets.items() if name in _CONSEQUENCES}))
        known = {d.name: d.value for d in decisions if d.value is not None and not isinstance(d.value, Unreadable)}
        if sets:
            lasting.append(Setting(subject.id, directory, volatile, subject.live, sets))
        freed = {d.name: known[d.name] for d in decisions if not d.set and d.name in known}
        if freed and subject.is_up:
            back.append(Setting(subject.id, volatile, volatile, subject.live, freed))
        if known:
            tried.append(Setting(subject.id, volatile, volatile, subject.live, known))
        removed += [path for d in decisions for path in d.remove]
        reload = reload or any(d.remove or not d.set for d in decisions)
        warnings += [d.warning for d in decisions if d.warning]
        fleeting = fleeting or any(d.warning for d in decisions)
        for decision in decisions:
            if decision.name in _FROM_START and subject.is_up:
                later.setdefault(decision.name, []).append(subject.id)
        changes.append(_change(subject, decisions, persist, host))
    warnings += [
        f"{name} takes effect when {short(units)} {'is' if len(units) == 1 else 'are'} started next"
        for name, units in later.items()
    ]
    steps: list[Step] = [SetProperties(mended, "live", "tell the kernel")] if mended else []
    if trial is not None and tried:
        watch = trial(tried)
        steps += [SetProperties(tried, "live", first=getattr(watch, "begin", None)), watch]
    elif back:
        # The daemon-reload alone would leave the kernel's filter of addresses and devices as it is.
        steps.append(SetProperties(back, "live", "take back"))
    setting = None
    if lasting and not (tried and trial is not None and mode == "live"):
        setting = SetProperties(lasting, mode)
        steps.append(setting)
    if removed:
        steps.append(RemoveDropIns(list(dict.fromkeys(removed))))
    if reload:
        steps.append(Reload())
    elif fleeting or mode == "live":
        pass
    elif trial is not None and tried:
        steps.append(ReloadIfStale([each.unit for each in tried]))
    elif setting is not None:
        # Systemd notes a drop-in that it writes after those that are there, wherever its name would have it; whoever looks for
        # units that are to be read again, or restarted for that, would take this one for such.
        steps.append(ReloadIfStale(setting.names, setting.stale))
    plan = Plan(steps, changes)
    plan.warnings += warnings + _hollow(subjects, wanted, host, trial is not None) + _tight(tight)
    return plan


def _hollow(subjects: t.Sequence[Subject], wanted: dict[str, t.Any], host: Host, trial: bool) -> list[str]:
    """Warnings of limits that nobody enforces: systemd takes them, and the kernel has no controller for them here."""
    if host.controllers is None or not subjects:
        return []
    missing: dict[str, list[str]] = {}
    for name, value in wanted.items():
        controller = controller_of(name)
        if controller and controller not in host.controllers and value is not UNSET and value != PROPERTIES[name].default:
            missing.setdefault(controller, []).append(name)
    also = ", and a trial says nothing of it" if trial else ""
    return [
        f"nothing enforces {', '.join(names)} here: the {controller} controller is not there for this manager "
        f"(cgroup.controllers){also}; enable it in the kernel or container, or delegate it to the user's manager (Delegate=)"
        for controller, names in missing.items()
    ]


def _tight(tried: t.Sequence[tuple[Subject, dict[str, t.Any]]]) -> list[str]:
    """Warnings of limits below what running units use at this moment."""
    return [
        f"{name}={shown(name, value)} is less than what {subject.id} uses now ({shown(name, used)}); {_CONSEQUENCES[name]}"
        for subject, values in tried
        for name, value in values.items()
        if (used := subject.in_use(name) or 0) > value
    ]


class _Expected(Step):
    """In check mode: what a real run would set for units that an earlier task makes."""

    def __init__(self, names: t.Sequence[str], what: str) -> None:
        super().__init__(names)
        self._what = what

    def describe(self) -> str:
        return f"set {self._what} of {short(self.names)}"


def foretell(plan: Plan, units: t.Sequence[str], wanted: dict[str, t.Any], persist: str) -> None:
    """Add what becomes of units that are not there yet, and that check mode expects of earlier tasks."""
    values = {name: value for name, value in wanted.items() if value is not UNSET}
    if not units or not values:
        return
    lasting = LASTING[{"true": "persistent", "runtime": "runtime", "false": "live"}[persist]]
    told = ", ".join(f"{name}={shown(name, value)}" for name, value in values.items())
    plan.steps.append(_Expected(units, ", ".join(values)))
    plan.changes += [Change(name, "not found", f"{told} ({lasting})") for name in units]


def _drifted(subject: Subject, names: t.Sequence[str]) -> dict[str, t.Any]:
    """Limits that systemd no longer has and the kernel still enforces, or the other way round, with what systemd has.

    A daemon-reload forgets what was set live and tells the kernel nothing. Only limits that every kernel takes as they are: what
    it refuses (CPUs that are not there) would be told it for ever.
    """
    if not subject.is_up:
        return {}
    return {
        name: subject.live[name]
        for name in names
        if name in _TAKEN_AS_THEY_ARE and not agrees(name, subject.live[name], subject.kernel[name][1])
    }


def _refuse_idle(subject: Subject, decisions: t.Sequence[Decision], persist: str, trial: bool) -> None:
    names = ", ".join(d.name for d in decisions)
    if subject.is_up:
        return
    state = f"{subject.status.active_state} ({subject.status.sub_state})"
    if trial:
        raise BadInput(
            f"trial: {subject.id} is {state}, so that {names} cannot be tried on it; start it first, "
            "or leave out `trial`"
        )
    if persist == "false":
        raise BadInput(
            f"persist: {subject.id} is {state}, and systemd would forget {names} at once; "
            "use `persist: runtime` or `persist: true`"
        )


def _change(subject: Subject, decisions: t.Sequence[Decision], persist: str, host: Host) -> Change:
    before, after = [], []
    for decision in decisions:
        name, live = decision.name, subject.live[decision.name]
        files = host.file_value(subject, name, subject.texts if persist != "true" else subject.lasting)
        aside = ""
        if files is not None and not subject.is_so(name, files):
            aside = f" ({shown_or_text(name, files)} in files)"
        before.append(f"{name}={shown(name, live)}{aside}")
        after.append(f"{name}={shown_or_text(name, decision.value)}")
    lasting = {"true": "persistent", "runtime": "runtime", "false": "live"}[persist]
    return Change(subject.id, ", ".join(before), f"{', '.join(after)} ({LASTING[lasting]})")


def shown_or_text(name: str, value: t.Any) -> str:
    """A canonical value, or an unreadable one, for people."""
    return str(value) if isinstance(value, Unreadable) else shown(name, value)
