# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that is read, or a file that it sources."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import Script, references, text_of, walk

if t.TYPE_CHECKING:
    from tree_sitter import Node


class Text:
    """A parsed file. `sourced`: its variables are wanted, not what it does."""

    def __init__(self, script: Script, sourced: bool = False) -> None:
        self.script = script
        self.file = script.file
        self.sourced = sourced

    @functools.cached_property
    def _references(self) -> list[tuple[int, str]]:
        """Where variables are expanded, or declared for others such as by `export`."""
        declared = [
            (one.start_byte, text_of(child))
            for one in walk(self.script.root)
            if one.type == "declaration_command"
            for child in one.children
            if child.type == "variable_name"
        ]
        return [*references(self.script.root), *declared]

    def later(self, node: Node) -> set[str]:
        """Variables that are expanded, or declared for others such as by `export`, after a node."""
        return {name for at, name in self._references if at >= node.end_byte}
