# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit file is to say, and what its change comes to: for all who write unit files."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import LIMIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import (
    UnitText,
    explain,
    parse,
    render,
    split_lines,
    tidy,
)

# LONG_LINE_MAX of systemd.
_LONGEST_LINE = 1 << 20
# A text that says what most do, and of which it is seen at a glance that nothing is wrong with how it is written: comments, sections,
# directives, each on a line of its own.
_REST = r"[ -\[\]-~]*\n"
_PLAIN = re.compile(rf"(?:[#;]{_REST}|\n)*(?:\[[A-Za-z-]{{1,64}}\]\n(?:[A-Za-z0-9-]{{1,64}}={_REST}|[#;]{_REST}|\n)*)*")


def wanted_text(
    sections: t.Any, content: str | None, is_dropin: bool, where: str = ""
) -> tuple[str, UnitText]:
    """The text of a unit file from `sections` or `content`, and what it says; see `wanted_raw`."""
    raw = wanted_raw(sections, content, is_dropin, where)
    return raw, parse(raw)


def wanted_raw(sections: t.Any, content: str | None, is_dropin: bool, where: str = "") -> str:
    """The text of a unit file from `sections` or `content`.

    :param where: stands before the names of options in errors.
    :raises BadInput: it cannot be written, is none, or too large.
    """
    option = f"{where}content" if content is not None else f"{where}sections"
    raw = tidy(content) if content is not None else render(sections, option)
    # No character has more than four bytes.
    lines = split_lines(raw) if len(raw) * 4 >= _LONGEST_LINE else []
    too_long = next((at for at, line in enumerate(lines, 1) if len(line.encode("utf-8", "replace")) >= _LONGEST_LINE), 0)
    if too_long:
        raise BadInput(
            f"{option}: line {too_long} is longer than 1 MiB, and systemd reads nothing of a file that has such a line; split it"
        )
    if len(raw) * 4 > LIMIT and (len(raw) > LIMIT or len(raw.encode("utf-8", "surrogateescape")) > LIMIT):
        raise BadInput(f"{option}: the file is larger than {LIMIT >> 20} MiB, which no unit file is; make it smaller")
    if _PLAIN.fullmatch(raw) is None:
        problems = parse(raw).problems
        if problems:
            raise BadInput(explain(problems, f"{option}: the file", "does not parse; nothing has been changed"))
    if not raw.strip() and not is_dropin:
        raise BadInput(
            f"{option}: is empty, and an empty file would mask the unit; "
            "use `state: absent` to remove the file, or pidone.systemd.unit with `masked: true`"
        )
    return raw


def decide(before: bytes | None, wanted: str, comments_count: bool, may_be_empty: bool = False) -> bool | None:
    """What writing `wanted` over a file would be: None where it is not needed, else whether it changes the meaning.

    :param comments_count: whether a difference in comments alone is a reason to write.
    :param may_be_empty: whether a file without a text says nothing, as a drop-in does.
    """
    if before is None:
        return True
    text = before.decode("utf-8", "surrogateescape")
    if text == wanted:
        return None
    old, new = parse(text), parse(wanted)
    # A unit file of nothing at all masks its unit, whatever it would mean otherwise.
    if not (text or may_be_empty) or old.problems or old.meaning() != new.meaning():
        return True
    return False if comments_count and old.comments != new.comments else None


def file_state_after(state: str, text: UnitText, is_dropin: bool) -> str:
    """What UnitFileState will be when a file is there as `text` says; `state` is what it is now."""
    if text.installs():
        return "disabled" if state in ("", "static", "indirect") else state
    if is_dropin or state not in ("", "disabled", "indirect"):
        return state
    return "indirect" if text.values("Install", "Also") else "static"


def can_reload_after(can_reload: bool, kind: str, text: UnitText, is_dropin: bool) -> bool:
    """Whether the unit will be able to reload when a file is there as `text` says."""
    if kind != "service":
        return can_reload
    reloads = bool(text.values("Service", "ExecReload")) or text.values("Service", "Type")[-1:] == ["notify-reload"]
    if is_dropin:
        reset = any(item.section == "Service" and item.key == "ExecReload" for item in text.assignments)
        return reloads or (can_reload and not reset)
    return reloads
