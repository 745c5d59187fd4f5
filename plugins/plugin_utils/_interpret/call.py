# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command with its arguments, as who knows it gets it."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.redirections import Redirect
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word

if t.TYPE_CHECKING:
    from tree_sitter import Node


class Call(t.NamedTuple):
    """A command: its words, the first of which is its name, and how it is called.

    `last`: nothing follows it in the script; `checked`: where it fails, the script ends.
    """

    words: list[Word]
    redirects: list[Redirect]
    last: bool
    checked: bool
    node: Node
