# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the pip bootstrap script of ansible-test where that cannot be downloaded (see sanity.sh).

ansible-test runs it with the Python of a new virtual environment that has no pip, and with the packages to install as
arguments. Another environment's pip can install into that one.
"""

from __future__ import annotations

import subprocess
import sys

PYTHON_WITH_PIP = "@PYTHON@"  # filled in by sanity.sh

# --no-setuptools and --no-wheel are options of the real script only
arguments = [arg for arg in sys.argv[1:] if arg not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([PYTHON_WITH_PIP, "-m", "pip", "--python", sys.executable, "install", *arguments]))
