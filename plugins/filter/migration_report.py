# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `migration_report`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: migration_report
short_description: Make a report of a migration to systemd
version_added: 1.0.0
author: [pidone.systemd contributors (!UNKNOWN)]
description:
  - Takes what the modules of a migration returned for one host, and returns a report of it for the terminal, for people and for programs.
options:
  _input:
    description:
      - A dictionary of C(host) and C(mode) (V(plan), V(handover), V(system), V(rollback) or V(finish)); C(source), what the services left; C(services),
        C(blocked) and C(left_out) as M(pidone.systemd.service_import_plan) returns them; C(results), the services that M(pidone.systemd.service_handover) or
        M(pidone.systemd.init_handover) returned; C(seconds) that it took; C(notes), lines to add; C(when), a date to show; C(checked), whether
        it was check mode; C(failed), whether the migration failed.
      - All but C(host) may be left out.
      - Whatever hosts said is shown as text. In Markdown it is escaped, and control characters are written as their numbers.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Print the report of a plan
  ansible.builtin.debug:
    msg: "{{ ({'host': inventory_hostname, 'services': plan.services} | pidone.systemd.migration_report).lines }}"
"""

RETURN = r"""
_value:
  description:
    - C(lines), a short summary as a list of lines; C(markdown), the whole report as Markdown; C(data), the same as data;
      C(summary), the data without the services; C(file), a name for files of it on the controller, without a suffix.
  type: dict
"""

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers
from ansible_collections.pidone.systemd.plugins.plugin_utils._filters import reporting
from ansible_collections.pidone.systemd.plugins.plugin_utils._migration_report import report


@reporting
def migration_report(value: t.Any) -> dict[str, t.Any]:
    return report(_answers.facts(value))._asdict()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"migration_report": migration_report}
