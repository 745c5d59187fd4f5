# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers: comments by which a module knows the files again that it once wrote, and whose they are; `purge` goes by them."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown

_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@/+ ")
# So much of a file is looked at.
HEAD = 1000


def head(module: str, marker: str) -> str:
    """The first lines of a file that a module writes; `module` is its name without the collection's."""
    return (
        f"# Written by Ansible (pidone.systemd.{module}); what is changed here is lost.\n"
        f"# pidone.systemd.{module} marker: {marker}\n"
    )


def check_marker(marker: str) -> None:
    """Refuse a marker that would not come back out of a comment as it went in."""
    if not marker or len(marker) > 100 or marker != marker.strip() or not _CHARS.issuperset(marker):
        raise BadInput(
            f"marker: {shown(marker)} cannot be written into a comment; use letters, digits, blanks and any of - _ . : @ / +, "
            "100 characters at most"
        )


def marker_of(module: str, content: bytes) -> str | None:
    """The marker of a file that the module wrote; None of any other.

    :param content: the file, or its first `HEAD` bytes.
    """
    mark = f"# pidone.systemd.{module} marker: ".encode()
    for line in content[:HEAD].split(b"\n"):
        if not line.startswith(b"#"):
            break
        if line.startswith(mark):
            return line[len(mark) :].decode("utf-8", "replace").strip()
    return None
