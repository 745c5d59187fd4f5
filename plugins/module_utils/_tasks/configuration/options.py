# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of `configuration` ask for, before a look at the host."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import LIMIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.marker import check_marker, head
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import check_dropin
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import (
    UnitText,
    explain,
    parse,
    render,
)

# Names of configurations have no more than this; those of namespaces are as log_namespace_name_valid() of systemd has them.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


class Asked:
    """The options of a task, checked.

    `name` is the configuration (`journald@web`), `base` that of which it is one (`journald`), `namespace` the journal's.
    `raw` is the text of the drop-in and `text` what it says; both are empty with `absent`.

    :raises BadInput: an option is wrong, or does not go with another.
    """

    def __init__(self, params: dict[str, t.Any], check_mode: bool) -> None:
        self.params = params
        self.check_mode = check_mode
        self.absent = params["state"] == "absent"
        self.runtime, self.purge = bool(params["runtime"]), bool(params["purge"])
        self.name, self.base, self.namespace = _name(params["name"])
        self.dropin = check_dropin(params["dropin"], f"{self.name}.conf")
        self.marker: str = params["marker"]
        check_marker(self.marker)
        self.of_user = params["scope"] == "user"
        self._check_together()
        self.raw, self.text = ("", parse("")) if self.absent else self._wanted()

    @property
    def of_managers(self) -> bool:
        """Whether these are the settings of service managers."""
        return self.base in ("system", "user")

    def _check_together(self) -> None:
        params = self.params
        if params["scope"] == "global":
            raise BadInput(
                "scope: the settings of all users' managers are `name: user` of scope `system`; systemd has none of scope `global`"
            )
        if self.of_user and self.base != "user":
            raise BadInput(
                f"scope: only the settings of a user's manager (`name: user`) are a user's, those of {self.name} are the host's; "
                "use scope `system`"
            )
        if self.of_user and params["root"] is not None:
            raise BadInput(
                "root: the settings of users are in their home directories, which are in no tree; use scope `system`, or leave out `root`"
            )
        if self.of_user and self.runtime:
            raise BadInput("runtime: systemd reads a user's own settings from the home directory alone; leave it out")
        if not self.absent and not params["settings"]:
            raise BadInput(
                "settings: what the drop-in shall say is missing; give `settings`, or remove it with `state: absent`"
            )

    def _wanted(self) -> tuple[str, UnitText]:
        raw = f"{head('configuration', self.marker)}\n{render(self.params['settings'], 'settings')}"
        if len(raw.encode("utf-8", "surrogateescape")) > LIMIT:
            raise BadInput(f"settings: the file is larger than {LIMIT >> 20} MiB, which no such file is; make it smaller")
        text = parse(raw)
        if text.problems:
            raise BadInput(explain(text.problems, "settings: the file", "does not parse; nothing has been changed"))
        if not text.assignments:
            raise BadInput("settings: there is no setting in it; give one, or remove the drop-in with `state: absent`")
        return raw, text


def _name(value: str) -> tuple[str, str, str]:
    """The configuration, that of which it is one, and the namespace."""
    name = value[: -len(".conf")] if value.endswith(".conf") else value
    base, at, namespace = name.partition("@")
    if not _NAME.fullmatch(base) or (at and not _NAMESPACE.fullmatch(namespace)):
        raise BadInput(f"name: {shown(value)} is no configuration of systemd's; write one such as journald, for journald.conf")
    if at and base != "journald":
        raise BadInput(f"name: {shown(value)}: only the journal has namespaces; write {base}")
    return name, base, namespace
