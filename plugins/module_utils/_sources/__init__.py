# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services are left behind by moving to systemd, as it is found on a host: the registry of sources.

It fills the modules' `choices`, too. A source is loaded only when it is asked for; the imports are written out, since only files
that are imported somewhere are sent to hosts.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, shown

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Source


def _runit() -> Source:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.source import Runit

    return Runit("runit")


def _daemontools() -> Source:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.source import Runit

    return Runit("daemontools")


#: Name, as users write it -> a new object of the source. The first is what is meant where none is named.
SOURCES: dict[str, t.Callable[[], Source]] = {"runit": _runit, "daemontools": _daemontools}


def names() -> list[str]:
    """The names of all sources."""
    return list(SOURCES)


def load(name: str) -> Source:
    """A source by its name.

    :raises SystemdError: there is none of that name, such as in the record of a later version.
    """
    if name not in SOURCES:
        raise SystemdError(
            f"{shown(name)} is no source that this version of the collection knows; it knows {', '.join(SOURCES)}"
        )
    return SOURCES[name]()
