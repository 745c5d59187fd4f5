# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials as systemd encrypts them: what `systemd-creds` is asked, which alone has the keys (systemd-creds(1))."""

from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, plain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import leading_number
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

_PROGRAM = "systemd-creds"
# Bytes that a credential may hold: systemd takes 1 MiB (CREDENTIAL_SIZE_MAX), of which the file, in base64, would be larger than those
# that are read here (`reading.LIMIT`).
LARGEST = 750 << 10
# What a file begins with says by which key it is encrypted: 16 bytes. Those of no key at all, and of the key on the disk, for the host
# and for a user.
_KEY_BYTES = 16
_NULL_KEY = bytes.fromhex("058469daf6f54324800549da0f8ea2fb")
_HOST_KEYS = (bytes.fromhex("5a1c6a86df9d4096b1d5a65e0862f19a"), bytes.fromhex("55b9ed1d38594d43a8319d2ebb332ac6"))
#: The key on the disk.
HOST_SECRET = "/var/lib/systemd/credential.secret"
#: The beginning of the year 9999, which has the last times that systemd takes: a file that is good then has no end.
NEVER = 253_370_764_800
# What `has-tpm2` says is missing, by its exit status, and does not matter: that the firmware knows of the chip, too, as none without EFI does.
_FIRMWARE = 1


class Credential(t.NamedTuple):
    """One credential of a manager's.

    :param name: what is encrypted with it: a service may ask for it by this name only.
    :param user: whether it is that of the user as whom this process acts (systemd 256 and later).
    :param timeout: seconds that one call may take.
    """

    name: str
    user: bool
    timeout: float

    def encrypt(self, secret: bytes, key: str, not_after: int | None) -> bytes:
        """The secret as a file that only this host can read, in base64.

        :param key: as the option `with_key`.
        :param not_after: seconds since 1970.
        :raises SystemdError: systemd-creds refuses, and why; nothing of the secret is in that.
        """
        args = [f"--with-key={key}", f"--name={self.name}"]
        args += [] if not_after is None else [f"--not-after=@{not_after}"]
        done = run_program([_PROGRAM, *self._scope(), *args, "encrypt", "-", "-"], self.timeout, secret)
        if done.returncode:
            raise SystemdError(f"systemd-creds cannot encrypt: {_said(done.stderr)}")
        return done.stdout

    def decrypt(self, file: bytes, at: int | None = None) -> bytes | None:
        """What a file holds; None where it is that of another name, host or user, or damaged, or was of use only before.

        :param at: when it is to be of use, in seconds since 1970; None for now.
        """
        args = [f"--name={self.name}", *([] if at is None else [f"--timestamp=@{at}"])]
        if has_null_key(file):
            args.append("--allow-null")
        done = run_program([_PROGRAM, *self._scope(), *args, "decrypt", "-", "-"], self.timeout, file)
        return None if done.returncode else done.stdout

    def holds(self, file: bytes, secret: bytes, not_after: int | None) -> bool:
        """Whether a file holds the secret, for as long as is wished and no longer.

        Of a user's, systemd tells nobody but root when its time is over; so this is not looked at.
        """
        if self.user:
            return self.decrypt(file) == secret
        if self.decrypt(file, NEVER if not_after is None else not_after) != secret:
            return False
        return not_after is None or self.decrypt(file, not_after + 1) is None

    def _scope(self) -> list[str]:
        return ["--user"] if self.user else []


def version() -> int | None:
    """The version of systemd whose program it is.

    :raises ProgramMissing: there is no systemd-creds.
    """
    told = run_program([_PROGRAM, "--version"], 30.0).stdout.decode("utf-8", "replace")
    return leading_number(told.replace("systemd ", "", 1))


def has_tpm2() -> bool:
    """Whether there is a TPM2 chip that systemd can use.

    :raises ProgramMissing: there is no systemd-creds.
    """
    done = run_program([_PROGRAM, "--quiet", "has-tpm2"], 30.0)
    # Version 250 has no such command; then encrypting tells.
    return not done.returncode & ~_FIRMWARE or b"has-tpm2" in done.stderr


def key_of(file: bytes) -> bytes | None:
    """What stands for the kind of key by which a file is encrypted; None where it is no such file."""
    try:
        # 24 characters are 18 bytes.
        return base64.b64decode(file[:24])[:_KEY_BYTES] or None
    except binascii.Error:
        return None


def has_host_key(file: bytes) -> bool:
    """Whether it is encrypted with the key on the disk alone."""
    return key_of(file) in _HOST_KEYS


def has_null_key(file: bytes) -> bool:
    """Whether anybody can read it, since it is encrypted with no key."""
    return key_of(file) == _NULL_KEY


def _said(output: bytes) -> str:
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if "not located on encrypted" not in line]
    return plain("; ".join(lines).strip() or "it does not say why", 300)
