# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit names and escaping: taken or refused, escaping undone gives what was escaped, and paths on the bus are ones."""

from __future__ import annotations

import re

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd import names
from tests.attacks.inputs import as_bytes, as_text

SEEDS = [
    as_bytes(text)
    for text in (
        "nginx", "app@7.service", "app@.service", "srv-big\\x20data.mount", "/srv//big data/./x", "*.service",
        "a[!b-d]?.timer", "-.slice", "user@1000.service", "dev-disk-by\\x2duuid-1.swap", "Tom & Ann/photos",
        ".hidden", "\u00e9\udc80", "x" * 247 + ".service", "a.b.c", "/",
    )
]  # fmt: skip
TOKENS = [b"@", b".service", b".mount", b".slice", b"\\x2d", b"\\x", b"[:digit:]", b"*", b"/", b"..", b"-", b"a" * 60]
_PATH = re.compile(r"/org/freedesktop/systemd1/unit/[A-Za-z0-9_]+")


def one_input(data: bytes) -> None:
    text = as_text(data)
    for globs in (False, True):
        try:
            name = names.check_name(text, globs=globs)
        except BadInput as error:
            _clear(error)
            continue
        assert len(name) <= 255 and "/" not in name and name.isascii() and name.isprintable()
        assert names.check_name(name, globs=globs) == name
        names.python_pattern(name)
        if not names.is_glob(name):
            assert _PATH.fullmatch(names.object_path(name))
            instance, template = names.instance_of(name), names.template_of(name)
            if template and instance:
                assert template.replace("@", f"@{instance}", 1) == name
            assert names.prefix_of(name)
    for check in (names.check_slice, _drop_in):
        try:
            check(text)
        except BadInput as error:
            _clear(error)
    _escaping(text)
    try:
        names.unescape(text)
        names.unescape_path(text)
    except BadInput as error:
        _clear(error)


def _drop_in(text: str) -> None:
    names.check_file_name(text, "name", "{}.d", "its directory of drop-ins")


def _escaping(text: str) -> None:
    try:
        escaped = names.escape(text)
    except BadInput as error:
        _clear(error)
        return
    # Bytes that are no UTF-8 come back as they are, and together they may be a character.
    assert _raw(names.unescape(escaped)) == _raw(text)
    path = names.unescape_path(names.escape_path(text))
    assert _raw(path) == _raw("/" + "/".join(part for part in text.split("/") if part not in ("", ".")))


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _clear(error: BadInput) -> None:
    assert len(error.msg) < 800 and error.msg.isprintable(), error.msg
