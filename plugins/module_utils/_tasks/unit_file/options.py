# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of `unit_file` ask for, before a look at the host."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.probe import Probe
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    TYPES,
    check_name,
    is_template,
    prefix_of,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import check_dropin
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.texts import wanted_text
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import triggers_of

# Options of ansible-core for a file that is written (ansible.builtin.files).
_OF_FILES = ("mode", "owner", "group", "attributes", "seuser", "serole", "setype", "selevel")


class Asked:
    """The options of a task, checked.

    `name` and `kind` are the unit's, `dropin` is the file name of the drop-in (None: the unit file itself). `enabled` and
    `started` are what is wished for, with `activate` counted in (None: left as it is). `restart_on` and `reload_on` are paths
    (which begin with a slash, or `~/`) and texts. `raw` is the text to be written and `text` what it says; both are empty with
    `absent`. `src` is the file that is linked, empty where none is; what it says is found later. `reverted` units are as their
    package has them; what is wished for is then `absent`, too.

    :raises BadInput: an option is wrong, or does not go with another.
    """

    def __init__(self, params: dict[str, t.Any], check_mode: bool) -> None:
        self.params = params
        self.check_mode = check_mode
        self.reverted = params["state"] == "reverted"
        self.absent = params["state"] == "absent" or self.reverted
        self.src = ""
        self.runtime = bool(params["runtime"])
        self.name = check_name(params["name"], loadable=not self.absent)
        self.kind = unit_type(self.name)
        self.dropin: str | None = None
        if params["dropin"] is not None:
            if params["name"] in TYPES:
                raise BadInput(
                    f"name: {params['name']} is a type of units; for drop-ins of one unit give its name, written {self.name} if it is "
                    f"called so (those of all units of a type, in {params['name']}.d, this module does not write)"
                )
            self.dropin = check_dropin(params["dropin"], self.name)
        elif self.kind == "scope":
            raise BadInput(
                f"name: {self.name} cannot have a unit file, as scopes are made by programs; give a `dropin`"
            )
        self.settle = parse_timespan(params["settle"], "settle")
        self.enabled, self.started = params["enabled"], params["started"]
        if params["activate"]:
            self.enabled = True if self.enabled is None else self.enabled
            self.started = True if self.started is None and not self._nothing_runs() else self.started
        self.restart_on = triggers_of(params, "restart_on", "", params["scope"])
        self.reload_on = triggers_of(params, "reload_on", "", params["scope"])
        self.probe = Probe.of(params["probe"], "probe")
        if self.probe is not None and not self.stands_for_many:
            self.probe.for_unit(self.name)
        self._check_together()
        if params["state"] == "linked":
            self.src = self._checked_src()
        self.on_change = params["on_change"] or ("restart" if self.started else "nothing")
        self.raw, self.text = "", parse("")
        if not self.absent and not self.src:
            self.raw, self.text = wanted_text(params["sections"], params["content"], self.dropin is not None)

    @property
    def stands_for_many(self) -> bool:
        """Whether it is a template, or a prefix with a drop-in."""
        return is_template(self.name) or (self.dropin is not None and prefix_of(self.name).endswith("-"))

    def _checked_src(self) -> str:
        """The path of the file that is to be linked."""
        if self.params["src"] is None:
            raise BadInput("src: which file is to be linked is missing; write its path on the host")
        src = check_directory(self.params["src"], "src")
        if src.rpartition("/")[2] != self.name:
            raise BadInput(
                f"src: {shown(src)} is no file named {self.name}, and systemd knows a unit by the name of its file; name that file, or correct `name`"
            )
        return src

    def _nothing_runs(self) -> bool:
        return self.params["root"] is not None or self.params["scope"] == "global"

    def _check_together(self) -> None:
        params = self.params
        if self.started is not None and self._nothing_runs():
            where = "root" if params["root"] is not None else "scope"
            raise BadInput(f"started: nothing runs where `{where}` points; leave out `started`")
        if self.started is not None and is_template(self.name):
            option = "started" if params["started"] is not None else "activate"
            raise BadInput(
                f"{option}: {self.name} is a template, of which only instances can run; leave out `{option}`, and start "
                "instances with pidone.systemd.unit (`on_change` takes care of those that run)"
            )
        state = params["state"]
        if state in ("linked", "reverted"):
            others = ["dropin", "sections", "content", *_OF_FILES, *(("enabled", "started") if self.reverted else ())]
            for option in others:
                if params[option] is not None:
                    raise BadInput(f"{option}: does not go with `state: {state}`; leave out `{option}`")
            if self.reverted and params["activate"]:
                raise BadInput("activate: does not go with `state: reverted`; do that in a task after it, with pidone.systemd.unit")
        if params["src"] is not None and state != "linked":
            raise BadInput("src: is the file that `state: linked` links; set that, or leave out `src`")
        if self.absent and self.dropin is None and (self.enabled or self.started):
            option = "activate" if params["activate"] else "enabled" if self.enabled else "started"
            raise BadInput(
                f"{option}: a unit whose file is removed cannot stay so; leave out `{option}` with `state: absent`"
            )
        if params["root"] is not None and params["scope"] == "user":
            raise BadInput(
                "root: the units of users are in their home directories, which are in no tree; use scope `system`, or leave out `root`"
            )
        if self.absent or state == "linked":
            return
        if params["content"] is None and params["sections"] is None:
            raise BadInput("sections: what the file shall say is missing; give `sections` or `content`")
