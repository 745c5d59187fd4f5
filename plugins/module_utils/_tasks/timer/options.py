# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers as a task asks for them: options checked and turned into unit files, and when two files mean the same. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import Calendar, Part, parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_range
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    check_file_name,
    check_name,
    is_template,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import NO, YES
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import join_command, split_program
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.marker import check_marker, head
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.marker import marker_of as _marker_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText, parse, render
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import INFINITY, parse_timespan

MONOTONIC = ("OnActiveSec", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec")
EVENTS = ("OnClockChange", "OnTimezoneChange")
SPANS = ("AccuracySec", "RandomizedDelaySec")
SWITCHES = ("FixedRandomDelay", "Persistent", "WakeSystem", "RemainAfterElapse")
_TRIGGERS = ("OnCalendar", *MONOTONIC)

# Options of one timer; documented in plugins/modules/timer.py.
TIMER_ARGUMENTS: dict[str, t.Any] = {
    "description": {"type": "str"},
    **{name: {"type": "raw"} for name in _TRIGGERS},
    **{name: {"type": "bool"} for name in EVENTS},
    **{name: {"type": "str"} for name in SPANS},
    **{name: {"type": "bool"} for name in SWITCHES},
    "timer": {"type": "dict"},
    "command": {"type": "raw"},
    "service": {"type": "dict"},
    "unit": {"type": "str"},
    "enabled": {"type": "bool"},
    "started": {"type": "bool"},
    "state": {"type": "str", "choices": ["present", "absent"]},
}

_SHELL_WORDS = ("|", "||", "&", "&&", ">", ">>", "<", "<<", "2>&1")

Sections = t.Dict[str, t.Dict[str, t.Any]]


class TimerWish:
    """One timer as a task asks for it, its options checked.

    `name` and `service` are the names of the timer and of the service of the same name, `unit` that of what the timer
    starts. `timer_sections` and `service_sections` are the unit files; the latter is None where the unit is somebody
    else's. `where` stands before the names of options in errors.
    """

    def __init__(self, options: t.Mapping[str, t.Any], where: str = "") -> None:
        self.where = where
        self.name = check_timer_name(options["name"], f"{where}name")
        self.service = self.name[: -len("timer")] + "service"
        self.unit = self.service
        self.absent = options.get("state") == "absent"
        self.enabled = options.get("enabled") is not False
        self.started: bool | None = options.get("started")
        self.purged = False
        self.warnings: list[str] = []
        self.calendars: list[Calendar] = []
        self.spans: list[tuple[str, int]] = []
        self.timer_sections: Sections = {}
        self.service_sections: Sections | None = None
        if self.absent:
            return
        timer = _sections(options.get("timer"), "Timer", f"{where}timer")
        self._what(options)
        self._when(options, timer)

    def _what(self, options: t.Mapping[str, t.Any]) -> None:
        """What the timer starts: a service of ours, or a unit that is there."""
        where, command, unit = self.where, options.get("command"), options.get("unit")
        if unit is not None:
            for other in ("command", "service"):
                if options.get(other) is not None:
                    raise BadInput(
                        f"{where}{other}: {where}unit names a unit that has its own definition; leave out `{other}`, or `unit`"
                    )
            self.unit = check_name(unit, f"{where}unit")
            if is_template(self.unit):
                raise BadInput(
                    f"{where}unit: {self.unit} is a template; name an instance such as {self.unit.replace('@.', '@1.')}"
                )
            if unit_type(self.unit) == "timer":
                raise BadInput(
                    f"{where}unit: {self.unit} is a timer; name the unit that it shall start, a service mostly"
                )
            return
        sections = _sections(options.get("service"), "Service", f"{where}service")
        service = sections["Service"]
        if command is not None:
            if "ExecStart" in service:
                raise BadInput(f"{where}command: service has ExecStart already; leave out one of the two")
            line = _command(command, f"{where}command")
            self._look_for_a_shell(command, line)
        elif not service.get("ExecStart"):
            raise BadInput(
                f"{where}command: what {self.name} shall run is missing; give `command`, or `service` with ExecStart, "
                "or in `unit` the name of a unit that is there"
            )
        else:
            line = None
        described = {"Description": options["description"]} if options.get("description") is not None else {}
        defaults: dict[str, t.Any] = {} if "Type" in service else {"Type": "oneshot"}
        self.service_sections = {
            "Unit": {**described, **sections.pop("Unit", {})},
            "Service": {**defaults, **({"ExecStart": line} if line is not None else {}), **service},
        }
        for name, directives in sections.items():
            self.service_sections.setdefault(name, directives)

    def _look_for_a_shell(self, command: t.Any, line: str) -> None:
        """Warn of a command that was written for a shell, as crontabs have them."""
        meant = [word for word in line.split() if word in _SHELL_WORDS or word.startswith(("$(", "`", "2>", ">/"))]
        program = split_program(line)[1].rpartition("/")[2]
        if meant and not isinstance(command, (list, tuple)) and not program.endswith("sh"):
            self.warnings.append(
                f"{self.where}command: {meant[0]!r} is handed to {program} as an argument, since no shell is involved; "
                "if one is meant, write a list such as [/bin/sh, -c, 'the command']"
            )

    def _when(self, options: t.Mapping[str, t.Any], sections: Sections) -> None:
        """When the timer elapses, and how."""
        where, more = self.where, sections["Timer"]
        if "Unit" in more:
            raise BadInput(f"{where}timer: what the timer starts is said in `unit` or `command`; leave out Unit")
        timer: dict[str, t.Any] = {}
        for key in (*_TRIGGERS, *EVENTS, *SPANS, *SWITCHES):
            if options.get(key) is None:
                continue
            if key in more:
                raise BadInput(f"{where}timer: {key} is an option already; give it once")
            timer[key] = options[key]
        timer.update(more)
        for key in _TRIGGERS:
            if key in timer:
                texts = _texts(timer[key], key, where)
                timer[key] = texts
                for text in texts:
                    self._trigger(key, text)
        for key in SPANS:
            if key in timer:
                timer[key] = _text(timer[key], f"{where}{key}")
                if parse_timespan(timer[key], f"{where}{key}") == INFINITY and key == "AccuracySec":
                    raise BadInput(f"{where}AccuracySec: with infinity systemd cannot start the timer; write a span such as 1min")
        events = [key for key in EVENTS if truth(timer.get(key))]
        if not self.calendars and not self.spans and not events:
            raise BadInput(
                f"{where}OnCalendar: nothing says when {self.name} shall elapse; give OnCalendar, OnBootSec, OnActiveSec or "
                "another of the On... options"
            )
        self._look_for_doubts(timer, events)
        if self.unit != self.service:
            timer["Unit"] = self.unit
        described = {"Description": options["description"]} if options.get("description") is not None else {}
        self.timer_sections = {
            "Unit": {**described, **sections.pop("Unit", {})},
            "Timer": timer,
            "Install": sections.pop("Install", {"WantedBy": "timers.target"}),
        }
        for name, directives in sections.items():
            self.timer_sections.setdefault(name, directives)

    def _trigger(self, key: str, text: str) -> None:
        option = f"{self.where}{key}"
        if key == "OnCalendar":
            calendar = parse_calendar(text, option)
            self.calendars.append(calendar)
            better = without_open_end(calendar)
            if better is not None:
                what = "midnight" if better.second == calendar.second else "the full hour"
                self.warnings.append(
                    f"{option}: {text!r} does not elapse at {what}, which systemd steps over, as the repetition does not fit "
                    f"into it; write {str(better)!r} if it shall"
                )
        else:
            self.spans.append((key, parse_timespan(text, option)))

    def _look_for_doubts(self, timer: t.Mapping[str, t.Any], events: t.Sequence[str]) -> None:
        relative = [key for key, _span in self.spans if key.startswith("OnUnit")]
        if relative and not self.calendars and not events and len(relative) == len(self.spans):
            self.warnings.append(
                f"{self.where}{relative[0]}: counts from the last run of {self.unit}, and nothing here starts the first one; "
                "add OnBootSec or OnActiveSec, unless something else starts it"
            )
        several = len(self.spans) > 1 or self.calendars or events
        if several and any(key == "OnActiveSec" for key, _span in self.spans):
            self.warnings.append(
                f"{self.where}OnActiveSec: systemd counts it anew from every daemon-reload of the host, so that {self.unit} runs once more that "
                "long after each; OnBootSec does not"
            )
        if truth(timer.get("Persistent")) and not self.calendars:
            self.warnings.append(f"{self.where}Persistent: has an effect on OnCalendar only, which is not given")

    def texts(self, marker: str) -> dict[str, str]:
        """Name and text of each unit file that shall be there."""
        mark = head("timer", marker)
        wanted = {self.name: mark + _render(self.timer_sections, f"{self.where}timer")}
        if self.service_sections is not None:
            wanted[self.service] = mark + _render(self.service_sections, f"{self.where}service")
        return wanted

    def drop_unknown(self, table: t.Mapping[str, t.Mapping[str, str]]) -> list[str]:
        """Leave out the directives that this systemd does not know; returns what is left out, as `[Section] Key=`."""
        dropped = []
        for kind, sections in (("timer", self.timer_sections), ("service", self.service_sections or {})):
            for section in ("Unit", kind.capitalize(), "Install"):
                known = table.get(section, {})
                for key in [key for key in sections.get(section, {}) if key not in known and not key.startswith("X-")]:
                    del sections[section][key]
                    dropped.append(f"[{section}] {key}=")
        return dropped

    def programs(self) -> list[tuple[str, str, str]]:
        """`(option, prefixes, program)` of each command that the service begins with."""
        service = (self.service_sections or {}).get("Service", {})
        if any(service.get(key) for key in ("RootDirectory", "RootImage", "MountImages", "ExtensionImages")):
            # They are in another tree.
            return []
        lines = service.get("ExecStart") or []
        lines = lines if isinstance(lines, list) else [lines]
        return [(f"{self.where}command", *split_program(line.strip())) for line in lines if isinstance(line, str)]

    def search_path(self) -> list[str]:
        """The directories of ExecSearchPath, empty where systemd's own are searched."""
        value = (self.service_sections or {}).get("Service", {}).get("ExecSearchPath") or []
        return [
            part for item in ([value] if isinstance(value, str) else value) for part in str(item).split(":") if part
        ]

    def accounts(self) -> list[tuple[str, str]]:
        """`(User or Group, name)` of the accounts that the service runs as and that have to be there."""
        service = (self.service_sections or {}).get("Service", {})
        if truth(service.get("DynamicUser")) or service.get("RootDirectory") or service.get("RootImage"):
            return []
        named = [(key, str(service[key]).strip()) for key in ("User", "Group") if service.get(key) is not None]
        return [(key, name) for key, name in named if name and "%" not in name]

    def devices(self) -> list[tuple[str, str]]:
        """`(directive, path)` of the devices whose input and output are limited, and that have to be there."""
        service = (self.service_sections or {}).get("Service", {})
        if service.get("RootDirectory") or service.get("RootImage"):
            return []
        found = []
        for key, value in service.items():
            if key.startswith(("IORead", "IOWrite", "IODevice", "BlockIORead", "BlockIOWrite", "BlockIODevice")):
                paths = [str(item).split()[:1] for item in (value if isinstance(value, list) else [value])]
                found += [(key, path[0]) for path in paths if path and path[0].startswith("/") and "%" not in path[0]]
        return found

    @property
    def since_boot(self) -> bool:
        """Whether it has a trigger that is over when the timer is started late, and elapses at once then."""
        return any(key in ("OnBootSec", "OnStartupSec") for key, _span in self.spans)

    @property
    def persistent(self) -> bool:
        """Whether missed elapses are made up for."""
        return truth(self.timer_sections.get("Timer", {}).get("Persistent"))

    def installs(self) -> Sections:
        """The [Install] section of the timer."""
        return self.timer_sections.get("Install", {})


def read_wishes(params: t.Mapping[str, t.Any]) -> list[TimerWish]:
    """The timers that a module's options ask for.

    :raises BadInput: an option cannot be used, or contradicts another.
    """
    check_marker(params["marker"])
    check_next(params["next"])
    several = params["timers"]
    if several is None:
        if params["purge"]:
            raise BadInput(
                "purge: would remove every other timer of this marker; list all that shall stay in `timers`, or leave out `purge`"
            )
        return [_check_length(TimerWish(params))]
    for option in TIMER_ARGUMENTS:
        if params.get(option) is not None:
            raise BadInput(f"{option}: with `timers`, this belongs into each item of the list")
    wishes = [TimerWish(options, f"timers[{index}].") for index, options in enumerate(several)]
    seen: dict[str, int] = {}
    for wish in wishes:
        _check_length(wish)
    for index, wish in enumerate(wishes):
        if wish.name in seen:
            raise BadInput(
                f"timers[{index}].name: {wish.name} is timers[{seen[wish.name]}] already; name each timer once"
            )
        seen[wish.name] = index
    return wishes


def _check_length(wish: TimerWish) -> TimerWish:
    check_file_name(wish.name, f"{wish.where}name", "stamp-{}", "the file in which systemd keeps when it elapsed,")
    return wish


def check_next(number: int) -> int:
    """How many elapses to come are told of each timer; each is reckoned.

    :raises BadInput: it is none, or more than anybody reads.
    """
    return check_range(number, "next", 0, 1000, "give the number of elapses to be told of each timer")


def gone(name: str) -> TimerWish:
    """The wish that a timer be gone, since the list no longer names it."""
    wish = TimerWish({"name": name, "state": "absent"})
    wish.purged = True
    return wish


def check_timer_name(name: t.Any, option: str = "name") -> str:
    """The full name of a timer, `.timer` added where there is no suffix.

    :raises BadInput: it is not the name of a timer.
    """
    kind = unit_type(name) if isinstance(name, str) else ""
    if kind and kind != "timer":
        raise BadInput(
            f"{option}: {shown(name)} is the name of a {kind}; name the timer, such as {shown(name.rpartition('.')[0] + '.timer')}, "
            "or leave the suffix out"
        )
    full = check_name(name if kind or not name or not isinstance(name, str) else f"{name}.timer", option)
    if is_template(full):
        raise BadInput(
            f"{option}: {full} is a template, of which only instances can elapse; name an instance, "
            "or write the template with pidone.systemd.unit_file"
        )
    check_file_name(full[: -len(".timer")], option, "{}.service", "its service")
    return full


def marker_of(content: bytes) -> str | None:
    """The marker of a unit file that this module wrote; None of any other."""
    return _marker_of("timer", content)


def changed_sections(before: bytes | None, wanted: str) -> set[str] | None:
    """The sections of which `wanted` says something else than the file; None where there is nothing to write at all.

    A difference in spelling is none, nor is one in comments, unless the marker is another one.
    """
    new = parse(wanted)
    if before is None or not before:
        # A file of nothing at all masks its unit.
        return {name for name, _line in new.sections}
    if before == wanted.encode("utf-8", "surrogateescape"):
        return None
    old = parse(before.decode("utf-8", "surrogateescape"))
    was, will = meaning_of(old), meaning_of(new)
    changed = {name for name in {*was, *will} if was.get(name) != will.get(name)}
    if old.problems:
        changed.update(will)
    return changed if changed or marker_of(before) != marker_of(wanted.encode("utf-8", "surrogateescape")) else None


def meaning_of(text: UnitText) -> dict[str, list[tuple[str, str]]]:
    """As `UnitText.meaning`, but the directives of timers by their values, and in an order of their own."""
    sections = text.meaning()
    timer = sections.get("Timer")
    if timer is not None and all(value for _key, value in timer):
        sections["Timer"] = sorted((key, _value_of(key, value)) for key, value in timer)
    return sections


def _value_of(key: str, value: str) -> str:
    try:
        if key == "OnCalendar":
            return str(parse_calendar(value))
        if key in MONOTONIC or key in SPANS:
            return str(parse_timespan(value))
    except BadInput:
        return value
    if key in SWITCHES or key in EVENTS:
        return "yes" if value.lower() in YES else "no" if value.lower() in NO else value
    return value


def truth(value: t.Any) -> bool:
    """Whether a directive's value is a yes."""
    return value is True or str(value).strip().lower() in YES


def without_open_end(calendar: Calendar) -> Calendar | None:
    """What is probably meant by an open repetition that makes systemd skip midnight or a full hour; None without one.

    When a repetition such as `0/7` steps over the end of the hour, systemd goes on from where that step lies in the next
    one, if the day changes with it: `*:0/7` elapses at 23:56 and then at 00:07. It is the same with seconds at the end of
    each hour.
    """
    hours = _values(calendar.hour, 0, 23)
    minutes = _values(calendar.minute, 0, 59)
    days = calendar.weekdays or frozenset(range(7))
    nights = any((day + 1) % 7 in days for day in days) and _adjacent(_values(calendar.day, 1, 31))
    over_midnight = nights and 23 in hours and 0 in hours
    second, minute = calendar.second, calendar.minute
    if second and 59 in minutes and 0 in minutes and (_adjacent(hours) or over_midnight):
        second = _closed(second, 60_000_000)
    if minute and over_midnight:
        minute = _closed(minute, 60)
    if (second, minute) == (calendar.second, calendar.minute):
        return None
    return calendar._replace(second=second, minute=minute)


def _closed(chain: tuple[Part, ...], size: int) -> tuple[Part, ...]:
    """The field with its repetitions ended where the field ends, if the step over that end would leave a value out."""
    last = max(_last_of(part, size) for part in chain)
    following = [part.first_from(last + 1, part.start, part.stop) for part in chain]
    beyond = [value - size for value in following if value >= 0]
    if last + 1 >= size or not beyond or min(part.start for part in chain) >= min(beyond):
        return chain
    return tuple(part._replace(stop=_last_of(part, size)) if part.repeat and part.stop < 0 else part for part in chain)


def _last_of(part: Part, size: int) -> int:
    if part.stop >= 0:
        return part.stop
    return part.start + (size - 1 - part.start) // part.repeat * part.repeat if part.repeat else part.start


def _values(chain: tuple[Part, ...] | None, first: int, last: int) -> set[int]:
    if chain is None:
        return set(range(first, last + 1))
    found: set[int] = set()
    for part in chain:
        stop = part.stop if part.stop >= 0 else last if part.repeat else part.start
        found.update(range(part.start, stop + 1, part.repeat or 1))
    return found


def _adjacent(values: set[int]) -> bool:
    return any(value + 1 in values for value in values)


# -- values of options


def _sections(value: t.Mapping[str, t.Any] | None, own: str, option: str) -> Sections:
    """Sections from an option that holds either the directives of its own section, or sections."""
    given = dict(value or {})
    named = [key for key in given if key in ("Unit", "Install", own) and isinstance(given[key], dict)]
    if not named:
        return {own: given}
    for key, directives in given.items():
        if not isinstance(directives, dict):
            raise BadInput(
                f"{option}: {key!r} stands beside the section {named[0]!r}; put it into a section as well, {own!r} mostly"
            )
    return {own: {}, **{key: dict(directives) for key, directives in given.items()}}


def _command(value: t.Any, option: str) -> str:
    if isinstance(value, (list, tuple)):
        return join_command(value, option)
    text = _text(value, option)
    if not text:
        raise BadInput(f"{option}: is empty; give the program and its arguments")
    return text


def _texts(value: t.Any, key: str, where: str) -> list[str]:
    items = value if isinstance(value, (list, tuple)) else [value]
    option = f"{where}{key}"
    if key == "OnCalendar" and any(isinstance(item, (int, float)) for item in items):
        raise BadInput(f"{option}: {value!r} is a number; put times in quotes, as YAML reads 10:30 as one number")
    return [_text(item, option) for item in items]


def _text(value: t.Any, option: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise BadInput(f"{option}: {value!r} is neither text nor a number")
    return str(value).strip()


def _render(sections: Sections, option: str) -> str:
    return render({name: directives for name, directives in sections.items() if directives}, option)
