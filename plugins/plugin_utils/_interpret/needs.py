# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is raised where directives do not do."""

from __future__ import annotations


class NeedShell(Exception):
    """A statement that only a shell can do; the text says why."""


class Wrap(Exception):
    """The script as a whole has to go on being run; the text says why, as does the finding `key`."""

    def __init__(self, key: str, construct: str, message: str, line: int) -> None:
        super().__init__(message)
        self.key = key
        self.construct = construct
        self.message = message
        self.line = line


class Keep(Exception):
    """The wrapper has to stay; the text says why."""
