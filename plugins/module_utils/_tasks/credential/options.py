# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of `credential` ask for, before a look at the host."""

from __future__ import annotations

import base64
import binascii
import datetime
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory, check_line
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.credentials import LARGEST, NEVER
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import check_dropin

# Types of units that run processes, and the section of their settings.
_SECTIONS = {"service": "Service", "socket": "Socket", "mount": "Mount", "swap": "Swap"}
# Characters that mean nothing to whoever reads a unit, and may be in the name of a drop-in.
_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@+")


class Asked:
    """The options of a task, checked.

    `secret` is what is to be encrypted, empty with `absent`. `not_after` is in seconds since 1970. `unit` is empty where none is named.

    :raises BadInput: an option is wrong, or does not go with another.
    """

    def __init__(self, params: dict[str, t.Any]) -> None:
        self.absent: bool = params["state"] == "absent"
        self.runtime = bool(params["runtime"])
        self.with_key: str = params["with_key"]
        self.on_change: str = params["on_change"]
        self.name = _check_credential(params["name"])
        self.path = "" if params["path"] is None else check_directory(params["path"], "path")
        self.unit = ""
        if params["unit"] is not None:
            self.unit = check_name(params["unit"], option="unit")
            if unit_type(self.unit) not in _SECTIONS:
                raise BadInput(
                    f"unit: {self.unit} runs no process that could be given a credential; name a service, socket, mount or swap"
                )
            check_dropin(f"credential-{self.name}.conf", self.unit, "name")
            if "\\" in self.path or self.path != self.path.strip():
                raise BadInput(
                    f"path: {shown(self.path)} holds a backslash, or a blank at an end, which a unit file cannot name; choose another path"
                )
        elif self.on_change != "nothing":
            raise BadInput("on_change: there is no unit to restart; name it in `unit`, or leave out `on_change`")
        user = params["scope"] == "user"
        self.not_after = None if params["not_after"] is None else _time(params["not_after"])
        if user and self.not_after is not None:
            raise BadInput(
                "not_after: of a user's credential systemd tells nobody when its time is over, so that a change would not be "
                "seen; leave out `not_after`"
            )
        if user and self.with_key in ("tpm2", "null"):
            raise BadInput(
                f"with_key: a user's credential is always encrypted with the host's key, so not with {self.with_key} alone; leave out `with_key`"
            )
        self.secret = b"" if self.absent else _secret(params)

    def dropin_text(self, path: str) -> str:
        """The drop-in by which the unit is given the credential."""
        section = _SECTIONS[unit_type(self.unit)]
        return f"[{section}]\nLoadCredentialEncrypted={self.name}:{path.replace('%', '%%')}\n"


def _check_credential(name: str) -> str:
    """The name of a credential (credential_name_valid() of systemd, fdname_valid())."""
    example = "write one such as db-password"
    check_line(name, "name", "the name of a credential", example, 255)
    bad = next((char for char in name if char not in _CHARS), "")
    if bad or name.startswith("."):
        what = f"holds {shown(bad)}" if bad else "begins with a dot"
        raise BadInput(
            f"name: {shown(name)} {what}; name it with letters, digits and any of - _ . @ +, as it is the name of a file and a word of a unit "
            f"file; {example}"
        )
    if len(name) > 255:
        raise BadInput(f"name: {shown(name)} is {len(name)} characters long, of the 255 that a file's name may have; shorten it")
    return name


def _secret(params: dict[str, t.Any]) -> bytes:
    content = params["content"]
    if content is None:
        raise BadInput("content: the secret is missing; give `content`, or `state: absent` to remove the credential")
    if params["encoding"] == "base64":
        try:
            secret = base64.b64decode("".join(content.split()), validate=True)
        except (binascii.Error, ValueError) as e:
            raise BadInput(
                f"content: is not base64 ({len(content)} characters, not shown); encode it with the filter `b64encode`, or "
                "leave out `encoding`"
            ) from e
    else:
        secret = content.encode("utf-8", "surrogateescape")
    if len(secret) > LARGEST:
        raise BadInput(
            f"content: is {len(secret)} bytes long, of the {LARGEST >> 10} KiB that a credential may have; shorten it"
        )
    return secret


def _time(text: str) -> int:
    """Seconds since 1970 of a point of time; without a zone it is that of the host."""
    example = "write one such as '2027-01-31', '2027-01-31 18:00:00' or 2027-01-31T18:00:00Z"
    text = check_line(text, "not_after", "a time", example, 100).strip()
    if text.startswith("@") and is_digits(text[1:]) and len(text) < 20:
        seconds = count(text[1:])
    else:
        iso = text[:-4].strip() + "+00:00" if text.endswith(" UTC") else text
        iso = iso[:-1] + "+00:00" if iso[-1:] in ("Z", "z") else iso
        try:
            seconds = int(datetime.datetime.fromisoformat(iso).timestamp())
        except (ValueError, OverflowError, OSError) as e:
            raise BadInput(f"not_after: {shown(text)} is no point of time; {example}") from e
    if not 0 < seconds < NEVER:
        raise BadInput(f"not_after: {shown(text)} is no time that systemd takes; {example}")
    return seconds
