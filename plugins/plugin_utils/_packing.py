# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and results of many items on their way to the host and back, each as one text.

ansible-core looks at every text in them on its own, in both directions and on both sides: at what is a template, where it stands in
the playbook, whether it may be shown. Of hundreds of units that takes longer than all that is done about them. So they travel as
JSON in one text, written and read by Python alone. What cannot be packed travels as ever; nothing else differs.
"""

from __future__ import annotations

import json
import typing as t

from ansible.module_utils.common.json import Direction, get_module_decoder

# Characters of packed options that are worth it.
_MANY = 8192
# What a text begins or holds that Jinja has to look at.
_OPENS = ("{{", "{%", "{#", "#jinja2:")
# What ansible-core does not read as Python does: the key of what is to become an object of its own, and escapes, which can spell that, and text
# that is no Unicode. A module writes escapes for control characters alone.
_OTHERWISE = ("__ansible_type", "\\u")


def has_template(value: t.Any) -> bool:
    """Whether there may be a template anywhere in an option, or something of an unknown type."""
    if isinstance(value, str):
        return ("{" in value and any(each in value for each in _OPENS)) or value.startswith("#jinja2:")
    if value is None or isinstance(value, (bool, int, float)):
        return False
    if isinstance(value, dict):
        return any(has_template(each) for each in value.values())
    if isinstance(value, list):
        return any(has_template(each) for each in value)
    return True


def pack(args: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], str, list[str]]:
    """Options without what ansible-core knows of their texts; what of them is packed, and the names of these options.

    :returns: the options, a text (empty where nothing is packed), names.
    """
    plain = dict(args)
    # What begins so is for ansible-core and this plugin to say.
    names = [name for name, value in args.items() if isinstance(value, (dict, list)) and not name.startswith("_")]
    try:
        packed = json.dumps({name: args[name] for name in names})
        plain.update(json.loads(packed))
    except (TypeError, ValueError, RecursionError):
        return plain, "", []
    return (plain, packed, names) if len(packed) >= _MANY else (plain, "", [])


def unpack(answer: dict[str, t.Any]) -> None:
    """Put what a module has packed into its answer, in place of what it left empty.

    ansible-core has taken out by then what no module may say; nothing else than it has left is filled in. And nothing is let in that it
    refuses in an answer: kept in a cache of facts, what looks like its own texts would come back as some, templates that are trusted included.
    """
    packed = answer.pop("pidone_packed", None)
    if not isinstance(packed, str):
        return
    # The profile is the one of all modules in Python.
    decoder = get_module_decoder("legacy", Direction.MODULE_TO_CONTROLLER) if any(each in packed for each in _OTHERWISE) else None
    try:
        values = json.loads(packed, cls=decoder)
    except Exception:
        # Also whatever ansible-core's types make of what is none of theirs.
        values = None
    if not isinstance(values, dict):
        answer.update(failed=True, msg="the module's answer cannot be read, as something on the host has changed it")
        return
    answer.update((name, value) for name, value in values.items() if name in answer and answer[name] is None)
