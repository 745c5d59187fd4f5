# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether tests leave out what only a full run does."""

from __future__ import annotations

import os


def is_full() -> bool:
    """Whether everything is to be tested, as `make test-full` does."""
    return os.environ.get("PIDONE_FULL", "") not in ("", "0")
