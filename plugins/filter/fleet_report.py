# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `fleet_report`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_report
short_description: Make a report of a migration of many hosts
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Takes the summaries of the reports of many hosts, and returns a report of all of them.
options:
  _input:
    description:
      - A dictionary of names of hosts with the C(summary) that P(pidone.systemd.migration_report#filter) made for each, or V(null) for hosts whose turn
        has not come. Instead of a summary, a dictionary with C(stopped) alone says why there is none, such as V(unreachable).
    type: dict
    required: true
seealso:
  - plugin: pidone.systemd.migration_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show how far the fleet has come
  ansible.builtin.debug:
    msg: "{{ ({'web1': hostvars['web1'].service_migration_summary, 'web2': none} | pidone.systemd.fleet_report).lines }}"
"""

RETURN = r"""
_value:
  description: C(lines), a line for each host below one for all; C(markdown), the same as a table; C(data), as data.
  type: dict
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import reporting
from ansible_collections.pidone.systemd.plugins.plugin_utils._migration_report import fleet


@reporting
def fleet_report(value: t.Any) -> dict[str, t.Any]:
    return fleet(_answers.summaries(value))._asdict()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"fleet_report": fleet_report}
