# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares this collection's values with systemd's, wherever that runs. Each function returns how many were compared."""

from __future__ import annotations

import collections
import datetime as dt
import random
import re
import typing as t

from ansible.errors import AnsibleFilterError
from cronsim import CronSim, CronSimError

from ansible_collections.pidone.systemd.plugins.filter.escape import escape
from ansible_collections.pidone.systemd.plugins.filter.escape_path import escape_path
from ansible_collections.pidone.systemd.plugins.filter.unescape import unescape
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.times import convert
from tests.unit.values import oracle

# An ordinary moment, and one after which everything has to be carried.
BASES = (dt.datetime(2026, 3, 20, 11, 12, 13, tzinfo=dt.UTC), dt.datetime(2026, 12, 31, 23, 51, 2, tzinfo=dt.UTC))


def calendars(run: oracle.Run, seed: int, count: int, old: bool = False) -> collections.Counter[str]:
    """Which calendar events are taken, their normal form, their next six elapses.

    :param old: whether it is systemd 247, which skips even more than later versions where open repetitions step over an end.
    """
    rng = random.Random(seed)
    seen: collections.Counter[str] = collections.Counter()
    for base in BASES:
        seen.update(_calendars(run, base, [oracle.some_calendar(rng) for _n in range(count // 2)], old))
    return seen


def _calendars(run: oracle.Run, base: dt.datetime, events: list[str], old: bool) -> collections.Counter[str]:
    seen: collections.Counter[str] = collections.Counter()
    for event, verdict in zip(events, oracle.calendars(run, events, base, count=6), strict=True):
        try:
            ours = parse_calendar(event)
        except BadInput as error:
            assert verdict is None, f"{event!r} is a calendar event to systemd: {error}"
            seen["refused"] += 1
            continue
        assert verdict is not None, f"{event!r} is no calendar event to systemd"
        # systemd 247 prints `*` for the seconds 0..57, but does not take them for it.
        normal_247 = re.sub(r":00\.\.[0-9.]+( |$)", r":*\1", str(ours))
        assert verdict.normal in (str(ours), normal_247, None), event
        assert parse_calendar(str(ours)) == ours, event
        seen["taken"] += 1
        if verdict.elapses is None or (old and any(_is_open(chain) for chain in ours[1:-1])):
            continue
        elapses = [usec // 1_000_000 for usec in ours.elapses(int(base.timestamp()) * 1_000_000, 6, dt.UTC)]
        assert elapses == verdict.elapses, event
        seen["elapses"] += len(elapses)
    return seen


def _is_open(chain: object) -> bool:
    return isinstance(chain, tuple) and any(part.repeat and part.stop < 0 for part in chain)


def timespans(run: oracle.Run, seed: int, count: int) -> collections.Counter[str]:
    """Which time spans are taken, their microseconds, how they are printed."""
    rng = random.Random(seed)
    texts = [oracle.some_timespan(rng) for _n in range(count)]
    seen: collections.Counter[str] = collections.Counter()
    for text, verdict in zip(texts, oracle.timespans(run, texts), strict=True):
        try:
            usec = parse_timespan(text)
        except BadInput as error:
            assert verdict is None, f"{text!r} is a time span to systemd: {error}"
            seen["refused"] += 1
            continue
        assert (usec, format_timespan(usec)) == verdict, text
        seen["taken"] += 1
    return seen


def escaping(run: oracle.Run, seed: int, count: int) -> collections.Counter[str]:
    """systemd-escape, with and without --path, and back."""
    rng = random.Random(seed)
    texts = [oracle.some_text(rng) for _n in range(count)]
    paths = ["/" + text for text in texts]
    escaped = [escape(text) for text in texts]
    # Not only what came out of escaping, which is never wrong.
    mixed = [word for pair in zip(escaped, texts, strict=True) for word in pair]
    seen: collections.Counter[str] = collections.Counter()
    jobs: list[tuple[str, t.Callable[[str], str], list[str]]] = [
        ("systemd-escape --", escape, texts),
        ("systemd-escape --path --", escape_path, paths),
        ("systemd-escape --unescape --", unescape, mixed),
        ("systemd-escape --unescape --path --", lambda text: unescape(text, path=True), mixed),
    ]
    for command, ours, words in jobs:
        for word, verdict in zip(words, oracle.each(run, command, words), strict=True):
            try:
                result: str | None = ours(word)
            except AnsibleFilterError:
                result = None
            if verdict is None and "--path" in command and "/./" in f"{word}/":
                continue  # systemd 247 refuses these, later versions take the dots out
            assert result == verdict, (command, word)
            seen["refused" if verdict is None else "taken"] += 1
    return seen


def crons(run: oracle.Run, seed: int, count: int) -> collections.Counter[str]:
    """When cronsim runs an expression, and when systemd elapses for what it is converted to: the next eight."""
    rng = random.Random(seed)
    seen: collections.Counter[str] = collections.Counter()
    for base in BASES:
        seen.update(_crons(run, base, [oracle.some_cron(rng) for _n in range(count // 2)]))
    return seen


def _crons(run: oracle.Run, base: dt.datetime, some: list[str]) -> collections.Counter[str]:
    seen: collections.Counter[str] = collections.Counter()
    expressions, lines, wanted = [], [], []
    for expression in some:
        schedule = convert(expression)
        assert not schedule.boot
        try:
            runs = CronSim(expression, base)
            wanted.append([int(next(runs).timestamp()) for _n in range(8)])
        except CronSimError:
            assert any("never runs" in finding["message"] for finding in schedule.findings), expression
            seen["never"] += 1
            continue
        expressions.append(expression)
        lines.append(schedule.calendars)
        seen[f"{len(schedule.calendars)} lines"] += 1
    verdicts = iter(oracle.calendars(run, [line for group in lines for line in group], base, count=8))
    for expression, group, expected in zip(expressions, lines, wanted, strict=True):
        elapses: set[int] = set()
        for line in group:
            verdict = next(verdicts)
            assert verdict is not None and verdict.elapses is not None, (expression, line)
            assert verdict.normal == line, expression
            elapses.update(verdict.elapses)
        assert sorted(elapses)[:8] == expected, (expression, group)
        seen["compared"] += 1
    return seen
