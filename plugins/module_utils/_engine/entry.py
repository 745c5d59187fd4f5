# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where errors become Ansible results."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import explained


def run(module: t.Any, task: t.Callable[[t.Any], dict[str, t.Any]]) -> None:
    """Run a task for a module and exit with its result; does not return.

    :param module: the AnsibleModule.
    :param task: takes the module and returns its result.
    """
    try:
        result = task(module)
    except Exception as e:
        error = explained(e, "do what was asked for")
        _warn(module, error.data)
        module.fail_json(msg=error.msg, **error.data)
    _warn(module, result)
    module.exit_json(**result)


def _warn(module: t.Any, result: dict[str, t.Any]) -> None:
    """Give the warnings of *result* to Ansible, which will no longer take them as part of a result."""
    for warning in result.pop("warnings", ()):
        module.warn(warning)
