# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input to every module, on a host: one clear message, no traceback, and nothing changed."""

from __future__ import annotations

import os
import typing as t

import pytest

from tests.attacks.bad_inputs import MODULES, BadInput, bad_inputs, fault_of_message
from tests.attacks.on_host import ModulesOnHost
from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("bookworm")
SEED = int(os.environ.get("PIDONE_SEED") or os.environ.get("PIDONE_DATE") or 1)
COUNT = int(os.environ.get("PIDONE_BAD_INPUTS") or 1400)

# Options with which the module's task would be right.
GOOD: dict[str, dict[str, t.Any]] = {
    "init_handover": {"state": "finished"},
    "journal_info": {"lines": 1},
    "manager": {"daemon_reload": "never"},
    "manager_info": {},
    "resource_control": {"name": ["bad-input.service"], "properties": {"TasksMax": "100"}},
    "run": {"command": ["/bin/true"], "collect": True},
    "security_info": {"name": ["bad-input.service"]},
    "service_handover": {"services": [{"name": "a", "definition": {"path": "/etc/sv/a"}, "units": []}]},
    "service_import_info": {"source": "runit"},
    "service_import_plan": {"services": []},
    "timer": {"name": "bad-input-timer", "command": "/bin/true", "OnCalendar": "daily"},
    "timer_info": {"name": ["*"]},
    "unit": {"name": ["bad-input.service"], "state": "started"},
    "unit_file": {"name": "bad-input-new.service", "content": "[Service]\nExecStart=/bin/true\n"},
    "unit_info": {"name": ["bad-input.service"]},
    "user_manager": {"name": ["nosudo"], "linger": True},
}


@pytest.fixture(scope="module")
def modules(host: Host) -> t.Iterator[ModulesOnHost]:
    host.write("/etc/systemd/system/bad-input.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    host.run("systemctl daemon-reload", check=True)
    with ModulesOnHost(host) as found:
        yield found
    host.run(
        "systemctl stop bad-input.service; rm /etc/systemd/system/bad-input.service; systemctl daemon-reload",
        check=True,
    )


def fault(one: BadInput, answer: dict[str, t.Any], check: bool) -> str:
    """What is wrong with a module's answer; empty where nothing is."""
    result = answer["result"]
    mode = "check mode" if check else "a real run"
    if result is None:
        return f"{mode}: no result but {answer['output'][-1500:]}"
    if not result.get("failed"):
        return f"{mode}: accepted: {str(result)[:300]}" if one.never else ""
    bad = fault_of_message(result["msg"], one.args)
    if bad or "exception" in result:
        return f"{mode}: {bad or 'with an exception'}: {result['msg'][:600]} ... {result['msg'][-1500:]}"
    return f"{mode}: changed {answer['touched'][:5]}" if answer["touched"] else ""
