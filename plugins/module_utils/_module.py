# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule as every module of this collection uses it."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule as _AnsibleModule

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import luggage


class AnsibleModule(_AnsibleModule):
    """AnsibleModule that takes what the action plugin sends beside the options, before options are looked at.

    So it is no option: not documented, not logged, not part of `invocation`. What it is, see plugins/action/unit.py.
    """

    def _load_params(self) -> None:
        super()._load_params()
        sent = self.params.pop("_jeepney", None)
        if isinstance(sent, dict):
            luggage.update({key: value for key, value in sent.items() if isinstance(value, str)})

    def run_command(self, args: t.Any, **options: t.Any) -> t.Any:
        # Called by ansible-core's functions on files, as for lsattr(1). Where root acts as a user, a child would keep root's
        # real user id.
        if os.geteuid() == os.getuid() or not isinstance(args, list):
            return super().run_command(args, **options)
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

        done = run_program(args, 60.0)
        return done.returncode, *(stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))

    def log(self, msg: t.Any, log_args: t.Any = None) -> None:
        # syslog takes no NUL and ansible-core fails on one, before the option that holds it can be named.
        super().log(msg.replace("\0", "\\0") if isinstance(msg, str) else msg, log_args)
