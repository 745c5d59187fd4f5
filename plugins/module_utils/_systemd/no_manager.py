# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common part of all that stands where no manager runs: whatever would need one is refused."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
    from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import BusProperty
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import LinkChange
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import Enqueued, Job, UnitStatus
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree


class NoManager:
    """A UnitManager (`interface.py`) that can do nothing; who inherits from it does what can be done without one."""

    offline = has_files = True
    absent = runs = False
    scope = "system"
    uid: int | None = None
    root = ""
    tree: Tree = HOST
    connection: t.Any = None

    def __enter__(self) -> t.Any:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to close."""

    def _nobody(self, doing: str) -> SystemdError:
        where = f"in {self.root}" if self.root else f"behind scope `{self.scope}`"
        return SystemdError(f"cannot {doing}: no manager runs {where}")

    def unit_path(self) -> list[str]:
        raise self._nobody("tell where unit files are")

    def link_directories(self) -> list[str]:
        raise self._nobody("tell where links are made")

    def unit_file_states(self, names: t.Sequence[str]) -> list[str]:
        raise self._nobody("tell which units are enabled")

    def enablement(
        self, names: t.Sequence[str], files: dict[str, str] | None = None
    ) -> tuple[list[str], set[str]]:
        """As Manager.enablement: links are looked at one by one."""
        return self.unit_file_states(names), set()

    def problem_of_files(self, name: str) -> str:
        return ""

    def version(self) -> str:
        """As Manager.version: nobody tells."""
        return ""

    def presets(self, names: t.Sequence[str]) -> list[str]:
        raise self._nobody("read presets")

    def default_target(self) -> str:
        raise self._nobody("tell the default target")

    def set_default_target(self, name: str) -> list[LinkChange]:
        raise self._nobody("set the default target")

    def reload(self, timeout: float | None = None) -> None:
        """Nothing to reload: nobody has read these files."""

    def enable(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        raise self._nobody("enable units")

    def disable(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        raise self._nobody("disable units")

    def mask(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        raise self._nobody("mask units")

    def unmask(self, names: t.Sequence[str], runtime: bool = False) -> list[LinkChange]:
        raise self._nobody("unmask units")

    def preset(self, names: t.Sequence[str], runtime: bool = False, force: bool = False) -> list[LinkChange]:
        raise self._nobody("apply presets")

    def add_dependency(
        self, kind: str, target: str, names: t.Sequence[str], runtime: bool = False, force: bool = False
    ) -> list[LinkChange]:
        raise self._nobody(f"add to the dependencies of {target}")

    def ask(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        raise self._nobody("ask systemd")

    def tell(self, calls: t.Sequence[Call], deadline: float | None = None) -> list[t.Any]:
        raise self._nobody("tell systemd anything")

    def call(
        self,
        member: str,
        signature: str = "",
        *body: t.Any,
        doing: str = "",
        timeout: float | None = None,
        repeat: bool = False,
    ) -> t.Any:
        raise self._nobody(doing or f"call {member}")

    def revive(self, deadline: float | None = None) -> bool:
        """There is no connection that could be lost."""
        return True

    def status(self, names: t.Sequence[str]) -> list[UnitStatus]:
        raise self._nobody("tell what units do")

    def in_memory(self, names: t.Sequence[str]) -> list[bool]:
        raise self._nobody("read the state of units")

    def list_units(self, patterns: t.Sequence[str] = (), states: t.Sequence[str] = ()) -> list[UnitStatus]:
        raise self._nobody("list units")

    def properties(self, wanted: t.Sequence[tuple[str, str, str]]) -> list[t.Any]:
        raise self._nobody("read properties")

    def all_properties(self, wanted: t.Sequence[tuple[str, str]]) -> list[dict[str, t.Any]]:
        raise self._nobody("read properties")

    def manager_property(self, name: str) -> t.Any:
        return self.manager_properties([name])[0]

    def manager_properties(self, names: t.Sequence[str]) -> list[t.Any]:
        raise self._nobody("read the manager's properties")

    def set_manager_property(self, name: str, value: str) -> None:
        raise self._nobody(f"set {name}")

    def environment(self) -> dict[str, str]:
        raise self._nobody("read the manager's environment")

    def change_environment(self, unset: t.Sequence[str], assign: dict[str, str]) -> None:
        raise self._nobody("change the manager's environment")

    def any_stale(self) -> bool:
        return False

    def list_jobs(self) -> list[dict[str, t.Any]]:
        return []

    def enqueue(self, wanted: t.Sequence[tuple[str, str]], mode: str = "replace") -> list[Enqueued]:
        raise self._nobody("start or stop units")

    def wait_for_jobs(self, jobs: t.Sequence[Job], deadline: float) -> dict[int, str]:
        return {}

    def watch_unit(self, name: str) -> list[t.Any]:
        raise self._nobody(f"follow {name}")

    def start_transient(
        self,
        name: str,
        properties: t.Sequence[BusProperty],
        others: t.Sequence[tuple[str, t.Sequence[BusProperty]]] = (),
    ) -> Job:
        raise self._nobody(f"start {name}")

    def reset_failed(self, names: t.Sequence[str]) -> None:
        raise self._nobody("reset the failed state of units")

    def set_properties(
        self, wanted: t.Sequence[tuple[str, t.Sequence[BusProperty]]], runtime: bool
    ) -> list[CallFailed | None]:
        raise self._nobody("set properties")
