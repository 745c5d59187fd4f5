# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule as every module of this collection uses it."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule as _AnsibleModule

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import luggage
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_values, presentable, showable

# Options that hold files of a host as they were found, so any bytes, and one that is handed on as it is.
_AS_DATA = ("services", "definitions")
_BINARY = ("stdin",)


class AnsibleModule(_AnsibleModule):
    """AnsibleModule that takes what the action plugin sends beside the options, before options are looked at.

    So it is no option: not documented, not logged, not part of `invocation`. What it is, see plugins/action/unit.py.

    It is also the border: no module sees text that cannot be text or numbers that nothing holds, and no failure, ansible-core's own included, shows more of
    a value than fits into a line.
    """

    def __init__(self, *args: t.Any, **options: t.Any) -> None:
        super().__init__(*args, **options)
        self._check_values()

    def _log_invocation(self) -> None:
        # ansible-core fails while it logs what is no Unicode, before the option that holds it can be named.
        self._check_values()
        super()._log_invocation()

    def _check_values(self) -> None:
        try:
            check_values(self.params, _AS_DATA, _BINARY)
        except BadInput as e:
            self.fail_json(e.msg)

    def fail_json(self, msg: t.Any, **facts: t.Any) -> t.Any:
        # Does not return.
        self.params: dict[str, t.Any] = showable(self.params)
        super().fail_json(presentable(str(msg), self.params), **facts)

    def _load_params(self) -> None:
        super()._load_params()
        sent = self.params.pop("_jeepney", None)
        if isinstance(sent, dict):
            luggage.update({key: value for key, value in sent.items() if isinstance(value, str)})

    def log(self, msg: t.Any, log_args: t.Any = None) -> None:
        # syslog takes no NUL and ansible-core fails on one, before the option that holds it can be named.
        super().log(msg.replace("\0", "\\0") if isinstance(msg, str) else msg, log_args)
