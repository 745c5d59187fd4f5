# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who supervises a service that nobody supervises: there is nothing to take, to stop and to give back."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Now

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Memo, Service, Snapshot, Was


class Nobody:
    """Stands in for the supervisor where a source has none (`Source.supervisor`). A service is up as long as it is enabled."""

    patience = 0.0
    taking = ""

    def __init__(self, service: Service, source: str, memo: Memo) -> None:
        self.name, self.path, self.source, self.memo = service.name, service.path, source, memo
        self._enabled = bool(service.state.get("enabled", True))

    @property
    def giving(self) -> str:
        """See `Supervisor`."""
        return f"leave {self.name} to {self.source}"

    @property
    def was(self) -> Was:
        """See `Supervisor`; it never has a process."""
        enabled = bool(self.memo.get("enabled"))
        return {"running": False, "up": enabled, "enabled": enabled}

    def now(self) -> Now:
        """See `Supervisor`."""
        return Now(False, False, None, 0.0)

    def found(self) -> Now:
        """See `Supervisor`."""
        return self.now()

    def problems(self, found: Now | None = None) -> list[str]:
        """See `Supervisor`; nothing is in the way."""
        return []

    def note(self) -> None:
        """See `Supervisor`."""
        self.memo.setdefault("enabled", self._enabled)

    def beside(self, name: str) -> str:
        """See `Supervisor`."""
        return ""

    def take(self) -> None:
        """See `Supervisor`."""

    def stop(self, deadline: float, before: Snapshot | None) -> None:
        """See `Supervisor`."""

    def release(self) -> None:
        """See `Supervisor`."""

    def finished(self) -> None:
        """See `Supervisor`."""

    def give_back(self, save: t.Callable[[], None]) -> None:
        """See `Supervisor`."""

    def settled(self, timeout: float) -> int | None:
        """See `Supervisor`."""
        return None
