# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of errors of this collection; only ``_engine/entry.py`` turns them into a failed result."""

from __future__ import annotations

import errno
import os
import typing as t


class SystemdError(Exception):
    """Something a user can act on.

    ``msg`` is one clear sentence or screen for the user (what, which option or unit, the remedy);
    ``data`` are JSON-able facts that go into the failed result beside it; ``changed`` says of a class of errors that what
    failed has changed something all the same.
    """

    changed = False

    def __init__(self, msg: str, **data: t.Any) -> None:
        super().__init__(msg)
        self.msg = msg
        self.data = data


class BadInput(SystemdError):
    """An option's value cannot be used; nothing has been changed."""


def become_hint() -> str:
    """What is added to a message that something is not permitted; empty where root was at work, as itself or as a user."""
    return "" if 0 in (os.getuid(), os.geteuid()) else "; this needs root, so add `become: true` to the task or play"


def explained(error: BaseException, doing: str) -> SystemdError:
    """An error as one that a user can act on.

    :param error: what was raised; a SystemdError stays what it is.
    :param doing: what could not be done, in words that follow `cannot`.
    """
    if isinstance(error, SystemdError):
        return error
    if isinstance(error, OSError):
        where = (
            f": {os.fsdecode(error.filename)}" if error.filename and os.fsdecode(error.filename) not in doing else ""
        )
        why = f"{error.strerror or error}{where}"
        if isinstance(error, PermissionError):
            return SystemdError(f"not permitted to {doing}: {why}{become_hint()}")
        hints = {
            errno.ENOSPC: "make room on that file system",
            errno.EDQUOT: "make room, or raise the quota",
            errno.EROFS: "the file system is mounted read-only; remount it, or write elsewhere",
            errno.EIO: "the disk or file system is failing; see the kernel's log",
        }
        hint = hints.get(error.errno or 0)
        return SystemdError(f"cannot {doing}: {why}{'; ' + hint if hint else ''}")
    import traceback

    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return SystemdError(
        f"cannot {doing}: {type(error).__name__}: {str(error)[:500]}; this is a defect of the collection pidone.systemd, "
        "so please report it, together with `defect` of this result",
        defect=[f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}" for frame in frames],
    )


# How much of a value a message quotes.
LONGEST_SHOWN = 100


def plain(text: str, limit: int = LONGEST_SHOWN) -> str:
    """Text as a message holds it without quotes: in one line, cut, control characters and lone surrogates escaped."""
    cut = one_line(text[:limit])
    return cut if len(text) <= limit and len(cut) <= limit else cut[: limit - 3] + "..."


def one_line(text: str) -> str:
    """Text in one line that a terminal shows and does not obey: control characters and lone surrogates escaped."""
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def short(names: t.Sequence[str], most: int = 3) -> str:
    """A list of names for people: all of a few, else the first ones and how many more."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def shown(value: t.Any, limit: int = LONGEST_SHOWN) -> str:
    """Any value as a message quotes it: as Python writes it, cut to about `limit` characters. It never fails."""
    if isinstance(value, str):
        text = repr(str(value[: limit + 1]))
        if len(value) <= limit and len(text) <= limit + 2:
            return text
        return text[: limit - 3] + "..." + text[0]
    try:
        text = repr(value)
    except Exception:  # such as of numbers of more than 4,300 digits, and of lists in themselves
        return f"a number of more than {limit} digits" if isinstance(value, int) else f"a {type(value).__name__}"
    return plain(text, limit)
