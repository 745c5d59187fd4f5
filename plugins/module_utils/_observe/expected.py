# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service is expected to be another way than it was, because of what it leaves."""

from __future__ import annotations

import typing as t


class Expected(t.NamedTuple):
    """What is expected to be another way than under the old supervisor, because of that.

    `directory`: where it starts whatever does not go elsewhere, and `why`, in words. `variables`: names of those that it hands down.
    """

    directory: str = ""
    why: str = ""
    variables: frozenset[str] = frozenset()
