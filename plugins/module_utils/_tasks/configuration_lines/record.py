# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record on the host of what tasks have made by the lines of one file: what was there before them is not theirs to remove."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import places_of
from ansible_collections.pidone.systemd.plugins.module_utils._engine.remember import Remember
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.place import (
        ConfigurationFile,
    )

_VERSION = 1
# Some ten bytes for each name.
_LIMIT = 16 << 20
# What tasks are said to have made, by kind.
Made = t.Mapping[str, t.Collection[str]]


class Record:
    """What was made: names by kind, such as paths of `directories`, without the root of a tree.

    :param path: where the record is; empty for nowhere.
    :param name: that of the file of lines.
    """

    def __init__(self, path: str, name: str, made: Made | None = None) -> None:
        self._path, self._name = path, name
        self._made = {kind: frozenset(names) for kind, names in (made or {}).items() if names}

    def __contains__(self, what: object) -> bool:
        """Whether a pair of a kind and a name is there."""
        kind, name = t.cast("tuple[str, str]", what)
        return name in self._made.get(kind, ())

    def names(self, kind: str) -> list[str]:
        """All of a kind."""
        return sorted(self._made.get(kind, ()))

    def text(self) -> bytes:
        """The record as it is written; the same for the same record."""
        made = {kind: sorted(names) for kind, names in self._made.items()}
        return (json.dumps({"version": _VERSION, "file": self._name, "made": made}, indent=1, sort_keys=True) + "\n").encode()

    def keep(self, plan: Plan, made: Made, gone: Made) -> None:
        """Have a plan write down what it makes before it makes anything, and at its end what has gone.

        That alone is something to do, too, where a task has failed to write it down at its end.
        """
        if not self._path:
            return
        kinds = {*self._made, *made}
        begun = Record(self._path, self._name, {kind: {*self.names(kind), *made.get(kind, ())} for kind in kinds})
        left = {kind: set(begun.names(kind)).difference(gone.get(kind, ())) for kind in kinds}
        final = Record(self._path, self._name, left)
        alone = not plan.steps
        if begun.text() != self.text():
            told = f"write down what the lines of {self._name} are going to have made"
            plan.steps.insert(0, Remember(self._path, begun.text(), told, counts=False))
        if final.text() != begun.text():
            told = f"write down what the lines of {self._name} have made"
            plan.steps.append(Remember(self._path, final.text() if any(left.values()) else None, told, counts=alone))

    @classmethod
    def of(cls, session: Session, file: ConfigurationFile) -> Record:
        """The record of a file; an empty one where there is none yet.

        :raises SystemdError: it is none that this version has written.
        """
        tree, folder = file.tree, f"made/{file.kind}{'-runtime' if file.runtime else ''}"
        if tree.root:
            directory = tree.real(f"{tree.root}/var/lib/pidone.systemd/{folder}/system")
        else:
            places = places_of(session)
            if places is None:
                return cls("", file.name)
            directory = f"{places.state}/{folder}/{places.name}"
        return cls.read(f"{directory}/{file.name.removesuffix('.conf')}.json", file.name, tree)

    @classmethod
    def read(cls, path: str, name: str, tree: Tree) -> Record:
        """The record in a file.

        :raises SystemdError: as `of`.
        """
        content = tree.read(path, _LIMIT, follow=False)
        if content is None:
            return cls(path, name)
        try:
            data = json.loads(content)
            if data["version"] != _VERSION:
                raise ValueError("it was written by a newer version of pidone.systemd")
            if data["file"] != name:
                raise ValueError("it is that of another file")
            made = data["made"]
            if not all(isinstance(each, str) for names in made.values() for each in names):
                raise ValueError("there is something else than a name in it")
            return cls(path, name, made)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise SystemdError(
                f"{path} is no record of what lines have made: {e}; remove the file (what they have made then has to be removed by hand)"
            ) from e
