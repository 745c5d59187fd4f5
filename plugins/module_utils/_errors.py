# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of errors of this collection; only ``_engine/entry.py`` turns them into a failed result."""

from __future__ import annotations

import os
import typing as t


class SystemdError(Exception):
    """Something a user can act on.

    ``msg`` is one clear sentence or screen for the user (what, which option or unit, the remedy);
    ``data`` are JSON-able facts that go into the failed result beside it; ``changed`` says of a class of errors that what
    failed has changed something all the same.
    """

    changed = False

    def __init__(self, msg: str, **data: t.Any) -> None:
        super().__init__(msg)
        self.msg = msg
        self.data = data


class BadInput(SystemdError):
    """An option's value cannot be used; nothing has been changed."""


def become_hint() -> str:
    """What is added to a message that something is not permitted; empty where root was at work, as itself or as a user."""
    return "" if 0 in (os.getuid(), os.geteuid()) else "; this needs root, so add `become: true` to the task or play"
