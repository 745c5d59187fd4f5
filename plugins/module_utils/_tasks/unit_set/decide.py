# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions about a set, by what is listed, recorded and read; no I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Item
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.record import Record, UnitEntry


# What the sources begin with that are texts; all others are paths.
_TEXT = "text "


class Source(t.NamedTuple):
    """Something that a unit reads when it is started, or when it reads its configuration.

    :param digest: of what it is once the task's files are written.
    :param wrote: whether this task makes it another.
    :param changed: when it was changed last, in seconds since the epoch, and when its content was; None for a text.
    """

    digest: str
    wrote: bool = False
    changed: tuple[float, float] | None = None


class Need(t.NamedTuple):
    """What a unit that runs needs because of what has changed: `restart`, `reload`, `reload_or_restart` or nothing; and why.

    `passed` are sources that are new to it and that nothing is done about.
    """

    action: str
    why: tuple[str, ...]
    passed: tuple[str, ...] = ()


def changed_sources(
    sources: t.Mapping[str, Source], known: t.Mapping[str, str], since: float | None
) -> list[str]:
    """The sources that a unit that runs has not read as they will be.

    :param known: source -> digest, as the unit read it last, as far as that is known.
    :param since: when it was started, in seconds since the epoch; None where nobody knows.
    """
    found = []
    # Texts are a set: one that takes the place of another is a change, one that is only added or left out is none.
    replaces = any(name.startswith(_TEXT) and name not in sources for name in known)
    for name, source in sources.items():
        if source.wrote:
            found.append(name)
        elif name.startswith(_TEXT):
            found += [name] if replaces and name not in known else []
        elif name not in known:
            # Not recorded yet: it is newer than the unit, or the unit has it.
            new = source.changed is not None and since is not None and since < source.changed[1]
            found += [name] if new else []
        elif known[name] != source.digest:
            # Somebody may have started the unit since.
            new = source.changed is None or since is None or since < source.changed[0]
            found += [name] if new else []
    return found


def text_source(digest: str) -> tuple[str, Source]:
    """A text as a source: its name, which tells it from others, and itself."""
    return f"{_TEXT}{digest}", Source(digest)


def since_when(told: int | None, ticks: int | None, now: float, monotonic: float) -> float:
    """When something was, in seconds since the epoch, by the clock that can be set and by the other one.

    Where the clock has been set since, or the host slept, the two differ, and times of files may be of before or of after that.
    The earlier one loses no change; the later one would.

    :param told: microseconds of the clock; `ticks` microseconds of the monotonic one.
    :param now: the clock now, in seconds; `monotonic` the other one now.
    """
    return min((told or 0) / 1e6, (ticks or 0) / 1e6 + now - monotonic)


def questionable(sources: t.Mapping[str, Source], known: t.Mapping[str, str]) -> bool:
    """Whether it depends on when the unit was started what `changed_sources` finds."""
    return any(
        not source.wrote and source.changed is not None and known.get(name) != source.digest
        for name, source in sources.items()
    )


def need_of(
    item: Item,
    own: t.Mapping[str, Source],
    restart_on: t.Mapping[str, Source],
    reload_on: t.Mapping[str, Source],
    entry: UnitEntry | None,
    since: float | None,
    gone: t.Sequence[str] = (),
) -> Need:
    """What a unit that runs needs.

    :param own: unit files and drop-ins of the set; `restart_on`, `reload_on`: what these options name.
    :param gone: files of the unit that are removed.
    """
    loaded = entry["loaded"] if entry else {}
    reloaded = entry["reloaded"] if entry else {}
    files = [*changed_sources(own, loaded, since), *gone]
    restarts = changed_sources(restart_on, loaded, since)
    reloads = changed_sources(reload_on, reloaded, since)
    acts = files if item.on_change != "nothing" else []
    passed = tuple(files) if item.on_change == "nothing" else ()
    why = tuple(dict.fromkeys([*(_told(n, "restart_on") for n in restarts), *acts, *(_told(n, "reload_on") for n in reloads)]))
    if restarts or (acts and item.on_change == "restart"):
        return Need("restart", why, passed)
    if acts and item.on_change == "reload_or_restart":
        return Need("reload_or_restart", why, passed)
    if acts or reloads:
        return Need("reload", why, passed)
    return Need("", (), passed)


