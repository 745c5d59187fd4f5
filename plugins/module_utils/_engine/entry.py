# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where errors become Ansible results."""

from __future__ import annotations

import gc
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import explained

if t.TYPE_CHECKING:

    class Module(t.Protocol):
        """What tasks use of AnsibleModule (`_module.py`)."""

        params: dict[str, t.Any]
        check_mode: bool
        # Whether a diff is asked for, and what the module is called.
        _diff: bool
        _name: str
        # A call gives a warning. Who outlives the module gives them elsewhere (`bring_about.py`).
        warn: t.Callable[[str], t.Any]
        # They end the program; a failure may be made an exception instead (`_engine.attributes.py`).
        exit_json: t.Callable[..., t.Any]
        fail_json: t.Callable[..., t.Any]

        # The options, without the values of those that may be secret.
        def without_hidden(self) -> dict[str, t.Any]: ...

        @property
        def tmpdir(self) -> str: ...
        def get_bin_path(self, arg: str) -> str | None: ...

        # Files: what they are to be; they return whether that was another.
        def load_file_common_arguments(self, params: dict[str, t.Any], path: str | None = None) -> dict[str, t.Any]: ...
        def set_fs_attributes_if_different(self, file_args: dict[str, t.Any], changed: bool) -> bool: ...
        def set_mode_if_different(self, path: str, mode: t.Any, changed: bool, diff: t.Any = None) -> bool: ...
        def selinux_enabled(self) -> bool: ...
        def selinux_default_context(self, path: str) -> list[str | None]: ...
        def set_default_selinux_context(self, path: str, changed: bool) -> bool: ...
        def set_context_if_different(self, path: str, context: list[str | None], changed: bool) -> bool: ...


def run(module: Module, task: t.Callable[[Module], dict[str, t.Any]]) -> None:
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
    # All there is stays until the process ends, which would look for garbage in it once more.
    gc.freeze()
    module.exit_json(**result)


def _warn(module: Module, result: dict[str, t.Any]) -> None:
    """Give the warnings of *result* to Ansible, which will no longer take them as part of a result."""
    for warning in result.pop("warnings", ()):
        module.warn(warning)
