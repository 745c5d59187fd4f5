# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that only write logs."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, constant


def base_name(words: list[Word]) -> str:
    """The name of a command without its directory; empty where it is not constant."""
    return (constant(words[0]) or "").rsplit("/", 1)[-1]


# What gives a logger an account, variables or limits.
_BEFORE = frozenset("chpst setuidgid s6-setuidgid envuidgid envdir s6-envdir softlimit exec".split())


def is_logger(words: list[Word]) -> bool:
    """Whether a command does nothing but log."""
    return logger_of(words) is not None


def logger_of(words: list[Word]) -> list[Word] | None:
    """The logging command in these words, behind wrappers; None where it does more than log."""
    rest = list(words)
    if rest and base_name(rest) in _BEFORE:
        for index in range(1, len(rest)):
            if (constant(rest[index]) or "").rsplit("/", 1)[-1] in lists.LOGGERS:
                rest = rest[index:]
                break
    if not rest or base_name(rest) not in lists.LOGGERS:
        return None
    if any(piece.kind == "shell" for word in rest for piece in word):
        return None
    if base_name(rest) == "cat" and len(rest) > 1:
        return None
    return rest
