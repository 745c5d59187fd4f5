# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order services go that need each other. Pure functions.

Where the unit of X wants that of Y, starting X would start Y as well, which still runs under the old supervisor. So X goes
first, while systemd does not know the unit of Y yet; the wish for it counts for nothing then. That also keeps the way back
open for X, whose run script may ask whether Y is up. Where X requires Y, or Y has a unit on the host already, Y goes first.
"""

from __future__ import annotations

import typing as t


class Edge(t.NamedTuple):
    """`first` goes before `then`; with `apart` even the files of `then` are written only after `first` is over.

    Unless it is `soft`, `then` stays where it is if `first` does.
    """

    first: str
    then: str
    apart: bool = False
    soft: bool = False


def edges_of(
    pulls: t.Mapping[str, t.Mapping[str, t.Iterable[str]]],
    owner: t.Mapping[str, str],
    known: t.Container[str],
    back: bool = False,
) -> list[Edge]:
    """What follows for the order of services from what their units say of each other.

    :param pulls: unit -> directive (`Wants`, `Requires`, `After`, ...) -> units.
    :param owner: unit -> the service that it is of.
    :param known: units that systemd knows already.
    :param back: the services are given back rather than handed over.
    """
    edges: dict[tuple[str, str], tuple[int, Edge]] = {}
    for unit, directives in pulls.items():
        service = owner[unit]
        for directive, others in directives.items():
            for other in others:
                needed = owner.get(other)
                if needed is None or needed == service:
                    continue
                if directive in ("Wants", "Upholds"):
                    # Given back, the one that the other's script may ask for goes first.
                    apart = not back and other not in known
                    strength, edge = 1, Edge(service, needed, True) if apart else Edge(needed, service)
                elif directive in ("Requires", "Requisite", "BindsTo"):
                    strength, edge = 2, Edge(service, needed) if back else Edge(needed, service)
                elif directive in ("After", "Before"):
                    first, then = (needed, service) if (directive == "After") != back else (service, needed)
                    strength, edge = 0, Edge(first, then, soft=True)
                else:
                    continue
                pair = min(service, needed), max(service, needed)
                if pair not in edges or edges[pair][0] < strength:
                    edges[pair] = strength, edge
    return [edge for _strength, edge in edges.values()]


def arrange(names: t.Sequence[str], edges: t.Sequence[Edge]) -> list[list[str]]:
    """Groups of names in the order in which they go; the files of a group can be written together.

    Names that no edge orders, and those in circles, keep the order that they were given in.
    """
    before: dict[str, list[Edge]] = {}
    for edge in edges:
        before.setdefault(edge.then, []).append(edge)
    order: list[str] = []
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name in order or name in visiting:
            return
        visiting.add(name)
        for edge in sorted(before.get(name, ()), key=lambda edge: names.index(edge.first)):
            visit(edge.first)
        visiting.discard(name)
        order.append(name)

    for name in names:
        visit(name)
    level: dict[str, int] = {}
    for name in order:
        level[name] = max(
            [0, *(level[edge.first] + edge.apart for edge in before.get(name, ()) if edge.first in level)]
        )
    return [[name for name in order if level[name] == number] for number in range(max(level.values(), default=-1) + 1)]
