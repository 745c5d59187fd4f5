# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files: whatever the text, it is read; what is written from what was read means the same, and nothing else."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.pidone.systemd.plugins.filter.from_unit import from_unit
from ansible_collections.pidone.systemd.plugins.filter.to_unit import to_unit
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import (
    check_directives,
    parse_table,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import parse_lines
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse, split_lines, tidy
from tests.attacks.inputs import BETWEEN, as_bytes, as_text

SEEDS = [
    as_bytes(text)
    for text in (
        (
            "[Unit]\nDescription=A daemon\nAfter=network.target\n\n[Service]\nExecStart=/usr/bin/d --x \\\n  "
            "--y\nEnvironment=\"A=b c\" D=e\n\n[Install]\nWantedBy=multi-user.target\n"
        ),
        "# comment\n; another\n[Timer]\nOnCalendar=\nOnCalendar=daily\nPersistent=yes\n",
        "\ufeff[Service]\r\nExecStart=-/bin/true\r\n", "[Service\nx\n=\n[X-Own]\nA = b\n",
        (
            "[Service]\nExecStart=/bin/sh -c 'a \\\n# not part\n b'\nEnvironment='A=\"x\"' \"B=\\\\\"\n"
            "StandardInputText=%%\\x20\n"
        ),
        "Key=before\n[A]\nK\x1fv\x1fw", "[Service]\nEnvironment=A=1\\\n\nUMask=0077",
        "[Unit]\nDescription=a\u2028b\x85c\nX-Note=\n",
        f"Service{BETWEEN}ExecStart{BETWEEN}/bin/a b{BETWEEN}Environment{BETWEEN}A=b c{BETWEEN}",
    )
]  # fmt: skip
TOKENS = [
    b"[",
    b"]\n",
    b"=",
    b"\\\n",
    b"#",
    b";",
    b"[Service]\n",
    b"Environment=",
    b"ExecStart=",
    b"\n\r",
    b"Description=",
    b"X-",
    b"\\\\\n",
]
_TABLE = parse_table(
    "[Unit]\nDescription=STRING\nAfter=UNIT\n[Service]\nExecStart=COMMAND\nEnvironment=ENVIRON\n[Install]\nWantedBy=UNIT\n"
)


def one_input(data: bytes) -> None:
    text = as_text(data)
    parsed = parse(text)
    told = "\n".join(str(problem) for problem in parsed.problems)
    assert len(told) < 12_000 and told.replace("\n", "").isprintable()
    assert parse(tidy(text)).meaning() == parsed.meaning()
    assert "\r" not in tidy(text) and split_lines(tidy(text)) == split_lines(text)
    more = check_directives(parsed, "service", _TABLE)
    assert len(more) <= 21 and len("\n".join(str(problem) for problem in more)) < 16_000
    parse_lines(text, "Service", ("ExecStart",))
    if not parsed.problems:
        _round(text)
    _write(text)


def _round(text: str) -> None:
    """What from_unit reads and to_unit writes means the same, whatever happened between."""
    try:
        sections = from_unit(text)
        again = to_unit(sections)
    except AnsibleFilterError as error:
        # What systemd reads, and would never know or a playbook never write.
        clear = ("is not a", "holds the character", "has a line break", "ends with a backslash")
        assert any(word in str(error) for word in clear), error
        return
    assert from_unit(again) == sections, again


def _write(text: str) -> None:
    """Values of a playbook: refused, or read back as they were given."""
    section, *words = text.split(BETWEEN)
    directives: dict[str, t.Any] = {}
    for key, value in zip(words[::2], words[1::2], strict=False):
        directives[key] = [*directives[key], value] if key in directives else [value]
    try:
        written = to_unit({section: directives})
    except AnsibleFilterError as error:
        assert len(str(error)) < 1500 and str(error).isprintable(), error
        return
    parsed = parse(written)
    assert not parsed.problems, parsed.problems
    assert [name for name, _line in parsed.sections] == [section]
    for key, values in directives.items():
        if key not in ("Environment", "LogExtraFields"):
            found = [item.value for item in parsed.assignments if item.key == key]
            assert found == [value.strip(" \t\n\r") for value in values], written
