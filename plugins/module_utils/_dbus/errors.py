# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between this process and a bus, before anybody knows what the messages mean."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError


class BusUnreachable(SystemdError):
    """No connection: the socket is missing, refuses, or closed under us. A new connection may be tried."""


class BusTimeout(SystemdError):
    """The deadline passed before the peer answered or signalled."""


class WrongPeer(SystemdError):
    """Not who should listens at a socket, or a link is in its place. Nothing was sent; to try again would not help."""


class BadMessage(SystemdError):
    """The peer sent what is no D-Bus, too much, or not what was asked for; its connection is closed.

    It is no BusUnreachable, because a peer that answers nonsense answers the same the next time.
    """


class CallFailed(SystemdError):
    """The peer answered a call with an error; ``name`` is the D-Bus error name, ``text`` its message."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name, dbus_error=name)
        self.name = name
        self.text = text
