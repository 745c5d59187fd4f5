# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a socket through directories that a user can change."""

from __future__ import annotations

import errno
import os

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import WrongPeer


def open_inside(path: str, inside: str, uid: int | None) -> int:
    """Open a socket (as a place, O_PATH) without following any link from the directory *inside* on.

    :param uid: the user to whom everything on the way must belong; anybody where None.
    :raises WrongPeer: it is not that, or belongs to somebody else.
    :raises OSError: it is not there, or still root's.
    """
    place = os.open(inside, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        at, rest = inside, path[len(inside) + 1 :].split("/")
        while True:
            found = os.fstat(place)
            kind = found.st_mode & 0o170000
            if kind != (0o040000 if rest else 0o140000):
                wanted = "a directory" if rest else "a socket"
                raise WrongPeer(
                    f"refused to connect to {path}: {at} is not {wanted} but "
                    f"{'a link' if kind == 0o120000 else 'something else'}, which systemd does not make; "
                    "somebody put it there: see where it leads (`ls -l`) and who did it, and remove it"
                )
            if uid is not None and found.st_uid == 0 != uid:
                # So it is for a moment while logind makes it.
                raise PermissionError(errno.EACCES, f"{at} is still root's")
            if uid is not None and found.st_uid != uid:
                raise WrongPeer(
                    f"refused to connect to {path}: {at} belongs to uid {found.st_uid}, and should belong to uid {uid}; "
                    "find out who made it (`ls -l`), and remove it"
                )
            if not rest:
                return place
            name = rest.pop(0)
            at = f"{at}/{name}"
            parent, place = place, os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
            os.close(parent)
    except BaseException:
        os.close(place)
        raise
