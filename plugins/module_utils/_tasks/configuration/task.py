# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `configuration` module's task: a drop-in of systemd's own settings as wanted, and in force."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveLinks,
    check_writable,
    file_diff,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.read_again import ReadAgain, Reexecute
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs, Reload
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, become_hint
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.settings import (
    meanings,
    winners,
    worded,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.settings import Said, SettingsFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.check import check_settings
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.options import Asked
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.plan import (
    Difference,
    Effect,
    differences,
    effect_on_manager,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.read import (
    Reader,
    has_kernel_log,
    last_changed,
    last_read,
    meaning_told,
    present,
    reader_of,
    spelled,
    to_purge,
    told,
    unread,
    unread_by_users,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.steps import (
    FollowFiles,
    HangUp,
    ReloadDaemon,
    RemoveSettings,
    SeeWhatIsSaid,
    UsersReadAgain,
    WriteSettings,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import Wish
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.task import plan_for

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager


def converge(module: Module) -> dict[str, t.Any]:
    """Bring a drop-in to what the module's options ask for, and into force; returns the module's result."""
    task = _Task(module)
    with task.session as session:
        try:
            plan, ctx, changed = bring_about(module, session, task.plan, task.asked.params["rollback"])
        except SystemdError as e:
            e.data.setdefault("path", task.path)
            raise
        effective, not_in_force = task.in_force(session.manager)
    warnings = plan.warnings + ctx.warnings
    if task.applies and not module.check_mode:
        warnings += not_in_force
    return {
        "changed": changed,
        "path": task.path,
        "written": task.written,
        "purged": task.purged,
        "effective": effective,
        "overridden": task.overridden,
        "warnings": warnings,
        **plan.report(module._diff),
    }


_NOTHING = Effect("", [])


class _Task:
    """One drop-in as it is asked for, and the way from there to a plan."""

    def __init__(self, module: Module) -> None:
        self.asked = asked = Asked(module.params, module.check_mode)
        self.session = open_session(asked.params, may_be_down=True, may_be_gone=asked.absent, module=module)
        self.tree = Tree(asked.params["root"] or "")
        self.files = SettingsFiles(asked.name, self.tree, self.session.home if asked.of_user else "")
        self.path = self.files.dropin(asked.dropin, asked.runtime)
        self.tools = FileTools(
            lambda path, check: False, label=lambda path: module.set_default_selinux_context(path, False)
        )
        # What the last plan was about.
        self.written, self.applies = False, False
        self.purged: list[str] = []
        self.overridden: list[dict[str, str]] = []
        self._said: list[Said] = []
        self._reader = Reader()

    def plan(self) -> Plan:
        """The plan, made anew each time."""
        try:
            return self._plan(self.session.manager)
        except OSError as e:
            raise SystemdError(f"cannot read {e.filename or self.path}: {e.strerror or e}{become_hint()}") from e

    def _plan(self, manager: UnitManager) -> Plan:
        asked, path = self.asked, self.path
        plan, since = Plan(), time.time()
        before, link = present(asked, self.files, path)
        purge = to_purge(asked, self.files, path)
        wanted = asked.raw.encode("utf-8", "surrogateescape")
        writes = not asked.absent and (before is None or before.content != wanted)
        removes = asked.absent and (before is not None or bool(link))
        self.written, self.purged = writes or removes, list(purge)
        said = self.files.read()
        will_be: dict[str, str | None] = dict.fromkeys(purge)
        if writes:
            will_be[path] = asked.raw
        elif removes:
            will_be[path] = None
        self._said = self.files.read(will_be) if will_be else said
        if writes:
            plan.warnings += check_settings(asked, self.tree, path)
        if (writes or removes or purge) and not self.session.gone:
            check_writable(path)
        changes = differences(said, self._said)
        plan.changes = [each.as_change() for each in changes]
        self._reader = reader_of(asked, manager)
        self.applies = bool(asked.params["apply"]) and (manager.runs or self.session.expected)
        effect = self._effect(manager, bool(changes), effect_on_manager(changes))
        again = self._again(effect, bool(changes))
        for each, saved in purge.items():
            plan.steps.append(RemoveSettings(each, saved, self.tools, None if plan.steps else again))
            plan.file_diffs.append(file_diff(each, saved, ""))
        if writes:
            plan.steps.append(WriteSettings(path, wanted, before, self.tools, not changes, None if plan.steps else again))
            plan.file_diffs.append(file_diff(path, before, asked.raw))
        elif link:
            plan.steps.append(RemoveLinks({path: link}))
        elif removes and before is not None:
            plan.steps.append(RemoveSettings(path, before, self.tools, None if plan.steps else again))
            plan.file_diffs.append(file_diff(path, before, ""))
        steps = self._put_into_effect(manager, effect.how)
        follows = effect.how and manager.runs and (asked.base == "system" or asked.of_user)
        follow = [FollowFiles(name, manager.manager_property(name)) for name in effect.follow] if follows else []
        plan.steps = [*follow, *plan.steps, *steps]
        if steps and self._sees():
            who = self._reader.unit or "the manager"
            lines = asked.raw.split("\n")
            uid = self.session.uid if asked.of_user else 0
            plan.steps.append(SeeWhatIsSaid(path, lines, who, since, uid, asked.name == "journald"))
        plan.warnings += effect.warnings + self._see_overridden()
        return plan

    def _effect(self, manager: UnitManager, changed: bool, on_manager: Effect) -> Effect:
        """What has to be done: nothing, where nothing means anything else and all that there is has been read."""
        if not self.applies:
            return Effect("", on_manager.warnings if self.asked.base == "system" and self.asked.params["apply"] else [])
        if changed:
            return on_manager if self.asked.of_managers else Effect(self._reader.how, [])
        # What is written without a change of meaning waits for nobody; neither does what is removed so.
        return _NOTHING if self.written or self.purged else self._late(manager)

    def _late(self, manager: UnitManager) -> Effect:
        """What has to be done for what an earlier task, or somebody else, left for later; nothing, as far as it is known."""
        asked, reader = self.asked, self._reader
        of_users = asked.base == "user" and not asked.of_user
        if not manager.runs or not (asked.of_managers or reader.unit):
            return _NOTHING
        changed = last_changed(self.path)
        # Of a drop-in that is gone nobody knows what it said; what the others say may have been in its shadow.
        means = all_mean = meanings(self._said)
        if not asked.absent:
            own = [(each.section, each.key) for each in asked.text.assignments if not each.key.startswith("X-")]
            means = {at: all_mean.get(at) for at in own}
        if of_users:
            # Users get no more than half of the time, so that there is some left for what has to be done.
            deadline = min(self.session.deadline, time.monotonic() + self.session.timeout / 2)
            late = unread_by_users(changed, means, deadline, asked.absent)
        else:
            read = last_read(manager, reader)
            if not read.before(changed):
                return _NOTHING
            late = unread(read, changed, means, told(asked, manager, means, reader), asked.absent)
        if asked.of_managers:
            return effect_on_manager([Difference(*at, None, meaning) for at, meaning in late.items()])._replace(warnings=[])
        return Effect(reader.how if late else "", [])

    def _again(self, effect: Effect, changed: bool) -> ReadAgain | None:
        """Who reads the files again on the way back. A manager reloads on each, and a restart has a way back of its own."""
        if not changed or not effect.how:
            return None
        if self.asked.of_managers:
            if self.asked.base == "user" and not self.asked.of_user:
                return ReadAgain("users-reexec" if effect.how == "reexec" else "users")
            return ReadAgain("reexec") if effect.how == "reexec" else None
        return ReadAgain(effect.how, self._reader.unit) if effect.how != "restart" else None

    def _put_into_effect(self, manager: UnitManager, how: str) -> list[Step]:
        if not how:
            return []
        if self.asked.of_managers:
            if self.asked.base == "user" and not self.asked.of_user:
                return [UsersReadAgain(how == "reexec")]
            return [Reexecute() if how == "reexec" else Reload()]
        if how == "signal":
            return [HangUp((self._reader.unit,))]
        if how == "reload":
            return [ReloadDaemon(self._reader.unit)]
        wish = Wish(state="try_restarted", daemon_reload="never")
        steps = plan_for(manager, [self._reader.unit], wish, self.asked.check_mode)[1].steps
        for step in steps:
            if isinstance(step, Jobs):
                step.unlimited = True
        return steps

    def _sees(self) -> bool:
        """Whether what is said of the file can be told: where it is there, and one reads it whose words reach the journal."""
        all_users = self.asked.base == "user" and not self.asked.of_user
        return not self.asked.absent and not all_users and (self.asked.name != "journald" or has_kernel_log())

    def _see_overridden(self) -> list[str]:
        found = {} if self.asked.absent else winners(self._said, self.path)
        self.overridden = [
            {"section": section, "setting": key, "path": path} for (section, key), path in sorted(found.items())
        ]
        warnings = [
            f"{key}= in [{section}] of {self.path} has no effect, as {path} says otherwise and is read later"
            for (section, key), path in sorted(found.items())
        ]
        if not self.asked.absent and not any(each.path == self.path for each in self._said):
            better = next((p for p in self.files.dropins((self.path,)) if p.endswith(f"/{self.asked.dropin}")), "")
            warnings.append(f"{self.path} has no effect while there is {better}, which systemd prefers")
        return warnings

    def in_force(self, manager: UnitManager) -> tuple[dict[str, dict[str, str]], list[str]]:
        """What is in force of the settings of the drop-in, in the spelling of files; and warnings of what differs from the files."""
        wanted = list(dict.fromkeys((each.section, each.key) for each in self.asked.text.assignments))
        values = told(self.asked, manager, wanted, self._reader)
        means = meanings(self._said)
        effective: dict[str, dict[str, str]] = {}
        differing = []
        for section, settings in values.items():
            for key, value in settings.items():
                words = spelled(section, key, value)
                if words is not None:
                    effective.setdefault(section, {})[key] = words
                now, will = meaning_told(section, key, value), means.get((section, key))
                if now is not None and will is not None and now != will:
                    differing.append(
                        f"{key}= in [{section}] is {words} in force, although the files say {worded(section, key, will)}; something else, "
                        "such as the kernel's command line or what is set while it runs, has the last word"
                    )
        return effective, differing
