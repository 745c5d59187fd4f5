# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `unit_file` module's task: a unit file or drop-in as wanted, and what follows from its change."""

from __future__ import annotations

import os
import re
import stat
import time
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import (
    Change,
    Plan,
    Step,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveDirectory,
    RemoveFile,
    RemoveLinks,
    SetAttributes,
    WriteFile,
    check_writable,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import (
    Jobs,
    Reload,
    ResetFailed,
    UnitFileLinks,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, become_hint, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import (
    check_account,
    check_mode,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import UnitFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import (
    leads_to,
    link_directories,
    read_links,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import BUS_NAME, UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    check_name,
    is_template,
    object_path,
    prefix_of,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits, words_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import LIMIT, Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths, check_dropin
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import (
    UnitText,
    parse,
    render,
    split_lines,
    tidy,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import MissingUnit, Wish, plan_units
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import ENABLED, Unit, not_found, read
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.task import result_of

# on_change -> the state that a unit shall get which is to run, and the one of a unit that may be down.
_ON_CHANGE = {
    "restart": ("restarted", "try_restarted"),
    "reload": ("reloaded", "reloaded"),
    "reload_or_restart": ("reload_or_restarted", "try_reload_or_restarted"),
}
_UP = ("active", "reloading", "refreshing", "activating")
_YES = ("1", "yes", "y", "true", "t", "on")
# LONG_LINE_MAX of systemd.
_LONGEST_LINE = 1 << 20
_LABEL_PART = re.compile(r"[A-Za-z0-9_.:,-]{1,255}")
# The letters that chattr(1) sets, without those that it only shows.
_ATTRIBUTES = re.compile("[-+=]?[aAcCdDeFijmPsStTux]+")
_INSTALL = ("WantedBy", "RequiredBy", "UpheldBy", "Alias")


def converge(module: t.Any) -> dict[str, t.Any]:
    """Bring a unit file or drop-in to what the module's options ask for; returns the module's result."""
    task = _Task(module)
    with task.session as session:
        manager = session.manager
        units: list[Unit] = []
        wrote: bool | None = None

        def make_plan() -> Plan:
            nonlocal wrote
            plan, units[:], wrote = task.plan(manager)
            return plan

        try:
            plan, ctx, changed = bring_about(module, session, make_plan, task.params["rollback"])
        except SystemdError as e:
            e.data.setdefault("path", task.path)
            raise
        if plan.steps and not (module.check_mode or manager.offline):
            units = read(manager, [unit.name for unit in units], any(u.file_state is not None for u in units))
    result = result_of(plan, units, ctx, changed, module._diff)
    result.update(path=task.path, written=wrote is not None, meaning_changed=bool(wrote))
    for step in plan.steps:
        if isinstance(step, (WriteFile, RemoveFile)) and step.backup_file:
            result["backup_file"] = step.backup_file
    return result


def decide(before: bytes | None, wanted: str, comments_count: bool) -> bool | None:
    """What writing `wanted` over a file would be: None where it is not needed, else whether it changes the meaning.

    :param comments_count: whether a difference in comments alone is a reason to write.
    """
    if before is None:
        return True
    text = before.decode("utf-8", "surrogateescape")
    if text == wanted:
        return None
    old, new = parse(text), parse(wanted)
    # A file of nothing at all masks its unit, whatever it would mean otherwise.
    if not text or old.problems or old.meaning() != new.meaning():
        return True
    return False if comments_count and old.comments != new.comments else None


def file_state_after(state: str, text: UnitText, is_dropin: bool) -> str:
    """What UnitFileState will be when a file is there as `text` says; `state` is what it is now."""
    installs = any(text.values("Install", key) for key in _INSTALL)
    if installs:
        return "disabled" if state in ("", "static", "indirect") else state
    if is_dropin or state not in ("", "disabled", "indirect"):
        return state
    return "indirect" if text.values("Install", "Also") else "static"


def can_reload_after(can_reload: bool, kind: str, text: UnitText, is_dropin: bool) -> bool:
    """Whether the unit will be able to reload when a file is there as `text` says."""
    if kind != "service":
        return can_reload
    reloads = bool(text.values("Service", "ExecReload")) or text.values("Service", "Type")[-1:] == ["notify-reload"]
    if is_dropin:
        reset = any(item.section == "Service" and item.key == "ExecReload" for item in text.assignments)
        return reloads or (can_reload and not reset)
    return reloads


def _is_empty_directory(path: str, tree: Tree) -> bool:
    """Whether it is one that can be removed; a link to one cannot."""
    status = tree.status(path, False)
    return status is not None and stat.S_ISDIR(status.st_mode) and not tree.names(path)


class _Task:
    """The options of a task, checked, and the way from them to a plan."""

    def __init__(self, module: t.Any) -> None:
        self.module = module
        self.params = params = module.params
        self.absent = params["state"] == "absent"
        self.name = check_name(params["name"])
        self.kind = unit_type(self.name)
        self.dropin: str | None = None
        if params["dropin"] is not None:
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
        self._check_options()
        self.warnings: list[str] = []
        self.on_change = params["on_change"] or ("restart" if self.started else "nothing")
        # A user's manager that does not run reads the file when it starts.
        self.session = open_session(params, may_be_down=self.enabled is None and self.started is None)
        self._place(self.session)
        self.raw, self.text = ("", parse("")) if self.absent else self._wanted()
        # A plan may be made twice, and what it warns of is its own.
        self._told_by_options = tuple(self.warnings)

    def _nothing_runs(self) -> bool:
        return self.params["root"] is not None or self.params["scope"] == "global"

    def _check_options(self) -> None:
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
        if self.absent and self.dropin is None and (self.enabled or self.started):
            option = "activate" if params["activate"] else "enabled" if self.enabled else "started"
            raise BadInput(
                f"{option}: a unit whose file is removed cannot stay so; leave out `{option}` with `state: absent`"
            )
        if self.absent:
            return
        if params["content"] is None and params["sections"] is None:
            raise BadInput("sections: what the file shall say is missing; give `sections` or `content`")

    def _place(self, session: Session) -> None:
        """Find out where the file is."""
        params = self.params
        if params["root"] is not None and params["scope"] == "user":
            raise BadInput(
                "root: the units of users are in their home directories, which are in no tree; use scope `system`, or leave out `root`"
            )
        root = (params["root"] or "").rstrip("/")
        self.paths = UnitPaths(session.scope, session.home, session.uid, root)
        self.tree = self.paths.tree
        if self.dropin is not None:
            self.place = self.paths.dropin(self.name, self.dropin, params["runtime"])
        else:
            self.place = self.paths.unit(self.name, params["runtime"])
        # Where it is in a tree, links on the way resolved: `place` is how systemd comes by it.
        self.path = self.tree.real(self.place)
        self._check_owner(session.account.name if session.account else "")
        self.tools = FileTools(
            attributes=self._set_attributes,
            backup=bool(params["backup"]),
            has_mode=params["mode"] is not None,
            label=lambda path: self.module.set_default_selinux_context(path, False),
            unsafe_writes=bool(params["unsafe_writes"]),
        )

    def _check_owner(self, user: str) -> None:
        """Refuse attributes that cannot be given before anything is written, and in check mode too.

        :param user: the user as whom files are touched, where root does not do it as itself.
        """
        owner, group = self.params["owner"], self.params["group"]
        if owner is not None:
            check_account(owner, "owner")
        if group is not None:
            check_account(group, "group", "group")
        self._check_attributes()
        if owner and not is_digits(owner):
            import pwd

            try:
                pwd.getpwnam(owner)
            except KeyError:
                raise BadInput(f"owner: there is no user {owner!r} on this host; create it first") from None
        if group and not is_digits(group):
            import grp

            try:
                grp.getgrnam(group)
            except KeyError:
                raise BadInput(f"group: there is no group {group!r} on this host; create it first") from None
        if owner and user and owner not in (user, str(self.session.uid)):
            raise BadInput(
                f"owner: the units of {user} are written as that user, who cannot give files away to {owner}; leave out `owner`"
            )
        if self.params["mode"] is not None:
            check_mode(self.params["mode"])
            # Of a file that is not there yet, ansible-core looks at the mode only when it is set.
            try:
                with self._asking(True):
                    self.module.set_mode_if_different("/", self.params["mode"], False)
            except SystemdError as e:
                raise BadInput(
                    f"mode: {self.params['mode']!r} is not a mode; write one such as '0644' or 'u=rw,go=r', in quotes"
                ) from e

    def _check_attributes(self) -> None:
        """Refuse what ansible-core would pass on to chattr(1) or SELinux, or over in silence where there is neither."""
        for option in ("seuser", "serole", "setype", "selevel"):
            value = self.params.get(option)
            if value is None:
                continue
            if not _LABEL_PART.fullmatch(value):
                raise BadInput(
                    f"{option}: {shown(value)} is no part of an SELinux context; write one such as system_u, object_r, systemd_unit_file_t or s0"
                )
            if not self.module.selinux_enabled():
                self.warnings.append(f"{option}: is not applied, since SELinux is not enabled on this host")
        attributes = self.params.get("attributes")
        if attributes is None:
            return
        if not _ATTRIBUTES.fullmatch(attributes):
            raise BadInput(
                f"attributes: {shown(attributes)} is none of the attributes of chattr(1); write letters such as `d`, with + or - before them"
            )
        if self.module.get_bin_path("chattr") is None:
            told = "chattr is not there, which sets attributes; install the package e2fsprogs"
            if not self.module.check_mode:
                raise BadInput(f"attributes: {told}, or leave out `attributes`")
            self.warnings.append(f"attributes: {told}")

    def _set_attributes(self, path: str, check: bool) -> bool:
        arguments = self.module.load_file_common_arguments(self.params, path=self.path)
        arguments["path"] = path
        with self._asking(check):
            return bool(self.module.set_fs_attributes_if_different(arguments, False))

    @contextmanager
    def _asking(self, check: bool) -> t.Iterator[None]:
        """Call functions of ansible-core's on files: in check mode or not, and failing as everything here does.

        They end the program by themselves otherwise: nothing would be put back, and the file named that was on its way.
        """

        def fail(msg: str, **facts: t.Any) -> t.NoReturn:
            why = facts.get("details") or facts.get("exception")
            raise SystemdError(f"{self.path}: {msg}" + (f": {why}" if why else ""))

        module = self.module
        mode, module.check_mode = module.check_mode, check
        own, module.fail_json = module.fail_json, fail
        try:
            yield
        finally:
            module.check_mode, module.fail_json = mode, own

    def _wanted(self) -> tuple[str, UnitText]:
        """The file's text from `sections` or `content`, rendered and parsed."""
        option = "content" if self.params["content"] is not None else "sections"
        raw = tidy(self.params["content"]) if option == "content" else render(self.params["sections"])
        too_long = next(
            (
                at
                for at, line in enumerate(split_lines(raw), 1)
                if len(line.encode("utf-8", "replace")) >= _LONGEST_LINE
            ),
            0,
        )
        if too_long:
            raise BadInput(
                f"{option}: line {too_long} is longer than 1 MiB, and systemd reads nothing of a file that has such a line; split it"
            )
        if len(raw) > LIMIT or len(raw.encode("utf-8", "surrogateescape")) > LIMIT:
            raise BadInput(
                f"{option}: the file is larger than {LIMIT >> 20} MiB, which no unit file is; make it smaller"
            )
        text = parse(raw)
        if text.problems:
            from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import explain

            raise BadInput(explain(text.problems, f"{option}: the file", "does not parse; nothing has been changed"))
        if not raw.strip():
            raise BadInput(
                f"{option}: is empty, and an empty file would mask the unit; "
                "use `state: absent` to remove the file, or pidone.systemd.unit with `masked: true`"
            )
        return raw, text

    # -- planning

    def plan(self, manager: t.Any) -> tuple[Plan, list[Unit], bool | None]:
        """The plan, the units it is about, and what it does to the file: None, or whether the meaning changes."""
        self.warnings = list(self._told_by_options)
        try:
            return self._plan(manager)
        except Unreadable:
            self._check_link()
            raise
        except OSError as e:
            self._check_link()
            raise SystemdError(f"cannot read {e.filename or self.path}: {e.strerror or e}{become_hint()}") from e

    def _plan(self, manager: t.Any) -> tuple[Plan, list[Unit], bool | None]:
        before = self._present_file()
        steps, diffs, wrote = self._absent_file(before) if self.absent else self._wanted_file(before)
        gone = self.absent and self.dropin is None and self.paths.find(self.name, without=(self.path,)) is None
        if steps:
            self._check_link()
            check_writable(self.path)
        if wrote is not None and not self.absent:
            self._verify()
        if wrote is not None or not self.absent:
            self._look_for_shadows()
        if self.session.down:
            after = self._leftovers(None) if gone else []
            plan = Plan([*steps, *after])
            units: list[Unit] = []
        elif gone:
            plan, units = self._plan_removal(manager, steps)
        else:
            plan, units = self._plan_change(manager, steps, wrote)
        plan.file_diffs = diffs
        plan.warnings = [*self.warnings, *plan.warnings]
        return plan, units, wrote

    def _present_file(self) -> Saved | None:
        """The file as it is; refuses what is not a file of ours to replace."""
        path = self.path
        target = self.tree.target(path)
        if target:
            if self.dropin is not None:
                if self.absent:
                    return None
                raise BadInput(f"dropin: {path} is a link to {target}; remove the link first, with `state: absent`")
            if target == "/dev/null":
                if self.absent:
                    return None
                raise BadInput(
                    f"name: {self.name} is masked ({path} is a link to /dev/null); unmask it first, "
                    "with pidone.systemd.unit and `masked: false`"
                )
            if not (self.absent and os.path.basename(target) == os.path.basename(path)):
                what = f"a link to {target}"
                raise BadInput(f"name: {path} is {what}; name the unit it stands for, or remove the link first")
            return None
        status = self.tree.status(path, False)
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise BadInput(f"name: {path} is a directory; remove it first")
        return Saved.of(path)

    def _check_link(self) -> None:
        """Say of a directory of a user's that it leads, by a link, to where the user may not write."""
        directory = os.path.dirname(self.path)
        while not os.path.lexists(directory):
            directory = os.path.dirname(directory)
        real = os.path.realpath(directory)
        account = self.session.account
        if account is None or real == directory or not os.path.isdir(real):
            return
        if not os.access(real, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise BadInput(
                f"scope: {directory} leads to {real} by a link, where {account.name} may not write; "
                "remove the link, or let it lead to a directory of that user"
            )

    def _wanted_file(self, before: Saved | None) -> tuple[list[Step], list[dict[str, str]], bool | None]:
        wrote = decide(before.content if before else None, self.raw, self.params["content"] is not None)
        if wrote is None:
            if before is None:
                raise AssertionError("a file that is not written was there before")
            if self._set_attributes(self.path, True):
                return [SetAttributes(self.path, before, self.tools)], [], None
            return [], [], None
        old = before.content.decode("utf-8", "replace") if before else ""
        return (
            [WriteFile(self.path, self.raw.encode("utf-8", "surrogateescape"), before, self.tools, wrote is False)],
            [self._file_diff(old, self.raw)],
            wrote,
        )

    def _absent_file(self, before: Saved | None) -> tuple[list[Step], list[dict[str, str]], bool | None]:
        if before is not None:
            diff = self._file_diff(before.content.decode("utf-8", "replace"), "")
            return [RemoveFile(self.path, before, self.tools)], [diff], True
        target = self.tree.target(self.path)
        if target:
            if target == "/dev/null" and self.dropin is None:
                self.warnings.append(f"{self.name} is masked; it has no unit file at {self.path} to remove")
                return [], [], None
            return [RemoveLinks({self.path: target})], [], True
        directory = os.path.dirname(self.path)
        if self.dropin is not None and _is_empty_directory(directory, self.tree):
            return [RemoveDirectory(directory)], [], None
        return [], [], None

    def _file_diff(self, before: str, after: str) -> dict[str, str]:
        return {"before": before, "after": after, "before_header": self.path, "after_header": self.path}

    def _look_for_shadows(self) -> None:
        better = self.paths.shadows(self.place)
        if better is not None:
            self.warnings.append(f"{self.path} has no effect while there is {better}, which systemd prefers")

    def _verify(self) -> None:
        """Have the file checked; raises where it must not be put in place."""
        mode = self.params["verify"]
        if mode == "nothing":
            return
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import table_for
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import scratch_directory
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import explain, verify

        with scratch_directory() as scratch:
            table = table_for(self.tree, self.warnings)
            verdict = verify(self.text, self.raw, self.name, self.dropin, self.paths, table, scratch, self.session.home)
        errors, warnings = verdict
        if mode == "strict":
            errors, warnings = [*errors, *warnings], []
        if errors:
            what = f"{self.name}.d/{self.dropin}" if self.dropin else self.name
            state = (
                "and the file on the host is untouched"
                if self.tree.status(self.path, False) is not None
                else "and nothing has been written"
            )
            listed = [{"line": e.line or None, "text": e.text, "message": e.message} for e in errors]
            raise BadInput(
                explain(errors, what, f"was not accepted by this host's systemd, {state}"),
                problems=listed,
                path=self.path,
            )
        self.warnings += [f"{self.name}: {warning}" for warning in warnings]

    # -- what follows

    def _plan_change(self, manager: t.Any, steps: list[Step], wrote: bool | None) -> tuple[Plan, list[Unit]]:
        """The plan for a unit that is there, or will be."""
        wants_links = self.enabled is not None
        (unit,) = read(manager, [self.name], wants_links, runtime=self.params["runtime"])
        affected = self._affected(manager, unit)
        stale = not manager.offline and wrote is None and self._is_stale(manager, unit, affected)
        older = self._older_than_the_file(manager, affected) if wrote is None else set()
        was = unit.describe()
        missing = unit.missing and not (self.absent or self.dropin)
        relink = self._foresee(manager, unit, wrote)
        if missing:
            was = "not found"
        # Steps for each wish, the unit itself first; one reload for all of them.
        plans = []
        plan = Plan()
        by_state = self._states(manager, unit, affected, lambda each: wrote is True or stale or each.id in older)
        own_state = by_state.pop(unit, None)
        if wants_links or own_state:
            plans.append(self._sub_plan(manager, [unit], own_state, self.enabled))
        for state in dict.fromkeys(by_state.values()):
            chosen = [other for other, its in by_state.items() if its == state]
            plans.append(self._sub_plan(manager, chosen, state, None))
        after: list[Step] = []
        if relink:
            after.append(UnitFileLinks("disable", [self.name], manager.link_directories()))
        loses = self.absent and self.dropin is not None and steps
        dropped = UnitFiles(manager).links_without(self.name, self.path) if loses else {}
        if dropped:
            after.append(RemoveLinks(dropped))
        jobs: list[Step] = []
        for each in plans:
            for step in each.steps:
                if isinstance(step, UnitFileLinks):
                    after.append(step)
                else:
                    jobs.append(step)
            plan.changes += [c._replace(before=was) if c.name == self.name else c for c in each.changes]
            plan.warnings += each.warnings
        plan.steps = [*steps, *after]
        touched = wrote is not None or bool(after)
        reload = self.params["daemon_reload"]
        if not manager.offline and (reload == "always" or (reload == "auto" and (touched or stale))):
            plan.steps.append(Reload(counts=reload == "always" or stale))
        plan.steps += jobs
        return plan, [unit, *(other for other in affected if other is not unit)]

    def _sub_plan(self, manager: t.Any, units: list[Unit], state: str | None, enabled: bool | None) -> Plan:
        wish = Wish(
            state=state,
            enabled=enabled,
            runtime=self.params["runtime"],
            daemon_reload="never",
            settle=self.settle / 1e6,
            settle_told=format_timespan(self.settle),
        )
        try:
            return plan_units(
                units, wish, manager.link_directories(), self.module.check_mode, True, offline=manager.offline
            )
        except MissingUnit as e:
            raise not_found(e.names, manager) from e

    def _affected(self, manager: t.Any, unit: Unit) -> list[Unit]:
        """The loaded units that the file applies to: the unit, or the instances of a template, or all with a prefix."""
        if manager.offline:
            return []
        if is_template(self.name):
            pattern = self.name.replace("@.", "@*.")
        elif self.dropin is not None and prefix_of(self.name).endswith("-"):
            pattern = self.name.replace("-.", "-*.")
        else:
            return [unit]
        found = [status for status in sorted(manager.list_units([pattern])) if status.load_state != "not-found"]
        # A template's drop-ins apply to instances with a file of their own as well; its file does not.
        own = self._own_instances() if found and self.dropin is None else ()
        return [Unit(status.id, status) for status in found if status.id not in own]

    def _own_instances(self) -> set[str]:
        """The names of files that take the place of the template for one instance; other names of it and masks do not."""
        prefix, _at, suffix = self.name.partition("@")
        own = set()
        for directory in self.paths.search:
            try:
                names = self.tree.names(directory)
            except Unreadable:
                continue
            for name in names:
                if name.startswith(f"{prefix}@") and name.endswith(suffix) and name != self.name:
                    target = self.tree.target(f"{directory}/{name}")
                    if target != "/dev/null" and os.path.basename(target) != self.name:
                        own.add(name)
        return own

    def _is_stale(self, manager: t.Any, unit: Unit, affected: t.Sequence[Unit]) -> bool:
        """Whether systemd has not read the files as they are, since an earlier run did not get to its reload.

        NeedDaemonReload alone is not enough: old versions miss a first drop-in and a file in a better directory.
        """
        loaded = [each for each in affected if each.status]
        wanted = [
            (object_path(each.id), UNIT, what)
            for each in loaded
            for what in ("NeedDaemonReload", "FragmentPath", "DropInPaths")
        ]
        values = manager.properties(wanted)
        # Of drop-ins, systemd tells the path without links: ~/.config may be one.
        paths = {self.path, f"{os.path.realpath(os.path.dirname(self.path))}/{os.path.basename(self.path)}"}
        unseen = False
        for index, each in enumerate(loaded):
            need, fragment, dropins = values[3 * index : 3 * index + 3]
            seen = not paths.isdisjoint((fragment, *(dropins or ())))
            if each.load_state == "masked" and self.dropin is not None:
                # It reads none, and with one NeedDaemonReload is always true.
                continue
            if need or (seen and self.absent):
                return True
            if self.dropin is not None:
                hidden = any(self._is_hidden_by(dropin) for dropin in dropins or ())
                unseen = unseen or (each.load_state == "loaded" and not seen and not hidden)
            else:
                # An instance may have a file of its own beside its template's.
                mine = not fragment or os.path.basename(fragment) == self.name
                unseen = unseen or (each.load_state in ("loaded", "not-found") and mine and not seen)
        if not unseen or self.absent or self.paths.shadows(self.place):
            return False
        # A user's manager may have been told to look elsewhere (XDG_CONFIG_HOME).
        return self.paths.directory(self.params["runtime"]) in manager.unit_path()

    def _is_hidden_by(self, dropin: str) -> bool:
        """Whether a unit's drop-in takes the place of ours: one of the same name that is for fewer units.

        Such as that of `app@1.service.d` for that of `app@.service.d`, and `a-b.service.d` for `a-.service.d`.
        """
        (directory, name), (own_directory, own_name) = os.path.split(dropin), os.path.split(self.path)
        return name == own_name and len(os.path.basename(directory)) > len(os.path.basename(own_directory))

    def _foresee(self, manager: t.Any, unit: Unit, wrote: bool | None) -> bool:
        """Make of the unit what it will be once the file is there; returns whether its links have to be made anew."""
        is_dropin = self.dropin is not None
        if not self.absent and not is_dropin and unit.missing and unit.file_state is None:
            unit.file_state = file_state_after("", self.text, False)
        if self.absent or self.enabled is None or unit.file_state is None:
            return False
        relink = False
        if unit.file_state in ENABLED and self.enabled:
            relink = bool(wrote) and self._old_install() != self.text.meaning().get("Install", [])
        if self.enabled and not is_template(self.name):
            files = UnitFiles(manager)
            install = files.install(self.name, self.path, self.raw)
            unit.lacking, unit.taken, unit.aliases = files.look(self.name, install, self.params["runtime"])
        if unit.file_state in ENABLED and relink:
            unit.file_state = "disabled"
        if not (is_dropin and unit.missing):
            unit.file_state = file_state_after(unit.file_state, self.text, is_dropin)
        if any(self.text.values("Install", key) for key in _INSTALL):
            unit.has_links = True
        unit.default_instance = "".join(self.text.values("Install", "DefaultInstance")[-1:]) or unit.default_instance
        if (
            is_template(self.name)
            and not unit.default_instance
            and unit.file_state not in ("static", "indirect", *ENABLED)
        ):
            raise BadInput(
                f"enabled: {self.name} is a template without DefaultInstance= in [Install], so there is nothing to enable; "
                "leave out `enabled`, and enable instances with pidone.systemd.unit"
            )
        if not is_dropin:
            also = [name for name in words_of(" ".join(self.text.values("Install", "Also"))) if name != self.name]
            unit.also = list(manager.unit_file_states(also)) if also else []
        return relink

    def _old_install(self) -> list[tuple[str, str]]:
        text = self.tree.read_text(self.path)
        if text is None:
            found = self.paths.find(self.name) if self.dropin is None else None
            text = self.tree.read_text(found) if found else None
        text = text or ""
        return parse(text).meaning().get("Install", [])

    def _older_than_the_file(self, manager: t.Any, affected: t.Sequence[Unit]) -> set[str]:
        """The units that have been up since before the file was written: somebody else wrote it, or did not get to the restart."""
        up = [each for each in affected if each.active_state in _UP]
        if manager.offline or self.on_change == "nothing" or self.absent or not up:
            return set()
        try:
            written = os.stat(self.path).st_mtime
        except OSError:
            return set()
        now = time.time()
        # The one becomes another when a unit leaves being down, the other by each reload too.
        since = "InactiveExitTimestamp" if self.on_change == "restart" else "StateChangeTimestamp"
        asked = [(object_path(each.id), UNIT, name) for each in up for name in (since, f"{since}Monotonic")]
        times = iter(manager.properties(asked))
        older = set()
        for each, told, monotonic in zip(up, times, times):
            # The clock may have been set since; then one of the two is right. Neither is where the file is from the future.
            began = max((told or 0) / 1e6, (monotonic or 0) / 1e6 + now - time.monotonic())
            if began < written <= now:
                older.add(each.id)
        return older

    def _states(
        self, manager: t.Any, unit: Unit, affected: t.Sequence[Unit], acts: t.Callable[[Unit], bool]
    ) -> dict[Unit, str]:
        """The state that each unit is to be brought to; units that are left alone are not in it.

        :param acts: whether what the file says is new to a unit.
        """
        states: dict[Unit, str] = {}
        for each in affected:
            up = each.active_state in _UP
            if each is unit and self.started is False:
                states[each] = "stopped"
            elif up and self.on_change != "nothing" and acts(each):
                states[each] = _ON_CHANGE[self.on_change][0 if each is unit and self.started else 1]
                if states[each] == "reloaded":
                    self._check_can_reload(manager, each)
                else:
                    self._check_can_restart(manager, each)
            elif each is unit and self.started:
                states[each] = "started"
        return states

    def _check_can_reload(self, manager: t.Any, unit: Unit) -> None:
        """Refuse a reload that the unit will not be able to do; what it can do now is not the question."""
        now = bool(manager.properties([(object_path(unit.id), UNIT, "CanReload")])[0])
        if self.absent:
            return
        if not can_reload_after(now, self.kind, self.text, self.dropin is not None):
            raise BadInput(
                f"on_change: {unit.id} has no way to reload (ExecReload=, or Type=notify-reload); "
                "use `reload_or_restart` or `restart`"
            )

    def _check_can_restart(self, manager: t.Any, unit: Unit) -> None:
        """Refuse a restart that systemd would refuse later, with the file in place or, worse, the socket closed."""
        names = ("RefuseManualStop", "Triggers", "RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf")
        now, triggers, *along = manager.properties([(object_path(unit.id), UNIT, name) for name in names])
        said = self.text.values("Unit", "RefuseManualStop")
        refuses = said[-1].lower() in _YES if said else now and self.dropin is not None and not self.absent
        if refuses and self.on_change == "restart":
            raise BadInput(
                f"on_change: {unit.id} cannot be restarted by hand (RefuseManualStop=); use `nothing`, "
                "and it has the change after the next boot"
            )
        if self.kind != "socket":
            return
        (accepts,) = manager.properties([(object_path(unit.id), f"{BUS_NAME}.Socket", "Accept")])
        if accepts:
            # The services that run are of connections that were made; they are not what it starts next.
            return
        # No socket is opened while its service runs. One that requires the socket, or is part of it, is restarted with it.
        for service in manager.status(triggers or ()):
            if service.active_state == "active" and not any(service.id in (each or ()) for each in along):
                raise BadInput(
                    f"on_change: systemd cannot restart {unit.id} while {service.id} runs, which it starts; "
                    "stop that first, with pidone.systemd.unit, or use `nothing`"
                )

    def _plan_removal(self, manager: t.Any, steps: list[Step]) -> tuple[Plan, list[Unit]]:
        """The plan for a unit that will have no file at all any more."""
        (unit,) = read(manager, [self.name])
        affected = self._affected(manager, unit)
        plan = Plan()
        stop: list[Step] = []
        if self.on_change != "nothing" or self.params["on_change"] is None:
            mine = [each for each in affected if steps or each.load_state == "not-found"]
            up = [each for each in mine if each.active_state in (*_UP, "deactivating")]
            if up:
                # What systemd makes by itself (-.slice, system.slice, -.mount) is there without a file too.
                lasting = manager.properties([(object_path(each.id), UNIT, "Perpetual") for each in up])
                up = [each for each, perpetual in zip(up, lasting) if not perpetual]
            if up:
                # Also units that run although their file is long gone, which to a plan for states do not exist.
                names = [each.id for each in up]
                stop = [Jobs("stop", names, names)]
                plan.changes = [
                    Change(each.name, f"{each.active_state} ({each.sub_state})", "inactive, removed") for each in up
                ]
        leftovers = self._leftovers(manager)
        failed = [each.id for each in affected if each.active_state == "failed" and steps]
        plan.steps = [*stop, *steps, *leftovers]
        stale = not manager.offline and not steps and self._is_stale(manager, unit, affected)
        reload = self.params["daemon_reload"]
        if not manager.offline and (reload == "always" or (reload == "auto" and (steps or leftovers or stale))):
            plan.steps.append(Reload(counts=reload == "always" or stale))
        if failed and not manager.offline:
            plan.steps.append(ResetFailed(failed))
        if plan.changed and self.name not in [change.name for change in plan.changes]:
            plan.changes.insert(0, Change(self.name, unit.describe(), "removed"))
        return plan, [unit]

    def _leftovers(self, manager: t.Any) -> list[Step]:
        """Steps for what would point to nothing: links that enable the unit or are other names of it, its empty directory."""
        directories = (
            manager.link_directories()
            if manager is not None
            else link_directories(self.session.scope, self.session.home, self.session.uid, self.paths.root)
        )
        steps: list[Step] = []
        own = self._own_instances() if is_template(self.name) else set()
        links = {
            path: target
            for path, target in read_links(directories, tree=self.tree).items()
            if path != self.path
            and target != "/dev/null"
            and leads_to(path, target, self.name)
            and own.isdisjoint((os.path.basename(path), os.path.basename(target)))
        }
        if links:
            steps.append(RemoveLinks(links))
        directory = f"{self.path}.d"
        if _is_empty_directory(directory, self.tree):
            steps.append(RemoveDirectory(directory))
        return steps
