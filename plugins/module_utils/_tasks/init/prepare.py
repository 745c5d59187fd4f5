# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the first boot of systemd needs, made under the old init: units, links, the trial, and which init boots next."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, WriteFile, file_diff
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import UnitFileLinks
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import snapshot
from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import listeners
from ansible_collections.pidone.systemd.plugins.module_utils._sources import names
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import (
    is_masked,
    link_directories,
    read_links,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText, explain, parse
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.record import Record, has_text, picture
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.steps import Keep, PutBack, leads
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.switch import (
    TRIAL,
    UNITS,
    SwitchInit,
    trial_units,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.old_init import OldInit
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.options import Given
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.record import Asked
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.verify import Moved


class Preparation:
    """What is to be written, enabled and disabled for the services to come up with systemd.

    :param trial: the time in which the first boot has to be confirmed, in seconds.
    :param warnings: of the task, to which those of a preparation are added.
    :raises BadInput: a service has no unit, or one without a text.
    """

    def __init__(self, module: Module, init: OldInit, given: t.Sequence[Given], trial: int, warnings: list[str]) -> None:
        self._module, self._init, self._given, self._trial, self._warnings = module, init, given, trial, warnings
        self.files, self.enable, self.disable = self._wanted()
        self.asked: Asked = {"files": self.files, "enable": self.enable, "disable": self.disable, "trial": trial}

    def is_written(self) -> bool:
        """Whether all files are what they shall be."""
        return all(has_text(path, text) for path, text in self.files.items())

    def records(self, old: Record) -> tuple[Record, Record]:
        """The record of what is now, and one of what an earlier run, of which *old* is the record, wrote and has to go."""
        fresh = self._new_record()
        fresh.asked = self.asked
        dropped = Record({})
        if old.phase in ("prepared", "begun"):
            # An earlier run: what was there before it began is in its record, and what it wrote for services that are
            # not to be moved any more has to go.
            fresh.files.update(old.files)
            known = {*old.units, *TRIAL}
            new = {path: target for path, target in fresh.links.items() if leads(path, target) not in known}
            fresh.links = {**new, **old.links}
            dropped.files = {path: was for path, was in old.files.items() if path not in self.files}
            dropped.units = [name for name in old.units if name not in fresh.units]
            dropped.links = old.links
        return fresh, dropped

    def verify(self) -> None:
        """Have systemd check the units; what it says beside errors becomes warnings.

        :raises BadInput: it would not take one.
        """
        import shutil
        import tempfile

        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import load_table
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import verify_units

        texts: dict[str, tuple[UnitText, str]] = {}
        for path, raw in self.files.items():
            text = parse(raw)
            if text.problems:
                raise BadInput(explain(text.problems, path, "does not parse; nothing has been changed"))
            if os.path.dirname(path) == UNITS:
                texts[os.path.basename(path)] = (text, raw)
        table = load_table()
        if table is None:
            # In check mode the package may not have been installed.
            if not self._module.check_mode:
                raise SystemdError("there is no systemd on this host; install the package systemd first")
            self._warnings.append("systemd is not installed yet, so the units have not been checked")
            return
        if not texts:
            return
        scratch = tempfile.mkdtemp(prefix="verify-", dir=self._module.tmpdir)
        try:
            verdicts = verify_units(texts, UnitPaths("system"), table, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        for name, (errors, warnings) in verdicts.items():
            if errors:
                raise BadInput(
                    explain(errors, name, "was not accepted by this host's systemd, and nothing has been changed")
                )
            self._warnings += [f"{name}: {warning}" for warning in warnings]

    def plan(self, record: Record, dropped: Record) -> Plan:
        """The steps; *record* and *dropped* as from `records`."""
        files = self.files
        tools = FileTools(lambda path, check: False, label=lambda path: self._module.set_context_if_different(
            path, self._module.selinux_default_context(path), False))  # fmt: skip
        steps: list[Step] = [Keep(record, "begun")]
        if dropped.files or dropped.units:
            steps.append(PutBack(dropped, trial=False))
        diffs = []
        everything = {
            **files,
            **{f"{UNITS}/{name}": text for name, text in trial_units(self._init, self._trial).items()},
        }
        for path, text in everything.items():
            content = text.encode()
            before = None if os.path.islink(path) else Saved.of(path)
            if before is not None and before.content == content:
                continue
            steps.append(WriteFile(path, content, before, tools))
            if path in files:
                diffs.append(file_diff(path, before, text))
        directories = link_directories("system")
        masked = [name for name in self.enable if is_masked(name) and f"{UNITS}/{name}" not in files]
        if masked:
            steps.append(UnitFileLinks("unmask", masked, directories))
        if self.disable:
            steps.append(UnitFileLinks("disable", self.disable, directories))
        steps.append(UnitFileLinks("enable", [*self.enable, TRIAL[0], TRIAL[1]], directories, force=True))
        steps += [SwitchInit(self._init), Keep(record, "prepared")]
        plan = Plan(steps, [Change("/sbin/init", self._init.boots(), "systemd")])
        plan.file_diffs = diffs
        return plan

    def _wanted(self) -> tuple[dict[str, str], list[str], list[str]]:
        """Files to write (path -> text), units to enable, and units to disable."""
        files: dict[str, str] = {}
        enable: list[str] = []
        disable: list[str] = []
        for given in self._given:
            for unit in given.units:
                if unit.content is None:
                    raise BadInput(
                        f"{given.where}.units: {unit.name} has no content; write it, or give a unit of the host as `packaged`"
                    )
                files[f"{UNITS}/{unit.name}"] = unit.content
            for dropin in given.dropins:
                files[f"{UNITS}/{dropin.unit}.d/{dropin.name}"] = dropin.content
            names = [unit.name for unit in given.units if parse(unit.content or "").can_be_enabled()]
            if given.packaged:
                names.append(given.packaged)
            if not given.units and not given.packaged:
                raise BadInput(f"services: {given.name} has no unit; exclude it, or write one by hand")
            (enable if _is_wanted(given) else disable).extend(names)
        return files, enable, disable

    def _new_record(self) -> Record:
        services: list[Moved] = []
        for given in self._given:
            pid = given.state.get("pid")
            services.append(
                {
                    "name": given.name,
                    "source": given.source or names()[0],
                    "path": given.path,
                    "units": [unit.name for unit in given.units] or [given.packaged],
                    "packaged": bool(given.packaged),
                    "accept": given.accept,
                    "wanted": _is_wanted(given),
                    "before": snapshot(pid) if pid else None,
                }
            )
        units = [name for service in services for name in service["units"]]
        every = {*units, *TRIAL}
        kept = {
            path: target
            for path, target in read_links(link_directories("system")).items()
            if leads(path, target) in every
        }
        return Record(
            {
                "phase": "begun",
                "services": services,
                "units": units,
                "files": {path: picture(path) for path in self.files},
                "links": kept,
                "listeners": listeners(),
                "old": self._init.old_program(),
            }
        )


def _is_wanted(given: Given) -> bool:
    """Whether the service would have come up with the next boot of the old init."""
    return bool(given.state.get("enabled")) and not given.state.get("down")
