# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many plain services run and end, at once and without systemd: Type=, RemainAfterExit= and Restart= of their files.

Systemd forgets a unit that is down once it has answered, and reads its file again for the next question. Here only what is the same in
all versions is decided: services of one regular file without drop-ins or other names, in which these directives are plain. Of all
others systemd is to be asked. `tests/hosts/test_enablement.py` compares with systemd.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.enablement import (
    OF_SYSTEMD,
    dropins_of,
    entries_of,
    is_regular,
    plain_name,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable, read_small

_TYPES = ("simple", "exec", "forking", "oneshot", "dbus", "notify", "idle")
_RESTARTS = ("no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always")
_BOOLEANS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
_WANTED = frozenset((b"Type", b"RemainAfterExit", b"Restart", b"BusName", b"ExecStart"))
# A program and what may be before its path.
_command = re.compile(rb"[@:+!-]*/[A-Za-z0-9]").match
# Backslashes at the end of a line of which it takes more to say whether the next one continues it.
_unclear_end = re.compile(rb"^[ \t]*[#;][^\n]*\\$|\\\\$", re.MULTILINE).search


class Service(t.NamedTuple):
    """What a service's file tells: values of Type= and Restart= as systemd takes them, and RemainAfterExit=."""

    type: str
    remains: bool
    restart: str

    @property
    def ends(self) -> bool:
        """Whether it is down again when it has run."""
        return self.type == "oneshot" and not self.remains


def services_from_files(paths: t.Sequence[str], names: t.Iterable[str]) -> dict[str, Service]:
    """Those of the services of which the files tell for sure, by name.

    It is what systemd would read now; whether it has, `freshness.py` knows.

    :param paths: the manager's UnitPath.
    :param names: full names of units.
    """
    files: dict[str, str] = {}
    ask: set[str] = set()
    dropins: set[str] = set()
    seen = set()
    found = {}
    try:
        for path in paths:
            # Those below /lib and /usr/lib may be the same.
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                _list(path, files, ask, dropins)
        for name in names:
            if plain_name(name) and name.endswith(".service") and name not in ask and dropins.isdisjoint(dropins_of(name)):
                # A mask reads as empty.
                content = read_small(f"{files[name]}/{name}") if name in files else None
                service = _service_of(content) if content else None
                if service is not None:
                    found[name] = service
    except (OSError, Unreadable):
        # Somebody changes what is looked at, or it may not be looked at.
        return {}
    return found


def _list(path: str, files: dict[str, str], ask: set[str], dropins: set[str]) -> None:
    """Take in a directory: of names of regular files the first directory, what is left to systemd, and what has drop-ins."""
    for entry in entries_of(path):
        name = entry.name
        if name.endswith(".d"):
            dropins.add(name[:-2])
        elif entry.is_symlink():
            # Drop-ins of another name are the unit's as well.
            ask.update((name, os.path.basename(os.readlink(entry.path))))
        elif os.path.basename(path) not in OF_SYSTEMD and entry.is_file(follow_symlinks=False):
            files.setdefault(name, path)
        else:
            ask.add(name)


def _service_of(content: bytes) -> Service | None:
    """What the text of a service's file tells; None where it takes more to understand it."""
    if not is_regular(content) or _unclear_end(content):
        return None
    section, values = b"", {}
    for line in content.replace(b"\\\n", b" ").split(b"\n"):
        line = line.strip(b" \t")
        if line.startswith(b"["):
            section = line
        elif section == b"[Service]":
            key, _equals, value = line.partition(b"=")
            key, value = key.rstrip(b" \t"), value.lstrip(b" \t")
            if key == b"RestartForceExitStatus":
                # That is heeded even with Restart=no.
                return None
            if key in _WANTED:
                if not value or (key == b"ExecStart" and not _command(value)):
                    return None
                values[key] = value.decode("utf-8", "replace")
    default = "dbus" if b"BusName" in values else "simple" if b"ExecStart" in values else "oneshot"
    kind, restart = values.get(b"Type", default), values.get(b"Restart", "no")
    remains = _BOOLEANS.get(values.get(b"RemainAfterExit", "no"))
    if kind not in _TYPES or restart not in _RESTARTS or remains is None:
        return None
    return Service(kind, remains, restart)
