# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of `credential` ask for; what becomes of it is for real hosts."""

from __future__ import annotations

import base64
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.credentials import has_null_key, key_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.credential.options import Asked

DEFAULTS = {
    "name": "db-password",
    "content": "secret",
    "encoding": "text",
    "state": "present",
    "path": None,
    "runtime": False,
    "with_key": "auto",
    "not_after": None,
    "unit": None,
    "on_change": "nothing",
    "scope": "system",
    "user": None,
}


def asked(**options: t.Any) -> Asked:
    return Asked({**DEFAULTS, **options})


@pytest.mark.parametrize(
    ("options", "secret"),
    [
        ({"content": "a\n"}, b"a\n"),
        ({"content": ""}, b""),
        ({"content": "\udc80"}, b"\x80"),
        ({"content": "AAEC\n/w==", "encoding": "base64"}, b"\0\1\2\xff"),
        ({"content": None, "state": "absent"}, b""),
    ],
)
def test_secrets(options: dict[str, t.Any], secret: bytes) -> None:
    assert asked(**options).secret == secret


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("@1893456000", 1893456000),
        ("2030-01-01 00:00:00 UTC", 1893456000),
        ("2030-01-01T00:00:00Z", 1893456000),
        ("2030-01-01T02:00:00+02:00", 1893456000),
        ("2030-01-01 00:00 UTC", 1893456000),
    ],
)
def test_times(text: str, seconds: int) -> None:
    assert asked(not_after=text).not_after == seconds


def test_a_secret_is_in_no_message() -> None:
    with pytest.raises(BadInput, match="content: is not base64") as caught:
        asked(content="hunter2-", encoding="base64")
    assert "hunter2" not in caught.value.msg


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("app", "[Service]\nLoadCredentialEncrypted=db-password:/etc/x%%y/db\n"),
        ("app@.socket", "[Socket]\nLoadCredentialEncrypted=db-password:/etc/x%%y/db\n"),
    ],
)
def test_what_the_unit_is_told(unit: str, text: str) -> None:
    assert asked(unit=unit).dropin_text("/etc/x%y/db") == text


def test_the_key_of_a_file() -> None:
    none = bytes.fromhex("058469daf6f54324800549da0f8ea2fb")
    file = base64.b64encode(none + b"\x20\0\0\0 and what follows")
    assert key_of(file) == none
    assert has_null_key(file)
    assert not has_null_key(base64.b64encode(b"x" * 40))
    assert key_of(b"") is None
    assert not has_null_key(b"what is no such file")
