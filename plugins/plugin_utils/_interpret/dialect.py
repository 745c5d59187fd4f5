# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor, or init system, that runs a script adds to the shell."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


class Dialect:
    """A supervisor that adds nothing; a source has one of its own.

    :param argument0: what the script finds in $0.
    :param ends: the exit codes of a script after which the service is not started again.
    """

    #: How findings call the supervisor, what of it runs the scripts, and the process all of that comes from.
    supervisor = "the old supervisor"
    runner = "the old supervisor"
    parent = "the old supervisor"
    #: What bash has in BASH_SOURCE.
    main_script = "./run"
    #: Commands that ask or tell the supervisor something, and have nobody to ask under systemd.
    controls: frozenset[str] = frozenset()
    #: What comes and goes in the directory of a service while it runs.
    changing: frozenset[str] = frozenset()
    #: Whether something is told the exit code of the script.
    tells_code = False

    def __init__(self, argument0: str = "./run", ends: t.Collection[str] = ()) -> None:
        self.argument0 = argument0
        self.ends = frozenset(ends)

    def control(self, it: Interpreter, name: str, arguments: list[str], checked: bool = False) -> None:
        """Give the service what the call of one of `controls` comes to.

        :param checked: the script ends where it fails.
        :raises NeedShell: it cannot be said.
        """

    def said(self, it: Interpreter, arguments: list[str]) -> str | None:
        """The call of one of `controls` as shell text that says the same to systemd; None where nothing does."""
        return None

    def said_note(self, before: str, after: str) -> tuple[str, str, str]:
        """The finding on that: key, construct, text."""
        raise AssertionError("who knows what is said to systemd knows the finding on it")

    def pulls(self, words: list[str]) -> bool:
        """Whether a call of one of `controls` has a service started or asked for."""
        return False

    def starts(self, text: str) -> bool:
        """Whether shell text has a service started, not only asked for."""
        return False

    def asks_enabled(self, text: str) -> bool:
        """Whether the text of a condition asks if the supervisor has a service at all."""
        return False

    def asks_running(self, text: str) -> bool:
        """Whether the text of a pipe looks for an answer that says that a service runs."""
        return False

    def ends_itself(self, it: Interpreter, words: list[str]) -> bool:
        """Whether a call of one of `controls`, where the script is about to end, is for its own service to stay down."""
        return False

    def keeps_down(self, words: list[str]) -> bool:
        """Whether a command changes files so that the supervisor no longer starts the service."""
        return False