def _told(name: str, option: str) -> str:
    return name if name.startswith("/") else option


def read_after(
    sources: t.Mapping[str, Source], known: t.Mapping[str, str], reads: bool, passed: t.Container[str]
) -> dict[str, str]:
    """What a unit will have read when the task is done: source -> digest.

    :param reads: whether it is down, or reads all of it anew.
    :param passed: what it has not read, if it does not.
    """
    if reads:
        return {name: source.digest for name, source in sources.items()}
    return {
        name: (known[name] if name in passed else source.digest)
        for name, source in sources.items()
        if name not in passed or name in known
    }


def check_names(items: t.Mapping[str, Item], ids: t.Mapping[str, str]) -> None:
    """Refuse a unit that is listed by two of its names.

    :param items: names of the units that belong to the set -> the entry that says what becomes of them.
    :param ids: name -> what systemd calls the unit.
    :raises BadInput: naming both.
    """
    seen: dict[str, str] = {}
    for name, item in items.items():
        other = seen.setdefault(ids[name], name)
        if other != name:
            raise BadInput(
                f"{item.where}name: {name} is the same unit as {other}, which is listed in {items[other].where[:-1]}; make one entry of the two"
            )


def check_owner(item: Item, name: str, owner: str, known: str = "") -> None:
    """Refuse a unit that belongs to another set, unless it is taken over.

    :param known: the name by which the other set has it, if it is another.
    """
    if not item.take_over:
        told = f"{name} is {known}, which" if known and known != name else name
        raise BadInput(
            f"{item.where}name: {told} belongs to the set {owner}; take it off there first, or take it over with `take_over: true`"
        )


def check_owners(items: t.Sequence[Item], owners: t.Mapping[str, str]) -> set[str]:
    """The units that are taken over from other sets.

    :param owners: unit -> the set that it belongs to.
    :raises BadInput: a unit belongs to another set.
    """
    taken = set()
    for item in items:
        for name in {item.name, *item.targets} if item.owns else ():
            if name in owners:
                check_owner(item, name, owners[name])
                taken.add(name)
    return taken


def find_cycle(after: t.Mapping[str, t.Iterable[str]]) -> list[str]:
    """Units that wait for each other, the first one again at the end; empty where none do.

    :param after: unit -> the units that it waits for.
    """
    done: set[str] = set()
    for first in after:
        way: list[str] = []
        on_way: set[str] = set()
        todo: list[tuple[str, bool]] = [(first, True)]
        while todo:
            name, enters = todo.pop()
            if not enters:
                on_way.discard(way.pop())
                done.add(name)
            elif name in on_way:
                return [*way[way.index(name) :], name]
            elif name not in done and name in after:
                way.append(name)
                on_way.add(name)
                todo.append((name, False))
                todo += [(other, True) for other in after[name]]
    return []


def check_order(after: t.Mapping[str, t.Iterable[str]]) -> None:
    """Refuse units of a set that wait for each other.

    :raises BadInput: naming them, in their order.
    """
    cycle = find_cycle(after)
    if cycle:
        told = ", ".join(f"{one} after {other}" for one, other in zip(cycle, cycle[1:]))
        raise BadInput(
            f"units: {short(cycle[:-1], 5)} wait for each other to be started ({told}), so systemd would leave one of them out; "
            "take off one of the After= or Before="
        )


def purged_units(record: Record, wanted: t.Container[str]) -> list[str]:
    """Units of the record that the set does not have any more."""
    return [name for name in record.units if name not in wanted]
