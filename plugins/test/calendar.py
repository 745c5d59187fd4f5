# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test `calendar`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: calendar
short_description: Whether text is a calendar event of systemd
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Whether systemd takes the text as a value of C(OnCalendar), as C(systemd-analyze calendar) does.
  - Time zones are those that the controller knows.
options:
  _input:
    description: The text.
    type: raw
    required: true
seealso:
  - plugin: pidone.systemd.cron_to_calendar
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse what systemd would not take
  ansible.builtin.assert:
    that: backup_at is pidone.systemd.calendar
  vars:
    backup_at: Mon..Fri 03:30 Europe/Berlin
"""

RETURN = r"""
_value:
  description: Whether it is a calendar event.
  type: bool
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import reporting


@reporting
def calendar(value: t.Any) -> bool:
    try:
        parse_calendar(value)
    except BadInput:
        return False
    return True


class TestModule:
    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"calendar": calendar}
