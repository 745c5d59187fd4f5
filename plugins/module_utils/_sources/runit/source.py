# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""runit and daemontools as sources: what they define, who looks for it, and who needs whom."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.collect import (
    collect,
    links_in,
    links_to,
    running_scanners,
    scanned_elsewhere,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.expected import Expected
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import Raw
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import (
        Files,
        Memo,
        Service,
        Supervisor,
    )
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.collect import Scanner
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.supervisor import ServiceDirectory

# By runsvdir, or whoever started that.
_HANDED_DOWN = frozenset(
    """BOOT_IMAGE CONSOLE INIT_VERSION INVOCATION_ID JOURNAL_STREAM LANG LANGUAGE LC_ALL MEMORY_PRESSURE_WATCH
    MEMORY_PRESSURE_WRITE PREVLEVEL RUNLEVEL SVDIR SYSTEMD_EXEC_PID TERM""".split()
)


class Runit:
    """See `Source`.

    :param name: `runit` or `daemontools`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._running: list[Scanner] | None = None

    def find(self, root: str = "/", path: str | None = None, names: t.Sequence[str] | None = None) -> list[Raw]:
        """See `Source`."""
        return collect(self.name, root, path, names)

    def place(self, name: str) -> str:
        """See `Source`."""
        return f"/etc/sv/{name}"

    def supervisor(self, service: Service, memo: Memo, files: Files) -> Supervisor:
        """See `Source`; there always is one, if only by and by."""
        from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.control import scanned_links
        from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.supervisor import ServiceDirectory

        # Whoever looks for services now, wherever that is: a link that is overlooked starts a second copy.
        scanners = self._scanners()
        found = [*service.links, *links_to(service.path, more=scanned_elsewhere(scanners))]
        links = dict.fromkeys(f"{os.path.realpath(os.path.dirname(one))}/{os.path.basename(one)}" for one in found)
        problems = [
            f"it is linked in {one.directory} too, where the supervisor of the user with ID {one.uid} (process {one.pid}) runs "
            "it for that user; it would be started again, so leave the service out or remove that link"
            for one in scanners
            if one.uid != 0 and links_in(one.directory, service.path)
        ]
        now = {} if problems else scanned_links([one for one in links if os.path.realpath(one) == service.path])
        return ServiceDirectory(service, self.name, memo, files, now, problems)

    def expected(self, path: str) -> Expected:
        """See `Source`."""
        from ansible_collections.pidone.systemd.plugins.module_utils._observe.expected import Expected

        return Expected(path, "it was in the service directory, where runsv starts everything", _HANDED_DOWN)

    def left_behind(self, going: t.Sequence[Supervisor]) -> list[str]:
        """See `Source`: services whose run scripts ask `sv` for one that goes."""
        from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.control import asks_for

        directories = {
            os.path.dirname(path) for one in going for path in t.cast("ServiceDirectory", one).links_now
        }
        those = {one.name for one in going}
        warnings = []
        for directory in sorted(directories):
            for name in sorted(os.listdir(directory)):
                if name in those or name.startswith("."):
                    continue
                asked = sorted(those & asks_for(f"{directory}/{name}/run"))
                if asked:
                    warnings.append(
                        f"{name} stays, and its run script asks whether {', '.join(asked)} is up, which its supervisor will "
                        "not know any more; hand it over too"
                    )
        return warnings

    def _scanners(self) -> list[Scanner]:
        """Who looks for services, as it was when this was first asked."""
        if self._running is None:
            self._running = running_scanners()
        return self._running
