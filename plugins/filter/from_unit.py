# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `from_unit`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: from_unit
short_description: Read the text of a unit file as sections
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Reads the text of a unit file or drop-in as systemd does, and returns what M(pidone.systemd.unit_file) takes as its
    O(pidone.systemd.unit_file#module:sections). Comments are not part of it.
  - P(pidone.systemd.to_unit#filter) of the result means the same to systemd as the text.
options:
  _input:
    description: The text of the unit file.
    type: str
    required: true
seealso:
  - plugin: pidone.systemd.to_unit
    plugin_type: filter
  - module: pidone.systemd.unit_file
"""

EXAMPLES = r"""
- name: Read the unit of a package
  ansible.builtin.slurp:
    src: /usr/lib/systemd/system/nginx.service
  register: nginx

- name: Show its command
  ansible.builtin.debug:
    msg: "{{ (nginx.content | b64decode | pidone.systemd.from_unit).Service.ExecStart }}"
"""

RETURN = r"""
_value:
  description:
    - The sections. Each value is text, or a list of texts where the directive is given more than once.
    - An empty text is a reset.
  type: dict
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import Assignment, parse
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import reporting, text


@reporting
def from_unit(value: t.Any) -> dict[str, dict[str, str | list[str]]]:
    parsed = parse(text(value))
    if parsed.problems:
        raise BadInput(
            "input: is not the text of a unit file: " + "; ".join(str(problem) for problem in parsed.problems)
        )
    found: dict[str, dict[str, list[Assignment]]] = {name: {} for name, _line in parsed.sections}
    for item in parsed.assignments:
        found[item.section].setdefault(item.key, []).append(item)
    return {
        section: {key: _value(key, [item.meaning for item in items]) for key, items in directives.items()}
        for section, directives in found.items()
    }


def _value(key: str, values: list[str]) -> str | list[str]:
    if len(values) == 1:
        return values[0]
    return [_verbatim(value) for value in values] if key in ("Environment", "LogExtraFields") else values


def _verbatim(line: str) -> str:
    """A line of NAME=VALUE words as an item of a list, which to_unit would take for one word otherwise."""
    if not line or line[0] in "\"'" or not any(char in line for char in " \t\"'\\"):
        return line
    # Quoted as a whole, the first word makes the item one that is left as it is.
    word, quote, at = "", "", 0
    while at < len(line):
        char = line[at]
        if char == "\\":
            word += line[at : at + 2]
            at += 2
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                word += '\\"' if char == '"' else char
        elif char in "\"'":
            quote = char
        elif char in " \t":
            break
        else:
            word += char
        at += 1
    return f'"{word}"{line[at:]}'


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"from_unit": from_unit}
