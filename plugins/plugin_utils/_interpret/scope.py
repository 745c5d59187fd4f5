# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known at a statement: variables and the directory (`Scope`), and what the shell has become (`Shell`)."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.copies import copy_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word

if t.TYPE_CHECKING:
    from tree_sitter import Node


@dataclasses.dataclass
class Scope:
    """What is undone where a statement turns out to be for a shell."""

    # The working directory.
    cwd: str
    # What the script has set; None: unset.
    vars: dict[str, Word | None] = dataclasses.field(default_factory=dict)
    # Of these, what a settings file that nobody has read may set again.
    overridable: set[str] = dataclasses.field(default_factory=set)
    # What systemd expands, with the defaults the script has for them.
    dynamic: dict[str, str | None] = dataclasses.field(default_factory=dict)
    # What settings files set, as far as these were read.
    current: dict[str, str] = dataclasses.field(default_factory=dict)
    # What settings files that systemd reads set: later than Environment=.
    filed: set[str] = dataclasses.field(default_factory=set)
    exported: set[str] = dataclasses.field(default_factory=set)
    allexport: bool = False
    # A settings file was read by EnvironmentFile= of which nothing is known.
    open_conf: bool = False
    path_changed: bool = False

    def copy(self) -> Scope:
        """One that later changes of this one do not reach."""
        return copy_of(self)


@dataclasses.dataclass
class Shell:
    """What a statement that is kept as shell text has made of the shell all the same, so that it is not undone."""

    bash: bool = False
    errexit: bool = False
    nounset: bool = False
    umask: int | None = None
    functions: dict[str, Node] = dataclasses.field(default_factory=dict)
    # It has read a file that may set anything.
    open_shell: bool = False
    # Such a file may define functions too.
    open_functions: bool = False
    # It has run what may have given it any PATH.
    open_path: bool = False
    # `cd` to what is known only when the service starts.
    cwd_unknown: bool = False
