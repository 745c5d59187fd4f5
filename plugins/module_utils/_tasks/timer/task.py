# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `timer` module's task: timers and their services as wanted, any number of them in one go."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved, is_empty
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    check_writable,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session, open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import TIMER
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import (
    installed_links,
    links_by_unit,
    read_links,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits, words_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable, unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import SEARCH_PATH, program_problem
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.elapses import (
    Elapses,
    iso,
    local_time,
    now_usec,
    read_elapses,
    upcoming,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.options import (
    TimerWish,
    gone,
    marker_of,
    read_wishes,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.plan import job_of, needs_a_run, plan_timers
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.state import TimerFile, TimerState
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.steps import held_by

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# From as many units on, one look at all directories is cheaper than systemd's at the files of each.
_MANY = 30
# As many bytes of /etc/passwd or /etc/group of a tree are read.
_ACCOUNTS = 16 << 20


def converge(module: Module) -> dict[str, t.Any]:
    """Bring timers to what the module's options ask for; returns the module's result."""
    local_time()
    task = _Task(module)
    with task.session as session:
        manager = session.manager
        states: list[TimerState] = []

        def make_plan() -> Plan:
            task.begin_anew()
            try:
                states[:] = task.read(manager)
            except OSError as e:
                raise SystemdError(
                    f"cannot read {e.filename or task.directory}: {e.strerror or e}; the timer's files are in {task.directory}, "
                    "so remove or mend what is in the way"
                ) from e
            task.verify(states)
            plan = plan_timers(states, manager.link_directories(), task.tools, manager.offline)
            plan.warnings += task.warnings
            if plan.file_diffs and not session.gone:
                task.check_writable(states)
            return plan

        plan, ctx, changed = bring_about(module, session, make_plan, module.params["rollback"])
        result: dict[str, t.Any] = {
            "changed": changed,
            "timers": task.report(manager, states, plan),
            "warnings": grouped(plan.warnings + ctx.warnings),
        }
    result.update(plan.report(module._diff))
    if ctx.links:
        result["links"] = [change._asdict() for change in ctx.links]
    return result


def grouped(warnings: t.Sequence[str]) -> list[str]:
    """Warnings that say the same of many timers as one: `a.service, b.service and 98 more: ...`."""
    found: dict[str, dict[str, None]] = {}
    for warning in warnings:
        about, colon, what = warning.partition(": ")
        subjects = found.setdefault(what if colon and " " not in about else warning, {})
        if colon and " " not in about:
            subjects[about] = None
    return [f"{short(list(subjects))}: {what}" if subjects else what for what, subjects in found.items()]


class _Task:
    """The options of a task, checked, and what has to be read for a plan."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.params = params = module.params
        wishes = read_wishes(params)
        # What shall neither be enabled nor run is read by a user's manager when it starts.
        idle = all(wish.absent or not (wish.enabled or wish.started in (None, True)) for wish in wishes)
        gone_too = all(wish.absent for wish in wishes)
        self.session = open_session(params, may_be_down=idle, may_be_gone=gone_too, module=module)
        self.root = (params["root"] or "").rstrip("/")
        self.offline = params["root"] is not None or params["scope"] == "global"
        self.begin()
        self._is_begun = True
        self._place(self.session)

    def begin(self) -> None:
        """Have the wishes as they were asked for, and no warnings yet."""
        params = self.params
        self.wishes = read_wishes(params)
        self.warnings: list[str] = []
        for wish in self.wishes:
            if self.offline and wish.started:
                where = "root" if params["root"] is not None else "scope"
                raise BadInput(f"{wish.where}started: nothing runs where `{where}` points; leave out `started`")
            if wish.started is None:
                wish.started = not self.offline

    def begin_anew(self) -> None:
        """The same, unless nothing was made of them yet."""
        if not self._is_begun:
            self.begin()
        self._is_begun = False

    def _place(self, session: Session) -> None:
        """Where the files are."""
        self.paths = UnitPaths(session.scope, session.home, session.uid, self.root)
        self.directory = self.paths.directory()
        self.tree = self.paths.tree
        self.tools = FileTools(
            attributes=lambda _path, _check: False,
            label=lambda path: self.module.set_default_selinux_context(path, False),
        )

    # -- reading

    def read(self, manager: UnitManager) -> list[TimerState]:
        """All that a plan has to know of the timers, those to be purged included."""
        if self.params["purge"]:
            self.wishes += [gone(name) for name in self._to_purge()]
        states = [TimerState(wish, self._files(wish)) for wish in self.wishes]
        self._drop_unknown(states)
        for state in states:
            if state.wish.absent or not self.offline:
                state.stamp_path = self._stamp_path(state.wish.name)
            if state.wish.absent:
                state.stamp = self._stamp(state)
        self._check_runs(states)
        links = links_by_unit(read_links(manager.link_directories(), tree=self.tree))
        for state in states:
            self._read_links(state, links, manager.link_directories())
        if not manager.offline:
            self._read_states(manager, states)
        self._look_for_others(states)
        for state in states:
            self.warnings += state.wish.warnings
            self._look_for_the_past(state.wish)
        return states

    def _look_for_the_past(self, wish: TimerWish) -> None:
        """Warn of calendars that will never elapse, being of the past or of days that there are not."""
        for calendar in wish.calendars if wish.started else ():
            try:
                if calendar.next(now_usec()) is None:
                    self.warnings.append(f"{wish.where}OnCalendar: '{calendar}' will never elapse any more")
            except BadInput as e:
                # It names a time zone that Python knows nothing of.
                self.warnings.append(f"{wish.where}{e.msg}")

    def _to_purge(self) -> list[str]:
        """Timers that were once written with this marker and are not listed any more."""
        listed = {wish.name for wish in self.wishes}
        names = sorted(
            name for name in self.tree.names(self.directory) if name.endswith(".timer") and name not in listed
        )
        found = []
        for name in names:
            try:
                head = self.tree.read_file(f"{self.directory}/{name}", 1000, follow=False, head=True)
            except Unreadable:
                # A link, a directory or something else that this module did not write.
                continue
            if head is not None and marker_of(head[0]) == self.params["marker"]:
                found.append(name)
        return found

    def _files(self, wish: TimerWish) -> list[TimerFile]:
        texts = {} if wish.absent else wish.texts(self.params["marker"])
        files = [self._file(wish, wish.name, texts.get(wish.name))]
        service = self._file(wish, wish.service, texts.get(wish.service))
        mine = service.before is not None and marker_of(service.before.content) is not None
        if service.wanted is not None and not mine:
            self._check_free(wish, service)
        if service.wanted is not None or (mine and wish.unit != wish.service) or (mine and wish.absent):
            files.append(service)
        return files

    def _file(self, wish: TimerWish, name: str, wanted: str | None) -> TimerFile:
        path = f"{self.directory}/{name}"
        link = self.tree.target(path)
        if link and wanted is not None:
            hint = (
                "it is masked; unmask it first, with pidone.systemd.unit and `masked: false`"
                if link == "/dev/null"
                else "remove the link first, or name the timer otherwise"
            )
            raise BadInput(f"{wish.where}name: {path} is a link to {link}; {hint}")
        if link:
            # A mask is nothing of ours to remove, nor is a service of somebody else.
            link = "" if link == "/dev/null" or name != wish.name else link
            return TimerFile(name, path, None, link, None)
        return TimerFile(name, path, _saved(path), "", wanted)

    def _check_free(self, wish: TimerWish, service: TimerFile) -> None:
        """Refuse to take the place of a service that is somebody else's."""
        if self.params["force"]:
            return
        found = service.path if service.before else self.paths.find(service.name)
        if found is not None:
            raise BadInput(
                f"{wish.where}name: there is a {service.name} already, which this module did not write ({found}); to have the "
                f"timer start that, give `unit: {service.name}` in place of `command` and `service`; otherwise choose another "
                "name, or set `force: true` to replace it"
            )

    def _drop_unknown(self, states: t.Sequence[TimerState]) -> None:
        """With `unsupported: drop`, leave out what this systemd does not know, of files that would be written."""
        if self.params["unsupported"] != "drop" or not any(file.wanted for state in states for file in state.touched):
            return
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import table_for

        table = table_for(self.tree, self.warnings)
        if table is None:
            return
        for state in states:
            if state.wish.absent or not state.touched:
                continue
            dropped = state.wish.drop_unknown(table)
            if dropped:
                state.files = self._files(state.wish)
                self.warnings.append(
                    f"{state.wish.name}: systemd here does not know, and is not given: {', '.join(dropped)}"
                )

    def _stamp(self, state: TimerState) -> tuple[str, Saved] | None:
        """The file in which systemd keeps when a persistent timer elapsed last."""
        if self.params["scope"] == "global":
            return None
        saved = _saved(state.stamp_path)
        return (state.stamp_path, saved) if saved is not None else None

    def _stamp_path(self, name: str) -> str:
        place = f"{self.session.home}/.local/share" if self.params["scope"] == "user" else f"{self.root}/var/lib"
        return self.tree.real(f"{place}/systemd/timers/stamp-{name}")

    def _read_links(self, state: TimerState, links: t.Mapping[str, t.Mapping[str, str]], directories: t.Sequence[str]) -> None:
        wish, own = state.wish, f"{self.directory}/{state.wish.name}"
        names = [wish.name]
        if wish.absent and any(file.name == wish.service for file in state.touched):
            names.append(wish.service)
        state.links = {
            path: target
            for name in names
            for path, target in links.get(name, {}).items()
            if path != own and target != "/dev/null"
        }
        install = wish.installs()
        state.wanted_links += installed_links(directories[0], wish.name, lambda key: _words(install.get(key)))
        if any("%" in path for path in state.wanted_links):
            # Only systemd can tell where they will be.
            state.wanted_links = list(state.links) or state.wanted_links

    def _read_states(self, manager: UnitManager, states: t.Sequence[TimerState]) -> None:
        others = {s.wish.unit: s.wish for s in states if not s.wish.absent and s.wish.service_sections is None}
        names = [state.wish.name for state in states]
        statuses = manager.status([*names, *others])
        for state, status in zip(states, statuses):
            state.status = status
        for (name, wish), status in zip(others.items(), statuses[len(names) :]):
            if status.load_state == "masked":
                raise BadInput(f"{wish.where}unit: {name} is masked, so no timer can start it; unmask it first")
            if status.load_state in ("bad-setting", "error"):
                self._check_loads(manager, name, wish)
            if status.load_state == "not-found" and self.paths.find(name) is None:
                self._missing(
                    f"{wish.where}unit",
                    f"there is no unit {name} on this host",
                    "write it first, correct the name, or give `command` for a service of the timer's own",
                )
        self._read_freshness(manager, states)
        for state in states:
            drop_in = held_by(self.paths.runtime, state.wish.name)
            state.held = not state.wish.absent and os.path.exists(drop_in)
            directory = os.path.dirname(drop_in)
            state.leftover = directory if is_empty(directory) else ""
        self._read_missed(
            manager, [state for state in states if state.wish.calendars and job_of(state) in ("start", "restart")]
        )

        self._read_first_runs(manager, [state for state in states if needs_a_run(state) and job_of(state) == "restart"])

    def _read_first_runs(self, manager: UnitManager, states: t.Sequence[TimerState]) -> None:
        """Of timers that wait for a run to count from, whether there was one since the boot."""
        asked = []
        for state in states:
            asked.append((object_path(state.wish.unit), UNIT, "InactiveExitTimestampMonotonic"))
            asked.append((object_path(state.wish.name), TIMER, "LastTriggerUSecMonotonic"))
        values = iter(manager.properties(asked) if asked else ())
        for state in states:
            runs = [next(values), next(values)]
            state.never_ran = not any(runs)

    def _check_loads(self, manager: UnitManager, name: str, wish: TimerWish) -> None:
        """Refuse a unit that systemd cannot load, unless its file is another one by now."""
        path = object_path(name)
        stale, error = manager.properties([(path, UNIT, "NeedDaemonReload"), (path, UNIT, "LoadError")])
        if not stale:
            why = error[1] if error and error[1] else "its file is not valid"
            raise BadInput(
                f"{wish.where}unit: systemd cannot load {name}, so no timer can start it: {why}; correct its file "
                f"(`systemd-analyze verify {name}` tells more)"
            )

    def _read_missed(self, manager: UnitManager, states: t.Sequence[TimerState]) -> None:
        """Of timers that are to be started, whether systemd would run the service for that although it is not to.

        It is to where a persistent timer was down. Systemd 252 runs it too where a timer that is not persistent was down.
        """
        known = [state for state in states if state.status and state.status.load_state == "loaded"]
        now = now_usec()
        paths = [(object_path(state.wish.name), UNIT, "InactiveExitTimestamp") for state in known]
        for state, since in zip(known, manager.properties(paths) if paths else ()):
            if state.wish.persistent:
                state.stamp = self._stamp(state)
                if state.stamp and not state.up:
                    continue
                since = state.stamp[1].times[1] // 1000 if state.stamp else since
            state.missed = bool(since) and any(when <= now for when in self._upcoming(state.wish, 1, min(since, now)))

    def _read_freshness(self, manager: UnitManager, states: t.Sequence[TimerState]) -> None:
        """Whether systemd has read the files that are right already; an earlier run may not have got to its reload."""
        pairs = [
            (state, file) for state in states if not state.wish.absent for file in state.files if file.changed is None
        ]
        fresh: set[str] = set()
        if len(pairs) >= _MANY:
            from ansible_collections.pidone.systemd.plugins.module_utils._systemd.freshness import surely_fresh

            fresh = surely_fresh(manager, [file.name for _state, file in pairs])
        pairs = [(state, file) for state, file in pairs if file.name not in fresh]
        asked = ("NeedDaemonReload", "FragmentPath")
        values = iter(manager.properties([(object_path(f.name), UNIT, what) for _state, f in pairs for what in asked]))
        for state, file in pairs:
            need, fragment = next(values), next(values)
            if need or (fragment != file.path and self._should_count(manager, file.path)):
                if file.name == state.wish.name:
                    state.stale = True
                else:
                    state.stale_service = True

    def _should_count(self, manager: UnitManager, path: str) -> bool:
        """Whether systemd would read the file: it is in no other's shadow, and in a directory that is looked into."""
        return self.paths.shadows(path) is None and self.directory in manager.unit_path()

    def _look_for_others(self, states: t.Sequence[TimerState]) -> None:
        """Say what keeps files from having an effect, or what is left where a timer is not ours to remove."""
        for state in states:
            wish = state.wish
            if wish.absent:
                found = self.paths.find(wish.name, without=(state.files[0].path,)) if not state.files[0].link else None
                if found is not None and not state.touched:
                    # It is not ours, and neither are its links.
                    state.links, state.stamp = {}, None
                if found is not None and not wish.purged:
                    self.warnings.append(
                        f"{wish.name} is left as {found}, which is not this module's to remove; "
                        "stop, disable or mask it with pidone.systemd.unit"
                    )
                continue
            for file in state.files:
                better = self.paths.shadows(file.path)
                if better is not None and file.wanted is not None:
                    self.warnings.append(f"{file.path} has no effect while there is {better}, which systemd prefers")

    # -- checking

    def _missing(self, option: str, problem: str, remedy: str) -> None:
        """Refuse what is not there; in check mode an earlier task may be the one to make it."""
        if not self.module.check_mode:
            raise BadInput(f"{option}: {problem}; {remedy}")
        self.warnings.append(f"{option}: {problem}; check mode takes it for made by an earlier task")

    def _check_runs(self, states: t.Sequence[TimerState]) -> None:
        """Look for the programs and the accounts of the services."""
        known: dict[tuple[str, str], bool] = {}
        for state in states:
            wish = state.wish
            for option, prefixes, program in wish.programs():
                problem = program_problem(program, wish.search_path() or SEARCH_PATH, self.root)
                if problem and "-" in prefixes:
                    self.warnings.append(f"{option}: {problem}; this is no failure to systemd, because of the -")
                elif problem:
                    self._missing(option, problem, "install it first, or correct the path")
            for kind, name in wish.accounts():
                if (kind, name) not in known:
                    known[kind, name] = _is_account(kind, name, self.tree)
                if not known[kind, name]:
                    self._missing(
                        f"{wish.where}service",
                        f"{kind}={name}: there is no {kind.lower()} {name!r} on this host",
                        "create it first, or correct the name",
                    )
            # The devices of a tree that nobody has booted are made when it is.
            for key, path in wish.devices() if not self.root else ():
                if not os.path.exists(path):
                    self._missing(
                        f"{wish.where}service",
                        f"{key}: there is no device {path} on this host",
                        "name a block device, or a file or directory on its file system (see lsblk)",
                    )

    def verify(self, states: t.Sequence[TimerState]) -> None:
        """Have the files that will be written checked by systemd; raises where they must not be put in place."""
        mode = self.params["verify"]
        new = {f.name: (f, s) for s in states for f in s.touched if f.wanted is not None}
        if mode == "nothing" or not new:
            return
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import table_for
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import scratch_directory
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import explain, verify_units

        texts = {
            name: (parse(t.cast(str, file.wanted)), t.cast(str, file.wanted)) for name, (file, _state) in new.items()
        }
        for name, (text, _raw) in texts.items():
            if text.problems:
                raise BadInput(explain(text.problems, name, "does not parse; nothing has been changed"))
        with scratch_directory() as scratch:
            table = table_for(self.tree, self.warnings)
            verdicts = verify_units(texts, self.paths, table, scratch, self.session.home)
        for name, (errors, warnings) in verdicts.items():
            # Said already, and better.
            warnings = [warning for warning in warnings if " is not executable: " not in warning.message]
            if mode == "strict":
                errors, warnings = [*errors, *warnings], []
            if errors:
                _file, state = new[name]
                listed = [{"line": e.line or None, "text": e.text, "message": e.message} for e in errors]
                option = "service" if name == state.wish.service else "timer"
                what = f"{state.wish.where}{option}: {name}"
                raise BadInput(
                    explain(errors, what, "was not accepted by this host's systemd, and nothing has been written"),
                    problems=listed,
                )
            self.warnings += [f"{name}: {warning}" for warning in warnings]

    def check_writable(self, states: t.Sequence[TimerState]) -> None:
        """Say before anything is done that the directory cannot be written to."""
        check_writable(states[0].files[0].path)

    # -- reporting

    def report(self, manager: UnitManager, states: t.Sequence[TimerState], plan: Plan) -> list[dict[str, t.Any]]:
        """Each timer as it is now or, in check mode, as it would be."""
        planned = self.module.check_mode
        changes = {change.name: change for change in plan.changes}
        done = bool(plan.steps) and not planned
        if done and not manager.offline:
            names = [state.wish.name for state in states]
            for state, status in zip(states, manager.status(names)):
                state.status = status
        asked = [] if manager.offline else [s for s in states if s.up and not s.wish.absent]
        if planned:
            # Of those that would change, systemd does not know yet.
            asked = [s for s in asked if s.wish.name not in changes]
        elapses = read_elapses(manager, {s.wish.name: s.status.sub_state for s in asked if s.status}) if asked else {}
        now = now_usec()
        return [self._entry(state, changes.get(state.wish.name), elapses.get(state.wish.name), now) for state in states]

    def _entry(self, state: TimerState, change: Change | None, elapses: Elapses | None, now: int) -> dict[str, t.Any]:
        wish = state.wish
        entry: dict[str, t.Any] = {
            "name": wish.name,
            "changed": change is not None,
            "state": "absent" if wish.absent else "present",
        }
        if wish.purged:
            entry["purged"] = True
        if change is not None:
            entry["before"], entry["after"] = change.before, change.after
            entry["files"] = [file.path for file in state.touched]
        if wish.absent:
            return entry
        entry["unit"] = wish.unit
        entry["path"] = state.files[0].path
        if wish.service_sections is not None:
            entry["service_path"] = f"{self.directory}/{wish.service}"
        entry["enabled"] = state.will_be_enabled
        if not self.offline:
            if state.status is not None:
                entry["active_state"] = state.status.active_state
                entry["sub_state"] = state.status.sub_state
            planned = self.module.check_mode and change is not None
            expected = self._estimate(state, now) if planned and wish.started else None
            entry["next_elapse"] = iso(elapses.next if elapses else expected)
            entry["last_elapse"] = iso(elapses.last if elapses else None)
        if self.params["next"]:
            entry["next_elapses"] = [iso(usec) for usec in self._upcoming(wish, self.params["next"], now)]
        return entry

    def _upcoming(self, wish: TimerWish, count: int, now: int) -> list[int]:
        try:
            return upcoming(wish.calendars, count, now)
        except BadInput:
            # Warned of already.
            return []

    def _estimate(self, state: TimerState, now: int) -> int | None:
        """When a timer would elapse that is started now, as far as it can be told."""
        import time

        wish = state.wish
        missed_since = None
        if wish.persistent and not state.up:
            try:
                missed_since = min(int(os.stat(state.stamp_path).st_mtime * 1e6), now)
            except OSError:
                pass
        times = self._upcoming(wish, 1, now if missed_since is None else missed_since)
        boot = now - time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        for key, span in wish.spans:
            if key in ("OnActiveSec", "OnBootSec"):
                times.append((now if key == "OnActiveSec" else boot) + span)
        return max(min(times), now) if times else None


def _words(value: t.Any) -> list[str]:
    """The words of a directive that takes a list, given as text or as a list."""
    return [word for item in (value if isinstance(value, list) else [value or ""]) for word in words_of(str(item))]


def _saved(path: str) -> Saved | None:
    try:
        return Saved.of(path)
    except OSError as e:
        raise unreadable(path, e) from e


def _is_account(kind: str, name: str, tree: Tree) -> bool:
    if tree.root:
        # Numbers and names of a tree are in its own files; what else it may ask (LDAP), nobody knows here.
        path = f"{tree.root}/etc/{'passwd' if kind == 'User' else 'group'}"
        try:
            text = tree.read_text(path, _ACCOUNTS, "replace")
        except Unreadable:
            return True
        return text is None or is_digits(name) or any(line.split(":", 1)[0] == name for line in text.split("\n"))
    if is_digits(name):
        # Numbers need no account.
        return True
    try:
        if kind == "User":
            import pwd

            pwd.getpwnam(name)
        else:
            import grp

            grp.getgrnam(name)
    except KeyError:
        return False
    return True
