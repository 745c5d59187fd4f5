# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.lab``: see :mod:`tests.lab.cli`."""

from __future__ import annotations

import sys

from tests.lab.cli import main

sys.exit(main())
