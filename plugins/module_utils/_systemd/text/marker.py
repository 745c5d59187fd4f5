# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comments by which files that this collection wrote are known again, and whose they are."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown

_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@/+ ")
# As much of a file is looked at; the comments stand at its beginning.
HEAD = 1000


def check_marker(marker: str, option: str = "marker") -> None:
    """Refuse a marker that would not come back out of a comment as it went in."""
    if not marker or len(marker) > 100 or marker != marker.strip() or not _CHARS.issuperset(marker):
        raise BadInput(
            f"{option}: {shown(marker)} cannot be written into a comment; use letters, digits, blanks and any of - _ . : @ / +, "
            "100 characters at most"
        )


def header(module: str, marker: str) -> str:
    """The lines that a file of a module begins with.

    :param module: its name, without those of the collection.
    """
    return f"# Written by Ansible (pidone.systemd.{module}); what is changed here is lost.\n{_mark(module)}{marker}\n"


def marker_of(content: bytes, module: str) -> str | None:
    """The marker of a file that this module wrote; None of any other."""
    mark = _mark(module).encode()
    for line in content[:HEAD].split(b"\n"):
        if not line.startswith(b"#"):
            break
        if line.startswith(mark):
            return line[len(mark) :].decode("utf-8", "replace").strip()
    return None


def _mark(module: str) -> str:
    return f"# pidone.systemd.{module} marker: "
