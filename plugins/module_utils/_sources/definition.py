# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found of a service, as it is sent to the controller: types alone.

What a source does not have, such as links, it leaves out.
"""

from __future__ import annotations

import typing as t


class _File(t.TypedDict):
    path: str


class File(_File, total=False):
    """A file of a service, or one elsewhere that its scripts name; what is not there is left out."""

    # `file`, `link`, `directory`, `fifo`, `socket`, `device`, or `absent`.
    type: str
    target: str
    # As octal digits.
    mode: str
    size: int
    # `utf-8` where it is not told, or `base64`.
    encoding: str
    content: str
    # Why there is no content, or what is to be kept from others: not for everybody, too large, no text.
    private: bool
    truncated: bool
    binary: bool
    # Names of variables that it sets, and that it mentions, where its contents stay on the host.
    variables: list[str]
    mentioned: list[str]


class User(t.TypedDict):
    """A user as the files of the host have it; numbers are text."""

    uid: str
    gid: str
    home: str
    groups: list[str]


class State(t.TypedDict, total=False):
    """What the source does with a service, as far as that can be said of it; what it cannot is left out."""

    running: bool
    pid: int | None
    # `up` or `down`; None where nobody says.
    wanted: str | None
    paused: bool
    # Seconds of the epoch.
    since: int
    # Whether it comes up with the host, is kept from that all the same, or runs but is not started again.
    enabled: bool
    down: bool
    once: bool


class _Raw(t.TypedDict):
    name: str


class Raw(_Raw, total=False):
    """The raw definition of a service, which translators read (`_model/definition.py`)."""

    source: str
    path: str
    # Whether the files are those of a host, rather than of a checkout.
    live: bool
    assumed_path: bool
    links: list[str]
    # Why its supervisor cannot let go of it while that runs, and what to do; left out where it can.
    fixed: str
    files: list[File]
    external: list[File]
    state: State
    # Word of a script -> path of the program, and -> user.
    commands: dict[str, str]
    users: dict[str, User]
    # Paths of a unit and of a SysV script of the same name.
    unit: str | None
    initscript: str | None
    problems: list[str]
